"""A small cluster in the database, without worker and broker: reads need neither."""

import pytest

from cluster.models import Cluster
from cluster.world import World
from tests.builders import EPOCH, TestCluster


class CommittedCluster(TestCluster):
    """A world whose every act is committed at once."""

    def request(self, *arguments, **named):
        answer = super().request(*arguments, **named)
        self.world.commit()
        return answer

    def config_map(self, name, labels=None, data=None, namespace="default"):
        metadata = {"name": name, "namespace": namespace, **({"labels": labels} if labels else {})}
        obj = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, **({"data": data} if data else {})}
        return self.create(obj)


@pytest.fixture
def lab(transactional_db):
    """A cluster called `lab` without nodes."""
    row = Cluster.objects.create(name="lab", seed=7, epoch=EPOCH, engine="test", options={"nodes": 0})
    cluster = CommittedCluster(World.create(7, EPOCH, {"nodes": 0}, row.pk, 0))
    return cluster.settle()
