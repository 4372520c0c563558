"""Pods end: gracefully, by force, and with their node."""

import pytest

from tests.cluster.kubelet.cases import (
    a_bound_pod,
    a_machine_room,
    a_script,
    condition,
    container,
    phase,
    said,
    uid,
)


def test_a_server_that_hears_sigterm_is_gone_within_a_second():
    cluster = a_machine_room().with_objects(a_bound_pod("web")).run_for(10)

    cluster.delete(cluster.get("Pod", "web"))
    assert phase(cluster, "web") == "Running"
    cluster.run_for(1)

    assert phase(cluster, "web") == "gone"
    assert ("Killing", "Stopping container app") in said(cluster, "web")


def test_a_process_that_ignores_sigterm_takes_its_whole_grace_period():
    cluster = a_machine_room().with_objects(a_bound_pod("nap", "busybox", command=["sleep", "3600"])).run_for(10)

    cluster.delete(cluster.get("Pod", "nap"))
    cluster.run_for(29)
    assert phase(cluster, "nap") == "Running"

    cluster.run_for(2)
    assert phase(cluster, "nap") == "gone"


def test_a_shorter_grace_period_shortens_a_termination_under_way():
    cluster = a_machine_room().with_objects(a_bound_pod("nap", "busybox", command=["sleep", "3600"])).run_for(10)
    cluster.delete(cluster.get("Pod", "nap"))
    cluster.run_for(5)

    cluster.delete(cluster.get("Pod", "nap"), gracePeriodSeconds=1)
    cluster.run_for(2)

    assert phase(cluster, "nap") == "gone"


def test_a_trap_that_tidies_up_is_waited_for():
    script = "trap 'sleep 7; exit 0' TERM; while true; do sleep 1; done"
    cluster = a_machine_room().with_objects(a_bound_pod("db", **a_script(script))).run_for(10)

    cluster.delete(cluster.get("Pod", "db"))
    cluster.run_for(6)
    assert phase(cluster, "db") == "Running"

    cluster.run_for(4)
    assert phase(cluster, "db") == "gone"


def test_a_pre_stop_hook_goes_before_sigterm():
    hook = {"preStop": {"exec": {"command": ["sleep", "5"]}}}
    cluster = a_machine_room().with_objects(a_bound_pod("web", lifecycle=hook)).run_for(10)

    cluster.delete(cluster.get("Pod", "web"))
    cluster.run_for(4)
    assert phase(cluster, "web") == "Running"

    cluster.run_for(2)
    assert phase(cluster, "web") == "gone"


def test_a_pod_s_last_report_says_how_it_ended():
    cluster = a_machine_room().with_objects(a_bound_pod("web")).run_for(10)
    reports: list[dict] = []
    cluster.world.informers.subscribe("Pod", lambda old, new: reports.append(new or old))

    cluster.delete(cluster.get("Pod", "web"))
    cluster.run_for(1)

    last = reports[-1]
    assert last["status"]["phase"] == "Succeeded"
    assert last["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"] == 0


def test_a_pod_deleted_before_it_started_goes_at_once():
    cluster = a_machine_room().with_objects(a_bound_pod("web")).run_for(0.1)

    cluster.delete(cluster.get("Pod", "web"))
    cluster.run_for(0.1)

    assert phase(cluster, "web") == "gone"


def test_a_pod_deleted_by_force_leaves_no_container_behind():
    cluster = a_machine_room().with_objects(a_bound_pod("nap", "busybox", command=["sleep", "3600"])).run_for(10)

    cluster.delete(cluster.get("Pod", "nap"), gracePeriodSeconds=0)
    assert phase(cluster, "nap") == "gone"
    assert cluster.world.cells["containers"].data

    cluster.run_for(5)
    assert not cluster.world.cells["containers"].data


def test_nothing_is_remembered_of_a_pod_that_is_gone():
    cluster = a_machine_room().with_objects(a_bound_pod("web", **a_script("exit 1"))).run_for(60)
    gone = uid(cluster, "web")

    cluster.delete(cluster.get("Pod", "web"))
    cluster.run_for(60)

    assert not cluster.world.cells["containers"].data
    assert not [key for key in cluster.world.cells["agenda"].data if gone in key]


def test_a_dead_node_s_pods_stay_as_they_were_reported():
    cluster = a_machine_room().with_objects(a_bound_pod("web")).run_for(10)

    cluster.power_off("worker-1")
    cluster.run_for(20)

    assert phase(cluster, "web") == "Running"
    cluster.delete(cluster.get("Pod", "web"))
    cluster.run_for(120)
    assert phase(cluster, "web") == "Running"


def test_a_node_that_returns_starts_its_pods_containers_again():
    cluster = a_machine_room().with_objects(a_bound_pod("web")).run_for(10)
    pod_uid, address = uid(cluster, "web"), cluster.get("Pod", "web")["status"]["podIP"]
    cluster.power_off("worker-1")
    cluster.run_for(20)

    cluster.power_on("worker-1")
    cluster.run_for(10)

    status = container(cluster, "web")
    assert uid(cluster, "web") == pod_uid
    assert status["restartCount"] == 1
    assert status["lastState"]["terminated"]["exitCode"] == 255
    assert cluster.get("Pod", "web")["status"]["podIP"] != address
    message = "Pod sandbox changed, it will be killed and re-created."
    assert ("SandboxChanged", message) in said(cluster, "web")


def test_a_node_that_returns_finishes_pods_that_were_to_go():
    cluster = a_machine_room().with_objects(a_bound_pod("web")).run_for(10)
    cluster.power_off("worker-1")
    cluster.delete(cluster.get("Pod", "web"))
    cluster.run_for(60)

    cluster.power_on("worker-1")
    cluster.run_for(2)

    assert phase(cluster, "web") == "gone"
    assert not cluster.world.cells["containers"].data


def test_a_node_that_returns_clears_away_pods_that_were_deleted_by_force():
    cluster = a_machine_room().with_objects(a_bound_pod("web")).run_for(10)
    cluster.power_off("worker-1")
    cluster.delete(cluster.get("Pod", "web"), gracePeriodSeconds=0)

    cluster.power_on("worker-1")
    cluster.run_for(5)

    assert not cluster.world.cells["containers"].data


def test_a_pod_that_may_not_restart_fails_with_its_node():
    pod = a_bound_pod("job", **a_script("sleep 3600"), restartPolicy="Never")
    cluster = a_machine_room().with_objects(pod).run_for(10)

    cluster.power_off("worker-1")
    cluster.run_for(5)
    cluster.power_on("worker-1")
    cluster.run_for(5)

    assert phase(cluster, "job") == "Failed"
    assert condition(cluster.get("Pod", "job"), "Ready")["reason"] == "PodFailed"


def test_init_containers_run_again_when_the_node_returns():
    inits = [{"name": "setup", "image": "busybox", "command": ["sleep", "3"]}]
    cluster = a_machine_room().with_objects(a_bound_pod("web", initContainers=inits)).run_for(15)
    cluster.power_off("worker-1")
    cluster.run_for(5)
    cluster.power_on("worker-1")

    cluster.run_for(2)
    assert "running" in container(cluster, "web", 0, "initContainerStatuses")["state"]
    assert "running" not in container(cluster, "web")["state"]

    cluster.run_for(5)
    assert container(cluster, "web", 0, "initContainerStatuses")["restartCount"] == 1
    assert "running" in container(cluster, "web")["state"]


@pytest.mark.parametrize(
    ("command", "seconds"),
    [
        (["sleep", "5s"], 5),
        (["sh", "-c", "sleep 0.5; nginx -s quit; sleep 2"], 2.5),
        (["sh", "-c", "sleep 1m"], 30),  # The grace period.
        (["sleep", "²"], 0),
        (["sleep", "9" * 400], 30),
        (["sh", "-c", "echo asleep 7"], 0),
    ],
)
def test_sigterm_comes_when_the_hook_has_slept_enough(command: list[str], seconds: float):
    hook = {"preStop": {"exec": {"command": command}}}
    cluster = a_machine_room().with_objects(a_bound_pod("web", lifecycle=hook)).run_for(20)

    cluster.delete(cluster.get("Pod", "web"))
    cluster.run_for(max(seconds - 0.1, 0))
    assert phase(cluster, "web") == "Running"

    cluster.run_for(1)
    assert phase(cluster, "web") == "gone"
