"""The registry: every kind that this API server serves. A kind is one `Resource` entry; the pipeline does the rest.

core.py, apps.py and the other groups' files hold the entries; this module finds them and runs a kind's functions:
decode → default → prepare → validate, each taking a manifest and returning a new one (or the same, unchanged).

Mirrors:  kubernetes/pkg/registry/*/strategy.go, k8s.io/apiserver/pkg/registry/rest (create.go, update.go)
"""

from collections.abc import Callable
from typing import NamedTuple

from cluster.apiserver import schema
from cluster.apiserver.registry import (
    admissionregistration,
    apiextensions,
    apiregistration,
    apps,
    autoscaling,
    batch,
    certificates,
    components,
    core,
    devices,
    flowcontrol,
    limits,
    networking,
    others,
    rbac,
    replication,
    reviews,
    storage,
    storagemigration,
    templates,
    volumes,
)
from cluster.apiserver.registry.metadata import validate_metadata, validate_metadata_update
from cluster.apiserver.registry.resource import ALL_VERBS, Problem, Resource, Subresource
from cluster.objects import Manifest, errors, fields
from cluster.objects.memo import IdentityMemo

__all__ = ["ALL_VERBS", "BODIES", "RESOURCES", "Problem", "Resource", "Subresource"]

RESOURCES: tuple[Resource, ...] = (
    *core.RESOURCES,
    *components.RESOURCES,
    *replication.RESOURCES,
    *volumes.RESOURCES,
    *limits.RESOURCES,
    *apps.RESOURCES,
    *batch.RESOURCES,
    *autoscaling.RESOURCES,
    *networking.RESOURCES,
    *rbac.RESOURCES,
    *storage.RESOURCES,
    *others.RESOURCES,
    *admissionregistration.RESOURCES,
    *apiregistration.RESOURCES,
    *certificates.RESOURCES,
    *devices.RESOURCES,
    *flowcontrol.RESOURCES,
    *storagemigration.RESOURCES,
    *reviews.RESOURCES,
    *apiextensions.RESOURCES,
)
# Kinds that only ever travel in a request: Binding, Scale …
BODIES: tuple[Resource, ...] = (*others.BODIES, *reviews.BODIES)

_BY_PATH = {(r.group, r.version, r.plural): r for r in RESOURCES}
_BY_KIND = {(r.kind, r.api_version): r for r in (*BODIES, *RESOURCES)}
_STORED = {r.kind: r for r in (*BODIES, *reversed(RESOURCES)) if not r.stored_as}


def by_path(group: str, version: str, plural: str) -> Resource | None:
    return _BY_PATH.get((group, version, plural))


def by_kind(kind: str, api_version: str = "") -> Resource:
    """The entry of a kind; without `api_version` the stored one. Errors: NotFound."""
    found = find(kind, api_version)
    if found is None:
        raise errors.PathNotFound()
    return found


def find(kind: str, api_version: str) -> Resource | None:
    """The entry of a built-in kind; without `api_version` the stored one."""
    return _BY_KIND.get((kind, api_version)) if api_version else _STORED.get(kind)


def by_storage_key(key: str) -> Resource | None:
    """The kind whose objects live under such a key."""
    return next((r for r in RESOURCES if not r.stored_as and key.startswith(r.storage_prefix())), None)


class Decoded(NamedTuple):
    """`problems`: `unknown field "spec.foo"`, `duplicate field "data.a"`."""

    obj: Manifest
    problems: list[str]


def decode(resource: Resource, raw: Manifest, duplicates: list[str] | tuple[str, ...] = ()) -> Decoded:
    """`raw` as the kind's Go type would hold it. Errors: BadRequest in Go's words."""
    if resource.decode is not None:
        obj, unknown = resource.decode(raw)
        return Decoded(obj, [*(f'duplicate field "{path}"' for path in duplicates), *unknown])
    kind = schema.type_of(resource.group, resource.version, resource.kind)
    if kind is None:
        return Decoded(raw, [])
    label = f'{raw.get("kind", resource.kind)} in version "{resource.version}" cannot be handled as a {resource.kind}'
    obj, unknown = schema.decode(kind, raw, label)
    ordered = {"kind": resource.kind, "apiVersion": resource.api_version, "metadata": obj.get("metadata", {})}
    return Decoded({**ordered, **obj}, [*(f'duplicate field "{path}"' for path in duplicates), *unknown])


def type_of(resource: Resource) -> schema.Type | None:
    """The structure of a kind's objects; None if nobody knows it."""
    if resource.structure is not None:
        return resource.structure()
    return schema.type_of(resource.group, resource.version, resource.kind)


def store_form(resource: Resource, obj: Manifest) -> Manifest:
    """The object as it is stored: kinds served by two groups share one storage."""
    return resource.to_stored(obj) if resource.to_stored else obj


def present(resource: Resource, obj: Manifest) -> Manifest:
    """The stored object as `resource`'s group and version show it."""
    return resource.from_stored(obj) if resource.from_stored else obj


def default(resource: Resource, obj: Manifest) -> Manifest:
    """`obj` with everything that its author left out."""
    entry = _stored(resource)
    return entry.default(obj) if entry.default else obj


def _stored(resource: Resource) -> Resource:
    return _STORED[resource.stored_as] if resource.stored_as else resource


def prepare_create(resource: Resource, obj: Manifest) -> Manifest:
    """What only the server may say of a new object: no status of the client's, generation 1."""
    entry = _stored(resource)
    new = entry.on_create(obj) if entry.on_create else obj
    if any(new["metadata"].get(name) in ({}, []) for name in _OPTIONAL):
        new = {**new, "metadata": _without_empty(new["metadata"])}
    if entry.generation:
        new = {**new, "metadata": {**new["metadata"], "generation": 1}}
    return new


_OPTIONAL = ("labels", "annotations", "finalizers", "ownerReferences")  # Empty means not there, as in Go.


def _without_empty(metadata: Manifest) -> Manifest:
    return {name: value for name, value in metadata.items() if value or name not in _OPTIONAL}


_IMMUTABLE = (
    "uid", "creationTimestamp", "namespace", "name", "generateName", "deletionTimestamp", "deletionGracePeriodSeconds",
    "generation",
)  # fmt: skip


def prepare_update(resource: Resource, old: Manifest, new: Manifest, subresource: str) -> Manifest:
    """Keep what this URL may not change: the server's metadata always, spec or status by sub-resource."""
    entry = _stored(resource)
    metadata = {**(new.get("metadata") or {})}
    for name in _IMMUTABLE:
        if name in old["metadata"]:
            metadata[name] = old["metadata"][name]
        else:
            metadata.pop(name, None)
    metadata["resourceVersion"] = old["metadata"]["resourceVersion"]
    metadata = _without_empty(metadata)
    if entry.prepare_update is not None and subresource != "finalize":
        return entry.prepare_update(old, {**new, "metadata": metadata}, subresource)
    if subresource == "status":
        kept = {k: v for k, v in old.items() if k != "status"}
        if "status" in new:
            kept["status"] = new["status"]
        if entry.cache == "Pod":  # A kubelet may report, but not relabel.
            metadata = {**old["metadata"]}
        return {**kept, "metadata": metadata}
    if subresource == "finalize":
        finalizers = (new.get("spec") or {}).get("finalizers", [])
        return {**old, "spec": {**old.get("spec", {}), "finalizers": finalizers}}
    if subresource in entry.parts:
        return _with_part(old, entry.parts[subresource](old["spec"], new.get("spec") or {}))
    result = {**new, "metadata": metadata}
    if entry.has_status:
        if "status" in old:
            result["status"] = old["status"]
        else:
            result.pop("status", None)
    if entry.cache == "Namespace":
        result["spec"] = old["spec"]
    if entry.on_update is not None:
        result = entry.on_update(old, result)
        metadata = result["metadata"]
    if entry.generation and any(result.get(name) != old.get(name) for name in entry.spec_fields):
        metadata["generation"] = old["metadata"].get("generation", 0) + 1
    return result


def _with_part(old: Manifest, spec: Manifest) -> Manifest:
    """`old` with a spec of which a sub-resource changed its part; nothing else of the new object counts."""
    if spec is old["spec"]:
        return old
    generation = old["metadata"].get("generation", 0) + 1
    return {**old, "metadata": {**old["metadata"], "generation": generation}, "spec": spec}


_validated = IdentityMemo(1024)


def validate_create(resource: Resource, obj: Manifest) -> list[Problem]:
    """Every problem of a new object, in order of its fields; the spec of many pods of one template is checked once."""
    entry = _stored(resource)
    problems = validate_metadata(entry, obj)
    check = resource.validate or entry.validate  # A group may ask more of a kind that it shares.
    if check is not None:
        part = obj.get("spec") if entry.cache == "Pod" else None
        problems = problems + (_validated.get(part, "create", lambda _: check(obj)) if part is not None else check(obj))
    return problems + entry.validate_new(obj) if entry.validate_new is not None else problems


def validate_update(resource: Resource, old: Manifest, new: Manifest, subresource: str) -> list[Problem]:
    """Every problem of a changed object. Parts that are the very same objects as before need no second look."""
    entry = _stored(resource)
    problems = [] if new["metadata"] is old["metadata"] else validate_metadata_update(entry, old, new)
    if resource is not entry and resource.validate_update is not None:
        return problems + resource.validate_update(old, new, subresource)
    if entry.validate_update is not None:
        problems = problems + entry.validate_update(old, new, subresource)
    looks = entry.validate is not None and not entry.ratchets and subresource not in ("status", "finalize")
    if looks and is_touched(old, new):
        problems = problems + entry.validate(new)  # type: ignore[misc]
    if entry.immutable is not None and not subresource:
        problems = problems + entry.immutable(old, new, subresource)
    return problems


_ENVELOPE = frozenset(("kind", "apiVersion", "metadata", "status"))


def is_touched(old: Manifest, new: Manifest) -> bool:
    """Is any part that defaults and validation look at another object than before?

    Components hand on as it is what they do not change, so identity tells at no cost.
    """
    return any(new[part] is not old.get(part) for part in new.keys() - _ENVELOPE) or len(new) < len(old)


def field_selector(resource: Resource, text: str) -> Callable[[Manifest], bool]:
    """A test for objects. Errors: BadRequest for a field that this kind is not indexed by."""
    requirements = fields.parse(text)
    allowed = ("metadata.name", *(("metadata.namespace",) if resource.namespaced else ()), *resource.selectable)
    for requirement in requirements:
        if requirement.path not in allowed:
            if resource.selectable:  # Kinds with fields of their own have an own sentence for it.
                raise errors.BadRequest(f"field label not supported: {requirement.path}")
            known = '"metadata.name", "metadata.namespace"'
            raise errors.BadRequest(f'"{requirement.path}" is not a known field selector: only {known}')
    if not requirements:
        return lambda obj: True
    return lambda obj: all((_field(obj, r.path) == r.value) == r.equal for r in requirements)


_RENAMED = {"source": "source.component", "reportingComponent": "reportingComponent"}


def _field(obj: Manifest, path: str) -> str:
    if path == "source" and obj["kind"] == "Event":
        return fields.at(obj, "source.component") or fields.at(obj, "reportingComponent")
    if path == "spec.unschedulable":
        return fields.at(obj, path) or "false"
    return fields.at(obj, _RENAMED.get(path, path))


def scale_of(resource: Resource, workload: Manifest) -> Manifest:
    """The autoscaling/v1 Scale of a workload."""
    return resource.scale_of(workload) if resource.scale_of else templates.scale_of(workload)


def scaled(resource: Resource, workload: Manifest, scale: Manifest) -> Manifest:
    """The workload with the replicas that a Scale asks for. Errors: Invalid."""
    return resource.scaled(workload, scale) if resource.scaled else templates.scaled(workload, scale)
