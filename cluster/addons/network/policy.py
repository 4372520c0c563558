"""NetworkPolicies: may this pod send to that one, and may that one receive it?

A pod that no policy selects for a direction may do everything in that direction. As soon as one does, only what some
policy allows. Both ends must agree. Traffic of a pod with itself, and from a pod's own node to it (its kubelet's
probes), is never refused; pods on the host's network have no policies.

Mirrors:  Kubernetes NetworkPolicy v1 as network plugins implement it
Left out: AdminNetworkPolicy; a named port of egress is looked up at the receiver.
"""

from collections.abc import Iterable
from ipaddress import ip_address, ip_network
from typing import Any, NamedTuple

from cluster.objects import Manifest, labels, meta

INGRESS, EGRESS = "Ingress", "Egress"


class End(NamedTuple):
    """One end of a connection. `pod`: None for a machine or an address outside; `namespace`: the labels of its one."""

    address: str
    pod: Manifest | None = None
    namespace: dict[str, str] | None = None


class Ruling(NamedTuple):
    """`policies`: names of those that select the pod in this direction; empty: nobody cares."""

    allowed: bool
    policies: tuple[str, ...] = ()


def ruling(policies: Iterable[Manifest], direction: str, mine: End, other: End, port: int, protocol: str) -> Ruling:
    """What the policies of `mine`'s namespace say. `port`: that of the receiver."""
    pod = mine.pod
    if pod is None or pod["spec"].get("hostNetwork") or mine.address == other.address:
        return Ruling(True)
    chosen = [each for each in policies if direction in _types(each) and _selects(each["spec"].get("podSelector"), pod)]
    if not chosen:
        return Ruling(True)
    receiver = mine if direction == INGRESS else other
    names = tuple(meta.name(each) for each in chosen)
    for each in chosen:
        for rule in each["spec"].get(direction.lower()) or ():
            peers = rule.get("from" if direction == INGRESS else "to")
            if _is_port(rule.get("ports"), receiver, port, protocol) and (
                not peers or any(_is_peer(peer, other, mine) for peer in peers)
            ):
                return Ruling(True, names)
    return Ruling(False, names)


def _types(policy: Manifest) -> list[str]:
    spec = policy["spec"]
    return spec.get("policyTypes") or [INGRESS, *([EGRESS] if spec.get("egress") else [])]


def _selects(selector: Manifest | None, pod: Manifest) -> bool:
    compiled = labels.of(selector or {})
    return compiled is not None and compiled.matches(meta.labels(pod))


def _is_peer(peer: Manifest, other: End, mine: End) -> bool:
    if "ipBlock" in peer:
        block = peer["ipBlock"]
        return _is_within(other.address, block["cidr"]) and not any(
            _is_within(other.address, hole) for hole in block.get("except") or ()
        )
    if other.pod is None or other.pod["spec"].get("hostNetwork"):
        return False
    if "namespaceSelector" in peer:
        spaces = labels.of(peer["namespaceSelector"] or {})
        if spaces is None or not spaces.matches(other.namespace or {}):
            return False
    elif mine.pod is None or meta.namespace(mine.pod) != meta.namespace(other.pod):
        return False
    return "podSelector" not in peer or _selects(peer["podSelector"], other.pod)


def _is_within(address: str, cidr: str) -> bool:
    try:
        return ip_address(address) in ip_network(cidr, strict=False)
    except ValueError:
        return False


def _is_port(ports: list[Manifest] | None, receiver: End, port: int, protocol: str) -> bool:
    if not ports:
        return True
    return any(
        one.get("protocol", "TCP") == protocol and _includes(one.get("port"), one.get("endPort"), receiver, port)
        for one in ports
    )


def _includes(given: Any, last: int | None, receiver: End, port: int) -> bool:
    if given is None:
        return True
    if isinstance(given, int):
        return given <= port <= (last or given)
    containers = receiver.pod["spec"]["containers"] if receiver.pod is not None else ()
    ports = [one for each in containers for one in each.get("ports") or ()]
    return any(one.get("name") == given and one["containerPort"] == port for one in ports)
