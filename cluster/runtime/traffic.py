"""How much a container is asked, in its record: single requests are counted, flows of them are rates.

    hits   [[when the quarter began, requests in it], …], oldest first: the last ten minutes in which there were any
    load   [[from when on, requests taken before that, taken, offered, capacity, at_once, room], …], oldest first
    flow   of who sends: [{from: when, wanted, sent: …, outcomes: {"200": …}, before: {"200": …}, latency: […]}, …]

`hits` go by quarters of a minute. A piece of `load` or `flow` holds until the next one: ten thousand requests a second
that go on as before change nothing in the record. Rates are thousandths of a request a second, numbers of requests
thousandths of a request, times microseconds: whole numbers all of them.

CPU follows from it, at any moment of the past that is still kept, for whoever has the record.

Read next: queueing.py; cluster/flows/ for who writes load and flow.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from cluster.runtime.queueing import Queue, Server, queue

SECOND = 1_000_000
QUARTER = 15 * SECOND
KEPT = 40  # Quarters, and pieces of load and flow.
MILLI = 1_000

Hits = Sequence[Sequence[int]]
Load = Sequence[Sequence[int]]
Flow = Sequence[Mapping[str, Any]]


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


def quiet(record: Mapping[str, Any], end: int) -> dict[str, Any]:
    """What changes in the record of a container that is over: nothing flows to it, or from it, after its `end`."""
    load, flow = laden(record.get("load", ()), end, None), flowing(record.get("flow", ()), end, None)
    return {name: value for name, value in (("load", load), ("flow", flow)) if value is not None}


# --- load: what flows bring to a server ---------------------------------------------------------------------------


def laden(load: Load, now: int, found: Queue | None) -> list[list[int]] | None:
    """The load with what is so from `now` on. `found`: None: nobody sends any more. None: that is how it is already."""
    piece = [0] * 5 if found is None else _piece(found)
    if (list(load[-1][2:]) if load else [0] * 5) == piece:
        return None
    return [*(list(each) for each in load[-KEPT + 1 :]), [now, taken_until(load, now), *piece]]


def _piece(found: Queue) -> list[int]:
    capacity, at_once, room = found.server
    return [round(found.taken * MILLI), round(found.offered * MILLI), round(capacity * MILLI), at_once, room]


def taken_until(load: Load, moment: int) -> int:
    """Thousandths of requests that came in flows before `moment`."""
    found = next((each for each in reversed(load) if each[0] <= moment), None)
    return 0 if found is None else found[1] + found[2] * (moment - found[0]) // SECOND


def mean_rate(load: Load, moment: int) -> float:
    """Requests a second that flows brought over the quarter of a minute before `moment`.

    >>> mean_rate([[0, 0, 8_000, 8_000, 10_000, 1, 10]], 15_000_000), mean_rate([], 5)
    (8.0, 0.0)
    """
    if not load:
        return 0.0
    return (taken_until(load, moment) - taken_until(load, moment - QUARTER)) / MILLI * SECOND / QUARTER


def queue_at(load: Load) -> Queue | None:
    """The queue of a server as it is now; None: nobody sends flows to it."""
    if not load or not load[-1][3]:
        return None
    _, _, _, offered, capacity, at_once, room = load[-1]
    return queue(Server(capacity / MILLI, at_once, room), offered / MILLI)


# --- flow: what comes of what a container sends -------------------------------------------------------------------


def flowing(flow: Flow, now: int, piece: Mapping[str, Any] | None) -> list[dict[str, Any]] | None:
    """The flow with what is so from `now` on: {wanted, sent, outcomes, latency}; None: it is so already."""
    nothing: dict[str, Any] = {"wanted": 0, "sent": 0, "outcomes": {}, "latency": []}
    piece = {**nothing, **(piece or {})}
    if piece == ({key: flow[-1][key] for key in nothing} if flow else nothing):
        return None
    sums = outcomes_until(flow, now)
    return [*(dict(each) for each in flow[-KEPT + 1 :]), {"from": now, "before": sums, **piece}]


def piece_at(flow: Flow, moment: int) -> Mapping[str, Any]:
    """The piece that holds at `moment`; {}: nothing was sent yet."""
    return next((each for each in reversed(flow) if each["from"] <= moment), {})


def outcomes_until(flow: Flow, moment: int) -> dict[str, int]:
    """Thousandths of requests that ended before `moment`, by how: "200", "connection refused" …"""
    found = piece_at(flow, moment)
    if not found:
        return {}
    sums = dict(found["before"])
    for outcome, each in found["outcomes"].items():
        sums[outcome] = sums.get(outcome, 0) + each * (moment - found["from"]) // SECOND
    return sums
