"""Bad input of every kind is answered, never an exception: broken, oversized, nested, mistyped, mutated at random."""

import copy
import json
import random
import re
from base64 import b64encode
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cluster.apiserver import requests
from cluster.objects import Manifest
from tests.cluster.apiserver.replay import Api, recorded

JSON, YAML, PROTOBUF = "application/json", "application/yaml", "application/vnd.kubernetes.protobuf"
PATCHES = tuple(f"application/{kind}" for kind in ("json-patch+json", "merge-patch+json", "strategic-merge-patch+json"))
CONFIG_MAPS = "/api/v1/namespaces/shop/configmaps"
# The real server answers these with 500, too, and without a reason.
REAL_500 = re.compile(
    r"resourceVersion should not be set on objects to be created|strconv\.ParseUint|unknown patch type|"
    r"merge key|"
    r"target\.name: Required value|in the list|setElementOrder|cannot yet be specified|"
    r"more than one PodDisruptionBudget"
)
JUNK: list[Any] = [
    None, True, False, 0, -1, 1.5, 2**31, 2**63, -(2**70), "", "x", "-", "0", "a/b", "a\x00b", "\ud800", "é" * 300,
    "1e999999999", "1e-999999999", ".", "9" * 50,
    [], [None], [[]], ["x"], [{}], {}, {"": None}, {"a": {"b": []}}, {"$patch": "delete"}, {"$patch": "what"},
    {"name": {}}, "Nope", "None", "All", "10.96.0.1", "-5Mi", "2026-11-24T02:20:00Z", "9999-99-99T99:99:99Z", "%",
    "150%",
]  # fmt: skip
KINDS = (
    "Pod", "Service", "ConfigMap", "Secret", "Namespace", "Node", "ServiceAccount", "Endpoints", "Event", "Deployment",
    "ReplicaSet", "PodDisruptionBudget", "Lease", "EndpointSlice", "PriorityClass",
)  # fmt: skip
GIVEN = [
    case["request"] for case in recorded("defaulting/create.json") if case["response"]["body"].get("kind") in KINDS
]


# --- bodies that are no objects ---------------------------------------------------------------------------------


def test_a_body_of_more_than_three_megabytes_is_too_large():
    status, body = shop().ask("POST", CONFIG_MAPS, '{"data":{"a":"' + "x" * 3_200_000 + '"}}')

    assert (status, body["reason"]) == (413, "RequestEntityTooLarge")
    assert body["message"] == "Request entity too large: limit is 3145728"


def test_a_patch_of_more_than_three_megabytes_is_too_large():
    status, _ = shop().ask("PATCH", f"{CONFIG_MAPS}/a", '{"data":{"a":"' + "x" * 3_200_000 + '"}}', PATCHES[1])

    assert status == 413


@pytest.mark.parametrize("content_type", [JSON, YAML])
def test_a_body_nested_deeper_than_a_hundred_levels_is_refused(content_type):
    status, body = shop().ask("POST", CONFIG_MAPS, '{"data":' + "[" * 200 + "]" * 200 + "}", content_type)

    assert (status, body["message"]) == (400, "the body is nested more than 100 levels deep")


@pytest.mark.parametrize("content_type", PATCHES)
def test_a_patch_nested_deeper_than_a_hundred_levels_is_refused(content_type):
    api = shop()
    api.ask("POST", CONFIG_MAPS, {"metadata": {"name": "a"}})

    status, _ = api.ask("PATCH", f"{CONFIG_MAPS}/a", '{"data":' + "[" * 200 + "]" * 200 + "}", content_type)

    assert status == 400


def test_bad_yaml_is_told_with_its_line():
    text = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\ndata:\n\tb: c\n"

    status, body = shop().ask("POST", CONFIG_MAPS, text, YAML)

    assert status == 400
    assert "yaml: line 6: found character that cannot start any token" in body["message"]


def test_yaml_whose_aliases_multiply_is_refused():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]

    status, body = shop().ask("POST", CONFIG_MAPS, "\n".join(lines), YAML)

    assert (status, body["message"]) == (400, "yaml: document contains excessive aliasing")


def test_yaml_that_contains_itself_is_refused():
    status, _ = shop().ask("POST", CONFIG_MAPS, "metadata: &m\n  name: a\n  more: *m\n", YAML)

    assert status == 400


def test_times_in_yaml_stay_text_and_numbers_become_keys():
    text = "metadata: {name: a}\ndata: {1: '22:30', when: 2026-11-24T02:20:00Z}"

    status, body = shop().ask("POST", CONFIG_MAPS, text, YAML)

    assert (status, body["data"]) == (201, {"1": "22:30", "when": "2026-11-24T02:20:00Z"})


def test_bytes_that_are_no_utf_8_become_replacement_characters():
    body = b'{"metadata":{"name":"a"},"data":{"a":"\xff\xfe"}}'

    response = raw(shop(), "POST", CONFIG_MAPS, body, JSON)

    assert (response.status, json.loads(response.body)["data"]) == (201, {"a": "��"})


def test_half_a_surrogate_pair_becomes_a_replacement_character():
    status, body = shop().ask("POST", CONFIG_MAPS, '{"metadata":{"name":"a"},"data":{"a":"\\ud800"}}')

    assert (status, body["data"]) == (201, {"a": "�"})


@pytest.mark.parametrize("name", ["a/b", "..", "a b", "A", "a\x00", "%2e"])
def test_names_that_would_be_trouble_in_a_path_are_refused(name):
    status, body = shop().ask("POST", CONFIG_MAPS, {"metadata": {"name": name}})

    assert (status, body["reason"]) == (422, "Invalid")


def test_a_patch_whose_copies_double_each_other_is_refused():
    api = shop()
    api.ask("POST", CONFIG_MAPS, {"metadata": {"name": "a"}, "data": {"a": "x"}})
    operations = [{"op": "copy", "from": "/data", "path": f"/data/{n}"} for n in range(60)]

    status, _ = api.ask("PATCH", f"{CONFIG_MAPS}/a", operations, PATCHES[0])

    assert status == 413


def test_a_number_out_of_range_is_told_with_its_field():
    path, spec = "/apis/apps/v1/namespaces/shop/deployments", {"replicas": 2**40}

    status, body = shop().ask("POST", path, {"metadata": {"name": "a"}, "spec": spec})

    assert status == 400
    assert "Go struct field DeploymentSpec.spec.replicas of type int32" in body["message"]


# --- anything at all --------------------------------------------------------------------------------------------


@given(data=st.binary(max_size=300), content_type=st.sampled_from((JSON, YAML, PROTOBUF, "", "text/plain")))
@settings(max_examples=150, deadline=None)
def test_any_bytes_are_answered(data, content_type):
    response = raw(SHOP, "POST", CONFIG_MAPS, data, content_type)

    assert answered(response), response.body


@given(
    path=st.text(max_size=60),
    query=st.text(max_size=60),
    method=st.sampled_from(("POST", "PUT", "PATCH", "DELETE", "X")),
)
@settings(max_examples=150, deadline=None)
def test_any_path_and_query_are_answered(path, query, method):
    for start in ("/", "/api/v1/", "/api/v1/namespaces/shop/", "/apis/apps/v1/namespaces/shop/deployments/"):
        response = requests.handle(SHOP.server, {"method": method, "path": start + path, "query": query, "headers": {}})

        assert answered(response), response.body


@given(seed=st.integers(0, 2**40))
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_mutated_manifests_are_answered(seed):
    chance = random.Random(seed)
    request = chance.choice(GIVEN)
    api = shop()
    namespace = re.search(r"/namespaces/([^/]+)/", request["path"])
    if namespace:
        api.with_namespace(namespace[1])

    created = api.call("POST", request["path"], mutated(request["body"], chance, chance.choice((0, 0, 1, 2, 3))))
    assert answered(created), created.body
    if created.status != 201:
        return
    stored = json.loads(created.body)
    path = f"{request['path']}/{stored['metadata']['name']}"
    for attempt in attempts(stored, path, chance):
        response = api.call(*attempt)
        assert answered(response), (attempt, response.body)


def attempts(stored: Manifest, path: str, chance: random.Random) -> list[tuple[str, str, Any, str]]:
    """Mutated updates, patches and deletions of one object."""
    part = mutated({"spec": stored.get("spec", {}), "metadata": {"labels": {"a": "b"}}}, chance, 2)
    verbs, where = ("add", "remove", "replace", "test", "copy", "move", "x"), pointers(stored)
    names = ("op", "path", "from", "value")
    operations = [dict(zip(names, map(chance.choice, (verbs, where, where, JUNK)), strict=True)) for _ in range(3)]
    options = {
        "propagationPolicy": "Foreground",
        "preconditions": {"uid": "x"},
        "gracePeriodSeconds": 1,
        "dryRun": ["All"],
    }
    status = {"status": stored.get("status", {})}
    return [
        ("PUT", path, mutated(stored, chance, 2), JSON),
        ("PUT", f"{path}/status", mutated(stored, chance, 2), JSON),
        ("PATCH", path, part, PATCHES[1]),
        ("PATCH", path, part, PATCHES[2]),
        ("PATCH", path, mutated(operations, chance, 1), PATCHES[0]),
        ("PATCH", f"{path}/status", mutated(status, chance, 2), PATCHES[2]),
        ("PATCH", f"{path}/scale", mutated({"spec": {"replicas": 2}}, chance, 1), PATCHES[1]),
        ("POST", f"{path}/eviction", mutated({"metadata": {"name": "web"}, "deleteOptions": options}, chance, 1), JSON),
        ("POST", f"{path}/binding", mutated({"metadata": {"name": "web"}, "target": {"name": "n"}}, chance, 1), JSON),
        ("DELETE", path, mutated(options, chance, 2), JSON),
        ("DELETE", path, None, JSON),
    ]


def mutated(value: Any, chance: random.Random, times: int) -> Any:
    """A copy in which some parts are replaced by junk, taken away, or said twice."""
    value = copy.deepcopy(value)
    for _ in range(times):
        holder, key = chance.choice(places(value) or [(None, None)])
        if holder is None:
            return chance.choice(JUNK)
        action = chance.randrange(4)
        if action == 0:
            del holder[key]
        elif action == 1 and isinstance(holder, list):
            holder.append(copy.deepcopy(holder[key]))
        else:
            holder[key] = copy.deepcopy(chance.choice(JUNK))
    return value


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) inside."""
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    return [place for key in keys for place in [(value, key), *places(value[key])]]


def pointers(value: Any, prefix: str = "") -> list[str]:
    """Every JSON pointer inside."""
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    return [prefix, *(pointer for key in keys for pointer in pointers(value[key], f"{prefix}/{key}"))]


def answered(response: requests.Response) -> bool:
    """Is it an answer that the real server could give?"""
    if response.status < 500:
        return bool(response.body)
    return response.status == 500 and bool(REAL_500.search(json.loads(response.body)["message"]))


def raw(api: Api, method: str, path: str, body: bytes, content_type: str) -> requests.Response:
    request = {"type": "api", "method": method, "path": path, "query": "", "headers": {"content-type": content_type}}
    return requests.handle(api.server, {**request, "body64": b64encode(body).decode()})


def shop() -> Api:
    return Api().with_namespace("shop")


SHOP = shop()
