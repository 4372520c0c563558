"""Limits on what a pod writes: whoever exceeds one is evicted by the next look, at most ten seconds later.

    emptyDir.sizeLimit                  of one volume
    limits.ephemeral-storage            of a container: what it wrote beside its volumes, and its log
                                        the sum of them: all that the pod wrote, volumes included

Only writing can exceed a limit, so a look is planned when something was written, and every ten seconds only if the
limit is so low that a log could reach it. As `du` counts: whole blocks, a directory takes one, too.

Mirrors:  kubernetes/pkg/kubelet/eviction/eviction_manager.go (localStorageEviction)
Left out: an emptyDir of medium Memory is not full at its limit, as a real one is, and never
          evicts anybody; what probes and hooks write is seen when another process of the pod writes next.
Read next: eviction.py.
"""

from collections.abc import Callable, Iterable

from cluster.engine.cells import Cells
from cluster.objects import Manifest, amounts, meta, pods, quantity
from cluster.objects.amounts import Amount
from cluster.runtime.containers import Record, key_of
from cluster.runtime.live.files import BLOCK, Disk, blocks_of

RESOURCE = "ephemeral-storage"


def is_limited(pod: Manifest) -> bool:
    """Is there any limit that it could exceed?"""
    return bool(_limited_volumes(pod)) or any(_limit_of(container) is not None for container in pods.containers(pod))


def is_tight(pod: Manifest, most: int) -> bool:
    """Is there a limit that the log of a container could exceed, which takes `most` bytes?"""
    limits = [_limit_of(container) for container in pods.containers(pod)]
    return any(limit is not None and _exceeds(most, limit) for limit in limits)


def excess(pod: Manifest, records: Iterable[Record], disks: Cells, log_size: Callable[[Record], int]) -> str:
    """What is said of the first limit that the pod exceeds; the empty string: none. `records`: its containers'."""
    uid = meta.uid(pod)
    for name, limit in _limited_volumes(pod):
        if _exceeds(_size(disks.get(_volume_disk(uid, name))), limit):
            return f'Usage of EmptyDir volume "{name}" exceeds the limit "{limit}". '
    layers = {
        record["name"]: _size(disks.get(key_of(uid, record["name"], record["attempt"]))) + log_size(record)
        for record in records
    }
    whole = amounts.limits_of(pod).get(RESOURCE)
    if whole is not None and _exceeds(sum(layers.values()) + _all_volumes(pod, disks), whole):
        return f"Pod ephemeral local storage usage exceeds the total limit of containers {whole}. "
    for container in pods.containers(pod):
        own = _limit_of(container)
        if own is not None and _exceeds(layers.get(container["name"], 0), own):
            return f'Container {container["name"]} exceeded its local ephemeral storage limit "{own}". '
    return ""


def _limit_of(container: Manifest) -> Amount | None:
    return amounts.parse((container.get("resources") or {}).get("limits")).get(RESOURCE)


def _limited_volumes(pod: Manifest) -> list[tuple[str, Amount]]:
    """(name, limit) of its emptyDirs on disk that have one."""
    found = []
    for volume in pod["spec"].get("volumes") or ():
        empty = volume.get("emptyDir") or {}
        if empty.get("sizeLimit") and empty.get("medium") != "Memory":
            found.append((volume["name"], Amount(*quantity.parse(str(empty["sizeLimit"])))))
    return [(name, limit) for name, limit in found if limit.nano > 0]


def _all_volumes(pod: Manifest, disks: Cells) -> int:
    """Bytes in its emptyDirs on disk."""
    volumes = [volume for volume in pod["spec"].get("volumes") or () if "emptyDir" in volume]
    names = [volume["name"] for volume in volumes if (volume["emptyDir"] or {}).get("medium") != "Memory"]
    return sum(_size(disks.get(_volume_disk(meta.uid(pod), name))) for name in names)


def _volume_disk(uid: str, volume: str) -> str:
    return f"{uid}//{volume}"


def _exceeds(size: int, limit: Amount) -> bool:
    return size * quantity.NANO > limit.nano


def _size(disk: Disk | None) -> int:
    """Bytes that the files of a disk take."""
    return blocks_of(disk)[0] * BLOCK
