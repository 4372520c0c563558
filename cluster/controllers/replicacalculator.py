"""How many replicas do these measurements ask for? Arithmetic of the HorizontalPodAutoscaler; nothing is written here.

    ratio    = what the pods use : what they should use           wanted = ceil(ratio x measured pods)

Within a tolerance of a tenth nothing changes. Pods that are not measured yet count against a change: when it goes up
they use nothing, when it goes down they use all that they should; if that turns the direction around, nothing changes.
A pod that only starts (CPU), pending ones and deleted ones say nothing useful, and are left out.

Mirrors:  kubernetes/pkg/controller/podautoscaler/{replica_calculator,metrics/utilization}.go
Read next: horizontalpodautoscaler.py, who asks.
"""

from fractions import Fraction
from typing import NamedTuple

from cluster.engine.clock import SECOND
from cluster.objects import Manifest, conditions, meta, pods, quantity, times

CPU_START = 300 * SECOND  # While a container warms up, its CPU counts only once the pod is ready.
READINESS_DELAY = 30 * SECOND
TOLERANCE = Fraction(1, 10)


class Sample(NamedTuple):
    """What a pod used over `window` microseconds up to `time` (since 1970). `amount`: thousandths."""

    amount: int
    time: int
    window: int


class Tolerances(NamedTuple):
    """How far the ratio may be off without a change, below and above one."""

    down: Fraction = TOLERANCE
    up: Fraction = TOLERANCE

    def cover(self, ratio: Fraction) -> bool:
        return 1 - self.down <= ratio <= 1 + self.up


class Target(NamedTuple):
    """What is wanted of each pod: percent of its request, or thousandths. One of the two is None."""

    percent: int | None
    amount: int | None


class Proposal(NamedTuple):
    """`replicas` wanted; `percent` (None for amounts) and `amount` (thousandths): what is used now, on average."""

    replicas: int
    percent: int | None
    amount: int


class Unknown(Exception):
    """No number can be given. `str()`: why, in the real controller's words."""


class _Groups(NamedTuple):
    """Pods sorted by what their numbers are worth. Names."""

    ready: int
    unready: list[str]
    missing: list[str]
    ignored: list[str]


def propose(
    current: int,
    target: Target,
    resource: str,
    container: str,
    tolerances: Tolerances,
    chosen: list[Manifest],
    samples: dict[str, Sample],
    now: int,
) -> Proposal:
    """Replicas that bring the average of `chosen` pods to `target`. `samples`: by pod. Errors: Unknown."""
    if not chosen:
        raise Unknown("no pods returned by selector while calculating replica count")
    groups = _grouped(chosen, samples, resource, now)
    left_out = {*groups.ignored, *groups.unready}
    used = {name: sample.amount for name, sample in samples.items() if name not in left_out}
    if not used:
        raise Unknown("did not receive metrics for targeted pods (pods might be unready)")
    requests = _requests(chosen, resource, container) if target.percent is not None else {}
    ratio, percent, amount = _ratio(used, requests, target)
    waiting = bool(groups.unready) and ratio > 1
    if not waiting and not groups.missing:
        wanted = current if tolerances.cover(ratio) else _ceil(ratio * groups.ready)
        return Proposal(wanted, percent, amount)
    if ratio != 1:
        used |= {name: _assumed(ratio, requests.get(name, 0), target) for name in groups.missing}
    if waiting:
        used |= dict.fromkeys(groups.unready, 0)
    again, _, _ = _ratio(used, requests, target)
    if tolerances.cover(again) or (ratio < 1 < again) or (again < 1 < ratio):
        return Proposal(current, percent, amount)
    wanted = _ceil(again * len(used))
    turned = (again < 1 and wanted > current) or (again > 1 and wanted < current)
    return Proposal(current if turned else wanted, percent, amount)


def _ceil(number: Fraction) -> int:
    return -(-number.numerator // number.denominator)


def _assumed(ratio: Fraction, request: int, target: Target) -> int:
    """What an unmeasured pod is taken to use: nothing on the way up, all that it should on the way down."""
    if ratio > 1:
        return 0
    if target.percent is not None:
        return request * max(100, target.percent) // 100
    return target.amount or 0


def _ratio(used: dict[str, int], requests: dict[str, int], target: Target) -> tuple[Fraction, int | None, int]:
    """(used : wanted, percent of the requests, average in thousandths)."""
    total = sum(used.values())
    average = total // len(used)
    if target.percent is None:
        return Fraction(average, target.amount or 1), None, average
    requested = sum(requests[name] for name in used if name in requests)
    matched = [name for name in used if name in requests]
    if not requested:
        raise Unknown("no metrics returned matched known pods")
    total = sum(used[name] for name in matched)
    percent = total * 100 // requested
    return Fraction(percent, target.percent), percent, total // len(matched)


def _requests(chosen: list[Manifest], resource: str, container: str) -> dict[str, int]:
    """What each pod (or its `container`) asks for, in thousandths. Errors: Unknown: one asks for nothing."""
    found = {}
    for pod in chosen:
        restartable = [c for c in pod["spec"].get("initContainers") or [] if c.get("restartPolicy") == "Always"]
        total = 0
        for each in (*pod["spec"]["containers"], *restartable):
            if container and each["name"] != container:
                continue
            asked = ((each.get("resources") or {}).get("requests") or {}).get(resource)
            if asked is None:
                raise Unknown(f"missing request for {resource} in container {each['name']} of Pod {meta.name(pod)}")
            total += quantity.milli(asked)
        found[meta.name(pod)] = total
    return found


def _grouped(chosen: list[Manifest], samples: dict[str, Sample], resource: str, now: int) -> _Groups:
    groups = _Groups(0, [], [], [])
    ready = 0
    for pod in chosen:
        name = meta.name(pod)
        if meta.is_deleting(pod) or pods.phase(pod) == "Failed":
            groups.ignored.append(name)
        elif pods.phase(pod) == "Pending":
            groups.unready.append(name)
        elif name not in samples:
            groups.missing.append(name)
        elif resource == "cpu" and _is_warming_up(pod, samples[name], now):
            groups.unready.append(name)
        else:
            ready += 1
    return groups._replace(ready=ready)


def _is_warming_up(pod: Manifest, sample: Sample, now: int) -> bool:
    """Is its CPU still that of a start? A pod that was ready once, and is old enough, counts even if it is unready."""
    condition, started = conditions.get(pod, "Ready"), (pod.get("status") or {}).get("startTime")
    if condition is None or not started:
        return True
    unready, since = condition["status"] == "False", times.parse(condition["lastTransitionTime"])
    if times.parse(started) + CPU_START > now:
        return unready or sample.time < since + sample.window
    return unready and times.parse(started) + READINESS_DELAY > since
