"""Connections that commands make: look a name up, reach its port, and wait as long as a program waits.

A command that has to wait is called again from its beginning later: what came of its connection is remembered.

Read next: resolver.py; cluster/network.py for the way of a packet.
"""

import re
from typing import NamedTuple

from cluster.runtime.live.commands import resolver
from cluster.runtime.live.commands.call import Call

SECOND = 1_000_000
OWN = ("localhost", "127.0.0.1", "::1", "0.0.0.0")
REFUSED, SILENT, UNREACHABLE, CONNECTED = "refused", "no answer", "no route", "connected"
UNKNOWN, NO_SERVER = "unknown name", "no name server"
SYN_TIME, ARP_TIME = 127, 3  # Seconds until a kernel gives up.


class Reached(NamedTuple):
    """`fate`: connected, refused, no answer, no route, or `unknown name` and `no name server`."""

    fate: str
    address: str = ""
    answer: str = ""
    took: int = 0  # Microseconds until the answer: others may ask the server, too.


def connect(call: Call, host: str, port: int, data: str, protocol: str = "TCP") -> Reached:
    """Look a name up, connect, send, and take what comes back."""
    container = call.kernel.container
    found = resolver.resolve(call, host.strip("[]") if host not in OWN else "127.0.0.1")
    if not found.address:
        return Reached(NO_SERVER if found.silent else UNKNOWN)
    if found.address in ("127.0.0.1", *container.addresses):
        if protocol == "ICMP":
            return Reached(CONNECTED, found.address)
        answer = container.answer(port, data)
        return Reached(REFUSED if answer is None else CONNECTED, found.address, answer or "")
    fate, answer, took = container.dial(int(call.proc["pid"]), found.address, port, protocol, data)
    return Reached(fate, found.address, answer, took)


def _waited(call: Call, fate: str, seconds: float) -> None:
    """A program that hears nothing waits for as long as it was told, or as the kernel lets it."""
    if fate in (SILENT, NO_SERVER):
        call.sleep(int(seconds * SECOND))
    elif fate == UNREACHABLE:
        call.sleep(ARP_TIME * SECOND)


def remembered(call: Call) -> Reached | None:
    """What came of the connection before the command had to wait: it is not tried again."""
    return Reached(*call.local["reached"]) if "reached" in call.local else None


def waited_for(call: Call, reached: Reached, seconds: float) -> None:
    if reached.fate not in (CONNECTED, REFUSED, UNKNOWN):
        call.local["reached"] = list(reached)
        _waited(call, reached.fate, seconds)


def answered_within(call: Call, reached: Reached, seconds: float) -> bool:
    """Wait for an answer that takes its time, for so many seconds at most: did it come?"""
    if reached.took:
        call.local["reached"] = list(reached)
        call.sleep(min(reached.took, int(seconds * SECOND)))
    return reached.took <= seconds * SECOND


def seconds_of(text: str | None, default: float) -> float:
    return float(text) if text and re.fullmatch(r"\d{1,6}(\.\d{1,6})?", text) else default
