"""Events: what a component says out loud, with the correlation that keeps it from shouting.

Two styles, as in the real cluster. Most components use the old recorder (`source`, `count`, lastTimestamp); the same
event again only raises its count. The scheduler uses events.k8s.io (`reportingComponent`, `action`, `series`).

The correlator's state is the Event objects themselves, found by index, so nothing else has to be saved:
the same event again within its life → count + 1; ten events that differ only in message within ten minutes →
"(combined from similar events): …"; more than 25 of one source about one object → one more every five minutes.

Mirrors:  client-go/tools/record (event.go, events_cache.go); client-go/tools/events
Left out: the LRU's limit of 4,096 entries.
"""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from cluster.engine.client import Client
from cluster.engine.clock import MINUTE, Clock
from cluster.engine.informer import Informers
from cluster.objects import Manifest, meta, times
from cluster.objects.errors import ApiError

SPAM_BURST = 25
SPAM_REFILL = 5 * MINUTE
SIMILAR_LIMIT = 10
SIMILAR_WINDOW = 10 * MINUTE


def about(event: Manifest) -> list[str]:
    """Index of events: the uid (or, for nodes, the name) of what they are about."""
    involved = event["involvedObject"]
    return [involved.get("uid") or involved.get("name", "")]


SERIES_REFRESH = 360 * 1_000_000  # Microseconds between two writes about a series that goes on.


class Recorder:
    """Writes events in the name of `source`. `host`: the node, for kubelets."""

    def __init__(self, client: Client, clock: Clock, informers: Informers, source: str, host: str = "") -> None:
        self._client, self._clock, self._informers, self.source, self.host = client, clock, informers, source, host
        informers.add_index("Event", "about", about)

    def event(
        self, obj: Manifest, type_: str, reason: str, message: str, field_path: str = "",
        annotations: Mapping[str, str] | None = None,
    ) -> None:  # fmt: skip
        """Say `reason: message` about `obj` in the old style. `type_`: Normal or Warning."""
        involved = reference(obj, field_path)
        mine = [e for e in self._about(involved) if e.get("source", {}).get("component") == self.source]
        if self._spam(mine):
            return
        similar = [e for e in mine if (e["reason"], e["type"]) == (reason, type_)]
        text = message
        if len(similar) >= SIMILAR_LIMIT and self._within(similar[-SIMILAR_LIMIT:], SIMILAR_WINDOW):
            text = f"(combined from similar events): {message}"
            known = [e for e in similar if e["message"].startswith("(combined from similar events)")]
        else:
            known = [e for e in similar if e["message"] == message and _same_subject(e["involvedObject"], involved)]
        now = self._clock.stamp()
        if known:
            count = known[0].get("count", 1) + 1
            self._repeat(known[0], {"count": count, "lastTimestamp": now, "message": text})
            return
        source = {"component": self.source} | ({"host": self.host} if self.host else {})
        self._create(
            involved,
            {
                "reason": reason,
                "message": text,
                "source": source,
                "firstTimestamp": now,
                "lastTimestamp": now,
                "count": 1,
                "type": type_,
                "eventTime": None,
                "reportingComponent": self.source,
                "reportingInstance": self.host,
            },
            annotations,
        )

    def announce(self, obj: Manifest, type_: str, reason: str, action: str, message: str) -> None:
        """Say it in the new style (events.k8s.io): a repetition about the very same revision becomes a series.

        Whatever it says: the note is not compared. A series is written down when it begins, and then every six minutes.
        """
        involved = reference(obj)
        for known in self._about(involved):
            same = known.get("action") == action and (known["reason"], known["type"]) == (reason, type_)
            if same and known["involvedObject"] == involved and known.get("reportingComponent") == self.source:
                series = known.get("series")
                if series and self._clock.unix() - times.parse(series["lastObservedTime"]) < SERIES_REFRESH:
                    return
                count = (series or {}).get("count", 1) + 1
                series = {"count": count, "lastObservedTime": self._clock.micro_stamp()}
                self._repeat(known, {"series": series})
                return
        self._create(
            involved,
            {
                "reason": reason,
                "message": message,
                "source": {},
                "firstTimestamp": None,
                "lastTimestamp": None,
                "type": type_,
                "eventTime": self._clock.micro_stamp(),
                "action": action,
                "reportingComponent": self.source,
                "reportingInstance": f"{self.source}-control-plane",
            },
        )

    def _about(self, involved: Manifest) -> list[Manifest]:
        return self._informers.by_index("Event", "about", involved.get("uid") or involved["name"])

    def _create(self, involved: Manifest, body: dict[str, Any], annotations: Mapping[str, str] | None = None) -> None:
        namespace = involved.get("namespace") or "default"
        name = f"{involved['name']}.{self._clock.unix() * 1000:x}"
        taken = 0
        while self._informers.get("Event", namespace, name):  # Two events about one object in one microsecond.
            taken += 1
            name = f"{involved['name']}.{self._clock.unix() * 1000 + taken:x}"
        metadata: Manifest = {"name": name, "namespace": namespace}
        if annotations:
            metadata["annotations"] = dict(annotations)
        event = {"kind": "Event", "apiVersion": "v1", "metadata": metadata, "involvedObject": involved, **body}
        try:
            self._client.record(event)
        except ApiError:  # A namespace that is being emptied takes no events; what is said there is lost.
            return

    def _repeat(self, known: Manifest, patch: Manifest) -> None:
        """Say it once more, if that can be written: what can't be is lost, and nobody waits for it."""
        with suppress(ApiError):
            self._client.patch("Event", meta.namespace(known), meta.name(known), patch)

    def _spam(self, mine: list[Manifest]) -> bool:
        """25 at once, then one every five minutes, for each source and object."""
        said = (
            sum(e.get("count", 1) for e in mine)
            if len(mine) >= SPAM_BURST or any(e.get("count", 1) > 1 for e in mine)
            else len(mine)
        )
        if said < SPAM_BURST:
            return False
        first = min(times.parse(e["firstTimestamp"]) for e in mine)
        return said >= SPAM_BURST + (self._clock.unix() - first) // SPAM_REFILL

    def _within(self, events: list[Manifest], window: int) -> bool:
        return all(self._clock.unix() - times.parse(e["lastTimestamp"]) <= window for e in events)


def _same_subject(one: Manifest, other: Manifest) -> bool:
    """Is it about the same thing? Its resourceVersion moves on between two events."""
    return {**one, "resourceVersion": ""} == {**other, "resourceVersion": ""}


def reference(obj: Manifest, field_path: str = "") -> Manifest:
    """An ObjectReference to `obj`. `field_path`: `spec.containers{app}` for one container of a pod."""
    metadata = obj["metadata"]
    ref = {"kind": obj["kind"], "namespace": metadata.get("namespace"), "name": metadata["name"]}
    ref |= {
        "uid": metadata.get("uid"),
        "apiVersion": obj["apiVersion"],
        "resourceVersion": metadata.get("resourceVersion"),
    }
    ref["fieldPath"] = field_path
    if obj["kind"] in ("Node",):
        ref.pop("resourceVersion")
    return {key: value for key, value in ref.items() if value}
