"""The log panel: what all containers of the cluster print, searchable."""

from typing import Any

from django.utils.translation import gettext_lazy as _

from cluster.objects import meta
from cluster.objects.pods import uid_at_node
from dashboard import observed, reads
from dashboard.panels.panel import Panel, View

LINES = 300


def context(view: View) -> dict[str, Any]:
    """`q`: words a line must contain; `ns`: one namespace."""
    words, namespace = view.wish("q").strip(), view.wish("ns")
    pods = list(reads.listing(view.cluster, "Pod"))
    chosen = {uid_at_node(pod) for pod in pods if not namespace or meta.namespace(pod) == namespace}
    lines = observed.tail(view.cluster, chosen, LINES if not words else LINES * 10)
    found = [line for line in lines if words.lower() in f"{line.pod} {line.text}".lower()][-LINES:]
    return {
        "lines": found,
        "q": words,
        "ns": namespace,
        "namespaces": sorted({meta.namespace(pod) for pod in pods}),
        "pods": len(chosen),
    }


PANEL = Panel("logs", context, _("Logs"), "scroll-text")
