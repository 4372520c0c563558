"""Nodes of a cluster whose machines are rented: initialised, shut down, terminated."""

import pytest

from cluster.objects import Manifest, conditions, meta, nodes
from tests.builders import Refused, TestCluster, a_cluster, a_deployment

UNINITIALIZED = "node.cloudprovider.kubernetes.io/uninitialized"
SHUTDOWN = "node.cloudprovider.kubernetes.io/shutdown"


def taints(cluster: TestCluster, node: str) -> list[str]:
    return [taint["key"] for taint in nodes.taints(cluster.get("Node", node) or {})]


def machine(cluster: TestCluster, node: str) -> Manifest:
    return cluster.world.cloud.inventory.find("machine", node) or {}


def test_a_new_node_learns_from_the_cloud_what_it_is():
    cluster = a_cluster(nodes=1, cloud=True)
    node, rented = cluster.get("Node", "worker-1"), machine(cluster, "worker-1")

    assert node["spec"]["providerID"] == rented["providerID"]
    assert node["status"]["addresses"] == rented["addresses"]
    labels = meta.labels(node)
    assert labels["topology.kubernetes.io/zone"] == labels["failure-domain.beta.kubernetes.io/zone"] == "sol-1a"
    assert labels["topology.kubernetes.io/region"] == "sol-1"
    assert labels["node.kubernetes.io/instance-type"] == labels["beta.kubernetes.io/instance-type"] == "std-4c-8g"
    assert taints(cluster, "worker-1") == []
    event = cluster.events("Synced")[0]
    assert (event["message"], event["source"]["component"]) == ("Node synced successfully", "cloud-node-controller")


def test_a_kubelet_in_a_cloud_registers_with_a_taint_and_without_addresses():
    cluster = a_cluster(nodes=0, cloud=True)
    cluster.act("cloud", op="down")
    cluster.act("node-add", name="new")
    cluster.run_for(5)

    node = cluster.get("Node", "new")
    assert UNINITIALIZED in taints(cluster, "new")
    assert node["status"]["addresses"] == [{"type": "Hostname", "address": "new"}]
    assert "providerID" not in node["spec"]


def test_no_pod_comes_to_a_node_that_the_cloud_has_not_initialised():
    cluster = a_cluster(nodes=1, cloud=True)
    cluster.act("cloud", op="fail")
    cluster.power_off("worker-1")
    cluster.act("node-add", name="new")
    cluster.run_for(70)
    cluster.with_objects(a_deployment("web", replicas=1)).run_for(20)
    assert cluster.pods_of("web")[0]["spec"].get("nodeName") is None

    cluster.act("cloud", op="ok")
    cluster.run_for(1_100)

    assert cluster.pods_of("web")[0]["spec"]["nodeName"] == "new"


def test_without_the_cloud_a_node_has_no_provider_id():
    node = a_cluster(nodes=1).get("Node", "worker-1")

    assert "providerID" not in node["spec"]
    assert [address["type"] for address in node["status"]["addresses"]] == ["InternalIP", "Hostname"]


def test_a_running_cluster_that_moves_into_the_cloud_has_its_nodes_initialised():
    cluster = a_cluster(nodes=2)

    cluster.act("cloud", op="on")
    cluster.settle()

    for name in ("worker-1", "worker-2"):
        assert cluster.get("Node", name)["spec"]["providerID"] == machine(cluster, name)["providerID"]
        assert taints(cluster, name) == []


def test_a_machine_that_the_cloud_takes_back_takes_its_node_along_and_its_pods_are_replaced():
    cluster = a_cluster(nodes=3, cloud=True).with_objects(a_deployment("web", replicas=6)).settled()
    lost = [meta.name(pod) for pod in cluster.pods_of("web") if pod["spec"]["nodeName"] == "worker-2"]
    assert lost

    cluster.act("cloud-terminate", node="worker-2")
    assert cluster.get("Node", "worker-2") is not None  # Nobody told the cluster.
    cluster.run_for(180)

    assert cluster.get("Node", "worker-2") is None
    event = cluster.events("DeletingNode")[0]
    assert event["message"] == "Deleting node worker-2 because it does not exist in the cloud provider"
    assert event["source"]["component"] == "cloud-node-lifecycle-controller"
    there = cluster.pods_of("web")
    assert len(there) == 6
    assert {pod["spec"]["nodeName"] for pod in there} == {"worker-1", "worker-3"}
    assert machine(cluster, "worker-2")["state"] == "terminated"


def test_a_new_machine_waits_until_the_node_of_the_old_one_is_gone():
    cluster = a_cluster(nodes=2, cloud=True)
    cluster.act("cloud-terminate", node="worker-2")

    with pytest.raises(Refused, match="wait until it is gone"):
        cluster.act("node-add", name="worker-2")
    cluster.run_for(120)
    cluster.act("node-add", name="worker-2")
    cluster.settle()

    assert cluster.get("Node", "worker-2")["spec"]["providerID"] == machine(cluster, "worker-2")["providerID"]


def test_a_node_that_the_cloud_took_back_can_be_asked_why_it_is_gone():
    cluster = a_cluster(nodes=2, cloud=True)
    cluster.act("cloud-terminate", node="worker-2")
    cluster.run_for(100)

    told = [link["text"] for link in cluster.why("Node", "worker-2")["chain"]]

    assert told[0] == "Node/worker-2 is gone."
    assert "The cloud took machine worker-2 back. Nobody told the cluster." in told


def test_a_machine_that_is_switched_off_keeps_its_node_and_gets_a_taint_until_it_is_back():
    cluster = a_cluster(nodes=2, cloud=True)

    cluster.power_off("worker-1")
    cluster.run_for(70)
    assert SHUTDOWN in taints(cluster, "worker-1")
    assert cluster.events("DeletingNode") == []

    cluster.power_on("worker-1")
    cluster.run_for(30)
    assert SHUTDOWN not in taints(cluster, "worker-1")


def test_a_terminated_machine_whose_cloud_does_not_answer_keeps_its_node():
    cluster = a_cluster(nodes=2, cloud=True)
    cluster.act("cloud", op="down")

    cluster.act("cloud-terminate", node="worker-1")
    cluster.run_for(200)
    assert cluster.get("Node", "worker-1") is not None

    cluster.act("cloud", op="ok")
    cluster.run_for(30)
    assert cluster.get("Node", "worker-1") is None


def test_each_range_of_pod_addresses_has_a_route_to_its_machine():
    cluster = a_cluster(nodes=2, cloud=True)
    cluster.run_for(30)

    routes = {route["node"]: route["cidr"] for route in cluster.world.cloud.inventory.all("route")}
    assert routes == {meta.name(n): n["spec"]["podCIDR"] for n in cluster.objects("Node")}
    condition = conditions.get(cluster.get("Node", "worker-1"), "NetworkUnavailable")
    assert (condition["status"], condition["reason"]) == ("False", "RouteCreated")
    assert condition["message"] == "RouteController created a route"


def test_a_route_that_is_refused_makes_the_network_unavailable_until_there_is_room():
    cluster = a_cluster(nodes=1, cloud=True)
    cluster.run_for(30)
    cluster.act("cloud", op="quota", kind="routes", limit=1)

    cluster.act("node-add", name="new")
    cluster.run_for(30)
    condition = conditions.get(cluster.get("Node", "new"), "NetworkUnavailable")
    assert (condition["status"], condition["reason"]) == ("True", "NoRouteCreated")
    assert "node.kubernetes.io/network-unavailable" in taints(cluster, "new")
    assert "QuotaExceeded: quota 'routes' is 1" in cluster.events("FailedToCreateRoute")[0]["message"]

    cluster.act("cloud", op="quota", kind="routes", limit=5)
    cluster.run_for(30)
    assert conditions.get(cluster.get("Node", "new"), "NetworkUnavailable")["status"] == "False"
    assert "node.kubernetes.io/network-unavailable" not in taints(cluster, "new")


def test_the_route_of_a_node_that_is_gone_is_taken_away():
    cluster = a_cluster(nodes=2, cloud=True)
    cluster.run_for(30)

    cluster.act("node-remove", node="worker-1")
    cluster.run_for(30)

    assert [route["node"] for route in cluster.world.cloud.inventory.all("route")] == ["worker-2"]


def test_a_settled_cluster_in_a_cloud_writes_nothing():
    cluster = a_cluster(nodes=2, cloud=True)
    cluster.run_for(60)
    before = len(cluster.world.revisions())

    cluster.run_for(240)

    written = {(write.actor, write.key.split("/")[2]) for write in cluster.world.revisions()[before:]}
    assert {actor.partition("/")[0] for actor, kind in written if kind != "leases"} <= {"kubelet"}
