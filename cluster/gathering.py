"""What add-ons carry away from a cluster: metrics that are scraped, log lines that are shipped.

A scraper and a log agent only look. Nothing that a step reads depends on what they gathered, so they are no components
and take no steps: whoever holds a world lets them look at it between two turns, after a commit, at most once a
`PERIOD`. What they see is committed; what they write is theirs, with the simulated time up to which they have looked,
in a transaction of their own (commits.as_owner). A process that dies in between loses nothing: the next one looks from
there on.

Programs are pure functions of time, so a gatherer that comes late still finds what was printed and used before, as far
as records of the containers are kept.

A gatherer is one class and one line in `GATHERERS`.

Read next: driver.py, which calls it.
"""

import logging
from collections.abc import Callable
from typing import Protocol

from cluster import inbox
from cluster.engine.clock import monotonic
from cluster.logstore.agent import Agents
from cluster.models import Cluster
from cluster.monitoring.scraper import Scraper
from cluster.network import Site

PERIOD = 1.0  # Wall seconds between two looks.
BUDGET = 0.050  # Wall seconds that a look should take; what is left waits for the next one.
PATIENCE = 10.0  # Wall seconds before a gatherer that failed is tried again.

log = logging.getLogger(__name__)


class Gatherer(Protocol):
    def gather(self, site: Site, deadline: float) -> None:
        """Carry away what happened up to `site.now`. `deadline`: when to stop, on engine.clock.monotonic."""


Make = Callable[[int, int], Gatherer]  # Of a cluster's id and of the epoch of its owner, who must still be it.


def _scraper(cluster: int, owner_epoch: int) -> Scraper:
    """It hears from the broker what gateways have counted."""

    def served() -> inbox.Counts:
        name = Cluster.objects.filter(pk=cluster).values_list("name", flat=True).first()
        return inbox.announced_counts(name) if name else []

    return Scraper(cluster, owner_epoch, served)


GATHERERS: tuple[Make, ...] = (Agents, _scraper)


class Gathering:
    """The gatherers of one world that this process holds."""

    def __init__(self, cluster: int, owner_epoch: int) -> None:
        self._gatherers = [make(cluster, owner_epoch) for make in GATHERERS]
        self._next = 0.0

    def look(self, site: Site) -> None:
        """If it is time. A gatherer that fails is no reason for the world to stop."""
        now = monotonic()
        if now < self._next:
            return
        self._next = now + PERIOD
        for gatherer in self._gatherers:
            try:
                gatherer.gather(site, monotonic() + BUDGET)
            except Exception:
                log.exception("%s could not gather", type(gatherer).__name__)
                self._next = now + PATIENCE
