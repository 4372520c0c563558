"""NodeResourcesFit: refuse nodes without room for what the pod *requests*; like those that have most room
left.

The scheduler counts promises (requests), never actual use: a node at 5% CPU can be "full". This surprises
everyone once; the dashboard shows both bars for that reason.

A request that is more than the node has at all can't be helped by evicting anybody; one that is only more
than what is left can. That is the difference between "Preemption is not helpful" and "No preemption victims
found".

Mirrors:  kubernetes/pkg/scheduler/framework/plugins/noderesources (fit.go, least_allocated.go)
Left out: dynamic resources.
Read next: resource_scores.py for the other strategies.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from cluster.objects import Manifest
from cluster.scheduler import resources
from cluster.scheduler.framework import MAX_NODE_SCORE, ClusterEvent, Plugin, Rejection
from cluster.scheduler.plugins.resource_scores import strategy_of
from cluster.scheduler.resources import BASIC, Requests
from cluster.scheduler.snapshot import NodeInfo, Numbers, Snapshot, View

NEVER = 1 << 31  # This bit: the node is too small even when it is empty.
NOT_ASKED = -(1 << 62)  # Less than any node has left, even an overcommitted one.


class Ask(NamedTuple):
    """`names`: all that is asked for. `wanted`: the amounts of BASIC; `weighs`: CPU and memory scored."""

    requests: Requests
    names: list[str]
    wanted: Numbers
    weighs: Numbers


class NodeResourcesFit(Plugin):
    name = "NodeResourcesFit"
    sees_pods = True
    reads = staticmethod(resources.reads)
    events = frozenset({("Pod", "delete"), ("Pod", "update"), ("Node", "add"), ("Node", "update"), ("Pod", "self")})

    def __init__(self, args: Mapping[str, Any] | None = None) -> None:
        """`args`: ignoredResources, ignoredResourceGroups, scoringStrategy; none: LeastAllocated."""
        said = args or {}
        self._strategy = strategy_of(said.get("scoringStrategy"))
        self._ignored = frozenset(said.get("ignoredResources") or ())
        self._ignored_groups = frozenset(said.get("ignoredResourceGroups") or ())

    def prefilter(self, pod: Manifest, nodes: Any) -> Ask:
        requests = resources.requests(pod)
        names = [name for name in BASIC if name in requests.amounts]
        names += sorted(name for name in requests.amounts.keys() - set(BASIC) if not self._ignores(name))
        wanted = np.array([requests.amounts.get(name, NOT_ASKED) for name in BASIC], np.int64)
        return Ask(requests, names, wanted, np.array([requests.cpu, requests.memory], np.int64))

    prescore = prefilter

    def _ignores(self, resource: str) -> bool:
        """Somebody else sees to this extended resource, a device plugin's extender for example."""
        return resource in self._ignored or resource.partition("/")[0] in self._ignored_groups

    def filter(self, ask: Ask, node: NodeInfo) -> Rejection | None:
        reasons, resolvable = [], True
        if len(node.pods) + 1 > node.allocatable.get("pods", 0):
            reasons.append("Too many pods")
        for name in ask.names:
            wanted, has = ask.requests.amounts[name], node.allocatable.get(name, 0)
            if wanted > has - node.requested.get(name, 0):
                reasons.append(f"Insufficient {name}")
                resolvable = resolvable and wanted <= has
        return Rejection(self.name, tuple(reasons), resolvable) if reasons else None

    def filter_all(self, ask: Ask, view: View) -> Numbers:
        """Bit 0: too many pods; bit n: too little of the n-th resource asked for; NEVER."""
        bits = (view.pods() >= view.allowed()).astype(np.int64)
        short = ask.wanted > view.has() - view.used()
        if short.any():
            for place, name in enumerate(ask.names, 1):
                if name in BASIC:
                    column = BASIC.index(name)
                    bits |= short[:, column].astype(np.int64) << place
                    bits |= (ask.wanted[column] > view.has()[:, column]) * NEVER
        for place, name in enumerate(ask.names, 1):
            if name not in BASIC:
                wanted, (has, used) = ask.requests.amounts[name], view.extended(name)
                bits |= (wanted > has - used).astype(np.int64) << place
                bits |= (wanted > has) * NEVER
        return bits

    def rejection(self, ask: Ask, bits: int) -> Rejection:
        reasons = ["Too many pods"] if bits & 1 else []
        reasons += [f"Insufficient {name}" for place, name in enumerate(ask.names, 1) if bits >> place & 1]
        return Rejection(self.name, tuple(reasons), not bits & NEVER)

    def score(self, ask: Ask, node: NodeInfo) -> int:
        """LeastAllocated: the mean of the free shares of CPU and memory once the pod is there, in percent."""
        if self._strategy is not None:
            return self._strategy.score(ask.requests, node)
        shares = [
            _free_share(node.allocatable.get("cpu", 0), node.cpu + ask.requests.cpu),
            _free_share(node.allocatable.get("memory", 0), node.memory + ask.requests.memory),
        ]
        known = [share for share in shares if share is not None]
        return sum(known) // len(known) if known else 0

    def score_all(self, ask: Ask, view: View) -> Numbers:
        if self._strategy is not None:
            return self._strategy.score_all(ask.requests, view)
        has = view.has()[:, :2]
        left = np.maximum(has - view.weighed() - ask.weighs, 0) * MAX_NODE_SCORE
        if view.complete:
            shares = left // has
            return (shares[:, 0] + shares[:, 1]) // 2
        there = has > 0
        shares = np.where(there, left // np.maximum(has, 1), 0)
        return shares.sum(axis=1) // np.maximum(there.sum(axis=1), 1)

    def by_row(self, ask: Ask, snapshot: Snapshot) -> tuple[Callable[[int], bool], Callable[[int], int]] | None:
        """(does it fit?, its score) of single rows, as `filter` and `score` say; None: not of such pods."""
        if self._strategy is not None or any(name not in BASIC for name in ask.names) or not snapshot.complete:
            return None
        rows = snapshot.plain
        cpu, memory, storage = (ask.requests.amounts.get(name, NOT_ASKED) for name in BASIC)
        weighed_cpu, weighed_memory = ask.requests.cpu, ask.requests.memory

        def fits(row: int) -> bool:
            slots, left, left_memory, left_storage, *_ = rows[row]
            return slots > 0 and cpu <= left and memory <= left_memory and storage <= left_storage

        def score(row: int) -> int:
            numbers = rows[row]
            free, free_memory = numbers[8] - weighed_cpu, numbers[9] - weighed_memory
            share = free * MAX_NODE_SCORE // numbers[4] if free > 0 else 0
            share += free_memory * MAX_NODE_SCORE // numbers[5] if free_memory > 0 else 0
            return share // 2

        return fits, score

    def wakes(self, pod: Manifest, event: ClusterEvent) -> bool:
        """Somebody left a node or asks for less; a node came that is large enough, or one grew."""
        if event.kind == "Pod" and event.action == "update" and event.old is not None and event.new is not None:
            before, after = (resources.requests(each).amounts for each in (event.old, event.new))
            return any(count > after.get(name, 0) for name, count in before.items())
        if event.kind == "Pod":
            return True
        if event.new is None:
            return False
        after = resources.amounts((event.new.get("status") or {}).get("allocatable"))
        before = resources.amounts((event.old.get("status") or {}).get("allocatable")) if event.old else {}
        amounts = resources.requests(pod).amounts
        asked = {name: count for name, count in amounts.items() if name in BASIC or not self._ignores(name)}
        if any(count > after.get(name, 0) for name, count in asked.items()):
            return False
        return any(after.get(name, 0) > before.get(name, 0) for name in ("pods", *asked))


def _free_share(has: int, used: int) -> int | None:
    """Percent left of `has`; None if the node has none of it."""
    return max(has - used, 0) * MAX_NODE_SCORE // has if has else None
