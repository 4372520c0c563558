"""What browser tests stand on: a whole Orrery in a home of its own, and a real Chromium looking at it.

The page forbids `eval`, which Playwright's `wait_for_function` needs; so we ask again and again.
"""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

ROOT = Path(__file__).resolve().parents[2]
KUBECTL = Path(sys.executable).parent / "kubectl"
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking")
PATIENCE = 30.0


def eventually(true: Callable[[], Any], what: str, seconds: float = PATIENCE) -> Any:
    """Ask until the answer is true, and return it."""
    deadline = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < deadline, f"waited {seconds:g} s in vain for {what}"
        threading.Event().wait(0.05)
    return found


def free_port() -> int:
    with contextlib.closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Orrery:
    """`make run`'s processes on free ports."""

    def __init__(self, **environment: str) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="orrery-browser-"))
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.output = self.home / "output"
        own = {"ORRERY_HOME": str(self.home), "PORT": str(self.port), "TLS_PORT": str(free_port())}
        foreign = ("DATABASE_URL", "REDIS_URL", "ORRERY_TEST_HOME")
        inherited = {key: value for key, value in os.environ.items() if key not in foreign}
        self.environment = {**inherited, "DJANGO_SETTINGS_MODULE": "dashboard.settings", **own, **environment}
        with self.output.open("w") as output:
            command = [sys.executable, "-m", "dashboard"]
            self.process = subprocess.Popen(
                command, cwd=ROOT, env=self.environment, stdout=output, stderr=subprocess.STDOUT
            )
        eventually(self._is_ready, f"Orrery to start; it said:\n{self.output.read_text()}", 60)

    def _is_ready(self) -> bool:
        assert self.process.poll() is None, self.output.read_text()
        return "Orrery is running" in self.output.read_text()

    def kubectl(self, *arguments: str, text: str | None = None) -> str:
        """The real kubectl. Errors: AssertionError with what it said."""
        command = [str(KUBECTL), "--kubeconfig", str(self.home / "kubeconfig"), *arguments]
        done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def pods(self, app: str) -> list[dict[str, Any]]:
        return list(json.loads(self.kubectl("get", "pods", "-l", f"app={app}", "-o", "json"))["items"])

    def manage(self, *arguments: str) -> str:
        command = [sys.executable, "manage.py", *arguments]
        done = subprocess.run(command, cwd=ROOT, env=self.environment, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def stop(self) -> None:
        self.process.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(20)
        self.process.kill()
        shutil.rmtree(self.home, ignore_errors=True)


class Sight:
    """One tab. Whatever the console complains about is kept in `complaints`."""

    def __init__(self, browser: Browser, width: int = 1280, height: int = 720, **options: Any) -> None:
        view = {"width": width, "height": height}
        self.context = browser.new_context(viewport=view, **options)  # type: ignore[arg-type]
        self.page: Page = self.context.new_page()
        self.complaints: list[str] = []
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def open(self, url: str) -> "Sight":
        self.page.goto(url)
        return self.painted()

    def painted(self, seq: int = 0) -> "Sight":
        """Until frame `seq`, or any, is on the screen, and the fonts are there."""
        self.until(f"window.__orrery && window.__orrery.paintedSeq > {seq}", "the first frame")
        self.page.evaluate("document.fonts.ready.then(() => true)")
        return self

    def until(self, expression: str, what: str, seconds: float = PATIENCE) -> Any:
        return eventually(lambda: self.page.evaluate(expression), what, seconds)

    def state(self) -> dict[str, Any]:
        return dict(self.page.evaluate("window.__orrery.state()"))

    def pods(self, prefix: str) -> list[dict[str, Any]]:
        return [pod for pod in self.state()["pods"] if pod["k"].startswith(prefix)]

    def close(self) -> None:
        self.context.close()


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    path = next(p for p in ("/usr/bin/chromium", "/usr/bin/chromium-browser") if Path(p).exists())
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        yield browser
        browser.close()
