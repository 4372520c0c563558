"""Regular expressions of grep and sed, basic and extended, without backtracking: time is pattern times text.

A pattern becomes a little program; all threads of it walk over the text together (Pike's machine), each with the places
of its groups. The match that begins first wins, and of those the longest. Python's `re` would take exponential time for
some patterns, and whoever types one here must not be able to stop the world. What every match has in it is looked for
first: a text without that needs no walk.

Left out: back-references inside patterns, equivalence classes.
Limits:   patterns of 1,000 characters, counts up to 100, programs of 5,000 instructions, 300,000 steps a command.
"""

from functools import lru_cache
from typing import NamedTuple

from cluster.runtime.live.words import CLASSES

MAX_PATTERN, MAX_COUNT, MAX_PROGRAM, MAX_WORK = 1_000, 100, 5_000, 300_000
ESCAPED = {"w": (True, "azAZ09__"), "W": (False, "azAZ09__"), "s": (True, "\t\r  "), "S": (False, "\t\r  ")}
ESCAPED |= {"d": (True, "09")}


class BadPattern(ValueError):
    """`str()` says what is wrong."""


class Found(NamedTuple):
    """A match. `groups`: texts of \\1, \\2 …"""

    start: int
    end: int
    groups: tuple[str, ...]


Instruction = (
    tuple  # (char c) (set wanted ranges known) (any) (split a b) (jump a) (save n) (begin) (end) (edge) (match)
)


class Pattern:
    """A compiled expression with a budget of MAX_WORK for all its searches together."""

    def __init__(self, program: list[Instruction], groups: int, fold: bool) -> None:
        self.program, self.groups, self.fold = program, groups, fold
        self.needed, self.literal = _needed(program)
        self.work = 0

    def search(self, text: str, start: int = 0) -> Found | None:
        """The first match at or after `start`. Errors: BadPattern when the budget is used up."""
        given = text.lower() if self.fold else text
        if self.needed:
            found = given.find(self.needed, start)
            self._worked(1 + len(given) // 512)
            if found < 0:
                return None
            if self.literal:
                return Found(found, found + len(self.needed), ())
        slots = 2 * self.groups + 2
        current: list[tuple[int, tuple[int, ...]]] = []
        best: tuple[int, ...] | None = None
        for at in range(start, len(given) + 1):
            if best is None:
                seen: set[int] = {pc for pc, _ in current}
                self._add(current, seen, 0, (-1,) * slots, at, given)
            following: list[tuple[int, tuple[int, ...]]] = []
            met: set[int] = set()
            character = given[at] if at < len(given) else None
            self._worked(1 + len(current))
            for pc, saved in current:
                operation = self.program[pc]
                if best is not None and saved[0] > best[0]:
                    break
                if operation[0] == "match":
                    best = saved
                elif character is not None and _takes(operation, character):
                    self._add(following, met, pc + 1, saved, at + 1, given)
            current = following
            if not current and best is not None:
                break
        if best is None:
            return None
        groups = tuple(text[best[n] : best[n + 1]] if best[n + 1] >= 0 else "" for n in range(2, slots, 2))
        return Found(best[0], best[1], groups)

    def _worked(self, steps: int) -> None:
        self.work += steps
        if self.work > MAX_WORK:
            raise BadPattern(f"orrery: the search took more than {MAX_WORK} steps and was given up")

    def _add(self, threads: list, seen: set[int], first: int, saved: tuple[int, ...], at: int, text: str) -> None:
        """Follow everything that takes no character, in order of preference."""
        todo = [(first, saved)]
        while todo:
            pc, places = todo.pop()
            if pc in seen:
                continue
            seen.add(pc)
            operation = self.program[pc]
            kind = operation[0]
            if kind == "jump":
                todo.append((operation[1], places))
            elif kind == "split":
                todo += [(operation[2], places), (operation[1], places)]
            elif kind == "save":
                n = operation[1]
                todo.append((pc + 1, (*places[:n], at, *places[n + 1 :])))
            elif kind == "begin":
                if at == 0:
                    todo.append((pc + 1, places))
            elif kind == "end":
                if at == len(text):
                    todo.append((pc + 1, places))
            elif kind == "edge":
                before, after = at > 0 and _word(text[at - 1]), at < len(text) and _word(text[at])
                if before != after:
                    todo.append((pc + 1, places))
            else:
                threads.append((pc, places))


def _word(character: str) -> bool:
    return character.isalnum() or character == "_"


def _takes(operation: Instruction, character: str) -> bool:
    kind = operation[0]
    if kind == "char":
        return bool(operation[1] == character)
    if kind == "set":
        if character < "\x80":
            return character in operation[3]
        return any(low <= character <= high for low, high in operation[2]) == operation[1]
    return bool(kind == "any")


def compile(pattern: str, extended: bool = False, fold: bool = False) -> Pattern:
    """Errors: BadPattern."""
    return Pattern(*_program(pattern, extended, fold), fold)


@lru_cache(maxsize=256)
def _program(pattern: str, extended: bool, fold: bool) -> tuple[list[Instruction], int]:
    """(the program, how many groups it has)"""
    if len(pattern) > MAX_PATTERN:
        raise BadPattern(f"a pattern of {len(pattern)} characters is too long; {MAX_PATTERN} are allowed")
    parser = _Parser(pattern.lower() if fold else pattern, extended)
    program = parser.alternatives()
    if parser.at < len(parser.text):
        raise BadPattern("Unmatched ) or \\)")
    whole: list[Instruction] = [("save", 0), *_moved(program, 1), ("save", 1), ("match",)]
    if len(whole) > MAX_PROGRAM:
        raise BadPattern("the pattern is too large")
    return whole, parser.groups


def _moved(program: list[Instruction], by: int) -> list[Instruction]:
    """Jumps are relative to the program's beginning."""
    return [(one[0], *(target + by for target in one[1:])) if one[0] in ("jump", "split") else one for one in program]


class _Parser:
    """Recursive descent; every method returns a program whose jumps count from its own beginning."""

    def __init__(self, text: str, extended: bool) -> None:
        self.text, self.extended, self.at, self.groups, self.depth = text, extended, 0, 0, 0

    def token(self) -> str:
        """The next character or escape: special ones as in extended expressions, literal ones after a backslash."""
        if self.at >= len(self.text):
            return ""
        character = self.text[self.at]
        if character == "\\" and self.at + 1 < len(self.text):
            following = self.text[self.at + 1]
            if following in "(){}|+?":
                return following if not self.extended else "\\" + following
            return "\\" + following
        if not self.extended and character in "(){}|+?":
            return "\\" + character
        return character

    def skip(self) -> None:
        self.at += 2 if self.text[self.at] == "\\" and self.at + 1 < len(self.text) else 1

    def alternatives(self) -> list[Instruction]:
        self.depth += 1
        if self.depth > 30:
            raise BadPattern("the pattern is nested too deeply")
        program = self.branch()
        while self.token() == "|":
            self.skip()
            other = self.branch()
            head: list[Instruction] = [("split", 1, len(program) + 2)]
            program = [
                *head,
                *_moved(program, 1),
                ("jump", len(program) + 2 + len(other)),
                *_moved(other, len(program) + 2),
            ]
        self.depth -= 1
        return program

    def branch(self) -> list[Instruction]:
        program: list[Instruction] = []
        while (token := self.token()) and token not in ("|", ")"):
            piece = self.atom(not program)
            program += _moved(self.repeated(piece), len(program))
            if len(program) > MAX_PROGRAM:
                raise BadPattern("the pattern is too large")
        return program

    def atom(self, first: bool) -> list[Instruction]:
        token = self.token()
        self.skip()
        if token == "(":
            self.groups += 1
            number = 2 * self.groups
            inside = self.alternatives()
            if self.token() != ")":
                raise BadPattern("Unmatched ( or \\(")
            self.skip()
            return [("save", number), *_moved(inside, 1), ("save", number + 1)]
        if token == ".":
            return [("any",)]
        if token == "[":
            return [self.bracket()]
        if token == "^" and (self.extended or first):
            return [("begin",)]
        if token == "$" and (self.extended or self.token() in ("", "|", ")")):
            return [("end",)]
        if token in ("\\b", "\\<", "\\>"):
            return [("edge",)]
        if token[:1] == "\\" and token[1:] in ESCAPED:
            wanted, ranges = ESCAPED[token[1:]]
            return [_set(wanted, _pairs(ranges))]
        if token == "\\n":
            return [("char", "\n")]
        return [("char", {"\\t": "\t"}.get(token, token[-1]))]

    def bracket(self) -> Instruction:
        text, at = self.text, self.at
        wanted = text[at : at + 1] != "^"
        at += 0 if wanted else 1
        ranges: list[tuple[str, str]] = []
        first = True
        while True:
            if at >= len(text):
                raise BadPattern("Unmatched [, [^, [:, [., or [=")
            if text[at] == "]" and not first:
                break
            first = False
            end = text.find(":]", at) if text.startswith("[:", at) else -1
            if end > 0:
                if text[at + 2 : end] not in CLASSES:
                    raise BadPattern("Invalid character class name")
                ranges += _pairs(CLASSES[text[at + 2 : end]])
                at = end + 2
            elif text[at + 1 : at + 2] == "-" and text[at + 2 : at + 3] not in ("]", ""):
                ranges.append((text[at], text[at + 2]))
                at += 3
            else:
                ranges.append((text[at], text[at]))
                at += 1
        self.at = at + 1
        return _set(wanted, tuple(ranges))

    def repeated(self, piece: list[Instruction]) -> list[Instruction]:
        while (token := self.token()) in ("*", "+", "?", "{") and token:
            start = self.at
            self.skip()
            low, high = {"*": (0, -1), "+": (1, -1), "?": (0, 1)}.get(token) or self.count(start)
            piece = _times(piece, low, high)
        return piece

    def count(self, start: int) -> tuple[int, int]:
        closing = "}" if self.extended else "\\}"
        end = self.text.find(closing, self.at)
        low, comma, high = self.text[self.at : max(end, 0)].partition(",")
        if end < 0 or not low.isdigit() or (high and not high.isdigit()) or int(high or low) > MAX_COUNT:
            raise BadPattern("Invalid content of \\{\\}")
        self.at = end + len(closing)
        return int(low), int(high) if high else (-1 if comma else int(low))


def _times(piece: list[Instruction], low: int, high: int) -> list[Instruction]:
    """`high` -1: as often as it goes."""
    program: list[Instruction] = []
    for _ in range(low):
        program += _moved(piece, len(program))
        if len(program) > MAX_PROGRAM:
            raise BadPattern("the pattern is too large")
    if high < 0:
        start = len(program)
        program.append(("split", start + 1, start + 2 + len(piece)))
        program += [*_moved(piece, start + 1), ("jump", start)]
    for _ in range(high - low):
        start = len(program)
        program.append(("split", start + 1, start + 1 + len(piece)))
        program += _moved(piece, start + 1)
    return program


def _set(wanted: bool, ranges: tuple[tuple[str, str], ...]) -> Instruction:
    """With the ASCII characters that it takes."""
    known = (chr(code) for code in range(128))
    return ("set", wanted, ranges, frozenset(c for c in known if any(a <= c <= b for a, b in ranges) == wanted))


def _needed(program: list[Instruction]) -> tuple[str, bool]:
    """(a text that every match has in it, is that the whole pattern?)"""
    best, run, skipped = "", "", 0
    for place, (kind, *rest) in enumerate(program):
        if kind in ("split", "jump"):  # Up to its furthest target may be left out.
            skipped = max([skipped, *rest])
        if kind == "char" and place >= skipped:
            run += rest[0]
            best = max(best, run, key=len)
        elif kind != "save":
            run = ""
    plain = [kind for kind, *_ in program[1:-2]]
    return best, bool(plain) and set(plain) == {"char"}


def _pairs(text: str) -> tuple[tuple[str, str], ...]:
    return tuple((text[n], text[n + 1]) for n in range(0, len(text), 2))
