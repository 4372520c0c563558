"""The commands of the shell: one function `(shell, arguments, input) -> lines` and a line in `APPLETS` each.

Mirrors:  busybox's applets, as far as scripts in lessons use them
Left out: whatever needs the network; those commands say so and fail.
"""

import re
from collections.abc import Callable, Iterator

from cluster.runtime.programs import arithmetic
from cluster.runtime.programs.program import SECOND, Line
from cluster.runtime.programs.shell import FILE_SIZE, FOREVER, PROCESS_TIME, Exits, RunsForever, Shell
from cluster.runtime.programs.syntax import parse

ESCAPES = {"\\n": "\n", "\\t": "\t", "\\r": "", "\\\\": "\\", "\\c": ""}
UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
Applet = Callable[[Shell, list[str], list[str]], Iterator[Line]]


def echo(shell: Shell, arguments: list[str], given: list[str]) -> Iterator[Line]:
    """Lines; `-n` is taken as a line too, since a log has nothing smaller."""
    while arguments and re.fullmatch(r"-[neE]+", arguments[0]):
        escapes, arguments = "e" in arguments[0], arguments[1:]
        if escapes:
            arguments = [_unescaped(text) for text in arguments]
    for text in " ".join(arguments).split("\n"):
        yield shell.say(text)


def _unescaped(text: str) -> str:
    return re.sub(r"\\.", lambda match: ESCAPES.get(match[0], match[0]), text)


def printf(shell: Shell, arguments: list[str], given: list[str]) -> Iterator[Line]:
    if not arguments:
        return
    values = iter(arguments[1:])
    text = re.sub(r"%[-0-9.]*[sdi]", lambda _: next(values, ""), _unescaped(arguments[0])).replace("%%", "%")
    for line in text.removesuffix("\n").split("\n"):
        yield shell.say(line)


def sleep(shell: Shell, arguments: list[str], given: list[str]) -> Iterator[Line]:
    total = 0
    for text in arguments or [""]:
        if text in ("infinity", "inf"):
            total = FOREVER
            continue
        match = re.fullmatch(r"(\d+(?:\.\d+)?|\.\d+)([smhd]?)", text)
        if match is None:
            shell.status = 1
            yield shell.say(f"sleep: invalid number '{text}'", "stderr")
            return
        total += int(min(float(match[1]) * UNITS[match[2]] * SECOND, FOREVER))
    shell.pass_time(PROCESS_TIME + total)


def date(shell: Shell, arguments: list[str], given: list[str]) -> Iterator[Line]:
    shell.pass_time(PROCESS_TIME)
    shell.volatile += bool(shell.capturing and not shell.printing)
    pattern = next((text[1:] for text in arguments if text.startswith("+")), "%a %b %e %H:%M:%S UTC %Y")
    moment = shell.process.date(shell.now)
    values = {
        "s": str(int(moment.timestamp())),
        "e": f"{moment.day:2d}",
        "N": f"{moment.microsecond:06d}000",
        "Z": "UTC",
    }
    values |= {
        "T": f"{moment:%H:%M:%S}",
        "F": f"{moment:%Y-%m-%d}",
        "R": f"{moment:%H:%M}",
        "n": "\n",
        "%": "%",
    }
    yield shell.say(re.sub(r"%(.)", lambda m: values.get(m[1]) or _strftime(moment, m[1]), pattern))


def _strftime(moment: object, letter: str) -> str:
    return format(moment, f"%{letter}") if letter in "aAbBdHIjmMpSuUwWyY" else f"%{letter}"


def test(shell: Shell, arguments: list[str], given: list[str]) -> Iterator[Line]:
    yield from ()
    shell.status = int(not _holds(shell, arguments[:-1] if arguments[-1:] == ["]"] else arguments))


def _holds(shell: Shell, words: list[str]) -> bool:
    """-z -n -f -e -d ! = != -eq -ne -lt -le -gt -ge, and -a -o between them."""
    for joint, combine in (("-o", any), ("-a", all)):
        if joint in words[1:-1]:
            return combine([_holds(shell, part) for part in _split(words, joint)])
    negations = next((n for n, word in enumerate(words) if word != "!"), len(words))
    return _is_so(shell, words[negations:]) != (negations % 2 == 1)


def _split(words: list[str], joint: str) -> list[list[str]]:
    """The words between the joints; one at either end is no joint."""
    parts: list[list[str]] = [[]]
    for place, word in enumerate(words):
        if word == joint and 0 < place < len(words) - 1:
            parts.append([])
        else:
            parts[-1].append(word)
    return parts


def _is_so(shell: Shell, words: list[str]) -> bool:
    """One condition, without `!`, -a and -o."""
    if len(words) == 2:
        operator, text = words
        if operator in ("-z", "-n"):
            return bool(text) == (operator == "-n")
        shell.looked_at.add(text)
        return text in shell.files or text in ("/", "/tmp", "/etc")
    if len(words) == 3:
        left, operator, right = words
        if operator in ("=", "==", "!="):
            return (left == right) != (operator == "!=")
        compare = arithmetic.COMPARISONS.get(operator)
        return compare is not None and compare(arithmetic.whole(left) or 0, arithmetic.whole(right) or 0)
    return len(words) == 1 and bool(words[0])


def cat(shell: Shell, arguments: list[str], given: list[str]) -> Iterator[Line]:
    shell.pass_time(PROCESS_TIME)
    if not arguments:
        yield from map(shell.say, given)
    for name in arguments:
        content = file_content(shell, name)
        if content is None:
            shell.status = 1
            yield shell.say(f"cat: can't open '{name}': No such file or directory", "stderr")
        else:
            yield from map(shell.say, content.splitlines())


def file_content(shell: Shell, name: str) -> str | None:
    """What the script wrote, or what every container has."""
    known = {"/etc/hostname": shell.process.hostname + "\n", "/dev/null": ""}
    return shell.read(name) or (known.get(name) if name not in shell.files else "")


def tail(shell: Shell, arguments: list[str], given: list[str]) -> Iterator[Line]:
    if "-f" in arguments or "-F" in arguments:
        shell.pass_time(FOREVER)
    yield from _ends(shell, arguments, given, last=True)


def head(shell: Shell, arguments: list[str], given: list[str]) -> Iterator[Line]:
    yield from _ends(shell, arguments, given, last=False)


def _ends(shell: Shell, arguments: list[str], given: list[str], last: bool) -> Iterator[Line]:
    shell.pass_time(PROCESS_TIME)
    counts = [arithmetic.whole(text.lstrip("-n")) for text in arguments]
    numbers = [count for count in counts if count is not None]
    names = [text for text in arguments if not text.startswith("-") and arithmetic.whole(text) is None]
    lines = (file_content(shell, names[0]) or "").splitlines() if names else given
    count = numbers[0] if numbers else 10
    yield from map(shell.say, lines[-count:] if last else lines[:count])


def grep(shell: Shell, arguments: list[str], given: list[str]) -> Iterator[Line]:
    shell.pass_time(PROCESS_TIME)
    options = "".join(text[1:] for text in arguments if text.startswith("-"))
    words = [text for text in arguments if not text.startswith("-")]
    lines = (file_content(shell, words[1]) or "").splitlines() if len(words) > 1 else given
    pattern = words[0] if words else ""
    folded = pattern.lower() if "i" in options else pattern
    found = [line for line in lines if (folded in (line.lower() if "i" in options else line)) != ("v" in options)]
    shell.status = int(not found)
    yield from ([] if "q" in options else [shell.say(str(len(found)))] if "c" in options else map(shell.say, found))


def wc(shell: Shell, arguments: list[str], given: list[str]) -> Iterator[Line]:
    shell.pass_time(PROCESS_TIME)
    text = "".join(f"{line}\n" for line in given)
    counts = {"-l": text.count("\n"), "-w": len(text.split()), "-c": len(text.encode())}
    yield shell.say(" ".join(str(count) for option, count in counts.items() if not arguments or option in arguments))


def tee(shell: Shell, arguments: list[str], given: list[str]) -> Iterator[Line]:
    shell.pass_time(PROCESS_TIME)
    for name in arguments:
        if not name.startswith("-"):
            shell.files[name] = "".join(f"{line}\n" for line in given)[-FILE_SIZE:]
    yield from map(shell.say, given)


def seq(shell: Shell, arguments: list[str], given: list[str]) -> Iterator[Line]:
    shell.pass_time(PROCESS_TIME)
    given_ = [arithmetic.whole(text) for text in arguments]
    numbers = [number for number in given_ if number is not None] or [0]
    first, step, last = {1: (1, 1, numbers[0])}.get(len(numbers)) or (
        numbers[0],
        1 if len(numbers) == 2 else numbers[1],
        numbers[-1],
    )
    for number in range(first, last + (1 if step > 0 else -1), step or 1)[:10_000]:
        yield shell.say(str(number))


def environment(shell: Shell, arguments: list[str], given: list[str]) -> Iterator[Line]:
    shell.pass_time(PROCESS_TIME)
    for name in sorted(shell.variables):
        if not arguments:
            yield shell.say(f"{name}={shell.variables[name]}")
        elif name in arguments:
            yield shell.say(shell.variables[name])


def assign(shell: Shell, arguments: list[str], given: list[str]) -> Iterator[Line]:
    """export, local, readonly: `a=1`."""
    yield from ()
    for text in arguments:
        name, equals, value = text.partition("=")
        if equals:
            shell.variables[name] = value


def let(shell: Shell, arguments: list[str], given: list[str]) -> Iterator[Line]:
    yield from ()
    for text in arguments:
        shell.status = int(shell.sum_of(text) == 0)


def expr(shell: Shell, arguments: list[str], given: list[str]) -> Iterator[Line]:
    shell.pass_time(PROCESS_TIME)
    result = shell.sum_of(" ".join(arguments))
    shell.status = int(result == 0)
    yield shell.say(str(result))


def trap(shell: Shell, arguments: list[str], given: list[str]) -> Iterator[Line]:
    yield from ()
    if len(arguments) > 1 and {text.removeprefix("SIG") for text in arguments[1:]} & {"TERM", "15"}:
        shell.trap = arguments[0]


def wait(shell: Shell, arguments: list[str], given: list[str]) -> Iterator[Line]:
    """Until the jobs have ended; a trapped signal interrupts it at once."""
    yield from ()
    end = max(shell.jobs, shell.now)
    stopped = shell.process.stopped
    if shell.trap is not None and stopped is not None and not shell.trapped:
        end = min(end, max(stopped, shell.now))
    shell.pass_time(end - shell.now)


def set_options(shell: Shell, arguments: list[str], given: list[str]) -> Iterator[Line]:
    yield from ()
    for text in arguments:
        if re.fullmatch(r"[-+][a-z]*e[a-z]*", text):
            shell.strict = text[0] == "-"


def nested(shell: Shell, arguments: list[str], given: list[str]) -> Iterator[Line]:
    """`sh -c script` inside a script."""
    from_option = arguments.index("-c") + 1 if "-c" in arguments else None
    if from_option is None or from_option >= len(arguments):
        return
    try:
        yield from shell.run(parse(arguments[from_option]))
    except Exits as end:
        shell.status = end.code


def hostname(shell: Shell, arguments: list[str], given: list[str]) -> Iterator[Line]:
    shell.pass_time(PROCESS_TIME)
    yield shell.say(shell.process.hostname)


def uptime(shell: Shell, arguments: list[str], given: list[str]) -> Iterator[Line]:
    shell.pass_time(PROCESS_TIME)
    yield shell.say(f"up {(shell.now - shell.process.started) // SECOND} seconds")


def touch(shell: Shell, arguments: list[str], given: list[str]) -> Iterator[Line]:
    yield from ()
    shell.pass_time(PROCESS_TIME)
    for name in arguments:
        if not name.startswith("-"):
            shell.files.setdefault(name, "")


def remove(shell: Shell, arguments: list[str], given: list[str]) -> Iterator[Line]:
    shell.pass_time(PROCESS_TIME)
    for name in arguments:
        shell.looked_at.add(name)
        if (
            not name.startswith("-")
            and shell.files.pop(name, None) is None
            and "-f" not in arguments
            and "-rf" not in arguments
        ):
            shell.status = 1
            yield shell.say(f"rm: can't remove '{name}': No such file or directory", "stderr")


def succeed(shell: Shell, arguments: list[str], given: list[str]) -> Iterator[Line]:
    yield from ()


def fail(shell: Shell, arguments: list[str], given: list[str]) -> Iterator[Line]:
    yield from ()
    shell.status = 1


def serve(shell: Shell, arguments: list[str], given: list[str]) -> Iterator[Line]:
    """httpd, nc -l, top: programs that stay."""
    yield from ()
    raise RunsForever


def network(shell: Shell, arguments: list[str], given: list[str]) -> Iterator[Line]:
    shell.pass_time(PROCESS_TIME)
    shell.status = 1
    yield shell.say("orrery: containers can't use the network yet", "stderr")


APPLETS: dict[str, Applet] = {
    "echo": echo,
    "printf": printf,
    "sleep": sleep,
    "date": date,
    "test": test,
    "[": test,
    "cat": cat,
    "tail": tail,
    "head": head,
    "grep": grep,
    "wc": wc,
    "tee": tee,
    "seq": seq,
    "env": environment,
    "printenv": environment,
    "export": assign,
    "local": assign,
    "readonly": assign,
    "let": let,
    "expr": expr,
    "trap": trap,
    "wait": wait,
    "set": set_options,
    "sh": nested,
    "ash": nested,
    "bash": nested,
    "hostname": hostname,
    "uptime": uptime,
    "touch": touch,
    "mkdir": touch,
    "rm": remove,
    "true": succeed,
    ":": succeed,
    "cd": succeed,
    "chmod": succeed,
    "sync": succeed,
    "unset": succeed,
    "false": fail,
    "httpd": serve,
    "top": serve,
    "wget": network,
    "curl": network,
    "nslookup": network,
    "ping": network,
    "nc": network,
}
