"""Containers that look into others, other resources for running ones, and pods that a node does not take."""

import pytest

from cluster.objects import Manifest
from tests.builders import TestCluster
from tests.cluster.kubelet.cases import a_bound_pod, a_machine_room, container, phase, said


def debug(cluster: TestCluster, pod: str, name: str, **more: object) -> None:
    """What kubectl debug sends."""
    path = f"/api/v1/namespaces/default/pods/{pod}/ephemeralcontainers"
    one = {"name": name, "image": "busybox:1.36", "targetContainerName": "app", **more}
    body = {"spec": {"ephemeralContainers": [one]}}
    cluster.request("PATCH", path, body, content_type="application/strategic-merge-patch+json")


def resize(cluster: TestCluster, pod: str, **resources: dict[str, str]) -> None:
    """What kubectl patch --subresource resize sends."""
    path = f"/api/v1/namespaces/default/pods/{pod}/resize"
    body = {"spec": {"containers": [{"name": "app", "resources": resources}]}}
    cluster.request("PATCH", path, body, content_type="application/strategic-merge-patch+json")


# --- ephemeral containers ---------------------------------------------------------------------------------------


def test_an_ephemeral_container_runs_beside_the_others_and_can_be_typed_into():
    cluster = a_machine_room().with_objects(a_bound_pod("web")).run_for(10)
    debug(cluster, "web", "debugger", stdin=True, tty=True)
    cluster.run_for(10)

    status = container(cluster, "web", 0, "ephemeralContainerStatuses")
    assert "running" in status["state"]
    assert (status["ready"], status["restartCount"], "started" in status) == (False, 0, False)
    assert "session" in cluster.act("attach", namespace="default", pod="web", container="debugger")
    assert container(cluster, "web")["ready"] is True


def test_an_ephemeral_container_is_never_started_again():
    cluster = a_machine_room().with_objects(a_bound_pod("web")).run_for(10)
    debug(cluster, "web", "look", command=["sh", "-c", "echo seen; exit 3"])
    cluster.run_for(60)

    status = container(cluster, "web", 0, "ephemeralContainerStatuses")
    assert status["state"]["terminated"]["exitCode"] == 3
    assert phase(cluster, "web") == "Running"
    assert [reason for reason, _ in said(cluster, "web")].count("Started") == 2


def test_a_pod_with_an_ephemeral_container_is_deleted_like_any_other():
    pod = a_bound_pod("web")
    cluster = a_machine_room().with_objects(pod).run_for(10)
    debug(cluster, "web", "debugger", stdin=True)
    cluster.run_for(10)
    cluster.delete(pod)

    cluster.run_for(40)

    assert phase(cluster, "web") == "gone"


# --- resize -----------------------------------------------------------------------------------------------------


def a_leaker(limit: str, **more: object) -> Manifest:
    resources = {"requests": {"cpu": "100m", "memory": limit}, "limits": {"cpu": "100m", "memory": limit}}
    pod = a_bound_pod("leaker", "orrery/leaker", resources=resources)
    pod["spec"]["containers"][0] |= more
    return pod


def test_more_memory_in_place_keeps_a_container_alive_for_longer():
    cluster = a_machine_room().with_objects(a_leaker("100Mi")).run_for(8)
    resize(cluster, "leaker", requests={"memory": "500Mi"}, limits={"memory": "500Mi"})
    cluster.run_for(20)

    assert container(cluster, "leaker")["restartCount"] == 0
    assert container(cluster, "leaker")["resources"]["limits"]["memory"] == "500Mi"
    cluster.run_for(60)
    assert container(cluster, "leaker")["lastState"]["terminated"]["reason"] == "OOMKilled"


def test_a_container_that_wants_a_restart_for_it_is_restarted():
    policy = [{"resourceName": "memory", "restartPolicy": "RestartContainer"}]
    cluster = a_machine_room().with_objects(a_leaker("300Mi", resizePolicy=policy)).run_for(8)
    resize(cluster, "leaker", requests={"memory": "400Mi"}, limits={"memory": "400Mi"})
    cluster.run_for(10)

    assert ("Killing", "Container app resize requires restart") in said(cluster, "leaker")
    assert container(cluster, "leaker")["restartCount"] == 1


# --- pods that are refused, and pods whose time is over ---------------------------------------------------------


@pytest.mark.parametrize(
    ("pod", "reason", "message"),
    [
        (a_bound_pod("big", resources={"requests": {"cpu": "8"}}), "OutOfcpu",
         "Pod was rejected: Node didn't have enough resource: cpu, requested: 8000, used: 0, capacity: 4000"),
        (a_bound_pod("big", nodeSelector={"disk": "ssd"}), "NodeAffinity",
         "Pod was rejected: Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector"),
    ],
)  # fmt: skip
def test_a_node_refuses_a_pod_that_it_can_t_run(pod: Manifest, reason: str, message: str):
    cluster = a_machine_room().with_objects(pod).run_for(5)

    status = cluster.get("Pod", "big")["status"]
    assert (status["phase"], status["reason"], status["message"]) == ("Failed", reason, message)
    assert (reason, message.removeprefix("Pod was rejected: ")) in said(cluster, "big")


def test_a_full_node_takes_no_more_pods():
    room = a_machine_room(nodes=[{"name": "worker-1", "pods": 1}])
    cluster = room.with_objects(a_bound_pod("one")).run_for(1).with_objects(a_bound_pod("two")).run_for(10)

    assert phase(cluster, "one") == "Running"
    assert cluster.get("Pod", "two")["status"]["reason"] == "OutOfpods"


def test_a_pod_that_was_active_for_too_long_has_failed():
    pod = a_bound_pod("late", activeDeadlineSeconds=20)
    cluster = a_machine_room().with_objects(pod).run_for(15)
    assert phase(cluster, "late") == "Running"
    cluster.run_for(10)

    status = cluster.get("Pod", "late")["status"]
    told = "Pod was active on the node longer than the specified deadline"
    assert (status["phase"], status["reason"], status["message"]) == ("Failed", "DeadlineExceeded", told)
    assert ("DeadlineExceeded", told) in said(cluster, "late")
    assert container(cluster, "late")["state"]["terminated"]["exitCode"] == 0
