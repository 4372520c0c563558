"""How the cluster does: of each sort of thing, how many are as they should be."""

from collections.abc import Callable
from typing import Any

from cluster.objects import Manifest, conditions
from dashboard.webui.client import Client

MOST = "500"  # Objects of a kind that are looked at.


def of_cluster(server: Client) -> list[dict[str, Any]]:
    """[{"name", "api", "good", "all", "more": objects that were not looked at, "problem"}]."""
    return [_row(server, name, api) for name, (api, _) in CHECKS.items()]


def _row(server: Client, name: str, api: str) -> dict[str, Any]:
    answer = server.get(api, {"limit": MOST})
    items = answer.body.get("items", [])
    good = sum(CHECKS[name][1](each) for each in items)
    more = (answer.body.get("metadata") or {}).get("remainingItemCount", 0)
    problem = "" if answer.status == 200 else answer.message
    return {"name": name, "api": api, "good": good, "all": len(items), "more": more, "problem": problem}


def _condition(name: str) -> Callable[[Manifest], bool]:
    return lambda obj: conditions.is_true(obj, name)


def _replicas(obj: Manifest) -> bool:
    return (obj.get("status") or {}).get("readyReplicas", 0) >= obj["spec"].get("replicas", 1)


def _daemons(obj: Manifest) -> bool:
    status = obj.get("status") or {}
    return status.get("numberReady", 0) >= status.get("desiredNumberScheduled", 0)


def _pod(obj: Manifest) -> bool:
    return obj.get("status", {}).get("phase") == "Succeeded" or _condition("Ready")(obj)


def _job(obj: Manifest) -> bool:
    return not _condition("Failed")(obj)


CHECKS: dict[str, tuple[str, Callable[[Manifest], bool]]] = {
    "Nodes": ("api/v1/nodes", _condition("Ready")),
    "Deployments": ("apis/apps/v1/deployments", _replicas),
    "StatefulSets": ("apis/apps/v1/statefulsets", _replicas),
    "DaemonSets": ("apis/apps/v1/daemonsets", _daemons),
    "Jobs": ("apis/batch/v1/jobs", _job),
    "Pods": ("api/v1/pods", _pod),
}
