"""How much etcd holds: living keys, and the bytes of all revisions that are not compacted away.

A revision's bytes never change, so what was added up once is only added to; after a compaction it is added up anew.

Mirrors:  etcd_debugging_mvcc_keys_total, etcd_mvcc_db_total_size_in_use_in_bytes
Read next: monitoring/controlplane.py, which shows it.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from django.db import connection

from cluster.models import REVISION_BITS

KEPT = 64  # Clusters whose sums a process keeps.
Ask = Callable[[str, list[Any]], list[tuple[Any, ...]]]


class History(NamedTuple):
    """`compacted`: the revision up to which older ones are gone; `bytes`: of keys and values that are still there."""

    compacted: int = 0
    keys: int = 0
    bytes: int = 0


class _Sum(NamedTuple):
    first: int
    compacted: int
    last: int
    bytes: int


_sums: dict[int, _Sum] = {}


def history(cluster: int, ask: Ask | None = None) -> History:
    """Of cluster `cluster` (its id). `ask`: rows of a statement; without it by Django's connection."""
    ask = ask or _by_django
    found = ask("SELECT first_revision, compacted, revision FROM cluster_cluster WHERE id = %s", [cluster])
    if not found:
        return History()
    first, compacted, last = found[0]
    known, base = _sums.get(cluster), cluster << REVISION_BITS
    if known is None or (known.first, known.compacted) != (first, compacted) or known.last > last:
        known = _Sum(first, compacted, 0, 0)
    ((added,),) = ask(
        "SELECT COALESCE(SUM(LENGTH(value) + LENGTH(key)), 0) FROM cluster_revision WHERE id > %s AND id <= %s",
        [base + known.last, base + last],
    )
    if len(_sums) >= KEPT and cluster not in _sums:
        del _sums[next(iter(_sums))]
    _sums[cluster] = _Sum(first, compacted, last, known.bytes + int(added))
    keys = ask("SELECT COUNT(*) FROM cluster_storedobject WHERE id >= %s AND id < %s", [f"{cluster}:", f"{cluster};"])
    return History(max(compacted, first), int(keys[0][0]), _sums[cluster].bytes)


def _by_django(sql: str, parameters: list[Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return list(cursor.fetchall())
