"""How PersistentVolumes and claims print."""

from typing import Any

from cluster.apiserver.table.columns import AGE, NAME, Column
from cluster.apiserver.table.printer import Printer, age
from cluster.objects import Manifest, meta

UNSET = "<unset>"
VOLUME_COLUMNS = (
    NAME,
    Column("Capacity", doc="core_v1.PersistentVolumeSpec.capacity"),
    Column("Access Modes", doc="core_v1.PersistentVolumeSpec.accessModes"),
    Column("Reclaim Policy", doc="core_v1.PersistentVolumeSpec.persistentVolumeReclaimPolicy"),
    Column("Status", doc="core_v1.PersistentVolumeStatus.phase"),
    Column("Claim", doc="core_v1.PersistentVolumeSpec.claimRef"),
    Column("StorageClass", text="StorageClass of the pv"),
    Column("VolumeAttributesClass", text="VolumeAttributesClass of the pv"),
    Column("Reason", doc="core_v1.PersistentVolumeStatus.reason"),
    AGE,
    Column("VolumeMode", doc="core_v1.PersistentVolumeSpec.volumeMode", wide=True),
)
CLAIM_COLUMNS = (
    NAME,
    Column("Status", doc="core_v1.PersistentVolumeClaimStatus.phase"),
    Column("Volume", doc="core_v1.PersistentVolumeClaimSpec.volumeName"),
    Column("Capacity", doc="core_v1.PersistentVolumeClaimStatus.capacity"),
    Column("Access Modes", doc="core_v1.PersistentVolumeClaimStatus.accessModes"),
    Column("StorageClass", text="StorageClass of the pvc"),
    Column("VolumeAttributesClass", text="VolumeAttributesClass of the pvc"),
    AGE,
    Column("VolumeMode", doc="core_v1.PersistentVolumeClaimSpec.volumeMode", wide=True),
)
_SHORT = {"ReadWriteOnce": "RWO", "ReadOnlyMany": "ROX", "ReadWriteMany": "RWX", "ReadWriteOncePod": "RWOP"}
_OLD_CLASS = "volume.beta.kubernetes.io/storage-class"


def volume(obj: Manifest, now: int) -> list[Any]:
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    claim = spec.get("claimRef")
    return [
        meta.name(obj),
        (spec.get("capacity") or {}).get("storage", "0"),
        _modes(spec.get("accessModes")),
        spec.get("persistentVolumeReclaimPolicy", ""),
        "Terminating" if meta.is_deleting(obj) else status.get("phase", ""),
        f"{claim.get('namespace', '')}/{claim.get('name', '')}" if claim else "",
        _class(obj),
        spec.get("volumeAttributesClassName") or UNSET,
        status.get("reason", ""),
        age(obj, now),
        spec.get("volumeMode") or UNSET,
    ]


def claim(obj: Manifest, now: int) -> list[Any]:
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    bound = bool(spec.get("volumeName"))
    return [
        meta.name(obj),
        "Terminating" if meta.is_deleting(obj) else status.get("phase", ""),
        spec.get("volumeName", ""),
        (status.get("capacity") or {}).get("storage", "0") if bound else "",
        _modes(status.get("accessModes")) if bound else "",
        _class(obj),
        spec.get("volumeAttributesClassName") or UNSET,
        age(obj, now),
        spec.get("volumeMode") or UNSET,
    ]


def _modes(modes: list[str] | None) -> str:
    return ",".join(short for mode, short in _SHORT.items() if mode in (modes or ()))


def _class(obj: Manifest) -> str:
    return meta.annotations(obj).get(_OLD_CLASS) or (obj.get("spec") or {}).get("storageClassName") or ""


PRINTERS: dict[tuple[str, str], Printer] = {
    ("", "PersistentVolume"): Printer(VOLUME_COLUMNS, volume),
    ("", "PersistentVolumeClaim"): Printer(CLAIM_COLUMNS, claim),
}
