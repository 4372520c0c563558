"""Restart back-off: what keeps dying is started again after 0, 10, 20, 40, 80, 160, 300, 300 … seconds.

The wait is counted from the death. A container that held out for ten minutes since its last start begins
anew. Image pulls that fail wait by the same rule, but the first failure already costs ten seconds.

Mirrors:  kubernetes/pkg/kubelet/kuberuntime/kuberuntime_manager.go (doBackOff);
          client-go/util/flowcontrol/backoff.go
"""

from cluster.engine.clock import SECOND

FIRST = 10 * SECOND
LONGEST = 300 * SECOND
FORGIVEN_AFTER = 2 * LONGEST

Backoff = list[int]  # [the next wait, when it was last doubled], microseconds.


def wait_before_restart(backoff: Backoff | None, died: int) -> int:
    """How long after its death a container may be started again."""
    if backoff is None or died - backoff[1] > FORGIVEN_AFTER:
        return 0
    return backoff[0]


def doubled(backoff: Backoff | None, died: int, now: int) -> Backoff:
    """The back-off after the restart (or failed pull) of `now`."""
    if backoff is None or died - backoff[1] > FORGIVEN_AFTER:
        return [FIRST, now]
    return [min(backoff[0] * 2, LONGEST), now]


def go_duration(microseconds: int) -> str:
    """Whole seconds as Go prints a Duration.

    >>> go_duration(10_000_000), go_duration(80_000_000), go_duration(300_000_000)
    ('10s', '1m20s', '5m0s')
    """
    minutes, seconds = divmod(microseconds // SECOND, 60)
    return f"{minutes}m{seconds}s" if minutes else f"{seconds}s"


def go_milliseconds(microseconds: int) -> str:
    """A duration cut to milliseconds, as Go prints it.

    >>> [go_milliseconds(us) for us in (393_400, 6_284_100, 61_500_000, 2_000_000)]
    ['393ms', '6.284s', '1m1.5s', '2s']
    """
    milliseconds = microseconds // 1000
    if milliseconds < 1000:
        return f"{milliseconds}ms"
    minutes, rest = divmod(milliseconds, 60_000)
    seconds = f"{rest / 1000:.3f}".rstrip("0").rstrip(".")
    return f"{minutes}m{seconds}s" if minutes else f"{seconds}s"
