"""Endpoints: addresses that may stand behind a Service, and the ports that they have.

Mirrors:  kubernetes/pkg/apis/core/validation/validation.go (ValidateEndpoints, ValidateEndpointIP)
"""

from collections.abc import Iterator
from functools import lru_cache
from ipaddress import ip_address

from cluster.apiserver.registry.metadata import IP_ADDRESS, invalid, is_ip, not_supported, required
from cluster.apiserver.registry.resource import Problem
from cluster.objects import Manifest
from cluster.objects.memo import IdentityMemo
from cluster.objects.names import name_problems

PROTOCOLS = ("SCTP", "TCP", "UDP")
MAX_PORT = 65535
_memo = IdentityMemo(1024)


def endpoints_problems(endpoints: Manifest) -> list[Problem]:
    """Every problem of the subsets; a subset that is the very same one as before is checked once."""
    found: list[Problem] = []
    for number, subset in enumerate(endpoints.get("subsets") or []):
        where = f"subsets[{number}]"
        found += _memo.get(subset, where, lambda s, where=where: [*_subset(s, where)])  # type: ignore[misc]
    return found


def _subset(subset: Manifest, where: str) -> Iterator[Problem]:
    ready, unready = subset.get("addresses") or [], subset.get("notReadyAddresses") or []
    if not ready and not unready:
        yield required(where, "must specify `addresses` or `notReadyAddresses`")
    for part, addresses in (("addresses", ready), ("notReadyAddresses", unready)):
        for number, address in enumerate(addresses):
            yield from _address(address, f"{where}.{part}[{number}]")
    ports = subset.get("ports") or []
    for number, port in enumerate(ports):
        yield from _port(port, f"{where}.ports[{number}]", named=len(ports) > 1)


def _address(address: Manifest, where: str) -> Iterator[Problem]:
    ip, host = address.get("ip", ""), address.get("hostname", "")
    yield from (invalid(f"{where}.ip", ip, problem) for problem in special(ip))
    yield from (invalid(f"{where}.hostname", host, problem) for problem in name_problems(host, "label") if host)
    node = address.get("nodeName")
    if node is not None:
        yield from (invalid(f"{where}.nodeName", node, problem) for problem in name_problems(node, "subdomain"))


@lru_cache(maxsize=8192)
def special(ip: str) -> tuple[str, ...]:
    """Why nothing can be reached at such an address from elsewhere."""
    if not is_ip(ip):
        return (IP_ADDRESS,)
    parsed, found = ip_address(ip), []
    if parsed.is_unspecified:
        found.append(f"may not be unspecified ({ip})")
    if parsed.is_loopback:
        found.append("may not be in the loopback range (127.0.0.0/8, ::1/128)")
    if parsed.is_link_local:
        found.append("may not be in the link-local range (169.254.0.0/16, fe80::/10)")
    if parsed.is_multicast:
        found.append("may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)")
    return tuple(found)


def _port(port: Manifest, where: str, named: bool) -> Iterator[Problem]:
    name, number, protocol = port.get("name", ""), port.get("port") or 0, port.get("protocol", "")
    if named and not name:
        yield required(f"{where}.name")
    yield from (invalid(f"{where}.name", name, problem) for problem in name_problems(name, "label") if name)
    if not 1 <= number <= MAX_PORT:
        yield invalid(f"{where}.port", number, f"must be between 1 and {MAX_PORT}, inclusive")
    if not protocol:
        yield required(f"{where}.protocol")
    elif protocol not in PROTOCOLS:
        yield not_supported(f"{where}.protocol", protocol, PROTOCOLS)
