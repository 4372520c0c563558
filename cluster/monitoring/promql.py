"""PromQL: a parsed expression evaluated over samples, for all steps of a range at once.

Mirrors:  prometheus/promql/engine.go
Left out: native histograms (what asks for them finds none), fill modifiers, `or` between matchers of one selector,
          info, ts_of_… and limit_ratio.
Read next: functions.py.
"""

import math
import operator
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, Protocol

import numpy as np
import promql_parser as parser
import re2

from cluster.monitoring import functions
from cluster.monitoring.functions import Flags, Floats, Samples

LOOKBACK = 300_000  # Milliseconds for which a sample stands.
POINTS = 11_000  # Steps of one range query, as Prometheus allows.
SUBQUERY_STEP = 60_000  # Milliseconds, where a subquery names none.
NAME = "__name__"
Labels = dict[str, str]
Key = tuple[tuple[str, str], ...]


class BadData(Exception):
    """The query can't be understood: errorType bad_data."""


class Execution(Exception):
    """The query can't be carried out: errorType execution."""


class Matcher(NamedTuple):
    name: str
    op: str  # = != =~ !~
    value: str

    def accepts(self) -> Callable[[str], bool]:
        """Errors: BadData."""
        if self.op in ("=", "!="):
            return lambda text: (text == self.value) == (self.op == "=")
        try:
            pattern = re2.compile(self.value)
        except re2.error as error:
            raise BadData(f"error parsing regexp: {error}") from None
        return lambda text: (pattern.fullmatch(text) is not None) == (self.op == "=~")


class Storage(Protocol):
    def select(self, matchers: list[Matcher], start: int, end: int) -> Samples:
        """All series that match, with what they have from `start` to `end` milliseconds, both included."""


class Frame(NamedTuple):
    """A vector at each step: `values`, `present`: (series, steps)."""

    labels: list[Labels]
    values: Floats
    present: Flags


class Scalar(NamedTuple):
    values: Floats  # (steps,)


Value = Frame | Scalar | str


def parse(query: str) -> Any:
    """Errors: BadData, in Prometheus' words."""
    try:
        return parser.parse(query)
    except ValueError as error:
        raise BadData(f'invalid parameter "query": parse error: {error}') from None


def evaluate(query: Any, storage: Storage, start: int, end: int, step: int) -> tuple[Value, Any]:
    """The value at each step, and the steps in milliseconds. Errors: BadData, Execution."""
    if step <= 0:
        raise BadData(
            'invalid parameter "step": zero or negative query resolution step widths are not accepted. '
            "Try a positive integer"
        )
    if (end - start) // step > POINTS:
        raise BadData(
            "exceeded maximum resolution of 11,000 points per timeseries. "
            "Try decreasing the query resolution (?step=XX)"
        )
    steps = np.arange(start, end + 1, step, dtype=np.int64)
    with np.errstate(all="ignore"):
        return _Evaluation(storage, start, end, steps).of(query), steps


class _Evaluation:
    def __init__(self, storage: Storage, start: int, end: int, steps: Any) -> None:
        self.storage, self.start, self.end, self.steps = storage, start, end, steps

    def of(self, node: Any) -> Value:
        return _NODES[type(node).__name__](self, node)

    def frame(self, node: Any) -> Frame:
        value = self.of(node)
        if not isinstance(value, Frame):
            raise BadData("expected type instant vector")
        return value

    def scalar(self, node: Any) -> Floats:
        value = self.of(node)
        if not isinstance(value, Scalar):
            raise BadData("expected type scalar")
        return value.values

    # --- selectors ----------------------------------------------------------------------------------------------

    def moments(self, node: Any) -> Any:
        """The steps at which a selector is looked at: `@` and `offset` move them."""
        moments = self.steps
        if node.at is not None:
            at = self._instant(node.at)
            moments = np.full_like(moments, at)
        return moments - (_milliseconds(node.offset) if node.offset is not None else 0)

    def _instant(self, at: Any) -> int:
        if at.type == parser.AtModifierType.At:
            return round(at.at.timestamp() * 1000)
        return self.start if at.type == parser.AtModifierType.Start else self.end

    def selector(self, node: Any) -> Frame:
        moments = self.moments(node)
        found = self.storage.select(matchers_of(node), int(moments.min()) - LOOKBACK, int(moments.max()))
        column = np.searchsorted(found.times, moments, "right") - 1
        shape = (len(found.labels), moments.size)
        if not found.times.size:
            return Frame([], np.zeros((0, moments.size)), np.zeros((0, moments.size), bool))
        fresh = (column >= 0) & (moments - found.times[np.maximum(column, 0)] < LOOKBACK)
        present = found.present[:, np.maximum(column, 0)] & fresh
        return Frame(found.labels, found.values[:, np.maximum(column, 0)].reshape(shape), present)

    def windows(self, node: Any) -> functions.Windows:
        if isinstance(node, parser.ParenExpr):
            return self.windows(node.expr)
        length = _milliseconds(node.range)
        if isinstance(node, parser.MatrixSelector):
            moments = self.moments(node.vector_selector)
            matchers = matchers_of(node.vector_selector)
            found = self.storage.select(matchers, int(moments.min()) - length, int(moments.max()))
            return functions.windows(found, moments, length)
        moments = self.moments(node)
        step = _milliseconds(node.step) if node.step is not None else SUBQUERY_STEP
        first = (int(moments.min()) - length) // step * step + step
        if (int(moments.max()) - first) // step > POINTS:
            raise Execution(f"a subquery of more than {POINTS:,} steps")
        inner = np.arange(first, int(moments.max()) + 1, step, dtype=np.int64)
        value = _Evaluation(self.storage, self.start, self.end, inner).of(node.expr)
        frame = as_frame(value) if isinstance(value, Scalar) else value
        if not isinstance(frame, Frame):
            raise BadData("subquery is only allowed on instant vector")
        return functions.windows(Samples(frame.labels, inner, frame.values, frame.present), moments, length)

    # --- functions ----------------------------------------------------------------------------------------------

    def call(self, node: Any) -> Value:
        name, args = node.func.name, list(node.args)
        if name in functions.RANGE:
            windows = self.windows(args[0])
            values, present = functions.RANGE[name](windows)
            keep = name in ("last_over_time", "first_over_time")
            return Frame(windows.samples.labels if keep else _nameless(windows.samples.labels), values, present)
        if name in functions.VALUE:
            frame = self.frame(args[0]) if args else as_frame(Scalar(self.steps / 1000))
            return Frame(_nameless(frame.labels), functions.VALUE[name](frame.values), frame.present)
        if name not in _CALLS:
            raise Execution(f"the function {name} is not served by this version of Orrery")
        return _CALLS[name](self, args)

    def quantile_over_time(self, args: list[Any]) -> Frame:
        ranks, windows = self.scalar(args[0]), self.windows(args[1])
        values, present = functions.each(windows, lambda v: np.nanquantile(v, min(max(ranks[0], 0), 1), axis=1))
        return Frame(_nameless(windows.samples.labels), values, present)

    def predict(self, args: list[Any]) -> Frame:
        windows = self.windows(args[0])
        values, present = functions.line(windows, float(self.scalar(args[1])[0]))
        return Frame(_nameless(windows.samples.labels), values, present)

    def absent(self, args: list[Any]) -> Frame:
        return self._missing(self.frame(args[0]).present, args[0])

    def absent_over_time(self, args: list[Any]) -> Frame:
        return self._missing(functions.counted(self.windows(args[0]))[1], args[0])

    def _missing(self, present: Any, node: Any) -> Frame:
        node = getattr(node, "vector_selector", node)
        known = matchers_of(node) if isinstance(node, parser.VectorSelector) else []
        labels = {each.name: each.value for each in known if each.op == "=" and each.name != NAME}
        return Frame([labels], np.ones((1, self.steps.size)), ~present.any(axis=0)[None, :])

    def clamp(self, args: list[Any], low: Any = None, high: Any = None) -> Frame:
        frame = self.frame(args[0])
        low = -np.inf if low is None else self.scalar(low)
        high = np.inf if high is None else self.scalar(high)
        return Frame(_nameless(frame.labels), np.minimum(np.maximum(frame.values, low), high), frame.present)

    def round(self, args: list[Any]) -> Frame:
        frame = self.frame(args[0])
        to = self.scalar(args[1]) if len(args) > 1 else np.ones(self.steps.size)
        return Frame(_nameless(frame.labels), np.floor(frame.values / to + 0.5) * to, frame.present)

    def to_scalar(self, args: list[Any]) -> Scalar:
        frame = self.frame(args[0])
        alone = frame.present.sum(axis=0) == 1
        return Scalar(np.where(alone, np.where(frame.present, frame.values, 0).sum(axis=0), np.nan))

    def timestamp(self, args: list[Any]) -> Frame:
        """When each sample was scraped; of anything that is no selector: now."""
        node = args[0]
        while isinstance(node, parser.ParenExpr):
            node = node.expr
        frame = self.frame(node)
        if isinstance(node, parser.VectorSelector):
            moments = self.moments(node)
            found = self.storage.select(matchers_of(node), int(moments.min()) - LOOKBACK, int(moments.max()))
            if found.times.size:
                column = np.maximum(np.searchsorted(found.times, moments, "right") - 1, 0)
                stamps = np.broadcast_to(found.times[column] / 1000, frame.values.shape)
                return Frame(_nameless(frame.labels), stamps, frame.present)
        return Frame(_nameless(frame.labels), np.broadcast_to(self.steps / 1000, frame.values.shape), frame.present)

    def sort(self, args: list[Any], sign: int) -> Frame:
        frame = self.frame(args[0])
        order = np.argsort(sign * frame.values[:, -1], kind="stable")
        return Frame([frame.labels[row] for row in order], frame.values[order], frame.present[order])

    def sort_by_label(self, args: list[Any], reverse: bool) -> Frame:
        frame, names = self.frame(args[0]), [str(self.of(arg)) for arg in args[1:]]
        keys = [[_natural(each.get(name, "")) for name in names] for each in frame.labels]
        order = sorted(range(len(keys)), key=lambda row: keys[row], reverse=reverse)
        return Frame([frame.labels[row] for row in order], frame.values[order], frame.present[order])

    def smoothing(self, args: list[Any]) -> Frame:
        windows, factors = self.windows(args[0]), [float(self.scalar(arg)[0]) for arg in args[1:]]
        for name, factor in zip(("smoothing", "trend"), factors, strict=True):
            if not 0 < factor < 1:
                raise Execution(f"invalid {name} factor. Expected: 0 < {name[0]}f < 1, got: {factor:f}")
        values, present = functions.smoothed(windows, *factors)
        return Frame(_nameless(windows.samples.labels), values, present)

    def of_native_histograms(self, args: list[Any]) -> Frame:
        """There are none: samples that are numbers are passed over."""
        return Frame([], np.zeros((0, self.steps.size)), np.zeros((0, self.steps.size), bool))

    def label_replace(self, args: list[Any]) -> Frame:
        frame, (to, replacement, source, pattern) = self.frame(args[0]), [self.of(arg) for arg in args[1:]]
        try:
            compiled = re2.compile(str(pattern))
        except re2.error:
            raise Execution(f"invalid regular expression in label_replace(): {pattern}") from None
        labels = []
        for each in frame.labels:
            found = compiled.fullmatch(each.get(str(source), ""))
            labels.append(each if found is None else _with(each, str(to), _expanded(str(replacement), found)))
        return _distinct(Frame(labels, frame.values, frame.present))

    def label_join(self, args: list[Any]) -> Frame:
        frame, (to, separator, *sources) = self.frame(args[0]), [str(self.of(arg)) for arg in args[1:]]
        labels = [_with(each, to, separator.join(each.get(source, "") for source in sources)) for each in frame.labels]
        return _distinct(Frame(labels, frame.values, frame.present))

    def histogram_quantile(self, args: list[Any]) -> Frame:
        rank, frame = self.scalar(args[0]), self.frame(args[1])
        groups: dict[Key, list[tuple[float, int]]] = defaultdict(list)
        for row, labels in enumerate(frame.labels):
            if "le" in labels:
                groups[_key(labels, without=(NAME, "le"))].append((float(labels["le"]), row))
        values, present = np.zeros((len(groups), self.steps.size)), np.zeros((len(groups), self.steps.size), bool)
        for at, buckets in enumerate(groups.values()):
            buckets.sort()
            bounds, rows = [bound for bound, _ in buckets], [row for _, row in buckets]
            present[at] = frame.present[rows].any(axis=0)
            counts = np.maximum.accumulate(np.where(frame.present[rows], frame.values[rows], 0.0), axis=0)
            for step in range(self.steps.size):
                values[at, step] = _bucket_quantile(float(rank[step]), bounds, counts[:, step])
        return Frame([dict(key) for key in groups], values, present)

    # --- aggregations -------------------------------------------------------------------------------------------

    def aggregate(self, node: Any) -> Frame:
        op, frame, modifier = str(node.op), self.frame(node.expr), node.modifier
        by = () if modifier is None else tuple(modifier.labels)
        is_by = modifier is None or modifier.type == parser.AggModifierType.By
        groups: dict[Key, list[int]] = defaultdict(list)
        for row, labels in enumerate(frame.labels):
            groups[_key(labels, only=by) if is_by else _key(labels, without=(NAME, *by))].append(row)
        if op == "limitk":
            return self._first_of(frame, groups.values(), self.scalar(node.param))
        if op in ("topk", "bottomk"):
            return self._chosen(frame, groups.values(), self.scalar(node.param), 1 if op == "bottomk" else -1)
        if op == "count_values":
            return self._count_values(frame, groups, str(self.of(node.param)))
        rank = self.scalar(node.param) if op == "quantile" else None
        values, present = np.zeros((len(groups), self.steps.size)), np.zeros((len(groups), self.steps.size), bool)
        for at, rows in enumerate(groups.values()):
            there = frame.present[rows]
            present[at] = there.any(axis=0)
            values[at] = _quantiles(frame.values[rows], there, rank) if rank is not None else _FOLDS[op](
                frame.values[rows], there
            )  # fmt: skip
        return Frame([dict(key) for key in groups], values, present)

    def _chosen(self, frame: Frame, groups: Iterable[list[int]], numbers: Floats, sign: int) -> Frame:
        present = np.zeros_like(frame.present)
        for rows in groups:
            ranked = np.where(frame.present[rows], sign * frame.values[rows], np.inf)
            place = np.argsort(np.argsort(ranked, axis=0, kind="stable"), axis=0)
            present[rows] = (place < numbers) & frame.present[rows]
        return Frame(frame.labels, frame.values, present)

    def _first_of(self, frame: Frame, groups: Iterable[list[int]], numbers: Floats) -> Frame:
        """Any so many of each group: the first that there are."""
        present = np.zeros_like(frame.present)
        for rows in groups:
            place = np.cumsum(frame.present[rows], axis=0)
            present[rows] = frame.present[rows] & (place <= numbers)
        return Frame(frame.labels, frame.values, present)

    def _count_values(self, frame: Frame, groups: dict[Key, list[int]], label: str) -> Frame:
        out: dict[Key, Floats] = {}
        for key, rows in groups.items():
            for row in rows:
                for step in np.flatnonzero(frame.present[row]):
                    named = _key({**dict(key), label: shown(frame.values[row, step])})
                    out.setdefault(named, np.zeros(self.steps.size))[step] += 1
        values = np.array(list(out.values())).reshape(len(out), self.steps.size)
        return Frame([dict(key) for key in out], values, values > 0)

    # --- operators ----------------------------------------------------------------------------------------------

    def unary(self, node: Any) -> Value:
        value = self.of(node.expr)
        if isinstance(value, Scalar):
            return Scalar(-value.values)
        frame = self.frame(node.expr)
        return Frame(_nameless(frame.labels), -frame.values, frame.present)

    def binary(self, node: Any) -> Value:
        op, left, right, modifier = str(node.op), self.of(node.lhs), self.of(node.rhs), node.modifier
        as_bool = modifier is not None and modifier.return_bool
        if op in ("and", "or", "unless"):
            return _set_operation(op, self.frame(node.lhs), self.frame(node.rhs), _matching(modifier))
        if isinstance(left, Scalar) and isinstance(right, Scalar):
            return Scalar(_OPERATORS[op](left.values, right.values).astype(float))
        if isinstance(left, Frame) and isinstance(right, Frame):
            return self._between(op, left, right, modifier, as_bool)
        frame = left if isinstance(left, Frame) else right
        sides = [side.values for side in (left, right) if not isinstance(side, str)]
        if not isinstance(frame, Frame) or len(sides) < 2:
            raise BadData(f"binary expression {op} must contain only scalar and instant vector types")
        result = _OPERATORS[op](*sides)
        if op in _COMPARISONS and not as_bool:
            return Frame(frame.labels, frame.values, frame.present & result)
        return Frame(_nameless(frame.labels), result.astype(float), frame.present)

    def _between(self, op: str, left: Frame, right: Frame, modifier: Any, as_bool: bool) -> Frame:
        card = modifier.card if modifier is not None else parser.VectorMatchCardinality.OneToOne
        swapped = card == parser.VectorMatchCardinality.OneToMany
        many, one = (right, left) if swapped else (left, right)
        grouped = swapped or card == parser.VectorMatchCardinality.ManyToOne
        key, included = _matching(modifier), list((modifier.group_labels if modifier is not None else None) or ())
        ones: dict[Key, list[int]] = defaultdict(list)
        for row, labels in enumerate(one.labels):
            ones[key(labels)].append(row)
        pairs = [(row, other) for row, labels in enumerate(many.labels) for other in ones.get(key(labels), ())]
        rows, others = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
        a, b = many.values[rows], one.values[others]
        present = many.present[rows] & one.present[others]
        result = _OPERATORS[op](b, a) if swapped else _OPERATORS[op](a, b)
        filters = op in _COMPARISONS and not as_bool
        made_labels = []
        for row, other in pairs:
            made = many.labels[row] if filters else _bare(many.labels[row])
            if not grouped:
                made = dict(key(made)) if not filters or _is_on(modifier) else made
            for name in included:
                made = _with(made, name, one.labels[other].get(name, ""))
            made_labels.append(made)
        kept = Frame(made_labels, a if filters else result.astype(float), present & result if filters else present)
        if not grouped:
            _check_single(present, others, "left")
        _check_single(present, rows, "left" if swapped else "right")
        return _distinct(kept)


def _check_single(present: Flags, rows: list[int], side: str) -> None:
    """Errors: Execution if a row was matched by two at one moment."""
    seen: dict[int, Flags] = {}
    for at, row in enumerate(rows):
        if row in seen and (seen[row] & present[at]).any():
            raise Execution(
                f"found duplicate series for the match group on the {side} hand-side of the operation; "
                "many-to-many matching not allowed: matching labels must be unique on one side"
            )
        seen[row] = seen[row] | present[at] if row in seen else present[at]


def _set_operation(op: str, left: Frame, right: Frame, key: Callable[[Labels], Key]) -> Frame:
    def there(frame: Frame) -> dict[Key, Flags]:
        found: dict[Key, Flags] = {}
        for row, labels in enumerate(frame.labels):
            name = key(labels)
            found[name] = found[name] | frame.present[row] if name in found else frame.present[row]
        return found

    if op == "or":
        known = there(left)
        extra = [
            ~known[key(each)] if key(each) in known else np.ones(right.values.shape[1], bool) for each in right.labels
        ]
        present = right.present & np.array(extra, bool).reshape(right.present.shape)
        return Frame(
            [*left.labels, *right.labels],
            np.concatenate([left.values, right.values]), np.concatenate([left.present, present]),
        )  # fmt: skip
    known, nowhere = there(right), np.zeros(left.values.shape[1], bool)
    other = np.array([known.get(key(each), nowhere) for each in left.labels], bool).reshape(left.present.shape)
    return Frame(left.labels, left.values, left.present & (other if op == "and" else ~other))


def _is_on(modifier: Any) -> bool:
    matching = modifier.matching if modifier is not None else None
    return matching is not None and matching.type == parser.LabelModifierType.Include


def _matching(modifier: Any) -> Callable[[Labels], Key]:
    matching = modifier.matching if modifier is not None else None
    names = () if matching is None else tuple(matching.labels)
    if _is_on(modifier):
        return lambda labels: _key(labels, only=names)
    return lambda labels: _key(labels, without=(NAME, *names))


def matchers_of(node: Any) -> list[Matcher]:
    ops = {"Equal": "=", "NotEqual": "!=", "Re": "=~", "NotRe": "!~"}
    found = [Matcher(each.name, ops[str(each.op).rpartition(".")[2]], each.value) for each in node.matchers.matchers]
    return [Matcher(NAME, "=", node.name), *found] if node.name else found


def shown(value: float) -> str:
    """A number as Prometheus writes it."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return str(int(value)) if value == int(value) and abs(value) < 1e21 else repr(float(value))


def _milliseconds(delta: Any) -> int:
    return round(delta.total_seconds() * 1000)


def _key(labels: Labels, only: tuple[str, ...] | None = None, without: tuple[str, ...] = ()) -> Key:
    return tuple(sorted((k, v) for k, v in labels.items() if (only is None or k in only) and k not in without and v))


def _bare(labels: Labels) -> Labels:
    return {name: value for name, value in labels.items() if name != NAME}


def _nameless(labels: list[Labels]) -> list[Labels]:
    return [_bare(each) for each in labels]


def _with(labels: Labels, name: str, value: str) -> Labels:
    return {**labels, name: value} if value else {k: v for k, v in labels.items() if k != name}


def _natural(text: str) -> list[tuple[int, int, str]]:
    """An order in which `node-10` comes after `node-9`."""
    parts = re2.split(r"(\d+)", text)
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts if part]


def _expanded(template: str, found: Any) -> str:
    """`$1` and `${1}` in a replacement."""
    return str(re2.sub(r"\$\{?(\d+)\}?", lambda m: found.group(int(m.group(1))) or "", template))


def _distinct(frame: Frame) -> Frame:
    """Errors: Execution if two series of one moment have the same labels."""
    seen: dict[Key, int] = {}
    for row, labels in enumerate(frame.labels):
        other = seen.setdefault(_key(labels), row)
        if other != row and (frame.present[other] & frame.present[row]).any():
            raise Execution("vector cannot contain metrics with the same labelset")
    return frame


def as_frame(value: Scalar) -> Frame:
    return Frame([{}], value.values[None, :], np.ones((1, value.values.size), bool))


def _bucket_quantile(rank: float, bounds: list[float], counts: Floats) -> float:
    """Mirrors: prometheus/promql/quantile.go (BucketQuantile)."""
    if math.isnan(rank) or len(bounds) < 2 or bounds[-1] != math.inf or counts[-1] == 0:
        return math.nan
    if not 0 <= rank <= 1:
        return math.copysign(math.inf, rank)
    wanted = rank * counts[-1]
    at = int(np.searchsorted(counts[:-1], wanted, "left"))
    if at == len(bounds) - 1:
        return bounds[-2]
    if at == 0 and bounds[0] <= 0:
        return bounds[0]
    low, before = (0.0, 0.0) if at == 0 else (bounds[at - 1], float(counts[at - 1]))
    inside = float(counts[at]) - before
    return low + (bounds[at] - low) * (wanted - before) / inside if inside else low


def _quantiles(values: Floats, present: Flags, rank: Floats) -> Floats:
    out = np.full(values.shape[1], np.nan)
    for step in np.flatnonzero(present.any(axis=0)):
        out[step] = np.quantile(values[present[:, step], step], min(max(rank[step], 0), 1))
    return out


def _mean(values: Floats, present: Flags) -> Floats:
    return np.where(present, values, 0.0).sum(axis=0) / present.sum(axis=0)


def _variance(values: Floats, present: Flags) -> Floats:
    off = np.where(present, values - _mean(values, present), 0.0)
    return (off * off).sum(axis=0) / present.sum(axis=0)


_FOLDS: dict[str, Callable[[Floats, Flags], Floats]] = {
    "sum": lambda values, present: np.where(present, values, 0.0).sum(axis=0),
    "avg": _mean,
    "count": lambda values, present: present.sum(axis=0).astype(float),
    "group": lambda values, present: np.ones(values.shape[1]),
    "min": lambda values, present: np.where(present, values, np.inf).min(axis=0),
    "max": lambda values, present: np.where(present, values, -np.inf).max(axis=0),
    "stdvar": _variance,
    "stddev": lambda values, present: np.sqrt(_variance(values, present)),
}
_COMPARISONS = {
    "==": operator.eq, "!=": operator.ne, "<": operator.lt, ">": operator.gt, "<=": operator.le, ">=": operator.ge,
}  # fmt: skip
_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    **_COMPARISONS, "+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv,
    "%": np.fmod, "^": np.power, "atan2": np.arctan2,
}  # fmt: skip
_CALLS: dict[str, Callable[[_Evaluation, list[Any]], Value]] = {
    "time": lambda run, args: Scalar(run.steps / 1000),
    "pi": lambda run, args: Scalar(np.full(run.steps.size, math.pi)),
    "vector": lambda run, args: as_frame(Scalar(run.scalar(args[0]))),
    "scalar": _Evaluation.to_scalar,
    "timestamp": _Evaluation.timestamp,
    "absent": _Evaluation.absent,
    "absent_over_time": _Evaluation.absent_over_time,
    "quantile_over_time": _Evaluation.quantile_over_time,
    "predict_linear": _Evaluation.predict,
    "clamp": lambda run, args: run.clamp(args, args[1], args[2]),
    "clamp_min": lambda run, args: run.clamp(args, low=args[1]),
    "clamp_max": lambda run, args: run.clamp(args, high=args[1]),
    "round": _Evaluation.round,
    "sort": lambda run, args: run.sort(args, 1),
    "sort_desc": lambda run, args: run.sort(args, -1),
    "sort_by_label": lambda run, args: run.sort_by_label(args, False),
    "sort_by_label_desc": lambda run, args: run.sort_by_label(args, True),
    "double_exponential_smoothing": _Evaluation.smoothing,
    "label_replace": _Evaluation.label_replace,
    "label_join": _Evaluation.label_join,
    "histogram_quantile": _Evaluation.histogram_quantile,
}
_CALLS |= dict.fromkeys(
    (
        "histogram_avg", "histogram_count", "histogram_sum", "histogram_stddev", "histogram_stdvar",
        "histogram_fraction",
    ),
    _Evaluation.of_native_histograms,
)  # fmt: skip
_NODES: dict[str, Callable[[_Evaluation, Any], Value]] = {
    "NumberLiteral": lambda run, node: Scalar(np.full(run.steps.size, node.val)),
    "StringLiteral": lambda run, node: str(node.val),
    "ParenExpr": lambda run, node: run.of(node.expr),
    "VectorSelector": _Evaluation.selector,
    "Call": _Evaluation.call,
    "AggregateExpr": _Evaluation.aggregate,
    "UnaryExpr": _Evaluation.unary,
    "BinaryExpr": _Evaluation.binary,
}
