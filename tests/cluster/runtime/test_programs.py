"""Programs are pure functions of their start."""

import pytest

from cluster.runtime.programs import PROGRAMS
from cluster.runtime.programs.program import SECOND, Process

MIB = 1 << 20


def a_process(name: str, **more: object) -> Process:
    return Process(f"an/image-of-{name}", ("sh", "-c", "while true; do echo x; sleep 1; done"), seed=3, **more)


@pytest.mark.parametrize("name", PROGRAMS)
def test_any_window_of_a_log_is_a_part_of_the_whole_log(name: str):
    program = PROGRAMS[name](a_process(name))
    whole = list(program.lines(0, 60 * SECOND))

    for start, end in (
        (0, SECOND),
        (SECOND, 17 * SECOND),
        (3 * SECOND, 3 * SECOND),
        (55 * SECOND, 60 * SECOND),
    ):
        assert list(program.lines(start, end)) == [line for line in whole if start <= line.at < end]


@pytest.mark.parametrize("name", PROGRAMS)
def test_usage_is_plausible_and_the_same_whenever_it_is_asked_for(name: str):
    moments = range(10 * SECOND, 600 * SECOND, 7 * SECOND)
    series = [PROGRAMS[name](a_process(name)).usage(moment) for moment in moments]

    assert series == [PROGRAMS[name](a_process(name)).usage(moment) for moment in moments]
    assert all(0 <= used.cpu_millicores <= 1000 and 0 < used.memory_bytes <= 1100 * MIB for used in series)


def test_traffic_costs_cpu():
    nginx = PROGRAMS["nginx"](a_process("nginx"))

    assert nginx.usage(60 * SECOND, requests_per_second=500).cpu_millicores > 50


@pytest.mark.parametrize("name", ["nginx", "redis", "generic"])
def test_a_server_without_room_for_itself_is_killed_at_the_start(name: str):
    end = PROGRAMS[name](a_process(name, memory_limit=MIB)).exit()

    assert (end.code, end.reason) == (137, "OOMKilled")


def test_an_unknown_image_says_so_in_its_log():
    first = next(iter(PROGRAMS["generic"](a_process("shop")).lines(0, SECOND)))

    assert 'no program is known for the image "an/image-of-shop"' in first.text


def test_a_crasher_dies_as_its_environment_says():
    end = PROGRAMS["crasher"](a_process("crasher", env={"CRASH_AFTER": "7", "EXIT_CODE": "42"})).exit()

    assert (end.at, end.code) == (7 * SECOND, 42)


def test_the_dashboard_speaks_plain_http_if_it_may_be_logged_into_so():
    plain = PROGRAMS["dashboard"](Process("an/image", ("/dashboard", "--enable-insecure-login")))
    secure = PROGRAMS["dashboard"](Process("an/image", ("/dashboard",)))

    assert (plain.ports(), plain.speaks(9090), list(plain.lines(0, SECOND))[-1].text[20:]) == (
        (9090,),
        "http",
        "Serving insecurely on HTTP port: 9090",
    )
    assert (secure.ports(), secure.speaks(8443)) == ((8443,), "https")
