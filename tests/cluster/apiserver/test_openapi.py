"""OpenAPI documents: what kubectl looks for in them, and the types as recorded."""

import gzip
import json
from hashlib import sha256
from pathlib import Path

import orjson
import pytest

from cluster.apiserver import discovery, openapi, registry

RECORDED = Path(__file__).parents[2] / "golden" / "discovery" / "openapi_apps_v1.json.gz"
DIGESTS = json.loads(gzip.decompress((RECORDED.parent / "openapi_digests.json.gz").read_bytes()))
DEPLOYMENT = "io.k8s.api.apps.v1.Deployment"


def document(group, version):
    return orjson.loads(openapi.document(group, version).body())


def test_the_index_names_every_version_with_the_hash_of_its_document():
    index = openapi.index()["paths"]

    documents = {openapi.path_of(*gv) for gv in discovery.api_versions()}
    assert set(index) == documents | {"api", "apis", "version"} | {f"apis/{group}" for group in discovery.group_names()}
    expected = f"/openapi/v3/apis/apps/v1?hash={openapi.document('apps', 'v1').hash}"
    assert index["apis/apps/v1"] == {"serverRelativeURL": expected}


PATCHED = sorted({(r.group, r.version) for r in registry.RESOURCES if "patch" in r.verbs})  # Reviews can't be.


@pytest.mark.parametrize(("group", "version"), PATCHED)
def test_every_kind_that_can_be_patched_says_that_fields_are_validated(group, version):
    items = [item for item in document(group, version)["paths"].values() if "patch" in item]
    patchable = [item["patch"] for item in items if item["patch"]["x-kubernetes-action"] == "patch"]

    assert patchable
    for operation in patchable:
        assert {"fieldValidation", "dryRun"} <= {p["name"] for p in operation["parameters"]}
        assert set(operation["x-kubernetes-group-version-kind"]) == {"group", "version", "kind"}


@pytest.mark.parametrize(("group", "version"), discovery.api_versions())
def test_paths_and_types_have_the_recorded_structure(group, version):
    """The digests are those of a real server's documents without their descriptions."""
    recorded = DIGESTS.get(openapi.path_of(group, version).replace("/", "_"))
    if recorded is None:
        assert "." in group, "a group of our own"
        return
    mine = document(group, version)

    assert {path: digest(item) for path, item in mine["paths"].items()}.items() <= recorded["paths"].items()
    assert {name: digest(each) for name, each in mine["components"]["schemas"].items()}.items() <= (
        recorded["schemas"].items()
    )


def digest(node):
    return sha256(json.dumps(plain(node), sort_keys=True).encode()).hexdigest()[:12]


def plain(node):
    if isinstance(node, dict):
        return {k: plain(v) for k, v in node.items() if not (k == "description" and isinstance(v, str))}
    return [plain(value) for value in node] if isinstance(node, list) else node


def test_the_plain_documents_tell_what_discovery_answers_with():
    made = orjson.loads(openapi.at("apis/apps").body())

    assert list(made["paths"]) == ["/apis/apps/"]
    assert made["paths"]["/apis/apps/"]["get"]["operationId"] == "getAppsAPIGroup"
    assert openapi.references(made) <= set(made["components"]["schemas"])
    version = orjson.loads(openapi.at("version").body())["components"]["schemas"]
    assert set(version["io.k8s.apimachinery.pkg.version.Info"]["properties"]) == set(discovery.VERSION)


def test_types_and_fields_are_described_and_choices_listed():
    schemas = document("apps", "v1")["components"]["schemas"]

    assert schemas[DEPLOYMENT]["description"].startswith("Deployment enables")
    strategy = schemas["io.k8s.api.apps.v1.DeploymentStrategy"]["properties"]["type"]
    assert strategy["description"].endswith('\n\nPossible enum values:\n - `"Recreate"`\n - `"RollingUpdate"`')


@pytest.mark.parametrize(("group", "version"), discovery.api_versions())
def test_no_reference_leads_nowhere(group, version):
    body = document(group, version)

    assert openapi.references(body) <= set(body["components"]["schemas"])


def test_types_and_patch_parameters_are_the_recorded_ones():
    recorded = json.loads(gzip.decompress(RECORDED.read_bytes()))
    mine = document("apps", "v1")
    names = [name for name in mine["components"]["schemas"] if name in recorded["schemas"]]

    assert DEPLOYMENT in names
    assert plain({n: mine["components"]["schemas"][n] for n in names}) == {n: recorded["schemas"][n] for n in names}
    served = {path: plain(item["patch"]["parameters"]) for path, item in mine["paths"].items() if "patch" in item}
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
