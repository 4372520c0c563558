"""Label selectors, in both of their forms: `app=web,tier notin (a,b)` and {matchLabels, matchExpressions}.

Source: k8s.io/apimachinery/pkg/labels/selector.go
"""

import re
from functools import lru_cache
from typing import NamedTuple

from cluster.objects import Manifest, errors

_PUNCTUATION = ("==", "!=", "=", ",", "(", ")", "!", "<", ">")
_TOKEN = re.compile(r"\s*(==|!=|=|,|\(|\)|!|<|>|[^\s=!,()<>]+)")


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
        try:
            number, limit = int(labels.get(self.key, "")), int(self.values[0])
        except ValueError:
            return False
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
    tokens = _TOKEN.findall(text)
    if "".join(tokens) != re.sub(r"\s+", "", text):
        raise _bad(text)
    requirements, at = [], 0
    while at < len(tokens):
        requirement, at = _requirement(tokens, at, text)
        requirements.append(requirement)
        if at < len(tokens):
            if tokens[at] != ",":
                raise errors.BadRequest(
                    f"unable to parse requirement: found '{tokens[at]}', expected: ',' or 'end of string'"
                )
            at += 1
            if at == len(tokens):
                raise errors.BadRequest("unable to parse requirement: found '', expected: identifier after ','")
    return Selector(tuple(sorted(requirements)))


def _requirement(tokens: list[str], at: int, text: str) -> tuple[Requirement, int]:
    if tokens[at] == "!":
        found = tokens[at + 1] if at + 1 < len(tokens) else ""
        if found in ("", *_PUNCTUATION):
            raise errors.BadRequest(f"unable to parse requirement: found '{found}', expected: identifier")
        return Requirement(_key(found), "absent"), at + 2
    key, at = _key(tokens[at]), at + 1
    if at == len(tokens) or tokens[at] == ",":
        return Requirement(key, "exists"), at
    operator, at = tokens[at], at + 1
    if operator in ("=", "==", "!="):
        value = tokens[at] if at < len(tokens) and tokens[at] != "," else ""
        return Requirement(key, "notin" if operator == "!=" else "in", (value,)), at + bool(value)
    if operator in ("<", ">"):
        if at >= len(tokens):
            raise _bad(text)
        return Requirement(key, "lt" if operator == "<" else "gt", (tokens[at],)), at + 1
    if operator in ("in", "notin"):
        if at >= len(tokens) or tokens[at] != "(":
            found = tokens[at] if at < len(tokens) else ""
            raise errors.BadRequest(f"unable to parse requirement: found '{found}' expected: '('")
        end = tokens.index(")", at) if ")" in tokens[at:] else -1
        if end < 0:
            raise errors.BadRequest("unable to parse requirement: found '', expected: ',', ')' or identifier")
        values = tuple(sorted({token for token in tokens[at + 1 : end] if token != ","}))
        return Requirement(key, operator, values or ("",)), end + 1
    raise errors.BadRequest(f"unable to parse requirement: found '{operator}', expected: in, notin, =, ==, !=, gt, lt")


def _key(token: str) -> str:
    if not re.fullmatch(r"([A-Za-z0-9.-]+/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?", token):
        problem = (
            "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an"
            " alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is"
            " '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
        )
        raise errors.BadRequest(f'unable to parse requirement: <nil>: Invalid value: "{token}": {problem}')
    return token


def _bad(text: str) -> errors.BadRequest:
    return errors.BadRequest(f'unable to parse requirement: couldn\'t parse the selector string "{text}"')


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
