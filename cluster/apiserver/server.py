"""kube-apiserver: the only door to the cluster's state. Read `Server.create_as` and `Server.modify` first.

A write's way, the same for a controller's call and for kubectl's bytes:

    authenticate → authorise → decode → default → mutating admission → validate → validating admission → store

Everything happens in memory, in one order, inside the world: names, uids, addresses and quota need no retries. Reads
never come here: they are answered from committed rows (reads.py). Objects are shared and immutable, so every stage
returns a new dict or the very one it got.

Mirrors:  k8s.io/apiserver/pkg/endpoints/handlers (create.go, update.go, patch.go, delete.go)
Left out: webhooks; our own components are not asked what they may.
Read next: requests.py for the bytes around it, storage.py, then registry/ for what a kind is.
"""

from collections.abc import Callable
from typing import Any

from cluster.apiserver import admission, disruption, fieldmanager, patches, registry
from cluster.apiserver.admission import (
    CREATE,
    DELETE,
    UPDATE,
    Attributes,
    namespace_lifecycle,
    resource_quota,
    topology_labels,
    webhooks,
)
from cluster.apiserver.allocators import Allocators
from cluster.apiserver.authorization import KINDS as RBAC_KINDS
from cluster.apiserver.authorization import reviews
from cluster.apiserver.authorization.authorizer import Authorizer
from cluster.apiserver.kinds import DEFINITIONS, SERVICES, Kinds
from cluster.apiserver.options import Options, of_delete
from cluster.apiserver.registry import Resource
from cluster.apiserver.storage import Storage
from cluster.engine.agenda import Agenda
from cluster.engine.clock import SECOND, Clock
from cluster.engine.dice import Dice
from cluster.engine.informer import Informers
from cluster.etcd.store import Store
from cluster.objects import Manifest, conditions, errors, meta, times
from cluster.objects.users import User

NOBODY = User("")  # Our own recorders: only the namespace is asked for.
Aggregated = Callable[[str, str], list[Manifest]]  # (plural, namespace) to objects. Errors: ServiceUnavailable.
NAME_ATTEMPTS = 8  # How often generateName tries another suffix, as in the real one.


class Server:
    """The API server of one cluster. `options`: the cluster's settings (service range, CA …)."""

    def __init__(
        self,
        store: Store,
        informers: Informers,
        agenda: Agenda,
        clock: Clock,
        dice: Dice,
        options: dict[str, Any],
    ) -> None:
        self.clock, self.dice, self.informers, self.options = clock, dice, informers, options
        self.kinds = Kinds(lambda: informers.list(DEFINITIONS), lambda: informers.list(SERVICES))
        for kind in (DEFINITIONS, SERVICES):
            informers.subscribe(kind, self.kinds.changed)
        self.authorizer = Authorizer(informers)
        for kind in RBAC_KINDS:
            informers.subscribe(kind, lambda old, new: self.authorizer.forget())
        self.storage = Storage(store, informers, agenda, clock)
        self.allocators = Allocators(informers, dice, self.storage, options)
        self.aggregated: dict[str, Aggregated] = {}  # API group to who answers for it, behind an APIService …
        self.dial: Callable[[Manifest, Any], str] = lambda entry, backend: ""  # … and does a pod?

    # --- what the client of every component calls ---------------------------------------------------------------

    def get(self, kind: str, namespace: str, name: str) -> Manifest:
        resource = self.kinds.stored(kind)
        found = self.informers.get(resource.cache, namespace, name)
        if found is None:
            raise errors.NotFound(resource.group, resource.plural, name)
        return found

    def create(self, user: User, obj: Manifest, subresource: str = "", options: Options | None = None) -> Manifest:
        """Create `obj`. Errors: AlreadyExists, Invalid, Forbidden, NotFound (its namespace)."""
        if subresource == "eviction":
            return self.evict(user, obj, options or Options())
        resource = self.kinds.by_kind(obj["kind"], obj["apiVersion"])
        if resource.is_custom:
            obj = registry.store_form(resource, obj)
        return self.create_as(resource, user, obj, options or Options())

    def create_as(self, resource: Resource, user: User, obj: Manifest, options: Options) -> Manifest:
        """The pipeline of a creation, after decoding."""
        self.storage.check()
        if resource.refuses:
            raise errors.MethodNotAllowed(resource.refuses)
        stages = options.stages
        new = self._with_identity(resource, obj, options.hooks.seed if options.hooks is not None else "")
        metadata = new["metadata"]
        namespace, name = metadata.get("namespace", ""), metadata.get("name", "")
        given = obj.get("metadata") or {}
        shown = given.get("name") or given.get("generateName", "")
        new = self._owned(resource, registry.default(resource, new), given.get("managedFields"), user, options)
        attributes = Attributes(CREATE, resource, "", namespace, shown, user, new)
        attributes.dry_run, attributes.warnings, attributes.hooks = options.dry_run, options.warnings, options.hooks
        new = registry.prepare_create(resource, admission.mutate(self, attributes, stages))
        if resource.requested_by is not None:
            new = resource.requested_by(new, user)
        if resource.stamp is not None:
            new = resource.stamp(new, None, self.clock.stamp())
        if stages is not None:
            stages.enter("validation")
        new = self.allocators.on_create(resource, new)
        problems = registry.validate_create(resource, new)
        if problems:
            raise errors.Invalid(resource.group, resource.kind, name, problems)
        attributes.name, attributes.obj = name, new
        admission.validate(self, attributes, stages)
        if stages is not None:
            stages.enter("storage")
        existing = self.storage.get(resource, namespace, name)
        if existing is not None:
            raise errors.AlreadyExists(resource.group, resource.plural, name, deleting=meta.is_deleting(existing))
        if options.dry_run:
            return new
        if new["metadata"] is obj["metadata"]:
            new = {**new, "metadata": {**new["metadata"]}}
        stored = self.storage.put(resource, None, new)
        if resource.cache == "Service":
            self.allocators.settle(None, stored)
        return stored

    def record(self, event: Manifest) -> Manifest:
        """Create an Event of one of our own recorders: complete and valid as it is, so only its namespace is asked for.

        More than half of all writes of a rollout are events.
        """
        resource, given = registry.by_kind("Event"), event["metadata"]
        namespace, name = given["namespace"], given["name"]
        attributes = Attributes(CREATE, resource, "", namespace, name, NOBODY, event)
        namespace_lifecycle.admit(self, attributes)
        resource_quota.check(self, attributes)
        uid = self.dice.uuid("uid", self.storage.next_revision())
        metadata = {"name": name, "namespace": namespace, "uid": uid, "resourceVersion": ""}
        metadata["creationTimestamp"] = now = self.clock.stamp()
        if "annotations" in given:
            metadata["annotations"] = given["annotations"]
        metadata["managedFields"] = fieldmanager.on_record(resource, event, now)
        return self.storage.put(resource, None, {**event, "metadata": metadata})

    def update(self, user: User, obj: Manifest, subresource: str = "") -> Manifest:
        """Replace the living object (or its `subresource`). Errors: NotFound, Conflict, Invalid."""
        resource = self.kinds.by_kind(obj["kind"], obj["apiVersion"])
        namespace, name = meta.namespace(obj), meta.name(obj)
        if subresource == "status":
            old = self.storage.get(resource, namespace, name)
            if old is not None and old["metadata"] is obj["metadata"]:
                return self._report(resource, user, old, obj.get("status") or {})
        return self.modify(resource, user, namespace, name, lambda _: obj, subresource, Options())

    def _report(self, resource: Resource, user: User, old: Manifest, status: Manifest) -> Manifest:
        """One of our own components reports on the very object that is stored: nothing but its status can differ."""
        if status == old.get("status"):
            return old
        now = self.clock.stamp()
        metadata = fieldmanager.on_report(resource, old, status, fieldmanager.component(user.name), now)
        return self.storage.put(resource, old, {**old, "metadata": metadata, "status": status})

    def merge(self, user: User, kind: str, namespace: str, name: str, patch: Manifest, subresource: str) -> Manifest:
        """Apply a merge patch (RFC 7386) given as a dict."""
        resource = self.kinds.stored(kind)
        return self.modify(
            resource, user, namespace, name, lambda current: patches.merged(current, patch), subresource, Options()
        )

    def modify(
        self,
        resource: Resource,
        user: User,
        namespace: str,
        name: str,
        change: Callable[[Manifest], Manifest],
        subresource: str,
        options: Options,
    ) -> Manifest:
        """Read, change, admit, validate, store. A change that changes nothing writes nothing."""
        self.storage.check()
        old = self.storage.get(resource, namespace, name)
        if old is None:
            raise errors.NotFound(resource.group, resource.plural, name)
        asked = change(old)
        stages = options.stages
        if asked is old and stages is None:
            return old
        self._check_version(resource, old, asked)
        if subresource not in _PARTIAL and registry.is_touched(old, asked):
            asked = registry.default(resource, asked)  # What was stored has its defaults already.
        attributes = Attributes(UPDATE, resource, subresource, namespace, name, user, asked, old)
        attributes.dry_run, attributes.warnings, attributes.hooks = options.dry_run, options.warnings, options.hooks
        asked = admission.mutate(self, attributes, stages)
        if stages is not None:
            stages.enter("validation")
        new = registry.prepare_update(resource, old, asked, subresource)
        new = self._owned_after(resource, old, new, user, subresource, options)
        if resource.stamp is not None:
            new = resource.stamp(new, old, self.clock.stamp())
        new = self.allocators.on_update(resource, old, new)
        problems = registry.validate_update(resource, old, new, subresource)
        if problems:
            raise errors.Invalid(resource.group, resource.kind, name, problems)
        attributes.obj = new
        admission.validate(self, attributes, stages)
        if stages is not None:
            stages.enter("storage")
        if new == old:
            return old
        if options.dry_run:
            return new
        if meta.is_deleting(old) and not self._kept(resource, new):
            self._remove(resource, old)  # Watchers see what was stored: with the finalizer that held it.
            return new
        stored = self.storage.put(resource, old, {**new, "metadata": {**new["metadata"]}})
        if resource.cache == "Service":
            self.allocators.settle(old, stored)
        return stored

    def _remove(self, resource: Resource, old: Manifest) -> Manifest:
        last = self.storage.remove(resource, old)
        if resource.cache == "Service":
            self.allocators.settle(old, None)
        return last

    def bind(self, user: User, pod: Manifest, node: str) -> Manifest:
        """POST pods/binding: give the pod its node, once. Errors: NotFound, Conflict, Forbidden."""
        namespace, name, resource = meta.namespace(pod), meta.name(pod), registry.by_kind("Pod")
        namespace_lifecycle.admit(self, Attributes(CREATE, resource, "binding", namespace, name, user, pod))
        labels = topology_labels.of_node(self, node)
        return self.bind_to(user, namespace, name, node, meta.uid(pod), {}, Options(), labels)

    def bind_to(
        self,
        user: User,
        namespace: str,
        name: str,
        node: str,
        uid: str,
        annotations: Manifest,
        options: Options,
        labels: dict[str, str] | None = None,
    ) -> Manifest:
        """Give the pod its node. `labels`: what it gets where it has none; `annotations` replace its own."""
        resource = registry.by_kind("Pod")
        old = self.storage.get(resource, namespace, name)
        if old is None:
            raise errors.NotFound("", "pods", name)
        problem = None
        if uid and uid != meta.uid(old):
            problem = self._other_uid(resource, old, uid)
        elif meta.is_deleting(old):
            problem = f"pod {name} is being deleted, cannot be assigned to a host"
        elif old["spec"].get("nodeName"):
            problem = f'pod {name} is already assigned to node "{old["spec"]["nodeName"]}"'
        elif old["spec"].get("schedulingGates"):
            problem = f"pod {name} has non-empty .spec.schedulingGates"
        if problem:
            raise errors.Conflict("", "pods/binding", name, problem)
        metadata = {**old["metadata"]}
        if labels:
            metadata["labels"] = {**labels, **(metadata.get("labels") or {})}
        if annotations:
            metadata["annotations"] = {**metadata.get("annotations", {}), **annotations}
        new = {
            **old,
            "metadata": metadata,
            "spec": {**old["spec"], "nodeName": node},
            "status": _scheduled(old.get("status", {}), self.clock.stamp()),
        }
        return new if options.dry_run else self.storage.put(resource, old, new)

    def cache_of(self, kind: str, api_version: str) -> str | None:
        """Under which name informers hold the objects of a kind; None if this cluster does not serve it.

        For who follows references: `{kind: Service, apiVersion: serving.knative.dev/v1}` is not our Service.
        """
        found = self.kinds.find(kind, api_version)
        return found.cache if found is not None else None

    def caches(self) -> dict[str, str]:
        """`deployments.apps` to the name of its informers' cache: the kinds of namespaces, for who counts them."""
        return self.kinds.caches()

    def serves(self, cache: str) -> bool:
        return self.kinds.serves(cache)

    def read_scale(self, kind: str, group: str, namespace: str, name: str) -> Manifest:
        """The Scale of a workload of any kind. Errors: NotFound, PathNotFound (no scale), ApiError (no such kind)."""
        resource = self._scalable(kind, group)
        found = self.informers.get(resource.cache, namespace, name)
        if found is None:
            raise errors.NotFound(resource.group, resource.plural, name)
        return registry.scale_of(resource, found)

    def scale(self, user: User, kind: str, group: str, namespace: str, name: str, replicas: int) -> Manifest:
        """PUT its Scale with other replicas. Errors: as `read_scale`, and whatever validation or admission say."""
        resource = self._scalable(kind, group)

        def change(current: Manifest) -> Manifest:
            shown = registry.scale_of(resource, current)
            return registry.scaled(resource, current, {**shown, "spec": {**shown["spec"], "replicas": replicas}})

        return registry.scale_of(resource, self.modify(resource, user, namespace, name, change, "scale", Options()))

    def _scalable(self, kind: str, group: str) -> Resource:
        """Errors: PathNotFound: its objects have no scale; ApiError: nobody serves such a kind."""
        served = [r for r in self.kinds.resources if (r.kind, r.group) == (kind, group)]
        if not served:
            raise errors.ApiError(f'no matches for kind "{kind}" in group "{group}"')
        for resource in served:
            if "scale" in resource.subresources:
                return self.kinds.stored(resource.cache)
        raise errors.PathNotFound()

    def list_aggregated(self, group: str, plural: str, namespace: str) -> list[Manifest]:
        """Objects that another server answers for, such as pods.metrics.k8s.io. Errors: nobody does, or not now."""
        answers = self.aggregated.get(group)
        if answers is None:
            message = f"the server could not find the requested resource (get {plural}.{group})"
            raise errors.NotFound(group, plural, "", message)
        return answers(plural, namespace)

    def review(self, user: User, review: Manifest) -> Manifest:
        """The status of an access review: may somebody do something? `user`: who asks. Errors: Invalid."""
        return reviews.access(review, user, "", self.authorizer)

    # --- deletion -----------------------------------------------------------------------------------------------

    def delete(self, user: User, kind: str, namespace: str, name: str, options: Manifest) -> Manifest | None:
        """Delete as DeleteOptions ask. None: gone now; else the object, which is waiting for something."""
        resource = self.kinds.stored(kind)
        left, gone = self.delete_as(resource, user, namespace, name, of_delete({}, options))
        return None if gone else left

    def delete_as(
        self, resource: Resource, user: User, namespace: str, name: str, options: Options
    ) -> tuple[Manifest, bool]:
        """(last state, is it gone?). Graceful for pods, two-phased for finalizers, at once otherwise."""
        self.storage.check()
        old = self.storage.get(resource, namespace, name)
        if old is None:
            raise errors.NotFound(resource.group, resource.plural, name)
        self._check_preconditions(resource, old, options)
        self._admit_deletion(resource, user, namespace, name, old, options)
        new = self._marked(resource, old, options)
        if not resource.graceful and not self._kept(resource, new):
            return (old, True) if options.dry_run else (self._remove(resource, old), True)
        if options.dry_run:
            return new, not self._kept(resource, new)
        if new is not old and (resource.graceful or self._kept(resource, new)):
            new = self.storage.put(resource, old, new)  # Watchers see the mark before the end, as in the real one.
        if self._kept(resource, new):
            return new, False
        return self._remove(resource, new), True

    def _marked(self, resource: Resource, old: Manifest, options: Options) -> Manifest:
        """`old` with deletionTimestamp, grace period, finalizers of the propagation policy, and its phase."""
        metadata = {**old["metadata"]}
        finalizers = _finalizers_for(metadata.get("finalizers", []), options, resource.orphans)
        grace = self._grace(resource, old, options)
        first = "deletionTimestamp" not in metadata
        if first or grace < metadata.get("deletionGracePeriodSeconds", 0):
            if first and metadata.get("generation"):
                metadata["generation"] += 1
            metadata["deletionTimestamp"] = times.rfc3339(self.clock.unix() + grace * SECOND)
            if resource.cache not in ("Namespace", DEFINITIONS):  # Its end is its own controller's business.
                metadata["deletionGracePeriodSeconds"] = grace
        if finalizers != metadata.get("finalizers", []):
            metadata["finalizers"] = finalizers
        if not finalizers:
            metadata.pop("finalizers", None)
        new = {**old, "metadata": metadata}
        if resource.cache == "Namespace" and first:
            new["status"] = {**old.get("status", {}), "phase": "Terminating"}
        if resource.on_delete is not None and first:
            new = resource.on_delete(new, self.clock.stamp())
        return old if new == old else new

    def _grace(self, resource: Resource, old: Manifest, options: Options) -> int:
        """Seconds between the mark and the end: pods that run somewhere have some, everything else has none."""
        if not resource.graceful:
            return 0
        terminal = old.get("status", {}).get("phase") in ("Failed", "Succeeded")
        if terminal or not old["spec"].get("nodeName"):
            return 0
        if options.grace is not None:
            return 1 if options.grace < 0 else options.grace
        if "deletionGracePeriodSeconds" in old["metadata"]:
            return int(old["metadata"]["deletionGracePeriodSeconds"])
        return int(old["spec"].get("terminationGracePeriodSeconds", 30))

    def _kept(self, resource: Resource, obj: Manifest) -> bool:
        """Does something still hold an object that is being deleted?"""
        metadata = obj["metadata"]
        if metadata.get("finalizers"):
            return True
        if resource.cache == "Namespace" and obj.get("spec", {}).get("finalizers"):
            return True
        return bool(metadata.get("deletionGracePeriodSeconds", 0))

    def _check_preconditions(self, resource: Resource, old: Manifest, options: Options) -> None:
        """Errors: Conflict, if the object is not the one that the caller has seen."""
        uid, version, problem = meta.uid(old), old["metadata"]["resourceVersion"], ""
        if options.uid and options.uid != uid:
            problem = (
                f"the UID in the precondition ({options.uid}) does not match the UID in record ({uid})."
                " The object might have been deleted and then recreated"
            )
        elif options.resource_version and options.resource_version != version:
            problem = (
                f"the ResourceVersion in the precondition ({options.resource_version}) does not match the"
                f" ResourceVersion in record ({version}). The object might have been modified"
            )
        if problem:
            raise errors.Conflict(resource.group, resource.kind, meta.name(old), problem)

    def evict(self, user: User, eviction: Manifest, options: Options) -> Manifest:
        """POST pods/eviction: a deletion that asks the PodDisruptionBudgets first."""
        deletion = of_delete({}, eviction.get("deleteOptions") or {})
        deletion.dry_run = deletion.dry_run or options.dry_run
        namespace, name = meta.namespace(eviction), meta.name(eviction)
        resource = registry.by_kind("Pod")
        self.admit_beside(CREATE, resource, "eviction", user, namespace, name, eviction, options)
        pod = self.storage.get(resource, namespace, name)
        if pod is None:
            raise errors.NotFound("", "pods", name)
        self._check_preconditions(resource, pod, deletion)
        disruption.check(self.storage, self.informers, self.clock, pod, deletion.dry_run)
        if not deletion.dry_run:
            disruption.mark(self.storage, self.clock, pod)
        self.delete_as(resource, user, namespace, name, deletion)
        return pod

    # --- who owns what ------------------------------------------------------------------------------------------

    def _owned(self, resource: Resource, new: Manifest, given: Any, user: User, options: Options) -> Manifest:
        """A new object whose fields belong to who creates it. `new`: with its defaults, before admission."""
        managed = options.managed
        if managed is None:
            manager = options.manager or fieldmanager.component(user.name)
            managed = fieldmanager.on_create(resource, new, given, manager, self.clock.stamp())
        return {**new, "metadata": {**new["metadata"], "managedFields": managed}} if managed else new

    def _owned_after(
        self, resource: Resource, old: Manifest, new: Manifest, user: User, subresource: str, options: Options
    ) -> Manifest:
        """A changed object whose changed fields belong to who changed them."""
        metadata, managed = new["metadata"], options.managed
        if managed is None:
            manager = options.manager or fieldmanager.component(user.name)
            given = metadata.get("managedFields")
            managed = fieldmanager.on_update(resource, old, new, given, manager, subresource, self.clock.stamp())
        if managed == metadata.get("managedFields", []):
            return new
        metadata = {name: value for name, value in metadata.items() if name != "managedFields"}
        return {**new, "metadata": {**metadata, "managedFields": managed} if managed else metadata}

    # --- shared stages ------------------------------------------------------------------------------------------

    def _with_identity(self, resource: Resource, obj: Manifest, seed: str) -> Manifest:
        """Name, uid and creation time: what only the server may decide. `seed`: see `webhooks.Hooks`."""
        given = obj.get("metadata") or {}
        metadata = {k: v for k, v in given.items() if k not in _SERVER_OWNED}
        revision = seed or self.storage.next_revision()
        if not metadata.get("name") and metadata.get("generateName"):
            metadata["name"] = self._generated_name(resource, metadata, revision)
        if not resource.namespaced:
            metadata.pop("namespace", None)
        elif not metadata.get("namespace"):
            metadata["namespace"] = "default"
        metadata["uid"] = self.dice.uuid("uid", revision)
        metadata["creationTimestamp"] = self.clock.stamp()
        return {**obj, "metadata": metadata}

    def _generated_name(self, resource: Resource, metadata: Manifest, revision: int | str) -> str:
        base, namespace = metadata["generateName"][:58], metadata.get("namespace", "default")
        for attempt in range(NAME_ATTEMPTS):
            name = base + self.dice.suffix("name", revision, attempt)
            if self.storage.get(resource, namespace if resource.namespaced else "", name) is None:
                return name
        raise errors.AlreadyExists(resource.group, resource.plural, name)

    def _admit_deletion(
        self, resource: Resource, user: User, namespace: str, name: str, old: Manifest, options: Options
    ) -> None:
        attributes = Attributes(DELETE, resource, "", namespace, name, user, old, old, options.dry_run)
        attributes.warnings, attributes.hooks = options.warnings, options.hooks
        admission.mutate(self, attributes, options.stages)
        admission.validate(self, attributes, options.stages)
        if options.stages is not None:
            options.stages.enter("storage")

    def ask_of_deletions(self, resource: Resource, user: User, found: list[Manifest], options: Options) -> None:
        """Before the first of many goes: have webhooks been asked of them all? Errors: webhooks.Wanted."""
        if options.hooks is None:
            return
        wanted, stages, options.stages = [], options.stages, None
        for obj in found:
            try:
                self._admit_deletion(resource, user, meta.namespace(obj), meta.name(obj), obj, options)
            except webhooks.Wanted as error:
                wanted.append(error)
            except errors.ApiError:
                continue  # It is refused when its turn comes.
        options.stages = stages
        if wanted:
            raise webhooks.Wanted([call for error in wanted for call in error.calls])

    def admit_beside(
        self,
        operation: str,
        resource: Resource,
        subresource: str,
        user: User,
        namespace: str,
        name: str,
        obj: Manifest,
        options: Options,
    ) -> Manifest:
        """Both phases for what is sent to a sub-resource and not stored itself: a Binding, an Eviction, an exec.

        Returns the object as the mutating plugins want it.
        """
        attributes = Attributes(operation, resource, subresource, namespace, name, user, obj, None, options.dry_run)
        attributes.warnings, attributes.hooks = options.warnings, options.hooks
        obj = admission.mutate(self, attributes, options.stages)
        admission.validate(self, attributes, options.stages)
        if options.stages is not None:
            options.stages.enter("storage")
        return obj

    def _check_version(self, resource: Resource, old: Manifest, asked: Manifest) -> None:
        version = asked.get("metadata", {}).get("resourceVersion")
        if version and version != old["metadata"]["resourceVersion"]:
            raise errors.Conflict(resource.group, resource.plural, meta.name(old), errors.MODIFIED)
        uid = asked.get("metadata", {}).get("uid")
        if uid and uid != meta.uid(old):
            raise errors.Conflict(resource.group, resource.plural, meta.name(old), self._other_uid(resource, old, uid))

    def _other_uid(self, resource: Resource, old: Manifest, uid: str) -> str:
        """etcd's own words: the real server lets this pass up to the client."""
        key = resource.storage_key(meta.namespace(old), meta.name(old))
        return (
            f"StorageError: invalid object, Code: 4, Key: {key}, ResourceVersion: 0, AdditionalErrorMsg:"
            f" Precondition failed: UID in precondition: {uid}, UID in object meta: {meta.uid(old)}"
        )


_PARTIAL = frozenset(("status", "finalize"))
_SERVER_OWNED = frozenset(
    (
        "uid", "resourceVersion", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "selfLink",
        "managedFields",
    )
)  # fmt: skip


def _scheduled(status: Manifest, now: str) -> Manifest:
    """The status of a pod that has just been given a node: scheduled, and no node held free for it any more."""
    before = next((c for c in status.get("conditions", ()) if c["type"] == "PodScheduled"), None)
    since = before["lastTransitionTime"] if before and before["status"] == "True" else now
    scheduled = {"type": "PodScheduled", "status": "True", "lastProbeTime": None, "lastTransitionTime": since}
    rest = {name: value for name, value in status.items() if name != "nominatedNodeName"}
    return {**rest, "conditions": conditions.put(status.get("conditions"), scheduled)}


def _finalizers_for(current: list[str], options: Options, orphans: bool) -> list[str]:
    """Propagation policy as finalizers: `orphan`, `foregroundDeletion`, or neither. `orphans`: the kind's default."""
    policy = options.propagation
    if policy is None and options.orphan is not None:
        policy = "Orphan" if options.orphan else "Background"
    if policy is None and orphans and "foregroundDeletion" not in current:
        policy = "Orphan"  # Kinds from before there was a garbage collector.
    if policy is None:
        return list(current)
    rest = [f for f in current if f not in ("orphan", "foregroundDeletion")]
    return {"Orphan": [*rest, "orphan"], "Foreground": [*rest, "foregroundDeletion"]}.get(policy, rest)
