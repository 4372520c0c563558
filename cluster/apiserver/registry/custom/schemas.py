"""The schemas inside a definition: from a body to what Go would hold, and what is wrong with them.

A schema must be *structural*: a type at every place, value checks apart from structure. Complaints name the place in
the way the real server does: `spec.validation.openAPIV3Schema.properties[spec].type`.

Mirrors:  k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/validation (validation.go),
          pkg/apiserver/schema (validation.go, complete.go)
"""

from collections.abc import Callable, Iterator
from typing import Any

from cluster.apiserver import regexes, schema
from cluster.apiserver.registry.custom import defaulting, pruning, values
from cluster.apiserver.registry.custom.structure import X, node_of
from cluster.apiserver.registry.metadata import forbidden, invalid, not_supported, raw_invalid, required
from cluster.apiserver.registry.resource import Problem
from cluster.apiserver.schema import Type
from cluster.objects import Manifest

TYPES = ("array", "boolean", "integer", "number", "object", "string")
_SCALARS = ("boolean", "integer", "number", "string")
_NAME = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps"
_ONE, _MANY, _NAMED = ("not",), ("allOf", "anyOf", "oneOf"), ("properties", "patternProperties", "definitions")
_EITHER = ("items", "additionalProperties", "additionalItems", "dependencies")
MOST_PROBLEMS = 50

# --- from a body ------------------------------------------------------------------------------------------------


def decode(raw: Any, label: str, path: str, unknown: list[str]) -> Any:
    """A JSONSchemaProps of a body. `unknown` gets complaints. Errors: BadRequest in Go's words."""
    if not isinstance(raw, dict):
        schema.decode(_WHOLE, {"openAPIV3Schema": raw}, label)
        return raw
    inner = (*_ONE, *_MANY, *_NAMED, *_EITHER)
    plain, found = schema.decode(_plain(), {key: value for key, value in raw.items() if key not in inner}, label)
    unknown += [problem.replace('"', f'"{path}.', 1) for problem in found]
    result: Manifest = {}
    for key, value in raw.items():
        where = f"{path}.{key}"
        if key in plain:
            result[key] = plain[key]
        elif value is None or key not in inner:
            continue
        else:
            result[key] = _inner(key, value, label, where, unknown)
    return result


def _inner(key: str, value: Any, label: str, where: str, unknown: list[str]) -> Any:
    """What holds schemas itself."""
    if key in _ONE:
        return decode(value, label, where, unknown)
    if key in _MANY:
        schema.decode(_LISTED, {key: value if isinstance(value, list) else [value] if value is None else value}, label)
        return [decode(each or {}, label, f"{where}[{n}]", unknown) for n, each in enumerate(value)]
    if key in _NAMED:
        schema.decode(_MAPPED, {key: value}, label)
        return {name: decode(each or {}, label, f"{where}.{name}", unknown) for name, each in value.items()}
    # Go reads these with code of their own, which does not tell of unknown fields.
    return decode(value, label, where, []) if isinstance(value, dict) and key != "dependencies" else value


def _plain() -> Type:
    return Type("object", "JSONSchemaProps", go="v1.JSONSchemaProps", fields=schema.definitions()[_NAME]["properties"])


_OBJECT = Type("object", "JSONSchemaProps", go="v1.JSONSchemaProps", fields={})
_WHOLE = Type("object", "CustomResourceValidation", fields={"openAPIV3Schema": _OBJECT})
_LISTED = Type("object", "JSONSchemaProps", fields={
    key: Type("list", go="[]v1.JSONSchemaProps", item=Type("any")) for key in _MANY
})  # fmt: skip
_MAPPED = Type("object", "JSONSchemaProps", fields={
    key: Type("map", go="map[string]v1.JSONSchemaProps", item=Type("any")) for key in _NAMED
})  # fmt: skip

# --- what is wrong ----------------------------------------------------------------------------------------------


def problems(root: Manifest, path: str) -> list[Problem]:
    """Everything that is wrong with a whole schema, at most `MOST_PROBLEMS`."""
    found: list[Problem] = []
    for problem in _all(root, path):
        found.append(problem)
        if len(found) >= MOST_PROBLEMS:
            return found
    return found


def _all(root: Manifest, path: str) -> Iterator[Problem]:
    before = list(_place(root, path))
    yield from before
    structure = list(_structure(root, path, "root"))
    yield from structure
    if root.get("type") != "object" and root.get("type"):
        yield invalid(f"{path}.type", root["type"], "must be object at the root")
    if not before and not structure:
        yield from _defaults(root, path, True)


def _place(node: Manifest, path: str) -> Iterator[Problem]:
    """What may not be said at all, or not together."""
    if node.get("uniqueItems"):
        told = "uniqueItems cannot be set to true since the runtime complexity becomes quadratic"
        yield forbidden(f"{path}.uniqueItems", told)
    if node.get("additionalProperties") is not None:
        if node.get("properties") and node["additionalProperties"] is not False:
            told = "additionalProperties and properties are mutual exclusive"
            yield forbidden(f"{path}.additionalProperties", told)
        elif node["additionalProperties"] is False:
            yield forbidden(f"{path}.additionalProperties", "additionalProperties cannot be set to false")
    for name, told in _UNSUPPORTED.items():
        if node.get(name):
            yield forbidden(f"{path}.{name}", told)
    if isinstance(node.get("items"), list):
        yield forbidden(f"{path}.items", "items must be a schema object and not an array")
    kind = node.get("type", "")
    if kind == "null":
        yield forbidden(f"{path}.type", "type cannot be set to null, use nullable as an alternative")
    elif kind and kind not in TYPES:
        yield not_supported(f"{path}.type", kind, TYPES)
    if node.get(f"{X}preserve-unknown-fields") is False:
        yield invalid(f"{path}.{X}preserve-unknown-fields", False, "must be true or undefined")
    yield from _lists(node, path)
    map_type = node.get(f"{X}map-type")
    if map_type is not None and map_type not in ("granular", "atomic"):
        yield not_supported(f"{path}.{X}map-type", map_type, ("atomic", "granular"))
    elif map_type is not None and kind != "object":
        yield invalid(f"{path}.type", kind, f"must be object if {X}map-type is specified")
    for name, child in _children(node):
        yield from _place(child, f"{path}.{name}")


_UNSUPPORTED = {
    "$ref": "$ref is not supported",
    "id": "id is not supported",
    "definitions": "definitions is not supported",
    "dependencies": "dependencies is not supported",
    "patternProperties": "patternProperties is not supported",
    "additionalItems": "additionalItems is not supported",
}


def _children(node: Manifest, values_too: bool = True) -> Iterator[tuple[str, Manifest]]:
    """Schemas inside, with the way to them as the real server writes it."""
    for name, child in sorted((node.get("properties") or {}).items()):
        yield f"properties[{name}]", child
    for name in ("additionalProperties", "items", *(("not",) if values_too else ())):
        if isinstance(node.get(name), dict):
            yield name, node[name]
    if values_too:
        for name in _MANY:
            for number, child in enumerate(node.get(name) or ()):
                yield f"{name}[{number}]", child


def _lists(node: Manifest, path: str) -> Iterator[Problem]:
    given, keys, items = node.get(f"{X}list-type"), node.get(f"{X}list-map-keys") or [], node.get("items")
    if given is not None and given not in ("atomic", "set", "map"):
        yield not_supported(f"{path}.{X}list-type", given, ("atomic", "set", "map"))
        return
    if given is not None and node.get("type") != "array":
        yield invalid(f"{path}.type", node.get("type", ""), f"must be array if {X}list-type is specified")
    if keys and given != "map":
        told = f"must be map if {X}list-map-keys is non-empty"
        yield required(f"{path}.{X}list-type", told) if given is None else invalid(f"{path}.{X}list-type", given, told)
    if given == "set" and isinstance(items, dict):
        yield from _set_items(items, path)
    if given != "map":
        return
    if not keys:
        yield required(f"{path}.{X}list-map-keys", f"must not be empty if {X}list-type is map")
    if not isinstance(items, dict):
        yield required(f"{path}.items", f"must have a schema if {X}list-type is map")
        return
    if items.get("type") != "object":
        told = f"must be object if parent array's {X}list-type is map"
        yield invalid(f"{path}.items.type", items.get("type", ""), told)
    properties, shown = items.get("properties") or {}, _strings(keys)
    if any(key not in properties for key in keys):
        told = "entries must all be names of item properties"
        yield raw_invalid(f"{path}.{X}list-map-keys", shown, told)
    if len(set(keys)) < len(keys):
        yield raw_invalid(f"{path}.{X}list-map-keys", shown, "must not contain duplicate entries")
    for key in dict.fromkeys(keys):
        child = properties.get(key)
        if child is None:
            continue
        where = f"{path}.items.properties[{key}]"
        if child.get("type") not in _SCALARS:
            told = f"must be a scalar type if parent array's {X}list-type is map"
            yield invalid(f"{where}.type", child.get("type", ""), told)
        if child.get("nullable"):
            yield forbidden(f"{where}.nullable", f"this property is in {X}list-map-keys, so it cannot be nullable")
        if key not in (items.get("required") or ()) and child.get("default") is None:
            told = f"this property is in {X}list-map-keys, so it must have a default or be a required property"
            yield required(f"{where}.default", told)


def _strings(keys: list[str]) -> str:
    return "[" + ",".join(values.quoted(key) for key in keys) + "]"


def _set_items(items: Manifest, path: str) -> Iterator[Problem]:
    if items.get("nullable"):
        yield forbidden(f"{path}.items.nullable", f"cannot be nullable when {X}list-type is set")
    if items.get("type") == "array" and items.get(f"{X}list-type") not in (None, "atomic"):
        told = f"must be atomic as item of a list with {X}list-type=set"
        yield invalid(f"{path}.items.{X}list-type", items[f"{X}list-type"], told)
    if items.get("type") == "object" and items.get(f"{X}map-type") != "atomic":
        told = f"must be atomic as item of a list with {X}list-type=set, but is granular"
        yield (
            raw_invalid(f"{path}.items.{X}map-type", "null", told)
            if items.get(f"{X}map-type") is None
            else invalid(f"{path}.items.{X}map-type", items[f"{X}map-type"], told)
        )


# --- structural -------------------------------------------------------------------------------------------------

_MISSING_TYPE = {
    "root": "must not be empty at the root",
    "field": "must not be empty for specified object fields",
    "item": "must not be empty for specified array items",
}


def _structure(node: Manifest, path: str, level: str) -> Iterator[Problem]:
    kind, free = node.get("type", ""), node.get(f"{X}int-or-string") or node.get(f"{X}preserve-unknown-fields")
    if not kind and not (free and level != "root"):
        yield required(f"{path}.type", _MISSING_TYPE[level])
    if kind and node.get(f"{X}int-or-string"):
        yield invalid(f"{path}.type", kind, f"must be empty if {X}int-or-string is true")
    if node.get(f"{X}embedded-resource"):
        if kind != "object":
            yield invalid(f"{path}.type", kind, f"must be object if {X}embedded-resource is true")
        if not node.get("properties") and not node.get(f"{X}preserve-unknown-fields"):
            told = f"must not be empty if {X}embedded-resource is true without {X}preserve-unknown-fields"
            yield required(f"{path}.properties", told)
    if kind == "array" and not isinstance(node.get("items"), dict):
        yield required(f"{path}.items", "must be specified")
    if level == "root" or node.get(f"{X}embedded-resource"):
        yield from _implicit(node, path)
    yield from _pattern(node, path)
    for name, child in _children(node, values_too=False):
        yield from _structure(child, f"{path}.{name}", "item" if name == "items" else "field")
    for name, child in _checks(node):
        yield from _value_only(child, f"{path}.{name}", node, path, bool(node.get(f"{X}int-or-string")))


def _checks(node: Manifest) -> Iterator[tuple[str, Manifest]]:
    for name in _MANY:
        for number, child in enumerate(node.get(name) or ()):
            yield f"{name}[{number}]", child
    if isinstance(node.get("not"), dict):
        yield "not", node["not"]


def _implicit(node: Manifest, path: str) -> Iterator[Problem]:
    """kind, apiVersion and metadata are always there; a schema may only narrow the name."""
    properties = node.get("properties") or {}
    for name in ("kind", "apiVersion"):
        if name in properties and properties[name].get("type") not in (None, "", "string"):
            yield invalid(f"{path}.properties[{name}].type", properties[name]["type"], "must be string")
    metadata = properties.get("metadata") or {}
    if metadata and metadata.get("type") not in (None, "", "object"):
        yield invalid(f"{path}.properties[metadata].type", metadata["type"], "must be object")
    allowed = {"type", "properties", "description", "title"}
    if set(metadata) - allowed or set(metadata.get("properties") or {}) - {"name", "generateName"}:
        told = "must not specify anything other than name and generateName, but metadata is implicitly specified"
        yield forbidden(f"{path}.properties[metadata]", told)


def _pattern(node: Manifest, path: str) -> Iterator[Problem]:
    if not node.get("pattern"):
        return
    try:
        regexes.compiled(node["pattern"])
    except regexes.Invalid as error:
        told = f"must be a valid regular expression, but isn't: {error}"
        yield invalid(f"{path}.pattern", node["pattern"], told)


_EMPTY_THERE: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "title": ("must be empty to be structural", bool),
    "description": ("must be empty to be structural", bool),
    "type": ("must be empty to be structural", bool),
    "default": ("must be undefined to be structural", lambda value: value is not None),
    "additionalProperties": ("must be undefined to be structural", lambda value: value is not None),
    "nullable": ("must be false to be structural", bool),
    f"{X}preserve-unknown-fields": ("must be false to be structural", bool),
    f"{X}embedded-resource": ("must be false to be structural", bool),
    f"{X}int-or-string": ("must be false to be structural", bool),
    f"{X}list-map-keys": ("must be empty to be structural", bool),
    f"{X}list-type": ("must be undefined to be structural", lambda value: value is not None),
    f"{X}map-type": ("must be undefined to be structural", lambda value: value is not None),
}


def _value_only(node: Manifest, path: str, outer: Manifest, outer_path: str, free: bool) -> Iterator[Problem]:
    """What stands in anyOf … may forbid values; structure must be known outside. `free`: of an int-or-string."""
    for name, (told, is_said) in _EMPTY_THERE.items():
        if is_said(node.get(name)) and not (free and name == "type" and node[name] in ("integer", "string")):
            yield forbidden(f"{path}.{name}", told)
    yield from _pattern(node, path)
    for name, child in sorted((node.get("properties") or {}).items()):
        known = (outer.get("properties") or {}).get(name)
        where = f"{outer_path}.properties[{name}]"
        if known is None and isinstance(outer.get("additionalProperties"), dict):
            known = outer["additionalProperties"]
        if known is None:
            yield required(where, f"because it is defined in {path}.properties[{name}]")
            known = {}
        yield from _value_only(child, f"{path}.properties[{name}]", known, where, bool(known.get(f"{X}int-or-string")))
    if isinstance(node.get("items"), dict):
        known = outer.get("items")
        if not isinstance(known, dict):
            yield required(f"{outer_path}.items", f"because it is defined in {path}.items")
            known = {}
        inner_free = bool(known.get(f"{X}int-or-string"))
        yield from _value_only(node["items"], f"{path}.items", known, f"{outer_path}.items", inner_free)
    for name, child in _checks(node):
        yield from _value_only(child, f"{path}.{name}", outer, outer_path, free)


def _defaults(node: Manifest, path: str, is_root: bool = False) -> Iterator[Problem]:
    """A default must be what its own schema allows, complete with the defaults inside it."""
    if node.get("default") is not None:
        value, inner = node["default"], node_of(node)
        _, unknown = pruning.prune(value, inner, is_root=inner.embedded)
        if unknown:
            yield raw_invalid(f"{path}.default", values.shown(value), "must not have unknown fields")
        else:
            for problem in values.validate(defaulting.default(value, inner), inner)[:5]:
                field = f"{path}.default" + (f".{problem['field']}" if problem["field"] != values.ROOT else "")
                yield {**problem, "field": field}
    for name, child in _children(node, values_too=False):
        yield from _defaults(child, f"{path}.{name}")
