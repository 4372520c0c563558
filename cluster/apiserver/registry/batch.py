"""The `batch/v1` group: Jobs, which end, and CronJobs, which begin Jobs.

A Job's selector is made of its own uid, and its pods are labelled with it, so that no two Jobs ever share pods.

Mirrors:  kubernetes/pkg/registry/batch/{job,cronjob}/strategy.go, pkg/apis/batch/{v1/defaults.go, validation}
Read next: cluster/objects/cron.py for schedules; cluster/controllers/job.py for what Jobs do.
"""

from collections.abc import Iterator
from typing import Any

from cluster.apiserver.registry.metadata import (
    duplicate,
    invalid,
    not_supported,
    raw_invalid,
    required,
    too_long,
    too_many,
)
from cluster.apiserver.registry.resource import Problem, Resource, Subresource
from cluster.apiserver.registry.selectors import selector_problems, shown
from cluster.apiserver.registry.templates import (
    IMMUTABLE,
    MISMATCH,
    NON_NEGATIVE,
    at_least_zero,
    completed,
    fixed,
    labels_of,
    no_status,
    template_problems,
    with_template,
)
from cluster.objects import Manifest, cron, labels
from cluster.objects.indexes import total as total_of_indexes
from cluster.objects.names import is_dns_label, name_problems, qualified_problems

UID_LABEL, NAME_LABEL = "batch.kubernetes.io/controller-uid", "batch.kubernetes.io/job-name"
OLD_UID_LABEL, OLD_NAME_LABEL = "controller-uid", "job-name"
MODES = ("Indexed", "NonIndexed")
ACTIONS = ("Count", "FailIndex", "FailJob", "Ignore")
REPLACEMENT = ("Failed", "TerminatingOrFailed")
CONCURRENCY = ("Allow", "Forbid", "Replace")
STATUSES = ("False", "True", "Unknown")
MAX_INDEXED, MAX_PARALLEL = 100_000, 100_000
MAX_RULES, MAX_PATTERNS, MAX_EXIT_CODES = 20, 20, 255
MAX_MANAGER, MAX_INDEX_TEXT, MAX_CRON_NAME = 63, 64 * 1024, 52
MAX_BACKOFF_LIMIT = 2**31 - 1


# --- jobs -------------------------------------------------------------------------------------------------------


def _default_job(job: Manifest) -> Manifest:
    spec = job.get("spec") or {}
    given: dict[str, Any] = {
        "completionMode": "NonIndexed",
        "suspend": False,
        "manualSelector": False,
        "backoffLimit": 6 if spec.get("backoffLimitPerIndex") is None else MAX_BACKOFF_LIMIT,
        "podReplacementPolicy": "Failed" if spec.get("podFailurePolicy") else "TerminatingOrFailed",
    }
    if spec.get("completions") is None and spec.get("parallelism") is None:
        given["completions"] = 1
    if spec.get("parallelism") is None:
        given["parallelism"] = 1
    done = with_template(job, **given)
    if done["spec"].get("podFailurePolicy"):
        done = _default_conditions(done)
    chosen = labels_of(done["spec"].get("template"))
    if chosen and not done["metadata"].get("labels"):
        done = {**done, "metadata": {**done["metadata"], "labels": chosen}}
    return done


def _default_conditions(job: Manifest) -> Manifest:
    """A pattern of a condition without a status means True."""
    rules = [
        {**rule, "onPodConditions": [{**p, "status": p.get("status") or "True"} for p in rule["onPodConditions"]]}
        if rule.get("onPodConditions")
        else rule
        for rule in job["spec"]["podFailurePolicy"].get("rules") or []
    ]
    if rules == job["spec"]["podFailurePolicy"].get("rules"):
        return job
    return {**job, "spec": {**job["spec"], "podFailurePolicy": {"rules": rules}}}


def _new_job(job: Manifest) -> Manifest:
    if job["spec"].get("manualSelector"):
        return no_status(job)
    uid, name = job["metadata"]["uid"], job["metadata"].get("name", "")
    spec = {**job["spec"]}
    template = {**(spec.get("template") or {})}
    metadata = {**(template.get("metadata") or {})}
    own = {UID_LABEL: uid, NAME_LABEL: name, OLD_UID_LABEL: uid, OLD_NAME_LABEL: name}
    metadata["labels"] = dict(sorted({**(metadata.get("labels") or {}), **own}.items()))
    spec["template"] = {**template, "metadata": metadata}
    selector = {**(spec.get("selector") or {})}
    selector["matchLabels"] = {**(selector.get("matchLabels") or {}), UID_LABEL: uid}
    spec["selector"] = selector
    new = {**job, "spec": spec, "status": {}}
    if not job["metadata"].get("labels"):
        new["metadata"] = {**job["metadata"], "labels": metadata["labels"]}
    return new


def _validate_job(job: Manifest) -> list[Problem]:
    spec, metadata = job.get("spec") or {}, job["metadata"]
    selector, template = spec.get("selector"), spec.get("template") or {}
    found: list[Problem] = []
    if not spec.get("manualSelector") and selector is not None:
        own = {UID_LABEL: metadata.get("uid", ""), NAME_LABEL: metadata.get("name", "")}
        own |= {OLD_UID_LABEL: own[UID_LABEL], OLD_NAME_LABEL: own[NAME_LABEL]}
        if not [*selector_problems(selector, "")] and not labels.matches(selector, own):
            found.append(raw_invalid("spec.selector", shown(selector), "`selector` not auto-generated"))
    found += _job_spec(spec, "spec")
    if selector is None:
        found.append(required("spec.selector"))
    else:
        wrong = [*selector_problems(selector, "spec.selector")]
        found += wrong
        if not wrong and not labels.matches(selector, labels_of(template)):
            given = labels_of(template) or None
            found.append(raw_invalid("spec.template.metadata.labels", shown(given), MISMATCH))
    completions = spec.get("completions") or 0
    if spec.get("completionMode") == "Indexed" and completions > 0:
        host = f"{metadata.get('name', '')}-{completions - 1}"
        if not is_dns_label(host):
            message = f"will not able to create pod with invalid DNS label: {host}"
            found.append(invalid("metadata.name", metadata.get("name", ""), message))
    return found


def _job_spec(spec: Manifest, where: str) -> list[Problem]:
    """What Jobs and the templates of CronJobs have in common."""
    found = at_least_zero(
        spec, "parallelism", "completions", "activeDeadlineSeconds", "backoffLimit", "ttlSecondsAfterFinished",
        "backoffLimitPerIndex", "maxFailedIndexes", where=where,
    )  # fmt: skip
    if spec.get("maxFailedIndexes") is not None and spec.get("backoffLimitPerIndex") is None:
        found.append(required(f"{where}.backoffLimitPerIndex", "when maxFailedIndexes is specified"))
    if spec.get("managedBy") is not None:
        found += _manager(spec["managedBy"], f"{where}.managedBy")
    found += _mode(spec, where)
    if spec.get("podFailurePolicy"):
        found += _failure_policy(spec, f"{where}.podFailurePolicy.rules")
    if spec.get("successPolicy"):
        found += _success_policy(spec, f"{where}.successPolicy")
    found += _replacement(spec, f"{where}.podReplacementPolicy")
    template = spec.get("template") or {}
    found += template_problems(template, f"{where}.template")
    return [*found, *_restarts(spec, template, f"{where}.template.spec.restartPolicy")]


def _manager(name: str, where: str) -> Iterator[Problem]:
    host, slash, path = name.partition("/")
    if not slash:
        message = 'must be a domain-prefixed path (such as "acme.io/foo")'
        yield invalid(where, name, message)
    else:
        yield from (invalid(where, host, problem) for problem in name_problems(host, "subdomain"))
        if not path:
            yield invalid(where, name, 'must be a domain-prefixed path (such as "acme.io/foo")')
    if len(name) > MAX_MANAGER:
        yield too_long(where, MAX_MANAGER)


def _mode(spec: Manifest, where: str) -> Iterator[Problem]:
    mode, completions, failed = spec.get("completionMode"), spec.get("completions"), spec.get("maxFailedIndexes")
    if mode is not None and mode not in MODES:
        yield not_supported(f"{where}.completionMode", mode, MODES)
    if mode == "Indexed":
        if completions is None:
            yield required(f"{where}.completions", "when completion mode is Indexed")
        if (spec.get("parallelism") or 0) > MAX_PARALLEL:
            message = f"must be less than or equal to {MAX_PARALLEL} when completion mode is Indexed"
            yield invalid(f"{where}.parallelism", spec["parallelism"], message)
        if completions is not None and failed is not None and failed > completions:
            yield invalid(f"{where}.maxFailedIndexes", failed, "must be less than or equal to completions")
        if failed is not None and failed > MAX_INDEXED:
            yield invalid(f"{where}.maxFailedIndexes", failed, f"must be less than or equal to {MAX_INDEXED}")
        return
    for name in ("backoffLimitPerIndex", "maxFailedIndexes"):
        if spec.get(name) is not None:
            yield invalid(f"{where}.{name}", spec[name], "requires indexed completion mode")


def _failure_policy(spec: Manifest, where: str) -> Iterator[Problem]:
    rules = spec["podFailurePolicy"].get("rules") or []
    pod = (spec.get("template") or {}).get("spec") or {}
    names = {c.get("name") for kind in ("initContainers", "containers") for c in pod.get(kind) or []}
    if len(rules) > MAX_RULES:
        yield too_many(where, len(rules), MAX_RULES)
    for number, rule in enumerate(rules):
        yield from _failure_rule(rule, f"{where}[{number}]", names, spec.get("backoffLimitPerIndex") is not None)


def _failure_rule(rule: Manifest, where: str, names: set[Any], by_index: bool) -> Iterator[Problem]:
    action, codes, patterns = rule.get("action", ""), rule.get("onExitCodes"), rule.get("onPodConditions") or []
    if not action:
        yield required(f"{where}.action", f"valid values: {_listed(ACTIONS)}")
    elif action not in ACTIONS:
        yield not_supported(f"{where}.action", action, ACTIONS)
    elif action == "FailIndex" and not by_index:
        yield invalid(f"{where}.action", action, "requires the backoffLimitPerIndex to be set")
    if codes is not None:
        yield from _exit_codes(codes, f"{where}.onExitCodes", names)
    if len(patterns) > MAX_PATTERNS:
        yield too_many(f"{where}.onPodConditions", len(patterns), MAX_PATTERNS)
    for number, pattern in enumerate(patterns):
        field, kind = f"{where}.onPodConditions[{number}]", pattern.get("type", "")
        yield from (invalid(f"{field}.type", kind, problem) for problem in qualified_problems(kind))
        if not pattern.get("status"):
            yield required(f"{field}.status", f"valid values: {_listed(STATUSES)}")
        elif pattern["status"] not in STATUSES:
            yield not_supported(f"{field}.status", pattern["status"], STATUSES)
    if codes is not None and patterns:
        yield _bare(where, "specifying both OnExitCodes and OnPodConditions is not supported")
    if codes is None and not patterns:
        yield _bare(where, "specifying one of OnExitCodes and OnPodConditions is required")


def _listed(words: tuple[str, ...]) -> str:
    return "[" + " ".join(f'"{word}"' for word in words) + "]"


def _bare(field: str, message: str) -> Problem:
    """An invalid value that is not shown."""
    return {"reason": "FieldValueInvalid", "message": f"Invalid value: {message}", "field": field}


def _exit_codes(codes: Manifest, where: str, names: set[Any]) -> Iterator[Problem]:
    operator, values = codes.get("operator", ""), codes.get("values") or []
    if not operator:
        yield required(f"{where}.operator", f"valid values: {_listed(('In', 'NotIn'))}")
    elif operator not in ("In", "NotIn"):
        yield not_supported(f"{where}.operator", operator, ("In", "NotIn"))
    if codes.get("containerName") is not None and codes["containerName"] not in names:
        message = "must be one of the container or initContainer names in the pod template"
        yield invalid(f"{where}.containerName", codes["containerName"], message)
    if not values:
        yield raw_invalid(f"{where}.values", "[]", "at least one value is required")
    elif len(values) > MAX_EXIT_CODES:
        yield too_many(f"{where}.values", len(values), MAX_EXIT_CODES)
    seen: set[int] = set()
    for number, value in enumerate(values):
        if operator == "In" and value == 0:
            yield invalid(f"{where}.values[{number}]", value, "must not be 0 for the In operator")
        if value in seen:
            yield duplicate(f"{where}.values[{number}]", value)
        seen.add(value)
    if values != sorted(values):
        yield raw_invalid(f"{where}.values", "[" + ",".join(map(str, values)) + "]", "must be ordered")


def _success_policy(spec: Manifest, where: str) -> Iterator[Problem]:
    policy, completions = spec["successPolicy"], spec.get("completions") or 0
    if spec.get("completionMode") != "Indexed":
        yield raw_invalid(where, shown(policy), "requires indexed completion mode")
        return
    rules = policy.get("rules") or []
    if not rules:
        yield required(f"{where}.rules", "at least one rules must be specified when the successPolicy is specified")
    if len(rules) > MAX_RULES:
        yield too_many(f"{where}.rules", len(rules), MAX_RULES)
    for number, rule in enumerate(rules):
        yield from _success_rule(rule, f"{where}.rules[{number}]", completions)


def _success_rule(rule: Manifest, where: str, completions: int) -> Iterator[Problem]:
    count, indexes, total = rule.get("succeededCount"), rule.get("succeededIndexes"), 0
    if count is None and indexes is None:
        yield required(where, "at least one of succeededCount or succeededIndexes must be specified")
    if indexes is not None:
        if len(indexes) > MAX_INDEX_TEXT:
            yield too_long(f"{where}.succeededIndexes", MAX_INDEX_TEXT)
        else:
            try:
                total = total_of_indexes(indexes, completions)
            except ValueError as error:
                yield invalid(f"{where}.succeededIndexes", indexes, f"error parsing succeededIndexes: {error}")
    if count is None:
        return
    if count < 0:
        yield invalid(f"{where}.succeededCount", count, NON_NEGATIVE)
    if count > completions:
        message = f"must be less than or equal to {completions} (the number of specified completions)"
        yield invalid(f"{where}.succeededCount", count, message)
    if indexes is not None and count > total:
        message = (
            f"must be less than or equal to {total} (the number of indexes in the specified succeededIndexes field)"
        )
        yield invalid(f"{where}.succeededCount", count, message)


def _replacement(spec: Manifest, where: str) -> Iterator[Problem]:
    policy = spec.get("podReplacementPolicy")
    allowed = ("Failed",) if spec.get("podFailurePolicy") else REPLACEMENT
    if policy is not None and policy not in allowed:
        yield not_supported(where, policy, allowed)


def _restarts(spec: Manifest, template: Manifest, where: str) -> Iterator[Problem]:
    policy = (template.get("spec") or {}).get("restartPolicy", "")
    if policy in ("", "Always"):
        yield required(where, 'valid values: "OnFailure", "Never"')
    elif policy not in ("OnFailure", "Never"):
        yield not_supported(where, policy, ("OnFailure", "Never"))
    elif spec.get("podFailurePolicy") and policy != "Never":
        yield invalid(where, policy, 'only "Never" is supported when podFailurePolicy is specified')


def _validate_job_update(old: Manifest, new: Manifest, subresource: str) -> list[Problem]:
    if subresource:
        return []
    before, after = old["spec"], new["spec"]
    found: list[Problem] = []
    if after.get("completionMode") != "Indexed":
        found += fixed(old, new, "completions")
    elif before.get("completions") != after.get("completions"):
        if after.get("completions") is None:
            found.append(required("spec.completions", "when completion mode is Indexed"))
        elif after["completions"] != after.get("parallelism"):
            message = "can only be modified in tandem with spec.parallelism"
            found.append(invalid("spec.completions", after["completions"], message))
    found += fixed(old, new, "selector")
    found += _template_is_fixed(old, new)
    return found + fixed(
        old, new, "completionMode", "podFailurePolicy", "backoffLimitPerIndex", "managedBy", "successPolicy"
    )


_SCHEDULING = ("nodeSelector", "affinity", "tolerations", "schedulingGates")


def _template_is_fixed(old: Manifest, new: Manifest) -> Iterator[Problem]:
    """A Job that has never begun may still be told where to run."""
    before, after = (obj["spec"].get("template") or {} for obj in (old, new))
    suspended = old["spec"].get("suspend") and not (old.get("status") or {}).get("startTime")
    spec, was = {**(after.get("spec") or {})}, {**(before.get("spec") or {})}
    metadata, had = after.get("metadata") or {}, before.get("metadata") or {}
    if suspended:
        for name in _SCHEDULING:
            spec.pop(name, None)
            was.pop(name, None)
    if spec != was:
        yield raw_invalid("spec.template.spec", shown(after.get("spec")), IMMUTABLE)
    if metadata != had and not suspended:
        yield raw_invalid("spec.template.metadata", shown(metadata), IMMUTABLE)


JOB = Resource(
    "batch", "v1", "Job", "jobs", categories=("all",), generation=True, has_status=True, orphans=True,
    subresources={"status": Subresource("Job")}, selectable=("status.successful",),
    default=_default_job, on_create=_new_job, validate=_validate_job, validate_update=_validate_job_update,
)  # fmt: skip


# --- cron jobs --------------------------------------------------------------------------------------------------


def _default_cron_job(job: Manifest) -> Manifest:
    given = job.get("spec") or {}
    wanted = {
        "concurrencyPolicy": given.get("concurrencyPolicy") or "Allow",
        "suspend": given.get("suspend") or False,
        "successfulJobsHistoryLimit": _or(given.get("successfulJobsHistoryLimit"), 3),
        "failedJobsHistoryLimit": _or(given.get("failedJobsHistoryLimit"), 1),
    }
    spec = {**given, **wanted}
    template = spec.get("jobTemplate") or {}
    job_spec = template.get("spec") or {}
    pod = completed(job_spec.get("template") or {})
    if pod is not job_spec.get("template") and pod:
        spec["jobTemplate"] = {**template, "spec": {**job_spec, "template": pod}}
    return job if spec == given else {**job, "spec": spec}


def _or(value: int | None, default: int) -> int:
    return default if value is None else value


def _validate_cron_job(job: Manifest) -> list[Problem]:
    spec = job.get("spec") or {}
    found = [*_schedule(spec.get("schedule", ""), spec.get("timeZone"), "spec.schedule")]
    found += at_least_zero(spec, "startingDeadlineSeconds")
    found += _time_zone(spec.get("timeZone"), "spec.timeZone")
    policy = spec.get("concurrencyPolicy", "")
    if not policy:
        found.append(required("spec.concurrencyPolicy"))
    elif policy not in CONCURRENCY:
        found.append(not_supported("spec.concurrencyPolicy", policy, CONCURRENCY))
    found += _job_template(spec.get("jobTemplate") or {})
    found += at_least_zero(spec, "successfulJobsHistoryLimit", "failedJobsHistoryLimit")
    name = job["metadata"].get("name", "")
    if len(name) > MAX_CRON_NAME:
        found.append(invalid("metadata.name", name, f"must be no more than {MAX_CRON_NAME} characters"))
    return found


def _job_template(template: Manifest) -> list[Problem]:
    spec = template.get("spec") or {}
    found = _job_spec(spec, "spec.jobTemplate.spec")
    if spec.get("manualSelector"):
        message = 'Unsupported value: true: supported values: "nil", "false"'
        where = "spec.jobTemplate.spec.manualSelector"
        found.append({"reason": "FieldValueNotSupported", "message": message, "field": where})
    if spec.get("selector") is not None:
        message = "`selector` will be auto-generated"
        found.append(raw_invalid("spec.jobTemplate.spec.selector", shown(spec["selector"]), message))
    return found


def _schedule(text: str, zone: str | None, where: str) -> Iterator[Problem]:
    if not text:
        yield required(where)
        return
    try:
        cron.parse(text)
    except ValueError as error:
        yield invalid(where, text, str(error))
    if "TZ" in text:
        if zone is not None:
            yield invalid(where, text, "cannot use both timeZone field and TZ or CRON_TZ in schedule")
        else:
            yield invalid(where, text, "cannot use TZ or CRON_TZ in schedule, use timeZone field instead")


def _time_zone(name: str | None, where: str) -> Iterator[Problem]:
    if name is None:
        return
    if not name:
        yield invalid(where, name, "timeZone must be nil or non-empty string")
        return
    if name.lower() == "local":
        yield invalid(
            where, name, "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones"
        )
    try:
        cron.zone(name)
    except ValueError as error:
        if name.lower() != "local":
            yield invalid(where, name, str(error))


CRON_JOB = Resource(
    "batch", "v1", "CronJob", "cronjobs", short_names=("cj",), categories=("all",), generation=True, has_status=True,
    subresources={"status": Subresource("CronJob")},
    default=_default_cron_job, on_create=no_status, validate=_validate_cron_job,
)  # fmt: skip

RESOURCES = (JOB, CRON_JOB)
