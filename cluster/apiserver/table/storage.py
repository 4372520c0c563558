"""What storage.k8s.io prints.

Mirrors:  kubernetes/pkg/printers/internalversion/printers.go
"""

from collections.abc import Callable
from typing import Any

from cluster.apiserver.table.columns import AGE, NAME, Column
from cluster.apiserver.table.printer import Printer, age, field, simple
from cluster.objects import Manifest, meta

UNSET = "<unset>"


def storage_class(obj: Manifest, now: int) -> list[Any]:
    name = meta.name(obj)
    if (obj["metadata"].get("annotations") or {}).get("storageclass.kubernetes.io/is-default-class") == "true":
        name += " (default)"
    return [
        name,
        obj.get("provisioner", ""),
        obj.get("reclaimPolicy") or "Delete",
        obj.get("volumeBindingMode") or "Immediate",
        bool(obj.get("allowVolumeExpansion")),
        age(obj, now),
    ]


def _token_requests(obj: Manifest) -> str:
    audiences = [request.get("audience", "") for request in (obj.get("spec") or {}).get("tokenRequests") or []]
    return ",".join(audiences) if audiences else UNSET


def _flag(path: str) -> Callable[[Manifest], bool]:
    read = field(path, False)
    return lambda obj: bool(read(obj))


# What our source of descriptions has lost of their layout.
_POD_INFO = (
    ("inline volume defined", f"inline volume\n{' ' * 32}defined"),
    ('"false" "csi', '"false"\n\n"csi'),
    ("driver. This field was", "driver.\n\nThis field was"),
)
_CAPACITY = (
    ("true. The check", "true.\n\nThe check"),
    ("object. Alternatively", "object.\n\nAlternatively"),
    ("published. This", "published.\n\nThis"),
)
_TOKENS = (
    ('{ "<audience>": {', '{\n  "<audience>": {\n   '),
    ("<token>, ", "<token>,\n    "),
    ("RFC3339>, }, ...\n\n} Note", "RFC3339>,\n  },\n  ...\n}\n\nNote"),
)

PRINTERS: dict[tuple[str, str], Printer] = {
    ("storage.k8s.io", "StorageClass"): Printer(
        (
            NAME,
            Column("Provisioner", doc="storage_v1.StorageClass.provisioner"),
            Column("ReclaimPolicy", doc="storage_v1.StorageClass.reclaimPolicy"),
            Column("VolumeBindingMode", doc="storage_v1.StorageClass.volumeBindingMode"),
            Column("AllowVolumeExpansion", doc="storage_v1.StorageClass.allowVolumeExpansion"),
            AGE,
        ),
        storage_class,
    ),
    ("storage.k8s.io", "VolumeAttachment"): simple(
        (Column("Attacher", doc="storage_v1.VolumeAttachmentSpec.attacher", format="name"), field("spec.attacher")),
        (
            Column("PV", doc="storage_v1.VolumeAttachmentSource.persistentVolumeName"),
            field("spec.source.persistentVolumeName"),
        ),
        (Column("Node", doc="storage_v1.VolumeAttachmentSpec.nodeName"), field("spec.nodeName")),
        (Column("Attached", "boolean", "storage_v1.VolumeAttachmentStatus.attached"), _flag("status.attached")),
    ),
    ("storage.k8s.io", "CSIDriver"): simple(
        (Column("AttachRequired", "boolean", "storage_v1.CSIDriverSpec.attachRequired"), _flag("spec.attachRequired")),
        (
            Column("PodInfoOnMount", "boolean", "storage_v1.CSIDriverSpec.podInfoOnMount", mends=_POD_INFO),
            _flag("spec.podInfoOnMount"),
        ),
        (
            Column("StorageCapacity", "boolean", "storage_v1.CSIDriverSpec.storageCapacity", mends=_CAPACITY),
            _flag("spec.storageCapacity"),
        ),
        (Column("TokenRequests", doc="storage_v1.CSIDriverSpec.tokenRequests", mends=_TOKENS), _token_requests),
        (
            Column("RequiresRepublish", "boolean", "storage_v1.CSIDriverSpec.requiresRepublish"),
            _flag("spec.requiresRepublish"),
        ),
        (
            Column("Modes", doc="storage_v1.CSIDriverSpec.volumeLifecycleModes"),
            lambda obj: ",".join((obj.get("spec") or {}).get("volumeLifecycleModes") or []),
        ),
    ),
    ("storage.k8s.io", "CSINode"): simple(
        (
            Column("Drivers", "integer", text="Drivers indicates the number of CSI drivers registered on the node"),
            lambda obj: len((obj.get("spec") or {}).get("drivers") or []),
        )
    ),
    ("storage.k8s.io", "VolumeAttributesClass"): simple(
        (Column("DriverName", doc="storage_v1.VolumeAttributesClass.driverName"), field("driverName"))
    ),
}
