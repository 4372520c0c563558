"""leaker: takes more memory every second and gives none back. For OOMKilled.

LEAK_MIB_PER_SECOND: how fast (default 8). With a memory limit the kernel kills it when it gets there: exit
code 137. Without one it stops growing at 1 GiB, as a cache with a bound would.
"""

from collections.abc import Iterator

from cluster.runtime.programs.crasher import number
from cluster.runtime.programs.program import MIB, MILLISECOND, SECOND, Exit, Line, Program, Usage

REPORT_EVERY = 5 * SECOND
CEILING = 1024 * MIB


class Leaker(Program):
    cpu, memory = 12, 6 * MIB

    def exit(self) -> Exit | None:
        limit = self.process.memory_limit
        if limit is None or limit >= CEILING:
            return None
        needed = max(limit - self.memory, 0)
        after = needed * SECOND // self._rate() + 80 * MILLISECOND
        return Exit(self.process.started + after, 137, "OOMKilled")

    def lines(self, start: int, end: int) -> Iterator[Line]:
        """A report every five seconds: number n is printed at n × 5 s, so any window is found by division."""
        started = self.process.started
        first = max(-(-(start - started) // REPORT_EVERY), 0)
        for at in range(started + first * REPORT_EVERY, end, REPORT_EVERY):
            yield Line(at, "stdout", f"holding {self._held(at) // MIB} MiB")

    def usage(self, at: int, requests_per_second: float = 0.0) -> Usage:
        cpu = super().usage(at, requests_per_second).cpu_millicores
        return Usage(cpu, self._limited(self._held(at)))

    def most_memory(self) -> int:
        return self._limited(CEILING)

    def _held(self, at: int) -> int:
        return min(self.memory + max(at - self.process.started, 0) * self._rate() // SECOND, CEILING)

    def _rate(self) -> int:
        return max(number(self.process.env, "LEAK_MIB_PER_SECOND", 8), 1) * MIB
