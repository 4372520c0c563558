"""How long kubelets may trust what they read, by the size of the cluster."""

from cluster.controllers.ttl import ANNOTATION
from tests.builders import TestCluster, a_cluster


def ttls(cluster: TestCluster) -> set[str | None]:
    nodes = cluster.world.informers.list("Node")
    return {(node["metadata"].get("annotations") or {}).get(ANNOTATION) for node in nodes}


def test_kubelets_of_a_small_cluster_may_ask_at_any_time():
    cluster = a_cluster(nodes=2).settled()

    assert ttls(cluster) == {"0"}


def test_a_growing_cluster_has_its_kubelets_ask_less_often_and_a_shrinking_one_not_more_often_at_once():
    cluster = a_cluster(nodes=101).settled()
    assert ttls(cluster) == {"15"}

    for node in cluster.world.informers.list("Node")[:5]:
        cluster.act("node-remove", node=node["metadata"]["name"])
    cluster.run_for(30)
    assert ttls(cluster) == {"15"}

    for node in cluster.world.informers.list("Node")[:8]:
        cluster.act("node-remove", node=node["metadata"]["name"])
    cluster.run_for(30)
    assert ttls(cluster) == {"0"}
