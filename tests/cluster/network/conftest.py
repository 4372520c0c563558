"""A cluster with kube-proxy and DNS, a Service `web` of two pods, and `tmp`, a pod to look around from."""

from typing import Any

import pytest

from cluster.objects import Manifest
from tests.builders import TestCluster, a_cluster, a_deployment, a_pod

SYSTEM = "kube-system"
TOOLS = "nicolaka/netshoot"


class Lab:
    """`run`: a command in a pod, when it has ended (or after so many simulated seconds)."""

    def __init__(self, cluster: TestCluster) -> None:
        self.cluster = cluster

    def run(self, *command: str, pod: str = "tmp", namespace: str = "default", seconds: float = 1) -> tuple[int, str]:
        """(exit code, everything it printed)."""
        begun = self.cluster.act("exec", namespace=namespace, pod=pod, command=list(command))["session"]
        self.cluster.run_for(seconds)
        cells = self.cluster.world.cells["sessions"]
        parts = [part for _, chunk in sorted(cells.prefixed(begun + "/out/")) for part in chunk["parts"]]
        code = cells[begun]["code"]
        assert code is not None, f"{command} still runs after {seconds} s: {parts}"
        return code, "".join(text for _, text in parts)

    def shell(self, text: str, **more: Any) -> tuple[int, str]:
        return self.run("sh", "-c", text, **more)

    def pod(self, name: str) -> Manifest:
        found = self.cluster.get("Pod", name)
        assert found is not None
        return found

    def pods(self, app: str) -> list[Manifest]:
        return [
            pod
            for pod in self.cluster.world.informers.list("Pod", "default")
            if (pod["metadata"].get("labels") or {}).get("app") == app
        ]

    def address(self, service: str) -> str:
        return str(self.cluster.get("Service", service)["spec"]["clusterIP"])

    def patch(self, obj: Manifest, spec: Manifest) -> None:
        self.cluster.patch(obj, {"spec": spec})
        self.cluster.run_for(3)


def a_service(name: str = "web", app: str = "", **spec: Any) -> Manifest:
    body = {"selector": {"app": app or name}, "ports": [{"name": "http", "port": 80}], **spec}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": body}


def a_lab(**options: Any) -> Lab:
    cluster = a_cluster(nodes=2, addons=["kube-proxy", "coredns"], **options)
    cluster.create(a_deployment("web", 2))
    cluster.create(a_service())
    cluster.create(a_pod("tmp", TOOLS, command=["sleep", "36000"], nodeName="worker-1"))
    cluster.run_until(lambda c: all(p["status"]["phase"] == "Running" for p in c.world.informers.list("Pod")))
    return Lab(cluster.run_for(2))


@pytest.fixture
def lab() -> Lab:
    return a_lab()
