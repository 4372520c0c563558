r"""LogQL: which streams a query selects, and which of their lines.

    {namespace="default", pod=~"web-.*"} |= "timeout" !~ "retry \\d+"
     stream selector: labels, anchored    line filters, left to right, anywhere in the line

A query is parsed once and is then two pure questions: does this stream match, and
does this line match. An index may narrow what is looked at; these two decide.

Source:   https://grafana.com/docs/loki/latest/query/log_queries/
Left out: parsers, label filters, line_format, `or` chains, `ip()`, `|>`, comments, metric queries
          (all of them syntax errors here); Go's escapes that JSON lacks (`\x41`, `\a`).
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from cluster.apiserver import regexes

QUERY_LIMIT = 5120  # Characters of one query.

TOKEN = re.compile(
    r"""\s*(?:(?P<text>"(?:[^"\\\n]|\\.)*"|`[^`]*`)|(?P<name>[A-Za-z_][A-Za-z0-9_]*)"""
    r"""|(?P<sign>=~|!~|!=|\|=|\|~|=|\{|\}|,))"""
)
LOOSE = "(?i)"
SPECIAL = re.compile(r"[\\.+*?()|\[\]{}^$]")  # As Go's regexp.QuoteMeta has them.
UNESCAPED = re.compile(r"\\([\\.+*?()|\[\]{}^$])")
NO_FIRM_MATCHER = (
    "queries require at least one regexp or equality matcher that does not have an "
    'empty-compatible value. For instance, app=~".*" does not meet this requirement, '
    'but app=~".+" will'
)

Test = Callable[[str], bool]


class BadQuery(ValueError):
    """The query is not LogQL that we speak; the text says where and why."""


@dataclass(frozen=True)
class Query:
    matchers: tuple[tuple[str, Test], ...]
    filters: tuple[Test, ...]
    needles: tuple[str, ...] = ()  # Texts that every line has which passes: what an index can look for.
    loose: tuple[str, ...] = ()  # The same, in capitals or not.
    marks: tuple[tuple[str, str], ...] = ()  # Sign and text of the filters that say what a line must have.

    def selects(self, labels: Mapping[str, str]) -> bool:
        """Whether a stream of these labels is asked for. A missing label is an empty one."""
        return all(test(labels.get(name, "")) for name, test in self.matchers)

    def keeps(self, line: str) -> bool:
        """Whether a line passes every line filter."""
        return all(test(line) for test in self.filters)


def parse(text: str) -> Query:
    """Read a query.

    >>> query = parse('{app="web"} |= "GET" !~ "5[0-9]{2}"')
    >>> query.selects({"app": "web"}), query.keeps("GET / 200"), query.keeps("GET / 503")
    (True, True, False)

    Errors: BadQuery for syntax, for a pattern that does not compile, for a query longer than
    QUERY_LIMIT, and for a selector that would match a stream without labels.
    """
    if len(text) > QUERY_LIMIT:
        raise BadQuery(f"the query has {len(text)} characters; at most {QUERY_LIMIT} are read")
    tokens = Tokens(text)
    matchers = selector(tokens)
    signs = []
    while not tokens.at_end():
        sign = tokens.take("sign", "|=", "!=", "|~", "!~")
        signs.append((sign, tokens.string()))
    if all(test("") for _, test in matchers):
        raise BadQuery(NO_FIRM_MATCHER)
    return Query(
        tuple(matchers),
        tuple(line_filter(sign, wanted) for sign, wanted in signs),
        tuple(wanted for sign, wanted in signs if sign == "|="),
        tuple(word for sign, wanted in signs if sign == "|~" and (word := loose_word(wanted))),
        tuple((sign, wanted) for sign, wanted in signs if sign in ("|=", "|~") and wanted),
    )


def selector(tokens: "Tokens") -> list[tuple[str, Test]]:
    """The matchers between braces."""
    tokens.take("sign", "{")
    matchers: list[tuple[str, Test]] = []
    while True:
        name = tokens.take("name")
        sign = tokens.take("sign", "=", "!=", "=~", "!~")
        matchers.append((name, label_test(sign, tokens.string())))
        if tokens.take("sign", ",", "}") == "}":
            return matchers


def label_test(sign: str, wanted: str) -> Test:
    """A test of a label's whole value."""
    if sign in ("=", "!="):
        return lambda value: (value == wanted) == (sign == "=")
    compiled(wanted)  # As it was written, so that a complaint quotes that.
    pattern = compiled(f"(?s:{wanted})")
    return lambda value: (pattern.fullmatch(value) is not None) == (sign == "=~")


def line_filter(sign: str, wanted: str) -> Test:
    """A test of whether the text or pattern occurs anywhere in a line."""
    if sign in ("|=", "!="):
        return lambda line: (wanted in line) == (sign == "|=")
    pattern = compiled(wanted)
    return lambda line: (pattern.search(line) is not None) == (sign == "|~")


def loose_word(pattern: str) -> str:
    """The text that a pattern looks for in capitals or not; the empty string if it is any other pattern.

    >>> loose_word("(?i)time"), loose_word(r"(?i)a\\.b"), loose_word("(?i)a.b"), loose_word("time")
    ('time', 'a.b', '', '')
    """
    text = UNESCAPED.sub(r"\1", pattern.removeprefix(LOOSE))
    return text if text.isascii() and pattern == LOOSE + escaped(text) else ""


def escaped(text: str) -> str:
    """A pattern that finds this very text."""
    return SPECIAL.sub(r"\\\g<0>", text)


def compiled(pattern: str) -> Any:
    """The pattern as RE2 has it, or BadQuery in Go's words. In time, a hostile pattern is as any other."""
    try:
        return regexes.compiled(pattern)
    except regexes.Invalid as error:
        raise BadQuery(str(error)) from None


class Tokens:
    """The words of a query, one after the other."""

    def __init__(self, text: str) -> None:
        self.text = text.rstrip()
        self.position = 0

    def at_end(self) -> bool:
        return self.position >= len(self.text)

    def take(self, kind: str, *accepted: str) -> str:
        """The next token, which must be of this kind and, if any are named, one of `accepted`."""
        found = TOKEN.match(self.text, self.position)
        word = found[kind] if found else None
        if found is None or word is None or (accepted and word not in accepted):
            wanted = " or ".join(accepted) or kind
            raise BadQuery(f"parse error at character {self.position + 1}: expected {wanted}")
        self.position = found.end()
        return word

    def string(self) -> str:
        """The next string: "with escapes" or `as it stands`."""
        quoted = self.take("text")
        try:
            text = quoted[1:-1] if quoted.startswith("`") else str(json.loads(quoted, strict=False))
            text.encode()
        except ValueError as error:
            raise BadQuery(f"invalid escape or character in {quoted!r}") from error
        return text
