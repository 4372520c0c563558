"""SPDY frames, as kubectl's port-forward sends them."""

import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.gateway.streams import spdy
from cluster.gateway.streams.spdy import DICTIONARY, Frame, ProtocolError, Spdy


class Client:
    """The other side."""

    def __init__(self) -> None:
        self._pack = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS, 8, zlib.Z_DEFAULT_STRATEGY, DICTIONARY)

    def stream(self, number: int, **headers: str) -> bytes:
        block = struct.pack(">I", len(headers))
        for name, value in headers.items():
            block += struct.pack(">I", len(name)) + name.encode() + struct.pack(">I", len(value)) + value.encode()
        packed = self._pack.compress(block) + self._pack.flush(zlib.Z_SYNC_FLUSH)
        body = struct.pack(">IIH", number, 0, 0) + packed
        return struct.pack(">II", 0x80030001, len(body)) + body


def test_the_dictionary_is_the_protocols():
    assert (len(DICTIONARY), zlib.adler32(DICTIONARY)) == (1423, 0xE3C6A7C2)


def test_frames_come_out_however_they_were_cut():
    client, server = Client(), Spdy()
    sent = client.stream(1, streamType="error", port="80", requestID="0") + client.stream(
        3, streamType="data", port="80"
    )
    sent += Spdy.data(3, b"hello", last=True) + Spdy.ping(7)

    frames = [frame for at in range(len(sent)) for frame in server.received(sent[at : at + 1])]

    assert [(frame.kind, frame.stream) for frame in frames] == [(1, 1), (1, 3), (0, 3), (6, 7)]
    assert frames[0].headers == {"streamtype": "error", "port": "80", "requestid": "0"}
    assert (frames[2].data, frames[2].is_last) == (b"hello", True)


def test_an_answer_can_be_read_by_the_other_side():
    reader = Spdy()

    frames = reader.received(Spdy().reply(5) + Spdy.data(5, b"x"))

    assert frames[0] == Frame(spdy.SYN_REPLY, 5, 0, b"", {})
    assert frames[1].data == b"x"


@pytest.mark.parametrize(
    "data",
    [
        struct.pack(">II", 0x80020001, 0),
        struct.pack(">II", 1, spdy.MAX_FRAME + 1),
        struct.pack(">II", 0x80030001, 4) + b"1234",
        struct.pack(">II", 0x80030001, 20) + b"x" * 20,
    ],
)
def test_what_is_no_spdy_is_refused(data: bytes):
    with pytest.raises(ProtocolError):
        Spdy().received(data)


def test_headers_that_unpack_without_end_are_refused():
    with pytest.raises(ProtocolError):
        Spdy().received(Client().stream(1, bomb="x" * (spdy.MAX_HEADERS * 2)))


@given(st.binary(max_size=300))
def test_any_bytes_are_frames_or_refused(data: bytes):
    try:
        frames = Spdy().received(data)
    except ProtocolError:
        return
    assert all(isinstance(frame, Frame) for frame in frames)
