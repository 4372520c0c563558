"""Pods that want to be near others, or away from them, or spread: what is said, who makes room, who is woken up."""

from cluster.objects import Manifest
from tests.cluster.scheduler.sandbox import Sandbox, a_sandbox

HOST, ZONE = "kubernetes.io/hostname", "topology.kubernetes.io/zone"


def a_term(app: str, topology: str = HOST) -> Manifest:
    return {"topologyKey": topology, "labelSelector": {"matchLabels": {"app": app}}}


def far_from(app: str, topology: str = HOST) -> Manifest:
    return {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [a_term(app, topology)]}}


def near(app: str, topology: str = HOST) -> Manifest:
    return {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [a_term(app, topology)]}}


def spread(app: str, topology: str = HOST, skew: int = 1) -> list[Manifest]:
    return [{**a_term(app, topology), "maxSkew": skew, "whenUnsatisfiable": "DoNotSchedule"}]


def add(sandbox: Sandbox, name: str, app: str, **spec: object) -> None:
    container = {"name": "app", "image": "nginx", "resources": {"requests": {"cpu": "100m"}}}
    metadata = {"name": name, "namespace": "default", "labels": {"app": app}}
    body = {"containers": [container], **spec}
    sandbox.create({"kind": "Pod", "apiVersion": "v1", "metadata": metadata, "spec": body})
    sandbox.run_for(1)


def test_a_pod_that_keeps_its_distance_waits_for_a_node_without_the_others():
    sandbox = a_sandbox("n1", "n2")
    for name in ("a", "b", "c"):
        add(sandbox, name, "db", affinity=far_from("db"))

    assert {sandbox.node_of("a"), sandbox.node_of("b")} == {"n1", "n2"}
    assert sandbox.node_of("c") == ""
    assert sandbox.condition("c")["message"] == (
        "0/2 nodes are available: 2 node(s) didn't match pod anti-affinity rules. "
        "preemption: 0/2 nodes are available: 2 No preemption victims found for incoming pod."
    )

    sandbox.delete("Pod", "a")
    sandbox.run_for(15)
    assert sandbox.node_of("c") != ""


def test_who_runs_already_may_keep_others_away():
    sandbox = a_sandbox("n1")
    add(sandbox, "hermit", "hermit", affinity=far_from("web"))
    add(sandbox, "w", "web")

    assert "node(s) didn't satisfy existing pods anti-affinity rules" in sandbox.condition("w")["message"]


def test_the_first_of_a_group_that_wants_to_be_together_may_go_anywhere_and_the_others_follow():
    sandbox = a_sandbox("n1", "n2", "n3")
    for name in ("a", "b", "c"):
        add(sandbox, name, "cache", affinity=near("cache"))

    assert len({sandbox.node_of(name) for name in ("a", "b", "c")}) == 1


def test_a_pod_waits_for_the_one_that_it_wants_to_be_near():
    sandbox = a_sandbox("n1", "n2")
    add(sandbox, "follower", "f", affinity=near("leader"))
    assert sandbox.condition("follower")["message"] == (
        "0/2 nodes are available: 2 node(s) didn't match pod affinity rules. "
        "preemption: 0/2 nodes are available: 2 Preemption is not helpful for scheduling."
    )

    add(sandbox, "leader", "leader")
    sandbox.run_for(15)
    assert sandbox.node_of("follower") == sandbox.node_of("leader") != ""


def test_a_namespace_that_gets_the_wanted_label_counts_from_then_on():
    sandbox = a_sandbox("n1")
    add(sandbox, "x", "web")
    term = {"topologyKey": HOST, "labelSelector": {"matchLabels": {"app": "web"}}}
    term["namespaceSelector"] = {"matchLabels": {"team": "a"}}
    apart = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
    add(sandbox, "before", "p", affinity=apart)
    sandbox.patch("Namespace", "default", {"metadata": {"labels": {"team": "a"}}})
    add(sandbox, "after", "p", affinity=apart)

    assert (sandbox.node_of("before"), sandbox.node_of("after")) == ("n1", "")


def test_zones_fill_evenly_and_a_full_skew_waits():
    sandbox = a_sandbox()
    for name, zone in (("a1", "a"), ("a2", "a"), ("b1", "b")):
        sandbox.add_node(name, {ZONE: zone})
    for number in range(4):
        add(sandbox, f"p{number}", "web", topologySpreadConstraints=spread("web", ZONE))
    zones = [sandbox.node_of(f"p{number}")[0] for number in range(4)]
    assert zones.count("a") == zones.count("b") == 2

    sandbox.patch("Node", "b1", {"spec": {"unschedulable": True}})
    for name in ("p4", "p5"):
        add(sandbox, name, "web", topologySpreadConstraints=spread("web", ZONE))
    waiting = "p5" if sandbox.node_of("p4") else "p4"
    assert "2 node(s) didn't match pod topology spread constraints" in sandbox.condition(waiting)["message"]


def test_a_node_without_the_label_is_said_to_lack_it():
    sandbox = a_sandbox("n1")
    add(sandbox, "p", "web", topologySpreadConstraints=spread("web", ZONE))

    said = sandbox.condition("p")["message"]
    assert "1 node(s) didn't match pod topology spread constraints (missing required label)" in said


def test_a_more_important_pod_pushes_out_whom_it_must_not_be_near():
    sandbox = a_sandbox("n1", "n2")
    for name in ("a", "b"):
        add(sandbox, name, "db", affinity=far_from("db"), priority=0)
    sandbox.create(
        {"kind": "PriorityClass", "apiVersion": "scheduling.k8s.io/v1", "metadata": {"name": "high"}, "value": 1000}
    )
    add(sandbox, "vip", "vip", affinity=far_from("db"), priorityClassName="high")

    preempted = [name for name in ("a", "b") if any(reason == "Preempted" for reason, _ in sandbox.events(name))]
    assert len(preempted) == 1
    nominated = sandbox.pod("vip")["status"]["nominatedNodeName"]
    assert nominated == sandbox.node_of(preempted[0])


def test_pods_of_a_service_are_spread_over_nodes_without_being_asked_to():
    sandbox = a_sandbox("n1", "n2", "n3")
    service = {"kind": "Service", "apiVersion": "v1", "metadata": {"name": "web", "namespace": "default"}}
    sandbox.create({**service, "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]}})
    add(sandbox, "big", "other", nodeName="n1")
    for name in ("a", "b", "c"):
        add(sandbox, name, "web")

    assert {sandbox.node_of(name) for name in ("a", "b", "c")} == {"n1", "n2", "n3"}


def test_a_rebuilt_scheduler_goes_on_as_the_resident_one_would():
    sandbox = a_sandbox("n1", "n2", "n3")
    for number in range(4):
        add(sandbox, f"p{number}", "web", affinity=far_from("db"), topologySpreadConstraints=spread("web"))
    twin = sandbox.rebuilt()

    for each in (sandbox, twin):
        add(each, "q", "web", topologySpreadConstraints=spread("web"))
        add(each, "r", "db")

    assert sandbox.dump() == twin.dump()
