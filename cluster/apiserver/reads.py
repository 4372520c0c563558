"""Reads: objects, lists and the log of revisions out of committed rows. No world is asked, none has to be awake.

Values are the bytes that were stored: JSON with `kind` and `apiVersion` in front and the revision inside, so a GET
passes them on as they are and a LIST only joins them. Every question is one SQL statement, which is one snapshot: a
list and the revision that it is of can't come apart.

A `Reader` is one connection of its own. It may be used on an event loop for point reads (0.1 ms) and in a thread for
lists; Django's own connections refuse the first and open one a thread for the second.

Read next: gateway/, which serves these to the world.
"""

import threading
from typing import Any, NamedTuple

import orjson
from django.db import DatabaseError, connections

from cluster.models import REVISION_BITS

ALL = 1 << 62  # Rows: SQLite and PostgreSQL both take it for no limit.
_MASK = (1 << REVISION_BITS) - 1
_CLUSTER = "c.id, c.revision, c.first_revision, c.compacted, c.epoch, c.sim_now, c.paused"


class Snapshot(NamedTuple):
    """A cluster's row at the moment of a read. Times: microseconds."""

    id: int
    revision: int
    first_revision: int
    compacted: int
    epoch: int
    sim_now: int
    paused: bool

    @property
    def unix(self) -> int:
        """The committed horizon, microseconds since 1970."""
        return self.epoch + self.sim_now

    @property
    def oldest(self) -> int:
        """Changes after this revision are all still known."""
        return max(self.compacted, self.first_revision)


class Settings(NamedTuple):
    """What a cluster was made of. `unix`: its clock, microseconds since 1970."""

    seed: int
    options: dict[str, Any]
    unix: int


class Stored(NamedTuple):
    """One object: its key and its bytes."""

    key: str
    value: bytes


class Change(NamedTuple):
    """One revision. `previous`: number of the key's revision before; 0: none. `sim_time`: microseconds since t = 0."""

    revision: int
    key: str
    verb: str
    value: bytes
    previous: int
    sim_time: int


class Reader:
    """One connection to the database. Not to be used by two threads at once."""

    def __init__(self) -> None:
        self._connection: Any = None
        self._django: Any = None

    def rows(self, sql: str, parameters: list[Any]) -> list[tuple[Any, ...]]:
        """The rows of one statement, with `%s` for parameters. Errors: django.db.DatabaseError."""
        fresh = self._connection is None
        if fresh:
            self._connect()
        try:
            return self._rows(sql, parameters)
        except self._django.Database.Error as error:
            self.close()
            if fresh:
                raise DatabaseError(str(error)) from error
        return self.rows(sql, parameters)  # The old connection had broken; a new one may do.

    def _rows(self, sql: str, parameters: list[Any]) -> list[tuple[Any, ...]]:
        cursor = self._connection.cursor()
        try:
            cursor.execute(sql.replace("%s", "?") if self._sqlite else sql, parameters)
            return list(cursor.fetchall())
        finally:
            cursor.close()

    def _connect(self) -> None:
        """Let Django open it, with its settings, in a thread without a loop: it refuses to on a loop."""
        opener = threading.Thread(target=self._open)
        opener.start()
        opener.join()
        if self._connection is None:
            raise DatabaseError("the database can't be opened")

    def _open(self) -> None:
        self._django = connections.create_connection("default")
        self._django.inc_thread_sharing()
        self._django.connect()
        self._connection = self._django.connection
        self._sqlite = self._django.vendor == "sqlite"

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    # --- clusters -----------------------------------------------------------------------------------------------

    def cluster(self, name: str) -> Snapshot | None:
        rows = self.rows(f"SELECT {_CLUSTER} FROM cluster_cluster c WHERE c.name = %s", [name])
        return Snapshot(*rows[0]) if rows else None

    def settings(self, name: str) -> Settings | None:
        rows = self.rows("SELECT seed, options, epoch + sim_now FROM cluster_cluster WHERE name = %s", [name])
        if not rows:
            return None
        seed, options, unix = rows[0]
        return Settings(seed, orjson.loads(options) if isinstance(options, str | bytes) else options, unix)

    # --- objects ------------------------------------------------------------------------------------------------

    def mark(self, name: str, prefixes: tuple[str, ...]) -> tuple[int, ...]:
        """Numbers that change whenever an object under one of the prefixes does: how many, and the newest's revision.

        A write makes a newer one, a deletion makes fewer, and both together make a newer one.
        """
        collate = self._collate()
        found: list[int] = []
        for prefix in prefixes:
            rows = self.rows(
                "SELECT c.id, COUNT(s.id), MAX(s.revision) FROM cluster_cluster c LEFT JOIN cluster_storedobject s"
                f" ON s.id >= (c.id || ':' || %s){collate} AND s.id < (c.id || ':' || %s){collate}"
                " WHERE c.name = %s GROUP BY c.id",
                [prefix, end_of(prefix), name],
            )
            found += [int(value or 0) for row in rows for value in row]
        return tuple(found)

    def get(self, name: str, key: str) -> tuple[Snapshot, bytes | None] | None:
        """The living object under `key`; None for the object if there is none, None at all for no such cluster."""
        rows = self.rows(
            f"SELECT {_CLUSTER}, r.value FROM cluster_cluster c"
            " LEFT JOIN cluster_storedobject s ON s.id = (c.id || ':' || %s)"
            " LEFT JOIN cluster_revision r ON r.id = s.revision WHERE c.name = %s",
            [key, name],
        )
        if not rows:
            return None
        *cluster, value = rows[0]
        return Snapshot(*cluster), None if value is None else bytes(value)

    def listing(self, name: str, prefix: str, start: str = "", most: int = 0) -> tuple[Snapshot, list[Stored]] | None:
        """Living objects whose key starts with `prefix`, from key `start` on, in order; `most` of them, 0: all."""
        collate = self._collate()
        rows = self.rows(
            f"SELECT {_CLUSTER}, r.key, r.value FROM cluster_cluster c"
            f" LEFT JOIN cluster_storedobject s ON s.id >= (c.id || ':' || %s){collate}"
            f" AND s.id < (c.id || ':' || %s){collate}"
            f" LEFT JOIN cluster_revision r ON r.id = s.revision WHERE c.name = %s"
            f" ORDER BY s.id{collate} LIMIT %s",
            [start or prefix, end_of(prefix), name, most or ALL],
        )
        return _listed(rows)

    def listing_at(
        self, name: str, prefix: str, revision: int, start: str = "", most: int = 0
    ) -> tuple[Snapshot, list[Stored]] | None:
        """The same as it was at `revision`."""
        collate = self._collate()
        rows = self.rows(
            f"SELECT {_CLUSTER}, r.key, r.value FROM cluster_cluster c"
            " LEFT JOIN cluster_revision r ON r.verb <> 'delete' AND r.id IN ("
            " SELECT MAX(o.id) FROM cluster_revision o WHERE o.cluster_id = c.id"
            f" AND o.key >= %s{collate} AND o.key < %s{collate} AND o.id <= c.id * {1 << REVISION_BITS} + %s"
            f" GROUP BY o.key) WHERE c.name = %s ORDER BY r.key{collate} LIMIT %s",
            [start or prefix, end_of(prefix), revision, name, most or ALL],
        )
        return _listed(rows)

    def count(self, cluster: int, prefix: str, start: str = "") -> int:
        """How many living objects there are from `start` on."""
        collate = self._collate()
        sql = f"SELECT COUNT(*) FROM cluster_storedobject WHERE id >= %s{collate} AND id < %s{collate}"
        return int(self.rows(sql, [f"{cluster}:{start or prefix}", f"{cluster}:{end_of(prefix)}"])[0][0])

    def count_at(self, cluster: int, prefix: str, revision: int, start: str = "") -> int:
        """The same at `revision`."""
        collate = self._collate()
        rows = self.rows(
            "SELECT COUNT(*) FROM cluster_revision WHERE verb <> 'delete' AND id IN ("
            " SELECT MAX(id) FROM cluster_revision"
            f" WHERE cluster_id = %s AND key >= %s{collate} AND key < %s{collate} AND id <= %s GROUP BY key)",
            [cluster, start or prefix, end_of(prefix), (cluster << REVISION_BITS) + revision],
        )
        return int(rows[0][0])

    def heads(self, name: str, prefix: str) -> dict[str, int]:
        """Living keys that start with `prefix`, each with the row number of its newest revision."""
        collate = self._collate()
        rows = self.rows(
            "SELECT s.id, s.revision FROM cluster_cluster c"
            f" JOIN cluster_storedobject s ON s.id >= (c.id || ':' || %s){collate}"
            f" AND s.id < (c.id || ':' || %s){collate} WHERE c.name = %s",
            [prefix, end_of(prefix), name],
        )
        return {str(key): int(revision) for key, revision in rows}

    def value_of(self, row: int) -> bytes | None:
        """The bytes of a revision by its row number; None if it is forgotten."""
        rows = self.rows("SELECT value FROM cluster_revision WHERE id = %s", [row])
        return bytes(rows[0][0]) if rows else None

    def _collate(self) -> str:
        """Keys are ordered by their bytes: SQLite always does, PostgreSQL when told."""
        if self._connection is None:
            self._connect()
        return "" if self._sqlite else ' COLLATE "C"'

    # --- the log ------------------------------------------------------------------------------------------------

    def changes(self, cluster: int, after: int, limit: int = 5_000) -> list[Change]:
        """Revisions after `after`, oldest first."""
        rows = self.rows(
            "SELECT id, key, verb, value, previous, sim_time FROM cluster_revision"
            " WHERE id > %s AND id < %s ORDER BY id LIMIT %s",
            [(cluster << REVISION_BITS) + after, (cluster + 1) << REVISION_BITS, limit],
        )
        return [Change(i & _MASK, key, verb, bytes(value), p & _MASK, at) for i, key, verb, value, p, at in rows]

    def value_at(self, cluster: int, revision: int) -> bytes | None:
        """The bytes that revision `revision` wrote; None if it is forgotten."""
        rows = self.rows("SELECT value FROM cluster_revision WHERE id = %s", [(cluster << REVISION_BITS) + revision])
        return bytes(rows[0][0]) if rows else None

    # --- the physical world -------------------------------------------------------------------------------------

    def containers(self, cluster: int, pod_uid: str) -> list[dict[str, Any]]:
        """The records of a pod's containers, in order of their keys."""
        low = f"{cluster}:{pod_uid}/"
        sql = "SELECT id, body FROM cluster_container WHERE id >= %s AND id < %s"
        rows = self.rows(sql + (" ORDER BY id"), [low, end_of(low)])
        return [orjson.loads(bytes(body)) for _, body in rows]

    def machines(self, cluster: int) -> dict[str, dict[str, Any]]:
        """All machines by name."""
        return self._cells("cluster_machine", cluster)

    def all_containers(self, cluster: int) -> list[dict[str, Any]]:
        """The records of all containers."""
        return [record for record in self._cells("cluster_container", cluster).values() if "program" in record]

    def session(self, cluster: int, key: str, offset: int) -> tuple[dict[str, Any] | None, list[tuple[int, Any]]]:
        """A session's cell (None: there is none), and what it printed from `offset` on: (offset, chunk)."""
        collate = self._collate()
        output = f"{cluster}:{key}/out/"
        rows = self.rows(
            f"SELECT id, body FROM cluster_session WHERE id = %s OR (id >= %s{collate} AND id < %s{collate})"
            f" ORDER BY id{collate} LIMIT 200",
            [f"{cluster}:{key}", f"{output}{offset:015d}", end_of(output)],
        )
        found = [(identity, orjson.loads(bytes(body))) for identity, body in rows]
        cell = found.pop(0)[1] if found and found[0][0] == f"{cluster}:{key}" else None
        return cell, [(int(identity[len(output) :]), chunk) for identity, chunk in found]

    def has_quorum(self, cluster: str) -> bool:
        """Do etcd's members of cluster `cluster` (its name) accept writes? True of clusters that nobody knows."""
        found = self.cluster(cluster)
        if found is None:
            return True
        rows = self.rows("SELECT body FROM cluster_member WHERE id = %s", [f"{found.id}:quorum"])
        return not rows or bool(orjson.loads(bytes(rows[0][0]))["writable"])

    def control_plane(self, cluster: str) -> tuple[dict[str, Any], dict[str, Any]]:
        """The tables `processes` and `members` of cluster `cluster` (its name); empty if nobody knows it."""
        found = self.cluster(cluster)
        tables = [self._cells(table, found.id) if found else {} for table in ("cluster_process", "cluster_member")]
        return tables[0], tables[1]

    def agenda(self, cluster: int) -> dict[str, Any]:
        """All queues, counts and memories of components, by slot."""
        return self._cells("cluster_agenda", cluster)

    def _cells(self, table: str, cluster: int) -> dict[str, Any]:
        rows = self.rows(f"SELECT id, body FROM {table} WHERE id >= %s AND id < %s", [f"{cluster}:", f"{cluster};"])
        return {identity.partition(":")[2]: orjson.loads(bytes(body)) for identity, body in rows}

    def machine(self, cluster: int, node: str) -> dict[str, Any] | None:
        rows = self.rows("SELECT body FROM cluster_machine WHERE id = %s", [f"{cluster}:{node}"])
        return orjson.loads(bytes(rows[0][0])) if rows else None


def _listed(rows: list[tuple[Any, ...]]) -> tuple[Snapshot, list[Stored]] | None:
    if not rows:
        return None
    cluster = Snapshot(*rows[0][:-2])
    return cluster, [Stored(row[-2], bytes(row[-1])) for row in rows if row[-1] is not None]


def end_of(prefix: str) -> str:
    """The first key after all keys that start with `prefix`."""
    return prefix[:-1] + chr(ord(prefix[-1]) + 1)
