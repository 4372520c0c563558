"""A small cluster with a Prometheus in it, that was scraped for five minutes."""

import pytest

from cluster.engine.clock import monotonic
from cluster.gathering import Gathering
from cluster.models import Cluster
from cluster.monitoring.store import forget_uncommitted
from cluster.world import World
from tests.builders import EPOCH, a_deployment
from tests.cluster.gateway.conftest import CommittedCluster


class Watched(CommittedCluster):
    """Scrapes as a driver would at 1x, but for the time on the wall."""

    def watch(self, seconds: float) -> "Watched":
        for _ in range(int(seconds // 15)):
            self.run_for(15)
            self.world.commit()
            for gatherer in self.gathering._gatherers:
                gatherer.gather(self.world.site, monotonic() + 10)
        return self


@pytest.fixture
def watched(transactional_db):
    """Two nodes, a Deployment `web`, and a Prometheus that has been there for five minutes."""
    options = {"nodes": 2, "addons": ["kube-proxy", "prometheus"]}
    row = Cluster.objects.create(name="lab", seed=7, epoch=EPOCH, engine="test", options=options)
    cluster = Watched(World.create(7, EPOCH, options, row.pk, 0))
    cluster.gathering = Gathering(row.pk, 0)
    cluster.settle()
    cluster.create(a_deployment("web", replicas=2))
    return cluster.watch(300)


@pytest.fixture(autouse=True)
def nothing_of_other_tests():
    """Tests roll back: the numbers of their rows come again."""
    forget_uncommitted()
