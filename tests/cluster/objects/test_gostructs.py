"""Templates have the names that the real controllers give them.

tests/golden/template_hashes holds what Go's own code says (tools/template_hash); that the recorded ReplicaSets,
DaemonSets and StatefulSets are called as recorded is part of tests/replay.
"""

import json
from pathlib import Path

import pytest

from cluster.objects import gostructs, workloads

CASES = json.loads((Path(__file__).parents[2] / "golden" / "template_hashes" / "hashes.json").read_text())


@pytest.mark.parametrize("case", CASES, ids=[case["hash"] for case in CASES])
def test_a_template_is_named_as_go_names_it(case: dict) -> None:
    assert gostructs.hash_of_template(case["template"]) == case["hash"]


def test_after_a_collision_a_template_has_another_name() -> None:
    template = CASES[0]["template"]

    names = {workloads.template_hash(template, collisions) for collisions in (None, 0, 1, 2)}

    assert len(names) == 4


def test_an_empty_list_counts_as_none_and_an_empty_object_does_not() -> None:
    bare = {"spec": {"containers": [{"name": "a"}]}}

    assert gostructs.printed({"spec": {"containers": [{"name": "a", "args": []}]}}) == gostructs.printed(bare)
    assert gostructs.printed({"spec": {**bare["spec"], "securityContext": {}}}) != gostructs.printed(bare)
