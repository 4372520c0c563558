"""What a program is: a pure function from a start to everything it will ever print, use and exit with.

No state, no clock, no files: whoever has the container's record can ask for the last ten lines, the memory at
14:05 or the exit code, in any order, in any process, and gets the same answer. Programs therefore answer by
time, not by "continuing": `lines(start, end)` must cost about as much as it yields, however long the program
has been running.

Read next: nginx.py.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from cluster.runtime import noise

MILLISECOND = 1_000
SECOND = 1_000_000
MIB = 1 << 20
DRIFT = 0.04  # A server's memory goes up and down by so much of it.
REQUEST_MEMORY = 4096  # Bytes for each request a second.
UNIX = datetime(1970, 1, 1, tzinfo=UTC)
LAST_DAY = (datetime(9999, 12, 31, tzinfo=UTC) - UNIX) // timedelta(microseconds=1)  # Of Python's calendar.


class Exit(NamedTuple):
    """How a program ends. `at`: microseconds since t = 0. `message`: what it left in /dev/termination-log."""

    at: int
    code: int
    reason: str
    message: str = ""


class Line(NamedTuple):
    """One line of output. `stream`: stdout or stderr."""

    at: int
    stream: str
    text: str


class Response(NamedTuple):
    """What a web server answers."""

    status: int
    body: str
    type: str = "text/plain"
    location: str = ""  # Of a redirect.


class Demand(NamedTuple):
    """What a load generator wants to send. `rate`: requests a second; 0: as fast as answers come.

    `connections`: so many at a time; `timeout`: microseconds; `of`: the LoadGenerator that says all of it, else "".
    """

    url: str
    rate: float = 0.0
    connections: int = 1
    timeout: int = 20 * SECOND
    method: str = "GET"
    of: str = ""


class Usage(NamedTuple):
    """What it takes at one instant."""

    cpu_millicores: int
    memory_bytes: int


@dataclass(frozen=True, slots=True)
class Process:
    """All that a program knows. Times: microseconds since t = 0; `epoch`: microseconds from 1970 to t = 0."""

    image: str
    argv: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    seed: int = 0
    started: int = 0
    stopped: int | None = None  # When SIGTERM came.
    memory_limit: int | None = None  # Bytes.
    hostname: str = "localhost"
    epoch: int = 0
    user: tuple[int, ...] = (0, 0)  # uid, gid and further groups.
    boot: Mapping[str, Any] = field(default_factory=dict)  # What it found when it started: see servers/starts.py.

    def date(self, at: int) -> datetime:
        """Simulated calendar time of `at`, UTC; the last day of the year 9999 for all that is later."""
        return UNIX + timedelta(microseconds=min(self.epoch + at, LAST_DAY))


def ended(at: int, code: int, message: str = "") -> Exit:
    """An exit by the program's own will."""
    return Exit(at, code, "Completed" if code == 0 else "Error", message)


class Program:
    """The contract, with the answers of a quiet server that runs until it is told to stop.

    Subclasses set the figures below and override `exit`, `lines` and so on where they differ.
    """

    cpu = 1  # Millicores when idle …
    cpu_per_request = 0.2  # … and more for each request per second.
    memory = 8 * MIB
    threads = 64  # So many requests can it work on at once, if it has the CPUs …
    places = 4096  # … and hold so many, waiting ones in the kernel's backlog too.
    stop_time = 100 * MILLISECOND  # How long it takes to end after SIGTERM.
    traffic: Sequence[Sequence[Any]] = ()  # Lines of its access log: [at, text].
    flow: Sequence[Mapping[str, Any]] = ()  # What came of what it has sent: see traffic.py.

    def __init__(self, process: Process) -> None:
        self.process = process

    def exit(self) -> Exit | None:
        """When and how it ends by itself; None: never. A limit below what it needs kills it at the start."""
        limit = self.process.memory_limit
        if limit is not None and limit < self.memory:
            return Exit(self.process.started + 80 * MILLISECOND, 137, "OOMKilled")
        return None

    def after_sigterm(self, at: int) -> Exit | None:
        """How it ends when SIGTERM comes at `at`; None: it ignores the signal and waits for SIGKILL."""
        return ended(at + self.stop_time + noise.mix(self.process.seed, 7) % self.stop_time, 0)

    def ports(self) -> tuple[int, ...]:
        """Where it listens, whatever the pod declares."""
        return ()

    def respond(self, at: int, method: str, target: str) -> Response | None:
        """What it answers to a request at `at`; None: whoever plays its port knows better."""
        return None

    def reply(self, port: int, given: str) -> tuple[str, bool] | None:
        """To bytes (as latin-1) of its own protocol: (what goes back, does it hang up then?); None: it has none."""
        return None

    def root(self) -> str:
        """The directory of which it serves the files, if it is such a server."""
        return "/"

    def speaks(self, port: int) -> str:
        """What a port understands: http, https, grpc, redis, mysql, postgres; any: whatever it is asked."""
        return "http"

    def health(self, at: int, service: str) -> str:
        """The answer to gRPC's health check: SERVING, NOT_SERVING; "": it knows no such service."""
        return "SERVING"

    def demand(self) -> Demand | None:
        """What it sends for as long as it runs; None: it is no load generator."""
        return None

    def listens_at(self) -> int:
        """From when on its ports are open."""
        return self.process.started

    def next_change(self, at: int) -> int | None:
        """When, after `at`, it will answer differently by itself; None: never."""
        return None

    def lines(self, start: int, end: int) -> Iterator[Line]:
        """What it prints in [start, end), in order of time."""
        said = [*self.at_start(), *(self.at_stop() if self.process.stopped is not None else ())]
        if self.traffic:
            said = sorted([*said, *(Line(at, "stdout", text) for at, text in self.traffic)], key=lambda line: line.at)
        for line in said:
            if start <= line.at < end:
                yield line

    def at_start(self) -> list[Line]:
        """What it prints when it starts."""
        return []

    def at_stop(self) -> list[Line]:
        """What it prints when SIGTERM comes, at `process.stopped`."""
        return []

    def usage(self, at: int, requests_per_second: float = 0.0) -> Usage:
        """CPU and memory at `at`: a base, what the traffic asks for, and smooth seeded noise."""
        seed = self.process.seed
        warm = min(1.0, (at - self.process.started) / (20 * SECOND) + 0.4)
        wobble = 1 + 0.35 * noise.smooth(at, 15 * SECOND, seed) + 0.1 * noise.smooth(at, 4 * SECOND, seed + 1)
        cpu = (self.cpu + self.cpu_per_request * requests_per_second) * max(wobble, 0.1)
        drift = 1 + DRIFT * noise.smooth(at, 90 * SECOND, seed + 2)
        memory = self.memory * warm * drift + requests_per_second * REQUEST_MEMORY
        return Usage(round(cpu), self._limited(int(memory)))

    def most_memory(self) -> int:
        """Bytes that it will never exceed. Requests come on top: REQUEST_MEMORY for each a second."""
        return self._limited(int(self.memory * (1 + DRIFT)))

    def _limited(self, memory: int) -> int:
        limit = self.process.memory_limit
        return memory if limit is None else min(memory, limit)

    def klog(self, at: int, where: str, said: str) -> Line:
        """A line of information as Kubernetes' components write them. `where`: file and line of the source."""
        return Line(at, "stderr", f"I{self.process.date(at):%m%d %H:%M:%S.%f}       1 {where}] {said}")

    def printed(self, offset: int, text: str, stream: str = "stdout") -> Line:
        """A line, `offset` microseconds after the start."""
        return Line(self.process.started + offset, stream, text)
