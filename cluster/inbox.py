"""The inbox: how everything from outside gets into a world, in one order, exactly once.

    call(cluster, request)  →  in:c  →  the owner takes it  →  one commit with its answer  →  rep:me  →  Answer

A request gets an id and goes into the cluster's list in Redis. Whoever owns the world moves it to `proc:c`, executes
it, and commits its `Input` row, with the answer, in the turn's own transaction. So a request whose worker died is run
by the next owner if its row is missing, and answered from the row if it is there. When no answer comes in time we look
for the row ourselves; only if it is missing is the id marked dead, under the lock that commits take, and the caller
gets 504: it can't run later.

    in:c     waiting requests          own:c    "Q:w" queued for worker w, "L:w" held by w; always with a time to live
    proc:c   taken, not yet answered   pending  clusters that have, or may have, something to do
    wake:w   what worker w should look at         load     workers by how many worlds they hold; alive:w while they live
    rep:d    answers for process d     rev:c    "revision" after each commit that made one

Redis is a hint and may vanish at any moment: truth is in the database (`Cluster.owner_epoch`, `Input`, `next_due`).
Every line of Lua below is one atomic step of that protocol.

Read next: tasks.py, which holds the worlds.
"""

import asyncio
import contextlib
import os
import threading
import time
import uuid
from typing import Any, NamedTuple

import orjson
import redis
import redis.asyncio
from celery import current_app
from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django.db.models import F
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.retry import Retry

from cluster.models import Cluster, DeadInput, Input

PREFIX = "orrery:"
LIMIT = 1_000  # Waiting requests a cluster.
LEASE = 5_000  # Milliseconds that a worker owns a world without saying so again.
BROKER_PATIENCE = 2.0  # Wall seconds that a broker may be away: its supervisor starts it again in a fraction of one.
TIMEOUT = 30.0  # Wall seconds that a caller waits.
FOLLOWING = 5_000  # Milliseconds that a follower counts without being seen again.


class Answer(NamedTuple):
    """What came of a request. Refusals are answers too: a `Status` object in `body`."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return orjson.loads(self.body)


def refusal(status: int, reason: str, message: str, headers: dict[str, str] | None = None) -> Answer:
    """An answer of our own, in the API's words: the world never saw the request."""
    body = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure"}
    body |= {"message": message, "reason": reason, "code": status}  # type: ignore[dict-item]
    return Answer(status, {"Content-Type": "application/json", **(headers or {})}, orjson.dumps(body))


# --- the protocol -----------------------------------------------------------------------------------------------

_CHOOSE = """
local P = 'orrery:'
local function choose(c, ttl)
  for _, w in ipairs(redis.call('ZRANGE', P .. 'load', 0, -1)) do
    if redis.call('EXISTS', P .. 'alive:' .. w) == 1 then
      redis.call('SET', P .. 'own:' .. c, 'Q:' .. w, 'PX', ttl)
      redis.call('ZINCRBY', P .. 'load', 1, w)
      return w
    end
    redis.call('ZREM', P .. 'load', w)
  end
  return ''
end
"""

SCRIPTS = {
    # c, limit, ttl, message -> "FULL", a worker to send `drive` to, or "".
    "post": """
if redis.call('LLEN', P .. 'in:' .. ARGV[1]) >= tonumber(ARGV[2]) then return 'FULL' end
redis.call('RPUSH', P .. 'in:' .. ARGV[1], ARGV[4])
redis.call('SADD', P .. 'pending', ARGV[1])
local o = redis.call('GET', P .. 'own:' .. ARGV[1])
if not o then return choose(ARGV[1], ARGV[3]) end
if string.sub(o, 1, 2) == 'L:' then redis.call('RPUSH', P .. 'wake:' .. string.sub(o, 3), ARGV[1]) end
return ''
""",
    # c, ttl -> the same, without a message: something is due, or somebody looks.
    "kick": """
redis.call('SADD', P .. 'pending', ARGV[1])
local o = redis.call('GET', P .. 'own:' .. ARGV[1])
if not o then return choose(ARGV[1], ARGV[2]) end
if string.sub(o, 1, 2) == 'L:' then redis.call('RPUSH', P .. 'wake:' .. string.sub(o, 3), ARGV[1]) end
return ''
""",
    # c, worker, ttl -> 1 if it is ours now.
    "claim": """
local o = redis.call('GET', P .. 'own:' .. ARGV[1])
if o and string.sub(o, 1, 2) ~= 'Q:' and o ~= 'L:' .. ARGV[2] then return 0 end
redis.call('SET', P .. 'own:' .. ARGV[1], 'L:' .. ARGV[2], 'PX', ARGV[3])
redis.call('SADD', P .. 'pending', ARGV[1])
return 1
""",
    # c, worker, ttl, how many -> messages, or nil if it is not ours.
    "take": """
if redis.call('GET', P .. 'own:' .. ARGV[1]) ~= 'L:' .. ARGV[2] then return nil end
redis.call('PEXPIRE', P .. 'own:' .. ARGV[1], ARGV[3])
local taken = {}
for i = 1, tonumber(ARGV[4]) do
  local m = redis.call('LMOVE', P .. 'in:' .. ARGV[1], P .. 'proc:' .. ARGV[1], 'LEFT', 'RIGHT')
  if not m then break end
  taken[i] = m
end
return taken
""",
    # c, worker, revision ("" for none new), then channel and answer in turn.
    "done": """
if redis.call('GET', P .. 'own:' .. ARGV[1]) == 'L:' .. ARGV[2] then redis.call('DEL', P .. 'proc:' .. ARGV[1]) end
if ARGV[3] ~= '' then redis.call('PUBLISH', P .. 'rev:' .. ARGV[1], ARGV[3]) end
for i = 4, #ARGV, 2 do redis.call('PUBLISH', P .. 'rep:' .. ARGV[i], ARGV[i + 1]) end
return 1
""",
    # c, worker -> 1 if nothing was waiting and it is nobody's now.
    "leave": """
if redis.call('GET', P .. 'own:' .. ARGV[1]) ~= 'L:' .. ARGV[2] then return 1 end
if redis.call('LLEN', P .. 'in:' .. ARGV[1]) + redis.call('LLEN', P .. 'proc:' .. ARGV[1]) > 0 then return 0 end
redis.call('DEL', P .. 'own:' .. ARGV[1])
redis.call('SREM', P .. 'pending', ARGV[1])
return 1
""",
    # worker, ttl, clusters held … -> clusters lost, then those somebody follows, after "-".
    "renew": """
redis.call('SET', P .. 'alive:' .. ARGV[1], '1', 'PX', ARGV[2])
redis.call('ZADD', P .. 'load', #ARGV - 2, ARGV[1])
local lost, followed = {}, {'-'}
for i = 3, #ARGV do
  local key = P .. 'own:' .. ARGV[i]
  local o = redis.call('GET', key)
  if not o or o == 'L:' .. ARGV[1] then
    redis.call('SET', key, 'L:' .. ARGV[1], 'PX', ARGV[2])
    redis.call('SADD', P .. 'pending', ARGV[i])
    if redis.call('EXISTS', P .. 'follow:' .. ARGV[i]) == 1 then followed[#followed + 1] = ARGV[i] end
  else
    lost[#lost + 1] = ARGV[i]
  end
end
for _, c in ipairs(followed) do lost[#lost + 1] = c end
return lost
""",
    # ttl -> cluster and worker in turn: pending ones that nobody has.
    "sweep": """
local found = {}
for _, c in ipairs(redis.call('SMEMBERS', P .. 'pending')) do
  if redis.call('EXISTS', P .. 'own:' .. c) == 0 then
    local w = choose(c, ARGV[1])
    if w ~= '' then found[#found + 1] = c; found[#found + 1] = w end
  end
end
return found
""",
    # worker: it died. What it had is nobody's, and it is no worker any more.
    "bury": """
for _, c in ipairs(redis.call('SMEMBERS', P .. 'pending')) do
  local o = redis.call('GET', P .. 'own:' .. c)
  if o and string.sub(o, 3) == ARGV[1] then redis.call('DEL', P .. 'own:' .. c) end
end
redis.call('ZREM', P .. 'load', ARGV[1])
redis.call('DEL', P .. 'alive:' .. ARGV[1], P .. 'wake:' .. ARGV[1], ARGV[1], '_kombu.binding.' .. ARGV[1])
return 1
""",
    # c, time to live -> 1 if nobody followed before.
    "follow": """
local fresh = redis.call('EXISTS', P .. 'follow:' .. ARGV[1]) == 0
redis.call('SET', P .. 'follow:' .. ARGV[1], '1', 'PX', ARGV[2])
return fresh and 1 or 0
""",
}


class Bus:
    """A connection pool to Redis with the protocol's scripts. One a process: see `bus`.

    It never tries again by itself: whoever asked must know that the broker was away, and may have forgotten.
    """

    def __init__(self, patience: float | None = None) -> None:
        self.redis = redis.Redis.from_url(settings.REDIS_URL, socket_timeout=patience, retry=Retry(NoBackoff(), 0))
        self._scripts = {name: self.redis.register_script(_CHOOSE + text) for name, text in SCRIPTS.items()}

    def run(self, script: str, *arguments: Any) -> Any:
        return self._scripts[script](args=arguments)


_bus: Bus | None = None


def bus() -> Bus:
    """This process's way to Redis."""
    global _bus
    if _bus is None:
        _bus = Bus()
    return _bus


def forget_connections(patience: float | None = None) -> None:
    """After a fork: the parent's sockets are not ours. `patience`: seconds to wait for the broker; None: for ever."""
    global _bus, _local
    _bus, _local = Bus(patience) if patience else None, threading.local()


def send_drive(cluster: str, worker: str) -> None:
    """Tell `worker` by Celery to look after `cluster`, and nudge it out of its wait."""
    current_app.send_task("cluster.tasks.drive", args=[cluster], queue=worker, ignore_result=True)
    bus().redis.rpush(f"{PREFIX}wake:{worker}", "")


def kick(cluster: str) -> None:
    """Have somebody look after `cluster` now."""
    worker = bus().run("kick", cluster, LEASE)
    if worker:
        send_drive(cluster, worker.decode())


def sweep() -> int:
    """Find owners for clusters that have something to do and nobody to do it. Returns how many."""
    found = bus().run("sweep", LEASE)
    for cluster, worker in zip(found[::2], found[1::2], strict=True):
        send_drive(cluster.decode(), worker.decode())
    return len(found) // 2


def bury(worker: str) -> None:
    """`worker` died: free its clusters and find them new owners."""
    bus().run("bury", worker)
    sweep()


def new_id() -> str:
    return uuid.uuid4().hex


def encode_message(identity: str, request: dict[str, Any], reply_to: str, again: bool = False) -> bytes:
    message: dict[str, Any] = {"id": identity, "reply": reply_to, "request": request}
    return orjson.dumps({**message, "again": True} if again else message)


def encode_answer(identity: str, answer: Answer) -> bytes:
    return orjson.dumps([identity, answer.status, answer.headers]) + b"\n" + answer.body


def decode_answer(data: bytes) -> tuple[str, Answer]:
    head, body = data.split(b"\n", 1)
    identity, status, headers = orjson.loads(head)
    return identity, Answer(status, headers, body)


# --- what was answered, and what must never run -----------------------------------------------------------------


def recorded_answer(row: Input) -> Answer:
    """The answer that was committed with an input."""
    response = orjson.loads(bytes(row.response))
    return Answer(row.status, response["headers"], response["body"].encode())


def settle(cluster: str, identity: str) -> Answer | None:
    """The recorded answer of an input. If there is none, it is dead from now on, and None is returned."""
    with transaction.atomic():
        # The lock that every commit takes first: the row is there now, or its commit will see the mark.
        if not Cluster.objects.filter(name=cluster).update(owner=F("owner")):
            return None
        row = Input.objects.filter(pk=identity).first()
        if row is None:
            pk = Cluster.objects.values_list("pk", flat=True).get(name=cluster)
            DeadInput.objects.get_or_create(id=identity, defaults={"cluster_id": pk, "reason": GIVEN_UP})
            return None
    return recorded_answer(row)


GIVEN_UP = "nobody waits for it any more"
UNREACHABLE = "the broker can't be reached, so nobody can be asked to do this; is `make run` still running?"
FULL = f"the cluster has {LIMIT} requests waiting already; try again in a second"


def too_late(timeout: float) -> Answer:
    message = f"the cluster did not answer within {timeout:g} s; the request was withdrawn and will not run"
    return refusal(504, "Timeout", message)


def _posted(cluster: str, message: bytes) -> bool:
    """Put a message into the inbox. False: it is full. Errors: redis.ConnectionError."""
    worker = bus().run("post", cluster, LIMIT, LEASE, message)
    if worker == b"FULL":
        return False
    if worker:
        send_drive(cluster, worker.decode())
    return True


def _given_up(cluster: str, identity: str, timeout: float) -> Answer:
    try:
        return settle(cluster, identity) or too_late(timeout)
    except DatabaseError as error:
        return refusal(504, "Timeout", f"the cluster did not answer, and its record can't be read: {error}")


def _given_up_in_thread(cluster: str, identity: str, timeout: float) -> Answer:
    try:
        return _given_up(cluster, identity, timeout)
    finally:
        connection.close()  # A pool's thread: nobody else would.


# --- asking -----------------------------------------------------------------------------------------------------


class Postbox:
    """Where the answers for one event loop arrive: one subscription, and a future for every request under way."""

    def __init__(self) -> None:
        self.name = f"{os.getpid()}-{new_id()[:8]}"
        retry = AsyncRetry(NoBackoff(), 0)
        self.redis = redis.asyncio.Redis.from_url(settings.REDIS_URL, socket_timeout=None, retry=retry)
        self._post = self.redis.register_script(_CHOOSE + SCRIPTS["post"])
        self.waiting: dict[str, tuple[asyncio.Future[Answer], str, dict[str, Any]]] = {}
        self._listening = asyncio.Event()
        self._task = asyncio.create_task(self._listen())

    async def _listen(self) -> None:
        """Pass answers on for as long as the loop lives. After a break, what is under way is asked again."""
        first = True
        while True:
            with contextlib.suppress(redis.RedisError, OSError):
                async with self.redis.pubsub() as channel:
                    await channel.subscribe(f"{PREFIX}rep:{self.name}")
                    self._listening.set()
                    if not first:
                        await self._ask_again()
                    first = False
                    async for message in channel.listen():
                        if message["type"] == "message":
                            self._arrived(message["data"])
            self._listening.clear()
            await asyncio.sleep(0.1)

    def _arrived(self, data: bytes) -> None:
        identity, answer = decode_answer(data)
        waiting = self.waiting.get(identity)
        if waiting and not waiting[0].done():
            waiting[0].set_result(answer)

    async def _ask_again(self) -> None:
        """The broker was gone, perhaps with our requests. Same id: who finds the row of it answers from the row."""
        for identity, (_, cluster, request) in list(self.waiting.items()):
            await self.post(cluster, encode_message(identity, request, self.name, again=True))

    async def post(self, cluster: str, message: bytes) -> bool:
        worker = await self._post(args=(cluster, LIMIT, LEASE, message))
        if worker == b"FULL":
            return False
        if worker:
            await asyncio.to_thread(send_drive, cluster, worker.decode())
        return True

    async def ask(self, cluster: str, request: dict[str, Any], timeout: float) -> Answer:
        identity = new_id()
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(BROKER_PATIENCE):
                await self._listening.wait()
        except TimeoutError:
            return refusal(503, "ServiceUnavailable", UNREACHABLE, {"Retry-After": "1"})
        self.waiting[identity] = (future, cluster, request)
        try:
            async with asyncio.timeout(timeout):
                if not await self._post_surely(cluster, identity, request):
                    return refusal(429, "TooManyRequests", FULL, {"Retry-After": "1"})
                return await future
        except TimeoutError:
            return await asyncio.to_thread(_given_up_in_thread, cluster, identity, timeout)
        finally:
            del self.waiting[identity]

    async def _post_surely(self, cluster: str, identity: str, request: dict[str, Any]) -> bool:
        """Post until the broker took it. False: the inbox is full."""
        again = False
        while True:
            try:
                return await self.post(cluster, encode_message(identity, request, self.name, again))
            except (redis.RedisError, OSError):
                await asyncio.sleep(0.05)
                again = True


_postboxes: dict[int, Postbox] = {}


def _postbox() -> Postbox:
    loop = id(asyncio.get_running_loop())
    if loop not in _postboxes:
        _postboxes[loop] = Postbox()
    return _postboxes[loop]


async def call(cluster: str, request: dict[str, Any], timeout: float = TIMEOUT) -> Answer:
    """Have `request` executed by the owner of `cluster`. Every failure is an answer; nothing is raised."""
    return await _postbox().ask(cluster, request, timeout)


_local = threading.local()


def call_sync(cluster: str, request: dict[str, Any], timeout: float = TIMEOUT) -> Answer:
    """`call` for ordinary threads: views and the command line."""
    identity, began, again = new_id(), time.monotonic(), False
    deadline = began + timeout
    while time.monotonic() < deadline:
        try:
            answer = _ask_once(cluster, identity, request, deadline, again)
            if answer is not None:
                return answer
        except (redis.RedisError, OSError):
            _local.channel = None
            if time.monotonic() - began > BROKER_PATIENCE and not _is_up():
                return _unreachable(cluster, identity)
            time.sleep(0.05)
            again = True
    return _given_up(cluster, identity, timeout)


def _ask_once(cluster: str, identity: str, request: dict[str, Any], deadline: float, again: bool) -> Answer | None:
    """Post and wait. None: no answer by the deadline. Errors: redis.RedisError when the broker goes away."""
    name, channel = _channel()
    if not _posted(cluster, encode_message(identity, request, name, again)):
        return refusal(429, "TooManyRequests", FULL, {"Retry-After": "1"})
    while (left := deadline - time.monotonic()) > 0:
        message = channel.get_message(ignore_subscribe_messages=True, timeout=left)
        if message is not None:
            found, answer = decode_answer(message["data"])
            if found == identity:
                return answer
    return None


def _is_up() -> bool:
    try:
        return bool(bus().redis.ping())
    except (redis.RedisError, OSError):
        return False


def _unreachable(cluster: str, identity: str) -> Answer:
    """The broker stays away. What it may have passed on is answered from its record, or will not run."""
    try:
        return settle(cluster, identity) or refusal(503, "ServiceUnavailable", UNREACHABLE)
    except DatabaseError:
        return refusal(503, "ServiceUnavailable", UNREACHABLE)


def _channel() -> tuple[str, Any]:
    """This thread's own subscription, and its name."""
    known = getattr(_local, "channel", None)
    if known is None:
        name = f"{os.getpid()}-{new_id()[:8]}"
        channel = bus().redis.pubsub()
        channel.subscribe(f"{PREFIX}rep:{name}")
        channel.get_message(timeout=5)
        known = _local.channel = (name, channel)
    return known


# --- following --------------------------------------------------------------------------------------------------

_followed: dict[str, float] = {}


def follow(cluster: str) -> None:
    """Somebody looks at `cluster` (a page, a watch, a log): say so at least every two seconds while they do.

    A followed world commits its horizon ten times a second and wakes up if it sleeps. Cheap when called too often.
    """
    now = time.monotonic()
    if now - _followed.get(cluster, -10.0) < 1.5:
        return
    _followed[cluster] = now
    with contextlib.suppress(redis.RedisError, OSError):
        if bus().run("follow", cluster, FOLLOWING):
            kick(cluster)


def revisions_channel(cluster: str) -> str:
    """The Redis channel on which each commit that made revisions publishes the newest one's number."""
    return f"{PREFIX}rev:{cluster}"


def room() -> dict[str, dict[str, Any]]:
    """The machine room: each living worker's own words about itself, by its name. Errors: redis.RedisError."""
    keys = sorted(bus().redis.scan_iter(f"{PREFIX}room:*", count=100))
    values = bus().redis.mget(keys) if keys else []
    start = len(f"{PREFIX}room:")
    return {key.decode()[start:]: orjson.loads(value) for key, value in zip(keys, values, strict=True) if value}


# --- what gateways count ----------------------------------------------------------------------------------------

COUNTS_LAST = 3_600  # Seconds for which counts are kept after the last request.
COUNTS_FRESH = 10.0  # Seconds after which a gauge says nothing any more.
UNDER_WAY = ("apiserver_current_inflight_requests",)  # A gauge that is forgotten soon.
_LIFE = uuid.uuid4().hex[:8]  # Of a process and those that it forks; with its number it is alone.
Counts = list[tuple[dict[str, str], float]]


def announce_counts(cluster: str, counts: Counts) -> None:
    """Replace what this process has counted of requests for `cluster`. A broker that is away hears of it later."""
    key = f"{PREFIX}counts:{cluster}"
    with contextlib.suppress(redis.RedisError):
        bus().redis.hset(key, f"{_LIFE}:{os.getpid()}", orjson.dumps([time.time(), counts]))
        bus().redis.expire(key, COUNTS_LAST)


def announced_counts(cluster: str) -> Counts:
    """What all processes have counted; who is gone has nothing under way any more. Empty without a broker."""
    found: Counts = []
    with contextlib.suppress(redis.RedisError):
        for body in bus().redis.hvals(f"{PREFIX}counts:{cluster}"):
            at, counts = orjson.loads(body)
            stale = time.time() - at > COUNTS_FRESH
            found += [(labels, 0.0 if stale and labels["__name__"] in UNDER_WAY else value) for labels, value in counts]
    return found
