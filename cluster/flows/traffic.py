"""The traffic of a world: looks at every flow anew whenever something on its way may have changed.

    generators   a load generator has started or ended, or a machine went down: who sends now?
    ways         something changed on the way: where do requests get, and what comes of them?

A look costs as much as there are generators times endpoints, and nothing that has to do with rates. Between two looks
nothing happens. It is taken LATENCY after what made it necessary, once for all that changed meanwhile, and writes
`flow` into the records of those who send and `load` into those of the servers (runtime/traffic.py); whoever's load
changed may have become slow, so its probes are woken.

A server's CPU is its limit's, or what its machine has left; what is asked for together, and is not there, is given out
by the containers' CPU requests, as cgroups do.

Limits:   SENDERS load generators a cluster; the others send nothing, and say so.
Left out: what look-ups cost CoreDNS; connections that are kept; retries. A page that comes from a ConfigMap and changes
          is noticed at the next look.
Read next: ways.py, balance.py.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cluster import network
from cluster.engine.controller import Component, Surroundings
from cluster.flows import balance, figures, ways
from cluster.flows.balance import Lane, Sender
from cluster.flows.ways import Way
from cluster.kubelet import serving, volumes
from cluster.kubelet.kubelet import Kubelet
from cluster.kubelet.serving import Demand, Means
from cluster.objects import Manifest, meta, pods, quantity

if TYPE_CHECKING:
    from cluster.world import World

Record = dict[str, Any]
GENERATORS, WAYS = "generators", "ways"
SENDERS = 500
LATENCY = 200_000
SECOND, MILLI = 1_000_000, serving.MILLI
OBJECTS = "loadgenerators.traffic.orrery.dev"
WATCHED = ("Service", "EndpointSlice", "NetworkPolicy", "Namespace", "Node", "Pod")
NO_HTTP, TOO_MANY = "malformed HTTP response", "too many load generators"
LEAST_WEIGHT = 2  # Of a container that requests no CPU: cgroups' smallest share.


@dataclass
class Flow:
    """A load generator at work. `key`: of its container."""

    key: str
    record: Record
    demand: Demand
    way: Way
    lanes: list[Lane] = field(default_factory=list)


@dataclass
class Target:
    """A container that serves. `asked`: requests a second that are wanted of it; `cpu`: millicores it can have."""

    key: str
    record: Record
    pod: Manifest
    means: Means
    asked: float = 0.0
    cpu: float = 0.0


class Traffic(Component):
    """Queue keys: GENERATORS, WAYS. Remembers which containers send (`senders`) and which are asked (`targets`)."""

    name = "traffic"
    role = "proxies"
    reaction = LATENCY

    def __init__(self, around: Surroundings, world: "World") -> None:
        self._world = world
        self.on_change: Callable[[str], None] = lambda key: None  # What comes of a LoadGenerator is another thing now.
        self._peeked: dict[tuple[Any, ...], str] = {}  # Answers of this look.
        super().__init__(around)

    def watch(self) -> None:
        for kind in WATCHED:
            self.informers.subscribe(kind, self._changed, self.name)
        self.informers.on_custom(self._follow, self.name)

    def _follow(self, cache: str) -> None:
        if cache == OBJECTS:
            self.informers.subscribe(cache, self._wish_changed, self.name)

    # --- news -------------------------------------------------------------------------------------------------------

    def _changed(self, old: Manifest | None, new: Manifest | None) -> None:
        if "senders" in self.memory and (old is None or new is None or _seen(old) != _seen(new)):
            self.queue.add(WAYS)

    def _wish_changed(self, old: Manifest | None, new: Manifest | None) -> None:
        if old is None or new is None or old["spec"] != new["spec"]:
            self.disturbed()

    def disturbed(self) -> None:
        """Something that is no object has changed: a route, a program's files."""
        if "senders" in self.memory:
            self.queue.add(WAYS)

    def machines_changed(self) -> None:
        """Somebody touched the hardware: who sent may be gone."""
        if "senders" in self.memory:
            self.queue.add(GENERATORS)

    def program_changed(self, program: str) -> None:
        """A container has started or ended."""
        if program == serving.GENERATOR:
            self.queue.add(GENERATORS)
        else:
            self.disturbed()

    # --- one look ---------------------------------------------------------------------------------------------------

    def process(self, key: str) -> None:
        if key == GENERATORS:
            self._enlist()
        self._peeked = {}
        known = self.memory.get("senders") or []
        flows = [flow for flow in map(self._flow, known[:SENDERS]) if flow is not None]
        targets = self._targets(flows)
        self._allot(targets)
        numbers = {each.key: number for number, each in enumerate(targets.values())}
        for flow in flows:
            flow.lanes = list(self._lanes(flow, numbers))
        senders = [
            Sender(flow.demand.rate, flow.demand.connections, flow.demand.timeout / SECOND, tuple(flow.lanes))
            for flow in flows
        ]
        found = balance.balanced(senders, [each.means.server(each.cpu) for each in targets.values()])
        self._write_flows(known, flows, found)
        self._write_loads(targets, found)
        self._look_again(flows)

    @property
    def _containers(self) -> Any:
        return self._world.cells["containers"]

    def _enlist(self) -> None:
        """Find out which containers send, in order of their keys."""
        before = self.memory.get("senders") or []
        running = sorted(key for key, record in self._containers.data.items() if self._sends(record))
        for key in before:
            if key not in running and key in self._containers:
                self._tell(self._containers[key])
        if running:
            self.memory["senders"] = running
        elif before:
            self.memory.pop("senders")

    def _sends(self, record: Record) -> bool:
        return record.get("program") == serving.GENERATOR and _runs(record) and self._has_power(record["node"])

    def _has_power(self, node: str) -> bool:
        return bool((self._world.cells["machines"].get(node) or {}).get("power"))

    def _flow(self, key: str) -> Flow | None:
        """What a container sends, and where that gets; None: nothing."""
        record = self._containers.get(key)
        demand = self._demand(record) if record is not None and self._sends(record) else None
        if record is None or demand is None:
            return None
        source = self._world.network.source(record)
        pod = self.informers.get("Pod", record["namespace"], record["pod"])
        if pod is None:
            return None
        resolver = network.resolver_of(pod)

        def affine(sides: int, about: str) -> int:
            return self._world.dice.between(0, sides - 1, "endpoint", about, source.address)

        return Flow(key, record, demand, ways.of(self._world.site, source, resolver, demand, affine))

    def _demand(self, record: Record) -> Demand | None:
        found = serving.demand(record, self.clock.epoch)
        if found is None or not found.of:
            return found
        wish = self.informers.get(OBJECTS, record["namespace"], found.of)
        return None if wish is None else demand_of(wish)

    def senders_for(self, namespace: str, name: str) -> list[Record]:
        """The containers that send what a LoadGenerator says."""
        records = (self._containers.get(key) for key in self.memory.get("senders") or ())
        return figures.senders((each for each in records if each is not None), namespace, name, self.clock.epoch)

    # --- servers ----------------------------------------------------------------------------------------------------

    def _targets(self, flows: Iterable[Flow]) -> dict[str, Target]:
        """Who is asked, by key, in the order in which flows meet them."""
        found: dict[str, Target] = {}
        for flow in flows:
            for end in flow.way.ends:
                record, pod = (end.trace.record, end.trace.pod) if end.trace is not None else (None, None)
                if end.fate or record is None or pod is None:
                    continue
                key = serving.key(record)
                if key not in found:
                    found[key] = Target(key, record, pod, serving.means(record, self.clock.epoch))
                found[key].asked += end.share * (flow.demand.rate or balance.AS_FAST)
        return found

    def _allot(self, targets: Mapping[str, Target]) -> None:
        """Give every server its CPU."""
        by_node: dict[str, list[Target]] = {}
        for each in targets.values():
            by_node.setdefault(each.record["node"], []).append(each)
        for node, mine in by_node.items():
            free = self._free_cpu(node, {each.key for each in mine})
            wanted = [each.means.wanted(each.asked) for each in mine]
            given = shared(free, wanted, [_weight(each) for each in mine])
            spare = max(free - sum(given), 0.0)
            for each, cpu in zip(mine, given, strict=True):
                limit = each.means.limit
                each.cpu = cpu + spare if limit is None else min(cpu + spare, limit)

    def _free_cpu(self, node: str, servers: set[str]) -> float:
        """Millicores of a machine that nothing else takes."""
        machine = self._world.cells["machines"].get(node)
        if machine is None:
            return 0.0
        others = 0
        for pod in self.informers.by_index("Pod", "node", node):
            for record in self._world.site.records(pods.uid_at_node(pod)):
                key = serving.key(record)
                if key not in servers and _runs(record):
                    others += serving.used(record, self.clock.now, self.clock.epoch)
        return float(max(quantity.milli(machine["cpu"]) - serving.SYSTEM - others, 0))

    def _lanes(self, flow: Flow, numbers: Mapping[str, int]) -> Iterator[Lane]:
        for share, fate, trace in flow.way.ends:
            if fate or trace is None:
                yield Lane(share, None, fate, fate in ways.HOLDS)
            elif trace.record is None or trace.pod is None:  # kube-apiserver: to who does not speak TLS it says 400.
                yield Lane(share, None, "400")
            else:
                record = trace.record
                number = numbers[serving.key(record)]
                code = self._peek(trace.pod, record, trace.port, flow.way.request)
                yield Lane(share, number, code)

    def _peek(self, pod: Manifest, record: Record, port: int, request: str) -> str:
        """The status code with which a container answers; NO_HTTP: it speaks something else."""
        alike = (record["program"], record["image"], tuple(record["argv"]), port, request)
        kubelet = self._world.components.get(f"kubelet/{record['node']}")
        spec = next((each for each in pods.everyone(pod) if each["name"] == record["name"]), None)
        if not isinstance(kubelet, Kubelet) or spec is None:
            return NO_HTTP
        same = not self._has_files(spec, record) and kubelet.streams.sessions.next_change(record) is None
        if same and alike in self._peeked:
            return self._peeked[alike]
        answer = kubelet.streams.would_answer(spec, record, port, request) or ""
        words = answer.split(" ", 2)
        code = words[1] if answer.startswith("HTTP/") and len(words) > 1 and words[1].isdecimal() else NO_HTTP
        if same:
            self._peeked[alike] = code
        return code

    def _has_files(self, spec: Manifest, record: Record) -> bool:
        """Does a container see other files than those of its image?"""
        if any(mount["mountPath"] != volumes.TOKENS for mount in spec.get("volumeMounts") or ()):
            return True
        return serving.key(record) in self._world.cells["disks"]

    # --- what comes of it -------------------------------------------------------------------------------------------

    def _write_flows(self, known: list[str], flows: list[Flow], found: balance.Balance) -> None:
        sending = {flow.key: (flow, sent) for flow, sent in zip(flows, found.sent, strict=True)}
        for number, key in enumerate(known):
            if key not in sending:
                self._set_flow(key, self._refused(key) if number >= SENDERS else None)
                continue
            flow, sent = sending[key]
            outcomes = {fate: round(rate * MILLI) for fate, rate in sorted(sent.outcomes.items())}
            piece = {
                "wanted": round(flow.demand.rate * MILLI),
                "sent": sum(outcomes.values()),
                "outcomes": {fate: rate for fate, rate in outcomes.items() if rate},
                "latency": [round(each * SECOND) for each in sent.latency],
            }
            self._set_flow(key, piece)

    def _refused(self, key: str) -> dict[str, Any] | None:
        """The flow of a sender beyond the limit: all that it wants fails."""
        record = self._containers.get(key)
        demand = self._demand(record) if record is not None and self._sends(record) else None
        if demand is None:
            return None
        rate = round(demand.rate * MILLI)
        return {"wanted": rate, "sent": 0, "outcomes": {TOO_MANY: rate}, "latency": []}

    def _set_flow(self, key: str, piece: Mapping[str, Any] | None) -> None:
        record = self._containers.get(key)
        changed = serving.flowing(record, self.clock.now, piece) if record is not None else None
        if record is None or changed is None:
            return
        self._containers[key] = changed
        self._tell(changed)

    def _tell(self, record: Record) -> None:
        """Something else comes of what a container sends: that is a LoadGenerator's business, if it sends for one."""
        demand = serving.demand(record, self.clock.epoch)
        if demand is not None and demand.of:
            self.on_change(f"{record['namespace']}/{demand.of}")

    def _write_loads(self, targets: Mapping[str, Target], found: balance.Balance) -> None:
        queues = dict(zip(targets, found.queues, strict=True))
        for key in dict.fromkeys((*(self.memory.get("targets") or ()), *targets)):
            record = self._containers.get(key)
            queue = queues.get(key)
            changed = serving.laden(record, self.clock.now, queue) if record is not None else None
            if record is None or changed is None:
                continue
            self._containers[key] = changed
            kubelet = self._world.components.get(f"kubelet/{record['node']}")
            if isinstance(kubelet, Kubelet) and _runs(record) and serving.is_strained(changed, SECOND):
                kubelet.streams.load_changed(changed)
        if targets:
            self.memory["targets"] = sorted(targets)
        elif "targets" in self.memory:
            self.memory.pop("targets")

    def _look_again(self, flows: Iterable[Flow]) -> None:
        """When a server will answer differently by itself, or begin to listen."""
        self.queue.cancel(WAYS)
        due: list[int] = []
        seen: set[str] = set()
        for flow in flows:
            for end in flow.way.ends:
                pod = self._world.site.pod_at(end.trace.address) if end.trace is not None else None
                if pod is None or meta.uid(pod) in seen:
                    continue
                seen.add(meta.uid(pod))
                kubelet = self._world.components.get(f"kubelet/{pod['spec'].get('nodeName', '')}")
                at = kubelet.streams.next_change(pod) if isinstance(kubelet, Kubelet) else None
                due += [at] if at is not None else []
        if due:
            self.queue.add_after(WAYS, min(due) - self.clock.now)


def demand_of(wish: Manifest) -> Demand | None:
    """What one of a LoadGenerator's pods has to send; None: nothing."""
    spec = wish["spec"]
    rate = spec.get("requestsPerSecond", 0) / max(spec.get("replicas", 1), 1)
    limit = quantity_of_time(spec.get("timeout", "10s"))
    if not rate:
        return None
    return Demand(spec.get("target", ""), rate, spec.get("connections", 10), limit, spec.get("method", "GET"))


def quantity_of_time(text: str) -> int:
    """Microseconds of `10s`, `500ms`, `1m30s`, which a definition's schema has let through.

    >>> quantity_of_time("1m30s"), quantity_of_time("500ms")
    (90000000, 500000)
    """
    return serving.duration(text) or 10 * SECOND


def shared(free: float, wanted: list[float], weights: list[float]) -> list[float]:
    """Give out `free`: nobody more than wanted, the rest by weight, as cgroups do.

    >>> shared(100, [20, 200, 200], [1, 1, 3])
    [20.0, 20.0, 60.0]
    """
    given, open_ = [0.0] * len(wanted), list(range(len(wanted)))
    while open_:
        portion = free / sum(weights[n] for n in open_)
        content = [n for n in open_ if wanted[n] <= portion * weights[n]]
        for n in content or open_:
            given[n] = float(wanted[n] if content else portion * weights[n])
            free -= given[n] if content else 0.0
        open_ = [n for n in open_ if n not in content] if content else []
    return given


def _weight(target: Target) -> float:
    """Millicores that a container requests."""
    spec = next((each for each in pods.everyone(target.pod) if each["name"] == target.record["name"]), {})
    asked = ((spec.get("resources") or {}).get("requests") or {}).get("cpu")
    return max(float(quantity.milli(asked)) if asked is not None else 0.0, LEAST_WEIGHT)


def _runs(record: Record) -> bool:
    return record.get("started") is not None and record["ended"] is None


def _seen(obj: Manifest) -> tuple[Any, ...]:
    """What of an object has to do with the way of a packet."""
    metadata, kind = obj["metadata"], obj["kind"]
    if kind == "Pod":
        status = obj.get("status") or {}
        where = obj["spec"].get("nodeName"), status.get("podIP"), status.get("phase")
        sizes = metadata.get("generation"), status.get("observedGeneration")  # Its limits may be other ones now.
        return (*where, *sizes, metadata.get("labels"), metadata.get("deletionTimestamp"))
    if kind == "Namespace":
        return (metadata.get("labels"),)
    if kind == "Node":
        return (obj["spec"].get("podCIDR"),)
    if kind == "EndpointSlice":
        return (obj.get("endpoints"), obj.get("ports"), metadata.get("labels"))
    status = obj.get("status") or {}
    return (obj.get("spec"), status.get("loadBalancer"))
