"""sh: runs a script's tree one small step after another, so that it can stop anywhere and be plain data.

What an ordinary evaluator keeps on its call stack stands in `local["frames"]`, innermost last; each frame is a list
that begins with what is to be done:

    run node              evaluate it              wait pid             until a child has ended: its code is $?
    seq items             one after the other      collect pid pipe     a $(…): gather what it prints
    then op node          && and ||                restore fds          redirections end here
    if/for/loop/case …    where a compound is      call arguments       a function ends here
    cmd node subs         expand, then start       builtin argv         a builtin that had to wait
    repl                  read the next command    status code          a trap's end

A process that starts another waits for it; `( )`, `&`, pipelines and `$( )` fork: the child is a copy of the data.

Mirrors:  busybox/shell/ash.c (evaltree)
Left out: job control, aliases, associative arrays.
Limits:   200 frames deep; see kernel.py for the rest.
Read next: words.py, builtins.py.
"""

from typing import Any

import orjson

from cluster.runtime.live import trees, words
from cluster.runtime.live.builtins import BUILTINS, OPTIONS, Jump
from cluster.runtime.live.files import FileError, join, normal
from cluster.runtime.live.kernel import SIGINT, Blocked, Ended, Kernel, Proc, find_program
from cluster.runtime.programs.syntax import (
    AndOr,
    Background,
    Case,
    Command,
    For,
    Function,
    If,
    Incomplete,
    Loop,
    Node,
    Not,
    Pipe,
    Redirected,
    Sequence,
    ShellSyntaxError,
    Subshell,
    parse,
)

MAX_FRAMES = 200
TURN = 200  # Steps before others may run.
MAX_CALLS = 30  # Functions inside functions.


def sh(kernel: Kernel, proc: Proc) -> int:
    """The program. Errors: Blocked, Ended."""
    shell = Shell(kernel, proc)
    try:
        return shell.go_on()
    finally:
        shell.save()


class Shell:
    """One process that runs `sh`, at work. All that lasts is in `proc["local"]`."""

    def __init__(self, kernel: Kernel, proc: Proc) -> None:
        self.kernel, self.proc, self.files = kernel, proc, kernel.files
        local = proc["local"]
        if not local:
            _start(proc, kernel)
        self.local: dict[str, Any] = local
        self.frames: list[list[Any]] = [trees.load(frame) for frame in local["frames"]]
        self.functions: dict[str, Node] = {name: trees.load(body) for name, body in local["functions"].items()}
        self.subs: list[str] = []
        self.sub = 0
        self.scratch: dict[str, Any] = {}  # A builtin's notes while it waits.
        self.replaced = False  # By `exec`.

    def save(self) -> None:
        if not self.replaced and self.proc["exit"] is None:
            self.local["frames"] = [trees.dump(frame) for frame in self.frames]
            self.local["functions"] = {name: trees.dump(body) for name, body in self.functions.items()}

    # --- the machine ----------------------------------------------------------------------------------------

    def go_on(self) -> int:
        local = self.local
        for _ in range(TURN):
            if local.pop("interrupted", False):
                self._interrupted()
            if local.get("signals"):
                self._handle(local["signals"].pop(0))
            if not self.frames:
                leaving = local.setdefault("leaving", local["status"])
                if "0" not in local["traps"]:
                    return int(leaving)
                self.frames.append(["run", parse(local["traps"].pop("0"))])
            self.kernel.steps += 1
            frame = self.frames.pop()
            try:
                self._step(frame)
            except Blocked:
                self.frames.append(frame)
                raise
            except ShellSyntaxError as error:
                self._failed(f"{error}", 2)
            except words.BadValue as error:
                self._failed(str(error), 2)
            except FileError as error:
                self.err(f"{self.name}: {error}\n")
                self.local["status"] = 1
                self.frames.append(["strict"])
            except Jump as jump:
                self._jump(jump)
            if len(self.frames) > MAX_FRAMES:
                self._failed(f"nested deeper than {MAX_FRAMES} frames", 2)
        raise Blocked()

    def _failed(self, message: str, code: int) -> None:
        """A script that is wrong ends; a person gets another try."""
        self.err(f"{self.name}: {message}\n")
        self.local["status"] = code
        if self.local["interactive"]:
            self._unwind(lambda frame: frame[0] == "repl", keep=True)
        else:
            self._leave(code)

    def _interrupted(self) -> None:
        self.local["status"], self.local["pending"] = 128 + SIGINT, ""
        self._unwind(lambda frame: frame[0] == "repl", keep=True)
        if self.frames and self.frames[-1][0] == "repl":
            self.frames[-1] = ["repl", False]
        self.out("\n")

    def _handle(self, signal: int) -> None:
        self.frames.append(["status", self.local["status"]])
        self.frames.append(["run", parse(self.local["traps"].get(str(signal), ""))])

    def _unwind(self, stop: Any, keep: bool) -> bool:
        """Drop frames down to the one that `stop` accepts, undoing redirections on the way."""
        while self.frames:
            frame = self.frames.pop()
            if frame[0] == "restore":
                self.proc["fds"] = frame[1]
            elif frame[0] == "call":
                self._frame_call(frame)
            elif frame[0] == "collect":
                self.proc["fds"].pop(f"c{frame[2]}", None)
            if stop(frame):
                if keep:
                    self.frames.append(frame)
                return True
        return False

    def _jump(self, jump: Jump) -> None:
        outside = not any(frame[0] in ("call", "sourced") for frame in self.frames)
        if jump.kind == "exit" or (jump.kind == "return" and outside):
            self._leave(jump.code)
            return
        if jump.kind == "return":
            self.local["status"] = jump.code
            self._unwind(lambda frame: frame[0] in ("call", "sourced"), keep=False)
            return
        self.local["status"] = 0
        if any(frame[0] in ("for", "loop") for frame in self.frames):
            for _ in range(max(jump.code, 1) - 1):
                if sum(frame[0] in ("for", "loop") for frame in self.frames) > 1:
                    self._unwind(lambda frame: frame[0] in ("for", "loop"), keep=False)
            self._unwind(lambda frame: frame[0] in ("for", "loop"), keep=jump.kind == "continue")
            if jump.kind == "continue" and self.frames[-1][0] == "loop":
                self.frames[-1][2] = "condition" if self.frames[-1][1].step is None else "step"

    def _leave(self, code: int) -> None:
        """Nothing is left to do but what `trap … EXIT` asks for."""
        self._unwind(lambda frame: False, keep=False)
        self.local["status"] = self.local["leaving"] = code

    def _step(self, frame: list[Any]) -> None:
        what = frame[0]
        if what == "run":
            self._run(frame[1])
        elif what == "cmd":
            self._command(frame)
        elif what == "wait":
            self._wait(frame)
        elif what == "collect":
            self._collect(frame)
        elif what == "repl":
            self._read_command(frame)
        elif what == "builtin":
            self._builtin(frame)
        else:
            getattr(self, f"_frame_{what}")(frame)

    def _run(self, node: Node) -> None:
        push = self.frames.append
        if isinstance(node, Command):
            push(["cmd", node, []])
        elif isinstance(node, Sequence):
            push(["seq", node, 0])
        elif isinstance(node, AndOr):
            push(["then", node.operator, node.right])
            push(["tested", self.local["options"]])
            self.local["options"] = self.local["options"].replace("e", "")
            push(["run", node.left])
        elif isinstance(node, Not):
            push(["not"])
            push(["run", node.node])
        elif isinstance(node, If):
            push(["if", node, 0])
            self._condition(node.branches[0][0])
        elif isinstance(node, For):
            push(["values", node, []])
        elif isinstance(node, Loop):
            push(["loop", node, "condition"])
        elif isinstance(node, Case):
            push(["case", node, []])
        elif isinstance(node, Function):
            self.functions[node.name] = node.body
            self.local["status"] = 0
        elif isinstance(node, Redirected):
            push(["redirected", node, []])
        elif isinstance(node, Subshell):
            push(["wait", self.fork(node.node)["pid"]])
        elif isinstance(node, Background):
            self._background(node.node)
        else:
            self._pipeline(node)

    def _condition(self, node: Node) -> None:
        self.frames.append(["tested", self.local["options"]])
        self.local["options"] = self.local["options"].replace("e", "")
        self.frames.append(["run", node])

    # --- compound commands ----------------------------------------------------------------------------------

    def _frame_tested(self, frame: list[Any]) -> None:
        """`set -e` does not mind a condition's failure."""
        self.local["options"] = frame[1]

    def _frame_status(self, frame: list[Any]) -> None:
        self.local["status"] = frame[1]

    def _frame_seq(self, frame: list[Any]) -> None:
        node, at = frame[1], frame[2]
        if at < len(node.items):
            if at + 1 < len(node.items):
                self.frames.append(["seq", node, at + 1])
            self.frames.append(["run", node.items[at]])

    def _frame_then(self, frame: list[Any]) -> None:
        if (self.local["status"] == 0) == (frame[1] == "&&"):
            self.frames.append(["run", frame[2]])

    def _frame_not(self, frame: list[Any]) -> None:
        self.local["status"] = int(self.local["status"] == 0)

    def _frame_if(self, frame: list[Any]) -> None:
        node, at = frame[1], frame[2]
        if self.local["status"] == 0:
            self.frames.append(["run", node.branches[at][1]])
        elif at + 1 < len(node.branches):
            self.frames.append(["if", node, at + 1])
            self._condition(node.branches[at + 1][0])
        else:
            self.local["status"] = 0
            if node.otherwise is not None:
                self.frames.append(["run", node.otherwise])

    def _frame_values(self, frame: list[Any]) -> None:
        node = frame[1]
        values = self._expanded(frame, lambda: self._fields(node.words))
        if values is not None:
            values = values if node.words else list(self.local["positional"][1:])
            self.frames.append(["for", node, values])

    def _frame_for(self, frame: list[Any]) -> None:
        node, values = frame[1], frame[2]
        if values:
            self.set(node.name, values[0])
            self.frames.append(["for", node, values[1:]])
            self.frames.append(["run", node.body])

    def _frame_loop(self, frame: list[Any]) -> None:
        node, phase = frame[1], frame[2]
        if phase == "condition":
            self.frames.append(["loop", node, "decide"])
            self._condition(node.condition)
        elif phase == "step":
            self.frames.append(["loop", node, "condition"])
            self.frames.append(["run", node.step])
        elif (self.local["status"] == 0) != node.until:
            self.frames.append(["loop", node, "condition" if node.step is None else "step"])
            self.frames.append(["run", node.body])
        else:
            self.local["status"] = 0

    def _frame_case(self, frame: list[Any]) -> None:
        node = frame[1]

        def choose() -> list[Node]:
            text = words.text_of(node.word, self)
            for patterns, body in node.branches:
                if any(words.matches(words.pattern_of(one, self), text) for one in patterns):
                    return [body]
            return []

        chosen = self._expanded(frame, choose)
        if chosen is not None:
            self.local["status"] = 0
            self.frames += [["run", body] for body in chosen]

    def _frame_redirected(self, frame: list[Any]) -> None:
        node = frame[1]
        fds = self._expanded(frame, lambda: self._redirects(node.redirects))
        if fds is not None:
            self.frames.append(["restore", self.proc["fds"]])
            self.proc["fds"] = fds
            self.frames.append(["run", node.node])

    def _frame_restore(self, frame: list[Any]) -> None:
        self.proc["fds"] = frame[1]

    def _frame_call(self, frame: list[Any]) -> None:
        self.local["positional"] = frame[1]
        for name, value in frame[2].items():
            self._restore_variable(name, value)

    def _frame_sourced(self, frame: list[Any]) -> None:
        pass

    def _restore_variable(self, name: str, value: str | None) -> None:
        if value is None:
            self.local["variables"].pop(name, None)
        else:
            self.local["variables"][name] = value

    # --- simple commands ------------------------------------------------------------------------------------

    def _expanded(self, frame: list[Any], expand: Any) -> Any:
        """What `expand` makes of words; None: a `$(…)` has to run first, and the frame is put back."""
        self.subs, self.sub = frame[2], 0
        before = dict(self.local["variables"])
        try:
            return expand()
        except words.NeedsCommand as needed:
            self.local["variables"] = before
            self.frames.append(frame)
            self._substitute(needed.tree)
            return None

    def _substitute(self, tree: Node) -> None:
        number = self.kernel.pipe()
        child = self.fork(tree, {"1": ["pipe", number, "w"]})
        self.proc["fds"][f"c{number}"] = ["pipe", number, "r"]
        self.frames.append(["collect", child["pid"], number, ""])

    def _collect(self, frame: list[Any]) -> None:
        """Gather a substitution's output, then its status."""
        fd = f"c{frame[2]}"
        place = self.proc["fds"][fd]
        data = self.kernel.pipes[place[1]]
        self.kernel.pipes[place[1]] = ""
        frame[3] = (frame[3] + data)[: words.MAX_LENGTH]
        code = self.kernel.reap(self.proc["pid"], frame[1])
        if code is None:
            raise Blocked("gather", frame[1], frame[2])
        del self.proc["fds"][fd]
        self.local["status"] = code
        self.frames[-1][2].append(frame[3])

    def _command(self, frame: list[Any]) -> None:
        node = frame[1]
        ready = self._expanded(frame, lambda: self._prepared(node))
        if ready is None:
            return
        assigned, argv, fds = ready
        if not argv:
            for name, value in assigned:
                self.assign(name, value)
            self.local["status"] = self.local["status"] if frame[2] else 0
            self._strict()
            return
        name = argv[0]
        if name in self.functions:
            self._call(self.functions[name], argv, fds, assigned)
        elif name in BUILTINS:
            self._begin_builtin(argv, fds, assigned)
        else:
            self._begin_program(argv, fds, assigned)

    def _prepared(self, node: Command) -> tuple[list[tuple[str, str]], list[str], Any]:
        argv = self._fields(node.words)
        assigned = [(name, words.text_of(word, self)) for name, word in node.assignments]
        if "x" in self.local["options"] and argv:
            self.err("+ " + " ".join(argv) + "\n")
        return assigned, argv, self._redirects(node.redirects)

    def _fields(self, given: Any) -> list[str]:
        """All words that these become. Errors: NeedsCommand, BadValue."""
        found: list[str] = []
        size = 0
        for word in given:
            more = words.fields(word, self)
            size += sum(len(text) for text in more)
            if size > words.MAX_LENGTH or len(found) > words.MAX_FIELDS:
                raise words.BadValue("Argument list too long")
            found += more
        return found

    def _strict(self) -> None:
        if "e" in self.local["options"] and self.local["status"]:
            self._leave(self.local["status"])

    def _call(self, body: Node, argv: list[str], fds: Any, assigned: list[tuple[str, str]]) -> None:
        if sum(frame[0] == "call" for frame in self.frames) > MAX_CALLS:
            raise FileError(f"functions call each other deeper than {MAX_CALLS} levels")
        for name, value in assigned:
            self.set(name, value)
        if fds is not self.proc["fds"]:
            self.frames.append(["restore", self.proc["fds"]])
            self.proc["fds"] = fds
        self.frames.append(["call", self.local["positional"], {}])
        self.local["positional"] = [self.local["positional"][0], *argv[1:]]
        self.frames.append(["run", body])

    def _begin_builtin(self, argv: list[str], fds: Any, assigned: list[tuple[str, str]]) -> None:
        for name, value in assigned:
            self.set(name, value)
        lasting = argv[0] == "exec" and len(argv) == 1
        if fds is not self.proc["fds"]:
            if not lasting:
                self.frames.append(["restore", self.proc["fds"]])
            self.proc["fds"] = fds
        self.frames.append(["builtin", argv, {}])

    def _builtin(self, frame: list[Any]) -> None:
        argv, self.scratch = frame[1], frame[2]
        status = BUILTINS[argv[0]](self, argv)
        if status is not None:
            self.local["status"] = status
            self.frames.append(["strict"])

    def _frame_strict(self, frame: list[Any]) -> None:
        self._strict()

    def _begin_program(self, argv: list[str], fds: Any, assigned: list[tuple[str, str]]) -> None:
        found = self.find(argv[0])
        if isinstance(found, int):
            why = "not found" if found == 127 else "Permission denied"
            if self.name == "bash" and found == 127:
                why = "No such file or directory" if "/" in argv[0] else "command not found"
            self.kernel.write({**self.proc, "fds": fds}, 2, f"{self.name}: {argv[0]}: {why}\n")
            self.local["status"] = found
            self._strict()
            return
        program, start = found
        argv = [*start, *argv[1:]]
        environment = {**self.exported(), **dict(assigned)}
        child = self.kernel.spawn(self.proc["pid"], argv, program, environment, self.cwd, _inherited(fds))
        self.frames.append(["strict"])
        self.frames.append(["wait", child["pid"]])

    def find(self, name: str) -> tuple[str, list[str]] | int:
        """(program, argv) of a command, or 127 or 126."""
        return find_program(self.kernel, name, self.cwd)

    def _wait(self, frame: list[Any]) -> None:
        code = self.kernel.reap(self.proc["pid"], frame[1])
        if code is None:
            raise Blocked("child", frame[1])
        self.local["status"] = code
        if code == 128 + SIGINT and self.local["interactive"]:
            self.out("\n")

    def _frame_waitall(self, frame: list[Any]) -> None:
        """A pipeline's stages; the last one's code counts, with pipefail the last one's that failed."""
        while frame[1]:
            code = self.kernel.reap(self.proc["pid"], frame[1][0])
            if code is None:
                raise Blocked("child", frame[1][0])
            self.local["status"] = code
            if "|" in self.local["options"] and len(frame) > 2:
                self.local["status"] = frame[2] = code or frame[2]
            frame[1] = frame[1][1:]
        self._strict()

    # --- forking --------------------------------------------------------------------------------------------

    def fork(self, node: Node, fds: dict[str, Any] | None = None) -> Proc:
        """A copy of this shell that runs `node` and ends."""
        self.save()
        child = self.kernel.spawn(
            self.proc["pid"], list(self.proc["argv"]), "sh", self.proc["env"], self.cwd,
            {**_inherited(self.proc["fds"]), **(fds or {})},
        )  # fmt: skip
        copied = orjson.loads(orjson.dumps({**self.local, "frames": []}))
        child["local"] = {**copied, "frames": [trees.dump(["run", node])], "interactive": False, "signals": []}
        child["local"]["traps"] = {}
        return child

    def _pipeline(self, node: Pipe) -> None:
        pids, reading = [], None
        for number, stage in enumerate(node.stages):
            fds: dict[str, Any] = {"0": ["pipe", reading, "r"]} if reading is not None else {}
            if number < len(node.stages) - 1:
                reading = self.kernel.pipe()
                fds["1"] = ["pipe", reading, "w"]
                self.proc["fds"][f"p{reading}"] = ["pipe", reading, "r"]  # Until the next stage has it.
            pids.append(self.fork(stage, fds)["pid"])
        for name in [name for name in self.proc["fds"] if name[0] == "p"]:
            del self.proc["fds"][name]
        self.frames.append(["waitall", pids, 0])

    def _background(self, node: Node) -> None:
        child = self.fork(node, {"0": ["null"]})
        child["background"] = True
        self.local["last"] = child["pid"]
        self.local["status"] = 0

    # --- redirections ---------------------------------------------------------------------------------------

    def _redirects(self, redirects: Any) -> dict[str, Any]:
        """The descriptors with these redirections. Errors: FileError, naming the file."""
        if not redirects:
            return self.proc["fds"]  # type: ignore[no-any-return]
        fds = dict(self.proc["fds"])
        for number, operator, word in redirects:
            if operator == "<<":
                pipe = self.kernel.pipe()
                self.kernel.pipes[pipe] = words.text_of(word, self)
                fds[str(number)] = ["pipe", pipe, "r"]
                continue
            target = words.text_of(word, self)
            if operator in (">&", "<&"):
                if target == "-":
                    fds.pop(str(number), None)
                    continue
                if target not in fds:
                    raise FileError(f"{target}: bad file descriptor")
                fds[str(number)] = fds[target]
                continue
            place = self._open(target, operator)
            fds[str(number)] = place
            if operator == "&>":
                fds["2"] = place
        return fds

    def _open(self, target: str, operator: str) -> list[Any]:
        path = normal(join(self.cwd, target))
        special = {"/dev/null": ["null"], "/dev/stdin": "0", "/dev/stdout": "1", "/dev/stderr": "2", "/dev/tty": "1"}
        if path in special:
            found = special[path]
            return found if isinstance(found, list) else list(self.proc["fds"].get(found, ["null"]))
        if path.startswith("/proc/") and "/fd/" in path:
            return ["null"]  # Another process's output: its log is a function of time, nobody can add to it.
        try:
            if operator == "<":
                self.files.read(path)
            elif operator == ">>":
                self.files.write(path, "", append=True)
            else:
                self.files.write(path, "")
        except FileError as error:
            verb = "open" if operator == "<" else "create"
            raise FileError(f"can't {verb} {target}: {_lower(str(error), operator)}") from None
        return self.kernel.open(path)

    # --- reading commands -----------------------------------------------------------------------------------

    def _read_command(self, frame: list[Any]) -> None:
        """One complete command from standard input; a prompt before it if somebody types."""
        local = self.local
        if local["interactive"] and not frame[1]:
            self.err(self.prompt() if not local["pending"] else "> ")
            frame[1] = True
        line = self.kernel.read_line(self.proc)
        if not line:
            self.kernel.consume(self.proc, 0, 0)
            if local["pending"]:
                self.err(f"{self.name}: syntax error: unexpected end of file\n")
                local["status"] = 2
            elif local["interactive"]:
                self.err("\n" if self.name != "bash" else "exit\n")
            return
        script = local["pending"] + line
        self.frames.append(["repl", False])
        try:
            node = parse(script)
        except Incomplete:
            local["pending"] = script
            return
        except ShellSyntaxError as error:
            local["pending"], local["status"] = "", 2
            self.err(f"{self.name}: {error}\n")
            return
        local["pending"] = ""
        self.frames.append(["run", node])

    def prompt(self) -> str:
        """What the image's shell asks with."""
        process, cwd = self.kernel.container.process, self.cwd
        home = self.get("HOME") or "/root"
        shown = "~" + cwd[len(home) :] if home != "/" and (cwd + "/").startswith(home + "/") else cwd
        if self.name == "bash":
            return f"root@{process.hostname}:{shown}# "
        if self.kernel.files.stat("/etc/debian_version") is not None:
            return "# "
        return f"{shown} # "

    # --- what words ask -------------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        return str(self.proc["argv"][0]).rpartition("/")[2].lstrip("-") if self.proc["argv"] else "sh"

    @property
    def cwd(self) -> str:
        return str(self.proc["cwd"])

    def get(self, name: str) -> str | None:
        local = self.local
        if name == "?":
            return str(local["status"])
        if name == "$":
            return str(local["shell"])
        if name == "!":
            return str(local.get("last", ""))
        if name == "PPID":
            return str(self.proc["parent"])
        if name == "#":
            return str(max(len(local["positional"]) - 1, 0))
        if name == "-":
            return str(local["options"]).replace("|", "")
        if name.isdigit():
            place = int(name[:6])
            return local["positional"][place] if place < len(local["positional"]) else None
        if name == "RANDOM":
            self.kernel.ran.add("$RANDOM")
            local["random"] = (local["random"] * 1_103_515_245 + 12_345) % (1 << 31)
            return str(local["random"] >> 16)
        found = local["variables"].get(name)
        if found is None and "u" in local["options"]:
            raise words.BadValue(f"{name}: parameter not set")
        return found

    def assign(self, target: str, value: str) -> None:
        """`a=`, `a+=`, `a[1]=`."""
        name, bracket, index = target.removesuffix("+").partition("[")
        place = words.index_of(index.removesuffix("]"), name, self) if bracket else 0
        key = f"{name}[{place}]" if bracket else name
        before = self.local["variables"].get(key, "") if target.endswith("+") else ""
        self.set(key, before + value)
        if bracket and place == 0:
            self.set(name, before + value)

    def set(self, name: str, value: str) -> None:
        if name in self.local["readonly"]:
            raise words.BadValue(f"{name}: is read only")
        variables = self.local["variables"]
        before = len(variables.get(name, ""))
        if len(value) > max(before, 1024) and len(value) + sum(map(len, variables.values())) > words.MAX_LENGTH:
            raise words.BadValue(f"{name}: no memory for more variables")
        if len(variables) > 1_000 and name not in variables:
            raise words.BadValue(f"{name}: no memory for more variables")
        variables[name] = value

    def arguments(self) -> list[str]:
        return list(self.local["positional"][1:])

    def substituted(self) -> str | None:
        self.sub += 1
        return self.subs[self.sub - 1] if self.sub <= len(self.subs) else None

    @property
    def braces(self) -> bool:
        """Does it make words of {a,b}? ash and dash don't."""
        return self.name == "bash"

    def variables(self) -> dict[str, str]:
        found: dict[str, str] = self.local["variables"]
        return found

    def exported(self) -> dict[str, str]:
        variables = self.local["variables"]
        return {name: variables[name] for name in self.local["exported"] if name in variables}

    def out(self, text: str) -> None:
        self.kernel.write(self.proc, 1, text)

    def err(self, text: str) -> None:
        self.kernel.write(self.proc, 2, text)


def _inherited(fds: dict[str, Any]) -> dict[str, Any]:
    """Descriptors that a child gets: not the shell's own ends of pipes."""
    return {name: fd for name, fd in fds.items() if name.isdigit()}


def _lower(text: str, operator: str) -> str:
    return (
        "no such file"
        if text == "No such file or directory" and operator == "<"
        else ("nonexistent directory" if text == "No such file or directory" else text)
    )


def _start(proc: Proc, kernel: Kernel) -> None:
    """The state of a shell that has just been started with `proc["argv"]`."""
    argv, options, script = list(proc["argv"]), "", None
    arguments = argv[1:]
    while arguments and arguments[0][:1] in ("-", "+") and len(arguments[0]) > 1:
        option = arguments.pop(0)
        if option == "--":
            break
        options += "" if option.startswith("--") else option[1:]
        if option[-1:] == "o" and not option.startswith("--") and arguments:
            options += OPTIONS.get(arguments.pop(0), "")
        if "c" in option and not option.startswith("--"):
            script = arguments.pop(0) if arguments else ""
            break
    positional = arguments or [argv[0]]
    frames: list[Any] = []
    interactive = False
    if script is None and arguments and not options.count("s"):
        path = normal(join(proc["cwd"], arguments[0]))
        try:
            script = kernel.files.read(path)
        except FileError as error:
            kernel.write(proc, 2, f"{argv[0]}: can't open '{arguments[0]}': {error}\n")
            raise Ended(2) from None
    if script is None:
        interactive = proc["fds"].get("0", [""])[0] == "tty" or "i" in options
        frames = [["repl", False]]
    local = {
        "frames": frames,
        "variables": {"PWD": proc["cwd"], **proc["env"]},
        "exported": sorted(proc["env"]),
        "readonly": [],
        "functions": {},
        "positional": positional,
        "status": 0,
        "options": "".join(one for one in "eux|" if one in options),
        "interactive": interactive,
        "pending": "",
        "traps": {},
        "signals": [],
        "shell": proc["pid"],
        "random": kernel.container.process.seed % (1 << 31) + proc["pid"],
    }
    proc["local"].update(local)
    if script is not None:
        try:
            proc["local"]["frames"] = [trees.dump(["run", parse(script)])]
        except ShellSyntaxError as error:
            kernel.write(proc, 2, f"{argv[0]}: {error}\n")
            raise Ended(2) from None
