"""The part of Python's library that scripts have here: functions without an import, modules, methods of values.

A module or function that is not here is the script's NotImplementedError; see python_code.py.
"""

import ast
import json
import math
import string
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from cluster.runtime.programs.program import SECOND
from cluster.runtime.programs.python_values import (
    ERRORS,
    MAX_FORMAT,
    MAX_ITEMS,
    MAX_LEVELS,
    MAX_TEXT,
    VERSION,
    Builtin,
    Class,
    Function,
    Module,
    Object,
    Stream,
    Type,
    items_of,
    kind_of,
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
        if name not in AT_ONCE:
            script.weigh(owner)
        if name == "sort" and named.get("key") is not None:
            key = named.pop("key")
            owner.sort(key=lambda one: script.call(key, [one], {}), **named)
            return None
        if name == "replace" and isinstance(owner, str) and len(owner) * (1 + len(str(given[1:2]))) > 1 << 22:
            raise MemoryError("orrery: too many elements")
        if name == "join" and sum(len(one) for one in given[0] if isinstance(one, str)) > MAX_TEXT:
            raise MemoryError("orrery: too many elements")
        if name == "strftime" and len(str(given)) > MAX_FORMAT:
            raise ValueError("orrery: the format is too long")
        result = getattr(owner, name)(*given, **named)
        if isinstance(owner, list | dict):
            sized(owner)
        if isinstance(owner, dict) and name in ("keys", "values", "items"):
            return list(result)
        return sized(result) if isinstance(result, str | bytes | list | dict) else result

    return Builtin(name, method)


class Builtins:
    """What a script finds without an import: a method each, by the name without its `_`."""

    def __init__(self, script: "Script") -> None:
        self._script = script

    def table(self) -> dict[str, Any]:
        own = {name.removesuffix("_"): getattr(self, name) for name in vars(Builtins) if name[-1] == "_" != name[0]}
        leave = self._script.leave
        own |= {"len": len, "abs": abs, "chr": chr, "ord": ord, "divmod": divmod, "hex": hex, "bin": bin}
        own |= {"repr": self._script.shown, "format": self._script.formatted, "exit": leave, "quit": leave}
        found: dict[str, Any] = {name: Builtin(name, function) for name, function in own.items()}
        return {**found, **ERRORS, "KeyboardInterrupt": RuntimeError, "SystemExit": RuntimeError}

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
        return sized(items_of(given))  # type: ignore[no-any-return]

    def tuple_(self, given: Any = ()) -> tuple[Any, ...]:
        return tuple(items_of(given))

    def dict_(self, given: Any = (), **named: Any) -> dict[Any, Any]:
        return dict(given, **named)

    def str_(self, given: Any = "") -> str:
        return self._script.text(given)

    def bool_(self, given: Any = False) -> bool:
        return bool(given)

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
        return sorted(items_of(given), key=self._by(key), reverse=bool(reverse))

    def _best(self, which: Callable[..., Any], given: tuple[Any, ...], key: Any, default: Any) -> Any:
        items = items_of(given[0]) if len(given) == 1 else list(given)
        return default if not items and default is not None else which(items, key=self._by(key))

    def min_(self, *given: Any, key: Any = None, default: Any = None) -> Any:
        return self._best(min, given, key, default)

    def max_(self, *given: Any, key: Any = None, default: Any = None) -> Any:
        return self._best(max, given, key, default)

    def sum_(self, given: Any, start: Any = 0) -> Any:
        total = start
        for one in items_of(given):
            self._script.step()
            self._script.weigh(total, one)
            total = reckoned(ast.Add, total, one)
        return total

    def round_(self, given: Any, places: Any = None) -> Any:
        return round(given, places) if places is None or abs(places) < 1_000 else given

    def enumerate_(self, given: Any, start: int = 0) -> list[tuple[int, Any]]:
        return [(start + place, one) for place, one in enumerate(items_of(given))]

    def zip_(self, *given: Any) -> list[tuple[Any, ...]]:
        return list(zip(*map(items_of, given), strict=False))

    def reversed_(self, given: Any) -> list[Any]:
        return items_of(given)[::-1]

    def any_(self, given: Any) -> bool:
        return any(items_of(given))

    def all_(self, given: Any) -> bool:
        return all(items_of(given))

    def map_(self, function: Any, given: Any) -> list[Any]:
        return [self._script.call(function, [one], {}) for one in items_of(given)]

    def filter_(self, function: Any, given: Any) -> list[Any]:
        return [one for one in items_of(given) if self._script.call(function, [one], {})]

    def callable_(self, value: Any) -> bool:
        return isinstance(value, Function | Class | Builtin | type)

    def type_(self, value: Any) -> Any:
        return value.kind if isinstance(value, Object) else Type(kind_of(value))

    def isinstance_(self, value: Any, kinds: Any) -> bool:
        names = {kind_of(value), *(base.__name__ for base in type(value).__mro__)}
        wanted = kinds if isinstance(kinds, tuple) else (kinds,)
        return any(getattr(kind, "name", getattr(kind, "__name__", "")) in names for kind in wanted)

    def open_(self, name: Any, mode: Any = "r", **more: Any) -> Module:
        if self._script.read is None or set(str(mode)) & set("wax+"):
            raise NotImplementedError("orrery: only reading files is modelled")
        text = self._script.read(str(name))
        content = {"read": lambda: text, "readlines": lambda: text.splitlines(keepends=True), "close": lambda: None}
        return Module(str(name), called(content))


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
        "json": {"dumps": _dumps, "loads": _loads},
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
        items = items_of(given)
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
