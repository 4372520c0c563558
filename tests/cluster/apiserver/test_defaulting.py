"""Minimal manifests become what a real server made of them."""

import re
from typing import Any

import pytest

from cluster.apiserver import registry
from cluster.apiserver.target import parse
from tests.cluster.apiserver.replay import Api, differences, recorded, replayed

CASES = recorded("defaulting/create.json")


def served(case: dict[str, Any]) -> bool:
    target = parse(case["request"]["path"])
    resource = target and registry.by_path(target.group, target.version, target.plural)
    return bool(resource) and "get" in resource.verbs  # Reviews are the gateway's business.


@pytest.mark.parametrize("case", filter(served, CASES), ids=lambda case: case["name"])
def test_a_minimal_manifest_is_completed_as_recorded(case: dict[str, Any]) -> None:
    namespace = re.search(r"/namespaces/([^/]+)/", case["request"]["path"])
    api = Api().with_namespace(namespace[1]) if namespace else Api()

    status, body = replayed(api, case)

    assert (status, differences(without_asker(body), without_asker(case["response"]["body"]))) == (201, [])


def without_asker(body: dict[str, Any]) -> dict[str, Any]:
    """A request for a certificate names who made it: the recording's user is not ours."""
    if body["kind"] != "CertificateSigningRequest":
        return body
    assert body["spec"]["username"]
    kept = {name: value for name, value in body["spec"].items() if name not in ("username", "uid", "groups")}
    return {**body, "spec": kept}
