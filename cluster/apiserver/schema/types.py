"""API types, compiled from the shipped tables when they are first asked for.

`kubernetes-1.37.json.gz` (tools/schema_table.py) is the OpenAPI document without its sentences: names, types, list
types, merge keys. `json-rules.json.gz` (tools/json_rules) says how Go writes each type: the order of its fields, and
which are left out, null or zero when nobody said anything.

Mirrors:  the structs of k8s.io/api and their json tags
"""

import gzip
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import orjson

_HERE = Path(__file__).parent
_REF = "#/components/schemas/"
QUANTITY = "io.k8s.apimachinery.pkg.api.resource.Quantity"
INT_OR_STRING = "io.k8s.apimachinery.pkg.util.intstr.IntOrString"
FREE_FORM = ("FieldsV1", "RawExtension", "JSON", "JSONSchemaProps", "JSONSchemaPropsOrBool", "JSONSchemaPropsOrArray")


def _table(name: str) -> Any:
    return orjson.loads(gzip.decompress((_HERE / name).read_bytes()))


@lru_cache(maxsize=1)
def definitions() -> dict[str, Any]:
    """Type name to OpenAPI schema, without descriptions."""
    return _table("kubernetes-1.37.json.gz")  # type: ignore[no-any-return]


@lru_cache(maxsize=1)
def _rules() -> dict[str, list[list[str]]]:
    return _table("json-rules.json.gz")  # type: ignore[no-any-return]


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
    """A compiled type. `kind`: object, map, list, string, integer, number, boolean, quantity, int-or-string, any."""

    kind: str
    name: str = ""  # `PodSpec`
    path: str = ""  # `io.k8s.api.core.v1.PodSpec`
    go: str = ""  # As Go's errors call it.
    fields: dict[str, Any] | None = None  # Field name to a schema, compiled on first use, or to a Type.
    rules: tuple[tuple[str, str], ...] | None = None  # (field, rule) in Go's order; None if nobody knows.
    item: Any = None
    format: str = ""
    merge_key: str = ""
    strategies: tuple[str, ...] = ()
    map_keys: tuple[str, ...] = ()
    list_type: str = ""
    map_type: str = ""
    granular: bool = False  # Of `any`: do its maps count as many fields?


@lru_cache(maxsize=4096)
def named(name: str) -> Type:
    """The type of that OpenAPI name."""
    short = name.rpartition(".")[2]
    schema = definitions()[name]
    if name == QUANTITY:
        return Type("quantity", go="resource.Quantity")
    if name == INT_OR_STRING:
        return Type("int-or-string", go="intstr.IntOrString")
    if short in FREE_FORM:
        return Type("any", go=short)
    if schema.get("type") == "object" and "properties" in schema:
        rules, atomic = _rules_of(name, schema), schema.get("x-kubernetes-map-type", "")
        return Type("object", short, name, f"v1.{short}", schema["properties"], rules, map_type=atomic)
    return compile_type(schema)._replace(name=short)


def _rules_of(name: str, schema: dict[str, Any]) -> tuple[tuple[str, str], ...] | None:
    """How Go writes the type. What must be given is never null: it is absent, and validation says so."""
    rules = _rules().get(name)
    if rules is None:
        return None
    needed = {field for field in schema.get("required", ()) if not _is_time(schema["properties"].get(field, {}))}
    return tuple((field, "" if rule == "null" and field in needed else rule) for field, rule in rules)


def raw_rules(name: str) -> list[list[str]]:
    """(field, rule) as Go writes the type, required or not; none for a type that nobody knows."""
    return _rules().get(name) or []


def _is_time(schema: dict[str, Any]) -> bool:
    return compile_type(schema).format == "date-time"


_CACHE: dict[int, tuple[Any, Type]] = {}


def compile_type(schema: "dict[str, Any] | Type") -> Type:
    """The Type of an OpenAPI schema node; nodes are shared, so each is compiled once. A Type is what it is."""
    if isinstance(schema, Type):
        return schema
    cached = _CACHE.get(id(schema))
    if cached is not None and cached[0] is schema:
        return cached[1]
    made = _compile(schema)
    _CACHE[id(schema)] = (schema, made)
    return made


def _compile(schema: dict[str, Any]) -> Type:
    parts = (schema, *schema.get("allOf", ()))
    reference = next((part["$ref"] for part in parts if "$ref" in part), None)
    base = named(reference.removeprefix(_REF)) if reference else _plain(schema)
    strategy = schema.get("x-kubernetes-patch-strategy", "")
    return base._replace(
        merge_key=schema.get("x-kubernetes-patch-merge-key", ""),
        strategies=tuple(strategy.split(",")) if strategy else (),
        map_keys=tuple(schema.get("x-kubernetes-list-map-keys", ())),
        list_type=schema.get("x-kubernetes-list-type", ""),
        map_type=schema.get("x-kubernetes-map-type", base.map_type),
    )


def _plain(schema: dict[str, Any]) -> Type:
    """A type without a name."""
    kind, format_ = schema.get("type", "any"), schema.get("format", "")
    if kind == "array":
        item = compile_type(schema["items"])
        return Type("list", go=f"[]{item.go}", item=item)
    if kind == "object" and schema.get("additionalProperties"):
        item = compile_type(schema["additionalProperties"])
        return Type("map", go=f"map[string]{item.go}", item=item)
    if kind == "object" and "properties" in schema:
        return Type("object", go="struct", fields=schema["properties"])
    if kind == "integer":
        return Type("integer", go=format_ or "int64", format=format_)
    if kind == "boolean":
        return Type("boolean", go="bool")
    if kind == "number":
        return Type("number", go="float64")
    if kind == "string":
        return Type("string", go={"date-time": "v1.Time", "byte": "[]uint8"}.get(format_, "string"), format=format_)
    return Type("any", go="object")


def type_of(group: str, version: str, kind: str) -> Type | None:
    name = name_of(group, version, kind)
    return named(name) if name else None


def field(parent: Type, name: str) -> Type | None:
    """The type of one field, element or value of `parent`."""
    if parent.kind == "object" and parent.fields is not None:
        found = parent.fields.get(name)
        if found is None:
            return parent.item
        return compile_type(found)
    return parent.item if parent.kind in ("map", "list") else None
