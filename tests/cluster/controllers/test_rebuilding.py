"""Whatever a controller keeps in memory is derived: a world rebuilt at any moment has the same future."""

import pytest

from tests.builders import TestCluster, a_cluster, a_deployment, a_pod, a_service


def a_budget(name: str):
    spec = {"maxUnavailable": "50%", "selector": {"matchLabels": {"app": name}}}
    return {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": name}, "spec": spec}


def machines() -> list[dict[str, object]]:
    names = ("a-0", "a-1", "a-2", "b-0", "b-1")
    return [{"name": name, "labels": {"topology.kubernetes.io/zone": name[0]}} for name in names]


def a_troubled_cluster() -> TestCluster:
    """Two dead nodes, a rollout that is under way, a Service and a budget: everybody has something planned."""
    deployment = a_deployment("web", replicas=6, terminationGracePeriodSeconds=5)
    deployment["spec"] |= {"minReadySeconds": 7, "progressDeadlineSeconds": 60}
    cluster = a_cluster(nodes=machines()).with_objects(deployment, a_service("web"), a_budget("web"), a_pod("bare"))
    cluster.settle()
    cluster.power_off("a-0")
    cluster.power_off("b-0")
    cluster.patch(cluster.get("Deployment", "web"), {"spec": {"template": {"metadata": {"labels": {"v": "2"}}}}})
    return cluster


@pytest.mark.parametrize("moment", [0.02, 0.05, 3, 12, 47, 53, 58, 62, 330])
def test_a_world_rebuilt_in_the_middle_of_trouble_goes_on_as_if_nothing_had_happened(moment):
    cluster = a_troubled_cluster().run_for(moment)
    rebuilt = TestCluster(cluster.world.fork())
    assert rebuilt.world.dump() == cluster.world.dump()

    for one in (cluster, rebuilt):
        one.run_for(90)
        one.delete(one.get("Pod", "bare"))
        one.run_for(15)
        one.act("node-remove", node="b-1")
        one.power_on("a-0")
        one.run_for(300)

    assert rebuilt.world.dump() == cluster.world.dump()
