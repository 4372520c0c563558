"""Attach-detach controller: a volume that needs attaching is at the node where a pod uses it, and nowhere else.

    pod placed ──▶ VolumeAttachment for (volume, node) ──▶ its driver attaches ──▶ the kubelet may begin
    last pod gone ──▶ VolumeAttachment deleted ──▶ its driver detaches

A volume that one node at a time may have is not given to a second one: Multi-Attach error. A node that does not answer
may still write to the disk: six minutes are waited before it is taken away all the same, unless somebody has said by
the taint `node.kubernetes.io/out-of-service` that the machine is off for sure.

Mirrors:  kubernetes/pkg/controller/volume/attachdetach (attach_detach_controller.go, reconciler, populator)
Left out: `volumesInUse` of a node: a kubelet that is ready has unmounted when the pod is gone; CSI migration; volumes
          that are not of a CSI driver.
Read next: cluster/cloud/csiattacher.py, a driver's side.
"""

import hashlib
from typing import Any

from cluster.engine.clock import MINUTE
from cluster.engine.controller import Controller
from cluster.objects import Manifest, meta, nodes, pods
from cluster.objects.errors import NotFound
from cluster.objects.storage import (
    claims_of,
    driver_of,
    handle_of,
    is_attached,
    needs_attaching,
    node_of,
    volume_of,
)

FORCE_AFTER = 6 * MINUTE  # --attach-detach-reconcile-max-wait-unmount-duration
OUT_OF_SERVICE = "node.kubernetes.io/out-of-service"
SHARED = ("ReadWriteMany", "ReadOnlyMany")
TAKEN = "Volume is already exclusively attached to one node and can't be attached to another"


class AttachDetachController(Controller):
    """Queue keys: names of volumes, `node/<name>`, `tell/<attachment>`.

    Memory: `since/<volume>` {node: when nobody there needed it any more}, `told/<volume>` [uid of a pod that knows why
    it waits]; nothing of volumes that are where they should be.
    """

    name = "persistentvolume-attach-detach-controller"
    source = "attachdetach-controller"
    kind = "PersistentVolume"

    def watch(self) -> None:
        super().watch()
        self.informers.add_index("Pod", "claims", claims_of)
        self.informers.add_index("VolumeAttachment", "volume", lambda attachment: [volume_of(attachment)])
        self.informers.add_index("VolumeAttachment", "node", lambda attachment: [node_of(attachment)])
        self.informers.subscribe("Pod", self._pod_changed, self.name)
        self.informers.subscribe("PersistentVolumeClaim", self._claim_changed, self.name)
        self.informers.subscribe("VolumeAttachment", self._attachment_changed, self.name)
        self.informers.subscribe("Node", self._node_changed, self.name)

    def start(self) -> None:
        super().start()
        for attachment in self.informers.list("VolumeAttachment"):  # Also of volumes that went meanwhile.
            self._attachment_changed(None, attachment)

    def _pod_changed(self, old: Manifest | None, new: Manifest | None) -> None:
        pod = new or old or {}
        if not pod["spec"].get("volumes"):
            return
        if old is None or new is None or _uses(old) != _uses(new):
            for key in claims_of(pod):
                self._claim_changed(None, self.informers.by_key("PersistentVolumeClaim", key))

    def _claim_changed(self, old: Manifest | None, new: Manifest | None) -> None:
        if new is not None and new["spec"].get("volumeName"):
            self.queue.add(new["spec"]["volumeName"])

    def _attachment_changed(self, old: Manifest | None, new: Manifest | None) -> None:
        attachment = new or old or {}
        self.queue.add(volume_of(attachment))
        if new is not None and old is not None and _news(old) != _news(new):
            self.queue.add(f"tell/{meta.name(new)}")
        if new is None or old is None or is_attached(new) != is_attached(old):
            self.queue.add(f"node/{node_of(attachment)}")

    def _node_changed(self, old: Manifest | None, new: Manifest | None) -> None:
        """A node that is gone, or said to be off, lets go of its volumes; so does one that answers again."""
        was, now = (_lets_go(node) for node in (old, new))
        if was != now:
            for attachment in self.informers.by_index("VolumeAttachment", "node", meta.name(new or old or {})):
                self.queue.add(volume_of(attachment))

    def process(self, key: str) -> None:
        if key.startswith("node/"):
            self._report(key.removeprefix("node/"))
        elif key.startswith("tell/"):
            self._tell(key.removeprefix("tell/"))
        else:
            super().process(key)

    # --- one volume ---------------------------------------------------------------------------------------------

    def reconcile(self, volume: Manifest) -> None:
        driver = driver_of(volume)
        if not driver or not needs_attaching(self.informers.get("CSIDriver", "", driver)):
            return
        users, there = self._users(volume), self.informers.by_index("VolumeAttachment", "volume", meta.name(volume))
        unneeded = [one for one in there if node_of(one) not in users and not meta.is_deleting(one)]
        self._let_go(volume, unneeded)
        at = {node_of(attachment) for attachment in there}
        alone = not any(mode in SHARED for mode in volume["spec"].get("accessModes") or ())
        refused: list[Manifest] = []
        for node, wanting in users.items():
            if node in at:
                continue
            if at and alone:
                refused += wanting
                continue
            at.add(node)
            self._attach(volume, driver, node)
        self._refuse(volume, refused, [pod for node in sorted(at) for pod in users.get(node, ())])

    def gone(self, key: str) -> None:
        """The volume is gone: nothing of it may stay attached."""
        for attachment in self.informers.by_index("VolumeAttachment", "volume", key):
            if not meta.is_deleting(attachment):
                self._delete(attachment)
        self._remember(f"since/{key}", {})
        self._remember(f"told/{key}", [])

    def _remember(self, name: str, what: Any) -> None:
        """Nothing is kept of what is as it should be."""
        if what:
            if self.memory.get(name) != what:
                self.memory[name] = what
        else:
            self.memory.pop(name)

    def _users(self, volume: Manifest) -> dict[str, list[Manifest]]:
        """The pods that use the volume, by node, those first that came first."""
        reference, found = volume["spec"].get("claimRef") or {}, {}  # type: Manifest, dict[str, list[Manifest]]
        claim = self.informers.get("PersistentVolumeClaim", reference.get("namespace", ""), reference.get("name", ""))
        if claim is None or claim["spec"].get("volumeName") != meta.name(volume):
            return {}
        for pod in self.informers.by_index("Pod", "claims", meta.key(claim)):
            if _uses(pod):
                found.setdefault(pod["spec"]["nodeName"], []).append(pod)
        return found

    def _attach(self, volume: Manifest, driver: str, node: str) -> None:
        name = f"csi-{hashlib.sha256(f'{handle_of(volume)}{driver}{node}'.encode()).hexdigest()}"
        spec = {"attacher": driver, "nodeName": node, "source": {"persistentVolumeName": meta.name(volume)}}
        body = {"apiVersion": "storage.k8s.io/v1", "kind": "VolumeAttachment", "metadata": {"name": name}}
        self.client.create({**body, "spec": spec})

    def _refuse(self, volume: Manifest, waiting: list[Manifest], having: list[Manifest]) -> None:
        """Multi-Attach: told once to each pod that waits at a node without the volume. `having`: who has it."""
        mark = f"told/{meta.name(volume)}"
        known = self.memory.get(mark, [])
        for pod in waiting:
            if meta.uid(pod) in known:
                continue
            local = [meta.name(other) for other in having if meta.namespace(other) == meta.namespace(pod)]
            said = f"Volume is already used by pod(s) {', '.join(local)}" if local else TAKEN
            message = f'Multi-Attach error for volume "{meta.name(volume)}" {said}'
            self.recorder.event(pod, "Warning", "FailedAttachVolume", message)
        self._remember(mark, [meta.uid(pod) for pod in waiting])

    def _let_go(self, volume: Manifest, unneeded: list[Manifest]) -> None:
        """Nobody needs it there. A node that does not answer may still have it mounted."""
        mark, now = f"since/{meta.name(volume)}", self.clock.now
        before, since = self.memory.get(mark, {}), {}
        for attachment in unneeded:
            node = node_of(attachment)
            began = before.get(node, now)
            if _lets_go(self.informers.get("Node", "", node)) or now - began >= FORCE_AFTER:
                self._delete(attachment)
                continue
            since[node] = began
            note = f"{meta.name(volume)} is taken from {node}, which does not answer"
            self.queue.add_after(meta.name(volume), began + FORCE_AFTER - now, note)
        self._remember(mark, since)

    def _delete(self, attachment: Manifest) -> None:
        try:
            self.client.delete("VolumeAttachment", "", meta.name(attachment))
        except NotFound:
            return

    # --- what is told -------------------------------------------------------------------------------------------

    def _tell(self, name: str) -> None:
        """Its driver attached it, or could not: the pods that wait for it hear of that."""
        attachment = self.informers.get("VolumeAttachment", "", name)
        volume = self.informers.get("PersistentVolume", "", volume_of(attachment)) if attachment is not None else None
        if attachment is None or volume is None:
            return
        error = (attachment.get("status") or {}).get("attachError")
        for pod in self._users(volume).get(node_of(attachment), ()):
            if is_attached(attachment):
                message = f'AttachVolume.Attach succeeded for volume "{meta.name(volume)}" '
                self.recorder.event(pod, "Normal", "SuccessfulAttachVolume", message)
            elif error is not None:
                message = f'AttachVolume.Attach failed for volume "{meta.name(volume)}" : {error.get("message", "")}'
                self.recorder.event(pod, "Warning", "FailedAttachVolume", message)

    def _report(self, name: str) -> None:
        """status.volumesAttached of a node."""
        node = self.informers.get("Node", "", name)
        if node is None:
            return
        found = []
        for attachment in self.informers.by_index("VolumeAttachment", "node", name):
            volume = self.informers.get("PersistentVolume", "", volume_of(attachment))
            if is_attached(attachment) and volume is not None:
                unique = f"kubernetes.io/csi/{attachment['spec']['attacher']}^{handle_of(volume)}"
                found.append({"name": unique, "devicePath": ""})
        if found != ((node.get("status") or {}).get("volumesAttached") or []):
            self.client.patch("Node", "", name, {"status": {"volumesAttached": found or None}}, "status")


def _news(attachment: Manifest) -> tuple[bool, str]:
    error = (attachment.get("status") or {}).get("attachError") or {}
    return is_attached(attachment), str(error.get("message", ""))


def _uses(pod: Manifest) -> bool:
    """Placed, and its containers may still run."""
    return pods.is_scheduled(pod) and not pods.is_terminal(pod)


def _lets_go(node: Manifest | None) -> bool:
    """Is the disk surely not written to any more, once no pod is there?"""
    if node is None or nodes.is_ready(node):
        return True
    return any(taint["key"] == OUT_OF_SERVICE for taint in nodes.taints(node))
