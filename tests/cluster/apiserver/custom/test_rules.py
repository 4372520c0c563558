"""Rules in CEL: refused when they are wrong, and complaining as they are told to."""

import pytest

from tests.builders import Refused, TestCluster, a_cluster
from tests.cluster.apiserver.custom.definitions import a_definition, an_object, with_rules

INT, TEXT = {"type": "integer"}, {"type": "string"}


def with_kinds(*definitions) -> TestCluster:
    return a_cluster(nodes=0).with_objects(*definitions).run_for(1)


def complaints(call, *arguments) -> list[tuple[str, str, str]]:
    with pytest.raises(Refused) as refused:
        call(*arguments)
    assert refused.value.status == 422, refused.value.body
    return [(c["reason"], c["field"], c["message"]) for c in refused.value.body["details"]["causes"]]


def test_a_rule_complains_in_its_own_words_or_in_the_usual_ones():
    cluster = with_kinds(with_rules(
        {"rule": "self.least <= self.most"},
        {"rule": "self.least >= 0", "message": "least must not be negative", "fieldPath": ".least"},
        {"rule": "self.most < 100", "messageExpression": "'most is %d'.format([self.most])",
         "reason": "FieldValueForbidden"},
        least=INT, most=INT,
    ))  # fmt: skip

    told = complaints(cluster.create, an_object(spec={"least": 300, "most": 200}))
    assert told == [
        ("FieldValueInvalid", "spec", 'Invalid value: "object": failed rule: self.least <= self.most'),
        ("FieldValueForbidden", "spec", "Forbidden: most is 200"),
    ]
    told = complaints(cluster.create, an_object(spec={"least": -1, "most": 2}))
    assert told == [("FieldValueInvalid", "spec.least", 'Invalid value: "object": least must not be negative')]
    told = complaints(cluster.create, an_object(spec={"most": 2}))
    assert told[0][2] == (
        'Invalid value: "object": no such key: least evaluating rule: failed rule: self.least <= self.most'
    )
    assert cluster.create(an_object(spec={"least": 1, "most": 2}))


def test_a_transition_rule_waits_for_a_change():
    cluster = with_kinds(with_rules(
        {"rule": "self.size >= oldSelf.size", "message": "it may only grow"},
        {"rule": "oldSelf.hasValue() || self.size < 10", "optionalOldSelf": True, "message": "begin small"},
        size=INT,
    ))  # fmt: skip

    assert complaints(cluster.create, an_object(spec={"size": 50}))[0][2].endswith("begin small")
    cluster.create(an_object(spec={"size": 5}))
    assert complaints(cluster.patch, an_object(), {"spec": {"size": 3}})[0][2].endswith("it may only grow")
    assert cluster.patch(an_object(), {"spec": {"size": 50}})["spec"] == {"size": 50}


def test_rules_see_dates_sets_and_escaped_names():
    listed = {"type": "array", "items": TEXT, "x-kubernetes-list-type": "set"}
    cluster = with_kinds(with_rules(
        {"rule": "self.until > timestamp('2026-01-01T00:00:00Z') && self.wait < duration('1h')"},
        {"rule": "self.tags == ['b', 'a'] && self.tags + ['a', 'c'] == ['a', 'b', 'c']"},
        {"rule": "self.a__dash__b == 1 && self.__namespace__ == 'x'"},
        until={"type": "string", "format": "date-time"}, wait={"type": "string", "format": "duration"}, tags=listed,
        namespace=TEXT, **{"a-b": INT},
    ))  # fmt: skip

    spec = {"until": "2026-06-01T00:00:00Z", "wait": "30m", "tags": ["a", "b"], "a-b": 1, "namespace": "x"}
    assert cluster.create(an_object(spec=spec))


def test_rules_of_the_root_see_the_name():
    rule = {"rule": "self.metadata.name.startsWith('good-')"}
    schema = {"type": "object", "x-kubernetes-validations": [rule]}
    cluster = with_kinds(a_definition(schema=schema))

    assert complaints(cluster.create, an_object())[0][1] == "<nil>"
    assert cluster.create(an_object(name="good-one"))


def test_rules_wait_for_an_object_that_is_sound():
    cluster = with_kinds(with_rules({"rule": "self.n > 5"}, n=INT))

    told = complaints(cluster.create, an_object(spec={"n": "x"}))

    assert told[-1][2].startswith("Invalid value: null: some validation rules were not checked because the object")


WRONG = [
    ({"rule": "self.nothing == 1"}, "rule", "compilation failed: ERROR: <input>:1:5: undefined field 'nothing'\n"
     " | self.nothing == 1\n | ....^"),
    ({"rule": "self.n"}, "rule", "cel expression must evaluate to a bool"),
    ({"rule": "self.n == 'a'"}, "rule", "found no matching overload for '_==_' applied to '(int, string)'"),
    ({"rule": ""}, "rule", "Required value: rule is not specified"),
    ({"rule": "self.n\n > 1"}, "message", "Required value: message must be specified if rule contains line breaks"),
    ({"rule": "self.n > 1", "messageExpression": "1"}, "messageExpression", "must evaluate to a string"),
    ({"rule": "self.n > 1", "fieldPath": ".zz"}, "fieldPath", "does not refer to a valid field"),
    ({"rule": "self.n > 1", "reason": "Other"}, "reason", 'Unsupported value: "Other"'),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "part", "message"), WRONG)
def test_a_wrong_rule_is_refused_with_its_definition(rule, part, message):
    told = complaints(a_cluster(nodes=0).create, with_rules(rule, n=INT))

    assert told[0][1] == (f"spec.validation.openAPIV3Schema.properties[spec].x-kubernetes-validations[0].{part}")
    assert message in told[0][2]


def test_a_rule_that_costs_too_much_is_an_answer_and_no_wait():
    listed = {"type": "array", "items": INT}
    cluster = with_kinds(with_rules({"rule": "self.l.all(a, self.l.all(b, self.l.all(c, a + b + c >= 0)))"}, l=listed))

    told = complaints(cluster.create, an_object(spec={"l": list(range(300))}))

    assert "call cost exceeds limit for rule" in told[0][2]
