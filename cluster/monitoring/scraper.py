"""The scraper: what a running Prometheus asks its targets, every `scrape_interval` of simulated time.

    no container of it runs        nothing is scraped: a gap
    a target can't be reached      its `up` is 0, and its series end there
    the cluster is too large       it rests after a scrape that took too long, which the next finds missing
    the clock runs too fast        evenly fewer scrapes; orrery_scrapes_missed_total says how many are missing

What containers used is computed for the instant of each scrape. What the API server holds is as it is when the scraper
looks, at most a second of wall time later.

Jobs and labels are those of kube-prometheus; a target's own labels win, as honorLabels has it there.

    apiserver, etcd, kube-scheduler, kube-controller-manager, cloud-controller-manager     processes (controlplane.py)
    kubelet    every node, three times: metrics_path="/metrics", "/metrics/cadvisor", "/metrics/resource"
    coredns, kube-proxy, kube-state-metrics, metrics-server, prometheus                    containers (programs.py)

Mirrors:  prometheus/scrape, kube-prometheus' ServiceMonitors
Left out: scrape_configs and relabelling (jobs are fixed), several Prometheis with stores of their own, spread of
          scrapes over the interval, NetworkPolicies on the way to a kubelet; labels namespace, service, pod and
          endpoint of targets; of /metrics/resource all that is not about the node: cAdvisor has it, too.
Read next: families.py, store.py.
"""

import gc
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from cluster.apiserver import commits
from cluster.engine.clock import monotonic
from cluster.kubelet import committed
from cluster.monitoring import configuration, kubelets, programs, rules
from cluster.monitoring.controlplane import ControlPlane
from cluster.monitoring.families import Sample, sample
from cluster.monitoring.programs import TELL
from cluster.monitoring.store import Store, forget_uncommitted
from cluster.network import API_PORT, API_SERVER, CONNECTED, Site, Source, source_of, trace
from cluster.objects import Manifest, meta, pods

Record = dict[str, Any]
SECOND = 1_000_000
REST = 9  # Times as long as it was late does a scraper rest: a large cluster's world has nine tenths of its time left.
PROGRAM = programs.PROMETHEUS
PATHS = ("/metrics", "/metrics/cadvisor", "/metrics/resource")  # Of a kubelet.
Served = Callable[[], Iterable[Sample]]


def server_of(site: Site) -> tuple[Record, Manifest] | None:
    """The container in which Prometheus runs, and its pod: the oldest, should there be several."""
    found = [each for each in site.all_records() if each["program"] == PROGRAM and _runs_at(each, site.now)]
    for record in sorted(found, key=lambda each: (each["started"], each["id"])):
        pod, machine = site.get("Pod", record["namespace"], record["pod"]), site.machine(record["node"])
        if pod is not None and pods.uid_at_node(pod) == record["uid"] and machine is not None and machine["power"]:
            return record, pod
    return None


def _runs_at(record: Record, moment: int) -> bool:
    started, ended = record["started"], record["ended"]
    return started is not None and started <= moment and (ended is None or ended > moment)


def running(site: Site, records: Iterable[Record]) -> list[Record]:
    """Those that run now, on machines with power."""
    return [each for each in records if _runs_at(each, site.now) and (site.machine(each["node"]) or {}).get("power")]


@contextmanager
def _uncollected() -> Iterator[None]:
    """A scrape makes hundreds of thousands of small dicts and no cycles; a collector that looks at them looks at the
    whole world each time.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


class Scraper:
    """Of one cluster, for as long as its owner's epoch lasts."""

    def __init__(self, cluster: int, owner_epoch: int, served: Served = tuple) -> None:
        """`served`: what gateways have counted of their requests."""
        self._cluster, self._epoch, self._served = cluster, owner_epoch, served
        self._last: int | None = None  # Microseconds since t = 0; None: not yet read.
        self._cost = 0.0  # Wall seconds of the last scrape.
        self._missed = 0.0
        self._rests_until = 0.0  # On engine.clock.monotonic.
        self._cpu = kubelets.CpuTime()

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
            with commits.as_owner(self._cluster, self._epoch), _uncollected():
                store, refused = Store(self._cluster), 0
                series = len(store.index.labels)
                for moment in taken:
                    found = [*self.scrape(site, *server, moment, series)]
                    found.append(sample("orrery_scrapes_missed_total", self._missed, job=PROGRAM))
                    found.append(sample("orrery_series_refused", refused, job=PROGRAM))
                    at = (site.epoch + moment) // 1000
                    refused = store.append(at, found)
                    for together in rules.batches(config.rules):
                        if made := rules.samples(together, store, at):
                            refused += store.append(at, made)
                store.tidy((site.epoch + site.now) // 1000, *configuration.retention(server[0]["argv"]))
        except Exception:
            self._last = None  # Nothing of it was kept: begin again with what is.
            forget_uncommitted()
            raise
        ended = monotonic()
        self._last, self._cost = taken[-1], (ended - begun) / len(taken)
        self._rests_until = ended + REST * max(ended - deadline, 0.0)

    def _remember(self, site: Site) -> None:
        """Go on with the counters of the last scrape."""
        store = Store(self._cluster)
        at, values = store.last()
        self._last, self._cpu, self._missed = max(at * 1000 - site.epoch, 0) if at >= 0 else 0, kubelets.CpuTime(), 0.0
        for number, value in values.items():
            labels = store.index.labels[number]
            if labels["__name__"] == "container_cpu_usage_seconds_total":
                self._cpu.known(labels["name"], self._last, value)
            elif labels["__name__"] == "node_cpu_usage_seconds_total":
                self._cpu.known(labels["node"], self._last, value)
            elif labels["__name__"] == "container_cpu_cfs_throttled_periods_total":
                self._cpu.known_throttled(labels["name"], periods=value)
            elif labels["__name__"] == "container_cpu_cfs_throttled_seconds_total":
                self._cpu.known_throttled(labels["name"], seconds=value)
            elif labels["__name__"] == "orrery_scrapes_missed_total":
                self._missed = value

    # --- targets ------------------------------------------------------------------------------------------------

    def scrape(self, site: Site, server: Record, pod: Manifest, moment: int, series: int = 0) -> Iterator[Sample]:
        """All targets' samples at `moment`."""
        source, machines = source_of(pod), dict(site.machines())
        records = [record for record in site.all_records() if _runs_at(record, moment)]
        yield from self._control_plane(site, source)
        yield from self._kubelets(site, source.node, machines, records, moment)
        yield from self._programs(site, source, machines, records, server, series, moment)
        self._cpu.keep({record["id"] for record in committed.containers(records)} | set(machines))

    def _control_plane(self, site: Site, source: Source) -> Iterator[Sample]:
        """Its processes are where the API server is: who reaches that reaches them."""
        is_near = _reaches(site, source, API_SERVER, API_PORT)
        plane = ControlPlane(site, self._served())
        for process in plane.processes():
            is_up = is_near and process.on
            yield from _target(process.job, process.instance, is_up, plane.samples(process) if is_up else ())

    def _kubelets(
        self, site: Site, here: str, machines: dict[str, Record], records: list[Record], moment: int
    ) -> Iterator[Sample]:
        by_node: dict[str, list[Record]] = defaultdict(list)
        for record in records:
            by_node[record["node"]].append(record)
        for node in site.list("Node"):
            name = meta.name(node)
            machine = machines.get(name)
            is_up = machine is not None and _reaches_machine(machines, here, name)
            look = kubelets.Node(name, machine or {}, by_node[name], moment, site.epoch, self._cpu)
            told = (look.metrics, look.cadvisor, look.node_usage)
            instance = f"{kubelets.address(node)}:10250"
            for path, samples in zip(PATHS, told, strict=True):
                found = samples() if is_up else ()
                yield from _target("kubelet", instance, is_up, found, node=name, metrics_path=path)

    def _programs(
        self,
        site: Site,
        source: Source,
        machines: dict[str, Record],
        running: list[Record],
        server: Record,
        series: int,
        moment: int,
    ) -> Iterator[Sample]:
        """Containers of pods that are there, also of those that crash: `up` is 0 as long as nothing listens."""
        look, alive = programs.Look(site, series, moment=moment), {id(record) for record in running}
        newest: dict[tuple[str, str], Record] = {}
        for record in site.all_records():
            if record["program"] in TELL:
                place = (record["uid"], record["name"])
                if place not in newest or record["created"] >= newest[place]["created"]:
                    newest[place] = record
        for record in newest.values():
            pod = site.get("Pod", record["namespace"], record["pod"])
            address = ((pod or {}).get("status") or {}).get("podIP")
            if pod is None or pods.uid_at_node(pod) != record["uid"] or not address or pods.is_terminal(pod):
                continue
            teller = TELL[record["program"]]
            if not teller.has(record, site.epoch):
                continue
            port, more = teller.port, {name: str(record[name]) for name in teller.labels}
            is_up = record is server or (
                id(record) in alive and _reaches_pod(site, source, machines, pod, str(address), port)
            )
            told = look.tell(record) if is_up else ()
            yield from _target(record["program"], f"{address}:{port}", is_up, told, **more)


def _target(job: str, instance: str, is_up: bool, samples: Iterable[Sample], **more: str) -> Iterator[Sample]:
    """What one target says, under the labels that it is scraped with; a label of both becomes `exported_…`."""
    own, number = {"job": job, "instance": instance, **more}, 0
    for labels, value in samples if is_up else ():
        number += 1
        if not own.keys().isdisjoint(labels):
            labels = {f"exported_{name}" if name in own else name: text for name, text in labels.items()}
        yield {**labels, **own}, value
    yield sample("up", is_up, **own)
    yield sample("scrape_samples_scraped", number, **own)


def _reaches(site: Site, source: Source, address: str, port: int) -> bool:
    return trace(site, source, address, port, "TCP", lambda sides, about: 0).fate == CONNECTED


def _reaches_machine(machines: dict[str, Record], source: str, node: str) -> bool:
    """Is its power on, and is there a way there and back?"""
    here, there = machines.get(source, {}), machines[node]
    routed = node not in (here.get("unrouted") or ()) and source not in (there.get("unrouted") or ())
    return bool(there["power"]) and (routed or node == source)


def _reaches_pod(
    site: Site, source: Source, machines: dict[str, Record], pod: Manifest, address: str, port: int
) -> bool:
    """Pods of a host's network are as near as the host."""
    node = pod["spec"].get("nodeName", "")
    if pod["spec"].get("hostNetwork") and node in machines:
        return _reaches_machine(machines, source.node, node)
    return _reaches(site, source, address, port)
