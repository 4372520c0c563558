"""What the pods of a Job mean to it: which failed, which index each has, what a failure policy says, how long to wait.

Mirrors:  kubernetes/pkg/controller/job/{pod_failure_policy,success_policy,indexed_job_utils,backoff_utils}.go
Read next: job.py.
"""

from typing import NamedTuple

from cluster.engine.clock import MINUTE, SECOND
from cluster.objects import Manifest, indexes, meta, pods, times

TRACKING = "batch.kubernetes.io/job-tracking"
INDEX = "batch.kubernetes.io/job-completion-index"
FAILURES, IGNORED = "batch.kubernetes.io/job-index-failure-count", "batch.kubernetes.io/job-index-ignored-failure-count"
FIRST_WAIT, LAST_WAIT = 10 * SECOND, 10 * MINUTE
UNKNOWN = -1


def is_tracked(pod: Manifest) -> bool:
    """Has it not been counted yet?"""
    return TRACKING in (pod["metadata"].get("finalizers") or ())


def is_indexed(job: Manifest) -> bool:
    return job["spec"].get("completionMode") == "Indexed"


def by_index(job: Manifest) -> bool:
    """Does each index have a limit of failures of its own?"""
    return is_indexed(job) and job["spec"].get("backoffLimitPerIndex") is not None


def waits_for_ends(job: Manifest) -> bool:
    """Are only pods replaced that are really over?"""
    return job["spec"].get("podReplacementPolicy") == "Failed" or bool(job["spec"].get("podFailurePolicy"))


def has_failed(pod: Manifest, job: Manifest) -> bool:
    """Failed, or on its way out without having succeeded."""
    if pods.phase(pod) == "Failed":
        return True
    return not waits_for_ends(job) and meta.is_deleting(pod) and pods.phase(pod) != "Succeeded"


def index_of(pod: Manifest) -> int:
    text = meta.annotations(pod).get(INDEX, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else UNKNOWN


def counts_for(pod: Manifest, job: Manifest) -> bool:
    """Does its end count? One of an index that the Job does not have does not."""
    return not is_indexed(job) or UNKNOWN < index_of(pod) < (job["spec"].get("completions") or 0)


def succeeded_indexes(job: Manifest, owned: list[Manifest]) -> set[int]:
    """Those that were counted before, and those of pods that succeeded since."""
    completions = job["spec"].get("completions") or 0
    before = set(indexes.parse((job.get("status") or {}).get("completedIndexes", ""), completions))
    new = {
        index_of(pod) for pod in owned if pods.phase(pod) == "Succeeded" and is_tracked(pod) and counts_for(pod, job)
    }
    return before | new


def failed_indexes(job: Manifest, owned: list[Manifest]) -> set[int]:
    """Indexes that have failed as often as they may."""
    completions = job["spec"].get("completions") or 0
    before = set(indexes.parse((job.get("status") or {}).get("failedIndexes") or "", completions))
    new = {index_of(pod) for pod in owned if is_tracked(pod) and counts_for(pod, job) and _ends_its_index(pod, job)}
    return before | new


def _ends_its_index(pod: Manifest, job: Manifest) -> bool:
    if not has_failed(pod, job):
        return False
    match = matched(job, pod)
    if match is not None and match.action == "FailIndex":
        return True
    counted = match is None or match.counts
    return counted and failures_of(pod) >= int(job["spec"]["backoffLimitPerIndex"])


def failures_of(pod: Manifest, annotation: str = FAILURES) -> int:
    """How often its index had failed when the pod was made."""
    text = meta.annotations(pod).get(annotation, "0")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0


# --- policies ---------------------------------------------------------------------------------------------------


class Match(NamedTuple):
    """A rule of the failure policy that fits a pod. `message`: why the Job fails, if that is the action."""

    action: str
    message: str

    @property
    def counts(self) -> bool:
        """Does the failure count against the back-off limit?"""
        return self.action != "Ignore"


def matched(job: Manifest, pod: Manifest) -> Match | None:
    """The first rule of the Job's failure policy that fits."""
    for number, rule in enumerate((job["spec"].get("podFailurePolicy") or {}).get("rules") or ()):
        action = rule.get("action", "")
        if action == "FailIndex" and job["spec"].get("backoffLimitPerIndex") is None:
            continue
        where = f"{meta.namespace(pod)}/{meta.name(pod)}"
        tail = f"matching {action} rule at index {number}"
        if rule.get("onExitCodes"):
            status = _exit_matched(rule["onExitCodes"], pod)
            if status is not None:
                code = status["state"]["terminated"]["exitCode"]
                message = f"Container {status['name']} for pod {where} failed with exit code {code} {tail}"
                return Match(action, message)
        else:
            condition = _condition_matched(rule.get("onPodConditions") or [], pod)
            if condition:
                return Match(action, f"Pod {where} has condition {condition} {tail}")
    return None


def _exit_matched(wanted: Manifest, pod: Manifest) -> Manifest | None:
    status = pod.get("status") or {}
    for container in (*(status.get("containerStatuses") or ()), *(status.get("initContainerStatuses") or ())):
        ended = (container.get("state") or {}).get("terminated")
        if not ended or not ended.get("exitCode"):
            continue
        if wanted.get("containerName") not in (None, container["name"]):
            continue
        listed = ended["exitCode"] in (wanted.get("values") or ())
        if listed == (wanted.get("operator") == "In"):
            return container  # type: ignore[no-any-return]
    return None


def _condition_matched(patterns: list[Manifest], pod: Manifest) -> str:
    for condition in (pod.get("status") or {}).get("conditions") or ():
        for pattern in patterns:
            if (pattern["type"], pattern.get("status", "True")) == (condition["type"], condition["status"]):
                return str(condition["type"])
    return ""


def success_message(job: Manifest, succeeded: set[int]) -> str:
    """What the success policy says once one of its rules is met; empty before."""
    completions = job["spec"].get("completions") or 0
    for number, rule in enumerate((job["spec"].get("successPolicy") or {}).get("rules") or ()):
        wanted, count = rule.get("succeededIndexes"), rule.get("succeededCount")
        chosen = set(indexes.parse(wanted, completions)) if wanted is not None else set(range(completions))
        there = len(chosen & succeeded)
        if there >= (len(chosen) if count is None else count):
            return f"Matched rules at index {number}"
    return ""


# --- back-off ---------------------------------------------------------------------------------------------------


def ended_at(pod: Manifest, now: int) -> int:
    """When its last container ended; else when it was to be gone, else now. Microseconds since 1970."""
    stamps = [
        ended["finishedAt"]
        for status in (pod.get("status") or {}).get("containerStatuses") or ()
        if (ended := (status.get("state") or {}).get("terminated")) and ended.get("finishedAt")
    ]
    if stamps:
        return max(times.parse(stamp) for stamp in stamps)
    return times.parse(pod["metadata"]["deletionTimestamp"]) if meta.is_deleting(pod) else now


def wait_after(failures: int, last: int, now: int) -> int:
    """Microseconds until the next try: 10 s, 20 s, 40 s … after the last failure."""
    if failures <= 0:
        return 0
    return max(0, last + min(FIRST_WAIT << min(failures - 1, 10), LAST_WAIT) - now)
