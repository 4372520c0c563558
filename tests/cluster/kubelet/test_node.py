"""The kubelet registers its node and keeps it known."""

from itertools import pairwise

from cluster.objects import times
from tests.builders import a_cluster
from tests.cluster.kubelet.cases import SECOND, a_bound_pod, a_machine_room, condition, reasons, said


def test_a_machine_registers_itself_as_a_node():
    cluster = a_cluster(nodes=[{"name": "big", "cpu": "16", "memory": "64Gi", "labels": {"disk": "ssd"}}]).run_for(2)

    node = cluster.get("Node", "big")

    assert node["status"]["capacity"]["cpu"] == "16"
    assert node["status"]["allocatable"]["memory"] == "65436Mi"
    assert node["metadata"]["labels"]["disk"] == "ssd"
    assert node["metadata"]["labels"]["kubernetes.io/hostname"] == "big"
    assert [a["type"] for a in node["status"]["addresses"]] == ["InternalIP", "Hostname"]
    assert node["status"]["nodeInfo"]["kubeletVersion"] == "v1.37.2"


def test_a_machine_s_taints_are_registered_too():
    taint = {"key": "dedicated", "value": "db", "effect": "NoSchedule"}
    cluster = a_cluster(nodes=[{"name": "db", "taints": [taint]}]).run_for(2)

    assert taint in cluster.get("Node", "db")["spec"]["taints"]


def test_a_node_is_ready_when_it_has_addresses_for_pods():
    cluster = a_machine_room()

    ready = condition(cluster.get("Node", "worker-1"), "Ready")

    assert (ready["status"], ready["reason"]) == ("True", "KubeletReady")
    assert ready["message"] == "kubelet is posting ready status"
    assert reasons(cluster, "worker-1")[-1] == "NodeReady"


def test_the_lease_is_renewed_every_ten_seconds():
    cluster = a_machine_room()
    cluster.run_for(10)
    renewals: list[int] = []

    def renewed(old, new):
        if new["metadata"]["namespace"] == "kube-node-lease":
            renewals.append(_renewed(new))

    cluster.world.informers.subscribe("Lease", renewed)

    cluster.run_for(60)

    assert {later - earlier for earlier, later in pairwise(renewals)} == {10 * SECOND}
    assert len(renewals) == 6


def test_the_leases_of_many_nodes_are_renewed_at_ten_instants():
    cluster = a_machine_room(nodes=40)
    cluster.run_for(10)
    renewals: list[int] = []

    def renewed(old, new):
        if new["metadata"]["namespace"] == "kube-node-lease":
            renewals.append(_renewed(new))

    cluster.world.informers.subscribe("Lease", renewed)

    cluster.run_for(10)

    assert len(renewals) == 40
    assert len(set(renewals)) <= 10


def test_an_idle_node_is_reported_every_five_minutes():
    cluster = a_machine_room()
    reports: list[dict] = []
    cluster.world.informers.subscribe("Node", lambda old, new: reports.append(new))

    cluster.run_for(1500)

    assert len(reports) == 5


def test_a_dead_machine_says_nothing():
    cluster = a_machine_room()
    cluster.run_for(10)
    cluster.power_off("worker-1")
    renewals: list[int] = []

    def renewed(old, new):
        if new["metadata"]["namespace"] == "kube-node-lease":
            renewals.append(_renewed(new))

    cluster.world.informers.subscribe("Lease", renewed)

    cluster.run_for(60)

    assert renewals == []


def test_a_machine_that_returns_says_that_it_was_rebooted():
    cluster = a_machine_room()
    before = cluster.get("Node", "worker-1")["status"]["nodeInfo"]["bootID"]
    cluster.power_off("worker-1")
    cluster.run_for(5)

    cluster.power_on("worker-1")
    cluster.run_for(2)

    node = cluster.get("Node", "worker-1")
    boot = node["status"]["nodeInfo"]["bootID"]
    assert boot != before
    assert ("Rebooted", f"Node worker-1 has been rebooted, boot id: {boot}") in said(cluster, "worker-1")
    assert node["status"]["nodeInfo"]["machineID"] == cluster.get("Node", "worker-1")["status"]["nodeInfo"]["machineID"]


def test_pulled_images_are_reported_with_the_node():
    cluster = a_machine_room().with_objects(a_bound_pod("web")).run_for(30)

    names = [name for image in cluster.get("Node", "worker-1")["status"]["images"] for name in image["names"]]

    assert "docker.io/library/nginx:1.27" in names


def test_status_reports_of_many_nodes_are_spread_over_their_renewals():
    cluster = a_machine_room(nodes=40).run_for(300)
    reports: list[int] = []
    cluster.world.informers.subscribe("Node", lambda old, new: reports.append(cluster.world.now))

    cluster.run_for(300)

    assert len(reports) == 40
    assert all(moment % SECOND == 0 for moment in reports)
    assert len(set(reports)) > 20


def _renewed(lease: dict) -> int:
    return times.parse(lease["spec"]["renewTime"])
