"""ComponentStatuses tell who is well: processes that are stopped, and an etcd that has no quorum."""

from cluster.apiserver.registry.components import statuses
from cluster.objects import meta
from tests.builders import TestCluster, a_cluster


def said(cluster: TestCluster) -> dict[str, tuple[str, str]]:
    made = statuses(cluster.world.cells["processes"].data, cluster.world.cells["members"].data)
    conditions = {meta.name(each): each["conditions"][0] for each in made}
    return {name: (each["status"], each.get("message") or each.get("error", "")) for name, each in conditions.items()}


def test_all_are_well_in_the_order_of_the_real_answer():
    found = said(a_cluster())
    assert list(found) == ["etcd-0", "scheduler", "controller-manager"]
    assert set(found.values()) == {("True", "ok")}


def test_a_scheduler_that_is_stopped_refuses_the_connection():
    cluster = a_cluster()
    cluster.act("component-stop", component="kube-scheduler/1")
    refused = 'Get "https://127.0.0.1:10259/healthz": dial tcp 127.0.0.1:10259: connect: connection refused'
    assert said(cluster)["scheduler"] == ("False", refused)
    assert said(cluster)["controller-manager"] == ("True", "ok")


def test_of_etcd_the_member_beside_the_api_server_is_asked_which_needs_a_quorum():
    cluster = a_cluster(etcd=3)
    cluster.act("etcd", op="stop", member="etcd-1")
    assert said(cluster)["etcd-0"] == ("True", "ok")
    cluster.act("etcd", op="stop", member="etcd-2")
    cluster.run_for(10)
    assert said(cluster)["etcd-0"] == ("False", "context deadline exceeded")
