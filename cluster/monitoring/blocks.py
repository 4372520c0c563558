"""Samples as bytes: a matrix of series and scrapes, XORed along time, bytes of one weight together, then zlib.

Neighbours in time share sign, exponent and leading digits, so most of the XORed bytes are zero. Nothing is lost: absent
samples are Prometheus' stale NaN, other NaNs stay what they are.

Source: Gorilla (Pelkonen et al., VLDB 2015), whose XOR this is, with zlib in place of its bit packing.
"""

import struct
import zlib
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

STALE = np.uint64(0x7FF0000000000002)  # prometheus/model/value: StaleNaN.
HEAD = struct.Struct("<II")
LEVEL = 4  # Of zlib: beyond it bytes shrink by a hundredth, and time doubles.


class Block(NamedTuple):
    """`numbers`: of series, ascending (S,). `times`: milliseconds, ascending (T,). `values`: (S, T)."""

    numbers: NDArray[np.int32]
    times: NDArray[np.int64]
    values: NDArray[np.float64]

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
    return HEAD.pack(*block.values.shape) + zlib.compress(b"".join(part.tobytes() for part in parts), LEVEL)


def decode(body: bytes) -> Block:
    """Errors: ValueError if these are no block's bytes."""
    try:
        series, count = HEAD.unpack_from(body)
        raw = zlib.decompress(body[HEAD.size :])
    except (struct.error, zlib.error) as error:
        raise ValueError(f"no block of samples: {error}") from None
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
