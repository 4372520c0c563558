"""DefaultPreemption: no node fits, so may a more important pod push less important ones out?

For every node whose refusal can be helped, in thought: take away all pods of lower priority. If the pod fits
then, put back as many as possible, the most important first; who can't be put back is a victim. Of all such
nodes the one that hurts least wins. The pod isn't bound now: it is *nominated* for the node and waits until
its victims have stopped.

Mirrors:  kubernetes/pkg/scheduler/framework/plugins/defaultpreemption; framework/preemption (preemption.go)
Left out: extenders; taking back the nomination of less important pods.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from cluster.objects import Manifest, labels, meta
from cluster.scheduler.framework import Cycle, Plugin, Rejection, histogram
from cluster.scheduler.snapshot import NodeInfo, PodInfo

ENOUGH_PERCENT, ENOUGH_NODES = 10, 100  # Candidates that are enough to choose from: the larger of the two.
NO_VICTIMS = "No preemption victims found for incoming pod"
DENIED = "not found"  # What is left of a look for preparations that were never made: nobody says it on purpose.
NOT_HELPFUL = "Preemption is not helpful for scheduling"


class Preemption(NamedTuple):
    """`node`: from where `victims` must go so that the pod fits; empty: none. `message`: said either way."""

    node: str
    victims: list[Manifest]
    message: str


class Candidate(NamedTuple):
    node: NodeInfo
    victims: list[PodInfo]  # The most important first.
    broken_budgets: int


class DefaultPreemption(Plugin):
    """`budgets`: the PodDisruptionBudgets now; `current`: a pod as it is now, by key.

    `args`: in a large cluster not every node is tried: enough candidates are minCandidateNodesPercentage of the nodes,
    but at least minCandidateNodesAbsolute. Where trying begins is up to chance.
    """

    name = "DefaultPreemption"

    def __init__(
        self,
        budgets: Callable[[], list[Manifest]],
        current: Callable[[str], Manifest | None],
        args: Mapping[str, Any] | None = None,
    ) -> None:
        self._budgets, self._current = budgets, current
        said = args or {}
        self._percentage = said.get("minCandidateNodesPercentage", ENOUGH_PERCENT)
        self._absolute = said.get("minCandidateNodesAbsolute", ENOUGH_NODES)

    def postfilter(self, cycle: Cycle) -> Preemption:
        if cycle.denied is not None:
            return Preemption("", [], DENIED)
        said = self._not_eligible(cycle)
        if said:
            return Preemption("", [], f"preemption: {said}")
        count = len(cycle.snapshot.nodes)
        helpful = [row for row, rejection in sorted(cycle.refusals().items()) if rejection.resolvable]
        reasons = [NOT_HELPFUL] * (count - len(helpful))
        candidates: list[Candidate] = []
        enough = max(len(helpful) * self._percentage // 100, self._absolute)
        for row in self._from_somewhere(cycle, helpful, enough):
            if len(candidates) >= enough and any(not found.broken_budgets for found in candidates):
                break
            tried = self._try(cycle, row)
            if isinstance(tried, Candidate):
                candidates.append(tried)
            else:
                reasons += tried.reasons
        if not candidates:
            return Preemption("", [], f"preemption: 0/{count} nodes are available: {histogram(reasons)}.")
        best = min(candidates, key=self._harm)
        victims = [victim.pod for victim in best.victims]
        found = f"found a potential placement for pod on node {best.node.name}, preempting {len(victims)} victims"
        return Preemption(best.node.name, victims, f"preemption: {found}")

    def _from_somewhere(self, cycle: Cycle, helpful: list[int], enough: int) -> list[int]:
        """The nodes in the order of trying. If all are tried anyway, the order changes nothing."""
        if len(helpful) <= enough:
            return helpful
        first = cycle.roll(len(helpful))
        return helpful[first:] + helpful[:first]

    def _not_eligible(self, cycle: Cycle) -> str:
        """Why the pod may not preempt at all; empty if it may."""
        spec = cycle.pod["spec"]
        if spec.get("preemptionPolicy") == "Never":
            return "not eligible due to preemptionPolicy=Never."
        row = cycle.snapshot.rows.get((cycle.pod.get("status") or {}).get("nominatedNodeName") or "")
        if row is None:
            return ""
        refused = cycle.refusals().get(row)
        if refused is not None and not refused.resolvable:
            return ""
        for key, info in cycle.snapshot.nodes[row].pods.items():
            pod = self._current(key)
            if pod is not None and meta.is_deleting(pod) and priority(info.pod) < priority(cycle.pod):
                return "not eligible due to a terminating pod on the nominated node."
        return ""

    def _try(self, cycle: Cycle, row: int) -> Candidate | Rejection:
        """The victims that would make room on a node, or why there is no room even without them."""
        node = cycle.snapshot.nodes[row]
        lower = {key: info for key, info in node.pods.items() if priority(info.pod) < priority(cycle.pod)}
        if not lower:
            return Rejection(self.name, (NO_VICTIMS,))
        gone = set(lower)
        refused = cycle.refuses(row, gone)
        if refused is not None:
            return refused
        ordered = sorted(lower, key=lambda key: (-priority(lower[key].pod), started(lower[key].pod), key))
        protected = self._protected(ordered, lower)
        victims, broken = [], 0
        for key in [*protected, *(key for key in ordered if key not in protected)]:
            gone.discard(key)
            if cycle.refuses(row, gone) is not None:
                gone.add(key)
                victims.append(lower[key])
                broken += key in protected
        if not victims:
            return Rejection(self.name, (NO_VICTIMS,))
        victims.sort(key=lambda info: (-priority(info.pod), started(info.pod)))
        return Candidate(node, victims, broken)

    def _protected(self, ordered: list[str], lower: dict[str, PodInfo]) -> list[str]:
        """Pods whose eviction would break a PodDisruptionBudget, counting those before them."""
        left = [(budget, (budget.get("status") or {}).get("disruptionsAllowed", 0)) for budget in self._budgets()]
        found = []
        for key in ordered:
            pod = lower[key].pod
            breaks = False
            for at, (budget, allowed) in enumerate(left):
                if _covers(budget, pod):
                    left[at] = (budget, allowed - 1)
                    breaks = breaks or allowed - 1 < 0
            if breaks:
                found.append(key)
        return found

    def _harm(self, candidate: Candidate) -> tuple[Any, ...]:
        """Less is better: budgets broken, the highest priority, their sum, the count; then time run."""
        priorities = [priority(victim.pod) for victim in candidate.victims]
        highest = max(priorities)
        earliest = min(started(victim.pod) for victim in candidate.victims if priority(victim.pod) == highest)
        lifted = sum(value + (1 << 31) for value in priorities)
        latest_first = tuple(-ord(letter) for letter in earliest)
        return (candidate.broken_budgets, highest, lifted, len(priorities), latest_first)


def priority(pod: Manifest) -> int:
    return int(pod["spec"].get("priority") or 0)


def started(pod: Manifest) -> str:
    """When the kubelet took it, RFC 3339, which sorts as text; creation if it has not yet."""
    return str((pod.get("status") or {}).get("startTime") or meta.created_at(pod))


def _covers(budget: Manifest, pod: Manifest) -> bool:
    if meta.namespace(budget) != meta.namespace(pod) or meta.is_deleting(pod):
        return False
    selector = budget["spec"].get("selector")
    return bool(selector) and labels.matches(selector, meta.labels(pod))
