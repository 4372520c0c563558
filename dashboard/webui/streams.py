"""What reaches a page by itself, as server-sent events: that something changed, what time it is, lines of a log.

    live?of=<path>&of=<path>      `change` when one of the lists or objects changed; `clock` as cluster time goes on
    log?pod=<path>&…              a container's lines, as they are printed; `end` and why

Watches and logs are asked of the API as web-ui's account. A page asks for its live part anew after each `change`. A
stream ends with the pod that serves it, as a connection to it would.

Left out: what can't be watched (metrics.k8s.io, Prometheus): a page asks for these from time to time.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qs, parse_qsl

import orjson

from cluster.apiserver.aggregation import Unavailable
from cluster.gateway import pool
from cluster.objects import times
from dashboard.webui import client, door
from dashboard.webui.client import Headers

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[Any], Awaitable[None]]
Query = dict[str, list[str]]

MOST_WATCHES = 12  # Of one page.
CALM = 0.3  # Seconds between two `change` of a page.
BEAT = 1.0  # Seconds between looks at the clock, and at the pod that serves.
AGAIN = 5.0  # Seconds until a watch that was refused is tried again.
LINES = 64 * 1024  # Characters of a log in one event.


class Page:
    """One page that listens."""

    def __init__(self, scope: Scope, send: Send, cluster: str) -> None:
        self.scope, self._send, self.cluster = scope, send, cluster
        query = scope.get("query_string", b"").decode("latin1")
        self.query: Query = parse_qs(query, keep_blank_values=True)
        self._turn = asyncio.Lock()
        self.changed = asyncio.Event()

    def asked(self, name: str, default: str = "") -> str:
        return self.query.get(name, [default])[0]

    async def answering(self) -> door.Answering:
        """Errors: Unavailable."""
        return await pool.in_thread(door.answering, self.cluster, self.scope)

    async def start(self, status: int, media: str) -> None:
        headers = [(b"content-type", media.encode()), (b"cache-control", b"no-cache, private")]
        await self._send({"type": "http.response.start", "status": status, "headers": headers})

    async def write(self, text: str, more: bool = True) -> None:
        async with self._turn:
            await self._send({"type": "http.response.body", "body": text.encode(), "more_body": more})

    async def say(self, event: str, data: str) -> None:
        """One event. `data`: any text; its lines are lines of the event."""
        lines = "".join(f"data: {line}\n" for line in data.split("\n"))
        await self.write(f"event: {event}\n{lines}\n")


async def serve(scope: Scope, receive: Receive, send: Send, cluster: str, name: str) -> None:
    """A stream, until the page is gone or it has ended; 503 while no pod answers."""
    page = Page(scope, send, cluster)
    try:
        first = await page.answering()
    except Unavailable as error:
        await page.start(503, "text/plain; charset=utf-8")
        await page.write(f"{error.message}\n", more=False)
        return
    await page.start(200, "text/event-stream")
    await page.write(": \n\n")
    credentials = await client.credentials(cluster, first.pod)
    tasks = [asyncio.create_task(each) for each in STREAMS[name](page, credentials)]
    gone = asyncio.create_task(_gone(receive))
    await asyncio.wait((*tasks, gone), return_when=asyncio.FIRST_COMPLETED)
    has_left = gone.done()
    for task in (*tasks, gone):
        task.cancel()
    await asyncio.gather(*tasks, gone, return_exceptions=True)
    if not has_left:
        await page.write("", more=False)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


# --- live ---------------------------------------------------------------------------------------------------------


def _live(page: Page, credentials: Headers) -> list[Awaitable[None]]:
    watched = page.query.get("of", [])[:MOST_WATCHES]
    return [_told(page), _beating(page), *(_watched(page, each, credentials) for each in watched)]


async def _told(page: Page) -> None:
    """Pass changes on, not too many at a time."""
    while True:
        await page.changed.wait()
        page.changed.clear()
        await page.say("change", "")
        await asyncio.sleep(CALM)


async def _beating(page: Page) -> None:
    """The clock, until nobody serves the page any more."""
    told = 0
    while True:
        try:
            now = (await page.answering()).now
        except Unavailable:
            return
        if now != told:
            told = now
            await page.say("clock", times.rfc3339(now))
        await asyncio.sleep(BEAT)


async def _watched(page: Page, path: str, credentials: Headers) -> None:
    """One watch after another. What happened before the first one may be news to the page, too."""
    api, _, query = path.partition("?")
    selected = dict(parse_qsl(query))
    while True:
        now = await client.get(page.cluster, api, {**selected, "limit": "1"}, credentials)
        if now.status != 200:
            await asyncio.sleep(AGAIN)
            continue
        page.changed.set()
        since = str((now.body.get("metadata") or {}).get("resourceVersion", ""))
        asked = {**selected, "watch": "1", "resourceVersion": since}
        async with client.stream(page.cluster, api, asked, credentials) as (status, pieces):
            async for _ in pieces:
                page.changed.set()
        if status != 200:
            await asyncio.sleep(AGAIN)


# --- log ----------------------------------------------------------------------------------------------------------


def _log(page: Page, credentials: Headers) -> list[Awaitable[None]]:
    return [_printed(page, credentials), _until_gone(page)]


async def _until_gone(page: Page) -> None:
    with contextlib.suppress(Unavailable):
        while True:
            await page.answering()
            await asyncio.sleep(BEAT)


async def _printed(page: Page, credentials: Headers) -> None:
    """Whole lines, as they come."""
    names = ("container", "tailLines", "previous", "timestamps", "follow", "sinceTime")
    asked = {name: page.asked(name) for name in names if page.asked(name)}
    rest = b""
    async with client.stream(page.cluster, f"{page.asked('pod')}/log", asked, credentials) as (status, pieces):
        async for piece in pieces:
            rest += piece
            if status != 200:
                continue
            whole, mark, rest = rest.rpartition(b"\n")
            text = (whole + mark).decode(errors="replace")
            for at in range(0, len(text), LINES):
                await page.say("lines", text[at : at + LINES])
    if status == 200:
        await page.say("end", "")
    else:
        await page.say("refused", _message(rest))
    await asyncio.sleep(BEAT)


def _message(body: bytes) -> str:
    try:
        return str(orjson.loads(body).get("message", ""))
    except (orjson.JSONDecodeError, AttributeError):
        return body.decode(errors="replace")


STREAMS: dict[str, Callable[[Page, Headers], list[Any]]] = {"live": _live, "log": _log}
