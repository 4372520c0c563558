"""From the command to the first pod that runs, once everything is installed; and the memory of what then runs."""

import time

from bench.rig import Rig, report


def main() -> None:
    times = []
    for _ in range(3):
        with Rig() as rig:
            door = rig.door()
            running = lambda found: any(p["status"].get("phase") == "Running" for p in found["items"])  # noqa: E731
            door.wait("/api/v1/namespaces/default/pods", running, 60)
            times.append(time.monotonic() - rig.started)
            memory = rig.memory()
    report("start: make run to first pod Running (median of 3)", sorted(times)[1], "s", "<= 4 s")
    report("start: memory of all processes (PSS)", memory, "MB", "<= 320 MB")
