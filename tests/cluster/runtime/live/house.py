"""A container for tests of what lives in it: start a process, type, let time pass, read what it printed."""

from collections.abc import Callable
from typing import Any

import orjson

from cluster.runtime.images import resolve
from cluster.runtime.live import kernel, terminal
from cluster.runtime.live.files import Disk, Files, Mount
from cluster.runtime.live.kernel import Container, Kernel
from cluster.runtime.live.programs import PROGRAMS
from cluster.runtime.live.roots import root_of
from cluster.runtime.programs.program import Process

SECOND = 1_000_000
ROOM = 256 * 1024  # Characters that may be printed at one instant, as in a session.


class House:
    """One container and one session at a time. The state goes through JSON before every step, as cells do."""

    def __init__(self, image: str = "busybox:1.36", mounts: list[Mount] | None = None) -> None:
        self.image, self.mounts = image, mounts or []
        self.now, self.disks, self.pid = 10 * SECOND, dict[str, Disk](), 6
        self.state: dict[str, Any] = {}
        self.said: list[tuple[int, str]] = []
        self.wake: int | None = None
        self.code: int | None = None
        self.signals: list[tuple[int, int]] = []
        self.answer: Callable[[int, str], str | None] = lambda port, data: None

    def _kernel(self) -> Kernel:
        self.state = orjson.loads(orjson.dumps(self.state))
        files = Files(root_of(resolve(self.image)), self.disks, "own", self.mounts, self.now)
        process = Process(self.image, ("sleep", "9"), {}, seed=7, hostname="pod-1")
        return Kernel(
            self.state,
            Container(process, files, self.now, self._next_pid, self._signal, {1: ["sleep", "9"]}, answer=self.answer),
            PROGRAMS,
            room=ROOM,
        )

    def _next_pid(self) -> int:
        self.pid += 1
        return self.pid

    def _signal(self, pid: int, signal: int) -> bool:
        self.signals.append((pid, signal))
        return pid == 1

    def start(self, *argv: str, tty: bool = False, stdin: bool = False) -> "House":
        self.state, self.said, self.code = kernel.opened(tty, not stdin), [], None
        shell = self._kernel()
        found = kernel.find_program(shell, argv[0], "/")
        assert not isinstance(found, int), f"{argv[0]}: {found}"
        env = {"PATH": "/bin", "HOME": "/root", "HOSTNAME": "pod-1"}
        proc = shell.spawn(0, [*found[1], *argv[1:]], found[0], env, "/", kernel.standard_fds(tty, stdin))
        self.state["root"] = proc["pid"]
        return self.go_on()

    def go_on(self) -> "House":
        if self.code is None:
            shell = self._kernel()
            self.wake = shell.run()
            self.said += shell.output
            self.code = shell.exit_code
        return self

    def type(self, text: str) -> "House":
        if self.state["tty"] is None:
            self.state["stdin"]["data"] += text
            return self.go_on()
        screen, interrupted = terminal.typed(self.state["tty"], text)
        self.said.append((1, screen))
        if interrupted:
            self._kernel().interrupt()
        return self.go_on()

    def end_of_input(self) -> "House":
        self.state["stdin"]["closed"] = True
        return self.go_on()

    def pass_time(self, steps: int = 50) -> "House":
        """Until it ends, or waits for something else than time."""
        while self.code is None and self.wake is not None and steps:
            self.now, steps = self.wake, steps - 1
            self.go_on()
        return self

    @property
    def output(self) -> str:
        return "".join(text for channel, text in self.said if channel == 1)

    @property
    def errors(self) -> str:
        return "".join(text for channel, text in self.said if channel == 2)


def script(text: str, image: str = "busybox:1.36", **more: Any) -> House:
    """`sh -c text`, run to its end."""
    return House(image, **more).start("sh", "-c", text).pass_time()
