"""A pod that takes more memory than its node has, seen through the real kubectl."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.clients.conftest import Server

KUBECTL = Path(sys.executable).parent / "kubectl"
PATIENCE = 90.0  # Wall seconds at ten times the wall's speed.
LEAKY = """
apiVersion: v1
kind: Pod
metadata: {name: leaky}
spec:
  nodeSelector: {kubernetes.io/hostname: narrow}
  containers:
  - {name: app, image: orrery/leaker}
"""
FILLER = """
apiVersion: v1
kind: Pod
metadata: {name: filler}
spec:
  nodeName: cramped
  volumes: [{name: data, emptyDir: {}}]
  containers:
  - name: app
    image: "busybox:1.36"
    command: [sleep, "3600"]
    volumeMounts: [{name: data, mountPath: /data}]
"""
LATE = """
apiVersion: v1
kind: Pod
metadata: {name: late}
spec:
  nodeName: narrow
  containers:
  - {name: app, image: "nginx:1.27"}
"""


def kubectl(server: Server, *words: str, stdin: str | None = None) -> str:
    done = subprocess.run(
        [str(KUBECTL), *words], env=server.environment, input=stdin, capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"kubectl {' '.join(words)}: {done.stdout}{done.stderr}"
    return done.stdout


def wait_until(server: Server, words: list[str], expected: str) -> str:
    """What `kubectl words` says once `expected` is in it."""
    deadline, said = time.monotonic() + PATIENCE, ""
    while time.monotonic() < deadline:
        said = kubectl(server, *words)
        if expected in said:
            return said
    raise AssertionError(f"kubectl {' '.join(words)} never said {expected!r} but {said}")


@pytest.fixture
def narrow(server: Server):
    """A node of one gibibyte."""
    server.manage("node", "add", "narrow", "--memory", "1Gi")
    kubectl(server, "wait", "--for=condition=Ready", "node/narrow", "--timeout=60s")
    yield
    kubectl(server, "delete", "pod", "leaky", "late", "--ignore-not-found", "--wait=false")
    server.manage("node", "remove", "narrow")


def test_a_leaking_pod_is_evicted_and_kubectl_tells_why(server: Server, narrow: None):
    kubectl(server, "apply", "-f", "-", stdin=LEAKY)

    wait_until(server, ["get", "pod", "leaky", "-o", "jsonpath={.status.phase} {.status.reason}"], "Failed Evicted")
    told = kubectl(server, "describe", "pod", "leaky")

    row = kubectl(server, "get", "pod", "leaky", "--no-headers").split()
    assert row[1:3] == ["0/1", "Completed"]  # STATUS is how the last container ended: it obeyed the SIGTERM.
    assert "The node was low on resource: memory. Threshold quantity: 100Mi, available: " in told
    assert "request is 0, has larger consumption of memory." in told
    assert "DisruptionTarget" in told
    node = wait_until(server, ["describe", "node", "narrow"], "NodeHasInsufficientMemory")
    assert "EvictionThresholdMet" in node
    assert "Attempting to reclaim memory" in node
    taints = wait_until(server, ["get", "node", "narrow", "-o", "json"], "node.kubernetes.io/memory-pressure")
    conditions = {each["type"]: each for each in json.loads(taints)["status"]["conditions"]}
    assert conditions["MemoryPressure"]["reason"] == "KubeletHasInsufficientMemory"
    kubectl(server, "apply", "-f", "-", stdin=LATE)
    wait_until(server, ["get", "pod", "late", "-o", "jsonpath={.status.message}"], "[MemoryPressure]")


@pytest.fixture
def cramped(server: Server):
    """A node with a disk of ten gibibytes, of which half has to stay free."""
    disk = ("--storage", "10Gi", "--eviction-hard", "nodefs.available<50%,imagefs.available<10%")
    server.manage("node", "add", "cramped", *disk)
    kubectl(server, "wait", "--for=condition=Ready", "node/cramped", "--timeout=60s")
    yield
    kubectl(server, "delete", "pod", "filler", "--ignore-not-found", "--wait=false")
    server.manage("node", "remove", "cramped")


def test_a_disk_that_is_filled_by_exec_is_cleared_by_an_eviction(server: Server, cramped: None):
    kubectl(server, "apply", "-f", "-", stdin=FILLER)
    kubectl(server, "wait", "--for=condition=Ready", "pod/filler", "--timeout=60s")

    before = kubectl(server, "exec", "filler", "--", "df", "-h", "/data")
    kubectl(server, "exec", "filler", "--", "fallocate", "-l", "4G", "/data/fill")

    assert "10.0G      2.0G      8.0G" in before
    wait_until(server, ["get", "pod", "filler", "-o", "jsonpath={.status.phase} {.status.reason}"], "Failed Evicted")
    told = kubectl(server, "describe", "pod", "filler")
    assert "The node was low on resource: ephemeral-storage. Threshold quantity: 5Gi, available: 4" in told
    wait_until(server, ["describe", "node", "cramped"], "NodeHasDiskPressure")
    node = wait_until(server, ["describe", "node", "cramped"], "KubeletHasDiskPressure")  # Its status comes later.
    assert "kubelet has disk pressure" in node
    wait_until(server, ["get", "node", "cramped", "-o", "jsonpath={.spec.taints[*].key}"], "disk-pressure")
