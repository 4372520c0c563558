"""Sets of fields, and how `managedFields` writes them (FieldsV1).

A field is a path of steps, each as FieldsV1 writes it; a set is a frozenset of paths:

    f:spec                     a field of a struct, or a key of a map
    k:{"name":"web"}           the element of a list whose keys have these values
    v:"example.com/finalizer"  the element of a set that has this value
    i:3                        an element by its number (never in what we write, but clients may send it)

    {"f:data": {".": {}, "f:a": {}}}  is  {("f:data",), ("f:data", "f:a")}

Mirrors:  sigs.k8s.io/structured-merge-diff/fieldpath (set.go, serialize.go, element.go)
"""

from functools import lru_cache
from typing import Any

import orjson

Path = tuple[str, ...]
Fields = frozenset[Path]
NONE: Fields = frozenset()
MAX_DEPTH = 200  # Steps of a path in what clients send.
_KINDS = ("f", "k", "v", "i")


def parse(tree: Any) -> Fields:
    """The set that a FieldsV1 describes. Errors: ValueError if it is none."""
    found: set[Path] = set()
    waiting: list[tuple[Path, Any]] = [((), tree)]
    while waiting:
        path, node = waiting.pop()
        if not isinstance(node, dict) or len(path) > MAX_DEPTH:
            raise ValueError("couldn't parse fieldsV1")
        for step, below in node.items():
            if step == ".":
                if path:
                    found.add(path)
                continue
            step = _read_step(step)
            if below == {}:
                found.add((*path, step))
            else:
                waiting.append(((*path, step), below))
    return frozenset(found)


@lru_cache(maxsize=8192)
def _read_step(step: str) -> str:
    """The step as we write it: its keys in order. Errors: ValueError if it names nothing."""
    kind, _, text = step.partition(":")
    if kind == "f":
        return step
    if kind == "i":
        return f"i:{int(text)}"
    if kind not in ("k", "v"):
        raise ValueError(f"missing key type in {step!r}")
    value = orjson.loads(text)
    if kind == "v":
        return value_step(value)
    if not isinstance(value, dict) or not value:
        raise ValueError(f"no keys in {step!r}")
    return key_step(value)


def write(fields: Fields) -> dict[str, Any]:
    """The set as FieldsV1, every level in Go's order."""
    tree: dict[str, Any] = {}
    members: dict[Path, None] = {}
    for path in sorted(fields, key=_order):
        node = tree
        for step in path:
            node = node.setdefault(step, {})
        members[path] = None
    return _dotted(tree, (), members)


def _dotted(node: dict[str, Any], path: Path, members: dict[Path, None]) -> dict[str, Any]:
    """`.` says that a field with members of its own belongs to the set, too."""
    if not node:
        return {}
    made: dict[str, Any] = {".": {}} if path in members else {}
    for step in sorted(node, key=_rank):
        made[step] = _dotted(node[step], (*path, step), members)
    return made


def _order(path: Path) -> tuple[Any, ...]:
    return tuple(map(_rank, path))


@lru_cache(maxsize=8192)
def _rank(step: str) -> tuple[Any, ...]:
    """Names before keys before values before numbers; numbers in keys by their size."""
    kind, _, text = step.partition(":")
    place = _KINDS.index(kind) if kind in _KINDS else len(_KINDS)
    if kind in ("k", "v"):
        try:
            value = orjson.loads(text)
        except ValueError:
            return place, (text,)
        pairs = value.items() if isinstance(value, dict) else (("", value),)
        return place, tuple((name, _comparable(part)) for name, part in pairs)
    return place, int(text) if kind == "i" and text.isdigit() else text


def _comparable(value: Any) -> tuple[int, Any]:
    """Anything can be compared with anything: numbers, then texts, then truths."""
    if isinstance(value, bool):
        return 2, value
    return (0, value) if isinstance(value, (int, float)) else (1, str(value))


def key_step(values: dict[str, Any]) -> str:
    """`k:{"containerPort":80,"protocol":"TCP"}`"""
    return "k:" + orjson.dumps(values, option=orjson.OPT_SORT_KEYS).decode()


def value_step(value: Any) -> str:
    return "v:" + orjson.dumps(value).decode()


def shown(path: Path) -> str:
    """As errors name a field: `.spec.ports[port=80,protocol="TCP"].name`."""
    return "".join(map(_shown, path))


def _shown(step: str) -> str:
    kind, _, text = step.partition(":")
    if kind == "f":
        return f".{text}"
    if kind == "k":
        pairs = orjson.loads(text).items()
        return "[" + ",".join(f"{name}={orjson.dumps(value).decode()}" for name, value in pairs) + "]"
    return f"[={text}]" if kind == "v" else f"[{text}]"
