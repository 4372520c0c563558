from cluster.engine.cause import LIMIT, after, merge, parse


def test_wake_ups_of_one_key_keep_all_their_causes_oldest_first():
    assert merge(("r1",), ("r2", "r1")) == ("r1", "r2")


def test_sixteen_causes_are_kept_and_the_rest_is_counted_with_the_newest_among_those_kept():
    causes = ()
    for number in range(40):
        causes = merge(causes, (f"r{number}",))

    assert causes[0] == "r0"
    assert causes[LIMIT - 1] == "r39"
    assert causes[-1] == "+24"


def test_a_timer_inherits_the_causes_of_the_step_that_set_it_and_adds_up_its_waits():
    assert after(("r812",), 300) == ("r812+300",)
    assert after(after(("r812",), 300), 5) == ("r812+305",)
    assert parse("r812+305") == ("r812", 305)
    assert parse("r812") == ("r812", 0)
