"""Text to statements: where one ends, what sqlglot makes of it, and the few that it has no tree for.

`Plain` stands for those: about users, databases and privileges, found by patterns.

Errors are SqlErrors of the server's own words, with the place at which it stumbled.
"""

import logging
import re
from functools import lru_cache
from typing import Any, NamedTuple

import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError, TokenError
from sqlglot.tokens import Token, TokenType

from cluster.runtime.live.servers.sql.errors import MYSQL, SqlError

LONGEST = 64 * 1024
DEEPEST = 60
NEAR = 80
logging.getLogger("sqlglot").setLevel(logging.ERROR)  # It warns of what it takes for a `Command`: we answer for that.

NAME = r"(?:`[^`]+`|\"[^\"]+\"|'[^']+'|[\w$-]+)"
ACCOUNT = rf"{NAME}(?:\s*@\s*{NAME})?"
PATTERNS: dict[str, dict[str, str]] = {
    "mysql": {
        "create user": rf"create\s+user\s+(?P<if>if\s+not\s+exists\s+)?(?P<user>{ACCOUNT})(?:\s+identified\s+(?:with\s+"
        rf"{NAME}\s+)?by\s+(?P<password>'(?:[^'\\]|''|\\.)*'|\"[^\"]*\"))?",
        "alter user": rf"alter\s+user\s+(?P<if>if\s+exists\s+)?(?P<user>{ACCOUNT})\s+identified\s+(?:with\s+{NAME}\s+)?"
        r"by\s+(?P<password>'(?:[^'\\]|''|\\.)*'|\"[^\"]*\")",
        "set password": rf"set\s+password(?:\s+for\s+(?P<user>{ACCOUNT}))?\s*=\s*(?:password\s*\(\s*)?"
        r"(?P<password>'[^']*')\s*\)?",
        "drop user": rf"drop\s+user\s+(?P<if>if\s+exists\s+)?(?P<user>{ACCOUNT})",
        "grant": rf"grant\s+(?P<what>.+?)\s+on\s+(?:table\s+)?(?P<on>\*|{NAME})\s*(?:\.\s*(?:\*|{NAME}))?\s+to\s+"
        rf"(?P<user>{ACCOUNT})(?:\s+with\s+grant\s+option)?",
        "revoke": rf"revoke\s+(?P<what>.+?)\s+on\s+(?P<on>\*|{NAME})\s*(?:\.\s*(?:\*|{NAME}))?\s+from\s+"
        rf"(?P<user>{ACCOUNT})",
        "show grants": rf"show\s+grants(?:\s+for\s+(?P<user>{ACCOUNT}|current_user(?:\(\))?))?",
        "flush": r"flush\s+(?:local\s+|no_write_to_binlog\s+)?(?P<what>privileges|tables|status|logs)",
        "lock": r"(?:lock\s+tables?\s+.+|unlock\s+tables?)",
        "rename": rf"rename\s+table\s+(?P<table>{NAME})\s+to\s+(?P<to>{NAME})",
        "create database": rf"create\s+(?:database|schema)\s+(?P<if>if\s+not\s+exists\s+)?(?P<name>{NAME})"
        r"(?:\s+(?:default\s+)?(?:character\s+set|charset|collate)\s*=?\s*[\w']+)*",
        "drop database": rf"drop\s+(?:database|schema)\s+(?P<if>if\s+exists\s+)?(?P<name>{NAME})",
    },
    "postgres": {
        "create user": rf"create\s+(?P<kind>user|role)\s+(?P<user>{NAME})(?:\s+with)?(?P<options>(?:\s+.*)?)",
        "alter user": rf"alter\s+(?P<kind>user|role)\s+(?P<user>{NAME})(?:\s+with)?(?P<options>\s+.*)",
        "drop user": rf"drop\s+(?:user|role)\s+(?P<if>if\s+exists\s+)?(?P<user>{NAME})",
        "grant": r"(?P<verb>grant|revoke)\s+.+",
        "create database": rf"create\s+database\s+(?P<name>{NAME})(?P<options>(?:\s+.*)?)",
        "drop database": rf"drop\s+database\s+(?P<if>if\s+exists\s+)?(?P<name>{NAME})"
        r"(?:\s+(?:with\s+)?\(\s*force\s*\))?",
        "show": r"show\s+(?P<name>[\w.]+(?:\s+(?:zone|level))?)",
        "alter owner": rf"alter\s+(?:table|database)\s+(?P<name>{NAME})\s+owner\s+to\s+(?P<user>{NAME})",
        "comment": r"comment\s+on\s+.+",
    },
}
COMPILED = {
    dialect: {name: re.compile(rf"\s*{pattern}\s*", re.IGNORECASE | re.DOTALL) for name, pattern in found.items()}
    for dialect, found in PATTERNS.items()
}
FIRST_WORDS = frozenset((
    "select", "insert", "update", "delete", "create", "drop", "alter", "truncate", "show", "describe", "desc",
    "explain", "use", "set", "begin", "start", "commit", "end", "rollback", "with", "values", "table", "replace",
    "abort",
))  # fmt: skip
SIMPLE = (TokenType.NOT, TokenType.DASH, TokenType.PLUS, TokenType.TILDE)


class Plain(NamedTuple):
    """A statement without a tree. `words`: the named parts of its pattern; "" for what is missing."""

    kind: str
    words: dict[str, str]


class Statement(NamedTuple):
    """`start`: where it begins in the whole text; `tree`: sqlglot's, or Plain; `replaces`: it was a REPLACE."""

    text: str
    tree: Any
    items: list[str]
    replaces: bool = False


def split(text: str, backslashes: bool = True) -> list[str]:
    """Statements of a text, without their semicolons; empty ones are left out.

    >>> split("select ';'; -- a;b\\n select 2")
    ["select ';'", '-- a;b\\n select 2']
    """
    done, rest = pieces(text, backslashes)
    return [one.strip() for one in (*done, rest) if not blank(one)]


def blank(text: str) -> bool:
    """Nothing but white space and comments?"""
    return not re.sub(r"--[^\n]*|/\*.*?\*/|#[^\n]*", "", text, flags=re.DOTALL).strip()


def pieces(text: str, backslashes: bool = True) -> tuple[list[str], str]:
    """(what ended with a semicolon, the rest that did not end). `backslashes`: they escape quotes, as in MySQL."""
    done: list[str] = []
    start = at = 0
    while at < len(text):
        sign = text[at]
        if sign == ";":
            done.append(text[start:at])
            start = at = at + 1
            continue
        at = _behind(text, at, sign, backslashes)
    return done, text[start:]


def _behind(text: str, at: int, sign: str, backslashes: bool) -> int:
    """The place behind a quoted piece, a comment, or one character."""
    if sign in "'\"`":
        at += 1
        while at < len(text) and text[at] != sign:
            at += 2 if text[at] == "\\" and backslashes and sign != "`" else 1
        return at + 1
    if text.startswith("--", at) or (sign == "#" and backslashes):
        end = text.find("\n", at)
        return len(text) if end < 0 else end + 1
    if text.startswith("/*", at):
        end = text.find("*/", at)
        return len(text) if end < 0 else end + 2
    if sign == "$" and not backslashes and (match := re.compile(r"\$\w*\$").match(text, at)):
        end = text.find(match[0], match.end())
        return len(text) if end < 0 else end + len(match[0])
    return at + 1


def parse(text: str, dialect: str) -> Statement:
    """Errors: SqlError."""
    if len(text) > LONGEST:
        raise SqlError("too complex", depth=len(text))
    if plain := _plain(text, dialect):
        return Statement(text, plain, [])
    try:
        tokens = sqlglot.Dialect.get_or_raise(dialect).tokenize(text)
    except TokenError:
        raise _wrong(text, len(text)) from None
    if not tokens:
        return Statement(text, None, [])
    _check_depth(tokens)
    first = tokens[0]
    if first.text.lower() not in FIRST_WORDS and first.token_type != TokenType.L_PAREN:
        raise _wrong(text, first.start)
    replaces = first.text.lower() == "replace" and dialect == MYSQL
    given = text[: first.start] + "INSERT " + text[first.end + 1 :] if replaces else text
    try:
        tree = sqlglot.parse_one(given, dialect=dialect)
    except ParseError as error:
        raise _wrong(given, _where(given, error)) from None
    except (TokenError, RecursionError, ValueError, IndexError, AttributeError, KeyError, TypeError):
        raise _wrong(text, first.start) from None  # It stumbles over some nonsense without a word.
    if isinstance(tree, exp.Command):
        raise SqlError("unsupported", what=" ".join(token.text for token in tokens[:4]), at=first.start)
    _check_tree(tree)
    return Statement(text, tree, _items(text, tokens), replaces)


@lru_cache(maxsize=256)
def expression(text: str, dialect: str) -> Any:
    """A piece that was written as SQL once: a default, a check."""
    return sqlglot.parse_one(text, dialect=dialect)


def _plain(text: str, dialect: str) -> Plain | None:
    bare = re.sub(r"\A(?:\s+|--[^\n]*\n|/\*.*?\*/)+", "", text, flags=re.DOTALL)
    for kind, pattern in COMPILED[dialect].items():
        match = pattern.fullmatch(bare)
        if match is not None:
            return Plain(kind, {name: (value or "").strip() for name, value in match.groupdict().items()})
    return None


def _check_depth(tokens: list[Token]) -> None:
    depth = run = 0
    for token in tokens:
        depth += {TokenType.L_PAREN: 1, TokenType.R_PAREN: -1, TokenType.CASE: 1}.get(token.token_type, 0)
        depth -= token.token_type == TokenType.END and depth > 0
        run = run + 1 if token.token_type in SIMPLE else 0
        if depth > DEEPEST or run > DEEPEST:
            raise SqlError("too complex", depth=DEEPEST)


def _check_tree(tree: Any) -> None:
    """Chains of operators make deep trees, too."""
    level, depth = [tree], 0
    while level:
        depth += 1
        if depth > 4 * DEEPEST:
            raise SqlError("too complex", depth=4 * DEEPEST)
        level = [child for node in level for child in node.iter_expressions()]


def _where(text: str, error: ParseError) -> int:
    found = error.errors[0] if error.errors else {}
    if "SENTINEL" in str(found.get("description", "")):
        return len(text)
    lines, line, column = text.split("\n"), int(found.get("line") or 1), int(found.get("col") or 1)
    before = sum(len(one) + 1 for one in lines[: line - 1])
    return max(min(before + column - len(str(found.get("highlight") or "")), len(text)), 0)


def _wrong(text: str, at: int) -> SqlError:
    """A syntax error at a place of the text."""
    rest = text[at:]
    word = re.match(r"\s*(\w+|'[^']*'|\S)", rest)
    at += len(rest) - len(rest.lstrip())
    line = text.count("\n", 0, at) + 1
    if word is None:
        return SqlError("syntax", near="", line=line, token="end of input")
    return SqlError("syntax", at=at, near=text[at:].rstrip()[:NEAR], line=line, token=f'or near "{word[1]}"')


def _items(text: str, tokens: list[Token]) -> list[str]:
    """The texts of a SELECT's list, as they were written: MySQL calls columns by them."""
    if tokens[0].token_type != TokenType.SELECT:
        return []
    stops = (TokenType.FROM, TokenType.WHERE, TokenType.ORDER_BY, TokenType.GROUP_BY, TokenType.LIMIT, TokenType.UNION,
             TokenType.SEMICOLON, TokenType.HAVING, TokenType.EXCEPT, TokenType.INTERSECT)  # fmt: skip
    place = 2 if len(tokens) > 1 and tokens[1].token_type in (TokenType.DISTINCT, TokenType.ALL) else 1
    if place >= len(tokens):
        return []
    found, depth, start, end = list[str](), 0, tokens[place].start, tokens[place].start
    for token in tokens[place:]:
        depth += (token.token_type == TokenType.L_PAREN) - (token.token_type == TokenType.R_PAREN)
        if depth == 0 and token.token_type in stops:
            break
        if depth == 0 and token.token_type == TokenType.COMMA:
            found.append(text[start:end].strip())
            start = token.end + 1
        end = token.end + 1
    return [*found, text[start:end].strip()]


def unquoted(text: str) -> str:
    """
    >>> unquoted("'a''b'"), unquoted("`x`"), unquoted("plain")
    ("a'b", 'x', 'plain')
    """
    if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"`":
        return text[1:-1].replace(text[0] * 2, text[0])
    return text


def account(text: str) -> tuple[str, str]:
    """(user, host) of MySQL's `'ann'@'%'`."""
    match = re.fullmatch(rf"({NAME})(?:\s*@\s*({NAME}))?", text)
    if match is None:
        return text, "%"
    return unquoted(match[1]), unquoted(match[2]) if match[2] else "%"
