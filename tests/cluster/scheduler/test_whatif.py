"""Why not there, and what is the smallest change? Every answer is tried in the world that it was asked about."""

import re

import pytest

from cluster.objects import Manifest, conditions, meta
from cluster.scheduler import whatif
from cluster.world import World
from tests.builders import TestCluster, a_cluster, a_deployment, a_pod

NODE_ADD = re.compile(r"python manage.py node add (\S+) --cpu (\S+) --memory (\S+?)(?: --label (\S+)=(\S+))?")
HOST = "kubernetes.io/hostname"


def advice(cluster: TestCluster, pod: Manifest) -> list[whatif.Advice]:
    return whatif.smallest(whatif.Scene(cluster.world.informers), pod)


def pending(cluster: TestCluster, name: str) -> Manifest:
    pod = next(p for p in cluster.objects("Pod", "default") if meta.name(p).startswith(name))
    told = conditions.get(pod, "PodScheduled")
    assert told is not None
    assert told["status"] == "False"
    return pod


def cordon(cluster: TestCluster, name: str) -> None:
    node = {"kind": "Node", "apiVersion": "v1", "metadata": {"name": name}}
    cluster.patch(node, {"spec": {"unschedulable": True}})


def kinds(found: list[whatif.Advice]) -> list[list[str]]:
    return [[change.kind for change in each.changes] for each in found]


def with_shape(**spec: object) -> TestCluster:
    cluster = a_cluster(nodes=[{"name": f"worker-{n}", "cpu": "2"} for n in (1, 2)])
    cluster.create(a_deployment("web", 1, **spec))
    return cluster.run_for(10)


# --- the smallest change ----------------------------------------------------------------------------------------


def test_a_pod_that_asks_for_too_much_may_ask_for_what_is_free_or_get_a_larger_node():
    cluster = with_shape(resources={"requests": {"cpu": "3", "memory": "1Gi"}})

    found = advice(cluster, pending(cluster, "web"))

    assert kinds(found) == [["shrink"], ["new-node"]]
    assert found[0].changes[0].line == "kubectl set resources deployment web --requests=cpu=2000m"
    assert found[1].changes[0].line == "python manage.py node add another-node --cpu 3 --memory 2Gi"


def test_a_cordoned_node_is_opened():
    cluster = a_cluster(nodes=1)
    cordon(cluster, "worker-1")
    cluster.create(a_deployment("web", 1))
    cluster.run_for(10)

    assert advice(cluster, pending(cluster, "web"))[0].changes[0].line == "kubectl uncordon worker-1"


def test_a_taint_is_taken_away_or_tolerated():
    cluster = a_cluster(nodes=1)
    taint = {"key": "team", "value": "b", "effect": "NoSchedule"}
    cluster.patch({"kind": "Node", "apiVersion": "v1", "metadata": {"name": "worker-1"}}, {"spec": {"taints": [taint]}})
    cluster.create(a_deployment("web", 1))
    cluster.run_for(10)

    found = advice(cluster, pending(cluster, "web"))
    assert kinds(found)[:2] == [["untaint"], ["tolerate"]]
    assert found[0].changes[0].line == "kubectl taint node worker-1 team:NoSchedule-"


def test_a_label_that_is_looked_for_is_given_to_a_node():
    cluster = with_shape(nodeSelector={"disk": "ssd"})

    found = advice(cluster, pending(cluster, "web"))

    assert found[0].changes[0].line in ("kubectl label node worker-1 disk=ssd", "kubectl label node worker-2 disk=ssd")
    assert ["any-node"] in kinds(found)


def test_two_obstacles_take_two_changes():
    cluster = a_cluster(nodes=1)
    node = {"kind": "Node", "apiVersion": "v1", "metadata": {"name": "worker-1"}}
    cluster.patch(node, {"spec": {"unschedulable": True}})
    cluster.create(a_deployment("web", 1, nodeSelector={"disk": "ssd"}))
    cluster.run_for(10)

    assert kinds(advice(cluster, pending(cluster, "web")))[0] == ["uncordon", "label"]


def test_pods_that_keep_their_distance_from_each_other_need_another_node():
    term = {"topologyKey": HOST, "labelSelector": {"matchLabels": {"app": "web"}}}
    apart = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
    cluster = a_cluster(nodes=1)
    cluster.create(a_deployment("web", 2, affinity=apart))
    cluster.run_for(20)
    pod = next(p for p in cluster.pods_of("web") if "nodeName" not in p["spec"])

    assert kinds(advice(cluster, pod)) == [["new-node"]]  # Without its own rule, the other one's would still hold.


def test_who_keeps_a_distance_that_the_others_do_not_mind_may_drop_the_rule():
    term = {"topologyKey": HOST, "labelSelector": {"matchLabels": {"app": "web"}}}
    cluster = a_cluster(nodes=1)
    cluster.create(a_deployment("web", 1))
    cluster.run_for(10)
    rules = {"requiredDuringSchedulingIgnoredDuringExecution": [term]}
    cluster.create(a_pod("shy", affinity={"podAntiAffinity": rules}))
    cluster.run_for(10)

    assert kinds(advice(cluster, pending(cluster, "shy"))) == [["drop-rule"], ["new-node"]]


def test_a_skew_that_suffices_is_named():
    rule = {"topologyKey": HOST, "maxSkew": 1, "whenUnsatisfiable": "DoNotSchedule"}
    rule["labelSelector"] = {"matchLabels": {"app": "web"}}
    cluster = a_cluster(nodes=2)
    cordon(cluster, "worker-2")
    cluster.create(a_deployment("web", 3, topologySpreadConstraints=[rule]))
    cluster.run_for(20)
    pod = next(p for p in cluster.pods_of("web") if "nodeName" not in p["spec"])

    found = advice(cluster, pod)
    assert kinds(found)[0] == ["uncordon"]
    assert any(change.kind == "skew" and change.words["skew"] == 2 for each in found for change in each.changes)


def test_a_gate_and_another_scheduler_are_told_before_all_else():
    cluster = a_cluster(nodes=1)
    cluster.create(a_pod("gated", schedulingGates=[{"name": "a/b"}]))
    cluster.create(a_pod("other", schedulerName="mine"))
    cluster.run_for(5)

    assert kinds(advice(cluster, cluster.get("Pod", "gated"))) == [["ungate"]]
    assert kinds(advice(cluster, cluster.get("Pod", "other"))) == [["scheduler"]]


@pytest.mark.parametrize(
    "spec",
    [
        {"resources": {"requests": {"cpu": "3"}}},
        {"resources": {"requests": {"memory": "20Gi"}}},
        {"nodeSelector": {"disk": "ssd"}},
        {"nodeSelector": {"disk": "ssd"}, "resources": {"requests": {"cpu": "2500m"}}},
        {"ports": [{"containerPort": 80, "hostPort": 8080}]},
    ],
)
def test_what_is_advised_works(spec):
    """On a fork of the world, the advised command is carried out as far as it is one of ours, and the pod runs."""
    cluster = a_cluster(nodes=[{"name": f"worker-{n}", "cpu": "2"} for n in (1, 2)])
    for node in ("worker-1", "worker-2"):
        cluster.create(a_pod(f"taken-{node}", nodeName=node, ports=[{"containerPort": 80, "hostPort": 8080}]))
    cluster.create(a_deployment("web", 1, **spec))
    cluster.run_for(10)
    pod = pending(cluster, "web")
    found = advice(cluster, pod)
    assert found

    for each in found:
        fork = TestCluster(World.restore(cluster.world.checkpoint_body(), cluster.world.objects()))
        if carried_out(fork, each):
            fork.run_for(400)
            assert all(p["spec"].get("nodeName") for p in fork.pods_of("web")), each


def carried_out(fork: TestCluster, said: whatif.Advice) -> bool:
    """Do what the lines say. False: a line is one for people."""
    for change in said.changes:
        if match := re.fullmatch(r"kubectl set resources deployment web --requests=(.*)", change.line):
            requests = dict(pair.split("=") for pair in match[1].split(","))
            template = fork.get("Deployment", "web")["spec"]["template"]["spec"]
            container = template["containers"][0]
            asked = {**container["resources"]["requests"], **requests}
            patch = {"spec": {"template": {"spec": {"containers": [{**container, "resources": {"requests": asked}}]}}}}
            fork.patch(a_deployment("web"), patch)
        elif match := re.fullmatch(r"kubectl label node (\S+) (\S+)=(\S+)", change.line):
            node = {"kind": "Node", "apiVersion": "v1", "metadata": {"name": match[1]}}
            fork.patch(node, {"metadata": {"labels": {match[2]: match[3]}}})
        elif match := re.fullmatch(r"kubectl delete pod (\S+)", change.line):
            fork.delete(a_pod(match[1]))
        elif match := NODE_ADD.fullmatch(change.line):
            labels = {match[4]: match[5]} if match[4] else {}
            fork.act("node-add", name=match[1], cpu=match[2], memory=match[3], labels=labels)
        else:
            return False
    return True


# --- why not there ----------------------------------------------------------------------------------------------


def test_every_plugin_that_refuses_a_node_is_named_not_only_the_first():
    cluster = a_cluster(nodes=1)
    cordon(cluster, "worker-1")
    cluster.create(a_deployment("web", 1, nodeSelector={"disk": "ssd"}, resources={"requests": {"cpu": "64"}}))
    cluster.run_for(5)

    found = whatif.why_not(whatif.Scene(cluster.world.informers), pending(cluster, "web"))

    assert [each.plugin for each in found["worker-1"]] == [
        "NodeUnschedulable", "TaintToleration", "NodeAffinity", "NodeResourcesFit",
    ]  # fmt: skip


def test_a_search_leaves_the_scene_as_it_was():
    cluster = with_shape(resources={"requests": {"cpu": "3"}})
    pod = pending(cluster, "web")
    scene = whatif.Scene(cluster.world.informers)

    assert whatif.smallest(scene, pod) == whatif.smallest(scene, pod)
    assert sorted(scene.nodes) == ["worker-1", "worker-2"]
    assert sum(len(info.pods) for info in scene.snapshot.nodes) == sum(
        bool(p["spec"].get("nodeName")) for p in cluster.objects("Pod")
    )


def test_a_pod_that_runs_is_asked_about_as_if_it_had_to_find_a_node_now():
    cluster = a_cluster(nodes=2)
    cluster.create(a_deployment("web", 1, resources={"requests": {"cpu": "3"}}))
    cluster.run_for(10)
    pod = cluster.pods_of("web")[0]
    own = pod["spec"]["nodeName"]
    other = next(name for name in ("worker-1", "worker-2") if name != own)
    cordon(cluster, other)
    cluster.run_for(5)
    scene = whatif.Scene(cluster.world.informers)
    pod = whatif.unbound(scene, pod)

    found = whatif.why_not(scene, pod)
    assert found[own] == [], "its own room is free for it"
    assert [each.plugin for each in found[other]] == ["NodeUnschedulable", "TaintToleration"]
    there = whatif.smallest(scene, pod, other)
    assert [(each.node, each.changes[0].line) for each in there] == [(other, f"kubectl uncordon {other}")]
