"""The part of Python's library that scripts have here: functions without an import, modules, methods of values.

A module or function that is not here is the script's NotImplementedError; see python_code.py.
"""

import ast
import json
import math
import re
import string
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from cluster.runtime.programs.program import SECOND
from cluster.runtime.programs.python_objects import FROZEN_METHODS, OBJECT, Class, File, Function, Lazy, Object, Set
from cluster.runtime.programs.python_values import (
    ERRORS,
    MAX_FORMAT,
    MAX_ITEMS,
    MAX_LEVELS,
    MAX_TEXT,
    VERSION,
    Builtin,
    Module,
    Stream,
    Type,
    kind_of,
    line_of,
    reckoned,
    sized,
)

if TYPE_CHECKING:
    from cluster.runtime.programs.python_code import Script


# Methods that take no longer for a long owner.
AT_ONCE = ("append", "pop", "get", "setdefault", "clear", "keys", "values", "items", "startswith", "endswith")


def method_of(script: "Script", owner: Any, name: str) -> Builtin:
    """A method of a plain value, whose result may not be too large."""

    def method(*given: Any, **named: Any) -> Any:
        if isinstance(owner, File):
            return file_method(script, owner, name, *given)
        if isinstance(owner, Set) and owner.frozen and name not in FROZEN_METHODS:
            raise AttributeError(f"'frozenset' object has no attribute '{name}'")
        if name == "format" and isinstance(owner, str):
            return sized(formatted(script, owner, given, named))
        if name in TAKES_ITEMS:
            given = tuple(script.items(one) if isinstance(one, Lazy | File | Object) else one for one in given)
        if name in WIDE and isinstance(owner, str) and isinstance(given[0], int) and given[0] > MAX_TEXT:
            raise MemoryError("orrery: too many elements")
        if name not in AT_ONCE:
            script.weigh(owner)
        if name == "sort" and named.get("key") is not None:
            key = named.pop("key")
            owner.sort(key=lambda one: script.call(key, [one], {}), **named)
            return None
        if name == "replace" and isinstance(owner, str) and len(owner) * (1 + len(str(given[1:2]))) > 1 << 22:
            raise MemoryError("orrery: too many elements")
        if name == "join" and isinstance(given[0], Set | dict):
            given = (list(given[0]),)
        if name == "join" and sum(len(one) for one in given[0] if isinstance(one, str)) > MAX_TEXT:
            raise MemoryError("orrery: too many elements")
        if name == "strftime" and len(str(given)) > MAX_FORMAT:
            raise ValueError("orrery: the format is too long")
        result = getattr(owner, name)(*given, **named)
        if isinstance(owner, list | dict | Set):
            sized(owner)
        if isinstance(owner, dict) and name in ("keys", "values", "items"):
            return list(result)
        return sized(result) if isinstance(result, str | bytes | list | dict) else result

    return Builtin(name, method)


WIDE = ("zfill", "ljust", "rjust", "center")
TAKES_ITEMS = ("join", "extend", "update", *FROZEN_METHODS)


def formatted(script: "Script", text: str, given: tuple[Any, ...], named: dict[str, Any]) -> str:
    """str.format: names, numbers, attributes and elements of them; formats without fields in them."""
    parts, place = [], 0
    for literal, name, spec, conversion in string.Formatter().parse(text):
        parts.append(literal)
        if name is None:
            continue
        head, *rest = re.split(r"(?=[.\[])", name)
        if not head:
            head, place = str(place), place + 1
        if head.isdigit() and len(head) < 6 and int(head) >= len(given):
            raise IndexError(f"Replacement index {head} out of range for positional args tuple")
        value = given[int(head)] if head.isdigit() and len(head) < 6 else named[head]
        for step in rest:
            key: Any = step[1:].rstrip("]")
            key = int(key) if key.isdigit() and len(key) < 6 and not isinstance(value, dict) else key
            value = script.attribute(value, step[1:]) if step[0] == "." else value[key]
        if "{" in (spec or ""):
            raise NotImplementedError("orrery: fields within a format are not modelled")
        if conversion in ("r", "s"):
            value = script.shown(value) if conversion == "r" else script.text(value)
        parts.append(script.formatted(value, spec or ""))
        sized("".join(parts))
    return "".join(parts)


def file_method(script: "Script", file: File, name: str, *given: Any) -> Any:
    """Of an open file. What is written arrives when it is closed or flushed."""
    if file.closed and name != "close":
        raise ValueError("I/O operation on closed file.")
    if name in ("write", "writelines"):
        if "r" in file.mode:
            raise OSError("not writable")
        texts = [given[0]] if name == "write" else script.items(given[0])
        file.text = sized(file.text + "".join(texts))
        return len(given[0]) if name == "write" else None
    if name in ("close", "flush"):
        if "r" not in file.mode and script.write_file is not None and file.text and script.now >= script.seek:
            script.write_file(file.name, file.text, True)
        file.text = "" if "r" not in file.mode else file.text
        file.closed = name == "close"
        return None
    if "r" not in file.mode:
        raise OSError("not readable")
    if name == "readline":
        return line_of(file)
    if name == "readlines":
        return list(iter(lambda: line_of(file), ""))
    if name == "read":
        rest, file.at = file.text[file.at :], len(file.text)
        return rest
    return 3


class Builtins:
    """What a script finds without an import: a method each, by the name without its `_`."""

    def __init__(self, script: "Script") -> None:
        self._script = script

    def table(self) -> dict[str, Any]:
        own = {name.removesuffix("_"): getattr(self, name) for name in vars(Builtins) if name[-1] == "_" != name[0]}
        leave = self._script.leave
        own |= {"abs": abs, "chr": chr, "ord": ord, "divmod": divmod, "hex": hex, "bin": bin}
        own |= {"repr": self._script.shown, "format": self._script.formatted, "exit": leave, "quit": leave}
        found: dict[str, Any] = {name: Builtin(name, function) for name, function in own.items()}
        errors = {**ERRORS, "KeyboardInterrupt": RuntimeError, "SystemExit": RuntimeError, "IOError": OSError}
        return {**found, **errors, "BaseException": Exception, "object": OBJECT}

    def len_(self, given: Any) -> int:
        if isinstance(given, Object) and (own := self._script.special(given, "__len__")) is not None:
            return int(self._script.call(own, [], {}))
        if isinstance(given, Object | Lazy | File | Class | Function):
            raise TypeError(f"object of type '{kind_of(given)}' has no len()")
        return len(given)

    def set_(self, given: Any = ()) -> Set:
        return Set(sized(self._script.items(given)))

    def frozenset_(self, given: Any = ()) -> Set:
        return Set(sized(self._script.items(given)), frozen=True)

    def iter_(self, given: Any) -> Any:
        if isinstance(given, Lazy):
            return given
        return Lazy(f"{kind_of(given)}_iterator", self._script.iterate(given))

    def next_(self, given: Any, *default: Any) -> Any:
        if isinstance(given, Object) and (own := self._script.special(given, "__next__")) is not None:
            return self._script.call(own, [], {})
        if not isinstance(given, Lazy):
            raise TypeError(f"'{kind_of(given)}' object is not an iterator")
        for one in self._script.iterate(given):
            return one
        if default:
            return default[0]
        raise StopIteration

    def hasattr_(self, owner: Any, name: Any) -> bool:
        try:
            self._script.attribute(owner, str(name))
        except AttributeError:
            return False
        return True

    def getattr_(self, owner: Any, name: Any, *default: Any) -> Any:
        try:
            return self._script.attribute(owner, str(name))
        except AttributeError:
            if default:
                return default[0]
            raise

    def setattr_(self, owner: Any, name: Any, value: Any) -> None:
        self._script.set_attribute(owner, str(name), value)

    def issubclass_(self, kind: Any, kinds: Any) -> bool:
        wanted = kinds if isinstance(kinds, tuple) else (kinds,)
        if isinstance(kind, Class):
            return any(kind.is_a(one) or one is OBJECT for one in wanted)
        return any(isinstance(one, type) and issubclass(kind, one) for one in wanted)

    def oct_(self, given: Any) -> str:
        return oct(given)

    def print_(self, *given: Any, sep: Any = " ", end: Any = "\n", file: Any = None, flush: Any = False) -> None:
        parts = (self._script.text(one) for one in given)
        text = (" " if sep is None else sep).join(parts) + ("\n" if end is None else end)
        self._script.write(sized(text), file.name if isinstance(file, Stream) else "stdout", bool(flush))

    def range_(self, *given: Any) -> range:
        found = range(*given)
        if len(found) > MAX_ITEMS * 10:
            raise RuntimeError(f"orrery: ranges of more than {MAX_ITEMS * 10} numbers are not modelled")
        return found

    def list_(self, given: Any = ()) -> list[Any]:
        return sized(self._script.items(given))  # type: ignore[no-any-return]

    def tuple_(self, given: Any = ()) -> tuple[Any, ...]:
        return tuple(self._script.items(given))

    def dict_(self, given: Any = (), **named: Any) -> dict[Any, Any]:
        pairs = (
            given if isinstance(given, dict) else [tuple(self._script.items(one)) for one in self._script.items(given)]
        )
        return dict(pairs, **named)

    def str_(self, given: Any = "") -> str:
        return self._script.text(given)

    def bool_(self, given: Any = False) -> bool:
        return self._script.true(given)

    def float_(self, given: Any = 0.0) -> float:
        return float(given)

    def int_(self, given: Any = 0, base: Any = None) -> int:
        if isinstance(given, str) and len(given) > 4_000:
            raise ValueError("Exceeds the limit (4300 digits) for integer string conversion")
        return int(given) if base is None else int(given, base)

    def _by(self, key: Any) -> Callable[[Any], Any] | None:
        """A key function of the script's."""
        return None if key is None else lambda one: self._script.call(key, [one], {})

    def sorted_(self, given: Any, key: Any = None, reverse: Any = False) -> list[Any]:
        return sorted(self._script.items(given), key=self._by(key), reverse=bool(reverse))

    def _best(self, which: Callable[..., Any], given: tuple[Any, ...], key: Any, default: Any) -> Any:
        items = self._script.items(given[0]) if len(given) == 1 else list(given)
        return default if not items and default is not None else which(items, key=self._by(key))

    def min_(self, *given: Any, key: Any = None, default: Any = None) -> Any:
        return self._best(min, given, key, default)

    def max_(self, *given: Any, key: Any = None, default: Any = None) -> Any:
        return self._best(max, given, key, default)

    def sum_(self, given: Any, start: Any = 0) -> Any:
        total = start
        for one in self._script.items(given):
            self._script.step()
            self._script.weigh(total, one)
            total = reckoned(ast.Add, total, one)
        return total

    def round_(self, given: Any, places: Any = None) -> Any:
        return round(given, places) if places is None or abs(places) < 1_000 else given

    def enumerate_(self, given: Any, start: int = 0) -> Lazy:
        return Lazy("enumerate", enumerate(self._script.iterate(given), start))

    def zip_(self, *given: Any) -> Lazy:
        return Lazy("zip", zip(*map(self._script.iterate, given), strict=False))

    def reversed_(self, given: Any) -> Lazy:
        if isinstance(given, Lazy | Set):
            raise TypeError(f"'{kind_of(given)}' object is not reversible")
        return Lazy("reversed", iter(self._script.items(given)[::-1]))

    def any_(self, given: Any) -> bool:
        return any(self._script.true(one) for one in self._script.iterate(given))

    def all_(self, given: Any) -> bool:
        return all(self._script.true(one) for one in self._script.iterate(given))

    def map_(self, function: Any, *given: Any) -> Lazy:
        rows = zip(*map(self._script.iterate, given), strict=False)
        return Lazy("map", (self._script.call(function, list(row), {}) for row in rows))

    def filter_(self, function: Any, given: Any) -> Lazy:
        def passes(one: Any) -> bool:
            return self._script.true(one if function is None else self._script.call(function, [one], {}))

        return Lazy("filter", (one for one in self._script.iterate(given) if passes(one)))

    def callable_(self, value: Any) -> bool:
        if isinstance(value, Object):
            return self._script.special(value, "__call__") is not None
        return isinstance(value, Function | Class | Builtin | type)

    def type_(self, value: Any) -> Any:
        if isinstance(value, Object):
            return value.kind
        return type(value) if isinstance(value, Exception) else Type(kind_of(value))

    def isinstance_(self, value: Any, kinds: Any) -> bool:
        wanted = kinds if isinstance(kinds, tuple) else (kinds,)
        return any(self._script.is_a(value, kind) for kind in wanted)

    def open_(self, name: Any, mode: Any = "r", *rest: Any, **more: Any) -> File:
        """What is written arrives once, however often the script is run again (see live/commands/python.py)."""
        script, mode = self._script, str(mode).replace("t", "")
        if mode not in ("r", "w", "a", "x"):
            raise NotImplementedError(f"orrery: the mode {mode!r} of open() is not modelled")
        if script.read is None or (mode != "r" and script.write_file is None):
            raise NotImplementedError("orrery: this script has no files")
        if mode == "r":
            return File(str(name), mode, script.read(str(name)))
        if mode in "wx" and script.now >= script.seek:
            assert script.write_file is not None
            script.write_file(str(name), "", False)
        return File(str(name), mode, "")


def called(content: Mapping[str, Any]) -> dict[str, Any]:
    """Functions as scripts may see them; other values as they are."""
    return {
        name: Builtin(name, value) if callable(value) and not isinstance(value, type) else value
        for name, value in content.items()
    }


def modules(script: "Script") -> dict[str, dict[str, Any]]:
    """The standard library, as far as it is here."""
    host = script.process.hostname
    numbers = "pi e inf nan sqrt floor ceil sin cos tan log log10 log2 exp pow fabs gcd isclose trunc radians degrees"
    found = {
        **_times(script), **_systems(script), "random": _chances(script),
        "socket": {"gethostname": lambda: host},
        "math": {name: getattr(math, name) for name in numbers.split()},
        "json": {"dumps": _dumps, "loads": _loads, "JSONDecodeError": ValueError},
        "string": {"ascii_letters": string.ascii_letters, "digits": string.digits},
    }  # fmt: skip
    return {name: called(content) for name, content in found.items()}


def _times(script: "Script") -> dict[str, dict[str, Any]]:
    def date(*zone: Any) -> datetime:
        script.volatile = True
        return script.process.date(script.now)

    def passed() -> float:
        return (script.now - script.process.started) / SECOND

    def strftime(pattern: str, moment: Any = None) -> str:
        if len(pattern) > MAX_FORMAT:
            raise ValueError("orrery: the format is too long")
        return (moment or date()).strftime(pattern)

    return {
        "time": {
            "sleep": script.sleep, "time": lambda: date().timestamp(), "monotonic": passed, "perf_counter": passed,
            "strftime": strftime, "ctime": lambda: date().strftime("%a %b %e %H:%M:%S %Y"), "gmtime": date,
            "localtime": date,
        },
        "datetime": {
            "datetime": Module("datetime", called({"now": date, "utcnow": date, "today": date})),
            "timedelta": timedelta, "timezone": Module("timezone", {"utc": None}),
        },
    }  # fmt: skip


def _systems(script: "Script") -> dict[str, dict[str, Any]]:
    environment, host = dict(script.process.env), script.process.hostname
    return {
        "os": {
            "environ": environment, "getenv": environment.get, "getpid": lambda: 1, "_exit": script.leave,
            "getcwd": lambda: "/", "linesep": "\n", "name": "posix", "sep": "/",
            "uname": lambda: Module("uname", {"sysname": "Linux", "nodename": host}),
        },
        "sys": {
            "argv": list(script.argv), "exit": script.leave, "stdout": Stream(script, "stdout"),
            "stderr": Stream(script, "stderr"), "version": f"{VERSION} (main) [GCC 14.2.0]", "platform": "linux",
            "version_info": (*map(int, VERSION.split(".")), "final", 0), "maxsize": (1 << 63) - 1,
            "executable": "/usr/local/bin/python3",
        },
        "platform": {
            "node": lambda: host, "system": lambda: "Linux", "python_version": lambda: VERSION,
            "machine": lambda: "x86_64",
        },
    }  # fmt: skip


def _chances(script: "Script") -> dict[str, Any]:
    def draw(below: int) -> int:
        if below < 1:
            raise ValueError("empty range for randrange()")
        return script.random() % below

    def choice(given: Any) -> Any:
        items = script.items(given)
        if not items:
            raise IndexError("Cannot choose from an empty sequence")
        return items[draw(len(items))]

    def fraction() -> float:
        return (script.random() % (1 << 53)) / (1 << 53)

    return {
        "random": fraction, "choice": choice, "uniform": lambda low, high: low + (high - low) * fraction(),
        "randint": lambda low, high: low + draw(high - low + 1), "seed": lambda *seed: None,
        "randrange": lambda low, high=None: draw(low) if high is None else low + draw(high - low),
    }  # fmt: skip


def _dumps(value: Any, indent: Any = None, sort_keys: Any = False, **more: Any) -> str:
    width = min(indent, 16) if isinstance(indent, int) else None
    return json.dumps(plain(value), indent=width, sort_keys=bool(sort_keys))


def _loads(text: Any) -> Any:
    if isinstance(text, str) and max(text.count("["), text.count("{")) > MAX_LEVELS * 10:
        raise ValueError(f"orrery: more than {MAX_LEVELS * 10} lists or objects in one text")
    return json.loads(text)


def plain(value: Any, level: int = 0) -> Any:
    """A value that JSON has. Errors: TypeError."""
    if level > MAX_LEVELS:
        raise ValueError("Circular reference detected")
    if isinstance(value, dict):
        return {key: plain(one, level + 1) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one, level + 1) for one in value]
    if value is not None and not isinstance(value, bool | int | float | str):
        raise TypeError(f"Object of type {kind_of(value)} is not JSON serializable")
    return value
