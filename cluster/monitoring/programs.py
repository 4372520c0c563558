"""What programs in pods tell of themselves: CoreDNS, kube-proxy, metrics-server, kube-state-metrics, Prometheus.

    coredns               :9153    questions that were asked of it, as long as its container lives
    kube-proxy            :10249   the rules of its node, and what it was told of
    kube-state-metrics    :8080    what the API server holds
    metrics-server        :10250   to who has a token
    prometheus            :9090
    load generators       :8080    what came of their requests

A program is one function and one line in TELL.

Mirrors:  coredns/plugin/metrics, kubernetes/pkg/proxy/metrics, prometheus/web
Left out: Go's and process' own series; durations, since a look-up takes no simulated time.
Read next: scraper.py, gateway/computed.py.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import Any, NamedTuple

from cluster.addons.monitoring import metrics_server
from cluster.kubelet import committed, serving
from cluster.kubeproxy import rules, views
from cluster.monitoring import state
from cluster.monitoring.controlplane import build_info
from cluster.monitoring.families import Sample, sample
from cluster.network import ENDPOINT_CHANGES, LAST_CHANGE, RULES, SERVICE_CHANGES, Site

Record = Mapping[str, Any]
SECOND = 1_000_000
PROMETHEUS, VERSION = "prometheus", "3.7.3"


class Look:
    """One look at a cluster. `series`: how many Prometheus keeps; `is_readable`: its configuration."""

    def __init__(self, site: Site, series: int = 0, is_readable: bool = True, moment: int | None = None) -> None:
        self.site, self.series, self.is_readable = site, series, is_readable
        self.moment = site.now if moment is None else moment

    @cached_property
    def changes(self) -> dict[str, int]:
        """What every kube-proxy has been told of."""
        return self.site.agenda().get(RULES) or {}

    @cached_property
    def written(self) -> Counter[str]:
        """How many rules of iptables a node has, by table; nodes differ by their Local policies only."""
        return _counted(views.iptables(self.site.table(), ""))

    @cached_property
    def local(self) -> list[rules.Rule]:
        """Rules for endpoints of the same node only."""
        return [rule for rule in self.site.table().values() if rule.local and rule.endpoints]

    def tell(self, record: Record) -> Iterator[Sample]:
        return TELL[record["program"]].tell(self, record)


def _counted(text: str) -> Counter[str]:
    found: Counter[str] = Counter()
    table = ""
    for line in text.splitlines():
        if line.startswith("*"):
            table = line[1:]
        elif line.startswith("-A "):
            found[table] += 1
    return found


def _coredns(look: Look, record: Record) -> Iterator[Sample]:
    yield sample("coredns_build_info", 1, version="1.12.3", goversion="go1.24.5")
    yield sample("coredns_health_request_failures_total", 0)
    asked: Counter[tuple[str, str]] = Counter()
    answered: Counter[tuple[str, str]] = Counter()
    for what, number in (record.get("queries") or {}).items():
        type_, code, is_ours = what.split(" ")
        zone = "cluster.local." if is_ours == "1" else "."
        asked[zone, type_] += number
        answered[zone, code] += number
    about = {"server": "dns://:53"}
    for (zone, type_), number in sorted(asked.items()):
        told = {**about, "zone": zone, "proto": "udp", "family": "1", "type": type_}
        yield sample("coredns_dns_requests_total", number, **told)
    for (zone, code), number in sorted(answered.items()):
        plugin = "forward" if zone == "." else "kubernetes"
        yield sample("coredns_dns_responses_total", number, **about, zone=zone, rcode=code, plugin=plugin)


def _kube_proxy(look: Look, record: Record) -> Iterator[Sample]:
    yield build_info()
    for table, number in sorted(look.written.items()):
        yield sample("kubeproxy_sync_proxy_rules_iptables_total", number, table=table)
    changes = look.changes
    yield sample("kubeproxy_sync_proxy_rules_service_changes_total", changes.get(SERVICE_CHANGES, 0))
    yield sample("kubeproxy_sync_proxy_rules_endpoint_changes_total", changes.get(ENDPOINT_CHANGES, 0))
    written = max(changes.get(LAST_CHANGE, 0), record["started"])
    yield sample("kubeproxy_sync_proxy_rules_last_timestamp_seconds", (look.site.epoch + written) / SECOND)
    without = sum(not rules.candidates_of(rule, record["node"]) for rule in look.local)
    yield sample("kubeproxy_sync_proxy_rules_no_local_endpoints_total", without, traffic_policy="external")


def _metrics_server(look: Look, record: Record) -> Iterator[Sample]:
    window = metrics_server.last_window(record, look.site.now)
    running = committed.containers(look.site.all_records()) if window is not None else []
    known = [each for each in running if window is not None and metrics_server.of_container(window, each)]
    nodes = sum(bool(machine["power"]) for _, machine in look.site.machines()) if window is not None else 0
    yield sample("metrics_server_storage_points", len(known), type="container")
    yield sample("metrics_server_storage_points", nodes, type="node")


def _prometheus(look: Look, record: Record) -> Iterator[Sample]:
    yield sample("prometheus_build_info", 1, version=VERSION, branch="HEAD", goversion="go1.25.3")
    yield sample("prometheus_tsdb_head_series", look.series)
    yield sample("prometheus_config_last_reload_successful", look.is_readable)


def _load_generator(look: Look, record: Record) -> Iterator[Sample]:
    """What came of its requests."""
    for outcome, number in sorted(serving.outcomes(dict(record), look.moment).items()):
        yield sample(serving.REQUESTS, number // serving.MILLI, code=outcome)
    latency = serving.piece(dict(record), look.moment).get("latency") or ()
    for part, duration in zip(serving.QUANTILES, latency[1:], strict=False):
        yield sample(serving.DURATION, duration / SECOND, quantile=part)


def _is_ours(record: Record, epoch: int) -> bool:
    """A LoadGenerator's, not hey or fortio: these tell no metrics."""
    demand = serving.demand(dict(record), epoch)
    return demand is not None and bool(demand.of)


class Teller(NamedTuple):
    """`port`: of its metrics; `is_open`: does it tell anybody who asks? `has`: does a container have any at all?

    `labels`: of its record, under which it is scraped.
    """

    port: int
    tell: Callable[[Look, Record], Iterator[Sample]]
    is_open: bool = True
    has: Callable[[Record, int], bool] = lambda record, epoch: True
    labels: tuple[str, ...] = ()


TELL: dict[str, Teller] = {  # By program.
    "coredns": Teller(9153, _coredns),
    "kube-proxy": Teller(10249, _kube_proxy),
    "kube-state-metrics": Teller(8080, lambda look, record: state.object_samples(look.site)),
    metrics_server.PROGRAM: Teller(10250, _metrics_server, is_open=False),
    PROMETHEUS: Teller(9090, _prometheus),
    serving.GENERATOR: Teller(serving.METRICS_PORT, _load_generator, has=_is_ours, labels=("pod",)),
}
