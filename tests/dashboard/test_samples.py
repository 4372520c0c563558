"""Every sample that the page offers works in a cluster that has just been made, and shows what it promises."""

import pytest
import yaml

from cluster.addons import USUAL
from dashboard import samples
from tests.builders import TestCluster, a_cluster


@pytest.fixture
def cluster() -> TestCluster:
    return a_cluster(nodes=3, addons=list(USUAL))


def apply(cluster: TestCluster, name: str) -> None:
    for document in yaml.safe_load_all(samples.BY_NAME[name].text):
        cluster.create(document)


def lines(cluster: TestCluster, pod: str) -> str:
    """What a pod's only container has printed so far, as its record keeps it."""
    records = cluster.world.cells["containers"].data.values()
    record = next(record for record in records if record.get("pod") == pod and "program" in record)
    return "".join(text for _, _, text in record.get("printed", ()))


@pytest.mark.parametrize("name", samples.BY_NAME)
def test_a_sample_is_accepted(cluster: TestCluster, name: str):
    apply(cluster, name)

    cluster.run_for(20)


def test_under_load_the_autoscaler_makes_more_replicas(cluster: TestCluster):
    apply(cluster, "load")

    cluster.run_until(lambda c: c.get("Deployment", "php-apache")["spec"]["replicas"] > 2, 300)


def test_what_is_ill_is_left_out_of_its_service_and_comes_back(cluster: TestCluster):
    apply(cluster, "ill")

    def ready() -> int:
        slices = [s for s in cluster.world.informers.list("EndpointSlice") if s["metadata"]["name"].startswith("flaky")]
        return sum(bool(e["conditions"]["ready"]) for s in slices for e in s.get("endpoints") or ())

    cluster.run_until(lambda _: ready() == 3, 60)
    cluster.run_until(lambda _: ready() == 0, 90)
    cluster.run_until(lambda _: ready() == 3, 60)


def test_a_policy_lets_the_api_in_and_keeps_the_stranger_out(cluster: TestCluster):
    apply(cluster, "policy")
    cluster.run_for(60)

    assert "open" in lines(cluster, "api")
    assert "Operation timed out" in lines(cluster, "stranger")
    assert "open" not in lines(cluster, "stranger")
