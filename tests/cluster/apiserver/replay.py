"""The API server alone, in memory, and what it takes to compare its answers with recordings of a real one."""

import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cluster.apiserver import requests
from cluster.apiserver.server import Server
from cluster.engine.agenda import Agenda
from cluster.engine.cells import Cells
from cluster.engine.clock import Clock
from cluster.engine.dice import Dice
from cluster.engine.informer import Informers
from cluster.etcd.store import Store
from cluster.objects import Manifest

EPOCH = 1_795_484_400_000_000
GOLDEN = Path(__file__).parents[2] / "golden"
# What two clusters never have in common. managedFields: test_apply_sequences.py compares them.
PERSONAL = (
    "uid",
    "resourceVersion",
    "creationTimestamp",
    "deletionTimestamp",
    "managedFields",
    "clusterIP",
    "clusterIPs",
    "nodePort",
    "lastPhaseTransitionTime",
)
# The same inside texts: names with a random end, uids, revisions, addresses of the cluster.
PERSONAL_TEXT = (
    (re.compile(r"kube-api-access-\w{5}"), "kube-api-access-xxxxx"),
    (re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"), "UID"),
    (re.compile(r"Bad_\w{5}\b"), "Bad_xxxxx"),
    (re.compile(r"ResourceVersion in record \(\d+\)"), "ResourceVersion in record (1)"),
)


class Api:
    """An API server with one caller."""

    def __init__(self) -> None:
        clock, informers = Clock(EPOCH), Informers()
        self.store = Store()
        self.server = Server(self.store, informers, Agenda(clock, Cells()), clock, Dice(1), {})

    def call(
        self, method: str, path: str, body: Any = None, content_type: str = "application/json"
    ) -> requests.Response:
        """One request; `body`: text and bytes travel as they are, anything else as JSON."""
        url = urlsplit(path)
        request = {"type": "api", "method": method, "path": url.path, "query": url.query}
        request["headers"] = {"content-type": content_type}
        request["body"] = body if isinstance(body, str) else "" if body is None else json.dumps(body)
        return requests.handle(self.server, request)

    def ask(
        self, method: str, path: str, body: Any = None, content_type: str = "application/json"
    ) -> tuple[int, Manifest]:
        """(status, body) of one request."""
        response = self.call(method, path, body, content_type)
        return response.status, json.loads(response.body)

    def with_namespace(self, name: str) -> "Api":
        self.ask("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
        self.ask("POST", f"/api/v1/namespaces/{name}/serviceaccounts", {"metadata": {"name": "default"}})
        return self

    def read(self, kind: str, namespace: str, name: str) -> Manifest | None:
        return self.server.informers.get(kind, namespace, name)


def recorded(path: str) -> list[dict[str, Any]]:
    return json.loads((GOLDEN / path).read_text())


def replayed(api: Api, case: dict[str, Any]) -> tuple[int, Manifest]:
    """A recorded request's answer from our server."""
    request = case["request"]
    body = (
        request["rawBody"]
        if "rawBody" in request
        else json.dumps(request["body"])
        if request.get("body") is not None
        else None
    )
    return api.ask(request["method"], request["path"], body, request.get("contentType", "application/json"))


def differences(ours: Any, theirs: Any, path: str = "") -> list[str]:
    """Where two answers differ, what is personal left aside; one line each."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        found = []
        for name in sorted(set(ours) | set(theirs)):
            if (name in PERSONAL and name in ours and name in theirs) or name == "managedFields":
                continue
            if name not in ours:
                found.append(f"{path}.{name} is missing; recorded: {theirs[name]!r}")
            elif name not in theirs:
                found.append(f"{path}.{name} should not be there: {ours[name]!r}")
            else:
                found += differences(ours[name], theirs[name], f"{path}.{name}")
        return found
    if isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        return [
            line for n, pair in enumerate(zip(ours, theirs, strict=True)) for line in differences(*pair, f"{path}[{n}]")
        ]
    if isinstance(ours, str) and isinstance(theirs, str):
        ours, theirs = _anonymous(ours), _anonymous(theirs)
    return [] if ours == theirs else [f"{path} is {ours!r}; recorded: {theirs!r}"]


def _anonymous(text: str) -> str:
    for pattern, instead in PERSONAL_TEXT:
        text = pattern.sub(instead, text)
    return text
