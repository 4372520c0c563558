"""LogQL that is deep, long or greedy: it ends soon, with the limit's name."""

import numpy as np
import pytest

from cluster.logstore import aggregate, logql, pipeline, store
from cluster.logstore.store import Entry

SECOND = 1_000_000


def taken(query: str, text: str):
    return logql.parse('{app="a"} ' + query).taken(text, {"app": "a"})


@pytest.mark.parametrize("text", ["a" * 2_000_000, 'a="' + "x" * 2_000_000, 'a="' * 500_000, "=" * 2_000_000])
def test_logfmt_takes_time_in_proportion_to_the_line(text):
    assert taken("| logfmt", text).text == text


def test_pairs_are_found_as_before():
    labels = taken("| logfmt", 'a=1 b="two words" c="q\\"q" =x d= e=f=g msg=ok').labels
    assert {name: labels.get(name) for name in ("a", "b", "c", "d", "e", "msg")} == {
        "a": "1", "b": "two words", "c": 'q"q', "d": None, "e": "f=g", "msg": "ok",
    }  # fmt: skip


def test_a_line_that_doubles_and_doubles_stays_as_it_was_and_says_so():
    line = taken('| line_format "{{__line__}}{{__line__}}"' * 45, "x" * 100)
    assert len(line.text) <= pipeline.LONGEST
    assert line.labels["__error__"] == "TemplateFormatErr"
    assert "longer than 262144 characters" in line.labels["__error_details__"]
    line = taken('| label_format app="{{.app}}{{.app}}{{.app}}{{.app}}"' * 45, "x")
    assert len(line.labels["app"]) <= pipeline.LONGEST


def crowd(query, start, end):
    for number in range(10_000):
        yield Entry(number * SECOND, f'{{"id":"{number}"}}', (number, 0), "x")


def test_a_series_for_every_line_at_every_second_is_refused_before_it_is_made():
    steps = np.arange(0, 10_000 * SECOND, SECOND)
    with pytest.raises(aggregate.TooManySeries, match=r"maximum number of series \(500\) reached"):
        aggregate.evaluate(aggregate.parse('sum(rate({app="a"} [1m]))'), aggregate.Moments(steps, crowd))


def test_a_query_that_takes_too_long_says_so():
    moments = aggregate.Moments(np.arange(0, 10_000 * SECOND, SECOND), crowd, until=0.0)
    with pytest.raises(store.TooMuch, match="request timed out, decrease the duration of the request"):
        aggregate.evaluate(aggregate.parse('sum(rate({app="a"} [1m]))'), moments)


def test_an_offset_of_ages_finds_nothing():
    steps = np.array([SECOND])
    for query in ('rate({app="a"} [1m] offset 99999999999y)', 'rate({app="a"} [99999999999y])'):
        assert not aggregate.evaluate(aggregate.parse(query), aggregate.Moments(steps, lambda query, start, end: []))
