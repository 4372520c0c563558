"""Lines that people type, and what dash, bash, mawk, sed and the filters of Debian 12 printed: transcripts/*.txt."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.runtime.live.house import House, script

TRANSCRIPTS = Path(__file__).parent / "transcripts"


def recorded(name: str) -> Iterator[tuple[str, str]]:
    """(command, output): `$ ` begins a command."""
    for block in ("\n" + (TRANSCRIPTS / name).read_text()).split("\n$ ")[1:]:
        command, _, output = block.partition("\n")
        yield command, output.removesuffix("\n") + "\n"


@pytest.mark.parametrize(("text", "printed"), list(recorded("awk.txt")))
def test_awk_prints_what_awk_prints(text: str, printed: str) -> None:
    assert script(text).output == printed


@pytest.mark.parametrize(("text", "printed"), list(recorded("bash.txt")))
def test_arrays_and_conditions_are_those_of_bash(text: str, printed: str) -> None:
    assert script(text).output == printed


@pytest.mark.parametrize(("text", "printed"), list(recorded("shell.txt")))
def test_the_shell_prints_what_dash_prints(text: str, printed: str) -> None:
    house = script(text)

    assert (house.output, house.errors) == (printed, "")


@pytest.mark.parametrize(("text", "printed"), list(recorded("text.txt")))
def test_filters_print_what_those_of_gnu_print(text: str, printed: str) -> None:
    house = script(text)

    assert (house.output, house.errors) == (printed, "")


MANY = 30
COMPLAINTS = {
    "awk '{print'": "awk: syntax error at end of program",
    "awk 'BEGIN { print 1/0 }'": "awk: Division by zero",
    "awk 'BEGIN { while (1) ; }'": "awk: orrery: the program took more than 100000 steps and was given up",
    "awk 'function f() { return f() } BEGIN { f() }'": (
        "awk: orrery: functions call one another more than 20 levels deep"
    ),
    "awk 'BEGIN { x = \"a\"; while (1) x = x x }'": "awk: orrery: more than 1048576 characters were made at once",
    "awk 'BEGIN { while (1) a[i++] }'": "awk: orrery: arrays hold at most 10000 elements",
    'awk \'BEGIN { print "a" | "sort" }\'': "awk: orrery: print to a command is not modelled",
    f"awk 'BEGIN {{ print {'(' * MANY}1{')' * MANY} }}'": (
        "awk: orrery: more than 20 parentheses or braces within one another"
    ),
    f"awk 'BEGIN {{ print {'1+' * 20 * MANY}1 }}'": "awk: orrery: the program is nested deeper than 120 levels",
    "awk 'BEGIN { system(1) }'": "awk: orrery: system() is not modelled",
    "awk 'BEGIN { foo(1) }'": "awk: Call to undefined function: foo()",
    "awk 'BEGIN { print strftime() }'": "awk: Call to undefined function: strftime()",
    "expr 1 / 0": "expr: division by zero",
    "expr a + 1": "expr: non-numeric argument",
    "echo '1/0' | bc": "bc: math error: divide by 0",
    "echo $((1/0))": "sh: divide by zero",
    "echo $((2 +))": "sh: arithmetic syntax error",
    "date -d nonsense": "date: invalid date 'nonsense'",
}


@pytest.mark.parametrize(("text", "complaint"), COMPLAINTS.items())
def test_what_is_wrong_is_said_and_nothing_runs_for_ever(text: str, complaint: str) -> None:
    house = script(text)

    assert (house.errors, house.output, bool(house.code)) == (f"{complaint}\n", "", "bc" not in text)


def test_awk_goes_on_when_the_next_line_comes() -> None:
    house = House().start("awk", "{ n += $1; seen[$2] = NR; print n, length(seen) }", stdin=True)

    house.type("1 a\n")
    house.type("2 b\n")

    assert house.output == "1 1\n3 2\n"
    assert house.code is None


def test_a_timeout_ends_what_takes_too_long_and_xargs_runs_each() -> None:
    late = script("timeout 2 sleep 60; echo $?; timeout 60 sleep 2; echo $?; timeout -s KILL 1 sleep 5; echo $?")
    assert late.output == "124\n0\n137\n"
    assert late.now < 20_000_000

    each = script("printf 'a\\nb\\n' | xargs -I{} sh -c 'echo got {}'; seq 5 | xargs -n2 echo")
    assert each.output == "got a\ngot b\n1 2\n3 4\n5\n"


def test_watch_prints_again_and_again_until_it_is_interrupted() -> None:
    house = House().start("watch", "-n", "5", "-t", "echo again", tty=True, stdin=True)

    house.pass_time(steps=3)
    house.type("\x03")

    assert house.output.count("again") >= 3
    assert house.code == 130


@pytest.mark.parametrize("text", ["NF = log(-1); print NF", "NF = exp(9999); exit log(-1)", "exit exp(9999)"])
def test_numbers_without_a_size_stop_nothing(text: str) -> None:
    assert script(f"awk 'BEGIN {{ {text} }}'").code is not None
    assert script("awk 'BEGIN { exit -1 }'").code == 255
