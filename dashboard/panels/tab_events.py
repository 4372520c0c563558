"""Events about one object, newest first, as `kubectl describe` lists them."""

from typing import Any

from cluster.objects import Manifest, meta, times
from dashboard import reads
from dashboard.panels.panel import View

MOST = 60


def context(view: View, kind: str, key: str, obj: Manifest | None) -> dict[str, Any]:
    namespace, name = meta.split_key(key)
    about = [event for event in reads.listing(view.cluster, "Event") if is_about(event, kind, namespace, name)]
    rows = sorted((row(view, event) for event in about), key=lambda r: -r["at"])
    return {"events": rows[:MOST]}


def is_about(event: Manifest, kind: str, namespace: str, name: str) -> bool:
    regarding = event.get("involvedObject") or event.get("regarding") or {}
    return bool(
        regarding.get("kind") == kind and regarding.get("name") == name and regarding.get("namespace", "") == namespace
    )


def row(view: View, event: Manifest) -> dict[str, Any]:
    """`at`: simulated time of the newest occurrence."""
    series = event.get("series") or {}
    stamp = (
        series.get("lastObservedTime") or event.get("lastTimestamp") or event.get("eventTime") or meta.created_at(event)
    )
    source = event.get("source") or {}
    return {
        "at": times.parse(stamp) - view.cluster.epoch if stamp else 0,
        "warning": event.get("type") == "Warning",
        "reason": event.get("reason", ""),
        "message": event.get("message") or event.get("note", ""),
        "count": series.get("count") or event.get("count") or 1,
        "from": source.get("component") or event.get("reportingComponent", ""),
    }
