"""A kubelet asks containers whether they are up, still work and may be sent requests, and acts on what they do."""

from typing import Any
from urllib.parse import quote

import orjson
import pytest

from cluster.objects import Manifest
from cluster.world import replay
from tests.builders import TestCluster
from tests.cluster.kubelet.cases import (
    a_bound_pod,
    a_machine_room,
    condition,
    container,
    phase,
    reasons,
    said,
    seconds_between,
    writes_of,
)

HEALTHY = "touch /tmp/healthy; sleep 30; rm -f /tmp/healthy; sleep 600"
CAT = {"exec": {"command": ["cat", "/tmp/healthy"]}}


def a_probed_pod(name: str, image: str, env: dict[str, str] | None = None, **more: Any) -> Manifest:
    """`more`: probes and other fields of its container; `policy` of the pod."""
    policy = more.pop("policy", "Always")
    pod = a_bound_pod(name, image, restartPolicy=policy)
    pod["spec"]["terminationGracePeriodSeconds"] = more.pop("grace", 30)
    pod["spec"]["containers"][0] |= more
    if env:
        pod["spec"]["containers"][0]["env"] = [{"name": key, "value": value} for key, value in env.items()]
    return pod


def http(port: int = 8080, path: str = "/", **more: Any) -> Manifest:
    return {"httpGet": {"path": path, "port": port}, **more}


def running(cluster: TestCluster, name: str) -> TestCluster:
    return cluster.run_until(lambda c: "running" in container(c, name)["state"])


def unhealthy(cluster: TestCluster, name: str) -> list[str]:
    return [message for reason, message in said(cluster, name) if reason == "Unhealthy"]


# --- exec -------------------------------------------------------------------------------------------------------


def test_the_tutorial_s_liveness_command_fails_after_half_a_minute_and_the_container_is_restarted():
    probe = {**CAT, "initialDelaySeconds": 5, "periodSeconds": 5}
    pod = a_probed_pod("liveness", "busybox:1.36", command=["sh", "-c", HEALTHY], livenessProbe=probe, grace=3)
    cluster = running(a_machine_room().with_objects(pod), "liveness")

    cluster.run_for(28)
    assert unhealthy(cluster, "liveness") == []
    cluster.run_for(14)
    told = "Liveness probe failed: cat: can't open '/tmp/healthy': No such file or directory\n"
    assert unhealthy(cluster, "liveness") == [told]
    assert said(cluster, "liveness")[-1] == ("Killing", "Container app failed liveness probe, will be restarted")

    cluster.run_for(10)
    assert container(cluster, "liveness")["restartCount"] == 1
    assert container(cluster, "liveness")["lastState"]["terminated"]["exitCode"] == 137


def test_a_command_that_takes_too_long_has_failed():
    probe = {"exec": {"command": ["sleep", "9"]}, "timeoutSeconds": 2, "failureThreshold": 1}
    pod = a_probed_pod("slow", "busybox:1.36", command=["sleep", "3600"], readinessProbe=probe)
    cluster = running(a_machine_room().with_objects(pod), "slow").run_for(5)

    assert unhealthy(cluster, "slow") == ['Readiness probe failed: command timed out: "sleep 9" timed out after 2s']
    assert not [key for key in cluster.world.cells["sessions"] if "probe" in key]


def test_a_command_that_takes_a_moment_may_take_it():
    probe = {"exec": {"command": ["sh", "-c", "sleep 1"]}, "timeoutSeconds": 3}
    pod = a_probed_pod("slow", "busybox:1.36", command=["sleep", "3600"], readinessProbe=probe)
    cluster = running(a_machine_room().with_objects(pod), "slow").run_for(6)

    assert unhealthy(cluster, "slow") == []
    assert container(cluster, "slow")["ready"] is True


def test_a_command_that_there_is_not_says_nothing_about_the_container():
    probe = {"exec": {"command": ["/bin/health"]}, "periodSeconds": 1, "failureThreshold": 1}
    pod = a_probed_pod("web", "nginx:1.27", livenessProbe=probe)
    cluster = running(a_machine_room().with_objects(pod), "web").run_for(20)

    assert container(cluster, "web")["restartCount"] == 0
    told = unhealthy(cluster, "web")[0]
    assert told.startswith("Liveness probe errored and resulted in unknown state: rpc error: code = Unknown")
    assert 'exec: "/bin/health": stat /bin/health: no such file or directory' in told


# --- the files that commands look at -----------------------------------------------------------------------------


HTML = {"name": "html", "emptyDir": {}}
WAIT = {"sleep": {"seconds": 5}}
TRAP = "trap 'exit 0' TERM; touch /tmp/x; while true; do sleep 1; done"


def test_files_that_process_1_wrote_are_there_for_who_looks_into_its_container():
    script = "echo hello > /tmp/greeting; touch /tmp/healthy; sleep 20; rm /tmp/healthy; sleep 600"
    pod = a_probed_pod("plain", "busybox:1.36", command=["sh", "-c", script])
    cluster = running(a_machine_room().with_objects(pod), "plain").run_for(2)

    assert read(cluster, "plain", "/tmp/greeting") == "hello\n"
    assert found(cluster, "plain", "ls /tmp") == "greeting\nhealthy\n"
    cluster.run_for(20)
    assert found(cluster, "plain", "ls /tmp") == "greeting\n"


def a_server_of_files(name: str, probe: Manifest) -> Manifest:
    """nginx, whose pages are on a volume, ready when `probe` finds them."""
    mounts = [{"name": "html", "mountPath": "/usr/share/nginx/html"}]
    return a_probed_pod(name, "nginx:1.27", readinessProbe=probe, volumeMounts=mounts)


def test_a_web_server_is_ready_when_its_neighbour_has_written_the_page():
    pod = a_server_of_files("pair", http(80, periodSeconds=2))
    writer = {
        "name": "writer", "image": "busybox:1.36", "volumeMounts": [{"name": "html", "mountPath": "/html"}],
        "command": ["sh", "-c", "sleep 20; while true; do date > /html/index.html; sleep 5; done"],
    }  # fmt: skip
    pod["spec"] |= {"volumes": [HTML], "containers": [*pod["spec"]["containers"], writer]}
    cluster = running(a_machine_room().with_objects(pod), "pair").run_for(15)
    assert unhealthy(cluster, "pair") == ["Readiness probe failed: HTTP probe failed with statuscode: 403"]
    assert container(cluster, "pair")["ready"] is False

    assert container(cluster.run_for(15), "pair")["ready"] is True


def test_an_init_container_leaves_files_for_the_others():
    pod = a_server_of_files("web", http(80, failureThreshold=1))
    init = {
        "name": "fetch", "image": "busybox:1.36", "volumeMounts": [{"name": "html", "mountPath": "/work"}],
        "command": ["sh", "-c", "echo '<h1>hi</h1>' > /work/index.html"],
    }  # fmt: skip
    pod["spec"] |= {"volumes": [HTML], "initContainers": [init]}
    cluster = running(a_machine_room().with_objects(pod), "web").run_for(3)

    assert container(cluster, "web", field="initContainerStatuses")["state"]["terminated"]["reason"] == "Completed"
    assert container(cluster, "web")["ready"] is True


def test_a_script_that_writes_files_still_has_its_trap_and_its_last_words():
    script = "trap 'echo bye > /dev/termination-log; exit 7' TERM; touch /tmp/x; while true; do sleep 1; done"
    pod = a_probed_pod("app", "busybox:1.36", command=["sh", "-c", script], grace=60)
    pod["metadata"]["finalizers"] = ["example.com/stay"]  # To see its last state.
    cluster = running(a_machine_room().with_objects(pod), "app").run_for(3)

    cluster.delete(pod)
    cluster.run_for(4)

    state = container(cluster, "app")["state"]["terminated"]
    assert (state["exitCode"], state["message"]) == (7, "bye")


def test_a_script_s_trap_is_sprung_after_the_pre_stop_hook():
    pod = a_probed_pod(
        "app", "busybox:1.36", command=["sh", "-c", TRAP], grace=60,
        lifecycle={"preStop": {"sleep": {"seconds": 10}}},
    )  # fmt: skip
    cluster = running(a_machine_room().with_objects(pod), "app").run_for(3)
    cluster.delete(pod)

    assert phase(cluster.run_for(9), "app") == "Running"
    assert phase(cluster.run_for(4), "app") == "gone"


# --- httpGet, tcpSocket, grpc -----------------------------------------------------------------------------------


def test_the_tutorial_s_http_server_is_restarted_when_it_answers_500():
    probe = http(8080, "/healthz", initialDelaySeconds=3, periodSeconds=3)
    image = "registry.k8s.io/e2e-test-images/agnhost:2.40"
    pod = a_probed_pod("liveness", image, args=["liveness"], livenessProbe=probe)
    cluster = running(a_machine_room().with_objects(pod), "liveness").run_for(22)

    assert unhealthy(cluster, "liveness") == ["Liveness probe failed: HTTP probe failed with statuscode: 500"]
    assert container(cluster, "liveness")["restartCount"] == 1
    assert container(cluster, "liveness")["lastState"]["terminated"]["exitCode"] == 2


def test_a_container_that_its_kubelet_kills_is_reported_again_when_it_runs_again():
    image = "registry.k8s.io/e2e-test-images/agnhost:2.40"
    probe = http(8080, "/healthz", periodSeconds=3, failureThreshold=1)
    cluster = a_machine_room().with_objects(a_probed_pod("liveness", image, args=["liveness"], livenessProbe=probe))
    running(cluster, "liveness")
    seen: set[str] = set()

    def restarted(now: TestCluster) -> bool:
        seen.update(container(now, "liveness")["state"])
        return bool(container(now, "liveness")["restartCount"])

    cluster.run_until(restarted)
    assert seen == {"running"}


@pytest.mark.parametrize(
    ("probe", "told"),
    [
        (http(81), 'Get "http://{ip}:81/": dial tcp {ip}:81: connect: connection refused'),
        (http(80, "/missing"), "HTTP probe failed with statuscode: 404"),
        ({"tcpSocket": {"port": 81}}, "dial tcp {ip}:81: connect: connection refused"),
        (
            {"grpc": {"port": 9000}},
            'timeout: failed to connect service "{ip}:9000" within 1s: context deadline exceeded',
        ),
    ],
)
def test_a_probe_that_fails_keeps_a_pod_unready_and_says_why(probe, told):
    cluster = running(
        a_machine_room().with_objects(a_probed_pod("web", "nginx:1.27", readinessProbe=probe)), "web"
    ).run_for(35)

    pod = cluster.get("Pod", "web")
    assert unhealthy(cluster, "web") == [f"Readiness probe failed: {told.format(ip=pod['status']['podIP'])}"]
    ready = condition(pod, "Ready")
    assert (ready["status"], ready["reason"]) == ("False", "ContainersNotReady")
    assert phase(cluster, "web") == "Running"


@pytest.mark.parametrize("probe", [http(80), {"tcpSocket": {"port": 80}}])
def test_a_server_that_answers_is_ready_a_second_after_its_start(probe):
    pod = a_probed_pod("web", "nginx:1.27", readinessProbe=probe)
    cluster = running(a_machine_room().with_objects(pod), "web")
    assert container(cluster, "web")["ready"] is False

    cluster.run_for(1.5)

    assert container(cluster, "web")["ready"] is True
    assert unhealthy(cluster, "web") == []


def test_a_port_may_be_called_by_its_name():
    pod = a_probed_pod(
        "web", "nginx:1.27", ports=[{"name": "http", "containerPort": 80}],
        readinessProbe={"httpGet": {"port": "http"}},
    )  # fmt: skip
    cluster = running(a_machine_room().with_objects(pod), "web").run_for(2)

    assert container(cluster, "web")["ready"] is True


def test_deleting_the_page_makes_a_web_server_unready_and_writing_it_makes_it_ready_again():
    probe = http(80, periodSeconds=5, failureThreshold=1)
    cluster = running(
        a_machine_room().with_objects(a_probed_pod("web", "nginx:1.27", readinessProbe=probe)), "web"
    ).run_for(60)
    page = "/usr/share/nginx/html/index.html"

    cluster.act("exec", namespace="default", pod="web", command=["rm", page])
    cluster.run_for(6)
    assert container(cluster, "web")["ready"] is False

    cluster.act("exec", namespace="default", pod="web", command=["sh", "-c", f"echo back > {page}"])
    cluster.run_for(6)
    assert container(cluster, "web")["ready"] is True


AGNHOST = "registry.k8s.io/e2e-test-images/agnhost:2.40"


def warnings(cluster: TestCluster, name: str) -> list[str]:
    return [message for reason, message in said(cluster, name) if reason == "ProbeWarning"]


def test_a_redirect_is_followed_on_the_same_host():
    pod = a_probed_pod("web", "nginx:1.27", readinessProbe=http(80, "/docs", failureThreshold=1))
    cluster = running(a_machine_room().with_objects(pod), "web").run_for(1)
    pages = "/usr/share/nginx/html/docs"
    cluster.act("exec", namespace="default", pod="web", command=["mkdir", pages])
    cluster.run_for(10)
    assert container(cluster, "web")["ready"] is False  # 301 to /docs/, and there is no page.
    cluster.act("exec", namespace="default", pod="web", command=["touch", f"{pages}/index.html"])

    cluster.run_for(10)

    assert container(cluster, "web")["ready"] is True
    assert warnings(cluster, "web") == []


def test_a_redirect_to_another_host_is_well_with_a_warning():
    probe = http(8080, "/redirect?loc=http%3A%2F%2F0.0.0.0%2F", periodSeconds=5)
    pod = a_probed_pod("web", AGNHOST, args=["liveness"], readinessProbe=probe)
    cluster = running(a_machine_room().with_objects(pod), "web").run_for(12)

    told = 'Probe terminated redirects, Response body: <a href="http://0.0.0.0/">Found</a>.\n\n'
    assert warnings(cluster, "web") == [f"Readiness probe warning: {told}"]
    assert container(cluster, "web")["ready"] is True
    event = next(event for event in cluster.events() if event["reason"] == "ProbeWarning")
    assert event["count"] == 3  # Every period again.


@pytest.mark.parametrize(("moves", "well"), [(9, True), (10, False)])
def test_nine_redirects_are_followed_and_not_the_tenth(moves, well):
    target = "/healthz"
    for _ in range(moves):
        target = f"/redirect?loc={quote(target, safe='')}"
    pod = a_probed_pod("web", AGNHOST, args=["liveness"], readinessProbe=http(8080, target))
    cluster = running(a_machine_room().with_objects(pod), "web").run_for(5)

    assert container(cluster, "web")["ready"] is well
    told = ['Readiness probe failed: Get "/healthz": stopped after 10 redirects']
    assert unhealthy(cluster, "web") == ([] if well else told)


@pytest.mark.parametrize(
    ("image", "port", "scheme", "told"),
    [
        ("nginx:1.27", 80, "HTTPS", "http: server gave HTTP response to HTTPS client"),
        ("redis:8", 6379, "HTTPS", "tls: first record does not look like a TLS handshake"),
    ],
)
def test_a_server_without_tls_is_not_asked_by_https(image, port, scheme, told):
    probe = {"httpGet": {"port": port, "scheme": scheme}}
    pod = a_probed_pod("web", image, readinessProbe=probe)
    cluster = running(a_machine_room().with_objects(pod), "web").run_for(5)

    address = cluster.get("Pod", "web")["status"]["podIP"]
    assert unhealthy(cluster, "web") == [f'Readiness probe failed: Get "https://{address}:{port}/": {told}']


def test_a_port_s_name_that_there_is_not_says_nothing_about_the_container():
    probe = {"httpGet": {"port": "metrics"}, "failureThreshold": 1}
    pod = a_probed_pod("web", "nginx:1.27", livenessProbe=probe)
    cluster = running(a_machine_room().with_objects(pod), "web").run_for(25)

    errored = "Liveness probe errored and resulted in unknown state"
    assert unhealthy(cluster, "web") == [f'{errored}: strconv.Atoi: parsing "metrics": invalid syntax']
    assert container(cluster, "web")["restartCount"] == 0


def test_containers_of_a_pod_share_its_ports():
    pod = a_bound_pod("web")
    probe = http(80, periodSeconds=5, failureThreshold=1)
    asker = {"name": "asker", "image": "busybox:1.36", "command": ["sleep", "3600"], "readinessProbe": probe}
    pod["spec"]["containers"].append(asker)
    cluster = a_machine_room().with_objects(pod)
    cluster.run_until(lambda c: container(c, "web", 1).get("ready") is True)

    cluster.act("exec", namespace="default", pod="web", container="app", command=["kill", "1"])
    cluster.run_for(60)

    refused = [text for text in unhealthy(cluster, "web") if text.endswith("connect: connection refused")]
    assert len(refused) <= 1  # nginx is back within seconds: at most one try falls into the gap.
    assert container(cluster, "web", 1)["ready"] is True


def grpc(port: int, **more: Any) -> Manifest:
    return {"grpc": {"port": port, **more.pop("grpc", {})}, **more}


def test_grpc_s_health_check_is_asked_of_who_speaks_it():
    args = ["grpc-health-checking", "--delay-unhealthy-sec=20"]
    probe = grpc(5000, periodSeconds=5, failureThreshold=1)
    pods = [
        a_probed_pod("healthy", AGNHOST, args=args, readinessProbe=probe),
        a_probed_pod("etcd", "acme/etcd:3", ports=[{"containerPort": 2379}], readinessProbe=grpc(2379)),
        a_probed_pod("other", AGNHOST, args=args, readinessProbe=grpc(5000, grpc={"service": "shop"})),
        a_probed_pod("web", "nginx:1.27", readinessProbe=grpc(80)),
    ]
    cluster = running(a_machine_room().with_objects(*pods), "healthy").run_for(12)

    ready = {name: container(cluster, name)["ready"] for name in ("healthy", "etcd", "other", "web")}
    assert ready == {"healthy": True, "etcd": True, "other": False, "web": False}
    unknown = "error: health rpc probe failed: rpc error: code = NotFound desc = unknown service"
    assert unhealthy(cluster, "other") == [f"Readiness probe failed: {unknown}"]
    assert "timeout: failed to connect service" in unhealthy(cluster, "web")[0]
    cluster.run_for(15)
    told = 'Readiness probe failed: service unhealthy (responded with "NOT_SERVING")'
    assert unhealthy(cluster, "healthy") == [told]
    assert container(cluster, "healthy")["ready"] is False


# --- startup, thresholds ----------------------------------------------------------------------------------------


def test_a_slow_starter_is_left_in_peace_until_its_startup_probe_succeeds():
    pod = a_probed_pod(
        "slow", "orrery/slow-starter", {"START_SECONDS": "25"},
        startupProbe=http(periodSeconds=10, failureThreshold=5),
        livenessProbe=http(periodSeconds=2, failureThreshold=1), readinessProbe=http(periodSeconds=2),
    )  # fmt: skip
    cluster = running(a_machine_room().with_objects(pod), "slow")
    began = container(cluster, "slow")["state"]["running"]["startedAt"]

    cluster.run_for(20)
    assert (container(cluster, "slow")["started"], container(cluster, "slow")["ready"]) == (False, False)
    cluster.run_for(20)

    assert (container(cluster, "slow")["started"], container(cluster, "slow")["ready"]) == (True, True)
    assert container(cluster, "slow")["restartCount"] == 0
    ready = condition(cluster.get("Pod", "slow"), "Ready")["lastTransitionTime"]
    assert seconds_between(began, ready) == pytest.approx(31, abs=1)


def test_without_a_startup_probe_an_impatient_liveness_probe_kills_a_slow_starter_again_and_again():
    pod = a_probed_pod("slow", "orrery/slow-starter", livenessProbe=http(periodSeconds=3, failureThreshold=2))
    cluster = running(a_machine_room().with_objects(pod), "slow").run_for(120)

    assert container(cluster, "slow")["restartCount"] >= 3
    assert "BackOff" in reasons(cluster, "slow")


def test_a_startup_probe_that_never_succeeds_kills_the_container():
    pod = a_probed_pod(
        "slow", "orrery/slow-starter", {"START_SECONDS": "600"},
        startupProbe=http(periodSeconds=2, failureThreshold=3),
    )  # fmt: skip
    cluster = running(a_machine_room().with_objects(pod), "slow").run_for(8)

    assert ("Killing", "Container app failed startup probe, will be restarted") in said(cluster, "slow")


def test_a_flaky_server_leaves_its_service_while_it_is_ill():
    pod = a_probed_pod(
        "flaky", "orrery/flaky", {"PERIOD_SECONDS": "60", "FAIL_SECONDS": "20"},
        readinessProbe=http(periodSeconds=2, failureThreshold=2, successThreshold=2),
    )  # fmt: skip
    cluster = running(a_machine_room().with_objects(pod), "flaky").run_for(10)
    assert container(cluster, "flaky")["ready"] is True
    cluster.run_for(35)
    assert container(cluster, "flaky")["ready"] is False
    cluster.run_for(22)
    assert container(cluster, "flaky")["ready"] is True
    assert container(cluster, "flaky")["restartCount"] == 0


def test_a_pod_that_is_never_restarted_fails_with_its_liveness_probe():
    probe = http(periodSeconds=3, failureThreshold=1)
    pod = a_probed_pod("slow", "orrery/slow-starter", livenessProbe=probe, policy="Never")
    cluster = running(a_machine_room().with_objects(pod), "slow").run_for(10)

    assert ("Killing", "Container app failed liveness probe") in said(cluster, "slow")
    assert phase(cluster, "slow") in ("Failed", "Succeeded")


def test_a_probe_may_have_a_shorter_grace_period_than_its_pod():
    probe = {**CAT, "periodSeconds": 1, "failureThreshold": 1, "terminationGracePeriodSeconds": 2}
    pod = a_probed_pod("app", "busybox:1.36", command=["sh", "-c", "sleep 600"], livenessProbe=probe, grace=60)
    cluster = running(a_machine_room().with_objects(pod), "app").run_for(6)

    assert container(cluster, "app")["restartCount"] == 1


def test_a_sidecar_is_waited_for_until_its_startup_probe_succeeds():
    pod = a_bound_pod("web")
    probe = http(periodSeconds=1, failureThreshold=60)
    env = [{"name": "START_SECONDS", "value": "15"}]
    sidecar = {"name": "proxy", "image": "orrery/slow-starter", "restartPolicy": "Always", "env": env}
    pod["spec"]["initContainers"] = [{**sidecar, "startupProbe": probe}]
    cluster = a_machine_room().with_objects(pod).run_for(12)
    assert "waiting" in container(cluster, "web")["state"]

    cluster.run_for(15)

    assert "running" in container(cluster, "web")["state"]


def a_sidecar(image: str = "nginx:1.27", **more: Any) -> Manifest:
    return {"name": "proxy", "image": image, "restartPolicy": "Always", **more}


def test_a_sidecar_that_is_not_ready_keeps_its_pod_from_being_ready():
    pod = a_bound_pod("web")
    pod["spec"]["initContainers"] = [a_sidecar(readinessProbe=http(80, "/missing"))]
    cluster = running(a_machine_room().with_objects(pod), "web").run_for(5)

    ready = condition(cluster.get("Pod", "web"), "Ready")
    assert (ready["status"], ready["reason"]) == ("False", "ContainersNotReady")
    assert ready["message"] == "containers with unready status: [proxy]"
    assert container(cluster, "web")["ready"] is True


def test_a_sidecar_that_fails_its_liveness_probe_is_restarted_while_the_others_go_on():
    pod = a_bound_pod("web")
    pod["spec"]["initContainers"] = [a_sidecar(livenessProbe=http(80, "/missing", periodSeconds=2, failureThreshold=2))]
    cluster = running(a_machine_room().with_objects(pod), "web").run_for(6)

    assert ("Killing", "Init container proxy failed liveness probe") in said(cluster, "web")
    assert condition(cluster.get("Pod", "web"), "Initialized")["status"] == "True"
    cluster.run_for(10)
    assert container(cluster, "web", field="initContainerStatuses")["restartCount"] >= 1
    assert container(cluster, "web")["restartCount"] == 0


def test_a_readiness_gate_is_opened_and_closed_by_somebody_else():
    pod = a_probed_pod("web", "nginx:1.27", readinessProbe=http(80))
    pod["spec"]["readinessGates"] = [{"conditionType": "example.com/in-balancer"}]
    cluster = running(a_machine_room().with_objects(pod), "web").run_for(5)

    def set_gate(status: str) -> Manifest:
        now = cluster.get("Pod", "web")
        gate = {"type": "example.com/in-balancer", "status": status}
        others = [one for one in now["status"]["conditions"] if one["type"] != gate["type"]]
        cluster.patch(pod, {"status": {"conditions": [*others, gate]}}, "status")
        return condition(cluster.run_for(1).get("Pod", "web"), "Ready")

    before = condition(cluster.get("Pod", "web"), "Ready")
    assert (before["status"], before["reason"]) == ("False", "ReadinessGatesNotReady")
    gate = 'pod readiness gate "example.com/in-balancer"'
    assert before["message"] == f"corresponding condition of {gate} does not exist."
    assert set_gate("True")["status"] == "True"
    assert set_gate("False")["message"] == f'the status of {gate} is not "True", but False'


# --- what it costs, and what it rests on ------------------------------------------------------------------------


def test_a_healthy_pod_is_asked_once_and_then_left_alone():
    pod = a_probed_pod("web", "nginx:1.27", readinessProbe=http(80), livenessProbe=http(80))
    cluster = running(a_machine_room().with_objects(pod), "web").run_for(10)
    steps = cluster.world.steps_by_component["kubelet/worker-1"]

    cluster.run_for(600)

    kept_alive = 600 // 10 + 600 // 300 + 2  # Its leases and reports.
    assert cluster.world.steps_by_component["kubelet/worker-1"] - steps <= kept_alive
    assert writes_of(cluster, "web") == ["create", "update", "update", "update"]


@pytest.mark.parametrize(
    "command", [["cat", "/etc/passwd"], ["sh", "-c", "test -f /etc/passwd && grep -q root /etc/passwd"]]
)
def test_a_command_that_only_looks_at_files_is_run_once_until_they_change(command):
    probe = {"exec": {"command": command}, "periodSeconds": 5}
    pod = a_probed_pod("app", "busybox:1.36", command=["sleep", "86400"], readinessProbe=probe, livenessProbe=probe)
    cluster = running(a_machine_room().with_objects(pod), "app").run_for(10)
    assert container(cluster, "app")["ready"] is True
    steps = cluster.world.steps_by_component["kubelet/worker-1"]

    cluster.run_for(600)
    kept_alive = 600 // 10 + 600 // 300 + 2
    assert cluster.world.steps_by_component["kubelet/worker-1"] - steps <= kept_alive

    cluster.act("exec", namespace="default", pod="app", command=["rm", "/etc/passwd"])
    assert len(unhealthy(cluster.run_for(6), "app")) == 2


def test_a_command_that_asks_for_the_time_is_run_every_period():
    text = 'test "$(date +%M)" -lt 10'
    probe = {"exec": {"command": ["sh", "-c", text]}, "periodSeconds": 5, "failureThreshold": 1}
    pod = a_probed_pod("app", "busybox:1.36", command=["sleep", "86400"], readinessProbe=probe)
    cluster = running(a_machine_room().with_objects(pod), "app")
    seen = {container(cluster.run_for(300), "app")["ready"] for _ in range(12)}

    assert seen == {True, False}


@pytest.mark.parametrize("kind", ["httpGet", "exec"])
def test_a_changed_config_map_changes_what_a_probe_finds(kind):
    page = "/usr/share/nginx/html"
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "pages", "namespace": "default"}}
    handler = {"httpGet": {"port": 80, "path": "/ok"}, "exec": {"command": ["cat", f"{page}/ok"]}}
    probe = {kind: handler[kind], "periodSeconds": 5, "failureThreshold": 1}
    pod = a_probed_pod("web", "nginx:1.27", readinessProbe=probe, volumeMounts=[{"name": "pages", "mountPath": page}])
    pod["spec"]["volumes"] = [{"name": "pages", "configMap": {"name": "pages"}}]
    cluster = running(a_machine_room().with_objects({**config, "data": {"ok": "yes"}}, pod), "web").run_for(60)
    assert container(cluster, "web")["ready"] is True

    cluster.patch(config, {"data": {"ok": None, "other": "x"}})
    assert container(cluster.run_for(6), "web")["ready"] is False
    cluster.patch(config, {"data": {"ok": "again"}})
    assert container(cluster.run_for(6), "web")["ready"] is True


def test_a_kubelet_that_comes_back_probes_anew():
    probe = http(80, "/missing", periodSeconds=5, failureThreshold=2)
    cluster = running(a_machine_room().with_objects(a_probed_pod("web", "nginx:1.27", livenessProbe=probe)), "web")
    cluster.power_off("worker-1")
    cluster.run_for(5)
    cluster.power_on("worker-1")

    cluster.run_for(40)

    assert "Killing" in reasons(cluster, "web")


def test_a_life_with_probes_is_lived_again_byte_for_byte():
    pods = [
        a_probed_pod("live", "busybox:1.36", command=["sh", "-c", HEALTHY], livenessProbe={**CAT, "periodSeconds": 5}),
        a_probed_pod("flaky", "orrery/flaky", readinessProbe=http(periodSeconds=2)),
        a_probed_pod("slow", "orrery/slow-starter", startupProbe=http(), livenessProbe=http()),
        a_probed_pod("still", "busybox:1.36", command=["sleep", "9999"], readinessProbe={"exec": {"command": ["ls"]}}),
        a_probed_pod("agnhost", AGNHOST, args=["grpc-health-checking"], readinessProbe=grpc(5000)),
        a_probed_pod("trap", "busybox:1.36", command=["sh", "-c", TRAP], lifecycle={"preStop": WAIT}),
    ]
    cluster = a_machine_room().with_objects(*pods).run_for(100)
    cluster.delete(pods[-1])
    cluster.run_for(50)

    again = replay(orjson.loads(orjson.dumps(cluster.world.export())), slice_steps=7)

    assert again.dump() == cluster.world.dump()
    assert cluster.world.fork().dump() == cluster.world.dump()


# --- lifecycle hooks --------------------------------------------------------------------------------------------


def a_hooked_pod(name: str, image: str = "nginx:1.27", **hooks: Manifest) -> Manifest:
    return a_probed_pod(name, image, lifecycle=hooks)


def a_command(text: str) -> Manifest:
    return {"exec": {"command": ["sh", "-c", text]}}


def read(cluster: TestCluster, pod: str, path: str) -> str:
    """A file of a container, by `cat`."""
    return found(cluster, pod, f"cat {path}")


def found(cluster: TestCluster, pod: str, command: str) -> str:
    """What a command prints in a pod's container."""
    session = cluster.act("exec", namespace="default", pod=pod, command=command.split())["session"]
    chunks = cluster.world.cells["sessions"].prefixed(session + "/out/")
    return "".join(part[1] for _, chunk in chunks for part in chunk["parts"])


def test_a_post_start_hook_prepares_the_container():
    page = "/usr/share/nginx/html/index.html"
    cluster = running(
        a_machine_room().with_objects(a_hooked_pod("web", postStart=a_command(f"echo hello > {page}"))), "web"
    )

    assert read(cluster, "web", page) == "hello\n"


def test_a_post_start_hook_that_fails_kills_the_container():
    cluster = a_machine_room().with_objects(a_hooked_pod("web", postStart=a_command("exit 3"))).run_for(20)

    assert ("FailedPostStartHook", "PostStartHook failed") in said(cluster, "web")
    assert ("Killing", "FailedPostStartHook") in said(cluster, "web")
    assert container(cluster, "web")["restartCount"] >= 1


@pytest.mark.parametrize(
    ("hook", "fails"),
    [(a_command("exit 1"), True), (a_command("sleep 3"), False), ({"sleep": {"seconds": 3}}, False)],
)
def test_a_pre_stop_hook_is_run_before_the_end(hook, fails):
    pod = a_hooked_pod("web", preStop=hook)
    cluster = running(a_machine_room().with_objects(pod), "web")
    cluster.delete(pod)

    cluster.run_for(2)
    assert (("FailedPreStopHook", "PreStopHook failed") in said(cluster, "web")) == fails
    assert (phase(cluster, "web") == "gone") == fails
    cluster.run_for(3)
    assert phase(cluster, "web") == "gone"
