"""Runs a shell script in simulated time: every command takes its time, printing yields lines, `exit` ends it.

The difficulty is `while true; do date; sleep 5; done` that has been running for a week: the last ten lines
must not cost a week. A loop is watched for a few turns; if they took equally long and left everything as they
found it (counters may go up evenly, as long as nothing is decided by them), then turn n starts at a known
time and the shell jumps ahead.

Loops that decide by what they count are run turn by turn, at most `BUDGET` commands; after that the shell is
taken to be silent for ever. The same goes for one that turns, prints or expands too much.

Mirrors:  busybox/shell/ash.c (evaluation); one process, so `&` works for sleep only
Limits:   20,000 commands and as many turns of loops, 200,000 lines, 64 Mi characters; words of 256 Ki characters
          and 80 levels of functions, eval and sh -c in one another, beyond which the script ends with an error
Read next: applets.py, the commands.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from itertools import pairwise
from typing import NamedTuple

from cluster.runtime import noise
from cluster.runtime.programs import arithmetic
from cluster.runtime.programs.program import Line, Process
from cluster.runtime.programs.syntax import (
    AndOr,
    Background,
    Case,
    Command,
    For,
    Function,
    If,
    Loop,
    Node,
    Not,
    Part,
    Pipe,
    Redirected,
    Sequence,
    ShellSyntaxError,
    Subshell,
    Word,
    parse,
)

BUDGET = 20_000  # Commands run one by one, and turns of loops, which may hold none.
MAX_LINES = 200_000  # Printed, into files and pipes, too.
MAX_CHARACTERS = 64 << 20  # Printed or put into words.
MAX_WORD = 256 << 10  # Characters.
MAX_DEPTH = 80  # Nodes under way: Python's own stack must hold them.
BUILTIN_TIME = 400  # Microseconds for a command inside the shell …
PROCESS_TIME = 1_500  # … and for one that has to be started.
FILE_SIZE = 1 << 16  # Characters of a file that are kept.
PROBES = 4
FOREVER = 1 << 62
MAX_CALLS = 20  # Functions inside functions.
DIGITS = tuple("0123456789")


class Exits(Exception):
    """The shell ends with `code`."""

    def __init__(self, code: int) -> None:
        self.code = code


class TooMuch(Exception):
    """The script needs more than there is; `str()` says of what. It ends with status 2."""


class RunsForever(Exception):
    """Nothing will ever end it."""


class Horizon(Exception):
    """What follows lies beyond the time that was asked for."""


class Mark(NamedTuple):
    """A shell's state at the end of a turn of a loop."""

    now: int
    variables: dict[str, str]
    read: dict[str, str | None]
    volatile: int
    trapped: bool


class Breaks(Exception):
    """`break`: the innermost loop is over."""


class Returns(Exception):
    """`return`: the function is over; `code` None: with the status that there was."""

    def __init__(self, code: int | None) -> None:
        self.code = code


class Continues(Exception):
    """`continue`: on with the loop's next turn."""


@dataclass
class Shell:
    """A running shell. Lines before `seek` aren't wanted, nor those after `until`; None: only how it ends."""

    process: Process
    applets: "dict[str, Callable[[Shell, list[str], list[str]], Iterator[Line]]]"
    seek: int = 0
    until: int | None = None
    now: int = 0
    status: int = 0
    variables: dict[str, str] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    functions: dict[str, Node] = field(default_factory=dict)
    calls: int = 0  # Functions under way.
    positional: list[str] = field(default_factory=list)
    trap: str | None = None
    trapped: bool = False
    jobs: int = 0  # When the last background sleep ends.
    strict: bool = False  # set -e
    spent: int = 0
    turns: int = 0  # Of loops.
    lines: int = 0
    characters: int = 0
    depth: int = 0
    printing: int = 0  # Inside the words of echo or printf: a clock read here decides nothing.
    capturing: int = 0  # Inside $(…).
    volatile: int = 0  # How often the clock or chance was read where it may decide something.
    decided: set[str] = field(default_factory=set)  # Variables that decided something …
    looked_at: set[str] = field(default_factory=set)  # … and files that did, or were printed.

    def __post_init__(self) -> None:
        self.now = self.process.started
        self.variables = {**self.process.env, "HOSTNAME": self.process.hostname}

    # --- time -----------------------------------------------------------------------------------------------

    def pass_time(self, microseconds: int) -> None:
        """The running command takes so long."""
        self.now += microseconds
        if self.until is not None and self.now >= self.until:
            raise Horizon
        if self.now >= FOREVER:
            raise RunsForever

    def read(self, name: str) -> str:
        """What is in a file; nothing if there is none. Remembered: who reads may depend on it."""
        self.looked_at.add(name)
        return self.files.get(name, "")

    def say(self, text: str, stream: str = "stdout") -> Line:
        self.lines += 1
        if self.lines > MAX_LINES:
            raise RunsForever
        self._count(text)
        return Line(self.now, stream, text)

    def _count(self, text: str) -> None:
        self.characters += len(text)
        if self.characters > MAX_CHARACTERS:
            raise RunsForever

    def _turn(self) -> None:
        self.turns += 1
        if self.turns > BUDGET:
            raise RunsForever

    # --- the tree -------------------------------------------------------------------------------------------

    def run(self, node: Node) -> Iterator[Line]:
        """Evaluate `node`; afterwards `status` is its exit code. Errors: TooMuch."""
        if self.depth >= MAX_DEPTH:
            raise TooMuch(f"nested deeper than {MAX_DEPTH} levels")
        self.depth += 1
        try:
            yield from self._evaluate(node)
        finally:
            self.depth -= 1

    def _evaluate(self, node: Node) -> Iterator[Line]:
        if isinstance(node, Command):
            yield from self._command(node)
        elif isinstance(node, Sequence):
            for item in node.items:
                yield from self.run(item)
        elif isinstance(node, AndOr):
            yield from self._and_or(node)
        elif isinstance(node, Not):
            yield from self._tested(node.node)
            self.status = int(self.status == 0)
        elif isinstance(node, If):
            yield from self._if(node)
        elif isinstance(node, For):
            yield from self._for(node)
        elif isinstance(node, Loop):
            yield from self._loop(node)
        elif isinstance(node, Pipe):
            yield from self._pipe(node)
        elif isinstance(node, Subshell):
            yield from self.run(node.node)
        elif isinstance(node, Case):
            yield from self._case(node)
        elif isinstance(node, Function):
            self.functions[node.name] = node.body
            self.status = 0
        elif isinstance(node, Redirected):
            yield from self._sent(node.redirects, [], lambda given: self._with_input(node.node, given))
        else:
            yield from self._background(node)

    def _and_or(self, node: AndOr) -> Iterator[Line]:
        """`a && b || c`, however long: the tree leans to the left."""
        rest: list[AndOr] = []
        first: Node = node
        while isinstance(first, AndOr):
            rest.append(first)
            first = first.left
        yield from self._tested(first)
        for joint in reversed(rest):
            if (self.status == 0) == (joint.operator == "&&"):
                yield from self.run(joint.right) if joint is node else self._tested(joint.right)

    def _tested(self, node: Node) -> Iterator[Line]:
        """Run a condition: `set -e` does not mind its failure."""
        strict, self.strict = self.strict, False
        yield from self.run(node)
        self.strict = strict

    def _if(self, node: If) -> Iterator[Line]:
        for condition, body in node.branches:
            yield from self._tested(condition)
            if self.status == 0:
                yield from self.run(body)
                return
        self.status = 0
        if node.otherwise is not None:
            yield from self.run(node.otherwise)

    def _for(self, node: For) -> Iterator[Line]:
        for value in [text for word in node.words for text in self.expand(word, decides=True)]:
            self.variables[node.name] = value
            self._turn()
            try:
                yield from self.run(node.body)
            except Breaks:
                return
            except Continues:
                continue

    def _case(self, node: Case) -> Iterator[Line]:
        text = " ".join(self.expand(node.word, split=False, decides=True))
        self.status = 0
        for patterns, body in node.branches:
            if any(fnmatchcase(text, " ".join(self.expand(pattern, split=False))) for pattern in patterns):
                yield from self.run(body)
                return

    def _loop(self, node: Loop) -> Iterator[Line]:
        history = [self._mark()]
        while True:
            self._turn()
            yield from self._tested(node.condition)
            if (self.status == 0) == node.until:
                self.status = 0
                return
            try:
                yield from self.run(node.body)
            except Breaks:
                return
            except Continues:
                pass
            if len(history) <= PROBES:
                history.append(self._mark())
                if len(history) == PROBES + 1:
                    self._jump(history)

    def _mark(self) -> Mark:
        """The state, as far as a turn of a loop can depend on it. Files that nobody reads may grow."""
        read = {name: self.files.get(name) for name in sorted(self.looked_at)}
        return Mark(self.now, dict(self.variables), read, self.volatile, self.trapped)

    def _jump(self, history: list[Mark]) -> None:
        """If the turns of a loop are all alike, go on just before `seek`, or for ever if none is wanted."""
        history = history[1:]  # The first turn may have set things up.
        durations = {later.now - earlier.now for earlier, later in pairwise(history)}
        steps = _even_steps([mark.variables for mark in history])
        unchanged = all(mark[2:] == history[0][2:] for mark in history)
        if len(durations) != 1 or not unchanged or steps is None or steps.keys() & self.decided:
            return
        duration = durations.pop()
        target = self.until if self.until is not None else FOREVER
        stop = self.process.stopped if self.trap is not None else None
        goal = min(self.seek, target, stop if stop is not None else FOREVER)
        if self.until is None and stop is None:
            raise RunsForever
        turns = max((goal - self.now) // duration - 1, 0) if duration else 0
        self.now += turns * duration
        for name, step in steps.items():
            self.variables[name] = str(int(self.variables[name]) + turns * step)

    def _pipe(self, node: Pipe) -> Iterator[Line]:
        """Stage by stage: a filter is given what the stage before it printed."""
        lines = list(self._with_input(node.stages[0], []))
        for stage in node.stages[1:]:
            given = [line.text for line in lines if line.stream == "stdout"]
            passed = [line for line in lines if line.stream != "stdout"]
            lines = passed + list(self._with_input(stage, given))
        yield from lines

    def _with_input(self, node: Node, given: list[str]) -> Iterator[Line]:
        if isinstance(node, Command):
            yield from self._command(node, given)
        else:
            yield from self.run(node)

    def _background(self, node: Background) -> Iterator[Line]:
        job = node.node
        words = [text for word in job.words for text in self.expand(word)] if isinstance(job, Command) else []
        if words[:1] == ["sleep"]:
            started = self.now
            until, self.until = self.until, None
            try:
                for _ in self.run(job):
                    pass
                self.jobs, self.now = max(self.jobs, self.now), started
            except RunsForever:
                self.jobs, self.now = FOREVER, started
            self.until = until
            self.status = 0
        else:
            yield self.say("orrery: only sleep can run in the background here", "stderr")

    # --- simple commands ------------------------------------------------------------------------------------

    def _command(self, node: Command, given: list[str] | None = None) -> Iterator[Line]:
        self.spent += 1
        if self.spent > BUDGET:
            raise RunsForever
        for name, word in node.assignments:
            self.variables[name] = " ".join(self.expand(word, split=False))
        if not node.words:
            self.status = 0 if node.assignments or node.redirects else self.status
            return
        talks = self._talks(node)
        self.printing += talks
        argv = [text for word in node.words for text in self.expand(word, decides=not talks)]
        self.printing -= talks
        if argv:
            yield from self._redirected(node, argv, given or [])
        yield from self._signals()
        if self.strict and self.status:
            raise Exits(self.status)

    def _talks(self, node: Command) -> bool:
        first = node.words[0]
        return len(first) == 1 and first[0].text in ("echo", "printf", ":")

    def _redirected(self, node: Command, argv: list[str], given: list[str]) -> Iterator[Line]:
        yield from self._sent(node.redirects, given, lambda given: self.call(argv, given))

    def _sent(
        self,
        redirects: tuple[tuple[int, str, Word], ...],
        given: list[str],
        run: Callable[[list[str]], Iterator[Line]],
    ) -> Iterator[Line]:
        """What `run` prints, where the redirections send it."""
        streams = {1: "stdout", 2: "stderr"}
        for descriptor, operator, word in redirects:
            target = " ".join(self.expand(word, split=False))
            if operator in (">&", "<&"):
                streams[descriptor] = streams.get(int(target), "/dev/null") if target in DIGITS else target
            elif operator == "&>":
                streams[1] = streams[2] = target
            elif operator == "<":
                given = self.read(target).splitlines()
            elif operator == "<<":
                given = target.splitlines()
            else:
                streams[descriptor] = {"/dev/stdout": "stdout", "/dev/stderr": "stderr"}.get(target, target)
                if operator == ">" and streams[descriptor] == target:
                    self.files[target] = ""
        for line in run(given):
            stream = streams[1 if line.stream == "stdout" else 2]
            if stream in ("stdout", "stderr"):
                yield Line(line.at, stream, line.text)
            elif stream != "/dev/null":
                self.files[stream] = (self.files.get(stream, "") + line.text + "\n")[-FILE_SIZE:]

    def call(self, argv: list[str], given: list[str]) -> Iterator[Line]:
        """Run one command. Control flow lives here, everything else in applets.py."""
        name, arguments = argv[0].rpartition("/")[2], argv[1:]
        if name == "exit":
            wanted = arithmetic.whole(arguments[0]) if arguments else None
            raise Exits(self.status if wanted is None else wanted & 255)
        if name == "return":
            wanted = arithmetic.whole(arguments[0]) if arguments else None
            raise Returns(None if wanted is None else wanted & 255)
        if name == "break":
            raise Breaks
        if name == "continue":
            raise Continues
        if name == "exec" and arguments:
            yield from self.call(arguments, given)
            raise Exits(self.status)
        if name == "eval":
            yield from self.run(parse(" ".join(arguments)))
            return
        function = self.functions.get(argv[0])
        if function is not None:
            yield from self._call_function(function, argv)
            return
        applet = self.applets.get(name)
        self.pass_time(BUILTIN_TIME)
        if applet is None:
            self.status = 127
            yield self.say(f"sh: {argv[0]}: not found", "stderr")
            return
        self.status = 0
        yield from applet(self, arguments, given)

    def _call_function(self, body: Node, argv: list[str]) -> Iterator[Line]:
        if self.calls >= MAX_CALLS:
            raise RunsForever
        self.calls += 1
        before, self.positional = self.positional, argv
        try:
            yield from self.run(body)
        except Returns as end:
            self.status = end.code if end.code is not None else self.status
        finally:
            self.positional = before
            self.calls -= 1

    def _signals(self) -> Iterator[Line]:
        """A trapped SIGTERM is handled when the running command has ended."""
        stopped = self.process.stopped
        if self.trap is None or self.trapped or stopped is None or self.now < stopped:
            return
        self.trapped = True
        yield from self.run(parse(self.trap))

    # --- words ----------------------------------------------------------------------------------------------

    def expand(self, word: Word, split: bool = True, decides: bool = False) -> list[str]:
        """The fields that a word becomes. `decides`: variables in it can change what happens next."""
        fields: list[str] = []
        current: str | None = None
        size = 0
        for part in word:
            text = self._value(part, decides)
            size += len(text)
            if size > MAX_WORD:
                raise TooMuch(f"word too long: at most {MAX_WORD} characters")
            self._count(text)
            if part.quoted or part.kind == "text" or not split:
                current = (current or "") + text
                continue
            pieces = text.split()
            if not pieces:
                continue
            if text[:1].isspace() and current is not None:
                fields.append(current)
                current = None
            first, *rest = pieces
            current = (current or "") + first
            for piece in rest:
                fields.append(current)
                current = piece
        return fields if current is None else [*fields, current]

    def _value(self, part: Part, decides: bool) -> str:
        if part.kind == "text":
            return part.text
        if part.kind == "variable":
            value = self._variable(part.text, decides)
            return value if value or part.default is None else part.default
        if part.kind == "sum":
            if decides:
                self.decided.update(arithmetic.names(part.text))
            return str(self.sum_of(part.text))
        printing, self.printing = self.printing, self.printing if not decides else 0
        self.capturing += 1
        out: list[str] = []
        try:
            out.extend(line.text for line in self.run(part.tree) if line.stream == "stdout")  # type: ignore[arg-type]
        except Exits as end:
            self.status = end.code
        self.capturing -= 1
        self.printing = printing
        return "\n".join(out)

    def sum_of(self, text: str) -> int:
        """The value of a sum; what it sets is set. Errors: ShellSyntaxError."""
        special = {"#": str(max(len(self.positional) - 1, 0)), "?": str(self.status)}
        text = re.sub(r"\$([#?])", lambda match: special[match[1]], text)
        text = re.sub(r"\$\{?([A-Za-z0-9_]+)\}?", lambda match: self._operand(match[1]), text)
        try:
            return arithmetic.evaluate(text, self.variables)
        except arithmetic.BadSum as error:
            raise ShellSyntaxError(str(error)) from None

    def _operand(self, name: str) -> str:
        """`$1` is its value, `$i` as good as `i`."""
        return (self._variable(name, decides=False) or "0") if name[0] in DIGITS else name

    def _variable(self, name: str, decides: bool) -> str:
        if name == "RANDOM":
            self.volatile += not self.printing
            return str(noise.mix(self.process.seed, self.now, self.spent) % 32768)
        special = {"?": str(self.status), "$": "1", "!": "7", "#": str(max(len(self.positional) - 1, 0))}
        if name in special:
            return special[name]
        if name in ("@", "*"):
            return " ".join(self.positional[1:])
        if name[0] in DIGITS:
            place = arithmetic.whole(name)
            return self.positional[place] if place is not None and place < len(self.positional) else ""
        if decides:
            self.decided.add(name)
        return self.variables.get(name, "")


def _even_steps(states: list[dict[str, str]]) -> dict[str, int] | None:
    """How much each changed variable grew every turn; None if one changed otherwise."""
    steps: dict[str, int] = {}
    names = sorted({name for state in states for name in state})
    for name in names:
        values = [state.get(name) for state in states]
        if len(set(values)) == 1:
            continue
        numbers = [number for value in values if (number := arithmetic.whole(value or "")) is not None]
        if len(numbers) < len(values):
            return None
        growth = {later - earlier for earlier, later in pairwise(numbers)}
        if len(growth) != 1:
            return None
        steps[name] = growth.pop()
    return steps
