"""Profiles at work: several schedulers in one process, and plugins that were told something."""

import json

import orjson
import pytest

from cluster import lifecycle
from cluster.scheduler import configuration, whatif
from cluster.world import World
from tests.builders import Refused, TestCluster, a_cluster, a_deployment, a_pod
from tests.cluster.scheduler.sandbox import Sandbox, a_sandbox

HEAD = {"apiVersion": "kubescheduler.config.k8s.io/v1", "kind": "KubeSchedulerConfiguration"}
PACKING = {
    "schedulerName": "packing",
    "plugins": {"score": {"disabled": [{"name": "NodeResourcesBalancedAllocation"}, {"name": "PodTopologySpread"}]}},
    "pluginConfig": [{"name": "NodeResourcesFit", "args": {"scoringStrategy": {"type": "MostAllocated"}}}],
}  # fmt: skip


def told(**said) -> str:
    return json.dumps({**HEAD, **said})


def args(plugin: str, **said) -> str:
    return told(profiles=[{"pluginConfig": [{"name": plugin, "args": said}]}])


def a_sandbox_told(text: str, *nodes: str) -> Sandbox:
    sandbox = Sandbox().started(configuration.read(text))
    for node in nodes:
        sandbox.add_node(node)
    return sandbox


def nodes_of(sandbox: Sandbox, *names: str) -> list[str]:
    return [sandbox.node_of(name) for name in names]


# --- several profiles -------------------------------------------------------------------------------------------


def test_pods_choose_a_profile_by_name_and_each_places_by_its_own_rules():
    text = told(profiles=[{"schedulerName": "default-scheduler"}, PACKING])
    sandbox = a_sandbox_told(text, "a", "b")
    for index in range(4):
        sandbox.add_pod(f"packed-{index}", schedulerName="packing")
        sandbox.run_for(1)
    packed = set(nodes_of(sandbox, *(f"packed-{index}" for index in range(4))))
    sandbox.add_pod("spread")
    sandbox.run_for(1)

    assert len(packed) == 1
    assert sandbox.node_of("spread") not in packed


def test_events_and_reasons_are_told_in_the_name_of_the_profile():
    sandbox = a_sandbox_told(told(profiles=[PACKING]), "a")
    sandbox.add_pod("web", schedulerName="packing")
    sandbox.run_for(1)
    event = next(e for e in sandbox.informers.list("Event") if e["reason"] == "Scheduled")

    assert event["reportingComponent"] == "packing"
    assert event["reportingInstance"] == "packing-control-plane"


def test_pods_that_name_no_profile_there_is_are_left_alone():
    sandbox = a_sandbox_told(told(profiles=[PACKING]), "a")
    sandbox.add_pod("web")
    sandbox.run_for(60)
    assert sandbox.node_of("web") == ""


def test_all_profiles_share_the_nodes_so_nothing_is_promised_twice():
    sandbox = a_sandbox_told(told(profiles=[{"schedulerName": "default-scheduler"}, PACKING]), "a")
    sandbox.add_pod("one", cpu="3")
    sandbox.add_pod("two", cpu="3", schedulerName="packing")
    sandbox.run_for(1)
    assert sandbox.node_of("one") == "a"
    assert sandbox.node_of("two") == ""


def test_whoever_waits_in_one_profile_is_woken_by_what_another_ones_pod_leaves():
    sandbox = a_sandbox_told(told(profiles=[{"schedulerName": "default-scheduler"}, PACKING]), "a")
    sandbox.add_pod("one", cpu="3")
    sandbox.run_for(1)
    sandbox.add_pod("two", cpu="3", schedulerName="packing")
    sandbox.run_for(1)
    sandbox.delete("Pod", "one")
    sandbox.run_for(5)
    assert sandbox.node_of("two") == "a"


# --- arguments --------------------------------------------------------------------------------------------------


def test_a_drawn_line_says_how_full_a_node_should_be():
    shape = [{"utilization": 0, "score": 0}, {"utilization": 50, "score": 10}, {"utilization": 100, "score": 0}]
    strategy = {
        "type": "RequestedToCapacityRatio",
        "resources": [{"name": "cpu"}],
        "requestedToCapacityRatio": {"shape": shape},
    }
    only = {
        "multiPoint": {
            "disabled": [{"name": "*"}],
            "enabled": [{"name": name} for name in ("PrioritySort", "NodeResourcesFit", "DefaultBinder")],
        }
    }
    config = [{"name": "NodeResourcesFit", "args": {"scoringStrategy": strategy}}]
    sandbox = a_sandbox_told(told(profiles=[{"plugins": only, "pluginConfig": config}]), "a", "b")
    sandbox.add_pod("first", cpu="1")
    sandbox.run_for(1)
    sandbox.add_pod("second", cpu="1")
    sandbox.run_for(1)
    assert sandbox.node_of("second") == sandbox.node_of("first")

    sandbox.add_pod("third", cpu="1")
    sandbox.run_for(1)
    other = sandbox.verdict("third")["scored"]
    assert dict(zip(other["nodes"], other["total"], strict=True))[sandbox.node_of("first")] == 50


def test_ignored_resources_are_somebody_elses_business():
    text = args("NodeResourcesFit", ignoredResources=["example.com/gpu"], ignoredResourceGroups=["tpus.example.com"])
    for resource in ("example.com/gpu", "tpus.example.com/v5"):
        sandbox = a_sandbox_told(text, "a")
        resources = {"requests": {resource: "1"}, "limits": {resource: "1"}}
        sandbox.add_pod("web", containers=[{"name": "app", "image": "nginx", "resources": resources}])
        sandbox.run_for(1)
        assert sandbox.node_of("web") == "a"


def test_added_affinity_holds_for_every_pod_and_its_refusal_has_its_own_words():
    term = {"matchExpressions": [{"key": "team", "operator": "In", "values": ["blue"]}]}
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}
    sandbox = a_sandbox_told(args("NodeAffinity", addedAffinity=required), "a", "b")
    sandbox.add_pod("web")
    sandbox.run_for(1)
    said = "node(s) didn't match scheduler-enforced node affinity"
    assert sandbox.condition("web")["message"].startswith(f"0/2 nodes are available: 2 {said}.")

    sandbox.patch("Node", "b", {"metadata": {"labels": {"team": "blue"}}})
    sandbox.run_for(5)
    assert sandbox.node_of("web") == "b"


def test_added_preferences_count_besides_the_pods_own():
    liked = {"weight": 1, "preference": {"matchExpressions": [{"key": "fast", "operator": "Exists"}]}}
    text = args("NodeAffinity", addedAffinity={"preferredDuringSchedulingIgnoredDuringExecution": [liked]})
    sandbox = a_sandbox_told(text, "a", "b")
    sandbox.patch("Node", "b", {"metadata": {"labels": {"fast": "yes"}}})
    sandbox.add_pod("one")
    sandbox.run_for(1)
    sandbox.add_pod("two")
    sandbox.run_for(1)
    assert nodes_of(sandbox, "one", "two") == ["b", "b"]


def test_listed_constraints_can_forbid_what_the_clusters_own_only_dislike():
    constraint = {"maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "DoNotSchedule"}
    text = args("PodTopologySpread", defaultingType="List", defaultConstraints=[constraint])
    cluster = a_cluster(2, schedulerConfiguration=text)
    cluster.act("power-off", node="worker-2")
    cluster.run_for(60)
    cluster.create({**a_deployment("web", 3)})
    cluster.run_for(30)
    waiting = [pod for pod in cluster.pods_of("web") if "nodeName" not in pod["spec"]]
    assert waiting
    assert "didn't match pod topology spread constraints" in waiting[0]["status"]["conditions"][0]["message"]


def test_an_empty_list_spreads_nothing():
    text = args("PodTopologySpread", defaultingType="List")
    sandbox = a_sandbox_told(text, "a", "b")
    sandbox.create({"kind": "Service", "apiVersion": "v1", "metadata": {"name": "s", "namespace": "default"},
                    "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]}})  # fmt: skip
    sandbox.add_pod("one")
    sandbox.run_for(1)
    sandbox.patch("Pod", "one", {"metadata": {"labels": {"app": "web"}}})
    sandbox.add_pod("two")
    sandbox.run_for(1)
    assert "PodTopologySpread" not in sandbox.verdict("two")["scored"]["plugins"]


def test_preferences_of_those_who_run_already_can_be_ignored():
    term = {"topologyKey": "kubernetes.io/hostname", "labelSelector": {}}
    liked = [{"weight": 100, "podAffinityTerm": term}]
    lonely = {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": liked}}
    seen = {}
    for ignored in (False, True):
        sandbox = a_sandbox_told(args("InterPodAffinity", ignorePreferredTermsOfExistingPods=ignored), "a", "b")
        sandbox.add_pod("lonely", affinity=lonely)
        sandbox.run_for(1)
        sandbox.add_pod("other")
        sandbox.run_for(1)
        seen[ignored] = "InterPodAffinity" in sandbox.verdict("other")["scored"]["plugins"]
    assert seen == {False: True, True: False}


def test_back_offs_are_as_long_as_the_file_says():
    sandbox = a_sandbox_told(told(podInitialBackoffSeconds=4, podMaxBackoffSeconds=6))
    sandbox.add_pod("web")
    ends = []
    for _ in range(3):
        sandbox.run_for(0.5)
        entry = sandbox.scheduler.pods.entries["default/web"]
        ends.append(round((entry["until"] - entry["since"]) / 1_000_000))
        sandbox.run_for(6)
    assert ends == [4, 6, 6], "whole seconds, as all back-offs end"


def test_with_a_percentage_of_100_every_node_is_looked_at():
    for percentage, looked_at in ((0, 100), (100, 150)):
        sandbox = a_sandbox_told(told(percentageOfNodesToScore=percentage), *(f"n-{n}" for n in range(150)))
        sandbox.add_pod("web")
        sandbox.run_for(1)
        assert sandbox.verdict("web")["feasible"] == looked_at


def test_without_preemption_nobody_has_to_go():
    text = told(profiles=[{"plugins": {"multiPoint": {"disabled": [{"name": "DefaultPreemption"}]}}}])
    sandbox = a_sandbox_told(text, "a")
    sandbox.add_pod("small", cpu="3")
    sandbox.run_for(1)
    sandbox.create({"kind": "PriorityClass", "apiVersion": "scheduling.k8s.io/v1", "metadata": {"name": "high"},
                    "value": 1000})  # fmt: skip
    sandbox.add_pod("great", cpu="3", priorityClassName="high")
    sandbox.run_for(5)
    assert sandbox.condition("great")["message"] == "0/1 nodes are available: 1 Insufficient cpu."
    assert sandbox.node_of("small") == "a"


def test_without_gates_being_looked_at_a_gated_pod_is_tried_and_the_api_server_refuses():
    text = told(profiles=[{"plugins": {"multiPoint": {"disabled": [{"name": "SchedulingGates"}]}}}])
    sandbox = a_sandbox_told(text, "a")
    sandbox.add_pod("web", schedulingGates=[{"name": "example.com/wait"}])
    sandbox.run_for(1)
    assert sandbox.node_of("web") == ""
    assert "non-empty .spec.schedulingGates" in sandbox.condition("web")["message"]


# --- the process ------------------------------------------------------------------------------------------------


def test_a_new_file_restarts_kube_scheduler_and_counts_as_soon_as_somebody_leads_again():
    cluster = a_cluster()
    answer = cluster.act("scheduler-configure", configuration=told(profiles=[PACKING]))
    assert answer["profiles"] == ["packing"]
    assert answer["restarted"] == ["kube-scheduler/1"]

    cluster.create(a_pod("web", schedulerName="packing"))
    cluster.create(a_pod("usual"))
    cluster.run_for(5)
    assert "nodeName" not in cluster.get("Pod", "web")["spec"]
    cluster.run_for(30)
    assert cluster.get("Pod", "web")["spec"]["nodeName"]
    assert "nodeName" not in cluster.get("Pod", "usual")["spec"]

    cluster.act("scheduler-configure", configuration="")
    cluster.run_for(40)
    assert cluster.get("Pod", "usual")["spec"]["nodeName"]


def test_a_wrong_file_changes_nothing():
    cluster = a_cluster()
    before = cluster.world.checkpoint_body()
    with pytest.raises(Refused) as caught:
        cluster.act("scheduler-configure", configuration=told(parallelism=0))
    assert "should be an integer value greater than zero" in str(caught.value)
    row = json.loads(before)["cells"]["processes"]
    assert json.loads(cluster.world.checkpoint_body())["cells"]["processes"] == row


@pytest.mark.parametrize("option", [{"profiles": []}, ["a"], 7, "parallelism: 0"])
def test_a_cluster_is_not_made_with_a_file_that_is_none(option):
    assert lifecycle.problem_of("lab", {"options": {"schedulerConfiguration": option}})


def test_the_file_is_no_replica():
    cluster = a_cluster(schedulerConfiguration=told(profiles=[PACKING]))
    with pytest.raises(Refused) as caught:
        cluster.act("component-stop", component="configuration/kube-scheduler")
    assert "not found" in str(caught.value)
    cluster.act("replicas", process="kube-scheduler", count=2)
    cluster.run_for(60)
    leads = [name for name, row in cluster.world.cells["processes"].data.items() if row.get("leads")]
    assert sorted(leads) == ["kube-controller-manager/1", "kube-scheduler/1"]


def test_a_rebuilt_world_goes_on_with_its_configuration():
    text = told(podInitialBackoffSeconds=3, profiles=[{"schedulerName": "default-scheduler"}, PACKING])
    cluster = a_cluster(2, schedulerConfiguration=text)
    cluster.create(a_deployment("web", 3, schedulerName="packing"))
    cluster.create(a_pod("huge", resources={"requests": {"cpu": "64"}}, schedulerName="packing"))
    cluster.run_for(2)
    twin = TestCluster(World.restore(cluster.world.checkpoint_body(), cluster.world.objects()))
    for each in (cluster, twin):
        each.run_for(120)
    assert orjson.loads(cluster.world.checkpoint_body()) == orjson.loads(twin.world.checkpoint_body())


def test_what_if_asks_the_profile_that_the_pod_names():
    term = {"matchExpressions": [{"key": "team", "operator": "Exists"}]}
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}
    config = [{"name": "NodeAffinity", "args": {"addedAffinity": required}}]
    strict = {"schedulerName": "strict", "pluginConfig": config}
    text = told(profiles=[{"schedulerName": "default-scheduler"}, strict])
    cluster = a_cluster(2, schedulerConfiguration=text)
    scene = whatif.Scene(cluster.world.informers, configuration.read(text))
    pod = {**a_pod("web"), "metadata": {"name": "web", "namespace": "default", "uid": "u"}}
    mine = {**pod, "spec": {**pod["spec"], "schedulerName": "strict"}}

    assert not any(whatif.why_not(scene, pod).values())
    assert all(found[0].plugin == "NodeAffinity" for found in whatif.why_not(scene, mine).values())


def test_a_sandbox_without_a_file_is_as_before():
    sandbox = a_sandbox("a")
    assert list(sandbox.scheduler.frameworks) == ["default-scheduler"]
