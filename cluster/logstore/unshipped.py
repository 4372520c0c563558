"""What components wrote and no agent has shipped yet: one fold for all of them, and a pile for each.

The fold goes on from where it was; a pile is taken when its agent reaches the store. Piles are in memory only: the
positions up to which they were shipped are what is kept, and a new owner folds again from the oldest of them. An agent
that comes later than the fold, or whose pile was thrown away, is read for by itself until it has caught up.
"""

from collections.abc import Mapping

from cluster.engine.clock import monotonic
from cluster.logstore import store
from cluster.logstore.journal import Journal, Written
from cluster.logstore.voices import kubelet
from cluster.network import Site

CONTROL_PLANE = "*"  # Owner of what the machines of the control plane write; others are nodes.
BUDGET = 0.020  # Wall seconds of a look; at least one portion of revisions is read.
MOST_WAITING = 50_000  # Entries in all piles together; then those are thrown away that were not asked for.

Piles = dict[str, list[Written]]


class Unshipped:
    """Of one cluster."""

    def __init__(self, cluster: int) -> None:
        self._cluster = cluster
        self._journal: Journal | None = None
        self._until: int | None = None  # Up to when everything was folded; None: nothing was.
        self._piles: Piles = {}  # Of owners whose piles are whole, from their positions up to `_until`.

    def take(self, site: Site, starts: Mapping[str, int], reached: set[str]) -> tuple[Piles, dict[str, int]]:
        """What those that are `reached` ship now, and up to when that is all. `starts`: positions of all owners."""
        journal = self._journal = self._journal or Journal(store.rows, self._cluster, site.epoch)
        now = site.now
        if self._until is None:
            self._until = min(starts.values(), default=now)
            self._piles = {owner: [] for owner in starts}
        taken, after = self._late(journal, {owner: starts[owner] for owner in reached if owner not in self._piles})
        self._piles = {owner: pile for owner, pile in self._piles.items() if owner in starts}
        written, self._until = journal.read(self._until, now, monotonic() + BUDGET)
        for entry in written:
            pile = self._piles.get(owner_of(entry))
            if pile is not None and entry.at >= starts[owner_of(entry)]:
                pile.append(entry)
        for owner in reached & self._piles.keys():
            if owner not in after:
                taken[owner], self._piles[owner], after[owner] = self._piles[owner], [], max(self._until, starts[owner])
        if sum(map(len, self._piles.values())) > MOST_WAITING:
            self._piles = {owner: pile for owner, pile in self._piles.items() if owner in reached}
        return taken, after

    def _late(self, journal: Journal, starts: dict[str, int]) -> tuple[Piles, dict[str, int]]:
        """For those without a pile: from their positions towards where the fold is."""
        assert self._until is not None
        if not starts:
            return {}, {}
        first = min(starts.values())
        written, until = journal.read(first, self._until, monotonic() + BUDGET) if first < self._until else ([], first)
        taken: Piles = {owner: [] for owner in starts}
        for entry in written:
            owner = owner_of(entry)
            if owner in starts and entry.at >= starts[owner]:
                taken[owner].append(entry)
        after = {owner: max(start, until) for owner, start in starts.items()}
        self._piles |= {owner: [] for owner, at in after.items() if at >= self._until}
        return taken, after

    def restart(self) -> None:
        """What was taken did not arrive."""
        self._until, self._piles = None, {}


def owner_of(entry: Written) -> str:
    return entry.node if entry.component == kubelet.COMPONENT else CONTROL_PLANE
