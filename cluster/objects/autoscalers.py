"""HorizontalPodAutoscalers in two versions, which say the same with other words.

`autoscaling/v2` has a list of metrics; `autoscaling/v1` knows one number, the CPU's utilisation in percent. Whatever
else a v2 object says travels in v1 as JSON in annotations, and comes back from them.

    v1 targetCPUUtilizationPercentage: 50   <->   v2 metrics: [{type: Resource, resource: {name: cpu, target: …}}]

Mirrors:  kubernetes/pkg/apis/autoscaling/v1/conversion.go
"""

import json
from typing import Any

import orjson

from cluster.objects import Manifest

METRICS = "autoscaling.alpha.kubernetes.io/metrics"
CURRENT = "autoscaling.alpha.kubernetes.io/current-metrics"
CONDITIONS = "autoscaling.alpha.kubernetes.io/conditions"
BEHAVIOR = "autoscaling.alpha.kubernetes.io/behavior"
TYPES = ("ContainerResource", "External", "Object", "Pods", "Resource")
FIELDS = {kind: kind[0].lower() + kind[1:] for kind in TYPES}  # The field of a metric that each type fills.


def cpu_percent(percent: int) -> Manifest:
    """The metric that v1 knows."""
    target = {"type": "Utilization", "averageUtilization": percent}
    return {"type": "Resource", "resource": {"name": "cpu", "target": target}}


def from_v1(scaler: Manifest) -> Manifest:
    """An autoscaling/v1 object as it is stored."""
    new = {**scaler, "apiVersion": "autoscaling/v2"}
    metadata = scaler.get("metadata") or {}
    notes = metadata.get("annotations") or {}
    spec = {k: v for k, v in (scaler.get("spec") or {}).items() if k != "targetCPUUtilizationPercentage"}
    percent = (scaler.get("spec") or {}).get("targetCPUUtilizationPercentage")
    metrics = [cpu_percent(percent)] if percent is not None else []
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
    kind, source = metric.get("type", ""), metric.get(FIELDS.get(metric.get("type", ""), "")) or {}
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
    return {"type": kind, FIELDS[kind]: shown[kind]()} if kind in shown and source else {"type": kind}


def _spec_from_v1(metric: Manifest) -> Manifest:
    kind = metric.get("type", "")
    source = metric.get(FIELDS.get(str(kind), ""))
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
    return {"type": kind, FIELDS[kind]: made}


def _current_to_v1(metric: Manifest) -> Manifest:
    """One metric's present value."""
    kind, source = metric.get("type", ""), metric.get(FIELDS.get(metric.get("type", ""), "")) or {}
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
    return {"type": kind, FIELDS[kind]: shown[kind]()} if kind in shown and source else {"type": kind}


def _current_from_v1(metric: Manifest) -> Manifest:
    kind = metric.get("type", "")
    source = metric.get(FIELDS.get(str(kind), ""))
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
    return {"type": kind, FIELDS[kind]: made}


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
