"""VolumeRestrictions: some volumes may have one user only.

A claim with the access mode ReadWriteOncePod belongs to one pod in the whole cluster: while another pod has it,
no node will do, and only preemption of that pod can help. Disks that a pod names inline can be mounted by one
pod of a node.

Mirrors: kubernetes/pkg/scheduler/framework/plugins/volumerestrictions/volume_restrictions.go
"""

from collections import Counter
from typing import Any, NamedTuple

import numpy as np

from cluster.engine.informer import Informers
from cluster.objects import Manifest, meta, pods
from cluster.objects.storage import claims_of
from cluster.scheduler.framework import SKIP, ClusterEvent, Plugin, Rejection
from cluster.scheduler.snapshot import NodeInfo, Numbers, View

ONE_POD = "ReadWriteOncePod"
USED = "node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode"
NO_DISK = "node(s) had no available disk"
IN_USE, CONFLICT = 1, 2

INLINE = {  # The fields that identify a disk, and whether two readers may share it.
    "gcePersistentDisk": (("pdName",), True),
    "awsElasticBlockStore": (("volumeID",), False),
    "iscsi": (("iqn",), True),
    "rbd": (("pool", "image"), True),
}


class Ask(NamedTuple):
    """`claims`: keys of the claims for one pod. `users`: how many pods have them, by node. `disks`: inline ones."""

    claims: frozenset[str]
    users: Counter[str]
    disks: list[tuple[str, Manifest]]


class VolumeRestrictions(Plugin):
    name = "VolumeRestrictions"
    local = False
    events = frozenset(
        {("Pod", "delete"), ("Node", "add"), ("PersistentVolumeClaim", "add"), ("PersistentVolumeClaim", "update")}
    )

    def __init__(self, informers: Informers) -> None:
        self._informers = informers
        informers.add_index("Pod", "claims", claims_of)

    def prefilter(self, pod: Manifest, nodes: Any) -> Any:
        volumes = pod["spec"].get("volumes")
        if not volumes:
            return SKIP
        claims, disks = [], []
        for volume in volumes:
            if "persistentVolumeClaim" in volume:
                name = volume["persistentVolumeClaim"].get("claimName", "")
                claim = self._informers.get("PersistentVolumeClaim", meta.namespace(pod), name)
                if claim is None:
                    return Rejection(self.name, (f'persistentvolumeclaim "{name}" not found',))
                if ONE_POD in (claim["spec"].get("accessModes") or ()):
                    claims.append(meta.key(claim))
            else:
                disks += [(kind, volume[kind]) for kind in INLINE if kind in volume]
        users = self._users(pod, claims, nodes)
        return Ask(frozenset(claims), users, disks) if users or disks else SKIP

    def _users(self, pod: Manifest, claims: list[str], nodes: Any) -> Counter[str]:
        """Node to the number of uses of `claims` by other pods that have a node, or are about to."""
        users: Counter[str] = Counter()
        for key in claims:
            for user in self._informers.by_index("Pod", "claims", key):
                if meta.uid(user) == meta.uid(pod) or pods.is_terminal(user):
                    continue
                node = user["spec"].get("nodeName") or (nodes.node_of(meta.key(user)) if nodes is not None else None)
                if node:
                    users[node] += 1
        return users

    def filter(self, ask: Ask, node: NodeInfo) -> Rejection | None:
        bits = self._bits(ask, node)
        return self.rejection(ask, bits) if bits else None

    def filter_all(self, ask: Ask, view: View) -> Numbers:
        return np.array([self._bits(ask, node) for node in view.nodes()], np.int64)

    def rejection(self, ask: Ask, bits: int) -> Rejection:
        return Rejection(self.name, (NO_DISK if bits == CONFLICT else USED,), resolvable=True)

    def _bits(self, ask: Ask, node: NodeInfo) -> int:
        """`node` may be a picture of what would be if some of its pods were gone."""
        if ask.disks and any(_conflicts(ask.disks, info.pod) for info in node.pods.values()):
            return CONFLICT
        if not ask.users:
            return 0
        elsewhere = ask.users.total() - ask.users[node.name]
        here = sum(key in ask.claims for info in node.pods.values() for key in claims_of(info.pod))
        return IN_USE if elsewhere + here else 0

    def wakes(self, pod: Manifest, event: ClusterEvent) -> bool:
        """A pod left that held something of this one's, or a claim of it came."""
        if event.kind == "Node":
            return True
        if event.kind == "PersistentVolumeClaim":
            return meta.key(event.new or {}) in claims_of(pod)
        left, disks = event.old or event.new or {}, _disks(pod)
        return bool(set(claims_of(pod)) & set(claims_of(left))) or bool(disks and _conflicts(disks, left))


def _disks(pod: Manifest) -> list[tuple[str, Manifest]]:
    volumes = pod["spec"].get("volumes") or ()
    return [(kind, volume[kind]) for volume in volumes for kind in INLINE if kind in volume]


def _conflicts(disks: list[tuple[str, Manifest]], other: Manifest) -> bool:
    """Does `other` hold one of these disks in a way that leaves no room?"""
    for kind, theirs in _disks(other):
        fields, shared = INLINE[kind]
        for own_kind, own in disks:
            if own_kind != kind or any(own.get(field) != theirs.get(field) for field in fields):
                continue
            if kind == "rbd" and not set(own.get("monitors") or ()) & set(theirs.get("monitors") or ()):
                continue
            if not (shared and own.get("readOnly") and theirs.get("readOnly")):
                return True
    return False
