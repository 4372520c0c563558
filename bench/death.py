"""Ten of a thousand nodes die: how long until their pods run elsewhere, and what that costs.

In a world in memory: simulated time tells what a class would wait for, CPU time what the machine does meanwhile. A node
is missed after 50 s, tainted at one in ten seconds, and its pods bear that for 300 s.
"""

import time
from collections.abc import Callable

import orjson

from bench.rig import deployment, report
from cluster.engine.clock import MINUTE, SECOND
from cluster.world import World

NODES, EACH, DEAD = 1_000, 10, 10
STEP = SECOND
MOST = 20 * MINUTE  # Of simulated time.


def a_world(nodes: int, pods: int) -> World:
    """With a Deployment whose pods are all Ready."""
    world = World.create(7, 1_764_000_000 * SECOND, {"nodes": nodes})
    world.run(MINUTE)
    post(world, "/apis/apps/v1/namespaces/default/deployments", deployment("web", pods))
    until(world, lambda: ready(world) == pods)
    return world


def post(world: World, path: str, body: dict[str, object]) -> None:
    request = {"type": "api", "method": "POST", "path": path, "query": "", "user": "kubernetes-admin"}
    headers = {"content-type": "application/json"}
    world.execute(f"post {path}", {**request, "headers": headers, "body": orjson.dumps(body).decode()})


def ready(world: World, name: str = "web") -> int:
    found = world.informers.by_key("Deployment", f"default/{name}") or {}
    return int((found.get("status") or {}).get("readyReplicas", 0))


def until(world: World, true: Callable[[], bool]) -> None:
    """Errors: RuntimeError: not within MOST."""
    last = world.now + MOST
    while not true():
        if world.now > last:
            raise RuntimeError(f"waited {MOST // SECOND} simulated seconds in vain")
        world.run(world.now + STEP)
        world.commit()


def replace(world: World, dead: int) -> tuple[float, float, int]:
    """(simulated seconds until all pods of `dead` nodes are Ready elsewhere, CPU seconds, pods)."""
    wanted, names = ready(world), [f"worker-{number}" for number in range(1, dead + 1)]
    lost = sum(pod["spec"].get("nodeName") in names for pod in world.informers.list("Pod", "default"))
    begun, cpu = world.now, time.process_time()
    for name in names:
        world.execute(f"off {name}", {"type": "power-off", "node": name})
    until(world, lambda: ready(world) < wanted)
    until(world, lambda: ready(world) == wanted)
    return (world.now - begun) / SECOND, time.process_time() - cpu, lost


def main() -> None:
    simulated, cpu, lost = replace(a_world(NODES, NODES * EACH), DEAD)
    what = f"death: {DEAD} of {NODES:,} nodes, {lost} pods"
    report(f"{what}: until all run elsewhere", simulated, "sim. s", "440: 50 + 90 + 300")
    report(f"{what}: CPU for it", cpu, "s", "")
    report(f"{what}: simulated per CPU second", simulated / cpu, "x", "")
