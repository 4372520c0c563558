"""Requests and answers over raw ASGI: as little as the API needs, so that a GET costs half a millisecond.

Read next: __init__.py for where requests go.
"""

import asyncio
import gzip
import uuid
from collections.abc import Awaitable, Callable, MutableMapping
from email.utils import formatdate
from typing import Any, NamedTuple
from urllib.parse import parse_qs

import orjson

from cluster.apiserver import negotiate
from cluster.apiserver.negotiate import Format
from cluster.objects import errors, users
from cluster.objects.users import User

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

MAX_BODY = 3 * 1024 * 1024
WORTH_GZIP = 128 * 1024  # Bytes; smaller answers are sent as they are.
TEXT = "text/plain; charset=utf-8"
NO_CACHE = ("Cache-Control", "no-cache, private")
NO_SNIFF = ("X-Content-Type-Options", "nosniff")
_BROWSERS = ("curl", "Wget", "Mozilla/5.0")  # Who asks by hand gets JSON to read.


class Reply(NamedTuple):
    """A whole answer."""

    status: int
    media: str
    body: bytes
    headers: tuple[tuple[str, str], ...] = (NO_CACHE,)


class Request:
    """One HTTP request for one cluster. `path`: what comes after `/clusters/<cluster>`, without a slash at its end."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scope, self.receive, self._send = scope, receive, send
        _, _, self.cluster, *rest = scope["path"].split("/", 3)
        self.path = "/" + (rest[0].rstrip("/") if rest else "")
        self.method: str = scope["method"]
        self.headers = {name.decode("latin1"): value.decode("latin1") for name, value in scope["headers"]}
        self.query_string: str = scope.get("query_string", b"").decode("latin1")
        self._query: dict[str, list[str]] | None = None
        self.is_secure = scope.get("scheme") == "https"
        self.user: User = users.ANONYMOUS if self.is_secure else users.ADMIN  # Until access.py has looked.
        self.started = False
        self.status = 0  # Of the answer, once it has begun.
        self.classified: tuple[tuple[str, str], ...] = ()  # Headers that say which FlowSchema it belongs to.
        self.warnings: list[str] = []  # What every answer to this request warns of.

    def header_values(self, name: str) -> list[str]:
        """All values of a header that may come several times."""
        wanted = name.encode("latin1")
        return [value.decode("latin1") for key, value in self.scope["headers"] if key == wanted]

    def query(self, name: str, default: str = "") -> str:
        """The first value of a query parameter, as the API reads them."""
        return next(iter(self.values(name)), default)

    def values(self, name: str) -> list[str]:
        """All values of a query parameter."""
        if self._query is None:
            self._query = parse_qs(self.query_string, keep_blank_values=True)
        return self._query.get(name, [])

    def has(self, name: str) -> bool:
        return bool(self.values(name))

    def flag(self, name: str) -> bool:
        """A boolean parameter: whatever is not `0` or `false` is true, `maybe` included."""
        return self.has(name) and self.query(name) not in ("0", "false")

    def integer(self, name: str) -> int | None:
        """Errors: BadRequest, in Go's words."""
        text = self.query(name)
        if not text:
            return None
        try:
            return int(text)
        except ValueError:
            raise errors.BadRequest(f'strconv.ParseInt: parsing "{text}": invalid syntax') from None

    @property
    def accept(self) -> str:
        return self.headers.get("accept", "")

    def form(self, watch: bool = False) -> Format:
        """The form that the answer should have. Errors: NotAcceptable."""
        form = negotiate.negotiate(self.accept, watch)
        return form._replace(pretty=True) if self.pretty else form

    @property
    def pretty(self) -> bool:
        if self.has("pretty"):
            return self.flag("pretty")
        return self.headers.get("user-agent", "").startswith(_BROWSERS)

    async def body(self) -> bytes:
        """The request's body. Errors: RequestEntityTooLarge."""
        if int(self.headers.get("content-length") or 0) > MAX_BODY:
            raise errors.RequestEntityTooLarge(f"the request body is larger than {MAX_BODY} bytes")
        parts, size = [], 0
        while True:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                raise ConnectionResetError
            part = message.get("body", b"")
            parts.append(part)
            size += len(part)
            if size > MAX_BODY:
                raise errors.RequestEntityTooLarge(f"the request body is larger than {MAX_BODY} bytes")
            if not message.get("more_body"):
                return b"".join(parts)

    # --- answering ----------------------------------------------------------------------------------------------

    async def start(self, status: int, media: str, headers: tuple[tuple[str, str], ...] = (NO_CACHE,)) -> None:
        """Status and headers. Nothing is sent before the first `write`, so streams write an empty one at once."""
        self.started, self.status = True, status
        sent = [(b"content-type", media.encode())] if media else []
        sent += [(b"audit-id", str(uuid.uuid4()).encode()), (b"date", formatdate(usegmt=True).encode())]
        sent += [(name.lower().encode(), value.encode("latin1", "replace")) for name, value in headers]
        sent += [(name.lower().encode(), value.encode()) for name, value in self.classified]
        sent += [(b"warning", f'299 - "{text}"'.encode("latin1", "replace")) for text in self.warnings]
        await self._send({"type": "http.response.start", "status": status, "headers": sent})

    async def write(self, data: bytes, more: bool = True) -> None:
        await self._send({"type": "http.response.body", "body": data, "more_body": more})

    async def reply(self, reply: Reply) -> None:
        body, headers = reply.body, reply.headers
        packed = any(name == "Content-Encoding" for name, _ in headers)
        if len(body) > WORTH_GZIP and not packed and "gzip" in self.headers.get("accept-encoding", ""):
            body = await asyncio.to_thread(gzip.compress, body, 1)
            headers = (*headers, ("Content-Encoding", "gzip"), ("Vary", "Accept-Encoding"))
        await self.start(reply.status, reply.media, (*headers, ("Content-Length", str(len(body)))))
        await self.write(body if self.method != "HEAD" else b"", more=False)

    async def refuse(self, error: errors.ApiError) -> None:
        """A Status, in the form that was asked for if it is possible."""
        form = negotiate.error_format(self.accept)
        pretty = self.pretty or isinstance(error, errors.NotAcceptable)
        body = negotiate.encode(form._replace(pretty=pretty), error.status_object())
        headers: tuple[tuple[str, str], ...] = (NO_CACHE,)
        if error.retry_after is not None:
            headers = (*headers, ("Retry-After", str(error.retry_after)))
        await self.reply(Reply(error.status, form.media, body, headers))

    async def hand_over(self, application: Callable[[Scope, Receive, Send], Awaitable[None]], scope: Scope) -> None:
        """Let another application answer, to `scope` instead of this request's own."""

        async def send(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                self.started, self.status = True, message["status"]
            await self._send(message)

        await application(scope, self.receive, send)

    async def disconnected(self) -> None:
        """Return when the client is gone."""
        while (await self.receive())["type"] != "http.disconnect":
            pass


def encoded(request: Request, form: Format, obj: Any, status: int = 200) -> Reply:
    """An object as an answer."""
    return Reply(status, form.media, negotiate.encode(form, obj))


def plain(status: int, text: str) -> Reply:
    return Reply(status, TEXT, text.encode(), (NO_CACHE, NO_SNIFF))


PAGE_NOT_FOUND = plain(404, "404 page not found\n")


def json_reply(content: Any, headers: tuple[tuple[str, str], ...] = (NO_CACHE,)) -> Reply:
    return Reply(200, negotiate.JSON, orjson.dumps(content), headers)
