"""What a real 1.37 scheduler said about pods that found no node, and where it put those that did."""

import json
from collections import Counter
from pathlib import Path

import pytest

from cluster.engine.informer import Informers
from cluster.objects import Manifest
from cluster.scheduler.framework import Framework, fit_error
from cluster.scheduler.plugins.default_preemption import DefaultPreemption
from cluster.scheduler.profile import default_profile
from cluster.scheduler.snapshot import Snapshot

RECORDINGS = Path(__file__).parents[2] / "golden" / "scenarios"
UNSCHEDULABLE = ["mixed-5", "no-nodes", "pods-capacity", "uniform-3"]
PLACEMENTS = [
    "least-allocated",
    "prefer-no-schedule",
    "preferred-node-affinity",
    "soft-anti-affinity",
    "spread-zones",
]
NOT_OURS = {"gated", "other-scheduler", "nodename-absent"}  # These never reach the framework.


def load(name: str) -> Manifest:
    return json.loads((RECORDINGS / f"{name}.json").read_text())


def a_node(recorded: Manifest) -> Manifest:
    """A node as the recorder made it: 4 CPUs, 8Gi and 110 pods unless the recording says otherwise."""
    labels = {"kubernetes.io/hostname": recorded["name"], **recorded.get("labels", {})}
    spec = {"taints": recorded.get("taints", []), "unschedulable": recorded.get("cordon", False)}
    allocatable = {"cpu": recorded.get("cpu", "4"), "memory": recorded.get("mem", "8Gi")}
    allocatable |= {"pods": recorded.get("pods", "110"), "ephemeral-storage": "100Gi"}
    metadata = {"name": recorded["name"], "labels": labels}
    return {"kind": "Node", "metadata": metadata, "spec": spec, "status": {"allocatable": allocatable}}


def a_pod(name: str, spec: Manifest, labels: Manifest | None = None) -> Manifest:
    """A pod as the API server stores it: limits are requests where there are none."""
    containers = [_with_requests(container) for container in spec["containers"]]
    metadata = {"name": name, "namespace": "default", "uid": name, "labels": labels or spec.get("_labels") or {}}
    return {"kind": "Pod", "metadata": metadata, "spec": {**spec, "containers": containers}}


def _with_requests(container: Manifest) -> Manifest:
    resources = container.get("resources", {})
    requests = {**resources.get("limits", {}), **resources.get("requests", {})}
    return {**container, "resources": {**resources, "requests": requests}}


class Bench:
    """Nodes, the pods on them, and the framework with the default profile."""

    def __init__(self, recorded_nodes: list[Manifest]) -> None:
        nodes = [a_node(recorded) for recorded in recorded_nodes]
        self.snapshot = Snapshot(lambda: nodes)
        for node in nodes:
            self.snapshot.set_node(node)
        self.framework = Framework(default_profile(Informers()))

    def schedule(self, pod: Manifest) -> tuple[str | None, str]:
        """(node, message), and bind it."""
        cycle = self.framework.schedule(pod, self.snapshot, 0, lambda sides: 0)
        if cycle.node is not None:
            self.run(pod, cycle.node)
            return cycle.node, ""
        message = fit_error(cycle)
        plugin = self.framework.by_name[DefaultPreemption.name]
        return None, f"{message} {plugin.postfilter(cycle).message}" if self.snapshot.nodes else message

    def run(self, pod: Manifest, node: str) -> None:
        self.snapshot.add_pod({**pod, "spec": {**pod["spec"], "nodeName": node}})


def cases() -> list[tuple[str, str]]:
    return [
        (name, case["pod"]["metadata"]["name"])
        for name in UNSCHEDULABLE
        for case in load(f"unschedulable-{name}")["cases"]
        if case["pod"]["metadata"]["name"] not in NOT_OURS
    ]


@pytest.mark.parametrize(("recording", "name"), cases())
def test_the_scheduler_says_what_the_real_one_said(recording, name):
    recorded = load(f"unschedulable-{recording}")
    case = next(case for case in recorded["cases"] if case["pod"]["metadata"]["name"] == name)
    bench = Bench(recorded["nodes"])
    for pod in recorded["preexistingPods"]:
        bench.run(a_pod(pod["name"], pod["spec"], pod.get("labels")), pod["spec"]["nodeName"])

    node, message = bench.schedule(a_pod(name, case["pod"]["spec"], case["pod"]["metadata"].get("labels")))

    assert node == case["nodeName"]
    if node is None:
        assert message == case["status"]["conditions"][0]["message"]


@pytest.mark.parametrize("name", PLACEMENTS)
def test_pods_go_where_the_real_scheduler_put_them(name):
    recorded = load(f"placement-{name}")
    bench = Bench(recorded["nodes"])

    placed = [
        bench.schedule(a_pod(f"p{i}", recorded["podSpec"]))[0] for i in range(len(recorded["podsInOrder_nodeName"]))
    ]

    alike = {node["name"]: str([node.get("labels"), node.get("taints"), node.get("cpu")]) for node in recorded["nodes"]}
    assert Counter(alike[node] for node in placed) == Counter(alike[node] for node in recorded["podsInOrder_nodeName"])
