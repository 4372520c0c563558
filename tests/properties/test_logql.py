"""LogQL answers exactly: what passes is what a plain reading of the query would pass."""

import contextlib
import json
import re

import pytest
import re2
from hypothesis import given
from hypothesis import strategies as st

from cluster.logstore import aggregate, logql

words = st.text(max_size=20)


@given(words, words)
def test_a_substring_filter_keeps_exactly_the_lines_that_hold_it(wanted: str, line: str):
    quoted = json.dumps(wanted)

    assert logql.parse(f'{{app="web"}} |= {quoted}').keeps(line) == (wanted in line)
    assert logql.parse(f'{{app="web"}} != {quoted}').keeps(line) == (wanted not in line)


@given(words, words)
def test_a_pattern_filter_matches_anywhere_in_a_line(wanted: str, line: str):
    quoted = json.dumps(re2.escape(wanted))

    assert logql.parse(f'{{app="web"}} |~ {quoted}').keeps(line) == (wanted in line)
    assert logql.parse(f'{{app="web"}} !~ {quoted}').keeps(line) == (wanted not in line)


@given(words)
def test_any_text_is_a_query_or_a_bad_query(text: str):
    with contextlib.suppress(logql.BadQuery):
        logql.parse(text)
    with contextlib.suppress(logql.BadQuery):
        aggregate.parse(text)


PARTS = st.sampled_from(
    [
        "(",
        ")",
        "sum",
        "by",
        "rate",
        '{a="b"}',
        "[5m]",
        "|",
        "json",
        "x",
        ">",
        "=",
        "1",
        "+",
        "^",
        ",",
        '"s"',
        "vector",
        "-",
    ]
)


@given(st.lists(PARTS, max_size=30).map(" ".join))
def test_any_words_of_the_language_are_a_query_or_a_bad_query(text: str):
    with contextlib.suppress(logql.BadQuery):
        aggregate.parse(text)


@pytest.mark.parametrize("text", ["(" * 5000, "1" + "+1" * 2500, "2" + "^2" * 2500, "sum(" * 1200])
def test_a_query_that_is_too_deep_is_refused(text: str):
    with pytest.raises(logql.BadQuery, match="operators and parentheses"):
        aggregate.parse(text)


def test_a_label_pattern_must_match_the_whole_value():
    query = logql.parse('{pod=~"web-.", node!="worker-2"}')

    assert query.selects({"pod": "web-1", "node": "worker-1"})
    assert query.selects({"pod": "web-1"})
    assert not query.selects({"pod": "web-10", "node": "worker-1"})
    assert not query.selects({"pod": "web-1", "node": "worker-2"})


def test_a_line_must_pass_every_filter():
    query = logql.parse('{app="web"} |= "GET" !~ `5\\d\\d`')

    assert query.keeps("GET / 200")
    assert not query.keeps("GET / 503")
    assert not query.keeps("POST / 200")


@pytest.mark.parametrize("selector", ['{app=~".*"}', '{app=""}', '{app!="web"}'])
def test_a_selector_that_could_match_everything_is_refused(selector: str):
    with pytest.raises(logql.BadQuery, match="at least one regexp or equality matcher"):
        logql.parse(selector)


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ('{app="web"', "parse error at line 1, col 11: syntax error: unexpected $end, expecting , or }"),
        ('{app="web"} "GET"', "col 13: syntax error: unexpected STRING"),
        ('{app="web"} |~ "("', "error parsing regexp"),
        ('{app="web"} |= "\\d"', "invalid escape"),
        ('{app="web"} |= "\\ud800"', "invalid escape"),
        ('{app="web"} | nothing', "syntax error: unexpected $end"),
        ('{app="web"} | status > "a"', "unexpected STRING, expecting NUMBER or DURATION or BYTES"),
        ('{app="web"} | regexp "a"', "at least one named capture must be supplied"),
        ('{app="web"} | line_format "{{upper .a}}"', "invalid line template"),
        ('{app="' + "x" * logql.QUERY_LIMIT + '"}', "at most 5120"),
    ],
)
def test_a_bad_query_says_what_is_wrong(query: str, says: str):
    with pytest.raises(logql.BadQuery, match=re.escape(says)):
        logql.parse(query)
