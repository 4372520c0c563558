"""A packet's way: from a pod through its node's rules, the policies and the routes to a container's port, or not.

    rules     the node's kube-proxy turns a Service's address into a pod's            refused, or no answer
    policy    NetworkPolicies of the sender let it out, those of the receiver let it in     no answer
    route     from the sender's node to the receiver's                                       no answer
    port      a container of the pod listens                                                 refused

`trace` follows a packet over a `Site`, in memory or in committed rows, without sending anything: the page's X-ray. A
`Network` sends: it is the door through which commands in containers reach other pods and the cluster's DNS.

Mirrors:  what iptables, a CNI plugin of the bridge sort and Linux's routing do with a SYN
Left out: connection tracking, MTUs, IPv6, the Internet; time on the way: whoever is reached is reached at once.
Read next: kubeproxy/rules.py, addons/network/policy.py, addons/dns/zone.py.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import orjson

from cluster import backends
from cluster.addons.dns import zone
from cluster.addons.network import policy
from cluster.addons.network.policy import EGRESS, INGRESS, End
from cluster.apiserver.size import History
from cluster.kubelet import committed, environment, serving
from cluster.kubelet.kubelet import Kubelet
from cluster.kubelet.node_status import address_of
from cluster.kubeproxy import rules, views
from cluster.kubeproxy.rules import Table
from cluster.objects import Manifest, errors, meta, pods, resolvconf
from cluster.objects.resolvconf import CLUSTER_DNS, ResolvConf

if TYPE_CHECKING:
    from cluster.world import World

Record = dict[str, Any]
CONNECTED, REFUSED, SILENT, UNREACHABLE = "connected", "refused", "no answer", "no route"
SERVICE_RANGE = "10.96.0.0/12"
API_SERVER, API_PORT = "10.0.0.1", 6443
DNS_PORT, COREDNS, KUBE_PROXY = 53, "coredns", "kube-proxy"
PLUGINS = ("flannel",)  # Programs that configure a machine's network for pods.
PATIENCE = 3_600_000_000  # Microseconds: longer does nobody wait for an answer.
RULES = "|rules|"  # The slot of the agenda in which changes that every kube-proxy hears of are counted:
SERVICE_CHANGES, ENDPOINT_CHANGES, LAST_CHANGE = "services", "endpoints", "last"
MOST_HOPS = 8  # Times that a packet is handed on from node to node.


class Site(backends.Site, Protocol):
    """A cluster as it is now, as a packet sees it."""

    def pod_at(self, address: str) -> Manifest | None:
        """The pod that has an address of its own."""

    def machines(self) -> Iterable[tuple[str, dict[str, Any]]]: ...

    def table(self) -> Table:
        """The rules that a kube-proxy writes now."""

    @property
    def options(self) -> dict[str, Any]: ...

    @property
    def revision(self) -> int: ...

    def agenda(self) -> Mapping[str, Any]:
        """Queues, counts and what components remember: see engine/agenda.py."""

    def control_plane(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Rows of its processes, and of etcd's members."""

    def history(self) -> History:
        """What etcd holds."""

    def stored(self) -> Iterable[tuple[str, str, int]]:
        """Of every kind that is stored: (group, plural, number of objects)."""


class Source(NamedTuple):
    """Who sends. `pod`: None for a machine."""

    name: str
    address: str
    node: str
    pod: Manifest | None = None


# What can happen at a station. The page has its own words for each.
WORDS = {
    "no-power": "{node} has no power",
    "circles": "the packet goes round in circles",
    "stale": "the rules of {node} are stale: no kube-proxy runs there",
    "no-proxy": "{node} has no rules: no kube-proxy was ever there",
    "no-rule": "no rule of {node} is for {address}",
    "local": "{service} has no endpoint on {node}, and its policy is Local",
    "no-endpoints": "{service} has no endpoints",
    "rewritten": "{service}: {address} becomes {endpoint}, one of {number}",
    "api-server": "kube-apiserver listens on {address}",
    "nobody": "no pod has the address {address}",
    "outside": "{address} is outside of the cluster: there is no Internet here",
    "no-route": "{node} has no route to the pods of {to}",
    "answer-lost": "the answer is lost: {node} has no route to the pods of {to}",
    "routed": "{node} sends it to {to}",
    "denied": "{direction} of {pod}: {policies} does not allow it",
    "allowed": "{direction} of {pod}: {policies} allows it",
    "answers": "{address} answers",
    "listens": "container {container} of {pod} listens on port {port}",
    "closed": "nothing listens on port {port}",
    "dns-silent": "no name server answers at {server}",
    "dns-unknown": "{name}: no such name",
    "dns-found": "{name} is {address}",
}


class Hop(NamedTuple):
    """A station of the way. `sort`: dns, rules, policy, route, node, pod, port; `code`: a key of WORDS."""

    sort: str
    at: str
    ok: bool
    code: str
    facts: dict[str, str]

    @property
    def said(self) -> str:
        return WORDS[self.code].format(**self.facts)


@dataclass
class Trace:
    """Where a packet got to. `pod`, `record`: the container that takes it; `address`, `port`: where it is now."""

    address: str
    port: int
    protocol: str
    client: str
    hops: list[Hop] = field(default_factory=list)
    fate: str = SILENT
    node: str = ""
    pod: Manifest | None = None
    record: Record | None = None

    def add(self, sort: str, at: str, code: str, ok: bool = True, **facts: str) -> None:
        self.hops.append(Hop(sort, at, ok, code, facts))

    def end(self, fate: str, sort: str, at: str, code: str, **facts: str) -> "Trace":
        self.fate = fate
        self.add(sort, at, code, fate == CONNECTED, **facts)
        return self


def rules_of(site: Site, node: str) -> Table | None:
    """What stands in a node's kernel; None: no kube-proxy was ever there."""
    proxy = (site.machine(node) or {}).get("proxy")
    if proxy is None:
        return None
    return rules.thawed(proxy["frozen"]) if "frozen" in proxy else site.table()


def view(site: Site, node: str, mode: str) -> str:
    """A node's rules as the tool of kube-proxy's `mode` shows them; see views.MODES."""
    machine = site.machine(node)
    addresses = (address_of(machine),) if machine is not None else ()
    return views.shown(mode, rules_of(site, node) or {}, node, addresses)


def address_index(pod: Manifest) -> list[str]:
    """The address that a living pod has for itself."""
    status = pod.get("status") or {}
    own = not pod["spec"].get("hostNetwork") and status.get("phase") not in ("Succeeded", "Failed")
    return [status["podIP"]] if own and status.get("podIP") else []


def source_of(pod: Manifest) -> Source:
    status = pod.get("status") or {}
    return Source(meta.key(pod), str(status.get("podIP") or ""), str(pod["spec"].get("nodeName") or ""), pod)


def trace(site: Site, source: Source, address: str, port: int, protocol: str, roll: Callable[[int, str], int]) -> Trace:
    """Follow a packet from `source` to `address`. `roll(sides, about)`: which endpoint is taken."""
    way = Trace(address, port, protocol, source.address, node=source.node)
    for _ in range(MOST_HOPS):
        machine = site.machine(way.node)
        if machine is None or not machine["power"]:
            return way.end(SILENT, "node", way.node, "no-power", node=way.node)
        if _translate(site, way, machine, roll):
            return way
        there = _destination(site, way)
        if there is None:
            return way
        node, pod = there
        if node != way.node and not _route(site, way, node):
            return way
        arrived_at_machine = pod is None and node != way.node
        way.node = node
        if arrived_at_machine:
            way.client = address_of(machine) if source.pod is not None else way.client
            continue  # A node port: that node's rules decide.
        return _arrive(site, way, source, pod)
    return way.end(SILENT, "route", way.node, "circles")


def _translate(site: Site, way: Trace, machine: dict[str, Any], roll: Callable[[int, str], int]) -> bool:
    """kube-proxy's rules at `way.node`. True: the way ends here."""
    table, node = rules_of(site, way.node), way.node
    rule = rules.find(table or {}, way.address, way.port, way.protocol, (address_of(machine),))
    if rule is None and not _is_service_address(site, way.address):
        return False
    if "frozen" in (machine.get("proxy") or {}):
        way.add("rules", node, "stale", node=node)
    before = f"{way.address}:{way.port}"
    if rule is None:
        way.end(SILENT, "rules", node, "no-proxy" if table is None else "no-rule", node=node, address=before)
        return True
    choice = rules.choose(rule, node, way.client, roll)
    if choice.endpoint is None:
        if choice.fate == "drop":
            way.end(SILENT, "rules", node, "local", service=rule.service, node=node)
        else:
            way.end(REFUSED, "rules", node, "no-endpoints", service=rule.service)
        return True
    way.address, way.port = choice.endpoint.address, choice.endpoint.port
    after, number = f"{way.address}:{way.port}", str(len(choice.candidates))
    way.add("rules", node, "rewritten", service=rule.service, address=before, endpoint=after, number=number)
    return False


def _is_service_address(site: Site, address: str) -> bool:
    network = str(site.options.get("service_range") or SERVICE_RANGE)
    return ip_address(address) in ip_network(network)


def _destination(site: Site, way: Trace) -> tuple[str, Manifest | None] | None:
    """(node, pod or None: the machine itself); None: the way ends here."""
    if way.address == API_SERVER:
        if way.port == API_PORT or way.protocol == "ICMP":
            way.end(CONNECTED, "port", "kube-apiserver", "api-server", address=f"{way.address}:{way.port}")
        else:
            way.end(REFUSED, "port", "control-plane", "closed", port=str(way.port))
        return None
    pod = site.pod_at(way.address)
    if pod is not None:
        return str(pod["spec"]["nodeName"]), pod
    for name, machine in site.machines():
        if address_of(machine) == way.address:
            return name, None
    for node in site.list("Node"):
        cidr = node["spec"].get("podCIDR")
        if cidr and ip_address(way.address) in ip_network(cidr):
            way.end(UNREACHABLE, "pod", meta.name(node), "nobody", address=way.address)
            return None
    way.end(SILENT, "route", way.node, "outside", address=way.address)
    return None


def _route(site: Site, way: Trace, node: str) -> bool:
    """From one machine to the other."""
    to = site.machine(node)
    if node in ((site.machine(way.node) or {}).get("unrouted") or ()):
        way.end(SILENT, "route", way.node, "no-route", node=way.node, to=node)
        return False
    if to is None or not to["power"]:
        way.end(SILENT, "node", node, "no-power", node=node)
        return False
    if way.node in (to.get("unrouted") or ()):
        way.end(SILENT, "route", node, "answer-lost", node=node, to=way.node)
        return False
    way.add("route", way.node, "routed", node=way.node, to=node)
    return True


def _arrive(site: Site, way: Trace, source: Source, pod: Manifest | None) -> Trace:
    """Policies of both ends, then the port."""
    if pod is None:
        host = [each for each in site.list("Pod") if _is_host_pod(each, way.node)]
        return _port(site, way, host, way.node)
    receiver, sender = _end(site, way.address, pod), _end(site, way.client, source.pod)
    if way.client != source.address:  # A node stands in for the sender.
        sender = End(way.client)
    origin = _end(site, source.address, source.pod)
    for direction, mine, other in ((EGRESS, origin, receiver), (INGRESS, receiver, sender)):
        if mine.pod is None:
            continue
        found = site.list("NetworkPolicy", meta.namespace(mine.pod))
        ruling = policy.ruling(found, direction, mine, other, way.port, way.protocol)
        facts = {"direction": direction.lower(), "pod": meta.name(mine.pod), "policies": ", ".join(ruling.policies)}
        if not ruling.allowed:
            return way.end(SILENT, "policy", meta.key(mine.pod), "denied", **facts)
        if ruling.policies:
            way.add("policy", meta.key(mine.pod), "allowed", True, **facts)
    return _port(site, way, [pod], meta.key(pod))


def _port(site: Site, way: Trace, there: list[Manifest], at: str) -> Trace:
    if way.protocol == "ICMP":
        return way.end(CONNECTED, "pod", at, "answers", address=way.address)
    for pod in there:
        declared = {
            each["name"]: [int(one["containerPort"]) for one in each.get("ports") or ()] for each in pods.everyone(pod)
        }
        for record in site.records(pods.uid_at_node(pod)):
            if committed.listens(record, declared.get(record["name"], ()), way.port, site.now, site.epoch):
                way.pod, way.record = pod, record
                facts = {"container": record["name"], "pod": meta.name(pod), "port": str(way.port)}
                return way.end(CONNECTED, "port", meta.key(pod), "listens", **facts)
    return way.end(REFUSED, "port", at, "closed", port=str(way.port))


def _is_host_pod(pod: Manifest, node: str) -> bool:
    return bool(pod["spec"].get("hostNetwork")) and pod["spec"].get("nodeName") == node


def _end(site: Site, address: str, pod: Manifest | None) -> End:
    if pod is None:
        return End(address)
    namespace = site.get("Namespace", "", meta.namespace(pod))
    return End(address, pod, meta.labels(namespace) if namespace is not None else {})


# --- DNS --------------------------------------------------------------------------------------------------------


def lookup(
    site: Site, source: Source, server: str, name: str, type_: str, roll: Callable[[int, str], int]
) -> tuple[Trace, zone.Reply | None]:
    """Ask a name server. No reply: nobody answered."""
    way = trace(site, source, server, DNS_PORT, "UDP", roll)
    if way.fate != CONNECTED or way.record is None or way.record["program"] != COREDNS:
        return way, None
    return way, zone.lookup(site, name, type_)


def ask_dns(site: Site, name: str, type_: str) -> zone.Reply | None:
    """What the pods behind kube-dns answer to somebody outside of the cluster. None: none of them can be reached."""
    rule = rules.find(site.table(), CLUSTER_DNS, DNS_PORT, "UDP", ())
    for endpoint in rules.candidates_of(rule, "") if rule is not None else ():
        pod = site.pod_at(endpoint.address)
        machine = site.machine(endpoint.node) if pod is not None else None
        if pod is None or machine is None or not machine["power"]:
            continue
        for record in site.records(pods.uid_at_node(pod)):
            if record["program"] == COREDNS and committed.listens(record, (), endpoint.port, site.now, site.epoch):
                return zone.lookup(site, name, type_)
    return None


def resolved(
    site: Site, source: Source, host: str, config: ResolvConf, roll: Callable[[int, str], int]
) -> tuple[str | None, list[Hop]]:
    """The address of a name as a pod's resolver finds it, and the hops of finding it."""
    hops: list[Hop] = []
    for server in config.servers:
        for name in config.candidates(host):
            way, reply = lookup(site, source, server, name, "A", roll)
            if reply is None:
                hops += way.hops
                hops.append(Hop("dns", server, False, "dns-silent", {"server": server}))
                break
            found = [record.value for record in reply.records if record.type == "A"]
            if found:
                where = meta.name(way.pod or {"metadata": {"name": server}})
                hops.append(Hop("dns", where, True, "dns-found", {"name": name, "address": found[0]}))
                return found[0], hops
        else:
            hops.append(Hop("dns", server, False, "dns-unknown", {"name": host}))
            return None, hops
    return None, hops


def resolver_of(pod: Manifest) -> ResolvConf:
    """Whom the containers of a pod ask for names."""
    own = environment.resolv_conf(pod)
    return resolvconf.usual(meta.namespace(pod)) if own is None else resolvconf.parsed(own)


class XRay(NamedTuple):
    """A connection, looked through: every hop, and how it ends."""

    fate: str
    hops: list[Hop]


def x_ray(site: Site, pod: Manifest, host: str, port: int, protocol: str = "TCP") -> XRay:
    """What would happen to a connection from `pod` to a name or an address. Nothing is sent."""

    def first(sides: int, about: str) -> int:
        return 0

    source, address, hops = source_of(pod), host, list[Hop]()
    if not resolvconf.is_address(host):
        found, hops = resolved(site, source, host, resolver_of(pod), first)
        if found is None:
            return XRay(SILENT if hops and hops[-1].code == "dns-silent" else UNREACHABLE, hops)
        address = found
    way = trace(site, source, address, port, protocol, first)
    return XRay(way.fate, [*hops, *way.hops])


# --- in the world -----------------------------------------------------------------------------------------------


Answered = tuple[str, list[Any], list[Any]]  # Code, records, further records: (name, type, value) each.


class Network:
    """The door between containers, over the world. `site`: the world as a packet sees it."""

    def __init__(self, world: "World", site: Site) -> None:
        self._world, self.site = world, site

    def source(self, record: Record) -> Source:
        """A container as a sender."""
        pod = self.site.get("Pod", record["namespace"], record["pod"])
        sandbox = self._world.cells["containers"].get(record["uid"]) or {}
        address = str(sandbox.get("ip") or "")
        if pod is not None and pod["spec"].get("hostNetwork"):
            return Source(record["node"], address, record["node"])
        return Source(f"{record['namespace']}/{record['pod']}", address, record["node"], pod)

    def _roll(self, record: Record, pid: int) -> Callable[[int, str], int]:
        now = self._world.clock.now

        def roll(sides: int, about: str) -> int:
            whom = (about, self.source(record).address) if about else (record["id"], pid, now)
            return self._world.dice.between(0, sides - 1, "endpoint", *whom)

        return roll

    def dial(self, record: Record, pid: int, address: str, port: int, protocol: str, data: str) -> tuple[str, str, int]:
        """Connect from a container, and send `data`, if there is any: (fate, what came back, microseconds until then).

        An answer takes time only if load generators ask the same server: it has its place among theirs.
        """
        way = trace(self.site, self.source(record), address, port, protocol, self._roll(record, pid))
        if way.fate != CONNECTED:
            return way.fate, "", 0
        if way.record is None:
            return CONNECTED, _api_server(data) if protocol == "TCP" else "", 0
        kubelet = self._world.components.get(f"kubelet/{way.node}")
        if not isinstance(kubelet, Kubelet) or way.pod is None:
            return SILENT, "", 0
        spec = next((each for each in pods.everyone(way.pod) if each["name"] == way.record["name"]), None)
        if spec is None:
            return REFUSED, "", 0
        about = (record["seed"], pid, self._world.clock.now)
        if serving.fate(way.record, PATIENCE, *about) == serving.NO_ROOM:
            return SILENT, "", 0
        took = serving.lasts(way.record, *about) if data else 0
        answer = kubelet.streams.ask_port(spec, way.record, way.port, data, way.client)
        return CONNECTED, answer or "", took

    def query(self, record: Record, pid: int, server: str, name: str, type_: str) -> Answered | None:
        """Ask a name server from a container: (code, records, further ones). None: nobody answers."""
        way, reply = lookup(self.site, self.source(record), server, name, type_, self._roll(record, pid))
        if reply is None:
            return None
        self._answered(way, type_, reply)
        return reply.code, list(reply.records), list(reply.extra)

    def _answered(self, way: Trace, type_: str, reply: zone.Reply) -> None:
        """CoreDNS counts what it is asked; its container's record dies with it."""
        assert way.record is not None
        cells, key = self._world.cells["containers"], serving.key(way.record)
        asked, what = cells[key].get("queries") or {}, f"{type_} {reply.code} {int(reply.authoritative)}"
        cells[key] = {**cells[key], "queries": {**asked, what: asked.get(what, 0) + 1}}

    def view(self, node: str, tool: str) -> str:
        """A node's rules as `iptables-save`, `ipvsadm` or `nft` show them."""
        return view(self.site, node, {"ipvsadm": "ipvs", "nft": "nftables"}.get(tool, "iptables"))

    def program_changed(self, node: str, program: str, runs: bool) -> None:
        """A container has started or ended.

        A kube-proxy looks after its node's rules, or no longer does; a network plugin leaves its configuration.
        """
        self._world.program_changed(program)
        machine = self._world.cells["machines"].get(node)
        if machine is None:
            return
        if program in PLUGINS and runs and not machine.get("cni"):
            self._world.cells["machines"][node] = {**machine, "cni": program}
            kubelet = self._world.components.get(f"kubelet/{node}")
            if kubelet is not None:  # It finds the configuration on its disk.
                kubelet.queue.add("node")
        if program != KUBE_PROXY:
            return
        looked_after = runs or self._runs(node, KUBE_PROXY)  # An update may start the next one before the last ends.
        left = {} if looked_after else {"frozen": rules.frozen(self.site.table())}
        self._world.cells["machines"][node] = {**machine, "proxy": left}

    def _runs(self, node: str, program: str) -> bool:
        """Does any container of a node run `program`?"""
        there = self._world.informers.by_index("Pod", "node", node)
        records = (record for pod in there for record in self.site.records(pods.uid_at_node(pod)))
        return any(r["program"] == program and r["started"] is not None and r["ended"] is None for r in records)


def _api_server(data: str) -> str:
    """What an anonymous client hears that can't speak TLS with us: that it may nothing."""
    if not data:
        return ""
    message = 'forbidden: User "system:anonymous" cannot get path "/"'
    body = orjson.dumps(errors.Forbidden("", "", "", "").status_object() | {"message": message}).decode()
    head = f"HTTP/1.1 403 Forbidden\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return f"{head}Connection: close\r\n\r\n{body}"


# --- inputs -----------------------------------------------------------------------------------------------------


def route(world: "World", request: dict[str, Any]) -> dict[str, Any]:
    """Take a route away, or put it back: `{"type": "route", "from": A, "to": B, "op": "break" | "mend"}`.

    Errors: NotFound, BadRequest.
    """
    names = str(request.get("from", "")), str(request.get("to", ""))
    for name in names:
        if name not in world.cells["machines"]:
            known = ", ".join(world.cells["machines"]) or "none"
            message = f'nodes "{name}" not found: there is no such machine; machines: {known}'
            raise errors.NotFound("", "nodes", name, message)
    if names[0] == names[1]:
        raise errors.BadRequest(f"{names[0]} needs no route to itself")
    if request.get("op") not in ("break", "mend"):
        raise errors.BadRequest(f"a route can't be told {request.get('op')!r}; known: break, mend")
    machine = world.cells["machines"][names[0]]
    before = machine.get("unrouted") or []
    after = [name for name in before if name != names[1]] + ([names[1]] if request["op"] == "break" else [])
    world.happened(f"route-{request['op']}", names[0], world.agenda.causes, {"to": names[1]})
    world.cells["machines"][names[0]] = {**machine, "unrouted": after}
    return {"from": names[0], "to": names[1], "broken": request["op"] == "break"}


INPUTS: dict[str, Callable[["World", dict[str, Any]], dict[str, Any]]] = {"route": route}
