"""NodeResourcesBalancedAllocation: like nodes whose CPU and memory fill up evenly.

A node with all its memory promised and half its CPU idle is a waste: nothing fits there any more. So the
score falls with the distance between the two fractions. It takes part beside NodeResourcesFit's
LeastAllocated, never alone.

Fractions are floats, as in the original; only +, -, /, abs and a cut to an integer happen to them, which
every machine computes alike.

Mirrors: kubernetes/pkg/scheduler/framework/plugins/noderesources/balanced_allocation.go
"""

from typing import Any, NamedTuple

import numpy as np

from cluster.objects import Manifest
from cluster.scheduler import resources
from cluster.scheduler.framework import MAX_NODE_SCORE, SKIP, Plugin
from cluster.scheduler.snapshot import NodeInfo, Numbers, View


class Ask(NamedTuple):
    """What the pod requests; `pair`: the same two numbers for numpy."""

    cpu: int
    memory: int
    pair: Numbers


class NodeResourcesBalancedAllocation(Plugin):
    name = "NodeResourcesBalancedAllocation"
    sees_pods = True
    reads = staticmethod(resources.reads)

    def prescore(self, pod: Manifest, nodes: Any) -> Any:
        """Pods that ask for neither are left to the other plugins: they would all like the same node."""
        asked = resources.requests(pod).amounts
        pair = (asked.get("cpu", 0), asked.get("memory", 0))
        return Ask(*pair, np.array(pair, np.int64)) if any(pair) else SKIP

    def score(self, ask: Ask, node: NodeInfo) -> int:
        fractions = []
        for name, asked in (("cpu", ask.cpu), ("memory", ask.memory)):
            has = node.allocatable.get(name, 0)
            if has:
                fractions.append(min((node.requested.get(name, 0) + asked) / has, 1.0))
        deviation = abs((fractions[0] - fractions[1]) / 2) if len(fractions) == 2 else 0.0
        return int((1 - deviation) * MAX_NODE_SCORE)

    def score_all(self, ask: Ask, view: View) -> Numbers:
        has, used = view.has()[:, :2], view.used()[:, :2] + ask.pair
        fractions = np.minimum(used / (has if view.complete else np.maximum(has, 1)), 1.0)
        deviation = np.abs((fractions[:, 0] - fractions[:, 1]) / 2)
        if not view.complete:
            deviation = np.where((has > 0).all(axis=1), deviation, 0.0)
        return ((1 - deviation) * MAX_NODE_SCORE).astype(np.int64)
