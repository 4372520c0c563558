"""HTTP/1.1 on a forwarded connection: requests in pieces, answers with and without a length, and what is refused."""

import asyncio

import pytest

from cluster.gateway.streams.http1 import MAX_HEAD, Connection

GET = b"GET /a%20b?x=1 HTTP/1.1\r\nHost: here\r\n\r\n"


class Client:
    """Who is at the other end of the connection."""

    def __init__(self) -> None:
        self.heard, self.closed = b"", asyncio.Event()

    async def send(self, data: bytes) -> None:
        self.heard += data

    async def close(self) -> None:
        self.closed.set()


async def told(scope, receive, send) -> None:
    """Answers with what was asked."""
    body = (await receive())["body"]
    text = f"{scope['method']} {scope['path']} {scope['query_string'].decode()} ".encode() + body
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": text})


async def bit_by_bit(scope, receive, send) -> None:
    """Answers until nobody listens any more."""
    await receive()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"one", "more_body": True})
    assert (await receive())["type"] == "http.disconnect"
    await send({"type": "http.response.body", "body": b"", "more_body": False})


def conversation(application, *pieces: bytes) -> bytes:
    """What the client heard once the connection had ended."""

    async def run() -> bytes:
        client = Client()
        connection = Connection(application, client)
        for piece in (*pieces, b""):
            await connection.received(piece)
            await asyncio.sleep(0)
        async with asyncio.timeout(5):
            await client.closed.wait()
        return client.heard

    return asyncio.run(run())


def test_a_request_is_answered_however_it_was_cut():
    heard = conversation(told, *(GET[at : at + 1] for at in range(len(GET))))

    assert heard.startswith(b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\nContent-Length: 13\r\n\r\n")
    assert heard.endswith(b"GET /a b x=1 ")


def test_one_request_follows_another_on_the_same_connection():
    post = b"POST /p HTTP/1.1\r\nContent-Length: 4\r\n\r\nbody"

    heard = conversation(told, GET + post)

    assert heard.count(b"HTTP/1.1 200 OK") == 2
    assert heard.endswith(b"POST /p  body")


def test_whoever_asks_to_close_gets_one_answer():
    assert conversation(told, b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n" + GET).count(b"200 OK") == 1


def test_an_answer_that_does_not_end_is_chunked_and_ends_with_its_client():
    heard = conversation(bit_by_bit, GET)

    assert b"Transfer-Encoding: chunked\r\n" in heard
    assert heard.endswith(b"3\r\none\r\n0\r\n\r\n")


def test_a_failure_ends_the_connection_and_is_logged(caplog):
    async def fails(scope, receive, send) -> None:
        raise RuntimeError("on purpose")

    assert conversation(fails, GET) == b""
    assert "on purpose" in caplog.text


def test_the_answer_to_head_has_no_body():
    heard = conversation(told, GET.replace(b"GET", b"HEAD"))

    assert heard.endswith(b"\r\n\r\n")
    assert b"Content-Length: 14\r\n" in heard


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"what is this?\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 411),
        (b"POST / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n", 413),
        (b"GET / HTTP/1.1\r\nX: " + b"x" * MAX_HEAD, 431),
        (b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\nshort", 400),
    ],
)
def test_what_is_no_request_is_refused(sent: bytes, status: int):
    assert conversation(told, sent).startswith(f"HTTP/1.1 {status} ".encode())
