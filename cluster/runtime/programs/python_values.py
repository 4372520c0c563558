"""What scripts in Python work with: names, functions, classes, modules, and sums of plain values within limits.

Read next: python_code.py, which runs scripts.
"""

import ast
import operator
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from cluster.runtime.programs.python_objects import (
    SET_METHODS,
    Class,
    File,
    Function,
    Lazy,
    Object,
    Set,
    Super,
)

if TYPE_CHECKING:
    from cluster.runtime.programs.python_code import Script

MAX_SOURCE, MAX_LEVELS, MAX_STEPS, MAX_LINES = 64 * 1024, 60, 100_000, 20_000
MAX_TEXT, MAX_ITEMS, MAX_CALLS, MAX_BITS = 64 * 1024, 10_000, 40, 64 * 1024
MAX_FORMAT = 200  # Characters of what strftime is given.
VERSION = "3.13.7"
MAX_WEIGHT, MAX_INNER = 100_000, 200  # What one operation may look at; lists in lists in it. See `weight`.
WEIGHT_OF_A_STEP = 64
PLAIN = (type(None), bool, int, float, str, bytes, list, tuple, dict, Set)
TEXT_METHODS = (
    "upper", "lower", "strip", "lstrip", "rstrip", "split", "rsplit", "splitlines", "join", "replace", "startswith",
    "endswith", "find", "rfind", "index", "count", "title", "capitalize", "isdigit", "isalpha", "isalnum", "isspace",
    "isupper", "islower", "partition", "rpartition", "removeprefix", "removesuffix", "encode", "swapcase", "format",
    "zfill", "ljust", "rjust", "center", "casefold", "isdecimal", "isnumeric", "istitle", "expandtabs",
)  # fmt: skip
METHODS: Mapping[type, tuple[str, ...]] = {
    str: TEXT_METHODS,
    bytes: ("decode", "split", "strip", "startswith", "endswith", "hex"),
    list: ("append", "pop", "sort", "extend", "insert", "index", "count", "reverse", "remove", "clear", "copy"),
    tuple: ("index", "count"),
    dict: ("get", "keys", "values", "items", "pop", "update", "setdefault", "clear", "copy", "popitem"),
    Set: SET_METHODS,
    File: ("read", "readline", "readlines", "write", "writelines", "close", "flush", "fileno"),
    datetime: ("strftime", "isoformat", "timestamp", "date", "time"),
    int: ("bit_length",),
    float: ("is_integer",),
}
FIELDS = {datetime: ("year", "month", "day", "hour", "minute", "second", "microsecond")}
SUMS: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv, ast.Mod: operator.mod, ast.Pow: operator.pow, ast.BitAnd: operator.and_,
    ast.BitOr: operator.or_, ast.BitXor: operator.xor, ast.LShift: operator.lshift, ast.RShift: operator.rshift,
}  # fmt: skip
ERRORS: dict[str, type[Exception]] = {
    kind.__name__: kind
    for kind in (
        ArithmeticError, AssertionError, AttributeError, Exception, FileNotFoundError, ImportError, IndexError,
        KeyError, LookupError, ModuleNotFoundError, NameError, NotImplementedError, OSError, OverflowError,
        RuntimeError, StopIteration, TimeoutError, TypeError, UnboundLocalError, UnicodeDecodeError, ValueError,
        ConnectionError, PermissionError, FileExistsError, IsADirectoryError, RecursionError, MemoryError, EOFError,
        ZeroDivisionError,
    )
}  # fmt: skip


class Scope(dict[str, Any]):
    """The names of a function or of the module. `outer`: where else to look; `method`: (class, object) of a method."""

    def __init__(self, outer: "Scope | None" = None) -> None:
        super().__init__()
        self.outer, self.elsewhere = outer, set[str]()
        self.method: tuple[Class | None, Any] | None = None

    def find(self, name: str) -> Any:
        scope: Scope | None = self
        while scope is not None:
            if name in scope:
                return scope[name]
            scope = scope.outer
        raise NameError(f"name '{name}' is not defined")

    def put(self, name: str, value: Any) -> None:
        scope: Scope = self
        if name in self.elsewhere:
            while scope.outer is not None and scope.outer.outer is not None and name not in scope.outer:
                scope = scope.outer
            scope = scope.outer or scope
        scope[name] = value


SHALLOW = ("len", "isinstance", "callable", "type", "bool")  # Functions that don't look into their arguments.


class Builtin:
    """A function of the library. Nothing of the host's own function is seen."""

    def __init__(self, name: str, function: Callable[..., Any]) -> None:
        self.name, self._function = name, function
        self.shallow = name in SHALLOW

    def __call__(self, *given: Any, **named: Any) -> Any:
        try:
            return self._function(*given, **named)
        except TypeError as error:  # Python names the function by where it stands.
            raise TypeError(re.sub(r"^[\w.<>]+\(\)", f"{self.name}()", str(error))) from None

    def __repr__(self) -> str:
        return f"<built-in function {self.name}>"


class Type:
    """Of a plain value."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"<class '{self.name}'>"

    def __eq__(self, other: object) -> bool:
        return self.name == getattr(other, "name", None)

    __hash__ = None  # type: ignore[assignment]


class Stream:
    """sys.stdout, sys.stderr."""

    def __init__(self, script: "Script", name: str) -> None:
        self.name = name
        self.content: dict[str, Callable[..., Any]] = {
            "write": lambda text: script.write(text, name), "flush": lambda: script.flush(end=False),
        }  # fmt: skip

    def __repr__(self) -> str:
        return f"<_io.TextIOWrapper name='<{self.name}>' mode='w' encoding='utf-8'>"


class Module:
    """Of the standard library, as far as it is here: name -> value or function of the script's run."""

    def __init__(self, name: str, content: Mapping[str, Any]) -> None:
        self.name, self.content = name, content

    def __repr__(self) -> str:
        return f"<module '{self.name}' from '/usr/local/lib/python3.13/{self.name}.py'>"


KINDS = {
    Function: "function", Builtin: "builtin_function_or_method", Module: "module", Class: "type", Type: "type",
    Super: "super", File: "_io.TextIOWrapper",
}  # fmt: skip


def kind_of(value: Any) -> str:
    """The name of its type."""
    if isinstance(value, Object):
        return value.kind.name
    if isinstance(value, Function) and value.bound is not None:
        return "method"
    if isinstance(value, Set):
        return "frozenset" if value.frozen else "set"
    if isinstance(value, Lazy):
        return value.kind.partition(" ")[0]
    return KINDS.get(type(value), type(value).__name__)


def weight(values: Iterable[Any], most: int = MAX_WEIGHT) -> int:
    """How much an operation has to look at: elements, and theirs, as often as one comes to them. Stops above `most`.

    100 characters weigh 1; a number of n thousand bits n * n, which is what multiplying costs. A list that holds itself
    has no end, so it weighs too much; what is nested deeper than MAX_INNER does so, too: Python compares on its stack.

    >>> weight([[1, 2, 3]]), weight([[[1, 2], [1, 2]]]), weight(["a" * 1000])
    (3, 6, 10)
    """
    total, level = 0, list(values)
    for _ in range(MAX_INNER):
        deeper: list[Any] = []
        for one in level:
            if isinstance(one, str | bytes):
                total += len(one) // 100
            elif isinstance(one, int):
                total += (one.bit_length() // 1_000) ** 2
            elif isinstance(one, list | tuple):
                total += len(one)
                deeper += one
            elif isinstance(one, dict):
                total += 2 * len(one)
                deeper += [*one, *one.values()]
            elif isinstance(one, Set):
                total += len(one)
                deeper += one.content
            elif isinstance(one, range):
                total += len(one)
            if total > most:
                return total
        if not deeper:
            return total
        level = deeper
    return most + 1


def sized(value: Any) -> Any:
    """The value, unless it is too large."""
    limit = MAX_TEXT if isinstance(value, str | bytes) else MAX_ITEMS
    if len(value) > limit:
        raise RuntimeError(f"orrery: a {type(value).__name__} of more than {limit} elements")
    return value


def line_of(file: File) -> str:
    """The next line; "" at the end."""
    end = file.text.find("\n", file.at) + 1 or len(file.text)
    line, file.at = file.text[file.at : end], end
    return line


def items_of(value: Any) -> list[Any]:
    if isinstance(value, range):
        return list(value[: MAX_ITEMS * 10])
    if not isinstance(value, str | bytes | list | tuple | dict | Set):
        raise TypeError(f"'{kind_of(value)}' object is not iterable")
    return list(value)


def reckoned(kind: type[ast.operator], left: Any, right: Any) -> Any:
    """A sum, within limits. Errors: whatever Python says of such operands."""
    for value in (left, right):
        if not isinstance(value, (*PLAIN, datetime, timedelta)):
            raise TypeError(f"unsupported operand type(s) for {_sign(kind)}: '{kind_of(left)}' and '{kind_of(right)}'")
    if kind not in SUMS:
        raise NotImplementedError("orrery: matrices are not modelled")
    if kind is ast.Mult:
        for many, times in ((left, right), (right, left)):
            if (
                isinstance(many, str | bytes | list | tuple)
                and isinstance(times, int)
                and len(many) * times > MAX_ITEMS * 6
            ):
                raise MemoryError("orrery: too many elements")
    whole = isinstance(left, int) and isinstance(right, int)
    if whole and kind in (ast.Pow, ast.LShift):
        bits = left.bit_length() * abs(right) if kind is ast.Pow else left.bit_length() + right
        if bits > MAX_BITS:
            raise OverflowError(f"orrery: numbers of more than {MAX_BITS} bits are not modelled")
    if kind is ast.Mod and isinstance(left, str | bytes) and re.search(r"\d{4}|\*", str(left)):
        raise ValueError("orrery: formats of more than 999 characters are not modelled")
    if isinstance(left, Set) != isinstance(right, Set):
        raise TypeError(f"unsupported operand type(s) for {_sign(kind)}: '{kind_of(left)}' and '{kind_of(right)}'")
    if kind is ast.Mod and isinstance(left, str):
        right = tuple(map(str, right)) if isinstance(right, tuple) and any(isinstance(r, Set) for r in right) else right
    result = SUMS[kind](left, right)
    if isinstance(result, int) and result.bit_length() > MAX_BITS:
        raise OverflowError(f"orrery: numbers of more than {MAX_BITS} bits are not modelled")
    return sized(result) if isinstance(result, str | bytes | list | tuple) else result


def _sign(kind: type[ast.operator]) -> str:
    return {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.FloorDiv: "//", ast.Mod: "%"}.get(kind, "**")


def bound(function: Function, given: list[Any], named: dict[str, Any]) -> dict[str, Any]:
    """What each parameter becomes. Errors: TypeError."""
    arguments = function.node.args
    names = [one.arg for one in (*arguments.posonlyargs, *arguments.args)]
    found = dict(zip(names, given, strict=False))
    if len(given) > len(names) and arguments.vararg is None:
        verb = "was" if len(given) == 1 else "were"
        takes = f"{len(names)} positional argument{'s' * (len(names) != 1)}"
        raise TypeError(f"{function.name}() takes {takes} but {len(given)} {verb} given")
    if arguments.vararg is not None:
        found[arguments.vararg.arg] = tuple(given[len(names) :])
    extra = {name: value for name, value in named.items() if name not in names and name not in _keyword_only(arguments)}
    if extra and arguments.kwarg is None:
        raise TypeError(f"{function.name}() got an unexpected keyword argument '{next(iter(extra))}'")
    found |= {name: value for name, value in named.items() if name not in extra}
    if arguments.kwarg is not None:
        found[arguments.kwarg.arg] = extra
    defaults = dict(zip(names[len(names) - len(function.defaults) :], function.defaults, strict=True))
    twice = next((name for name in names[: len(given)] if name in named), None)
    if twice is not None:
        raise TypeError(f"{function.name}() got multiple values for argument '{twice}'")
    missing = [f"'{name}'" for name in names if name not in found and name not in defaults]
    if missing:
        several = (
            f"{', '.join(missing[:-1])}{',' * (len(missing) > 2)} and {missing[-1]}" if missing[1:] else missing[0]
        )
        many = "s" if missing[1:] else ""
        raise TypeError(f"{function.name}() missing {len(missing)} required positional argument{many}: {several}")
    for name in _keyword_only(arguments):
        if name not in found and name not in function.keywords:
            raise TypeError(f"{function.name}() missing 1 required keyword-only argument: '{name}'")
    return {**defaults, **function.keywords, **found}


def _keyword_only(arguments: ast.arguments) -> list[str]:
    return [one.arg for one in arguments.kwonlyargs]
