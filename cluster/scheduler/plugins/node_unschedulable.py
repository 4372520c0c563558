"""NodeUnschedulable: stay away from cordoned nodes, unless the pod tolerates just that.

`kubectl cordon` sets `spec.unschedulable`. Pods that run there already stay.

Mirrors: kubernetes/pkg/scheduler/framework/plugins/nodeunschedulable/node_unschedulable.go
"""

from typing import Any

import numpy as np

from cluster.objects import Manifest
from cluster.scheduler.framework import SKIP, ClusterEvent, Plugin, Rejection
from cluster.scheduler.matching import tolerated, tolerations
from cluster.scheduler.snapshot import NodeInfo, Numbers, View

TAINT = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}


class NodeUnschedulable(Plugin):
    name = "NodeUnschedulable"
    reads = staticmethod(tolerations)
    events = frozenset({("Node", "add"), ("Node", "update"), ("Pod", "self")})

    def prefilter(self, pod: Manifest, nodes: Any) -> Any:
        return SKIP if tolerated(tolerations(pod), TAINT) else None

    def filter(self, ask: None, node: NodeInfo) -> Rejection | None:
        return self.rejection(ask, 1) if node.unschedulable else None

    def filter_all(self, ask: None, view: View) -> Numbers:
        return view.unschedulable().astype(np.int64)

    def rejection(self, ask: None, bits: int) -> Rejection:
        return Rejection(self.name, ("node(s) were unschedulable",))

    def wakes(self, pod: Manifest, event: ClusterEvent) -> bool:
        """A node is not cordoned any more, or one came that is not; or the pod tolerates it now."""
        if event.kind == "Pod":
            return tolerated(tolerations(pod), TAINT)
        cordoned = (event.new or {}).get("spec", {}).get("unschedulable")
        return not cordoned and (event.old is None or bool(event.old.get("spec", {}).get("unschedulable")))
