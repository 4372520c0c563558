"""Events about one object, newest first, as `kubectl describe` lists them."""

from itertools import pairwise
from typing import Any

from cluster.objects import Manifest, meta, times
from dashboard import reads
from dashboard.panels.panel import View

MOST = 60
SECOND = 1_000_000  # Microseconds.


def context(view: View, kind: str, key: str, obj: Manifest | None) -> dict[str, Any]:
    namespace, name = meta.split_key(key)
    about = [event for event in reads.listing(view.cluster, "Event") if is_about(event, kind, namespace, name)]
    rows = in_order([row(view, event) for event in about])
    return {"events": rows[::-1][:MOST]}


def in_order(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The oldest first. Most events know only their second; within one, they happened as they were stored."""
    ordered = sorted(rows, key=lambda row: (row["stamp"] // SECOND, row["revision"]))
    for before, after in pairwise(ordered):
        after["at"] = max(after["at"], before["at"])
    return ordered


def is_about(event: Manifest, kind: str, namespace: str, name: str) -> bool:
    regarding = event.get("involvedObject") or event.get("regarding") or {}
    return bool(
        regarding.get("kind") == kind and regarding.get("name") == name and regarding.get("namespace", "") == namespace
    )


def row(view: View, event: Manifest) -> dict[str, Any]:
    """`at`: simulated time of the newest occurrence, not before t = 0; `stamp`: the same in microseconds since 1970."""
    series = event.get("series") or {}
    stamp = (
        series.get("lastObservedTime") or event.get("lastTimestamp") or event.get("eventTime") or meta.created_at(event)
    )
    moment = times.parse(stamp) if stamp else view.cluster.epoch
    source = event.get("source") or {}
    return {
        "at": max(moment - view.cluster.epoch, 0),
        "stamp": moment,
        "revision": int(event["metadata"]["resourceVersion"]),
        "warning": event.get("type") == "Warning",
        "reason": event.get("reason", ""),
        "message": event.get("message") or event.get("note", ""),
        "count": series.get("count") or event.get("count") or 1,
        "from": source.get("component") or event.get("reportingComponent", ""),
    }
