"""StatefulSet controller: pods with a number, a name that stays, and a disk that waits for them.

    db-0, db-1, db-2      made in this order, each when the one before is ready; removed in the opposite order

A pod that is lost comes back under its own name, and only when the old one is really gone: there must never be two of
one name. An update goes from the highest number down to the partition.

Mirrors:  kubernetes/pkg/controller/statefulset/{stateful_set_control,stateful_set_utils,stateful_pod_control}.go
Read next: revisions.py for the templates that were, claimretention.py for the disks.
"""

import re
from dataclasses import dataclass
from typing import Any

from cluster.controllers import claimretention
from cluster.controllers.revisions import HASH, SET_HASH, History
from cluster.controllers.rounding import scaled
from cluster.engine.clock import SECOND
from cluster.engine.controller import Controller
from cluster.objects import Manifest, labels, meta, pods, times
from cluster.objects.errors import ApiError, Invalid, NotFound

POD_NAME, POD_INDEX = "statefulset.kubernetes.io/pod-name", "apps.kubernetes.io/pod-index"
_NUMBERED = re.compile(r"(.*)-([0-9]{1,9})")


@dataclass
class Plan:
    """One look at a set. `replicas`: by place, None where a pod is missing; `condemned`: beyond the end, last first."""

    stateful: Manifest
    current: Manifest
    update: Manifest
    replicas: list[Manifest | None]
    condemned: list[Manifest]
    first: int

    @property
    def in_order(self) -> bool:
        """One after another, or all at once?"""
        return self.stateful["spec"].get("podManagementPolicy") != "Parallel"

    @property
    def partition(self) -> int:
        """The first place, counted from 0 whatever the numbers begin with, that gets the new template."""
        rolling = self.stateful["spec"]["updateStrategy"].get("rollingUpdate") or {}
        return int(rolling.get("partition") or 0)


class StatefulSetController(Controller):
    name = "statefulset-controller"
    kind = "StatefulSet"
    owns = ("Pod", "ControllerRevision")

    def watch(self) -> None:
        super().watch()
        self.informers.add_index("Pod", "orphans", lambda pod: [] if meta.controller_of(pod) else [meta.namespace(pod)])
        self.informers.subscribe("PersistentVolumeClaim", self._claim_changed, self.name)

    def _claim_changed(self, old: Manifest | None, new: Manifest | None) -> None:
        """A claim that went with its pod is gone: a new pod of that name may come."""
        if new is not None or old is None:
            return
        for owner in meta.owners(old):
            match = _NUMBERED.fullmatch(owner["name"]) if owner["kind"] == "Pod" else None
            if match and self.informers.get(self.kind, meta.namespace(old), match[1]) is not None:
                self.enqueue_owner(match[1], meta.namespace(old))

    def _owned_changed(self, old: Manifest | None, new: Manifest | None) -> None:
        super()._owned_changed(old, new)
        if new is not None and new["kind"] == "Pod" and meta.controller_of(new) is None:
            match = _NUMBERED.fullmatch(meta.name(new))
            if match and self.informers.get(self.kind, meta.namespace(new), match[1]) is not None:
                self.enqueue_owner(match[1], meta.namespace(new))

    def reconcile(self, stateful: Manifest) -> None:
        """Bring the pods one step closer to what the spec asks for, and report."""
        history = History(self.client, self.informers, stateful, SET_HASH)
        update = history.current() if not meta.is_deleting(stateful) else None
        if update is None:
            return
        current = history.named((stateful.get("status") or {}).get("currentRevision", "")) or update
        self._adopt(stateful)
        failure: ApiError | None = None
        plan = self._plan(stateful, current, update)
        try:
            if self._scale(plan):
                self._update(plan)
        except ApiError as error:
            failure = error
        self._report(plan)
        used = {meta.labels(pod).get(HASH, "") for pod in self.owned("Pod", stateful)}
        used |= {meta.name(current), meta.name(update)}
        history.truncate(used, stateful["spec"].get("revisionHistoryLimit", 10))
        if failure is not None:
            raise failure

    # --- what there is ------------------------------------------------------------------------------------------

    def _adopt(self, stateful: Manifest) -> None:
        """Orphans of a fitting name and labels come back; pods that no longer fit are let go."""
        selector = stateful["spec"].get("selector")
        for pod in self.informers.by_index("Pod", "orphans", meta.namespace(stateful)):
            if (
                number_of(pod, stateful) is not None
                and labels.matches(selector, meta.labels(pod))
                and pods.is_alive(pod)
            ):
                owners = [*meta.owners(pod), meta.owner_reference(stateful)]
                self._patch(pod, {"metadata": {"ownerReferences": owners}})
        for pod in self.owned("Pod", stateful):
            if not labels.matches(selector, meta.labels(pod)) and not meta.is_deleting(pod):
                rest = [owner for owner in meta.owners(pod) if owner["uid"] != meta.uid(stateful)]
                self._patch(pod, {"metadata": {"ownerReferences": rest or None}})

    def _patch(self, pod: Manifest, patch: Manifest) -> None:
        try:
            self.client.patch("Pod", meta.namespace(pod), meta.name(pod), patch)
        except (NotFound, Invalid):
            return

    def _plan(self, stateful: Manifest, current: Manifest, update: Manifest) -> Plan:
        first, count = first_number(stateful), stateful["spec"].get("replicas", 1)
        replicas: list[Manifest | None] = [None] * count
        condemned = []
        for pod in self.owned("Pod", stateful):
            number = number_of(pod, stateful)
            if number is None:
                continue
            if first <= number < first + count:
                replicas[number - first] = pod
            else:
                condemned.append(pod)
        condemned.sort(key=lambda pod: -(number_of(pod, stateful) or 0))
        return Plan(stateful, current, update, replicas, condemned, first)

    def _is_available(self, stateful: Manifest, pod: Manifest | None) -> bool:
        """Running, ready, and for long enough; wakes up when it will be."""
        if pod is None or pods.phase(pod) != "Running" or not pods.is_ready(pod):
            return False
        wait = (stateful["spec"].get("minReadySeconds") or 0) * SECOND
        left = times.parse(pods.ready_since(pod)) + wait - self.clock.unix() if wait else 0
        if left > 0:
            note = f"pods of {meta.name(stateful)} become available"
            self.queue.add_after(meta.key(stateful), left, note)
        return left <= 0

    # --- as many as asked for -----------------------------------------------------------------------------------

    def _scale(self, plan: Plan) -> bool:
        """Make what is missing, remove what is too much. True if all is there and nothing is waited for."""
        for place, pod in enumerate(plan.replicas):
            if not self._serve(plan, place, pod) and plan.in_order:
                return False
        unhealthy = self._first_unhealthy(plan)
        for pod in plan.condemned:
            self._keep_claims(plan.stateful, pod, number_of(pod, plan.stateful) or 0, beyond=True)
        for pod in plan.condemned:
            if meta.is_deleting(pod):
                if plan.in_order:
                    return False
                continue
            if plan.in_order and not self._is_available(plan.stateful, pod) and pod is not unhealthy:
                return False
            self._delete(plan.stateful, pod)
            if plan.in_order:
                return False
        return True

    def _serve(self, plan: Plan, place: int, pod: Manifest | None) -> bool:
        """One place of the set. True if its pod is as it should be."""
        stateful = plan.stateful
        if pod is None and self._is_stale(plan, plan.first + place):
            return False
        if pod is None:
            plan.replicas[place] = self._create(plan, plan.first + place)
            return False
        if pods.is_terminal(pod):
            if not meta.is_deleting(pod):
                self._tell_of_end(stateful, pod)
                self._delete(stateful, pod)
            return False
        if pods.phase(pod) == "Pending":
            self._make_claims(stateful, pod, plan.first + place)
        if not meta.is_deleting(pod):
            self._mend(stateful, pod, plan.first + place)
        return not meta.is_deleting(pod) and self._is_available(stateful, pod)

    def _is_stale(self, plan: Plan, number: int) -> bool:
        """Does a claim of the pod to be made still belong to the one before it?"""
        stateful = plan.stateful
        known = (self._known(claim) for claim in claims_for(stateful, number))
        name = f"{meta.name(stateful)}-{number}"
        return any(claim is not None and claimretention.is_stale(claim, stateful, name) for claim in known)

    def _known(self, claim: Manifest) -> Manifest | None:
        return self.informers.get("PersistentVolumeClaim", meta.namespace(claim), meta.name(claim))

    def _mend(self, stateful: Manifest, pod: Manifest, number: int) -> None:
        """A pod that does not look like its number, or whose claims have the wrong owners, is put right."""
        labels_wanted = {POD_NAME: meta.name(pod), POD_INDEX: str(number)}
        patch: Manifest = {}
        if any(meta.labels(pod).get(key) != value for key, value in labels_wanted.items()):
            patch["metadata"] = {"labels": labels_wanted}
        volumes = volumes_with_claims(stateful, pod["spec"].get("volumes") or [], meta.name(pod))
        if volumes is not None:
            patch["spec"] = {"volumes": volumes}
            self._make_claims(stateful, pod, number)
        changed = self._keep_claims(stateful, pod, number, beyond=False)
        if not patch and not changed:
            return
        what = f"Pod {meta.name(pod)} in StatefulSet {meta.name(stateful)}"
        try:
            if patch:
                self.client.patch("Pod", meta.namespace(pod), meta.name(pod), patch)
        except ApiError as error:
            self.recorder.event(stateful, "Warning", "FailedUpdate", f"Update {what} failed error: {error.message}")
            raise
        self.recorder.event(stateful, "Normal", "SuccessfulUpdate", f"Update {what} successful")

    def _keep_claims(self, stateful: Manifest, pod: Manifest, number: int, beyond: bool) -> bool:
        """Give the pod's claims the owners that the retention policy asks for. True if some had others."""
        changed = False
        for template in claims_for(stateful, number):
            claim = self._known(template)
            owners = claimretention.owners_for(claim, stateful, pod, beyond) if claim is not None else None
            if claim is None or owners is None:
                continue
            patch = {"metadata": {"ownerReferences": owners or None}}
            self.client.patch("PersistentVolumeClaim", meta.namespace(claim), meta.name(claim), patch)
            changed = True
        return changed

    def _tell_of_conflicts(self, stateful: Manifest, pod: Manifest, number: int) -> None:
        """Claims that somebody else manages."""
        for template in claims_for(stateful, number):
            claim = self._known(template)
            if claim is not None and claimretention.has_foreign_controller(claim, stateful, pod):
                said = "has a conflicting OwnerReference that acts as a managing controller"
                message = f"PersistentVolumeClaim {meta.name(claim)} {said}, the retention policy is ignored for this"
                self.recorder.event(stateful, "Warning", "ConflictingController", f"{message} claim")

    def _tell_of_end(self, stateful: Manifest, pod: Manifest) -> None:
        where, name = meta.key(stateful), meta.name(pod)
        if pods.phase(pod) == "Failed":
            message = f"StatefulSet {where} is recreating failed Pod {name}"
            self.recorder.event(stateful, "Warning", "RecreatingFailedPod", message)
        else:
            message = f"StatefulSet {where} is recreating terminated Pod {name}"
            self.recorder.event(stateful, "Normal", "RecreatingTerminatedPod", message)

    def _first_unhealthy(self, plan: Plan) -> Manifest | None:
        """The lowest of those that are not running and ready."""
        everyone = [*plan.replicas, *reversed(plan.condemned)]
        return next((pod for pod in everyone if pod is not None and not _is_healthy(pod)), None)

    # --- updates ------------------------------------------------------------------------------------------------

    def _update(self, plan: Plan) -> None:
        """Remove pods of old templates, from the highest number down; scaling makes the new ones."""
        strategy = plan.stateful["spec"]["updateStrategy"]
        if strategy.get("type") != "RollingUpdate":
            return
        most = (strategy.get("rollingUpdate") or {}).get("maxUnavailable", 1)
        limit = max(1, scaled(most, len(plan.replicas), round_up=False))
        limit -= sum(not self._is_available(plan.stateful, pod) for pod in plan.replicas)
        for place in range(len(plan.replicas) - 1, plan.partition - 1, -1):
            pod = plan.replicas[place]
            if limit <= 0:
                return
            if pod is None or meta.is_deleting(pod) or meta.labels(pod).get(HASH) == meta.name(plan.update):
                continue
            self._delete(plan.stateful, pod)
            limit -= 1

    # --- pods and claims ----------------------------------------------------------------------------------------

    def _create(self, plan: Plan, number: int) -> Manifest:
        stateful = plan.stateful
        rolling = stateful["spec"]["updateStrategy"].get("type") == "RollingUpdate"
        revision = plan.current if rolling and number - plan.first < plan.partition else plan.update
        pod = pod_for(stateful, revision, number)
        try:
            self._make_claims(stateful, pod, number)
            made = self.client.create(pod)
        except ApiError as error:
            message = f"Create Pod {meta.name(pod)} in StatefulSet {meta.name(stateful)} failed error: {error.message}"
            self.recorder.event(stateful, "Warning", "FailedCreate", message)
            raise
        self._tell_of_conflicts(stateful, made, number)
        self._keep_claims(stateful, made, number, beyond=False)
        message = f"Create Pod {meta.name(pod)} in StatefulSet {meta.name(stateful)} successful"
        self.recorder.event(stateful, "Normal", "SuccessfulCreate", message)
        return made

    def _make_claims(self, stateful: Manifest, pod: Manifest, number: int) -> None:
        for claim in claims_for(stateful, number):
            known = self._known(claim)
            if known is not None and not meta.is_deleting(known):
                continue
            if known is not None:
                raise ApiError(f"pvc {meta.name(claim)} is to be deleted")
            what = f"Claim {meta.name(claim)} Pod {meta.name(pod)} in StatefulSet {meta.name(stateful)}"
            try:
                self.client.create(claim)
            except ApiError as error:
                message = f"Create {what} failed error: {error.message}"
                self.recorder.event(stateful, "Warning", "FailedCreate", message)
                raise
            self.recorder.event(stateful, "Normal", "SuccessfulCreate", f"Create {what} success")

    def _delete(self, stateful: Manifest, pod: Manifest) -> None:
        try:
            self.client.delete("Pod", meta.namespace(pod), meta.name(pod), uid=meta.uid(pod))
        except NotFound:
            return
        message = f"Delete Pod {meta.name(pod)} in StatefulSet {meta.name(stateful)} successful"
        self.recorder.event(stateful, "Normal", "SuccessfulDelete", message)

    # --- the report ---------------------------------------------------------------------------------------------

    def _report(self, plan: Plan) -> None:
        stateful, spec = plan.stateful, plan.stateful["spec"]
        counts = dict.fromkeys(
            ("replicas", "readyReplicas", "currentReplicas", "updatedReplicas", "availableReplicas"), 0
        )
        revisions = meta.name(plan.current), meta.name(plan.update)
        for pod in self.owned("Pod", stateful):
            if number_of(pod, stateful) is None:
                continue
            counts["replicas"] += 1
            counts["readyReplicas"] += pods.phase(pod) == "Running" and pods.is_ready(pod)
            counts["availableReplicas"] += self._is_available(stateful, pod)
            if not meta.is_deleting(pod):
                counts["currentReplicas"] += meta.labels(pod).get(HASH) == revisions[0]
                counts["updatedReplicas"] += meta.labels(pod).get(HASH) == revisions[1]
        current = revisions[0]
        wanted = spec.get("replicas", 1)
        there = {counts[name] for name in ("replicas", "readyReplicas", "updatedReplicas")}
        if spec["updateStrategy"].get("type") == "RollingUpdate" and there == {wanted}:
            current, counts["currentReplicas"] = revisions[1], counts["updatedReplicas"]
        status: dict[str, Any] = {"observedGeneration": meta.generation(stateful), "replicas": counts["replicas"]}
        for name in ("readyReplicas", "currentReplicas", "updatedReplicas"):
            if counts[name]:
                status[name] = counts[name]
        status |= {"currentRevision": current, "updateRevision": revisions[1]}
        status["collisionCount"] = (stateful.get("status") or {}).get("collisionCount", 0)
        if (stateful.get("status") or {}).get("conditions"):
            status["conditions"] = stateful["status"]["conditions"]
        status["availableReplicas"] = counts["availableReplicas"]
        now = self.informers.by_key(self.kind, meta.key(stateful))
        if now is not None and meta.uid(now) == meta.uid(stateful):
            self.client.update_status({**now, "status": status})


def _is_healthy(pod: Manifest) -> bool:
    return pods.phase(pod) == "Running" and pods.is_ready(pod) and not meta.is_deleting(pod)


def first_number(stateful: Manifest) -> int:
    return int((stateful["spec"].get("ordinals") or {}).get("start") or 0)


def number_of(pod: Manifest, stateful: Manifest) -> int | None:
    """The pod's number in this set; None if it is called otherwise."""
    match = _NUMBERED.fullmatch(meta.name(pod))
    return int(match[2]) if match and match[1] == meta.name(stateful) else None


def claims_for(stateful: Manifest, number: int) -> list[Manifest]:
    """The claims of one pod, made of the set's templates: `data-db-0`."""
    found = []
    for template in stateful["spec"].get("volumeClaimTemplates") or ():
        given = template.get("metadata") or {}
        name = f"{given.get('name', '')}-{meta.name(stateful)}-{number}"
        metadata: Manifest = {"name": name, "namespace": meta.namespace(stateful)}
        chosen = (stateful["spec"].get("selector") or {}).get("matchLabels") or {}
        metadata["labels"] = {**(given.get("labels") or {}), **chosen}
        if given.get("annotations"):
            metadata["annotations"] = given["annotations"]
        claim = {"kind": "PersistentVolumeClaim", "apiVersion": "v1", "metadata": metadata}
        found.append({**claim, "spec": template.get("spec") or {}})
    return found


def pod_for(stateful: Manifest, revision: Manifest, number: int) -> Manifest:
    """The pod of one number, as `revision` has it."""
    template = revision["data"]["spec"]["template"]
    given, spec, name = template.get("metadata") or {}, template.get("spec") or {}, f"{meta.name(stateful)}-{number}"
    metadata: Manifest = {
        "name": name,
        "generateName": f"{meta.name(stateful)}-",
        "namespace": meta.namespace(stateful),
    }
    own = {HASH: meta.name(revision), POD_NAME: name, POD_INDEX: str(number)}
    metadata["labels"] = {**(given.get("labels") or {}), **own}
    metadata |= {part: given[part] for part in ("annotations", "finalizers") if given.get(part)}
    metadata["ownerReferences"] = [meta.owner_reference(stateful)]
    spec = {**spec, "hostname": name}
    if stateful["spec"].get("serviceName"):
        spec["subdomain"] = stateful["spec"]["serviceName"]
    volumes = volumes_with_claims(stateful, spec.get("volumes") or [], name)
    if volumes is not None:
        spec["volumes"] = volumes
    return {"kind": "Pod", "apiVersion": "v1", "metadata": metadata, "spec": spec}


def volumes_with_claims(stateful: Manifest, volumes: list[Manifest], pod: str) -> list[Manifest] | None:
    """A pod's volumes with those of its claims; None: they are there already."""
    templates = stateful["spec"].get("volumeClaimTemplates") or ()
    claims = [(template.get("metadata") or {}).get("name", "") for template in templates]
    made = [{"name": claim, "persistentVolumeClaim": {"claimName": f"{claim}-{pod}"}} for claim in claims]
    named = {volume["name"]: (volume.get("persistentVolumeClaim") or {}).get("claimName") for volume in volumes}
    if all(named.get(claim) == f"{claim}-{pod}" for claim in claims):
        return None
    return [*made, *(volume for volume in volumes if volume["name"] not in claims)]
