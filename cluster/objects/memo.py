"""Remember what was computed of an object, by the object's identity: same dict, same answer.

Objects are never changed, only replaced, so the very same dict always has the same answer. Five thousand pods of one
template share one `spec` dict: what is computed of it is computed once. Forgetting is harmless: results are a pure
function of the object and of `extra`.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any


class IdentityMemo:
    """At most `size` answers; the least recently used is forgotten first."""

    __slots__ = ("_entries", "_size")

    def __init__(self, size: int) -> None:
        self._entries: OrderedDict[tuple[int, Hashable], tuple[Any, Any]] = OrderedDict()
        self._size = size

    def get(self, obj: Any, extra: Hashable, compute: Callable[[Any], Any]) -> Any:
        """`compute(obj)`, or what it was the last time for this very object and `extra`."""
        key = (id(obj), extra)
        entry = self._entries.get(key)
        if entry is not None and entry[0] is obj:
            self._entries.move_to_end(key)
            return entry[1]
        answer = compute(obj)
        self._entries[key] = (obj, answer)  # Holding `obj` keeps its id from being given to another dict.
        if len(self._entries) > self._size:
            self._entries.popitem(last=False)
        return answer
