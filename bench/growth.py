"""How the work grows from 100 to 5,000 nodes: placing pods, a rollout, ten dead nodes, and keeping everybody alive.

In worlds in memory; every figure is CPU time of one process. A line of `x` says how much dearer it is than at the
smallest size: 1 would be a cluster whose size costs nothing.
"""

import time

from bench.death import a_world, post, ready, replace, until
from bench.rig import deployment, report
from bench.scheduler import PODS, place
from cluster.engine.clock import MINUTE, SECOND

SIZES = (100, 1_000, 5_000)
ROLLOUT = 2_000  # Pods: so many fit on 100 nodes beside the others.
BEFORE = 500  # Pods that run already.
DEAD = 10


def main() -> None:
    first: dict[str, float] = {}
    for nodes in SIZES:
        for what, seconds in measured(nodes).items():
            report(f"growth: {what}, {nodes:,} nodes", seconds, "s", "")
            report(f"growth: {what}, {nodes:,} nodes", seconds / first.setdefault(what, seconds), "x", "")


def measured(nodes: int) -> dict[str, float]:
    """CPU seconds of each."""
    found = {f"placing {PODS:,} pods": place(nodes, 10)}
    begun = time.process_time()
    world = a_world(nodes, BEFORE)
    found[f"first minute, {BEFORE} pods"] = time.process_time() - begun
    begun = time.process_time()
    end = world.now + MINUTE
    until(world, lambda: world.now >= end)
    found["an idle minute"] = time.process_time() - begun
    begun = time.process_time()
    post(world, "/apis/apps/v1/namespaces/default/deployments", deployment("more", ROLLOUT))
    until(world, lambda: ready(world, "more") == ROLLOUT)
    found[f"rollout of {ROLLOUT:,} pods"] = time.process_time() - begun
    begun, start = time.process_time(), world.now
    _, seconds, _ = replace(world, DEAD)
    idle = found["an idle minute"] * (world.now - start) / (60 * SECOND)
    found[f"{DEAD} dead nodes, less idle time"] = max(seconds - idle, 0.0)
    return found
