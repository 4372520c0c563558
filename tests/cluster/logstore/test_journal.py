"""What components write: real klog lines, and only of what really happened."""

import math
import re

import orjson
import pytest

from cluster.logstore import journal, store
from cluster.logstore.journal import Journal, Written
from tests.builders import a_deployment, a_pod
from tests.cluster.logstore.conftest import LoggedCluster
from tests.dashboard.saved import a_saved_cluster

pytestmark = pytest.mark.django_db(transaction=True)

KLOG = re.compile(r"^[IWE]\d{4} \d\d:\d\d:\d\d\.\d{6} {5,}\d+ [a-z_]+\.go:\d+\] .+", re.S)
CRASHES = ["sh", "-c", "exit 1"]


def written(cluster, component: str = "", start: int = 0) -> list[Written]:
    cluster.world.commit()
    world = cluster.world
    found, until = Journal(store.rows, world.identity, world.clock.epoch).read(start, world.now + 1, math.inf)
    assert until == world.now + 1
    assert [entry.at for entry in found] == sorted(entry.at for entry in found)
    return [entry for entry in found if component in ("", entry.component)]


def said(cluster, component: str, *words: str) -> list[str]:
    return [entry.text for entry in written(cluster, component) if all(word in entry.text for word in words)]


@pytest.fixture
def cluster():
    return a_saved_cluster(nodes=2)


def test_every_line_has_klogs_form_and_etcds_are_json(cluster):
    cluster.create(a_deployment("web", replicas=2))
    cluster.settle()
    cluster.act("etcd", op="stop", member="etcd-0")
    cluster.run_for(20)

    for entry in written(cluster):
        if entry.component == "etcd":
            assert {"level", "ts", "caller", "msg"} <= orjson.loads(entry.text).keys()
        else:
            assert KLOG.match(entry.text), entry.text
    leaders = said(cluster, "etcd", "became leader at term")
    assert leaders


def test_a_scheduling_is_told_by_all_that_took_part(cluster):
    cluster.create(a_deployment("web", replicas=2))
    cluster.settle()
    pod = cluster.pods_of("web")[0]
    key, node = f"default/{pod['metadata']['name']}", pod["spec"]["nodeName"]

    (bound,) = said(cluster, "kube-scheduler", "Successfully bound pod to node", f'pod="{key}"')
    assert f'node="{node}" evaluatedNodes=2 feasibleNodes=2' in bound
    (few,) = said(cluster, "kube-controller-manager", "Too few replicas", "default/web-")
    assert 'replica_set.go:628] "Too few replicas" logger="replicaset-controller"' in few
    assert few.endswith("need=2 creating=2")
    assert said(cluster, "kube-controller-manager", 'logger="deployment-controller"', "ScalingReplicaSet")
    (added,) = (entry for entry in written(cluster, "kubelet") if "SyncLoop ADD" in entry.text and key in entry.text)
    assert added.node == node
    assert f'"SyncLoop ADD" source="api" pods=["{key}"]' in added.text
    (started,) = said(cluster, "kubelet", "SyncLoop (PLEG): event for pod", key)
    assert '"Type":"ContainerStarted"' in started
    (asked,) = said(cluster, "kube-apiserver", "HTTP", "/apis/apps/v1/namespaces/default/deployments")
    assert 'verb="POST"' in asked
    assert asked.endswith("resp=201")


def test_a_pod_that_fits_nowhere_is_told_with_the_schedulers_reason(cluster):
    cluster.create(a_pod("big", resources={"requests": {"cpu": "100"}}))
    cluster.run_for(2)

    (told,) = said(cluster, "kube-scheduler", "Unable to schedule pod; no fit; waiting", 'pod="default/big"')
    assert 'err="0/2 nodes are available: 2 Insufficient cpu. preemption: 0/2 nodes are available' in told


def test_a_deleted_pod_is_killed_with_its_grace_period_and_removed(cluster):
    cluster.create(a_deployment("web", replicas=1))
    cluster.settle()
    pod = cluster.pods_of("web")[0]
    start = cluster.world.now
    cluster.delete(pod)
    cluster.run_for(60)

    name = f"default/{pod['metadata']['name']}"
    told = [entry.text.partition("] ")[2] for entry in written(cluster, "kubelet", start) if name in entry.text]
    assert told[0] == f'"SyncLoop DELETE" source="api" pods=["{name}"]'
    assert told[1].startswith(f'"Killing container with a grace period" pod="{name}"')
    assert told[1].endswith("gracePeriod=30")
    assert told[-1] == f'"SyncLoop REMOVE" source="api" pods=["{name}"]'


def test_a_container_that_crashes_is_not_synced_in_the_kubelets_words(cluster):
    cluster.create(a_pod("bad", "busybox:1.36", command=CRASHES))
    cluster.run_for(30)

    told = said(cluster, "kubelet", "Error syncing pod, skipping", 'pod="default/bad"')
    assert told[0].startswith("E")
    assert 'with CrashLoopBackOff: \\"back-off 10s restarting failed container=app pod=bad_default(' in told[0]
    assert said(cluster, "kubelet", "Generic (PLEG): container finished", "exitCode=1")


def test_a_node_without_power_writes_nothing_and_others_write_of_it(cluster):
    cluster.create(a_deployment("web", replicas=2))
    cluster.settle()
    start = cluster.world.now
    cluster.power_off("worker-1")
    cluster.run_for(400)
    cluster.settle()

    assert [entry for entry in written(cluster, "kubelet", start + 1) if entry.node == "worker-1"] == []
    texts = [entry.text for entry in written(cluster, "kube-controller-manager", start)]
    assert any("Node hasn't been updated" in text and 'node="worker-1"' in text for text in texts)
    assert any("Node is unresponsive. Adding it to the Taint queue" in text for text in texts)
    assert any('"Deleting pod" logger="taint-eviction-controller"' in text for text in texts)


def test_a_stopped_scheduler_writes_nothing_and_the_one_that_takes_over_says_so(cluster):
    cluster.act("replicas", process="kube-scheduler", count=2)
    cluster.run_for(5)
    start = cluster.world.now
    cluster.act("component-stop", component="kube-scheduler/1")
    cluster.create(a_pod("web"))
    cluster.run_for(10)
    assert written(cluster, "kube-scheduler", start) == []

    cluster.run_for(30)
    told = written(cluster, "kube-scheduler", start)
    assert {entry.node for entry in told} == {"control-plane-2"}
    assert '"Successfully acquired lease" lock="kube-system/kube-scheduler"' in told[0].text
    assert '"Successfully bound pod to node" pod="default/web"' in told[-1].text


def test_reading_in_parts_gives_the_same_as_reading_at_once(cluster, monkeypatch):
    cluster.create(a_deployment("web", replicas=4))
    cluster.settle()
    whole = written(cluster)
    monkeypatch.setattr(journal, "PORTION", 7)
    read = Journal(store.rows, cluster.world.identity, cluster.world.clock.epoch).read

    parts, at, end = list[Written](), 0, cluster.world.now + 1
    while at < end:
        found, after = read(at, end, 0)
        assert after > at
        parts, at = parts + found, after

    assert parts == whole


def test_agents_ship_what_components_write_under_their_labels(logged: LoggedCluster):
    logged.create(a_deployment("web", replicas=2))
    logged.run_for(30)

    assert len(logged.found('{component="kube-scheduler"} |= "Successfully bound pod to node" |= "default/web-"')) == 2
    assert logged.found('{component="kubelet", node="worker-1"} |= "SyncLoop ADD"')
    assert logged.found('{pod="kube-controller-manager-control-plane"} |= "Too few replicas"')
    assert logged.found('{component="kube-proxy"}')
    texts = logged.found('{component="kubelet", node="worker-1"}')
    logged.run_for(30)
    again = logged.found('{component="kubelet", node="worker-1"}')
    assert [text for text in again if text in texts] == texts
    assert len(again) == len(set(again))


def test_a_kubelets_journal_waits_for_its_nodes_agent(logged: LoggedCluster):
    daemons = logged.get("DaemonSet", "fluent-bit", "kube-system")
    logged.patch(logged.get("Node", "worker-1", ""), {"metadata": {"labels": {"agents": "here"}}})
    logged.patch(daemons, {"spec": {"template": {"spec": {"nodeSelector": {"agents": "here"}}}}})
    logged.run_for(60)
    before = logged.found('{component="kubelet", node="worker-2"}')
    logged.create(a_pod("late", nodeName="worker-2"))
    logged.run_for(60)
    assert logged.found('{component="kubelet", node="worker-2"}') == before

    logged.patch(daemons, {"spec": {"template": {"spec": {"nodeSelector": {"agents": None}}}}})
    logged.run_for(120)

    after = logged.found('{component="kubelet", node="worker-2"}')
    assert after[: len(before)] == before
    assert any("default/late" in text for text in after)
    assert len(after) == len(set(after))
