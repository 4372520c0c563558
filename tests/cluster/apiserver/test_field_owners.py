"""Who owns which field: what holds for any sequence of writes, and what kubectl and our own components leave behind."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.apiserver import fieldmanager, registry
from cluster.apiserver.fieldmanager import kubelets, managers, sets, typed
from cluster.objects import Manifest
from tests.builders import a_cluster, a_deployment
from tests.cluster.apiserver.replay import Api

MANAGERS, KEYS = st.sampled_from(("alpha", "beta", "gamma")), st.sampled_from("abcd")
DATA = st.dictionaries(KEYS, st.sampled_from("123"), max_size=4)
PATH = "/api/v1/namespaces/shop/configmaps/conf"


def applied(api: Api, manager: str, data: dict[str, str], force: bool = True) -> tuple[int, Manifest]:
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "conf"}, "data": data}
    query = f"?fieldManager={manager}" + ("&force=true" if force else "")
    return api.ask("PATCH", PATH + query, body, "application/apply-patch+yaml")


def owners(obj: Manifest) -> dict[str, set[str]]:
    """Manager to the keys of `data` that it owns."""
    found: dict[str, set[str]] = {}
    for entry in obj["metadata"].get("managedFields", []):
        names = entry["fieldsV1"].get("f:data", {})
        found.setdefault(entry["manager"], set()).update(name[2:] for name in names if name != ".")
    return found


@given(st.lists(st.tuples(MANAGERS, DATA), min_size=1, max_size=8))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_what_is_applied_is_there_and_what_nobody_applies_any_more_is_not(steps: list[tuple[str, dict[str, str]]]):
    api, wanted = Api().with_namespace("shop"), dict[str, dict[str, str]]()
    for manager, data in steps:
        status, answer = applied(api, manager, data)
        assert status in (200, 201), answer
        for other, theirs in wanted.items():  # By force: who said something else has lost it.
            if other != manager:
                wanted[other] = {k: v for k, v in theirs.items() if data.get(k, v) == v}
        wanted[manager] = data

        together = {key: value for theirs in wanted.values() for key, value in theirs.items()}
        assert answer.get("data", {}) == together
        assert {m: keys for m, keys in owners(answer).items() if keys} == {m: set(d) for m, d in wanted.items() if d}


@given(st.lists(st.tuples(MANAGERS, DATA), min_size=1, max_size=6))
@settings(max_examples=40, deadline=None, derandomize=True)
def test_the_same_apply_twice_writes_once(steps: list[tuple[str, dict[str, str]]]):
    api = Api().with_namespace("shop")
    for manager, data in steps:
        applied(api, manager, data)
    before = api.store.revision

    applied(api, *steps[-1])

    assert api.store.revision == before


@given(st.lists(st.tuples(MANAGERS, DATA), min_size=2, max_size=6))
@settings(max_examples=40, deadline=None, derandomize=True)
def test_without_force_nobody_loses_a_field(steps: list[tuple[str, dict[str, str]]]):
    api = Api().with_namespace("shop")
    before: Manifest = {}
    for manager, data in steps:
        status, answer = applied(api, manager, data, force=False)
        if status == 409:
            assert api.read("ConfigMap", "shop", "conf") == before
            continue
        for other, keys in owners(before).items() if before else ():
            assert other == manager or keys <= owners(answer)[other]
        before = api.read("ConfigMap", "shop", "conf") or {}


TREES = st.recursive(
    st.just({}),
    lambda below: st.dictionaries(st.sampled_from(("f:a", "f:b", 'k:{"n":1}', 'v:"x"', ".")), below, max_size=3),
)


@given(TREES)
@settings(max_examples=100, deadline=None, derandomize=True)
def test_a_set_of_fields_survives_being_written_and_read(tree: Manifest):
    fields = sets.parse(tree)

    assert sets.parse(sets.write(fields)) == fields


def test_a_kubelets_short_way_owns_what_the_long_way_would():
    cluster = a_cluster(nodes=2)
    compared = []
    short = kubelets.report

    def both(stored: list[Manifest], old: Manifest, new: Manifest, now: str) -> Any:
        told = short(stored, old, new, now)
        if told is not None:
            compared.append((told, long_way(stored, old, new, now)))
        return told

    kubelets.report = both  # Looked at, not replaced: the answer is its own.
    try:
        cluster.with_objects(a_deployment("web", replicas=3)).settle()
        cluster.power_off("worker-1")
        cluster.run_for(400)
        cluster.power_on("worker-1")
        cluster.run_for(60)
    finally:
        kubelets.report = short
    assert len(compared) > 5
    for ours, theirs in compared:
        assert told(ours) == told(theirs)


def told(entries: list[Manifest]) -> list[str]:
    """To the letter, but for the order of entries made in one second."""
    return sorted(json.dumps(entry) for entry in entries)


def long_way(stored: list[Manifest], old: Manifest, new: Manifest, now: str) -> list[Manifest]:
    """The comparison field by field, of which the short way is a shortcut."""
    kind = registry.type_of(registry.by_kind("Pod"))
    assert kind is not None
    managed = managers.read(stored)
    difference = typed.compare(kind, {"status": old}, {"status": new})
    taken = difference.added | difference.modified
    for manager, entry in managed.items():
        managed[manager] = entry._replace(fields=entry.fields - taken - difference.removed)
    before = managed.get(kubelets.KUBELET)
    fields = taken | before.fields if before else taken
    managed[kubelets.KUBELET] = managers.Entry(fields, "v1", now)
    return managers.write({m: e for m, e in managed.items() if e.fields})


def test_our_own_components_are_the_managers_of_what_they_wrote():
    cluster = a_cluster(nodes=1).with_objects(a_deployment("web", replicas=1)).settled()

    pod = cluster.pods_of("web")[0]
    deployment = cluster.get("Deployment", "web")

    assert [(e["manager"], e.get("subresource", "")) for e in pod["metadata"]["managedFields"]] == [
        ("kube-controller-manager", ""),
        ("kubelet", "status"),
    ]
    assert {(e["manager"], e.get("subresource", "")) for e in deployment["metadata"]["managedFields"]} >= {
        ("kube-controller-manager", "status")
    }


def test_an_update_is_named_after_the_client_that_made_it():
    assert fieldmanager.manager_name("", "kubectl-create/v1.37.1 (linux/amd64) kubernetes/abc") == "kubectl-create"
    assert fieldmanager.manager_name("mine", "curl/8") == "mine"


def test_the_eleventh_update_manager_makes_the_oldest_ancient():
    api = Api().with_namespace("shop")
    first = {"metadata": {"name": "conf"}, "data": {"k": "v"}}
    api.ask("POST", "/api/v1/namespaces/shop/configmaps?fieldManager=first", first)
    for number in range(12):
        path = f"{PATH}?fieldManager=m{number}"
        _, answer = api.ask("PATCH", path, {"data": {f"k{number}": "v"}}, "application/merge-patch+json")

    names = [entry["manager"] for entry in answer["metadata"]["managedFields"]]
    assert len(names) == 10
    assert "ancient-changes" in names
