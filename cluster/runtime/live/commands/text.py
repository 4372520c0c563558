"""Commands about text: cat, echo, printf, grep, sed, head, tail, wc, sort, uniq, cut, tr, tee, seq, …

Mirrors:  busybox 1.37: coreutils/, findutils/grep.c, editors/sed.c
Left out: sed's hold space, labels and file editing but -i; locales.
"""

import base64
import hashlib
import re

from cluster.runtime.live.commands import regex
from cluster.runtime.live.commands.call import Call, UsageError, number
from cluster.runtime.live.files import FileError
from cluster.runtime.live.kernel import Blocked

ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v", "e": "\x1b", "\\": "\\"}
LONGEST_LINE_OUT = 1 << 20


def unescaped(text: str) -> tuple[str, bool]:
    """(text, did `\\c` say that nothing may follow?)

    >>> unescaped("a\\\\tb\\\\101\\\\x41\\\\c!")
    ('a\\tbAA', True)
    """
    found, at = [], 0
    while at < len(text):
        if text[at] != "\\" or at + 1 == len(text):
            found.append(text[at])
            at += 1
            continue
        letter = text[at + 1]
        octal = re.compile(r"0?([0-7]{1,3})").match(text, at + 1)
        hexadecimal = re.compile(r"x([0-9a-fA-F]{1,2})").match(text, at + 1)
        if letter == "c":
            return "".join(found), True
        if hexadecimal or octal:
            match = hexadecimal or octal
            assert match is not None
            found.append(chr(int(match[1], 16 if hexadecimal else 8) & 255))
            at = match.end()
            continue
        found.append(ESCAPES.get(letter, "\\" + letter))
        at += 2
    return "".join(found), False


def echo(call: Call) -> int:
    words, newline, escapes = list(call.args), "\n", False
    while words and re.fullmatch(r"-[neE]+", words[0]):
        option = words.pop(0)
        newline = "" if "n" in option else newline
        escapes = "e" in option and "E" not in option
    text = " ".join(words)
    if escapes:
        text, cut = unescaped(text)
        newline = "" if cut else newline
    call.out(text + newline)
    return 0


def printf(call: Call) -> int:
    if not call.args:
        return call.failed("usage: printf FORMAT [ARG]...", 1)
    pattern, values = call.args[0], list(call.args[1:])
    again = True
    size = 0
    while again:
        before = len(values)
        text, cut = formatted_once(pattern, values)
        size += len(text)
        if size > LONGEST_LINE_OUT:
            raise FileError("out of memory")
        call.out(text)
        again = bool(values) and len(values) < before and not cut
    return 0


def formatted_once(pattern: str, values: list[str]) -> tuple[str, bool]:
    """The pattern once, with values taken off the front."""
    parts, at = [], 0
    for match in re.finditer(r"%([-+ 0#]*)(\d{0,3}|\*)(?:\.(\d{0,3}))?([diouxXeEfgGcsbq%])", pattern):
        text, cut = unescaped(pattern[at : match.start()])
        parts.append(text)
        if cut:
            return "".join(parts), True
        at = match.end()
        flags, width, precision, kind = match.groups()
        if kind == "%":
            parts.append("%")
            continue
        if width == "*":
            width = values.pop(0) if values else ""
        parts.append(_converted(kind, flags, number(width), precision, values.pop(0) if values else ""))
    text, cut = unescaped(pattern[at:])
    return "".join([*parts, text]), cut


def _converted(kind: str, flags: str, width: int, precision: str | None, value: str) -> str:
    width = min(abs(width), 500)
    if kind in "diouxX":
        whole = ord(value[1]) if value[:1] in "'\"" and len(value) > 1 else _integer(value)
        text = {"d": str(whole), "i": str(whole), "u": str(whole)}.get(kind) or format(whole, kind)
        text = ("+" if "+" in flags and whole >= 0 else "") + text
        return text.zfill(width) if "0" in flags and "-" not in flags else _padded(text, flags, width)
    if kind in "eEfgG":
        try:
            figure = float(value or 0)
        except ValueError:
            figure = 0.0
        text = format(figure, f".{min(int(precision or 6), 50)}{kind}")
        return text.zfill(width) if "0" in flags and "-" not in flags else _padded(text, flags, width)
    if kind == "c":
        return _padded(value[:1], flags, width)
    if kind == "b":
        value = unescaped(value)[0]
    return _padded(value if precision is None else value[: int(precision or 0)], flags, width)


def _integer(text: str) -> int:
    match = re.fullmatch(r"\s*([-+]?)(0[xX][0-9a-fA-F]{1,16}|\d{1,19})", text)
    return int(match[1] + match[2], 16 if match[2][:2].lower() == "0x" else 10) if match else 0


def _padded(text: str, flags: str, width: int) -> str:
    return text.ljust(width) if "-" in flags else text.rjust(width)


def cat(call: Call) -> int:
    options, names = call.options("unvetAsbET")
    names = names or ["-"]
    while call.local.get("done", 0) < len(names):
        name = names[call.local.get("done", 0)]
        if name == "-":
            while data := call.read():
                call.out(_numbered(call, data) if "n" in options else data)
        else:
            try:
                data = call.files.read(call.path(name))
                call.out(_numbered(call, data) if "n" in options else data)
            except FileError as error:
                text = (
                    "read error: Is a directory" if str(error) == "Is a directory" else f"can't open '{name}': {error}"
                )
                call.failed(text)
        call.local["done"] = call.local.get("done", 0) + 1
    return call.code


def _numbered(call: Call, data: str) -> str:
    first = call.local.get("lines", 0)
    lines = whole_lines(data)
    call.local["lines"] = first + len(lines)
    return "".join(f"{first + n + 1:6d}\t{line}" for n, line in enumerate(lines))


def tac(call: Call) -> int:
    for _, text in call.texts(call.options("")[1]):
        call.out("".join(reversed(whole_lines(text))))
    return call.code


def lines_of(text: str) -> list[str]:
    """Lines without their ends; only a line feed ends a line."""
    lines = text.split("\n")
    return lines[:-1] if lines[-1] == "" else lines


def whole_lines(text: str) -> list[str]:
    """Lines with their ends. (`str.splitlines` would also split at bytes that end no line.)"""
    lines = [line + "\n" for line in text.split("\n")]
    rest = lines.pop()[:-1]
    return [*lines, rest] if rest else lines


def head(call: Call) -> int:
    if re.fullmatch(r"-\d+", call.args[0] if call.args else ""):
        call.args = [f"-n{call.args[0][1:]}", *call.args[1:]]
    options, names = call.options("qv", "nc")
    count = number(options.get("n", "10"), 10)
    if "c" in options:
        size = number(options["c"])
        for _, text in call.texts(names) if names else ():
            call.out(text[:size])
        while not names and call.local.setdefault("left", size) > 0 and (data := call.read()):
            call.out(data[: call.local["left"]])
            call.local["left"] -= len(data)
        return call.code
    if count < 0 and not names:
        call.out("".join(whole_lines(call.read_all())[:count]))
        return 0
    if not names:
        while call.local.setdefault("left", count) > 0:
            line = call.read_line()
            if not line:
                break
            call.out(line)
            call.local["left"] -= 1
        return 0
    for place, (name, text) in enumerate(call.texts(names)):
        lines = whole_lines(text)
        _title(call, names, place, name)
        call.out("".join(lines[:count]))
    return call.code


def _title(call: Call, names: list[str], place: int, name: str) -> None:
    if len(names) > 1:
        call.out(("\n" if place else "") + f"==> {name} <==\n")


def tail(call: Call) -> int:
    if re.fullmatch(r"[-+]\d+", call.args[0] if call.args else ""):
        call.args = [f"-n{call.args[0].removeprefix('-')}", *call.args[1:]]
    options, names = call.options("fFqv", "ncs")
    text = options.get("n", "10")
    count, from_start = abs(number(text, 10)), text.startswith("+")
    if "seen" not in call.local:
        sizes = {}
        for place, (name, content) in enumerate(call.texts(names)):
            lines = whole_lines(content)
            _title(call, names, place, name)
            if "c" in options:
                call.out(content[-number(options["c"]) :])
            elif from_start:
                call.out("".join(lines[max(count - 1, 0) :]))
            elif count:
                call.out("".join(lines[-count:]))
            sizes[name] = len(content)
        call.local["seen"] = sizes
    if not ("f" in options or "F" in options) or not names:
        return call.code
    for name, size in call.local["seen"].items():
        entry = call.files.stat(call.path(name))
        if entry is not None and len(entry.content) > size:
            call.out(entry.content[size:])
        call.local["seen"][name] = len(entry.content) if entry is not None else 0
    raise Blocked("time", call.now + 1_000_000)


def grep(call: Call) -> int:
    options, words = call.options("ivncqlLhHrRowxEFsaI", "emABC", ("color", "include"))
    extended = "E" in options or call.name == "egrep"
    if "e" not in options and not words:
        raise UsageError("no pattern given")
    text = options["e"] if "e" in options else words.pop(0)
    if "F" in options or call.name == "fgrep":
        text, extended = re.sub(r"([\\.*^$\[])", r"\\\1", text), False
    if "w" in options:
        text = f"\\b({text})\\b" if extended else f"\\b\\({text}\\)\\b"
    if "x" in options:
        text = f"^({text})$" if extended else f"^\\({text}\\)$"
    try:
        return _grep(call, regex.compile(text, extended, "i" in options), options, words)
    except regex.BadPattern as error:
        return call.failed(str(error), 2)


def _grep(call: Call, pattern: regex.Pattern, options: dict[str, str], words: list[str]) -> int:
    names = _grep_names(call, words, "r" in options or "R" in options)
    found = False
    if not names:
        return _grep_input(call, pattern, options)
    for name in names:
        try:
            content = call.read_all() if name == "-" else call.files.read(call.path(name))
        except FileError as error:
            if "s" not in options:
                call.failed(f"{name}: {error}", 2)
            continue
        several = len(names) > 1 or "H" in options or names[:1] != words[:1]
        title = f"{name}:" if several and "h" not in options else ""
        found = _grep_text(call, content, pattern, options, name, title) or found
    return call.code or int(not found)


def _grep_names(call: Call, words: list[str], recursive: bool) -> list[str]:
    if not recursive:
        return words
    found = []
    for word in words or ["."]:
        base = call.path(word)
        entry = call.files.stat(base)
        if entry is not None and entry.kind == "f":
            found.append(word)
            continue
        for path in call.files.walk(base):
            entry = call.files.stat(path, follow=False)
            if entry is not None and entry.kind == "f":
                found.append(word.rstrip("/") + path[len(base) :])
    return found


def _grep_input(call: Call, pattern: regex.Pattern, options: dict[str, str]) -> int:
    """As it comes, so that `… | grep` shows lines when they are printed."""
    if set(options) & {"c", "l", "L", "A", "B", "C", "q"}:
        found = _grep_text(call, call.read_all(), pattern, options, "(standard input)", "")
        return int(not found)
    while line := call.read_line():
        call.local["line"] = call.local.get("line", 0) + 1
        if _selected(pattern, line.removesuffix("\n"), options):
            call.local["found"] = True
            call.local["count"] = call.local.get("count", 0) + 1
            prefix = f"{call.local['line']}:" if "n" in options else ""
            call.out(_shown(pattern, line.removesuffix("\n"), options, prefix))
            if "m" in options and call.local["count"] >= number(options["m"], 1):
                return 0
    return int(not call.local.get("found"))


def _selected(pattern: regex.Pattern, line: str, options: dict[str, str]) -> bool:
    return (pattern.search(line) is not None) != ("v" in options)


def _shown(pattern: regex.Pattern, line: str, options: dict[str, str], prefix: str) -> str:
    if "o" not in options:
        return f"{prefix}{line}\n"
    parts, at = [], 0
    while (match := pattern.search(line, at)) is not None:
        if match.end > match.start:
            parts.append(f"{prefix}{line[match.start : match.end]}\n")
        at = max(match.end, match.start + 1)
        if at > len(line):
            break
    return "".join(parts)


def _grep_text(
    call: Call, content: str, pattern: regex.Pattern, options: dict[str, str], name: str, title: str
) -> bool:
    lines = lines_of(content)
    hits = [n for n, line in enumerate(lines) if _selected(pattern, line, options)]
    if "m" in options:
        hits = hits[: number(options["m"], 1)]
    if "q" in options:
        return bool(hits)
    if "l" in options or "L" in options:
        if bool(hits) == ("l" in options):
            call.out(f"{name}\n")
        return bool(hits)
    if "c" in options:
        call.out(f"{title}{len(hits)}\n")
        return bool(hits)
    around = number(options.get("C", "0"))
    before, after = number(options.get("B", "0")) or around, number(options.get("A", "0")) or around
    chosen = {m for n in hits for m in range(max(n - before, 0), min(n + after + 1, len(lines)))}
    wanted, last = set(hits), None
    for n in sorted(chosen):
        if last is not None and n > last + 1 and (before or after):
            call.out("--\n")
        last = n
        mark = ":" if n in wanted else "-"
        prefix = title + (f"{n + 1}{mark}" if "n" in options else "")
        call.out(_shown(pattern, lines[n], options, prefix) if n in wanted else f"{prefix}{lines[n]}\n")
    return bool(hits)


def wc(call: Call) -> int:
    options, names = call.options("lwcmL")
    wanted = [letter for letter in "lwc" if letter in options or (letter == "c" and "m" in options)] or list("lwc")
    totals = dict.fromkeys(wanted, 0)
    texts = call.texts(names)
    for name, text in texts:
        counts = {"l": text.count("\n"), "w": len(text.split()), "c": len(text)}
        totals = {letter: totals[letter] + counts[letter] for letter in wanted}
        call.out(_counted([counts[letter] for letter in wanted], name, alone=not names))
    if len(names) > 1:
        call.out(_counted(list(totals.values()), "total", alone=False))
    return call.code


def _counted(figures: list[int], name: str, alone: bool) -> str:
    if len(figures) == 1:
        return f"{figures[0]}\n" if alone else f"{figures[0]} {name}\n"
    return " ".join(f"{figure:9d}" for figure in figures).rstrip() + ("\n" if alone else f" {name}\n")


def sort(call: Call) -> int:
    options, names = call.options("nruhfVbs", "kto")
    lines = [line for _, text in call.texts(names) for line in lines_of(text)]

    def key(line: str) -> object:
        text = line
        if "k" in options:
            parts = line.split(options["t"]) if options.get("t") else line.split()
            place = number(re.match(r"\d*", options["k"])[0], 1) - 1  # type: ignore[index]
            text = parts[place] if 0 <= place < len(parts) else ""
        if "n" in options or "h" in options or "n" in options.get("k", ""):
            match = re.match(r"\s*(-?\d{1,15}(?:\.\d{1,9})?)", text)
            return (float(match[1]) if match else 0.0, line)
        return (text.lower() if "f" in options else text, line)

    lines.sort(key=key, reverse="r" in options)  # type: ignore[arg-type]
    if "u" in options:
        lines = list(dict.fromkeys(lines))
    call.out("".join(f"{line}\n" for line in lines))
    return call.code


def uniq(call: Call) -> int:
    options, names = call.options("cdui")
    groups: list[tuple[str, int]] = []
    for _, text in call.texts(names[:1]):
        for line in lines_of(text):
            if groups and groups[-1][0] == line:
                groups[-1] = (line, groups[-1][1] + 1)
            else:
                groups.append((line, 1))
    for line, count in groups:
        if ("d" in options and count < 2) or ("u" in options and count > 1):
            continue
        call.out(f"{count:7d} {line}\n" if "c" in options else f"{line}\n")
    return call.code


def cut(call: Call) -> int:
    options, names = call.options("s", "dfcb")
    asked = options.get("f") or options.get("c") or options.get("b")
    if not asked:
        raise UsageError("expected a list of bytes, characters, or fields")
    ranges = []
    for part in asked.split(","):
        low, dash, high = part.partition("-")
        first = number(low, 1) or 1
        ranges.append((first, number(high, 1 << 20) if dash else first))
    divider = options.get("d", "\t") or "\t"
    for _, text in call.texts(names):
        for line in lines_of(text):
            pieces = line.split(divider) if "f" in options else list(line)
            if "f" in options and len(pieces) == 1:
                if "s" not in options:
                    call.out(f"{line}\n")
                continue
            chosen = [p for n, p in enumerate(pieces, 1) if any(low <= n <= high for low, high in ranges)]
            call.out((divider if "f" in options else "").join(chosen) + "\n")
    return call.code


def tr(call: Call) -> int:
    options, words = call.options("dsc")
    if not words:
        raise UsageError("missing operand")
    first = _letters(words[0])
    text = call.read_all()
    if "d" in options:
        call.out("".join(one for one in text if (one in first) == ("c" in options)))
        return 0
    second = _letters(words[1]) if len(words) > 1 else ""
    if second:
        table = {one: second[min(n, len(second) - 1)] for n, one in enumerate(first)}
        text = (
            "".join(one if one in first else second[-1] for one in text)
            if "c" in options
            else "".join(table.get(one, one) for one in text)
        )
    if "s" in options:
        squeezed = set(second or first)
        text = "".join(one for n, one in enumerate(text) if not (n and one in squeezed and text[n - 1] == one))
    call.out(text)
    return 0


def _letters(text: str) -> str:
    """`a-z`, `[:upper:]`, escapes."""
    text = re.sub(r"\[:(\w+):\]", lambda m: _class(m[1]), text)
    text = unescaped(text)[0]
    found, at = "", 0
    while at < len(text):
        if text[at + 1 : at + 2] == "-" and at + 2 < len(text):
            found += "".join(chr(code) for code in range(ord(text[at]), ord(text[at + 2]) + 1))
            at += 3
        else:
            found += text[at]
            at += 1
    return found


def _class(name: str) -> str:
    pairs = regex.CLASSES.get(name, "")
    return "".join(f"{pairs[n]}-{pairs[n + 1]}" for n in range(0, len(pairs), 2))


def tee(call: Call) -> int:
    options, names = call.options("ai")
    if not call.local.get("opened"):
        for name in names:
            call.files.write(call.path(name), "", append="a" in options)
        call.local["opened"] = True
    while data := call.read():
        call.out(data)
        for name in names:
            call.files.write(call.path(name), data, append=True)
    return 0


def seq(call: Call) -> int:
    at = next((n for n, word in enumerate(call.args) if re.fullmatch(r"-?\.?\d.*", word)), len(call.args))
    words, call.args = call.args[at : at + 3], call.args[:at]
    options, _ = call.options("w", "s")
    if not words:
        raise UsageError("missing operand")
    wrong = next((word for word in words if re.fullmatch(r"-?(\d{1,9}\.?\d{0,6}|\.\d{1,6})", word) is None), None)
    if wrong is not None:
        raise UsageError(f"invalid number '{wrong}'")
    places = max(len(word.partition(".")[2]) for word in words[:2] or words)
    first, step, last = {1: ("1", "1", *words), 2: (words[0], "1", words[-1])}.get(len(words), tuple(words))
    low, stride, high = (round(float(word) * 10**places) for word in (first, step, last))
    found = range(low, high + (1 if stride > 0 else -1), stride or 1)[:100_000]
    values = [f"{n / 10**places:.{places}f}" for n in found]
    if "w" in options:
        broad = max(map(len, values), default=0)
        values = [value.zfill(broad) for value in values]
    separator = options.get("s", "\n")
    call.out(separator.join(values) + ("\n" if values else ""))
    return 0


def rev(call: Call) -> int:
    for _, text in call.texts(call.options("")[1]):
        call.out("".join(f"{line[::-1]}\n" for line in lines_of(text)))
    return call.code


def yes(call: Call) -> int:
    line = (" ".join(call.args) or "y")[:1000] + "\n"
    call.out(line * max(4096 // len(line), 1))  # A buffer at a time.
    raise Blocked()


def base64_(call: Call) -> int:
    options, names = call.options("d", "w", ("decode",))
    for _, text in call.texts(names[:1]):
        data = text.encode("latin-1", "replace")
        if "d" in options or "decode" in options:
            try:
                call.out(base64.b64decode(data).decode("latin-1"))
            except ValueError:
                return call.failed("truncated input")
            continue
        encoded = base64.b64encode(data).decode()
        width = number(options.get("w", "76"), 76)
        rows = [encoded[n : n + width] for n in range(0, len(encoded), width)] if width else [encoded]
        call.out("\n".join(rows) + ("\n" if width else ""))
    return call.code


def digest(call: Call) -> int:
    """md5sum, sha1sum, sha256sum."""
    algorithm = call.name.removesuffix("sum")
    for name, text in call.texts(call.options("cs")[1]):
        value = hashlib.new(algorithm, text.encode("latin-1", "replace"), usedforsecurity=False).hexdigest()
        call.out(f"{value}  {name}\n")
    return call.code


# --- sed --------------------------------------------------------------------------------------------------------

SED = re.compile(
    r"\s*(?P<from>\d+|\$|/(?:[^/\\]|\\.)*/)?(?:,(?P<to>\d+|\$|/(?:[^/\\]|\\.)*/))?\s*(?P<not>!)?\s*(?P<command>[spdqaic=y])"
)


class _Rule:
    """One command of a sed script."""

    def __init__(self, match: "re.Match[str]", rest: str, extended: bool) -> None:
        self.start, self.end, self.inverted = match["from"], match["to"], bool(match["not"])
        self.command, self.extended, self.active = match["command"], extended, False
        self.text, self.flags, self.replacement = "", "", ""
        self.addresses: dict[str, regex.Pattern] = {}
        self.rest = rest
        if self.command == "s":
            self._substitution(rest)
        elif self.command in "aic":
            line, _, self.rest = rest.partition("\n")
            self.text = re.sub(r"^\s*\\?\n?", "", line) + "\n"

    def _substitution(self, rest: str) -> None:
        parts: list[str] = []
        divider, at, part = rest[:1], 1, ""
        while at < len(rest) and len(parts) < 2:
            if rest[at] == "\\" and at + 1 < len(rest):
                part += rest[at + 1] if rest[at + 1] == divider else rest[at : at + 2]
                at += 2
            elif rest[at] == divider:
                parts.append(part)
                part = ""
                at += 1
            else:
                part += rest[at]
                at += 1
        if len(parts) < 2:
            raise UsageError(f"unmatched '{divider or 's'}'")
        flags = re.compile(r"[gpiI0-9]*").match(rest, at)
        assert flags is not None
        self.flags, self.rest, self.replacement = flags[0], rest[flags.end() :], parts[1]
        fold = "i" in self.flags.lower()
        self.pattern = regex.compile(parts[0], self.extended, fold)

    def applies(self, number_: int, line: str, last: bool) -> bool:
        return self._selected(number_, line, last) != self.inverted

    def _selected(self, number_: int, line: str, last: bool) -> bool:
        if self.start is None:
            return True
        if self.end is None:
            return self._met(self.start, number_, line, last)
        if self.active:
            self.active = not self._met(self.end, number_, line, last)
            return True
        if self._met(self.start, number_, line, last):
            self.active = not (self.end.isdigit() and int(self.end) <= number_)
            return True
        return False

    def _met(self, address: str, number_: int, line: str, last: bool) -> bool:
        if address == "$":
            return last
        if address.isdigit():
            return int(address) == number_
        if address not in self.addresses:
            self.addresses[address] = regex.compile(address[1:-1].replace("\\/", "/"), self.extended)
        return self.addresses[address].search(line) is not None

    def substitute(self, line: str) -> tuple[str, bool]:
        """(the line, was anything replaced?)"""
        every, wanted = "g" in self.flags, number(re.sub(r"\D", "", self.flags), 1) or 1
        parts: list[str] = []
        at = count = 0
        while at <= len(line) and (match := self.pattern.search(line, at)) is not None:
            count += 1
            parts.append(line[at : match.start])
            replaced = count >= wanted if every else count == wanted
            whole = line[match.start : match.end]
            parts.append(_filled(self.replacement, whole, match.groups) if replaced else whole)
            at = match.end
            if match.end == match.start:
                parts.append(line[at : at + 1])
                at += 1
            if not every and count >= wanted:
                break
        return "".join(parts) + line[at:], count >= wanted


def _filled(text: str, whole: str, groups: tuple[str, ...]) -> str:
    def value(match: "re.Match[str]") -> str:
        one = match[0]
        if one == "&":
            return whole
        if one[1].isdigit():
            place = int(one[1])
            return whole if place == 0 else groups[place - 1] if place <= len(groups) else ""
        return {"n": "\n", "t": "\t"}.get(one[1], one[1])

    return re.sub(r"\\.|&", value, text, flags=re.DOTALL)


def sed(call: Call) -> int:
    scripts, call.args = _scripts(call.args)
    options, words = call.options("nErsi", "f")
    if "f" in options:
        scripts.append(call.files.read(call.path(options["f"])))
    script = "\n".join(scripts) if scripts else words.pop(0) if words else None
    if script is None:
        raise UsageError("no script specified")
    try:
        rules = _rules(script, "E" in options or "r" in options)
        if "i" in options:
            for name in words:
                call.files.write(call.path(name), _edited(call.files.read(call.path(name)), rules, "n" in options))
            return 0
        content = "".join(text for _, text in call.texts(words))
        call.out(_edited(content, rules, "n" in options))
    except regex.BadPattern as error:
        return call.failed(f"bad regex '{script}': {error}")
    return call.code


def _scripts(args: list[str]) -> tuple[list[str], list[str]]:
    """The texts behind each `-e`, and the other words."""
    found, rest, words = [], [], list(args)
    while words:
        word = words.pop(0)
        option = re.fullmatch(r"(-[nErsi]*)e(.*)", word, re.DOTALL)
        if option is None:
            rest.append(word)
            continue
        found.append(option[2] or (words.pop(0) if words else ""))
        rest += [option[1]] if len(option[1]) > 1 else []
    return found, rest


def _rules(script: str, extended: bool) -> list[_Rule]:
    rules: list[_Rule] = []
    rest = script
    if len(script) > 10_000:
        raise UsageError("the script is longer than 10000 characters")
    while rest := rest.lstrip(" \t\n;"):
        match = SED.match(rest)
        if match is None:
            raise UsageError(f"unsupported command {rest[:1]}")
        rule = _Rule(match, rest[match.end() :], extended)
        rules.append(rule)
        rest = rule.rest
    return rules


def _edited(content: str, rules: list[_Rule], silent: bool) -> str:
    lines, out = lines_of(content), []
    for place, line in enumerate(lines, 1):
        keep, leave, after = not silent, False, []
        for rule in rules:
            if not rule.applies(place, line, place == len(lines)):
                continue
            if rule.command == "s":
                line, replaced = rule.substitute(line)
                if replaced and "p" in rule.flags:
                    out.append(line + "\n")
            elif rule.command == "p":
                out.append(line + "\n")
            elif rule.command == "=":
                out.append(f"{place}\n")
            elif rule.command == "i":
                out.append(rule.text)
            elif rule.command == "a":
                after.append(rule.text)
            elif rule.command == "c":
                out.append(rule.text)
                keep = False
                break
            elif rule.command == "d":
                keep = False
                break
            elif rule.command == "q":
                leave = True
                break
        if keep:
            out.append(line + "\n")
        out += after
        if leave:
            break
    text = "".join(out)
    return text if content.endswith("\n") or not text else text.removesuffix("\n")


TEXT = {
    "echo": echo, "printf": printf, "cat": cat, "tac": tac, "head": head, "tail": tail, "grep": grep, "egrep": grep,
    "fgrep": grep, "wc": wc, "sort": sort, "uniq": uniq, "cut": cut, "tr": tr, "tee": tee, "seq": seq, "rev": rev,
    "yes": yes, "base64": base64_, "md5sum": digest, "sha1sum": digest, "sha256sum": digest, "sed": sed,
}  # fmt: skip
