"""DefaultStorageClass and DefaultIngressClass: who names no class gets the one that is marked as default.

Of several defaults the newest counts, and of several as new the first by name.

Mirrors:  kubernetes/plugin/pkg/admission/{storage/storageclass/setdefault, defaultingressclass}/admission.go
"""

from typing import Any

from cluster.apiserver.admission.attributes import CREATE, Attributes
from cluster.apiserver.admission.plugin import Plugin
from cluster.objects import Manifest, meta

STORAGE_DEFAULT = (
    "storageclass.kubernetes.io/is-default-class",
    "storageclass.beta.kubernetes.io/is-default-class",
)
INGRESS_DEFAULT = ("ingressclass.kubernetes.io/is-default-class",)


def storage(server: Any, attributes: Attributes) -> Manifest:
    claim = attributes.obj
    old = (claim["metadata"].get("annotations") or {}).get("volume.beta.kubernetes.io/storage-class")
    return claim if old is not None else _with_class(server, claim, "StorageClass", STORAGE_DEFAULT, "storageClassName")


def ingress(server: Any, attributes: Attributes) -> Manifest:
    rule = attributes.obj
    old = (rule["metadata"].get("annotations") or {}).get("kubernetes.io/ingress.class")
    return rule if old is not None else _with_class(server, rule, "IngressClass", INGRESS_DEFAULT, "ingressClassName")


def _with_class(server: Any, obj: Manifest, kind: str, marks: tuple[str, ...], field: str) -> Manifest:
    spec = obj.get("spec") or {}
    if spec.get(field) is not None:
        return obj
    classes = [each for each in server.informers.list(kind) if _is_marked(each, marks)]
    if not classes:
        return obj
    newest = max(meta.created_at(each) for each in classes)
    chosen = min(meta.name(each) for each in classes if meta.created_at(each) == newest)
    return {**obj, "spec": {**spec, field: chosen}}


def _is_marked(obj: Manifest, marks: tuple[str, ...]) -> bool:
    annotations = obj["metadata"].get("annotations") or {}
    return any(annotations.get(mark) == "true" for mark in marks)


STORAGE = Plugin("DefaultStorageClass", mutate=storage, kinds=("PersistentVolumeClaim",), operations=(CREATE,))
INGRESS = Plugin("DefaultIngressClass", mutate=ingress, kinds=("Ingress",), operations=(CREATE,))
