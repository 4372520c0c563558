"""Senders and servers together: rates, queues and connections that fit."""

import pytest

from cluster.flows.balance import NO_ROOM, TOO_LATE, Lane, Sender, balanced
from cluster.kubelet.serving import Server

SLOW = Server(2.5, 1, 661)  # hpa-example with half a CPU.
QUICK = Server(10_000.0, 2, 2048)


def evenly(servers: int) -> tuple[Lane, ...]:
    return tuple(Lane(1 / servers, number, "200") for number in range(servers))


def test_what_fits_is_answered_as_quickly_as_the_server_works():
    (sent,) = balanced([Sender(100, 10, 5.0, evenly(1))], [QUICK]).sent

    assert sent.outcomes == {"200": pytest.approx(100)}
    assert sent.latency[1] < 0.001


def test_a_sender_never_has_more_requests_under_way_than_connections():
    (sent,) = balanced([Sender(0, 10, 60.0, evenly(1))], [SLOW]).sent

    assert sent.rate == pytest.approx(2.5, rel=0.01)
    assert sent.latency[0] == pytest.approx(10 / 2.5, rel=0.02)  # Little's law.


def test_more_servers_answer_more_and_more_quickly():
    found = [balanced([Sender(10, 10, 10.0, evenly(n))], [SLOW] * n).sent[0] for n in (1, 2, 4, 8)]

    rates, means = [each.rate for each in found], [each.latency[0] for each in found]
    assert rates == sorted(rates)
    assert rates[-1] == pytest.approx(10, rel=0.01)
    assert means == sorted(means, reverse=True)


def test_endpoints_that_do_not_answer_hold_the_connections_of_the_others_up():
    lanes = (Lane(0.5, 0, "200"), Lane(0.5, None, "i/o timeout", True))
    (sent,) = balanced([Sender(100, 10, 5.0, lanes)], [QUICK]).sent

    assert sent.outcomes["i/o timeout"] == pytest.approx(10 / 5, rel=0.01)
    assert sent.outcomes["200"] == pytest.approx(10 / 5, rel=0.01)


def test_a_refusal_costs_no_time():
    (sent,) = balanced([Sender(100, 1, 5.0, (Lane(1.0, None, "connection refused"),))], []).sent

    assert sent.outcomes == {"connection refused": pytest.approx(100)}
    assert sent.latency == ()


def test_answers_that_come_after_the_timeout_count_for_nothing():
    (sent,) = balanced([Sender(20, 64, 5.0, evenly(1))], [SLOW]).sent

    assert sent.outcomes == {TOO_LATE: pytest.approx(2.5, rel=0.01)}
    assert sent.latency == ()


def test_a_full_backlog_does_not_answer_who_comes_on_top():
    (sent,) = balanced([Sender(0, 5000, 10.0, evenly(1))], [Server(100.0, 1, 661)]).sent

    assert sent.outcomes["200"] == pytest.approx(100, rel=0.01)
    assert sent.outcomes[NO_ROOM] > 300


def test_two_senders_share_a_server():
    one, other = balanced([Sender(2, 10, 60.0, evenly(1))] * 2, [SLOW]).sent

    assert one.rate + other.rate == pytest.approx(2.5, rel=0.01)
    assert 7 < one.latency[0] <= 8  # Nearly twenty requests wait.


def test_nobody_sends_and_nobody_serves():
    assert balanced([], []).sent == []
    assert balanced([], [QUICK]).queues[0].taken == 0
