"""Node lifecycle controller: notices that a node went silent, and says so to everybody.

Nobody tells the cluster that a machine lost its power. This controller only sees that a lease is not renewed:

    50 s of silence → Ready=Unknown, its pods not ready, taint unreachable:NoSchedule   (at once)
                    → taint unreachable:NoExecute                                        (one node every 10 s)

It evicts nobody. The NoExecute taint is a sign; tainteviction.py honours it and each pod's tolerations. And when
*every* node falls silent it does nothing: then it is probably its own network that is broken.

Mirrors:  kubernetes/pkg/controller/nodelifecycle (node_lifecycle_controller.go, scheduler/rate_limited_queue.go)
Left out: nodes of clouds (shut down), the legacy flag that turned taints off.
Read next: tainteviction.py.
"""

from typing import Any

from cluster.engine.clock import SECOND
from cluster.engine.controller import Component
from cluster.objects import Manifest, conditions, meta, nodes, times

MONITOR_PERIOD = 5 * SECOND
GRACE = 50 * SECOND
STARTUP_GRACE = 60 * SECOND
EVICTION_INTERVAL = 10 * SECOND  # --node-eviction-rate 0.1
SECONDARY_INTERVAL = 100 * SECOND  # --secondary-node-eviction-rate 0.01
EVICTION_PASS = SECOND // 10
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

    Memory: `zones` {zone: state}, `queue/<zone>` [node, …] waiting for NoExecute, `next/<zone>` when the next may go.
    """

    name = "node-lifecycle-controller"
    source = "node-controller"

    def watch(self) -> None:
        self.heard: dict[str, int] = {}  # Derived: node → when we last heard of it, microseconds since 1970.
        for lease in self.informers.list("Lease", "kube-node-lease"):
            self._lease_changed(None, lease)
        self.informers.add_index("Pod", "node", lambda pod: [n] if (n := pod["spec"].get("nodeName")) else [])
        self.informers.subscribe("Lease", self._lease_changed, self.name)
        self.informers.subscribe("Node", self._node_changed, self.name)

    def start(self) -> None:
        self.queue.add_after("monitor", MONITOR_PERIOD)
        for node in self.informers.list("Node"):
            self.queue.add(f"node/{meta.name(node)}")

    def _lease_changed(self, old: Manifest | None, new: Manifest | None) -> None:
        if new is not None and new["metadata"]["namespace"] == "kube-node-lease":
            stamp = new["spec"].get("renewTime")
            if stamp:
                self.heard[new["metadata"]["name"]] = times.parse(stamp)

    def _node_changed(self, old: Manifest | None, new: Manifest | None) -> None:
        if new is None:
            self.heard.pop(meta.name(old or {}), None)
            self.queue.add(f"gone/{meta.name(old or {})}")
        elif old is None or _interesting(old) != _interesting(new):
            self.queue.add(f"node/{meta.name(new)}")

    def process(self, key: str) -> None:
        kind, _, name = key.partition("/")
        if kind == "monitor":
            self.queue.add_after("monitor", MONITOR_PERIOD)
            self.monitor()
        elif kind == "look":
            return  # Somebody may wait for this moment; the monitor acts at its own pace.
        elif kind == "evict":
            self._evict_next(name)
        elif kind == "gone":
            self._forget(name)
        else:
            node = self.informers.get("Node", "", name)
            if node is not None:
                self._register(node)
                self._label(node)
                self._taint_by_condition(self.informers.get("Node", "", name) or node)

    # --- who is silent ------------------------------------------------------------------------------------------

    def monitor(self) -> None:
        """Look at every node's last sign of life, then at the zones."""
        now, unix = self.clock.now, self.clock.unix()
        by_zone: dict[str, list[str]] = {}
        soonest: tuple[int, str] | None = None
        for node in self.informers.list("Node"):
            name = node["metadata"]["name"]
            ready = conditions.get(node, "Ready")
            silent = unix - self._last_sign(node, ready)
            grace = GRACE if ready is not None else STARTUP_GRACE
            if silent > grace and (ready is None or ready["status"] != "Unknown"):
                node = self._mark_unknown(node, ready)
                ready = conditions.get(node, "Ready")
            elif silent > MONITOR_PERIOD * 3 and ready is not None and ready["status"] != "Unknown":
                left = grace - silent
                if soonest is None or left < soonest[0]:
                    soonest = (left, name)
            by_zone.setdefault(nodes.zone_of(node), []).append(ready["status"] if ready else "Unknown")
            self._want_execute_taint(node, ready)
        if soonest is not None:
            self.queue.add_after("look", max(soonest[0], 0) + SECOND // 10, f"{soonest[1]} has been silent for 50 s")
        self._look_at_zones(by_zone, now)

    def _last_sign(self, node: Manifest, ready: Manifest | None) -> int:
        """Microseconds since 1970: lease renewal, status report or birth, whichever came last."""
        heard = self.heard.get(node["metadata"]["name"], 0)
        reset = self.memory.get("reset", 0)  # After a full disruption every node starts anew.
        if heard and self.clock.unix() - heard < GRACE:
            return heard
        born = times.parse(node["metadata"]["creationTimestamp"])
        beat = ready.get("lastHeartbeatTime") if ready else None
        return max(heard, born, reset, times.parse(beat) if beat else 0)

    def _mark_unknown(self, node: Manifest, ready: Manifest | None) -> Manifest:
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
        lease = self.informers.get("Lease", "kube-node-lease", name)
        last = lease["metadata"]["resourceVersion"] if lease else node["metadata"]["resourceVersion"]
        was_ready = ready is not None and ready["status"] == "True"
        with self.client.because(f"silence:kubelet/{name}@r{last}"):
            changed = self.client.update_status({**node, "status": {**node.get("status", {}), "conditions": known}})
            self.memory[f"unknown/{name}"] = changed["metadata"]["resourceVersion"]
            if was_ready:
                self._pods_not_ready(changed)
                self.recorder.event(changed, "Normal", "NodeNotReady", f"Node {name} status is now: NodeNotReady")
        return changed

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
        self._set_taints(node, [*kept, *new])

    def _taint(self, key: str, effect: str) -> Manifest:
        return {"key": key, "effect": effect, "timeAdded": self.clock.stamp()}

    def _set_taints(self, node: Manifest, taints: list[Manifest]) -> None:
        self.client.patch("Node", "", meta.name(node), {"spec": {"taints": taints or None}})

    # --- taints that evict: slowly ------------------------------------------------------------------------------

    def _want_execute_taint(self, node: Manifest, ready: Manifest | None) -> None:
        """Queue a silent node for its NoExecute taint; take the taint from one that speaks again."""
        name, zone = node["metadata"]["name"], nodes.zone_of(node)
        status = ready["status"] if ready else "Unknown"
        if status == "True":
            if nodes.has_taint(node, nodes.UNREACHABLE, "NoExecute") or nodes.has_taint(node, nodes.NOT_READY, "NoExecute"):
                self._remove_execute_taints(node)
            self._unqueue(zone, name)
            return
        key = nodes.UNREACHABLE if status == "Unknown" else nodes.NOT_READY
        other = nodes.NOT_READY if status == "Unknown" else nodes.UNREACHABLE
        if nodes.has_taint(node, key, "NoExecute"):
            return
        if nodes.has_taint(node, other, "NoExecute"):
            self._swap(node, other, key)
            return
        waiting = self.memory.get(f"queue/{zone}", [])
        if name not in waiting:
            self.memory[f"queue/{zone}"] = [*waiting, name]
            self._arm(zone)

    def _swap(self, node: Manifest, old: str, new: str) -> None:
        kept = [t for t in nodes.taints(node) if (t["key"], t["effect"]) != (old, "NoExecute")]
        self._set_taints(node, [*kept, self._taint(new, "NoExecute")])

    def _remove_execute_taints(self, node: Manifest) -> None:
        gone = ((nodes.UNREACHABLE, "NoExecute"), (nodes.NOT_READY, "NoExecute"))
        self._set_taints(node, [t for t in nodes.taints(node) if (t["key"], t["effect"]) not in gone])

    def _unqueue(self, zone: str, name: str) -> None:
        waiting = self.memory.get(f"queue/{zone}", [])
        if name in waiting:
            self.memory[f"queue/{zone}"] = [other for other in waiting if other != name]

    def _interval(self, zone: str) -> int | None:
        """Microseconds between two taints in this zone now; None: evictions are halted."""
        states = self.memory.get("zones", {})
        if states and all(state == "FullDisruption" for state in states.values()):
            return None
        if states.get(zone) == "PartialDisruption":
            size = sum(1 for node in self.informers.list("Node") if nodes.zone_of(node) == zone)
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
        """The revision that made the node Unknown, as evidence."""
        revision = self.memory.get(f"unknown/{meta.name(node)}")
        return [f"r{revision}"] if revision else []

    # --- zones --------------------------------------------------------------------------------------------------

    def _look_at_zones(self, by_zone: dict[str, list[str]], now: int) -> None:
        """Normal, PartialDisruption, FullDisruption; what changes when all zones are fully disrupted, or no longer."""
        before: dict[str, str] = self.memory.get("zones", {})
        after = {zone: _zone_state(found) for zone, found in by_zone.items()}
        if after == before:
            return
        was_full = bool(before) and all(state == "FullDisruption" for state in before.values())
        is_full = bool(after) and all(state == "FullDisruption" for state in after.values())
        self.memory["zones"] = after
        if is_full and not was_full:
            for node in self.informers.list("Node"):
                if any(t["effect"] == "NoExecute" and t["key"] in OURS for t in nodes.taints(node)):
                    self._remove_execute_taints(node)
        elif was_full and not is_full:
            self.memory["reset"] = self.clock.unix()
        for zone in after:
            if self._interval(zone) is None:
                self.queue.cancel(f"evict/{zone}")
            else:
                self._arm(zone)

    # --- coming and going ---------------------------------------------------------------------------------------

    def _register(self, node: Manifest) -> None:
        known = self.memory.get("known", [])
        if meta.uid(node) not in known:
            self.memory["known"] = sorted([*known, meta.uid(node)])
            message = f"Node {meta.name(node)} event: Registered Node {meta.name(node)} in Controller"
            self.recorder.event(node, "Normal", "RegisteredNode", message)

    def _forget(self, name: str) -> None:
        living = {meta.uid(node) for node in self.informers.list("Node")}
        self.memory.pop(f"unknown/{name}")
        self.memory["known"] = [uid for uid in self.memory.get("known", []) if uid in living]
        for zone in list(self.memory.get("zones", {})):
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


def _zone_state(found: list[str]) -> str:
    ready = sum(1 for status in found if status == "True")
    silent = len(found) - ready
    if ready == 0 and silent > 0:
        return "FullDisruption"
    if silent > 2 and silent * 100 >= UNHEALTHY_ZONE * len(found):
        return "PartialDisruption"
    return "Normal"

