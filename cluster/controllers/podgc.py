"""Pod garbage collector: removes pods that nobody will ever finish.

A pod whose Node object was deleted has no kubelet left to confirm its end. After forty seconds of doubt (the node might
be registered again) the collector marks it Failed and removes it without a grace period. It also removes terminated
pods beyond a threshold, deleted pods that were never bound, and deleted pods of nodes that an admin declared out of
service.

Mirrors:  kubernetes/pkg/controller/podgc/gc_controller.go
"""

from cluster.engine.clock import SECOND
from cluster.engine.controller import Component
from cluster.objects import Manifest, conditions, meta, nodes, pods
from cluster.objects.errors import NotFound

QUARANTINE = 40 * SECOND
PERIOD = 20 * SECOND
TERMINATED_LIMIT = 12_500
OUT_OF_SERVICE = "node.kubernetes.io/out-of-service"


class PodGarbageCollector(Component):
    """Queue keys: `orphans/<node>` after the quarantine, `service/<node>`, `terminated`, `unbound`."""

    name = "pod-garbage-collector-controller"
    source = "pod-garbage-collector"

    def watch(self) -> None:
        self.informers.add_index("Pod", "node", pods.by_node)
        self.terminated = sum(1 for pod in self.informers.list("Pod") if pods.is_terminal(pod))  # Derived.
        self.informers.subscribe("Node", self._node_changed, self.name)
        self.informers.subscribe("Pod", self._pod_changed, self.name)

    def start(self) -> None:
        """Look for orphans that were made while nobody looked."""
        bound = dict.fromkeys(pod["spec"].get("nodeName") for pod in self.informers.list("Pod"))
        for node in bound:
            if node and self.informers.get("Node", "", node) is None:
                self._quarantine(node)

    def _node_changed(self, old: Manifest | None, new: Manifest | None) -> None:
        if new is None and old is not None and self.informers.by_index("Pod", "node", meta.name(old)):
            self._quarantine(meta.name(old))
        elif new is not None and any(t["key"] == OUT_OF_SERVICE for t in nodes.taints(new)):
            self.queue.add(f"service/{meta.name(new)}")

    def _pod_changed(self, old: Manifest | None, new: Manifest | None) -> None:
        self.terminated += (new is not None and pods.is_terminal(new)) - (old is not None and pods.is_terminal(old))
        if self.terminated > TERMINATED_LIMIT:
            self.queue.add("terminated")
        node = new["spec"].get("nodeName") if new is not None else None
        if new is not None and not node and meta.is_deleting(new):
            self.queue.add_after("unbound", PERIOD)
        if node and (old is None or not old["spec"].get("nodeName")) and self.informers.get("Node", "", node) is None:
            self._quarantine(node)

    def _quarantine(self, node: str) -> None:
        self.queue.add_after(f"orphans/{node}", QUARANTINE, f"pods of the deleted node {node} are removed")

    def process(self, key: str) -> None:
        kind, _, node = key.partition("/")
        if kind == "orphans":
            if self.informers.get("Node", "", node) is None:
                for pod in self.informers.by_index("Pod", "node", node):
                    self._remove(pod, "PodGC: node no longer exists")
        elif kind == "service":
            self._out_of_service(node)
        elif kind == "unbound":
            for pod in self.informers.list("Pod"):
                if meta.is_deleting(pod) and not pods.is_scheduled(pod):
                    self._remove(pod, "")
        else:
            done = [pod for pod in self.informers.list("Pod") if pods.is_terminal(pod)]
            for pod in sorted(done, key=meta.created_at)[: max(len(done) - TERMINATED_LIMIT, 0)]:
                self._remove(pod, "")

    def _out_of_service(self, name: str) -> None:
        node = self.informers.get("Node", "", name)
        if node is None or nodes.is_ready(node) or not any(t["key"] == OUT_OF_SERVICE for t in nodes.taints(node)):
            return
        for pod in self.informers.by_index("Pod", "node", name):
            if meta.is_deleting(pod):
                self._remove(pod, "")

    def _remove(self, pod: Manifest, why: str) -> None:
        """Mark it Failed, with the reason if there is one, and delete it without grace."""
        status = {**(pod.get("status") or {})}
        if not pods.is_terminal(pod):
            status["phase"] = "Failed"
            if why:
                condition = {"type": "DisruptionTarget", "observedGeneration": meta.generation(pod), "status": "True"}
                condition |= {"lastProbeTime": None, "lastTransitionTime": self.clock.stamp()}
                condition |= {"reason": "DeletionByPodGC", "message": why}
                status["conditions"] = conditions.put(status.get("conditions"), condition)
        try:
            if status != pod.get("status"):
                self.client.update_status({**pod, "status": status})
            self.client.delete("Pod", meta.namespace(pod), meta.name(pod), grace=0)
        except NotFound:
            return
