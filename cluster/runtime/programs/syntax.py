"""Reads a shell script into a tree: what `sh -c '…'` of busybox's ash understands, as far as lessons use it.

    list      a; b && c || ! d        loops     while/until/for … do … done
    choice    if … elif … else … fi   groups    { …; }   ( … )
    words     'single' "double" \\x    values    $a ${a} ${a:-b} $? $# $$ $(cmd) `cmd` $((1 + a))
    streams   > >> 2> 2>&1 >&2 &> <   pipes     a | b     jobs   a &

Mirrors:  busybox/shell/ash.c (the parser)
Left out: case, functions, here-documents, globs, ~, ${a#b} and friends.
Read next: shell.py, which runs the tree.
"""

import re
from dataclasses import dataclass
from functools import lru_cache


class ShellSyntaxError(ValueError):
    """`str()` is what ash prints."""


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a word. kind: text, variable, command, sum. `tree`: of a command substitution."""

    kind: str
    text: str
    quoted: bool
    default: str | None = None
    tree: "Node | None" = None


Word = tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Command:
    """`a=1 echo x >&2`: assignments, words, redirections as (descriptor, operator, target)."""

    assignments: tuple[tuple[str, Word], ...]
    words: tuple[Word, ...]
    redirects: tuple[tuple[int, str, Word], ...] = ()


@dataclass(frozen=True, slots=True)
class Sequence:
    items: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class AndOr:
    left: "Node"
    operator: str
    right: "Node"


@dataclass(frozen=True, slots=True)
class Not:
    node: "Node"


@dataclass(frozen=True, slots=True)
class Loop:
    """while (`until` False) or until."""

    condition: "Node"
    body: "Node"
    until: bool


@dataclass(frozen=True, slots=True)
class For:
    name: str
    words: tuple[Word, ...]
    body: "Node"


@dataclass(frozen=True, slots=True)
class If:
    branches: tuple[tuple["Node", "Node"], ...]
    otherwise: "Node | None"


@dataclass(frozen=True, slots=True)
class Pipe:
    stages: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Background:
    node: "Node"


Node = Command | Sequence | AndOr | Not | Loop | For | If | Pipe | Background

OPERATORS = ("&&", "||", ";;", "&>", ">>", ">&", "<&", ";", "&", "|", "(", ")", "<", ">", "\n")
KEYWORDS = ("if", "then", "elif", "else", "fi", "while", "until", "for", "in", "do", "done", "{", "}", "!")
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
ASSIGNMENT = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=")


@dataclass(frozen=True, slots=True)
class Token:
    """An operator (`word` is None) or a word. `bare`: its text if nothing in it was quoted or substituted."""

    text: str
    word: Word | None = None
    bare: str = ""


@lru_cache(maxsize=1024)
def parse(script: str) -> Node:
    """The tree of `script`. Errors: ShellSyntaxError."""
    parser = _Parser(_tokens(script))
    tree = parser.sequence(())
    if parser.position < len(parser.tokens):
        raise ShellSyntaxError(f"syntax error: unexpected {parser.unexpected()}")
    return tree


def words_of(argv: tuple[str, ...]) -> Command:
    """A command whose words stand for themselves, as the runtime starts it: no shell in between."""
    return Command((), tuple((Part("text", text, True),) for text in argv))


# --- words --------------------------------------------------------------------------------------------------


def _tokens(script: str) -> list[Token]:
    tokens: list[Token] = []
    at = 0
    while at < len(script):
        character = script[at]
        if character in " \t\r" or script.startswith("\\\n", at):
            at += 2 if character == "\\" else 1
        elif character == "#":
            line_end = script.find("\n", at)
            at = line_end if line_end >= 0 else len(script)
        elif match := re.match(r"([0-9])(>&|>>|>|<)", script[at:]):
            tokens.append(Token(match[0]))
            at += len(match[0])
        elif operator := next((o for o in OPERATORS if script.startswith(o, at)), None):
            tokens.append(Token(operator))
            at += len(operator)
        else:
            word, end = _word(script, at)
            text = script[at:end]
            plain = all(part.kind == "text" and not part.quoted for part in word)
            tokens.append(Token(text, word, text if plain and "\\" not in text else ""))
            at = end
    return tokens


def _word(script: str, at: int) -> tuple[Word, int]:
    parts: list[Part] = []
    while at < len(script) and script[at] not in " \t\r\n;&|()<>":
        character = script[at]
        if character == "'":
            end = _find(script, "'", at + 1)
            parts.append(Part("text", script[at + 1 : end], True))
            at = end + 1
        elif character == '"':
            inside, at = _double_quoted(script, at + 1)
            parts.extend(inside or [Part("text", "", True)])
        elif character == "\\":
            parts.append(Part("text", script[at + 1 : at + 2], True))
            at += 2
        elif character in "$`":
            part, at = _substitution(script, at, quoted=False)
            parts.append(part)
        else:
            end = at
            while end < len(script) and script[end] not in " \t\r\n;&|()<>'\"\\$`":
                end += 1
            parts.append(Part("text", script[at:end], False))
            at = end
    return tuple(parts), at


def _double_quoted(script: str, at: int) -> tuple[list[Part], int]:
    parts: list[Part] = []
    text = ""
    while at < len(script) and script[at] != '"':
        if script[at] == "\\" and script[at + 1 : at + 2] in ('"', "\\", "$", "`", "\n"):
            text += script[at + 1].replace("\n", "")
            at += 2
        elif script[at] in "$`":
            parts.append(Part("text", text, True))
            part, at = _substitution(script, at, quoted=True)
            parts.append(part)
            text = ""
        else:
            text += script[at]
            at += 1
    if at >= len(script):
        raise ShellSyntaxError("syntax error: unterminated quoted string")
    return [part for part in (*parts, Part("text", text, True)) if part.text or part.kind != "text"], at + 1


def _substitution(script: str, at: int, quoted: bool) -> tuple[Part, int]:
    """What starts with `$` or a back-quote."""
    if script[at] == "`":
        end = _find(script, "`", at + 1)
        return Part("command", "", quoted, None, parse(script[at + 1 : end])), end + 1
    if script.startswith("$((", at):
        end = _closing(script, at + 1)
        return Part("sum", script[at + 3 : end - 1], quoted), end + 1
    if script.startswith("$(", at):
        end = _closing(script, at + 1)
        return Part("command", "", quoted, None, parse(script[at + 2 : end])), end + 1
    if script.startswith("${", at):
        end = _find(script, "}", at)
        name, _, default = script[at + 2 : end].partition(":-")
        return Part("variable", name, quoted, default if ":-" in script[at:end] else None), end + 1
    match = NAME.match(script, at + 1) or re.compile(r"[0-9?#$@*!]").match(script, at + 1)
    if match is None:
        return Part("text", "$", True), at + 1
    return Part("variable", match[0], quoted), match.end()


def _find(script: str, what: str, at: int) -> int:
    end = script.find(what, at)
    if end < 0:
        raise ShellSyntaxError("syntax error: unterminated quoted string")
    return end


def _closing(script: str, at: int) -> int:
    """Where the parenthesis opened at `at` is closed."""
    depth = 0
    for end in range(at, len(script)):
        depth += {"(": 1, ")": -1}.get(script[end], 0)
        if depth == 0:
            return end
    raise ShellSyntaxError('syntax error: unexpected end of file (expecting ")")')


# --- commands -----------------------------------------------------------------------------------------------


class _Parser:
    """Recursive descent, one method a rule."""

    def __init__(self, tokens: list[Token]) -> None:
        self.tokens, self.position = tokens, 0

    def peek(self) -> Token | None:
        return self.tokens[self.position] if self.position < len(self.tokens) else None

    def unexpected(self) -> str:
        token = self.peek()
        if token is None:
            return "end of file"
        if token.word is not None:
            return f'word "{token.text}"'
        return "newline" if token.text == "\n" else f'"{token.text}"'

    def operator(self, *texts: str) -> str | None:
        token = self.peek()
        if token is not None and token.word is None and token.text in texts:
            self.position += 1
            return token.text
        return None

    def keyword(self, *texts: str) -> str | None:
        token = self.peek()
        if token is not None and token.word is not None and token.bare in texts:
            self.position += 1
            return token.bare
        return None

    def expect(self, *texts: str) -> str:
        found = self.keyword(*texts)
        if found is None:
            raise ShellSyntaxError(f'syntax error: unexpected {self.unexpected()} (expecting "{texts[0]}")')
        return found

    def sequence(self, ends: tuple[str, ...]) -> Node:
        items: list[Node] = []
        while True:
            while self.operator(";", "\n"):
                pass
            token = self.peek()
            if token is None or token.bare in ends or (token.word is None and token.text == ")"):
                return items[0] if len(items) == 1 else Sequence(tuple(items))
            node = self.and_or()
            items.append(Background(node) if self.operator("&") else node)

    def and_or(self) -> Node:
        node = self.pipe()
        while operator := self.operator("&&", "||"):
            while self.operator("\n"):
                pass
            node = AndOr(node, operator, self.pipe())
        return node

    def pipe(self) -> Node:
        if self.keyword("!"):
            return Not(self.pipe())
        stages = [self.command()]
        while self.operator("|"):
            stages.append(self.command())
        return stages[0] if len(stages) == 1 else Pipe(tuple(stages))

    def command(self) -> Node:
        if self.operator("("):
            return self._group(")")
        keyword = self.keyword("{", "if", "while", "until", "for")
        if keyword is None:
            return self.simple()
        if keyword == "{":
            return self._group("}")
        if keyword == "if":
            return self._if()
        if keyword == "for":
            return self._for()
        condition = self.sequence(("do",))
        return Loop(condition, self._body(), keyword == "until")

    def _group(self, end: str) -> Node:
        node = self.sequence((end,))
        if not (self.operator(end) or self.keyword(end)):
            raise ShellSyntaxError(f'syntax error: unexpected {self.unexpected()} (expecting "{end}")')
        return node

    def _if(self) -> Node:
        branches: list[tuple[Node, Node]] = []
        while True:
            condition = self.sequence(("then",))
            self.expect("then")
            branches.append((condition, self.sequence(("elif", "else", "fi"))))
            keyword = self.expect("fi", "elif", "else")
            if keyword == "elif":
                continue
            otherwise = self.sequence(("fi",)) if keyword == "else" else None
            if keyword == "else":
                self.expect("fi")
            return If(tuple(branches), otherwise)

    def _for(self) -> Node:
        token = self.peek()
        if token is None or not NAME.fullmatch(token.bare):
            raise ShellSyntaxError(f"syntax error: bad for loop variable: {self.unexpected()}")
        name = token.bare
        self.position += 1
        words: list[Word] = []
        if self.keyword("in"):
            while (token := self.peek()) is not None and token.word is not None:
                words.append(token.word)
                self.position += 1
        while self.operator(";", "\n"):
            pass
        return For(name, tuple(words), self._body())

    def _body(self) -> Node:
        self.expect("do")
        body = self.sequence(("done",))
        self.expect("done")
        return body

    def simple(self) -> Node:
        assignments: list[tuple[str, Word]] = []
        words: list[Word] = []
        redirects: list[tuple[int, str, Word]] = []
        while (token := self.peek()) is not None:
            if token.word is None:
                match = re.fullmatch(r"([0-9]?)(>&|<&|&>|>>|>|<)", token.text)
                if match is None:
                    break
                self.position += 1
                target = self.peek()
                if target is None or target.word is None:
                    raise ShellSyntaxError(f"syntax error: unexpected {self.unexpected()}")
                self.position += 1
                redirects.append((int(match[1] or (0 if match[2] == "<" else 1)), match[2], target.word))
                continue
            match = ASSIGNMENT.match(token.text)
            self.position += 1
            if match and not words and token.word[0].kind == "text" and not token.word[0].quoted:
                rest = Part("text", token.word[0].text[match.end() :], False)
                parts = (rest, *token.word[1:])
                assignments.append((match[1], tuple(p for p in parts if p.text or p.kind != "text")))
            elif token.bare in KEYWORDS and not words and token.bare not in ("in",):
                self.position -= 1
                raise ShellSyntaxError(f'syntax error: unexpected "{token.bare}"')
            else:
                words.append(token.word)
        if not (assignments or words or redirects):
            raise ShellSyntaxError(f"syntax error: unexpected {self.unexpected()}")
        return Command(tuple(assignments), tuple(words), tuple(redirects))
