"""Samples as bytes: a matrix of series and scrapes, XORed along time, bytes of one weight together, then zlib.

Neighbours in time share sign, exponent and leading digits, so most of the XORed bytes are zero. Nothing is lost: absent
samples are Prometheus' stale NaN, other NaNs stay what they are.

A folded block keeps of every five minutes the first and the last sample as they were, and of those in between and the
last one their sum, number, extremes, and what counters lost by resets: so increases are exact, and so are averages and
extremes of whole five minutes. Any window of five minutes still has two samples, so a rate has a value.

Source: Gorilla (Pelkonen et al., VLDB 2015), whose XOR this is, with zlib in place of its bit packing.
"""

import struct
import zlib
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

STALE = np.uint64(0x7FF0000000000002)  # prometheus/model/value: StaleNaN.
HEAD, LENGTH = struct.Struct("<II"), struct.Struct("<I")
FOLDED = 1 << 31  # Beside the number of series.
FOLD = 300_000  # Milliseconds of which a folded block keeps the first and the last sample.
LEVEL, QUICK = 4, 1  # Of zlib: beyond 4 bytes shrink by a hundredth, and time doubles; a lone scrape is not kept long.


class Folds(NamedTuple):
    """What stands for samples that were left out. `columns`: of the block, ascending (K,); the others: (S, K)."""

    columns: NDArray[np.int32]
    sums: NDArray[np.float64]
    counts: NDArray[np.float64]
    lows: NDArray[np.float64]
    highs: NDArray[np.float64]
    drops: NDArray[np.float64]  # Values of counters before they were reset, added up.


class Block(NamedTuple):
    """`numbers`: of series, ascending (S,). `times`: milliseconds, ascending (T,). `values`: (S, T)."""

    numbers: NDArray[np.int32]
    times: NDArray[np.int64]
    values: NDArray[np.float64]
    folds: Folds | None = None

    @property
    def present(self) -> NDArray[np.bool_]:
        found: NDArray[np.bool_] = self.values.view(np.uint64) != STALE
        return found


def absent(series: int, times: int) -> NDArray[np.float64]:
    """Values of which none is there."""
    return np.full((series, times), STALE, np.uint64).view(np.float64)


def encode(block: Block) -> bytes:
    bits = np.ascontiguousarray(block.values).view(np.uint64)
    changed = bits.copy()
    changed[:, 1:] ^= bits[:, :-1]
    planes = changed.view(np.uint8).reshape(-1, 8).T
    parts = (block.numbers.astype("<i4"), block.times.astype("<i8"), np.ascontiguousarray(planes))
    level = LEVEL if block.times.size > 1 else QUICK
    plain = zlib.compress(b"".join(part.tobytes() for part in parts), level)
    if block.folds is None:
        return HEAD.pack(*block.values.shape) + plain
    series, kept = block.values.shape[0], block.folds.columns.size
    matrices = np.concatenate(block.folds[1:]) if kept else np.zeros((5 * series, 0))
    rows = np.arange(5 * series, dtype=np.int32)
    more = encode(Block(rows, block.folds.columns.astype(np.int64), matrices))
    return HEAD.pack(series | FOLDED, block.values.shape[1]) + LENGTH.pack(len(plain)) + plain + more


def decode(body: bytes) -> Block:
    """Errors: ValueError if these are no block's bytes."""
    try:
        series, count = HEAD.unpack_from(body)
        if series & FOLDED:
            return _folded(series & ~FOLDED, count, body)
        raw = zlib.decompress(body[HEAD.size :])
    except (struct.error, zlib.error) as error:
        raise ValueError(f"no block of samples: {error}") from None
    return _unpacked(series, count, raw)


def _folded(series: int, count: int, body: bytes) -> Block:
    start = HEAD.size + LENGTH.size
    end = start + LENGTH.unpack_from(body, HEAD.size)[0]
    block, more = _unpacked(series, count, zlib.decompress(body[start:end])), decode(body[end:])
    if more.numbers.size != 5 * series:
        raise ValueError(f"a folded block of {series} series has not {more.numbers.size} rows")
    sums, counts, lows, highs, drops = np.split(more.values, 5)
    return block._replace(folds=Folds(more.times.astype(np.int32), sums, counts, lows, highs, drops))


def _unpacked(series: int, count: int, raw: bytes) -> Block:
    if len(raw) != 4 * series + 8 * count + 8 * series * count:
        raise ValueError(f"a block of {series} series and {count} scrapes has not {len(raw)} bytes")
    numbers = np.frombuffer(raw, "<i4", series)
    times = np.frombuffer(raw, "<i8", count, 4 * series)
    planes = np.frombuffer(raw, np.uint8, offset=4 * series + 8 * count).reshape(8, -1)
    changed = np.ascontiguousarray(planes.T).view(np.uint64).reshape(series, count)
    bits = np.bitwise_xor.accumulate(changed, axis=1) if count else changed
    return Block(numbers, times, bits.view(np.float64))


def merged(parts: list[Block]) -> Block:
    """Blocks as one. They follow one another in time; those of one instant have different series."""
    numbers, times = (np.unique(np.concatenate([part[place] for part in parts])) for place in (0, 1))
    values = absent(numbers.size, times.size)
    for part in parts:
        if part.times.size:
            at = int(np.searchsorted(times, part.times[0]))
            rows = slice(None) if part.numbers.size == numbers.size else np.searchsorted(numbers, part.numbers)
            values[rows, at : at + part.times.size] = part.values
    return Block(numbers, times, values)


def folded(block: Block) -> Block:
    """The block at a resolution of FOLD."""
    part = block.times // FOLD
    starts = np.flatnonzero(np.diff(part, prepend=part[:1] - 1))
    ends = np.append(starts[1:], block.times.size)
    keep, columns, folds = [], [], []
    for low, high in zip(starts.tolist(), ends.tolist(), strict=True):
        keep.append(low)
        if high - low > 1:
            columns.append(len(keep))
            keep.append(high - 1)
            folds.append(_fold(block.values[:, low:high]))
    matrices = [np.stack(each, axis=1) for each in zip(*folds, strict=True)]
    empty = [np.zeros((block.numbers.size, 0))] * 5
    kept = Folds(np.array(columns, np.int32), *(matrices or empty))
    return Block(block.numbers, block.times[keep], np.ascontiguousarray(block.values[:, keep]), kept)


def _fold(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
    """Sum, number, extremes and drops of all samples but the first: (S,) each."""
    there = _present(values)
    later, present = values[:, 1:], there[:, 1:]
    held = np.where(there, values, 0.0)
    index = np.maximum.accumulate(np.where(there, np.arange(values.shape[1]), 0), axis=1)
    before = np.take_along_axis(held, index[:, :-1], 1)
    known = present & np.logical_or.accumulate(there, axis=1)[:, :-1]
    with np.errstate(invalid="ignore"):
        drops = np.where(known & (later < before), before, 0.0).sum(axis=1)
    return (
        held[:, 1:].sum(axis=1),
        present.sum(axis=1).astype(np.float64),
        np.where(present, later, np.inf).min(axis=1),
        np.where(present, later, -np.inf).max(axis=1),
        drops,
    )


def _present(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = np.ascontiguousarray(values).view(np.uint64) != STALE
    return found
