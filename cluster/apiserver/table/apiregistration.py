"""What apiregistration.k8s.io prints.

Mirrors:  k8s.io/kube-aggregator/pkg/registry/apiservice/etcd/etcd.go (ConvertToTable)
"""

from cluster.apiserver.table.columns import Column
from cluster.apiserver.table.printer import Printer, simple
from cluster.objects import Manifest


def _service(obj: Manifest) -> str:
    service = (obj.get("spec") or {}).get("service")
    return "Local" if service is None else f"{service.get('namespace', '')}/{service.get('name', '')}"


def _available(obj: Manifest) -> str:
    conditions = (obj.get("status") or {}).get("conditions") or []
    condition = next((c for c in conditions if c.get("type") == "Available"), None)
    if condition is None:
        return "Unknown"
    status, reason = str(condition.get("status", "")), condition.get("reason", "")
    return f"{status} ({reason})" if status != "True" and reason else status


PRINTERS: dict[tuple[str, str], Printer] = {
    ("apiregistration.k8s.io", "APIService"): simple(
        (Column("Service", text="The reference to the service that hosts this API endpoint."), _service),
        (Column("Available", text="Whether this service is available."), _available),
    ),
}
