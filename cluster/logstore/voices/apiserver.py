"""kube-apiserver: addresses that it hands out. What outsiders asked of it: journal.py reads that from the inputs.

Mirrors:  kubernetes/pkg/registry/core/service/storage/alloc.go; k8s.io/apiserver/pkg/server/httplog
"""

from collections.abc import Iterator, Mapping
from typing import Any

from cluster.logstore.klog import Value
from cluster.logstore.voices.saying import Said, Step

COMPONENT = "kube-apiserver"


def speak(step: Step) -> Iterator[Said]:
    """Whoever created a Service: it was kube-apiserver that gave it an address."""
    for change in step.changes:
        spec = change.new.get("spec") or {} if _is_new_service(change.key, change.verb) else {}
        addresses = [address for address in spec.get("clusterIPs") or () if address != "None"]
        if addresses:
            families = dict(zip(spec.get("ipFamilies") or ("IPv4",), addresses, strict=False))
            values: dict[str, Value] = {"service": change.ref, "clusterIPs": families}
            yield Said("alloc.go:328", "allocated clusterIPs", values, component=COMPONENT)


def _is_new_service(key: str, verb: str) -> bool:
    return verb == "create" and key.startswith("/registry/services/specs/")


def asked(request: Mapping[str, Any], identity: str, status: int) -> Said:
    """A request of somebody outside that entered the world: those that write, and refused ones among them."""
    query = f"?{request['query']}" if request.get("query") else ""
    agent = (request.get("headers") or {}).get("user-agent", "")
    values: dict[str, Value] = {"verb": request["method"], "URI": f"{request['path']}{query}", "userAgent": agent}
    values |= {"audit-ID": _uuid(identity), "resp": status}
    return Said("httplog.go:134", "HTTP", values, component=COMPONENT)


def _uuid(identity: str) -> str:
    """An input's id as audit ids are written."""
    if len(identity) != 32:
        return identity
    return "-".join((identity[:8], identity[8:12], identity[12:16], identity[16:20], identity[20:]))
