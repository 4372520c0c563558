"""The front door: sockets of a server whose address holds a token are found behind it, too."""

import asyncio

import pytest
from channels.testing import WebsocketCommunicator

from dashboard.asgi import application
from tests.dashboard.saved import a_saved_cluster

pytestmark = pytest.mark.django_db(transaction=True)
HEADERS = [(b"host", b"localhost"), (b"origin", b"http://localhost")]


def is_accepted(path: str) -> bool:
    async def run() -> bool:
        socket = WebsocketCommunicator(application, path, HEADERS)
        accepted, _ = await socket.connect(timeout=10)
        await socket.disconnect()
        return accepted

    return asyncio.run(run())


@pytest.mark.parametrize("path", ["/clusters/default/stream", "/clusters/default/ui/exec?pod=api/v1/pods"])
def test_sockets_are_behind_the_token_of_an_address(settings, path: str):
    settings.URL_TOKEN = "secret"
    a_saved_cluster(nodes=1)

    assert is_accepted(f"/secret{path}")
    assert not is_accepted(path)


def test_a_browser_that_begins_twice_is_closed():
    a_saved_cluster(nodes=1)

    async def run() -> int:
        socket = WebsocketCommunicator(application, "/clusters/default/stream", HEADERS)
        await socket.connect(timeout=10)
        for _ in range(2):
            await socket.send_json_to({"resume": None})
        while (said := await socket.receive_output(timeout=10))["type"] != "websocket.close":
            pass
        await socket.disconnect()
        return int(said["code"])

    assert asyncio.run(run()) == 4400
