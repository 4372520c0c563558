"""What every workload shares: a pod template that is completed and checked, a selector that chooses its pods, a Scale.

Mirrors:  kubernetes/pkg/apis/core/validation (ValidatePodTemplateSpec), pkg/registry/*/storage (ScaleREST)
Read next: apps.py, batch.py, replication.py.
"""

from collections.abc import Iterator
from typing import Any

from cluster.apiserver.registry import podrules, podspec
from cluster.apiserver.registry.metadata import (
    annotation_problems,
    forbidden,
    invalid,
    label_problems,
    not_supported,
    raw_invalid,
    required,
)
from cluster.apiserver.registry.resource import Problem
from cluster.apiserver.registry.selectors import selector_problems, shown
from cluster.objects import Manifest, errors, labels

NON_NEGATIVE = "must be greater than or equal to 0"
IMMUTABLE = "field is immutable"
MISMATCH = "`selector` does not match template `labels`"


def with_template(workload: Manifest, **defaults: object) -> Manifest:
    """The workload with `defaults` where its spec says nothing, and its pod template completed."""
    given = workload.get("spec") or {}
    spec = {**{name: value for name, value in defaults.items() if given.get(name) is None}, **given}
    template = completed(spec.get("template") or {})
    if template is not spec.get("template") and template:
        spec["template"] = template
    return workload if spec == given else {**workload, "spec": spec}


def completed(template: Manifest) -> Manifest:
    """The pod template with the defaults of its spec; the very same one if it has them."""
    if "spec" not in template:
        return template
    spec = podspec.defaulted(template["spec"])
    return template if spec is template["spec"] else {**template, "spec": spec}


def no_status(workload: Manifest) -> Manifest:
    return {**workload, "status": {}}


def labels_of(template: Manifest | None) -> dict[str, str]:
    return ((template or {}).get("metadata") or {}).get("labels") or {}


def at_least_zero(spec: Manifest, *names: str, where: str = "spec") -> list[Problem]:
    return [invalid(f"{where}.{name}", spec[name], NON_NEGATIVE) for name in names if (spec.get(name) or 0) < 0]


def selector_and_template(spec: Manifest, kind: str) -> list[Problem]:
    """The selector is well-formed, not empty, and chooses the template's own pods; the template is a fit one.

    `kind`: how the real words call it, which for a ReplicaSet is deployment.
    """
    selector, found = spec.get("selector"), list[Problem]()
    if selector is None:
        found.append(required("spec.selector"))
    else:
        found += selector_problems(selector, "spec.selector")
        if found:
            return [*found, raw_invalid("spec.selector", shown(selector), "invalid label selector")]
        if not selector.get("matchLabels") and not selector.get("matchExpressions"):
            found.append(raw_invalid("spec.selector", "{}", f"empty selector is invalid for {kind}"))
    template = spec.get("template") or {}
    return [*found, *_chosen(selector, template), *template_problems(template)]


def _chosen(selector: Manifest | None, template: Manifest) -> Iterator[Problem]:
    empty = selector is not None and not selector.get("matchLabels") and not selector.get("matchExpressions")
    if not empty and not labels.matches(selector, labels_of(template)):
        given = (template.get("metadata") or {}).get("labels")
        yield raw_invalid("spec.template.metadata.labels", shown(given), MISMATCH)


def template_problems(template: Manifest, where: str = "spec.template") -> list[Problem]:
    """Labels, annotations and pod spec of a template."""
    metadata = template.get("metadata") or {}
    found = [*label_problems(metadata.get("labels") or {}, f"{where}.labels")]
    found += annotation_problems(metadata.get("annotations") or {}, f"{where}.annotations")
    if (template.get("spec") or {}).get("ephemeralContainers"):
        message = "ephemeral containers not allowed in pod template"
        found.append(forbidden(f"{where}.spec.ephemeralContainers", message))
    return found + podrules.problems(template.get("spec") or {}, f"{where}.spec")


def runs_forever(template: Manifest, kind: str, where: str = "spec.template") -> Iterator[Problem]:
    """Pods of a workload that never ends restart always and have no deadline."""
    spec = template.get("spec") or {}
    if spec.get("restartPolicy") != "Always":
        yield not_supported(f"{where}.spec.restartPolicy", spec.get("restartPolicy", ""), ("Always",))
    if spec.get("activeDeadlineSeconds") is not None:
        yield forbidden(f"{where}.spec.activeDeadlineSeconds", f"activeDeadlineSeconds in {kind} is not Supported")


def fixed(old: Manifest, new: Manifest, *names: str) -> list[Problem]:
    """Problems of fields of the spec that may not change, in this order."""
    before, after = old.get("spec") or {}, new.get("spec") or {}
    return [_fixed(f"spec.{name}", after.get(name)) for name in names if before.get(name) != after.get(name)]


def _fixed(field: str, value: Any) -> Problem:
    if isinstance(value, (dict, list)) or value is None:
        return raw_invalid(field, shown(value), IMMUTABLE)
    return invalid(field, value, IMMUTABLE)


def selector_is_fixed(old: Manifest, new: Manifest, subresource: str) -> list[Problem]:
    return fixed(old, new, "selector")


# --- the Scale --------------------------------------------------------------------------------------------------


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
    equal = selector.get("matchLabels", {}) if {"matchLabels", "matchExpressions"} & selector.keys() else selector
    parts = [f"{key}={value}" for key, value in sorted((equal or {}).items())]
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
