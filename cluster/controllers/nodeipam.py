"""Node IPAM controller: every node gets its own range of pod addresses.

Until it has one, the network plugin has nothing to hand out and the node is not Ready.

Mirrors:  kubernetes/pkg/controller/nodeipam/ipam/range_allocator.go
Left out: IPv6 and several cluster ranges.
"""

from ipaddress import IPv4Network

from cluster.engine.controller import Controller
from cluster.objects import Manifest, meta

CLUSTER_RANGE = "10.244.0.0/16"
NODE_BITS = 24


class NodeIpamController(Controller):
    name = "node-ipam-controller"
    source = "cidrAllocator"
    kind = "Node"

    def _changed(self, old: Manifest | None, new: Manifest | None) -> None:
        if new is not None and not new.get("spec", {}).get("podCIDR"):
            self.queue.add(meta.key(new))

    def reconcile(self, node: Manifest) -> None:
        """Give the node the first free range; say so if there is none."""
        if node.get("spec", {}).get("podCIDR") or meta.is_deleting(node):
            return
        taken = {other.get("spec", {}).get("podCIDR") for other in self.informers.list("Node")}
        network = IPv4Network(str(self.options.get("pod_range", CLUSTER_RANGE)))
        free = next((str(part) for part in network.subnets(new_prefix=NODE_BITS) if str(part) not in taken), None)
        if free is None:
            self.recorder.event(node, "Normal", "CIDRNotAvailable", f"Node {meta.name(node)} status is now: CIDRNotAvailable")
            return
        self.client.patch("Node", "", meta.name(node), {"spec": {"podCIDR": free, "podCIDRs": [free]}})
