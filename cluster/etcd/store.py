"""The MVCC store: every write gets the next revision, and a key remembers its newest one.

The world's only writer holds this in memory; a turn's writes wait in `pending` until they are committed. Values are
not kept here (the API server's cache has the objects, the database has the bytes), unless the world has no database.

Mirrors:  etcd/server/storage/mvcc (kvstore.go, index.go)
Left out: leases as objects, and transactions over several keys: the single writer makes every write a transaction.
Read next: disk.py.
"""

from typing import NamedTuple

from cluster.engine.cause import Causes


class Write(NamedTuple):
    """One revision. `verb`: create, update or delete; `value`: JSON bytes (of a delete: the last state)."""

    revision: int
    key: str
    verb: str
    value: bytes
    previous: int
    created: int
    version: int
    actor: str
    causes: Causes
    step: int
    sim_time: int


class Head(NamedTuple):
    """Where a living key stands."""

    revision: int
    created: int
    version: int


class Store:
    """Keys and revisions of one cluster. `revision`: the newest one."""

    def __init__(self, revision: int = 0) -> None:
        self.revision = revision
        self.head: dict[str, Head] = {}
        self.pending: list[Write] = []

    def put(self, key: str, value: bytes, actor: str, causes: Causes, step: int, sim_time: int) -> Write:
        """Write `value`, which already carries revision `self.revision + 1` as its resourceVersion."""
        self.revision = revision = self.revision + 1
        head = self.head.get(key)
        if head is None:
            write = Write(revision, key, "create", value, 0, revision, 1, actor, causes, step, sim_time)
        else:
            previous, created, version = head
            write = Write(revision, key, "update", value, previous, created, version + 1, actor, causes, step, sim_time)
        self.head[key] = Head(revision, write.created, write.version)
        self.pending.append(write)
        return write

    def delete(self, key: str, value: bytes, actor: str, causes: Causes, step: int, sim_time: int) -> Write:
        """Remove `key`. `value`: its last state, carrying the deletion's revision. Errors: KeyError."""
        self.revision = revision = self.revision + 1
        head = self.head.pop(key)
        write = Write(revision, key, "delete", value, head.revision, head.created, 0, actor, causes, step, sim_time)
        self.pending.append(write)
        return write

    def take_pending(self) -> list[Write]:
        writes, self.pending = self.pending, []
        return writes
