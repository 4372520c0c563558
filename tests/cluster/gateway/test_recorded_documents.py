"""Headers, health and unknown paths, as recorded; lists of forgotten revisions; who asks for which form."""

import json
from pathlib import Path

import pytest

from cluster.apiserver import discovery
from cluster.gateway import health
from cluster.gateway.options import Token
from cluster.models import Cluster
from tests.cluster.gateway.asgi import fetch

GOLDEN = Path(__file__).parents[2] / "golden"
MISC = json.loads((GOLDEN / "discovery" / "headers_and_misc.json").read_text())
ROOT = MISC["/"]["body"]["paths"]
EXPIRED = {case["name"]: case for case in json.loads((GOLDEN / "listwatch" / "expired.json").read_text())}
NEGOTIATION = json.loads((GOLDEN / "listwatch" / "negotiation.json").read_text())
V2 = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
FLOW = ("X-Kubernetes-Pf-Flowschema-Uid", "X-Kubernetes-Pf-Prioritylevel-Uid")
ANY = ("Etag", "Date", "Audit-Id", "Last-Modified", "Expires", *FLOW)  # Must be there, whatever they say.
NEVER = ("Transfer-Encoding", "Content-Length")
HEADERS = [name for name in MISC if "body" not in MISC[name]]
ANSWERS = [name for name in MISC if "body" in MISC[name] and not name.startswith(("/metrics", "/apis/nope"))]


def headers_of(answer):
    return {name: value for name, value in answer.headers.items() if name != "content-length"}


def told(headers):
    """Names in lower case; values that two servers have in common."""
    kept = {name: value for name, value in headers.items() if name not in (*NEVER, "status")}
    return {name.lower(): "any" if name in ANY else value for name, value in kept.items()}


@pytest.mark.parametrize("name", HEADERS)
def test_a_document_carries_the_recorded_headers(lab, name):
    path, _, how = name.partition(" ")
    accept = V2.replace("v=v2;", "v=v2beta1;") if how == "v2beta1" else V2 if path in ("/api", "/apis") else "*/*"
    asked = {"accept": accept}
    if path == "/openapi/v2":
        asked["accept_encoding"] = "gzip"
    if path.startswith("/openapi/v3/"):
        path = fetch("/openapi/v3").json()["paths"][path.removeprefix("/openapi/v3/")]["serverRelativeURL"]
    if how == "If-None-Match":
        asked["if_none_match"] = fetch(path, **asked).headers["etag"]

    answer = fetch(path, **asked)

    wanted = told(MISC[name])
    assert answer.status == MISC[name].get("status", 200)
    ours = {n: "any" if wanted.get(n) == "any" else v for n, v in headers_of(answer).items()}
    assert {**ours, "audit-id": "any"} == {**wanted, "audit-id": "any"}


@pytest.mark.parametrize("name", ANSWERS)
def test_a_path_is_answered_as_recorded(lab, name):
    recorded = MISC[name]

    answer = fetch(name)

    assert answer.status == recorded["status"]
    wanted = told(recorded["headers"])
    ours = {n: "any" if wanted.get(n) == "any" else v for n, v in headers_of(answer).items()}
    assert ours == wanted
    if name != "/":
        body = answer.body.decode() if isinstance(recorded["body"], str) else answer.json()
        assert body == recorded["body"]


def test_the_root_lists_what_is_served_and_nothing_that_a_real_server_has_not(lab):
    ours = fetch("/").json()["paths"]

    assert ours == sorted(ours)
    own = {f"/apis/{group}" for group in discovery.group_names()}
    assert {path for path in ours if "/".join(path.split("/")[:3]) not in own} <= set(ROOT)
    assert set(health.paths()) <= set(ours)
    assert all(fetch(path).status == 200 for path in health.paths())


def test_a_check_can_be_left_out_and_one_that_is_not_there_is_named(lab):
    text = fetch("/livez?verbose&exclude=etcd&exclude=nope").body.decode()

    assert "[+]etcd excluded: ok\n" in text
    assert text.endswith('warn: some health checks cannot be excluded: no matches for "nope"\nlivez check passed\n')
    assert fetch("/livez/nope").body == b"404 page not found\n"


@pytest.mark.parametrize("path", ["/api", "/apis", "/version", "/apis/apps", "/apis/apps/v1", "/api/v1", "/openapi/v3"])
def test_a_slash_at_the_end_makes_no_difference(lab, path):
    assert fetch(path + "/").json() == fetch(path).json()


@pytest.mark.parametrize("path", ["/version", "/api", "/apis/apps/v1", "/api/v1/namespaces", "/healthz", "/openapi/v2"])
@pytest.mark.parametrize("method", ["POST", "OPTIONS"])
def test_documents_are_only_read(lab, path, method):
    if (path, method) == ("/api/v1/namespaces", "POST"):
        return  # That one creates a namespace.
    assert (fetch(path, method).status, fetch(path, method).json()["code"]) == (405, 405)


@pytest.mark.parametrize("path", ["/logs", "/logs/", "/debug", "/debug/pprof", "/debug/pprof/heap", "/swagger.json"])
def test_what_only_a_developer_of_the_server_would_ask_for_is_not_there(lab, path):
    assert (fetch(path).status, fetch(path).body) == (404, b"404 page not found\n")


# --- forgotten revisions ----------------------------------------------------------------------------------------


@pytest.fixture
def forgetful(lab):
    """Eight config maps, as recorded, on a cluster that has forgotten everything before now."""
    lab.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "lwe-public"}})
    lab.settle()
    for number in range(6):
        lab.config_map(f"c{number}", namespace="lwe-public")
    lab.config_map("now", namespace="default")
    Cluster.objects.filter(pk=lab.world.identity).update(compacted=lab.revision)
    return lab


REFUSED = [name for name, case in EXPIRED.items() if "response" in case]


@pytest.mark.parametrize("name", REFUSED)
def test_a_list_of_a_forgotten_revision_is_answered_as_recorded(forgetful, name):
    recorded = EXPIRED[name]["response"]
    path = EXPIRED[name]["request"]["path"].replace("resourceVersion=300", f"resourceVersion={forgetful.revision - 9}")
    path = path.replace("eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MzAwLCJzdGFydCI6Ii9jMVx1MDAwMCJ9", an_old_token())

    answer = fetch(path)

    assert answer.status == recorded["status"]
    assert answer.headers.get("retry-after") == recorded["headers"].get("Retry-After")
    body, wanted = answer.json(), recorded["body"]
    if recorded["status"] == 200:
        assert [o["metadata"]["name"] for o in body["items"]] == [o["metadata"]["name"] for o in wanted["items"]]
        assert set(body["metadata"]) == set(wanted["metadata"])
        return
    assert numberless(body) == numberless(wanted)


def an_old_token():
    return Token(3, "/c1").encode()


def numberless(status):
    message = status["message"].partition(", current:")[0]
    return {**status, "message": message}


# --- negotiation ------------------------------------------------------------------------------------------------

PROTOBUF = "application/vnd.kubernetes.protobuf"
# Who takes protobuf first and JSON second gets JSON here.
TWO_FORMS = [
    case
    for case in NEGOTIATION
    if "path" in case and not (case["accept"] or "").startswith((f"{PROTOBUF},", f"{PROTOBUF};"))
]


@pytest.mark.parametrize("case", TWO_FORMS, ids=lambda case: f"{case['accept']} {'watch' in case['path']}")
def test_the_form_of_an_answer_is_the_recorded_one(lab, case):
    lab.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "lw-public"}})
    lab.config_map("cm-01", {"i": "1"}, {"v": "5"}, namespace="lw-public")

    answer = fetch(case["path"], **({"accept": case["accept"]} if case["accept"] else {}))

    assert answer.status == case["status"]
    for name in ("Content-Type", "Cache-Control"):
        assert answer.headers[name.lower()] == case["headers"][name]
    if case["accept"] != PROTOBUF:
        assert answer.body[:40].decode() == case["bodyStart"][:40]
