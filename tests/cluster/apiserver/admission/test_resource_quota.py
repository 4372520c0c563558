"""ResourceQuota: admission charges, the controller counts."""

from cluster.world import World
from tests.builders import TestCluster, a_cluster, a_deployment, a_pod, a_service
from tests.cluster.apiserver.admission.words import a_quota, a_sized_pod, in_namespace, refusal


def used(cluster: TestCluster, name: str = "q") -> dict[str, str]:
    quota = cluster.get("ResourceQuota", name)
    assert quota is not None
    return quota["status"]["used"]


def test_what_is_let_in_is_charged_in_the_same_step():
    cluster = a_cluster(nodes=1).with_objects(a_quota("q", {"pods": "2", "requests.cpu": "1"})).settle()

    cluster.create(a_sized_pod("web", "300m"))

    assert used(cluster) == {"pods": "1", "requests.cpu": "300m"}


def test_one_pod_too_many_is_refused_in_the_real_words():
    cluster = a_cluster(nodes=1).with_objects(a_quota("q", {"pods": "2"})).settle()
    cluster.with_objects(a_pod("a"), a_pod("b"))

    said = refusal(cluster, a_pod("c"))

    assert said == 'pods "c" is forbidden: exceeded quota: q, requested: pods=1, used: pods=2, limited: pods=2'
    assert used(cluster) == {"pods": "2"}


def test_a_pod_must_say_what_a_quota_counts():
    hard = {"limits.cpu": "4", "requests.memory": "1Gi"}
    cluster = a_cluster(nodes=1).with_objects(a_quota("q", hard)).settle()

    said = refusal(cluster, a_pod("web"))

    assert said == (
        'pods "web" is forbidden: failed quota: q: must specify limits.cpu for: app; requests.memory for: app'
    )


def test_a_dry_run_charges_nothing():
    cluster = a_cluster(nodes=1).with_objects(a_quota("q", {"pods": "2"})).settle()

    cluster.request("POST", "/api/v1/namespaces/default/pods", a_pod("web"), "dryRun=All")

    assert used(cluster) == {"pods": "0"}


def test_what_goes_is_given_back():
    cluster = a_cluster(nodes=1).with_objects(a_quota("q", {"pods": "2", "configmaps": "5"})).settle()
    cluster.create(a_pod("web"))
    before = used(cluster)

    cluster.delete(a_pod("web"))
    cluster.settle()

    assert (before["pods"], used(cluster)["pods"]) == ("1", "0")


def test_a_finished_pod_is_no_pod_any_more_but_still_an_object():
    cluster = a_cluster(nodes=1).with_objects(a_quota("q", {"pods": "2", "count/pods": "2"})).settle()

    cluster.create(a_pod("done", image="busybox", command=["sh", "-c", "exit 0"], restartPolicy="Never"))
    cluster.settle()

    assert used(cluster) == {"count/pods": "1", "pods": "0"}


def test_scopes_choose_which_pods_count():
    quotas = [
        a_quota("best-effort", {"pods": "5"}, scopes=["BestEffort"]),
        a_quota("sized", {"pods": "5"}, scopes=["NotBestEffort"]),
        a_quota("ending", {"pods": "5"}, scopes=["Terminating"]),
        a_quota(
            "vip",
            {"pods": "5"},
            scopeSelector={"matchExpressions": [{"scopeName": "PriorityClass", "operator": "In", "values": ["high"]}]},
        ),
    ]
    high = {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": "high"}, "value": 10}
    cluster = a_cluster(nodes=1).with_objects(high, *quotas).settle()

    cluster.create(a_pod("light"))
    cluster.create(a_sized_pod("heavy", "100m", priorityClassName="high", activeDeadlineSeconds=600))

    counts = {name: used(cluster, name)["pods"] for name in ("best-effort", "sized", "ending", "vip")}
    assert counts == {"best-effort": "1", "sized": "1", "ending": "1", "vip": "1"}
    cluster.settle()  # The controller, counting for itself, comes to the same.
    assert {name: used(cluster, name)["pods"] for name in counts} == counts


def test_node_ports_are_counted_when_a_service_changes_its_type():
    cluster = a_cluster(nodes=1).with_objects(a_quota("q", {"services": "5", "services.nodeports": "1"})).settle()
    cluster.create(a_service("web"))

    cluster.patch(a_service("web"), {"spec": {"type": "NodePort"}})
    charged = used(cluster)
    second = {**a_service("other"), "spec": {"type": "NodePort", "ports": [{"port": 80}]}}

    assert refusal(cluster, second) == (
        'services "other" is forbidden: exceeded quota: q, requested: services.nodeports=1, used: services.nodeports=1,'
        " limited: services.nodeports=1"
    )
    assert charged == {"services": "2", "services.nodeports": "1"}  # The other one is `kubernetes`.
    cluster.patch(a_service("web"), {"spec": {"type": "ClusterIP", "ports": [{"port": 80}]}})
    assert used(cluster)["services.nodeports"] == "0"


def test_claims_are_counted_by_size_and_by_class():
    gold = "gold.storageclass.storage.k8s.io/requests.storage"
    cluster = a_cluster(nodes=1).with_objects(a_quota("q", {"requests.storage": "10Gi", gold: "5Gi"})).settle()

    def claim(name: str, size: str) -> dict[str, object]:
        spec = {"accessModes": ["ReadWriteOnce"], "storageClassName": "gold"}
        body = {**spec, "resources": {"requests": {"storage": size}}}
        return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name}, "spec": body}

    cluster.create(claim("a", "3Gi"))

    assert used(cluster) == {gold: "3Gi", "requests.storage": "3Gi"}
    assert refusal(cluster, claim("b", "4Gi")) == (
        f'persistentvolumeclaims "b" is forbidden: exceeded quota: q, requested: {gold}=4Gi, used: {gold}=3Gi,'
        f" limited: {gold}=5Gi"
    )


def test_any_kind_can_be_counted_by_its_name():
    cluster = a_cluster(nodes=1).with_objects(a_quota("q", {"count/deployments.apps": "1"})).settle()
    cluster.create(a_deployment("one"))

    assert refusal(cluster, a_deployment("two")) == (
        'deployments.apps "two" is forbidden: exceeded quota: q, requested: count/deployments.apps=1,'
        " used: count/deployments.apps=1, limited: count/deployments.apps=1"
    )
    cluster.delete(a_deployment("one"))
    cluster.settle()
    assert used(cluster) == {"count/deployments.apps": "0"}


def test_a_charge_for_what_was_there_already_stands_until_the_next_count():
    cluster = a_cluster(nodes=1).with_objects(a_quota("q", {"pods": "5"})).settle()
    cluster.create(a_pod("web"))

    assert "already exists" in refusal(cluster, a_pod("web"))

    assert used(cluster) == {"pods": "2"}
    cluster.run_for(301)
    assert used(cluster) == {"pods": "1"}


def test_a_raised_limit_is_counted_at_once_and_lets_pods_in():
    cluster = a_cluster(nodes=1).with_objects(a_quota("q", {"pods": "1"})).settle()
    cluster.create(a_deployment("web", replicas=3))
    cluster.settle()
    before = len(cluster.pods_of("web"))

    cluster.patch(a_quota("q", {}), {"spec": {"hard": {"pods": "9"}}})
    cluster.run_for(120)

    assert (before, len(cluster.pods_of("web"))) == (1, 3)


def test_a_quota_of_one_namespace_does_not_bother_another():
    other = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "other"}}
    cluster = a_cluster(nodes=1).with_objects(other, a_quota("q", {"pods": "0"})).settle()

    cluster.create(in_namespace(a_pod("web"), "other"))

    assert used(cluster) == {"pods": "0"}


def test_a_world_with_quotas_has_the_same_future_when_rebuilt():
    cluster = a_cluster(nodes=2).with_objects(a_quota("q", {"pods": "3", "requests.cpu": "1"}))
    cluster.create(a_deployment("web", replicas=5, resources={"requests": {"cpu": "200m"}}))
    cluster.run_for(1)
    twin = TestCluster(World.restore(cluster.world.checkpoint_body(), cluster.world.objects()))

    for each in (cluster, twin):
        each.run_for(30)

    assert twin.world.checkpoint_body() == cluster.world.checkpoint_body()
    assert twin.world.objects() == cluster.world.objects()
