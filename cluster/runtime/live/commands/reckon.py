"""Commands that reckon: expr, bc, factor.

bc knows sums of decimal numbers, variables and `scale`; it works with decimal.Decimal, never with Python's parser.

Mirrors:  busybox 1.37: coreutils/expr.c, miscutils/bc.c
Left out: bc's loops, functions, arrays and -l.
Limits:   numbers of 500 digits, scale up to 100, factors of numbers below 10**10.
"""

import decimal
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from cluster.runtime.live.commands import regex
from cluster.runtime.live.commands.call import Call, UsageError
from cluster.runtime.programs import arithmetic

MAX_DIGITS, MAX_SCALE, MAX_DEPTH = 500, 100, 50
COMPARED: dict[str, Callable[[Any, Any], bool]] = {
    "<": lambda a, b: a < b, "<=": lambda a, b: a <= b, "=": lambda a, b: a == b, "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b, ">=": lambda a, b: a >= b, ">": lambda a, b: a > b,
}  # fmt: skip
BC = re.compile(r"\s*(\d+\.?\d*|\.\d+|[a-z][a-z0-9_]*|[-+*/%^]=|[<>=!]=|[-+*/%^()=<>])")


class _Wrong(Exception):
    """`str()` is printed."""


# --- expr -------------------------------------------------------------------------------------------------------


def expr(call: Call) -> int:
    """0: neither empty nor 0, 1: one of them, 2: nonsense."""
    if not call.args:
        raise UsageError("too few arguments")
    try:
        reader = _Expr(list(reversed(call.args[:200])))
        value = reader.either()
        if reader.words:
            raise _Wrong("syntax error")
    except (_Wrong, regex.BadPattern) as error:
        return call.failed(str(error), 2)
    call.out(f"{value}\n")
    return int(value in ("", "0"))


class _Expr:
    """Words, last first; a method for each level of binding."""

    def __init__(self, words: list[str]) -> None:
        self.words = words
        self.depth = 0

    def _take(self, *wanted: str) -> str:
        return self.words.pop() if self.words and self.words[-1] in wanted else ""

    def either(self) -> str:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise _Wrong("syntax error")
        value = self.both()
        while self._take("|"):
            other = self.both()
            value = value if value not in ("", "0") else other or "0"
        self.depth -= 1
        return value

    def both(self) -> str:
        value = self.compared()
        while self._take("&"):
            other = self.compared()
            value = value if value not in ("", "0") and other not in ("", "0") else "0"
        return value

    def compared(self) -> str:
        value = self.sum()
        while sign := self._take(*COMPARED):
            other = self.sum()
            numbers = arithmetic.whole(value), arithmetic.whole(other)
            value = str(int(COMPARED[sign](*(numbers if None not in numbers else (value, other)))))
        return value

    def sum(self) -> str:
        value = self.product()
        while sign := self._take("+", "-"):
            value = self._reckoned(value, sign, self.product())
        return value

    def product(self) -> str:
        value = self.matched()
        while sign := self._take("*", "/", "%"):
            value = self._reckoned(value, sign, self.matched())
        return value

    @staticmethod
    def _reckoned(left: str, sign: str, right: str) -> str:
        a, b = arithmetic.whole(left), arithmetic.whole(right)
        if a is None or b is None:
            raise _Wrong("non-numeric argument")
        if b == 0 and sign in "/%":
            raise _Wrong("division by zero")
        return str(arithmetic.evaluate(f"({a}) {sign} ({b})", {}))

    def matched(self) -> str:
        value = self.word()
        while self._take(":"):
            value = _match(value, self.word())
        return value

    def word(self) -> str:
        if not self.words:
            raise _Wrong("syntax error")
        word = self.words.pop()
        if word == "(":
            value = self.either()
            if not self._take(")"):
                raise _Wrong("syntax error")
            return value
        if word == "length" and self.words:
            return str(len(self.word()))
        if word == "match" and len(self.words) > 1:
            return _match(self.word(), self.word())
        if word == "index" and len(self.words) > 1:
            text, wanted = self.word(), self.word()
            return str(next((n for n, one in enumerate(text, 1) if one in wanted), 0))
        if word == "substr" and len(self.words) > 2:
            text, start, length = self.word(), arithmetic.whole(self.word()) or 0, arithmetic.whole(self.word()) or 0
            return text[start - 1 : start - 1 + length] if start > 0 and length > 0 else ""
        return word


def _match(text: str, pattern: str) -> str:
    """The first group, or how much matches at the beginning."""
    found = regex.compile(pattern if pattern[:1] == "^" else "^" + pattern, False).search(text)
    if "\\(" in pattern:
        return found.groups[0] if found else ""
    return str(found.end if found else 0)


# --- bc ---------------------------------------------------------------------------------------------------------


def bc(call: Call) -> int:
    """Sums, one a line or between `;`."""
    options, names = call.options("qlis")
    if "l" in options:
        raise UsageError("orrery: -l is not modelled")
    machine = _Bc()
    for _, text in call.texts([*names, "-"]):
        for line in re.split(r"[\n;]", text)[:10_000]:
            if line.strip() == "quit":
                return call.code
            try:
                shown = machine.line(line)
            except (_Wrong, decimal.DecimalException) as error:
                call.err(f"bc: {error if isinstance(error, _Wrong) else 'the number is too large'}\n")
                continue
            call.out(f"{shown}\n" if shown else "")
    return call.code


class _Bc:
    def __init__(self) -> None:
        self.known: dict[str, Decimal] = {}
        self.tokens: list[str] = []
        self.depth = 0
        self.context = decimal.Context(prec=MAX_DIGITS, Emax=MAX_DIGITS, Emin=-MAX_DIGITS, rounding=decimal.ROUND_DOWN)

    @property
    def scale(self) -> int:
        return min(max(int(self.known.get("scale", 0)), 0), MAX_SCALE)

    def line(self, text: str) -> str:
        """What is printed. Errors: _Wrong."""
        text = text.partition("#")[0].strip()
        if not text:
            return ""
        self.tokens = _bc_tokens(text)
        assigns = len(self.tokens) > 1 and self.tokens[-2] in ("=", "+=", "-=", "*=", "/=", "%=", "^=")
        value = self.setting()
        if self.tokens:
            raise _Wrong("parse error: bad token")
        return "" if assigns else _shown(value)

    def _take(self, *wanted: str) -> str:
        return self.tokens.pop() if self.tokens and self.tokens[-1] in wanted else ""

    def setting(self) -> Decimal:
        if len(self.tokens) > 1 and self.tokens[-1].isidentifier() and self.tokens[-2].endswith("=") and (
            self.tokens[-2] not in ("==", "<=", ">=", "!=")
        ):  # fmt: skip
            name, sign = self.tokens.pop(), self.tokens.pop()
            value = self.setting()
            if sign != "=":
                value = self._reckoned(self.known.get(name, Decimal(0)), sign[0], value)
            self.known[name] = value
            return value
        value = self.sum()
        if sign := self._take("<", "<=", "==", "!=", ">=", ">"):
            return Decimal(int(COMPARED[sign](value, self.sum())))
        return value

    def sum(self) -> Decimal:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise _Wrong("parse error: nested too deeply")
        value = self.product()
        while sign := self._take("+", "-"):
            value = self._reckoned(value, sign, self.product())
        self.depth -= 1
        return value

    def product(self) -> Decimal:
        value = self.power()
        while sign := self._take("*", "/", "%"):
            value = self._reckoned(value, sign, self.power())
        return value

    def power(self) -> Decimal:
        value = self.atom()
        return self._reckoned(value, "^", self.power()) if self._take("^") else value

    def atom(self) -> Decimal:
        if not self.tokens:
            raise _Wrong("parse error: bad token")
        token = self.tokens.pop()
        if token == "-":
            self.depth += 1
            if self.depth > MAX_DEPTH:
                raise _Wrong("parse error: nested too deeply")
            value = -self.atom()
            self.depth -= 1
            return value
        if token == "(":
            value = self.setting()
            if not self._take(")"):
                raise _Wrong("parse error: bad expression")
            return value
        if token == "sqrt" and self._take("("):
            value = self.setting()
            if not self._take(")") or value < 0:
                raise _Wrong("math error: negative number")
            return self._cut(self.context.sqrt(value), max(self.scale, _places(value)))
        if token.isidentifier():
            return self.known.get(token, Decimal(0))
        if not token[0].isdigit() and token[0] != ".":
            raise _Wrong("parse error: bad token")
        return Decimal(token)

    def _reckoned(self, left: Decimal, sign: str, right: Decimal) -> Decimal:
        if sign in "/%" and right == 0:
            raise _Wrong("math error: divide by 0")
        context = self.context
        if sign == "/":
            return self._cut(context.divide(left, right), self.scale)
        if sign == "%":
            quotient = self._cut(context.divide(left, right), self.scale)
            return context.subtract(left, context.multiply(quotient, right))
        if sign == "^":
            exponent = int(right)
            if abs(exponent) > 10_000:
                raise _Wrong("math error: number too large")
            return self._cut(context.power(left, exponent), max(self.scale if exponent < 0 else 0, _places(left) * 50))
        if sign == "*":
            places = min(_places(left) + _places(right), max(self.scale, _places(left), _places(right)))
            return self._cut(context.multiply(left, right), places)
        return context.add(left, right) if sign == "+" else context.subtract(left, right)

    def _cut(self, value: Decimal, places: int) -> Decimal:
        return value.quantize(Decimal(1).scaleb(-min(places, MAX_SCALE)), context=self.context)


def _places(value: Decimal) -> int:
    exponent = value.as_tuple().exponent
    return max(-exponent, 0) if isinstance(exponent, int) else 0


def _shown(value: Decimal) -> str:
    """bc prints no 0 before the point."""
    text = format(value, "f")
    return re.sub(r"^(-?)0(?=\.)", r"\1", text) if value else "0"


def _bc_tokens(text: str) -> list[str]:
    """Last first."""
    found, at = [], 0
    while rest := text[at:].strip():
        match = BC.match(text, at)
        if match is None or len(match[1]) > MAX_DIGITS:
            raise _Wrong(f"bad character '{rest[0]}'")
        found.append(match[1])
        at = match.end()
    return found[::-1]


def factor(call: Call) -> int:
    for word in call.args or call.read_all().split():
        left = arithmetic.whole(word)
        if left is None or not 0 < left < 10**10:
            call.failed(f"invalid number '{word}'")
            continue
        factors, divisor = [], 2
        while divisor * divisor <= left:
            while left % divisor == 0:
                factors.append(divisor)
                left //= divisor
            divisor += 1 + (divisor > 2)
        call.out(f"{word}:{''.join(f' {one}' for one in [*factors, *([left] if left > 1 else [])])}\n")
    return call.code


RECKON: dict[str, Callable[[Call], int]] = {"expr": expr, "bc": bc, "factor": factor}
