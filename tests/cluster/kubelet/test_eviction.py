"""A machine that runs out of memory gives up pods one by one, and says so."""

import pytest

from cluster.objects import Manifest, nodes
from tests.builders import TestCluster, a_deployment
from tests.cluster.kubelet.cases import (
    a_bound_pod,
    a_machine_room,
    condition,
    container,
    phase,
    reasons,
    said,
    seconds_between,
)  # fmt: skip

TAINT = {"key": "node.kubernetes.io/memory-pressure", "effect": "NoSchedule"}
SMALL = [{"name": "worker-1", "memory": "1Gi"}]  # Some 500 MiB are left for pods before it is short of memory.


def a_hog(name: str, mebibytes: int, request: str = "", **more) -> Manifest:
    """A pod that takes so much memory, and has asked for as much as `request` says."""
    arguments = ["--vm", "1", "--vm-bytes", f"{mebibytes}M"]
    pod = a_bound_pod(name, "polinux/stress", command=["stress"], args=arguments, **more)
    if request:
        pod["spec"]["containers"][0]["resources"] = {"requests": {"memory": request}}
    return pod


def a_small_machine() -> TestCluster:
    return a_machine_room(nodes=SMALL)


def a_priority_class(name: str, value: int) -> Manifest:
    return {"kind": "PriorityClass", "apiVersion": "scheduling.k8s.io/v1", "metadata": {"name": name}, "value": value}


def a_pressed_machine() -> TestCluster:
    """Short of memory because of a pod `greedy`, which is evicted."""
    cluster = a_small_machine()
    cluster.create(a_hog("greedy", 550))
    return cluster.run_until(lambda c: phase(c, "greedy") == "Failed", 60)


def pressure(cluster: TestCluster) -> Manifest:
    return condition(cluster.get("Node", "worker-1"), "MemoryPressure")


def running(cluster: TestCluster, *names: str) -> list[str]:
    return [name for name in names if phase(cluster, name) == "Running"]


def looks(cluster: TestCluster, node: str = "worker-1") -> bool:
    """Is a look at its memory planned?"""
    return any(key.startswith(f"kubelet/{node}|") and key.endswith("|pressure") for key in cluster.world.agenda.cells)


def test_a_pod_that_leaks_past_the_machine_s_memory_is_evicted():
    cluster = a_small_machine()
    cluster.create(a_bound_pod("quiet"))
    cluster.create(a_bound_pod("leaky", "orrery/leaker"))

    cluster.run_for(90)

    status = cluster.get("Pod", "leaky")["status"]
    assert (phase(cluster, "quiet"), status["phase"], status["reason"]) == ("Running", "Failed", "Evicted")
    assert status["message"] == (
        "The node was low on resource: memory. Threshold quantity: 100Mi, available: 20080Ki. "
        "Container app was using 593352Ki, request is 0, has larger consumption of memory. "
    )
    assert reasons(cluster, "leaky")[-2:] == ["Evicted", "Killing"]
    assert said(cluster, "leaky")[-2] == ("Evicted", status["message"])


def test_an_evicted_pod_is_marked_as_disrupted_by_its_kubelet():
    cluster = a_pressed_machine()

    target = condition(cluster.get("Pod", "greedy"), "DisruptionTarget")

    assert (target["status"], target["reason"]) == ("True", "TerminationByKubelet")
    assert target["message"] == cluster.get("Pod", "greedy")["status"]["message"]


def test_the_event_names_who_took_the_memory_in_its_annotations():
    cluster = a_pressed_machine()

    [event] = cluster.events("Evicted")

    assert event["type"] == "Warning"
    assert event["metadata"]["annotations"] == {
        "offending_containers": "app",
        "offending_containers_usage": "550Mi",
        "starved_resource": "memory",
    }
    owned = event["metadata"]["managedFields"][0]["fieldsV1"]["f:metadata"]
    assert "f:starved_resource" in owned["f:annotations"]


def test_a_node_that_is_short_of_memory_says_so_and_is_tainted():
    cluster = a_pressed_machine().run_for(12)

    found = pressure(cluster)

    assert (found["status"], found["reason"]) == ("True", "KubeletHasInsufficientMemory")
    assert found["message"] == "kubelet has insufficient memory available"
    assert ("EvictionThresholdMet", "Attempting to reclaim memory") in said(cluster, "worker-1")
    assert said(cluster, "worker-1")[-1] == (
        "NodeHasInsufficientMemory",
        "Node worker-1 status is now: NodeHasInsufficientMemory",
    )
    [taint] = nodes.taints(cluster.get("Node", "worker-1"))
    assert taint.items() >= TAINT.items()


def test_the_pressure_ends_five_minutes_after_memory_was_last_short():
    cluster = a_pressed_machine().run_for(12)
    began = pressure(cluster)["lastTransitionTime"]

    cluster.run_for(280)
    assert pressure(cluster)["status"] == "True"
    cluster.run_for(40)

    assert (pressure(cluster)["status"], pressure(cluster)["reason"]) == ("False", "KubeletHasSufficientMemory")
    assert 290 <= seconds_between(began, pressure(cluster)["lastTransitionTime"]) <= 320
    [again] = cluster.events("NodeHasSufficientMemory")
    assert (again["count"], again["type"]) == (2, "Normal")
    assert nodes.taints(cluster.get("Node", "worker-1")) == []


def test_only_as_many_pods_go_as_have_to_one_after_the_other():
    cluster = a_small_machine()
    cluster.create(a_hog("honest", 400, request="420Mi"))
    for number in range(4):
        cluster.create(a_hog(f"hog-{number}", 45 + number))

    cluster.run_for(120)

    assert running(cluster, "hog-0", "hog-1", "hog-2", "hog-3") == ["hog-0", "hog-1"]
    ends = [container(cluster, f"hog-{number}")["state"]["terminated"]["finishedAt"] for number in (3, 2)]
    assert 0 < seconds_between(*ends) <= 5


def test_who_takes_more_than_it_asked_for_goes_before_a_bigger_one_that_does_not():
    cluster = a_small_machine()
    cluster.create(a_hog("honest", 300, request="320Mi"))
    cluster.create(a_hog("greedy", 250, request="100Mi"))

    cluster.run_for(60)

    assert running(cluster, "honest", "greedy") == ["honest"]
    assert "using 250Mi, request is 100Mi, has larger" in cluster.get("Pod", "greedy")["status"]["message"]


def test_of_those_that_take_too_much_the_lowest_priority_goes_first():
    cluster = a_small_machine()
    cluster.create(a_priority_class("important", 1000))
    cluster.create(a_hog("important", 300, priorityClassName="important"))
    cluster.create(a_hog("ordinary", 250))

    cluster.run_for(60)

    assert running(cluster, "important", "ordinary") == ["important"]


def test_a_critical_pod_is_never_evicted():
    cluster = a_small_machine()
    cluster.create(a_hog("critical", 560, priorityClassName="system-node-critical"))
    cluster.create(a_bound_pod("bystander"))

    cluster.run_for(90)

    assert running(cluster, "critical", "bystander") == ["critical"]
    assert pressure(cluster)["status"] == "True"
    assert cluster.events("EvictionThresholdMet")[0]["count"] > 3


def test_an_evicted_pod_gets_one_second_whatever_it_asks_for():
    cluster = a_small_machine()
    stubborn = a_bound_pod("stubborn", "orrery/leaker", terminationGracePeriodSeconds=600)
    stubborn["spec"]["containers"][0]["lifecycle"] = {"preStop": {"exec": {"command": ["sleep", "500"]}}}
    cluster.create(stubborn)

    cluster.run_until(lambda c: "Evicted" in reasons(c, "stubborn"), 120)
    cluster.run_for(2)

    assert phase(cluster, "stubborn") == "Failed"
    assert container(cluster, "stubborn")["state"]["terminated"]["exitCode"] == 137


def test_a_pod_without_requests_is_refused_while_memory_is_short():
    cluster = a_pressed_machine()

    cluster.create(a_bound_pod("late"))
    cluster.run_for(5)

    status = cluster.get("Pod", "late")["status"]
    assert (status["phase"], status["reason"]) == ("Failed", "Evicted")
    assert status["message"] == "Pod was rejected: The node had condition: [MemoryPressure]. "
    assert said(cluster, "late") == [("Evicted", "The node had condition: [MemoryPressure]. ")]


@pytest.mark.parametrize(
    "pod",
    [
        a_hog("welcome", 10, request="20Mi"),
        a_bound_pod("welcome", tolerations=[{**TAINT, "operator": "Exists"}]),
        a_bound_pod("welcome", priorityClassName="system-node-critical"),
    ],
    ids=["it asked for memory", "it tolerates the taint", "it is critical"],
)
def test_a_pod_starts_although_memory_is_short_if(pod):
    cluster = a_pressed_machine()

    cluster.create(pod)
    cluster.run_for(10)

    assert phase(cluster, "welcome") == "Running"


def test_whoever_owns_an_evicted_pod_makes_another_which_the_taint_sends_elsewhere():
    cluster = a_machine_room(nodes=[*SMALL, {"name": "worker-2", "memory": "8Gi", "cpu": "1"}])
    deployment = a_deployment("hog", image="orrery/leaker")
    prefer = {"key": "kubernetes.io/hostname", "operator": "In", "values": ["worker-1"]}
    term = {"weight": 100, "preference": {"matchExpressions": [prefer]}}
    affinity = {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [term]}}
    deployment["spec"]["template"]["spec"]["affinity"] = affinity
    cluster.create(deployment)

    cluster.run_for(150)

    found = {pod["spec"]["nodeName"]: pod["status"].get("reason") for pod in cluster.pods_of("hog")}
    assert found == {"worker-1": "Evicted", "worker-2": None}


def test_a_rebuilt_world_goes_on_with_the_eviction():
    cluster = a_small_machine()
    cluster.create(a_hog("honest", 400, request="420Mi"))
    for number in range(4):
        cluster.create(a_hog(f"hog-{number}", 45 + number))
    cluster.run_until(lambda c: bool(c.events("Evicted")), 60)
    other = TestCluster(cluster.world.fork())

    for each in (cluster, other):
        each.run_for(60)

    assert other.world.dump() == cluster.world.dump()
    assert len(running(other, "hog-0", "hog-1", "hog-2", "hog-3")) == 2


def test_a_node_that_can_t_run_short_of_memory_never_looks():
    cluster = a_machine_room(nodes=1)
    for number in range(20):
        cluster.create(a_bound_pod(f"pod-{number}"))

    cluster.run_for(60)

    assert not looks(cluster)


def test_a_node_whose_pods_could_exceed_it_looks_until_they_are_gone():
    cluster = a_small_machine()
    leaky = cluster.create(a_bound_pod("leaky", "orrery/leaker"))
    cluster.run_for(20)
    assert looks(cluster)

    cluster.delete(leaky)
    cluster.run_for(30)

    assert not looks(cluster)


def a_bounded_leaker(memory: str) -> Manifest:
    leaky = a_bound_pod("leaky", "orrery/leaker")
    leaky["spec"]["containers"][0]["resources"] = {"limits": {"memory": memory}}
    return leaky


def test_a_limit_that_keeps_a_leak_small_spares_the_node_its_looks():
    cluster = a_small_machine()
    leaky = a_bounded_leaker("100Mi")
    cluster.create(leaky)

    cluster.run_for(5)

    assert not looks(cluster)


def test_a_limit_that_is_raised_in_place_makes_the_node_look():
    cluster = a_small_machine()
    leaky = a_bounded_leaker("100Mi")
    pod = cluster.create(leaky)
    cluster.run_for(5)

    app = {
        **pod["spec"]["containers"][0],
        "resources": {"limits": {"memory": "900Mi"}, "requests": {"memory": "100Mi"}},
    }
    cluster.patch(pod, {"spec": {"containers": [app]}}, "resize")
    cluster.run_for(1)

    assert looks(cluster)
