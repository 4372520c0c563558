"""redis: an in-memory database.

Mirrors:  redis-server 8 (its log lines and its behaviour at SIGTERM, without persistence)
"""

from cluster.runtime.programs.program import MIB, MILLISECOND, Line, Program

STARTING = (
    ("#", "WARNING Memory overcommit must be enabled! Without it, a background save may fail."),
    ("*", "oO0OoO0OoO0Oo Redis is starting oO0OoO0OoO0Oo"),
    ("*", "Redis version=8.2.1, bits=64, commit=00000000, modified=1, pid=1, just started"),
    ("#", "Warning: no config file specified, using the default config."),
    ("*", "monotonic clock: POSIX clock_gettime"),
    ("*", "Running mode=standalone, port=6379."),
    ("*", "Server initialized"),
    ("*", "Ready to accept connections tcp"),
)


class Redis(Program):
    threads, places = 1, 10_000  # maxclients.
    cpu, cpu_per_request, memory, stop_time = 3, 0.05, 12 * MIB, 40 * MILLISECOND

    def ports(self) -> tuple[int, ...]:
        return (6379,)

    def speaks(self, port: int) -> str:
        return "redis"

    def at_start(self) -> list[Line]:
        first = self.process.started + 5 * MILLISECOND
        return [self._line(first + 2000 * n, mark, text) for n, (mark, text) in enumerate(STARTING)]

    def at_stop(self) -> list[Line]:
        at = self.process.stopped or 0
        return [
            self._line(at + MILLISECOND, "signal", "Received SIGTERM scheduling shutdown..."),
            self._line(at + 20 * MILLISECOND, "*", "User requested shutdown..."),
            self._line(at + 22 * MILLISECOND, "#", "Redis is now ready to exit, bye bye..."),
        ]

    def _line(self, at: int, mark: str, text: str) -> Line:
        moment = self.process.date(at)
        when = f"{moment:%d %b %Y %H:%M:%S}.{moment.microsecond // 1000:03d}"
        who = "1:signal-handler" if mark == "signal" else "1:M"
        stamp = f"({int(moment.timestamp())})" if mark == "signal" else f"{when} {mark}"
        return Line(at, "stdout", f"{who} {stamp} {text}")
