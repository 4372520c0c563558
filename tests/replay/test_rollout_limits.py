"""During a rollout there are never more pods, nor fewer ready ones, than there were on the real control plane.

How a rollout falls into steps is chance and not compared; what `maxSurge` and `maxUnavailable` promise is.
"""

from typing import NamedTuple

import pytest

from tests.replay import recordings
from tests.replay.play import play
from tests.replay.story import phases
from tests.replay.tracing import Item


class Limits(NamedTuple):
    """`most`: pods that nobody has deleted; `fewest`: ready ones of them."""

    most: int
    fewest: int


def limits(trace: list[Item], numbers: list[int], phase: int) -> Limits:
    """What was reached in one phase of a trace."""
    ready: dict[str, bool] = {}  # Of the pods that are not being deleted.
    seen: list[tuple[int, int]] = []
    step = -1
    for item in trace:
        step += "STEP" in item
        if item.get("kind") != "Pod":
            continue
        diff = item.get("diff") or {}
        if item["type"] == "ADDED":
            ready[item["name"]] = False
        elif item["type"] == "DELETED" or "metadata.deletionTimestamp" in diff:
            ready.pop(item["name"], None)
        elif "status.conditions[Ready].status" in diff and item["name"] in ready:
            ready[item["name"]] = diff["status.conditions[Ready].status"] == "True"
        if numbers[step] == phase:
            seen.append((len(ready), sum(ready.values())))
    return Limits(max(alive for alive, _ in seen), min(count for _, count in seen))


@pytest.mark.parametrize("name", [name for name in recordings.names() if name.startswith("rolling-")])
def test_a_rollout_keeps_the_limits_of_the_recorded_one(name: str) -> None:
    recorded = recordings.load(name)
    ours, numbers = play(recorded), phases(recorded)

    assert limits(ours, numbers, 2) == limits(recorded, numbers, 2)
