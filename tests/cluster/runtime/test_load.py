"""Load generators' command lines: what they want to send, and that nonsense is only told."""

import hypothesis.strategies as st
import pytest
from hypothesis import given

from cluster.runtime.programs.load import MOST_CONNECTIONS, MOST_RATE, Load
from cluster.runtime.programs.program import SECOND, Demand, Process


def a_load(*argv: str) -> Load:
    return Load(Process("image", argv))


@pytest.mark.parametrize(
    ("line", "demand"),
    [
        ("hey -z 5m -c 10 -q 5 http://web", Demand("http://web", 50.0, 10)),
        ("/hey -n 100 -q 2 -c 4 -m POST -t 3 http://web/x", Demand("http://web/x", 8.0, 4, 3 * SECOND, "POST")),
        ("fortio load -qps 50 -c 10 -t 5m http://web", Demand("http://web", 50.0, 10, 3 * SECOND)),
        ("fortio load --qps=0 web:8080", Demand("http://web:8080", 0.0, 4, 3 * SECOND)),
        ("fortio load -qps max web", Demand("http://web", 0.0, 4, 3 * SECOND)),
        ("/load-generator --from=web", Demand("", of="web")),
        ("load-generator --rps=7 --timeout=500ms http://web", Demand("http://web", 7.0, 10, SECOND // 2)),
    ],
)
def test_a_command_line_says_what_is_sent(line: str, demand: Demand):
    assert a_load(*line.split()).demand() == demand


def test_it_ends_when_it_has_sent_for_so_long():
    assert a_load("hey", "-z", "5m", "http://web").exit().at == 300 * SECOND
    assert a_load("hey", "-n", "100", "-q", "2", "-c", "5", "http://web").exit().at == 10 * SECOND
    assert a_load("fortio", "load", "http://web").exit().at == 5 * SECOND
    assert a_load("fortio", "load", "-t", "0", "http://web").exit() is None
    assert a_load("load-generator", "--from=web").exit() is None


@pytest.mark.parametrize(
    ("line", "complaint"), [("hey http://web", "hey: how long -n takes"), ("fortio server", ""), ("fortio", "no URL")]
)
def test_what_it_can_not_do_it_says_and_ends(line: str, complaint: str):
    load = a_load(*line.split())

    said = [each.text for each in load.lines(0, SECOND)]
    if complaint:
        assert complaint in said[0]
        assert load.exit().code == 1


words = st.one_of(
    st.sampled_from(["-z", "-n", "-c", "-q", "-qps", "-t", "--from=", "--rps", "load", "http://web", "0", "-1", "1e9"]),
    st.text(max_size=12),
)


@given(st.sampled_from(["hey", "fortio", "load-generator", "x"]), st.lists(words, max_size=8))
def test_no_command_line_breaks_anything(tool: str, rest: list[str]):
    load = a_load(tool, *rest)

    demand, end = load.demand(), load.exit()
    assert demand is not None
    assert 0 <= demand.rate <= MOST_RATE
    assert 1 <= demand.connections <= MOST_CONNECTIONS
    assert end is None or end.at >= 0
    assert list(load.lines(0, SECOND)) is not None
