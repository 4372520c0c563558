"""One object: what it says of itself, who owns it and what it owns, what happened to it, what its containers print."""

from typing import Any

import yaml
from django.http import QueryDict
from django.utils.translation import gettext as _

from cluster.objects import Manifest, meta
from dashboard.webui import summaries, tables
from dashboard.webui.cells import Cell, Section, tone
from dashboard.webui.client import Client
from dashboard.webui.discovery import Kind, of_object
from dashboard.webui.tables import Row

DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
EVENTS = 20  # Newest ones that are shown, of …
READ = "500"  # … at most so many that are read.
TAILS = ("100", "1000", "5000")  # Lines of a log.
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"  # All of an object again, a Secret's values too.
DEEPEST = 5  # Owners above and children below.
PODS, JOBS, SETS = "api/v1/pods", "apis/batch/v1/jobs", "apis/apps/v1/replicasets"
OWNED = {  # Kind -> the lists in which its children, and theirs, can be.
    "Deployment": (SETS, PODS),
    "ReplicaSet": (PODS,),
    "ReplicationController": (PODS,),
    "StatefulSet": (PODS,),
    "DaemonSet": (PODS,),
    "Job": (PODS,),
    "CronJob": (JOBS, PODS),
    "Service": ("apis/discovery.k8s.io/v1/endpointslices",),
}
OF_CUSTOM = (
    "apis/apps/v1/deployments", "apis/apps/v1/statefulsets", "apis/apps/v1/daemonsets", SETS, JOBS, PODS,
    "api/v1/services", "api/v1/configmaps", "api/v1/secrets",
)  # fmt: skip


def as_yaml(obj: Manifest, in_order: bool = False) -> str:
    """As `kubectl edit` shows it: without managedFields, which an update may leave out. `in_order`: of the keys."""
    about = {key: value for key, value in obj["metadata"].items() if key != "managedFields"}
    shown = {key: about if key == "metadata" else value for key, value in obj.items()}
    return str(yaml.dump(shown, Dumper=DUMPER, sort_keys=in_order, allow_unicode=True, width=10**6))


def live(server: Client, known: list[Kind], api: str, obj: Manifest) -> dict[str, Any]:
    """What is shown anew whenever something changed."""
    conditions = (obj.get("status") or {}).get("conditions") or ()
    lists = _lists_of_children(known, obj)
    return {
        "object": obj,
        "labels": sorted(meta.labels(obj).items()),
        "annotations": [each for each in sorted(meta.annotations(obj).items()) if each[0] != LAST_APPLIED],
        "owners": _owners(server, known, obj),
        "pods": _pods(obj),
        "sections": [each for each in summaries.of(server, obj) if each.fields or each.rows or each.note],
        "children": _children(server, lists, obj),
        "conditions": [_condition(each) for each in conditions if isinstance(each, dict)],
        "events": events(server, meta.namespace(obj), obj),
        "watch": _watched(api, obj, lists),
    }


def _condition(condition: Manifest) -> dict[str, Any]:
    """A condition, with its tone: True is good news, but of a node's troubles it is bad."""
    name, status = str(condition.get("type", "")), condition.get("status")
    is_trouble = name.endswith(("Pressure", "Unavailable", "Failure", "Failed")) or name == "DisruptionTarget"
    good = (status == "True") != is_trouble
    return {**condition, "tone": "term" if status == "Unknown" else ("run" if good else "pend")}


def _watched(api: str, obj: Manifest, lists: list[str]) -> list[str]:
    about = f"involvedObject.kind={obj['kind']},involvedObject.name={meta.name(obj)}"
    found = [f"{api.rpartition('/')[0]}?fieldSelector=metadata.name={meta.name(obj)}"]
    found.append(f"api/v1/namespaces/{meta.namespace(obj) or 'default'}/events?fieldSelector={about}")
    if obj["kind"] == "Node":
        found.append(f"{PODS}?fieldSelector=spec.nodeName={meta.name(obj)}")
    return found + lists


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


# --- who owns whom ------------------------------------------------------------------------------------------------


def _owners(server: Client, known: list[Kind], obj: Manifest) -> list[dict[str, str]]:
    """Its owners, and the controllers above these: Pod, its ReplicaSet, its Deployment."""
    found: list[dict[str, str]] = []
    references = list(obj["metadata"].get("ownerReferences") or ())
    while references and len(found) < DEEPEST:
        each = references.pop(0)
        kind = of_object(known, each["apiVersion"], each["kind"])
        path = kind.path(meta.namespace(obj), each["name"]) if kind else ""
        found.append({"text": f"{each['kind']}/{each['name']}", "api": path})
        if path and not references:
            references = list((server.get(path).body.get("metadata") or {}).get("ownerReferences") or ())
    return found


def _lists_of_children(known: list[Kind], obj: Manifest) -> list[str]:
    namespace = meta.namespace(obj)
    group = obj["apiVersion"].rpartition("/")[0]
    custom = OF_CUSTOM if group and "." in group and not group.endswith(".k8s.io") and namespace else ()
    lists = OWNED.get(obj["kind"], custom)
    return ["/namespaces/".join((each.rpartition("/")[0], f"{namespace}/{each.rpartition('/')[2]}")) for each in lists]


def _children(server: Client, lists: list[str], obj: Manifest) -> Section | None:
    """What it owns, and what that owns, as an indented table; None: things of its kind own nothing."""
    if not lists:
        return None
    by_owner: dict[str, list[tuple[str, Row, list[str]]]] = {}
    for api in lists:
        listed = tables.read_all(server, api)
        for row in listed.rows:
            for reference in row["about"].get("ownerReferences") or ():
                by_owner.setdefault(reference["uid"], []).append((api, row, listed.columns))
    section = Section(_("Owned by it"), columns=[_("Name"), _("Kind"), _("Status"), _("Age")], note=_("Nothing yet."))
    _grow(section, by_owner, meta.uid(obj), 0)
    return section


def _grow(section: Section, by_owner: dict[str, Any], uid: str, depth: int) -> None:
    for api, row, columns in by_owner.get(uid, ()) if depth < DEEPEST else ():
        kind = KIND_NAMES.get(api.rpartition("/")[2], api.rpartition("/")[2])
        since = str(row["about"].get("creationTimestamp", ""))
        age = next((cell.text for name, cell in zip(columns, row["cells"], strict=True) if name == "Age"), "")
        section.rows.append(
            [Cell(row["name"], row["api"], depth=depth), Cell(kind), _status(columns, row), Cell(age, since=since)]
        )
        _grow(section, by_owner, row["uid"], depth + 1)


KIND_NAMES = {
    "pods": "Pod", "replicasets": "ReplicaSet", "jobs": "Job", "deployments": "Deployment", "services": "Service",
    "statefulsets": "StatefulSet", "daemonsets": "DaemonSet", "configmaps": "ConfigMap", "secrets": "Secret",
    "endpointslices": "EndpointSlice",
}  # fmt: skip


def _status(columns: list[str], row: Row) -> Cell:
    """How a child does, in one cell."""
    known = dict(zip(columns, row["cells"], strict=True))
    if "Desired" in known and "Ready" in known:
        ready, wanted = known["Ready"].text, known["Desired"].text
        return Cell(f"{ready}/{wanted}", tone="pend" if ready != wanted else "")
    for name in ("Status", "Ready", "Completions"):
        if name in known:
            return Cell(known[name].text, tone=known[name].tone or tone(str(known[name].text)))
    return Cell("")


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


# --- logs ---------------------------------------------------------------------------------------------------------


def log(server: Client, api: str, pod: Manifest, query: QueryDict) -> dict[str, Any] | None:
    """The last lines of a pod's container; what comes after them comes by streams.py. None: it is no pod."""
    if (pod["apiVersion"], pod["kind"]) != ("v1", "Pod"):
        return None
    spec = pod["spec"]
    parts = ("containers", "initContainers", "ephemeralContainers")
    containers = [each["name"] for part in parts for each in spec.get(part) or ()]
    usual = meta.annotations(pod).get("kubectl.kubernetes.io/default-container", containers[0])
    container = query.get("container", usual)
    tail, previous = query.get("tail", TAILS[0]), bool(query.get("previous"))
    asked = {"container": container, "tailLines": tail} | ({"previous": "true"} if previous else {})
    asked |= {"timestamps": "true"} if query.get("timestamps") else {}
    answer = server.get(f"{api}/log", asked)
    flags = (" --previous" if previous else " -f") + (" --timestamps" if query.get("timestamps") else "")
    where = "" if meta.namespace(pod) == "default" else f" -n {meta.namespace(pod)}"
    return {
        "pod": meta.name(pod),
        "where": where,
        "containers": containers,
        "container": container,
        "tail": tail,
        "tails": TAILS,
        "previous": previous,
        "timestamps": bool(query.get("timestamps")),
        "asked": asked,
        "text": answer.text if answer.status < 400 else "",
        "problem": answer.message if answer.status >= 400 else "",
        "line": f"kubectl logs {meta.name(pod)} -c {container} --tail={tail}{flags}{where}",
    }
