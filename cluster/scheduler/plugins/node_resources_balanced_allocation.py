"""NodeResourcesBalancedAllocation: like nodes whose CPU and memory fill up evenly.

A node with all its memory promised and half its CPU idle is a waste: nothing fits there any more. So the
score falls with the distance between the two fractions. It takes part beside NodeResourcesFit's
LeastAllocated, never alone.

Fractions are floats, as in the original; only +, -, /, abs and a cut to an integer happen to them, which
every machine computes alike.

Mirrors: kubernetes/pkg/scheduler/framework/plugins/noderesources/balanced_allocation.go
"""

from typing import Any

import numpy as np

from cluster.objects import Manifest
from cluster.scheduler import resources
from cluster.scheduler.framework import MAX_NODE_SCORE, SKIP, Plugin
from cluster.scheduler.resources import Amounts
from cluster.scheduler.snapshot import NodeInfo, Numbers, View


class NodeResourcesBalancedAllocation(Plugin):
    name = "NodeResourcesBalancedAllocation"
    sees_pods = True

    def reads(self, pod: Manifest) -> Any:
        return resources.reads(pod)

    def prescore(self, pod: Manifest, nodes: Any) -> Any:
        """Pods that ask for neither are left to the other plugins: they would all like the same node."""
        asked = resources.requests(pod).amounts
        return asked if asked.get("cpu") or asked.get("memory") else SKIP

    def score(self, ask: Amounts, node: NodeInfo) -> int:
        fractions = []
        for name in ("cpu", "memory"):
            has = node.allocatable.get(name, 0)
            if has:
                fractions.append(min((node.requested.get(name, 0) + ask.get(name, 0)) / has, 1.0))
        deviation = abs((fractions[0] - fractions[1]) / 2) if len(fractions) == 2 else 0.0
        return int((1 - deviation) * MAX_NODE_SCORE)

    def score_all(self, ask: Amounts, view: View) -> Numbers:
        cpu, memory = (self._fraction(ask, view, name) for name in ("cpu", "memory"))
        both = (view.allocatable("cpu") > 0) & (view.allocatable("memory") > 0)
        deviation = np.where(both, np.abs((cpu - memory) / 2), 0.0)
        return ((1 - deviation) * MAX_NODE_SCORE).astype(np.int64)

    def _fraction(self, ask: Amounts, view: View, name: str) -> Any:
        used = view.requested(name) + ask.get(name, 0)
        return np.minimum(used / np.maximum(view.allocatable(name), 1), 1.0)
