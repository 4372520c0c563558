"""GET, PATCH and write-to-watcher over http; and a write while twenty busy clusters share one worker."""

import http.client
import json
import statistics
import threading
import time

from bench.rig import MERGE, Door, Rig, deployment, percentile, pod, report

ROUNDS = 300


def main() -> None:
    with Rig(WORKERS="1") as rig:
        door = rig.door()
        path = "/api/v1/namespaces/default/configmaps/bench"
        door.ask("POST", path.rpartition("/")[0], {"metadata": {"name": "bench"}, "data": {"n": "0"}})
        reads = [door.timed("GET", path) for _ in range(ROUNDS)]
        report("latency: GET p50", statistics.median(reads), "ms", "<= 2 ms")
        writes = [door.timed("PATCH", path, {"data": {"n": str(n)}}, MERGE) for n in range(1, ROUNDS)]
        report("latency: PATCH p50", statistics.median(writes), "ms", "<= 5 ms")
        report("latency: PATCH p99", percentile(writes, 99), "ms", "")
        seen = watched(rig, door, path)
        report("latency: write to watcher p50", statistics.median(seen), "ms", "<= 5 ms")
        report("latency: write to watcher p99", percentile(seen, 99), "ms", "")
        report("latency: POST to Running of one pod at max", at_max(rig, door), "ms", "<= 30 ms")
        crowded(rig)


def watched(rig: Rig, door: Door, path: str) -> list[float]:
    """Milliseconds from sending a PATCH to reading its event on an open watch."""
    connection = http.client.HTTPConnection("127.0.0.1", rig.port)
    collection = f"/clusters/default{path.rpartition('/')[0]}?watch=1&fieldSelector=metadata.name=bench"
    connection.request("GET", collection)
    stream = connection.getresponse()
    arrived: dict[str, float] = {}
    ready = threading.Event()

    def listen() -> None:
        while line := stream.readline():
            event = json.loads(line)
            arrived[event["object"]["data"]["n"]] = time.perf_counter()
            ready.set()

    threading.Thread(target=listen, daemon=True).start()
    ready.wait(5)
    sent = {}
    for n in range(1000, 1000 + ROUNDS):
        sent[str(n)] = time.perf_counter()
        door.ask("PATCH", path, {"data": {"n": str(n)}}, MERGE)
    deadline = time.monotonic() + 5
    while len([n for n in sent if n in arrived]) < ROUNDS and time.monotonic() < deadline:
        time.sleep(0.01)
    return [(arrived[n] - begun) * 1000 for n, begun in sent.items()]


def at_max(rig: Rig, door: Door) -> float:
    """Median of nine pods, one after the other, on a cluster whose clock runs as fast as it can."""
    rig.manage("clock", "speed", "max")
    times = []
    for number in range(9):
        connection = http.client.HTTPConnection("127.0.0.1", rig.port)
        name = f"max-{number}"
        query = f"?watch=1&fieldSelector=metadata.name={name}"
        connection.request("GET", f"/clusters/default/api/v1/namespaces/default/pods{query}")
        stream = connection.getresponse()
        begun = time.perf_counter()
        door.ask("POST", "/api/v1/namespaces/default/pods", pod(name))
        while line := stream.readline():
            if json.loads(line)["object"].get("status", {}).get("phase") == "Running":
                break
        times.append((time.perf_counter() - begun) * 1000)
        connection.close()
    rig.manage("clock", "speed", "1")
    return statistics.median(times)


def crowded(rig: Rig) -> None:
    """Twenty clusters roll out, again and again, at 10x on one worker; somebody writes to the first one."""
    names = [f"busy-{number}" for number in range(20)]
    for name in names:
        rig.manage("cluster", "create", name, "--nodes", "3", "--seed", "1")
        rig.manage("clock", "speed", "10", "--cluster", name)
        rig.door(name).ask("POST", "/apis/apps/v1/namespaces/default/deployments", deployment("web", 5))
    stop = threading.Event()

    def churn(name: str) -> None:
        door, number = rig.door(name), 0
        while not stop.wait(1.0):
            number += 1
            body = {"spec": {"replicas": 2 + number % 5}}
            door.ask("PATCH", "/apis/apps/v1/namespaces/default/deployments/web", body, MERGE)

    threads = [threading.Thread(target=churn, args=(name,), daemon=True) for name in names]
    for thread in threads:
        thread.start()
    time.sleep(3)
    door = rig.door()
    path = "/api/v1/namespaces/default/configmaps/bench"
    writes = []
    for number in range(200):
        writes.append(door.timed("PATCH", path, {"data": {"busy": str(number)}}, MERGE))
        time.sleep(0.02)
    stop.set()
    for thread in threads:
        thread.join()
    report("latency: PATCH beside 20 busy clusters p50", statistics.median(writes), "ms", "")
    report("latency: PATCH beside 20 busy clusters p95", percentile(writes, 95), "ms", "<= 150 ms")
