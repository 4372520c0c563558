"""awk: a program is parsed into tuples once, and run record after record; what it knows is plain data between two.

Values are float (a number), str (a text) and Field (a text that came from outside: it compares as a number if it looks
like one). A variable may also be an array, a dict. Everything is kept in `local` when the input is not there yet, so
that `tail -f log | awk '{print $1}'` goes on when the next line comes.

    trees   ("number", 1.5) ("text", "a") ("match", pattern) ("name", "i") ("at", "a", [keys]) ("field", tree)
            ("set", target, operator, tree) ("step", target, 1, before?) ("if", a, b, c) ("call", name, [trees])
            ("join", a, b) ("in", [keys], "a") ("~", a, b) ("!~", a, b) ("getline", target), and operators
    acts    ("print", [trees], file) ("printf", …) ("do", tree) ("when", tree, act, act) ("while", tree, act)
            ("until", act, tree) ("for", act, tree, act, act) ("each", "k", "a", act) ("delete", "a", [keys])
            ("block", [acts]) ("next",) ("break",) ("continue",) ("exit", tree) ("return", tree)

Mirrors:  busybox/editors/awk.c; POSIX awk
Left out: pipes to and from commands, getline from files, system(), dates but systime().
Limits:   programs of 10,000 characters and 20 nested parentheses or braces, 20 calls of functions within one another,
          100,000 steps a command, 10,000 elements of all arrays, texts of 1 Mi characters.
Read next: awk_reader.py, which parses.
"""

import math
import re
from collections.abc import Mapping
from typing import Any

from cluster.runtime import noise
from cluster.runtime.live.commands import regex
from cluster.runtime.live.commands.awk_reader import BadProgram, Program, Tree, parse
from cluster.runtime.live.commands.call import Call, UsageError
from cluster.runtime.live.commands.text import formatted_once, unescaped
from cluster.runtime.live.files import FileError

MAX_STEPS, MAX_ELEMENTS, MAX_TEXT, MAX_CALLS, MAX_FIELD = 100_000, 10_000, 1 << 20, 20, 10_000
NUMBER = re.compile(r"\s*[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
CONVERSION = re.compile(r"%[-+ 0#]*\d*(?:\.\d*)?([a-zA-Z%])")
SUBSEP = "\x1c"


class Field(str):
    """A text from outside."""

    __slots__ = ()


Value = float | str
Array = dict[str, Value]


class AwkError(Exception):
    """`str()` is printed; exit code 2."""


class _Next(Exception):
    """The rest of the rules is not for this record."""


class _Leave(Exception):
    """exit."""


class _Break(Exception):
    pass


class _Continue(Exception):
    pass


class _Return(Exception):
    def __init__(self, value: Value) -> None:
        self.value = value


def awk(call: Call) -> int:
    """awk [-F separator] [-v name=value]… program [name=value | file]…"""
    try:
        options, source, words = _arguments(call)
        machine = _Machine(call, parse(source))
        machine.begin(options)
        machine.run(words)
    except (AwkError, BadProgram, regex.BadPattern) as error:
        return call.failed(str(error), 2)
    return machine.code


def _arguments(call: Call) -> tuple[list[tuple[str, str]], str, list[str]]:
    """(assignments, the program, further words). Errors: UsageError, AwkError."""
    found: list[tuple[str, str]] = []
    source, words = None, list(call.args)
    while words and words[0][:1] == "-" and len(words[0]) > 1:
        word = words.pop(0)
        if word == "--":
            break
        letter, value = word[1], word[2:]
        if letter not in "Fvf":
            raise UsageError(f"unrecognized option: {letter}")
        if not value:
            if not words:
                raise UsageError(f"option requires an argument -- '{letter}'")
            value = words.pop(0)
        if letter == "F":
            found.append(("FS", "\t" if value == "t" else unescaped(value)[0]))
        elif letter == "v":
            name, equals, text = value.partition("=")
            if not equals or not name.isidentifier():
                raise UsageError(f"`{value}' argument to `-v' should be in `var=value' form")
            found.append((name, unescaped(text)[0]))
        else:
            source = (source or "") + call.files.read(call.path(value))
    if source is None:
        if not words:
            raise UsageError("usage: awk [-F sep] [-v var=val] [-f progfile | 'prog'] [file ...]")
        source = words.pop(0)
    return found, source, words


def whole(number: float, most: int) -> int:
    """From 0 to `most`; what is no number is 0.

    >>> whole(2.7, 9), whole(math.nan, 9), whole(math.inf, 9), whole(-3, 9)
    (2, 0, 9, 0)
    """
    return 0 if math.isnan(number) else int(min(max(number, 0), most))


def number_of(value: Value) -> float:
    """A text counts as the number that it begins with.

    >>> number_of("3 apples"), number_of("x"), number_of(2.5)
    (3.0, 0.0, 2.5)
    """
    if isinstance(value, float):
        return value
    match = NUMBER.match(value[:400])
    return float(match[0]) if match else 0.0


def text_of(value: Value) -> str:
    """
    >>> text_of(3.0), text_of(0.1 + 0.2), text_of(1e30)
    ('3', '0.3', '1000000000000000019884624838656')
    """
    if isinstance(value, str):
        return str(value)
    if math.isfinite(value) and value == int(value):
        return str(int(value))
    return f"{value:.6g}"


def _looks_numeric(value: str) -> bool:
    match = NUMBER.match(value[:400])
    return match is not None and not value[match.end() :].strip()


def _is_true(value: Value) -> bool:
    if isinstance(value, Field) and _looks_numeric(value):
        return number_of(value) != 0
    return bool(value)


def _compared(left: Value, right: Value) -> int:
    numeric = all(isinstance(one, float) or (isinstance(one, Field) and _looks_numeric(one)) for one in (left, right))
    a: Any = number_of(left) if numeric else text_of(left)
    b: Any = number_of(right) if numeric else text_of(right)
    return (a > b) - (a < b)


class _Machine:
    """One run of a program. `known`: variables and arrays; `locals`: of functions that are being called."""

    def __init__(self, call: Call, program: Program) -> None:
        self.call, self.program = call, program
        self.state: dict[str, Any] = call.local.setdefault("awk", {"known": {}, "ranges": {}, "steps": 0, "texts": []})
        self.known: dict[str, Any] = _thawed(self.state["known"])
        self.locals: list[dict[str, Any]] = []
        self.record, self.fields = "", list[str]()
        self.patterns: dict[str, regex.Pattern] = {}
        self.out: list[str] = []
        self.size = 0
        self.ended = False

    # --- from record to record ------------------------------------------------------------------------------

    def begin(self, assignments: list[tuple[str, str]]) -> None:
        """BEGIN, once."""
        if self.state.get("begun"):
            return
        self.state["begun"] = True
        self.known |= {"FS": " ", "OFS": " ", "ORS": "\n", "RS": "\n", "NR": 0.0, "FNR": 0.0, "NF": 0.0}
        self.known |= {"FILENAME": "", "SUBSEP": SUBSEP, "RSTART": 0.0, "RLENGTH": -1.0, "CONVFMT": "%.6g"}
        self.known["ENVIRON"] = {name: Field(value) for name, value in self.call.env.items()}
        for name, value in assignments:
            self.known[name] = Field(value)
        for act in self.program.begin:
            self._guarded(act)
        self._save()

    def run(self, words: list[str]) -> None:
        """All records of the input or the files, then END."""
        if not self.ended and (self.program.rules or self.program.end):
            files = [word for word in words if not re.match(r"[A-Za-z_]\w*=", word)]
            if files:
                self._files(words)
            else:
                for word in words:
                    self._assign(word)
                self._input()
        self.ended = False  # `exit` ends the records; END comes all the same.
        for act in self.program.end:
            self._guarded(act)
        self._flush()

    def _assign(self, word: str) -> None:
        name, _, value = word.partition("=")
        self.known[name] = Field(unescaped(value)[0])

    def _files(self, words: list[str]) -> None:
        for word in words:
            if self.ended:
                return
            if re.match(r"[A-Za-z_]\w*=", word):
                self._assign(word)
                continue
            self.known |= {"FILENAME": word, "FNR": 0.0}
            try:
                content = self.call.read_all() if word == "-" else self.call.files.read(self.call.path(word))
            except FileError as error:
                self.call.failed(f"{word}: {error}", 2)
                continue
            self._records(content)

    def _records(self, content: str) -> None:
        separator = text_of(self.known["RS"])
        if separator == "\n":
            records = self.call.lines(content)
        elif separator == "":
            records = [part for part in re.split(r"\n\n+", content.strip("\n")) if part]
        else:
            records = content.removesuffix("\n").removesuffix(separator).split(separator)
        for record in records:
            self._take(record)
            if self.ended:
                return

    def _input(self) -> None:
        if text_of(self.known["RS"]) != "\n":
            self._records(self.call.read_all())
            return
        while not self.ended:
            self._save()
            self._flush()
            line = self.call.read_line()
            if not line:
                return
            self._take(line.removesuffix("\n"))

    def _take(self, record: str) -> None:
        self.known["NR"] = number_of(self.known["NR"]) + 1
        self.known["FNR"] = number_of(self.known["FNR"]) + 1
        self._set_record(record)
        try:
            for number, (first, last, act) in enumerate(self.program.rules):
                if self._applies(str(number), first, last):
                    self._guarded(act)
                    if self.ended:
                        return
        except _Next:
            return

    def _applies(self, number: str, first: Tree | None, last: Tree | None) -> bool:
        if first is None:
            return True
        ranges = self.state["ranges"]
        if last is None:
            return _is_true(self.value(first))
        if not ranges.get(number):
            if not _is_true(self.value(first)):
                return False
            ranges[number] = True
        if _is_true(self.value(last)):
            ranges[number] = False
        return True

    def _guarded(self, act: Tree) -> None:
        if self.ended:
            return
        try:
            self.act(act)
        except _Leave:
            self.ended = True
        except (_Break, _Continue, _Return):
            return

    def _save(self) -> None:
        self.state["known"] = _frozen(self.known)

    def _flush(self) -> None:
        text, self.out = "".join(self.out), []
        if text:
            self.call.out(text)

    @property
    def code(self) -> int:
        return int(self.state.get("code", 0)) & 255 or self.call.code

    # --- fields ---------------------------------------------------------------------------------------------

    def _set_record(self, text: str) -> None:
        self.record = text
        self.fields = self._split(text, text_of(self.known["FS"]))
        self.known["NF"] = float(len(self.fields))

    def _split(self, text: str, separator: str) -> list[str]:
        if separator == " ":
            return text.split()
        if not text:
            return []
        if separator == "":
            return list(text)
        if len(separator) == 1:
            return text.split(separator)
        pattern, parts, at, start = self._pattern(separator), [], 0, 0
        while (match := pattern.search(text, at)) is not None and match.start < len(text):
            if match.end == match.start:
                at = match.end + 1
                continue
            parts.append(text[start : match.start])
            at = start = match.end
        return [*parts, text[start:]]

    def field(self, place: int) -> Value:
        if place == 0:
            return Field(self.record)
        return Field(self.fields[place - 1]) if 0 < place <= len(self.fields) else ""

    def _set_field(self, place: int, value: str) -> None:
        if place < 0 or place > MAX_FIELD:
            raise AwkError(f"orrery: there are at most {MAX_FIELD} fields, not {place}")
        if place == 0:
            self._set_record(value)
            return
        self.fields += [""] * (place - len(self.fields))
        self.fields[place - 1] = value
        self.known["NF"] = float(len(self.fields))
        self.record = text_of(self.known["OFS"]).join(self.fields)

    # --- acts -----------------------------------------------------------------------------------------------

    def act(self, act: Tree) -> None:
        self._step()
        kind = act[0]
        if kind == "block":
            for one in act[1]:
                self.act(one)
        elif kind == "do":
            self.value(act[1])
        elif kind in ("print", "printf"):
            self._print(act)
        elif kind == "when":
            if _is_true(self.value(act[1])):
                self.act(act[2])
            elif act[3] is not None:
                self.act(act[3])
        elif kind in ("while", "until", "for", "each"):
            self._loop(act)
        elif kind == "delete":
            array = self._array(act[1])
            if act[2] is None:
                array.clear()
            else:
                array.pop(self._key(act[2]), None)
        else:
            self._leave(act)

    def _leave(self, act: Tree) -> None:
        kind = act[0]
        if kind == "exit":
            if act[1] is not None:
                code = number_of(self.value(act[1]))
                self.state["code"] = int(code) if math.isfinite(code) else 0
            raise _Leave
        if kind == "return":
            raise _Return(self.value(act[1]) if act[1] is not None else "")
        raise {"next": _Next, "break": _Break, "continue": _Continue}[kind]

    def _loop(self, act: Tree) -> None:
        try:
            if act[0] == "each":
                for key in list(self._array(act[2])):
                    self._assign_to(("name", act[1]), Field(key))
                    self._turn(act[3])
                return
            if act[0] == "for" and act[1] is not None:
                self.act(act[1])
            test = {"while": act[1], "for": act[2], "until": None}[act[0]] if act[0] != "until" else None
            body = {"while": 2, "until": 1, "for": 4}[act[0]]
            while test is None or _is_true(self.value(test)):
                self._turn(act[body])
                if act[0] == "until" and not _is_true(self.value(act[2])):
                    return
                if act[0] == "for" and act[3] is not None:
                    self.act(act[3])
        except _Break:
            return

    def _turn(self, body: Tree) -> None:
        self._step()
        try:
            self.act(body)
        except _Continue:
            return

    def _print(self, act: Tree) -> None:
        values = [self.value(tree) for tree in act[1]]
        if act[0] == "printf":
            text = self._formatted(values)
        else:
            separator = text_of(self.known["OFS"])
            text = separator.join(text_of(value) for value in values) if values else self.record
            text += text_of(self.known["ORS"])
        self._bounded(text)
        if act[2] is None:
            self.out.append(text)
            return
        name = text_of(self.value(act[2][1]))
        if name in ("/dev/stderr", "/dev/stdout"):
            self._flush()
            (self.call.err if name == "/dev/stderr" else self.call.out)(text)
            return
        written = self.state.setdefault("written", [])
        self.call.files.write(self.call.path(name), text, append=act[2][0] == ">>" or name in written)
        if name not in written:
            written.append(name)

    def _formatted(self, values: list[Value]) -> str:
        if not values:
            raise AwkError("not enough arguments for printf")
        pattern = text_of(values[0])
        kinds = [match[1] for match in CONVERSION.finditer(pattern) if match[1] != "%"]
        shown = [_for_conversion(kind, value) for kind, value in zip(kinds, values[1:], strict=False)]
        return formatted_once(pattern, shown)[0]

    def _step(self) -> None:
        self.state["steps"] += 1
        self.call.kernel.steps += self.state["steps"] % 8 == 0
        if self.state["steps"] > MAX_STEPS:
            raise AwkError(f"orrery: the program took more than {MAX_STEPS} steps and was given up")

    def _bounded(self, text: str) -> str:
        self.size += len(text)
        if len(text) > MAX_TEXT or self.size > 8 * MAX_TEXT:
            raise AwkError(f"orrery: more than {MAX_TEXT} characters were made at once")
        return text

    # --- values ---------------------------------------------------------------------------------------------

    def value(self, tree: Tree) -> Value:
        self._step()
        kind = tree[0]
        if kind in ("number", "text"):
            return tree[1]  # type: ignore[no-any-return]
        if kind == "match":
            return float(self._pattern(tree[1]).search(self.record) is not None)
        if kind in ("name", "at", "field"):
            return self._get(tree)
        if kind == "set":
            return self._set(tree)
        if kind == "step":
            before = number_of(self._get(tree[1]))
            self._assign_to(tree[1], before + tree[2])
            return before + tree[2] if tree[3] else before
        if kind == "if":
            return self.value(tree[2] if _is_true(self.value(tree[1])) else tree[3])
        if kind in ("&&", "||"):
            first = _is_true(self.value(tree[1]))
            return float(_is_true(self.value(tree[2]))) if first == (kind == "&&") else float(first)
        if kind == "in":
            return float(self._key(tree[1]) in self._array(tree[2]))
        if kind in ("~", "!~"):
            found = self._pattern(self._pattern_text(tree[2])).search(text_of(self.value(tree[1]))) is not None
            return float(found == (kind == "~"))
        if kind == "call":
            return self._call(tree[1], tree[2])
        if kind == "getline":
            return self._getline(tree[1])
        return self._operated(tree)

    def _operated(self, tree: Tree) -> Value:
        kind, left = tree[0], self.value(tree[1])
        if kind == "!":
            return float(not _is_true(left))
        if len(tree) == 2:
            return -number_of(left) if kind == "-" else number_of(left)
        right = self.value(tree[2])
        if kind == "join":
            return self._bounded(text_of(left) + text_of(right))
        if kind in ("<", "<=", "==", "!=", ">", ">="):
            order = _compared(left, right)
            return float({"<": order < 0, "<=": order <= 0, "==": order == 0, "!=": order != 0, ">": order > 0,
                          ">=": order >= 0}[kind])  # fmt: skip
        return self._reckoned(kind, number_of(left), number_of(right))

    @staticmethod
    def _reckoned(sign: str, left: float, right: float) -> float:
        if sign in "/%" and right == 0:
            raise AwkError("Division by zero")
        try:
            if sign == "/":
                return left / right
            if sign == "%":
                return math.fmod(left, right)
            if sign == "^":
                result = left**right
                return result if isinstance(result, float) else math.nan
        except (OverflowError, ValueError, ZeroDivisionError):
            return math.inf if sign == "^" else math.nan
        return {"+": left + right, "-": left - right, "*": left * right}[sign]

    def _get(self, target: Tree) -> Value:
        if target[0] == "field":
            return self.field(self._place(target[1]))
        if target[0] == "at":
            return self._array(target[1]).setdefault(self._element(target), "")
        value = self._scope(target[1]).get(target[1], "")
        if isinstance(value, dict):
            raise AwkError(f"can't use array {target[1]} as a scalar")
        return value  # type: ignore[no-any-return]

    def _place(self, tree: Tree) -> int:
        place = number_of(self.value(tree))
        if not 0 <= place <= MAX_FIELD:
            raise AwkError("Access to negative field" if place < 0 else f"orrery: there are at most {MAX_FIELD} fields")
        return int(place)

    def _element(self, target: Tree) -> str:
        """The key of an element that may be new."""
        key, array = self._key(target[2]), self._array(target[1])
        if key not in array and sum(len(one) for one in self.known.values() if isinstance(one, dict)) >= MAX_ELEMENTS:
            raise AwkError(f"orrery: arrays hold at most {MAX_ELEMENTS} elements")
        return key

    def _key(self, trees: list[Tree]) -> str:
        return text_of(self.known["SUBSEP"]).join(text_of(self.value(tree)) for tree in trees)

    def _scope(self, name: str) -> dict[str, Any]:
        return self.locals[-1] if self.locals and name in self.locals[-1] else self.known

    def _array(self, name: str) -> Array:
        scope = self._scope(name)
        if scope.get(name, "") == "":
            scope[name] = {}
        if not isinstance(scope[name], dict):
            raise AwkError(f"can't use scalar {name} as an array")
        return scope[name]  # type: ignore[no-any-return]

    def _set(self, tree: Tree) -> Value:
        value = self.value(tree[3])
        if tree[2]:
            value = self._reckoned(tree[2], number_of(self._get(tree[1])), number_of(value))
        self._assign_to(tree[1], value)
        return value

    def _assign_to(self, target: Tree, value: Value) -> None:
        if target[0] == "field":
            self._set_field(self._place(target[1]), text_of(value))
        elif target[0] == "at":
            self._array(target[1])[self._element(target)] = value
        else:
            self._scope(target[1])[target[1]] = value
            if target[1] == "NF" and not self.locals:
                count = whole(number_of(value), MAX_FIELD)
                self.fields = [*self.fields[:count], *[""] * (count - len(self.fields))]
                self.record = text_of(self.known["OFS"]).join(self.fields)

    def _pattern_text(self, tree: Tree) -> str:
        return tree[1] if tree[0] == "match" else text_of(self.value(tree))

    def _pattern(self, text: str) -> regex.Pattern:
        if text not in self.patterns:
            self.patterns[text] = regex.compile(text, True)
        return self.patterns[text]

    def _getline(self, target: Tree | None) -> float:
        """The next line of the input, if it has come already."""
        line = self.call.read_line()
        if not line:
            return 0.0
        self.known["NR"] = number_of(self.known["NR"]) + 1
        if target is None:
            self._set_record(line.removesuffix("\n"))
        else:
            self._assign_to(target, Field(line.removesuffix("\n")))
        return 1.0

    # --- functions ------------------------------------------------------------------------------------------

    def _call(self, name: str, trees: list[Tree]) -> Value:
        if name in self.program.functions:
            return self._own(name, trees)
        if name in ("sub", "gsub"):
            return self._substituted(name, trees)
        if name == "split":
            return self._split_into(trees)
        if name == "length" and len(trees) == 1 and trees[0][0] == "name":
            held = self._scope(trees[0][1]).get(trees[0][1], "")
            if isinstance(held, dict):
                return float(len(held))
        if name == "match":
            return self._matched(text_of(self.value(trees[0])), self._pattern_text(trees[1]))
        values = [self.value(tree) for tree in trees]
        if name in ("length", "tolower", "toupper", "substr", "index", "sprintf"):
            return self._text_function(name, values)
        return self._number_function(name, [number_of(value) for value in values])

    def _text_function(self, name: str, values: list[Value]) -> Value:
        if name == "sprintf":
            return self._bounded(self._formatted(values))
        text = text_of(values[0]) if values else self.record
        if name == "length":
            return float(len(text))
        if name in ("tolower", "toupper"):
            return text.lower() if name == "tolower" else text.upper()
        if name == "index":
            return float(text.find(text_of(values[1])) + 1)
        first = _rounded(number_of(values[1]))
        last = first + _rounded(number_of(values[2])) if len(values) > 2 else len(text) + 1
        return text[max(first - 1, 0) : max(last - 1, 0)]

    def _number_function(self, name: str, values: list[float]) -> float:
        first = values[0] if values else 0.0
        if name in ("rand", "srand"):
            drawn = self.state["drawn"] = self.state.get("drawn", 0) + 1
            seed = self.call.kernel.container.process.seed
            return noise.mix(seed, drawn) % 1_000_000 / 1_000_000 if name == "rand" else 0.0
        if name == "systime":
            return float(int(self.call.date.timestamp()))
        if name == "system":
            raise AwkError("orrery: system() is not modelled")
        try:
            return {
                "int": lambda: float(math.trunc(first)), "sqrt": lambda: math.sqrt(first),
                "exp": lambda: math.exp(first), "log": lambda: math.log(first), "sin": lambda: math.sin(first),
                "cos": lambda: math.cos(first), "atan2": lambda: math.atan2(first, values[1]),
                "fflush": lambda: 0.0, "close": lambda: 0.0,
            }[name]()  # fmt: skip
        except KeyError:
            raise AwkError(f"Call to undefined function: {name}()") from None
        except (ValueError, OverflowError):
            return -math.inf if name == "log" and first == 0 else math.inf if name == "exp" else math.nan

    def _own(self, name: str, trees: list[Tree]) -> Value:
        parameters, body = self.program.functions[name]
        if len(self.locals) >= MAX_CALLS:
            raise AwkError(f"orrery: functions call one another more than {MAX_CALLS} levels deep")
        if len(trees) > len(parameters):
            raise AwkError(f"function {name} called with more arguments than it declares")
        given: dict[str, Any] = {}
        for parameter, tree in zip(parameters, trees, strict=False):
            array = tree[0] == "name" and isinstance(self._scope(tree[1]).get(tree[1]), dict)
            given[parameter] = self._scope(tree[1])[tree[1]] if array else self.value(tree)
        self.locals.append({parameter: given.get(parameter, "") for parameter in parameters})
        try:
            self.act(body)
        except _Return as end:
            return end.value
        finally:
            self.locals.pop()
        return ""

    def _substituted(self, name: str, trees: list[Tree]) -> float:
        target = trees[2] if len(trees) > 2 else ("field", ("number", 0.0))
        pattern, text = self._pattern(self._pattern_text(trees[0])), text_of(self.value(target))
        replacement, parts, at, count = text_of(self.value(trees[1])), list[str](), 0, 0
        while at <= len(text) and (match := pattern.search(text, at)) is not None:
            self._step()
            count += 1
            whole = text[match.start : match.end]
            parts += [text[at : match.start], _filled(replacement, whole)]
            at = match.end
            if match.end == match.start:
                parts.append(text[at : at + 1])
                at += 1
            if name == "sub":
                break
        if count and target[0] in ("name", "at", "field"):
            self._assign_to(target, self._bounded("".join(parts) + text[at:]))
        return float(count)

    def _split_into(self, trees: list[Tree]) -> float:
        if len(trees) < 2 or trees[1][0] != "name":
            raise AwkError("split: second argument is not an array")
        text = text_of(self.value(trees[0]))
        separator = self._pattern_text(trees[2]) if len(trees) > 2 else text_of(self.known["FS"])
        parts = self._split(text, separator)
        if len(parts) > MAX_ELEMENTS:
            raise AwkError(f"orrery: arrays hold at most {MAX_ELEMENTS} elements")
        array = self._array(trees[1][1])
        array.clear()
        array.update({str(place): Field(part) for place, part in enumerate(parts, 1)})
        return float(len(parts))

    def _matched(self, text: str, pattern: str) -> float:
        found = self._pattern(pattern).search(text)
        start, length = (found.start + 1, found.end - found.start) if found else (0, -1)
        self.known |= {"RSTART": float(start), "RLENGTH": float(length)}
        return float(start)


def _for_conversion(kind: str, value: Value) -> str:
    """What `%d` and its kin are given: a whole number, a number, or a text."""
    if kind in "diouxX":
        figure = number_of(value)
        return str(int(figure)) if math.isfinite(figure) and abs(figure) < 1e18 else "0"
    if kind in "eEfgG":
        return repr(number_of(value))
    return chr(int(value)) if kind == "c" and isinstance(value, float) and 0 < value < 256 else text_of(value)


def _rounded(value: float) -> int:
    return int(max(min(value + 0.5, 1e9), -1e9) // 1)


def _filled(replacement: str, whole: str) -> str:
    """`&` is what was found, `\\&` an &."""
    return re.sub(r"\\&|\\\\|&", lambda match: {"&": whole, "\\&": "&"}.get(match[0], "\\"), replacement)


def _frozen(known: Mapping[str, Any]) -> dict[str, Any]:
    """Variables as plain data: a Field is [text]."""
    return {
        name: {"of": _frozen(value)} if isinstance(value, dict) else [str(value)] if isinstance(value, Field) else value
        for name, value in known.items()
    }


def _thawed(known: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: _thawed(value["of"]) if isinstance(value, dict) else Field(value[0]) if isinstance(value, list) else value
        for name, value in known.items()
    }
