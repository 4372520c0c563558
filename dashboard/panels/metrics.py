"""The metrics panel: CPU and memory of every node, and the pods that use most."""

from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _t

from cluster.objects import meta
from cluster.objects.pods import uid_at_node
from dashboard import observed, reads
from dashboard.panels.panel import Panel, View

TOP = 12


def context(view: View) -> dict[str, Any]:
    titles = (("cpu", _t("CPU per node"), _t("millicores")), ("memory", _t("Memory per node"), "MiB"))
    charts = [{"title": t, "unit": u, "src": reverse("chart", args=[view.cluster.name, n])} for n, t, u in titles]
    return {"charts": charts, "top": top(view)}


def top(view: View) -> list[dict[str, Any]]:
    """`kubectl top pods --sort-by=cpu`."""
    used = observed.usage_by_pod(view.cluster)
    found = [
        {
            "key": meta.key(pod),
            "node": pod["spec"].get("nodeName", ""),
            "cpu": used[uid_at_node(pod)][0],
            "memory": used[uid_at_node(pod)][1],
        }
        for pod in reads.listing(view.cluster, "Pod")
        if uid_at_node(pod) in used
    ]
    return sorted(found, key=lambda row: (-row["cpu"], row["key"]))[:TOP]


PANEL = Panel("metrics", context)
