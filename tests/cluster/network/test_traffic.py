"""CPU follows traffic, and an autoscaler follows CPU: the walk-through of the Kubernetes documentation."""

import pytest

from cluster.objects import Manifest
from cluster.runtime import traffic
from tests.builders import TestCluster, a_cluster, a_deployment, a_pod
from tests.cluster.network.conftest import a_service

ADDONS = ["kube-proxy", "coredns", "metrics-server"]
LOAD = "while sleep 0.1; do wget -q -O- http://php-apache; done"
RESOURCES = {"requests": {"cpu": "200m"}, "limits": {"cpu": "500m"}}


def an_autoscaler() -> Manifest:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "php-apache"}
    metric = {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}
    spec = {"scaleTargetRef": target, "minReplicas": 1, "maxReplicas": 10}
    spec |= {"metrics": [{"type": "Resource", "resource": metric}]}
    metadata = {"name": "php-apache"}
    return {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": metadata, "spec": spec}


@pytest.fixture
def cluster() -> TestCluster:
    made = a_cluster(nodes=2, addons=ADDONS)
    made.create(a_deployment("php-apache", 1, image="registry.k8s.io/hpa-example", resources=RESOURCES))
    made.create(a_service("php-apache"))
    made.create(an_autoscaler())
    return made.run_for(60)


def replicas(cluster: TestCluster) -> int:
    return int(cluster.get("Deployment", "php-apache")["spec"]["replicas"])


def test_load_makes_more_replicas_and_its_end_makes_fewer(cluster: TestCluster):
    load = a_pod("load-generator", "busybox:1.28", command=["/bin/sh", "-c", LOAD])
    cluster.create(load)
    cluster.run_until(lambda c: replicas(c) > 3, 240)
    scaler = cluster.get("HorizontalPodAutoscaler", "php-apache")
    measured = scaler["status"]["currentMetrics"][0]["resource"]["current"]
    assert measured["averageUtilization"] > 100

    cluster.delete(load, gracePeriodSeconds=0)
    cluster.run_until(lambda c: replicas(c) == 1, 900)


def test_a_server_takes_more_cpu_the_more_it_is_asked_up_to_its_limit(cluster: TestCluster):
    def used() -> int:
        listed = cluster.world.server.list_aggregated("metrics.k8s.io", "pods", "default")
        amounts = [each["containers"][0]["usage"]["cpu"] for each in listed if "php" in each["metadata"]["name"]]
        return max(int(amount.rstrip("n")) // 1_000_000 for amount in amounts)

    cluster.delete(an_autoscaler())
    idle = used()
    cluster.create(a_pod("load", "busybox:1.28", command=["sh", "-c", "while sleep 1; do wget -qO- php-apache; done"]))
    cluster.run_for(60)
    some = used()
    cluster.create(a_pod("more", "busybox:1.28", command=["/bin/sh", "-c", LOAD]))
    cluster.run_for(60)

    assert idle < 10 < some < 350
    assert used() == 500


def test_requests_are_counted_by_the_quarter_of_a_minute_and_forgotten_after_ten_minutes():
    hits: list[list[int]] = []
    for second in range(3600):
        hits = traffic.counted(hits, second * traffic.SECOND)

    assert len(hits) == traffic.KEPT
    assert traffic.rate(hits, 3600 * traffic.SECOND) == 1.0
    assert traffic.rate(hits, 3700 * traffic.SECOND) == 0.0
