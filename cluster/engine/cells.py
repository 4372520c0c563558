"""Cells: plain data under string keys, whose changes are known, so that a turn saves just what it touched.

Everything a future step can read, except API objects, lives in cells: machines, containers, queue entries, attempts,
rate limiters. A value is JSON-plain and is replaced, never mutated: `cells[key] = {**cells[key], "power": False}`.
"""

from bisect import bisect_left
from collections.abc import Iterator
from typing import Any

MOST_MOVES = 256  # Keys that may come and go before the order of all of them is forgotten.


class Cells:
    """A mapping of str to plain data that remembers which keys changed since the last commit."""

    __slots__ = ("_moved", "_order", "_saved", "data", "dirty", "gone")

    def __init__(self, data: dict[str, Any] | None = None) -> None:
        self.data: dict[str, Any] = data if data is not None else {}
        self.dirty: dict[str, None] = {}
        self.gone: dict[str, Any] = {}  # Last values of keys that were deleted since the last commit.
        self._order: list[str] | None = None  # All keys, sorted, since somebody asked by prefix …
        self._moved: dict[str, None] = {}  # … but for these, which came or went after that.
        self._saved = set(self.data)  # Keys that have a row: what came and went within one turn needs no write.

    def __getitem__(self, key: str) -> Any:
        return self.data[key]

    def __setitem__(self, key: str, value: Any) -> None:
        if self._order is not None and key not in self.data:
            self._move(key)
        self.data[key] = value
        self.dirty[key] = None

    def __delitem__(self, key: str) -> None:
        self.gone[key] = self.data.pop(key)
        self.dirty[key] = None
        if self._order is not None:
            self._move(key)

    def __contains__(self, key: str) -> bool:
        return key in self.data

    def __iter__(self) -> Iterator[str]:
        """Keys in sorted order: insertion order would differ between a resident and a rebuilt world."""
        return iter(sorted(self.data))

    def __len__(self) -> int:
        return len(self.data)

    def get(self, key: str, default: Any = None) -> Any:
        return self.data.get(key, default)

    def pop(self, key: str, default: Any = None) -> Any:
        if key in self.data:
            self.dirty[key] = None
            if self._order is not None:
                self._move(key)
            self.gone[key] = self.data.pop(key)
            return self.gone[key]
        return default

    def prefixed(self, prefix: str) -> Iterator[tuple[str, Any]]:
        """Key and value of every key that starts with `prefix`, in order of key.

        The first question sorts all keys; later ones are a binary search, if few keys came and went in between.
        """
        keys = self._sorted()
        start = end = bisect_left(keys, prefix)
        while end < len(keys) and keys[end].startswith(prefix):
            end += 1
        return ((key, self.data[key]) for key in keys[start:end])

    def _move(self, key: str) -> None:
        """A key came or went."""
        self._moved[key] = None
        if len(self._moved) > MOST_MOVES:
            self._order, self._moved = None, {}

    def _sorted(self) -> list[str]:
        if self._order is None:
            self._order = sorted(self.data)
        order = self._order
        for key in self._moved:
            place = bisect_left(order, key)
            known = place < len(order) and order[place] == key
            if known and key not in self.data:
                del order[place]
            elif not known and key in self.data:
                order.insert(place, key)
        self._moved = {}
        return order

    def section(self, prefix: str) -> "Section":
        """A view of the cells under `prefix`, which needs no name of its own in front of every key."""
        return Section(self, prefix)

    def take_changes(self) -> dict[str, Any]:
        """What changed since the last call: key to new value, None where the key is gone."""
        changes, saved, data = {}, self._saved, self.data
        for key in self.dirty:
            if key in data:
                changes[key] = data[key]
                saved.add(key)
            elif key in saved:
                changes[key] = None
                saved.discard(key)
        self.dirty, self.gone = {}, {}
        return changes


class Section:
    """The cells of one owner: `Cells` with a prefix before every key."""

    __slots__ = ("_cells", "_prefix")

    def __init__(self, cells: Cells, prefix: str) -> None:
        self._cells, self._prefix = cells, prefix

    def __getitem__(self, key: str) -> Any:
        return self._cells[self._prefix + key]

    def __setitem__(self, key: str, value: Any) -> None:
        self._cells[self._prefix + key] = value

    def __delitem__(self, key: str) -> None:
        del self._cells[self._prefix + key]

    def __contains__(self, key: str) -> bool:
        return self._prefix + key in self._cells.data

    def __iter__(self) -> Iterator[str]:
        """Own keys in sorted order."""
        return (key[len(self._prefix) :] for key, _ in self._cells.prefixed(self._prefix))

    def get(self, key: str, default: Any = None) -> Any:
        return self._cells.data.get(self._prefix + key, default)

    def pop(self, key: str, default: Any = None) -> Any:
        return self._cells.pop(self._prefix + key, default)

    def items(self) -> Iterator[tuple[str, Any]]:
        return ((key[len(self._prefix) :], value) for key, value in self._cells.prefixed(self._prefix))
