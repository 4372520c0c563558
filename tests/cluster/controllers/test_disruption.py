"""PodDisruptionBudgets: how many pods may be evicted right now."""

import pytest

from cluster.objects import conditions, meta
from tests.builders import Refused, TestCluster, a_cluster, a_deployment, a_pod


def a_budget(**spec: int | str):
    body = {"selector": {"matchLabels": {"app": "web"}}, **spec}
    return {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "web"}, "spec": body}


def evict(cluster: TestCluster, pod) -> None:
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": meta.name(pod), "namespace": "default"}}
    cluster.request("POST", f"/api/v1/namespaces/default/pods/{meta.name(pod)}/eviction", body)


def counts(cluster: TestCluster) -> tuple[int, int, int, int]:
    """(allowed, healthy, desired, expected)"""
    status = cluster.get("PodDisruptionBudget", "web")["status"]
    return tuple(status[n] for n in ("disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods"))


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"minAvailable": 2}, (3, 5, 2, 5)),
        ({"minAvailable": "50%"}, (2, 5, 3, 5)),
        ({"maxUnavailable": 1}, (1, 5, 4, 5)),
        ({"maxUnavailable": "30%"}, (2, 5, 3, 5)),
        ({"maxUnavailable": 0}, (0, 5, 5, 5)),
        ({"minAvailable": 7}, (0, 5, 7, 5)),
    ],
)
def test_the_allowance_is_what_is_healthy_beyond_what_must_be(spec, expected):
    cluster = a_cluster(nodes=2).with_objects(a_deployment("web", 5), a_budget(**spec)).settled()

    assert counts(cluster) == expected
    condition = conditions.get(cluster.get("PodDisruptionBudget", "web"), "DisruptionAllowed")
    verdict = ("True", "SufficientPods") if expected[0] else ("False", "InsufficientPods")
    assert (condition["status"], condition["reason"]) == verdict


def test_an_eviction_is_charged_at_once_and_the_next_one_refused():
    cluster = a_cluster(nodes=2).with_objects(a_deployment("web", 2), a_budget(minAvailable=1)).settled()
    first, second = cluster.pods_of("web")

    evict(cluster, first)
    with pytest.raises(Refused) as refused:
        evict(cluster, second)
    assert refused.value.status == 429

    cluster.settle()
    assert counts(cluster) == (1, 2, 1, 2)
    assert "disruptedPods" not in cluster.get("PodDisruptionBudget", "web")["status"]


def test_a_budget_without_pods_allows_nothing_and_says_why():
    cluster = a_cluster(nodes=1).with_objects(a_budget(minAvailable=1)).settled()

    assert counts(cluster) == (0, 0, 1, 0)
    assert cluster.events("NoPods")[0]["message"] == "No matching pods found"


def test_percentages_of_pods_that_nobody_owns_are_warned_about():
    alone = a_pod("alone")
    alone["metadata"]["labels"] = {"app": "web"}
    cluster = a_cluster(nodes=1).with_objects(alone, a_budget(maxUnavailable="50%")).settled()

    assert counts(cluster)[0] == 0
    warning = cluster.events("UnmanagedPods")[0]
    assert warning["type"] == "Warning"
    assert "MatchLabels:map[string]string{app: web,}" in warning["message"]


def test_the_count_follows_a_changed_budget_and_changed_labels():
    cluster = a_cluster(nodes=2).with_objects(a_deployment("web", 3), a_budget(minAvailable=1)).settled()

    cluster.patch(cluster.get("PodDisruptionBudget", "web"), {"spec": {"minAvailable": 3}})
    cluster.run_for(1)
    assert counts(cluster) == (0, 3, 3, 3)

    cluster.patch(cluster.pods_of("web")[0], {"metadata": {"labels": {"app": "other"}}})
    cluster.settle()
    assert counts(cluster) == (0, 3, 3, 3)


def test_counting_begins_anew_in_a_rebuilt_world_with_the_same_result():
    cluster = a_cluster(nodes=2).with_objects(a_deployment("web", 3), a_budget(maxUnavailable=1)).settled()
    rebuilt = TestCluster(cluster.world.fork())

    for one in (cluster, rebuilt):
        one.delete(one.pods_of("web")[0])
        one.run_for(30)

    assert rebuilt.world.dump() == cluster.world.dump()


def a_daemonset(name: str):
    template = {"metadata": {"labels": {"app": name}}, "spec": a_pod(name)["spec"]}
    spec = {"selector": {"matchLabels": {"app": name}}, "template": template}
    metadata = {"name": name, "namespace": "default"}
    return {"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": metadata, "spec": spec}


def test_a_share_of_pods_whose_owner_has_no_scale_can_not_be_counted():
    cluster = a_cluster(nodes=3).with_objects(a_daemonset("web"), a_budget(maxUnavailable=1)).settled()

    budget = cluster.get("PodDisruptionBudget", "web")
    condition = conditions.get(budget, "DisruptionAllowed")
    text = "daemonsets.apps does not implement the scale subresource"
    assert (condition["reason"], condition["message"]) == ("SyncFailed", text)
    assert budget["status"]["disruptionsAllowed"] == 0
    assert cluster.events("CalculateExpectedPodCountFailed")[0]["message"].endswith(text)


def test_a_number_of_such_pods_can_be_counted():
    cluster = a_cluster(nodes=3).with_objects(a_daemonset("web"), a_budget(minAvailable=2)).settled()

    assert counts(cluster) == (1, 3, 2, 3)


def test_pods_of_a_custom_kind_are_counted_by_its_scale():
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
        "subresources": {"scale": {"specReplicasPath": ".spec.size", "statusReplicasPath": ".status.size"}},
    }
    names = {"plural": "farms", "singular": "farm", "kind": "Farm", "listKind": "FarmList"}
    spec = {"group": "example.com", "scope": "Namespaced", "names": names, "versions": [version]}
    definition = {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition"}
    cluster = a_cluster(nodes=1)
    cluster.create({**definition, "metadata": {"name": "farms.example.com"}, "spec": spec})
    cluster.settle()
    farm = {"apiVersion": "example.com/v1", "kind": "Farm", "metadata": {"name": "web", "namespace": "default"}}
    made = cluster.request("POST", "/apis/example.com/v1/namespaces/default/farms", {**farm, "spec": {"size": 4}})
    for number in range(3):
        pod = a_pod(f"web-{number}")
        metadata = {**pod["metadata"], "labels": {"app": "web"}, "ownerReferences": [meta.owner_reference(made)]}
        cluster.create({**pod, "metadata": metadata})
    cluster.create(a_budget(maxUnavailable="25%"))
    cluster.settle()

    assert counts(cluster) == (0, 3, 3, 4)


def mark(cluster: TestCluster, reason: str) -> None:
    pod = cluster.get("Pod", "web")
    target = {"type": "DisruptionTarget", "status": "True", "reason": reason, "message": "soon"}
    target["lastTransitionTime"] = cluster.world.clock.stamp()
    cluster.patch(pod, {"status": {"conditions": [*pod["status"]["conditions"], target]}}, "status")


def test_a_mark_of_a_disruption_that_never_came_is_taken_back_after_two_minutes():
    cluster = a_cluster(nodes=1).with_objects(a_pod("web")).settled()
    mark(cluster, "EvictionByEvictionAPI")

    cluster.run_for(115)
    assert conditions.is_true(cluster.get("Pod", "web"), "DisruptionTarget")

    cluster.run_for(10)
    condition = conditions.get(cluster.get("Pod", "web"), "DisruptionTarget")
    assert (condition["status"], condition["reason"], condition["message"]) == (
        "False",
        "EvictionByEvictionAPI",
        "soon",
    )


def test_a_kubelet_s_mark_stays():
    cluster = a_cluster(nodes=1).with_objects(a_pod("web")).settled()
    mark(cluster, "TerminationByKubelet")

    cluster.run_for(300)

    assert conditions.is_true(cluster.get("Pod", "web"), "DisruptionTarget")
