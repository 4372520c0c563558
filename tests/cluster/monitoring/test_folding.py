"""Old samples are folded to five minutes: what is asked over them has sensible answers, and most have exact ones."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.models import Cluster, MetricBlock
from cluster.monitoring import blocks, configuration, promql, store
from tests.builders import EPOCH

STEP, MINUTE = 15_000, 60_000
SCRAPES = store.HEAD * 6  # An hour.
HOUR = SCRAPES * STEP


def counter(at: int) -> float:
    """It grows unevenly, and is reset every 37 scrapes."""
    return float(sum(5 + (each * 7) % 11 for each in range(at - at % 37, at + 1)))


def gauge(at: int) -> float:
    return float((at * 29) % 97)


@pytest.fixture
def two_stores(db):
    """The same hour: (as it was scraped, folded)."""
    stores = []
    for name in ("raw", "folded"):
        row = Cluster.objects.create(name=name, seed=7, epoch=EPOCH, engine="test")
        stores.append(store.Store(row.pk))
        for at in range(SCRAPES):
            found = [({"__name__": "requests_total"}, counter(at)), ({"__name__": "load"}, gauge(at))]
            if at < SCRAPES // 2:
                found.append(({"__name__": "gone"}, float(at)))
            stores[-1].append(at * STEP, found)
            stores[-1].tidy(at * STEP)
    for _ in range(SCRAPES // store.HEAD):
        stores[1].tidy(HOUR + store.RAW + STEP)
    return stores


def at(kept: store.Store, query: str, moment: int) -> dict[str, float]:
    value, _ = promql.evaluate(promql.parse(query), kept, moment, moment, 1)
    return {
        labels.get("__name__", ""): float(value.values[row, 0])
        for row, labels in enumerate(value.labels)
        if value.present[row, 0]
    }


def size_of(kept: store.Store) -> int:
    found = MetricBlock.objects.filter(cluster=kept.cluster)
    return sum(len(bytes(body)) for body in found.values_list("body", flat=True))


def test_a_folded_hour_keeps_two_columns_of_five_minutes(two_stores):
    columns = [each.select([], 0, HOUR).times.size for each in two_stores]
    assert columns == [SCRAPES, 24]
    assert MetricBlock.objects.filter(cluster=two_stores[1].cluster, columns=store.ALL_FOLDED).count() == 6


WHOLE = [10 * MINUTE - 1, 25 * MINUTE - 1, 60 * MINUTE - 1]  # Ends of five minutes.


@pytest.mark.parametrize("moment", WHOLE)
@pytest.mark.parametrize(
    "query",
    [
        "avg_over_time(load[5m])", "min_over_time(load[5m])", "max_over_time(load[5m])", "sum_over_time(load[5m])",
        "count_over_time(load[5m])", "increase(requests_total[5m])", "rate(requests_total[5m])",
        "last_over_time(load[5m])", "avg_over_time(load[10m])", "increase(requests_total[10m])",
    ],
)  # fmt: skip
def test_over_whole_five_minutes_nothing_is_lost(two_stores, query, moment):
    raw, folded = (at(each, query, moment) for each in two_stores)
    assert raw == pytest.approx(folded)
    assert raw


@pytest.mark.parametrize("moment", range(6 * MINUTE, 60 * MINUTE, 127_000))
def test_a_rate_has_a_value_everywhere_and_is_near(two_stores, moment):
    raw, folded = (at(each, "rate(requests_total[5m])", moment) for each in two_stores)
    assert folded[""] == pytest.approx(raw[""], rel=0.4)


def test_every_moment_has_a_value_in_a_graph(two_stores):
    value, _ = promql.evaluate(promql.parse("load"), two_stores[1], 0, HOUR - STEP, STEP)
    assert value.present.all()


def test_a_series_that_ended_stays_ended(two_stores):
    assert at(two_stores[1], "gone", 29 * MINUTE)
    assert at(two_stores[1], "gone", 36 * MINUTE) == {}


def test_what_is_asked_over_both_kinds_of_blocks_is_what_it_was(two_stores):
    for number in range(SCRAPES, SCRAPES + store.HEAD):
        for each in two_stores:
            each.append(number * STEP, [({"__name__": "requests_total"}, counter(number))])
    raw, mixed = two_stores
    moment = (SCRAPES + 20) * STEP
    query = "increase(requests_total[1h])"
    assert at(mixed, query, moment)[""] == pytest.approx(at(raw, query, moment)[""], rel=0.02)
    query = "count_over_time(requests_total[30m])"
    assert at(mixed, query, moment)[""] == pytest.approx(at(raw, query, moment)[""], abs=20)


@given(st.integers(1, 50), st.integers(1, 5), st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_a_folded_block_comes_back_bit_by_bit(scrapes, series, dice):
    values = np.array([[dice.uniform(0, 9) for _ in range(scrapes)] for _ in range(series)])
    values[0, :: dice.randint(1, 5)] = blocks.absent(1, 1)[0, 0]
    times = np.arange(scrapes, dtype=np.int64) * STEP
    block = blocks.folded(blocks.Block(np.arange(series, dtype=np.int32), times, values))
    again = blocks.decode(blocks.encode(block))
    for one, other in zip((*block[:3], *block.folds), (*again[:3], *again.folds), strict=True):
        assert np.ascontiguousarray(one).tobytes() == np.ascontiguousarray(other).tobytes()


def test_the_oldest_blocks_go_when_there_are_too_many_bytes(two_stores):
    raw, newest = two_stores[0], (SCRAPES + store.HEAD - 1) * STEP
    size = size_of(raw)
    for number in range(SCRAPES, SCRAPES + store.HEAD):
        raw.append(number * STEP, [({"__name__": "load"}, gauge(number))])
    raw.tidy(newest, size=size // 2)
    left = MetricBlock.objects.filter(cluster=raw.cluster)
    assert size_of(raw) <= size // 2
    assert left.filter(end=newest).exists()
    assert not left.filter(start=0).exists()


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ([], (store.RETENTION, store.MOST_BYTES)),
        (["--storage.tsdb.retention.time=6h"], (6 * 3_600_000, store.MOST_BYTES)),
        (["--storage.tsdb.retention.time=3y"], (store.RETENTION, store.MOST_BYTES)),
        (["--storage.tsdb.retention.size=1MB"], (store.RETENTION, 1 << 20)),
        (["--storage.tsdb.retention.size=9TB"], (store.RETENTION, store.MOST_BYTES)),
        (["--storage.tsdb.retention.time=soon"], (store.RETENTION, store.MOST_BYTES)),
    ],
)
def test_flags_say_what_is_kept_within_the_limits_of_the_store(flags, expected):
    assert configuration.retention(["prometheus", *flags]) == expected
