"""PromQL's functions over windows of samples, for all series and all steps at once.

A window is (t - range, t], open on the left as since Prometheus 3. Samples of all series share their times, because one
scraper takes them all at one instant; where a series has none, `present` is false.

Old samples are folded (blocks.py): counts, sums, means, extremes and increases are of all that there were; the others,
such as quantiles and standard deviations, see the two of every five minutes that are kept.

Mirrors: prometheus/promql/functions.go
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

FAR = 10**8  # Days from 1970: beyond them a calendar says nothing.
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


class Folded(NamedTuple):
    """What columns stand for, where samples before them were left out: (S, T) each.

    `drops`: what counters lost by resets since the column before; NaN: that is seen by looking at both.
    """

    sums: Floats
    counts: Floats
    lows: Floats
    highs: Floats
    drops: Floats


class Samples(NamedTuple):
    """`times`: milliseconds, ascending (T,). `values`, `present`: (S, T)."""

    labels: list[dict[str, str]]
    times: NDArray[np.int64]
    values: Floats
    present: Flags
    folded: Folded | None = None


class Windows(NamedTuple):
    """Column `low` to before `high` of `samples`, one window a step; all lengths and steps in milliseconds."""

    samples: Samples
    steps: NDArray[np.int64]
    length: int
    low: NDArray[np.int64]
    high: NDArray[np.int64]
    look: Callable[[], None] = lambda: None  # Asked before every step that takes long: may it go on?


def windows(samples: Samples, steps: NDArray[np.int64], length: int) -> Windows:
    low = np.searchsorted(samples.times, steps - length, "right")
    return Windows(samples, steps, length, low, np.searchsorted(samples.times, steps, "right"))


def _ends(w: Windows) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Column of the first and of the last sample in each window, and how many there are: each (S, steps)."""
    present = w.samples.present
    rows, columns = present.shape
    index = np.arange(columns)
    last = np.full((rows, columns + 1), -1, np.int64)
    np.maximum.accumulate(np.where(present, index, -1), axis=1, out=last[:, 1:])
    first = np.full((rows, columns + 1), columns, np.int64)
    backwards = np.where(present, index, columns)[:, ::-1]
    first[:, :-1] = np.minimum.accumulate(backwards, axis=1)[:, ::-1]
    folded = w.samples.folded
    count = _sums(present.astype(np.int64) if folded is None else folded.counts.astype(np.int64))
    first, last = first[:, w.low], last[:, w.high]
    return first, last, count[:, w.high] - count[:, w.low]


def _sums(values: NDArray) -> NDArray:
    """Running sums with a zero in front."""
    out = np.zeros((values.shape[0], values.shape[1] + 1), values.dtype)
    np.cumsum(values, axis=1, out=out[:, 1:])
    return out


def _previous(samples: Samples) -> tuple[Floats, Flags]:
    """The value that a series had at its sample before each; where it had one."""
    rows, columns = samples.present.shape
    index = np.maximum.accumulate(np.where(samples.present, np.arange(columns), -1), axis=1)
    before = np.concatenate([np.full((rows, 1), -1), index[:, :-1]], axis=1)
    known = (before >= 0) & samples.present
    return np.take_along_axis(samples.values, np.maximum(before, 0), 1) if columns else samples.values, known


def extrapolated(w: Windows, counter: bool, per_second: bool) -> tuple[Floats, Flags]:
    """rate, increase and delta: what was seen, stretched to the window's ends where samples come close to them."""
    whole = _whole_rows(w.samples)
    if whole.any() and not whole.all():  # Series without a gap are cheap: don't let the others spoil it.
        out = np.zeros((whole.size, w.steps.size)), np.zeros((whole.size, w.steps.size), bool)
        for rows in (whole, ~whole):
            found = extrapolated(w._replace(samples=_of_rows(w.samples, rows)), counter, per_second)
            out[0][rows], out[1][rows] = found
        return out
    first, last, count = (
        _ends(w) if not whole.all() else (w.low[None, :], w.high[None, :] - 1, (w.high - w.low)[None, :])
    )
    good = (count >= 2) & (first < last)
    first, last = np.where(good, first, 0), np.where(good, last, 0)
    values, times = w.samples.values, w.samples.times
    if not times.size:
        return np.zeros((values.shape[0], w.steps.size)), np.zeros((values.shape[0], w.steps.size), bool)
    risen = values + np.cumsum(_lost(w.samples), axis=1) if counter else values
    begin, end, at_first = _at(risen, first), _at(risen, last), _at(values, first)
    begun, ended = times[first].astype(float), times[last].astype(float)
    if w.samples.folded is not None:
        inside, value = _between(w, risen, w.low, w.steps - w.length)
        begin, begun = np.where(inside, value, begin), np.where(inside, w.steps - w.length, begun)
        inside_end, value = _between(w, risen, w.high, w.steps)
        end, ended = np.where(inside_end, value, end), np.where(inside_end, w.steps, ended)
        good = good | (inside & inside_end) | ((inside | inside_end) & (count >= 1))
    result = end - begin
    with np.errstate(all="ignore"):
        to_start = (begun - (w.steps - w.length)) / 1000
        to_end = (w.steps - ended) / 1000
        seen = (ended - begun) / 1000
        mean = seen / np.maximum(count - 1, 1)
        near = mean * 1.1
        to_start = np.where(to_start >= near, mean / 2, to_start)
        if counter:
            to_zero = np.where((result > 0) & (at_first >= 0), seen * at_first / result, np.inf)
            to_start = np.minimum(to_start, to_zero)
        to_end = np.where(to_end >= near, mean / 2, to_end)
        result = result * (seen + to_start + to_end) / seen
        if per_second:
            result /= w.length / 1000
    there: Flags = np.broadcast_to(good, result.shape)
    return np.where(there, result, 0.0), there


def _whole_rows(samples: Samples) -> Flags:
    """Series that have a sample in every column; none, where columns stand for several samples."""
    if samples.folded is not None or not samples.times.size:
        return np.zeros(len(samples.labels), bool)
    found: Flags = np.logical_and.reduce(samples.present, axis=1)
    return found


def _of_rows(samples: Samples, rows: Flags) -> Samples:
    labels = [samples.labels[row] for row in np.flatnonzero(rows)]
    return Samples(labels, samples.times, samples.values[rows], samples.present[rows])


def _at(values: Floats, columns: NDArray[np.int64]) -> Floats:
    """Of every series the value in its column of each step; one row of columns is for all of them."""
    return values[:, columns[0]] if columns.shape[0] == 1 else np.take_along_axis(values, columns, 1)


def _lost(samples: Samples) -> Floats:
    """What counters lost by a reset since the column before."""
    if bool(_whole_rows(samples).all()):
        lost = np.zeros_like(samples.values)
        before, after = samples.values[:, :-1], samples.values[:, 1:]
        np.copyto(lost[:, 1:], before, where=after < before)
        return lost
    before, known = _previous(samples)
    lost = np.where(known & (samples.values < before), before, 0.0)
    if samples.folded is not None:
        lost = np.where(np.isnan(samples.folded.drops), lost, samples.folded.drops)
    return lost


def _between(w: Windows, risen: Floats, column: NDArray[np.int64], moments: NDArray[np.int64]) -> tuple[Flags, Floats]:
    """Where a window's end lies between the first and the last sample of folded ones: the value on the line there.

    `column`: the first after `moments`.
    """
    assert w.samples.folded is not None
    times, present = w.samples.times, w.samples.present
    after = np.minimum(column, times.size - 1)
    before = np.maximum(after - 1, 0)
    cut = (column < times.size) & (column > 0) & (times[before] <= moments) & (moments < times[after])
    folded = ~np.isnan(w.samples.folded.drops[:, after])
    inside = cut & folded & present[:, before] & present[:, after]
    share = (moments - times[before]) / np.maximum(times[after] - times[before], 1)
    return inside, risen[:, before] + share * (risen[:, after] - risen[:, before])


def instant(w: Windows, counter: bool) -> tuple[Floats, Flags]:
    """irate and idelta: between the last two samples."""
    first, last, count = _ends(w)
    good = (count >= 2) & (first < last)
    last = np.where(good, last, 0)
    before, _ = _previous(w.samples)
    rows, columns = w.samples.present.shape
    index = np.maximum.accumulate(np.where(w.samples.present, np.arange(columns), -1), axis=1)
    earlier = np.concatenate([np.full((rows, 1), 0), np.maximum(index[:, :-1], 0)], axis=1)
    new, old = np.take_along_axis(w.samples.values, last, 1), np.take_along_axis(before, last, 1)
    change = np.where(new < old, new, new - old) if counter else new - old
    if counter:
        times = w.samples.times
        with np.errstate(all="ignore"):
            change = change / ((times[last] - times[np.take_along_axis(earlier, last, 1)]) / 1000)
    return np.where(good, change, 0.0), good


def counted(w: Windows) -> tuple[Floats, Flags]:
    _, _, count = _ends(w)
    return count.astype(float), count > 0


def at_last(w: Windows) -> tuple[Floats, Flags]:
    _, last, _ = _ends(w)
    there = (last >= 0) & (last >= w.low)
    return np.take_along_axis(w.samples.values, np.where(there, last, 0), 1), there


def happened(w: Windows, what: Callable[[Floats, Floats], Flags]) -> tuple[Floats, Flags]:
    """changes and resets: how often `what` is true of a sample and the one before it."""
    first, last, _ = _ends(w)
    good = (last >= w.low) & (first <= last)
    before, known = _previous(w.samples)
    events = np.cumsum(known & what(w.samples.values, before), axis=1)
    ends = [np.take_along_axis(events, np.where(good, end, 0), 1) for end in (first, last)]
    return (ends[1] - ends[0]).astype(float), good


def each(w: Windows, fold: Callable[[Floats], Floats], what: str = "") -> tuple[Floats, Flags]:
    """Window by window: `fold` takes (S, samples) with NaN where there is none and gives (S,).

    `what`: which of Folded's it takes in place of samples, where there are such.
    """
    _, _, count = _ends(w)
    out = np.zeros(count.shape)
    values = np.where(w.samples.present, w.samples.values, np.nan)
    if what and w.samples.folded is not None:
        values = np.where(w.samples.folded.counts > 0, getattr(w.samples.folded, what), np.nan)
    for step, (low, high) in enumerate(zip(w.low, w.high, strict=True)):
        w.look()
        rows = count[:, step] > 0
        if rows.any():
            out[rows, step] = fold(values[rows, low:high])
    return out, count > 0


def quantiles(w: Windows, ranks: Floats) -> tuple[Floats, Flags]:
    """quantile_over_time: each step has a rank of its own; all of them between 0 and 1."""
    _, _, count = _ends(w)
    values, out = np.where(w.samples.present, w.samples.values, np.nan), np.zeros(count.shape)
    for step, (low, high) in enumerate(zip(w.low, w.high, strict=True)):
        for row in np.flatnonzero(count[:, step]):
            w.look()
            out[row, step] = np.nanquantile(values[row, low:high], ranks[step])
    return out, count > 0


def mean(w: Windows) -> tuple[Floats, Flags]:
    """avg_over_time"""
    if w.samples.folded is None:
        return each(w, lambda v: np.nanmean(v, axis=1))
    total, there = each(w, lambda v: np.nansum(v, axis=1), "sums")
    return np.where(there, total / np.maximum(counted(w)[0], 1), 0.0), there


def line(w: Windows, ahead: Floats | None) -> tuple[Floats, Flags]:
    """deriv, or with `ahead` (seconds, one a step) predict_linear: least squares through the samples of each window."""
    first, last, count = _ends(w)
    good = (count >= 2) & (first < last)
    out = np.zeros(count.shape)
    for step, (low, high) in enumerate(zip(w.low, w.high, strict=True)):
        w.look()
        rows = good[:, step]
        if not rows.any():
            continue
        there = w.samples.present[rows, low:high]
        x = np.where(there, (w.samples.times[low:high] - w.steps[step]) / 1000, 0.0)
        y = np.where(there, w.samples.values[rows, low:high], 0.0)
        n = there.sum(axis=1)
        spread = (x * x).sum(axis=1) - x.sum(axis=1) ** 2 / n
        slope = ((x * y).sum(axis=1) - x.sum(axis=1) * y.sum(axis=1) / n) / spread
        start = y.sum(axis=1) / n - slope * x.sum(axis=1) / n
        out[rows, step] = slope if ahead is None else start + slope * ahead[step]
    return out, good


RANGE: dict[str, Callable[[Windows], tuple[Floats, Flags]]] = {
    "rate": lambda w: extrapolated(w, counter=True, per_second=True),
    "increase": lambda w: extrapolated(w, counter=True, per_second=False),
    "delta": lambda w: extrapolated(w, counter=False, per_second=False),
    "irate": lambda w: instant(w, counter=True),
    "idelta": lambda w: instant(w, counter=False),
    "count_over_time": counted,
    "last_over_time": at_last,
    "present_over_time": lambda w: (np.ones(counted(w)[0].shape), counted(w)[1]),
    "changes": lambda w: happened(w, lambda new, old: new != old),
    "resets": lambda w: happened(w, lambda new, old: new < old),
    "deriv": lambda w: line(w, None),
    "sum_over_time": lambda w: each(w, lambda v: np.nansum(v, axis=1), "sums"),
    "avg_over_time": mean,
    "min_over_time": lambda w: each(w, lambda v: np.nanmin(v, axis=1), "lows"),
    "max_over_time": lambda w: each(w, lambda v: np.nanmax(v, axis=1), "highs"),
    "first_over_time": lambda w: each(w, lambda v: v[np.arange(len(v)), np.argmin(np.isnan(v), axis=1)]),
    "mad_over_time": lambda w: each(w, spread_of_medians),
    "stddev_over_time": lambda w: each(w, lambda v: np.nanstd(v, axis=1)),
    "stdvar_over_time": lambda w: each(w, lambda v: np.nanvar(v, axis=1)),
}


def _days(seconds: Floats) -> Floats:
    """Whole days since 1970; what is no number stays none."""
    return np.floor(seconds / 86400)


def _months(seconds: Floats) -> Floats:
    """Whole months since 1970."""
    days = _days(seconds)
    known = np.isfinite(days) & (np.abs(days) < FAR)
    found = np.where(known, days, 0).astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
    return np.where(known, found, np.nan)


def _first_days(months: Floats) -> Floats:
    """The first day of each month, in days since 1970."""
    known = np.isfinite(months)
    found = np.where(known, months, 0).astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    return np.where(known, found, np.nan)


def smoothed(w: Windows, factor: float, trend: float) -> tuple[Floats, Flags]:
    """double_exponential_smoothing: the level after the last sample; both factors between 0 and 1."""
    first, last, count = _ends(w)
    good = (count >= 2) & (first < last)
    out = np.zeros(good.shape)
    for row, step in zip(*np.nonzero(good), strict=True):
        w.look()
        there = w.samples.present[row, w.low[step] : w.high[step]]
        found = w.samples.values[row, w.low[step] : w.high[step]][there].tolist()
        level, slope = found[0], found[1] - found[0]
        for value in found[1:]:
            before, level = level, factor * value + (1 - factor) * (level + slope)
            slope = trend * (level - before) + (1 - trend) * slope
        out[row, step] = level
    return out, good


def spread_of_medians(values: Floats) -> Floats:
    """mad_over_time: the median distance from the median."""
    return np.nanmedian(np.abs(values - np.nanmedian(values, axis=1)[:, None]), axis=1)


VALUE: dict[str, Callable[[Floats], Floats]] = {
    "abs": np.abs, "ceil": np.ceil, "floor": np.floor, "exp": np.exp, "sqrt": np.sqrt, "ln": np.log, "log2": np.log2,
    "log10": np.log10, "sgn": np.sign, "sin": np.sin, "cos": np.cos, "tan": np.tan, "deg": np.degrees,
    "rad": np.radians,
    "acos": np.arccos, "asin": np.arcsin, "atan": np.arctan, "sinh": np.sinh, "cosh": np.cosh, "tanh": np.tanh,
    "acosh": np.arccosh, "asinh": np.arcsinh, "atanh": np.arctanh,
    "month": lambda v: _months(v) % 12 + 1,
    "year": lambda v: _months(v) // 12 + 1970,
    "day_of_month": lambda v: _days(v) - _first_days(_months(v)) + 1,
    "day_of_year": lambda v: _days(v) - _first_days(_months(v) // 12 * 12) + 1,
    "days_in_month": lambda v: _first_days(_months(v) + 1) - _first_days(_months(v)),
    "minute": lambda v: v // 60 % 60,
    "hour": lambda v: v // 3600 % 24,
    "day_of_week": lambda v: (v // 86400 + 4) % 7,
}  # fmt: skip
