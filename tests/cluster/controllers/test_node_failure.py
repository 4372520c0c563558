"""A machine goes dark: what the cluster notices, when, and what it then does with the pods."""

import pytest

from cluster.controllers import nodeipam
from cluster.engine.clock import SECOND
from cluster.objects import conditions, meta, nodes, times
from tests.builders import EPOCH, TestCluster, a_cluster, a_deployment, a_pod

UNREACHABLE = "node.kubernetes.io/unreachable"


def ready(cluster: TestCluster, node: str) -> str:
    return conditions.get(cluster.get("Node", node), "Ready")["status"]


def taints(cluster: TestCluster, node: str) -> list[str]:
    return [f"{t['key'].rpartition('/')[2]}:{t['effect']}" for t in nodes.taints(cluster.get("Node", node))]


def silent_since(cluster: TestCluster, node: str) -> int:
    """Simulated time of the node's last lease renewal."""
    lease = cluster.get("Lease", node, "kube-node-lease")
    return times.parse(lease["spec"]["renewTime"]) - EPOCH


def is_unknown(node: str):
    return lambda cluster: ready(cluster, node) == "Unknown"


def evicting(node: str):
    return lambda cluster: "unreachable:NoExecute" in taints(cluster, node)


def the_write(cluster: TestCluster, node: str, part: str):
    """The newest revision of a node that made `part` true of its stored text for the first time."""
    found = [w for w in cluster.world.revisions() if w.key.endswith(f"/minions/{node}") and part in str(w.value)]
    return found[0]


def zoned(name: str, zone: str) -> dict[str, object]:
    return {"name": name, "labels": {"topology.kubernetes.io/zone": zone}}


def test_a_silent_node_is_unknown_after_fifty_seconds_and_not_before():
    cluster = a_cluster(nodes=3)
    cluster.power_off("worker-1")
    last = silent_since(cluster, "worker-1")

    cluster.run_for((last + 50 * SECOND - cluster.world.now) / SECOND)
    assert ready(cluster, "worker-1") == "True"
    cluster.run_until(is_unknown("worker-1"), seconds=5.1)

    node = cluster.get("Node", "worker-1")
    for type_ in ("Ready", "MemoryPressure", "DiskPressure", "PIDPressure"):
        condition = conditions.get(node, type_)
        assert (condition["status"], condition["reason"]) == ("Unknown", "NodeStatusUnknown")
        assert condition["message"] == "Kubelet stopped posting node status."


def test_the_taint_against_scheduling_comes_at_once_and_the_one_that_evicts_soon_after():
    cluster = a_cluster(nodes=3)
    cluster.power_off("worker-1")
    cluster.run_until(is_unknown("worker-1"))

    cluster.run_for(0.05)
    assert taints(cluster, "worker-1") == ["unreachable:NoSchedule"]
    cluster.run_for(0.5)
    assert taints(cluster, "worker-1") == ["unreachable:NoSchedule", "unreachable:NoExecute"]


def test_the_pods_of_a_silent_node_are_no_longer_ready_and_events_say_so():
    cluster = a_cluster(nodes=1).with_objects(a_pod("solo")).settled()
    cluster.power_off("worker-1")
    cluster.run_until(is_unknown("worker-1"))

    assert conditions.get(cluster.get("Pod", "solo"), "Ready")["status"] == "False"
    said = {(e["involvedObject"]["kind"], e["type"], e["message"]) for e in cluster.events("NodeNotReady")}
    assert said == {
        ("Node", "Normal", "Node worker-1 status is now: NodeNotReady"),
        ("Pod", "Warning", "Node is not ready"),
    }


def test_the_silence_is_the_named_cause_of_the_verdict():
    cluster = a_cluster(nodes=2)
    cluster.power_off("worker-1")
    lease = cluster.get("Lease", "worker-1", "kube-node-lease")["metadata"]["resourceVersion"]
    cluster.run_until(is_unknown("worker-1"))

    write = the_write(cluster, "worker-1", "NodeStatusUnknown")
    assert write.actor == "node-lifecycle-controller"
    assert write.causes[0] == f"silence:kubelet/worker-1@r{lease}"


def test_after_five_minutes_of_toleration_the_pods_are_replaced_elsewhere():
    cluster = a_cluster(nodes=3).with_objects(a_deployment("web", replicas=3)).settled()
    victims = [meta.name(p) for p in cluster.pods_of("web") if p["spec"]["nodeName"] == "worker-1"]
    cluster.power_off("worker-1")
    cluster.run_until(evicting("worker-1"))

    cluster.run_for(299)
    assert all(not meta.is_deleting(cluster.get("Pod", name)) for name in victims)
    cluster.run_for(6)

    assert victims
    assert len(cluster.pods_of("web")) == 3
    assert {p["spec"]["nodeName"] for p in cluster.pods_of("web")} == {"worker-2", "worker-3"}
    for name in victims:
        pod = cluster.get("Pod", name)
        assert meta.is_deleting(pod)
        assert conditions.get(pod, "DisruptionTarget")["reason"] == "DeletionByTaintManager"


def test_a_node_that_returns_in_time_keeps_its_pods_and_loses_its_taints():
    cluster = a_cluster(nodes=2).with_objects(a_deployment("web", replicas=2)).settled()
    before = {meta.uid(pod) for pod in cluster.pods_of("web")}
    cluster.power_off("worker-1")
    cluster.run_for(120)
    assert len(taints(cluster, "worker-1")) == 2

    cluster.power_on("worker-1")
    cluster.run_for(400)

    assert taints(cluster, "worker-1") == []
    assert {meta.uid(pod) for pod in cluster.pods_of("web")} == before
    assert {event["message"].split(" Pod ")[0] for event in cluster.events("TaintManagerEviction")} == {
        "Cancelling deletion of"
    }


def test_two_dead_nodes_of_a_zone_are_tainted_ten_seconds_apart():
    cluster = a_cluster(nodes=5)
    cluster.power_off("worker-1")
    cluster.power_off("worker-2")
    cluster.run_for(80)

    added = []
    for name in ("worker-1", "worker-2"):
        (taint,) = [t for t in nodes.taints(cluster.get("Node", name)) if t["effect"] == "NoExecute"]
        added.append(times.parse(taint["timeAdded"]) // SECOND)
    assert abs(added[0] - added[1]) == 10


def test_nobody_is_evicted_while_every_node_is_silent():
    cluster = a_cluster(nodes=3).with_objects(a_deployment("web", replicas=3)).settled()
    for name in ("worker-1", "worker-2", "worker-3"):
        cluster.power_off(name)

    cluster.run_for(900)

    for name in ("worker-1", "worker-2", "worker-3"):
        assert taints(cluster, name) == ["unreachable:NoSchedule"]
    assert len(cluster.pods_of("web")) == 3
    evictions = [event["message"] for event in cluster.events("TaintManagerEviction")]
    assert all(message.startswith("Cancelling deletion of Pod default/web-") for message in evictions)


def test_when_one_of_all_silent_nodes_returns_the_others_are_evicted_one_by_one():
    cluster = a_cluster(nodes=3)
    for name in ("worker-1", "worker-2", "worker-3"):
        cluster.power_off(name)
    cluster.run_for(120)

    cluster.power_on("worker-2")
    cluster.run_for(8)
    assert [evicting(name)(cluster) for name in ("worker-1", "worker-3")] == [False, False]
    cluster.run_for(30)

    assert taints(cluster, "worker-2") == []
    assert [evicting(name)(cluster) for name in ("worker-1", "worker-3")] == [True, True]


def test_a_small_zone_that_is_mostly_silent_stops_evicting():
    cluster = a_cluster(nodes=[zoned(f"a-{n}", "a") for n in range(4)] + [zoned("b-0", "b")])
    for n in range(3):
        cluster.power_off(f"a-{n}")

    cluster.run_for(300)

    assert [ready(cluster, f"a-{n}") for n in range(4)] == ["Unknown", "Unknown", "Unknown", "True"]
    before_the_others = [evicting(f"a-{n}")(cluster) for n in range(3)]
    assert before_the_others.count(True) <= 1  # The first to fall silent, while its zone still looked healthy.


def test_a_large_zone_that_is_mostly_silent_evicts_one_node_every_hundred_seconds():
    cluster = a_cluster(nodes=52)
    for n in range(1, 41):
        cluster.power_off(f"worker-{n}")
    cluster.run_for(60)
    first = sum(evicting(f"worker-{n}")(cluster) for n in range(1, 41))

    cluster.run_for(300)

    assert sum(evicting(f"worker-{n}")(cluster) for n in range(1, 41)) - first == 3


def test_a_node_object_without_a_machine_is_never_heard_of():
    cluster = a_cluster(nodes=1)
    cluster.create({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "ghost"}})

    cluster.run_for(66)

    condition = conditions.get(cluster.get("Node", "ghost"), "Ready")
    assert (condition["status"], condition["reason"]) == ("Unknown", "NodeStatusNeverUpdated")
    assert condition["message"] == "Kubelet never posted node status."


def test_nodes_are_welcomed_and_taken_leave_of():
    cluster = a_cluster(nodes=2).run_for(10)
    cluster.delete(cluster.get("Node", "worker-2"))
    cluster.run_for(10)

    said = [e["message"] for e in cluster.events() if e["reason"] in ("RegisteredNode", "RemovingNode")]
    assert said == [
        "Node worker-1 event: Registered Node worker-1 in Controller",
        "Node worker-2 event: Registered Node worker-2 in Controller",
        "Node worker-2 event: Removing Node worker-2 from Controller",
    ]


def test_the_waits_of_a_failure_can_be_skipped_one_by_one():
    cluster = a_cluster(nodes=3).with_objects(a_deployment("web", replicas=3)).settled()
    cluster.power_off("worker-1")
    cluster.run_for(20)

    waits = []
    for _ in range(3):
        due, text = cluster.world.agenda.next_noted()
        waits.append(text)
        cluster.run_for((due - cluster.world.now) / SECOND + 0.05)

    assert waits == [
        "worker-1 has been silent for 50 s",
        "worker-1 gets the taint NoExecute",
        "pods of worker-1 are evicted",
    ]
    assert len([e for e in cluster.events("TaintManagerEviction") if e["message"].startswith("Marking")]) >= 1


def test_a_cordoned_node_has_its_taint_until_it_is_uncordoned():
    cluster = a_cluster(nodes=1)

    cluster.patch(cluster.get("Node", "worker-1"), {"spec": {"unschedulable": True}})
    cluster.run_for(1)
    assert taints(cluster, "worker-1") == ["unschedulable:NoSchedule"]

    cluster.patch(cluster.get("Node", "worker-1"), {"spec": {"unschedulable": None}})
    cluster.run_for(1)
    assert taints(cluster, "worker-1") == []


def test_a_thousand_nodes_all_get_a_range_of_their_own_and_become_ready():
    cluster = a_cluster(nodes=300)

    ranges = [node["spec"]["podCIDR"] for node in cluster.objects("Node")]
    assert len(set(ranges)) == 300
    assert ranges[:2] == ["10.244.0.0/24", "10.244.1.0/24"]
    assert all(nodes.is_ready(node) for node in cluster.objects("Node"))


@pytest.mark.parametrize(("nodes", "first"), [(1_024, "10.244.0.0/24"), (1_025, "10.224.0.0/24")])
def test_a_cluster_that_begins_with_more_nodes_has_more_addresses(nodes, first):
    network = nodeipam.range_of({"nodes": nodes})
    assert f"{network.network_address}/24" == first
    assert 1 << (24 - network.prefixlen) >= nodes


def test_nodes_without_a_range_wait_for_one_to_become_free():
    cluster = a_cluster(nodes=3, pod_range="10.244.0.0/23").run_for(30)
    without = [n for n in cluster.objects("Node") if not n["spec"].get("podCIDR")]
    assert [meta.name(node) for node in without] == ["worker-3"]
    assert len(cluster.events("CIDRNotAvailable")) == 1

    cluster.delete(cluster.get("Node", "worker-1"))
    cluster.run_for(30)

    assert cluster.get("Node", "worker-3")["spec"]["podCIDR"] == "10.244.0.0/24"


def test_a_node_that_never_spoke_is_left_alone_for_a_minute():
    cluster = a_cluster(nodes=2)
    cluster.create({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "ghost"}})

    cluster.run_for(55)

    assert conditions.get(cluster.get("Node", "ghost"), "Ready") is None
    assert taints(cluster, "ghost") == []

    cluster.run_for(15)

    assert conditions.get(cluster.get("Node", "ghost"), "Ready")["reason"] == "NodeStatusNeverUpdated"
    assert sorted(taints(cluster, "ghost")) == ["unreachable:NoExecute", "unreachable:NoSchedule"]
