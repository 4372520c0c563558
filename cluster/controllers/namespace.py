"""Namespace controller: empties a namespace that is being deleted, and then lets it go.

The API server only marks it (Terminating). Pods go first and take their grace period; then everything else, kind by
kind. When nothing is left the finalizer `kubernetes` goes, and with it the namespace.

Mirrors:  kubernetes/pkg/controller/namespace/deletion (namespaced_resources_deleter.go, status_condition_utils.go)
"""

from typing import Any

from cluster.engine.clock import SECOND
from cluster.engine.controller import Controller
from cluster.objects import Manifest, conditions, meta
from cluster.objects.errors import NotFound

GRACE = 5 * SECOND  # Between the mark and the first deletion: writes under way shall have landed.
RETRY = 5 * SECOND
GONE_FIRST = "Pod"
LAST = ("Event", "ServiceAccount", "Service")
GOOD = {
    "NamespaceDeletionDiscoveryFailure": ("ResourcesDiscovered", "All resources successfully discovered"),
    "NamespaceDeletionGroupVersionParsingFailure": (
        "ParsedGroupVersions",
        "All legacy kube types successfully parsed",
    ),
    "NamespaceDeletionContentFailure": (
        "ContentDeleted",
        "All content successfully deleted, may be waiting on finalization",
    ),
    "NamespaceContentRemaining": ("ContentRemoved", "All content successfully removed"),
    "NamespaceFinalizersRemaining": ("ContentHasNoFinalizers", "All content-preserving finalizers finished"),
}


class NamespaceController(Controller):
    name = "namespace-controller"
    kind = "Namespace"

    def _changed(self, old: Manifest | None, new: Manifest | None) -> None:
        if new is not None and meta.is_deleting(new) and (old is None or not meta.is_deleting(old)):
            self.queue.add_after(meta.key(new), GRACE, f"namespace {meta.name(new)} is emptied")

    def reconcile(self, namespace: Manifest) -> None:
        """Delete what is inside; look again while something stays; let the namespace go when it is empty."""
        if not meta.is_deleting(namespace):
            return
        name = meta.name(namespace)
        waiting = self._delete_kind(GONE_FIRST, name)
        if not waiting:
            for kind in self._kinds(name):
                waiting += self._delete_kind(kind, name)
        namespace = self._report(namespace, waiting)
        if waiting:
            self.queue.add_after(name, RETRY, f"namespace {name} is looked at again")
            return
        if (namespace.get("spec") or {}).get("finalizers"):
            self.client.finalize({**namespace, "spec": {"finalizers": []}})

    def _kinds(self, name: str) -> list[str]:
        """Kinds with objects in this namespace, in the order in which they go."""
        found = [kind for kind in self.informers.kinds_in(name) if kind != GONE_FIRST and self.client.serves(kind)]
        return sorted(found, key=lambda kind: (LAST.index(kind) + 1 if kind in LAST else 0, kind))

    def _delete_kind(self, kind: str, namespace: str) -> list[Manifest]:
        """Delete all objects of one kind; those that stay (grace period, finalizers) are returned."""
        left = []
        for obj in self.informers.list(kind, namespace):
            if not meta.is_deleting(obj):
                try:
                    self.client.delete(kind, namespace, meta.name(obj), propagation="Background")
                except NotFound:
                    continue
            stays = self.informers.get(kind, namespace, meta.name(obj))
            if stays is not None:
                left.append(stays)
        return left

    def _report(self, namespace: Manifest, waiting: list[Manifest]) -> Manifest:
        """Five conditions that say what holds the namespace."""
        bad: dict[str, tuple[str, str]] = {}
        if waiting:
            counts: dict[str, int] = {}
            finalizers: dict[str, int] = {}
            for obj in waiting:
                cache = self.client.cache_of(obj["kind"], obj["apiVersion"]) or ""
                resource = cache if "." in cache else _resource_name(obj)
                counts[resource] = counts.get(resource, 0) + 1
                for finalizer in obj["metadata"].get("finalizers", []):
                    finalizers[finalizer] = finalizers.get(finalizer, 0) + 1
            totals = sorted(counts.items())
            listed = ", ".join(f"{resource} has {number} resource instances" for resource, number in totals)
            bad["NamespaceContentRemaining"] = ("SomeResourcesRemain", f"Some resources are remaining: {listed}")
            if finalizers:
                listed = ", ".join(f"{f} in {number} resource instances" for f, number in sorted(finalizers.items()))
                message = f"Some content in the namespace has finalizers remaining: {listed}"
                bad["NamespaceFinalizersRemaining"] = ("SomeFinalizersRemain", message)
        found = (namespace.get("status") or {}).get("conditions")
        for type_, (reason, message) in GOOD.items():
            status = "False"
            if type_ in bad:
                status, (reason, message) = "True", bad[type_]
            known = conditions.get(namespace, type_)
            if known is not None and (known["status"], known.get("message")) == (status, message):
                continue
            same = known is not None and known["status"] == status
            since = known["lastTransitionTime"] if known is not None and same else self.clock.stamp()
            condition: dict[str, Any] = {"type": type_, "status": status, "lastTransitionTime": since}
            found = conditions.put(found, {**condition, "reason": reason, "message": message})
        return self.client.update_status({**namespace, "status": {**namespace.get("status", {}), "conditions": found}})


def _resource_name(obj: Manifest) -> str:
    """`pods.` or `deployments.apps`, as the real message names a resource."""
    group = obj["apiVersion"].rpartition("/")[0]
    return f"{_plural(obj['kind'])}.{group}"


def _plural(kind: str) -> str:
    lower = kind.lower()
    if lower.endswith("y"):
        return f"{lower[:-1]}ies"
    if lower == "endpoints":
        return lower
    return f"{lower}es" if lower.endswith("s") else f"{lower}s"
