"""The scheduler as a component: what it writes, in which order, and because of what."""

import pytest

from cluster.objects import meta
from cluster.scheduler import explain
from tests.cluster.scheduler.sandbox import a_sandbox

TOO_BIG = (
    "0/2 nodes are available: 2 Insufficient cpu. preemption: 0/2 nodes are available: "
    "2 Preemption is not helpful for scheduling."
)


def test_a_pod_is_bound_and_the_event_says_where():
    sandbox = a_sandbox("a")
    sandbox.add_pod("web")

    sandbox.run_for(1)

    assert sandbox.node_of("web") == "a"
    assert sandbox.events("web") == [("Scheduled", "Successfully assigned default/web to a")]
    assert sandbox.condition("web")["status"] == "True"
    assert len(sandbox.scheduler.pods) == 0


def test_the_binding_is_caused_by_the_creation_of_that_very_pod():
    sandbox = a_sandbox("a")
    sandbox.add_pod("first")
    sandbox.add_pod("second")
    created = sandbox.pod("second")["metadata"]["resourceVersion"]

    sandbox.run_for(1)

    bound = int(sandbox.pod("second")["metadata"]["resourceVersion"])
    write = next(write for write in sandbox.store.pending if write.revision == bound)
    assert tuple(write.causes) == (f"r{created}",)


def test_a_pod_too_big_for_every_node_waits_and_says_why():
    sandbox = a_sandbox("a", "b")
    sandbox.add_pod("huge", cpu="9")

    sandbox.run_for(1)

    condition = sandbox.condition("huge")
    assert (condition["status"], condition["reason"]) == ("False", "Unschedulable")
    assert condition["message"] == TOO_BIG
    assert sandbox.events("huge") == [("FailedScheduling", TOO_BIG)]
    assert sandbox.queue_of("huge") == "unschedulable"


def test_without_any_node_the_pod_is_tried_again_with_growing_back_off():
    sandbox = a_sandbox()
    sandbox.add_pod("lonely")
    sandbox.run_for(0.5)
    assert sandbox.condition("lonely")["message"] == "no nodes available to schedule pods"
    assert sandbox.queue_of("lonely") == "backoff"

    sandbox.add_node("a")
    sandbox.run_for(2)

    assert sandbox.node_of("lonely") == "a"


def test_a_new_node_that_is_large_enough_wakes_the_pod_up():
    sandbox = a_sandbox("a", "b")
    sandbox.add_pod("huge", cpu="9")
    sandbox.run_for(60)
    tried = sandbox.verdict("huge")["attempt"]

    sandbox.add_node("small")
    sandbox.run_for(1)
    assert sandbox.verdict("huge")["attempt"] == tried  # A node of 4 CPUs can't help: nobody looks again.
    sandbox.add_node("large", cpu="16")
    sandbox.run_for(1)

    assert sandbox.node_of("huge") == "large"


def test_a_pod_that_leaves_makes_room_for_one_that_waits():
    sandbox = a_sandbox("a")
    sandbox.add_pod("old", cpu="3")
    sandbox.run_for(1)
    sandbox.add_pod("new", cpu="3")
    sandbox.run_for(5)
    assert sandbox.queue_of("new") == "unschedulable"

    sandbox.delete("Pod", "old")
    sandbox.run_for(1)

    assert sandbox.node_of("new") == "a"


def test_uncordoning_the_only_node_wakes_the_pod_up():
    sandbox = a_sandbox()
    sandbox.add_node("a", unschedulable=True)
    sandbox.add_pod("web")
    sandbox.run_for(5)
    assert sandbox.condition("web")["message"].startswith("0/1 nodes are available: 1 node(s) were unschedulable.")

    sandbox.patch("Node", "a", {"spec": {"unschedulable": None, "taints": None}})
    sandbox.run_for(1)

    assert sandbox.node_of("web") == "a"


def test_heartbeats_wake_nobody_up():
    sandbox = a_sandbox("a")
    sandbox.add_pod("huge", cpu="9")
    sandbox.run_for(5)
    revision = sandbox.store.revision

    condition = {"type": "Ready", "status": "True", "lastHeartbeatTime": "2026-11-24T02:30:00Z"}
    sandbox.patch("Node", "a", {"status": {"conditions": [condition]}}, "status")
    sandbox.run_for(5)

    assert sandbox.store.revision == revision + 1  # The heartbeat itself, and nothing after it.


def test_a_forgotten_pod_is_tried_again_after_five_minutes():
    sandbox = a_sandbox("a")
    sandbox.add_pod("huge", cpu="9")
    sandbox.run_for(299)
    assert sandbox.verdict("huge")["attempt"] == 1

    sandbox.run_for(60)

    assert sandbox.verdict("huge")["attempt"] == 2


def test_the_more_important_pod_goes_first():
    sandbox = a_sandbox("a")
    sandbox.create(
        {
            "kind": "PriorityClass",
            "apiVersion": "scheduling.k8s.io/v1",
            "metadata": {"name": "vip"},
            "value": 100,
        }
    )
    sandbox.add_pod("usual", cpu="3")
    sandbox.add_pod("important", cpu="3", priorityClassName="vip")

    sandbox.run_for(1)

    assert sandbox.node_of("important") == "a"
    assert sandbox.node_of("usual") == ""


def test_a_gated_pod_waits_until_its_gate_is_removed():
    sandbox = a_sandbox("a")
    sandbox.add_pod("gated", schedulingGates=[{"name": "example.com/wait"}])
    sandbox.run_for(5)
    assert (sandbox.queue_of("gated"), sandbox.events("gated")) == ("gated", [])

    sandbox.patch("Pod", "gated", {"spec": {"schedulingGates": None}})
    sandbox.run_for(1)

    assert sandbox.node_of("gated") == "a"


def test_pods_of_another_scheduler_are_left_alone():
    sandbox = a_sandbox("a")
    sandbox.add_pod("foreign", schedulerName="mine")

    sandbox.run_for(5)

    assert sandbox.node_of("foreign") == ""
    assert "foreign" not in str(sandbox.scheduler.pods.entries)
    assert sandbox.events("foreign") == []


def test_a_pod_deleted_while_it_waits_is_forgotten():
    sandbox = a_sandbox("a")
    sandbox.add_pod("huge", cpu="9")
    sandbox.run_for(1)
    uid = meta.uid(sandbox.pod("huge"))

    sandbox.delete("Pod", "huge")

    assert len(sandbox.scheduler.pods) == 0
    assert uid not in sandbox.cells["verdicts"]


def test_a_pod_made_again_under_the_same_name_starts_anew():
    sandbox = a_sandbox("a")
    sandbox.add_pod("web", cpu="9")
    sandbox.run_for(1)
    sandbox.delete("Pod", "web")

    sandbox.add_pod("web")
    sandbox.run_for(1)

    assert sandbox.node_of("web") == "a"
    assert sandbox.verdict("web")["attempt"] == 1


def test_finished_pods_take_no_room():
    sandbox = a_sandbox("a")
    sandbox.add_pod("job", cpu="3")
    sandbox.run_for(1)

    sandbox.patch("Pod", "job", {"status": {"phase": "Succeeded"}}, "status")
    sandbox.add_pod("next", cpu="3")
    sandbox.run_for(1)

    assert sandbox.node_of("next") == "a"


def test_a_daemons_pod_is_looked_at_on_its_own_node_only():
    sandbox = a_sandbox("a", "b", "c")
    field = {"key": "metadata.name", "operator": "In", "values": ["b"]}
    required = {"nodeSelectorTerms": [{"matchFields": [field]}]}
    affinity = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}}

    sandbox.add_pod("fits", affinity=affinity)
    sandbox.add_pod("huge", cpu="9", affinity=affinity)
    sandbox.run_for(1)

    assert sandbox.node_of("fits") == "b"
    assert sandbox.condition("huge")["message"] == (
        "0/3 nodes are available: 1 Insufficient cpu, 2 node(s) didn't satisfy plugin(s) [NodeAffinity]. "
        "preemption: 0/3 nodes are available: 3 Preemption is not helpful for scheduling."
    )


def test_an_important_pod_pushes_a_less_important_one_out():
    sandbox = a_sandbox("a", "b")
    for name, value in (("low", 10), ("mid", 100), ("high", 1000)):
        priority = {"kind": "PriorityClass", "apiVersion": "scheduling.k8s.io/v1", "metadata": {"name": name}}
        sandbox.create({**priority, "value": value})
    sandbox.add_pod("cheap", cpu="3", priorityClassName="low")
    sandbox.run_for(1)
    sandbox.add_pod("dearer", cpu="3", priorityClassName="mid")
    sandbox.run_for(1)
    where = sandbox.node_of("cheap")

    sandbox.add_pod("vip", cpu="3", priorityClassName="high")
    sandbox.run_for(1)

    said = f"preemption: found a potential placement for pod on node {where}, preempting 1 victims"
    assert sandbox.condition("vip")["message"] == f"0/2 nodes are available: 2 Insufficient cpu. {said}"
    assert sandbox.pod("vip")["status"]["nominatedNodeName"] == where
    assert meta.is_deleting(sandbox.pod("cheap"))
    target = next(c for c in sandbox.pod("cheap")["status"]["conditions"] if c["type"] == "DisruptionTarget")
    assert target["reason"] == "PreemptionByScheduler"
    assert sandbox.events("cheap")[-1] == (
        "Preempted",
        f"Preempted by pod {meta.uid(sandbox.pod('vip'))} on node {where}",
    )

    sandbox.add_pod("sneaky", cpu="3")  # Less important: may not take the room that is kept free.
    sandbox.delete("Pod", "cheap")
    sandbox.run_for(1)
    assert sandbox.node_of("vip") == where
    assert sandbox.node_of("sneaky") == ""


def test_a_restarted_scheduler_lists_anew_and_goes_on():
    sandbox = a_sandbox("a")
    sandbox.add_pod("huge", cpu="9")
    sandbox.run_for(1)

    sandbox.informers.stopped.add("kube-scheduler")
    sandbox.scheduler.stop()
    sandbox.add_pod("late")
    sandbox.run_for(60)
    assert sandbox.node_of("late") == ""
    sandbox.informers.stopped.clear()
    sandbox.scheduler.start()
    sandbox.run_for(1)

    assert sandbox.node_of("late") == "a"
    assert sandbox.queue_of("huge") == "unschedulable"


@pytest.mark.parametrize("node", ["a", "b", "cordoned"])
def test_every_node_has_its_answer(node):
    sandbox = a_sandbox("a", "b")
    sandbox.add_node("cordoned", unschedulable=True)
    sandbox.add_pod("web")
    sandbox.run_for(1)
    verdict = sandbox.verdict("web")

    row = explain.why_not(verdict, node)

    assert row.node == node
    assert row.chosen == (node == sandbox.node_of("web"))
    if node == "cordoned":
        assert row.text == "refused by NodeUnschedulable: node(s) were unschedulable"
    else:
        assert row.total == sum(score.points for score in row.scores)


def test_why_this_node_names_where_the_others_lost():
    sandbox = a_sandbox("a", "b")
    sandbox.add_pod("first", cpu="2")
    sandbox.run_for(1)
    sandbox.add_pod("second", cpu="1")
    sandbox.run_for(1)

    chosen = explain.why_this(sandbox.verdict("second"))
    other = explain.why_not(sandbox.verdict("second"), sandbox.node_of("first"))

    assert chosen is not None
    assert chosen.node == sandbox.node_of("second")
    assert chosen.total is not None
    assert other.total is not None
    assert chosen.total > other.total
    assert f"points behind {chosen.node}, most of them lost in NodeResourcesFit" in other.text
