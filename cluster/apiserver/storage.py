"""Storage: between a registry entry and etcd. A write gets its revision, its bytes and its causes; watchers hear of it.

The API server's cache of living objects is the informers' cache: one dict per object, shared by everybody, replaced at
every write and never changed. What goes to etcd is the JSON of that dict, with its own revision inside, so that a GET
or a LIST can pass stored bytes on without parsing them.

Mirrors:  k8s.io/apiserver/pkg/registry/generic/registry (store.go)
Read next: cluster/etcd/store.py.
"""

from collections.abc import Callable
from typing import Any

import orjson

from cluster.apiserver.registry import Resource
from cluster.engine.agenda import Agenda
from cluster.engine.clock import Clock
from cluster.engine.informer import Informers
from cluster.etcd.store import Store
from cluster.objects import Manifest, errors


def _always() -> bool:
    return True


class Storage:
    """Writes objects. `notable` counts writes that a person would call an event: no heartbeats, no lease renewals."""

    def __init__(self, store: Store, informers: Informers, agenda: Agenda, clock: Clock) -> None:
        self.store, self.informers, self.agenda, self.clock = store, informers, agenda, clock
        self.notable = 0
        self.may_write: Callable[[], bool] = _always  # Has etcd a quorum?

    def check(self) -> None:
        """Errors: ApiError, in etcd's words, if nothing can be written now."""
        if not self.may_write():
            raise errors.ApiError("etcdserver: request timed out")

    def get(self, resource: Resource, namespace: str, name: str) -> Manifest | None:
        return self.informers.get(resource.cache, namespace, name)

    def next_revision(self) -> int:
        return self.store.revision + 1

    def put(self, resource: Resource, old: Manifest | None, new: Manifest) -> Manifest:
        """Store `new`, whose metadata must be a fresh dict. Returns what was stored. Errors: ApiError: no quorum."""
        self.check()
        store, agenda, metadata = self.store, self.agenda, new["metadata"]
        metadata["resourceVersion"] = str(store.revision + 1)
        namespace, name = metadata.get("namespace", ""), metadata["name"]
        value = orjson.dumps(new)
        clock = self.clock
        key = resource.storage_key(namespace, name)
        write = store.put(key, value, agenda.actor, agenda.causes, clock.step, clock.now)
        if not _is_heartbeat(resource.cache, old, new):
            self.notable += 1
        where = f"{namespace}/{name}" if namespace else name
        self._tell(resource.cache, where, old, new, write.revision, write.created)
        return new

    def remove(self, resource: Resource, old: Manifest) -> Manifest:
        """Delete; returns the last state, carrying the revision of the deletion. Errors: ApiError: no quorum."""
        self.check()
        metadata = old["metadata"]
        namespace, name = metadata.get("namespace", ""), metadata["name"]
        last = {**old, "metadata": {**metadata, "resourceVersion": str(self.store.revision + 1)}}
        value = orjson.dumps(last)
        key = resource.storage_key(namespace, name)
        agenda, clock = self.agenda, self.clock
        write = self.store.delete(key, value, agenda.actor, agenda.causes, clock.step, clock.now)
        if resource.cache != "Event":
            self.notable += 1
        where = f"{namespace}/{name}" if namespace else name
        self._tell(resource.cache, where, last, None, write.revision, write.created)
        return last

    def _tell(self, kind: str, key: str, old: Manifest | None, new: Manifest | None, revision: int, rank: int) -> None:
        """Whoever reacts now reacts because of this revision."""
        agenda = self.agenda
        before, agenda.causes = agenda.causes, (f"r{revision}",)
        try:
            self.informers.apply(kind, key, old, new, rank)
        finally:
            agenda.causes = before


def _is_heartbeat(kind: str, old: Manifest | None, new: Manifest) -> bool:
    """Lease renewals, and node statuses in which only the time of the heartbeat moved."""
    if old is None:
        return False
    if kind == "Lease":
        return True
    return kind == "Node" and _without_heartbeats(old) == _without_heartbeats(new)


def _without_heartbeats(node: Manifest) -> Any:
    status = node.get("status", {})
    conditions = [(c["type"], c["status"], c.get("reason")) for c in status.get("conditions", ())]
    return conditions, node["spec"], status.get("addresses"), node["metadata"].get("labels")
