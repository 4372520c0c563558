"""Programs made for lessons: they start slowly, are ill now and then, burn CPU, talk a lot.

    orrery/slow-starter   listens after START_SECONDS (20)                              on PORT (8080)
    orrery/flaky          500 for the last FAIL_SECONDS (15) of every PERIOD_SECONDS (60)   on PORT (8080)
    orrery/chatty         a line of an imaginary shop's log every 1 / LINES_PER_SECOND (1) seconds
    hello-world           greets and ends
    orrery/cpu-burner     takes CPU_MILLICORES (500), or as much as its limit lets it

Read next: web.py.
"""

from collections.abc import Iterator

from cluster.runtime import noise
from cluster.runtime.programs.crasher import number
from cluster.runtime.programs.program import (
    MIB,
    MILLISECOND,
    SECOND,
    Exit,
    Line,
    Program,
    Response,
    Usage,
    ended,
)

PORT = 8080
STEPS = 10  # Lines of progress until the slow one has started.


class SlowStarter(Program):
    cpu, memory = 3, 40 * MIB

    def ports(self) -> tuple[int, ...]:
        return (number(self.process.env, "PORT", PORT),)

    def listens_at(self) -> int:
        return self.process.started + number(self.process.env, "START_SECONDS", 20) * SECOND

    def lines(self, start: int, end: int) -> Iterator[Line]:
        took = self.listens_at() - self.process.started
        marks = range(1, STEPS + 1) if took else ()
        said = [self.printed(took * n // STEPS, f"loading the catalogue: {100 * n // STEPS} %") for n in marks]
        said.append(self.printed(took + MILLISECOND, f"listening on port {self.ports()[0]}"))
        yield from (line for line in said if start <= line.at < end)

    def respond(self, at: int, method: str, target: str) -> Response:
        return Response(200, "ready\n")


class Flaky(Program):
    cpu, memory = 2, 20 * MIB

    def ports(self) -> tuple[int, ...]:
        return (number(self.process.env, "PORT", PORT),)

    def at_start(self) -> list[Line]:
        return [self.printed(5 * MILLISECOND, f"listening on port {self.ports()[0]}; sometimes I am ill")]

    def is_ill(self, at: int) -> bool:
        period, ill = self._times()
        return (at - self.process.started) % period >= period - ill

    def _times(self) -> tuple[int, int]:
        """(period, how long it is ill at its end): microseconds."""
        period = max(number(self.process.env, "PERIOD_SECONDS", 60), 1)
        return period * SECOND, min(number(self.process.env, "FAIL_SECONDS", 15), period) * SECOND

    def next_change(self, at: int) -> int:
        period, ill = self._times()
        begun = at - (at - self.process.started) % period
        return begun + (period if self.is_ill(at) else period - ill)

    def lines(self, start: int, end: int) -> Iterator[Line]:
        yield from super().lines(start, end)
        period, ill = self._times()
        first = max((start - self.process.started) // period, 0)
        for begun in range(self.process.started + first * period, end, period):
            if ill:
                at = begun + period - ill
                if start <= at < end:
                    yield Line(at, "stderr", "error: lost the connection to the database")
            if ill and start <= begun + period < end:
                yield Line(begun + period, "stdout", "connected to the database again")

    def respond(self, at: int, method: str, target: str) -> Response:
        return Response(500, "no database\n") if self.is_ill(at) else Response(200, "ok\n")


class Burner(Program):
    memory = 8 * MIB

    def at_start(self) -> list[Line]:
        return [self.printed(5 * MILLISECOND, f"burning {self._wish()} millicores")]

    def _wish(self) -> int:
        return number(self.process.env, "CPU_MILLICORES", 500)

    def usage(self, at: int, requests_per_second: float = 0.0) -> Usage:
        return Usage(self._wish(), super().usage(at).memory_bytes)


ORDERS = ("order received", "payment accepted", "parcel packed", "parcel shipped", "stock counted", "cart emptied")
FASTEST = 1_000  # Lines a second.


class Chatty(Program):
    cpu, memory = 3, 12 * MIB

    def _every(self) -> int:
        """Microseconds between two lines."""
        return SECOND // min(max(number(self.process.env, "LINES_PER_SECOND", 1), 1), FASTEST)

    def lines(self, start: int, end: int) -> Iterator[Line]:
        every, began = self._every(), self.process.started
        for turn in range(max(-(-(start - began) // every), 1), max(-(-(end - began) // every), 1)):
            at = began + turn * every
            yield Line(at, "stdout", self._said(at, turn))

    def _said(self, at: int, turn: int) -> str:
        drawn = noise.mix(self.process.seed, turn)
        what, level = ORDERS[drawn % len(ORDERS)], "WARN" if drawn >> 8 & 63 == 0 else "INFO"
        moment = f"{self.process.date(at):%Y-%m-%dT%H:%M:%S.%f}"[:-3]
        return f"{moment}Z {level} {what} order={turn} customer={drawn >> 16 & 1023} ms={5 + (drawn >> 32) % 90}"


class HelloWorld(Program):
    cpu, memory = 0, 1 * MIB

    def at_start(self) -> list[Line]:
        said = "\nHello from Docker!\nThis message shows that your installation appears to be working correctly.\n"
        return [self.printed(MILLISECOND, text) for text in said.split("\n")]

    def exit(self) -> Exit | None:
        return super().exit() or ended(self.process.started + 2 * MILLISECOND, 0)
