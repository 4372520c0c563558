"""CEL's text as a tree. Macros (has, all, exists, map …) become comprehensions here, as in cel-go.

Left-deep chains of && and || are kept flat, so that a hundred conditions are no hundred levels.

Mirrors:  github.com/google/cel-go/parser
"""

import re
from dataclasses import dataclass, field
from typing import Any

MAX_LENGTH = 100_000  # Characters.
MAX_NESTING = 40  # Brackets inside brackets.
MAX_DEPTH = 100  # Levels of a tree.


class CompileError(Exception):
    """What is wrong with an expression, and where, as cel-go shows it."""

    def __init__(self, text: str, position: int, problem: str) -> None:
        before = text[:position]
        line, column = before.count("\n") + 1, position - (before.rfind("\n") + 1)
        shown = text.split("\n")[line - 1]
        told = f"ERROR: <input>:{line}:{column + 1}: {problem}\n | {shown}\n | {'.' * column}^"
        super().__init__(told)


@dataclass(slots=True)
class Expr:
    """`what`: literal, name, select, has, call, list, map, message, and, or, if, fold, bind. `at`: its place."""

    what: str
    at: int
    value: Any = None  # The literal; the name; the field; the function.
    target: "Expr | None" = None  # What is selected from or called on.
    args: list["Expr"] = field(default_factory=list)
    names: tuple[str, ...] = ()  # Variables of a fold; fields of a message.
    optional: bool = False
    depth: int = 1


_TOKEN = re.compile(
    r"(?P<space>[ \t\r\n\f]+|//[^\n]*)"
    r"|(?P<float>[0-9]+\.[0-9]+(?:[eE][+-]?[0-9]+)?|[0-9]+[eE][+-]?[0-9]+|\.[0-9]+(?:[eE][+-]?[0-9]+)?)"
    r"|(?P<int>0x[0-9a-fA-F]+[uU]?|[0-9]+[uU]?)"
    r"|(?P<string>(?:[bB][rR]?|[rR][bB]?)?(?:\"\"\"|'''|\"|'))"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_]*)"
    r"|(?P<quoted>`[A-Za-z0-9_./ -]+`)"
    r"|(?P<op>\[\?|\.\?|==|!=|<=|>=|&&|\|\||[-+*/%<>!?:.,()\[\]{}])"
)
RESERVED = frozenset(
    (
        "as", "break", "const", "continue", "else", "for", "function", "if", "import", "let", "loop", "package",
        "namespace", "return", "var", "void", "while",
    )
)  # fmt: skip
_LEVELS = {"==": 3, "!=": 3, "<": 3, "<=": 3, ">": 3, ">=": 3, "in": 3, "+": 4, "-": 4, "*": 5, "/": 5, "%": 5}
OPERATORS = {
    "==": "_==_", "!=": "_!=_", "<": "_<_", "<=": "_<=_", ">": "_>_", ">=": "_>=_", "in": "@in", "+": "_+_",
    "-": "_-_", "*": "_*_", "/": "_/_", "%": "_%_",
}  # fmt: skip
_ESCAPES = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


def parse(text: str) -> Expr:
    """Errors: CompileError."""
    if len(text) > MAX_LENGTH:
        told = f"expression code point size exceeds limit: size: {len(text)}, limit {MAX_LENGTH}"
        raise CompileError(text[:80], 0, told)
    return _Parser(text).whole()


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = list(self._tokens())
        self.position, self.nesting = 0, 0

    def _tokens(self) -> Any:
        text, position = self.text, 0
        while position < len(text):
            found = _TOKEN.match(text, position)
            if found is None:
                shown = text[position]
                raise CompileError(text, position, f"Syntax error: token recognition error at: '{shown}'")
            kind, start = str(found.lastgroup), position
            position = found.end()
            if kind == "string":
                value, position = self._string(found.group(), start, position)
                yield "literal", value, start
            elif kind != "space":
                yield kind, found.group(), start
        yield "end", "<EOF>", len(text)

    def _string(self, opening: str, start: int, position: int) -> tuple[Any, int]:
        """The value of a string and where it ends."""
        quote = opening.lstrip("bBrR")
        prefix = opening[: -len(quote)].lower()
        raw, text, made = "r" in prefix, self.text, []
        while not text.startswith(quote, position):
            if position >= len(text) or (text[position] == "\n" and len(quote) == 1):
                shown = text[start:position]
                raise CompileError(text, start, f"Syntax error: token recognition error at: '{shown}'")
            if text[position] == "\\" and not raw:
                char, position = self._escape(position + 1)
                made.append(char)
            else:
                made.append(text[position])
                position += 1
        value = "".join(made)
        return (value.encode("utf-8", "surrogatepass") if "b" in prefix else value), position + len(quote)

    def _escape(self, position: int) -> tuple[str, int]:
        text = self.text
        char = text[position : position + 1]
        if char in _ESCAPES:
            return _ESCAPES[char], position + 1
        if char in ("\\", "'", '"', "`", "?"):
            return char, position + 1
        for first, digits, base in (("x", 2, 16), ("X", 2, 16), ("u", 4, 16), ("U", 8, 16)):
            if char == first:
                end = position + 1 + digits
                return self._code(text[position + 1 : end], digits, base, position), end
        if char and char in "0123":
            return self._code(text[position : position + 3], 3, 8, position), position + 3
        raise CompileError(text, position - 1, "Syntax error: token recognition error at: '\\'")

    def _code(self, digits: str, wanted: int, base: int, position: int) -> str:
        if len(digits) == wanted and re.fullmatch(r"[0-9a-fA-F]+" if base == 16 else r"[0-7]+", digits):
            number = int(digits, base)
            if number < 0x110000 and not 0xD800 <= number < 0xE000:
                return chr(number)
        raise CompileError(self.text, position - 1, "Syntax error: unable to unescape string")

    # --- grammar ------------------------------------------------------------------------------------------------

    def whole(self) -> Expr:
        made = self.expression()
        kind, value, at = self.tokens[self.position]
        if kind != "end":
            raise CompileError(self.text, at, f"Syntax error: mismatched input '{_shown(value)}' expecting <EOF>")
        return made

    def peek(self) -> Any:
        kind, value, _ = self.tokens[self.position]
        return value if kind in ("op", "name", "end") else None

    def next(self) -> tuple[str, Any, int]:
        token = self.tokens[self.position]
        self.position += 1
        return token  # type: ignore[no-any-return]

    def expect(self, wanted: str) -> int:
        kind, value, at = self.tokens[self.position]
        if kind != "op" or value != wanted:
            raise CompileError(self.text, at, f"Syntax error: mismatched input '{_shown(value)}' expecting '{wanted}'")
        self.position += 1
        return at  # type: ignore[no-any-return]

    def made(
        self, what: str, at: int, value: Any = None, target: Expr | None = None, args: Any = (), **more: Any
    ) -> Expr:
        """Errors: CompileError, if the tree becomes too deep."""
        inner = [*([target] if target is not None else []), *args]
        depth = 1 + max((each.depth for each in inner), default=0)
        if depth > MAX_DEPTH:
            raise CompileError(self.text, at, f"expression recursion limit exceeded: {MAX_DEPTH}")
        return Expr(what, at, value, target, list(args), depth=depth, **more)

    def expression(self) -> Expr:
        self.nesting += 1
        if self.nesting > MAX_NESTING:
            at = self.tokens[self.position][2]
            raise CompileError(self.text, at, f"expression recursion limit exceeded: {MAX_NESTING}")
        condition = self.chain("||", "or")
        if self.peek() == "?":
            _, _, at = self.next()
            first = self.chain("||", "or")
            self.expect(":")
            condition = self.made("if", at, args=[condition, first, self.expression()])
        self.nesting -= 1
        return condition

    def chain(self, operator: str, what: str) -> Expr:
        """Terms of && or ||, side by side."""
        one = (lambda: self.chain("&&", "and")) if what == "or" else (lambda: self.binary(3))
        terms, at = [one()], -1
        while self.peek() == operator:
            _, _, at = self.next()
            terms.append(one())
        return terms[0] if len(terms) == 1 else self.made(what, at, args=terms)

    def binary(self, level: int) -> Expr:
        left = self.unary()
        while True:
            operator = self.peek()
            rank = _LEVELS.get(operator, 0)
            if self.tokens[self.position][0] == "literal" or rank < level:
                return left
            _, _, at = self.next()
            left = self.made("call", at, OPERATORS[operator], args=[left, self.binary(rank + 1)])

    def unary(self) -> Expr:
        signs = []
        while self.peek() in ("!", "-") and self.tokens[self.position][0] == "op":
            signs.append(self.next())
        if len(signs) > MAX_DEPTH:
            raise CompileError(self.text, signs[0][2], f"expression recursion limit exceeded: {MAX_DEPTH}")
        if signs and signs[-1][1] == "-" and self.tokens[self.position][0] in ("int", "float"):
            kind, text, _ = self.tokens[self.position]
            if not str(text).lower().endswith("u"):
                self.tokens[self.position] = (kind, f"-{text}", signs.pop()[2])
        made = self.member()
        for _, sign, at in reversed(signs):
            made = self.made("call", at, "!_" if sign == "!" else "-_", args=[made])
        return made

    def member(self) -> Expr:
        made = self.primary()
        while True:
            token = self.peek() if self.tokens[self.position][0] == "op" else None
            if token in (".", ".?"):
                _, _, at = self.next()
                kind, name, where = self.next()
                if kind not in ("name", "quoted") or (kind == "name" and name in ("in", "true", "false", "null")):
                    told = f"Syntax error: no viable alternative at input '.{_shown(name)}'"
                    raise CompileError(self.text, where, told)
                name = str(name).strip("`")
                if token == "." and kind == "name" and self.peek() == "(" and self.tokens[self.position][0] == "op":
                    opening = self.expect("(")
                    made = self.call(name, made, self.arguments(")"), opening)
                elif token == ".?":
                    made = self.made("select", at, name, made, optional=True)
                else:
                    made = self.made("select", at, name, made)
            elif token in ("[", "[?"):
                _, _, at = self.next()
                index = self.expression()
                self.expect("]")
                made = self.made("call", at, "_[_]" if token == "[" else "_[?_]", args=[made, index])
            elif token == "{" and made.what in ("name", "select"):
                made = self.message(made)
            else:
                return made

    def arguments(self, closing: str) -> list[Expr]:
        found = []
        while not (self.peek() == closing and self.tokens[self.position][0] == "op"):
            found.append(self.expression())
            if self.peek() != ",":
                break
            self.next()
        self.expect(closing)
        return found

    def primary(self) -> Expr:
        kind, value, at = self.next()
        if kind == "literal":
            return self.made("literal", at, value)
        if kind == "int":
            return self.made("literal", at, self.integer(value, at))
        if kind == "float":
            return self.made("literal", at, float(value))
        if kind == "name":
            return self.named(value, at)
        if kind == "op" and value == "(":
            made = self.expression()
            self.expect(")")
            return made
        if kind == "op" and value == "[":
            return self.made("list", at, args=self.arguments("]"))
        if kind == "op" and value == "{":
            return self.mapping(at)
        if kind == "op" and value == ".":
            kind, value, at = self.next()
            if kind == "name":
                return self.named(value, at)
        raise CompileError(self.text, at, f"Syntax error: mismatched input '{_shown(value)}' expecting an expression")

    def mapping(self, at: int) -> Expr:
        entries: list[Expr] = []
        while self.peek() != "}":
            entries.append(self.expression())
            self.expect(":")
            entries.append(self.expression())
            if self.peek() != ",":
                break
            self.next()
        self.expect("}")
        return self.made("map", at, args=entries)

    def message(self, named: Expr) -> Expr:
        """`JSONPatch{op: "add", path: "/a"}`: an object of a type of its own."""
        at, fields, values = self.expect("{"), [], []
        while self.peek() != "}":
            kind, name, where = self.next()
            if kind not in ("name", "quoted"):
                told = f"Syntax error: mismatched input '{_shown(name)}' expecting a field"
                raise CompileError(self.text, where, told)
            fields.append(str(name).strip("`"))
            self.expect(":")
            values.append(self.expression())
            if self.peek() != ",":
                break
            self.next()
        self.expect("}")
        return self.made("message", at, args=values, target=named, names=tuple(fields))

    def named(self, name: str, at: int) -> Expr:
        if name in ("true", "false", "null"):
            return self.made("literal", at, {"true": True, "false": False, "null": None}[name])
        if name == "in":
            raise CompileError(self.text, at, "Syntax error: mismatched input 'in' expecting an expression")
        if name in RESERVED:
            raise CompileError(self.text, at, f"reserved identifier: {name}")
        if self.peek() == "(" and self.tokens[self.position][0] == "op":
            opening = self.expect("(")
            return self.call(name, None, self.arguments(")"), opening)
        return self.made("name", at, name)

    def integer(self, text: str, at: int) -> Any:
        unsigned = text[-1] in "uU"
        digits = text.rstrip("uU")
        if len(digits) > 40:
            raise CompileError(self.text, at, "Syntax error: invalid int literal")
        number = int(digits, 16 if "0x" in digits else 10)
        if unsigned:
            if number >= 1 << 64:
                raise CompileError(self.text, at, "Syntax error: invalid uint literal")
            return ("uint", number)
        if not -(1 << 63) <= number < 1 << 63:
            raise CompileError(self.text, at, "Syntax error: invalid int literal")
        return number

    # --- macros -------------------------------------------------------------------------------------------------

    def call(self, name: str, target: Expr | None, args: list[Expr], at: int) -> Expr:
        if target is None and name == "has" and len(args) == 1:
            if args[0].what != "select" or args[0].optional:
                raise CompileError(self.text, at, "invalid argument to has() macro")
            return self.made("has", at, args[0].value, args[0].target)
        if target is not None and target.what == "name" and target.value == "cel" and name == "bind" and len(args) == 3:
            return self.made("bind", at, args=args[1:], names=(self.variable(args[0]),))
        if target is not None and name in _FOLDS and len(args) in _FOLDS[name]:
            return self.fold(name, target, args, at)
        if target is not None and name in ("optMap", "optFlatMap") and len(args) == 2:
            return self.made("fold", at, name, target, args=args[1:], names=(self.variable(args[0]),))
        return self.made("call", at, name, target, args)

    def fold(self, name: str, target: Expr, args: list[Expr], at: int) -> Expr:
        """`all(x, p)`, `map(x, p, t)`; with two variables `all(i, v, p)`, `transformList(i, v, p, t)`."""
        two = name.startswith("transform") or (len(args) == 3 and name in ("all", "exists", "exists_one", "existsOne"))
        names = tuple(self.variable(each) for each in args[: 1 + two])
        return self.made("fold", at, _SAME.get(name, name), target, args=args[1 + two :], names=names)

    def variable(self, expr: Expr) -> str:
        if expr.what != "name":
            raise CompileError(self.text, expr.at, "argument must be a simple name")
        return str(expr.value)


_FOLDS = {
    "all": (2, 3), "exists": (2, 3), "exists_one": (2, 3), "existsOne": (2, 3), "map": (2, 3), "filter": (2,),
    "transformList": (3, 4), "transformMap": (3, 4), "sortBy": (2,),
}  # fmt: skip
_SAME = {"existsOne": "exists_one"}


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else str(value)
