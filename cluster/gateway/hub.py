"""The hub: reads each new revision of a cluster once and hands it to every watch that may want it.

    commit → Redis "rev:<cluster>" → hub reads rows after its last revision → queues of the watches

One hub a cluster and process, alive while somebody watches. A lost message costs at most a poll's period. Frames are
encoded once a form: a thousand watches of the same kind share the bytes. A watch that does not read fast enough is
closed, as a real API server does; its client starts again from its last revision.

Read next: watch.py.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Any

import orjson
import redis.asyncio
from django.conf import settings
from django.db import Error as DatabaseError

from cluster import inbox
from cluster.apiserver import registry
from cluster.apiserver.reads import Change, Reader, Snapshot
from cluster.apiserver.registry import Resource
from cluster.gateway import pool
from cluster.objects import Manifest

POLL = 1.0  # Seconds between looks without being told.
FOLLOWED = 1.5  # Seconds between telling the world that somebody looks.
QUEUE = 10_000  # Changes that a watch may be behind.
BATCH = 5_000  # Changes read at once.
INLINE = 50  # Changes that are read on the loop itself.

log = logging.getLogger(__name__)


class Event:
    """One change, on its way to many. `now`: microseconds since 1970 when it was made."""

    __slots__ = ("_frames", "_objects", "change", "hub", "now")

    def __init__(self, hub: "Hub", change: Change, epoch: int) -> None:
        self.hub, self.change, self.now = hub, change, epoch + change.sim_time
        self._objects: dict[tuple[str, str], Manifest] = {}
        self._frames: dict[Any, bytes] = {}

    def object(self, resource: Resource) -> Manifest:
        """The object after the change (of a deletion: the last state), as `resource` shows it."""
        key = (resource.group, resource.version)
        if key not in self._objects:
            self._objects[key] = registry.present(resource, orjson.loads(self.change.value))
        return self._objects[key]

    def before(self, resource: Resource) -> Manifest | None:
        """The object before the change; None if there was none, or nobody knows any more."""
        if self.change.verb == "create" or not self.change.previous:
            return None
        value = self.hub.value_at(self.change.previous)
        return registry.present(resource, orjson.loads(value)) if value else None

    def frame(self, key: Any, make: Callable[[], bytes]) -> bytes:
        """The bytes of this change in one form, made once."""
        made = self._frames.get(key)
        if made is None:
            made = self._frames[key] = make()
        return made


class Subscription:
    """One watch's queue, of changes after revision `joined`. `ended`: why nothing more will come; None: it goes on."""

    def __init__(self, prefix: str, joined: int) -> None:
        self.prefix, self.joined = prefix, joined
        self.events: list[Event] = []
        self.position = joined  # Revision up to which everything is in `events` or was taken.
        self.ended: str | None = None
        self._woken = asyncio.Event()

    def offer(self, events: list[Event], position: int) -> None:
        """Called by the hub. Too many: the watch is closed."""
        self.events += events
        self.position = position
        if len(self.events) > QUEUE:
            self.end("slow")
        elif events:
            self._woken.set()

    def end(self, why: str) -> None:
        self.ended, self.events = why, []
        self._woken.set()

    async def wait(self, seconds: float) -> None:
        """Return when something came, or after `seconds`."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(seconds, 0)):
                await self._woken.wait()

    def take(self) -> list[Event]:
        self._woken.clear()
        taken, self.events = self.events, []
        return taken


class Hub:
    """The changes of one cluster."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.revision = -1  # Up to here everything was handed out; -1: not yet known.
        self._identity: tuple[int, int] | None = None
        self._subscriptions: set[Subscription] = set()
        self._woken = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    # --- watches ------------------------------------------------------------------------------------------------

    def join(self, prefix: str, snapshot: Snapshot) -> Subscription:
        """From now on every change after `snapshot.revision` (perhaps some before it, too) reaches the subscription."""
        if self.revision < 0:
            self.revision, self._identity = snapshot.revision, (snapshot.id, snapshot.first_revision)
        subscription = Subscription(prefix, self.revision)
        self._subscriptions.add(subscription)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())
        return subscription

    def leave(self, subscription: Subscription) -> None:
        self._subscriptions.discard(subscription)
        if not self._subscriptions and self._task is not None:
            self._task.cancel()
            self._task, self.revision = None, -1

    def wake(self) -> None:
        self._woken.set()

    def value_at(self, revision: int) -> bytes | None:
        return pool.reader().value_at(self._identity[0], revision) if self._identity else None

    # --- reading ------------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        loop, told = asyncio.get_running_loop(), -FOLLOWED
        while True:
            if loop.time() - told >= FOLLOWED:
                told = loop.time()
                await asyncio.to_thread(inbox.follow, self.name)
            self._woken.clear()
            try:
                more = await self._look()
            except DatabaseError as error:
                log.warning("the log of cluster %s can't be read: %s", self.name, error)
                more = False
            if not more:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(POLL):
                        await self._woken.wait()

    async def _look(self) -> bool:
        """Hand out what is new. True if there may be more at once."""
        snapshot = pool.reader().cluster(self.name)
        if snapshot is None:
            self._expire()
            return False
        identity = (snapshot.id, snapshot.first_revision)
        if identity != self._identity or self.revision < snapshot.compacted:
            self._expire()
            self._identity, self.revision = identity, snapshot.revision
            return False
        if snapshot.revision <= self.revision:
            return False
        if snapshot.revision - self.revision <= INLINE:  # A thread would cost more than the read.
            changes = pool.reader().changes(snapshot.id, self.revision)
        else:
            changes = await pool.in_thread(Reader.changes, snapshot.id, self.revision, BATCH)
        if changes:
            self._hand_out([Event(self, change, snapshot.epoch) for change in changes])
        return len(changes) == BATCH

    def _hand_out(self, events: list[Event]) -> None:
        self.revision = events[-1].change.revision
        by_prefix: dict[str, list[Event]] = {}
        for subscription in self._subscriptions:
            prefix = subscription.prefix
            if prefix not in by_prefix:
                by_prefix[prefix] = [event for event in events if event.change.key.startswith(prefix)]
            subscription.offer(by_prefix[prefix], self.revision)

    def _expire(self) -> None:
        """The cluster is another one now, or forgot what we have not read: whoever watches must start again."""
        for subscription in list(self._subscriptions):
            subscription.end("expired")


# --- one a cluster, and one ear for all -------------------------------------------------------------------------

_hubs: dict[str, Hub] = {}
_ear: asyncio.Task[None] | None = None


def hub(name: str) -> Hub:
    """The hub of a cluster in this process. Its loop is the one that asks first."""
    global _ear
    if _ear is None or _ear.done():
        _hubs.clear()
        _ear = asyncio.create_task(_listen())
    return _hubs.setdefault(name, Hub(name))


async def _listen() -> None:
    """Wake the hubs of clusters that had a commit. While Redis is away they poll."""
    pattern = inbox.revisions_channel("*")
    while True:
        with contextlib.suppress(redis.RedisError, OSError):
            client = redis.asyncio.Redis.from_url(settings.REDIS_URL, socket_timeout=None)
            async with client, client.pubsub() as channel:
                await channel.psubscribe(pattern)
                async for message in channel.listen():
                    name = message["channel"].decode().removeprefix(pattern[:-1])
                    if name in _hubs:
                        _hubs[name].wake()
        await asyncio.sleep(POLL)
