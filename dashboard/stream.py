"""The live stream: one hub per process and cluster looks at the database, and browsers follow it.

While somebody follows, a hub looks whenever a commit is announced, and ten times a second anyway; it encodes each
change once and keeps the last frames in a ring. A follower is a position in that ring. It may have two frames in
flight; until the browser says that it has drawn one, it gets nothing more, and then everything it missed folded into
one frame. Daphne buffers without limit, so these acks are the only brake, and they serve slow machines, hidden tabs
and lost connections alike.

Read next: mirror.py (what a look is), frames.py (how frames fold), consumers.py (the socket).
"""

import asyncio
import contextlib
import itertools
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor

import redis
import redis.asyncio
from django.conf import settings
from django.db import close_old_connections

from cluster import inbox
from dashboard.frames import Delta, encode, encode_delta
from dashboard.mirror import Mirror

PERIOD = 0.1  # Seconds between two looks when nobody announces anything.
SHORTEST = 0.04  # Seconds between two looks however much is announced: more buys nothing that an eye can see.
RING = 600  # Frames kept for those who come back: a minute at ten a second.
IN_FLIGHT = 2
PATIENCE = 60.0  # Seconds that a visible tab may stay silent.
TOO_SLOW = 4408

log = logging.getLogger(__name__)
Send = Callable[[str], Awaitable[None]]
Close = Callable[[int], Awaitable[None]]

_reader = ThreadPoolExecutor(max_workers=1, thread_name_prefix="mirror")  # One thread, one database connection.
_births = itertools.count(time.time_ns() // 1_000_000)
_hubs: dict[str, "Hub"] = {}


def hub(cluster: str) -> "Hub":
    """The hub of this process for `cluster`."""
    if cluster not in _hubs:
        _hubs[cluster] = Hub(cluster)
    return _hubs[cluster]


class Hub:
    """Looks at one cluster for all its followers. `seq`: number of the newest frame; `epoch`: changes when
    they restart.
    """

    def __init__(self, cluster: str) -> None:
        self.cluster = cluster
        self.mirror = Mirror(cluster)
        self.epoch = ""
        self.seq = 0
        self.followers: set[Follower] = set()
        self._ring: deque[tuple[int, Delta]] = deque(maxlen=RING)
        self._folded: dict[tuple[int, int], str] = {}  # Frames of this look, by the range they cover.
        self._task: asyncio.Task[None] | None = None
        self._snapshot: tuple[int, str] = (-1, "")
        self._first_look = asyncio.Lock()
        self._news = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    async def join(self, follower: "Follower") -> None:
        """Begin to serve `follower`: it continues where it was, or gets a snapshot."""
        async with self._first_look:
            if not self.followers:
                await self._look()
        self.followers.add(follower)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._watch())
        await follower.pump()

    def leave(self, follower: "Follower") -> None:
        self.followers.discard(follower)

    def look_soon(self) -> None:
        """Something was committed. May be called from any thread."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._news.set)

    async def _watch(self) -> None:
        """Look, pass on, rest; until the last follower has gone."""
        self._loop = asyncio.get_running_loop()
        listener = asyncio.create_task(self._listen())
        try:
            await self._rounds()
        finally:
            listener.cancel()
            _hubs.pop(self.cluster, None)

    async def _listen(self) -> None:
        """Commits are announced through Redis. Without Redis there is still the period."""
        while True:
            with contextlib.suppress(redis.RedisError, OSError):
                client = redis.asyncio.Redis.from_url(settings.REDIS_URL, socket_timeout=None)
                async with client, client.pubsub() as channel:
                    await channel.subscribe(inbox.revisions_channel(self.cluster))
                    async for _ in channel.listen():
                        self._news.set()
            await asyncio.sleep(1)

    async def _rounds(self) -> None:
        while self.followers:
            await asyncio.sleep(SHORTEST)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), PERIOD - SHORTEST)
            self._news.clear()
            try:
                await self._look()
                for follower in tuple(self.followers):
                    await follower.pump()
            except Exception:  # A locked database or a broken socket must not stop the others' stream.
                log.exception("the stream of cluster %s stumbled", self.cluster)
                await asyncio.sleep(1)

    async def _look(self) -> None:
        clock, life = self.mirror.clock, self.mirror.life
        delta = await asyncio.get_running_loop().run_in_executor(_reader, self._read)
        self._folded.clear()
        if delta is None:
            for follower in tuple(self.followers):
                await follower.say_gone()
            return
        if self.mirror.life != life:
            self.epoch = f"{self.mirror.life}.{next(_births)}"
            self._ring.clear()
            self.seq += 1
        elif not delta.says_nothing(clock):
            self.seq += 1
            self._ring.append((self.seq, delta))

    def _read(self) -> Delta | None:
        close_old_connections()
        inbox.follow(self.cluster)
        return self.mirror.look()

    def frame_after(self, seq: int) -> str:
        """Everything after frame `seq` as one frame; a snapshot if the ring does not reach back so far."""
        oldest = self._ring[0][0] if self._ring else self.seq + 1
        if seq + 1 < oldest:
            return self.snapshot()
        known = self._folded.get((seq, self.seq))
        if known is None:
            folded = Delta()
            for number, delta in self._ring:
                folded = folded.fold(delta) if number > seq else folded
            known = self._folded[seq, self.seq] = encode_delta(self.epoch, self.seq, folded)
        return known

    def snapshot(self) -> str:
        if self._snapshot[0] != self.seq:
            self._snapshot = (self.seq, encode("snapshot", self.epoch, self.seq, self.mirror.snapshot()))
        return self._snapshot[1]


class Follower:
    """One browser. `sent` and `drawn`: sequence numbers of the newest frame sent, and of the newest one on
    its screen.
    """

    def __init__(self, hub: Hub, send: Send, close: Close) -> None:
        self.hub, self._send, self._close = hub, send, close
        self.epoch, self.sent, self.drawn = "", -1, -1
        self.visible = True
        self._in_flight: deque[int] = deque()
        self._heard = time.monotonic()

    def resume(self, epoch: str, seq: int) -> None:
        """The browser was here before and has drawn frame `seq`."""
        self.epoch, self.sent, self.drawn = epoch, seq, seq

    async def acknowledge(self, seq: int, visible: bool) -> None:
        """The browser has drawn everything up to `seq`."""
        self.visible, self._heard = visible, time.monotonic()
        self.drawn = max(self.drawn, seq)
        while self._in_flight and self._in_flight[0] <= seq:
            self._in_flight.popleft()
        await self.pump()

    async def pump(self) -> None:
        """Send what is new, unless two frames are still on their way."""
        hub = self.hub
        fresh = self.epoch != hub.epoch
        if not fresh and self.sent >= hub.seq:
            self._heard = time.monotonic() if not self._in_flight else self._heard
            return
        if len(self._in_flight) >= IN_FLIGHT:
            if self.visible and time.monotonic() - self._heard > PATIENCE:
                hub.leave(self)
                await self._close(TOO_SLOW)
            return
        text = hub.snapshot() if fresh else hub.frame_after(self.sent)
        self.epoch, self.sent = hub.epoch, hub.seq
        self._in_flight.append(hub.seq)
        with contextlib.suppress(ConnectionError):
            await self._send(text)

    async def say_gone(self) -> None:
        """The cluster was deleted."""
        self.hub.leave(self)
        await self._send(encode("gone", self.epoch, self.hub.seq, {}))


def announce(cluster: str) -> None:
    """A click was answered: whoever looks at `cluster` in this process should see it at once."""
    if cluster in _hubs:
        _hubs[cluster].look_soon()


def hubs() -> tuple[Hub, ...]:
    """Those of this process."""
    return tuple(_hubs.values())
