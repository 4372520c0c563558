"""Commands about text: cat, echo, printf, head, tail, wc, sort, uniq, cut, tr, tee, seq, …

Mirrors:  busybox 1.37: coreutils/
Left out: locales.
"""

import base64
import hashlib
import re
from itertools import pairwise
from typing import Any

from cluster.runtime.live.commands.call import Call, UsageError, number
from cluster.runtime.live.files import FileError
from cluster.runtime.live.kernel import Blocked
from cluster.runtime.live.words import CLASSES

ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v", "e": "\x1b", "\\": "\\"}
LONGEST_LINE_OUT, MOST_NUMBERS = 1 << 20, 100_000


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
    names = call.from_device(names) or ["-"]
    while call.local.get("done", 0) < len(names):
        name = names[call.local.get("done", 0)]
        if name == "-":
            while data := call.read():
                call.out(_marked(call, data, options) if options else data)
        else:
            try:
                data = call.files.read(call.path(name))
                call.out(_marked(call, data, options) if options else data)
            except FileError as error:
                text = (
                    "read error: Is a directory" if str(error) == "Is a directory" else f"can't open '{name}': {error}"
                )
                call.failed(text)
        call.local["done"] = call.local.get("done", 0) + 1
    return call.code


def _marked(call: Call, data: str, options: dict[str, str]) -> str:
    """Numbers of lines (-n -b), one empty line for many (-s), what can't be seen (-A -e -t -v -E -T)."""
    shown, local = [], call.local
    for line in call.whole_lines(data):
        text, end = line.removesuffix("\n"), line[-1:] == "\n"
        if "s" in options and not text and local.get("empty"):
            continue
        local["empty"] = not text
        if set("vAet") & set(options):
            text = "".join(one if one == "\t" or " " <= one <= "~" else _caret(one) for one in text)
        text = text.replace("\t", "^I") if set("TAt") & set(options) else text
        if ("n" in options and "b" not in options) or ("b" in options and text):
            local["lines"] = local.get("lines", 0) + 1
            text = f"{local['lines']:6d}\t{text}"
        shown.append(text + ("$" if end and set("EAe") & set(options) else "") + ("\n" if end else ""))
    return "".join(shown)


def _caret(one: str) -> str:
    code = ord(one) & 255
    if code >= 128:
        return "M-" + (chr(code - 128) if 32 <= code - 128 < 127 else _caret(chr(code - 128)))
    return "^" + chr(code ^ 64)


def tac(call: Call) -> int:
    for _, text in call.texts(call.options("")[1]):
        call.out("".join(reversed(call.whole_lines(text))))
    return call.code


def head(call: Call) -> int:
    if re.fullmatch(r"-\d+", call.args[0] if call.args else ""):
        call.args = [f"-n{call.args[0][1:]}", *call.args[1:]]
    options, names = call.options("qv", "nc", ("lines", "bytes"))
    names = call.from_device(names)
    bytes_ = options.get("c", options.get("bytes"))
    count = _count(options.get("n", options.get("lines", "10")) if bytes_ is None else bytes_)
    if not names and count < 0:
        text = call.read_all()
        call.out("".join(call.whole_lines(text)[:count]) if bytes_ is None else text[:count])
        return 0
    if not names:
        call.local.setdefault("left", count)
        while (left := call.local["left"]) > 0:
            if bytes_ is None:
                lines = call.read_lines(left)
                text, call.local["left"] = "".join(lines), left - len(lines)
            else:
                text = call.read()[:left]
                call.local["left"] = left - len(text)
            if not text:
                break
            call.out(text)
        return 0
    for place, (name, text) in enumerate(call.texts(names)):
        _title(call, names, place, name, options)
        call.out("".join(call.whole_lines(text)[:count]) if bytes_ is None else text[:count])
    return call.code


def _count(text: str) -> int:
    """`5`, `-5`, `+5`, `1k`. Errors: UsageError."""
    found = re.fullmatch(r"([-+]?[0-9]{1,9})([bkm]?)", text.lower())
    if found is None:
        raise UsageError(f"invalid number '{text}'")
    return int(found[1]) * {"": 1, "b": 512, "k": 1024, "m": 1024 * 1024}[found[2]]


def _title(call: Call, names: list[str], place: int, name: str, options: dict[str, str]) -> None:
    if ("v" in options or len(names) > 1) and "q" not in options:
        call.out(("\n" if place else "") + f"==> {name} <==\n")


def tail(call: Call) -> int:
    if re.fullmatch(r"[-+]\d+", call.args[0] if call.args else ""):
        call.args = [f"-n{call.args[0].removeprefix('-')}", *call.args[1:]]
    options, names = call.options("fFqv", "ncs", ("lines", "bytes", "follow"))
    bytes_ = options.get("c", options.get("bytes"))
    text = options.get("n", options.get("lines", "10")) if bytes_ is None else bytes_
    count, from_start = abs(_count(text)), text.startswith("+")
    if "seen" not in call.local:
        sizes = {}
        for place, (name, content) in enumerate(call.texts(names)):
            _title(call, names, place, name, options)
            parts: str | list[str] = call.whole_lines(content) if bytes_ is None else content
            chosen = parts[max(count - 1, 0) :] if from_start else parts[len(parts) - min(count, len(parts)) :]
            call.out("".join(chosen))
            sizes[name] = len(content)
        call.local["seen"] = sizes
    if not {"f", "F", "follow"} & set(options) or not names:
        return call.code
    for name, size in call.local["seen"].items():
        entry = call.files.stat(call.path(name))
        if entry is not None and len(entry.content) > size:
            call.out(entry.content[size:])
        call.local["seen"][name] = len(entry.content) if entry is not None else 0
    raise Blocked("time", call.now + 1_000_000)


def wc(call: Call) -> int:
    options, names = call.options("lwcmL")
    wanted = [letter for letter in "lwmcL" if letter in options] or list("lwc")
    totals = dict.fromkeys(wanted, 0)
    texts = call.texts(names)
    for name, text in texts:
        longest = max(map(len, text.split("\n"))) if "L" in options else 0
        counts = {"l": text.count("\n"), "w": len(text.split()), "c": len(text), "L": longest}
        counts["m"] = len(text.encode("latin-1", "replace").decode("utf-8", "replace"))
        totals = {letter: totals[letter] + counts[letter] for letter in wanted}
        call.out(_counted([counts[letter] for letter in wanted], name, alone=not names))
    if len(names) > 1:
        call.out(_counted(list(totals.values()), "total", alone=False))
    return call.code


def _counted(figures: list[int], name: str, alone: bool) -> str:
    if len(figures) == 1:
        return f"{figures[0]}\n" if alone else f"{figures[0]} {name}\n"
    return " ".join(f"{figure:9d}" for figure in figures).rstrip() + ("\n" if alone else f" {name}\n")


MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec"


def sort(call: Call) -> int:
    options, names = call.options("nruhfVbscCMidz", "ktoSTm")
    keys = [_Key(text, options) for text in call.given.get("k", [])]
    lines = [line for _, text in call.texts(names) for line in call.lines(text)]
    call.kernel.look_at(len(lines) * len(keys))
    order = keys or [_Key("1", options)]
    if "c" in options or "C" in options:
        return _in_order(call, lines, order, options, names)
    made: list[list[Any]] = [[key.of(line, options.get("t")) for key in order] for line in lines]
    places = list(range(len(lines)))
    if "u" in options:
        first: dict[str, int] = {}
        for place in places:
            first.setdefault(repr(made[place]), place)
        places = list(first.values())
    elif "s" not in options:
        places.sort(key=lines.__getitem__, reverse="r" in options)
    for n, key in reversed(list(enumerate(order))):
        column = [keys_of[n] for keys_of in made]
        places.sort(key=column.__getitem__, reverse=key.reverse)
    text = "".join(f"{lines[place]}\n" for place in places)
    if "o" in options:
        call.files.write(call.path(options["o"]), text)
    else:
        call.out(text)
    return call.code


class _Key:
    """`2`, `2,3`, `2.1n`, `1,1r`: from which field and character to which, and how they compare."""

    def __init__(self, text: str, options: dict[str, str]) -> None:
        place = r"([0-9]{1,4})(?:\.([0-9]{1,4}))?([a-zA-Z]*)"
        found = re.fullmatch(rf"{place}(?:,{place})?", text)
        if found is None or found[1] == "0":
            raise UsageError("bad field specification")
        self.first, self.start = int(found[1]), int(found[2] or 1)
        self.last, self.end = int(found[4] or 1 << 20), int(found[5] or 0)
        own = (found[3] or "") + (found[6] or "")
        self.flags = own or "".join(letter for letter in options if letter in "bfhnrVM")
        self.reverse = "r" in self.flags

    def of(self, line: str, divider: str | None) -> Any:
        text = line if (self.first, self.start, self.last) == (1, 1, 1 << 20) else self._part(line, divider)
        if "b" in self.flags:
            text = text.lstrip()
        if "n" in self.flags:
            found = re.match(r"\s*(-?[0-9]{0,15}(?:\.[0-9]{1,9})?)", text)
            return float(found[1]) if found and found[1] not in ("", "-") else 0.0
        if "h" in self.flags:
            found = re.match(r"\s*(-?[0-9]{1,15}(?:\.[0-9]{1,9})?)([kKMGTPE]?)", text)
            return (" kMGTPE".index(found[2].replace("K", "k") or " "), float(found[1])) if found else (0, 0.0)
        if "M" in self.flags:
            return MONTHS.find(text.strip()[:3].lower()) if text.strip() else -1
        if "V" in self.flags:
            parts = re.findall(r"[0-9]{1,15}|[^0-9]+", text)
            return [(one[0] in "0123456789", int(one) if one[0] in "0123456789" else 0, one) for one in parts]
        return text.upper() if "f" in self.flags else text

    def _part(self, line: str, divider: str | None) -> str:
        fields = [f"{one}{divider}" for one in line.split(divider)] if divider else re.findall(r"\s*\S+|\s+$", line)
        if self.first > len(fields):
            return ""
        before = "".join(fields[: self.first - 1])
        last = fields[self.last - 1] if self.last <= len(fields) else ""
        upto = "".join(fields[: self.last - 1]) + (last[: self.end] if self.end else last)
        return upto[len(before) + self.start - 1 :].removesuffix(divider or "\n")


def _in_order(call: Call, lines: list[str], order: list[_Key], options: dict[str, str], names: list[str]) -> int:
    """sort -c."""
    for place, (before, line) in enumerate(pairwise(lines), 2):
        wrong = "u" in options
        for key in order:
            a, b = key.of(before, options.get("t")), key.of(line, options.get("t"))
            if a != b:
                wrong = (a > b) != key.reverse
                break
        if wrong:
            return call.failed(f"{names[0] if names else '-'}:{place}: disorder: {line}") if "c" in options else 1
    return 0


def uniq(call: Call) -> int:
    options, names = call.options("cduiD", "fsw")
    fields, skipped, width = (number(options.get(letter, "0")) for letter in "fsw")

    def key(line: str) -> str:
        for _ in range(min(fields, 100)):
            line = re.sub(r"^\s*\S+", "", line)
        line = line[skipped:]
        line = line[:width] if width else line
        return line.lower() if "i" in options else line

    groups: list[tuple[str, list[str]]] = []
    for _, text in call.texts(names[:1]):
        for line in call.lines(text):
            if groups and groups[-1][0] == key(line):
                groups[-1][1].append(line)
            else:
                groups.append((key(line), [line]))
    parts = []
    for _, same in groups:
        if ({"d", "D"} & set(options) and len(same) < 2) or ("u" in options and len(same) > 1):
            continue
        for line in same if "D" in options else same[:1]:
            parts.append(f"{len(same):7d} {line}\n" if "c" in options else f"{line}\n")
    if len(names) > 1:
        call.files.write(call.path(names[1]), "".join(parts))
    else:
        call.out("".join(parts))
    return call.code


def cut(call: Call) -> int:
    longs = {"delimiter": "d", "fields": "f", "characters": "c", "bytes": "b", "only-delimited": "s"}
    options, names = call.options("sn", "dfcb", (*longs, "complement", "output-delimiter"))
    options |= {longs[name]: value for name, value in options.items() if name in longs}
    asked = options.get("f") or options.get("c") or options.get("b")
    if not asked:
        raise UsageError("expected a list of bytes, characters, or fields")
    ranges = []
    for part in asked.split(","):
        if re.fullmatch(r"[0-9]{1,7}(-[0-9]{0,7})?|-[0-9]{1,7}", part) is None:
            raise UsageError("invalid byte or field list")
        low, dash, high = part.partition("-")
        ranges.append((int(low or 1), int(high or 1 << 20) if dash else int(low)))
    by_fields, divider = "f" in options, options.get("d", "\t") or "\t"
    if by_fields and len(divider) != 1:
        raise UsageError("the delimiter must be a single character")
    joined = options.get("output-delimiter", divider if by_fields else "")
    parts = []
    for _, text in call.texts(names):
        for line in call.lines(text):
            pieces = line.split(divider) if by_fields else list(line)
            if by_fields and len(pieces) == 1:
                parts += [] if "s" in options else [f"{line}\n"]
                continue
            call.kernel.look_at(len(pieces) * len(ranges) // 16)
            chosen = [
                piece
                for n, piece in enumerate(pieces, 1)
                if any(low <= n <= high for low, high in ranges) != ("complement" in options)
            ]
            parts.append(joined.join(chosen) + "\n")
    call.out("".join(parts))
    return call.code


def tr(call: Call) -> int:
    options, words = call.options("dscCt")
    if not words:
        raise UsageError("missing operand")
    first, second = _letters(words[0]), _letters(words[1]) if len(words) > 1 else ""
    if "c" in options or "C" in options:
        first = "".join(chr(code) for code in range(256) if chr(code) not in first)
    squeezed = set((second or first) if "s" in options else "")
    table: dict[int, str] = {}
    if "d" in options:
        table = dict.fromkeys(map(ord, first), "")
    elif second:
        longer = second if "t" in options else second.ljust(len(first), second[-1])
        table = {ord(one): other for one, other in zip(first, longer, strict=False)}
    while data := call.read():
        text = data.translate(table)
        if squeezed:
            last = call.local.get("last", "")
            call.local["last"] = text[-1:] or last
            text = "".join(
                one for n, one in enumerate(text) if one not in squeezed or one != (text[n - 1] if n else last)
            )
        call.out(text)
    return 0


def _letters(text: str) -> str:
    """`a-z`, `[:upper:]`, escapes."""
    text = re.sub(r"\[:(\w+):\]", lambda m: _class(m[1]), text)
    text = unescaped(text)[0]
    found, at = "", 0
    while at < len(text):
        if text[at + 1 : at + 2] == "-" and at + 2 < len(text):
            if text[at] > text[at + 2]:
                raise UsageError(f"range-endpoints of '{text[at : at + 3]}' are in reverse collating sequence order")
            found += "".join(chr(code) for code in range(ord(text[at]), min(ord(text[at + 2]), 255) + 1))
            at += 3
        else:
            found += text[at]
            at += 1
    return found


def _class(name: str) -> str:
    pairs = CLASSES.get(name, "")
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
    options, _ = call.options("w", "sf")
    if not words:
        raise UsageError("missing operand")
    wrong = next((word for word in words if re.fullmatch(r"-?(\d{1,9}\.?\d{0,6}|\.\d{1,6})", word) is None), None)
    if wrong is not None:
        raise UsageError(f"invalid number '{wrong}'")
    places = max(len(word.partition(".")[2]) for word in words[:2] or words)
    first, step, last = {1: ("1", "1", *words), 2: (words[0], "1", words[-1])}.get(len(words), tuple(words))
    low, stride, high = (round(float(word) * 10**places) for word in (first, step, last))
    found = range(low, high + (1 if stride > 0 else -1), stride or 1)
    if len(found) > MOST_NUMBERS:
        raise FileError(f"orrery: more than {MOST_NUMBERS} numbers are not modelled")
    values = [f"{n / 10**places:.{places}f}" for n in found]
    if "f" in options:
        values = [formatted_once(options["f"], [value])[0] for value in values]
    if "w" in options:
        broad = max(map(len, values), default=0)
        values = [value.zfill(broad) for value in values]
    separator = options.get("s", "\n")
    call.out(separator.join(values) + ("\n" if values else ""))
    return 0


def rev(call: Call) -> int:
    for _, text in call.texts(call.options("")[1]):
        call.out("".join(f"{line[::-1]}\n" for line in call.lines(text)))
    return call.code


def yes(call: Call) -> int:
    line = (" ".join(call.args) or "y")[:1000] + "\n"
    call.out(line * max(4096 // len(line), 1))  # A buffer at a time.
    raise Blocked()


def base64_(call: Call) -> int:
    options, names = call.options("d", "w", ("decode", "wrap"))
    if "d" in options or "decode" in options:
        for _, text in call.texts(names[:1]):
            try:
                call.out(base64.b64decode(text.encode("latin-1", "replace")).decode("latin-1"))
            except ValueError:
                return call.failed("truncated input")
        return call.code
    width = number(options.get("w", options.get("wrap", "76")), 76)
    if not names:  # Line by line, as it comes.
        size = (width or 76) * 3
        while data := call.read():
            text = call.local.get("rest", "") + data
            whole = len(text) - len(text) % size
            call.out(_encoded(text[:whole], width))
            call.local["rest"] = text[whole:]
        call.out(_encoded(call.local.get("rest", ""), width))
        return call.code
    for _, text in call.texts(names[:1]):
        call.out(_encoded(text, width))
    return call.code


def _encoded(text: str, width: int) -> str:
    encoded = base64.b64encode(text.encode("latin-1", "replace")).decode()
    if not width:
        return encoded
    return "".join(f"{encoded[n : n + width]}\n" for n in range(0, len(encoded), width))


def digest(call: Call) -> int:
    """md5sum, sha1sum, sha256sum."""
    algorithm = call.name.removesuffix("sum")
    for name, text in call.texts(call.options("cs")[1]):
        value = hashlib.new(algorithm, text.encode("latin-1", "replace"), usedforsecurity=False).hexdigest()
        call.out(f"{value}  {name}\n")
    return call.code


TEXT = {
    "echo": echo, "printf": printf, "cat": cat, "tac": tac, "head": head, "tail": tail, "wc": wc, "sort": sort,
    "uniq": uniq, "cut": cut, "tr": tr, "tee": tee, "seq": seq, "rev": rev, "yes": yes, "base64": base64_,
    "md5sum": digest, "sha1sum": digest, "sha256sum": digest,
}  # fmt: skip
