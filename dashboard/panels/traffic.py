"""Traffic: load generators with a slider each, what comes of their requests, and who serves them.

Figures are worked out from committed container records at this moment; nobody in the world is asked.

Read next: cluster/flows/.
"""

from collections import defaultdict
from typing import Any

from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from cluster.addons.traffic.operator import LABEL
from cluster.flows import figures
from cluster.kubelet import serving
from cluster.objects import Manifest, meta, pods
from dashboard import loads, observed, reads
from dashboard.observed import Record
from dashboard.panels.panel import Panel, View

MOST = 50  # Generators, Services and servers that are shown.
SYSTEM = "kube-"


def context(view: View) -> dict[str, Any]:
    """`installed`; `generators` and `servers`: see below; `services`: where requests can be sent to with a click."""
    wishes = sorted(loads.listing(view.cluster), key=meta.created_at, reverse=True)  # The newest first.
    records = observed.records(view.cluster)
    senders = pods_by_generator(view) if wishes else {}
    return {
        "installed": loads.is_installed(view.cluster),
        "generators": [generator(view, wish, records, senders.get(meta.key(wish), [])) for wish in wishes[:MOST]],
        "more": max(len(wishes) - MOST, 0),
        "servers": servers(view, records),
        "services": services(view, wishes),
        "steps": ",".join(map(str, loads.STEPS)),
        "last": len(loads.STEPS) - 1,
    }


def generator(view: View, wish: Manifest, records: list[Record], senders: list[str]) -> dict[str, Any]:
    """One LoadGenerator: what it wants, what comes of it now, and its pods: the keys `senders`."""
    cluster, spec, key = view.cluster, wish["spec"], meta.key(wish)
    mine = figures.senders(records, meta.namespace(wish), meta.name(wish), cluster.epoch)
    found = figures.of(mine, cluster.sim_now, spec["target"])
    status, wanted = wish.get("status") or {}, spec.get("requestsPerSecond", 0)
    query = urlencode({"key": key})
    titles = (("requests", _t("Requests"), _t("a second")), ("latency", _t("Latency"), "ms"))
    return {
        **found,
        "key": key,
        "name": meta.name(wish),
        "namespace": meta.namespace(wish),
        "identity": meta.uid(wish),
        "target": spec["target"],
        "connections": spec.get("connections", 10),
        "timeout": spec.get("timeout", "10s"),
        "wish": wanted,
        "position": loads.position(wanted),
        "ready": status.get("readyReplicas", 0),
        "replicas": spec.get("replicas", 1),
        "pods": senders,
        "failures": [
            {"outcome": outcome, "rate": rate, "said": figures.said(outcome, spec["target"])}
            for outcome, rate in found["outcomes"].items()
            if found["failing"] and figures.fails(outcome)
        ],
        "behind": found["behind"] and not found["failing"],
        "charts": [
            {"title": title, "unit": unit, "src": f"{reverse('chart', args=[cluster.name, name])}?{query}"}
            for name, title, unit in titles
        ],
    }


def pods_by_generator(view: View) -> dict[str, list[str]]:
    """Key of a LoadGenerator to the keys of its living pods."""
    found: dict[str, list[str]] = defaultdict(list)
    for pod in reads.listing(view.cluster, "Pod"):
        if LABEL in meta.labels(pod) and pods.is_alive(pod):
            found[f"{meta.namespace(pod)}/{meta.labels(pod)[LABEL]}"].append(meta.key(pod))
    return found


def servers(view: View, records: list[Record]) -> list[dict[str, Any]]:
    """Who takes requests now: pod, node, requests a second, the part of its capacity, and how long one takes."""
    rows = []
    for record in records:
        queue = serving.queue_of(record) if record.get("load") and record["ended"] is None else None
        if queue is None or not queue.taken:
            continue
        part = queue.taken / queue.server.capacity
        rows.append({
            "key": f"{record['namespace']}/{record['pod']}",
            "node": record["node"],
            "rate": figures.shown(round(queue.taken * serving.MILLI)),
            "capacity": figures.shown(round(queue.server.capacity * serving.MILLI)),
            "part": round(100 * part),
            "p50": figures.span(round(queue.quantile(0.5) * figures.SECOND)),
            "full": part > FULL,
        })  # fmt: skip
    return sorted(rows, key=lambda row: (-row["part"], row["key"]))[:MOST]


FULL = 0.95  # Of its capacity: from there on a server is at its limit.


def services(view: View, wishes: list[Manifest]) -> list[dict[str, Any]]:
    """Services of applications with a port for requests; those that nobody asks yet come first."""
    asked = {(meta.namespace(wish), wish["spec"]["target"]) for wish in wishes}
    rows = [
        {
            "key": meta.key(service),
            "port": port,
            "asked": (meta.namespace(service), loads.target(meta.name(service), str(port))) in asked,
        }
        for service in reads.listing(view.cluster, "Service")
        for port in loads.ports(service)
        if not meta.namespace(service).startswith(SYSTEM) and meta.key(service) != "default/kubernetes"
    ]
    return sorted(rows, key=lambda row: (row["asked"], row["key"]))[:MOST]


PANEL = Panel("traffic", context, _("Traffic"), "activity")
