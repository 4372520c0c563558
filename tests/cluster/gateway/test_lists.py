"""GET and LIST, against what a real server answered."""

import functools
import json
import operator
from base64 import urlsafe_b64decode
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from tests.cluster.gateway.asgi import fetch

GOLDEN = Path(__file__).parents[2] / "golden" / "listwatch"
LISTS = json.loads((GOLDEN / "lists.json").read_text())
RECORDED = [case for case in LISTS if case["name"].startswith("rv=")]
SESSION = [case for case in LISTS if not case["name"].startswith(("rv=", "future")) and "request" in case]
MAPS = "/api/v1/namespaces/default/configmaps"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"


@pytest.fixture
def twelve(lab):
    """Twelve config maps as recorded; `half` is the revision at which there were seven, `now` the last one's."""
    for number in range(12):
        parity = "odd" if number % 2 else "even"
        made = lab.config_map(f"cm-{number:02}", {"i": str(number), "par": parity}, {"v": "0"})
        if number == 6:
            lab.half = made["metadata"]["resourceVersion"]
    lab.now = made["metadata"]["resourceVersion"]
    return lab


def named_in(recorded):
    return recorded.get("itemNames", [item["metadata"]["name"] for item in recorded.get("items") or []])


def names(answer):
    return [item["metadata"]["name"] for item in answer.json()["items"]]


def token_of(answer):
    text = answer.json()["metadata"]["continue"]
    return json.loads(urlsafe_b64decode(text + "=" * (-len(text) % 4)))


@pytest.mark.parametrize("case", RECORDED, ids=lambda case: case["name"])
def test_resource_versions_matches_and_limits_mean_what_was_recorded(twelve, case):
    asked = parse_qs(case["request"]["path"].partition("?")[2])
    versions = {"15812": twelve.half, case["currentRVbefore"]: twelve.now, "0": "0"}
    query = "&".join(f"{k}={versions.get(v[0], v[0]) if k == 'resourceVersion' else v[0]}" for k, v in asked.items())
    recorded = case["response"]

    answer = fetch(f"{MAPS}?{query}")

    assert answer.status == recorded["status"]
    if recorded["status"] != 200:
        assert answer.json() == recorded["body"]
        return
    assert names(answer) == recorded["body"]["itemNames"]
    wanted = recorded["body"]["metadata"]
    assert answer.json()["metadata"]["resourceVersion"] == versions[wanted["resourceVersion"]]
    assert set(answer.json()["metadata"]) == set(wanted)
    assert sorted(answer.json()["items"][0]) == recorded["body"]["firstItemKeys"]


def test_pages_stay_at_the_revision_of_the_first_one(twelve):
    first = fetch(f"{MAPS}?limit=5&labelSelector=")
    twelve.config_map("aaa-new")
    twelve.delete(twelve.get("ConfigMap", "cm-11"))

    pages, answer = [names(first)], first
    while "continue" in answer.json()["metadata"]:
        answer = fetch(f"{MAPS}?limit=5&continue={answer.json()['metadata']['continue']}")
        pages.append(names(answer))

    assert pages[0] == [f"cm-{n:02}" for n in range(5)]
    assert functools.reduce(operator.iadd, pages, []) == [*(f"cm-{n:02}" for n in range(12)), "kube-root-ca.crt"]
    assert first.json()["metadata"]["remainingItemCount"] == 8
    assert token_of(first) == {"v": "meta.k8s.io/v1", "rv": int(twelve.now), "start": "/cm-04\0"}


def test_the_recorded_session_of_pages_and_selectors_repeats_itself(twelve):
    """Tokens of this run take the place of the recorded ones; after the first page one is added and one deleted."""
    tokens, problems = {}, []
    for case in SESSION:
        path = case["request"]["path"].replace("lw-public", "default").replace("=15817", f"={twelve.now}")
        for recorded, ours in tokens.items():
            path = path.replace(recorded, ours)
        answer, wanted = fetch(path), case["response"]
        body, expected = answer.json(), wanted["body"]
        if answer.status != wanted["status"]:
            problems.append(f"{case['name']}: {answer.status}")
        elif answer.status != 200:
            problems += [] if body["message"] == expected["message"] else [f"{case['name']}: {body['message']}"]
        elif (names(answer), set(body["metadata"])) != (named_in(expected), set(expected["metadata"])):
            problems.append(f"{case['name']}: {names(answer)} {body['metadata']}")
        if isinstance(expected, dict) and expected.get("metadata", {}).get("continue"):
            tokens.setdefault(expected["metadata"]["continue"], body["metadata"].get("continue", ""))
        if case["name"] == "page 1":
            twelve.config_map("aaa-new")
            twelve.delete(twelve.get("ConfigMap", "cm-11"))
    assert problems == []


@pytest.mark.parametrize("query", ["", "&resourceVersionMatch=Exact"])
def test_a_list_of_the_future_waits_and_then_gives_up(twelve, query, monkeypatch):
    monkeypatch.setattr("cluster.gateway.lists.PATIENCE", 0.0)

    answer = fetch(f"{MAPS}?resourceVersion={int(twelve.now) + 100_000}{query}")

    assert (answer.status, answer.headers["retry-after"]) == (504, "1")
    assert answer.json()["details"]["causes"][0]["reason"] == "ResourceVersionTooLarge"


def test_a_continued_list_with_revision_zero_has_all_the_rest(twelve):
    token = fetch(f"{MAPS}?limit=5").json()["metadata"]["continue"]

    rest = fetch(f"{MAPS}?limit=2&continue={token}&resourceVersion=0")

    assert len(names(rest)) == 8
    assert fetch(f"{MAPS}?continue={token}&resourceVersion=5").json()["message"] == (
        "specifying resource version is not allowed when using continue"
    )


def test_a_token_older_than_history_gets_one_that_goes_on_anyway(twelve):
    token = fetch(f"{MAPS}?limit=2&labelSelector=par").json()["metadata"]["continue"]
    forget_until(twelve, int(twelve.now) + 1)

    refused = fetch(f"{MAPS}?limit=2&continue={token}")

    assert (refused.status, refused.json()["reason"]) == (410, "Expired")
    assert token_of(refused)["rv"] == -1
    again = fetch(f"{MAPS}?limit=2&continue={refused.json()['metadata']['continue']}")
    assert names(again) == ["cm-02", "cm-03"]
    exact = fetch(f"{MAPS}?resourceVersion={twelve.half}&resourceVersionMatch=Exact")
    assert exact.json()["message"] == "The resourceVersion for the provided list is too old."


@pytest.mark.parametrize(
    ("token", "message"),
    [
        ("eyJ2IjogIm1ldGEuazhzLmlvL3YyIiwgInJ2IjogNSwgInN0YXJ0IjogIi9jMVx1MDAwMCJ9", "server does not recognize"),
        ("eyJ2IjogIm1ldGEuazhzLmlvL3YxIiwgInJ2IjogMCwgInN0YXJ0IjogIiJ9", "incorrect encoded start resourceVersion"),
        ("garbage", "invalid character"),
    ],
)
def test_a_token_that_is_none_is_refused(lab, token, message):
    answer = fetch(f"{MAPS}?continue={token}")

    assert answer.status == 400
    assert answer.json()["message"].startswith("invalid continue token: continue key is not valid: " + message)


@pytest.mark.parametrize(
    ("query", "status", "message"),
    [
        ("limit=x", 400, 'strconv.ParseInt: parsing "x": invalid syntax'),
        ("resourceVersion=abc", 400, "invalid resource version: resourceVersion: Invalid value"),
        ("watch=1&resourceVersion=abc", 500, 'resourceVersion: Invalid value: "abc": strconv.ParseUint'),
        ("sendInitialEvents=true", 422, "sendInitialEvents is forbidden for list"),
        ("watch=1&sendInitialEvents=true", 422, "sendInitialEvents requires setting resourceVersionMatch"),
        ("watch=1&resourceVersionMatch=NotOlderThan", 422, "forbidden for watch unless sendInitialEvents"),
        ("resourceVersionMatch=Bogus&resourceVersion=1", 422, 'supported values: "Exact", "NotOlderThan", ""'),
        ("fieldSelector=spec.nope%3Dx", 400, "spec.nope"),
        ("labelSelector=a%20b", 400, "found 'b', expected: in, notin, =, ==, !=, gt, lt"),
        ("labelSelector=a%20in%20(", 400, "found '', expected: ',', ')' or identifier"),
        ("labelSelector=%21%21", 400, "found '!', expected: identifier"),
        ("fieldSelector=metadata.name", 400, "invalid selector: 'metadata.name'; can't understand 'metadata.name'"),
        ("continue=garbage", 400, r"invalid character '\u0081' looking for beginning of value"),
    ],
)
def test_bad_queries_are_refused_in_the_real_words(lab, query, status, message):
    answer = fetch(f"/api/v1/namespaces/default/pods?{query}")

    assert answer.status == status
    assert message in answer.json()["message"]


def test_a_kind_without_fields_of_its_own_knows_two(lab):
    answer = fetch("/apis/apps/v1/deployments?fieldSelector=spec.replicas%3D1")

    known = 'only "metadata.name", "metadata.namespace"'
    assert answer.json()["message"] == f'"spec.replicas" is not a known field selector: {known}'


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("fieldSelector=metadata.name%3Dcm-03", ["cm-03"]),
        ("labelSelector=i%20in%20(1,2,3),par%21%3Dodd", ["cm-02"]),
        ("labelSelector=%21par", ["kube-root-ca.crt"]),
        ("labelSelector=i%3E9", ["cm-10", "cm-11"]),
        ("limit=2&labelSelector=par%3Deven", ["cm-00", "cm-02"]),
    ],
)
def test_selectors_choose(twelve, query, found):
    answer = fetch(f"{MAPS}?{query}")

    assert names(answer) == found
    assert "remainingItemCount" not in answer.json()["metadata"]


def test_a_list_of_all_namespaces_is_in_order_of_namespace_and_name(lab):
    lab.config_map("b", namespace="kube-system")

    listed = fetch("/api/v1/configmaps").json()["items"]

    keys = [(item["metadata"]["namespace"], item["metadata"]["name"]) for item in listed]
    assert ("kube-system", "b") in keys
    assert keys == sorted(keys)
    assert "kind" not in listed[0]


def test_one_object_comes_as_json_table_metadata_or_yaml(twelve):
    url = f"{MAPS}/cm-03"

    assert fetch(url).json()["kind"] == "ConfigMap"
    assert fetch(url, accept=TABLE).json()["rows"][0]["cells"][:2] == ["cm-03", 1]
    partial = fetch(url, accept="application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io").json()
    assert (partial["kind"], "data" in partial) == ("PartialObjectMetadata", False)
    yaml = fetch(url, accept="application/yaml")
    assert yaml.headers["content-type"] == "application/yaml"
    assert yaml.body.startswith(b"apiVersion: v1\ndata:\n  v: ")


def test_a_list_comes_as_a_table_too(twelve):
    table = fetch(f"{MAPS}?limit=2", accept=TABLE).json()

    assert [row["cells"][0] for row in table["rows"]] == ["cm-00", "cm-01"]
    assert table["metadata"]["remainingItemCount"] == 11
    bogus = fetch(f"{MAPS}?includeObject=Bogus", accept=TABLE)
    assert bogus.status == 400


def test_what_is_not_there_is_not_found(lab):
    missing = fetch(f"{MAPS}/none")

    assert missing.status == 404
    assert missing.json()["message"] == 'configmaps "none" not found'
    assert fetch("/api/v1/namespaces/nada/pods").json()["items"] == []
    assert fetch("/apis/apps/v1/namespaces/default/deployments/ghost/scale").status == 404


def test_methods_that_mean_nothing_are_refused(lab):
    for method in ("HEAD", "OPTIONS"):
        assert fetch(f"{MAPS}/x", method).status == 405


def test_events_are_served_in_both_groups(lab):
    about = {"kind": "Pod", "namespace": "default", "name": "p"}
    metadata = {"name": "e", "namespace": "default"}
    event = {"apiVersion": "v1", "kind": "Event", "metadata": metadata, "involvedObject": about, "reason": "R"}
    lab.create({**event, "message": "m", "type": "Normal", "source": {"component": "test"}})

    new = fetch("/apis/events.k8s.io/v1/namespaces/default/events/e").json()

    assert (new["apiVersion"], new["regarding"], new["note"]) == ("events.k8s.io/v1", about, "m")
    listed = fetch("/apis/events.k8s.io/v1/events?fieldSelector=regarding.name%3Dp").json()
    assert [item["note"] for item in listed["items"]] == ["m"]


def forget_until(cluster, revision):
    from cluster.models import Cluster

    Cluster.objects.filter(pk=cluster.world.identity).update(compacted=revision)


def test_an_answer_about_a_deprecated_version_warns_of_it(lab):
    answer = fetch("/api/v1/namespaces/default/endpoints")

    assert answer.headers["warning"] == (
        '299 - "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice"'
    )
