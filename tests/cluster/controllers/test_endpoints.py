"""Services and the pods behind them: Endpoints and EndpointSlices follow every change."""

from cluster.objects import meta
from tests.builders import TestCluster, a_cluster, a_deployment, a_pod, a_replicaset, a_service

TRIGGER = "endpoints.kubernetes.io/last-change-trigger-time"


def slices(cluster: TestCluster, name: str = "web"):
    found = cluster.objects("EndpointSlice", "default")
    return [piece for piece in found if meta.labels(piece).get("kubernetes.io/service-name") == name]


def endpoints_in(cluster: TestCluster) -> list[tuple[str, bool, bool, bool]]:
    """(pod, ready, serving, terminating) of all slices of `web`, sorted."""
    return sorted(
        (e["targetRef"]["name"], *(e["conditions"][name] for name in ("ready", "serving", "terminating")))
        for piece in slices(cluster)
        for e in piece["endpoints"] or ()
    )


def addresses(cluster: TestCluster) -> tuple[list[str], list[str]]:
    """(ready, not ready) pods of the Endpoints `web`."""
    subsets = cluster.get("Endpoints", "web").get("subsets") or []
    ready = [a["targetRef"]["name"] for s in subsets for a in s.get("addresses", [])]
    return sorted(ready), sorted(a["targetRef"]["name"] for s in subsets for a in s.get("notReadyAddresses", []))


def a_web(replicas: int = 3, **pod: object) -> TestCluster:
    return a_cluster(nodes=3).with_objects(a_service("web"), a_deployment("web", replicas, **pod)).settled()


def mark_ready(cluster: TestCluster, pod, status: str) -> None:
    now = cluster.world.clock.stamp()
    kept = [c for c in pod["status"]["conditions"] if c["type"] != "Ready"]
    condition = {"type": "Ready", "status": status, "lastTransitionTime": now}
    cluster.patch(pod, {"status": {"conditions": [*kept, condition]}}, "status")


def test_a_service_without_pods_has_one_empty_slice():
    cluster = a_cluster(nodes=1).with_objects(a_service("web")).settled()

    (piece,) = slices(cluster)
    assert meta.name(piece).startswith("web-")
    assert (piece["endpoints"], piece["ports"], piece["addressType"]) == (None, None, "IPv4")
    assert "subsets" not in cluster.get("Endpoints", "web")


def test_every_ready_pod_is_an_endpoint_with_its_port_and_node():
    cluster = a_web(3)

    (piece,) = slices(cluster)
    pods = cluster.pods_of("web")
    assert endpoints_in(cluster) == sorted((meta.name(pod), True, True, False) for pod in pods)
    assert piece["ports"] == [{"name": "", "protocol": "TCP", "port": 80}]
    assert {(e["addresses"][0], e["nodeName"]) for e in piece["endpoints"]} == {
        (pod["status"]["podIP"], pod["spec"]["nodeName"]) for pod in pods
    }
    assert addresses(cluster) == (sorted(map(meta.name, pods)), [])


def test_a_pod_that_is_not_ready_is_listed_but_gets_no_traffic():
    cluster = a_web(2)
    pod = cluster.pods_of("web")[0]

    mark_ready(cluster, pod, "False")
    cluster.run_for(0.5)

    assert (meta.name(pod), False, False, False) in endpoints_in(cluster)
    assert addresses(cluster)[1] == [meta.name(pod)]
    assert meta.annotations(slices(cluster)[0])[TRIGGER] == cluster.world.clock.stamp()


def test_a_terminating_pod_still_serves_until_it_is_gone():
    cluster = a_web(2, image="busybox", command=["sleep", "900"], terminationGracePeriodSeconds=20)
    pod = cluster.pods_of("web")[0]

    cluster.delete(pod)
    cluster.run_for(1)
    assert (meta.name(pod), False, True, True) in endpoints_in(cluster)
    assert meta.name(pod) not in addresses(cluster)[0]
    assert TRIGGER not in meta.annotations(slices(cluster)[0]) or len(cluster.pods_of("web")) == 2

    cluster.run_for(30)
    assert meta.name(pod) not in [name for name, *_ in endpoints_in(cluster)]


def test_not_ready_addresses_are_published_where_the_service_asks_for_it():
    service = a_service("web")
    service["spec"] |= {"clusterIP": "None", "publishNotReadyAddresses": True}
    held = a_pod("held")
    held["metadata"] |= {"labels": {"app": "web"}}
    cluster = a_cluster(nodes=1).with_objects(service, held).settled()

    mark_ready(cluster, cluster.get("Pod", "held"), "False")
    cluster.run_for(0.5)

    assert endpoints_in(cluster) == [("held", True, False, False)]
    assert addresses(cluster) == (["held"], [])
    assert meta.labels(slices(cluster)[0])["service.kubernetes.io/headless"] == ""


def test_a_named_port_is_looked_up_in_each_pod():
    service = a_service("web")
    service["spec"]["ports"] = [{"name": "http", "port": 80, "targetPort": "web"}]
    ports = [{"name": "web", "containerPort": 8080}]
    cluster = a_cluster(nodes=1).with_objects(service, a_deployment("web", 1, ports=ports)).settled()

    assert slices(cluster)[0]["ports"] == [{"name": "http", "protocol": "TCP", "port": 8080}]
    assert cluster.get("Endpoints", "web")["subsets"][0]["ports"][0]["port"] == 8080


def test_other_ports_rewrite_the_slice_rather_than_replace_it():
    cluster = a_web(2)
    before = [meta.name(piece) for piece in slices(cluster)]

    ports = [{"port": 80, "targetPort": 8080, "protocol": "TCP"}]
    cluster.patch(cluster.get("Service", "web"), {"spec": {"ports": ports}})
    cluster.run_for(1)

    assert [meta.name(piece) for piece in slices(cluster)] == before
    assert slices(cluster)[0]["ports"][0]["port"] == 8080
    assert len(endpoints_in(cluster)) == 2


def test_pods_that_leave_the_selector_leave_the_service():
    cluster = a_web(2)
    pod = cluster.pods_of("web")[0]

    cluster.patch(pod, {"metadata": {"labels": {"app": "other"}}})
    cluster.settle()

    assert meta.name(pod) not in [name for name, *_ in endpoints_in(cluster)]
    assert len(endpoints_in(cluster)) == 2


def test_a_service_scaled_to_nothing_keeps_one_empty_slice():
    cluster = a_web(3)
    (before,) = slices(cluster)

    cluster.scale(cluster.get("Deployment", "web"), 0)
    cluster.settle()

    (after,) = slices(cluster)
    assert meta.name(after) == meta.name(before)
    assert (after["endpoints"], after["ports"]) == (None, None)


def test_a_deleted_service_takes_its_endpoints_with_it():
    cluster = a_web(1)

    cluster.delete(cluster.get("Service", "web"))
    cluster.settle()

    assert slices(cluster) == []
    assert cluster.get("Endpoints", "web") is None


def test_a_slice_that_somebody_deleted_or_bent_is_put_right():
    cluster = a_web(2)
    (piece,) = slices(cluster)

    cluster.patch(piece, {"endpoints": []})
    cluster.run_for(1)
    assert len(endpoints_in(cluster)) == 2

    cluster.delete(slices(cluster)[0])
    cluster.run_for(1)
    assert len(endpoints_in(cluster)) == 2


def test_a_service_without_selector_is_left_to_whoever_made_it():
    service = a_service("web")
    del service["spec"]["selector"]
    cluster = a_cluster(nodes=1).with_objects(service).settled()

    assert slices(cluster) == []
    assert cluster.get("Endpoints", "web") is None


def test_many_endpoints_are_spread_over_slices_of_a_hundred():
    cluster = a_cluster(nodes=3).with_objects(a_service("web"), a_replicaset("web", 250)).settled()

    assert len(endpoints_in(cluster)) == 250
    assert max(len(piece["endpoints"]) for piece in slices(cluster)) <= 100
    assert len({name for name, *_ in endpoints_in(cluster)}) == 250


def test_endpoints_stop_at_a_thousand_and_say_that_they_do():
    cluster = a_cluster(nodes=11).with_objects(a_service("web"), a_replicaset("web", 1_050)).settled()

    (subset,) = cluster.get("Endpoints", "web")["subsets"]
    assert len(subset["addresses"]) == 1_000
    ips = [address["ip"] for address in subset["addresses"]]
    assert ips == sorted(ips)
    annotations = meta.annotations(cluster.get("Endpoints", "web"))
    assert annotations["endpoints.kubernetes.io/over-capacity"] == "truncated"

    cluster.scale(cluster.get("ReplicaSet", "web"), 900)
    cluster.settle()
    assert "endpoints.kubernetes.io/over-capacity" not in meta.annotations(cluster.get("Endpoints", "web"))


def test_a_world_that_is_rebuilt_between_a_change_and_its_endpoints_writes_the_same():
    cluster = a_web(4)
    cluster.delete(cluster.pods_of("web")[1])
    cluster.run_for(0.01)

    rebuilt = TestCluster(cluster.world.fork())
    for one in (cluster, rebuilt):
        one.run_for(60)

    assert rebuilt.world.dump() == cluster.world.dump()
