"""ComponentStatuses: an old way to ask whether the control plane is well. Nothing is stored; answers are made.

The API server asks the etcd member, the scheduler and the controller manager of its own machine, over http, as kubeadm
sets it up. It does not read etcd for that, so it answers even when etcd has no quorum.

Mirrors:  kubernetes/pkg/registry/core/componentstatus/rest.go; pkg/probe/http
"""

from typing import Any

from cluster.apiserver.registry.resource import Resource
from cluster.objects import Manifest

MEMBER = "etcd-0"
PORTS = {"scheduler": 10259, "controller-manager": 10257}
UNHEARD = "context deadline exceeded"

Rows = dict[str, dict[str, Any]]  # Cells of the tables `processes` and `members`, by name.


def statuses(processes: Rows, members: Rows) -> tuple[Manifest, ...]:
    """`processes`, `members`: as the cluster's tables have them; empty: everything is well."""
    writable = members.get("quorum", {}).get("writable", True)
    etcd = _etcd(MEMBER, writable and members.get(MEMBER, {}).get("on", True))
    return (etcd, *(_process(name, processes.get(f"kube-{name}/1", {}).get("on", True)) for name in PORTS))


def _etcd(name: str, well: bool) -> Manifest:
    condition = {"type": "Healthy", "status": "True", "message": "ok"}
    return _status(name, condition if well else {"type": "Healthy", "status": "False", "error": UNHEARD})


def _process(name: str, runs: bool) -> Manifest:
    if runs:
        return _status(name, {"type": "Healthy", "status": "True", "message": "ok"})
    address = f"127.0.0.1:{PORTS[name]}"
    refused = f'Get "https://{address}/healthz": dial tcp {address}: connect: connection refused'
    return _status(name, {"type": "Healthy", "status": "False", "message": refused})


def _status(name: str, condition: Manifest) -> Manifest:
    return {"kind": "ComponentStatus", "apiVersion": "v1", "metadata": {"name": name}, "conditions": [condition]}


RESOURCES = (
    Resource(
        "", "v1", "ComponentStatus", "componentstatuses", namespaced=False, short_names=("cs",), verbs=("get", "list"),
        computed=statuses, deprecated="v1 ComponentStatus is deprecated in v1.19+",
    ),
)  # fmt: skip
