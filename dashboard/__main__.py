"""`python -m dashboard`, which is `make run`: what must happen before, and beside, the long imports.

The lock, the ports and the broker come first, since they need next to nothing; while the broker starts, everything
else is imported, the database is brought up to date, and the supervisor takes over.
"""

import fcntl
import hashlib
import importlib
import os
import sys
import time
from pathlib import Path
from typing import Any

BEGAN = time.monotonic()
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dashboard.settings")


class Unable(Exception):
    """We can't start. The message is one line that says why, and what would help."""


def main() -> int:
    try:
        settings = importlib.import_module("dashboard.settings")  # A bad PORT is found while it is read.
    except ValueError as error:
        raise Unable(str(error)) from error
    lock = take_lock(settings.HOME)
    check_ports(settings)
    broker = importlib.import_module("dashboard.broker")
    process = None
    if settings.EMBEDDED_REDIS:
        try:
            process = broker.start(settings.REDIS_URL)
        except broker.NoBroker as error:
            raise Unable(str(error)) from error
    try:
        code = supervise(settings, process)
    finally:
        if process is not None:
            process.kill()
        lock.close()
    return code


def supervise(settings: Any, process: Any) -> int:
    """The long imports, the database, and then the supervisor for as long as it lasts."""
    importlib.import_module("django").setup()
    prepare(settings)
    supervisor = importlib.import_module("dashboard.supervisor")
    importlib.import_module("dashboard.asgi")  # What Daphne needs too, and Twisted is not in it: shared by the fork.
    importlib.import_module("dashboard.tls").write_kubeconfig()
    return int(supervisor.Supervisor(process, BEGAN).run())


def prepare(settings: Any) -> None:
    """Migrate and collect static files, unless nothing has changed since the last time."""
    call_command = importlib.import_module("django.core.management").call_command
    root = settings.BASE_DIR
    schema = fingerprint([root / "cluster" / "migrations"], str(settings.DATABASES["default"]["NAME"]))
    if not is_current(settings.HOME / "migrated", schema) or not database_exists(settings):
        call_command("migrate", verbosity=0)
        (settings.HOME / "migrated").write_text(schema)
    files = fingerprint([root / "static"], str(root))
    if not is_current(settings.HOME / "collected", files):
        call_command("collectstatic", verbosity=0, interactive=False, clear=True)
        (settings.HOME / "collected").write_text(files)
    importlib.import_module("django.db").connections.close_all()  # No connection may cross the fork.


def database_exists(settings: Any) -> bool:
    database = settings.DATABASES["default"]
    return "sqlite3" in database["ENGINE"] and Path(database["NAME"]).exists()


def fingerprint(places: list[Path], extra: str) -> str:
    """One line that changes when a file below `places` does."""
    total = hashlib.sha256(extra.encode())
    for place in places:
        for path in sorted(place.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                status = path.stat()
                total.update(f"{path} {status.st_size} {status.st_mtime_ns}\n".encode())
    return total.hexdigest()


def is_current(stamp: Path, value: str) -> bool:
    return stamp.exists() and stamp.read_text() == value


def take_lock(home: Path) -> Any:
    """One supervisor a home. The lock goes with its process, however that ends."""
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    file = open(home / "supervisor.lock", "a+")  # noqa: SIM115  It stays open as long as we live.
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.seek(0)
        raise Unable(f"Orrery runs already in {home} (pid {file.read().strip() or 'unknown'})") from None
    file.truncate(0)
    file.write(str(os.getpid()))
    file.flush()
    return file


def check_ports(settings: Any) -> None:
    ports = importlib.import_module("dashboard.ports")
    for name, port in (("PORT", settings.PORT), ("TLS_PORT", settings.TLS_PORT)):
        if not ports.is_free(settings.HOST, port):
            other = f"`make run {name}={port + 1}`"
            raise Unable(f"port {port} is taken by {ports.holder(port)}; stop it, or choose another: {other}")


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Unable as problem:
        sys.exit(f"orrery: {problem}")
    except KeyboardInterrupt:
        sys.exit(130)
