"""What voices are asked about, a step, and what they answer, something said."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import orjson

from cluster.logstore.klog import Value
from cluster.objects import Manifest, meta


class Said(NamedTuple):
    """One entry of a component's log. `source`: file.go:line; `component`, `node`: who, if not who took the step.

    A message without values may be `plain`: of the kind that klog does not quote.
    """

    source: str
    message: str
    values: dict[str, Value]
    severity: str = "I"
    plain: bool = False
    component: str = ""
    node: str = ""


class Change:
    """One revision. `key`: where it is stored; `look`: the bytes of another revision by its row number."""

    def __init__(
        self, row: int, key: str, verb: str, value: bytes, previous: int, look: Callable[[int], bytes | None]
    ) -> None:
        self.row, self.key, self.verb = row, key, verb
        self._value, self._previous, self._look = value, previous, look

    @property
    def where(self) -> str:
        """`pods`, `minions`, `events` …: what is stored under such keys."""
        return self.key.split("/", 3)[2]

    @cached_property
    def new(self) -> Manifest:
        return orjson.loads(self._value)  # type: ignore[no-any-return]

    @cached_property
    def old(self) -> Manifest | None:
        """The object before; None: there was none, or nobody knows any more."""
        body = self._look(self._previous) if self._previous else None
        return orjson.loads(body) if body else None

    @property
    def ref(self) -> str:
        """As klog names an object: `namespace/name`, or its name."""
        return meta.key(self.new)

    @property
    def deletes(self) -> bool:
        """Is it gone now, or marked to go?"""
        if self.verb == "delete":
            return True
        return self.verb == "update" and meta.is_deleting(self.new) and not (self.old and meta.is_deleting(self.old))


@dataclass
class Step:
    """What one component wrote in one step. `at`: microseconds since t = 0.

    `actor`: its writer; `find`: an object by its key as it was then; `verdict`: the scheduler's last one, by uid.
    """

    at: int
    actor: str
    changes: list[Change]
    find: Callable[[str, int], Manifest | None]
    verdict: Callable[[str], dict[str, Any] | None]

    def of(self, where: str) -> list[Change]:
        return [change for change in self.changes if change.where == where]

    def events(self) -> Iterator[tuple[Manifest, Manifest, str, str]]:
        """What it told as Events: (the Event, about whom, reason, message). Each telling writes one anew."""
        for change in self.of("events"):
            if change.verb != "delete":
                event = change.new
                about = event.get("involvedObject") or event.get("regarding") or {}
                yield event, about, event.get("reason", ""), event.get("message") or event.get("note") or ""


def ref(about: Manifest) -> str:
    """An object's reference as klog names it."""
    namespace = about.get("namespace", "")
    return f"{namespace}/{about.get('name', '')}" if namespace else str(about.get("name", ""))
