"""The door between world and etcd: the world hands its turn to the API server, which alone may reach etcd.

Also what it takes to build a world again from rows, and a cluster's life in one small file: seed, engine version and
inputs (`export`), and one number that two equal lives share (`digest`).
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from typing import Any

import orjson
from django.db import transaction

from cluster import ENGINE_VERSION
from cluster.apiserver import kinds
from cluster.apiserver.registry import Resource
from cluster.etcd import compaction, disk
from cluster.etcd.disk import Batch, DepartedRow, EventRow, Fenced, InputRow, Withdrawn
from cluster.etcd.store import Head, Store, Write
from cluster.models import Cluster

__all__ = ["Batch", "DepartedRow", "EventRow", "Fenced", "Head", "InputRow", "Withdrawn", "Write"]

ROW_FIELDS = (
    "seed",
    "epoch",
    "options",
    "first_revision",
    "revision",
    "step",
    "sequence",
    "inputs",
    "events",
    "sim_now",
    "last_checkpoint_step",
    "last_checkpoint_time",
)

commit = disk.commit
load_objects = disk.load_objects
load_cells = disk.load_cells
objects_at = disk.objects_at
revisions = disk.revisions
inputs = disk.inputs
checkpoint_before = disk.checkpoint_before
take_ownership = disk.take_ownership
forget = disk.forget
load_cell = disk.load_cell
compaction_target = compaction.target
row_id = disk.row_id
number_of = disk.number_of


@contextmanager
def as_owner(cluster: int, owner_epoch: int) -> Iterator[None]:
    """A transaction for what was gathered beside the world, during which nobody else can take the cluster.

    Errors: Fenced if somebody has taken it.
    """
    with transaction.atomic():
        held = Cluster.objects.select_for_update().filter(pk=cluster, owner_epoch=owner_epoch)
        if not held.values_list("pk", flat=True):
            raise Fenced(f"another owner has cluster {cluster} now")
        yield


def new_store(revision: int) -> Store:
    return Store(revision)


cache_of, key_of = kinds.cache_of, kinds.key_of


def resource_of(kind: str) -> Resource:
    """Of a kind by the name of its cache. Errors: PathNotFound."""
    return kinds.stored_under(kind)


def row_of(cluster: Cluster) -> dict[str, Any]:
    """The plain counters of a Cluster row, as `World.load` wants them."""
    return {name: getattr(cluster, name) for name in ROW_FIELDS}


def export(row: dict[str, Any], step: int, sim_time: int, rows: Iterable[InputRow]) -> dict[str, Any]:
    """A cluster's life as plain data. Times: simulated microseconds; `epoch`: microseconds since 1970 at t = 0."""
    requests = [{"id": r.id, "step": r.step, "simTime": r.sim_time, "request": orjson.loads(r.request)} for r in rows]
    return {
        "engine": ENGINE_VERSION,
        "seed": row["seed"],
        "epoch": row["epoch"],
        "options": row["options"],
        "first_revision": row.get("first_revision", 0),
        "step": step,
        "simTime": sim_time,
        "inputs": requests,
    }


def digest(writes: Iterable[Write]) -> str:
    """SHA-256 over revision, step, simulated time, actor, causes, key and bytes of every revision."""
    total = sha256()
    for w in writes:
        parts = (w.revision, w.step, w.sim_time, w.actor, " ".join(w.causes), w.verb, w.key, "")
        total.update("\x1f".join(map(str, parts)).encode())
        total.update(w.value)
        total.update(b"\x1e")
    return total.hexdigest()
