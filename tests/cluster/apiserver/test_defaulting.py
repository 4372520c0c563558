"""Minimal manifests become what a real server made of them."""

import re
from typing import Any

import pytest

from tests.cluster.apiserver.replay import Api, differences, recorded, replayed

KINDS = (
    "Pod", "Service", "ConfigMap", "Secret", "Namespace", "Node", "ServiceAccount", "Endpoints", "Event", "Deployment",
    "ReplicaSet", "PodDisruptionBudget", "Lease", "EndpointSlice", "PriorityClass",
)  # fmt: skip
CASES = [case for case in recorded("defaulting/create.json") if case["response"]["body"].get("kind") in KINDS]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_a_minimal_manifest_is_completed_as_recorded(case: dict[str, Any]) -> None:
    namespace = re.search(r"/namespaces/([^/]+)/", case["request"]["path"])
    api = Api().with_namespace(namespace[1]) if namespace else Api()

    status, body = replayed(api, case)

    assert (status, differences(body, case["response"]["body"])) == (201, [])
