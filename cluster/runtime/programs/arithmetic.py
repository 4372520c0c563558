"""`$((…))`: whole numbers as C reckons them. Python parses, we reckon; nothing is evaluated blindly."""

import ast
import operator
import re
from collections.abc import Callable, Mapping
from functools import lru_cache

WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
LIMIT = 1 << 63
WHOLE = re.compile(r"-?[0-9]{1,19}")  # What fits into 64 bits has no more digits.
MAX_DEPTH = 100  # Of a sum within a sum.

ARITHMETIC: dict[type[ast.operator], Callable[[int, int], int]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: lambda a, b: 0 if b == 0 else abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1),
    ast.Mod: lambda a, b: 0 if b == 0 else abs(a) % abs(b) * (1 if a >= 0 else -1),
    ast.LShift: lambda a, b: a << min(max(b, 0), 63),
    ast.RShift: lambda a, b: a >> min(max(b, 0), 63),
    ast.BitAnd: operator.and_,
    ast.BitOr: operator.or_,
}
COMPARISONS: dict[type[ast.cmpop], Callable[[int, int], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}


def whole(text: str) -> int | None:
    """The number that `text` is; None: it is none, or has more than 19 digits.

    >>> whole("-5"), whole("--5"), whole("²"), whole("9" * 20)
    (-5, None, None, None)
    """
    return int(text) if WHOLE.fullmatch(text) else None


def names(text: str) -> list[str]:
    """The variables of a sum."""
    return WORD.findall(text)


def evaluate(text: str, variables: Mapping[str, str]) -> int:
    """The value of `text`; variables that are no numbers count 0, and so does nonsense."""
    tree = _parse(text)
    return 0 if tree is None else _wrapped(_value(tree, variables))


@lru_cache(maxsize=1024)
def _parse(text: str) -> ast.expr | None:
    python = text.replace("$", "").replace("&&", " and ").replace("||", " or ").replace("/", "//")
    python = re.sub(r"!(?!=)", " not ", python).strip()
    try:
        return ast.parse(python, mode="eval").body if len(python) < 1000 else None
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _value(node: ast.expr, variables: Mapping[str, str], depth: int = 0) -> int:
    if depth > MAX_DEPTH:
        return 0
    depth += 1
    if isinstance(node, ast.Constant) and isinstance(node.value, int):
        return node.value
    if isinstance(node, ast.Name):
        return whole(variables.get(node.id, "0").strip()) or 0
    if isinstance(node, ast.UnaryOp):
        value = _value(node.operand, variables, depth)
        return -value if isinstance(node.op, ast.USub) else int(not value) if isinstance(node.op, ast.Not) else value
    if isinstance(node, ast.BinOp) and type(node.op) in ARITHMETIC:
        return _wrapped(
            ARITHMETIC[type(node.op)](_value(node.left, variables, depth), _value(node.right, variables, depth))
        )
    if isinstance(node, ast.BoolOp):
        values = [_value(value, variables, depth) for value in node.values]
        return int(all(values) if isinstance(node.op, ast.And) else any(values))
    if isinstance(node, ast.Compare) and type(node.ops[0]) in COMPARISONS:
        return int(
            COMPARISONS[type(node.ops[0])](
                _value(node.left, variables, depth), _value(node.comparators[0], variables, depth)
            )
        )
    return 0


def _wrapped(value: int) -> int:
    """64 bits, signed."""
    return (value + LIMIT) % (2 * LIMIT) - LIMIT
