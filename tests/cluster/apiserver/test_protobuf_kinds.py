"""Every kind as Go clients send it: an object with every field of its type, through the real descriptors and back."""

from typing import Any

import pytest

from cluster.apiserver import protobuf, registry, schema
from tests import wire
from tests.cluster.apiserver.test_protobuf import without_zeros

REF = "#/components/schemas/"
DEEP = 9  # Levels of a sample; what lies deeper is left out.
SPECIAL: dict[str, Any] = {
    "Quantity": "100m",
    "IntOrString": 5,
    "RawExtension": {"kind": "Any", "n": 1},
    "FieldsV1": {"f:metadata": {"f:labels": {}}},
    "JSON": {"a": [1, "b", None]},
    "JSONSchemaPropsOrBool": {"type": "string"},
    "JSONSchemaPropsOrArray": {"type": "integer"},
    "JSONSchemaPropsOrStringArray": ["a", "b"],
    "CustomResourceSubresourceStatus": {},
    "WorkloadPodGroupAllDisruptionMode": {},
    "WorkloadPodGroupBasicSchedulingPolicy": {},
    "WorkloadPodGroupSingleDisruptionMode": {},
}
TYPED = {"date-time": "2026-11-24T02:20:00Z", "byte": "AP8=", "double": 1.5}
# Their messages are not among the descriptors that the tests have.
UNDESCRIBED = ("apiregistration.k8s.io",)
IN_REQUESTS = (
    ("authentication.k8s.io", "TokenRequest"),
    ("authentication.k8s.io", "TokenReview"),
    ("authentication.k8s.io", "SelfSubjectReview"),
    ("authorization.k8s.io", "SubjectAccessReview"),
    ("authorization.k8s.io", "LocalSubjectAccessReview"),
    ("authorization.k8s.io", "SelfSubjectAccessReview"),
    ("authorization.k8s.io", "SelfSubjectRulesReview"),
    ("policy", "Eviction"),
    ("autoscaling", "Scale"),
    ("", "Binding"),
)
KINDS = sorted(
    {(r.group, r.version, r.kind) for r in (*registry.RESOURCES, *registry.BODIES) if r.group not in UNDESCRIBED}
    | {(group, "v1", kind) for group, kind in IN_REQUESTS}
)


def sample(node, depth=0, name=""):
    """A value for every field below `node`, none of them empty; None where nothing can be said."""
    for part in (node, *node.get("allOf", ())):
        if "$ref" in part:
            return of_type(part["$ref"].removeprefix(REF), depth)
    if "properties" in node:
        fields = {key: sample(each, depth + 1, key) for key, each in node["properties"].items()}
        return {key: value for key, value in fields.items() if value is not None}
    kind = node.get("type", "any")
    if kind == "array":
        item = sample(node["items"], depth + 1, name)
        return None if item is None else [item]
    if kind == "object":
        item = sample(node.get("additionalProperties", {"type": "string"}), depth + 1, name)
        return None if item is None else {"key": item}
    if node.get("format") in TYPED:
        return TYPED[node["format"]]
    return {"string": f"a-{name}", "integer": 7, "number": 1.5, "boolean": True}.get(kind)


def of_type(name, depth):
    short = name.rpartition(".")[2]
    if short in SPECIAL:
        return SPECIAL[short]
    if short == "MicroTime":
        return "2026-11-24T02:20:00.000001Z"
    if short in ("Time", "Duration"):
        return TYPED["date-time"] if short == "Time" else None
    return sample(schema.definitions()[name], depth) or None if depth < DEEP else None


def a_full(group, version, kind):
    api_version = f"{group}/{version}" if group else version
    made = of_type(schema.name_of(group, version, kind), 0)
    return {**made, "kind": kind, "apiVersion": api_version}


def comparable(value):
    """Without the kind of objects inside objects: protobuf never carries it, defaulting writes it."""
    if isinstance(value, list):
        return [comparable(each) for each in value]
    if not isinstance(value, dict):
        return value
    inner = {k: comparable(v) for k, v in value.items()}
    return {k: v for k, v in inner.items() if not (k in ("kind", "apiVersion") and v in (f"a-{k}",))}


@pytest.mark.parametrize(("group", "version", "kind"), KINDS, ids=lambda part: part or "core")
def test_an_object_with_every_field_survives(group, version, kind):
    whole = a_full(group, version, kind)

    body = wire.encoded(whole)

    assert len(body) > 20
    assert comparable(without_zeros(protobuf.decode(body))) == comparable(without_zeros(whole))


@pytest.mark.parametrize(
    "schema_of",
    [
        {"additionalProperties": False},
        {"items": [{"type": "string"}, {"type": "integer"}]},
        {"dependencies": {"a": ["b"], "c": {"type": "object"}}},
        {
            "$ref": "#/x",
            "$schema": "s",
            "x-kubernetes-int-or-string": True,
            "x-kubernetes-preserve-unknown-fields": True,
        },
        {"default": {"n": 0}, "enum": ["a", 1, None], "maximum": 2.0, "minimum": 0.25, "exclusiveMinimum": True},
    ],
    ids=lambda value: next(iter(value)),
)
def test_the_unions_of_a_custom_schema_come_out_as_in_json(schema_of):
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema_of}}
    metadata = {"name": "wheels.cars.example"}
    spec = {"group": "cars.example", "scope": "Namespaced", "versions": [version]}
    whole = {"kind": "CustomResourceDefinition", "apiVersion": "apiextensions.k8s.io/v1", "metadata": metadata}

    decoded = protobuf.decode(wire.encoded({**whole, "spec": spec}))

    assert decoded["spec"]["versions"][0]["schema"]["openAPIV3Schema"] == schema_of


def test_a_number_that_json_cannot_say_is_refused():
    nan = {"type": "number", "maximum": float("nan")}
    version = {"name": "v1", "schema": {"openAPIV3Schema": nan}}
    whole = {
        "kind": "CustomResourceDefinition",
        "apiVersion": "apiextensions.k8s.io/v1",
        "spec": {"versions": [version]},
    }

    with pytest.raises(ValueError, match="unsupported value"):
        protobuf.decode(wire.encoded(whole))
