"""The calls that a kubelet makes, and what they leave behind."""

import json

import pytest

from cluster.engine.cells import Cells
from cluster.engine.clock import SECOND, Clock
from cluster.engine.dice import Dice
from cluster.runtime import images, logs, usage
from cluster.runtime.containers import StartError
from cluster.runtime.cri import Runtime, power_cut
from cluster.runtime.network import NoAddressLeft

EPOCH = 1_795_486_800_000_000
MIB = 1 << 20


class Bench:
    """Two machines on a work bench."""

    def __init__(self, machines: Cells | None = None, containers: Cells | None = None, now: int = 0) -> None:
        self.machines = machines or Cells({f"w{n}": {"number": n + 1, "power": True, "images": {}} for n in range(2)})
        self.containers = containers if containers is not None else Cells()
        self.calls = Cells()
        self.clock = Clock(EPOCH, now)
        self.cri, self.other = (
            Runtime(node, self.machines, self.containers, self.calls, self.clock, Dice(7), {}) for node in ("w0", "w1")
        )

    def a_sandbox(self, uid: str, cidr: str = "10.244.0.0/24") -> str:
        return self.cri.run_pod_sandbox(uid, "default", f"pod-{uid}", cidr)["ip"]

    def a_container(self, uid: str, image: str = "nginx", command: list[str] | None = None, **more: object) -> dict:
        if uid not in self.containers:
            self.a_sandbox(uid)
        given = {"args": None, "env": {}, "memory": None, "script": None, **more}
        return self.cri.start_container(self.cri.create_container(uid, "app", 0, image, command, **given))

    def rebuilt(self) -> "Bench":
        """The same from saved rows only."""
        saved = json.loads(json.dumps([self.machines.data, self.containers.data]))
        return Bench(Cells(saved[0]), Cells(saved[1]), self.clock.now)


def test_pods_of_a_node_get_different_addresses_of_its_range():
    bench = Bench()

    assert [bench.a_sandbox(f"u{n}") for n in range(3)] == ["10.244.0.2", "10.244.0.3", "10.244.0.4"]


def test_a_freed_address_is_not_used_again_at_once_not_even_by_a_rebuilt_world():
    bench = Bench()
    bench.a_sandbox("u1")
    bench.cri.remove_pod_sandbox("u1")

    assert bench.rebuilt().a_sandbox("u2") == bench.a_sandbox("u2") == "10.244.0.3"


def test_a_full_range_says_so():
    bench = Bench()
    for number in range(13):
        bench.a_sandbox(f"u{number}", "10.244.9.0/28")

    with pytest.raises(NoAddressLeft, match=r"no IP addresses available in range set: 10\.244\.9\.2-10"):
        bench.a_sandbox("u99", "10.244.9.0/28")


def test_a_pulled_image_is_on_the_disk_when_the_pull_is_over_and_not_before():
    bench, nginx = Bench(), images.resolve("nginx")

    pull = bench.cri.pull_image(nginx)

    assert pull.duration > SECOND
    assert not bench.cri.image_status(nginx.name)
    bench.clock.advance(pull.duration)
    assert bench.cri.image_status(nginx.name)
    assert not bench.other.image_status(nginx.name)


def test_pulling_what_is_there_only_asks_the_registry():
    bench, nginx = Bench(), images.resolve("nginx")
    bench.clock.advance(bench.cri.pull_image(nginx).duration)

    assert bench.cri.pull_image(nginx).duration < SECOND


def test_pulls_of_one_machine_wait_for_each_other():
    bench = Bench()
    first = bench.cri.pull_image(images.resolve("nginx"))

    second = bench.cri.pull_image(images.resolve("redis"))

    assert second.waiting == first.duration
    assert bench.other.pull_image(images.resolve("redis")).waiting == 0


def test_a_missing_tag_fails_in_the_registry_s_words():
    assert "nginx:bad: not found" in Bench().cri.pull_image(images.resolve("nginx:bad")).error


def test_nginx_ends_soon_after_sigterm_and_a_sleeping_shell_only_by_sigkill():
    bench = Bench()
    server, sleeper = bench.a_container("u1"), bench.a_container("u2", "busybox", ["sleep", "3600"])
    bench.clock.advance(10 * SECOND)

    gentle, hard = (bench.cri.stop_container(record, 30 * SECOND) for record in (server, sleeper))

    assert gentle.code == 0
    assert gentle.at < 11 * SECOND
    assert (hard.at, hard.code) == (40 * SECOND, 137)


def test_a_leaker_dies_when_it_reaches_its_limit():
    bench = Bench()
    end = bench.cri.expected_end(bench.a_container("u1", "orrery/leaker", memory=64 * MIB))

    assert (end.code, end.reason) == (137, "OOMKilled")
    assert 7 * SECOND < end.at < 8 * SECOND


def test_a_script_in_the_annotations_decides_how_a_container_ends():
    bench = Bench()
    failing = bench.a_container("u1", script={"do": "exit", "code": 4, "after": 2 * SECOND})
    lasting = bench.a_container("u2", "busybox", ["false"], script={"do": "run"})

    assert bench.cri.expected_end(failing)[:2] == (2 * SECOND, 4)
    assert bench.cri.expected_end(lasting) is None


def test_a_power_cut_ends_every_container_and_every_unfinished_pull():
    bench = Bench()
    bench.a_container("u1")
    bench.cri.pull_image(images.resolve("redis"))
    bench.clock.advance(SECOND // 10)

    bench.cri.interrupt_pulls()

    assert power_cut("w1", bench.containers, bench.clock.now, "p1") == []
    assert power_cut("w0", bench.containers, bench.clock.now, "p1") == ["u1/app/0"]
    dead = bench.containers["u1/app/0"]
    assert (dead["code"], dead["reason"], dead["cause"]) == (255, "Unknown", "p1")
    assert bench.cri.sandbox("u1") is None
    assert bench.machines["w0"]["images"] == {}


def test_a_program_that_the_image_lacks_leaves_a_dead_container():
    bench = Bench()

    with pytest.raises(StartError):
        bench.a_container("u1", "nginx", ["no-such-program"])

    assert bench.containers["u1/app/0"]["code"] == 128


def test_removing_a_pod_leaves_nothing_behind():
    bench = Bench()
    bench.a_container("u1")

    bench.cri.remove_pod_sandbox("u1")

    assert not bench.containers.data
    assert bench.machines["w0"]["addresses"]["used"] == []


def test_logs_and_usage_come_from_the_record_alone():
    bench = Bench()
    record = bench.a_container("u1", "busybox", ["sh", "-c", "while true; do date; sleep 5; done"])
    record = json.loads(json.dumps(record))
    week = 7 * 24 * 3600 * SECOND

    last = logs.tail(record, 3, week, EPOCH)

    assert len(last) == 3
    assert week - 16 * SECOND < last[0].at < last[1].at < last[2].at < week
    assert usage.at(record, week, EPOCH).memory_bytes > 0
    assert usage.at({**record, "ended": SECOND}, week, EPOCH) == usage.NOTHING


def test_a_dead_container_prints_nothing_after_its_end():
    bench = Bench()
    running = bench.a_container("u1", "orrery/leaker", memory=64 * MIB)
    record = bench.cri.finish_container(running, bench.cri.expected_end(running))

    assert [line.text for line in logs.lines(record, 0, 3600 * SECOND, EPOCH)] == [
        "holding 6 MiB",
        "holding 46 MiB",
    ]


def test_the_same_seed_gives_the_same_records():
    records = []
    for _ in range(2):
        bench = Bench()
        bench.a_container("u1")
        bench.cri.pull_image(images.resolve("nginx"))
        records.append(json.dumps([bench.machines.data, bench.containers.data]))

    assert records[0] == records[1]


def test_a_script_that_waits_for_a_file_meets_what_others_write():
    bench = Bench()
    uid = bench.a_sandbox("uid-1")
    waits = bench.a_container(uid, "busybox", ["sh", "-c", "until [ -s /tmp/word ]; do sleep 1; done"])
    assert waits["program"] == "terminal"

    uid = bench.a_sandbox("uid-2")
    counts = bench.a_container(uid, "busybox", ["sh", "-c", 'while [ -n "$HOME" ]; do sleep 1; done'])
    assert counts["program"] == "busybox"
