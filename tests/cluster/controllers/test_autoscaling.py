"""A HorizontalPodAutoscaler follows the load, as fast as it may. Metrics come from a server of the test's own."""

from fractions import Fraction
from typing import Any

import orjson
import pytest

from cluster.controllers import scalingpolicy
from cluster.controllers.replicacalculator import Proposal, Sample, Target, Tolerances, Unknown, propose
from cluster.engine.clock import SECOND
from cluster.objects import Manifest, conditions, times
from cluster.world import World
from tests.builders import TestCluster, a_cluster, a_deployment, a_pod

CPU = {"requests": {"cpu": "100m"}}
HALF = [{"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}}]


def an_autoscaler(name: str, target: str = "web", **spec: Any) -> Manifest:
    reference = {"apiVersion": "apps/v1", "kind": "Deployment", "name": target}
    body = {"scaleTargetRef": reference, "minReplicas": 1, "maxReplicas": 10, "metrics": HALF, **spec}
    metadata = {"name": name, "namespace": "default"}
    return {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": metadata, "spec": body}


class Load:
    """A metrics server: every pod uses `cpu` millicores."""

    def __init__(self, cluster: TestCluster, cpu: int) -> None:
        self.cluster, self.cpu = cluster, cpu
        cluster.world.server.aggregated["metrics.k8s.io"] = self.answer

    def answer(self, plural: str, namespace: str) -> list[Manifest]:
        now = self.cluster.world.clock.stamp()
        usage = {"cpu": f"{self.cpu}m", "memory": "64Mi"}
        return [
            {"metadata": pod["metadata"], "timestamp": now, "window": "15s",
             "containers": [{"name": c["name"], "usage": usage} for c in pod["spec"]["containers"]]}
            for pod in self.cluster.world.informers.list("Pod", namespace)
        ]  # fmt: skip


def a_loaded_cluster(cpu: int, replicas: int = 2, **spec: Any) -> tuple[TestCluster, Load]:
    """Pods that have run for ten minutes and use `cpu` millicores each, and an autoscaler for them."""
    cluster = a_cluster()
    load = Load(cluster, cpu)
    cluster.create(a_deployment("web", replicas, resources=CPU))
    cluster.run_for(600)
    cluster.create(an_autoscaler("web", **spec))
    return cluster, load


def replicas(cluster: TestCluster) -> int:
    return int(cluster.get("Deployment", "web")["spec"]["replicas"])


def condition(cluster: TestCluster, type_: str) -> tuple[str, str]:
    found = conditions.get(cluster.get("HorizontalPodAutoscaler", "web"), type_)
    assert found is not None
    return found["status"], found["reason"]


# --- the controller ---------------------------------------------------------------------------------------------


def test_twice_the_load_gives_twice_the_replicas():
    cluster, _ = a_loaded_cluster(cpu=100)

    cluster.run_for(5)

    assert replicas(cluster) == 4
    assert [e["message"] for e in cluster.events("SuccessfulRescale")] == [
        "New size: 4; reason: cpu resource utilization (percentage of request) above target"
    ]
    cluster.run_for(30)
    status = cluster.get("HorizontalPodAutoscaler", "web")["status"]
    assert status["currentMetrics"][0]["resource"]["current"] == {"averageUtilization": 100, "averageValue": "100m"}
    assert condition(cluster, "ScalingActive") == ("True", "ValidMetricFound")


def test_within_a_tenth_of_the_target_nothing_changes_and_nothing_is_written():
    cluster, _ = a_loaded_cluster(cpu=54)
    cluster.run_for(60)
    before = cluster.get("HorizontalPodAutoscaler", "web")["metadata"]["resourceVersion"]

    cluster.run_for(300)

    assert replicas(cluster) == 2
    assert cluster.get("HorizontalPodAutoscaler", "web")["metadata"]["resourceVersion"] == before


def test_less_load_takes_replicas_away_only_after_five_minutes():
    cluster, load = a_loaded_cluster(cpu=100, replicas=4)
    cluster.run_until(lambda c: replicas(c) == 8, 60)
    load.cpu = 10

    cluster.run_for(240)
    assert replicas(cluster) == 8
    assert condition(cluster, "AbleToScale") == ("True", "ScaleDownStabilized")

    cluster.run_for(120)
    assert replicas(cluster) < 8


def test_it_never_leaves_its_bounds():
    cluster, _ = a_loaded_cluster(cpu=500, maxReplicas=3)

    cluster.run_for(60)

    assert replicas(cluster) == 3
    assert condition(cluster, "ScalingLimited") == ("True", "TooManyReplicas")


def test_more_replicas_than_allowed_are_taken_away_whatever_the_load_is():
    cluster, _ = a_loaded_cluster(cpu=100, replicas=6, maxReplicas=4)

    cluster.run_for(5)

    assert replicas(cluster) == 4
    reason = "reason: Current number of replicas above Spec.MaxReplicas"
    assert cluster.events("SuccessfulRescale")[0]["message"] == f"New size: 4; {reason}"


def test_a_target_at_zero_is_left_alone():
    cluster, _ = a_loaded_cluster(cpu=100, replicas=0)

    cluster.run_for(60)

    assert replicas(cluster) == 0
    assert condition(cluster, "ScalingActive") == ("False", "ScalingDisabled")


def test_two_autoscalers_of_the_same_pods_do_nothing():
    cluster, _ = a_loaded_cluster(cpu=100)
    cluster.create(an_autoscaler("rival"))
    cluster.run_for(60)

    messages = {e["message"] for e in cluster.events("AmbiguousSelector")}
    assert "pods by selector app=web are controlled by multiple HPAs: [default/rival default/web]" in messages


def test_a_kind_that_nobody_serves_is_named():
    cluster, _ = a_loaded_cluster(cpu=100, scaleTargetRef={"apiVersion": "x/v1", "kind": "Ghost", "name": "g"})

    cluster.run_for(5)

    assert condition(cluster, "AbleToScale") == ("False", "FailedGetScale")
    assert cluster.events("FailedGetScale")[0]["message"] == 'no matches for kind "Ghost" in group "x"'


def test_pods_that_ask_for_no_cpu_have_no_utilisation():
    cluster = a_cluster()
    Load(cluster, 100)
    cluster.create(a_deployment("web", 2))
    cluster.run_for(600)
    cluster.create(an_autoscaler("web"))
    cluster.run_for(5)

    message = cluster.events("FailedGetResourceMetric")[0]["message"]
    assert message.startswith("failed to get cpu utilization: missing request for cpu in container app of Pod web-")


def test_what_it_remembers_survives_a_rebuild():
    cluster, load = a_loaded_cluster(cpu=100, replicas=4)
    cluster.run_until(lambda c: replicas(c) == 8, 60)
    load.cpu = 10
    cluster.run_for(100)

    world = World.restore(cluster.world.checkpoint_body(), cluster.world.objects())
    twin = TestCluster(world)
    Load(twin, 10)
    cluster.run_for(400)
    twin.run_for(400)

    assert orjson.loads(world.checkpoint_body())["cells"] == orjson.loads(cluster.world.checkpoint_body())["cells"]


# --- the arithmetic ---------------------------------------------------------------------------------------------

NOW = times.parse("2026-11-25T12:00:00Z")


def a_running_pod(name: str, age: int = 3_600, ready: str = "True", phase: str = "Running") -> Manifest:
    started = times.rfc3339(NOW - age * SECOND)
    status = {"phase": phase, "startTime": started}
    status["conditions"] = [{"type": "Ready", "status": ready, "lastTransitionTime": started}]
    return {**a_pod(name, resources=CPU), "status": status}


HALF_OF_IT = Target(50, None)


def measured(**amounts: int) -> dict[str, Sample]:
    return {name: Sample(amount, NOW, 15 * SECOND) for name, amount in amounts.items()}


def proposal(chosen: list[Manifest], samples: dict[str, Sample], target: Target = HALF_OF_IT) -> Proposal:
    return propose(len(chosen), target, "cpu", "", Tolerances(), chosen, samples, NOW)


def test_pods_without_a_measurement_use_nothing_on_the_way_up():
    chosen = [a_running_pod("a"), a_running_pod("b"), a_running_pod("c")]

    assert proposal(chosen, measured(a=100, b=100)).replicas == 4  # Not six.


def test_and_all_of_their_request_on_the_way_down():
    chosen = [a_running_pod("a"), a_running_pod("b"), a_running_pod("c")]

    assert proposal(chosen, measured(a=10, b=10)).replicas == 3


def test_a_pod_that_just_started_is_not_yet_believed():
    chosen = [a_running_pod("a"), a_running_pod("b", age=20, ready="False")]

    assert proposal(chosen, measured(a=50, b=400)).replicas == 2


def test_an_amount_for_each_pod_can_be_asked_for_as_well():
    chosen = [a_running_pod("a"), a_running_pod("b")]

    assert proposal(chosen, measured(a=300, b=300), Target(None, 100)) == Proposal(6, None, 300)


def test_nobody_to_measure_is_an_error_and_not_zero():
    with pytest.raises(Unknown, match="no pods returned by selector"):
        proposal([], {})
    with pytest.raises(Unknown, match="did not receive metrics for targeted pods"):
        proposal([a_running_pod("a", phase="Pending")], {})


# --- how fast ---------------------------------------------------------------------------------------------------


def test_without_a_behavior_it_at_most_doubles_or_goes_to_four():
    spec = {"minReplicas": 1, "maxReplicas": 100}

    assert scalingpolicy.limit(spec, scalingpolicy.nothing(), 1, 50, NOW)[0].replicas == 4
    assert scalingpolicy.limit(spec, scalingpolicy.nothing(), 10, 50, NOW)[0].replicas == 20


def test_policies_count_what_was_done_in_their_period():
    up = {"selectPolicy": "Max", "policies": [{"type": "Pods", "value": 4, "periodSeconds": 60}]}
    down = {"selectPolicy": "Max", "policies": [{"type": "Percent", "value": 50, "periodSeconds": 60}]}
    spec = {"minReplicas": 1, "maxReplicas": 100, "behavior": {"scaleUp": up, "scaleDown": down}}
    history = scalingpolicy.changed(scalingpolicy.nothing(), 6, 9, NOW - 30 * SECOND)

    limited, _ = scalingpolicy.limit(spec, history, 9, 50, NOW)
    assert (limited.replicas, limited.bounded[0]) == (10, "ScaleUpLimit")

    limited, _ = scalingpolicy.limit(spec, scalingpolicy.nothing(), 10, 1, NOW)
    assert (limited.replicas, limited.bounded[0]) == (5, "ScaleDownLimit")


def test_a_disabled_direction_stands_still():
    up = {"selectPolicy": "Max", "policies": [{"type": "Pods", "value": 4, "periodSeconds": 60}]}
    spec = {"minReplicas": 1, "maxReplicas": 9, "behavior": {"scaleUp": up, "scaleDown": {"selectPolicy": "Disabled"}}}

    assert scalingpolicy.limit(spec, scalingpolicy.nothing(), 5, 1, NOW)[0].replicas == 5


def test_a_tolerance_of_zero_reacts_to_everything():
    chosen = [a_running_pod("a"), a_running_pod("b")]
    exact = Tolerances(Fraction(0), Fraction(0))

    found = propose(2, Target(50, None), "cpu", "", exact, chosen, measured(a=51, b=51), NOW)

    assert found.replicas == 3
