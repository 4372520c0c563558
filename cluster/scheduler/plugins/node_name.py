"""NodeName: a pod that names its node in `spec.nodeName` may only go there.

Such a pod is hardly ever seen here: with a node it needs no scheduler. The plugin matters to those who ask
whether a pod would fit (the DaemonSet controller does).

Mirrors: kubernetes/pkg/scheduler/framework/plugins/nodename/node_name.go
"""

from typing import Any

import numpy as np

from cluster.objects import Manifest, meta
from cluster.scheduler.framework import SKIP, ClusterEvent, Plugin, Rejection
from cluster.scheduler.snapshot import NodeInfo, Numbers, View


class NodeName(Plugin):
    name = "NodeName"
    events = frozenset({("Node", "add")})

    def reads(self, pod: Manifest) -> Any:
        return pod["spec"].get("nodeName")

    def prefilter(self, pod: Manifest, nodes: Any) -> Any:
        return pod["spec"].get("nodeName") or SKIP

    def filter(self, ask: str, node: NodeInfo) -> Rejection | None:
        return None if node.name == ask else self.rejection(ask, 1)

    def filter_all(self, ask: str, view: View) -> Numbers:
        return np.array([info.name != ask for info in view.nodes()], np.int64)

    def rejection(self, ask: str, bits: int) -> Rejection:
        return Rejection(self.name, ("node(s) didn't match the requested node name",))

    def wakes(self, pod: Manifest, event: ClusterEvent) -> bool:
        return event.new is not None and meta.name(event.new) == pod["spec"].get("nodeName")
