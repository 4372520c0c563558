"""PromQL: a parsed expression evaluated over samples, for all steps of a range at once.

Mirrors:  prometheus/promql/engine.go
Left out: native histograms (what asks for them finds none), fill modifiers, info, ts_of_… and limit_ratio; warnings.
Read next: functions.py.
"""

import json
import math
import operator
import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any, NamedTuple, Protocol

import numpy as np
import promql_parser as parser

from cluster.apiserver import regexes
from cluster.engine.clock import monotonic
from cluster.monitoring import functions
from cluster.monitoring.functions import Flags, Floats, Samples

LOOKBACK = 300_000  # Milliseconds for which a sample stands.
POINTS = 11_000  # Steps of one range query, as Prometheus allows.
SUBQUERY_STEP = 60_000  # Milliseconds, where a subquery names none.
MOST_SAMPLES = 50_000_000  # One query may load and make, as Prometheus allows (--query.max-samples) …
TIMEOUT = 20.0  # … and take so many wall seconds (--query.timeout; two minutes there).
MOST_PARTS = 250  # Operators and opened brackets of a query: each is a call inside of another one.
MOST_LETTERS = 100_000  # Of a query.
TOO_MANY = "query processing would load too many samples into memory in query execution"
FARTHEST = 1 << 53  # Milliseconds from 1970.
NAME = "__name__"
Labels = dict[str, str]
Key = tuple[tuple[str, str], ...]


class BadData(Exception):
    """The query can't be understood: errorType bad_data."""


class Execution(Exception):
    """The query can't be carried out: errorType execution."""


class TimedOut(Execution):
    """The query took too long: errorType timeout."""

    def __init__(self) -> None:
        super().__init__("query timed out in expression evaluation")


class Budget:
    """What one query may still use: `seconds` of wall time, and samples."""

    def __init__(self, seconds: float = TIMEOUT, samples: int = MOST_SAMPLES) -> None:
        self._until, self._samples = monotonic() + seconds, samples

    def look(self) -> None:
        """Errors: TimedOut."""
        if monotonic() > self._until:
            raise TimedOut()

    def take(self, samples: int) -> None:
        """Errors: Execution, TimedOut."""
        self.look()
        self._samples -= samples
        if self._samples < 0:
            raise Execution(TOO_MANY)


class Matcher(NamedTuple):
    name: str
    op: str  # = != =~ !~
    value: str

    def accepts(self) -> Callable[[str], bool]:
        """Errors: BadData."""
        if self.op in ("=", "!="):
            return lambda text: (text == self.value) == (self.op == "=")
        try:
            regexes.compiled(self.value)  # As it was written, so that a complaint quotes that.
            pattern = regexes.compiled(f"(?s:{self.value})")
        except regexes.Invalid as error:
            raise BadData(str(error)) from None
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


Value = Frame | Scalar | str | functions.Windows  # Windows: a range vector, of an instant query alone.

_QUIET = re.compile(r'"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\'|`[^`]*`|\#[^\n]*')  # Strings and comments.
_SELECTOR = re.compile(r"\{[^{}]*\}")
_PART = re.compile(r"[\[({+\-*/%^<>=!@]|\b(?:and|or|unless|atan2)\b", re.IGNORECASE)
_OR = re.compile(r"\bor\b", re.IGNORECASE)


def parse(query: str) -> Any:
    """Errors: BadData, in Prometheus' words."""
    try:
        _check(query)
        return parser.parse(query)
    except ValueError as error:
        raise BadData(f'invalid parameter "query": parse error: {error}') from None


def _check(query: str) -> None:
    """The parser's stack is the process's: what would be too deep for it never comes there. Errors: ValueError."""
    if len(query) > MOST_LETTERS:
        raise ValueError(f"the query has {len(query):,} characters; at most {MOST_LETTERS:,} are read")
    text = _QUIET.sub("", query)
    if any(map(_OR.search, _SELECTOR.findall(text))):
        raise ValueError('unexpected identifier "or" in label matching, expected "," or "}"')
    if sum(1 for _ in _PART.finditer(_SELECTOR.sub("", text))) > MOST_PARTS:
        raise ValueError(f"the query has more than {MOST_PARTS} operators and brackets")


def evaluate(
    query: Any, storage: Storage, start: int, end: int, step: int, budget: Budget | None = None
) -> tuple[Value, Any]:
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
        return _Evaluation(storage, start, end, steps, budget or Budget()).of(query), steps


class _Evaluation:
    def __init__(self, storage: Storage, start: int, end: int, steps: Any, budget: Budget) -> None:
        self.storage, self.start, self.end, self.steps, self.budget = storage, start, end, steps, budget

    def of(self, node: Any) -> Value:
        value = _NODES[type(node).__name__](self, node)
        self.budget.take(value.values.size if isinstance(value, Frame) else 0)
        return value

    def frame(self, node: Any) -> Frame:
        return _vector(self.of(node))

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
            moment = float(str(at).removeprefix("@"))  # Its own attribute panics at moments that are far away.
            return round(max(min(moment * 1000, FARTHEST), -FARTHEST))
        return self.start if at.type == parser.AtModifierType.Start else self.end

    def selector(self, node: Any) -> Frame:
        moments = self.moments(node)
        found = self.storage.select(matchers_of(node), int(moments.min()) - LOOKBACK, int(moments.max()))
        column = np.searchsorted(found.times, moments, "right") - 1
        shape = (len(found.labels), moments.size)
        self.budget.take(found.values.size)
        if shape[0] * shape[1] > MOST_SAMPLES:
            raise Execution(TOO_MANY)
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
            return self._windows(found, moments, length)
        moments = self.moments(node)
        step = _milliseconds(node.step) if node.step is not None else SUBQUERY_STEP
        first = (int(moments.min()) - length) // step * step + step
        if (int(moments.max()) - first) // step > POINTS:
            raise Execution(f"a subquery of more than {POINTS:,} steps")
        inner = np.arange(first, int(moments.max()) + 1, step, dtype=np.int64)
        value = _Evaluation(self.storage, self.start, self.end, inner, self.budget).of(node.expr)
        frame = as_frame(value) if isinstance(value, Scalar) else value
        if not isinstance(frame, Frame):
            raise BadData("subquery is only allowed on instant vector")
        return self._windows(Samples(frame.labels, inner, frame.values, frame.present), moments, length)

    def _windows(self, found: Samples, moments: Any, length: int) -> functions.Windows:
        self.budget.take(found.values.size)
        if len(found.labels) * moments.size > MOST_SAMPLES:
            raise Execution(TOO_MANY)
        return functions.windows(found, moments, length)._replace(look=self.budget.look)

    # --- functions ----------------------------------------------------------------------------------------------

    def call(self, node: Any) -> Value:
        name, args = node.func.name, list(node.args)
        if name in functions.RANGE:
            windows = self.windows(args[0])
            values, present = functions.RANGE[name](windows)
            frame = Frame(windows.samples.labels, values, present)
            return frame if name in ("last_over_time", "first_over_time") else _unnamed(frame)
        if name in functions.VALUE:
            frame = self.frame(args[0]) if args else as_frame(Scalar(self.steps / 1000))
            return _unnamed(Frame(frame.labels, functions.VALUE[name](frame.values), frame.present))
        if name not in _CALLS:
            raise Execution(f"the function {name} is not served by this version of Orrery")
        return _CALLS[name](self, args)

    def quantile_over_time(self, args: list[Any]) -> Frame:
        ranks, windows = self.scalar(args[0]), self.windows(args[1])
        inside = np.where((ranks >= 0) & (ranks <= 1), ranks, 0.5)
        values, present = functions.quantiles(windows, inside)
        return _unnamed(Frame(windows.samples.labels, _beyond(ranks, values), present))

    def predict(self, args: list[Any]) -> Frame:
        windows = self.windows(args[0])
        values, present = functions.line(windows, self.scalar(args[1]))
        return _unnamed(Frame(windows.samples.labels, values, present))

    def absent(self, args: list[Any]) -> Frame:
        return self._missing(self.frame(args[0]).present, args[0])

    def absent_over_time(self, args: list[Any]) -> Frame:
        return self._missing(functions.counted(self.windows(args[0]))[1], args[0])

    def _missing(self, present: Any, node: Any) -> Frame:
        while isinstance(node, parser.ParenExpr):
            node = node.expr
        node = getattr(node, "vector_selector", node)
        known = matchers_of(node) if isinstance(node, parser.VectorSelector) else []
        names = [each.name for each in known]
        labels = {
            name: value for name, op, value in known if op == "=" and value and name != NAME and names.count(name) == 1
        }
        return Frame([labels], np.ones((1, self.steps.size)), ~present.any(axis=0)[None, :])

    def clamp(self, args: list[Any], low: Any = None, high: Any = None) -> Frame:
        frame = self.frame(args[0])
        low = -np.inf if low is None else self.scalar(low)
        high = np.inf if high is None else self.scalar(high)
        values = np.minimum(np.maximum(frame.values, low), high)
        return _unnamed(Frame(frame.labels, values, frame.present & ~np.less(high, low)))

    def round(self, args: list[Any]) -> Frame:
        frame = self.frame(args[0])
        to = self.scalar(args[1]) if len(args) > 1 else np.ones(self.steps.size)
        inverse = 1 / to
        return _unnamed(Frame(frame.labels, np.floor(frame.values * inverse + 0.5) / inverse, frame.present))

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
                return _unnamed(Frame(frame.labels, stamps, frame.present))
        return _unnamed(Frame(frame.labels, np.broadcast_to(self.steps / 1000, frame.values.shape), frame.present))

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
        return _unnamed(Frame(windows.samples.labels, values, present))

    def of_native_histograms(self, args: list[Any]) -> Frame:
        """There are none: samples that are numbers are passed over."""
        return Frame([], np.zeros((0, self.steps.size)), np.zeros((0, self.steps.size), bool))

    def label_replace(self, args: list[Any]) -> Frame:
        frame, (to, replacement, source, pattern) = self.frame(args[0]), [self.of(arg) for arg in args[1:]]
        try:
            compiled = regexes.compiled(f"^(?s:{pattern})$")
        except regexes.Invalid:
            raise Execution(f"invalid regular expression in label_replace(): {pattern}") from None
        _check_label(str(to), "invalid destination label name in label_replace()")
        labels = []
        for each in frame.labels:
            found = compiled.fullmatch(each.get(str(source), ""))
            labels.append(each if found is None else _with(each, str(to), _expanded(str(replacement), found)))
        return _distinct(Frame(labels, frame.values, frame.present))

    def label_join(self, args: list[Any]) -> Frame:
        frame, (to, separator, *sources) = self.frame(args[0]), [str(self.of(arg)) for arg in args[1:]]
        _check_label(to, "invalid destination label name in label_join()")
        labels = [_with(each, to, separator.join(each.get(source, "") for source in sources)) for each in frame.labels]
        return _distinct(Frame(labels, frame.values, frame.present))

    def histogram_quantile(self, args: list[Any]) -> Frame:
        rank, frame = self.scalar(args[0]), self.frame(args[1])
        groups: dict[Key, list[tuple[float, int]]] = defaultdict(list)
        for row, labels in enumerate(frame.labels):
            try:
                bound = float(labels.get("le", ""))
            except ValueError:
                continue  # Prometheus warns of these.
            groups[_key(labels, without=(NAME, "le"))].append((bound, row))
        values, present = np.zeros((len(groups), self.steps.size)), np.zeros((len(groups), self.steps.size), bool)
        for at, buckets in enumerate(groups.values()):
            self.budget.look()
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
            label = str(self.of(node.param))
            _check_label(label, "invalid label name")
            return self._count_values(frame, groups, label)
        rank = self.scalar(node.param) if op == "quantile" else None
        values, present = np.zeros((len(groups), self.steps.size)), np.zeros((len(groups), self.steps.size), bool)
        for at, rows in enumerate(groups.values()):
            self.budget.look()
            there = frame.present[rows]
            present[at] = there.any(axis=0)
            values[at] = _quantiles(frame.values[rows], there, rank) if rank is not None else _FOLDS[op](
                frame.values[rows], there
            )  # fmt: skip
        return Frame([dict(key) for key in groups], values, present)

    def _chosen(self, frame: Frame, groups: Iterable[list[int]], numbers: Floats, sign: int) -> Frame:
        """topk and bottomk: those that are no numbers come last. At one moment alone the chosen are in order, too."""
        present, chosen = np.zeros_like(frame.present), list[int]()
        for rows in groups:
            self.budget.look()
            there, values = frame.present[rows], sign * frame.values[rows]
            order = np.lexsort((values, np.isnan(values), ~there), axis=0)
            place = np.argsort(order, axis=0)
            present[rows] = (place < numbers) & there
            chosen += [rows[at] for at in order[:, 0]]
        if self.steps.size > 1:
            return Frame(frame.labels, frame.values, present)
        return Frame([frame.labels[row] for row in chosen], frame.values[chosen], present[chosen])

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
                self.budget.look()
                for step in np.flatnonzero(frame.present[row]):
                    named = _key({**dict(key), label: shown(frame.values[row, step])})
                    if named not in out:
                        self.budget.take(self.steps.size)
                        out[named] = np.zeros(self.steps.size)
                    out[named][step] += 1
        values = np.array(list(out.values())).reshape(len(out), self.steps.size)
        return Frame([dict(key) for key in out], values, values > 0)

    # --- operators ----------------------------------------------------------------------------------------------

    def unary(self, node: Any) -> Value:
        value = self.of(node.expr)
        if isinstance(value, Scalar):
            return Scalar(-value.values)
        frame = _vector(value)
        return _unnamed(Frame(frame.labels, -frame.values, frame.present))

    def binary(self, node: Any) -> Value:
        op, left, right, modifier = str(node.op), self.of(node.lhs), self.of(node.rhs), node.modifier
        as_bool = modifier is not None and modifier.return_bool
        if op in ("and", "or", "unless"):
            return _set_operation(op, _vector(left), _vector(right), _matching(modifier))
        if isinstance(left, Scalar) and isinstance(right, Scalar):
            return Scalar(_OPERATORS[op](left.values, right.values).astype(float))
        if isinstance(left, Frame) and isinstance(right, Frame):
            return self._between(op, left, right, modifier, as_bool)
        frame = left if isinstance(left, Frame) else right
        if (
            not isinstance(frame, Frame)
            or not isinstance(left, Frame | Scalar)
            or not isinstance(right, Frame | Scalar)
        ):
            raise BadData(f"binary expression {op} must contain only scalar and instant vector types")
        result = _OPERATORS[op](left.values, right.values)
        if op in _COMPARISONS and not as_bool:
            return Frame(frame.labels, frame.values, frame.present & result)
        return _unnamed(Frame(frame.labels, result.astype(float), frame.present))

    def _between(self, op: str, left: Frame, right: Frame, modifier: Any, as_bool: bool) -> Frame:
        card = modifier.card if modifier is not None else parser.VectorMatchCardinality.OneToOne
        swapped = card == parser.VectorMatchCardinality.OneToMany
        many, one = (right, left) if swapped else (left, right)
        grouped = swapped or card == parser.VectorMatchCardinality.ManyToOne
        key, included = _matching(modifier), list((modifier.group_labels if modifier is not None else None) or ())
        ones: dict[Key, list[int]] = defaultdict(list)
        for row, labels in enumerate(one.labels):
            ones[key(labels)].append(row)
        self._check_single(one, ones, many, "left" if swapped else "right")
        partners = [ones.get(key(labels), ()) for labels in many.labels]
        if sum(map(len, partners)) * self.steps.size > MOST_SAMPLES:
            raise Execution(TOO_MANY)
        pairs = [(row, other) for row, others in enumerate(partners) for other in others]
        rows, others = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
        a, b = many.values[rows], one.values[others]
        present = many.present[rows] & one.present[others]
        result = _OPERATORS[op](b, a) if swapped else _OPERATORS[op](a, b)
        filters = op in _COMPARISONS and not as_bool
        if filters:
            present = present & result
        dropped = frozenset() if _is_on(modifier) else _named_by(modifier)
        made_labels = []
        for row, other in pairs:
            made = many.labels[row] if filters else _bare(many.labels[row])
            if not grouped:
                made = dict(key(made)) if _is_on(modifier) else {k: v for k, v in made.items() if k not in dropped}
            for name in included:
                made = _with(made, name, one.labels[other].get(name, ""))
            made_labels.append(made)
        kept = Frame(made_labels, a if filters else result.astype(float), present)
        return _distinct(kept, GROUPED if grouped else ONE_TO_ONE)

    def _check_single(self, one: Frame, groups: dict[Key, list[int]], many: Frame, side: str) -> None:
        """Errors: Execution if there are two of a group at a moment at which there is something to match with them."""
        asked = many.present.any(axis=0)
        for key, rows in groups.items():
            self.budget.look()
            if len(rows) < 2:
                continue
            twice = np.flatnonzero((one.present[rows].sum(axis=0) > 1) & asked)
            if twice.size:
                first, second = [row for row in rows if one.present[row, twice[0]]][:2]
                pair = f"[{spelt(one.labels[second])}, {spelt(one.labels[first])}]"
                raise Execution(
                    f"found duplicate series for the match group {spelt(dict(key))} on the {side} hand-side of the"
                    f" operation: {pair};many-to-many matching not allowed: matching labels must be unique on one side"
                )


ONE_TO_ONE = "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)"
GROUPED = "multiple matches for labels: grouping labels must ensure unique matches"


def spelt(labels: Labels) -> str:
    """Labels as Prometheus writes them.

    >>> spelt({"job": "a", "__name__": "up"})
    '{__name__="up", job="a"}'
    """
    return "{" + ", ".join(f"{name}={json.dumps(labels[name], ensure_ascii=False)}" for name in sorted(labels)) + "}"


def _vector(value: Value) -> Frame:
    if not isinstance(value, Frame):
        raise BadData("expected type instant vector")
    return value


def _check_label(name: str, problem: str) -> None:
    """Errors: Execution."""
    if not name:
        raise Execution(f"{problem}: {name}")


def _beyond(ranks: Floats, values: Floats) -> Floats:
    """Quantiles of ranks that are none: infinite below 0 and above 1."""
    return np.where(ranks < 0, -np.inf, np.where(ranks > 1, np.inf, np.where(np.isnan(ranks), np.nan, values)))


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


def _named_by(modifier: Any) -> frozenset[str]:
    """The labels behind `on` or `ignoring`."""
    matching = modifier.matching if modifier is not None else None
    return frozenset(matching.labels) if matching is not None else frozenset()


def _matching(modifier: Any) -> Callable[[Labels], Key]:
    names = tuple(_named_by(modifier))
    if _is_on(modifier):
        return lambda labels: _key(labels, only=names)
    return lambda labels: _key(labels, without=(NAME, *names))


def matchers_of(node: Any) -> list[Matcher]:
    ops = {"Equal": "=", "NotEqual": "!=", "Re": "=~", "NotRe": "!~"}
    found = [Matcher(each.name, ops[str(each.op).rpartition(".")[2]], each.value) for each in node.matchers.matchers]
    return [Matcher(NAME, "=", node.name), *found] if node.name else found


def shown(value: float) -> str:
    """A number as Prometheus writes it.

    >>> shown(0.00001), shown(1e-7), shown(1e21), shown(12345678901234567890.0), shown(-0.0)
    ('0.00001', '1e-07', '1e+21', '12345678901234567000', '-0')
    """
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "+Inf" if value > 0 else "-Inf"
    text = repr(float(value))
    if "e" in text and 1e-6 <= abs(value) < 1e21:
        return format(Decimal(text), "f")
    return text.removesuffix(".0")


def scientific(value: float) -> str:
    """A number with an exponent, as Prometheus writes those of alerts.

    >>> scientific(1.0), scientific(0.25)
    ('1e+00', '2.5e-01')
    """
    if not math.isfinite(value):
        return shown(value)
    digits = len(Decimal(repr(float(value))).normalize().as_tuple().digits)
    return f"{value:.{digits - 1}e}"


def _milliseconds(delta: Any) -> int:
    return round(delta.total_seconds() * 1000)


def _key(labels: Labels, only: tuple[str, ...] | None = None, without: tuple[str, ...] = ()) -> Key:
    return tuple(sorted((k, v) for k, v in labels.items() if (only is None or k in only) and k not in without and v))


def _bare(labels: Labels) -> Labels:
    return {name: value for name, value in labels.items() if name != NAME}


def _unnamed(frame: Frame) -> Frame:
    """Without the metrics' names. Errors: Execution, if they were all that told series apart."""
    names = {each.get(NAME) for each in frame.labels}
    bare = Frame([_bare(each) for each in frame.labels], frame.values, frame.present)
    return bare if len(names) < 2 else _distinct(bare)


def _with(labels: Labels, name: str, value: str) -> Labels:
    return {**labels, name: value} if value else {k: v for k, v in labels.items() if k != name}


def _natural(text: str) -> list[tuple[int, int, str]]:
    """An order in which `node-10` comes after `node-9`."""
    parts = re.split(r"(\d+)", text)
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts if part]


_PLACE = re.compile(r"\$(?:(\$)|\{(\w+)\}|(\w+))")


def _expanded(template: str, found: Any) -> str:
    """`$1`, `${1}` and `${name}` in a replacement, as Go's Regexp.Expand reads them: `$1x` is a group called 1x."""
    named = found.groupdict()

    def group(place: re.Match[str]) -> str:
        if place[1]:
            return "$"
        name = place[2] or place[3]
        if name.isdecimal():
            return (found.group(int(name)) or "") if int(name) <= len(found.groups()) else ""
        return named.get(name) or ""

    return _PLACE.sub(group, template)


def _distinct(frame: Frame, problem: str = "vector cannot contain metrics with the same labelset") -> Frame:
    """Errors: Execution if two series of one moment have the same labels."""
    seen: dict[Key, Flags] = {}
    for row, labels in enumerate(frame.labels):
        key, present = _key(labels), frame.present[row]
        if key in seen and (seen[key] & present).any():
            raise Execution(problem)
        seen[key] = seen[key] | present if key in seen else present
    return frame


def vector(value: Value) -> Frame:
    """What a graph can show. Errors: BadData."""
    if isinstance(value, Scalar):
        return as_frame(value)
    if isinstance(value, Frame):
        return value
    kind = "string" if isinstance(value, str) else "range vector"
    raise BadData(
        f'invalid parameter "query": invalid expression type "{kind}" for range query, must be Scalar or instant Vector'
    )


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
        out[step] = np.quantile(values[present[:, step], step], min(max(rank[step], 0), 1) if rank[step] >= 0 else 0)
    return _beyond(rank, out)


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
    "min": lambda values, present: np.fmin.reduce(np.where(present, values, np.nan), axis=0),
    "max": lambda values, present: np.fmax.reduce(np.where(present, values, np.nan), axis=0),
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
    "MatrixSelector": _Evaluation.windows,
    "SubqueryExpr": _Evaluation.windows,
    "Call": _Evaluation.call,
    "AggregateExpr": _Evaluation.aggregate,
    "UnaryExpr": _Evaluation.unary,
    "BinaryExpr": _Evaluation.binary,
}
