"""Cloud node lifecycle controller: asks the cloud about nodes that are silent.

A node that does not report may have lost its network for a moment, and its pods must wait. But if the cloud says that
there is no such machine any more, nobody has to wait: the Node is deleted, and pod GC and the controllers do the rest.
A machine that was only switched off keeps its Node, with the taint `shutdown`.

Mirrors:  k8s.io/cloud-provider/controllers/nodelifecycle/node_lifecycle_controller.go
Read next: cluster/controllers/nodelifecycle.py, which makes silent nodes NotReady.
"""

from typing import Any

from cluster.engine.calls import Caller
from cluster.engine.clock import SECOND
from cluster.engine.provider import Call
from cluster.objects import Manifest, conditions, meta, nodes
from cluster.objects.errors import NotFound

PERIOD = 5 * SECOND  # --node-monitor-period


class CloudNodeLifecycleController(Caller):
    """Queue keys: `monitor` (a pass, while there is anybody to look at), `node/<name>`."""

    name = "cloud-node-lifecycle-controller"
    user = "system:cloud-controller-manager"

    def watch(self) -> None:
        self.troubled = {meta.name(n): None for n in self.informers.list("Node") if _is_troubled(n)}  # Derived.
        self.informers.subscribe("Node", self._node_changed, self.name)

    def start(self) -> None:
        if self.troubled:
            self._arm()

    def _node_changed(self, old: Manifest | None, new: Manifest | None) -> None:
        name = meta.name(new or old or {})
        if new is None or not _is_troubled(new):
            self.troubled.pop(name, None)
        elif name not in self.troubled:
            self.troubled[name] = None
            self._arm()

    def _arm(self) -> None:
        """The next of the passes that would come every five seconds; without trouble they would do nothing."""
        self.queue.add_after("monitor", PERIOD - self.clock.now % PERIOD)

    def look(self, item: str) -> None:
        kind, _, name = item.partition("/")
        if kind == "monitor":
            self._pass()
            return
        node = self.informers.get("Node", "", name)
        if node is not None and not nodes.is_ready(node):
            self.ask(item, "InstanceExists", {"node": name, "providerID": node["spec"].get("providerID", "")})

    def _pass(self) -> None:
        for name in sorted(self.troubled):
            node = self.informers.get("Node", "", name)
            if node is None:
                continue
            if not nodes.is_ready(node):
                self.queue.add(f"node/{name}")
            else:
                taints = [taint for taint in nodes.taints(node) if taint["key"] != nodes.SHUTDOWN]
                self.client.patch("Node", "", name, {"spec": {"taints": taints or None}})
        if self.troubled:
            self._arm()

    def answered(self, item: str, call: Call, result: Any) -> None:
        node = self.informers.get("Node", "", call.arguments["node"])
        if node is None:
            return
        if call.operation == "InstanceExists":
            if result:
                self.ask(item, "InstanceShutdown", call.arguments)
            else:
                self._delete(node)
        elif result and not nodes.has_taint(node, nodes.SHUTDOWN, "NoSchedule"):
            taint = {"key": nodes.SHUTDOWN, "effect": "NoSchedule"}
            self.client.patch("Node", "", meta.name(node), {"spec": {"taints": [*nodes.taints(node), taint]}})

    def refused(self, item: str, call: Call, why: str) -> None:
        """The next pass asks again."""

    def _delete(self, node: Manifest) -> None:
        name = meta.name(node)
        subject = {"kind": "Node", "apiVersion": "", "metadata": {"name": name, "uid": meta.uid(node)}}
        message = f"Deleting node {name} because it does not exist in the cloud provider"
        self.recorder.event(subject, "Normal", "DeletingNode", message)
        try:
            self.client.delete("Node", "", name)
        except NotFound:
            return


def _is_troubled(node: Manifest) -> bool:
    ready = conditions.get(node, "Ready")
    return ready is None or ready["status"] != "True" or nodes.has_taint(node, nodes.SHUTDOWN, "NoSchedule")
