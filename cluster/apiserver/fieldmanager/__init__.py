"""Field management: who owns which field of an object, and what follows when two say different things.

Every write leaves its mark in `metadata.managedFields`. A create, an update or a patch takes the fields that it changed
from whoever had them. An apply says what its manager wants to own from now on: what it said before and no longer says
is taken out, unless somebody else owns it, too; what another one owns with another value is a conflict, and nothing
happens, unless it is forced.

    on_create, on_update      the new metadata of an object that a request wrote
    apply                     the object that an apply asks for; Conflict

    counts.py     the same for the statuses of workloads
    sets.py       sets of fields, FieldsV1         typed.py   comparing and merging objects by their types
    managers.py   the entries of managedFields     kubelets.py   a short way for the most frequent write of all

Mirrors:  sigs.k8s.io/structured-merge-diff/merge (update.go), k8s.io/apimachinery/pkg/util/managedfields
Left out: conversion of entries between an object's versions: they are taken as they stand.
Read next: typed.py.
"""

import re
from collections.abc import Hashable
from functools import lru_cache
from typing import Any

import orjson

from cluster.apiserver import registry, schema
from cluster.apiserver.fieldmanager import counts, kubelets, managers, typed
from cluster.apiserver.fieldmanager.managers import APPLY, UPDATE, Entry, Managed, Manager
from cluster.apiserver.fieldmanager.sets import NONE, Fields, Path, shown
from cluster.apiserver.fieldmanager.typed import Mistyped
from cluster.apiserver.registry import Resource
from cluster.apiserver.schema import Type
from cluster.objects import Manifest, errors, meta
from cluster.objects.memo import IdentityMemo

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
KUBECTL = "kubectl"  # The manager that `kubectl apply --server-side` is, unless it is told otherwise.
MAX_NAME = 128
# Nobody owns what only the server writes, nor what says which object this is.
_NOT_OWNED = frozenset(
    {("f:apiVersion",), ("f:kind",), ("f:metadata",)}
    | {
        ("f:metadata", f"f:{name}")
        for name in (
            "name", "namespace", "creationTimestamp", "selfLink", "uid", "clusterName", "generation", "managedFields",
            "resourceVersion",
        )
    }
)  # fmt: skip


def manager_name(given: str, user_agent: str) -> str:
    """fieldManager, or the first part of the User-Agent: `kubectl-create` of `kubectl-create/v1.37 (linux)`."""
    if given:
        return given
    return re.sub(r"[^\x20-\x7e]", "", user_agent.split("/", 1)[0])[:MAX_NAME]


class Conflict(errors.ApiError):
    """409: fields that others own with other values."""

    status, reason = 409, "Conflict"

    def __init__(self, found: list[tuple[str, Path]]) -> None:
        """`found`: the manager as it is shown, and the field."""
        self.found = found
        ordered = sorted((who, shown(path)) for who, path in found)
        reason = "FieldManagerConflict"
        self.causes = [{"reason": reason, "message": f"conflict with {who}", "field": field} for who, field in ordered]
        super().__init__(_told(ordered), {"causes": self.causes})


def _told(ordered: list[tuple[str, str]]) -> str:
    """One conflict in a line, more of them by manager."""
    if len(ordered) == 1:
        return f"Apply failed with 1 conflict: conflict with {ordered[0][0]}: {ordered[0][1]}"
    parts = []
    for who in dict.fromkeys(name for name, _ in ordered):
        fields = [field for name, field in ordered if name == who]
        parts.append(f"conflicts with {who}:\n" + "\n".join(f"- {field}" for field in fields))
    return f"Apply failed with {len(ordered)} conflicts: " + "\n".join(parts)


# --- writes that are not applies --------------------------------------------------------------------------------


def on_create(
    resource: Resource, obj: Manifest, given: Any, manager: str, now: str, subresource: str = ""
) -> list[Manifest]:
    """managedFields of a new object, after its defaults are in and before anybody else changes it.

    `given`: what the request itself says they should be; all that is there belongs to who creates it all the same.
    """
    kind = registry.type_of(resource)
    if kind is None:
        return []
    who, spec = Manager(manager, UPDATE, resource.api_version, subresource), obj.get("spec")
    managed = _readable(given) if given else {}
    if managed:
        _update(kind, resource, empty(kind), obj, managed, who, now)
        return managers.write(managers.capped(managed))
    if not isinstance(spec, dict):
        tree = _tree_of_new(kind, resource, obj, subresource)
    else:  # Thousands of pods of one template have one spec.
        shape = (resource.cache, subresource, _shape(obj))
        tree = _created.get(spec, shape, lambda _: _tree_of_new(kind, resource, obj, subresource))
    return managers.only(who, now, tree) if tree else []


_created = IdentityMemo(2_048)


def _tree_of_new(kind: Type, resource: Resource, obj: Manifest, subresource: str) -> Manifest:
    ignored = _ignored(resource, subresource)
    difference = typed.compare(kind, _without_managed(empty(kind), ignored), _without_managed(obj, ignored))
    return managers.tree_of((difference.added | difference.modified) - _NOT_OWNED)


def _shape(obj: Manifest) -> tuple[Hashable, ...]:
    """All but the spec that decides which fields there are."""
    metadata = obj["metadata"]
    owners = metadata.get("ownerReferences")
    return (
        *obj,
        *metadata,
        *(metadata.get("labels") or ()),
        *(metadata.get("annotations") or ()),
        *(metadata.get("finalizers") or ()),
        *((owner.get("uid"), *owner) for owner in owners or ()),
    )


def on_update(
    resource: Resource, old: Manifest, new: Manifest, given: Any, manager: str, subresource: str, now: str
) -> list[Manifest]:
    """managedFields after a change of `old` to `new`. `given`: what the request itself says they should be."""
    kind = registry.type_of(resource)
    stored = old["metadata"].get("managedFields")
    if kind is None:
        return stored or []
    if resource.kind == "Lease" and stored and given is stored:
        who = Manager(manager, UPDATE, resource.api_version, subresource)
        told = counts.renewal(stored, old, new, who, now) if old != new else stored
        if told is not None:
            return told
    managed = None
    if not subresource:
        if managers.is_reset(given):
            return []
        managed = _readable(given)
    if not managed:
        managed = _readable(stored)
    if not managed:  # Nobody has ever been tracked: that begins with the first apply.
        return []
    _update(kind, resource, old, new, managed, Manager(manager, UPDATE, resource.api_version, subresource), now)
    written = managers.write(managers.capped(managed))
    return stored if managers.without_times(written) == managers.without_times(stored) and old == new else written


_COMPONENTS = {"system:apiserver": "kube-apiserver"}


@lru_cache(maxsize=4096)
def component(user: str) -> str:
    """The field manager that one of our own components is: `kube-scheduler`, `kubelet` on every node."""
    if user.startswith("system:node:"):
        return "kubelet"
    if user.startswith("system:serviceaccount:"):
        return user.rpartition(":")[2]
    return _COMPONENTS.get(user) or user.removeprefix("system:")


def on_report(resource: Resource, old: Manifest, status: Manifest, manager: str, now: str) -> Manifest:
    """The metadata of an object of which a component reports a new status, and nothing else."""
    kind, metadata = registry.type_of(resource), old["metadata"]
    stored = metadata.get("managedFields")
    if kind is None or not stored:
        return {**metadata}
    if resource.kind == "Pod" and manager == "kubelet":
        told = kubelets.report(stored, old.get("status") or {}, status, now)
        if told is not None:
            return {**metadata, "managedFields": told}
    who = Manager(manager, UPDATE, resource.api_version, "status")
    told = counts.report(stored, old.get("status") or {}, status, who, now)
    if told is not None:
        return {**metadata, "managedFields": told}
    managed = _readable(stored)
    before = {"status": old["status"]} if "status" in old else {}
    _update(kind, resource, before, {"status": status}, managed, who, now)
    return {**metadata, "managedFields": managers.write(managed)}


def on_record(resource: Resource, event: Manifest, now: str) -> list[Manifest]:
    """managedFields of an Event of our own recorders. They come in few shapes; those of one second share theirs."""
    shape = (
        event.get("reportingComponent"),
        *event,
        *event["involvedObject"],
        *(event.get("source") or ()),
        *(event.get("series") or ()),
        *(event["metadata"].get("annotations") or ()),
    )
    known = _shapes.get(shape)
    if known is None or known[0] != now:
        tree = known[1][0]["fieldsV1"] if known is not None else _tree_of_event(resource, event)
        if len(_shapes) > MOST_SHAPES:
            _shapes.clear()
        who = Manager(event.get("reportingComponent") or "", UPDATE, "v1")
        known = _shapes[shape] = now, [managers.entry_of(who, "v1", now, tree)]
    return known[1]


def _tree_of_event(resource: Resource, event: Manifest) -> Manifest:
    kind = registry.type_of(resource)
    assert kind is not None
    bare = {name: value for name, value in event.items() if name != "metadata"}
    if annotations := event["metadata"].get("annotations"):
        bare["metadata"] = {"annotations": annotations}
    return managers.tree_of(typed.compare(kind, empty(kind), bare).added - _NOT_OWNED)


_shapes: dict[tuple[Any, ...], tuple[str, list[Manifest]]] = {}
MOST_SHAPES = 512


def _readable(entries: Any) -> Managed:
    """What nobody can read counts as nothing."""
    try:
        return managers.read(entries)
    except (ValueError, AttributeError, TypeError):
        return {}


def _update(
    kind: Type, resource: Resource, old: Manifest, new: Manifest, managed: Managed, who: Manager, now: str
) -> None:
    """Take what changed from everybody, and give it to `who`."""
    ignored = _ignored(resource, who.subresource)
    difference = typed.compare(kind, _without_managed(old, ignored), _without_managed(new, ignored))
    taken = difference.added | difference.modified
    for manager, entry in list(managed.items()):
        left = entry.fields - taken - difference.removed
        if left is not entry.fields and len(left) != len(entry.fields):
            if left:
                managed[manager] = entry._replace(fields=left)
            else:
                del managed[manager]
    owned = taken - _NOT_OWNED
    if not owned:
        return
    before = managed.get(who)
    managed[who] = Entry(owned | before.fields if before else owned, resource.api_version, now)


def _without_managed(obj: Manifest, ignored: tuple[str, ...]) -> Manifest:
    """The object as it is compared: without what this door can't write."""
    made = {name: value for name, value in obj.items() if name not in ignored}
    metadata = obj.get("metadata")
    if metadata and "managedFields" in metadata:
        made["metadata"] = {name: value for name, value in metadata.items() if name != "managedFields"}
    return made


def _ignored(resource: Resource, subresource: str) -> tuple[str, ...]:
    """Top-level fields that a write through this door leaves alone."""
    if subresource == "status":
        return ("spec",)
    return ("status",) if resource.has_status and not subresource else ()


def empty(kind: Type) -> Manifest:
    """What Go would write for an object of this type that nobody filled."""
    return schema.blank(kind.path) if kind.path else {"metadata": {}}


# --- apply ------------------------------------------------------------------------------------------------------


class Applied:
    """What an apply comes to. `obj`: the object as it would be; `managed`: who owns what then."""

    def __init__(self, obj: Manifest, managed: list[Manifest], changed: bool) -> None:
        self.obj, self.managed, self.changed = obj, managed, changed


def apply(
    resource: Resource, live: Manifest | None, config: Manifest, manager: str, subresource: str, force: bool, now: str
) -> Applied:
    """`live` (None: there is none yet) after `manager` said `config`. Errors: BadRequest, InternalError, Conflict."""
    kind = registry.type_of(resource)
    assert kind is not None, resource.kind
    metadata = config.get("metadata")
    if isinstance(metadata, dict) and isinstance(metadata.get("managedFields"), list):
        raise errors.BadRequest("metadata.managedFields must be nil")
    fields = _fields(kind, resource, config)
    base = live if live is not None else empty(kind)
    managed = _readable(base.get("metadata", {}).get("managedFields"))
    if live is not None and not managed:  # Whoever wrote it before is remembered as one.
        before = Manager(managers.BEFORE_APPLY, UPDATE, resource.api_version, "")
        _update(kind, resource, empty(kind), live, managed, before, now)
    who = Manager(manager, APPLY, "", subresource)
    try:
        return _apply(kind, resource, base, config, fields, dict(managed), who, force, now)
    except Conflict as conflict:
        allowed = _of_last_apply(kind, live, resource.api_version) if manager == KUBECTL and live is not None else NONE
        others = [(whose, path) for whose, path in conflict.found if path not in allowed]
        if others:  # kubectl's own former fields are not worth a word.
            raise Conflict(others) from conflict
        return _apply(kind, resource, base, config, fields, dict(managed), who, True, now)


def _fields(kind: Type, resource: Resource, config: Manifest) -> Fields:
    """What the configuration says. Errors: InternalError in the real words."""
    try:
        return typed.fields_of(kind, config)
    except Mistyped as error:
        metadata = config.get("metadata") if isinstance(config.get("metadata"), dict) else {}
        where = f"{(metadata or {}).get('namespace', '')}/{(metadata or {}).get('name', '')}"
        version = resource.api_version if resource.group else f"/{resource.version}"
        message = f"failed to create typed patch object ({where}; {version}, Kind={resource.kind}): {error}"
        raise errors.InternalError(message) from error


def _apply(
    kind: Type,
    resource: Resource,
    live: Manifest,
    config: Manifest,
    fields: Fields,
    managed: Managed,
    who: Manager,
    force: bool,
    now: str,
) -> Applied:
    ignored = _ignored(resource, who.subresource)
    if ignored:
        config = {name: value for name, value in config.items() if name not in ignored}
        fields = frozenset(path for path in fields if path[0].removeprefix("f:") not in ignored)
    before, formerly = managed.get(who), dict(managed)
    bare = _without_managed(live, ())
    merged = typed.merge(kind, bare, config)
    managed[who] = Entry(fields - _NOT_OWNED, resource.api_version, before.time if before else "")
    if before is not None and before.fields:
        merged = _pruned(kind, merged, managed, before.fields, fields)
    difference = typed.compare(kind, bare, merged)
    taken = difference.added | difference.modified
    conflicts = [(m, e, e.fields & taken) for m, e in managed.items() if m != who and not taken.isdisjoint(e.fields)]
    if conflicts and not force:
        raise Conflict([(m.shown(e.api_version), path) for m, e, paths in conflicts for path in paths])
    for manager, entry in list(managed.items()):
        if manager == who:
            continue
        left = entry.fields - taken - difference.removed
        if not left:
            del managed[manager]
        elif len(left) != len(entry.fields):
            managed[manager] = entry._replace(fields=left)
    if not managed[who].fields:
        del managed[who]
    changed = bool(taken or difference.removed)
    moved = {m: e.fields for m, e in managed.items()} != {m: e.fields for m, e in formerly.items()}
    if who in managed and (changed or moved):
        managed[who] = managed[who]._replace(time=now)
    merged = _with_last_applied(merged, config, who)
    return Applied(merged, managers.write(managers.capped(managed)), changed)


def _pruned(kind: Type, merged: Manifest, managed: Managed, last: Fields, fields: Fields) -> Manifest:
    """Without what this manager said last time and nobody says now."""
    last, owned = typed.with_structs(kind, last), set(fields)
    for entry in managed.values():
        owned |= entry.fields
    pruned = typed.without(kind, merged, last) or {}
    there = typed.with_structs(kind, _all(kind, merged))
    left = typed.with_structs(kind, _all(kind, pruned))
    kept = typed.without(kind, merged, there - left - typed.with_structs(kind, frozenset(owned))) or {}
    left = typed.with_structs(kind, _all(kind, kept))
    return typed.without(kind, merged, (there - left) & last) or {}


def _all(kind: Type, obj: Manifest) -> Fields:
    """The fields of something that is stored; what it says twice counts once."""
    try:
        return typed.fields_of(kind, obj)
    except Mistyped:
        return NONE


def _of_last_apply(kind: Type, live: Manifest, version: str) -> Fields:
    """Fields that a client-side apply of this version set: `kubectl apply --server-side` may take them over from it.

    What somebody has changed since is not among them: that would be lost without a word.
    """
    text = meta.annotations(live).get(LAST_APPLIED)
    if not text:
        return NONE
    try:
        last = orjson.loads(text)
        found = typed.fields_of(kind, last)
    except (ValueError, Mistyped):
        return NONE
    if not isinstance(last, dict) or last.get("apiVersion") != version:
        return NONE
    since = typed.compare(kind, last, _without_managed(live, ()))
    return found - since.modified - since.removed


def _with_last_applied(merged: Manifest, config: Manifest, who: Manager) -> Manifest:
    """Who used client-side apply before finds there what was applied, as if it had been."""
    annotations = (merged.get("metadata") or {}).get("annotations") or {}
    if who.name != KUBECTL or who.subresource or LAST_APPLIED not in annotations:
        return merged
    given = config.get("metadata") or {}
    told = {k: v for k, v in (given.get("annotations") or {}).items() if k != LAST_APPLIED}
    text = orjson.dumps({**config, "metadata": {**given, "annotations": told}}, option=orjson.OPT_SORT_KEYS).decode()
    annotations = {**annotations, LAST_APPLIED: text + "\n"}
    return {**merged, "metadata": {**merged["metadata"], "annotations": annotations}}
