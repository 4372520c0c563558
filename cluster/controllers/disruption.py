"""Disruption controller: how many pods of a PodDisruptionBudget may be evicted right now.

It only counts. The eviction sub-resource asks the number, charges it, and waits for the next count. Besides, a pod that
was announced to be disrupted (DisruptionTarget) and is not being deleted after two minutes loses that mark.

Mirrors:  kubernetes/pkg/controller/disruption/disruption.go (trySync, syncStalePodDisruption)
"""

from cluster.controllers.rounding import scaled
from cluster.engine.clock import MINUTE, SECOND
from cluster.engine.controller import Controller
from cluster.objects import Manifest, conditions, labels, meta, pods, times
from cluster.objects.errors import ApiError, NotFound, PathNotFound

DELETION_TIMEOUT = 2 * MINUTE
STALE_TIMEOUT, STALE = 2 * MINUTE, "stale/"
TARGET, BY_KUBELET = "DisruptionTarget", "TerminationByKubelet"  # A kubelet takes its time: its mark stays.
KNOWN = ("ReplicaSet", "ReplicationController", "StatefulSet")  # Other owners are asked for their Scale.
OURS = ("apps/v1", "v1")

Owner = tuple[str, str, str, str]  # (kind, name, uid, apiVersion) of a pod's controller.


class Chosen:
    """The pods that one budget selects, counted as they come and go."""

    def __init__(self) -> None:
        self.pods: dict[str, Manifest] = {}
        self.healthy = 0
        self.owners: dict[Owner, int] = {}  # Controllers → how many of the pods.
        self.unmanaged = 0

    def replace(self, old: Manifest | None, new: Manifest | None) -> None:
        for pod, sign in ((old, -1), (new, 1)):
            if pod is None:
                continue
            self.healthy += sign * is_healthy(pod)
            reference = meta.controller_of(pod)
            if reference is None:
                self.unmanaged += sign
                continue
            owner = (reference["kind"], reference["name"], reference["uid"], reference["apiVersion"])
            self.owners[owner] = self.owners.get(owner, 0) + sign
            if not self.owners[owner]:
                del self.owners[owner]
        if new is not None:
            self.pods[meta.name(new)] = new
        elif old is not None:
            self.pods.pop(meta.name(old), None)


class DisruptionController(Controller):
    """Queue keys: `<namespace>/<budget>`, and `stale/<namespace>/<pod>` for pods that may lose their mark."""

    name = "disruption-controller"
    source = "controllermanager"
    kind = "PodDisruptionBudget"

    def watch(self) -> None:
        self.chosen: dict[str, Chosen] = {}  # Derived: budget → its pods, from its first count on.
        super().watch()
        self.informers.subscribe("Pod", self._pod_changed, self.name)

    def _changed(self, old: Manifest | None, new: Manifest | None) -> None:
        """Our own counting is no news, but a charged eviction is."""
        if old is None or new is None or old.get("spec") != new.get("spec"):
            self.chosen.pop(meta.key(new or old or {}), None)
        elif _charged(old) == _charged(new):
            return
        super()._changed(old, new)

    def _pod_changed(self, old: Manifest | None, new: Manifest | None) -> None:
        if new is not None and _marked_since(new) is not None:
            self.queue.add(STALE + meta.key(new))
        for budget in self.informers.list("PodDisruptionBudget", meta.namespace(new or old or {})):
            before, after = self._of(budget, old), self._of(budget, new)
            if before is None and after is None:
                continue
            self.queue.add(meta.key(budget))
            chosen = self.chosen.get(meta.key(budget))
            if chosen is not None:
                chosen.replace(before, after)

    def _of(self, budget: Manifest, pod: Manifest | None) -> Manifest | None:
        return pod if pod is not None and labels.matches(budget["spec"].get("selector"), meta.labels(pod)) else None

    def process(self, key: str) -> None:
        if not key.startswith(STALE):
            super().process(key)
            return
        pod = self.informers.by_key("Pod", key.removeprefix(STALE))
        since = _marked_since(pod) if pod is not None else None
        if pod is None or since is None:
            return
        left = since + STALE_TIMEOUT - self.clock.unix()
        if left > 0:
            self.queue.add_after(key, left, f"pod {meta.name(pod)} is no longer to be disrupted")
            return
        mark = {**(conditions.get(pod, TARGET) or {}), "status": "False", "lastTransitionTime": self.clock.stamp()}
        status = {**pod["status"], "conditions": conditions.put(pod["status"]["conditions"], mark)}
        self.client.update_status({**pod, "status": status})

    def _count(self, budget: Manifest) -> Chosen:
        chosen = self.chosen.get(meta.key(budget))
        if chosen is None:
            chosen = self.chosen[meta.key(budget)] = Chosen()
            for pod in self.informers.list("Pod", meta.namespace(budget)):
                if self._of(budget, pod) is not None:
                    chosen.replace(None, pod)
        return chosen

    def reconcile(self, budget: Manifest) -> None:
        """Count healthy pods, wanted pods, and what lies between."""
        chosen = self._count(budget)
        if not chosen.pods:
            self.recorder.event(budget, "Normal", "NoPods", "No matching pods found")
        expected, desired, problem = self._expected(budget, chosen)
        before = budget.get("status") or {}
        if problem:
            text = f"Failed to calculate the number of expected pods: {problem}"
            self.recorder.event(budget, "Warning", "CalculateExpectedPodCountFailed", text)
            failed = self._conditions(budget, "False", "SyncFailed", problem)
            status = {**before, "disruptionsAllowed": 0, "conditions": failed}
            self.client.update_status({**budget, "status": status})
            return
        disrupted = self._still_disrupted(budget, chosen)
        healthy = chosen.healthy - sum(1 for name in disrupted if is_healthy(chosen.pods[name]))
        allowed = 0 if expected <= 0 or healthy < desired else healthy - desired
        status = {
            "observedGeneration": meta.generation(budget),
            "disruptionsAllowed": allowed,
            "currentHealthy": healthy,
            "desiredHealthy": desired,
            "expectedPods": expected,
        }
        if disrupted:
            status["disruptedPods"] = disrupted
        verdict = ("True", "SufficientPods") if allowed > 0 else ("False", "InsufficientPods")
        status["conditions"] = self._conditions(budget, *verdict, "")
        self.client.update_status({**budget, "status": status})

    def _expected(self, budget: Manifest, chosen: Chosen) -> tuple[int, int, str]:
        """(pods there should be, pods that must stay healthy, problem)."""
        spec = budget["spec"]
        least, most = spec.get("minAvailable", 1), spec.get("maxUnavailable")
        if most is None and isinstance(least, int):
            return len(chosen.pods), least, ""
        expected, problem = self._scale_of_owners(budget, chosen)
        if most is not None:
            return expected, max(expected - scaled(most, expected, round_up=True), 0), problem
        return expected, scaled(least, expected, round_up=True), problem

    def _scale_of_owners(self, budget: Manifest, chosen: Chosen) -> tuple[int, str]:
        """The replicas that the pods' controllers ask for."""
        wanted: dict[str, int] = {}
        namespace = meta.namespace(budget)
        for owner in sorted(chosen.owners):
            uid = owner[2]
            try:
                found = self._scale_of(owner, namespace)
            except ApiError as error:
                return 0, error.message
            if found is None:
                orphan = min(p for p, pod in chosen.pods.items() if (meta.controller_of(pod) or {}).get("uid") == uid)
                return 0, f'found no controllers for pod "{orphan}"'
            wanted[found[0]] = found[1]
        if chosen.unmanaged:
            self._warn_of_unmanaged(budget)
        return sum(wanted.values()), ""

    def _scale_of(self, owner: Owner, namespace: str) -> tuple[str, int] | None:
        """(uid of who says how many, how many); None if the owner is gone. Errors: ApiError if it has no scale."""
        kind, name, uid, version = owner
        if kind not in KNOWN or version not in OURS:
            return self._scale_of_any(owner, namespace)
        found = self.informers.get(kind, namespace, name)
        if found is None or meta.uid(found) != uid:
            return None
        above = meta.controller_of(found)
        if kind == "ReplicaSet" and above is not None and above["kind"] == "Deployment":
            found = self.informers.get("Deployment", namespace, above["name"])
            if found is None or meta.uid(found) != above["uid"]:
                return None
        return meta.uid(found), int(found["spec"].get("replicas", 1))

    def _scale_of_any(self, owner: Owner, namespace: str) -> tuple[str, int] | None:
        kind, name, uid, version = owner
        cache = self.client.cache_of(kind, version)
        if cache is None:
            raise ApiError(f'no matches for kind "{kind}" in version "{version}"')
        try:
            scale = self.client.read_scale(kind, version.rpartition("/")[0], namespace, name)
        except PathNotFound:
            plural = next((known for known, where in self.client.caches().items() if where == cache), cache)
            raise ApiError(f"{plural} does not implement the scale subresource") from None
        except NotFound:
            return None
        return (uid, int(scale["spec"].get("replicas", 0))) if meta.uid(scale) == uid else None

    def _warn_of_unmanaged(self, budget: Manifest) -> None:
        found = budget["spec"].get("selector") or {}
        pairs = "".join(f"{key}: {value}," for key, value in sorted((found.get("matchLabels") or {}).items()))
        selector = f"MatchLabels:map[string]string{{{pairs}}},MatchExpressions:[]LabelSelectorRequirement{{}},"
        message = (
            f"Pods selected by this PodDisruptionBudget (selector: &LabelSelector{{{selector}}})"
            " were found to be unmanaged. As a result,"
            " the status of the PDB cannot be calculated correctly, which may result in undefined behavior. To account"
            ' for these pods please set ".spec.minAvailable" field of the PDB to an integer value.'
        )
        self.recorder.event(budget, "Warning", "UnmanagedPods", message)

    def _still_disrupted(self, budget: Manifest, chosen: Chosen) -> dict[str, str]:
        """Evictions that were charged but not seen yet; after two minutes they are forgotten."""
        charged = _charged(budget)
        left, now, namespace = {}, self.clock.unix(), meta.namespace(budget)
        for name, stamp in charged.items():
            pod = chosen.pods.get(name)
            if pod is None or meta.is_deleting(pod):
                continue
            age = now - times.parse(stamp)
            if age > DELETION_TIMEOUT:
                message = f"Pod was expected by PDB {namespace}/{namespace} to be deleted but it wasn't"  # Sic.
                self.recorder.event(pod, "Warning", "NotDeleted", message)
                continue
            left[name] = stamp
            self.queue.add_after(meta.key(budget), DELETION_TIMEOUT - age + SECOND)
        return left

    def _conditions(self, budget: Manifest, status: str, reason: str, message: str) -> list[Manifest]:
        known = conditions.get(budget, "DisruptionAllowed")
        since = known["lastTransitionTime"] if known and known["status"] == status else self.clock.stamp()
        condition = {"type": "DisruptionAllowed", "status": status, "observedGeneration": meta.generation(budget)}
        condition |= {"lastTransitionTime": since, "reason": reason, "message": message}
        return conditions.put((budget.get("status") or {}).get("conditions"), condition)


def _marked_since(pod: Manifest) -> int | None:
    """Since when the pod waits for its disruption, microseconds since 1970; None if it does not, or it has come."""
    mark = conditions.get(pod, TARGET)
    if mark is None or mark["status"] != "True" or mark.get("reason") == BY_KUBELET:
        return None
    if meta.is_deleting(pod) or pods.is_terminal(pod) or not mark.get("lastTransitionTime"):
        return None
    return times.parse(mark["lastTransitionTime"])


def is_healthy(pod: Manifest) -> bool:
    return not meta.is_deleting(pod) and pods.is_ready(pod)


def _charged(budget: Manifest) -> dict[str, str]:
    """Evictions that were allowed, by pod, with their time."""
    return (budget.get("status") or {}).get("disruptedPods") or {}
