"""Objects and their types side by side: which fields there are, which differ, how two are merged, what is taken out.

A list is one field (atomic) unless its type says that its elements have keys or are a set; a map or struct is many
fields unless its type says that it is atomic. Where nobody declared anything (a custom resource that preserves unknown
fields) maps are granular and lists atomic.

`None` in a dict is a field that is there and null; a field that is not in the dict is absent. That is a difference:
Go writes `containers: null` for a pod spec that nobody filled, but no `volumes` at all.

Mirrors:  sigs.k8s.io/structured-merge-diff/typed (tofieldset.go, compare.go, merge.go, remove.go)
"""

from typing import Any, NamedTuple

from cluster.apiserver import schema
from cluster.apiserver.fieldmanager import sets
from cluster.apiserver.fieldmanager.sets import Fields, Path
from cluster.apiserver.schema import Type

ABSENT: Any = object()  # Neither a value nor null.
_ANY = Type("any")
_SCALARS = ("string", "integer", "number", "boolean", "quantity", "int-or-string")


class Mistyped(ValueError):
    """The value does not have its type's form; the text is structured-merge-diff's."""


class Difference(NamedTuple):
    """Fields that are new, that have another value, and that are gone."""

    added: Fields
    modified: Fields
    removed: Fields


def _child(kind: Type, name: str) -> Type | None:
    """The type of a field or of a map's value; None: not declared."""
    if kind.kind == "any":
        return _ANY
    return schema.field(kind, name) or kind.item if kind.kind == "object" else schema.field(kind, name)


def _is_map(kind: Type, value: Any) -> bool:
    """Does the value count as many fields by name?"""
    if kind.kind in ("object", "map"):
        return kind.map_type != "atomic"
    return kind.kind == "any" and kind.granular and isinstance(value, dict)


def _is_list(kind: Type) -> bool:
    return kind.kind == "list" and kind.list_type in ("map", "set")


def _step(kind: Type, item: Any) -> str:
    """How an element of a list is called. Errors: Mistyped."""
    if kind.list_type == "set":
        return sets.value_step(item)
    if item is None:
        raise Mistyped("associative list with keys may not have a null element")
    if not isinstance(item, dict):
        raise Mistyped("associative list with keys may not have non-map elements")
    values = {}
    for name in kind.map_keys:
        value = item.get(name)
        if value is None:
            value = _default_of(kind.item, name)
        if value is not None:
            values[name] = value
    return sets.key_step(values)


def _default_of(kind: Type, name: str) -> Any:
    """What the type says of a key that is not given: `protocol` is TCP."""
    declared = (kind.fields or {}).get(name)
    return declared.get("default") if isinstance(declared, dict) else None


# --- which fields there are -------------------------------------------------------------------------------------


def fields_of(kind: Type, value: Any) -> Fields:
    """All fields of a configuration. Errors: Mistyped, with the place."""
    found: set[Path] = set()
    _fields(kind, value, (), found)
    return frozenset(found)


def _fields(kind: Type, value: Any, path: Path, found: set[Path]) -> None:
    if kind.kind in ("object", "map") and value is not None and not isinstance(value, dict):
        raise Mistyped(f"{sets.shown(path)}: expected map, got &{{{_go(value)}}}")
    if kind.kind == "list" and value is not None and not isinstance(value, list):
        raise Mistyped(f"{sets.shown(path)}: expected list, got &{{{_go(value)}}}")
    if _is_map(kind, value):
        _fields_of_map(kind, value or {}, path, found)
    elif _is_list(kind):
        seen: dict[str, None] = {}
        for item in value or []:
            step = _placed(kind, item, path)
            if step in seen:
                what = "value" if kind.list_type == "set" else "key"
                raise Mistyped(f"{sets.shown(path)}: duplicate entries for {what} {sets.shown((step,))}")
            seen[step] = None
            _fields(kind.item, item, (*path, step), found)
            found.add((*path, step))
    else:
        _check_scalar(kind, value, path)
        if path:
            found.add(path)


def _fields_of_map(kind: Type, value: dict[str, Any], path: Path, found: set[Path]) -> None:
    for name, inner in value.items():
        below, where = _child(kind, name), (*path, f"f:{name}")
        if below is None:
            raise Mistyped(f"{sets.shown(where)}: field not declared in schema")
        _fields(below, inner, where, found)
        declared = kind.kind == "object" and name in (kind.fields or {})
        if inner is None or inner == {} or not declared:
            found.add(where)


def _placed(kind: Type, item: Any, path: Path) -> str:
    try:
        return _step(kind, item)
    except Mistyped as error:
        raise Mistyped(f"{sets.shown(path)}: {error}") from None


def _check_scalar(kind: Type, value: Any, path: Path) -> None:
    """Errors: Mistyped, each kind of value in its own words."""
    if value is None or kind.kind not in _SCALARS:
        return
    where, is_number = sets.shown(path), isinstance(value, (int, float)) and not isinstance(value, bool)
    if kind.kind == "string" and not isinstance(value, str):
        raise Mistyped(f"{where}: expected string, got &value.valueUnstructured{{Value:{_go(value)}}}")
    if kind.kind in ("integer", "number") and not is_number:
        shown = {str: "string", bool: "bool", dict: "map[string]interface {}", list: "[]interface {}"}
        raise Mistyped(f"{where}: expected numeric (int or float), got {shown.get(type(value), 'object')}")
    if kind.kind == "boolean" and not isinstance(value, bool):
        raise Mistyped(f"{where}: expected boolean, got &{{{_go(value)}}}")
    if isinstance(value, (dict, list)):
        raise Mistyped(f"{where}: expected any scalar, got &{{{_go(value)}}}")


def _go(value: Any) -> str:
    """A value as Go's %v prints it."""
    if isinstance(value, dict):
        return "map[" + " ".join(f"{name}:{_go(inner)}" for name, inner in sorted(value.items())) + "]"
    if isinstance(value, list):
        return "[" + " ".join(map(_go, value)) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    return "<nil>" if value is None else str(value)


# --- which fields differ ----------------------------------------------------------------------------------------


class _Comparison:
    def __init__(self) -> None:
        self.added: set[Path] = set()
        self.modified: set[Path] = set()
        self.removed: set[Path] = set()

    def leaf(self, old: Any, new: Any, path: Path) -> None:
        if old is ABSENT:
            self.added.add(path)
        elif new is ABSENT:
            self.removed.add(path)
        elif old != new or isinstance(old, bool) != isinstance(new, bool):
            self.modified.add(path)

    def compare(self, kind: Type, old: Any, new: Any, path: Path) -> None:
        """Parts that are the very same object are equal: most of an update is."""
        if old is new:
            return
        if _is_map(kind, new if new is not ABSENT else old):
            befores, afters = _dict(old), _dict(new)
            if befores or afters:
                self._maps(kind, befores, afters, path)
            else:
                self.leaf(old, new, path)
                return
        elif _is_list(kind):
            if not _list(old) and not _list(new):
                self.leaf(old, new, path)
                return
            self._lists(kind, _list(old), _list(new), path)
        else:
            self.leaf(old, new, path)
            return
        if old is ABSENT:
            self.added.add(path)
        elif new is ABSENT:
            self.removed.add(path)

    def _maps(self, kind: Type, old: dict[str, Any], new: dict[str, Any], path: Path) -> None:
        for name, after in new.items():
            before = old.get(name, ABSENT)
            if before is not after:
                self.compare(_child(kind, name) or _ANY, before, after, (*path, f"f:{name}"))
        for name, before in old.items():
            if name not in new:
                self.compare(_child(kind, name) or _ANY, before, ABSENT, (*path, f"f:{name}"))

    def _lists(self, kind: Type, old: list[Any], new: list[Any], path: Path) -> None:
        befores, afters = _indexed(kind, old), _indexed(kind, new)
        for step in {**afters, **befores}:
            before, after = befores.get(step, []), afters.get(step, [])
            where = (*path, step)
            if len(before) <= 1 and len(after) <= 1:  # Nothing twice: element against element.
                self.compare(kind.item, before[0] if before else ABSENT, after[0] if after else ABSENT, where)
            else:
                self.leaf(before or ABSENT, after or ABSENT, where)


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _indexed(kind: Type, items: list[Any]) -> dict[str, list[Any]]:
    """Elements by their step; what is stored may have doubles."""
    found: dict[str, list[Any]] = {}
    for number, item in enumerate(items):
        try:
            step = _step(kind, item)
        except Mistyped:
            step = f"i:{number}"
        found.setdefault(step, []).append(item)
    return found


def compare(kind: Type, old: Any, new: Any) -> Difference:
    """What becomes different between two objects of one type."""
    made = _Comparison()
    made.compare(kind, old, new, ())
    return Difference(
        frozenset(p for p in made.added if p), frozenset(made.modified), frozenset(p for p in made.removed if p)
    )


# --- merging ----------------------------------------------------------------------------------------------------


def merge(kind: Type, live: Any, applied: Any) -> Any:
    """`live` with everything that `applied` says; elements of keyed lists are merged one by one."""
    if applied is ABSENT:
        return live
    if live is ABSENT:
        return applied
    if _is_map(kind, applied) and (_dict(live) or _dict(applied)):
        made = dict(_dict(live))
        for name, inner in _dict(applied).items():
            made[name] = merge(_child(kind, name) or _ANY, made.get(name, ABSENT), inner)
        return made
    if _is_list(kind) and (_list(live) or _list(applied)):
        return _merged_lists(kind, _list(live), _list(applied))
    return applied


def _merged_lists(kind: Type, live: list[Any], applied: list[Any]) -> list[Any]:
    """In the order that is applied, with the living ones between the neighbours that they had."""
    left, right = [_step(kind, item) for item in live], [_step(kind, item) for item in applied]
    ours, theirs = dict(zip(left, live, strict=True)), dict(zip(right, applied, strict=True))
    shared = [step for step in right if step in ours]
    upcoming = shared.pop(0) if shared else None
    merged: dict[str, None] = {}
    made: list[Any] = []
    at, to = 0, 0
    while at < len(left) or to < len(right):
        if at < len(left) and to < len(right):
            step = left[at]
            if step == right[to]:
                merged[step] = None
                made.append(merge(kind.item, ours[step], theirs[step]))
                at, to = at + 1, to + 1
                upcoming = shared.pop(0) if shared else None
                continue
            if step in theirs and upcoming is not None and upcoming != step:
                at += 1  # Shared, but it is another one's turn.
                continue
        if at < len(left):
            step = left[at]
            if step not in theirs:
                made.append(live[at])
                at += 1
                continue
            if step in merged:
                at += 1
        if to < len(right):
            step = right[to]
            merged[step] = None
            made.append(merge(kind.item, ours.get(step, ABSENT), theirs[step]))
            to += 1
            if upcoming == step:
                upcoming = shared.pop(0) if shared else None
    return made


# --- taking out -------------------------------------------------------------------------------------------------


def without(kind: Type, value: Any, fields: Fields) -> Any:
    """`value` without these fields; what becomes empty by that is gone, too: None."""
    return _without(kind, value, _tree(fields)) if fields else value


def _tree(fields: Fields) -> dict[str, Any]:
    """Paths as nested dicts; "" marks a path that ends."""
    tree: dict[str, Any] = {}
    for path in fields:
        node = tree
        for step in path:
            node = node.setdefault(step, {})
        node[""] = {}
    return tree


def _without(kind: Type, value: Any, tree: dict[str, Any]) -> Any:
    if _is_map(kind, value) and isinstance(value, dict):
        made = {}
        for name, inner in value.items():
            below = tree.get(f"f:{name}")
            if below is None:
                made[name] = inner
            elif "" not in below:
                made[name] = _without(_child(kind, name) or _ANY, inner, below)
        return made or (None if value else value)
    if _is_list(kind) and isinstance(value, list):
        kept = []
        for item in value:
            below = tree.get(_step(kind, item))
            if below is None:
                kept.append(item)
            elif "" not in below:
                kept.append(_without(kind.item, item, below))
        return kept or (None if value else value)
    return value


def with_structs(kind: Type, fields: Fields) -> Fields:
    """The set and all structs on the way to its fields: a set of `a.b.c` has `a`, too, if `a` is a struct's field."""
    found = set(fields)
    for path in fields:
        here: Type | None = kind
        for length, step in enumerate(path[:-1], 1):
            if here is None:
                break
            is_field = step.startswith("f:")
            if is_field and here.kind == "object" and step[2:] in (here.fields or {}):
                found.add(path[:length])
            here = _child(here, step[2:]) if is_field else here.item
    return frozenset(found)
