"""The protobuf form of OpenAPI v2, read back by a reader that knows nothing but the wire."""

from collections.abc import Iterator
from typing import Any

import orjson

from cluster.apiserver import openapi, openapi_wire


def fields(data: bytes) -> Iterator[tuple[int, Any]]:
    """(number, value) of each field of a message; values with a length are bytes."""
    at = 0
    while at < len(data):
        tag, at = varint(data, at)
        if tag & 7 == 0:
            value, at = varint(data, at)
        elif tag & 7 == 1:
            value, at = data[at : at + 8], at + 8
        else:
            assert tag & 7 == 2
            size, at = varint(data, at)
            value, at = data[at : at + size], at + size
        yield tag >> 3, value
    assert at == len(data)


def varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value, shift, at = value | (byte & 0x7F) << shift, shift + 7, at + 1
        if byte < 0x80:
            return value, at


def named(data: bytes) -> tuple[str, bytes]:
    found = dict(fields(data))
    return found[1].decode(), found[2]


def test_every_type_and_every_path_is_in_the_document():
    document = orjson.loads(openapi.document_v2().body())

    wire = dict(fields(openapi.document_v2_wire().body()))

    assert wire[1] == b"2.0"
    assert [named(value)[0] for _, value in fields(wire[9])] == list(document["definitions"])
    assert [named(value)[0] for _, value in fields(wire[8])] == list(document["paths"])


def test_a_type_says_which_kind_it_is_as_yaml():
    made = openapi_wire.encode({"definitions": {"A": {"type": "object", "x-kubernetes-int-or-string": True}}})

    _, schema = named(dict(fields(dict(fields(made))[9]))[1])
    parts = dict(fields(schema))
    assert dict(fields(parts[22])) == {1: b"object"}
    name, value = named(parts[31])
    assert (name, dict(fields(value))) == ("x-kubernetes-int-or-string", {2: b"true\n"})


def test_maps_may_be_closed_or_have_values_of_a_type():
    made = openapi_wire.encode(
        {"definitions": {"A": {"additionalProperties": False}, "B": {"additionalProperties": {"type": "string"}}}}
    )

    closed, typed = (dict(fields(named(value)[1]))[21] for _, value in fields(dict(fields(made))[9]))
    assert dict(fields(closed)) == {2: 0}
    assert dict(fields(dict(fields(typed))[1])) == {22: b"\x0a\x06string"}
