"""What a provider of machines, disks and balancers is, for those who call it: a call, its answer, its refusal.

The cluster's room `cloud` has the only one. Components of other rooms (the storage driver) get it from their
surroundings, as in real life they get an address and a key.

Read next: calls.py, which calls without waiting.
"""

from typing import Any, NamedTuple, Protocol


class Refused(Exception):
    """The other side said no, or nothing: the message is what it said."""


class Call(NamedTuple):
    """One call under way. `number`: it is the other side's nth; `arguments`: plain data; `began`: microseconds.

    `refusal`: what the other side says without looking at the question; empty: it will look.
    """

    number: int
    operation: str
    arguments: dict[str, Any]
    began: int
    refusal: str = ""


class Provider(Protocol):
    """What answers; `cluster.cloud.provider.Cloud` is one."""

    @property
    def on(self) -> bool: ...
    def send(self, operation: str, arguments: dict[str, Any], count: int = 1) -> tuple[Call, int]: ...
    def answer(self, call: Call, by: str) -> Any: ...
