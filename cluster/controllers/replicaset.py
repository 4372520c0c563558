"""ReplicaSet controller: keep exactly `spec.replicas` pods alive.

Kubernetes in one function: see what is wanted, see what is there, close the gap. Nothing is remembered between calls.
When a pod dies, or its node does, this is who makes *another* pod: a new name, a new uid, a new place in the
scheduler's queue. Nobody ever moves a pod.

    Deployment --owns--> ReplicaSet --owns--> Pod, Pod, Pod

Mirrors:  kubernetes/pkg/controller/replicaset/replica_set.go (syncReplicaSet),
          controller_utils.go (ActivePodsWithRanks)
Left out: expectations (our caches are never stale), slow start (nobody could see it).
Read next: deployment.py, which creates the ReplicaSets this file serves.
"""

from typing import Any

from cluster.controllers.tally import Tally
from cluster.engine.client import revision_of
from cluster.engine.clock import SECOND
from cluster.engine.controller import Controller
from cluster.objects import Manifest, conditions, labels, meta, pods, times
from cluster.objects.errors import ApiError, Forbidden, Invalid, NotFound

BURST = 500  # Pods created or deleted in one step; the rest in the next.
DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"


class ReplicaSetController(Controller):
    name = "replicaset-controller"
    kind = "ReplicaSet"
    owns = ("Pod",)
    tells_of_terminating = True

    def selector(self, owner: Manifest) -> Manifest:
        """Which pods are `owner`'s."""
        return owner["spec"]["selector"]  # type: ignore[no-any-return]

    def watch(self) -> None:
        self.tally = Tally(self.informers, self.name)
        super().watch()
        self.informers.add_index("Pod", "orphans", _namespace_of_orphan)

    def _owned_changed(self, old: Manifest | None, new: Manifest | None) -> None:
        if old is not None and new is not None and _counted(old) == _counted(new):
            return  # Bound, or reported by its kubelet: the number of replicas is the same.
        super()._owned_changed(old, new)
        if new is not None and meta.controller_of(new) is None:
            self._adopter_wakes(new)

    def _adopter_wakes(self, pod: Manifest) -> None:
        """An orphan that somebody's selector matches: let them adopt it."""
        for candidate in self.informers.list(self.kind, meta.namespace(pod)):
            if labels.matches(self.selector(candidate), meta.labels(pod)):
                self.queue.add(meta.key(candidate))

    def reconcile(self, replicaset: Manifest) -> None:
        """Adopt and release, create or delete until the live ones match `spec.replicas`, report."""
        self._claim(replicaset)
        failure = None
        if not meta.is_deleting(replicaset):
            failure = self._manage(replicaset)
        current = self.informers.by_key(self.kind, meta.key(replicaset))
        if current is not None and meta.uid(current) == meta.uid(replicaset):
            self._report(current, failure)
        if failure is not None:
            raise failure

    # --- whose pods ---------------------------------------------------------------------------------------------

    def _claim(self, replicaset: Manifest) -> None:
        """Orphans that match become ours; ours that no longer match are let go."""
        if meta.is_deleting(replicaset):
            return
        selector, namespace = self.selector(replicaset), meta.namespace(replicaset)
        for pod in self.informers.by_index("Pod", "orphans", namespace):
            if labels.matches(selector, meta.labels(pod)) and pods.is_alive(pod):
                self._set_owners(pod, [*meta.owners(pod), meta.owner_reference(replicaset)])
        if len(self.tally.of(replicaset).labels) > 1 or not self._all_match(replicaset):
            for pod in self.owned("Pod", replicaset):
                if not labels.matches(selector, meta.labels(pod)) and not meta.is_deleting(pod):
                    self._set_owners(pod, [r for r in meta.owners(pod) if r["uid"] != meta.uid(replicaset)])

    def _all_match(self, replicaset: Manifest) -> bool:
        found = self.tally.of(replicaset).labels
        return all(labels.matches(self.selector(replicaset), dict(items)) for items in found)

    def _set_owners(self, pod: Manifest, owners: list[Manifest]) -> None:
        patch = {"metadata": {"ownerReferences": owners or None}}
        try:
            self.client.patch("Pod", meta.namespace(pod), meta.name(pod), patch)
        except (NotFound, Invalid):
            return

    # --- the gap ------------------------------------------------------------------------------------------------

    def _manage(self, replicaset: Manifest) -> ApiError | None:
        """Create what is missing or delete what is too much. Returns the error that stopped it."""
        missing = replicaset["spec"]["replicas"] - self.tally.of(replicaset).active
        try:
            if missing > 0:
                self._create(replicaset, min(missing, BURST))
            elif missing < 0:
                self._delete(replicaset, min(-missing, BURST))
        except ApiError as error:
            if isinstance(error, Forbidden) and "being terminated" in error.message:
                return None
            reason = "FailedCreate" if missing > 0 else "FailedDelete"
            doing = "creating" if missing > 0 else "deleting"
            self.recorder.event(replicaset, "Warning", reason, f"Error {doing}: {error.message}")
            return error
        if abs(missing) > BURST:
            self.queue.add(meta.key(replicaset))
        return None

    def _create(self, replicaset: Manifest, number: int) -> None:
        with self.client.because(*self._losses(replicaset)):
            for _ in range(number):
                pod = self.client.create(pod_from_template(replicaset))
                self.recorder.event(replicaset, "Normal", "SuccessfulCreate", f"Created pod: {meta.name(pod)}")

    def _losses(self, replicaset: Manifest) -> list[str]:
        """The pods on their way out that these are to replace."""
        if not self.tally.of(replicaset).terminating:
            return []
        going = [pod for pod in self.owned("Pod", replicaset) if meta.is_deleting(pod)]
        return [revision_of(pod) for pod in going[-3:]]

    def _delete(self, replicaset: Manifest, number: int) -> None:
        alive = [pod for pod in self.owned("Pod", replicaset) if pods.is_alive(pod)]
        for pod in self._cheapest_to_lose(replicaset, alive)[:number]:
            try:
                self.client.delete("Pod", meta.namespace(pod), meta.name(pod), uid=meta.uid(pod))
            except NotFound:
                continue
            self.recorder.event(replicaset, "Normal", "SuccessfulDelete", f"Deleted pod: {meta.name(pod)}")

    def _cheapest_to_lose(self, replicaset: Manifest, alive: list[Manifest]) -> list[Manifest]:
        """Pods in deletion order: the least useful first, the crowded node before the lonely one, young before old."""
        crowd: dict[str, int] = {}
        for related in self._siblings(replicaset):
            for pod in self.owned("Pod", related):
                if pods.is_alive(pod) and pod["spec"].get("nodeName"):
                    node = pod["spec"]["nodeName"]
                    crowd[node] = crowd.get(node, 0) + 1
        now = self.clock.unix()
        return sorted(alive, key=lambda pod: _usefulness(pod, crowd, now))

    def _siblings(self, replicaset: Manifest) -> list[Manifest]:
        """ReplicaSets of the same Deployment, this one among them."""
        reference = meta.controller_of(replicaset)
        if reference is None:
            return [replicaset]
        everyone = self.informers.list(self.kind, meta.namespace(replicaset))
        return [other for other in everyone if (meta.controller_of(other) or {}).get("uid") == reference["uid"]]

    # --- the report ---------------------------------------------------------------------------------------------

    def _report(self, replicaset: Manifest, failure: ApiError | None) -> None:
        spec, count = replicaset["spec"], self.tally.of(replicaset)
        status: dict[str, Any] = {"replicas": count.active}
        template_labels = (spec["template"].get("metadata") or {}).get("labels") or {}
        wait = spec.get("minReadySeconds", 0) * SECOND
        available = count.ready if not wait else self._available(replicaset, wait)
        for name, number in (
            ("fullyLabeledReplicas", count.labelled(template_labels)),
            ("readyReplicas", count.ready),
            ("availableReplicas", available),
        ):
            if number:
                status[name] = number
        if self.tells_of_terminating:
            status["terminatingReplicas"] = count.terminating
        status["observedGeneration"] = meta.generation(replicaset)
        found = self._conditions(replicaset, failure)
        if found:
            status["conditions"] = found
        self.client.update_status({**replicaset, "status": status})

    def _available(self, replicaset: Manifest, wait: int) -> int:
        """Ready for `minReadySeconds`; wakes up when the next one will be."""
        now, number, soonest = self.clock.unix(), 0, None
        for pod in self.owned("Pod", replicaset):
            if not pods.is_alive(pod) or not pods.is_ready(pod):
                continue
            due = times.parse(pods.ready_since(pod)) + wait
            if due <= now:
                number += 1
            else:
                soonest = due if soonest is None else min(soonest, due)
        if soonest is not None:
            note = f"pods of {meta.name(replicaset)} become available"
            self.queue.add_after(meta.key(replicaset), soonest - now, note)
        return number

    def _conditions(self, replicaset: Manifest, failure: ApiError | None) -> list[Manifest]:
        """ReplicaFailure while pods can't be created or deleted."""
        found = (replicaset.get("status") or {}).get("conditions") or []
        known = conditions.get(replicaset, "ReplicaFailure")
        if failure is None:
            return conditions.drop(found, "ReplicaFailure") if known else found
        reason = "FailedCreate" if self.tally.of(replicaset).active < replicaset["spec"]["replicas"] else "FailedDelete"
        if known and known.get("reason") == reason:
            return found
        condition = {"type": "ReplicaFailure", "status": "True", "lastTransitionTime": self.clock.stamp()}
        return conditions.put(found, {**condition, "reason": reason, "message": failure.message})


def _counted(pod: Manifest) -> tuple[Any, ...]:
    """What a ReplicaSet wants to know of a pod."""
    metadata, ready = pod["metadata"], conditions.get(pod, "Ready") or {}
    since = ready.get("status"), ready.get("lastTransitionTime")
    ending = pods.is_terminal(pod), "deletionTimestamp" in metadata
    return since, ending, metadata.get("ownerReferences"), metadata.get("labels")


def _namespace_of_orphan(pod: Manifest) -> list[str]:
    return [] if meta.controller_of(pod) else [meta.namespace(pod)]


def pod_from_template(replicaset: Manifest) -> Manifest:
    """A pod as the template asks, owned by `replicaset`, with its name left to the API server."""
    template = replicaset["spec"]["template"]
    given = template.get("metadata") or {}
    metadata = {
        "generateName": f"{meta.name(replicaset)}-",
        "namespace": meta.namespace(replicaset),
        **{part: given[part] for part in ("labels", "annotations", "finalizers") if given.get(part)},
        "ownerReferences": [meta.owner_reference(replicaset)],
    }
    return {"kind": "Pod", "apiVersion": "v1", "metadata": metadata, "spec": template["spec"]}


_PHASES = {"Pending": 0, "Unknown": 1, "Running": 2}


def _usefulness(pod: Manifest, crowd: dict[str, int], now: int) -> tuple[Any, ...]:
    """Sorts the first to go first."""
    node, ready = pod["spec"].get("nodeName", ""), pods.is_ready(pod)
    try:
        cost = int(meta.annotations(pod).get(DELETION_COST, "0"))
    except ValueError:
        cost = 0
    return (
        bool(node),
        _PHASES.get(pods.phase(pod), 0),
        ready,
        cost,
        -crowd.get(node, 0),
        _age(pods.ready_since(pod), now) if ready else 0,
        -pods.restarts(pod),
        _age(meta.created_at(pod), now),
        meta.uid(pod),
    )


def _age(stamp: str, now: int) -> int:
    """Binary logarithm of the age in nanoseconds: nearly equal ages count as equal, so that the choice is spread."""
    return max(0, (now - times.parse(stamp)) * 1_000).bit_length() if stamp else 0
