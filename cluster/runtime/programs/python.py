"""python: a script from the command line, or the web server of its library.

    python -c 'print("hi")'            what python_code.py makes of it
    python -m http.server 8000         lists directories and serves files (live/answers.py)
    python --version                   the version that the image's tag says
    python                             without a terminal there is nothing to read: it ends

A script from a file is run by live/commands/python.py: it needs the container's files.

Mirrors:  CPython 3.13
Read next: python_code.py.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress

from cluster.runtime.programs.program import MIB, MILLISECOND, Exit, Line, Program, Usage, ended
from cluster.runtime.programs.python_code import Script
from cluster.runtime.programs.python_values import VERSION
from cluster.runtime.programs.shell import Horizon, RunsForever

PORT = 8000


class Arguments:
    """`options`: letters in front; `code`: of -c; `module`: of -m; `rest`: sys.argv."""

    def __init__(self, argv: tuple[str, ...]) -> None:
        self.options, self.code, self.module, self.rest = "", None, None, list[str]()  # type: ignore[var-annotated]
        words = list(argv[1:])
        while words and words[0][:1] == "-" and len(words[0]) > 1:
            word = words.pop(0)
            if word in ("--version", "--help"):
                self.options += {"--version": "V", "--help": "h"}[word]
                continue
            letter = next((one for one in word[1:] if one in "cm"), "")
            self.options += word[1:].partition(letter)[0] if letter else word[1:]
            if letter:
                value = word.partition(letter)[2] or (words.pop(0) if words else "")
                self.code, self.module = (value, None) if letter == "c" else (None, value)
                self.rest = [f"-{letter}", *words]
                return
        self.rest = words


def version_of(image: str) -> str:
    """
    >>> version_of("python:3.12-slim"), version_of("python")
    ('3.12.0', '3.13.7')
    """
    tag = re.search(r":(\d+(?:\.\d+){0,2})", image)
    if tag is None:
        return VERSION
    parts = tag[1].split(".")
    return VERSION if VERSION.startswith(f"{tag[1]}.") else ".".join([*parts, "0", "0"][:3])


def needs_files(argv: Sequence[str]) -> bool:
    """Is it a script in a file?"""
    arguments = Arguments(tuple(argv))
    scripted = arguments.code is None and arguments.module is None and not set("Vh") & set(arguments.options)
    return scripted and bool(arguments.rest)


class Python(Program):
    cpu, memory = 1, 9 * MIB

    @property
    def _arguments(self) -> Arguments:
        return Arguments(self.process.argv)

    def _serves(self) -> bool:
        return self._arguments.module == "http.server"

    def ports(self) -> tuple[int, ...]:
        if not self._serves():
            return ()
        digits = [word for word in self._arguments.rest if word.isdecimal() and len(word) < 6]
        return (int(digits[0]) if digits and 0 < int(digits[0]) < 65536 else PORT,)

    def root(self) -> str:
        """The directory that it serves."""
        rest = self._arguments.rest
        at = next((n for n, word in enumerate(rest[:-1]) if word in ("-d", "--directory")), None)
        return "/" if at is None else rest[at + 1]

    def exit(self) -> Exit | None:
        if (killed := super().exit()) is not None:
            return killed
        if self._serves():
            return None
        script = self._script(seek=1 << 62, until=None)
        if script is None:
            return ended(self.process.started + 30 * MILLISECOND, int(bool(self._said()[1])))
        try:
            code = script.run()
        except (Horizon, RunsForever):
            return None
        return ended(script.now, code)

    def after_sigterm(self, at: int) -> Exit | None:
        return None  # The kernel gives process 1 no default handlers.

    def lines(self, start: int, end: int) -> Iterator[Line]:
        script = self._script(seek=start, until=end)
        if script is None:
            yield from super().lines(start, end)
            return
        with suppress(Horizon, RunsForever):
            script.run()
        yield from (line for line in script.lines if start <= line.at < end)

    def at_start(self) -> list[Line]:
        if self._serves():  # Its greeting stays in the buffer, unless it is told not to buffer.
            said = f"Serving HTTP on 0.0.0.0 port {self.ports()[0]} (http://0.0.0.0:{self.ports()[0]}/) ..."
            unbuffered = "u" in self._arguments.options or self.process.env.get("PYTHONUNBUFFERED")
            return [self.printed(60 * MILLISECOND, said)] if unbuffered else []
        text, wrong = self._said()
        return [self.printed(20 * MILLISECOND, wrong or text, "stderr" if wrong else "stdout")] if wrong or text else []

    def _said(self) -> tuple[str, str]:
        """(what it prints, what it complains of) when there is no script."""
        arguments = self._arguments
        if "V" in arguments.options:
            return f"Python {version_of(self.process.image)}", ""
        if arguments.module is not None:
            return "", f"/usr/local/bin/python: No module named {arguments.module}"
        if arguments.rest:
            return "", f"python: can't open file '/{arguments.rest[0]}': [Errno 2] No such file or directory"
        return "", ""

    def _script(self, seek: int, until: int | None) -> Script | None:
        arguments = self._arguments
        if arguments.code is None or "V" in arguments.options:
            return None
        unbuffered = "u" in arguments.options
        return Script(arguments.code, "<string>", self.process, arguments.rest, seek, until, unbuffered=unbuffered)

    def usage(self, at: int, requests_per_second: float = 0.0) -> Usage:
        code = self._arguments.code or ""
        usual = super().usage(at, requests_per_second)
        return Usage(980, usual.memory_bytes) if "while" in code and "sleep" not in code else usual
