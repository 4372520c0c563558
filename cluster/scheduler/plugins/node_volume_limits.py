"""NodeVolumeLimits: a machine takes only so many disks of a driver, as its CSINode says.

A volume counts once on a node, however many pods there use it, and as long as it is attached there, even if its
pod has gone already.

Mirrors:  kubernetes/pkg/scheduler/framework/plugins/nodevolumelimits/csi.go
Left out: volumes of in-tree plugins that CSI drivers took over; CSIDriver's preventPodSchedulingIfMissing.
"""

from collections import Counter
from typing import Any

import numpy as np

from cluster.engine.informer import Informers
from cluster.objects import Manifest, meta
from cluster.objects.storage import claim_names, class_of
from cluster.scheduler.framework import SKIP, ClusterEvent, Plugin, Rejection
from cluster.scheduler.snapshot import NodeInfo, Numbers, View

TOO_MANY = "node(s) exceed max volume count"

Volumes = dict[str, str]  # What a volume is called, to its driver.


class NodeVolumeLimits(Plugin):
    name = "NodeVolumeLimits"
    local = False
    events = frozenset(
        {
            ("Pod", "delete"),
            ("CSINode", "add"),
            ("CSINode", "update"),
            ("PersistentVolumeClaim", "add"),
            ("VolumeAttachment", "delete"),
        }
    )

    def __init__(self, informers: Informers) -> None:
        self._informers = informers
        informers.add_index("VolumeAttachment", "node", lambda one: [(one.get("spec") or {}).get("nodeName", "")])

    def prefilter(self, pod: Manifest, nodes: Any) -> Any:
        """What the pod would bring along. Without a limit anywhere there is nothing to say."""
        volumes = pod["spec"].get("volumes")
        if not volumes or not self._informers.kind("CSINode").objects:
            return SKIP
        return self._volumes(pod) or SKIP

    def _volumes(self, pod: Manifest) -> Volumes:
        found: Volumes = {}
        for name, _ in claim_names(pod):
            claim = self._informers.get("PersistentVolumeClaim", meta.namespace(pod), name)
            if claim is None:
                continue
            volume = self._informers.get("PersistentVolume", "", claim["spec"].get("volumeName") or "")
            if volume is not None:
                source = volume["spec"].get("csi")
                if source:
                    found[f"{source.get('driver')}/{source.get('volumeHandle')}"] = source.get("driver", "")
                continue
            entry = self._informers.get("StorageClass", "", class_of(claim))
            if entry is not None:  # A claim without a volume: one that its driver will make.
                driver = str(entry.get("provisioner", ""))
                found[f"{driver}/{meta.key(claim)}"] = driver
        return found

    def filter(self, ask: Volumes, node: NodeInfo) -> Rejection | None:
        return self.rejection(ask, 1) if self._is_full(ask, node) else None

    def filter_all(self, ask: Volumes, view: View) -> Numbers:
        return np.array([self._is_full(ask, node) for node in view.nodes()], np.int64)

    def rejection(self, ask: Volumes, bits: int) -> Rejection:
        return Rejection(self.name, (TOO_MANY,), resolvable=True)

    def _is_full(self, ask: Volumes, node: NodeInfo) -> bool:
        limits = self._limits(self._informers.get("CSINode", "", node.name))
        if not any(driver in limits for driver in ask.values()):
            return False
        there: Volumes = {}
        for info in node.pods.values():
            there |= self._volumes(info.pod)
        for attachment in self._informers.by_index("VolumeAttachment", "node", node.name):
            name = (attachment["spec"].get("source") or {}).get("persistentVolumeName") or ""
            source = ((self._informers.get("PersistentVolume", "", name) or {}).get("spec") or {}).get("csi")
            if source:
                there[f"{source.get('driver')}/{source.get('volumeHandle')}"] = source.get("driver", "")
        coming = Counter(driver for name, driver in ask.items() if name not in there)
        present = Counter(there.values())
        return any(driver in limits and present[driver] + more > limits[driver] for driver, more in coming.items())

    def _limits(self, csi_node: Manifest | None) -> dict[str, int]:
        drivers = ((csi_node or {}).get("spec") or {}).get("drivers") or ()
        counts = {driver["name"]: (driver.get("allocatable") or {}).get("count") for driver in drivers}
        return {name: count for name, count in counts.items() if count is not None}

    def wakes(self, pod: Manifest, event: ClusterEvent) -> bool:
        """A pod with volumes left, a volume was taken off, a node takes more than it did, or a claim came."""
        if event.kind == "Pod":
            return any(True for _ in claim_names(event.old or event.new or {"spec": {}}))
        if event.kind == "PersistentVolumeClaim":
            names = {name for name, _ in claim_names(pod)}
            return meta.namespace(event.new or {}) == meta.namespace(pod) and meta.name(event.new or {}) in names
        if event.kind == "CSINode":
            before, after = self._limits(event.old), self._limits(event.new)
            return any(after.get(name, count) > before.get(name, -1) for name, count in after.items())
        return True
