"""How HorizontalPodAutoscalers print, in both versions alike."""

from typing import Any

from cluster.apiserver.table.columns import AGE, NAME, Column
from cluster.apiserver.table.printer import NONE, Printer, age
from cluster.objects import Manifest, meta
from cluster.objects.autoscalers import from_v1

COLUMNS = (
    NAME,
    Column("Reference", doc="autoscaling_v2.HorizontalPodAutoscalerSpec.scaleTargetRef"),
    Column("Targets", doc="autoscaling_v2.HorizontalPodAutoscalerSpec.metrics", joint="  "),
    Column("MinPods", doc="autoscaling_v2.HorizontalPodAutoscalerSpec.minReplicas"),
    Column("MaxPods", doc="autoscaling_v2.HorizontalPodAutoscalerSpec.maxReplicas"),
    Column("Replicas", doc="autoscaling_v2.HorizontalPodAutoscalerStatus.currentReplicas"),
    AGE,
)
UNKNOWN = "<unknown>"
SHOWN = 2  # Metrics before "+ 1 more...".


def scaler(obj: Manifest, now: int) -> list[Any]:
    if "metrics" not in (obj.get("spec") or {}):
        obj = from_v1(obj)
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    target, least = spec.get("scaleTargetRef") or {}, spec.get("minReplicas")
    return [
        meta.name(obj),
        f"{target.get('kind', '')}/{target.get('name', '')}",
        _targets(spec.get("metrics") or [], status.get("currentMetrics") or []),
        "<unset>" if least is None else str(least),
        spec.get("maxReplicas", 0),
        status.get("currentReplicas", 0),
        age(obj, now),
    ]


def _targets(metrics: list[Manifest], current: list[Manifest]) -> str:
    if not metrics:
        return NONE
    texts = [_metric(metric, current[n] if n < len(current) else {}) for n, metric in enumerate(metrics)]
    shown = ", ".join(texts[:SHOWN])
    return f"{shown} + {len(texts) - SHOWN} more..." if len(texts) > SHOWN else shown


def _metric(metric: Manifest, current: Manifest) -> str:
    """`cpu: 12%/50%`, `10/100 (avg)`."""
    kind = metric.get("type", "")
    part = kind[:1].lower() + kind[1:]
    source, target = metric.get(part) or {}, (metric.get(part) or {}).get("target") or {}
    there = (current.get(part) or {}).get("current") or {}
    if kind in ("Resource", "ContainerResource"):
        if target.get("averageValue") is not None:
            return f"{source.get('name', '')}: {there.get('averageValue', UNKNOWN)}/{target['averageValue']}"
        percent, wanted = there.get("averageUtilization"), target.get("averageUtilization")
        now = UNKNOWN if percent is None else f"{percent}%"
        return f"{source.get('name', '')}: {now}/{'<auto>' if wanted is None else f'{wanted}%'}"
    if kind == "Pods":
        return f"{there.get('averageValue', UNKNOWN)}/{target.get('averageValue', '0')}"
    if kind not in ("Object", "External"):
        return "<unknown type>"
    if target.get("averageValue") is not None:
        return f"{there.get('averageValue', UNKNOWN)}/{target['averageValue']} (avg)"
    return f"{there.get('value', UNKNOWN)}/{target.get('value', '0')}"


PRINTERS: dict[tuple[str, str], Printer] = {("autoscaling", "HorizontalPodAutoscaler"): Printer(COLUMNS, scaler)}
