"""Namespaces: what each gets by itself, and how one is emptied."""

from cluster.objects import conditions, meta
from tests.builders import TestCluster, a_cluster, a_deployment, a_pod, a_service

FINE = [
    ("NamespaceDeletionDiscoveryFailure", "False", "ResourcesDiscovered"),
    ("NamespaceDeletionGroupVersionParsingFailure", "False", "ParsedGroupVersions"),
    ("NamespaceDeletionContentFailure", "False", "ContentDeleted"),
    ("NamespaceContentRemaining", "False", "ContentRemoved"),
    ("NamespaceFinalizersRemaining", "False", "ContentHasNoFinalizers"),
]


def a_namespace(name: str):
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def inside(namespace: str, obj):
    return {**obj, "metadata": {**obj["metadata"], "namespace": namespace}}


def a_team(*objects) -> TestCluster:
    cluster = a_cluster(nodes=2).with_objects(a_namespace("team")).run_for(1)
    return cluster.with_objects(*(inside("team", obj) for obj in objects)).settled()


def verdicts(cluster: TestCluster) -> list[tuple[str, str, str]]:
    status = cluster.get("Namespace", "team")["status"]
    return [(c["type"], c["status"], c["reason"]) for c in status["conditions"]]


def test_a_new_namespace_gets_an_account_and_the_root_certificate():
    cluster = a_cluster(nodes=1, ca="-----BEGIN CERTIFICATE-----").with_objects(a_namespace("team"))
    cluster.run_for(1)

    assert cluster.get("ServiceAccount", "default", "team") is not None
    assert cluster.get("ConfigMap", "kube-root-ca.crt", "team")["data"] == {"ca.crt": "-----BEGIN CERTIFICATE-----"}


def test_what_belongs_to_each_namespace_comes_back_when_it_is_deleted_or_spoiled():
    cluster = a_cluster(nodes=1, ca="the real one").with_objects(a_namespace("team")).run_for(1)

    cluster.delete(cluster.get("ServiceAccount", "default", "team"))
    cluster.patch(cluster.get("ConfigMap", "kube-root-ca.crt", "team"), {"data": {"ca.crt": "forged"}})
    cluster.run_for(1)

    assert cluster.get("ServiceAccount", "default", "team") is not None
    assert cluster.get("ConfigMap", "kube-root-ca.crt", "team")["data"]["ca.crt"] == "the real one"


def test_a_deleted_namespace_goes_with_all_that_was_in_it():
    cluster = a_team(a_deployment("web", replicas=2), a_service("web"), a_pod("solo"))
    assert cluster.get("EndpointSlice", meta.name(cluster.objects("EndpointSlice", "team")[0]), "team")

    cluster.delete(cluster.get("Namespace", "team"))
    cluster.run_for(60)

    assert cluster.get("Namespace", "team") is None
    assert cluster.world.informers.kinds_in("team") == []


def test_a_namespace_that_empties_reports_what_still_holds_it():
    slow = a_pod("slow", image="busybox", command=["sleep", "600"], terminationGracePeriodSeconds=20)
    cluster = a_team(slow)

    cluster.delete(cluster.get("Namespace", "team"))
    cluster.run_for(7)

    found = verdicts(cluster)
    assert found[:3] == FINE[:3]
    assert found[3] == ("NamespaceContentRemaining", "True", "SomeResourcesRemain")
    message = conditions.get(cluster.get("Namespace", "team"), "NamespaceContentRemaining")["message"]
    assert message == "Some resources are remaining: pods. has 1 resource instances"
    cluster.run_for(60)
    assert cluster.get("Namespace", "team") is None


def test_a_namespace_waits_for_finalizers_and_names_them():
    held = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "held", "finalizers": ["example.com/wait"]}}
    cluster = a_team(held)

    cluster.delete(cluster.get("Namespace", "team"))
    cluster.run_for(20)

    condition = conditions.get(cluster.get("Namespace", "team"), "NamespaceFinalizersRemaining")
    expected = "Some content in the namespace has finalizers remaining: example.com/wait in 1 resource instances"
    assert (condition["status"], condition["message"]) == ("True", expected)
    cluster.patch(cluster.get("ConfigMap", "held", "team"), {"metadata": {"finalizers": None}})
    cluster.run_for(20)
    assert cluster.get("Namespace", "team") is None
