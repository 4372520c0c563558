"""A scripted container: a real program's output and appetite, but its end is in the pod's annotations.

For lessons and tests that need "this one fails after ten seconds" whatever the image. The script is plain
data in the record: `{"do": "exit", "code": 3, "after": 10_000_000}` or `{"do": "run"}`.
"""

from collections.abc import Iterator
from typing import Any

from cluster.runtime.programs.program import Exit, Line, Program, Response, Usage, ended


class Scripted(Program):
    """Wraps `inner`."""

    def __init__(self, inner: Program, script: dict[str, Any]) -> None:
        super().__init__(inner.process)
        self.inner, self.script = inner, script

    def exit(self) -> Exit | None:
        if self.script["do"] != "exit":
            return None
        return ended(self.process.started + self.script["after"], self.script["code"])

    def ports(self) -> tuple[int, ...]:
        return self.inner.ports()

    def respond(self, at: int, method: str, target: str) -> Response | None:
        return self.inner.respond(at, method, target)

    def speaks(self, port: int) -> str:
        return self.inner.speaks(port)

    def health(self, at: int, service: str) -> str:
        return self.inner.health(at, service)

    def listens_at(self) -> int:
        return self.inner.listens_at()

    def next_change(self, at: int) -> int | None:
        return self.inner.next_change(at)

    def lines(self, start: int, end: int) -> Iterator[Line]:
        return self.inner.lines(start, end)

    def usage(self, at: int, requests_per_second: float = 0.0) -> Usage:
        return self.inner.usage(at, requests_per_second)

    def most_memory(self) -> int:
        return self.inner.most_memory()
