"""The words of LogQL: how a query is cut into tokens, and what is said of those that nobody expected.

Mirrors:  grafana/loki pkg/logql/syntax (lex.go; goyacc's messages)
"""

import json
import re
from typing import Any

from cluster.apiserver import regexes

QUERY_LIMIT = 5120  # Characters of one query.
MOST_PARTS = 50  # Operators and opened parentheses of a query: each is a call inside of another one.
EXPECTED = 4  # Alternatives that an error names; of more, none.

TOKEN = re.compile(
    r"""(?:\s|\#[^\n]*)*(?:
    (?P<STRING>"(?:[^"\\\n]|\\.)*"|`[^`]*`)
    |(?P<DURATION>(?:\d+(?:\.\d+)?(?:ns|us|µs|ms|[smhdwy]))+(?![A-Za-z0-9_.]))
    |(?P<BYTES>\d+(?:\.\d+)?(?:[KkMGTPE]i?B|[kmgtpe]i?b|B|b)(?![A-Za-z0-9_.]))
    |(?P<NUMBER>\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)
    |(?P<IDENTIFIER>[A-Za-z_][A-Za-z0-9_]*)
    |(?P<SIGN>\|=|\|~|=~|!=|!~|>=|<=|==|[-|=(){},\[\]><+*/%^])
    )""",
    re.VERBOSE,
)
DEEPER = frozenset(("(", "+", "-", "*", "/", "%", "^", "==", ">", ">=", "<", "<="))
BLANK = re.compile(r"(?:\s|#[^\n]*)*")
SPECIAL = re.compile(r"[\\.+*?()|\[\]{}^$]")  # As Go's regexp.QuoteMeta has them.


class BadQuery(ValueError):
    """The query is not LogQL that we speak; the text says where and why."""


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
        if len(text) > QUERY_LIMIT:
            raise BadQuery(f"the query has {len(text)} characters; at most {QUERY_LIMIT} are read")
        self.text, self.position, self._parts = text, 0, 0
        self._read()

    def _read(self) -> None:
        """Look at the next token: its kind, its word, where it begins and ends."""
        begin = BLANK.match(self.text, self.position)
        self._begin = begin.end() if begin else self.position
        found = TOKEN.match(self.text, self.position)
        if found is not None:
            self.kind, self.word = str(found.lastgroup), found[str(found.lastgroup)]
            self._end = found.end()
        elif self._begin >= len(self.text):
            self.kind, self.word, self._end = "$end", "", self._begin
        else:
            self.kind, self.word, self._end = "character", self.text[self._begin], self._begin + 1

    def next_is(self, *accepted: str) -> bool:
        """Is the next token one of these words or kinds?"""
        return self._is(accepted)

    def _is(self, accepted: tuple[str, ...]) -> bool:
        word = self.word if self.kind in ("SIGN", "IDENTIFIER") else self.kind
        return word in accepted or self.kind in accepted

    def take(self, *accepted: str) -> str:
        """The next token, which must be one of these words or kinds. Errors: BadQuery, in Loki's words."""
        if not self._is(accepted):
            raise self.unexpected(*accepted)
        word, self.position = self.word, self._end
        self._parts += self.word in DEEPER
        if self._parts > MOST_PARTS:
            raise BadQuery(f"parse error : the query has more than {MOST_PARTS} operators and parentheses")
        self._read()
        return word

    def unexpected(self, *expected: str) -> BadQuery:
        line = self.text.count("\n", 0, self._begin) + 1
        column = self._begin - (self.text.rfind("\n", 0, self._begin) + 1) + 1
        shown = self.kind if self.kind in ("$end", "STRING", "NUMBER", "DURATION", "BYTES") else self.word
        shown = "IDENTIFIER" if self.kind == "IDENTIFIER" and "IDENTIFIER" not in expected else shown
        wanted = f", expecting {' or '.join(expected)}" if 0 < len(expected) <= EXPECTED else ""
        return BadQuery(f"parse error at line {line}, col {column}: syntax error: unexpected {shown}{wanted}")

    def string(self) -> str:
        """The next string: "with escapes" or `as it stands`."""
        quoted = self.take("STRING")
        try:
            text = quoted[1:-1] if quoted.startswith("`") else str(json.loads(quoted, strict=False))
            text.encode()
        except ValueError as error:
            raise BadQuery(f"invalid escape or character in {quoted!r}") from error
        return text
