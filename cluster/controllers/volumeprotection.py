"""PVC and PV protection: a claim that a pod uses, and a volume that is bound, outlive their deletion until then.

Admission gives every claim and volume a finalizer when it is made; these two controllers give it to older ones, too,
and take it off what is being deleted and no longer in use.

Mirrors:  kubernetes/pkg/controller/volume/{pvcprotection,pvprotection}
Read next: cluster/apiserver/admission/storage_in_use.py.
"""

from cluster.engine.controller import Controller
from cluster.objects import Manifest, conditions, meta, pods
from cluster.objects.storage import claims_of

CLAIM_FINALIZER, VOLUME_FINALIZER = "kubernetes.io/pvc-protection", "kubernetes.io/pv-protection"

UNUSED = ("True", "NoPodsUsingPVC", "No pods are currently referencing this PVC")
USED = ("False", "PodUsingPVC", "A pod is currently referencing this PVC")


class _Protection(Controller):
    finalizer = ""

    def reconcile(self, obj: Manifest) -> None:
        finalizers = obj["metadata"].get("finalizers") or []
        held = self.finalizer in finalizers
        if meta.is_deleting(obj) and held and not self.is_used(obj):
            rest = [finalizer for finalizer in finalizers if finalizer != self.finalizer]
            self._write(obj, rest)
        elif not meta.is_deleting(obj) and not held:
            self._write(obj, [*finalizers, self.finalizer])

    def is_used(self, obj: Manifest) -> bool:
        raise NotImplementedError

    def _write(self, obj: Manifest, finalizers: list[str]) -> None:
        patch = {"metadata": {"finalizers": finalizers or None}}
        self.client.patch(self.kind, meta.namespace(obj), meta.name(obj), patch)


class ClaimProtectionController(_Protection):
    name = "persistentvolumeclaim-protection-controller"
    kind, finalizer = "PersistentVolumeClaim", CLAIM_FINALIZER

    def watch(self) -> None:
        super().watch()
        self.informers.add_index("Pod", "claims", claims_of)
        self.informers.subscribe("Pod", self._pod_changed, self.name)

    def _pod_changed(self, old: Manifest | None, new: Manifest | None) -> None:
        """A pod that comes may be the first to use a claim; one that ended, or is gone, may have been the last."""
        pod = new or old or {}
        if not pod["spec"].get("volumes"):
            return
        if old is None or new is None or pods.is_terminal(old) != pods.is_terminal(new):
            for key in claims_of(pod):
                self.queue.add(key)

    def reconcile(self, claim: Manifest) -> None:
        super().reconcile(claim)
        if not meta.is_deleting(claim) and (claim.get("status") or {}).get("phase") == "Bound":
            self._tell_whether_used(claim)

    def _tell_whether_used(self, claim: Manifest) -> None:
        """The condition Unused of a bound claim: does any pod name it?"""
        claim = self.informers.by_key(self.kind, meta.key(claim)) or claim
        users = self.informers.by_index("Pod", "claims", meta.key(claim))
        status, reason, message = USED if any(not pods.is_terminal(pod) for pod in users) else UNUSED
        before = conditions.get(claim, "Unused")
        if before is not None and (before["status"], before.get("reason")) == (status, reason):
            return
        told = {"type": "Unused", "status": status, "lastProbeTime": None, "lastTransitionTime": self.clock.stamp()}
        found = conditions.put(claim["status"].get("conditions"), {**told, "reason": reason, "message": message})
        self.client.update_status({**claim, "status": {**claim["status"], "conditions": found}})

    def is_used(self, claim: Manifest) -> bool:
        """Does a pod with a node mount it? One that has ended does not, nor one that was never placed."""
        users = self.informers.by_index("Pod", "claims", meta.key(claim))
        return any(pods.is_scheduled(pod) and not pods.is_terminal(pod) for pod in users)


class VolumeProtectionController(_Protection):
    name = "persistentvolume-protection-controller"
    kind, finalizer = "PersistentVolume", VOLUME_FINALIZER

    def is_used(self, volume: Manifest) -> bool:
        return (volume.get("status") or {}).get("phase") == "Bound"
