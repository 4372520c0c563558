"""OpenAPI v2 on the wire as protobuf: what kubectl asks for when a kind is in no document of v3.

The document is the JSON one, written by the table below: for each message its fields with number and form. Values that
the message can't hold (extensions, defaults) travel as YAML text, of which JSON is a part.

    >>> encode({"swagger": "2.0", "info": {"title": "K", "version": "1"}}).hex()
    '0a03322e3012060a014b120131'

Mirrors:  gnostic-models/openapiv2/OpenAPIv2.proto
Left out: what our own documents never have: headers, form data, examples, security.
Read next: openapi.py, which makes the document.
"""

import struct
from collections.abc import Iterator
from typing import Any, NamedTuple

import orjson

MEDIA = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"  # What clients ask for …
ANSWERED = MEDIA.replace("@", ".")  # … and how it is called in the answer, where an @ may not stand.
_NUMBER, _DOUBLE, _BYTES = 0, 1, 2  # Wire types.


class Field(NamedTuple):
    """`form`: text, flag, number, double, any, or the name of a message. `many`: repeated."""

    number: int
    form: str
    many: bool = False


_SCHEMA = {
    "$ref": Field(1, "text"), "format": Field(2, "text"), "title": Field(3, "text"), "description": Field(4, "text"),
    "default": Field(5, "any"), "multipleOf": Field(6, "double"), "maximum": Field(7, "double"),
    "exclusiveMaximum": Field(8, "flag"), "minimum": Field(9, "double"), "exclusiveMinimum": Field(10, "flag"),
    "maxLength": Field(11, "number"), "minLength": Field(12, "number"), "pattern": Field(13, "text"),
    "maxItems": Field(14, "number"), "minItems": Field(15, "number"), "uniqueItems": Field(16, "flag"),
    "maxProperties": Field(17, "number"), "minProperties": Field(18, "number"), "required": Field(19, "text", True),
    "enum": Field(20, "any", True), "additionalProperties": Field(21, "Additional"), "type": Field(22, "Types"),
    "items": Field(23, "Items"), "allOf": Field(24, "Schema", True), "properties": Field(25, "Schemas"),
}  # fmt: skip

_OPERATION = {
    "tags": Field(1, "text", True), "summary": Field(2, "text"), "description": Field(3, "text"),
    "operationId": Field(5, "text"), "produces": Field(6, "text", True), "consumes": Field(7, "text", True),
    "parameters": Field(8, "Parameter", True), "responses": Field(9, "Responses"),
}  # fmt: skip

_METHODS = ("get", "put", "post", "delete", "options", "head", "patch")
MESSAGES: dict[str, dict[str, Field]] = {
    "Document": {
        "swagger": Field(1, "text"), "info": Field(2, "Info"), "paths": Field(8, "Paths"),
        "definitions": Field(9, "Schemas"),
    },
    "Info": {"title": Field(1, "text"), "version": Field(2, "text"), "description": Field(3, "text")},
    "Schema": _SCHEMA,
    "Operation": _OPERATION,
    "PathItem": {
        **{method: Field(number, "Operation") for number, method in enumerate(_METHODS, 2)},
        "parameters": Field(9, "Parameter", True),
    },
    "Body": {
        "description": Field(1, "text"), "name": Field(2, "text"), "in": Field(3, "text"), "required": Field(4, "flag"),
        "schema": Field(5, "Schema"),
    },
    "Query": {
        "required": Field(1, "flag"), "in": Field(2, "text"), "description": Field(3, "text"), "name": Field(4, "text"),
        "type": Field(6, "text"), "format": Field(7, "text"), "uniqueItems": Field(20, "flag"),
    },
    "Path": {
        "required": Field(1, "flag"), "in": Field(2, "text"), "description": Field(3, "text"), "name": Field(4, "text"),
        "type": Field(5, "text"), "format": Field(6, "text"), "uniqueItems": Field(18, "flag"),
    },
    "Response": {"description": Field(1, "text"), "schema": Field(2, "Answer")},
}  # fmt: skip
# Where extensions (`x-kubernetes-…`) go: a list of names and values.
_EXTENSIONS = {"Schema": 31, "Operation": 13, "PathItem": 10, "Body": 6, "Query": 23, "Path": 22, "Document": 16}


def encode(document: dict[str, Any]) -> bytes:
    """The whole document."""
    return _message("Document", document)


def _message(name: str, value: dict[str, Any]) -> bytes:
    fields, extensions = MESSAGES[name], _EXTENSIONS.get(name)
    parts: list[bytes] = []
    for key, given in value.items():
        field = fields.get(key)
        if field is not None:
            parts += _field(field, given)
        elif extensions is not None and key.startswith("x-"):
            parts.append(_delimited(extensions, _named(key, _any(given))))
    return b"".join(parts)


def _field(field: Field, value: Any) -> Iterator[bytes]:
    if field.many:
        for element in value:
            yield from _field(field._replace(many=False), element)
    elif field.form == "flag":
        yield _tag(field.number, _NUMBER) + _varint(int(value))
    elif field.form == "number":
        yield _tag(field.number, _NUMBER) + _varint(value)
    elif field.form == "double":
        yield _tag(field.number, _DOUBLE) + struct.pack("<d", value)
    else:
        yield _delimited(field.number, _content(field.form, value))


def _content(form: str, value: Any) -> bytes:
    """The bytes of anything that has a length: a text, a message, or one of gnostic's wrappers around them."""
    if form == "text":
        return str(value).encode()
    if form == "any":
        return _any(value)
    if form == "Types":
        return _delimited(1, str(value).encode())
    if form in ("Items", "Answer"):
        return _delimited(1, _message("Schema", value))
    if form == "Additional":
        return _tag(2, _NUMBER) + _varint(int(value)) if isinstance(value, bool) else _content("Items", value)
    if form == "Schemas":
        return b"".join(_delimited(1, _named(name, _message("Schema", found))) for name, found in value.items())
    if form == "Paths":
        return b"".join(_delimited(2, _named(path, _message("PathItem", item))) for path, item in value.items())
    if form == "Responses":
        return b"".join(
            _delimited(1, _named(code, _delimited(1, _message("Response", r)))) for code, r in value.items()
        )
    if form == "Parameter":
        return _delimited(1, _parameter(value))
    return _message(form, value)


def _parameter(value: dict[str, Any]) -> bytes:
    if value.get("in") == "body":
        return _delimited(1, _message("Body", value))
    number, name = (4, "Path") if value.get("in") == "path" else (3, "Query")
    return _delimited(2, _delimited(number, _message(name, value)))


def _any(value: Any) -> bytes:
    return _delimited(2, orjson.dumps(value) + b"\n")


def _named(name: str, value: bytes) -> bytes:
    return _delimited(1, name.encode()) + _delimited(2, value)


def _delimited(number: int, content: bytes) -> bytes:
    return _tag(number, _BYTES) + _varint(len(content)) + content


def _tag(number: int, wire: int) -> bytes:
    return _varint(number << 3 | wire)


def _varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    made = bytearray()
    while value > 0x7F:
        made.append(value & 0x7F | 0x80)
        value >>= 7
    made.append(value)
    return bytes(made)
