"""Requests that flow: from a generator's pod along its own way to those who serve it, and what comes of them."""

import orjson
import pytest

from cluster.flows.traffic import shared
from cluster.kubelet import committed, serving
from tests.builders import a_deployment, a_pod
from tests.cluster.flows.conftest import Lab, a_lab
from tests.cluster.network.conftest import a_service


def load_of(lab: Lab, app: str) -> list[float]:
    """Requests a second that each running pod takes now."""
    running = [record for record in lab.records(app) if record["ended"] is None]
    return [record["load"][-1][2] / 1000 if record.get("load") else 0.0 for record in running]  # type: ignore[index]


def test_requests_are_spread_over_the_pods_of_a_service(lab: Lab):
    lab.send(40)

    assert load_of(lab, "web") == [20.0, 20.0]
    assert lab.outcomes() == {"200": 40.0}
    assert lab.condition("Succeeding")["reason"] == "AllAnswered"


def test_another_rate_is_there_within_a_second(lab: Lab):
    lab.send(10)
    lab.change(requestsPerSecond=500).run_for(0)

    assert lab.outcomes() == {"200": 500.0}
    assert lab.change(requestsPerSecond=0).outcomes() == {}
    assert load_of(lab, "web") == [0.0, 0.0]
    assert lab.condition("Succeeding")["reason"] == "Idle"


def test_steady_traffic_takes_no_steps_and_writes_nothing(lab: Lab):
    lab.send(10_000).run_for(60)
    steps, revision = lab.cluster.world.steps_by_component["traffic"], lab.status()

    lab.run_for(3600)

    assert lab.cluster.world.steps_by_component["traffic"] == steps
    assert lab.status() == revision


def test_a_cluster_without_generators_never_looks_at_ways():
    lab = a_lab()
    lab.cluster.create(a_deployment("other", 3))
    lab.run_for(60)

    assert "traffic" not in lab.cluster.world.steps_by_component


def test_requests_that_came_before_are_counted_whatever_the_rate_became(lab: Lab):
    lab.send(10)
    world = lab.cluster.world
    (record,) = lab.records("load-load-generator")
    began = record["flow"][0]["from"]  # type: ignore[index]
    lab.run_for(100).change(requestsPerSecond=20).run_for(97)

    (record,) = lab.records("load-load-generator")

    total = serving.outcomes(record, world.now)["200"] / 1000
    seconds = (world.now - began) / 1_000_000
    assert 15 * seconds * 0.95 < total < 15 * seconds * 1.05


# --- what goes wrong ----------------------------------------------------------------------------------------------


def test_a_service_without_pods_refuses(lab: Lab):
    lab.send(10)
    lab.cluster.scale(a_deployment("web", 2), 0)
    lab.run_for(10)

    assert lab.outcomes() == {"connection refused": 10.0}
    told = lab.condition("Succeeding")
    assert (told["status"], told["reason"]) == ("False", "ConnectionRefused")
    assert told["message"] == 'Get "http://web": dial tcp web:80: connect: connection refused'

    lab.cluster.scale(a_deployment("web", 2), 2)
    lab.run_for(20)
    assert lab.outcomes() == {"200": 10.0}


def test_a_policy_that_lets_nobody_in_makes_all_requests_time_out(lab: Lab):
    lab.send(10, timeout="2s")
    spec = {"podSelector": {"matchLabels": {"app": "web"}}, "policyTypes": ["Ingress"]}
    metadata = {"name": "nobody", "namespace": "default"}
    policy = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": metadata, "spec": spec}
    lab.cluster.create(policy)
    lab.run_for(3)

    assert lab.outcomes() == {"i/o timeout": 5.0}  # Ten connections, each busy for two seconds.
    assert lab.condition("Succeeding")["reason"] == "IOTimeout"

    lab.cluster.delete(policy)
    assert lab.run_for(3).outcomes() == {"200": 10.0}


def test_a_name_that_does_not_exist_is_no_host(lab: Lab):
    lab.send(10, "http://nobody")

    assert lab.outcomes() == {"no such host": 10.0}
    assert lab.condition("Succeeding")["message"] == 'Get "http://nobody": dial tcp: lookup nobody: no such host'


def test_without_dns_nothing_is_found_and_an_address_still_is(lab: Lab):
    lab.send(10)
    address = lab.cluster.get("Service", "web")["spec"]["clusterIP"]
    lab.send(10, f"http://{address}", name="by-address")
    coredns = lab.cluster.get("Deployment", "coredns", "kube-system")
    lab.cluster.scale(coredns, 0)
    lab.run_for(45)

    assert set(lab.outcomes()) == {"lookup: i/o timeout"}
    assert lab.outcomes("by-address") == {"200": 10.0}


def test_a_broken_route_fails_only_the_requests_to_that_node(lab: Lab):
    lab.send(10, timeout="1s")
    (sender,) = lab.records("load-load-generator")
    there = next(record["node"] for record in lab.records("web") if record["node"] != sender["node"])
    lab.cluster.act("route", **{"from": sender["node"], "to": there, "op": "break"})
    lab.run_for(3)

    assert lab.outcomes() == {"200": 5.0, "i/o timeout": 5.0}


def test_with_the_power_of_its_node_a_generator_stops_and_another_pod_goes_on(lab: Lab):
    lab.send(10)
    (sender,) = lab.records("load-load-generator")
    lab.cluster.power_off(sender["node"])  # type: ignore[arg-type]
    lab.run_for(3)
    assert lab.status()["requestsPerSecond"] == 0.0 or sum(load_of(lab, "web")) == 0

    lab.run_for(400)
    assert sum(lab.outcomes().values()) > 5


def test_a_page_that_is_missing_is_an_answer_and_a_server_error_is_a_failure(lab: Lab):
    lab.send(10, "http://web/nothing")
    assert lab.outcomes() == {"404": 10.0}
    assert lab.condition("Succeeding")["status"] == "True"

    lab.cluster.create(a_pod("ill", "registry.k8s.io/e2e-test-images/agnhost:2.40", args=["liveness"]))
    lab.run_for(20)
    address = lab.cluster.get("Pod", "ill")["status"]["podIP"]
    lab.send(10, f"http://{address}:8080/healthz", name="ill")
    assert lab.outcomes("ill") == {"500": 10.0}
    assert lab.condition("Succeeding", "ill")["reason"] == "HTTP500"


def test_a_server_that_will_answer_differently_is_heard_when_it_does(lab: Lab):
    lab.cluster.create(a_service("ill", "ill", ports=[{"port": 80, "targetPort": 8080}]))
    lab.send(10, "http://ill/healthz", name="ill")
    assert lab.outcomes("ill") == {"connection refused": 10.0}

    deployment = a_deployment("ill", 1, "registry.k8s.io/e2e-test-images/agnhost:2.40", args=["liveness"])
    lab.cluster.create(deployment)
    lab.cluster.run_until(lambda c: lab.outcomes("ill") == {"200": 10.0}, 60)
    lab.cluster.run_until(lambda c: lab.outcomes("ill") == {"500": 10.0}, 15)


def test_session_affinity_sends_all_requests_of_a_pod_to_one(lab: Lab):
    lab.cluster.patch(a_service("web"), {"spec": {"sessionAffinity": "ClientIP"}})
    lab.send(10)

    assert sorted(load_of(lab, "web")) == [0.0, 10.0]


# --- hey, fortio --------------------------------------------------------------------------------------------------


def test_hey_asks_for_a_time_and_reports(lab: Lab):
    lab.cluster.create(
        a_pod("hey", "williamyeh/hey", args=["-z", "30s", "-c", "4", "-q", "5", "http://web"], restartPolicy="Never")
    )
    lab.run_for(20)
    assert lab.figures("hey")["outcomes"] == {"200": 20.0}
    lab.run_for(30)

    assert lab.cluster.get("Pod", "hey")["status"]["phase"] == "Succeeded"
    (record,) = lab.records("hey")

    printed = [line.text for line in committed.printed(record, 0, lab.cluster.world.now, 0)]
    assert "Summary:" in printed
    responses = next(line for line in printed if "[200]" in line)
    assert 560 < int(responses.split("\t")[1].split()[0]) <= 600
    assert load_of(lab, "web") == [0.0, 0.0]


def test_fortio_sends_as_fast_as_answers_come():
    lab = a_lab(replicas=1, image="registry.k8s.io/hpa-example", resources={"limits": {"cpu": "500m"}})
    args = ["load", "-qps", "0", "-c", "8", "-t", "0", "-timeout", "10s", "http://web"]
    lab.cluster.create(a_pod("fortio", "fortio/fortio", args=args))
    lab.run_for(20)

    found = lab.figures("fortio")
    assert found["sent"] == pytest.approx(2.5, rel=0.02)
    assert found["latency"]["mean"] == "3.18s"  # type: ignore[index]


# --- CPU that is there --------------------------------------------------------------------------------------------


def test_cpu_is_given_out_by_requests_and_nobody_gets_more_than_wanted():
    assert shared(1000, [100, 200], [1, 1]) == [100, 200]
    assert shared(1000, [5000, 5000], [100, 300]) == [250, 750]
    assert shared(1000, [100, 5000, 5000], [500, 1, 1]) == [100, 450, 450]
    assert shared(0, [1, 1], [1, 1]) == [0, 0]
    assert shared(10, [], []) == []


def test_a_server_without_a_limit_gets_what_its_machine_has():
    lab = a_lab(nodes=[{"name": "small", "cpu": "2"}], replicas=1, image="registry.k8s.io/hpa-example")
    lab.send(100, connections=64)

    (rate,) = load_of(lab, "web")
    assert 8 < rate < 10  # Two CPUs less what else runs, by 200 ms for each request.
    lab.run_for(40)
    assert 1600 < sum(lab.cpu("web").values()) < 2000


# --- machines that go down, and static pods -----------------------------------------------------------------------


def ends_of(lab: Lab, app: str, part: str) -> list[tuple[object, object, object]]:
    """(when a container ended, since when its last rate holds, that rate) of all that are over and had any."""
    pieces = [(each["ended"], each[part][-1]) for each in lab.records(app) if each["ended"] and each.get(part)]  # type: ignore[index]
    first, rate = (0, 2) if part == "load" else ("from", "sent")
    return [(ended, piece[first], piece[rate]) for ended, piece in pieces]


@pytest.mark.parametrize("way", ["power-off", "shutdown", "node-remove"])
def test_whatever_ran_on_a_machine_that_is_off_serves_and_sends_nothing(lab: Lab, way: str):
    lab.send(400, replicas=2)
    lab.cluster.act(way, **({"name": "worker-1"} if way == "node-remove" else {"node": "worker-1"}))
    if way == "shutdown":
        lab.cluster.run_until(lambda c: not c.world.cells["machines"]["worker-1"]["power"], 60)
    lab.run_for(0.3)

    for app, part in (("web", "load"), ("load-load-generator", "flow")):
        over = ends_of(lab, app, part)
        assert over
        assert all((since, rate) == (ended, 0) for ended, since, rate in over)


def test_a_machine_that_was_shut_down_in_order_answers_at_no_port(lab: Lab):
    ports = [{"port": 80, "nodePort": 30080}]
    lab.cluster.create(a_service("door", "web", type="NodePort", ports=ports))
    lab.send(10, timeout="1s")
    (sender,) = lab.records("load-load-generator")
    other = next(node for node in ("worker-1", "worker-2") if node != sender["node"])
    address = lab.cluster.get("Node", other)["status"]["addresses"][0]["address"]
    lab.change(target=f"http://{address}:30080", requestsPerSecond=8)
    assert lab.outcomes() == {"200": 8.0}

    lab.cluster.act("shutdown", node=other)
    lab.cluster.run_until(lambda c: not c.world.cells["machines"][other]["power"], 60)
    lab.run_for(0.3)

    assert lab.figures("load-load-generator")["outcomes"] == {"i/o timeout": 8.0}


def a_manifest(name: str, image: str, **more: object) -> str:
    return orjson.dumps(a_pod(name, image, **more)).decode()


def test_a_static_pod_takes_cpu_from_the_servers_beside_it():
    lab = a_lab(nodes=[{"name": "worker-1", "cpu": "2"}], replicas=1)
    lab.send(10)

    def capacity() -> int:
        return next(each["load"][-1][4] for each in lab.records("web") if each["ended"] is None)  # type: ignore[index]

    before = capacity()
    burner = a_manifest("burner", "orrery/cpu-burner", env=[{"name": "CPU_MILLICORES", "value": "1500"}])
    lab.cluster.act("static-pod", node="worker-1", op="add", file="burner.yaml", text=burner)
    lab.run_for(30).change(requestsPerSecond=20)

    assert capacity() < before / 2
