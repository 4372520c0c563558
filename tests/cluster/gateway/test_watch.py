"""Watches: what comes first, what comes then, and how they end. Frames are those of the recordings."""

import asyncio

import pytest

from cluster.gateway.hub import hub
from cluster.models import Cluster
from tests.cluster.gateway.asgi import Exchange, fetch

MAPS = "/api/v1/namespaces/default/configmaps"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
PARTIAL = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"


def seen(answer):
    """(type, name) of each frame; bookmarks without a name."""
    return [(f["type"], f["object"]["metadata"].get("name")) for f in answer.frames()]


def watched(lab, url, *acts, **headers):
    """The frames of a watch during which `acts` happened, one after the other, each seen before the next."""

    async def run():
        exchange = Exchange(url, **headers)
        await exchange.until(lambda answer: answer.chunks)
        for act, frames in acts:
            await asyncio.to_thread(act)
            hub("lab").wake()
            if frames:
                await exchange.until(lambda answer, n=frames: len(answer.frames()) >= n)
        return await exchange.finished()

    return asyncio.run(run())


def version(lab):
    return lab.world.store.revision


def test_a_watch_from_now_sees_what_happens_in_order(lab):
    lab.config_map("cm-00", {"par": "even"}, {"v": "0"})
    old = lab.get("ConfigMap", "cm-00")

    answer = watched(
        lab,
        f"{MAPS}?watch=1&resourceVersion={version(lab)}&timeoutSeconds=1",
        (lambda: lab.patch(old, {"data": {"v": "1"}}), 1),
        (lambda: lab.config_map("w1"), 2),
        (lambda: lab.delete(lab.get("ConfigMap", "w1")), 3),
        (lambda: lab.patch(old, {"data": {"v": "1"}}), 0),
    )

    assert seen(answer) == [("MODIFIED", "cm-00"), ("ADDED", "w1"), ("DELETED", "w1")]
    revisions = [int(f["object"]["metadata"]["resourceVersion"]) for f in answer.frames()]
    assert revisions == sorted(set(revisions))
    assert "deletionTimestamp" not in answer.frames()[2]["object"]["metadata"]  # It never was marked, only deleted.


def test_headers_leave_before_the_first_event(lab):
    async def run():
        exchange = Exchange(f"{MAPS}?watch=1&resourceVersion={version(lab)}")
        answer = await exchange.until(lambda answer: answer.chunks)
        assert (answer.status, answer.chunks) == (200, [b""])
        exchange.hang_up()
        await exchange.finished()

    asyncio.run(run())


def test_a_watch_from_an_old_revision_replays_the_past(lab):
    start = version(lab)
    lab.config_map("a")
    lab.delete(lab.get("ConfigMap", "a"))

    answer = fetch(f"{MAPS}?watch=1&resourceVersion={start}&timeoutSeconds=1")

    assert seen(answer) == [("ADDED", "a"), ("DELETED", "a")]


@pytest.mark.parametrize("query", ["", "&resourceVersion=0", "&resourceVersion="])
def test_without_a_revision_the_present_comes_first(lab, query):
    lab.config_map("a")

    answer = fetch(f"{MAPS}?watch=1&timeoutSeconds=1{query}")

    assert seen(answer) == [("ADDED", "a"), ("ADDED", "kube-root-ca.crt")]


def test_initial_events_end_with_a_bookmark_that_says_so(lab):
    query = "watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true&timeoutSeconds=1"

    answer = watched(lab, f"{MAPS}?{query}", (lambda: None, 2), (lambda: lab.config_map("later"), 3))

    first, bookmark, later = answer.frames()[:3]
    assert first["type"] == "ADDED"
    assert bookmark["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
    assert bookmark["object"]["kind"] == "ConfigMap"
    assert (later["type"], later["object"]["metadata"]["name"]) == ("ADDED", "later")


def test_a_bookmark_comes_before_the_end(lab):
    query = f"watch=1&resourceVersion={version(lab)}&allowWatchBookmarks=true&timeoutSeconds=3"

    answer = watched(lab, f"{MAPS}?{query}", (lambda: lab.create(a_secret("other")), 0))

    assert seen(answer) == [("BOOKMARK", None)]
    bookmark = answer.frames()[0]["object"]
    assert bookmark == {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"resourceVersion": str(version(lab))}}


def test_a_revision_that_is_forgotten_ends_in_one_error_frame(lab):
    Cluster.objects.filter(pk=lab.world.identity).update(compacted=version(lab))

    answer = fetch(f"{MAPS}?watch=1&resourceVersion=1&timeoutSeconds=5")

    assert answer.status == 200
    (frame,) = answer.frames()
    assert (frame["type"], frame["object"]["code"], frame["object"]["reason"]) == ("ERROR", 410, "Expired")
    assert frame["object"]["message"] == f"too old resource version: 1 ({version(lab)})"


def test_a_cluster_that_starts_afresh_ends_its_watches(lab):
    def start_afresh():
        Cluster.objects.filter(pk=lab.world.identity).update(first_revision=version(lab))

    answer = watched(lab, f"{MAPS}?watch=1&resourceVersion={version(lab)}&timeoutSeconds=5", (start_afresh, 1))

    assert [f["object"].get("code") for f in answer.frames()] == [410]


def test_entering_a_selector_is_added_and_leaving_it_is_deleted(lab):
    lab.config_map("cm-02", {"par": "even"}, {"v": "0"})
    cm = lab.get("ConfigMap", "cm-02")

    answer = watched(
        lab,
        f"{MAPS}?watch=1&resourceVersion={version(lab)}&labelSelector=par%3Dodd&timeoutSeconds=1",
        (lambda: lab.patch(cm, {"metadata": {"labels": {"par": "odd"}}}), 1),
        (lambda: lab.patch(cm, {"data": {"v": "7"}}), 2),
        (lambda: lab.patch(cm, {"metadata": {"labels": {"par": "even"}}}), 3),
        (lambda: lab.patch(cm, {"data": {"v": "8"}}), 0),
    )

    assert seen(answer) == [("ADDED", "cm-02"), ("MODIFIED", "cm-02"), ("DELETED", "cm-02")]
    left = answer.frames()[2]["object"]
    assert (left["metadata"]["labels"], left["data"]) == ({"par": "odd"}, {"v": "7"})


def test_one_name_is_watched_by_field_selector_or_by_path(lab):
    lab.config_map("a")
    lab.config_map("b")

    by_field = fetch(f"{MAPS}?watch=1&fieldSelector=metadata.name%3Da&timeoutSeconds=1")
    by_path = fetch("/api/v1/watch/namespaces/default/configmaps/a?timeoutSeconds=1")

    assert seen(by_field) == seen(by_path) == [("ADDED", "a")]
    assert fetch(f"{MAPS}/a?watch=1").json()["kind"] == "ConfigMap"


def test_a_table_watch_tells_its_columns_once(lab):
    lab.config_map("a")
    answer = watched(
        lab, f"{MAPS}?watch=1&timeoutSeconds=1", (lambda: None, 2), (lambda: lab.config_map("b"), 3), accept=TABLE
    )

    tables = [frame["object"] for frame in answer.frames()]
    assert [table["rows"][0]["cells"][0] for table in tables] == ["a", "kube-root-ca.crt", "b"]
    assert len(tables[0]["columnDefinitions"]) == 3
    assert [table["columnDefinitions"] for table in tables[1:]] == [None, None]


def test_a_metadata_watch_tells_only_metadata(lab):
    lab.config_map("a", data={"k": "v"})

    answer = fetch(f"{MAPS}?watch=1&timeoutSeconds=1", accept=PARTIAL)

    assert {f["object"]["kind"] for f in answer.frames()} == {"PartialObjectMetadata"}
    assert all("data" not in f["object"] for f in answer.frames())


def test_a_client_that_goes_is_noticed(lab):
    async def run():
        exchange = Exchange(f"{MAPS}?watch=1&resourceVersion={version(lab)}")
        await exchange.until(lambda answer: answer.chunks)
        assert hub("lab")._subscriptions
        exchange.hang_up()
        await exchange.finished(seconds=1)
        assert not hub("lab")._subscriptions

    asyncio.run(run())


def test_a_watch_that_is_not_read_is_closed(lab, monkeypatch):
    monkeypatch.setattr("cluster.gateway.hub.QUEUE", 2)

    async def run():
        exchange = Exchange(f"{MAPS}?watch=1&resourceVersion={version(lab)}")
        await exchange.until(lambda answer: answer.chunks)
        (subscription,) = hub("lab")._subscriptions
        subscription.offer([None] * 3, 0)
        return await exchange.finished(seconds=1)

    assert asyncio.run(run()).frames() == []


def test_watches_of_one_kind_share_the_bytes_of_a_frame(lab):
    async def run():
        exchanges = [Exchange(f"{MAPS}?watch=1&resourceVersion={version(lab)}") for _ in range(3)]
        for exchange in exchanges:
            await exchange.until(lambda answer: answer.chunks)
        await asyncio.to_thread(lab.config_map, "a")
        hub("lab").wake()
        for exchange in exchanges:
            await exchange.until(lambda answer: answer.body)
            exchange.hang_up()
            await exchange.finished()
        return {exchange.answer.body for exchange in exchanges}

    assert len(asyncio.run(run())) == 1


def a_secret(name):
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": "default"}}
