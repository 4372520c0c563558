"""How full may a node be? The strategies of NodeResourcesFit.

    LeastAllocated             the emptier the better: load is spread, and every node has room for a burst
    MostAllocated              the fuller the better: pods are packed, and whole nodes can be switched off
    RequestedToCapacityRatio   the score for each degree of fullness is drawn by hand, as points of a line

Each looks at some resources and takes the mean of their scores by weight. A resource that a node has not, or an
extended one that the pod does not ask for, does not count. CPU and memory of pods that ask for nothing count with
their defaults here.

Divisions are of integers and drop the rest, towards zero; only the mean of a drawn line is rounded.

Mirrors:  kubernetes/pkg/scheduler/framework/plugins/noderesources (resource_allocation.go, least_allocated.go,
          most_allocated.go, requested_to_capacity_ratio.go); helper/shape_score.go
"""

from collections.abc import Callable
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from cluster.scheduler.framework import MAX_NODE_SCORE
from cluster.scheduler.resources import BASIC, Requests
from cluster.scheduler.snapshot import NodeInfo, Numbers, View

Weights = tuple[tuple[str, int], ...]  # Resource, and how much it counts.
CPU_AND_MEMORY: Weights = (("cpu", 1), ("memory", 1))
MAX_SHAPE_SCORE = 10  # The scores of a shape go up to so much.


def asked(requests: Requests, resource: str) -> int:
    """What the pod would add, CPU and memory with their defaults."""
    if resource == "cpu":
        return requests.cpu
    return requests.memory if resource == "memory" else requests.amounts.get(resource, 0)


def counts(requests: Requests, resource: str) -> bool:
    """Extended resources count only for pods that ask for them."""
    return resource in BASIC or requests.amounts.get(resource, 0) > 0


def columns(view: View, resource: str, weighed: bool) -> tuple[Numbers, Numbers]:
    """(what the nodes have, what is requested there). `weighed`: pods without requests count with their defaults."""
    if resource not in BASIC:
        return view.extended(resource)
    column = BASIC.index(resource)
    return view.has()[:, column], (view.weighed() if weighed and column < 2 else view.used())[:, column]


class Rate(NamedTuple):
    """A score of 0 … 100 for one resource: plainly, of whole numbers `has` and `used`; and for all nodes at once."""

    one: Callable[[int, int], int]
    all: Callable[[Numbers, Numbers], Numbers]


LEAST = Rate(  # Percent left free.
    lambda has, used: max(has - used, 0) * MAX_NODE_SCORE // has,
    lambda has, used: np.maximum(has - used, 0) * MAX_NODE_SCORE // has,
)
MOST = Rate(  # Percent taken.
    lambda has, used: min(used, has) * MAX_NODE_SCORE // has,
    lambda has, used: np.minimum(used, has) * MAX_NODE_SCORE // has,
)


def along(shape: tuple[tuple[int, int], ...]) -> Rate:
    """The line through the points (percent taken, score of 0 … 10); flat before the first and behind the last."""
    points = [(percent, score * MAX_NODE_SCORE // MAX_SHAPE_SCORE) for percent, score in shape]

    def one(has: int, used: int) -> int:
        percent = MAX_NODE_SCORE if used > has else used * MAX_NODE_SCORE // has
        if percent <= points[0][0]:
            return points[0][1]
        for (left, low), (right, high) in pairwise(points):
            if percent <= right:
                step = (high - low) * (percent - left)
                return low + (step // (right - left) if step >= 0 else -(-step // (right - left)))
        return points[-1][1]

    def all_(has: Numbers, used: Numbers) -> Numbers:
        percent = np.where(used > has, MAX_NODE_SCORE, used * MAX_NODE_SCORE // has)
        rated = np.full(len(percent), points[-1][1], np.int64)
        for (left, low), (right, high) in reversed([*pairwise(points)]):
            step = (high - low) * (percent - left)
            between = low + np.sign(step) * (np.abs(step) // (right - left))
            rated = np.where(percent <= right, between, rated)
        return np.where(percent <= points[0][0], points[0][1], rated)

    return Rate(one, all_)


class Strategy:
    """The mean of what `rate` says of each resource. `drawn`: of a line; a rate of 0 does not count, and it rounds."""

    def __init__(self, weights: Weights, rate: Rate, drawn: bool = False) -> None:
        self._weights, self._rate, self._drawn = weights, rate, drawn

    def score(self, requests: Requests, node: NodeInfo) -> int:
        total = weight = 0
        for name, each in self._weights:
            has = node.allocatable.get(name, 0)
            if not has or not counts(requests, name):
                continue
            used = {"cpu": node.cpu, "memory": node.memory}.get(name, node.requested.get(name, 0))
            rated = self._rate.one(has, used + asked(requests, name))
            if rated or not self._drawn:
                total, weight = total + rated * each, weight + each
        if not weight:
            return 0
        return (2 * total + weight) // (2 * weight) if self._drawn else total // weight

    def score_all(self, requests: Requests, view: View) -> Numbers:
        total, weight = np.zeros(len(view), np.int64), np.zeros(len(view), np.int64)
        for name, each in self._weights:
            if not counts(requests, name):
                continue
            has, used = columns(view, name, weighed=True)
            rated = np.where(has > 0, self._rate.all(np.maximum(has, 1), used + asked(requests, name)), 0)
            total += rated * each
            weight += ((has > 0) & (rated > 0) if self._drawn else has > 0) * each
        weight = np.maximum(weight, 1)
        return (2 * total + weight) // (2 * weight) if self._drawn else total // weight


def strategy_of(said: dict[str, Any] | None) -> Strategy | None:
    """The strategy that `scoringStrategy` describes; None: LeastAllocated of CPU and memory, which has a faster way."""
    if not said:
        return None
    weights = tuple((each["name"], each["weight"]) for each in said["resources"])
    if said["type"] == "MostAllocated":
        return Strategy(weights, MOST)
    if said["type"] == "RequestedToCapacityRatio":
        shape = said["requestedToCapacityRatio"]["shape"]
        return Strategy(weights, along(tuple((p["utilization"], p["score"]) for p in shape)), drawn=True)
    return None if weights == CPU_AND_MEMORY else Strategy(weights, LEAST)
