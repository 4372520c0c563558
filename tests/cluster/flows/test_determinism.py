"""Flows are part of a world: saved, rebuilt, forked and replayed like everything else."""

import pytest

from cluster.apiserver import commits
from cluster.models import Cluster
from cluster.world import World, replay
from tests.builders import EPOCH, TestCluster, a_deployment
from tests.cluster.flows.conftest import ADDONS, Lab
from tests.cluster.network.conftest import a_service
from tests.cluster.network.test_traffic import RESOURCES, an_autoscaler

OPTIONS = {"nodes": 2, "addons": ADDONS}


def a_busy_life(lab: Lab) -> None:
    probes = {"httpGet": {"path": "/", "port": 80}, "periodSeconds": 5}
    deployment = a_deployment("php-apache", 1, image="registry.k8s.io/hpa-example", resources=RESOURCES)
    deployment["spec"]["template"]["spec"]["containers"][0] |= {"readinessProbe": probes, "livenessProbe": probes}
    lab.cluster.with_objects(deployment, a_service("php-apache"), an_autoscaler()).run_for(60)
    lab.send(8, "http://php-apache", replicas=2).run_for(120)
    lab.cluster.power_off("worker-1")
    lab.run_for(90).change(requestsPerSecond=40).run_for(60)
    lab.cluster.power_on("worker-1")
    lab.run_for(120)


@pytest.mark.django_db(transaction=True)
def test_a_world_rebuilt_in_the_middle_of_traffic_is_the_same_and_goes_on_the_same():
    row = Cluster.objects.create(name="busy", seed=7, epoch=EPOCH, engine="1", options=OPTIONS, owner_epoch=1)
    world = World.create(7, EPOCH, OPTIONS, identity=row.pk, owner_epoch=1)
    a_busy_life(Lab(TestCluster(world).run_for(60)))

    row.refresh_from_db()
    rebuilt = World.load(commits.row_of(row), row.pk, row.owner_epoch)
    assert rebuilt.dump() == world.dump()
    ahead = [each.fork() for each in (world, rebuilt)]
    for fork in ahead:
        fork.run(fork.now + 400_000_000)
        fork.commit()
    assert ahead[0].dump() == ahead[1].dump()


def test_a_replay_in_other_slices_has_the_same_digest():
    cluster = TestCluster(World.create(7, EPOCH, OPTIONS))
    a_busy_life(Lab(cluster.run_for(60)))
    digest = commits.digest(cluster.world.revisions())

    for steps in (1, 997):
        assert commits.digest(replay(cluster.world.export(), steps).revisions()) == digest
