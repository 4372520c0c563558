"""cloud-controller-manager and its controllers: stopped, crashed, and waiting for each other."""

import pytest

from cluster.objects import meta
from tests.builders import Refused, TestCluster, a_cluster
from tests.cluster.cloud.test_balancers import a_balanced_service, balancers, ingress, said


def lease(cluster: TestCluster) -> str:
    found = cluster.get("Lease", "cloud-controller-manager", "kube-system")
    return str(found["spec"]["holderIdentity"]) if found else ""


def test_a_stopped_service_controller_leaves_balancers_pending_and_works_off_what_waited():
    cluster = a_cluster(nodes=1, cloud=True)
    cluster.act("component-stop", component="service-lb-controller")
    cluster.with_objects(a_balanced_service("one"), a_balanced_service("two")).run_for(60)
    assert said(cluster, "one") == said(cluster, "two") == []

    cluster.act("component-start", component="service-lb-controller")
    cluster.settle()

    assert {point[0]["ip"] for point in (ingress(cluster, "one"), ingress(cluster, "two"))} == {
        "203.0.113.1",
        "203.0.113.2",
    }


def test_a_service_controller_that_crashes_in_the_middle_of_a_call_begins_anew():
    cluster = a_cluster(nodes=1, cloud=True).with_objects(a_balanced_service()).run_for(1)
    assert balancers(cluster) == []

    cluster.act("component-restart", component="service-lb-controller")
    cluster.settle()

    assert len(balancers(cluster)) == 1
    assert ingress(cluster)[0]["ip"] == "203.0.113.1"


def test_the_manager_holds_a_lease_and_a_second_one_takes_over():
    cluster = a_cluster(nodes=1, cloud=True)
    first = lease(cluster)
    assert first

    cluster.act("replicas", process="cloud-controller-manager", count=2)
    cluster.run_for(5)
    cluster.act("component-stop", component="cloud-controller-manager/1")
    cluster.with_objects(a_balanced_service()).run_for(5)
    assert ingress(cluster) == []
    cluster.run_for(40)

    assert lease(cluster) not in ("", first)
    assert ingress(cluster)[0]["ip"] == "203.0.113.1"


def test_without_the_cloud_there_is_no_such_manager():
    cluster = a_cluster(nodes=1)

    assert lease(cluster) == ""
    with pytest.raises(Refused, match="this cluster has no cloud-controller-manager"):
        cluster.act("component-stop", component="cloud-controller-manager")
    with pytest.raises(Refused, match="not found"):
        cluster.act("component-stop", component="service-lb-controller")


def test_a_cloud_can_be_switched_off_and_on_again():
    cluster = a_cluster(nodes=1, cloud=True).with_objects(a_balanced_service()).settled()

    cluster.act("cloud", op="off")
    cluster.act("cloud", op="on")
    cluster.with_objects(a_balanced_service("late")).settle()

    assert len(balancers(cluster)) == 2
    assert ingress(cluster)[0]["ip"] == "203.0.113.1"
    with pytest.raises(Refused, match="already"):
        cluster.act("cloud", op="on")


def test_an_item_that_needs_no_call_passes_its_turn_on():
    cluster = a_cluster(nodes=0, cloud=True)
    cluster.act("cloud", op="slow", factor=200)
    for name in ("a", "b", "c"):
        cluster.act("node-add", name=name)
    cluster.run_for(2)  # One worker: the first is being looked up, the others wait.
    assert cluster.world.cells["agenda"]["cloud-node-controller|m|waiting"] == ["node/b", "node/c"]

    cluster.patch(cluster.get("Node", "b"), {"spec": {"taints": None}})
    cluster.run_for(60)

    assert cluster.get("Node", "c")["spec"]["providerID"]


def test_many_machines_are_all_initialised_and_routed():
    cluster = a_cluster(nodes=120, cloud=True)
    cluster.run_for(60)

    assert all(node["spec"].get("providerID") for node in cluster.objects("Node"))
    routes = {route["node"] for route in cluster.world.cloud.inventory.all("route")}
    assert routes == {meta.name(node) for node in cluster.objects("Node")}
    assert cluster.events("FailedToCreateRoute") == []
