"""What each stage of one request from outside said and did: kept with the recorded input, for the picture.

    authentication → authorization → decoding → mutating → validation → validating → storage

A row is plain data: {"stage": "mutating", "by": "LimitRanger", "changed": ["spec.containers[0].resources"]}. A row
without "refused" let the request pass. Only what is the same in every run is kept: no wall times.

Mirrors:  nothing: a real server shows this in its audit log and traces, piece by piece.
"""

from typing import Any

from cluster.objects import Manifest

MOST_ROWS = 48  # Rows of a request; a real one has some twenty.
MOST_PATHS = 8  # Changed paths a row tells; then "…".
LONGEST = 300  # Characters of a text in a row.


class Stages:
    """The rows of one request, in order. The last one entered is the one that refuses, if any does."""

    __slots__ = ("rows",)

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []

    def enter(self, stage: str, by: str = "", **said: Any) -> None:
        """The request comes to `stage`; `by`: the plugin; `said`: what there is to tell, short."""
        if len(self.rows) >= MOST_ROWS:
            return
        row: dict[str, Any] = {"stage": stage}
        if by:
            row["by"] = by
        self.rows.append(row | {name: _short(value) for name, value in said.items() if value})

    def say(self, **said: Any) -> None:
        """Add to what the current stage has told."""
        if self.rows:
            self.rows[-1] |= {name: _short(value) for name, value in said.items() if value}

    def changed(self, before: Manifest, after: Manifest) -> None:
        """The current stage made `after` of `before`."""
        self.say(changed=changed_paths(before, after))

    def refused(self, status: int, message: str) -> None:
        """The current stage ends the request."""
        self.say(refused=message, status=status)


def _short(value: Any) -> Any:
    if isinstance(value, list):
        return [_short(item) for item in value[: MOST_PATHS + 1]]
    return value[: LONGEST - 1] + "…" if isinstance(value, str) and len(value) > LONGEST else value


def changed_paths(before: Any, after: Any, path: str = "") -> list[str]:
    """Where `after` differs from `before`: the paths of the smallest parts, at most MOST_PATHS and then "…"."""
    found: list[str] = []
    _collect(before, after, path, found)
    return found if len(found) <= MOST_PATHS else [*found[:MOST_PATHS], "…"]


def _collect(before: Any, after: Any, path: str, found: list[str]) -> None:
    if before is after or len(found) > MOST_PATHS:
        return
    if isinstance(before, dict) and isinstance(after, dict):
        for name in (*before, *(name for name in after if name not in before)):
            _collect(before.get(name), after.get(name), f"{path}.{name}" if path else str(name), found)
    elif isinstance(before, list) and isinstance(after, list):
        for number in range(max(len(before), len(after))):
            was = before[number] if number < len(before) else None
            now = after[number] if number < len(after) else None
            _collect(was, now, f"{path}[{number}]", found)
    elif before != after:
        found.append(path)
