"""Logs that grow: files are renamed and thrown away, and kubectl shows the newest one."""

from itertools import pairwise
from typing import Any

import pytest

from cluster.kubelet import committed, server
from cluster.kubelet.server import LogOptions
from cluster.runtime import rotation
from tests.builders import TestCluster
from tests.cluster.kubelet.cases import a_bound_pod, a_machine_room, a_script, uid

SMALL = {"containerLogMaxSize": "4Ki", "containerLogMaxFiles": 3}  # Sixty lines or so.
CHATTY = "i=0; while true; do i=$((i+1)); echo line number $i of this log; sleep 1; done"


def a_machine(**kubelet: Any) -> TestCluster:
    return a_machine_room(nodes=[{"name": "worker-1", "kubelet": kubelet}])


def record(cluster: TestCluster, name: str, attempt: int = 0) -> dict[str, Any]:
    return cluster.world.cells["containers"][f"{uid(cluster, name)}/app/{attempt}"]


def shown(cluster: TestCluster, name: str, **options: Any) -> list[str]:
    """What `kubectl logs` prints."""
    found = server.choose(cluster.get("Pod", name), cluster.world.cells["containers"].data.values())
    assert found is not None
    return server.read(found, cluster.world.now, cluster.world.clock.epoch, LogOptions(**options))


def files(cluster: TestCluster, name: str) -> list[rotation.LogFile]:
    return rotation.files(record(cluster, name), cluster.world.now, cluster.world.clock.epoch)


def numbers(lines: list[str]) -> list[int]:
    return [int(line.split()[2]) for line in lines]


LIVING = f"touch /tmp/alive; {CHATTY}"  # It writes a file, so its process lives.


@pytest.mark.parametrize("script", [CHATTY, LIVING], ids=["a function of time", "a process that lives"])
def test_only_the_newest_file_is_shown(script: str):
    cluster = a_machine(**SMALL)
    cluster.create(a_bound_pod("chatty", **a_script(script)))

    cluster.run_for(250)

    found = numbers(shown(cluster, "chatty"))
    assert len(files(cluster, "chatty")) == 3
    assert found == list(range(found[0], found[-1] + 1))
    assert found[0] > 100
    assert 0 < len(found) < 80
    assert found[-1] >= 235
    assert numbers(shown(cluster, "chatty", tail_lines=200)) == found


def test_a_file_is_full_at_the_first_look_after_its_size_was_reached():
    cluster = a_machine(**SMALL)
    cluster.create(a_bound_pod("chatty", **a_script(CHATTY)))
    cluster.run_for(90)

    old, new = files(cluster, "chatty")

    assert 4096 <= old.size < 4096 + 11 * 70
    assert (new.start - record(cluster, "chatty")["started"]) % rotation.LOOK_EVERY == 0


def test_the_usual_limit_keeps_a_quiet_log_whole():
    cluster = a_machine_room()
    cluster.create(a_bound_pod("chatty", **a_script(CHATTY)))

    cluster.run_for(250)

    assert numbers(shown(cluster, "chatty"))[0] == 1
    assert len(files(cluster, "chatty")) == 1


def test_who_follows_misses_nothing_when_another_file_is_begun():
    cluster = a_machine(**SMALL)
    cluster.create(a_bound_pod("chatty", **a_script(CHATTY)))
    cluster.run_for(30)
    seen, position = shown(cluster, "chatty"), cluster.world.now

    for _ in range(6):
        cluster.run_for(20)
        seen += server.read(record(cluster, "chatty"), cluster.world.now, cluster.world.clock.epoch, start=position)
        position = cluster.world.now

    assert len(files(cluster, "chatty")) > 1
    assert numbers(seen) == list(range(1, len(seen) + 1))


def test_the_previous_container_keeps_its_last_file():
    cluster = a_machine(**SMALL)
    script = "for i in $(seq 100); do echo line number $i of this log; sleep 1; done; exit 1"
    cluster.create(a_bound_pod("mortal", **a_script(script)))
    cluster.run_for(150)

    pod, everything = cluster.get("Pod", "mortal"), cluster.world.cells["containers"].data.values()
    before = server.choose(pod, everything, previous=True)
    found = numbers(server.read(before, cluster.world.now, cluster.world.clock.epoch))

    assert found[-1] == 100
    assert 50 < found[0] < 80


def test_a_program_that_is_read_for_ten_minutes_goes_on_at_its_pace():
    cluster = a_machine(**SMALL)
    cluster.create(a_bound_pod("chatty", **a_script(CHATTY)))
    cluster.run_for(590)
    before = files(cluster, "chatty")

    cluster.run_for(1500)

    after, found = files(cluster, "chatty"), numbers(shown(cluster, "chatty"))
    assert len(after) == len(before) == 3
    periods = [later.start - earlier.start for earlier, later in pairwise(after)]
    assert abs(periods[0] - (before[2].start - before[1].start)) <= rotation.LOOK_EVERY
    assert found == list(range(found[0], found[-1] + 1))
    assert 0 < len(found) < 80


def test_files_once_begun_stay_as_time_goes_on():
    cluster = a_machine(**SMALL)
    cluster.create(a_bound_pod("chatty", **a_script(CHATTY)))
    cluster.run_for(10)
    known: set[int] = set()
    for _ in range(130):
        cluster.run_for(7)
        starts = [file.start for file in files(cluster, "chatty")]
        assert starts == sorted(starts)
        assert all(start > max(known, default=0) for start in starts if start not in known)
        known |= set(starts)


def test_an_agent_that_was_away_finds_only_what_is_still_there():
    cluster = a_machine(**SMALL)
    cluster.create(a_bound_pod("chatty", **a_script(CHATTY)))
    cluster.run_for(400)

    since = committed.kept_since(record(cluster, "chatty"), cluster.world.now, cluster.world.clock.epoch)

    assert since == files(cluster, "chatty")[0].start > record(cluster, "chatty")["started"]


def test_logs_take_room_on_the_disk():
    hard = {"evictionHard": {"nodefs.available": "93Mi"}}
    cluster = a_machine_room(nodes=[{"name": "worker-1", "storage": "128Mi", "kubelet": hard}])  # A quarter is taken.
    cluster.create(a_bound_pod("chatty", **a_script("for n in 1 2 3 4 5; do seq 1 10000; done; sleep 999")))

    cluster.run_for(60)

    message = cluster.get("Pod", "chatty")["status"]["message"]
    assert message.startswith("The node was low on resource: ephemeral-storage. Threshold quantity: 93Mi, available: ")
    assert "Container app was using 2" in message
