"""stress: takes as much CPU and memory as it is told, and dies of a limit on memory.

    stress --cpu 2 --vm 1 --vm-bytes 150M --timeout 60        polinux/stress, progrium/stress
    stress -cpus 2 -mem-total 950Mi                           vish/stress (it allocates slowly)

Mirrors:  stress 1.0 (Amos Waterland); github.com/vishh/stress
Left out: --io, --hdd; -mem-alloc-size and -mem-alloc-sleep: memory grows by 100 MiB a second.
"""

import re

from cluster.runtime.programs.program import MIB, MILLISECOND, SECOND, Exit, Line, Program, Usage, ended

UNITS = {"": 1, "B": 1, "K": 1024, "M": MIB, "G": 1024 * MIB, "KI": 1024, "MI": MIB, "GI": 1024 * MIB}
UNITS |= {"S": 1, "MIN": 60, "H": 3600}
QUICK, SLOW = 2_000 * MIB, 100 * MIB  # Bytes a second.


class Stress(Program):
    memory = 2 * MIB

    def _number(self, *names: str) -> int:
        """The value of one of these options; 0: it is not there, or can't be read."""
        words = [part for word in self.process.argv for part in word.split("=", 1)]
        for place, word in enumerate(words[:-1]):
            if word.startswith("-") and word.lstrip("-") in names:
                found = re.fullmatch(r"(\d{1,12})([A-Za-z]{0,3})", words[place + 1])
                return int(found[1]) * UNITS.get(found[2].upper(), 1) if found else 0
        return 0

    @property
    def _wanted(self) -> int:
        """Bytes."""
        workers = self._number("vm", "m") or 1
        return max(self._number("mem-total"), workers * self._number("vm-bytes"), self.memory)

    def _held(self, at: int) -> int:
        rate = SLOW if self._number("mem-total") else QUICK
        return min(self.memory + max(at - self.process.started, 0) * rate // SECOND, self._wanted)

    def exit(self) -> Exit | None:
        limit, started = self.process.memory_limit, self.process.started
        timeout = self._number("timeout", "t")
        over = ended(started + timeout * SECOND, 0) if timeout else None
        if limit is None or self._wanted <= limit:
            return over
        rate = SLOW if self._number("mem-total") else QUICK
        at = started + max(limit - self.memory, 0) * SECOND // rate + 80 * MILLISECOND
        killed = Exit(at, 137, "OOMKilled")
        return min((end for end in (killed, over) if end is not None), key=lambda end: end.at)

    def at_start(self) -> list[Line]:
        cpus, workers = self._number("cpu", "c", "cpus"), self._number("vm", "m")
        said = f"stress: info: [1] dispatching hogs: {cpus} cpu, 0 io, {workers} vm, 0 hdd"
        return [self.printed(3 * MILLISECOND, said)]

    def usage(self, at: int, requests_per_second: float = 0.0) -> Usage:
        workers = self._number("cpu", "c", "cpus") + self._number("vm", "m")
        return Usage(1000 * workers, self._limited(self._held(at)))

    def most_memory(self) -> int:
        return self._limited(self._wanted)
