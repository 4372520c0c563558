"""Disruption controller: how many pods of a PodDisruptionBudget may be evicted right now.

It only counts. The eviction sub-resource asks the number, charges it, and waits for the next count.

Mirrors:  kubernetes/pkg/controller/disruption/disruption.go (trySync)
Left out: scale sub-resources of custom resources.
"""

from typing import Any

from cluster.controllers.rounding import scaled
from cluster.engine.clock import MINUTE, SECOND
from cluster.engine.controller import Controller
from cluster.objects import Manifest, conditions, labels, meta, pods, times

DELETION_TIMEOUT = 2 * MINUTE
STALE_TARGET = 2 * MINUTE


class DisruptionController(Controller):
    name = "disruption-controller"
    source = "controllermanager"
    kind = "PodDisruptionBudget"

    def watch(self) -> None:
        super().watch()
        self.informers.subscribe("Pod", self._pod_changed, self.name)

    def _changed(self, old: Manifest | None, new: Manifest | None) -> None:
        """Our own counting is no news, but a charged eviction is."""
        if old is None or new is None or _asked(old) != _asked(new):
            super()._changed(old, new)

    def _pod_changed(self, old: Manifest | None, new: Manifest | None) -> None:
        pod = new or old or {}
        for budget in self.informers.list("PodDisruptionBudget", meta.namespace(pod)):
            selector = budget["spec"].get("selector")
            if any(p is not None and labels.matches(selector, meta.labels(p)) for p in (old, new)):
                self.queue.add(meta.key(budget))

    def reconcile(self, budget: Manifest) -> None:
        """Count healthy pods, wanted pods, and what lies between."""
        selector, namespace = budget["spec"].get("selector"), meta.namespace(budget)
        chosen = [p for p in self.informers.list("Pod", namespace) if labels.matches(selector, meta.labels(p))]
        if not chosen:
            self.recorder.event(budget, "Normal", "NoPods", "No matching pods found")
        expected, desired, problem = self._expected(budget, chosen)
        if problem:
            message = f"Failed to calculate the number of expected pods: {problem}"
            self.recorder.event(budget, "Warning", "CalculateExpectedPodCountFailed", message)
            return
        disrupted = self._still_disrupted(budget, chosen)
        healthy = sum(1 for p in chosen if pods.is_alive(p) and meta.name(p) not in disrupted and pods.is_ready(p))
        allowed = 0 if expected <= 0 or healthy < desired else healthy - desired
        before = budget.get("status") or {}
        status: dict[str, Any] = {
            "observedGeneration": meta.generation(budget),
            "disruptionsAllowed": allowed,
            "currentHealthy": healthy,
            "desiredHealthy": desired,
            "expectedPods": expected,
        }
        if disrupted:
            status["disruptedPods"] = disrupted
        status["conditions"] = self._conditions(budget, before, allowed)
        self.client.update_status({**budget, "status": status})

    def _expected(self, budget: Manifest, chosen: list[Manifest]) -> tuple[int, int, str]:
        """(pods there should be, pods that must stay healthy, problem)."""
        spec = budget["spec"]
        if spec.get("maxUnavailable") is not None:
            expected, problem = self._scale_of_owners(chosen)
            return expected, max(expected - scaled(spec["maxUnavailable"], expected, round_up=True), 0), problem
        least = spec.get("minAvailable", 1)
        if isinstance(least, int):
            return len(chosen), least, ""
        expected, problem = self._scale_of_owners(chosen)
        return expected, scaled(least, expected, round_up=True), problem

    def _scale_of_owners(self, chosen: list[Manifest]) -> tuple[int, str]:
        """The replicas that the pods' controllers ask for."""
        wanted: dict[str, int] = {}
        for pod in chosen:
            reference = meta.controller_of(pod)
            if reference is None:
                continue
            owner = self.informers.get(reference["kind"], meta.namespace(pod), reference["name"])
            if owner is None:
                return 0, f"{reference['kind']} {reference['name']} not found"
            above = meta.controller_of(owner)
            top = self.informers.get(above["kind"], meta.namespace(pod), above["name"]) if above else None
            top = top or owner
            wanted[meta.uid(top)] = int(top.get("spec", {}).get("replicas", 1))
        return sum(wanted.values()), ""

    def _still_disrupted(self, budget: Manifest, chosen: list[Manifest]) -> dict[str, str]:
        """Evictions that were charged but not seen yet; after two minutes they are forgotten."""
        charged = (budget.get("status") or {}).get("disruptedPods") or {}
        by_name, left, now = {meta.name(pod): pod for pod in chosen}, {}, self.clock.unix()
        for name, stamp in charged.items():
            pod = by_name.get(name)
            if pod is None or meta.is_deleting(pod):
                continue
            age = now - times.parse(stamp)
            if age < DELETION_TIMEOUT:
                left[name] = stamp
                self.queue.add_after(meta.key(budget), DELETION_TIMEOUT - age + SECOND)
        return left

    def _conditions(self, budget: Manifest, before: Manifest, allowed: int) -> list[Manifest]:
        known = conditions.get(budget, "DisruptionAllowed")
        status, reason = ("True", "SufficientPods") if allowed > 0 else ("False", "InsufficientPods")
        since = known["lastTransitionTime"] if known and known["status"] == status else self.clock.stamp()
        condition = {"type": "DisruptionAllowed", "status": status, "observedGeneration": meta.generation(budget)}
        condition |= {"lastTransitionTime": since, "reason": reason, "message": ""}
        return conditions.put(before.get("conditions"), condition)


def _asked(budget: Manifest) -> tuple[Any, ...]:
    """What is asked of us: the spec, and evictions that were charged."""
    return budget.get("spec"), (budget.get("status") or {}).get("disruptedPods")
