"""What resource.k8s.io prints, and storagemigration.k8s.io.

Mirrors:  kubernetes/pkg/printers/internalversion/printers.go
"""

from typing import Any

from cluster.apiserver.table.columns import AGE, NAME, Column
from cluster.apiserver.table.durations import since
from cluster.apiserver.table.printer import Printer, age, field, simple
from cluster.objects import Manifest, meta

GROUP = "resource.k8s.io"


def _claim_state(obj: Manifest) -> str:
    """`pending`; `allocated`, `reserved`; with `deleted` before them."""
    status, deleted = obj.get("status") or {}, meta.is_deleting(obj)
    states = ["deleted"] if deleted else []
    if status.get("allocation") is None:
        states += [] if deleted else ["pending"]
    else:
        states += ["allocated", *(["reserved"] if status.get("reservedFor") else [])]
    return ",".join(states)


def taint_rule(obj: Manifest, now: int) -> list[Any]:
    taint = (obj.get("spec") or {}).get("taint") or {}
    added = since(taint["timeAdded"], now) if taint.get("timeAdded") else ""
    parts = [taint.get(part, "") for part in ("key", "value", "effect")]
    return [meta.name(obj), *parts, added, age(obj, now)]


def _migration_state(obj: Manifest) -> str:
    conditions = (obj.get("status") or {}).get("conditions") or []
    known = [c["type"] for c in conditions if c.get("status") == "True"]
    return next((kind for kind in reversed(known) if kind in ("Running", "Failed", "Succeeded")), "Unknown")


def _migrated(obj: Manifest) -> str:
    resource = (obj.get("spec") or {}).get("resource") or {}
    name, group = resource.get("resource", ""), resource.get("group", "")
    return f"{name}.{group}" if group else name


PRINTERS: dict[tuple[str, str], Printer] = {
    (GROUP, "DeviceClass"): simple(),
    (GROUP, "ResourceClaim"): simple(
        (
            Column("State", text="A summary of the current state (allocated, pending, reserved, etc.)."),
            _claim_state,
        )
    ),
    (GROUP, "ResourceClaimTemplate"): simple(),
    (GROUP, "ResourceSlice"): simple(
        (Column("Node", doc="resource_v1.ResourceSliceSpec.nodeName"), field("spec.nodeName")),
        (Column("Driver", doc="resource_v1.ResourceSliceSpec.driver"), field("spec.driver")),
        (Column("Pool", doc="resource_v1.ResourcePool.name"), field("spec.pool.name")),
    ),
    (GROUP, "DeviceTaintRule"): Printer(
        (
            NAME,
            Column("Key", doc="resource_v1.DeviceTaint.key"),
            Column("Value", doc="resource_v1.DeviceTaint.value"),
            Column("Effect", doc="resource_v1.DeviceTaint.effect"),
            Column("TimeAdded", doc="resource_v1.DeviceTaint.timeAdded"),
            AGE,
        ),
        taint_rule,
    ),
    ("storagemigration.k8s.io", "StorageVersionMigration"): Printer(
        (
            NAME._replace(format=""),
            Column("Resource", text="GroupResource to migrate"),
            Column("Status", text="Status of the migration"),
        ),
        lambda obj, now: [meta.name(obj), _migrated(obj), _migration_state(obj)],
    ),
}
