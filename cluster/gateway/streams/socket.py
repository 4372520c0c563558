"""The client's side of a stream: a websocket with numbered channels.

The first byte of a message is the channel. In the base64 forms it is a digit, and the rest is base64 text. Version 5
adds a message to close one channel: 255 and the channel's number.

Mirrors:  k8s.io/apiserver/pkg/util/wsstream/conn.go
"""

import base64
import binascii
from typing import Any, NamedTuple

import orjson

from cluster.gateway.http import Receive, Request, Scope, Send
from cluster.objects import errors

CLOSE_CHANNEL = 255
PIECE = 32 * 1024  # Bytes of one message to the client.
LARGEST_PROBLEM = 120  # Bytes that a close frame's reason may have.


class Message(NamedTuple):
    """`channel` CLOSE_CHANNEL: `data` is the number of the channel that the client closed."""

    channel: int
    data: bytes


class Socket:
    """One websocket. `protocol`: what was agreed upon; empty: nothing yet, or the client asked for nothing."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.request = request_of(scope, receive, send)
        self.scope, self._receive, self._send = scope, receive, send
        self.protocol, self.is_open, self.is_gone = "", False, False

    async def accept(self, known: tuple[str, ...]) -> None:
        """Open it with the first of the client's protocols that is known. Errors: BadRequest."""
        await self._begin()
        offered = self.scope.get("subprotocols") or []
        self.protocol = next((name for name in offered if name in known), "")
        if offered and not self.protocol:
            raise errors.BadRequest(
                f"unable to upgrade: none of the protocols {', '.join(offered)} is known; known are {', '.join(known)}"
            )
        await self._send({"type": "websocket.accept", "subprotocol": self.protocol or None})
        self.is_open = True

    async def _begin(self) -> None:
        message = await self._receive()
        if message["type"] == "websocket.disconnect":
            raise ConnectionResetError

    async def refuse(self, error: errors.ApiError) -> None:
        """A Status in place of an upgrade; or, when it is too late for that, the end."""
        if self.is_open:
            await self.close(1011, error.message)
            return
        if "websocket.http.response" not in (self.scope.get("extensions") or {}):
            await self._send({"type": "websocket.close", "code": 1008})
            return
        headers = [(b"content-type", b"application/json")]
        await self._send({"type": "websocket.http.response.start", "status": error.status, "headers": headers})
        await self._send({"type": "websocket.http.response.body", "body": orjson.dumps(error.status_object())})

    # --- channels -------------------------------------------------------------------------------------------

    @property
    def is_text(self) -> bool:
        return "base64" in self.protocol

    @property
    def closes_channels(self) -> bool:
        return self.protocol.startswith("v5.")

    async def message(self) -> Message | None:
        """The client's next message; None: it is gone. Empty and malformed ones are passed over."""
        while True:
            data = await self.raw()
            if data is None:
                return None
            if self.is_text:
                found = _from_text(data if isinstance(data, str) else data.decode("latin-1"))
            else:  # Python sends its binary frames as text.
                whole = data.encode() if isinstance(data, str) else data
                found = Message(whole[0], whole[1:]) if whole else None
            if found is not None:
                return found

    async def raw(self) -> bytes | str | None:
        """The client's next message as it came; None: it is gone."""
        message = await self._receive()
        if message["type"] == "websocket.disconnect":
            self.is_gone = True
            return None
        text: str | None = message.get("text")
        return text if text is not None else bytes(message.get("bytes") or b"")

    async def send(self, channel: int, data: bytes) -> None:
        """Data on a channel, in pieces."""
        for start in range(0, max(len(data), 1), PIECE):
            await self.send_raw(bytes([channel]) + data[start : start + PIECE])

    async def send_raw(self, data: bytes) -> None:
        if self.is_gone:
            raise ConnectionResetError
        if self.is_text:
            text = chr(ord("0") + data[0]) + base64.b64encode(data[1:]).decode()
            await self._send({"type": "websocket.send", "text": text})
        else:
            await self._send({"type": "websocket.send", "bytes": data})

    async def close(self, code: int = 1000, reason: str = "") -> None:
        if not self.is_gone:
            message: dict[str, Any] = {"type": "websocket.close", "code": code}
            if reason:
                message["reason"] = reason.encode()[:LARGEST_PROBLEM].decode(errors="ignore")
            await self._send(message)


def request_of(scope: Scope, receive: Receive, send: Send) -> Request:
    """The GET that a websocket begins with. Over TLS its scheme is wss, and a stranger is no administrator."""
    secure = scope.get("scheme") in ("https", "wss")
    return Request({**scope, "method": "GET", "scheme": "https" if secure else "http"}, receive, send)


def _from_text(text: str) -> Message | None:
    """
    >>> _from_text("0aGk=")
    Message(channel=0, data=b'hi')
    """
    if not text[:1].isdecimal() or not text.isascii():
        return None
    try:
        return Message(int(text[0]), base64.b64decode(text[1:], validate=True))
    except (binascii.Error, ValueError):
        return None
