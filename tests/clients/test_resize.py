"""A pod that is resized where it runs, through the real kubectl."""

import json

from tests.clients.conftest import Server
from tests.clients.test_eviction import kubectl, wait_until

POD = """
apiVersion: v1
kind: Pod
metadata: {name: sized}
spec:
  containers:
  - name: app
    image: "nginx:1.27"
    resources: {requests: {cpu: 200m, memory: 64Mi}, limits: {cpu: 200m, memory: 64Mi}}
"""


def resize(server: Server, cpu: str) -> None:
    amounts = {"cpu": cpu}
    patch = {"spec": {"containers": [{"name": "app", "resources": {"requests": amounts, "limits": amounts}}]}}
    kubectl(server, "patch", "pod", "sized", "--subresource", "resize", "--patch", json.dumps(patch))


def test_kubectl_resizes_a_pod_and_hears_of_what_can_t_be(server: Server):
    kubectl(server, "apply", "-f", "-", stdin=POD)
    kubectl(server, "wait", "--for=condition=Ready", "pod/sized", "--timeout=60s")
    allocated = "jsonpath={.status.containerStatuses[0].allocatedResources.cpu}"

    resize(server, "300m")
    wait_until(server, ["get", "pod", "sized", "-o", allocated], "300m")
    resize(server, "1000")

    told = wait_until(server, ["describe", "pod", "sized"], "ResizeInfeasible")
    assert "Node didn't have enough capacity: cpu, requested: 1000000, capacity: 4000" in told
    assert "ResizeCompleted" in told
    assert kubectl(server, "get", "pod", "sized", "-o", allocated) == "300m"
    row = kubectl(server, "get", "pod", "sized", "--no-headers").split()
    assert row[1:4] == ["1/1", "Running", "0"]
    kubectl(server, "delete", "pod", "sized", "--wait=false")
