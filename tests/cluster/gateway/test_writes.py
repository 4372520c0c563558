"""What is handed over to the world, and what never gets that far."""

import json

from cluster.gateway import writes
from cluster.gateway.http import Request
from tests.cluster.gateway.asgi import fetch

MAPS = "/api/v1/namespaces/default/configmaps"


def request(**headers):
    listed = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": "POST", "path": f"/clusters/lab{MAPS}/", "query_string": b"dryRun=All"}
    return Request({**scope, "headers": listed}, None, None)


def test_the_world_is_handed_the_request_as_plain_data():
    made = writes.message(request(content_type="application/json", accept="*/*"), b"{}")

    assert made == {
        "type": "api",
        "method": "POST",
        "path": MAPS,
        "query": "dryRun=All",
        "headers": {"content-type": "application/json"},
        "user": {"name": "system:admin", "groups": ["system:masters", "system:authenticated"]},
        "body": "{}",
    }
    assert json.dumps(made)


def test_a_protobuf_body_travels_as_base64():
    assert writes.message(request(), b"k8s\x00\xff")["body64"] == "azhzAP8="


def test_a_body_that_is_too_large_is_refused_before_anybody_reads_it(lab):
    answer = fetch(MAPS, "POST", b"x" * (3 * 1024 * 1024 + 1), content_type="application/json")

    assert (answer.status, answer.json()["reason"]) == (413, "RequestEntityTooLarge")
    told = fetch(MAPS, "POST", b"x", content_type="application/json", content_length="99999999")
    assert told.status == 413


def test_a_body_that_is_too_deep_is_refused(lab):
    answer = fetch(MAPS, "POST", b"[" * 5000 + b"]" * 5000, content_type="application/json")

    assert (answer.status, answer.json()["message"]) == (400, "the body is nested more than 100 levels deep")


def test_brackets_in_a_string_are_no_depth():
    writes._check_depth(json.dumps({"data": {"a": "[" * 5000}}).encode())
