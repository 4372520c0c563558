"""Logs of one pod, following: the panel fetches its last lines anew while the clock runs."""

from typing import Any

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
        "reason": observed.unreachable(view.cluster, obj),
    }
