"""The Django door: a turn becomes one transaction, and committed rows become worlds, lists and watches again.

Hot statements are raw SQL: Django's bulk_create costs eight times as much. Every commit is fenced: it changes the
cluster's row only where `owner_epoch` is still ours, and a commit that changes no row is rolled back whole.

Errors: Fenced when somebody else owns the cluster now; django.db.OperationalError when the database is locked or full.
"""

import logging
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import orjson
from django.db import connection, transaction

from cluster.etcd import compaction
from cluster.etcd.store import Write
from cluster.models import (
    REVISION_BITS,
    Checkpoint,
    CloudItem,
    Cluster,
    Container,
    CriCall,
    DeadInput,
    Departed,
    Disk,
    Input,
    LogBlock,
    LogPosition,
    LogStream,
    Machine,
    Member,
    MetricBlock,
    MetricSeries,
    PhysicalEvent,
    Process,
    Session,
    StoredObject,
    Verdict,
)
from cluster.models import Agenda as AgendaRow
from cluster.models import Revision as RevisionRow

CELL_TABLES = {
    "machines": Machine,
    "containers": Container,
    "agenda": AgendaRow,
    "verdicts": Verdict,
    "sessions": Session,
    "disks": Disk,
    "processes": Process,
    "members": Member,
    "cloud": CloudItem,
    "calls": CriCall,
}
MOST_DEPARTED = 10_000  # Containers of a cluster that are gone and whose logs agents have still to read.
CHUNK = 500  # Parameters a statement: PostgreSQL and SQLite both take far more, but plans grow.

log = logging.getLogger(__name__)


class Fenced(Exception):
    """Another owner has taken the cluster: what this world thinks is no longer true. Discard it."""


class Withdrawn(Exception):
    """Callers of these inputs were told that they will not run. Discard the world and run the turn without them."""

    def __init__(self, identities: list[str]) -> None:
        super().__init__(f"inputs {', '.join(identities)} were withdrawn before they were committed")
        self.identities = identities


class InputRow(NamedTuple):
    """An executed input with its answer. `request`: JSON bytes; `response`: likewise {headers, body, stages}."""

    id: str
    ordinal: int
    step: int
    sim_time: int
    request: bytes
    status: int
    response: bytes
    revision: int


class EventRow(NamedTuple):
    """A physical event. `body`: JSON text."""

    ordinal: int
    kind: str
    subject: str
    causes: str
    body: str
    step: int
    sim_time: int


class DepartedRow(NamedTuple):
    """A container that is gone, for the agent of its node that had not read all of its log. `body`: JSON bytes."""

    key: str
    node: str
    at: int
    body: bytes


@dataclass
class Batch:
    """All that one turn changed. `cells`: table name to key to value (None: gone). `row`: fields of Cluster."""

    writes: list[Write] = field(default_factory=list)
    cells: dict[str, dict[str, Any]] = field(default_factory=dict)
    inputs: list[InputRow] = field(default_factory=list)
    events: list[EventRow] = field(default_factory=list)
    checkpoint: tuple[int, int, int, bytes] | None = None  # step, sim_time, revision, plain JSON
    row: dict[str, Any] = field(default_factory=dict)
    departed: list[DepartedRow] = field(default_factory=list)
    compact: int = 0  # Forget a portion of the history up to this revision; 0: nothing.


def row_id(cluster: int, number: int) -> int:
    """The primary key of revision (or physical event) `number` of `cluster`."""
    return cluster << REVISION_BITS | number


def number_of(identity: int) -> int:
    return identity & ((1 << REVISION_BITS) - 1)


def commit(cluster: int, owner_epoch: int, batch: Batch) -> bool:
    """Write all of `batch` in one transaction, or nothing. True: there is more to compact.

    Errors: Fenced, Withdrawn, django.db.OperationalError.
    """
    with transaction.atomic(durable=True), connection.cursor() as cursor:
        fields = {**batch.row}
        if "next_event" in fields:
            fields["next_event"] = orjson.dumps(fields["next_event"]).decode()
        assignments = ", ".join(f"{name} = %s" for name in fields) or "owner_epoch = owner_epoch"
        cursor.execute(
            f"UPDATE cluster_cluster SET {assignments} WHERE id = %s AND owner_epoch = %s",
            [*fields.values(), cluster, owner_epoch],
        )
        if cursor.rowcount != 1:
            raise Fenced(f"cluster {cluster} is no longer owned under epoch {owner_epoch}")
        _write_revisions(cursor, cluster, batch.writes)
        for table, changes in batch.cells.items():
            _write_cells(cursor, CELL_TABLES[table]._meta.db_table, cluster, changes)
        if batch.inputs:
            _refuse_withdrawn(batch.inputs)
            _insert(cursor, _INPUTS, [(i.id, cluster, *i[1:], owner_epoch) for i in batch.inputs])
        if batch.events:
            rows = [(row_id(cluster, e.ordinal), cluster, *e[1:]) for e in batch.events]
            _insert(cursor, _EVENTS, rows)
        _write_departed(cursor, cluster, batch.departed)
        if batch.checkpoint:
            step, sim_time, revision, body = batch.checkpoint
            Checkpoint.objects.update_or_create(
                cluster_id=cluster,
                step=step,
                defaults={"sim_time": sim_time, "revision": revision, "body": zlib.compress(body, 1)},
            )
        return compaction.compact(cluster, batch.compact) if batch.compact else False


def _refuse_withdrawn(inputs: list[InputRow]) -> None:
    """Errors: Withdrawn. The cluster's row is locked by now, and whoever marks an input dead locks it first."""
    dead = list(DeadInput.objects.filter(pk__in=[row.id for row in inputs]).values_list("pk", flat=True))
    if dead:
        raise Withdrawn(dead)


_REVISIONS = (
    "INSERT INTO cluster_revision"
    " (id, cluster_id, key, verb, value, previous, created, version, actor, causes, step, sim_time) VALUES "
)
_INPUTS = (
    "INSERT INTO cluster_input"
    " (id, cluster_id, ordinal, step, sim_time, request, status, response, revision, epoch) VALUES "
)
_EVENTS = "INSERT INTO cluster_physicalevent (id, cluster_id, kind, subject, causes, body, step, sim_time) VALUES "


def _insert(cursor: Any, statement: str, rows: list[tuple[Any, ...]], suffix: str = "") -> None:
    """SQLite is fastest with executemany on one prepared statement, PostgreSQL with many rows a statement."""
    if not rows:
        return
    marks = "(" + ", ".join(["%s"] * len(rows[0])) + ")"
    if connection.vendor == "sqlite":
        cursor.executemany(statement + marks + suffix, rows)
        return
    for start in range(0, len(rows), CHUNK):
        chunk = rows[start : start + CHUNK]
        cursor.execute(statement + ", ".join([marks] * len(chunk)) + suffix, [v for row in chunk for v in row])


def _write_revisions(cursor: Any, cluster: int, writes: list[Write]) -> None:
    if not writes:
        return
    base = cluster << REVISION_BITS
    seen: dict[tuple[str, ...], str] = {}
    rows, heads = [], {}
    for w in writes:
        causes = seen.get(w.causes)
        if causes is None:
            causes = seen[w.causes] = orjson.dumps(w.causes).decode()
        previous = base | w.previous if w.previous else 0
        rows.append(
            (
                base | w.revision,
                cluster,
                w.key,
                w.verb,
                w.value,
                previous,
                w.created,
                w.version,
                w.actor,
                causes,
                w.step,
                w.sim_time,
            )
        )
        heads[w.key] = None if w.verb == "delete" else base | w.revision
    _insert(cursor, _REVISIONS, rows)
    prefix = f"{cluster}:"
    put = [(prefix + key, revision) for key, revision in heads.items() if revision is not None]
    gone = [(prefix + key,) for key, revision in heads.items() if revision is None]
    _insert(
        cursor,
        "INSERT INTO cluster_storedobject (id, revision) VALUES ",
        put,
        " ON CONFLICT (id) DO UPDATE SET revision = excluded.revision",
    )
    if gone:
        cursor.executemany("DELETE FROM cluster_storedobject WHERE id = %s", gone)


def _write_cells(cursor: Any, table: str, cluster: int, changes: dict[str, Any]) -> None:
    prefix = f"{cluster}:"
    put = [(prefix + key, orjson.dumps(value)) for key, value in changes.items() if value is not None]
    gone = [(prefix + key,) for key, value in changes.items() if value is None]
    _insert(
        cursor,
        f"INSERT INTO {table} (id, body) VALUES ",
        put,
        " ON CONFLICT (id) DO UPDATE SET body = excluded.body",
    )
    if gone:
        cursor.executemany(f"DELETE FROM {table} WHERE id = %s", gone)


def _write_departed(cursor: Any, cluster: int, rows: list[DepartedRow]) -> None:
    """Beyond MOST_DEPARTED of a cluster they are lost: no agent has that many files open."""
    if not rows:
        return
    low, high = f"{cluster}:", f"{cluster};"
    cursor.execute("SELECT COUNT(*) FROM cluster_departed WHERE id >= %s AND id < %s", [low, high])
    room = MOST_DEPARTED - cursor.fetchone()[0]
    if room < len(rows):
        log.warning("logs of %d containers are lost: %d wait for agents", len(rows) - max(room, 0), MOST_DEPARTED)
    put = [(f"{low}{row.key}", f"{low}{row.node}", row.at, row.body) for row in rows[: max(room, 0)]]
    _insert(
        cursor,
        "INSERT INTO cluster_departed (id, node, at, body) VALUES ",
        put,
        " ON CONFLICT (id) DO UPDATE SET body = excluded.body",
    )


# --- Reading committed rows -------------------------------------------------------------------------------------


def prefix_end(prefix: str) -> str:
    """The first key after all keys that start with `prefix`."""
    return prefix[:-1] + chr(ord(prefix[-1]) + 1)


def load_objects(cluster: int) -> Iterator[tuple[str, bytes, int, int, int]]:
    """(key, value, revision, created, version) of every living key, in order of creation."""
    low, high = f"{cluster}:", f"{cluster};"
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT r.key, r.value, r.id, r.created, r.version FROM cluster_storedobject s"
            " JOIN cluster_revision r ON r.id = s.revision WHERE s.id >= %s AND s.id < %s ORDER BY r.created",
            [low, high],
        )
        rows = cursor.fetchall()
    for key, value, identity, created, version in rows:
        yield key, bytes(value), number_of(identity), created, version


def load_cells(cluster: int, table: str) -> dict[str, Any]:
    """All cells of one table: key to value."""
    name, low, high = CELL_TABLES[table]._meta.db_table, f"{cluster}:", f"{cluster};"
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT id, body FROM {name} WHERE id >= %s AND id < %s", [low, high])
        rows = cursor.fetchall()
    return {identity[len(low) :]: orjson.loads(bytes(body)) for identity, body in rows}


def load_cell(cluster: int, table: str, key: str) -> Any:
    """One cell; None if there is none."""
    row = CELL_TABLES[table]._default_manager.filter(id=f"{cluster}:{key}").first()
    return orjson.loads(bytes(row.body)) if row else None


def objects_at(cluster: int, revision: int) -> list[tuple[str, bytes, int, int, int]]:
    """(key, value, revision, created, version) of every key that lived at `revision`, in order of creation."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT key, value, id, created, version, verb FROM cluster_revision WHERE id IN ("
            " SELECT MAX(id) FROM cluster_revision WHERE cluster_id = %s AND id <= %s GROUP BY key)"
            " ORDER BY created",
            [cluster, row_id(cluster, revision)],
        )
        rows = cursor.fetchall()
    return [
        (key, bytes(value), number_of(identity), created, version)
        for key, value, identity, created, version, verb in rows
        if verb != "delete"
    ]


def revisions(
    cluster: int, after: int, until: int | None = None, limit: int | None = None, key: str | None = None
) -> list[Write]:
    """The log after revision `after`, up to and with `until`, oldest first; of one key, or of all."""
    rows = RevisionRow.objects.filter(id__gt=row_id(cluster, after), id__lt=row_id(cluster + 1, 0))
    if key is not None:
        rows = rows.filter(cluster_id=cluster, key=key)
    if until is not None:
        rows = rows.filter(id__lte=row_id(cluster, until))
    fields = ("id", "key", "verb", "value", "previous", "created", "version", "actor", "causes", "step", "sim_time")
    found: Iterable[Any] = rows.order_by("id").values_list(*fields)
    if limit is not None:
        found = rows.order_by("id").values_list(*fields)[:limit]
    return [
        Write(
            number_of(r[0]),
            r[1],
            r[2],
            bytes(r[3]),
            number_of(r[4]),
            r[5],
            r[6],
            r[7],
            tuple(orjson.loads(r[8])),
            r[9],
            r[10],
        )
        for r in found
    ]


def inputs(cluster: int) -> list[InputRow]:
    """Every executed input in its order."""
    fields = ("id", "ordinal", "step", "sim_time", "request", "status", "response", "revision")
    rows = Input.objects.filter(cluster_id=cluster).order_by("ordinal").values_list(*fields)
    return [InputRow(r[0], r[1], r[2], r[3], bytes(r[4]), r[5], bytes(r[6]), r[7]) for r in rows]


def checkpoint_before(cluster: int, step: int) -> Checkpoint | None:
    """The newest checkpoint at or before `step`."""
    return Checkpoint.objects.filter(cluster_id=cluster, step__lte=step).order_by("-step").first()


def forget(cluster: int) -> None:
    """Delete all rows of a cluster's life: objects, cells, inputs, checkpoints, and what was gathered from it.

    Its Cluster row stays.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        low, high = f"{cluster}:", f"{cluster};"
        for model in (StoredObject, *CELL_TABLES.values(), LogPosition, Departed):
            cursor.execute(f"DELETE FROM {model._meta.db_table} WHERE id >= %s AND id < %s", [low, high])
        first, last = row_id(cluster, 0), row_id(cluster + 1, 0)
        for numbered in (RevisionRow, PhysicalEvent):
            numbered.objects.filter(id__gte=first, id__lt=last).delete()
        Input.objects.filter(cluster_id=cluster).delete()
        Checkpoint.objects.filter(cluster_id=cluster).delete()
        for gathered in (LogBlock, LogStream, MetricBlock, MetricSeries):
            gathered.objects.filter(cluster_id=cluster).delete()


def take_ownership(name: str, owner: str) -> tuple[Cluster, int]:
    """Become the writer of cluster `name`: (its row, our epoch). Older epochs can't commit any more."""
    with transaction.atomic():
        row = Cluster.objects.select_for_update().get(name=name) if connection.features.has_select_for_update else None
        row = row or Cluster.objects.get(name=name)
        row.owner_epoch += 1
        row.owner = owner
        row.save(update_fields=("owner_epoch", "owner"))
    return row, row.owner_epoch
