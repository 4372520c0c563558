"""Node-pressure eviction: when a machine runs out of something, its kubelet gives up one pod after the other.

    memory.available < 100Mi                                hard thresholds, looked at every 10 s, and more of them, and
    nodefs.available < 10%   imagefs.available < 15%        soft ones with a grace period, if the machine's kubelet is
    nodefs.inodesFree < 5%   imagefs.inodesFree < 5%        configured so (configuration.py)

    look   what is met -> conditions (true until five minutes after the last look that met them)
           -> for disk and inodes: dead containers and unused images go first; is that enough?
           -> else one pod, whose end is awaited before the next look

Who goes first: whoever takes more than it asked for, then the lowest priority, then the one that exceeds its request by
most; for processes only priority and their number count. Pods without figures (nothing of them runs yet) come before
all. Critical, static and mirror pods never go. A pod that a hard threshold evicts gets a second. It fails with reason
Evicted, and stays as an object: its owner makes another one.

Mirrors:  kubernetes/pkg/kubelet/eviction (eviction_manager.go, helpers.go)
Left out: the kernel's notice that memory is short (off by default in a real kubelet, too); a pod that is being deleted
          already is left to end in its own time.
Read next: measures.py, where the figures come from; image_gc.py; local_storage.py, limits on what a pod writes;
          controllers/nodelifecycle.py, who taints the node.
"""

from collections.abc import Callable, Iterable, Sequence

from cluster.engine.cells import Section
from cluster.engine.clock import SECOND, Clock
from cluster.kubelet.configuration import Configuration, Threshold
from cluster.kubelet.image_gc import ImageCollector
from cluster.kubelet.measures import Look, Meter
from cluster.objects import Manifest, amounts, meta, pods, quantity
from cluster.objects.amounts import Amount
from cluster.runtime import machines

EVICTED = "Evicted"
DISRUPTED = "TerminationByKubelet"  # Why a pod is a DisruptionTarget, if it is not to blame itself.
LOOK_EVERY = 10 * SECOND
GRACE = SECOND  # Between SIGTERM and SIGKILL, whatever the pod asks for.
CLEAN_UP_PATIENCE, CLEAN_UP_LOOK = 30 * SECOND, SECOND
SYSTEM_CRITICAL = 2_000_000_000
MEMORY, DISK, PIDS = "MemoryPressure", "DiskPressure", "PIDPressure"
TAINT = {"key": "node.kubernetes.io/memory-pressure", "effect": "NoSchedule"}
RESOURCES = {  # By signal: what is short, and which condition of the node says so.
    "memory.available": ("memory", MEMORY),
    "allocatableMemory.available": ("memory", MEMORY),
    "nodefs.available": ("ephemeral-storage", DISK),
    "imagefs.available": ("ephemeral-storage", DISK),
    "nodefs.inodesFree": ("inodes", DISK),
    "imagefs.inodesFree": ("inodes", DISK),
    "pid.available": ("pids", PIDS),
}
BYTES = ("memory", "ephemeral-storage")
Evict = Callable[[Manifest, str, dict[str, str], int], None]


class EvictionManager:
    """Of one kubelet. What it remembers, in `memory`: seen, condition -> when it was last met; first, threshold ->
    since when it is met; met, the thresholds that are, grace period and all; evicting, [uid, since].
    """

    def __init__(
        self, memory: Section, clock: Clock, meter: Meter, setup: Configuration, collector: ImageCollector
    ) -> None:
        self.memory, self.clock, self.meter, self.setup, self.collector = memory, clock, meter, setup, collector
        self.on_attempt: Callable[[str], None] = lambda resource: None  # Somebody tries to get it back.
        self.remove_dead: Callable[[], None] = lambda: None  # Forget the containers of pods that are over.
        self.has_ended: Callable[[str], bool] = lambda uid: True
        self.evict: Evict = lambda pod, message, annotations, grace: None

    # --- what others ask ------------------------------------------------------------------------------------

    def conditions(self) -> list[str]:
        """The pressures that were met within the transition period."""
        seen = self.memory.get("seen") or {}
        return sorted(name for name, at in seen.items() if self.clock.now - at < self.setup.transition)

    def is_evicting(self) -> bool:
        """Is the pod that was evicted last still there? After 30 s nobody waits for it any longer."""
        uid, since = self.memory.get("evicting") or ("", 0)
        if uid and not self.has_ended(uid) and self.clock.now - since < CLEAN_UP_PATIENCE:
            return True
        self.memory.pop("evicting")
        return False

    def has_to_look_after(self) -> int | None:
        """Microseconds after which the next look must not be left out; None: it may, if nobody can run short."""
        if self.memory.get("first"):
            return 1
        seen = (self.memory.get("seen") or {}).values()
        return min((max(at + self.setup.transition - self.clock.now, 1) for at in seen), default=None)

    # --- one look -------------------------------------------------------------------------------------------

    def look(self, here: Callable[[], Iterable[Manifest]], candidates: Callable[[], Iterable[Manifest]]) -> None:
        """See what is short, and do something about it. `candidates`: who may be evicted, of those who are `here`."""
        look, now = self.meter.read(here()), self.clock.now
        remembered = self.memory.get("met") or []
        met = [each for each in self.setup.thresholds if _is_met(each, look, each.name in remembered)]
        before = self.memory.get("first") or {}
        first = {each.name: before.get(each.name, now) for each in met}
        due = [each for each in met if now - first[each.name] >= each.grace]
        seen = {name: at for name, at in (self.memory.get("seen") or {}).items() if now - at < self.setup.transition}
        self._remember("seen", {**seen, **{RESOURCES[each.signal][1]: now for each in met}})
        self._remember("first", first)
        self._remember("met", [each.name for each in due])
        if due:
            self._reclaim(due, look, here, candidates)

    def _remember(self, name: str, value: dict[str, int] | list[str]) -> None:
        if value and value != self.memory.get(name):
            self.memory[name] = value
        elif not value:
            self.memory.pop(name)

    def _reclaim(
        self,
        due: list[Threshold],
        look: Look,
        here: Callable[[], Iterable[Manifest]],
        candidates: Callable[[], Iterable[Manifest]],
    ) -> None:
        """Try without a victim first, if that can help."""
        threshold, resource = due[0], RESOURCES[due[0].signal][0]
        self.on_attempt(resource)
        if RESOURCES[threshold.signal][1] == DISK:
            self.remove_dead()
            self.collector.delete_unused(here())
            again = self.meter.read(here())
            if not any(_is_met(each, again, True) for each in self.setup.thresholds):
                return
        for pod in ranked(candidates(), look, resource)[:1]:
            message, annotations = verdict(pod, look, resource, due)
            self.memory["evicting"] = [meta.uid(pod), self.clock.now]
            self.evict(pod, message, annotations, max(self.setup.longest_grace, GRACE) if threshold.grace else GRACE)


def _is_met(threshold: Threshold, look: Look, until_reclaimed: bool) -> bool:
    """`until_reclaimed`: only more than the threshold itself is enough again."""
    observed = look.observed.get(threshold.signal)
    if observed is None:
        return False
    available, capacity = observed
    needed = threshold.level.of(capacity)
    if until_reclaimed and threshold.reclaim is not None:
        needed += threshold.reclaim.of(capacity)
    return available < needed


# --- who goes first ---------------------------------------------------------------------------------------------


def ranked(candidates: Iterable[Manifest], look: Look, resource: str) -> list[Manifest]:
    """Pods in the order in which they are evicted; those that are spared are missing."""

    def rank(pod: Manifest) -> tuple[bool, bool, int, int]:
        priority, use = int(pod["spec"].get("priority") or 0), look.pods.get(meta.uid(pod))
        if resource == "pids":
            return (True, True, priority, -use.of(resource) if use is not None else -machines.PIDS)
        if use is None:
            return (False, False, priority, 0)
        over = use.of(resource) - _request(pod, resource)
        return (True, over <= 0, priority, -over)

    return sorted((pod for pod in candidates if not is_critical(pod)), key=rank)


def is_critical(pod: Manifest) -> bool:
    """Is it static, the mirror of a static one, or of a priority that only the system's own pods have?"""
    annotations = meta.annotations(pod)
    if annotations.get("kubernetes.io/config.source", "api") != "api" or "kubernetes.io/config.mirror" in annotations:
        return True
    return int(pod["spec"].get("priority") or 0) >= SYSTEM_CRITICAL


def _request(pod: Manifest, resource: str) -> int:
    return amounts.requests_of(pod).get(resource, amounts.NONE).nano // quantity.NANO


# --- words ------------------------------------------------------------------------------------------------------


def verdict(pod: Manifest, look: Look, resource: str, due: Sequence[Threshold]) -> tuple[str, dict[str, str]]:
    """What is said of a pod that is evicted: (message, annotations of the event)."""
    said = [f"The node was low on resource: {resource}. "]
    threshold = next(each for each in due if RESOURCES[each.signal][0] == resource)
    available, capacity = look.observed[threshold.signal]
    quantities = threshold.level.written(capacity), _written(available, "binary" if resource in BYTES else "decimal")
    said.append("Threshold quantity: {}, available: {}. ".format(*quantities))
    if meta.uid(pod) not in look.pods:
        return "".join(said), {}
    offending = _offending(pod, look, resource)
    for name, used, request in offending:
        said.append(f"Container {name} was using {used}, request is {request}, has larger consumption of {resource}. ")
    return "".join(said), {
        "offending_containers": ",".join(name for name, _, _ in offending),
        "offending_containers_usage": ",".join(used for _, used, _ in offending),
        "starved_resource": resource,
    }


def _offending(pod: Manifest, look: Look, resource: str) -> Sequence[tuple[str, str, str]]:
    """(container, what it used, what it had asked for) of those that took more of memory or disk."""
    found = []
    use = look.pods[meta.uid(pod)].containers
    for container in pods.containers(pod) if resource in BYTES else ():
        request = amounts.parse((container.get("resources") or {}).get("requests")).get(resource, Amount(0))
        mine = use.get(container["name"])
        taken = 0 if mine is None else mine.memory if resource == "memory" else mine.layer + mine.logs
        if taken * quantity.NANO > request.nano:
            found.append((container["name"], _written(taken), str(request)))
    return found


def _written(size: int, form: str = "binary") -> str:
    return quantity.written(size * quantity.NANO, form)
