"""What containers printed, from their records: any window, in order, at the price of what it yields.

`lines` never runs a program from its beginning to reach the end (programs find any moment by themselves), so
`tail` simply looks at ever longer windows before the end until it has enough: a minute, an hour, and so on. A
week-old container that prints every five seconds gives its last ten lines in well under a millisecond.
"""

from collections.abc import Iterator
from itertools import islice

from cluster.runtime.containers import Record, program_of
from cluster.runtime.programs.program import SECOND, Line

FIRST_WINDOW = 60 * SECOND
WINDOW_GROWTH = 8


def lines(record: Record, start: int, end: int, epoch: int) -> Iterator[Line]:
    """Lines of [start, end), both microseconds since t = 0. Nothing before the container started."""
    if record["started"] is None:
        return iter(())
    last = end if record["ended"] is None else min(end, record["ended"] + 1)
    first = max(start, record["started"])
    return program_of(record, epoch).lines(first, last) if first < last else iter(())


def tail(record: Record, count: int, end: int, epoch: int, start: int = 0) -> list[Line]:
    """The last `count` lines of [start, end)."""
    if record["started"] is None or count <= 0:
        return []
    first = max(start, record["started"])
    last = end if record["ended"] is None else min(end, record["ended"] + 1)
    window = FIRST_WINDOW
    while True:
        since = max(last - window, first)
        found = list(lines(record, since, last, epoch))
        if len(found) >= count or since <= first:
            return found[-count:]
        window *= WINDOW_GROWTH


def head(record: Record, count: int, start: int, end: int, epoch: int) -> list[Line]:
    """The first `count` lines of [start, end)."""
    return list(islice(lines(record, start, end, epoch), count))
