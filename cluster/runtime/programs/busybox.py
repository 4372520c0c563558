"""busybox: a shell and its small commands; also what alpine, debian and bash images run here.

`sleep 5; exit 3` ends after five seconds with code 3. A script without a `trap` ignores SIGTERM, since the
kernel gives process 1 no default handlers: such a pod takes its whole grace period to die, as it would in
real life.

Mirrors:  busybox 1.37 as a container's process 1
Read next: syntax.py, shell.py, applets.py.
"""

from collections.abc import Iterator
from functools import lru_cache

from cluster.runtime import noise
from cluster.runtime.programs.applets import APPLETS
from cluster.runtime.programs.program import (
    MIB,
    MILLISECOND,
    SECOND,
    Exit,
    Line,
    Process,
    Program,
    Usage,
    ended,
)
from cluster.runtime.programs.shell import Breaks, Continues, Exits, Horizon, Returns, RunsForever, Shell, TooMuch
from cluster.runtime.programs.syntax import Node, ShellSyntaxError, parse, words_of

SHELLS = ("sh", "ash", "bash", "dash")
PATIENCE = 3600 * SECOND  # No grace period is longer than what a test of a trap looks ahead.
START_UP = 3 * MILLISECOND


class Busybox(Program):
    cpu, cpu_per_request, memory = 0, 0.0, 1 * MIB

    def exit(self) -> Exit | None:
        if (killed := super().exit()) is not None:
            return killed
        process = self.process
        found = _end(process.argv, tuple(sorted(process.env.items())), process.hostname, process.seed)
        if found is None:
            return None
        after, code, message = found
        return ended(self.process.started + after, code, message)

    def after_sigterm(self, at: int) -> Exit | None:
        """Only a script with a trap hears it."""
        if "trap" not in " ".join(self.process.argv):
            return None
        process = self.process
        stopped = Process(
            process.image, process.argv, process.env, process.seed, process.started, at,
            process.memory_limit, process.hostname, process.epoch,
        )  # fmt: skip
        end = _run_out(_shell(stopped, seek=at, until=at + PATIENCE), process.argv)
        return ended(end[0], end[1], end[2]) if end is not None else None

    def lines(self, start: int, end: int) -> Iterator[Line]:
        shell = _shell(self.process, seek=start, until=end)
        try:
            for line in _output(shell, self.process.argv):
                if line.at >= end:
                    return
                if line.at >= start:
                    yield line
        except (Exits, Horizon, RunsForever):
            return

    def usage(self, at: int, requests_per_second: float = 0.0) -> Usage:
        script = " ".join(self.process.argv)
        busy = "while" in script and "sleep" not in script and "wait" not in script
        usual = super().usage(at)
        return Usage(940 + noise.mix(self.process.seed, at // SECOND) % 60, usual.memory_bytes) if busy else usual


def _shell(process: Process, seek: int, until: int | None) -> Shell:
    shell = Shell(process, APPLETS, seek=seek, until=until)
    shell.now = process.started + START_UP
    return shell


def _output(shell: Shell, argv: tuple[str, ...]) -> Iterator[Line]:
    """Everything that `argv` prints. Ends by an exception, or by coming to the end of the script."""
    try:
        tree, shell.positional = _program(argv)
        yield from shell.run(tree)
    except (ShellSyntaxError, TooMuch) as error:
        shell.status = 2
        yield shell.say(f"sh: {error}", "stderr")
    except (Breaks, Continues, Returns):
        return


def _program(argv: tuple[str, ...]) -> tuple[Node, list[str]]:
    """The tree that `argv` stands for, and its $0 $1 …; a shell without a script has no input and ends."""
    name = argv[0].rpartition("/")[2] if argv else "sh"
    if name not in SHELLS:
        return words_of(argv), []
    options = list(argv[1:])
    strict = False
    while options and options[0].startswith(("-", "+")) and "c" not in options[0]:
        strict = strict or "e" in options.pop(0)
    if not options or "c" not in options[0] or len(options) < 2:
        return parse(""), []
    strict = strict or "e" in options[0]
    return parse(("set -e\n" if strict else "") + options[1]), options[2:] or [name]


def _run_out(shell: Shell, argv: tuple[str, ...]) -> tuple[int, int, str] | None:
    """Run to the end: (when, code, termination message); None if there is none."""
    try:
        for _ in _output(shell, argv):
            pass
    except Exits as end:
        shell.status = end.code
    except (Horizon, RunsForever):
        return None
    return shell.now, shell.status, shell.files.get("/dev/termination-log", "").rstrip("\n")


@lru_cache(maxsize=4096)
def _end(
    argv: tuple[str, ...], env: tuple[tuple[str, str], ...], hostname: str, seed: int
) -> tuple[int, int, str] | None:
    """How long a command takes, its code, its last words. Replicas differ only in hostname and seed."""
    process = Process("", argv, dict(env), seed, 0, hostname=hostname)
    return _run_out(_shell(process, seek=0, until=None), argv)
