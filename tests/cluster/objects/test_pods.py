"""What a pod's spec and status mean to everybody who asks."""

import pytest

from cluster.objects import Manifest, pods


def a_pod(*resources: Manifest, **spec: object) -> Manifest:
    containers = [{"name": f"c{n}", "image": "i", "resources": part} for n, part in enumerate(resources)]
    return {"metadata": {"name": "p"}, "spec": {"containers": containers, **spec}}


BOTH = {"cpu": "1", "memory": "1Gi"}


@pytest.mark.parametrize(
    ("pod", "expected"),
    [
        (a_pod({}), "BestEffort"),
        (a_pod({"requests": {"cpu": "0"}}), "BestEffort"),
        (a_pod({"requests": {"nvidia.com/gpu": "1"}}), "BestEffort"),
        (a_pod({"requests": {"cpu": "100m"}}), "Burstable"),
        (a_pod({"requests": BOTH, "limits": BOTH}), "Guaranteed"),
        (a_pod({"requests": {"cpu": "1000m", "memory": "1024Mi"}, "limits": BOTH}), "Guaranteed"),
        (a_pod({"requests": BOTH, "limits": BOTH}, {}), "Burstable"),
        (a_pod({"requests": {"cpu": "500m", "memory": "1Gi"}, "limits": BOTH}), "Burstable"),
        (a_pod({"requests": {"cpu": "1"}, "limits": {"cpu": "1"}}), "Burstable"),
        (a_pod({}, resources={"requests": BOTH, "limits": BOTH}), "Guaranteed"),
        (a_pod({"requests": BOTH, "limits": BOTH}, initContainers=[{"name": "i"}]), "Burstable"),
    ],
)
def test_quality_of_service_follows_requests_and_limits(pod: Manifest, expected: str):
    assert pods.qos_class(pod) == expected


@pytest.mark.parametrize(
    ("toleration", "tolerated"),
    [
        ({"operator": "Exists"}, True),
        ({"key": "k", "operator": "Exists"}, True),
        ({"key": "k", "operator": "Exists", "effect": "NoSchedule"}, False),
        ({"key": "k", "value": "v", "effect": "NoExecute"}, True),
        ({"key": "k", "value": "w"}, False),
        ({"key": "k"}, False),
        ({"key": "other", "operator": "Exists"}, False),
    ],
)
def test_a_toleration_matches_by_key_operator_value_and_effect(toleration: Manifest, tolerated: bool):
    taint = {"key": "k", "value": "v", "effect": "NoExecute"}

    assert pods.tolerates(a_pod({}, tolerations=[toleration]), taint) is tolerated


def test_a_pod_that_ends_or_goes_is_not_alive():
    running = {**a_pod({}), "status": {"phase": "Running"}}

    assert pods.is_alive(running)
    assert not pods.is_alive({**running, "status": {"phase": "Failed"}})
    assert not pods.is_alive({**running, "metadata": {"name": "p", "deletionTimestamp": "2026-01-01T00:00:00Z"}})
