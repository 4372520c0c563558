"""Searching the logs of a whole cluster, for the panel and for `manage.py logs`: one question, two places to ask it.

    the store    lines that agents shipped, also of pods that are gone     while a loki answers
    the nodes    what `kubectl logs` could read now                        otherwise

Plain words become LogQL, so that there is one way to search and everybody sees how it is written.

Read next: cluster/logstore/store.py, cluster/logstore/logql.py.
"""

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple
from zlib import crc32

import orjson

from cluster import backends
from cluster.engine.clock import monotonic
from cluster.gateway import pool
from cluster.gateway.site import Site
from cluster.kubelet import committed
from cluster.logstore import agent, departures, journal, logql, store
from cluster.logstore.logql import Query
from cluster.logstore.store import Entry, Key
from cluster.logstore.voices import etcd
from cluster.models import Cluster, Container, Machine, Member, Process
from cluster.objects import errors
from cluster.processes import HOST
from dashboard import reads

MINUTE = 60_000_000
SERVICE = ("kube-system", "loki", 3100)
LABELS = ("namespace", "pod", "container", "node", "component")  # What one filters by, in this order.
WORD = re.compile(r'"([^"]*)"|(\S+)')
MOST_CONTAINERS = 300  # Asked on the nodes; of more, the youngest.
MOST_LINES = 50_000  # Looked through there.
FIRST_WINDOW, GROWTH = MINUTE, 8
PATIENCE = 1.0  # Wall seconds that one looks there for lines that are rare.


class Standing(NamedTuple):
    """How logging stands. `problem`: why the store is silent, empty: it answers; `silent`: nodes without an agent."""

    has_store: bool
    has_agents: bool
    problem: str
    silent: tuple[str, ...]


class Answer(NamedTuple):
    """`entries`: oldest first. `more`: there are more in that direction; `unread`: containers left out."""

    entries: list[Entry]
    more: bool
    unread: int = 0


class Asked(NamedTuple):
    """Which lines: times are microseconds since t = 0; `beyond`: only those behind this one."""

    query: Query
    start: int
    end: int
    limit: int
    forward: bool = False
    beyond: Key | None = None


# --- how it stands ----------------------------------------------------------------------------------------------


def standing(cluster: Cluster) -> Standing:
    """From committed rows: which add-ons there are, and who answers."""
    site, (namespace, service, port) = Site.of(pool.reader(), cluster.name), SERVICE
    if site is None:
        return Standing(False, False, "", ())
    problem = ""
    try:
        backends.demand(site, namespace, service, agent.LOKI, port)
    except backends.Unavailable as error:
        problem = error.message
    here = {record["node"] for record in running(cluster, departures.PROGRAM)}
    has_store = not problem or site.get("Service", namespace, service) is not None
    has_agents = bool(here) or site.get("DaemonSet", namespace, departures.PROGRAM) is not None
    return Standing(has_store, has_agents, problem, tuple(n for n in reads.keys(cluster, "Node") if n not in here))


def running(cluster: Cluster, program: str) -> list[dict[str, Any]]:
    """Containers that run a program, on machines with power. Other records are not even parsed."""
    mine, wanted = {"pk__gte": f"{cluster.pk}:", "pk__lt": f"{cluster.pk};"}, b'"program":' + orjson.dumps(program)
    bodies = (bytes(body) for body in Container.objects.filter(**mine).values_list("body", flat=True))
    found = [record for body in bodies if wanted in body and _runs(record := orjson.loads(body))]
    on = _powered(cluster)
    return [record for record in found if record["node"] in on]


def _powered(cluster: Cluster) -> frozenset[str]:
    """Machines that have power."""
    machines = Machine.objects.filter(pk__gte=f"{cluster.pk}:", pk__lt=f"{cluster.pk};").values_list("pk", "body")
    return frozenset(key.partition(":")[2] for key, body in machines if orjson.loads(bytes(body))["power"])


def _runs(record: dict[str, Any]) -> bool:
    return record["started"] is not None and record["ended"] is None


# --- questions --------------------------------------------------------------------------------------------------


def logql_of(words: str, labels: Mapping[str, str]) -> str:
    """LogQL for what somebody typed: a query of its own if it begins with a brace, else words that a line must have.

    >>> logql_of('time "of day"', {"namespace": "default", "pod": "web-*"})
    '{namespace="default", pod=~"web-.*"} |~ "(?i)time" |~ "(?i)of day"'
    """
    matchers = ", ".join(f"{name}{_matched(value)}" for name, value in labels.items() if value)
    if words.strip().startswith("{"):
        head, brace, rest = words.strip().partition("{")
        return f"{head}{brace}{matchers + ', ' if matchers else ''}{rest}"
    wanted = [quoted or plain for quoted, plain in WORD.findall(words)]
    filters = "".join(f" |~ {_string('(?i)' + logql.escaped(word))}" for word in wanted if word)
    return f"{{{matchers or _string_matcher()}}}{filters}"


def _matched(value: str) -> str:
    """A star stands for anything."""
    if "*" not in value:
        return f"={_string(value)}"
    return f"=~{_string('.*'.join(map(logql.escaped, value.split('*'))))}"


def _string_matcher() -> str:
    return 'job=~".+"'


def _string(text: str) -> str:
    return orjson.dumps(text).decode()


def exactly(labels: Mapping[str, str]) -> str:
    """The query that selects one stream."""
    return f"{{{', '.join(f'{name}={_string(value)}' for name, value in labels.items())}}}"


def parted(text: str, query: Query) -> list[tuple[str, bool]]:
    """A line in pieces, each with whether the query looked for it: what is to be highlighted."""
    hits: list[tuple[int, int]] = []
    for sign, wanted in query.marks:
        pattern = logql.compiled(logql.escaped(wanted) if sign == "|=" else wanted)
        hits += [found.span() for found in pattern.finditer(text) if found.end() > found.start()]
    pieces, at = list[tuple[str, bool]](), 0
    for start, end in sorted(hits):
        if end <= at:
            continue
        start = max(start, at)
        pieces += [(text[at:start], False)] if start > at else []
        pieces.append((text[start:end], True))
        at = end
    return [*pieces, (text[at:], False)] if at < len(text) or not pieces else pieces


# --- answers ----------------------------------------------------------------------------------------------------


def from_store(cluster: Cluster, asked: Asked) -> Answer:
    """Errors: TooMuch."""
    found = store.search(store.rows, cluster.pk, *asked._replace(limit=asked.limit + 1))
    return _answer(found, asked)


def streams(cluster: Cluster, stored: bool, start: int, end: int) -> list[dict[str, str]]:
    """Labels of everything that has lines around [start, end)."""
    if stored:
        return [orjson.loads(labels) for labels in store.streams(store.rows, cluster.pk, start, end).values()]
    found = {labels for record in _records(cluster) for labels in _labels(record)}
    return [orjson.loads(labels) for labels in sorted(found | _components(cluster))]


def _components(cluster: Cluster) -> set[str]:
    """Streams of the components that there are: kubelets of machines with power, and the control plane."""
    mine = {"pk__gte": f"{cluster.pk}:", "pk__lt": f"{cluster.pk};"}
    rows = [orjson.loads(bytes(body)) for body in Process.objects.filter(**mine).values_list("body", flat=True)]
    there = {(row["process"], row["id"].partition("_")[0]) for row in rows if "process" in row}
    members = Member.objects.filter(**mine).values_list("pk", flat=True)
    there |= {("etcd", etcd.machine_of(key)) for key in members if key.partition(":")[2].startswith("etcd-")}
    there |= {("kube-apiserver", HOST), *(("kubelet", node) for node in _powered(cluster))}
    return {journal.labels_of(*each) for each in there}


def from_nodes(cluster: Cluster, asked: Asked) -> Answer:
    """The same from the records of the containers that there are, looking at ever longer windows of time."""
    chosen = [each for each in _records(cluster) if any(_selected(asked.query, labels) for labels in _labels(each))]
    chosen.sort(key=lambda record: -record["started"])
    unread, chosen = max(len(chosen) - MOST_CONTAINERS, 0), chosen[:MOST_CONTAINERS]
    horizon = cluster.sim_now + 1
    start, end = max(asked.start, 0), min(asked.end, horizon)
    if asked.beyond is not None:
        start, end = (max(start, asked.beyond[0]), end) if asked.forward else (start, min(end, asked.beyond[0] + 1))
    components = {labels for labels in _components(cluster) if _selected(asked.query, labels)}
    found, looked, window, deadline = list[Entry](), 0, FIRST_WINDOW, monotonic() + PATIENCE
    while start < end and len(found) <= asked.limit and looked < MOST_LINES and monotonic() < deadline:
        low, high = (start, min(start + window, end)) if asked.forward else (max(end - window, start), end)
        for record in chosen:
            lines, count = _printed(cluster, record, asked, low, high)
            found, looked = found + lines, looked + count
        found += _written(cluster, components, asked, low, high) if components else []
        start, end = (high, end) if asked.forward else (start, low)
        window *= GROWTH
    found.sort(key=lambda entry: entry.key, reverse=not asked.forward)
    return _answer(found[: asked.limit + 1], asked)._replace(unread=unread)


def _records(cluster: Cluster) -> list[dict[str, Any]]:
    mine = {"pk__gte": f"{cluster.pk}:", "pk__lt": f"{cluster.pk};"}
    bodies = (orjson.loads(bytes(body)) for body in Container.objects.filter(**mine).values_list("body", flat=True))
    on = _powered(cluster)
    return [each for each in committed.containers(bodies) if each["started"] is not None and each["node"] in on]


def _labels(record: dict[str, Any]) -> tuple[str, str]:
    return agent.labels_of(record, "stdout"), agent.labels_of(record, "stderr")


def _selected(query: Query, labels: str) -> bool:
    return query.selects(orjson.loads(labels))


def _printed(cluster: Cluster, record: dict[str, Any], asked: Asked, low: int, high: int) -> tuple[list[Entry], int]:
    """Lines of one container that answer, and how many were looked at. A line's place counts those of its moment."""
    both = zip(("stdout", "stderr"), _labels(record), strict=True)
    wanted = {stream: labels for stream, labels in both if _selected(asked.query, labels)}
    source, before, number, found, looked = crc32(record["id"].encode()), -1, 0, list[Entry](), 0
    for line in committed.printed(record, low, high, cluster.epoch):
        number = number + 1 if line.at == before else 0
        before, looked = line.at, looked + 1
        labels, key = wanted.get(line.stream, ""), (line.at, (source, number))
        entry = (
            store.taken(asked.query, line.at, labels, key[1], line.text) if labels and _is_beyond(key, asked) else None
        )
        found += [entry] if entry is not None else []
    return found, looked


def _written(cluster: Cluster, components: set[str], asked: Asked, low: int, high: int) -> list[Entry]:
    """Lines of these components that answer."""
    entries, _ = journal.Journal(store.rows, cluster.pk, cluster.epoch).read(low, high, math.inf)
    found, counts = list[Entry](), dict[tuple[int, str], int]()
    for each in entries:
        labels = journal.labels_of(each.component, each.node)
        for text in each.text.split("\n") if labels in components else ():
            number = counts[each.at, labels] = counts.get((each.at, labels), -1) + 1
            key = (each.at, (crc32(labels.encode()), number))
            entry = store.taken(asked.query, each.at, labels, key[1], text) if _is_beyond(key, asked) else None
            found += [entry] if entry is not None else []
    return found


def newest(cluster: Cluster, components: Iterable[str], count: int) -> dict[str, list[journal.Written]]:
    """The last entries of each component's log, oldest first, of the last hour at most."""
    found: dict[str, list[journal.Written]] = {component: [] for component in components}
    start = end = cluster.sim_now + 1
    deadline, window, oldest = monotonic() + PATIENCE / 5, FIRST_WINDOW, max(end - 60 * MINUTE, 0)
    reader = journal.Journal(store.rows, cluster.pk, cluster.epoch)
    while start > oldest and monotonic() < deadline and any(len(each) < count for each in found.values()):
        start, end = max(start - window, oldest), start
        entries, _ = reader.read(start, end, math.inf)
        for component, known in found.items():
            found[component] = [*(each for each in entries if each.component == component), *known][-count:]
        window *= GROWTH
    return found


def _is_beyond(key: Key, asked: Asked) -> bool:
    if asked.beyond is None:
        return True
    return key > asked.beyond if asked.forward else key < asked.beyond


def _answer(found: list[Entry], asked: Asked) -> Answer:
    """`found`: one more than was asked for says that there are more."""
    kept = found[: asked.limit]
    return Answer(kept if asked.forward else kept[::-1], len(found) > asked.limit)


def around(cluster: Cluster, stored: bool, stream: Mapping[str, str], key: Key, count: int) -> list[Entry]:
    """A line with `count` lines of its stream before and after it. Errors: BadQuery, TooMuch."""
    query, ask = logql.parse(exactly(stream)), from_store if stored else from_nodes
    before = ask(cluster, Asked(query, 0, key[0] + 1, count, False, key)).entries
    itself = (key[0], (key[1][0], key[1][1] - 1))
    after = ask(cluster, Asked(query, key[0], cluster.sim_now + 1, count + 1, True, itself)).entries
    return [*before, *after]


def living(cluster: Cluster, entries: Iterable[Entry]) -> frozenset[str]:
    """`namespace/name` of the pods, and names of the nodes, that these lines are of and that still exist."""
    labels = [orjson.loads(stream) for stream in {entry.origin or entry.stream for entry in entries}]
    pods = {(each["namespace"], each["pod"]) for each in labels if "pod" in each and "namespace" in each}
    nodes = {each["node"] for each in labels if "node" in each}
    found = {f"{namespace}/{name}" for namespace, name in pods if reads.exists(cluster, "Pod", namespace, name)}
    return frozenset(found | {node for node in nodes if reads.exists(cluster, "Node", "", node)})


Bad = (logql.BadQuery, store.TooMuch, errors.ApiError)
