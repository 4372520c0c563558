"""The cloud's API and what it rents out."""

from typing import Any

import pytest

from cluster.cloud.provider import Cloud
from cluster.engine.cells import Cells
from cluster.engine.clock import SECOND, Clock
from cluster.engine.dice import Dice
from cluster.engine.provider import Refused
from tests.builders import EPOCH, a_cluster
from tests.builders import Refused as Refusal


def a_cloud(seed: int = 1) -> Cloud:
    return Cloud(Cells(), Clock(EPOCH), Dice(seed))


def call(cloud: Cloud, operation: str, **arguments: Any) -> Any:
    """One call, waited for."""
    sent, latency = cloud.send(operation, arguments)
    cloud.clock.now += latency
    return cloud.answer(sent, "test")


def test_a_call_takes_time_is_counted_and_logged():
    cloud = a_cloud()

    sent, latency = cloud.send("ListDisks", {})
    cloud.clock.now += latency

    assert latency > 0
    assert cloud.answer(sent, "somebody") == []
    assert cloud.cells["api/calls"] == {"count": 1, "operations": {"ListDisks": [1, 0]}}
    assert cloud.cells["api/log"]["calls"][0]["took"] == latency


def test_a_question_that_is_asked_again_and_again_has_one_row_in_the_log():
    cloud = a_cloud()

    for _ in range(3):
        call(cloud, "ListDisks")
        call(cloud, "CreateDisk", name="one", gib=1)

    rows = [(row["operation"], row["times"]) for row in cloud.cells["api/log"]["calls"]]
    assert rows == [("CreateDisk", 1), ("CreateDisk", 1), ("ListDisks", 3), ("CreateDisk", 1)]


def test_a_disk_is_attached_to_one_machine_of_its_own_zone():
    world = a_cluster(nodes=3, cloud=True).world
    cloud = world.cloud
    here = next(m for m in cloud.inventory.all("machine") if m["zone"] == "sol-1a")
    there = next(m for m in cloud.inventory.all("machine") if m["zone"] == "sol-1b")

    call(cloud, "CreateDisk", name="pvc-1", zone="sol-1a", gib=10)
    call(cloud, "AttachDisk", name="pvc-1", node=here["name"])

    with pytest.raises(Refused, match="VolumeInUse"):
        call(cloud, "AttachDisk", name="pvc-1", node=there["name"])
    with pytest.raises(Refused, match="VolumeInUse"):
        call(cloud, "DeleteDisk", name="pvc-1")
    call(cloud, "DetachDisk", name="pvc-1", node=here["name"])
    with pytest.raises(Refused, match="WrongZone"):
        call(cloud, "AttachDisk", name="pvc-1", node=there["name"])
    call(cloud, "DeleteDisk", name="pvc-1")
    assert cloud.inventory.all("disk") == []


def test_making_the_same_disk_twice_makes_one_disk():
    cloud = a_cloud()

    first = call(cloud, "CreateDisk", name="pvc-1", zone="", gib=10)

    assert call(cloud, "CreateDisk", name="pvc-1", zone="", gib=10) == first
    with pytest.raises(Refused, match="AlreadyExists"):
        call(cloud, "CreateDisk", name="pvc-1", zone="", gib=11)


def test_a_quota_is_a_limit():
    cloud = a_cloud()
    cloud.cells["quota/disks"] = {"limit": 1}
    call(cloud, "CreateDisk", name="one", gib=1)

    with pytest.raises(Refused, match="QuotaExceeded: quota 'disks' is 1, 1 in use, 1 more wanted"):
        call(cloud, "CreateDisk", name="two", gib=1)


def test_an_api_that_fails_half_the_time_does_so_by_the_dice():
    def lives(seed: int) -> list[bool]:
        cloud = a_cloud(seed)
        cloud.change(errors=50)
        return [_works(cloud) for _ in range(40)]

    assert lives(1) == lives(1)
    assert lives(1) != lives(2)
    assert 5 < sum(lives(1)) < 35


def _works(cloud: Cloud) -> bool:
    try:
        call(cloud, "ListDisks")
    except Refused:
        return False
    return True


def test_too_many_calls_in_a_second_are_throttled():
    cloud = a_cloud()
    cloud.change(rate=2)

    sent = [cloud.send("ListDisks", {})[0] for _ in range(3)]

    assert [bool(call.refusal) for call in sent] == [False, False, True]
    assert sent[2].refusal.startswith("RequestLimitExceeded")


def test_an_api_that_is_down_lets_one_wait():
    cloud = a_cloud()
    cloud.change(down=True)

    sent, latency = cloud.send("ListDisks", {})

    assert latency == 10 * SECOND
    assert "deadline exceeded" in sent.refusal


def test_machines_come_from_three_zones_in_turn():
    cluster = a_cluster(nodes=4, cloud=True)

    machines = cluster.world.cloud.inventory.all("machine")

    assert [m["zone"] for m in machines] == ["sol-1a", "sol-1b", "sol-1c", "sol-1a"]
    assert machines[0]["providerID"] == f"orrery://sol-1/sol-1a/{machines[0]['id']}"
    assert machines[0]["type"] == "std-4c-8g"
    assert len({m["id"] for m in machines}) == 4


def test_a_machine_is_where_its_labels_or_its_owner_want_it():
    labels = {"topology.kubernetes.io/zone": "east"}
    cluster = a_cluster(nodes=[{"name": "a", "labels": labels}], cloud=True)

    cluster.act("node-add", name="b", zone="sol-1c")

    assert [m["zone"] for m in cluster.world.cloud.inventory.all("machine")] == ["east", "sol-1c"]


def test_without_a_cloud_a_zone_is_a_label_that_the_kubelet_brings():
    cluster = a_cluster(nodes=0)

    cluster.act("node-add", name="a", zone="east")
    cluster.settle()

    assert cluster.get("Node", "a")["metadata"]["labels"]["topology.kubernetes.io/zone"] == "east"
    assert len(cluster.world.cells["cloud"]) == 0


def test_a_machine_beyond_the_quota_is_not_rented():
    cluster = a_cluster(nodes=1, cloud=True)
    cluster.act("cloud", op="quota", kind="machines", limit=1)

    with pytest.raises(Refusal, match="QuotaExceeded"):
        cluster.act("node-add", name="more")

    assert list(cluster.world.cells["machines"]) == ["worker-1"]


def test_switching_a_machine_off_stops_it_in_the_cloud_too():
    cluster = a_cluster(nodes=1, cloud=True).settled()

    cluster.power_off("worker-1")
    assert cluster.world.cloud.inventory.find("machine", "worker-1")["state"] == "stopped"

    cluster.power_on("worker-1")
    assert cluster.world.cloud.inventory.find("machine", "worker-1")["state"] == "running"


@pytest.mark.parametrize(
    ("request_", "problem"),
    [
        ({"op": "rain"}, "the cloud can't be told 'rain'"),
        ({"op": "slow", "factor": 0}, "factor is 0"),
        ({"op": "fail", "percent": "all"}, "percent is 'all'"),
        ({"op": "quota", "kind": "ponies", "limit": 1}, "there is no quota of 'ponies'"),
        ({"op": "quota", "kind": "disks", "limit": -1}, "limit is -1"),
        ({"op": "throttle", "rate": True}, "rate is True"),
    ],
)
def test_what_the_cloud_can_not_be_told_is_refused(request_: dict[str, Any], problem: str):
    with pytest.raises(Refusal, match=problem) as refused:
        a_cluster(nodes=0).act("cloud", **request_)
    assert refused.value.status == 400
