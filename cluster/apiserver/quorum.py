"""etcd as the API server sees it: whether writes are possible now, and the steps in which its members agree.

Without a leader that a majority hears, every write fails as in a real cluster: 500, `etcdserver: request timed out`. A
real API server says so after seven seconds; here it is said at once.

Read next: cluster/etcd/raft.py; cluster/quorum.py for what people do to members.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from cluster.engine.cells import Cells
from cluster.engine.controller import Component, Surroundings
from cluster.engine.dice import Dice
from cluster.etcd import raft
from cluster.etcd.raft import MOST, SIZES, Timer
from cluster.etcd.store import Store

__all__ = ["MOST", "SIZES", "TIMED_OUT", "Etcd", "Standing", "names", "standing"]

TIMED_OUT = "etcdserver: request timed out"

Tell = Callable[[str, str, dict[str, Any]], str]


class Etcd(Component):
    """The group of members. `tell(kind, subject, body)`: something happened that people can see."""

    name = "etcd-members"

    def __init__(self, around: Surroundings, cells: Cells, store: Store, tell: Tell) -> None:
        self.cells, self.store, self.tell = cells, store, tell
        self.group = raft.Group(cells, around.dice)
        super().__init__(around)
        self.writable = self.group.accepts_writes() if self.group.names else True

    def process(self, key: str) -> None:
        verb, name, *rest = key.split("/")
        if name not in self.cells:
            return
        before = self.group.leader()
        if verb == "timeout":
            self.plan(self.group.time_out(name))
        elif verb == "votes":
            self.plan(self.group.count(name, int(rest[0]), self.store.revision))
        elif verb == "step-down":
            self.plan(self.group.step_down(name))
        elif verb == "caught-up":
            self.group.caught_up(name)
        leader = self.group.leader()
        if leader and leader != before:
            self.tell("etcd-leader", leader, {"term": self.group.row(leader)["term"]})
        self.settle()

    def plan(self, timers: list[Timer]) -> None:
        for timer in timers:
            note = "etcd's members elect a leader" if timer.key.startswith("timeout/") else None
            self.queue.add_after(timer.key, timer.delay * self.agenda.slow, note)

    def settle(self) -> None:
        """After every change: may clients write?"""
        self.writable = self.group.accepts_writes()
        state = {"writable": self.writable, "leader": self.group.leader()}
        if self.cells.get(raft.STATE) != state:
            self.cells[raft.STATE] = state

    # --- what people do -----------------------------------------------------------------------------------------

    def found(self, size: int) -> None:
        self.group.found(size, self.store.revision)
        self.settle()

    def stop_member(self, name: str) -> None:
        self.plan(self.group.lose(name, self.store.revision, on=False))
        self.settle()

    def cut(self, name: str) -> None:
        """Its links to the others: it lives on, alone."""
        side = 1 + max(self.group.row(other)["side"] for other in self.group.names)
        self.plan(self.group.lose(name, self.store.revision, side=side))
        self.settle()

    def regain(self, name: str) -> None:
        self.plan(self.group.regain(name, self.store.revision))
        self.settle()

    def add_member(self) -> str:
        """A member joins, one at a time, with an empty log."""
        taken, leader = set(self.group.names), self.group.leader()
        name = next(f"etcd-{number}" for number in range(MOST + 1) if f"etcd-{number}" not in taken)
        self.group.add(name, self.group.row(leader)["term"], leader)
        self.group.change(name, index=0)
        self.plan([self.group.catch_up(name, self.store.revision)])
        self.settle()
        return name

    def remove_member(self, name: str) -> None:
        del self.cells[name]
        self.plan(self.group.wonder())
        self.settle()


class Standing(NamedTuple):
    """Where a member stands. `leader`: whom it hears; empty: nobody. `entry`: the last of its log.

    `elections`: how many leaders its term says there have been; `revision`: up to which it has the keys.
    """

    id: str
    leader: str
    elections: int
    entry: int
    revision: int


def names(members: dict[str, Any]) -> list[str]:
    """The members, without the rows beside theirs."""
    return [name for name in sorted(members) if name not in (raft.LOG, raft.STATE)]


def standing(members: dict[str, Any], name: str, revision: int) -> Standing:
    """Of the member called `name`, at the store's `revision`."""
    group, row = raft.Group(Cells(dict(members)), Dice(0)), members[name]
    index = group.index(name, revision)
    behind = group.tip(revision) - index
    return Standing(row["id"], group.heard_by(name), row["term"] - 1, index, max(revision - behind, 0))
