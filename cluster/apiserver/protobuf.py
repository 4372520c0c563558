"""Protobuf request bodies: what kubectl 1.32 and later, helm and every modern Go controller send.

A body is four bytes `k8s\\0`, then an envelope that says what is inside and carries the object as bytes:

    k8s\\0 | Unknown { 1: TypeMeta {1: apiVersion, 2: kind}, 2: raw, 3: contentEncoding, 4: contentType }

On the wire a message is a row of (number, wire type, value). Names, kinds and Go's rules for empty values are in
data/wire.json.gz, which tools/wire_table reads out of the Go types: only they know that `replicas: 0` is a choice
(a pointer) while `minReadySeconds: 0` means "not said" (a plain number with omitempty).

Mirrors:  k8s.io/apimachinery/pkg/runtime/serializer/protobuf (protobuf.go)
Left out: groups, packed lists (the API has none).
Read next: protobuf_answers.py, the way back.
"""

import gzip
import math
import struct
from base64 import b64encode
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from cluster.objects import Manifest, times

PREFIX = b"k8s\x00"
NOT_PROTOBUF = "provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]"
MAX_DEPTH = 100
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


class Field(NamedTuple):
    """One field of a message. `kind`: a scalar's or a message's name; `shape`: "", "list" or "map"."""

    name: str
    kind: str
    shape: str
    rule: str  # "drop": left out when zero; "inline": its fields belong to the message around it.


class Wire(NamedTuple):
    """`kinds`: "apps/v1 Deployment" to the name of its message; `messages`: name to fields by number."""

    kinds: dict[str, str]
    messages: dict[str, dict[int, Field]]


@cache
def wire() -> Wire:
    """The table of all messages, read once."""
    packed = (Path(__file__).parent / "data" / "wire.json.gz").read_bytes()
    table = orjson.loads(gzip.decompress(packed))
    messages = {
        name: {
            int(number): Field(f["name"], f["kind"], f.get("shape", ""), f.get("rule", ""))
            for number, f in fields.items()
        }
        for name, fields in table["messages"].items()
    }
    return Wire(table["kinds"], messages)


def decode(body: bytes) -> Manifest:
    """The object in a `application/vnd.kubernetes.protobuf` body, as its JSON would be. Errors: ValueError."""
    if body[:4] != PREFIX:
        raise ValueError(NOT_PROTOBUF)
    api_version = kind = content_type = encoding = ""
    raw = b""
    for number, value in _fields(body[4:]):
        if number == 1:
            parts = {n: _text(v) for n, v in _fields(_as_bytes(value))}
            api_version, kind = parts.get(1, ""), parts.get(2, "")
        elif number == 2:
            raw = _as_bytes(value)
        elif number == 3:
            encoding = _text(value)
        elif number == 4:
            content_type = _text(value)
    if encoding or content_type not in ("", "application/vnd.kubernetes.protobuf"):
        raise ValueError(f"unable to decode: content type {content_type!r}, encoding {encoding!r}")
    message = wire().kinds.get(f"{api_version} {kind}")
    if message is None:
        # The real server tells the URL's kind apart later; without a message we can't read the bytes at all.
        raise ValueError(
            f'no kind "{kind}" is registered for version "{api_version}" in scheme "pkg/runtime/scheme.go:111"'
        )
    return {"kind": kind, "apiVersion": api_version, **_message(message, raw, 0)}


def _message(name: str, data: bytes, depth: int) -> Manifest:
    """The fields of one message under their JSON names."""
    if depth > MAX_DEPTH:
        raise ValueError(f"the body is nested more than {MAX_DEPTH} levels deep")
    known = wire().messages[name]
    found: Manifest = {}
    for number, value in _fields(data):
        field = known.get(number)
        if field is None:
            continue  # A field of a version we do not know: dropped, as Go does.
        if field.shape == "list":
            found.setdefault(field.name, []).append(_value(field.kind, value, depth))
        elif field.shape == "map":
            key, item = _entry(field.kind, _as_bytes(value), depth)
            found.setdefault(field.name, {})[key] = item
        elif field.rule == "inline":
            found |= _value(field.kind, value, depth)
        else:
            _put(found, field, _value(field.kind, value, depth))
    return found


def _put(found: Manifest, field: Field, item: Any) -> None:
    """Go's omitempty: a plain field's zero value was never said. Times without a moment are null, which is the same."""
    if item is None or (field.rule == "drop" and not item):
        found.pop(field.name, None)
    else:
        found[field.name] = item


def _entry(kind: str, data: bytes, depth: int) -> tuple[str, Any]:
    """A map's entry: a message of key (1) and value (2), either of which may be left out when empty."""
    key, item = "", _value(kind, 0 if kind in ("int", "uint", "bool") else b"", depth)
    for number, value in _fields(data):
        if number == 1:
            key = _text(value)
        elif number == 2:
            item = _value(kind, value, depth)
    return key, item


def _value(kind: str, value: int | bytes, depth: int) -> Any:
    reader = _SCALARS.get(kind)
    if reader is not None:
        return reader(value)
    union = _UNIONS.get(kind)
    return union(_as_bytes(value), depth) if union else _message(kind, _as_bytes(value), depth + 1)


# --- unions of CustomResourceDefinitions: a message in protobuf, one of its fields alone in JSON -----------------

_SCHEMA = "apiextensions/v1.JSONSchemaProps"


def _schema_or_bool(data: bytes, depth: int) -> Any:
    """{1: allowed?, 2: schema}"""
    parts = dict(_fields(data))
    return _message(_SCHEMA, _as_bytes(parts[2]), depth + 1) if 2 in parts else bool(_as_int(parts.get(1, 0)))


def _schema_or_list(data: bytes, depth: int) -> Any:
    """{1: schema, 2: schemas}"""
    parts = list(_fields(data))
    single = next((_as_bytes(value) for number, value in parts if number == 1), None)
    if single is not None:
        return _message(_SCHEMA, single, depth + 1)
    return [_message(_SCHEMA, _as_bytes(value), depth + 1) for number, value in parts if number == 2]


def _schema_or_strings(data: bytes, depth: int) -> Any:
    """{1: schema, 2: strings}"""
    parts = list(_fields(data))
    strings = [_text(value) for number, value in parts if number == 2]
    single = next((_as_bytes(value) for number, value in parts if number == 1), b"")
    return strings or _message(_SCHEMA, single, depth + 1)


_UNIONS: dict[str, Callable[[bytes, int], Any]] = {
    "schema-or-bool": _schema_or_bool,
    "schema-or-list": _schema_or_list,
    "schema-or-strings": _schema_or_strings,
}


# --- scalars and the types that have a JSON form of their own ---------------------------------------------------


def _as_bytes(value: int | bytes) -> bytes:
    if isinstance(value, int):
        raise ValueError("proto: wrong wireType: a number where bytes belong")
    return value


def _as_int(value: int | bytes) -> int:
    if not isinstance(value, int):
        raise ValueError("proto: wrong wireType: bytes where a number belongs")
    return value


def _text(value: int | bytes) -> str:
    return _as_bytes(value).decode()


def _signed(value: int | bytes) -> int:
    """Negative numbers are written as their two's complement in 64 bits."""
    number = _as_int(value) & 0xFFFF_FFFF_FFFF_FFFF
    return number - (1 << 64) if number >> 63 else number


def _numbers(value: int | bytes) -> tuple[int, int]:
    """(field 1, field 2) of a message of two integers."""
    found = {number: _signed(v) for number, v in _fields(_as_bytes(value))}
    return found.get(1, 0), found.get(2, 0)


def _double(value: int | bytes) -> float:
    """A float's eight bytes, which the wire's reader took for a number. Errors: ValueError for what JSON can't say."""
    number: float = struct.unpack("<d", _as_int(value).to_bytes(8, "little"))[0]
    if not math.isfinite(number):
        raise ValueError(f"json: unsupported value: {number}")
    return int(number) if number.is_integer() and abs(number) < 2**53 else number


def _time(value: int | bytes) -> str | None:
    seconds, _ = _numbers(value)
    return times.rfc3339(seconds * times.SECOND) if value else None


def _microtime(value: int | bytes) -> str | None:
    seconds, nanos = _numbers(value)
    return times.rfc3339_micro(seconds * times.SECOND + nanos // 1000) if value else None


def _quantity(value: int | bytes) -> str:
    return next((_text(v) for number, v in _fields(_as_bytes(value)) if number == 1), "0") or "0"


def _int_or_string(value: int | bytes) -> int | str:
    parts = dict(_fields(_as_bytes(value)))
    return _text(parts.get(3, b"")) if parts.get(1) == 1 else _signed(parts.get(2, 0))


def _strings(value: int | bytes) -> list[str]:
    return [_text(v) for number, v in _fields(_as_bytes(value)) if number == 1]


def _raw(value: int | bytes) -> Any:
    """RawExtension and FieldsV1: JSON inside protobuf."""
    text = next((_as_bytes(v) for number, v in _fields(_as_bytes(value)) if number == 1), b"")
    return orjson.loads(text) if text else None


_SCALARS: dict[str, Callable[[int | bytes], Any]] = {
    "string": _text,
    "bool": lambda value: bool(_as_int(value)),
    "int": _signed,
    "uint": _as_int,
    "double": _double,
    "bytes": lambda value: b64encode(_as_bytes(value)).decode(),
    "time": _time,
    "microtime": _microtime,
    "quantity": _quantity,
    "intorstring": _int_or_string,
    "strings": _strings,
    "raw": _raw,
}


# --- the wire ---------------------------------------------------------------------------------------------------


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """(number, value) of each field: a number for varints and fixed ones, else bytes. Errors: ValueError."""
    at, end = 0, len(data)
    while at < end:
        tag, at = _varint(data, at)
        number, wire_type = tag >> 3, tag & 7
        if wire_type == _VARINT:
            value, at = _varint(data, at)
            yield number, value
            continue
        if wire_type == _BYTES:
            size, at = _varint(data, at)
        elif wire_type in (_FIXED64, _FIXED32):
            size = 8 if wire_type == _FIXED64 else 4
        else:
            raise ValueError(f"proto: illegal wireType {wire_type}")
        piece = data[at : at + size]
        if len(piece) < size:
            raise ValueError("unexpected EOF")
        at += size
        yield number, piece if wire_type == _BYTES else int.from_bytes(piece, "little")


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """Seven bits a byte, least significant first; the top bit says that more follow."""
    value = shift = 0
    while True:
        if at >= len(data):
            raise ValueError("unexpected EOF")
        if shift > 63:
            raise ValueError("proto: integer overflow")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
