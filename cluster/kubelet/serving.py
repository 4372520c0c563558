"""What a container can serve, and what it is asked to: its CPU by the CPU of one request is its capacity.

For who works traffic out (cluster/flows/) and for who meets a server that has more to do than it can: probes, and
commands in other containers. Pure functions over container records.

Read next: runtime/queueing.py, for the formula; runtime/traffic.py, for what stands in a record.
"""

from collections.abc import Mapping
from math import ceil
from typing import Any, NamedTuple

from cluster.runtime import noise, traffic, usage
from cluster.runtime.containers import key_of, program_of
from cluster.runtime.programs.load import DURATION, METRICS_PORT, QUANTILES, REQUESTS, duration
from cluster.runtime.programs.program import Demand
from cluster.runtime.queueing import MOST_AT_ONCE, Queue, Server, queue

__all__ = [
    "DURATION", "METRICS_PORT", "QUANTILES", "REQUESTS", "Demand", "Queue", "Server", "duration", "queue",
]  # fmt: skip

Record = dict[str, Any]
SECOND, MILLI = 1_000_000, traffic.MILLI
GENERATOR, OPERATOR = "load", "load-operator"  # Programs.
LEAST_CPU = 1.0  # Millicores: nobody gets less.
SYSTEM = usage.SYSTEM.cpu_millicores
RARE = 1e-6  # What happens to fewer requests than that happens to no single one.
LATE, NO_ROOM = "late", "no room"


class Means(NamedTuple):
    """What a program needs to serve. `cost`: CPU milliseconds of one request; `idle`: millicores without any.

    `limit`: millicores that it never exceeds; None: those of the machine.
    """

    cost: float
    idle: float
    threads: int
    places: int
    limit: int | None

    def server(self, millicores: float) -> Server:
        """It, with so much CPU."""
        cpu = max(min(millicores - self.idle, self.threads * 1000), LEAST_CPU)
        at_once = min(max(ceil(cpu / 1000), 1), self.threads, MOST_AT_ONCE)
        return Server(cpu / self.cost, at_once, max(self.places, at_once))

    def wanted(self, requests: float) -> float:
        """Millicores that so many requests a second would take, if it got them."""
        cpu = self.idle + min(requests * self.cost, self.threads * 1000)
        return cpu if self.limit is None else min(cpu, self.limit)


def means(record: Record, epoch: int) -> Means:
    program = program_of(record, epoch)
    return Means(max(program.cpu_per_request, 0.001), program.cpu, program.threads, program.places, record.get("cpu"))


def demand(record: Record, epoch: int) -> Demand | None:
    """What a running load generator wants to send; None: it is none, or has nothing to send."""
    found = program_of(record, epoch).demand() if record["program"] == GENERATOR else None
    return found if found is not None and (found.url or found.of) else None


def key(record: Record) -> str:
    """Where the record lives."""
    return key_of(record["uid"], record["name"], record["attempt"])


def used(record: Record, moment: int, epoch: int) -> int:
    """Millicores."""
    return usage.at(record, moment, epoch).cpu_millicores


# --- what stands in a record --------------------------------------------------------------------------------------


def laden(record: Record, now: int, found: Queue | None) -> Record | None:
    """The record of a server that is asked so much from `now` on; None: nothing changes in it."""
    load = traffic.laden(record.get("load", ()), now, found)
    return None if load is None else {**record, "load": load}


def flowing(record: Record, now: int, piece: Mapping[str, Any] | None) -> Record | None:
    """Likewise of a load generator. `piece`: {wanted, sent, outcomes, latency}; None: it sends nothing."""
    flow = traffic.flowing(record.get("flow", ()), now, piece)
    return None if flow is None else {**record, "flow": flow}


def piece(record: Record, moment: int) -> Mapping[str, Any]:
    """What comes of what a load generator sends at `moment`; {}: nothing."""
    return traffic.piece_at(record.get("flow", ()), moment)


def outcomes(record: Record, moment: int) -> dict[str, int]:
    """Thousandths of requests that it has had an outcome of before `moment`, by outcome."""
    return traffic.outcomes_until(record.get("flow", ()), moment)


def taken(record: Record, moment: int) -> int:
    """Thousandths of requests that flows have brought to a server before `moment`."""
    return traffic.taken_until(record.get("load", ()), moment)


def asked(record: Record, moment: int) -> float:
    """Requests a second that a server has taken over the quarter of a minute before `moment`, single ones too."""
    return traffic.rate(record.get("hits", ()), moment) + traffic.mean_rate(record.get("load", ()), moment)


def queue_of(record: Record) -> Queue | None:
    """The queue at a server as it is now; None: no flow leads there."""
    return traffic.queue_at(record.get("load", ()))


# --- one request among them ---------------------------------------------------------------------------------------


def is_strained(record: Record, within: int) -> bool:
    """Might a request not be answered within so many microseconds?"""
    found = queue_of(record)
    if found is None:
        return False
    return found.blocked > RARE or found.later_than(within / SECOND) > RARE


def fate(record: Record, within: int, *about: int) -> str:
    """How a single request goes, that comes among the others: LATE, NO_ROOM, or "": it is answered in time.

    `within`: microseconds that its sender waits; `about`: numbers that tell it from other requests.
    """
    found = queue_of(record)
    if found is None:
        return ""
    draw = _draw(record, *about)
    if draw < found.blocked and found.server.room >= means(record, 0).places:
        return NO_ROOM
    return LATE if _draw(record, 1, *about) < found.later_than(within / SECOND) else ""


def lasts(record: Record, *about: int) -> int:
    """How long a single request lasts, that comes among the others, in microseconds; 0: nobody else asks."""
    found = queue_of(record)
    return 0 if found is None else round(found.quantile(_draw(record, 1, *about)) * SECOND)


def _draw(record: Record, *about: int) -> float:
    """A number of [0, 1)."""
    return noise.mix(record["seed"], *about) / 2**64
