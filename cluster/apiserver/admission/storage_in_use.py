"""StorageObjectInUseProtection: volumes and claims get a finalizer, so that none goes away under a running pod.

Mirrors:  kubernetes/plugin/pkg/admission/storage/storageobjectinuseprotection/admission.go
Read next: cluster/controllers/volumeprotection.py, which takes the finalizer off.
"""

from typing import Any

from cluster.apiserver.admission.attributes import CREATE, Attributes
from cluster.apiserver.admission.plugin import Plugin
from cluster.objects import Manifest

FINALIZERS = {
    "PersistentVolume": "kubernetes.io/pv-protection",
    "PersistentVolumeClaim": "kubernetes.io/pvc-protection",
}


def admit(server: Any, attributes: Attributes) -> Manifest:
    obj, finalizer = attributes.obj, FINALIZERS[attributes.resource.kind]
    given = obj["metadata"].get("finalizers") or []
    if finalizer in given:
        return obj
    return {**obj, "metadata": {**obj["metadata"], "finalizers": [*given, finalizer]}}


PLUGIN = Plugin("StorageObjectInUseProtection", mutate=admit, kinds=tuple(FINALIZERS), operations=(CREATE,))
