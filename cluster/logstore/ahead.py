"""What containers will print next if nothing happens to them, so that their programs are not run anew at each look.

A program is a function of time and of its container's record. Whoever reads a minute that has not come yet together
with the one that has may keep it as long as the record is the very same: cells are replaced when anything changes and
never mutated (engine/cells.py), so a container that is asked, stopped or ends has another record.
"""

from typing import Any

from cluster.engine.clock import SECOND
from cluster.kubelet import committed

AHEAD = 60 * SECOND  # Simulated time that is read before it comes …
MOST = 60  # … and lines of it.

Record = dict[str, Any]


class Ahead:
    """Of the containers of one cluster, by their ids."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[Record, int, int, list[Any]]] = {}  # Record, start, end, and the lines between.

    def printed(self, record: Record, start: int, until: int, epoch: int) -> list[Any]:
        """The lines of [start, until): each has `at`, `stream` and `text`."""
        if record.get("started") is None or record["stopped"] is not None or record["ended"] is not None:
            self._kept.pop(record.get("id", ""), None)
            return list(committed.printed(record, start, until, epoch))
        known, begin, end, lines = self._kept.get(record["id"], (None, 0, 0, []))
        if known is not record or start < begin or until > end:
            lines, end = self._read(record, start, until, epoch)
        due = [line for line in lines if start <= line.at < until]
        self._kept[record["id"]] = (record, until, end, [line for line in lines if line.at >= until])
        return due

    def _read(self, record: Record, start: int, until: int, epoch: int) -> tuple[list[Any], int]:
        """The lines from `start` to behind `until`, and up to when these are all."""
        lines, more = list[Any](), 0
        for line in committed.printed(record, start, until + AHEAD, epoch):
            more += line.at >= until
            if more > MOST:
                return lines, line.at
            lines.append(line)
        return lines, until + AHEAD

    def keep_only(self, identities: set[str]) -> None:
        """Forget containers that are gone."""
        self._kept = {identity: kept for identity, kept in self._kept.items() if identity in identities}
