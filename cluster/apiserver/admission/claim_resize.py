"""PersistentVolumeClaimResize: a claim grows only if it is bound and its class says that volumes can grow.

Mirrors:  kubernetes/plugin/pkg/admission/storage/persistentvolume/resize/admission.go
"""

from typing import Any

from cluster.apiserver.admission.attributes import UPDATE, Attributes
from cluster.apiserver.admission.plugin import Plugin
from cluster.objects import Manifest, amounts, errors, quotas
from cluster.objects.amounts import NONE


def check(server: Any, attributes: Attributes) -> None:
    """Errors: Forbidden."""
    claim, old = attributes.obj, attributes.old or {}
    if _size(claim) <= _size(old):
        return
    problem = ""
    if (old.get("status") or {}).get("phase") != "Bound":
        problem = "Only bound persistent volume claims can be expanded"
    elif not _may_grow(server, claim, old):
        problem = (
            "only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support"
            " resize"
        )
    if problem:
        raise errors.Forbidden("", "persistentvolumeclaims", attributes.name, problem)


def _size(claim: Manifest) -> int:
    requests = ((claim.get("spec") or {}).get("resources") or {}).get("requests")
    return amounts.parse(requests).get("storage", NONE).nano


def _may_grow(server: Any, claim: Manifest, old: Manifest) -> bool:
    name = quotas.storage_class(claim)
    if not name or name != quotas.storage_class(old):
        return False
    return bool((server.informers.get("StorageClass", "", name) or {}).get("allowVolumeExpansion"))


PLUGIN = Plugin("PersistentVolumeClaimResize", validate=check, kinds=("PersistentVolumeClaim",), operations=(UPDATE,))
