"""The front door: who gets a connection. The Kubernetes API goes to the gateway, sockets to Channels, pages to Django.

Raw ASGI in front of Django, since the API's requests and streams must not pay for Django: a GET takes 0.5 ms here and
six there. Pages run as ordinary synchronous Django in a few lasting threads, each with its own lasting connection to
the database; the stock ASGIHandler would make a new thread and a new connection for every request.

Read next: cluster/gateway for the API; urls.py for pages; routing.py for the page's socket.
"""

import asyncio
import io
import logging
import re
from collections.abc import Awaitable, Callable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import django
from channels.routing import URLRouter
from channels.security.websocket import AllowedHostsOriginValidator
from django.conf import settings
from django.core.handlers.asgi import ASGIRequest
from django.core.handlers.base import BaseHandler
from django.core.signals import request_finished, request_started
from django.http import HttpRequest, HttpResponse
from django.http.request import split_domain_port, validate_host
from django.http.response import HttpResponseBase
from django.urls import set_script_prefix

django.setup()

from cluster.gateway import application as gateway  # noqa: E402
from cluster.gateway import computed  # noqa: E402
from dashboard.routing import websocket_urlpatterns  # noqa: E402
from dashboard.webui import door, streams, terminal  # noqa: E402

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

API = re.compile(r"/clusters/[^/]+(/(?!stream$|ui(/|$))|$)")  # Everything there but the page's own socket, and web-ui.
THREADS = 4
LARGEST_BODY = settings.DATA_UPLOAD_MAX_MEMORY_SIZE

log = logging.getLogger(__name__)
_threads = ThreadPoolExecutor(max_workers=THREADS, thread_name_prefix="pages")
_sockets = AllowedHostsOriginValidator(URLRouter(websocket_urlpatterns))


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """One connection. The token of a server that others can reach is looked at first, and then forgotten."""
    if settings.URL_TOKEN and not _unlock(scope):
        await _refuse(scope, receive, send, 404, "Not found. The address of this server holds a token.")
    elif not _host_allowed(scope):
        await _refuse(scope, receive, send, 400, "This Host is not served here; use localhost or 127.0.0.1.")
    elif API.match(scope["path"]):
        await gateway(scope, receive, send)
    elif scope["type"] == "websocket":
        await _sockets({**scope, "path": scope.get("root_path", "") + scope["path"]}, receive, send)
    elif door.WEBUI.match(scope["path"]):
        await webui(scope, receive, send)
    else:
        await _pages.serve(scope, receive, send)


async def webui(scope: Scope, receive: Receive, send: Send) -> None:
    """web-ui, from its own address or through the API server. All that it needs is below that address."""
    if not _host_allowed(scope):  # On a forwarded connection nobody has looked at it yet.
        await _refuse(scope, receive, send, 400, "This Host is not served here; use localhost or 127.0.0.1.")
        return
    cluster, rest = door.WEBUI.match(scope["path"]).groups()  # type: ignore[union-attr]
    if scope["type"] == "websocket":
        await terminal.application(scope, receive, send)
    elif rest in streams.STREAMS:
        await streams.serve(scope, receive, send, cluster, rest)
    elif rest.startswith("static/"):
        await _pages.serve({**scope, "path": f"/{rest}", "root_path": ""}, receive, send)
    else:
        await _pages.serve(scope, receive, send)


def _unlock(scope: Scope) -> bool:
    """Take `/<token>` off the path; everything behind sees the address as if it were not there."""
    prefix = f"/{settings.URL_TOKEN}"
    if scope["path"].startswith("/static/"):
        return True
    if not scope["path"].startswith(prefix + "/"):
        return False
    scope["path"] = scope["path"][len(prefix) :]
    scope["root_path"] = prefix
    return True


def _host_allowed(scope: Scope) -> bool:
    """A page of another site that had its name resolved to us must not get in."""
    host = next((value.decode("latin1") for name, value in scope["headers"] if name == b"host"), "")
    domain, _ = split_domain_port(host)
    return bool(domain) and validate_host(domain, settings.ALLOWED_HOSTS)


async def _refuse(scope: Scope, receive: Receive, send: Send, status: int, text: str) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 4000 + status})
        return
    headers = [(b"content-type", b"text/plain; charset=utf-8")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": text.encode() + b"\n"})


class Pages(BaseHandler):
    """Django, synchronous, in a few threads that live as long as the process."""

    def __init__(self) -> None:
        super().__init__()
        self.load_middleware()

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await _body(receive)
        if body is None:
            await _refuse(scope, receive, send, 413, f"The body is larger than {LARGEST_BODY} bytes.")
            return
        loop = asyncio.get_running_loop()
        scope = {**scope, "path": scope.get("root_path", "") + scope["path"], "loop": loop}
        status, headers, content = await loop.run_in_executor(_threads, self._respond, scope, body)
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    def _respond(self, scope: Scope, body: bytes) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
        """The whole answer, in this thread: what a page needs of the database stays on this thread's connection."""
        set_script_prefix(scope.get("root_path", "") + "/")
        request_started.send(sender=self.__class__, scope=scope)
        request: HttpRequest = ASGIRequest(scope, io.BytesIO(body))
        response = self.get_response(request)
        try:
            return response.status_code, _headers(response), _content(response)
        finally:
            response.close()
            request_finished.send(sender=self.__class__)


def _headers(response: HttpResponseBase) -> list[tuple[bytes, bytes]]:
    headers = [(name.encode("ascii"), value.encode("latin1")) for name, value in response.items()]
    return headers + [(b"Set-Cookie", morsel.OutputString().encode("ascii")) for morsel in response.cookies.values()]


def _content(response: HttpResponseBase) -> bytes:
    if isinstance(response, HttpResponse):
        return response.content
    return b"".join(response)  # type: ignore[call-overload]  # A static file, for one.


async def _body(receive: Receive) -> bytes | None:
    """The request's body; None if it is too large."""
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return b"".join(parts)
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > LARGEST_BODY:
            return None
        if not message.get("more_body"):
            return b"".join(parts)


_pages = Pages()
computed.serves(door.PROGRAM, "ui", webui)
