"""A log that is rotated while kubectl follows it."""

import subprocess
import time

import pytest

from tests.clients.conftest import Server
from tests.clients.test_eviction import KUBECTL, PATIENCE, kubectl

POD = """
apiVersion: v1
kind: Pod
metadata: {name: chatty}
spec:
  nodeName: tidy
  containers:
  - name: app
    image: "busybox:1.36"
    command: [sh, -c, "i=0; while true; do i=$((i+1)); echo line number $i of this log; sleep 1; done"]
"""


@pytest.fixture
def tidy(server: Server):
    """A node that keeps three files of four kibibytes: a minute each."""
    server.manage("node", "add", "tidy", "--container-log-max-size", "4Ki", "--container-log-max-files", "3")
    kubectl(server, "wait", "--for=condition=Ready", "node/tidy", "--timeout=60s")
    yield
    kubectl(server, "delete", "pod", "chatty", "--ignore-not-found", "--wait=false")
    server.manage("node", "remove", "tidy")


def numbers(text: str) -> list[int]:
    return [int(line.split()[2]) for line in text.splitlines() if line.endswith("of this log")]


def numbers_until(server: Server, last: int) -> list[int]:
    """What `kubectl logs` shows once this number was printed."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        found = numbers(kubectl(server, "logs", "chatty"))
        if found and found[-1] >= last:
            return found
    raise AssertionError(f"line {last} was never printed")


def test_kubectl_shows_the_newest_file_and_follows_across_files(server: Server, tidy: None):
    kubectl(server, "apply", "-f", "-", stdin=POD)
    kubectl(server, "wait", "--for=condition=Ready", "pod/chatty", "--timeout=60s")
    with subprocess.Popen(
        [str(KUBECTL), "logs", "-f", "chatty"], env=server.environment, stdout=subprocess.PIPE, text=True
    ) as following:
        newest = numbers_until(server, 150)
        following.terminate()
        followed = numbers(following.communicate()[0])

    assert newest[0] > 60
    assert len(newest) < 90
    assert followed == list(range(1, len(followed) + 1))
    assert len(followed) > 140
