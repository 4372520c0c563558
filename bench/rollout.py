"""A Deployment of 5,000 replicas on 1,000 nodes at `max`: pods a second from POST to all of them Ready.

The cluster has no add-ons: with them a thousand pods of kube-proxy start at the same time.
"""

import time

from bench.rig import Rig, deployment, report

NODES, REPLICAS = 1_000, 5_000


def main() -> None:
    with Rig(WORKERS="1") as rig:
        rig.manage("cluster", "create", "large", "--nodes", str(NODES), "--seed", "7", "--addons", "none")
        door = rig.door("large")
        ready = lambda found: sum(_is_ready(node) for node in found["items"]) == NODES  # noqa: E731
        door.wait("/api/v1/nodes", ready, 120)
        rig.manage("clock", "speed", "max", "--cluster", "large")
        cpu, begun = rig.cpu_seconds(), time.perf_counter()
        door.ask("POST", "/apis/apps/v1/namespaces/default/deployments", deployment("web", REPLICAS))
        done = lambda found: found.get("status", {}).get("readyReplicas") == REPLICAS  # noqa: E731
        door.wait("/apis/apps/v1/namespaces/default/deployments/web", done, 120)
        wall = time.perf_counter() - begun
        rig.manage("clock", "pause", "--cluster", "large")
        report("rollout: 5,000 replicas on 1,000 nodes", REPLICAS / wall, "pods/s", ">= 1,500 pods/s")
        report("rollout: the same per second of CPU, all processes", REPLICAS / (rig.cpu_seconds() - cpu), "pods/s", "")


def _is_ready(node: dict) -> bool:  # type: ignore[type-arg]
    return any(c["type"] == "Ready" and c["status"] == "True" for c in node["status"].get("conditions", []))
