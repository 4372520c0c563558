"""Objects that the API accepts, however odd, never stop the cluster: its components live with them.

Manifests are changed at random places (seeded), created, patched and deleted in a living world; afterwards every object
must still be printable. An exception in any component fails the test with its traceback.
"""

import random
from typing import Any

import orjson
import pytest

from cluster.apiserver import registry, table
from cluster.objects import Manifest, meta
from tests.builders import EPOCH, Refused, TestCluster, a_cluster, a_deployment, a_pod, a_service, collection

ODD: list[Any] = [
    None,
    "",
    0,
    -1,
    1,
    7,
    [],
    {},
    "x",
    "a/b",
    [None],
    {"": ""},
    True,
    "50%",
    "120%",
    "None",
    3.5,
    "x" * 300,
]
LABELED = {"matchLabels": {"app": "web"}}


def plain_manifests() -> list[Manifest]:
    probe = {"httpGet": {"path": "/", "port": 80}, "initialDelaySeconds": 1}
    term = {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": ["worker-1"]}]}
    required = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}}
    rich = a_pod("web", affinity=required, tolerations=[{"key": "a", "operator": "Exists", "effect": "NoExecute"}])
    rich["spec"]["containers"][0] |= {"readinessProbe": probe, "ports": [{"containerPort": 80, "name": "http"}]}
    rich["spec"]["containers"][0]["resources"] = {"requests": {"cpu": "100m", "memory": "1Mi"}}
    deployment = a_deployment("web", replicas=2)
    deployment["spec"] |= {"strategy": {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": "25%"}}}
    budget = {"minAvailable": "50%", "selector": LABELED}
    return [
        rich,
        {
            **deployment,
            "spec": {**deployment["spec"], "template": {**deployment["spec"]["template"], "spec": rich["spec"]}},
        },
        a_service("web"),
        {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "web"}, "spec": budget},
        {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": "odd"},
            "spec": {"taints": [{"key": "k", "effect": "NoExecute"}]},
        },
    ]


def oddly_changed(obj: Any, chance: random.Random) -> Any:
    """A copy with one thing somewhere inside gone, doubled or replaced, mostly by something of the same type."""
    if not isinstance(obj, (dict, list)) or not obj:
        same = [odd for odd in ODD if type(odd) is type(obj)]
        return chance.choice(same if same and chance.random() < 0.7 else ODD)
    if isinstance(obj, list):
        at = chance.randrange(len(obj))
        middle = chance.choice([[], [obj[at]] * 2, [oddly_changed(obj[at], chance)]])
        return [*obj[:at], *middle, *obj[at + 1 :]]
    name = chance.choice([name for name in obj if name not in ("kind", "apiVersion")] or list(obj))
    if chance.random() < 0.1:
        return {key: value for key, value in obj.items() if key != name}
    return {**obj, name: oddly_changed(obj[name], chance)}


def try_out(cluster: TestCluster, manifest: Manifest, chance: random.Random) -> bool:
    """Create it oddly changed, patch it, perhaps delete it. False: the API refused at some point."""
    try:
        made = cluster.create(manifest)
        cluster.patch(made, {"spec": oddly_changed(made.get("spec") or {}, chance)})
        cluster.patch(made, {"status": oddly_changed(made.get("status") or {}, chance)}, "status")
        if chance.random() < 0.2:
            cluster.delete(made)
    except Refused:
        return False
    return True


@pytest.mark.parametrize("seed", range(6))
def test_a_cluster_lives_on_with_whatever_its_api_accepted(seed: int):
    chance, cluster, accepted = random.Random(seed), a_cluster(nodes=2, seed=seed), 0

    for number in range(30):
        plain = chance.choice(plain_manifests())
        odd = oddly_changed(plain, chance)
        metadata = {"name": f"odd-{number}", "labels": meta.labels(plain)}
        accepted += try_out(cluster, {**odd, "metadata": metadata}, chance)
        cluster.run_for(chance.choice([0.1, 1, 5]))
    cluster.run_for(60)

    assert accepted, "the seed found nothing that the API accepts: it proves nothing"
    for resource in registry.RESOURCES:
        if not resource.stored_as:
            objects = cluster.objects(resource.kind)
            orjson.dumps(table.table(resource.group, resource.kind, objects, EPOCH + cluster.world.now, {}))
            assert all(collection(obj) for obj in objects)
