"""Containers die and are started again; pods are not."""

from itertools import pairwise

import pytest

from cluster.kubelet import restarts
from tests.cluster.kubelet.cases import (
    SECOND,
    a_bound_pod,
    a_machine_room,
    a_script,
    condition,
    container,
    phase,
    said,
    seconds_between,
    uid,
)

MINUTE = 60 * SECOND


def test_a_container_that_dies_is_started_again_in_the_same_pod():
    cluster = a_machine_room().with_objects(a_bound_pod("web", **a_script("sleep 20; exit 1")))
    cluster.run_for(10)
    before = uid(cluster, "web")

    cluster.run_for(15)

    status = container(cluster, "web")
    assert status["restartCount"] == 1
    assert "running" in status["state"]
    assert status["lastState"]["terminated"]["exitCode"] == 1
    assert uid(cluster, "web") == before


def test_the_waits_between_restarts_double():
    cluster = a_machine_room().with_objects(a_bound_pod("web", **a_script("exit 1")))
    starts: list[str] = []
    for restart in range(6):
        cluster.run_until(lambda c, n=restart: _attempt(c, "web") == n, 400)
        starts.append(_started(cluster, "web"))

    gaps = [seconds_between(*pair) for pair in pairwise(starts)]

    assert gaps[0] < 4
    assert all(wait <= gap < wait + 4 for wait, gap in zip((10, 20, 40, 80), gaps[1:], strict=True))


def test_a_back_off_shows_as_crash_loop():
    cluster = a_machine_room().with_objects(a_bound_pod("web", **a_script("exit 1")))

    cluster.run_until(lambda c: _reason(c, "web") == "CrashLoopBackOff", 30)

    where = f"web_default({uid(cluster, 'web')})"
    message = f"back-off 10s restarting failed container=app pod={where}"
    assert container(cluster, "web")["state"]["waiting"]["message"] == message
    assert (
        "BackOff",
        f"Back-off restarting failed container app in pod web_default({uid(cluster, 'web')})",
    ) in said(cluster, "web")
    assert phase(cluster, "web") == "Running"
    assert condition(cluster.get("Pod", "web"), "Ready")["status"] == "False"


def test_repeated_events_are_counted_not_repeated():
    cluster = a_machine_room().with_objects(a_bound_pod("web", **a_script("exit 1"))).run_for(200)

    counts = [e["count"] for e in cluster.events("Started")]

    assert counts == [6]


@pytest.mark.parametrize(
    ("policy", "code", "restarted"), [("Always", 0, True), ("OnFailure", 0, False), ("OnFailure", 1, True)]
)
def test_the_restart_policy_decides(policy: str, code: int, restarted: bool):
    pod = a_bound_pod("job", **a_script(f"sleep 1; exit {code}"), restartPolicy=policy)

    cluster = a_machine_room().with_objects(pod).run_for(12)

    assert (container(cluster, "job")["restartCount"] > 0) is restarted
    assert (phase(cluster, "job") == "Succeeded") is not restarted


def test_a_container_that_outgrows_its_limit_is_killed_by_the_kernel():
    limits = {"limits": {"memory": "32Mi"}}
    cluster = a_machine_room().with_objects(a_bound_pod("leak", "orrery/leaker", resources=limits))

    cluster.run_until(lambda c: container(c, "leak")["lastState"] != {}, 60)

    ended = container(cluster, "leak")["lastState"]["terminated"]
    assert (ended["reason"], ended["exitCode"]) == ("OOMKilled", 137)


def test_a_program_that_is_not_in_the_image_cannot_start():
    cluster = a_machine_room().with_objects(a_bound_pod("web", command=["serve"])).run_for(8)

    ended = container(cluster, "web")["lastState"]["terminated"]

    assert (ended["exitCode"], ended["reason"]) == (128, "StartError")
    assert 'exec: "serve": executable file not found in $PATH' in ended["message"]


def test_a_failed_init_container_without_restarts_fails_the_pod():
    inits = [{"name": "setup", "image": "busybox", "command": ["false"]}]
    pod = a_bound_pod("web", initContainers=inits, restartPolicy="Never")

    cluster = a_machine_room().with_objects(pod).run_for(10)

    assert phase(cluster, "web") == "Failed"
    assert "waiting" in container(cluster, "web")["state"]


def test_ten_good_minutes_are_enough_to_forgive():
    crashed_often = [80 * SECOND, 0]

    assert restarts.wait_before_restart(crashed_often, died=9 * MINUTE) == 80 * SECOND
    assert restarts.wait_before_restart(crashed_often, died=11 * MINUTE) == 0


def _attempt(cluster: object, name: str) -> int:
    status = container(cluster, name)
    return status["restartCount"] if "containerID" in status else -1


def _started(cluster: object, name: str) -> str:
    state = container(cluster, name)["state"]
    return state.get("running", state.get("terminated"))["startedAt"]


def _reason(cluster: object, name: str) -> str:
    return container(cluster, name)["state"].get("waiting", {}).get("reason", "")
