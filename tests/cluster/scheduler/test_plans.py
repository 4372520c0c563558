"""What is remembered of a pod's shape and mended by single rows is what would be found out anew."""

import random

import numpy as np
import pytest

from bench.scheduler import a_node, a_pod
from cluster.engine.informer import Informers
from cluster.objects import Manifest
from cluster.scheduler.framework import SEVERAL, Framework, Plan
from cluster.scheduler.profile import default_profile
from cluster.scheduler.snapshot import Snapshot

SHAPES = 6


def a_small_node(chance: random.Random, index: int, lame: bool) -> Manifest:
    """Room for some pods; one of a `lame` cluster may have no CPU at all."""
    node = a_node(index)
    cpu = "0" if lame and index == 3 else f"{chance.randint(1, 3)}"
    allocatable = {"cpu": cpu, "memory": f"{chance.randint(1, 4)}Gi", "pods": str(chance.randint(2, 9))}
    return {**node, "status": {"allocatable": allocatable}}


def a_shape(template: int, index: int) -> Manifest:
    """Some ask for CPU and memory, one for nothing, one for storage too."""
    pod = a_pod(index, template)
    requests: Manifest = {"cpu": f"{100 + 150 * template}m", "memory": f"{100 + 200 * template}Mi"}
    if template == 4:
        requests = {}
    if template == 5:
        requests["ephemeral-storage"] = "1Gi"
    pod["spec"]["containers"][0]["resources"] = {"requests": requests}
    return pod


def seen(plan: Plan) -> tuple[list[object], list[int], dict[str, list[int]]]:
    """Per row: why not, and what it scores."""
    refusals: list[object] = [plan.rejections[index] for index in plan.refusal.tolist()]
    return refusals, plan.fixed.tolist(), {name: raw.tolist() for name, raw in plan.raw.items()}


@pytest.mark.parametrize("lame", [False, True])
@pytest.mark.parametrize("seed", range(12))
def test_a_mended_plan_equals_a_fresh_one(seed: int, lame: bool):
    chance = random.Random(seed)
    nodes = [a_small_node(chance, index, lame) for index in range(12)]
    snapshot = Snapshot(lambda: nodes)
    for node in nodes:
        snapshot.set_node(node)
    old, quick = Framework(default_profile(Informers())), 0
    placed: list[Manifest] = []
    for index in range(60):
        for _ in range(chance.randint(1, 4)):
            if placed and chance.random() < 0.3:
                gone = placed.pop(chance.randrange(len(placed)))
                snapshot.remove_pod(f"default/{gone['metadata']['name']}")
            else:
                pod = a_shape(chance.randrange(SHAPES), len(placed) + 100 * index)
                pod["spec"]["nodeName"] = f"node-{chance.randrange(12)}"
                snapshot.add_pod(pod)
                placed.append(pod)
        waiting = a_shape(chance.randrange(SHAPES), 10_000 + index)
        snapshot.refresh()
        mended = old._plan(waiting, snapshot)
        fresh = Framework(default_profile(Informers()))._plan(waiting, snapshot)
        assert seen(mended) == seen(fresh)
        if mended.feasible is not None:
            assert mended.feasible.tolist() == np.flatnonzero(fresh.refusal == 0).tolist()
        quick += mended.quick is not None
    assert (quick > 0) is not lame
    assert SEVERAL > 4
