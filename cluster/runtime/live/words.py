"""What a word of a script becomes: variables and sums replaced, split into fields, `*` and `~` resolved.

A field is a list of (text, literal) pieces until the end, since quotes decide what splits and what is a pattern.
Assignments inside (`${a:=b}`) go into the scope at once. A `$(…)` whose result is not known yet raises NeedsCommand:
the shell runs it and expands the word once more.

Mirrors:  busybox/shell/ash.c (argstr, evalvar, expandmeta)
Left out: braces within braces; patterns in ${a/old/new}.
"""

import re
from collections import ChainMap
from collections.abc import Iterator
from dataclasses import replace
from typing import Protocol

from cluster.runtime.live.files import FileError, Files, join
from cluster.runtime.programs import arithmetic
from cluster.runtime.programs.syntax import NAME, Node, Part, Word

MAX_FIELDS = 10_000
MAX_LENGTH = 1 << 20  # Characters of all fields of a word, or of a command.
MAX_TRIMMED = 1_000  # Characters of a value that `${a#…}` and its kin take: their time is its square.
MAX_MATCH = 4_000_000  # Length of a text times length of a pattern.
Piece = tuple[str, bool]  # Text; is it literal, that is no pattern?
MAX_BRACED = 10_000
BRACES = re.compile(
    r"\{([^{}\s,]*(?:,[^{}\s,]*)+|-?[0-9]{1,9}\.\.-?[0-9]{1,9}(?:\.\.-?[0-9]{1,9})?|[a-zA-Z]\.\.[a-zA-Z])\}"
)
SPAN = re.compile(r"(-?[0-9]+|[a-zA-Z])\.\.(-?[0-9]+|[a-zA-Z])(?:\.\.(-?[0-9]+))?")
CLASSES = {
    "digit": "09", "alpha": "azAZ", "alnum": "azAZ09", "upper": "AZ", "lower": "az", "space": "\t\r  ",
    "blank": "  \t\t", "punct": "!/:@[`{~", "xdigit": "09afAF", "print": " ~", "word": "azAZ09__",
}  # fmt: skip
_ANY, _ONE = object(), object()


class NeedsCommand(Exception):
    """The output of `tree` is wanted."""

    def __init__(self, tree: Node) -> None:
        self.tree = tree


class BadValue(Exception):
    """`${a:?message}`, or a variable that is not set under `set -u`."""


class Scope(Protocol):
    """What an expansion asks a shell."""

    files: Files

    @property
    def cwd(self) -> str: ...

    def get(self, name: str) -> str | None: ...
    def set(self, name: str, value: str) -> None: ...
    def arguments(self) -> list[str]: ...
    def substituted(self) -> str | None:
        """The next `$(…)`'s output; None: not known yet."""

    def variables(self) -> dict[str, str]: ...

    @property
    def braces(self) -> bool: ...


def fields(word: Word, scope: Scope) -> list[str]:
    """The words that a word of a command becomes. Errors: NeedsCommand, BadValue."""
    if scope.braces and any(part.kind == "text" and not part.quoted and "{" in part.text for part in word):
        return [text for one in _braced(word) for text in _fields(one, scope)]
    return _fields(word, scope)


def _braced(word: Word, room: int = MAX_BRACED) -> list[Word]:
    """a{b,c}d and {1..3}: a word for each. Errors: BadValue."""
    for number, part in enumerate(word):
        if part.kind != "text" or part.quoted or (found := BRACES.search(part.text)) is None:
            continue
        span = SPAN.fullmatch(found[1])
        texts = found[1].split(",") if span is None else _span(*span.groups())
        if len(texts) > room:
            raise BadValue(f"orrery: braces of more than {MAX_BRACED} words")
        made = []
        for text in texts:
            before, behind = part.text[: found.start()], part.text[found.end() :]
            one = replace(part, text=before + text + behind)
            made += _braced((*word[:number], one, *word[number + 1 :]), room // len(texts))
        return made
    return [word]


def _span(first: str, last: str, step: str | None) -> list[str]:
    """`1..5`, `05..10`, `a..e`, `1..9..2`"""
    if first[-1].isdigit() != last[-1].isdigit():
        return [f"{{{first}..{last}}}"]
    low, high = (int(first), int(last)) if first[-1].isdigit() else (ord(first), ord(last))
    width = max(len(first), len(last)) if {first.lstrip("-")[:1], last.lstrip("-")[:1]} & {"0"} else 0
    stride = max(abs(int(step or 1)), 1) * (1 if high >= low else -1)
    numbers = range(low, high + (1 if stride > 0 else -1), stride)[: MAX_BRACED + 1]
    return [str(n).zfill(width) if first[-1].isdigit() else chr(n) for n in numbers]


def _fields(word: Word, scope: Scope) -> list[str]:
    """Its words, braces aside."""
    found: list[list[Piece]] = []
    current: list[Piece] | None = None
    size = 0
    for number, part in enumerate(word):
        if part.kind == "variable" and part.text == "@" and not part.operator:
            for place, text in enumerate(scope.arguments()):
                if place:
                    found.append(current or [])
                    current = None
                current = [*(current or []), (text, part.quoted)]
            continue
        if part.kind == "variable" and part.operator == "at" and _is_whole(part):
            for place, text in enumerate(elements(part.text, scope)):
                if place:
                    found.append(current or [])
                    current = None
                current = [*(current or []), (text, part.quoted)]
            continue
        if part.kind == "text":
            text = _home(part, number, scope)
            current = [*(current or []), (text, part.quoted)]
            continue
        text = _value(part, scope)
        size += len(text)
        if size > MAX_LENGTH:
            raise BadValue("word too long")
        if part.quoted:
            current = [*(current or []), (text, True)]
            continue
        apart, pieces, closed = split(text, scope.variables().get("IFS"))
        if apart and current is not None:
            found.append(current)
            current = None
        for place, piece in enumerate(pieces):
            if place:
                found.append(current or [])
                current = None
            current = [*(current or []), (piece, False)]
        if pieces and closed:
            found.append(current or [])
            current = None
        if len(found) > MAX_FIELDS:
            raise BadValue("too many words")
    if current is not None:
        found.append(current)
    return [name for field in found for name in _names(field, scope)]


def split(text: str, separators: str | None) -> tuple[bool, list[str], bool]:
    """(does it begin with blanks, its fields, does it end with a separator?), by the characters of IFS.

    >>> split(" a b ", None), split("a::b:", ":"), split("a, b", ", "), split("a b", "")
    ((True, ['a', 'b'], True), (False, ['a', '', 'b'], True), (False, ['a', 'b'], False), (False, ['a b'], False))
    """
    if separators is None or separators == " \t\n":
        return text[:1].isspace(), text.split(), text[-1:].isspace()
    if not separators or not text:
        return False, [text] if text else [], False
    blanks = "".join(one for one in separators if one in " \t\n")
    others = "".join(one for one in separators if one not in " \t\n")
    inner = text.strip(blanks) if blanks else text
    blank, other = (f"[{re.escape(these)}]" if these else "(?!)" for these in (blanks, others))
    pieces = re.split(f"{blank}*{other}{blank}*|{blank}+", inner) if inner else []
    ends = len(pieces) > 1 and pieces[-1] == ""
    apart = bool(blanks) and text[0] in blanks
    return apart, pieces[:-1] if ends else pieces, ends or text[-1] in blanks


def text_of(word: Word, scope: Scope) -> str:
    """A word as one text, as in an assignment. Errors: NeedsCommand, BadValue."""
    parts, size = [], 0
    for number, part in enumerate(word):
        parts.append(_home(part, number, scope) if part.kind == "text" else _value(part, scope))
        size += len(parts[-1])
        if size > MAX_LENGTH:
            raise BadValue("word too long")
    return "".join(parts)


def pattern_of(word: Word, scope: Scope) -> list[object]:
    """A word as a pattern, for `case` and `${a#…}`."""
    pieces = [(part.text if part.kind == "text" else _value(part, scope), part.quoted) for part in word]
    return pattern(pieces)


def _home(part: Part, number: int, scope: Scope) -> str:
    if number == 0 and not part.quoted and part.text[:1] == "~" and part.text[1:2] in ("", "/"):
        return (scope.get("HOME") or "/root") + part.text[1:]
    if number == 0 and not part.quoted and part.text[:5] == "~root" and part.text[5:6] in ("", "/"):
        return "/root" + part.text[5:]
    return part.text


def _value(part: Part, scope: Scope) -> str:
    if part.kind == "sum":
        return str(sum_of(_sum_text(part.text, scope), scope))
    if part.kind == "command":
        known = scope.substituted()
        if known is None:
            assert part.tree is not None
            raise NeedsCommand(part.tree)
        return known.rstrip("\n")
    return _parameter(part, scope)


def sum_of(text: str, scope: Scope) -> int:
    """The value of a sum; what it sets is set. Errors: BadValue."""
    written: dict[str, str] = {}
    try:
        result = arithmetic.evaluate(text, ChainMap(written, scope.variables()))
    except arithmetic.BadSum as error:
        raise BadValue(str(error)) from None
    for name, value in written.items():
        scope.set(name, value)
    return result


def _sum_text(text: str, scope: Scope) -> str:
    """`$#`, `$1` and `$?` inside `$((…))`, which are no names."""
    for name in "#?0123456789":
        if f"${name}" in text:
            text = text.replace(f"${name}", scope.get(name) or "0")
    return text.replace("${", "").replace("}", "")


def _parameter(part: Part, scope: Scope) -> str:
    name, operator = part.text, part.operator
    if operator == "count":
        return str(len(elements(name, scope)))
    if operator == "at":
        return " ".join(elements(name, scope)) if _is_whole(part) else _element(part, scope)
    if operator and operator[-1] in "-=+?":  # These ask whether it is set, also under `set -u`.
        known = name not in scope.variables() and NAME.fullmatch(name)
        value = None if known else scope.get(name)
    else:
        value = " ".join(scope.arguments()) if name in ("@", "*") else scope.get(name)
    if operator == "length":
        return str(len(value or ""))
    if not operator:
        return value or ""
    if operator[-1] in "-=+?":
        missing = value is None or (operator[0] == ":" and not value)
        if operator[-1] == "+":
            return "" if missing else text_of(part.operand, scope)
        if not missing:
            return value or ""
        text = text_of(part.operand, scope)
        if operator[-1] == "?":
            raise BadValue(f"{name}: {text or 'parameter not set'}")
        if operator[-1] == "=":
            scope.set(name, text)
        return text
    if operator[0] == "/":
        return _replaced(value or "", part.operand, scope, operator)
    if operator[0] in "^,":
        text, changed = value or "", str.upper if operator[0] == "^" else str.lower
        return changed(text) if len(operator) == 2 else changed(text[:1]) + text[1:]
    if operator == ":":
        return _cut(value or "", text_of(part.operand, scope), scope)
    cut = pattern_of(part.operand, scope)
    return _trimmed(value or "", cut, operator)


def _is_whole(part: Part) -> bool:
    """`${a[@]}`"""
    return len(part.operand) == 1 and part.operand[0].text in ("@", "*")


def elements(name: str, scope: Scope) -> list[str]:
    """Of an array, in their order; a plain variable is an array of one."""
    variables = scope.variables()
    found = {key: value for key, value in variables.items() if key.startswith(f"{name}[")}
    if not found:
        return [variables[name]] if name in variables else []
    return [found[key] for key in sorted(found, key=lambda key: int(key[len(name) + 1 : -1]))]


def index_of(text: str, name: str, scope: Scope) -> int:
    """The place that an index means; a negative one counts from the end. Errors: BadValue."""
    place = sum_of(text, scope)
    if place < 0:
        place += len(elements(name, scope))
    if not 0 <= place < MAX_FIELDS:
        raise BadValue(f"{name}[{text}]: bad array subscript")
    return place


def _element(part: Part, scope: Scope) -> str:
    place = index_of(text_of(part.operand, scope), part.text, scope)
    variables = scope.variables()
    found = variables.get(f"{part.text}[{place}]")
    return found if found is not None else variables.get(part.text, "") if place == 0 else ""


def _trimmed(value: str, cut: list[object], operator: str) -> str:
    """`#` and `##` cut the beginning, `%` and `%%` the end; twice is the longest that matches."""
    if len(value) > MAX_TRIMMED:
        raise BadValue(f"a value of {len(value)} characters is too long for {operator}; {MAX_TRIMMED} are allowed")
    sizes = range(len(value) + 1) if len(operator) == 1 else range(len(value), -1, -1)
    for size in sizes:
        if operator[0] == "#" and matches(cut, value[:size]):
            return value[size:]
        if operator[0] == "%" and matches(cut, value[len(value) - size :]):
            return value[: len(value) - size]
    return value


def _cut(value: str, text: str, scope: Scope) -> str:
    """`${a:start:length}`; negative numbers count from the end."""
    first, _, second = text.partition(":")
    start = sum_of(first or "0", scope)
    start = max(len(value) + start, 0) if start < 0 else start
    length = sum_of(second, scope) if second else len(value)
    return value[start : start + length] if length >= 0 else value[start : len(value) + length]


def _replaced(value: str, operand: Word, scope: Scope, operator: str) -> str:
    """`${a/old/new}`, `//` everywhere, `/#` at the beginning, `/%` at the end: plain texts only."""
    old, _, new = text_of(operand, scope).partition("/")
    if operator == "/#":
        return new + value.removeprefix(old) if value.startswith(old) else value
    if operator == "/%":
        return value.removesuffix(old) + new if value.endswith(old) else value
    if not old:
        return value
    return value.replace(old, new) if operator == "//" else value.replace(old, new, 1)


# --- patterns ---------------------------------------------------------------------------------------------------


def pattern(pieces: list[Piece]) -> list[object]:
    """Characters, sets of them, and the two wild cards."""
    found: list[object] = []
    for text, literal in pieces:
        at = 0
        while at < len(text):
            character = text[at]
            end = _end_of_set(text, at) if character == "[" and not literal else -1
            if literal or character not in "*?[" or (character == "[" and end < 0):
                found.append(character)
            elif character == "[":
                found.append(_set(text[at + 1 : end]))
                at = end
            else:
                found.append(_ANY if character == "*" else _ONE)
            at += 1
    return found


def _end_of_set(text: str, at: int) -> int:
    found = re.compile(r"\[[!^]?\]?(?:\[:\w+:\]|[^\]])*\]").match(text, at)
    return found.end() - 1 if found else -1


def _set(inside: str) -> tuple[bool, tuple[tuple[str, str], ...]]:
    """(must it be one of these?, ranges)"""
    wanted = inside[:1] not in ("!", "^")
    text = inside if wanted else inside[1:]
    ranges, at = [], 0
    while at < len(text):
        if (named := re.compile(r"\[:(\w+):\]").match(text, at)) is not None:
            pairs = CLASSES.get(named[1], "")
            ranges += [(pairs[n], pairs[n + 1]) for n in range(0, len(pairs), 2)]
            at = named.end()
        elif text[at + 1 : at + 2] == "-" and at + 2 < len(text):
            ranges.append((text[at], text[at + 2]))
            at += 3
        else:
            ranges.append((text[at], text[at]))
            at += 1
    return wanted, tuple(ranges)


def matches(wanted: list[object], text: str) -> bool:
    """Does the whole text match? In time of length times length at worst: after `*` only the last one is retried.

    >>> matches(pattern([("a*c?", False)]), "abccd"), matches(pattern([("*", True)]), "x")
    (True, False)
    """
    if len(text) * len(wanted) > MAX_MATCH:
        raise BadValue("the text is too long for this pattern")
    at = place = 0
    star, retry = -1, 0
    while at < len(text):
        one = wanted[place] if place < len(wanted) else None
        if one is _ANY:
            star, retry, place = place, at, place + 1
        elif one is not None and _fits(one, text[at]):
            at, place = at + 1, place + 1
        elif star >= 0:
            retry += 1
            at, place = retry, star + 1
        else:
            return False
    return all(one is _ANY for one in wanted[place:])


def _fits(one: object, character: str) -> bool:
    if isinstance(one, str):
        return one == character
    if isinstance(one, tuple):
        return any(low <= character <= high for low, high in one[1]) == one[0]
    return one is _ONE


def _names(field: list[Piece], scope: Scope) -> Iterator[str]:
    """A field, or the files that it matches."""
    text = "".join(piece for piece, _ in field)
    if not any(not literal and any(wild in piece for wild in "*?[") for piece, literal in field):
        yield text
        return
    found = _globbed(field, scope)
    yield from found or [text]


def _globbed(field: list[Piece], scope: Scope) -> list[str]:
    steps: list[list[Piece]] = [[]]
    for text, literal in field:
        for number, part in enumerate(text.split("/")):
            if number:
                steps.append([])
            if part:
                steps[-1].append((part, literal))
    absolute = not steps[0] and len(steps) > 1
    found = ["/" if absolute else ""]
    for step in steps:
        if not step:
            continue
        wanted, hidden = pattern(step), "".join(piece for piece, _ in step).startswith(".")
        following: list[str] = []
        for base in found:
            directory = join(scope.cwd, base) if base else scope.cwd
            try:
                names = scope.files.listing(directory)
            except FileError:
                continue
            good = [name for name in names if (hidden or name[:1] != ".") and matches(wanted, name)]
            following += [name if not base else join(base, name) for name in good]
        found = following[:MAX_FIELDS]
    return found if any(steps) else []
