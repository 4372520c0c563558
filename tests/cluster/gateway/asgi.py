"""A client of the gateway without a socket: calls the ASGI application the way Daphne does."""

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from cluster.gateway import application


@dataclass
class Answer:
    """What came back. `chunks`: bodies as they were sent, with the seconds since the request."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    chunks: list[bytes] = field(default_factory=list)

    @property
    def body(self) -> bytes:
        return b"".join(self.chunks)

    def json(self) -> Any:
        return json.loads(self.body)

    def frames(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.body.splitlines()]


class Exchange:
    """One request under way."""

    def __init__(
        self,
        url: str,
        method: str = "GET",
        body: bytes = b"",
        prefix: str = "/clusters/lab",
        secure: bool = False,
        certificate: bytes = b"",
        **headers: str,
    ):
        path, _, query = url.partition("?")
        named = {"host": "localhost", **{name.replace("_", "-"): value for name, value in headers.items()}}
        self.scope = {
            "type": "http",
            "scheme": "https" if secure or certificate else "http",
            "extensions": {"tls": {"certificate": certificate}} if certificate else {},
            "method": method,
            "path": prefix + unquote(path),
            "query_string": query.encode(),
            "headers": [(name.lower().encode(), value.encode()) for name, value in named.items()],
        }
        self.answer = Answer()
        self._incoming: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._incoming.put_nowait({"type": "http.request", "body": body, "more_body": False})
        self._changed = asyncio.Event()
        self.task = asyncio.ensure_future(application(self.scope, self._incoming.get, self._send))

    async def _send(self, message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.answer.status = message["status"]
            self.answer.headers = {name.decode(): value.decode() for name, value in message["headers"]}
        else:
            self.answer.chunks.append(message["body"])
        self._changed.set()

    def hang_up(self) -> None:
        self._incoming.put_nowait({"type": "http.disconnect"})

    async def until(self, condition: Any, seconds: float = 5) -> Answer:
        """Wait until `condition(answer)` holds."""
        async with asyncio.timeout(seconds):
            while not condition(self.answer):
                self._changed.clear()
                await self._changed.wait()
        return self.answer

    async def finished(self, seconds: float = 10) -> Answer:
        async with asyncio.timeout(seconds):
            await self.task
        return self.answer


def fetch(url: str, method: str = "GET", body: bytes = b"", **more: Any) -> Answer:
    """One request from its beginning to its end."""

    async def run() -> Answer:
        return await Exchange(url, method, body, **more).finished()

    return asyncio.run(run())
