"""Taint eviction controller: pods leave a node with a NoExecute taint, each when its own patience ends.

A pod without a toleration goes at once, one with `tolerationSeconds: 300` after five minutes, one that tolerates for
ever stays. "Goes" means: it is deleted. Whoever owns it makes another one elsewhere.

Mirrors:  kubernetes/pkg/controller/tainteviction (taint_eviction.go, timed_workers.go)
"""

from cluster.engine.clock import SECOND
from cluster.engine.controller import Component
from cluster.objects import Manifest, conditions, meta, nodes, pods
from cluster.objects.errors import NotFound

TARGET = "DisruptionTarget"


class TaintEvictionController(Component):
    """Queue keys: `node/<name>` and `pod/<namespace>/<name>` to look again; `gone/<namespace>/<name>/<uid>`.

    Timers: `evict/<namespace>/<name>/<uid>`. They carry the revision of the taint as their cause.
    """

    name = "taint-eviction-controller"
    reaction = 10_000

    def watch(self) -> None:
        self.tainted: dict[str, list[Manifest]] = {}  # Derived: node → its NoExecute taints.
        self.informers.add_index("Pod", "node", pods.by_node)
        for node in self.informers.list("Node"):
            self._note(node)
        self.informers.subscribe("Node", self._node_changed, self.name)
        self.informers.subscribe("Pod", self._pod_changed, self.name)

    def start(self) -> None:
        """Nodes that were tainted while nobody looked; patience is counted from now, as by a real one."""
        for name in sorted(self.tainted):
            self.queue.add(f"node/{name}")

    def _note(self, node: Manifest) -> None:
        found = [taint for taint in nodes.taints(node) if taint["effect"] == "NoExecute"]
        if found:
            self.tainted[meta.name(node)] = found
        else:
            self.tainted.pop(meta.name(node), None)

    def _node_changed(self, old: Manifest | None, new: Manifest | None) -> None:
        name = meta.name(new or old or {})
        before = self.tainted.get(name)
        if new is None:
            self.tainted.pop(name, None)
        else:
            self._note(new)
        if self.tainted.get(name) != before:
            self.queue.add(f"node/{name}")

    def _pod_changed(self, old: Manifest | None, new: Manifest | None) -> None:
        """A pod came to a tainted node, or one that was to be evicted is gone already."""
        if not self.tainted:
            return
        if new is None:
            gone = old or {}
            if self.queue.timer(f"evict/{meta.key(gone)}/{meta.uid(gone)}") is not None:
                self.queue.add(f"gone/{meta.key(gone)}/{meta.uid(gone)}")
        elif new["spec"].get("nodeName") in self.tainted and (old is None or old["spec"] is not new["spec"]):
            self.queue.add(f"pod/{meta.key(new)}")

    def process(self, key: str) -> None:
        kind, _, rest = key.partition("/")
        if kind == "node":
            for pod in self.informers.by_index("Pod", "node", rest):
                self._look_at(pod)
        elif kind == "pod":
            found = self.informers.by_key("Pod", rest)
            if found is not None:
                self._look_at(found)
        elif kind == "gone":
            self._cancel(*rest.rsplit("/", 1))
        else:
            where, uid = rest.rsplit("/", 1)
            found = self.informers.by_key("Pod", where)
            if found is not None and meta.uid(found) == uid:
                self._evict(found)

    def _look_at(self, pod: Manifest) -> None:
        """Evict now, later, or not at all."""
        key = f"evict/{meta.key(pod)}/{meta.uid(pod)}"
        taints = self.tainted.get(pod["spec"].get("nodeName", ""))
        patience = _patience(pod, taints) if taints else None
        if patience is None:
            self._cancel(meta.key(pod), meta.uid(pod))
        elif patience <= 0:
            self._cancel(meta.key(pod), meta.uid(pod))
            self._evict(pod)
        elif self.queue.timer(key) is None and not meta.is_deleting(pod):
            self.queue.add_after(key, patience * SECOND, f"pods of {pod['spec']['nodeName']} are evicted")

    def _cancel(self, where: str, uid: str) -> None:
        """It may stay after all, or it is gone: say so if it was to be evicted."""
        if self.queue.timer(f"evict/{where}/{uid}") is None:
            return
        self.queue.cancel(f"evict/{where}/{uid}")
        namespace, name = meta.split_key(where)
        pod = {"kind": "Pod", "apiVersion": "v1", "metadata": {"namespace": namespace, "name": name, "uid": uid}}
        self.recorder.event(pod, "Normal", "TaintManagerEviction", f"Cancelling deletion of Pod {where}")

    def _evict(self, pod: Manifest) -> None:
        """Say why in the pod itself, then delete it."""
        if meta.is_deleting(pod):
            return
        self.recorder.event(pod, "Normal", "TaintManagerEviction", f"Marking for deletion Pod {meta.key(pod)}")
        target = {"type": TARGET, "observedGeneration": meta.generation(pod), "status": "True", "lastProbeTime": None}
        target |= {"lastTransitionTime": self.clock.stamp(), "reason": "DeletionByTaintManager"}
        target["message"] = "Taint manager: deleting due to NoExecute taint"
        status = pod.get("status") or {}
        found = conditions.put(status.get("conditions"), target)
        try:
            self.client.update_status({**pod, "status": {**status, "conditions": found}})
            self.client.delete("Pod", meta.namespace(pod), meta.name(pod))
        except NotFound:
            return


def _patience(pod: Manifest, taints: list[Manifest]) -> int | None:
    """Seconds the pod stays with these taints; 0: it must go now; None: it may stay for ever."""
    tolerations = pod["spec"].get("tolerations") or []
    seconds: list[int] = []
    for taint in taints:
        fitting = next((t for t in tolerations if pods.toleration_matches(t, taint)), None)  # The first one counts.
        if fitting is None:
            return 0
        if fitting.get("tolerationSeconds") is not None:
            seconds.append(fitting["tolerationSeconds"])
    return max(min(seconds), 0) if seconds else None
