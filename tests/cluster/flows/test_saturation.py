"""A server that is asked more than it can do: throttled, slow, unready, restarted; and well again."""

import pytest

from tests.builders import TestCluster, a_deployment, a_pod
from tests.cluster.flows.conftest import Lab, a_lab
from tests.cluster.network.test_traffic import an_autoscaler

HALF = {"requests": {"cpu": "200m"}, "limits": {"cpu": "500m"}}
PHP = "registry.k8s.io/hpa-example"


def slow_server(**probes: object) -> Lab:
    lab = a_lab(replicas=0)
    deployment = a_deployment("web", 1, PHP, resources=HALF)
    deployment["spec"]["template"]["spec"]["containers"][0] |= probes
    lab.cluster.patch(deployment, deployment)
    return lab.run_for(20)


def restarts(cluster: TestCluster) -> int:
    return sum(pod["status"]["containerStatuses"][0]["restartCount"] for pod in cluster.pods_of("web"))


def is_ready(cluster: TestCluster) -> bool:
    (pod,) = cluster.pods_of("web")
    return bool(pod["status"]["containerStatuses"][0]["ready"])


def test_over_its_capacity_a_server_answers_as_much_as_its_cpu_allows_and_slowly():
    lab = slow_server().send(20)
    lab.run_for(40)

    assert lab.outcomes() == {"200": 2.5}
    assert lab.condition("Succeeding")["reason"] == "FallingBehind"
    assert 3500 < lab.latency()["p50"] <= 4000  # Ten connections wait for two and a half requests a second.
    assert list(lab.cpu("web").values()) == [500]


def test_a_higher_limit_is_more_capacity_without_a_new_pod():
    lab = slow_server().send(20)
    assert lab.outcomes() == {"200": 2.5}
    (pod,) = lab.cluster.pods_of("web")
    bigger = {"name": "app", "resources": {"limits": {"cpu": "1"}}}
    lab.cluster.request(
        "PATCH",
        f"/api/v1/namespaces/default/pods/{pod['metadata']['name']}/resize",
        {"spec": {"containers": [bigger]}},
        content_type="application/strategic-merge-patch+json",
    )
    lab.run_for(5)

    assert lab.outcomes() == {"200": 5.0}
    assert restarts(lab.cluster) == 0


def test_who_waits_less_than_that_hears_nothing_in_time():
    lab = slow_server().send(20, timeout="1s")

    assert set(lab.outcomes()) == {"context deadline exceeded"}
    message = "(Client.Timeout exceeded while awaiting headers)"
    assert lab.condition("Succeeding")["message"] == f'Get "http://web": context deadline exceeded {message}'


def test_curl_waits_in_the_same_queue():
    lab = slow_server()
    lab.cluster.create(a_pod("tmp", "nicolaka/netshoot", command=["sleep", "36000"]))
    lab.run_for(10)

    def curl(*options: str) -> tuple[int, str]:
        command = ["curl", "-s", "-S", "-w", " %{time_total}", *options, "http://web"]
        session = lab.cluster.act("exec", namespace="default", pod="tmp", command=command)["session"]
        lab.run_for(10)
        cells = lab.cluster.world.cells["sessions"]
        text = "".join(part[1] for _, out in sorted(cells.prefixed(session + "/out/")) for part in out["parts"])
        return cells[session]["code"], text

    assert curl() == (0, "OK! 0.000000")
    lab.send(20)
    code, text = curl()
    assert code == 0
    assert 2 < float(text.split()[1]) <= 4
    assert curl("-m", "1") == (28, "curl: (28) Operation timed out after 1000 milliseconds with 0 bytes received\n")


def test_an_overloaded_pod_becomes_unready_and_the_others_get_its_requests():
    lab = slow_server(readinessProbe={"httpGet": {"path": "/", "port": 80}, "periodSeconds": 5})
    assert is_ready(lab.cluster)
    lab.send(20)
    lab.cluster.run_until(lambda c: not is_ready(c), 60)

    told = [event["message"] for event in lab.cluster.events("Unhealthy")]
    assert any(
        text.startswith('Readiness probe failed: Get "http://10.')
        and text.endswith('": context deadline exceeded (Client.Timeout exceeded while awaiting headers)')
        for text in told
    )
    lab.run_for(2)
    assert set(lab.outcomes()) == {"connection refused"}  # It was the only one.
    lab.cluster.run_until(lambda c: is_ready(c), 30)  # Without requests it is well again.


def test_liveness_probes_restart_who_is_overloaded_again_and_again():
    lab = slow_server(livenessProbe={"httpGet": {"path": "/", "port": 80}, "periodSeconds": 5})
    lab.send(20).run_for(200)

    assert restarts(lab.cluster) >= 2
    assert any("Liveness probe failed" in event["message"] for event in lab.cluster.events("Unhealthy"))
    before = restarts(lab.cluster)
    lab.change(requestsPerSecond=0).run_for(600)
    assert restarts(lab.cluster) <= before + 1


def test_a_connection_is_accepted_by_the_kernel_even_if_the_program_is_busy():
    lab = slow_server(livenessProbe={"tcpSocket": {"port": 80}, "periodSeconds": 5})
    lab.send(20).run_for(200)

    assert restarts(lab.cluster) == 0


def test_a_backlog_that_is_full_lets_nobody_connect():
    lab = slow_server(
        livenessProbe={"tcpSocket": {"port": 80}, "periodSeconds": 5},
        readinessProbe={"httpGet": {"path": "/", "port": 80}, "periodSeconds": 5},
    )
    lab.send(1_000, connections=5_000).run_for(120)

    told = {event["message"] for event in lab.cluster.events("Unhealthy")}
    assert any(
        text.startswith("Liveness probe failed: dial tcp 10.") and text.endswith(":80: i/o timeout") for text in told
    )
    timeout = ":80: i/o timeout (Client.Timeout exceeded while awaiting headers)"
    assert any("Readiness probe failed: Get" in text and text.endswith(timeout) for text in told)


def test_usual_loads_disturb_no_probe():
    lab = a_lab(replicas=0)
    probe = {"httpGet": {"path": "/", "port": 80}, "periodSeconds": 1}
    deployment = a_deployment("web", 2, resources={"limits": {"cpu": "500m"}})
    deployment["spec"]["template"]["spec"]["containers"][0] |= {"livenessProbe": probe, "readinessProbe": probe}
    lab.cluster.patch(deployment, deployment)
    lab.run_for(20).send(3500, connections=50).run_for(600)  # 70 % of what they can.

    assert lab.outcomes() == {"200": 3500.0}
    assert restarts(lab.cluster) == 0
    assert lab.cluster.events("Unhealthy") == []


@pytest.mark.parametrize("rate", [10])
def test_the_lesson_more_requests_more_pods_less_waiting_and_back(rate: int):
    lab = slow_server()
    scaler = an_autoscaler()
    scaler["spec"]["scaleTargetRef"]["name"] = "web"
    lab.cluster.create(scaler)
    lab.send(rate)
    slow = lab.latency()["p50"]
    lab.cluster.run_until(lambda c: len(c.pods_of("web")) >= 8, 300)
    lab.run_for(30)
    assert lab.latency()["p50"] < slow / 3
    assert sum(lab.outcomes().values()) == pytest.approx(rate, rel=0.05)

    lab.change(requestsPerSecond=0)
    lab.cluster.run_until(lambda c: len(c.pods_of("web")) == 1, 900)
