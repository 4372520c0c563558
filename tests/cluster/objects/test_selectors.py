"""Label and field selectors, as text and as objects."""

import pytest

from cluster.objects import errors, fields, labels

WEB = {"app": "web", "tier": "front", "weight": "5"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "app=web",
        "app==web",
        "app in (web,db)",
        "tier notin (back)",
        "app",
        "!gone",
        "app!=db",
        "weight>4",
        "weight<6",
        "app=web,tier",
    ],
)
def test_a_selector_chooses_what_it_describes(text):
    assert labels.parse(text).matches(WEB)


@pytest.mark.parametrize("text", ["app=db", "app notin (web)", "!app", "gone", "weight>5", "app!=web", "app in (db)"])
def test_a_selector_leaves_what_it_does_not_describe(text):
    assert not labels.parse(text).matches(WEB)


@pytest.mark.parametrize("text", ["app in (", "a b", "app=web,", "!!"])
def test_a_broken_selector_is_a_bad_request(text):
    with pytest.raises(errors.BadRequest):
        labels.parse(text)


def test_an_empty_selector_object_chooses_everything_and_none_chooses_nothing():
    assert labels.matches({}, WEB)
    assert not labels.matches(None, WEB)


def test_a_selector_object_needs_all_its_conditions():
    expressions = [{"key": "tier", "operator": "In", "values": ["front"]}, {"key": "gone", "operator": "DoesNotExist"}]

    assert labels.matches({"matchLabels": {"app": "web"}, "matchExpressions": expressions}, WEB)
    assert not labels.matches({"matchLabels": {"app": "db"}, "matchExpressions": expressions}, WEB)


def test_an_empty_map_as_services_have_it_chooses_nothing():
    assert not labels.matches_map({}, WEB)
    assert labels.matches_map({"app": "web"}, WEB)


def test_field_selectors_compare_text_and_know_what_is_missing():
    found = fields.parse("spec.nodeName=worker-1,status.phase!=Running")

    assert [(r.path, r.equal, r.value) for r in found] == [
        ("spec.nodeName", True, "worker-1"),
        ("status.phase", False, "Running"),
    ]
    assert fields.at({"spec": {"unschedulable": True}}, "spec.unschedulable") == "true"
    assert fields.at({"spec": {}}, "spec.nodeName") == ""


def test_a_field_selector_without_operator_is_a_bad_request():
    with pytest.raises(errors.BadRequest, match="invalid selector"):
        fields.parse("metadata.name")
