import pytest

from cluster.engine.agenda import Agenda
from cluster.engine.cells import Cells
from cluster.engine.clock import SECOND, Clock


@pytest.fixture
def agenda():
    return Agenda(Clock(epoch=0), Cells())


def test_a_key_added_twice_is_one_item_with_both_causes(agenda):
    queue = agenda.queue("controller", reaction=10)
    agenda.causes = ("r1",)
    queue.add("default/web")
    agenda.causes = ("r2",)
    queue.add("default/web")

    item = agenda.pop()

    assert (item.component, item.key, item.causes) == ("controller", "default/web", ("r1", "r2"))
    assert agenda.next_due() is None


def test_items_come_in_order_of_time_and_then_first_come_first_served(agenda):
    queue = agenda.queue("controller", reaction=10)
    queue.add_after("late", 20)
    queue.add("first")
    queue.add("second")

    assert [agenda.pop().key for _ in range(3)] == ["first", "second", "late"]


def test_an_earlier_timer_for_a_key_stands_and_a_later_one_is_moved_forward(agenda):
    queue = agenda.queue("controller", reaction=0)
    queue.add_after("web", 50)
    queue.add_after("web", 90)
    assert queue.timer("web") == 50

    queue.add_after("web", 20)
    assert queue.timer("web") == 20
    assert agenda.pop().due == 20
    assert agenda.next_due() is None


def test_failures_back_off_from_5_ms_doubling_to_1000_s(agenda):
    queue = agenda.queue("controller", reaction=0)
    waits = []
    for _ in range(20):
        queue.add_rate_limited("web")
        waits.append(queue.timer("web") - agenda.clock.now)
        queue.cancel("web")

    assert waits[:3] == [5_000, 10_000, 20_000]
    assert waits[-1] == 1_000 * SECOND
    queue.forget("web")
    assert queue.attempts("web") == 0


def test_an_agenda_rebuilt_from_its_cells_has_the_same_future(agenda):
    queue = agenda.queue("controller", reaction=5)
    for key in ("c", "a", "b"):
        queue.add(key)
    queue.add_after("later", 100, note="something to wait for")

    rebuilt = Agenda(Clock(epoch=0), Cells(dict(agenda.cells.data)), agenda.sequence)

    assert rebuilt.next_noted() == agenda.next_noted() == (100, "something to wait for")
    assert [rebuilt.pop() for _ in range(4)] == [agenda.pop() for _ in range(4)]


def test_a_dead_components_queue_is_forgotten(agenda):
    agenda.queue("kubelet/worker-1", reaction=0).add("x")
    agenda.queue("kubelet/worker-10", reaction=0).add("y")

    agenda.forget_component("kubelet/worker-1")

    assert agenda.pop().component == "kubelet/worker-10"
