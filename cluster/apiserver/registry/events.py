"""Events live once and are served by two groups: `v1` and `events.k8s.io/v1` call the same fields by other names.

Mirrors:  kubernetes/pkg/apis/events/v1/conversion.go, pkg/apis/core/validation/events.go
"""

from cluster.apiserver.registry.metadata import invalid
from cluster.apiserver.registry.resource import Problem
from cluster.objects import Manifest

SELECTABLE = (
    "involvedObject.kind", "involvedObject.namespace", "involvedObject.name", "involvedObject.uid",
    "involvedObject.apiVersion", "involvedObject.resourceVersion", "involvedObject.fieldPath", "reason",
    "reportingComponent", "source", "type",
)  # fmt: skip
NEW_SELECTABLE = (
    "regarding.kind", "regarding.namespace", "regarding.name", "regarding.uid", "regarding.apiVersion",
    "regarding.resourceVersion", "regarding.fieldPath", "reason", "reportingController", "type",
)  # fmt: skip
# events.k8s.io/v1 name -> core/v1 name.
_RENAMED = {
    "regarding": "involvedObject",
    "note": "message",
    "deprecatedSource": "source",
    "deprecatedFirstTimestamp": "firstTimestamp",
    "deprecatedLastTimestamp": "lastTimestamp",
    "deprecatedCount": "count",
    "reportingController": "reportingComponent",
}
_BACK = {core: new for new, core in _RENAMED.items()}


def default(event: Manifest) -> Manifest:
    """Fields that Go writes even when they are empty."""
    missing: Manifest = {
        name: value
        for name, value in (
            ("source", {}), ("firstTimestamp", None), ("lastTimestamp", None), ("eventTime", None),
            ("reportingComponent", ""), ("reportingInstance", ""),
        )
        if name not in event
    }  # fmt: skip
    return {**event, **missing} if missing else event


def validate(event: Manifest) -> list[Problem]:
    namespace = event["metadata"].get("namespace", "")
    involved = event.get("involvedObject") or {}
    found = []
    if involved.get("namespace", "") not in ("", namespace) or (
        not involved.get("namespace") and namespace != "default"
    ):
        found.append(
            invalid("involvedObject.namespace", involved.get("namespace", ""), "does not match event.namespace")
        )
    return found


def to_core(event: Manifest) -> Manifest:
    """An events.k8s.io/v1 Event as core/v1 stores it."""
    renamed = {
        _RENAMED.get(name, name): value for name, value in event.items() if value is not None or name == "eventTime"
    }
    return {**renamed, "kind": "Event", "apiVersion": "v1"}


def from_core(event: Manifest) -> Manifest:
    """A stored Event as events.k8s.io/v1 shows it."""
    renamed = {_BACK.get(name, name): value for name, value in event.items()}
    return {**renamed, "kind": "Event", "apiVersion": "events.k8s.io/v1"}
