"""Label selectors, in both of their forms: `app=web,tier notin (a,b)` and {matchLabels, matchExpressions}.

Source: k8s.io/apimachinery/pkg/labels/selector.go
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from cluster.objects import Manifest, errors
from cluster.objects.names import label_value_problems, qualified_problems

_TOKEN = re.compile(r"\s*(==|!=|=|,|\(|\)|!|<|>|[^\s=!,()<>]+)")
_SYMBOLS = frozenset(("=", "==", "!=", "!", ",", "(", ")", "<", ">"))
_BINARY = {"in": "in", "notin": "notin", "=": "in", "==": "in", "!=": "notin", ">": "gt", "<": "lt"}


class Requirement(NamedTuple):
    """One condition. `operator`: in, notin, exists, absent, gt, lt."""

    key: str
    operator: str
    values: tuple[str, ...] = ()

    def matches(self, labels: dict[str, str]) -> bool:
        present = self.key in labels
        if self.operator == "exists":
            return present
        if self.operator == "absent":
            return not present
        if self.operator == "in":
            return present and labels[self.key] in self.values
        if self.operator == "notin":
            return not present or labels[self.key] not in self.values
        found = labels.get(self.key, "")
        if not _is_integer(found) or not _is_integer(self.values[0]):
            return False
        number, limit = int(found), int(self.values[0])
        return number > limit if self.operator == "gt" else number < limit


class Selector(NamedTuple):
    """All requirements must hold; none at all selects everything."""

    requirements: tuple[Requirement, ...] = ()

    def matches(self, labels: dict[str, str]) -> bool:
        return all(requirement.matches(labels) for requirement in self.requirements)


EVERYTHING = Selector()


@lru_cache(maxsize=1024)
def parse(text: str) -> Selector:
    """The string form. Errors: BadRequest in the real parser's words."""
    try:
        return Selector(tuple(sorted(_Parser(text).requirements())))
    except ValueError as error:
        raise errors.BadRequest(str(error)) from error


class _Parser:
    """Recursive descent over the tokens of a selector; an empty token is the end. Errors: ValueError in Go's words."""

    def __init__(self, text: str) -> None:
        self.tokens, self.at = _TOKEN.findall(text), 0

    def peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def take(self) -> str:
        token = self.peek()
        self.at += 1
        return token

    def requirements(self) -> Iterator[Requirement]:
        """key=value, key in (a,b), key, !key … one by one."""
        while token := self.peek():
            if token in _SYMBOLS and token != "!":
                raise ValueError(f"found '{token}', expected: !, identifier, or 'end of string'")
            try:
                yield self.requirement()
            except ValueError as error:
                raise ValueError(f"unable to parse requirement: {error}") from error
            separator = self.take()
            if separator not in ("", ","):
                raise ValueError(f"found '{separator}', expected: ',' or 'end of string'")
            if separator and (not self.peek() or self.peek() in _SYMBOLS - {"!"}):
                raise ValueError(f"found '{self.peek()}', expected: identifier after ','")

    def requirement(self) -> Requirement:
        absent = self.peek() == "!"
        if absent:
            self.take()
        key = self.identifier()
        if problems := qualified_problems(key):
            raise ValueError(_problem("<nil>", key, "; ".join(problems)))
        if absent or self.peek() in ("", ","):
            return Requirement(key, "absent" if absent else "exists")
        operator = self.take()
        if operator not in _BINARY:
            raise ValueError(f"found '{operator}', expected: in, notin, =, ==, !=, gt, lt")
        values = self.value_list() if operator in ("in", "notin") else (self.exact_value(),)
        wrong = []
        if operator in ("<", ">") and not _is_integer(values[0]):
            wrong.append(_problem("values[0]", values[0], "for 'Gt', 'Lt' operators, the value must be an integer"))
        for number, value in enumerate(values):
            said = label_value_problems(value)
            wrong += [_problem(f"values[{number}][{key}]", value, "; ".join(said))] if said else []
        if wrong:
            raise ValueError(wrong[0] if len(wrong) == 1 else f"[{', '.join(wrong)}]")
        return Requirement(key, _BINARY[operator], values)

    def identifier(self) -> str:
        token = self.take()
        if not token or token in _SYMBOLS:
            raise ValueError(f"found '{token}', expected: identifier")
        return token

    def exact_value(self) -> str:
        return "" if self.peek() in ("", ",") else self.identifier()

    def value_list(self) -> tuple[str, ...]:
        """`(a,b)`, sorted and without doubles; a place without a value is an empty one."""
        token = self.take()
        if token != "(":
            raise ValueError(f"found '{token}' expected: '('")
        if self.peek() not in (",", ")") and (not self.peek() or self.peek() in _SYMBOLS):
            raise ValueError(f"found '{self.peek()}', expected: ',', ')' or identifier")
        values = {self.listed_value()}
        while (token := self.take()) == ",":
            values.add(self.listed_value())
        if token != ")":
            raise ValueError(f"found '{token}', expected: ',' or ')'")
        return tuple(sorted(values))

    def listed_value(self) -> str:
        token = self.peek()
        if token in (",", ")"):
            return ""
        if not token or token in _SYMBOLS:
            raise ValueError(f"found '{token}', expected: ',', or identifier")
        return self.take()


def _problem(where: str, value: str, said: str) -> str:
    return f'{where}: Invalid value: "{value}": {said}'


def _is_integer(text: str) -> bool:
    return re.fullmatch(r"[+-]?[0-9]{1,19}", text) is not None and -1 << 63 <= int(text) < 1 << 63


_OPERATORS = {"In": "in", "NotIn": "notin", "Exists": "exists", "DoesNotExist": "absent", "Gt": "gt", "Lt": "lt"}


def of(selector: Manifest | None) -> Selector | None:
    """A LabelSelector object as a Selector; None selects nothing, {} everything."""
    if selector is None:
        return None
    found = [Requirement(key, "in", (value,)) for key, value in (selector.get("matchLabels") or {}).items()]
    for expression in selector.get("matchExpressions") or ():
        values = tuple(expression.get("values") or ())
        found.append(Requirement(expression["key"], _OPERATORS[expression["operator"]], values))
    return Selector(tuple(found))


def matches(selector: Manifest | None, labels: dict[str, str]) -> bool:
    """Does the LabelSelector object choose something with these labels?"""
    if selector is None:
        return False
    only = selector.get("matchLabels")
    if only and not selector.get("matchExpressions"):
        return all(labels.get(key) == value for key, value in only.items())
    compiled = of(selector)
    return compiled is not None and compiled.matches(labels)


def matches_map(selector: dict[str, str] | None, labels: dict[str, str]) -> bool:
    """A plain map as Services and ReplicationControllers have it; an empty one selects nothing."""
    return bool(selector) and all(labels.get(key) == value for key, value in (selector or {}).items())
