r"""LogQL: which streams a query selects, which of their lines, and what becomes of these.

    {namespace="default", pod=~"web-.*"} |= "timeout" !~ "retry \\d+" | json | status >= 500 | line_format "{{.path}}"
     stream selector: labels, anchored    line filters, anywhere        parsers, label filters, formats: pipeline.py

A query is parsed once and is then pure questions: does this stream match, does this line, and as what. An index may
narrow what is looked at; these decide. What is counted and summed is aggregate.py's.

Source:   https://grafana.com/docs/loki/latest/query/log_queries/
Left out: `ip()`, `|>`, unpack, decolorize, flags of logfmt, functions in templates (all of them syntax errors here);
          Go's escapes that JSON lacks (`\x41`, `\a`).
Read next: pipeline.py, aggregate.py.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from cluster.logstore import pipeline
from cluster.logstore.pipeline import Line, Stage, label_test
from cluster.logstore.tokens import QUERY_LIMIT, BadQuery, Tokens, compiled, escaped

__all__ = ["QUERY_LIMIT", "BadQuery", "Line", "Query", "compiled", "escaped", "parse"]

LOOSE = "(?i)"
UNESCAPED = re.compile(r"\\([\\.+*?()|\[\]{}^$])")
NO_FIRM_MATCHER = (
    "queries require at least one regexp or equality matcher that does not have an "
    'empty-compatible value. For instance, app=~".*" does not meet this requirement, '
    'but app=~".+" will'
)
FILTERS = ("|=", "!=", "|~", "!~")

Test = Callable[[str], bool]


@dataclass(frozen=True)
class Query:
    matchers: tuple[tuple[str, Test], ...]
    filters: tuple[Test, ...]  # What the line must pass as it was printed.
    needles: tuple[str, ...] = ()  # Texts that every line has which passes: what an index can look for.
    loose: tuple[str, ...] = ()  # The same, in capitals or not.
    marks: tuple[tuple[str, str], ...] = ()  # Sign and text of the filters that say what a line must have.
    stages: tuple[Stage, ...] = ()  # What comes after the filters.
    unwraps: bool = False  # Does one of them make a number of a label?

    def selects(self, labels: Mapping[str, str]) -> bool:
        """Whether a stream of these labels is asked for. A missing label is an empty one."""
        return all(test(labels.get(name, "")) for name, test in self.matchers)

    def keeps(self, line: str) -> bool:
        """Whether a line passes every line filter before the first other stage."""
        return all(test(line) for test in self.filters)

    def taken(self, text: str, labels: Mapping[str, str]) -> Line | None:
        """What becomes of a line of such a stream; None: it does not pass."""
        if not self.keeps(text):
            return None
        line = Line(text, dict(labels))
        return line if all(stage(line) for stage in self.stages) else None


def parse(text: str) -> Query:
    """Read a query for lines.

    >>> query = parse('{app="web"} |= "GET" !~ "5[0-9]{2}"')
    >>> query.selects({"app": "web"}), query.keeps("GET / 200"), query.keeps("GET / 503")
    (True, True, False)

    Errors: BadQuery for syntax, for a pattern that does not compile, for a query longer than
    QUERY_LIMIT, and for a selector that would match a stream without labels.
    """
    tokens = Tokens(text)
    query = log_query(tokens)
    tokens.take("$end")
    return query


def log_query(tokens: Tokens) -> Query:
    """A selector and its pipeline, up to where something else begins."""
    from_here = selector(tokens)
    if all(test("") for _, test in from_here):
        raise BadQuery(NO_FIRM_MATCHER)
    return extended(Query(tuple(from_here), ()), tokens)


def extended(query: Query, tokens: Tokens) -> Query:
    """With the stages that follow."""
    filters, needles, loose = list(query.filters), list(query.needles), list(query.loose)
    marks, stages, unwraps = list(query.marks), list(query.stages), query.unwraps
    while tokens.next_is(*FILTERS, "|"):
        sign = tokens.take(*FILTERS, "|")
        if sign == "|":
            unwraps = unwraps or tokens.next_is("unwrap")
            stages.append(pipeline.stage(tokens))
            continue
        wanted = [tokens.string()]
        while tokens.next_is("or"):
            tokens.take("or")
            wanted.append(tokens.string())
        marks += [(sign, each) for each in wanted if sign in ("|=", "|~") and each]
        test = any_of([line_filter(sign, each) for each in wanted], sign)
        if stages:
            stages.append(on_text(test))
            continue
        filters.append(test)
        needles += wanted if sign == "|=" and len(wanted) == 1 else []
        loose += [word for each in wanted if sign == "|~" and len(wanted) == 1 and (word := loose_word(each))]
    return Query(query.matchers, tuple(filters), tuple(needles), tuple(loose), tuple(marks), tuple(stages), unwraps)


def on_text(test: Test) -> Stage:
    return lambda line: test(line.text)


def any_of(tests: list[Test], sign: str) -> Test:
    """One of several texts, or none of them if the sign says no."""
    if len(tests) == 1:
        return tests[0]
    one = any if sign in ("|=", "|~") else all
    return lambda line: one(test(line) for test in tests)


def selector(tokens: Tokens) -> list[tuple[str, Test]]:
    """The matchers between braces."""
    tokens.take("{")
    matchers: list[tuple[str, Test]] = []
    while True:
        name = tokens.take("IDENTIFIER")
        sign = tokens.take("=", "!=", "=~", "!~")
        matchers.append((name, label_test(sign, tokens.string())))
        if tokens.take(",", "}") == "}":
            return matchers


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
