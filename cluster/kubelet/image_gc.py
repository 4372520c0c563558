"""Image garbage collection: a disk that is 85 % full is freed of images that no container uses, until it is at 80 %.

Every five minutes somebody looks; the eviction manager has all unused images deleted when the disk runs short. First go
those whose last container was forgotten longest ago. An image that came within the last two minutes is left alone: who
pulled it is about to use it.

Mirrors:  kubernetes/pkg/kubelet/images/image_gc_manager.go, pkg/kubelet/kubelet.go (StartGarbageCollection)
Left out: imageMaximumGCAge (off by default); ages count from the pull and from the last container's end, not from the
          looks, five minutes apart, at which the real one notices them; pinned images: sandboxes' is not on the list.
"""

from collections.abc import Callable, Iterable

from cluster.engine.cells import Section
from cluster.engine.clock import MINUTE, Clock
from cluster.kubelet.configuration import Configuration
from cluster.objects import Manifest, meta
from cluster.runtime import images
from cluster.runtime.cri import Runtime

EVERY = 5 * MINUTE
FAILED = "imageGCFailed"  # In the kubelet's memory: it failed the last time, too.
ALL = 1 << 63


class ImageCollector:
    """Of one kubelet. `say`: (reason, message) of a warning about the node."""

    def __init__(self, runtime: Runtime, clock: Clock, memory: Section, setup: Configuration) -> None:
        self.runtime, self.clock, self.memory, self.setup = runtime, clock, memory, setup
        self.say: Callable[[str, str], None] = lambda reason, message: None
        self.on_deleted: Callable[[], None] = lambda: None

    def collect(self, here: Iterable[Manifest], capacity: int, available: int) -> None:
        """The look of every five minutes. `capacity`, `available`: of the disk, bytes."""
        problem = self._collect(here, capacity, available)
        if problem and self.memory.get(FAILED):  # The first time it may be too early to know.
            self.say("ImageGCFailed", problem)
        if problem:
            self.memory[FAILED] = True
        else:
            self.memory.pop(FAILED)

    def _collect(self, here: Iterable[Manifest], capacity: int, available: int) -> str:
        """What went wrong, if anything."""
        if 100 - available * 100 // capacity < self.setup.gc_high:
            return ""
        wanted = capacity * (100 - self.setup.gc_low) // 100 - available
        freed = self._free(wanted, here)
        if freed >= wanted:
            return ""
        problem = (
            f"Failed to garbage collect required amount of images. Attempted to free {wanted} bytes, but only found "
            f"{freed} bytes eligible to free."
        )
        self.say("FreeDiskSpaceFailed", problem)
        return problem

    def delete_unused(self, here: Iterable[Manifest]) -> None:
        self._free(ALL, here)

    def _free(self, wanted: int, here: Iterable[Manifest]) -> int:
        """Delete until so many bytes are free. Returns how many are."""
        used = {images.resolve(name).name for name in self._used(here)}
        known = self.runtime.list_images()
        freed, gone = 0, []
        for name in sorted(known, key=lambda each: (known[each].get("used", 0), known[each]["since"], each)):
            if freed >= wanted:
                break
            if name not in used and self.clock.now - known[name]["since"] >= self.setup.gc_age:
                gone.append(name)
                freed += known[name]["size"]
        if gone:
            self.runtime.remove_images(gone)
            self.on_deleted()
        return freed

    def _used(self, here: Iterable[Manifest]) -> Iterable[str]:
        """Images of all containers, dead ones too."""
        for pod in here:
            yield from (record["image"] for record in self.runtime.list_containers(meta.uid(pod)))
