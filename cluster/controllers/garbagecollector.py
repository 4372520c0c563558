"""Garbage collector: what an object owned goes when the object is gone, or is let go, as its deleter asked.

    Background (default)   the owner goes at once; dependents are found ownerless and deleted afterwards
    Foreground             the owner waits (finalizer foregroundDeletion) until its blocking dependents are gone
    Orphan                 the owner waits (finalizer orphan) until nobody refers to it any more

Mirrors:  kubernetes/pkg/controller/garbagecollector (garbagecollector.go, graph_builder.go)
Left out: the graph of absent owners' kinds that this cluster does not serve.
"""

from cluster.engine.client import revision_of
from cluster.engine.controller import Component
from cluster.objects import Manifest, meta
from cluster.objects.errors import Conflict, NotFound

FOREGROUND, ORPHAN = "foregroundDeletion", "orphan"
KINDS = (
    "ConfigMap", "ControllerRevision", "CronJob", "DaemonSet", "Deployment", "Endpoints", "EndpointSlice",
    "HorizontalPodAutoscaler", "Job", "Lease", "LimitRange", "Namespace", "Node", "PersistentVolume",
    "PersistentVolumeClaim", "Pod", "PodDisruptionBudget", "PodTemplate", "PriorityClass", "ReplicaSet",
    "ReplicationController", "ResourceQuota", "Secret", "Service", "ServiceAccount", "StatefulSet",
)  # fmt: skip


class GarbageCollector(Component):
    """Queue keys: `delete/<kind>/<key>` (look at a dependent), `owner/<kind>/<key>` (look at a waiting owner)."""

    name = "garbage-collector-controller"
    user = "system:serviceaccount:kube-system:generic-garbage-collector"
    reaction = 100_000

    def watch(self) -> None:
        for kind in KINDS:
            self._follow(kind)
        self.informers.on_custom(self._follow, self.name)

    def start(self) -> None:
        """Look at all there is: owners may have gone, and deletions may have begun, while nobody looked."""
        for kind in (*KINDS, *self.informers.custom_kinds()):
            for obj in self.informers.list(kind):
                self._changed(kind, None, obj)

    def _follow(self, kind: str) -> None:
        self.informers.add_index(kind, "owner", lambda obj: [r["uid"] for r in meta.owners(obj)])
        self.informers.subscribe(kind, lambda old, new: self._changed(kind, old, new), self.name)

    def _changed(self, kind: str, old: Manifest | None, new: Manifest | None) -> None:
        if new is None and old is not None:
            self._owner_gone(old)
            for reference in meta.owners(old):
                self._wake_owner(reference, old)
        elif new is not None:
            if meta.is_deleting(new) and (new["metadata"].get("finalizers") or ()):
                self.queue.add(f"owner/{kind}/{meta.key(new)}")
            before = old["metadata"].get("ownerReferences") if old is not None else None
            after = new["metadata"].get("ownerReferences")
            if after is not before and after and after != before and self._has_absent_owner(new):
                self.queue.add(f"delete/{kind}/{meta.key(new)}")
            if before is not after and before:
                for reference in before:
                    self._wake_owner(reference, new)

    def _has_absent_owner(self, obj: Manifest) -> bool:
        return any(self._find(reference, obj) is None for reference in meta.owners(obj))

    def _owner_gone(self, owner: Manifest) -> None:
        for kind, dependent in self._dependents(owner):
            self.queue.add(f"delete/{kind}/{meta.key(dependent)}")

    def _wake_owner(self, reference: Manifest, dependent: Manifest) -> None:
        owner = self._find(reference, dependent)
        if owner is not None and meta.is_deleting(owner):
            self.queue.add(f"owner/{self._kind(reference)}/{meta.key(owner)}")

    def _dependents(self, owner: Manifest) -> list[tuple[str, Manifest]]:
        uid = meta.uid(owner)
        custom = (kind for kind in self.informers.custom_kinds() if self.client.serves(kind))
        return [(kind, obj) for kind in (*KINDS, *custom) for obj in self.informers.by_index(kind, "owner", uid)]

    def _kind(self, obj: Manifest) -> str:
        """The name of an object's or a reference's kind in informers; empty if we can't look it up."""
        kind = self.client.cache_of(obj["kind"], obj["apiVersion"])
        return kind if kind is not None and (kind in KINDS or "." in kind) else ""

    def _find(self, reference: Manifest, dependent: Manifest) -> Manifest | None:
        """The living owner that a reference means: same kind, name and uid, in the dependent's namespace."""
        kind = self._kind(reference)
        if not kind:
            return {"metadata": {}}  # A kind that we can't look up counts as there.
        for namespace in (meta.namespace(dependent), ""):
            found = self.informers.get(kind, namespace, reference["name"])
            if found is not None and meta.uid(found) == reference["uid"]:
                return found
        return None

    def process(self, key: str) -> None:
        what, kind, where = key.split("/", 2)
        obj = self.informers.by_key(kind, where)
        if obj is None:
            return
        if what == "owner":
            self._serve_owner(obj)
        else:
            self._collect(kind, obj)

    # --- dependents ---------------------------------------------------------------------------------------------

    def _collect(self, kind: str, obj: Manifest) -> None:
        """Delete what has no owner left; drop references to owners that are gone or do not wait for it."""
        if meta.is_deleting(obj) and not (obj["metadata"].get("finalizers") or ()):
            return
        solid, dangling, waiting = [], [], []
        for reference in meta.owners(obj):
            owner = self._find(reference, obj)
            if owner is None:
                dangling.append(reference)
            elif meta.is_deleting(owner) and FOREGROUND in owner["metadata"].get("finalizers", ()):
                waiting.append(reference)
            else:
                solid.append(reference)
        if solid:
            if dangling or waiting:
                self._keep_owners(kind, obj, solid)
            return
        if waiting and self._dependents(obj):
            self._delete(kind, obj, "Foreground")
            return
        if dangling or waiting:
            finalizers = obj["metadata"].get("finalizers") or ()
            policy = "Orphan" if ORPHAN in finalizers else "Foreground" if FOREGROUND in finalizers else "Background"
            self._delete(kind, obj, policy)

    def _keep_owners(self, kind: str, obj: Manifest, owners: list[Manifest]) -> None:
        patch = {"metadata": {"ownerReferences": owners or None, "uid": meta.uid(obj)}}
        try:
            self.client.patch(kind, meta.namespace(obj), meta.name(obj), patch)
        except (NotFound, Conflict):
            return

    def _delete(self, kind: str, obj: Manifest, policy: str) -> None:
        try:
            self.client.delete(kind, meta.namespace(obj), meta.name(obj), uid=meta.uid(obj), propagation=policy)
        except (NotFound, Conflict):
            return

    # --- owners that wait ---------------------------------------------------------------------------------------

    def _serve_owner(self, owner: Manifest) -> None:
        finalizers = owner["metadata"].get("finalizers") or []
        if not meta.is_deleting(owner):
            return
        if ORPHAN in finalizers:
            for kind, dependent in self._dependents(owner):
                rest = [r for r in meta.owners(dependent) if r["uid"] != meta.uid(owner)]
                self._keep_owners(kind, dependent, rest)
            self._remove_finalizer(owner, ORPHAN)
        elif FOREGROUND in finalizers:
            blocking = [(kind, d) for kind, d in self._dependents(owner) if _blocks(d, owner)]
            if not blocking:
                self._remove_finalizer(owner, FOREGROUND)
                return
            with self.client.because(revision_of(owner)):
                for kind, dependent in self._dependents(owner):
                    if not meta.is_deleting(dependent):
                        self._collect(kind, dependent)

    def _remove_finalizer(self, owner: Manifest, finalizer: str) -> None:
        kind = self._kind(owner)
        current = self.informers.get(kind, meta.namespace(owner), meta.name(owner))
        if current is None or meta.uid(current) != meta.uid(owner):
            return
        rest = [f for f in current["metadata"].get("finalizers", []) if f != finalizer]
        patch = {"metadata": {"finalizers": rest or None}}
        try:
            self.client.patch(kind, meta.namespace(owner), meta.name(owner), patch)
        except NotFound:
            return


def _blocks(dependent: Manifest, owner: Manifest) -> bool:
    return any(r["uid"] == meta.uid(owner) and r.get("blockOwnerDeletion") for r in meta.owners(dependent))
