"""A little JavaScript, as one types it into mongosh or gives to node: variables, loops, functions, try, templates.

Values are Python's: None is null, UNDEFINED is undefined, lists, dictionaries; a function is a Python callable of its
arguments. What `db`, `console` and the others are, is up to live/commands/mongosh.py or live/commands/node.py.

Left out: classes, this, promises, async, switch, do, modules, destructuring in parameters, optional chaining, regular
          expressions' methods, methods in literals, block scopes (`let`, and what `catch` names, belong to their
          function), a template within a template.
Limits:   20,000 steps unless said otherwise, 40 calls within one another, 60 levels of nesting, 64 KiB of program,
          texts of 256 KiB, lists of 20,000; 100,000 elements, those of elements counted, that one operation looks at,
          and 64 of them are a step.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any

from cluster.runtime.programs.python_values import MAX_WEIGHT, WEIGHT_OF_A_STEP, weight

STEPS, DEEPEST, LONGEST = 20_000, 60, 64 * 1024
MAX_CALLS = 40
LONGEST_TEXT, MOST_ITEMS = 256 * 1024, 20_000
AT_ONCE = ("length", "push", "pop")  # Members of lists that take no longer for a long one.
EXACT = 1 << 53  # Whole numbers above are floating, as all are in JavaScript.
TOKEN = re.compile(
    r"(?P<space>\s+|//[^\n]*|/\*.*?\*/)|(?P<number>0x[0-9a-fA-F]{1,15}|\d{1,30}(?:\.\d{1,30})?(?:[eE][+-]?\d{1,3})?)"
    r"|(?P<name>[A-Za-z_$][\w$]*)|(?P<text>\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*'|`(?:[^`\\]|\\.)*`)"
    r"|(?P<sign>===|!==|=>|\+\+|--|\+=|-=|\*=|&&|\|\||\?\?|<=|>=|==|!=|\.\.\.|[-+*/%<>=!?:;,.(){}\[\]])",
    re.DOTALL,
)
MISSING = ("class", "async", "import", "export", "switch", "do")
LITERALS: dict[str, Any] = {"true": True, "false": False, "null": None}
BINARY = {
    "??": 1, "||": 1, "&&": 2, "==": 3, "!=": 3, "===": 3, "!==": 3, "<": 4, ">": 4, "<=": 4, ">=": 4, "+": 5, "-": 5,
    "*": 6, "/": 6, "%": 6,
}  # fmt: skip
ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "0": "\0"}


class Undefined:
    def __repr__(self) -> str:
        return "undefined"


UNDEFINED = Undefined()


class ScriptError(Exception):
    """`str()`: as the shell prints it, its kind first."""


class OutOfSteps(ScriptError):
    """The script can't catch it."""


class Thrown(ScriptError):
    """What the script itself threw."""

    def __init__(self, value: Any) -> None:
        super().__init__(f"Uncaught {text_of(value)}" if not isinstance(value, dict) else _headline(value))
        self.value = value


class More(ScriptError):
    """The text ends in the middle of something: the rest may still come."""


Node = tuple[Any, ...]


# --- parsing ----------------------------------------------------------------------------------------------------


def tokens(text: str) -> list[tuple[str, str, int]]:
    """(kind, text, place). Errors: ScriptError."""
    if len(text) > LONGEST:
        raise ScriptError(f"SyntaxError: orrery: more than {LONGEST} characters")
    found, at = [], 0
    while at < len(text):
        match = TOKEN.match(text, at)
        if match is None:
            if text[at] in "\"'`" or text.startswith("/*", at):
                raise More("SyntaxError: Unterminated string constant.")
            if text[at] == "/" and (pattern := re.compile(r"/((?:[^/\\\n]|\\.)+)/([a-z]*)").match(text, at)):
                found.append(("regex", pattern[0], at))
                at = pattern.end()
                continue
            raise ScriptError(f"SyntaxError: Unexpected character '{text[at]}'. {_place(text, at)}")
        regex = None
        if match["sign"] == "/" and (not found or found[-1][1] in tuple("(,:[={")):
            regex = re.compile(r"/((?:[^/\\\n]|\\.)+)/([a-z]*)").match(text, at)
        if regex is not None:
            found.append(("regex", regex[0], at))
            at = regex.end()
            continue
        if match.lastgroup != "space":
            found.append((str(match.lastgroup), match[0], at))
        at = match.end()
    return found


def _place(text: str, at: int) -> str:
    return f"({text.count(chr(10), 0, at) + 1}:{at - text.rfind(chr(10), 0, at) - 1})"


class Parser:
    """Statements out of a text. Errors of all: ScriptError, More."""

    def __init__(self, text: str) -> None:
        self.text, self.tokens, self.at, self.depth = text, tokens(text), 0, 0

    def program(self) -> list[Node]:
        found = []
        while self.at < len(self.tokens):
            if self._take(";"):
                continue
            found.append(self._statement())
        return found

    def _peek(self, ahead: int = 0) -> str:
        place = self.at + ahead
        return self.tokens[place][1] if place < len(self.tokens) else ""

    def _take(self, sign: str) -> bool:
        if self._peek() == sign and self.tokens[self.at][0] != "text":
            self.at += 1
            return True
        return False

    def _need(self, sign: str) -> None:
        if not self._take(sign):
            raise self._wrong()

    def _wrong(self) -> ScriptError:
        if self.at >= len(self.tokens):
            return More("SyntaxError: Unexpected end of input")
        return ScriptError(f"SyntaxError: Unexpected token {_place(self.text, self.tokens[self.at][2])}")

    def _name(self) -> str:
        if self.at < len(self.tokens) and self.tokens[self.at][0] == "name":
            self.at += 1
            return self.tokens[self.at - 1][1]
        raise self._wrong()

    # --- statements -----------------------------------------------------------------------------------------

    def _statement(self) -> Node:
        word = self._peek()
        if word in ("var", "let", "const"):
            return self._declaration()
        if word in MISSING:
            raise ScriptError(f"SyntaxError: orrery: {word} is not modelled")
        if word == "for":
            return self._for()
        if word == "while":
            self.at += 1
            self._need("(")
            test = self._expression()
            self._need(")")
            return ("while", test, self._statement())
        if word == "if":
            return self._if()
        if word == "function" and self._peek(2) == "(":
            self.at += 1
            name = self._name()
            return ("let", [(name, self._function_rest())])
        if word == "return":
            self.at += 1
            value = None if self._peek() in (";", "}", "") else self._expression()
            self._take(";")
            return ("return", value)
        if word in ("break", "continue"):
            self.at += 1
            self._take(";")
            return (word,)
        if word == "throw":
            self.at += 1
            value = self._expression()
            self._take(";")
            return ("throw", value)
        if word == "try":
            return self._try()
        if word == "{":
            return self._block()
        found = self._expression()
        self._take(";")
        return ("expression", found)

    def _try(self) -> Node:
        self.at += 1
        body, name, handler, last = self._block(), None, None, None
        if self._take("catch"):
            if self._take("("):
                name = self._name()
                self._need(")")
            handler = self._block()
        if self._take("finally"):
            last = self._block()
        if handler is None and last is None:
            raise self._wrong()
        return ("try", body, name, handler, last)

    def _block(self) -> Node:
        self.depth += 1
        if self.depth > DEEPEST:
            raise ScriptError(f"SyntaxError: orrery: more than {DEEPEST} levels of nesting")
        found = self._block_rest()
        self.depth -= 1
        return found

    def _block_rest(self) -> Node:
        self._need("{")
        body = []
        while not self._take("}"):
            if not self._take(";"):
                if self.at >= len(self.tokens):
                    raise self._wrong()
                body.append(self._statement())
        return ("block", body)

    def _declaration(self) -> Node:
        self.at += 1
        found = []
        while True:
            if self._peek() in ("{", "["):
                found += self._pattern()
            else:
                name = self._name()
                found.append((name, self._expression() if self._take("=") else None))
            if not self._take(","):
                break
        self._take(";")
        return ("let", found)

    def _pattern(self) -> list[tuple[str, Node | None]]:
        """{a, b: c} = value and [a, b] = value: the value first, then its parts."""
        whole, end = f"%{self.at}", "}" if self._peek() == "{" else "]"
        self.at += 1
        parts: list[tuple[str, Node | None]] = []
        while not self._take(end):
            key = name = self._name()
            if end == "}" and self._take(":"):
                name = self._name()
            at = ("value", key if end == "}" else len(parts))
            parts.append((name, ("member", ("name", whole), at)))
            if not self._take(","):
                self._need(end)
                break
        self._need("=")
        return [(whole, self._expression()), *parts]

    def _for(self) -> Node:
        self.at += 1
        self._need("(")
        if self._peek() in ("var", "let", "const") and self._peek(2) in ("of", "in"):
            self.at += 1
            name, how = self._name(), self._name()
            over = self._expression()
            self._need(")")
            return ("each", name, how, over, self._statement())
        first = None if self._take(";") else self._statement()
        test = None if self._peek() == ";" else self._expression()
        self._need(";")
        step = None if self._peek() == ")" else self._expression()
        self._need(")")
        return ("for", first, test, step, self._statement())

    def _if(self) -> Node:
        self.at += 1
        self._need("(")
        test = self._expression()
        self._need(")")
        then = self._statement()
        return ("if", test, then, self._statement() if self._take("else") else None)

    # --- expressions ----------------------------------------------------------------------------------------

    def _expression(self) -> Node:
        self.depth += 1
        if self.depth > DEEPEST:
            raise ScriptError(f"SyntaxError: orrery: more than {DEEPEST} levels of nesting")
        found = self._assigned()
        self.depth -= 1
        return found

    def _assigned(self) -> Node:
        if arrow := self._arrow():
            return arrow
        left = self._binary(0)
        if self._take("?"):
            then = self._expression()
            self._need(":")
            return ("choice", left, then, self._expression())
        for sign in ("=", "+=", "-=", "*="):
            if self._take(sign):
                value = self._expression()
                return ("assign", left, value if sign == "=" else ("binary", sign[0], left, value))
        return left

    def _arrow(self) -> Node | None:
        start, names = self.at, list[str]()
        if self._peek(1) == "=>" and self.tokens[self.at][0] == "name":
            names = [self._name()]
        elif self._peek() == "(":
            self.at += 1
            while self.at < len(self.tokens) and self.tokens[self.at][0] == "name":
                names.append(self._name())
                if not self._take(","):
                    break
            if not (self._take(")") and self._peek() == "=>"):
                self.at = start
                return None
        else:
            return None
        self._need("=>")
        return ("function", names, self._block() if self._peek() == "{" else ("return", self._expression()))

    def _function_rest(self) -> Node:
        self._need("(")
        names = []
        while not self._take(")"):
            names.append(self._name())
            self._take(",")
        return ("function", names, self._block())

    def _binary(self, least: int) -> Node:
        left = self._unary()
        while self.at < len(self.tokens) and self.tokens[self.at][0] == "sign":
            sign = self._peek()
            if BINARY.get(sign, -1) <= least:
                break
            self.at += 1
            left = ("binary", sign, left, self._binary(BINARY[sign]))
        return left

    def _unary(self) -> Node:
        for sign in ("!", "-", "+", "++", "--"):
            if self._take(sign):
                self.depth += 1
                if self.depth > DEEPEST:
                    raise ScriptError(f"SyntaxError: orrery: more than {DEEPEST} levels of nesting")
                inner = self._unary()
                self.depth -= 1
                if sign in ("++", "--"):
                    return ("assign", inner, ("binary", sign[0], inner, ("value", 1)))
                return ("unary", sign, inner)
        if self._peek() == "typeof":
            self.at += 1
            return ("typeof", self._unary())
        found = self._postfix(self._primary())
        for sign in ("++", "--"):
            if self._take(sign):
                return ("after", found, ("assign", found, ("binary", sign[0], found, ("value", 1))))
        return found

    def _postfix(self, found: Node) -> Node:
        while True:
            if self._take("."):
                found = ("member", found, ("value", self._name()))
            elif self._take("["):
                found = ("member", found, self._expression())
                self._need("]")
            elif self._peek() == "(" and self.tokens[self.at][0] == "sign":
                self.at += 1
                found = ("call", found, self._listed(")"))
            else:
                return found

    def _listed(self, end: str) -> list[Node]:
        found = []
        while not self._take(end):
            spread = self._take("...")
            one = self._expression()
            found.append(("spread", one) if spread else one)
            if not self._take(","):
                self._need(end)
                break
        return found

    def _primary(self) -> Node:
        if self.at >= len(self.tokens):
            raise self._wrong()
        kind, text, _ = self.tokens[self.at]
        if kind == "number":
            self.at += 1
            plain = text.isdecimal() or text.startswith("0x")
            return ("value", int(text, 16 if text.startswith("0x") else 10) if plain else float(text))
        if kind == "text":
            self.at += 1
            return self._template(text[1:-1]) if text[0] == "`" and "${" in text else ("value", _unescaped(text[1:-1]))
        if kind == "regex":
            self.at += 1
            body, _, options = text[1:].rpartition("/")
            return ("object", [(("value", "$regex"), ("value", body)), (("value", "$options"), ("value", options))])
        if self._take("("):
            found = self._expression()
            self._need(")")
            return found
        if self._take("["):
            return ("list", self._listed("]"))
        if text == "{":
            return self._object()
        if text == "function":
            self.at += 1
            return self._function_rest()
        if text == "new":
            self.at += 1
            return self._postfix(self._primary())
        if text in LITERALS or text == "undefined":
            self.at += 1
            return ("value", LITERALS.get(text, UNDEFINED))
        if text == "await":
            self.at += 1
            return self._unary()
        return ("name", self._name())

    def _template(self, text: str) -> Node:
        parts: list[Node] = []
        while "${" in text:
            before, _, text = text.partition("${")
            parts.append(("value", _unescaped(before)))
            level = end = 0
            while end < len(text) and (text[end] != "}" or level):
                level += {"{": 1, "}": -1}.get(text[end], 0)
                end += 1
            inner = Parser(text[:end])
            inner.depth = self.depth + 1
            parts.append(inner._expression())
            if inner.at < len(inner.tokens):
                raise inner._wrong()
            text = text[end + 1 :]
        return ("template", [*parts, ("value", _unescaped(text))])

    def _object(self) -> Node:
        self._need("{")
        pairs = []
        while not self._take("}"):
            if self._take("..."):
                pairs.append((("value", "..."), self._expression()))
            else:
                pairs.append(self._pair())
            if not self._take(","):
                self._need("}")
                break
        return ("object", pairs)

    def _pair(self) -> tuple[Node, Node]:
        if self.at >= len(self.tokens):
            raise self._wrong()
        kind, text, _ = self.tokens[self.at]
        if self._take("["):
            key = self._expression()
            self._need("]")
        elif kind in ("name", "number"):
            self.at += 1
            key = ("value", text)
            if kind == "name" and self._peek() in (",", "}"):
                return key, ("name", text)
        elif kind == "text":
            key = self._primary()
        else:
            raise self._wrong()
        self._need(":")
        return key, self._expression()


# --- running ----------------------------------------------------------------------------------------------------


class Returned(Exception):
    def __init__(self, value: Any) -> None:
        self.value = value


class Left(Exception):
    """break or continue."""


class Scope(dict[str, Any]):
    """A function's own variables, inside others."""

    def __init__(self, outer: dict[str, Any]) -> None:
        self.outer = outer


def _holder(scope: dict[str, Any] | None, name: str) -> dict[str, Any] | None:
    """The scope that has the variable."""
    while scope is not None and name not in scope:
        scope = getattr(scope, "outer", None)
    return scope


class Runner:
    """Runs statements. `names`: variables and what the shell offers; `member(value, name)`: what its objects have."""

    def __init__(self, names: dict[str, Any], member: Callable[[Any, str], Any], steps: int = STEPS) -> None:
        self.names, self.member, self.most, self.steps = names, member, steps, steps
        self.calls = 0

    def run(self, text: str) -> Any:
        """The value of the last expression; UNDEFINED if there is none. Errors: ScriptError, More."""
        value: Any = UNDEFINED
        try:
            for node in Parser(text).program():
                value = self._do(node, self.names)
        except RecursionError:
            raise ScriptError("RangeError: Maximum call stack size exceeded") from None
        except Left:
            raise ScriptError("SyntaxError: Illegal break statement") from None
        except Returned:
            raise ScriptError("SyntaxError: Illegal return statement") from None
        self.weigh(value)  # It will be shown.
        return value

    def _do(self, node: Node, scope: dict[str, Any]) -> Any:
        self._step()
        kind = node[0]
        if kind == "expression":
            return self.value(node[1], scope)
        if kind == "let":
            for name, given in node[1]:
                scope[name] = self.value(given, scope) if given is not None else UNDEFINED
        elif kind == "block":
            for one in node[1]:
                self._do(one, scope)
        elif kind == "if":
            if truthy(self.value(node[1], scope)):
                self._do(node[2], scope)
            elif node[3] is not None:
                self._do(node[3], scope)
        elif kind == "return":
            raise Returned(self.value(node[1], scope) if node[1] is not None else UNDEFINED)
        elif kind in ("break", "continue"):
            raise Left(kind)
        elif kind == "throw":
            raise Thrown(self.value(node[1], scope))
        elif kind == "try":
            self._try(node, scope)
        else:
            self._loop(node, scope)
        return UNDEFINED

    def _try(self, node: Node, scope: dict[str, Any]) -> None:
        _, body, name, handler, last = node
        try:
            self._do(body, scope)
        except OutOfSteps:
            raise
        except ScriptError as error:
            if handler is not None:
                if name is not None:
                    scope[name] = error.value if isinstance(error, Thrown) else error_of(str(error))
                self._do(handler, scope)
            else:
                self._do(last, scope)
                raise
        except (Left, Returned):
            if last is not None:
                self._do(last, scope)
            raise
        if last is not None:
            self._do(last, scope)

    def _turn(self, node: Node, scope: dict[str, Any]) -> bool:
        """One turn of a loop; False: it was the last."""
        try:
            self._do(node, scope)
        except Left as left:
            return str(left) == "continue"
        return True

    def _loop(self, node: Node, scope: dict[str, Any]) -> None:
        if node[0] == "each":
            over = self.value(node[3], scope)
            items = (
                over if isinstance(over, list) else list(over) if isinstance(over, dict | str) else self._items(over)
            )
            for item in items if node[2] == "of" or not isinstance(items, list) else range(len(items)):
                scope[node[1]] = item
                if not self._turn(node[4], scope):
                    return
            return
        if node[0] == "for" and node[1] is not None:
            self._do(node[1], scope)
        test, step, body = (node[2], node[3], node[4]) if node[0] == "for" else (node[1], None, node[2])
        while test is None or truthy(self.value(test, scope)):
            if not self._turn(body, scope):
                return
            if step is not None:
                self.value(step, scope)

    def _items(self, value: Any) -> list[Any]:
        found = self.member(value, "toArray")
        return list(found()) if callable(found) else []

    def weigh(self, *values: Any) -> None:
        """They are going to be looked through: that takes steps. Errors: ScriptError if it is too much."""
        found = weight(values)
        if found > MAX_WEIGHT:
            raise ScriptError(f"RangeError: orrery: an operation on more than {MAX_WEIGHT} elements")
        self._step(found // WEIGHT_OF_A_STEP)

    def _key(self, node: Node, scope: dict[str, Any]) -> Any:
        """What stands in brackets; its text is the name of a member."""
        key = self.value(node, scope)
        self.weigh(key)
        return key

    def _step(self, count: int = 1) -> None:
        self.steps -= count
        if self.steps < 0:
            raise OutOfSteps(f"RangeError: orrery: more than {self.most} steps")

    def value(self, node: Node, scope: dict[str, Any]) -> Any:
        self._step()
        kind = node[0]
        if kind == "value":
            return node[1]
        if kind == "name":
            holder = _holder(scope, node[1])
            if holder is None:
                raise ScriptError(f"ReferenceError: {node[1]} is not defined")
            return holder[node[1]]
        handler: Callable[[Node, dict[str, Any]], Any] = getattr(self, f"_{kind}")
        return handler(node, scope)

    def _list(self, node: Node, scope: dict[str, Any]) -> list[Any]:
        return self._all(node[1], scope)

    def _all(self, nodes: Sequence[Node], scope: dict[str, Any]) -> list[Any]:
        found: list[Any] = []
        for one in nodes:
            found += self.value(one[1], scope) if one[0] == "spread" else [self.value(one, scope)]
            if len(found) > MOST_ITEMS:
                raise ScriptError("RangeError: Invalid array length")
        return found

    def _object(self, node: Node, scope: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in node[1]:
            if key == ("value", "..."):
                found |= self.value(value, scope)
            else:
                found[text_of(self._key(key, scope))] = self.value(value, scope)
        return found

    def _function(self, node: Node, scope: dict[str, Any]) -> Callable[..., Any]:
        def call(*values: Any) -> Any:
            if self.calls >= MAX_CALLS:
                raise ScriptError("RangeError: Maximum call stack size exceeded")
            own = Scope(scope)
            own |= {name: values[n] if n < len(values) else UNDEFINED for n, name in enumerate(node[1])}
            self.calls += 1
            try:
                self._do(node[2], own)
            except Returned as returned:
                return returned.value
            finally:
                self.calls -= 1
            return UNDEFINED

        return call

    def _template(self, node: Node, scope: dict[str, Any]) -> str:
        found = ""
        for one in node[1]:
            value = self.value(one, scope)
            self.weigh(value)
            found = _short(found + text_of(value))
        return found

    def _choice(self, node: Node, scope: dict[str, Any]) -> Any:
        return self.value(node[2] if truthy(self.value(node[1], scope)) else node[3], scope)

    def _typeof(self, node: Node, scope: dict[str, Any]) -> str:
        value = self.value(node[1], scope)
        names = {bool: "boolean", int: "number", float: "number", str: "string", Undefined: "undefined"}
        return "function" if callable(value) else names.get(type(value), "object")

    def _unary(self, node: Node, scope: dict[str, Any]) -> Any:
        value = self.value(node[2], scope)
        if node[1] == "!":
            return not truthy(value)
        self.weigh(value)
        number = number_of(value)
        return -number if node[1] == "-" else number

    def _binary(self, node: Node, scope: dict[str, Any]) -> Any:
        sign, left = node[1], self.value(node[2], scope)
        if sign in ("&&", "||", "??"):
            stops = left is not None and left is not UNDEFINED if sign == "??" else truthy(left) == (sign == "||")
            return left if stops else self.value(node[3], scope)
        right = self.value(node[3], scope)
        self.weigh(left, right)
        return calculated(sign, left, right)

    def _after(self, node: Node, scope: dict[str, Any]) -> Any:
        before = self.value(node[1], scope)
        self.value(node[2], scope)
        return before

    def _assign(self, node: Node, scope: dict[str, Any]) -> Any:
        target, value = node[1], self.value(node[2], scope)
        if target[0] == "name":
            holder = _holder(scope, target[1])
            (self.names if holder is None else holder)[target[1]] = value
        elif target[0] == "member":
            owner, key = self.value(target[1], scope), self._key(target[2], scope)
            if isinstance(owner, dict):
                owner[text_of(key)] = value
            elif isinstance(owner, list) and isinstance(key, int) and 0 <= key <= len(owner):
                owner[key : key + 1] = [value]
            else:
                self.weigh(owner)
                raise ScriptError(f"TypeError: Cannot set properties of {text_of(owner)} (setting '{text_of(key)}')")
        else:
            raise ScriptError("SyntaxError: Invalid left-hand side in assignment expression.")
        return value

    def _member(self, node: Node, scope: dict[str, Any]) -> Any:
        owner, key = self.value(node[1], scope), self._key(node[2], scope)
        if owner is None or owner is UNDEFINED:
            raise ScriptError(f"TypeError: Cannot read properties of {text_of(owner)} (reading '{text_of(key)}')")
        if isinstance(owner, list) and isinstance(key, int):
            return owner[key] if 0 <= key < len(owner) else UNDEFINED
        if isinstance(owner, str) and isinstance(key, int):
            return owner[key] if 0 <= key < len(owner) else UNDEFINED
        name = text_of(key)
        if isinstance(owner, dict) and name in owner:
            return owner[name]
        if isinstance(owner, list):
            if name not in AT_ONCE:
                self.weigh(owner)
            return _list_member(owner, name)
        if isinstance(owner, str):
            return _text_member(owner, name)
        return self.member(owner, name)

    def _call(self, node: Node, scope: dict[str, Any]) -> Any:
        found = self.value(node[1], scope)
        if not callable(found):
            raise ScriptError(f"TypeError: {_source(node[1])} is not a function")
        try:
            given = self._all(node[2], scope)
            self.weigh(*given)
            return found(*given)
        except RecursionError:
            raise ScriptError("RangeError: Maximum call stack size exceeded") from None


def _source(node: Node) -> str:
    if node[0] == "member":
        return f"{_source(node[1])}.{text_of(node[2][1])}" if node[2][0] == "value" else f"{_source(node[1])}[...]"
    return str(node[1]) if node[0] == "name" else "(intermediate value)"


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", lambda match: ESCAPES.get(match[1], match[1]), text, flags=re.DOTALL)


def error_of(text: str) -> dict[str, Any]:
    """An Error as an object, out of `Kind: what happened`."""
    name, _, message = text.partition(": ")
    return {"name": name, "message": message, "stack": f"{text}\n    at <anonymous>"}


def _headline(error: dict[str, Any]) -> str:
    stack = error.get("stack")
    return stack.partition("\n")[0] if isinstance(stack, str) else "Uncaught [object Object]"


def truthy(value: Any) -> bool:
    return not (
        value is None or value is UNDEFINED or value is False or (value in (0, "") and not isinstance(value, bool))
    )


def number_of(value: Any) -> Any:
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, int | float):
        return value
    if value is None:
        return 0
    try:
        return int(value) if str(value).strip("-").isdecimal() else float(value)
    except (TypeError, ValueError):
        return float("nan")


def text_of(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "null"
    if isinstance(value, float) and value == value and abs(value) < 1e21 and value == int(value):
        return str(int(value))
    if isinstance(value, float) and value - value != 0:
        return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, list):
        return ",".join(text_of(one) for one in value)
    if isinstance(value, dict):
        return str(value["$oid"]) if "$oid" in value else "[object Object]"
    return str(value)


def calculated(sign: str, left: Any, right: Any) -> Any:
    if sign in ("==", "===", "!=", "!=="):
        same = left == right and isinstance(left, bool) == isinstance(right, bool)
        return same == (sign[0] == "=")
    if sign == "+" and (isinstance(left, str | dict | list) or isinstance(right, str | dict | list)):
        return _short(text_of(left) + text_of(right))
    if not (isinstance(left, str) and isinstance(right, str)):
        left, right = number_of(left), number_of(right)
    if sign in ("<", ">", "<=", ">="):
        return {"<": left < right, ">": left > right, "<=": left <= right, ">=": left >= right}[sign]
    left, right = number_of(left), number_of(right)
    try:
        if sign == "/":
            found = left / right
            return int(found) if found - found == 0 and found == int(found) else found
        found = {"+": left + right, "-": left - right, "*": left * right}.get(sign)
        found = _remainder(left, right) if found is None else found
        return float(found) if isinstance(found, int) and abs(found) > EXACT else found
    except ZeroDivisionError:
        return float("nan") if sign == "%" or not left else float("inf") if left > 0 else float("-inf")
    except (OverflowError, ValueError):
        return float("nan")


def _remainder(left: Any, right: Any) -> Any:
    """It has the sign of the left one."""
    found = abs(left) % abs(right)
    return -found if left < 0 else found


def _short(text: str) -> str:
    if len(text) > LONGEST_TEXT:
        raise ScriptError("RangeError: Invalid string length")
    return text


def _list_member(owner: list[Any], name: str) -> Any:
    members: dict[str, Callable[..., Any]] = {
        "forEach": lambda do: [do(one, n) for n, one in enumerate(owner)] and UNDEFINED,
        "map": lambda do: [do(one, n) for n, one in enumerate(owner)],
        "filter": lambda do: [one for one in owner if truthy(do(one))],
        "push": lambda *values: len(owner.__iadd__(values)),
        "join": lambda sign=",": sign.join(text_of(one) for one in owner),
        "includes": lambda value: value in owner,
        "slice": lambda start=0, end=None: owner[start:end],
    }
    return len(owner) if name == "length" else members.get(name, UNDEFINED)


def _text_member(owner: str, name: str) -> Any:
    members: dict[str, Callable[..., Any]] = {
        "toUpperCase": owner.upper,
        "toLowerCase": owner.lower,
        "trim": owner.strip,
        "split": lambda sign: owner.split(sign) if sign else list(owner),
        "includes": lambda part: part in owner,
        "repeat": lambda count: _short(owner * min(int(count), LONGEST_TEXT // max(len(owner), 1) + 1)),
    }
    return len(owner) if name == "length" else members.get(name, UNDEFINED)
