"""The store answers exactly, whatever its index says, and keeps no more than it may."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cluster.logstore import logql, store
from cluster.models import Cluster, LogBlock, LogStream
from tests.cluster.logstore.conftest import rows

texts = st.text(alphabet='abc"é \n😀', max_size=12).map(lambda text: text.replace("\n", " "))
A, B = store.labels_of({"app": "a"}), store.labels_of({"app": "b"})


@pytest.fixture
def cluster(db) -> int:
    return Cluster.objects.create(name="lab", seed=1, epoch=0, engine="test").pk


def ask(cluster: int, query: str, limit: int = 100, forward: bool = True, end: int = 1 << 60) -> list[str]:
    return [entry.text for entry in store.search(rows, cluster, logql.parse(query), 0, end, limit, forward)]


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.lists(texts, min_size=1), min_size=1, max_size=4), texts)
def test_what_is_found_is_what_a_plain_reading_finds(cluster, batches, wanted):
    LogBlock.objects.all().delete()
    before, store.BLOCK_BYTES = store.BLOCK_BYTES, 60
    try:
        lines = []
        for batch in batches:
            put = [(len(lines) + place, text) for place, text in enumerate(batch)]
            lines += batch
            store.append(cluster, {A: put}, 10)
    finally:
        store.BLOCK_BYTES = before

    assert ask(cluster, f'{{app="a"}} |= {json.dumps(wanted)}', 1_000) == [t for t in lines if wanted in t]
    assert ask(cluster, '{app="a"}', 3, forward=False) == lines[::-1][:3]
    assert ask(cluster, '{app="a"}', 3) == lines[:3]


def test_newest_lines_of_several_streams_come_in_order_of_time(cluster):
    store.append(cluster, {A: [(1, "one"), (4, "four")], B: [(2, "two"), (3, "three")]}, 5)

    assert ask(cluster, '{app=~"a|b"}', forward=False) == ["four", "three", "two", "one"]
    assert ask(cluster, '{app=~"a|b"}', 2, end=4) == ["one", "two"]


def test_the_oldest_blocks_are_forgotten_beyond_the_limit(cluster, monkeypatch):
    monkeypatch.setattr(store, "BLOCK_BYTES", 100)
    monkeypatch.setattr(store, "MOST_BYTES", 1_000)
    for at in range(100):
        store.append(cluster, {A: [(at, f"number {at} " + "x" * 100)]}, at)

    kept = ask(cluster, '{app="a"} |= "number"')

    assert 5 <= len(kept) <= 10
    assert kept[-1].startswith("number 99")
    assert ask(cluster, '{app="a"} |= "number 1 "') == []


def test_what_is_too_old_is_forgotten_with_its_stream(cluster, monkeypatch):
    monkeypatch.setattr(store, "BLOCK_BYTES", 10)
    store.append(cluster, {A: [(1, "an old line")]}, 1)

    later = store.RETENTION + 10
    store.append(cluster, {B: [(later, "a new line")]}, later)

    assert [stream.labels for stream in LogStream.objects.all()] == [B]


def test_a_query_that_would_read_too_much_is_refused(cluster, monkeypatch):
    monkeypatch.setattr(store, "MOST_READ", 10)
    store.append(cluster, {A: [(1, "a line that is longer")]}, 1)

    with pytest.raises(store.TooMuch, match="too many bytes"):
        ask(cluster, '{app="a"}')


def test_pages_follow_each_other_without_a_gap_and_without_a_line_twice(cluster):
    store.append(cluster, {A: [(at // 3, f"line {at}") for at in range(20)], B: [(2, "other"), (3, "another")]}, 5)
    query = logql.parse('{app=~"a|b"}')
    for forward in (True, False):
        found, last = [], None
        while page := store.search(rows, cluster, query, 0, 1 << 60, 3, forward, last):
            found += [entry.text for entry in page]
            last = page[-1].key
        assert found == ask(cluster, '{app=~"a|b"}', forward=forward)
        assert len(found) == 22


def test_a_word_is_found_in_capitals_or_not_with_the_help_of_the_index(cluster, monkeypatch):
    monkeypatch.setattr(store, "BLOCK_BYTES", 10)
    said = ["Timeout of web", "a TIMEOUT", "nothing", "ti me out", "T\u0131meout", "Task", "ta\u017f\u212a"]
    for at, text in enumerate(said):
        store.append(cluster, {A: [(at, text)]}, at)

    assert ask(cluster, '{app="a"} |~ "(?i)timeout"') == ["Timeout of web", "a TIMEOUT"]
    assert ask(cluster, '{app="a"} |~ "(?i)task"') == ["Task", "ta\u017f\u212a"]
