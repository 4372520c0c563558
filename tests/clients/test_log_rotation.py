"""A log that is rotated while kubectl follows it."""

import subprocess

import pytest

from tests.clients.conftest import Server
from tests.clients.test_eviction import KUBECTL, kubectl, wait_until

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


def test_kubectl_shows_the_newest_file_and_follows_across_files(server: Server, tidy: None):
    kubectl(server, "apply", "-f", "-", stdin=POD)
    kubectl(server, "wait", "--for=condition=Ready", "pod/chatty", "--timeout=60s")
    with subprocess.Popen(
        [str(KUBECTL), "logs", "-f", "chatty"], env=server.environment, stdout=subprocess.PIPE, text=True
    ) as following:
        wait_until(server, ["logs", "chatty", "--tail=1"], "line number 9")
        wait_until(server, ["logs", "chatty", "--tail=1"], "line number 15")
        newest = numbers(kubectl(server, "logs", "chatty"))
        following.terminate()
        followed = numbers(following.communicate()[0])

    assert newest[0] > 60
    assert len(newest) < 90
    assert followed == list(range(1, len(followed) + 1))
    assert len(followed) > 140
