"""Discovery: every document is the one that a real server with default flags gives."""

import json
from pathlib import Path

import orjson
import pytest

from cluster.apiserver import discovery

GOLDEN = Path(__file__).parents[2] / "golden" / "discovery"


def recorded(name):
    return json.loads((GOLDEN / f"{name}.json").read_text())


@pytest.mark.parametrize("file", sorted(GOLDEN.glob("resourcelists/*.json")), ids=lambda file: file.stem)
def test_the_resource_list_of_a_version_is_the_recorded_one(file):
    wanted = json.loads(file.read_text())
    group, _, version = wanted["groupVersion"].rpartition("/")

    assert discovery.resource_list(group, version) == wanted


@pytest.mark.parametrize("file", sorted(GOLDEN.glob("groups/*.json")), ids=lambda file: file.stem)
def test_a_group_is_described_as_recorded(file):
    assert discovery.group(file.stem) == json.loads(file.read_text())


def test_the_list_of_groups_is_the_recorded_one():
    assert discovery.group_list() == recorded("apis")
    assert discovery.core_versions() == recorded("api")


@pytest.mark.parametrize("name", ["api", "apis"])
def test_the_aggregated_form_is_the_recorded_one(name):
    made = discovery.aggregated_core() if name == "api" else discovery.aggregated_groups()

    assert orjson.loads(made.body) == recorded(f"aggregated_{name}")


def test_the_version_is_that_of_the_recorded_server():
    assert recorded("version") == discovery.VERSION


V2 = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
V2BETA1 = V2.replace("v=v2;", "v=v2beta1;")


@pytest.mark.parametrize(
    ("accept", "aggregated"),
    [
        (f"{V2},{V2BETA1},application/json", True),
        (V2, True),
        (f"{V2BETA1},application/json", False),
        ("application/json", False),
        ("*/*", False),
        ("", False),
        (f"application/json,{V2}", False),
    ],
)
def test_the_aggregated_form_is_given_to_who_prefers_it(accept, aggregated):
    assert discovery.wants_aggregated(accept) is aggregated


def test_what_is_not_served_is_not_described():
    assert discovery.resource_list("apps", "v9") is None
    assert discovery.group("nope.io") is None
