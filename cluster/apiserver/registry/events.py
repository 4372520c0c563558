"""Events live once and are served by two groups: `v1` and `events.k8s.io/v1` call the same fields by other names.

Mirrors:  kubernetes/pkg/apis/events/v1/conversion.go, pkg/apis/core/validation/events.go
"""

from collections.abc import Iterator

from cluster.apiserver.registry.metadata import invalid, required
from cluster.apiserver.registry.resource import Problem
from cluster.apiserver.registry.rules import fixed
from cluster.objects import Manifest
from cluster.objects.names import qualified_problems

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
    """What `v1` asks of an Event; of those with an eventTime, more."""
    return list(_problems(event, "reportingComponent"))


def _problems(event: Manifest, controller: str) -> Iterator[Problem]:
    """`controller`: what the group calls the field that is stored as reportingComponent."""
    namespace = event["metadata"].get("namespace", "")
    about = (event.get("involvedObject") or {}).get("namespace", "")
    elsewhere = "involvedObject.namespace", about, "does not match event.namespace"
    if not event.get("eventTime"):
        if about not in ("", namespace) or (not about and namespace != "default"):
            yield invalid(*elsewhere)
        return
    if not about and namespace not in ("default", "kube-system"):
        yield invalid(*elsewhere)
    reporter = event.get("reportingComponent", "")
    if not reporter:
        yield required(controller)
    yield from (invalid(controller, reporter, problem) for problem in qualified_problems(reporter))
    for name, limit in (("reportingInstance", 128), ("action", 128), ("reason", 128), ("message", 1024)):
        text = event.get(name) or ""
        if not text and name != "message":
            yield required(name)
        if len(text.encode()) > limit:
            yield invalid(name, "", f"can have at most {limit} characters")


def validate_new(event: Manifest) -> list[Problem]:
    """What `events.k8s.io/v1` asks: everything new about an event, and nothing old."""
    found = [*_problems(event, "reportingController"), *_series(event)]
    if not event.get("eventTime"):
        found.append(required("eventTime"))
    if event.get("type") not in ("Normal", "Warning"):
        found.append(invalid("type", "", f"has invalid value: {event.get('type', '')}"))
    for name in ("firstTimestamp", "lastTimestamp", "count", "source"):
        if event.get(name):
            found.append(invalid(name, "", "needs to be unset"))
    return found


def _series(event: Manifest) -> Iterator[Problem]:
    series = event.get("series")
    if series is None:
        return
    if series.get("count", 0) < 2:
        yield invalid("series.count", "", "should be at least 2")
    if not series.get("lastObservedTime"):
        yield required("series.lastObservedTime")


_FIXED = (
    "involvedObject", "reason", "message", "source", "firstTimestamp", "lastTimestamp", "count", "type", "eventTime",
    "action", "related", "reportingComponent", "reportingInstance",
)  # fmt: skip


def changes(old: Manifest, new: Manifest, subresource: str) -> list[Problem]:
    """An event of the new group only ever counts on."""
    found = list(_series(new)) if new.get("series") != old.get("series") else []
    found += _problems(new, "reportingController")
    return found + [
        {**problem, "field": "reportingController"} if problem["field"] == "reportingComponent" else problem
        for problem in fixed(*_FIXED)(old, new, subresource)
    ]


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
