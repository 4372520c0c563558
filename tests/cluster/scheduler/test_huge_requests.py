"""Requests beyond 64 bits: nothing fits, nothing breaks."""

import pytest

from cluster.objects import conditions
from tests.builders import a_cluster, a_pod

HUGE = {"requests": {"memory": "9" * 30, "cpu": "9" * 30}}


def test_a_pod_that_asks_for_more_than_64_bits_waits_as_any_that_asks_for_too_much():
    cluster = a_cluster(nodes=1)
    cluster.create(a_pod("huge", resources=HUGE))
    cluster.run_for(5)

    told = conditions.get(cluster.get("Pod", "huge"), "PodScheduled")
    assert told["message"].startswith("0/1 nodes are available: 1 Insufficient cpu, 1 Insufficient memory.")


@pytest.mark.parametrize("count", [1, 4])
def test_pods_put_on_a_node_past_the_scheduler_do_not_overflow_its_sums(count: int):
    cluster = a_cluster(nodes=1)
    for number in range(count):
        cluster.create(a_pod(f"huge-{number}", resources=HUGE, nodeName="worker-1"))
    cluster.create(a_pod("plain"))
    cluster.run_for(60)

    assert cluster.get("Pod", "plain")["spec"].get("nodeName") in (None, "worker-1")
    assert cluster.get("Pod", "huge-0")["status"]["phase"] == "Failed"
