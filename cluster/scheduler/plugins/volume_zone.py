"""VolumeZone: a volume with labels of a zone or region can be used there only.

The old way of saying it. Volumes of CSI drivers say it with their node affinity instead (see volume_binding.py).

Mirrors: kubernetes/pkg/scheduler/framework/plugins/volumezone/volume_zone.go
"""

from typing import Any

from cluster.engine.informer import Informers
from cluster.objects import Manifest, meta
from cluster.objects.storage import claim_names, class_of, waits_for_consumer
from cluster.scheduler.framework import SKIP, ClusterEvent, Plugin, Rejection
from cluster.scheduler.snapshot import NodeInfo, Numbers, View

OTHER_ZONE = "node(s) had no available volume zone"
BETA = {
    "topology.kubernetes.io/zone": "failure-domain.beta.kubernetes.io/zone",
    "topology.kubernetes.io/region": "failure-domain.beta.kubernetes.io/region",
}
KEYS = (*BETA, *BETA.values())
OTHER_NAME = {**BETA, **{beta: key for key, beta in BETA.items()}}

Wanted = list[tuple[str, frozenset[str]]]  # (label, the values that will do), one for each label of a volume.


class VolumeZone(Plugin):
    name = "VolumeZone"
    local = False
    events = frozenset(
        {
            ("StorageClass", "add"),
            ("Node", "add"),
            ("Node", "update"),
            ("PersistentVolumeClaim", "add"),
            ("PersistentVolumeClaim", "update"),
            ("PersistentVolume", "add"),
            ("PersistentVolume", "update"),
        }
    )

    def __init__(self, informers: Informers) -> None:
        self._informers = informers

    def prefilter(self, pod: Manifest, nodes: Any) -> Any:
        wanted: Wanted = []
        for name, ephemeral in claim_names(pod):
            if ephemeral:
                continue
            claim = self._informers.get("PersistentVolumeClaim", meta.namespace(pod), name)
            if claim is None:
                return Rejection(self.name, (f'persistentvolumeclaim "{name}" not found',))
            volume_name = claim["spec"].get("volumeName")
            if not volume_name:
                problem = self._unbound(claim)
                if problem:
                    return Rejection(self.name, (problem,))
                continue
            volume = self._informers.get("PersistentVolume", "", volume_name)
            if volume is None:
                return Rejection(self.name, (f'persistentvolume "{volume_name}" not found',))
            wanted += _zones(volume)
        return wanted or SKIP

    def _unbound(self, claim: Manifest) -> str:
        """Why a claim without a volume is in the way; empty if it will get one of the right place."""
        name = class_of(claim)
        if not name:
            return "PersistentVolumeClaim had no pv name and storageClass name"
        entry = self._informers.get("StorageClass", "", name)
        if entry is None:
            return f'storageclass.storage.k8s.io "{name}" not found'
        return "" if waits_for_consumer(entry) else "PersistentVolume had no name"

    def filter(self, ask: Wanted, node: NodeInfo) -> Rejection | None:
        return None if _is_there(ask, node) else self.rejection(ask, 1)

    def filter_all(self, ask: Wanted, view: View) -> Numbers:
        return view.per_group("volume zones", _place, lambda node: int(not _is_there(ask, node)))

    def rejection(self, ask: Wanted, bits: int) -> Rejection:
        return Rejection(self.name, (OTHER_ZONE,))

    def wakes(self, pod: Manifest, event: ClusterEvent) -> bool:
        """One of its claims changed, a volume's zones did, a node came or moved, or a class that waits came."""
        if event.kind == "PersistentVolumeClaim":
            names = {name for name, _ in claim_names(pod)}
            return meta.namespace(event.new or {}) == meta.namespace(pod) and meta.name(event.new or {}) in names
        if event.kind == "PersistentVolume":
            return event.old is None or _zones(event.old) != _zones(event.new or event.old)
        if event.kind == "StorageClass":
            return waits_for_consumer(event.new)
        return event.old is None or meta.labels(event.old) != meta.labels(event.new or {})


def _zones(volume: Manifest) -> Wanted:
    found = meta.labels(volume)
    return [(key, frozenset(found[key].split("__"))) for key in KEYS if key in found]


def _place(node: NodeInfo) -> tuple[str | None, ...]:
    return tuple(node.labels.get(key) for key in KEYS)


def _is_there(wanted: Wanted, node: NodeInfo) -> bool:
    if not any(key in node.labels for key in KEYS):
        return True  # A cluster without zones.
    return all(node.labels.get(key, node.labels.get(OTHER_NAME[key], "")) in values for key, values in wanted)
