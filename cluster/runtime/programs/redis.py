"""redis: an in-memory database.

What it answers, keeps on disk and sends to followers is in live/servers/redis/; here is its log.

Mirrors:  redis-server 8 (its log lines and its behaviour at SIGTERM)
Left out: lines about saves in between, replicas that come and go later.
"""

import re
from itertools import pairwise

from cluster.runtime.programs.program import MIB, MILLISECOND, Line, Program

NO_FILE = ("#", "Warning: no config file specified, using the default config.")
VERSIONS = {
    "latest": "8.2.1",
    "8": "8.2.1",
    "7": "7.4.6",
    "7.4": "7.4.6",
    "7.2": "7.2.11",
    "6": "6.2.20",
    "6.2": "6.2.20",
}


class Redis(Program):
    threads, places = 1, 10_000  # maxclients.
    cpu, cpu_per_request, memory, stop_time = 3, 0.05, 12 * MIB, 40 * MILLISECOND

    @property
    def version(self) -> str:
        tag = self.process.image.rpartition("/")[2].partition("@")[0].partition(":")[2].partition("-")[0].lstrip("v")
        return VERSIONS.get(tag, tag if re.fullmatch(r"\d+\.\d+\.\d+", tag) else VERSIONS["latest"])

    @property
    def port(self) -> int:
        words = self.process.argv
        given = next((word for before, word in pairwise(words) if before == "--port"), "6379")
        return int(given) if given.isdigit() and 0 < int(given[:6]) < 65536 else 6379

    def ports(self) -> tuple[int, ...]:
        return (self.port,)

    def speaks(self, port: int) -> str:
        return "redis"

    def at_start(self) -> list[Line]:
        first, boot = self.process.started + 5 * MILLISECOND, self.process.boot
        said = [
            ("#", "WARNING Memory overcommit must be enabled! Without it, a background save may fail."),
            ("*", "oO0OoO0OoO0Oo Redis is starting oO0OoO0OoO0Oo"),
            ("*", f"Redis version={self.version}, bits=64, commit=00000000, modified=1, pid=1, just started"),
            NO_FILE if len(self.process.argv) < 2 else ("*", "Configuration loaded"),
            ("*", "monotonic clock: POSIX clock_gettime"),
            ("*", f"Running mode=standalone, port={self.port}."),
            ("*", "Server initialized"),
        ]
        if boot.get("from") == "rdb":
            said.append(("*", f"Done loading RDB, keys loaded: {boot['keys']}, keys expired: 0."))
            said.append(("*", "DB loaded from disk: 0.000 seconds"))
        elif boot.get("from") == "aof":
            said.append(("*", "DB loaded from append only file: 0.000 seconds"))
        said.append(("*", "Ready to accept connections tcp"))
        if "master" in boot:
            host, port = boot["master"]
            said += [("*", f"Connecting to MASTER {host}:{port}"), ("*", "MASTER <-> REPLICA sync started")]
            said += [("*", "MASTER <-> REPLICA sync: Finished with success")] if boot["link"] == "up" else []
        return [self._line(first + 2000 * n, mark, text) for n, (mark, text) in enumerate(said)]

    def at_stop(self) -> list[Line]:
        at, saves = self.process.stopped or 0, self.process.boot.get("saves")
        return [
            self._line(at + MILLISECOND, "signal", "Received SIGTERM scheduling shutdown..."),
            self._line(at + 20 * MILLISECOND, "*", "User requested shutdown..."),
            *([self._line(at + 21 * MILLISECOND, "*", "Saving the final RDB snapshot before exiting."),
               self._line(at + 21 * MILLISECOND + 500, "*", "DB saved on disk")] if saves else []),
            self._line(at + 22 * MILLISECOND, "#", "Redis is now ready to exit, bye bye..."),
        ]  # fmt: skip

    def _line(self, at: int, mark: str, text: str) -> Line:
        moment = self.process.date(at)
        when = f"{moment:%d %b %Y %H:%M:%S}.{moment.microsecond // 1000:03d}"
        role = "S" if "master" in self.process.boot else "M"
        who = "1:signal-handler" if mark == "signal" else f"1:{role}"
        stamp = f"({int(moment.timestamp())})" if mark == "signal" else f"{when} {mark}"
        return Line(at, "stdout", f"{who} {stamp} {text}")
