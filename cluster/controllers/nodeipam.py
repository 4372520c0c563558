"""Node IPAM controller: every node gets its own range of pod addresses.

Until it has one, the network plugin has nothing to hand out and the node is not Ready. Ranges are handed out one after
the other; the range of a node that left is used again only when the counter comes round.

Mirrors:  kubernetes/pkg/controller/nodeipam/ipam (range_allocator.go, cidrset/cidr_set.go)
Left out: IPv6 and several cluster ranges.
"""

from ipaddress import IPv4Network

from cluster.engine.controller import Controller
from cluster.objects import Manifest, meta

CLUSTER_RANGE = "10.244.0.0/14"  # 1,024 nodes: the usual /16 would end at the 256th.
LARGE_RANGE = "10.224.0.0/11"  # 8,192 nodes: of clusters that begin with more than the other has room for.
NODE_BITS = 24


def range_of(options: dict[str, object]) -> IPv4Network:
    """The cluster's addresses for pods: those it was told, or enough for the nodes it begins with (--cluster-cidr)."""
    nodes, usual = options.get("nodes", 0), IPv4Network(CLUSTER_RANGE)
    begins_with = len(nodes) if isinstance(nodes, list) else nodes if isinstance(nodes, int) else 0
    fits = begins_with <= 1 << (NODE_BITS - usual.prefixlen)
    return IPv4Network(str(options.get("pod_range") or (CLUSTER_RANGE if fits else LARGE_RANGE)))


class NodeIpamController(Controller):
    """Queue keys: node names. Memory: `next`, the number of the range to try first."""

    name = "node-ipam-controller"
    source = "cidrAllocator"
    kind = "Node"

    def watch(self) -> None:
        self.network = range_of(self.options)
        self.taken: dict[str, None] = {}  # Derived: ranges in use.
        self.without: dict[str, None] = {}  # Derived: nodes that have none.
        for node in self.informers.list("Node"):
            self._note(node)
        super().watch()

    def _note(self, node: Manifest) -> str:
        found = str(node.get("spec", {}).get("podCIDR", ""))
        if found:
            self.taken[found] = None
            self.without.pop(meta.name(node), None)
        else:
            self.without[meta.name(node)] = None
        return found

    def _changed(self, old: Manifest | None, new: Manifest | None) -> None:
        if new is not None:
            if not self._note(new):
                self.queue.add(meta.key(new))
            return
        self.taken.pop(str((old or {}).get("spec", {}).get("podCIDR", "")), None)
        self.without.pop(meta.name(old or {}), None)
        for name in sorted(self.without):  # They waited for a range to become free.
            self.queue.add(name)

    def reconcile(self, node: Manifest) -> None:
        """Give the node the next free range; say so if there is none."""
        if node.get("spec", {}).get("podCIDR") or meta.is_deleting(node):
            return
        free = self._free()
        if free is None:
            reason = "CIDRNotAvailable"
            self.recorder.event(node, "Normal", reason, f"Node {meta.name(node)} status is now: {reason}")
            return
        self.client.patch("Node", "", meta.name(node), {"spec": {"podCIDR": free, "podCIDRs": [free]}})

    def _free(self) -> str | None:
        ranges, first = 1 << (NODE_BITS - self.network.prefixlen), self.memory.get("next", 0)
        if len(self.taken) >= ranges:
            return None
        for number in range(first, first + ranges):
            address = self.network[(number % ranges) << (32 - NODE_BITS)]
            if f"{address}/{NODE_BITS}" not in self.taken:
                self.memory["next"] = (number + 1) % ranges
                return f"{address}/{NODE_BITS}"
        return None
