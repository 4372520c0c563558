"""Logs of one pod, following: the panel fetches its last lines anew while the clock runs."""

from typing import Any

from cluster.objects import Manifest, meta
from dashboard import observed
from dashboard.panels.panel import View

LINES = 200


def context(view: View, kind: str, key: str, obj: Manifest | None) -> dict[str, Any]:
    if obj is None:
        return {"lines": [], "reason": ""}
    found = observed.tail(view.cluster, {meta.uid(obj)}, LINES)
    return {"lines": found, "several": len({line.container for line in found}) > 1, "reason": why_silent(view, obj)}


def why_silent(view: View, pod: Manifest) -> str:
    """The real API server can't reach the kubelet of a dead node: `kubectl logs` fails, and so says this panel."""
    node = pod.get("spec", {}).get("nodeName", "")
    if node and not observed.is_powered(view.cluster, node):
        return f"Get \"https://{node}:10250/containerLogs/{meta.key(pod)}\": dial tcp {node}:10250: connect: no route to host"
    return ""
