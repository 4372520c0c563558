"""mongod: how it starts and stops. What it answers is in live/servers/mongo.py.

Mirrors:  mongod 4 to 8 (a few lines of its log), docker-library/mongo
Left out: most lines of the log, options, configuration files.
"""

import re

import orjson

from cluster.runtime import noise
from cluster.runtime.programs.program import MIB, MILLISECOND, SECOND, Exit, Line, Program, ended

VERSIONS = {"latest": "8.2.2", "8": "8.2.2", "8.0": "8.0.16", "7": "7.0.26", "7.0": "7.0.26", "6": "6.0.27",
            "6.0": "6.0.27", "5": "5.0.32", "5.0": "5.0.32", "4": "4.4.30", "4.4": "4.4.30"}  # fmt: skip
INCOMPLETE = (
    "error: missing 'MONGO_INITDB_ROOT_USERNAME' or 'MONGO_INITDB_ROOT_PASSWORD'",
    "       both must be specified for a user to be created",
)


class Mongo(Program):
    cpu, cpu_per_request, memory, stop_time = 8, 0.2, 110 * MIB, 300 * MILLISECOND

    @property
    def version(self) -> str:
        tag = self.process.image.rpartition("/")[2].partition("@")[0].partition(":")[2].partition("-")[0]
        return VERSIONS.get(tag, tag if re.fullmatch(r"\d+\.\d+\.\d+", tag) else VERSIONS["latest"])

    def ports(self) -> tuple[int, ...]:
        return (27017,)

    def speaks(self, port: int) -> str:
        return "mongo"

    def exit(self) -> Exit | None:
        if self.process.boot.get("data") == "refused":
            return ended(self.process.started + 30 * MILLISECOND, 1)
        return super().exit()

    def listens_at(self) -> int:
        """A first start with a user starts twice."""
        twice = 2 if self.process.boot.get("user") else 1
        return self.process.started + twice * noise.between(700 * MILLISECOND, 2 * SECOND, self.process.seed, 3)

    def at_start(self) -> list[Line]:
        begun = self.process.started + 10 * MILLISECOND
        if self.process.boot.get("data") == "refused":
            return [Line(begun, "stderr", text) for text in ("", *INCOMPLETE)]
        ready = self.listens_at()
        host = {"pid": 1, "port": 27017, "dbPath": "/data/db", "architecture": "64-bit", "host": self.process.hostname}
        return [
            self._said(begun, "CONTROL", 4615611, "initandlisten", "MongoDB starting", host),
            self._said(begun + 900, "CONTROL", 23403, "initandlisten", "Build Info",
                       {"buildInfo": {"version": self.version}}),
            self._said(ready - 100 * MILLISECOND, "STORAGE", 4795906, "initandlisten", "WiredTiger opened",
                       {"durationMillis": 612}),
            self._said(ready, "NETWORK", 23016, "listener", "Waiting for connections", {"port": 27017, "ssl": "off"}),
        ]  # fmt: skip

    def at_stop(self) -> list[Line]:
        at = self.process.stopped or 0
        if at < self.listens_at():
            return []
        return [
            self._said(at, "CONTROL", 23377, "SignalHandler", "Received signal", {"signal": 15, "error": "Terminated"}),
            self._said(at + 250 * MILLISECOND, "CONTROL", 23138, "SignalHandler", "Shutting down", {"exitCode": 0}),
        ]

    def _said(self, at: int, part: str, number: int, thread: str, text: str, facts: dict[str, object]) -> Line:
        moment = self.process.date(at)
        when = {"$date": f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}+00:00"}
        said = {"t": when, "s": "I", "c": part, "id": number, "ctx": thread, "msg": text, "attr": facts}
        return Line(at, "stdout", orjson.dumps(said).decode())
