"""fluent-bit and loki: what they print, and what loki's port says of its health.

What they do is cluster/logstore's business.

Mirrors:  fluent-bit 4.0, loki 3.5 (their lines at the start and at SIGTERM; /ready)
Left out: the errors that fluent-bit logs while loki does not answer: a program does not know of other machines.
"""

from cluster.runtime.programs.program import MIB, MILLISECOND, Line, Program, Response

FLUENT_BIT = (
    "[ info] [fluent bit] version=4.0.3, commit=, pid=1",
    "[ info] [storage] ver=1.5.3, type=memory, sync=normal, checksum=off, max_chunks_up=128",
    "[ info] [input:tail:tail.0] initializing",
    "[ info] [input:tail:tail.0] storage_strategy='memory' (memory only)",
    "[ info] [filter:kubernetes:kubernetes.0] https=1 host=kubernetes.default.svc port=443",
    "[ info] [output:loki:loki.0] configured, hostname=loki:3100",
    "[ info] [sp] stream processor started",
)
LOKI = (
    ("main.go:126", "Starting Loki", 'version="(version=3.5.3, branch=, revision=)"'),
    ("server.go:351", "server listening on addresses", "http=[::]:3100 grpc=[::]:9095"),
    ("module_service.go:82", "starting", "module=ingester"),
    ("loki.go:547", "Loki started", "startup_time=210ms"),
)


class FluentBit(Program):
    cpu, memory, stop_time = 2, 24 * MIB, 1_000 * MILLISECOND

    def at_start(self) -> list[Line]:
        first = self.process.started + 20 * MILLISECOND
        return [self._line(first + n * MILLISECOND, said) for n, said in enumerate(FLUENT_BIT)]

    def at_stop(self) -> list[Line]:
        at = (self.process.stopped or 0) + MILLISECOND
        return [
            self._line(at, "[engine] caught signal (SIGTERM)"),
            self._line(at + MILLISECOND, "[ warn] [engine] service will shutdown in max 5 seconds"),
        ]

    def _line(self, at: int, said: str) -> Line:
        return Line(at, "stderr", f"[{self.process.date(at):%Y/%m/%d %H:%M:%S}] {said}")


class Loki(Program):
    cpu, memory, stop_time = 4, 90 * MIB, 300 * MILLISECOND

    def ports(self) -> tuple[int, ...]:
        return (3100, 9095)

    def respond(self, at: int, method: str, target: str) -> Response:
        if target.partition("?")[0] == "/ready":
            return Response(200, "ready\n")
        return Response(404, "404 page not found\n", "text/plain; charset=utf-8")

    def at_start(self) -> list[Line]:
        first = self.process.started + 40 * MILLISECOND
        return [self._line(first + 50 * n * MILLISECOND, *said) for n, said in enumerate(LOKI)]

    def at_stop(self) -> list[Line]:
        at = (self.process.stopped or 0) + MILLISECOND
        return [self._line(at, "signals.go:62", "=== received SIGINT/SIGTERM ===\\n*** exiting")]

    def _line(self, at: int, where: str, said: str, more: str = "") -> Line:
        text = f'level=info ts={self.process.date(at):%Y-%m-%dT%H:%M:%S.%fZ} caller={where} msg="{said}" {more}'
        return Line(at, "stderr", text.rstrip())
