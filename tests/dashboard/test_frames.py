"""What a slow browser missed is folded into one frame."""

import json

from dashboard.frames import MESSAGES, Delta, encode_delta


def test_of_a_pod_only_the_newest_row_counts():
    first = Delta(pods={"a": {"s": "creating"}, "b": {"s": "run"}})
    second = Delta(pods={"a": {"s": "run"}, "b": None})

    assert first.fold(second).pods == {"a": {"s": "run"}, "b": None}


def test_messages_beyond_what_can_be_shown_are_counted():
    many = Delta(messages=[{"r": number} for number in range(MESSAGES)])
    more = Delta(messages=[{"r": MESSAGES + number} for number in range(10)], more=3)

    folded = many.fold(more)

    assert len(folded.messages) == MESSAGES
    assert folded.messages[-1] == {"r": MESSAGES + 9}
    assert folded.more == 13


def test_folding_changes_neither_frame():
    first, second = Delta(pods={"a": {"s": "run"}}), Delta(pods={"a": None})

    first.fold(second)

    assert (first.pods, second.pods) == ({"a": {"s": "run"}}, {"a": None})


def test_a_frame_holds_only_what_changed():
    text = encode_delta("1.0.5", 12, Delta(clock={"now": 5}, pods={"a": None}))

    assert json.loads(text) == {
        "type": "delta",
        "epoch": "1.0.5",
        "seq": 12,
        "clock": {"now": 5},
        "pods": {"a": None},
    }


def test_a_look_at_a_cluster_that_stands_still_says_nothing():
    assert Delta(clock={"now": 5}).says_nothing({"now": 5})
    assert not Delta(clock={"now": 6}).says_nothing({"now": 5})
