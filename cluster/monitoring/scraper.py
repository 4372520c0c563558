"""The scraper: what a running Prometheus asks its targets, every `scrape_interval` of simulated time.

    no container of it runs        nothing is scraped: a gap
    a target can't be reached      its `up` is 0, and its series end there
    the cluster is too large       it rests after a scrape that took too long, which the next finds missing
    the clock runs too fast        evenly fewer scrapes; orrery_scrapes_missed_total says how many are missing

What containers used is computed for the instant of each scrape. What the API server holds is as it is when the scraper
looks, at most a second of wall time later.

Mirrors:  prometheus/scrape
Left out: scrape_configs and relabelling (jobs are JOBS), several Prometheis with stores of their own, spread of scrapes
          over the interval, NetworkPolicies on the way to a kubelet.
Read next: families.py, store.py.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from cluster.apiserver import commits
from cluster.engine.clock import monotonic
from cluster.kubelet import committed, serving
from cluster.monitoring import configuration, families, rules
from cluster.monitoring.families import Sample, sample
from cluster.monitoring.store import Store
from cluster.network import API_PORT, API_SERVER, CONNECTED, Site, Source, source_of, trace
from cluster.objects import Manifest, meta
from cluster.objects.pods import uid_at_node

Record = dict[str, Any]
SECOND = 1_000_000
REST = 9  # Times as long as it was late does a scraper rest: a large cluster's world has nine tenths of its time left.
PROGRAM = "prometheus"
JOBS = {"kube-state-metrics": 8080, "coredns": 9153, PROGRAM: 9090}  # Programs in pods, and the ports of their metrics.


SAMPLES: dict[str, Callable[[Site, Record, int], Iterable[Sample]]] = {  # By program: what it tells of itself.
    "kube-state-metrics": lambda site, record, moment: families.object_samples(site),
    serving.GENERATOR: lambda site, record, moment: families.load_samples(record, moment),
}


def _port_of(record: Record, epoch: int) -> int | None:
    """Where a container tells its metrics; None: it tells none."""
    if record["program"] == serving.GENERATOR:
        demand = serving.demand(record, epoch)  # Not hey, not fortio.
        return serving.METRICS_PORT if demand is not None and demand.of else None
    return JOBS.get(record["program"])


def server_of(site: Site) -> tuple[Record, Manifest] | None:
    """The container in which Prometheus runs, and its pod: the oldest, should there be several."""
    found = [each for each in site.all_records() if each["program"] == PROGRAM and _runs_at(each, site.now)]
    for record in sorted(found, key=lambda each: (each["started"], each["id"])):
        pod, machine = site.get("Pod", record["namespace"], record["pod"]), site.machine(record["node"])
        if pod is not None and uid_at_node(pod) == record["uid"] and machine is not None and machine["power"]:
            return record, pod
    return None


def _runs_at(record: Record, moment: int) -> bool:
    started, ended = record["started"], record["ended"]
    return started is not None and started <= moment and (ended is None or ended > moment)


def running(site: Site, records: Iterable[Record]) -> list[Record]:
    """Those that run now, on machines with power."""
    return [each for each in records if _runs_at(each, site.now) and (site.machine(each["node"]) or {}).get("power")]


class Scraper:
    """Of one cluster, for as long as its owner's epoch lasts."""

    def __init__(self, cluster: int, owner_epoch: int) -> None:
        self._cluster, self._epoch = cluster, owner_epoch
        self._last: int | None = None  # Microseconds since t = 0; None: not yet read.
        self._cost = 0.0  # Wall seconds of the last scrape.
        self._missed = 0.0
        self._rests_until = 0.0  # On engine.clock.monotonic.
        self._cpu = families.CpuTime()

    def gather(self, site: Site, deadline: float) -> None:
        """Errors: Fenced; ValueError if the configuration can't be read."""
        server = server_of(site) if monotonic() >= self._rests_until else None
        if server is None:
            return
        if self._last is None:
            self._remember(site)
        config = configuration.of(site)
        interval = config.interval
        first = (max(self._last or 0, server[0]["started"]) // interval + 1) * interval
        due = range(first, site.now + 1, interval)
        if not due:
            return
        affordable = max(1, int((deadline - monotonic()) / self._cost)) if self._cost else 1
        stride = -(-len(due) // affordable)
        taken = [moment for at, moment in enumerate(due, 1) if at % stride == 0 or at == len(due)]
        self._missed += len(due) - len(taken)
        begun = monotonic()
        try:
            with commits.as_owner(self._cluster, self._epoch):
                store, refused = Store(self._cluster), 0
                for moment in taken:
                    found = [*self.scrape(site, *server, moment)]
                    found.append(sample("orrery_scrapes_missed_total", self._missed, job=PROGRAM))
                    found.append(sample("orrery_series_refused", refused, job=PROGRAM))
                    found += rules.samples(config.rules, store, (site.epoch + moment) // 1000)
                    refused = store.append((site.epoch + moment) // 1000, found)
                store.tidy((site.epoch + site.now) // 1000)
        except Exception:
            self._last = None  # Nothing of it was kept: begin again with what is.
            raise
        ended = monotonic()
        self._last, self._cost = taken[-1], (ended - begun) / len(taken)
        self._rests_until = ended + REST * max(ended - deadline, 0.0)

    def _remember(self, site: Site) -> None:
        """Go on with the counters of the last scrape."""
        store = Store(self._cluster)
        at, values = store.last()
        self._last, self._cpu, self._missed = max(at * 1000 - site.epoch, 0) if at >= 0 else 0, families.CpuTime(), 0.0
        for number, value in values.items():
            labels = store.index.labels[number]
            if labels["__name__"] == "container_cpu_usage_seconds_total":
                self._cpu.known(labels["name"], self._last, value)
            elif labels["__name__"] == "node_cpu_usage_seconds_total":
                self._cpu.known(labels["node"], self._last, value)
            elif labels["__name__"] == "orrery_scrapes_missed_total":
                self._missed = value

    # --- targets ------------------------------------------------------------------------------------------------

    def scrape(self, site: Site, server: Record, pod: Manifest, moment: int) -> Iterator[Sample]:
        """All targets' samples at `moment`."""
        source = source_of(pod)
        by_node: dict[str, list[Record]] = defaultdict(list)
        records = [record for record in site.all_records() if _runs_at(record, moment)]
        for record in records:
            by_node[record["node"]].append(record)
        is_up = _reaches(site, source, API_SERVER, API_PORT)
        yield from _target("apiserver", f"{API_SERVER}:{API_PORT}", is_up, families.api_server_samples(site))
        machines = dict(site.machines())
        for node in site.list("Node"):
            name = meta.name(node)
            machine = machines.get(name)
            is_up = machine is not None and _reaches_machine(machines, source.node, name)
            instance = f"{_address(node)}:10250"
            mine = by_node[name]
            yield from _target("kubelet", instance, is_up, families.kubelet_samples(mine), node=name)
            inside = self._machine(site, name, machine or {}, mine, moment) if is_up else ()
            yield from _target("cadvisor", instance, is_up, inside, node=name)
        for record in records:
            port = _port_of(record, site.epoch)
            seen = site.get("Pod", record["namespace"], record["pod"]) if port is not None else None
            address = ((seen or {}).get("status") or {}).get("podIP")
            if port is not None and address:
                is_up = record is server or _reaches(site, source, address, port)
                told = SAMPLES.get(record["program"])
                said = told(site, record, moment) if told is not None else ()
                more = {"pod": record["pod"]} if record["program"] == serving.GENERATOR else {}
                yield from _target(record["program"], f"{address}:{port}", is_up, said, **more)
        self._cpu.keep({record["id"] for record in committed.containers(site.all_records())} | set(machines))

    def _machine(self, site: Site, node: str, machine: Record, mine: list[Record], moment: int) -> Iterator[Sample]:
        seconds, memory = 0.0, 0
        for record in mine:
            found, added, used = families.container_samples(record, moment, site.epoch, self._cpu)
            seconds, memory = seconds + added, memory + used
            yield from found
        yield from families.machine_samples(node, machine, moment, seconds, memory, self._cpu)


def _target(job: str, instance: str, is_up: bool, samples: Iterable[Sample], **more: str) -> Iterator[Sample]:
    """What one target says, under the labels that it is scraped with; a label of both becomes `exported_…`."""
    own, number = {"job": job, "instance": instance, **more}, 0
    for labels, value in samples if is_up else ():
        number += 1
        exported = {f"exported_{name}" if name in own else name: text for name, text in labels.items()}
        yield {**exported, **own}, value
    yield sample("up", is_up, **own)
    yield sample("scrape_samples_scraped", number, **own)


def _reaches(site: Site, source: Source, address: str, port: int) -> bool:
    return trace(site, source, address, port, "TCP", lambda sides, about: 0).fate == CONNECTED


def _reaches_machine(machines: dict[str, Record], source: str, node: str) -> bool:
    """Is its power on, and is there a way there and back?"""
    here, there = machines.get(source, {}), machines[node]
    routed = node not in (here.get("unrouted") or ()) and source not in (there.get("unrouted") or ())
    return bool(there["power"]) and (routed or node == source)


def _address(node: Manifest) -> str:
    addresses = (node.get("status") or {}).get("addresses") or ()
    return next((str(each["address"]) for each in addresses if each["type"] == "InternalIP"), meta.name(node))
