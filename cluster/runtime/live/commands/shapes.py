"""Commands that give text another shape: nl, fold, column, split, shuf, expand, strings, od, hexdump, xxd.

Mirrors:  busybox 1.37: coreutils/, util-linux/hexdump_xxd.c; util-linux' column
Left out: od's and hexdump's formats but those that people type (od -c -x -An; hexdump, hexdump -C; xxd, xxd -p).
"""

import re
from collections.abc import Callable

from cluster.runtime import noise
from cluster.runtime.live.commands.call import Call, UsageError, number
from cluster.runtime.live.files import FileError

MAX_PIECES = 100
NAMED = {0: "\\0", 7: "\\a", 8: "\\b", 9: "\\t", 10: "\\n", 11: "\\v", 12: "\\f", 13: "\\r"}


def nl(call: Call) -> int:
    options, names = call.options("", "bswv")
    every, count = options.get("b") == "a", number(options.get("v", "1"), 1)
    parts = []
    for _, text in call.texts(names):
        for line in call.lines(text):
            if not line and not every:
                parts.append("       \n")
                continue
            parts.append(f"{count:{min(number(options.get('w', '6'), 6), 50)}d}{options.get('s', chr(9))}{line}\n")
            count += 1
    call.out("".join(parts))
    return call.code


def fold(call: Call) -> int:
    options, names = call.options("sb", "w")
    width = max(number(options.get("w", "80"), 80), 1)
    if not names:
        while data := call.read():
            *whole, call.local["rest"] = (call.local.get("rest", "") + data).split("\n")
            call.out("".join(f"{_folded(call, line, width, options)}\n" for line in whole))
            head, _, call.local["rest"] = _folded(call, call.local["rest"], width, options).rpartition("\n")
            call.out(f"{head}\n" if head else "")
        call.out(call.local.get("rest", ""))
    for _, text in call.texts(names) if names else ():
        lines = "\n".join(_folded(call, line, width, options) for line in call.lines(text))
        call.out(lines + ("\n" if text.endswith("\n") else ""))
    return call.code


def _folded(call: Call, line: str, width: int, options: dict[str, str]) -> str:
    call.kernel.look_at(len(line) // width)
    if "s" not in options:
        return "\n".join(line[n : n + width] for n in range(0, len(line), width)) if line else ""
    parts = []
    while len(line) > width:
        cut = line.rfind(" ", 0, width) + 1 or width
        parts.append(line[:cut])
        line = line[cut:]
    return "\n".join([*parts, line])


def column(call: Call) -> int:
    """column -t: words in columns as broad as their broadest."""
    options, names = call.options("t", "so")
    rows = [line.split(options.get("s")) for _, text in call.texts(names) for line in call.lines(text) if line.strip()]
    if "t" not in options:
        call.out("".join(f"{' '.join(row)}\n" for row in rows))
        return call.code
    broad = [max(len(row[n]) for row in rows if n < len(row)) for n in range(max(map(len, rows), default=0))]
    gap = options.get("o", "  ")
    for row in rows:
        call.out(gap.join(word.ljust(broad[n]) for n, word in enumerate(row)).rstrip() + "\n")
    return call.code


def expand(call: Call) -> int:
    options, names = call.options("i", "t")
    for _, text in call.texts(names):
        call.out(text.expandtabs(min(max(number(options.get("t", "8"), 8), 1), 100)))
    return call.code


def split(call: Call) -> int:
    """split [-l lines] [-b bytes] [file [prefix]]: pieces xaa, xab …"""
    options, names = call.options("d", "lba")
    text = call.texts(names[:1])[0][1] if call.texts(names[:1]) else ""
    prefix = names[1] if len(names) > 1 else "x"
    if "b" in options:
        size = max(number(options["b"], 1000), 1)
        pieces = [text[n : n + size] for n in range(0, len(text), size)]
    else:
        lines, size = call.whole_lines(text), max(number(options.get("l", "1000"), 1000), 1)
        pieces = ["".join(lines[n : n + size]) for n in range(0, len(lines), size)]
    if len(pieces) > MAX_PIECES:
        raise FileError(f"orrery: split makes at most {MAX_PIECES} files")
    for place, piece in enumerate(pieces):
        suffix = f"{place:02d}" if "d" in options else chr(97 + place // 26) + chr(97 + place % 26)
        call.files.write(call.path(prefix + suffix), piece)
    return call.code


def shuf(call: Call) -> int:
    options, names = call.options("er", "ni")
    if "i" in options:
        low, _, high = options["i"].partition("-")
        lines = [str(n) for n in range(number(low), min(number(high), number(low) + 10_000) + 1)]
    else:
        lines = names if "e" in options else [line for _, text in call.texts(names[:1]) for line in call.lines(text)]
    seed = (call.kernel.container.process.seed, call.now, call.proc["pid"])
    drawn = sorted(range(len(lines)), key=lambda place: noise.mix(*seed, place))
    count = number(options["n"], len(lines)) if "n" in options else len(lines)
    call.out("".join(f"{lines[place]}\n" for place in drawn[:count]))
    return call.code


def strings(call: Call) -> int:
    options, names = call.options("af", "n")
    least = min(max(number(options.get("n", "4"), 4), 1), 1000)
    for _, text in call.texts(names):
        call.out("".join(f"{found}\n" for found in re.findall(rf"[\t -~]{{{least},}}", text)))
    return call.code


def _bytes(call: Call, names: list[str], limit: str | None) -> str:
    text = "".join(content for _, content in call.texts(names))
    return text if limit is None else text[: number(limit, len(text))]


def od(call: Call) -> int:
    options, names = call.options("cxbdv", "AtjNw")
    shape = {"x1": "byte", "c": "c", "x2": "x", "x": "x", "d1": "d1"}.get(options.get("t", ""), "")
    shape = "c" if "c" in options else "x" if "x" in options else shape or "o"
    text, addressed = _bytes(call, names, options.get("N")), options.get("A") != "n"
    for at in range(0, len(text), 16):
        row = text[at : at + 16]
        call.out((f"{at:07o}" if addressed else "") + _od_row(row, shape) + "\n")
    if addressed:
        call.out(f"{len(text):07o}\n")
    return call.code


def _od_row(row: str, shape: str) -> str:
    codes = [ord(one) & 255 for one in row]
    if shape == "c":
        shown = [NAMED.get(code) or (chr(code) if 32 <= code < 127 else f"{code:03o}") for code in codes]
        return "".join(f"{text:>4}" for text in shown)
    if shape == "byte":
        return "".join(f" {code:02x}" for code in codes)
    if shape == "d1":
        return "".join(f" {code:4d}" for code in codes)
    pairs = [codes[n] + ((codes[n + 1] if n + 1 < len(codes) else 0) << 8) for n in range(0, len(codes), 2)]
    return "".join(f" {pair:04x}" if shape == "x" else f" {pair:06o}" for pair in pairs)


def hexdump(call: Call) -> int:
    options, names = call.options("Cv", "n")
    text = _bytes(call, names, options.get("n"))
    canonical = "C" in options or call.name == "hd"
    for at in range(0, len(text), 16):
        row = text[at : at + 16]
        if not canonical:
            call.out(f"{at:07x}{_od_row(row, 'x')}\n")
            continue
        codes = [f"{ord(one) & 255:02x}" for one in row]
        shown = f"{' '.join(codes[:8]):<23}  {' '.join(codes[8:]):<23}"
        call.out(f"{at:08x}  {shown}  |{_visible(row)}|\n")
    if text:
        call.out(f"{len(text):08x}\n" if canonical else f"{len(text):07x}\n")
    return call.code


def xxd(call: Call) -> int:
    options, names = call.options("pr", "l")
    if "r" in options:
        raise UsageError("orrery: -r is not modelled")
    text = _bytes(call, names, options.get("l"))
    if "p" in options:
        digits = "".join(f"{ord(one) & 255:02x}" for one in text)
        call.out("".join(f"{digits[n : n + 60]}\n" for n in range(0, len(digits), 60)))
        return call.code
    for at in range(0, len(text), 16):
        row = text[at : at + 16]
        digits = "".join(f"{ord(one) & 255:02x}" for one in row)
        pairs = " ".join(digits[n : n + 4] for n in range(0, len(digits), 4))
        call.out(f"{at:08x}: {pairs:<39}  {_visible(row)}\n")
    return call.code


def _visible(row: str) -> str:
    return "".join(one if " " <= one <= "~" else "." for one in row)


SHAPES: dict[str, Callable[[Call], int]] = {
    "nl": nl, "fold": fold, "column": column, "expand": expand, "split": split, "shuf": shuf, "strings": strings,
    "od": od, "hexdump": hexdump, "hd": hexdump, "xxd": xxd,
}  # fmt: skip
