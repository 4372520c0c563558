"""Endpoints controller: the older form of endpoint slices, one object per Service, at most 1,000 addresses.

Mirrors:  kubernetes/pkg/controller/endpoint/endpoints_controller.go (syncService), pkg/api/v1/endpoints (RepackSubsets)
"""

from bisect import bisect_left, insort
from dataclasses import dataclass, field

from cluster.controllers.service_pods import ServicePods, hostname, port_numbers, selects
from cluster.engine.controller import Controller
from cluster.objects import Manifest, meta, pods
from cluster.objects.errors import NotFound

TRIGGER = "endpoints.kubernetes.io/last-change-trigger-time"
MANAGED_BY = "endpoints.kubernetes.io/managed-by"
OVER_CAPACITY = "endpoints.kubernetes.io/over-capacity"
HEADLESS = "service.kubernetes.io/headless"
CAPACITY = 1_000

Address = tuple[str, str]  # (IP, pod uid): the order of addresses.


@dataclass
class Subset:
    """Addresses that share their ports, in order."""

    ports: list[Manifest]
    ready: list[Address] = field(default_factory=list)
    waiting: list[Address] = field(default_factory=list)


class Book:
    """What is known of one Service's pods: derived, and begun anew whenever it may be wrong."""

    def __init__(self) -> None:
        self.subsets: dict[str, Subset] = {}  # By their ports as text.
        self.entries: dict[str, Manifest] = {}  # Pod uid → its address entry.
        self._places: dict[str, tuple[str, bool]] = {}  # Pod uid → (subset, is it ready?).

    def enter(self, uid: str, entry: Manifest, ports: list[Manifest], ready: bool) -> None:
        group = repr(ports)
        subset = self.subsets.setdefault(group, Subset(ports))
        insort(subset.ready if ready else subset.waiting, (entry["ip"], uid))
        self.entries[uid], self._places[uid] = entry, (group, ready)

    def strike(self, uid: str) -> None:
        if uid not in self._places:
            return
        group, ready = self._places.pop(uid)
        subset, address = self.subsets[group], (self.entries.pop(uid)["ip"], uid)
        addresses = subset.ready if ready else subset.waiting
        del addresses[bisect_left(addresses, address)]
        if not subset.ready and not subset.waiting:
            del self.subsets[group]

    def written(self) -> tuple[list[Manifest], bool]:
        """(subsets as the object has them, is something left out?). Over capacity each subset gives up its share."""
        found = [subset for _, subset in sorted(self.subsets.items())]
        ready, waiting = sum(len(s.ready) for s in found), sum(len(s.waiting) for s in found)
        if ready > CAPACITY:
            cuts = [(part, 0) for part in _shares([len(s.ready) for s in found], CAPACITY)]
        elif ready + waiting > CAPACITY:
            parts = _shares([len(s.waiting) for s in found], CAPACITY - ready)
            cuts = [(len(s.ready), part) for s, part in zip(found, parts, strict=True)]
        else:
            cuts = [(len(s.ready), len(s.waiting)) for s in found]
        subsets = [self._subset(s, *cut) for s, cut in zip(found, cuts, strict=True)]
        return subsets, ready + waiting > CAPACITY

    def _subset(self, subset: Subset, ready: int, waiting: int) -> Manifest:
        written = {
            "addresses": [self.entries[uid] for _, uid in subset.ready[:ready]],
            "notReadyAddresses": [self.entries[uid] for _, uid in subset.waiting[:waiting]],
            "ports": subset.ports,
        }
        return {name: value for name, value in written.items() if value}


def _shares(sizes: list[int], room: int) -> list[int]:
    """`room` places for lists of these sizes, in proportion, rounded up as long as there are places."""
    total, left, found = sum(sizes), room, []
    for size in sizes:
        part = min(-(-size * room // total), left)
        left -= part
        found.append(part)
    return found


class EndpointsController(Controller):
    name = "endpoint-controller"
    kind = "Service"
    reaction = 32_000

    def watch(self) -> None:
        self.pods = ServicePods(self.informers, self.queue, self.memory, self.name)
        self.books: dict[str, Book] = {}
        super().watch()

    def gone(self, key: str) -> None:
        """The Service is gone; so are its Endpoints."""
        self.books.pop(key, None)
        namespace, name = meta.split_key(key)
        found = self.informers.get("Endpoints", namespace, name)
        if found is not None and meta.labels(found).get(MANAGED_BY) == "endpoint-controller":
            try:
                self.client.delete("Endpoints", namespace, name)
            except NotFound:
                return

    def reconcile(self, service: Manifest) -> None:
        """Ready addresses, not-ready addresses, and the ports they share."""
        if not selects(service):
            return
        changes = self.pods.changes(service)
        if changes is None:
            self.books[meta.key(service)] = Book()
            changes = dict(self.pods.behind(service))
        book = self.books[meta.key(service)]
        for uid, pod in changes.items():
            book.strike(uid)
            if pod is not None:
                self._enter(book, service, pod)
        self._write(service, *book.written())
        self.pods.seen(service)

    def _enter(self, book: Book, service: Manifest, pod: Manifest) -> None:
        publish = bool(service["spec"].get("publishNotReadyAddresses"))
        address = (pod.get("status") or {}).get("podIP")
        if not address or pods.is_terminal(pod) or (meta.is_deleting(pod) and not publish):
            return
        ports = [{k: v for k, v in port.items() if v != ""} for port in port_numbers(service, pod)]
        target = {"kind": "Pod", "namespace": meta.namespace(pod), "name": meta.name(pod), "uid": meta.uid(pod)}
        name = hostname(service, pod)
        entry = {"ip": address, **({"hostname": name} if name else {})}
        entry |= {"nodeName": pod["spec"].get("nodeName", ""), "targetRef": target}
        book.enter(meta.uid(pod), entry, ports, publish or pods.is_ready(pod))

    def _write(self, service: Manifest, subsets: list[Manifest], truncated: bool) -> None:
        namespace, name = meta.namespace(service), meta.name(service)
        labels = {**meta.labels(service), MANAGED_BY: "endpoint-controller"}
        if service["spec"].get("clusterIP") == "None":
            labels[HEADLESS] = ""
        existing = self.informers.get("Endpoints", namespace, name)
        if existing is not None and existing.get("subsets", []) == subsets and meta.labels(existing) == labels:
            return
        annotations = {k: v for k, v in meta.annotations(existing or {}).items() if k not in (TRIGGER, OVER_CAPACITY)}
        if trigger := self.pods.trigger_time(service):
            annotations[TRIGGER] = trigger
        if truncated:
            annotations[OVER_CAPACITY] = "truncated"
        if existing is None:
            metadata = {"name": name, "namespace": namespace, "labels": labels, "annotations": annotations}
            new = {"kind": "Endpoints", "apiVersion": "v1", "metadata": metadata}
            self.client.create({**new, "subsets": subsets} if subsets else new)
            return
        metadata = {**existing["metadata"], "labels": labels, "annotations": annotations}
        rest = {k: v for k, v in existing.items() if k != "subsets"}
        self.client.update({**rest, "metadata": metadata, **({"subsets": subsets} if subsets else {})})
