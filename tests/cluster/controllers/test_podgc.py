"""Pods that nobody will ever finish are removed."""

from cluster.objects import conditions, meta
from tests.builders import a_cluster, a_deployment, a_pod


def test_pods_of_a_removed_node_are_collected_after_a_quarantine_of_forty_seconds():
    cluster = a_cluster(nodes=2).with_objects(a_pod("bare", nodeName="worker-1")).settled()
    cluster.power_off("worker-1")

    cluster.delete(cluster.get("Node", "worker-1"))
    cluster.run_for(39)
    assert cluster.get("Pod", "bare") is not None
    cluster.run_for(2)

    assert cluster.get("Pod", "bare") is None
    last = [w for w in cluster.world.revisions() if w.key.endswith("/default/bare") and w.verb == "update"][-1]
    assert b"PodGC: node no longer exists" in last.value
    assert b'"phase":"Failed"' in last.value
    assert last.actor == "pod-garbage-collector-controller"


def test_a_node_that_comes_back_within_the_quarantine_keeps_its_pods():
    cluster = a_cluster(nodes=2).with_objects(a_pod("bare", nodeName="worker-1")).settled()
    node = cluster.get("Node", "worker-1")

    cluster.delete(node)
    cluster.run_for(20)
    cluster.create({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "worker-1"}})
    cluster.run_for(60)

    assert not meta.is_deleting(cluster.get("Pod", "bare"))


def test_replacements_of_a_removed_nodes_pods_run_elsewhere():
    cluster = a_cluster(nodes=2).with_objects(a_deployment("web", replicas=2)).settled()
    cluster.act("node-remove", node="worker-1")
    cluster.delete(cluster.get("Node", "worker-1")) if cluster.get("Node", "worker-1") else None

    cluster.run_for(120)

    assert [pod["spec"]["nodeName"] for pod in cluster.pods_of("web")] == ["worker-2", "worker-2"]


def test_deleted_pods_of_a_node_out_of_service_do_not_wait_for_its_kubelet():
    cluster = a_cluster(nodes=2).with_objects(a_pod("bare", nodeName="worker-1")).settled()
    cluster.power_off("worker-1")
    cluster.run_for(60)
    cluster.delete(cluster.get("Pod", "bare"))
    cluster.run_for(60)
    assert cluster.get("Pod", "bare") is not None

    out = {"key": "node.kubernetes.io/out-of-service", "value": "nodeshutdown", "effect": "NoExecute"}
    cluster.patch(cluster.get("Node", "worker-1"), {"spec": {"taints": [out]}})
    cluster.run_for(1)

    assert cluster.get("Pod", "bare") is None


def test_the_end_of_an_orphan_names_its_reason_in_a_condition():
    cluster = a_cluster(nodes=2)
    held = {**a_pod("held", nodeName="worker-1"), "metadata": {"name": "held", "finalizers": ["example.com/wait"]}}
    cluster.with_objects(held).settle()
    cluster.power_off("worker-1")

    cluster.delete(cluster.get("Node", "worker-1"))
    cluster.run_for(45)

    pod = cluster.get("Pod", "held")
    assert pod["status"]["phase"] == "Failed"
    assert conditions.get(pod, "DisruptionTarget")["reason"] == "DeletionByPodGC"
