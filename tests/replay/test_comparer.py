"""Is the comparer blind? A recording is the same story as itself; with one thing changed in it, it is not."""

from collections.abc import Callable
from copy import deepcopy

import pytest

from tests.replay import recordings
from tests.replay.compare import differences
from tests.replay.tracing import Item

Trace = list[Item]


@pytest.mark.parametrize("name", recordings.names())
def test_a_recording_is_the_same_story_as_itself(name: str) -> None:
    trace = recordings.load(name)

    assert differences(trace, deepcopy(trace)) == []


def events(trace: Trace, reason: str) -> Trace:
    return [item for item in trace if "event" in item and item["reason"] == reason]


def changes(trace: Trace, kind: str, type_: str) -> Trace:
    return [item for item in trace if item.get("kind") == kind and item["type"] == type_]


def a_wrong_reason(trace: Trace) -> None:
    events(trace, "SuccessfulDelete")[0]["reason"] = "SuccessfulDeletion"


def a_wrong_message(trace: Trace) -> None:
    events(trace, "SuccessfulCreate")[0]["message"] = "Made pod: web"


def a_wrong_type_of_event(trace: Trace) -> None:
    events(trace, "SuccessfulCreate")[0]["type"] = "Warning"


def a_missing_event(trace: Trace) -> None:
    trace.remove(events(trace, "Scheduled")[0])


def an_event_said_twice(trace: Trace) -> None:
    events(trace, "ScalingReplicaSet")[0]["count"] = 2


def a_scaling_to_another_number(trace: Trace) -> None:
    event = events(trace, "ScalingReplicaSet")[0]
    event["message"] = event["message"].replace("from 0 to", "from 1 to")


def a_swapped_order_of_events(trace: Trace) -> None:
    swap(trace, events(trace, "ScalingReplicaSet")[0], events(trace, "ScalingReplicaSet")[1])


def a_missing_write(trace: Trace) -> None:
    trace.remove(next(item for item in changes(trace, "Pod", "MODIFIED") if "spec.nodeName" in item["diff"]))


def a_pod_that_is_never_deleted(trace: Trace) -> None:
    trace.remove(changes(trace, "Pod", "DELETED")[0])


def a_pod_too_many(trace: Trace) -> None:
    added = changes(trace, "Pod", "ADDED")[1]
    trace.insert(trace.index(added), {**added, "name": added["name"][:-5] + "zzzzz"})


def a_swapped_order_of_writes(trace: Trace) -> None:
    """The pod runs before it is bound."""
    first = changes(trace, "Pod", "ADDED")[0]["name"]
    bound, running = [item for item in changes(trace, "Pod", "MODIFIED") if item["name"] == first][:2]
    swap(trace, bound, running)


def an_order_swapped_across_a_step(trace: Trace) -> None:
    """The second scaling happens before somebody asks for it."""
    step = [item for item in trace if "STEP" in item][1]
    scaled = next(item for item in trace[trace.index(step) :] if "spec.replicas" in (item.get("diff") or {}))
    swap(trace, step, scaled)


def another_final_state(trace: Trace) -> None:
    last = [item for item in changes(trace, "ReplicaSet", "MODIFIED") if "status.readyReplicas" in item["diff"]][-1]
    last["diff"]["status.readyReplicas"] = 7


def another_revision(trace: Trace) -> None:
    for item in changes(trace, "Deployment", "MODIFIED"):
        for path in [path for path in item.get("diff", {}) if path.endswith("/revision")]:
            item["diff"][path] = "9"


def a_pod_made_otherwise(trace: Trace) -> None:
    changes(trace, "Pod", "ADDED")[0]["object"]["spec"]["restartPolicy"] = "Never"


def a_pod_of_another_image(trace: Trace) -> None:
    changes(trace, "Pod", "ADDED")[0]["object"]["spec"]["containers"][0]["image"] = "nginx:1.26"


def an_owner_that_does_not_block(trace: Trace) -> None:
    del changes(trace, "ReplicaSet", "ADDED")[0]["object"]["metadata"]["ownerReferences"][0]["blockOwnerDeletion"]


def swap(trace: Trace, one: Item, other: Item) -> None:
    i, j = trace.index(one), trace.index(other)
    trace[i], trace[j] = trace[j], trace[i]


@pytest.mark.parametrize(
    "change",
    [
        a_wrong_reason,
        a_wrong_message,
        a_wrong_type_of_event,
        a_missing_event,
        an_event_said_twice,
        a_scaling_to_another_number,
        a_swapped_order_of_events,
        a_missing_write,
        a_pod_that_is_never_deleted,
        a_pod_too_many,
        a_swapped_order_of_writes,
        an_order_swapped_across_a_step,
        another_final_state,
        another_revision,
        a_pod_made_otherwise,
        a_pod_of_another_image,
        an_owner_that_does_not_block,
    ],
)
def test_the_comparer_sees(change: Callable[[Trace], None]) -> None:
    trace = recordings.load("deploy-create-scale")
    other = deepcopy(trace)

    change(other)

    assert differences(trace, other) != []


def test_the_comparer_sees_another_answer() -> None:
    trace = recordings.load("pdb-zero")
    other = deepcopy(trace)

    next(item for item in other if item.get("RESPONSE") == 429)["body"]["message"] = "no"

    assert differences(trace, other) != []


def test_the_comparer_sees_a_taint_that_is_missing() -> None:
    trace = recordings.load("node-failure-defaults")
    other = deepcopy(trace)

    for item in changes(other, "Node", "MODIFIED"):
        item["diff"] = {
            path: "x" if value == "NoExecute" else value for path, value in (item.get("diff") or {}).items()
        }

    assert differences(trace, other) != []


def test_the_comparer_sees_a_condition_missing_before_an_eviction() -> None:
    trace = recordings.load("taint-noexecute")
    other = deepcopy(trace)

    other.remove(
        next(
            item
            for item in changes(other, "Pod", "MODIFIED")
            if "status.conditions[DisruptionTarget].status" in (item.get("diff") or {})
        )
    )

    assert differences(trace, other) != []
