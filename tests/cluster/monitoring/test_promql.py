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
    with pytest.raises(promql.Execution, match="many-to-many matching not allowed"):
        at_end("sum(requests) + on () requests")


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
