"""The scheduling queue: which pod is next?

    activeQ         may be tried now: highest priority first, then who has waited longest
    backoffQ        may be tried once its back-off is over: 1 s after the first failure, then 2, 4, 8, 10 s.
                    Pods that a plugin refused are taken sooner if nobody else waits; after an error not
    unschedulable   refused by some plugins, waiting for an event that these plugins say may help; after
                    5 minutes it is tried again in any case
    gated           has scheduling gates; waits for somebody to remove them

Everything is kept in cells, one entry a pod; heaps and sets in here are derived from them, so a rebuilt
scheduler goes on exactly where this one stands. The entry of a pod that is being scheduled is in the hands of
the caller.

Mirrors:  kubernetes/pkg/scheduler/backend/queue (scheduling_queue.go, active_queue.go, backoff_queue.go)
Left out: events in flight. A step is never interrupted, so no event can happen while a pod is being
          scheduled.
"""

from collections.abc import Callable
from heapq import heapify, heappop, heappush
from typing import Any

from cluster.engine import cause
from cluster.engine.cause import Causes
from cluster.engine.cells import Section
from cluster.engine.clock import SECOND, Clock
from cluster.objects import Manifest, meta
from cluster.scheduler.plugins.priority_sort import rank

FIRST_BACKOFF = 1 * SECOND
LAST_BACKOFF = 10 * SECOND
BACKOFF_WINDOW = 1 * SECOND  # Back-offs end on whole seconds, so that priorities count among those of one second.
UNSCHEDULABLE_AT_MOST = 300 * SECOND
MOST_DOUBLINGS = 40  # Longer than any back-off that can be configured.

ACTIVE, BACKOFF, UNSCHEDULABLE, GATED = "active", "backoff", "unschedulable", "gated"
ERROR = ""  # In `rejectedBy`: no plugin refused the pod, something went wrong.

Entry = dict[str, Any]


class SchedulingQueue:
    """Pods waiting for a node, by key. `memory`: the cells; entries there are replaced, never changed.

    `first`, `last`: the shortest and the longest back-off, in microseconds.
    """

    def __init__(self, memory: Section, clock: Clock, first: int = FIRST_BACKOFF, last: int = LAST_BACKOFF) -> None:
        self._cells, self._memory, self._clock = memory, memory, clock
        self._first_backoff, self._last_backoff = first, last
        self.entries: dict[str, Entry] = {}
        for name, entry in sorted(memory.items(), key=lambda item: item[1]["order"] if _is_pod(item[0]) else 0):
            if _is_pod(name):
                self.entries[name[len(PREFIX) :]] = entry
        self._active = [_active_rank(key, entry) for key, entry in self.entries.items() if entry["queue"] == ACTIVE]
        waiting = [(key, entry) for key, entry in self.entries.items() if entry["queue"] == BACKOFF]
        self._refused = [_backoff_rank(key, entry) for key, entry in waiting if entry["rejectedBy"]]
        self._erred = [_backoff_rank(key, entry) for key, entry in waiting if not entry["rejectedBy"]]
        heapify(self._active)
        heapify(self._refused)
        heapify(self._erred)
        self.unschedulable = {key: None for key, entry in self.entries.items() if entry["queue"] == UNSCHEDULABLE}

    def __len__(self) -> int:
        return len(self.entries)

    def __contains__(self, key: str) -> bool:
        return key in self.entries

    def counts(self) -> dict[str, int]:
        """How many pods wait in each queue."""
        found = dict.fromkeys((ACTIVE, BACKOFF, UNSCHEDULABLE, GATED), 0)
        for entry in self.entries.values():
            found[entry["queue"]] += 1
        return found

    # --- in -------------------------------------------------------------------------------------------------
    # -----------------------------------------------------------------------------------------------------

    def add(self, pod: Manifest, causes: Causes, gated: bool) -> None:
        """A new pod without a node. `gated`: a PreEnqueue plugin does not let it in."""
        entry = {
            "queue": GATED if gated else ACTIVE,
            "uid": meta.uid(pod),
            "priority": pod["spec"].get("priority") or 0,
            "since": self._clock.now,
            "attempts": 0,
            "refusals": 0,
            "errors": 0,
            "until": 0,
            "rejectedBy": [],
            "causes": list(causes),
        }
        self._put(meta.key(pod), entry)

    def remove(self, key: str) -> None:
        """The pod is gone, or has a node."""
        if key in self.entries:
            del self.entries[key], self._cells[PREFIX + key]
            self.unschedulable.pop(key, None)

    def failed(self, key: str, entry: Entry, plugins: list[str]) -> None:
        """Back after a vain attempt. `plugins`: who refused; empty: an error, which only time can heal."""
        counts = {"refusals": entry["refusals"] + 1, "errors": 0} if plugins else {"errors": entry["errors"] + 1}
        entry = {**entry, **counts, "since": self._clock.now, "rejectedBy": plugins}
        entry["until"] = self._backoff_end(entry)
        self._put(key, {**entry, "queue": UNSCHEDULABLE if plugins else BACKOFF})

    def ungate(self, key: str, causes: Causes) -> None:
        """The last scheduling gate was removed."""
        self._put(key, {**self.entries[key], "queue": ACTIVE, "causes": self._with(self.entries[key], causes)})

    def move(self, key: str, causes: Causes) -> None:
        """Something happened that may help the unschedulable pod `key`: try it, after its back-off."""
        entry = self.entries[key]
        waiting = entry["until"] > self._clock.now
        self._put(key, {**entry, "queue": BACKOFF if waiting else ACTIVE, "causes": self._with(entry, causes)})

    def move_if(self, worth: Callable[[str, Entry], bool], causes: Causes) -> int:
        """Move every unschedulable pod that is `worth` it; returns how many."""
        moving = [key for key in self.unschedulable if worth(key, self.entries[key])]
        for key in moving:
            self.move(key, causes)
        return len(moving)

    def flush_old(self, causes: Causes) -> int:
        """Move the pods that have been unschedulable for five minutes: events might have been missed."""
        limit = self._clock.now - UNSCHEDULABLE_AT_MOST
        return self.move_if(lambda key, entry: entry["since"] <= limit, causes)

    def _with(self, entry: Entry, causes: Causes) -> list[str]:
        return list(cause.merge(tuple(entry["causes"]), causes))

    def _put(self, key: str, entry: Entry) -> None:
        order = self._cells.get("order", 0) + 1
        self._cells["order"] = order
        entry["order"] = order
        self.entries[key] = self._cells[PREFIX + key] = entry
        self.unschedulable.pop(key, None)
        if entry["queue"] == ACTIVE:
            heappush(self._active, _active_rank(key, entry))
        elif entry["queue"] == BACKOFF:
            heappush(self._refused if entry["rejectedBy"] else self._erred, _backoff_rank(key, entry))
        elif entry["queue"] == UNSCHEDULABLE:
            self.unschedulable[key] = None

    def _backoff_end(self, entry: Entry) -> int:
        failures = (entry["refusals"] if entry["rejectedBy"] else entry["errors"]) or 1
        length = min(self._first_backoff << min(failures - 1, MOST_DOUBLINGS), self._last_backoff)
        end = self._clock.epoch + entry["since"] + length
        return end // BACKOFF_WINDOW * BACKOFF_WINDOW - self._clock.epoch

    # --- out ------------------------------------------------------------------------------------------------
    # ----------------------------------------------------------------------------------------------------

    def pop(self) -> tuple[str, Entry] | None:
        """Take the next pod; None if nobody may be tried now. Its attempt is counted."""
        key = self._first()
        if key is None:
            return None
        entry = self.entries[key]
        self.remove(key)
        return key, {**entry, "attempts": entry["attempts"] + 1}

    def has_work(self) -> bool:
        """Would `pop` find somebody now?"""
        return self._first() is not None

    def next_error_retry(self) -> int | None:
        """When the first back-off after an error ends; None: there is none. These wait in any case."""
        rank = self._head(self._erred)
        return rank[0] if rank else None

    def _first(self) -> str | None:
        """The next pod. With nobody else waiting, a refused one need not sit out its back-off."""
        self._finish_backoffs()
        rank = self._head(self._active) or self._head(self._refused)
        return rank[-1] if rank else None

    def _finish_backoffs(self) -> None:
        for heap in (self._refused, self._erred):
            while (rank := self._head(heap)) is not None and rank[0] <= self._clock.now:
                self._put(rank[-1], {**self.entries[rank[-1]], "queue": ACTIVE})

    def _head(self, heap: list[Any]) -> Any:
        """The first rank that still says the truth about its pod."""
        while heap and not self._is_current(heap[0]):
            heappop(heap)
        return heap[0] if heap else None

    def _is_current(self, rank: tuple[Any, ...]) -> bool:
        entry = self.entries.get(rank[-1])
        return entry is not None and entry["order"] == rank[-2]


PREFIX = "pod/"


def _is_pod(name: str) -> bool:
    return name.startswith(PREFIX)


def _active_rank(key: str, entry: Entry) -> tuple[int, int, int, str]:
    return (*rank(entry), entry["order"], key)


def _backoff_rank(key: str, entry: Entry) -> tuple[int, int, int, int, str]:
    return (entry["until"], -entry["priority"], entry["since"], entry["order"], key)
