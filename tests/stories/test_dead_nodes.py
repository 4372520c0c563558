"""What a class sees when one, two or all of three nodes lose their power, and what Why says about it."""

import itertools

from cluster.objects import conditions, meta, nodes
from tests.builders import TestCluster, a_cluster, a_deployment, a_service


def a_shop() -> TestCluster:
    return a_cluster(nodes=3).with_objects(a_deployment("web", replicas=3), a_service("web")).settle()


def the_replacement(cluster: TestCluster) -> dict:
    return max(cluster.pods_of("web"), key=lambda pod: int(pod["metadata"]["resourceVersion"]))


def ready(cluster: TestCluster, node: str) -> str:
    return conditions.get(cluster.get("Node", node), "Ready")["status"]


def test_the_replacement_of_a_lost_pod_can_be_traced_back_to_the_power_off():
    cluster = a_shop()
    lost = next(pod for pod in cluster.pods_of("web") if pod["spec"]["nodeName"] == "worker-2")
    cluster.power_off("worker-2")

    cluster.run_for(400)

    replacement = next(pod for pod in cluster.pods_of("web") if meta.created_at(pod) > meta.created_at(lost))
    verbs = [link["verb"] for link in cluster.why("Pod", meta.name(replacement))["chain"]]
    assert verbs[:7] == ["bound", "created", "deleted", "tainted", "NodeStatusUnknown", "missed lease", "power-off"]
    chain = cluster.why("Pod", meta.name(replacement))["chain"]
    assert chain[2]["object"] == f"Pod/default/{meta.name(lost)}"
    assert chain[2]["waited"] == 300_000_000
    assert set(chain[0]) >= {"step", "simTime", "actor", "verb", "object", "revision", "causes", "evidence"}


def test_nothing_is_known_for_fifty_seconds_and_nothing_moves_for_five_minutes_more():
    cluster = a_shop()
    cluster.power_off("worker-2")

    cluster.run_for(40)
    assert ready(cluster, "worker-2") == "True"

    cluster.run_for(20)
    assert ready(cluster, "worker-2") == "Unknown"
    assert nodes.has_taint(cluster.get("Node", "worker-2"), nodes.UNREACHABLE, "NoExecute")
    assert len(cluster.pods_of("web")) == 3

    cluster.run_for(285)
    assert not any(meta.is_deleting(pod) for pod in cluster.objects("Pod"))


def test_two_dead_nodes_are_emptied_and_everything_runs_on_the_third():
    cluster = a_shop()
    for node in ("worker-1", "worker-2"):
        cluster.power_off(node)

    cluster.run_for(420)

    assert {pod["spec"]["nodeName"] for pod in cluster.pods_of("web")} == {"worker-3"}
    assert len(cluster.pods_of("web")) == 3


def test_when_all_nodes_fall_silent_nobody_is_evicted_and_why_says_so():
    cluster = a_shop()
    before = {meta.uid(pod) for pod in cluster.pods_of("web")}
    for node in ("worker-1", "worker-2", "worker-3"):
        cluster.power_off(node)

    cluster.run_for(900)

    assert {meta.uid(pod) for pod in cluster.objects("Pod")} == before
    for node in cluster.objects("Node"):
        assert ready(cluster, meta.name(node)) == "Unknown"
        assert not any(taint["effect"] == "NoExecute" for taint in nodes.taints(node))
    verdict = cluster.why("Pod", meta.name(cluster.pods_of("web")[0]))["verdict"]
    assert "Evictions are halted" in verdict
    assert "FullDisruption" in verdict


def test_evictions_go_on_when_one_of_the_silent_nodes_returns():
    cluster = a_shop()
    for node in ("worker-1", "worker-2", "worker-3"):
        cluster.power_off(node)
    cluster.run_for(300)

    cluster.power_on("worker-3")
    cluster.run_for(500)

    assert {pod["spec"]["nodeName"] for pod in cluster.pods_of("web")} == {"worker-3"}
    assert len(cluster.pods_of("web")) == 3


def test_a_node_that_returns_finishes_what_was_begun_and_loses_its_taints():
    cluster = a_shop()
    cluster.power_off("worker-2")
    cluster.run_for(400)
    assert [pod for pod in cluster.objects("Pod") if meta.is_deleting(pod)]

    cluster.power_on("worker-2")
    cluster.run_for(30)

    assert not [pod for pod in cluster.objects("Pod") if meta.is_deleting(pod)]
    assert nodes.taints(cluster.get("Node", "worker-2")) == []
    assert ready(cluster, "worker-2") == "True"


def test_many_dead_nodes_get_their_noexecute_taint_one_every_ten_seconds():
    cluster = a_cluster(nodes=12)
    for number in range(1, 6):
        cluster.power_off(f"worker-{number}")

    cluster.run_for(150)

    added = sorted(
        taint["timeAdded"]
        for node in cluster.objects("Node")
        for taint in nodes.taints(node)
        if taint["effect"] == "NoExecute"
    )
    seconds = [int(stamp[14:16]) * 60 + int(stamp[17:19]) for stamp in added]
    assert len(added) == 5
    assert all(later - earlier in (10, 11) for earlier, later in itertools.pairwise(seconds))


def test_right_after_a_power_cut_a_skip_leads_to_the_moment_when_somebody_notices():
    cluster = a_shop()
    cluster.power_off("worker-2")

    goal = cluster.act("clock", op="skip")

    assert 40_000_000 <= goal["until"] - goal["simTime"] <= 56_000_000
    assert goal["text"] == "node-lifecycle-controller notices something"
