"""What an idle cluster costs at 1x: three nodes, and a thousand."""

import time

from bench.rig import Rig, report
from bench.rollout import _is_ready

SECONDS = 30


def main() -> None:
    with Rig() as rig:
        time.sleep(10)  # The first pods start, the processes calm down.
        report("idle: CPU at 1x, 3 nodes", busy(rig), "% of core", "<= 1 %")
    with Rig() as rig:
        rig.manage("cluster", "create", "large", "--nodes", "1000", "--seed", "7")
        door = rig.door("large")
        door.wait("/api/v1/nodes", lambda found: sum(map(_is_ready, found["items"])) == 1_000)
        rig.manage("clock", "pause")
        time.sleep(10)
        report("idle: CPU at 1x, 1,000 nodes", busy(rig), "% of core", "<= 5 %")
        report("idle: memory with 1,000 nodes (PSS)", rig.memory(), "MB", "")


def busy(rig: Rig) -> float:
    before = rig.cpu_seconds()
    time.sleep(SECONDS)
    return (rig.cpu_seconds() - before) / SECONDS * 100
