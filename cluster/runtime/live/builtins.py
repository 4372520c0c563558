"""Commands inside the shell: what changes the shell itself, and a few that are too small for a process.

    (shell, argv) -> status; None: something else (a frame that was pushed) will set it

Mirrors:  busybox/shell/ash.c (the built-in table)
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from cluster.runtime.live.commands import COMMANDS
from cluster.runtime.live.commands.call import Call
from cluster.runtime.live.files import FileError, join, normal
from cluster.runtime.live.kernel import SIGNALS, Blocked, signal_number
from cluster.runtime.live.words import elements, sum_of
from cluster.runtime.programs.syntax import ARRAY, parse

if TYPE_CHECKING:
    from cluster.runtime.live.shell import Shell

OPTIONS = {"errexit": "e", "nounset": "u", "xtrace": "x", "pipefail": "|"}
Builtin = Callable[["Shell", list[str]], int | None]


class Jump(Exception):
    """break, continue (`code`: how many loops), return, exit (`code`: status)."""

    def __init__(self, kind: str, code: int) -> None:
        self.kind, self.code = kind, code


def _number(text: str, default: int) -> int:
    return int(text[:9]) if text.isdigit() else default


def cd(shell: "Shell", argv: list[str]) -> int:
    words = [word for word in argv[1:] if word not in ("-P", "-L", "--")]
    target = words[0] if words else shell.get("HOME") or "/"
    if target == "-":
        target = shell.get("OLDPWD") or shell.cwd
        shell.out(target + "\n")
    path = normal(join(shell.cwd, target))
    entry = shell.files.stat(path)
    if entry is None or entry.kind != "d":
        problem = "can't cd to" if shell.name != "bash" else "cd:"
        why = "No such file or directory" if entry is None else "Not a directory"
        text = f"{shell.name}: cd: {problem} {target}: {why}\n"
        shell.err(text if shell.name != "bash" else f"bash: cd: {target}: {why}\n")
        return 1
    shell.set("OLDPWD", shell.cwd)
    shell.proc["cwd"] = path
    shell.set("PWD", path)
    return 0


def leave(shell: "Shell", argv: list[str]) -> int:
    raise Jump("exit", _number(argv[1], 2) & 255 if len(argv) > 1 else shell.local["status"])


def back(shell: "Shell", argv: list[str]) -> int:
    raise Jump("return", _number(argv[1], 2) & 255 if len(argv) > 1 else shell.local["status"])


def jump(shell: "Shell", argv: list[str]) -> int:
    """break, continue."""
    raise Jump(argv[0], _number(argv[1], 1) if len(argv) > 1 else 1)


def export(shell: "Shell", argv: list[str]) -> int:
    """export, readonly."""
    where = shell.local["exported" if argv[0] == "export" else "readonly"]
    words = [word for word in argv[1:] if word != "-p"]
    if not words:
        for name in sorted(where):
            shell.out(f"{argv[0]} {name}='{shell.get(name) or ''}'\n")
    for word in words:
        name, equals, value = word.partition("=")
        if equals:
            shell.set(name, value)
        if name not in where:
            where.append(name)
    return 0


def local(shell: "Shell", argv: list[str]) -> int:
    frame = next((frame for frame in reversed(shell.frames) if frame[0] == "call"), None)
    for word in argv[1:]:
        name, equals, value = word.partition("=")
        if frame is not None and name not in frame[2]:
            frame[2][name] = shell.local["variables"].get(name)
        shell.set(name, value if equals else "")
    return 0


def array(shell: "Shell", argv: list[str]) -> int:
    """`a=(b c)`, `a+=(d)`: elements are the variables a[0], a[1] …; a is the first."""
    name, grows = argv[1].removesuffix("+"), argv[1].endswith("+")
    before = elements(name, shell) if grows else []
    unset(shell, ["unset", name])
    for place, value in enumerate([*before, *argv[2:]]):
        shell.set(f"{name}[{place}]", value)
        if place == 0:
            shell.set(name, value)
    return 0


def unset(shell: "Shell", argv: list[str]) -> int:
    for name in argv[1:]:
        variables = shell.local["variables"]
        for key in [key for key in variables if key == name or key.startswith(f"{name}[")]:
            del variables[key]
        shell.functions.pop(name, None)
        shell.local["exported"] = [one for one in shell.local["exported"] if one != name]
    return 0


def options(shell: "Shell", argv: list[str]) -> int:
    """set."""
    words = argv[1:]
    if not words:
        for name in sorted(name for name in shell.local["variables"] if "[" not in name):
            shell.out(f"{name}='{shell.local['variables'][name]}'\n")
        return 0
    while words and words[0][:1] in ("-", "+") and len(words[0]) > 1:
        word = words.pop(0)
        if word == "--":
            shell.local["positional"] = [shell.local["positional"][0], *words]
            return 0
        if word in ("-o", "+o") and words:
            word = word[0] + OPTIONS.get(words.pop(0), "")
        elif word[-1] == "o" and words:
            word = word[:-1] + OPTIONS.get(words.pop(0), "")
        for letter in word[1:]:
            if letter in "eux|":
                others = shell.local["options"].replace(letter, "")
                shell.local["options"] = others + letter if word[0] == "-" else others
    if words:
        shell.local["positional"] = [shell.local["positional"][0], *words]
    return 0


def shift(shell: "Shell", argv: list[str]) -> int:
    count = _number(argv[1], 1) if len(argv) > 1 else 1
    positional = shell.local["positional"]
    if count > len(positional) - 1:
        return 1
    shell.local["positional"] = [positional[0], *positional[1 + count :]]
    return 0


def evaluate(shell: "Shell", argv: list[str]) -> int | None:
    script = " ".join(argv[1:])
    if not script.strip():
        return 0
    shell.frames.append(["run", parse(script)])
    return None


def source(shell: "Shell", argv: list[str]) -> int | None:
    if len(argv) < 2:
        shell.err(f"{shell.name}: {argv[0]}: filename argument required\n")
        return 2
    try:
        script = shell.files.read(normal(join(shell.cwd, argv[1])))
    except FileError:
        shell.err(f"{shell.name}: .: can't open '{argv[1]}': No such file or directory\n")
        return 2
    shell.frames.append(["sourced"])
    shell.frames.append(["run", parse(script)])
    return None


def replace(shell: "Shell", argv: list[str]) -> int:
    """exec: this process becomes another program. Without one, its redirections last."""
    if len(argv) == 1:
        return 0
    found = shell.find(argv[1])
    if isinstance(found, int):
        shell.err(f"{shell.name}: exec: {argv[1]}: {'not found' if found == 127 else 'Permission denied'}\n")
        raise Jump("exit", found)
    program, start = found
    proc = shell.proc
    proc["argv"], proc["program"], proc["env"] = [*start, *argv[2:]], program, shell.exported()
    proc["fds"] = {name: fd for name, fd in proc["fds"].items() if name.isdigit()}
    proc["local"].clear()
    shell.replaced = True
    raise Blocked()


def read(shell: "Shell", argv: list[str]) -> int:
    """A line into variables: all but the last get a word each."""
    words, raw, prompt = argv[1:], False, ""
    while words and words[0][:1] == "-":
        option = words.pop(0)
        raw = raw or "r" in option
        if option[-1:] in "ptnd" and words:
            value = words.pop(0)
            prompt = value if option[-1:] == "p" else prompt
    if prompt and "asked" not in shell.scratch:
        shell.scratch["asked"] = True
        shell.err(prompt)
    line = shell.kernel.read_line(shell.proc)
    text = line.removesuffix("\n")
    if not raw:
        text = text.replace("\\\\", "\0").replace("\\", "").replace("\0", "\\")
    separators = shell.local["variables"].get("IFS")
    names = words or ["REPLY"]
    values = _split(text, separators, len(names))
    for place, name in enumerate(names):
        shell.set(name, values[place] if place < len(values) else "")
    if not line:
        shell.kernel.consume(shell.proc, 0, 0)
    return int(not line.endswith("\n"))


def _split(text: str, separators: str | None, count: int) -> list[str]:
    if separators is None or not separators.strip():
        return text.split(None, count - 1) if separators != "" else [text]
    return [part.strip() for part in text.split(separators.strip()[0], count - 1)]


def trap(shell: "Shell", argv: list[str]) -> int:
    traps = shell.local["traps"]
    if len(argv) == 1:
        for number in sorted(traps, key=int):
            name = next((name for name, value in SIGNALS.items() if str(value) == number), number)
            shell.out(f"trap -- '{traps[number]}' {name}\n")
        return 0
    action, names = (argv[1], argv[2:]) if len(argv) > 2 else ("-", argv[1:])
    for name in names:
        number = signal_number(name)
        if number is None:
            shell.err(f"{shell.name}: trap: {name}: invalid signal specification\n")
            return 1
        if action == "-":
            traps.pop(str(number), None)
        else:
            traps[str(number)] = action
    return 0


def wait(shell: "Shell", argv: list[str]) -> int:
    """Until children in the background have ended; a trapped signal ends the waiting."""
    procs, me = shell.kernel.procs, shell.proc["pid"]
    wanted = [int(word) for word in argv[1:] if word.isdigit()]
    children = wanted or [p["pid"] for p in procs.values() if p["parent"] == me and p.get("background")]
    status = 0
    for pid in children:
        code = shell.kernel.reap(me, pid)
        if code is None:
            raise Blocked("child", pid)
        status = code if wanted else 0
    return status


def kind_of(shell: "Shell", argv: list[str]) -> int:
    """type, and command -v."""
    words, short = [word for word in argv[1:] if word[:1] != "-"], argv[0] == "command"
    status = 0
    for word in words:
        found = shell.find(word)
        if word in shell.functions or word in BUILTINS:
            shell.out(
                f"{word}\n" if short else f"{word} is a shell {'function' if word in shell.functions else 'builtin'}\n"
            )
        elif not isinstance(found, int):
            path = word if "/" in word else f"/bin/{word}"
            shell.out(f"{path}\n" if short else f"{word} is {path}\n")
        else:
            status = 127
            if not short:
                shell.err(f"{word}: not found\n")
    return status


def command(shell: "Shell", argv: list[str]) -> int | None:
    """`command -v name`, or the command itself, past functions."""
    if argv[1:2] in (["-v"], ["-V"]):
        return kind_of(shell, argv)
    if len(argv) < 2:
        return 0
    if argv[1] in BUILTINS:
        return BUILTINS[argv[1]](shell, argv[1:])
    shell._begin_program(argv[1:], shell.proc["fds"], [])
    return None


def getopts(shell: "Shell", argv: list[str]) -> int:
    """The next option of the arguments into a variable. `local["letter"]`: [OPTIND, place in a word like `-abc`]."""
    if len(argv) < 3:
        shell.err(f"{shell.name}: getopts: usage: getopts optstring name [args]\n")
        return 2
    spec, name, given = argv[1], argv[2], argv[3:] or shell.arguments()
    index = max(_number(shell.get("OPTIND") or "1", 1), 1)
    known = shell.local.get("letter", [0, 0])
    place = known[1] if known[0] == index else 0
    word = given[index - 1] if index <= len(given) else ""
    if not place and (word[:1] != "-" or word in ("-", "--")):
        shell.set("OPTIND", str(index + (word == "--")))
        shell.set(name, "?")
        return 1
    letter = word[max(place, 1)]
    index, place = (index + 1, 0) if max(place, 1) + 1 >= len(word) else (index, max(place, 1) + 1)
    argument, problem = "", ""
    if letter == ":" or letter not in spec:
        problem = f"illegal option -- {letter}"
    elif spec[spec.index(letter) + 1 :][:1] == ":":
        rest = word[place:] if place else ""
        argument = rest or (given[index - 1] if index <= len(given) else "")
        if not rest and index > len(given):
            problem = f"option requires an argument -- {letter}"
        index, place = index + 1, 0
    shell.set("OPTIND", str(index))
    shell.local["letter"] = [index, place]
    silent = spec[:1] == ":"
    if problem and not silent:
        shell.err(f"{shell.name}: {problem}\n")
    shell.set("OPTARG", letter if problem and silent else argument)
    shell.set(name, letter if not problem else ":" if silent and "requires" in problem else "?")
    return 0


def ulimit(shell: "Shell", argv: list[str]) -> int:
    """What a runtime sets: as many files as it is given itself, everything else without limits."""
    shell.out("1048576\n" if "n" in "".join(argv[1:]) else "unlimited\n")
    return 0


def let(shell: "Shell", argv: list[str]) -> int:
    result = 0
    for text in argv[1:]:
        result = sum_of(text, shell)
    return int(result == 0)


def nothing(shell: "Shell", argv: list[str]) -> int:
    """umask, alias, hash, jobs: accepted."""
    if argv[0] == "umask" and len(argv) == 1:
        shell.out("0022\n")
    return 0


def _small(shell: "Shell", argv: list[str]) -> int:
    """A command that needs no process of its own."""
    return Call(shell.kernel, shell.proc, argv, shell.scratch).run(COMMANDS[argv[0]])


BUILTINS: dict[str, Builtin] = {
    "cd": cd,
    "exit": leave,
    "return": back,
    "break": jump,
    "continue": jump,
    "export": export,
    "readonly": export,
    "local": local,
    "unset": unset,
    "set": options,
    "shift": shift,
    "eval": evaluate,
    ".": source,
    "source": source,
    "exec": replace,
    "read": read,
    "trap": trap,
    "wait": wait,
    "type": kind_of,
    "command": command,
    "let": let,
    ARRAY: array,
    "getopts": getopts,
    "ulimit": ulimit,
    **dict.fromkeys(("umask", "alias", "unalias", "hash", "jobs", "bg", "fg"), nothing),
    **dict.fromkeys((":", "true", "false", "echo", "printf", "test", "[", "pwd", "kill"), _small),
}
