"""Processes of the control plane: who leads, what waits for whom is stopped, and what a death does."""

import orjson
import pytest

from cluster.objects import meta
from cluster.world import World
from tests.builders import Refused, TestCluster, a_cluster, a_deployment

REPLICASETS = "replicaset-controller"
TWO = {"kube-scheduler": 2, "kube-controller-manager": 2}


def lease(cluster: TestCluster, process: str) -> dict:
    found = cluster.world.informers.get("Lease", "kube-system", process)
    assert found is not None
    return found["spec"]


def waiting(cluster: TestCluster, component: str) -> list[str]:
    prefix = f"{component}|r|"
    return [slot.removeprefix(prefix) for slot in cluster.world.cells["agenda"] if slot.startswith(prefix)]


def twin_of(cluster: TestCluster) -> TestCluster:
    return TestCluster(World.restore(cluster.world.checkpoint_body(), cluster.world.objects()))


def the_same(one: TestCluster, other: TestCluster) -> bool:
    return orjson.loads(one.world.checkpoint_body()) == orjson.loads(other.world.checkpoint_body())


# --- one controller ---------------------------------------------------------------------------------------------


def test_what_a_stopped_controller_should_do_waits_in_its_queue_and_is_done_when_it_returns():
    cluster = a_cluster().with_objects(a_deployment("web", 2)).settle()
    cluster.act("component-stop", component=REPLICASETS)

    cluster.scale(a_deployment("web"), 5)
    cluster.run_for(60)
    assert len(cluster.pods_of("web")) == 2
    assert len(waiting(cluster, REPLICASETS)) == 1

    cluster.act("component-start", component=REPLICASETS)
    cluster.run_for(10)
    assert len(cluster.pods_of("web")) == 5
    assert waiting(cluster, REPLICASETS) == []


def test_everybody_else_goes_on_meanwhile():
    cluster = a_cluster()
    cluster.act("component-stop", component=REPLICASETS)
    cluster.create(a_deployment("web", 3))
    cluster.run_for(30)

    assert len(cluster.objects("ReplicaSet", "default")) == 1
    assert cluster.pods_of("web") == []


def test_a_stopped_scheduler_leaves_pods_pending():
    cluster = a_cluster()
    cluster.act("component-stop", component="kube-scheduler")
    cluster.create(a_deployment("web", 3))
    cluster.run_for(60)
    assert all("nodeName" not in pod["spec"] for pod in cluster.pods_of("web"))

    cluster.act("component-start", component="kube-scheduler")
    cluster.run_for(60)
    assert all("nodeName" in pod["spec"] for pod in cluster.pods_of("web"))


def test_a_crash_loses_the_queue_and_nothing_else():
    cluster = a_cluster().with_objects(a_deployment("web", 2)).settle()
    cluster.act("component-stop", component=REPLICASETS)
    cluster.scale(a_deployment("web"), 4)
    cluster.run_for(5)

    cluster.act("component-restart", component=REPLICASETS)
    cluster.run_for(10)

    assert len(cluster.pods_of("web")) == 4


def test_a_rebuilt_world_holds_whom_the_resident_one_holds():
    cluster = a_cluster().with_objects(a_deployment("web", 2)).settle()
    cluster.act("component-stop", component=REPLICASETS)
    cluster.scale(a_deployment("web"), 5)
    cluster.run_for(5)
    twin = twin_of(cluster)

    for each in (cluster, twin):
        each.run_for(20)
        each.act("component-start", component=REPLICASETS)
        each.run_for(60)

    assert len(cluster.pods_of("web")) == 5
    assert the_same(cluster, twin)


@pytest.mark.parametrize(
    ("type_", "component", "status", "said"),
    [
        ("component-stop", "nobody", 404, 'component "nobody" not found; there are: kube-controller-manager/1'),
        ("component-start", REPLICASETS, 409, "replicaset-controller is running"),
    ],
)
def test_what_can_not_be_done_is_said(type_, component, status, said):
    with pytest.raises(Refused) as refused:
        a_cluster(nodes=1).act(type_, component=component)

    assert refused.value.status == status
    assert said in refused.value.body["message"]


# --- who leads --------------------------------------------------------------------------------------------------


def test_the_first_replica_leads_and_renews_its_lease():
    cluster = a_cluster(nodes=1)
    before = lease(cluster, "kube-scheduler")
    cluster.run_for(30)
    after = lease(cluster, "kube-scheduler")

    assert before["holderIdentity"] == after["holderIdentity"]
    assert before["renewTime"] < after["renewTime"]
    assert (before["leaseDurationSeconds"], after["leaseTransitions"]) == (15, 0)
    assert any(e["message"].endswith("became leader") for e in cluster.events("LeaderElection"))


def test_when_the_leader_is_killed_the_standby_takes_over_after_its_lease_has_run_out():
    cluster = a_cluster(replicas=TWO)
    first = lease(cluster, "kube-scheduler")
    cluster.act("component-stop", component="kube-scheduler/1")
    cluster.create(a_deployment("web", 3))

    cluster.run_for(12)
    assert all("nodeName" not in pod["spec"] for pod in cluster.pods_of("web"))

    cluster.run_for(10)
    second = lease(cluster, "kube-scheduler")
    assert second["holderIdentity"] != first["holderIdentity"]
    assert second["leaseTransitions"] == 1
    assert all("nodeName" in pod["spec"] for pod in cluster.pods_of("web"))
    assert len([e for e in cluster.events("LeaderElection") if e["source"]["component"] == "default-scheduler"]) == 2


def test_a_new_controller_manager_finishes_what_the_old_one_began():
    cluster = a_cluster(replicas=TWO)
    cluster.create(a_deployment("web", 200))
    cluster.run_until(lambda c: len(c.pods_of("web")) > 5, 60)
    cluster.act("component-stop", component="kube-controller-manager/1")
    cluster.run_for(120)

    assert len(cluster.pods_of("web")) == 200
    assert cluster.world.cells["processes"]["kube-controller-manager/2"]["leads"]


def test_a_killed_replica_that_returns_waits_for_its_turn():
    cluster = a_cluster(nodes=1, replicas=TWO)
    cluster.act("component-stop", component="kube-scheduler/1")
    cluster.run_for(30)
    cluster.act("component-start", component="kube-scheduler/1")
    cluster.run_for(60)

    rows = cluster.world.cells["processes"]
    assert [rows[f"kube-scheduler/{n}"]["leads"] for n in (1, 2)] == [False, True]
    assert lease(cluster, "kube-scheduler")["holderIdentity"] == rows["kube-scheduler/2"]["id"]


def test_the_only_replica_leads_again_when_its_old_lease_has_run_out():
    cluster = a_cluster(nodes=1)
    cluster.act("component-restart", component="kube-scheduler/1")
    cluster.create(a_deployment("web", 1))
    cluster.run_for(10)
    assert "nodeName" not in cluster.pods_of("web")[0]["spec"]

    cluster.run_for(20)
    assert "nodeName" in cluster.pods_of("web")[0]["spec"]


def test_whose_lease_is_taken_away_ends_and_comes_back_as_a_standby():
    cluster = a_cluster(nodes=1)
    taken = {**lease(cluster, "kube-scheduler"), "holderIdentity": "thief"}
    path = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/kube-scheduler"
    cluster.request("PATCH", path, {"spec": taken}, content_type="application/merge-patch+json")

    cluster.run_for(12)
    assert not cluster.world.cells["processes"]["kube-scheduler/1"]["leads"]

    cluster.run_for(30)  # The thief never renews it.
    row = cluster.world.cells["processes"]["kube-scheduler/1"]
    assert row["leads"]
    assert lease(cluster, "kube-scheduler")["holderIdentity"] == row["id"]


def test_a_deleted_lease_is_made_again_by_its_holder():
    cluster = a_cluster(nodes=1)
    holder = lease(cluster, "kube-controller-manager")["holderIdentity"]
    path = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/kube-controller-manager"
    cluster.request("DELETE", path)
    cluster.run_for(5)

    assert lease(cluster, "kube-controller-manager")["holderIdentity"] == holder


def test_replicas_come_and_go():
    cluster = a_cluster(nodes=1)
    cluster.act("replicas", process="kube-scheduler", count=3)
    cluster.run_for(30)
    assert len([name for name in cluster.world.cells["processes"] if name.startswith("kube-scheduler")]) == 3

    cluster.act("replicas", process="kube-scheduler", count=1)
    assert [name for name in cluster.world.cells["processes"] if name.startswith("kube-sch")] == ["kube-scheduler/1"]


def test_a_rebuilt_world_has_the_same_election():
    cluster = a_cluster(replicas=TWO)
    cluster.create(a_deployment("web", 20))
    cluster.run_for(3)
    cluster.act("component-stop", component="kube-controller-manager/1")
    twins = []
    for seconds in (1, 8, 7, 1, 1, 5):
        cluster.run_for(seconds)
        for twin in twins:
            twin.run_for(seconds)
        twins.append(twin_of(cluster))
    cluster.run_for(30)

    for twin in twins:
        twin.run_for(30)
        assert the_same(cluster, twin)
    assert meta.name(cluster.pods_of("web")[0]).startswith("web-")


def test_a_deletion_that_began_while_nobody_looked_is_finished_by_the_next_leader():
    cluster = a_cluster(nodes=1).with_objects(a_deployment("web", 0)).settle()
    cluster.act("component-stop", component="kube-controller-manager/1")
    cluster.delete(a_deployment("web"), propagationPolicy="Foreground")
    cluster.act("component-start", component="kube-controller-manager/1")
    cluster.run_for(60)

    assert cluster.objects("Deployment", "default") == []


def test_pods_of_a_node_that_was_tainted_meanwhile_are_evicted_by_the_next_leader():
    cluster = a_cluster(nodes=2).with_objects(a_deployment("web", 2)).settle()
    node = cluster.pods_of("web")[0]["spec"]["nodeName"]
    cluster.act("component-stop", component="kube-controller-manager/1")
    taint = {"key": "tired", "effect": "NoExecute"}
    body = {"kind": "Node", "apiVersion": "v1", "metadata": {"name": node}}
    cluster.patch(body, {"spec": {"taints": [taint]}})
    cluster.act("component-start", component="kube-controller-manager/1")
    cluster.run_for(120)

    assert {pod["spec"]["nodeName"] for pod in cluster.pods_of("web")} & {node} == set()
