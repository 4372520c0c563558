"""What a new cluster has before anybody has asked for anything, and what its API server keeps in order."""

import json
from pathlib import Path

from tests.builders import TestCluster, a_cluster
from tests.cluster.apiserver.replay import differences

GOLDEN = Path(__file__).parents[2] / "golden"
TABLES = GOLDEN / "tables"
KINDS = (
    "FlowSchema", "PriorityLevelConfiguration", "APIService", "ServiceCIDR", "PriorityClass", "ClusterRole",
    "ClusterRoleBinding", "Role", "RoleBinding",
)  # fmt: skip


def names(cluster: TestCluster, kind: str) -> set[str]:
    return {
        f"{kind} {each['metadata'].get('namespace', '')}/{each['metadata']['name']}" for each in cluster.objects(kind)
    }


def test_a_new_cluster_has_the_objects_of_a_real_one() -> None:
    recorded = json.loads((GOLDEN / "bootstrap" / "fresh-cluster.json").read_text())
    cluster = a_cluster(nodes=0)

    for kind in KINDS:
        theirs = {entry for entry in recorded if entry.startswith(f"{kind} ") and "/t-" not in entry}
        assert names(cluster, kind) == theirs, kind


def test_flow_control_prints_as_recorded() -> None:
    cluster = a_cluster(nodes=0)
    for kind in ("FlowSchema", "PriorityLevelConfiguration"):
        rows = json.loads((TABLES / f"flowcontrol.apiserver.k8s.io_v1_{kind}.json").read_text())["rows"]
        full = {row["name"]: row["objectFull"] for row in rows if "objectFull" in row}
        for row in rows:
            ours = cluster.get(kind, row["name"])
            assert ours is not None
            if row["name"] in full:
                assert differences(ours["spec"], full[row["name"]]["spec"]) == []


def test_a_schema_without_its_level_dangles_until_the_level_is_there() -> None:
    cluster = a_cluster(nodes=0)
    spec = {"priorityLevelConfiguration": {"name": "late"}, "matchingPrecedence": 700}
    head = {"apiVersion": "flowcontrol.apiserver.k8s.io/v1", "metadata": {"name": "mine"}}
    cluster.create({**head, "kind": "FlowSchema", "spec": spec})
    cluster.settle()
    (before,) = cluster.get("FlowSchema", "mine")["status"]["conditions"]
    limited = {"type": "Limited", "limited": {"limitResponse": {"type": "Reject"}}}
    cluster.create({**head, "kind": "PriorityLevelConfiguration", "metadata": {"name": "late"}, "spec": limited})
    cluster.settle()
    (after,) = cluster.get("FlowSchema", "mine")["status"]["conditions"]

    assert (before["status"], before["reason"]) == ("True", "NotFound")
    assert (after["status"], after["reason"]) == ("False", "Found")


def test_a_fixed_schema_comes_back() -> None:
    cluster = a_cluster(nodes=0)

    cluster.delete(cluster.get("FlowSchema", "catch-all"))
    assert cluster.get("FlowSchema", "catch-all") is None
    cluster.run_for(61)

    assert cluster.get("FlowSchema", "catch-all") is not None


def test_every_cluster_address_has_an_object_for_as_long_as_its_service_lives() -> None:
    cluster = a_cluster(nodes=0)
    web = cluster.create(
        {"kind": "Service", "apiVersion": "v1", "metadata": {"name": "web"}, "spec": {"ports": [{"port": 80}]}}
    )
    address = cluster.get("IPAddress", web["spec"]["clusterIP"])
    cluster.delete(web)

    parent = {"resource": "services", "namespace": "default", "name": "web"}
    assert address["spec"]["parentRef"] == parent
    assert [each["metadata"]["name"] for each in cluster.objects("IPAddress")] == ["10.96.0.1"]


def test_the_api_server_renews_its_own_lease() -> None:
    cluster = a_cluster(nodes=0)
    before = next(o for o in cluster.objects("Lease", "kube-system") if o["metadata"]["name"].startswith("apiserver-"))
    cluster.run_for(10)
    after = cluster.get("Lease", before["metadata"]["name"], "kube-system")

    assert after is not None
    assert after["spec"]["renewTime"] > before["spec"]["renewTime"]


def test_a_custom_group_has_an_api_service_while_it_is_served() -> None:
    cluster = a_cluster(nodes=0)
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}}
    spec = {"group": "x.io", "scope": "Cluster", "names": {"kind": "Foo", "plural": "foos"}, "versions": [version]}
    definition = {"kind": "CustomResourceDefinition", "apiVersion": "apiextensions.k8s.io/v1", "spec": spec}
    made = cluster.create({**definition, "metadata": {"name": "foos.x.io"}})
    cluster.settle()
    while_served = cluster.get("APIService", "v1.x.io")
    cluster.delete(made)
    cluster.settle()

    assert while_served["spec"]["groupPriorityMinimum"] == 1000
    assert cluster.get("APIService", "v1.x.io") is None


def test_a_runtime_class_gives_its_pods_overhead_and_nodes() -> None:
    cluster = a_cluster(nodes=0)
    scheduling = {"nodeSelector": {"sandbox": "yes"}, "tolerations": [{"key": "sandbox", "operator": "Exists"}]}
    cluster.create(
        {
            "kind": "RuntimeClass",
            "apiVersion": "node.k8s.io/v1",
            "metadata": {"name": "boxed"},
            "handler": "kata",
            "overhead": {"podFixed": {"cpu": "250m"}},
            "scheduling": scheduling,
        }
    )
    spec = {"runtimeClassName": "boxed", "containers": [{"name": "c", "image": "nginx"}]}

    pod = cluster.create({"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "p"}, "spec": spec})

    assert (pod["spec"]["overhead"], pod["spec"]["nodeSelector"]) == ({"cpu": "250m"}, {"sandbox": "yes"})
    assert scheduling["tolerations"][0] in pod["spec"]["tolerations"]
