"""JSON Patch (RFC 6902): a list of operations, each on the result of the one before.

Objects are shared and never changed, so an operation rebuilds only the containers on its path; everything beside the
path stays the very same object. Like the real server's library we count negative indexes from the end, and `test`
with null passes where there is nothing.

    [{"op": "test", "path": "/spec/replicas", "value": 3}, {"op": "replace", "path": "/spec/replicas", "value": 5}]

Mirrors:  gopkg.in/evanphx/json-patch.v4 (patch.go), as k8s.io/apiserver calls it
"""

from collections.abc import Callable
from typing import Any

import orjson

from cluster.objects import errors

Operation = dict[str, Any]
Edit = Callable[[Any, str], Any]  # (container, last part of the path) -> the container changed
MAX_COPIED = 3 * 1024 * 1024  # Bytes that all copies of a patch may have: copies of copies grow without bounds.
REFUSED = "the server rejected our request due to an error in our request"


class Unprocessable(errors.ApiError):
    """An operation that can't be carried out: the real server's generic 422."""

    status, reason = 422, "Invalid"

    def __init__(self) -> None:
        super().__init__(REFUSED, {})


def apply(document: Any, operations: list[Operation]) -> Any:
    """`document` after all operations. Errors: Unprocessable, RequestEntityTooLarge, and nothing is changed then."""
    copied = 0
    for operation in operations:
        name = operation.get("op") if isinstance(operation, dict) else None
        if not isinstance(name, str) or name not in _OPERATIONS or not isinstance(operation.get("path"), str):
            raise Unprocessable()
        if name == "copy":
            copied += len(orjson.dumps(_at(document, _parts(operation.get("from")))))
            if copied > MAX_COPIED:
                raise errors.RequestEntityTooLarge(f"Request entity too large: the copies exceed {MAX_COPIED} bytes")
        document = _OPERATIONS[name](document, operation)
    return document


def _parts(pointer: Any) -> list[str]:
    """`/metadata/labels/a~1b` as ["metadata", "labels", "a/b"]; the whole document is []."""
    if not isinstance(pointer, str) or (pointer and not pointer.startswith("/")):
        raise Unprocessable()
    return [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]


def _position(items: list[Any], part: str, end: int) -> int:
    """The index that `part` means; `end`: one more than the highest one that is allowed."""
    try:
        index = int(part)
    except ValueError:
        raise Unprocessable() from None
    index = index + end if index < 0 else index
    if not 0 <= index < end:
        raise Unprocessable()
    return index


def _get(container: Any, part: str) -> Any:
    if isinstance(container, list):
        return container[_position(container, part, len(container))]
    if isinstance(container, dict) and part in container:
        return container[part]
    raise Unprocessable()


def _at(document: Any, parts: list[str]) -> Any:
    for part in parts:
        document = _get(document, part)
    return document


def _edited(document: Any, parts: list[str], edit: Edit) -> Any:
    """`document` with `edit` done in the container at the end of the path, containers above it rebuilt."""
    if len(parts) == 1:
        return edit(document, parts[0])
    inner = _edited(_get(document, parts[0]), parts[1:], edit)
    return _put(document, parts[0], inner)


def _put(container: Any, part: str, value: Any) -> Any:
    if isinstance(container, list):
        at = _position(container, part, len(container))
        return [*container[:at], value, *container[at + 1 :]]
    if isinstance(container, dict):
        return {**container, part: value}
    raise Unprocessable()


def _insert(container: Any, part: str, value: Any) -> Any:
    if not isinstance(container, list):
        return _put(container, part, value)
    at = len(container) if part == "-" else _position(container, part, len(container) + 1)
    return [*container[:at], value, *container[at:]]


def _without(container: Any, part: str) -> Any:
    _get(container, part)  # What is not there can't be removed.
    if isinstance(container, list):
        at = _position(container, part, len(container))
        return [*container[:at], *container[at + 1 :]]
    return {name: value for name, value in container.items() if name != part}


# --- the six operations -----------------------------------------------------------------------------------------


def _add(document: Any, operation: Operation) -> Any:
    return _added(document, operation["path"], operation.get("value"))


def _added(document: Any, pointer: str, value: Any) -> Any:
    parts = _parts(pointer)
    return _edited(document, parts, lambda container, part: _insert(container, part, value)) if parts else value


def _remove(document: Any, operation: Operation) -> Any:
    parts = _parts(operation["path"])
    if not parts:
        raise Unprocessable()
    return _edited(document, parts, _without)


def _replace(document: Any, operation: Operation) -> Any:
    parts, value = _parts(operation["path"]), operation.get("value")
    _at(document, parts)
    return _edited(document, parts, lambda container, part: _put(container, part, value)) if parts else value


def _move(document: Any, operation: Operation) -> Any:
    source = _parts(operation.get("from"))
    value = _at(document, source)
    if not source:
        raise Unprocessable()
    return _added(_edited(document, source, _without), operation["path"], value)


def _copy(document: Any, operation: Operation) -> Any:
    return _added(document, operation["path"], _at(document, _parts(operation.get("from"))))


def _test(document: Any, operation: Operation) -> Any:
    parts, expected = _parts(operation["path"]), operation.get("value")
    container = _at(document, parts[:-1])
    if expected is None and parts and isinstance(container, dict) and parts[-1] not in container:
        return document
    if not _same(_at(document, parts), expected):
        raise Unprocessable()
    return document


def _same(ours: Any, expected: Any) -> bool:
    """Equal as JSON: true is not 1."""
    if isinstance(ours, bool) or isinstance(expected, bool):
        return ours is expected
    if isinstance(ours, list) and isinstance(expected, list):
        return len(ours) == len(expected) and all(map(_same, ours, expected))
    if isinstance(ours, dict) and isinstance(expected, dict):
        return ours.keys() == expected.keys() and all(_same(value, expected[name]) for name, value in ours.items())
    return bool(ours == expected)


_OPERATIONS = {"add": _add, "remove": _remove, "replace": _replace, "move": _move, "copy": _copy, "test": _test}
