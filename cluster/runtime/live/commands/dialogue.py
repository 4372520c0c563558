"""Clients that talk: read a line or a file, send it, print what came, ask for more.

A command that has to wait is called again from its beginning, so all that a client knows is in `call.local`.
"""

from typing import Any

from cluster.runtime.live.commands.call import Call
from cluster.runtime.live.commands.connection import SYN_TIME, Reached, connect, remembered, waited_for
from cluster.runtime.live.files import WORK
from cluster.runtime.live.kernel import SLICE, Blocked

COST = 25  # Steps of the kernel for one exchange …
SERVED = 20  # … and one more for so much of what the server had to do: it computes while its client waits.


def exchange(call: Call, host: str, port: int, data: str, patience: float = SYN_TIME) -> Reached:
    """One connection; what came of it is forgotten when it was looked at.

    Errors: Blocked while nobody answers, and when this instant has seen enough of them: then it goes on a little later.
    """
    if call.kernel.steps > SLICE:
        raise Blocked("time", call.now)
    reached = remembered(call) or connect(call, host, port, data)
    waited_for(call, reached, patience)
    for name in ("reached", "until"):
        call.local.pop(name, None)
    call.kernel.steps += COST + (len(data) + len(reached.answer)) // WORK
    return reached


def charge(call: Call, answer: dict[str, Any]) -> None:
    """What a server did for this client takes time from the client's instant."""
    work = answer.get("work")
    call.kernel.steps += work // SERVED if isinstance(work, int) else 0


def on_terminal(call: Call, fd: int = 0) -> bool:
    return bool(call.proc["fds"].get(str(fd), [""])[0] == "tty")


def line(call: Call, prompt: str) -> str | None:
    """What is typed after a prompt; None: ^C was. "" at the end. Errors: Blocked."""
    local: dict[str, Any] = call.local
    local["interactive"] = True
    if local.pop("interrupted", False):
        local["prompted"] = False
        return None
    if not local.get("prompted"):
        call.out(prompt)
        local["prompted"] = True
    typed = call.read_line()
    local["prompted"] = False
    return typed


def password(call: Call, prompt: str) -> str:
    """A password, which nobody sees being typed. Errors: Blocked."""
    tty = call.kernel.state["tty"] if on_terminal(call) else None
    if not call.local.get("asked"):
        (call.out if tty is not None else call.err)(prompt)
        call.local["asked"] = True
        if tty is not None:
            tty["silent"] = True
    typed = call.read_line()
    call.local["asked"] = False
    if tty is not None:
        tty["silent"] = False
    return typed.rstrip("\n")


def session_of(call: Call) -> str:
    """A name for this connection, by which a server knows an open transaction."""
    container = call.kernel.container
    where = container.addresses[0] if container.addresses else container.process.hostname
    return f"{where}/{container.process.hostname}/{call.proc['pid']}/{call.proc['began']}"
