"""The API server over http: what a request costs, and how long a change takes to whoever watches."""

import selectors
import socket
import statistics
import time
from typing import Any

from bench.rig import MERGE, Door, Rig, percentile, pod, report

ROUNDS = 300
PODS = 5_000
MANY, IDLE = 250, 1_000
MAPS = "/api/v1/namespaces/default/configmaps"


def main() -> None:
    with Rig(WORKERS="1") as rig:
        door = rig.door()
        door.ask("POST", MAPS, {"metadata": {"name": "bench"}, "data": {"n": "0"}})
        measured(rig, "GET", "<= 2 ms", lambda n: door.ask("GET", f"{MAPS}/bench"))
        measured(rig, "create", "<= 5 ms", lambda n: door.ask("POST", MAPS, {"metadata": {"name": f"bench-{n}"}}))
        patch = lambda n: door.ask("PATCH", f"{MAPS}/bench", {"data": {"n": str(n)}}, MERGE)  # noqa: E731
        measured(rig, "PATCH", "<= 5 ms", patch)
        watched(rig, door, 1, 200, "<= 5 ms", "")
        watched(rig, door, MANY, 60, "<= 30 ms", "<= 100 ms")
        idle(rig, door)
    with Rig(WORKERS="1") as rig:
        listed(rig)


def measured(rig: Rig, what: str, aim: str, ask: Any) -> None:
    """Median, p99 and the CPU of all processes, per request."""
    ask(-1)
    times, before = [], rig.cpu_seconds()
    for number in range(ROUNDS):
        begin = time.perf_counter()
        ask(number)
        times.append((time.perf_counter() - begin) * 1000)
    cpu = (rig.cpu_seconds() - before) / ROUNDS * 1000
    report(f"api: {what} p50", statistics.median(times), "ms", aim)
    report(f"api: {what} p99", percentile(times, 99), "ms", "")
    report(f"api: {what}, CPU of all processes", cpu, "ms", "")


def listed(rig: Rig) -> None:
    """A LIST of 5,000 pods, which a cluster without nodes keeps waiting."""
    rig.manage("cluster", "create", "large", "--nodes", "0", "--seed", "7")
    rig.manage("clock", "pause", "--cluster", "large")
    door = rig.door("large")
    for number in range(PODS):
        door.ask("POST", "/api/v1/namespaces/default/pods", pod(f"pod-{number:04}"))
    path, before, times = "/api/v1/namespaces/default/pods", rig.cpu_seconds(), []
    for _ in range(10):
        begin = time.perf_counter()
        assert len(door.raw("GET", path)) > PODS * 500
        times.append((time.perf_counter() - begin) * 1000)
    report(f"api: LIST of {PODS:,} pods p50", statistics.median(times), "ms", "<= 100 ms")
    report(f"api: LIST of {PODS:,} pods, CPU of all processes", (rig.cpu_seconds() - before) * 100, "ms", "")


class Watchers:
    """Many watches on one selector: bytes are counted into lines, and lines are looked for one text."""

    def __init__(self, rig: Rig, number: int, query: str) -> None:
        self.selector, self.pending = selectors.DefaultSelector(), {}
        request = f"GET /clusters/default{MAPS}?watch=1&{query} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
        for _ in range(number):
            connection = socket.create_connection(("127.0.0.1", rig.port))
            connection.sendall(request)
            connection.setblocking(False)
            self.selector.register(connection, selectors.EVENT_READ)
            self.pending[connection] = b""
        self.until(b"200 OK", 60)

    def until(self, text: bytes, seconds: float) -> list[float]:
        """Moments at which each watch had `text`. What it read before is forgotten then."""
        arrived: dict[socket.socket, float] = {}
        deadline = time.monotonic() + seconds
        while len(arrived) < len(self.pending) and time.monotonic() < deadline:
            for key, _ in self.selector.select(1.0):
                connection: socket.socket = key.fileobj  # type: ignore[assignment]
                buffer = self.pending[connection] + connection.recv(1 << 16)
                if text in buffer:
                    arrived[connection], buffer = time.perf_counter(), b""
                self.pending[connection] = buffer[-4096:]
        if len(arrived) < len(self.pending):
            raise RuntimeError(f"only {len(arrived)} of {len(self.pending)} watches saw {text!r} in {seconds} s")
        return list(arrived.values())

    def close(self) -> None:
        for connection in self.pending:
            connection.close()
        self.selector.close()


def watched(rig: Rig, door: Door, number: int, rounds: int, aim: str, aim_99: str) -> None:
    """From sending a PATCH to reading its frame on each of `number` watches of the whole collection."""
    version = door.ask("GET", f"{MAPS}?limit=1")["metadata"]["resourceVersion"]
    watchers = Watchers(rig, number, f"resourceVersion={version}")
    time.sleep(1)
    times, before = [], rig.cpu_seconds()
    for round_ in range(rounds):
        begin = time.perf_counter()
        door.ask("PATCH", f"{MAPS}/bench", {"data": {"n": f"w{number}-{round_}"}}, MERGE)
        times += [(moment - begin) * 1000 for moment in watchers.until(f'"w{number}-{round_}"'.encode(), 20)]
    cpu = (rig.cpu_seconds() - before) / rounds * 1000
    watchers.close()
    report(f"api: write to {number} watchers p50", statistics.median(times), "ms", aim)
    report(f"api: write to {number} watchers p99", percentile(times, 99), "ms", aim_99)
    report(f"api: write to {number} watchers, CPU of all processes", cpu, "ms a write", "")


def idle(rig: Rig, door: Door) -> None:
    """A thousand watches of something that never happens, on a cluster whose clock stands."""
    version = door.ask("GET", f"{MAPS}?limit=1")["metadata"]["resourceVersion"]
    rig.manage("clock", "pause")
    time.sleep(3)
    quiet = busy(rig)
    watchers = Watchers(rig, IDLE, f"resourceVersion={version}&allowWatchBookmarks=true&labelSelector=never")
    time.sleep(3)
    report(f"api: {IDLE:,} idle watchers, CPU beyond an idle installation", busy(rig) - quiet, "% of core", "~ 0")
    report(f"api: {IDLE:,} idle watchers, memory of all processes", rig.memory(), "MB", "")
    watchers.close()


def busy(rig: Rig, seconds: float = 15) -> float:
    before = rig.cpu_seconds()
    time.sleep(seconds)
    return (rig.cpu_seconds() - before) / seconds * 100
