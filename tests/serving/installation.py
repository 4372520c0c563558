"""A running installation, as a test sees it: processes to kill, a door to knock at, committed rows to read."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
from django.conf import settings
from django.db import connection

from cluster import inbox

ROOT = Path(__file__).resolve().parent.parent.parent
START_LIMIT = 60.0


def free_port() -> int:
    with contextlib.closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def eventually(true: Callable[[], Any], seconds: float = 20.0, what: str = "") -> Any:
    """Wait for other processes until `true()` is true, and return what it returned. Fails after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        found = true()
        if found:
            return found
        assert time.monotonic() < deadline, f"waited {seconds:g} s in vain for {what or true.__name__}"
        threading.Event().wait(0.005)


class Installation:
    """`python -m dashboard` on the test's home. The database is the test's own, so rows can be read with the models."""

    def __init__(self, **environment: str) -> None:
        self.home = Path(settings.HOME)
        self.port, self.tls_port = free_port(), free_port()
        database = connection.settings_dict["NAME"]
        self.environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "dashboard.settings",
            "ORRERY_HOME": str(self.home),
            "DATABASE_URL": f"sqlite:///{database}",
            "PORT": str(self.port),
            "TLS_PORT": str(self.tls_port),
            **environment,
        }
        self.process: subprocess.Popen[str] | None = None
        self.output: list[str] = []

    # --- start and stop -----------------------------------------------------------------------------------------

    def start(self) -> None:
        inbox.forget_connections()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "dashboard"],
            cwd=ROOT,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        threading.Thread(target=self._listen, args=(self.process,), daemon=True).start()
        eventually(lambda: self.is_ready or not self.is_alive, START_LIMIT, "the installation to start")
        assert self.is_ready, "".join(self.output)

    def _listen(self, process: "subprocess.Popen[str]") -> None:
        assert process.stdout is not None
        for line in process.stdout:
            self.output.append(line)

    @property
    def is_ready(self) -> bool:
        return any("Orrery is running" in line for line in self.output)

    @property
    def is_alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def stop(self) -> int:
        """Ctrl-C, and wait. Returns the exit code."""
        if self.process is None:
            return 0
        if self.is_alive:
            self.process.send_signal(signal.SIGINT)
        code = self.process.wait(30)
        self.output.append("")
        inbox.forget_connections()
        connection.close()
        return code

    # --- processes ----------------------------------------------------------------------------------------------

    def pids(self) -> dict[str, int]:
        return dict(json.loads((self.home / "pids.json").read_text()))

    def kill(self, name: str) -> None:
        """kill -9."""
        os.kill(self.pids()[name], signal.SIGKILL)

    def kill_owner_of(self, cluster: str) -> None:
        """kill -9 whoever holds `cluster`. An owner that has just died is not killed again: its successor is."""

        def killed() -> bool:
            owner = self.owner_of(cluster)
            try:
                self.kill(owner)
            except (KeyError, ProcessLookupError):
                return False
            return True

        eventually(killed, what=f"an owner of {cluster} to kill")

    def owner_of(self, cluster: str) -> str:
        """The process that holds `cluster`: `worker-1`, or "" if nobody does."""
        owner = inbox.bus().redis.get(f"{inbox.PREFIX}own:{cluster}")
        return f"worker-{owner.decode()[3:].split('.')[0]}" if owner and owner.startswith(b"L:") else ""

    def processes(self) -> list[psutil.Process]:
        assert self.process is not None
        root = psutil.Process(self.process.pid)
        return [root, *root.children(recursive=True)]

    # --- requests -----------------------------------------------------------------------------------------------

    def ask(self, request: dict[str, Any], cluster: str = "default", timeout: float = 30.0) -> inbox.Answer:
        return inbox.call_sync(cluster, request, timeout)

    def manage(self, *arguments: str, stdin: str | None = None) -> "subprocess.CompletedProcess[str]":
        """`python manage.py …` in a process of its own."""
        command = [sys.executable, "manage.py", *arguments]
        return subprocess.run(
            command, cwd=ROOT, env=self.environment, capture_output=True, text=True, input=stdin, check=False
        )


def a_config_map(name: str, **data: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": "default"},
        "data": data,
    }


def creation(manifest: dict[str, Any], plural: str, group: str = "api/v1") -> dict[str, Any]:
    """What `kubectl create` would put into the inbox."""
    namespace = manifest["metadata"]["namespace"]
    headers = {"content-type": "application/json", "user-agent": "test"}
    path = f"/{group}/namespaces/{namespace}/{plural}"
    return {
        "type": "api",
        "method": "POST",
        "path": path,
        "query": "",
        "headers": headers,
        "body": json.dumps(manifest),
    }
