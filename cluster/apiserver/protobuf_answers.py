"""Protobuf answers, for clients that take nothing else: the reverse of protobuf.py, after the same table.

    k8s\\0 | Unknown { 1: TypeMeta {1: apiVersion, 2: kind}, 2: raw, 3: contentEncoding, 4: contentType }
    a watch's frame: four bytes of length | WatchEvent { 1: type, 2: RawExtension { 1: an object as above } }

Who takes JSON, too, gets JSON: that is how objects are stored, and they are passed on without being read.

Mirrors:  k8s.io/apimachinery/pkg/runtime/serializer/protobuf (protobuf.go)
Left out: zero values of fields that are no pointers, which Go writes and reads back as the same zeros.
"""

import struct
from base64 import b64decode
from collections.abc import Callable
from typing import Any

import orjson

from cluster.apiserver.protobuf import PREFIX, Field, wire
from cluster.objects import Manifest, times

_METADATA = "meta.k8s.io/v1"
_OBJECT_META, _LIST_META = "meta/v1.ObjectMeta", "meta/v1.ListMeta"
_SCHEMA = "apiextensions/v1.JSONSchemaProps"


def encode(obj: Manifest) -> bytes:
    """An object as a whole body. Errors: KeyError for a kind that has no protobuf form."""
    kind, api_version = obj["kind"], obj["apiVersion"]
    if api_version == _METADATA and kind == "PartialObjectMetadata":
        raw = _part(1, _message(_OBJECT_META, obj.get("metadata") or {}))
    elif api_version == _METADATA and kind == "PartialObjectMetadataList":
        items = b"".join(_part(2, _part(1, _message(_OBJECT_META, item["metadata"]))) for item in obj["items"])
        raw = _part(1, _message(_LIST_META, obj["metadata"])) + items
    else:
        raw = _message(wire().kinds[f"{api_version} {kind}"], obj)
    typed = _part(1, api_version.encode()) + _part(2, kind.encode())
    return PREFIX + _part(1, typed) + _part(2, raw) + _part(3, b"") + _part(4, b"")


def frame(kind: str, obj: Manifest) -> bytes:
    """One event of a watch. Errors: KeyError."""
    event = _part(1, kind.encode()) + _part(2, _part(1, encode(obj)))
    return struct.pack(">I", len(event)) + event


def _message(name: str, obj: Manifest) -> bytes:
    """The fields of `obj` that the message has, in order of their numbers."""
    parts: list[bytes] = []
    for number, field in sorted(wire().messages[name].items()):
        if field.rule == "inline":
            parts.append(_part(number, _message(field.kind, obj)))
            continue
        value = obj.get(field.name)
        if value is not None:
            parts.append(_field(number, field, value))
    return b"".join(parts)


def _field(number: int, field: Field, value: Any) -> bytes:
    if field.shape == "list":
        return b"".join(_value(number, field.kind, each) for each in value)
    if field.shape == "map":
        entries = (_part(1, key.encode()) + _value(2, field.kind, each) for key, each in sorted(value.items()))
        return b"".join(_part(number, entry) for entry in entries)
    return _value(number, field.kind, value)


def _value(number: int, kind: str, value: Any) -> bytes:
    if kind in ("int", "uint", "bool"):
        return _varint(number << 3) + _varint(int(value) & 0xFFFF_FFFF_FFFF_FFFF)
    if kind == "double":
        return _varint(number << 3 | 1) + struct.pack("<d", value)
    writer = _WRITERS.get(kind)
    return _part(number, writer(value) if writer else _message(kind, value))


# --- types that have a JSON form of their own -------------------------------------------------------------------


def _moment(stamp: str) -> bytes:
    seconds, micros = divmod(times.parse(stamp), times.SECOND)
    return _value(1, "int", seconds) + _value(2, "int", micros * 1000)


def _int_or_string(value: int | str) -> bytes:
    is_text = isinstance(value, str)
    number, text = (0, str(value)) if is_text else (int(value), "")
    return _value(1, "int", int(is_text)) + _value(2, "int", number) + _part(3, text.encode())


def _schema_or_bool(value: Any) -> bytes:
    if isinstance(value, bool):
        return _value(1, "bool", value)
    return _value(1, "bool", True) + _part(2, _message(_SCHEMA, value))


def _schema_or_list(value: Any) -> bytes:
    if isinstance(value, dict):
        return _part(1, _message(_SCHEMA, value))
    return b"".join(_part(2, _message(_SCHEMA, each)) for each in value)


def _schema_or_strings(value: Any) -> bytes:
    if isinstance(value, dict):
        return _part(1, _message(_SCHEMA, value))
    return b"".join(_part(2, each.encode()) for each in value)


_WRITERS: dict[str, Callable[[Any], bytes]] = {
    "string": lambda value: str(value).encode(),
    "bytes": b64decode,
    "time": _moment,
    "microtime": _moment,
    "quantity": lambda value: _part(1, str(value).encode()),
    "intorstring": _int_or_string,
    "strings": lambda value: b"".join(_part(1, each.encode()) for each in value),
    "raw": lambda value: _part(1, orjson.dumps(value)),
    "schema-or-bool": _schema_or_bool,
    "schema-or-list": _schema_or_list,
    "schema-or-strings": _schema_or_strings,
}


# --- the wire ---------------------------------------------------------------------------------------------------


def _part(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    made = bytearray()
    while value > 0x7F:
        made.append(value & 0x7F | 0x80)
        value >>= 7
    made.append(value)
    return bytes(made)
