"""Logs of one pod, following: the panel fetches its last lines anew while the clock runs."""

from typing import Any

from cluster.kubelet import server
from cluster.objects import Manifest, pods
from dashboard import observed
from dashboard.panels.panel import View

LINES = 200


def context(view: View, kind: str, key: str, obj: Manifest | None) -> dict[str, Any]:
    if obj is None:
        return {"lines": [], "reason": ""}
    found = observed.tail(view.cluster, {pods.uid_at_node(obj)}, LINES)
    return {
        "lines": found,
        "several": len({line.container for line in found}) > 1,
        "reason": why_silent(view, obj),
    }


def why_silent(view: View, pod: Manifest) -> str:
    """The API server can't reach the kubelet of a dead node: `kubectl logs` fails, and this panel says so
    too.
    """
    node = pod.get("spec", {}).get("nodeName", "")
    if not node:
        return ""
    error = server.unreachable(pod, pods.containers(pod)[0]["name"], observed.machine(view.cluster, node))
    return "" if error is None else str(error)
