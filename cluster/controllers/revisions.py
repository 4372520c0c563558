"""ControllerRevisions: the templates that a DaemonSet or a StatefulSet has had, so that it can go back to one.

A revision's data is the patch that would bring its template back. A template that comes again gets its old revision
back, with a new number.

Mirrors:  kubernetes/pkg/controller/history/controller_history.go
Read next: daemonset.py, statefulset.py.
"""

import orjson

from cluster.engine.client import Client
from cluster.engine.informer import Informers
from cluster.objects import Manifest, gostructs, meta, workloads
from cluster.objects.errors import NotFound

HASH = "controller-revision-hash"  # Of pods, and of a DaemonSet's revisions.
SET_HASH = "controller.kubernetes.io/hash"  # Of a StatefulSet's revisions.
KIND = "ControllerRevision"


def snapshot(owner: Manifest) -> Manifest:
    """The data of the revision that `owner` is at."""
    template = owner["spec"].get("template") or {}
    metadata = {name: value for name, value in (template.get("metadata") or {}).items() if value}
    return {"spec": {"template": {"$patch": "replace", "metadata": metadata, "spec": template.get("spec") or {}}}}


def hash_of(owner: Manifest, data: Manifest, label: str) -> str:
    """The characters that name a revision: of a DaemonSet as Deployments name templates, else of the JSON of `data`."""
    collisions = (owner.get("status") or {}).get("collisionCount")
    if label == HASH:
        return workloads.template_hash(owner["spec"].get("template") or {}, collisions)
    text = orjson.dumps(data, option=orjson.OPT_SORT_KEYS)
    for mark in b"<>&":
        text = text.replace(bytes([mark]), b"\\u%04x" % mark)  # As Go writes them.
    return gostructs.encoded(gostructs.fnv32(text + str(collisions or 0).encode()))


class History:
    """The revisions of one owner. `label`: which label carries the hash."""

    def __init__(self, client: Client, informers: Informers, owner: Manifest, label: str) -> None:
        self._client, self._owner, self._label = client, owner, label
        owned = informers.by_index(KIND, "controller", meta.uid(owner))
        self.all = sorted(owned, key=lambda revision: (revision.get("revision", 0), meta.name(revision)))

    def current(self) -> Manifest:
        """The revision of the owner's template: found, renumbered or made."""
        data = snapshot(self._owner)
        highest = self.all[-1].get("revision", 0) if self.all else 0
        same = [revision for revision in self.all if revision.get("data") == data]
        if not same:
            made = self._client.create(self._new(data, highest + 1))
            self.all.append(made)
            return made
        found = same[-1]
        if found.get("revision", 0) < highest:
            renumbered = self._client.update({**found, "revision": highest + 1})
            self.all = [*(r for r in self.all if r is not found), renumbered]
            return renumbered
        return found

    def _new(self, data: Manifest, number: int) -> Manifest:
        owner = self._owner
        text = hash_of(owner, data, self._label)
        metadata: Manifest = {"name": f"{meta.name(owner)}-{text}", "namespace": meta.namespace(owner)}
        labels = ((owner["spec"].get("template") or {}).get("metadata") or {}).get("labels") or {}
        metadata["labels"] = {**labels, self._label: text}
        if meta.annotations(owner):
            metadata["annotations"] = meta.annotations(owner)
        metadata["ownerReferences"] = [meta.owner_reference(owner)]
        return {"kind": KIND, "apiVersion": "apps/v1", "metadata": metadata, "data": data, "revision": number}

    def named(self, name: str) -> Manifest | None:
        return next((revision for revision in self.all if meta.name(revision) == name), None)

    def truncate(self, in_use: set[str], limit: int) -> None:
        """Forget the oldest revisions beyond `limit` that nobody uses. `in_use`: names."""
        spare = [revision for revision in self.all if meta.name(revision) not in in_use]
        for revision in spare[: max(0, len(spare) - limit)]:
            try:
                self._client.delete(KIND, meta.namespace(revision), meta.name(revision))
            except NotFound:
                continue
