"""The CSI driver of the cloud's disks: what it brings along, and how disks are made and deleted for claims.

    claim ──▶ class cloud-disk ──▶ CreateDisk ──▶ PersistentVolume with the disk's name, its zone, and this claim
    volume Released, policy Delete ──▶ DeleteDisk ──▶ the volume goes

A pod's claim waits for the pod (WaitForFirstConsumer): the scheduler chooses a node, and the disk is made in its zone.
If the cloud has no more disks to give, the choice is taken back, so that the scheduler may think of another node.

A driver has three parts: a registrar beside each kubelet, which tells by CSINode how many disks the machine takes; a
provisioner and an attacher, which run once. Here the registrar runs once, too, for all nodes.

Mirrors:  kubernetes-csi/external-provisioner (pkg/controller/controller.go), node-driver-registrar;
          sig-storage-lib-external-provisioner
Left out: snapshots, clones, CSIStorageCapacity, resizing, VolumeAttributesClass.
Read next: csiattacher.py; cluster/controllers/attachdetach.py, which says what is to be attached where.
"""

from typing import Any

from cluster.cloud.disks import ATTACHED_MOST
from cluster.engine.calls import Caller
from cluster.engine.controller import Component
from cluster.engine.provider import Call
from cluster.objects import Manifest, meta, quantity
from cluster.objects.errors import NotFound
from cluster.objects.nodes import ZONE
from cluster.objects.storage import (
    DEFAULT_CLASS,
    PROVISIONED_BY,
    PROVISIONERS,
    SELECTED_NODE,
    class_of,
    node_of,
    phase,
    request,
    volume_of,
    waits_for_consumer,
)

DRIVER = "disk.csi.orrery"
STORAGE_CLASS = "cloud-disk"
FINALIZER = "external-provisioner.volume.kubernetes.io/finalizer"
GIBIBYTE = 1 << 30
CODES = {  # How the driver tells the cloud's refusals, by their first word.
    "QuotaExceeded": "ResourceExhausted",
    "InvalidSize": "OutOfRange",
    "RequestLimitExceeded": "Unavailable",
    "AlreadyExists": "AlreadyExists",
    "VolumeInUse": "FailedPrecondition",
    "AttachmentLimitExceeded": "ResourceExhausted",
    "NotFound": "NotFound",
    "Post": "DeadlineExceeded",
}
OBJECTS: tuple[Manifest, ...] = (
    {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "CSIDriver",
        "metadata": {"name": DRIVER},
        "spec": {"attachRequired": True, "podInfoOnMount": False, "volumeLifecycleModes": ["Persistent"]},
    },
    {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": STORAGE_CLASS, "annotations": {DEFAULT_CLASS: "true"}},
        "provisioner": DRIVER,
        "reclaimPolicy": "Delete",
        "volumeBindingMode": "WaitForFirstConsumer",
    },
)


def rpc_error(why: str) -> str:
    """A refusal of the cloud as the driver passes it on."""
    return f"rpc error: code = {CODES.get(why.split(':')[0].split(' ')[0], 'Internal')} desc = {why}"


class CsiRegistrar(Component):
    """Tells of each node, by a CSINode, that the driver is there. Queue keys: node names, and `` for the driver."""

    name = "csi-node-registrar"
    role = "cloud"
    user = "system:csi-node-registrar"

    def watch(self) -> None:
        self.informers.subscribe("Node", self._node_changed, self.name)

    def start(self) -> None:
        self.queue.add("")
        for node in self.informers.list("Node"):
            self.queue.add(meta.name(node))

    def _node_changed(self, old: Manifest | None, new: Manifest | None) -> None:
        if new is not None and (old is None or old["spec"].get("providerID") != new["spec"].get("providerID")):
            self.queue.add(meta.name(new))

    def process(self, key: str) -> None:
        if key:
            self._register(key)
            return
        for obj in OBJECTS:
            if self.informers.get(obj["kind"], "", meta.name(obj)) is None:
                self.client.create(obj)

    def _register(self, name: str) -> None:
        node = self.informers.get("Node", "", name)
        machine = (node["spec"].get("providerID") or "").rpartition("/")[2] if node is not None else ""
        if node is None or not machine:
            return
        mine = {"name": DRIVER, "nodeID": machine, "topologyKeys": [ZONE], "allocatable": {"count": ATTACHED_MOST}}
        known = self.informers.get("CSINode", "", name)
        if known is None:
            metadata = {"name": name, "ownerReferences": [meta.owner_reference(node, controller=False)]}
            body = {"apiVersion": "storage.k8s.io/v1", "kind": "CSINode", "metadata": metadata}
            self.client.create({**body, "spec": {"drivers": [mine]}})
            return
        drivers = (known["spec"] or {}).get("drivers") or []
        if mine not in drivers:
            others = [driver for driver in drivers if driver["name"] != DRIVER]
            self.client.update({**known, "spec": {**known["spec"], "drivers": [*others, mine]}})


class CsiProvisioner(Caller):
    """Queue keys: `claim/<namespace>/<name>`, `volume/<name>`, `disk/<name>`: one that is nobody's and has to go."""

    name = "csi-provisioner"
    source = f"{DRIVER}_csi-provisioner"
    user = "system:csi-provisioner"
    workers = 100

    def watch(self) -> None:
        self.informers.subscribe("PersistentVolumeClaim", self._claim_changed, self.name)
        self.informers.subscribe("PersistentVolume", self._volume_changed, self.name)

    def start(self) -> None:
        for claim in self.informers.list("PersistentVolumeClaim"):
            self._claim_changed(None, claim)
        for volume in self.informers.list("PersistentVolume"):
            self._volume_changed(None, volume)

    def _claim_changed(self, old: Manifest | None, new: Manifest | None) -> None:
        if new is None or new["spec"].get("volumeName"):
            return
        if meta.annotations(new).get(PROVISIONERS[1]) == DRIVER:
            self.queue.add(f"claim/{meta.key(new)}")

    def _volume_changed(self, old: Manifest | None, new: Manifest | None) -> None:
        if new is not None and meta.annotations(new).get(PROVISIONED_BY) == DRIVER and _is_to_go(new):
            self.queue.add(f"volume/{meta.name(new)}")

    def look(self, item: str) -> None:
        what, _, key = item.partition("/")
        if what == "claim":
            self._look_at_claim(item, self.informers.by_key("PersistentVolumeClaim", key))
        elif what == "disk":
            self.ask(item, "DeleteDisk", {"name": key})
        else:
            self._look_at_volume(item, self.informers.by_key("PersistentVolume", key))

    # --- making -------------------------------------------------------------------------------------------------

    def _look_at_claim(self, item: str, claim: Manifest | None) -> None:
        if claim is None or meta.is_deleting(claim) or claim["spec"].get("volumeName"):
            return
        entry = self.informers.get("StorageClass", "", class_of(claim))
        if entry is None or entry["provisioner"] != DRIVER:
            return
        if self.informers.get("PersistentVolume", "", volume_name(claim)) is not None:
            return
        node, selected = None, meta.annotations(claim).get(SELECTED_NODE, "")
        if waits_for_consumer(entry):
            if not selected:
                return
            node = self.informers.get("Node", "", selected)
            if node is None:
                self._take_back_choice(claim)
                return
        message = f'External provisioner is provisioning volume for claim "{meta.key(claim)}"'
        self.recorder.event(claim, "Normal", "Provisioning", message)
        gib = -(-quantity.value(request(claim)) // GIBIBYTE)
        zone = meta.labels(node).get(ZONE, "") if node is not None else _allowed_zone(entry)
        disk = {"name": volume_name(claim), "zone": zone, "gib": gib, "labels": {"claim": meta.key(claim)}}
        self.ask(item, "CreateDisk", disk)

    def answered(self, item: str, call: Call, result: Any) -> None:
        what, _, key = item.partition("/")
        if what == "disk":
            return
        if what == "volume":
            self._forget_volume(key)
            return
        claim = self.informers.by_key("PersistentVolumeClaim", key)
        if claim is None or volume_name(claim) != call.arguments["name"]:  # Made for somebody who is gone.
            self.queue.add(f"disk/{call.arguments['name']}")
            return
        entry = self.informers.get("StorageClass", "", class_of(claim)) or {}
        self.client.create(volume_for(claim, entry, result))
        message = f"Successfully provisioned volume {volume_name(claim)}"
        self.recorder.event(claim, "Normal", "ProvisioningSucceeded", message)

    def refused(self, item: str, call: Call, why: str) -> None:
        what, _, key = item.partition("/")
        said = rpc_error(why)
        volume = self.informers.by_key("PersistentVolume", key) if what == "volume" else None
        claim = self.informers.by_key("PersistentVolumeClaim", key) if what == "claim" else None
        if volume is not None:
            self.recorder.event(volume, "Warning", "VolumeFailedDelete", said)
        if claim is not None:
            message = f'failed to provision volume with StorageClass "{class_of(claim)}": {said}'
            self.recorder.event(claim, "Warning", "ProvisioningFailed", message)
            if "code = ResourceExhausted" in said and SELECTED_NODE in meta.annotations(claim):
                self._take_back_choice(claim)
        self.retry(item)

    def _take_back_choice(self, claim: Manifest) -> None:
        """The scheduler has to think of another node."""
        patch = {"metadata": {"annotations": {SELECTED_NODE: None}}}
        self.client.patch("PersistentVolumeClaim", meta.namespace(claim), meta.name(claim), patch)

    # --- deleting -----------------------------------------------------------------------------------------------

    def _look_at_volume(self, item: str, volume: Manifest | None) -> None:
        if volume is None or not _is_to_go(volume):
            return
        for attachment in self.informers.list("VolumeAttachment"):
            if volume_of(attachment) == meta.name(volume):
                said = f"persistentvolume {meta.name(volume)} is still attached to node {node_of(attachment)}"
                self.recorder.event(volume, "Warning", "VolumeFailedDelete", said)
                self.retry(item)
                return
        self.ask(item, "DeleteDisk", {"name": meta.name(volume)})

    def _forget_volume(self, name: str) -> None:
        """Its disk is gone."""
        volume = self.informers.get("PersistentVolume", "", name)
        if volume is None:
            return
        try:
            self.client.delete("PersistentVolume", "", name)
        except NotFound:
            return
        rest = [each for each in volume["metadata"].get("finalizers") or () if each != FINALIZER]
        try:
            self.client.patch("PersistentVolume", "", name, {"metadata": {"finalizers": rest or None}})
        except NotFound:
            return


def _is_to_go(volume: Manifest) -> bool:
    """Its claim is gone, and the policy says that the disk goes, too."""
    policy = volume["spec"].get("persistentVolumeReclaimPolicy")
    return policy == "Delete" and phase(volume) in ("Released", "Failed")


def _allowed_zone(entry: Manifest) -> str:
    """The first zone that the class allows; empty: any will do."""
    for term in entry.get("allowedTopologies") or ():
        for one in term.get("matchLabelExpressions") or ():
            if one.get("key") == ZONE and one.get("values"):
                return str(one["values"][0])
    return ""


def volume_name(claim: Manifest) -> str:
    """Of the volume, and of its disk."""
    return f"pvc-{meta.uid(claim)}"


def volume_for(claim: Manifest, entry: Manifest, disk: Manifest) -> Manifest:
    """The PersistentVolume of a new disk, kept for its claim."""
    reference = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "name": meta.name(claim)}
    reference |= {"namespace": meta.namespace(claim), "uid": meta.uid(claim)}
    reference["resourceVersion"] = claim["metadata"]["resourceVersion"]
    metadata = {"name": volume_name(claim), "annotations": {PROVISIONED_BY: DRIVER}, "finalizers": [FINALIZER]}
    reach = {"matchExpressions": [{"key": ZONE, "operator": "In", "values": [disk["zone"]]}]}
    source = {"driver": DRIVER, "fsType": "ext4", "volumeHandle": disk["name"], "volumeAttributes": {"id": disk["id"]}}
    spec: Manifest = {
        "accessModes": claim["spec"].get("accessModes"),
        "capacity": {"storage": f"{disk['gib']}Gi"},
        "claimRef": reference,
        "csi": source,
        "nodeAffinity": {"required": {"nodeSelectorTerms": [reach]}},
        "persistentVolumeReclaimPolicy": entry.get("reclaimPolicy", "Delete"),
        "storageClassName": class_of(claim),
        "volumeMode": claim["spec"].get("volumeMode") or "Filesystem",
    }
    if entry.get("mountOptions"):
        spec["mountOptions"] = entry["mountOptions"]
    return {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": metadata, "spec": spec}
