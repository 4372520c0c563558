"""From a body to what a Go struct would hold, and how Go would write that struct again.

A body and its type are walked side by side: wrong types are Go's errors, unknown fields are dropped and reported,
quantities and times become canonical, null counts as absent. Then the object gets the shape that Go gives it: fields in
Go's order, empty ones left out, and those that Go always writes (`status: {}`, `lastProbeTime: null`) filled in.

Mirrors:  encoding/json into and out of the Go types; sigs.k8s.io/json's strict mode
"""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from cluster.apiserver.schema.types import Type, compile_type, field, named, raw_rules
from cluster.objects import errors, quantity, times

_BASE64 = re.compile(r"[A-Za-z0-9+/]*={0,2}")
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)")
_LIMITS = {"int32": 1 << 31, "int64": 1 << 63}
_EMPTY: dict[str, Any] = {"blank": "", "zero": 0, "amount": "0", "false": False, "null": None}


class WrongType(Exception):
    """Go's json: cannot unmarshal …"""


def decode(kind: Type, value: dict[str, Any], label: str) -> tuple[dict[str, Any], list[str]]:
    """(`value` as the type would hold it, complaints about unknown fields). `label`: how errors call the body.

    Errors: BadRequest in Go's words.
    """
    unknown: list[str] = []
    try:
        return _object(kind, value, "", "", unknown), unknown
    except WrongType as error:
        raise errors.BadRequest(f"{label}: {error}") from error


@lru_cache(maxsize=4096)
def zero(path: str) -> dict[str, Any]:
    """What Go writes for a struct that nobody filled: `{}`, or the fields that are always there."""
    return _as_written(named(path), {})


@lru_cache(maxsize=4096)
def blank(path: str) -> dict[str, Any]:
    """What Go's own struct looks like before anybody filled it: lists that must be given are null there, not absent."""
    result: dict[str, Any] = {}
    kind = named(path)
    for name, rule in raw_rules(path):
        if rule == "struct":
            inner = field(kind, name)
            result[name] = blank(inner.path) if inner is not None and inner.path else {}
        elif rule in _EMPTY:
            result[name] = _EMPTY[rule]
    return result


def _as_written(kind: Type, given: dict[str, Any]) -> dict[str, Any]:
    """The struct as Go writes it: its order of fields, and its rules for empty ones."""
    if kind.rules is None:
        return given
    result = {}
    for name, rule in kind.rules:
        value = given.get(name)
        if value is not None and (value or rule != "omit"):
            result[name] = value
        elif rule == "struct":
            inner = field(kind, name)
            result[name] = zero(inner.path) if inner is not None and inner.path else {}
        elif rule in _EMPTY:
            result[name] = _EMPTY[rule]
    return result


def _wrong(value: Any, struct: str, path: str, wanted: str) -> WrongType:
    shown = {dict: "object", list: "array", str: "string", bool: "bool"}.get(type(value), "number")
    if shown == "number" and (isinstance(value, float) or wanted in _LIMITS):
        shown = f"number {value}"
    return WrongType(f"json: cannot unmarshal {shown} into Go struct field {struct}.{path} of type {wanted}")


def _object(kind: Type, value: dict[str, Any], path: str, shown: str, unknown: list[str]) -> dict[str, Any]:
    """`path`: as Go names it (no indexes); `shown`: as an unknown field is reported (with indexes)."""
    result = {}
    fields = kind.fields or {}
    for name, given in value.items():
        schema = fields.get(name)
        where, seen = (f"{path}.{name}", f"{shown}.{name}") if path else (name, name)
        if schema is None:
            unknown.append(f'unknown field "{seen}"')
        elif given is not None:
            result[name] = _value(compile_type(schema), given, kind.name, where, seen, unknown)
    return _as_written(kind, result)


def _value(kind: Type, value: Any, struct: str, path: str, shown: str, unknown: list[str]) -> Any:
    what = kind.kind
    if what == "object":
        if not isinstance(value, dict):
            raise _wrong(value, struct, path, kind.go)
        return _object(kind, value, path, shown, unknown)
    if what == "list":
        if not isinstance(value, list):
            raise _wrong(value, struct, path, kind.go)
        return [_entry(kind.item, item, struct, path, f"{shown}[{n}]", unknown) for n, item in enumerate(value)]
    if what == "map":
        if not isinstance(value, dict):
            raise _wrong(value, struct, path, kind.go)
        entries = sorted(value.items()) if len(value) > 1 else value.items()  # As Go writes its maps.
        if kind.item.kind == "quantity":  # A list of resources.
            return {key: _resource(kind.item, item, struct, path) for key, item in entries}
        return {key: _entry(kind.item, item, struct, path, f"{shown}.{key}", unknown) for key, item in entries}
    if what == "any":
        return value
    return _scalar(kind, value, struct, path)


def _entry(kind: Type, value: Any, struct: str, path: str, shown: str, unknown: list[str]) -> Any:
    """An element of a list or map: null there is the type's zero."""
    if value is not None:
        return _value(kind, value, struct, path, shown, unknown)
    if kind.kind == "object":
        return zero(kind.path) if kind.path else {}
    return _ZEROS.get(kind.kind, 0 if kind.kind == "int-or-string" else None)


_ZEROS: dict[str, Any] = {"string": "", "integer": 0, "number": 0, "boolean": False, "quantity": "0"}


def _scalar(kind: Type, value: Any, struct: str, path: str) -> Any:
    if not _SCALARS[kind.kind](kind, value):
        raise _wrong(value, struct, path, kind.go)
    if kind.kind == "quantity":
        return _quantity(str(value), quantity.canonical)
    if kind.format == "byte":
        return _base64(value)
    if kind.format == "date-time":
        return _time(value, kind.name)
    return value


def _resource(kind: Type, value: Any, struct: str, path: str) -> str:
    if value is not None and not _is_plain(kind, value):
        raise _wrong(value, struct, path, kind.go)
    return _quantity("0" if value is None else str(value), quantity.canonical_resource)


def _quantity(text: str, canonical: Callable[[str], str]) -> str:
    try:
        return canonical(text.strip())
    except ValueError:
        raise WrongType(quantity.refusal(text.strip())) from None


def _is_integer(kind: Type, value: Any) -> bool:
    limit = _LIMITS.get(kind.format, 1 << 63)
    return isinstance(value, int) and not isinstance(value, bool) and -limit <= value < limit


def _is_plain(kind: Type, value: Any) -> bool:
    return isinstance(value, (str, int, float)) and not isinstance(value, bool)


def _is_int_or_string(kind: Type, value: Any) -> bool:
    return isinstance(value, str) or (_is_plain(kind, value) and isinstance(value, int) and -1 << 31 <= value < 1 << 31)


_SCALARS: dict[str, Any] = {
    "string": lambda kind, value: isinstance(value, str),
    "integer": _is_integer,
    "number": lambda kind, value: isinstance(value, (int, float)) and not isinstance(value, bool),
    "boolean": lambda kind, value: isinstance(value, bool),
    "quantity": _is_plain,
    "int-or-string": _is_int_or_string,
}


def _base64(text: str) -> str:
    """Standard base64. Line breaks are allowed, and gone afterwards."""
    text = text.replace("\n", "").replace("\r", "")
    if len(text) % 4 or not _BASE64.fullmatch(text):
        bad = next((n for n, char in enumerate(text) if not re.match(r"[A-Za-z0-9+/=]", char)), len(text) // 4 * 4)
        raise WrongType(f"illegal base64 data at input byte {bad}")
    return text


def _time(text: str, kind: str) -> str:
    """The moment in UTC: whole seconds, or six digits for a MicroTime."""
    layout = "2006-01-02T15:04:05.000000Z07:00" if kind == "MicroTime" else "2006-01-02T15:04:05Z07:00"
    if not _RFC3339.fullmatch(text):
        raise WrongType(f'parsing time "{text}" as "{layout}": cannot parse "{text}" as "2006"')
    try:
        moment = times.parse(text.upper())
    except ValueError as error:
        raise WrongType(f'parsing time "{text}": {_range_problem(str(error))} out of range') from error
    return times.rfc3339_micro(moment) if kind == "MicroTime" else times.rfc3339(moment)


def _range_problem(text: str) -> str:
    return next((part for part in ("month", "day", "hour", "minute", "second") if part in text), "year")
