"""CEL's functions on strings, lists and sets.

Mirrors:  github.com/google/cel-go/ext (strings, lists, sets, math), k8s.io/apiserver/pkg/cel/library (lists, regex)
Left out: math's bit operations, base64.
"""

import re
from collections.abc import Callable
from itertools import pairwise
from typing import Any

from cluster.apiserver import regexes
from cluster.apiserver.cel.functions import LONGEST, Impl, add, add_member, has_type, paid, text
from cluster.apiserver.cel.values import (
    NONE,
    Budget,
    Duration,
    EvalError,
    Optional,
    Timestamp,
    TypeValue,
    Uint,
    contains,
    equal,
    in_range,
    is_number,
    number,
    type_of,
)

# --- strings ----------------------------------------------------------------------------------------------------


def _position(value: str, at: int, most: int | None = None) -> int:
    if not 0 <= at <= (len(value) if most is None else most):
        raise EvalError(f"index out of range: {at}")
    return at


def _char_at(value: str, at: int) -> str:
    return value[_position(value, at) : at + 1]


def _substring(value: str, start: int, end: int | None = None) -> str:
    stop = len(value) if end is None else _position(value, end)
    if _position(value, start) > stop:
        raise EvalError(f"invalid substring range. start: {start}, end: {stop}")
    return value[start:stop]


def _last_index(value: str, wanted: str, at: int) -> int:
    return value.rfind(wanted, 0, _position(value, at) + len(wanted))


def _split(value: str, separator: str, most: int = -1) -> list[str]:
    if most == 0:
        return []
    if separator == "":
        parts = list(value)
        return parts if most < 0 or len(parts) <= most else [*parts[: most - 1], "".join(parts[most - 1 :])]
    return value.split(separator, most - 1 if most > 0 else -1)


def _replaced(budget: Budget, value: str, old: str, new: str, most: int = -1) -> str:
    """What it will be is known before it is made: it is paid first."""
    times = value.count(old) if old else len(value) + 1
    times = times if most < 0 else min(times, most)
    size = len(value) + times * len(new)
    budget.spend((len(value) + size) // 10)
    if size > LONGEST:
        raise EvalError("value too large")
    return value.replace(old, new, most)


def _search(value: str, pattern: str) -> bool:
    try:
        return regexes.matches(pattern, value)
    except regexes.Invalid as error:
        raise EvalError(str(error)) from None


def _find(value: str, pattern: str) -> str:
    found = _regex(pattern).search(value)
    return found.group() if found is not None else ""


def _find_all(value: str, pattern: str, most: int = -1) -> list[str]:
    found: list[str] = []
    for each in _regex(pattern).finditer(value):
        if 0 <= most <= len(found):
            break
        found.append(each.group())
    return found


def _regex(pattern: str) -> Any:
    try:
        return regexes.compiled(pattern)
    except regexes.Invalid as error:
        raise EvalError(str(error)) from None


def _join(budget: Budget, items: list[Any], separator: str = "") -> str:
    if not all(isinstance(each, str) for each in items):
        raise EvalError("no such overload")
    size = sum(map(len, items)) + len(separator) * max(len(items) - 1, 0)
    budget.spend(size // 10)
    if size > LONGEST:
        raise EvalError("value too large")
    return separator.join(items)


def _lower(value: str) -> str:
    return "".join(char.lower() if char.isascii() else char for char in value)


def _upper(value: str) -> str:
    return "".join(char.upper() if char.isascii() else char for char in value)


add_member("contains", ("string", "string"), "bool", paid(lambda a, b: b in a))
add_member("startsWith", ("string", "string"), "bool", paid(lambda a, b: a.startswith(b)))
add_member("endsWith", ("string", "string"), "bool", paid(lambda a, b: a.endswith(b)))
add_member("matches", ("string", "string"), "bool", paid(_search))
add("matches", ("string", "string"), "bool", paid(_search))
add_member("find", ("string", "string"), "string", paid(_find))
add_member("findAll", ("string", "string"), ("list", "string"), paid(_find_all))
add_member("findAll", ("string", "string", "int"), ("list", "string"), paid(_find_all))
add_member("charAt", ("string", "int"), "string", paid(_char_at))
add_member("indexOf", ("string", "string"), "int", paid(lambda a, b: a.find(b)))
add_member("indexOf", ("string", "string", "int"), "int", paid(lambda a, b, at: a.find(b, _position(a, at))))
add_member("lastIndexOf", ("string", "string"), "int", paid(lambda a, b: a.rfind(b)))
add_member("lastIndexOf", ("string", "string", "int"), "int", paid(_last_index))
add_member("lowerAscii", ("string",), "string", paid(_lower))
add_member("upperAscii", ("string",), "string", paid(_upper))
add_member("reverse", ("string",), "string", paid(lambda a: a[::-1]))
add_member("replace", ("string", "string", "string"), "string", _replaced)
add_member("replace", ("string", "string", "string", "int"), "string", _replaced)
add_member("split", ("string", "string"), ("list", "string"), paid(_split))
add_member("split", ("string", "string", "int"), ("list", "string"), paid(_split))
add_member("substring", ("string", "int"), "string", paid(_substring))
add_member("substring", ("string", "int", "int"), "string", paid(_substring))
add_member("trim", ("string",), "string", paid(lambda a: a.strip()))
add_member("join", (("list", "string"),), "string", _join)
add_member("join", (("list", "string"), "string"), "string", _join)
add("strings.quote", ("string",), "string", paid(lambda a: '"' + a.replace("\\", "\\\\").replace('"', '\\"') + '"'))


def _verb(budget: Budget, value: Any, verb: str, digits: int) -> str:
    if verb == "s":
        return _listed(budget, value)
    if verb == "d" and is_number(value) and not isinstance(value, float):
        return str(number(value))
    if verb in ("f", "e") and is_number(value):
        return f"{float(number(value)):.{digits}{verb}}"
    if verb in ("x", "X", "o", "b") and has_type(value, "int"):
        return format(value, verb)
    raise EvalError(f"no such overload: %{verb}")


def _listed(budget: Budget, value: Any) -> str:
    budget.spend()
    if isinstance(value, list):
        return "[" + ", ".join(_listed(budget, each) for each in value) + "]"
    if isinstance(value, dict):
        names = sorted(value, key=str)
        return "{" + ", ".join(f"{_listed(budget, key)}: {_listed(budget, value[key])}" for key in names) + "}"
    if value is None:
        return "null"
    made = value.name if isinstance(value, TypeValue) else text(value)
    budget.spend(len(made) // 10)
    return made


def _format(budget: Budget, pattern: str, args: list[Any]) -> str:
    budget.spend(len(pattern) // 10 + len(args))
    position = 0

    def replaced(found: "re.Match[str]") -> str:
        nonlocal position
        if found.group(2) == "%":
            return "%"
        if position >= len(args):
            raise EvalError(f"index {position} out of range")
        position += 1
        digits = int(found.group(1)) if found.group(1) else 6
        return _verb(budget, args[position - 1], found.group(2), min(digits, 100))

    return re.sub(r"%(?:\.([0-9]{1,3}))?([a-zA-Z%])", replaced, pattern)


add_member("format", ("string", ("list", "dyn")), "string", _format)

# --- lists and sets ---------------------------------------------------------------------------------------------


def _ordered(budget: Budget, items: list[Any]) -> list[Any]:
    budget.spend(len(items))
    return sort_keys(items)


def sort_keys(items: list[Any]) -> list[Any]:
    """What Python can compare in the place of each item. Errors: EvalError, if they can't be compared."""
    if not items:
        return []
    kinds = {"number" if is_number(each) else type_of(each) for each in items}
    if len(kinds) > 1 or kinds & {"map", "list", "null_type", "dyn", "type"}:
        raise EvalError("no such overload")
    return [each.ns if isinstance(each, (Duration, Timestamp)) else number(each) for each in items]


def _extreme(pick: Callable[..., int], empty: str) -> Impl:
    def run(budget: Budget, items: list[Any]) -> Any:
        keys = _ordered(budget, items)
        if not keys:
            raise EvalError(empty)
        return items[pick(range(len(keys)), key=keys.__getitem__)]

    return run


def _is_sorted(budget: Budget, items: list[Any]) -> bool:
    keys = _ordered(budget, items)
    return all(a <= b for a, b in pairwise(keys))


def _sum(budget: Budget, items: list[Any]) -> Any:
    budget.spend(len(items))
    if not items:
        return 0
    if all(isinstance(each, Duration) for each in items):
        return Duration(in_range(sum(each.ns for each in items)))
    if not all(is_number(each) for each in items):
        raise EvalError("no such overload")
    total = sum(number(each) for each in items)
    if isinstance(items[0], Uint):
        return Uint(total)
    return total if isinstance(total, float) else in_range(total)


def _place(budget: Budget, items: list[Any], value: Any) -> int:
    return next((n for n, each in enumerate(items) if equal(each, value, budget)), -1)


def _last_place(budget: Budget, items: list[Any], value: Any) -> int:
    return next((n for n in range(len(items) - 1, -1, -1) if equal(items[n], value, budget)), -1)


def _distinct(budget: Budget, items: list[Any]) -> list[Any]:
    found: list[Any] = []
    for each in items:
        if not contains(found, each, budget):
            found.append(each)
    return found


def _flattened(budget: Budget, items: list[Any], depth: int = 1) -> list[Any]:
    budget.spend(len(items))
    if depth < 0:
        raise EvalError("level must be non-negative")
    made: list[Any] = []
    for each in items:
        made += _flattened(budget, each, depth - 1) if isinstance(each, list) and depth > 0 else [each]
    return made


def _slice(budget: Budget, items: list[Any], start: int, end: int) -> list[Any]:
    if not 0 <= start <= end <= len(items):
        raise EvalError(f"cannot slice({start}, {end}), list is length {len(items)}")
    return list(items[start:end])


def _range(budget: Budget, count: int) -> list[int]:
    budget.spend(max(count, 0))
    if count > LONGEST:
        raise EvalError("value too large")
    return list(range(count))


def _sorted(budget: Budget, items: list[Any]) -> list[Any]:
    keys = _ordered(budget, items)
    return [items[n] for n in sorted(range(len(keys)), key=keys.__getitem__)]


_A = ("list", "A")
add_member("isSorted", (_A,), "bool", _is_sorted)
add_member("min", (_A,), "A", _extreme(min, "min called on empty list"))
add_member("max", (_A,), "A", _extreme(max, "max called on empty list"))
add_member("sum", (_A,), "A", _sum)
add_member("indexOf", (_A, "A"), "int", _place)
add_member("lastIndexOf", (_A, "A"), "int", _last_place)
add_member("distinct", (_A,), _A, _distinct)
add_member("flatten", (("list", "dyn"),), ("list", "dyn"), _flattened)
add_member("flatten", (("list", "dyn"), "int"), ("list", "dyn"), _flattened)
add_member("slice", (_A, "int", "int"), _A, _slice)
add_member("sort", (_A,), _A, _sorted)
add_member("reverse", (_A,), _A, lambda budget, a: list(reversed(a)))
add_member("first", (_A,), ("optional", "A"), lambda budget, a: Optional(a[0], True) if a else NONE)
add_member("last", (_A,), ("optional", "A"), lambda budget, a: Optional(a[-1], True) if a else NONE)
add("lists.range", ("int",), ("list", "int"), _range)
add("sets.contains", (_A, _A), "bool", lambda budget, a, b: all(contains(a, each, budget) for each in b))
add("sets.intersects", (_A, _A), "bool", lambda budget, a, b: any(contains(a, each, budget) for each in b))
add(
    "sets.equivalent", (_A, _A), "bool",
    lambda budget, a, b: all(contains(a, e, budget) for e in b) and all(contains(b, e, budget) for e in a),
)  # fmt: skip
for _name, _pick in (("math.greatest", max), ("math.least", min)):
    for _count in (1, 2, 3, 4):
        add(_name, ("A",) * _count, "A", lambda budget, *a, run=_pick: _numbers(run, list(a)))
    add(_name, (_A,), "A", lambda budget, a, run=_pick: _numbers(run, a))


def _numbers(pick: Callable[..., Any], given: list[Any]) -> Any:
    items = given[0] if len(given) == 1 and isinstance(given[0], list) else given
    if not items or not all(is_number(each) for each in items):
        raise EvalError("no such overload")
    return pick(items, key=number)


add("math.abs", ("int",), "int", lambda budget, a: in_range(abs(a)))
add("math.abs", ("double",), "double", lambda budget, a: abs(a))
