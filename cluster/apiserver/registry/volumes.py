"""PersistentVolumes and the claims to them.

A claim's spec is fixed when it is made; the real server shows the difference between the old spec and the new one as
its own structs, so this file can write a claim's spec like them.

Mirrors:  kubernetes/pkg/registry/core/{persistentvolume,persistentvolumeclaim}/strategy.go, pkg/apis/core/validation
Left out: the rules inside of the volume sources that this cluster has no driver for.
Read next: podrules.py for the volumes of pods.
"""

import difflib
import json
from collections.abc import Iterator
from typing import Any

from cluster.apiserver.registry.metadata import (
    duplicate,
    forbidden,
    invalid,
    not_supported,
    raw_invalid,
    required,
)
from cluster.apiserver.registry.resource import Problem, Resource, Subresource
from cluster.apiserver.registry.selectors import selector_problems, shown
from cluster.objects import Manifest, quantity
from cluster.objects.names import name_problems, qualified_problems

MODES = ("ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod")
RECLAIM = ("Delete", "Recycle", "Retain")
VOLUME_MODES = ("Block", "Filesystem")
SOURCES = (
    "hostPath", "gcePersistentDisk", "awsElasticBlockStore", "gitRepo", "glusterfs", "flocker", "nfs", "rbd", "quobyte",
    "cephfs", "iscsi", "cinder", "fc", "azureFile", "vsphereVolume", "photonPersistentDisk", "azureDisk",
    "portworxVolume", "scaleIO", "local", "storageos", "csi",
)  # fmt: skip
IMMUTABLE_SPEC = (
    "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims"
)


def _access_modes(modes: list[str], where: str, missing: str = "") -> Iterator[Problem]:
    if not modes:
        yield required(where, missing)
    yield from (not_supported(where, mode, MODES) for mode in modes if mode not in MODES)
    if "ReadWriteOncePod" in modes and len(set(modes)) > 1:
        yield forbidden(where, "may not use ReadWriteOncePod with other access modes")


def _class_name(spec: Manifest, where: str, name: str) -> list[Problem]:
    value = spec.get(name)
    return (
        [invalid(f"{where}.{name}", value, problem) for problem in name_problems(value, "subdomain")] if value else []
    )


def amount_problems(amount: str, where: str, positive: bool = False) -> list[Problem]:
    number = quantity.parse(amount)[0]
    if number < 0:
        return [invalid(where, amount, "must be greater than or equal to 0")]
    return [invalid(where, amount, "must be greater than zero")] if positive and not number else []


# --- claims -----------------------------------------------------------------------------------------------------


def defaulted_claim(claim: Manifest) -> Manifest:
    spec = claim.get("spec") or {}
    return claim if spec.get("volumeMode") else {**claim, "spec": {**spec, "volumeMode": "Filesystem"}}


def _new_claim(claim: Manifest) -> Manifest:
    spec = claim["spec"]
    if spec.get("dataSource") and not spec.get("dataSourceRef"):
        claim = {**claim, "spec": {**spec, "dataSourceRef": spec["dataSource"]}}
    return {**claim, "status": {"phase": "Pending"}}


def claim_problems(spec: Manifest, where: str = "spec") -> list[Problem]:
    found = [
        *_access_modes(spec.get("accessModes") or [], f"{where}.accessModes", "at least 1 access mode is required")
    ]
    found += selector_problems(spec.get("selector"), f"{where}.selector")
    asked = ((spec.get("resources") or {}).get("requests") or {}).get("storage")
    if asked is None:
        found.append(required(f"{where}.resources[storage]"))
    else:
        found += amount_problems(asked, f"{where}.resources[storage]", positive=True)
    found += _class_name(spec, where, "storageClassName")
    if spec.get("volumeMode") is not None and spec["volumeMode"] not in VOLUME_MODES:
        found.append(not_supported(f"{where}.volumeMode", spec["volumeMode"], VOLUME_MODES))
    for name in ("dataSource", "dataSourceRef"):
        if spec.get(name) is not None:
            found += _data_source(spec[name], f"{where}.{name}")
    return found + _class_name(spec, where, "volumeAttributesClassName")


def _data_source(source: Manifest, where: str) -> Iterator[Problem]:
    for name in ("name", "kind"):
        if not source.get(name):
            yield required(f"{where}.{name}")
    if not source.get("apiGroup") and source.get("kind") != "PersistentVolumeClaim":
        message = "must be 'PersistentVolumeClaim' when referencing the default apiGroup"
        yield invalid(where, source.get("kind", ""), message)


def _validate_claim(claim: Manifest) -> list[Problem]:
    return claim_problems(claim.get("spec") or {})


def _validate_claim_update(old: Manifest, new: Manifest, subresource: str) -> list[Problem]:
    if subresource:
        return []
    before, after = old["spec"], new.get("spec") or {}
    bound = (old.get("status") or {}).get("phase") == "Bound"
    found = []
    compared, kept = _without_what_may_change(before, after, bound)
    if compared != kept:
        difference = _difference(_as_struct(kept), _as_struct(compared))
        found.append(forbidden("spec", f"{IMMUTABLE_SPEC}\n{difference}"))
    size, was = _requested(after), _requested(before)
    there = ((old.get("status") or {}).get("capacity") or {}).get("storage", "0")
    if size and was and quantity.parse(size)[0] < min(quantity.parse(was)[0], quantity.parse(there)[0] + 1):
        found.append(forbidden("spec.resources.requests.storage", "field can not be less than status.capacity"))
    if before.get("volumeMode") != after.get("volumeMode"):
        found.append(invalid("volumeMode", after.get("volumeMode", ""), "field is immutable"))
    return found


def _without_what_may_change(before: Manifest, after: Manifest, bound: bool) -> tuple[Manifest, Manifest]:
    """(new spec, old spec) without the changes that are allowed: the binder's volume, a bound claim's size."""
    new, kept = {**after}, {**before}
    if not kept.get("volumeName") and new.get("volumeName"):
        kept["volumeName"] = new["volumeName"]
    if kept.get("storageClassName") is None and new.get("storageClassName") is not None:
        kept["storageClassName"] = new["storageClassName"]  # What had no class may get the default one.
    if bound:
        new["resources"] = kept.get("resources")
        if kept.get("volumeAttributesClassName") is not None or new.get("volumeAttributesClassName"):
            new["volumeAttributesClassName"] = kept.get("volumeAttributesClassName")
    drop = [name for name, value in new.items() if value is None]
    for name in drop:
        del new[name]
    return new, kept


def _requested(spec: Manifest) -> str:
    return str(((spec.get("resources") or {}).get("requests") or {}).get("storage", ""))


def _as_struct(spec: Manifest) -> Any:
    """A claim's spec with the names and the empty fields of the real server's struct."""
    resources = spec.get("resources") or {}
    return {
        "AccessModes": spec.get("accessModes"),
        "Selector": spec.get("selector"),
        "Resources": {"Limits": resources.get("limits"), "Requests": resources.get("requests")},
        "VolumeName": spec.get("volumeName", ""),
        "StorageClassName": spec.get("storageClassName"),
        "VolumeMode": spec.get("volumeMode"),
        "DataSource": spec.get("dataSource"),
        "DataSourceRef": spec.get("dataSourceRef"),
        "VolumeAttributesClassName": spec.get("volumeAttributesClassName"),
    }


def _difference(old: Any, new: Any) -> str:
    """A unified diff of two structs without the names of files in front."""
    before, after = (json.dumps(struct, indent=1).splitlines() for struct in (old, new))
    lines = list(difflib.unified_diff(before, after, lineterm=""))[2:]
    return "".join(f"{line}\n" for line in lines)


CLAIM = Resource(
    "", "v1", "PersistentVolumeClaim", "persistentvolumeclaims", short_names=("pvc",), has_status=True,
    returns_deleted=True, subresources={"status": Subresource("PersistentVolumeClaim")},
    default=defaulted_claim, on_create=_new_claim, validate=_validate_claim, validate_update=_validate_claim_update,
)  # fmt: skip


# --- volumes ----------------------------------------------------------------------------------------------------


def _default_volume(volume: Manifest) -> Manifest:
    spec = {**(volume.get("spec") or {})}
    spec["persistentVolumeReclaimPolicy"] = spec.get("persistentVolumeReclaimPolicy") or "Retain"
    spec["volumeMode"] = spec.get("volumeMode") or "Filesystem"
    if spec.get("hostPath") is not None:
        spec["hostPath"] = {**spec["hostPath"], "type": spec["hostPath"].get("type") or ""}
    return volume if spec == volume.get("spec") else {**volume, "spec": spec}


def _new_volume(volume: Manifest) -> Manifest:
    since = volume["metadata"].get("creationTimestamp")
    return {**volume, "status": {"phase": "Pending", "lastPhaseTransitionTime": since}}


def _validate_volume(volume: Manifest) -> list[Problem]:
    spec = volume.get("spec") or {}
    found = [*_access_modes(spec.get("accessModes") or [], "spec.accessModes")]
    capacity = spec.get("capacity") or {}
    if not capacity:
        found.append(required("spec.capacity"))
    if set(capacity) != {"storage"}:
        message = f'Unsupported value: {shown(capacity or None)}: supported values: "storage"'
        found.append({"reason": "FieldValueNotSupported", "message": message, "field": "spec.capacity"})
    for name, amount in sorted(capacity.items()):
        found += amount_problems(amount, f"spec.capacity[{name}]", positive=True)
    policy = spec.get("persistentVolumeReclaimPolicy", "")
    if policy and policy not in RECLAIM:
        found.append(not_supported("spec.persistentVolumeReclaimPolicy", policy, RECLAIM))
    found += _node_affinity(spec.get("nodeAffinity"))
    found += _sources(spec)
    path = (spec.get("hostPath") or {}).get("path", "")
    if path.startswith("/") and not path.strip("/.") and policy == "Recycle":
        message = "may not be 'recycle' for a hostPath mount of '/'"
        found.append(forbidden("spec.persistentVolumeReclaimPolicy", message))
    found += _class_name(spec, "spec", "storageClassName")
    if spec.get("volumeMode") not in (None, *VOLUME_MODES):
        found.append(not_supported("spec.volumeMode", spec["volumeMode"], VOLUME_MODES))
    return found


def _sources(spec: Manifest) -> Iterator[Problem]:
    sources = [source for source in SOURCES if spec.get(source) is not None]
    if not sources:
        yield required("spec", "must specify a volume type")
    yield from (forbidden(f"spec.{source}", "may not specify more than 1 volume type") for source in sources[1:])
    for source, needed in (("hostPath", ("path",)), ("nfs", ("server", "path")), ("local", ("path",))):
        if source in sources[:1]:
            yield from (required(f"spec.{source}.{name}") for name in needed if not spec[source].get(name))
            if ".." in str(spec[source].get("path", "")).split("/"):
                yield invalid(f"spec.{source}.path", spec[source]["path"], "must not contain '..'")
    if "csi" in sources[:1]:
        yield from (required(f"spec.csi.{name}") for name in ("driver", "volumeHandle") if not spec["csi"].get(name))
    if "local" in sources[:1] and not spec.get("nodeAffinity"):
        yield required("spec.nodeAffinity", "Local volume requires node affinity")


def _node_affinity(affinity: Manifest | None) -> Iterator[Problem]:
    if affinity is None:
        return
    where, terms = "spec.nodeAffinity.required", affinity.get("required")
    if terms is None:
        yield required(where, "must specify required node constraints")
        return
    if not terms.get("nodeSelectorTerms"):
        yield required(f"{where}.nodeSelectorTerms", "must have at least one node selector term")
    for number, term in enumerate(terms.get("nodeSelectorTerms") or []):
        seen: set[tuple[Any, ...]] = set()
        for place, expression in enumerate(term.get("matchExpressions") or []):
            field, key = f"{where}.nodeSelectorTerms[{number}].matchExpressions[{place}]", expression.get("key", "")
            yield from (invalid(f"{field}.key", key, problem) for problem in qualified_problems(key))
            identity = (key, expression.get("operator"), *(expression.get("values") or ()))
            if identity in seen:
                yield duplicate(field, key)
            seen.add(identity)


def _validate_volume_update(old: Manifest, new: Manifest, subresource: str) -> list[Problem]:
    if subresource:
        return []
    before, after = old["spec"], new.get("spec") or {}
    found = []
    if any(before.get(source) != after.get(source) for source in SOURCES):
        texts = [{s: spec[s] for s in SOURCES if spec.get(s) is not None} for spec in (before, after)]
        message = f"spec.persistentvolumesource is immutable after creation\n{_difference(*texts)}"
        found.append(forbidden("spec.persistentvolumesource", message))
    if before.get("volumeMode") != after.get("volumeMode"):
        found.append(invalid("volumeMode", after.get("volumeMode", ""), "field is immutable"))
    if before.get("nodeAffinity") and before["nodeAffinity"] != after.get("nodeAffinity"):
        found.append(raw_invalid("spec.nodeAffinity", shown(after.get("nodeAffinity")), "field is immutable"))
    return found


VOLUME = Resource(
    "", "v1", "PersistentVolume", "persistentvolumes", namespaced=False, short_names=("pv",), has_status=True,
    returns_deleted=True, subresources={"status": Subresource("PersistentVolume")},
    default=_default_volume, on_create=_new_volume, validate=_validate_volume, validate_update=_validate_volume_update,
)  # fmt: skip

RESOURCES = (VOLUME, CLAIM)
