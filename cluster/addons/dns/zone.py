"""What CoreDNS answers: the zone cluster.local and the reverse zones, made from Services and EndpointSlices.

    web.default.svc.cluster.local              A      the cluster IP; of a headless Service every ready endpoint
    db-0.db.default.svc.cluster.local          A      one endpoint that has a hostname (a StatefulSet's pod)
    _http._tcp.web.default.svc.cluster.local   SRV    port and target
    ext.default.svc.cluster.local              CNAME  of an ExternalName
    10-244-1-7.default.pod.cluster.local       A      the address that stands in the name, if the namespace exists
    7.4.96.10.in-addr.arpa                     PTR    the Service, or the endpoint, of an address

A name that exists without a record of the type asked for is an empty answer, any other name of the zone NXDOMAIN. Names
outside are asked of the machine's own resolver, which leads nowhere: there is no Internet here.

Mirrors:  coredns plugin/kubernetes (kubernetes.go, handler.go, reverse.go), Kubernetes DNS-Based Service Discovery 1.1
Left out: wildcards, zone transfers, AAAA records; SRV of ports without names.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from cluster.objects import Manifest, meta
from cluster.objects.services import SERVICE_NAME
from cluster.objects.shelf import Objects

DOMAIN = "cluster.local"
TTL = 30
OK, NXDOMAIN, SERVFAIL = "NOERROR", "NXDOMAIN", "SERVFAIL"
TYPES = ("A", "AAAA", "CNAME", "SRV", "PTR", "TXT", "SOA", "NS", "ANY")
MOST_ALIASES = 8


class Record(NamedTuple):
    """`web.default.svc.cluster.local. 30 IN A 10.96.4.7`: names with the dot at their end."""

    name: str
    type: str
    value: str


class Reply(NamedTuple):
    """`authoritative`: the zone is ours."""

    code: str
    records: tuple[Record, ...] = ()
    authoritative: bool = True
    extra: tuple[Record, ...] = ()


def lookup(objects: Objects, name: str, type_: str, aliases: int = 0) -> Reply:
    """The answer to one question. `name`: with or without the dot at its end; `aliases`: that led to it."""
    asked = name.lower().rstrip(".")
    if asked == DOMAIN or asked.endswith(f".{DOMAIN}"):
        return _in_zone(objects, asked, type_, aliases)
    if asked.endswith(".in-addr.arpa"):
        return _reverse(objects, asked, type_)
    return Reply(NXDOMAIN, authoritative=False)


def _in_zone(objects: Objects, asked: str, type_: str, aliases: int) -> Reply:
    if asked in (DOMAIN, f"svc.{DOMAIN}", f"pod.{DOMAIN}"):
        soa = f"ns.dns.{DOMAIN}. hostmaster.{DOMAIN}. 1 7200 1800 86400 {TTL}"
        return Reply(OK, (Record(f"{asked}.", "SOA", soa),) if type_ == "SOA" and asked == DOMAIN else ())
    labels = asked.removesuffix(f".{DOMAIN}").split(".")
    if labels == ["dns-version"]:
        return Reply(OK, (Record(f"{asked}.", "TXT", '"1.1.0"'),) if type_ == "TXT" else ())
    *rest, namespace, sort = labels if len(labels) > 1 else ("", labels[0])
    if sort not in ("svc", "pod") or objects.get("Namespace", "", namespace) is None:
        return Reply(NXDOMAIN)
    if not rest:
        return Reply(OK)
    found = _pod(asked, rest) if sort == "pod" else _service(objects, asked, rest, namespace)
    if found is None:
        return Reply(NXDOMAIN)
    alias = next((record for record in found if record.type == "CNAME"), None)
    if alias is not None and type_ != "CNAME":
        return _followed(objects, alias, type_, aliases + 1)
    chosen = tuple(record for record in found if type_ in (record.type, "ANY"))
    extra = tuple(target for record in chosen if record.type == "SRV" for target in _target(objects, record))
    return Reply(OK, chosen, extra=extra)


def _followed(objects: Objects, alias: Record, type_: str, aliases: int) -> Reply:
    """An ExternalName, and what it leads to."""
    further = lookup(objects, alias.value, type_, aliases) if aliases < MOST_ALIASES else Reply(SERVFAIL)
    return Reply(OK, (alias, *further.records)) if further.code == OK else Reply(further.code, (alias,))


def _target(objects: Objects, record: Record) -> tuple[Record, ...]:
    return lookup(objects, record.value.split(" ")[-1], "A").records


def _pod(asked: str, rest: list[str]) -> list[Record] | None:
    numbers = rest[0].split("-")
    good = len(rest) == 1 and len(numbers) == 4 and all(n.isdecimal() and len(n) < 4 and int(n) < 256 for n in numbers)
    return [Record(f"{asked}.", "A", ".".join(str(int(n)) for n in numbers))] if good else None


def _service(objects: Objects, asked: str, rest: list[str], namespace: str) -> list[Record] | None:
    """The records of a name below svc; None: there is no such name."""
    service = objects.get("Service", namespace, rest[-1])
    if service is None:
        return None
    spec, name, before = service["spec"], f"{asked}.", rest[:-1]
    if spec.get("type") == "ExternalName":
        return None if before else [Record(name, "CNAME", f"{spec['externalName'].rstrip('.')}.")]
    headless = spec.get("clusterIP") in (None, "", "None")
    endpoints = list(_endpoints(objects, service)) if headless else []
    own = f"{rest[-1]}.{namespace}.svc.{DOMAIN}."
    if not before:
        if headless:
            return [Record(name, "A", address) for address in dict.fromkeys(ip for ip, _, _ in endpoints)]
        return [Record(name, "A", spec["clusterIP"])]
    if len(before) == 2 and all(label.startswith("_") for label in before):
        port, protocol = before[0][1:], before[1][1:]
        return _srv(name, own, spec, endpoints, headless, port, protocol) or None
    if len(before) == 1 and headless:
        return [Record(name, "A", ip) for ip, host, _ in endpoints if host == before[0]] or None
    return None


def _srv(
    name: str, own: str, spec: Manifest, endpoints: list[tuple[str, str, Manifest]], headless: bool, port: str,
    protocol: str,
) -> list[Record]:  # fmt: skip
    def mine(one: Manifest) -> bool:
        return one.get("name") == port and str(one.get("protocol", "TCP")).lower() == protocol

    if not headless:
        return [Record(name, "SRV", f"0 100 {one['port']} {own}") for one in spec.get("ports") or () if mine(one)]
    return [
        Record(name, "SRV", f"0 {100 // max(len(endpoints), 1)} {one['port']} {host}.{own}")
        for _, host, each in endpoints
        for one in each.get("ports") or ()
        if mine(one)
    ]


def _endpoints(objects: Objects, service: Manifest) -> Iterator[tuple[str, str, Manifest]]:
    """(address, its label below the Service's name, slice) of every ready endpoint."""
    publish = service["spec"].get("publishNotReadyAddresses")
    for each in objects.list("EndpointSlice", meta.namespace(service)):
        if meta.labels(each).get(SERVICE_NAME) != meta.name(service) or each.get("addressType") != "IPv4":
            continue
        for endpoint in each.get("endpoints") or ():
            if publish or (endpoint.get("conditions") or {}).get("ready") is not False:
                for address in endpoint["addresses"]:
                    yield address, endpoint.get("hostname") or address.replace(".", "-"), each


def _reverse(objects: Objects, asked: str, type_: str) -> Reply:
    found = re.fullmatch(r"(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.in-addr\.arpa", asked)
    if found is None:
        return Reply(NXDOMAIN, authoritative=False)
    address = ".".join(reversed(found.groups()))
    names = list(_names_of(objects, address))
    if not names:
        return Reply(NXDOMAIN)
    return Reply(OK, tuple(Record(f"{asked}.", "PTR", name) for name in names) if type_ in ("PTR", "ANY") else ())


def _names_of(objects: Objects, address: str) -> Iterator[str]:
    services = objects.list("Service")
    for service in services:
        if service["spec"].get("clusterIP") == address:
            yield f"{meta.name(service)}.{meta.namespace(service)}.svc.{DOMAIN}."
            return
    for service in services:
        if service["spec"].get("clusterIP") in (None, "", "None"):
            for ip, host, _ in _endpoints(objects, service):
                if ip == address:
                    yield f"{host}.{meta.name(service)}.{meta.namespace(service)}.svc.{DOMAIN}."
