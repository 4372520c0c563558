"""Which machines behind a balancer get traffic: what the balancer would find if it asked them, as it does all the time.

    externalTrafficPolicy Cluster    every node that is Ready: its kube-proxy passes traffic on to any pod
    externalTrafficPolicy Local      only nodes that have a ready pod of the Service themselves

A function of what is true now, so that it is never out of date and costs nothing while nobody looks.

Read next: balancers.py.
"""

from collections.abc import Iterable
from typing import NamedTuple

from cluster.cloud.inventory import Item
from cluster.objects import Manifest, meta, nodes
from cluster.objects.services import SERVICE_NAME

NO_MACHINE, NOT_READY, NO_ENDPOINT = "the machine is gone", "the node is not Ready", "no ready endpoint on this node"


class Backend(NamedTuple):
    """One machine behind a balancer. `why`: what is wrong with it; empty: nothing."""

    node: str
    healthy: bool
    why: str = ""


def backends(
    balancer: Item, service: Manifest | None, known: dict[str, Manifest], slices: Iterable[Manifest]
) -> list[Backend]:
    """Every machine behind `balancer`. `known`: Nodes by name; `slices`: the EndpointSlices of its Service."""
    local = service is not None and service["spec"].get("externalTrafficPolicy") == "Local"
    places = nodes_with_ready(slices) if local else frozenset[str]()
    return [_backend(name, known.get(name), local, places) for name in balancer["backends"]]


def nodes_with_ready(slices: Iterable[Manifest]) -> frozenset[str]:
    """Nodes on which a ready endpoint is."""
    return frozenset(
        endpoint["nodeName"]
        for one in slices
        for endpoint in one.get("endpoints") or ()
        if endpoint.get("nodeName") and (endpoint.get("conditions") or {}).get("ready", True)
    )


def slices_of(service: str, slices: Iterable[Manifest]) -> list[Manifest]:
    """Those of `slices` that belong to Service `namespace/name`."""
    namespace, name = meta.split_key(service)
    return [one for one in slices if meta.namespace(one) == namespace and meta.labels(one).get(SERVICE_NAME) == name]


def _backend(name: str, node: Manifest | None, local: bool, places: frozenset[str]) -> Backend:
    if node is None:
        return Backend(name, False, NO_MACHINE)
    if not nodes.is_ready(node):
        return Backend(name, False, NOT_READY)
    if local and name not in places:
        return Backend(name, False, NO_ENDPOINT)
    return Backend(name, True)
