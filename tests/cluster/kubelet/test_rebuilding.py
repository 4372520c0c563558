"""A world rebuilt from its rows has the same kubelets with the same plans: nothing lives in memory only."""

import pytest

from tests.builders import TestCluster
from tests.cluster.kubelet.cases import a_bound_pod, a_machine_room, a_script

SECONDS = (0.05, 0.3, 1.5, 4.5, 12, 33)


def a_busy_machine_room() -> TestCluster:
    init = [{"name": "setup", "image": "busybox", "command": ["sleep", "1"]}]
    return a_machine_room(nodes=2).with_objects(
        a_bound_pod("web", initContainers=init),
        a_bound_pod("crash", **a_script("sleep 2; exit 1")),
        a_bound_pod("bad", "nginx:bad", node="worker-2"),
        a_bound_pod("job", **a_script("sleep 9"), restartPolicy="OnFailure", node="worker-2"),
    )


@pytest.mark.parametrize("seconds", SECONDS)
def test_a_rebuilt_world_has_the_same_future(seconds: float):
    cluster = a_busy_machine_room().run_for(seconds)
    other = TestCluster(cluster.world.fork())
    assert other.world.dump() == cluster.world.dump()

    for world in (cluster, other):
        world.delete(world.get("Pod", "crash"))
        world.run_for(10)
        world.power_off("worker-1")
        world.run_for(10)
        world.power_on("worker-1")
        world.run_for(30)

    assert other.world.dump() == cluster.world.dump()


def test_a_kubelet_that_is_rebuilt_knows_that_its_disk_can_no_longer_fill_up():
    filler = a_bound_pod("filler", **a_script("fallocate -l 6600M /fill; sleep 3600"))
    resident = a_machine_room(nodes=[{"name": "worker-1", "storage": "10Gi"}])  # type: ignore[arg-type]
    resident.with_objects(filler).run_for(30).delete(filler, gracePeriodSeconds=0)
    resident.with_objects(a_bound_pod("quiet")).run_for(30)

    moving = TestCluster(resident.world.fork())
    for cluster in (resident, moving):
        cluster.run_for(400)

    assert moving.world.dump() == resident.world.dump()


def test_a_rebuilt_world_hears_of_as_many_signals():
    """More than anybody hears at one instant: those that wait are not remembered in secret."""
    counting = a_script("trap 'echo x >> /heard' TERM; while true; do sleep 1; done")
    resident = a_machine_room().with_objects(a_bound_pod("box", **counting)).run_for(5)
    words = {"namespace": "default", "pod": "box", "tty": False, "stdin": False}
    resident.act("exec", **words, command=["sh", "-c", "for n in $(seq 20); do kill -TERM 1; done"])

    moving = TestCluster(resident.world.fork())
    for cluster in (resident, moving):
        cluster._requests = 100
        cluster.act("exec", **words, command=["true"])
        cluster.run_for(5)

    assert moving.world.dump() == resident.world.dump()


def test_a_kubelet_that_is_rebuilt_notices_a_database_that_writes_its_first_file_as_the_other_does():
    env = [{"name": "POSTGRES_PASSWORD", "value": "x"}]
    resident = a_machine_room().with_objects(a_bound_pod("box", **a_script("fallocate -l 1M /x; sleep 3600")))
    resident.run_for(5)
    moving = TestCluster(resident.world.fork())

    for cluster in (resident, moving):
        cluster.create(a_bound_pod("db", "postgres:17", env=env))
        cluster.run_for(60)

    assert moving.world.dump() == resident.world.dump()
