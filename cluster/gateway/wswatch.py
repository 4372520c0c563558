"""Watches over a websocket: what browsers do that can't read a stream (Headlamp, the old dashboard).

A websocket to the URL of a watch is the same watch: its request goes through the gateway as any GET does, and each
line of the answer is one text message. Whatever is not answered by a stream refuses the upgrade, with the Status if
the server below can send one.

Mirrors:  k8s.io/apiserver/pkg/endpoints/handlers/watch.go (HandleWS)
Left out: the base64 subprotocol: whatever is offered first is agreed to, and frames are text.
"""

from typing import Any
from urllib.parse import parse_qs

from cluster.gateway.http import Receive, Scope, Send

DENIAL = "websocket.http.response"


TAIL = "/loki/api/v1/tail"  # What a loki streams is lines, too.


def is_watch(scope: Scope) -> bool:
    """Does a websocket ask for a watch, or for the tail of a log?"""
    if scope["path"].endswith(TAIL):
        return True
    query = parse_qs(scope.get("query_string", b"").decode("latin1"), keep_blank_values=True)
    return query.get("watch", ["0"])[0] not in ("0", "false") or "/watch/" in scope["path"]


def as_request(scope: Scope) -> Scope:
    """The GET that this websocket stands for."""
    secure = scope.get("scheme") in ("wss", "https")
    return {**scope, "type": "http", "method": "GET", "scheme": "https" if secure else "http", "upgraded": True}


class Channel:
    """Both directions of a websocket in the words of HTTP."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._scope, self._receive, self._send = scope, receive, send
        self._asked = self._open = self._over = False
        self._rest = b""

    async def receive(self) -> dict[str, Any]:
        """An empty body, then nothing until the client goes. What it says meanwhile is not listened to."""
        if not self._asked:
            self._asked = True
            await self._receive()  # websocket.connect
            return {"type": "http.request", "body": b"", "more_body": False}
        while (await self._receive())["type"] != "websocket.disconnect":
            pass
        return {"type": "http.disconnect"}

    async def send(self, message: dict[str, Any]) -> None:
        if self._over:
            return
        if message["type"] == "http.response.start":
            await self._begin(message)
        elif self._open:
            await self._pass_on(message)
        elif DENIAL in (self._scope.get("extensions") or {}):
            await self._send({**message, "type": f"{DENIAL}.body"})

    async def _begin(self, message: dict[str, Any]) -> None:
        if not self._asked:
            await self.receive()  # Nothing may be said before the client's hello was taken.
        if message["status"] == 200:
            self._open = True
            offered = self._scope.get("subprotocols") or [None]
            await self._send({"type": "websocket.accept", "subprotocol": offered[0]})
        elif DENIAL in (self._scope.get("extensions") or {}):
            await self._send({**message, "type": f"{DENIAL}.start"})
        else:
            self._over = True
            await self._send({"type": "websocket.close", "code": 1008})

    async def _pass_on(self, message: dict[str, Any]) -> None:
        *lines, self._rest = (self._rest + message.get("body", b"")).split(b"\n")
        for line in lines:
            await self._send({"type": "websocket.send", "text": line.decode() + "\n"})
        if not message.get("more_body"):
            self._over = True
            await self._send({"type": "websocket.close", "code": 1000})
