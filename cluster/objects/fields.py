"""Field selectors: `spec.nodeName=worker-1,status.phase!=Running`. In values `\\,`, `\\=` and `\\\\` mean themselves.

Source: k8s.io/apimachinery/pkg/fields/selector.go
"""

import re
from typing import Any, NamedTuple

from cluster.objects import Manifest, errors

_TERM = re.compile(r"(?:[^\\,]|\\.)*\\?", re.DOTALL)  # Up to a comma that is not escaped.
_OPERATOR = re.compile(r"!=|==|=")


class FieldRequirement(NamedTuple):
    path: str
    equal: bool
    value: str


def parse(text: str) -> tuple[FieldRequirement, ...]:
    """Errors: BadRequest in the real parser's words."""
    found = []
    for term in sorted(filter(None, _terms(text))):
        operator = _OPERATOR.search(term)
        if operator is None:
            raise errors.BadRequest(f"invalid selector: '{text}'; can't understand '{term}'")
        value = _unescaped(term[operator.end() :])
        found.append(FieldRequirement(term[: operator.start()], operator.group() != "!=", value))
    return tuple(found)


def _terms(text: str) -> list[str]:
    terms, at = [], 0
    while at <= len(text):
        match = _TERM.match(text, at)
        terms.append(match.group() if match else "")
        at += len(terms[-1]) + 1
    return terms


def _unescaped(text: str) -> str:
    """The value that was meant. Errors: BadRequest."""
    if "\\" not in text and "=" not in text:
        return text
    value, characters = "", iter(text)
    for char in characters:
        if char in ",=":
            raise errors.BadRequest(f"invalid field selector: unescaped character in value: {ord(char)}")
        if char == "\\":
            char = next(characters, "")
            if not char or char not in "\\,=":
                raise errors.BadRequest(f"invalid field selector: invalid escape sequence: \\{char}")
        value += char
    return value


def at(obj: Manifest, path: str) -> str:
    """The field at a dotted path, as text; empty if it is not there."""
    value: Any = obj
    for part in path.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)
