"""An everyday session of kubectl: the wheel's, and every other one on the PATH."""

import os
import shutil
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.clients.conftest import Server

OWN = Path(sys.executable).parent / "kubectl"


def kubectls():
    """The paths of all kubectls that can be found, ours first."""
    found = [OWN] if OWN.exists() else []
    for folder in os.environ["PATH"].split(os.pathsep):
        other = shutil.which("kubectl", path=folder)
        if other and all(not os.path.samefile(other, known) for known in found):
            found.append(Path(other))
    return found


class Kubectl:
    def __init__(self, server: Server, program: Path, namespace: str) -> None:
        self.server, self.program, self.namespace = server, program, namespace

    def __call__(self, *words: str, stdin: str | None = None, code: int = 0) -> str:
        """Standard output of one command, which must end with `code`; of a failing one all that it said."""
        done = self.run(*words, stdin=stdin)
        assert done.returncode == code, f"kubectl {' '.join(words)}: {done.stdout}{done.stderr}"
        return done.stdout + done.stderr if code else done.stdout or done.stderr

    def run(self, *words: str, stdin: str | None = None) -> "subprocess.CompletedProcess[str]":
        command = [str(self.program), "--namespace", self.namespace, *words]
        return subprocess.run(
            command, env=self.server.environment, input=stdin, capture_output=True, text=True, timeout=60, check=False
        )

    def start(self, *words: str) -> "subprocess.Popen[str]":
        command = [str(self.program), "--namespace", self.namespace, *words]
        return subprocess.Popen(command, env=self.server.environment, stdout=subprocess.PIPE, text=True)


@pytest.fixture(params=kubectls(), ids=lambda path: "-".join(path.parts[-3:]))
def kubectl(server, request, namespace_name):
    made = Kubectl(server, request.param, namespace_name)
    made("create", "namespace", namespace_name)
    yield made
    made("delete", "namespace", namespace_name, "--wait=false")


@pytest.fixture
def namespace_name(request):
    return "k-" + "".join(c for c in request.node.name.lower() if c.isalnum())[-40:]


def a_manifest(namespace, replicas):
    return f"""
apiVersion: apps/v1
kind: Deployment
metadata: {{name: shop, namespace: {namespace}, labels: {{app: shop}}}}
spec:
  replicas: {replicas}
  selector: {{matchLabels: {{app: shop}}}}
  template:
    metadata: {{labels: {{app: shop}}}}
    spec:
      containers:
      - name: web
        image: nginx:1.27
        ports: [{{containerPort: 80}}]
---
apiVersion: v1
kind: Service
metadata: {{name: shop, namespace: {namespace}}}
spec:
  selector: {{app: shop}}
  ports: [{{port: 80}}]
"""


def test_a_deployment_is_rolled_out_scaled_changed_and_taken_back(kubectl):
    kubectl("create", "deployment", "web", "--image=nginx:1.26", "--replicas=2")
    assert "successfully rolled out" in kubectl("rollout", "status", "deployment/web", "--timeout=50s")
    kubectl("scale", "deployment/web", "--replicas=3")
    kubectl("set", "image", "deployment/web", "nginx=nginx:1.27")
    assert "successfully rolled out" in kubectl("rollout", "status", "deployment/web", "--timeout=50s")
    kubectl("rollout", "undo", "deployment/web")
    kubectl("wait", "--for=condition=Available", "deployment/web", "--timeout=50s")
    assert "nginx:1.26" in kubectl("get", "deployment", "web", "-o", "wide")
    assert "REVISION" in kubectl("rollout", "history", "deployment/web")
    kubectl("expose", "deployment", "web", "--port=80")
    assert "web" in kubectl("get", "endpointslices", "--show-labels")
    pods = kubectl("get", "pods", "-l", "app=web", "-o", "jsonpath={.items[*].metadata.name}").split()
    assert pods
    assert "Scheduled" in kubectl("describe", "pod", pods[0])
    kubectl("delete", "deployment", "web", "--timeout=50s")


def test_manifests_are_applied_compared_and_applied_again(kubectl):
    first, second = a_manifest(kubectl.namespace, 1), a_manifest(kubectl.namespace, 2)
    assert "deployment.apps/shop created" in kubectl("apply", "-f", "-", stdin=first)
    assert "unchanged" in kubectl("apply", "-f", "-", stdin=first)
    difference = kubectl("diff", "-f", "-", stdin=second, code=1)
    assert "+  replicas: 2" in difference
    assert "deployment.apps/shop configured" in kubectl("apply", "-f", "-", stdin=second)
    assert kubectl("get", "deploy", "shop", "-o", "jsonpath={.spec.replicas}") == "2"
    wrong = first.replace("replicas:", "repliccas:")
    assert 'unknown field "spec.repliccas"' in kubectl("apply", "-f", "-", stdin=wrong, code=1)
    kubectl("replace", "-f", "-", stdin=first)
    kubectl("delete", "-f", "-", stdin=first)


def test_small_things_are_made_labelled_shown_and_deleted(kubectl):
    kubectl("create", "configmap", "settings", "--from-literal=a=1")
    kubectl("create", "secret", "generic", "password", "--from-literal=p=x")
    kubectl("label", "configmap", "settings", "tier=front")
    kubectl("annotate", "configmap", "settings", "note=hello")
    kubectl("patch", "configmap", "settings", "-p", '{"data":{"b":"2"}}')
    assert kubectl("get", "cm", "settings", "-o", "jsonpath={.data.b}{.metadata.labels.tier}") == "2front"
    assert "settings" in kubectl("get", "cm", "-l", "tier=front", "--no-headers")
    assert "error" not in kubectl("api-resources").lower()
    assert "DESCRIPTION" in kubectl("explain", "pod.spec.containers")
    assert "NotFound" in kubectl("get", "cm", "none", code=1)
    kubectl("delete", "configmap", "settings")
    kubectl("delete", "secret", "password")


def test_a_raw_path_is_answered(server):
    """By our kubectl alone: older ones forget the path of the server's address when they are given one of their own."""
    assert Kubectl(server, OWN, "default")("get", "--raw", "/readyz") == "ok"


METRICS = {  # Path to a series that is there.
    "/metrics": "apiserver_request_total",
    "/control-plane/kube-scheduler/1/metrics": "scheduler_schedule_attempts_total",
    "/control-plane/kube-controller-manager/1/metrics": "workqueue_adds_total",
    "/control-plane/etcd/etcd-0/metrics": "etcd_server_has_leader",
}


@pytest.mark.parametrize("path", METRICS)
def test_metrics_of_the_control_plane_are_prometheus_text(server, path):
    text = Kubectl(server, OWN, "default")("get", "--raw", path)
    found = {each.name for family in text_string_to_metric_families(text) for each in family.samples}
    assert METRICS[path] in found


def test_a_watch_shows_what_happens(kubectl):
    watching = kubectl.start("get", "configmaps", "--watch", "--output", "name")
    try:
        assert watching.stdout.readline() == "configmap/kube-root-ca.crt\n"
        kubectl("create", "configmap", "seen")
        assert watching.stdout.readline() == "configmap/seen\n"
    finally:
        watching.kill()
        watching.wait()


def test_logs_are_followed_to_the_end(kubectl):
    words = "for i in 1 2 3; do echo line $i; done"
    kubectl("run", "talker", "--image=busybox", "--restart=Never", "--", "sh", "-c", words)
    kubectl("wait", "--for=jsonpath={.status.phase}=Succeeded", "pod/talker", "--timeout=50s")

    assert kubectl("logs", "-f", "talker") == "line 1\nline 2\nline 3\n"
    assert kubectl("logs", "talker", "--tail=1") == "line 3\n"


def test_a_proxy_passes_requests_on(kubectl):
    proxy = kubectl.start("proxy", "--port=0", "--append-server-path")
    try:
        port = proxy.stdout.readline().strip().rsplit(":", 1)[1]
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/namespaces/{kubectl.namespace}") as answer:
            assert kubectl.namespace.encode() in answer.read()
    finally:
        proxy.kill()
        proxy.wait()


def test_top_shows_what_pods_and_nodes_use_while_a_metrics_server_runs(kubectl):
    server = ("--namespace", "kube-system", "deployment/metrics-server")
    kubectl("wait", "--for=condition=Available", "--timeout=50s", *server)
    kubectl("wait", "--for=condition=Available", "--timeout=50s", "apiservice/v1beta1.metrics.k8s.io")
    kubectl("create", "deployment", "web", "--image=nginx:1.27")
    kubectl("wait", "--for=condition=Available", "deployment/web", "--timeout=50s")

    eventually(lambda: "web-" in kubectl.run("top", "pods").stdout)
    assert "worker-1" in kubectl("top", "nodes")
    assert "CPU(cores)" in kubectl("top", "pods", "--containers")

    kubectl("scale", "--replicas=0", *server)
    eventually(lambda: "(get pods.metrics.k8s.io)" in kubectl.run("top", "pods").stderr)
    kubectl("scale", "--replicas=1", *server)
    eventually(lambda: "web-" in kubectl.run("top", "pods").stdout)


def eventually(holds, seconds=50.0):
    """Wait until a condition holds, which each look costs a kubectl."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
