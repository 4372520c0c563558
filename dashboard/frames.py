"""Frames: what the live socket carries, and how frames that a slow browser has not taken are folded into one.

A frame is plain data with a sequence number. A snapshot says how everything is; a delta says what changed,
and deltas fold: of a pod, a node or the clock only the newest state counts, and of the messages that
travelled the newest `MESSAGES` are shown and the others counted (`more`). So a browser that is slow, or was
away, catches up in one frame.
"""

from dataclasses import dataclass, field
from typing import Any

import orjson

from dashboard.rows import Row

MESSAGES = 150


@dataclass
class Delta:
    """What changed between two looks at the database. `pods`, `nodes`: key to row; None: it is gone."""

    clock: Row = field(default_factory=dict)
    pods: dict[str, Row | None] = field(default_factory=dict)
    nodes: dict[str, Row | None] = field(default_factory=dict)
    beats: dict[str, int] = field(default_factory=dict)  # Node to the simulated time of its newest lease renewal.
    messages: list[Row] = field(default_factory=list)
    more: int = 0
    usage: dict[str, list[int]] = field(default_factory=dict)
    requests: dict[str, list[float]] = field(default_factory=dict)  # With `usage`: of all pods that serve flows.
    touched: list[str] = field(default_factory=list)  # "Kind/ns/name" of other objects: panels refresh on them.

    def fold(self, newer: "Delta") -> "Delta":
        """Both changes as one. Neither of the two is changed."""
        messages = self.messages + newer.messages
        return Delta(
            clock=newer.clock or self.clock,
            pods=self.pods | newer.pods,
            nodes=self.nodes | newer.nodes,
            beats=self.beats | newer.beats,
            messages=messages[-MESSAGES:],
            more=self.more + newer.more + max(len(messages) - MESSAGES, 0),
            usage=newer.usage or self.usage,
            requests=newer.requests if newer.usage else self.requests,
            touched=list(dict.fromkeys(self.touched + newer.touched)),
        )

    def says_nothing(self, clock: Row) -> bool:
        """True if nobody needs this frame: nothing changed, and the clock stands as in the last frame."""
        changed = self.pods or self.nodes or self.beats or self.messages or self.usage or self.touched
        return not changed and self.clock == clock


def encode(kind: str, epoch: str, seq: int, content: dict[str, Any]) -> str:
    """A frame as the text that goes through the socket."""
    return orjson.dumps({"type": kind, "epoch": epoch, "seq": seq, **content}).decode()


def encode_delta(epoch: str, seq: int, delta: Delta) -> str:
    content = {name: value for name, value in vars(delta).items() if value}
    return encode("delta", epoch, seq, content)
