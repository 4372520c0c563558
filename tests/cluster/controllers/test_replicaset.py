"""ReplicaSets: pods replaced, adopted, let go, and given up in the right order."""

from cluster.objects import conditions, meta, pods
from tests.builders import a_cluster, a_pod, a_replicaset


def labelled(pod, **labels):
    return {**pod, "metadata": {**pod["metadata"], "labels": labels}}


def owners_of(cluster, name):
    return [reference["name"] for reference in meta.owners(cluster.get("Pod", name))]


def test_a_deleted_pod_is_replaced_by_a_new_one():
    cluster = a_cluster(nodes=2).with_objects(a_replicaset("web", replicas=3)).settled()
    victim = cluster.pods_of("web")[0]

    cluster.delete(victim)
    cluster.settle()

    assert len(cluster.pods_of("web")) == 3
    assert meta.uid(victim) not in {meta.uid(pod) for pod in cluster.pods_of("web")}


def test_looking_twice_at_a_settled_cluster_writes_nothing():
    cluster = a_cluster(nodes=1).with_objects(a_replicaset("web", replicas=2)).settled()
    before = cluster.world.server.storage.notable

    cluster.run_for(120)

    assert cluster.world.server.storage.notable == before


def test_the_replacement_is_there_while_the_old_pod_is_still_terminating():
    slow = a_replicaset("web", replicas=1, image="busybox", command=["sleep", "600"])
    cluster = a_cluster(nodes=1).with_objects(slow).settled()
    old = cluster.pods_of("web")[0]

    cluster.delete(old)
    cluster.run_for(5)

    assert meta.is_deleting(cluster.get("Pod", meta.name(old)))
    assert len(cluster.pods_of("web")) == 1
    assert cluster.get("ReplicaSet", "web")["status"]["terminatingReplicas"] == 1


def test_the_creation_of_a_replacement_names_the_deletion_as_its_cause():
    cluster = a_cluster(nodes=1).with_objects(a_replicaset("web", replicas=1)).settled()
    old = cluster.pods_of("web")[0]

    cluster.delete(old)
    deleting = cluster.get("Pod", meta.name(old))["metadata"]["resourceVersion"]
    cluster.settle()

    new = cluster.pods_of("web")[0]
    created = next(w for w in cluster.world.revisions() if w.key.endswith(f"/{meta.name(new)}") and w.verb == "create")
    assert f"r{deleting}" in created.causes


def test_five_hundred_pods_are_made_at_a_time_until_all_are_there():
    cluster = a_cluster(nodes=1).with_objects(a_replicaset("web", replicas=1_100))

    cluster.run_for(1)

    assert len(cluster.pods_of("web")) == 1_100
    assert cluster.get("ReplicaSet", "web")["status"]["replicas"] == 1_100


def test_a_matching_orphan_is_adopted_and_a_relabelled_pod_let_go():
    cluster = a_cluster(nodes=1).with_objects(labelled(a_pod("lonely"), app="web")).settled()

    cluster.with_objects(a_replicaset("web", replicas=2)).settle()
    assert owners_of(cluster, "lonely") == ["web"]
    assert len(cluster.pods_of("web")) == 2

    cluster.patch(cluster.get("Pod", "lonely"), {"metadata": {"labels": {"app": "other"}}})
    cluster.settle()
    assert owners_of(cluster, "lonely") == []
    assert len(cluster.pods_of("web")) == 2


def test_an_orphan_too_many_is_adopted_and_one_pod_deleted():
    cluster = a_cluster(nodes=1).with_objects(a_replicaset("web", replicas=1)).settled()

    cluster.create(labelled(a_pod("extra"), app="web"))
    cluster.settle()

    assert len(cluster.pods_of("web")) == 1
    assert [e["type"] for e in cluster.events("SuccessfulDelete")] == ["Normal"]


def test_pods_that_are_not_ready_go_first_and_then_the_cheapest():
    cluster = a_cluster(nodes=2).with_objects(a_replicaset("web", replicas=4)).settled()
    cheap, dear = cluster.pods_of("web")[1], cluster.pods_of("web")[2]
    cost = "controller.kubernetes.io/pod-deletion-cost"
    cluster.patch(cheap, {"metadata": {"annotations": {cost: "-10"}}})
    cluster.patch(dear, {"metadata": {"annotations": {cost: "10"}}})

    cluster.scale(cluster.get("ReplicaSet", "web"), 3)
    cluster.settle()
    assert meta.name(cheap) not in map(meta.name, cluster.pods_of("web"))

    cluster.scale(cluster.get("ReplicaSet", "web"), 1)
    cluster.settle()
    assert list(map(meta.name, cluster.pods_of("web"))) == [meta.name(dear)]


def test_of_equal_pods_the_one_on_the_crowded_node_goes():
    cluster = a_cluster(nodes=2).with_objects(a_replicaset("web", replicas=3)).settled()
    nodes = [pod["spec"]["nodeName"] for pod in cluster.pods_of("web")]
    crowded = max(nodes, key=nodes.count)

    cluster.scale(cluster.get("ReplicaSet", "web"), 2)
    cluster.settle()

    left = [pod["spec"]["nodeName"] for pod in cluster.pods_of("web")]
    assert nodes.count(crowded) == 2
    assert sorted(left) == ["worker-1", "worker-2"]


def test_a_pod_counts_as_available_only_after_its_minimum_of_ready_seconds():
    replicaset = a_replicaset("web", replicas=2)
    replicaset["spec"]["minReadySeconds"] = 20
    cluster = a_cluster(nodes=1).with_objects(replicaset)
    cluster.run_until(lambda c: (c.get("ReplicaSet", "web").get("status") or {}).get("readyReplicas") == 2)

    assert "availableReplicas" not in cluster.get("ReplicaSet", "web")["status"]
    cluster.run_for(22)
    assert cluster.get("ReplicaSet", "web")["status"]["availableReplicas"] == 2


def test_pods_that_are_refused_are_reported_in_events_and_status():
    replicaset = a_replicaset("web", replicas=1)
    replicaset["spec"]["template"]["spec"]["serviceAccountName"] = "nobody"
    cluster = a_cluster(nodes=1).with_objects(replicaset).run_for(2)

    failure = conditions.get(cluster.get("ReplicaSet", "web"), "ReplicaFailure")
    assert failure["reason"] == "FailedCreate"
    assert failure["message"].startswith('pods "web-')
    assert "serviceaccount" in failure["message"]
    assert cluster.events("FailedCreate")[0]["message"] == f"Error creating: {failure['message']}"

    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "nobody"}}
    cluster.create(account)
    cluster.settle()
    assert conditions.get(cluster.get("ReplicaSet", "web"), "ReplicaFailure") is None
    assert all(pods.is_ready(pod) for pod in cluster.pods_of("web"))
