"""Sidecars end after the containers that they serve, the last one first."""

from typing import Any

from cluster.objects import Manifest
from tests.builders import TestCluster
from tests.cluster.kubelet.cases import a_bound_pod, a_machine_room, container, phase, said

ENDED = "terminated"


def a_script_of(text: str, **more: Any) -> Manifest:
    return {"image": "busybox:1.36", "command": ["sh", "-c", text], **more}


def a_sidecar(name: str, text: str = "trap 'exit 0' TERM; while true; do sleep 1; done") -> Manifest:
    return {"name": name, "restartPolicy": "Always", **a_script_of(text)}


def a_served_pod(text: str, *sidecars: Manifest, grace: int = 30, policy: str = "Always") -> Manifest:
    pod = a_bound_pod("served")
    pod["spec"] |= {"initContainers": list(sidecars), "terminationGracePeriodSeconds": grace, "restartPolicy": policy}
    pod["spec"]["containers"] = [{"name": "app", **a_script_of(text)}]
    return pod


def running(pod: Manifest) -> TestCluster:
    cluster = a_machine_room().with_objects(pod)
    return cluster.run_until(lambda c: "running" in container(c, "served")["state"], 30)


def killed(cluster: TestCluster) -> list[str]:
    """Containers in the order in which the kubelet said that it stops them."""
    stops = [text for reason, text in said(cluster, "served") if reason == "Killing"]
    return [text.removeprefix("Stopping container ") for text in stops]


def test_sidecars_hear_sigterm_when_the_others_have_ended_and_the_last_one_first():
    app = "trap 'sleep 5; exit 0' TERM; while true; do sleep 1; done"
    cluster = running(a_served_pod(app, a_sidecar("mesh"), a_sidecar("logs")))
    cluster.delete(cluster.get("Pod", "served"))

    cluster.run_for(4)
    assert killed(cluster) == ["app"]
    cluster.run_for(2.5)
    assert killed(cluster) == ["app", "logs"]
    cluster.run_for(4)
    assert killed(cluster) == ["app", "logs", "mesh"]
    assert cluster.get("Pod", "served") is None


def test_a_sidecar_gets_what_is_left_of_the_grace_period_but_two_seconds_at_least():
    deaf = "trap '' TERM; while true; do sleep 1; done"
    cluster = running(a_served_pod(deaf, a_sidecar("mesh", deaf), grace=10))
    began = cluster.world.clock.now
    cluster.delete(cluster.get("Pod", "served"))

    cluster.run_until(lambda c: c.get("Pod", "served") is None, 60)

    assert 12 <= (cluster.world.clock.now - began) / 1e6 < 13


def test_a_pod_that_has_done_its_work_ends_its_sidecars_in_peace():
    cluster = running(a_served_pod("sleep 5", a_sidecar("mesh", "sleep 100000"), a_sidecar("logs"), policy="Never"))

    cluster.run_for(9)
    assert "terminated" in container(cluster, "served")["state"]
    assert phase(cluster, "served") == "Running"  # `mesh` has no trap: it is killed after its grace period.
    logs = container(cluster, "served", 1, field="initContainerStatuses")
    assert logs["state"]["terminated"]["exitCode"] == 0

    cluster.run_for(32)
    assert phase(cluster, "served") == "Succeeded"
    mesh = container(cluster, "served", 0, field="initContainerStatuses")
    assert mesh["state"]["terminated"]["exitCode"] == 137


def test_a_pod_is_deleted_while_its_sidecars_end():
    cluster = running(a_served_pod("sleep 5", a_sidecar("mesh", "sleep 100000"), policy="Never")).run_for(10)

    cluster.delete(cluster.get("Pod", "served"), gracePeriodSeconds=1)
    cluster.run_for(3)

    assert cluster.get("Pod", "served") is None
