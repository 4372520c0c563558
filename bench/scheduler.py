"""How many pods does the scheduling algorithm place in a second of CPU?

Run: `python -m bench.scheduler [--profile]`. Framework, verdict and snapshot, without the API server: equal
nodes, 5,000 pods of one template or of ten mixed ones (two with a node selector, three spread over zones, two with
preferred anti-affinity). Figures are per CPU-second of this process; the load
average says how busy the machine was besides.
"""

import cProfile
import os
import pstats
import sys
import time

from cluster.engine.dice import Dice
from cluster.engine.informer import Informers
from cluster.objects import Manifest
from cluster.scheduler import verdict, whatif
from cluster.scheduler.framework import Framework
from cluster.scheduler.profile import default_profile
from cluster.scheduler.snapshot import Snapshot

PODS = 5_000
SPREAD, APART = (1, 3, 6), (2, 7)  # Templates with a spread constraint, and with anti-affinity.
RUNS = [(100, 1), (100, 10), (1_000, 1), (1_000, 10), (5_000, 1), (5_000, 10)]


def a_node(index: int) -> Manifest:
    labels = {"kubernetes.io/hostname": f"node-{index}", "topology.kubernetes.io/zone": f"zone-{index % 3}"}
    allocatable = {"cpu": "32", "memory": "64Gi", "pods": "110", "ephemeral-storage": "100Gi"}
    metadata = {"name": f"node-{index}", "labels": labels}
    return {"kind": "Node", "metadata": metadata, "spec": {}, "status": {"allocatable": allocatable}}


def a_pod(index: int, template: int) -> Manifest:
    resources = {"requests": {"cpu": f"{50 + 10 * template}m", "memory": f"{64 + 16 * template}Mi"}}
    tolerations = [
        {
            "key": f"node.kubernetes.io/{key}",
            "operator": "Exists",
            "effect": "NoExecute",
            "tolerationSeconds": 300,
        }
        for key in ("not-ready", "unreachable")
    ]
    spec: Manifest = {"containers": [{"name": "app", "resources": resources}], "tolerations": tolerations}
    if template % 5 == 4:
        spec["nodeSelector"] = {"topology.kubernetes.io/zone": "zone-1"}
    app = {"app": f"app-{template}"}
    if template in SPREAD:
        rule = {"maxSkew": 1, "topologyKey": "topology.kubernetes.io/zone", "whenUnsatisfiable": "DoNotSchedule"}
        spec["topologySpreadConstraints"] = [{**rule, "labelSelector": {"matchLabels": app}}]
    if template in APART:
        term = {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": app}}
        rules = {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 10, "podAffinityTerm": term}]}
        spec["affinity"] = {"podAntiAffinity": rules}
    metadata = {"name": f"pod-{index}", "namespace": "default", "uid": f"uid-{index}", "labels": app}
    return {"kind": "Pod", "metadata": metadata, "spec": spec}


def place(nodes: int, templates: int) -> float:
    """Schedule `PODS` pods on `nodes` nodes; returns the CPU seconds it took."""
    known = [a_node(index) for index in range(nodes)]
    snapshot = Snapshot(lambda: known)
    for node in known:
        snapshot.set_node(node)
    framework, dice, start = Framework(default_profile(Informers())), Dice(7), 0
    waiting = [a_pod(index, index % templates) for index in range(PODS)]
    began = time.process_time()
    for pod in waiting:
        uid = pod["metadata"]["uid"]

        def roll(sides: int, uid: str = uid) -> int:
            return dice.between(0, sides - 1, "tie", uid, 1)

        cycle = framework.schedule(pod, snapshot, start, roll)
        verdict.of(cycle, framework, 1, 0, 0)
        start = (start + cycle.evaluated) % nodes
        snapshot.add_pod({**pod, "spec": {**pod["spec"], "nodeName": cycle.node}})
    return time.process_time() - began


def advise(nodes: int) -> float:
    """Wall seconds until the smallest change is found for a pod that fits nowhere, with ten pods on each node."""
    informers = Informers()
    for index in range(nodes):
        informers.load("Node", f"node-{index}", a_node(index), index)
    for index in range(nodes * 10):
        pod = a_pod(index, index % 10)
        placed = {**pod, "spec": {**pod["spec"], "nodeName": f"node-{index % nodes}"}}
        informers.load("Pod", f"default/pod-{index}", placed, nodes + index)
    big = a_pod(nodes * 10, 0)
    container = {**big["spec"]["containers"][0], "resources": {"requests": {"cpu": "64"}}}
    big = {**big, "spec": {**big["spec"], "containers": [container], "nodeSelector": {"disk": "ssd"}}}
    began = time.perf_counter()
    whatif.smallest(whatif.Scene(informers), big)
    return time.perf_counter() - began


def main() -> None:
    print(f"load average {os.getloadavg()[0]:.2f}")
    for nodes, templates in RUNS:
        seconds = place(nodes, templates)
        print(f"{nodes:5} nodes, {templates:2} templates: {PODS / seconds:8,.0f} pods per CPU-second")
    for nodes in (10, 100, 1_000):
        milliseconds = min(advise(nodes) for _ in range(3)) * 1_000
        print(f"{nodes:5} nodes: the smallest change for a pending pod in {milliseconds:.0f} ms (aim at 100 nodes: 50)")


if __name__ == "__main__":
    if "--profile" in sys.argv:
        profile = cProfile.Profile()
        profile.runcall(place, 1_000, 10)
        pstats.Stats(profile).sort_stats("tottime").print_stats(25)
    else:
        main()
