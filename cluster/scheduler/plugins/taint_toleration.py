"""TaintToleration: a node's taints keep pods away that do not tolerate them.

`NoSchedule` and `NoExecute` forbid; `PreferNoSchedule` only makes a node less liked: the fewer such taints a
pod does not tolerate, the better.

Mirrors: kubernetes/pkg/scheduler/framework/plugins/tainttoleration/taint_toleration.go
"""

from typing import Any

import orjson

from cluster.objects import Manifest
from cluster.scheduler.framework import ClusterEvent, Plugin, Rejection, spread_scores
from cluster.scheduler.matching import FORBIDDING, tolerated, tolerations
from cluster.scheduler.snapshot import NodeInfo, Numbers, View

Tolerations = list[Manifest]


class TaintToleration(Plugin):
    name = "TaintToleration"
    reads = staticmethod(tolerations)
    events = frozenset({("Node", "add"), ("Node", "update"), ("Pod", "self")})

    def prefilter(self, pod: Manifest, nodes: Any) -> Tolerations:
        return tolerations(pod) or []

    def filter(self, ask: Tolerations, node: NodeInfo) -> Rejection | None:
        return self.rejection(ask, 1) if self._forbidden(ask, node.taints) else None

    def filter_all(self, ask: Tolerations, view: View) -> Numbers:
        return view.per_group("taints", _taints, lambda node: int(self._forbidden(ask, node.taints)))

    def rejection(self, ask: Tolerations, bits: int) -> Rejection:
        return Rejection(self.name, ("node(s) had untolerated taint(s)",))

    def prescore(self, pod: Manifest, nodes: Any) -> Tolerations:
        """Only tolerations of PreferNoSchedule, or of any effect, count here."""
        counting = (None, "", "PreferNoSchedule")
        return [toleration for toleration in tolerations(pod) or [] if toleration.get("effect") in counting]

    def score(self, ask: Tolerations, node: NodeInfo) -> int:
        """How many PreferNoSchedule taints of the node the pod does not tolerate: low is good."""
        return sum(taint["effect"] == "PreferNoSchedule" and not tolerated(ask, taint) for taint in node.taints)

    def score_all(self, ask: Tolerations, view: View) -> Numbers:
        return view.per_group("taints", _taints, lambda node: self.score(ask, node))

    def normalize(self, scores: Numbers) -> Numbers:
        return spread_scores(scores, reverse=True)

    def wakes(self, pod: Manifest, event: ClusterEvent) -> bool:
        """A node came or its taints changed, and the pod tolerates them; or it tolerates more now."""
        if event.kind == "Pod":
            return tolerations(event.old or pod) != tolerations(pod)
        taints = (event.new or {}).get("spec", {}).get("taints") or []
        if event.old is not None and (event.old.get("spec", {}).get("taints") or []) == taints:
            return False
        return not self._forbidden(tolerations(pod) or [], taints)

    def _forbidden(self, ask: Tolerations, taints: list[Manifest]) -> bool:
        return any(taint["effect"] in FORBIDDING and not tolerated(ask, taint) for taint in taints)


def _taints(node: NodeInfo) -> bytes:
    return orjson.dumps(node.taints) if node.taints else b""
