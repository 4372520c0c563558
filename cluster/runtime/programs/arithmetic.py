"""`$((…))`: 64-bit whole numbers as C reckons them, with a shell's variables, which a sum may set.

A text becomes a tree once (`_parse` remembers it), and the tree is walked. A tree is a tuple that begins with what it
is: ("number", 5) ("name", "i") ("set", "i", "+", tree) ("step", "i", 1, before?) ("if", a, b, c) ("and", a, b)
("or", a, b) (",", a, b), an operator with one or two trees.

Mirrors:  busybox/shell/math.c
Left out: arrays, `base#digits`.
"""

import operator
import re
from collections.abc import Callable, Mapping, MutableMapping
from functools import lru_cache
from typing import Any

WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
LIMIT = 1 << 63
WHOLE = re.compile(r"-?[0-9]{1,19}")  # What fits into 64 bits has no more digits.
MAX_LENGTH = 1000
MAX_NESTED = 20  # Parentheses in one another; reading one takes a dozen calls.
MAX_DEPTH = 100  # Of a tree.
TOKEN = re.compile(
    r"\s*(0[xX][0-9a-fA-F]{1,16}|[0-9]{1,19}|\$?[A-Za-z_][A-Za-z0-9_]*"
    r"|<<=|>>=|\*\*|\+\+|--|&&|\|\||<<|>>|[-+*/%&|^<>=!]=|[-+*/%&|^<>=!~?:,()])"
)
LEVELS = (
    ("|",), ("^",), ("&",), ("==", "!="), ("<", "<=", ">", ">="), ("<<", ">>"), ("+", "-"), ("*", "/", "%"),
)  # fmt: skip
SETTING = ("=", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "<<=", ">>=")
Tree = tuple[Any, ...]


class BadSum(ValueError):
    """`str()` is what a shell says: an `arithmetic syntax error`, or `divide by zero`."""


def _nonsense() -> BadSum:
    return BadSum("arithmetic syntax error")


def _divided(a: int, b: int) -> int:
    if b == 0:
        raise BadSum("divide by zero")
    return abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)


def _power(base: int, exponent: int) -> int:
    if exponent < 0:
        raise BadSum("exponent less than 0")
    return pow(base, exponent, 2 * LIMIT)


BETWEEN: Mapping[str, Callable[[int, int], int]] = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "/": _divided, "%": lambda a, b: a - b * _divided(a, b),
    "**": _power, "<<": lambda a, b: a << (b & 63), ">>": lambda a, b: a >> (b & 63), "&": operator.and_,
    "|": operator.or_, "^": operator.xor, "==": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le,
    ">": operator.gt, ">=": operator.ge,
}  # fmt: skip
COMPARISONS: Mapping[str, Callable[[int, int], bool]] = {  # Of `test`.
    "-eq": operator.eq, "-ne": operator.ne, "-lt": operator.lt, "-le": operator.le, "-gt": operator.gt,
    "-ge": operator.ge,
}  # fmt: skip
ALONE: Mapping[str, Callable[[int], int]] = {
    "+": operator.pos, "-": operator.neg, "!": operator.not_, "~": operator.invert,
}  # fmt: skip


def whole(text: str) -> int | None:
    """The number that `text` is; None: it is none, or has more than 19 digits.

    >>> whole("-5"), whole("--5"), whole("²"), whole("9" * 20)
    (-5, None, None, None)
    """
    return int(text) if WHOLE.fullmatch(text) else None


def names(text: str) -> list[str]:
    """The variables of a sum."""
    return WORD.findall(text)


def evaluate(text: str, variables: MutableMapping[str, str]) -> int:
    """The value of `text`, which may set variables; those that are no numbers count 0. Errors: BadSum.

    >>> values = {"i": "5"}
    >>> evaluate("i++ * 2 + (i > 5 ? 010 : 0x10)", values), values
    (18, {'i': '6'})
    """
    return _value(_parse(text), variables)


@lru_cache(maxsize=1024)
def _parse(text: str) -> Tree:
    if len(text) > MAX_LENGTH:
        raise _nonsense()
    reader = _Reader(text)
    if not reader.tokens:
        return ("number", 0)
    tree = reader.list()
    if reader.tokens:
        raise _nonsense()
    if depth(tree) > MAX_DEPTH:
        raise BadSum(f"orrery: a sum of more than {MAX_DEPTH} levels")
    return tree


def depth(tree: object) -> int:
    """How many tuples and lists are within one another, at most."""
    found, level = 0, [tree]
    while level := [part for one in level if isinstance(one, tuple | list) for part in one]:
        found += 1
    return found


class _Reader:
    """Takes a sum apart from its front: one method a level of binding, the loosest first."""

    def __init__(self, text: str) -> None:
        self.tokens: list[str] = []
        at = 0
        while rest := text[at:].strip():
            match = TOKEN.match(text, at)
            if match is None or not rest:
                raise _nonsense()
            self.tokens.append(match[1].removeprefix("$"))
            at = match.end()
        self.tokens.reverse()
        self.depth = 0

    def _next(self) -> str:
        return self.tokens[-1] if self.tokens else ""

    def _take(self, *wanted: str) -> str:
        return self.tokens.pop() if self._next() in wanted else ""

    def list(self) -> Tree:
        tree = self.setting()
        while self._take(","):
            tree = (",", tree, self.setting())
        return tree

    def setting(self) -> Tree:
        self.depth += 1
        if self.depth > MAX_NESTED:
            raise BadSum(f"orrery: more than {MAX_NESTED} parentheses within one another")
        tree = self.choice()
        if (sign := self._take(*SETTING)) != "":
            if tree[0] != "name":
                raise _nonsense()
            tree = ("set", tree[1], sign[:-1], self.setting())
        self.depth -= 1
        return tree

    def choice(self) -> Tree:
        tree = self.either()
        if not self._take("?"):
            return tree
        then = self.setting()
        if not self._take(":"):
            raise _nonsense()
        return ("if", tree, then, self.setting())

    def either(self) -> Tree:
        tree = self.both()
        while self._take("||"):
            tree = ("or", tree, self.both())
        return tree

    def both(self) -> Tree:
        tree = self.level(0)
        while self._take("&&"):
            tree = ("and", tree, self.level(0))
        return tree

    def level(self, which: int) -> Tree:
        if which == len(LEVELS):
            return self.power()
        tree = self.level(which + 1)
        while sign := self._take(*LEVELS[which]):
            tree = (sign, tree, self.level(which + 1))
        return tree

    def power(self) -> Tree:
        tree = self.alone()
        return ("**", tree, self.power()) if self._take("**") else tree

    def alone(self) -> Tree:
        signs = []
        while sign := self._take("+", "-", "!", "~", "++", "--"):
            signs.append(sign)
        if len(signs) > MAX_DEPTH:
            raise _nonsense()
        tree = self.atom()
        for sign in reversed(signs):
            tree = _step(tree, sign, before=True) if sign in ("++", "--") else (sign, tree)
        if sign := self._take("++", "--"):
            tree = _step(tree, sign, before=False)
        return tree

    def atom(self) -> Tree:
        if self._take("("):
            tree = self.list()
            if not self._take(")"):
                raise _nonsense()
            return tree
        token = self.tokens.pop() if self.tokens else ""
        if WORD.fullmatch(token):
            return ("name", token)
        if not token[:1].isdigit():
            raise _nonsense()
        return ("number", _literal(token))


def _step(tree: Tree, sign: str, before: bool) -> Tree:
    """`++i` and `i++`. Before something else than a name they are two signs."""
    if tree[0] == "name":
        return ("step", tree[1], 1 if sign == "++" else -1, before)
    if not before:
        raise _nonsense()
    return (sign[0], (sign[0], tree))


def _literal(token: str) -> int:
    try:
        return _wrapped(int(token, 16 if token[:2] in ("0x", "0X") else 8 if token[0] == "0" else 10))
    except ValueError:
        raise _nonsense() from None


def _value(tree: Tree, variables: MutableMapping[str, str]) -> int:
    kind = tree[0]
    if kind == "number":
        return int(tree[1])
    if kind == "name":
        return _of(tree[1], variables)
    if kind == "set":
        value = _value(tree[3], variables)
        result = _wrapped(BETWEEN[tree[2]](_of(tree[1], variables), value)) if tree[2] else value
        variables[tree[1]] = str(result)
        return result
    if kind == "step":
        before = _of(tree[1], variables)
        variables[tree[1]] = str(after := _wrapped(before + tree[2]))
        return after if tree[3] else before
    if kind == "if":
        return _value(tree[2] if _value(tree[1], variables) else tree[3], variables)
    if kind in ("and", "or"):
        first = bool(_value(tree[1], variables))
        return int(bool(_value(tree[2], variables))) if first == (kind == "and") else int(first)
    first_value = _value(tree[1], variables)
    if len(tree) == 2:
        return _wrapped(int(ALONE[kind](first_value)))
    second = _value(tree[2], variables)
    return second if kind == "," else _wrapped(int(BETWEEN[kind](first_value, second)))


def _of(name: str, variables: Mapping[str, str]) -> int:
    return whole(variables.get(name, "0").strip()) or 0


def _wrapped(value: int) -> int:
    """64 bits, signed."""
    return (value + LIMIT) % (2 * LIMIT) - LIMIT
