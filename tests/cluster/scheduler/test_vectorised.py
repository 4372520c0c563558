"""The fast scheduler places every pod exactly where the plain one would."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.engine.informer import Informers
from cluster.objects import Manifest
from cluster.scheduler.framework import Framework
from cluster.scheduler.profile import default_profile
from cluster.scheduler.snapshot import Snapshot
from tests.cluster.scheduler import plain

EFFECTS = ["NoSchedule", "NoExecute", "PreferNoSchedule"]


def a_node(chance: random.Random, index: int) -> Manifest:
    labels = {"kubernetes.io/hostname": f"n-{index}"}
    if chance.random() < 0.7:
        labels["zone"] = f"z{chance.randrange(4)}"
    if chance.random() < 0.3:
        labels["topology.kubernetes.io/zone"] = f"az{chance.randrange(3)}"
    if chance.random() < 0.3:
        labels["disk"] = chance.choice(["ssd", "hdd", "3", "12"])
    spec: Manifest = {}
    if chance.random() < 0.1:
        spec["unschedulable"] = True
    if chance.random() < 0.3:
        spec["taints"] = [
            {"key": chance.choice("ab"), "value": chance.choice("xy"), "effect": chance.choice(EFFECTS)}
            for _ in range(chance.randint(1, 3))
        ]
    allocatable = {
        "cpu": chance.choice(["1", "1500m", "4"]),
        "memory": chance.choice(["1Gi", "4Gi", "7777777k"]),
    }
    allocatable["pods"] = chance.choice(["2", "5", "110"])
    if chance.random() < 0.2:
        allocatable["example.com/gpu"] = chance.choice(["0", "1", "4"])
    if chance.random() < 0.05:
        del allocatable["memory"]
    metadata = {"name": f"n-{index}", "labels": labels}
    return {
        "kind": "Node",
        "apiVersion": "v1",
        "metadata": metadata,
        "spec": spec,
        "status": {"allocatable": allocatable},
    }


def an_expression(chance: random.Random) -> Manifest:
    operator = chance.choice(["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"])
    expression = {"key": chance.choice(["zone", "disk", "nothing"]), "operator": operator}
    if operator in ("In", "NotIn"):
        expression["values"] = chance.sample(["z0", "z1", "z2", "ssd", "hdd"], 2)
    if operator in ("Gt", "Lt"):
        expression["values"] = [chance.choice(["5", "x"])]
    return expression


def a_shape(chance: random.Random, nodes: int) -> Manifest:
    """The spec of a pod template."""
    containers = []
    for _ in range(chance.randint(1, 2)):
        requests = {}
        if chance.random() < 0.8:
            requests["cpu"] = chance.choice(["10m", "100m", "333m", "1", "2"])
        if chance.random() < 0.7:
            requests["memory"] = chance.choice(["64Mi", "1Gi", "3Gi"])
        if chance.random() < 0.1:
            requests["example.com/gpu"] = "1"
        container: Manifest = {"name": "app", "resources": {"requests": requests}}
        if chance.random() < 0.1:
            container["ports"] = [
                {"hostPort": chance.choice([80, 81]), "hostIP": chance.choice(["", "10.0.0.1"])}
            ]
        containers.append(container)
    spec: Manifest = {"containers": containers}
    if chance.random() < 0.2:
        sidecar = {"restartPolicy": "Always"} if chance.random() < 0.5 else {}
        spec["initContainers"] = [{"name": "init", "resources": {"requests": {"cpu": "800m"}}, **sidecar}]
    if chance.random() < 0.4:
        spec["tolerations"] = [
            {"key": chance.choice("ab"), "operator": "Exists", "effect": chance.choice([*EFFECTS, ""])},
            {"key": chance.choice("ab"), "value": chance.choice("xy")},
        ]
    if chance.random() < 0.2:
        spec["nodeSelector"] = {"zone": f"z{chance.randrange(4)}"}
    affinity: Manifest = {}
    if chance.random() < 0.2:
        terms = [{"matchExpressions": [an_expression(chance) for _ in range(2)]} for _ in range(2)]
        if chance.random() < 0.3:
            names = [f"n-{chance.randrange(nodes + 2)}" for _ in range(3)]
            terms = [{"matchFields": [{"key": "metadata.name", "operator": "In", "values": names}]}]
        affinity["requiredDuringSchedulingIgnoredDuringExecution"] = {"nodeSelectorTerms": terms}
    if chance.random() < 0.3:
        affinity["preferredDuringSchedulingIgnoredDuringExecution"] = [
            {"weight": chance.randint(1, 100), "preference": {"matchExpressions": [an_expression(chance)]}}
            for _ in range(2)
        ]
    if affinity:
        spec["affinity"] = {"nodeAffinity": affinity}
    return spec


def run(seed: int, nodes: int, pods: int) -> None:
    """Schedule `pods` pods of a few shapes, while nodes change and pods leave; compare every decision."""
    chance = random.Random(seed)
    known = {f"n-{index}": a_node(chance, index) for index in range(nodes)}
    snapshot = Snapshot(lambda: list(known.values()))
    for node in known.values():
        snapshot.set_node(node)
    framework = Framework(default_profile(Informers()))
    shapes = [a_shape(chance, nodes) for _ in range(4)]
    start, placed = 0, []
    for index in range(pods):
        metadata = {"name": f"p-{index}", "namespace": "default", "uid": f"u-{index}"}
        pod = {"kind": "Pod", "apiVersion": "v1", "metadata": metadata, "spec": {**chance.choice(shapes)}}

        def roll(sides: int, index: int = index) -> int:
            return 5_003 * index % sides

        cycle = framework.schedule(pod, snapshot, start, roll)
        expected = plain.schedule(framework.profile, pod, snapshot.nodes, start, roll)

        assert cycle.node == expected["node"]
        assert cycle.plan.denied == expected["denied"]
        assert {snapshot.nodes[row].name: why for row, why in cycle.refusals().items()} == expected["refused"]
        assert cycle.evaluated == expected["evaluated"]
        if cycle.total is not None:
            names = [snapshot.nodes[row].name for row in cycle.scored]
            assert dict(zip(names, cycle.total.tolist(), strict=True)) == expected["scores"]
        start = (start + cycle.evaluated) % len(snapshot.nodes)
        if cycle.node:
            placed.append(f"default/p-{index}")
            snapshot.add_pod({**pod, "spec": {**pod["spec"], "nodeName": cycle.node}})
        if chance.random() < 0.2 and placed:
            snapshot.remove_pod(placed.pop(chance.randrange(len(placed))))
        if chance.random() < 0.1:
            changed = a_node(chance, chance.randrange(nodes))
            known[changed["metadata"]["name"]] = changed
            snapshot.set_node(changed)
        if chance.random() < 0.02 and len(known) > 1:
            gone = chance.choice(sorted(known))
            del known[gone]
            snapshot.remove_node(gone)


@settings(max_examples=1_500, deadline=None)
@given(seed=st.integers(0, 2**32), nodes=st.integers(1, 30))
def test_in_small_clusters_every_pod_goes_where_the_plain_algorithm_puts_it(seed, nodes):
    run(seed, nodes, pods=25)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), nodes=st.integers(100, 400))
def test_in_large_clusters_the_search_stops_at_the_same_node(seed, nodes):
    run(seed, nodes, pods=40)
