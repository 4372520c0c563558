"""NodeAffinity: the pod says by labels which nodes it needs (`required…`, nodeSelector) and likes
(`preferred…`).

Terms are alternatives; the expressions inside a term must all hold. A pod whose terms all name nodes by
`metadata.name`, as a DaemonSet's pods do, is looked at on these nodes only.

Mirrors:  kubernetes/pkg/scheduler/framework/plugins/nodeaffinity/node_affinity.go
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cluster.objects import Manifest, meta
from cluster.scheduler.framework import SKIP, ClusterEvent, OnlyNodes, Plugin, Rejection, spread_scores
from cluster.scheduler.matching import requirement, term_matches
from cluster.scheduler.snapshot import NodeInfo, Numbers, View

ENFORCED = "node(s) didn't match scheduler-enforced node affinity"
OWN, ADDED = 1, 2


class Wanted(NamedTuple):
    """`selector`: labels a node must have. `terms`: one of them must hold; None: any node will do."""

    selector: dict[str, str]
    terms: list[Manifest] | None


ANY = Wanted({}, None)


class NodeAffinity(Plugin):
    name = "NodeAffinity"
    events = frozenset({("Node", "add"), ("Node", "update")})

    def __init__(self, args: Mapping[str, Any] | None = None) -> None:
        """`args`: addedAffinity, which holds for every pod of the profile besides its own."""
        added = (args or {}).get("addedAffinity") or {}
        required = added.get("requiredDuringSchedulingIgnoredDuringExecution")
        self._added = Wanted({}, required["nodeSelectorTerms"]) if required else ANY
        self._preferred: list[Manifest] = added.get("preferredDuringSchedulingIgnoredDuringExecution") or []

    def reads(self, pod: Manifest) -> Any:
        spec = pod["spec"]
        affinity = spec.get("affinity")
        return [spec.get("nodeSelector"), affinity.get("nodeAffinity") if affinity else None]

    def prefilter(self, pod: Manifest, nodes: Any) -> Any:
        wanted = _wanted(pod)
        if not wanted.selector and wanted.terms is None:
            return SKIP if self._added.terms is None else wanted
        names = _named_nodes(wanted.terms or [])
        if names is None:
            return wanted
        if not names:
            return Rejection(self.name, ("pod affinity terms conflict",))
        return OnlyNodes(names, wanted)

    def filter(self, ask: Wanted, node: NodeInfo) -> Rejection | None:
        if not _matches(self._added, node.labels, node.name):
            return self.rejection(ask, ADDED)
        return None if _matches(ask, node.labels, node.name) else self.rejection(ask, OWN)

    def filter_all(self, ask: Wanted, view: View) -> Numbers:
        bits = (~_fitting(ask, view)).astype(np.int64)
        return bits if self._added.terms is None else np.where(_fitting(self._added, view), bits, ADDED)

    def rejection(self, ask: Wanted, bits: int) -> Rejection:
        if bits == ADDED:
            return Rejection(self.name, (ENFORCED,))
        return Rejection(self.name, ("node(s) didn't match Pod's node affinity/selector",))

    def prescore(self, pod: Manifest, nodes: Any) -> Any:
        own = _node_affinity(pod).get("preferredDuringSchedulingIgnoredDuringExecution") or []
        return (own + self._preferred if self._preferred else own) or SKIP

    def score(self, ask: list[Manifest], node: NodeInfo) -> int:
        """The summed weight of the preferences that the node meets."""
        return sum(term["weight"] for term in ask if term_matches(term["preference"], node.labels, node.name))

    def score_all(self, ask: list[Manifest], view: View) -> Numbers:
        scores = np.zeros(len(view), np.int64)
        for term in ask:
            scores += term["weight"] * _term(view, term["preference"])
        return scores

    def normalize(self, scores: Numbers) -> Numbers:
        return spread_scores(scores, reverse=False)

    def wakes(self, pod: Manifest, event: ClusterEvent) -> bool:
        """A node came that matches, or one matches since its labels changed."""
        if event.new is None or not self._fits(pod, event.new):
            return False
        return event.old is None or not self._fits(pod, event.old)

    def _fits(self, pod: Manifest, node: Manifest) -> bool:
        found, name = meta.labels(node), meta.name(node)
        return _matches(self._added, found, name) and _matches(_wanted(pod), found, name)


def matching(pod: Manifest, view: View) -> NDArray[np.bool_] | None:
    """Which rows the pod's selector and required affinity allow; None: all of them, it has none."""
    wanted = _wanted(pod)
    return None if not wanted.selector and wanted.terms is None else _fitting(wanted, view)


def _fitting(wanted: Wanted, view: View) -> NDArray[np.bool_]:
    fits = np.ones(len(view), np.bool_)
    for key, value in wanted.selector.items():
        fits &= _having(view, {"key": key, "operator": "In", "values": [value]})
    if wanted.terms is not None:
        fits &= np.any([np.zeros(len(view), np.bool_), *(_term(view, term) for term in wanted.terms)], axis=0)
    return fits


def _node_affinity(pod: Manifest) -> Manifest:
    return (pod["spec"].get("affinity") or {}).get("nodeAffinity") or {}


def _wanted(pod: Manifest) -> Wanted:
    required = _node_affinity(pod).get("requiredDuringSchedulingIgnoredDuringExecution")
    terms = (required.get("nodeSelectorTerms") or []) if required is not None else None
    return Wanted(pod["spec"].get("nodeSelector") or {}, terms)


def _matches(wanted: Wanted, labels: dict[str, str], name: str) -> bool:
    if any(labels.get(key) != value for key, value in wanted.selector.items()):
        return False
    return wanted.terms is None or any(term_matches(term, labels, name) for term in wanted.terms)


def _named_nodes(terms: list[Manifest]) -> frozenset[str] | None:
    """The nodes that `terms` name by metadata.name; None if some term leaves it open."""
    names: set[str] = set()
    for term in terms:
        fields = [field for field in term.get("matchFields") or () if field["operator"] == "In"]
        if not fields:
            return None
        named = set(fields[0]["values"])
        for field in fields[1:]:
            named &= set(field["values"])
        names |= named
    return frozenset(names) if terms else None


def _term(view: View, term: Manifest) -> NDArray[np.bool_]:
    """`term_matches` for every row."""
    expressions, fields = term.get("matchExpressions") or [], term.get("matchFields") or []
    holds = np.full(len(view), bool(expressions or fields), np.bool_)
    for expression in expressions:
        holds &= _having(view, expression)
    for field in fields:
        test = requirement(field)
        holds &= np.array([test(info.name) for info in view.nodes()], np.bool_)
    return holds


def _having(view: View, expression: Manifest) -> NDArray[np.bool_]:
    """Rows whose label meets one expression: every distinct value is tested once."""
    codes, values = view.label(expression["key"])
    test = requirement(expression)
    return np.array([test(None), *(test(value) for value in values)], np.bool_)[codes]
