"""The cloud: machines by zone, balancers with who is healthy behind them, routes, disks, quotas, and how its API does.

All of it is read from committed cells; what is healthy is worked out as the balancer would find it.

Read next: cluster/clouds.py for what the buttons do; cluster/cloud/health.py.
"""

from itertools import groupby
from typing import Any

import orjson
from django.utils.translation import gettext_lazy as _

from cluster.cloud import health
from cluster.cloud.disks import ATTACHED_MOST
from cluster.cloud.inventory import QUOTAS
from cluster.cloud.provider import SLOW, state_of
from cluster.cloud.service import wants_balancer
from cluster.models import CloudItem, Cluster
from cluster.objects import Manifest, meta
from dashboard import reads
from dashboard.panels.panel import Panel, View

SHOWN = 200  # Rows of one table.
SOMETIMES = 50  # Of a hundred calls fail, if one presses the button.
Rows = dict[str, dict[str, Any]]


def context(view: View) -> dict[str, Any]:
    """`on`: does the cluster use the cloud? The rest: see the template."""
    cells = cells_of(view.cluster)
    state = state_of(cells.get("api/state"))
    found = {kind: kept(cells, kind) for kind in ("machine", "balancer", "route", "disk")}
    quotas = quotas_of(cells, found)
    waiting = [] if state["on"] else [meta.key(s) for s in reads.listing(view.cluster, "Service") if wants_balancer(s)]
    calls = cells.get("api/calls", {"count": 0, "operations": {}})
    disks = [{**disk, "of": attached(found["disk"], disk)} for disk in found["disk"]]
    return {
        "on": state["on"],
        "state": state,
        "api": word_of(state),
        "usual_slow": state["slow"] if state["slow"] > 1 else SLOW,
        "sometimes": state["errors"] if 0 < state["errors"] < 100 else SOMETIMES,
        "zones": zones_of(found["machine"]),
        "machines": len(found["machine"]),
        "balancers": balancers(view.cluster, found["balancer"]),
        "routes": found["route"][:SHOWN],
        "more_routes": max(len(found["route"]) - SHOWN, 0),
        "disks": disks[:SHOWN],
        "quotas": quotas,
        "calls": calls["count"],
        "operations": [{"name": n, "calls": c, "refused": r} for n, (c, r) in calls["operations"].items()],
        "log": list(reversed(cells.get("api/log", {"calls": []})["calls"])),
        "waiting": waiting,
    }


def cells_of(cluster: Cluster) -> Rows:
    """The committed table `cloud` of a cluster, by key."""
    low, high = f"{cluster.pk}:", f"{cluster.pk};"
    rows = CloudItem.objects.filter(pk__gte=low, pk__lt=high).order_by("pk").values_list("pk", "body")
    return {key.removeprefix(low): orjson.loads(bytes(body)) for key, body in rows}


def kept(cells: Rows, kind: str) -> list[dict[str, Any]]:
    return [item for key, item in cells.items() if key.startswith(f"{kind}/")]


def word_of(state: dict[str, Any]) -> str:
    """How the API does, in the word of the switch that made it so."""
    if state["down"]:
        return "down"
    if state["errors"]:
        return "fail"
    return "slow" if state["slow"] > 1 else "ok"


def zones_of(machines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    ordered = sorted(machines, key=lambda machine: (machine["zone"], machine["name"]))
    return [
        {"name": zone, "machines": rows[:SHOWN], "count": len(rows)}
        for zone, rows in ((zone, list(group)) for zone, group in groupby(ordered, lambda machine: machine["zone"]))
    ]


def attached(disks: list[dict[str, Any]], disk: dict[str, Any]) -> str:
    """`3 of 25`: which of its machine's disks that makes."""
    if not disk["attached"]:
        return ""
    return f"{sum(1 for other in disks if other['attached'] == disk['attached'])}/{ATTACHED_MOST}"


def quotas_of(cells: Rows, found: dict[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    used = {
        "machines": sum(1 for machine in found["machine"] if machine["state"] != "terminated"),
        "balancers": len(found["balancer"]),
        "routes": len(found["route"]),
        "disks": len(found["disk"]),
        "gibibytes": sum(disk["gib"] for disk in found["disk"]),
    }
    rows = []
    for kind, usual in QUOTAS.items():
        limit = cells.get(f"quota/{kind}", {"limit": usual})["limit"]
        row = {"kind": kind, "title": TITLES[kind], "used": used[kind], "limit": limit}
        rows.append({**row, "fewer": max(limit - 1, 0), "more": limit + 1, "full": used[kind] >= limit})
    return rows


TITLES = {
    "machines": _("Machines"),
    "balancers": _("Balancers"),
    "routes": _("Routes"),
    "disks": _("Disks"),
    "gibibytes": _("GiB of disks"),
}


# --- balancers --------------------------------------------------------------------------------------------------


def balancers(cluster: Cluster, found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each with its machines: {node, healthy, why}."""
    if not found:
        return []
    nodes = {meta.name(node): node for node in reads.listing(cluster, "Node")}
    slices = list(reads.listing(cluster, "EndpointSlice"))
    return [shown(cluster, balancer, nodes, slices) for balancer in found[:SHOWN]]


def shown(
    cluster: Cluster, balancer: dict[str, Any], nodes: dict[str, Manifest], slices: list[Manifest]
) -> dict[str, Any]:
    service = reads.get(cluster, "Service", *meta.split_key(balancer["service"]))
    behind = health.backends(balancer, service, nodes, health.slices_of(balancer["service"], slices))
    rows = [{"node": one.node, "healthy": one.healthy, "why": WHY.get(one.why, one.why)} for one in behind]
    listeners = [f"{one['port']}/{one['protocol']} → {one.get('nodePort', '–')}" for one in balancer["listeners"]]
    healthy = sum(1 for row in rows if row["healthy"])
    return {**balancer, "listeners": listeners, "backends": rows, "healthy": healthy, "count": len(rows)}


WHY = {
    health.NO_MACHINE: _("the machine is gone"),
    health.NOT_READY: _("the node is not Ready"),
    health.NO_ENDPOINT: _("no ready endpoint on this node"),
}


def balancer_of(view: View, service: Manifest) -> dict[str, Any]:
    """For the inspector of a Service of type LoadBalancer: its balancer, or why it has none."""
    cells = cells_of(view.cluster)
    found = [one for one in kept(cells, "balancer") if one["service"] == meta.key(service)]
    on = state_of(cells.get("api/state"))["on"]
    made = balancers(view.cluster, found)
    return {"wanted": wants_balancer(service), "on": on, "made": made[0] if made else None}


PANEL = Panel("cloud", context, _("Cloud"), "cloud")
