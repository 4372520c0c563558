"""How many requests get where: every sender's rate and every server's queue, so that both are true at once.

A sender has so many connections and sends a request on one when the last one on it is over. So it sends no more than
its connections allow: if all of them wait, it falls behind what it wants, as hey, fortio and wrk do. The more it sends,
the longer the queues, the longer every request; what it sends is the most at which its requests under way (rate times
duration: Little's law) still fit into its connections. Senders that meet at a server are looked at in turn, ROUNDS
times; the first ones may be a little better off.

Pure functions of numbers. Rates are requests a second, times seconds.

Source:   Kleinrock, Queueing Systems II (1976), 4.12: closed networks
Read next: runtime/queueing.py, the queue of one server.
"""

from collections.abc import Sequence
from typing import NamedTuple

from cluster.kubelet.serving import Queue, Server, queue

ROUNDS = 4
HALVINGS = 30  # Of the interval in which a rate is sought.
NETWORK = 0.0003  # There and back between two machines.
AS_FAST = 1_000_000.0  # Requests a second of a sender that only waits for answers.
NO_ROOM = "i/o timeout"  # The kernel of a server whose backlog is full does not answer …
TOO_LATE = "context deadline exceeded"  # … and who waits for an answer gives up at last.


class Lane(NamedTuple):
    """Where a part of a sender's requests goes: to `server`, by its number, or, without one, to the `fate` of all."""

    share: float
    server: int | None
    fate: str
    holds: bool = False  # Does a failed request wait for the timeout?


class Sender(NamedTuple):
    """`rate`: wanted; 0: as fast as answers come."""

    rate: float
    connections: int
    timeout: float
    lanes: tuple[Lane, ...]

    @property
    def wanted(self) -> float:
        return self.rate or AS_FAST


class Sent(NamedTuple):
    """What comes of a sender. `outcomes`: requests a second by fate; `latency`: mean, p50, p90, p99 of the answered."""

    rate: float
    outcomes: dict[str, float]
    latency: tuple[float, ...]


class Balance(NamedTuple):
    sent: list[Sent]
    queues: list[Queue]


def balanced(senders: Sequence[Sender], servers: Sequence[Server]) -> Balance:
    """What every sender gets and what every server is asked. `servers`: with the room that they have themselves."""
    reach = [0] * len(servers)  # Connections that may all wait at one server.
    for sender in senders:
        for number in {lane.server for lane in sender.lanes if lane.server is not None}:
            reach[number] += sender.connections
    narrowed = [each._replace(room=max(min(each.room, reach[n]), each.at_once)) for n, each in enumerate(servers)]
    full = [each.room <= reach[n] for n, each in enumerate(servers)]  # Is it the server that has no more room?
    offered = [0.0] * len(servers)
    rates = [0.0] * len(senders)
    for _ in range(ROUNDS if len(senders) > 1 else 1):
        for at, sender in enumerate(senders):
            others = list(offered)
            for lane in sender.lanes:
                if lane.server is not None:
                    others[lane.server] = max(others[lane.server] - rates[at] * lane.share, 0.0)
            rates[at] = _rate(sender, narrowed, full, others)
            offered = others
            for lane in sender.lanes:
                if lane.server is not None:
                    offered[lane.server] += rates[at] * lane.share
    queues = [queue(server, offered[n]) for n, server in enumerate(narrowed)]
    return Balance([_sent(sender, rates[at], queues, full) for at, sender in enumerate(senders)], queues)


def _rate(sender: Sender, servers: list[Server], full: list[bool], others: list[float]) -> float:
    """The most that its connections carry, up to what it wants. `others`: what servers are asked besides."""
    bundles: dict[tuple[Server | None, float, float, bool], float] = {}  # Lanes that are alike count as one.
    for lane in sender.lanes:
        if lane.server is None:
            key: tuple[Server | None, float, float, bool] = (None, 0.0, 0.0, lane.holds)
        else:
            key = (servers[lane.server], others[lane.server], lane.share, full[lane.server])
        bundles[key] = bundles.get(key, 0.0) + lane.share

    def under_way(rate: float) -> float:
        total = 0.0
        for (server, besides, share, holds), part in bundles.items():
            if server is None:
                total += rate * part * (sender.timeout if holds else NETWORK)
                continue
            found = queue(server, besides + rate * share)
            each = (1 - found.blocked) * (NETWORK + found.lasts(sender.timeout))
            total += rate * part * (each + (found.blocked * sender.timeout if holds else 0.0))
        return total

    if under_way(sender.wanted) <= sender.connections:
        return sender.wanted
    low, high = 0.0, sender.wanted
    for _ in range(HALVINGS):
        middle = (low + high) / 2 if low or high < 1 else (high / 2 if high < 100 else high / 10)
        low, high = (middle, high) if under_way(middle) <= sender.connections else (low, middle)
    return low


def _sent(sender: Sender, rate: float, queues: list[Queue], full: list[bool]) -> Sent:
    outcomes: dict[str, float] = {}
    answered: dict[Queue, float] = {}
    for lane in sender.lanes:
        asked = rate * lane.share
        if lane.server is None:
            _add(outcomes, lane.fate, asked)
            continue
        found = queues[lane.server]
        taken, late = asked * (1 - found.blocked), found.later_than(sender.timeout)
        _add(outcomes, lane.fate, taken * (1 - late))
        _add(outcomes, TOO_LATE, taken * late)
        if full[lane.server]:
            _add(outcomes, NO_ROOM, asked * found.blocked)
        answered[found] = answered.get(found, 0.0) + taken
    return Sent(sum(outcomes.values()), outcomes, _latency(answered, sender.timeout))


def _add(outcomes: dict[str, float], fate: str, more: float) -> None:
    if more > 0:
        outcomes[fate] = outcomes.get(fate, 0.0) + more


def _latency(answered: dict[Queue, float], timeout: float) -> tuple[float, ...]:
    """Mean, p50, p90 and p99 of the requests that are answered in time; empty: none is."""
    in_time = {each: rate * (1 - each.later_than(timeout)) for each, rate in answered.items()}
    total = sum(in_time.values())
    if total <= 0:
        return ()

    def later_than(limit: float) -> float:
        return sum(
            answered[each] * max(each.later_than(limit) - each.later_than(timeout), 0.0) for each in in_time
        ) / total  # fmt: skip

    found = []
    for part in (0.5, 0.9, 0.99):
        low, high = 0.0, timeout
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            low, high = (middle, high) if later_than(middle) > 1 - part else (low, middle)
        found.append(high + NETWORK)
    late = {each: each.later_than(timeout) for each in in_time}
    whole = sum(rate * (each.lasts(timeout) - late[each] * timeout) for each, rate in answered.items())
    return (max(whole / total, 0.0) + NETWORK, *found)
