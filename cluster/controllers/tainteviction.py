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
    """Queue keys: `node/<name>` and `pod/<namespace>/<name>` to look again; timer `evict/<namespace>/<name>/<uid>`."""

    name = "taint-eviction-controller"
    reaction = 10_000

    def watch(self) -> None:
        self.tainted: dict[str, list[Manifest]] = {}  # Derived: node → its NoExecute taints.
        self.informers.add_index("Pod", "node", lambda pod: [n] if (n := pod["spec"].get("nodeName")) else [])
        for node in self.informers.list("Node"):
            self._note(node)
        self.informers.subscribe("Node", self._node_changed, self.name)
        self.informers.subscribe("Pod", self._pod_changed, self.name)

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
        if not self.tainted or new is None:
            return
        node = new["spec"].get("nodeName")
        if node in self.tainted and (old is None or old["spec"] is not new["spec"]):
            self.queue.add(f"pod/{meta.key(new)}")

    def process(self, key: str) -> None:
        kind, _, rest = key.partition("/")
        if kind == "node":
            for pod in self.informers.by_index("Pod", "node", rest):
                self._look_at(pod)
        elif kind == "pod":
            pod = self.informers.by_key("Pod", rest)
            if pod is not None:
                self._look_at(pod)
        else:
            where, _, uid = rest.rpartition("/")
            pod = self.informers.by_key("Pod", where)
            if pod is not None and meta.uid(pod) == uid:
                self._evict(pod)

    def _look_at(self, pod: Manifest) -> None:
        """Evict now, later, or not at all."""
        key = f"evict/{meta.key(pod)}/{meta.uid(pod)}"
        taints = self.tainted.get(pod["spec"].get("nodeName", ""), [])
        planned = self.queue.timer(key) is not None
        if not taints or meta.is_deleting(pod):
            if planned:
                self._cancel(pod, key)
            return
        patience = _patience(pod, taints)
        if patience is None:
            if planned:
                self.queue.cancel(key)
                self._cancel(pod, key)
        elif patience <= 0:
            self.queue.cancel(key)
            self._evict(pod)
        elif not planned:
            note = f"pods of {pod['spec']['nodeName']} are evicted"
            self.queue.add_after(key, patience * SECOND, note)

    def _cancel(self, pod: Manifest, key: str) -> None:
        self.queue.cancel(key)
        message = f"Cancelling deletion of Pod {meta.key(pod)}"
        self.recorder.event(pod, "Normal", "TaintManagerEviction", message)

    def _evict(self, pod: Manifest) -> None:
        """Say why in the pod itself, then delete it."""
        if meta.is_deleting(pod):
            return
        self.recorder.event(pod, "Normal", "TaintManagerEviction", f"Marking for deletion Pod {meta.key(pod)}")
        condition = {"type": TARGET, "observedGeneration": meta.generation(pod), "status": "True", "lastProbeTime": None}
        condition |= {"lastTransitionTime": self.clock.stamp(), "reason": "DeletionByTaintManager"}
        condition["message"] = "Taint manager: deleting due to NoExecute taint"
        status = pod.get("status") or {}
        found = conditions.put(status.get("conditions"), condition)
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
        fitting = [t for t in tolerations if pods.toleration_matches(t, taint)]
        if not fitting:
            return 0
        seconds += [t["tolerationSeconds"] for t in fitting if t.get("tolerationSeconds") is not None]
    return min(seconds) if seconds else None
