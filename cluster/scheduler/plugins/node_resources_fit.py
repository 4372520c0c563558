"""NodeResourcesFit: refuse nodes without room for what the pod *requests*; like those that have most room
left.

The scheduler counts promises (requests), never actual use: a node at 5% CPU can be "full". This surprises
everyone once; the dashboard shows both bars for that reason.

A request that is more than the node has at all can't be helped by evicting anybody; one that is only more
than what is left can. That is the difference between "Preemption is not helpful" and "No preemption victims
found".

Mirrors:  kubernetes/pkg/scheduler/framework/plugins/noderesources (fit.go, least_allocated.go)
Left out: the strategies MostAllocated and RequestedToCapacityRatio; ignoredResources; dynamic resources.
"""

from typing import Any

import numpy as np

from cluster.objects import Manifest
from cluster.scheduler import resources
from cluster.scheduler.framework import MAX_NODE_SCORE, ClusterEvent, Plugin, Rejection
from cluster.scheduler.resources import Requests
from cluster.scheduler.snapshot import NodeInfo, Numbers, View

BASIC = ("cpu", "memory", "ephemeral-storage")
NEVER = 1 << 31  # This bit: the node is too small even when it is empty.


class NodeResourcesFit(Plugin):
    name = "NodeResourcesFit"
    sees_pods = True
    events = frozenset({("Pod", "delete"), ("Node", "add"), ("Node", "update"), ("Pod", "self")})

    def reads(self, pod: Manifest) -> Any:
        return resources.reads(pod)

    def prefilter(self, pod: Manifest, nodes: Any) -> Requests:
        return resources.requests(pod)

    def filter(self, ask: Requests, node: NodeInfo) -> Rejection | None:
        reasons, resolvable = [], True
        if len(node.pods) + 1 > node.allocatable.get("pods", 0):
            reasons.append("Too many pods")
        for name in in_order(ask):
            wanted, has = ask.amounts[name], node.allocatable.get(name, 0)
            if wanted > has - node.requested.get(name, 0):
                reasons.append(f"Insufficient {name}")
                resolvable = resolvable and wanted <= has
        return Rejection(self.name, tuple(reasons), resolvable) if reasons else None

    def filter_all(self, ask: Requests, view: View) -> Numbers:
        bits = (view.pods() + 1 > view.allocatable("pods")).astype(np.int64)
        for place, name in enumerate(in_order(ask), 1):
            wanted, has = ask.amounts[name], view.allocatable(name)
            bits |= (wanted > has - view.requested(name)).astype(np.int64) << place
            bits |= (wanted > has) * NEVER
        return bits

    def rejection(self, ask: Requests, bits: int) -> Rejection:
        reasons = ["Too many pods"] if bits & 1 else []
        reasons += [
            f"Insufficient {name}" for place, name in enumerate(in_order(ask), 1) if bits >> place & 1
        ]
        return Rejection(self.name, tuple(reasons), not bits & NEVER)

    def prescore(self, pod: Manifest, nodes: Any) -> Requests:
        return resources.requests(pod)

    def score(self, ask: Requests, node: NodeInfo) -> int:
        """LeastAllocated: the mean of the free shares of CPU and memory once the pod is there, in percent."""
        shares = [
            _free_share(node.allocatable.get("cpu", 0), node.cpu + ask.cpu),
            _free_share(node.allocatable.get("memory", 0), node.memory + ask.memory),
        ]
        known = [share for share in shares if share is not None]
        return sum(known) // len(known) if known else 0

    def score_all(self, ask: Requests, view: View) -> Numbers:
        total, count = np.zeros(len(view), np.int64), np.zeros(len(view), np.int64)
        for has, used in (
            (view.allocatable("cpu"), view.cpu() + ask.cpu),
            (view.allocatable("memory"), view.memory() + ask.memory),
        ):
            there = has > 0
            share = np.maximum(has - used, 0) * MAX_NODE_SCORE // np.maximum(has, 1)
            total += np.where(there, share, 0)
            count += there
        return total // np.maximum(count, 1)

    def wakes(self, pod: Manifest, event: ClusterEvent) -> bool:
        """Somebody left a node or asks for less; a node came that is large enough, or one grew."""
        if event.kind == "Pod":
            return True
        if event.new is None:
            return False
        after = resources.amounts((event.new.get("status") or {}).get("allocatable"))
        before = resources.amounts((event.old.get("status") or {}).get("allocatable")) if event.old else {}
        asked = resources.requests(pod).amounts
        if any(count > after.get(name, 0) for name, count in asked.items()):
            return False
        return any(after.get(name, 0) > before.get(name, 0) for name in ("pods", *asked))


def in_order(ask: Requests) -> list[str]:
    """The resources asked for, the order of reasons: the basic ones, then extended ones by name."""
    return [name for name in BASIC if name in ask.amounts] + sorted(ask.amounts.keys() - set(BASIC))


def _free_share(has: int, used: int) -> int | None:
    """Percent left of `has`; None if the node has none of it."""
    return max(has - used, 0) * MAX_NODE_SCORE // has if has else None
