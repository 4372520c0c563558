"""The numbers of a dashboard, or of a query that somebody typed: one batch, evaluated over committed samples.

    look         which part of the cluster's time, in how many steps
    batch        all graphs, stats and alerts of one dashboard as plain numbers

It is the evaluation that answers query_range, with two things added for the eye: a graph breaks where nothing was
scraped, while Prometheus' own answer keeps the last value for five minutes; and only MOST_SERIES are drawn.

Left out: several queries of an explorer at once, histograms as heat maps.
Read next: boards/__init__.py, cluster/monitoring/promql.py; static/orrery/js/graphs.js draws.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cluster.models import Cluster
from cluster.monitoring import promql
from cluster.monitoring.functions import Samples
from cluster.monitoring.promql import NAME, BadData, Execution, Frame, Labels, Matcher, Scalar
from cluster.monitoring.store import Store
from dashboard.boards import variables
from dashboard.boards.board import Board, Graph, Line, Stat

SPANS = {"15m": 900, "1h": 3_600, "6h": 21_600, "24h": 86_400}  # Seconds of simulated time.
USUAL_SPAN = "15m"
POINTS = 240  # Of a series, at most.
FINEST = 15  # Seconds between two of them.
MOST_SERIES = 8  # Of a graph; those with the largest values.
FEW_FLAT = 3
LATE = 3  # Intervals without a scrape that make a gap.
DIGITS = 6
Data = dict[str, Any]
Times = NDArray[np.int64]
_WORD = re.compile(r"[a-zA-Z_:][\w:]*")
_LABEL = re.compile(r"\{\{\s*(\w+)\s*\}\}")


@dataclass(frozen=True)
class Look:
    """`start`, `end`, `step`: milliseconds since 1970. `scrapes`: when there were some. `left_out`: how many were left
    out between each two of them. `pace`: milliseconds between two, as nearly all keep it.
    """

    store: Store
    epoch: int
    start: int
    end: int
    step: int
    now: int
    scrapes: Times
    left_out: Times
    pace: int

    def seconds(self, at: Any) -> Any:
        """Of the cluster's clock."""
        return (at - self.epoch) / 1000


def look(cluster: Cluster, span: str) -> Look:
    """The last `span` of a cluster's time, or its whole life if that is shorter."""
    length = SPANS.get(span, SPANS[USUAL_SPAN])
    epoch, now = cluster.epoch // 1000, (cluster.epoch + cluster.sim_now) // 1000
    step = max(-(-length // POINTS), FINEST) * 1000
    end = epoch + (now - epoch) // step * step
    start = max(end - length * 1000, epoch)
    store = Store(cluster.pk)
    times = store.select([Matcher(NAME, "=", "up")], start - promql.LOOKBACK, now).times
    return Look(store, epoch, start, end, step, now, times, _left_out(store, times), _pace(times))


def _left_out(store: Store, scrapes: Times) -> Times:
    if scrapes.size < 2:
        return np.zeros(0, np.int64)
    known = [Matcher(NAME, "=", "orrery_scrapes_missed_total")]
    found: Samples = store.select(known, int(scrapes[0]), int(scrapes[-1]))
    if not found.labels:
        return np.zeros(scrapes.size - 1, np.int64)
    counts = found.values[0][np.maximum(np.searchsorted(found.times, scrapes, "right") - 1, 0)]
    return np.maximum(np.diff(counts), 0).astype(np.int64)


def _pace(scrapes: Times) -> int:
    between = np.diff(scrapes)
    return max(int(np.percentile(between, 95)) if between.size else 0, FINEST * 1000)


def rate_interval(at: Look) -> str:
    """$__rate_interval: four scrapes, so that a rate survives the loss of one."""
    return f"{max(4 * at.pace, at.step + at.pace) // 1000}s"


def gaps(at: Look) -> list[tuple[int, int]]:
    """Where Prometheus did not scrape, though it did before: (last scrape, next scrape or now), milliseconds.

    Scrapes that were left out because the clock ran fast are no gap, nor are samples as far apart as those around them.
    The time until now is one only if it is longer than a sample stands: whoever is ready may not have looked yet.
    """
    each = np.diff(at.scrapes) // (at.left_out + 1)
    around = np.concatenate([[0], each, [0]])
    usual = np.maximum(np.maximum(around[:-2], around[2:]), FINEST * 1000)
    found = [(int(at.scrapes[i]), int(at.scrapes[i + 1])) for i in np.flatnonzero(each > LATE * usual)]
    if at.scrapes.size and at.now - at.scrapes[-1] > max(LATE * at.pace, promql.LOOKBACK):
        found.append((int(at.scrapes[-1]), at.now))
    return found


def batch(at: Look, board: Board, of: Mapping[str, str]) -> Data:
    """Everything that a dashboard shows. `of`: values of its variables."""
    of = {**of, "__rate_interval": rate_interval(at)}
    return {
        **frame(at),
        "stats": [stat(at, each, of) for each in board.stats],
        "graphs": [graph(at, each, of) for each in board.graphs],
    }


def explored(at: Look, query: str) -> Data:
    """The same for one query that somebody typed."""
    typed = Graph("", "", "", (Line(query),))
    return {**frame(at), "stats": [], "graphs": [graph(at, typed, {"__rate_interval": rate_interval(at)})]}


def frame(at: Look) -> Data:
    """What all graphs of a batch share; times in seconds of the cluster's clock."""
    steps = np.arange(at.start, at.end + 1, at.step, dtype=np.int64)
    return {
        "times": at.seconds(steps).tolist(),
        "gaps": [[at.seconds(low), at.seconds(high)] for low, high in gaps(at) if high > at.start],
        "alerts": alerts(at),
        "missed": int(at.left_out[at.scrapes[1:] > at.start].sum()),
    }


def stat(at: Look, wanted: Stat, of: Mapping[str, str]) -> Data:
    """One number of now; None: there is none."""
    try:
        value, _ = promql.evaluate(promql.parse(variables.filled(wanted.query, of)), at.store, at.now, at.now, 1)
    except (BadData, Execution):
        return {"value": None}
    found = promql.as_frame(value) if isinstance(value, Scalar) else value
    if not isinstance(found, Frame) or not found.present[:, -1].any():
        return {"value": None}
    return {"value": _number(found.values[found.present[:, -1]][0, -1])}


def graph(at: Look, wanted: Graph, of: Mapping[str, str]) -> Data:
    """{queries, series: [{name, values}], more, silent, error}. What can't be evaluated says why in Prometheus' words.

    `silent`: if there is no curve, then because nothing happened, not because nobody tells such a metric.
    """
    queries = [variables.filled(line.query, of) for line in wanted.lines]
    curves: list[Curve] = []
    error = ""
    for line, query in zip(wanted.lines, queries, strict=True):
        try:
            curves += _curves(at, query, str(line.legend))
        except (BadData, Execution) as refusal:
            error = str(refusal)
    kept = _kept(curves)
    order = sorted(kept) if len(wanted.lines) > 1 else sorted(kept, key=lambda i: curves[i].name)
    return {
        "queries": queries,
        "series": [{"name": curves[i].name, "values": curves[i].numbers()} for i in order],
        "more": len(curves) - len(kept),
        "silent": any(_is_known(at, query) for query in queries),
        "error": error,
    }


def _kept(curves: list["Curve"]) -> list[int]:
    """Which to draw: those with the largest values; of many that are flat at 0 only a few."""
    largest = sorted(range(len(curves)), key=lambda i: -curves[i].most)[:MOST_SERIES]
    if len(curves) <= MOST_SERIES:
        return largest
    return [i for i in largest if curves[i].most] or largest[:FEW_FLAT]


@dataclass(frozen=True)
class Curve:
    """`values` and where they are `there`, one a step; `most`: the largest."""

    name: str
    values: promql.Floats
    there: NDArray[np.bool_]
    most: float

    def numbers(self) -> list[float | None]:
        return [_number(value) if there else None for value, there in zip(self.values, self.there, strict=True)]


def _is_known(at: Look, query: str) -> bool:
    """Does the store know a metric that the query names?"""
    names = at.store.index.values.get(NAME, {})
    return any(word in names for word in _WORD.findall(query))


def _curves(at: Look, query: str, legend: str) -> list[Curve]:
    """Errors: BadData, Execution."""
    value, steps = promql.evaluate(promql.parse(query), at.store, at.start, at.end, at.step)
    found = promql.vector(value)
    there = found.present & np.isfinite(found.values) & ~_dark(at, steps)
    rows = np.flatnonzero(there.any(axis=1))
    differ = [] if legend else _telling([found.labels[row] for row in rows])
    return [
        Curve(
            _named(found.labels[row], legend, differ), found.values[row], there[row],
            float(found.values[row][there[row]].max()),
        )
        for row in rows
    ]  # fmt: skip


def _dark(at: Look, steps: Times) -> NDArray[np.bool_]:
    """The steps in which nothing was scraped: those of a gap, but for the one that its last scrape stands for."""
    dark = np.zeros(steps.size, bool)
    for low, high in gaps(at):
        dark |= (steps > low + at.pace) & (steps < high)
    return dark


def _telling(labels: list[Labels]) -> list[str]:
    """Names of the labels by which series differ, the metric's own first; all of them if there is one series."""
    names = sorted({name for each in labels for name in each}, key=lambda name: (name != NAME, name))
    return names if len(labels) < 2 else [name for name in names if len({each.get(name) for each in labels}) > 1]


def _named(labels: Labels, legend: str, differ: list[str]) -> str:
    if legend:
        return _LABEL.sub(lambda found: labels.get(found[1], ""), legend)
    pairs = ", ".join(f'{name}="{labels[name]}"' for name in differ if name != NAME and name in labels)
    metric = labels.get(NAME, "")
    return f"{metric}{{{pairs}}}" if pairs or not metric else metric


def _number(value: float) -> float | None:
    """Short enough to be sent, exact enough to be read."""
    if not np.isfinite(value):
        return None
    short = float(f"{value:.{DIGITS}g}")
    return int(short) if short == int(short) else short


def alerts(at: Look) -> list[Data]:
    """Alerts that fired: {name, labels, from, to}, seconds; oldest first. `from` is None if that was before."""
    query = promql.parse('ALERTS{alertstate="firing"}')
    value, steps = promql.evaluate(query, at.store, at.start, at.end, at.step)
    assert isinstance(value, Frame)
    found = []
    for row, labels in enumerate(value.labels):
        hidden = ("alertname", "alertstate", NAME)
        name, rest = labels["alertname"], {k: v for k, v in labels.items() if k not in hidden}
        found += [
            {
                "name": name,
                "labels": rest,
                "from": at.seconds(int(steps[low])) if low or at.start == at.epoch else None,
                "to": at.seconds(int(steps[high])),
            }
            for low, high in runs(value.present[row] & ~_dark(at, steps))
        ]
    return sorted(found, key=lambda each: (each["from"] or 0, each["name"]))


def runs(flags: NDArray[np.bool_]) -> Iterable[tuple[int, int]]:
    """First and last index of each stretch that is true.

    >>> list(runs(np.array([True, False, True, True])))
    [(0, 0), (2, 3)]
    """
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(np.int8), [0]])))
    return [(int(low), int(high) - 1) for low, high in zip(edges[::2], edges[1::2], strict=True)]
