"""The scheduling framework: extension points, and how all nodes pass through them at once.

A pod's way:  PreFilter → Filter → (PostFilter) → PreScore → Score → NormalizeScore → Reserve → Permit → PreBind → Bind

A plugin is any object with a `name`; it takes part in those extension points whose method it has (`Plugin`
lists them). Filter and Score come twice: plainly, for one node, as a reader understands it; and vectorised,
for all nodes, as numpy likes it. Tests prove over thousands of random clusters that both say the same.

Most answers depend on two things only: the part of the pod that a plugin `reads`, and one node. Such a plugin
is `local`. What the local plugins say of all nodes is kept in a `Plan`, one for each pod shape, and only the
nodes that changed since are asked again: a thousand pods of one Deployment cost little more than one.

Mirrors:  kubernetes/pkg/scheduler/framework/runtime/framework.go; schedule_one.go (findNodesThatFitPod,
          selectHost)
Left out: extenders, waiting in Permit, opportunistic batching, the parallelism of 16 workers (we look at
          nodes in order).
Read next: plugins/node_resources_fit.py, then scheduler.py.
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import orjson
from numpy.typing import NDArray

from cluster.objects import Manifest, meta
from cluster.scheduler.snapshot import NodeInfo, Numbers, PodInfo, Snapshot, View

MAX_NODE_SCORE = 100
MIN_FEASIBLE_NODES = 100  # Fewer than this many nodes are never sampled.
MIN_PERCENTAGE = 5
PLANS = 64  # Pod shapes remembered.
FEW = 3  # Up to so many changed nodes are asked one by one …
SEVERAL = 24  # … or so many, if every plugin that looks at pods has prepared itself for single rows.
NO_NODES = "no nodes available to schedule pods"


class Rejection(NamedTuple):
    """Why a plugin refused a node. `resolvable`: evicting other pods might help, so preemption may try."""

    plugin: str
    reasons: tuple[str, ...]
    resolvable: bool = False


class Skip:
    """What PreFilter or PreScore answers when the plugin has nothing to say about this pod."""


SKIP = Skip()


class OnlyNodes(NamedTuple):
    """PreFilter's answer when the pod names its nodes: look at `names` only. `ask` goes to Filter."""

    names: frozenset[str]
    ask: Any


class PreBindError(Exception):
    """A pod that waits in PreBind waits in vain; `str()` is what is said about it."""


class ClusterEvent(NamedTuple):
    """Something that may make an unschedulable pod schedulable. `action`: add, update, delete."""

    kind: str
    action: str
    old: Manifest | None
    new: Manifest | None


def nothing(pod: Manifest) -> None:
    """What a plugin reads of a pod that doesn't look at it."""


class Plugin:
    """What a plugin may have. Missing methods are extension points it takes no part in.

    prefilter(pod, nodes) -> ask | SKIP | OnlyNodes | Rejection      filter(ask, node) -> Rejection | None
    filter_all(ask, view) -> bits (0 fits)                           rejection(ask, bits) -> Rejection
    preenqueue(pod) -> bool: may it enter the queue?                 rank(entry) -> what the queue is sorted by
    postfilter(cycle) -> Preemption: a node to keep free, whom to evict, and what to say
    without(ask, node, gone, come) -> ask, if some pods of a node were gone and others had come: of those not `local`
    prescore(pod, nodes) -> ask | SKIP                               score(ask, node) -> int
    score_all(ask, view) -> numbers                                  normalize(scores) -> numbers
    by_row(ask, snapshot) -> (fits(row) -> bool | None, score(row) -> int) | None: filter and score once more, prepared
        for single rows of one snapshot; None: this pod is not for such short work
    reserve(pod, node), unreserve(pod, node)                         permit(pod, node)
    preflight(pod, node) -> what PreBind has to do, plain data | None
    prebind(pod, node, plan)                                         is_done(pod, node, plan) -> bool
    bind(client, pod, node)                                          timeout: how long is_done may be asked
    """

    name = ""
    local = True  # A node's answer depends on what the plugin reads of the pod, and on that node alone.
    sees_pods = False  # The answer changes when pods come to the node or leave it.
    reads: Any = staticmethod(nothing)  # The part of a pod that decides, as JSON data: alike here, alike answered.
    events: frozenset[tuple[str, str]] = frozenset()  # (kind, action) that may change a refusal of this plugin.

    def wakes(self, pod: Manifest, event: ClusterEvent) -> bool:
        """May `event` have made `pod`, which this plugin refused, schedulable? (A queueing hint.)"""
        return True


class Entry(NamedTuple):
    """A line of the profile: a plugin and the weight of its score."""

    plugin: Any
    weight: int = 1


class Profile(NamedTuple):
    """`points`: who takes part in each extension point, in order. `percentage`: of nodes to find; 0: adaptive."""

    name: str
    points: Mapping[str, tuple[Entry, ...]]
    percentage: int = 0

    def at(self, point: str) -> tuple[Entry, ...]:
        return self.points.get(point, ())

    def plugins(self, point: str) -> list[Any]:
        return [entry.plugin for entry in self.at(point)]


class Quick(NamedTuple):
    """The plugins that look at pods, prepared for single rows. `still`: per row the scores of the others, or none.

    `checks`: (position, plugin, ask, fits); `scores`: (raw scores, weight, score); a weight of 0: is normalised.
    """

    checks: list[tuple[int, Any, Any, Callable[[int], bool]]]
    scores: list[tuple[Numbers, int, Callable[[int], int]]]
    still: Numbers | None


class Plan:
    """What the local plugins say of every node to pods of one shape.

    `refusal`: per row an index into `rejections`, 0 = fits. `fixed`: the weighted sum of the scores that need
    no normalising. `raw`: per plugin the score of every row.
    """

    __slots__ = (
        "asks",
        "constant",
        "denied",
        "epoch",
        "feasible",
        "filters",
        "fixed",
        "flat",
        "known",
        "only",
        "position",
        "quick",
        "raw",
        "refusal",
        "rejections",
        "rows",
        "scores",
        "seen",
        "varying",
        "weights",
    )  # fmt: skip

    def __init__(self, count: int = 0) -> None:
        self.refusal: Numbers = np.zeros(count, np.int64)
        self.fixed: Numbers = np.zeros(count, np.int64)
        self.denied: Rejection | None = None
        self.only: OnlyNodes | None = None
        self.filters: list[tuple[int, Any, Any]] = []  # (position in the profile, plugin, ask)
        self.scores: list[tuple[Entry, Any]] = []
        self.rejections: list[Rejection] = [Rejection("", ())]
        self.position: list[int] = [-1]  # Of the refusing plugin in the profile, for each rejection.
        self.known: dict[Rejection, int] = {}
        self.raw: dict[str, Numbers] = {}
        self.rows: set[int] | None = None  # The rows of the nodes that the pod names; None: all.
        self.feasible: Numbers | None = None  # Rows that fit, ascending; None: not known now.
        self.varying: list[Entry] = []  # Normalised plugins whose scores differ between nodes.
        self.flat: dict[str, int] = {}  # The other normalised plugins: what every node gets, without weight.
        self.constant = 0  # What these add to every node.
        self.quick: Quick | None = None
        self.weights: dict[tuple[str, ...], list[list[Any]]] = {}  # See verdict.py; by what was normalised.
        self.epoch = self.seen = -1

    def index_of(self, rejection: Rejection, position: int) -> int:
        index = self.known.get(rejection)
        if index is None:
            index = self.known[rejection] = len(self.rejections)
            self.rejections.append(rejection)
            self.position.append(position)
        return index


class Cycle:
    """One pod's scheduling cycle, and what came of it. `row` is the chosen node's, None if none fits."""

    __slots__ = (
        "asked", "considered", "evaluated", "expected", "message", "nominated", "normalized", "place", "plan", "pod",
        "refusal", "rejections", "roll", "row", "scored", "snapshot", "ties", "total",
    )  # fmt: skip

    def __init__(self, pod: Manifest, snapshot: Snapshot, plan: Plan, roll: Callable[[int], int]) -> None:
        self.pod, self.snapshot, self.plan, self.roll = pod, snapshot, plan, roll
        self.row: int | None = None
        self.place = 0  # Of the chosen one among those scored.
        self.refusal: NDArray[np.int64] | None = None  # Per row; None if PreFilter refused the pod.
        self.rejections: list[Rejection] = plan.rejections
        self.asked: list[tuple[int, Any, Any]] = []  # (position, wide plugin, ask): those with something to say.
        self.considered: Numbers | None = None  # Rows looked at, in order; None: all.
        self.evaluated = 0
        self.expected: dict[int, list[PodInfo]] = {}  # Pods nominated for a row, at least as important as this one.
        self.scored: Numbers | None = None  # Rows scored, in the order of looking.
        self.total: Numbers | None = None
        self.normalized: dict[str, Numbers] = {}
        self.ties = 1
        self.message = ""
        self.nominated: str | None = None

    @property
    def node(self) -> str | None:
        return None if self.row is None else self.snapshot.nodes[self.row].name

    @property
    def denied(self) -> Rejection | None:
        """PreFilter's refusal of the pod, whatever the node."""
        return self.plan.denied or (self.rejections[0] if self.rejections[0].plugin else None)

    def refusals(self) -> dict[int, Rejection]:
        """Row to rejection, of every node looked at and refused."""
        if self.refusal is None:
            return {}
        rows = np.flatnonzero(self.refusal) if self.considered is None else self.considered
        return {
            row: self.rejections[index]
            for row, index in zip(rows.tolist(), self.refusal[rows].tolist(), strict=True)
            if index
        }

    def refuses(self, row: int, without: frozenset[str] | set[str]) -> Rejection | None:
        """Would the node be refused if the pods `without` were gone, and those expected there had come?"""
        node, expected = self.snapshot.nodes[row], self.expected.get(row)
        gone = [info for key, info in node.pods.items() if key in without]
        situations: list[tuple[NodeInfo, list[PodInfo]]] = []
        if without or not expected:
            situations.append((node.without(without), []))
        if expected:
            situations.append((node.without(without, expected), expected))
        filters = sorted([*self.plan.filters, *self.asked], key=_position) if self.asked else self.plan.filters
        for situation, come in situations:
            for _, plugin, ask in filters:
                if (gone or come) and not plugin.local and hasattr(plugin, "without"):
                    ask = plugin.without(ask, node, gone, come)
                rejection = plugin.filter(ask, situation)
                if rejection is not None:
                    return rejection  # type: ignore[no-any-return]
        return None

    def rejecting_plugins(self) -> list[str]:
        """Plugins that refused some node, in alphabetical order: their events wake the pod up."""
        if self.denied is not None:
            return [self.denied.plugin]
        names = {rejection.plugin for rejection in self.refusals().values()}
        if self.plan.only is not None:
            names.add("NodeAffinity")
        return sorted(names)


class Framework:
    """A profile at work. `roll(n)`: a number of 0 … n - 1 for this decision, used to break ties."""

    def __init__(self, profile: Profile) -> None:
        self.profile = profile
        self.filtering, self.scoring = profile.plugins("filter"), profile.at("score")
        self.by_name = {plugin.name: plugin for point in profile.points for plugin in profile.plugins(point)}
        speaking = [*self.filtering, *(entry.plugin for entry in self.scoring)]
        reading = dict.fromkeys(plugin.reads for plugin in speaking if plugin.local)  # Each once, in order.
        self._readers = [read for read in reading if read is not nothing]
        self._filters = list(enumerate(self.filtering))
        crowded = [i for i, plugin in self._filters if plugin.local and plugin.sees_pods]
        self._first_crowded = min(
            crowded, default=len(self._filters)
        )  # A refusal before it stands when only pods moved.
        self._wide_filters = [(i, plugin) for i, plugin in self._filters if not plugin.local]
        self._wide_scores = [entry for entry in self.scoring if not entry.plugin.local]
        self.gating, self.post_filtering = profile.plugins("preEnqueue"), profile.plugins("postFilter")
        self.reserving = [plugin for plugin in profile.plugins("reserve") if hasattr(plugin, "reserve")]
        self.permitting = profile.plugins("permit")
        self.prebinding, self.binding = profile.plugins("preBind"), profile.plugins("bind")
        self._plans: OrderedDict[bytes, Plan] = OrderedDict()

    # --- one pod --------------------------------------------------------------------------------------------
    # ------------------------------------------------------------------------------------------------

    def schedule(self, pod: Manifest, snapshot: Snapshot, start: int, roll: Callable[[int], int]) -> Cycle:
        """Find a node for `pod`. `start`: the row at which looking begins, as the last cycle left it."""
        snapshot.refresh()
        plan = self._plan(pod, snapshot)
        cycle = Cycle(pod, snapshot, plan, roll)
        if not snapshot.nodes:
            cycle.message = NO_NODES
            return cycle
        if plan.denied is not None:
            return cycle
        feasible = self._filter(cycle, pod, snapshot)
        if cycle.rejections[0].plugin:  # A wide plugin's PreFilter refused the pod.
            return cycle
        nominated = self._nominated(cycle, pod, snapshot)
        if nominated is not None:
            chosen = nominated
        elif plan.only is not None:
            chosen = self._among_named(cycle, feasible)
        else:
            chosen = self._sample(cycle, feasible, start % len(snapshot.nodes), len(snapshot.nodes))
        if len(chosen) == 1:
            cycle.row, cycle.scored = int(chosen[0]), chosen
        elif len(chosen):
            self._score(cycle, chosen, roll)
        return cycle

    def _nominated(self, cycle: Cycle, pod: Manifest, snapshot: Snapshot) -> Numbers | None:
        """A node that preemption has cleared for this pod is tried first, alone."""
        row = snapshot.rows.get((pod.get("status") or {}).get("nominatedNodeName") or "", -1)
        if row < 0 or cycle.refusal is None or cycle.refusal[row]:
            return None
        cycle.considered = np.array([row], np.int64)
        return cycle.considered

    def _among_named(self, cycle: Cycle, feasible: Numbers) -> Numbers:
        """PreFilter named the nodes: all of them are looked at, the others are not."""
        cycle.considered = np.array(sorted(cycle.plan.rows or ()), np.int64)
        cycle.evaluated = len(cycle.considered)
        return feasible[np.isin(feasible, cycle.considered)]

    def _sample(self, cycle: Cycle, feasible: Numbers, start: int, count: int) -> Numbers:
        """The first nodes that fit, from `start` on and around, until there are enough to choose from."""
        wanted = nodes_to_find(count, self.profile.percentage)
        first = int(np.searchsorted(feasible, start)) if start else 0
        if len(feasible) <= wanted:
            cycle.evaluated = count
            return np.concatenate((feasible[first:], feasible[:first])) if first else feasible
        last = first + wanted
        stop = int(feasible[last % len(feasible)])  # The one too many, at which the search ends.
        cycle.evaluated = (stop - start) % count or count
        if len(cycle.rejections) > 1:
            rows, end = counting(count), start + cycle.evaluated
            cycle.considered = rows[start:end] if end <= count else np.concatenate((rows[start:], rows[: end - count]))
        if last <= len(feasible):
            return feasible[first:last]
        return np.concatenate((feasible[first:], feasible[: last - len(feasible)]))

    # --- filter ---------------------------------------------------------------------------------------------
    # -------------------------------------------------------------------------------------------------

    def _filter(self, cycle: Cycle, pod: Manifest, snapshot: Snapshot) -> Numbers:
        """Run Filter over all nodes; returns the rows that fit."""
        plan = cycle.plan
        cycle.refusal = plan.refusal
        wide = []
        for i, plugin in self._wide_filters:
            ask = plugin.prefilter(pod, snapshot)
            if isinstance(ask, Rejection):
                cycle.rejections, cycle.refusal = [ask], None
                return np.zeros(0, np.int64)
            wide.append((i, plugin, ask))
        cycle.asked = [(i, plugin, ask) for i, plugin, ask in wide if ask is not SKIP]
        if cycle.asked:
            self._filter_wide(cycle, snapshot, cycle.asked)
        if snapshot.nominated:
            self._keep_nominated_free(cycle, pod, snapshot)
        if cycle.refusal is not plan.refusal:
            return np.flatnonzero(cycle.refusal == 0)
        if plan.feasible is None:
            plan.feasible = np.flatnonzero(plan.refusal == 0)
        return plan.feasible

    def _keep_nominated_free(self, cycle: Cycle, pod: Manifest, snapshot: Snapshot) -> None:
        """Nodes for which pods at least as important are nominated must have room for these, too."""
        own, rank = meta.key(pod), pod["spec"].get("priority") or 0
        for key, (name, info) in sorted(snapshot.nominated.items()):
            if key != own and (info.pod["spec"].get("priority") or 0) >= rank and name in snapshot.rows:
                cycle.expected.setdefault(snapshot.rows[name], []).append(info)
        for row in cycle.expected:
            rejection = cycle.refuses(row, frozenset())
            if rejection is None or cycle.refusal is None or cycle.refusal[row]:
                continue
            if cycle.refusal is cycle.plan.refusal:
                cycle.refusal, cycle.rejections = cycle.refusal.copy(), list(cycle.rejections)
            cycle.refusal[row] = len(cycle.rejections)
            cycle.rejections.append(rejection)

    def _filter_wide(self, cycle: Cycle, snapshot: Snapshot, asked: list[tuple[int, Any, Any]]) -> None:
        """The plugins that look beyond one node; where two refuse, the earlier in the profile is named."""
        plan = cycle.plan
        refusal, rejections, position = plan.refusal, list(plan.rejections), list(plan.position)
        view = View(snapshot)
        for i, plugin, ask in asked:
            bits = plugin.filter_all(ask, view)
            if not bits.any():
                continue
            open_ = refusal == 0
            if max(position) > i:  # Somebody later in the profile refused some nodes already: now it is this one.
                open_ |= np.array(position)[refusal] > i
            fresh = np.where(open_, bits, 0)
            if refusal is plan.refusal:
                refusal = refusal.copy()
            highest = int(fresh.max())
            while highest:  # One after the other: there are two or three at most.
                refusal[fresh == highest] = len(rejections)
                rejections.append(plugin.rejection(ask, highest))
                position.append(i)
                fresh[fresh == highest] = 0
                highest = int(fresh.max())
        if refusal is not plan.refusal:
            cycle.refusal, cycle.rejections = refusal, rejections

    # --- score ----------------------------------------------------------------------------------------------
    # --------------------------------------------------------------------------------------------------

    def _score(self, cycle: Cycle, chosen: Numbers, roll: Callable[[int], int]) -> None:
        plan = cycle.plan
        total = plan.fixed[chosen]
        if plan.constant:
            total += plan.constant
        for entry in plan.varying:
            scores = entry.plugin.normalize(plan.raw[entry.plugin.name][chosen])
            cycle.normalized[entry.plugin.name] = scores
            total += scores * entry.weight
        for entry in self._wide_scores:
            ask = entry.plugin.prescore(cycle.pod, cycle.snapshot, chosen)
            if ask is SKIP:
                continue
            scores = entry.plugin.score_all(ask, View(cycle.snapshot, chosen))
            if hasattr(entry.plugin, "normalize"):
                scores = entry.plugin.normalize(scores)
            cycle.normalized[entry.plugin.name] = scores
            total += scores * entry.weight
        best = np.flatnonzero(total == total.max())
        cycle.ties = len(best)
        cycle.place = int(best[roll(len(best))] if len(best) > 1 else best[0])
        cycle.row = int(chosen[cycle.place])
        cycle.scored, cycle.total = chosen, total

    # --- plans ----------------------------------------------------------------------------------------------
    # --------------------------------------------------------------------------------------------------

    def _plan(self, pod: Manifest, snapshot: Snapshot) -> Plan:
        shape = orjson.dumps([read(pod) for read in self._readers])
        plan = self._plans.get(shape)
        if plan is None:
            plan = self._plans[shape] = Plan()
            if len(self._plans) > PLANS:
                self._plans.popitem(last=False)
        else:
            self._plans.move_to_end(shape)
        if plan.epoch != snapshot.epoch:
            self._lay_out(plan, pod, snapshot)
        elif plan.seen < len(snapshot.log):
            self._mend(plan, snapshot)
        plan.seen = len(snapshot.log)
        return plan

    def _lay_out(self, plan: Plan, pod: Manifest, snapshot: Snapshot) -> None:
        """Ask every local plugin about every node."""
        count = len(snapshot.nodes)
        plan.__init__(count)  # type: ignore[misc]
        plan.epoch = snapshot.epoch
        for i, plugin in self._filters:
            if not plugin.local:
                continue
            ask = plugin.prefilter(pod, snapshot)
            if isinstance(ask, Rejection):
                plan.denied = ask
                return
            if isinstance(ask, OnlyNodes):
                plan.only, ask = ask, ask.ask
            if ask is not SKIP:
                plan.filters.append((i, plugin, ask))
        for entry in self.scoring:
            if entry.plugin.local:
                ask = entry.plugin.prescore(pod, snapshot)
                if ask is not SKIP:
                    plan.scores.append((entry, ask))
        plan.raw = {entry.plugin.name: np.zeros(count, np.int64) for entry, _ in plan.scores}
        rows = None
        if plan.only is not None:
            plan.rows = {snapshot.rows[name] for name in plan.only.names if name in snapshot.rows}
            rows = np.array(sorted(plan.rows), np.int64)
        self._ask(plan, snapshot, rows, True)
        self._settle_normalized(plan)
        plan.quick = self._prepared(plan, snapshot)

    def _prepared(self, plan: Plan, snapshot: Snapshot) -> Quick | None:
        """None: some plugin that looks at pods can't be asked about single rows."""
        checks, scores, still = [], [], None
        ready: dict[str, Any] = {}
        for i, plugin, ask in plan.filters:
            if i < self._first_crowded:
                continue
            ready[plugin.name] = made = plugin.by_row(ask, snapshot) if hasattr(plugin, "by_row") else None
            if made is None or made[0] is None:
                return None
            checks.append((i, plugin, ask, made[0]))
        for entry, ask in plan.scores:
            plugin, raw = entry.plugin, plan.raw[entry.plugin.name]
            weight = 0 if hasattr(plugin, "normalize") else entry.weight
            if not plugin.sees_pods:
                if weight:
                    still = raw * weight if still is None else still + raw * weight
                continue
            made = plugin.by_row(ask, snapshot) if hasattr(plugin, "by_row") else None
            if made is None:
                return None
            scores.append((raw, weight, made[1]))
        return Quick(checks, scores, still)

    def _mend(self, plan: Plan, snapshot: Snapshot) -> None:
        """Ask again about the nodes that changed."""
        changes = set(snapshot.log[plan.seen :])
        described = {~change for change in changes if change < 0}
        crowded = {change for change in changes if change >= 0} - described
        if plan.rows is not None:
            described, crowded = described & plan.rows, crowded & plan.rows
        quick = plan.quick if snapshot.complete else None
        if quick is not None and len(crowded) <= SEVERAL:
            self._ask_quickly(plan, quick, snapshot, sorted(crowded))
            crowded = set()
        for rows, everything in ((described, True), (crowded, False)):
            if len(rows) > FEW:
                self._ask(plan, snapshot, np.array(sorted(rows), np.int64), everything)
            else:
                for row in rows:
                    self._ask_one(plan, snapshot.nodes[row], row, everything)
        if described:
            self._settle_normalized(plan)
            plan.quick = self._prepared(plan, snapshot)

    def _ask(self, plan: Plan, snapshot: Snapshot, rows: Numbers | None, everything: bool) -> None:
        """Vectorised: about `rows` (None: all). Without `everything`, only plugins that look at pods."""
        view = View(snapshot, rows)
        where: Any = slice(None) if rows is None else rows
        first = 0 if everything else self._first_crowded
        refusal = np.zeros(len(view), np.int64)
        if first and len(plan.rejections) > 1:  # A refusal that has nothing to do with pods stands.
            before = plan.refusal[where]
            refusal = np.where(np.array(plan.position)[before] < first, before, 0)
        for i, plugin, ask in plan.filters:
            if i < first:
                continue
            bits = plugin.filter_all(ask, view)
            if bits.any():
                fresh = (refusal == 0) & (bits != 0)
                for value in np.unique(bits[fresh]).tolist():
                    refusal[fresh & (bits == value)] = plan.index_of(plugin.rejection(ask, value), i)
        if plan.feasible is None or ((refusal == 0) != (plan.refusal[where] == 0)).any():
            plan.feasible = None
        plan.refusal[where] = refusal
        fixed = np.zeros(len(view), np.int64)
        for entry, ask in plan.scores:
            raw = plan.raw[entry.plugin.name]
            scores = entry.plugin.score_all(ask, view) if everything or entry.plugin.sees_pods else raw[where]
            raw[where] = scores
            if not hasattr(entry.plugin, "normalize"):
                fixed += scores if entry.weight == 1 else scores * entry.weight
        plan.fixed[where] = fixed

    def _ask_quickly(self, plan: Plan, quick: Quick, snapshot: Snapshot, rows: list[int]) -> None:
        """About a few rows whose pods changed: cheaper than numpy, since nothing has to be looked up."""
        refusal, fixed, first = plan.refusal, plan.fixed, self._first_crowded
        checks, scores, still = quick
        for row in rows:
            before = int(refusal[row])
            if not before or plan.position[before] >= first:
                now = 0
                for i, plugin, ask, fits in checks:
                    if not fits(row):
                        now = plan.index_of(plugin.filter(ask, snapshot.nodes[row]), i)
                        break
                if now != before:
                    if not now or not before:
                        plan.feasible = None
                    refusal[row] = now
            total = 0 if still is None else int(still[row])
            for raw, weight, score in scores:
                raw[row] = points = score(row)
                total += points * weight
            fixed[row] = total

    def _ask_one(self, plan: Plan, node: NodeInfo, row: int, everything: bool) -> None:
        """The same for a single row, with the plain half of the plugins: cheaper than numpy for one."""
        index = int(plan.refusal[row])
        first = 0 if everything else self._first_crowded
        if not index or plan.position[index] >= first:
            index = 0
            for i, plugin, ask in plan.filters:
                rejection = plugin.filter(ask, node) if i >= first else None
                if rejection is not None:
                    index = plan.index_of(rejection, i)
                    break
            if index != plan.refusal[row]:
                if not index or not plan.refusal[row]:
                    plan.feasible = None
                plan.refusal[row] = index
        fixed = 0
        for entry, ask in plan.scores:
            name = entry.plugin.name
            if everything or entry.plugin.sees_pods:
                plan.raw[name][row] = score = entry.plugin.score(ask, node)
                if not hasattr(entry.plugin, "normalize"):
                    fixed += score * entry.weight
            elif not hasattr(entry.plugin, "normalize"):
                fixed += int(plan.raw[name][row]) * entry.weight
        plan.fixed[row] = fixed

    def _settle_normalized(self, plan: Plan) -> None:
        """Which normalised scores differ at all? The others add the same to every node."""
        plan.varying, plan.flat, plan.constant = [], {}, 0
        for entry, _ in plan.scores:
            if hasattr(entry.plugin, "normalize"):
                raw = plan.raw[entry.plugin.name]
                if raw.any():
                    plan.varying.append(entry)
                else:
                    plan.flat[entry.plugin.name] = score = int(entry.plugin.normalize(np.zeros(1, np.int64))[0])
                    plan.constant += score * entry.weight


@lru_cache(maxsize=64)
def counting(count: int) -> Numbers:
    """0, 1, 2 … Not to be changed: others use it, too."""
    return np.arange(count, dtype=np.int64)


def _position(filter_: tuple[int, Any, Any]) -> int:
    return filter_[0]


def nodes_to_find(count: int, percentage: int = 0) -> int:
    """How many fitting nodes are enough to choose from. `percentage`: percentageOfNodesToScore; 0: adaptive."""
    if count < MIN_FEASIBLE_NODES:
        return count
    if percentage == 0:
        percentage = max(50 - count // 125, MIN_PERCENTAGE)
    return max(count * percentage // 100, MIN_FEASIBLE_NODES)


def spread_scores(scores: Numbers, reverse: bool) -> Numbers:
    """Stretch scores so that the highest becomes 100 (DefaultNormalizeScore). `reverse`: low is good."""
    highest = int(scores.max()) if len(scores) else 0
    if highest == 0:
        return np.full(len(scores), MAX_NODE_SCORE, np.int64) if reverse else scores
    stretched = scores * MAX_NODE_SCORE // highest
    return MAX_NODE_SCORE - stretched if reverse else stretched


def fit_error(cycle: Cycle) -> str:
    """`0/5 nodes are available: 2 Insufficient cpu, …`: counted by reason, sorted as text."""
    count = len(cycle.snapshot.nodes)
    if count == 0:
        return NO_NODES
    if cycle.denied is not None:
        return f"0/{count} nodes are available: {', '.join(cycle.denied.reasons)}."
    refusals = cycle.refusals().values()
    reasons = [reason for rejection in refusals for reason in rejection.reasons]
    if cycle.plan.only is not None:
        reasons += ["node(s) didn't satisfy plugin(s) [NodeAffinity]"] * (count - len(refusals))
    return f"0/{count} nodes are available: {histogram(reasons)}."


def histogram(reasons: list[str]) -> str:
    counts: dict[str, int] = {}
    for reason in reasons:
        counts[reason] = counts.get(reason, 0) + 1
    return ", ".join(sorted(f"{number} {reason}" for reason, number in counts.items()))
