"""Containers with a shell loop that writes a file every second: what one costs, and that it stays one's own cost.

In a world in memory, CPU time only.
"""

import time

from bench.death import post, until
from bench.rig import report
from cluster.engine.clock import SECOND
from cluster.objects import conditions
from cluster.world import World

LOOP = "while sleep 1; do date > /tmp/now; done"
A_NODE = 100  # Pods.
SPAN = 20  # Simulated seconds.


def a_world(pods: int) -> World:
    """With bare pods that write, all of them Ready."""
    world = World.create(7, 1_764_000_000 * SECOND, {"nodes": max(1, pods // A_NODE)})
    world.run(60 * SECOND)
    for number in range(pods):
        container = {"name": "writer", "image": "busybox:1.37", "command": ["sh", "-c", LOOP]}
        pod = {"metadata": {"name": f"writer-{number}"}, "spec": {"containers": [container]}}
        post(world, "/api/v1/namespaces/default/pods", pod)
    until(
        world, lambda: sum(conditions.is_true(each, "Ready") for each in world.informers.list("Pod", "default")) == pods
    )
    return world


def cost(world: World, pods: int) -> float:
    """Microseconds of CPU a pod and simulated second."""
    begun = time.process_time()
    for _ in range(SPAN):
        world.run(world.now + SECOND)
        world.commit()
    return (time.process_time() - begun) * 1e6 / (pods * SPAN)


def main() -> None:
    few, many = (cost(a_world(pods), pods) for pods in (100, 1_600))
    report("live: a loop that writes a file a second, 100 of them", few, "us/s", "")
    report("live: likewise, 1,600 of them", many, "us/s", "")
    report("live: one of many costs, of one of few", many / few, "x", "1.2")
