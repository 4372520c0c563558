"""CSI attacher: a VolumeAttachment says which volume is to be at which node; the cloud is asked for it.

    made        AttachDisk ──▶ status.attached: true          refused ──▶ status.attachError, and again later
    deleted     DetachDisk ──▶ the finalizer goes, and it     refused ──▶ status.detachError, and again later

Mirrors:  kubernetes-csi/external-attacher (pkg/controller/csi_handler.go)
Left out: reconciling with ListVolumes.
"""

from typing import Any

from cluster.cloud.csi import DRIVER, rpc_error
from cluster.engine.calls import Caller
from cluster.engine.provider import Call
from cluster.objects import Manifest, meta
from cluster.objects.errors import NotFound
from cluster.objects.storage import handle_of, is_attached, node_of, volume_of

FINALIZER = f"external-attacher/{DRIVER.replace('.', '-')}"


class CsiAttacher(Caller):
    """Queue keys: names of VolumeAttachments."""

    name = "csi-attacher"
    source = f"{DRIVER}_csi-attacher"
    user = "system:csi-attacher"
    workers = 10

    def watch(self) -> None:
        self.informers.subscribe("VolumeAttachment", self._changed, self.name)

    def start(self) -> None:
        for attachment in self.informers.list("VolumeAttachment"):
            self._changed(None, attachment)

    def _changed(self, old: Manifest | None, new: Manifest | None) -> None:
        if new is None or new["spec"]["attacher"] != DRIVER:
            return
        if old is None or meta.is_deleting(new) != meta.is_deleting(old):
            self.queue.add(meta.name(new))

    def look(self, item: str) -> None:
        attachment = self.informers.get("VolumeAttachment", "", item)
        if attachment is None:
            return
        name = volume_of(attachment)
        volume = self.informers.get("PersistentVolume", "", name)
        what = {"name": handle_of(volume) if volume is not None else name, "node": node_of(attachment)}
        finalizers = attachment["metadata"].get("finalizers") or []
        if meta.is_deleting(attachment):
            if FINALIZER in finalizers:
                self.ask(item, "DetachDisk", what)
            return
        if FINALIZER not in finalizers:
            self.client.patch("VolumeAttachment", "", item, {"metadata": {"finalizers": [*finalizers, FINALIZER]}})
        if not is_attached(attachment):
            self.ask(item, "AttachDisk", what)

    def answered(self, item: str, call: Call, result: Any) -> None:
        attachment = self.informers.get("VolumeAttachment", "", item)
        if attachment is None:
            return
        if call.operation == "AttachDisk":
            status = {"attached": True, "attachError": None, "attachmentMetadata": {"id": result["id"]}}
            self._say(item, status)
            if meta.is_deleting(attachment):
                self.queue.add(item)
            return
        rest = [each for each in attachment["metadata"].get("finalizers") or () if each != FINALIZER]
        self._say(item, {"attached": False, "detachError": None, "attachmentMetadata": None})
        try:
            self.client.patch("VolumeAttachment", "", item, {"metadata": {"finalizers": rest or None}})
        except NotFound:
            return

    def refused(self, item: str, call: Call, why: str) -> None:
        field = "attachError" if call.operation == "AttachDisk" else "detachError"
        if self.informers.get("VolumeAttachment", "", item) is not None:
            self._say(item, {field: {"time": self.clock.stamp(), "message": rpc_error(why)}})
        self.retry(item)

    def _say(self, item: str, status: Manifest) -> None:
        try:
            self.client.patch("VolumeAttachment", "", item, {"status": status}, "status")
        except NotFound:
            return
