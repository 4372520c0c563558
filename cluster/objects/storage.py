"""Claims, volumes and classes of storage: what everybody who deals with them has to agree on.

A claim is *bound* when it names a volume, the volume names it, and both say so. Who makes the claim's volume is the
class's `provisioner`; when, its `volumeBindingMode`.

Mirrors:  k8s.io/component-helpers/storage/{volume,ephemeral},
          kubernetes/pkg/controller/volume/persistentvolume/index.go
Read next: cluster/controllers/persistentvolume.py, cluster/scheduler/plugins/volume_binding.py.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from cluster.objects import Manifest, labels, meta, quantity
from cluster.objects.nodeterms import term_matches

BIND_COMPLETED = "pv.kubernetes.io/bind-completed"
BOUND_BY_CONTROLLER = "pv.kubernetes.io/bound-by-controller"
PROVISIONED_BY = "pv.kubernetes.io/provisioned-by"
SELECTED_NODE = "volume.kubernetes.io/selected-node"
PROVISIONERS = ("volume.beta.kubernetes.io/storage-provisioner", "volume.kubernetes.io/storage-provisioner")
CLASS = "volume.beta.kubernetes.io/storage-class"
DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"
IN_TREE = "kubernetes.io/"
NO_PROVISIONER = "kubernetes.io/no-provisioner"

Labels = dict[str, str]


# --- pods and their claims --------------------------------------------------------------------------------------


def claim_of(pod: Manifest, volume: Manifest) -> str | None:
    """The name of the claim behind one of the pod's volumes; None: it needs none."""
    if "persistentVolumeClaim" in volume:
        return str((volume["persistentVolumeClaim"] or {}).get("claimName", ""))
    return f"{meta.name(pod)}-{volume['name']}" if "ephemeral" in volume else None


def claim_names(pod: Manifest) -> Iterator[tuple[str, bool]]:
    """(name of a claim, was it made for this pod alone?) for each of the pod's volumes that needs one."""
    for volume in pod["spec"].get("volumes") or ():
        name = claim_of(pod, volume)
        if name is not None:
            yield name, "persistentVolumeClaim" not in volume


def claims_of(pod: Manifest) -> list[str]:
    """Keys of the claims that a pod mounts; a generic ephemeral volume's claim is named after both."""
    return [f"{meta.namespace(pod)}/{name}" for name, _ in claim_names(pod)]


def is_made_for(claim: Manifest, pod: Manifest) -> bool:
    """Does the claim belong to this pod, as that of an ephemeral volume must?"""
    owner = meta.controller_of(claim)
    return owner is not None and owner.get("uid") == meta.uid(pod)


# --- claims and volumes -----------------------------------------------------------------------------------------


def phase(obj: Manifest) -> Any:
    return (obj.get("status") or {}).get("phase")


def class_of(obj: Manifest) -> str:
    """The storage class of a claim or a volume; empty: none."""
    return str(meta.annotations(obj).get(CLASS) or obj["spec"].get("storageClassName") or "")


def request(claim: Manifest) -> str:
    """How much a claim asks for: a quantity."""
    return str(((claim["spec"].get("resources") or {}).get("requests") or {}).get("storage", "0"))


def size(volume: Manifest) -> int:
    """Bytes of a volume."""
    return quantity.value(str((volume["spec"].get("capacity") or {}).get("storage", "0")))


def is_fully_bound(claim: Manifest) -> bool:
    return bool(claim["spec"].get("volumeName")) and BIND_COMPLETED in meta.annotations(claim)


def waits_for_consumer(entry: Manifest | None) -> bool:
    """Does a class (None: there is none of that name) bind only when a pod needs the volume?"""
    return entry is not None and entry.get("volumeBindingMode") == "WaitForFirstConsumer"


def is_kept_for(volume: Manifest, claim: Manifest) -> bool:
    """Does the volume name this claim?"""
    reference = volume["spec"].get("claimRef")
    if not reference:
        return False
    same = reference.get("name") == meta.name(claim) and reference.get("namespace") == meta.namespace(claim)
    return same and (not reference.get("uid") or reference["uid"] == meta.uid(claim))


def affinity_terms(volume: Manifest) -> list[Manifest]:
    """Terms of which a node must meet one to reach the volume; empty: every node does."""
    required = (volume["spec"].get("nodeAffinity") or {}).get("required") or {}
    return required.get("nodeSelectorTerms") or []


def is_within_reach(volume: Manifest, node_labels: Labels, node: str) -> bool:
    terms = affinity_terms(volume)
    return not terms or any(term_matches(term, node_labels, node) for term in terms)


def topology_allows(terms: Iterable[Manifest] | None, node_labels: Labels) -> bool:
    """A class's `allowedTopologies`: does a node with these labels meet one of them? None: any does."""
    wanted = [term.get("matchLabelExpressions") or [] for term in terms or ()]
    return not wanted or any(
        all(node_labels.get(one.get("key", "")) in (one.get("values") or ()) for one in expressions)
        for expressions in wanted
    )


# --- which volume fits ------------------------------------------------------------------------------------------


def mismatch(volume: Manifest, claim: Manifest) -> str:
    """Why this volume is not what the claim asks for; empty if it is."""
    spec, asked = volume["spec"], claim["spec"]
    if size(volume) < quantity.value(request(claim)):
        return "requested PV is too small"
    if class_of(volume) != class_of(claim):
        return "storageClassName does not match"
    if (spec.get("volumeMode") or "Filesystem") != (asked.get("volumeMode") or "Filesystem"):
        return "incompatible volumeMode"
    if any(mode not in (spec.get("accessModes") or []) for mode in asked.get("accessModes") or []):
        return "incompatible accessMode"
    return ""


def _fits(volume: Manifest, claim: Manifest) -> bool:
    selector = claim["spec"].get("selector")
    if volume["spec"].get("claimRef") and not is_kept_for(volume, claim):
        return False
    if meta.is_deleting(volume) or mismatch(volume, claim):
        return False
    return selector is None or labels.matches(selector, meta.labels(volume))


def best_match(volumes: Iterable[Manifest], claim: Manifest, only_prebound: bool = False) -> Manifest | None:
    """The volume that is kept for this claim, else the smallest that fits; of equals the oldest."""
    fitting = [volume for volume in volumes if _fits(volume, claim)]
    kept = [volume for volume in fitting if volume["spec"].get("claimRef")]
    if kept:
        return min(kept, key=size)
    free = [] if only_prebound else [volume for volume in fitting if phase(volume) == "Available"]
    return min(free, key=size, default=None)


def best_match_at(
    volumes: Iterable[Manifest], claim: Manifest, node_labels: Labels, node: str, taken: Iterable[str] = ()
) -> Manifest | None:
    """The same for one node: what is kept for the claim must be within reach; volumes `taken` are not to be had."""
    fitting = [volume for volume in volumes if meta.name(volume) not in taken and _fits(volume, claim)]
    kept = next((volume for volume in fitting if volume["spec"].get("claimRef")), None)
    if kept is not None:
        return kept if is_within_reach(kept, node_labels, node) else None
    free = (v for v in fitting if phase(v) == "Available" and is_within_reach(v, node_labels, node))
    return min(free, key=size, default=None)


def pointed_at(volume: Manifest, claim: Manifest) -> Manifest:
    """`volume` as it names `claim`: half of a binding."""
    metadata = volume["metadata"]
    wanted = {
        "kind": "PersistentVolumeClaim",
        "namespace": meta.namespace(claim),
        "name": meta.name(claim),
        "uid": meta.uid(claim),
        "apiVersion": "v1",
        "resourceVersion": claim["metadata"]["resourceVersion"],
    }
    if volume["spec"].get("claimRef") is None:
        metadata = {**metadata, "annotations": {**meta.annotations(volume), BOUND_BY_CONTROLLER: "yes"}}
    return {**volume, "metadata": metadata, "spec": {**volume["spec"], "claimRef": wanted}}


# --- where volumes are attached ---------------------------------------------------------------------------------


def driver_of(volume: Manifest) -> str:
    """The CSI driver of a volume; empty: it has none."""
    return str((volume["spec"].get("csi") or {}).get("driver", ""))


def handle_of(volume: Manifest) -> str:
    """What a volume is called, to its CSI driver."""
    return str((volume["spec"].get("csi") or {}).get("volumeHandle", ""))


def needs_attaching(driver: Manifest | None) -> bool:
    """Do the volumes of a CSIDriver have to be attached to a node first? None: it says nothing, so they do."""
    return driver is None or bool(driver["spec"].get("attachRequired", True))


def volume_of(attachment: Manifest) -> str:
    """The name of the volume that a VolumeAttachment is about; empty: it is none of the API's."""
    return str((attachment["spec"].get("source") or {}).get("persistentVolumeName", ""))


def node_of(attachment: Manifest) -> str:
    return str(attachment["spec"]["nodeName"])


def is_attached(attachment: Manifest) -> bool:
    return bool((attachment.get("status") or {}).get("attached"))
