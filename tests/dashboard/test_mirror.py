"""The mirror shows what was committed, and reads only what is new."""

import pytest

from cluster.models import Cluster
from dashboard.mirror import Mirror
from tests.builders import a_deployment
from tests.dashboard.saved import a_saved_cluster

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_first_look_sees_the_whole_cluster():
    a_saved_cluster(nodes=2).create(a_deployment("web", replicas=0))
    mirror = Mirror("default")

    mirror.look()

    shown = mirror.snapshot()
    assert sorted(node["k"] for node in shown["nodes"]) == ["worker-1", "worker-2"]
    assert all(node["p"] for node in shown["nodes"])
    assert shown["clock"]["rev"] == row_of_default().revision


def test_later_looks_see_what_was_committed_since():
    cluster = a_saved_cluster(nodes=2)
    mirror = Mirror("default")
    mirror.look()

    cluster.with_objects(a_deployment("web", replicas=3)).settle()
    delta = mirror.look()

    mine = [row for key, row in delta.pods.items() if key.startswith("default/web-")]
    assert len(mine) == 3
    assert {row["s"] for row in mine} == {"run"}
    assert "bind" in [message.get("l") for message in delta.messages]


def test_objects_of_a_custom_kind_are_told_like_others():
    cluster = a_saved_cluster(nodes=1, addons=["load-generators"])
    cluster.run_for(5)
    mirror = Mirror("default")
    mirror.look()

    wish = {"apiVersion": "traffic.orrery.dev/v1", "kind": "LoadGenerator", "metadata": {"name": "web"}}
    path = "/apis/traffic.orrery.dev/v1/namespaces/default/loadgenerators"
    cluster.request("POST", path, {**wish, "spec": {"target": "http://web"}})
    cluster.run_for(1)
    delta = mirror.look()

    assert "LoadGenerator/default/web" in delta.touched
    assert "loadgenerators" in [message.get("p") for message in delta.messages]


def test_a_machine_takes_something_for_itself_as_long_as_it_is_on():
    cluster = a_saved_cluster(nodes=2, addons=[])
    mirror = Mirror("default")
    mirror.look()
    assert all(cpu > 0 and memory > 100 for cpu, memory in mirror.usage.values())
    assert sorted(mirror.usage) == ["worker-1", "worker-2"]

    cluster.power_off("worker-2")
    cluster.run_for(5)
    later = Mirror("default")
    later.look()

    assert sorted(later.usage) == ["worker-1"]


def test_looking_twice_at_a_cluster_that_stands_still_says_nothing():
    a_saved_cluster()
    mirror = Mirror("default")
    mirror.look()
    mirror.look()
    clock = mirror.clock

    delta = mirror.look()

    assert delta.says_nothing({**clock, "reached": delta.clock["reached"]})


def test_a_power_cut_is_seen_on_the_node_and_in_the_lane_called_you():
    cluster = a_saved_cluster(nodes=2)
    mirror = Mirror("default")
    mirror.look()

    cluster.power_off("worker-2")
    cluster.world.commit()
    delta = mirror.look()

    assert delta.nodes["worker-2"]["p"] is False
    assert [m["v"] for m in delta.messages if "e" in m] == ["power-off"]
    assert [m["short"] for m in delta.messages if "i" in m] == ["power off worker-2"]


def test_heartbeats_travel_beside_the_messages():
    cluster = a_saved_cluster(nodes=1)
    mirror = Mirror("default")
    mirror.look()

    cluster.run_for(30)
    delta = mirror.look()

    assert set(delta.beats) == {"worker-1"}
    assert "Lease" not in [message.get("d") for message in delta.messages]


def test_a_cluster_that_begins_again_has_another_life():
    cluster = a_saved_cluster()
    mirror = Mirror("default")
    mirror.look()
    before = mirror.life

    Cluster.objects.filter(pk=cluster.world.identity).update(first_revision=cluster.revision)
    mirror.look()

    assert mirror.life != before


def test_there_is_nothing_to_see_of_a_cluster_that_does_not_exist():
    assert Mirror("nowhere").look() is None


def row_of_default() -> Cluster:
    return Cluster.objects.get(name="default")
