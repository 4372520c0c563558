"""InterPodAffinity: pods that want to be near other pods, or away from them.

What counts as near is a label of nodes (topologyKey): the same node, the same zone. Required terms forbid nodes: this
pod's affinity and anti-affinity, and the anti-affinity of pods that run already. Preferred ones make nodes more or less
liked, and running pods count here, too: who is required to be near pods like this one adds a point.

A pod whose required affinity nobody meets yet, but that would meet it itself, may go anywhere: it is the first one.

Mirrors:  kubernetes/pkg/scheduler/framework/plugins/interpodaffinity/{filtering,scoring}.go
Read next: terms.py for who is meant, tallies.py for the counting.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from cluster.objects import Manifest, meta
from cluster.scheduler.framework import MAX_NODE_SCORE, SKIP, ClusterEvent, Plugin, Rejection
from cluster.scheduler.snapshot import NodeInfo, Numbers, PodInfo, Snapshot, View
from cluster.scheduler.terms import NO_TERMS, Term, terms_of

NOT_NEAR = "node(s) didn't match pod affinity rules"
NOT_FAR = "node(s) didn't match pod anti-affinity rules"
UNWELCOME = "node(s) didn't satisfy existing pods anti-affinity rules"
NEAR, FAR, EXISTING = 1, 2, 3
HARD_WEIGHT = 1  # hardPodAffinityWeight: what a running pod's required affinity adds to a score.

Counts = tuple[tuple[str, Numbers], ...]  # (topology key, number by code of that label)


class Rules(NamedTuple):
    """Where pods are that matter. `first`: nobody meets the affinity yet, but the pod would meet it itself."""

    pod: Manifest
    snapshot: Snapshot
    near: Counts
    far: Counts
    unwelcome: Counts
    first: bool


class InterPodAffinity(Plugin):
    """`args`: hardPodAffinityWeight, ignorePreferredTermsOfExistingPods."""

    name = "InterPodAffinity"
    local = False
    events = frozenset((kind, action) for kind in ("Pod", "Node") for action in ("add", "update", "delete"))

    def __init__(self, args: Mapping[str, Any] | None = None) -> None:
        said = args or {}
        self._hard_weight = said.get("hardPodAffinityWeight", HARD_WEIGHT)
        self._only_own = bool(said.get("ignorePreferredTermsOfExistingPods"))

    # --- required -----------------------------------------------------------------------------------------------

    def prefilter(self, pod: Manifest, snapshot: Snapshot) -> Any:
        terms, tallies = terms_of(pod), snapshot.tallies
        unwelcome = tallies.said_of(pod).anti
        if not terms.affinity and not terms.anti and not unwelcome:
            return SKIP
        near: Counts = ()
        if terms.affinity:
            meant = tallies.tally(tuple(term.query for term in terms.affinity), alive=False)
            near = tuple((term.topology, meant.domains(term.topology)) for term in terms.affinity)
        far = tuple(
            (term.topology, tallies.tally((term.query,), alive=False).domains(term.topology)) for term in terms.anti
        )
        there = tuple((term.topology, carriers.domains(term.topology)) for carriers, term in unwelcome)
        return Rules(pod, snapshot, near, far, there, _is_first(pod, terms.affinity, near, snapshot))

    def filter(self, ask: Rules, node: NodeInfo) -> Rejection | None:
        codes = {topology: _code(ask.snapshot, topology, node) for topology, _ in (*ask.near, *ask.far, *ask.unwelcome)}
        if ask.near and not all(codes[topology] for topology, _ in ask.near):
            return self.rejection(ask, NEAR)
        if any(not counts[codes[topology]] for topology, counts in ask.near) and not ask.first:
            return self.rejection(ask, NEAR)
        for bits, part in ((FAR, ask.far), (EXISTING, ask.unwelcome)):
            if any(codes[topology] and counts[codes[topology]] for topology, counts in part):
                return self.rejection(ask, bits)
        return None

    def filter_all(self, ask: Rules, view: View) -> Numbers:
        bits = np.zeros(len(view), np.int64)
        for sort, part in ((EXISTING, ask.unwelcome), (FAR, ask.far)):
            for topology, counts in part:
                codes, _ = view.label(topology)
                bits = np.where((codes > 0) & (counts[codes] > 0), sort, bits)
        for topology, counts in ask.near:
            codes, _ = view.label(topology)
            apart = codes == 0 if ask.first else (codes == 0) | (counts[codes] == 0)
            bits = np.where(apart, NEAR, bits)
        return bits

    def rejection(self, ask: Rules, bits: int) -> Rejection:
        if bits == NEAR:
            return Rejection(self.name, (NOT_NEAR,))
        return Rejection(self.name, (NOT_FAR if bits == FAR else UNWELCOME,), resolvable=True)

    def without(self, ask: Rules, node: NodeInfo, gone: list[PodInfo], come: list[PodInfo]) -> Rules:
        """The same if the pods `gone` were not on `node`, and `come` were. For preemption: one node is tried."""
        snapshot, terms = ask.snapshot, terms_of(ask.pod)
        names, own = snapshot.tallies.namespace_labels, ask.pod
        near = tuple((topology, counts.copy()) for topology, counts in ask.near)
        far = tuple((topology, counts.copy()) for topology, counts in ask.far)
        unwelcome = {topology: np.zeros_like(counts) for topology, counts in ask.unwelcome}
        for topology, counts in ask.unwelcome:
            unwelcome[topology] = unwelcome[topology] + counts
        for infos, sign in ((gone, -1), (come, 1)):
            for info in infos:
                where, found = meta.namespace(info.pod), meta.labels(info.pod)
                if near and all(term.query.matches(where, found, names) for term in terms.affinity):
                    for topology, counts in near:
                        counts[_code(snapshot, topology, node)] += sign
                for term, (topology, counts) in zip(terms.anti, far, strict=True):
                    if term.query.matches(where, found, names):
                        counts[_code(snapshot, topology, node)] += sign
                for term in terms_of(info.pod).anti:
                    if term.query.matches(meta.namespace(own), meta.labels(own), names):
                        width = len(snapshot.label_column(term.topology)[1]) + 1
                        counts = unwelcome.setdefault(term.topology, np.zeros(width, np.int64))
                        counts[_code(snapshot, term.topology, node)] += sign
        first = _is_first(ask.pod, terms.affinity, near, snapshot)
        return ask._replace(near=near, far=far, unwelcome=tuple(sorted(unwelcome.items())), first=first)

    # --- preferred ----------------------------------------------------------------------------------------------

    def prescore(self, pod: Manifest, snapshot: Snapshot, rows: Any = None) -> Any:
        terms, tallies = terms_of(pod), snapshot.tallies
        points: dict[str, Numbers] = {}
        if self._only_own and not terms.liked and not terms.disliked:
            return SKIP
        if terms is not NO_TERMS:
            for part, sign in ((terms.liked, 1), (terms.disliked, -1)):
                for term in part:
                    counts = tallies.tally((term.query,), alive=False).domains(term.topology)
                    _add(points, term.topology, counts, sign * term.weight)
        if tallies.carriers:
            said = tallies.said_of(pod)
            for carriers, term in said.liked:
                _add(points, term.topology, carriers.domains(term.topology), term.weight)
            for carriers, term in said.disliked:
                _add(points, term.topology, carriers.domains(term.topology), -term.weight)
            if self._hard_weight:
                for carriers, term in said.affinity:
                    _add(points, term.topology, carriers.domains(term.topology), self._hard_weight)
        if not any(counts[1:].any() for counts in points.values()):
            return SKIP
        return snapshot, points

    def score(self, ask: Any, node: NodeInfo) -> int:
        snapshot, points = ask
        codes = ((counts, _code(snapshot, topology, node)) for topology, counts in points.items())
        return sum(int(counts[code]) for counts, code in codes if code)

    def score_all(self, ask: Any, view: View) -> Numbers:
        _, points = ask
        scores = np.zeros(len(view), np.int64)
        for topology, counts in points.items():
            codes, _ = view.label(topology)
            scores += np.where(codes > 0, counts[codes], 0)
        return scores

    def normalize(self, scores: Numbers) -> Numbers:
        """From the least liked node (0) to the most liked one (100)."""
        lowest, highest = int(scores.min()), int(scores.max())
        if highest == lowest:
            return np.zeros(len(scores), np.int64)
        return (MAX_NODE_SCORE * ((scores - lowest) / (highest - lowest))).astype(np.int64)

    # --- who wakes ----------------------------------------------------------------------------------------------

    def wakes(self, pod: Manifest, event: ClusterEvent) -> bool:
        """A pod came that is wanted near, or went that was not; a node came or moved to another place."""
        terms = terms_of(pod)
        if event.kind == "Node":
            topologies = {term.topology for term in (*terms.affinity, *terms.anti)}
            old, new = (meta.labels(known) if known is not None else {} for known in (event.old, event.new))
            if event.action == "update":
                return any(old.get(key) != new.get(key) for key in topologies) or not topologies
            return True
        if event.new is not None and all(_means(term, event.new) for term in terms.affinity) and terms.affinity:
            return True
        if event.old is None:
            return False
        was_far = any(_means(term, event.old) for term in terms.anti)
        was_unwelcome = any(_means(term, pod) for term in terms_of(event.old).anti)
        if event.action == "delete":
            return was_far or was_unwelcome
        now = event.new or {}
        return (was_far and not any(_means(term, now) for term in terms.anti)) or was_unwelcome


def _means(term: Term, pod: Manifest) -> bool:
    """Labels of namespaces are not looked up here: waking up once too often does no harm."""
    query = term.query
    if query.selector is None or not query.selector.matches(meta.labels(pod)):
        return False
    return query.chosen is not None or meta.namespace(pod) in query.namespaces


def _code(snapshot: Snapshot, topology: str, node: NodeInfo) -> int:
    return int(snapshot.label_column(topology)[0][snapshot.rows[node.name]])


def _add(points: dict[str, Numbers], topology: str, counts: Numbers, weight: int) -> None:
    known = points.get(topology)
    points[topology] = counts * weight if known is None else known + counts * weight


def _is_first(pod: Manifest, affinity: tuple[Term, ...], near: Counts, snapshot: Snapshot) -> bool:
    if not affinity or any(counts[1:].any() for _, counts in near):
        return False
    names, namespace, found = snapshot.tallies.namespace_labels, meta.namespace(pod), meta.labels(pod)
    return all(term.query.matches(namespace, found, names) for term in affinity)
