"""What a pod asks for, as integers: CPU in thousandths, memory and storage in bytes, the rest as counts.

The scheduler counts promises (requests), never actual use. Init containers run one after another, so only the
largest counts; sidecars (init containers that restart always) run beside everything that follows them.

A pod that was resized counts for what it was granted and what it desires, whichever is more, but for what it was
granted alone if its kubelet says that it can't have more.

A pod without requests would weigh nothing and pile up on one node: for scoring (never for filtering) it
counts as 100m of CPU and 200Mi of memory.

Mirrors:  k8s.io/component-helpers/resource/helpers.go (PodRequests); scheduler/util/pod_resources.go
Left out: what a resize leaves to be done while it is in progress.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import orjson

from cluster.objects import Manifest, quantity

DEFAULT_CPU = 100  # Thousandths of a CPU.
DEFAULT_MEMORY = 200 * 1024 * 1024
BASIC = ("cpu", "memory", "ephemeral-storage")  # What every node has; all else is extended.
MOST = 1 << 53  # Of anything: sums over all pods of a node stay below 64 bits. More than there is anywhere.
REMEMBERED = 4_096  # Pod shapes whose requests are kept; forgetting is harmless.

Amounts = dict[str, int]


class Requests(NamedTuple):
    """`amounts`: by resource, only what is more than zero. `cpu`, `memory`: with the defaults for scoring."""

    amounts: Amounts
    cpu: int
    memory: int


def amount(resource: str, text: Any) -> int:
    """A quantity of `resource` as the scheduler counts it; `MOST` for all that is more.

    >>> amount("cpu", "250m"), amount("memory", "64Mi"), amount("example.com/gpu", "2")
    (250, 67108864, 2)
    """
    return min(quantity.milli(str(text)) if resource == "cpu" else quantity.value(str(text)), MOST)


def amounts(quantities: Manifest | None) -> Amounts:
    return {name: amount(name, text) for name, text in (quantities or {}).items()}


def reads(pod: Manifest) -> list[Any]:
    """The part of `pod` that its requests depend on."""
    spec = pod["spec"]
    init = spec.get("initContainers")
    return [
        [container.get("resources") for container in spec["containers"]],
        [(container.get("resources"), container.get("restartPolicy")) for container in init] if init else None,
        spec.get("overhead"),
        spec.get("resources"),
    ]


_known: dict[bytes, Requests] = {}


def requests(pod: Manifest) -> Requests:
    """The requests of `pod`; pods that ask for the same share one answer."""
    pod = counted(pod)
    shape = orjson.dumps(reads(pod))
    found = _known.get(shape)
    if found is None:
        if len(_known) >= REMEMBERED:
            _known.clear()
        found = _known[shape] = _compute(pod)
    return found


def counted(pod: Manifest) -> Manifest:
    """The pod with the requests that count while it is being resized."""
    if int(pod["metadata"].get("generation") or 1) < 2:
        return pod
    status = pod.get("status") or {}
    granted = {each["name"]: each.get("allocatedResources") for each in status.get("containerStatuses") or ()}
    told = {each["type"]: each.get("reason") for each in status.get("conditions") or ()}
    only = told.get("PodResizePending") == "Infeasible"
    containers = [_counted(each, granted.get(each["name"]), only) for each in pod["spec"]["containers"]]
    return {**pod, "spec": {**pod["spec"], "containers": containers}}


def _counted(container: Manifest, granted: Manifest | None, only: bool) -> Manifest:
    desired = (container.get("resources") or {}).get("requests") or {}
    if not granted or granted == desired:
        return container
    more = {
        name: text for name, text in granted.items() if only or amount(name, text) > amount(name, desired.get(name, 0))
    }
    return {**container, "resources": {**container["resources"], "requests": {**desired, **more}}}


def _compute(pod: Manifest) -> Requests:
    exact = _total(pod, lambda asked: asked)
    padded = _total(pod, lambda asked: {"cpu": DEFAULT_CPU, "memory": DEFAULT_MEMORY} | asked)
    return Requests(
        {name: min(count, MOST) for name, count in exact.items() if count > 0},
        min(padded["cpu"], MOST),
        min(padded["memory"], MOST),
    )


def _total(pod: Manifest, pad: Callable[[Amounts], Amounts]) -> Amounts:
    """Containers and sidecars together, or the largest moment of the initialisation if that is more."""
    spec = pod["spec"]
    running: Amounts = {}
    for container in spec["containers"]:
        running = _plus(running, pad(_asked(container)))
    sidecars: Amounts = {}
    peak: Amounts = {}
    for container in spec.get("initContainers") or ():
        asked = pad(_asked(container))
        if container.get("restartPolicy") == "Always":
            sidecars = _plus(sidecars, asked)
            peak = _highest(peak, sidecars)
        else:
            peak = _highest(peak, _plus(sidecars, asked))
    total = _highest(_plus(running, sidecars), peak)
    total |= amounts((spec.get("resources") or {}).get("requests"))  # The pod's own word wins over the sum.
    return _plus(total, amounts(spec.get("overhead")))


def _asked(container: Manifest) -> Amounts:
    return amounts((container.get("resources") or {}).get("requests"))


def _plus(left: Amounts, right: Amounts) -> Amounts:
    return left | {name: left.get(name, 0) + count for name, count in right.items()}


def _highest(left: Amounts, right: Amounts) -> Amounts:
    return left | {name: max(left.get(name, 0), count) for name, count in right.items()}
