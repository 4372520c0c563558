"""One world, however it is cut into turns, saved, rebuilt, replayed or forked: the same log."""

import hypothesis.strategies as st
import orjson
import pytest
from hypothesis import given, settings

from cluster.apiserver import commits
from cluster.models import Checkpoint, Cluster, Revision
from cluster.world import World, decompress, replay
from tests.builders import EPOCH, TestCluster, a_cluster, a_deployment, a_pod, a_service

OPTIONS = {"nodes": 2}
SECOND = 1_000_000


def a_saved_world(nodes: int = 2) -> tuple[Cluster, World]:
    """A cluster with a row in the database, owned by this test."""
    row = Cluster.objects.create(name="saved", seed=7, epoch=EPOCH, engine="1", options={"nodes": nodes}, owner_epoch=1)
    return row, World.create(7, EPOCH, {"nodes": nodes}, identity=row.pk, owner_epoch=1)


def reloaded(row: Cluster) -> World:
    row.refresh_from_db()
    return World.load(commits.row_of(row), row.pk, row.owner_epoch)


def an_eventful_life(cluster: TestCluster) -> None:
    cluster.run_for(20)
    cluster.with_objects(a_deployment("web", replicas=3), a_service("web")).run_for(15)
    cluster.power_off("worker-1")
    cluster.run_for(70)
    cluster.create(a_pod("lonely", image="busybox", command=["sh", "-c", "echo hi; sleep 5; exit 3"]))
    cluster.run_for(300)
    cluster.power_on("worker-1")
    cluster.run_for(30)


@pytest.mark.django_db(transaction=True)
def test_a_world_rebuilt_from_its_rows_is_the_same_world_with_the_same_future():
    row, world = a_saved_world()
    an_eventful_life(TestCluster(world))

    rebuilt = reloaded(row)
    assert rebuilt.dump() == world.dump()

    fork = rebuilt.fork()
    for one in (world.fork(), fork):
        one.run(one.now + 400 * SECOND)
        one.commit()
    assert commits.digest(fork.history) == commits.digest(_future(world, 400))


def _future(world: World, seconds: int) -> list[commits.Write]:
    ahead = world.fork()
    ahead.run(ahead.now + seconds * SECOND)
    ahead.commit()
    return ahead.history


@pytest.mark.django_db(transaction=True)
def test_a_world_that_is_rebuilt_after_every_turn_writes_the_same_log_as_one_that_never_is():
    calm = TestCluster(World.create(7, EPOCH, OPTIONS))
    an_eventful_life(calm)

    row, world = a_saved_world()
    restless = TestCluster(world)
    original = restless.run_for

    def run_for_in_pieces(seconds: float) -> TestCluster:
        for _ in range(5):
            original(seconds / 5)
            restless.world = reloaded(row)
        return restless

    restless.run_for = run_for_in_pieces  # type: ignore[method-assign]
    an_eventful_life(restless)

    assert commits.digest(restless.world.revisions()) == commits.digest(calm.world.revisions())


def test_replaying_an_export_in_other_slices_gives_the_same_digest():
    cluster = a_cluster(nodes=2)
    an_eventful_life(cluster)
    export = orjson.loads(orjson.dumps(cluster.world.export()))

    again = replay(export, slice_steps=17)

    assert commits.digest(again.revisions()) == commits.digest(cluster.world.revisions())
    assert again.dump() == cluster.world.dump()


def test_an_export_of_another_engine_version_is_refused_in_plain_words():
    export = {**a_cluster(nodes=1).world.export(), "engine": "0"}

    with pytest.raises(ValueError, match="made by engine version '0'"):
        replay(export)


@pytest.mark.django_db(transaction=True)
def test_a_checkpoint_restores_a_world_with_the_identical_future():
    row, world = a_saved_world()
    an_eventful_life(TestCluster(world))
    checkpoint = Checkpoint.objects.filter(cluster=row).latest("step")

    restored = World.restore(decompress(bytes(checkpoint.body)), commits.objects_at(row.pk, checkpoint.revision))
    inputs = [i for i in commits.inputs(row.pk) if i.step >= checkpoint.step]
    for entry in inputs:
        restored.run(None, step_limit=entry.step)
        restored.clock.now = max(restored.clock.now, entry.sim_time)
        restored.execute(entry.id, orjson.loads(entry.request))
    restored.run(None, step_limit=world.clock.step)
    restored.commit()

    tail = commits.revisions(row.pk, checkpoint.revision)
    assert commits.digest(restored.history) == commits.digest(tail)


@pytest.mark.django_db(transaction=True)
def test_a_world_whose_cluster_was_taken_over_can_commit_nothing():
    _row, world = a_saved_world()
    TestCluster(world).run_for(5)
    before = Revision.objects.count()
    _, epoch = commits.take_ownership("saved", "somebody else")

    world.run(world.now + 10 * SECOND)
    with pytest.raises(commits.Fenced, match="no longer owned under epoch 1"):
        world.commit()

    assert epoch == 2
    assert Revision.objects.count() == before


@settings(max_examples=15, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            ["deploy", "scale 0", "scale 4", "off worker-1", "on worker-1", "off worker-2", "pod", "delete pods"]
        ),
        max_size=6,
    ),
    st.integers(min_value=1, max_value=60),
)
def test_after_any_actions_a_fork_and_its_world_agree(actions, seconds):
    cluster = TestCluster(World.create(3, EPOCH, OPTIONS)).run_for(15)
    for number, action in enumerate(actions):
        _perform(cluster, action, number)
        cluster.run_for(seconds)
    fork = cluster.world.fork()

    assert fork.dump() == cluster.world.dump()
    for world in (fork, cluster.world):
        world.run(world.now + 90 * SECOND)
        world.commit()
    assert fork.dump() == cluster.world.dump()


def _perform(cluster: TestCluster, action: str, number: int) -> None:
    verb, _, what = action.partition(" ")
    machines = cluster.world.cells["machines"]
    if verb == "deploy" and cluster.get("Deployment", "web") is None:
        cluster.create(a_deployment("web", replicas=2))
    elif verb == "scale" and cluster.get("Deployment", "web") is not None:
        cluster.scale(a_deployment("web"), int(what))
    elif verb == "off" and machines[what]["power"]:
        cluster.power_off(what)
    elif verb == "on" and not machines[what]["power"]:
        cluster.power_on(what)
    elif verb == "pod":
        cluster.create(a_pod(f"solo-{number}", image="crasher"))
    elif verb == "delete":
        for pod in cluster.objects("Pod"):
            cluster.delete(pod)
