"""A plugin's entry: which requests it wants to see, and its two functions."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cluster.apiserver.admission.attributes import CONNECT, CREATE, DELETE, UPDATE, Attributes
from cluster.objects import Manifest

Mutate = Callable[[Any, Attributes], Manifest]
Check = Callable[[Any, Attributes], None]
ANY = ("*",)
WRITES = (CREATE, UPDATE, DELETE, CONNECT)


@dataclass(frozen=True)
class Plugin:
    """`mutate(server, attributes) -> object` returns the very object it got if it has nothing to change;
    `validate(server, attributes)` refuses by raising. Both may raise; only the first may change.

    `kinds`: of the URL's resource; empty for all. `subresources`: "" is the object itself, ANY all of them.
    """

    name: str
    mutate: Mutate | None = None
    validate: Check | None = None
    kinds: tuple[str, ...] = ()
    operations: tuple[str, ...] = WRITES
    subresources: tuple[str, ...] = ("",)

    def wants(self, kind: str, operation: str, subresource: str) -> bool:
        return (
            (not self.kinds or kind in self.kinds)
            and operation in self.operations
            and (self.subresources == ANY or subresource in self.subresources)
        )
