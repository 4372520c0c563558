"""LogQL's metric queries: how many lines, how fast, and what numbers are in them, at one moment or at many.

    sum by (pod) (rate({namespace="default"} |= "error" [1m])) > 0.1
    avg_over_time({app="web"} | logfmt | unwrap duration(took) [5m]) by (path)
    vector(1) + vector(1)                                    what Grafana asks to see whether anybody is there

An expression is read once and then asked for all steps. A window is (t - range, t], as Loki has it.

Source:   https://grafana.com/docs/loki/latest/query/metric_queries/
Mirrors:  grafana/loki pkg/logql/evaluator.go, range_vector.go
Left out: and, or, unless, on, ignoring, bool; sort, label_replace, stdvar, approx_topk, absent_over_time.
"""

import operator
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import orjson

from cluster.engine.clock import monotonic
from cluster.logstore import logql, store
from cluster.logstore.logql import Query
from cluster.logstore.pipeline import seconds
from cluster.logstore.store import Entry
from cluster.logstore.tokens import BadQuery, Tokens

POINTS = 11_000  # Steps of a query.
MOST_SERIES = 500
MOST_CELLS = 5_000_000  # Series times steps that are made on the way …
TIMEOUT = 20.0  # … and wall seconds that this may take (query_timeout; a minute there).
FARTHEST = 1 << 61  # Microseconds.
SECOND = 1_000_000
TOO_MANY = (
    f"maximum number of series ({MOST_SERIES}) reached for a single query; consider reducing query cardinality"
    " by adding more specific stream selectors, reducing the time range, or aggregating results with functions"
    " like sum, count or topk"
)

TIMED_OUT = (
    "request timed out, decrease the duration of the request or add more label matchers (prefer exact match over"
    " regex match) to reduce the amount of data processed"
)
Row = Any  # A number a step; NaN: nothing there.
Series = dict[str, Row]  # By labels as JSON.
Value = float | Series


class TooManySeries(ValueError):
    """The answer would have more series than anybody can look at."""


@dataclass(frozen=True)
class Moments:
    """`steps`: microseconds since t = 0, in order; `scan`: the lines of a query in [start, end)."""

    steps: Any
    scan: Callable[[Query, int, int], Iterable[Entry]]
    until: float = field(default_factory=lambda: monotonic() + TIMEOUT)

    def look(self) -> None:
        """Errors: TooMuch."""
        if monotonic() > self.until:
            raise store.TooMuch(TIMED_OUT)


Expression = Callable[[Moments], Value]


def parse(text: str) -> Expression | Query:
    """A metric query, or one for lines. Errors: BadQuery."""
    tokens = Tokens(text)
    if tokens.next_is("{"):
        return logql.parse(text)
    expression = _comparison(tokens)
    tokens.take("$end")
    return expression


def steps_of(start: int, end: int, step: int) -> Any:
    """The moments from `start` to `end`, both included. Errors: BadQuery: more than POINTS."""
    if (end - start) // step >= POINTS:
        raise BadQuery(
            f"exceeded maximum resolution of {POINTS:,} points per time series. Try increasing the value of the step"
            " parameter"
        )
    return np.arange(start, end + 1, step)


def evaluate(expression: Expression, moments: Moments) -> Value:
    """Errors: TooManySeries, TooMuch, BadQuery (what only shows when it is evaluated)."""
    with np.errstate(all="ignore"):
        value = expression(moments)
    if isinstance(value, dict) and len(value) > MOST_SERIES:
        raise TooManySeries(TOO_MANY)
    return value


# --- binary operations ------------------------------------------------------------------------------------------

COMPARISONS: dict[str, Callable[[Row, Row], Row]] = {
    "==": operator.eq, "!=": operator.ne, ">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le,
}  # fmt: skip
SUMS: dict[str, Callable[[Row, Row], Row]] = {"+": np.add, "-": np.subtract}
PRODUCTS: dict[str, Callable[[Row, Row], Row]] = {"*": np.multiply, "/": np.divide, "%": np.fmod}
POWERS: dict[str, Callable[[Row, Row], Row]] = {"^": np.power}


def _comparison(tokens: Tokens) -> Expression:
    left = _sum(tokens)
    while tokens.next_is(*COMPARISONS):
        sign = tokens.take(*COMPARISONS)
        left = _compared(COMPARISONS[sign], left, _sum(tokens))
    return left


def _sum(tokens: Tokens) -> Expression:
    return _operations(tokens, SUMS, _product)


def _product(tokens: Tokens) -> Expression:
    return _operations(tokens, PRODUCTS, _power)


def _operations(
    tokens: Tokens, signs: dict[str, Callable[[Row, Row], Row]], inner: Callable[[Tokens], Expression]
) -> Expression:
    left = inner(tokens)
    while tokens.next_is(*signs):
        sign = tokens.take(*signs)
        left = _computed(signs[sign], left, inner(tokens))
    return left


def _power(tokens: Tokens) -> Expression:
    left = _primary(tokens)
    if not tokens.next_is("^"):
        return left
    tokens.take("^")
    return _computed(POWERS["^"], left, _power(tokens))


def _computed(compute: Callable[[Row, Row], Row], left: Expression, right: Expression) -> Expression:
    def value(moments: Moments) -> Value:
        a, b = left(moments), right(moments)
        if isinstance(a, dict) and isinstance(b, dict):
            return {labels: compute(row, b[labels]) for labels, row in a.items() if labels in b}
        if isinstance(a, dict):
            return {labels: compute(row, b) for labels, row in a.items()}
        if isinstance(b, dict):
            return {labels: compute(a, row) for labels, row in b.items()}
        return float(compute(a, b))

    return value


def _compared(fits: Callable[[Row, Row], Row], left: Expression, right: Expression) -> Expression:
    """What fits stays; a comparison of two numbers is 1 or 0."""

    def value(moments: Moments) -> Value:
        a, b = left(moments), right(moments)
        if isinstance(a, dict) and isinstance(b, dict):
            kept = {labels: np.where(fits(row, b[labels]), row, np.nan) for labels, row in a.items() if labels in b}
        elif isinstance(a, dict):
            kept = {labels: np.where(fits(row, b), row, np.nan) for labels, row in a.items()}
        elif isinstance(b, dict):
            kept = {labels: np.where(fits(a, row), row, np.nan) for labels, row in b.items()}
        else:
            return float(fits(a, b))
        return {labels: row for labels, row in kept.items() if not np.isnan(row).all()}

    return value


def _primary(tokens: Tokens) -> Expression:
    if tokens.next_is("(", "-", "NUMBER"):
        return _number_or_group(tokens)
    if tokens.next_is("vector"):
        tokens.take("vector")
        tokens.take("(")
        number = _number(tokens)
        tokens.take(")")
        return lambda moments: {"{}": np.full(len(moments.steps), number)}
    if tokens.next_is(*OVER_TIME):
        return _over_time(tokens)
    if tokens.next_is(*AGGREGATIONS):
        return _aggregation(tokens)
    raise tokens.unexpected()


def _number_or_group(tokens: Tokens) -> Expression:
    if tokens.next_is("("):
        tokens.take("(")
        inner = _comparison(tokens)
        tokens.take(")")
        return inner
    number = _number(tokens)
    return lambda moments: number


def _number(tokens: Tokens) -> float:
    sign = -1.0 if tokens.next_is("-") and tokens.take("-") else 1.0
    return sign * float(tokens.take("NUMBER"))


# --- over time --------------------------------------------------------------------------------------------------

Window = Callable[[Any, float], float]  # Of the values in a window, in order, and the window's seconds.
COUNTED: dict[str, Callable[[Any, float], float]] = {  # Of lines, each with its size.
    "count_over_time": lambda sizes, span: len(sizes),
    "rate": lambda sizes, span: len(sizes) / span,
    "bytes_over_time": lambda sizes, span: sizes.sum(),
    "bytes_rate": lambda sizes, span: sizes.sum() / span,
}
UNWRAPPED: dict[str, Callable[[Any, float], float]] = {
    "sum_over_time": lambda values, span: values.sum(),
    "avg_over_time": lambda values, span: values.mean(),
    "min_over_time": lambda values, span: values.min(),
    "max_over_time": lambda values, span: values.max(),
    "stddev_over_time": lambda values, span: values.std(),
    "first_over_time": lambda values, span: values[0],
    "last_over_time": lambda values, span: values[-1],
    "rate": lambda values, span: values.sum() / span,
}
QUANTILE = "quantile_over_time"
OVER_TIME = (*COUNTED, *(name for name in UNWRAPPED if name not in COUNTED), QUANTILE)


def _over_time(tokens: Tokens) -> Expression:
    """`rate({…} |= "x" [5m] offset 1m)`, with by or without behind it if a number was unwrapped."""
    name = tokens.take(*OVER_TIME)
    tokens.take("(")
    quantile = 0.0
    if name == QUANTILE:
        quantile = _number(tokens)
        tokens.take(",")
    query = logql.log_query(tokens)
    tokens.take("[")
    span = seconds(tokens.take("DURATION"))
    tokens.take("]")
    query = logql.extended(query, tokens)
    offset = 0.0
    if tokens.next_is("offset"):
        tokens.take("offset")
        sign = -1.0 if tokens.next_is("-") and tokens.take("-") else 1.0
        offset = sign * seconds(tokens.take("DURATION"))
    tokens.take(")")
    grouping = _grouping(tokens)
    if span <= 0:
        raise BadQuery("parse error : range must be greater than 0")
    table = UNWRAPPED if query.unwraps else COUNTED
    if name not in table and name != QUANTILE:
        raise BadQuery(f"parse error : invalid aggregation {name} {'with' if query.unwraps else 'without'} unwrap")
    if name == QUANTILE and not query.unwraps:
        raise BadQuery(f"parse error : invalid aggregation {name} without unwrap")

    def compute(values: Any, length: float) -> float:
        if name == QUANTILE:
            return float(np.quantile(values, min(max(quantile, 0.0), 1.0)))
        return float(table[name](values, length))

    def value(moments: Moments) -> Value:
        shift = max(min(round(offset * SECOND), FARTHEST), -FARTHEST)
        return _windows(moments, query, min(round(span * SECOND), FARTHEST), shift, compute, grouping)

    return value


def _windows(
    moments: Moments,
    query: Query,
    span: int,
    offset: int,
    compute: Callable[[Any, float], float],
    grouping: Callable[[str], str],
) -> Series:
    steps = moments.steps - offset
    times: dict[str, list[int]] = defaultdict(list)
    values: dict[str, list[float]] = defaultdict(list)
    for number, entry in enumerate(moments.scan(query, int(steps[0]) - span + 1, int(steps[-1]) + 1)):
        if number % 1_000 == 0:
            moments.look()
        if query.unwraps and entry.value is None:
            continue
        labels = grouping(entry.stream)
        times[labels].append(entry.at)
        if len(times) * len(steps) > MOST_CELLS and len(times) > MOST_SERIES:
            raise TooManySeries(TOO_MANY)
        counted = entry.value if entry.value is not None else len(entry.text.encode())
        values[labels].append(counted)
    found: Series = {}
    for labels, at in times.items():
        order = np.argsort(np.array(at), kind="stable")
        when, what = np.array(at)[order], np.array(values[labels], float)[order]
        first, last = np.searchsorted(when, steps - span, "right"), np.searchsorted(when, steps, "right")
        row = np.full(len(steps), np.nan)
        for place in np.flatnonzero(last > first):
            moments.look()
            row[place] = compute(what[first[place] : last[place]], span / SECOND)
        if not np.isnan(row).all():
            found[labels] = row
    return found


# --- over series ------------------------------------------------------------------------------------------------

AGGREGATIONS: dict[str, Callable[[Any], Row]] = {  # Of (series, steps): one row.
    "sum": lambda rows: np.nansum(rows, axis=0),
    "avg": lambda rows: np.nanmean(rows, axis=0),
    "min": lambda rows: np.nanmin(rows, axis=0),
    "max": lambda rows: np.nanmax(rows, axis=0),
    "count": lambda rows: (~np.isnan(rows)).sum(axis=0).astype(float),
    "stddev": lambda rows: np.nanstd(rows, axis=0),
    "topk": lambda rows: rows,
    "bottomk": lambda rows: rows,
}


def _aggregation(tokens: Tokens) -> Expression:
    """`sum by (a, b) (…)`, `sum(…) by (a, b)`, `topk(3, …)`."""
    name = tokens.take(*AGGREGATIONS)
    grouped = tokens.next_is("by", "without")
    grouping = _grouping(tokens, total=True)
    tokens.take("(")
    most = 0
    if name in ("topk", "bottomk"):
        most = int(_number(tokens))
        tokens.take(",")
        if most < 1:
            raise BadQuery(f"parse error : invalid parameter (must be greater than 0) {name}({most}")
    inner = _comparison(tokens)
    tokens.take(")")
    if not grouped:
        grouping = _grouping(tokens, total=True)

    def value(moments: Moments) -> Value:
        series = inner(moments)
        if not isinstance(series, dict):
            raise BadQuery(f"parse error : unexpected scalar in aggregation {name}")
        groups: dict[str, list[str]] = defaultdict(list)
        for labels in series:
            groups[grouping(labels)].append(labels)
        if most:
            return {k: v for group in groups.values() for k, v in _best(series, group, most, name == "topk").items()}
        return {group: _of_rows(name, np.stack([series[each] for each in own])) for group, own in groups.items()}

    return value


def _of_rows(name: str, rows: Any) -> Row:
    present = ~np.isnan(rows).all(axis=0)
    return np.where(present, AGGREGATIONS[name](np.where(present, rows, 0.0)), np.nan)


def _best(series: Series, group: list[str], most: int, highest: bool) -> Series:
    """At each step the `most` highest or lowest of a group."""
    rows = np.stack([series[labels] for labels in group])
    order = np.argsort(np.where(np.isnan(rows), np.inf, -rows if highest else rows), axis=0, kind="stable")
    kept = np.full(rows.shape, np.nan)
    for rank in range(min(most, len(group))):
        picked = order[rank]
        columns = np.arange(rows.shape[1])
        kept[picked, columns] = rows[picked, columns]
    return {labels: row for labels, row in zip(group, kept, strict=True) if not np.isnan(row).all()}


def _grouping(tokens: Tokens, total: bool = False) -> Callable[[str], str]:
    """What labels become by `by (…)` or `without (…)`. `total`: without either, none is left."""
    if not tokens.next_is("by", "without"):
        return (lambda labels: "{}") if total else (lambda labels: labels)
    keeps = tokens.take("by", "without") == "by"
    tokens.take("(")
    names = set[str]()
    while not tokens.next_is(")"):
        names.add(tokens.take("IDENTIFIER"))
        if not tokens.next_is(")"):
            tokens.take(",")
    tokens.take(")")
    known: dict[str, str] = {}

    def grouped(labels: str) -> str:
        if labels not in known:
            parts = orjson.loads(labels)
            known[labels] = store.labels_of({name: parts[name] for name in parts if (name in names) == keeps})
        return known[labels]

    return grouped
