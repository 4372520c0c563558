"""crasher: works for a while and dies. For CrashLoopBackOff.

CRASH_AFTER: seconds until it dies (default 3). EXIT_CODE: with which code (default 1).
"""

from collections.abc import Mapping

from cluster.runtime.programs.program import MIB, MILLISECOND, SECOND, Exit, Line, Program, ended

TRACE = (
    "panic: runtime error: invalid memory address or nil pointer dereference",
    "goroutine 1 [running]:",
    "main.main()",
    "\t/src/main.go:17 +0x1d",
)


class Crasher(Program):
    cpu, memory = 5, 6 * MIB

    def exit(self) -> Exit | None:
        return super().exit() or ended(self._end(), number(self.process.env, "EXIT_CODE", 1) & 255)

    def _end(self) -> int:
        return self.process.started + number(self.process.env, "CRASH_AFTER", 3) * SECOND

    def at_start(self) -> list[Line]:
        end = self._end()
        lines = [
            self.printed(5 * MILLISECOND, "starting"),
            self.printed(20 * MILLISECOND, "connected; doing my work"),
        ]
        lines += [Line(end - (len(TRACE) - n) * 100, "stderr", text) for n, text in enumerate(TRACE)]
        return [line for line in lines if line.at < end]


def number(env: Mapping[str, str], name: str, default: int) -> int:
    """A whole number from the environment; nonsense counts as the default."""
    text = env.get(name, "")
    return int(text) if text.isdecimal() and len(text) < 10 else default
