"""The classic ways in which pods fail, each by an ordinary manifest, told by the words of `kubectl get pods`."""

import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.clients.conftest import Server

KUBECTL = Path(sys.executable).parent / "kubectl"
PATIENCE = 100.0  # Wall seconds for all of them together, at ten times the wall's speed.
NAMESPACE = "failures"


def a_pod(name: str, container: str = "", spec: str = "", metadata: str = "") -> str:
    """A pod as flow YAML; `container`, `spec`, `metadata`: more of each."""
    inner = container or 'image: "nginx:1.27"'
    return f"""---
apiVersion: v1
kind: Pod
metadata: {{name: {name}, namespace: {NAMESPACE}{", " + metadata if metadata else ""}}}
spec: {{containers: [{{name: app, {inner}}}]{", " + spec if spec else ""}}}
"""


def a_script(text: str) -> str:
    return f'image: "busybox:1.36", command: [sh, -c, "{text}"]'


NEVER = "restartPolicy: Never"
GRPC = "readinessProbe: {httpGet: {path: /nothing, port: 80}, periodSeconds: 1}"
# Name -> (manifest, READY, STATUS, least RESTARTS)
CASES: dict[str, tuple[str, str, str, int]] = {
    "bad-tag": (a_pod("bad-tag", 'image: "nginx:bad"'), "0/1", "ImagePullBackOff|ErrImagePull", 0),
    "bad-name": (a_pod("bad-name", 'image: "NGINX:latest"'), "0/1", "InvalidImageName", 0),
    "never-pulled": (
        a_pod("never-pulled", 'image: "ghcr.io/acme/shop:1", imagePullPolicy: Never'), "0/1", "ErrImageNeverPull", 0),
    "crashing": (a_pod("crashing", a_script("exit 1")), "0/1", "CrashLoopBackOff", 2),
    "failed": (a_pod("failed", a_script("exit 1"), NEVER), "0/1", "Error", 0),
    "completed": (a_pod("completed", a_script("exit 0"), NEVER), "0/1", "Completed", 0),
    "hungry": (
        a_pod("hungry", 'image: polinux/stress, command: [stress], args: ["--vm", "1", "--vm-bytes", 250M], '
              'resources: {limits: {memory: 100Mi}}', NEVER), "0/1", "OOMKilled", 0),
    "no-config": (
        a_pod("no-config", 'image: nginx, env: [{name: A, valueFrom: {configMapKeyRef: {name: nope, key: a}}}]'),
        "0/1", "CreateContainerConfigError", 0),
    "no-program": (a_pod("no-program", 'image: nginx, command: [/app/serve]', NEVER), "0/1", "StartError", 0),
    "no-volume": (
        a_pod("no-volume", 'image: nginx', "volumes: [{name: v, configMap: {name: nope}}]"), "0/1", "ContainerCreating",
        0),
    "too-big": (a_pod("too-big", 'image: nginx, resources: {requests: {cpu: "64"}}'), "0/1", "Pending", 0),
    "nowhere": (a_pod("nowhere", "", "nodeSelector: {disk: ssd}"), "0/1", "Pending", 0),
    "no-claim": (
        a_pod("no-claim", "", "volumes: [{name: v, persistentVolumeClaim: {claimName: nope}}]"), "0/1", "Pending", 0),
    "gated": (a_pod("gated", "", "schedulingGates: [{name: example.com/wait}]"), "0/1", "SchedulingGated", 0),
    "init-fails": (
        a_pod("init-fails", "", f"initContainers: [{{name: first, {a_script('exit 1')}}}], {NEVER}"), "0/1",
        "Init:Error", 0),
    "init-crashes": (
        a_pod("init-crashes", "", f"initContainers: [{{name: first, {a_script('exit 1')}}}]"), "0/1",
        "Init:CrashLoopBackOff", 0),
    "init-waits": (
        a_pod("init-waits", "", f"initContainers: [{{name: first, {a_script('sleep 90000')}}}]"), "0/1", "Init:0/1", 0),
    "unready": (a_pod("unready", f"image: nginx, {GRPC}"), "0/1", "Running", 0),
    "unhealthy": (
        a_pod("unhealthy", "image: nginx, livenessProbe: {tcpSocket: {port: 81}, periodSeconds: 5}"), "[01]/1",
        "Running|CrashLoopBackOff", 1),
    "hook-fails": (
        a_pod("hook-fails", 'image: nginx, lifecycle: {postStart: {exec: {command: [sh, -c, "exit 1"]}}}'), "0/1",
        "CrashLoopBackOff", 1),
    "out-of-cpu": (
        a_pod("out-of-cpu", 'image: nginx, resources: {requests: {cpu: "64"}}', "nodeName: worker-1"), "0/1",
        "OutOfcpu", 0),
    "too-late": (a_pod("too-late", "", "activeDeadlineSeconds: 15"), "0/1", "DeadlineExceeded|Completed|Error", 0),
    "half": (
        a_pod("half", "image: nginx}, {name: side, image: orrery/crasher"), "1/2", "CrashLoopBackOff|Error", 1),
    "held": (a_pod("held", "", metadata="finalizers: [example.com/held]"), "[01]/1", "Terminating|Completed", 0),
}  # fmt: skip


def run(server: Server, *words: str, stdin: str | None = None) -> str:
    command = [str(KUBECTL), *words]
    done = subprocess.run(
        command, env=server.environment, input=stdin, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, f"kubectl {' '.join(words)}: {done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def rows(server: Server):
    """What `kubectl get pods` says once it says of every pod what it should, or when patience is over."""
    run(server, "create", "namespace", NAMESPACE)
    run(server, "apply", "-f", "-", stdin="".join(case[0] for case in CASES.values()))
    run(server, "delete", "pod", "held", "--namespace", NAMESPACE, "--wait=false")
    deadline, found = time.monotonic() + PATIENCE, dict[str, list[str]]()
    while time.monotonic() < deadline:
        listed = run(server, "get", "pods", "--namespace", NAMESPACE, "--no-headers").splitlines()
        for name, *row in (line.split() for line in listed):
            if not is_told(name, found.get(name, [])):
                found[name] = row
        if all(is_told(name, found.get(name, [])) for name in CASES):
            break
    yield found
    release = '{"metadata":{"finalizers":null}}'
    run(server, "patch", "pod", "held", "--namespace", NAMESPACE, "--type=merge", "-p", release)
    run(server, "delete", "namespace", NAMESPACE, "--wait=false")


def is_told(name: str, row: list[str]) -> bool:
    _, ready, status, restarts = CASES[name]
    return bool(row) and bool(re.fullmatch(ready, row[0]) and re.fullmatch(status, row[1])) and int(row[2]) >= restarts


@pytest.mark.parametrize("name", CASES)
def test_a_failure_is_told_by_its_status_word(rows, name):
    assert is_told(name, rows.get(name, [])), rows.get(name)
