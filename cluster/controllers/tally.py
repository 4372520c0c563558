"""How many pods each owner has, counted as they change and never by walking over all of them.

A ReplicaSet of 5,000 would otherwise be counted anew for each pod that becomes ready. The tally is derived: built from
the informer when a world is loaded, kept by pod events afterwards.
"""

from cluster.engine.informer import Informers
from cluster.objects import Manifest, meta, pods


class Count:
    """Pods of one owner. `labels`: how many active pods carry which set of labels."""

    __slots__ = ("active", "labels", "ready", "terminating")

    def __init__(self) -> None:
        self.active = self.ready = self.terminating = 0
        self.labels: dict[tuple[tuple[str, str], ...], int] = {}

    def labelled(self, wanted: dict[str, str]) -> int:
        """Active pods that carry all of `wanted`."""
        items = set(wanted.items())
        return sum(number for found, number in self.labels.items() if items <= set(found))


class Tally:
    """Counts by owner uid."""

    def __init__(self, informers: Informers, component: str) -> None:
        self._counts: dict[str, Count] = {}
        for pod in informers.list("Pod"):
            self._changed(None, pod)
        informers.subscribe("Pod", self._changed, component)

    def of(self, owner: Manifest) -> Count:
        return self._counts.get(meta.uid(owner)) or Count()

    def _changed(self, old: Manifest | None, new: Manifest | None) -> None:
        if old is not None and new is not None and _counted(old) == _counted(new):
            return
        if old is not None:
            self._add(old, -1)
        if new is not None:
            self._add(new, 1)

    def _add(self, pod: Manifest, sign: int) -> None:
        reference = meta.controller_of(pod)
        if reference is None:
            return
        count = self._counts.get(reference["uid"])
        if count is None:
            count = self._counts[reference["uid"]] = Count()
        if pods.is_terminal(pod):
            return
        if meta.is_deleting(pod):
            count.terminating += sign
            return
        count.active += sign
        count.ready += sign * pods.is_ready(pod)
        labels = tuple(sorted(meta.labels(pod).items()))
        left = count.labels.get(labels, 0) + sign
        if left:
            count.labels[labels] = left
        else:
            count.labels.pop(labels, None)


def _counted(pod: Manifest) -> tuple[object, ...]:
    """All that a count looks at."""
    metadata = pod["metadata"]
    deleting, terminal = "deletionTimestamp" in metadata, pods.is_terminal(pod)
    return metadata.get("ownerReferences"), metadata.get("labels"), deleting, terminal, pods.is_ready(pod)
