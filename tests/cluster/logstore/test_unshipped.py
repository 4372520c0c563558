"""No entry of a component is shipped twice or lost, however agents come and go, and whoever folds."""

import math
import random

import pytest

from cluster.logstore import store, unshipped
from cluster.logstore.journal import Journal
from cluster.logstore.unshipped import CONTROL_PLANE, Unshipped, owner_of
from tests.builders import a_deployment
from tests.dashboard.saved import a_saved_cluster

pytestmark = pytest.mark.django_db(transaction=True)
OWNERS = (CONTROL_PLANE, "worker-1", "worker-2")


@pytest.mark.parametrize("seed", range(6))
def test_every_owner_gets_all_of_its_entries_once_and_in_order(seed, monkeypatch):
    rng = random.Random(seed)
    monkeypatch.setattr(unshipped, "MOST_WAITING", rng.choice((5, 50_000)))
    cluster = a_saved_cluster(nodes=2)
    folding, positions = Unshipped(cluster.world.identity), dict.fromkeys(OWNERS, 0)
    got = {owner: [] for owner in OWNERS}
    for turn in range(30):
        if turn % 6 == 0:
            cluster.create(a_deployment(f"web-{turn}", replicas=2))
        cluster.run_for(3)
        cluster.world.commit()
        if rng.random() < 0.1:
            folding = Unshipped(cluster.world.identity)  # Another owner took the cluster.
        running = {CONTROL_PLANE, *(owner for owner in OWNERS if rng.random() < 0.9)} if turn < 27 else set(OWNERS)
        reached = {owner for owner in running if rng.random() < 0.6} if turn < 27 else running
        starts = {owner: positions[owner] for owner in running}
        taken, after = folding.take(cluster.world.site, starts, reached)
        for owner, at in after.items():
            got[owner] += taken[owner]
            positions[owner] = at

    world = cluster.world
    for owner in OWNERS:
        whole, _ = Journal(store.rows, world.identity, world.clock.epoch).read(0, positions[owner], math.inf)
        assert got[owner] == [entry for entry in whole if owner_of(entry) == owner]
        assert positions[owner] == world.now
