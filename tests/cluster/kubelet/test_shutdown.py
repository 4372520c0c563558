"""A machine that is shut down in order ends its pods first; one whose plug is pulled does not."""

import pytest

from cluster.objects import meta
from cluster.why import WorldRecords, walk
from tests.builders import Refused, TestCluster, a_deployment
from tests.cluster.kubelet.cases import (
    a_bound_pod,
    a_machine_room,
    a_script,
    condition,
    container,
    phase,
    reasons,
    said,
    seconds_between,
)  # fmt: skip
from tests.cluster.kubelet.test_static_pods import a_static_pod

MESSAGE = "Pod was terminated in response to imminent node shutdown."
DEAF = a_script("sleep 9000")  # Process 1 ignores SIGTERM.


def is_off(cluster: TestCluster, node: str = "worker-1") -> bool:
    return not cluster.world.cells["machines"][node]["power"]


def shut_down(cluster: TestCluster, node: str = "worker-1") -> float:
    """Until it has no power: how many seconds that took."""
    before = cluster.world.now
    cluster.act("shutdown", node=node)
    cluster.run_until(lambda c: is_off(c, node), 40)
    return (cluster.world.now - before) / 1_000_000


def test_pods_end_as_they_wish_and_have_failed_with_the_reason_terminated():
    cluster = a_machine_room()
    cluster.create(a_bound_pod("web"))
    cluster.run_for(20)

    took = shut_down(cluster)

    status = cluster.get("Pod", "web")["status"]
    assert (status["phase"], status["reason"], status["message"]) == ("Failed", "Terminated", MESSAGE)
    assert container(cluster, "web")["state"]["terminated"]["exitCode"] == 0
    assert reasons(cluster, "web")[-1] == "Killing"
    assert took < 2


def test_they_are_marked_as_disrupted():
    cluster = a_machine_room()
    cluster.create(a_bound_pod("web"))
    cluster.run_for(20)

    shut_down(cluster)

    target = condition(cluster.get("Pod", "web"), "DisruptionTarget")
    assert (target["status"], target["reason"], target["message"]) == ("True", "TerminationByKubelet", MESSAGE)


def test_the_node_says_at_once_that_it_is_shutting_down():
    cluster = a_machine_room()
    cluster.create(a_bound_pod("deaf", **DEAF))
    cluster.run_for(20)

    cluster.act("shutdown", node="worker-1")
    cluster.run_for(1)

    ready = condition(cluster.get("Node", "worker-1"), "Ready")
    assert (ready["status"], ready["reason"]) == ("False", "KubeletNotReady")
    assert ready["message"] == "node is shutting down"
    assert ("Shutdown", "Shutdown manager detected shutdown event") in said(cluster, "worker-1")


def test_ordinary_pods_get_twenty_seconds_and_critical_ones_ten_after_them():
    cluster = a_machine_room()
    cluster.create(a_bound_pod("deaf", **DEAF))
    critical = a_bound_pod("critical", priorityClassName="system-node-critical", **DEAF)
    cluster.create(critical)
    cluster.run_for(20)

    took = shut_down(cluster)

    ends = [container(cluster, name)["state"]["terminated"] for name in ("deaf", "critical")]
    assert [end["exitCode"] for end in ends] == [137, 137]
    assert 9 <= seconds_between(ends[0]["finishedAt"], ends[1]["finishedAt"]) <= 11
    assert 30 <= took < 31


def test_a_pod_that_wants_less_gets_less_and_nobody_waits_for_a_group_without_pods():
    cluster = a_machine_room()
    cluster.create(a_bound_pod("deaf", terminationGracePeriodSeconds=3, **DEAF))
    cluster.run_for(20)

    assert 3 <= shut_down(cluster) < 4


def test_pods_that_come_meanwhile_are_rejected():
    cluster = a_machine_room()
    cluster.create(a_bound_pod("deaf", **DEAF))
    cluster.run_for(20)
    cluster.act("shutdown", node="worker-1")
    cluster.run_for(1)

    cluster.create(a_bound_pod("late"))
    cluster.run_for(1)

    status = cluster.get("Pod", "late")["status"]
    refusal = "Pod was rejected as the node is shutting down."
    assert (status["phase"], status["reason"]) == ("Failed", "NodeShutdown")
    assert status["message"] == f"Pod was rejected: {refusal}"
    assert said(cluster, "late") == [("NodeShutdown", refusal)]


def test_owners_make_other_pods_elsewhere_at_once():
    cluster = a_machine_room(2).with_objects(a_deployment("web", replicas=4)).run_for(30)

    shut_down(cluster)
    cluster.run_for(20)

    running = [pod for pod in cluster.pods_of("web") if pod["status"]["phase"] == "Running"]
    assert [pod["spec"]["nodeName"] for pod in running] == ["worker-2"] * 4
    failed = [pod for pod in cluster.pods_of("web") if pod["status"]["phase"] == "Failed"]
    assert {pod["status"]["reason"] for pod in failed} == {"Terminated"}


def test_pulling_the_plug_stays_what_it_was():
    cluster = a_machine_room()
    cluster.create(a_bound_pod("web"))
    cluster.run_for(20)

    cluster.power_off("worker-1")
    cluster.run_for(10)

    assert phase(cluster, "web") == "Running"
    assert condition(cluster.get("Node", "worker-1"), "Ready")["status"] == "True"


def test_the_plug_can_be_pulled_while_it_shuts_down():
    cluster = a_machine_room()
    cluster.create(a_bound_pod("deaf", **DEAF))
    cluster.run_for(20)
    cluster.act("shutdown", node="worker-1")
    cluster.run_for(2)

    cluster.power_off("worker-1")
    cluster.run_for(60)
    cluster.power_on("worker-1")
    cluster.run_for(60)

    assert condition(cluster.get("Node", "worker-1"), "Ready")["status"] == "True"
    assert phase(cluster, "deaf") == "Running"


def test_a_machine_can_be_shut_down_once():
    cluster = a_machine_room()
    cluster.create(a_bound_pod("deaf", **DEAF))
    cluster.run_for(20)
    cluster.act("shutdown", node="worker-1")

    with pytest.raises(Refused, match="machine worker-1 is shutting down already"):
        cluster.act("shutdown", node="worker-1")
    cluster.run_for(40)
    with pytest.raises(Refused, match="machine worker-1 is off already"):
        cluster.act("shutdown", node="worker-1")


def test_a_runtime_that_does_not_answer_does_not_hold_the_power_up():
    cluster = a_machine_room()
    cluster.create(a_bound_pod("web"))
    cluster.run_for(20)
    cluster.act("runtime", node="worker-1", op="stop")

    assert 20 <= shut_down(cluster) < 21


def test_static_pods_end_with_it_and_begin_again_with_the_next_boot():
    cluster = a_static_pod()

    shut_down(cluster)
    status = cluster.get("Pod", "web-worker-1")["status"]
    assert (status["phase"], status["reason"]) == ("Failed", "Terminated")

    cluster.power_on("worker-1")
    cluster.run_for(30)
    assert phase(cluster, "web-worker-1") == "Running"
    assert container(cluster, "web-worker-1")["restartCount"] == 1


def test_after_the_next_boot_its_failed_pods_stay_as_they_are():
    cluster = a_machine_room()
    cluster.create(a_bound_pod("web"))
    cluster.run_for(20)
    shut_down(cluster)

    cluster.power_on("worker-1")
    cluster.run_for(60)

    assert condition(cluster.get("Node", "worker-1"), "Ready")["status"] == "True"
    assert phase(cluster, "web") == "Failed"


def test_why_a_pod_was_terminated_leads_to_the_shutdown():
    cluster = a_machine_room()
    cluster.create(a_bound_pod("web"))
    cluster.run_for(20)
    shut_down(cluster)

    records = WorldRecords(cluster.world)
    last = records.log_of("/registry/pods/default/web")[-1]
    texts = [link.text for link in walk(records, last)]
    assert "Somebody shut machine worker-1 down. Its kubelet ends the pods first." in texts


def test_a_shutdown_goes_on_in_a_rebuilt_world():
    cluster = a_machine_room()
    cluster.create(a_bound_pod("deaf", **DEAF))
    cluster.create(a_bound_pod("web"))
    cluster.run_for(20)
    cluster.act("shutdown", node="worker-1")
    cluster.run_for(1)

    fork = cluster.world.fork()
    assert fork.dump() == cluster.world.dump()
    for world in (fork, cluster.world):
        while not world.run(world.now + 40_000_000):
            world.commit()
    assert fork.dump() == cluster.world.dump()
    assert is_off(cluster)
    assert meta.name(cluster.get("Node", "worker-1")) == "worker-1"
