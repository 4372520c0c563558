"""The closed form of the queue against a sum over its states, and what people know of queues."""

import hypothesis.strategies as st
import pytest
from hypothesis import given

from cluster.runtime.queueing import Queue, Server, queue


def by_states(server: Server, offered: float) -> tuple[float, float, float, float]:
    """(blocked, waits, wait, inside), state by state."""
    weights = [1.0]
    for inside in range(1, server.room + 1):
        weights.append(weights[-1] * offered / (min(inside, server.at_once) * server.capacity / server.at_once))
    parts = [weight / sum(weights) for weight in weights]
    blocked = parts[-1]
    waits = sum(parts[server.at_once : server.room]) / (1 - blocked)
    queued = sum(max(inside - server.at_once, 0) * part for inside, part in enumerate(parts))
    wait = queued / (offered * (1 - blocked)) / waits if waits > 1e-9 else 0.0
    return blocked, waits, wait, sum(inside * part for inside, part in enumerate(parts))


servers = st.tuples(st.floats(0.5, 5000), st.integers(1, 16), st.integers(0, 60)).map(
    lambda given: Server(given[0], given[1], given[1] + given[2])
)


@given(servers, st.floats(0.01, 3))
def test_the_closed_form_is_the_sum_over_all_states(server: Server, ratio: float):
    found = queue(server, ratio * server.capacity)

    shown = (found.blocked, found.waits, found.wait, found.inside)
    assert shown == pytest.approx(by_states(server, ratio * server.capacity), rel=1e-3, abs=1e-6)


@given(servers, st.floats(0, 50))
def test_no_figure_is_out_of_its_bounds(server: Server, ratio: float):
    found = queue(server, ratio * server.capacity)

    assert 0 <= found.blocked <= 1
    assert 0 <= found.waits <= 1 + 1e-9
    assert found.taken <= server.capacity * (1 + 1e-6)
    assert found.inside <= server.room * (1 + 1e-6)
    durations = [found.quantile(part) for part in (0.1, 0.5, 0.9, 0.99)]
    assert durations == sorted(durations)
    assert durations[-1] <= server.work + found.longest + 1e-9


def mean(found: Queue) -> float:
    return found.server.work + found.waits * found.wait


def test_a_single_worker_with_endless_room_is_the_well_known_m_m_1():
    server = Server(100.0, 1, 4000)

    assert mean(queue(server, 50)) == pytest.approx(1 / (100 - 50))
    assert mean(queue(server, 90)) == pytest.approx(1 / (100 - 90))


def test_with_more_work_than_it_can_do_everybody_waits_behind_a_full_room():
    found = queue(Server(10.0, 1, 50), 1000)

    assert found.taken == pytest.approx(10)
    assert found.quantile(0.5) == pytest.approx(5, rel=0.05)
    assert found.later_than(10) == 0


def test_without_requests_nothing_waits():
    found = queue(Server(10.0, 2, 50), 0)

    assert (found.taken, found.inside, found.blocked) == (0, 0, 0)
    assert found.quantile(0.99) == pytest.approx(0.2)
