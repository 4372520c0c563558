"""sed: a script of commands for every line.

A script is a flat list of rules; `}` and labels are rules, too, so that a jump is a place in the list. Between two
lines a run keeps its hold space and which ranges are open, as sed does.

Mirrors:  busybox 1.37: editors/sed.c
Left out: y's escapes but \\n and \\t, the commands e F z R W v, special files, -z.
Limits:   scripts of 10,000 characters, 200,000 commands carried out, what is held 1 Mi characters.
"""

import re
from dataclasses import dataclass, field

from cluster.runtime.live.commands import regex
from cluster.runtime.live.commands.call import Call, UsageError, number
from cluster.runtime.live.files import FileError

MAX_SCRIPT, MAX_DONE, MAX_SPACE = 10_000, 200_000, 1 << 20
WORK_OF_A_LINE = 8  # Steps of a search that count as a line looked at.
ADDRESS = re.compile(r"\s*(?:(\d+)(?:~(\d+))?|(\$)|/((?:[^/\\\n\[]|\\.|\[\^?\]?[^\]]*\])*)/(I?))", re.DOTALL)
LABEL = re.compile(r"\s*([^;\n}]*)")
PLAIN = "=dDgGhHlnNpPx"


@dataclass
class _Address:
    """A line's number (every `step` from there on), the last line, or a pattern ("": the one that was used last)."""

    line: int = 0
    step: int = 0
    last: bool = False
    pattern: str | None = None
    fold: bool = False


@dataclass
class _Rule:
    """One command. `text`: a label, a file, the lines of a, i, c; `target`: where `{`, b, t and T go to."""

    command: str
    start: _Address | None = None
    end: _Address | None = None
    more: int = 0  # `addr,+3`
    inverted: bool = False
    text: str = ""
    pattern: str = ""
    flags: str = ""
    target: int = 0
    until: int | None = None  # Of an open range: its last line; 0: where `end` matches.
    table: dict[int, str] = field(default_factory=dict)


class _Reader:
    """Reads a script."""

    def __init__(self, text: str) -> None:
        if len(text) > MAX_SCRIPT:
            raise UsageError(f"orrery: scripts of more than {MAX_SCRIPT} characters are not run")
        self.text, self.at, self.rules = text, 0, list[_Rule]()

    def rest(self) -> str:
        return self.text[self.at :]

    def taken(self, pattern: str) -> str:
        found = re.compile(pattern, re.DOTALL).match(self.text, self.at)
        self.at = found.end() if found else self.at
        return found[0] if found else ""

    def read(self) -> list[_Rule]:
        open_: list[int] = []
        while self.taken(r"[ \t\n;]*") is not None and self.at < len(self.text):
            if self.text[self.at] == "#":
                self.taken(r"[^\n]*")
                continue
            rule = self.rule()
            if rule.command == "}":
                if not open_:
                    raise UsageError("unexpected '}'")
                self.rules[open_.pop()].target = len(self.rules)
            elif rule.command == "{":
                open_.append(len(self.rules))
            self.rules.append(rule)
        if open_:
            raise UsageError("unmatched '{'")
        labels = {rule.text: place for place, rule in enumerate(self.rules) if rule.command == ":"}
        for rule in self.rules:
            if rule.command in "btT":
                if rule.text and rule.text not in labels:
                    raise UsageError(f"can't find label for jump to '{rule.text}'")
                rule.target = labels.get(rule.text, len(self.rules))
        return self.rules

    def address(self) -> _Address | None:
        found = ADDRESS.match(self.text, self.at)
        if found is None and self.text[self.at : self.at + 1] == "\\":  # \,pattern,
            divider = self.text[self.at + 1 : self.at + 2]
            self.at += 1
            return _Address(pattern=self.parts(divider, 1)[0])
        if found is None:
            return None
        self.at = found.end()
        line, step, last, pattern, fold = found.groups()
        if pattern is not None:
            pattern = pattern.replace("\\/", "/")
        return _Address(number(line or "0"), number(step or "0"), bool(last), pattern, bool(fold))

    def rule(self) -> _Rule:
        start = self.address()
        end, more = None, 0
        if start is not None and self.taken(r"\s*,\s*"):
            more = number(self.taken(r"\+\d{1,9}").lstrip("+"))
            end = None if more else self.address()
            if end is None and not more:
                raise UsageError("unexpected ','")
        inverted = bool(self.taken(r"\s*!\s*"))
        self.taken(r"[ \t]*")
        command = self.text[self.at : self.at + 1]
        self.at += 1
        if not command:
            raise UsageError("missing command")
        rule = _Rule(command, start, end, more, inverted)
        if command == "s":
            rule.pattern, rule.text = self.parts(self.text[self.at : self.at + 1], 2)
            rule.flags = self.taken(r"[gpiIeMm0-9]*")
            if self.text[self.at : self.at + 1] == "w":
                raise UsageError("orrery: the flag w of s is not modelled")
        elif command == "y":
            first, second = (one.replace("\\n", "\n").replace("\\t", "\t") for one in self.parts(self.rest()[:1], 2))
            if len(first) != len(second):
                raise UsageError("strings for 'y' command are different lengths")
            rule.table = {ord(a): b for a, b in zip(first, second, strict=True)}
        elif command in "aic":
            rule.text = self.lines()
        elif command in ":btT":
            label = LABEL.match(self.text, self.at)
            rule.text, self.at = (label[1].strip(), label.end()) if label else ("", self.at)
        elif command in "rw":
            rule.text = self.taken(r"[^\n]*").strip()
        elif command in "qQ":
            rule.flags = self.taken(r"[ \t]*\d*").strip()
        elif command not in PLAIN + "{}":
            raise UsageError(f"unsupported command {command}")
        if command not in "{}aicrw" and not re.match(r"[ \t]*(?:[;\n}#]|$)", self.rest()):
            raise UsageError("unknown option to s" if command == "s" else "extra characters after command")
        return rule

    def parts(self, divider: str, count: int) -> list[str]:
        """What stands between dividers, `count` times; the place is behind the last one."""
        self.at += 1
        found, part, bracket = list[str](), "", 0
        while len(found) < count:
            one = self.text[self.at : self.at + 1]
            bracket = self._bracket(bracket, count == 2 and not found)
            if not one or not divider:
                raise UsageError("unterminated `s' command" if count == 2 else "unterminated address regex")
            self.at += 1
            if one == "\\":
                following = self.text[self.at : self.at + 1]
                self.at += 1
                part += following if following == divider and divider not in "&" else one + following
            elif one == divider and bracket < self.at:
                found.append(part)
                part = ""
            else:
                part += one
        return found

    def _bracket(self, end: int, pattern: bool) -> int:
        """Where the [ ] that the place is in ends; within it a divider is a character."""
        if not pattern or self.at <= end or self.text[self.at - 1] != "[":
            return end
        found = re.compile(r"\^?\]?(?:\[:\w+:\]|[^\]\n])*\]").match(self.text, self.at)
        return found.end() if found else end

    def lines(self) -> str:
        """The text of a, i and c: to the end of the line, and further lines after backslashes."""
        self.taken(r"[ \t]*(?:\\[ \t]*\n|\\)?")
        text = self.taken(r"(?:[^\n\\]|\\.)*")
        self.at += 1
        return re.sub(r"\\(.)", r"\1", text, flags=re.DOTALL) + "\n"


class _Run:
    """One script over one text."""

    def __init__(self, call: Call, rules: list[_Rule], silent: bool, extended: bool) -> None:
        self.call, self.rules, self.silent, self.extended = call, rules, silent, extended
        self.patterns: dict[tuple[str, bool], regex.Pattern] = {}
        self.last: regex.Pattern | None = None  # The pattern that was used last, which // means.
        self.hold, self.done, self.code = "", 0, 0
        self.out: list[str] = []
        self.lines: list[str] = []
        self.at = 0

    def edited(self, content: str) -> str:
        self.lines, self.out, self.at = self.call.lines(content), [], 0
        for rule in self.rules:
            rule.until = 0 if rule.start == _Address() and rule.end is not None else None  # 0,/pattern/
        while self.at < len(self.lines) and self._cycle():
            pass
        text = "".join(self.out)
        return text if content.endswith("\n") or not text else text.removesuffix("\n")

    def _cycle(self) -> bool:
        """All rules for the next line. False: `q` came."""
        space = self._next()
        space, end, after = self._rules(space)
        if end not in ("d", "Q") and not self.silent:
            self.out.append(space + "\n")
        self.out += after
        return end not in ("q", "Q")

    def _next(self) -> str:
        self.at += 1
        return self.lines[self.at - 1]

    def _rules(self, space: str) -> tuple[str, str, list[str]]:
        """(pattern space, how it ended: "", d, q, Q, what comes behind the line)"""
        place, replaced, after = 0, False, list[str]()
        while place < len(self.rules):
            rule = self.rules[place]
            place += 1
            self.done += 1
            if self.done > MAX_DONE or len(space) + len(self.hold) > MAX_SPACE:
                raise FileError(f"orrery: more than {MAX_DONE} commands, or {MAX_SPACE} characters in a line")
            if rule.command in ":}" or self._applies(rule, space) == rule.inverted:
                place = rule.target if rule.command == "{" else place
                continue
            command = rule.command
            if command == "s":
                space, found = self._substituted(rule, space)
                replaced = replaced or found
                if found and "p" in rule.flags:
                    self.out.append(space + "\n")
            elif command == "y":
                space = space.translate(rule.table)
            elif command == "p":
                self.out.append(space + "\n")
            elif command == "P":
                self.out.append(space.partition("\n")[0] + "\n")
            elif command == "=":
                self.out.append(f"{self.at}\n")
            elif command == "l":
                self.out.append(_visible(space) + "$\n")
            elif command == "i":
                self.out.append(rule.text)
            elif command == "a":
                after.append(rule.text)
            elif command == "c":
                if rule.until is None or rule.inverted:  # Of a range: once, behind its last line.
                    self.out.append(rule.text)
                return space, "d", after
            elif command == "r":
                after.append(self._file(rule.text))
            elif command == "w":
                self._keep(rule.text, space)
            elif command in "gGhHx":
                space = self._held(command, space)
            elif command == "n":
                if self.at >= len(self.lines):
                    return space, "", after
                if not self.silent:
                    self.out.append(space + "\n")
                self.out += after
                after, space = [], self._next()
            elif command == "N":
                if self.at >= len(self.lines):
                    return space, "", after
                space = f"{space}\n{self._next()}"
            elif command == "d" or (command == "D" and "\n" not in space):
                return space, "d", after
            elif command == "D":
                space, place = space.partition("\n")[2], 0
            elif command in "qQ":
                self.code = number(rule.flags) & 255
                return space, command, after
            elif command == "b" or (command in "tT" and replaced == (command == "t")):
                place = rule.target
                replaced = replaced and command == "b"
        return space, "", after

    def _held(self, command: str, space: str) -> str:
        if command == "x":
            space, self.hold = self.hold, space
        elif command in "hH":
            self.hold = space if command == "h" else f"{self.hold}\n{space}"
        else:
            space = self.hold if command == "g" else f"{space}\n{self.hold}"
        return space

    def _file(self, name: str) -> str:
        try:
            return self.call.files.read(self.call.path(name))
        except FileError:
            return ""

    def _keep(self, name: str, space: str) -> None:
        if name == "/dev/stdout":
            self.out.append(space + "\n")
        else:
            self.call.files.write(self.call.path(name), space + "\n", append=name in self.call.local)
            self.call.local[name] = True

    # --- addresses ------------------------------------------------------------------------------------------

    def _applies(self, rule: _Rule, space: str) -> bool:
        if rule.start is None:
            return True
        if rule.end is None and not rule.more:
            return self._met(rule.start, space)
        if rule.until is None:
            if not self._met(rule.start, space):
                return False
            rule.until = self.at + rule.more
            if rule.end is not None:
                last = rule.end.line if rule.end.pattern is None and not rule.end.last else 0
                rule.until = max(last, self.at) if last else 0
            if rule.until == self.at or (rule.end is not None and rule.end.last and self.at == len(self.lines)):
                rule.until = None
            return True
        if rule.until and self.at > rule.until:
            rule.until = None
            return self._applies(rule, space)
        if self.at == rule.until or (rule.until == 0 and rule.end is not None and self._met(rule.end, space)):
            rule.until = None
        return True

    def _met(self, address: _Address, space: str) -> bool:
        if address.last:
            return self.at == len(self.lines)
        if address.pattern is not None:
            return self._found(self._pattern(address.pattern, address.fold), space) is not None
        if address.step:
            return self.at >= address.line and (self.at - address.line) % address.step == 0
        return self.at == address.line

    def _pattern(self, text: str, fold: bool) -> regex.Pattern:
        if not text:
            if self.last is None:
                raise regex.BadPattern("no previous regexp")
            return self.last
        if (text, fold) not in self.patterns:
            self.patterns[text, fold] = regex.compile(text, self.extended, fold)
        self.last = self.patterns[text, fold]
        return self.last

    def _found(self, pattern: regex.Pattern, text: str, at: int = 0) -> regex.Found | None:
        before = pattern.work
        found = pattern.search(text, at)
        self.call.kernel.look_at((pattern.work - before) // WORK_OF_A_LINE)
        return found

    # --- s ----------------------------------------------------------------------------------------------------

    def _substituted(self, rule: _Rule, line: str) -> tuple[str, bool]:
        """(the line, was anything replaced?)"""
        pattern = self._pattern(rule.pattern, "i" in rule.flags.lower())
        every, wanted = "g" in rule.flags, number(re.sub(r"\D", "", rule.flags), 1) or 1
        parts: list[str] = []
        at = count = 0
        behind = -1  # Where the last match ended: an empty one may not follow it there.
        while at <= len(line) and (match := self._found(pattern, line, at)) is not None:
            parts.append(line[at : match.start])
            if match.end > match.start or match.start != behind:
                count += 1
                whole = line[match.start : match.end]
                replaced = count >= wanted if every else count == wanted
                parts.append(_filled(rule.text, whole, match.groups) if replaced else whole)
            at = behind = match.end
            if match.end == match.start:
                parts.append(line[at : at + 1])
                at += 1
            if not every and count >= wanted:
                break
        return "".join(parts) + line[at:], count >= wanted


def _filled(text: str, whole: str, groups: tuple[str, ...]) -> str:
    """The replacement with what was found in it; \\U \\L \\u \\l \\E change the case of what follows."""
    parts: list[str] = []
    shape = once = ""
    for found in re.finditer(r"\\.|[^\\]", text, re.DOTALL):
        one = found[0]
        if one[0] == "\\" and one[1] in "ULE":
            shape = one[1]
            continue
        if one[0] == "\\" and one[1] in "ul":
            once = one[1]
            continue
        if one == "&":
            one = whole
        elif one[0] == "\\" and one[1].isdigit():
            place = int(one[1])
            one = whole if place == 0 else groups[place - 1] if place <= len(groups) else ""
        elif one[0] == "\\":
            one = {"n": "\n", "t": "\t", "r": "\r"}.get(one[1], one[1])
        one = one.upper() if shape == "U" else one.lower() if shape == "L" else one
        if once and one:
            one, once = (one[0].upper() if once == "u" else one[0].lower()) + one[1:], ""
        parts.append(one)
    return "".join(parts)


def _visible(text: str) -> str:
    named = {"\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r", "\a": "\\a", "\b": "\\b", "\f": "\\f", "\v": "\\v"}
    return "".join(named.get(one) or (one if " " <= one <= "~" else f"\\{ord(one) & 255:03o}") for one in text)


def sed(call: Call) -> int:
    scripts, suffix, call.args = _scripts(call.args)
    longs = ("quiet", "silent", "regexp-extended", "in-place", "version")
    options, words = call.options("nErsiu", "f", longs)
    if "version" in options:
        call.out("This is not GNU sed version 4.0\n")
        return 0
    scripts += [call.files.read(call.path(name)) for name in call.given.get("f", [])]
    script = "\n".join(scripts) if scripts else words.pop(0) if words else None
    if script is None:
        raise UsageError("no script specified")
    rules = _Reader(script).read()
    silent = bool({"n", "quiet", "silent"} & set(options)) or script.startswith("#n\n")
    run = _Run(call, rules, silent, bool({"E", "r", "regexp-extended"} & set(options)))
    try:
        if "i" in options or "in-place" in options:
            return _in_place(call, run, words, suffix or options.get("in-place", ""))
        call.out(run.edited("".join(text for _, text in call.texts(words))))
    except regex.BadPattern as error:
        return call.failed(f"bad regex '{script}': {error}")
    return run.code or call.code


def _in_place(call: Call, run: _Run, names: list[str], suffix: str) -> int:
    for name in names:
        path = call.path(name)
        try:
            before = call.files.read(path)
        except FileError as error:
            call.failed(f"{name}: {error}")
            continue
        if suffix:
            call.files.write(path + suffix, before)
        call.files.write(path, run.edited(before))
    return run.code or call.code


def _scripts(args: list[str]) -> tuple[list[str], str, list[str]]:
    """(the texts behind each `-e`, what `-i` adds to names of copies, the other words)"""
    found, suffix, rest, words = list[str](), "", list[str](), list(args)
    while words:
        word = words.pop(0)
        option = re.fullmatch(r"(-[nErsu]*)(e|i)(.*)", word, re.DOTALL)
        if word == "--expression" or word.startswith("--expression="):
            found.append(word.partition("=")[2] or (words.pop(0) if words else ""))
        elif option is None:
            rest.append(word)
        elif option[2] == "e":
            found.append(option[3] or (words.pop(0) if words else ""))
            rest += [option[1]] if len(option[1]) > 1 else []
        else:
            suffix = option[3]
            rest.append(f"{option[1]}i")
    return found, suffix, rest


SED = {"sed": sed}
