"""Node lifecycle controller: notices that a node went silent, and says so to everybody.

Nobody tells the cluster that a machine lost its power. This controller only sees that a lease is not renewed:

    50 s of silence → Ready=Unknown, its pods not ready, taint unreachable:NoSchedule   (at once)
                    → taint unreachable:NoExecute                                        (one node every 10 s)

It evicts nobody. The NoExecute taint is a sign; tainteviction.py honours it and each pod's tolerations. And when
*every* node falls silent it does nothing: then it is probably its own network that is broken.

Mirrors:  kubernetes/pkg/controller/nodelifecycle (node_lifecycle_controller.go, scheduler/rate_limited_queue.go)
Left out: the legacy flag that turned taints off. Nodes of clouds are cluster/cloud/nodelifecycle.py's.
Read next: tainteviction.py.
"""

from typing import Any

from cluster.engine.clock import SECOND
from cluster.engine.controller import Component
from cluster.objects import Manifest, conditions, meta, nodes, pods, times

LEASES = "kube-node-lease"
MONITOR_PERIOD = 5 * SECOND
GRACE = 50 * SECOND
STARTUP_GRACE = 60 * SECOND
EVICTION_INTERVAL = 10 * SECOND  # --node-eviction-rate 0.1
SECONDARY_INTERVAL = 100 * SECOND  # --secondary-node-eviction-rate 0.01
EVICTION_PASS = SECOND // 10
SILENCE_IS_NOTED = 15 * SECOND  # A lease is renewed every 10 s: before that nobody wonders.
UNHEALTHY_ZONE = 55  # Per cent of its nodes.
LARGE_ZONE = 50
WATCHED = ("Ready", "MemoryPressure", "DiskPressure", "PIDPressure")
CONDITION_TAINTS = (
    ("Ready", "False", nodes.NOT_READY),
    ("Ready", "Unknown", nodes.UNREACHABLE),
    ("MemoryPressure", "True", "node.kubernetes.io/memory-pressure"),
    ("DiskPressure", "True", "node.kubernetes.io/disk-pressure"),
    ("NetworkUnavailable", "True", "node.kubernetes.io/network-unavailable"),
    ("PIDPressure", "True", "node.kubernetes.io/pid-pressure"),
)
OURS = frozenset((*(key for _, _, key in CONDITION_TAINTS), nodes.UNSCHEDULABLE))


class NodeLifecycleController(Component):
    """Queue keys: `monitor` (every 5 s), `node/<name>` (its conditions changed), `evict/<zone>` (a rate-limited taint).

    Memory: `known` {node: uid}, `zones` {zone: state}, `queue/<zone>` [node, …] waiting for NoExecute, `next/<zone>`
    when the next of them may go, `unknown/<node>` the revision that made it Unknown or not ready.
    """

    name = "node-lifecycle-controller"
    source = "node-controller"

    def watch(self) -> None:
        """All four are derived, so that a pass over a thousand healthy nodes costs next to nothing."""
        self.heard: dict[str, int] = {}  # Node → its newest sign of life, microseconds since 1970.
        self.seen: dict[str, tuple[str, str]] = {}  # Node → (zone, status of Ready).
        self.sizes: dict[str, dict[str, int]] = {}  # Zone → how many of its nodes have which status.
        self.troubled: dict[str, None] = {}  # Nodes that a pass must look at: not Ready, tainted or queued.
        self.census_due = True  # Nodes came or went since the last pass.
        for node in self.informers.list("Node"):
            self._note(node)
        for zone in self.memory.get("zones", {}):
            self.troubled |= dict.fromkeys(self.memory.get(f"queue/{zone}", []))
        self.informers.add_index("Pod", "node", pods.by_node)
        self.informers.subscribe("Lease", self._lease_changed, self.name)
        self.informers.subscribe("Node", self._node_changed, self.name)

    def start(self) -> None:
        self.memory["since"] = self.clock.unix()  # Of silence before it nothing is known.
        self.queue.add_after("monitor", MONITOR_PERIOD)
        for node in self.informers.list("Node"):
            self.queue.add(f"node/{meta.name(node)}")

    def _lease_changed(self, old: Manifest | None, new: Manifest | None) -> None:
        metadata = (new or old or {})["metadata"]
        if metadata.get("namespace") == LEASES and metadata["name"] in self.seen:
            self._hear(metadata["name"], new)

    def _hear(self, name: str, lease: Manifest | None) -> None:
        """Note when `name` renewed its lease; before its first lease a node counts from its birth."""
        stamp = lease["spec"].get("renewTime") if lease else None
        self.heard[name] = times.parse(stamp or meta.created_at(self.informers.get("Node", "", name) or {}))

    def _node_changed(self, old: Manifest | None, new: Manifest | None) -> None:
        if new is None:
            self._lose(meta.name(old or {}))
            self.queue.add(f"gone/{meta.name(old or {})}")
        elif old is None or _interesting(old) != _interesting(new):
            self._note(new)
            self.queue.add(f"node/{meta.name(new)}")

    def _note(self, node: Manifest) -> None:
        """Keep the derived tables: what the next pass needs to know of this node."""
        name, ready = meta.name(node), conditions.get(node, "Ready")
        if name not in self.seen:
            self.seen[name] = ("", "")
            self.census_due = True
            self._hear(name, self.informers.get("Lease", LEASES, name))
        found = (nodes.zone_of(node), ready["status"] if ready else "Unknown")
        if found != self.seen[name]:
            self._count(self.seen[name], -1)
            self._count(found, 1)
            self.seen[name] = found
        if found[1] != "True" or ready is None or any(map(_evicts, nodes.taints(node))):
            self.troubled[name] = None

    def _count(self, found: tuple[str, str], by: int) -> None:
        zone, status = found
        if not status:
            return
        sizes = self.sizes.setdefault(zone, {})
        sizes[status] = sizes.get(status, 0) + by
        if not any(sizes.values()):
            del self.sizes[zone]

    def _lose(self, name: str) -> None:
        self._count(self.seen.pop(name, ("", "")), -1)
        self.heard.pop(name, None)
        self.troubled.pop(name, None)
        self.census_due = True

    def process(self, key: str) -> None:
        kind, _, name = key.partition("/")
        if kind == "monitor":
            self.queue.add_after("monitor", MONITOR_PERIOD)
            self.monitor()
        elif kind == "look":
            return  # Somebody may wait for this moment: it is the pass that will find the node silent.
        elif kind == "evict":
            self._evict_next(name)
        elif kind == "gone":
            self._forget(name)
        else:
            node = self.informers.get("Node", "", name)
            if node is not None:
                self._label(node)
                self._taint_by_condition(self.informers.get("Node", "", name) or node)

    # --- who is silent ------------------------------------------------------------------------------------------

    def monitor(self) -> None:
        """Who came and who went, who is silent, who is in trouble, and how the zones are."""
        if self.census_due:
            self._take_census()
        limit = self.clock.unix() - SILENCE_IS_NOTED
        silent = self.memory.get("since", 0) < limit and min(self.heard.values(), default=limit) < limit
        self._look_at_silent([name for name, heard in self.heard.items() if heard < limit] if silent else [])
        for name in sorted(self.troubled):
            node = self.informers.get("Node", "", name)
            if node is not None and self._want_execute_taint(node, conditions.get(node, "Ready")):
                del self.troubled[name]
        self._look_at_zones()

    def _look_at_silent(self, silent: list[str]) -> None:
        """Mark those whose time is over; tell whoever waits when the next one's will be."""
        soonest: tuple[int, str] | None = None
        for name in sorted(silent):
            node = self.informers.get("Node", "", name)
            ready = conditions.get(node, "Ready") if node else None
            if node is None or (ready is not None and ready["status"] == "Unknown"):
                continue
            grace = GRACE if ready is not None else STARTUP_GRACE
            left = grace - (self.clock.unix() - self._last_sign(node, ready))
            if left < 0:
                self._mark_unknown(node, ready)
            elif left < grace - SILENCE_IS_NOTED and (soonest is None or left < soonest[0]):
                soonest = (left, name)
        self._tell_when(*soonest or (None, ""))

    def _tell_when(self, left: int | None, name: str) -> None:
        """A timer for the pass that will find `name` silent for too long; none if nobody is."""
        passes = left // MONITOR_PERIOD + 1 if left is not None else 0
        if self.queue.timer("look") == self.clock.now + passes * MONITOR_PERIOD:
            return
        self.queue.cancel("look")
        if passes:
            self.queue.add_after("look", passes * MONITOR_PERIOD, f"{name} has been silent for {GRACE // SECOND} s")

    def _take_census(self) -> None:
        """Welcome nodes that are new, take leave of those that are gone."""
        self.census_due = False
        known: dict[str, str] = self.memory.get("known", {})
        living = {meta.name(node): meta.uid(node) for node in self.informers.list("Node")}
        if living == known:
            return
        self.memory["known"] = living
        for name in [name for name in sorted(known) if living.get(name) != known[name]]:
            self._say(name, known[name], "RemovingNode", f"Removing Node {name} from Controller")
        for name in [name for name in living if known.get(name) != living[name]]:
            self._say(name, living[name], "RegisteredNode", f"Registered Node {name} in Controller")

    def _say(self, name: str, uid: str, reason: str, what: str) -> None:
        node = {"kind": "Node", "apiVersion": "v1", "metadata": {"name": name, "uid": uid}}
        self.recorder.event(node, "Normal", reason, f"Node {name} event: {what}")

    def _last_sign(self, node: Manifest, ready: Manifest | None) -> int:
        """Microseconds since 1970: lease renewal, status report or birth, whichever came last."""
        reset = self.memory.get("reset", 0)  # After a full disruption every node starts anew.
        beat = ready.get("lastHeartbeatTime") if ready else None
        born = times.parse(node["metadata"]["creationTimestamp"])
        since = int(self.memory.get("since", 0))
        return max(self.heard[meta.name(node)], born, reset, since, times.parse(beat) if beat else 0)

    def _mark_unknown(self, node: Manifest, ready: Manifest | None) -> None:
        """Ready and the pressures become Unknown; the pods are no longer ready, whatever they do."""
        name, stamp = meta.name(node), self.clock.stamp()
        known = (node.get("status") or {}).get("conditions") or []
        for type_ in WATCHED:
            found = next((c for c in known if c["type"] == type_), None)
            if found is None:
                condition = {"type": type_, "status": "Unknown", "lastHeartbeatTime": meta.created_at(node)}
                condition |= {"lastTransitionTime": stamp, "reason": "NodeStatusNeverUpdated"}
                condition["message"] = "Kubelet never posted node status."
            elif found["status"] == "Unknown":
                continue
            else:
                condition = {**found, "status": "Unknown", "lastTransitionTime": stamp, "reason": "NodeStatusUnknown"}
                condition["message"] = "Kubelet stopped posting node status."
            known = conditions.put(known, condition)
        lease = self.informers.get("Lease", LEASES, name)
        last = lease["metadata"]["resourceVersion"] if lease else node["metadata"]["resourceVersion"]
        was_ready = ready is not None and ready["status"] == "True"
        with self.client.because(f"silence:kubelet/{name}@r{last}"):
            changed = self.client.update_status({**node, "status": {**node.get("status", {}), "conditions": known}})
            self.memory[f"unknown/{name}"] = changed["metadata"]["resourceVersion"]
            if was_ready:
                self._pods_not_ready(changed)
                self.recorder.event(changed, "Normal", "NodeNotReady", f"Node {name} status is now: NodeNotReady")

    def _pods_not_ready(self, node: Manifest) -> None:
        for pod in self.informers.by_index("Pod", "node", meta.name(node)):
            ready = conditions.get(pod, "Ready")
            if ready is None or ready["status"] != "True":
                continue
            condition = {**ready, "status": "False", "lastTransitionTime": self.clock.stamp()}
            found = conditions.put(pod["status"]["conditions"], condition)
            self.client.update_status({**pod, "status": {**pod["status"], "conditions": found}})
            self.recorder.event(pod, "Warning", "NodeNotReady", "Node is not ready")

    # --- taints that stop scheduling: at once -------------------------------------------------------------------

    def _taint_by_condition(self, node: Manifest) -> None:
        """NoSchedule taints exactly as conditions and `spec.unschedulable` say."""
        status = {c["type"]: c["status"] for c in (node.get("status") or {}).get("conditions") or []}
        wanted = {key for type_, value, key in CONDITION_TAINTS if status.get(type_) == value}
        if nodes.is_unschedulable(node):
            wanted.add(nodes.UNSCHEDULABLE)
        has = {t["key"] for t in nodes.taints(node) if t["effect"] == "NoSchedule" and t["key"] in OURS}
        if wanted == has:
            return
        kept = [t for t in nodes.taints(node) if t["effect"] != "NoSchedule" or t["key"] not in OURS - wanted]
        order = [*(key for _, _, key in CONDITION_TAINTS), nodes.UNSCHEDULABLE]
        new = [self._taint(key, "NoSchedule") for key in order if key in wanted - has]
        if nodes.NOT_READY in wanted - has:
            self.memory[f"unknown/{meta.name(node)}"] = node["metadata"]["resourceVersion"]
        self._set_taints(node, [*kept, *new])

    def _taint(self, key: str, effect: str) -> Manifest:
        return {"key": key, "effect": effect, "timeAdded": self.clock.stamp()}

    def _set_taints(self, node: Manifest, taints: list[Manifest]) -> None:
        self.client.patch("Node", "", meta.name(node), {"spec": {"taints": taints or None}})

    # --- taints that evict: slowly ------------------------------------------------------------------------------

    def _want_execute_taint(self, node: Manifest, ready: Manifest | None) -> bool:
        """Queue a silent node for its NoExecute taint; take the taint from one that speaks again: True, it is well.

        A node that never spoke has no Ready condition; until its start-up grace is over there is nothing to go by.
        """
        if ready is None:
            return False
        name, zone = node["metadata"]["name"], nodes.zone_of(node)
        status = ready["status"]
        if status == "True":
            if any(map(_evicts, nodes.taints(node))):
                self._remove_execute_taints(node)
            self._unqueue(zone, name)
            return True
        key = nodes.UNREACHABLE if status == "Unknown" else nodes.NOT_READY
        other = nodes.NOT_READY if status == "Unknown" else nodes.UNREACHABLE
        if nodes.has_taint(node, key, "NoExecute"):
            return False
        if nodes.has_taint(node, other, "NoExecute"):
            self._swap(node, other, key)
            return False
        waiting = self.memory.get(f"queue/{zone}", [])
        if name not in waiting:
            self.memory[f"queue/{zone}"] = [*waiting, name]
            self._arm(zone)
        return False

    def _swap(self, node: Manifest, old: str, new: str) -> None:
        kept = [t for t in nodes.taints(node) if (t["key"], t["effect"]) != (old, "NoExecute")]
        self._set_taints(node, [*kept, self._taint(new, "NoExecute")])

    def _remove_execute_taints(self, node: Manifest) -> None:
        self._set_taints(node, [taint for taint in nodes.taints(node) if not _evicts(taint)])

    def _unqueue(self, zone: str, name: str) -> None:
        waiting = self.memory.get(f"queue/{zone}", [])
        if name in waiting:
            self.memory[f"queue/{zone}"] = [other for other in waiting if other != name]
            self.queue.cancel(f"evict/{zone}")
            self._arm(zone)

    def _interval(self, zone: str) -> int | None:
        """Microseconds between two taints in this zone now; None: evictions are halted."""
        states: dict[str, str] = self.memory.get("zones", {})
        if states and all(state == "FullDisruption" for state in states.values()):
            return None
        if states.get(zone) == "PartialDisruption":
            size = sum(self.sizes.get(zone, {}).values())
            return SECONDARY_INTERVAL if size > LARGE_ZONE else None
        return EVICTION_INTERVAL

    def _arm(self, zone: str) -> None:
        """Plan the next taint of this zone, if anybody waits and it may happen at all."""
        waiting = self.memory.get(f"queue/{zone}", [])
        if not waiting or self._interval(zone) is None:
            return
        due = max(self.memory.get(f"next/{zone}", 0), self.clock.now + EVICTION_PASS)
        self.queue.add_after(f"evict/{zone}", due - self.clock.now, f"{waiting[0]} gets the taint NoExecute")

    def _evict_next(self, zone: str) -> None:
        interval, waiting = self._interval(zone), self.memory.get(f"queue/{zone}", [])
        if interval is None or not waiting:
            return
        name = waiting[0]
        self.memory[f"queue/{zone}"] = waiting[1:]
        self.memory[f"next/{zone}"] = self.clock.now + interval
        node = self.informers.get("Node", "", name)
        ready = conditions.get(node, "Ready") if node else None
        if node is not None and (ready is None or ready["status"] != "True"):
            key = nodes.NOT_READY if ready is not None and ready["status"] == "False" else nodes.UNREACHABLE
            if not nodes.has_taint(node, key, "NoExecute"):
                with self.client.because(*self._unknown_at(node)):
                    self._set_taints(node, [*nodes.taints(node), self._taint(key, "NoExecute")])
        self._arm(zone)

    def _unknown_at(self, node: Manifest) -> list[str]:
        """The revision that made the node Unknown or not ready, as evidence."""
        revision = self.memory.get(f"unknown/{meta.name(node)}")
        return [f"r{revision}"] if revision else []

    # --- zones --------------------------------------------------------------------------------------------------

    def _look_at_zones(self) -> None:
        """Normal, PartialDisruption, FullDisruption; what changes when all zones are fully disrupted, or no longer."""
        before: dict[str, str] = self.memory.get("zones", {})
        after = {zone: _zone_state(self.sizes[zone]) for zone in sorted(self.sizes)}
        if after == before:
            return
        intervals = {zone: self._interval(zone) for zone in after}
        was_full = bool(before) and all(state == "FullDisruption" for state in before.values())
        is_full = bool(after) and all(state == "FullDisruption" for state in after.values())
        self.memory["zones"] = after
        if is_full and not was_full:
            for node in self.informers.list("Node"):
                if any(map(_evicts, nodes.taints(node))):
                    self._remove_execute_taints(node)
        elif was_full and not is_full:
            self.memory["reset"] = self.clock.unix()
        for zone, interval in intervals.items():
            self._change_pace(zone, interval, self._interval(zone))

    def _change_pace(self, zone: str, before: int | None, after: int | None) -> None:
        """Another interval: who was waiting for the next token waits for one of the new kind."""
        if before != after:
            self.queue.cancel(f"evict/{zone}")
            empty = before is None or self.memory.get(f"next/{zone}", 0) > self.clock.now
            if after is not None and empty:
                self.memory[f"next/{zone}"] = self.clock.now + after
        self._arm(zone)

    # --- coming and going ---------------------------------------------------------------------------------------

    def _forget(self, name: str) -> None:
        self.memory.pop(f"unknown/{name}")
        for zone in self.memory.get("zones", {}):
            self._unqueue(zone, name)

    def _label(self, node: Manifest) -> None:
        """The old names of two labels follow the new ones."""
        found = meta.labels(node)
        pairs = (("kubernetes.io/os", "beta.kubernetes.io/os"), ("kubernetes.io/arch", "beta.kubernetes.io/arch"))
        patch = {old: found[new] for new, old in pairs if new in found and found.get(old) != found[new]}
        if patch:
            self.client.patch("Node", "", meta.name(node), {"metadata": {"labels": patch}})


def _interesting(node: Manifest) -> Any:
    status = [(c["type"], c["status"]) for c in (node.get("status") or {}).get("conditions") or []]
    return status, node.get("spec"), node["metadata"].get("labels")


def _evicts(taint: Manifest) -> bool:
    return taint["effect"] == "NoExecute" and taint["key"] in (nodes.UNREACHABLE, nodes.NOT_READY)


def _zone_state(sizes: dict[str, int]) -> str:
    ready = sizes.get("True", 0)
    silent = sum(sizes.values()) - ready
    if ready == 0 and silent > 0:
        return "FullDisruption"
    if silent > 2 and silent * 100 >= UNHEALTHY_ZONE * (silent + ready):
        return "PartialDisruption"
    return "Normal"
