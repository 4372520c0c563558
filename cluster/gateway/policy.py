"""Who may read: the authoriser of a cluster as its committed rows say, kept until a role or a binding changes.

Masters are never looked up. For everybody else a request costs one look at the newest revision and the number of the
roles and bindings (two ranges of keys); only if those have moved are they read again.

Read next: cluster/apiserver/authorization.
"""

from collections import OrderedDict
from typing import NamedTuple

import orjson

from cluster.apiserver import registry
from cluster.apiserver.authorization import KINDS
from cluster.apiserver.authorization.authorizer import Authorizer
from cluster.apiserver.reads import Reader
from cluster.gateway import pool
from cluster.objects import Manifest

MOST_CLUSTERS = 64  # Whose policies are kept; the least recently asked for are forgotten first.
_PREFIXES = tuple(registry.by_kind(kind).storage_prefix() for kind in KINDS)


class Committed:
    """Objects of a cluster, read from rows when they are asked for; those in `kept` are not read again."""

    def __init__(self, cluster: str, kept: dict[str, list[Manifest]] | None = None) -> None:
        self._cluster = cluster
        self._kept = {kind: _by_place(objects) for kind, objects in (kept or {}).items()}

    def get(self, kind: str, namespace: str, name: str) -> Manifest | None:
        if kind in self._kept:
            return self._kept[kind].get((namespace, name))
        resource = registry.by_kind(kind)
        found = pool.reader().get(self._cluster, resource.storage_key(namespace, name))
        return orjson.loads(found[1]) if found is not None and found[1] is not None else None

    def list(self, kind: str, namespace: str | None = None) -> list[Manifest]:
        if kind in self._kept:
            return [obj for (where, _), obj in self._kept[kind].items() if namespace in (None, where)]
        return _read(pool.reader(), self._cluster, kind, namespace or "")


def _by_place(objects: list[Manifest]) -> dict[tuple[str, str], Manifest]:
    return {(obj["metadata"].get("namespace", ""), obj["metadata"]["name"]): obj for obj in objects}


def _read(reader: Reader, cluster: str, kind: str, namespace: str = "") -> list[Manifest]:
    found = reader.listing(cluster, registry.by_kind(kind).storage_prefix(namespace))
    return [orjson.loads(row.value) for row in found[1]] if found else []


class _Known(NamedTuple):
    mark: tuple[int, ...]
    authorizer: Authorizer


_known: OrderedDict[str, _Known] = OrderedDict()


async def authorizer(cluster: str) -> Authorizer:
    """Decides by what is committed now."""
    mark = pool.reader().mark(cluster, _PREFIXES)
    known = _known.get(cluster)
    if known is None or known.mark != mark:
        kept = await pool.in_thread(_read_all, cluster)  # What is newer than the mark is read again the next time.
        known = _known[cluster] = _Known(mark, Authorizer(Committed(cluster, kept)))
        if len(_known) > MOST_CLUSTERS:
            _known.popitem(last=False)
    _known.move_to_end(cluster)
    return known.authorizer


def _read_all(reader: Reader, cluster: str) -> dict[str, list[Manifest]]:
    return {kind: _read(reader, cluster, kind) for kind in KINDS}
