"""The short way of statuses and renewals comes to what the long way would, or is not taken."""

import json
from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.apiserver import fieldmanager, registry
from cluster.apiserver.fieldmanager import counts, managers
from cluster.apiserver.fieldmanager.managers import UPDATE, Manager
from cluster.objects import Manifest
from tests.builders import a_cluster, a_deployment

NOW, LATER = "2026-11-24T02:20:00Z", "2026-11-24T02:20:09Z"
CONTROLLER = Manager("kube-controller-manager", UPDATE, "apps/v1", "status")

NUMBERS = st.dictionaries(
    st.sampled_from(("replicas", "readyReplicas", "availableReplicas", "observedGeneration")), st.integers(0, 3)
)
CONDITION = st.fixed_dictionaries(
    {"status": st.sampled_from(("True", "False"))},
    optional={"reason": st.sampled_from(("A", "B")), "message": st.sampled_from(("", "x"))},
)
CONDITIONS = st.dictionaries(st.sampled_from(("Available", "Progressing")), CONDITION, max_size=2)
STATUSES = st.builds(
    lambda numbers, conditions: (
        numbers | ({"conditions": [{"type": t, **c} for t, c in conditions.items()]} if conditions else {})
    ),
    NUMBERS,
    CONDITIONS,
)


def long_way(kind: str, stored: list[Manifest], old: Manifest, new: Manifest, who: Manager) -> list[Manifest]:
    resource = registry.by_kind(kind)
    type_ = registry.type_of(resource)
    assert type_ is not None
    managed = managers.read(stored)
    fieldmanager._update(type_, resource, old, new, managed, who, LATER)
    return managers.write(managed)


def reports(kind: str, owner: Manager, first: Manifest, then: list[Manifest]) -> None:
    """One report after the other, the long way; every answer of the short way must be the same to the letter."""
    stored = long_way(kind, [], {}, {"status": first}, owner)
    old = first
    for new, who in zip(then, (owner, Manager("other", UPDATE, "apps/v1", "status"), owner, owner), strict=False):
        expected = long_way(kind, stored, {"status": old}, {"status": new}, who)
        told = counts.report(stored, old, new, who, LATER) if new != old else None
        assert told is None or json.dumps(told) == json.dumps(expected)
        stored, old = expected, new


@given(STATUSES, st.lists(STATUSES, max_size=4))
@settings(max_examples=300, deadline=None, derandomize=True)
def test_whatever_a_controller_counts_the_short_way_says_what_the_long_way_says(first: Manifest, then: list[Manifest]):
    reports("Deployment", CONTROLLER, first, then)


@given(STATUSES, st.integers(4, 9))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_a_number_that_its_owner_changes_goes_the_short_way(status: Manifest, number: int):
    first = {**status, "replicas": 1}
    stored = long_way("Deployment", [], {}, {"status": first}, CONTROLLER)

    told = counts.report(stored, first, {**first, "replicas": number}, CONTROLLER, LATER)

    assert told is not None
    assert told[0]["fieldsV1"] is stored[0]["fieldsV1"]
    assert told[0]["time"] == LATER


@given(STATUSES, st.sampled_from(("replicas", "reason")))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_a_change_of_what_nobody_owns_yet_goes_the_long_way(status: Manifest, lost: str):
    conditions = [{"type": "Available", "status": "True", "reason": "A"}]
    first: Manifest = {**status, "replicas": 1, "conditions": conditions}
    later = [{**conditions[0], "reason": "B"}] if lost == "reason" else conditions
    stored = long_way("Deployment", [], {}, {"status": first}, CONTROLLER)
    gone = json.dumps(stored[0]).replace(f'"f:{lost}": {{}}, ', "").replace(f', "f:{lost}": {{}}', "")

    new = {**first, "conditions": later, "replicas": 2 if lost == "replicas" else 1}
    told = counts.report([json.loads(gone)], first, new, CONTROLLER, LATER)

    assert gone != json.dumps(stored[0])
    assert told is None


def compared(taken: str, act: Callable[[], Any]) -> list[tuple[list[Manifest], tuple[Any, ...]]]:
    """Answers of a short way while `act` runs, and what it was asked."""
    found, short = [], getattr(counts, taken)

    def both(*asked: Any) -> Any:
        told = short(*asked)
        if told is not None:
            found.append((told, asked))
        return told

    setattr(counts, taken, both)  # Looked at, not replaced: the answer is its own.
    try:
        act()
    finally:
        setattr(counts, taken, short)
    return found


def test_nodes_and_workloads_of_a_living_cluster_go_the_short_way_to_the_same_end():
    cluster = a_cluster(nodes=2)

    def live() -> None:
        cluster.with_objects(a_deployment("web", replicas=4)).settle()
        cluster.scale(a_deployment("web"), 1)
        cluster.run_for(400)

    found = compared("report", live)

    kinds = set()
    for told, (stored, old, new, who, now) in found:
        kind = "Node" if "images" in new or "nodeInfo" in new else "Deployment"
        kinds.add(kind)
        expected = long_way(kind, stored, {"status": old}, {"status": new}, who)
        at = json.dumps(expected).replace(LATER, now)
        assert sorted(json.loads(at), key=json.dumps) == sorted(told, key=json.dumps)
    assert kinds == {"Node", "Deployment"}
    assert len(found) > 6


def test_a_lease_is_renewed_the_short_way_to_the_same_end():
    cluster = a_cluster(nodes=2)

    found = compared("renewal", lambda: cluster.run_for(30))

    assert len(found) > 4
    for told, (stored, old, new, who, now) in found:
        expected = json.dumps(long_way("Lease", stored, bare(old), bare(new), who)).replace(LATER, now)
        assert json.dumps(told) == expected


def bare(obj: Manifest) -> Manifest:
    metadata = {name: value for name, value in obj["metadata"].items() if name != "managedFields"}
    return {**obj, "metadata": metadata}


def test_a_lease_that_somebody_else_renews_goes_the_long_way():
    cluster = a_cluster(nodes=1)
    lease = next(each for each in cluster.objects("Lease") if each["metadata"]["namespace"] == "kube-node-lease")
    new = {**lease, "spec": {**lease["spec"], "renewTime": "2026-11-24T03:00:00.000000Z"}}
    other = Manager("somebody", UPDATE, "coordination.k8s.io/v1")

    assert counts.renewal(lease["metadata"]["managedFields"], lease, new, other, NOW) is None
