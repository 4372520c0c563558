"""The structure of every API type: what decoding, patching and OpenAPI are driven by.

`kubernetes-1.37.json.gz` is made by tools/schema_table.py. `decode` walks a body and its type side by side: wrong types
are Go's errors, unknown fields are dropped and reported, null fields count as absent, quantities become canonical.

Mirrors:  encoding/json into the Go types; sigs.k8s.io/json's strict mode
"""

import gzip
import json
import re
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from cluster.objects import errors, quantity

_FILE = Path(__file__).parent / "kubernetes-1.37.json.gz"
_REF = "#/components/schemas/"
_BASE64 = re.compile(r"[A-Za-z0-9+/]*={0,2}")
QUANTITY = "io.k8s.apimachinery.pkg.api.resource.Quantity"
INT_OR_STRING = "io.k8s.apimachinery.pkg.util.intstr.IntOrString"
FREE_FORM = ("FieldsV1", "RawExtension", "JSON", "JSONSchemaProps", "JSONSchemaPropsOrBool", "JSONSchemaPropsOrArray")


@lru_cache(maxsize=1)
def definitions() -> dict[str, Any]:
    """Type name to OpenAPI schema, without descriptions."""
    with gzip.open(_FILE) as file:
        return json.load(file)  # type: ignore[no-any-return]


@lru_cache(maxsize=1)
def _names_by_kind() -> dict[tuple[str, str, str], str]:
    found: dict[tuple[str, str, str], str] = {}
    for name, schema in definitions().items():
        for gvk in schema.get("x-kubernetes-group-version-kind", ()):
            found.setdefault((gvk["group"], gvk["version"], gvk["kind"]), name)
    return found


def name_of(group: str, version: str, kind: str) -> str | None:
    """`io.k8s.api.apps.v1.Deployment` of ("apps", "v1", "Deployment")."""
    return _names_by_kind().get((group, version, kind))


def is_known(group: str, version: str, kind: str) -> bool:
    return (group, version, kind) in _names_by_kind()


class Type(NamedTuple):
    """A compiled type. `kind`: object, map, list, string, integer, number, boolean, quantity, int-or-string, any …"""

    kind: str
    name: str
    go: str
    fields: dict[str, Any] | None  # Field name to a schema, compiled on first use.
    item: Any
    format: str
    merge_key: str
    strategies: tuple[str, ...]
    map_keys: tuple[str, ...]
    list_type: str


@lru_cache(maxsize=4096)
def _named(name: str) -> Type:
    short = name.rpartition(".")[2]
    schema = definitions()[name]
    if name == QUANTITY:
        return _plain("quantity", "resource.Quantity")
    if name == INT_OR_STRING:
        return _plain("int-or-string", "intstr.IntOrString")
    if short in FREE_FORM:
        return _plain("any", short)
    if schema.get("type") == "object" and "properties" in schema:
        return Type("object", short, f"v1.{short}", schema["properties"], None, "", "", (), (), "")
    return compile_type(schema)._replace(name=short)


def _plain(kind: str, go: str, format_: str = "") -> Type:
    return Type(kind, "", go, None, None, format_, "", (), (), "")


_CACHE: dict[int, tuple[Any, Type]] = {}


def compile_type(schema: dict[str, Any]) -> Type:
    """The Type of an OpenAPI schema node; nodes are shared, so each is compiled once."""
    cached = _CACHE.get(id(schema))
    if cached is not None and cached[0] is schema:
        return cached[1]
    made = _compile(schema)
    _CACHE[id(schema)] = (schema, made)
    return made


def _compile(schema: dict[str, Any]) -> Type:
    reference = schema.get("$ref") or next((part.get("$ref") for part in schema.get("allOf", ()) if "$ref" in part), None)
    if reference:
        base = _named(reference.removeprefix(_REF))
    else:
        kind, format_ = schema.get("type", "any"), schema.get("format", "")
        if kind == "array":
            item = compile_type(schema["items"])
            base = Type("list", "", f"[]{item.go}", None, item, "", "", (), (), schema.get("x-kubernetes-list-type", ""))
        elif kind == "object" and schema.get("additionalProperties"):
            item = compile_type(schema["additionalProperties"])
            base = Type("map", "", f"map[string]{item.go}", None, item, "", "", (), (), "")
        elif kind == "object" and "properties" in schema:
            base = Type("object", "", "struct", schema["properties"], None, "", "", (), (), "")
        elif kind == "integer":
            base = _plain("integer", format_ or "int64", format_)
        elif kind == "boolean":
            base = _plain("boolean", "bool")
        elif kind == "number":
            base = _plain("number", "float64")
        elif kind == "string":
            base = _plain("string", {"date-time": "v1.Time", "byte": "[]uint8"}.get(format_, "string"), format_)
        else:
            base = _plain("any", "object")
    strategies = tuple(schema.get("x-kubernetes-patch-strategy", "").split(",")) if schema.get("x-kubernetes-patch-strategy") else ()
    return base._replace(
        merge_key=schema.get("x-kubernetes-patch-merge-key", ""),
        strategies=strategies,
        map_keys=tuple(schema.get("x-kubernetes-list-map-keys", ())),
        list_type=schema.get("x-kubernetes-list-type", ""),
    )


def type_of(group: str, version: str, kind: str) -> Type | None:
    name = name_of(group, version, kind)
    return _named(name) if name else None


def field(parent: Type, name: str) -> Type | None:
    """The type of one field, element or value of `parent`."""
    if parent.kind == "object" and parent.fields is not None:
        found = parent.fields.get(name)
        return compile_type(found) if found is not None else None
    return parent.item if parent.kind in ("map", "list") else None


class WrongType(Exception):
    """Go's json: cannot unmarshal …"""


def decode(kind: Type, value: dict[str, Any], label: str) -> tuple[dict[str, Any], list[str]]:
    """(`value` as the type would hold it, paths of unknown fields). `label`: how errors call the body.

    Errors: BadRequest in Go's words.
    """
    unknown: list[str] = []
    try:
        return _object(kind, value, "", "", unknown), unknown
    except WrongType as error:
        raise errors.BadRequest(f"{label}: {error}") from error


def _wrong(value: Any, struct: str, path: str, wanted: str) -> WrongType:
    shown = {dict: "object", list: "array", str: "string", bool: "bool"}.get(type(value), "number")
    if isinstance(value, float):
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
            continue
        if given is None:
            if name == "creationTimestamp" or name in _NULLABLE:
                continue
            continue
        result[name] = _value(compile_type(schema), given, kind.name, where, seen, unknown)
    return result


_NULLABLE = frozenset(("lastProbeTime",))


def _value(kind: Type, value: Any, struct: str, path: str, shown: str, unknown: list[str]) -> Any:
    what = kind.kind
    if what == "object":
        if not isinstance(value, dict):
            raise _wrong(value, struct, path, kind.go)
        return _object(kind, value, path, shown, unknown)
    if what == "list":
        if not isinstance(value, list):
            raise _wrong(value, struct, path, kind.go)
        return [_value(kind.item, item, struct, path, f"{shown}[{n}]", unknown) for n, item in enumerate(value)]
    if what == "map":
        if not isinstance(value, dict):
            raise _wrong(value, struct, path, kind.go)
        return {
            key: _value(kind.item, item, struct, path, f"{shown}.{key}", unknown)
            for key, item in value.items()
            if item is not None or kind.item.kind != "string"
        }
    return _scalar(kind, value, struct, path)


def _scalar(kind: Type, value: Any, struct: str, path: str) -> Any:
    what = kind.kind
    if what == "string":
        if not isinstance(value, str):
            raise _wrong(value, struct, path, kind.go)
        if kind.format == "byte":
            return _base64(value)
        if kind.format == "date-time":
            return _time(value)
    elif what == "integer":
        if isinstance(value, bool) or not isinstance(value, int):
            raise _wrong(value, struct, path, kind.go)
    elif what == "boolean":
        if not isinstance(value, bool):
            raise _wrong(value, struct, path, kind.go)
    elif what == "quantity":
        if isinstance(value, (dict, list, bool)):
            raise _wrong(value, struct, path, kind.go)
        try:
            return quantity.canonical(str(value))
        except ValueError:
            raise WrongType(quantity.MUST_MATCH) from None
    elif what == "int-or-string" and (isinstance(value, (bool, dict, list, float))):
        raise _wrong(value, struct, path, "string" if not isinstance(value, float) else "int32")
    return value


def _base64(text: str) -> str:
    if len(text) % 4 or not _BASE64.fullmatch(text):
        bad = next((n for n, char in enumerate(text) if not re.match(r"[A-Za-z0-9+/=]", char)), len(text) // 4 * 4)
        raise WrongType(f"illegal base64 data at input byte {bad}")
    return text


def _time(text: str) -> str:
    if not re.match(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d", text):
        raise WrongType(
            f'parsing time "{text}" as "2006-01-02T15:04:05Z07:00": cannot parse "{text}" as "2006"'
        )
    return text
