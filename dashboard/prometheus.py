"""The Prometheus of a cluster, as the page meets it: is it there, does it answer, and if not, why?

Its pods decide, as for everybody who asks through the API server's proxy: no ready pod, no answer.

Read next: cluster/gateway/computed.py, cluster/monitoring/scraper.py.
"""

from dataclasses import dataclass
from typing import Any

from cluster.apiserver.table import pods as table
from cluster.gateway.site import Site
from cluster.monitoring.configuration import NAME, NAMESPACE
from cluster.objects import Manifest, labels, meta

READY, DOWN, ABSENT = "ready", "down", "absent"
FEW = 5  # Pods that are named.


@dataclass(frozen=True)
class Condition:
    """`state`: ready, down or absent. `wanted`: replicas, None without a Deployment. `found`: is there a Service that
    leads to it? `pods`: a few of its pods.
    """

    state: str
    wanted: int | None = None
    found: bool = True
    pods: tuple[dict[str, Any], ...] = ()


def condition(site: Site) -> Condition:
    service, deployment = (site.get(kind, NAMESPACE, NAME) for kind in ("Service", "Deployment"))
    if service is None and deployment is None:
        return Condition(ABSENT)
    if service is not None and any(_answers(site, endpoint) for endpoint in _endpoints(site)):
        return Condition(READY)
    wanted = deployment["spec"].get("replicas", 1) if deployment is not None else None
    rows_ = tuple(_row(site, pod) for pod in _pods(site, deployment or service)[:FEW])
    return Condition(DOWN, wanted, service is not None, rows_)


def _endpoints(site: Site) -> list[dict[str, Any]]:
    slices = site.list("EndpointSlice", NAMESPACE)
    mine = [each for each in slices if meta.labels(each).get("kubernetes.io/service-name") == NAME]
    return [endpoint for each in mine for endpoint in each.get("endpoints") or ()]


def _answers(site: Site, endpoint: dict[str, Any]) -> bool:
    ready = (endpoint.get("conditions") or {}).get("ready", True)
    return bool(ready) and _has_power(site, endpoint.get("nodeName", ""))


def _has_power(site: Site, node: str) -> bool:
    return bool((site.machine(node) or {}).get("power"))


def _pods(site: Site, owner: Manifest | None) -> list[Manifest]:
    """Those that a Deployment, or a Service, selects."""
    selector = ((owner or {}).get("spec") or {}).get("selector") or {}
    wanted = selector.get("matchLabels", selector)
    return [pod for pod in site.list("Pod", NAMESPACE) if labels.matches_map(wanted, meta.labels(pod))]


def _row(site: Site, pod: Manifest) -> dict[str, Any]:
    node = pod["spec"].get("nodeName", "")
    return {
        "key": meta.key(pod),
        "name": meta.name(pod),
        "node": node,
        "status": table.in_short(pod)[1],
        "dark": bool(node) and not _has_power(site, node),
    }
