"""What shipping logs costs: 1,000 nodes with an agent each, 10,000 pods that print a line every five seconds, at 1x.

First without agents, then with them; a figure is of all processes of the installation. Agents read at first what was
printed before they were there: that ends when no more lines arrive than are printed, and the steady state is measured
after it.

    python -m bench chatty                    1,000 nodes and 10,000 pods, about ten minutes
    python -m bench.chatty 100 1000 30        others, measured for 30 s
"""

import sys
import time
from typing import Any
from urllib.parse import quote

from bench.rig import Door, Rig, deployment, report
from bench.rollout import _is_ready
from cluster.addons import installer

NODES, PODS, EVERY = 1_000, 10_000, 5
SECONDS = 60
LOOK, MOST_LOOKS = 15, 40
SCRIPT = f"i=0; while true; do i=$((i+1)); echo GET /item/$i status=200 took=12ms; sleep {EVERY}; done"
STATS = "/api/v1/namespaces/kube-system/services/loki:3100/proxy/loki/api/v1/index/stats?query="
PLURALS = {"ClusterRole": "clusterroles", "ClusterRoleBinding": "clusterrolebindings", "DaemonSet": "daemonsets"}


def main(nodes: int = NODES, pods: int = PODS, seconds: int = SECONDS) -> None:
    with Rig(WORKERS="1") as rig:
        rig.manage("clock", "pause")
        rig.manage("cluster", "create", "chatty", "--nodes", str(nodes), "--seed", "7")
        door = rig.door("chatty")
        door.wait("/api/v1/nodes", lambda found: sum(map(_is_ready, found["items"])) == nodes)
        door.ask("POST", "/apis/apps/v1/namespaces/default/deployments", chatty(pods))
        wait_for(door, "deployments", "default", "web", "readyReplicas", pods)
        time.sleep(20)
        size = stored(rig)
        report("chatty: CPU at 1x without agents", busy(rig, seconds), "% of core", "")
        report("chatty: database without agents", (stored(rig) - size) / seconds * 3600 / 2**20, "MiB/hour", "")
        door = rig.door("chatty")  # Nobody keeps a connection for so long.
        for name in ("loki", "fluent-bit"):
            install(door, name)
        wait_for(door, "deployments", "kube-system", "loki", "readyReplicas", 1)
        wait_for(door, "daemonsets", "kube-system", "fluent-bit", "numberReady", nodes)
        begun, spent = time.monotonic(), rig.cpu_seconds()
        caught_up(rig, pods / EVERY)
        report("chatty: catching up took", time.monotonic() - begun, "s", "")
        report("chatty: CPU while catching up", rig.cpu_seconds() - spent, "s", "")
        size, before, begun = stored(rig), shipped(rig), time.monotonic()
        report("chatty: CPU at 1x with agents, caught up", busy(rig, seconds), "% of core", "")
        took, after = time.monotonic() - begun, shipped(rig)
        lines = after["entries"] - before["entries"]
        report("chatty: lines shipped", lines / took, "lines/s", f"{pods / EVERY:g} are printed")
        report("chatty: blocks", (after["bytes"] - before["bytes"]) / max(lines, 1), "bytes/line", "")
        report("chatty: database with agents, caught up", (stored(rig) - size) / took * 3600 / 2**20, "MiB/hour", "")


def caught_up(rig: Rig, printed: float) -> None:
    """Wait until in two looks no more lines arrive than are `printed` in a second. Errors: RuntimeError."""
    quiet, before, at = 0, shipped(rig)["entries"], time.monotonic()
    for _ in range(MOST_LOOKS):
        time.sleep(LOOK)
        now, moment = shipped(rig)["entries"], time.monotonic()
        quiet = quiet + 1 if 0 < now - before <= 1.1 * printed * (moment - at) else 0
        if quiet == 2:
            return
        before, at = now, moment
    raise RuntimeError(f"after {MOST_LOOKS * LOOK} s the agents still had lines of before")


def chatty(pods: int) -> dict[str, Any]:
    made = deployment("web", pods)
    container = made["spec"]["template"]["spec"]["containers"][0]
    container |= {"image": "busybox:1.36", "command": ["sh", "-c", SCRIPT]}
    container["resources"] = {"requests": {"cpu": "10m", "memory": "16Mi"}}
    return made


def wait_for(door: Door, plural: str, namespace: str, name: str, field: str, wanted: int) -> None:
    path = f"/apis/apps/v1/namespaces/{namespace}/{plural}/{name}"
    door.wait(path, lambda found: found.get("status", {}).get(field) == wanted, 300)


def install(door: Door, name: str) -> None:
    """POST an add-on's manifests."""
    for manifest in installer.manifests(name):
        group, namespace = manifest["apiVersion"], manifest["metadata"].get("namespace")
        plural = PLURALS.get(manifest["kind"], f"{manifest['kind'].lower()}s")
        where = f"namespaces/{namespace}/{plural}" if namespace else plural
        door.ask("POST", f"/{'apis' if '/' in group else 'api'}/{group}/{where}", manifest)


def shipped(rig: Rig) -> dict[str, int]:
    """What is in the store: {entries, bytes} among others."""
    found: dict[str, int] = rig.door("chatty").ask("GET", STATS + quote('{container="app"}') + "&start=0")
    return found


def stored(rig: Rig) -> int:
    """Bytes of the database and its log."""
    return sum(file.stat().st_size for file in rig.home.glob("orrery.sqlite3*"))


def busy(rig: Rig, seconds: int) -> float:
    before = rig.cpu_seconds()
    time.sleep(seconds)
    return (rig.cpu_seconds() - before) / seconds * 100


if __name__ == "__main__":
    main(*map(int, sys.argv[1:4]))
