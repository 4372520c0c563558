"""What there is to do, on the left: samples to apply, workloads to scale, nodes to add."""

from typing import Any

from cluster.objects import meta
from dashboard import reads, samples
from dashboard.panels.panel import Panel, View

KINDS = ("Deployment",)


MOST = 50  # Deployments of each sort that are shown.
SYSTEM = "kube-"


def context(view: View) -> dict[str, Any]:
    """`workloads`: Deployments of applications, `more` of them are not shown; `system`: those of kube- namespaces."""
    found = workloads(view)
    mine = [row for row in found if not row["namespace"].startswith(SYSTEM)]
    return {
        "samples": samples.SAMPLES,
        "workloads": mine[:MOST],
        "more": max(len(mine) - MOST, 0),
        "system": [row for row in found if row["namespace"].startswith(SYSTEM)][:MOST],
    }


def workloads(view: View) -> list[dict[str, Any]]:
    """Deployments with what they want and what they have."""
    found = [
        {
            "kind": kind,
            "key": meta.key(obj),
            "name": meta.name(obj),
            "namespace": meta.namespace(obj),
            "wanted": (wanted := obj["spec"].get("replicas", 1)),
            "more": wanted + 1,
            "fewer": max(wanted - 1, 0),
            "ready": obj.get("status", {}).get("readyReplicas", 0),
        }
        for kind in KINDS
        for obj in reads.listing(view.cluster, kind)
    ]
    return sorted(found, key=lambda row: (row["namespace"], row["name"]))


PANEL = Panel("actions", context)
