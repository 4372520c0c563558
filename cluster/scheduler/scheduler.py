"""kube-scheduler, the component: one step takes the next pod from the queue and finds it a node, or says why
not.

    pod without a node ──► queue ──► framework.schedule ──► client.bind ──► event Scheduled
                             ▲              │ nothing fits
                             │              ▼
          an event that may help      PostFilter, condition PodScheduled=False, event FailedScheduling

It never starts anything: writing `spec.nodeName` is all it does. A pod is bound once in its life; when its
node dies it is not moved, a controller makes another pod.

The step's causes are those of the pod it takes: what created it, and what woke it up again after it was
refused.

Mirrors:  kubernetes/pkg/scheduler (scheduler.go, schedule_one.go, eventhandlers.go)
Left out: binding in the background: nothing else can happen while a step runs. Who has to wait before it can
          be bound is kept in binding.py.
Read next: framework.py for the decision, queue.py and binding.py for the waiting.
"""

from typing import Any

from cluster.engine.cells import Cells
from cluster.engine.clock import SECOND
from cluster.engine.controller import Component, Surroundings
from cluster.engine.recorder import Recorder
from cluster.objects import Manifest, conditions, histogram, meta, pods
from cluster.objects.errors import ApiError
from cluster.objects.histogram import ATTEMPTS, DURATIONS
from cluster.scheduler import resources, verdict
from cluster.scheduler.binding import LOOK_EVERY, TIMED_OUT, BindingCycles, Waiting, assumed
from cluster.scheduler.configuration import DEFAULT, Configuration
from cluster.scheduler.framework import ClusterEvent, Cycle, Framework, PreBindError, fit_error
from cluster.scheduler.plugins.pod_topology_spread import PodTopologySpread
from cluster.scheduler.profile import SCHEDULER_NAME, scheduler_of
from cluster.scheduler.queue import GATED, Entry, SchedulingQueue
from cluster.scheduler.snapshot import Snapshot

NEXT, RETRY, FLUSH = (
    "next",
    "retry",
    "flush",
)  # Queue keys: take a pod; a back-off ended; look for forgotten pods.
BINDING = "binding/"  # …<pod>: may it be bound now?
HELPFUL = (  # Kinds besides nodes and pods whose events may help a pod.
    "PersistentVolumeClaim",
    "PersistentVolume",
    "StorageClass",
    "CSINode",
    "CSIDriver",
    "CSIStorageCapacity",
    "VolumeAttachment",
)
PACE = 2_000  # Microseconds from one pod to the next.
FLUSH_EVERY = 30 * SECOND
SCHEDULED, UNSCHEDULABLE, ERRED = "scheduled", "unschedulable", "error"
NOTE_LIMIT = 1_024  # Longest message of an event.


class Scheduler(Component):
    name = "kube-scheduler"
    role = "scheduler"
    user = "system:kube-scheduler"
    source = SCHEDULER_NAME
    reaction = 10_000

    def __init__(self, around: Surroundings, verdicts: Cells, configuration: Configuration = DEFAULT) -> None:
        """`verdicts`: the last decision about each living pod, by uid, as verdict.py describes it."""
        self.verdicts, self.configuration = verdicts, configuration
        super().__init__(around)

    # --- life -----------------------------------------------------------------------------------------------
    # ---------------------------------------------------------------------------------------------------

    def watch(self) -> None:
        self._load()
        self.informers.subscribe("Node", self._node_changed, self.name)
        self.informers.subscribe("Pod", self._pod_changed, self.name)
        self.informers.subscribe("Namespace", self._namespace_changed, self.name)
        self.informers.subscribe("Service", self._service_changed, self.name)
        for kind in HELPFUL:
            self.informers.subscribe(kind, self._teller(kind), self.name)

    def start(self) -> None:
        """A new process: list everything, put every pod without a node into the queue."""
        self._load()
        living = {meta.uid(pod) for pod in self.informers.list("Pod")}
        for uid in self.verdicts:
            if uid not in living:
                self.verdicts.pop(uid)
        for pod in self.informers.list("Pod"):
            if self._is_mine(pod):
                self.pods.add(pod, self.agenda.causes, self._is_gated(pod))
        self._wake()

    def _load(self) -> None:
        """Derive the in-memory picture from informers and cells."""
        profiles = self.configuration.build(self.informers, lambda: self.client)
        self.frameworks = {name: Framework(profile) for name, profile in profiles.items()}
        self.recorders = {name: Recorder(self.client, self.clock, self.informers, name) for name in self.frameworks}
        self.plugins = [plugin for each in self.frameworks.values() for plugin in each.by_name.values()]
        self.pods = SchedulingQueue(self.memory, self.clock, self.configuration.first, self.configuration.last)
        self.binding = BindingCycles(self.memory)
        self.snapshot = Snapshot(lambda: self.informers.list("Node"), self._namespace_labels)
        for node in self.informers.list("Node"):
            self.snapshot.set_node(node)
        for pod in self.informers.list("Pod"):
            if _occupies(pod):
                self.snapshot.add_pod(pod)
            elif waiting := self.binding.get(meta.key(pod)):
                self.snapshot.add_pod(assumed(pod, waiting["node"]))
            elif self._is_mine(pod):
                self.snapshot.nominate(pod)

    # --- what informers tell --------------------------------------------------------------------------------
    # ------------------------------------------------------------------------------------

    def _is_mine(self, pod: Manifest | None) -> bool:
        """Without a node, not finished, and ours to schedule."""
        if pod is None or pod["spec"].get("nodeName") or pods.is_terminal(pod):
            return False
        return scheduler_of(pod) in self.frameworks

    def framework_of(self, pod: Manifest) -> Framework:
        """The profile that the pod names."""
        return self.frameworks[scheduler_of(pod)]

    def _is_gated(self, pod: Manifest) -> bool:
        return not all(plugin.preenqueue(pod) for plugin in self.framework_of(pod).gating)

    def _namespace_labels(self, name: str) -> dict[str, str]:
        found = self.informers.get("Namespace", "", name)
        return meta.labels(found) if found is not None else {}

    def _namespace_changed(self, old: Manifest | None, new: Manifest | None) -> None:
        if old is None or new is None or meta.labels(old) != meta.labels(new):
            self.snapshot.tallies.forget()

    def _service_changed(self, old: Manifest | None, new: Manifest | None) -> None:
        for plugin in self.plugins:
            if isinstance(plugin, PodTopologySpread):
                plugin.owners.forget()

    def _node_changed(self, old: Manifest | None, new: Manifest | None) -> None:
        if new is None:
            self.snapshot.remove_node(meta.name(old or {}))
            self._happened(ClusterEvent("Node", "delete", old, None))
        elif old is None:
            self.snapshot.set_node(new)
            self._happened(ClusterEvent("Node", "add", None, new))
        elif _placement_of(old) != _placement_of(new):
            self.snapshot.set_node(new)
            self._happened(ClusterEvent("Node", "update", old, new))

    def _pod_changed(self, old: Manifest | None, new: Manifest | None) -> None:
        """A pod moved between: waiting here, occupying a node, and neither."""
        key = meta.key(new or old or {})
        if new is None and old is not None:
            self.verdicts.pop(meta.uid(old))
        if key in self.binding and self._still_binding(key, old, new):
            return
        if new is not None and self._is_mine(new):
            self.snapshot.nominate(new)
        elif key in self.snapshot.nominated:
            del self.snapshot.nominated[key]
            if new is None:  # The room that was kept free for it is free for others.
                self._happened(ClusterEvent("Pod", "delete", old, None))
        was, occupies = old is not None and _occupies(old), new is not None and _occupies(new)
        if occupies:
            assert new is not None
            if not was:
                self.pods.remove(key)
                self.snapshot.add_pod(new)
                self._happened(ClusterEvent("Pod", "add", None, new))
            elif old is not None and meta.is_deleting(new) and not meta.is_deleting(old):
                self.snapshot.add_pod(new)  # It does not count any more where pods are spread.
                self._happened(ClusterEvent("Pod", "update", old, new))
            elif old is not None and (
                old["spec"] is not new["spec"] or meta.labels(old) != meta.labels(new) or _is_resized(old, new)
            ):
                self.snapshot.add_pod(new)
                self._happened(ClusterEvent("Pod", "update", old, new))
        elif was:
            self.snapshot.remove_pod(key)
            self._happened(ClusterEvent("Pod", "delete", old, None))
        elif self._is_mine(new):
            assert new is not None
            self._waiting_changed(key, old, new)
        elif key in self.pods:
            self.pods.remove(key)

    def _still_binding(self, key: str, old: Manifest | None, new: Manifest | None) -> bool:
        """A pod that waits in PreBind changed. False if it does not wait any more."""
        waiting = self.binding.get(key)
        assert waiting is not None
        if new is None or meta.uid(new) != waiting["uid"] or pods.is_terminal(new):
            gone = assumed(old or new or {}, waiting["node"])
            self._forget(key)
            self._happened(ClusterEvent("Pod", "delete", gone, None))
            return False
        if new["spec"].get("nodeName"):
            self.binding.remove(key)
            self.queue.cancel(BINDING + key)
            return False
        if old is not None and (old["spec"] is not new["spec"] or meta.labels(old) != meta.labels(new)):
            self.snapshot.add_pod(assumed(new, waiting["node"]))
        return True

    def _forget(self, key: str) -> Waiting | None:
        """The pod is not going to be bound: what it took is free again."""
        self.queue.cancel(BINDING + key)
        self.snapshot.remove_pod(key)
        return self.binding.remove(key)

    def _teller(self, kind: str) -> Any:
        """A handler that tells the queue of changes of `kind`."""

        def changed(old: Manifest | None, new: Manifest | None) -> None:
            action = "delete" if new is None else "add" if old is None else "update"
            self._happened(ClusterEvent(kind, action, old, new))

        return changed

    def _waiting_changed(self, key: str, old: Manifest | None, new: Manifest) -> None:
        """A pod without a node came or changed."""
        entry = self.pods.entries.get(key)
        if entry is None or entry["uid"] != meta.uid(new):
            if old is None or not self._is_mine(old):
                self.pods.add(new, self.agenda.causes, self._is_gated(new))
                self._wake()
        elif entry["queue"] == GATED:
            if not self._is_gated(new):
                self.pods.ungate(key, self.agenda.causes)
                self._wake()
        elif old is not None and key in self.pods.unschedulable:
            event = ClusterEvent("Pod", "self", old, new)
            changed = old["spec"] != new["spec"] or meta.labels(old) != meta.labels(new)
            if changed and self._may_help(event, entry, new):
                self.pods.move(key, self.agenda.causes)
                self._wake()

    def _happened(self, event: ClusterEvent) -> None:
        """Move the unschedulable pods that `event` may help, as the plugins that refused them say."""
        if not self.pods.unschedulable:
            return
        if not any((event.kind, event.action) in plugin.events for plugin in self.plugins):
            return
        if self.pods.move_if(lambda key, entry: self._may_help(event, entry, self._pod(key)), self.agenda.causes):
            self._wake()

    def _may_help(self, event: ClusterEvent, entry: Entry, pod: Manifest | None) -> bool:
        if pod is None:
            return False
        known = self.framework_of(pod).by_name
        for name in entry["rejectedBy"]:
            plugin = known.get(name)
            if plugin is None:
                return True
            if (event.kind, event.action) in plugin.events and plugin.wakes(pod, event):
                return True
        return False

    def _pod(self, key: str) -> Manifest | None:
        return self.informers.by_key("Pod", key)

    def _wake(self) -> None:
        """There may be work: take a step a reaction time from now."""
        self.queue.add_after(NEXT, self.reaction * self.agenda.slow)

    # --- steps ----------------------------------------------------------------------------------------------
    # --------------------------------------------------------------------------------------------------

    def process(self, key: str) -> None:
        """One pod; or, on the timer FLUSH, a look for pods that waited too long."""
        try:
            if key == NEXT:
                self._schedule_next()
            elif key == FLUSH:
                self.pods.flush_old(self.agenda.causes)
            elif key.startswith(BINDING):
                self._go_on_binding(key.removeprefix(BINDING))
        finally:
            self._plan_ahead()

    def _plan_ahead(self) -> None:
        if self.pods.has_work():
            self.queue.add_after(NEXT, PACE * self.agenda.slow)
        retry = self.pods.next_error_retry()
        if retry is not None:
            self.queue.add_after(RETRY, retry - self.clock.now, "kube-scheduler tries a pod again after an error")
        if self.pods.unschedulable:
            self.queue.add_after(FLUSH, FLUSH_EVERY)

    def _schedule_next(self) -> None:
        taken = self.pods.pop()
        if taken is None:
            return
        key, entry = taken
        pod = self._pod(key)
        if pod is None or not self._is_mine(pod):
            return
        self.agenda.causes = tuple(entry["causes"])
        if meta.is_deleting(pod):
            said = f"skip schedule deleting pod: {key}"
            self._recorder_of(pod).announce(pod, "Warning", "FailedScheduling", "Scheduling", said)
            return
        cycle = self._decide(pod, entry["attempts"])
        if cycle.row is None:
            self._refused(key, entry, pod, cycle)
        else:
            self._bind(key, entry, pod, cycle)

    def _decide(self, pod: Manifest, attempt: int) -> Cycle:
        uid = meta.uid(pod)

        def roll(sides: int) -> int:
            return self.dice.between(0, sides - 1, "tie", uid, attempt)

        start = self.memory.get("start", 0)
        cycle = self.framework_of(pod).schedule(pod, self.snapshot, start, roll)
        count = len(self.snapshot.nodes)
        if count and (start + cycle.evaluated) % count != start:
            self.memory["start"] = (start + cycle.evaluated) % count
        return cycle

    def _keep(self, cycle: Cycle, attempt: int) -> None:
        uid, framework = meta.uid(cycle.pod), self.framework_of(cycle.pod)
        self.verdicts[uid] = verdict.of(cycle, framework, attempt, self.clock.step, self.clock.now)

    def _bind(self, key: str, entry: Entry, pod: Manifest, cycle: Cycle) -> None:
        """Reserve → Permit → PreBind → Bind. What was reserved is given back if the API server says no."""
        node, framework = cycle.node or "", self.framework_of(pod)
        reserved: list[Any] = []
        self._keep(cycle, entry["attempts"])
        try:
            for plugin in framework.reserving:
                reserved.append(plugin)
                plugin.reserve(pod, node)
            for plugin in framework.permitting:
                plugin.permit(pod, node)
            if pod["spec"].get("volumes") and (plans := self._plans(pod, node)):
                self._begin_binding(key, entry, pod, node, plans)
                return
            self._write_binding(pod, node)
        except ApiError as error:
            for plugin in reversed(reserved):
                plugin.unreserve(pod, node)
            self._erred(key, entry, pod, error.message)
            return
        self._say_bound(key, pod, node)
        self._count_bound(pod, entry, 0)

    def _say_bound(self, key: str, pod: Manifest, node: str) -> None:
        message = f"Successfully assigned {key} to {node}"
        self._recorder_of(pod).announce(pod, "Normal", "Scheduled", "Binding", message)

    # --- counts, for /metrics -----------------------------------------------------------------------------------

    def _tally(self, what: str, by: int = 1) -> None:
        self.agenda.count(self.queue.counts, what, by)

    def _count(self, result: str, pod: Manifest, waited: int) -> None:
        """An attempt takes as long as the next pod has to wait, and as long as volumes were `waited` for."""
        took = PACE * self.agenda.slow + waited
        what = f"{result} {scheduler_of(pod)}"
        self._tally(f"attempts {histogram.bucket(took, DURATIONS)} {what}")
        self._tally(f"duration {what}", took)

    def _count_bound(self, pod: Manifest, entry: Entry, waited: int) -> None:
        self._count(SCHEDULED, pod, waited)
        attempts = int(entry["attempts"])
        self._tally(f"tries {histogram.bucket(attempts, ATTEMPTS)}")
        self._tally("tries", attempts)

    def _write_binding(self, pod: Manifest, node: str) -> None:
        """The first binder does it; others are not asked. Errors: ApiError, which says who could not do it."""
        binder = self.framework_of(pod).binding[0]
        try:
            binder.bind(self.client, pod, node)
        except ApiError as error:
            error.message = f'running Bind plugin "{binder.name}": {error.message}'
            raise

    def _recorder_of(self, pod: Manifest) -> Recorder:
        """Events bear the name of the pod's profile."""
        return self.recorders[scheduler_of(pod)]

    def _plans(self, pod: Manifest, node: str) -> dict[str, Any]:
        """What plugins have to do, and to wait for, before the pod can be bound."""
        found = {plugin.name: plugin.preflight(pod, node) for plugin in self.framework_of(pod).prebinding}
        return {name: plan for name, plan in found.items() if plan is not None}

    def _begin_binding(self, key: str, entry: Entry, pod: Manifest, node: str, plans: dict[str, Any]) -> None:
        """Assume the pod on its node, say so, and let the plugins begin."""
        self.binding.add(pod, node, self.clock.now, plans, entry)
        self.snapshot.add_pod(assumed(pod, node))
        try:
            patch = {"status": {"nominatedNodeName": node}}
            self.client.patch("Pod", meta.namespace(pod), meta.name(pod), patch, "status")
            for name, plan in plans.items():
                self.framework_of(pod).by_name[name].prebind(pod, node, plan)
        except ApiError as error:
            self._give_up_binding(key, f'running PreBind plugin "{name}": {error.message}')
            return
        self.queue.add_after(BINDING + key, LOOK_EVERY, f"{key} is bound to {node} when its volumes are")

    def _go_on_binding(self, key: str) -> None:
        """Bind a pod whose plugins are done; put it back into the queue if they never will be."""
        waiting, pod = self.binding.get(key), self._pod(key)
        if waiting is None or pod is None:
            return
        node = waiting["node"]
        for name, plan in waiting["plans"].items():
            plugin = self.framework_of(pod).by_name[name]
            try:
                done = plugin.is_done(pod, node, plan)
                if not done and self.clock.now - waiting["since"] >= plugin.timeout:
                    raise PreBindError(TIMED_OUT)
            except PreBindError as error:
                self._give_up_binding(key, f'running PreBind plugin "{name}": {error}')
                return
            if not done:
                self.queue.add_after(BINDING + key, LOOK_EVERY, f"{key} is bound to {node} when its volumes are")
                return
        try:
            self._write_binding(pod, node)
        except ApiError as error:
            self._give_up_binding(key, error.message)
            return
        self._say_bound(key, pod, node)
        self._count_bound(pod, waiting["entry"], self.clock.now - waiting["since"])

    def _give_up_binding(self, key: str, message: str) -> None:
        """The pod goes back into the queue, and its room to others."""
        waiting, pod = self._forget(key), self._pod(key)
        if waiting is None or pod is None:
            return
        for plugin in reversed(self.framework_of(pod).reserving):
            plugin.unreserve(pod, waiting["node"])
        self._happened(ClusterEvent("Pod", "delete", assumed(pod, waiting["node"]), None))
        self._erred(key, waiting["entry"], pod, message)

    def _refused(self, key: str, entry: Entry, pod: Manifest, cycle: Cycle) -> None:
        """No node fits. PostFilter may make room; the pod waits for an event that helps."""
        message, found = fit_error(cycle), None
        if cycle.snapshot.nodes:
            for plugin in self.framework_of(pod).post_filtering:
                found = plugin.postfilter(cycle)
                message = f"{message} {found.message}"
                if found.node:
                    break
        cycle.message, cycle.nominated = message, found.node if found else ""
        self._keep(cycle, entry["attempts"])
        self.pods.failed(key, entry, cycle.rejecting_plugins())
        self._count(UNSCHEDULABLE, pod, 0)
        if found is not None:
            self._tally("preemptions")
            self._tally("victims", len(found.victims))
        self._say_why(pod, message, "Unschedulable", cycle.nominated)
        for victim in found.victims if found else ():
            self._evict(meta.key(victim), pod, cycle.nominated)

    def _evict(self, key: str, preemptor: Manifest, node: str) -> None:
        """Make a victim go: say in its status why, delete it, tell its owner."""
        victim = self._pod(key)
        if victim is None or meta.is_deleting(victim):
            return
        said = f"{scheduler_of(preemptor)}: preempting to accommodate a higher priority pod"
        condition = self._condition(victim, "DisruptionTarget", "True", "PreemptionByScheduler", said)
        self._set_conditions(victim, condition, {})
        self.client.delete("Pod", meta.namespace(victim), meta.name(victim), uid=meta.uid(victim))
        message = f"Preempted by pod {meta.uid(preemptor)} on node {node}"
        self._recorder_of(preemptor).announce(victim, "Normal", "Preempted", "Preempting", message)

    def _erred(self, key: str, entry: Entry, pod: Manifest, message: str) -> None:
        """Something went wrong that has nothing to do with the nodes: try again after a back-off."""
        now = self._pod(key)
        if not self._is_mine(now):
            return
        self.pods.failed(key, entry, [])
        self._count(ERRED, pod, 0)
        self._say_why(pod, message, "SchedulerError")

    def _say_why(self, pod: Manifest, message: str, reason: str, nominated: str = "") -> None:
        note = message if len(message) <= NOTE_LIMIT else message[: NOTE_LIMIT - 4] + " ..."
        self._recorder_of(pod).announce(pod, "Warning", "FailedScheduling", "Scheduling", note)
        before = (pod.get("status") or {}).get("nominatedNodeName") or ""
        more = {} if nominated == before else {"nominatedNodeName": nominated or None}
        self._set_conditions(pod, self._condition(pod, "PodScheduled", "False", reason, message), more)

    def _condition(self, pod: Manifest, type_: str, status: str, reason: str, message: str) -> Manifest:
        """A condition as the real scheduler writes it; its transition time stays while its status does."""
        known = conditions.get(pod, type_)
        condition: dict[str, Any] = {"type": type_}
        if meta.generation(pod):
            condition["observedGeneration"] = meta.generation(pod)
        since = known["lastTransitionTime"] if known and known["status"] == status else self.clock.stamp()
        return condition | {
            "status": status,
            "lastProbeTime": None,
            "lastTransitionTime": since,
            "reason": reason,
            "message": message,
        }

    def _set_conditions(self, pod: Manifest, condition: Manifest, more: Manifest) -> None:
        """Write `condition` and `more` into the pod's status, unless all of it stands there already."""
        before: list[Manifest] = (pod.get("status") or {}).get("conditions") or []
        known = conditions.get(pod, condition["type"])
        if condition == known and not more:
            return
        after = [condition if old is known else old for old in before] if known else [*before, condition]
        patch = {"status": {"conditions": after, **more}}
        self.client.patch("Pod", meta.namespace(pod), meta.name(pod), patch, "status")


def _occupies(pod: Manifest) -> bool:
    """Counts on its node: bound, and its containers may still run."""
    return bool(pod["spec"].get("nodeName")) and not pods.is_terminal(pod)


def _placement_of(node: Manifest) -> tuple[Any, ...]:
    """The part of a node that decides about placement; heartbeats are not among it."""
    spec, status = node.get("spec") or {}, node.get("status") or {}
    allocatable = status.get("allocatable") or status.get("capacity")
    return meta.labels(node), spec.get("taints"), spec.get("unschedulable"), allocatable, status.get("images")


def _is_resized(old: Manifest, new: Manifest) -> bool:
    """Does it count for more or less than before, since its kubelet has granted it something else?"""
    return int(new["metadata"].get("generation") or 1) > 1 and resources.requests(old) != resources.requests(new)
