"""The numbers behind the charts: CPU and memory lately, of one pod, one node or all nodes."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

from cluster.kubelet import committed
from cluster.kubelet.committed import Record
from cluster.objects import meta
from dashboard import observed, reads
from dashboard.panels.panel import View

POINTS = 60
SPAN = 600_000_000  # Ten simulated minutes, or less in a younger cluster.
GRID = 1_000_000
MOST_SERIES = 6
Data = dict[str, Any]


def cpu(view: View) -> Data:
    return chart(view, 0, "")


def memory(view: View) -> Data:
    return chart(view, 1, "")


def chart(view: View, which: int, unit: str) -> Data:
    """`which`: 0 for CPU, 1 for memory. `kind` and `key` in the query choose what is measured; nothing: all
    nodes.
    """
    horizon, epoch = view.cluster.sim_now, view.cluster.epoch
    times = moments(horizon)
    series = [
        {"label": label, "values": [committed.used(alive(group, t), t, epoch)[which] for t in times]}
        for label, group in groups(view)[:MOST_SERIES]
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


def groups(view: View) -> list[tuple[str, list[Record]]]:
    """Labelled groups of container records: a pod's containers, one node, or every node."""
    kind, key = view.wish("kind"), view.wish("key")
    if kind == "Pod":
        pod = reads.get(view.cluster, "Pod", *meta.split_key(key))
        found = committed.containers(observed.records(view.cluster, meta.uid(pod))) if pod else []
        return grouped(found, "name") or [(key, [])]
    found = committed.containers(observed.records(view.cluster))
    if kind == "Node":
        return [(key, [record for record in found if record["node"] == key])]
    return grouped(found, "node")


def grouped(records: Iterable[Record], field: str) -> list[tuple[str, list[Record]]]:
    by = defaultdict(list)
    for record in records:
        by[record[field]].append(record)
    return sorted(by.items())


CHARTS: dict[str, Callable[[View], Data]] = {"cpu": cpu, "memory": memory}
