"""When a node dies, the waits are the real ones: what no order of changes shows.

Compared is the time from one happening to the next, since the recordings' nodes did not all die alone.
"""

import pytest

from tests.replay import recordings
from tests.replay.play import play
from tests.replay.tracing import Item

RENEWAL, GRACE, LOOK = 10, 50, 5  # Seconds: between lease renewals; of silence; between the controller's looks.
SOON = 1  # Seconds within which the recorded control plane, on its busy machine, did what is due.


def first(trace: list[Item], kind: str, value: str, after: float = 0) -> float:
    """When some object of `kind` first got `value` in any field."""
    return next(
        item["t"]
        for item in trace
        if item.get("kind") == kind and item["t"] >= after and value in (item.get("diff") or {}).values()
    )


def death(trace: list[Item]) -> float:
    return next(item["t"] for item in trace if item.get("STEP", "").startswith("KUBELETS STOP"))


@pytest.mark.parametrize("name", ["node-failure-defaults", "node-failure-toleration-5s"])
def test_a_death_is_noticed_after_fifty_seconds_of_silence(name: str) -> None:
    """The silence began with the last renewal, up to ten seconds before the death."""
    recorded = recordings.load(name)
    ours = play(recorded)

    for trace in (recorded, ours):
        noticed = first(trace, "Node", "NodeStatusUnknown") - death(trace)
        assert GRACE - RENEWAL <= noticed <= GRACE + LOOK


@pytest.mark.parametrize(("name", "tolerated"), [("node-failure-defaults", 300), ("node-failure-toleration-5s", 5)])
def test_pods_go_when_their_toleration_ends(name: str, tolerated: int) -> None:
    recorded = recordings.load(name)
    ours = play(recorded)

    waits = [
        first(trace, "Pod", "DeletionByTaintManager") - first(trace, "Node", "NoExecute") for trace in (recorded, ours)
    ]

    assert waits == [pytest.approx(tolerated, abs=SOON)] * 2


def test_the_second_dead_node_is_tainted_ten_seconds_after_the_first() -> None:
    recorded = recordings.load("node-failure-toleration-5s")
    ours = play(recorded)

    for trace in (recorded, ours):
        one = first(trace, "Node", "NoExecute")
        assert first(trace, "Node", "NoExecute", after=one + SOON) - one == pytest.approx(10, abs=SOON)


def test_replacements_come_at_once_while_the_old_pods_wait_for_their_node() -> None:
    recorded = recordings.load("node-failure-defaults")
    ours = play(recorded)

    for trace in (recorded, ours):
        evicted = first(trace, "Pod", "DeletionByTaintManager")
        created = [i["t"] for i in trace if i.get("kind") == "Pod" and i["type"] == "ADDED" and i["t"] > evicted]
        gone = [i["t"] for i in trace if i.get("kind") == "Pod" and i["type"] == "DELETED"]
        returned = next(i["t"] for i in trace if i.get("STEP", "").startswith("KUBELETS COME BACK"))
        assert created[0] - evicted < SOON
        assert min(gone) > returned
