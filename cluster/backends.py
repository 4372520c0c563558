"""Servers behind the API server: who answers for an aggregated API, and what it answers.

    metrics.k8s.io     a ready pod behind the Service that the APIService names, in whose image metrics-server is

The world asks in memory (an autoscaler wants to know), the gateway asks committed rows (kubectl top): both through a
`Site`, so both get the same answer, and nobody enters the world to read.

Read next: apiserver/aggregation.py, addons/monitoring/metrics_server.py.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from cluster.addons.monitoring import metrics_server
from cluster.addons.monitoring.metrics_server import Window
from cluster.apiserver import aggregation
from cluster.apiserver.aggregation import Backend, ServiceUnavailable, Unavailable
from cluster.apiserver.registry import aggregated
from cluster.kubelet import committed
from cluster.objects import Manifest, conditions, errors, meta
from cluster.objects.pods import uid_at_node

Record = dict[str, Any]
PROGRAMS = {(metrics_server.GROUP, metrics_server.VERSION): metrics_server.PROGRAM}


class Site(aggregation.Objects, Protocol):
    """A cluster as it is now, in memory or in committed rows. Times: microseconds."""

    @property
    def epoch(self) -> int: ...

    @property
    def now(self) -> int: ...

    def machine(self, node: str) -> dict[str, Any] | None: ...

    def records(self, uid: str) -> list[Record]:
        """The containers of a pod."""

    def all_records(self) -> Iterable[Record]:
        """Those of all pods."""


def reach(site: Site, entry: Manifest, backend: Backend) -> Record:
    """The container that answers for an APIService in a pod. Errors: Unavailable, with `{url}` for what was asked."""
    spec = entry["spec"]
    wanted = PROGRAMS.get((spec.get("group", ""), spec["version"]))
    found = next((each for each in _running(site, backend) if each["program"] == wanted), None)
    if found is None:
        raise Unavailable("", "bad status from {url}: 404")
    return found


def _running(site: Site, backend: Backend) -> list[Record]:
    """The running containers of a pod that can be reached. Errors: Unavailable."""
    pod = site.get("Pod", backend.namespace, backend.pod)
    machine = site.machine(pod["spec"].get("nodeName", "")) if pod is not None else None
    if pod is None or machine is None or not machine["power"]:
        raise Unavailable("", f'Get "{{url}}": dial tcp {backend.address}: connect: no route to host')
    running = [each for each in site.records(uid_at_node(pod)) if each["started"] is not None and each["ended"] is None]
    if not any(each["started"] <= site.now for each in running):
        raise Unavailable("", f'Get "{{url}}": dial tcp {backend.address}: connect: connection refused')
    return running


def demand(site: Site, namespace: str, service: str, program: str, port: int = 0) -> Manifest:
    """The pod that answers behind a port of a Service (0: its first one), in whose image `program` is.

    Errors: Unavailable, in the words of the service proxy.
    """
    found = site.get("Service", namespace, service) or {"spec": {}}
    port = port or next((each["port"] for each in found["spec"].get("ports") or ()), 443)
    entry = {"spec": {"service": {"namespace": namespace, "name": service, "port": port}}}
    try:
        there = aggregation.backends(entry, site)
    except Unavailable as error:
        missing = f'services "{service}" not found'
        none = f'no endpoints available for service "{service}"'
        raise Unavailable("", missing if error.reason == "ServiceNotFound" else none) from None
    problem = f'no endpoints available for service "{service}"'
    for backend in there:
        try:
            running = _running(site, backend)
        except Unavailable as error:
            told = error.message.rpartition('": ')[2]
            problem = f"error trying to reach service: {told}"
            continue
        pod = site.get("Pod", backend.namespace, backend.pod)
        if pod is not None and any(each["program"] == program for each in running):
            return pod
        problem = f"pod {backend.pod} does not run {program}"
    raise Unavailable("", problem)


def serving(site: Site, namespace: str, name: str, program: str) -> Manifest:
    """The pod of that name, if `program` runs in it and can be reached. Errors: Unavailable."""
    pod = site.get("Pod", namespace, name)
    address = (pod or {}).get("status", {}).get("podIP", "")
    running = _running(site, Backend(namespace, name, address))
    if pod is None or not any(each["program"] == program for each in running):
        raise Unavailable("", f"pod {name} does not run {program}")
    return pod


def dial(site: Site, entry: Manifest, backend: Backend) -> str:
    """Why a pod does not answer; empty: it does. For aggregation.Dial."""
    try:
        reach(site, entry, backend)
    except Unavailable as found:
        return found.message
    return ""


def answering(site: Site, group: str, version: str, plural: str) -> Record:
    """The container that is asked. Errors: NotFound (no APIService), ServiceUnavailable."""
    entry = site.get("APIService", "", f"{version}.{group}")
    if entry is None or not aggregated.is_remote(entry):
        message = f"the server could not find the requested resource (get {plural}.{group})"
        raise errors.NotFound(group, plural, "", message)
    if not conditions.is_true(entry, "Available"):
        raise ServiceUnavailable("service unavailable", plural, group)
    problem = "no endpoints available"
    try:
        for backend in aggregation.backends(entry, site):
            try:
                return reach(site, entry, backend)
            except Unavailable as found:
                problem = found.message.rpartition('": ')[2]
    except Unavailable as found:
        problem = found.message
    raise ServiceUnavailable(f"error trying to reach service: {problem}", plural, group)


# --- metrics.k8s.io ---------------------------------------------------------------------------------------------


def metrics(site: Site, plural: str, namespace: str = "", name: str = "") -> list[Manifest]:
    """PodMetrics or NodeMetrics, of one object if it has a `name`. Errors: NotFound, ServiceUnavailable."""
    server = answering(site, metrics_server.GROUP, metrics_server.VERSION, plural)
    window = metrics_server.last_window(server, site.now)
    found = [] if window is None else _LISTS[plural](site, window, namespace, name)
    if name and not found:
        kind, shown = f"{plural.rstrip('s')}metrics", f"{namespace}/{name}" if namespace else name
        raise errors.NotFound(metrics_server.GROUP, kind, shown)
    return found


def _pods(site: Site, window: Window, namespace: str, name: str) -> list[Manifest]:
    if name:
        pod = site.get("Pod", namespace, name)
        pods, records = [pod] if pod else [], site.records(uid_at_node(pod)) if pod else []
    else:
        pods, records = site.list("Pod", namespace or None), list(site.all_records())
    answers, by_pod = _Answers(site, window), _grouped(records, "uid")
    found = []
    for pod in pods:
        mine = by_pod.get(uid_at_node(pod), ())
        if mine and answers.of(pod["spec"].get("nodeName", "")):
            shown = metrics_server.pod_metrics(pod, mine, window, site.epoch, site.now, answers.measure)
            if shown is not None:
                found.append(shown)
    return found


def _nodes(site: Site, window: Window, namespace: str, name: str) -> list[Manifest]:
    node = site.get("Node", "", name) if name else None
    nodes = ([node] if node else []) if name else site.list("Node")
    answers, by_node = _Answers(site, window), _grouped(site.all_records(), "node")
    found = []
    for each in nodes:
        node_name = meta.name(each)
        if answers.of(node_name):
            used = committed.measured_machine(node_name, by_node.get(node_name, ()), *window, site.epoch)
            found.append(metrics_server.node_metrics(each, used, window, site.epoch, site.now))
    return found


_LISTS: dict[str, Callable[[Site, Window, str, str], list[Manifest]]] = {"pods": _pods, "nodes": _nodes}


class _Answers:
    """Whose kubelets answered, both times."""

    def __init__(self, site: Site, window: Window) -> None:
        self._site, self._window, self._known = site, window, dict[str, bool]()

    def of(self, node: str) -> bool:
        if node not in self._known:
            machine = self._site.machine(node) or {}
            since = machine.get("off_since")
            self._known[node] = bool(machine) and (machine["power"] or (since or 0) > self._window.end)
        return self._known[node]

    def measure(self, record: metrics_server.Record, start: int, end: int) -> metrics_server.Usage:
        return committed.measured(dict(record), start, end, self._site.epoch)


def _grouped(records: Iterable[Record], field: str) -> dict[str, list[Record]]:
    found: dict[str, list[Record]] = defaultdict(list)
    for record in committed.containers(records):
        found[record[field]].append(record)
    return found
