"""Custom kinds live beside built-in ones, and are never mixed up with them."""

import pytest

from cluster.apiserver import commits, discovery
from cluster.objects import conditions
from cluster.world import World, replay
from tests.builders import Refused, TestCluster, a_cluster, a_service
from tests.cluster.apiserver.custom.definitions import a_crontab, a_crontab_definition, a_definition, an_object

KNATIVE = "serving.knative.dev"


def with_kinds(*definitions, nodes=0) -> TestCluster:
    """A cluster in which these definitions are established."""
    return a_cluster(nodes=nodes).with_objects(*definitions).run_for(1)


def test_a_definition_is_established_within_a_second():
    cluster = a_cluster(nodes=0)
    with pytest.raises(Refused) as refused:
        cluster.request("POST", "/apis/stable.example.com/v1/namespaces/default/crontabs", a_crontab())
    assert refused.value.status == 404

    made = cluster.create(a_crontab_definition())
    cluster.run_for(1)

    assert made["status"]["conditions"] is None
    found = cluster.get("CustomResourceDefinition", "crontabs.stable.example.com", "")
    told = [(c["type"], c["status"], c["reason"], c["message"]) for c in found["status"]["conditions"]]
    assert told == [
        ("NamesAccepted", "True", "NoConflicts", "no conflicts found"),
        ("Established", "True", "InitialNamesAccepted", "the initial names have been accepted"),
    ]
    assert found["status"]["acceptedNames"]["listKind"] == "CronTabList"
    assert cluster.create(a_crontab())["metadata"]["generation"] == 1


def test_a_kind_may_have_the_name_of_a_built_in_one():
    cluster = with_kinds(a_definition("Service", KNATIVE), a_definition("Service", "other.example.com"))
    cluster.create(a_service("web"))

    cluster.create(an_object("Service", "web", f"{KNATIVE}/v1", spec={"template": {}}))
    cluster.create(an_object("Service", "web", "other.example.com/v1"))

    keys = [key for key in cluster.world.store.head if "/services" in key and key.endswith("/web")]
    assert keys == [
        "/registry/services/specs/default/web",
        "/registry/serving.knative.dev/services/default/web",
        "/registry/other.example.com/services/default/web",
    ]
    assert cluster.get("Service", "web")["spec"]["clusterIP"]
    assert "clusterIP" not in cluster.get(f"services.{KNATIVE}", "web").get("spec", {})


def test_a_conflicting_name_is_accepted_when_the_other_definition_is_gone():
    first = a_definition("CronTab", names={"shortNames": ["ct"]})
    second = a_definition("Contract", names={"shortNames": ["ct"], "kind": "CronTab", "listKind": "CronTabList"})
    cluster = with_kinds(first).with_objects(second).run_for(1)

    name = "contracts.stable.example.com"
    found = cluster.get("CustomResourceDefinition", name)
    told = [(c["type"], c["status"], c["reason"], c["message"]) for c in found["status"]["conditions"]]
    assert told == [
        ("NamesAccepted", "False", "ListKindConflict", '"CronTabList" is already in use'),
        ("Established", "False", "NotAccepted", "not all names are accepted"),
    ]

    cluster.delete(first)
    cluster.run_for(2)
    assert conditions.is_true(cluster.get("CustomResourceDefinition", name), "Established")


def test_discovery_tells_of_a_kind_while_it_is_there():
    cluster = with_kinds(a_crontab_definition())
    kinds = cluster.world.server.kinds

    listed = discovery.resource_list("stable.example.com", "v1", kinds)
    assert [entry["name"] for entry in listed["resources"]] == ["crontabs", "crontabs/status", "crontabs/scale"]
    assert listed["resources"][0]["shortNames"] == ["ct"]
    assert discovery.group_list(kinds)["groups"][-1]["name"] == "stable.example.com"
    assert discovery.group("stable.example.com") is None

    cluster.delete(a_crontab_definition())
    cluster.run_for(1)
    assert discovery.group("stable.example.com", kinds) is None


def test_versions_are_listed_best_first():
    names = ("foo1", "v11alpha2", "v10", "v1", "v3beta1", "foo10", "v12alpha1", "v11beta2", "v10beta3")
    schema = {"openAPIV3Schema": {"type": "object"}}
    versions = [{"name": name, "served": True, "storage": name == "v1", "schema": schema} for name in names]
    kinds = with_kinds(a_definition(versions=versions)).world.server.kinds

    assert discovery.versions_of("stable.example.com", kinds) == (
        "v10", "v1", "v11beta2", "v10beta3", "v3beta1", "v12alpha1", "v11alpha2", "foo1", "foo10",
    )  # fmt: skip


def test_a_deleted_definition_takes_its_objects_with_it():
    cluster = with_kinds(a_crontab_definition())
    cluster.create(a_crontab("one"))
    held = a_crontab("held")
    held["metadata"]["finalizers"] = ["example.com/wait"]
    cluster.create(held)

    answer = cluster.delete(a_crontab_definition())
    cluster.run_for(1)

    assert answer["metadata"]["finalizers"] == ["customresourcecleanup.apiextensions.k8s.io"]
    assert [obj["metadata"]["name"] for obj in cluster.objects("crontabs.stable.example.com")] == ["held"]
    with pytest.raises(Refused) as refused:
        cluster.create(a_crontab("late"))
    assert refused.value.body["message"] == "create not allowed while custom resource definition is terminating"
    cluster.patch(held, {"metadata": {"finalizers": None}})
    cluster.run_for(10)
    assert cluster.get("CustomResourceDefinition", "crontabs.stable.example.com") is None


def test_a_kind_that_is_no_longer_served_can_still_be_deleted():
    cluster = with_kinds(a_crontab_definition())
    cluster.create(a_crontab("one"))
    version = {**a_crontab_definition()["spec"]["versions"][0], "served": False}
    cluster.patch(a_crontab_definition(), {"spec": {"versions": [version]}})

    assert cluster.world.server.kinds.by_path("stable.example.com", "v1", "crontabs") is None
    cluster.delete(a_crontab_definition())
    cluster.run_for(1)

    assert not cluster.objects("crontabs.stable.example.com")
    assert cluster.get("CustomResourceDefinition", "crontabs.stable.example.com") is None


def test_a_deleted_namespace_takes_its_custom_objects_with_it():
    cluster = with_kinds(a_crontab_definition())
    cluster.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "team"}})
    cluster.request("POST", "/apis/stable.example.com/v1/namespaces/team/crontabs", a_crontab())

    cluster.request("DELETE", "/api/v1/namespaces/team")
    cluster.run_for(30)

    assert cluster.get("Namespace", "team") is None
    assert not cluster.objects("crontabs.stable.example.com")


def test_custom_objects_own_and_are_owned():
    cluster = with_kinds(a_crontab_definition(), a_definition("Service", KNATIVE))
    owner = cluster.create(a_crontab("owner"))
    other = cluster.create(an_object("Service", "child", f"{KNATIVE}/v1"))
    built_in = cluster.create(a_service("child"))
    reference = {"apiVersion": owner["apiVersion"], "kind": "CronTab", "name": "owner", "uid": owner["metadata"]["uid"]}
    for child in (other, built_in):
        cluster.patch(child, {"metadata": {"ownerReferences": [reference]}})

    cluster.delete(owner)
    cluster.run_for(5)

    assert cluster.get(f"services.{KNATIVE}", "child") is None
    assert cluster.get("Service", "child") is None


def test_a_world_with_custom_kinds_is_rebuilt_and_lived_again():
    cluster = with_kinds(a_crontab_definition(), a_definition("Service", KNATIVE), nodes=1)
    cluster.with_objects(a_crontab(), an_object("Service", "web", f"{KNATIVE}/v1"), a_service("web"))
    world = cluster.run_for(5).world

    fork = world.fork()
    assert fork.dump() == world.dump()
    TestCluster(fork).delete(a_crontab_definition())
    cluster.delete(a_crontab_definition())
    for one in (world, fork):
        TestCluster(one).run_for(20)
    assert [w.value for w in fork.history] == [w.value for w in world.history[-len(fork.history) :]]
    assert commits.digest(replay(world.export(), 7).revisions()) == commits.digest(world.revisions())


def test_objects_outlive_a_definition_whose_finalizer_was_taken_away():
    cluster = with_kinds(a_crontab_definition())
    held = a_crontab("held")
    held["metadata"]["finalizers"] = ["example.com/wait"]
    cluster.create(held)
    cluster.delete(a_crontab_definition())
    cluster.patch(a_crontab_definition(), {"metadata": {"finalizers": None}})
    cluster.run_for(1)

    fork = World.restore(cluster.world.checkpoint_body(), cluster.world.objects())
    assert fork.dump() == cluster.world.dump()
    cluster.create(a_crontab_definition())
    cluster.run_for(1)
    assert cluster.patch(held, {"metadata": {"finalizers": None}})["metadata"]["name"] == "held"
