"""What a script in a container says, when, and how it ends."""

import time

import pytest

from cluster.runtime.programs import Busybox
from cluster.runtime.programs.program import SECOND, Line, Process

EPOCH = 1_795_486_800_000_000  # 2026-11-24T02:20:00Z
WEEK = 7 * 24 * 3600 * SECOND


def a_shell(*argv: str, **more: object) -> Busybox:
    return Busybox(Process("busybox", argv, hostname="web-0", epoch=EPOCH, **more))


def a_script(script: str, **more: object) -> Busybox:
    return a_shell("sh", "-c", script, **more)


def text(lines: object) -> list[str]:
    return [line.text for line in lines]


def test_a_script_exits_with_its_code_when_its_sleep_is_over():
    end = a_script("sleep 5; exit 3").exit()

    assert (end.code, end.reason) == (3, "Error")
    assert 5 * SECOND <= end.at < 5.1 * SECOND


def test_a_command_without_a_shell_runs_too():
    assert a_shell("sleep", "2").exit().code == 0
    assert text(a_shell("echo", "hello", "world").lines(0, SECOND)) == ["hello world"]
    assert a_shell("false").exit().code == 1


def test_a_shell_without_a_script_ends_at_once_as_it_has_no_input():
    assert a_shell("sh").exit().code == 0


def test_a_loop_without_an_end_never_exits():
    assert a_script("while true; do date; sleep 5; done").exit() is None
    assert a_script("i=0; while :; do i=$((i+1)); echo $i; sleep 1; done").exit() is None
    assert a_shell("tail", "-f", "/dev/null").exit() is None
    assert a_shell("sleep", "infinity").exit() is None


def test_a_loop_that_counts_to_its_end_exits():
    end = a_script("i=0; while [ $i -lt 5 ]; do echo $i; i=$((i+1)); sleep 1; done; exit $i").exit()

    assert end.code == 5
    assert 5 * SECOND < end.at < 6 * SECOND


def test_dates_are_simulated_time():
    lines = list(a_script("while true; do date; sleep 5; done").lines(0, 12 * SECOND))

    assert text(lines) == [f"Tue Nov 24 02:20:{second:02d} UTC 2026" for second in (0, 5, 10)]


def test_a_week_old_loop_is_entered_at_any_moment_without_running_it():
    shell = a_script("i=0; while true; do echo tick $i $(date +%H:%M); i=$((i+1)); sleep 1; done")
    began = time.perf_counter()

    late = list(shell.lines(WEEK, WEEK + 3 * SECOND))

    assert time.perf_counter() - began < 0.1
    assert [line.at for line in late] == sorted(line.at for line in late)
    numbers = [int(line.text.split()[1]) for line in late]
    assert len(numbers) == 3
    assert numbers == list(range(numbers[0], numbers[0] + 3))


def test_jumping_ahead_finds_the_very_lines_that_running_through_finds():
    shell = a_script("n=7; while true; do echo a $n; sleep 0.3; echo b; n=$((n+2)); done")

    everything = list(shell.lines(0, 600 * SECOND))

    window = list(shell.lines(590 * SECOND, 600 * SECOND))
    assert window
    assert window == [line for line in everything if line.at >= 590 * SECOND]


def test_a_loop_that_decides_by_its_counter_is_not_jumped_over():
    shell = a_script("i=0; while true; do i=$((i+1)); if [ $i -ge 50 ]; then exit 9; fi; sleep 1; done")

    assert shell.exit().code == 9


def test_a_file_written_for_ever_does_not_hinder_jumping():
    assert a_script("while true; do date >> /var/log/app.log; sleep 1; done").exit() is None


@pytest.mark.parametrize(
    ("script", "printed"),
    [
        ("for i in a b c; do echo $i; done", ["a", "b", "c"]),
        ("for i in $(seq 1 3); do echo $i; done", ["1", "2", "3"]),
        ('x="two words"; echo "$x" and ${y:-default}', ["two words and default"]),
        ("true && echo yes || echo no", ["yes"]),
        ("false && echo yes || echo no", ["no"]),
        ("if [ -f /tmp/x ]; then echo there; else echo gone; fi", ["gone"]),
        ("touch /tmp/x; test -f /tmp/x && echo there", ["there"]),
        ("echo one > /tmp/f; echo two >> /tmp/f; cat /tmp/f", ["one", "two"]),
        ("echo apple | grep -v pear", ["apple"]),
        ("echo $((2 + 3 * 4)) $((7 / 2)) $((-7 / 2))", ["14 3 -3"]),
        ("echo 'single $x' \"double $HOSTNAME\"", ["single $x double web-0"]),
        ("until false; do echo once; break; done", ["once"]),
        ("hostname # a comment", ["web-0"]),
        ("echo a\necho b", ["a", "b"]),
        ("[ 3 -gt 2 ] && ! false && echo both", ["both"]),
        ("printf '%s-%s\\n' a b", ["a-b"]),
        ("no-such-command", ["sh: no-such-command: not found"]),
        ("echo 'open", ["sh: syntax error: unterminated quoted string"]),
        ("if true; then echo x", ['sh: syntax error: unexpected end of file (expecting "fi")']),
    ],
)
def test_scripts_say_what_a_shell_would_say(script: str, printed: list[str]):
    assert text(a_script(script).lines(0, 60 * SECOND)) == printed


def test_exit_codes_are_those_of_a_shell():
    assert a_script("no-such-command").exit().code == 127
    assert a_script("echo 'open").exit().code == 2
    assert a_script("set -e; false; echo never").exit().code == 1
    assert a_shell("sh", "-ec", "false; true").exit().code == 1


def test_standard_error_is_kept_apart():
    assert next(a_script("echo oops >&2").lines(0, SECOND)).stream == "stderr"
    assert not list(a_script("echo quiet > /dev/null").lines(0, SECOND))


def test_last_words_go_into_the_termination_message():
    assert a_script("echo out of coffee > /dev/termination-log; exit 1").exit().message == "out of coffee"


def test_process_one_ignores_sigterm_unless_it_has_a_trap():
    assert a_shell("sleep", "3600").after_sigterm(9 * SECOND) is None
    assert a_script("while true; do sleep 1; done").after_sigterm(9 * SECOND) is None


def test_a_trap_is_run_when_the_command_in_the_foreground_has_ended():
    script = "trap 'echo bye; exit 0' TERM; while true; do sleep 4; done"

    end = a_script(script).after_sigterm(9 * SECOND)

    assert end.code == 0
    assert 12 * SECOND < end.at < 12.1 * SECOND
    assert "bye" in text(a_script(script, stopped=9 * SECOND).lines(9 * SECOND, 20 * SECOND))


def test_a_script_that_spins_uses_a_whole_cpu():
    assert a_script("while true; do :; done").usage(60 * SECOND).cpu_millicores > 900
    assert a_script("while true; do sleep 1; done").usage(60 * SECOND).cpu_millicores < 5


def test_a_line_carries_the_time_at_which_it_was_printed():
    [line] = a_script("sleep 1; echo x").lines(0, 5 * SECOND)

    assert isinstance(line, Line)
    assert SECOND < line.at < 1.1 * SECOND


@pytest.mark.parametrize(
    ("script", "code"),
    [
        ("exit ²", 0),
        ("exit " + "9" * 5_000, 0),
        ("f() { return ²; }; f", 0),
        ("echo a >&²", 0),
        ("a=--5; exit $((a + 1))", 1),
        ("a=²; exit $((a + 1))", 1),
        ("a=" + "9" * 5_000 + "; exit $((a))", 0),
        ("echo ${" + "9" * 5_000 + "}", 0),
        ("for i in 1 2 3 4 5 6 7; do a=-$a; done", 0),
        ("echo a | head -n " + "9" * 5_000, 0),
        ("seq --5", 0),
        ("[ " + "! " * 5_000 + "a ]", 0),
        ("[ " + "a -o " * 3_000 + "a ]", 0),
        ("! " * 4_999 + "true", 1),
        ("true && " * 40 + "exit 4", 4),
        ("true && " * 5_000 + "true", 2),
        ("sleep 9999999d; date", 0),
    ],
)
def test_odd_words_are_no_accident(script: str, code: int):
    assert a_script(script).exit().code == code


@pytest.mark.parametrize(
    ("script", "complaint"),
    [
        ("a=x; while :; do a=$a$a; done", "sh: word too long: at most 262144 characters"),
        ("a='eval $a'; eval $a", "sh: nested deeper than 80 levels"),
        ('a=\'sh -c "$a"\'; sh -c "$a"', "sh: nested deeper than 80 levels"),
        ("true && " * 5_000 + "true", "sh: nested too deeply, or too many && and || in a row"),
    ],
)
def test_a_script_that_wants_too_much_is_told_what(script: str, complaint: str):
    assert [(line.stream, line.text) for line in a_script(script).lines(0, 60 * SECOND)] == [("stderr", complaint)]
    assert a_script(script).exit().code == 2


@pytest.mark.parametrize(
    "script",
    [
        "while f() { :; }; do g() { :; }; done",
        "while for i in; do :; done; do for j in; do :; done; done",
        "for i in $(seq 10000); do seq 10000 > /dev/null; done",
        "sleep " + "9" * 400,
    ],
)
def test_a_script_without_an_end_is_given_up(script: str):
    assert a_script(script).exit() is None
    assert text(a_script(script).lines(0, 60 * SECOND)) == []


def test_a_chain_of_ands_and_ors_goes_from_left_to_right_under_set_e():
    assert text(a_script("set -e; false && echo a || echo b && echo c").lines(0, SECOND)) == ["b", "c"]
    assert a_script("set -e; true && false; exit 5").exit().code == 1
