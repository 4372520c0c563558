"""Job controller: run pods until enough of them have succeeded, or too many have failed.

A pod's end must be counted exactly once, though the controller may crash at any moment. So every pod carries a
finalizer, and counting goes in three writes:

    1. the Job's status names the ended pods (uncountedTerminatedPods)
    2. the pods lose their finalizer, and may go
    3. the Job's status counts them, and names them no longer

The end of the Job is told in two conditions for the same reason: SuccessCriteriaMet or FailureTarget when it is
decided, Complete or Failed when the last pod is over.

Mirrors:  kubernetes/pkg/controller/job/job_controller.go (syncJob, manageJob, trackJobStatusAndRemoveFinalizers)
Left out: expectations (our caches are never stale), gang scheduling.
Read next: jobpods.py for what pods mean to their Job, cronjob.py for who makes Jobs.
"""

from dataclasses import dataclass, field
from typing import Any

from cluster.controllers import jobpods
from cluster.controllers.jobpods import TRACKING, is_tracked
from cluster.engine.clock import SECOND
from cluster.engine.controller import Controller
from cluster.objects import Manifest, conditions, indexes, labels, meta, pods, times
from cluster.objects.errors import ApiError, Conflict, Invalid, NotFound

BATCH = SECOND  # Changes of pods are gathered for so long.
BURST = 500  # Pods created or deleted in one step.
MOST_UNCOUNTED = 500  # Names of pods in one status.
ORPHAN = "orphan/"
OURSELVES = "kubernetes.io/job-controller"
REACHED = ("CompletionsReached", "Reached expected number of succeeded pods")


@dataclass
class Sync:
    """One look at a Job. `status`: what it is becoming; `verdict`: the condition that ends it."""

    job: Manifest
    pods: list[Manifest]
    active: list[Manifest]
    status: Manifest
    terminating: int
    ready: int
    uncounted: Manifest
    succeeded: int = 0
    failed: int = 0
    number: int = 0  # Active pods after what this step does.
    done_indexes: set[int] = field(default_factory=set)
    lost_indexes: set[int] | None = None
    verdict: Manifest | None = None
    backoff: tuple[int, int] = (0, 0)  # Failures since the last success, time of the last one.


class JobController(Controller):
    """Queue keys: `<namespace>/<job>`, and `orphan/<namespace>/<pod>` for pods whose Job is gone."""

    name = "job-controller"
    kind = "Job"
    owns = ("Pod",)

    # --- waking up ----------------------------------------------------------------------------------------------

    def watch(self) -> None:
        super().watch()
        self.informers.add_index("Pod", "orphans", lambda pod: [] if meta.controller_of(pod) else [meta.namespace(pod)])

    def _changed(self, old: Manifest | None, new: Manifest | None) -> None:
        if new is None and old is not None:
            for pod in self.owned("Pod", old):
                self._orphan(pod)
        elif old is None or new is None or meta.generation(old) != meta.generation(new):
            self.queue.add(meta.key(new or old or {}))
        else:
            self.queue.add_after(meta.key(new), BATCH)

    def _owned_changed(self, old: Manifest | None, new: Manifest | None) -> None:
        references = [meta.controller_of(pod) if pod is not None else None for pod in (old, new)]
        if new is not None and references[1] is not None and not any(_is_job(r) for r in references):
            return  # Somebody else's pod, as most are.
        if old is not None and new is not None and _told(old) == _told(new):
            return
        for pod, reference in zip((old, new), references, strict=True):
            if pod is not None and reference is not None and _is_job(reference):
                self.queue.add_after(f"{meta.namespace(pod)}/{reference['name']}", BATCH)
        if new is None:
            return
        reference = meta.controller_of(new)
        if reference is None:
            self._adopter_wakes(new)
        if is_tracked(new) and (reference is None or (reference["kind"] == self.kind and self._job_of(new) is None)):
            self._orphan(new)

    def _adopter_wakes(self, pod: Manifest) -> None:
        for job in self.informers.list(self.kind, meta.namespace(pod)):
            if labels.matches(job["spec"].get("selector"), meta.labels(pod)):
                self.queue.add_after(meta.key(job), BATCH)

    def _orphan(self, pod: Manifest) -> None:
        if is_tracked(pod):
            self.queue.add(ORPHAN + meta.key(pod))

    def _job_of(self, pod: Manifest) -> Manifest | None:
        reference = meta.controller_of(pod)
        job = self.informers.get(self.kind, meta.namespace(pod), reference["name"]) if reference else None
        return job if job is not None and reference is not None and meta.uid(job) == reference["uid"] else None

    def process(self, key: str) -> None:
        if not key.startswith(ORPHAN):
            super().process(key)
            return
        pod = self.informers.by_key("Pod", key.removeprefix(ORPHAN))
        if pod is not None and is_tracked(pod) and self._job_of(pod) is None:
            self._untrack(pod)

    def gone(self, key: str) -> None:
        self.memory.pop(key)

    # --- one look -----------------------------------------------------------------------------------------------

    def reconcile(self, job: Manifest) -> None:
        """Decide whether the Job is over, create or delete pods, count those that ended."""
        if job["spec"].get("managedBy", OURSELVES) != OURSELVES:
            return
        if conditions.is_true(job, "Complete") or conditions.is_true(job, "Failed"):
            self.memory.pop(meta.key(job))
            return
        sync = self._look(job)
        self._decide(sync)
        failure, suspension = None, False
        if sync.verdict is not None:
            if self._delete_active(sync):
                self.queue.add(meta.key(job))  # Counting them is the next step: their kubelets hear of it first.
                return
        else:
            if not meta.is_deleting(job):
                failure = self._manage(sync)
            if self._is_complete(sync):
                sync.verdict = self._condition("SuccessCriteriaMet", *REACHED)
            elif not meta.is_deleting(job):
                suspension = self._tell_suspension(sync)
        status = job.get("status") or {}
        counts = {"active": sync.number, "ready": sync.ready, "terminating": sync.terminating}
        changed = suspension or any(
            status.get(name, 0 if name == "active" else None) != number for name, number in counts.items()
        )
        sync.status |= counts
        self._count(sync, changed)
        if failure is not None:
            raise failure

    def _look(self, job: Manifest) -> Sync:
        owned = self._claim(job)
        status = {**(job.get("status") or {})}
        uncounted = status.get("uncountedTerminatedPods") or {}
        active = [pod for pod in owned if pods.is_alive(pod)]
        going = sum(meta.is_deleting(pod) and not pods.is_terminal(pod) for pod in owned)
        ready = sum(pods.is_ready(pod) for pod in active)
        sync = Sync(job, owned, active, status, going, ready, uncounted, number=len(active))
        named = {*(uncounted.get("succeeded") or ()), *(uncounted.get("failed") or ())}
        new = [p for p in owned if is_tracked(p) and meta.uid(p) not in named and jobpods.counts_for(p, job)]
        done = [pod for pod in new if pods.phase(pod) == "Succeeded"]
        lost = [pod for pod in new if pods.phase(pod) != "Succeeded" and jobpods.has_failed(pod, job)]
        blamed = [pod for pod in lost if (match := jobpods.matched(job, pod)) is None or match.counts]
        sync.succeeded = status.get("succeeded", 0) + len(done) + len(uncounted.get("succeeded") or ())
        sync.failed = status.get("failed", 0) + len(blamed) + len(uncounted.get("failed") or ())
        sync.backoff = self._backoff(job, done, lost)
        if not status.get("startTime") and not job["spec"].get("suspend"):
            status["startTime"] = self.clock.stamp()
        if jobpods.is_indexed(job):
            sync.done_indexes = jobpods.succeeded_indexes(job, owned)
            sync.succeeded = len(sync.done_indexes)
            if jobpods.by_index(job):
                sync.lost_indexes = jobpods.failed_indexes(job, owned) - sync.done_indexes
        return sync

    def _claim(self, job: Manifest) -> list[Manifest]:
        """Its pods, oldest first; orphans that its selector chooses become its own."""
        selector, namespace = job["spec"].get("selector"), meta.namespace(job)
        if not meta.is_deleting(job):
            for pod in self.informers.by_index("Pod", "orphans", namespace):
                if labels.matches(selector, meta.labels(pod)) and not meta.is_deleting(pod):
                    finalizers = [*(pod["metadata"].get("finalizers") or ()), TRACKING]
                    owners = [*meta.owners(pod), meta.owner_reference(job)]
                    patch = {"metadata": {"ownerReferences": owners, "finalizers": list(dict.fromkeys(finalizers))}}
                    self._patch(pod, patch)
            for pod in self.owned("Pod", job):
                if not labels.matches(selector, meta.labels(pod)) and not meta.is_deleting(pod):
                    rest = [owner for owner in meta.owners(pod) if owner["uid"] != meta.uid(job)]
                    self._patch(pod, {"metadata": {"ownerReferences": rest or None}})
        return self.owned("Pod", job)

    def _backoff(self, job: Manifest, done: list[Manifest], lost: list[Manifest]) -> tuple[int, int]:
        """Failures since the last success, with those that are to be counted now."""
        failures, last = self.memory.get(meta.key(job), (0, 0))
        now = self.clock.unix()
        if done:
            latest = max(jobpods.ended_at(pod, now) for pod in done)
            failures, last = 0, 0
            lost = [pod for pod in lost if jobpods.ended_at(pod, now) > latest]
        if lost:
            failures, last = failures + len(lost), max(jobpods.ended_at(pod, now) for pod in lost)
        return failures, last

    # --- is it over? --------------------------------------------------------------------------------------------

    def _decide(self, sync: Sync) -> None:
        """Set `verdict`, if this Job has succeeded or failed for good."""
        job = sync.job
        if conditions.is_true(job, "SuccessCriteriaMet"):
            sync.verdict = self._final(conditions.get(job, "SuccessCriteriaMet") or {})
        elif conditions.is_true(job, "FailureTarget"):
            sync.verdict = self._final(conditions.get(job, "FailureTarget") or {})
        else:
            reason, message = self._failure(sync)
            if reason:
                sync.verdict = self._condition("FailureTarget", reason, message)
            elif jobpods.is_indexed(job) and (met := jobpods.success_message(job, sync.done_indexes)):
                sync.verdict = self._condition("SuccessCriteriaMet", "SuccessPolicy", met)
            elif (deadline := self._deadline(sync)) is not None:
                left = deadline - self.clock.unix()
                self.queue.add_after(meta.key(job), left, f"job {meta.name(job)} reaches its deadline")

    def _failure(self, sync: Sync) -> tuple[str, str]:
        job, spec = sync.job, sync.job["spec"]
        for pod in sync.pods:
            match = jobpods.matched(job, pod) if jobpods.has_failed(pod, job) else None
            if match is not None and match.action == "FailJob":
                return "PodFailurePolicy", match.message
        if sync.failed > spec.get("backoffLimit", 6) or self._restarted_too_often(sync):
            return "BackoffLimitExceeded", "Job has reached the specified backoff limit"
        deadline = self._deadline(sync)
        if deadline is not None and self.clock.unix() >= deadline:
            return "DeadlineExceeded", "Job was active longer than specified deadline"
        if sync.lost_indexes is None:
            return "", ""
        most = spec.get("maxFailedIndexes")
        if most is not None and len(sync.lost_indexes) > most:
            message = "Job has exceeded the specified maximal number of failed indexes"
            return "MaxFailedIndexesExceeded", message
        if sync.lost_indexes and len(sync.lost_indexes) + len(sync.done_indexes) >= spec["completions"]:
            return "FailedIndexes", "Job has failed indexes"
        return "", ""

    def _restarted_too_often(self, sync: Sync) -> bool:
        """Pods that are restarted in place: their restarts count together."""
        spec = sync.job["spec"]
        if spec["template"]["spec"].get("restartPolicy") != "OnFailure":
            return False
        restarts = 0
        for pod in sync.pods:
            if pods.phase(pod) in ("Running", "Pending"):
                status = pod["status"]
                everyone = (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ()))
                restarts += sum(container.get("restartCount", 0) for container in everyone)
        limit = spec.get("backoffLimit", 6)
        return restarts > 0 if limit == 0 else restarts >= limit

    def _deadline(self, sync: Sync) -> int | None:
        """When its time is over; None if it has as much as it wants, or is suspended."""
        seconds = sync.job["spec"].get("activeDeadlineSeconds")
        if seconds is None or sync.job["spec"].get("suspend"):
            return None
        return times.parse(sync.status["startTime"]) + seconds * SECOND

    def _is_complete(self, sync: Sync) -> bool:
        wanted = sync.job["spec"].get("completions")
        if wanted is None:
            return sync.succeeded > 0 and sync.number == 0
        return sync.succeeded >= wanted and sync.number == 0

    def _condition(self, type_: str, reason: str, message: str, status: str = "True") -> Manifest:
        now = self.clock.stamp()
        condition = {"type": type_, "status": status, "lastProbeTime": now, "lastTransitionTime": now}
        return {**condition, "reason": reason, "message": message}

    def _final(self, decided: Manifest) -> Manifest:
        """The condition that tells the end after the one that told the decision."""
        type_ = "Complete" if decided["type"] == "SuccessCriteriaMet" else "Failed"
        return self._condition(type_, decided.get("reason", ""), decided.get("message", ""))

    def _tell_suspension(self, sync: Sync) -> bool:
        """The condition Suspended follows the spec. True if it changed."""
        suspended, known = bool(sync.job["spec"].get("suspend")), conditions.get(sync.job, "Suspended")
        if (known is None and not suspended) or (known and (known["status"] == "True") == suspended):
            return False
        words = ("True", "JobSuspended", "Job suspended") if suspended else ("False", "JobResumed", "Job resumed")
        condition = self._condition("Suspended", words[1], words[2], words[0])
        sync.status["conditions"] = conditions.put(sync.status.get("conditions"), condition)
        if suspended:
            sync.status.pop("startTime", None)
        else:
            sync.status["startTime"] = self.clock.stamp()
        self.recorder.event(sync.job, "Normal", "Suspended" if suspended else "Resumed", words[2])
        return True

    # --- pods ---------------------------------------------------------------------------------------------------

    def _manage(self, sync: Sync) -> ApiError | None:
        """Create what is missing, delete what is too much. Returns the error that stopped it."""
        spec = sync.job["spec"]
        if spec.get("suspend"):
            return self._delete(sync, len(sync.active))
        parallelism, completions = spec.get("parallelism", 1), spec.get("completions")
        if completions is None:
            wanted = sync.number if sync.succeeded else parallelism
        else:
            wanted = max(0, min(parallelism, completions - sync.succeeded))
        if sync.number > wanted:
            return self._delete(sync, sync.number - wanted)
        missing = wanted - sync.number - (sync.terminating if jobpods.waits_for_ends(sync.job) else 0)
        return self._create(sync, min(missing, BURST)) if missing > 0 else None

    def _create(self, sync: Sync, number: int) -> ApiError | None:
        job, now = sync.job, self.clock.unix()
        wait = 0 if jobpods.by_index(job) else jobpods.wait_after(*sync.backoff, now)
        if wait:
            self.queue.add_after(meta.key(job), wait, f"job {meta.name(job)} tries again")
            return None
        plans: list[tuple[int | None, Manifest | None]] = [(None, None)] * number
        if jobpods.is_indexed(job):
            plans, wait = self._pending_indexes(sync, number)
            if wait and not plans:
                self.queue.add_after(meta.key(job), wait, f"job {meta.name(job)} tries again")
        for index, before in plans:
            try:
                pod = self.client.create(pod_from_template(job, index, before))
            except ApiError as error:
                self.recorder.event(job, "Warning", "FailedCreate", f"Error creating: {error.message}")
                return error
            self.recorder.event(job, "Normal", "SuccessfulCreate", f"Created pod: {meta.name(pod)}")
            sync.number += 1
        return None

    def _pending_indexes(self, sync: Sync, number: int) -> tuple[list[tuple[int | None, Manifest | None]], int]:
        """([(index, the pod that failed for it before)], microseconds until more may be tried)."""
        job, now = sync.job, self.clock.unix()
        taken = sync.done_indexes | (sync.lost_indexes or set()) | {jobpods.index_of(pod) for pod in sync.active}
        if jobpods.waits_for_ends(job):
            taken |= {jobpods.index_of(p) for p in sync.pods if meta.is_deleting(p) and not pods.is_terminal(p)}
        free = [index for index in range(job["spec"].get("completions") or 0) if index not in taken][:number]
        if not jobpods.by_index(job):
            return [(index, None) for index in free], 0
        before = self._last_failures(sync)
        waits = {i: self._wait_for(before[i], now) if i in before else 0 for i in free}
        ready: list[tuple[int | None, Manifest | None]] = [(i, before.get(i)) for i in free if not waits[i]]
        return ready, min((wait for wait in waits.values() if wait), default=0)

    def _last_failures(self, sync: Sync) -> dict[int, Manifest]:
        """For each index the failed pod that was made last and is not counted: its successor takes over its count."""
        found: dict[int, Manifest] = {}
        for pod in sync.pods:
            index = jobpods.index_of(pod)
            if not is_tracked(pod) or not jobpods.has_failed(pod, sync.job) or index == jobpods.UNKNOWN:
                continue
            known = found.get(index)
            if known is None or jobpods.failures_of(pod) >= jobpods.failures_of(known):
                found[index] = pod
        return found

    def _wait_for(self, pod: Manifest, now: int) -> int:
        return jobpods.wait_after(jobpods.failures_of(pod) + 1, jobpods.ended_at(pod, now), now)

    def _delete(self, sync: Sync, number: int) -> ApiError | None:
        """Delete active pods that nobody needs; they are not counted, so they lose their finalizer first."""
        order = sorted(
            sync.active, key=lambda pod: (pods.is_scheduled(pod), pods.phase(pod) == "Running", pods.is_ready(pod))
        )
        for pod in order[: min(number, BURST)]:
            if is_tracked(pod):
                self._untrack(pod)
            error = self._end(sync, pod)
            if error is not None:
                return error
        return None

    def _delete_active(self, sync: Sync) -> bool:
        """Delete all active pods of a Job that is over; they keep their finalizer until they are counted."""
        for pod in sync.active:
            self._end(sync, pod)
        return bool(sync.active)

    def _end(self, sync: Sync, pod: Manifest) -> ApiError | None:
        try:
            self.client.delete("Pod", meta.namespace(pod), meta.name(pod), uid=meta.uid(pod))
        except (NotFound, Conflict):
            return None
        except ApiError as error:
            self.recorder.event(sync.job, "Warning", "FailedDelete", f"Error deleting: {error.message}")
            return error
        self.recorder.event(sync.job, "Normal", "SuccessfulDelete", f"Deleted pod: {meta.name(pod)}")
        sync.number -= 1
        sync.terminating += 1
        sync.ready -= pods.is_ready(pod)
        return None

    # --- counting -----------------------------------------------------------------------------------------------

    def _count(self, sync: Sync, changed: bool) -> None:
        """The three writes of the module's header, and the conditions that tell the end."""
        job, status = sync.job, sync.status
        tracked = {meta.uid(pod) for pod in sync.pods if is_tracked(pod)}
        changed = self._settle(status, tracked) or changed
        uncounted = status["uncountedTerminatedPods"]
        named = {part: list(uncounted.get(part) or ()) for part in ("succeeded", "failed")}
        ending = sync.verdict is not None and sync.verdict["type"] not in ("Complete", "SuccessCriteriaMet")
        removable = self._ended(sync)[:MOST_UNCOUNTED]
        for pod in removable:
            changed = self._name(sync, pod, named, ending) or changed
        status["uncountedTerminatedPods"] = {part: uids for part, uids in named.items() if uids}
        if jobpods.is_indexed(job):
            changed = self._tell_indexes(sync) or changed
        if sync.verdict is not None and sync.verdict["type"] in ("SuccessCriteriaMet", "FailureTarget"):
            status["conditions"] = conditions.put(status.get("conditions"), sync.verdict)
            sync.verdict, changed = self._final(sync.verdict), True
        if changed:
            job = self._write(job, status)
            status = {**job["status"]}
        if sync.backoff != tuple(self.memory.get(meta.key(job), (0, 0))):
            self.memory[meta.key(job)] = list(sync.backoff)
        for pod in removable:
            self._untrack(pod)
            tracked.discard(meta.uid(pod))
        changed = self._settle(status, tracked)
        finished = sync.verdict is not None and not status["uncountedTerminatedPods"] and not sync.terminating
        if finished and sync.verdict is not None:
            status["conditions"] = conditions.put(status.get("conditions"), sync.verdict)
            if sync.verdict["type"] == "Complete":
                status["completionTime"] = sync.verdict["lastTransitionTime"]
        if changed or finished:
            self._write(job, status)
        if finished and sync.verdict is not None:
            self._announce(job, sync.verdict)

    def _settle(self, status: Manifest, tracked: set[str]) -> bool:
        """Count the named pods that have lost their finalizer. True if there are any."""
        uncounted, left, changed = status.get("uncountedTerminatedPods") or {}, {}, False
        for part in ("succeeded", "failed"):
            uids = uncounted.get(part) or []
            kept = [uid for uid in uids if uid in tracked]
            if len(kept) != len(uids):
                status[part] = status.get(part, 0) + len(uids) - len(kept)
                changed = True
            if kept:
                left[part] = kept
        status["uncountedTerminatedPods"] = left
        return changed

    def _ended(self, sync: Sync) -> list[Manifest]:
        """Pods whose finalizer can go now."""
        job = sync.job
        found = [pod for pod in sync.pods if is_tracked(pod) and self._may_go(sync, pod)]
        return sorted(found, key=jobpods.index_of) if jobpods.is_indexed(job) else found

    def _may_go(self, sync: Sync, pod: Manifest) -> bool:
        if meta.is_deleting(sync.job) or pods.phase(pod) == "Succeeded" or sync.verdict is not None:
            return True
        if not jobpods.has_failed(pod, sync.job):
            return False
        index = jobpods.index_of(pod)
        if sync.lost_indexes is None or index in sync.lost_indexes or index in sync.done_indexes:
            return True
        # Its successor takes over its count of failures: until there is one, it stays.
        return any(jobpods.index_of(other) == index for other in sync.active) or self._is_outdone(sync, pod)

    def _is_outdone(self, sync: Sync, pod: Manifest) -> bool:
        last = self._last_failures(sync).get(jobpods.index_of(pod))
        return last is not None and last is not pod

    def _name(self, sync: Sync, pod: Manifest, named: dict[str, list[str]], ending: bool) -> bool:
        """Write the pod down as ended. True if that is news."""
        job, uid = sync.job, meta.uid(pod)
        if uid in named["failed"]:
            return False
        if pods.phase(pod) == "Succeeded":
            if jobpods.is_indexed(job) or uid in named["succeeded"]:
                return False
            named["succeeded"].append(uid)
            return True
        match = jobpods.matched(job, pod)
        counted = jobpods.counts_for(pod, job) and (match is None or match.counts)
        if counted and (ending or jobpods.has_failed(pod, job)):
            named["failed"].append(uid)
            return True
        return False

    def _tell_indexes(self, sync: Sync) -> bool:
        status = sync.status
        before = (status.get("completedIndexes", ""), status.get("failedIndexes"))
        status["succeeded"] = len(sync.done_indexes)
        text = indexes.text_of(sync.done_indexes)
        status["completedIndexes"] = text
        if sync.lost_indexes is not None:
            status["failedIndexes"] = indexes.text_of(sync.lost_indexes)
        return before != (text, status.get("failedIndexes"))

    def _write(self, job: Manifest, status: Manifest) -> Manifest:
        current = self.informers.by_key(self.kind, meta.key(job))
        if current is None or meta.uid(current) != meta.uid(job):
            raise NotFound("batch", "jobs", meta.name(job))
        return self.client.update_status({**current, "status": _as_written(status)})

    def _announce(self, job: Manifest, verdict: Manifest) -> None:
        if verdict["type"] == "Complete":
            self.recorder.event(job, "Normal", "Completed", "Job completed")
        else:
            self.recorder.event(job, "Warning", verdict["reason"], verdict["message"])

    def _untrack(self, pod: Manifest) -> None:
        current = self.informers.by_key("Pod", meta.key(pod))
        if current is None or meta.uid(current) != meta.uid(pod):
            return
        rest = [finalizer for finalizer in current["metadata"].get("finalizers") or () if finalizer != TRACKING]
        self._patch(current, {"metadata": {"finalizers": rest or None}})

    def _patch(self, pod: Manifest, patch: Manifest) -> None:
        try:
            self.client.patch("Pod", meta.namespace(pod), meta.name(pod), patch)
        except (NotFound, Invalid):
            return


def _is_job(reference: Manifest | None) -> bool:
    return reference is not None and reference["kind"] == "Job"


def _told(pod: Manifest) -> tuple[Any, ...]:
    """What a Job wants to know of a pod."""
    metadata = pod["metadata"]
    ending = pods.phase(pod), "deletionTimestamp" in metadata
    return (
        ending,
        pods.is_ready(pod),
        metadata.get("finalizers"),
        metadata.get("ownerReferences"),
        metadata.get("labels"),
    )


_ORDER = (
    "conditions", "startTime", "completionTime", "active", "succeeded", "failed", "terminating", "completedIndexes",
    "failedIndexes", "uncountedTerminatedPods", "ready",
)  # fmt: skip
_UNLESS_EMPTY = ("conditions", "active", "succeeded", "failed", "completedIndexes")


def _as_written(status: Manifest) -> Manifest:
    """In Go's order, without what Go leaves out."""
    found = {name: status[name] for name in _ORDER if status.get(name) is not None}
    return {name: value for name, value in found.items() if value or name not in _UNLESS_EMPTY}


def pod_from_template(job: Manifest, index: int | None, before: Manifest | None) -> Manifest:
    """A pod of the Job. `index`: its completion index; `before`: the pod that failed for that index."""
    template, name = job["spec"]["template"], meta.name(job)
    given = template.get("metadata") or {}
    metadata: Manifest = {"generateName": f"{name}-", "namespace": meta.namespace(job)}
    metadata |= {part: given[part] for part in ("labels", "annotations") if given.get(part)}
    metadata["ownerReferences"] = [meta.owner_reference(job)]
    metadata["finalizers"] = [*(given.get("finalizers") or ()), TRACKING]
    pod = {"kind": "Pod", "apiVersion": "v1", "metadata": metadata, "spec": template["spec"]}
    return pod if index is None else _numbered(pod, job, index, before)


def _numbered(pod: Manifest, job: Manifest, index: int, before: Manifest | None) -> Manifest:
    name, metadata = meta.name(job), pod["metadata"]
    notes = {**(metadata.get("annotations") or {}), jobpods.INDEX: str(index)}
    if jobpods.by_index(job):
        failures, ignored = (
            jobpods.failures_of(before, note) if before else 0 for note in (jobpods.FAILURES, jobpods.IGNORED)
        )
        match = jobpods.matched(job, before) if before else None
        if before is not None and match is not None and not match.counts:
            ignored += 1
        elif before is not None:
            failures += 1
        notes[jobpods.FAILURES] = str(failures)
        if ignored:
            notes[jobpods.IGNORED] = str(ignored)
    host = f"{name[: 63 - len(f'-{index}')]}-{index}"
    spec = {**pod["spec"], "hostname": host}
    for kind in ("initContainers", "containers"):
        if kind in spec:
            spec[kind] = [_told_its_index(container) for container in spec[kind]]
    return {
        **pod,
        "metadata": {
            **metadata,
            "generateName": f"{name}-{index}-",
            "annotations": notes,
            "labels": {**(metadata.get("labels") or {}), jobpods.INDEX: str(index)},
        },
        "spec": spec,
    }


def _told_its_index(container: Manifest) -> Manifest:
    if any(entry["name"] == "JOB_COMPLETION_INDEX" for entry in container.get("env") or ()):
        return container
    source = {"fieldRef": {"apiVersion": "v1", "fieldPath": f"metadata.labels['{jobpods.INDEX}']"}}
    entry = {"name": "JOB_COMPLETION_INDEX", "valueFrom": source}
    return {**container, "env": [*(container.get("env") or ()), entry]}
