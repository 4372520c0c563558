"""node and perl, as far as tutorials type them on a command line.

    node -v                                                       v22.x.y, by the image's tag
    node -e 'console.log("a", 1 + 2)'                             texts, numbers and sums of numbers; process.env.A
    node -e 'setInterval(() => console.log("tick"), 1000)'        a line every second, for ever
    node -e 'require("http").createServer((q, r) => r.end("hi")).listen(8080)'        a server that says hi
    perl -Mbignum=bpi -wle 'print bpi(2000)'                      digits of pi (the Job tutorial)
    perl -e 'print "hi\\n"'

Other code, and scripts in files, are run by live/commands/node.py. Other Perl, and other servers, are not run: the
program says that they are not modelled and ends with code 1.

Mirrors:  Node.js 22, Perl 5.40
Left out: servers and Perl but for these forms.
"""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

from cluster.runtime.programs import arithmetic
from cluster.runtime.programs.program import MIB, MILLISECOND, Exit, Line, Program, Response, ended

VERSION = "22.19.0"
LOG = re.compile(r"console\.(log|error)\(((?:[^()'\"`]|'[^']*'|\"[^\"]*\"|`[^`]*`)*)\)\s*;?\s*")
TICK = re.compile(
    r"setInterval\(\s*\(\)\s*=>\s*\{?\s*(console\.log\([^;]{0,200}?\));?\s*\}?\s*,\s*(\d{1,9})\s*\)\s*;?\s*"
)
ENDS = re.compile(r"\.end\(\s*(?:'([^']*)'|\"([^\"]*)\"|`([^`]*)`)\s*\)")
LISTENS = re.compile(r"\.listen\(\s*(\d{1,5})\b")
MAX_DIGITS = 10_000
MAX_CODE = 2_000  # Characters that are looked through.


def arguments(text: str) -> list[str]:
    """The words between commas that are not in quotes."""
    return [one.strip() for one in re.findall(r"(?:[^,'\"`]|'[^']*'|\"[^\"]*\"|`[^`]*`)+", text)]


class Node(Program):
    cpu, memory = 1, 38 * MIB

    @property
    def _code(self) -> str | None:
        """What stands behind -e or -p."""
        words = self.process.argv[1:]
        at = next((n for n, word in enumerate(words) if word in ("-e", "--eval", "-p", "--print")), None)
        if at is None or at + 1 >= len(words):
            return None
        code = words[at + 1][:MAX_CODE]
        return f"console.log({code})" if words[at] in ("-p", "--print") else code

    @property
    def _server(self) -> tuple[str, int] | None:
        """(what it says, its port)"""
        code = (self._code or "").partition("createServer(")[2]
        said, listens = ENDS.search(code), LISTENS.search(code)
        if said is None or listens is None or not 0 < int(listens[1]) < 65536:
            return None
        return next(text for text in said.groups() if text is not None).replace("\\n", "\n"), int(listens[1])

    def ports(self) -> tuple[int, ...]:
        return (self._server[1],) if self._server else ()

    def respond(self, at: int, method: str, target: str) -> Response | None:
        return Response(200, self._server[0]) if self._server else None

    def after_sigterm(self, at: int) -> Exit | None:
        return None  # The kernel gives process 1 no default handlers.

    def exit(self) -> Exit | None:
        if (killed := super().exit()) is not None:
            return killed
        if self._server or self._tick():
            return None
        wrong = any(line.stream == "stderr" and line.text.startswith(("orrery", "Error")) for line in self.at_start())
        return ended(self.process.started + 60 * MILLISECOND, int(wrong))

    def _tick(self) -> tuple[str, int] | None:
        """(what setInterval prints, microseconds)"""
        match = TICK.search(self._code or "")
        return (match[1], max(int(match[2]), 1) * MILLISECOND) if match else None

    def lines(self, start: int, end: int) -> Iterator[Line]:
        yield from super().lines(start, end)
        tick = self._tick()
        if tick is None:
            return
        code, every = tick
        began = self.process.started + 40 * MILLISECOND
        for turn in range(max((start - began) // every, 1), max((end - began) // every, 0) + 1):
            at = began + turn * every
            if start <= at < end:
                yield from (line._replace(at=at) for line in self._logged(code))

    def at_start(self) -> list[Line]:
        if {"-v", "--version"} & set(self.process.argv):
            return [self.printed(30 * MILLISECOND, f"v{version_of(self.process.image)}")]
        code = self._code
        if code is None:
            files = [word for word in self.process.argv[1:] if not word.startswith("-")]
            wrong = f"Error: Cannot find module '/{files[0]}'" if files else ""
            return [self.printed(40 * MILLISECOND, wrong, "stderr")] if wrong else []
        rest = TICK.sub("", code)
        if self._server:
            rest = ""
        said = self._logged(rest)
        if LOG.sub("", rest).strip():
            text = "orrery: of JavaScript, console.log, setInterval and an HTTP server of one text are modelled"
            said = [self.printed(40 * MILLISECOND, text, "stderr")]
        return said

    def _logged(self, code: str) -> list[Line]:
        streams = {"log": "stdout", "error": "stderr"}
        return [
            self.printed(40 * MILLISECOND, text, streams[match[1]])
            for match in LOG.finditer(code)
            for text in " ".join(self._value(word) for word in arguments(match[2])).split("\n")
        ]

    def _value(self, word: str) -> str:
        if word[:1] in "'\"`":
            return re.sub(r"\$\{([^}]*)\}", lambda m: self._value(m[1].strip()), word[1:-1]).replace("\\n", "\n")
        environment = re.fullmatch(r"process\.env\.(\w+)", word)
        if environment:
            return self.process.env.get(environment[1], "undefined")
        if re.fullmatch(r"(require\(.os.\)|os)\.hostname\(\)", word):
            return self.process.hostname
        try:
            return str(arithmetic.evaluate(word, {}))
        except arithmetic.BadSum:
            return word


def version_of(image: str) -> str:
    """By its image's tag."""
    tag = re.search(r":(\d+(?:\.\d+){0,2})", image)
    if tag is None or VERSION.startswith(f"{tag[1]}."):
        return VERSION
    return ".".join([*tag[1].split("."), "0", "0"][:3])


def needs_shell(argv: Sequence[str]) -> bool:
    """Is its script in a file, or more than is modelled here? Then live/commands/node.py runs it."""
    words = list(argv[1:])
    if not words or {"-v", "--version"} & set(words):
        return False
    at = next((n for n, word in enumerate(words) if word in ("-e", "--eval", "-p", "--print")), None)
    if at is None:
        return not words[0].startswith("-")
    code = words[at + 1] if at + 1 < len(words) else ""
    return "createServer" not in code and bool(LOG.sub("", TICK.sub("", code[:MAX_CODE])).strip() or "p" in words[at])


class Perl(Program):
    cpu, memory = 600, 6 * MIB

    def _said(self) -> tuple[str, int]:
        """(what it prints, how many microseconds that takes); "": nothing that is modelled."""
        code = next((word for word in self.process.argv[1:] if not word.startswith("-")), "")
        pi = re.search(r"print\s+bpi\((\d{1,6})\)", code)
        if pi:
            digits = min(int(pi[1]), MAX_DIGITS)
            return pi_digits(digits), digits * digits + 20 * MILLISECOND
        text = re.fullmatch(r"\s*print\s+([\"'])(.*)\1\s*;?\s*", code, re.DOTALL)
        return (text[2].replace("\\n", "\n").rstrip("\n"), 5 * MILLISECOND) if text else ("", 0)

    def at_start(self) -> list[Line]:
        said, took = self._said()
        if not said:
            wrong = "orrery: of Perl, print of a text and of bpi(digits) is modelled"
            return [self.printed(5 * MILLISECOND, wrong, "stderr")]
        return [self.printed(took, text) for text in said.split("\n")]

    def exit(self) -> Exit | None:
        said, took = self._said()
        return super().exit() or ended(self.process.started + took + 10 * MILLISECOND, int(not said))


@lru_cache(maxsize=64)
def pi_digits(count: int) -> str:
    """Pi with so many digits, by Machin's formula in whole numbers.

    >>> pi_digits(10)
    '3.141592654'
    """
    one = 10 ** (count + 10)

    def arctan(divisor: int) -> int:
        term = total = one // divisor
        step = 1
        while term:
            term //= -(divisor * divisor)
            step += 2
            total += term // step
        return total

    value = (4 * (4 * arctan(5) - arctan(239)) + 5 * 10**10) // 10**11
    digits = str(value)
    return f"{digits[0]}.{digits[1:]}" if count > 1 else digits[0]
