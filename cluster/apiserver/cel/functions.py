"""CEL's functions: operators, conversions, time, optionals. texts.py and kubernetes.py add theirs.

An overload says which types it takes and gives; `call` finds the one for some values. Each is a pure function of
(budget, arguments) and pays for the size of what it looks at.

Mirrors:  github.com/google/cel-go/common/stdlib
Left out: named time zones (what they mean is not the same on every machine): UTC and offsets only.
Read next: texts.py, kubernetes.py.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from cluster.apiserver.cel.values import (
    NONE,
    UINT_MAX,
    Budget,
    Duration,
    EvalError,
    MapList,
    Opaque,
    Optional,
    SetList,
    Timestamp,
    TypeValue,
    Uint,
    contains,
    equal,
    in_range,
    is_number,
    key_of,
    number,
    type_of,
)

Type = Any  # "int", "dyn" …, ("list", T), ("map", K, V), ("optional", T); single capital letters stand for any type.
Impl = Callable[..., Any]
LONGEST = 1_000_000  # Characters or elements of a value that a function may make.


class Overload(NamedTuple):
    args: tuple[Type, ...]
    result: Type
    impl: Impl


GLOBAL: dict[str, list[Overload]] = {}
MEMBER: dict[str, list[Overload]] = {}
FIELDS: dict[str, dict[str, Type]] = {}  # Types with fields, `authorizer.requestResource`; content has `fields`, too.


def add(name: str, args: tuple[Type, ...], result: Type, impl: Impl, member: bool = False) -> None:
    (MEMBER if member else GLOBAL).setdefault(name, []).append(Overload(args, result, impl))


def add_member(name: str, args: tuple[Type, ...], result: Type, impl: Impl) -> None:
    add(name, args, result, impl, member=True)


def has_type(value: Any, wanted: Type) -> bool:
    """Is `value` of that type, as far as one look tells? Elements are not looked at."""
    if isinstance(wanted, tuple):
        if wanted[0] == "optional":
            return isinstance(value, Optional)
        return isinstance(value, list if wanted[0] == "list" else dict)
    if wanted == "dyn" or len(wanted) == 1:
        return True
    test = _TESTS.get(wanted)
    return test(value) if test is not None else isinstance(value, Opaque) and value.type == wanted


_TESTS: dict[str, Callable[[Any], bool]] = {
    "int": lambda v: isinstance(v, int) and not isinstance(v, bool),
    "uint": lambda v: isinstance(v, Uint),
    "double": lambda v: isinstance(v, float),
    "bool": lambda v: isinstance(v, bool),
    "string": lambda v: isinstance(v, str),
    "bytes": lambda v: isinstance(v, bytes),
    "null_type": lambda v: v is None,
    "duration": lambda v: isinstance(v, Duration),
    "timestamp": lambda v: isinstance(v, Timestamp),
    "type": lambda v: isinstance(v, TypeValue),
}


def call(overloads: list[Overload], budget: Budget, args: list[Any]) -> Any:
    """Errors: EvalError."""
    budget.spend()
    for each in overloads:
        if len(each.args) == len(args) and all(map(has_type, args, each.args)):
            return each.impl(budget, *args)
    raise EvalError("no such overload")


# --- operators --------------------------------------------------------------------------------------------------


def _int(compute: Callable[[int, int], int]) -> Impl:
    return lambda budget, a, b: in_range(compute(a, b))


def _uint(compute: Callable[[int, int], int]) -> Impl:
    def run(budget: Budget, a: Uint, b: Uint) -> Uint:
        made = compute(a.value, b.value)
        if not 0 <= made <= UINT_MAX:
            raise EvalError("unsigned integer overflow")
        return Uint(made)

    return run


def _divide(a: int, b: int) -> int:
    if b == 0:
        raise EvalError("division by zero")
    made = abs(a) // abs(b)
    return made if (a < 0) == (b < 0) else -made


def _modulo(a: int, b: int) -> int:
    if b == 0:
        raise EvalError("modulus by zero")
    return a - b * _divide(a, b)


def _float_divide(budget: Budget, a: float, b: float) -> float:
    if b == 0:
        return float("nan") if a == 0 or a != a else float("inf") if (a > 0) else float("-inf")
    return a / b


def _joined(budget: Budget, a: Any, b: Any) -> Any:
    budget.spend((len(a) + len(b)) // 10)
    if len(a) + len(b) > LONGEST:
        raise EvalError("value too large")
    return a + b


def _list_joined(budget: Budget, a: list[Any], b: list[Any]) -> list[Any]:
    if isinstance(a, SetList):
        return SetList([*a, *(item for item in b if not contains(a, item, budget))])
    if isinstance(a, MapList):
        fresh = {_keys(item, a.keys): item for item in b}
        made = MapList(fresh.pop(_keys(item, a.keys), item) for item in a)
        made.extend(fresh.values())
        made.keys = a.keys
        return made
    return list(_joined(budget, list(a), list(b)))


def _keys(item: Any, names: tuple[str, ...]) -> tuple[str, ...]:
    """What tells an element from the others: its keys, which are scalars."""
    found = [item.get(name) if isinstance(item, dict) else None for name in names]
    return tuple(type_of(each) if isinstance(each, (dict, list)) else repr(each) for each in found)


for _sign, _plain in (("_+_", lambda a, b: a + b), ("_-_", lambda a, b: a - b), ("_*_", lambda a, b: a * b)):
    add(_sign, ("int", "int"), "int", _int(_plain))
    add(_sign, ("uint", "uint"), "uint", _uint(_plain))
    add(_sign, ("double", "double"), "double", lambda budget, a, b, run=_plain: run(a, b))
for _sign, _exact in (("_/_", _divide), ("_%_", _modulo)):
    add(_sign, ("int", "int"), "int", _int(_exact))
    add(_sign, ("uint", "uint"), "uint", _uint(_exact))
add("_/_", ("double", "double"), "double", _float_divide)
add("_+_", ("string", "string"), "string", _joined)
add("_+_", ("bytes", "bytes"), "bytes", _joined)
add("_+_", (("list", "A"), ("list", "A")), ("list", "A"), _list_joined)
add("_+_", ("duration", "duration"), "duration", lambda budget, a, b: Duration(in_range(a.ns + b.ns)))
add("_-_", ("duration", "duration"), "duration", lambda budget, a, b: Duration(in_range(a.ns - b.ns)))
add("_+_", ("timestamp", "duration"), "timestamp", lambda budget, a, b: _moment(a.ns + b.ns))
add("_+_", ("duration", "timestamp"), "timestamp", lambda budget, a, b: _moment(a.ns + b.ns))
add("_-_", ("timestamp", "duration"), "timestamp", lambda budget, a, b: _moment(a.ns - b.ns))
add("_-_", ("timestamp", "timestamp"), "duration", lambda budget, a, b: Duration(in_range(a.ns - b.ns)))
add("-_", ("int",), "int", lambda budget, a: in_range(-a))
add("-_", ("double",), "double", lambda budget, a: -a)
add("-_", ("duration",), "duration", lambda budget, a: Duration(in_range(-a.ns)))
add("!_", ("bool",), "bool", lambda budget, a: not a)
add("_==_", ("A", "A"), "bool", lambda budget, a, b: equal(a, b, budget))
add("_!=_", ("A", "A"), "bool", lambda budget, a, b: not equal(a, b, budget))
_NUMBERS = ("int", "uint", "double")
_ORDER: dict[str, Callable[[Any, Any], bool]] = {
    "_<_": lambda a, b: bool(a < b),
    "_<=_": lambda a, b: bool(a <= b),
    "_>_": lambda a, b: bool(a > b),
    "_>=_": lambda a, b: bool(a >= b),
}
for _sign, _compare in _ORDER.items():
    for _a in _NUMBERS:
        for _b in _NUMBERS:
            add(_sign, (_a, _b), "bool", lambda budget, a, b, run=_compare: run(number(a), number(b)))
    for _type in ("string", "bytes", "bool"):
        add(_sign, (_type, _type), "bool", lambda budget, a, b, run=_compare: run(a, b))
    for _type in ("duration", "timestamp"):
        add(_sign, (_type, _type), "bool", lambda budget, a, b, run=_compare: run(a.ns, b.ns))


def _in_map(budget: Budget, key: Any, value: dict[Any, Any]) -> bool:
    try:
        return key_of(key) in value
    except EvalError:
        return False


add("@in", ("A", ("list", "A")), "bool", lambda budget, a, b: contains(b, a, budget))
add("@in", ("A", ("map", "A", "B")), "bool", _in_map)


def index(budget: Budget, value: list[Any], at: Any) -> Any:
    place = number(at)
    if isinstance(place, float) and not place.is_integer():
        raise EvalError("unsupported index value")
    if not 0 <= place < len(value):
        raise EvalError(f"index out of bounds: {int(place)}")
    return value[int(place)]


def lookup(budget: Budget, value: dict[Any, Any], key: Any) -> Any:
    found = key_of(key)
    if found not in value:
        raise EvalError(f"no such key: {_shown_key(found)}")
    return value[found]


def _shown_key(key: Any) -> str:
    return str(key).lower() if isinstance(key, bool) else str(key)


add("_[_]", (("list", "A"), "int"), "A", index)
add("_[_]", (("list", "A"), "uint"), "A", index)
add("_[_]", (("list", "A"), "double"), "A", index)
add("_[_]", (("map", "A", "B"), "A"), "B", lookup)


def _maybe(find: Impl) -> Impl:
    def run(budget: Budget, value: Any, key: Any) -> Optional:
        if isinstance(value, Optional):
            return run(budget, value.value, key) if value.present else NONE
        try:
            return Optional(find(budget, value, key), True)
        except EvalError:
            return NONE

    return run


add("_[?_]", (("list", "A"), "int"), ("optional", "A"), _maybe(index))
add("_[?_]", (("map", "A", "B"), "A"), ("optional", "B"), _maybe(lookup))
add("_[?_]", (("optional", ("list", "A")), "int"), ("optional", "A"), _maybe(index))
add("_[?_]", (("optional", ("map", "A", "B")), "A"), ("optional", "B"), _maybe(lookup))

# --- sizes and conversions --------------------------------------------------------------------------------------

_SIZED: tuple[Type, ...] = ("string", "bytes", ("list", "A"), ("map", "A", "B"))
for _sized in _SIZED:
    add("size", (_sized,), "int", lambda budget, a: len(a))
    add_member("size", (_sized,), "int", lambda budget, a: len(a))


def _to_int(budget: Budget, value: Any) -> int:
    if isinstance(value, str):
        if not re.fullmatch(r"[-+]?[0-9]{1,20}", value):
            raise EvalError(f'strconv.ParseInt: parsing "{value}": invalid syntax')
        return in_range(int(value))
    if isinstance(value, float):
        if not -9.3e18 < value < 9.3e18:
            raise EvalError("integer overflow")
        return in_range(int(value))
    if isinstance(value, Timestamp):
        return value.ns // 1_000_000_000
    if isinstance(value, Duration):
        return value.ns
    return in_range(int(number(value)))


def _to_uint(budget: Budget, value: Any) -> Uint:
    made = value.value if isinstance(value, Uint) else -1
    is_text = isinstance(value, str) and re.fullmatch(r"[0-9]{1,20}", value)
    if is_text or ((has_type(value, "int") or isinstance(value, float)) and 0 <= value < 2e19):
        made = int(value)
    if not 0 <= made <= UINT_MAX:
        raise EvalError("unsigned integer overflow")
    return Uint(made)


_FLOAT = re.compile(r"[-+]?([0-9]+\.?[0-9]*([eE][-+]?[0-9]{1,4})?|\.[0-9]+|[Ii]nf|[Nn]a[Nn])")


def _to_double(budget: Budget, value: Any) -> float:
    if isinstance(value, str):
        if len(value) > 400 or not _FLOAT.fullmatch(value):
            raise EvalError(f'strconv.ParseFloat: parsing "{value}": invalid syntax')
        return float(value)
    return float(number(value))


def text(value: Any) -> str:
    """A value as string() gives it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e21 else repr(value)
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            raise EvalError("invalid UTF-8") from None
    if isinstance(value, Timestamp):
        return _stamp(value)
    if isinstance(value, Duration):
        return f"{_trimmed(value.ns)}s"
    if isinstance(value, Opaque):
        return _opaque_text(value)
    return value if isinstance(value, str) else str(number(value))


def _trimmed(ns: int) -> str:
    whole, part = divmod(abs(ns), 1_000_000_000)
    return ("-" if ns < 0 else "") + str(whole) + (f".{part:09d}".rstrip("0") if part else "")


def _opaque_text(value: Opaque) -> str:
    if value.type == "url":
        return str(value.content)
    if value.type in ("ip", "cidr"):
        return str(value.content)
    raise EvalError("no such overload")


def _to_bool(budget: Budget, value: Any) -> bool:
    if isinstance(value, str):
        if value in ("1", "t", "T", "TRUE", "true", "True"):
            return True
        if value in ("0", "f", "F", "FALSE", "false", "False"):
            return False
        raise EvalError(f'strconv.ParseBool: parsing "{value}": invalid syntax')
    return bool(value)


for _type in ("int", "uint", "double", "string", "timestamp", "duration"):
    add("int", (_type,), "int", _to_int)
for _type in ("int", "uint", "double", "string"):
    add("uint", (_type,), "uint", _to_uint)
    add("double", (_type,), "double", _to_double)
for _type in ("int", "uint", "double", "string", "bool", "bytes", "timestamp", "duration", "url", "ip", "cidr"):
    add("string", (_type,), "string", lambda budget, a: text(a))
add("bytes", ("string",), "bytes", lambda budget, a: a.encode("utf-8", "surrogatepass"))
add("bytes", ("bytes",), "bytes", lambda budget, a: a)
for _type in ("bool", "string"):
    add("bool", (_type,), "bool", _to_bool)
add("dyn", ("A",), "dyn", lambda budget, a: a)
add("type", ("A",), "type", lambda budget, a: TypeValue(type_of(a)))

# --- time -------------------------------------------------------------------------------------------------------

_UNITS = {"h": 3600 * 10**9, "m": 60 * 10**9, "s": 10**9, "ms": 10**6, "us": 10**3, "µs": 10**3, "ns": 1}
_DURATION = re.compile(r"([-+]?)((?:[0-9]{1,20}(?:\.[0-9]{0,20})?(?:h|ms|m|s|us|µs|ns)){1,10}|0)")
_STAMP = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def duration(given: str) -> Duration:
    """`1h30m`. Errors: EvalError."""
    found = _DURATION.fullmatch(given)
    if found is None:
        raise EvalError(f'time: invalid duration "{given}"')
    total = Decimal(0)
    for amount, unit in re.findall(r"([0-9]+(?:\.[0-9]*)?)(h|ms|m|s|us|µs|ns)", found.group(2)):
        total += Decimal(amount) * _UNITS[unit]
    made = int(total) * (-1 if found.group(1) == "-" else 1)
    if not -(1 << 63) <= made < 1 << 63:
        raise EvalError(f'time: invalid duration "{given}"')
    return Duration(made)


def timestamp(given: str) -> Timestamp:
    """`2026-11-24T02:20:00Z`. Errors: EvalError."""
    found = _STAMP.fullmatch(given)
    try:
        if found is None:
            raise ValueError
        moment = datetime.fromisoformat(found.group(1) + found.group(3).replace("Z", "+00:00"))
    except ValueError:
        layout = "2006-01-02T15:04:05Z07:00"
        told = f'parsing time "{given}" as "{layout}": cannot parse "{given}" as "2006"'
        raise EvalError(told) from None
    delta = moment - _EPOCH
    return _moment((delta.days * 86400 + delta.seconds) * 10**9 + int((found.group(2) or "0").ljust(9, "0")))


def _moment(ns: int) -> Timestamp:
    if not -62135596800 * 10**9 <= ns <= 253402300799 * 10**9 + 999_999_999:
        raise EvalError("timestamp overflow")
    return Timestamp(ns)


def _local(value: Timestamp, zone: str = "UTC") -> datetime:
    moment = _EPOCH + timedelta(seconds=value.ns // 10**9)
    offset = re.fullmatch(r"([+-]?)(\d\d):(\d\d)", zone)
    if zone in ("", "UTC"):
        return moment
    try:
        if offset is None:
            raise ValueError
        shift = timedelta(hours=int(offset.group(2)), minutes=int(offset.group(3)))
        return moment - shift if offset.group(1) == "-" else moment + shift
    except (ValueError, OverflowError):
        raise EvalError(f"unknown time zone {zone}") from None


def _stamp(value: Timestamp) -> str:
    part = value.ns % 10**9
    moment = _EPOCH + timedelta(seconds=value.ns // 10**9)
    return moment.strftime("%Y-%m-%dT%H:%M:%S").rjust(19, "0") + (f".{part:09d}".rstrip("0") if part else "") + "Z"


_PARTS: dict[str, Callable[[datetime], int]] = {
    "getFullYear": lambda t: t.year,
    "getMonth": lambda t: t.month - 1,
    "getDate": lambda t: t.day,
    "getDayOfMonth": lambda t: t.day - 1,
    "getDayOfWeek": lambda t: t.isoweekday() % 7,
    "getDayOfYear": lambda t: t.timetuple().tm_yday - 1,
    "getHours": lambda t: t.hour,
    "getMinutes": lambda t: t.minute,
    "getSeconds": lambda t: t.second,
}
add("duration", ("string",), "duration", lambda budget, a: duration(a))
add("duration", ("duration",), "duration", lambda budget, a: a)
add("timestamp", ("string",), "timestamp", lambda budget, a: timestamp(a))
add("timestamp", ("timestamp",), "timestamp", lambda budget, a: a)
add("timestamp", ("int",), "timestamp", lambda budget, a: _moment(a * 10**9))
for _name, _part in _PARTS.items():
    add_member(_name, ("timestamp",), "int", lambda budget, a, run=_part: run(_local(a)))
    add_member(_name, ("timestamp", "string"), "int", lambda budget, a, zone, run=_part: run(_local(a, zone)))
add_member("getMilliseconds", ("timestamp",), "int", lambda budget, a: a.ns % 10**9 // 10**6)
for _name, _size in (("getHours", 3600 * 10**9), ("getMinutes", 60 * 10**9), ("getSeconds", 10**9)):
    add_member(_name, ("duration",), "int", lambda budget, a, by=_size: _divide(a.ns, by))
add_member("getMilliseconds", ("duration",), "int", lambda budget, a: _divide(a.ns, 10**6))

# --- shared -----------------------------------------------------------------------------------------------------


def paid(run: Callable[..., Any]) -> Impl:
    """A function whose cost is the length of its texts."""

    def paying(budget: Budget, *args: Any) -> Any:
        budget.spend(sum(len(each) for each in args if isinstance(each, str)) // 10)
        made = run(*args)
        if isinstance(made, (str, list)) and len(made) > LONGEST:
            raise EvalError("value too large")
        return made

    return paying


# --- optionals --------------------------------------------------------------------------------------------------

_O = ("optional", "A")


def _value(budget: Budget, a: Optional) -> Any:
    if not a.present:
        raise EvalError("optional.none() dereference")
    return a.value


def _is_zero(value: Any) -> bool:
    return value is None or value in ("", b"", False) or (is_number(value) and number(value) == 0) or value in ([], {})


add("optional.of", ("A",), _O, lambda budget, a: Optional(a, True))
add("optional.ofNonZeroValue", ("A",), _O, lambda budget, a: NONE if _is_zero(a) else Optional(a, True))
add("optional.none", (), ("optional", "dyn"), lambda budget: NONE)
add_member("hasValue", (_O,), "bool", lambda budget, a: a.present)
add_member("value", (_O,), "A", _value)
add_member("orValue", (_O, "A"), "A", lambda budget, a, b: a.value if a.present else b)
add_member("or", (_O, _O), _O, lambda budget, a, b: a if a.present else b)
