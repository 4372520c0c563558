"""The `apps/v1` group: Deployments and ReplicaSets, and the Scale that fits both.

Mirrors:  kubernetes/pkg/registry/apps/*/strategy.go, pkg/apis/apps/v1/defaults.go, pkg/apis/apps/validation
"""

from cluster.apiserver.registry import podrules, podspec
from cluster.apiserver.registry.metadata import (
    forbidden,
    int_or_percent_problems,
    invalid,
    label_problems,
    not_supported,
    raw_invalid,
    required,
)
from cluster.apiserver.registry.resource import SCALE, Problem, Resource, Subresource
from cluster.apiserver.registry.selectors import selector_problems, shown
from cluster.objects import Manifest, errors, labels

NON_NEGATIVE = "must be greater than or equal to 0"


def _with_template(workload: Manifest, **defaults: object) -> Manifest:
    spec = {**defaults, **(workload.get("spec") or {})}
    template = spec.get("template") or {}
    if "spec" in template:
        pod_spec = podspec.defaulted(template["spec"])
        if pod_spec is not template["spec"]:
            spec["template"] = {**template, "spec": pod_spec}
    return workload if spec == workload.get("spec") else {**workload, "spec": spec}


def _default_deployment(deployment: Manifest) -> Manifest:
    spec = deployment.get("spec") or {}
    strategy = {"type": "RollingUpdate", **(spec.get("strategy") or {})}
    if strategy["type"] == "RollingUpdate":
        strategy["rollingUpdate"] = {
            "maxUnavailable": "25%",
            "maxSurge": "25%",
            **(strategy.get("rollingUpdate") or {}),
        }
    done = _with_template(deployment, replicas=1, revisionHistoryLimit=10, progressDeadlineSeconds=600)
    return (
        done if done["spec"].get("strategy") == strategy else {**done, "spec": {**done["spec"], "strategy": strategy}}
    )


def _default_replicaset(replicaset: Manifest) -> Manifest:
    return _with_template(replicaset, replicas=1)


def _no_status(workload: Manifest) -> Manifest:
    return {**workload, "status": {}}


def _new_replicaset(replicaset: Manifest) -> Manifest:
    return {**replicaset, "status": {"replicas": 0}}


def _selector_problems(spec: Manifest) -> list[Problem]:
    """The selector is well-formed, not empty, and chooses the template's own pods."""
    selector = spec.get("selector")
    template = ((spec.get("template") or {}).get("metadata") or {}).get("labels")
    found = [required("spec.selector")] if selector is None else [*selector_problems(selector, "spec.selector")]
    if found and selector is not None:
        return [*found, raw_invalid("spec.selector", shown(selector), "invalid label selector")]
    if selector is not None and not selector.get("matchLabels") and not selector.get("matchExpressions"):
        return [raw_invalid("spec.selector", "{}", "empty selector is invalid for deployment")]
    if not labels.matches(selector, template or {}):
        message = "`selector` does not match template `labels`"
        found.append(raw_invalid("spec.template.metadata.labels", shown(template), message))
    return found


def _template_problems(spec: Manifest) -> list[Problem]:
    template = spec.get("template") or {}
    pod_spec, metadata = template.get("spec") or {}, template.get("metadata") or {}
    found = list(label_problems(metadata.get("labels") or {}, "spec.template.labels"))
    found += podrules.problems(pod_spec, "spec.template.spec")
    if not found and pod_spec.get("restartPolicy") != "Always":
        found.append(not_supported("spec.template.spec.restartPolicy", pod_spec.get("restartPolicy", ""), ("Always",)))
    return found


def _at_least_zero(spec: Manifest, *names: str) -> list[Problem]:
    return [invalid(f"spec.{name}", spec[name], NON_NEGATIVE) for name in names if (spec.get(name) or 0) < 0]


def _validate_replicaset(replicaset: Manifest) -> list[Problem]:
    spec = replicaset.get("spec") or {}
    found = _at_least_zero(spec, "replicas", "minReadySeconds")
    return [*found, *_selector_problems(spec), *_template_problems(spec)]


def _validate_deployment(deployment: Manifest) -> list[Problem]:
    spec = deployment.get("spec") or {}
    found = _at_least_zero(spec, "replicas")
    found += _selector_problems(spec)
    found += _template_problems(spec)
    found += _strategy_problems(spec.get("strategy") or {})
    found += _at_least_zero(spec, "minReadySeconds", "revisionHistoryLimit", "progressDeadlineSeconds")
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


def _selector_is_fixed(old: Manifest, new: Manifest, subresource: str) -> list[Problem]:
    before, after = old["spec"].get("selector"), (new.get("spec") or {}).get("selector")
    return [] if before == after else [raw_invalid("spec.selector", shown(after), "field is immutable")]


DEPLOYMENT = Resource(
    "apps", "v1", "Deployment", "deployments", short_names=("deploy",), categories=("all",),
    generation=True, has_status=True, subresources={**SCALE, "status": Subresource("Deployment")},
    default=_default_deployment, on_create=_no_status, validate=_validate_deployment, immutable=_selector_is_fixed,
)  # fmt: skip

REPLICASET = Resource(
    "apps", "v1", "ReplicaSet", "replicasets", short_names=("rs",), categories=("all",),
    generation=True, has_status=True, subresources={**SCALE, "status": Subresource("ReplicaSet")},
    selectable=("status.replicas",),
    default=_default_replicaset, on_create=_new_replicaset, validate=_validate_replicaset, immutable=_selector_is_fixed,
)  # fmt: skip

RESOURCES = (DEPLOYMENT, REPLICASET)


def scale_of(workload: Manifest) -> Manifest:
    """The Scale of a workload: its replicas, asked for and there."""
    metadata = workload["metadata"]
    kept = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    status: Manifest = {"replicas": (workload.get("status") or {}).get("replicas", 0)}
    text = _selector_text(workload["spec"].get("selector") or {})
    if text:
        status["selector"] = text
    spec = {"replicas": workload["spec"]["replicas"]} if workload["spec"].get("replicas") else {}
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {name: metadata[name] for name in kept if name in metadata},
        "spec": spec,
        "status": status,
    }


def _selector_text(selector: Manifest) -> str:
    parts = [f"{key}={value}" for key, value in sorted((selector.get("matchLabels") or {}).items())]
    words = {"In": "in", "NotIn": "notin"}
    for expression in selector.get("matchExpressions") or []:
        operator, key = expression["operator"], expression["key"]
        values = ",".join(sorted(expression.get("values") or []))
        parts.append(
            {"Exists": key, "DoesNotExist": f"!{key}"}.get(operator, f"{key} {words.get(operator, '')} ({values})")
        )
    return ",".join(parts)


def scaled(workload: Manifest, scale: Manifest) -> Manifest:
    """The workload with the Scale's replicas. Errors: Invalid if they are negative."""
    replicas = (scale.get("spec") or {}).get("replicas") or 0
    name = workload["metadata"]["name"]
    if replicas < 0:
        raise errors.Invalid("autoscaling", "Scale", name, [invalid("spec.replicas", replicas, NON_NEGATIVE)])
    metadata = {**workload["metadata"]}
    given = scale.get("metadata") or {}
    if given.get("resourceVersion"):
        metadata["resourceVersion"] = given["resourceVersion"]
    return {**workload, "metadata": metadata, "spec": {**workload["spec"], "replicas": replicas}}
