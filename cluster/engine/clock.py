"""Two clocks: the simulated one that components read, and the only look at a real one.

Simulated time is an integer of microseconds since the cluster's creation. It moves when the world takes a step or is
told how far it may run; it never reads the wall. `Pace` turns wall time into "how far the world may run now".

Read next: agenda.py, whose timers make the simulated clock move.
"""

import time

from cluster.objects import times

SECOND = 1_000_000
MINUTE = 60 * SECOND


class Clock:
    """Simulated time. `now`: microseconds since t = 0; `epoch`: those from 1970 to t = 0; `step`: steps taken."""

    __slots__ = ("_micro", "_micro_at", "_stamp", "_stamp_second", "epoch", "now", "step")

    def __init__(self, epoch: int, now: int = 0, step: int = 0) -> None:
        self.epoch, self.now, self.step = epoch, now, step
        self._stamp_second, self._stamp = -1, ""
        self._micro_at, self._micro = -1, ""

    def advance(self, to: int) -> None:
        """Move to `to`. Errors: ValueError if that is in the past."""
        if to < self.now:
            raise ValueError(f"the clock went backwards: now={self.now} us, asked for {to} us")
        self.now = to

    def unix(self) -> int:
        """Microseconds since 1970."""
        return self.epoch + self.now

    def stamp(self) -> str:
        """`2026-11-24T02:20:00Z`: metav1.Time of now."""
        second = (self.epoch + self.now) // SECOND
        if second != self._stamp_second:  # Thousands of objects share a second.
            self._stamp_second, self._stamp = second, times.rfc3339(second * SECOND)
        return self._stamp

    def micro_stamp(self) -> str:
        """`2026-11-24T02:20:00.000000Z`: metav1.MicroTime of now."""
        if self.now != self._micro_at:
            fraction = (self.epoch + self.now) % SECOND
            self._micro_at, self._micro = self.now, f"{self.stamp()[:-1]}.{fraction:06d}Z"
        return self._micro


def wall() -> float:
    """Wall seconds since 1970: recorded as an input where it matters, never read inside a step."""
    return time.time()


def monotonic() -> float:
    """Seconds that only grow: for budgets of slices, never for anything that is stored."""
    return time.monotonic()


class Pace:
    """How far the world may run: `speed` simulated seconds a wall second; 0 means without a ceiling.

    Anchored anew whenever a world is loaded, woken, resumed or changes speed: missed time is never caught up.
    """

    def __init__(self, now: int, speed: float, paused: bool) -> None:
        self.anchor_sim, self.anchor_wall = now, monotonic()
        self.speed, self.paused = speed, paused

    def horizon(self) -> int | None:
        """The simulated time up to which steps may be taken now; None: no ceiling.

        While paused nothing may be, not even the rest of an instant whose first item was just taken by hand.
        """
        if self.paused:
            return self.anchor_sim - 1
        if self.speed == 0:
            return None
        return self.anchor_sim + int((monotonic() - self.anchor_wall) * self.speed * SECOND)

    def seconds_until(self, due: int) -> float | None:
        """Wall seconds until simulated time `due` may be reached; None: never, the clock stands still."""
        if self.paused:
            return None
        if self.speed == 0:
            return 0.0
        return max(0.0, (due - self.anchor_sim) / SECOND / self.speed - (monotonic() - self.anchor_wall))
