"""The Service `kubernetes` by which pods find the API server, and the range that Services' addresses come from.

Mirrors:  kubernetes/pkg/controlplane/controller/{kubernetesservice, defaultservicecidr}
"""

from cluster.objects import Manifest
from cluster.objects.services import SERVICE_NAME

WHERE = {"name": "kubernetes", "namespace": "default"}
RANGE_IS_READY = "Kubernetes default Service CIDR is ready"


def objects(address: str, host: str) -> list[Manifest]:
    """`address`: the Service's, the first of the range; `host`: where the API server listens."""
    labels = {"component": "apiserver", "provider": "kubernetes"}
    port = {"name": "https", "protocol": "TCP", "port": 443, "targetPort": 6443}
    listens = [{"name": "https", "port": 6443, "protocol": "TCP"}]
    return [
        {
            "kind": "Service",
            "apiVersion": "v1",
            "metadata": {**WHERE, "labels": labels},
            "spec": {"type": "ClusterIP", "clusterIP": address, "clusterIPs": [address], "ports": [port]},
        },
        {
            "kind": "Endpoints",
            "apiVersion": "v1",
            "metadata": {**WHERE, "labels": {"endpointslice.kubernetes.io/skip-mirror": "true"}},
            "subsets": [{"addresses": [{"ip": host}], "ports": listens}],
        },
        {
            "kind": "EndpointSlice",
            "apiVersion": "discovery.k8s.io/v1",
            "metadata": {**WHERE, "labels": {SERVICE_NAME: "kubernetes"}},
            "addressType": "IPv4",
            "endpoints": [{"addresses": [host], "conditions": {"ready": True}}],
            "ports": listens,
        },
    ]


def service_range(network: str) -> Manifest:
    return {
        "kind": "ServiceCIDR",
        "apiVersion": "networking.k8s.io/v1",
        "metadata": {"name": "kubernetes", "finalizers": ["networking.k8s.io/service-cidr-finalizer"]},
        "spec": {"cidrs": [network]},
    }


def ready_since(now: str) -> Manifest:
    """The range's status."""
    ready = {"type": "Ready", "status": "True", "lastTransitionTime": now, "reason": "", "message": RANGE_IS_READY}
    return {"conditions": [ready]}
