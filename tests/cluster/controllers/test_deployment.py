"""Deployments: rollouts within their limits, history, pauses and deadlines."""

import pytest

from cluster.controllers.rounding import scaled, surge_and_unavailable
from cluster.objects import conditions, meta, pods
from tests.builders import TestCluster, a_cluster, a_deployment, a_replicaset

REVISION = "deployment.kubernetes.io/revision"
HOLD = {"orrery.dev/script": "hold"}


def the_sets(cluster: TestCluster, **status: int):
    return sorted(cluster.objects("ReplicaSet", "default"), key=lambda rs: int(meta.annotations(rs)[REVISION]))


def sizes(cluster: TestCluster) -> list[int]:
    return [rs["spec"]["replicas"] for rs in the_sets(cluster)]


def set_image(cluster: TestCluster, image: str, annotations: dict[str, str] | None = None, name: str = "web") -> None:
    deployment = cluster.get("Deployment", name)
    container = {**deployment["spec"]["template"]["spec"]["containers"][0], "image": image}
    template = {"spec": {"containers": [container]}, "metadata": {"annotations": annotations}}
    cluster.patch(deployment, {"spec": {"template": template}})


def progressing(cluster: TestCluster, name: str = "web") -> tuple[str, str, str]:
    condition = conditions.get(cluster.get("Deployment", name), "Progressing")
    return condition["status"], condition["reason"], condition["message"]


def a_rolling(name: str, replicas: int, **rolling: int | str):
    deployment = a_deployment(name, replicas)
    return {**deployment, "spec": {**deployment["spec"], "strategy": {"rollingUpdate": rolling}}}


@pytest.mark.parametrize(
    ("replicas", "rolling", "expected"),
    [
        (3, {"maxSurge": "25%", "maxUnavailable": "25%"}, (1, 0)),
        (10, {"maxSurge": "25%", "maxUnavailable": "25%"}, (3, 2)),
        (1, {"maxSurge": 0, "maxUnavailable": 1}, (0, 1)),
        (5, {"maxSurge": 0, "maxUnavailable": "1%"}, (0, 1)),
        (2, {"maxSurge": 0, "maxUnavailable": 5}, (0, 2)),
    ],
)
def test_percentages_round_towards_more_pods(replicas, rolling, expected):
    spec = {"replicas": replicas, "strategy": {"type": "RollingUpdate", "rollingUpdate": rolling}}

    assert surge_and_unavailable(spec) == expected


def test_a_number_is_itself_and_a_percentage_is_of_something():
    assert scaled(3, 100, round_up=True) == 3
    assert (scaled("30%", 5, round_up=True), scaled("30%", 5, round_up=False)) == (2, 1)


def test_a_new_deployment_reports_itself_available_and_progressed():
    cluster = a_cluster(nodes=2).with_objects(a_deployment("web", 3)).settled()

    deployment, (replicaset,) = cluster.get("Deployment", "web"), the_sets(cluster)
    status = deployment["status"]
    assert [status[name] for name in ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")] == [3] * 4
    assert status["observedGeneration"] == meta.generation(deployment)
    assert (status["terminatingReplicas"], "unavailableReplicas" in status) == (0, False)
    message = f'ReplicaSet "{meta.name(replicaset)}" has successfully progressed.'
    assert progressing(cluster) == ("True", "NewReplicaSetAvailable", message)
    assert conditions.get(deployment, "Available")["message"] == "Deployment has minimum availability."
    assert meta.annotations(deployment)[REVISION] == "1"
    (event,) = cluster.events("ScalingReplicaSet")
    assert event["message"] == f"Scaled up replica set {meta.name(replicaset)} from 0 to 3"


def test_a_rollout_never_leaves_the_limits_of_surge_and_unavailable():
    cluster = a_cluster(nodes=3).with_objects(a_rolling("web", 4, maxSurge=1, maxUnavailable=1)).settled()
    seen = []

    set_image(cluster, "nginx:1.28")
    while sizes(cluster) != [0, 4]:
        cluster.world.step()
        seen.append((sum(sizes(cluster)), sum(map(pods.is_ready, cluster.pods_of("web")))))
    cluster.settle()

    assert max(asked for asked, _ in seen) == 5
    assert min(ready for _, ready in seen) >= 3
    assert {p["spec"]["containers"][0]["image"] for p in cluster.pods_of("web")} == {"nginx:1.28"}


def test_recreate_stops_all_old_pods_before_the_first_new_one_starts():
    deployment = a_deployment("web", 2)
    deployment["spec"]["strategy"] = {"type": "Recreate"}
    cluster = a_cluster(nodes=2).with_objects(deployment).settled()
    old = {meta.uid(pod) for pod in cluster.pods_of("web")}

    set_image(cluster, "nginx:1.28")
    cluster.run_until(lambda c: len(c.objects("ReplicaSet")) == 2)

    assert not old & {meta.uid(pod) for pod in cluster.objects("Pod")}
    assert len(cluster.settled().pods_of("web")) == 2


def test_a_paused_deployment_scales_but_does_not_roll_out():
    cluster = a_cluster(nodes=2).with_objects(a_deployment("web", 2)).settled()

    cluster.patch(cluster.get("Deployment", "web"), {"spec": {"paused": True}})
    cluster.settle()
    assert progressing(cluster) == ("Unknown", "DeploymentPaused", "Deployment is paused")

    set_image(cluster, "nginx:1.28")
    cluster.scale(cluster.get("Deployment", "web"), 4)
    cluster.settle()
    assert sizes(cluster) == [4]
    assert progressing(cluster)[1] == "DeploymentPaused"

    cluster.patch(cluster.get("Deployment", "web"), {"spec": {"paused": None}})
    cluster.settle()
    assert sizes(cluster) == [0, 4]
    assert progressing(cluster)[1] == "NewReplicaSetAvailable"


def test_history_keeps_as_many_old_replica_sets_as_asked():
    deployment = a_deployment("web", 1)
    deployment["spec"]["revisionHistoryLimit"] = 1
    cluster = a_cluster(nodes=1).with_objects(deployment).settled()

    for image in ("nginx:1.26", "nginx:1.28"):
        set_image(cluster, image)
        cluster.settle()

    assert [meta.annotations(rs)[REVISION] for rs in the_sets(cluster)] == ["2", "3"]


def test_rolling_back_gives_the_old_replica_set_a_new_number_and_a_history():
    cluster = a_cluster(nodes=1).with_objects(a_deployment("web", 1, image="nginx:1.27")).settled()
    first = meta.name(the_sets(cluster)[0])
    set_image(cluster, "nginx:1.28")
    cluster.settle()

    set_image(cluster, "nginx:1.27")
    cluster.settle()

    newest = the_sets(cluster)[-1]
    assert meta.name(newest) == first
    assert meta.annotations(newest)[REVISION] == "3"
    assert meta.annotations(newest)["deployment.kubernetes.io/revision-history"] == "1"
    assert meta.annotations(cluster.get("Deployment", "web"))[REVISION] == "3"


def test_a_rollout_that_gets_nowhere_exceeds_its_deadline_and_says_so():
    deployment = a_deployment("web", 2)
    deployment["spec"]["progressDeadlineSeconds"] = 30
    cluster = a_cluster(nodes=1).with_objects(deployment).settled()

    set_image(cluster, "nginx:1.28", HOLD)
    cluster.run_for(25)
    assert progressing(cluster)[1] == "ReplicaSetUpdated"
    cluster.run_for(10)

    stuck = meta.name(the_sets(cluster)[-1])
    message = f'ReplicaSet "{stuck}" has timed out progressing.'
    assert progressing(cluster) == ("False", "ProgressDeadlineExceeded", message)
    assert sum(pods.is_ready(pod) for pod in cluster.pods_of("web")) == 2


def test_scaling_in_the_middle_of_a_rollout_shares_the_difference():
    cluster = a_cluster(nodes=4).with_objects(a_rolling("web", 10, maxSurge=3, maxUnavailable=2)).settled()
    set_image(cluster, "nginx:1.28", HOLD)
    cluster.settle()
    assert sizes(cluster) == [8, 5]

    cluster.scale(cluster.get("Deployment", "web"), 15)
    cluster.run_for(1)

    assert sizes(cluster) == [11, 7]


def test_an_orphaned_replica_set_is_adopted_by_a_deployment_that_matches():
    cluster = a_cluster(nodes=1).with_objects(a_deployment("web", 2)).settled()
    deployment, before = cluster.get("Deployment", "web"), {meta.uid(p) for p in cluster.pods_of("web")}
    cluster.delete(deployment, propagationPolicy="Orphan")
    cluster.settle()
    assert meta.owners(the_sets(cluster)[0]) == []

    cluster.create(a_deployment("web", 2))
    cluster.settle()

    assert [o["name"] for o in meta.owners(the_sets(cluster)[0])] == ["web"]
    assert {meta.uid(pod) for pod in cluster.pods_of("web")} == before


def test_a_name_that_somebody_else_took_is_counted_as_a_collision():
    cluster = a_cluster(nodes=1).with_objects(a_deployment("web", 1)).settled()
    taken = meta.name(the_sets(cluster)[0])
    cluster.delete(cluster.get("Deployment", "web"))
    cluster.settle()
    foreign = a_replicaset("other", 0)
    cluster.create({**foreign, "metadata": {"name": taken}})

    cluster.create(a_deployment("web", 1))
    cluster.settle()

    assert cluster.get("Deployment", "web")["status"]["collisionCount"] == 1
    assert len(cluster.pods_of("web")) == 1


def test_pods_that_are_refused_show_in_the_deployment_too():
    deployment = a_deployment("web", 1)
    deployment["spec"]["template"]["spec"]["serviceAccountName"] = "nobody"
    cluster = a_cluster(nodes=1).with_objects(deployment).run_for(2)

    failure = conditions.get(cluster.get("Deployment", "web"), "ReplicaFailure")

    assert (failure["status"], failure["reason"]) == ("True", "FailedCreate")
