"""Watches over a websocket."""

import asyncio
import json

from cluster.gateway import application
from cluster.gateway.hub import hub

MAPS = "/clusters/lab/api/v1/namespaces/default/configmaps"


class Socket:
    """A client's websocket, without a network."""

    def __init__(self, path, query, **more):
        headers = [(b"host", b"localhost"), *((k.encode(), v.encode()) for k, v in more.pop("headers", {}).items())]
        self.scope = {"type": "websocket", "scheme": "ws", "path": path, "query_string": query.encode(), **more}
        self.scope |= {"headers": headers}
        self.said, self.changed = [], asyncio.Event()
        self.incoming = asyncio.Queue()
        self.incoming.put_nowait({"type": "websocket.connect"})
        self.task = asyncio.ensure_future(application(self.scope, self.incoming.get, self._send))

    async def _send(self, message):
        self.said.append(message)
        self.changed.set()

    async def until(self, condition):
        async with asyncio.timeout(5):
            while not condition(self.said):
                self.changed.clear()
                await self.changed.wait()

    def frames(self):
        return [json.loads(message["text"]) for message in self.said if message["type"] == "websocket.send"]


def test_each_event_is_a_message(lab):
    lab.config_map("a")

    async def run():
        socket = Socket(MAPS, "watch=true&fieldSelector=metadata.name%3Da", subprotocols=["base64.binary.k8s.io"])
        await socket.until(lambda said: len(said) >= 2)
        await asyncio.to_thread(lab.patch, lab.get("ConfigMap", "a"), {"data": {"k": "v"}})
        hub("lab").wake()
        await socket.until(lambda said: len(said) >= 3)
        socket.incoming.put_nowait({"type": "websocket.disconnect", "code": 1000})
        await socket.task
        return socket

    socket = asyncio.run(run())

    assert socket.said[0] == {"type": "websocket.accept", "subprotocol": "base64.binary.k8s.io"}
    assert [(frame["type"], frame["object"]["metadata"]["name"]) for frame in socket.frames()] == [
        ("ADDED", "a"),
        ("MODIFIED", "a"),
    ]


def test_the_end_of_a_watch_closes_the_socket(lab):
    async def run():
        socket = Socket(MAPS, "watch=1&resourceVersion=1&timeoutSeconds=1")
        await socket.task
        return socket

    socket = asyncio.run(run())

    assert socket.frames()[0]["object"]["code"] == 410
    assert socket.said[-1] == {"type": "websocket.close", "code": 1000}


def test_a_watch_that_is_refused_is_no_socket(lab):
    async def run(**more):
        socket = Socket(MAPS, "watch=1&labelSelector=a%20b", **more)
        await socket.task
        return socket.said

    assert asyncio.run(run()) == [{"type": "websocket.close", "code": 1008}]
    start, body = asyncio.run(run(extensions={"websocket.http.response": {}}))
    assert (start["type"], start["status"]) == ("websocket.http.response.start", 400)
    assert json.loads(body["body"])["reason"] == "BadRequest"


def test_a_page_of_another_site_gets_no_watch(lab):
    async def run():
        socket = Socket(MAPS, "watch=1", headers={"origin": "https://evil.example"})
        await socket.task
        return socket.said

    assert asyncio.run(run()) == [{"type": "websocket.close", "code": 1008}]
