"""The control plane's processes: who leads, what waits in each queue, and buttons to stop one and start it again.

Queues are cells under `<component>|r|<key>`, Leases are objects: all of it is read from committed rows.

Read next: cluster/processes.py for what the buttons do.
"""

from typing import Any

import orjson
from django.utils.translation import gettext_lazy as _

from cluster import processes
from cluster.models import Agenda, Cluster, Process
from cluster.objects import times
from cluster.scheduler import configuration
from dashboard import logsearch, reads
from dashboard.panels import scheduler_configuration
from dashboard.panels.panel import Panel, View

MOST_ROWS = 5_000  # Queue entries counted; more are shown as "5000+".
LINES = 4  # Of each process' log; the log panel has the rest.
OTHERS = ("kube-apiserver", "etcd", "kubelet", "kube-proxy")  # Components that have logs and stand elsewhere.
KEYS = 6  # Waiting keys shown of each component.


def context(view: View) -> dict[str, Any]:
    return look(view.cluster)


def look(cluster: Cluster) -> dict[str, Any]:
    rows, waiting, held = replicas(cluster), queues(cluster), held_components(cluster)
    written = logsearch.newest(cluster, {row["process"] for row in rows}, LINES)
    return {
        "others": OTHERS,
        "processes": [
            {
                "name": name,
                "replicas": [row for row in rows if row["process"] == name],
                "lease": lease_of(cluster, name),
                "more": (count := sum(row["process"] == name for row in rows)) + 1,
                "fewer": count - 1,
                "most": count >= processes.MOST_REPLICAS,
                "components": sorted(
                    (
                        component(cluster, each, waiting.get(each, []), each in held)
                        for each in processes.components(name)
                    ),
                    key=lambda row: not row["held"],  # Those that are stopped stand at the head.
                ),
                "leads": any(row["leads"] for row in rows if row["process"] == name),
                "lines": [(entry.at, entry.node, entry.text) for entry in written.get(name, ())],
                "profiles": profiles_of(cluster) if name == "kube-scheduler" else [],
            }
            for name in processes.PROCESSES
            if name not in processes.OPTIONAL or any(row["process"] == name for row in rows)
        ],
        "stopped": len(held) + sum(not row["on"] for row in rows),
    }


def replicas(cluster: Cluster) -> list[dict[str, Any]]:
    """A row for each replica: {name, process, on, leads, id}."""
    prefix = f"{cluster.pk}:"
    rows = Process.objects.filter(id__startswith=prefix).exclude(id=f"{prefix}{processes.CONFIGURED}")
    found = rows.values_list("id", "body").order_by("id")
    return [{"name": key.removeprefix(prefix), **orjson.loads(body)} for key, body in found]


def profiles_of(cluster: Cluster) -> list[str]:
    """The schedulers that pods may name."""
    return configuration.read(scheduler_configuration.text_of(cluster)).names


def queues(cluster: Cluster) -> dict[str, list[tuple[int, str]]]:
    """What waits, by component: (due, key), next first. At most MOST_ROWS in all."""
    prefix = f"{cluster.pk}:"
    rows = Agenda.objects.filter(id__gte=prefix, id__lt=f"{cluster.pk};", id__contains="|r|")
    found: dict[str, list[tuple[int, str]]] = {}
    for key, body in rows.values_list("id", "body")[:MOST_ROWS]:
        name, kind, item = key.removeprefix(prefix).split("|", 2)
        if kind == "r":
            found.setdefault(name, []).append((orjson.loads(body)[0], item))
    return {name: sorted(entries) for name, entries in found.items()}


def held_components(cluster: Cluster) -> frozenset[str]:
    row = Agenda.objects.filter(id=f"{cluster.pk}:|held|").values_list("body", flat=True).first()
    return frozenset(orjson.loads(row)) if row else frozenset()


def lease_of(cluster: Cluster, process: str) -> dict[str, Any] | None:
    """{holder, transitions, left}: until it runs out, in microseconds of simulated time."""
    lease = reads.get(cluster, "Lease", "kube-system", process)
    if lease is None or not lease["spec"].get("renewTime"):
        return None
    spec = lease["spec"]
    ends = times.parse(spec["renewTime"]) + spec.get("leaseDurationSeconds", 0) * 1_000_000
    left = ends - cluster.epoch - cluster.sim_now
    return {
        "holder": spec.get("holderIdentity", ""),
        "transitions": spec.get("leaseTransitions", 0),
        "left": max(left, 0) // 1_000_000,
    }


def component(cluster: Cluster, name: str, waiting: list[tuple[int, str]], held: bool) -> dict[str, Any]:
    oldest = max((cluster.sim_now - waiting[0][0]) // 1_000_000, 0) if waiting else 0
    return {
        "name": name,
        "held": held,
        "waiting": len(waiting),
        "oldest": oldest,
        "keys": [key for _, key in waiting[:KEYS]],
        "others": max(len(waiting) - KEYS, 0),
    }


PANEL = Panel("control-plane", context, _("Control plane"), "cpu")
