"""The apiextensions.k8s.io/v1 group: the kind that makes kinds.

Mirrors:  k8s.io/apiextensions-apiserver/pkg/registry/customresourcedefinition (strategy.go, etcd.go)
Read next: custom/, which turns a definition into a kind; cluster/apiserver/definitions.py, which establishes it.
"""

from cluster.apiserver.registry.custom import definition as custom
from cluster.apiserver.registry.resource import STATUS, Resource
from cluster.objects import Manifest, conditions

CLEANUP = "customresourcecleanup.apiextensions.k8s.io"


def _default(definition: Manifest) -> Manifest:
    spec = definition.get("spec") or {}
    names, missing = spec.get("names") or {}, {}
    if names.get("kind"):
        if not names.get("singular"):
            missing["singular"] = names["kind"].lower()
        if not names.get("listKind"):
            missing["listKind"] = f"{names['kind']}List"
    conversion = spec.get("conversion") or {"strategy": "None"}
    if not missing and conversion is spec.get("conversion"):
        return definition
    ordered = {**names, **missing}
    ordered = {part: ordered[part] for part in NAMES if part in ordered}
    return {**definition, "spec": {**spec, "names": ordered, "conversion": conversion}}


NAMES = ("plural", "singular", "shortNames", "kind", "listKind", "categories")


def _new(definition: Manifest) -> Manifest:
    versions = (definition.get("spec") or {}).get("versions") or []
    stored = next(([version["name"]] for version in versions if version.get("storage")), None)
    status = {"conditions": None, "acceptedNames": {"plural": "", "kind": ""}, "storedVersions": stored}
    return {**definition, "status": status}


def _prepare(old: Manifest, new: Manifest, subresource: str) -> Manifest:
    """A status changes nothing else; anything else not the status, but that it lists every version ever stored in."""
    if subresource == "status":
        return {**old, "metadata": {**old["metadata"]}, "status": new.get("status") or {}}
    metadata = new["metadata"]
    if new.get("spec") != old["spec"]:
        metadata = {**metadata, "generation": old["metadata"].get("generation", 0) + 1}
    return {**new, "metadata": metadata, "status": _joined(old, new)}


def _joined(old: Manifest, new: Manifest) -> Manifest:
    status, versions = old.get("status") or {}, (new.get("spec") or {}).get("versions") or []
    known = status.get("storedVersions") or []
    fresh = [version["name"] for version in versions if version.get("storage") and version["name"] not in known]
    return {**status, "storedVersions": [*known, *fresh[:1]]} if fresh else status


def _on_delete(definition: Manifest, now: str) -> Manifest:
    """The mark of a deletion: a finalizer until all objects are gone, and a condition that says so."""
    metadata = definition["metadata"]
    finalizers = metadata.get("finalizers") or []
    if CLEANUP not in finalizers:
        metadata = {**metadata, "finalizers": [*finalizers, CLEANUP]}
    condition = {
        "type": "Terminating",
        "status": "True",
        "lastTransitionTime": now,
        "reason": "InstanceDeletionPending",
        "message": "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon",
    }
    status = definition.get("status") or {}
    listed = conditions.put(status.get("conditions"), condition)
    return {**definition, "metadata": metadata, "status": {**status, "conditions": listed}}


DEFINITION = Resource(
    "apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions", namespaced=False,
    short_names=("crd", "crds"), categories=("api-extensions",), generation=True, has_status=True,
    unconditional=False,
    subresources=STATUS, stored_version="v1beta1", storage="apiextensions.k8s.io/customresourcedefinitions",
    decode=custom.decode, validate=custom.validate, validate_update=custom.validate_update, ratchets=True,
    default=_default, on_create=_new, prepare_update=_prepare, on_delete=_on_delete,
)  # fmt: skip

RESOURCES = (DEFINITION,)
