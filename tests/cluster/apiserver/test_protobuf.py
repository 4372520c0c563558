"""Request bodies of Go clients."""

import json
from pathlib import Path

import pytest

from cluster.apiserver import protobuf
from tests import wire

GOLDEN = Path(__file__).parents[2] / "golden"
RECORDED = [c["response"]["body"] for c in json.loads((GOLDEN / "defaulting" / "create.json").read_text())]
# Left out: StatefulSets, whose claim templates get their kind by defaulting.
KNOWN = [o for o in RECORDED if "metadata" in o and o["kind"] != "StatefulSet"]


@pytest.mark.parametrize("obj", KNOWN, ids=lambda obj: f"{obj['apiVersion']} {obj['kind']}")
def test_every_recorded_object_comes_out_of_protobuf_as_it_went_in(obj):
    assert without_zeros(protobuf.decode(wire.encoded(obj))) == without_zeros(obj)


def test_a_zero_that_was_said_is_kept_and_one_that_was_not_is_dropped():
    spec = {"replicas": 0, "minReadySeconds": 0, "paused": False, "revisionHistoryLimit": 0}
    body = wire.encoded({"kind": "Deployment", "apiVersion": "apps/v1", "metadata": {"name": "web"}, "spec": spec})

    assert protobuf.decode(body)["spec"] == {"replicas": 0, "revisionHistoryLimit": 0}


def test_an_empty_creation_time_is_not_a_time():
    body = wire.encoded({"kind": "Secret", "apiVersion": "v1", "metadata": {"name": "s", "creationTimestamp": None}})

    assert protobuf.decode(body)["metadata"] == {"name": "s"}


def test_embedded_structs_are_inlined_as_in_json():
    source = {"name": "v", "configMap": {"name": "settings", "optional": False}}
    probe = {"httpGet": {"port": "http", "path": "/"}, "periodSeconds": 5}
    container = {"name": "c", "image": "i", "livenessProbe": probe}
    pod = {
        "kind": "Pod",
        "apiVersion": "v1",
        "metadata": {"name": "p"},
        "spec": {"volumes": [source], "containers": [container]},
    }

    decoded = protobuf.decode(wire.encoded(pod))["spec"]

    assert decoded["volumes"] == [source]
    assert decoded["containers"][0]["livenessProbe"] == probe


def test_negative_numbers_bytes_and_percentages_survive():
    tolerations = [{"key": "k", "tolerationSeconds": -1}]
    pod = {"kind": "Pod", "apiVersion": "v1", "metadata": {}, "spec": {"tolerations": tolerations}}
    secret = {"kind": "Secret", "apiVersion": "v1", "metadata": {}, "data": {"a": "AP8="}}
    budget = {
        "kind": "PodDisruptionBudget",
        "apiVersion": "policy/v1",
        "metadata": {},
        "spec": {"maxUnavailable": "25%"},
    }

    assert protobuf.decode(wire.encoded(pod))["spec"]["tolerations"] == tolerations
    assert protobuf.decode(wire.encoded(secret))["data"] == {"a": "AP8="}
    assert protobuf.decode(wire.encoded(budget))["spec"] == {"maxUnavailable": "25%"}


@pytest.mark.parametrize("api_version", ["v1", "apps/v1", "meta.k8s.io/v1"])
def test_delete_options_are_known_in_every_group(api_version):
    options = {
        "kind": "DeleteOptions",
        "apiVersion": api_version,
        "gracePeriodSeconds": 0,
        "propagationPolicy": "Background",
    }

    assert protobuf.decode(wire.encoded(options, wire.META + "DeleteOptions")) == options


def test_json_sent_as_protobuf_is_refused_in_the_real_words():
    with pytest.raises(ValueError, match=r"does not appear to be a protobuf message, expected prefix \[107 56 115 0\]"):
        protobuf.decode(b'{"apiVersion":"v1"}')


@pytest.mark.parametrize("broken", [b"\x0a\xff", b"\x0a", b"\xff" * 12, b"\x0b"])
def test_broken_bytes_are_an_error_and_nothing_else(broken):
    with pytest.raises(ValueError, match=r"unexpected EOF|overflow|illegal wireType"):
        protobuf.decode(b"k8s\x00" + broken)


def test_a_kind_we_do_not_know_is_named():
    with pytest.raises(ValueError, match=r'no kind "Wheel" is registered for version "cars/v1"'):
        protobuf.decode(wire.envelope("cars/v1", "Wheel", b""))


def without_zeros(value, name=""):
    """Empty messages and lists, and zeros that Go would leave out, say nothing."""
    if isinstance(value, dict):
        return {
            k: v
            for k, v in ((k, without_zeros(v, k)) for k, v in value.items())
            if v not in ({}, [], "", 0, None) or v is False
        }
    return [without_zeros(v) for v in value] if isinstance(value, list) else value
