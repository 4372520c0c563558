"""How full may a node be? The strategies of NodeResourcesFit, and evenness for NodeResourcesBalancedAllocation.

    LeastAllocated             the emptier the better: load is spread, and every node has room for a burst
    MostAllocated              the fuller the better: pods are packed, and whole nodes can be switched off
    RequestedToCapacityRatio   the score for each degree of fullness is drawn by hand, as points of a line

Each looks at some resources and takes the mean of their scores by weight. A resource that a node has not, or an
extended one that the pod does not ask for, does not count. CPU and memory of pods that ask for nothing count with
their defaults here.

All divisions are of integers and drop the rest, downwards as well as upwards (Go cuts towards zero).

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


class Use(NamedTuple):
    """Of one resource on some nodes: `has`, and what would be `used` with the pod there. Numbers or one number."""

    has: Any
    used: Any


def asked(requests: Requests, resource: str) -> int:
    """What the pod would add, CPU and memory with their defaults."""
    if resource == "cpu":
        return requests.cpu
    return requests.memory if resource == "memory" else requests.amounts.get(resource, 0)


def counts(requests: Requests, resource: str) -> bool:
    """Extended resources count only for pods that ask for them."""
    return resource in BASIC or requests.amounts.get(resource, 0) > 0


def of_node(node: NodeInfo, requests: Requests, resource: str) -> Use:
    used = {"cpu": node.cpu, "memory": node.memory}.get(resource, node.requested.get(resource, 0))
    return Use(node.allocatable.get(resource, 0), used + asked(requests, resource))


def of_view(view: View, requests: Requests, resource: str) -> Use:
    if resource in BASIC:
        column = BASIC.index(resource)
        used = view.weighed()[:, column] if column < 2 else view.used()[:, column]
        return Use(view.has()[:, column], used + asked(requests, resource))
    has, used = view.extended(resource)
    return Use(has, used + asked(requests, resource))


class Strategy:
    """The mean of what `rate` says of each resource. `skip_zero`: a resource rated 0 does not count in the mean."""

    def __init__(self, weights: Weights, rate: Callable[[Any, Any], Any], skip_zero: bool = False) -> None:
        self.weights, self._rate, self._skip_zero = weights, rate, skip_zero

    def score(self, requests: Requests, node: NodeInfo) -> int:
        one = [Use(np.array([use.has]), np.array([use.used])) for use in self._uses(requests, node)]
        return int(self._mean(requests, one, 1)[0])

    def score_all(self, requests: Requests, view: View) -> Numbers:
        uses = [of_view(view, requests, name) for name, _ in self.weights if counts(requests, name)]
        return self._mean(requests, uses, len(view))

    def _uses(self, requests: Requests, node: NodeInfo) -> list[Use]:
        return [of_node(node, requests, name) for name, _ in self.weights if counts(requests, name)]

    def _mean(self, requests: Requests, uses: list[Use], length: int) -> Numbers:
        total, weight = np.zeros(length, np.int64), np.zeros(length, np.int64)
        counted = [each for name, each in self.weights if counts(requests, name)]
        for use, each in zip(uses, counted, strict=True):
            there = use.has > 0
            rated = np.where(there, self._rate(np.maximum(use.has, 1), use.used), 0)
            if self._skip_zero:
                there = there & (rated > 0)
            total += rated * each
            weight += there * each
        if self._skip_zero:  # This one rounds, half away from zero.
            return np.floor(total / np.maximum(weight, 1) + 0.5).astype(np.int64)
        return total // np.maximum(weight, 1)


def least(has: Numbers, used: Numbers) -> Numbers:
    """Percent left free."""
    return np.maximum(has - used, 0) * MAX_NODE_SCORE // has


def most(has: Numbers, used: Numbers) -> Numbers:
    """Percent taken."""
    return np.minimum(used, has) * MAX_NODE_SCORE // has


def along(shape: tuple[tuple[int, int], ...]) -> Callable[[Numbers, Numbers], Numbers]:
    """The line through the points (percent taken, score of 0 … 10); flat before the first and behind the last."""
    points = [(percent, score * MAX_NODE_SCORE // MAX_SHAPE_SCORE) for percent, score in shape]

    def rate(has: Numbers, used: Numbers) -> Numbers:
        percent = np.where(used > has, MAX_NODE_SCORE, used * MAX_NODE_SCORE // has)
        rated = np.full(len(percent), points[-1][1], np.int64)
        for (left, low), (right, high) in reversed([*pairwise(points)]):
            step = (high - low) * (percent - left)
            between = low + np.sign(step) * (np.abs(step) // (right - left))
            rated = np.where(percent <= right, between, rated)
        return np.where(percent <= points[0][0], points[0][1], rated)

    return rate


def strategy_of(said: dict[str, Any] | None) -> Strategy | None:
    """The strategy that `scoringStrategy` describes; None: LeastAllocated of CPU and memory, which has a faster way."""
    if not said:
        return None
    weights = tuple((each["name"], each["weight"]) for each in said["resources"])
    if said["type"] == "MostAllocated":
        return Strategy(weights, most)
    if said["type"] == "RequestedToCapacityRatio":
        shape = said["requestedToCapacityRatio"]["shape"]
        return Strategy(weights, along(tuple((p["utilization"], p["score"]) for p in shape)), skip_zero=True)
    return None if weights == CPU_AND_MEMORY else Strategy(weights, least)


def evenness(fractions: list[Any], there: list[Any]) -> Any:
    """100 where all `fractions` are alike, less the further apart they are. `there`: where each counts.

    For two, half their distance; for more, their standard deviation; floats as in the original.
    """
    number = sum(there)
    zero = np.zeros_like(fractions[0])
    mean = sum((np.where(on, f, 0.0) for f, on in zip(fractions, there, strict=True)), zero) / np.maximum(number, 1)
    apart = sum(
        (np.where(on, (f - mean) * (f - mean), 0.0) for f, on in zip(fractions, there, strict=True)), zero
    ) / np.maximum(number, 1)
    first, last = zero, zero  # Of exactly two: both, in their order.
    seen = np.zeros_like(number)
    for f, on in zip(fractions, there, strict=True):
        first = np.where((on > 0) & (seen == 0), f, first)
        last = np.where((on > 0) & (seen > 0), f, last)
        seen = seen + on
    deviation = np.where(number == 2, np.abs((first - last) / 2), np.where(number > 2, np.sqrt(apart), 0.0))
    return ((1 - deviation) * MAX_NODE_SCORE).astype(np.int64)
