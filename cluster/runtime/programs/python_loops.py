"""Which turns of a script's loop can be left out: those that are like the last ones.

Read next: python_code.py, which asks.
"""

import ast
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

from cluster.runtime.programs.python_objects import Class, Function, Object, Set
from cluster.runtime.programs.python_values import Scope, kind_of

MAX_SHOWN = 1_000  # Values, and characters, of the state that is compared with the last turn's.


def decided(tree: ast.Module) -> tuple[set[str], bool]:
    """(names by which something is decided, is anything decided at all?): conditions, ranges, keys, operands of %."""
    found: set[str] = set()
    decides = False
    for node in ast.walk(tree):
        parts: list[ast.AST] = []
        if isinstance(node, ast.If | ast.IfExp | ast.While):
            parts = [node.test]
        elif isinstance(node, ast.For):
            parts = [node.iter]
        elif isinstance(node, ast.comprehension):
            parts = [node.iter, *node.ifs]
        elif isinstance(node, ast.Subscript):
            parts = [node.slice]
        elif isinstance(node, ast.BoolOp | ast.Compare | ast.Try | ast.Assert):
            parts = [node] if not isinstance(node, ast.Try) else []
            decides = True
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div | ast.FloorDiv | ast.Mod | ast.Pow):
            parts = [node]
        decides = decides or any(not isinstance(part, ast.Constant) for part in parts)
        found |= {one.id for part in parts for one in ast.walk(part) if isinstance(one, ast.Name)}
    return found, decides


def frozen(*scopes: Scope) -> dict[str, Any]:
    """All variables: whole numbers as they are, everything else as its text; what is too large is like nothing else."""
    found: dict[str, Any] = {}
    for scope in scopes:
        for name, value in scope.items():
            if isinstance(value, int) and not isinstance(value, bool):
                found[name] = value
            else:
                parts = list[str]()
                whole = _told(value, parts, set(), scopes)
                found[name] = "".join(parts) if whole else object()
    return found


def _told(value: Any, parts: list[str], seen: set[int], known: tuple[Scope, ...]) -> bool:
    """All that can be reached from a value, as texts. False: that is too much, or can't be told."""
    if len(parts) > MAX_SHOWN or (isinstance(value, int) and value.bit_length() > MAX_SHOWN):
        return False
    if value is None or isinstance(value, bool | int | float | str | bytes):
        parts.append(repr(value[:MAX_SHOWN]) if isinstance(value, str | bytes) else repr(value))
        return not isinstance(value, str | bytes) or len(value) < MAX_SHOWN
    parts.append(f"{kind_of(value)}(")
    if id(value) in seen:
        return True
    seen.add(id(value))
    inner: Iterable[Any] = ()
    if isinstance(value, list | tuple | Set):
        inner = value
    elif isinstance(value, dict):
        inner = [one for pair in value.items() for one in pair]
    elif isinstance(value, Object):
        inner = (value.kind, value.values)
    elif isinstance(value, Class):
        inner = (value.content,)
    elif isinstance(value, Function):
        scope, closed = value.scope, list[Any]()
        while scope is not None and not any(scope is one for one in known):
            closed.append(dict(scope))
            scope = scope.outer if scope.outer is not None and scope.outer.outer is not None else None
        inner = (value.bound, value.defaults, *closed)
    elif hasattr(value, "steps"):
        return False  # Where a generator stands can't be told.
    whole = all(_told(one, parts, seen, known) for one in inner)
    parts.append(")")
    return whole


def growth(states: list[dict[str, Any]], decided: set[str]) -> dict[str, int] | None:
    """How much each whole number grew every turn; None: something else changed, or decides."""
    found: dict[str, int] = {}
    if any(state.keys() != states[0].keys() for state in states):
        return None
    for name, first in states[0].items():
        values = [state[name] for state in states]
        if all(value == first and type(value) is type(first) for value in values):
            continue
        if name in decided or not all(isinstance(value, int) for value in values):
            return None
        steps = {b - a for a, b in pairwise(values)}
        if len(steps) != 1:
            return None
        found[name] = steps.pop()
    return found
