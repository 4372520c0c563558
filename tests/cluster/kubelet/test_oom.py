"""A machine whose memory is used up at once: the kernel kills before the kubelet can evict."""

import pytest

from cluster.kubelet import oom
from cluster.objects import Manifest
from tests.builders import TestCluster
from tests.cluster.kubelet.cases import a_bound_pod, a_machine_room, container, phase, reasons, said
from tests.cluster.kubelet.test_eviction import SMALL, a_hog, a_priority_class

GIB = 1 << 30


def a_small_machine() -> TestCluster:
    return a_machine_room(nodes=SMALL)


def deaths(cluster: TestCluster, name: str) -> list[tuple[int, str]]:
    """(exit code, reason) of the container's last end, if it had one."""
    ended = container(cluster, name)["lastState"].get("terminated")
    return [(ended["exitCode"], ended["reason"])] if ended else []


def test_who_jumps_over_the_machine_s_memory_is_killed_and_restarted():
    cluster = a_small_machine()
    cluster.create(a_bound_pod("quiet"))
    cluster.create(a_hog("greedy", 2000))

    cluster.run_for(8)

    assert deaths(cluster, "greedy") == [(137, "OOMKilled")]
    assert container(cluster, "quiet")["restartCount"] == 0
    assert container(cluster, "greedy")["restartCount"] >= 1 or "BackOff" in reasons(cluster, "greedy")


def test_the_node_says_which_process_died():
    cluster = a_small_machine()
    cluster.create(a_hog("greedy", 2000, restartPolicy="Never"))

    cluster.run_for(8)

    [(_, message)] = [each for each in said(cluster, "worker-1") if each[0] == "SystemOOM"]
    assert message.startswith("System OOM encountered, victim process: stress, pid: ")
    assert cluster.events("SystemOOM")[0]["type"] == "Warning"
    assert phase(cluster, "greedy") == "Failed"
    assert container(cluster, "greedy")["state"]["terminated"]["reason"] == "OOMKilled"


def test_pods_that_asked_for_nothing_die_before_a_guaranteed_one_that_uses_more():
    cluster = a_small_machine()
    big = a_hog("guaranteed", 400)
    big["spec"]["containers"][0]["resources"] = {"limits": {"cpu": "1", "memory": "450Mi"}}
    cluster.create(big)
    cluster.create(a_hog("burstable", 100, request="150Mi"))
    cluster.run_for(5)
    cluster.create(a_hog("greedy", 300))

    cluster.run_for(5)

    assert deaths(cluster, "greedy") == [(137, "OOMKilled")]
    assert deaths(cluster, "guaranteed") == deaths(cluster, "burstable") == []


def test_as_many_die_as_have_to():
    cluster = a_small_machine()
    for number in range(4):
        cluster.create(a_hog(f"hog-{number}", 250, restartPolicy="Never"))

    cluster.run_for(5)

    assert sorted(phase(cluster, f"hog-{number}") for number in range(4)) == ["Failed", "Failed", "Running", "Running"]


def test_a_slow_leak_is_evicted_and_nobody_is_killed():
    cluster = a_small_machine()
    cluster.create(a_bound_pod("leaky", "orrery/leaker"))

    cluster.run_for(90)

    assert cluster.get("Pod", "leaky")["status"]["reason"] == "Evicted"
    assert cluster.events("SystemOOM") == []


def a_pod(resources: Manifest, **spec: str) -> Manifest:
    return {"metadata": {"name": "a"}, "spec": {"containers": [{"name": "app", "resources": resources}], **spec}}


@pytest.mark.parametrize(
    ("pod", "adjust"),
    [
        (a_pod({}), 1000),
        (a_pod({"requests": {"memory": "1Gi", "cpu": "1"}, "limits": {"memory": "1Gi", "cpu": "1"}}), -997),
        (a_pod({"requests": {"memory": "1Gi"}}), 750),
        (a_pod({"requests": {"cpu": "1"}}), 999),
        (a_pod({"requests": {"memory": "8Gi"}}), 3),
        (a_pod({}, priorityClassName="system-node-critical"), -997),
    ],
    ids=["BestEffort", "Guaranteed", "a quarter of the machine", "no memory", "more than there is", "critical"],
)
def test_the_kernel_is_told_whom_to_spare(pod: Manifest, adjust: int):
    assert oom.score_adjust(pod, pod["spec"]["containers"][0], 4 * GIB) == adjust


def test_a_rebuilt_world_kills_the_same_at_the_same_moment():
    cluster = a_small_machine()
    cluster.create(a_priority_class("important", 1000))
    cluster.create(a_hog("greedy", 2000, priorityClassName="important"))
    cluster.run_for(1.5)
    other = TestCluster(cluster.world.fork())

    for each in (cluster, other):
        each.run_for(30)

    assert other.world.dump() == cluster.world.dump()
    assert cluster.events("SystemOOM")
