"""What a machine has left, and who takes it: the figures that a kubelet's eviction manager and image GC look at.

    memory    containers' working sets, and what kubelet, runtime and kernel take
    disk      one file system for everything: the system, images, containers' layers, their logs, emptyDirs, hostPaths
    inodes    of the same: one for each file, directory and image layer
    pids      processes of containers, sandboxes, and the system

Usage is a function of time, so a quiet node need not look every ten seconds: each program knows the most memory that
it will ever take, a container's files and logs are bounded but for files of zeros, and only a node on which these sums
could reach a threshold looks at all. That is worked out when a container starts, gets another limit or allocates a
file, and when an image came. Requests that a server answers cost memory, too; TRAFFIC is set aside for it.

Mirrors:  kubernetes/pkg/kubelet/eviction/helpers.go (makeSignalObservations), pkg/kubelet/stats
Left out: figures that are up to ten seconds old, as cAdvisor's are; a file system of its own for images; memory that
          emptyDirs of medium Memory take; lines of an access log that are forgotten already.
Read next: eviction.py.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from cluster.engine.cells import Section
from cluster.engine.clock import Clock
from cluster.kubelet.configuration import Configuration
from cluster.objects import Manifest, amounts, meta, quantity
from cluster.runtime import machines, rotation, usage
from cluster.runtime.containers import Record, key_of
from cluster.runtime.cri import Runtime
from cluster.runtime.live.files import BLOCK, MAX_FILES, blocks_of
from cluster.runtime.programs.program import MIB
from cluster.runtime.sessions import Sessions

LATE = 14 * MIB  # What is printed into a log before somebody finds that it is full.
TRAFFIC = 64 * MIB  # 16,000 requests a second on one node.
PAGE = 4096
LAYER_FILES, LOG_FILES = 4, 1  # Inodes of a container's directories, and of its log.
SPARE = "spare"  # In the kubelet's memory: [bytes of memory, of disk], no more than there is to spare.
IMAGE_FILE = 32 * 1024  # Bytes of an image for each of its files.
MOST_FILES = 4 * MIB + MAX_FILES * BLOCK  # Bytes that a container's layer, or a volume, takes at most, zeros aside.

Here = Callable[[], Iterable[Manifest]]


class Used(NamedTuple):
    """By one container: bytes of memory, of its writable layer and of its logs, their inodes, processes."""

    memory: int = 0
    layer: int = 0
    logs: int = 0
    inodes: int = 0
    pids: int = 0


class PodUse(NamedTuple):
    """By a pod that has a sandbox. `volumes`, `volume_inodes`: of its emptyDirs."""

    containers: dict[str, Used]
    volumes: int = 0
    volume_inodes: int = 0

    def of(self, resource: str) -> int:
        """All that the pod takes of what is short: memory, ephemeral-storage, inodes, pids."""
        mine = self.containers.values()
        if resource == "memory":
            return sum(each.memory for each in mine)
        if resource == "ephemeral-storage":
            return sum(each.layer + each.logs for each in mine) + self.volumes
        if resource == "inodes":
            return sum(each.inodes for each in mine) + self.volume_inodes
        return sum(each.pids for each in mine)


class Look(NamedTuple):
    """What one look finds. `observed`: signal -> (available, capacity); `pods`: by uid."""

    observed: dict[str, tuple[int, int]]
    pods: dict[str, PodUse]


class Meter:
    """Reads one machine. `memory`: the kubelet's."""

    def __init__(
        self, node: str, runtime: Runtime, sessions: Sessions, clock: Clock, setup: Configuration, memory: Section
    ) -> None:
        self.node, self.runtime, self.sessions, self.clock, self.setup = node, runtime, sessions, clock, setup
        self.kept = memory
        machine = runtime.machines[node]
        self.memory = quantity.value(str(machine["memory"]))
        self.disk, self.inodes, self.pids = machines.disk(machine), machines.inodes(machine), machines.pids(machine)
        reserve = [each.level.of(self.disk) for each in setup.thresholds if _is_disk(each.signal)]
        self._reserve = max([*reserve, self.disk * (100 - setup.gc_high) // 100])
        levels = [each.level.of(self.memory) for each in setup.thresholds if each.signal == "memory.available"]
        self._threshold = max(levels, default=0)
        self.most_logs = setup.log_size * setup.log_files + LATE
        self._reserved = -(-setup.reserved.get("memory", amounts.NONE).nano // quantity.NANO)
        self._counts_pids = any(each.signal == "pid.available" for each in setup.thresholds)
        self._counts_files = "inodes" in machine

    # --- could it run short? --------------------------------------------------------------------------------

    def could_run_short(self, here: Here, newcomer: Record | None = None) -> bool:
        """Could the containers of the pods `here` ever reach a threshold? `newcomer`: the one that is new, if known.

        O(containers), but O(1) for a newcomer that fits into what the last sum left over.
        """
        spare = before = self.kept.get(SPARE)
        if newcomer is not None and before is not None:
            spare = [left - most for left, most in zip(before, self._most_of(newcomer), strict=True)]
        if newcomer is None or spare is None or min(spare) < 0:
            spare = self._spare_beside(list(here()))
        if spare != before:
            self.kept[SPARE] = spare
        watched = (self._counts_pids or self._counts_files) and any(self._records(here()))
        return min(spare) < 0 or watched

    def could_fill_the_disk(self) -> bool:
        """As far as the last sum knows."""
        spare = self.kept.get(SPARE)
        return self._counts_files or spare is None or spare[1] < 0

    def _most_of(self, record: Record) -> tuple[int, int]:
        return usage.most_memory(record, self.clock.epoch), MOST_FILES + self.most_logs

    def _spare_beside(self, here: list[Manifest]) -> list[int]:
        """Bytes of memory and disk above the thresholds that are left when every container takes what it ever will."""
        memory = self.memory - self._threshold - max(usage.most_memory_of_system(), self._reserved) - TRAFFIC
        disk = self.disk - self._reserve - self._fixed()[0]
        for record in self._records(here):
            most = self._most_of(record)
            memory, disk = memory - most[0], disk - most[1]
        for key in self._disks(here):
            entries = (self.sessions.disks.get(key) or {}).values()
            disk -= MOST_FILES + sum(entry[4] for entry in entries if entry is not None and len(entry) > 4)
        return [memory, disk]

    def _records(self, here: Iterable[Manifest]) -> Iterable[Record]:
        return (record for pod in here for record in self.runtime.list_containers(meta.uid(pod)))

    def _disks(self, here: Iterable[Manifest]) -> Iterable[str]:
        """Keys of what was written on the machine's disk: layers, emptyDirs, hostPaths."""
        disks = self.sessions.disks
        if not disks.data:
            return
        yield f"node/{self.node}"
        for pod in here:
            yield from (key for key, _ in disks.prefixed(meta.uid(pod) + "/"))

    # --- memory at another moment ---------------------------------------------------------------------------

    def running(self, here: Iterable[Manifest]) -> list[Record]:
        """Containers that take memory, and nobody has killed."""
        alive = (r for r in self._records(here) if r["started"] is not None and r["ended"] is None)
        return [record for record in alive if not record.get("exit")]

    def most(self, records: list[Record]) -> int:
        """Bytes that these and the system will never exceed together."""
        own = sum(usage.most_memory(record, self.clock.epoch) for record in records)
        return own + usage.most_memory_of_system() + TRAFFIC

    def total(self, records: list[Record], moment: int) -> int:
        """Bytes that these and the system take together at `moment`."""
        own = sum(_pages(usage.at(record, moment, self.clock.epoch).memory_bytes) for record in records)
        return own + _pages(usage.of_system(self.node, moment).memory_bytes)

    def total_of(self, record: Record) -> int:
        """Bytes that one takes now."""
        return _pages(usage.at(record, self.clock.now, self.clock.epoch).memory_bytes)

    # --- looking --------------------------------------------------------------------------------------------

    def read(self, here: Iterable[Manifest]) -> Look:
        """What the pods `here` use now, and what is left of the machine."""
        known = list(here)
        files = self.could_fill_the_disk()
        sandboxed = [pod for pod in known if self.runtime.sandbox(meta.uid(pod)) is not None]
        used = {meta.uid(pod): self._use_of(pod, files) for pod in sandboxed}
        memory = sum(use.of("memory") for use in used.values())
        system = _pages(usage.of_system(self.node, self.clock.now).memory_bytes)
        most = self.memory - self._reserved
        observed = {
            "memory.available": (max(self.memory - memory - system, 0), self.memory),
            "allocatableMemory.available": (max(most - memory, 0), most),
        }
        if files:
            left, inodes = self._left_of_disk(known)
            observed |= dict.fromkeys(("nodefs.available", "imagefs.available"), (left, self.disk))
            observed |= dict.fromkeys(("nodefs.inodesFree", "imagefs.inodesFree"), (inodes, self.inodes))
        if self._counts_pids:
            pids = machines.SYSTEM_PIDS + sum(use.of("pids") + 1 for use in used.values())
            observed["pid.available"] = (max(self.pids - pids, 0), self.pids)
        return Look(observed, used)

    def disk_left(self, here: Here) -> int:
        """Bytes."""
        return self._left_of_disk(list(here()))[0]

    def room(self, here: Here, size: int) -> int | None:
        """Bytes left for somebody who wants `size`; None: enough, since it is little and the disk is far from full."""
        return self.disk_left(here) if size >= MIB or self.could_fill_the_disk() else None

    def _use_of(self, pod: Manifest, files: bool) -> PodUse:
        uid = meta.uid(pod)
        containers = {record["name"]: self._used_by(record, files) for record in self.runtime.list_containers(uid)}
        volumes = [_size(blocks_of(disk)) for _, disk in self._volumes(pod)] if files else []
        return PodUse(containers, sum(size for size, _ in volumes), sum(inodes for _, inodes in volumes))

    def _volumes(self, pod: Manifest) -> Iterable[tuple[str, dict[str, list[object] | None]]]:
        """Its emptyDirs on disk into which something was written."""
        names = [each["name"] for each in pod["spec"].get("volumes") or () if _is_on_disk(each)]
        found = ((name, self.sessions.disks.get(f"{meta.uid(pod)}//{name}")) for name in names)
        return ((name, disk) for name, disk in found if disk)

    def _used_by(self, record: Record, files: bool) -> Used:
        memory = _pages(usage.at(record, self.clock.now, self.clock.epoch).memory_bytes)
        pids = self.sessions.processes(record) if self._counts_pids else 0
        if not files:
            return Used(memory, pids=pids)
        layer, inodes = self._layer(record)
        return Used(memory, layer, self.log_size(record), inodes + LAYER_FILES + LOG_FILES, pids)

    def _layer(self, record: Record) -> tuple[int, int]:
        return _size(blocks_of(self.sessions.disks.get(key_of(record["uid"], record["name"], record["attempt"]))))

    def log_size(self, record: Record) -> int:
        """Bytes that its log takes of the disk."""
        return _pages(rotation.on_disk(record, self.clock.now, self.clock.epoch))

    def _left_of_disk(self, here: list[Manifest]) -> tuple[int, int]:
        """(bytes, inodes) that are free."""
        taken, inodes = self._fixed()
        for record in self._records(here):
            taken += self.log_size(record)
            inodes += LAYER_FILES + LOG_FILES
        for key in self._disks(here):
            size, files = _size(blocks_of(self.sessions.disks.get(key)))
            taken, inodes = taken + size, inodes + files
        return max(self.disk - taken, 0), max(self.inodes - inodes, 0)

    def _fixed(self) -> tuple[int, int]:
        """(bytes, inodes) of the system and of images."""
        sizes = [image["size"] for image in self.runtime.machines[self.node]["images"].values()]
        taken, inodes = machines.system_files(self.runtime.machines[self.node])
        taken += sum(_pages(size) for size in sizes)
        return taken, inodes + sum(-(-size // IMAGE_FILE) for size in sizes)


def _is_disk(signal: str) -> bool:
    return signal in ("nodefs.available", "imagefs.available")


def _is_on_disk(volume: Manifest) -> bool:
    return "emptyDir" in volume and (volume["emptyDir"] or {}).get("medium") != "Memory"


def _size(taken: tuple[int, int]) -> tuple[int, int]:
    return taken[0] * BLOCK, taken[1]


def _pages(size: int) -> int:
    return -(-size // PAGE) * PAGE
