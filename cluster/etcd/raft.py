"""etcd's members agree by Raft: one leads and appends, a majority acknowledges, and only then is a write done.

    follower ──no heartbeat for 1 to 2 s──▶ asks around (pre-vote) ──a majority would──▶ candidate of the next term
    candidate ──a majority votes──▶ leader           ──no majority, split votes──▶ waits for another timeout
    leader ──hears no majority for 1 s──▶ follower

The store is what the members agreed on, and there is one: a write that is acknowledged has a revision, and a revision
is an entry of the leader's log. So a settled group takes no steps: heartbeats and acknowledgements are not simulated
one by one, and where a member stands in the log is told from the revision. What is simulated is what changes: members
that stop, links that are cut, elections, and catching up. Rows are plain data; these functions change them.

Mirrors:  etcd/raft (raft.go), server/etcdserver
Left out: entries that an isolated leader appended and nobody acknowledged; learners; snapshots as files; clock drift.
Read next: cluster/apiserver/quorum.py, which takes the steps.
"""

from typing import Any, NamedTuple

from cluster.engine.cells import Cells
from cluster.engine.dice import Dice

FOLLOWER, PRECANDIDATE, CANDIDATE, LEADER = "follower", "pre-candidate", "candidate", "leader"
ELECTION = 1_000_000  # Microseconds without a heartbeat; a member waits up to twice as long.
ROUND_TRIP = 10_000
CATCH_UP = 100_000  # Until a returning member has the first entries …
ENTRY = 20  # … and for each entry that it lacks.
LOG, STATE = "log", "quorum"  # Keys beside the members'.
SIZES = (1, 3, 5)
MOST = 7

Row = dict[str, Any]


class Timer(NamedTuple):
    """Look at `key` in `delay` microseconds."""

    key: str
    delay: int


class Group:
    """The members. `cells`: a row each; `log`: {index, revision} at which the leader's term began."""

    def __init__(self, cells: Cells, dice: Dice) -> None:
        self.cells, self.dice = cells, dice

    # --- who is who ---------------------------------------------------------------------------------------------

    @property
    def names(self) -> list[str]:
        return [name for name in self.cells if name not in (LOG, STATE)]

    @property
    def quorum(self) -> int:
        return len(self.names) // 2 + 1

    def row(self, name: str) -> Row:
        return self.cells[name]  # type: ignore[no-any-return]

    def change(self, name: str, **what: Any) -> None:
        self.cells[name] = {**self.cells[name], **what}

    def reach(self, name: str) -> list[str]:
        """The living members that `name` can talk to, itself included."""
        own = self.row(name)
        return [other for other in self.names if self.row(other)["on"] and self.row(other)["side"] == own["side"]]

    def leader(self) -> str:
        """Whoever leads and is heard by a majority; empty: nobody."""
        for name in self.names:
            row = self.row(name)
            if row["role"] == LEADER and row["on"] and len(self.reach(name)) >= self.quorum:
                return name
        return ""

    def heard_by(self, name: str) -> str:
        """The leader that `name` hears, with or without a majority; empty: none."""
        return next((other for other in self.reach(name) if self.row(other)["role"] == LEADER), "")

    def accepts_writes(self) -> bool:
        """A leader, and a majority that has all of its log."""
        leader = self.leader()
        return bool(leader) and sum(self.row(name)["index"] is None for name in self.reach(leader)) >= self.quorum

    # --- the log ------------------------------------------------------------------------------------------------

    def tip(self, revision: int) -> int:
        """The index of the last entry, at the store's `revision`."""
        log = self.cells[LOG]
        return int(log["index"]) + revision - int(log["revision"])

    def index(self, name: str, revision: int) -> int:
        own = self.row(name)["index"]
        return self.tip(revision) if own is None else int(own)

    # --- what happens to members --------------------------------------------------------------------------------

    def found(self, size: int, revision: int) -> None:
        """A new group, whose first member leads."""
        self.cells[LOG] = {"index": size + 1, "revision": revision}
        for number in range(size):
            self.add(f"etcd-{number}", term=2, leader="etcd-0")
        self.change("etcd-0", role=LEADER, vote="etcd-0")

    def add(self, name: str, term: int, leader: str) -> None:
        row = {"id": f"{self.dice.roll('etcd', name) & (1 << 64) - 1:016x}", "on": True, "side": 0, "role": FOLLOWER}
        self.cells[name] = {**row, "term": term, "vote": "", "leader": leader, "index": None}

    def lose(self, name: str, revision: int, **what: Any) -> list[Timer]:
        """`name` stops, or its links are cut: it stands where it stood, and those who heard it will wonder."""
        self.change(name, index=self.index(name, revision), **what)
        return self.wonder()

    def regain(self, name: str, revision: int) -> list[Timer]:
        """`name` runs and hears the others again."""
        self.change(name, on=True, side=0, role=FOLLOWER, vote="", leader="")
        leader = self.leader() or self.heard_by(name)
        if leader and self.row(leader)["term"] >= self.row(name)["term"] and self.leader():
            self.change(name, term=self.row(leader)["term"], leader=leader)
            return [*self.wonder(), self.catch_up(name, revision)]
        return self.wonder()

    def catch_up(self, name: str, revision: int) -> Timer:
        lag = self.tip(revision) - self.index(name, revision)
        return Timer(f"caught-up/{name}", CATCH_UP + lag * ENTRY)

    def caught_up(self, name: str) -> None:
        if self.leader() in self.reach(name):
            self.change(name, index=None)

    def wonder(self) -> list[Timer]:
        """Timers of all who hear no leader, and of leaders who hear no majority."""
        timers = []
        for name in self.names:
            row = self.row(name)
            if not row["on"]:
                continue
            if row["role"] == LEADER:
                if len(self.reach(name)) < self.quorum:
                    timers.append(Timer(f"step-down/{name}", ELECTION))
            elif not self.heard_by(name):
                timers.append(self.timeout(name))
        return timers

    def timeout(self, name: str) -> Timer:
        """Rolled anew each time, so that not everybody stands for election at once."""
        row = self.row(name)
        attempt = row.get("attempts", 0) + 1
        self.change(name, attempts=attempt)
        more = self.dice.between(0, ELECTION, "election", name, row["term"], attempt)
        return Timer(f"timeout/{name}", ELECTION + more)

    # --- elections ----------------------------------------------------------------------------------------------

    def time_out(self, name: str) -> list[Timer]:
        """No heartbeat came. Would a majority vote? Only then does the term go up."""
        row = self.row(name)
        if not row["on"] or row["role"] == LEADER or self.heard_by(name):
            return []
        if len(self.reach(name)) < self.quorum:
            self.change(name, role=PRECANDIDATE, leader="")
            return []  # Until somebody returns nothing can change.
        term = row["term"] + 1
        self.change(name, role=CANDIDATE, term=term, vote=name, leader="")
        return [Timer(f"votes/{name}/{term}", ROUND_TRIP)]

    def count(self, name: str, term: int, revision: int) -> list[Timer]:
        """The votes are back. Nobody votes twice in a term, nor for somebody who knows less than they do."""
        row = self.row(name)
        if not row["on"] or row["role"] != CANDIDATE or row["term"] != term:
            return []
        voters, reach = [name], [other for other in self.reach(name) if other != name]
        for other in reach:
            its = self.row(other)
            free = its["term"] < term or (its["term"] == term and its["vote"] in ("", name))
            if free and self.index(name, revision) >= self.index(other, revision):
                voters.append(other)
                self.change(other, term=term, vote=name, role=FOLLOWER, leader="")
        if len(voters) < self.quorum:
            return [self.timeout(name)]
        self.change(name, role=LEADER, leader=name, index=None)
        self.cells[LOG] = {"index": self.tip(revision) + 1, "revision": revision}  # It begins with an empty entry.
        for other in reach:
            self.change(other, role=FOLLOWER, term=term, leader=name)
        return [self.catch_up(other, revision) for other in reach if self.row(other)["index"] is not None]

    def step_down(self, name: str) -> list[Timer]:
        row = self.row(name)
        if row["on"] and row["role"] == LEADER and len(self.reach(name)) < self.quorum:
            self.change(name, role=FOLLOWER, leader="")
            return [self.timeout(name)]
        return []
