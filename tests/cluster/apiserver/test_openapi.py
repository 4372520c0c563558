"""OpenAPI documents: what kubectl looks for in them, and the types as recorded."""

import gzip
import json
from pathlib import Path

import orjson
import pytest

from cluster.apiserver import discovery, openapi

RECORDED = Path(__file__).parents[2] / "golden" / "discovery" / "openapi_apps_v1.json.gz"
DEPLOYMENT = "io.k8s.api.apps.v1.Deployment"


def document(group, version):
    return orjson.loads(openapi.document(group, version).body())


def test_the_index_names_every_version_with_the_hash_of_its_document():
    index = openapi.index()["paths"]

    assert set(index) == {openapi.path_of(*gv) for gv in discovery.api_versions()}
    expected = f"/openapi/v3/apis/apps/v1?hash={openapi.document('apps', 'v1').hash}"
    assert index["apis/apps/v1"] == {"serverRelativeURL": expected}


@pytest.mark.parametrize(("group", "version"), discovery.api_versions())
def test_every_kind_that_can_be_patched_says_that_fields_are_validated(group, version):
    patchable = [item["patch"] for item in document(group, version)["paths"].values() if "patch" in item]

    assert patchable
    for operation in patchable:
        assert {"fieldValidation", "dryRun"} <= {p["name"] for p in operation["parameters"]}
        assert set(operation["x-kubernetes-group-version-kind"]) == {"group", "version", "kind"}


@pytest.mark.parametrize(("group", "version"), discovery.api_versions())
def test_no_reference_leads_nowhere(group, version):
    body = document(group, version)

    assert openapi._references(body) <= set(body["components"]["schemas"])


def test_types_and_patch_parameters_are_the_recorded_ones():
    recorded = json.loads(gzip.decompress(RECORDED.read_bytes()))
    mine = document("apps", "v1")
    names = [name for name in mine["components"]["schemas"] if name in recorded["schemas"]]

    assert DEPLOYMENT in names
    assert {n: mine["components"]["schemas"][n] for n in names} == {n: recorded["schemas"][n] for n in names}
    served = {path: item["patch"]["parameters"] for path, item in mine["paths"].items() if "patch" in item}
    assert served == {path: parameters for path, parameters in recorded["patches"].items() if path in served}


def test_version_two_holds_every_type_in_its_own_words():
    body = openapi.document_v2().body()
    two = orjson.loads(body)

    assert two["swagger"] == "2.0"
    assert (
        two["definitions"][DEPLOYMENT]["properties"]["spec"]["$ref"]
        == "#/definitions/io.k8s.api.apps.v1.DeploymentSpec"
    )
    assert b"#/components/" not in body
    assert b'"allOf":[' not in body


def test_what_is_not_served_has_no_document():
    assert openapi.document("apps", "v9") is None
