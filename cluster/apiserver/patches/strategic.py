"""Strategic merge patch: a merge patch that knows which lists are maps in disguise.

A list with a merge key (containers by name, ports by port …) is merged element by element; other lists are replaced.
Directives inside the patch steer it:

    $patch: delete | replace                 the whole map, or one element of a list
    $retainKeys: [...]                       the only fields of this map that may stay
    $deleteFromPrimitiveList/<list>: [...]   values to take out of a list of plain values
    $setElementOrder/<list>: [...]           the order that the merged list shall have

After a merge the elements that the patch names stand in the patch's order, and those only the server has keep their
place relative to their old neighbours. That is why a container added by a patch comes first, not last.

Mirrors:  k8s.io/apimachinery/pkg/util/strategicpatch/patch.go (mergeMap, mergeSlice, normalizeElementOrder)
"""

from typing import Any

from cluster.apiserver import schema
from cluster.apiserver.schema import Type
from cluster.objects import Manifest, errors

DIRECTIVE, RETAIN = "$patch", "$retainKeys"
DELETE_PRIMITIVES = "$deleteFromPrimitiveList/"
ORDER = "$setElementOrder/"


def merge(current: Manifest, patch: Manifest, kind: Type | None) -> Manifest:
    """`current` with `patch` merged by its type. Errors: ApiError 400 or 500 as the real server answers each."""
    if DIRECTIVE in patch:
        return _directed(patch)
    result = _retained(current, patch)
    ordered = _ordered_lists(result, patch, kind)
    for name, value in patch.items():
        if name == RETAIN or name.startswith(ORDER) or name in ordered:
            continue
        if name.startswith(DELETE_PRIMITIVES):
            _delete_primitives(result, name.removeprefix(DELETE_PRIMITIVES), value)
        elif value is None:
            result.pop(name, None)
        else:
            result[name] = _merged(result.get(name), value, schema.field(kind, name) if kind else None)
    return result


def _directed(patch: Manifest) -> Manifest:
    """A map that says of itself what shall become of it."""
    if patch[DIRECTIVE] == "replace":
        return {name: value for name, value in patch.items() if name != DIRECTIVE}
    if patch[DIRECTIVE] == "delete":
        return {}
    raise errors.InternalError(f"unknown patch type: {patch[DIRECTIVE]} in map: {go_text(patch)}")


def _retained(current: Manifest, patch: Manifest) -> Manifest:
    """A copy of `current` with only what `$retainKeys` lets stay."""
    if RETAIN not in patch:
        return dict(current)
    kept = patch[RETAIN]
    plain = [name for name, value in patch.items() if value is not None and not name.startswith("$")]
    if not isinstance(kept, list) or any(name not in kept for name in plain):
        raise errors.BadRequest("invalid patch format of $retainKeys")
    return {name: value for name, value in current.items() if name in kept}


def _delete_primitives(result: Manifest, name: str, unwanted: Any) -> None:
    if not isinstance(unwanted, list):
        raise errors.BadRequest("invalid patch format of primitive list")
    if isinstance(result.get(name), list):
        result[name] = [item for item in result[name] if item not in unwanted]


def _merged(before: Any, value: Any, kind: Type | None) -> Any:
    """One field: maps and lists of the same nature are merged, anything else takes the patch's place."""
    strategies = kind.strategies if kind else ()
    if isinstance(value, dict):
        if "replace" in strategies:
            return value
        return merge(before if isinstance(before, dict) else {}, value, kind)
    if isinstance(value, list) and "merge" in strategies and kind is not None:
        return _merged_list(before if isinstance(before, list) else [], value, kind)
    return value


# --- lists ------------------------------------------------------------------------------------------------------


def _merged_list(current: list[Any], patch: list[Any], kind: Type) -> list[Any]:
    """Merge by key; lists of plain values become unions."""
    if kind.item.kind not in ("object", "map"):
        union = [*current, *(item for n, item in enumerate(patch) if item not in current and item not in patch[:n])]
        return _in_order(union, patch, current, "")
    key = kind.merge_key
    if not key:
        raise errors.InternalError(f"cannot merge lists without merge key for {kind.item.name}")
    result, replaced, wanted = current, False, []
    for item in patch:
        if not isinstance(item, dict):
            raise errors.InternalError(f"expected a map in the list, found {go_text(item)}")
        directive = item.get(DIRECTIVE)
        if DIRECTIVE not in item:
            wanted.append(item)
        elif directive == "delete":
            doomed = _key_of(item, key)
            result = [known for known in result if _key_of(known, key) != doomed]
        elif directive == "replace":
            replaced = True
        elif directive == "merge":
            raise errors.InternalError("merging lists cannot yet be specified in the patch")
        else:
            raise errors.InternalError(f"unknown patch type: {directive} in map: {go_text(item)}")
    if replaced:
        return wanted
    before = result
    for item in wanted:
        result = _with_element(result, item, kind)
    return _in_order(result, [item for item in patch if isinstance(item, dict) and key in item], before, key)


def _with_element(items: list[Manifest], item: Manifest, kind: Type) -> list[Manifest]:
    """The list with one element of the patch merged into its namesake, or at the end."""
    wanted = _key_of(item, kind.merge_key)
    for number, known in enumerate(items):
        if _key_of(known, kind.merge_key) == wanted:
            return [*items[:number], merge(known, item, kind.item), *items[number + 1 :]]
    return [*items, merge({}, item, kind.item)]


def _key_of(item: Any, key: str) -> str:
    """An element's identity, as text: a port may be 80 or "80". Errors: ApiError 500 if it has none."""
    if not key:
        return go_text(item)
    if not isinstance(item, dict) or key not in item:
        raise errors.InternalError(f"map: {go_text(item)} does not contain declared merge key: {key}")
    return go_text(item[key])


def _ordered_lists(result: Manifest, patch: Manifest, kind: Type | None) -> set[str]:
    """Merge the lists whose order the patch sets, into `result`. Returns their names: they are done."""
    done = set()
    for directive, order in patch.items():
        if not directive.startswith(ORDER):
            continue
        name = directive.removeprefix(ORDER)
        item_kind = schema.field(kind, name) if kind else None
        key = item_kind.merge_key if item_kind else ""
        before, given = result.get(name), patch.get(name)
        if not isinstance(order, list) or (given is not None and not isinstance(given, list)):
            raise errors.BadRequest("invalid patch format of setElementOrder list")
        if given is None and name in patch:
            continue  # null takes the list away, whatever its order.
        _check_order(given or [], order, key)
        if given is not None:
            before_merge = before if isinstance(before, list) else []
            result[name] = _in_order(_merged(before, given, item_kind), order, before_merge, key)
            done.add(name)
        elif isinstance(before, list):
            result[name] = _in_order(before, order, before, key)
    return done


def _check_order(given: list[Any], order: list[Any], key: str) -> None:
    """The patch's own elements must stand in the order that the patch asks for."""
    staying = [item for item in given if not (isinstance(item, dict) and DIRECTIVE in item)]
    rest = iter([_key_of(entry, key) for entry in order])
    if not all(_key_of(item, key) in rest for item in staying):
        message = f"The order in patch list:\n{go_text(given)}\n doesn't match {ORDER[:-1]} list:\n{go_text(order)}\n"
        raise errors.InternalError(message)


def _in_order(items: list[Any], order: list[Any], before: list[Any], key: str) -> list[Any]:
    """Elements named by `order` in that order; the others where they stood `before`, relative to the named ones."""
    ranks = {_key_of(entry, key): rank for rank, entry in reversed(list(enumerate(order)))}
    places = {_key_of(entry, key): place for place, entry in reversed(list(enumerate(before)))}
    named = sorted((item for item in items if _key_of(item, key) in ranks), key=lambda item: ranks[_key_of(item, key)])
    others = [item for item in items if _key_of(item, key) not in ranks]
    others.sort(key=lambda item: places.get(_key_of(item, key), -1))
    result = []
    for item in named:
        place = places.get(_key_of(item, key))
        while others and place is not None and places.get(_key_of(others[0], key), place) < place:
            result.append(others.pop(0))
        result.append(item)
    return [*result, *others]


def go_text(value: Any) -> str:
    """A value as Go's %v prints it: `map[a:1 b:[x y]]`."""
    if isinstance(value, dict):
        return "map[" + " ".join(f"{name}:{go_text(inner)}" for name, inner in sorted(value.items())) + "]"
    if isinstance(value, list):
        return "[" + " ".join(go_text(item) for item in value) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    return "<nil>" if value is None else str(value)
