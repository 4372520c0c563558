"""A running installation for real clients: processes, ports, a kubeconfig of its own, ten times as fast as the wall."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
START_LIMIT = 60.0
SPEED = "10"  # Times as fast as the wall: rollouts take seconds, not minutes.


class Server:
    """`python -m dashboard`, as `make run` starts it."""

    def __init__(self, home: Path) -> None:
        self.home, self.kubeconfig = home, home / "kubeconfig"
        own = {"ORRERY_HOME": str(home), "PORT": str(_free_port()), "TLS_PORT": str(_free_port()), "WORKERS": "1"}
        inherited = {k: v for k, v in os.environ.items() if k not in ("DATABASE_URL", "REDIS_URL", "KUBECONFIG")}
        self.environment = {
            **inherited, **own, "DJANGO_SETTINGS_MODULE": "dashboard.settings", "HOME": str(home),
            "KUBECONFIG": str(self.kubeconfig), "PYTHONPATH": str(ROOT),
        }  # fmt: skip
        self.output: list[str] = []
        self._ready = threading.Event()

    @property
    def url(self) -> str:
        """The cluster's address, as the kubeconfig names it."""
        config = yaml.safe_load(self.kubeconfig.read_text())
        address: str = config["clusters"][0]["cluster"]["server"]
        return address

    def start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "dashboard"], cwd=ROOT, env=self.environment,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        threading.Thread(target=self._listen, daemon=True).start()
        assert self._ready.wait(START_LIMIT), "".join(self.output)
        assert self.process.poll() is None, "".join(self.output)
        self.manage("clock", "speed", SPEED, "--cluster", "default")

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.output.append(line)
            if "Orrery is running" in line:
                self._ready.set()
        self._ready.set()

    def manage(self, *arguments: str) -> None:
        command = [sys.executable, "manage.py", *arguments]
        subprocess.run(command, cwd=ROOT, env=self.environment, check=True, capture_output=True, text=True)

    def stop(self) -> None:
        self.process.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(30)
        if self.process.poll() is None:
            self.process.kill()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One for all tests of this process: each test works in a namespace of its own."""
    running = Server(tmp_path_factory.mktemp("orrery"))
    running.start()
    yield running
    running.stop()


@pytest.fixture
def kubeconfig(server: Server, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The kubeconfig, also in the environment for clients that look there."""
    monkeypatch.setenv("KUBECONFIG", str(server.kubeconfig))
    monkeypatch.setenv("HOME", str(server.home))
    return server.kubeconfig
