"""Commands that look at two files, or put them side by side: diff, cmp, comm, join, paste.

Mirrors:  busybox 1.37: editors/diff.c, coreutils/comm.c, paste.c; POSIX join
Left out: diff of directories and -y, join's output formats.
"""

import difflib
from collections.abc import Callable

from cluster.runtime.live.commands.call import Call, UsageError
from cluster.runtime.live.commands.text import unescaped
from cluster.runtime.live.files import FileError

MAX_LINES = 2_000  # Of a file that diff compares: its time is their square.
CONTEXT = 3


def _two(call: Call, names: list[str]) -> tuple[str, str]:
    """The contents of two files. Errors: UsageError, FileError."""
    if len(names) != 2:
        raise UsageError("missing operand")
    found = []
    for name in names:
        try:
            found.append(call.read_all() if name == "-" else call.files.read(call.path(name)))
        except FileError as error:
            raise FileError(f"{name}: {error}") from None
    return found[0], found[1]


def diff(call: Call) -> int:
    """0: equal, 1: different, 2: trouble. Unified with -u, as ed's commands without."""
    options, names = call.options("uqabBiwNrTt", "U")
    try:
        texts = _two(call, names)
        if texts[0] == texts[1]:
            return 0
        left, right = (call.whole_lines(text) for text in texts)
    except FileError as error:
        return call.failed(str(error), 2)
    if "q" in options:
        call.out(f"Files {names[0]} and {names[1]} differ\n")
        return 1
    if max(len(left), len(right)) > MAX_LINES:
        return call.failed(f"orrery: files of more than {MAX_LINES} lines are not compared", 2)
    matcher = difflib.SequenceMatcher(None, left, right, autojunk=False)
    call.out(
        _unified(names, matcher, left, right) if "u" in options or "U" in options else _plain(matcher, left, right)
    )
    return 1


def _plain(matcher: "difflib.SequenceMatcher[str]", left: list[str], right: list[str]) -> str:
    parts = []
    for kind, a, b, c, d in matcher.get_opcodes():
        if kind == "equal":
            continue
        letter = {"replace": "c", "delete": "d", "insert": "a"}[kind]
        parts.append(f"{_span(a, b)}{letter}{_span(c, d)}\n")
        parts += [_marked("< ", line) for line in left[a:b]]
        parts += ["---\n"] if kind == "replace" else []
        parts += [_marked("> ", line) for line in right[c:d]]
    return "".join(parts)


def _span(first: int, end: int) -> str:
    """Lines first + 1 to end; before the first one if there are none."""
    return str(end) if end - first < 2 else f"{first + 1},{end}"


def _marked(mark: str, line: str) -> str:
    return mark + (line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n")


def _unified(names: list[str], matcher: "difflib.SequenceMatcher[str]", left: list[str], right: list[str]) -> str:
    parts = [f"--- {names[0]}\n+++ {names[1]}\n"]
    for group in matcher.get_grouped_opcodes(CONTEXT):
        spans = (group[0][1], group[-1][2]), (group[0][3], group[-1][4])
        shown = [f"{first + (end > first)}" + (f",{end - first}" if end - first != 1 else "") for first, end in spans]
        parts.append(f"@@ -{shown[0]} +{shown[1]} @@\n")
        for kind, a, b, c, d in group:
            if kind == "equal":
                parts += [_marked(" ", line) for line in left[a:b]]
                continue
            parts += [_marked("-", line) for line in left[a:b]] + [_marked("+", line) for line in right[c:d]]
    return "".join(parts)


def cmp(call: Call) -> int:
    options, names = call.options("s")
    try:
        left, right = _two(call, names)
    except FileError as error:
        return call.failed(str(error), 2)
    if left == right:
        return 0
    at = next((n for n, (a, b) in enumerate(zip(left, right, strict=False)) if a != b), None)
    if "s" in options:
        return 1
    if at is None:
        call.err(f"cmp: EOF on {names[len(right) < len(left)]}\n")
    else:
        call.out(f"{names[0]} {names[1]} differ: char {at + 1}, line {left.count(chr(10), 0, at) + 1}\n")
    return 1


def comm(call: Call) -> int:
    """Lines of one sorted file only, of the other only, of both."""
    options, names = call.options("123")
    left, right = (call.lines(text) for text in _two(call, names))
    shown = [str(column) not in options for column in (1, 2, 3)]
    tabs = ["", "\t" * shown[0], "\t" * (shown[0] + shown[1])]
    a = b = 0
    parts = []
    while a < len(left) or b < len(right):
        if b == len(right) or (a < len(left) and left[a] < right[b]):
            column, line, a = 0, left[a], a + 1
        elif a == len(left) or right[b] < left[a]:
            column, line, b = 1, right[b], b + 1
        else:
            column, line, a, b = 2, left[a], a + 1, b + 1
        if shown[column]:
            parts.append(f"{tabs[column]}{line}\n")
    call.out("".join(parts))
    return 0


def join(call: Call) -> int:
    """Lines of two sorted files that have the same first word."""
    options, names = call.options("", "t12")
    left, right = (call.lines(text) for text in _two(call, names))
    divider = options.get("t")
    index: dict[str, list[list[str]]] = {}
    for line in right:
        words = line.split(divider)
        index.setdefault(words[0] if words else "", []).append(words[1:])
    parts = []
    for line in left:
        words = line.split(divider)
        for rest in index.get(words[0] if words else "", []):
            parts.append((divider or " ").join([*words, *rest]) + "\n")
            if len(parts) > MAX_LINES:
                raise FileError(f"orrery: more than {MAX_LINES} lines were joined")
    call.out("".join(parts))
    return 0


def paste(call: Call) -> int:
    options, names = call.options("s", "d")
    dividers = unescaped(options.get("d", "\t"))[0] or ""
    columns = [call.lines(text) for _, text in call.texts(names)]
    if "s" in options:
        for lines in columns:
            call.out(_joined(lines, dividers) + "\n")
        return call.code
    for row in range(max(map(len, columns), default=0)):
        call.out(_joined([lines[row] if row < len(lines) else "" for lines in columns], dividers) + "\n")
    return call.code


def _joined(texts: list[str], dividers: str) -> str:
    """The texts with the dividers between them, in turn."""
    parts = texts[:1]
    for place, text in enumerate(texts[1:]):
        parts += [dividers[place % len(dividers)] if dividers else "", text]
    return "".join(parts)


COMPARE: dict[str, Callable[[Call], int]] = {"diff": diff, "cmp": cmp, "comm": comm, "join": join, "paste": paste}
