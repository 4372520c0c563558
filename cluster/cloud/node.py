"""Cloud node controller: tells each new Node what it is in the cloud, and then lets pods come.

A kubelet that runs in a cloud registers with the taint `uninitialized`: it does not know its zone, its type, its
addresses. This controller asks the cloud for them, writes them down, and takes the taint away.

Every five minutes it asks for all addresses again.

Mirrors:  k8s.io/cloud-provider/controllers/node/node_controller.go
Left out: putting the old names of zone labels right when somebody changes the new ones.
Read next: nodelifecycle.py, for nodes that are gone.
"""

from typing import Any

from cluster.cloud.inventory import Item
from cluster.engine.calls import Caller
from cluster.engine.clock import MINUTE
from cluster.engine.provider import Call
from cluster.objects import Manifest, meta, nodes

STATUS_PERIOD = 5 * MINUTE  # --node-status-update-frequency
TYPE_LABELS = ("beta.kubernetes.io/instance-type", "node.kubernetes.io/instance-type")
ZONE_LABELS = ("failure-domain.beta.kubernetes.io/zone", nodes.ZONE)
REGION_LABELS = ("failure-domain.beta.kubernetes.io/region", nodes.REGION)


class CloudNodeController(Caller):
    """Queue keys: `node/<name>`, and `status`."""

    name = "cloud-node-controller"
    user = "system:cloud-controller-manager"

    def watch(self) -> None:
        self.informers.subscribe("Node", self._node_changed, self.name)

    def start(self) -> None:
        self.queue.add("status")
        for node in self.informers.list("Node"):
            self._node_changed(None, node)

    def _node_changed(self, old: Manifest | None, new: Manifest | None) -> None:
        if new is not None and _is_uninitialized(new):
            self.queue.add(f"node/{meta.name(new)}")

    def look(self, item: str) -> None:
        kind, _, name = item.partition("/")
        if kind == "status":
            known = [meta.name(node) for node in self.informers.list("Node") if not _is_uninitialized(node)]
            self.queue.add_after("status", STATUS_PERIOD)
            if known:
                self.ask(item, "InstancesMetadata", {"nodes": known}, len(known))
            return
        node = self.informers.get("Node", "", name)
        if node is not None and _is_uninitialized(node):
            self.ask(item, "InstanceMetadata", {"node": name, "providerID": node["spec"].get("providerID", "")})

    def answered(self, item: str, call: Call, result: Any) -> None:
        kind, _, name = item.partition("/")
        if kind == "status":
            for other, machine in result.items():
                self._put_addresses(other, machine)
            return
        node = self.informers.get("Node", "", name)
        if node is not None and _is_uninitialized(node):
            self._initialize(node, result)

    def refused(self, item: str, call: Call, why: str) -> None:
        if item != "status":  # That one comes round again by itself.
            self.retry(item)

    def _initialize(self, node: Manifest, machine: Item) -> None:
        name = meta.name(node)
        labels = dict.fromkeys(TYPE_LABELS, machine["type"])
        labels |= dict.fromkeys(ZONE_LABELS, machine["zone"]) | dict.fromkeys(REGION_LABELS, machine["region"])
        taints = [taint for taint in nodes.taints(node) if taint["key"] != nodes.UNINITIALIZED]
        spec: Manifest = {"taints": taints or None}
        if not node["spec"].get("providerID"):
            spec["providerID"] = machine["providerID"]
        changed = self.client.patch("Node", "", name, {"metadata": {"labels": labels}, "spec": spec})
        self._put_addresses(name, machine)
        self.recorder.event(changed, "Normal", "Synced", "Node synced successfully")

    def _put_addresses(self, name: str, machine: Item) -> None:
        node = self.informers.get("Node", "", name)
        if node is None or (node.get("status") or {}).get("addresses") == machine["addresses"]:
            return
        self.client.patch("Node", "", name, {"status": {"addresses": machine["addresses"]}}, "status")


def _is_uninitialized(node: Manifest) -> bool:
    return any(taint["key"] == nodes.UNINITIALIZED for taint in nodes.taints(node))
