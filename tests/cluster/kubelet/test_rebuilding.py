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
