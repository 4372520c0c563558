"""`make run`: broker, Daphne and workers under one roof. Restarts what dies at once, and ends all of it together.

The supervisor imports everything once, freezes what it has, and forks: a worker is there in a third of a second and
shares most of its memory with the others. It must never import Twisted (whose reactor would be shared too) and never
start a thread. While it runs it does two small things: four times a second it looks for clusters that have something
to do and nobody to do it (a worker died, a message was lost), and every second it reads from the database which
clusters have something due, so that a broker may forget everything.

    supervisor ─┬─ valkey-server
                ├─ Daphne            http and https, pages, API, sockets
                ├─ worker …          Celery, one process each
                └─ opening           once: the first cluster and its sample application

Mirrors:  nothing in Kubernetes; systemd's part, if you like.
"""

import contextlib
import gc
import importlib
import json
import os
import select
import signal
import subprocess
import sys
import time
import traceback
import uuid
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import redis
from celery.exceptions import SecurityWarning
from celery.signals import worker_ready
from celery.worker import state as celery_state
from django.conf import settings
from django.db import Error as DatabaseError
from django.db import connection

from cluster import inbox, tasks
from cluster.models import Cluster
from dashboard import broker, opening
from dashboard.celery import app as celery_app

SWEEP_EVERY = 0.25  # Deaths are told at once; this is for messages that were lost.
DUE_EVERY = 1.0
QUICK_DEATH = 2.0  # Seconds: who dies sooner than this is started again a little later, not at once.
BROKER_PATIENCE = 1.0  # Seconds: a broker that hangs must not keep us from ending.
GRACE = 5.0  # Seconds that processes get to end by themselves.
LISTENING = b"L"


@dataclass
class Child:
    """A process of ours. `start` makes it anew; None: it runs once."""

    name: str
    pid: int
    start: Callable[[], "Child"] | None
    worker: str = ""
    born: float = field(default_factory=time.monotonic)


class Supervisor:
    """Owns the children. `run()` returns when everything has ended."""

    def __init__(self, broker_process: "subprocess.Popen[bytes] | None", began: float) -> None:
        self.children: dict[int, Child] = {}
        self._broker = broker_process  # Kept: the destructor of a Popen complains about a living process.
        self._later: list[tuple[float, Callable[[], Child]]] = []
        self._stopping = False
        self._failed = ""
        self._ready: set[str] = set()
        self._wake_read, self._wake_write = os.pipe()
        self._began = began
        if broker_process is not None:
            self._adopt(Child("broker", broker_process.pid, self._start_broker))

    # --- start --------------------------------------------------------------------------------------------------

    def run(self) -> int:
        """Keep everything running until told to stop, then end it. Returns the exit code."""
        self._catch_signals()
        try:
            self._start()
            self._watch()
        except broker.NoBroker as error:
            self._failed = str(error)
        finally:
            self._end()
        if self._failed:
            print(f"orrery: {self._failed}", file=sys.stderr, flush=True)
        return 1 if self._failed else 0

    def _start(self) -> None:
        inbox.forget_connections(BROKER_PATIENCE)
        broker.wait_until_up(settings.REDIS_URL)
        gc.collect()
        gc.freeze()
        for number in range(1, settings.WORKERS + 1):
            self._adopt(self._start_worker(number))
        self._adopt(self._start_daphne())
        self._adopt(self._fork("opening", opening.ensure, None))

    def _catch_signals(self) -> None:
        os.set_blocking(self._wake_write, False)
        os.set_blocking(self._wake_read, False)
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._told_to_stop)

    def _told_to_stop(self, *_: Any) -> None:
        self._stopping = True

    # --- children -----------------------------------------------------------------------------------------------

    def _adopt(self, child: Child) -> None:
        self.children[child.pid] = child
        self._write_pids()

    def _write_pids(self) -> None:
        """For people and tests who want to kill one: name to pid."""
        pids = {child.name: child.pid for child in self.children.values()} | {"supervisor": os.getpid()}
        path = Path(settings.HOME) / "pids.json"
        path.with_suffix(".new").write_text(json.dumps(pids))
        os.replace(path.with_suffix(".new"), path)

    def _start_broker(self) -> Child:
        self._broker = broker.start(settings.REDIS_URL)
        return Child("broker", self._broker.pid, self._start_broker)

    def _start_worker(self, number: int) -> Child:
        name = f"w{number}.{uuid.uuid4().hex[:8]}"
        child = self._fork(f"worker-{number}", lambda: run_worker(name), lambda: self._start_worker(number))
        child.worker = name
        return child

    def _start_daphne(self) -> Child:
        return self._fork("daphne", lambda: run_daphne(self._wake_write), self._start_daphne)

    def _fork(self, name: str, role: Callable[[], None], again: Callable[[], Child] | None) -> Child:
        """A child that runs `role` and ends. It gets Ctrl-C from us only, and dies if we do."""
        connection.close()
        sys.stdout.flush()
        sys.stderr.flush()
        parent = os.getpid()
        pid = os.fork()
        if pid:
            return Child(name, pid, again)
        code = 1
        try:
            self._become(parent)
            role()
            code = 0
        except SystemExit as error:
            code = error.code if isinstance(error.code, int) else 1
            if isinstance(error.code, str):
                print(error.code, file=sys.stderr)
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def _become(self, parent: int) -> None:
        os.setsid()
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        broker.die_with_parent()
        if os.getppid() != parent:
            os._exit(1)
        inbox.forget_connections()

    # --- while it runs ------------------------------------------------------------------------------------------

    def _watch(self) -> None:
        next_due_look = 0.0
        while not self._stopping:
            ready, _, _ = select.select([self._wake_read], [], [], SWEEP_EVERY)
            if ready:
                self._hear(os.read(self._wake_read, 4096))
            self._reap()
            now = time.monotonic()
            for moment, start in self._later[:]:
                if now >= moment:
                    self._later.remove((moment, start))
                    self._adopt(start())
            with contextlib.suppress(redis.RedisError, OSError):
                if now >= next_due_look:
                    next_due_look = now + DUE_EVERY
                    kick_what_is_due()
                    put_log_away()
                inbox.sweep()

    def _hear(self, data: bytes) -> None:
        """Signals and Daphne's "I listen" come through one pipe."""
        if LISTENING in data:
            self._mark("listening")

    def _mark(self, what: str) -> None:
        before = len(self._ready)
        self._ready.add(what)
        if len(self._ready) == 2 and before == 1:
            print(greeting(time.monotonic() - self._began), flush=True)

    def _reap(self) -> None:
        """Bury who died, and start them again."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            child = self.children.pop(pid, None)
            if child is None or self._stopping:
                continue
            if child.name == "opening":
                self._opened(os.waitstatus_to_exitcode(status))
                continue
            self._restart(child, os.waitstatus_to_exitcode(status))

    def _opened(self, code: int) -> None:
        if code == 0:
            self._mark("opened")
        else:
            self._failed, self._stopping = (
                "the first cluster could not be made; what went wrong stands above",
                True,
            )

    def _restart(self, child: Child, code: int) -> None:
        if child.name == "daphne" and "listening" not in self._ready:
            self._failed, self._stopping = "Daphne could not listen; what went wrong stands above", True
            return
        print(f"{child.name} ended ({ending(code)}); starting it again", file=sys.stderr, flush=True)
        if child.worker:
            with contextlib.suppress(redis.RedisError, OSError):
                inbox.bury(child.worker)
        assert child.start is not None
        if time.monotonic() - child.born < QUICK_DEATH and child.name != "broker":
            self._later.append((time.monotonic() + QUICK_DEATH / 4, child.start))
        else:
            self._adopt(child.start())

    # --- the end ------------------------------------------------------------------------------------------------

    def _end(self) -> None:
        """Ask everybody to stop, the broker last; kill who does not."""
        self._stopping = True
        servers = [child for child in self.children.values() if child.name != "broker"]
        self._signal(servers, signal.SIGTERM)
        for child in servers:
            if child.worker:
                with contextlib.suppress(Exception):
                    inbox.bus().redis.rpush(f"{inbox.PREFIX}wake:{child.worker}", "")
        self._wait_for(servers)
        rest = list(self.children.values())
        self._signal(rest, signal.SIGTERM)
        self._wait_for(rest)
        with contextlib.suppress(OSError):
            (Path(settings.HOME) / "pids.json").unlink()

    def _signal(self, children: list[Child], number: int) -> None:
        for child in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child.pid, number)

    def _wait_for(self, children: list[Child]) -> None:
        deadline = time.monotonic() + GRACE
        while any(child.pid in self.children for child in children):
            if time.monotonic() > deadline:
                self._signal([child for child in children if child.pid in self.children], signal.SIGKILL)
                deadline += GRACE
            self._reap()
            select.select([self._wake_read], [], [], 0.02)
            with contextlib.suppress(BlockingIOError):
                os.read(self._wake_read, 4096)


# --- what the children do ---------------------------------------------------------------------------------------


def run_worker(name: str) -> None:
    """A Celery worker with a queue of its own, which starts by lingering."""
    tasks.be_worker(name)
    warnings.simplefilter("ignore", SecurityWarning)  # Root in a container is fine: messages are JSON, from ourselves.
    worker_ready.connect(_stop_quietly)
    gc.set_threshold(50_000, 50, 1_000)  # Worlds are large and rarely cyclic: a seventh of the CPU went here.
    worker = celery_app.Worker(
        hostname=name,
        pool_cls="solo",
        concurrency=1,
        queues=[name],
        quiet=True,
        loglevel="WARNING",
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
    )
    celery_app.send_task("cluster.tasks.linger", queue=name, ignore_result=True)
    worker.start()
    raise SystemExit(worker.exitcode or 0)


def _stop_quietly(**_: Any) -> None:
    """Celery's own handler would announce on the terminal what Ctrl-C means."""
    signal.signal(signal.SIGTERM, lambda *_: setattr(celery_state, "should_stop", 0))


def run_daphne(pipe: int) -> None:
    """The web server; writes into `pipe` when it listens. Twisted is imported here, never in the supervisor."""
    server = importlib.import_module("dashboard.server")
    web = importlib.import_module("dashboard.asgi")
    daphne = server.Server(
        web.application,
        settings.HOST,
        settings.PORT,
        settings.TLS_PORT,
        lambda: os.write(pipe, LISTENING),
        settings.DNS_PORT,
    )
    daphne.run()
    if daphne.failure:
        raise SystemExit(f"orrery: {daphne.failure}")


# --- what the supervisor does beside watching -------------------------------------------------------------------


def kick_what_is_due() -> None:
    """Clusters whose clock runs must have an owner: the broker may have forgotten that they exist."""
    try:
        rows = Cluster.objects.filter(paused=False, asleep=False, stopped="", next_due__isnull=False)
        names = list(rows.values_list("name", flat=True))
    except DatabaseError:
        connection.close()
        return
    owned = inbox.bus().redis.mget([f"{inbox.PREFIX}own:{name}" for name in names]) if names else []
    for name, owner in zip(names, owned, strict=True):
        if owner is None:
            inbox.kick(name)


LARGE_LOG = 16 * 1024 * 1024  # Bytes of SQLite's write-ahead log that are worth carrying away.


def put_log_away() -> None:
    """Carry SQLite's write-ahead log into the database here, so that no world's turn has to stop for it."""
    if connection.vendor != "sqlite":
        return
    log = Path(f"{connection.settings_dict['NAME']}-wal")
    try:
        if log.stat().st_size > LARGE_LOG:
            with connection.cursor() as cursor:
                cursor.execute("PRAGMA wal_checkpoint(PASSIVE)")
    except OSError:
        return
    except DatabaseError:
        connection.close()


def ending(code: int) -> str:
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


def greeting(seconds: float) -> str:
    """What to open and what to type."""
    kubectl, config = Path(sys.executable).parent / "kubectl", Path(settings.HOME) / "kubeconfig"
    prefix = f"/{settings.URL_TOKEN}" if settings.URL_TOKEN else ""
    host = "127.0.0.1" if settings.HOST == "0.0.0.0" else settings.HOST
    lines = [
        f"Orrery is running ({seconds:.1f} s).",
        f"  page      http://{host}:{settings.PORT}{prefix}/",
        f"  kubectl   {short(kubectl)} --kubeconfig {short(config)} get pods -o wide",
        "  stop      Ctrl-C",
    ]
    if settings.DNS_PORT:
        lines.insert(-1, f"  names     dig @127.0.0.1 -p {settings.DNS_PORT} hello.default.svc.cluster.local")
    if settings.URL_TOKEN:
        lines.insert(
            1,
            "  warning   everybody who can reach this machine and knows the address below can do everything",
        )
    return "\n".join(lines)


def short(path: Path) -> str:
    """`path` as one would type it here."""
    with contextlib.suppress(ValueError):
        return str(path.relative_to(Path.cwd()))
    return str(path)
