"""A shell in a container: the browser's websocket becomes one to pods/exec, as web-ui's account.

    exec?pod=<path>&container=<name>&shell=sh        frames as v5.channel.k8s.io has them, see gateway/streams

What the API refuses comes as a Status on the error channel, since a browser is not told why an upgrade failed.

Left out: a terminal's control sequences: standard input without a TTY, as `kubectl exec -i POD -- sh`; over a forwarded
port, which has no upgrades.
"""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qs, urlencode

import orjson

from cluster.apiserver.aggregation import Unavailable
from cluster.apiserver.target import parse
from cluster.gateway import application as gateway
from cluster.gateway import pool
from cluster.objects import errors
from dashboard.webui import client, door

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[Any], Awaitable[None]]

PROTOCOL = "v5.channel.k8s.io"
ERROR = 3  # The channel on which a Status says how it ended.
DENIAL = "websocket.http.response"
SHELLS = ("sh", "bash", "ash")


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """One shell, until it or its reader leaves. Whose page may connect has been looked at before."""
    cluster, rest = door.WEBUI.search(scope["path"]).groups()  # type: ignore[union-attr]
    if rest != "exec":
        await receive()
        await send({"type": "websocket.close", "code": 4404})
        return
    query = parse_qs(scope.get("query_string", b"").decode("latin1"))
    pod, container, shell = (query.get(name, [""])[0] for name in ("pod", "container", "shell"))
    told = _Told(receive, send)
    target = parse(f"/{pod}")
    if target is None or target.plural != "pods" or not target.name or target.subresource or shell not in SHELLS:
        await told.refuse(errors.BadRequest("a pod's path and one of its shells are needed").status_object())
        return
    try:
        answering = await pool.in_thread(door.answering, cluster, scope)
    except Unavailable as error:
        await told.refuse({"message": error.message})
        return
    credentials = await client.credentials(cluster, answering.pod)
    asked = {"command": shell, "container": container, "stdin": "true", "stdout": "true", "stderr": "true"}
    headers = {"host": "localhost", "user-agent": client.AGENT, **credentials}
    path = f"/clusters/{cluster}/{pod}/exec"
    about = {"path": path, "raw_path": path.encode(), "query_string": urlencode(asked).encode(), "scheme": "ws"}
    about |= {"headers": [(name.encode(), value.encode()) for name, value in headers.items()], "root_path": ""}
    await gateway({**scope, **about, "extensions": {DENIAL: {}}}, told.receive, told.send)


class _Told:
    """The browser's side. A refusal reaches it as the first and last message of an open connection."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive, self._send, self._greeted = receive, send, False

    async def receive(self) -> dict[str, Any]:
        self._greeted = True
        return await self._receive()

    async def send(self, message: dict[str, Any]) -> None:
        if message["type"] == f"{DENIAL}.start":
            return
        if message["type"] == f"{DENIAL}.body":
            await self.refuse(orjson.loads(message["body"]))
            return
        await self._send(message)

    async def refuse(self, status: dict[str, Any]) -> None:
        if not self._greeted:
            await self.receive()
        await self._send({"type": "websocket.accept", "subprotocol": PROTOCOL})
        await self._send({"type": "websocket.send", "bytes": bytes([ERROR]) + orjson.dumps(status)})
        await self._send({"type": "websocket.close", "code": 1000})
