"""The kernel of one session: its processes, the pipes between them, and who may run.

A *session* is a process that somebody started from outside (exec, or a container's process 1 that can be typed into)
with all its children. State, plain data, is all there is between two calls:

    procs    pid -> {pid, parent, argv, cwd, env, fds, program, local, wait, exit, began}, and root after a chroot
    pipes    number -> what was written and not read yet
    stdin    {data, closed}: what came from outside
    tty      a terminal (see terminal.py), or None
    root     the pid whose end is the session's

    open     number -> [path, position] of an open file, shared by all who inherited it

fds are ["in"] ["out"] ["err"] ["tty"] ["pipe", n, "r" or "w"] ["file", n] ["null"]. A program runs until it raises
Blocked with what it waits for: read fd, line fd, time t, child pid, deadline pid t, gather pid pipe; then it is called
again, and must find in `local` how far it was.

Mirrors:  fork, execve, pipe, waitpid, kill, as far as a shell needs them
Limits:   64 processes a session, 64 KiB in a pipe before its writer waits, 5,000 steps at one instant (reading or
          writing 512 characters is one, and 16 lines are one, too); whoever needs more goes on later, at most once a
          second, so that a loop without a sleep can't stop the world. A command that looks at, or makes, more than
          200,000 lines at once ends.
Read next: shell.py.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from cluster.runtime import noise
from cluster.runtime.live import terminal
from cluster.runtime.live.files import WORK, FileError, Files, Rooted, join, normal
from cluster.runtime.programs.program import Process

MAX_PROCESSES = 64
MAX_OPEN = 1_024  # Open files: those of redirections that are over are forgotten then.
PIPE_SIZE = 64 * 1024
BUG = "orrery: this command has a bug here"
SLICE = 5_000  # Steps at one instant …
DEVICES = ("/dev/zero", "/dev/random", "/dev/urandom")
DEVICE_SIZE, DEVICE_STEPS = 4096, 100  # Characters that a process gets of one at a time, and what that costs.
MAX_LINES, LINES_OF_A_STEP = 200_000, 16
FIRST_PAUSE, LAST_PAUSE = 10_000, 1_000_000  # … then so many microseconds must pass, doubling.
SIGHUP, SIGINT, SIGKILL, SIGPIPE, SIGTERM = 1, 2, 9, 13, 15

SIGNALS = {"EXIT": 0, "HUP": 1, "INT": 2, "QUIT": 3, "KILL": 9, "USR1": 10, "USR2": 12, "TERM": 15}
SHELLS = ("sh", "ash", "bash", "dash")
PATH = ("/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")

Answered = tuple[str, list[tuple[str, str, str]], list[tuple[str, str, str]]]  # Code, records, further records.
Proc = dict[str, Any]
State = dict[str, Any]


class Blocked(Exception):
    """The process waits. `on`: see above."""

    def __init__(self, *on: Any) -> None:
        self.on = list(on)


class Ended(Exception):
    """The process is over."""

    def __init__(self, code: int) -> None:
        self.code = code & 255


@dataclass
class Container:
    """What a session sees of its container. `others`: pid -> argv of what runs there besides; `signal`: to them."""

    process: Process  # Process 1: image, environment, hostname, seed.
    files: Files
    now: int
    next_pid: Callable[[], int]
    signal: Callable[[int, int], bool]
    others: Mapping[int, list[str]] = field(default_factory=dict)
    addresses: list[str] = field(default_factory=list)
    memory: tuple[int, int] = (8 << 30, 1 << 30)  # Bytes of the machine: all of it, and what is used.
    answer: Callable[[int, str], str | None] = lambda port, data: None  # What a port of the pod answers.
    # (pid, address, port, protocol, data) to (fate, what came back, microseconds until then), and a name server: (pid,
    # server, name, type) to its answer.
    dial: Callable[[int, str, int, str, str], tuple[str, str, int]] = lambda *_: ("no route", "", 0)
    query: Callable[[int, str, str, str], Answered | None] = lambda *_: None
    view: Callable[[str], str] | None = None  # A tool's view of the machine's packet rules, for who may look.
    crictl: Callable[[list[str]], tuple[int, str, str]] | None = None  # For who sees the machine's sockets.


class Program(Protocol):
    def __call__(self, kernel: "Kernel", proc: Proc) -> int:
        """Run until the end (its exit code), or raise Blocked."""


class Kernel:
    """Runs a session's state. `programs`: name -> program; `sh` among them."""

    def __init__(
        self, state: State, container: Container, programs: Mapping[str, Program], room: int = 1 << 62
    ) -> None:
        """`room`: how many characters may be printed in this run."""
        self.room = room
        self.state, self.container, self.programs = state, container, programs
        self.procs: dict[str, Proc] = state["procs"]
        self.pipes: dict[str, str] = state["pipes"]
        self.files: Files = container.files  # As the process sees them that runs.
        self.now = container.now
        self.output: list[tuple[int, str]] = []  # (1 or 2, text) written in this run.
        self.steps = self.said = self.lines = 0
        self.fed = False
        self.throttled = False  # Did a process have to stop because it printed too much?
        self.ran: set[str] = set()  # Programs that had a turn, and what else makes a run unlike the next.

    # --- running --------------------------------------------------------------------------------------------

    def run(self) -> int | None:
        """Let everybody run who can. When to be called again if nothing comes from outside; None: not at all."""
        self.steps, progress = 0, True
        while progress and self.exit_code is None:
            progress = False
            for pid in sorted(self.procs, key=int):
                proc = self.procs.get(pid)
                if proc is None or proc["exit"] is not None or not self._may_run(proc):
                    continue
                progress = True
                self._run(proc)
                if self.exit_code is not None:
                    return None
                if self.spent > SLICE:
                    return self._pause()
        self.state["pause"] = 0
        waits = [p["wait"] for p in self.procs.values() if p["exit"] is None]
        times = [wait[-1] for wait in waits if wait[:1] in (["time"], ["deadline"])]
        return min(times, default=None) if self.exit_code is None else None

    @property
    def spent(self) -> int:
        """Steps at this instant, all told."""
        return self.steps + self.lines // LINES_OF_A_STEP + self.container.files.work

    def look_at(self, lines: int) -> None:
        """The process that runs looks at, or makes, so many lines at once. Errors: FileError if they are too many."""
        self.lines += lines
        if self.lines > MAX_LINES:
            raise FileError(f"orrery: more than {MAX_LINES} lines at one instant are not modelled")

    def _pause(self) -> int:
        """Somebody computes and computes."""
        self.state["pause"] = min(max(self.state.get("pause", 0) * 2, FIRST_PAUSE), LAST_PAUSE)
        return self.now + int(self.state["pause"])

    @property
    def exit_code(self) -> int | None:
        """How the session ended; None: it has not."""
        root = self.procs.get(str(self.state["root"]))
        return None if root is None else root["exit"]

    def _run(self, proc: Proc) -> None:
        proc["wait"] = []
        self.steps += 1 + self.lines // LINES_OF_A_STEP
        self.fed = False  # Has it read from a device without an end?
        self.lines = 0  # That this process has looked at, or made, at this instant.
        self.files = self.files_of(proc)
        self.ran.add(proc["program"])
        try:
            program = self.programs[proc["program"]]
            self.ended(proc, program(self, proc))
        except Blocked as blocked:
            proc["wait"] = blocked.on
        except Ended as end:
            self.ended(proc, end.code)
        except FileError as error:
            self._complain(proc, str(error))
            self.ended(proc, 1)
        except Exception as error:  # Ours, in one command: the world must not end of it.
            self._complain(proc, f"{BUG}: {type(error).__name__}")
            self.ended(proc, 70)

    def files_of(self, proc: Proc) -> Files:
        """The container's files, as far as a process can see them."""
        return Rooted(self.container.files, proc["root"]) if proc.get("root") else self.container.files

    def change_root(self, proc: Proc, path: str) -> None:
        """`path` of its files is the root of a process, and of all that it starts, from now on."""
        proc["root"], proc["cwd"] = self.files_of(proc).outside(path), "/"
        self.files = self.files_of(proc)

    def _complain(self, proc: Proc, text: str) -> None:
        if proc["fds"].get("2", ["null"])[0] in ("out", "err", "tty"):
            self.write(proc, 2, f"{proc['argv'][0]}: {text}\n")

    def ended(self, proc: Proc, code: int) -> None:
        """`proc` is a zombie now; its children belong to nobody, and go with it if it was the first."""
        if proc["exit"] is not None:
            return
        proc["exit"], proc["fds"], proc["local"], proc["wait"] = code, {}, {}, []
        for other in list(self.procs.values()):
            if other["parent"] == proc["pid"]:
                other["parent"] = 0
                if other["exit"] is not None:
                    del self.procs[str(other["pid"])]
        if proc["parent"] == 0 and proc["pid"] != self.state["root"]:
            self.procs.pop(str(proc["pid"]), None)

    def _may_run(self, proc: Proc) -> bool:
        wait = proc["wait"]
        if any(fd[0] == "pipe" and fd[2] == "w" and len(self.pipes[fd[1]]) > PIPE_SIZE for fd in proc["fds"].values()):
            return not self._has_reader(proc)  # It will hear of that when it writes.
        if self.said >= self.room and self._writes_out(proc):
            self.throttled = True
            return False  # Whoever looks at the output has to catch up first.
        if not wait:
            return True
        kind = wait[0]
        if kind == "time":
            return self.now >= int(wait[1])
        if kind in ("child", "deadline", "gather"):
            child = self.procs.get(str(wait[1]))
            if kind == "deadline" and self.now >= int(wait[2]):
                return True
            return child is None or child["exit"] is not None or (kind == "gather" and bool(self.pipes[wait[2]]))
        data, over = self.peek(proc, wait[1])
        return over or ("\n" in data if kind == "line" else bool(data))

    def _has_reader(self, proc: Proc) -> bool:
        return all(
            any(other[:2] == fd[:2] and other[2] == "r" for p in self.procs.values() for other in p["fds"].values())
            for fd in proc["fds"].values()
            if fd[0] == "pipe" and fd[2] == "w"
        )

    @staticmethod
    def _writes_out(proc: Proc) -> bool:
        return any(fd[0] in ("out", "err", "tty") for name, fd in proc["fds"].items() if name in ("1", "2"))

    # --- processes ------------------------------------------------------------------------------------------

    def spawn(self, parent: int, argv: list[str], program: str, env: dict[str, str], cwd: str, fds: Any) -> Proc:
        """A new process. Errors: FileError if there are too many."""
        if len(self.procs) >= MAX_PROCESSES:
            for old in [p for p in self.procs.values() if p.get("background") and p["exit"] is not None]:
                del self.procs[str(old["pid"])]
        if len(self.procs) >= MAX_PROCESSES:
            raise FileError("can't fork: Resource temporarily unavailable")
        pid = self.container.next_pid()
        proc: Proc = {"pid": pid, "parent": parent, "argv": argv, "program": program, "env": env, "cwd": cwd}
        proc |= {"fds": dict(fds), "local": {}, "wait": [], "exit": None, "began": self.now}
        if root := self.procs.get(str(parent), {}).get("root"):
            proc["root"] = root
        if self.procs.get(str(parent), {}).get("background"):
            proc["background"] = True  # ^C does not reach it.
        self.procs[str(pid)] = proc
        return proc

    def reap(self, parent: int, pid: int) -> int | None:
        """The exit code of a child that has ended, which is forgotten then; None: it has not."""
        proc = self.procs.get(str(pid))
        if proc is None or proc["parent"] != parent:
            return 127
        if proc["exit"] is None:
            return None
        del self.procs[str(pid)]
        return int(proc["exit"])

    def kill(self, pid: int, signal: int) -> bool:
        """Send a signal. False: there is no such process."""
        proc = self.procs.get(str(pid))
        if proc is None or proc["exit"] is not None:
            return self.container.signal(pid, signal)
        if signal == 0:
            return True
        traps = proc["local"].get("traps", {}) if proc["program"] == "sh" else {}
        if signal != SIGKILL and str(signal) in traps:
            proc["local"].setdefault("signals", []).append(signal)
            proc["wait"] = [] if proc["wait"][:1] != ["child"] else proc["wait"]
        elif signal == SIGKILL or not (proc["local"].get("interactive") and signal in (SIGINT, SIGTERM)):
            if signal != SIGKILL and pid == 1:
                return True  # The kernel gives process 1 no default handlers.
            self.ended(proc, 128 + signal)
        return True

    def interrupt(self) -> None:
        """^C: the foreground gets SIGINT; an interactive shell gives up what it does."""
        for proc in list(self.procs.values()):
            if proc["exit"] is not None:
                continue
            if proc["local"].get("interactive"):
                proc["local"]["interrupted"], proc["wait"] = True, []
            elif not proc.get("background"):
                self.kill(proc["pid"], SIGINT)

    # --- descriptors ----------------------------------------------------------------------------------------

    def peek(self, proc: Proc, fd: int) -> tuple[str, bool]:
        """(what can be read now, is that the end?)"""
        place = proc["fds"].get(str(fd), ["null"])
        kind = place[0]
        if kind == "in":
            return self.state["stdin"]["data"], self.state["stdin"]["closed"]
        if kind == "tty":
            tty = self.state["tty"]
            return tty["ready"], bool(tty["ends"])
        if kind == "pipe":
            written_by = (other for p in self.procs.values() if p["exit"] is None for other in p["fds"].values())
            return self.pipes[place[1]], not any(other == ["pipe", place[1], "w"] for other in written_by)
        if kind == "file":
            path, position = self.state["open"][place[1]]
            if path in DEVICES:
                return self._device(path, position), False
            return self.container.files.read(path)[position:], True
        return "", True

    def _device(self, path: str, position: int) -> str:
        """What /dev/zero and its kin give now; whoever wants more comes again, when others have had their turn."""
        if path == "/dev/zero":
            return "\0" * DEVICE_SIZE
        seed = self.container.process.seed
        self.ran.add("$RANDOM")
        drawn = (noise.mix(seed, self.now, position, n) for n in range(DEVICE_SIZE // 8))
        return "".join(chr(one >> 8 * n & 255) for one in drawn for n in range(8))

    def consume(self, proc: Proc, fd: int, count: int) -> None:
        """`count` characters of what `peek` showed have been read; 0: the end was."""
        place = proc["fds"].get(str(fd), ["null"])
        kind = place[0]
        if kind == "in":
            self.state["stdin"]["data"] = self.state["stdin"]["data"][count:]
        elif kind == "tty":
            tty = self.state["tty"]
            tty["ready"] = tty["ready"][count:]
            if not count:
                tty["ends"] = 0
        elif kind == "pipe":
            self.pipes[place[1]] = self.pipes[place[1]][count:]
        elif kind == "file":
            path, position = self.state["open"][place[1]]
            self.state["open"][place[1]] = [path, position + count]

    def read(self, proc: Proc, fd: int = 0) -> str:
        """Whatever is there, at least a character; "" at the end. Errors: Blocked."""
        if self.fed and proc["fds"].get(str(fd), ["null"])[0] == "file":
            raise Blocked()
        data, over = self.peek(proc, fd)
        if not data and not over:
            raise Blocked("read", fd)
        self.fed = bool(data) and not over and proc["fds"][str(fd)][0] == "file"
        self.steps += DEVICE_STEPS if self.fed else 0
        self.consume(proc, fd, len(data))
        self.steps += len(data) // WORK
        return data

    def read_line(self, proc: Proc, fd: int = 0) -> str:
        """A line with its end, or the rest; "" at the end. Errors: Blocked."""
        data, over = self.peek(proc, fd)
        at = data.find("\n") + 1
        if not at and not over:
            raise Blocked("line", fd)
        line = data[:at] if at else data
        self.consume(proc, fd, len(line))
        return line

    def write(self, proc: Proc, fd: int, text: str) -> None:
        """Errors: FileError, Ended (nobody reads the pipe any more)."""
        place = proc["fds"].get(str(fd), ["null"])
        kind = place[0]
        if kind in ("out", "err"):
            self.say(1 if kind == "out" else 2, text)
        elif kind == "tty":
            self.say(1, terminal.shown(text))
        elif kind == "pipe":
            if not any(["pipe", place[1], "r"] in p["fds"].values() for p in self.procs.values()):
                raise Ended(128 + SIGPIPE)
            self.pipes[place[1]] += text
        elif kind == "file":
            self.container.files.write(self.state["open"][place[1]][0], text, append=True)
        else:
            self.steps += len(text) // WORK  # Nobody wants it, but it was made.

    def say(self, channel: int, text: str) -> None:
        """Output that leaves the session."""
        if not text:
            return
        self.said += len(text)
        self.steps += len(text) // WORK
        if self.output and self.output[-1][0] == channel:
            self.output[-1] = (channel, self.output[-1][1] + text)
        else:
            self.output.append((channel, text))

    def open(self, path: str) -> list[Any]:
        """A descriptor of a file of the process that runs, at its beginning."""
        table = self.state["open"]
        if len(table) >= MAX_OPEN:
            used = {fd[1] for p in self.procs.values() for fd in p["fds"].values() if fd[0] == "file"}
            for old in [name for name in table if name not in used][: MAX_OPEN // 2]:
                del table[old]
        self.state["next_open"] = number = self.state.get("next_open", 0) + 1
        table[str(number)] = [self.files.outside(path), 0]
        return ["file", str(number)]

    def pipe(self) -> str:
        """A new pipe's number."""
        self.state["next_pipe"] = number = self.state.get("next_pipe", 0) + 1
        used = {fd[1] for p in self.procs.values() for fd in p["fds"].values() if fd[0] == "pipe"}
        for old in [name for name in self.pipes if name not in used]:
            del self.pipes[old]
        self.pipes[str(number)] = ""
        return str(number)


def find_program(kernel: Kernel, name: str, cwd: str) -> tuple[str, list[str]] | int:
    """(program, the first words of its argv) for a command's name, or 127 or 126 if there is none.

    An image has what its root file system shows: there is no bash in busybox's. A file with content is a script.
    """
    if not name:
        return 127
    if "/" in name:
        path = normal(join(cwd, name))
    else:
        path = next((f"{place}/{name}" for place in PATH if kernel.files.stat(f"{place}/{name}") is not None), "")
    entry = kernel.files.stat(path) if path else None
    if entry is None:
        return 127
    if entry.kind == "d" or not entry.mode & 0o111:
        return 126
    if entry.content:
        return "sh", ["sh", path]
    base = path.rpartition("/")[2]
    if base in SHELLS:
        return "sh", [name]
    return (base, [name]) if base in kernel.programs else 126


def signal_number(text: str) -> int | None:
    """
    >>> signal_number("TERM"), signal_number("SIGINT"), signal_number("9"), signal_number("x")
    (15, 2, 9, None)
    """
    if text.isdigit():
        return int(text[:3])
    return SIGNALS.get(text.upper().removeprefix("SIG"))


def opened(tty: bool, closed: bool) -> State:
    """The state of a session before its first process. `closed`: nothing will ever be typed."""
    stdin = {"data": "", "closed": closed}
    return {"procs": {}, "pipes": {}, "stdin": stdin, "open": {}, "root": 0} | {
        "tty": terminal.opened() if tty else None
    }


def standard_fds(tty: bool, stdin: bool) -> dict[str, list[Any]]:
    """Descriptors 0, 1 and 2 of a session's first process."""
    if tty:
        return {"0": ["tty"] if stdin else ["null"], "1": ["tty"], "2": ["tty"]}
    return {"0": ["in"] if stdin else ["null"], "1": ["out"], "2": ["err"]}
