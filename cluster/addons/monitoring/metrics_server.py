"""metrics-server: asks every kubelet every 15 seconds, keeps the last two answers, and shows what lies between them.

It keeps nothing that could not be computed: when it asked follows from when its container started, and what it was told
then follows from the containers' programs. So nothing happens in the world while nobody asks, and a metrics-server that
was just started knows as little as a real one.

    container        in both answers: the whole window; started between them: from its start on, if 10 s ago or more
    pod              all of its running containers are known, or it is not shown
    node             its kubelet answered twice

Mirrors:  kubernetes-sigs/metrics-server/pkg/{scraper,storage,api}
Left out: asking the nodes one after the other within the window: all are asked at the same instant.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from cluster.objects import Manifest, meta, times

SECOND = 1_000_000
PROGRAM = "metrics-server"
FIRST = 2 * SECOND  # From the start to the first answers.
RESOLUTION, SHORTEST = 15 * SECOND, 10 * SECOND
FRESH = 10 * SECOND
GROUP, VERSION = "metrics.k8s.io", "v1beta1"

Record = Mapping[str, Any]
Usage = tuple[int, int]  # CPU in billionths of a core, memory in bytes.
Measure = Callable[[Record, int, int], Usage]  # (container, from, to): microseconds since t = 0.


class Window(NamedTuple):
    """Between two answers: microseconds since t = 0."""

    start: int
    end: int

    @property
    def shown(self) -> str:
        """`15s`, `14.5s`"""
        return f"{(self.end - self.start) / SECOND:.3f}".rstrip("0").rstrip(".") + "s"


def last_window(server: Record, now: int) -> Window | None:
    """What a metrics-server in container `server` knows at `now`; None: it has not asked twice yet."""
    started, every = server["started"], resolution(server["argv"])
    asked = (now - started - FIRST) // every
    if asked < 1:
        return None
    end = started + FIRST + asked * every
    return Window(end - every, end)


def resolution(argv: Sequence[str]) -> int:
    """--metric-resolution, in microseconds; what can't be read or is too short counts as usual.

    >>> resolution(["/metrics-server", "--metric-resolution=30s"]), resolution([])
    (30000000, 15000000)
    """
    for word in argv:
        if found := re.fullmatch(r"--metric-resolution=(?:(\d{1,4})m)?(?:(\d{1,6})s)?", word):
            seconds = int(found[1] or 0) * 60 + int(found[2] or 0)
            return max(seconds * SECOND, SHORTEST) if seconds else RESOLUTION
    return RESOLUTION


def of_container(window: Window, container: Record) -> Window | None:
    """For how long a container was measured; None: too short, or it was not there."""
    started, ended = container["started"], container["ended"]
    if started is None or (ended is not None and ended <= window.end) or started > window.end:
        return None
    if started <= window.start:
        return window
    return Window(started, window.end) if window.end - started >= FRESH else None


def pod_metrics(
    pod: Manifest, containers: Iterable[Record], window: Window, epoch: int, now: int, measure: Measure
) -> Manifest | None:
    """PodMetrics of a pod; None: too little is known. `containers`: all that it has had; `now`: since t = 0."""
    running = [each for each in containers if _runs_at(each, window.end)]
    measured = [(each, of_container(window, each)) for each in running]
    if not running or any(found is None for _, found in measured):
        return None
    shown = min((found for _, found in measured if found is not None), key=lambda each: each.end - each.start)
    usages = [
        {"name": each["name"], "usage": amounts(measure(each, found.start, found.end))}
        for each, found in sorted(measured, key=lambda pair: str(pair[0]["name"]))
        if found is not None
    ]
    return {**_head("PodMetrics", pod, shown, epoch, now), "containers": usages}


def node_metrics(node: Manifest, used: Usage, window: Window, epoch: int, now: int) -> Manifest:
    return {**_head("NodeMetrics", node, window, epoch, now), "usage": amounts(used)}


def _runs_at(container: Record, moment: int) -> bool:
    started, ended = container["started"], container["ended"]
    return started is not None and started <= moment and (ended is None or ended > moment)


def _head(kind: str, obj: Manifest, window: Window, epoch: int, now: int) -> Manifest:
    metadata: Manifest = {"name": meta.name(obj)}
    if meta.namespace(obj):
        metadata["namespace"] = meta.namespace(obj)
    metadata["creationTimestamp"] = times.rfc3339(epoch + now)
    if meta.labels(obj):
        metadata["labels"] = meta.labels(obj)
    head = {"kind": kind, "apiVersion": f"{GROUP}/{VERSION}", "metadata": metadata}
    return {**head, "timestamp": times.rfc3339(epoch + window.end), "window": window.shown}


def amounts(used: Usage) -> Manifest:
    """As the metrics API spells them: `2150327n`, `13352Ki`."""
    return {"cpu": f"{used[0]}n" if used[0] else "0", "memory": f"{used[1] // 1024}Ki"}
