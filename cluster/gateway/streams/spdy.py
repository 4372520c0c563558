"""Frames of SPDY/3.1, as far as kubectl port-forward speaks it inside a websocket.

    control  1 | version 3 | type | flags | length | …      data  0 | stream | flags | length | bytes

Headers are compressed with zlib and a dictionary that the protocol prescribes; one compressor a direction, for the
whole connection.

Mirrors:  github.com/moby/spdystream
Left out: flow control windows (spdystream has none either), priorities, SETTINGS.
Limits:   1 MiB a frame, 64 KiB of headers a frame, 512 streams a connection.
"""

import struct
import zlib
from typing import NamedTuple

SYN_STREAM, SYN_REPLY, RST_STREAM, SETTINGS, PING, GOAWAY, HEADERS, WINDOW_UPDATE = 1, 2, 3, 4, 6, 7, 8, 9
DATA = 0
FIN = 1
MAX_FRAME = 1 << 20
MAX_HEADERS = 64 * 1024
MAX_STREAMS = 512

_NAMES = (
    "options head post put delete trace accept accept-charset accept-encoding accept-language accept-ranges age allow"
    " authorization cache-control connection content-base content-encoding content-language content-length"
    " content-location content-md5 content-range content-type date etag expect expires from host if-match"
    " if-modified-since if-none-match if-range if-unmodified-since last-modified location max-forwards pragma"
    " proxy-authenticate proxy-authorization range referer retry-after server te trailer transfer-encoding upgrade"
    " user-agent vary via warning www-authenticate method get status 200_OK version HTTP/1.1 url public set-cookie"
    " keep-alive origin"
)
_REST = (
    "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505203 Non-Authoritative"
    " Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized403 Forbidden404 Not Found500"
    " Internal Server Error501 Not Implemented503 Service UnavailableJan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec"
    " 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMTchunked,text/html,image/png,image/jpg,image/gif,application/xml,"
    "application/xhtml+xml,text/plain,text/javascript,publicprivatemax-age=gzip,deflate,sdchcharset=utf-8charset="
    "iso-8859-1,utf-,*,enq=0."
)
DICTIONARY = (
    b"".join(struct.pack(">I", len(name)) + name.replace("_", " ").encode() for name in _NAMES.split(" "))
    + _REST.encode()
)


class ProtocolError(Exception):
    """What came is no SPDY, or goes beyond a limit."""


class Frame(NamedTuple):
    """`kind`: DATA or a control type. `stream`: its number, or a PING's. `headers`: of SYN_STREAM and SYN_REPLY."""

    kind: int
    stream: int
    flags: int = 0
    data: bytes = b""
    headers: dict[str, str] | None = None

    @property
    def is_last(self) -> bool:
        """Does the sender say that nothing else will come on the stream?"""
        return bool(self.flags & FIN)


class Spdy:
    """Both directions of one connection, without any input or output of its own."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._unpack = zlib.decompressobj(zdict=DICTIONARY)
        self._pack = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS, 8, zlib.Z_DEFAULT_STRATEGY, DICTIONARY)

    def received(self, data: bytes) -> list[Frame]:
        """The frames that are whole now. Errors: ProtocolError."""
        self._buffer += data
        frames = []
        while len(self._buffer) >= 8:
            first, second = struct.unpack(">II", self._buffer[:8])
            size = second & 0xFFFFFF
            if size > MAX_FRAME:
                raise ProtocolError(f"a frame of {size} bytes; at most {MAX_FRAME} are allowed")
            if len(self._buffer) < 8 + size:
                break
            body = bytes(self._buffer[8 : 8 + size])
            del self._buffer[: 8 + size]
            frame = self._frame(first, second >> 24, body)
            if frame is not None:
                frames.append(frame)
        return frames

    def _frame(self, first: int, flags: int, body: bytes) -> Frame | None:
        if not first >> 31:
            return Frame(DATA, first & 0x7FFFFFFF, flags, body)
        if first >> 16 & 0x7FFF != 3:
            raise ProtocolError(f"SPDY version {first >> 16 & 0x7FFF}; only 3 is spoken")
        kind = first & 0xFFFF
        if kind in (SYN_STREAM, SYN_REPLY, HEADERS):
            skipped = 10 if kind == SYN_STREAM else 4
            if len(body) < skipped:
                raise ProtocolError("a frame is too short")
            return Frame(kind, _number(body), flags, headers=self._headers(body[skipped:]))
        if kind in (RST_STREAM, PING, GOAWAY):
            if len(body) < 4:
                raise ProtocolError("a frame is too short")
            return Frame(kind, _number(body), flags)
        return None  # SETTINGS and WINDOW_UPDATE mean nothing to us.

    def _headers(self, packed: bytes) -> dict[str, str]:
        try:
            block = self._unpack.decompress(packed, MAX_HEADERS + 1)
        except zlib.error as error:
            raise ProtocolError(f"headers can't be unpacked: {error}") from None
        if len(block) > MAX_HEADERS:
            raise ProtocolError(f"headers of more than {MAX_HEADERS} bytes")
        found, at = {}, 4
        for _ in range(min(_number(block), 100)):
            name, at = _text(block, at)
            value, at = _text(block, at)
            found[name.lower()] = value
        return found

    # --- sending --------------------------------------------------------------------------------------------

    def reply(self, stream: int) -> bytes:
        """Accept a stream."""
        block = self._pack.compress(struct.pack(">I", 0)) + self._pack.flush(zlib.Z_SYNC_FLUSH)
        return _control(SYN_REPLY, 0, struct.pack(">I", stream) + block)

    @staticmethod
    def data(stream: int, data: bytes, last: bool = False) -> bytes:
        return struct.pack(">II", stream, (FIN if last else 0) << 24 | len(data)) + data

    @staticmethod
    def ping(number: int) -> bytes:
        return _control(PING, 0, struct.pack(">I", number))

    @staticmethod
    def reset(stream: int, status: int = 5) -> bytes:
        """`status` 5: cancelled."""
        return _control(RST_STREAM, 0, struct.pack(">II", stream, status))


def _control(kind: int, flags: int, body: bytes) -> bytes:
    return struct.pack(">II", 0x80030000 | kind, flags << 24 | len(body)) + body


def _number(body: bytes) -> int:
    return int.from_bytes(body[:4], "big") & 0x7FFFFFFF


def _text(block: bytes, at: int) -> tuple[str, int]:
    size = int.from_bytes(block[at : at + 4], "big")
    if at + 4 + size > len(block):
        raise ProtocolError("headers are cut off")
    return block[at + 4 : at + 4 + size].decode("latin-1"), at + 4 + size
