"""Pruning: what a schema does not know is dropped, and reported to who wants to hear of it.

    prune      unknown fields go, but below x-kubernetes-preserve-unknown-fields
    without_nulls   null in a field that may not be null, and has no default, is as if nobody had said it

Mirrors:  k8s.io/apiextensions-apiserver/pkg/apiserver/schema (pruning/algorithm.go, defaulting/algorithm.go)
"""

from typing import Any

from cluster.apiserver.registry.custom.structure import ABSENT, Node

_IMPLICIT = ("apiVersion", "kind", "metadata")


def prune(value: Any, node: Node, is_root: bool = True) -> tuple[Any, list[str]]:
    """(`value` without unknown fields, the paths of those, sorted). The very same value if it has none."""
    unknown: list[str] = []
    return _prune(value, node, "", unknown, is_root), sorted(unknown)


def _prune(value: Any, node: Node, path: str, unknown: list[str], is_resource: bool) -> Any:
    if isinstance(value, dict):
        return _object(value, node, path, unknown, is_resource or node.embedded)
    if isinstance(value, list) and node.items is not None:
        items, inner = [_prune(item, node.items, f"{path}[{n}]", unknown, False) for n, item in enumerate(value)], value
        return value if all(new is old for new, old in zip(items, inner, strict=True)) else items
    if isinstance(value, list) and not node.preserves:
        return _emptied(value, path, unknown)
    return value


def _object(value: dict[str, Any], node: Node, path: str, unknown: list[str], is_resource: bool) -> Any:
    result, changed = {}, False
    for name, given in value.items():
        where = f"{path}.{name}" if path else name
        child = node.properties.get(name)
        if child is None and is_resource and name in _IMPLICIT:
            result[name] = given
            continue
        if child is None:
            child = node.additional
        if child is None and not node.preserves and not node.allows_any:
            unknown.append(where)
            changed = True
            continue
        is_known = child is None or (is_resource and name in _IMPLICIT)
        result[name] = given if is_known else _prune(given, child, where, unknown, False)  # type: ignore[arg-type]
        changed = changed or result[name] is not given
    return result if changed else value


def _emptied(value: list[Any], path: str, unknown: list[str]) -> list[Any]:
    """Elements of which nothing is known keep nothing."""
    if not any(isinstance(item, dict) and item for item in value):
        return value
    unknown += [f"{path}[{n}].{name}" for n, item in enumerate(value) if isinstance(item, dict) for name in item]
    return [{} if isinstance(item, dict) else item for item in value]


def without_nulls(value: Any, node: Node) -> Any:
    """`value` without nulls that its schema does not allow."""
    if isinstance(value, dict):
        result, changed = {}, False
        for name, given in value.items():
            child = node.child(name)
            if child is None:
                result[name] = given
                continue
            if given is None and not child.nullable and child.default is ABSENT:
                changed = True
                continue
            result[name] = without_nulls(given, child)
            changed = changed or result[name] is not given
        return result if changed else value
    if isinstance(value, list) and node.items is not None:
        items = [without_nulls(item, node.items) for item in value]
        return items if any(new is not old for new, old in zip(items, value, strict=True)) else value
    return value
