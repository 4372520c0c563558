"""How long requests wait at a server that many ask at once: the queue M/M/m/K, in closed form.

    capacity   requests a second that it can answer: the CPU it can have, by the CPU time of one request
    at_once    m: so many are worked on at the same time, each at an equal share of that CPU; the others wait
    room       K: more can't be inside, waiting ones too. Who finds no room is not taken

A request that is taken lasts `work` = m / capacity, the same for each, and before that it waits, or does not. How many
are inside follows from Erlang's formula with K places; the wait of those who wait is exponential with the rate
capacity - offered, cut off at the wait behind a full room, (K - m) / capacity. With K endless and m = 1 that is the
well-known M/M/1: at half of its capacity a request waits as long as it lasts, at 90 % nine times as long. Offered more
than its capacity, the room is nearly full, and every request waits for nearly all of it.

Nothing here has a state or rolls dice. Times are seconds, rates are requests a second.

Source:   Kleinrock, Queueing Systems I (1975), 3.4 to 3.6
Left out: the way into equilibrium: a queue is as long at once as it will be; service times that differ.
"""

from functools import lru_cache
from math import exp, expm1, log
from typing import NamedTuple

FEW = 1e-9
MOST_AT_ONCE = 256
NEARLY_EVEN = 1e-6  # So near to 1 a ratio counts as 1: sums of its powers can't be told apart.


class Server(NamedTuple):
    """What can be asked of a container. `room` is at least `at_once`."""

    capacity: float
    at_once: int
    room: int

    @property
    def work(self) -> float:
        """How long a request lasts that does not wait."""
        return self.at_once / self.capacity


class Queue(NamedTuple):
    """A server that is offered requests. `blocked`: the part that finds no room; of the others:

    `waits`: the part that has to wait; `wait`: for how long these do on the average; `rate`, `longest`: of that wait's
    exponential; `inside`: how many there are on the average.
    """

    server: Server
    offered: float
    blocked: float
    waits: float
    wait: float
    rate: float
    longest: float
    inside: float

    @property
    def taken(self) -> float:
        return self.offered * (1 - self.blocked)

    def later_than(self, limit: float) -> float:
        """The part of the taken requests that last longer than `limit`."""
        left = limit - self.server.work
        if left < 0:
            return 1.0
        return self.waits * _beyond(left, self.rate, self.longest)

    def lasts(self, limit: float) -> float:
        """How long a taken request lasts on the average if its client gives up after `limit`."""
        work = self.server.work
        if limit <= work:
            return limit
        return work + self.waits * _mean_up_to(limit - work, self.rate, self.longest)

    def quantile(self, part: float) -> float:
        """How long that part of the taken requests lasts at most."""
        if self.later_than(self.server.work) <= 1 - part:
            return self.server.work
        low, high = self.server.work, self.server.work + self.longest
        for _ in range(40):
            middle = (low + high) / 2
            low, high = (middle, high) if self.later_than(middle) > 1 - part else (low, middle)
        return high


@lru_cache(maxsize=4096)
def queue(server: Server, offered: float) -> Queue:
    """The queue of `server` when it is offered so many requests a second."""
    m, ahead = server.at_once, server.room - server.at_once
    if offered <= FEW:
        return Queue(server, 0.0, 0.0, 0.0, 0.0, server.capacity, ahead / server.capacity, 0.0)
    ratio = offered / server.capacity
    busy, below = _below(ratio * m, m)  # Weights of 0 … m - 1 inside, and their sum of numbers, where m's weight is 1.
    if ratio > 1:  # Counted from the full room down, where the numbers stay small.
        powers, places = _powers(1 / ratio, ahead)
        scale = exp(-ahead * log(ratio))
        full, total = 1.0, powers + busy * scale
        waiting = ahead * powers - places
        inside = below * scale + m * powers + waiting
    else:
        powers, waiting = _powers(ratio, ahead)
        full, total = exp(ahead * log(ratio)), powers + busy
        inside = below + m * powers + waiting
    blocked = full / total
    waits = max(powers - full, 0.0) / max(total - full, FEW) if ahead else 0.0
    wait = (waiting / total) / (offered * (1 - blocked)) / waits if waits > FEW and blocked < 1 else 0.0
    rate = server.capacity * (1 - ratio if ratio <= 1 else -log(ratio))
    return Queue(server, offered, blocked, waits, wait, rate, ahead / server.capacity, inside / total)


def _below(load: float, m: int) -> tuple[float, float]:
    """Of 0 … m - 1 requests inside: the sum of weights, and of weights times numbers. The weight of m is 1."""
    weight, weights, numbers = 1.0, 0.0, 0.0
    for inside in range(m, 0, -1):
        weight *= inside / load
        weights += weight
        numbers += weight * (inside - 1)
        if weight > 1e200:  # Nearly always empty.
            return weights, numbers
    return weights, numbers


def _powers(ratio: float, most: int) -> tuple[float, float]:
    """The sum of ratio**j, and of j * ratio**j, for j of 0 … most. `ratio`: at most 1."""
    if 1 - ratio < NEARLY_EVEN:
        return most + 1.0, most * (most + 1) / 2
    last = exp(most * log(ratio)) if most else 1.0
    rest = 1 - ratio
    return (1 - last * ratio) / rest, ratio * (1 - (most + 1) * last + most * last * ratio) / rest**2


def _beyond(time: float, rate: float, longest: float) -> float:
    """The part of an exponential wait, cut off at `longest`, that is longer than `time`. `rate` may be below 0."""
    if time >= longest:
        return 0.0
    if abs(rate * longest) < NEARLY_EVEN:
        return 1 - time / longest
    if rate > 0:
        return (exp(-rate * time) - exp(-rate * longest)) / -expm1(-rate * longest)
    return expm1(rate * (longest - time)) / expm1(rate * longest)


def _mean_up_to(limit: float, rate: float, longest: float) -> float:
    """The mean of that wait, if nobody waits longer than `limit`."""
    end = min(limit, longest)
    if end <= 0:
        return 0.0
    if abs(rate * longest) < NEARLY_EVEN:
        return end - end * end / (2 * longest)
    if rate > 0:
        cut = exp(-rate * longest)
        return (-expm1(-rate * end) / rate - end * cut) / (1 - cut)
    up = -rate
    return (end - (exp(-up * (longest - end)) - exp(-up * longest)) / up) / -expm1(-up * longest)
