"""What a node does with a packet for a Service: the table that kube-proxy writes, and one look into it.

    10.96.4.7:80/TCP   -> one of 10.244.1.2:8080, 10.244.2.5:8080       a cluster IP, an external one, a balancer's
    *:30080/TCP        -> likewise, at every address of every node       a node port

Endpoints that are ready are chosen; if there are none, those that are terminating and still serve. Policies that say
`Local` look only at endpoints on this node, and drop a packet if there are none, so that its sender waits in vain;
otherwise a Service without endpoints refuses at once.

Mirrors:  kubernetes/pkg/proxy/{servicechangetracker, endpointschangetracker, topology, iptables/proxier}.go
Left out: topology hints and traffic distribution; IPv6; SCTP counts like TCP; affinity forgets no client.
"""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from cluster.objects import Manifest, meta
from cluster.objects.memo import IdentityMemo
from cluster.objects.services import SERVICE_NAME

ANY = "*"  # Every address of a node.
CLUSTER, EXTERNAL, NODE_PORT = "cluster", "external", "nodePort"
FOR_AFFINITY = 10_800  # Seconds, if nothing is said.
_candidates, _thawed = IdentityMemo(512), IdentityMemo(16)  # A look at traffic asks once for each endpoint.


class Endpoint(NamedTuple):
    """A pod's port behind a Service. `serving`: it may be terminating."""

    address: str
    port: int
    node: str
    ready: bool
    serving: bool


class Rule(NamedTuple):
    """What is done with packets to one address and port. `service`: `default/web:http`; `affinity`: seconds or 0."""

    service: str
    kind: str
    address: str
    port: int
    protocol: str
    local: bool
    affinity: int
    sources: tuple[str, ...]  # Address ranges that may come; none: everybody.
    endpoints: tuple[Endpoint, ...]

    @property
    def key(self) -> str:
        return f"{self.address}:{self.port}/{self.protocol}"


Table = dict[str, Rule]


def compiled(services: Iterable[Manifest], slices: Iterable[Manifest]) -> Table:
    """The rules of all Services, by `address:port/protocol`."""
    behind: dict[str, list[Manifest]] = {}
    for each in slices:
        behind.setdefault(f"{meta.namespace(each)}/{meta.labels(each).get(SERVICE_NAME, '')}", []).append(each)
    found: Table = {}
    for service in services:
        for rule in _rules(service, behind.get(meta.key(service), [])):
            found.setdefault(rule.key, rule)
    return found


def _rules(service: Manifest, slices: list[Manifest]) -> Iterable[Rule]:
    spec = service["spec"]
    if spec.get("type") == "ExternalName" or spec.get("clusterIP") in (None, "", "None"):
        return
    affinity = 0
    if spec.get("sessionAffinity") == "ClientIP":
        said = (spec.get("sessionAffinityConfig") or {}).get("clientIP") or {}
        affinity = int(said.get("timeoutSeconds") or FOR_AFFINITY)
    inside, outside = (spec.get(f"{side}TrafficPolicy") == "Local" for side in ("internal", "external"))
    ingress = ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
    balanced = [one["ip"] for one in ingress if one.get("ip") and one.get("ipMode", "VIP") == "VIP"]
    sources = tuple(spec.get("loadBalancerSourceRanges") or ())
    for port in spec.get("ports") or ():
        name, number, protocol = port.get("name", ""), int(port["port"]), port.get("protocol", "TCP")
        shown = f"{meta.key(service)}:{name}" if name else meta.key(service)
        endpoints = tuple(_endpoints(slices, name, protocol))
        for address in spec.get("clusterIPs") or [spec["clusterIP"]]:
            yield Rule(shown, CLUSTER, address, number, protocol, inside, affinity, (), endpoints)
        for address in spec.get("externalIPs") or ():
            yield Rule(shown, EXTERNAL, address, number, protocol, outside, affinity, (), endpoints)
        for address in balanced:
            yield Rule(shown, EXTERNAL, address, number, protocol, outside, affinity, sources, endpoints)
        if port.get("nodePort"):
            yield Rule(shown, NODE_PORT, ANY, int(port["nodePort"]), protocol, outside, affinity, (), endpoints)


def _endpoints(slices: list[Manifest], name: str, protocol: str) -> Iterable[Endpoint]:
    for each in slices:
        for port in each.get("ports") or ():
            if port.get("name", "") != name or port.get("protocol", "TCP") != protocol or port.get("port") is None:
                continue
            for endpoint in each.get("endpoints") or ():
                conditions = endpoint.get("conditions") or {}
                ready = conditions.get("ready") is not False
                serving = conditions.get("serving", ready) is not False
                node = endpoint.get("nodeName", "")
                yield from (Endpoint(ip, int(port["port"]), node, ready, serving) for ip in endpoint["addresses"][:1])


class Choice(NamedTuple):
    """What happens to a packet. `fate`: "endpoint", "reject" or "drop"; `candidates`: who could have got it."""

    rule: Rule
    fate: str
    endpoint: Endpoint | None = None
    candidates: tuple[Endpoint, ...] = ()


def find(table: Table, address: str, port: int, protocol: str, own: Iterable[str]) -> Rule | None:
    """The rule for a packet; None: it is for no Service. `own`: addresses of nodes, where node ports are open."""
    rule = table.get(f"{address}:{port}/{protocol}")
    return table.get(f"{ANY}:{port}/{protocol}") if rule is None and address in own else rule


def choose(rule: Rule, node: str, client: str, roll: Callable[[int, str], int]) -> Choice:
    """Which endpoint a node picks. `roll(sides, about)`: a number of 0 … sides - 1."""
    candidates = candidates_of(rule, node)
    if not candidates:
        return Choice(rule, "drop" if rule.local and rule.endpoints else "reject")
    about = f"client {client}" if rule.affinity else ""
    picked = candidates[roll(len(candidates), about)] if len(candidates) > 1 else candidates[0]
    return Choice(rule, "endpoint", picked, candidates)


def candidates_of(rule: Rule, node: str) -> tuple[Endpoint, ...]:
    """Endpoints that a packet at `node` may go to."""
    found: tuple[Endpoint, ...] = _candidates.get(rule, node if rule.local else "", lambda rule: _among(rule, node))
    return found


def _among(rule: Rule, node: str) -> tuple[Endpoint, ...]:
    there = [one for one in rule.endpoints if not rule.local or one.node == node]
    ready = [one for one in there if one.ready]
    return tuple(ready or [one for one in there if one.serving])


# --- as plain data, for a machine's cell ------------------------------------------------------------------------


def frozen(table: Table) -> list[Any]:
    """The table as a machine keeps it that nobody looks after any more."""
    return [[*rule[:7], list(rule.sources), [list(one) for one in rule.endpoints]] for rule in table.values()]


def thawed(rows: list[Any]) -> Table:
    found: Table = _thawed.get(rows, None, _read)
    return found


def _read(rows: list[Any]) -> Table:
    found = [Rule._make([*row[:7], tuple(row[7]), tuple(Endpoint(*one) for one in row[8])]) for row in rows]
    return {rule.key: rule for rule in found}
