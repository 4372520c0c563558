"""NodeResourcesBalancedAllocation: like nodes whose CPU and memory fill up evenly.

A node with all its memory promised and half its CPU idle is a waste: nothing fits there any more. So the
score falls with the distance between the two fractions. It takes part beside NodeResourcesFit's
LeastAllocated, never alone.

Fractions are floats, as in the original; only +, -, /, abs and a cut to an integer happen to them, which
every machine computes alike.

Mirrors: kubernetes/pkg/scheduler/framework/plugins/noderesources/balanced_allocation.go
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from cluster.objects import Manifest
from cluster.scheduler import resources
from cluster.scheduler.framework import MAX_NODE_SCORE, SKIP, Plugin
from cluster.scheduler.plugins import resource_scores
from cluster.scheduler.resources import BASIC
from cluster.scheduler.snapshot import NodeInfo, Numbers, View


class Ask(NamedTuple):
    """What the pod requests; `pair`: the same two numbers for numpy; `amounts`: by resource, for other resources."""

    cpu: int
    memory: int
    pair: Numbers
    amounts: dict[str, int]


class NodeResourcesBalancedAllocation(Plugin):
    name = "NodeResourcesBalancedAllocation"
    sees_pods = True
    reads = staticmethod(resources.reads)

    def __init__(self, args: Mapping[str, Any] | None = None) -> None:
        """`args`: resources; none: CPU and memory."""
        said = (args or {}).get("resources") or [{"name": "cpu"}, {"name": "memory"}]
        self._names = [each["name"] for each in said]
        self._usual = self._names == ["cpu", "memory"]

    def prescore(self, pod: Manifest, nodes: Any) -> Any:
        """Pods that ask for neither are left to the other plugins: they would all like the same node."""
        asked = resources.requests(pod).amounts
        pair = (asked.get("cpu", 0), asked.get("memory", 0))
        if not any(asked.get(name, 0) for name in self._names):
            return SKIP
        return Ask(*pair, np.array(pair, np.int64), asked)

    def score(self, ask: Ask, node: NodeInfo) -> int:
        if not self._usual:
            return int(self._of_others(ask, [self._use(ask, node, name) for name in self._counted(ask)])[0])
        fractions = []
        for name, asked in (("cpu", ask.cpu), ("memory", ask.memory)):
            has = node.allocatable.get(name, 0)
            if has:
                fractions.append(min((node.requested.get(name, 0) + asked) / has, 1.0))
        deviation = abs((fractions[0] - fractions[1]) / 2) if len(fractions) == 2 else 0.0
        return int((1 - deviation) * MAX_NODE_SCORE)

    def score_all(self, ask: Ask, view: View) -> Numbers:
        if not self._usual:
            uses = [(view, name) for name in self._counted(ask)]
            return self._of_others(ask, [_columns(*use, ask.amounts) for use in uses])
        has, used = view.has()[:, :2], view.used()[:, :2] + ask.pair
        fractions = np.minimum(used / (has if view.complete else np.maximum(has, 1)), 1.0)
        deviation = np.abs((fractions[:, 0] - fractions[:, 1]) / 2)
        if not view.complete:
            deviation = np.where((has > 0).all(axis=1), deviation, 0.0)
        return ((1 - deviation) * MAX_NODE_SCORE).astype(np.int64)

    # --- of other resources than CPU and memory -----------------------------------------------------------------

    def _counted(self, ask: Ask) -> list[str]:
        """Extended resources count only for pods that ask for them."""
        return [name for name in self._names if name in BASIC or ask.amounts.get(name)]

    def _use(self, ask: Ask, node: NodeInfo, name: str) -> tuple[Numbers, Numbers]:
        used = node.requested.get(name, 0) + ask.amounts.get(name, 0)
        return np.array([node.allocatable.get(name, 0)]), np.array([used])

    def _of_others(self, ask: Ask, uses: list[tuple[Numbers, Numbers]]) -> Numbers:
        fractions = [np.minimum(used / np.maximum(has, 1), 1.0) for has, used in uses]
        return resource_scores.evenness(fractions, [(has > 0).astype(np.int64) for has, _ in uses])


def _columns(view: View, name: str, amounts: dict[str, int]) -> tuple[Numbers, Numbers]:
    """What the nodes have of a resource, and what would be requested."""
    if name in BASIC:
        column = BASIC.index(name)
        has, used = view.has()[:, column], view.used()[:, column]
    else:
        has, used = view.extended(name)
    return has, used + amounts.get(name, 0)
