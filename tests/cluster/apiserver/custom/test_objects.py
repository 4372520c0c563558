"""Custom objects: pruned, defaulted, validated, patched and shown as their definition says."""

import json

import pytest

from cluster.apiserver import registry, table
from cluster.objects import times
from tests.builders import EPOCH, Refused, TestCluster, a_cluster
from tests.cluster.apiserver.custom.definitions import a_crontab, a_crontab_definition, a_definition, an_object

CRONTABS = "/apis/stable.example.com/v1/namespaces/default/crontabs"


def with_kinds(*definitions) -> TestCluster:
    return a_cluster(nodes=0).with_objects(*definitions).run_for(1)


def with_schema(spec, **version) -> TestCluster:
    """A cluster with a kind CronTab whose `spec` has this schema."""
    schema = {"type": "object", "properties": {"spec": spec, "status": {"type": "object", "properties": {}}}}
    return with_kinds(a_definition(schema=schema, **version))


def causes(cluster, obj) -> list[tuple[str, str, str]]:
    """(reason, field, message) of every complaint about a new object."""
    with pytest.raises(Refused) as refused:
        cluster.create(obj)
    assert refused.value.status == 422
    return [(c["reason"], c["field"], c["message"]) for c in refused.value.body["details"]["causes"]]


def test_a_new_object_gets_defaults_and_loses_what_nobody_knows():
    cluster = with_kinds(a_crontab_definition())
    made = cluster.create({**a_crontab(unknown=1, replicas=None), "extra": True, "status": {"replicas": 3}})

    assert made["spec"] == {"cronSpec": "* * * * */5", "image": "busybox", "replicas": 1}
    assert "extra" not in made
    assert "status" not in made
    assert made["metadata"]["generation"] == 1


@pytest.mark.parametrize(("mode", "status"), [("Strict", 400), ("Warn", 201), ("Ignore", 201)])
def test_unknown_fields_are_refused_warned_of_or_ignored(mode, status):
    cluster = with_kinds(a_crontab_definition())
    body = a_crontab(b=1, a=[1])
    body["metadata"]["labls"] = {}
    request = {"type": "api", "method": "POST", "path": CRONTABS, "query": f"fieldValidation={mode}", "headers": {}}
    request["headers"] = {"content-type": "application/json"}

    answer = cluster.world.execute("one", {**request, "body": json.dumps(body)})

    assert answer.status == status
    warning = answer.headers.get("Warning", "")
    assert ('unknown field \\"spec.b\\"' in warning) == (mode == "Warn")
    if mode == "Strict":
        assert json.loads(answer.body)["message"] == (
            'CronTab in version "v1" cannot be handled as a CronTab: strict decoding error:'
            ' unknown field "metadata.labls", unknown field "spec.a", unknown field "spec.b"'
        )


def test_complaints_have_the_real_words():
    cluster = with_kinds(a_crontab_definition())
    told = causes(cluster, an_object(spec={"cronSpec": "x", "image": 1, "replicas": 11}))

    assert sorted(told) == sorted([
        ("FieldValueInvalid", "spec.cronSpec",
         'Invalid value: "x": spec.cronSpec in body should match \'^(\\d+|\\*)(/\\d+)?(\\s+(\\d+|\\*)(/\\d+)?){4}$\''),
        ("FieldValueTypeInvalid", "spec.image",
         'Invalid value: "integer": spec.image in body must be of type string: "integer"'),
        ("FieldValueInvalid", "spec.replicas",
         "Invalid value: 11: spec.replicas in body should be less than or equal to 10"),
    ])  # fmt: skip
    assert causes(cluster, an_object(spec={})) == [("FieldValueRequired", "spec.cronSpec", "Required value")]
    assert causes(cluster, an_object()) == [("FieldValueRequired", "spec", "Required value")]


WORDS = [
    ({"type": "string", "enum": ["a", "b"]}, "c", "NotSupported", 'Unsupported value: "c": supported values: "a", "b"'),
    ({"type": "string", "minLength": 2}, "c", "Invalid",
     'Invalid value: "c": spec.x in body should be at least 2 chars long'),
    ({"type": "string", "maxLength": 2}, "abc", "TooLong", "Too long: may not be more than 2 bytes"),
    ({"type": "string", "format": "date-time"}, "abc", "TypeInvalid",
     'Invalid value: "abc": spec.x in body must be of type date-time: "abc"'),
    ({"type": "array", "items": {"type": "string"}, "maxItems": 1}, ["a", "b"], "TooMany",
     "Too many: 2: must have at most 1 items"),
    ({"type": "array", "items": {"type": "string"}, "minItems": 1}, [], "Invalid",
     "Invalid value: 0: spec.x in body should have at least 1 items"),
    ({"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set"}, ["a", "a"], "Duplicate",
     'Duplicate value: "a"'),
    ({"x-kubernetes-int-or-string": True}, True, "TypeInvalid",
     'Invalid value: "boolean": spec.x in body must be of type integer,string: "boolean"'),
    ({"type": "number", "minimum": 0.5, "exclusiveMinimum": True}, 0.5, "Invalid",
     "Invalid value: 0.5: spec.x in body should be greater than 0.5"),
    ({"type": "integer", "multipleOf": 3}, 4, "Invalid", "Invalid value: 4: spec.x in body should be a multiple of 3"),
    ({"type": "object", "additionalProperties": {"type": "string"}, "maxProperties": 1}, {"a": "", "b": ""}, "TooMany",
     "Too many: 2: must have at most 1 items"),
]  # fmt: skip


@pytest.mark.parametrize(("schema", "value", "reason", "message"), WORDS)
def test_each_rule_of_a_schema_has_its_words(schema, value, reason, message):
    cluster = with_schema({"type": "object", "properties": {"x": schema}})

    told = causes(cluster, an_object(spec={"x": value}))

    assert told[0][0] == f"FieldValue{reason}"
    assert told[0][1].split("[")[0] == "spec.x"
    assert told[0][2] == message


def test_alternatives_are_told_without_a_place():
    pair = {"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "string"}}}
    cluster = with_schema({**pair, "oneOf": [{"required": ["a"]}, {"required": ["b"]}]})

    assert causes(cluster, an_object(spec={}))[0] == (
        "FieldValueInvalid", "<nil>",
        'Invalid value: "": "spec" must validate one and only one schema (oneOf). Found none valid',
    )  # fmt: skip
    assert causes(cluster, an_object(spec={"a": "", "b": ""})) == [(
        "FieldValueInvalid", "<nil>",
        'Invalid value: "": "spec" must validate one and only one schema (oneOf). Found 2 valid alternatives',
    )]  # fmt: skip


def test_a_pattern_that_would_keep_python_busy_for_years_is_answered_at_once():
    cluster = with_schema({"type": "object", "properties": {"x": {"type": "string", "pattern": "^(a+)+$"}}})

    assert causes(cluster, an_object(spec={"x": "a" * 5000 + "b"}))[0][1] == "spec.x"


def test_nobody_has_to_mend_what_was_valid_when_it_was_written():
    cluster = with_schema({"type": "object", "properties": {"x": {"type": "integer"}, "y": {"type": "integer"}}})
    cluster.create(an_object(spec={"x": 100, "y": 1}))
    tight = {"type": "object", "properties": {"x": {"type": "integer", "maximum": 9}, "y": {"type": "integer"}}}
    schema = {"openAPIV3Schema": {"type": "object", "properties": {"spec": tight}}}
    versions = [{"name": "v1", "served": True, "storage": True, "schema": schema}]
    cluster.patch(a_definition(), {"spec": {"versions": versions}})

    assert cluster.patch(an_object(), {"spec": {"y": 2}})["metadata"]["generation"] == 2
    with pytest.raises(Refused):
        cluster.patch(an_object(), {"spec": {"x": 101}})


def test_a_default_that_came_later_shows_at_once():
    cluster = with_schema({"type": "object", "properties": {"x": {"type": "integer"}}})
    cluster.create(an_object(spec={}))
    schema = {"type": "object", "properties": {"spec": {"type": "object", "properties": {
        "x": {"type": "integer", "default": 3}}}}}  # fmt: skip
    versions = [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}]
    cluster.patch(a_definition(), {"spec": {"versions": versions}})

    resource = cluster.world.server.kinds.by_kind("CronTab", "stable.example.com/v1")
    stored = cluster.get("crontabs.stable.example.com", "one")
    assert stored["spec"] == {}
    assert registry.present(resource, stored)["spec"] == {"x": 3}


def test_status_and_the_rest_are_kept_apart():
    cluster = with_kinds(a_crontab_definition())
    cluster.create(a_crontab())
    status = {"replicas": 2, "labelSelector": "app=x", "unknown": 1}

    reported = cluster.patch(a_crontab(), {"status": status, "spec": {"image": "other"}}, "status")
    assert reported["status"] == {"replicas": 2, "labelSelector": "app=x"}
    assert reported["spec"]["image"] == "busybox"
    assert reported["metadata"]["generation"] == 1

    changed = cluster.patch(a_crontab(), {"status": {"replicas": 9}, "spec": {"image": "other"}})
    assert changed["status"]["replicas"] == 2
    assert changed["metadata"]["generation"] == 2
    labelled = cluster.patch(a_crontab(), {"metadata": {"labels": {"a": "b"}}})
    assert labelled["metadata"]["generation"] == 2
    again = cluster.patch(a_crontab(), {"metadata": {"labels": {"a": "b"}}})
    assert again["metadata"]["resourceVersion"] == labelled["metadata"]["resourceVersion"]


def test_a_custom_object_is_scaled_by_its_paths():
    cluster = with_kinds(a_crontab_definition())
    cluster.create(a_crontab())
    cluster.patch(a_crontab(), {"status": {"replicas": 1, "labelSelector": "app=x"}}, "status")

    scale = cluster.patch(a_crontab(), {"spec": {"replicas": 4}}, "scale")
    assert (scale["kind"], scale["spec"], scale["status"]) == (
        "Scale", {"replicas": 4}, {"replicas": 1, "selector": "app=x"},
    )  # fmt: skip
    assert cluster.get("crontabs.stable.example.com", "one")["spec"]["replicas"] == 4
    with pytest.raises(Refused) as refused:
        cluster.patch(a_crontab(), {"spec": {"replicas": 50}}, "scale")
    assert "should be less than or equal to 10" in refused.value.body["message"]


def test_patches_are_json_and_merge_patches_only():
    cluster = with_kinds(a_crontab_definition())
    cluster.create(a_crontab())
    path = f"{CRONTABS}/one"

    patch = [{"op": "replace", "path": "/spec/image", "value": "x"}]
    assert cluster.request("PATCH", path, patch, "", "application/json-patch+json")["spec"]["image"] == "x"
    with pytest.raises(Refused) as refused:
        cluster.request("PATCH", path, {}, "", "application/strategic-merge-patch+json")
    assert refused.value.body["message"] == (
        "the body of the request was in an unknown format - accepted media types include:"
        " application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml"
    )


def test_two_versions_are_one_object():
    def version(name, storage, field):
        properties = {"spec": {"type": "object", "properties": {field: {"type": "string", "default": name}}}}
        schema = {"openAPIV3Schema": {"type": "object", "properties": properties}}
        return {"name": name, "served": True, "storage": storage, "schema": schema}

    cluster = with_kinds(a_definition(versions=[version("v1", True, "a"), version("v1beta1", False, "b")]))
    made = cluster.create(an_object(group="stable.example.com/v1beta1", spec={"a": "x"}))

    assert (made["apiVersion"], made["spec"]) == ("stable.example.com/v1beta1", {"b": "v1beta1"})
    stored = cluster.get("crontabs.stable.example.com", "one")
    assert (stored["apiVersion"], stored["spec"]) == ("stable.example.com/v1", {"b": "v1beta1"})
    changed = cluster.patch(an_object(), {"spec": {"a": "y"}})
    assert (changed["apiVersion"], changed["spec"]) == ("stable.example.com/v1", {"a": "y"})


def test_fields_of_no_schema_are_kept_where_the_schema_says_so():
    free = {"type": "object", "x-kubernetes-preserve-unknown-fields": True, "properties": {
        "known": {"type": "object", "properties": {"a": {"type": "string"}}}}}  # fmt: skip
    template = {"type": "object", "x-kubernetes-embedded-resource": True, "x-kubernetes-preserve-unknown-fields": True}
    cluster = with_schema({"type": "object", "properties": {"free": free, "template": template}})

    embedded = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, "spec": {"a": 1}}
    made = cluster.create(an_object(spec={"free": {"x": {"y": 1}, "known": {"a": "", "b": 1}}, "template": embedded}))
    assert made["spec"] == {"free": {"x": {"y": 1}, "known": {"a": ""}}, "template": embedded}
    told = causes(cluster, an_object(name="two", spec={"template": {"kind": "Pod"}}))
    assert told == [("FieldValueRequired", "spec.template.apiVersion", "Required value: must not be empty")]


def test_columns_print_what_their_paths_find():
    columns = [
        {"name": "Ready", "type": "string", "jsonPath": '.status.conditions[?(@.type=="Ready")].status'},
        {"name": "Ports", "type": "string", "jsonPath": ".spec.ports"},
        {"name": "First", "type": "integer", "jsonPath": ".spec.ports[0].port"},
        {"name": "On", "type": "boolean", "jsonPath": ".spec.on"},
        {"name": "Due", "type": "date", "jsonPath": ".spec.due"},
        {"name": "Gone", "type": "string", "jsonPath": ".spec.nothing", "priority": 1},
        {"name": "Label", "type": "string", "jsonPath": r".metadata.labels.app\.example\.com/name"},
    ]
    resource = with_kinds(a_definition(additionalPrinterColumns=columns)).world.server.kinds.by_kind(
        "CronTab", "stable.example.com/v1"
    )
    conditions = [{"type": "Old", "status": "False"}, {"type": "Ready", "status": "True"}]
    spec = {"ports": [{"port": 80}], "on": True, "due": times.rfc3339(EPOCH)}
    obj = an_object(spec=spec, status={"conditions": conditions})
    obj["metadata"]["labels"] = {"app.example.com/name": "shop"}

    made = table.table("", "", [obj], EPOCH + 120_000_000, {}, printer=resource.printer)

    assert [c["name"] for c in made["columnDefinitions"]] == [
        "Name", "Ready", "Ports", "First", "On", "Due", "Gone", "Label",
    ]  # fmt: skip
    assert made["rows"][0]["cells"] == ["one", "True", '[{"port":80}]', 80, True, "2m", None, "shop"]


def test_fields_can_be_selected_by():
    schema = {"type": "object", "properties": {"spec": {"type": "object", "properties": {"color": {"type": "string"}}}}}
    cluster = with_kinds(a_definition(schema=schema, selectableFields=[{"jsonPath": ".spec.color"}]))
    for name, color in (("one", "blue"), ("two", "red")):
        cluster.create(an_object(name=name, spec={"color": color}))

    cluster.request("DELETE", CRONTABS, query="fieldSelector=spec.color%3Dred")

    assert [obj["metadata"]["name"] for obj in cluster.objects("crontabs.stable.example.com")] == ["one"]
    with pytest.raises(Refused) as refused:
        cluster.request("DELETE", CRONTABS, query="fieldSelector=spec.size%3Dred")
    assert refused.value.body["message"] == "field label not supported: spec.size"


def test_a_structure_is_known_to_who_merges():
    items = {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}}
    listed = {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"], "items": items}
    cluster = with_schema({"type": "object", "properties": {"ports": listed}})
    resource = cluster.world.server.kinds.by_kind("CronTab", "stable.example.com/v1")

    structure = registry.type_of(resource)

    spec = structure.fields["spec"]
    assert (spec.fields["ports"].list_type, spec.fields["ports"].map_keys) == ("map", ("name",))
    assert structure.fields["metadata"].name == "ObjectMeta"
