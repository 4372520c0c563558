"""Logs, computed from a pod object and its container records."""

import pytest

from cluster.kubelet import server
from cluster.kubelet.server import LogOptions
from cluster.objects import errors
from tests.builders import EPOCH, TestCluster
from tests.cluster.kubelet.cases import a_bound_pod, a_machine_room, a_script

TICK = a_script("i=0; while true; do i=$((i+1)); echo tick $i; sleep 1; done")


def records(cluster: TestCluster) -> list[dict]:
    return list(cluster.world.cells["containers"].data.values())


def log(cluster: TestCluster, name: str, container: str = "", previous: bool = False, **options: object) -> list[str]:
    record = server.choose(cluster.get("Pod", name), records(cluster), container, previous)
    return server.read(record, cluster.world.now, EPOCH, LogOptions(**options))


def test_a_log_is_what_the_program_printed_until_now():
    cluster = a_machine_room().with_objects(a_bound_pod("web", **TICK)).run_for(12)

    lines = log(cluster, "web")

    assert lines == [f"tick {n}" for n in range(1, len(lines) + 1)]
    assert len(lines) > 5


def test_the_last_lines_of_a_day_old_log_come_at_once():
    cluster = a_machine_room().with_objects(a_bound_pod("web", **TICK)).run_for(10)
    record = server.choose(cluster.get("Pod", "web"), records(cluster))
    day = 24 * 3600 * 1_000_000

    lines = server.read(record, day, EPOCH, LogOptions(tail_lines=3))

    numbers = [int(line.split()[1]) for line in lines]
    assert numbers == list(range(numbers[0], numbers[0] + 3))
    assert numbers[0] > 86_000


def test_times_and_limits_are_respected():
    cluster = a_machine_room().with_objects(a_bound_pod("web", **TICK)).run_for(30)

    assert len(log(cluster, "web", since_seconds=5)) == 5
    assert log(cluster, "web", timestamps=True)[0].endswith("000Z tick 1")
    assert log(cluster, "web", limit_bytes=10) == ["tick 1", "tic"]
    assert log(cluster, "web", tail_lines=0) == []


def test_a_follower_goes_on_where_it_stopped():
    cluster = a_machine_room().with_objects(a_bound_pod("web", **TICK)).run_for(15)
    record, seen = server.choose(cluster.get("Pod", "web"), records(cluster)), cluster.world.now
    before = server.read(record, seen, EPOCH)
    cluster.run_for(5)

    after = server.read(record, cluster.world.now, EPOCH, start=seen)

    assert before + after == server.read(record, cluster.world.now, EPOCH)
    assert after


def test_a_container_that_has_not_started_has_no_log_yet():
    cluster = a_machine_room().with_objects(a_bound_pod("web")).run_for(0.1)

    with pytest.raises(errors.BadRequest, match='container "app" in pod "web" is waiting to start: ContainerCreating'):
        log(cluster, "web")


def test_an_image_that_can_t_be_pulled_is_the_reason():
    cluster = a_machine_room().with_objects(a_bound_pod("web", "nginx:bad")).run_for(8)

    with pytest.raises(errors.BadRequest, match="is waiting to start: trying and failing to pull image"):
        log(cluster, "web")


def test_one_of_several_containers_has_to_be_named():
    pod = a_bound_pod("web", **TICK)
    pod["spec"]["containers"].append({"name": "side", "image": "busybox", "command": ["echo", "hi"]})
    cluster = a_machine_room().with_objects(pod).run_for(10)

    message = r"a container name must be specified for pod web, choose one of: \[app side\]"
    with pytest.raises(errors.BadRequest, match=message):
        log(cluster, "web")
    with pytest.raises(errors.BadRequest, match="container nope is not valid for pod web"):
        log(cluster, "web", "nope")
    assert log(cluster, "web", "side") == ["hi"]


def test_the_previous_container_s_log_is_kept():
    cluster = a_machine_room().with_objects(a_bound_pod("web", **a_script("echo life $RANDOM; sleep 9; exit 1")))
    cluster.run_for(8)
    first = log(cluster, "web")

    with pytest.raises(errors.BadRequest, match='previous terminated container "app" in pod "web" not found'):
        log(cluster, "web", previous=True)

    cluster.run_for(10)
    assert log(cluster, "web", previous=True) == first
    assert log(cluster, "web") != first


def test_a_dead_machine_s_kubelet_can_t_be_reached():
    cluster = a_machine_room().with_objects(a_bound_pod("web")).run_for(10)
    cluster.power_off("worker-1")

    error = server.unreachable(cluster.get("Pod", "web"), "app", cluster.world.cells["machines"]["worker-1"])

    assert error is not None
    url = "https://10.0.0.2:10250/containerLogs/default/web/app"
    assert error.message == f'Get "{url}": dial tcp 10.0.0.2:10250: connect: no route to host'
