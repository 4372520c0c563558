"""python in a container's shell, and as process 1 of a pod whose script is a file.

A script has no state that could be kept as data. So it is run again from its beginning whenever its next line is due,
up to that moment: it prints what it has not printed yet. Loops that go on evenly are jumped over, so that costs little.

Read next: cluster/runtime/programs/python_code.py.
"""

from dataclasses import replace

from cluster.runtime.live.commands.call import Call
from cluster.runtime.live.files import FileError
from cluster.runtime.live.kernel import Blocked
from cluster.runtime.programs.python import Arguments, version_of
from cluster.runtime.programs.python_code import START_UP, Script
from cluster.runtime.programs.shell import FOREVER, Horizon, RunsForever

STEPS = 20  # Of a script that count as one of the kernel's.
STEP_TIME, LATEST = 100, 1_000_000  # Microseconds for each, and at most, before it is run again: that prints late.


def python(call: Call) -> int:
    arguments = Arguments(tuple(call.argv))
    process = call.kernel.container.process
    if "V" in arguments.options:
        call.out(f"Python {version_of(process.image)}\n")
        return 0
    if arguments.module is not None:
        return call.failed(f"No module named {arguments.module}")
    name = "<string>" if arguments.code is not None else arguments.rest[0] if arguments.rest else "<stdin>"
    try:
        source = arguments.code if arguments.code is not None else _source(call, name)
    except FileError as error:
        return call.failed(f"can't open file '{call.path(name)}': [Errno 2] {error}", 2)
    began = call.local.setdefault("began", call.now)
    terminal = call.proc["fds"].get("1", [""])[0] == "tty"
    script = Script(
        source, name, replace(process, started=began - START_UP, env=call.env), arguments.rest,
        seek=call.local.get("seen", 0), until=call.now + 1, read=lambda path: _read(call, path),
        unbuffered=terminal or "u" in arguments.options,
    )  # fmt: skip
    script.write_file = lambda path, text, added: _write(call, path, text, added)
    try:
        code = script.run()
    except Horizon:
        _print(call, script)
        raise Blocked("time", max(script.now, call.now + min(script.steps * STEP_TIME, LATEST))) from None
    except RunsForever:
        _print(call, script)
        raise Blocked("time", FOREVER) from None
    _print(call, script)
    return code


def _source(call: Call, name: str) -> str:
    return call.read_all() if name in ("<stdin>", "-") else call.files.read(call.path(name))


def _read(call: Call, path: str) -> str:
    try:
        return call.files.read(call.path(path))
    except FileError as error:
        raise FileNotFoundError(f"[Errno 2] {error}: '{path}'") from None


def _write(call: Call, path: str, text: str, added: bool) -> None:
    try:
        call.files.write(call.path(path), text, append=added)
    except FileError as error:
        raise OSError(f"[Errno 28] {error}: '{path}'") from None


def _print(call: Call, script: Script) -> None:
    """What is new. `seen`: the moment up to which everything has been printed."""
    seen, call.local["seen"] = call.local.get("seen", 0), call.now + 1
    call.kernel.steps += script.steps // STEPS
    for line in script.lines:
        if seen <= line.at <= call.now:
            (call.out if line.stream == "stdout" else call.err)(f"{line.text}\n")


PYTHON = {"python": python, "python3": python}
