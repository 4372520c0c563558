"""awk programs as trees. What a tree looks like: awk.py.

Mirrors:  the grammar of POSIX awk
"""

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from cluster.runtime.live.commands.text import unescaped
from cluster.runtime.programs import arithmetic

MAX_PROGRAM, MAX_NESTED, MAX_DEPTH = 10_000, 20, 120
Tree = tuple[Any, ...]
FUNCTIONS = (
    "length", "substr", "index", "split", "sub", "gsub", "match", "sprintf", "tolower", "toupper", "int", "sqrt", "exp",
    "log", "sin", "cos", "atan2", "rand", "srand", "systime", "fflush", "close",
)  # fmt: skip
LEAST = {"substr": 2, "index": 2, "split": 2, "sub": 2, "gsub": 2, "match": 2, "sprintf": 1, "atan2": 2}
WORDS = (
    "BEGIN", "END", "function", "func", "if", "else", "while", "for", "do", "break", "continue", "next", "exit",
    "return", "delete", "in", "getline", "print", "printf",
)  # fmt: skip
TOKEN = re.compile(
    r"(?P<space>(?:[ \t\r]|\\\r?\n|\#[^\n]*)+)|(?P<line>\n)|(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)"
    r"|(?P<name>[A-Za-z_]\w*)|(?P<text>\"(?:[^\"\\\n]|\\.)*\")"
    r"|(?P<sign>\*\*=|\*\*|&&|\|\||\+\+|--|>>|!~|[-+*/%^<>!=]=|[-+*/%^<>!=~?:,;(){}\[\]$|])",
    re.DOTALL,
)
PATTERN = re.compile(r"/((?:[^/\\\n\[]|\\.|\[\^?\]?(?:[^\]\\\n]|\\.)*\])*)/")
SETTING = ("=", "+=", "-=", "*=", "/=", "%=", "^=", "**=")
OPERAND_ENDS = (")", "]", "$")


class BadProgram(ValueError):
    """`str()` is what awk says."""


@dataclass(frozen=True)
class Program:
    """`rules`: (pattern, its range's end, act)."""

    begin: list[Tree] = field(default_factory=list)
    end: list[Tree] = field(default_factory=list)
    rules: list[tuple[Tree | None, Tree | None, Tree]] = field(default_factory=list)
    functions: dict[str, tuple[list[str], Tree]] = field(default_factory=dict)


@lru_cache(maxsize=256)
def parse(source: str) -> Program:
    """Errors: BadProgram."""
    if len(source) > MAX_PROGRAM:
        raise BadProgram(f"orrery: the program is longer than {MAX_PROGRAM} characters")
    program = _Reader(_tokens(source)).program()
    acts = [program.begin, program.end, program.rules, list(program.functions.values())]
    if arithmetic.depth(acts) > MAX_DEPTH:
        raise BadProgram(f"orrery: the program is nested deeper than {MAX_DEPTH} levels")
    return program


def _tokens(source: str) -> list[tuple[str, str]]:
    """(kind, text), last first. A `/` begins a pattern unless something that can be divided comes before it."""
    found: list[tuple[str, str]] = []
    at = 0
    while at < len(source):
        if source[at] == "/" and not _is_operand(found[-1] if found else ("", "")):
            match = PATTERN.match(source, at)
            if match is None:
                raise BadProgram("syntax error: unterminated regexp")
            found.append(("match", match[1].replace("\\/", "/")))
            at = match.end()
            continue
        match = TOKEN.match(source, at)
        if match is None:
            raise BadProgram(f"syntax error at '{source[at : at + 10]}'")
        kind, text = str(match.lastgroup), match[0]
        at = match.end()
        if kind == "space":
            continue
        if kind == "name":
            kind = "word" if text in WORDS else "call" if source[at : at + 1] == "(" and text not in FUNCTIONS else kind
            kind = "builtin" if text in FUNCTIONS else kind
        found.append((kind, text))
    return found[::-1]


def _is_operand(token: tuple[str, str]) -> bool:
    kind, text = token
    return kind in ("number", "name", "text", "builtin", "match") or text in (*OPERAND_ENDS, "++", "--")


class _Reader:
    """Takes tokens off the end of a list; one method for each level of binding, the loosest first."""

    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self.tokens = tokens
        self.depth = 0
        self.no_in = self.no_greater = False

    def _next(self) -> tuple[str, str]:
        return self.tokens[-1] if self.tokens else ("", "")

    def _is(self, *texts: str) -> bool:
        kind, text = self._next()
        return kind in ("sign", "word", "line") and text in texts

    def _take(self, *texts: str) -> str:
        return self.tokens.pop()[1] if self._is(*texts) else ""

    def _need(self, text: str) -> None:
        if not self._take(text):
            raise self._wrong()

    def _wrong(self) -> BadProgram:
        kind, text = self._next()
        return BadProgram(f"syntax error at {'end of program' if not kind else repr(text[:20])}")

    def _blank(self) -> None:
        while self._take("\n"):
            pass

    def _deeper(self) -> None:
        self.depth += 1
        if self.depth > MAX_NESTED:
            raise BadProgram(f"orrery: more than {MAX_NESTED} parentheses or braces within one another")

    # --- the program ----------------------------------------------------------------------------------------

    def program(self) -> Program:
        program = Program()
        while True:
            while self._take("\n", ";"):
                pass
            if not self.tokens:
                return program
            self._item(program)

    def _item(self, program: Program) -> None:
        if self._take("BEGIN"):
            program.begin.append(self.block())
        elif self._take("END"):
            program.end.append(self.block())
        elif self._take("function", "func"):
            name = self.tokens.pop()[1] if self._next()[0] in ("name", "call") else ""
            self._need("(")
            parameters = []
            while self._next()[0] == "name":
                parameters.append(self.tokens.pop()[1])
                self._take(",")
                self._blank()
            self._need(")")
            self._blank()
            program.functions[name] = (parameters, self.block())
        else:
            first = last = None
            if not self._is("{"):
                first = self.expression()
                if self._take(","):
                    self._blank()
                    last = self.expression()
            act = self.block() if self._is("{") else ("print", [], None)
            program.rules.append((first, last, act))

    def block(self) -> Tree:
        self._need("{")
        acts: list[Tree] = []
        while True:
            while self._take("\n", ";"):
                pass
            if self._take("}"):
                return ("block", acts)
            if not self.tokens:
                raise self._wrong()
            acts.append(self.act())

    def act(self) -> Tree:
        self._deeper()
        try:
            return self._act()
        finally:
            self.depth -= 1

    def _act(self) -> Tree:
        if self._is("{"):
            return self.block()
        if self._take("if"):
            return self._when()
        if self._take("while"):
            test = self._test()
            return ("while", test, ("block", []) if self._take(";") else self._body())
        if self._take("do"):
            body = self._body()
            while self._take("\n", ";"):
                pass
            self._need("while")
            return self._closed(("until", body, self._test()))
        if self._take("for"):
            return self._for()
        return self._closed(self._simple())

    def _closed(self, act: Tree) -> Tree:
        if not self._take(";", "\n") and not self._is("}") and self.tokens:
            raise self._wrong()
        return act

    def _test(self) -> Tree:
        self._need("(")
        test = self.expression()
        self._need(")")
        return test

    def _body(self) -> Tree:
        self._blank()
        return self.act()

    def _when(self) -> Tree:
        test = self._test()
        then = ("block", []) if self._take(";") else self._body()
        held = len(self.tokens)
        saved = list(self.tokens)
        while self._take("\n", ";"):
            pass
        if self._take("else"):
            return ("when", test, then, self._body())
        if len(self.tokens) < held:
            self.tokens = saved
        return ("when", test, then, None)

    def _for(self) -> Tree:
        self._need("(")
        ahead = self.tokens[-1:-5:-1]
        kinds, texts = [kind for kind, _ in ahead], [text for _, text in ahead]
        if kinds == ["name", "word", "name", "sign"] and texts[1::2] == ["in", ")"]:
            del self.tokens[-4:]
            return ("each", ahead[0][1], ahead[2][1], self._body())
        first = None if self._is(";") else self._simple()
        self._need(";")
        self._blank()
        test = None if self._is(";") else self.expression()
        self._need(";")
        self._blank()
        after = None if self._is(")") else self._simple()
        self._need(")")
        return ("for", first, test, after, ("block", []) if self._take(";") else self._body())

    def _simple(self) -> Tree:
        if (kind := self._take("print", "printf")) != "":
            return self._print(kind)
        if (kind := self._take("next", "break", "continue")) != "":
            return (kind,)
        if (kind := self._take("exit", "return")) != "":
            return (kind, None if self._is(";", "\n", "}") or not self.tokens else self.expression())
        if self._take("delete"):
            name = self.tokens.pop()[1] if self._next()[0] == "name" else ""
            if not name:
                raise self._wrong()
            return ("delete", name, self._keys() if self._is("[") else None)
        return ("do", self.expression())

    def _print(self, kind: str) -> Tree:
        trees: list[Tree] = []
        held, self.no_greater = self.no_greater, True
        if not self._is(";", "\n", "}", ">", ">>", "|") and self.tokens:
            trees = self._printed()
        self.no_greater = held
        if self._is("|"):
            raise BadProgram("orrery: print to a command is not modelled")
        where = self._take(">", ">>")
        return (kind, trees, (where, self.join()) if where else None)

    def _printed(self) -> list[Tree]:
        """What is printed; `print (a, b) > file` has it in parentheses."""
        if self._is("("):
            saved, held = list(self.tokens), self.no_greater
            self.tokens.pop()
            self.no_greater = False
            trees = self._list()
            self.no_greater = held
            if self._take(")") and (self._is(";", "\n", "}", ">", ">>", "|") or not self.tokens):
                return trees
            self.tokens = saved
        return self._list()

    def _list(self) -> list[Tree]:
        trees = [self.expression()]
        while self._take(","):
            self._blank()
            trees.append(self.expression())
        return trees

    # --- expressions ----------------------------------------------------------------------------------------

    def expression(self) -> Tree:
        self._deeper()
        tree = self.choice()
        if self._is(*SETTING) and tree[0] in ("name", "at", "field"):
            sign = self.tokens.pop()[1].removesuffix("=").replace("**", "^")
            self._blank()
            tree = ("set", tree, sign, self.expression())
        self.depth -= 1
        return tree

    def choice(self) -> Tree:
        tree = self.either()
        if not self._take("?"):
            return tree
        self._blank()
        then = self.expression()
        self._blank()
        self._need(":")
        self._blank()
        return ("if", tree, then, self.expression())

    def either(self) -> Tree:
        tree = self.both()
        while self._take("||"):
            self._blank()
            tree = ("||", tree, self.both())
        return tree

    def both(self) -> Tree:
        tree = self.member()
        while self._take("&&"):
            self._blank()
            tree = ("&&", tree, self.member())
        return tree

    def member(self) -> Tree:
        tree = self.matching()
        while not self.no_in and self._take("in"):
            tree = ("in", tree[1] if tree[0] == "group" else [tree], self.tokens.pop()[1] if self.tokens else "")
        if tree[0] == "group":
            raise self._wrong()
        return tree

    def matching(self) -> Tree:
        tree = self.comparison()
        while (sign := self._take("~", "!~")) != "":
            tree = (sign, tree, self.comparison())
        return tree

    def comparison(self) -> Tree:
        tree = self.join()
        signs = ("<", "<=", "==", "!=", ">=") if self.no_greater else ("<", "<=", "==", "!=", ">", ">=")
        if (sign := self._take(*signs)) != "":
            tree = (sign, tree, self.join())
        return tree

    def join(self) -> Tree:
        tree = self.sum()
        while self._begins_operand():
            tree = ("join", tree, self.sum())
        return tree

    def _begins_operand(self) -> bool:
        kind, text = self._next()
        return kind in ("number", "text", "match", "name", "call", "builtin") or (
            kind == "sign" and text in ("$", "!", "(", "-", "+", "++", "--") and text not in ("-", "+")
        )

    def sum(self) -> Tree:
        tree = self.product()
        while (sign := self._take("+", "-")) != "":
            tree = (sign, tree, self.product())
        return tree

    def product(self) -> Tree:
        tree = self.alone()
        while (sign := self._take("*", "/", "%")) != "":
            tree = (sign, tree, self.alone())
        return tree

    def alone(self) -> Tree:
        if (sign := self._take("!", "-", "+")) != "":
            self._deeper()
            tree = (sign, self.alone())
            self.depth -= 1
            return tree
        return self.power()

    def power(self) -> Tree:
        tree = self.stepped()
        if self._take("^", "**"):
            self._deeper()
            right = (self.tokens.pop()[1], self.power()) if self._is("-", "+", "!") else self.power()
            self.depth -= 1
            return ("^", tree, right)
        return tree

    def stepped(self) -> Tree:
        if (sign := self._take("++", "--")) != "":
            return ("step", self._target(self.atom()), 1.0 if sign == "++" else -1.0, True)
        tree = self.atom()
        if tree[0] in ("name", "at", "field") and (sign := self._take("++", "--")) != "":
            return ("step", tree, 1.0 if sign == "++" else -1.0, False)
        return tree

    def _target(self, tree: Tree) -> Tree:
        if tree[0] not in ("name", "at", "field"):
            raise self._wrong()
        return tree

    def atom(self) -> Tree:
        if not self.tokens:
            raise self._wrong()
        if self._take("$"):
            return ("field", self._field())
        if self._take("("):
            return self._group()
        if self._take("getline"):
            return ("getline", self.atom() if self._next()[0] == "name" or self._is("$") else None)
        kind, text = self.tokens[-1]
        if kind in ("sign", "word", "line"):
            raise self._wrong()
        self.tokens.pop()
        if kind == "number":
            return ("number", float(text))
        if kind == "text":
            return ("text", unescaped(text[1:-1].replace('\\"', '"').replace("\\/", "/"))[0])
        if kind == "match":
            return ("match", text)
        if kind in ("call", "builtin"):
            return self._called(text)
        return ("at", text, self._keys()) if self._is("[") else ("name", text)

    def _field(self) -> Tree:
        self._deeper()
        if (sign := self._take("++", "--")) != "":
            tree: Tree = ("step", self._target(self.atom()), 1.0 if sign == "++" else -1.0, True)
        elif self._take("-"):
            tree = ("-", self.atom())
        else:
            tree = self.atom()
        self.depth -= 1
        return tree

    def _group(self) -> Tree:
        held_in, held_greater = self.no_in, self.no_greater
        self.no_in = self.no_greater = False
        trees = self._list()
        self._need(")")
        self.no_in, self.no_greater = held_in, held_greater
        if len(trees) > 1:
            return ("group", trees)
        return trees[0]

    def _called(self, name: str) -> Tree:
        trees: list[Tree] = []
        if self._take("("):
            self._blank()
            held, self.no_greater = self.no_greater, False
            if not self._is(")"):
                trees = self._list()
            self._blank()
            self._need(")")
            self.no_greater = held
        if len(trees) < LEAST.get(name, 0):
            raise BadProgram(f"Too few arguments to {name}")
        return ("call", name, trees)

    def _keys(self) -> list[Tree]:
        self._need("[")
        held, self.no_greater = self.no_greater, False
        trees = self._list()
        self._need("]")
        self.no_greater = held
        return trees
