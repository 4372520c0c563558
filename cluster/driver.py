"""One world that this worker holds: its turns, its pace, and what becomes of it when a commit fails.

A turn takes what waits in the inbox, executes it and commits; or, if nothing waits, takes the steps that are due by
now and commits. Answers leave after the commit. Whatever goes wrong, the resident world is discarded and built again
from committed rows: `recover` then answers what was committed from its record and runs the rest, one by one, so that
an input that kills its worker every time is found and refused.

    due ──▶ advance ──▶ commit ──▶ answers, "rev"
    inbox ─▶ serve   ─▶ commit ─▶

Read next: world.py for what a step is; tasks.py for who calls this.
"""

import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import orjson
from django.conf import settings
from django.db import Error as DatabaseError
from django.db import IntegrityError, connection
from redis import RedisError

from cluster import inbox, lifecycle
from cluster.apiserver import commits
from cluster.engine.clock import SECOND, Pace, monotonic
from cluster.gathering import Gathering
from cluster.inbox import Answer, bus
from cluster.models import Cluster, DeadInput, Input
from cluster.world import World

BATCH = 64  # Inputs a turn.
HORIZON_PERIOD = 0.1  # Wall seconds between commits of a followed world in which nothing happens.
HEARTBEATS_WAIT = 4.0  # Wall seconds that heartbeats of a cluster that nobody follows may be late.
LAG = 0.5  # Wall seconds that a busy world may fall behind before the pace gives up catching up.
ATTEMPTS = 3  # How often an input may kill its worker: once in a batch, and then alone.
PATIENCE = 1.0  # Wall seconds before a world that failed is tried again.
PAUSED = "this cluster's clock is paused"

log = logging.getLogger(__name__)
Message = dict[str, Any]


class Lost(Exception):
    """Somebody else has the cluster now, or it is gone: let go of it."""


class Unexecutable(Exception):
    """Executing an input failed by our own mistake: the world may be half changed; that input must not come again."""

    def __init__(self, message: Message, error: Exception) -> None:
        super().__init__(f"{type(error).__name__}: {error}")
        self.message = message


class Resident:
    """Cluster `name`, held by `worker`. `trouble`: why it can't go on, for people; empty: it can."""

    def __init__(self, name: str, worker: str, interrupted: Callable[[], bool]) -> None:
        self.name, self.worker, self._interrupted = name, worker, interrupted
        self.world: World | None = None
        self._gathering: Gathering | None = None
        self.trouble = ""
        self.followed = False
        self.knocked = True  # Something may wait in the inbox.
        self.sent = False  # A turn is on its way through Celery (TURNS=tasks).
        self.turns = 0
        self.served = 0  # When this world had its last turn, counted in turns of the worker.
        self._identity = 0
        self._epoch = 0
        self._paused = self._asleep = False
        self._speed = 1.0
        self._pace = Pace(0, 1.0, True)
        self._goal: tuple[int | None, str] | None = None  # (until, stop) of a skip or a step under way.
        self._at_goal: list[tuple[str, bytes]] = []  # Answers that leave when it is reached …
        self._goal_set: list[tuple[str, bytes]] = []  # … and those whose input is not committed yet.
        self._revision = 0
        self._committed_at = self._used_at = monotonic()
        self._retry_at = 0.0
        self._failures = 0

    # --- coming and going ---------------------------------------------------------------------------------------

    def open(self) -> None:
        """Take the next epoch, build the world from its rows, and finish what the last owner began.

        Errors: Lost if there is no such cluster and nobody asked for one; django.db.Error.
        """
        if not Cluster.objects.filter(name=self.name).exists():
            self._without_world()
        row, epoch = commits.take_ownership(self.name, self.worker)
        self._identity, self._epoch = row.pk, epoch
        self._paused, self._asleep, self._speed = row.paused, row.asleep, row.speed
        self._goal = None
        self._revision = row.revision
        if row.sequence == 0:  # Only a row so far: nothing ever ran.
            self.world = World.create(row.seed, row.epoch, row.options, row.pk, epoch, row.first_revision)
            self.world.run(0)  # Whoever waits for the cluster meets an API server that has its namespaces.
            self.world.commit()
        else:
            self.world = World.load(commits.row_of(row), row.pk, epoch)
        self._gathering = Gathering(row.pk, epoch)
        if row.stopped:
            self.world.switches["stopped"] = ""
        self._anchor()
        self.recover()

    def discard(self) -> None:
        self.world, self._gathering, self._goal, self._goal_set = None, None, None, []

    def _anchor(self) -> None:
        """Start counting from here: whatever time was missed is not caught up."""
        assert self.world is not None
        self._pace = Pace(self.world.now, self._speed, self._paused or self._asleep)

    def look(self, followed: bool) -> None:
        """Does anybody follow? And the inbox may hold something whose knock was lost."""
        self.followed = followed
        if followed:
            self._used_at = monotonic()
        self.knocked = self.knocked or not self.trouble

    def _is_idle(self) -> bool:
        """May this cluster fall asleep?"""
        quiet = monotonic() - self._used_at > settings.SLEEP_AFTER
        return quiet and not self.followed and not self._asleep and self.world is not None and self._goal is None

    @property
    def asleep(self) -> bool:
        return self._asleep and not self.followed

    # --- when ---------------------------------------------------------------------------------------------------

    def seconds_until_due(self) -> float | None:
        """Wall seconds until this world wants a turn; None: only when somebody knocks."""
        if self.knocked:
            return 0.0
        if self.world is None or self.trouble:
            return max(0.0, self._retry_at - monotonic()) if self._retry_at else None
        if self.sent:
            return None
        if self._goal is not None or (self._asleep and self.followed):
            return 0.0
        due, pressing = self.world.next_due(), self.world.next_pressing()
        wait = self._pace.seconds_until(due) if due is not None else None
        if wait is not None and due != pressing and not self.followed:  # Nobody sees a heartbeat a little later.
            wait += HEARTBEATS_WAIT
            wait = wait if pressing is None else min(wait, max(self._pace.seconds_until(pressing) or 0.0, 0.0))
        if self.followed and not self._paused:
            horizon = max(0.0, self._committed_at + HORIZON_PERIOD - monotonic())
            wait = horizon if wait is None else min(wait, max(wait, 0.0), horizon)
        return wait

    def account(self) -> dict[str, Any]:
        """For the machine room: turns so far, and steps of each component so far."""
        steps = self.world.steps_by_component if self.world is not None else {}
        return {"turns": self.turns, "steps": steps, "trouble": self.trouble, "asleep": self._asleep}

    # --- turns --------------------------------------------------------------------------------------------------

    def turn(self, budget: float, role: str | None = None) -> None:
        """One turn: inputs if there are any, else the steps that are due. Errors: Lost."""
        self.turns += 1
        try:
            if self.world is None:
                self._retry_at = 0.0
                self.open()
                self.knocked = True
            messages = self._take() if self.knocked else []
            if messages:
                self._serve(messages)
            else:
                self._advance(budget, role)
            self._failures, self.trouble = 0, ""
            if self.world is not None and self._gathering is not None:
                self._gathering.look(self.world.site)
        except commits.Fenced as error:
            log.info("%s: %s", self.name, error)
            self.discard()
            raise Lost from error
        except commits.Withdrawn:
            self.discard()  # The next turn begins with recovery, which leaves them out.
            self.knocked = True
        except Unexecutable as error:
            log.error("%s: an input can't be executed", self.name, exc_info=error.__cause__)
            self.discard()
            self._put_aside(error.message, str(error))
            self.knocked = True
        except IntegrityError:
            self.discard()  # Asked twice under one id, around a broker's death: the record has the answer.
            self.knocked = True
        except DatabaseError as error:
            self._database_failed(error)
        except (Lost, RedisError, OSError):
            self.discard()  # A broker that went away in between may still have what was taken: recover once more.
            raise
        except Exception as error:
            self._world_failed(error)

    def next_role(self) -> str | None:
        """Whose turn it is now; None: nobody's yet, or the clock was asked to go somewhere step by step."""
        world = self.world
        if world is None or (self._goal is not None and self._goal[1]):
            return None
        until = self._goal[0] if self._goal else self._pace.horizon()
        due = world.next_due()
        return world.next_role() if due is not None and (until is None or due <= until) else None

    def _take(self) -> list[bytes]:
        self.knocked = False
        messages = bus().run("take", self.name, self.worker, inbox.LEASE, BATCH)
        if messages is None:
            raise Lost
        self.knocked = len(messages) == BATCH
        return list(messages)

    def _advance(self, budget: float, role: str | None = None) -> None:
        world = self.world
        assert world is not None
        if self._asleep:
            if self.followed:
                self._switch("wake")
            return
        if self._is_idle():
            self._switch("sleep")
            return
        if self._goal is None:
            horizon = self._pace.horizon()
            due = world.next_due()
            ready = due is not None and (horizon is None or due <= horizon)
            if not ready and (not self.followed or self._paused):
                return
            finished = world.run(horizon, budget, self._interrupted, role)
            behind = horizon is not None and horizon - world.now > LAG * self._speed * SECOND
            if not finished and behind:
                self._anchor()
            self._commit([])
            return
        until, stop = self._goal
        reached = world.run(None, stop=stop) if stop else world.run(until, budget, self._interrupted, role)
        if reached or world.next_due() is None:
            self._goal = None
            self._anchor()
        self._commit([])

    def _switch(self, kind: str) -> None:
        """Stop the clock of a world that nobody looks at, or start it again; recorded, since it is an input."""
        self._execute({"id": inbox.new_id(), "request": {"type": kind}})
        self._commit([])

    # --- inputs -------------------------------------------------------------------------------------------------

    def _serve(self, raw: list[bytes]) -> None:
        """Execute a batch in its order and commit it; cluster operations end a batch, since they end a life."""
        self._used_at = monotonic()
        replies: list[tuple[str, bytes]] = []
        messages: list[Message] = [orjson.loads(text) for text in raw]
        again = [m["id"] for m in messages if m.get("again")]
        known, ran = _known(again) if again else {}, set()
        for place, message in enumerate(messages):
            if message["request"].get("type") in lifecycle.OPERATIONS:
                self._commit(replies, more=True)
                self._operate(message, place)
                return
            if message["id"] in known:
                replies.append(_reply(message, known[message["id"]]))
            elif message["id"] not in ran:
                if self._asleep:
                    self._execute({"id": inbox.new_id(), "request": {"type": "wake"}})
                self._execute_into(message, replies)
                ran.add(message["id"])
        self._commit(replies)

    def _execute_into(self, message: Message, replies: list[tuple[str, bytes]]) -> None:
        goal = self._goal
        reply = _reply(message, self._execute(message))
        (self._goal_set if self._goal is not goal else replies).append(reply)

    def _execute(self, message: Message) -> Answer:
        """One input at the current moment, which is the horizon unless the world is behind."""
        world = self.world
        assert world is not None
        horizon, due = self._pace.horizon(), world.next_due()
        if self._goal is None and horizon is not None and horizon > world.now and (due is None or due > horizon):
            world.run(horizon)
        request = message["request"]
        try:
            response = world.execute(message["id"], request)
        except Exception as error:
            raise Unexecutable(message, error) from error
        if response.status < 400 and request.get("type") in ("clock", "sleep", "wake"):
            self._obey(orjson.loads(response.body))
        headers = dict(response.headers)
        if self._paused and request.get("type") == "api":
            note = f'299 - "{PAUSED}"'
            headers["Warning"] = f"{headers['Warning']}, {note}" if "Warning" in headers else note
        return Answer(response.status, headers, response.body)

    def _obey(self, answer: dict[str, Any]) -> None:
        """A time control was accepted and recorded: now the pace follows it."""
        assert self.world is not None
        switches = self.world.switches
        self._paused = switches.get("paused", self._paused)
        self._asleep = switches.get("asleep", self._asleep)
        self._speed = switches.get("speed", self._speed)
        if answer.get("op") == "skip":
            self._goal = (answer["until"], "")
        elif answer.get("op") == "step":
            self._goal = (None, answer["by"])
        self._anchor()

    def _operate(self, message: Message, place: int) -> None:
        """Create, reset or delete. What stood before it in the batch is done; what follows meets another world."""
        taken, request = f"{inbox.PREFIX}proc:{self.name}", message["request"]
        if place:
            bus().redis.ltrim(taken, place, -1)
        answer = lifecycle.done_already(self.name, message["id"])
        if answer is None and request["type"] == "create":
            answer = lifecycle.create(self.name, message["id"], request)
        elif answer is None and request["type"] == "reset":
            answer = lifecycle.reset(self.name, message["id"], request, self._epoch)
        elif answer is None:
            answer = lifecycle.delete(self.name, self._epoch)
        self._finish([_reply(message, answer)], done=False)
        bus().redis.lpop(taken)
        if answer.status < 400 and request["type"] != "create":
            self.discard()
            self.open()
        else:
            self.recover()

    def _without_world(self) -> None:
        """Nobody's cluster: what waits for it can only be a request to create it, or in vain. Errors: Lost."""
        taken, redis = f"{inbox.PREFIX}proc:{self.name}", bus().redis
        while bus().run("take", self.name, self.worker, inbox.LEASE, BATCH):
            pass
        while raw := redis.lindex(taken, 0):
            message = orjson.loads(raw)
            creates = message["request"].get("type") == "create"
            if creates:
                answer = lifecycle.create(self.name, message["id"], message["request"])
            else:
                answer = inbox.refusal(404, "NotFound", f'clusters "{self.name}" not found')
            self._finish([_reply(message, answer)], done=False)
            redis.lpop(taken)
            if creates and answer.status < 400:
                return
        raise Lost

    # --- recovery -----------------------------------------------------------------------------------------------

    def recover(self) -> None:
        """What was taken and perhaps not answered: from the record if it is there, else run now, one by one."""
        key, counts = f"{inbox.PREFIX}proc:{self.name}", f"{inbox.PREFIX}attempts:{self.name}"
        messages: list[Message] = [orjson.loads(raw) for raw in bus().redis.lrange(key, 0, -1)]
        if not messages:
            return
        known = _known([message["id"] for message in messages])
        for place, message in enumerate(messages):
            identity = message["id"]
            if identity in known:
                self._finish([_reply(message, known[identity])], done=False)
            elif message["request"].get("type") in lifecycle.OPERATIONS:
                self._operate(message, place)
                return
            elif int(bus().redis.hincrby(counts, identity, 1)) >= ATTEMPTS:
                self._put_aside(message, f"it stopped its worker {ATTEMPTS} times")
            elif not DeadInput.objects.filter(pk=identity).exists():
                self._run_alone(message)
            bus().redis.hdel(counts, identity)
        self._finish([])

    def _run_alone(self, message: Message) -> None:
        replies: list[tuple[str, bytes]] = []
        self._execute_into(message, replies)
        self._commit(replies, more=True)

    def _put_aside(self, message: Message, reason: str) -> None:
        """An input that can't be executed must not stand in everybody's way for ever."""
        defaults = {"cluster_id": self._identity, "reason": reason[:200]}
        DeadInput.objects.get_or_create(id=message["id"], defaults=defaults)
        text = f"this request could not be executed and was put aside: {reason}"
        self._finish([_reply(message, inbox.refusal(500, "InternalError", text))], done=False)

    # --- the end of a turn --------------------------------------------------------------------------------------

    def _commit(self, replies: list[tuple[str, bytes]], more: bool = False) -> None:
        """End the turn and send the answers. `more`: the batch goes on, so what was taken stays taken."""
        if self.world is not None:
            self.world.commit()
            self._committed_at = monotonic()
            self._at_goal += self._goal_set
            self._goal_set = []
        if self._goal is None and self._at_goal:
            replies, self._at_goal = replies + self._at_goal, []
        self._finish(replies, done=not more)

    def _finish(self, replies: list[tuple[str, bytes]], done: bool = True) -> None:
        revision = self.world.store.revision if self.world is not None else self._revision
        news = str(revision) if revision != self._revision else ""
        self._revision = revision
        flat = [part for reply in replies for part in reply]
        worker = self.worker if done else ""
        bus().run("done", self.name, worker, news, *flat)

    # --- trouble ------------------------------------------------------------------------------------------------

    def _database_failed(self, error: DatabaseError) -> None:
        """A failed or unclear commit: the world is gone, and what was taken is settled by the next recovery."""
        self.discard()
        self.knocked = False
        bus().redis.delete(f"{inbox.PREFIX}attempts:{self.name}")  # No worker died of it.
        connection.close()
        self._failures += 1
        self._retry_at = monotonic() + PATIENCE
        self.trouble = f"the database can't be written: {error}"
        log.error("%s: %s", self.name, self.trouble)
        with suppress(DatabaseError):  # It may have room for this at least.
            Cluster.objects.filter(name=self.name, owner_epoch=self._epoch).update(stopped=self.trouble[:200])
        if self._failures > 1:
            self._refuse_all(507 if "full" in str(error) else 503)

    def _world_failed(self, error: Exception) -> None:
        """Our own mistake. The same steps would fail the same way, so after a second try the world stops."""
        log.exception("%s: the world failed", self.name)
        self.discard()
        self.knocked = False
        self._failures += 1
        self.trouble = f"the world failed: {type(error).__name__}: {error}"[:200]
        self._retry_at = monotonic() + PATIENCE if self._failures < ATTEMPTS else 0.0
        with suppress(DatabaseError):
            Cluster.objects.filter(name=self.name, owner_epoch=self._epoch).update(stopped=self.trouble)
        if self._failures > 1:
            self._refuse_all(500)

    def _refuse_all(self, status: int) -> None:
        """Answer what waits, since nobody knows when the world can go on. None of it was committed."""
        raw = list(bus().redis.lrange(f"{inbox.PREFIX}proc:{self.name}", 0, -1))
        raw += bus().run("take", self.name, self.worker, inbox.LEASE, inbox.LIMIT) or []
        answer = inbox.refusal(
            status, "InternalError", f"cluster {self.name} stopped: {self.trouble}", {"Retry-After": "1"}
        )
        self._finish([_reply(orjson.loads(text), answer) for text in raw])


def _known(identities: list[str]) -> dict[str, Answer]:
    """Recorded answers by id."""
    return {row.id: inbox.recorded_answer(row) for row in Input.objects.filter(pk__in=identities)}


def _reply(message: Message, answer: Answer) -> tuple[str, bytes]:
    """Channel and bytes of an answer. A message of our own has no one to answer to."""
    return message.get("reply", ""), inbox.encode_answer(message["id"], answer)
