"""What makes pods: how far a rollout is, its revisions and the way back to them; jobs, autoscalers, budgets."""

from typing import Any

from django.utils.translation import gettext as _

from cluster.objects import Manifest, meta
from dashboard.webui import rollouts
from dashboard.webui.cells import Cell, Row, Section, fields, joined, mono, pairs
from dashboard.webui.client import Client


def deployment(server: Client, obj: Manifest) -> list[Section]:
    status, strategy = obj.get("status") or {}, obj["spec"].get("strategy") or {}
    rolling = strategy.get("rollingUpdate") or {}
    state, tone = rollouts.state(obj)
    about = Section(
        _("Rollout"),
        fields(
            (_("State"), Cell(state, tone=tone)),
            (_("Wanted"), obj["spec"].get("replicas", 1)),
            (_("Updated"), status.get("updatedReplicas", 0)),
            (_("Ready"), status.get("readyReplicas", 0)),
            (_("Available"), status.get("availableReplicas", 0)),
            (_("Strategy"), strategy.get("type", "")),
            (_("Surge, unavailable"), joined(rolling[key] for key in ("maxSurge", "maxUnavailable") if key in rolling)),
        ),
    )
    return [about, _revisions(server, obj)]


def revisioned(server: Client, obj: Manifest) -> list[Section]:
    """A StatefulSet or a DaemonSet."""
    status, strategy = obj.get("status") or {}, obj["spec"].get("updateStrategy") or {}
    state, tone = rollouts.state(obj)
    wanted = status.get("desiredNumberScheduled", obj["spec"].get("replicas"))
    about = Section(
        _("Rollout"),
        fields(
            (_("State"), Cell(state, tone=tone)),
            (_("Wanted"), wanted),
            (_("Updated"), status.get("updatedNumberScheduled", status.get("updatedReplicas", 0))),
            (_("Ready"), status.get("numberReady", status.get("readyReplicas", 0))),
            (_("Strategy"), strategy.get("type", "")),
        ),
    )
    return [about, _revisions(server, obj)]


def _revisions(server: Client, obj: Manifest) -> Section:
    columns = [_("Revision"), _("Made by"), _("Images"), _("Pods"), _("Change cause"), ""]
    found = rollouts.revisions(server, obj)
    rows: list[Row] = []
    for each in found:
        newest = each is found[0]
        act = (("do", "undo"), ("revision", str(each.number)), ("label", _("Roll back to this")))
        rows.append(
            [
                Cell(each.number),
                Cell(each.name, each.api),
                mono(joined(each.images)),
                Cell(each.pods if each.pods is not None else ""),
                Cell(each.cause),
                Cell(_("current")) if newest else Cell(act=act),
            ]
        )
    return Section(_("Revisions"), columns=columns, rows=rows)


def replicaset(server: Client, obj: Manifest) -> list[Section]:
    status = obj.get("status") or {}
    about = fields(
        (_("Wanted"), obj["spec"].get("replicas", 1)),
        (_("Ready"), status.get("readyReplicas", 0)),
        (_("Available"), status.get("availableReplicas", 0)),
        (_("Revision"), meta.annotations(obj).get(rollouts.REVISION, "")),
    )
    return [Section(_("Replicas"), about)]


def job(server: Client, obj: Manifest) -> list[Section]:
    spec, status = obj["spec"], obj.get("status") or {}
    about = fields(
        (_("Completions"), f"{status.get('succeeded', 0)}/{spec.get('completions', 1)}"),
        (_("Parallelism"), spec.get("parallelism")),
        (_("Active"), status.get("active", 0)),
        (_("Failed"), Cell(status.get("failed", 0), tone="fail" if status.get("failed") else "")),
        (_("Back-off limit"), spec.get("backoffLimit")),
        (_("Suspended"), _("Yes") if spec.get("suspend") else ""),
        (_("Started"), status.get("startTime", "")),
        (_("Completed"), status.get("completionTime", "")),
    )
    return [Section(_("Job"), about)]


def cronjob(server: Client, obj: Manifest) -> list[Section]:
    spec, status = obj["spec"], obj.get("status") or {}
    namespace = meta.namespace(obj)
    active = [
        Cell(each["name"], f"apis/batch/v1/namespaces/{namespace}/jobs/{each['name']}")
        for each in status.get("active") or ()
    ]
    about = fields(
        (_("Schedule"), mono(spec["schedule"])),
        (_("Time zone"), spec.get("timeZone", "")),
        (_("State"), Cell(_("Suspended"), tone="pend") if spec.get("suspend") else Cell(_("Active"), tone="run")),
        (_("Concurrency"), spec.get("concurrencyPolicy", "")),
        (_("Last scheduled"), status.get("lastScheduleTime", "")),
        (_("Last success"), status.get("lastSuccessfulTime", "")),
        (_("Running now"), active),
    )
    return [Section(_("Schedule"), about)]


def autoscaler(server: Client, obj: Manifest) -> list[Section]:
    spec, status = obj["spec"], obj.get("status") or {}
    target = spec["scaleTargetRef"]
    plural = {"Deployment": "deployments", "StatefulSet": "statefulsets", "ReplicaSet": "replicasets"}
    path = ""
    if target["kind"] in plural:
        path = f"apis/apps/v1/namespaces/{meta.namespace(obj)}/{plural[target['kind']]}/{target['name']}"
    current = {_metric_name(each): each for each in status.get("currentMetrics") or ()}
    rows = [
        [
            Cell(_metric_name(each)),
            Cell(_metric(current.get(_metric_name(each)), "current")),
            Cell(_metric(each, "target")),
        ]
        for each in spec.get("metrics") or ()
    ]
    about = fields(
        (_("Scales"), Cell(f"{target['kind']}/{target['name']}", path)),
        (_("Replicas"), status.get("currentReplicas", 0)),
        (_("Wanted"), status.get("desiredReplicas") or "<unknown>"),
        (_("Between"), f"{spec.get('minReplicas', 1)} – {spec['maxReplicas']}"),
        (_("Last scaled"), status.get("lastScaleTime", "")),
    )
    columns = [_("Metric"), _("Now"), _("Target")]
    return [Section(_("Autoscaling"), about, columns, rows)]


def _field(kind: str) -> str:
    """The field that a metric of a kind is in. What could not be measured has no kind."""
    return kind[:1].lower() + kind[1:]


def _metric_name(metric: Manifest) -> str:
    kind = metric["type"]
    inner = metric.get(_field(kind)) or {}
    return str(inner.get("name") or (inner.get("metric") or {}).get("name", kind))


def _metric(metric: Manifest | None, part: str) -> str:
    """What a metric is or should be, as `kubectl get hpa` says it."""
    if metric is None:
        return "<unknown>"
    kind = metric["type"]
    value: dict[str, Any] = (metric.get(_field(kind)) or {}).get(part) or {}
    if value.get("averageUtilization") is not None:
        return f"{value['averageUtilization']}%"
    return str(value.get("averageValue") or value.get("value") or "<unknown>")


def budget(server: Client, obj: Manifest) -> list[Section]:
    spec, status = obj["spec"], obj.get("status") or {}
    allowed = status.get("disruptionsAllowed", 0)
    about = fields(
        (_("Min available"), spec.get("minAvailable")),
        (_("Max unavailable"), spec.get("maxUnavailable")),
        (_("Healthy"), f"{status.get('currentHealthy', 0)}/{status.get('desiredHealthy', 0)}"),
        (_("Disruptions allowed"), Cell(allowed, tone="run" if allowed else "pend")),
        (_("Pods"), pairs((spec.get("selector") or {}).get("matchLabels"))),
    )
    return [Section(_("Budget"), about)]
