"""Frames of a shell hold pieces of its script's tree: here they become plain data and trees again.

    Command(assignments, words, redirects)  <->  {"~": "Command", "f": [[], [[…]], []]}

A dictionary marks a node, since whatever people type only ever becomes strings and lists of them.
"""

from dataclasses import fields
from functools import lru_cache
from typing import Any

from cluster.runtime.programs import syntax

KINDS: dict[str, Any] = {
    kind.__name__: kind
    for kind in (
        syntax.Part, syntax.Command, syntax.Sequence, syntax.AndOr, syntax.Not, syntax.Loop, syntax.For, syntax.If,
        syntax.Pipe, syntax.Background, syntax.Subshell, syntax.Case, syntax.Function, syntax.Redirected,
    )
}  # fmt: skip
_FIELDS = {kind: tuple(field.name for field in fields(kind)) for kind in KINDS.values()}


@lru_cache(maxsize=2048)
def _dumped(node: Any) -> dict[str, Any]:
    return {"~": type(node).__name__, "f": [dump(getattr(node, name)) for name in _FIELDS[type(node)]]}


def dump(value: Any) -> Any:
    """A frame, or any part of it, as plain data."""
    if type(value) in _FIELDS:
        return _dumped(value)
    if isinstance(value, list | tuple):
        return [dump(one) for one in value]
    return value


def load(value: Any) -> Any:
    """The same frame with its trees."""
    if isinstance(value, dict) and "~" in value:
        return KINDS[value["~"]](*(_tuples(one) for one in value["f"]))
    if isinstance(value, list):
        return [load(one) for one in value]
    return value


def _tuples(value: Any) -> Any:
    """Inside a tree, sequences are tuples, since nodes are shared and immutable."""
    return tuple(_tuples(one) for one in value) if isinstance(value, list) else load(value)
