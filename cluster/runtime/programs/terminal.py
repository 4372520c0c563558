"""A process 1 that somebody can type into: what it printed and how it ended stand in its container's record.

It can't be a function of time, since it has a past: see runtime/live/ for how it lives. This is how everybody else
(logs, metrics, the kubelet) sees it.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from cluster.runtime.programs.program import MIB, Exit, Line, Process, Program

STREAMS = {1: "stdout", 2: "stderr"}


class Terminal(Program):
    cpu, cpu_per_request, memory = 0, 0.0, 1 * MIB

    def __init__(self, process: Process, printed: Sequence[Sequence[Any]], end: Sequence[Any] | None) -> None:
        super().__init__(process)
        self.printed_parts, self.end = printed, end

    def exit(self) -> Exit | None:
        return Exit(*self.end) if self.end is not None else super().exit()

    def after_sigterm(self, at: int) -> Exit | None:
        """Nobody knows before it is told: see kubelet/sessions.py. Without a trap, process 1 does not mind."""
        return None

    def lines(self, start: int, end: int) -> Iterator[Line]:
        """Whole lines, each at the moment it was finished; the last one when the process ended."""
        rest = {1: "", 2: ""}
        last = 0
        for at, channel, text in self.printed_parts:
            *whole, rest[channel] = (rest[channel] + text).split("\n")
            last = at
            if start <= at < end:
                for line in whole:
                    yield Line(at, STREAMS[channel], _decoded(line))
        finished = self.end[0] if self.end is not None else None
        if finished is not None and start <= max(finished, last) < end:
            yield from (Line(finished, STREAMS[channel], _decoded(text)) for channel, text in rest.items() if text)


def _decoded(text: str) -> str:
    """Characters that stand for bytes, as the text that the bytes are."""
    return text.encode("latin-1", "replace").decode("utf-8", "replace")
