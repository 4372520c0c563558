"""Commands that run other commands: xargs, timeout, time, watch, nohup, nice.

`Jobs` is what they have in common: a list of command lines in `local`, run one after another.

Mirrors:  busybox 1.37: findutils/xargs.c, coreutils/timeout.c, miscutils/time.c, procps/watch.c
Left out: xargs -P (one after another), quotes in xargs' input, `time` of a pipeline.
"""

from collections.abc import Callable

from cluster.runtime.live.commands.call import Call, UsageError, become, duration, number
from cluster.runtime.live.kernel import SIGKILL, SIGTERM, Blocked, find_program, signal_number

MAX_RUNS = 10_000
MAX_WORDS = 2_000  # Of one command line.


def run_each(call: Call, lines: list[list[str]]) -> int:
    """Run these command lines one after another; 123 if one failed. Errors: Blocked until the last has ended."""
    todo: list[list[str]] = call.local.setdefault("todo", lines[:MAX_RUNS])
    if len(lines) > MAX_RUNS and not call.local.get("cut"):
        call.local["cut"] = True
        call.failed(f"orrery: only the first {MAX_RUNS} of {len(lines)} commands are run", 123)
    while True:
        if (child := call.local.get("child")) is not None:
            code = call.kernel.reap(call.proc["pid"], child)
            if code is None:
                raise Blocked("child", child)
            del call.local["child"]
            call.local["code"] = 123 if code else call.code
        if not todo:
            return call.code
        start(call, todo.pop(0))


def start(call: Call, argv: list[str]) -> None:
    """Begin a child; its number is in `local["child"]`. A command that is not there leaves 127 or 126."""
    found = find_program(call.kernel, argv[0], call.proc["cwd"])
    if isinstance(found, int):
        call.failed(f"can't execute '{argv[0]}': No such file or directory", found)
        return
    program, first = found
    fds = {name: fd for name, fd in call.proc["fds"].items() if name != "0"} | {"0": ["null"]}
    child = call.kernel.spawn(
        call.proc["pid"], [*first, *argv[1:]], program, dict(call.env), call.proc["cwd"], fds
    )  # fmt: skip
    call.local["child"] = child["pid"]


def xargs(call: Call) -> int:
    """xargs [-0rt] [-n count] [-I text] [-L lines] [-P jobs] [-d character] command"""
    if "todo" not in call.local:
        call.local["todo"] = _lines(call)
    return run_each(call, [])


def _lines(call: Call) -> list[list[str]]:
    options, words = {}, list(call.args)
    while words and words[0][:1] == "-" and len(words[0]) > 1:
        letter, value = words[0][1], words.pop(0)[2:]
        if letter in "nILPds":
            options[letter] = value or (words.pop(0) if words else "")
        elif letter in "0rtpx":
            options[letter] = ""
        else:
            raise UsageError(f"invalid option -- '{letter}'")
    text = call.read_all()
    command = words or ["echo"]
    if "I" in options:
        each = [line.strip() for line in text.split("\n") if line.strip()]
        return [[word.replace(options["I"], one) for word in command] for one in each]
    divider = "\0" if "0" in options else options.get("d", "").replace("\\n", "\n")
    given = [one for one in text.removesuffix("\n").split(divider) if one] if divider else text.split()
    if "L" in options:
        given, size = [line for line in text.split("\n") if line.strip()], number(options["L"], 1)
        groups = [[w for line in given[n : n + size] for w in line.split()] for n in range(0, len(given), max(size, 1))]
        return [[*command, *group] for group in groups]
    size = min(max(number(options.get("n", str(MAX_WORDS)), MAX_WORDS), 1), MAX_WORDS)
    if not given:
        return [] if "r" in options else [command]
    return [[*command, *given[n : n + size]] for n in range(0, len(given), size)]


def timeout(call: Call) -> int:
    """timeout [-s signal] [-k seconds] seconds command: 124 if it took too long, 137 if it had to be killed."""
    if "limit" not in call.local:
        signal, grace, words = _limits(call)
        call.local |= {"limit": call.now + duration(words[0]), "signal": signal, "grace": grace}
        start(call, words[1:])
    child = call.local.get("child")
    if child is None:
        return call.code
    code = call.kernel.reap(call.proc["pid"], child)
    if code is not None:
        return call.local.get("late", code)  # type: ignore[no-any-return]
    if call.now < call.local["limit"]:
        raise Blocked("deadline", child, call.local["limit"])
    signal = SIGKILL if "late" in call.local else call.local["signal"]
    call.local["late"] = 137 if signal == SIGKILL else 124
    call.kernel.kill(child, signal)
    call.local["limit"] = call.now + (call.local["grace"] or 1 << 62)
    return timeout(call)


def _limits(call: Call) -> tuple[int, int, list[str]]:
    """(signal, microseconds until SIGKILL follows, words)"""
    signal, grace, words = SIGTERM, 0, list(call.args)
    while words and words[0][:1] == "-":
        option = words.pop(0)
        value = option[2:] or (words.pop(0) if option[1:] in ("s", "k") and words else "")
        if option[1:2] == "s":
            signal = signal_number(value) or 0
            if not signal:
                raise UsageError(f"bad signal name '{value}'")
        elif option[1:2] == "k":
            grace = duration(value)
    if len(words) < 2:
        raise UsageError("missing operand")
    return signal, grace, words


def timed(call: Call) -> int:
    """time command: how long it took, on stderr."""
    if not call.args:
        raise UsageError("missing operand")
    if "began" not in call.local:
        call.local["began"] = call.now
        start(call, [word for word in call.args if word != "-p"])
    child = call.local.get("child")
    code = call.kernel.reap(call.proc["pid"], child) if child is not None else call.code
    if code is None:
        raise Blocked("child", child)
    seconds = (call.now - call.local["began"]) / 1_000_000
    call.err(f"real\t{int(seconds // 60)}m {seconds % 60:.2f}s\nuser\t0m 0.00s\nsys\t0m 0.00s\n")
    return code


def watch(call: Call) -> int:
    """watch [-n seconds] [-t] command: again and again, until somebody interrupts it."""
    options, words = call.options("td", "n")
    if not words:
        raise UsageError("missing operand")
    every = duration(options.get("n", "2"))
    while True:
        if "child" in call.local:
            child = call.local["child"]
            if call.kernel.reap(call.proc["pid"], child) is None:
                raise Blocked("child", child)
            del call.local["child"]
            call.local["until"] = call.now + max(every, 100_000)
        if call.now < call.local.get("until", 0):
            raise Blocked("time", call.local["until"])
        title = (
            ""
            if "t" in options
            else f"Every {options.get('n', '2')}s: {' '.join(words)}\t{call.date:%Y-%m-%d %H:%M:%S}\n\n"
        )
        call.out("\x1b[H\x1b[J" + title)
        start(call, ["sh", "-c", " ".join(words)])
        if "child" not in call.local:
            return call.code


def plain(call: Call) -> int:
    """nohup, nice, setsid, stdbuf: the command, without their own words."""
    words = list(call.args)
    while words and (words[0][:1] == "-" or (call.name == "nice" and words[0].lstrip("-").isdigit())):
        option = words.pop(0)
        if option in ("-n", "-o", "-e", "-i") and words:
            words.pop(0)
    if not words:
        raise UsageError("missing operand")
    return become(call, words, dict(call.env))


JOBS: dict[str, Callable[[Call], int]] = {
    "xargs": xargs, "timeout": timeout, "time": timed, "watch": watch, "nohup": plain, "nice": plain, "setsid": plain,
    "stdbuf": plain,
}  # fmt: skip
