"""May this pod run here at all? A kubelet looks once, before it begins: schedulers err, and some pods never met one.

    Evicted                              the machine is short of something; of memory: only who has asked for none
    OutOfcpu, OutOfmemory, OutOfpods …   what is requested here already leaves too little
    NodeAffinity                         the node has not the labels that the pod asks for

A pod that is refused fails for good; whoever owns it makes another.

Mirrors:  kubernetes/pkg/kubelet/lifecycle/predicate.go, pkg/kubelet/eviction/eviction_manager.go (Admit)
Left out: taints of effect NoExecute, ports, what critical pods may push aside, OS and architecture.
"""

from collections.abc import Iterable, Sequence

from cluster.kubelet import eviction
from cluster.objects import Manifest, amounts, meta, pods
from cluster.objects.amounts import Amount
from cluster.objects.nodeterms import term_matches


class Refused(Exception):
    """`reason`, `message`: of the pod's status; `said`: of the event."""

    def __init__(self, reason: str, said: str) -> None:
        super().__init__(said)
        self.reason, self.said, self.message = reason, said, f"Pod was rejected: {said}"


def check(pod: Manifest, node: Manifest, here: Iterable[Manifest], pressures: Sequence[str] = ()) -> None:
    """`here`: all pods that are bound to the node; `pressures`: conditions of what it is short of. Errors: Refused."""
    if pressures and not _is_borne(pod, pressures):
        raise Refused(eviction.EVICTED, f"The node had condition: [{' '.join(pressures)}]. ")
    others = [other for other in here if meta.uid(other) != meta.uid(pod) and _counts(other, pod)]
    allocatable = amounts.parse((node.get("status") or {}).get("allocatable"))
    limit = allocatable.get("pods", Amount(0)).nano // amounts.ONE.nano
    if len(others) + 1 > limit:
        raise Refused("OutOfpods", _short("pods", 1, len(others), limit))
    check_resources(pod, node, others)
    if not _is_wanted(pod, node):
        said = "node(s) didn't match Pod's node affinity/selector"
        raise Refused("NodeAffinity", f"Predicate NodeAffinity failed: {said}")


def check_resources(pod: Manifest, node: Manifest, others: Iterable[Manifest]) -> None:
    """Is there room for what the pod requests, beside `others`? Errors: Refused."""
    allocatable = amounts.parse((node.get("status") or {}).get("allocatable"))
    used: amounts.Amounts = {}
    for other in others:
        used = amounts.plus(used, amounts.requests_of(other))
    for name, wanted in amounts.requests_of(pod).items():
        has, taken = (where.get(name, Amount(0)).nano for where in (allocatable, used))
        if wanted.nano and wanted.nano > has - taken:
            unit = _unit(name)
            raise Refused(f"OutOf{name}", _short(name, wanted.nano // unit, taken // unit, has // unit))


def beyond(pod: Manifest, node: Manifest) -> str:
    """What is said of a pod that requests more than the node has at all of memory or CPU; the empty string: nothing."""
    allocatable = amounts.parse((node.get("status") or {}).get("allocatable"))
    requested = amounts.requests_of(pod)
    for name in ("memory", "cpu"):
        wanted, has = (where.get(name, Amount(0)).nano // _unit(name) for where in (requested, allocatable))
        if wanted > has:
            return f"Node didn't have enough capacity: {name}, requested: {wanted}, capacity: {has}"
    return ""


def _unit(name: str) -> int:
    """Of figures in messages: thousandths of a CPU, one of everything else."""
    return amounts.ONE.nano // 1000 if name == "cpu" else amounts.ONE.nano


def _is_borne(pod: Manifest, pressures: Sequence[str]) -> bool:
    """May it start all the same? Critical ones may; others only if nothing but memory is short."""
    if eviction.is_critical(pod):
        return True
    spared = pods.qos_class(pod) != "BestEffort" or pods.tolerates(pod, eviction.TAINT)
    return list(pressures) == [eviction.MEMORY] and spared


def _is_wanted(pod: Manifest, node: Manifest) -> bool:
    """Has the node what nodeSelector and required node affinity ask for?"""
    labels, name = meta.labels(node), meta.name(node)
    if any(labels.get(key) != value for key, value in (pod["spec"].get("nodeSelector") or {}).items()):
        return False
    affinity = (pod["spec"].get("affinity") or {}).get("nodeAffinity") or {}
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution")
    terms = (required or {}).get("nodeSelectorTerms") or ()
    return required is None or any(term_matches(term, labels, name) for term in terms)


def _short(name: str, requested: int, used: int, capacity: int) -> str:
    return f"Node didn't have enough resource: {name}, requested: {requested}, used: {used}, capacity: {capacity}"


def _counts(other: Manifest, pod: Manifest) -> bool:
    """Pods that run, and those that came before this one."""
    if pods.is_terminal(other):
        return False
    begun = bool((other.get("status") or {}).get("startTime"))
    return begun or (other["metadata"].get("creationTimestamp", ""), meta.key(other)) < (
        pod["metadata"].get("creationTimestamp", ""), meta.key(pod),
    )  # fmt: skip
