"""Definitions: what a real server made of one, and what is wrong with others."""

import json
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings

from tests.builders import Refused, TestCluster, a_cluster
from tests.cluster.apiserver.custom.definitions import SCALE, a_crontab_definition, a_definition, an_object

GOLDEN = Path(__file__).parents[3] / "golden" / "custom"
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
SCHEMA = "spec.validation.openAPIV3Schema"


@pytest.fixture(scope="module")
def cluster() -> TestCluster:
    return a_cluster(nodes=0)


def recorded(name):
    return json.loads((GOLDEN / f"{name}.json").read_text())


def causes(cluster, definition) -> list[tuple[str, str]]:
    """(field, message) of every complaint."""
    with pytest.raises(Refused) as refused:
        cluster.create(definition)
    assert refused.value.status == 422, refused.value.body
    return [(c["field"], c["message"]) for c in refused.value.body["details"]["causes"]]


def test_a_new_definition_is_answered_as_recorded(cluster):
    case = recorded("create")

    made = cluster.request("POST", DEFINITIONS, case["request"]["body"])

    wanted = case["response"]["body"]
    assert made["spec"] == wanted["spec"]
    assert made["status"] == wanted["status"]
    assert made["metadata"].keys() - {"managedFields"} == wanted["metadata"].keys()  # Recorded without.


def test_a_wrong_name_is_refused_as_recorded(cluster):
    case = recorded("name_mismatch")

    with pytest.raises(Refused) as refused:
        cluster.request("POST", DEFINITIONS, case["request"]["body"])

    assert refused.value.body == case["response"]["body"]


def in_spec(**schema):
    return {"type": "object", "properties": {"spec": {"type": "object", "properties": {"x": schema}}}}


X = f"{SCHEMA}.properties[spec].properties[x]"
MAP = {"x-kubernetes-list-type": "map", "type": "array"}
ITEM = {"type": "object", "properties": {"name": {"type": "string"}}}
SCHEMAS = [
    ({}, f"{X}.type", "Required value: must not be empty for specified object fields"),
    ({"type": "foo"}, f"{X}.type",
     'Unsupported value: "foo": supported values: "array", "boolean", "integer", "number", "object", "string"'),
    ({"type": "array"}, f"{X}.items", "Required value: must be specified"),
    ({"type": "array", "items": {}}, f"{X}.items.type", "Required value: must not be empty for specified array items"),
    ({"type": "array", "items": {"type": "string"}, "uniqueItems": True}, f"{X}.uniqueItems",
     "Forbidden: uniqueItems cannot be set to true since the runtime complexity becomes quadratic"),
    ({"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": {"type": "string"}},
     f"{X}.additionalProperties", "Forbidden: additionalProperties and properties are mutual exclusive"),
    ({"type": "string", "pattern": "("}, f"{X}.pattern",
     'Invalid value: "(": must be a valid regular expression, but isn\'t:'
     " error parsing regexp: missing closing ): `(`"),
    ({"$ref": "#/x", "type": "string"}, f"{X}.$ref", "Forbidden: $ref is not supported"),
    ({"type": "string", "anyOf": [{"type": "string"}]}, f"{X}.anyOf[0].type",
     "Forbidden: must be empty to be structural"),
    ({"type": "object", "oneOf": [{"properties": {"y": {"minLength": 1}}}]}, f"{X}.properties[y]",
     f"Required value: because it is defined in {X}.oneOf[0].properties[y]"),
    ({**MAP, "items": ITEM}, f"{X}.x-kubernetes-list-map-keys",
     "Required value: must not be empty if x-kubernetes-list-type is map"),
    ({**MAP, "items": ITEM, "x-kubernetes-list-map-keys": ["name"]}, f"{X}.items.properties[name].default",
     "Required value: this property is in x-kubernetes-list-map-keys, so it must have a default or be a required"
     " property"),
    ({"type": "string", "x-kubernetes-preserve-unknown-fields": False}, f"{X}.x-kubernetes-preserve-unknown-fields",
     "Invalid value: false: must be true or undefined"),
    ({"type": "integer", "default": "a"}, f"{X}.default",
     'Invalid value: "string":  in body must be of type integer: "string"'),
]  # fmt: skip


@pytest.mark.parametrize(("schema", "field", "message"), SCHEMAS)
def test_a_schema_that_is_not_structural_is_refused(cluster, schema, field, message):
    assert (field, message) in causes(cluster, a_definition(schema=in_spec(**schema)))


def test_versions_that_differ_are_complained_of_by_number(cluster):
    good, bad = in_spec(type="string"), in_spec()
    versions = [
        {"name": name, "served": True, "storage": name == "v1", "schema": {"openAPIV3Schema": schema}}
        for name, schema in (("v1", good), ("v2", bad))
    ]
    told = causes(cluster, a_definition(versions=versions))
    assert told[0][0] == "spec.versions[1].schema.openAPIV3Schema.properties[spec].properties[x].type"


def test_a_definition_needs_one_stored_version_a_good_group_and_paths(cluster):
    scale = {"scale": {**SCALE, "specReplicasPath": ".x"}}
    definition = a_definition("Bad", "single", subresources=scale, storage=False)
    told = dict(causes(cluster, definition))

    assert told["spec.group"] == 'Invalid value: "single": should be a domain with at least one dot'
    assert told["spec.versions"].endswith(": must have exactly one version marked as storage version")
    assert told["spec.subresources.scale.specReplicasPath"].endswith("should be a json path under .spec")
    protected = dict(causes(cluster, a_definition("Bad", "example.k8s.io")))
    assert protected["metadata.annotations[api-approved.kubernetes.io]"].startswith("Required value: protected groups")


def test_what_is_established_does_not_change_its_names(cluster):
    cluster.create(a_crontab_definition())
    cluster.run_for(1)

    with pytest.raises(Refused) as refused:
        cluster.patch(a_crontab_definition(), {"spec": {"scope": "Cluster", "names": {"kind": "Other"}}})

    told = {cause["field"]: cause["message"] for cause in refused.value.body["details"]["causes"]}
    assert told == {
        "spec.scope": 'Invalid value: "Cluster": field is immutable',
        "spec.names.kind": 'Invalid value: "Other": field is immutable',
    }


def test_a_condition_without_a_type_breaks_nothing(cluster):
    definition = a_definition("Odd", "odd.example.com")
    cluster.create(definition)
    cluster.patch(definition, {"status": {"conditions": [{"status": "True"}, {}]}}, "status")
    cluster.run_for(1)

    assert cluster.create(an_object("Odd", "one", "odd.example.com/v1"))["metadata"]["generation"] == 1


# --- hostile input ----------------------------------------------------------------------------------------------

scalars = st.one_of(st.none(), st.booleans(), st.integers(-3, 3), st.floats(allow_nan=False), st.text(max_size=3))
words = st.sampled_from(
    ["type", "properties", "items", "additionalProperties", "anyOf", "oneOf", "allOf", "not", "enum", "default",
     "pattern", "format", "required", "nullable", "minimum", "maxLength", "x-kubernetes-list-type",
     "x-kubernetes-list-map-keys", "x-kubernetes-preserve-unknown-fields", "x-kubernetes-int-or-string",
     "x-kubernetes-embedded-resource", "x-kubernetes-validations", "rule", "message", "a", "metadata", "spec"]
)  # fmt: skip
values = st.sampled_from(["object", "array", "string", "integer", "set", "map", "self.a == 1", "(", "a", True, 1])
trees = st.recursive(
    st.one_of(scalars, values),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(words, inner, max_size=4)),
    max_leaves=20,
)


def status_of(cluster, obj) -> int:
    """How a creation is answered; never by a server's own error."""
    try:
        cluster.create(obj)
    except Refused as refused:
        status, body = refused.status, refused.body
    else:
        return 201
    assert status < 500, body
    return status


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(tree=trees, root=st.booleans(), obj=trees)
def test_no_schema_and_no_object_breaks_the_server(cluster, tree, root, obj):
    schema = {"type": "object", "properties": {"spec": tree}} if root else tree
    name = f"hostile{cluster.revision}"
    definition = a_definition(name.title(), "hostile.example.com", names={"plural": name, "singular": name})
    definition["spec"]["versions"][0]["schema"] = {"openAPIV3Schema": schema}
    if status_of(cluster, definition) != 201:
        return
    cluster.run_for(1)
    for body in (obj, {}, {"a": obj}, [obj]):
        made = an_object(name.title(), f"one{cluster.revision}", "hostile.example.com/v1", spec=body, metadata={})
        made["metadata"] = {"name": f"one{cluster.revision}"}
        status_of(cluster, made)
    cluster.world.fork()
