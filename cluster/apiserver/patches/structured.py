"""Structured merge: a part of an object laid over the whole, each list and map as its type says.

    object, granular map   field by field
    list of type map       element by element, found by its keys; new ones at the end
    list of type set       what is new at the end
    anything atomic        may not be touched, since nobody could say what of it was meant

Mirrors:  sigs.k8s.io/structured-merge-diff (typed.Merge), k8s.io/apiserver/pkg/admission/plugin/policy/mutating/patch
"""

from typing import Any

from cluster.apiserver import schema
from cluster.apiserver.schema import Type

_ANY = Type("any")


class Atomic(ValueError):
    """`may not mutate atomic arrays, maps or structs: .spec.x`"""


def merged(current: Any, patch: Any, kind: Type | None, path: str = "") -> Any:
    """`current` with `patch` laid over it; untouched parts are the very same. Errors: Atomic."""
    kind = kind or _ANY
    if isinstance(patch, dict) and kind.kind in ("object", "map", "any"):
        if kind.kind == "map" and kind.list_type == "atomic":
            raise Atomic(f"may not mutate atomic arrays, maps or structs: {path}")
        base = current if isinstance(current, dict) else {}
        made = dict(base)
        for name, value in patch.items():
            made[name] = merged(base.get(name), value, schema.field(kind, name), f"{path}.{name}")
        return made
    if isinstance(patch, list):
        if kind.list_type == "map":
            return _by_keys(current if isinstance(current, list) else [], patch, kind, path)
        if kind.list_type == "set":
            base_list = current if isinstance(current, list) else []
            return [*base_list, *(each for each in patch if each not in base_list)]
        raise Atomic(f"may not mutate atomic arrays, maps or structs: {path}")
    return patch


def _by_keys(current: list[Any], patch: list[Any], kind: Type, path: str) -> list[Any]:
    def key(item: Any) -> str:
        return repr([item.get(name) if isinstance(item, dict) else None for name in kind.map_keys])

    fresh = {key(item): item for item in patch}
    made = []
    for item in current:
        given = fresh.pop(key(item), None)
        made.append(item if given is None else merged(item, given, kind.item, f"{path}[{key(item)}]"))
    return [*made, *fresh.values()]
