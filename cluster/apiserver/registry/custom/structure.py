"""The schema of a custom kind, compiled: a tree of nodes that pruning, defaulting and validation walk with the object.

What a definition may write is almost JSON Schema, but *structural*: every field has its type at its own place, and what
stands in anyOf, oneOf, allOf and not only forbids values. So one node says what is known, what is kept, and what a
field is when nobody says anything.

Mirrors:  k8s.io/apiextensions-apiserver/pkg/apiserver/schema (structural.go, convert.go)
Read next: pruning.py, defaulting.py, values.py.
"""

from collections.abc import Iterator
from functools import cached_property
from typing import Any

from cluster.objects import Manifest
from cluster.objects.memo import IdentityMemo

X = "x-kubernetes-"
ABSENT: Any = type("Absent", (), {"__repr__": lambda self: "ABSENT", "__bool__": lambda self: False})()
_nodes = IdentityMemo(4096)


class Node:
    """One place in an object. `raw`: what the definition says of it, a JSONSchemaProps."""

    def __init__(self, raw: Manifest) -> None:
        self.raw = raw
        self.type: str = raw.get("type") or ""
        self.nullable = bool(raw.get("nullable"))
        self.preserves = bool(raw.get(f"{X}preserve-unknown-fields"))
        self.embedded = bool(raw.get(f"{X}embedded-resource"))
        self.int_or_string = bool(raw.get(f"{X}int-or-string"))
        self.list_type: str = raw.get(f"{X}list-type") or ""
        self.list_keys: tuple[str, ...] = tuple(raw.get(f"{X}list-map-keys") or ())
        self.map_type: str = raw.get(f"{X}map-type") or ""
        self.default = raw["default"] if raw.get("default") is not None else ABSENT
        self.required: tuple[str, ...] = tuple(raw.get("required") or ())
        self.rules: list[Manifest] = raw.get(f"{X}validations") or []

    @cached_property
    def properties(self) -> dict[str, "Node"]:
        return {name: node_of(each) for name, each in (self.raw.get("properties") or {}).items()}

    @cached_property
    def additional(self) -> "Node | None":
        """The schema of fields that have no name of their own; None if there may be none, or any."""
        given = self.raw.get("additionalProperties")
        return node_of(given) if isinstance(given, dict) else None

    @cached_property
    def allows_any(self) -> bool:
        return self.raw.get("additionalProperties") is True

    @cached_property
    def items(self) -> "Node | None":
        given = self.raw.get("items")
        return node_of(given) if isinstance(given, dict) else None

    @cached_property
    def has_defaults(self) -> bool:
        """Is there a default here or anywhere below?"""
        return self.default is not ABSENT or any(child.has_defaults for child in self.children())

    @cached_property
    def has_rules(self) -> bool:
        return bool(self.rules) or any(child.has_rules for child in self.children())

    @cached_property
    def has_list_rules(self) -> bool:
        """Must elements differ, here or anywhere below?"""
        return self.list_type in ("set", "map") or any(child.has_list_rules for child in self.children())

    @cached_property
    def has_embedded(self) -> bool:
        return self.embedded or any(child.has_embedded for child in self.children())

    def children(self) -> Iterator["Node"]:
        yield from self.properties.values()
        if self.additional is not None:
            yield self.additional
        if self.items is not None:
            yield self.items

    def child(self, name: str) -> "Node | None":
        """The node of a field."""
        return self.properties.get(name) or self.additional


def node_of(raw: Manifest) -> Node:
    """The node of a schema; schemas are never changed, so each is compiled once."""
    return _nodes.get(raw, "", Node)  # type: ignore[no-any-return]


def elements_by_key(keys: tuple[str, ...], node: Node, items: list[Any]) -> dict[Any, Any]:
    """A list of type map by its keys; what has no keys is left out."""
    return {element_key(keys, node, item): item for item in items if isinstance(item, dict)}


def element_key(keys: tuple[str, ...], node: Node, item: Manifest) -> tuple[Any, ...]:
    """What tells an element of a list of type map from the others; a default counts if nothing was said."""
    return tuple(frozen(item.get(key, _default_of(node, key))) for key in keys)


def _default_of(node: Node, key: str) -> Any:
    found = node.items.properties.get(key) if node.items is not None else None
    return None if found is None or found.default is ABSENT else found.default


def frozen(value: Any) -> Any:
    """`value` as something that can be a key, equal only to what JSON calls equal."""
    if isinstance(value, dict):
        return ("object", tuple(sorted((key, frozen(each)) for key, each in value.items())))
    if isinstance(value, list):
        return ("array", tuple(frozen(each) for each in value))
    return (type(value).__name__ if isinstance(value, (bool, str, type(None))) else "number", value)
