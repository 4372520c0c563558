"""How much the host has to do, in calls of functions: a measure that no other load on the machine changes."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

# One input within SECONDS of simulated time may take so many calls: some five seconds of a slow machine. An exec that
# goes on for ever costs that much again for every such time.
MOST, SECONDS = 15_000_000, 5


@contextmanager
def counted() -> Iterator[list[int]]:
    """The number of calls, Python's and C's, in the one element of a list."""
    calls = [0]

    def count(frame: Any, event: str, argument: Any) -> None:
        if event in ("call", "c_call"):
            calls[0] += 1

    sys.setprofile(count)
    try:
        yield calls
    finally:
        sys.setprofile(None)
