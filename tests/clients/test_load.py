"""The lesson of load, told by kubectl alone: more requests, more CPU, more pods, less waiting; failures; and back."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.browser.running import ROOT, eventually
from tests.clients.conftest import SPEED, Server
from tests.clients.test_kubectl import OWN, Kubectl

FAST, PATIENCE = "60", 120.0
WELL = ("AllAnswered", "NearlyAllAnswered", "FallingBehind")
APPLICATION = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: php-apache}
spec:
  selector: {matchLabels: {run: php-apache}}
  template:
    metadata: {labels: {run: php-apache}}
    spec:
      containers:
      - name: php-apache
        image: registry.k8s.io/hpa-example
        ports: [{containerPort: 80}]
        resources: {limits: {cpu: 500m}, requests: {cpu: 200m}}
---
apiVersion: v1
kind: Service
metadata: {name: php-apache}
spec: {ports: [{port: 80}], selector: {run: php-apache}}
"""
AUTOSCALER = ("autoscale", "deployment", "php-apache", "--cpu=50%", "--min=1", "--max=10")
GENERATOR = """\
apiVersion: traffic.orrery.dev/v1
kind: LoadGenerator
metadata: {name: users}
spec: {target: "http://php-apache", requestsPerSecond: 1, timeout: 5s}
"""
CLOSED = """\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: closed}
spec: {podSelector: {matchLabels: {run: php-apache}}, policyTypes: [Ingress]}
"""


@pytest.fixture
def kubectl(server: Server) -> Iterator[Kubectl]:
    made = Kubectl(server, OWN, "load")
    made("create", "namespace", "load")
    server.manage("clock", "speed", FAST, "--cluster", "default")
    yield made
    server.manage("clock", "speed", SPEED, "--cluster", "default")
    made("delete", "namespace", "load", "--wait=false")


@pytest.mark.timeout(600)
def test_more_requests_more_pods_and_every_kind_of_failure_has_its_name(kubectl: Kubectl):
    addon = (ROOT / "cluster" / "addons" / "traffic" / "load-generators.yaml").read_text()
    kubectl("apply", "--namespace=kube-system", "-f", "-", stdin=addon)
    kubectl("wait", "--for=condition=Established", "crd/loadgenerators.traffic.orrery.dev")
    kubectl("apply", "-f", "-", stdin=APPLICATION)
    kubectl("apply", "-f", "-", stdin=GENERATOR)
    soon(lambda: status(kubectl).get("requestsPerSecond") == 1, "a request a second to be answered")
    soon(lambda: 100 < busiest(kubectl) < 350, "200 ms of CPU a second")

    rate(kubectl, 10)
    soon(lambda: busiest(kubectl) > 400, "the CPU to rise")
    slow = milliseconds(kubectl)
    kubectl(*AUTOSCALER)
    soon(lambda: replicas(kubectl) >= 6, "the autoscaler to make more pods")
    soon(lambda: milliseconds(kubectl) < slow / 2, "less waiting")
    assert reason(kubectl) in WELL
    assert "Of all pods together." in kubectl("explain", "loadgenerator.spec.requestsPerSecond")
    kubectl("scale", "loadgenerator", "users", "--replicas=2")
    soon(lambda: status(kubectl).get("readyReplicas") == 2, "a second pod that sends")
    kubectl("apply", "-f", "-", stdin=CLOSED)
    soon(lambda: reason(kubectl) == "IOTimeout", "requests to time out")
    kubectl("delete", "networkpolicy", "closed")
    soon(lambda: reason(kubectl) in WELL, "requests to get through again")

    kubectl("delete", "hpa", "php-apache")
    kubectl("scale", "deployment", "php-apache", "--replicas=0")
    soon(lambda: reason(kubectl) == "ConnectionRefused", "requests to be refused")
    told = condition(kubectl)["message"]
    assert told == 'Get "http://php-apache": dial tcp php-apache:80: connect: connection refused'

    kubectl("scale", "deployment", "php-apache", "--replicas=4")
    kubectl(*AUTOSCALER)
    rate(kubectl, 0)
    soon(lambda: replicas(kubectl) == 1, "the autoscaler to take pods away")


def soon(true: Callable[[], Any], what: str) -> None:
    eventually(true, what, PATIENCE)


def rate(kubectl: Kubectl, requests: int) -> None:
    patch = json.dumps({"spec": {"requestsPerSecond": requests}})
    kubectl("patch", "loadgenerator", "users", "--type", "merge", "-p", patch)


def status(kubectl: Kubectl) -> dict[str, Any]:
    return dict(json.loads(kubectl("get", "loadgenerator", "users", "-o", "json")).get("status") or {})


def condition(kubectl: Kubectl) -> dict[str, Any]:
    found = status(kubectl).get("conditions") or ()
    return next((each for each in found if each["type"] == "Succeeding"), {})


def reason(kubectl: Kubectl) -> str:
    return str(condition(kubectl).get("reason"))


def milliseconds(kubectl: Kubectl) -> float:
    """p50; endless while nothing is answered."""
    text = (status(kubectl).get("latency") or {}).get("p50", "")
    if text.endswith("ms"):
        return float(text[:-2])
    return float(text[:-1]) * 1000 if text.endswith("s") else float("inf")


def busiest(kubectl: Kubectl) -> int:
    """Millicores, as `kubectl top` shows them; 0: nothing is known yet."""
    done = kubectl.run("top", "pods", "-l", "run=php-apache", "--no-headers")
    return max((int(line.split()[1].rstrip("m")) for line in done.stdout.splitlines()), default=0)


def replicas(kubectl: Kubectl) -> int:
    return int(kubectl("get", "deployment", "php-apache", "-o", "jsonpath={.spec.replicas}"))
