"""JSON with Go's error messages: what a client sees when it sends broken JSON is part of the API.

Parsing itself is Python's; only when it fails do we walk the text again, the way Go's scanner does, to say what Go
says. Duplicate keys are reported, since fieldValidation=Strict refuses them.

Mirrors:  encoding/json/scanner.go (messages)
"""

import json
from typing import Any

MAX_DEPTH = 100
_SAFE_DIGITS = 18  # Of an integer that certainly fits into 64 bits.
_SPACE = " \t\r\n"
_LITERALS = {"t": "true", "f": "false", "n": "null"}


class GoSyntaxError(ValueError):
    """Broken JSON, in Go's words."""


class TooDeep(ValueError):
    """Nested deeper than MAX_DEPTH."""


def loads(text: str) -> tuple[Any, list[str]]:
    """(value, paths of duplicate keys). Errors: GoSyntaxError, TooDeep."""
    if depth(text) > MAX_DEPTH:
        raise TooDeep(f"the body is nested more than {MAX_DEPTH} levels deep")
    duplicates: list[str] = []

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in items:
            if key in found:
                duplicates.append(key)
            found[key] = value
        return found

    try:
        value = json.loads(text, object_pairs_hook=pairs, parse_constant=_no_constant, parse_int=_integer)
    except ValueError:
        raise GoSyntaxError(explain(text)) from None
    if "\\u" in text or "\\U" in text:
        value = plain(value, len(text))
    return value, [_path_of(value, key) for key in duplicates]


def _no_constant(name: str) -> Any:
    raise ValueError(name)


def _integer(text: str) -> int | float:
    """What does not fit into 64 bits is a float, as in Go. Errors: ValueError if it does not fit into that."""
    if len(text) < _SAFE_DIGITS:
        return int(text)
    if abs(float(text)) == float("inf"):
        raise ValueError(text)
    number = int(text)
    return number if -(2**63) <= number < 2**63 else float(number)


def plain(value: Any, most: int) -> Any:
    """`value` as JSON can hold it: keys are text, halves of surrogate pairs become U+FFFD, as in Go.

    `most`: how many values there may be, which stops YAML's aliases from multiplying. Errors: TooDeep, ValueError.
    """
    budget = [most]

    def walk(value: Any, level: int) -> Any:
        budget[0] -= 1
        if budget[0] < 0:
            raise ValueError("yaml: document contains excessive aliasing")
        if level > MAX_DEPTH:
            raise TooDeep(f"the body is nested more than {MAX_DEPTH} levels deep")
        if isinstance(value, dict):
            return {_key(key): walk(inner, level + 1) for key, inner in value.items()}
        if isinstance(value, list):
            return [walk(inner, level + 1) for inner in value]
        if isinstance(value, bytes):
            return value.decode(errors="replace")
        if isinstance(value, str):
            return _whole(value)
        if isinstance(value, int) and not -(2**63) <= value < 2**63:
            return float(value)
        if value is None or isinstance(value, (bool, int, float)):
            return value
        raise ValueError(f"yaml: {type(value).__name__} is not a kind of value that JSON has")

    return walk(value, 0)


def _whole(text: str) -> str:
    return text if text.isascii() else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _key(key: Any) -> str:
    if isinstance(key, bool):
        return "true" if key else "false"
    return _whole(key) if isinstance(key, str) else "null" if key is None else str(key)


def depth(text: str) -> int:
    """How deep brackets nest, strings left aside."""
    depth = deepest = 0
    in_string = escaped = False
    for char in text if ("[" * 50 in text or text.count("{") + text.count("[") > MAX_DEPTH) else "":
        if in_string:
            if escaped:
                escaped = False
            elif char == "\\":
                escaped = True
            elif char == '"':
                in_string = False
        elif char == '"':
            in_string = True
        elif char in "{[":
            depth += 1
            deepest = max(deepest, depth)
        elif char in "}]":
            depth -= 1
    return deepest


def _path_of(value: Any, key: str, prefix: str = "") -> str:
    """The first path at which `key` stands: `data.a`."""
    if isinstance(value, dict):
        if key in value:
            return f"{prefix}{key}"
        for name, inner in value.items():
            found = _path_of(inner, key, f"{prefix}{name}.")
            if found:
                return found
    if isinstance(value, list):
        for number, inner in enumerate(value):
            found = _path_of(inner, key, f"{prefix[:-1]}[{number}].")
            if found:
                return found
    return ""


def _quoted(char: str) -> str:
    """A character as Go shows it."""
    if char.isprintable():
        return {"'": "'\\''", '"': "'\"'"}.get(char, f"'{char}'")
    return repr(char) if char < "\x80" else f"'\\u{ord(char):04x}'"


def explain(text: str) -> str:
    """What Go's decoder says of `text`, which Python's refused."""
    scanner = _Scanner(text)
    try:
        scanner.value()
        scanner.skip()
        if scanner.at < len(text):
            scanner.fail("after top-level value")
    except GoSyntaxError as error:
        return str(error)
    return "unexpected end of JSON input"


class _Scanner:
    """Just enough of Go's state machine to find the character it would stumble over, and its words for it."""

    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0

    def skip(self) -> None:
        while self.at < len(self.text) and self.text[self.at] in _SPACE:
            self.at += 1

    def peek(self) -> str:
        if self.at >= len(self.text):
            raise GoSyntaxError("unexpected end of JSON input")
        return self.text[self.at]

    def fail(self, context: str) -> None:
        char = self.peek()
        raise GoSyntaxError(f"invalid character {_quoted(char)} {context}")

    def value(self) -> None:
        self.skip()
        char = self.peek()
        if char == "{":
            self.members()
        elif char == "[":
            self.elements()
        elif char == '"':
            self.string()
        elif char in _LITERALS:
            self.literal(_LITERALS[char])
        elif char == "-" or char.isdigit():
            self.number()
        else:
            self.fail("looking for beginning of value")

    def members(self) -> None:
        self.at += 1
        self.skip()
        if self.peek() == "}":
            self.at += 1
            return
        while True:
            self.skip()
            if self.peek() != '"':
                self.fail("looking for beginning of object key string")
            self.string()
            self.skip()
            if self.peek() != ":":
                self.fail("after object key")
            self.at += 1
            self.value()
            self.skip()
            if self.peek() == "}":
                self.at += 1
                return
            if self.peek() != ",":
                self.fail("after object key:value pair")
            self.at += 1

    def elements(self) -> None:
        self.at += 1
        self.skip()
        if self.peek() == "]":
            self.at += 1
            return
        while True:
            self.value()
            self.skip()
            if self.peek() == "]":
                self.at += 1
                return
            if self.peek() != ",":
                self.fail("after array element")
            self.at += 1

    def string(self) -> None:
        self.at += 1
        while True:
            char = self.peek()
            if char == '"':
                self.at += 1
                return
            if char < " ":
                self.fail("in string literal")
            if char == "\\":
                self.at += 1
                if self.peek() not in 'bfnrt\\/"u':
                    self.fail("in string escape code")
            self.at += 1

    def literal(self, word: str) -> None:
        for expected in word:
            if self.peek() != expected:
                self.fail(f"in literal {word} (expecting '{expected}')")
            self.at += 1

    def number(self) -> None:
        if self.peek() == "-":
            self.at += 1
            if not self.peek().isdigit():
                self.fail("in numeric literal")
        while self.at < len(self.text) and (self.text[self.at].isdigit() or self.text[self.at] in ".eE+-"):
            self.at += 1
