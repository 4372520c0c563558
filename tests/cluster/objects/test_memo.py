"""Answers remembered by identity."""

from cluster.objects.memo import IdentityMemo


def test_the_very_same_object_is_computed_once():
    memo, spec, calls = IdentityMemo(4), {"a": 1}, []

    answers = [memo.get(spec, "x", lambda obj: calls.append(obj) or len(calls)) for _ in range(3)]

    assert (answers, len(calls)) == ([1, 1, 1], 1)


def test_an_equal_but_different_object_is_computed_again():
    memo, calls = IdentityMemo(4), []

    for spec in ({"a": 1}, {"a": 1}):
        memo.get(spec, "x", calls.append)

    assert len(calls) == 2


def test_the_least_recently_used_answer_is_forgotten_first():
    memo, calls = IdentityMemo(2), []
    first, second, third = {"n": 1}, {"n": 2}, {"n": 3}

    for spec in (first, second, first, third, first, second):
        memo.get(spec, "", lambda obj: calls.append(obj["n"]))

    assert calls == [1, 2, 3, 2]
