"""An installation to measure: started as `make run` starts it, on a home and ports of its own, asked over http."""

import http.client
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
from django.core.management import call_command
from django.db import connections

ROOT = Path(__file__).resolve().parent.parent


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def report(what: str, figure: float, unit: str, aim: str) -> None:
    """One line: the figure, its aim, and how busy the machine was."""
    print(f"{what:<58} {figure:>10.2f} {unit:<10} aim {aim:<22} load {os.getloadavg()[0]:.2f}", flush=True)


def percentile(values: list[float], per_cent: float) -> float:
    return statistics.quantiles(values, n=100, method="inclusive")[int(per_cent) - 1]


class Rig:
    """Start, ask, stop. Used as a context manager."""

    def __init__(self, **environment: str) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="orrery-bench-"))
        self.port = free_port()
        own = {"ORRERY_HOME": str(self.home), "PORT": str(self.port), "TLS_PORT": str(free_port())}
        self.environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "dashboard.settings", **own, **environment}

    def __enter__(self) -> "Rig":
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "dashboard"],
            cwd=ROOT,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert self.process.stdout is not None
        said = []
        for line in self.process.stdout:
            said.append(line)
            if "Orrery is running" in line:
                break
        else:
            raise RuntimeError("the installation did not start:\n" + "".join(said))
        return self

    def __exit__(self, *_: object) -> None:
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
        shutil.rmtree(self.home, ignore_errors=True)

    def processes(self) -> list[psutil.Process]:
        root = psutil.Process(self.process.pid)
        return [root, *root.children(recursive=True)]

    def cpu_seconds(self) -> float:
        return sum(p.cpu_times().user + p.cpu_times().system for p in self.processes())

    def memory(self) -> float:
        """Megabytes of all processes; pages that they share are counted once (PSS)."""
        total = 0
        for process in self.processes():
            text = Path(f"/proc/{process.pid}/smaps_rollup").read_text()
            total += next(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:"))
        return total / 1024

    def door(self, cluster: str = "default") -> "Door":
        return Door(self.port, f"/clusters/{cluster}")

    def manage(self, *arguments: str) -> Any:
        """`manage.py … --json`."""
        command = [sys.executable, "manage.py", *arguments, "--json"]
        done = subprocess.run(command, cwd=ROOT, env=self.environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(done.stderr or done.stdout)
        return json.loads(done.stdout) if done.stdout.strip() else None


class Door:
    """One kept-alive connection to one cluster's API."""

    def __init__(self, port: int, prefix: str) -> None:
        self.prefix, self.port = prefix, port
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)

    def ask(self, method: str, path: str, body: Any = None, content_type: str = "application/json") -> Any:
        """The decoded answer. Errors: RuntimeError for a refusal."""
        data = json.dumps(body).encode() if body is not None else None
        headers = {"Content-Type": content_type} if data else {}
        self.connection.request(method, self.prefix + path, data, headers)
        answer = self.connection.getresponse()
        text = answer.read()
        if answer.status >= 300:
            raise RuntimeError(f"{method} {path}: {answer.status} {text[:300]!r}")
        return json.loads(text) if text[:1] in (b"{", b"[") else text.decode()

    def raw(self, method: str, path: str) -> bytes:
        """An answer's bytes as they come."""
        self.connection.request(method, self.prefix + path)
        return self.connection.getresponse().read()

    def timed(self, method: str, path: str, body: Any = None, content_type: str = "application/json") -> float:
        """Milliseconds until the answer was read."""
        begin = time.perf_counter()
        self.ask(method, path, body, content_type)
        return (time.perf_counter() - begin) * 1000

    def wait(self, path: str, true: Any, seconds: float = 120) -> Any:
        deadline = time.monotonic() + seconds
        while True:
            found = self.ask("GET", path)
            if true(found):
                return found
            if time.monotonic() > deadline:
                raise RuntimeError(f"waited {seconds} s in vain for {path}")
            time.sleep(0.05)


MERGE = "application/merge-patch+json"


def deployment(name: str, replicas: int) -> dict[str, Any]:
    container = {"name": "app", "image": "nginx:1.27", "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}}}
    template = {"metadata": {"labels": {"app": name}}, "spec": {"containers": [container]}}
    spec = {"replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec}


def pod(name: str) -> dict[str, Any]:
    spec = {"containers": [{"name": "app", "image": "nginx:1.27"}]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}


@contextmanager
def own_database() -> Iterator[None]:
    """An empty SQLite database for this process, in place of the installation's. Nothing may have been asked before."""
    connection = connections["default"]
    if connection.vendor != "sqlite":
        raise RuntimeError("this bench makes a SQLite database of its own: unset DATABASE_URL")
    with tempfile.TemporaryDirectory(prefix="orrery-bench-") as home:
        connection.close()
        before = connection.settings_dict["NAME"]
        connection.settings_dict["NAME"] = str(Path(home) / "bench.sqlite3")
        call_command("migrate", verbosity=0)
        try:
            yield
        finally:
            connection.close()
            connection.settings_dict["NAME"] = before
