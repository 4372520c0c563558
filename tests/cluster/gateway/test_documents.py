"""What every client asks for before it asks for anything else."""

import gzip
import json

from tests.cluster.gateway.asgi import fetch

V2 = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"


def test_the_version_is_told_with_and_without_a_slash_at_the_end(lab):
    assert fetch("/version").json()["gitVersion"] == "v1.37.2"
    assert fetch("/version/").json() == fetch("/version").json()


def test_health_is_ok_without_a_newline(lab):
    for path in ("/healthz", "/livez", "/readyz", "/readyz/ping"):
        answer = fetch(path)
        assert (answer.status, answer.body) == (200, b"ok")
    assert fetch("/readyz?verbose").body.endswith(b"readyz check passed\n")


def test_discovery_comes_in_the_form_that_is_preferred(lab):
    aggregated = fetch("/apis", accept=f"{V2},application/json")

    assert aggregated.headers["content-type"] == V2
    assert aggregated.json()["kind"] == "APIGroupDiscoveryList"
    assert fetch("/apis", accept="application/json").json()["kind"] == "APIGroupList"
    assert fetch("/api/v1/").json()["kind"] == "APIResourceList"


def test_a_client_that_knows_the_document_already_is_told_so(lab):
    etag = fetch("/api", accept=V2).headers["etag"]

    again = fetch("/api", accept=V2, if_none_match=etag)

    assert (again.status, again.body) == (304, b"")


def test_openapi_is_found_through_its_index_and_comes_gzipped(lab):
    url = fetch("/openapi/v3").json()["paths"]["apis/apps/v1"]["serverRelativeURL"]

    packed = fetch(url, accept_encoding="gzip")

    assert packed.headers["content-encoding"] == "gzip"
    assert packed.headers["cache-control"] == "public, immutable"
    assert json.loads(gzip.decompress(packed.body)) == fetch(url).json()
    whole = fetch("/openapi/v2", accept_encoding="gzip")
    assert json.loads(gzip.decompress(whole.body))["swagger"] == "2.0"


def test_kubectl_gets_openapi_v2_in_its_own_form(lab):
    media = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"

    answer = fetch("/openapi/v2", accept=media)

    assert answer.headers["content-type"] == "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
    assert answer.body.startswith(b"\x0a\x032.0")  # Field 1, `swagger`.
    assert b"io.k8s.api.apps.v1.Deployment" in answer.body


def test_paths_nobody_serves_are_not_found_in_the_real_ways(lab):
    for path in ("/nope", "/apis/nope.io", "/apis/nope.io/v1/foos"):
        answer = fetch(path)
        assert (answer.status, answer.body) == (404, b"404 page not found\n")
    for path in ("/apis/apps/v9", "/api/v2", "/api/v1/nopes", "/api/v1/namespaces/default/pods/x/nosub"):
        answer = fetch(path)
        assert (answer.status, answer.json()["message"]) == (404, "the server could not find the requested resource")


def test_an_unknown_cluster_is_named(lab):
    answer = fetch("/version", prefix="/clusters/other")

    assert answer.status == 404
    assert answer.json()["message"] == 'clusters "other" not found'


def test_a_page_of_another_site_is_refused(lab):
    foreign = fetch("/api/v1/namespaces", origin="https://evil.example")

    assert (foreign.status, foreign.json()["reason"]) == (403, "Forbidden")
    assert fetch("/version", origin="http://localhost:8000").status == 200
