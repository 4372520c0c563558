"""A real DNS server on the loopback: `dig @127.0.0.1 -p 8053 web.default.svc.cluster.local` asks the cluster's CoreDNS.

    web.default.svc.cluster.local           of the cluster `default`
    web.default.svc.cluster.local.lab       of the cluster `lab`: its name behind everything else

The questions go to the pods behind the Service kube-dns, over UDP and TCP, and are answered from committed rows. While
none of these pods runs and can be reached, the answer is SERVFAIL. It runs within the web server's process; a port that
is taken only means that there is no such server.

Wire format, truncation and TCP are Twisted's: twisted.names, which Daphne's Twisted brings along.
"""

import asyncio
import logging
from typing import Any

from twisted.internet import defer, error
from twisted.names import dns
from twisted.names import server as names_server
from twisted.names.error import AuthoritativeDomainError

from cluster import network
from cluster.addons.dns import zone
from cluster.apiserver.reads import Reader
from cluster.gateway import pool
from cluster.gateway.site import Site

LOOPBACK = "127.0.0.1"
TYPES = {dns.A: "A", dns.AAAA: "AAAA", dns.CNAME: "CNAME", dns.SRV: "SRV", dns.PTR: "PTR", dns.TXT: "TXT",
         dns.SOA: "SOA", dns.NS: "NS", dns.ALL_RECORDS: "ANY"}  # fmt: skip
DEFAULT = "default"
log = logging.getLogger(__name__)

Answer = tuple[list[Any], list[Any], list[Any]]  # Answers, authority, additional.


class NobodyAnswers(Exception):
    """No pod of CoreDNS can be reached, or there is no such cluster."""


class Clusters:
    """A resolver as twisted.names wants one: it answers what CoreDNS would."""

    def query(self, query: Any, timeout: Any = None) -> "defer.Deferred[Answer]":
        name, type_ = query.name.name.decode("ascii", "replace").lower(), TYPES.get(query.type, "")
        return defer.Deferred.fromFuture(asyncio.ensure_future(pool.in_thread(_answer, name, type_)))


def split(name: str) -> tuple[str, str]:
    """(question, cluster) of a name.

    >>> split("web.default.svc.cluster.local"), split("web.default.svc.cluster.local.lab")
    (('web.default.svc.cluster.local', 'default'), ('web.default.svc.cluster.local', 'lab'))
    >>> split("7.0.96.10.in-addr.arpa")
    ('7.0.96.10.in-addr.arpa', 'default')
    """
    before, middle, cluster = name.rstrip(".").partition(f".{zone.DOMAIN}.")
    return (f"{before}.{zone.DOMAIN}", cluster) if middle and "." not in cluster else (name.rstrip("."), DEFAULT)


def _answer(reader: Reader, name: str, type_: str) -> Answer:
    """Errors: AuthoritativeDomainError (no such name: NXDOMAIN), NobodyAnswers (SERVFAIL)."""
    asked, cluster = split(name)
    site = Site.of(reader, cluster)
    reply = network.ask_dns(site, asked, type_) if site is not None else None
    if reply is None:
        raise NobodyAnswers(name)
    if reply.code == zone.NXDOMAIN:
        raise AuthoritativeDomainError(name)
    if reply.code != zone.OK:
        raise NobodyAnswers(name)
    suffix = f".{cluster}" if name.rstrip(".") != asked else ""
    return [_header(each, suffix) for each in reply.records], [], [_header(each, suffix) for each in reply.extra]


def _header(record: zone.Record, suffix: str) -> Any:
    """A resource record of Twisted's. `suffix`: what stood behind the question's name."""
    own = record.name.rstrip(".") + suffix
    return dns.RRHeader(own, _NUMBERS[record.type], dns.IN, zone.TTL, _payload(record, suffix), auth=True)


_NUMBERS = {name: number for number, name in TYPES.items()}


def _payload(record: zone.Record, suffix: str) -> Any:
    value = record.value
    if record.type == "A":
        return dns.Record_A(value, zone.TTL)
    if record.type == "SRV":
        priority, weight, port, target = value.split(" ")
        return dns.Record_SRV(int(priority), int(weight), int(port), target.rstrip(".") + suffix, zone.TTL)
    if record.type == "TXT":
        return dns.Record_TXT(value.strip('"').encode(), ttl=zone.TTL)
    if record.type == "SOA":
        first, mail, *numbers = value.split(" ")
        serial, refresh, retry, expire, minimum = (int(number) for number in numbers)
        return dns.Record_SOA(first.rstrip("."), mail.rstrip("."), serial, refresh, retry, expire, minimum, zone.TTL)
    target = value.rstrip(".") + suffix
    return dns.Record_PTR(target, zone.TTL) if record.type == "PTR" else dns.Record_CNAME(target, zone.TTL)


def listen(reactor: Any, port: int) -> bool:
    """Serve from now on; False: the port is taken."""
    factory = names_server.DNSServerFactory(clients=[Clusters()])
    try:
        reactor.listenUDP(port, dns.DNSDatagramProtocol(controller=factory), interface=LOOPBACK)
        reactor.listenTCP(port, factory, interface=LOOPBACK)
    except error.CannotListenError as problem:
        log.warning("no DNS on port %s: %s", port, problem.socketError)
        return False
    return True
