"""The `apps/v1` group: Deployments and ReplicaSets, DaemonSets, and the ControllerRevisions that remember templates.

Mirrors:  kubernetes/pkg/registry/apps/*/strategy.go, pkg/apis/apps/v1/defaults.go, pkg/apis/apps/validation
Read next: statefulsets.py, the one kind of this group with a file of its own.
"""

from collections.abc import Iterator

from cluster.apiserver.registry import statefulsets
from cluster.apiserver.registry.metadata import (
    forbidden,
    int_or_percent_problems,
    invalid,
    not_supported,
    raw_invalid,
    required,
)
from cluster.apiserver.registry.resource import SCALE, Problem, Resource, Subresource
from cluster.apiserver.registry.selectors import selector_problems, shown
from cluster.apiserver.registry.templates import (
    IMMUTABLE,
    MISMATCH,
    at_least_zero,
    labels_of,
    no_status,
    runs_forever,
    selector_and_template,
    selector_is_fixed,
    template_problems,
    with_template,
)
from cluster.objects import Manifest, labels

TEMPLATE_GENERATION = "deprecated.daemonset.template.generation"


# --- deployments and replica sets -------------------------------------------------------------------------------


def _default_deployment(deployment: Manifest) -> Manifest:
    spec = deployment.get("spec") or {}
    strategy = {"type": "RollingUpdate", **(spec.get("strategy") or {})}
    if strategy["type"] == "RollingUpdate":
        strategy["rollingUpdate"] = {
            "maxUnavailable": "25%",
            "maxSurge": "25%",
            **(strategy.get("rollingUpdate") or {}),
        }
    done = with_template(deployment, replicas=1, revisionHistoryLimit=10, progressDeadlineSeconds=600)
    return (
        done if done["spec"].get("strategy") == strategy else {**done, "spec": {**done["spec"], "strategy": strategy}}
    )


def _default_replicaset(replicaset: Manifest) -> Manifest:
    return with_template(replicaset, replicas=1)


def _new_replicaset(replicaset: Manifest) -> Manifest:
    return {**replicaset, "status": {"replicas": 0}}


def _validate_replicaset(replicaset: Manifest) -> list[Problem]:
    spec = replicaset.get("spec") or {}
    found = at_least_zero(spec, "replicas", "minReadySeconds")
    found += selector_and_template(spec, "deployment")
    return [*found, *runs_forever(spec.get("template") or {}, "ReplicaSet")]


def _validate_deployment(deployment: Manifest) -> list[Problem]:
    spec = deployment.get("spec") or {}
    found = at_least_zero(spec, "replicas")
    found += selector_and_template(spec, "deployment")
    found += runs_forever(spec.get("template") or {}, "ReplicaSet")
    found += _strategy_problems(spec.get("strategy") or {})
    found += at_least_zero(spec, "minReadySeconds", "revisionHistoryLimit", "progressDeadlineSeconds")
    deadline, ready = spec.get("progressDeadlineSeconds"), spec.get("minReadySeconds") or 0
    if deadline is not None and deadline >= 0 and deadline <= ready:
        found.append(invalid("spec.progressDeadlineSeconds", deadline, "must be greater than minReadySeconds"))
    return found


def _strategy_problems(strategy: Manifest) -> list[Problem]:
    kind = strategy.get("type")
    if kind not in ("Recreate", "RollingUpdate"):
        return [not_supported("spec.strategy.type", kind or "", ("Recreate", "RollingUpdate"))]
    rolling = strategy.get("rollingUpdate")
    if kind == "Recreate":
        if rolling is None:
            return []
        return [forbidden("spec.strategy.rollingUpdate", "may not be specified when strategy `type` is 'Recreate'")]
    found: list[Problem] = []
    rolling = rolling or {}
    for name in ("maxUnavailable", "maxSurge"):
        where = f"spec.strategy.rollingUpdate.{name}"
        found += int_or_percent_problems(where, rolling.get(name), up_to_100=name == "maxUnavailable")
    if not found and _zero(rolling.get("maxUnavailable")) and _zero(rolling.get("maxSurge")):
        found.append(invalid("spec.strategy.rollingUpdate.maxUnavailable", 0, "may not be 0 when `maxSurge` is 0"))
    return found


def _zero(value: object) -> bool:
    return value in (0, "0%", None)


DEPLOYMENT = Resource(
    "apps", "v1", "Deployment", "deployments", short_names=("deploy",), categories=("all",),
    generation=True, has_status=True, subresources={**SCALE, "status": Subresource("Deployment")},
    default=_default_deployment, on_create=no_status, validate=_validate_deployment, immutable=selector_is_fixed,
)  # fmt: skip

REPLICASET = Resource(
    "apps", "v1", "ReplicaSet", "replicasets", short_names=("rs",), categories=("all",),
    generation=True, has_status=True, subresources={**SCALE, "status": Subresource("ReplicaSet")},
    selectable=("status.replicas",),
    default=_default_replicaset, on_create=_new_replicaset, validate=_validate_replicaset, immutable=selector_is_fixed,
)  # fmt: skip


# --- daemon sets ------------------------------------------------------------------------------------------------

_COUNTED = ("currentNumberScheduled", "numberMisscheduled", "desiredNumberScheduled", "numberReady")


def _default_daemonset(daemonset: Manifest) -> Manifest:
    strategy = {"type": "RollingUpdate", **((daemonset.get("spec") or {}).get("updateStrategy") or {})}
    if strategy["type"] == "RollingUpdate":
        strategy["rollingUpdate"] = {"maxUnavailable": 1, "maxSurge": 0, **(strategy.get("rollingUpdate") or {})}
    done = with_template(daemonset, revisionHistoryLimit=10)
    if done.get("spec", {}).get("updateStrategy") == strategy:
        return done
    return {**done, "spec": {**(done.get("spec") or {}), "updateStrategy": strategy}}


def _new_daemonset(daemonset: Manifest) -> Manifest:
    return {**_numbered(daemonset, 1), "status": dict.fromkeys(_COUNTED, 0)}


def _changed_daemonset(old: Manifest, new: Manifest) -> Manifest:
    """The template's own generation: nobody may set it, a changed template counts it up."""
    text = (old["metadata"].get("annotations") or {}).get(TEMPLATE_GENERATION, "1")
    number = int(text) if text.isdigit() else 1
    changed = (old.get("spec") or {}).get("template") != (new.get("spec") or {}).get("template")
    return _numbered(new, number + changed)


def _numbered(daemonset: Manifest, number: int) -> Manifest:
    metadata = daemonset["metadata"]
    annotations = metadata.get("annotations") or {}
    if annotations.get(TEMPLATE_GENERATION) == str(number):
        return daemonset
    return {**daemonset, "metadata": {**metadata, "annotations": {**annotations, TEMPLATE_GENERATION: str(number)}}}


def _validate_daemonset(daemonset: Manifest) -> list[Problem]:
    spec = daemonset.get("spec") or {}
    selector, template = spec.get("selector"), spec.get("template") or {}
    found = [*selector_problems(selector, "spec.selector")]
    if not found and not labels.matches(selector, labels_of(template)):
        given = (template.get("metadata") or {}).get("labels")
        found.append(raw_invalid("spec.template.metadata.labels", shown(given), MISMATCH))
    if selector is not None and not selector.get("matchLabels") and not selector.get("matchExpressions"):
        found.append(raw_invalid("spec.selector", "{}", "empty selector is invalid for daemonset"))
    found += template_problems(template)
    found += runs_forever(template, "DaemonSet")
    found += at_least_zero(spec, "minReadySeconds")
    found += _update_problems(spec.get("updateStrategy") or {})
    return found + at_least_zero(spec, "revisionHistoryLimit")


def _update_problems(strategy: Manifest, where: str = "spec.updateStrategy") -> Iterator[Problem]:
    if strategy.get("type") == "OnDelete":
        return
    if strategy.get("type") != "RollingUpdate":
        yield not_supported(f"{where}.type", strategy.get("type", ""), ("RollingUpdate", "OnDelete"))
        return
    rolling, where = strategy.get("rollingUpdate"), f"{where}.rollingUpdate"
    if rolling is None:
        yield required(where)
        return
    for name in ("maxUnavailable", "maxSurge"):
        yield from int_or_percent_problems(f"{where}.{name}", rolling.get(name))
    unavailable, surge = (not _zero(rolling.get(name)) for name in ("maxUnavailable", "maxSurge"))
    if unavailable and surge:
        yield invalid(f"{where}.maxSurge", rolling["maxSurge"], "may not be set when maxUnavailable is non-zero")
    if not unavailable and not surge:
        yield required(f"{where}.maxUnavailable", "cannot be 0 when maxSurge is 0")


DAEMONSET = Resource(
    "apps", "v1", "DaemonSet", "daemonsets", short_names=("ds",), categories=("all",),
    generation=True, has_status=True, subresources={"status": Subresource("DaemonSet")},
    default=_default_daemonset, on_create=_new_daemonset, on_update=_changed_daemonset,
    validate=_validate_daemonset, immutable=selector_is_fixed,
)  # fmt: skip


# --- revisions --------------------------------------------------------------------------------------------------


def _validate_revision(revision: Manifest) -> list[Problem]:
    found = [] if revision.get("data") is not None else [required("data", "data is mandatory")]
    if (revision.get("revision") or 0) < 0:
        found.append(invalid("revision", revision["revision"], "must be greater than or equal to 0"))
    return found


def _same_data(old: Manifest, new: Manifest, subresource: str) -> list[Problem]:
    if old.get("data") == new.get("data"):
        return []
    return [raw_invalid("data", shown(new.get("data")), IMMUTABLE)]


CONTROLLER_REVISION = Resource(
    "apps", "v1", "ControllerRevision", "controllerrevisions", validate=_validate_revision, immutable=_same_data
)

RESOURCES = (DEPLOYMENT, REPLICASET, DAEMONSET, statefulsets.STATEFULSET, CONTROLLER_REVISION)
