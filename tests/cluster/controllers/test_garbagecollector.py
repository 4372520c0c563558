"""What an object owned goes with it, or is let go, as its deleter asked."""

from cluster.objects import meta
from tests.builders import TestCluster, a_cluster, a_deployment


def a_config(name: str, *owners, finalizers: list[str] | None = None):
    metadata = {"name": name, "ownerReferences": list(owners)} | ({"finalizers": finalizers} if finalizers else {})
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}


def owned_by(cluster: TestCluster, name: str, **more: object) -> dict[str, object]:
    uid = meta.uid(cluster.get("ConfigMap", name))
    return {"apiVersion": "v1", "kind": "ConfigMap", "name": name, "uid": uid, **more}


def config_maps(cluster: TestCluster) -> list[str]:
    found = (meta.name(obj) for obj in cluster.objects("ConfigMap", "default"))
    return sorted(name for name in found if name != "kube-root-ca.crt")


def test_a_deployment_deleted_in_the_background_takes_sets_and_pods_with_it():
    cluster = a_cluster(nodes=2).with_objects(a_deployment("web", 3)).settled()

    gone = cluster.delete(cluster.get("Deployment", "web"))
    assert gone["kind"] == "Status"
    cluster.settle()

    assert cluster.objects("ReplicaSet") == []
    assert cluster.objects("Pod", "default") == []


def test_a_deployment_deleted_in_the_foreground_goes_last():
    cluster = a_cluster(nodes=2).with_objects(a_deployment("web", 2)).settled()

    cluster.delete(cluster.get("Deployment", "web"), propagationPolicy="Foreground")
    assert cluster.get("Deployment", "web")["metadata"]["finalizers"] == ["foregroundDeletion"]
    cluster.settle()

    deletions = [w.key.split("/")[2] for w in cluster.world.revisions() if w.verb == "delete"]
    ends = [kind for kind in deletions if kind in ("pods", "replicasets", "deployments")]
    assert ends == ["pods", "pods", "replicasets", "deployments"]


def test_orphans_stay_and_forget_their_owner():
    cluster = a_cluster(nodes=2).with_objects(a_deployment("web", 2)).settled()

    cluster.delete(cluster.get("Deployment", "web"), propagationPolicy="Orphan")
    cluster.settle()

    (replicaset,) = cluster.objects("ReplicaSet")
    assert cluster.get("Deployment", "web") is None
    assert meta.owners(replicaset) == []
    assert len(cluster.pods_of("web")) == 2


def test_a_dependent_of_two_owners_stays_until_the_last_is_gone():
    cluster = a_cluster(nodes=1).with_objects(a_config("one"), a_config("two"))
    cluster.create(a_config("child", owned_by(cluster, "one"), owned_by(cluster, "two")))
    cluster.settle()

    cluster.delete(cluster.get("ConfigMap", "one"))
    cluster.settle()
    assert [o["name"] for o in meta.owners(cluster.get("ConfigMap", "child"))] == ["two"]

    cluster.delete(cluster.get("ConfigMap", "two"))
    cluster.settle()
    assert config_maps(cluster) == []


def test_an_owner_that_never_was_counts_as_gone():
    absent = {"apiVersion": "v1", "kind": "ConfigMap", "name": "nobody", "uid": "00000000-0000-0000-0000-000000000000"}
    cluster = a_cluster(nodes=1).with_objects(a_config("owner")).settled()
    wrong = {**owned_by(cluster, "owner"), "uid": absent["uid"]}

    cluster.with_objects(a_config("child", absent), a_config("mistaken", wrong)).settle()

    assert config_maps(cluster) == ["owner"]


def test_foreground_deletion_waits_only_for_dependents_that_block():
    cluster = a_cluster(nodes=1).with_objects(a_config("owner"))
    held = ["example.com/wait"]
    cluster.create(a_config("blocking", owned_by(cluster, "owner", blockOwnerDeletion=True), finalizers=held))
    cluster.create(a_config("patient", owned_by(cluster, "owner"), finalizers=held))

    cluster.delete(cluster.get("ConfigMap", "owner"), propagationPolicy="Foreground")
    cluster.settle()
    assert config_maps(cluster) == ["blocking", "owner", "patient"]

    cluster.patch(cluster.get("ConfigMap", "blocking"), {"metadata": {"finalizers": None}})
    cluster.settle()
    assert config_maps(cluster) == ["patient"]


def test_the_end_of_a_dependent_names_the_end_of_its_owner_as_cause():
    cluster = a_cluster(nodes=1).with_objects(a_config("owner"))
    cluster.create(a_config("child", owned_by(cluster, "owner")))
    cluster.settle()

    cluster.delete(cluster.get("ConfigMap", "owner"))
    cluster.settle()

    ends = {w.key.rpartition("/")[2]: w for w in cluster.world.revisions() if w.verb == "delete"}
    assert ends["child"].actor == "garbage-collector-controller"
    assert f"r{ends['owner'].revision}" in ends["child"].causes
