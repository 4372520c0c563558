"""What a command sees: its words, its input and output, the files, the clock.

A command is a function `(Call) -> exit code`. When it needs input that is not there yet, `read` raises Blocked and the
command is called again later *from its beginning*; so it must find in `local` what it has done already. Filters that
read piece by piece have nothing to remember; whoever needs everything asks `read_all`, which gathers it.
"""

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

from cluster.runtime.live.files import MAX_BYTES, FileError, Files, join, normal
from cluster.runtime.live.kernel import DEVICES, Blocked, Kernel, Proc, find_program

SENT = 64 * 1024  # Characters that are kept before they are written.
UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


class UsageError(Exception):
    """Wrong options; `str()` is printed after the command's name. Exit code 1."""


class Call:
    """One call of a command."""

    def __init__(self, kernel: Kernel, proc: Proc, argv: list[str], local: dict[str, Any] | None = None) -> None:
        self.kernel, self.proc, self.argv = kernel, proc, argv
        self.local: dict[str, Any] = proc["local"] if local is None else local
        self.name, self.args = argv[0].rpartition("/")[2], argv[1:]
        self.given: dict[str, list[str]] = {}  # All values of each option, see `options`.
        self._unsent, self._size = list[str](), 0

    @property
    def files(self) -> Files:
        return self.kernel.files

    @property
    def now(self) -> int:
        """Microseconds since t = 0."""
        return self.kernel.now

    @property
    def date(self) -> datetime:
        return self.date_of(self.now)

    def date_of(self, at: int) -> datetime:
        """Simulated calendar time."""
        return self.kernel.container.process.date(at)

    @property
    def env(self) -> dict[str, str]:
        return self.proc["env"]  # type: ignore[no-any-return]

    def path(self, name: str) -> str:
        """An absolute path."""
        return normal(join(self.proc["cwd"], name))

    # --- input ----------------------------------------------------------------------------------------------

    def read(self) -> str:
        """Some input; "" at the end. Errors: Blocked."""
        return self.kernel.read(self.proc, 0)

    def read_line(self) -> str:
        return self.kernel.read_line(self.proc, 0)

    def from_device(self, names: list[str]) -> list[str]:
        """/dev/urandom and its kin are read as input is: piece by piece."""
        if len(names) != 1 or self.path(names[0]) not in DEVICES:
            return names
        if self.proc["fds"].get("0", [""])[0] != "file":
            self.proc["fds"] = {**self.proc["fds"], "0": self.kernel.open(self.path(names[0]))}
        return []

    def read_lines(self, most: int = 1 << 30) -> list[str]:
        """All whole lines that are there, at least one, with their ends; the rest at the end. Errors: Blocked."""
        data, over = self.kernel.peek(self.proc, 0)
        if not over and "\n" not in data:
            raise Blocked("line", 0)
        at = 0
        for _ in range(most):
            end = data.find("\n", at) + 1
            if not end:
                at = len(data) if over else at
                break
            at = end
        self.kernel.consume(self.proc, 0, at)
        return self.whole_lines(data[:at])

    def read_all(self) -> str:
        """All input. Errors: Blocked until it has ended; FileError if it is larger than a disk."""
        pieces: list[str] = self.local.setdefault("input", [])
        while data := self.kernel.read(self.proc, 0):
            pieces.append(data)
            self.local["size"] = self.local.get("size", 0) + len(data)
            if self.local["size"] > MAX_BYTES * 2:
                raise FileError("out of memory")
        return "".join(pieces)

    def texts(self, names: list[str]) -> "list[tuple[str, str]]":
        """(name, content) of each file; of the input if there are no names or one is `-`. Complains of missing ones."""
        found = []
        for name in names or ["-"]:
            if name == "-":
                found.append(("-", self.read_all()))
                continue
            try:
                found.append((name, self.files.read(self.path(name))))
            except FileError as error:
                self.failed(f"{name}: {error}")
        return found

    def lines(self, text: str) -> list[str]:
        """Lines without their ends; only a line feed ends a line. Errors: FileError if they are too many."""
        lines = text.split("\n")
        self.kernel.look_at(len(lines))
        return lines[:-1] if lines[-1] == "" else lines

    def whole_lines(self, text: str) -> list[str]:
        """Lines with their ends. (`str.splitlines` would also split at bytes that end no line.)"""
        lines = [line + "\n" for line in self.lines(text)]
        return lines if text.endswith("\n") or not lines else [*lines[:-1], lines[-1][:-1]]

    # --- output ---------------------------------------------------------------------------------------------

    def out(self, text: str) -> None:
        """Write, when enough has come together, or the command waits or ends. Errors: FileError, Ended."""
        self.kernel.look_at(1)
        self._unsent.append(text)
        self._size += len(text)
        if self._size > SENT:
            self.flush()

    def err(self, text: str) -> None:
        self.flush()
        self.kernel.write(self.proc, 2, text)

    def flush(self) -> None:
        text = "".join(self._unsent)
        self._unsent, self._size = [], 0
        if text:
            self.kernel.write(self.proc, 1, text)

    def run(self, command: "Callable[[Call], int]") -> int:
        """Its exit code. Errors: Blocked, Ended, FileError."""
        try:
            return command(self)
        except UsageError as error:
            return self.failed(str(error))
        finally:
            self.flush()

    def failed(self, message: str, code: int = 1) -> int:
        """Complain, and remember that not all went well."""
        self.err(f"{self.name}: {message}\n")
        self.local["code"] = code
        return code

    @property
    def code(self) -> int:
        """1 if something failed."""
        return int(self.local.get("code", 0))

    # --- waiting --------------------------------------------------------------------------------------------

    def sleep(self, microseconds: int) -> None:
        """Wait once. Errors: Blocked."""
        until = self.local.setdefault("until", self.now + microseconds)
        if self.now < until:
            raise Blocked("time", until)

    # --- options --------------------------------------------------------------------------------------------

    def options(self, flags: str, valued: str = "", longs: tuple[str, ...] = ()) -> tuple[dict[str, str], list[str]]:
        """(options, other words). `valued`: letters that take a value; `longs`: names accepted after `--`.

        Of an option that comes several times, the last value counts; all of them are in `given`.

        Errors: UsageError.
        """
        found: dict[str, str] = {}
        words: list[str] = []
        args = list(self.args)
        while args:
            word = args.pop(0)
            if word == "--":
                return found, words + args
            if word.startswith("--"):
                name, _, value = word[2:].partition("=")
                if name not in longs:
                    raise UsageError(f"unrecognized option: {name}")
                found[name] = value
                self.given.setdefault(name, []).append(value)
            elif word[:1] == "-" and len(word) > 1:
                letters = word[1:]
                while letters:
                    letter, letters = letters[0], letters[1:]
                    if letter in valued:
                        if not letters and not args:
                            raise UsageError(f"option requires an argument -- {letter}")
                        found[letter] = letters or args.pop(0)
                        self.given.setdefault(letter, []).append(found[letter])
                        break
                    if letter not in flags:
                        raise UsageError(f"invalid option -- '{letter}'")
                    found[letter] = ""
            else:
                words.append(word)
        return found, words


def become(call: Call, words: list[str], variables: dict[str, str]) -> int:
    """This process goes on as another program."""
    found = find_program(call.kernel, words[0], call.proc["cwd"])
    if isinstance(found, int):
        return call.failed(f"can't execute '{words[0]}': No such file or directory", found)
    program, start = found
    call.proc["argv"], call.proc["program"], call.proc["env"] = [*start, *words[1:]], program, variables
    call.local.clear()
    raise Blocked()


def duration(text: str) -> int:
    """Microseconds of `5`, `0.5`, `2m`. Errors: UsageError."""
    match = re.fullmatch(r"(\d{1,9}(?:\.\d{0,6})?|\.\d{1,6})([smhd]?)", text)
    if match is None:
        raise UsageError(f"invalid number '{text}'")
    return int(float(match[1]) * UNITS[match[2]] * 1_000_000)


def number(text: str, default: int = 0) -> int:
    """A whole number of at most nine digits; nonsense counts as the default."""
    digits = text.lstrip("-+")
    return int(text) if digits.isdigit() and len(digits) < 10 and text.count("-") < 2 else default
