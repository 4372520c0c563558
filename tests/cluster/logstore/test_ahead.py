"""Lines that were read ahead are the lines that are printed, whatever happens to the container meanwhile."""

import pytest

from cluster.kubelet import committed
from cluster.logstore.ahead import Ahead
from tests.builders import TestCluster, a_cluster, a_pod

TALKS = ["sh", "-c", "i=0; while true; do i=$((i+1)); echo hello $i; sleep {}; done"]


def record_of(cluster: TestCluster, pod: str) -> dict:
    return next(each for each in cluster.world.site.all_records() if each["pod"] == pod)


@pytest.mark.parametrize(("every", "looks"), [("5", 40), ("0.1", 40), ("90", 40)])
def test_looks_give_what_is_printed_when_they_are_put_together(every, looks):
    cluster = a_cluster(nodes=1).settle()
    cluster.create(a_pod("web", "busybox:1.36", command=[*TALKS[:2], TALKS[2].format(every)]))
    cluster.run_for(10)
    ahead, found, at = Ahead(), [], 0
    for _ in range(looks):
        cluster.run_for(7)
        record, now = record_of(cluster, "web"), cluster.world.now
        found += ahead.printed(record, at, now, cluster.world.clock.epoch)
        at = now

    assert found == list(committed.printed(record_of(cluster, "web"), 0, at, cluster.world.clock.epoch))
    assert len(found) > 2


def test_what_was_read_ahead_is_forgotten_when_the_container_is_stopped():
    cluster = a_cluster(nodes=1).settle()
    cluster.create(a_pod("web", "busybox:1.36", command=[*TALKS[:2], TALKS[2].format("1")]))
    cluster.run_for(10)
    epoch, ahead = cluster.world.clock.epoch, Ahead()
    before = cluster.world.now
    first = ahead.printed(record_of(cluster, "web"), 0, before, epoch)

    cluster.delete(cluster.get("Pod", "web"), gracePeriodSeconds=2)
    cluster.run_for(1)
    stopped = record_of(cluster, "web")
    cluster.run_for(30)
    found = [*first, *ahead.printed(stopped, before, cluster.world.now, epoch)]

    assert found == list(committed.printed(stopped, 0, cluster.world.now, epoch))
