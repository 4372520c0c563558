"""History is kept for a simulated hour; what is forgotten leaves the present and every later moment intact."""

import pytest

from cluster.apiserver import commits
from cluster.models import Checkpoint, Cluster, Revision
from cluster.world import World, decompress
from tests.builders import EPOCH, TestCluster, a_deployment


@pytest.mark.django_db(transaction=True)
def test_after_two_hours_only_the_last_one_is_left_and_its_moments_can_still_be_restored():
    row = Cluster.objects.create(name="old", seed=7, epoch=EPOCH, engine="1", options={"nodes": 2}, owner_epoch=1)
    cluster = TestCluster(World.create(7, EPOCH, {"nodes": 2}, identity=row.pk, owner_epoch=1))
    cluster.run_for(10)
    cluster.with_objects(a_deployment("web", replicas=2))
    for _ in range(30):
        cluster.run_for(240)

    row.refresh_from_db()
    assert row.compacted > 0
    assert Revision.objects.filter(cluster=row).count() < row.revision / 1.5
    rebuilt = World.load(commits.row_of(row), row.pk, row.owner_epoch)
    assert rebuilt.dump() == cluster.world.dump()
    oldest = Checkpoint.objects.filter(cluster=row).earliest("step")
    assert oldest.revision >= row.compacted
    restored = World.restore(decompress(bytes(oldest.body)), commits.objects_at(row.pk, oldest.revision))
    while restored.clock.step < cluster.world.clock.step:
        restored.run(None, step_limit=cluster.world.clock.step)
        restored.commit()
    assert commits.digest(restored.history) == commits.digest(commits.revisions(row.pk, oldest.revision))
