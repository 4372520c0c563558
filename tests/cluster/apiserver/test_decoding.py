"""Bodies become what a Go struct would hold: proved on the objects that a real API server wrote."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from cluster.apiserver import schema
from cluster.objects import Manifest, errors
from tests.cluster.apiserver.replay import recorded

# A list that the real server writes as null, though its schema calls it required.
NULL_THOUGH_REQUIRED = ("CSINode", "CustomResourceDefinition")


def decoded(obj: Manifest, version: str = "v1", group: str = "") -> tuple[Manifest, list[str]]:
    kind = schema.type_of(group, version, obj["kind"])
    assert kind is not None
    return schema.decode(kind, obj, "body")


def spec_of(kind: str, group: str, **spec: Any) -> Manifest:
    return decoded({"kind": kind, "metadata": {}, "spec": spec}, group=group)[0]["spec"]


def written_by_a_real_server() -> Iterator[Manifest]:
    for path in ("defaulting/create.json", "patches/patch_cases.json", "errors/cases.json"):
        for case in recorded(path):
            body = case["response"]["body"]
            if isinstance(body, dict) and body.get("kind", "Status") != "Status" and "items" not in body:
                yield body


def test_what_a_real_server_wrote_decodes_to_itself_to_the_letter():
    kinds = set()
    for obj in written_by_a_real_server():
        if obj["kind"] in NULL_THOUGH_REQUIRED:
            continue
        group, _, version = obj["apiVersion"].rpartition("/")
        again, problems = decoded(obj, version, group)

        assert problems == []
        assert json.dumps(again) == json.dumps(obj), f"{obj['kind']} {obj['metadata'].get('name')}"
        kinds.add(obj["kind"])

    assert len(kinds) >= 15


def test_fields_that_go_always_writes_are_there():
    obj, _ = decoded({"kind": "Deployment", "metadata": {"name": "web"}, "spec": {}}, group="apps")

    template = {"metadata": {}, "spec": {}}
    assert obj["spec"] == {"template": template, "strategy": {}}
    assert obj["status"] == {}
    node, _ = decoded({"kind": "Node", "metadata": {"name": "n"}})
    assert node["status"]["daemonEndpoints"] == {"kubeletEndpoint": {"Port": 0}}
    pod, _ = decoded({"kind": "Pod", "metadata": {}, "status": {"conditions": [{"type": "Ready", "status": "True"}]}})
    assert pod["status"]["conditions"] == [
        {"type": "Ready", "status": "True", "lastProbeTime": None, "lastTransitionTime": None}
    ]


def test_zero_is_left_out_unless_it_is_a_choice():
    spec = spec_of("Deployment", "apps", replicas=0, minReadySeconds=0, paused=False, revisionHistoryLimit=0)

    assert {"replicas", "revisionHistoryLimit"} <= set(spec)
    assert not {"minReadySeconds", "paused"} & set(spec)
    lease = spec_of("Lease", "coordination.k8s.io", holderIdentity="")
    assert lease == {"holderIdentity": ""}, "a released lease has an empty holder, not none"


def test_empty_lists_and_maps_are_left_out_and_maps_are_sorted():
    obj, _ = decoded({"kind": "ConfigMap", "metadata": {"labels": {}, "finalizers": []}, "data": {"b": "2", "a": "1"}})

    assert obj == {"kind": "ConfigMap", "metadata": {}, "data": {"a": "1", "b": "2"}}
    assert list(obj["data"]) == ["a", "b"]


def test_null_is_absent_in_a_struct_and_zero_in_a_list_or_map():
    obj, _ = decoded({"kind": "Pod", "metadata": {"name": None, "labels": {"a": None}}, "spec": {"containers": [None]}})

    assert obj["metadata"] == {"labels": {"a": ""}}
    assert obj["spec"]["containers"] == [{"name": "", "resources": {}}]


def test_quantities_times_and_base64_become_canonical():
    limits = {"cpu": 0.5, "memory": "1024Mi", "ephemeral-storage": 1000}
    container = {"name": "c", "resources": {"limits": limits}}

    assert spec_of("Pod", "", containers=[container])["containers"][0]["resources"]["limits"] == {
        "cpu": "500m", "ephemeral-storage": "1k", "memory": "1Gi"
    }  # fmt: skip
    lease = spec_of("Lease", "coordination.k8s.io", renewTime="2026-01-01T01:00:00.5+01:00")
    assert lease["renewTime"] == "2026-01-01T00:00:00.500000Z"
    taint = {"key": "k", "effect": "NoExecute", "timeAdded": "2026-01-01T01:00:00.5+01:00"}
    assert spec_of("Node", "", taints=[taint])["taints"][0]["timeAdded"] == "2026-01-01T00:00:00Z"
    secret, _ = decoded({"kind": "Secret", "metadata": {}, "data": {"a": "YWJj\n"}})
    assert secret["data"] == {"a": "YWJj"}


def test_unknown_fields_are_dropped_and_named_with_their_place():
    body = {"kind": "Pod", "metadata": {"nope": 1}, "spec": {"containers": [{"name": "c", "imag": "x"}]}}
    obj, problems = decoded(body)

    assert problems == ['unknown field "metadata.nope"', 'unknown field "spec.containers[0].imag"']
    assert obj["spec"]["containers"] == [{"name": "c", "resources": {}}]


@pytest.mark.parametrize(
    ("spec", "problem"),
    [
        ({"containers": {}}, "object into PodSpec.spec.containers of type []v1.Container"),
        ({"containers": ["x"]}, "string into PodSpec.spec.containers of type v1.Container"),
        ({"hostNetwork": 1}, "number into PodSpec.spec.hostNetwork of type bool"),
        ({"nodeName": True}, "bool into PodSpec.spec.nodeName of type string"),
        ({"priority": 1.5}, "number 1.5 into PodSpec.spec.priority of type int32"),
        ({"priority": 1 << 31}, "number 2147483648 into PodSpec.spec.priority of type int32"),
        ({"overhead": {"cpu": "much"}}, "quantities must match the regular expression"),
        ({"tolerations": [{"tolerationSeconds": 1 << 63}]}, "number 9223372036854775808 into Toleration"),
    ],
)
def test_wrong_types_are_refused_in_gos_words(spec: Manifest, problem: str):
    with pytest.raises(errors.BadRequest) as refusal:
        decoded({"kind": "Pod", "metadata": {}, "spec": spec})

    assert problem in refusal.value.message.replace("Go struct field ", "")


@pytest.mark.parametrize(
    ("stamp", "problem"),
    [
        ("yesterday", 'parsing time "yesterday" as "2006-01-02T15:04:05Z07:00": cannot parse "yesterday" as "2006"'),
        ("2026-13-01T00:00:00Z", 'parsing time "2026-13-01T00:00:00Z": month out of range'),
    ],
)
def test_times_that_are_none_are_refused(stamp: str, problem: str):
    with pytest.raises(errors.BadRequest, match="body: ") as refusal:
        decoded({"kind": "Pod", "metadata": {"deletionTimestamp": stamp}})

    assert problem in refusal.value.message
