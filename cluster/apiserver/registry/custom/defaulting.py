"""Defaulting: what nobody said is what the schema says, at every depth; null where it is not allowed counts as unsaid.

It happens when an object is written and also when it is read: a default that a definition gained later shows at once.

Mirrors:  k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting/algorithm.go
"""

from typing import Any

from cluster.apiserver.registry.custom.structure import ABSENT, Node


def default(value: Any, node: Node) -> Any:
    """`value` with all defaults; the very same value if it lacks none."""
    if not node.has_defaults:
        return value
    if isinstance(value, dict):
        return _object(value, node)
    if isinstance(value, list) and node.items is not None:
        items = [_element(item, node.items) for item in value]
        return items if any(new is not old for new, old in zip(items, value, strict=True)) else value
    return value


def _object(value: dict[str, Any], node: Node) -> dict[str, Any]:
    result, changed = dict(value), False
    for name, child in node.properties.items():
        if child.default is ABSENT:
            continue
        if name not in result or (result[name] is None and not child.nullable):
            result[name], changed = child.default, True
    for name, given in result.items():
        child_of = node.child(name)
        if child_of is None:
            continue
        made = _element(given, child_of)
        if made is not given:
            result[name], changed = made, True
    return result if changed else value


def _element(value: Any, node: Node) -> Any:
    if value is None and not node.nullable and node.default is not ABSENT:
        value = node.default
    return default(value, node)
