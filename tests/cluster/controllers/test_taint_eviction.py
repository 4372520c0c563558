"""NoExecute taints: each pod goes when its own patience ends, and stays if the taint goes first."""

import pytest

from cluster.objects import conditions, meta
from tests.builders import TestCluster, a_cluster, a_pod

EVIL = {"key": "evil", "value": "yes", "effect": "NoExecute"}


def a_tolerant_pod(name: str, *tolerations: dict[str, object]):
    return a_pod(name, nodeName="worker-1", tolerations=list(tolerations), terminationGracePeriodSeconds=1)


def evil(**more: object) -> dict[str, object]:
    return {"key": "evil", "operator": "Exists", "effect": "NoExecute", **more}


def taint(cluster: TestCluster, *taints: dict[str, str]) -> None:
    cluster.patch(cluster.get("Node", "worker-1"), {"spec": {"taints": list(taints) or None}})


def messages(cluster: TestCluster, name: str) -> list[str]:
    return [e["message"] for e in cluster.events("TaintManagerEviction") if e["involvedObject"]["name"] == name]


def test_a_pod_without_a_toleration_is_marked_told_about_and_deleted_at_once():
    cluster = a_cluster(nodes=1).with_objects(a_pod("solo", image="busybox", command=["sleep", "900"])).settled()

    taint(cluster, EVIL)
    cluster.run_for(0.1)

    pod = cluster.get("Pod", "solo")
    target = conditions.get(pod, "DisruptionTarget")
    assert meta.is_deleting(pod)
    assert (target["status"], target["reason"]) == ("True", "DeletionByTaintManager")
    assert target["message"] == "Taint manager: deleting due to NoExecute taint"
    assert messages(cluster, "solo") == ["Marking for deletion Pod default/solo"]


def test_a_pod_goes_after_its_seconds_of_toleration_or_never():
    patient, eternal = a_tolerant_pod("patient", evil(tolerationSeconds=30)), a_tolerant_pod("eternal", evil())
    cluster = a_cluster(nodes=1).with_objects(patient, eternal).settled()

    taint(cluster, EVIL)
    cluster.run_for(29)
    assert not meta.is_deleting(cluster.get("Pod", "patient"))
    cluster.run_for(5)

    assert cluster.get("Pod", "patient") is None
    cluster.run_for(3_000)
    assert not meta.is_deleting(cluster.get("Pod", "eternal"))


def test_the_shortest_toleration_of_several_taints_decides_and_of_one_taint_the_first():
    first = a_tolerant_pod("first", evil(tolerationSeconds=60), evil(tolerationSeconds=10))
    shortest = a_tolerant_pod("shortest", evil(tolerationSeconds=60), {**evil(tolerationSeconds=20), "key": "worse"})
    cluster = a_cluster(nodes=1).with_objects(first).settled()

    taint(cluster, EVIL)
    cluster.run_for(30)
    assert not meta.is_deleting(cluster.get("Pod", "first"))

    cluster.create(shortest)
    taint(cluster, EVIL, {**EVIL, "key": "worse"})
    cluster.run_for(25)
    assert cluster.get("Pod", "shortest") is None


def test_an_eviction_is_called_off_when_the_taint_goes():
    cluster = a_cluster(nodes=1).with_objects(a_tolerant_pod("patient", evil(tolerationSeconds=30))).settled()
    taint(cluster, EVIL)
    cluster.run_for(10)

    taint(cluster)
    cluster.run_for(60)

    assert not meta.is_deleting(cluster.get("Pod", "patient"))
    assert messages(cluster, "patient") == ["Cancelling deletion of Pod default/patient"]


def test_a_worse_taint_does_not_wait_for_the_planned_eviction():
    cluster = a_cluster(nodes=1).with_objects(a_tolerant_pod("patient", evil(tolerationSeconds=300))).settled()
    taint(cluster, EVIL)
    cluster.run_for(10)

    taint(cluster, EVIL, {**EVIL, "key": "worse"})
    cluster.run_for(5)

    assert cluster.get("Pod", "patient") is None
    assert messages(cluster, "patient") == [
        "Cancelling deletion of Pod default/patient",
        "Marking for deletion Pod default/patient",
    ]


def test_a_pod_that_lands_on_a_tainted_node_is_evicted_too():
    cluster = a_cluster(nodes=1)
    taint(cluster, EVIL)
    cluster.run_for(1)

    cluster.create(a_tolerant_pod("late"))
    cluster.run_for(10)

    assert cluster.get("Pod", "late") is None


def test_the_planned_eviction_of_a_pod_that_is_gone_already_is_called_off():
    cluster = a_cluster(nodes=1).with_objects(a_tolerant_pod("patient", evil(tolerationSeconds=300))).settled()
    taint(cluster, EVIL)
    cluster.run_for(1)

    cluster.delete(cluster.get("Pod", "patient"))
    cluster.run_for(10)

    assert messages(cluster, "patient") == ["Cancelling deletion of Pod default/patient"]


@pytest.mark.parametrize("at", [5, 25])
def test_planned_evictions_survive_a_rebuilt_world(at):
    cluster = a_cluster(nodes=1).with_objects(a_tolerant_pod("patient", evil(tolerationSeconds=30))).settled()
    taint(cluster, EVIL)
    cluster.run_for(at)

    ahead = TestCluster(cluster.world.fork())
    ahead.run_for(40 - at)

    assert ahead.get("Pod", "patient") is None
