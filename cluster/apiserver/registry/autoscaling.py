"""HorizontalPodAutoscalers, which are stored once and served in two versions.

`autoscaling/v2` has a list of metrics; `autoscaling/v1` knows one number, the CPU's utilisation in percent. Whatever
else a v2 object says travels in v1 as JSON in annotations, and comes back from them.

    v1 targetCPUUtilizationPercentage: 50   <->   v2 metrics: [{type: Resource, resource: {name: cpu, target: …}}]

Mirrors:  kubernetes/pkg/apis/autoscaling/{v1,v2}/{conversion,defaults}.go, validation/validation.go,
          pkg/registry/autoscaling/horizontalpodautoscaler/strategy.go
"""

import json
from collections.abc import Callable, Iterator
from typing import Any

import orjson

from cluster.apiserver.registry.metadata import forbidden, invalid, not_supported, required
from cluster.apiserver.registry.resource import Problem, Resource, Subresource
from cluster.apiserver.registry.selectors import selector_problems
from cluster.objects import Manifest, quantity
from cluster.objects.names import name_problems

METRICS = "autoscaling.alpha.kubernetes.io/metrics"
CURRENT = "autoscaling.alpha.kubernetes.io/current-metrics"
CONDITIONS = "autoscaling.alpha.kubernetes.io/conditions"
BEHAVIOR = "autoscaling.alpha.kubernetes.io/behavior"
CPU_PERCENT = 80
TYPES = ("ContainerResource", "External", "Object", "Pods", "Resource")
SOURCES = ("object", "pods", "resource", "external", "containerResource")
_FIELDS = {kind: kind[0].lower() + kind[1:] for kind in TYPES}
POLICIES, POLICY_TYPES = ("Disabled", "Max", "Min"), ("Percent", "Pods")
MAX_WINDOW, MAX_PERIOD = 3600, 1800  # Seconds.
_UP = {"selectPolicy": "Max", "stabilizationWindowSeconds": 0}
_UP_POLICIES = [
    {"type": "Pods", "value": 4, "periodSeconds": 15},
    {"type": "Percent", "value": 100, "periodSeconds": 15},
]
_DOWN_POLICIES = [{"type": "Percent", "value": 100, "periodSeconds": 15}]


# --- defaults ---------------------------------------------------------------------------------------------------


def _default(scaler: Manifest) -> Manifest:
    given = scaler.get("spec") or {}
    spec = {**given}
    if spec.get("minReplicas") is None:
        spec["minReplicas"] = 1
    if not spec.get("metrics"):
        spec["metrics"] = [_cpu(CPU_PERCENT)]
    if spec.get("behavior") is not None:
        behavior = spec["behavior"]
        spec["behavior"] = {
            "scaleUp": _rules(behavior.get("scaleUp"), _UP, _UP_POLICIES),
            "scaleDown": _rules(behavior.get("scaleDown"), {"selectPolicy": "Max"}, _DOWN_POLICIES),
        }
    return scaler if spec == given else {**scaler, "spec": spec}


def _cpu(percent: int) -> Manifest:
    target = {"type": "Utilization", "averageUtilization": percent}
    return {"type": "Resource", "resource": {"name": "cpu", "target": target}}


def _rules(given: Manifest | None, defaults: Manifest, policies: list[Manifest]) -> Manifest:
    rules = {**defaults, "policies": policies}
    return {**rules, **{name: value for name, value in (given or {}).items() if value is not None}}


def _new(scaler: Manifest) -> Manifest:
    return {**scaler, "status": {"desiredReplicas": 0, "currentMetrics": None}}


# --- validation -------------------------------------------------------------------------------------------------


def _validate(scaler: Manifest) -> list[Problem]:
    spec = scaler.get("spec") or {}
    low, high, found = spec.get("minReplicas"), spec.get("maxReplicas") or 0, list[Problem]()
    if low is not None and low < 1:
        found.append(invalid("spec.minReplicas", low, "must be greater than or equal to 1"))
    if low is not None and high < low:
        found.append(invalid("spec.maxReplicas", high, "must be greater than or equal to `minReplicas`"))
    found += _reference(spec.get("scaleTargetRef") or {}, "spec.scaleTargetRef")
    for number, metric in enumerate(spec.get("metrics") or []):
        found += _metric(metric, f"spec.metrics[{number}]")
    for name in ("scaleUp", "scaleDown"):
        if (spec.get("behavior") or {}).get(name) is not None:
            found += _rule_problems(spec["behavior"][name], f"spec.behavior.{name}")
    if not high:
        found.append(required("spec.maxReplicas"))
    elif high < 0:
        found.append(invalid("spec.maxReplicas", high, "must be greater than or equal to 1"))
    return found


def _reference(reference: Manifest, where: str) -> Iterator[Problem]:
    for name in ("kind", "name"):
        value = reference.get(name, "")
        if not value:
            yield required(f"{where}.{name}")
        yield from (invalid(f"{where}.{name}", value, problem) for problem in name_problems(value, "path") if value)
    version = reference.get("apiVersion", "")
    if version.count("/") > 1:
        yield invalid(f"{where}.apiVersion", version, f"unexpected GroupVersion string: {version}")
    elif "/" not in version and (reference.get("kind"), version) != ("ReplicationController", "v1"):
        yield invalid(f"{where}.apiVersion", version, "apiVersion must specify API group")


def _metric(metric: Manifest, where: str) -> Iterator[Problem]:
    kind = metric.get("type", "")
    if not kind:
        yield required(f"{where}.type", "must specify a metric source type")
    if kind not in TYPES:
        yield not_supported(f"{where}.type", kind, TYPES)
    present = [source for source in SOURCES if metric.get(source) is not None]
    if present:
        yield from _CHECKS[present[0]](metric[present[0]], f"{where}.{present[0]}")
    expected = _FIELDS.get(kind, "")
    if expected and expected not in present:
        yield required(f"{where}.{expected}", "must populate information for the given metric source")
    if len(present) != 1:
        for source in present:
            if source != expected:
                yield forbidden(f"{where}.{source}", "must populate the given metric source only")


def _target(target: Manifest, where: str) -> Iterator[Problem]:
    kind = target.get("type", "")
    if not kind:
        yield required(f"{where}.type", "must specify a metric target type")
    if kind not in ("Utilization", "Value", "AverageValue"):
        yield invalid(f"{where}.type", kind, "must be either Utilization, Value, or AverageValue")
    for name in ("value", "averageValue"):
        if target.get(name) is not None and quantity.parse(target[name])[0] <= 0:
            yield invalid(f"{where}.{name}", target[name], "must be positive")
    if target.get("averageUtilization") is not None and target["averageUtilization"] < 1:
        yield invalid(f"{where}.averageUtilization", target["averageUtilization"], "must be greater than 0")


def _identifier(metric: Manifest, where: str) -> Iterator[Problem]:
    name = metric.get("name", "")
    if not name:
        yield required(f"{where}.name", "must specify a metric name")
    yield from (invalid(f"{where}.name", name, problem) for problem in name_problems(name, "path") if name)
    yield from selector_problems(metric.get("selector"), f"{where}.selector")


def _resource(source: Manifest, where: str) -> Iterator[Problem]:
    target = source.get("target") or {}
    if not source.get("name"):
        yield required(f"{where}.name", "must specify a resource name")
    yield from _target(target, f"{where}.target")
    percent, value = target.get("averageUtilization"), target.get("averageValue")
    if percent is None and value is None:
        message = "must set either a target raw value or a target utilization"
        yield required(f"{where}.target.averageUtilization", message)
    if percent is not None and value is not None:
        message = "may not set both a target raw value and a target utilization"
        yield forbidden(f"{where}.target.averageValue", message)


def _container_resource(source: Manifest, where: str) -> Iterator[Problem]:
    if not source.get("container"):
        yield required(f"{where}.container", "must specify a container")
    yield from _resource(source, where)


def _pods(source: Manifest, where: str) -> Iterator[Problem]:
    yield from _identifier(source.get("metric") or {}, f"{where}.metric")
    target = source.get("target") or {}
    yield from _target(target, f"{where}.target")
    if target.get("averageValue") is None or quantity.parse(target["averageValue"])[0] <= 0:
        yield required(f"{where}.target.averageValue", "must specify a positive target averageValue")


def _object(source: Manifest, where: str) -> Iterator[Problem]:
    yield from _reference(source.get("describedObject") or {}, f"{where}.describedObject")
    yield from _identifier(source.get("metric") or {}, f"{where}.metric")
    target = source.get("target") or {}
    yield from _target(target, f"{where}.target")
    if target.get("value") is None and target.get("averageValue") is None:
        yield required(f"{where}.target.averageValue", "must set either a target value or averageValue")


def _external(source: Manifest, where: str) -> Iterator[Problem]:
    yield from _identifier(source.get("metric") or {}, f"{where}.metric")
    target = source.get("target") or {}
    yield from _target(target, f"{where}.target")
    if target.get("value") is None and target.get("averageValue") is None:
        message = "must set either a target value for metric or a per-pod target"
        yield required(f"{where}.target.averageValue", message)
    if target.get("value") is not None and target.get("averageValue") is not None:
        message = "may not set both a target value for metric and a per-pod target"
        yield forbidden(f"{where}.target.value", message)


_CHECKS: dict[str, Callable[[Manifest, str], Iterator[Problem]]] = {
    "resource": _resource,
    "containerResource": _container_resource,
    "pods": _pods,
    "object": _object,
    "external": _external,
}


def _rule_problems(rules: Manifest, where: str) -> Iterator[Problem]:
    window = rules.get("stabilizationWindowSeconds")
    if window is not None and window < 0:
        yield invalid(f"{where}.stabilizationWindowSeconds", window, "must be greater than or equal to zero")
    if window is not None and window > MAX_WINDOW:
        message = f"must be less than or equal to {MAX_WINDOW}"
        yield invalid(f"{where}.stabilizationWindowSeconds", window, message)
    if rules.get("selectPolicy") is not None and rules["selectPolicy"] not in POLICIES:
        yield not_supported(f"{where}.selectPolicy", rules["selectPolicy"], POLICIES)
    policies = rules.get("policies") or []
    if not policies:
        yield required(f"{where}.policies", "must specify at least one Policy")
    for number, policy in enumerate(policies):
        field, period = f"{where}.policies[{number}]", policy.get("periodSeconds", 0)
        if policy.get("type") not in POLICY_TYPES:
            yield not_supported(f"{field}.type", policy.get("type", ""), POLICY_TYPES)
        if policy.get("value", 0) <= 0:
            yield invalid(f"{field}.value", policy.get("value", 0), "must be greater than zero")
        if period <= 0:
            yield invalid(f"{field}.periodSeconds", period, "must be greater than zero")
        if period > MAX_PERIOD:
            yield invalid(f"{field}.periodSeconds", period, f"must be less than or equal to {MAX_PERIOD}")


# --- the old version --------------------------------------------------------------------------------------------


def from_v1(scaler: Manifest) -> Manifest:
    """An autoscaling/v1 object as it is stored."""
    new = {**scaler, "apiVersion": "autoscaling/v2"}
    metadata = scaler.get("metadata") or {}
    notes = metadata.get("annotations") or {}
    spec = {k: v for k, v in (scaler.get("spec") or {}).items() if k != "targetCPUUtilizationPercentage"}
    percent = (scaler.get("spec") or {}).get("targetCPUUtilizationPercentage")
    metrics = [_cpu(percent)] if percent is not None else []
    metrics += [_spec_from_v1(metric) for metric in _list_in(notes, METRICS)]
    if metrics:
        spec["metrics"] = metrics
    behavior = _json_in(notes, BEHAVIOR)
    if isinstance(behavior, dict):
        spec["behavior"] = behavior
    new["spec"] = spec
    if "status" in scaler:
        new["status"] = _status_from_v1(scaler["status"] or {}, notes)
    rest = {key: value for key, value in notes.items() if key not in (METRICS, CURRENT, CONDITIONS, BEHAVIOR)}
    if len(rest) != len(notes):
        new["metadata"] = {**metadata, "annotations": rest}
        if not rest:
            del new["metadata"]["annotations"]
    return new


def to_v1(scaler: Manifest) -> Manifest:
    """The stored object as autoscaling/v1 shows it."""
    spec, status = {**(scaler.get("spec") or {})}, scaler.get("status") or {}
    metrics, behavior = spec.pop("metrics", None) or [], spec.pop("behavior", None)
    notes: dict[str, str] = {}
    cpu = next((metric for metric in metrics if _is_cpu_percent(metric, "target")), None)
    if cpu is not None:
        spec["targetCPUUtilizationPercentage"] = cpu["resource"]["target"]["averageUtilization"]
    others = [_spec_to_v1(metric) for metric in metrics if metric is not cpu]
    current = status.get("currentMetrics") or []
    used = next((metric for metric in current if _is_cpu_percent(metric, "current")), None)
    for key, value in (
        (METRICS, others),
        (CURRENT, [_current_to_v1(metric) for metric in current]),
        (CONDITIONS, [_condition(condition) for condition in status.get("conditions") or []]),
        (BEHAVIOR, behavior),
    ):
        if value:
            notes[key] = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    metadata = scaler["metadata"]
    if notes:
        metadata = {**metadata, "annotations": dict(sorted({**(metadata.get("annotations") or {}), **notes}.items()))}
    counted = {k: v for k, v in status.items() if k not in ("currentMetrics", "conditions")}
    counted = {"currentReplicas": 0, "desiredReplicas": 0, **counted}
    if used is not None:
        counted["currentCPUUtilizationPercentage"] = used["resource"]["current"]["averageUtilization"]
    return {**scaler, "apiVersion": "autoscaling/v1", "metadata": metadata, "spec": spec, "status": counted}


def _is_cpu_percent(metric: Manifest, part: str) -> bool:
    resource = metric.get("resource") or {}
    amount = (resource.get(part) or {}).get("averageUtilization")
    return metric.get("type") == "Resource" and resource.get("name") == "cpu" and amount is not None


def _condition(condition: Manifest) -> Manifest:
    order = ("type", "status", "lastTransitionTime", "reason", "message")
    return {name: condition[name] for name in order if name in condition}


def _json_in(notes: dict[str, str], key: str) -> Any:
    """What an annotation holds; None if it is not there or no JSON."""
    try:
        return orjson.loads(notes.get(key, "null"))
    except orjson.JSONDecodeError:
        return None


def _list_in(notes: dict[str, str], key: str) -> list[Manifest]:
    found = _json_in(notes, key)
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def _kept(**fields: Any) -> Manifest:
    return {name: value for name, value in fields.items() if value is not None}


def _spec_to_v1(metric: Manifest) -> Manifest:
    """One metric's specification, whose target v1 spells out in fields of their own."""
    kind, source = metric.get("type", ""), metric.get(_FIELDS.get(metric.get("type", ""), "")) or {}
    target, name = source.get("target") or {}, (source.get("metric") or {}).get("name", "")
    selector = (source.get("metric") or {}).get("selector")
    value, average = target.get("value"), target.get("averageValue")
    percent = target.get("averageUtilization")
    shown = {
        "Object": lambda: _kept(
            target=source.get("describedObject"), metricName=name, targetValue=value or "0", selector=selector,
            averageValue=average,
        ),
        "Pods": lambda: _kept(metricName=name, targetAverageValue=average or "0", selector=selector),
        "Resource": lambda: _kept(
            name=source.get("name", ""), targetAverageUtilization=percent, targetAverageValue=average
        ),
        "ContainerResource": lambda: _kept(
            name=source.get("name", ""), targetAverageUtilization=percent, targetAverageValue=average,
            container=source.get("container", ""),
        ),
        "External": lambda: _kept(
            metricName=name, metricSelector=selector, targetValue=value, targetAverageValue=average
        ),
    }  # fmt: skip
    return {"type": kind, _FIELDS[kind]: shown[kind]()} if kind in shown and source else {"type": kind}


def _spec_from_v1(metric: Manifest) -> Manifest:
    kind = metric.get("type", "")
    source = metric.get(_FIELDS.get(str(kind), ""))
    if kind not in TYPES or not isinstance(source, dict):
        return {"type": str(kind)}
    value, average = source.get("targetValue"), source.get("targetAverageValue", source.get("averageValue"))
    percent = source.get("targetAverageUtilization")
    type_ = "Utilization" if percent is not None else "AverageValue" if average is not None else "Value"
    if type_ == "AverageValue" and value in ("0", 0):
        value = None
    target = _kept(type=type_, value=value, averageValue=average, averageUtilization=percent)
    made: Manifest = {"target": target}
    if kind in ("Resource", "ContainerResource"):
        made["name"] = source.get("name", "")
    else:
        selector = source.get("metricSelector", source.get("selector"))
        made["metric"] = _kept(name=source.get("metricName", ""), selector=selector)
    if kind == "ContainerResource":
        made["container"] = source.get("container", "")
    if kind == "Object":
        made["describedObject"] = source.get("target") or {}
    return {"type": kind, _FIELDS[kind]: made}


def _current_to_v1(metric: Manifest) -> Manifest:
    """One metric's present value."""
    kind, source = metric.get("type", ""), metric.get(_FIELDS.get(metric.get("type", ""), "")) or {}
    current, name = source.get("current") or {}, (source.get("metric") or {}).get("name", "")
    selector = (source.get("metric") or {}).get("selector")
    value, average, percent = (current.get(part) for part in ("value", "averageValue", "averageUtilization"))
    shown = {
        "Object": lambda: _kept(
            target=source.get("describedObject"), metricName=name, currentValue=value or "0", selector=selector,
            averageValue=average,
        ),
        "Pods": lambda: _kept(metricName=name, currentAverageValue=average or "0", selector=selector),
        "Resource": lambda: _kept(
            name=source.get("name", ""), currentAverageUtilization=percent, currentAverageValue=average or "0"
        ),
        "ContainerResource": lambda: _kept(
            name=source.get("name", ""), currentAverageUtilization=percent, currentAverageValue=average or "0",
            container=source.get("container", ""),
        ),
        "External": lambda: _kept(
            metricName=name, metricSelector=selector, currentValue=value or "0", currentAverageValue=average
        ),
    }  # fmt: skip
    return {"type": kind, _FIELDS[kind]: shown[kind]()} if kind in shown and source else {"type": kind}


def _current_from_v1(metric: Manifest) -> Manifest:
    kind = metric.get("type", "")
    source = metric.get(_FIELDS.get(str(kind), ""))
    if kind not in TYPES or not isinstance(source, dict):
        return {"type": str(kind)}
    current = _kept(
        value=source.get("currentValue"),
        averageValue=source.get("currentAverageValue", source.get("averageValue")),
        averageUtilization=source.get("currentAverageUtilization"),
    )
    made: Manifest = {"current": current}
    if kind in ("Resource", "ContainerResource"):
        made["name"] = source.get("name", "")
    else:
        selector = source.get("metricSelector", source.get("selector"))
        made["metric"] = _kept(name=source.get("metricName", ""), selector=selector)
    if kind == "ContainerResource":
        made["container"] = source.get("container", "")
    if kind == "Object":
        made["describedObject"] = source.get("target") or {}
    return {"type": kind, _FIELDS[kind]: made}


def _status_from_v1(status: Manifest, notes: dict[str, str]) -> Manifest:
    new = {k: v for k, v in status.items() if k != "currentCPUUtilizationPercentage"}
    current = [_current_from_v1(metric) for metric in _list_in(notes, CURRENT)]
    percent = status.get("currentCPUUtilizationPercentage")
    if percent is not None and not any(_is_cpu_percent(metric, "current") for metric in current):
        value = {"averageUtilization": percent}
        current = [{"type": "Resource", "resource": {"name": "cpu", "current": value}}, *current]
    conditions = _list_in(notes, CONDITIONS)
    if conditions:
        new["conditions"] = conditions
    if not new.get("currentReplicas"):
        new.pop("currentReplicas", None)
    return {"desiredReplicas": 0, **new, "currentMetrics": current or None}


SCALER = Resource(
    "autoscaling", "v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers", short_names=("hpa",),
    categories=("all",), generation=True, has_status=True,
    subresources={"status": Subresource("HorizontalPodAutoscaler")},
    default=_default, on_create=_new, validate=_validate,
)  # fmt: skip

OLD_SCALER = Resource(
    "autoscaling", "v1", "HorizontalPodAutoscaler", "horizontalpodautoscalers", short_names=("hpa",),
    categories=("all",), generation=True, has_status=True,
    subresources={"status": Subresource("HorizontalPodAutoscaler")},
    stored_as="HorizontalPodAutoscaler", to_stored=from_v1, from_stored=to_v1,
)  # fmt: skip

RESOURCES = (OLD_SCALER, SCALER)
