"""Histograms as Prometheus has them: which bucket an observation falls into.

Mirrors:  component-base/metrics (ExponentialBuckets), kubernetes/pkg/scheduler/metrics
"""

from bisect import bisect_left
from collections.abc import Sequence

DURATIONS = tuple(1_000 << power for power in range(15))  # Of a scheduling attempt: 1 ms to 16 s, in microseconds.
ATTEMPTS = (1, 2, 4, 8, 16)  # Until a pod was scheduled.


def bucket(value: int, bounds: Sequence[int]) -> int:
    """The number of the first bucket that holds `value`; the one after the last bound is +Inf's.

    >>> bucket(2, (1, 2, 4)), bucket(5, (1, 2, 4))
    (1, 3)
    """
    return bisect_left(bounds, value)
