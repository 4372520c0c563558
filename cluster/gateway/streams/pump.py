"""The session's side of a stream: inputs into the world, and what the session printed out of committed rows.

An input is answered when it is committed, so what it made the session print at once is there to be read then; what
comes with simulated time is looked for ten times a second. Both work across the death of a worker: inputs are executed
exactly once, and rows stay.
"""

import asyncio
from typing import Any, NamedTuple

from cluster import inbox
from cluster.apiserver.reads import Reader
from cluster.gateway import pool
from cluster.objects import errors

PERIOD = 0.1  # Wall seconds between looks.
ACKNOWLEDGE = 128 * 1024  # Characters after which the session hears how far its reader is.
TRIES = 600  # How often a full session is asked again before the stream is given up.


class Refused(errors.ApiError):
    """The world's own refusal, as it was answered."""

    def __init__(self, status: int, body: dict[str, Any]) -> None:
        super().__init__(str(body.get("message", "")), body.get("details"))
        self.status, self.reason, self.body = status, body.get("reason", ""), body


class Printed(NamedTuple):
    """`parts`: (channel, bytes); `over`: it ended, and this was the last of it; `code`: how; None: it is gone."""

    parts: list[tuple[int, bytes]]
    over: bool
    code: int | None


async def ask(cluster: str, request: dict[str, Any]) -> dict[str, Any]:
    """An input, and its answer. Errors: Refused."""
    answer = await inbox.call(cluster, request)
    body: dict[str, Any] = answer.json() if answer.body else {}
    if answer.status >= 400:
        raise Refused(answer.status, body)
    return body


class Pump:
    """One reader and writer of session `key`."""

    def __init__(self, cluster: str, key: str, position: int) -> None:
        self.cluster, self.key, self.position, self.acknowledged = cluster, key, position, position
        self._poked = asyncio.Event()

    async def act(self, op: str, **more: Any) -> dict[str, Any]:
        """Something for the session. A full one is asked again. Errors: Refused."""
        for _ in range(TRIES):
            try:
                answer = await ask(self.cluster, {"type": "stream", "session": self.key, "op": op, **more})
            except Refused as error:
                if error.status != 429:
                    raise
                await asyncio.sleep(PERIOD)
                continue
            self._poked.set()
            return answer
        raise errors.TooManyRequests("the program does not read what was sent to it")

    async def printed(self) -> Printed:
        """What came since the last call; waits until there is something. Errors: django.db.DatabaseError."""
        while True:
            self._poked.clear()
            cell, chunks = await pool.in_thread(_read, self.cluster, self.key, self.position)
            parts: list[tuple[int, bytes]] = []
            for offset, chunk in chunks:
                texts = [(int(channel), text.encode("latin-1", "replace")) for channel, text in chunk["parts"]]
                parts += texts
                self.position = offset + sum(len(text) for _, text in texts)
            ended = cell is None or cell["ended"] is not None
            over = ended and (cell is None or self.position >= cell["written"])
            if parts or over:
                return Printed(parts, over, cell["code"] if cell is not None and over else None)
            await asyncio.to_thread(inbox.follow, self.cluster)
            try:
                async with asyncio.timeout(PERIOD):
                    await self._poked.wait()
            except TimeoutError:
                continue

    async def acknowledge(self) -> None:
        """Say how far the client's side is, now and then."""
        if self.position - self.acknowledged >= ACKNOWLEDGE:
            self.acknowledged = self.position
            await self.act("ack", offset=self.position)


def _read(reader: Reader, cluster: str, key: str, position: int) -> tuple[dict[str, Any] | None, list[tuple[int, Any]]]:
    snapshot = reader.cluster(cluster)
    return reader.session(snapshot.id, key, position) if snapshot is not None else (None, [])
