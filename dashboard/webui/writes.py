"""What a form of web-ui asks of the API, and the kubectl line that asks the same.

Left out: `kubectl apply`'s merge (create and replace are what there is).
Read next: draining.py, for what takes more than one request.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

import orjson
import yaml
from django.utils.translation import gettext as _

from cluster.objects import Manifest, meta
from dashboard.actions import yaml_error
from dashboard.said import flag
from dashboard.webui import rollouts
from dashboard.webui.client import JSON, Answer, Client
from dashboard.webui.discovery import Kind, kinds, of_object

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
STRATEGIC = "application/strategic-merge-patch+json"
MERGE = "application/merge-patch+json"
STRICT = {"fieldValidation": "Strict"}
MOST_DOCUMENTS = 100
Values = Mapping[str, str]


class Write(NamedTuple):
    """One request. `path`: behind the object's own."""

    method: str
    body: bytes = b""
    media: str = JSON
    path: str = ""
    query: dict[str, str] = {}

    def send(self, server: Client, api: str) -> Answer:
        return server.write(self.method, api + self.path, self.body, self.media, self.query)


def scale(values: Values) -> Write:
    """The number goes to the API as it is: the API knows which ones are wrong."""
    return Write("PATCH", orjson.dumps({"spec": {"replicas": _number(values, "replicas")}}), MERGE, "/scale")


def _number(values: Values, name: str) -> int | str:
    given = values.get(name, "")
    return int(given) if given.lstrip("-").isdecimal() and len(given) < 12 else given


def restart(values: Values) -> Write:
    """As `kubectl rollout restart`: a note in the pods' template, with the reader's own time."""
    note = {"kubectl.kubernetes.io/restartedAt": datetime.now(UTC).isoformat(timespec="seconds")}
    return Write("PATCH", orjson.dumps({"spec": {"template": {"metadata": {"annotations": note}}}}), STRATEGIC)


def _spec(**values: Any) -> Callable[[Values], Write]:
    return lambda _: Write("PATCH", orjson.dumps({"spec": values}), STRATEGIC)


def bounds(values: Values) -> Write:
    """Between how many replicas an autoscaler may choose."""
    spec = {"minReplicas": _number(values, "min"), "maxReplicas": _number(values, "max")}
    return Write("PATCH", orjson.dumps({"spec": spec}), MERGE)


def delete(values: Values) -> Write:
    return Write("DELETE")


def edit(values: Values) -> Write:
    """Replace it by the text. The text's resourceVersion is what tells the API of a conflict."""
    dry = {"dryRun": "All"} if values.get("dry") else {}
    text = values.get("yaml", "").replace("\r\n", "\n")
    return Write("PUT", text.encode(), "application/yaml", query=STRICT | dry)


Written = Callable[[Client, str, Values], Answer]


def _just(write: Callable[[Values], Write]) -> Written:
    return lambda server, api, values: write(values).send(server, api)


def undo(server: Client, api: str, values: Values) -> Answer:
    """Go back to a revision, as `kubectl rollout undo --to-revision`."""
    found = server.get(api)
    if found.status != 200:
        return found
    if found.body["spec"].get("paused"):
        how = "resume it first with 'kubectl rollout resume' and try again"
        return Answer(409, {}, f"error: you cannot rollback a paused deployment; {how}")
    wanted = values.get("revision", "")
    revision = next((each for each in rollouts.revisions(server, found.body) if str(each.number) == wanted), None)
    if revision is None:
        return Answer(404, {}, f"error: unable to find specified revision {wanted} in history")
    media, body = revision.patch
    return server.write("PATCH", api, body, f"application/{media}+json")


def run(server: Client, api: str, values: Values) -> Answer:
    """A Job of a CronJob's template at once, as `kubectl create job NAME --from=cronjob/…`."""
    found = server.get(api)
    if found.status != 200:
        return found
    template = found.body["spec"]["jobTemplate"]
    about = template.get("metadata") or {}
    metadata = {
        "name": values.get("name", ""),
        "annotations": {"cronjob.kubernetes.io/instantiate": "manual", **(about.get("annotations") or {})},
        "labels": about.get("labels") or {},
        "ownerReferences": [{**meta.owner_reference(found.body, controller=False), "controller": True}],
    }
    job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": template["spec"]}
    return server.write("POST", api.rpartition("/")[0].removesuffix("cronjobs") + "jobs", orjson.dumps(job))


WRITES: dict[str, Written] = {
    "scale": _just(scale),
    "restart": _just(restart),
    "cordon": _just(_spec(unschedulable=True)),
    "uncordon": _just(_spec(unschedulable=None)),
    "pause": _just(_spec(paused=True)),
    "resume": _just(_spec(paused=None)),
    "suspend": _just(_spec(suspend=True)),
    "unsuspend": _just(_spec(suspend=False)),
    "bounds": _just(bounds),
    "undo": undo,
    "run": run,
    "edit": _just(edit),
    "delete": _just(delete),
}


def do(server: Client, api: str, done: str, values: Values) -> Answer:
    return WRITES[done](server, api, values)


class Input(NamedTuple):
    name: str
    label: Any
    value: Any
    type: str = "number"


class Action(NamedTuple):
    """A button with what it needs to know, or a link to a page that asks. `line`: kubectl's for the same."""

    name: str
    label: Any
    line: str
    inputs: tuple[Input, ...] = ()
    link: str = ""


ROLLED = ("Deployment", "StatefulSet", "DaemonSet")


def offered(kind: Kind, obj: Manifest, server: Client) -> list[Action]:
    """What can be done with an object, besides editing and deleting it."""
    name, where = meta.name(obj), flag(meta.namespace(obj))
    thing, spec = f"{kind.name}/{name}", obj.get("spec") or {}
    found = []
    if "scale" in kind.subresources:
        replicas = spec.get("replicas", 1)
        wanted = Input("replicas", _("Replicas"), replicas)
        found.append(Action("scale", _("Scale"), f"kubectl scale {thing} --replicas={replicas}{where}", (wanted,)))
    if kind.root == "apis/apps/v1" and kind.kind in ROLLED:
        found.append(Action("restart", _("Restart rollout"), f"kubectl rollout restart {thing}{where}"))
    if kind.name == "deployments.apps":
        act, label = ("resume", _("Resume rollout")) if spec.get("paused") else ("pause", _("Pause rollout"))
        found.append(Action(act, label, f"kubectl rollout {act} {thing}{where}"))
    if kind.name == "cronjobs.batch":
        found += _of_cronjob(name, where, spec, len(_made_by_hand(server, obj)))
    if kind.name == "horizontalpodautoscalers.autoscaling":
        low, high = spec.get("minReplicas", 1), spec["maxReplicas"]
        inputs = (Input("min", _("At least"), low), Input("max", _("At most"), high))
        line = f'kubectl patch hpa {name} -p \'{{"spec":{{"minReplicas":{low},"maxReplicas":{high}}}}}\'{where}'
        found.append(Action("bounds", _("Set bounds"), line, inputs))
    if kind.list == "api/v1/nodes":
        act, label = ("uncordon", _("Uncordon")) if spec.get("unschedulable") else ("cordon", _("Cordon"))
        found.append(Action(act, label, f"kubectl {act} {name}"))
        found.append(Action("drain", _("Drain…"), f"kubectl drain {name}", link=f"drain/{name}"))
    return found


def _of_cronjob(name: str, where: str, spec: Manifest, before: int) -> list[Action]:
    job = f"{name[:44]}-manual-{before + 1}"
    line = f"kubectl create job {job} --from=cronjob/{name}{where}"
    act, label = ("unsuspend", _("Resume schedule")) if spec.get("suspend") else ("suspend", _("Suspend schedule"))
    patch = f'kubectl patch cronjob {name} -p \'{{"spec":{{"suspend":{str(act == "suspend").lower()}}}}}\'{where}'
    return [
        Action("run", _("Run now"), line, (Input("name", _("Name of the job"), job, "text"),)),
        Action(act, label, patch),
    ]


def _made_by_hand(server: Client, cronjob: Manifest) -> list[Manifest]:
    jobs = server.items(f"apis/batch/v1/namespaces/{meta.namespace(cronjob)}/jobs")
    mine = [each for each in jobs if meta.is_controlled_by(each, cronjob)]
    return [each for each in mine if "cronjob.kubernetes.io/instantiate" in meta.annotations(each)]


def edit_line(kind: Kind, obj: Manifest) -> str:
    """Nothing: it can't be edited."""
    line = f"kubectl edit {kind.name}/{meta.name(obj)}{flag(meta.namespace(obj))}"
    return line if "update" in kind.verbs else ""


def delete_line(kind: Kind, obj: Manifest) -> str:
    line = f"kubectl delete {kind.name}/{meta.name(obj)}{flag(meta.namespace(obj))}"
    return line if "delete" in kind.verbs else ""


def create(server: Client, text: str) -> tuple[int, list[str]]:
    """Create every document; (the worst status, a line each). Nothing is tried after a failure."""
    try:
        documents = [each for each in yaml.load_all(text, Loader=LOADER) if each is not None]
    except yaml.YAMLError as error:
        return 400, [yaml_error(error)]
    except ValueError as error:
        return 400, [str(error)]
    if not 0 < len(documents) <= MOST_DOCUMENTS:
        return 400, [f"{len(documents)} documents; there must be 1 to {MOST_DOCUMENTS}"]
    known, lines = kinds(server), []
    for document in documents:
        status, said = _create(server, known, document)
        lines.append(said)
        if status >= 400:
            return status, lines
    return 201, lines


def _create(server: Client, known: list[Kind], document: Any) -> tuple[int, str]:
    if not isinstance(document, dict) or not isinstance(document.get("metadata"), dict):
        return 400, "error: a document must be an object with apiVersion, kind and metadata"
    version, name = str(document.get("apiVersion", "")), str(document.get("kind", ""))
    kind = of_object(known, version, name)
    if kind is None:
        return 404, f'no matches for kind "{name}" in version "{version}"'
    namespace = str(document["metadata"].get("namespace") or "default")
    body = orjson.dumps(document, default=str, option=orjson.OPT_NON_STR_KEYS)
    answer = server.write("POST", kind.path(namespace, ""), body, query=STRICT)
    if answer.status >= 400:
        return answer.status, answer.message
    return answer.status, f"{kind.singular}/{meta.name(answer.body)} created"
