"""Protobuf answers, for clients that take nothing else; read back with our decoder, which others prove."""

import struct

import pytest

from cluster.apiserver import protobuf, protobuf_answers
from tests.cluster.apiserver.test_protobuf import KNOWN, without_zeros
from tests.cluster.apiserver.test_protobuf_kinds import KINDS, a_full, comparable
from tests.cluster.gateway.asgi import fetch

PROTOBUF = "application/vnd.kubernetes.protobuf"
MAPS = "/api/v1/namespaces/default/configmaps"


@pytest.mark.parametrize(("group", "version", "kind"), KINDS, ids=lambda part: part or "core")
def test_an_object_with_every_field_survives(group, version, kind):
    whole = a_full(group, version, kind)

    decoded = protobuf.decode(protobuf_answers.encode(whole))

    assert comparable(without_zeros(decoded)) == comparable(without_zeros(whole))


@pytest.mark.parametrize("obj", KNOWN, ids=lambda obj: f"{obj['apiVersion']} {obj['kind']}")
def test_recorded_objects_survive(obj):
    assert without_zeros(protobuf.decode(protobuf_answers.encode(obj))) == without_zeros(obj)


def test_objects_and_lists_come_as_protobuf_to_who_takes_nothing_else(lab):
    lab.config_map("a", {"x": "y"}, {"k": "v"})

    one = fetch(f"{MAPS}/a", accept=PROTOBUF)
    many = fetch(MAPS, accept=PROTOBUF)

    assert one.headers["content-type"] == many.headers["content-type"] == PROTOBUF
    assert protobuf.decode(one.body) == fetch(f"{MAPS}/a").json()
    assert [each["metadata"]["name"] for each in protobuf.decode(many.body)["items"]] == ["a", "kube-root-ca.crt"]
    assert fetch(f"{MAPS}/a", accept=f"{PROTOBUF},application/json").headers["content-type"] == "application/json"


def test_refusals_and_metadata_come_so_too(lab):
    lab.config_map("a", {"x": "y"}, {"k": "v"})

    missing = fetch(f"{MAPS}/none", accept=PROTOBUF)
    partial = fetch(f"{MAPS}/a", accept=f"{PROTOBUF};as=PartialObjectMetadata;v=v1;g=meta.k8s.io")

    assert (missing.status, protobuf.decode(missing.body)["reason"]) == (404, "NotFound")
    assert partial.body.startswith(b"k8s\x00")
    assert b"PartialObjectMetadata" in partial.body
    assert b"\x01k" not in partial.body
    table = fetch(MAPS, accept=f"{PROTOBUF};as=Table;v=v1;g=meta.k8s.io")
    assert table.status == 406


def test_a_watch_comes_in_frames_that_say_how_long_they_are(lab):
    lab.config_map("a")

    query = "watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true&timeoutSeconds=1"
    answer = fetch(f"{MAPS}?{query}", accept=PROTOBUF)

    assert answer.headers["content-type"] == f"{PROTOBUF};stream=watch"
    kinds, body = [], answer.body
    while body:
        (size,) = struct.unpack(">I", body[:4])
        kinds.append(body[6 : 6 + body[5]].decode())
        body = body[4 + size :]
    assert kinds[:3] == ["ADDED", "ADDED", "BOOKMARK"]


def test_a_watch_that_is_too_old_says_so_in_protobuf(lab):
    answer = fetch(f"{MAPS}?watch=1&resourceVersion=1&timeoutSeconds=1", accept=PROTOBUF)

    assert answer.body[6:11] == b"ERROR"
    assert b"too old resource version" in answer.body
