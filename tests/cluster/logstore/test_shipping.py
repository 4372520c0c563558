"""Agents ship what containers print, as long as they run and the store can be reached, and lose nothing in between."""

from cluster.apiserver import commits
from cluster.logstore.agent import Agents
from cluster.models import Departed, LogBlock, LogPosition, LogStream
from tests.builders import a_pod
from tests.cluster.logstore.conftest import CHATTY, LoggedCluster

LOKI = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "loki", "namespace": "kube-system"}}
WEB = '{namespace="default", pod="web"}'


def a_chatty_pod(cluster: LoggedCluster, node: str = "worker-1") -> dict:
    return cluster.create(a_pod("web", "busybox:1.36", command=CHATTY, nodeName=node))


def hellos(cluster: LoggedCluster) -> list[int]:
    return [int(text.split(" ")[1]) for text in cluster.found(WEB + ' |= "hello"')]


def in_a_row(numbers: list[int]) -> bool:
    return numbers == list(range(1, len(numbers) + 1))


def test_what_a_container_prints_is_found_under_its_labels(logged: LoggedCluster):
    a_chatty_pod(logged)

    logged.run_for(60)

    assert len(hellos(logged)) > 8
    assert in_a_row(hellos(logged))
    assert logged.found('{container="app", node="worker-1", stream="stdout"} |= "hello 3 "') == ["hello 3 from here"]
    assert logged.found('{node="worker-2"} |= "hello"') == []
    assert logged.found('{pod=~"loki-.*"} |= "Loki started"')


def test_files_of_excluded_paths_are_not_shipped(logged: LoggedCluster):
    assert logged.found('{container="fluent-bit"}') == []
    assert logged.found('{container="coredns"}') != []


def test_an_agent_that_was_killed_catches_up_without_a_gap_and_without_a_line_twice(logged: LoggedCluster):
    a_chatty_pod(logged)
    logged.run_for(30)
    daemons = logged.get("DaemonSet", "fluent-bit", "kube-system")
    logged.patch(daemons, {"spec": {"template": {"spec": {"nodeSelector": {"agents": "here"}}}}})
    logged.run_for(60)
    before = len(hellos(logged))
    logged.run_for(60)
    assert len(hellos(logged)) == before

    logged.patch(daemons, {"spec": {"template": {"spec": {"nodeSelector": {"agents": None}}}}})
    logged.run_for(120)

    assert len(hellos(logged)) > before + 30
    assert in_a_row(hellos(logged))


def test_an_agent_asks_the_name_servers_that_its_own_pod_says(logged: LoggedCluster):
    a_chatty_pod(logged)
    logged.run_for(30)
    daemons = logged.get("DaemonSet", "fluent-bit", "kube-system")
    logged.patch(daemons, {"spec": {"template": {"spec": {"dnsPolicy": "Default"}}}})
    logged.run_for(90)
    before = len(hellos(logged))
    assert LogPosition.objects.exists()

    logged.run_for(60)
    assert len(hellos(logged)) == before  # Nobody outside of the cluster knows a name `loki`.

    logged.patch(daemons, {"spec": {"template": {"spec": {"dnsPolicy": "ClusterFirst"}}}})
    logged.run_for(120)
    assert len(hellos(logged)) > before + 20


def test_logs_of_a_deleted_pod_are_still_found(logged: LoggedCluster):
    pod = a_chatty_pod(logged)
    logged.run_for(30)
    known = len(hellos(logged))
    logged.run_unseen(20)

    logged.delete(pod, gracePeriodSeconds=0)
    logged.run_unseen(20)
    assert logged.get("Pod", "web") is None
    assert Departed.objects.count() == 1
    logged.run_for(5)

    assert len(hellos(logged)) > known + 2
    assert in_a_row(hellos(logged))
    assert Departed.objects.count() == 0


def test_while_there_is_no_store_agents_keep_their_positions(logged: LoggedCluster):
    a_chatty_pod(logged)
    logged.run_for(30)
    logged.scale(LOKI, 0)
    logged.run_for(20)
    before = len(hellos(logged))
    logged.run_for(60)
    assert len(hellos(logged)) == before

    logged.scale(LOKI, 1)
    logged.run_for(60)

    assert len(hellos(logged)) > before + 15
    assert in_a_row(hellos(logged))


def test_what_a_node_had_not_shipped_is_lost_if_it_never_comes_back(logged: LoggedCluster):
    a_chatty_pod(logged)
    logged.run_for(30)
    before = hellos(logged)
    logged.run_unseen(30)
    logged.power_off("worker-1")
    logged.run_for(5)

    logged.act("node-remove", node="worker-1")
    logged.run_for(120)

    assert hellos(logged) == before
    assert Departed.objects.count() == 0


def test_a_node_that_comes_back_is_read_from_where_its_agent_stopped(logged: LoggedCluster):
    a_chatty_pod(logged)
    logged.run_for(30)
    before = len(hellos(logged))
    logged.run_unseen(30)
    logged.power_off("worker-1")
    logged.run_for(5)
    assert len(hellos(logged)) == before

    logged.power_on("worker-1")
    logged.run_for(120)

    assert len(hellos(logged)) > before + 5


def test_agents_take_turns_when_there_is_time_for_one_of_them_only(logged: LoggedCluster):
    """Also if the first one can't reach the store: it must not keep the other from it."""
    loki = next(p for p in logged.objects("Pod", "kube-system") if p["metadata"]["name"].startswith("loki"))
    store = loki["spec"]["nodeName"]
    cut_off = "worker-1" if store == "worker-2" else "worker-2"
    logged.act("route", **{"from": cut_off, "to": store, "op": "break"})
    a_chatty_pod(logged, store)
    agents = Agents(logged.world.identity, logged.world.owner_epoch)
    before = dict(LogPosition.objects.values_list("pk", "at"))
    logged.run_unseen(30)

    for _ in range(20):  # Of two name servers, one may be out of reach, too.
        agents.gather(logged.world.site, 0)

    after = dict(LogPosition.objects.values_list("pk", "at"))
    moved = [key.partition(":")[2] for key in after if after[key] > before.get(key, 0)]
    assert [key for key in moved if "/" not in key] == [store]


def test_a_cluster_that_is_forgotten_takes_its_logs_with_it(logged: LoggedCluster):
    assert LogBlock.objects.exists()

    commits.forget(logged.world.identity)

    assert not any(model.objects.exists() for model in (LogBlock, LogStream, LogPosition, Departed))
