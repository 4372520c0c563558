"""The mirror: one cluster's committed state as rows for the map, kept current by reading only what is new.

`look()` reads the cluster's row and whatever was committed since the last look (revisions, physical events,
inputs), and returns a `Delta`. The first look, and one after the cluster was started afresh, builds
everything anew. It is ordinary blocking code on one database connection; stream.py calls it in a thread.

What a browser sees is what was committed: nothing here asks a running world.
Read next: stream.py, which fans the deltas out.
"""

import time
from collections import deque
from functools import cache
from typing import Any

import orjson

from cluster.apiserver import registry
from cluster.models import REVISION_BITS, Cluster, Input, Machine, PhysicalEvent, Revision, StoredObject
from cluster.objects import Manifest, meta, times
from dashboard import observed, rows, said
from dashboard.frames import MESSAGES, Delta
from dashboard.rows import Row

ON_THE_MAP = (
    registry.by_kind("Pod").storage_prefix(),
    registry.by_kind("Node").storage_prefix(),
    registry.by_kind("Lease").storage_prefix(rows.LEASES),
)
DEEDS = 24
RECENT = 240  # Revisions read for the lanes of somebody who has just come.
MEASURE_EVERY = 2.0  # Wall seconds.
AT_ONCE = 4_000  # Revisions read in one look; the rest waits for the next one.


class Mirror:
    """`life` changes when the cluster was started afresh: the browsers then need a new snapshot."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.life = ""
        self._forget()

    def _forget(self) -> None:
        self.pods: dict[str, Row] = {}
        self.nodes: dict[str, Row] = {}
        self._manifests: dict[str, Manifest] = {}  # Nodes: their rows depend on machines and leases as well.
        self._powered: dict[str, bool] = {}
        self._beats: dict[str, int] = {}
        self._recent: deque[Row] = deque(maxlen=MESSAGES)
        self._deeds: deque[Row] = deque(maxlen=DEEDS)  # Clicks and power cuts: the lane called You goes further back.
        self._rhythm: deque[tuple[int, str]] = deque(maxlen=MESSAGES)
        self._paces: deque[tuple[float, int]] = deque(maxlen=24)
        self._revision = self._event = self._inputs = 0
        self._epoch = self._measured = 0
        self._measure_at = 0.0
        self.usage: dict[str, list[int]] = {}
        self.requests: dict[str, list[float]] = {}
        self.clock: Row = {}

    # --- Looking -------------------------------------------------------------------------------------------

    def look(self) -> Delta | None:
        """What was committed since the last look. None: there is no such cluster (any more)."""
        cluster = Cluster.objects.filter(name=self.name).first()
        if cluster is None:
            return None
        life = f"{cluster.pk}.{cluster.first_revision}"
        if life != self.life:
            self._forget()
            self.life, self._epoch = life, cluster.epoch
            self._read_all(cluster)
        delta = Delta()
        self._read_revisions(cluster, delta)
        self._read_events(cluster, delta)
        self._read_inputs(cluster, delta)
        self._measure(cluster, delta)
        delta.messages.sort(key=lambda message: (message["t"], message.get("r", 0)))
        self._deeds.extend(message for message in delta.messages if "r" not in message)
        delta.more = max(len(delta.messages) - MESSAGES, 0)
        delta.messages = delta.messages[-MESSAGES:]
        self._recent.extend(delta.messages)
        self.clock = delta.clock = self._clock(cluster)
        return delta

    def snapshot(self) -> dict[str, Any]:
        """Everything a browser needs that has just come."""
        return {
            "cluster": self.name,
            "clock": self.clock,
            "pods": list(self.pods.values()),
            "nodes": list(self.nodes.values()),
            "messages": [deed for deed in self._deeds if deed not in self._recent] + list(self._recent),
            "rhythm": list(self._rhythm),
            "usage": self.usage,
            "requests": self.requests,
        }

    def _clock(self, cluster: Cluster) -> Row:
        self._paces.append((time.monotonic(), cluster.sim_now))
        (then, was), (now, at) = self._paces[0], self._paces[-1]
        return {
            "now": cluster.sim_now,
            "epoch": cluster.epoch,
            "paused": cluster.paused,
            "speed": cluster.speed,
            "reached": round((at - was) / 1e6 / (now - then), 1) if now > then else 0,
            "asleep": cluster.asleep,
            "stopped": cluster.stopped,
            "next": cluster.next_event,
            "due": cluster.next_due,
            "step": cluster.step,
            "rev": cluster.revision,
        }

    def _measure(self, cluster: Cluster, delta: Delta) -> None:
        """CPU and memory in use per node, requests per pod, every few seconds; the more containers, the rarer."""
        began = time.monotonic()
        if began < self._measure_at or cluster.sim_now == self._measured:
            return
        running = observed.running(cluster)
        powered = [name for name, on in self._powered.items() if on]
        self.usage = delta.usage = observed.usage_by_node(cluster, powered, running)
        self.requests = delta.requests = observed.requests_by_pod(running)
        self._measured = cluster.sim_now
        self._measure_at = began + max(MEASURE_EVERY, (time.monotonic() - began) * 40)

    # --- Reading rows --------------------------------------------------------------------------------------

    def _read_all(self, cluster: Cluster) -> None:
        """Machines and living objects; the log is then read from a little before now, for the lanes."""
        low, high = f"{cluster.pk}:", f"{cluster.pk};"
        for identity, body in Machine.objects.filter(id__gte=low, id__lt=high).values_list("id", "body"):
            self._powered[identity.removeprefix(low)] = is_powered(orjson.loads(bytes(body)))
        wanted = [
            identity
            for key, identity in StoredObject.objects.filter(id__gte=low, id__lt=high).values_list("id", "revision")
            if key.removeprefix(low).startswith(ON_THE_MAP)
        ]
        for start in range(0, len(wanted), 500):
            found = Revision.objects.filter(id__in=wanted[start : start + 500]).values_list("value", flat=True)
            for value in found:
                self._keep(orjson.loads(bytes(value)), gone=False, delta=None)
        for name in self._manifests:
            self._renew_node(name, None)
        self._revision = max(cluster.revision - RECENT, cluster.first_revision)
        self._event = self._inputs = 0

    def _read_revisions(self, cluster: Cluster, delta: Delta) -> None:
        first, last = (
            cluster.pk << REVISION_BITS | self._revision,
            cluster.pk << REVISION_BITS | cluster.revision,
        )
        fields = ("id", "key", "verb", "value", "actor", "causes", "step", "sim_time")
        new = Revision.objects.filter(id__gt=first, id__lte=last).order_by("id").values_list(*fields)[:AT_ONCE]
        for identity, stored, verb, value, actor, causes, step, sim_time in new:
            self._revision = identity & ((1 << REVISION_BITS) - 1)
            obj = orjson.loads(bytes(value))
            if obj["kind"] != "Lease":
                plural = plural_of(obj["kind"], stored)
                had_node = obj["kind"] == "Pod" and bool(self.pods.get(meta.key(obj), {}).get("n"))
                stamp = rows.Stamp(self._revision, verb, actor, orjson.loads(causes), step, sim_time, plural)
                delta.messages.append(rows.message_row(stamp, obj, had_node))
            self._keep(obj, gone=verb == "delete", delta=delta)

    def _keep(self, obj: Manifest, gone: bool, delta: Delta | None) -> None:
        """Take one object, new or changed or gone, into the rows and into `delta`."""
        kind, key = obj["kind"], meta.key(obj)
        if kind == "Pod":
            if gone:
                self.pods.pop(key, None)
            else:
                self.pods[key] = rows.pod_row(obj)
            if delta:
                delta.pods[key] = self.pods.get(key)
        elif kind == "Node":
            if gone:
                self._manifests.pop(key, None)
            else:
                self._manifests[key] = obj
            if delta:
                self._renew_node(key, delta)
        elif kind == "Lease" and meta.namespace(obj) == rows.LEASES:
            name, renewed = meta.name(obj), times.parse(obj["spec"]["renewTime"]) - self._epoch
            self._beats[name] = renewed
            self._rhythm.append((renewed, name))
            if name in self.nodes:
                self.nodes[name]["b"] = renewed
            if delta:
                delta.beats[name] = renewed
        elif delta:
            delta.touched.append(f"{kind}/{key}")

    def _renew_node(self, name: str, delta: Delta | None) -> None:
        manifest = self._manifests.get(name)
        if manifest is None:
            self.nodes.pop(name, None)
        else:
            self.nodes[name] = rows.node_row(manifest, self._powered.get(name, True), self._beats.get(name))
        if delta:
            delta.nodes[name] = self.nodes.get(name)

    def _read_events(self, cluster: Cluster, delta: Delta) -> None:
        """Power cuts and the like: they have no revision, yet somebody saw them happen."""
        first, last = cluster.pk << REVISION_BITS | self._event, (cluster.pk + 1) << REVISION_BITS
        fields = ("id", "kind", "subject", "step", "sim_time")
        new = PhysicalEvent.objects.filter(id__gt=first, id__lt=last).order_by("-id").values_list(*fields)[:MESSAGES]
        for identity, kind, subject, step, sim_time in reversed(new):
            self._event = identity & ((1 << REVISION_BITS) - 1)
            delta.messages.append(
                {"e": self._event, "t": sim_time, "st": step, "a": "physics", "v": kind, "k": subject}
            )
            if subject in self._manifests or kind.startswith(("power", "node", "machine")):
                self._read_power(cluster, subject)
                self._renew_node(subject, delta)

    def _read_power(self, cluster: Cluster, name: str) -> None:
        found = Machine.objects.filter(id=f"{cluster.pk}:{name}").values_list("body", flat=True).first()
        if found is not None:
            self._powered[name] = is_powered(orjson.loads(bytes(found)))

    def _read_inputs(self, cluster: Cluster, delta: Delta) -> None:
        """What people asked for: the lane called You."""
        if cluster.inputs == self._inputs:
            return
        new = Input.objects.filter(cluster=cluster, ordinal__gt=self._inputs, ordinal__lte=cluster.inputs)
        fields = ("ordinal", "step", "sim_time", "request", "status")
        for ordinal, step, sim_time, request, status in reversed(new.order_by("-ordinal").values_list(*fields)[:40]):
            words = said.in_words(orjson.loads(bytes(request)), self.name)
            delta.messages.append({"i": ordinal, "t": sim_time, "st": step, "a": "you", "ok": status < 400, **words})
        self._inputs = cluster.inputs


def plural_of(kind: str, stored: str) -> str:
    """`stored`: the key of one of them, which names a custom kind: /registry/GROUP/PLURAL/…"""
    return _known_plurals().get(kind) or stored.split("/")[3]


@cache
def _known_plurals() -> dict[str, str]:
    return {resource.kind: resource.plural for resource in registry.RESOURCES}


def is_powered(machine: dict[str, Any]) -> bool:
    return bool(machine.get("power", machine.get("powered", True)))
