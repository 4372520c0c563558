"""What a new API server writes by itself: namespaces, priority classes, roles, and the Service `kubernetes`.

Mirrors:  kubernetes/pkg/controlplane (instance.go, controller/kubernetesservice, controller/systemnamespaces),
          kubernetes/pkg/registry/scheduling/rest
Left out: flow schemas, and the API server's own identity lease.
"""

from cluster.apiserver.authorization import defaults
from cluster.apiserver.server import Server
from cluster.engine.controller import Component, Surroundings
from cluster.objects import Manifest, errors

NAMESPACES = ("kube-system", "kube-public", "kube-node-lease", "default")
CRITICAL = {"system-node-critical": 2_000_001_000, "system-cluster-critical": 2_000_000_000}
DESCRIPTIONS = {
    "system-node-critical": "Used for system critical pods that must not be moved from their current node.",
    "system-cluster-critical": (
        "Used for system critical pods that must run in the cluster, but can be moved to another node if necessary."
    ),
}


class Bootstrap(Component):
    """Runs once, when the cluster is new."""

    name = "kube-apiserver"
    user = "system:apiserver"
    reaction = 0

    def __init__(self, around: Surroundings, server: Server) -> None:
        super().__init__(around)
        self.server = server

    def start(self) -> None:
        self.queue.add("objects")

    def process(self, key: str) -> None:
        for obj in self._objects():
            try:
                self.client.create(obj)
            except errors.AlreadyExists:
                continue

    def _objects(self) -> list[Manifest]:
        network = self.server.allocators.network
        address, host = str(network[1]), str(self.options.get("apiserver_address", "10.0.0.1"))
        labels = {"component": "apiserver", "provider": "kubernetes"}
        port = {"name": "https", "protocol": "TCP", "port": 443, "targetPort": 6443}
        where = {"name": "kubernetes", "namespace": "default"}
        return [
            *({"kind": "Namespace", "apiVersion": "v1", "metadata": {"name": name}} for name in NAMESPACES),
            *(_priority_class(name, value) for name, value in CRITICAL.items()),
            *defaults.policy(),
            {
                "kind": "Service",
                "apiVersion": "v1",
                "metadata": {**where, "labels": labels},
                "spec": {"type": "ClusterIP", "clusterIP": address, "clusterIPs": [address], "ports": [port]},
            },
            {
                "kind": "Endpoints",
                "apiVersion": "v1",
                "metadata": {**where, "labels": {"endpointslice.kubernetes.io/skip-mirror": "true"}},
                "subsets": [
                    {"addresses": [{"ip": host}], "ports": [{"name": "https", "port": 6443, "protocol": "TCP"}]}
                ],
            },
            {
                "kind": "EndpointSlice",
                "apiVersion": "discovery.k8s.io/v1",
                "metadata": {**where, "labels": {"kubernetes.io/service-name": "kubernetes"}},
                "addressType": "IPv4",
                "endpoints": [{"addresses": [host], "conditions": {"ready": True}}],
                "ports": [{"name": "https", "port": 6443, "protocol": "TCP"}],
            },
        ]


def _priority_class(name: str, value: int) -> Manifest:
    return {
        "kind": "PriorityClass",
        "apiVersion": "scheduling.k8s.io/v1",
        "metadata": {"name": name},
        "value": value,
        "description": DESCRIPTIONS[name],
        "preemptionPolicy": "PreemptLowerPriority",
    }
