"""grep: lines that match, in files, directories or what comes.

Mirrors:  busybox 1.37: findutils/grep.c; the long names are GNU's
Left out: -P but for what regex.py knows, -z, binary files (every file is text).
"""

from fnmatch import fnmatchcase

from cluster.runtime.live.commands import regex
from cluster.runtime.live.commands.call import Call, UsageError, number
from cluster.runtime.live.files import FileError

WORK_OF_A_LINE = 8  # Steps of a search that count as a line looked at.
WHOLE = {"c", "l", "L", "A", "B", "C", "q"}  # Options for which all of the input has to be seen.
LONG = {
    "ignore-case": "i", "invert-match": "v", "line-number": "n", "count": "c", "quiet": "q", "silent": "q",
    "files-with-matches": "l", "files-without-match": "L", "no-filename": "h", "with-filename": "H", "recursive": "r",
    "only-matching": "o", "word-regexp": "w", "line-regexp": "x", "extended-regexp": "E", "fixed-strings": "F",
    "no-messages": "s", "basic-regexp": "G", "perl-regexp": "P", "text": "a", "max-count": "m", "after-context": "A",
    "before-context": "B", "context": "C", "regexp": "e", "file": "f",
}  # fmt: skip


def grep(call: Call) -> int:
    options, words = call.options("ivncqlLhHrRowxEFGPsaI", "emABCf", ("color", "colour", "include", "exclude", *LONG))
    options |= {LONG[name]: value for name, value in options.items() if name in LONG}
    patterns = call.given.get("e", []) + call.given.get("regexp", [])
    for name in call.given.get("f", []) + call.given.get("file", []):
        patterns += call.lines(call.files.read(call.path(name)))
    if not patterns and not words and "f" not in options:
        raise UsageError("no pattern given")
    if "e" not in options and "f" not in options:
        patterns = [words.pop(0)]
    try:
        pattern = regex.compile(*_pattern([one for text in patterns for one in text.split("\n")], options, call.name))
        return _grep(call, pattern, options, words)
    except regex.BadPattern as error:
        return call.failed(str(error), 2)


def _pattern(texts: list[str], options: dict[str, str], name: str) -> tuple[str, bool, bool]:
    """(one pattern for all, is it an extended one, is case ignored?)"""
    extended = bool(set("EP") & set(options)) or name == "egrep"
    if "F" in options or name == "fgrep":
        texts = ["".join("\\" + one if one in "\\.*^$[]" else one for one in text) for text in texts]
        extended = False
    divider, opening, closing = ("|", "(", ")") if extended else ("\\|", "\\(", "\\)")
    text = divider.join(texts)
    if "w" in options:
        text = f"\\b{opening}{text}{closing}\\b"
    if "x" in options:
        text = f"^{opening}{text}{closing}$"
    return text, extended, "i" in options


def _grep(call: Call, pattern: regex.Pattern, options: dict[str, str], words: list[str]) -> int:
    recursive = bool(set("rR") & set(options))
    names = _names(call, words, options) if recursive else words
    if not names and not recursive:
        return _input(call, pattern, options)
    found = False
    for name in names:
        try:
            content = call.read_all() if name == "-" else call.files.read(call.path(name))
        except FileError as error:
            if "s" not in options:
                call.failed(f"{name}: {error}", 2)
            continue
        several = len(names) > 1 or "H" in options or recursive
        title = f"{name}:" if several and "h" not in options else ""
        found = _text(call, content, pattern, options, name, title) or found
        if found and "q" in options:
            return 0
    return call.code or int(not found)


def _names(call: Call, words: list[str], options: dict[str, str]) -> list[str]:
    found = []
    include, exclude = call.given.get("include", ["*"]), call.given.get("exclude", [])
    for word in words or ["."]:
        base = call.path(word)
        entry = call.files.stat(base)
        if entry is None or entry.kind == "f":
            found.append(word)
            continue
        for path in call.files.walk(base):
            entry = call.files.stat(path, follow=False)
            name = path.rpartition("/")[2]
            wanted = any(fnmatchcase(name, one) for one in include)
            if entry is None or entry.kind != "f" or not wanted or any(fnmatchcase(name, one) for one in exclude):
                continue
            below = path[len(base) :].lstrip("/")
            found.append(f"{word.rstrip('/')}/{below}" if words else below)
    return found


def _input(call: Call, pattern: regex.Pattern, options: dict[str, str]) -> int:
    """As it comes, so that `… | grep` shows lines when they are printed."""
    if set(options) & WHOLE:
        title = "(standard input):" if "H" in options else ""
        return int(not _text(call, call.read_all(), pattern, options, "(standard input)", title))
    while lines := call.read_lines():
        for line in lines:
            call.local["line"] = call.local.get("line", 0) + 1
            if _selected(call, pattern, line.removesuffix("\n"), options):
                call.local["count"] = call.local.get("count", 0) + 1
                prefix = ("(standard input):" if "H" in options else "") + (
                    f"{call.local['line']}:" if "n" in options else ""
                )
                call.out(_shown(pattern, line.removesuffix("\n"), options, prefix))
                if "m" in options and call.local["count"] >= number(options["m"], 1):
                    return 0
    return int(not call.local.get("count"))


def _selected(call: Call, pattern: regex.Pattern, line: str, options: dict[str, str]) -> bool:
    before = pattern.work
    found = pattern.search(line) is not None
    call.kernel.look_at((pattern.work - before) // WORK_OF_A_LINE)
    return found != ("v" in options)


def _shown(pattern: regex.Pattern, line: str, options: dict[str, str], prefix: str) -> str:
    if "o" not in options:
        return f"{prefix}{line}\n"
    parts, at = list[str](), 0
    while "v" not in options and (match := pattern.search(line, at)) is not None:
        if match.end > match.start:
            parts.append(f"{prefix}{line[match.start : match.end]}\n")
        at = max(match.end, match.start + 1)
        if at > len(line):
            break
    return "".join(parts)


def _text(call: Call, content: str, pattern: regex.Pattern, options: dict[str, str], name: str, title: str) -> bool:
    lines, most = call.lines(content), number(options["m"], 1) if "m" in options else 1 << 30
    hits: list[int] = []
    for n, line in enumerate(lines):
        if len(hits) >= most:
            break
        if _selected(call, pattern, line, options):
            hits.append(n)
            if "q" in options:
                return True
    if "q" in options:
        return False
    if "l" in options or "L" in options:
        if bool(hits) == ("l" in options):
            call.out(f"{name}\n")
        return bool(hits)
    if "c" in options:
        call.out(f"{title}{len(hits)}\n")
        return bool(hits)
    around = number(options.get("C", "0"))
    before, after = number(options.get("B", "0")) or around, number(options.get("A", "0")) or around
    wanted, shown = set(hits), -1
    for hit in hits:
        for n in range(max(hit - before, shown + 1), min(hit + after + 1, len(lines))):
            if n > shown + 1 and shown >= 0 and (before or after):
                call.out("--\n")
            shown = n
            mark = ":" if n in wanted else "-"
            prefix = title.replace(":", mark) + (f"{n + 1}{mark}" if "n" in options else "")
            call.out(_shown(pattern, lines[n], options, prefix) if n in wanted else f"{prefix}{lines[n]}\n")
    return bool(hits)


GREP = {"grep": grep, "egrep": grep, "fgrep": grep}
