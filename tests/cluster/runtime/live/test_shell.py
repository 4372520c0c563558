"""The shell that lives: scripts as lessons write them, and a person who types."""

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.runtime.live.programs import PROGRAMS
from tests.cluster.runtime.live.house import SECOND, House, script


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("echo a b; echo 'c  d' \"e  $((1 + 2))\"", "a b\nc  d e  3\n"),
        ("for i in 1 2 3; do echo $i; done", "1\n2\n3\n"),
        ("i=0; while [ $i -lt 3 ]; do i=$((i+1)); [ $i = 2 ] && continue; echo $i; done", "1\n3\n"),
        ("until false; do echo once; break; done", "once\n"),
        ("if test -f /etc/passwd; then echo yes; elif true; then echo no; else echo never; fi", "yes\n"),
        ("case abc in x|a*c) echo match;; *) echo other;; esac", "match\n"),
        ("f() { local a=$1; echo in $a $#; return 3; }; a=out; f x y; echo $? $a", "in x 2\n3 out\n"),
        ("x=/a/b.txt; echo ${x##*/} ${x%.txt} ${#x} ${y:-none} ${y:+set} ${x/b/c}", "b.txt /a/b 8 none /a/c.txt\n"),
        ("echo $(echo inner | tr a-z A-Z) `echo old`", "INNER old\n"),
        ("seq 5 | grep -v 3 | sed 's/\\([0-9]\\)/<\\1>/' | tail -2", "<4>\n<5>\n"),
        ("while read a b; do echo $b-$a; done <<EOF\n1 2\n3 4\nEOF", "2-1\n4-3\n"),
        ("(cd /etc; echo inside > /tmp/x); pwd; cat /tmp/x", "/\ninside\n"),
        ("set -- a 'b c'; for w in \"$@\"; do echo \"[$w]\"; done; shift; echo $1", "[a]\n[b c]\nb c\n"),
        ("{ echo one; echo two; } > /tmp/f; wc -l < /tmp/f", "2\n"),
        ("cd /etc; echo pass* nothing*", "passwd nothing*\n"),
        ("trap 'echo bye' EXIT; exit 0", "bye\n"),
        ("eval 'echo $HOSTNAME'; echo ~", "pod-1\n/root\n"),
        ("! true; echo $?; true && echo and || echo or", "1\nand\n"),
        ("printf '%s-%03d\\n' a 5 b 6; echo -n x; echo -e 'a\\tb'", "a-005\nb-006\nxa\tb\n"),
        ("yes | head -2; echo ${PIPE:-none}", "y\ny\nnone\n"),
        ("export A=1; env | grep ^A; sh -c 'echo $A'; A=2 sh -c 'echo $A'; echo $A", "A=1\n1\n2\n1\n"),
        ("n=0; while read line; do n=$((n+1)); done < /etc/passwd; echo $n", "2\n"),
        ("cat <<'E'\n$x\nE", "$x\n"),
    ],
)  # fmt: skip
def test_scripts_print_what_busybox_prints(text: str, printed: str):
    house = script(text)

    assert (house.output, house.errors, house.code) == (printed, "", 0)


@pytest.mark.parametrize(
    ("text", "code", "complaint"),
    [
        ("exit 3", 3, ""),
        ("nosuch", 127, "sh: nosuch: not found\n"),
        ("/etc/passwd", 126, "sh: /etc/passwd: Permission denied\n"),
        ("set -e; false; echo never", 1, ""),
        ("if true", 2, 'sh: syntax error: unexpected end of file (expecting "then")\n'),
        ("cat /nope", 1, "cat: can't open '/nope': No such file or directory\n"),
        ("cat < /nope", 1, "sh: can't open /nope: no such file\n"),
        ("echo ${x:?is not there}", 2, "sh: x: is not there\n"),
        ("kill -9 $$; echo never", 137, ""),
        ("(exit 7)", 7, ""),
        ("false | true", 0, ""),
    ],
)
def test_what_goes_wrong_has_a_code_and_words(text: str, code: int, complaint: str):
    house = script(text)

    assert (house.code, house.errors) == (code, complaint)
    assert "never" not in house.output


def test_sleeping_takes_simulated_time_and_nothing_else_does():
    house = House().start("sh", "-c", "date +%s; sleep 5; date +%s")

    assert house.output == "10\n"
    assert house.wake == 15 * SECOND
    assert house.pass_time().output == "10\n15\n"


def test_jobs_in_the_background_are_waited_for():
    house = script("sleep 3 & sleep 1 & echo started; wait; echo done")

    assert (house.output, house.now) == ("started\ndone\n", 13 * SECOND)


def test_a_trapped_signal_runs_its_action_when_the_command_has_ended():
    assert script("trap 'echo caught; exit 5' TERM; kill $$; echo never").output == "caught\n"


def test_a_loop_that_never_waits_is_made_to_pause():
    house = House().start("sh", "-c", "while true; do :; done")

    first = house.wake
    assert first is not None
    assert house.now < first <= house.now + SECOND
    house.pass_time(12)
    assert house.code is None
    assert house.wake is not None
    assert house.wake - house.now == SECOND


def test_a_pipe_lets_lines_through_as_they_come():
    house = House().start("sh", "-c", "while true; do echo tick; sleep 1; done | grep tick")

    for _ in range(3):
        house.pass_time(1)

    assert house.output == "tick\n" * 4


def test_a_person_at_a_prompt_sees_echo_and_output():
    house = House().start("sh", tty=True, stdin=True)

    for line in ("echo hi\r", "hostnamx\x7fe\r", "cd /etc\r", "if true\r", "then echo multi\r", "fi\r", "exit 4\r"):
        house.type(line)

    assert house.output == (
        "/ # echo hi\r\nhi\r\n/ # hostnamx\b \be\r\npod-1\r\n/ # cd /etc\r\n"
        "/etc # if true\r\n> then echo multi\r\n> fi\r\nmulti\r\n/etc # exit 4\r\n"
    )
    assert house.code == 4


def test_control_c_ends_what_runs_and_control_d_the_shell():
    house = House().start("sh", tty=True, stdin=True)

    house.type("sleep 100\r").type("\x03").type("echo $?\r").type("cat\r").type("x\r").type("\x04").type("\x04")

    assert house.output == "/ # sleep 100\r\n^C\r\n/ # echo $?\r\n130\r\n/ # cat\r\nx\r\nx\r\n/ # \r\n"
    assert house.code == 0


def test_a_shell_reads_commands_from_a_pipe_without_prompts():
    house = House().start("sh", stdin=True)

    house.type("echo one\nread x\nsome thing\necho $x").end_of_input()

    assert (house.output, house.code) == ("one\nsome thing\n", 0)


@pytest.mark.parametrize(
    ("image", "command", "prompt"),
    [("busybox", "sh", "/ # "), ("nginx", "bash", "root@pod-1:/# "), ("nginx", "sh", "# ")],
)
def test_every_image_has_its_own_prompt(image: str, command: str, prompt: str):
    assert House(image).start(command, tty=True, stdin=True).output == prompt


def test_a_background_process_does_not_get_control_c():
    house = House().start("sh", tty=True, stdin=True)

    house.type("sleep 50 &\r").type("\x03").type("ps\r")

    assert "sleep 50" in house.output.partition("ps\r\n")[2]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("x=a; while true; do x=$x$x; done", "no memory"),
        ("x=$(seq 100000); echo $x $x $x $x $x $x", "too many words"),
        ("x=$(seq 9000); echo ${x##*1*2*3}", "too long for ##"),
        ("f() { f; }; f", "deeper than"),
        (
            "dd if=/dev/zero of=/z bs=1M count=1 2>/dev/null; tr '\\0' a < /z > /y; grep -E '(a*)*[bc]' /y",
            "given up",
        ),
        ("(dd if=/dev/zero bs=1M count=8; dd if=/dev/zero bs=1M count=8) 2>/dev/null | sort", "out of memory"),
        ("while true; do sleep 100 & done", "can't fork"),
    ],
)
def test_what_takes_too_much_is_refused_in_words(text: str, complaint: str):
    house = script(text)

    assert complaint in house.errors


def test_a_command_may_only_work_so_long_at_one_instant():
    house = House().start("sh", "-c", "dd if=/dev/zero of=/z bs=1M count=3 2>/dev/null; while true; do wc -c /z; done")

    assert house.wake is not None
    assert house.output.count("\n") < 5


PIECES = """echo a $x $( ) ` ' " | && ; if then fi while do done { } case in esac x=1 > <<E E /tmp/f * ${x# } $((1 ))
& ! f() exec read trap exit break cat sed grep s/a/b/ tar kill $$ -9 ~ wait local cd .. set -e"""
WORDS = st.sampled_from([*PIECES.split(), "\\", "\n", "\x03", "\x04", "\x1b[A"])


@settings(max_examples=150, deadline=None)
@given(st.lists(WORDS, max_size=25), st.booleans())
def test_whatever_is_typed_neither_breaks_the_shell_nor_its_state(words: list[str], tty: bool):
    house = House().start("sh", tty=tty, stdin=True)

    for word in words:
        house.type(word + " ").pass_time(2)
    house.type("\r").pass_time(3)

    assert orjson.loads(orjson.dumps(house.state)) == house.state
    assert house.code is None or 0 <= house.code <= 255


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=60).map(lambda text: text.encode().decode("latin-1")))
def test_whatever_text_is_a_script_it_ends_or_waits(text: str):
    house = House().start("sh", "-c", text).pass_time(5)

    assert house.code is None or 0 <= house.code <= 255


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("a=--5; echo $((a))", "0\n"),
        ("a=²; echo $((a))".encode().decode("latin-1"), "0\n"),
        ("a=" + "9" * 5_000 + "; echo $((a))", "0\n"),
        ("! " * 4_999 + "true; echo $?", "1\n"),
        ("if true; then " * 30 + "echo deep" + "; fi" * 30, "deep\n"),
        ("sleep 9999999d; date +%Y", "9999\n"),
    ],
)
def test_odd_words_are_no_accident(text: str, printed: str):
    assert script(text).output == printed


def test_too_long_a_chain_is_refused():
    house = script("true && " * 5_000 + "true")

    assert "too many && and || in a row" in house.errors
    assert house.code == 2


def test_what_nobody_reads_is_work_all_the_same():
    house = House().start("sh", "-c", "for i in $(seq 1000); do seq 50000 > /dev/null; done")

    assert house.wake is not None  # It goes on later.
    assert house.code is None


def test_a_bug_in_a_command_ends_the_command_and_not_the_world(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(PROGRAMS, "tac", lambda kernel, proc: {}["nothing"])

    house = script("echo one | tac; echo $?")

    assert house.output == "70\n"
    assert house.errors == "tac: orrery: this command has a bug here: KeyError\n"


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("for i in {1..3}; do echo $i; done", "1\n2\n3\n"),
        ("echo a{b,c}d {08..10} {c..a} {1..7..3} x{1,2}{a,b}", "abd acd 08 09 10 c b a 1 4 7 x1a x1b x2a x2b\n"),
        ("echo '{1..3}' \"{a,b}\" {a} {} {a,b", "{1..3} {a,b} {a} {} {a,b\n"),
        ("nosuch 2>&1; ./none 2>&1", "bash: nosuch: command not found\nbash: ./none: No such file or directory\n"),
    ],
)
def test_bash_makes_words_of_braces(text: str, printed: str):
    assert House("bash:5").start("bash", "-c", text).pass_time().output == printed


def test_sh_leaves_braces_alone():
    assert script("echo {1..3} {a,b}").output == "{1..3} {a,b}\n"


def test_braces_have_an_end():
    text = "echo {1..100000}; echo {1..100}{1..100}{1..100}"

    house = House("bash:5").start("bash", "-c", text).pass_time()

    assert "braces of more than 10000 words" in house.errors


def test_pipefail_can_be_asked_for_at_the_start():
    assert House("bash:5").start("bash", "-euo", "pipefail", "-c", "false | true; echo no").pass_time().code == 1
