"""Node-pressure eviction: when a machine is nearly out of memory, its kubelet gives up one pod after the other.

    memory.available < 100Mi   the one hard threshold: capacity less what containers, kubelet, runtime and kernel take
    every 10 s                 somebody looks; while it is met, each look evicts one pod, whose end is awaited first
    MemoryPressure             true from the first such look until five minutes after the last

Who goes first: whoever takes more than it asked for, then the lowest priority, then the one that exceeds its request by
most. Pods without figures (nothing of them runs yet) come before all. Critical, static and mirror pods never go. An
evicted pod gets a second, fails with reason Evicted, and stays as an object: its owner makes another one.

Usage is a function of time, so a quiet node need not look every ten seconds: each program knows the most memory that
it will ever take, and only a node on which these sums could reach the threshold looks at all. That is worked out when
a container starts or gets another limit. Requests that a server answers cost memory, too; TRAFFIC is set aside for it.

Mirrors:  kubernetes/pkg/kubelet/eviction (eviction_manager.go, helpers.go), pkg/kubelet/apis/config/v1beta1/defaults.go
Left out: nodefs, imagefs and pid signals, soft thresholds, minimum reclaim; figures that are
          up to ten seconds old, as cAdvisor's are; the kernel's OOM killer, when a machine's memory is used up between
          two looks (what is available is then 0 until the eviction); processes started by kubectl exec take no
          memory; a pod that is being deleted already is left to end in its own time.
Read next: local_storage.py, limits on what a pod writes; runtime/usage.py, where the figures come from;
          controllers/nodelifecycle.py, who taints the node.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from cluster.engine.clock import MINUTE, SECOND, Clock
from cluster.objects import Manifest, amounts, meta, pods, quantity
from cluster.objects.amounts import Amount
from cluster.runtime import machines, usage
from cluster.runtime.containers import Record
from cluster.runtime.cri import Runtime
from cluster.runtime.programs.program import MIB

EVICTED, RESOURCE = "Evicted", "memory"
DISRUPTED = "TerminationByKubelet"  # Why a pod is a DisruptionTarget, if it is not to blame itself.
THRESHOLD = 100 * MIB
LOOK_EVERY = 10 * SECOND
TRANSITION = 5 * MINUTE  # --eviction-pressure-transition-period
GRACE = SECOND  # Between SIGTERM and SIGKILL, whatever the pod asks for.
CLEAN_UP_PATIENCE, CLEAN_UP_LOOK = 30 * SECOND, SECOND
TRAFFIC = 64 * MIB  # 16,000 requests a second on one node.
PAGE = 4096
SYSTEM_CRITICAL = 2_000_000_000
TAINT = {"key": "node.kubernetes.io/memory-pressure", "effect": "NoSchedule"}


class Memory(NamedTuple):
    """What one look finds, in bytes. `used`: pod uid -> container -> working set, of pods that have a sandbox."""

    available: int
    used: dict[str, dict[str, int]]

    @property
    def is_short(self) -> bool:
        return self.available < THRESHOLD


class Meter:
    """Reads the memory of one machine."""

    def __init__(self, node: str, machine: machines.Machine, runtime: Runtime, clock: Clock) -> None:
        self.node, self.runtime, self.clock = node, runtime, clock
        self.capacity = quantity.value(str(machine["memory"]))
        self._spare = -1  # No more than what is spare; not saved, since only a sum made anew says that nothing is.

    def could_run_short(self, here: Callable[[], Iterable[Manifest]], newcomer: Record | None = None) -> bool:
        """Could the containers of the pods `here` ever reach the threshold? `newcomer`: the one that is new, if known.

        O(containers), but O(1) for a newcomer that fits into what the last sum left over.
        """
        self._spare -= usage.most_memory(newcomer, self.clock.epoch) if newcomer is not None else 0
        if newcomer is None or self._spare < 0:
            self._spare = self._spare_beside(here())
        return self._spare < 0

    def _spare_beside(self, here: Iterable[Manifest]) -> int:
        """Bytes above the threshold that are left when every container takes the most that it ever will."""
        records = (record for pod in here for record in self.runtime.list_containers(meta.uid(pod)))
        most = sum(usage.most_memory(record, self.clock.epoch) for record in records)
        return self.capacity - THRESHOLD - most - usage.most_memory_of_system() - TRAFFIC

    def read(self, here: Iterable[Manifest]) -> Memory:
        """What the pods `here` use now, and what is left of the machine."""
        used = {
            meta.uid(pod): self._working_sets(meta.uid(pod))
            for pod in here
            if self.runtime.sandbox(meta.uid(pod)) is not None
        }
        taken = sum(sum(each.values()) for each in used.values())
        taken += _pages(usage.of_system(self.node, self.clock.now).memory_bytes)
        return Memory(max(self.capacity - taken, 0), used)

    def _working_sets(self, uid: str) -> dict[str, int]:
        return {record["name"]: self._working_set(record) for record in self.runtime.list_containers(uid)}

    def _working_set(self, record: Record) -> int:
        return _pages(usage.at(record, self.clock.now, self.clock.epoch).memory_bytes)


def _pages(size: int) -> int:
    return -(-size // PAGE) * PAGE


# --- who goes first ---------------------------------------------------------------------------------------------


def ranked(candidates: Iterable[Manifest], memory: Memory) -> list[Manifest]:
    """Pods in the order in which they are evicted; those that are spared are missing."""

    def rank(pod: Manifest) -> tuple[bool, bool, int, int]:
        containers = memory.used.get(meta.uid(pod))
        if containers is None:
            return (False, False, 0, 0)
        over = sum(containers.values()) - _request(pod)
        return (True, over <= 0, int(pod["spec"].get("priority") or 0), -over)

    return sorted((pod for pod in candidates if not is_critical(pod)), key=rank)


def is_critical(pod: Manifest) -> bool:
    """Is it static, the mirror of a static one, or of a priority that only the system's own pods have?"""
    annotations = meta.annotations(pod)
    if annotations.get("kubernetes.io/config.source", "api") != "api" or "kubernetes.io/config.mirror" in annotations:
        return True
    return int(pod["spec"].get("priority") or 0) >= SYSTEM_CRITICAL


def _request(pod: Manifest) -> int:
    return amounts.requests_of(pod).get(RESOURCE, amounts.NONE).nano // quantity.NANO


# --- words ------------------------------------------------------------------------------------------------------


def verdict(pod: Manifest, memory: Memory) -> tuple[str, dict[str, str]]:
    """What is said of a pod that is evicted: (message, annotations of the event)."""
    said = [f"The node was low on resource: {RESOURCE}. "]
    said.append(f"Threshold quantity: {_written(THRESHOLD)}, available: {_written(memory.available)}. ")
    offending = _offending(pod, memory.used.get(meta.uid(pod)) or {})
    for name, used, request in offending:
        said.append(f"Container {name} was using {used}, request is {request}, has larger consumption of {RESOURCE}. ")
    return "".join(said), {
        "offending_containers": ",".join(name for name, _, _ in offending),
        "offending_containers_usage": ",".join(used for _, used, _ in offending),
        "starved_resource": RESOURCE,
    }


def _offending(pod: Manifest, used: dict[str, int]) -> Sequence[tuple[str, str, str]]:
    """(container, what it used, what it had asked for) of those that took more."""
    found = []
    for container in pods.containers(pod):
        request = amounts.parse((container.get("resources") or {}).get("requests")).get(RESOURCE, Amount(0))
        taken = used.get(container["name"], 0)
        if taken * quantity.NANO > request.nano:
            found.append((container["name"], _written(taken), str(request)))
    return found


def _written(size: int) -> str:
    return quantity.written(size * quantity.NANO, "binary")
