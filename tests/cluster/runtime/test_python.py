"""Scripts in Python: what CPython prints for them, in simulated time, and nothing of the host."""

import time
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.runtime.programs.program import SECOND, Process
from cluster.runtime.programs.python import Python
from cluster.runtime.programs.python_code import NOWHERE, START_UP, Script
from cluster.runtime.programs.shell import RunsForever
from tests.cluster.runtime.live.house import House
from tests.properties.hostile import watched

RECORDED = Path(__file__).parent / "live" / "transcripts" / "python.txt"  # Scripts, and what CPython printed for them.
DAY = 86_400 * SECOND


def run(source: str, **env: str) -> tuple[str, str, int]:
    """(stdout, stderr, exit code)"""
    script = Script(source, "<string>", Process("python", env=env, hostname="pod-1"), ["-c"])
    code = script.run()
    said = {"stdout": "", "stderr": ""}
    for line in script.lines:
        said[line.stream] += f"{line.text}\n"
    return said["stdout"], said["stderr"], code


def program(source: str, *options: str, seed: int = 1) -> Python:
    return Python(Process("python:3.13", ("python", *options, "-c", source), seed=seed, hostname="pod-1"))


@pytest.mark.parametrize(
    ("source", "printed"),
    [
        ("print('hi', 1 + 1, 7 // 2, 2 ** 10, 1 / 3)", "hi 2 3 1024 0.3333333333333333"),
        ("print([x * 2 for x in range(5) if x % 2], {'a': (1,)}, None)", "[2, 6] {'a': (1,)} None"),
        ("def f(n):\n    return 1 if n < 2 else n * f(n - 1)\nprint(f(20))", "2432902008176640000"),
        ("d = {}\nfor w in 'a b a'.split():\n    d[w] = d.get(w, 0) + 1\nprint(d)", "{'a': 2, 'b': 1}"),
        ("try:\n    1 / 0\nexcept ZeroDivisionError as e:\n    print('caught', e)", "caught division by zero"),
        ("print(f\"{3.14159:.2f}|{'x':>3}|{42:05d}|{'a'!r}\")", "3.14|  x|00042|'a'"),
        ("print([print, len], print.__name__)", "[<built-in function print>, <built-in function len>] print"),
        ("import json; print(json.dumps({'a': [1, None, True]}))", '{"a": [1, null, true]}'),
        ("import os, socket; print(os.environ['A'], os.getenv('B', 'none'), socket.gethostname())", "1 none pod-1"),
        ("class A:\n    def __init__(me, x):\n        me.x = x\n    def __str__(me):\n        return f'{me.x}'\n"
         "print(A(4), A(1).x)", "4 1"),
        ("x = 1\ndef h():\n    global x\n    x += 1\nh()\nprint(x, type(x))", "2 <class 'int'>"),
        ("print(sorted('bca'), list(zip('ab', [1, 2])), max(3, 5))", "['a', 'b', 'c'] [('a', 1), ('b', 2)] 5"),
    ],
)  # fmt: skip
def test_scripts_print_what_python_prints(source: str, printed: str) -> None:
    assert run(source, A="1") == (f"{printed}\n", "", 0)


@pytest.mark.parametrize(
    ("source", "last", "code"),
    [
        ("import sys; sys.exit(3)", "", 3),
        ("print(nope)", "NameError: name 'nope' is not defined", 1),
        ("[1][5]", "IndexError: list index out of range", 1),
        ("print(nope=1)", "TypeError: print() got an unexpected keyword argument 'nope'", 1),
        ("import flask", "ModuleNotFoundError: No module named 'flask'", 1),
        ("print(", "SyntaxError: '(' was never closed", 1),
        ("import subprocess", "NotImplementedError: orrery: the module 'subprocess' is not modelled", 1),
        ("().__class__", "AttributeError: 'tuple' object has no attribute '__class__'", 1),
        ("print(10 ** 10 ** 10)", "OverflowError: orrery: numbers of more than 65536 bits are not modelled", 1),
        ("'a' * 10 ** 9", "MemoryError: orrery: too many elements", 1),
        ("f'{1:999999999}'", "ValueError: orrery: formats of more than 999 characters are not modelled", 1),
        ("def f():\n    f()\nf()", "RuntimeError: orrery: more than 40 calls within one another", 1),
    ],
)
def test_what_goes_wrong_is_told_in_pythons_words(source: str, last: str, code: int) -> None:
    _, complaint, found = run(source)

    assert (complaint.rstrip("\n").rpartition("\n")[2], found) == (last, code)


def test_a_loop_that_goes_on_evenly_is_looked_at_after_a_week_at_once() -> None:
    loop = program("import time\ni = 0\nwhile True:\n    i += 1\n    print('turn', i)\n    time.sleep(5)", "-u")

    begun = time.process_time()
    late = list(loop.lines(7 * DAY, 7 * DAY + 11 * SECOND))

    assert time.process_time() - begun < 1
    numbers = [int(line.text.split()[1]) for line in late]
    assert all(b == a + 1 for a, b in pairwise(numbers))
    assert abs(numbers[0] - 7 * DAY // (5 * SECOND)) <= 2
    assert loop.exit() is None


def test_any_part_of_a_log_is_a_part_of_the_whole_log() -> None:
    source = (
        "import time, random\nn = 0\nwhile True:\n    n += 2\n    print(n, random.randint(1, 6))\n    time.sleep(1)"
    )
    whole = list(program(source, "-u").lines(0, 100 * SECOND))

    for start in (0, 7, 50, 93):
        part = list(program(source, "-u").lines(start * SECOND, (start + 5) * SECOND))
        assert part == [line for line in whole if start * SECOND <= line.at < (start + 5) * SECOND]


def test_output_waits_in_a_buffer_unless_it_is_told_not_to() -> None:
    source = "import time\nwhile True:\n    print('x' * 99)\n    time.sleep(1)"

    assert list(program(source).lines(0, 60 * SECOND)) == []
    assert len(list(program(source).lines(0, 90 * SECOND))) == 82
    assert len(list(program(source, "-u").lines(0, 60 * SECOND))) == 60
    flushed = "import time\nwhile True:\n    print('x', flush=True)\n    time.sleep(1)"
    assert len(list(program(flushed).lines(0, 60 * SECOND))) == 60


def test_a_script_in_a_file_prints_as_time_passes() -> None:
    house = House("python:3.13").start("sh", "-c", "cat > /app.py && python -u /app.py one; echo $?", stdin=True)
    house.type("import sys, time\nfor i in range(3):\n    print(sys.argv, i)\n    time.sleep(10)\nsys.exit(4)\n")
    house.end_of_input()
    house.go_on()

    house.pass_time()

    assert house.output == "".join(f"['/app.py', 'one'] {n}\n" for n in range(3)) + "4\n"
    assert house.now == 10 * SECOND + 3 * (10 * SECOND + 60) + house.now % SECOND - 3 * 60


def test_versions_and_missing_files_are_told() -> None:
    assert House("python:3.12").start("python", "--version").output == "Python 3.12.0\n"
    house = House("python:3.12").start("python3", "nope.py")
    assert house.errors == "python3: can't open file '/nope.py': [Errno 2] No such file or directory\n"
    assert house.code == 2


WORDS = st.sampled_from((
    "x", "y", "=", "+=", "1", "10**9", "'a'", "[", "]", "(", ")", "{", "}", ":", ",", ".", "\n", "\n    ", "\n        ",
    "while True", "for x in", "range(9)", "if", "else", "def f(x)", "return", "print", "import time", "import os",
    "time.sleep(1)", "x.append(x)", "lambda", "not", "in", "**", "<<", "%", "*", "__class__", "__globals__", "f", "try",
    "except Exception as e", "raise", "'%9999d' % 1", "f'{x!r:>{y}}'", "open('/etc/passwd').read()", "x[1:]",
    "eval('1')", "exec", "getattr", "str.join", "x.format", "global x", "class A",
    "A()", "del x", "assert", "1/0", "-", "and", "or",
))  # fmt: skip


@pytest.mark.filterwarnings("ignore::SyntaxWarning")
@settings(max_examples=300, deadline=None, derandomize=True, database=None)
@given(words=st.lists(WORDS, max_size=25), glue=st.sampled_from((" ", "")))
def test_no_script_reaches_the_host_or_runs_for_ever(words: list[str], glue: str) -> None:
    odd = program(glue.join(words))

    with watched() as forbidden:
        odd.exit()
        list(odd.lines(0, 100 * SECOND))

    assert set(forbidden) <= {f"open {NOWHERE!r}"}


def test_a_script_starts_when_the_interpreter_is_there() -> None:
    script = Script("import time\nprint(time.monotonic() > 0)", "<string>", Process("python", started=9 * SECOND), [])
    script.run()

    assert script.lines[0].at == 9 * SECOND + START_UP


DOUBLED = "for i in range(60): a = [a, a]; b = [b, b]; c = (c, c)\n"
TOO_MUCH = "RuntimeError: orrery: an operation on more than 100000 elements is not modelled"


@pytest.mark.parametrize(
    "last",
    ["a == b", "print(a)", "json.dumps(a)", "d = {c: 1}", "d = {}; d[c]", "c in {}", "'%s' % (a,)", "f'{a}'",
     "raise ValueError(a)", "sorted([a, b])", "print(['x' * 60000] * 10000)", "x = []; x.append(x); x == [x]"],
)  # fmt: skip
def test_what_has_more_elements_than_can_be_looked_at_is_refused(last: str) -> None:
    """Sixty lists that hold the one before twice have 2^60 elements: Python itself would compare them for years."""
    assert run(f"import json\na = [1]; b = [1]; c = (1,)\n{DOUBLED}{last}")[1].splitlines()[-1] == TOO_MUCH


def test_looking_through_long_lists_takes_steps() -> None:
    script = Script("x = list(range(10000))\nwhile True: y = sum(x)", "x", Process("python", (), {}), [])

    with pytest.raises(RunsForever):
        script.run()

    assert script.globals["y"] == 49_995_000


def test_lists_of_ordinary_length_are_filled_and_searched_without_a_limit_in_sight() -> None:
    source = "x = []\nfor i in range(1000):\n x.append(i)\n if len(x) > 5 and i % 100 in x: n = i\nprint(n, sum(x))"

    assert run(source)[0] == "999 499500\n"


@pytest.mark.parametrize("block", RECORDED.read_text().split("%%%%\n")[:-1])
def test_classes_generators_and_sets_are_those_of_python(block: str) -> None:
    source, _, printed = block.partition("%%\n")

    assert run(source) == (printed, "", 0)


@pytest.mark.parametrize(
    ("source", "last"),
    [
        ("def n():\n while True: yield 1\nlist(n())", "RuntimeError: orrery: a list of more than 10000 elements"),
        ("def g(k):\n  yield from g(k + 1)\nlist(g(0))", "RuntimeError: orrery: more than 40 calls within one another"),
        ("x = iter([1])\nfor i in range(500): x = map(str, x)\nlist(x)",
         "RuntimeError: orrery: more than 40 calls within one another"),
        ("a = frozenset()\nfor i in range(60): a = frozenset([a, (a, a)])",
         "RuntimeError: orrery: an operation on more than 100000 elements is not modelled"),
        ("class A:\n def __repr__(s): return repr([s])\nprint(A())",
         "RuntimeError: orrery: more than 40 calls within one another"),
        ("'{0.__class__}'.format(1)", "AttributeError: 'int' object has no attribute '__class__'"),
        ("{[]}", "TypeError: unhashable type: 'list'"),
        ("class A(Exception): pass\nraise A('gone', 1)", "A: ('gone', 1)"),
        ("def f(): print((yield))\nlist(f())",
         "NotImplementedError: orrery: yield is modelled as a statement, in for, while, if and try"),
    ],
)  # fmt: skip
def test_what_has_no_end_is_given_up(source: str, last: str) -> None:
    assert run(source)[1].splitlines()[-1] == last


def test_the_order_of_a_set_is_not_a_matter_of_chance() -> None:
    assert run("print({'b', 'a', 'b', 'c'}, list({'x': 1} | {'a': 2}))")[0] == "{'b', 'a', 'c'} ['x', 'a']\n"


@pytest.mark.parametrize(
    "turn",
    ["workers[0].n += 1; n = workers[0].n", "n = tick()", "n = next(numbers)", "seen.add(len(seen)); n = len(seen)",
     "Worker.total += 1; n = Worker.total"],
)  # fmt: skip
def test_a_loop_whose_state_is_elsewhere_is_not_jumped_over(turn: str) -> None:
    source = f"""
import time
class Worker:
    total = n = 0
workers, seen = [Worker()], set()
def counter():
    n = 0
    def tick():
        nonlocal n
        n += 1
        return n
    return tick
def count():
    n = 1
    while True:
        yield n
        n += 1
tick, numbers = counter(), count()
while True:
    {turn}
    print(n)
    time.sleep(1)
"""

    assert [line.text for line in program(source, "-u").lines(49 * SECOND, 52 * SECOND)] == ["50", "51", "52"]


def test_what_a_script_writes_arrives_once_however_often_it_is_run_again() -> None:
    house = House("python:3.13").start("sh", "-c", "cat > /app.py && python /app.py; cat /log; cat /out", stdin=True)
    house.type(
        "import time\nfor i in range(3):\n    with open('/log', 'a') as f:\n        print(i, f.write(f'{i}\\n'))\n"
        "    time.sleep(10)\nwith open('/out', 'w') as f:\n    f.writelines(line for line in open('/log'))\n"
    )
    house.end_of_input()
    house.pass_time()

    assert house.output == "0 2\n1 2\n2 2\n0\n1\n2\n0\n1\n2\n"
