"""A custom kind's structure for others: as a `schema.Type` for patches that merge, and as OpenAPI for clients.

Mirrors:  k8s.io/apiextensions-apiserver/pkg/controller/openapi/builder
"""

from typing import Any

from cluster.apiserver.registry.custom.structure import Node, X
from cluster.apiserver.schema import Type
from cluster.apiserver.schema.types import named
from cluster.objects import Manifest

META = "io.k8s.apimachinery.pkg.apis.meta.v1"
_REF = "#/components/schemas/"
_TEXTS = {
    "apiVersion": (
        "APIVersion defines the versioned schema of this representation of an object. Servers should convert recognized"
        " schemas to the latest internal value, and may reject unrecognized values."
    ),
    "kind": "Kind is a string value representing the REST resource this object represents. Cannot be updated.",
}


def type_name(group: str, version: str, kind: str) -> str:
    """The name of a kind's type in OpenAPI: `io.cert-manager.v1.Certificate`."""
    return ".".join((*reversed(group.split(".")), version, kind))


def type_of(node: Node, name: str) -> Type:
    """The structure of a whole object, as field ownership and merging see it."""
    made = _type(node)
    envelope = {"apiVersion": Type("string"), "kind": Type("string"), "metadata": named(f"{META}.ObjectMeta")}
    return made._replace(kind="object", name=name, fields={**(made.fields or {}), **envelope})


def _type(node: Node) -> Type:
    """`item` of an object: what fields without a name of their own are; None if there may be none."""
    if node.int_or_string:
        return Type("int-or-string", go="intstr.IntOrString")
    if node.type == "array":
        item = _type(node.items) if node.items is not None else Type("any", granular=True)
        return Type("list", item=item, list_type=node.list_type or "atomic", map_keys=node.list_keys)
    if node.type == "object" or node.properties:
        rest = _type(node.additional) if node.additional is not None else None
        if rest is None and (node.preserves or node.allows_any):
            rest = Type("any", granular=True)
        if not node.properties and rest is not None:
            return Type("map", item=rest, map_type=node.map_type)
        return Type(
            "object",
            fields={key: _type(each) for key, each in node.properties.items()},
            item=rest,
            map_type=node.map_type,
        )
    kinds = ("string", "integer", "number", "boolean")
    return Type(node.type, format=node.raw.get("format") or "") if node.type in kinds else Type("any", granular=True)


# --- OpenAPI ----------------------------------------------------------------------------------------------------


def openapi(node: Node, group: str, version: str, kind: str, list_kind: str) -> Manifest:
    """Type names to schemas: the kind and its list."""
    root = _schema(node.raw)
    if not root.get("properties") and node.preserves:
        root = {"type": "object", f"{X}preserve-unknown-fields": True}
    texts = {name: {"type": "string", "description": text} for name, text in _TEXTS.items()}
    metadata = {"allOf": [{"$ref": f"{_REF}{META}.ObjectMeta"}], "description": "Standard object's metadata."}
    root["properties"] = {**root.get("properties", {}), **texts, "metadata": metadata}
    name = type_name(group, version, kind)
    listed = {
        "type": "object",
        "description": f"{list_kind} is a list of {kind}",
        "required": ["items"],
        "properties": {
            **texts,
            "items": {"type": "array", "description": f"List of {kind}.", "items": {"$ref": f"{_REF}{name}"}},
            "metadata": {"$ref": f"{_REF}{META}.ListMeta"},
        },
        f"{X}group-version-kind": [{"group": group, "version": version, "kind": list_kind}],
    }
    root[f"{X}group-version-kind"] = [{"group": group, "version": version, "kind": kind}]
    return {name: root, type_name(group, version, list_kind): listed}


def _schema(raw: Any) -> Any:
    """A JSONSchemaProps as OpenAPI 3: all but what only the API server looks at."""
    if isinstance(raw, list):
        return [_schema(each) for each in raw]
    if not isinstance(raw, dict):
        return raw
    made: Manifest = {}
    for key, value in raw.items():
        if key == "properties":
            made[key] = {name: _schema(each) for name, each in value.items()}
        elif key in ("items", "additionalProperties", "allOf", "anyOf", "oneOf", "not"):
            made[key] = _schema(value)
        elif key not in ("$schema", "id", "example", "externalDocs"):
            made[key] = value
    return made
