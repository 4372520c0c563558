"""NodeResourcesBalancedAllocation: like nodes whose CPU and memory fill up evenly.

A node with all its memory promised and half its CPU idle is a waste: nothing fits there any more. So the
score falls with the distance between the two fractions. It takes part beside NodeResourcesFit's
LeastAllocated, never alone.

Fractions are floats, as in the original; only +, -, /, abs and a cut to an integer happen to them, which
every machine computes alike.

Mirrors: kubernetes/pkg/scheduler/framework/plugins/noderesources/balanced_allocation.go
"""

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cluster.objects import Manifest
from cluster.scheduler import resources
from cluster.scheduler.framework import MAX_NODE_SCORE, SKIP, Plugin
from cluster.scheduler.plugins.resource_scores import columns
from cluster.scheduler.resources import BASIC
from cluster.scheduler.snapshot import NodeInfo, Numbers, Snapshot, View


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
            return self._score_others(ask, node)
        fractions = []
        for name, asked in (("cpu", ask.cpu), ("memory", ask.memory)):
            has = node.allocatable.get(name, 0)
            if has:
                fractions.append(min((node.requested.get(name, 0) + asked) / has, 1.0))
        deviation = abs((fractions[0] - fractions[1]) / 2) if len(fractions) == 2 else 0.0
        return int((1 - deviation) * MAX_NODE_SCORE)

    def score_all(self, ask: Ask, view: View) -> Numbers:
        if not self._usual:
            return self._score_all_others(ask, view)
        has, used = view.has()[:, :2], view.used()[:, :2] + ask.pair
        fractions = np.minimum(used / (has if view.complete else np.maximum(has, 1)), 1.0)
        deviation = np.abs((fractions[:, 0] - fractions[:, 1]) / 2)
        if not view.complete:
            deviation = np.where((has > 0).all(axis=1), deviation, 0.0)
        return ((1 - deviation) * MAX_NODE_SCORE).astype(np.int64)

    def by_row(self, ask: Ask, snapshot: Snapshot) -> tuple[None, Callable[[int], int]] | None:
        """`score` of single rows; None: not of such pods."""
        if not self._usual or not snapshot.complete:
            return None
        rows, cpu, memory = snapshot.plain, ask.cpu, ask.memory

        def score(row: int) -> int:
            numbers = rows[row]
            first, second = (numbers[6] + cpu) / numbers[4], (numbers[7] + memory) / numbers[5]
            apart = (first if first < 1.0 else 1.0) - (second if second < 1.0 else 1.0)
            return int((1 - abs(apart / 2)) * MAX_NODE_SCORE)

        return None, score

    # --- of other resources than CPU and memory -----------------------------------------------------------------

    def _counted(self, ask: Ask) -> list[str]:
        """Extended resources count only for pods that ask for them."""
        return [name for name in self._names if name in BASIC or ask.amounts.get(name)]

    def _score_others(self, ask: Ask, node: NodeInfo) -> int:
        """Of two, half their distance counts; of more, their standard deviation."""
        fractions = []
        for name in self._counted(ask):
            has = node.allocatable.get(name, 0)
            if has:
                fractions.append(min((node.requested.get(name, 0) + ask.amounts.get(name, 0)) / has, 1.0))
        deviation = 0.0
        if len(fractions) == 2:
            deviation = abs((fractions[0] - fractions[1]) / 2)
        elif fractions:
            mean = sum(fractions) / len(fractions)
            deviation = math.sqrt(sum((each - mean) * (each - mean) for each in fractions) / len(fractions))
        return int((1 - deviation) * MAX_NODE_SCORE)

    def _score_all_others(self, ask: Ask, view: View) -> Numbers:
        names = self._counted(ask)
        found = [columns(view, name, weighed=False) for name in names]
        has, used = np.stack([pair[0] for pair in found]), np.stack([pair[1] for pair in found])
        there = has > 0
        wanted = np.array([ask.amounts.get(name, 0) for name in names], np.int64)[:, None]
        fractions = np.where(there, np.minimum((used + wanted) / np.maximum(has, 1), 1.0), 0.0)
        number = np.maximum(there.sum(axis=0), 1)
        mean = _added(fractions) / number
        apart = np.sqrt(_added(np.where(there, (fractions - mean) * (fractions - mean), 0.0)) / number)
        first, last = there.argmax(axis=0), len(names) - 1 - there[::-1].argmax(axis=0)
        rows = np.arange(len(view))
        halved = np.abs((fractions[first, rows] - fractions[last, rows]) / 2)
        deviation = np.where(number == 2, halved, np.where(number > 2, apart, 0.0))
        return ((1 - deviation) * MAX_NODE_SCORE).astype(np.int64)


def _added(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """One after the other, as the plain half adds them: floats depend on the order."""
    total = np.zeros(rows.shape[1])
    for row in rows:
        total = total + row
    return total
