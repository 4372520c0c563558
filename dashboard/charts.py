"""The numbers behind the charts: CPU and memory lately, of one pod, one node or all nodes."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from django.utils.translation import gettext_lazy as _

from cluster.flows import figures
from cluster.kubelet import committed, serving
from cluster.kubelet.committed import Record
from cluster.models import Cluster
from cluster.objects import meta
from cluster.objects.pods import uid_at_node
from dashboard import loads, observed, reads
from dashboard.panels.panel import View

POINTS = 60
SPAN = 600_000_000  # Ten simulated minutes, or less in a younger cluster.
GRID = 1_000_000
MOST_SERIES = 6
Data = dict[str, Any]
Used = Callable[[int], tuple[int, int]]  # (millicores, MiB) at a moment.


def cpu(view: View) -> Data:
    return chart(view, 0, "")


def memory(view: View) -> Data:
    return chart(view, 1, "")


def chart(view: View, which: int, unit: str) -> Data:
    """`which`: 0 for CPU, 1 for memory. `kind` and `key` in the query choose what is measured; nothing: all
    nodes.
    """
    times = moments(view.cluster.sim_now)
    series = [
        {"label": label, "values": [used(t)[which] for t in times]} for label, used in measured(view)[:MOST_SERIES]
    ]
    return {"unit": unit, "times": [t / 1e6 for t in times], "series": series}


def moments(horizon: int) -> list[int]:
    """Evenly spaced, on whole multiples, so that the curve does not tremble as time goes on."""
    step = max(min(SPAN, horizon) // POINTS // GRID * GRID, GRID)
    last = horizon // step * step
    return list(range(max(last - step * POINTS, 0), last + 1, step))


def alive(group: Iterable[Record], moment: int) -> list[Record]:
    return [
        r
        for r in group
        if r["started"] is not None and r["started"] <= moment and (r["ended"] is None or r["ended"] > moment)
    ]


def measured(view: View) -> list[tuple[str, Used]]:
    """What is measured, each with its name: a pod's containers, one machine, or every machine."""
    kind, key, cluster = view.wish("kind"), view.wish("key"), view.cluster
    if kind == "Pod":
        pod = reads.get(cluster, "Pod", *meta.split_key(key))
        found = committed.containers(observed.records(cluster, uid_at_node(pod))) if pod else []
        return [(name, partial(of_containers, cluster, group)) for name, group in grouped(found, "name") or [(key, [])]]
    by_node = dict(grouped(committed.containers(observed.records(cluster)), "node"))
    names = [key] if kind == "Node" else sorted(meta.name(node) for node in reads.listing(cluster, "Node"))
    return [(n, partial(of_machine, cluster, n, by_node.get(n, []), observed.is_on(cluster, n))) for n in names]


def of_containers(cluster: Cluster, group: list[Record], moment: int) -> tuple[int, int]:
    return committed.used(alive(group, moment), moment, cluster.epoch)


def of_machine(
    cluster: Cluster, name: str, group: list[Record], is_on: Callable[[int], bool], moment: int
) -> tuple[int, int]:
    return committed.used_by_machine(name, alive(group, moment), moment, cluster.epoch) if is_on(moment) else (0, 0)


def grouped(records: Iterable[Record], field: str) -> list[tuple[str, list[Record]]]:
    by = defaultdict(list)
    for record in records:
        by[record[field]].append(record)
    return sorted(by.items())


# --- traffic ----------------------------------------------------------------------------------------------------


def requests(view: View) -> Data:
    """What a load generator's requests come to, or how many a pod takes; `key` or `pod` in the query."""
    times = moments(view.cluster.sim_now)
    if pod := view.wish("pod"):
        found = reads.get(view.cluster, "Pod", *meta.split_key(pod))
        records = committed.containers(observed.records(view.cluster, uid_at_node(found))) if found else []
        values = [sum(serving.asked(record, t) for record in alive(records, t)) for t in times]
        return {"unit": "", "times": [t / 1e6 for t in times], "series": [{"label": "", "values": values}]}
    sent = _sent(view, times)
    names = (("answered", _("answered")), ("errors", _("failed")))
    series = [{"label": str(label), "values": [each[name] for each in sent]} for name, label in names]
    return {"unit": "", "times": [t / 1e6 for t in times], "series": series}


def latency(view: View) -> Data:
    """Milliseconds; null while nothing is answered."""
    times = moments(view.cluster.sim_now)
    sent = _sent(view, times)
    series = [{"label": part, "values": [each["milliseconds"].get(part) for each in sent]} for part in ("p50", "p99")]
    return {"unit": "", "times": [t / 1e6 for t in times], "series": series}


def _sent(view: View, times: list[int]) -> list[Data]:
    """The figures of the load generator `key` at these moments."""
    wish = loads.get(view.cluster, view.wish("key"))
    records = loads.senders(view.cluster, wish) if wish is not None else []
    return [figures.of(records, t) for t in times]


CHARTS: dict[str, Callable[[View], Data]] = {
    "cpu": cpu,
    "memory": memory,
    "requests": requests,
    "latency": latency,
}
