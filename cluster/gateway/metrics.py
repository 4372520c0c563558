"""/metrics: what this API server counted, in Prometheus' text. One set of counters a cluster and process.

    apiserver_request_total{verb="LIST",resource="pods",scope="namespace",code="200",…} 12

A request costs one dictionary look-up and two increments here (some microseconds): the children of a combination of
labels are kept. Labels come from what is served, never from what somebody asked for, so that strangers can't make new
ones. What the store holds is counted when somebody looks.

Mirrors:  k8s.io/apiserver/pkg/endpoints/metrics, pkg/server/healthz (metrics/slis), component-base/metrics
Requests of components never come here: the world counts them (engine/client.py), and both are added up in
monitoring/controlplane.py.

Left out: admission, flow control, aggregator, client-go and Go runtime series; durations of components' requests.
          Counters begin anew with the process, as they do in a real server; several gateway processes count each for
          itself, and Prometheus sees the sum.
"""

import asyncio
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.process_collector import ProcessCollector

from cluster import inbox
from cluster.apiserver.kinds import Kinds
from cluster.apiserver.reads import Reader
from cluster.apiserver.registry import Resource
from cluster.apiserver.target import Target
from cluster.gateway import health, kinds, pool
from cluster.gateway.http import NO_CACHE, Reply, Request
from cluster.gateway.site import Site
from cluster.monitoring import controlplane, families
from cluster.monitoring.families import Sample

CLUSTERS = 1_000  # Sets of counters that are kept; the oldest is forgotten.
ANNOUNCED = 5.0  # Wall seconds after a request at which scrapers have heard of it.
MEDIA = "text/plain; version=0.0.4; charset=utf-8; escaping=underscores"
BUCKETS = (
    0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.25, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 45, 60,
)  # fmt: skip
WHAT = ("verb", "group", "version", "resource", "subresource", "scope", "component")
_VERBS = {"GET": "GET", "POST": "POST", "PUT": "PUT", "PATCH": "PATCH", "DELETE": "DELETE", "HEAD": "HEAD"}
_STREAMS = ("exec", "attach", "portforward", "proxy")
PATHS = ("/metrics", "/metrics/slis")
STARTED = time.time()

disable_created_metrics()


class Subject(NamedTuple):
    """What a request was about, in the words of WHAT without the component."""

    verb: str
    group: str = ""
    version: str = ""
    resource: str = ""
    subresource: str = ""
    scope: str = ""

    @property
    def is_long(self) -> bool:
        """Does it take as long as its client likes? Such requests say nothing by their duration."""
        return self.verb in ("WATCH", "CONNECT") or self.subresource == "log"


def subject_of_path(request: Request) -> Subject:
    """A path that is no resource's but one that we serve."""
    first = request.path.split("/", 2)[1]
    return Subject(_VERBS.get(request.method, "other"), subresource=f"/{first}")


def subject_of(request: Request, resource: Resource, target: Target, watching: bool) -> Subject:
    """A request for a resource."""
    verb = _VERBS.get(request.method, "other")
    if target.subresource in _STREAMS:
        verb = "CONNECT"
    elif watching:
        verb = "WATCH"
    elif not target.name:
        verb = {"GET": "LIST", "DELETE": "DELETECOLLECTION"}.get(verb, verb)
    elif verb == "PATCH" and "apply-patch" in request.headers.get("content-type", ""):
        verb = "APPLY"
    scope = "resource" if target.name else "namespace" if target.namespace else "cluster"
    return Subject(verb, resource.group, resource.version, resource.plural, target.subresource, scope)


class Metrics:
    """The counters of one cluster."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry(auto_describe=False)
        own: dict[str, Any] = {"registry": self.registry}
        self._requests = Counter(
            "apiserver_request_total", "Requests by what they asked for and how they were answered.",
            (*WHAT, "dry_run", "code"), **own,
        )  # fmt: skip
        self._durations = Histogram(
            "apiserver_request_duration_seconds", "Time from a request to the end of its answer.",
            (*WHAT, "dry_run"), buckets=BUCKETS, **own,
        )  # fmt: skip
        self._long = Gauge("apiserver_longrunning_requests", "Watches and streams that are open now.", WHAT, **own)
        self._events = Counter(
            "apiserver_watch_events_total", "Frames sent to watches.", ("group", "version", "resource"), **own
        )
        inflight = Gauge("apiserver_current_inflight_requests", "Requests under way now.", ("request_kind",), **own)
        self.reading, self.mutating = inflight.labels("readOnly"), inflight.labels("mutating")
        ProcessCollector(registry=self.registry)
        self.announcing: asyncio.AbstractEventLoop | None = None  # In which scrapers are about to be told.
        self._children: dict[tuple[Subject, str, int], tuple[Counter, Histogram]] = {}
        self._open: dict[Subject, Gauge] = {}
        self._frames: dict[tuple[str, str, str], Counter] = {}

    def answered(self, subject: Subject, dry_run: str, status: int, seconds: float) -> None:
        key = (subject, dry_run, status)
        children = self._children.get(key)
        if children is None:
            labels = (*subject, "apiserver", dry_run)
            children = (self._requests.labels(*labels, str(status)), self._durations.labels(*labels))
            self._children[key] = children
        children[0].inc()
        if not subject.is_long:
            children[1].observe(seconds)

    def opened(self, subject: Subject, by: int) -> None:
        """`by`: 1 when a long request begins, -1 when it ends."""
        gauge = self._open.get(subject)
        if gauge is None:
            gauge = self._open[subject] = self._long.labels(*subject, "apiserver")
        gauge.inc(by)

    def sent(self, resource: Resource, frames: int) -> None:
        key = (resource.group, resource.version, resource.plural)
        counter = self._frames.get(key)
        if counter is None:
            counter = self._frames[key] = self._events.labels(*key)
        counter.inc(frames)


_MUTATING = ("POST", "PUT", "PATCH", "DELETE")
_kept: dict[str, Metrics] = {}


def of(cluster: str) -> Metrics | None:
    """The counters of a cluster; None if there is no such cluster. Errors: DatabaseError."""
    found = _kept.get(cluster)
    if found is None and pool.reader().cluster(cluster) is not None:
        if len(_kept) >= CLUSTERS:
            del _kept[next(iter(_kept))]
        found = _kept[cluster] = Metrics()
    return found


class Counting:
    """One request from its beginning to its end."""

    def __init__(self, request: Request) -> None:
        self._request, self._began = request, time.perf_counter()
        self._own: Metrics | None = None
        self._subject = Subject("")

    def __enter__(self) -> "Counting":
        return self

    def about(self, subject: Subject) -> None:
        """Called once it is known what the request asks for. Errors: DatabaseError."""
        self._subject, self._own = subject, of(self._request.cluster)
        if self._own is not None:
            self._under_way(self._own, 1)

    def _under_way(self, own: Metrics, by: int) -> None:
        if self._subject.is_long:
            own.opened(self._subject, by)
        elif self._request.method in _MUTATING:
            own.mutating.inc(by)
        else:
            own.reading.inc(by)

    def __exit__(self, *_: object) -> None:
        own, request = self._own, self._request
        if own is not None:
            self._under_way(own, -1)
            dry_run = "All" if "dryRun=All" in request.query_string else ""
            own.answered(self._subject, dry_run, request.status, time.perf_counter() - self._began)
            announce(request.cluster, own)


def sent(cluster: str, resource: Resource, frames: int) -> None:
    """A watch of a kind has been sent so many frames."""
    own = _kept.get(cluster)
    if own is not None:
        own.sent(resource, frames)


# --- told to Prometheus -----------------------------------------------------------------------------------------


def samples(own: Metrics) -> list[Sample]:
    """What this process has counted, in the words of monitoring/families.py."""
    return [
        ({"__name__": each.name, **{name: text for name, text in each.labels.items() if text}}, float(each.value))
        for family in own.registry.collect()
        for each in family.samples
        if families.is_known(each.name)
    ]


def announce(cluster: str, own: Metrics) -> None:
    """Let scrapers know of what was counted, soon: they live in other processes. Nothing is lost if the broker is away.

    Needs a running event loop.
    """
    loop = asyncio.get_running_loop()
    if own.announcing is not loop:
        own.announcing = loop
        loop.call_later(ANNOUNCED, _announce, cluster, own)


def _announce(cluster: str, own: Metrics) -> None:
    own.announcing = None
    asyncio.get_running_loop().run_in_executor(None, _tell, cluster, own)


def _tell(cluster: str, own: Metrics) -> None:
    mine = [each for each in samples(own) if not each[0]["__name__"].startswith("process_")]
    inbox.announce_counts(cluster, mine)


# --- the page ---------------------------------------------------------------------------------------------------


async def answer(request: Request, parts: list[str]) -> Reply | None:
    """GET /metrics and /metrics/slis; None for other paths."""
    started = ("Process-Start-Time-Unix", str(int(STARTED)))
    if parts == ["metrics"]:
        text = await pool.in_thread(_page, request.cluster, await kinds.of(request.cluster))
    elif parts == ["metrics", "slis"]:
        text = families.text(_slis())
    else:
        return None
    return Reply(200, MEDIA, text.encode(), (NO_CACHE, started))


def _page(reader: Reader, cluster: str, served: Kinds) -> str:
    own, site = of(cluster), Site.of(reader, cluster)
    if own is None or site is None:
        return ""
    site.served = served
    return families.text(controlplane.found(site, controlplane.API, controlplane.API, samples(own)))


def _slis() -> Iterator[Sample]:
    """Each health check as a figure."""
    for endpoint, checks in health.CHECKS.items():
        for check in checks:
            yield families.sample("kubernetes_healthcheck", 1, name=check, type=endpoint)
