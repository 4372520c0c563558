"""A cluster with load generators, a Service `web` and who asks it."""

import pytest

from cluster.flows import figures
from cluster.objects import Manifest
from tests.builders import TestCluster, a_cluster, a_deployment, a_pod
from tests.cluster.network.conftest import a_service

ADDONS = ["kube-proxy", "coredns", "metrics-server", "load-generators"]
OBJECTS = "loadgenerators.traffic.orrery.dev"
PATH = "/apis/traffic.orrery.dev/v1/namespaces/default/loadgenerators"


def a_load_generator(name: str = "load", target: str = "http://web", rate: int = 10, **spec: object) -> Manifest:
    body = {"target": target, "requestsPerSecond": rate, **spec}
    metadata = {"name": name, "namespace": "default"}
    return {"apiVersion": "traffic.orrery.dev/v1", "kind": "LoadGenerator", "metadata": metadata, "spec": body}


class Lab:
    """`cluster`, with the words of somebody who sends requests."""

    def __init__(self, cluster: TestCluster) -> None:
        self.cluster = cluster

    def send(self, rate: int, target: str = "http://web", name: str = "load", **spec: object) -> "Lab":
        """A LoadGenerator, or another rate for the one that is there; until its requests flow so."""
        if self.wish(name) is None:
            self.cluster.request("POST", PATH, a_load_generator(name, target, rate, **spec))
            self.cluster.run_until(lambda c: self.wish(name)["status"].get("readyReplicas") if self.status(name) else 0)
            return self.run_for(3)
        return self.change(name, requestsPerSecond=rate)

    def change(self, name: str = "load", **spec: object) -> "Lab":
        body = {"spec": spec}
        self.cluster.request("PATCH", f"{PATH}/{name}", body, content_type="application/merge-patch+json")
        return self.run_for(3)

    def run_for(self, seconds: float) -> "Lab":
        self.cluster.run_for(seconds)
        return self

    def wish(self, name: str = "load") -> Manifest:
        return self.cluster.world.informers.get(OBJECTS, "default", name)  # type: ignore[return-value]

    def status(self, name: str = "load") -> Manifest:
        return (self.wish(name) or {}).get("status") or {}

    def condition(self, type_: str, name: str = "load") -> Manifest:
        return next(each for each in self.status(name)["conditions"] if each["type"] == type_)

    def outcomes(self, name: str = "load") -> dict[str, float]:
        return {each["outcome"]: each["perSecond"] for each in self.status(name).get("outcomes") or ()}

    def latency(self, name: str = "load") -> dict[str, float]:
        """Milliseconds."""
        units = {"µs": 0.001, "ms": 1, "s": 1000}
        found = {}
        for part, text in (self.status(name).get("latency") or {}).items():
            unit = next(each for each in units if text.endswith(each))
            found[part] = float(text.removesuffix(unit)) * units[unit]
        return found

    def cpu(self, app: str) -> dict[str, int]:
        """Millicores by pod, as `kubectl top pods` shows them."""
        listed = self.cluster.world.server.list_aggregated("metrics.k8s.io", "pods", "default")
        amounts = {each["metadata"]["name"]: each["containers"][0]["usage"]["cpu"] for each in listed}
        return {name: int(cpu.rstrip("n")) // 1_000_000 for name, cpu in amounts.items() if name.startswith(app)}

    def records(self, pod: str) -> list[dict[str, object]]:
        data = self.cluster.world.cells["containers"].data.values()
        return [record for record in data if str(record["pod"]).startswith(pod) and "program" in record]

    def figures(self, pod: str) -> dict[str, object]:
        """What comes of what a pod sends."""
        return figures.of(self.records(pod), self.cluster.world.now)


def a_lab(nodes: object = 2, replicas: int = 2, image: str = "nginx:1.27", port: int = 80, **spec: object) -> Lab:
    cluster = a_cluster(nodes=nodes, addons=ADDONS)  # type: ignore[arg-type]
    cluster.create(a_deployment("web", replicas, image, **spec))
    cluster.create(a_service("web", ports=[{"port": 80, "targetPort": port}]))
    cluster.run_until(lambda c: all(pod["status"].get("phase") == "Running" for pod in c.objects("Pod")))
    return Lab(cluster.run_for(5))


@pytest.fixture
def lab() -> Lab:
    return a_lab()


__all__ = ["Lab", "a_lab", "a_load_generator", "a_pod"]
