"""Celery runs the components: each worker is one process that holds some worlds and lets them take turns.

    drive(cluster)          take the cluster, if nobody has it, and look after it
    scheduler, controllers, cloud, kubelets, proxies, addons    one turn of that role's components
    linger()                what a worker does in between: wait for knocks, due times and leases

A worker is nearly always inside a task: it lingers on its wake list, because a write that finds it there is answered
in about a millisecond, and goes back to Celery only when Celery has something for it. Normally `drive` lets the
world's components act in the world's order without a hop. With TURNS=tasks every turn is a Celery task of its own,
strictly one after another: same steps, same log, and a class can watch Celery do it.

Read next: driver.py for one world's turn; inbox.py for the protocol.
"""

import logging
import os
import time
from contextlib import suppress
from typing import Any

import orjson
import psutil
import redis
from celery import current_app, shared_task
from celery.worker import state as celery_state
from django.conf import settings
from redis.connection import AbstractConnection

from cluster import inbox
from cluster.driver import Lost, Resident
from cluster.engine.clock import monotonic
from cluster.engine.controller import ROLES
from cluster.inbox import LEASE, PREFIX, bus

SLICE = 0.020  # Wall seconds of a turn, shared by the worlds that want one …
SHORTEST_SLICE = 0.002  # … but never less than this.
LONE_SLICE = 0.100  # Of a busy world with the worker to itself: fewer, larger commits. An input ends it at once.
LOOK_EVERY = 0.002  # Wall seconds between looks at the wake list within a turn.
RENEW_EVERY = LEASE / 1000 / 4

log = logging.getLogger(__name__)


class WakeList:
    """Knocks at this worker's door. One BLPOP is always under way, so looking costs a poll and waiting is exact."""

    def __init__(self, worker: str) -> None:
        self.key = f"{PREFIX}wake:{worker}"
        self._connection: AbstractConnection | None = None
        self._looked = 0.0

    def wait(self, seconds: float) -> list[str]:
        """Names knocked for, waiting `seconds` at most; "" among them: Celery has something for us."""
        connection = self._armed()
        if not connection.can_read(timeout=seconds):
            return []
        answer = connection.read_response()
        self._arm()
        rest = bus().redis.lpop(self.key, 1_000) or []
        return [name.decode() for name in [answer[1], *rest]]

    def knocked(self) -> bool:
        """Has anybody knocked? Asked between steps; looks every 2 ms. A broker that is away counts as a knock."""
        now = monotonic()
        if now - self._looked < LOOK_EVERY:
            return False
        self._looked = now
        try:
            return bool(self._armed().can_read(timeout=0))
        except (redis.RedisError, OSError):
            return True

    def forget(self) -> None:
        if self._connection is not None:
            self._connection.disconnect()
            self._connection = None

    def _armed(self) -> AbstractConnection:
        if self._connection is None:
            self._connection = bus().redis.connection_pool.get_connection()
            self._arm()
        return self._connection

    def _arm(self) -> None:
        assert self._connection is not None
        self._connection.send_command("BLPOP", self.key, 0)


class Worker:
    """This process: its name, the worlds it holds, and the loop in which they take turns."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.residents: dict[str, Resident] = {}
        self._wake = WakeList(name)
        self._renewed = -10.0
        self._served = 0
        self._inputs_first = False
        self._process = psutil.Process()
        self._parent = os.getppid()

    def hold(self, cluster: str) -> None:
        """Take `cluster` unless somebody else has it."""
        if cluster in self.residents:
            self.residents[cluster].knocked = True
            return
        with suppress(redis.RedisError, OSError):  # If the broker is away, the sweep will ask again.
            if bus().run("claim", cluster, self.name, LEASE):
                followed = bool(bus().redis.exists(f"{PREFIX}follow:{cluster}"))
                self.residents[cluster] = Resident(cluster, self.name, self._wake.knocked)
                self.residents[cluster].look(followed)

    def linger(self) -> None:
        """Let the worlds take their turns, until Celery has something for us or it is time to stop."""
        while not self._must_stop():
            try:
                self._renew()
                if self._round():
                    return
            except (redis.RedisError, OSError) as error:
                log.info("%s: the broker is away: %s", self.name, error)
                self._begin_again()
                time.sleep(0.05)
            except Exception:
                log.exception("%s stumbled", self.name)  # A worker that no longer lingers would serve nobody.
                time.sleep(1)
        self.leave()

    def _begin_again(self) -> None:
        """The broker was away, and has perhaps forgotten us and what we sent through it."""
        self._wake.forget()
        self._renewed = -10.0
        for resident in self.residents.values():
            resident.sent = False

    def _round(self) -> bool:
        """Wait until somebody wants a turn, and give one. True: Celery has something for us."""
        waits = [resident.seconds_until_due() for resident in self.residents.values()]
        soonest = min((wait for wait in waits if wait is not None), default=RENEW_EVERY)
        knocks = self._wake.wait(min(soonest, RENEW_EVERY))
        for name in knocks:
            if name in self.residents:
                self.residents[name].knocked = True
        if "" in knocks and bus().redis.llen(self.name):
            return True
        ready = [resident for resident in self.residents.values() if resident.seconds_until_due() == 0.0]
        if not ready:
            return False
        next_one = self._whose_turn(ready)
        next_one.served = self._served = self._served + 1
        return self._turn(next_one.name, max(SHORTEST_SLICE, SLICE / len(ready)))

    def _whose_turn(self, ready: list[Resident]) -> Resident:
        """By turns: somebody with inputs, since people wait for them, and whoever has waited longest."""
        knocked = [resident for resident in ready if resident.knocked]
        self._inputs_first = not self._inputs_first
        return min(knocked if knocked and self._inputs_first else ready, key=lambda resident: resident.served)

    def _turn(self, name: str, budget: float) -> bool:
        """A turn of one world, by itself or as a Celery task. True: the task is on its way, so go and fetch it."""
        resident = self.residents[name]
        if settings.TURNS == "tasks" and resident.world is not None and not resident.knocked:
            role = resident.next_role()
            if role is not None:
                resident.sent = True
                current_app.send_task(f"cluster.tasks.{role}", args=[name], queue=self.name, ignore_result=True)
                return True
        self._take_turn(resident, budget)
        return False

    def _take_turn(self, resident: Resident, budget: float, role: str | None = None) -> None:
        try:
            resident.turn(budget, role)
        except Lost:
            self._let_go(resident.name)

    def role_turn(self, role: str, name: str) -> None:
        """One turn of a role's components, as a task."""
        resident = self.residents.get(name)
        if resident is None:
            return
        resident.sent = False
        if resident.next_role() == role:
            with suppress(redis.RedisError, OSError):  # `linger` will notice as well.
                self._take_turn(resident, SLICE, role)

    def _let_go(self, name: str) -> None:
        """Give `name` back. If somebody knocked meanwhile it stays, and is opened anew."""
        resident = self.residents.pop(name)
        resident.discard()
        if not bus().run("leave", name, self.name):
            self.hold(name)

    def _renew(self) -> None:
        """Say that we live and hold what we hold; every quarter of the lease."""
        now = monotonic()
        if now - self._renewed < RENEW_EVERY:
            return
        self._renewed = now
        answer = [name.decode() for name in bus().run("renew", self.name, LEASE, *self.residents)]
        border = answer.index("-")
        followed = set(answer[border + 1 :])
        for name in answer[:border]:
            self.residents.pop(name).discard()
        for name, resident in list(self.residents.items()):
            resident.look(name in followed)
            if resident.asleep:
                self._let_go(name)
        self._tell()

    def _tell(self) -> None:
        """For the machine room: what this worker holds, and how many turns its components took."""
        clusters = {name: resident.account() for name, resident in self.residents.items()}
        memory = self._process.memory_info().rss
        room = {
            "pid": os.getpid(),
            "memory": memory,
            "clusters": clusters,
            "cpu": sum(self._process.cpu_times()[:2]),
        }
        bus().redis.set(f"{PREFIX}room:{self.name}", orjson.dumps(room), px=LEASE)

    def _must_stop(self) -> bool:
        """Celery was told to stop, or whoever started us is gone."""
        told = celery_state.should_stop is not None or celery_state.should_terminate is not None
        return told or os.getppid() != self._parent

    def leave(self) -> None:
        """Give everything back, in good order."""
        for name in list(self.residents):
            self.residents.pop(name).discard()
        with suppress(redis.RedisError, OSError):
            inbox.bury(self.name)


_worker: Worker | None = None


def be_worker(name: str) -> None:
    """This process is worker `name` from now on. The name is its queue's too: a new one for each incarnation."""
    global _worker
    _worker = Worker(name)


def worker() -> Worker:
    """This process's worker. One that Celery's own command line started names itself after ORRERY_WORKER."""
    if _worker is None:
        be_worker(os.environ["ORRERY_WORKER"])
    assert _worker is not None
    return _worker


@shared_task(ignore_result=True)
def linger() -> None:
    """Wait for work. Every worker sends itself one when it starts."""
    worker().linger()


@shared_task(ignore_result=True)
def drive(cluster: str) -> None:
    """Look after `cluster` from now on."""
    worker().hold(cluster)
    worker().linger()


def _role_task(role: str) -> Any:
    def turn(cluster: str) -> None:
        worker().role_turn(role, cluster)
        worker().linger()

    turn.__doc__ = f"One turn of the {role} of `cluster` (TURNS=tasks)."
    return shared_task(turn, name=f"cluster.tasks.{role}", ignore_result=True)


scheduler, controllers, cloud, kubelets, proxies, addons = (_role_task(role) for role in ROLES)
