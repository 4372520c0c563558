"""All programs of a container by name: the shell, and every command as a process of its own."""

from collections.abc import Callable

from cluster.runtime.live.commands import COMMANDS
from cluster.runtime.live.commands.call import Call
from cluster.runtime.live.files import FileError
from cluster.runtime.live.kernel import Kernel, Proc, Program
from cluster.runtime.live.shell import sh
from cluster.runtime.live.words import BadValue


def _process(command: Callable[[Call], int]) -> Program:
    def program(kernel: Kernel, proc: Proc) -> int:
        call = Call(kernel, proc, proc["argv"])
        try:
            return call.run(command)
        except (FileError, BadValue) as error:
            return call.failed(str(error))

    return program


PROGRAMS: dict[str, Program] = {"sh": sh, **{name: _process(command) for name, command in COMMANDS.items()}}
