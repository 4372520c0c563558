"""Deployment controller: moves pods from the old template to the new one, a few at a time.

It never touches a pod. It makes one ReplicaSet per template and turns two numbers: the new one's replicas up, the old
ones' down, within `maxSurge` and `maxUnavailable`. Rolling back is the same with an older template.

Mirrors:  kubernetes/pkg/controller/deployment (deployment_controller.go, sync.go, rolling.go, recreate.go,
          progress.go, util/deployment_util.go)
Left out: the rollback field of extensions/v1beta1: `kubectl rollout undo` patches the template.
Read next: replicaset.py, which makes the pods.
"""

from typing import Any

from cluster.controllers.rounding import surge_and_unavailable
from cluster.engine.clock import SECOND
from cluster.engine.controller import Controller
from cluster.objects import Manifest, conditions, labels, meta, pods, times, workloads
from cluster.objects.errors import AlreadyExists, ApiError, Invalid, NotFound

REVISION = "deployment.kubernetes.io/revision"
HISTORY = "deployment.kubernetes.io/revision-history"
DESIRED = "deployment.kubernetes.io/desired-replicas"
MAXIMUM = "deployment.kubernetes.io/max-replicas"
HASH = "pod-template-hash"
NOT_COPIED = (
    "kubectl.kubernetes.io/last-applied-configuration",
    REVISION,
    HISTORY,
    DESIRED,
    MAXIMUM,
    "deprecated.deployment.rollback.to",
)
NO_DEADLINE = 2**31 - 1


class DeploymentController(Controller):
    name = "deployment-controller"
    reaction = 25_000  # A little after the ReplicaSet controller, which so deletes before we count on it.
    kind = "Deployment"
    owns = ("ReplicaSet",)

    def watch(self) -> None:
        super().watch()
        self.informers.add_index("Pod", "controller", lambda pod: [r["uid"]] if (r := meta.controller_of(pod)) else [])
        self.informers.add_index("ReplicaSet", "orphans", _namespace_of_orphan)
        self.informers.subscribe("Pod", self._pod_changed, self.name)

    def _owned_changed(self, old: Manifest | None, new: Manifest | None) -> None:
        super()._owned_changed(old, new)
        if new is not None and meta.controller_of(new) is None:
            for candidate in self.informers.list("Deployment", meta.namespace(new)):
                if labels.matches(candidate["spec"]["selector"], meta.labels(new)):
                    self.queue.add(meta.key(candidate))

    def _pod_changed(self, old: Manifest | None, new: Manifest | None) -> None:
        """Recreate waits until the last old pod is gone."""
        if new is not None or old is None:
            return
        reference = meta.controller_of(old)
        if reference is None or reference["kind"] != "ReplicaSet":
            return
        replicaset = self.informers.get("ReplicaSet", meta.namespace(old), reference["name"])
        owner = meta.controller_of(replicaset) if replicaset else None
        deployment = self.informers.get("Deployment", meta.namespace(old), owner["name"]) if owner else None
        if deployment is not None and deployment["spec"]["strategy"]["type"] == "Recreate":
            self.queue.add(meta.key(deployment))

    def reconcile(self, deployment: Manifest) -> None:
        """One look: paused or scaled → only sizes; else the strategy's next move; then the status."""
        self.deployment = deployment
        if meta.is_deleting(deployment):
            self._report(estimate=False)
            return
        self._claim()
        self._note_pause()
        paused = self.deployment["spec"].get("paused")
        if paused or self._is_scaling(self._sets()):
            new, old = self._synced(create=False)
            self._scale_all(new, old)
            if paused:
                self._clean_up(self._split(self._sets())[1])
            self._report(estimate=False)
            return
        if self.deployment["spec"]["strategy"]["type"] == "Recreate":
            self._recreate()
        else:
            self._roll()

    # --- which ReplicaSets are ours, and which is which --------------------------------------------------------

    def _claim(self) -> None:
        """Orphans that match become ours; ours that no longer match are let go."""
        deployment = self.deployment
        selector = deployment["spec"]["selector"]
        for rs in self.informers.by_index("ReplicaSet", "orphans", meta.namespace(deployment)):
            if labels.matches(selector, meta.labels(rs)) and not meta.is_deleting(rs):
                self._set_owners(rs, [*meta.owners(rs), meta.owner_reference(deployment)])
        for rs in self._sets():
            if not labels.matches(selector, meta.labels(rs)) and not meta.is_deleting(rs):
                self._set_owners(rs, [r for r in meta.owners(rs) if r["uid"] != meta.uid(deployment)])

    def _set_owners(self, replicaset: Manifest, owners: list[Manifest]) -> None:
        try:
            self._patch(replicaset, {"metadata": {"ownerReferences": owners or None}})
        except (NotFound, Invalid):
            return

    def _sets(self) -> list[Manifest]:
        return self.owned("ReplicaSet", self.deployment)

    def _split(self, sets: list[Manifest]) -> tuple[Manifest | None, list[Manifest]]:
        """(the one with today's template, the others), oldest first."""
        wanted = _comparable(self.deployment["spec"]["template"])
        matching = [rs for rs in sets if _comparable(rs["spec"]["template"]) == wanted]
        new = matching[0] if matching else None
        return new, [rs for rs in sets if rs is not new]

    def _synced(self, create: bool) -> tuple[Manifest | None, list[Manifest]]:
        """The new ReplicaSet (made if `create`) and the old ones, with the revision number where it belongs."""
        new, old = self._split(self._sets())
        revision = str(max((_revision(rs) for rs in old), default=0) + 1)
        if new is not None:
            new = self._annotate(new, revision)
            self._set_revision(_annotation(new, REVISION), found=new)
            return new, old
        if not create:
            return None, old
        return self._make(revision, old), old

    def _annotate(self, replicaset: Manifest, revision: str) -> Manifest:
        """Copy the Deployment's annotations and number it; an older template that returns gets a new number."""
        deployment = self.deployment
        found = {**meta.annotations(replicaset)}
        before = dict(found)
        found |= {k: v for k, v in meta.annotations(deployment).items() if k not in NOT_COPIED}
        if _revision(replicaset) < int(revision):
            if found.get(REVISION):
                history = [*filter(None, found.get(HISTORY, "").split(",")), found[REVISION]]
                found[HISTORY] = ",".join(history)
            found[REVISION] = revision
        ready = deployment["spec"].get("minReadySeconds", 0)
        patch: dict[str, Any] = {}
        if found != before:
            patch["metadata"] = {"annotations": found}
        if replicaset["spec"].get("minReadySeconds", 0) != ready:
            patch["spec"] = {"minReadySeconds": ready}
        return self._patch(replicaset, patch) if patch else replicaset

    def _set_revision(self, revision: str, found: Manifest | None = None) -> None:
        """The Deployment carries its ReplicaSet's number, and a Progressing condition from the start."""
        new = self.deployment
        if _annotation(new, REVISION) != revision:
            new = {**new, "metadata": {**new["metadata"], "annotations": {**meta.annotations(new), REVISION: revision}}}
        if found is not None and conditions.get(new, "Progressing") is None and _has_deadline(new):
            message = f'Found new replica set "{meta.name(found)}"'
            new = self._with_condition(new, "Progressing", "True", "FoundNewReplicaSet", message)
        if new is not self.deployment:
            self.deployment = self.client.update_status(new)

    def _make(self, revision: str, old: list[Manifest]) -> Manifest | None:
        """A ReplicaSet for today's template, sized as the strategy allows."""
        deployment = self.deployment
        spec, template = deployment["spec"], deployment["spec"]["template"]
        digest = workloads.template_hash(template, (deployment.get("status") or {}).get("collisionCount"))
        labels = {**((template.get("metadata") or {}).get("labels") or {}), HASH: digest}
        selector = {**spec["selector"], "matchLabels": {**(spec["selector"].get("matchLabels") or {}), HASH: digest}}
        annotations = {k: v for k, v in meta.annotations(deployment).items() if k not in NOT_COPIED}
        annotations |= {**self._size_annotations(spec["replicas"]), REVISION: revision}
        metadata = {
            "name": f"{meta.name(deployment)}-{digest}",
            "namespace": meta.namespace(deployment),
            "labels": labels,
            "annotations": annotations,
            "ownerReferences": [meta.owner_reference(deployment)],
        }
        body: dict[str, Any] = {"replicas": self._new_size(0, old), "selector": selector}
        if spec.get("minReadySeconds"):
            body["minReadySeconds"] = spec["minReadySeconds"]
        body["template"] = {**template, "metadata": {**(template.get("metadata") or {}), "labels": labels}}
        wanted = {"kind": "ReplicaSet", "apiVersion": "apps/v1", "metadata": metadata, "spec": body}
        try:
            made = self.client.create(wanted)
        except AlreadyExists:
            self._count_collision()
            return None
        except ApiError as error:
            self._tell_failure(f'Failed to create new replica set "{metadata["name"]}": {error.message}')
            raise
        if made["spec"]["replicas"] > 0:
            self._say_scaled("up", made, 0, made["spec"]["replicas"])
        new = deployment
        if _annotation(new, REVISION) != revision:
            new = {**new, "metadata": {**new["metadata"], "annotations": {**meta.annotations(new), REVISION: revision}}}
        if _has_deadline(new):
            message = f'Created new replica set "{meta.name(made)}"'
            new = self._with_condition(new, "Progressing", "True", "NewReplicaSetCreated", message)
        if new is not deployment:
            self.deployment = self.client.update_status(new)
        return made

    def _tell_failure(self, message: str) -> None:
        """The ReplicaSet itself was refused."""
        reason = "ReplicaSetCreateError"
        if _has_deadline(self.deployment):
            failed = self._with_condition(self.deployment, "Progressing", "False", reason, message)
            self.deployment = self.client.update_status(failed)
        self.recorder.event(self.deployment, "Warning", reason, message)

    def _count_collision(self) -> None:
        """Another ReplicaSet has this name: count the collision, so that the next try hashes to another one."""
        status = self.deployment.get("status") or {}
        bumped = {**status, "collisionCount": status.get("collisionCount", 0) + 1}
        self.deployment = self.client.update_status({**self.deployment, "status": bumped})
        self.queue.add(meta.key(self.deployment))

    # --- strategies ---------------------------------------------------------------------------------------------

    def _roll(self) -> None:
        """Up with the new one if there is room, else down with the old ones."""
        new, old = self._synced(create=True)
        if new is None:
            return
        if self._scale_up_new(new, old) or self._scale_down_old(new, old):
            self._report()
            return
        if self._is_complete(self.deployment.get("status") or {}):
            self._clean_up(old)
        self._report()

    def _recreate(self) -> None:
        """All old pods first; when the last of them is gone, the new ones."""
        new, old = self._synced(create=False)
        scaled = [self._resize(rs, 0) for rs in old if rs["spec"]["replicas"] > 0]
        if scaled or self._old_pods_run(old):
            self._report()
            return
        if new is None:
            new, old = self._synced(create=True)
        if new is not None and new["spec"]["replicas"] != self.deployment["spec"]["replicas"]:
            self._resize(new, self.deployment["spec"]["replicas"])
        if self._is_complete(self.deployment.get("status") or {}):
            self._clean_up(old)
        self._report()

    def _old_pods_run(self, old: list[Manifest]) -> bool:
        if any((rs.get("status") or {}).get("replicas", 0) for rs in old):
            return True
        return any(not pods.is_terminal(pod) for rs in old for pod in self.owned("Pod", rs))

    def _scale_up_new(self, new: Manifest, old: list[Manifest]) -> bool:
        wanted, has = self.deployment["spec"]["replicas"], new["spec"]["replicas"]
        if has == wanted:
            return False
        size = wanted if has > wanted else self._new_size(has, old)
        return self._resize(new, size) is not new

    def _new_size(self, has: int, old: list[Manifest]) -> int:
        """How large the new ReplicaSet may be now."""
        spec = self.deployment["spec"]
        if spec["strategy"]["type"] == "Recreate":
            return int(spec["replicas"])
        surge, _ = surge_and_unavailable(spec)
        total = has + sum(rs["spec"]["replicas"] for rs in old)
        room = spec["replicas"] + surge - total
        if room <= 0:
            return has
        return int(has + min(room, spec["replicas"] - has))

    def _scale_down_old(self, new: Manifest, old: list[Manifest]) -> bool:
        """Take from the old ones what may be missing: first pods that are not ready anyway, then the oldest sets."""
        running = [rs for rs in old if rs["spec"]["replicas"] > 0]
        if not running:
            return False
        spec = self.deployment["spec"]
        _, unavailable = surge_and_unavailable(spec)
        at_least = spec["replicas"] - unavailable
        new_unavailable = new["spec"]["replicas"] - _available(new)
        total = sum(rs["spec"]["replicas"] for rs in running) + new["spec"]["replicas"]
        budget = total - at_least - new_unavailable
        if budget <= 0:
            return False
        changed = False
        by_age = sorted(running, key=meta.created_at)
        cleaned = []
        for rs in by_age:  # Pods that never became available cost nothing.
            unhealthy = rs["spec"]["replicas"] - _available(rs)
            drop = min(budget, unhealthy)
            if drop > 0:
                rs, budget, changed = self._resize(rs, rs["spec"]["replicas"] - drop), budget - drop, True
            cleaned.append(rs)
        spare = sum(_available(rs) for rs in cleaned) + _available(new) - at_least
        for rs in cleaned:
            drop = min(rs["spec"]["replicas"], spare)
            if drop > 0:
                self._resize(rs, rs["spec"]["replicas"] - drop)
                spare, changed = spare - drop, True
        return changed

    # --- sizes --------------------------------------------------------------------------------------------------

    def _is_scaling(self, sets: list[Manifest]) -> bool:
        """Did `spec.replicas` change since the ReplicaSets were sized?"""
        running = [rs for rs in sets if rs["spec"]["replicas"] > 0]
        desired = str(self.deployment["spec"]["replicas"])
        return any(_annotation(rs, DESIRED) not in ("", desired) for rs in running)

    def _scale_all(self, new: Manifest | None, old: list[Manifest]) -> None:
        """Bring the sets to the wanted total; in the middle of a rollout each gets its share."""
        wanted = self.deployment["spec"]["replicas"]
        everyone = [*old, *([new] if new else [])]
        running = [rs for rs in everyone if rs["spec"]["replicas"] > 0]
        if len(running) <= 1:
            target = running[0] if running else (new or (max(old, key=_revision) if old else None))
            if target is not None:
                self._resize(target, wanted)
            return
        if new is not None and _available(new) == wanted == new["spec"]["replicas"]:
            for rs in old:
                if rs["spec"]["replicas"] > 0:
                    self._resize(rs, 0)
            return
        if self.deployment["spec"]["strategy"]["type"] == "RollingUpdate":
            self._proportion(running, wanted)

    def _proportion(self, running: list[Manifest], wanted: int) -> None:
        """Spread the difference over the sets by their sizes, the largest first; what is left goes to the first."""
        surge, _ = surge_and_unavailable(self.deployment["spec"])
        allowed = wanted + surge if wanted > 0 else 0
        total = sum(rs["spec"]["replicas"] for rs in running)
        to_add = allowed - total
        newest_last = sorted(running, key=meta.created_at)
        ordered = sorted(newest_last if to_add < 0 else newest_last[::-1], key=lambda rs: -rs["spec"]["replicas"])
        sizes, added = {}, 0
        for rs in ordered:
            share = _share(rs, self.deployment, surge, to_add - added) if to_add else 0
            sizes[meta.name(rs)] = rs["spec"]["replicas"] + share
            added += share
        for number, rs in enumerate(ordered):
            size = sizes[meta.name(rs)]
            if number == 0 and to_add:
                size = max(size + to_add - added, 0)
            self._resize(rs, size)

    def _resize(self, replicaset: Manifest, size: int) -> Manifest:
        """Set one ReplicaSet's replicas and its size annotations; say so if the size changed."""
        before = replicaset["spec"]["replicas"]
        annotations = self._size_annotations(self.deployment["spec"]["replicas"])
        stale = any(_annotation(replicaset, name) != value for name, value in annotations.items())
        if before == size and not stale:
            return replicaset
        patch: dict[str, Any] = {"metadata": {"annotations": annotations}}
        if before != size:
            patch["spec"] = {"replicas": size}
        changed = self._patch(replicaset, patch)
        if before != size:
            self._say_scaled("up" if size > before else "down", replicaset, before, size)
        return changed

    def _patch(self, replicaset: Manifest, patch: Manifest) -> Manifest:
        return self.client.patch("ReplicaSet", meta.namespace(replicaset), meta.name(replicaset), patch)

    def _say_scaled(self, way: str, replicaset: Manifest, before: int, after: int) -> None:
        message = f"Scaled {way} replica set {meta.name(replicaset)} from {before} to {after}"
        self.recorder.event(self.deployment, "Normal", "ScalingReplicaSet", message)

    def _size_annotations(self, replicas: int) -> dict[str, str]:
        surge = 0
        if self.deployment["spec"]["strategy"]["type"] == "RollingUpdate" and replicas:
            surge, _ = surge_and_unavailable(self.deployment["spec"])
        return {DESIRED: str(replicas), MAXIMUM: str(replicas + surge)}

    def _clean_up(self, old: list[Manifest]) -> None:
        """Forget the oldest ReplicaSets beyond `revisionHistoryLimit`."""
        limit = self.deployment["spec"].get("revisionHistoryLimit")
        alive = [rs for rs in old if not meta.is_deleting(rs)]
        if limit is None or len(alive) <= limit:
            return
        for rs in sorted(alive, key=_revision)[: len(alive) - limit]:
            status = rs.get("status") or {}
            unseen = meta.generation(rs) > status.get("observedGeneration", 0)
            if status.get("replicas", 0) or rs["spec"]["replicas"] or unseen:
                continue
            try:
                self.client.delete("ReplicaSet", meta.namespace(rs), meta.name(rs))
            except NotFound:
                continue

    # --- status -------------------------------------------------------------------------------------------------

    def _note_pause(self) -> None:
        """A pause stops the deadline's clock; a resume starts it anew."""
        deployment = self.deployment
        condition = conditions.get(deployment, "Progressing")
        if not _has_deadline(deployment):
            return
        reason = condition.get("reason") if condition is not None else None
        if reason == "ProgressDeadlineExceeded":
            return  # What is known to be stuck stays so.
        paused = bool(deployment["spec"].get("paused"))
        if paused == (reason == "DeploymentPaused"):
            return
        what, message = ("Paused", "Deployment is paused") if paused else ("Resumed", "Deployment is resumed")
        new = self._with_condition(deployment, "Progressing", "Unknown", f"Deployment{what}", message)
        self.deployment = self.client.update_status(new)

    def _is_complete(self, status: Manifest) -> bool:
        """All pods are new, all are available, and `status` is about today's generation."""
        wanted = self.deployment["spec"]["replicas"]
        counts = (status.get(name, 0) for name in ("updatedReplicas", "replicas", "availableReplicas"))
        seen = status.get("observedGeneration", 0) >= meta.generation(self.deployment)
        return seen and all(count == wanted for count in counts)

    def _counts(self, sets: list[Manifest], new: Manifest | None) -> dict[str, int]:
        def total(name: str) -> int:
            return sum((rs.get("status") or {}).get(name, 0) for rs in sets)

        asked = sum(rs["spec"]["replicas"] for rs in sets)
        updated = (new.get("status") or {}).get("replicas", 0) if new else 0
        counts = {"replicas": total("replicas"), "updatedReplicas": updated, "readyReplicas": total("readyReplicas")}
        counts["availableReplicas"] = total("availableReplicas")
        counts["unavailableReplicas"] = max(asked - counts["availableReplicas"], 0)
        return {name: number for name, number in counts.items() if number}

    def _report(self, estimate: bool = True) -> None:
        """Counts from the ReplicaSets' statuses, and the conditions. `estimate`: also how the rollout progresses."""
        deployment, sets = self.deployment, self._sets()
        new, _ = self._split(sets)
        before = deployment.get("status") or {}
        counts = self._counts(sets, new)
        status: dict[str, Any] = {"observedGeneration": meta.generation(deployment), **counts}
        status["terminatingReplicas"] = sum((rs.get("status") or {}).get("terminatingReplicas") or 0 for rs in sets)
        if before.get("collisionCount") is not None:
            status["collisionCount"] = before["collisionCount"]
        status["conditions"] = before.get("conditions") or []
        reported = self._with_availability({**deployment, "status": status}, counts)
        if estimate:
            reported = self._with_failure(self._with_progress(reported, before, counts, new), sets, new)
        if not reported["status"]["conditions"]:
            del reported["status"]["conditions"]
        self.deployment = self.client.update_status(reported)
        self._wake_for_deadline(self.deployment)

    def _with_availability(self, deployment: Manifest, counts: dict[str, int]) -> Manifest:
        _, unavailable = surge_and_unavailable(deployment["spec"])
        if counts.get("availableReplicas", 0) >= deployment["spec"]["replicas"] - unavailable:
            return self._with_condition(
                deployment, "Available", "True", "MinimumReplicasAvailable", "Deployment has minimum availability."
            )
        message = "Deployment does not have minimum availability."
        return self._with_condition(deployment, "Available", "False", "MinimumReplicasUnavailable", message)

    def _with_progress(
        self, deployment: Manifest, before: Manifest, counts: dict[str, int], new: Manifest | None
    ) -> Manifest:
        if not _has_deadline(deployment):
            kept = conditions.drop(deployment["status"]["conditions"], "Progressing")
            return {**deployment, "status": {**deployment["status"], "conditions": kept}}
        condition = conditions.get(deployment, "Progressing")
        finished = counts.get("replicas", 0) == counts.get("updatedReplicas", 0)
        if finished and condition is not None and condition.get("reason") == "NewReplicaSetAvailable":
            return deployment
        subject = f'ReplicaSet "{meta.name(new)}"' if new else f'Deployment "{meta.name(deployment)}"'
        if self._is_complete(deployment["status"]):
            message = f"{subject} has successfully progressed."
            return self._with_condition(deployment, "Progressing", "True", "NewReplicaSetAvailable", message)
        if _progressed(before, counts):
            message = f"{subject} is progressing."
            return self._with_condition(deployment, "Progressing", "True", "ReplicaSetUpdated", message, fresh=True)
        if self._timed_out(deployment, condition):
            message = f"{subject} has timed out progressing."
            return self._with_condition(deployment, "Progressing", "False", "ProgressDeadlineExceeded", message)
        return deployment

    def _with_failure(self, deployment: Manifest, sets: list[Manifest], new: Manifest | None) -> Manifest:
        """ReplicaFailure is what the ReplicaSets say of themselves, the new one first."""
        asked = [*([new] if new is not None else []), *sets]
        failure = next((c for rs in asked if (c := conditions.get(rs, "ReplicaFailure")) is not None), None)
        known, found = conditions.get(deployment, "ReplicaFailure"), deployment["status"]["conditions"]
        if failure is None and known is None:
            return deployment
        if failure is not None and known is not None and known["reason"] == failure["reason"]:
            return deployment
        found = conditions.drop(found, "ReplicaFailure")
        if failure is not None:
            since = known["lastTransitionTime"] if known is not None else failure["lastTransitionTime"]
            times_ = {"lastUpdateTime": failure["lastTransitionTime"], "lastTransitionTime": since}
            what = {"reason": failure["reason"], "message": failure["message"]}
            found = [*found, {"type": "ReplicaFailure", "status": "True", **times_, **what}]
        return {**deployment, "status": {**deployment["status"], "conditions": found}}

    def _with_condition(
        self, deployment: Manifest, type_: str, status: str, reason: str, message: str, fresh: bool = False
    ) -> Manifest:
        """`deployment` with the condition. Same status and reason: no change, unless `fresh` moves its time on."""
        known, now = conditions.get(deployment, type_), self.clock.stamp()
        if known is not None and (known["status"], known.get("reason")) == (status, reason) and not fresh:
            return deployment
        since = known["lastTransitionTime"] if known is not None and known["status"] == status else now
        condition = {"type": type_, "status": status, "lastUpdateTime": now, "lastTransitionTime": since}
        condition |= {"reason": reason, "message": message}
        current = deployment.get("status") or {}
        kept = conditions.drop(current.get("conditions"), type_)
        return {**deployment, "status": {**current, "conditions": [*kept, condition]}}

    def _timed_out(self, deployment: Manifest, condition: Manifest | None) -> bool:
        if condition is None or condition.get("reason") == "NewReplicaSetAvailable":
            return False
        if condition.get("reason") == "ProgressDeadlineExceeded":
            return True
        deadline = deployment["spec"]["progressDeadlineSeconds"] * SECOND
        return self.clock.unix() >= times.parse(condition["lastUpdateTime"]) + deadline

    def _wake_for_deadline(self, deployment: Manifest) -> None:
        """Look again when the progress deadline is over, unless the rollout is done or paused."""
        condition = conditions.get(deployment, "Progressing")
        key = meta.key(deployment)
        waiting = ("NewReplicaSetAvailable", "ProgressDeadlineExceeded", "DeploymentPaused")
        if not _has_deadline(deployment) or condition is None or condition.get("reason") in waiting:
            self.queue.cancel(key)
            return
        due = times.parse(condition["lastUpdateTime"]) + deployment["spec"]["progressDeadlineSeconds"] * SECOND
        delay = due - self.clock.unix() + SECOND
        timer = self.queue.timer(key)
        if timer is not None and timer < self.clock.now + delay:
            self.queue.cancel(key)
        if delay > 0:
            self.queue.add_after(key, delay, f"the progress deadline of {meta.name(deployment)} ends")


def _namespace_of_orphan(replicaset: Manifest) -> list[str]:
    return [] if meta.controller_of(replicaset) else [meta.namespace(replicaset)]


def _comparable(template: Manifest) -> Manifest:
    """A template without the hash label that the controller adds."""
    metadata = template.get("metadata") or {}
    labels = {k: v for k, v in (metadata.get("labels") or {}).items() if k != HASH}
    rest = {k: v for k, v in metadata.items() if k not in ("labels", "creationTimestamp")}
    return {**template, "metadata": {**rest, "labels": labels}}


def _annotation(obj: Manifest, name: str) -> str:
    return meta.annotations(obj).get(name, "")


def _revision(replicaset: Manifest) -> int:
    text = _annotation(replicaset, REVISION)
    return int(text) if text.isdigit() else 0


def _available(replicaset: Manifest) -> int:
    return int((replicaset.get("status") or {}).get("availableReplicas", 0))


def _has_deadline(deployment: Manifest) -> bool:
    return deployment["spec"].get("progressDeadlineSeconds") not in (None, NO_DEADLINE)


def _progressed(before: Manifest, counts: dict[str, int]) -> bool:
    """More new pods, fewer old ones, or more that are ready or available."""
    old_before = before.get("replicas", 0) - before.get("updatedReplicas", 0)
    old_now = counts.get("replicas", 0) - counts.get("updatedReplicas", 0)
    more = any(counts.get(n, 0) > before.get(n, 0) for n in ("updatedReplicas", "readyReplicas", "availableReplicas"))
    return more or old_now < old_before


def _share(replicaset: Manifest, deployment: Manifest, surge: int, left: int) -> int:
    """This set's part of a difference in the middle of a rollout, by its part of the old size."""
    size = replicaset["spec"]["replicas"]
    if size == 0 or left == 0:
        return 0
    wanted = deployment["spec"]["replicas"]
    if wanted == 0:
        return max(-size, left)
    annotated = _annotation(replicaset, MAXIMUM)
    before = int(annotated) if annotated.isdigit() else 0
    before = before or (deployment.get("status") or {}).get("replicas", 0)
    if not before:
        return 0
    new_size = (2 * size * (wanted + surge) + before) // (2 * before)  # Rounded half up.
    share = new_size - size
    return min(share, left) if left > 0 else max(share, left)
