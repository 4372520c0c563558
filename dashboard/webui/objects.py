"""One object: what it says of itself, who owns it, what happened to it, what its containers print."""

from typing import Any

import yaml
from django.http import QueryDict

from cluster.apiserver.target import Target
from cluster.objects import Manifest, meta
from dashboard.webui.client import Client
from dashboard.webui.discovery import Kind, of_object

DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
EVENTS = 20  # Newest ones that are shown, of …
READ = "500"  # … at most so many that are read.
TAILS = ("100", "1000", "5000")  # Lines of a log.


def as_yaml(obj: Manifest) -> str:
    """As `kubectl edit` shows it: without managedFields, which an update may leave out."""
    about = {key: value for key, value in obj["metadata"].items() if key != "managedFields"}
    shown = {key: about if key == "metadata" else value for key, value in obj.items()}
    return str(yaml.dump(shown, Dumper=DUMPER, sort_keys=False, allow_unicode=True, width=10**6))


def live(server: Client, known: list[Kind], target: Target, obj: Manifest, query: QueryDict) -> dict[str, Any]:
    """What is shown anew while somebody looks."""
    is_pod = (target.group, target.plural) == ("", "pods")
    conditions = (obj.get("status") or {}).get("conditions") or ()
    return {
        "object": obj,
        "labels": sorted(meta.labels(obj).items()),
        "owners": _owners(known, obj),
        "pods": _pods(obj),
        "conditions": [each for each in conditions if isinstance(each, dict)],
        "events": events(server, meta.namespace(obj), obj),
        "log": _log(server, obj, query) if is_pod else None,
    }


def events(server: Client, namespace: str, obj: Manifest | None = None) -> list[dict[str, Any]]:
    """Newest first: of one object, or all warnings."""
    if obj is None:
        path, chosen = "api/v1/events", "type=Warning"
    else:
        path = f"api/v1/namespaces/{namespace or 'default'}/events"
        chosen = f"involvedObject.kind={obj['kind']},involvedObject.name={meta.name(obj)}"
    found = server.get(path, {"fieldSelector": chosen, "limit": READ}).body.get("items", ())
    rows = [_event(each) for each in found]
    return sorted(rows, key=lambda row: str(row["at"]), reverse=True)[:EVENTS]


def _event(event: Manifest) -> dict[str, Any]:
    series, regarding = event.get("series") or {}, event.get("involvedObject") or {}
    at = series.get("lastObservedTime") or event.get("lastTimestamp") or event.get("eventTime")
    return {
        "at": at or meta.created_at(event),
        "type": event.get("type", ""),
        "reason": event.get("reason", ""),
        "about": f"{regarding.get('kind', '')}/{regarding.get('name', '')}",
        "message": event.get("message", ""),
        "count": series.get("count") or event.get("count") or 1,
    }


def _owners(known: list[Kind], obj: Manifest) -> list[dict[str, str]]:
    found = []
    for each in obj["metadata"].get("ownerReferences") or ():
        kind = of_object(known, each["apiVersion"], each["kind"])
        path = kind.path(meta.namespace(obj), each["name"]) if kind else ""
        found.append({"text": f"{each['kind']}/{each['name']}", "api": path})
    return found


def _pods(obj: Manifest) -> dict[str, str] | None:
    """The list of the pods that an object's selector means."""
    selector = (obj.get("spec") or {}).get("selector")
    if not isinstance(selector, dict) or not meta.namespace(obj):
        return None
    labels = selector.get("matchLabels") if "matchLabels" in selector or "matchExpressions" in selector else selector
    if not isinstance(labels, dict) or not labels or not all(isinstance(value, str) for value in labels.values()):
        return None
    text = ",".join(f"{name}={value}" for name, value in sorted(labels.items()))
    return {"selector": text, "api": f"api/v1/namespaces/{meta.namespace(obj)}/pods"}


def _log(server: Client, pod: Manifest, query: QueryDict) -> dict[str, Any]:
    spec = pod["spec"]
    parts = ("containers", "initContainers", "ephemeralContainers")
    containers = [each["name"] for part in parts for each in spec.get(part) or ()]
    container = query.get("container", containers[0])
    tail = query.get("tail", TAILS[0])
    asked = {"container": container, "tailLines": tail} | ({"previous": "true"} if query.get("previous") else {})
    answer = server.get(f"api/v1/namespaces/{meta.namespace(pod)}/pods/{meta.name(pod)}/log", asked)
    before = " --previous" if query.get("previous") else ""
    where = "" if meta.namespace(pod) == "default" else f" -n {meta.namespace(pod)}"
    return {
        "containers": containers,
        "container": container,
        "tail": tail,
        "tails": TAILS,
        "previous": bool(query.get("previous")),
        "text": answer.text if answer.status < 400 else "",
        "problem": answer.message if answer.status >= 400 else "",
        "line": f"kubectl logs {meta.name(pod)} -c {container} --tail={tail}{before}{where}",
    }
