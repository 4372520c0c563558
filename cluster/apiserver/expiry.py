"""Events are forgotten an hour after they were last written: in etcd they hang on a lease.

Mirrors:  kubernetes/pkg/registry/core/event (the TTL), etcd's lease expiry
Left out: leases as objects; the sweep runs once a minute, as etcd's expiry is not exact either.
"""

from cluster.engine.clock import MINUTE, SECOND
from cluster.engine.controller import Component
from cluster.objects import Manifest, errors, meta, times

EVENT_TTL = 60 * MINUTE
SWEEP = MINUTE


class EventExpiry(Component):
    """Deletes events older than an hour. Writes in etcd's name: no client asked for it."""

    name = "etcd"
    user = "system:apiserver"

    def watch(self) -> None:
        self.informers.subscribe("Event", self._written, self.name)

    def _written(self, old: Manifest | None, new: Manifest | None) -> None:
        """The first event starts the sweep; without events there is nothing to wait for."""
        if new is not None and self.queue.timer("sweep") is None:
            self.queue.add_after("sweep", EVENT_TTL)

    def process(self, key: str) -> None:
        now, oldest = self.clock.unix(), None
        for event in self.informers.list("Event"):
            written = _last_written(event)
            if now - written >= EVENT_TTL:
                try:
                    self.client.delete("Event", meta.namespace(event), meta.name(event))
                except errors.NotFound:
                    continue
            else:
                oldest = written if oldest is None else min(oldest, written)
        if oldest is not None:
            self.queue.add_after("sweep", max(oldest + EVENT_TTL - now, SWEEP))


def _last_written(event: Manifest) -> int:
    """Microseconds since 1970 of the event's newest time."""
    series = event.get("series") or {}
    stamps = (event.get("lastTimestamp"), series.get("lastObservedTime"), event.get("eventTime"))
    stamp = next((stamp for stamp in stamps if stamp), event["metadata"]["creationTimestamp"])
    return times.parse(stamp) // SECOND * SECOND
