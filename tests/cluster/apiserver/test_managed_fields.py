"""What clients may say about managedFields themselves, and what kubectl takes over from its client-side apply."""

import json
from typing import Any

import pytest

from cluster.objects import Manifest
from tests.cluster.apiserver.replay import Api

MAPS = "/api/v1/namespaces/shop/configmaps"
APPLY, MERGE = "application/apply-patch+yaml", "application/merge-patch+json"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
READABLE: Manifest = {
    "manager": "x",
    "operation": "Update",
    "apiVersion": "v1",
    "fieldsType": "FieldsV1",
    "fieldsV1": {"f:data": {"f:gone": {}}},
}


def a_map(**data: str) -> Manifest:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "conf", "namespace": "shop"}, "data": data}


def with_map(manager: str = "creator") -> Api:
    api = Api().with_namespace("shop")
    api.ask("POST", f"{MAPS}?fieldManager={manager}", a_map(a="1", b="1"))
    return api


def managers(obj: Manifest) -> list[str]:
    return [entry["manager"] for entry in obj["metadata"].get("managedFields", [])]


@pytest.mark.parametrize(
    "entry",
    [
        {**READABLE, "operation": "Other"},
        {**READABLE, "apiVersion": ""},
        {name: value for name, value in READABLE.items() if name != "fieldsType"},
        {**READABLE, "fieldsV1": {"unknown": {}}},
        {**READABLE, "fieldsV1": {"f:data": 3}},
        {**READABLE, "fieldsV1": {"k:{": {}}},
        {**READABLE, "fieldsV1": {"k:[]": {}}},
        {**READABLE, "fieldsV1": {"v:{": {}}},
        {**READABLE, "fieldsV1": {"i:x": {}}},
    ],
)
def test_entries_that_nobody_can_read_change_no_owners(entry: Manifest):
    api = with_map()

    status, answer = api.ask("PATCH", f"{MAPS}/conf", {"metadata": {"managedFields": [entry]}}, MERGE)

    assert (status, managers(answer)) == (200, ["creator"])


def test_entries_that_can_be_read_replace_the_owners():
    status, answer = with_map().ask("PATCH", f"{MAPS}/conf", {"metadata": {"managedFields": [READABLE]}}, MERGE)

    assert (status, managers(answer)) == (200, ["x"])


def test_keys_of_an_entry_are_stored_in_order():
    fields = {"f:metadata": {"f:ownerReferences": {'k:{"b":1, "a":2}': {}}}}

    _, answer = with_map().ask(
        "PATCH", f"{MAPS}/conf", {"metadata": {"managedFields": [{**READABLE, "fieldsV1": fields}]}}, MERGE
    )

    assert answer["metadata"]["managedFields"][0]["fieldsV1"] == {
        "f:metadata": {"f:ownerReferences": {'k:{"a":2,"b":1}': {}}}
    }


def test_a_reset_forgets_all_owners_and_an_empty_list_none():
    api = with_map()
    _, kept = api.ask("PATCH", f"{MAPS}/conf", {"metadata": {"managedFields": []}}, MERGE)
    _, forgotten = api.ask("PATCH", f"{MAPS}/conf", {"metadata": {"managedFields": [{}]}}, MERGE)

    assert managers(kept) == ["creator"]
    assert managers(forgotten) == []


def test_a_creator_owns_what_it_creates_whatever_owners_it_names():
    api = Api().with_namespace("shop")
    stolen = {**READABLE, "fieldsV1": {"f:data": {"f:a": {}, "f:gone": {}}}}
    body = a_map(a="1")
    body["metadata"]["managedFields"] = [stolen]

    _, answer = api.ask("POST", f"{MAPS}?fieldManager=creator", body)

    fields = {entry["manager"]: entry["fieldsV1"] for entry in answer["metadata"]["managedFields"]}
    assert fields == {"x": {"f:data": {"f:gone": {}}}, "creator": {"f:data": {".": {}, "f:a": {}}}}


@pytest.mark.parametrize("entries", [[], [{}], [READABLE]])
def test_an_apply_must_not_name_owners(entries: list[Any]):
    body = a_map(a="1")
    body["metadata"]["managedFields"] = entries

    status, answer = with_map().ask("PATCH", f"{MAPS}/conf?fieldManager=me", body, APPLY)

    assert (status, answer["message"]) == (400, "metadata.managedFields must be nil")


@pytest.mark.parametrize("metadata", ["text", 3, ["list"], True])
def test_an_apply_whose_metadata_is_none_is_refused_in_words(metadata: Any):
    body = {**a_map(), "metadata": metadata}

    status, answer = with_map().ask("PATCH", f"{MAPS}/conf?fieldManager=me", body, APPLY)

    assert status == 500
    assert answer["message"].startswith("failed to create typed patch object (/; /v1, Kind=ConfigMap): .metadata: ")


class AfterClientSideApply:
    """conf was applied by `kubectl apply`, and then somebody else changed `b`."""

    def __init__(self) -> None:
        body = a_map(a="1", b="1", c="1")
        body["metadata"]["annotations"] = {LAST_APPLIED: json.dumps(a_map(a="1", b="1", c="1"))}
        self.api = Api().with_namespace("shop")
        self.api.ask("POST", f"{MAPS}?fieldManager=kubectl-client-side-apply", body)
        self.api.ask("PATCH", f"{MAPS}/conf?fieldManager=other", {"data": {"b": "2"}}, MERGE)

    def applied(self, manager: str, **data: str) -> tuple[int, Manifest]:
        return self.api.ask("PATCH", f"{MAPS}/conf?fieldManager={manager}", a_map(**data), APPLY)


def test_kubectl_takes_over_what_it_applied_on_the_client_side():
    status, answer = AfterClientSideApply().applied("kubectl", a="9", c="1")

    assert (status, answer["data"]["a"]) == (200, "9")


def test_kubectl_does_not_take_over_what_somebody_changed_since():
    status, answer = AfterClientSideApply().applied("kubectl", a="9", b="9")

    assert status == 409
    assert [cause["field"] for cause in answer["details"]["causes"]] == [".data.b"]
    assert answer["message"] == 'Apply failed with 1 conflict: conflict with "other" using v1: .data.b'


def test_other_managers_take_over_nothing_from_client_side_apply():
    status, answer = AfterClientSideApply().applied("argo", a="9")

    assert status == 409
    assert answer["details"]["causes"][0]["message"] == 'conflict with "kubectl-client-side-apply" using v1'


def test_ten_updaters_are_kept_even_if_they_wrote_two_versions():
    api = Api().with_namespace("shop")
    spec = {"maxReplicas": 3, "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}}
    group = "/apis/autoscaling/{}/namespaces/shop/horizontalpodautoscalers"
    api.ask("POST", group.format("v2") + "?fieldManager=creator", {"metadata": {"name": "web"}, "spec": spec})
    for number in range(14):
        api.server.clock.advance(api.server.clock.now + 1_000_000)
        path = f"{group.format('v1' if number % 2 else 'v2')}/web?fieldManager=m{number}"
        status, answer = api.ask("PATCH", path, {"metadata": {"labels": {f"l{number}": "x"}}}, MERGE)
        assert status == 200, answer

    entries = answer["metadata"]["managedFields"]
    assert len(entries) == 10
    ancient = {entry["apiVersion"] for entry in entries if entry["manager"] == "ancient-changes"}
    assert ancient == {"autoscaling/v1", "autoscaling/v2"}


@pytest.mark.parametrize("text", ["no JSON", "null", "[]", '{"apiVersion":"v2","kind":"ConfigMap","data":{"a":"1"}}'])
def test_a_last_applied_configuration_that_does_not_fit_gives_kubectl_no_rights(text: str):
    body = a_map(a="1")
    body["metadata"]["annotations"] = {LAST_APPLIED: text}
    api = Api().with_namespace("shop")
    api.ask("POST", f"{MAPS}?fieldManager=kubectl-client-side-apply", body)

    status, _ = api.ask("PATCH", f"{MAPS}/conf?fieldManager=kubectl", a_map(a="9"), APPLY)

    assert status == 409


def test_whoever_wrote_the_first_label_owns_labels_also_when_none_is_left():
    api = with_map()
    api.ask("PATCH", f"{MAPS}/conf?fieldManager=first", {"metadata": {"labels": {"x": "1"}}}, MERGE)
    labelled = {**a_map(), "metadata": {"name": "conf", "labels": {"x": "2"}}}
    api.ask("PATCH", f"{MAPS}/conf?fieldManager=second&force=true", labelled, APPLY)
    api.ask("PATCH", f"{MAPS}/conf?fieldManager=second", {**a_map(), "metadata": {"name": "conf"}}, APPLY)

    status, answer = api.ask("PATCH", f"{MAPS}/conf?fieldManager=third", labelled, APPLY)

    assert status == 409
    assert answer["message"] == 'Apply failed with 1 conflict: conflict with "first" using v1: .metadata.labels'
