"""The images that courses use: what their containers print, answer and end with."""

import pytest

from cluster.runtime.containers import StartError, argv_of, program_for
from cluster.runtime.images import resolve
from cluster.runtime.programs import PROGRAMS
from cluster.runtime.programs.node import pi_digits
from cluster.runtime.programs.program import SECOND, Process, Program

PI = "3.14159265358979323846264338327950288419716939937510"


def started(image: str, *args: str, env: dict[str, str] | None = None) -> Program:
    """The program of a container with these arguments, started at t = 0."""
    found = resolve(image)
    argv = argv_of(found, None, args)
    return PROGRAMS[program_for(found, argv)](Process(image, argv, env or {}, seed=7, hostname="pod-1"))


def printed(program: Program, until: int = 60 * SECOND) -> list[str]:
    return [line.text for line in program.lines(0, until)]


@pytest.mark.parametrize(
    ("image", "args", "lines", "code"),
    [
        ("hello-world", (), ["", "Hello from Docker!"], 0),
        ("python:3.13", ("python", "-c", "print('hi', 1 + 1)"), ["hi 2"], 0),
        ("python:3.12", ("python", "--version"), ["Python 3.12.0"], 0),
        ("node:22", ("node", "-v"), ["v22.19.0"], 0),
        ("node:20", ("-e", "console.log('hi', 1 + 1, process.env.A)"), ["hi 2 1"], 0),
        ("node:22", ("node", "-e", "class A {}"), ["orrery: of JavaScript, console.log, setInterval and an HTTP server"
                                                   " of one text are modelled"], 1),
        ("perl:5.40", ("perl", "-Mbignum=bpi", "-wle", "print bpi(2000)"), [pi_digits(2000)], 0),
        ("perl:5.40", ("perl", "-e", 'print "hi\\n"'), ["hi"], 0),
        ("alexeiled/stress-ng", ("--cpu", "2", "--timeout", "5s"), ["stress: info: [1] dispatching hogs: 2 cpu, 0 io,"
                                                                    " 0 vm, 0 hdd"], 0),
    ],
)  # fmt: skip
def test_a_command_prints_and_ends(image: str, args: tuple[str, ...], lines: list[str], code: int) -> None:
    program = started(image, *args, env={"A": "1"})
    end = program.exit()

    assert printed(program)[: len(lines)] == lines
    assert end is not None
    assert end.code == code


def test_two_thousand_digits_of_pi_are_right_at_both_ends() -> None:
    assert pi_digits(2000).startswith(PI)
    assert len(pi_digits(2000)) == 2001
    assert pi_digits(2000).endswith("780275901")  # What follows is 0.99…


@pytest.mark.parametrize(
    ("image", "args", "port", "answer"),
    [
        ("gcr.io/google-samples/node-hello:1.0", (), 8080, "Hello Kubernetes!"),
        ("php:8-apache", (), 80, "Forbidden"),
        ("node:22", ("-e", "require('http').createServer((q, r) => r.end('hi')).listen(3000)"), 3000, "hi"),
    ],
)
def test_a_server_answers(image: str, args: tuple[str, ...], port: int, answer: str) -> None:
    program = started(image, *args)
    response = program.respond(SECOND, "GET", "/")

    assert program.ports() == (port,)
    assert response is not None
    assert answer in response.body
    assert program.exit() is None


def test_an_interval_ticks_for_ever() -> None:
    program = started("node:22", "-e", "setInterval(() => console.log('tick'), 500)")

    assert printed(program, 10 * SECOND) == ["tick"] * 19
    assert program.exit() is None


def test_the_chatty_one_prints_as_often_as_it_is_told() -> None:
    every_line = printed(started("orrery/chatty", env={"LINES_PER_SECOND": "10"}), 60 * SECOND)
    late = list(started("orrery/chatty").lines(86_400 * SECOND, 86_410 * SECOND))

    assert len(every_line) == 599
    assert every_line[0].startswith("1970-01-01T00:00:00.100Z INFO ")
    assert len(late) == 10


def test_commands_that_an_image_has_can_be_its_process_and_others_not() -> None:
    assert program_for(resolve("busybox"), ("ls", "-l")) == "busybox"
    assert program_for(resolve("ubuntu"), ("/usr/bin/awk", "BEGIN{}")) == "busybox"
    with pytest.raises(StartError, match='exec: "bash": executable file not found in'):
        program_for(resolve("busybox"), ("bash", "-c", "true"))
    with pytest.raises(StartError, match="executable file not found"):
        program_for(resolve("hello-world"), ("sh",))
