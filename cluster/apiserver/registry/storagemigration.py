"""storagemigration.k8s.io: a wish to write all objects of a kind again, in the version of today.

Mirrors:  kubernetes/pkg/apis/storagemigration/validation/validation.go
Left out: the controller that would do it. We store every kind in one version only.
"""

from cluster.apiserver.registry.metadata import invalid, raw_invalid, required
from cluster.apiserver.registry.resource import Problem, Resource, Subresource
from cluster.apiserver.registry.rules import IMMUTABLE, as_json, condition_problems, dns1035, fixed
from cluster.objects import Manifest
from cluster.objects.names import name_problems

ENDS = (
    ("Succeeded", "Success condition cannot be set to false once it is true"),
    ("Failed", "Failed condition cannot be set to false once it is true"),
)


def _problems(migration: Manifest) -> list[Problem]:
    wanted = (migration.get("spec") or {}).get("resource") or {}
    resource, group = wanted.get("resource", ""), wanted.get("group", "")
    found = (
        dns1035("spec.resource.resource", resource)
        if resource
        else [required("spec.resource.resource", "resource is required to be set")]
    )
    problems = name_problems(group, "subdomain") if group else ()
    return [*found, invalid("spec.resource.group", group, ",".join(problems))] if problems else found


def _changes(old: Manifest, new: Manifest, subresource: str) -> list[Problem]:
    if subresource != "status":
        return fixed("spec")(old, new, subresource)
    before, status = old.get("status") or {}, new.get("status") or {}
    conditions, where = status.get("conditions") or [], "status.conditions"
    found = list(condition_problems(conditions, where))
    known, version = before.get("resourceVersion"), status.get("resourceVersion", "")
    if known and known != version:
        found.append(invalid("status.resourceVersion", version, IMMUTABLE))
    shown = as_json(conditions)
    if _is(status, "Succeeded") and _is(status, "Failed"):
        message = "Both success and failed conditions cannot be true at the same time"
        found.append(raw_invalid(where, shown, message))
    return [*found, *(raw_invalid(where, shown, m) for kind, m in ENDS if _is(before, kind) and not _is(status, kind))]


def _is(status: Manifest, kind: str) -> bool:
    return any(c.get("type") == kind and c.get("status") == "True" for c in status.get("conditions") or [])


MIGRATION = Resource(
    "storagemigration.k8s.io", "v1", "StorageVersionMigration", "storageversionmigrations", namespaced=False,
    has_status=True, unconditional=False, stored_version="v1beta1",
    subresources={"status": Subresource("StorageVersionMigration")},
    on_create=lambda migration: {**migration, "status": {}}, validate=_problems, validate_update=_changes,
)  # fmt: skip

RESOURCES = (MIGRATION,)
