"""ComponentStatuses: an old way to ask whether the control plane is well. Nothing is stored; answers are made.

Whoever answers has just read etcd, and this cluster's scheduler and controllers live in the process that writes it.

Mirrors:  kubernetes/pkg/registry/core/componentstatus/rest.go
Left out: components that are stopped, which this version of the cluster cannot have.
"""

from cluster.apiserver.registry.resource import Resource
from cluster.objects import Manifest

NAMES = ("etcd-0", "scheduler", "controller-manager")


def statuses() -> tuple[Manifest, ...]:
    return tuple(_healthy(name) for name in NAMES)


def _healthy(name: str) -> Manifest:
    condition = {"type": "Healthy", "status": "True", "message": "ok"}
    return {"kind": "ComponentStatus", "apiVersion": "v1", "metadata": {"name": name}, "conditions": [condition]}


RESOURCES = (
    Resource(
        "", "v1", "ComponentStatus", "componentstatuses", namespaced=False, short_names=("cs",), verbs=("get", "list"),
        computed=statuses, deprecated="v1 ComponentStatus is deprecated in v1.19+",
    ),
)  # fmt: skip
