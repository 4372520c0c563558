"""etcd's members: who leads, what is lost with whom, and what the cluster does without a majority."""

import contextlib

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.objects import conditions
from cluster.world import World
from tests.builders import Refused, TestCluster, a_cluster, a_deployment, a_pod


def members(cluster: TestCluster) -> dict[str, dict]:
    return {name: cluster.world.etcd.group.row(name) for name in cluster.world.etcd.group.names}


def leader(cluster: TestCluster) -> str:
    return cluster.world.etcd.group.leader()


def etcd(cluster: TestCluster, operation: str, member: str = "") -> dict:
    return cluster.act("etcd", op=operation, member=member)


def test_three_members_have_a_leader_and_take_no_steps():
    cluster = a_cluster(nodes=1)
    cluster.run_for(60)

    assert leader(cluster) == "etcd-0"
    assert len(members(cluster)) == 3
    assert "etcd-members" not in cluster.world.steps_by_component


def test_when_the_leader_stops_the_others_elect_another_one_in_a_higher_term():
    cluster = a_cluster(nodes=1)
    before = members(cluster)["etcd-0"]["term"]
    etcd(cluster, "stop", "etcd-0")
    assert leader(cluster) == ""

    cluster.run_for(5)

    assert leader(cluster) in ("etcd-1", "etcd-2")
    assert members(cluster)[leader(cluster)]["term"] > before
    cluster.create(a_pod("after"))


def test_in_between_writes_fail_with_the_real_error_and_nothing_is_lost():
    cluster = a_cluster(nodes=1)
    etcd(cluster, "stop", "etcd-0")

    with pytest.raises(Refused) as refused:
        cluster.create(a_pod("x"))

    assert refused.value.status == 500
    assert refused.value.body["message"] == "etcdserver: request timed out"
    assert "reason" not in refused.value.body


def test_without_a_majority_nothing_is_written_until_it_is_back():
    cluster = a_cluster(nodes=2).with_objects(a_deployment("web", 2)).settle()
    for name in ("etcd-1", "etcd-2"):
        etcd(cluster, "stop", name)
    revision = cluster.revision

    cluster.run_for(600)
    assert cluster.revision == revision
    assert leader(cluster) == ""

    etcd(cluster, "start", "etcd-2")
    cluster.run_for(60)
    assert leader(cluster) != ""
    assert cluster.revision > revision
    assert all(conditions.is_true(node, "Ready") for node in cluster.objects("Node"))


def test_a_node_that_dies_while_etcd_sleeps_is_noticed_afterwards():
    cluster = a_cluster(nodes=3).with_objects(a_deployment("web", 3)).settle()
    dead = cluster.pods_of("web")[0]["spec"]["nodeName"]
    for name in ("etcd-1", "etcd-2"):
        etcd(cluster, "stop", name)
    cluster.power_off(dead)
    cluster.run_for(300)
    for name in ("etcd-1", "etcd-2"):
        etcd(cluster, "start", name)

    cluster.run_for(900)

    alive = [p for p in cluster.pods_of("web") if p["spec"]["nodeName"] != dead]
    assert len(alive) == 3
    assert all(p["status"]["phase"] == "Running" for p in alive)


def test_a_leader_that_is_cut_off_steps_down_and_follows_when_it_returns():
    cluster = a_cluster(nodes=1)
    etcd(cluster, "cut", "etcd-0")
    cluster.run_for(5)
    assert members(cluster)["etcd-0"]["role"] != "leader"
    for number in range(20):
        cluster.create(a_pod(f"p{number}"))
    assert cluster.world.etcd.group.index("etcd-0", cluster.revision) < cluster.world.etcd.group.tip(cluster.revision)

    etcd(cluster, "join", "etcd-0")
    cluster.run_for(5)

    assert members(cluster)["etcd-0"]["leader"] == leader(cluster) != "etcd-0"
    assert members(cluster)["etcd-0"]["index"] is None


def test_one_member_is_a_group_as_well():
    cluster = a_cluster(nodes=1, etcd=1)
    etcd(cluster, "stop", "etcd-0")
    with pytest.raises(Refused):
        cluster.create(a_pod("x"))

    etcd(cluster, "start", "etcd-0")
    cluster.run_for(5)
    cluster.create(a_pod("x"))


def test_members_come_and_go_one_by_one_while_there_is_a_majority():
    cluster = a_cluster(nodes=1)
    assert etcd(cluster, "add")["member"] == "etcd-3"
    cluster.run_for(10)
    assert members(cluster)["etcd-3"]["index"] is None

    etcd(cluster, "remove", "etcd-0")  # The leader itself.
    cluster.run_for(5)
    assert leader(cluster) not in ("", "etcd-0")
    for name in ("etcd-1", "etcd-2"):
        etcd(cluster, "stop", name)
    with pytest.raises(Refused, match="unhealthy cluster"):
        etcd(cluster, "add")


@pytest.mark.parametrize(
    ("operation", "member", "said"),
    [
        ("stop", "etcd-9", "there are: etcd-0, etcd-1, etcd-2"),
        ("start", "etcd-1", "is running"),
        ("join", "etcd-1", "is not cut off"),
    ],
)
def test_what_can_not_be_done_is_said(operation, member, said):
    with pytest.raises(Refused, match=said):
        etcd(a_cluster(nodes=0), operation, member)


DEEDS = st.lists(
    st.tuples(
        st.sampled_from(["stop", "start", "cut", "join", "write", "wait"]),
        st.sampled_from([f"etcd-{n}" for n in range(5)]),
        st.sampled_from([0.01, 0.3, 1.2, 4]),
    ),
    max_size=30,
)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(deeds=DEEDS, size=st.sampled_from([1, 3, 5]), seed=st.integers(1, 5))
def test_a_term_has_one_leader_and_what_was_acknowledged_stays(deeds, size, seed):
    cluster = a_cluster(nodes=0, etcd=size, seed=seed)
    leaders: dict[int, set[str]] = {}
    written: list[str] = []

    def look() -> None:
        for name, row in members(cluster).items():
            if row["role"] == "leader":
                leaders.setdefault(row["term"], set()).add(name)

    for number, (verb, member, seconds) in enumerate(deeds):
        try:
            if verb == "write":
                cluster.create(a_pod(f"p{number}"))
                written.append(f"p{number}")
            elif verb != "wait":
                etcd(cluster, verb, member)
        except Refused:
            pass
        until = cluster.world.now + int(seconds * 1_000_000)
        while (due := cluster.world.next_due()) is not None and due <= until:
            cluster.world.step()
            look()
        cluster.run_for(0)

    assert all(len(names) == 1 for names in leaders.values())
    twin = TestCluster(World.restore(cluster.world.checkpoint_body(), cluster.world.objects()))
    for each in (cluster, twin):
        for name in members(cluster):
            for verb in ("start", "join"):
                with contextlib.suppress(Refused):
                    etcd(each, verb, name)
        each.run_for(10)
        assert leader(each) != ""
        assert all(each.get("Pod", name) is not None for name in written)
        assert each.world.etcd.writable
    assert orjson.loads(twin.world.checkpoint_body())["cells"] == orjson.loads(cluster.world.checkpoint_body())["cells"]
