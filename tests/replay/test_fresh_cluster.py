"""Two recordings of what happens by itself: what a fresh cluster holds, and a Node that nobody speaks for."""

from typing import Any

from cluster.objects import Manifest, meta
from tests.builders import TestCluster, a_cluster
from tests.replay import recordings

# Of the recording, what other scenarios had made by then, and what is named by chance.
FOREIGN = ("t-", "s-")
NODES = "kube-node-lease"


def listed(cluster: TestCluster, kinds: list[str]) -> set[str]:
    found = set()
    for kind in kinds:
        for obj in cluster.objects(kind):
            found.add(f"{kind} {meta.namespace(obj)}/{meta.name(obj)}")
    return found


def is_foreign(line: str) -> bool:
    kind, _, where = line.partition(" ")
    namespace, _, name = where.partition("/")
    if kind in ("Namespace", "IPAddress"):
        return name.startswith(FOREIGN) or (kind == "IPAddress" and name != "10.96.0.1")
    return namespace.startswith(FOREIGN) or kind in ("Node", "StorageClass", "PersistentVolume")


def test_a_fresh_cluster_holds_what_a_real_one_holds():
    recorded = {line for line in recordings.load("leases-and-bootstrap")[0]["objects"] if not is_foreign(line)}
    kinds = sorted({line.partition(" ")[0] for line in recorded})

    ours = {line for line in listed(a_cluster(nodes=[]), kinds) if not is_foreign(line)}

    assert ours - recorded == set()
    assert recorded - ours == set()


def test_its_leases_say_what_the_recorded_ones_say():
    leases = [item["object"] for item in recordings.load("leases-and-bootstrap") if item.get("STEP") == "lease"]
    recorded = [lease for lease in leases if lease["metadata"].get("namespace") == "kube-system"]
    cluster = a_cluster(nodes=[]).run_for(30)

    ours = {meta.name(lease).partition("-")[0]: lease for lease in cluster.objects("Lease", "kube-system")}
    assert len(ours) == len(cluster.objects("Lease", "kube-system")) - 1  # kube-scheduler, kube-controller-manager.
    for lease in recorded:
        same = [found for found in cluster.objects("Lease", "kube-system") if alike(found, lease)]
        assert len(same) == 1, meta.name(lease)
        spec = same[0]["spec"]
        assert spec.keys() == lease["spec"].keys()
        assert spec["leaseDurationSeconds"] == lease["spec"]["leaseDurationSeconds"]
        assert spec.get("leaseTransitions") == lease["spec"].get("leaseTransitions")
        assert spec["holderIdentity"].count("_") == lease["spec"]["holderIdentity"].count("_")


def alike(one: Manifest, other: Manifest) -> bool:
    """The API server's Lease is named after a hash of its host."""
    names = [meta.name(lease) for lease in (one, other)]
    return names[0] == names[1] or all(name.startswith("apiserver-") for name in names)


def test_a_node_that_nobody_speaks_for_becomes_unknown_after_a_minute():
    recorded = recordings.load("node-registered-no-kubelet")
    posted: dict[str, Any] = recorded[1]["object"]
    cluster = a_cluster(nodes=1)
    spec = {"taints": [taint for taint in posted["spec"]["taints"] if taint["key"] == "lab"]}
    node = {**posted, "metadata": {"name": "mn-1", "labels": posted["metadata"]["labels"]}, "spec": spec}
    cluster.create(node)
    cluster.patch(node, {"spec": spec})  # The recorder took the admission's taint away, too.

    cluster.run_for(59)
    before = cluster.get("Node", "mn-1")
    assert before is not None
    assert "conditions" not in before["status"]
    cluster.run_for(6.5)
    last = cluster.get("Node", "mn-1")
    assert last is not None

    wanted: dict[str, Any] = {}
    for item in recorded[1:]:
        wanted |= item.get("diff") or {}
    for condition in last["status"]["conditions"]:
        head = f"status.conditions[{condition['type']}]"
        assert {field: condition[field] for field in ("status", "reason", "message")} == {
            field: wanted[f"{head}.{field}"] for field in ("status", "reason", "message")
        }
    assert len(last["status"]["conditions"]) == sum(path.endswith("].type") for path in wanted)
    keys = [taint["key"] for taint in last["spec"]["taints"] if taint["effect"] == "NoSchedule"]
    assert keys == ["lab", wanted["spec.taints[1].key"]]  # NoExecute comes later, and the recording ends before it.
    assert last["metadata"]["annotations"] == {"node.alpha.kubernetes.io/ttl": "0"}
    assert {"beta.kubernetes.io/arch", "beta.kubernetes.io/os"} <= last["metadata"]["labels"].keys()
    assert last["spec"]["podCIDR"] == last["spec"]["podCIDRs"][0]
