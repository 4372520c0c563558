"""Quantities and selectors, against what Kubernetes' own libraries answer (tools/go_answers made the file)."""

import json
from pathlib import Path
from typing import Any

import pytest

from cluster.objects import errors, fields, labels, quantity

ANSWERS = Path(__file__).parents[2] / "golden" / "objects" / "answers.jsonl"
SETS: tuple[dict[str, str], ...] = ({}, {"a": ""}, {"a": "b"}, {"a": "5"}, {"a": "b", "x/y": "c"}, {"in": "a"})


def answers(kind: str) -> list[tuple[str, Any]]:
    found = [json.loads(line) for line in ANSWERS.read_text().splitlines()]
    return [(text, answer) for asked, text, answer in found if asked == kind]


def our_quantity(text: str) -> Any:
    try:
        texts = [quantity.canonical(text), quantity.canonical_resource(text)]
    except ValueError:
        return None
    return [*texts, quantity.value(text), quantity.milli(text)]


def our_labels(text: str) -> Any:
    try:
        selector = labels.parse(text)
    except errors.BadRequest as error:
        return error.message
    return [selector.matches(found) for found in SETS]


def our_fields(text: str) -> Any:
    try:
        return [[r.path, "=" if r.equal else "!=", r.value] for r in fields.parse(text)]
    except errors.BadRequest as error:
        return error.message


@pytest.mark.parametrize(("kind", "ours"), [("quantity", our_quantity), ("labels", our_labels), ("fields", our_fields)])
def test_every_answer_of_the_real_libraries_is_ours_too(kind: str, ours: Any):
    cases = answers(kind)

    assert len(cases) >= 150
    assert {text: ours(text) for text, _ in cases} == dict(cases)


@pytest.mark.parametrize("text", ["1e999999999", "9" * 100_000, "1e-999999999", "0." + "0" * 100_000 + "1"])
def test_monstrous_quantities_cost_nothing(text: str):
    assert len(quantity.canonical_resource(text)) < 200


def test_a_quantity_is_refused_for_its_suffix_or_for_its_form():
    assert quantity.refusal("1mi") == "unable to parse quantity's suffix"
    assert quantity.refusal("much") == quantity.MUST_MATCH
    assert quantity.refusal("") == quantity.MUST_MATCH


def test_selector_objects_mean_the_same_as_their_text():
    expressions = [{"key": "tier", "operator": "NotIn", "values": ["a"]}, {"key": "app", "operator": "Exists"}]
    selector = {"matchLabels": {"app": "web"}, "matchExpressions": expressions}

    for found in ({"app": "web"}, {"app": "web", "tier": "a"}, {"tier": "b"}, {}):
        assert labels.matches(selector, found) == labels.parse("app=web,tier notin (a),app").matches(found)


def test_no_selector_selects_nothing_and_an_empty_one_everything():
    assert not labels.matches(None, {"a": "b"})
    assert labels.matches({}, {"a": "b"})
    assert not labels.matches_map({}, {"a": "b"}), "a Service without a selector has no pods of its own"
