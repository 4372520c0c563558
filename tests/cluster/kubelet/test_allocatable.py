"""What a node offers to pods: its capacity, less what is reserved and what its kubelet would evict for."""

from typing import Any

from cluster.objects import Manifest
from tests.cluster.kubelet.cases import a_bound_pod, a_machine_room


def allocatable(**machine: Any) -> Manifest:
    cluster = a_machine_room(nodes=[{"name": "worker-1", **machine}])
    return cluster.get("Node", "worker-1")["status"]["allocatable"]


def test_the_default_thresholds_are_kept_from_pods():
    assert allocatable() == {"cpu": "4", "ephemeral-storage": "96636764000", "memory": "8092Mi", "pods": "110"}


def test_the_capacity_stays_what_the_hardware_offers():
    status = a_machine_room(nodes=1).get("Node", "worker-1")["status"]

    assert status["capacity"] == {"cpu": "4", "ephemeral-storage": "100Gi", "memory": "8Gi", "pods": "110"}


def test_what_is_reserved_for_kubelet_and_system_is_kept_too():
    kubelet = {
        "kubeReserved": {"cpu": "200m", "memory": "500Mi", "ephemeral-storage": "1Gi", "pid": "1000"},
        "systemReserved": {"cpu": "100m", "memory": "24Mi"},
        "evictionHard": {"memory.available": "500Mi", "nodefs.available": "20Gi"},
    }

    found = allocatable(kubelet=kubelet)

    assert (found["cpu"], found["memory"], found["ephemeral-storage"]) == ("3700m", "7Gi", "79Gi")


def test_less_than_nothing_is_nothing():
    assert allocatable(memory="1Gi", kubelet={"systemReserved": {"memory": "2Gi"}})["memory"] == "0"


def test_soft_thresholds_keep_nothing():
    soft = {"evictionSoft": {"memory.available": "2Gi"}, "evictionSoftGracePeriod": {"memory.available": "1m"}}

    assert allocatable(kubelet=soft)["memory"] == "8092Mi"


def test_a_pod_that_asks_for_what_is_kept_does_not_start():
    cluster = a_machine_room(nodes=1)
    pod = a_bound_pod("large")
    pod["spec"]["containers"][0]["resources"] = {"requests": {"memory": "8Gi"}}
    cluster.create(pod)
    cluster.run_for(5)

    status = cluster.get("Pod", "large")["status"]
    assert status["reason"] == "OutOfmemory"
    assert "requested: 8589934592, used: 0, capacity: 8485076992" in status["message"]


def test_pods_that_together_take_more_than_they_may_are_evicted_although_the_machine_has_more():
    reserved = {"systemReserved": {"memory": "4Gi"}}
    cluster = a_machine_room(nodes=[{"name": "worker-1", "memory": "8Gi", "kubelet": reserved}])
    cluster.create(
        a_bound_pod("greedy", "polinux/stress", command=["stress"], args=["--vm", "1", "--vm-bytes", "4050M"])
    )

    cluster.run_for(40)

    status = cluster.get("Pod", "greedy")["status"]
    assert status["reason"] == "Evicted"
    assert "Threshold quantity: 100Mi, available: 46Mi. " in status["message"]
