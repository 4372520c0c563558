"""Eviction's question to the PodDisruptionBudgets: may this pod go now?

Draining a node is polite: it asks. A pod that is not running counts against nobody; one budget is charged; two
budgets over one pod are an error, because nobody could say which of them to charge. Before the pod is deleted it is
marked, so that whoever sees it go can tell an eviction from a failure.

Mirrors:  kubernetes/pkg/registry/core/pod/storage/eviction.go
"""

from cluster.apiserver import registry
from cluster.apiserver.storage import Storage
from cluster.engine.clock import Clock
from cluster.engine.informer import Informers
from cluster.objects import Manifest, conditions, errors, labels, meta, pods


def check(storage: Storage, informers: Informers, clock: Clock, pod: Manifest, dry_run: bool) -> None:
    """Charge the pod's budget. Errors: TooManyRequests if it allows no disruption now, ApiError 500 for two budgets."""
    phase = pod.get("status", {}).get("phase")
    if phase in ("Succeeded", "Failed", "Pending") or meta.is_deleting(pod):
        return
    budgets = [
        pdb
        for pdb in informers.list("PodDisruptionBudget", meta.namespace(pod))
        if pdb["spec"].get("selector") is not None and labels.matches(pdb["spec"]["selector"], meta.labels(pod))
    ]
    if not budgets:
        return
    if len(budgets) > 1:
        raise errors.InternalError(
            "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."
        )
    budget = budgets[0]
    status, spec, name = budget.get("status", {}), budget["spec"], meta.name(budget)
    if not pods.is_ready(pod):
        always = spec.get("unhealthyPodEvictionPolicy") == "AlwaysAllow"
        healthy = status.get("currentHealthy", 0) >= status.get("desiredHealthy", 0) > 0
        if always or healthy:
            return
    if status.get("observedGeneration", 0) < budget["metadata"].get("generation", 0):
        raise _refused(name, f"The disruption budget {name} is still being processed by the server.", retry=10)
    if status.get("disruptionsAllowed", 0) <= 0:
        needed, has = status.get("desiredHealthy", 0), status.get("currentHealthy", 0)
        if has > needed:  # Others were evicted so lately that they still count as healthy.
            raise _refused(name, f"The disruption budget {name} does not allow evicting pods currently")
        raise _refused(name, f"The disruption budget {name} needs {needed} healthy pods and has {has} currently")
    if dry_run:
        return
    disrupted = {**status.get("disruptedPods", {}), meta.name(pod): clock.stamp()}
    charged = {**status, "disruptionsAllowed": status["disruptionsAllowed"] - 1, "disruptedPods": disrupted}
    if not charged["disruptionsAllowed"]:
        charged["conditions"] = _exhausted(budget, clock)
    resource = registry.by_kind("PodDisruptionBudget")
    storage.put(resource, budget, {**budget, "metadata": {**budget["metadata"]}, "status": charged})


def mark(storage: Storage, clock: Clock, pod: Manifest) -> None:
    """Write on the pod why it is about to go."""
    condition = {"type": "DisruptionTarget", "status": "True", "lastProbeTime": None}
    condition |= {"lastTransitionTime": clock.stamp(), "reason": "EvictionByEvictionAPI"}
    condition["message"] = "Eviction API: evicting"
    known = conditions.get(pod, "DisruptionTarget")
    if known and all(known.get(field) == condition[field] for field in ("status", "reason", "message")):
        return
    status = pod.get("status") or {}
    status = {**status, "conditions": conditions.put(status.get("conditions"), condition)}
    storage.put(registry.by_kind("Pod"), pod, {**pod, "metadata": {**pod["metadata"]}, "status": status})


def _exhausted(budget: Manifest, clock: Clock) -> list[Manifest]:
    """The budget's conditions once its last disruption is spent."""
    known = conditions.get(budget, "DisruptionAllowed") or {}
    since = known["lastTransitionTime"] if known.get("status") == "False" else clock.stamp()
    condition = {"type": "DisruptionAllowed", "status": "False", "observedGeneration": meta.generation(budget)}
    condition |= {"lastTransitionTime": since, "reason": "InsufficientPods", "message": ""}
    return conditions.put((budget.get("status") or {}).get("conditions"), condition)


def _refused(name: str, message: str, retry: int = 0) -> errors.ApiError:
    return errors.TooManyRequests(
        "Cannot evict pod as it would violate the pod's disruption budget.",
        causes=[{"reason": "DisruptionBudget", "message": message}],
        retry_after=retry or None,
    )
