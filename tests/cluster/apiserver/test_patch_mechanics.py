"""The three patch algorithms on their own: what they do, what they refuse, and that they never touch their input."""

import json
from typing import Any

import pytest

from cluster.apiserver import patches, registry, schema
from cluster.apiserver.patches import jsonpatch, strategic
from cluster.objects import Manifest, errors

POD = registry.by_kind("Pod")


def a_pod(**spec: Any) -> Manifest:
    containers = [{"name": "main", "image": "nginx:1"}, {"name": "side", "image": "s:1"}]
    return {"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "web"}, "spec": {"containers": containers, **spec}}


def strategically(current: Manifest, patch: Manifest) -> Manifest:
    before = json.dumps(current)
    merged = strategic.merge(current, patch, schema.type_of("", "v1", "Pod"))
    assert json.dumps(current) == before, "the object that was patched is shared, and must stay as it was"
    return merged


def names(pod: Manifest) -> list[str]:
    return [container["name"] for container in pod["spec"]["containers"]]


def test_a_patch_leaves_what_it_does_not_touch_the_very_same_object():
    pod = a_pod()

    for kind, body in (
        (patches.MERGE, {"metadata": {"labels": {"a": "b"}}}),
        (patches.STRATEGIC, {"metadata": {"labels": {"a": "b"}}}),
        (patches.JSON, [{"op": "add", "path": "/metadata/labels", "value": {"a": "b"}}]),
    ):
        patched = patches.apply(POD, pod, kind, json.dumps(body).encode())

        assert patched["metadata"]["labels"] == {"a": "b"}
        assert patched["spec"] is pod["spec"]
        assert "labels" not in pod["metadata"]


def test_an_element_that_a_strategic_patch_adds_comes_first():
    assert names(strategically(a_pod(), {"spec": {"containers": [{"name": "new", "image": "n"}]}})) == [
        "new",
        "main",
        "side",
    ]


def test_an_element_of_the_same_key_is_merged_in_its_place():
    merged = strategically(a_pod(), {"spec": {"containers": [{"name": "side", "image": "s:2"}]}})

    assert merged["spec"]["containers"] == [{"name": "main", "image": "nginx:1"}, {"name": "side", "image": "s:2"}]


def test_set_element_order_rules_and_the_servers_own_elements_keep_their_neighbours():
    pod = a_pod(containers=[{"name": name, "image": "i"} for name in ("a", "injected", "b")])
    order = [{"name": "b"}, {"name": "new"}, {"name": "a"}]
    patch = {"spec": {"$setElementOrder/containers": order, "containers": [{"name": "new", "image": "n"}]}}

    assert names(strategically(pod, patch)) == ["injected", "b", "new", "a"]


def test_set_element_order_alone_reorders():
    patch = {"spec": {"$setElementOrder/containers": [{"name": "side"}, {"name": "main"}]}}

    assert names(strategically(a_pod(), patch)) == ["side", "main"]


def test_elements_out_of_the_order_that_they_ask_for_are_refused():
    patch = {"spec": {"$setElementOrder/containers": [{"name": "main"}], "containers": [{"name": "other"}]}}

    with pytest.raises(errors.InternalError, match="The order in patch list"):
        strategically(a_pod(), patch)


def test_delete_and_replace_directives_in_lists_and_maps():
    gone = strategically(a_pod(), {"spec": {"containers": [{"name": "side", "$patch": "delete"}]}})
    replaced = strategically(a_pod(), {"spec": {"containers": [{"$patch": "replace"}, {"name": "only", "image": "o"}]}})
    emptied = strategically(a_pod(), {"spec": {"$patch": "delete"}})

    assert names(gone) == ["main"]
    assert names(replaced) == ["only"]
    assert emptied["spec"] == {}


def test_plain_lists_with_a_merge_strategy_become_unions_without_doubles():
    pod = a_pod() | {"metadata": {"name": "web", "finalizers": ["a.b/one", "a.b/two"]}}

    merged = strategically(pod, {"metadata": {"finalizers": ["a.b/three", "a.b/one", "a.b/three"]}})
    shorter = strategically(pod, {"metadata": {"$deleteFromPrimitiveList/finalizers": ["a.b/one"]}})

    assert merged["metadata"]["finalizers"] == ["a.b/three", "a.b/one", "a.b/two"]
    assert shorter["metadata"]["finalizers"] == ["a.b/two"]


def test_retain_keys_drops_the_other_source_of_a_volume():
    pod = a_pod(volumes=[{"name": "v", "emptyDir": {}}])
    volume = {"name": "v", "$retainKeys": ["name", "hostPath"], "hostPath": {"path": "/h"}}

    assert strategically(pod, {"spec": {"volumes": [volume]}})["spec"]["volumes"] == [
        {"name": "v", "hostPath": {"path": "/h"}}
    ]


@pytest.mark.parametrize(
    ("patch", "status", "message"),
    [
        (
            {"spec": {"containers": [{"image": "x"}]}},
            500,
            "map: map[image:x] does not contain declared merge key: name",
        ),
        ({"spec": {"$patch": "merge"}}, 500, "unknown patch type: merge in map: map[$patch:merge]"),
        (
            {"spec": {"containers": [{"name": "a", "$patch": "bogus"}]}},
            500,
            "unknown patch type: bogus in map: map[$patch:bogus name:a]",
        ),
        ({"spec": {"$retainKeys": "name"}}, 400, "invalid patch format of $retainKeys"),
        ({"spec": {"$retainKeys": ["a"], "hostname": "b"}}, 400, "invalid patch format of $retainKeys"),
        ({"metadata": {"$deleteFromPrimitiveList/finalizers": "x"}}, 400, "invalid patch format of primitive list"),
        ({"spec": {"$setElementOrder/containers": {}}}, 400, "invalid patch format of setElementOrder list"),
    ],
)
def test_broken_strategic_patches_are_refused_in_the_real_words(patch: Manifest, status: int, message: str):
    with pytest.raises(errors.ApiError) as refusal:
        strategically(a_pod(), patch)

    assert (refusal.value.status, refusal.value.message) == (status, message)


@pytest.mark.parametrize(
    ("operations", "expected"),
    [
        ([{"op": "add", "path": "/list/1", "value": 9}], {"list": [1, 9, 2], "map": {"a/b": 1}}),
        ([{"op": "add", "path": "/list/-", "value": 9}], {"list": [1, 2, 9], "map": {"a/b": 1}}),
        ([{"op": "remove", "path": "/list/-1"}], {"list": [1], "map": {"a/b": 1}}),
        ([{"op": "replace", "path": "/map/a~1b", "value": None}], {"list": [1, 2], "map": {"a/b": None}}),
        ([{"op": "move", "from": "/list/0", "path": "/map/x"}], {"list": [2], "map": {"a/b": 1, "x": 1}}),
        ([{"op": "copy", "from": "/map", "path": "/twin"}], {"list": [1, 2], "map": {"a/b": 1}, "twin": {"a/b": 1}}),
        ([{"op": "test", "path": "/map/none", "value": None}], {"list": [1, 2], "map": {"a/b": 1}}),
        ([{"op": "replace", "path": "", "value": {}}], {}),
        ([], {"list": [1, 2], "map": {"a/b": 1}}),
    ],
)
def test_json_patch_operations(operations: list[Manifest], expected: Manifest):
    document = {"list": [1, 2], "map": {"a/b": 1}}

    assert jsonpatch.apply(document, operations) == expected
    assert document == {"list": [1, 2], "map": {"a/b": 1}}


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "frob", "path": "/list"},
        {"op": ["add"], "path": "/list"},
        {"path": "/list"},
        "add",
        {"op": "add", "path": 3, "value": 1},
        {"op": "remove", "path": ""},
        {"op": "add", "path": "list", "value": 1},
        {"op": "add", "path": "/list/9", "value": 1},
        {"op": "add", "path": "/none/x", "value": 1},
        {"op": "remove", "path": "/none"},
        {"op": "remove", "path": "/list/x"},
        {"op": "remove", "path": "/list/-3"},
        {"op": "replace", "path": "/none", "value": 1},
        {"op": "replace", "path": "/list/2", "value": 1},
        {"op": "add", "path": "/list/0/x", "value": 1},
        {"op": "move", "path": "/list"},
        {"op": "copy", "from": "/none", "path": "/x"},
        {"op": "test", "path": "/list/0", "value": True},
        {"op": "test", "path": "/list", "value": [1]},
        {"op": "test", "path": "/none/x", "value": None},
    ],
)
def test_json_patch_operations_that_cannot_be_carried_out_answer_422(operation: Any):
    with pytest.raises(jsonpatch.Unprocessable) as refusal:
        jsonpatch.apply({"list": [1, 2]}, [operation])

    assert refusal.value.status_object()["message"] == "the server rejected our request due to an error in our request"


@pytest.mark.parametrize(
    ("kind", "body", "message"),
    [
        (patches.MERGE, "{[", "invalid JSON patch"),
        (patches.MERGE, "3", "cannot unmarshal number into Go value of type map[string]interface {}"),
        (patches.JSON, "{}", "cannot unmarshal object into Go value of type []handlers.jsonPatchOp"),
        (
            patches.JSON,
            '[{"op": "replace", "path": "", "value": 1}]',
            "cannot unmarshal number into Go value of type map[string]interface {}",
        ),
    ],
)
def test_bodies_that_are_no_patch_answer_400(kind: str, body: str, message: str):
    with pytest.raises(errors.BadRequest) as refusal:
        patches.apply(POD, a_pod(), kind, body.encode())

    assert message in refusal.value.message
