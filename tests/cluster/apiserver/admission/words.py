"""Words of these tests: limits, quotas, standards, and what a refusal said."""

from typing import Any

import orjson
import pytest

from cluster.objects import Manifest
from tests.builders import Refused, TestCluster, a_pod

GOOD = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "runAsNonRoot": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}


def a_quota(name: str, hard: dict[str, str], **spec: Any) -> Manifest:
    body = {"hard": hard, **spec}
    return {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": name}, "spec": body}


def a_limit_range(name: str, **limit: Any) -> Manifest:
    body = {"limits": [{"type": "Container", **limit}]}
    return {"apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": name}, "spec": body}


def a_namespace(name: str, **labels: str) -> Manifest:
    marks = {f"pod-security.kubernetes.io/{key.replace('_', '-')}": value for key, value in labels.items()}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": marks}}


def a_sized_pod(name: str, cpu: str, limit: str = "", **spec: Any) -> Manifest:
    resources = {"requests": {"cpu": cpu}, **({"limits": {"cpu": limit}} if limit else {})}
    return a_pod(name, resources=resources, **spec)


def in_namespace(obj: Manifest, namespace: str) -> Manifest:
    return {**obj, "metadata": {**obj["metadata"], "namespace": namespace}}


def refusal(cluster: TestCluster, obj: Manifest) -> str:
    """What the API server says when it refuses to create `obj`."""
    with pytest.raises(Refused) as caught:
        cluster.create(obj)
    return str(caught.value.body["message"])


def warnings_of(cluster: TestCluster) -> str:
    """The Warning header of the last answer."""
    row = (cluster.world.executed or cluster.world.inputs)[-1]
    return str(orjson.loads(row.response)["headers"].get("Warning", ""))
