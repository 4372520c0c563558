"""PersistentVolume binder: gives every claim a volume, and every volume back when its claim is gone.

    claim   Pending ──────────────────────────> Bound ──(volume lost)──> Lost
    volume  Pending ──> Available ──> Bound ──(claim gone)──> Released ──> deleted, or Failed

Binding takes four writes, and a look after any of them finds its way on: the volume names the claim, is Bound; the
claim names the volume, is Bound. The smallest volume that is large enough wins. A class may want to wait for the first
pod (`WaitForFirstConsumer`): then the scheduler chooses a volume that the pod's node can reach.

Mirrors:  kubernetes/pkg/controller/volume/persistentvolume (pv_controller.go, index.go)
Left out: provisioners and deleters inside the controller but that of hostPath; recycling; volumes of in-tree plugins
          that CSI drivers took over.
Read next: volumeprotection.py, which keeps both while they are in use.
"""

from cluster.engine.clock import SECOND
from cluster.engine.controller import Controller
from cluster.objects import Manifest, meta
from cluster.objects.errors import NotFound
from cluster.objects.storage import (
    BIND_COMPLETED,
    BOUND_BY_CONTROLLER,
    IN_TREE,
    PROVISIONED_BY,
    PROVISIONERS,
    SELECTED_NODE,
    best_match,
    class_of,
    is_kept_for,
    mismatch,
    phase,
    pointed_at,
    waits_for_consumer,
)

RESYNC = 15 * SECOND  # A claim that waits is looked at, and its event repeated, this often.

WAITING = (
    "Waiting for a volume to be created either by the external provisioner '{}' or manually by the system"
    " administrator. If volume creation is delayed, please verify that the provisioner is running and correctly"
    " registered."
)
LOST = "Bound claim has lost its PersistentVolume. Data on the volume is lost!"
LOST_REFERENCE = "Bound claim has lost reference to PersistentVolume. Data on the volume is lost!"
MISBOUND = "Two claims are bound to the same volume, this one is bound incorrectly"


class PersistentVolumeController(Controller):
    """Queue keys: `claim:namespace/name` and `volume:name`."""

    name = "persistentvolume-binder-controller"
    source = "persistentvolume-controller"
    kind = "PersistentVolumeClaim"

    def watch(self) -> None:
        self.informers.subscribe("PersistentVolumeClaim", self._claim_changed, self.name)
        self.informers.subscribe("PersistentVolume", self._volume_changed, self.name)
        self.informers.subscribe("StorageClass", self._class_changed, self.name)

    def start(self) -> None:
        for volume in self.informers.list("PersistentVolume"):
            self.queue.add(f"volume:{meta.name(volume)}")
        for claim in self.informers.list("PersistentVolumeClaim"):
            self.queue.add(f"claim:{meta.key(claim)}")

    def _claim_changed(self, old: Manifest | None, new: Manifest | None) -> None:
        claim = new or old or {}
        self.queue.add(f"claim:{meta.key(claim)}")
        if new is None and (volume := claim["spec"].get("volumeName")):
            self.queue.add(f"volume:{volume}")

    def _volume_changed(self, old: Manifest | None, new: Manifest | None) -> None:
        volume = new or old or {}
        self.queue.add(f"volume:{meta.name(volume)}")
        reference = volume["spec"].get("claimRef")
        if reference:
            self.queue.add(f"claim:{reference.get('namespace', '')}/{reference.get('name', '')}")
        if new is not None and phase(new) == "Available" and (old is None or phase(old) != "Available"):
            self._wake_waiting()

    def _class_changed(self, old: Manifest | None, new: Manifest | None) -> None:
        self._wake_waiting()

    def _wake_waiting(self) -> None:
        for claim in self.informers.list("PersistentVolumeClaim"):
            if BIND_COMPLETED not in meta.annotations(claim):
                self.queue.add(f"claim:{meta.key(claim)}")

    def process(self, key: str) -> None:
        what, _, name = key.partition(":")
        if what == "claim":
            claim = self.informers.by_key("PersistentVolumeClaim", name)
            if claim is not None:
                self._look_at_claim(claim)
        elif (volume := self.informers.by_key("PersistentVolume", name)) is not None:
            self._look_at_volume(volume)

    # --- claims -------------------------------------------------------------------------------------------------

    def _look_at_claim(self, claim: Manifest) -> None:
        if BIND_COMPLETED in meta.annotations(claim):
            self._check_bound(claim)
        elif claim["spec"].get("volumeName"):
            self._bind_to_named(claim)
        else:
            self._find_volume(claim)

    def _check_bound(self, claim: Manifest) -> None:
        """Is what was bound still there?"""
        name = claim["spec"].get("volumeName")
        if not name:
            self._lose(claim, "ClaimLost", LOST_REFERENCE)
            return
        volume = self.informers.get("PersistentVolume", "", name)
        if volume is None:
            self._lose(claim, "ClaimLost", LOST)
            return
        reference = volume["spec"].get("claimRef")
        if reference is None or reference.get("uid") == meta.uid(claim):
            self._bind(volume, claim)
        else:
            self._lose(claim, "ClaimMisbound", MISBOUND)

    def _lose(self, claim: Manifest, reason: str, message: str) -> None:
        if phase(claim) == "Lost":
            return
        self.client.update_status({**claim, "status": {"phase": "Lost"}})
        self.recorder.event(claim, "Warning", reason, message)

    def _bind_to_named(self, claim: Manifest) -> None:
        """Its author asked for one volume: that or none."""
        volume = self.informers.get("PersistentVolume", "", claim["spec"]["volumeName"])
        if volume is None:
            self._wait(claim)
            return
        reference = volume["spec"].get("claimRef")
        if reference is None:
            problem = mismatch(volume, claim)
            if problem:
                message = f'Cannot bind to requested volume "{meta.name(volume)}": {problem}'
                self.recorder.event(claim, "Warning", "VolumeMismatch", message)
                self._wait(claim)
            else:
                self._bind(volume, claim)
        elif is_kept_for(volume, claim):
            self._bind(volume, claim)
        else:
            message = f'volume "{meta.name(volume)}" already bound to a different claim.'
            self.recorder.event(claim, "Warning", "FailedBinding", message)
            self._wait(claim)

    def _find_volume(self, claim: Manifest) -> None:
        """The best volume; failing that, whoever could make one is asked, or the reason is told."""
        name = class_of(claim)
        entry = self.informers.get("StorageClass", "", name) if name else None
        delayed = waits_for_consumer(entry) and SELECTED_NODE not in meta.annotations(claim)
        volume = best_match(self.informers.list("PersistentVolume"), claim, only_prebound=delayed)
        if volume is not None:
            self._bind(volume, claim)
            return
        if delayed:
            self._tell_why_delayed(claim)
        elif not name:
            message = "no persistent volumes available for this claim and no storage class is set"
            self.recorder.event(claim, "Normal", "FailedBinding", message)
        else:
            self._ask_provisioner(claim, name, entry)
        self._wait(claim)

    def _tell_why_delayed(self, claim: Manifest) -> None:
        pods = [pod for pod in self.informers.list("Pod", meta.namespace(claim)) if _uses(pod, meta.name(claim))]
        waiting = [pod for pod in pods if not pod["spec"].get("nodeName")]
        if waiting:
            message = f"waiting for pod {meta.name(waiting[0])} to be scheduled"
            self.recorder.event(claim, "Normal", "WaitForPodScheduled", message)
        else:
            message = "waiting for first consumer to be created before binding"
            self.recorder.event(claim, "Normal", "WaitForFirstConsumer", message)

    def _ask_provisioner(self, claim: Manifest, name: str, entry: Manifest | None) -> None:
        """Provisioners live outside: they are told by an annotation that bears their name."""
        if entry is None:
            message = f'storageclass.storage.k8s.io "{name}" not found'
            self.recorder.event(claim, "Warning", "ProvisioningFailed", message)
            return
        provisioner = entry.get("provisioner", "")
        if provisioner.startswith(IN_TREE):
            message = f"no volume plugin matched name: {provisioner}"
            self.recorder.event(claim, "Warning", "ProvisioningFailed", message)
            return
        annotations = meta.annotations(claim)
        if any(annotations.get(key) != provisioner for key in PROVISIONERS):
            annotations = {**annotations, **dict.fromkeys(PROVISIONERS, str(provisioner))}
            claim = self.client.update({**claim, "metadata": {**claim["metadata"], "annotations": annotations}})
        self.recorder.event(claim, "Normal", "ExternalProvisioning", WAITING.format(provisioner))

    def _wait(self, claim: Manifest) -> None:
        if phase(claim) != "Pending":
            self.client.update_status({**claim, "status": {**claim.get("status", {}), "phase": "Pending"}})
        self.queue.add_after(f"claim:{meta.key(claim)}", RESYNC)

    # --- binding ------------------------------------------------------------------------------------------------

    def _bind(self, volume: Manifest, claim: Manifest) -> None:
        """Four writes, each only if it is still to be done."""
        volume = self._point_volume(volume, claim)
        if phase(volume) != "Bound":
            volume = self.client.update_status({**volume, "status": {**volume.get("status", {}), "phase": "Bound"}})
        claim = self._point_claim(claim, volume)
        spec, status = volume["spec"], claim.get("status", {})
        bound = {**status, "phase": "Bound", "accessModes": spec.get("accessModes"), "capacity": spec.get("capacity")}
        if status.get("phase") != "Bound":
            self.client.update_status({**claim, "status": bound})

    def _point_volume(self, volume: Manifest, claim: Manifest) -> Manifest:
        reference = volume["spec"].get("claimRef")
        if reference and reference.get("uid") == meta.uid(claim):
            return volume
        return self.client.update(pointed_at(volume, claim))

    def _point_claim(self, claim: Manifest, volume: Manifest) -> Manifest:
        annotations, spec = {**meta.annotations(claim)}, claim["spec"]
        annotations[BIND_COMPLETED] = "yes"
        if spec.get("volumeName") != meta.name(volume):
            annotations[BOUND_BY_CONTROLLER] = "yes"
            spec = {**spec, "volumeName": meta.name(volume)}
        if spec is claim["spec"] and annotations == meta.annotations(claim):
            return claim
        metadata = {**claim["metadata"], "annotations": annotations}
        return self.client.update({**claim, "metadata": metadata, "spec": spec})

    # --- volumes ------------------------------------------------------------------------------------------------

    def _look_at_volume(self, volume: Manifest) -> None:
        reference = volume["spec"].get("claimRef")
        if reference is None or not reference.get("uid"):  # Free, or kept for a claim that is yet to come.
            self._set_phase(volume, "Available")
            return
        claim = self.informers.get("PersistentVolumeClaim", reference.get("namespace", ""), reference.get("name", ""))
        if claim is None or meta.uid(claim) != reference["uid"]:
            self._release(volume)
        elif not claim["spec"].get("volumeName"):
            self.queue.add(f"claim:{meta.key(claim)}")  # Half-bound: the claim's look goes on with it.
        elif claim["spec"]["volumeName"] == meta.name(volume):
            self._set_phase(volume, "Bound")
        elif meta.annotations(volume).get(BOUND_BY_CONTROLLER):  # The claim found another one meanwhile.
            annotations = {k: v for k, v in meta.annotations(volume).items() if k != BOUND_BY_CONTROLLER}
            spec = {name: value for name, value in volume["spec"].items() if name != "claimRef"}
            metadata = {**volume["metadata"], "annotations": annotations}
            self._set_phase(self.client.update({**volume, "metadata": metadata, "spec": spec}), "Available")

    def _set_phase(self, volume: Manifest, wanted: str, message: str = "") -> Manifest:
        status = {k: v for k, v in volume.get("status", {}).items() if k not in ("message", "reason")}
        if phase(volume) == wanted and volume["status"].get("message", "") == message:
            return volume
        said = {"message": message} if message else {}
        return self.client.update_status({**volume, "status": {**status, "phase": wanted, **said}})

    def _release(self, volume: Manifest) -> None:
        """Its claim is gone for good. What becomes of the data is the reclaim policy's business."""
        if phase(volume) not in ("Released", "Failed"):
            volume = self._set_phase(volume, "Released")
        policy = volume["spec"].get("persistentVolumeReclaimPolicy")
        if policy == "Delete" and phase(volume) == "Released" and not meta.is_deleting(volume):
            self._delete(volume)

    def _delete(self, volume: Manifest) -> None:
        """Volumes of external provisioners are deleted by them."""
        problem = _undeletable(volume)
        if problem is None or not meta.annotations(volume).get(PROVISIONED_BY, IN_TREE).startswith(IN_TREE):
            return
        if problem:
            self.recorder.event(self._set_phase(volume, "Failed", problem), "Warning", "VolumeFailedDelete", problem)
            return
        try:
            self.client.delete("PersistentVolume", "", meta.name(volume))
        except NotFound:
            return


def _undeletable(volume: Manifest) -> str | None:
    """Why the controller's own deleters can't delete it; empty if they can; None if that is a CSI driver's work."""
    spec = volume["spec"]
    if "csi" in spec:
        return None
    if "hostPath" not in spec:
        return f'error getting deleter volume plugin for volume "{meta.name(volume)}": no volume plugin matched'
    path = spec["hostPath"].get("path", "")
    if path.startswith("/tmp/") and len(path) > len("/tmp/"):
        return ""
    return f"host_path deleter only supports /tmp/.+ but received provided {path}"


def _uses(pod: Manifest, claim: str) -> bool:
    volumes = pod["spec"].get("volumes") or ()
    return any((volume.get("persistentVolumeClaim") or {}).get("claimName") == claim for volume in volumes)
