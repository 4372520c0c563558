"""The live socket: frames encoded once for everybody are passed on; the browser says what it has drawn.

The browser speaks first: `{"resume": {"epoch", "seq"}}`, or `{"resume": null}` when it has nothing yet.
Then it only sends `{"ack": seq, "visible": true}` after each drawing. Close codes: 4400 for anything else,
4404 when there is no such cluster, 4408 for a visible tab that has drawn nothing for a minute.
"""

import json
from typing import Any

from channels.generic.websocket import AsyncWebsocketConsumer

from dashboard.stream import Follower, hub


class ClusterStream(AsyncWebsocketConsumer):  # type: ignore[misc]
    """A pipe, not a brain."""

    channel_layer_alias = ""  # None: nobody sends to a single browser, and a broker that restarts must not close it.

    async def connect(self) -> None:
        cluster = self.scope["url_route"]["kwargs"]["cluster"]
        self.hub = hub(cluster)
        self.follower: Follower | None = None
        await self.accept()

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        try:
            message: dict[str, Any] = json.loads(text_data or "")
            if "resume" in message and self.follower is None:
                await self._begin(message["resume"])
            elif self.follower:
                await self.follower.acknowledge(int(message["ack"]), bool(message.get("visible", True)))
        except (ValueError, KeyError, TypeError):
            await self.close(4400)

    async def _begin(self, resume: dict[str, Any] | None) -> None:
        self.follower = Follower(self.hub, self._pass_on, self.close)
        if resume:
            self.follower.resume(str(resume["epoch"]), int(resume["seq"]))
        await self.hub.join(self.follower)
        if not self.hub.mirror.life:
            await self.close(4404)

    async def _pass_on(self, text: str) -> None:
        await self.send(text_data=text)

    async def disconnect(self, code: int) -> None:
        if self.follower:
            self.hub.leave(self.follower)
