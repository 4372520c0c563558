"""How much a container is asked: requests counted in its record, quarter of a minute by quarter of a minute.

    hits   [[when the quarter began, requests in it], …], oldest first: the last ten minutes in which there were any

CPU follows from it, at any moment of the past that is still kept, for whoever has the record.
"""

from collections.abc import Sequence

SECOND = 1_000_000
QUARTER = 15 * SECOND
KEPT = 40  # Quarters.

Hits = Sequence[Sequence[int]]


def counted(hits: Hits, now: int, more: int = 1) -> list[list[int]]:
    """The hits with `more` requests at `now`."""
    begun = now // QUARTER * QUARTER
    if hits and hits[-1][0] == begun:
        return [*(list(each) for each in hits[:-1]), [begun, hits[-1][1] + more]]
    return [*(list(each) for each in hits[-KEPT + 1 :]), [begun, more]]


def rate(hits: Hits, moment: int) -> float:
    """Requests a second over the quarter of a minute before `moment`; within a quarter they count as evenly spread.

    >>> rate([[0, 150]], 15_000_000), rate([[0, 150]], 22_500_000), rate([], 5)
    (10.0, 5.0, 0.0)
    """
    begun, inside = divmod(moment, QUARTER)
    found = {each[0]: each[1] for each in hits[-KEPT:]}
    now, before = found.get(begun * QUARTER, 0), found.get((begun - 1) * QUARTER, 0)
    return (now + before * (QUARTER - inside) / QUARTER) * SECOND / QUARTER
