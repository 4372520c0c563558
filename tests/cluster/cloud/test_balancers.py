"""Services of type LoadBalancer, and what the cloud has to do with them."""

from typing import Any

import pytest

from cluster.apiserver.commits import digest
from cluster.cloud import health
from cluster.engine.calls import ANSWER
from cluster.objects import Manifest, meta
from cluster.world import replay
from tests.builders import Refused, TestCluster, a_cluster, a_deployment, a_service
from tests.replay.test_rebuilding import rebuilt

FINALIZER = "service.kubernetes.io/load-balancer-cleanup"


def a_balanced_service(name: str = "web", **spec: Any) -> Manifest:
    service = a_service(name)
    return {**service, "spec": {**service["spec"], "type": "LoadBalancer", **spec}}


def ingress(cluster: TestCluster, name: str = "web") -> list[Manifest]:
    return cluster.get("Service", name)["status"]["loadBalancer"].get("ingress") or []


def balancers(cluster: TestCluster) -> list[Manifest]:
    return cluster.world.cloud.inventory.all("balancer")


def said(cluster: TestCluster, name: str = "web") -> list[str]:
    return [e["reason"] for e in cluster.objects("Event") if e["involvedObject"]["name"] == name]


def test_a_balancer_is_ensured_and_its_address_told():
    cluster = a_cluster(nodes=2, cloud=True).with_objects(a_balanced_service()).settled()

    assert ingress(cluster) == [{"ip": "203.0.113.1", "ipMode": "VIP"}]
    assert cluster.get("Service", "web")["metadata"]["finalizers"] == [FINALIZER]
    assert said(cluster) == ["EnsuringLoadBalancer", "EnsuredLoadBalancer"]
    assert {e["source"]["component"] for e in cluster.events("EnsuredLoadBalancer")} == {"service-controller"}
    balancer = balancers(cluster)[0]
    port = cluster.get("Service", "web")["spec"]["ports"][0]["nodePort"]
    assert balancer["listeners"] == [{"port": 80, "protocol": "TCP", "nodePort": port}]
    assert balancer["backends"] == ["worker-1", "worker-2"]
    assert balancer["name"] == "a" + meta.uid(cluster.get("Service", "web")).replace("-", "")[:31]


def test_without_the_cloud_a_balancer_is_waited_for_and_comes_when_it_is_switched_on():
    cluster = a_cluster(nodes=2).with_objects(a_balanced_service()).settled()
    assert ingress(cluster) == []
    assert said(cluster) == []

    cluster.act("cloud", op="on")
    cluster.settle()

    assert ingress(cluster)[0]["ip"] == "203.0.113.1"
    assert balancers(cluster)[0]["backends"] == ["worker-1", "worker-2"]


def test_a_cloud_that_is_switched_off_again_leaves_what_it_made():
    cluster = a_cluster(nodes=1, cloud=True).with_objects(a_balanced_service()).settled()

    cluster.act("cloud", op="off")
    cluster.with_objects(a_balanced_service("late")).settle()

    assert ingress(cluster)[0]["ip"] == "203.0.113.1"
    assert ingress(cluster, "late") == []
    assert not [name for name in cluster.world.components if name.startswith(("cloud-", "service-lb", "node-route"))]


def test_a_balancer_follows_the_nodes():
    cluster = a_cluster(nodes=2, cloud=True).with_objects(a_balanced_service()).settled()

    cluster.act("node-add", name="worker-3")
    cluster.settle()
    assert balancers(cluster)[0]["backends"] == ["worker-1", "worker-2", "worker-3"]
    assert cluster.events("UpdatedLoadBalancer")[0]["message"] == "Updated load balancer with new hosts"

    node = cluster.get("Node", "worker-1")
    cluster.patch(node, {"metadata": {"labels": {"node.kubernetes.io/exclude-from-external-load-balancers": ""}}})
    cluster.settle()
    assert balancers(cluster)[0]["backends"] == ["worker-2", "worker-3"]

    cluster.act("node-remove", node="worker-2")
    cluster.settle()
    assert balancers(cluster)[0]["backends"] == ["worker-3"]


def test_a_service_without_any_node_is_told_so():
    cluster = a_cluster(nodes=0, cloud=True).with_objects(a_balanced_service()).settled()

    event = cluster.events("UnAvailableLoadBalancer")[0]
    assert (event["type"], event["message"]) == ("Warning", "There are no available nodes for LoadBalancer")


def test_a_deleted_service_stays_until_its_balancer_is_gone():
    cluster = a_cluster(nodes=1, cloud=True).with_objects(a_balanced_service()).settled()
    service = cluster.get("Service", "web")

    cluster.delete(service)
    assert meta.is_deleting(cluster.get("Service", "web"))
    cluster.settle()

    assert cluster.get("Service", "web") is None
    assert balancers(cluster) == []
    assert said(cluster)[-2:] == ["DeletingLoadBalancer", "DeletedLoadBalancer"]


def test_a_service_that_no_longer_wants_a_balancer_loses_it_and_its_address():
    cluster = a_cluster(nodes=1, cloud=True).with_objects(a_balanced_service()).settled()

    cluster.patch(cluster.get("Service", "web"), {"spec": {"type": "ClusterIP", "ports": [{"port": 80}]}})
    cluster.settle()

    assert ingress(cluster) == []
    assert "finalizers" not in cluster.get("Service", "web")["metadata"]
    assert balancers(cluster) == []
    assert cluster.events("Type")[0]["message"] == "LoadBalancer -> ClusterIP"


def test_a_class_of_balancers_that_is_somebody_elses_is_left_alone():
    service = a_balanced_service(loadBalancerClass="example.com/other")
    cluster = a_cluster(nodes=1, cloud=True).with_objects(service).settled()

    assert said(cluster) == []
    assert balancers(cluster) == []


def test_a_port_that_is_added_reaches_the_balancer():
    cluster = a_cluster(nodes=1, cloud=True).with_objects(a_balanced_service()).settled()
    ports = [{**cluster.get("Service", "web")["spec"]["ports"][0], "name": "a"}, {"name": "b", "port": 443}]

    cluster.patch(cluster.get("Service", "web"), {"spec": {"ports": ports}})
    cluster.settle()

    assert [listener["port"] for listener in balancers(cluster)[0]["listeners"]] == [80, 443]


def test_a_quota_that_is_used_up_is_reported_and_tried_again_until_it_is_raised():
    cluster = a_cluster(nodes=1, cloud=True)
    cluster.act("cloud", op="quota", kind="balancers", limit=0)
    cluster.with_objects(a_balanced_service()).run_for(60)

    event = cluster.events("SyncLoadBalancerFailed")[0]
    assert event["type"] == "Warning"
    assert event["message"] == (
        "Error syncing load balancer: failed to ensure load balancer: "
        "QuotaExceeded: quota 'balancers' is 0, 0 in use, 1 more wanted"
    )
    assert event["count"] == 4  # At once, and after 5, 10 and 20 s more; the calls take their time, too.
    assert ingress(cluster) == []

    cluster.act("cloud", op="quota", kind="balancers", limit=1)
    cluster.run_for(60)
    assert ingress(cluster)[0]["ip"] == "203.0.113.1"


def test_a_slow_cloud_holds_up_who_comes_after():
    cluster = a_cluster(nodes=1, cloud=True)
    cluster.act("cloud", op="slow", factor=20)
    cluster.with_objects(a_balanced_service("one"), a_balanced_service("two"))

    cluster.run_for(25)
    assert ingress(cluster, "one") == []
    assert said(cluster, "two") == []  # One worker: it has not even begun.
    cluster.run_for(150)
    assert ingress(cluster, "one")
    assert ingress(cluster, "two")


def test_what_changes_while_a_call_is_under_way_is_looked_at_afterwards():
    cluster = a_cluster(nodes=1, cloud=True)
    cluster.act("cloud", op="slow", factor=10)
    cluster.with_objects(a_balanced_service()).run_for(2)
    assert balancers(cluster) == []

    cluster.patch(cluster.get("Service", "web"), {"spec": {"loadBalancerSourceRanges": ["10.0.0.0/8"]}})
    cluster.run_for(120)

    assert balancers(cluster)[0]["sourceRanges"] == ["10.0.0.0/8"]
    assert cluster.events("LoadBalancerSourceRanges")[0]["message"] == " -> [10.0.0.0/8]"


def test_a_service_deleted_while_its_balancer_is_being_made_leaves_none_behind():
    cluster = a_cluster(nodes=1, cloud=True)
    cluster.act("cloud", op="slow", factor=10)
    cluster.with_objects(a_balanced_service()).run_for(2)

    cluster.delete(cluster.get("Service", "web"))
    cluster.run_for(120)

    assert cluster.get("Service", "web") is None
    assert balancers(cluster) == []


def test_a_failing_cloud_is_tried_again_until_it_works():
    cluster = a_cluster(nodes=1, cloud=True)
    cluster.act("cloud", op="fail", percent=100)
    cluster.with_objects(a_balanced_service()).run_for(60)
    assert "InternalError: the cloud can't do this now" in cluster.events("SyncLoadBalancerFailed")[0]["message"]

    cluster.act("cloud", op="ok")
    cluster.run_for(80)

    assert ingress(cluster)[0]["ip"] == "203.0.113.1"


def test_only_nodes_with_a_pod_of_their_own_get_traffic_that_must_stay_local():
    service = a_balanced_service(externalTrafficPolicy="Local")
    cluster = a_cluster(nodes=2, cloud=True).with_objects(service, a_deployment("web", replicas=1)).settled()
    service, balancer = cluster.get("Service", "web"), balancers(cluster)[0]
    home = cluster.pods_of("web")[0]["spec"]["nodeName"]

    found = backends(cluster, balancer, service)

    assert balancer["check"] == {"port": service["spec"]["healthCheckNodePort"], "path": "/healthz"}
    assert {backend.node: backend.healthy for backend in found} == {n: n == home for n in ("worker-1", "worker-2")}


def test_a_node_that_is_not_ready_gets_no_traffic_but_stays_behind_the_balancer():
    cluster = a_cluster(nodes=2, cloud=True).with_objects(a_balanced_service()).settled()

    cluster.power_off("worker-1")
    cluster.run_for(60)

    found = backends(cluster, balancers(cluster)[0], cluster.get("Service", "web"))
    assert [(backend.node, backend.healthy) for backend in found] == [("worker-1", False), ("worker-2", True)]


def backends(cluster: TestCluster, balancer: Manifest, service: Manifest) -> list[health.Backend]:
    nodes = {meta.name(node): node for node in cluster.objects("Node")}
    slices = health.slices_of(balancer["service"], cluster.objects("EndpointSlice"))
    return health.backends(balancer, service, nodes, slices)


def test_a_world_rebuilt_while_calls_are_under_way_has_the_same_future():
    def live(rebuild: bool) -> bytes:
        cluster = a_cluster(nodes=2, cloud=True)
        cluster.act("cloud", op="fail", percent=40)
        cluster.with_objects(a_balanced_service("one"), a_balanced_service("two"))
        cluster.act("node-add", name="late")
        calls = 0
        for _ in range(400):
            cluster.world.step()
            if ANSWER in "".join(cluster.world.cells["agenda"].data):
                calls += 1
                cluster.world.commit()
                if rebuild:
                    before = cluster.world.dump()
                    cluster.world = rebuilt(cluster.world)
                    assert cluster.world.dump() == before
        assert calls > 10
        return cluster.world.dump()

    assert live(rebuild=True) == live(rebuild=False)


def test_the_same_seed_has_the_same_failures():
    def live(seed: int) -> bytes:
        cluster = a_cluster(nodes=2, seed=seed, cloud=True)
        cluster.act("cloud", op="fail", percent=50)
        return cluster.with_objects(a_balanced_service("one"), a_balanced_service("two")).run_for(100).world.dump()

    assert live(3) == live(3)


def test_a_life_with_a_cloud_can_be_lived_again():
    cluster = a_cluster(nodes=2).with_objects(a_balanced_service())
    for operation in ("on", "slow", "fail", "ok"):
        cluster.act("cloud", op=operation)
        cluster.run_for(7)
    cluster.act("cloud-terminate", node="worker-2")
    cluster.run_for(120)

    again = replay(cluster.world.export(), slice_steps=13)

    assert digest(again.revisions()) == digest(cluster.world.revisions())
    assert again.cells["cloud"].data == cluster.world.cells["cloud"].data


def test_the_port_for_health_is_kept_while_the_policy_is_local_and_not_longer():
    cluster = a_cluster(nodes=0).with_objects(a_balanced_service(externalTrafficPolicy="Local"))
    service = cluster.get("Service", "web")
    port = service["spec"]["healthCheckNodePort"]

    cluster.patch(service, {"metadata": {"labels": {"a": "b"}}})
    assert (
        cluster.get("Service", "web")["spec"]["healthCheckNodePort"] == port != service["spec"]["ports"][0]["nodePort"]
    )

    cluster.patch(service, {"spec": {"externalTrafficPolicy": "Cluster"}})
    assert "healthCheckNodePort" not in cluster.get("Service", "web")["spec"]


def test_a_port_for_health_needs_the_policy_local():
    with pytest.raises(Refused, match="healthCheckNodePort") as refused:
        a_cluster(nodes=0).create(a_balanced_service(healthCheckNodePort=31000))
    assert refused.value.status == 422
