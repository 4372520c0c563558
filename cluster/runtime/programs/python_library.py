"""The part of Python's library that scripts have here: functions without an import, modules, methods of values.

A module or function that is not here is the script's NotImplementedError; see python_code.py.
"""

import ast
import json
import math
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from cluster.runtime.programs.program import SECOND
from cluster.runtime.programs.python_values import (
    ERRORS,
    MAX_ITEMS,
    MAX_LEVELS,
    MAX_TEXT,
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


def method_of(script: "Script", owner: Any, name: str) -> Callable[..., Any]:
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
        if name == "strftime" and len(str(given)) > 200:
            raise ValueError("orrery: the format is too long")
        result = getattr(owner, name)(*given, **named)
        if isinstance(owner, list | dict):
            sized(owner)
        if isinstance(owner, dict) and name in ("keys", "values", "items"):
            return list(result)
        return sized(result) if isinstance(result, str | bytes | list | dict) else result

    return method


def builtins(script: "Script") -> dict[str, Any]:
    """What a script finds without an import."""

    def print_(*given: Any, sep: Any = " ", end: Any = "\n", file: Any = None, flush: Any = False) -> None:
        text = (" " if sep is None else sep).join(script.text(one) for one in given) + ("\n" if end is None else end)
        script.write(sized(text), file.name if isinstance(file, Stream) else "stdout", bool(flush))

    def range_(*given: Any) -> range:
        found = range(*given)
        if len(found) > MAX_ITEMS * 10:
            raise RuntimeError(f"orrery: ranges of more than {MAX_ITEMS * 10} numbers are not modelled")
        return found

    def list_(given: Any = ()) -> list[Any]:
        return sized(items_of(given))

    def sorted_(given: Any, key: Any = None, reverse: Any = False) -> list[Any]:
        chosen = None if key is None else lambda one: script.call(key, [one], {})
        return sorted(items_of(given), key=chosen, reverse=bool(reverse))

    def best(which: Callable[..., Any]) -> Callable[..., Any]:
        def function(*given: Any, key: Any = None, default: Any = None) -> Any:
            items = items_of(given[0]) if len(given) == 1 else list(given)
            if not items and default is not None:
                return default
            return which(items, key=None if key is None else lambda one: script.call(key, [one], {}))

        return function

    def open_(name: Any, mode: Any = "r", **more: Any) -> Any:
        if script.read is None or set(str(mode)) & set("wax+"):
            raise NotImplementedError("orrery: only reading files is modelled")
        text = script.read(str(name))
        return Module(str(name), {"read": lambda: text, "readlines": lambda: text.splitlines(keepends=True),
                                  "close": lambda: None})  # fmt: skip

    def int_(given: Any = 0, base: Any = None) -> int:
        if isinstance(given, str) and len(given) > 4_000:
            raise ValueError("Exceeds the limit (4300 digits) for integer string conversion")
        return int(given) if base is None else int(given, base)

    def round_(given: Any, places: Any = None) -> Any:
        return round(given, places) if places is None or abs(places) < 1_000 else given

    def sum_(given: Any, start: Any = 0) -> Any:
        total = start
        for one in items_of(given):
            script.step()
            script.weigh(total, one)
            total = reckoned(ast.Add, total, one)
        return total

    def isinstance_(value: Any, kinds: Any) -> bool:
        names = {kind_of(value), *(base.__name__ for base in type(value).__mro__)}
        wanted = kinds if isinstance(kinds, tuple) else (kinds,)
        return any(
            getattr(kind, "python_name", getattr(kind, "name", getattr(kind, "__name__", ""))) in names
            for kind in wanted
        )

    kinds: dict[str, Callable[..., Any]] = {
        "int": int_, "float": lambda given=0.0: float(given), "bool": lambda given=False: bool(given), "list": list_,
        "str": lambda given="": script.text(given), "tuple": lambda given=(): tuple(items_of(given)),
        "dict": lambda given=(), **named: dict(given, **named),
    }  # fmt: skip
    for name, kind in kinds.items():
        kind.python_name = name  # type: ignore[attr-defined]
    shallow: dict[str, Callable[..., Any]] = {
        "len": lambda given: len(given), "isinstance": isinstance_, "callable": lambda value: callable(value),
        "type": lambda value: value.kind if isinstance(value, Object) else Type(kind_of(value)),
    }  # fmt: skip
    for function in (*shallow.values(), kinds["bool"]):
        function.shallow = True  # type: ignore[attr-defined]
    return {
        **kinds, **shallow, **ERRORS, "print": print_, "range": range_, "repr": script.shown,
        "sorted": sorted_, "min": best(min), "max": best(max), "sum": sum_, "abs": abs, "round": round_,
        "enumerate": lambda given, start=0: [(start + n, one) for n, one in enumerate(items_of(given))],
        "zip": lambda *given: list(zip(*map(items_of, given), strict=False)),
        "reversed": lambda given: items_of(given)[::-1], "any": lambda given: any(items_of(given)),
        "all": lambda given: all(items_of(given)), "open": open_, "chr": chr, "ord": ord,
        "map": lambda function, given: [script.call(function, [one], {}) for one in items_of(given)],
        "filter": lambda function, given: [one for one in items_of(given) if script.call(function, [one], {})],
        "divmod": divmod, "hex": hex, "bin": bin, "exit": script.leave, "quit": script.leave,
        "format": lambda value, spec="": script.formatted(value, spec),
        "KeyboardInterrupt": RuntimeError, "SystemExit": RuntimeError,
    }  # fmt: skip


def modules(script: "Script") -> dict[str, dict[str, Any]]:
    """The standard library, as far as it is here."""
    process = script.process

    def date() -> datetime:
        script.volatile = True
        return process.date(script.now)

    def time_() -> float:
        return date().timestamp()

    def draw(below: int) -> int:
        if below < 1:
            raise ValueError("empty range for randrange()")
        return script.random() % below

    def choice(given: Any) -> Any:
        items = items_of(given)
        if not items:
            raise IndexError("Cannot choose from an empty sequence")
        return items[draw(len(items))]

    def strftime(pattern: str, moment: Any = None) -> str:
        if len(pattern) > 200:
            raise ValueError("orrery: the format is too long")
        return (moment or date()).strftime(pattern)

    def dumps(value: Any, indent: Any = None, sort_keys: Any = False, **_: Any) -> str:
        width = min(indent, 16) if isinstance(indent, int) else None
        return json.dumps(plain(value), indent=width, sort_keys=bool(sort_keys))

    environment = dict(process.env)

    def fraction() -> float:
        return (script.random() % (1 << 53)) / (1 << 53)

    return {
        "time": {"sleep": script.sleep, "time": time_, "monotonic": lambda: (script.now - process.started) / SECOND,
                 "perf_counter": lambda: (script.now - process.started) / SECOND, "strftime": strftime,
                 "ctime": lambda: date().strftime("%a %b %e %H:%M:%S %Y"), "gmtime": date, "localtime": date},
        "datetime": {"datetime": Module("datetime", {"now": lambda *_: date(), "utcnow": date, "today": date}),
                     "timedelta": timedelta, "timezone": Module("timezone", {"utc": None})},
        "os": {"environ": environment, "getenv": lambda name, default=None: environment.get(name, default),
               "getpid": lambda: 1, "_exit": script.leave,
               "getcwd": lambda: "/", "linesep": "\n", "name": "posix", "sep": "/",
               "uname": lambda: Module("uname", {"sysname": "Linux", "nodename": process.hostname})},
        "sys": {"argv": list(script.argv), "exit": script.leave, "stdout": Stream(script, "stdout"),
                "stderr": Stream(script, "stderr"),
                "version": "3.13.7 (main, Aug 15 2025, 00:00:00) [GCC 14.2.0]", "platform": "linux",
                "version_info": (3, 13, 7, "final", 0), "maxsize": (1 << 63) - 1,
                "executable": "/usr/local/bin/python3"},
        "socket": {"gethostname": lambda: process.hostname},
        "platform": {"node": lambda: process.hostname, "system": lambda: "Linux",
                     "python_version": lambda: "3.13.7", "machine": lambda: "x86_64"},
        "random": {"random": fraction, "choice": choice,
                   "uniform": lambda low, high: low + (high - low) * fraction(),
                   "randint": lambda low, high: low + draw(high - low + 1),
                   "randrange": lambda low, high=None: draw(low) if high is None else low + draw(high - low),
                   "seed": lambda *_: None},
        "math": {name: getattr(math, name) for name in (
            "pi", "e", "sqrt", "floor", "ceil", "sin", "cos", "tan", "log", "log10", "log2", "exp", "pow", "fabs",
            "gcd", "inf", "nan", "isclose", "trunc", "radians", "degrees")},
        "json": {"dumps": dumps, "loads": lambda text: json.loads(text)},
        "string": {"ascii_letters": "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ",
                                       "digits": "0123456789"},
    }  # fmt: skip


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
