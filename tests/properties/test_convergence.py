"""Whatever people do and whatever breaks: once all works again, the cluster becomes what was asked for, and rests."""

import re

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.builders import TestCluster
from tests.properties.lives import BUSY_LIVES, LIVES, STRAINED_LIVES, Action, begun, begun_small, heal, live, rebuilt
from tests.properties.truths import complaints

# What a cluster at rest goes on writing: heartbeats, what kubelets report every five minutes, and events that are
# said again or expire (a pod that fits nowhere is tried, and told about, every five minutes). A quota is charged for a
# pod whose name is taken, and given it back at the next count: a StatefulSet tries again and again.
PERIODIC = re.compile(r"^/registry/(leases|minions|events|resourcequotas)/")
CALM = 1_200  # Simulated seconds after which the cluster must have come to rest.


def at_rest(cluster: TestCluster) -> None:
    """Heal it and let it come to rest. Pods that fit nowhere, and back-offs, take their minutes."""
    heal(cluster)
    cluster.run_for(CALM)


def writes_of(cluster: TestCluster, seconds: float) -> list[str]:
    """Keys written in that time, without what is periodic."""
    seen = len(cluster.world.history)
    cluster.run_for(seconds)
    return [write.key for write in cluster.world.history[seen:] if not PERIODIC.match(write.key)]


@given(life=LIVES)
def test_a_cluster_becomes_what_was_asked_for_and_then_writes_nothing(life: list[Action]) -> None:
    cluster = begun()

    live(cluster, life)
    at_rest(cluster)

    assert complaints(cluster) == [], f"after the life {life}"
    assert writes_of(cluster, 600) == [], f"after the life {life}"


@given(life=BUSY_LIVES, where=st.lists(st.integers(0, 25), max_size=3))
@example(life=[("deployment", "a", 3, "100m"), ("stop", "kube-scheduler/1"), ("wait", 7)], where=[1, 2])
def test_a_world_that_is_rebuilt_on_the_way_lives_the_same_life(life: list[Action], where: list[int]) -> None:
    resident, moving = begun(), begun()

    for place, action in enumerate(life):
        live(resident, [action])
        live(moving, [action])
        if place in where:
            moving = rebuilt(moving)
            assert moving.world.checkpoint_body() == resident.world.checkpoint_body()
    for cluster in (resident, moving):
        heal(cluster)
        cluster.run_for(60)

    assert moving.world.checkpoint_body() == resident.world.checkpoint_body()
    assert moving.world.objects() == resident.world.objects()


@settings(max_examples=8)
@given(life=STRAINED_LIVES)
def test_a_world_under_load_that_is_rebuilt_after_every_action_lives_the_same_life(life: list[Action]) -> None:
    resident, moving = begun_small(), begun_small()

    for action in life:
        live(resident, [action])
        live(moving, [action])
        assert moving.world.dump() == resident.world.dump(), f"after {action} of the life {life}"
        moving = rebuilt(moving)
