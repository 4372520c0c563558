"""Whatever our own OpenAPI documents allow, and much that they don't: no answer is a 5xx, and no object that was taken
breaks a later read, or the world.

For every kind schemathesis makes bodies after the document's schema; they are sent as they are, and field by field
grafted upon a manifest that is right, since a body made by chance alone is hardly ever taken. Seeds are fixed.
"""

import json
import random
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings

from cluster.apiserver import discovery
from tests.clients.conftest import Server

GOLDEN = Path(__file__).parents[1] / "golden" / "defaulting" / "create.json"
SPACE = "fuzz"
MADE, READ = 3, 1  # Examples of an operation: of those that make objects, and of those that read.
PATCHES = ("merge-patch+json", "strategic-merge-patch+json", "json-patch+json", "apply-patch+yaml")
FORMS = ("application/json", "application/yaml", "application/json;as=Table;v=v1;g=meta.k8s.io")
QUIET = settings(
    max_examples=MADE, phases=[Phase.generate], suppress_health_check=list(HealthCheck), deadline=None, database=None,
    derandomize=True,
)  # fmt: skip
# The real server answers these with 500, too.
REAL_500 = re.compile(
    r"resourceVersion should not be set on objects to be created|strconv\.ParseUint|unknown patch type|merge key|"
    r"target\.name: Required value|in the list|setElementOrder|cannot yet be specified|field not declared in schema|"
    r"failed to create typed (patch|live) object|more than one PodDisruptionBudget|managedFields|"
    r"metadata\.name is required|Component not found"
)
NOT_SERVED = "is not served by this version of Orrery"  # 501, on purpose.
SKIPPED = ("connect", "watch", "watchlist", "deletecollection")


@pytest.fixture(scope="module")
def door(tmp_path_factory) -> Iterator["Door"]:
    """An installation that nobody else needs."""
    server = Server(tmp_path_factory.mktemp("fuzzed"))
    server.start()
    door = Door(server)
    door.ask("POST", "/api/v1/namespaces", {"metadata": {"name": SPACE}})
    yield door
    server.stop()


class Door:
    """Asks, and remembers every answer that should not have been."""

    def __init__(self, server: Server) -> None:
        self.server, self.session = server, requests.Session()
        self.base = f"http://127.0.0.1:{server.environment['PORT']}/clusters/default"
        self.faults: list[str] = []

    def ask(self, method, path, body=None, media="application/json", accept="application/json", query=None):
        data = json.dumps(body).encode() if body is not None else None
        headers = {"Accept": accept, **({"Content-Type": media} if data is not None else {})}
        answer = self.session.request(method, self.base + path, data=data, headers=headers, params=query, timeout=30)
        if answer.status_code >= 500 and not (REAL_500.search(answer.text) or NOT_SERVED in answer.text):
            said = answer.text[:300]
            self.faults.append(f"{method} {path} {query or ''} {str(body)[:600]}: {answer.status_code} {said}")
        return answer


def a_right_one(group, version, kind):
    """A manifest of that kind that is right, as far as the recordings have one."""
    api_version = f"{group}/{version}" if group else version
    for case in json.loads(GOLDEN.read_text()):
        body = case["request"].get("body")
        if isinstance(body, dict) and (body.get("apiVersion"), body.get("kind")) == (api_version, kind):
            return body
    return {"apiVersion": api_version, "kind": kind}


def named(obj, name, namespaced):
    metadata = obj.get("metadata") if isinstance(obj.get("metadata"), dict) else {}
    kept = {k: v for k, v in metadata.items() if k in ("labels", "annotations", "finalizers", "ownerReferences")}
    return {**obj, "metadata": {**kept, "name": name, **({"namespace": SPACE} if namespaced else {})}}


def grafted(right, chance, dice):
    """`right` with one field of `chance` somewhere."""
    shared = [key for key in ("spec", "metadata", "data", "rules", "webhooks", "status") if key in chance]
    if not shared or not isinstance(right, dict):
        return {**right, **{k: v for k, v in chance.items() if k not in ("kind", "apiVersion", "metadata")}}
    key = dice.choice(shared)
    part, ours = chance[key], right.get(key)
    if not (isinstance(part, dict) and isinstance(ours, dict) and part):
        return {**right, key: part}
    field = dice.choice(sorted(part, key=repr))
    return {**right, key: {**ours, field: part[field]}}


@pytest.mark.parametrize(("group", "version"), discovery.api_versions(), ids=lambda part: part or "core")
def test_nothing_that_a_document_allows_is_answered_by_a_failure(door, group, version):
    door.faults.clear()
    path = f"/openapi/v3/apis/{group}/{version}" if group else f"/openapi/v3/api/{version}"
    document = door.ask("GET", path).json()
    described = schemathesis.openapi.from_dict(document)
    for url, item in document["paths"].items():
        for method, operation in item.items():
            if method == "parameters" or operation.get("x-kubernetes-action") in (None, *SKIPPED):
                continue
            action = operation["x-kubernetes-action"]
            exercise = made if action == "post" and not url.endswith(("/binding", "/eviction", "/token")) else read
            exercise(door, described[url][method.upper()], url, operation)
    assert door.faults == []


def made(door, operation, url, details):
    """POST: as it comes, and grafted; what is taken is read, changed and removed."""
    about = details["x-kubernetes-group-version-kind"]
    right, namespaced = a_right_one(about["group"], about["version"], about["kind"]), "{namespace}" in url
    path, dice, number = url.replace("{namespace}", SPACE), random.Random(7), iter(range(10**6))

    @QUIET
    @given(case=operation.as_strategy())
    def run(case):
        chance = case.body if isinstance(case.body, dict) else {}
        name = f"x{next(number)}"
        door.ask("POST", path, chance, query=texts(case.query))
        body = named(grafted(right, chance, dice), name, namespaced)
        if door.ask("POST", path, body).status_code == 201:
            used(door, path, name, chance, dice)

    run()


def used(door, path, name, chance, dice):
    where = f"{path}/{name}"
    for accept in FORMS:
        assert door.ask("GET", where, accept=accept).status_code in (200, 404, 405), where
    for accept in FORMS:
        answer = door.ask("GET", path, accept=accept)
        assert answer.status_code in (200, 405), answer.text
    patch = {key: value for key, value in chance.items() if key not in ("kind", "apiVersion", "metadata")}
    media = dice.choice(PATCHES)
    steps = [{"op": "add", "path": f"/{key}", "value": value} for key, value in patch.items()]
    body = steps if media == "json-patch+json" else patch
    door.ask("PATCH", where, body, f"application/{media}", query={"fieldManager": "fuzz"})
    if "status" in chance:
        door.ask("PATCH", f"{where}/status", {"status": chance["status"]}, "application/merge-patch+json")
    for accept in FORMS:
        assert door.ask("GET", path, accept=accept).status_code in (200, 405), where
    door.ask("DELETE", where, {"gracePeriodSeconds": 0})


def read(door, operation, url, details):
    """Everything else: names and queries by chance."""

    @settings(QUIET, max_examples=READ)
    @given(case=operation.as_strategy())
    def run(case):
        parts = {key: quote(str(value), safe="") for key, value in case.path_parameters.items()}
        path = url.format(**{**parts, **({"namespace": SPACE} if "namespace" in parts else {})})
        query = {key: value for key, value in texts(case.query).items() if key not in ("watch", "follow")}
        body = case.body if isinstance(case.body, dict | list) else None
        media = "application/merge-patch+json" if operation.method.upper() == "PATCH" else "application/json"
        door.ask(operation.method.upper(), path, body, media, query=query)

    run()


def texts(query):
    return {str(key): str(value) for key, value in (query or {}).items()}


def test_the_world_lives_on_and_every_list_can_be_read(door):
    workers = json.loads((door.server.home / "pids.json").read_text())

    for group, version in discovery.api_versions():
        listed = door.ask("GET", f"/apis/{group}/{version}" if group else f"/api/{version}").json()["resources"]
        for resource in listed:
            if "list" in resource["verbs"]:
                for accept in FORMS:
                    base = f"/apis/{group}/{version}" if group else f"/api/{version}"
                    assert door.ask("GET", f"{base}/{resource['name']}", accept=accept).status_code == 200
    after = door.ask("POST", f"/api/v1/namespaces/{SPACE}/configmaps", {"metadata": {"name": "after"}})
    assert after.status_code == 201
    assert json.loads((door.server.home / "pids.json").read_text()) == workers
    said = "".join(door.server.output)
    assert "Traceback" not in said, said[max(said.index("Traceback") - 500, 0) :][:5_000]
    assert door.faults == []
