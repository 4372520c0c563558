"""Claims that controllers make: those of StatefulSets, kept or deleted, and those that a pod brings along."""

import pytest

from cluster.objects import meta
from tests.builders import TestCluster, a_cluster, a_pod

TEMPLATE = {
    "metadata": {"name": "data"},
    "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
}


def a_set(deleted: str = "Retain", scaled: str = "Retain", replicas: int = 2, **spec):
    app = {"app": "db"}
    pod = {"metadata": {"labels": app}, "spec": {"containers": [{"name": "app", "image": "nginx:1.27"}]}}
    policy = {"whenDeleted": deleted, "whenScaled": scaled}
    body = {"replicas": replicas, "serviceName": "db", "selector": {"matchLabels": app}, "template": pod, **spec}
    body |= {"volumeClaimTemplates": [TEMPLATE], "persistentVolumeClaimRetentionPolicy": policy}
    return {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "db"}, "spec": body}


def a_volume(name: str):
    spec = {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": f"/mnt/{name}"}}
    return {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name}, "spec": spec}


def a_cluster_with(*objects, volumes: int = 4) -> TestCluster:
    disks = [a_volume(f"pv-{number}") for number in range(volumes)]
    return a_cluster().with_objects(*disks, *objects).run_for(60)


def owners(cluster: TestCluster, claim: str) -> list[str]:
    return [f"{owner['kind']}/{owner['name']}" for owner in meta.owners(cluster.get("PersistentVolumeClaim", claim))]


def claims(cluster: TestCluster) -> list[str]:
    return [meta.name(claim) for claim in cluster.objects("PersistentVolumeClaim")]


@pytest.mark.parametrize(
    ("deleted", "scaled", "owned"),
    [
        ("Retain", "Retain", []),
        ("Delete", "Retain", ["StatefulSet/db"]),
        ("Retain", "Delete", []),
        ("Delete", "Delete", ["StatefulSet/db"]),
    ],
)
def test_the_policy_says_who_owns_the_claims(deleted, scaled, owned):
    cluster = a_cluster_with(a_set(deleted, scaled))
    assert owners(cluster, "data-db-0") == owners(cluster, "data-db-1") == owned
    assert cluster.events("SuccessfulUpdate") == []


@pytest.mark.parametrize(("deleted", "left"), [("Retain", ["data-db-0", "data-db-1"]), ("Delete", [])])
def test_with_the_set_go_the_claims_that_it_owns(deleted, left):
    cluster = a_cluster_with(a_set(deleted))
    cluster.delete(cluster.get("StatefulSet", "db"))
    cluster.run_for(120)
    assert claims(cluster) == left


@pytest.mark.parametrize(("scaled", "left"), [("Retain", ["data-db-0", "data-db-1"]), ("Delete", ["data-db-0"])])
def test_with_a_pod_too_many_goes_its_claim(scaled, left):
    cluster = a_cluster_with(a_set("Delete", scaled))
    cluster.scale(cluster.get("StatefulSet", "db"), 1)
    cluster.run_for(120)
    assert claims(cluster) == left


def test_a_set_that_grows_again_waits_until_the_old_claim_is_gone_and_has_a_new_one():
    cluster = a_cluster_with(a_set(scaled="Delete"))
    before = meta.uid(cluster.get("PersistentVolumeClaim", "data-db-1"))
    cluster.scale(cluster.get("StatefulSet", "db"), 1)
    cluster.run_until(lambda cluster: owners(cluster, "data-db-1") == ["Pod/db-1"], 30)
    cluster.run_for(0.1)
    cluster.scale(cluster.get("StatefulSet", "db"), 2)
    cluster.run_for(180)

    assert meta.uid(cluster.get("PersistentVolumeClaim", "data-db-1")) != before
    assert owners(cluster, "data-db-1") == []
    assert cluster.get("Pod", "db-1")["status"]["phase"] == "Running"


def test_a_policy_that_changes_changes_the_owners_and_is_told():
    cluster = a_cluster_with(a_set())
    policy = {"whenDeleted": "Delete", "whenScaled": "Retain"}
    cluster.patch(cluster.get("StatefulSet", "db"), {"spec": {"persistentVolumeClaimRetentionPolicy": policy}})
    cluster.run_for(10)
    assert owners(cluster, "data-db-1") == ["StatefulSet/db"]
    assert sorted(event["message"] for event in cluster.events("SuccessfulUpdate")) == [
        "Update Pod db-0 in StatefulSet db successful",
        "Update Pod db-1 in StatefulSet db successful",
    ]


def test_a_claim_that_somebody_else_manages_is_left_alone():
    foreign = {"apiVersion": "v1", "kind": "ConfigMap", "name": "boss", "uid": "x", "controller": True}
    cluster = a_cluster_with({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "boss"}})
    boss = {**foreign, "uid": meta.uid(cluster.get("ConfigMap", "boss"))}
    claim = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "spec": TEMPLATE["spec"]}
    cluster.create({**claim, "metadata": {"name": "data-db-0", "ownerReferences": [boss]}})
    cluster.create(a_set("Delete"))
    cluster.run_for(60)
    assert owners(cluster, "data-db-0") == ["ConfigMap/boss"]
    assert owners(cluster, "data-db-1") == ["StatefulSet/db"]
    said = [event["message"] for event in cluster.events("ConflictingController")]
    assert len(said) == 1
    assert said[0].startswith("PersistentVolumeClaim data-db-0 has a conflicting OwnerReference")


def test_a_pod_that_lost_its_number_gets_it_back():
    cluster = a_cluster_with(a_set(replicas=1))
    label = "statefulset.kubernetes.io/pod-name"
    cluster.patch(cluster.get("Pod", "db-0"), {"metadata": {"labels": {label: "else"}}})
    cluster.run_for(5)
    assert meta.labels(cluster.get("Pod", "db-0"))[label] == "db-0"


def test_a_settled_set_writes_nothing():
    cluster = a_cluster_with(a_set("Delete", "Delete")).settle()
    stateful = cluster.get("StatefulSet", "db")["metadata"]["resourceVersion"]
    claim = cluster.get("PersistentVolumeClaim", "data-db-0")["metadata"]["resourceVersion"]
    cluster.run_for(300)
    assert cluster.get("StatefulSet", "db")["metadata"]["resourceVersion"] == stateful
    assert cluster.get("PersistentVolumeClaim", "data-db-0")["metadata"]["resourceVersion"] == claim


# --- what a pod brings along ------------------------------------------------------------------------------------


def with_scratch(name: str = "web"):
    pod = a_pod(name)
    pod["spec"]["volumes"] = [{"name": "scratch", "ephemeral": {"volumeClaimTemplate": {
        "metadata": {"labels": {"made": "here"}}, "spec": TEMPLATE["spec"]}}}]  # fmt: skip
    return pod


def test_the_claim_of_an_ephemeral_volume_is_made_for_the_pod_and_goes_with_it():
    cluster = a_cluster_with(with_scratch())
    claim = cluster.get("PersistentVolumeClaim", "web-scratch")
    assert owners(cluster, "web-scratch") == ["Pod/web"]
    assert meta.labels(claim) == {"made": "here"}
    assert cluster.get("Pod", "web")["status"]["phase"] == "Running"

    cluster.delete(cluster.get("Pod", "web"))
    cluster.run_for(120)
    assert claims(cluster) == []


def test_a_claim_of_that_name_that_was_there_before_is_not_taken():
    metadata = {"name": "web-scratch"}
    other = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": TEMPLATE["spec"]}
    cluster = a_cluster_with(other, with_scratch())
    said = "PVC default/web-scratch was not created for pod default/web (pod is not owner)"
    assert cluster.events("FailedBinding")[0]["message"] == f"ephemeral volume scratch: {said}"
    assert cluster.get("Pod", "web")["status"]["phase"] == "Pending"

    cluster.delete(cluster.get("PersistentVolumeClaim", "web-scratch"))
    cluster.run_for(400)
    assert cluster.get("Pod", "web")["status"]["phase"] == "Running"
    assert owners(cluster, "web-scratch") == ["Pod/web"]
