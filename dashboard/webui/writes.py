"""What a form of web-ui asks of the API, and the kubectl line that asks the same.

Left out: draining a node; `kubectl apply`'s merge (create and replace are what there is).
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

import orjson
import yaml
from django.utils.translation import gettext_lazy

from cluster.objects import Manifest, meta
from dashboard.said import flag
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
    given = values.get("replicas", "")
    count = int(given) if given.lstrip("-").isdecimal() and len(given) < 12 else given
    return Write("PATCH", orjson.dumps({"spec": {"replicas": count}}), MERGE, "/scale")


def restart(values: Values) -> Write:
    """As `kubectl rollout restart`: a note in the pods' template, with the reader's own time."""
    note = {"kubectl.kubernetes.io/restartedAt": datetime.now(UTC).isoformat(timespec="seconds")}
    return Write("PATCH", orjson.dumps({"spec": {"template": {"metadata": {"annotations": note}}}}), STRATEGIC)


def cordon(values: Values) -> Write:
    return Write("PATCH", orjson.dumps({"spec": {"unschedulable": True}}), STRATEGIC)


def uncordon(values: Values) -> Write:
    return Write("PATCH", orjson.dumps({"spec": {"unschedulable": None}}), STRATEGIC)


def delete(values: Values) -> Write:
    return Write("DELETE")


def edit(values: Values) -> Write:
    """Replace it by the text. The text's resourceVersion is what tells the API of a conflict."""
    dry = {"dryRun": "All"} if values.get("dry") else {}
    text = values.get("yaml", "").replace("\r\n", "\n")
    return Write("PUT", text.encode(), "application/yaml", query=STRICT | dry)


WRITES: dict[str, Callable[[Values], Write]] = {
    "scale": scale,
    "restart": restart,
    "cordon": cordon,
    "uncordon": uncordon,
    "edit": edit,
    "delete": delete,
}
BUTTONS = {
    "restart": gettext_lazy("Restart rollout"),
    "cordon": gettext_lazy("Cordon"),
    "uncordon": gettext_lazy("Uncordon"),
}
RESTARTED = ("Deployment", "StatefulSet", "DaemonSet")


def offered(kind: Kind, obj: Manifest) -> dict[str, str]:
    """{"scale": the kubectl line …} of what can be done with an object."""
    name, where = meta.name(obj), flag(meta.namespace(obj))
    thing = f"{kind.name}/{name}"
    lines = {}
    if "scale" in kind.subresources:
        replicas = (obj.get("spec") or {}).get("replicas", 1)
        lines["scale"] = f"kubectl scale {thing} --replicas={replicas}{where}"
    if kind.root == "apis/apps/v1" and kind.kind in RESTARTED:
        lines["restart"] = f"kubectl rollout restart {thing}{where}"
    if kind.list == "api/v1/nodes":
        cordoned = obj["spec"].get("unschedulable")
        lines["uncordon" if cordoned else "cordon"] = f"kubectl {'un' if cordoned else ''}cordon {name}"
    if "update" in kind.verbs:
        lines["edit"] = f"kubectl edit {thing}{where}"
    if "delete" in kind.verbs:
        lines["delete"] = f"kubectl delete {thing}{where}"
    return lines


def create(server: Client, text: str) -> tuple[int, list[str]]:
    """Create every document; (the worst status, a line each). Nothing is tried after a failure."""
    try:
        documents = [each for each in yaml.load_all(text, Loader=LOADER) if each is not None]
    except (yaml.YAMLError, ValueError) as error:
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
    return answer.status, f"{kind.name}/{meta.name(answer.body)} created"
