"""node in a container's shell, and as process 1 of a pod whose script is more than programs/node.py knows.

A script has no state that could be kept as data. So it is run again from its beginning whenever its next timer is due,
up to that moment, and says what it has not said yet (see python.py, which does the same).

Mirrors:  Node.js 22: console, process, timers, os, fs, path, JSON, Math, Date
Left out: the language but for programs/javascript.py; the prompt; http and net (programs/node.py has a server of one
          text), promises, packages; columns of long arrays; on what line an error happened. What process.on is given
          is never called: SIGTERM ends nothing, as without a handler.
Limits:   100,000 steps of a script, those of all its timers counted; 64 timers at a time.
"""

import json
import math
import posixpath
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from cluster.runtime import noise
from cluster.runtime.live.commands.call import Call
from cluster.runtime.live.commands.mongosh import inspected
from cluster.runtime.live.files import FileError
from cluster.runtime.live.kernel import Blocked
from cluster.runtime.programs.javascript import (
    UNDEFINED,
    More,
    OutOfSteps,
    Runner,
    ScriptError,
    Thrown,
    error_of,
    number_of,
    text_of,
    truthy,
)  # fmt: skip
from cluster.runtime.programs.node import version_of

STEPS, STEPS_OF_A_KERNEL = 100_000, 20
MOST_TIMERS = 64
STEP_TIME, LATEST = 100, 1_000_000  # Microseconds for each step, and at most, before it is run again.
LOADER = "node:internal/modules/cjs/loader:1228\n  throw err;\n  ^"
FIRST_DATE = datetime(1970, 1, 1, tzinfo=UTC)


class Exited(Exception):
    def __init__(self, code: int) -> None:
        self.code = code


class Moment(NamedTuple):
    """A Date. `at`: milliseconds since 1970."""

    at: int

    def iso(self) -> str:
        when = FIRST_DATE + timedelta(milliseconds=self.at)
        return when.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Timer(NamedTuple):
    due: int
    number: int
    act: Callable[..., Any]
    every: int | None


class Script:
    """One run, from the beginning to `call.now`."""

    def __init__(self, call: Call, began: int, file: str, args: list[str]) -> None:
        self.call, self.began, self.now = call, began, began
        self.seen = int(call.local.get("seen", 0))  # What happened before it was done in an earlier run.
        self.timers: dict[int, Timer] = {}
        self.numbers = self.drawn = 0
        self.env: dict[str, Any] = dict(call.env)
        self.process: dict[str, Any] = {
            "argv": ["/usr/local/bin/node", *([file] if file else []), *args], "env": self.env,
            "version": f"v{version_of(call.kernel.container.process.image)}", "platform": "linux", "arch": "x64",
            "pid": int(call.proc["pid"]), "exitCode": UNDEFINED, "exit": self.exit, "cwd": lambda: call.proc["cwd"],
            "uptime": lambda: (self.now - self.began) / 1e6, "on": lambda *_: UNDEFINED,
            "stdout": {"write": lambda text: self.write(1, text_of(text))},
            "stderr": {"write": lambda text: self.write(2, text_of(text))},
        }  # fmt: skip
        self.runner = Runner(self._names(), self.member, STEPS)

    def exit(self, code: Any = UNDEFINED) -> Any:
        code = self.process["exitCode"] if code is UNDEFINED else code
        raise Exited(0 if code is UNDEFINED else int(number_of(code)) & 255)

    def write(self, channel: int, text: str) -> Any:
        if self.now >= self.seen:
            (self.call.out if channel == 1 else self.call.err)(text)
        return True

    def log(self, channel: int) -> Callable[..., Any]:
        def say(*values: Any) -> Any:
            self.runner.weigh(*values)
            shown = [value if isinstance(value, str) else self.shown(value) for value in values]
            self.write(channel, " ".join(shown) + "\n")
            return UNDEFINED

        return say

    def shown(self, value: Any) -> str:
        if isinstance(value, Moment):
            return value.iso()
        if isinstance(value, dict) and isinstance(value.get("stack"), str) and "message" in value:
            return str(value["stack"])
        return inspected(value)

    # --- time -----------------------------------------------------------------------------------------------

    def set_timer(self, act: Any, delay: Any = 0, repeats: bool = False) -> int:
        if not callable(act):
            raise ScriptError(
                f'TypeError [ERR_INVALID_ARG_TYPE]: The "callback" argument must be of type function. Received {act!r}'
            )
        if len(self.timers) >= MOST_TIMERS:
            raise OutOfSteps(f"RangeError: orrery: more than {MOST_TIMERS} timers")
        wait = number_of(delay)
        milliseconds = int(wait) if wait == wait and 1 <= wait < 1 << 31 else 1
        self.numbers += 1
        due, every = self.now + milliseconds * 1000, milliseconds * 1000 if repeats else None
        self.timers[self.numbers] = Timer(due, self.numbers, act, every)
        return self.numbers

    def clear_timer(self, number: Any = UNDEFINED) -> Any:
        self.timers.pop(number if isinstance(number, int) else -1, None)
        return UNDEFINED

    def run(self, source: str, prints: bool) -> None:
        """Errors: Exited, Blocked, ScriptError."""
        value = self.runner.run(source)
        if prints:
            self.log(1)(value)
        while self.timers:
            timer = min(self.timers.values())
            if timer.due > self.call.now:
                used = STEPS - self.runner.steps
                raise Blocked("time", max(timer.due, self.call.now + min(used * STEP_TIME, LATEST)))
            self.now = timer.due
            del self.timers[timer.number]
            if timer.every is not None:
                self.timers[timer.number] = timer._replace(due=timer.due + timer.every)
            timer.act()
        self.exit()

    # --- what a script finds --------------------------------------------------------------------------------

    def member(self, owner: Any, name: str) -> Any:
        if isinstance(owner, Moment):
            found: dict[str, Any] = {
                "getTime": lambda: owner.at, "valueOf": lambda: owner.at, "toISOString": owner.iso,
                "toJSON": owner.iso, "getFullYear": lambda: int(owner.iso()[:4]), "toString": owner.iso,
            }  # fmt: skip
            return found.get(name, UNDEFINED)
        if isinstance(owner, int | float) and name in ("toFixed", "toString"):
            return (lambda digits=0: f"{owner:.{int(digits)}f}") if name == "toFixed" else (lambda: text_of(owner))
        if owner == self.date and name == "now":
            return lambda: self.date().at
        if callable(owner):
            return self.statics.get((owner, name), UNDEFINED)
        return UNDEFINED

    def date(self, given: Any = UNDEFINED) -> Moment:
        if given is UNDEFINED:
            process = self.call.kernel.container.process
            return Moment((process.epoch + self.now) // 1000)
        if isinstance(given, str):
            try:
                when = datetime.fromisoformat(given)
            except ValueError:
                raise ScriptError("RangeError: Invalid time value") from None
            return Moment(int((when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp() * 1000))
        return given if isinstance(given, Moment) else Moment(min(max(int(number_of(given)), 0), 1 << 47))

    def random(self) -> float:
        self.drawn += 1
        return (noise.mix(self.began, int(self.call.proc["pid"]), self.drawn) >> 11) / (1 << 53)

    def require(self, name: Any) -> Any:
        found = self.modules.get(text_of(name).removeprefix("node:"))
        if found is None:
            if text_of(name).removeprefix("node:") in ("http", "https", "net", "express", "dns", "child_process"):
                raise ScriptError(f"Error: orrery: {text_of(name)} is not modelled in scripts")
            raise ScriptError(f"Error: Cannot find module '{text_of(name)}'\nRequire stack:\n- [eval]")
        return found

    def _read(self, path: Any, *_: Any) -> str:
        try:
            return self.call.files.read(self.call.path(text_of(path))).encode("latin-1").decode("utf-8", "replace")
        except FileError:
            raise ScriptError(f"Error: ENOENT: no such file or directory, open '{text_of(path)}'") from None

    def _written(self, added: bool) -> Callable[..., Any]:
        def write(path: Any, text: Any, *_: Any) -> Any:
            if self.now >= self.seen:
                plain = text_of(text).encode("utf-8", "replace").decode("latin-1")
                try:
                    self.call.files.write(self.call.path(text_of(path)), plain, append=added)
                except FileError as error:
                    raise ScriptError(f"Error: {error}, open '{text_of(path)}'") from None
            return UNDEFINED

        return write

    def _names(self) -> dict[str, Any]:
        container = self.call.kernel.container
        self.modules: dict[str, Any] = {
            "os": {
                "hostname": lambda: container.process.hostname, "platform": lambda: "linux", "EOL": "\n",
                "type": lambda: "Linux", "arch": lambda: "x64", "totalmem": lambda: container.memory[0],
                "freemem": lambda: container.memory[0] - container.memory[1], "tmpdir": lambda: "/tmp",
                "homedir": lambda: self.env.get("HOME", "/root"), "uptime": lambda: self.now / 1e6,
            },
            "fs": {
                "readFileSync": self._read, "writeFileSync": self._written(False),
                "appendFileSync": self._written(True),
                "existsSync": lambda path: self.call.files.stat(self.call.path(text_of(path))) is not None,
            },
            "path": {
                "join": lambda *parts: posixpath.normpath(posixpath.join(*map(text_of, parts))),
                "basename": lambda path: posixpath.basename(text_of(path)),
                "dirname": lambda path: posixpath.dirname(text_of(path)),
                "extname": lambda path: posixpath.splitext(text_of(path))[1],
                "resolve": lambda *parts: self.call.path(posixpath.join(*map(text_of, parts))),
            },
            "util": {"inspect": self.shown},
            "process": self.process,
        }  # fmt: skip
        make_number, make_text = number_of, text_of

        def make_object(*_: Any) -> dict[str, Any]:
            return {}

        def make_list(*values: Any) -> list[Any]:
            return list(values)

        self.statics: dict[tuple[Any, str], Any] = {
            (make_object, "keys"): lambda given: list(given),
            (make_object, "values"): lambda given: list(given.values()),
            (make_object, "entries"): lambda given: [[name, value] for name, value in given.items()],
            (make_object, "assign"): _assigned,
            (make_list, "isArray"): lambda given: isinstance(given, list),
            (make_number, "isInteger"): lambda given: isinstance(given, int) and not isinstance(given, bool),
        }
        error = {kind: _error_of_kind(kind) for kind in ("Error", "TypeError", "RangeError")}
        return {
            "console": {
                **dict.fromkeys(("log", "info", "debug"), self.log(1)), **dict.fromkeys(("error", "warn"), self.log(2)),
            },
            "process": self.process, "require": self.require, "module": {"exports": {}}, "exports": {},
            "setTimeout": self.set_timer, "setImmediate": lambda act: self.set_timer(act, 0),
            "setInterval": lambda act, delay=0: self.set_timer(act, delay, True), "clearTimeout": self.clear_timer,
            "clearInterval": self.clear_timer, "Date": self.date, "Object": make_object, "Array": make_list,
            "Number": make_number, "String": make_text, "Boolean": truthy, "parseInt": _whole, "parseFloat": number_of,
            "isNaN": lambda given: (lambda found: found != found)(number_of(given)), "NaN": math.nan,
            "Infinity": math.inf, "JSON": {"stringify": _stringify, "parse": _parsed},
            "Math": {
                "PI": math.pi, "E": math.e, "random": self.random, "floor": _rounded(math.floor),
                "ceil": _rounded(math.ceil), "trunc": _rounded(math.trunc), "sqrt": lambda x: number_of(x) ** 0.5,
                "round": _rounded(lambda x: math.floor(x + 0.5)), "abs": lambda x: abs(number_of(x)),
                "max": lambda *xs: max(map(number_of, xs), default=-math.inf),
                "min": lambda *xs: min(map(number_of, xs), default=math.inf),
            },
            **error,
        }  # fmt: skip


def _assigned(target: dict[str, Any], *others: dict[str, Any]) -> dict[str, Any]:
    for other in others:
        target.update(other)
    return target


def _error_of_kind(kind: str) -> Callable[..., Any]:
    return lambda message="": error_of(f"{kind}: {text_of(message)}")


def _rounded(how: Callable[[float], int]) -> Callable[[Any], Any]:
    def rounded(given: Any) -> Any:
        value = number_of(given)
        return how(value) if isinstance(value, int) or value - value == 0 else value

    return rounded


def _whole(given: Any, base: Any = 10) -> Any:
    """The whole number with which a text begins."""
    text = text_of(given).strip()
    sign, digits = (text[:1], text[1:]) if text[:1] in ("+", "-") else ("", text)
    end = 0
    while end < min(len(digits), 300) and digits[end].isdigit():
        end += 1
    return int(f"{sign}{digits[:end]}", 10) if end else math.nan


def _plain(value: Any) -> Any:
    """What JSON keeps of it."""
    if isinstance(value, dict):
        kept = {name: one for name, one in value.items() if one is not UNDEFINED and not callable(one)}
        return {name: _plain(one) for name, one in kept.items()}
    if isinstance(value, Moment):
        return value.iso()
    if isinstance(value, list):
        return [None if one is UNDEFINED or callable(one) else _plain(one) for one in value]
    if isinstance(value, float):
        return None if value - value != 0 else int(value) if value == int(value) else value
    return value


def _stringify(value: Any, _: Any = None, indent: Any = UNDEFINED) -> Any:
    if value is UNDEFINED or callable(value):
        return UNDEFINED
    spaces = min(int(indent), 10) if isinstance(indent, int) and indent > 0 else None
    parts = (",", ": ") if spaces else (",", ":")
    return json.dumps(_plain(value), indent=spaces, separators=parts, ensure_ascii=False)


def _parsed(text: Any) -> Any:
    try:
        return json.loads(text_of(text))
    except (ValueError, RecursionError):
        raise ScriptError("SyntaxError: Unexpected token in JSON") from None


# --- the command ------------------------------------------------------------------------------------------------


def node(call: Call) -> int:
    words, code, prints = list(call.args), None, False
    while words and words[0].startswith("-") and words[0] != "-":
        word = words.pop(0)
        if word in ("-v", "--version"):
            call.out(f"v{version_of(call.kernel.container.process.image)}\n")
            return 0
        if word in ("-e", "--eval", "-p", "--print", "-pe"):
            if not words:
                return call.failed(f"{word} requires an argument", 9)
            code, prints = words.pop(0), "p" in word
        elif not word.startswith("--"):
            return call.failed(f"bad option: {word}", 9)
    name = "" if code is not None else words.pop(0) if words else "-"
    try:
        source = code if code is not None else call.read_all() if name == "-" else call.files.read(call.path(name))
    except FileError:
        missing = f"Error: Cannot find module '{call.path(name)}'"
        return _failed(call, f"{missing} {{\n  code: 'MODULE_NOT_FOUND',\n  requireStack: []\n}}", LOADER)
    began = call.local.setdefault("began", call.now)
    file = call.path(name) if name not in ("", "-") else ""
    script = Script(call, began, file, words)
    where = file or ("[eval]" if code is not None else "[stdin]")
    try:
        script.run(source.encode("latin-1", "replace").decode("utf-8", "replace"), prints)
    except Exited as end:
        return end.code
    except Blocked:
        call.local["seen"] = call.now + 1
        raise
    except More:
        return _failed(call, "SyntaxError: Unexpected end of input", where)
    except Thrown as thrown:
        value = thrown.value
        said = script.shown(value) if isinstance(value, dict) else f"Uncaught:\n{script.shown(value)}"
        return _failed(call, said, where)
    except ScriptError as error:
        return _failed(call, f"{error}\n    at <anonymous>", where)
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError):
        return _failed(call, "TypeError: orrery: these arguments are not understood", where)
    finally:
        call.kernel.steps += (STEPS - max(script.runner.steps, 0)) // STEPS_OF_A_KERNEL
    return 0


def _failed(call: Call, error: str, where: str) -> int:
    version = version_of(call.kernel.container.process.image)
    call.err(f"{where}\n\n{error}\n\nNode.js v{version}\n")
    return 1


NODE = {"node": node, "nodejs": node}
