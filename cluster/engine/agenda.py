"""The agenda: every queue entry and timer of every component, in one order.

Kubernetes' components each have a work queue, a delaying queue and a rate limiter. Here these are three slots of one
table, so that "what happens next?" has one answer and all of it can be saved as plain rows:

    <component>|r|<key>    ready: due after the component's reaction time; adding a key twice coalesces its causes
    <component>|t|<key>    timer: due later; a second timer for a key only ever moves it earlier
    <component>|h|<key>    heartbeat: a timer that nobody waits for, so that an idle cluster need not be woken up for it
    <component>|a|<key>    attempts: how often the key failed since it was last forgotten
    <component>|c|         counts: what the process has counted since it started, for /metrics; no step reads them

An entry is `[due, sequence, causes, note]`. Order is (due, sequence): simulated time, then first come, first served.
The heaps are derived from the entries; entries that moved or went leave a stale heap item behind, skipped when met.
Entries of a component that is *held* stay where they are until it is released: its queue fills, nothing is taken.

Mirrors:  client-go/util/workqueue (queue.go, delaying_queue.go, default_rate_limiters.go)
Left out: the overall token bucket of 10 QPS: controllers here are not throttled.
Read next: controller.py.
"""

from heapq import heapify, heappop, heappush
from typing import NamedTuple

from cluster.engine import cause
from cluster.engine.cause import Causes
from cluster.engine.cells import Cells, Section
from cluster.engine.clock import Clock

FIRST_RETRY = 5_000  # 5 ms, doubling …
LAST_RETRY = 1_000_000_000  # … up to 1,000 s: DefaultTypedControllerRateLimiter.
TAKEN, RETRIES = "taken", "retries"  # What is counted of every queue that somebody may look at.


class Item(NamedTuple):
    """One thing to do: `component` takes `key` at `due` because of `causes`. `timer`: it was waited for."""

    due: int
    component: str
    key: str
    causes: Causes
    timer: bool


class Agenda:
    """All queues of a world. `cells` holds the entries; `causes` are those of whatever is happening right now."""

    def __init__(self, clock: Clock, cells: Cells, sequence: int = 0) -> None:
        self.clock, self.cells, self.sequence = clock, cells, sequence
        self.causes: Causes = ("boot",)
        self.actor = "boot"  # Who is acting right now: a component's name, a user, `you`.
        self.slow: int = cells.get("|latency|", 1)  # Reaction times are multiplied by this: slow motion.
        self.held: frozenset[str] = frozenset(cells.get("|held|", ()))  # Components that take nothing now.
        self._counts: dict[str, dict[str, int]] = {}  # Of each slot that was counted in, as `keep_counts` saves them.
        self._counted: dict[str, None] = {}  # Slots that have changed since then.
        self._lay_out()

    def _lay_out(self) -> None:
        """Derive the heaps from the entries."""
        parts = [(slot, entry, slot.split("|", 2)) for slot, entry in self.cells.data.items()]
        taken = [each for each in parts if each[2][1] in ("r", "t", "h") and each[2][0] not in self.held]
        self._heap = [(entry[0], entry[1], slot) for slot, entry, part in taken if part[1] != "h"]
        self._beats = [(entry[0], entry[1], slot) for slot, entry, part in taken if part[1] == "h"]
        self._noted = [(entry[0], entry[1], slot) for slot, entry, _ in taken if entry[3]]  # Those people wait for.
        for heap in (self._heap, self._beats, self._noted):
            heapify(heap)

    def queue(self, component: str, reaction: int) -> "WorkQueue":
        return WorkQueue(self, component, reaction)

    def put(self, slot: str, due: int, causes: Causes, note: str | None) -> None:
        self.sequence += 1
        self.cells[slot] = [due, self.sequence, causes, note]
        if self.held and slot.split("|", 1)[0] in self.held:
            return
        beats = "|h|" in slot and slot.split("|", 2)[1] == "h"
        heappush(self._beats if beats else self._heap, (due, self.sequence, slot))
        if note:
            heappush(self._noted, (due, self.sequence, slot))

    def _skip_stale(self, heap: list[tuple[int, int, str]]) -> None:
        data = self.cells.data
        while heap:
            entry = data.get(heap[0][2])
            if entry is not None and entry[1] == heap[0][1]:
                return
            heappop(heap)

    def _first(self) -> list[tuple[int, int, str]]:
        """The heap whose head comes next; an empty one if there is nothing at all."""
        heap, beats = self._heap, self._beats
        self._skip_stale(heap)
        self._skip_stale(beats)
        return beats if beats and (not heap or beats[0] < heap[0]) else heap

    def next_due(self) -> int | None:
        """Simulated time of the next entry; None: nothing is planned at all."""
        first = self._first()
        return first[0][0] if first else None

    def next_pressing(self) -> int | None:
        """Simulated time of the next entry that is no heartbeat."""
        self._skip_stale(self._heap)
        return self._heap[0][0] if self._heap else None

    def next_component(self) -> str | None:
        """Whose entry comes next."""
        first = self._first()
        return first[0][2].split("|", 1)[0] if first else None

    def pop(self) -> Item:
        """Take the next entry off the agenda. Errors: IndexError if there is none."""
        due, _, slot = heappop(self._first())
        causes = self.cells.pop(slot)[2]
        component, kind, key = slot.split("|", 2)
        return Item(due, component, key, tuple(causes), kind != "r")

    # --- counts -------------------------------------------------------------------------------------------------

    def count(self, slot: str, what: str, by: int = 1) -> None:
        """Count `what` under `slot`: a counter of /metrics. It is saved with the turn, and dies with its component."""
        counts = self._counts.get(slot)
        if counts is None:
            counts = self._counts[slot] = dict(self.cells.get(slot) or {})
        counts[what] = counts.get(what, 0) + by
        self._counted[slot] = None

    def note(self, slot: str, what: str, value: int) -> None:
        """Set a counter: when something last happened."""
        self.count(slot, what, value - self.counts(slot).get(what, 0))

    def counts(self, slot: str) -> dict[str, int]:
        return self._counts.get(slot) or self.cells.get(slot) or {}

    def keep_counts(self) -> None:
        """Put what was counted into cells, once a turn: a cell a count would be felt."""
        for slot in self._counted:
            self.cells[slot] = dict(self._counts[slot])
        self._counted = {}

    # --- components that take nothing ---------------------------------------------------------------------------

    def hold(self, component: str) -> None:
        """`component` takes nothing from now on; whatever is added to its queue waits."""
        self._hold(self.held | {component})

    def release(self, component: str) -> None:
        """It works off what waits, in order; what was due in the meantime is due now."""
        self._hold(self.held - {component})

    def _hold(self, held: frozenset[str]) -> None:
        self.held = held
        if held:
            self.cells["|held|"] = sorted(held)
        else:
            self.cells.pop("|held|")
        self._lay_out()

    def next_noted(self) -> tuple[int, str] | None:
        """The next entry worth waiting for: (due, note). Housekeeping has no note."""
        noted, data = self._noted, self.cells.data
        while noted:
            due, sequence, slot = noted[0]
            entry = data.get(slot)
            if entry is not None and entry[1] == sequence:
                return due, entry[3]
            heappop(noted)
        return None

    def forget_component(self, component: str) -> None:
        """Drop all that `component` had planned: it died. Timers and queues do not survive a process."""
        for key in [key for key in self.cells.data if key.startswith(component + "|")]:
            self.cells.pop(key)
        self._counts.pop(counted_by(component), None)
        self._counted.pop(counted_by(component), None)


def counted_by(component: str) -> str:
    """The slot of a component's own counts."""
    return f"{component}|c|"


class WorkQueue:
    """One component's door to the agenda. Delays are microseconds."""

    __slots__ = ("_agenda", "_attempts", "_data", "component", "counts", "is_counted", "prefix", "reaction", "timers")

    def __init__(self, agenda: Agenda, component: str, reaction: int) -> None:
        self._agenda, self.component, self.reaction = agenda, component, reaction
        self.prefix, self.timers, self.counts = f"{component}|r|", f"{component}|t|", counted_by(component)
        self.is_counted = "/" not in component  # One of thousands of kubelets shows no queue to anybody.
        self._attempts = Section(agenda.cells, f"{component}|a|")
        self._data = agenda.cells.data

    def add(self, key: str) -> None:
        """React to something about `key`, a reaction time from now. A waiting key only gains a cause."""
        agenda, slot = self._agenda, self.prefix + key
        waiting = self._data.get(slot)
        if waiting is None:
            agenda.put(slot, agenda.clock.now + self.reaction * agenda.slow, agenda.causes, None)
            return
        causes = cause.merge(tuple(waiting[2]), agenda.causes)
        if len(causes) != len(waiting[2]) or causes != tuple(waiting[2]):
            agenda.cells[slot] = [waiting[0], waiting[1], causes, waiting[3]]

    def add_after(self, key: str, delay: int, note: str | None = None) -> None:
        """Look at `key` in `delay` microseconds; an earlier timer for it stands. `note`: why a person might wait."""
        agenda, slot, due = self._agenda, self.timers + key, self._agenda.clock.now + max(delay, 0)
        waiting = self._data.get(slot)
        if waiting is not None and waiting[0] <= due:
            return
        agenda.put(slot, due, cause.after(agenda.causes, max(delay, 0)), note)

    def beat(self, key: str, delay: int) -> None:
        """Like `add_after`, for what is done again and again and tells nobody anything new."""
        agenda, slot = self._agenda, f"{self.component}|h|{key}"
        waiting, due = self._data.get(slot), agenda.clock.now + max(delay, 0)
        if waiting is None or waiting[0] > due:
            agenda.put(slot, due, cause.after(agenda.causes, max(delay, 0)), None)

    def cancel(self, key: str) -> None:
        """Forget the timer for `key`, if there is one."""
        self._agenda.cells.pop(self.timers + key)

    def timer(self, key: str) -> int | None:
        """When the timer for `key` is due; None: there is none."""
        waiting = self._data.get(self.timers + key)
        return waiting[0] if waiting else None

    def add_rate_limited(self, key: str, first: int = FIRST_RETRY, last: int = LAST_RETRY) -> None:
        """Try `key` again after its back-off: 5 ms, 10 ms, 20 ms … 1,000 s, or as the controller's own limits say."""
        attempts = self._attempts.get(key, 0)
        self._attempts[key] = attempts + 1
        if self.is_counted:
            self._agenda.count(self.counts, RETRIES)
        self.add_after(key, min(first << min(attempts, 40), last))

    def attempts(self, key: str) -> int:
        return int(self._attempts.get(key, 0))

    def forget(self, key: str) -> None:
        """`key` succeeded: its next failure starts the back-off anew."""
        self._attempts.pop(key)

    def __len__(self) -> int:
        """How many keys are ready. O(all entries): for people who look, not for steps."""
        return sum(1 for key in self._data if key.startswith(self.prefix))
