"""What is written is read again, to the bit; old samples go, and series beyond the limit are refused."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from cluster.models import Cluster, MetricBlock
from cluster.monitoring import blocks, store
from cluster.monitoring.promql import Matcher
from tests.builders import EPOCH

bits = arrays.arrays(np.uint64, arrays.array_shapes(min_dims=2, max_dims=2, min_side=0, max_side=12))


@given(bits, st.integers(0, 2**40))
@settings(max_examples=60, deadline=None)
def test_a_block_comes_back_bit_by_bit(values, start):
    series, count = values.shape
    numbers, times = np.arange(series, dtype=np.int32) * 3, start + np.arange(count, dtype=np.int64)
    again = blocks.decode(blocks.encode(blocks.Block(numbers, times, values.view(np.float64))))
    assert (again.values.view(np.uint64) == values).all()
    assert (again.numbers == numbers).all()
    assert (again.times == times).all()


@pytest.mark.parametrize("body", [b"", b"abc", b"\x01\x00\x00\x00\x01\x00\x00\x00zzzz"])
def test_other_bytes_are_no_block(body):
    with pytest.raises(ValueError, match="no block of samples"):
        blocks.decode(body)


@pytest.fixture
def kept(db):
    row = Cluster.objects.create(name="lab", seed=7, epoch=EPOCH, engine="test")
    return store.Store(row.pk)


def scrape(number: int) -> list:
    return [({"__name__": "up", "job": job}, float(number + at)) for at, job in enumerate(("a", "b"))]


def test_compaction_changes_no_sample(kept):
    for number in range(store.HEAD):
        kept.append(number * 15_000, scrape(number))
    before = kept.select([Matcher("__name__", "=", "up")], 0, 10**9)
    kept.tidy(store.HEAD * 15_000)
    after = kept.select([Matcher("__name__", "=", "up")], 0, 10**9)
    assert MetricBlock.objects.count() == 1
    assert before.labels == after.labels == [{"__name__": "up", "job": "a"}, {"__name__": "up", "job": "b"}]
    assert (before.values == after.values).all()
    assert (after.values[1] == np.arange(store.HEAD) + 1).all()
    assert kept.last() == ((store.HEAD - 1) * 15_000, {0: store.HEAD - 1.0, 1: float(store.HEAD)})


def test_another_process_finds_the_series_by_label(kept):
    kept.append(1_000, scrape(1))
    store._indexes.clear()
    other = store.Store(kept.cluster)
    assert other.select([Matcher("job", "!~", "a|c")], 0, 2_000).values.tolist() == [[2.0]]


def test_samples_go_when_their_time_is_over(kept):
    kept.append(1_000, scrape(1))
    kept.tidy(1_001 + store.RETENTION)
    assert kept.last() == (-1, {})


def test_series_beyond_the_limit_are_refused_and_counted(kept, monkeypatch):
    monkeypatch.setattr(store, "MOST_SERIES", 1)
    assert kept.append(1_000, scrape(1)) == 1
    assert len(kept.select([], 0, 2_000).labels) == 1
