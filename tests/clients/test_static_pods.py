"""Static pods and an orderly shutdown, as somebody with kubectl and a key to the machine room sees them."""

import json
import re
import time
from collections.abc import Callable

import pytest

from tests.clients.conftest import Server
from tests.clients.test_failures import run

PATIENCE = 60.0
SPACE = "static"


def a_manifest(name: str, container: str) -> str:
    return f"""apiVersion: v1
kind: Pod
metadata: {{name: {name}, namespace: {SPACE}}}
spec: {{containers: [{{name: app, {container}}}]}}
"""


def eventually(look: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not look():
        assert time.monotonic() < deadline, f"waited in vain for {what}"


def status_of(server: Server, name: str) -> str:
    """The word in the column STATUS; empty if there is no such pod."""
    listed = run(server, "get", "pods", "--namespace", SPACE, "--no-headers", "--ignore-not-found", name)
    return listed.split()[2] if listed.strip() else ""


def pod(server: Server, name: str) -> dict:
    return json.loads(run(server, "get", "pod", "--namespace", SPACE, name, "-o", "json"))


@pytest.fixture(scope="module")
def machine(server: Server, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A node of its own, with two static pods: one that runs and one that crashes."""
    folder, node = tmp_path_factory.mktemp("manifests"), "rack-9"
    run(server, "create", "namespace", SPACE)
    server.manage("node", "add", node)
    crash = 'image: "busybox:1.36", command: [sh, -c, "echo so far; sleep 1; exit 3"]'
    for name, container in (("web", 'image: "nginx:1.27"'), ("crash", crash)):
        (folder / f"{name}.yaml").write_text(a_manifest(name, container))
        server.manage("node", "static-pod-add", node, str(folder / f"{name}.yaml"))
    eventually(lambda: status_of(server, f"web-{node}") == "Running", "the static pod to run")
    return node


def test_a_deleted_mirror_pod_is_back_and_its_container_has_not_been_restarted(server: Server, machine: str):
    before = pod(server, f"web-{machine}")

    run(server, "delete", "pod", "--namespace", SPACE, f"web-{machine}")
    eventually(lambda: status_of(server, f"web-{machine}") == "Running", "the mirror pod to be back")

    after = pod(server, f"web-{machine}")
    assert after["metadata"]["uid"] != before["metadata"]["uid"]
    ids = [each["status"]["containerStatuses"][0]["containerID"] for each in (before, after)]
    assert ids[0] == ids[1]


def test_describe_finds_the_events_of_a_static_pod(server: Server, machine: str):
    told = run(server, "describe", "pod", "--namespace", SPACE, f"web-{machine}")

    assert re.search(r"Controlled By: +Node/rack-9", told)
    assert "Started" in told.partition("Events:")[2]


def test_logs_exec_and_the_log_before_a_crash(server: Server, machine: str):
    space = ("--namespace", SPACE)
    assert "start worker process" in run(server, "logs", *space, f"web-{machine}")
    assert run(server, "exec", *space, f"web-{machine}", "--", "hostname") == f"web-{machine}\n"
    eventually(lambda: status_of(server, f"crash-{machine}") == "CrashLoopBackOff", "the other one to crash")
    assert run(server, "logs", "--previous", *space, f"crash-{machine}") == "so far\n"


def test_a_static_pod_takes_no_debug_container(server: Server, machine: str):
    with pytest.raises(AssertionError, match="static pods do not support ephemeral containers"):
        run(server, "debug", "--namespace", SPACE, f"web-{machine}", "--image=busybox:1.36")


def test_without_their_files_they_are_gone(server: Server, machine: str):
    server.manage("node", "static-pod-remove", machine, "crash.yaml")

    eventually(lambda: status_of(server, f"crash-{machine}") == "", "the pod to go")


def test_a_shutdown_is_told_by_the_node_and_its_pods(server: Server, machine: str):
    deaf = a_manifest("deaf", 'image: "busybox:1.36", command: [sleep, "9999"]')
    run(server, "apply", "-f", "-", stdin=deaf.replace("spec: {", f"spec: {{nodeName: {machine}, "))
    eventually(lambda: status_of(server, "deaf") == "Running", "the pod to run")

    server.manage("node", "shutdown", machine)

    told = run(server, "describe", "node", machine)
    assert "node is shutting down" in told
    assert "Shutdown manager detected shutdown event" in told
    eventually(lambda: pod(server, "deaf")["status"]["phase"] == "Failed", "the pod to be ended")
    status = pod(server, "deaf")["status"]
    assert (status["reason"], status["containerStatuses"][0]["state"]["terminated"]["exitCode"]) == ("Terminated", 137)
