"""Where a load generator's requests go: its way is followed once for each endpoint, and holds for all of them.

Each request has a connection of its own, so its node's kube-proxy picks an endpoint for each, evenly (iptables,
nftables by chance, ipvs in turn); with session affinity always the same one. The way is the X-ray's: name server,
rules, policies, routes, port (cluster/network.py). Nothing is sent, nothing is counted here.

Limits: ENDPOINTS of a Service are followed, evenly chosen if there are more; the others count like these.
Read next: traffic.py.
"""

import re
from collections.abc import Callable
from typing import NamedTuple

from cluster import network
from cluster.kubelet.serving import Demand
from cluster.network import Site, Source, Trace
from cluster.objects import resolvconf

ENDPOINTS = 1_000
URL = re.compile(r"http://(?P<host>[A-Za-z0-9.-]{1,253})(?::(?P<port>\d{1,5}))?(?P<path>/[!-~]*)?")
REFUSED, TIMED_OUT, NO_ROUTE = "connection refused", "i/o timeout", "no route to host"
NO_HOST, NO_NAME_SERVER, BAD_URL = "no such host", "lookup: i/o timeout", "unsupported protocol scheme"
WORDS = {network.REFUSED: REFUSED, network.SILENT: TIMED_OUT, network.UNREACHABLE: NO_ROUTE}
HOLDS = (TIMED_OUT, NO_NAME_SERVER)  # Fates of which a client learns only by waiting.

Roll = Callable[[int, str], int]


class End(NamedTuple):
    """Where `share` of the requests get. `fate`: why not to a container; "": `trace` has who takes them."""

    share: float
    fate: str
    trace: Trace | None = None


class Way(NamedTuple):
    """`ends`: of all requests. `request`: what is asked, in HTTP."""

    ends: list[End]
    request: str = ""


class _Pick:
    """Takes the endpoint of that number, and counts how many there are."""

    def __init__(self, number: int, affine: Roll) -> None:
        self.number, self.sides, self._affine = number, 1, affine

    def __call__(self, sides: int, about: str) -> int:
        if about:  # Session affinity: the same for every request of this client.
            return self._affine(sides, about)
        self.sides = sides
        return self.number % sides


def of(site: Site, source: Source, resolver: resolvconf.ResolvConf, demand: Demand, affine: Roll) -> Way:
    """The way of a demand's requests from `source`. `affine`: what rules remember about a client."""
    url = URL.fullmatch(demand.url)
    port = int(url["port"] or 80) if url is not None else 0
    if url is None or not 0 < port < 65536:
        return Way([End(1.0, BAD_URL)])
    address, fate = _address(site, source, resolver, url["host"], affine)
    if not address:
        return Way([End(1.0, fate)])
    head = f"{demand.method} {url['path'] or '/'} HTTP/1.1\r\nHost: {url['host']}:{port}\r\n"
    request = f"{head}User-Agent: orrery-load-generator\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
    first = _Pick(0, affine)
    traces = [network.trace(site, source, address, port, "TCP", first)]
    step = -(-first.sides // ENDPOINTS)
    for number in range(step, first.sides, step):
        traces.append(network.trace(site, source, address, port, "TCP", _Pick(number, affine)))
    return Way([End(1 / len(traces), WORDS.get(each.fate, ""), each) for each in traces], request)


def _address(site: Site, source: Source, resolver: resolvconf.ResolvConf, host: str, affine: Roll) -> tuple[str, str]:
    """(address of a host, "") or ("", why it has none). One name server of several that answers is enough."""
    if resolvconf.is_address(host):
        return host, ""
    number, pick = 0, _Pick(0, affine)
    while number < pick.sides:
        pick.number = number
        found, hops = network.resolved(site, source, host, resolver, pick)
        if found is not None:
            return found, ""
        if not hops or hops[-1].code != "dns-silent":
            return "", NO_HOST
        number += 1
    return "", NO_NAME_SERVER


def told(fate: str, url: str, server: str = "") -> str:
    """What a client written in Go says of a failed request."""
    match = URL.fullmatch(url)
    host, port = (match["host"], match["port"] or "80") if match is not None else ("", "")
    if fate == BAD_URL:
        return f'Get "{url}": {BAD_URL}'
    if fate == NO_HOST:
        return f'Get "{url}": dial tcp: lookup {host}: {NO_HOST}'
    if fate == NO_NAME_SERVER:
        return f'Get "{url}": dial tcp: lookup {host}: i/o timeout'
    if fate in (REFUSED, TIMED_OUT, NO_ROUTE):
        said = f"connect: {fate}" if fate != TIMED_OUT else fate
        return f'Get "{url}": dial tcp {server or host}:{port}: {said}'
    if fate == "context deadline exceeded":
        return f'Get "{url}": {fate} (Client.Timeout exceeded while awaiting headers)'
    return f'Get "{url}": {fate}'
