"""Strategic merge patch: a merge patch that knows which lists are maps in disguise.

A list with a merge key (containers by name, ports by port …) is merged element by element; other lists are replaced.
Directives inside the patch steer it:

    $patch: delete | replace | merge      $retainKeys: [...]      $deleteFromPrimitiveList/<list>: [...]
    $setElementOrder/<list>: [...]

Mirrors:  k8s.io/apimachinery/pkg/util/strategicpatch/patch.go (MergeMap)
"""

from typing import Any

from cluster.apiserver import schema
from cluster.apiserver.schema import Type
from cluster.objects import Manifest, errors

DELETE_PRIMITIVES = "$deleteFromPrimitiveList/"
ORDER = "$setElementOrder/"


def merge(current: Manifest, patch: Manifest, kind: Type | None) -> Manifest:
    """`current` with `patch` merged by its type. Errors: ApiError 500 for an unknown directive."""
    directive = patch.get("$patch")
    if directive == "replace":
        return {name: value for name, value in patch.items() if name != "$patch"}
    if directive == "delete":
        return {}
    if directive not in (None, "merge"):
        raise errors.InternalError(f"unknown patch type: {directive} in map: {_go_map(patch)}")
    result = dict(current)
    if "$retainKeys" in patch:
        retained = patch["$retainKeys"]
        result = {name: value for name, value in result.items() if name in retained}
    for name, value in patch.items():
        if name in ("$patch", "$retainKeys") or name.startswith(ORDER):
            continue
        if name.startswith(DELETE_PRIMITIVES):
            field = name.removeprefix(DELETE_PRIMITIVES)
            result[field] = [item for item in result.get(field) or [] if item not in value]
            continue
        _set(result, name, value, schema.field(kind, name) if kind else None)
    for name, order in patch.items():
        if name.startswith(ORDER):
            field = name.removeprefix(ORDER)
            if isinstance(result.get(field), list):
                key = (schema.field(kind, field) if kind else None) or None
                result[field] = _ordered(result[field], order, key.merge_key if key else "", current.get(field) or [])
    return result


def _set(result: Manifest, name: str, value: Any, kind: Type | None) -> None:
    before = result.get(name)
    if value is None:
        result.pop(name, None)
    elif isinstance(value, dict):
        if "replace" in (kind.strategies if kind else ()) and isinstance(before, dict):
            result[name] = value
        else:
            result[name] = merge(before if isinstance(before, dict) else {}, value, kind)
    elif isinstance(value, list) and kind is not None and kind.kind == "list" and "merge" in kind.strategies:
        result[name] = _merge_list(before or [], value, kind)
    else:
        result[name] = value


def _merge_list(current: list[Any], patch: list[Any], kind: Type) -> list[Any]:
    """Merge by key; lists of plain values become unions."""
    if not kind.merge_key:
        return [*current, *(item for item in patch if item not in current)]
    key = kind.merge_key
    if any(isinstance(item, dict) and item.get("$patch") == "replace" and len(item) == 1 for item in patch):
        return [item for item in patch if not (isinstance(item, dict) and item.get("$patch") == "replace")]
    result = list(current)
    for item in patch:
        if not isinstance(item, dict):
            raise errors.BadRequest(f"unable to find a merge key in {item!r}")
        wanted = item.get(key)
        if item.get("$patch") == "delete":
            result = [known for known in result if known.get(key) != wanted]
            continue
        if wanted is None:
            raise errors.InternalError(f"map: {_go_map(item)} does not contain declared merge key: {key}")
        for number, known in enumerate(result):
            if known.get(key) == wanted:
                result[number] = merge(known, item, kind.item)
                break
        else:
            result.append(merge({}, item, kind.item))
    return result


def _ordered(items: list[Any], order: list[Any], key: str, before: list[Any]) -> list[Any]:
    """Elements in the order the patch sets; those it does not name keep their place relative to their old neighbours."""
    ranks = {(entry.get(key) if key and isinstance(entry, dict) else entry): rank for rank, entry in enumerate(order)}

    def of(item: Any) -> Any:
        return item.get(key) if key and isinstance(item, dict) else item

    named = sorted((item for item in items if of(item) in ranks), key=lambda item: ranks[of(item)])
    if len(named) == len(items):
        return named
    positions = {of(item): number for number, item in enumerate(before)}
    result = list(named)
    for item in items:
        if of(item) in ranks:
            continue
        place = positions.get(of(item), len(before))
        at = next((n for n, other in enumerate(result) if positions.get(of(other), -1) > place), len(result))
        result.insert(at, item)
    return result


def _go_map(value: Manifest) -> str:
    return "map[" + " ".join(f"{name}:{inner}" for name, inner in sorted(value.items())) + "]"
