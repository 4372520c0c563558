"""NodePorts: a `hostPort` can be used once on a node, by address and protocol.

0.0.0.0 means every address of the node, so it conflicts with any other.

Mirrors: kubernetes/pkg/scheduler/framework/plugins/nodeports/node_ports.go
"""

from typing import Any

import numpy as np

from cluster.objects import Manifest
from cluster.scheduler.framework import SKIP, ClusterEvent, Plugin, Rejection
from cluster.scheduler.snapshot import NodeInfo, Numbers, View

HostPort = tuple[str, str, int]  # (protocol, address, number)
ANY = "0.0.0.0"


class NodePorts(Plugin):
    name = "NodePorts"
    sees_pods = True
    events = frozenset({("Pod", "delete"), ("Node", "add")})

    def reads(self, pod: Manifest) -> Any:
        return host_ports(pod)

    def prefilter(self, pod: Manifest, nodes: Any) -> Any:
        return host_ports(pod) or SKIP

    def filter(self, ask: list[HostPort], node: NodeInfo) -> Rejection | None:
        taken = (port for info in node.pods.values() for port in host_ports(info.pod))
        return self.rejection(ask, 1) if any(_conflict(ask, port) for port in taken) else None

    def filter_all(self, ask: list[HostPort], view: View) -> Numbers:
        return np.array([self.filter(ask, node) is not None for node in view.nodes()], np.int64)

    def rejection(self, ask: list[HostPort], bits: int) -> Rejection:
        reason = "node(s) didn't have free ports for the requested pod ports"
        return Rejection(self.name, (reason,), resolvable=True)

    def wakes(self, pod: Manifest, event: ClusterEvent) -> bool:
        """A pod left that held one of the ports, or a node came."""
        if event.kind == "Node":
            return True
        wanted = host_ports(pod)
        return any(_conflict(wanted, port) for port in host_ports(event.old or event.new or {}))


def host_ports(pod: Manifest) -> list[HostPort]:
    """The ports of the node that `pod` takes; those of its sidecars, too."""
    spec = pod.get("spec") or {}
    sidecars = [c for c in spec.get("initContainers") or () if c.get("restartPolicy") == "Always"]
    return [
        (port.get("protocol") or "TCP", port.get("hostIP") or ANY, port["hostPort"])
        for container in [*spec.get("containers", ()), *sidecars]
        for port in container.get("ports") or ()
        if port.get("hostPort")
    ]


def _conflict(wanted: list[HostPort], taken: HostPort) -> bool:
    protocol, address, number = taken
    return any(
        (protocol, number) == (other, port) and (where == address or ANY in (where, address))
        for other, where, port in wanted
    )
