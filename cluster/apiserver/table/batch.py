"""How Jobs and CronJobs print."""

from typing import Any

from cluster.apiserver.table.columns import AGE, CONTAINERS, IMAGES, NAME, Column
from cluster.apiserver.table.durations import human, since
from cluster.apiserver.table.printer import NONE, Printer, age, selector_text, template_cells
from cluster.objects import Manifest, conditions, meta, times

JOB_COLUMNS = (
    NAME,
    Column("Status", text="Status of the job."),
    Column("Completions", doc="batch_v1.JobStatus.succeeded"),
    Column("Duration", text="Time required to complete the job."),
    AGE,
    CONTAINERS,
    IMAGES,
    Column("Selector", doc="batch_v1.JobSpec.selector", wide=True),
)
CRON_COLUMNS = (
    NAME,
    Column("Schedule", doc="batch_v1.CronJobSpec.schedule"),
    Column("Timezone", doc="batch_v1.CronJobSpec.timeZone"),
    Column("Suspend", "boolean", "batch_v1.CronJobSpec.suspend"),
    Column("Active", "integer", "batch_v1.CronJobStatus.active"),
    Column("Last Schedule", doc="batch_v1.CronJobStatus.lastScheduleTime"),
    AGE,
    CONTAINERS,
    IMAGES,
    Column("Selector", doc="batch_v1.JobSpec.selector", wide=True),
)


def job(obj: Manifest, now: int) -> list[Any]:
    spec = obj.get("spec") or {}
    return [
        meta.name(obj),
        _status(obj),
        _completions(spec, obj.get("status") or {}),
        _duration(obj.get("status") or {}, now),
        age(obj, now),
        *template_cells(spec),
        selector_text(spec.get("selector")),
    ]


def _status(obj: Manifest) -> str:
    for type_, word in (("Complete", "Complete"), ("Failed", "Failed")):
        if conditions.is_true(obj, type_):
            return word
    if meta.is_deleting(obj):
        return "Terminating"
    for type_ in ("Suspended", "FailureTarget", "SuccessCriteriaMet"):
        if conditions.is_true(obj, type_):
            return type_
    return "Running"


def _completions(spec: Manifest, status: Manifest) -> str:
    done, parallelism = status.get("succeeded") or 0, spec.get("parallelism") or 0
    if spec.get("completions") is not None:
        return f"{done}/{spec['completions']}"
    return f"{done}/1 of {parallelism}" if parallelism > 1 else f"{done}/1"


def _duration(status: Manifest, now: int) -> str:
    begun, ended = status.get("startTime"), status.get("completionTime")
    if not begun:
        return ""
    return human((times.parse(ended) if ended else now) - times.parse(begun))


def cron_job(obj: Manifest, now: int) -> list[Any]:
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    template = (spec.get("jobTemplate") or {}).get("spec") or {}
    suspend, last = spec.get("suspend"), status.get("lastScheduleTime")
    return [
        meta.name(obj),
        spec.get("schedule", ""),
        spec.get("timeZone") or NONE,
        "<unset>" if suspend is None else "True" if suspend else "False",
        len(status.get("active") or ()),
        since(last, now) if last else NONE,
        age(obj, now),
        *template_cells(template),
        selector_text(template.get("selector")),
    ]


PRINTERS: dict[tuple[str, str], Printer] = {
    ("batch", "Job"): Printer(JOB_COLUMNS, job),
    ("batch", "CronJob"): Printer(CRON_COLUMNS, cron_job),
}
