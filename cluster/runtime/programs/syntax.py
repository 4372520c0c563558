"""Reads a shell script into a tree: what `sh -c '…'` of busybox's ash understands, as far as lessons use it.

    list      a; b && c || ! d        loops     while/until/for … do … done
    choice    if … elif … else … fi   case … in … esac    groups    { …; }   ( … )
    words     'single' "double" \\x    values    $a ${a} ${a:-b} ${a#b} $? $# $$ $(cmd) `cmd` $((1 + a))
    tests     [[ -f a && $b == c* || $d =~ ^e ]]: become case, [ and grep
    arrays    a=(b c)  a+=(d)  ${a[1]} ${a[@]} ${#a[@]}, in the shell that lives; so are
              ${#a} ${a#b} ${a/b/c} ${a:1:2} ${a^^}  $'\\n'  <<< word  ((i++))  for ((;;))  {1..3} (bash only)
    streams   > >> 2> 2>&1 >&2 &> < <<   pipes     a | b     jobs   a &     functions   f() { …; }

Two shells run this tree: shell.py computes what a script prints at any time, live/shell.py lives from input to input.

Mirrors:  busybox/shell/ash.c (the parser)
Left out: globs and ~ (live/words.py finds them in unquoted text), aliases, `${a[@]:1}`, arrays by other keys.
Limits:   64 KiB a script, 50 levels of nesting, about as many && and || in a row: a tree must fit into JSON.
Read next: shell.py, which runs the tree.
"""

import re
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import lru_cache

MAX_SCRIPT = 64 * 1024
MAX_DEPTH = 50
MAX_TREE = 200  # Levels of lists and maps of a tree as plain data; our JSON library writes 254.


class ShellSyntaxError(ValueError):
    """`str()` is what ash prints."""


class Incomplete(ShellSyntaxError):
    """More lines may make it whole: an interactive shell asks for them."""


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a word. kind: text, variable, command, sum. `tree`: of a command substitution.

    `operator` and `operand`: of `${name<operator><operand>}`; `default`: the operand of `:-` as it is written.
    """

    kind: str
    text: str
    quoted: bool
    default: str | None = None
    tree: "Node | None" = None
    operator: str = ""
    operand: "Word" = ()


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
    step: "Node | None" = None  # Of `for ((a; b; c))`: c.


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


@dataclass(frozen=True, slots=True)
class Subshell:
    """`( … )`: what it changes stays inside."""

    node: "Node"


@dataclass(frozen=True, slots=True)
class Case:
    word: Word
    branches: tuple[tuple[tuple[Word, ...], "Node"], ...]


@dataclass(frozen=True, slots=True)
class Function:
    name: str
    body: "Node"


@dataclass(frozen=True, slots=True)
class Redirected:
    """A compound command with redirections behind it: `while read a; do …; done < file`."""

    node: "Node"
    redirects: tuple[tuple[int, str, Word], ...]


Node = Command | Sequence | AndOr | Not | Loop | For | If | Pipe | Background | Subshell | Case | Function | Redirected

OPERATORS = ("&&", "||", ";;", "&>", ">>", ">&", "<&", ";", "&", "|", "(", ")", "<", ">", "\n")
KEYWORDS = (
    "if", "then", "elif", "else", "fi", "while", "until", "for", "case", "esac", "do", "done", "{", "}", "!",
)  # fmt: skip
PARAMETER = re.compile(r"([A-Za-z_][A-Za-z0-9_]*|[0-9]+|[?#$@*!])(:?[-=+?]|##?|%%?|/[/#%]?|\^\^?|,,?|:)?")
REDIRECT = re.compile(r"([0-9]?)(<<|>&|<&|&>|>>|>|<)")
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
ASSIGNMENT = re.compile(r"([A-Za-z_][A-Za-z0-9_]*(?:\[[^]=]*\])?\+?)=")
ELEMENT = re.compile(r"(#?)([A-Za-z_][A-Za-z0-9_]*)\[([^]]+)\]")
ARRAY = "(array)"  # The command that `a=(b c)` becomes: (array) a b c.


@dataclass(frozen=True, slots=True)
class Token:
    """An operator (`word` is None) or a word. `bare`: its text if nothing in it was quoted or substituted."""

    text: str
    word: Word | None = None
    bare: str = ""


@lru_cache(maxsize=1024)
def parse(script: str) -> Node:
    """The tree of `script`. Errors: ShellSyntaxError, Incomplete."""
    if len(script) > MAX_SCRIPT:
        raise ShellSyntaxError(f"script of {len(script)} bytes: at most {MAX_SCRIPT} are read")
    if _nesting(script) > MAX_DEPTH:
        raise ShellSyntaxError(f"nested deeper than {MAX_DEPTH} levels")
    parser = _Parser(_tokens(script))
    tree = parser.sequence(())
    if parser.position < len(parser.tokens):
        raise parser.error()
    if _height(tree) > MAX_TREE:
        raise ShellSyntaxError("nested too deeply, or too many && and || in a row")
    return tree


def words_of(argv: tuple[str, ...]) -> Command:
    """A command whose words stand for themselves, as the runtime starts it: no shell in between."""
    return Command((), tuple((Part("text", text, True),) for text in argv))


def _height(tree: Node) -> int:
    """How many levels `tree` has as plain data, a map and a list for each node (live/trees.py)."""
    deepest = 0
    todo: list[tuple[object, int]] = [(tree, 0)]
    while todo:
        value, level = todo.pop()
        deepest = max(deepest, level)
        if isinstance(value, tuple):
            todo += [(one, level + 1) for one in value]
        elif is_dataclass(value):
            todo += [(getattr(value, field.name), level + 2) for field in fields(value)]
    return deepest


def _nesting(script: str) -> int:
    """How deep brackets are open at most, whatever they stand for: our parser recurses into each."""
    depth = deepest = 0
    for character in script:
        if character in "({":
            depth += 1
            deepest = max(deepest, depth)
        elif character in ")}":
            depth = max(depth - 1, 0)
    return deepest


# --- words --------------------------------------------------------------------------------------------------


def _tokens(script: str) -> list[Token]:
    tokens: list[Token] = []
    awaited: list[tuple[int, str, bool, bool]] = []  # Here-documents: place of the token, end, quoted?, tabs?
    at = 0
    while at < len(script):
        character = script[at]
        if character == "\n" and awaited:
            at = _here_documents(script, at + 1, awaited, tokens)
            tokens.append(Token("\n"))
            continue
        if match := re.compile(r"([0-9]?)<<<[ \t]*").match(script, at):
            word, at = _word(script, match.end())
            tokens += [Token(f"{match[1]}<<"), Token("<<", (*word, Part("text", "\n", True)))]
            continue
        if script.startswith("((", at) and _begins(tokens):
            end = _closing(script, at)
            if script[end - 1] == ")":
                sums = tuple(_double_quoted(part, 0, "")[0] for part in script[at + 2 : end - 1].split(";"))
                tokens.append(Token("((", tuple(Part("sums", "", True, operand=tuple(one)) for one in sums)))
                at = end + 1
                continue
        if match := re.compile(r"([0-9]?)<<(-?)[ \t]*").match(script, at):
            word, end = _word(script, match.end())
            if not word:
                raise ShellSyntaxError("syntax error: unexpected newline")
            tokens += [Token(f"{match[1]}<<"), Token("", ())]
            quoted = any(part.quoted for part in word)
            awaited.append((len(tokens) - 1, "".join(part.text for part in word), quoted, bool(match[2])))
            at = end
            continue
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
    if awaited:
        raise Incomplete("syntax error: unexpected end of file in a here-document")
    return tokens


def _begins(tokens: list[Token]) -> bool:
    """May a command, or the head of a `for`, come next?"""
    last = tokens[-1] if tokens else Token("\n")
    return last.word is None if last.bare not in (*KEYWORDS, "((") else last.bare not in ("in", "case")


def _here_documents(script: str, at: int, awaited: list[tuple[int, str, bool, bool]], tokens: list[Token]) -> int:
    """Read the bodies that begin at `at` into their tokens. Where the script goes on."""
    for place, delimiter, quoted, tabs in awaited:
        lines: list[str] = []
        while True:
            if at >= len(script):
                raise Incomplete("syntax error: unexpected end of file in a here-document")
            end = script.find("\n", at)
            line, at = (script[at:], len(script)) if end < 0 else (script[at:end], end + 1)
            line = line.lstrip("\t") if tabs else line
            if line == delimiter:
                break
            lines.append(line + "\n")
        body = "".join(lines)
        if quoted:
            word: Word = (Part("text", body, True),)
        else:
            word = tuple(_double_quoted(body, 0, "")[0]) or (Part("text", "", True),)
        tokens[place] = Token("<<", word)
    awaited.clear()
    return at


def _word(script: str, at: int) -> tuple[Word, int]:
    parts: list[Part] = []
    while at < len(script) and script[at] not in " \t\r\n;&|()<>":
        character = script[at]
        if character == "'":
            end = _find(script, "'", at + 1)
            parts.append(Part("text", script[at + 1 : end], True))
            at = end + 1
        elif script.startswith("$'", at):
            end = at + 2
            while end < len(script) and script[end] != "'":
                end += 2 if script[end] == "\\" else 1
            if end >= len(script):
                raise Incomplete("syntax error: unterminated quoted string")
            parts.append(Part("text", re.sub(r"\\(.)", _escaped, script[at + 2 : end], flags=re.DOTALL), True))
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


def _escaped(match: "re.Match[str]") -> str:
    return {"n": "\n", "t": "\t", "r": "\r", "e": "\x1b", "a": "\a", "b": "\b"}.get(match[1], match[1])


def _double_quoted(script: str, at: int, closing: str = '"') -> tuple[list[Part], int]:
    """The parts up to `closing`; "": up to the end, as in a here-document."""
    parts: list[Part] = []
    text = ""
    while at < len(script) and script[at] != closing:
        if script[at] == "\\" and script[at + 1 : at + 2] in (closing, "\\", "$", "`", "\n"):
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
    if at >= len(script) and closing:
        raise Incomplete("syntax error: unterminated quoted string")
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
        return _parameter(script, at, quoted)
    match = NAME.match(script, at + 1) or re.compile(r"[0-9?#$@*!]").match(script, at + 1)
    if match is None:
        return Part("text", "$", True), at + 1
    return Part("variable", match[0], quoted), match.end()


def _parameter(script: str, at: int, quoted: bool) -> tuple[Part, int]:
    """`${name}`, `${#name}`, `${name<operator><operand>}`."""
    end = _closing(script, at + 1, "{", "}")
    inside = script[at + 2 : end]
    if len(inside) > 1 and inside[0] == "#" and NAME.fullmatch(inside[1:]):
        return Part("variable", inside[1:], quoted, operator="length"), end + 1
    if element := ELEMENT.fullmatch(inside):
        operator = "count" if element[1] else "at"
        return Part("variable", element[2], quoted, operator=operator, operand=_operand(element[3])), end + 1
    match = PARAMETER.match(inside)
    if match is None or (match[2] is None and match.end() < len(inside)):
        raise ShellSyntaxError(f"syntax error: bad substitution: ${{{inside}}}")
    operator, rest = match[2] or "", inside[match.end() :]
    operand = _operand(rest) if operator else ()
    default = rest if operator == ":-" else None
    return Part("variable", match[1], quoted, default, None, operator, operand), end + 1


def _operand(text: str) -> Word:
    """The right side of `${a:-…}`: a word that may hold blanks."""
    parts: list[Part] = []
    at = 0
    while at < len(text):
        word, end = _word(text, at)
        parts.extend(word)
        if end == at:
            parts.append(Part("text", text[at], False))
            end = at + 1
        at = end
    return tuple(parts)


def _find(script: str, what: str, at: int) -> int:
    end = script.find(what, at)
    if end < 0:
        raise Incomplete("syntax error: unterminated quoted string")
    return end


def _closing(script: str, at: int, opening: str = "(", closing: str = ")") -> int:
    """Where the bracket opened at `at` is closed. Quoted ones don't count."""
    depth, end = 0, at
    while end < len(script):
        character = script[end]
        if character == "\\":
            end += 1
        elif character == "'":
            end = _find(script, "'", end + 1)
        else:
            depth += {opening: 1, closing: -1}.get(character, 0)
            if depth == 0:
                return end
        end += 1
    raise Incomplete(f'syntax error: unexpected end of file (expecting "{closing}")')


def _plain(text: str) -> Word:
    return (Part("text", text, True),)


def _let(sum_: Word) -> Command:
    """`(( … ))`"""
    return Command((), (_plain("let"), tuple(replace(part, quoted=True) for part in sum_) or _plain("")))


def _true() -> Command:
    return Command((), (_plain("true"),))


def _is_assignment(part: Part, match: "re.Match[str]") -> bool:
    return part.kind == "text" and not part.quoted and part.text.startswith(match[0])


def _tested(words: list[Word]) -> Node:
    """`[[ … ]]` around these words, as other commands: nothing in it is split, and patterns stand on the right."""
    succeed, fail = (Command((), (_plain(name),)) for name in ("true", "false"))
    sign = "".join(part.text for part in words[1]) if len(words) == 3 else ""
    if sign in ("=", "==", "!="):
        found, other = (succeed, fail) if sign != "!=" else (fail, succeed)
        return Case(words[0], (((words[2],), found), (((Part("text", "*", False),),), other)))
    whole = [tuple(replace(part, quoted=True) for part in word) for word in words]
    if sign == "=~":
        printed = Command((), (_plain("printf"), _plain("%s\\n"), whole[0]))
        return Pipe((printed, Command((), (_plain("grep"), _plain("-qE"), _plain("--"), whole[2]))))
    return Command((), (_plain("["), *whole, _plain("]")))


# --- commands -----------------------------------------------------------------------------------------------


class _Parser:
    """Recursive descent, one method a rule."""

    def __init__(self, tokens: list[Token]) -> None:
        self.tokens, self.position, self.depth = tokens, 0, 0

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
            raise self.error(texts[0])
        return found

    def error(self, expecting: str = "") -> ShellSyntaxError:
        """What is wrong with the next token; nothing at all may be a matter of patience."""
        kind = Incomplete if self.peek() is None else ShellSyntaxError
        return kind(
            f"syntax error: unexpected {self.unexpected()}" + (f' (expecting "{expecting}")' if expecting else "")
        )

    def skip_lines(self) -> None:
        while self.operator("\n"):
            pass

    def sequence(self, ends: tuple[str, ...]) -> Node:
        items: list[Node] = []
        while True:
            while self.operator(";", "\n"):
                pass
            token = self.peek()
            if token is None or token.bare in ends or (token.word is None and token.text in (")", ";;")):
                return items[0] if len(items) == 1 else Sequence(tuple(items))
            node = self.and_or()
            items.append(Background(node) if self.operator("&") else node)

    def and_or(self) -> Node:
        node = self.pipe()
        while operator := self.operator("&&", "||"):
            self.skip_lines()
            node = AndOr(node, operator, self.pipe())
        return node

    def pipe(self) -> Node:
        negations = 0
        while self.keyword("!"):
            negations += 1
        if negations:
            node = Not(self.pipe())
            return node if negations % 2 else Not(node)
        stages = [self.command()]
        while self.operator("|"):
            self.skip_lines()
            stages.append(self.command())
        return stages[0] if len(stages) == 1 else Pipe(tuple(stages))

    def command(self) -> Node:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise ShellSyntaxError(f"nested deeper than {MAX_DEPTH} levels")
        node = self._compound()
        self.depth -= 1
        if node is None:
            return self._condition() if self.keyword("[[") else self.simple()
        redirects = self.redirects()
        return Redirected(node, redirects) if redirects else node

    def _compound(self) -> Node | None:
        """None: a simple command stands here."""
        if self.operator("("):
            return Subshell(self._group(")"))
        if (sums := self._sums()) is not None:
            return _let(sums[0])
        if self._begins_function():
            return self._function()
        keyword = self.keyword("{", "if", "while", "until", "for", "case", "function")
        if keyword is None:
            return None
        if keyword == "{":
            return self._group("}")
        if keyword == "if":
            return self._if()
        if keyword == "for":
            return self._for()
        if keyword == "case":
            return self._case()
        if keyword == "function":
            return self._function()
        condition = self.sequence(("do",))
        return Loop(condition, self._body(), keyword == "until")

    def _condition(self) -> Node:
        """What stands between [[ and ]]."""
        node = self._either()
        if not self.keyword("]]"):
            raise self.error("]]")
        return node

    def _either(self) -> Node:
        node = self._both()
        while self.operator("||"):
            node = AndOr(node, "||", self._both())
        return node

    def _both(self) -> Node:
        node = self._single()
        while self.operator("&&"):
            node = AndOr(node, "&&", self._single())
        return node

    def _single(self) -> Node:
        """A condition without && and ||."""
        if self.keyword("!"):
            return Not(self._single())
        if self.operator("("):
            self.depth += 1
            if self.depth > MAX_DEPTH:
                raise ShellSyntaxError(f"nested deeper than {MAX_DEPTH} levels")
            node = self._either()
            self.depth -= 1
            if not self.operator(")"):
                raise self.error(")")
            return node
        words: list[Word] = []
        while (token := self.peek()) is not None and token.bare != "]]":
            if token.word is None and token.text not in ("<", ">"):
                break
            words.append(token.word if token.word is not None else _plain(token.text))
            self.position += 1
        if not words:
            raise self.error()
        return _tested(words)

    def _begins_function(self) -> bool:
        three = self.tokens[self.position : self.position + 3]
        return (
            len(three) == 3
            and NAME.fullmatch(three[0].bare) is not None
            and all(token.word is None and token.text == text for token, text in zip(three[1:], "()", strict=True))
        )

    def _function(self) -> Node:
        name = self.tokens[self.position].bare if self.peek() else ""
        if not NAME.fullmatch(name):
            raise self.error()
        self.position += 1
        if self.operator("(") and not self.operator(")"):
            raise self.error(")")
        self.skip_lines()
        return Function(name, self.command())

    def _case(self) -> Node:
        token = self.peek()
        if token is None or token.word is None:
            raise self.error()
        self.position += 1
        self.skip_lines()
        self.expect("in")
        branches: list[tuple[tuple[Word, ...], Node]] = []
        while True:
            self.skip_lines()
            if self.keyword("esac"):
                return Case(token.word, tuple(branches))
            self.operator("(")
            patterns = [self._pattern()]
            while self.operator("|"):
                patterns.append(self._pattern())
            if not self.operator(")"):
                raise self.error(")")
            branches.append((tuple(patterns), self.sequence(("esac",))))
            if not self.operator(";;"):
                self.skip_lines()
                self.expect("esac")
                return Case(token.word, tuple(branches))

    def _pattern(self) -> Word:
        token = self.peek()
        if token is None or token.word is None:
            raise self.error()
        self.position += 1
        return token.word

    def redirects(self) -> tuple[tuple[int, str, Word], ...]:
        """What stands behind a compound command."""
        found: list[tuple[int, str, Word]] = []
        while (one := self.redirect()) is not None:
            found.append(one)
        return tuple(found)

    def redirect(self) -> tuple[int, str, Word] | None:
        """One redirection, if it is one that comes next."""
        token = self.peek()
        if token is None:
            return None
        match = REDIRECT.fullmatch(token.text) if token.word is None else None
        if match is None:
            return None
        self.position += 1
        target = self.peek()
        if target is None or target.word is None:
            raise self.error()
        self.position += 1
        if match[2] == "<<":
            return int(match[1] or 0), "<<", target.word
        return int(match[1] or (0 if match[2] in ("<", "<&") else 1)), match[2], target.word

    def _group(self, end: str) -> Node:
        node = self.sequence((end,))
        if not (self.operator(end) or self.keyword(end)):
            raise self.error(end)
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

    def _sums(self) -> list[Word] | None:
        """What stands in `(( ))`, parted at its semicolons."""
        token = self.peek()
        if token is None or token.text != "((" or token.word is None:
            return None
        self.position += 1
        return [part.operand for part in token.word]

    def _for(self) -> Node:
        if (sums := self._sums()) is not None:
            if len(sums) != 3:
                raise ShellSyntaxError("syntax error: arithmetic expression required")
            while self.operator(";", "\n"):
                pass
            first, test, step = (_let(one) if any(part.text.strip() for part in one) else None for one in sums)
            loop = Loop(test or _true(), self._body(), False, step)
            return Sequence((first, loop)) if first is not None else loop
        token = self.peek()
        if token is None or not NAME.fullmatch(token.bare):
            if token is None:
                raise self.error()
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

    def _elements(self) -> list[Word]:
        """The words of an array up to its `)`."""
        words: list[Word] = []
        while True:
            self.skip_lines()
            if self.operator(")"):
                return words
            words.append(self._pattern())

    def simple(self) -> Node:
        assignments: list[tuple[str, Word]] = []
        words: list[Word] = []
        redirects: list[tuple[int, str, Word]] = []
        while (token := self.peek()) is not None:
            if (redirect := self.redirect()) is not None:
                redirects.append(redirect)
                continue
            if token.word is None:
                break
            match = ASSIGNMENT.match(token.text)
            self.position += 1
            if match and not words and match.end() == len(token.text) and self.operator("("):
                words = [_plain(ARRAY), _plain(match[1]), *self._elements()]
            elif match and not words and token.word and _is_assignment(token.word[0], match):
                rest = Part("text", token.word[0].text[match.end() :], False)
                parts = (rest, *token.word[1:])
                assignments.append((match[1], tuple(p for p in parts if p.text or p.kind != "text")))
            elif token.bare in KEYWORDS and not words:
                self.position -= 1
                raise ShellSyntaxError(f'syntax error: unexpected "{token.bare}"')
            else:
                words.append(token.word)
        if not (assignments or words or redirects):
            raise self.error()
        return Command(tuple(assignments), tuple(words), tuple(redirects))
