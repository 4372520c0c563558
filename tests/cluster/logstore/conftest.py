"""A committed cluster with agents and a store, whose gatherer the test lets look."""

import pytest
from django.db import connection

from cluster.logstore import logql, store
from cluster.logstore.agent import Agents
from cluster.models import Cluster
from cluster.world import World
from tests.builders import EPOCH, TestCluster
from tests.cluster.gateway.conftest import CommittedCluster

ADDONS = ["kube-proxy", "coredns", "fluent-bit", "loki"]
CHATTY = ["sh", "-c", "i=0; while true; do i=$((i+1)); echo hello $i from here; sleep 5; done"]
LATE = 1e18  # A deadline that is far away.


def rows(sql: str, parameters: list) -> list[tuple]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return list(cursor.fetchall())


class LoggedCluster(CommittedCluster):
    """Its agents look whenever time has passed."""

    def run_for(self, seconds: float) -> TestCluster:
        return self.run_unseen(seconds).ship()

    def run_unseen(self, seconds: float) -> "LoggedCluster":
        """Time passes, and no agent gets to look: its process is busy, or was killed."""
        super().run_for(seconds)
        self.world.commit()
        return self

    def ship(self) -> TestCluster:
        Agents(self.world.identity, self.world.owner_epoch).gather(self.world.site, LATE)
        return self

    def found(self, query: str, limit: int = 5_000) -> list[str]:
        """Texts of the lines that answer, oldest first."""
        end = self.world.clock.now + 1
        return [e.text for e in store.search(rows, self.world.identity, logql.parse(query), 0, end, limit, True)]

    def agent_on(self, node: str) -> dict:
        pods = self.objects("Pod", "kube-system")
        return next(p for p in pods if p["metadata"]["name"].startswith("fluent-bit") and p["spec"]["nodeName"] == node)


@pytest.fixture
def logged(transactional_db) -> LoggedCluster:
    """Two nodes with agents, and a loki that is ready."""
    options = {"nodes": 2, "addons": ADDONS}
    row = Cluster.objects.create(name="lab", seed=7, epoch=EPOCH, engine="test", options=options)
    cluster = LoggedCluster(World.create(7, EPOCH, options, row.pk, 0))
    cluster.settle()
    cluster.run_for(60)
    return cluster
