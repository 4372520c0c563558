"""Manifests and commands as tasks and tutorials have them, by the real kubectl: they show what they promise."""

import shlex
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.clients.conftest import Server

KUBECTL = Path(sys.executable).parent / "kubectl"
NAMESPACE = "tutorials"
PATIENCE = 100.0  # Wall seconds for all of them together, at ten times the wall's speed.
MANIFESTS = Path(__file__).parent / "tutorials.yaml"

# What is typed -> what must be in the output. Each is typed again until it is.
SHOWN: dict[str, tuple[str, ...]] = {
    # Communicate between containers in the same pod using a shared volume
    "exec two-containers -c nginx-container -- curl -s localhost": ("Hello from the debian container",),
    # Configure pod initialization
    "exec init-demo -- cat /usr/share/nginx/html/index.html": ("Welcome to nginx!",),
    # Define a command and arguments for a container
    "logs command-demo": ("command-demo", "tcp://10.96.0.1:443"),
    # Configure a pod to use a ConfigMap
    "logs dapi-test-pod": ("SPECIAL_LEVEL=very", "SPECIAL_TYPE=charm"),
    # Expose pod information to containers
    "logs dapi-volume": ('cluster="test-cluster1"', 'zone="us-est-coast"', 'build="two"'),
    "logs dapi-envars": ("dapi-envars", NAMESPACE, "default"),
    # Define dependent environment variables
    "logs dependent-envars-demo": (
        "UNCHANGED_REFERENCE=$(PROTOCOL)://172.17.0.1:80", "SERVICE_ADDRESS=https://172.17.0.1:80",
        "ESCAPED_REFERENCE=$(PROTOCOL)://172.17.0.1:80"),
    # Attach handlers to container lifecycle events
    "exec lifecycle-demo -- cat /usr/share/message": ("Hello from the postStart handler",),
    # Configure a security context
    "exec security-context-demo -- id": ("uid=1000 gid=3000 groups=2000,3000,4000",),
    "exec security-context-demo -- ps": ("1 1000      0:00 sh -c sleep 1h",),
    # Jobs: pi; indexed Job for parallel processing with static work assignment; CronJob
    "logs job/pi": ("3.14159265358979323846264338327950288419716939937510",),
    "logs -l job-name=indexed-job -c worker": ("oof", "rab", "zab", "xuq", "zyx"),
    # Logging architecture
    "logs counter": ("0: ", "1: "),
    "logs counter2 count-log-2": ("INFO 0", "INFO 1"),
    # Determine the reason for pod failure
    "get pod termination-demo -o jsonpath={.status.containerStatuses[0].state.terminated.message}": ("Sleep expired",),
    # Define readiness and liveness probes
    "get pod goproxy": ("1/1",),
    # Debugging DNS resolution
    "exec dnsutils -- nslookup kubernetes.default": ("Name:\tkubernetes.default.svc.cluster.local",),
    # Configure a projected volume
    "exec test-projected-volume -- sh -c 'cat /projected-volume/*.txt'": ("1f2d1e2e67dfadmin",),
    # StatefulSet basics
    "exec web-0 -- hostname": ("web-0\n",),
    "exec dnsutils -- nslookup web-1.nginx": ("Name:\tweb-1.nginx.tutorials.svc.cluster.local",),
    # Hello world, and what images are made for
    "logs hello-world": ("Hello from Docker!",),
    "logs python": ("tick 2",),
    "logs node": ("hi 2",),
    # Get a shell to a running container
    "exec two-containers -c nginx-container -- bash -c 'items=(a b); [[ ${#items[@]} -eq 2 ]] && echo two of them'": (
        "two of them",),
    "exec debian -- sh -c 'apt-get update -q >/dev/null; apt-get install -y procps | tail -1; ps aux | awk NR==1'": (
        "UID          PID", "0 not upgraded"),
}  # fmt: skip


def kubectl(server: Server, *arguments: str, stdin: str | None = None) -> str:
    command = [str(KUBECTL), "--kubeconfig", str(server.kubeconfig), "--namespace", NAMESPACE, *arguments]
    environment = {**server.environment, "HOME": str(server.home)}
    run = subprocess.run(
        command, input=stdin, capture_output=True, text=True, timeout=60, check=False, env=environment
    )  # fmt: skip
    return run.stdout + run.stderr


@pytest.mark.timeout(240)
def test_the_tutorials_show_what_they_promise(server: Server) -> None:
    kubectl(server, "create", "namespace", NAMESPACE)
    assert "error" not in kubectl(server, "apply", "-f", str(MANIFESTS)).lower()
    until = time.monotonic() + PATIENCE
    missing = dict(SHOWN)
    seen: dict[str, str] = {}
    while missing and time.monotonic() < until:
        for line, expected in list(missing.items()):
            seen[line] = kubectl(server, *shlex.split(line))
            if all(text in seen[line] for text in expected):
                del missing[line]
        time.sleep(0.2)
    assert missing == {}, "\n".join(f"--- {line}\n{seen[line]}" for line in missing)
