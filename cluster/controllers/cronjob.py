"""CronJob controller: begin a Job whenever the schedule says so, and forget old ones.

Nothing runs in between: a look ends by asking to be woken a moment after the next scheduled time. A Job's name holds
the minute that it is for, so that looking twice begins it once.

Mirrors:  kubernetes/pkg/controller/cronjob/{cronjob_controllerv2,utils}.go
Read next: cluster/objects/cron.py for schedules, job.py for what a Job does.
"""

from typing import Any

from cluster.engine.clock import SECOND
from cluster.engine.controller import Controller
from cluster.engine.recorder import reference
from cluster.objects import Manifest, conditions, cron, meta, times
from cluster.objects.errors import AlreadyExists, ApiError, Forbidden, NotFound

AFTER = SECOND // 10  # Between the scheduled time and the look: nobody shall come too early.
MANY = 100  # Missed times that are worth a warning.
SCHEDULED = "batch.kubernetes.io/cronjob-scheduled-timestamp"
MISSED_FORMAT = "%a, %d %b %Y %H:%M:%S +0000"


class CronJobController(Controller):
    name = "cronjob-controller"
    kind = "CronJob"
    owns = ("Job",)

    def _changed(self, old: Manifest | None, new: Manifest | None) -> None:
        if old is not None and new is not None and _timing(old) != _timing(new):
            self._wake_at_next(new)  # What the new schedule would have begun in the past is not made up for.
        else:
            super()._changed(old, new)

    def reconcile(self, job: Manifest) -> None:
        """Clean up, take over what became of the Jobs, begin the one that is due."""
        owned = self.owned("Job", job)
        status = {**(job.get("status") or {})}
        before = {**status}
        try:
            self._clean_up(job, owned, status)
            self._follow(job, [j for j in owned if self.informers.by_key("Job", meta.key(j)) is not None], status)
            if not meta.is_deleting(job) and not job["spec"].get("suspend"):
                self._begin(job, status)
        finally:
            if status != before:
                self._report(job, status)

    def _report(self, job: Manifest, status: Manifest) -> None:
        order = ("active", "lastScheduleTime", "lastSuccessfulTime")
        current = self.informers.by_key(self.kind, meta.key(job))
        if current is not None and meta.uid(current) == meta.uid(job):
            written = {name: status[name] for name in order if status.get(name)}
            self.client.update_status({**current, "status": written})

    # --- the Jobs that there are --------------------------------------------------------------------------------

    def _clean_up(self, job: Manifest, owned: list[Manifest], status: Manifest) -> None:
        """Keep the newest Jobs that ended, so many of each sort as the spec says."""
        for type_, limit in (("Complete", "successfulJobsHistoryLimit"), ("Failed", "failedJobsHistoryLimit")):
            most = job["spec"].get(limit)
            if most is None:
                continue
            ended = [j for j in owned if conditions.is_true(j, type_)]
            oldest = sorted(ended, key=lambda j: ((j.get("status") or {}).get("startTime") or "~", meta.name(j)))
            for old in oldest[: max(0, len(oldest) - most)]:
                self._delete(job, old, status)

    def _delete(self, job: Manifest, old: Manifest, status: Manifest) -> None:
        try:
            self.client.delete("Job", meta.namespace(old), meta.name(old), propagation="Background")
        except NotFound:
            pass
        except ApiError as error:
            self.recorder.event(job, "Warning", "FailedDelete", f"Deleted job: {error.message}")
            raise
        _forget(status, meta.uid(old))
        self.recorder.event(job, "Normal", "SuccessfulDelete", f"Deleted job {meta.name(old)}")

    def _follow(self, job: Manifest, owned: list[Manifest], status: Manifest) -> None:
        """The list of active Jobs loses those that ended or vanished."""
        active = {entry["uid"] for entry in status.get("active") or ()}
        for child in owned:
            uid, end = meta.uid(child), _end_of(child)
            if uid not in active and not end:
                message = f"Saw a job that the controller did not create or forgot: {meta.name(child)}"
                self.recorder.event(job, "Warning", "UnexpectedJob", message)
            elif uid in active and end:
                _forget(status, uid)
                message = f"Saw completed job: {meta.name(child)}, condition: {end}"
                self.recorder.event(job, "Normal", "SawCompletedJob", message)
            done = (child.get("status") or {}).get("completionTime") if end == "Complete" else None
            if done:
                status["lastSuccessfulTime"] = max(status.get("lastSuccessfulTime") or done, done)
        there = {meta.uid(child) for child in owned}
        for entry in list(status.get("active") or ()):
            if entry["uid"] not in there:
                self.recorder.event(job, "Normal", "MissingJob", f"Active job went missing: {entry['name']}")
                _forget(status, entry["uid"])

    # --- the Job that is due ------------------------------------------------------------------------------------

    def _begin(self, job: Manifest, status: Manifest) -> None:
        spec, now = job["spec"], self.clock.unix()
        try:
            schedule, zone = cron.parse(spec["schedule"]), cron.zone(spec.get("timeZone") or "")
        except ValueError as error:
            problem = f'unparseable schedule: "{spec["schedule"]}" : {error}'
            self.recorder.event(job, "Warning", "UnparseableSchedule", problem)
            return
        due = self._due(job, status, schedule, zone)
        if due is not None and self._may_begin(job, status, due, now):
            if spec.get("concurrencyPolicy") == "Replace":
                for entry in list(status.get("active") or ()):
                    old = self.informers.get("Job", entry["namespace"], entry["name"])
                    if old is not None:
                        self._delete(job, old, status)
            self._create(job, status, due)
        self._wake_at_next({**job, "status": status})

    def _due(self, job: Manifest, status: Manifest, schedule: cron.Schedule, zone: Any) -> int | None:
        """The newest scheduled time that has come and was not served; None: there is none."""
        now, deadline = self.clock.unix(), job["spec"].get("startingDeadlineSeconds")
        earliest = times.parse(status.get("lastScheduleTime") or meta.created_at(job))
        if deadline is not None:
            earliest = max(earliest, now - deadline * SECOND)
        first = schedule.next(earliest, zone)
        second = schedule.next(first, zone) if first is not None else None
        if first is None or now < first:
            return None
        if second is None or now < second:
            return first
        step = max(second - first, SECOND)
        missed = (now - first) // step + 1
        if missed > MANY:
            message = "too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew"
            self.recorder.event(job, "Warning", "TooManyMissedTimes", message)
        newest, following = first, schedule.next(first + (missed - 2) * step, zone)
        while following is not None and following <= now:
            newest, following = following, schedule.next(following, zone)
        return newest

    def _may_begin(self, job: Manifest, status: Manifest, due: int, now: int) -> bool:
        spec, deadline = job["spec"], job["spec"].get("startingDeadlineSeconds")
        if deadline is not None and due + deadline * SECOND < now:
            missed = times.formatted(due, MISSED_FORMAT)
            message = f"Missed scheduled time to start a job: {missed}"
            self.recorder.event(job, "Warning", "MissSchedule", message)
            return False
        active = status.get("active") or []
        if any(entry["name"] == _name_for(job, due) for entry in active):
            return False
        if status.get("lastScheduleTime") == times.rfc3339(due):
            return False
        if spec.get("concurrencyPolicy") == "Forbid" and active:
            message = "Not starting job because prior execution is running and concurrency policy is Forbid"
            self.recorder.event(job, "Normal", "JobAlreadyActive", message)
            return False
        return True

    def _create(self, job: Manifest, status: Manifest, due: int) -> None:
        wanted = job_from_template(job, due)
        try:
            made = self.client.create(wanted)
        except AlreadyExists:
            found = self.informers.by_key("Job", meta.key(wanted))
            if found is None or not meta.is_controlled_by(found, job):
                raise
            made = found
        except ApiError as error:
            if isinstance(error, Forbidden) and "being terminated" in error.message:
                return
            self.recorder.event(job, "Warning", "FailedCreate", f"Error creating job: {error.message}")
            raise
        self.recorder.event(job, "Normal", "SuccessfulCreate", f"Created job {meta.name(made)}")
        status["active"] = [*(status.get("active") or ()), reference(made)]
        status["lastScheduleTime"] = times.rfc3339(due)

    def _wake_at_next(self, job: Manifest) -> None:
        """Be back when the schedule comes next."""
        spec, now = job["spec"], self.clock.unix()
        try:
            schedule, zone = cron.parse(spec["schedule"]), cron.zone(spec.get("timeZone") or "")
        except ValueError:
            return
        following = schedule.next(now, zone)
        if following is not None and not spec.get("suspend"):
            note = f"cron job {meta.name(job)} begins a job"
            self.queue.add_after(meta.key(job), following + AFTER - now, note)


def _timing(job: Manifest) -> tuple[Any, Any]:
    return job["spec"].get("schedule"), job["spec"].get("timeZone")


def _end_of(job: Manifest) -> str:
    """`Complete` or `Failed`; empty while it runs."""
    return next((type_ for type_ in ("Complete", "Failed") if conditions.is_true(job, type_)), "")


def _forget(status: Manifest, uid: str) -> None:
    status["active"] = [entry for entry in status.get("active") or () if entry["uid"] != uid]


def _name_for(job: Manifest, due: int) -> str:
    return f"{meta.name(job)}-{due // SECOND // 60}"


def job_from_template(job: Manifest, due: int) -> Manifest:
    """The Job for the scheduled time `due`, microseconds since 1970."""
    template = job["spec"]["jobTemplate"]
    given = template.get("metadata") or {}
    stamp = times.rfc3339(due)
    if job["spec"].get("timeZone"):
        stamp = times.rfc3339_in(due, cron.zone(job["spec"]["timeZone"]))
    metadata: Manifest = {"name": _name_for(job, due), "namespace": meta.namespace(job)}
    if given.get("labels"):
        metadata["labels"] = given["labels"]
    metadata["annotations"] = {**(given.get("annotations") or {}), SCHEDULED: stamp}
    metadata["ownerReferences"] = [meta.owner_reference(job)]
    return {"kind": "Job", "apiVersion": "batch/v1", "metadata": metadata, "spec": template["spec"]}
