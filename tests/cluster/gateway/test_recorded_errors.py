"""Every recorded question that is answered badly, or was thought to be, asked through the gateway: status, type, words.

Writes are asked in tests/cluster/apiserver/test_errors.py, by users without rights in test_access.py; here is the rest.
"""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.gateway.asgi import fetch

CASES = json.loads((Path(__file__).parents[2] / "golden" / "errors" / "cases.json").read_text())
NAMESPACE = "err-public"
CONTAINERS = {"containers": [{"name": "c", "image": "nginx"}]}
WORLD = ("POST", "PUT", "PATCH", "DELETE")
# They need a kubelet, or a stream that ends by itself; and a pod that is bound by then.
ELSEWHERE = re.compile(r"/exec$|portforward GET|proxy service|watch=maybe|log of a pod on an absent node")
# Numbers that are another cluster's.
OURS = ((re.compile(r"current: \d+"), "current: N"),)
READS = [
    case
    for case in CASES
    if (case["request"]["method"] not in WORLD or case["request"]["path"] == "/version")
    and not case["request"].get("user")
    and not ELSEWHERE.search(case["name"])
]


def test_nearly_all_reads_are_asked() -> None:
    asked = [case for case in CASES if case["request"]["method"] not in WORLD and not case["request"].get("user")]

    assert len(READS) >= len(asked) - 5


@pytest.fixture
def prepared(lab: Any) -> Any:
    """What the recorder had made before."""
    template = {"metadata": {"labels": {"app": "a"}}, "spec": CONTAINERS}
    deployment = {"replicas": 0, "selector": {"matchLabels": {"app": "a"}}, "template": template}
    lab.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
    lab.settle()
    for api_version, kind, name, more in (
        ("v1", "ConfigMap", "base", {"data": {"a": "1"}}),
        ("apps/v1", "Deployment", "base", {"spec": deployment}),
        ("v1", "Service", "base", {"spec": {"ports": [{"port": 80}], "selector": {"app": "a"}}}),
        ("v1", "Pod", "base-pod", {"spec": {**CONTAINERS, "schedulerName": "none"}}),
    ):
        metadata = {"name": name, "namespace": NAMESPACE}
        lab.create({"apiVersion": api_version, "kind": kind, "metadata": metadata, **more})
    return lab.settle()


def test_what_is_read_wrongly_is_answered_as_recorded(prepared: Any, subtests: Any) -> None:
    for case in READS:
        request, expected = case["request"], case["response"]
        with subtests.test(case["name"]):
            headers = {"accept": request["accept"]} if request.get("accept") else dict(request.get("headers") or {})
            body = json.dumps(request["body"]).encode() if request.get("body") is not None else b""

            answer = fetch(request["path"], request["method"], body, **headers)

            assert answer.status == expected["status"], answer.body
            assert answer.headers.get("content-type") == expected["headers"].get("Content-Type")
            if answer.status >= 300:
                assert said(answer.body) == said(as_bytes(expected["body"]))


def as_bytes(body: Any) -> bytes:
    return body.encode() if isinstance(body, str) else json.dumps(body).encode()


def said(body: bytes) -> Any:
    """A Status as a dict, anything else as text; what is personal made equal."""
    text = body.decode()
    for pattern, instead in OURS:
        text = pattern.sub(instead, text)
    try:
        return json.loads(text)
    except ValueError:
        return text
