"""KubeSchedulerConfiguration: what a file means, and what is said of a wrong one."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cluster.engine.informer import Informers
from cluster.objects.errors import BadRequest
from cluster.scheduler import configuration
from cluster.scheduler.arguments import ARGUMENTS
from cluster.scheduler.framework import Framework
from cluster.scheduler.profile import DEFAULT_PLUGINS
from cluster.scheduler.snapshot import Snapshot

HEAD = {"apiVersion": "kubescheduler.config.k8s.io/v1", "kind": "KubeSchedulerConfiguration"}


def read(**said):
    return configuration.read(json.dumps({**HEAD, **said}))


def profile(**said):
    return read(profiles=[said]).profiles[0]


def names(point, **plugins):
    return [name for name, _ in profile(plugins=plugins).points[point]]


def refused(**said):
    with pytest.raises(BadRequest) as caught:
        read(**said)
    return caught.value.message


def args_refused(plugin, **args):
    return refused(profiles=[{"pluginConfig": [{"name": plugin, "args": args}]}])


AT = "profiles[0].pluginConfig[0].args"
SCORES = [name for name in DEFAULT_PLUGINS if name in (
    "TaintToleration", "NodeAffinity", "NodeResourcesFit", "PodTopologySpread", "InterPodAffinity",
    "NodeResourcesBalancedAllocation", "ImageLocality",
)]  # fmt: skip


def test_without_a_text_there_is_one_profile_with_the_defaults():
    assert configuration.read("") is configuration.DEFAULT
    assert configuration.DEFAULT.names == ["default-scheduler"]


def test_a_single_profile_without_a_name_is_the_default_scheduler():
    found = profile()
    assert found.name == "default-scheduler"
    assert found.points["score"] == [(name, DEFAULT_PLUGINS[name]) for name in SCORES]


def test_what_is_disabled_at_one_point_stays_on_at_the_others():
    plugins = {"score": {"disabled": [{"name": "NodeAffinity"}]}}
    assert "NodeAffinity" not in names("score", **plugins)
    assert "NodeAffinity" in names("filter", **plugins)


def test_multipoint_switches_a_plugin_off_everywhere():
    plugins = {"multiPoint": {"disabled": [{"name": "TaintToleration"}]}}
    assert all("TaintToleration" not in names(point, **plugins) for point in ("filter", "preScore", "score"))


def test_a_default_plugin_that_is_enabled_anew_keeps_its_place_and_has_the_new_weight():
    found = profile(plugins={"multiPoint": {"enabled": [{"name": "NodeAffinity", "weight": 7}]}}).points["score"]
    assert [name for name, _ in found] == SCORES
    assert dict(found)["NodeAffinity"] == 7


def test_at_a_point_those_named_there_that_are_on_anyway_come_first_then_multipoint_then_the_others():
    plugins = {
        "multiPoint": {"disabled": [{"name": "ImageLocality"}]},
        "score": {"enabled": [{"name": "ImageLocality"}, {"name": "PodTopologySpread", "weight": 5}]},
    }
    order = names("score", **plugins)
    assert order[0] == "PodTopologySpread"
    assert order[-1] == "ImageLocality"


def test_a_star_leaves_only_what_is_named():
    plugins = {
        "multiPoint": {
            "disabled": [{"name": "*"}],
            "enabled": [{"name": "NodeName"}, {"name": "PrioritySort"}, {"name": "DefaultBinder"}],
        }
    }
    assert names("filter", **plugins) == ["NodeName"]
    assert names("score", **plugins) == []


def test_a_profiles_own_percentage_wins_over_the_common_one():
    said = read(percentageOfNodesToScore=40, profiles=[
        {"schedulerName": "a"}, {"schedulerName": "b", "percentageOfNodesToScore": 0},
    ])  # fmt: skip
    assert [each.percentage for each in said.profiles] == [40, 0]


def test_arguments_are_completed():
    said = profile(pluginConfig=[{"name": "NodeResourcesFit", "args": {"scoringStrategy": {"type": "MostAllocated"}}}])
    both = [{"name": "cpu", "weight": 1}, {"name": "memory", "weight": 1}]
    assert said.args["NodeResourcesFit"] == {"scoringStrategy": {"type": "MostAllocated", "resources": both}}


def test_json_is_read_as_well():
    text = '{"apiVersion": "kubescheduler.config.k8s.io/v1", "kind": "KubeSchedulerConfiguration"}'
    assert configuration.read(text).names == ["default-scheduler"]


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"profile": []}, 'strict decoding error: unknown field "profile"'),
        (
            {"profiles": [{"plugins": {"score": {"enable": []}}}]},
            'strict decoding error: unknown field "profiles[0].plugins.score.enable"',
        ),
        (
            {"parallelism": "many"},
            "json: cannot unmarshal string into Go struct field KubeSchedulerConfiguration.parallelism of type int32",
        ),
        (
            {"apiVersion": "kubescheduler.config.k8s.io/v1beta3"},
            'no kind "KubeSchedulerConfiguration" is registered for version "kubescheduler.config.k8s.io/v1beta3"'
            ' in scheme "k8s.io/kubernetes/pkg/scheduler/apis/config/scheme/scheme.go:30"',
        ),
        ({"parallelism": 0}, "parallelism: Invalid value: 0: should be an integer value greater than zero"),
        (
            {"percentageOfNodesToScore": 101},
            "percentageOfNodesToScore: Invalid value: 101: not in valid range [0-100]",
        ),
        (
            {"podInitialBackoffSeconds": 5, "podMaxBackoffSeconds": 2},
            "podMaxBackoffSeconds: Invalid value: 2: must be greater than or equal to PodInitialBackoffSeconds",
        ),
        (
            {"profiles": [{"schedulerName": "a"}, {"schedulerName": "a"}]},
            'profiles[1].schedulerName: Duplicate value: "profiles[0].schedulerName"',
        ),
        (
            {"profiles": [{"schedulerName": "a"}, {}]},
            "profiles[1].schedulerName: Required value",
        ),
        (
            {
                "profiles": [
                    {"schedulerName": "a"},
                    {"schedulerName": "b", "plugins": {"queueSort": {"enabled": [{"name": "PrioritySort"}]}}},
                ]
            },
            'profiles[1].plugins.queueSort: Invalid value: "": must be the same for all profiles',
        ),
        (
            {"profiles": [{"plugins": {"filter": {"enabled": [{"name": "NoSuchPlugin"}]}}}]},
            'FilterPlugin "NoSuchPlugin" does not exist',
        ),
        (
            {"profiles": [{"plugins": {"score": {"enabled": [{"name": "NodeName"}]}}}]},
            'plugin "NodeName" does not extend ScorePlugin plugin',
        ),
        (
            {"profiles": [{"plugins": {"score": {"enabled": [{"name": "ImageLocality"}] * 2}}}]},
            'plugin "ImageLocality" already registered as "ScorePlugin"',
        ),
        (
            {"profiles": [{"plugins": {"bind": {"disabled": [{"name": "*"}]}}}]},
            'at least one bind plugin is needed for profile with scheduler name "default-scheduler"',
        ),
        (
            {"profiles": [{"plugins": {"queueSort": {"disabled": [{"name": "*"}]}}}]},
            'only one queue sort plugin required for profile with scheduler name "default-scheduler", but got 0',
        ),
        (
            {"profiles": [{"plugins": {"preFilter": {"disabled": [{"name": "NodePorts"}]}}}]},
            'profile "default-scheduler": plugin "NodePorts" is enabled at filter and not at preFilter,'
            " where it prepares what it needs",
        ),
        (
            {"profiles": [{"pluginConfig": [{"name": "NodeAffinity", "args": {"kind": "InterPodAffinityArgs"}}]}]},
            "decoding .profiles[0].pluginConfig[0]: args for plugin NodeAffinity were not of type"
            " NodeAffinityArgs.kubescheduler.config.k8s.io, got InterPodAffinityArgs.kubescheduler.config.k8s.io",
        ),
        (
            {"profiles": [{"pluginConfig": [{"name": "VolumeBinding", "args": {"timeout": 1}}]}]},
            "strict decoding error: decoding .profiles[0].pluginConfig[0]: strict decoding error: decoding args for"
            ' plugin VolumeBinding: strict decoding error: unknown field "timeout"',
        ),
        (
            {"leaderElection": {"leaseDuration": "60s"}},
            'leaderElection.leaseDuration: Invalid value: "60s": Orrery knows 15s only',
        ),
        (
            {"extenders": [{"urlPrefix": "http://127.0.0.1"}]},
            "extenders: Forbidden: Orrery calls no programs outside; write a scheduler of your own instead",
        ),
    ],
)
def test_a_wrong_file_is_refused_in_the_words_of_the_real_program(said, message):
    assert refused(**said) == message


@pytest.mark.parametrize(
    ("plugin", "args", "message"),
    [
        (
            "InterPodAffinity",
            {"hardPodAffinityWeight": 101},
            f"{AT}.hardPodAffinityWeight: Invalid value: 101: not in valid range [0, 100]",
        ),
        (
            "NodeResourcesFit",
            {"scoringStrategy": {"type": "Fullest"}},
            f'{AT}.scoringStrategy.type: Unsupported value: "Fullest": supported values: "LeastAllocated",'
            ' "MostAllocated", "RequestedToCapacityRatio"',
        ),
        (
            "NodeResourcesFit",
            {"scoringStrategy": {"type": "RequestedToCapacityRatio"}},
            f"{AT}.scoringStrategy.requestedToCapacityRatio: Required value: must be specified when type is"
            " RequestedToCapacityRatio",
        ),
        (
            "NodeResourcesFit",
            {"ignoredResourceGroups": ["example.com/gpu"]},
            f"{AT}.ignoredResourceGroups[0]: Invalid value: \"example.com/gpu\": resource group name can't contain '/'",
        ),
        (
            "NodeResourcesBalancedAllocation",
            {"resources": [{"name": "cpu", "weight": 2}]},
            f"{AT}.resources[0].weight: Invalid value: 2: must be 1",
        ),
        (
            "PodTopologySpread",
            {"defaultConstraints": [{"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}]},
            f'{AT}.defaultingType: Invalid value: "System": when .defaultConstraints are not empty',
        ),
        (
            "VolumeBinding",
            {"bindTimeoutSeconds": -1},
            f"{AT}.bindTimeoutSeconds: Invalid value: -1: invalid BindTimeoutSeconds, should not be a negative value",
        ),
        (
            "DefaultPreemption",
            {"minCandidateNodesPercentage": 0, "minCandidateNodesAbsolute": 0},
            f"[{AT}.minCandidateNodesPercentage: Invalid value: 0: cannot be zero at the same time as"
            f" minCandidateNodesAbsolute, {AT}.minCandidateNodesAbsolute: Invalid value: 0: cannot be zero at the same"
            " time as minCandidateNodesPercentage]",
        ),
    ],
)
def test_wrong_arguments_are_told_with_their_place(plugin, args, message):
    assert args_refused(plugin, **args) == message


@pytest.mark.parametrize(
    "text",
    [
        "- a\n- list",
        "kind: [",
        "kind: KubeSchedulerConfiguration",
        "a: &a [1]\nb: *a",
        "kind: A\nkind: B",
        "[" * 10_000,
        "x" * (configuration.LIMIT + 1),
        "apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\nprofiles: 7",
        "apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\nprofiles: [2020-01-01]",
    ],
)
def test_what_is_no_configuration_at_all_is_refused_too(text):
    with pytest.raises(BadRequest):
        configuration.read(text)


PIECES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 130) | st.sampled_from(["", "x", "cpu", "In", "zone", "List"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["name", "key", "weight"]), inner),
    max_leaves=4,
)


@st.composite
def some_data(draw, shape):
    """Mostly what the shape allows, with parts left out, and something else here and there."""
    if draw(st.integers(0, 19)) == 0:
        return draw(PIECES)
    if isinstance(shape, dict):
        return {key: draw(some_data(part)) for key, part in shape.items() if draw(st.booleans())}
    if isinstance(shape, list):
        return [draw(some_data(shape[0])) for _ in range(draw(st.integers(0, 2)))]
    if shape == "int32":
        return draw(st.integers(-1, 101))
    words = ["cpu", "memory", "example.com/gpu", "In", "Exists", "Gt", "metadata.name", "zone", "List", "MostAllocated"]
    return draw(st.booleans() if shape == "bool" else st.sampled_from([*words, "RequestedToCapacityRatio", "n-1", "3"]))


@settings(max_examples=1_500, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data(), plugin=st.sampled_from(sorted(ARGUMENTS)))
def test_whatever_a_plugin_is_told_it_is_refused_or_it_works(data, plugin):
    args = data.draw(some_data(ARGUMENTS[plugin].shape))
    text = json.dumps({**HEAD, "profiles": [{"pluginConfig": [{"name": plugin, "args": args}]}]})
    try:
        told = configuration.read(text)
    except BadRequest:
        return
    framework = Framework(told.build(Informers())["default-scheduler"])
    nodes = [{"metadata": {"name": f"n-{at}", "labels": {"zone": f"z{at}"}},
              "status": {"allocatable": {"cpu": "4", "memory": "8Gi", "pods": "9"}}} for at in range(3)]  # fmt: skip
    snapshot = Snapshot(lambda: nodes)
    for node in nodes:
        snapshot.set_node(node)
    requests = {"requests": {"cpu": "1", "memory": "1Gi"}}
    metadata = {"name": "p", "namespace": "default", "uid": "u"}
    pod = {"metadata": metadata, "spec": {"containers": [{"resources": requests}]}}
    framework.schedule(pod, snapshot, 0, lambda sides: 0)
