"""Ephemeral volume controller: a pod brings the template of a claim along; the claim is made for it and goes with it.

    volumes: [{name: scratch, ephemeral: {volumeClaimTemplate: …}}]      →  claim <pod>-scratch, owned by the pod

A claim of that name that somebody else made is nobody's to take: the pod waits until it is gone.

Mirrors:  kubernetes/pkg/controller/volume/ephemeral/controller.go; k8s.io/component-helpers/storage/ephemeral
"""

from cluster.engine.controller import Controller
from cluster.objects import Manifest, meta
from cluster.objects.errors import ApiError
from cluster.objects.storage import claim_of, claims_of, is_made_for


class EphemeralVolumeController(Controller):
    name = "ephemeral-volume-controller"
    source = "ephemeral_volume"
    kind = "Pod"

    def watch(self) -> None:
        super().watch()
        self.informers.add_index("Pod", "claims", claims_of)
        self.informers.subscribe("PersistentVolumeClaim", self._claim_changed, self.name)

    def start(self) -> None:
        for pod in self.informers.list("Pod"):
            self._changed(None, pod)

    def _changed(self, old: Manifest | None, new: Manifest | None) -> None:
        if old is None and new is not None and any("ephemeral" in each for each in new["spec"].get("volumes") or ()):
            self.queue.add(meta.key(new))

    def _claim_changed(self, old: Manifest | None, new: Manifest | None) -> None:
        """A claim is gone: whoever needs one of its name may have it now."""
        if new is None and old is not None:
            for pod in self.informers.by_index("Pod", "claims", meta.key(old)):
                self._changed(None, pod)

    def reconcile(self, pod: Manifest) -> None:
        if meta.is_deleting(pod):
            return
        for volume in pod["spec"].get("volumes") or ():
            if "ephemeral" in volume:
                self._serve(pod, volume)

    def _serve(self, pod: Manifest, volume: Manifest) -> None:
        """See that the claim of one volume is there. Errors: ApiError."""
        try:
            self._make(pod, volume)
        except ApiError as error:
            said = f"ephemeral volume {volume['name']}: {error.message}"
            self.recorder.event(pod, "Warning", "FailedBinding", said)
            raise

    def _make(self, pod: Manifest, volume: Manifest) -> None:
        name, namespace = claim_of(pod, volume) or "", meta.namespace(pod)
        known = self.informers.get("PersistentVolumeClaim", namespace, name)
        if known is not None:
            if not is_made_for(known, pod):
                raise ApiError(f"PVC {namespace}/{name} was not created for pod {meta.key(pod)} (pod is not owner)")
            return
        template = volume["ephemeral"].get("volumeClaimTemplate") or {}
        given = template.get("metadata") or {}
        metadata = {"name": name, "namespace": namespace, "ownerReferences": [meta.owner_reference(pod)]}
        metadata |= {part: given[part] for part in ("labels", "annotations") if given.get(part)}
        claim = {"kind": "PersistentVolumeClaim", "apiVersion": "v1", "metadata": metadata}
        try:
            self.client.create({**claim, "spec": template.get("spec") or {}})
        except ApiError as error:
            error.message = f"create PVC {name}: {error.message}"
            raise
