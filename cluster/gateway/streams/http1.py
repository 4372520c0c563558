"""HTTP/1.1 on a forwarded connection, with an ASGI application at its end: how `kubectl port-forward` reaches a site.

One request after another on each connection, as a browser sends them; answers without a length are chunked.

Source:   RFC 9112
Left out: chunked requests (411), pipelining (what comes early waits), trailers, `Expect`, HTTP/1.0's keep-alive.
"""

import asyncio
import contextlib
import logging
from typing import Any, Protocol
from urllib.parse import unquote

from cluster.gateway.computed import Application

MAX_HEAD = 32 * 1024
MAX_BODY = 3 * 1024 * 1024
REASONS = {200: "OK", 204: "No Content", 301: "Moved Permanently", 302: "Found", 304: "Not Modified"}
REFUSALS = {
    400: "Bad Request",
    411: "Length Required",
    413: "Content Too Large",
    431: "Request Header Fields Too Large",
}
HOP_BY_HOP = (b"connection", b"keep-alive", b"transfer-encoding")

log = logging.getLogger(__name__)


class Way(Protocol):
    """Back to the client."""

    async def send(self, data: bytes) -> None: ...

    async def close(self) -> None: ...


class _Refused(Exception):
    def __init__(self, status: int) -> None:
        self.status = status


class Connection:
    """Bytes in, answers out. Its requests are answered by a task of its own, so that others go on meanwhile."""

    def __init__(self, application: Application, way: Way) -> None:
        self._application, self._way = application, way
        self._buffer, self._over = bytearray(), False
        self._more, self._left = asyncio.Event(), asyncio.Event()
        self._task = asyncio.create_task(self._serve())

    async def received(self, data: bytes) -> None:
        """What the client said; nothing: that was all."""
        self._over = self._over or not data
        self._buffer += data
        if len(self._buffer) > MAX_HEAD + MAX_BODY:
            self._over = True
        if self._over:
            self._left.set()
        self._more.set()

    async def leave(self) -> None:
        """The client is gone."""
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    async def _serve(self) -> None:
        try:
            while (head := await self._until(b"\r\n\r\n")) is not None:
                if not await self._answer(head):
                    break
        except _Refused as refused:
            text = REFUSALS[refused.status]
            head = f"HTTP/1.1 {refused.status} {text}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n".encode()
            await self._way.send(head)
        except Exception:
            log.exception("a forwarded connection's application failed")
        await self._way.close()

    async def _until(self, mark: bytes) -> bytes | None:
        """The bytes before `mark`, which is taken too; None: the client said no more. Errors: _Refused."""
        while (at := self._buffer.find(mark)) < 0:
            if len(self._buffer) > MAX_HEAD:
                raise _Refused(431)
            if not await self._wait():
                return None
        found = bytes(self._buffer[:at])
        del self._buffer[: at + len(mark)]
        return found

    async def _wait(self) -> bool:
        """For more bytes. Are there any?"""
        self._more.clear()
        if self._over:
            return False
        before = len(self._buffer)
        await self._more.wait()
        return len(self._buffer) > before

    async def _answer(self, head: bytes) -> bool:
        """One request; may another one follow? Errors: _Refused."""
        first, *lines = head.split(b"\r\n")
        words = first.split(b" ")
        pairs = [line.partition(b":") for line in lines]
        if len(words) != 3 or not words[1].startswith(b"/") or not all(colon for _, colon, _ in pairs):
            raise _Refused(400)
        headers = [(name.strip().lower(), value.strip()) for name, _, value in pairs]
        body = await self._body(dict(headers))
        target, _, query = words[1].partition(b"?")
        scope: dict[str, Any] = {"type": "http", "http_version": "1.1", "method": words[0].decode("latin1")}
        scope |= {"path": unquote(target.decode("latin1")), "raw_path": target, "query_string": query}
        scope |= {"headers": headers, "client": ("127.0.0.1", 0)}
        answer = _Answer(self._way, is_head=words[0] == b"HEAD")
        await self._application(scope, _Body(body, self._left), answer.send)
        return dict(headers).get(b"connection", b"").lower() != b"close"

    async def _body(self, headers: dict[bytes, bytes]) -> bytes:
        """Errors: _Refused."""
        if b"transfer-encoding" in headers:
            raise _Refused(411)
        length = headers.get(b"content-length", b"0")
        if not length.isdigit():
            raise _Refused(400)
        if int(length) > MAX_BODY:
            raise _Refused(413)
        while len(self._buffer) < int(length):
            if not await self._wait():
                raise _Refused(400)
        body = bytes(self._buffer[: int(length)])
        del self._buffer[: int(length)]
        return body


class _Body:
    """A request's body, once; then nothing until the client has `left`."""

    def __init__(self, body: bytes, left: asyncio.Event) -> None:
        self._body: bytes | None = body
        self._left = left

    async def __call__(self) -> dict[str, Any]:
        body, self._body = self._body, None
        if body is None:
            await self._left.wait()
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": body}


class _Answer:
    """ASGI's messages as HTTP/1.1."""

    def __init__(self, way: Way, is_head: bool) -> None:
        self._way, self._is_head, self._start = way, is_head, dict[str, Any]()
        self._chunked: bool | None = None

    async def send(self, message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self._start = message
            return
        body, more = message.get("body", b""), bool(message.get("more_body"))
        if self._chunked is None:
            await self._begin(len(body), more)
        if self._is_head or self._start["status"] in (204, 304):
            return
        if not self._chunked:
            await self._send(body)
            return
        await self._send(b"%x\r\n%s\r\n" % (len(body), body) if body else b"")
        if not more:
            await self._send(b"0\r\n\r\n")

    async def _begin(self, size: int, more: bool) -> None:
        status = self._start["status"]
        headers = [(name, value) for name, value in self._start.get("headers", ()) if name.lower() not in HOP_BY_HOP]
        has_length = any(name.lower() == b"content-length" for name, _ in headers)
        self._chunked = more and not has_length
        if self._chunked:
            headers.append((b"Transfer-Encoding", b"chunked"))
        elif not has_length and status not in (204, 304):
            headers.append((b"Content-Length", b"%d" % size))
        lines = [b"%s: %s" % pair for pair in headers]
        first = f"HTTP/1.1 {status} {REASONS.get(status, 'Status')}".encode()
        await self._send(b"\r\n".join([first, *lines]) + b"\r\n\r\n")

    async def _send(self, data: bytes) -> None:
        if data:
            await self._way.send(data)
