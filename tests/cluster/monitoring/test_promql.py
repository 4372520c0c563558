"""PromQL against values worked out by hand."""

import numpy as np
import pytest

from cluster.monitoring import promql
from cluster.monitoring.functions import Samples

MINUTE = 60_000


class Fixed:
    """Series of one sample a minute from t = 0; None: no sample then."""

    def __init__(self, **series: list[float | None]) -> None:
        self._series = [(_labels(name), values) for name, values in series.items()]

    def select(self, matchers, start, end):
        chosen = [
            (labels, values)
            for labels, values in self._series
            if all(each.accepts()(labels.get(each.name, "")) for each in matchers)
        ]
        times = np.arange(6, dtype=np.int64) * MINUTE
        inside = (times >= start) & (times <= end)
        table = np.array([values for _, values in chosen], float).reshape(len(chosen), 6)[:, inside]
        return Samples([labels for labels, _ in chosen], times[inside], np.nan_to_num(table), ~np.isnan(table))


def _labels(name: str) -> dict[str, str]:
    metric, _, label = name.partition("__")
    key, _, value = label.partition("=")
    return {"__name__": metric, key: value}


STORE = Fixed(
    **{
        "requests__job=a": [0, 60, 120, 180, 240, 300],
        "requests__job=b": [100, 160, 10, 70, 130, 190],
        "load__job=a": [1, 2, 3, 4, 5, 6],
        "load__job=b": [10, 20, 30, 40, None, None],
        "limit__job=a": [10, 10, 10, 10, 10, 10],
        "size_bucket__le=1": [1, 1, 1, 1, 1, 2],
        "size_bucket__le=2": [3, 3, 3, 3, 3, 6],
        "size_bucket__le=+Inf": [4, 4, 4, 4, 4, 8],
    }
)


def at_end(query: str) -> dict[tuple, float]:
    value, _ = promql.evaluate(promql.parse(query), STORE, 5 * MINUTE, 5 * MINUTE, MINUTE)
    if isinstance(value, promql.Scalar):
        return {(): float(value.values[0])}
    return {
        tuple(sorted(labels.items())): round(float(value.values[row, 0]), 6)
        for row, labels in enumerate(value.labels)
        if value.present[row, 0]
    }


A, B = (("job", "a"),), (("job", "b"),)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("1 + 2 * 3", {(): 7}),
        ("load", {(("__name__", "load"), ("job", "a")): 6}),
        ("load offset 2m + 0", {A: 4, B: 40}),
        ("load @ 60 + 0", {A: 2, B: 20}),
        ("rate(requests[5m])", {A: 1.0, B: 237.5 / 300}),
        ('increase(requests{job="a"}[2m])', {A: 120}),
        ('irate(requests{job=~"b|c"}[5m])', {B: 1}),
        ("resets(requests[6m])", {A: 0, B: 1}),
        ("avg_over_time(load[3m])", {A: 5, B: 40}),
        ('deriv(load{job="a"}[5m]) * 60', {A: 1}),
        ('predict_linear(load{job="a"}[5m], 60)', {A: 7}),
        ('max_over_time(rate(requests{job="a"}[2m])[2m:1m])', {A: 1}),
        ("sum(requests)", {(): 490}),
        ("count by (job) (requests)", {A: 1, B: 1}),
        ("topk(1, requests) + 0", {A: 300}),
        ("quantile(0.5, requests)", {(): 245}),
        ("load / on (job) limit", {A: 0.6}),
        ("requests * on (job) group_left () limit", {A: 3000}),
        ("requests > 200", {(("__name__", "requests"), ("job", "a")): 300}),
        ("requests > bool 200", {A: 1, B: 0}),
        ("requests and on (job) limit", {(("__name__", "requests"), ("job", "a")): 300}),
        ("requests unless on (job) limit", {(("__name__", "requests"), ("job", "b")): 190}),
        ('absent(nothing{job="z"})', {(("job", "z"),): 1}),
        ("histogram_quantile(0.5, size_bucket)", {(): 1.5}),
        (
            'label_replace(sum by (job) (requests), "x", "$1!", "job", "(a)")',
            {(("job", "a"), ("x", "a!")): 300, B: 190},
        ),
        ("clamp_max(requests, 200)", {A: 200, B: 190}),
        ("time()", {(): 300}),
        ("month(vector(951782400))", {(): 2}),
        ("day_of_month(vector(951782400))", {(): 29}),
        ("days_in_month(vector(951782400))", {(): 29}),
        ("day_of_year(vector(951782400))", {(): 60}),
        ("year(vector(951782400))", {(): 2000}),
        ("day_of_week(vector(951782400))", {(): 2}),
        ("hour(vector(-1))", {(): 23}),
        ("year()", {(): 1970}),
        ("round(acos(vector(0)), 0.001)", {(): 1.571}),
        ("tanh(vector(0)) + asinh(vector(0)) + atan(vector(0))", {(): 0}),
        ("timestamp(load{job='a'})", {A: 300}),
        ("timestamp(load{job='a'} offset 90s)", {A: 180}),
        ("first_over_time(load{job='a'}[3m]) + 0", {A: 4}),
        ("mad_over_time(load{job='a'}[5m])", {A: 1}),
        ("double_exponential_smoothing(load{job='a'}[6m], 0.5, 0.5)", {A: 6}),
        ("limitk(1, limit or load) + 0", {A: 10}),
        ("histogram_count(load)", {}),
        ("sum(sort_by_label(load, 'job'))", {(): 6}),
        ("quantile(-1, requests)", {(): -np.inf}),
        ("quantile(2, requests)", {(): np.inf}),
        ("quantile_over_time(1.5, load{job='a'}[3m])", {A: np.inf}),
        ("clamp(load, 5, 2)", {}),
        ("round(vector(0.3), 0.1) == bool 0.3", {(): 1}),
        ("absent(nothing{job='a', job='c'})", {(): 1}),
        ("absent((nothing{job='a'}))", {A: 1}),
        ("max(load or vector(NaN))", {(): 6}),
        ("topk(1, load or vector(NaN)) + 0", {A: 6}),
        ("label_replace(load, 'to', '$1x', 'job', '(.*)') + 0", {A: 6}),
        ("label_replace(load, 'to', '${1}x$9', 'job', '(.*)') + 0", {(*A, ("to", "ax")): 6}),
        ("label_replace(load, 'to', '$letter', 'job', '(?P<letter>.*)') + 0", {(*A, ("to", "a")): 6}),
        ("histogram_quantile(0.5, label_replace(load, 'le', 'wide', '', ''))", {}),
        ("-(-(load))", {A: 6}),
        ("load < ignoring (job) sum(limit)", {(("__name__", "load"),): 6}),
    ],
)
def test_an_expression_has_the_value_that_a_pencil_finds(query: str, expected: dict) -> None:
    assert at_end(query) == pytest.approx(expected)


def test_a_series_ends_when_a_scrape_no_longer_sees_it() -> None:
    assert B not in at_end("load + 0")


def test_a_query_that_makes_no_sense_is_refused_in_prometheus_words() -> None:
    with pytest.raises(promql.BadData, match='invalid parameter "query": parse error: expected type matrix'):
        promql.parse("rate(requests)")


def test_two_series_for_one_are_refused() -> None:
    with pytest.raises(promql.Execution) as refused:
        at_end("sum(requests) + on () requests")
    assert str(refused.value) == (
        "found duplicate series for the match group {} on the right hand-side of the operation: "
        '[{__name__="requests", job="b"}, {__name__="requests", job="a"}];'
        "many-to-many matching not allowed: matching labels must be unique on one side"
    )
    with pytest.raises(promql.Execution, match="many-to-one matching must be explicit"):
        at_end("requests + on () sum(requests)")


def test_labels_are_sorted_as_people_count() -> None:
    store = Fixed(**{f"load__node=n-{number}": [1.0] * 6 for number in (10, 9, 1)})
    for query, expected in (("sort_by_label", ["n-1", "n-9", "n-10"]), ("sort_by_label_desc", ["n-10", "n-9", "n-1"])):
        value, _ = promql.evaluate(promql.parse(f"{query}(load, 'node')"), store, 5 * MINUTE, 5 * MINUTE, MINUTE)
        assert [labels["node"] for labels in value.labels] == expected


def test_a_factor_out_of_range_is_refused() -> None:
    with pytest.raises(promql.Execution, match="invalid smoothing factor"):
        at_end("double_exponential_smoothing(load[6m], 2, 0.5)")


def test_more_than_eleven_thousand_points_are_refused() -> None:
    with pytest.raises(promql.BadData, match="exceeded maximum resolution of 11,000 points per timeseries"):
        promql.evaluate(promql.parse("load"), STORE, 0, 11_001_000, 1_000)
    promql.evaluate(promql.parse("load"), STORE, 0, 11_000_000, 1_000)


@pytest.mark.parametrize(
    ("value", "written"),
    [(1.0, "1"), (0.00001, "0.00001"), (1e-7, "1e-07"), (12345678901234567890.0, "12345678901234567000"),
     (1e21, "1e+21"), (-0.0, "-0"), (2.5, "2.5"), (float("-inf"), "-Inf")],
)  # fmt: skip
def test_a_number_is_written_as_prometheus_writes_it(value: float, written: str) -> None:
    assert promql.shown(value) == written


def test_two_metrics_that_only_their_names_tell_apart_are_no_vector() -> None:
    for query in ("rate({__name__=~'load|limit',job='a'}[5m])", "-{__name__=~'load|limit',job='a'}"):
        with pytest.raises(promql.Execution, match="vector cannot contain metrics with the same labelset"):
            at_end(query)


def test_the_largest_come_first() -> None:
    value, _ = promql.evaluate(promql.parse("topk(2, requests)"), STORE, 5 * MINUTE, 5 * MINUTE, MINUTE)
    assert [labels["job"] for labels in value.labels] == ["a", "b"]
    value, _ = promql.evaluate(promql.parse("bottomk(2, requests)"), STORE, 5 * MINUTE, 5 * MINUTE, MINUTE)
    assert [labels["job"] for labels in value.labels] == ["b", "a"]


@pytest.mark.parametrize(
    ("monster", "words"),
    [
        ("(" * 100_000, "more than 250 operators and brackets"),
        ("-" * 50_000 + "load", "more than 250 operators and brackets"),
        ("1" + "+1" * 40_000, "more than 250 operators and brackets"),
        ("abs(" * 5_000 + "load" + ")" * 5_000, "more than 250 operators and brackets"),
        ("load" + " and load" * 10_000, "more than 250 operators and brackets"),
        ("load" + "[5m:1m]" * 10_000, "more than 250 operators and brackets"),
        ("x" * 100_001, "at most 100,000 are read"),
        ("{job='a' or job='b'}", 'unexpected identifier "or" in label matching'),
        ("load{job=~'(a{1000}){1000}'}", "illegal regex"),
    ],
)
def test_what_is_too_deep_is_refused_before_it_is_parsed(monster: str, words: str) -> None:
    with pytest.raises(promql.BadData, match='invalid parameter "query": parse error: ') as refused:
        promql.parse(monster)
    assert words in str(refused.value)


def test_what_may_be_as_deep_as_allowed_is_evaluated_once_a_level() -> None:
    assert at_end("-" * 200 + "vector(1)") == {(): 1}
    assert at_end("load and (" * 100 + "load" + ")" * 100)
    assert at_end("load{job=~'((((a))))'}")


def test_a_moment_far_away_finds_nothing() -> None:
    assert at_end("load @ 1e300") == {}


class Crowd:
    """Ten thousand series with a sample every 15 seconds."""

    def select(self, matchers, start, end):
        times = np.arange(0, 240, dtype=np.int64) * 15_000
        times = times[(times >= start) & (times <= end)]
        values = np.broadcast_to(np.arange(10_000.0)[:, None], (10_000, times.size))
        labels = [{"__name__": f"m{at}", "pod": f"p{at}"} for at in range(10_000)]
        return Samples(labels, times, values, np.ones(values.shape, bool))


@pytest.mark.parametrize(
    ("monster", "words"),
    [
        ("{__name__=~'.+'}", "query processing would load too many samples into memory in query execution"),
        ("rate({__name__=~'.+'}[1h])", "query processing would load too many samples into memory in query execution"),
        ("{__name__=~'.+'} + on () {__name__=~'.+'}", "query processing would load too many samples"),
        ("count_values('v', max_over_time({__name__=~'.+'}[5m:1s])[1h:1s])", "parse error|too many|timed out"),
    ],
)
def test_ten_thousand_series_at_steps_of_a_second_end_with_a_limit_that_is_named(monster: str, words: str) -> None:
    with pytest.raises((promql.Execution, promql.BadData), match=words):
        promql.evaluate(promql.parse(monster), Crowd(), 0, 10_000_000, 1_000)


def test_all_with_all_of_ten_thousand_series_is_refused_at_once() -> None:
    with pytest.raises(promql.Execution, match="many-to-many matching not allowed"):
        promql.evaluate(promql.parse("{pod=~'.+'} * on () group_left () {pod=~'.+'}"), Crowd(), 60_000, 60_000, 1)


def test_a_query_that_takes_too_long_says_so() -> None:
    for slow in ("quantile_over_time(0.5, {pod=~'.+'}[1h])", "double_exponential_smoothing({pod=~'.+'}[1h], 0.5, 0.5)"):
        with pytest.raises(promql.TimedOut, match="query timed out in expression evaluation"):
            promql.evaluate(promql.parse(slow), Crowd(), 0, 3_600_000, 60_000, promql.Budget(seconds=0.5))
