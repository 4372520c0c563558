"""PodTopologySpread: alike pods are spread over zones, nodes, or whatever label says what one place is.

`DoNotSchedule`: no place may have more than maxSkew pods above the emptiest one. `ScheduleAnyway`: emptier places are
liked better, the more so the more places there are. A pod that says nothing is spread by default, over nodes and zones,
with the pods of its Services and of its owner.

Counted are living pods of the pod's own namespace; which nodes count is up to nodeAffinityPolicy and nodeTaintsPolicy.

Mirrors:  kubernetes/pkg/scheduler/framework/plugins/podtopologyspread/{common,filtering,scoring}.go
Read next: tallies.py, which does the counting.
"""

import math
from collections import OrderedDict
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cluster.objects import Manifest, labels, meta
from cluster.objects.labels import Requirement, Selector
from cluster.scheduler.framework import MAX_NODE_SCORE, SKIP, ClusterEvent, Plugin, Rejection
from cluster.scheduler.matching import FORBIDDING, tolerated, tolerations
from cluster.scheduler.plugins import node_affinity
from cluster.scheduler.snapshot import NodeInfo, Numbers, PodInfo, Snapshot, View
from cluster.scheduler.tallies import Tally
from cluster.scheduler.terms import Query, selector_of

HOSTNAME, ZONE = "kubernetes.io/hostname", "topology.kubernetes.io/zone"
NO_MATCH = "node(s) didn't match pod topology spread constraints"
NO_LABEL = f"{NO_MATCH} (missing required label)"
SKEWED, UNLABELLED = 1, 2
HARD, SOFT = "DoNotSchedule", "ScheduleAnyway"
LEFT_OUT = -1  # The score of a node without the labels.
FINE = 1 << 20  # Weights are logarithms, kept as whole numbers of 1 / FINE.

REMEMBERED = 1_024  # Pod shapes whose owners' labels are known.


class Constraint(NamedTuple):
    """One topologySpreadConstraint. `query`: the pods it counts; `honours`: (affinity?, taints?) of nodes."""

    topology: str
    most: int
    query: Query
    domains: int
    honours: tuple[bool, bool]
    self_match: int


class Spread(NamedTuple):
    """What a hard or a soft look needs. `required`: nodes without all labels are out."""

    pod: Manifest
    constraints: tuple[Constraint, ...]
    required: bool
    snapshot: Snapshot
    counts: tuple[Numbers, ...]  # By constraint and code of its label: pods that match.
    least: tuple[int, ...]  # By constraint: of the emptiest place.
    weights: tuple[int, ...]
    out: NDArray[np.bool_] | None  # Rows that are left out of the scores.


SYSTEM_DEFAULTS = (
    {"topologyKey": HOSTNAME, "maxSkew": 3, "whenUnsatisfiable": SOFT},
    {"topologyKey": ZONE, "maxSkew": 5, "whenUnsatisfiable": SOFT},
)


class PodTopologySpread(Plugin):
    """`owners`: the labels of a pod's Services and of its controller, for the default constraints.

    `args`: with defaultingType List, defaultConstraints stand in place of the cluster's own defaults.
    """

    name = "PodTopologySpread"
    local = False
    events = frozenset((kind, action) for kind in ("Pod", "Node") for action in ("add", "update", "delete"))

    def __init__(self, owners: "Owners", args: Mapping[str, Any] | None = None) -> None:
        self.owners, said = owners, args or {}
        self._listed = said.get("defaultingType") == "List"
        listed = said.get("defaultConstraints") if self._listed else SYSTEM_DEFAULTS
        self._defaults = [(each["whenUnsatisfiable"], _default_of(each)) for each in listed or ()]

    # --- DoNotSchedule ------------------------------------------------------------------------------------------

    def prefilter(self, pod: Manifest, snapshot: Snapshot) -> Any:
        hard = self._hard(pod, snapshot)
        if not hard:
            return SKIP
        counts, least = [], []
        having = _having(snapshot, hard)
        for constraint in hard:
            mask = _both(having, _counting(snapshot, pod, constraint))
            codes, values = snapshot.label_column(constraint.topology)
            tally = snapshot.tallies.tally((constraint.query,), alive=True)
            numbers = _counts_of(snapshot, constraint, tally, mask)
            counts.append(numbers)
            if mask is None:
                least.append(0 if len(values) < constraint.domains else int(numbers[1:].min()))
                continue
            least.append(_least(numbers, codes[mask], constraint.domains))
        return Spread(pod, hard, True, snapshot, tuple(counts), tuple(least), (), None)

    def filter(self, ask: Spread, node: NodeInfo) -> Rejection | None:
        for constraint, counts, least in zip(ask.constraints, ask.counts, ask.least, strict=True):
            value = node.labels.get(constraint.topology)
            if value is None:
                return self.rejection(ask, UNLABELLED)
            _, values = ask.snapshot.label_column(constraint.topology)
            number = int(counts[values.index(value) + 1])
            if number + constraint.self_match - least > constraint.most:
                return self.rejection(ask, SKEWED)
        return None

    def filter_all(self, ask: Spread, view: View) -> Numbers:
        bits: Numbers | None = None
        for constraint, counts, least in zip(ask.constraints, ask.counts, ask.least, strict=True):
            codes, _ = view.label(constraint.topology)
            told = np.where(counts > constraint.most + least - constraint.self_match, SKEWED, 0)  # By place.
            told[0] = UNLABELLED
            found = told[codes]
            bits = found if bits is None else np.where(bits == 0, found, bits)
        return np.zeros(len(view), np.int64) if bits is None else bits

    def rejection(self, ask: Spread, bits: int) -> Rejection:
        if bits == UNLABELLED:
            return Rejection(self.name, (NO_LABEL,))
        return Rejection(self.name, (NO_MATCH,), resolvable=True)

    def without(self, ask: Spread, node: NodeInfo, gone: list[PodInfo], come: list[PodInfo]) -> Spread:
        """The same if the pods `gone` were not on `node`, and `come` were. For preemption: one node is tried."""
        snapshot, row = ask.snapshot, ask.snapshot.rows[node.name]
        having = _having(snapshot, ask.constraints)
        counts, least = [], []
        for at, constraint in enumerate(ask.constraints):
            codes, _ = snapshot.label_column(constraint.topology)
            mask = _both(having, _counting(snapshot, ask.pod, constraint))
            numbers = ask.counts[at].copy()
            if mask is None or mask[row]:
                numbers[codes[row]] += _matching(constraint, come) - _matching(constraint, gone)
            counts.append(numbers)
            least.append(_least(numbers, codes if mask is None else codes[mask], constraint.domains))
        return ask._replace(counts=tuple(counts), least=tuple(least))

    # --- ScheduleAnyway -----------------------------------------------------------------------------------------

    def prescore(self, pod: Manifest, snapshot: Snapshot, rows: Numbers) -> Any:
        own = bool(pod["spec"].get("topologySpreadConstraints"))
        soft = constraints_of(pod, SOFT) if own else self._default_constraints(pod, snapshot, SOFT)
        if not soft:
            return SKIP
        own = own or self._listed
        having = _having(snapshot, soft) if own else None
        out = ~having[rows] if having is not None else None
        size = len(rows) - (int(out.sum()) if out is not None else 0)
        counts, weights = [], []
        for constraint in soft:
            tally = snapshot.tallies.tally((constraint.query,), alive=True)
            if constraint.topology == HOSTNAME:
                counts.append(tally.column)
                weights.append(_weight(size))
                continue
            codes, _ = snapshot.label_column(constraint.topology)
            chosen = codes[rows] if out is None else codes[rows[~out]]
            counts.append(_counts_of(snapshot, constraint, tally, _both(having, _counting(snapshot, pod, constraint))))
            weights.append(_weight(np.count_nonzero(np.bincount(chosen))))
        return Spread(pod, soft, own, snapshot, tuple(counts), (), tuple(weights), out)

    def _hard(self, pod: Manifest, snapshot: Snapshot | None = None) -> tuple[Constraint, ...]:
        """What must hold for the pod: its own constraints, or the listed ones."""
        if self._listed and not pod["spec"].get("topologySpreadConstraints"):
            return self._default_constraints(pod, snapshot, HARD)
        return constraints_of(pod, HARD)

    def _default_constraints(self, pod: Manifest, snapshot: Snapshot | None, when: str) -> tuple[Constraint, ...]:
        """For a pod without constraints of its own. Of the cluster's own defaults, those whose label some node has."""
        query = self.owners(pod)
        if query is None:
            return ()
        return tuple(
            default._replace(query=query)
            for unless, default in self._defaults
            if unless == when and (self._listed or snapshot is None or snapshot.label_column(default.topology)[1])
        )

    def score(self, ask: Spread, node: NodeInfo) -> int:
        if ask.required and any(c.topology not in node.labels for c in ask.constraints):
            return LEFT_OUT
        total = 0
        for constraint, counts, weight in zip(ask.constraints, ask.counts, ask.weights, strict=True):
            value = node.labels.get(constraint.topology)
            if value is None:
                continue
            if constraint.topology == HOSTNAME:
                number = int(counts[ask.snapshot.rows[node.name]])
            else:
                number = int(counts[ask.snapshot.label_column(constraint.topology)[1].index(value) + 1])
            total += number * weight + (constraint.most - 1) * FINE
        return (total + FINE // 2) // FINE

    def score_all(self, ask: Spread, view: View) -> Numbers:
        total = np.zeros(len(view), np.int64)
        for constraint, counts, weight in zip(ask.constraints, ask.counts, ask.weights, strict=True):
            codes, _ = view.label(constraint.topology)
            if constraint.topology == HOSTNAME:
                numbers = counts if view.rows is None else counts[view.rows]
            else:
                numbers = counts[codes]
            points = numbers * weight + (constraint.most - 1) * FINE
            total += points if ask.snapshot.is_everywhere(constraint.topology) else np.where(codes > 0, points, 0)
        scores = (total + FINE // 2) // FINE
        return scores if ask.out is None else np.where(ask.out, LEFT_OUT, scores)

    def normalize(self, scores: Numbers) -> Numbers:
        """The emptier the better; left out nodes get nothing."""
        counted = scores != LEFT_OUT
        if not counted.any():
            return np.zeros(len(scores), np.int64)
        highest, lowest = int(scores[counted].max()), int(scores[counted].min())
        if highest == 0:
            return np.where(counted, MAX_NODE_SCORE, 0)
        return np.where(counted, MAX_NODE_SCORE * (highest + lowest - scores) // highest, 0)

    # --- who wakes ----------------------------------------------------------------------------------------------

    def wakes(self, pod: Manifest, event: ClusterEvent) -> bool:
        """A pod that counts came, went or changed; or a node of a place that matters did."""
        hard = self._hard(pod)
        if event.kind == "Pod":
            return any(_counts(hard, known) for known in (event.old, event.new) if known is not None)
        old, new = (meta.labels(known) if known is not None else None for known in (event.old, event.new))
        if old is not None and new is not None:
            return any(old.get(c.topology) != new.get(c.topology) for c in hard)
        return all(c.topology in (new if new is not None else old or {}) for c in hard)


def _least(numbers: Numbers, codes: Numbers, domains: int) -> int:
    """Of the emptiest place among `codes`; none, if there are fewer places than `domains`."""
    present = np.bincount(codes, minlength=len(numbers)) > 0
    present[0] = False
    return int(numbers[present].min()) if np.count_nonzero(present) >= domains else 0


def _counts(constraints: tuple[Constraint, ...], pod: Manifest) -> bool:
    namespace, found = meta.namespace(pod), meta.labels(pod)
    return any(c.query.matches(namespace, found, lambda _: {}) for c in constraints)


def _matching(constraint: Constraint, infos: list[PodInfo]) -> int:
    return sum(not meta.is_deleting(info.pod) and _counts((constraint,), info.pod) for info in infos)


def constraints_of(pod: Manifest, when: str) -> tuple[Constraint, ...]:
    """The pod's own constraints of one sort."""
    said = pod["spec"].get("topologySpreadConstraints")
    if not said:
        return ()
    return tuple(_constraint(each, pod) for each in said if each.get("whenUnsatisfiable", "DoNotSchedule") == when)


def _constraint(said: Manifest, pod: Manifest) -> Constraint:
    selector = selector_of(said, pod)
    query = Query(frozenset((meta.namespace(pod),)), None, selector)
    honours = (said.get("nodeAffinityPolicy", "Honor") == "Honor", said.get("nodeTaintsPolicy", "Ignore") == "Honor")
    own = selector is not None and selector.matches(meta.labels(pod))
    return Constraint(said["topologyKey"], said["maxSkew"], query, said.get("minDomains") or 1, honours, int(own))


def _default_of(said: Manifest) -> Constraint:
    """A constraint whose pods are told for each pod anew; it is always among them."""
    return _constraint({**said, "labelSelector": None}, NOBODY)._replace(self_match=1)


NOBODY: Manifest = {"metadata": {"namespace": "", "labels": {}}}
Mask = NDArray[np.bool_] | None  # Rows; None: all of them.


def _having(snapshot: Snapshot, constraints: tuple[Constraint, ...]) -> Mask:
    """Rows of the nodes that have all the labels."""
    found: Mask = None
    for constraint in constraints:
        if not snapshot.is_everywhere(constraint.topology):
            found = _both(found, snapshot.label_column(constraint.topology)[0] > 0)
    return found


def _counting(snapshot: Snapshot, pod: Manifest, constraint: Constraint) -> Mask:
    """Rows of the nodes that count, as the policies of the constraint say."""
    affinity, taints = constraint.honours
    found = node_affinity.matching(pod, View(snapshot)) if affinity else None
    if taints:
        borne = tolerations(pod) or []
        found = _both(found, np.array([_is_open(info.taints, borne) for info in snapshot.nodes], np.bool_))
    return found


def _both(one: Mask, other: Mask) -> Mask:
    if one is None or other is None:
        return other if one is None else one
    return one & other


def _counts_of(snapshot: Snapshot, constraint: Constraint, tally: Tally, mask: Mask) -> Numbers:
    """Pods by code of the constraint's label, on the nodes of `mask`."""
    if mask is None:
        return tally.domains(constraint.topology)
    codes, values = snapshot.label_column(constraint.topology)
    return np.bincount(codes[mask], weights=tally.column[mask], minlength=len(values) + 1).astype(np.int64)


def _is_open(taints: list[Manifest], borne: list[Manifest]) -> bool:
    return all(taint["effect"] not in FORBIDDING or tolerated(borne, taint) for taint in taints)


@cache
def _weight(size: int) -> int:
    """More places, more weight for each pod too many."""
    return round(math.log(size + 2) * FINE)


class Owners:
    """How the pods of a pod's Services and of its controller are told, by their labels.

    `services`: of a namespace; `controller`: the ReplicaSet, StatefulSet or ReplicationController that owns a pod.
    """

    def __init__(
        self, services: Callable[[str], list[Manifest]], controller: Callable[[Manifest], Manifest | None]
    ) -> None:
        self._services, self._controller = services, controller
        self._known: OrderedDict[Any, Query | None] = OrderedDict()

    def forget(self) -> None:
        """A Service came, went or changed."""
        self._known.clear()

    def __call__(self, pod: Manifest) -> Query | None:
        """The pods that belong with `pod`; None: it belongs to nobody."""
        owner = meta.controller_of(pod)
        key = (meta.namespace(pod), owner["uid"] if owner else "", *meta.labels(pod).items())
        if key not in self._known:
            selector = self._selector(pod)
            mine = frozenset((meta.namespace(pod),))
            self._known[key] = Query(mine, None, selector) if selector is not None else None
            if len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
        return self._known[key]

    def _selector(self, pod: Manifest) -> Selector | None:
        found, own = meta.labels(pod), []
        for service in self._services(meta.namespace(pod)):
            chosen = service["spec"].get("selector")
            if chosen and labels.matches_map(chosen, found):
                own += [Requirement(key, "in", (value,)) for key, value in sorted(chosen.items())]
        owner = self._controller(pod)
        if owner is not None:
            said = owner["spec"].get("selector") or {}
            if owner["kind"] == "ReplicationController":
                own += [Requirement(key, "in", (value,)) for key, value in sorted(said.items())]
            else:
                own += (labels.of(said) or Selector()).requirements
        return Selector(tuple(dict.fromkeys(own))) if own else None
