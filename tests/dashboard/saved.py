"""Clusters that are in the database, as the page finds them: real worlds that commit their turns."""

from typing import Any

from cluster import ENGINE_VERSION
from cluster.models import Cluster
from cluster.world import World
from tests.builders import EPOCH, TestCluster


def a_saved_cluster(name: str = "default", nodes: int = 2, **options: Any) -> TestCluster:
    """A cluster with a row, booted and settled."""
    options = {"nodes": nodes, **options}
    row = Cluster.objects.create(name=name, seed=7, epoch=EPOCH, engine=ENGINE_VERSION, options=options)
    world = World.create(row.seed, row.epoch, options, row.pk, row.owner_epoch)
    return TestCluster(world).settle()


def row_of(cluster: TestCluster) -> Cluster:
    return Cluster.objects.get(pk=cluster.world.identity)
