"""The fast scheduler places every pod exactly where the plain one would."""

import json
import random

from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.engine.informer import Informers
from cluster.objects import Manifest, meta
from cluster.scheduler import configuration
from cluster.scheduler.framework import Framework
from cluster.scheduler.snapshot import Snapshot
from tests.cluster.scheduler import plain, plain_pods

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
        "status": {"allocatable": allocatable, "images": some_images(chance)},
    }


def some_images(chance: random.Random) -> list[Manifest]:
    images = {"app:1": 900_000_000, "app:2": 300_000_000, "tool:latest": 2_500_000_000, "small:1": 5_000_000}
    return [{"names": [name], "sizeBytes": size} for name, size in images.items() if chance.random() < 0.3]


RESOURCES = ["cpu", "memory", "ephemeral-storage", "example.com/gpu"]
TOPOLOGIES = ["kubernetes.io/hostname", "zone", "topology.kubernetes.io/zone", "disk"]


def a_selector(chance: random.Random) -> Manifest:
    return chance.choice(
        [
            {"matchLabels": {"app": chance.choice("abc")}},
            {"matchExpressions": [{"key": "app", "operator": "In", "values": ["a", "b"]}]},
            {"matchExpressions": [{"key": "tier", "operator": "DoesNotExist"}]},
            {},
        ]
    )


def a_term(chance: random.Random) -> Manifest:
    term: Manifest = {"topologyKey": chance.choice(TOPOLOGIES)}
    if chance.random() < 0.95:
        term["labelSelector"] = a_selector(chance)
    if chance.random() < 0.2:
        term["namespaces"] = chance.sample(["default", "other"], chance.randint(1, 2))
    if chance.random() < 0.2:
        term["namespaceSelector"] = chance.choice([{}, {"matchLabels": {"team": "b"}}])
    if chance.random() < 0.15:
        term[chance.choice(["matchLabelKeys", "mismatchLabelKeys"])] = ["tier"]
    return term


def pod_affinity(chance: random.Random) -> Manifest:
    """What a template says of other pods."""
    said: Manifest = {}
    for side in ("podAffinity", "podAntiAffinity"):
        rules: Manifest = {}
        if chance.random() < 0.3:
            rules["requiredDuringSchedulingIgnoredDuringExecution"] = [a_term(chance)]
        if chance.random() < 0.3:
            rules["preferredDuringSchedulingIgnoredDuringExecution"] = [
                {"weight": chance.randint(1, 100), "podAffinityTerm": a_term(chance)}
                for _ in range(chance.randint(1, 2))
            ]
        if rules:
            said[side] = rules
    return said


def some_constraints(chance: random.Random) -> list[Manifest]:
    found = []
    for _ in range(chance.randint(1, 2)):
        constraint = {"topologyKey": chance.choice(TOPOLOGIES), "maxSkew": chance.randint(1, 3)}
        constraint["whenUnsatisfiable"] = chance.choice(["DoNotSchedule", "ScheduleAnyway"])
        constraint["labelSelector"] = a_selector(chance)
        if chance.random() < 0.2 and constraint["whenUnsatisfiable"] == "DoNotSchedule":
            constraint["minDomains"] = chance.randint(1, 5)
        if chance.random() < 0.2:
            constraint["nodeAffinityPolicy"] = chance.choice(["Honor", "Ignore"])
        if chance.random() < 0.2:
            constraint["nodeTaintsPolicy"] = chance.choice(["Honor", "Ignore"])
        if chance.random() < 0.1:
            constraint["matchLabelKeys"] = ["tier"]
        found.append(constraint)
    return found


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
        image = chance.choice(["app:1", "app:2", "tool", "small:1", "new:1"])
        container: Manifest = {"name": "app", "image": image, "resources": {"requests": requests}}
        if chance.random() < 0.1:
            container["ports"] = [{"hostPort": chance.choice([80, 81]), "hostIP": chance.choice(["", "10.0.0.1"])}]
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
    whole = ({"nodeAffinity": affinity} if affinity else {}) | (pod_affinity(chance) if chance.random() < 0.4 else {})
    if whole:
        spec["affinity"] = whole
    if chance.random() < 0.3:
        spec["topologySpreadConstraints"] = some_constraints(chance)
    return spec


def some_labels(chance: random.Random) -> dict[str, str]:
    return {"app": chance.choice("abc")} | ({"tier": chance.choice("xy")} if chance.random() < 0.5 else {})


def a_configuration(chance: random.Random) -> configuration.Configuration:
    """Plugins in another order and with other weights, some of them off, some of them told something."""
    weighed = [{"name": name, "weight": chance.randint(1, 5)} for name in RESOURCES if chance.random() < 0.6]
    strategy: Manifest = {"type": chance.choice(["LeastAllocated", "MostAllocated", "RequestedToCapacityRatio"])}
    if weighed:
        strategy["resources"] = weighed
    if strategy["type"] == "RequestedToCapacityRatio":
        turns = sorted(chance.sample(range(101), chance.randint(1, 4)))
        shape = [{"utilization": turn, "score": chance.randint(0, 10)} for turn in turns]
        strategy["requestedToCapacityRatio"] = {"shape": shape}
    config = [{"name": "NodeResourcesFit", "args": {"scoringStrategy": strategy}}]
    if chance.random() < 0.5:
        names = [name for name in RESOURCES if chance.random() < 0.6] or ["cpu"]
        balanced = [{"name": name, "weight": 1} for name in names]
        config.append({"name": "NodeResourcesBalancedAllocation", "args": {"resources": balanced}})
    if chance.random() < 0.3:
        expression = {"key": "zone", "operator": chance.choice(["In", "NotIn"]), "values": ["z0", "z1"]}
        preferred = [{"weight": chance.randint(1, 100), "preference": {"matchExpressions": [expression]}}]
        added: Manifest = {"preferredDuringSchedulingIgnoredDuringExecution": preferred}
        if chance.random() < 0.5:
            required = {"nodeSelectorTerms": [{"matchExpressions": [expression]}]}
            added["requiredDuringSchedulingIgnoredDuringExecution"] = required
        config.append({"name": "NodeAffinity", "args": {"addedAffinity": added}})
    local = ["TaintToleration", "NodeAffinity", "NodeResourcesFit", "NodeResourcesBalancedAllocation"]
    chosen = chance.sample(local, chance.randint(0, 4))
    scores = {"enabled": [{"name": name, "weight": chance.randint(1, 9)} for name in chosen]}
    off = [{"name": name} for name in (*local, "InterPodAffinity", "ImageLocality") if chance.random() < 0.2]
    off = [each for each in off if each["name"] not in chosen]
    plugins: Manifest = {"score": {**scores, "disabled": off}, "preScore": {"disabled": off}}
    profile = {"plugins": plugins, "pluginConfig": config, "percentageOfNodesToScore": chance.choice([0, 10, 70, 100])}
    head = {"apiVersion": configuration.VERSION, "kind": configuration.KIND}
    return configuration.read(json.dumps({**head, "profiles": [profile]}))


def run(seed: int, nodes: int, pods: int, configured: bool = False) -> None:
    """Schedule `pods` pods of a few shapes, while nodes change and pods leave; compare every decision."""
    chance = random.Random(seed)
    known = {f"n-{index}": a_node(chance, index) for index in range(nodes)}
    snapshot = Snapshot(lambda: list(known.values()), lambda name: plain_pods.NAMESPACES[name])
    for node in known.values():
        snapshot.set_node(node)
    informers = Informers()
    told = a_configuration(chance) if configured else configuration.DEFAULT
    framework = Framework(told.build(informers)["default-scheduler"])
    service = {"metadata": {"name": "s", "namespace": "default"}, "spec": {"selector": {"app": "a"}}}
    if chance.random() < 0.5:
        informers.load("Service", "default/s", service, 1)
    served = informers.list("Service") != []
    shapes = [a_shape(chance, nodes) for _ in range(4)]
    start, placed = 0, []
    for index in range(pods):
        metadata = {"name": f"p-{index}", "namespace": chance.choice(["default", "default", "other"])}
        metadata |= {"uid": f"u-{index}", "labels": some_labels(chance)}
        pod = {"kind": "Pod", "apiVersion": "v1", "metadata": metadata, "spec": {**chance.choice(shapes)}}

        def roll(sides: int, index: int = index) -> int:
            return 5_003 * index % sides

        cycle = framework.schedule(pod, snapshot, start, roll)
        mine = served and metadata["namespace"] == "default" and metadata["labels"]["app"] == "a"
        owned = {"matchLabels": {"app": "a"}} if mine else None
        expected = plain.schedule(framework.profile, pod, snapshot.nodes, start, roll, owned)

        assert cycle.node == expected["node"]
        assert cycle.plan.denied == expected["denied"]
        assert {snapshot.nodes[row].name: why for row, why in cycle.refusals().items()} == expected["refused"]
        assert cycle.evaluated == expected["evaluated"]
        if cycle.total is not None:
            names = [snapshot.nodes[row].name for row in cycle.scored]
            assert dict(zip(names, cycle.total.tolist(), strict=True)) == expected["scores"]
        start = (start + cycle.evaluated) % len(snapshot.nodes)
        if cycle.node:
            placed.append({**pod, "spec": {**pod["spec"], "nodeName": cycle.node}})
            snapshot.add_pod(placed[-1])
        if chance.random() < 0.2 and placed:
            snapshot.remove_pod(meta.key(placed.pop(chance.randrange(len(placed)))))
        if chance.random() < 0.1 and placed:
            at = chance.randrange(len(placed))
            going = {**placed[at]["metadata"], "deletionTimestamp": "2026-11-25T00:00:00Z"}
            placed[at] = {**placed[at], "metadata": going}
            snapshot.add_pod(placed[at])
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


@settings(max_examples=400, deadline=None)
@given(seed=st.integers(0, 2**32), nodes=st.integers(1, 130))
def test_whatever_a_profile_is_told_all_nodes_at_once_say_the_same_as_one_by_one(seed, nodes):
    run(seed, nodes, pods=15, configured=True)
