"""A control plane of an API server and a scheduler; nodes are only objects: no kubelet, no controllers.

Real engine, API server and scheduler, in simulated time. `rebuilt()` is the same world, built anew from
its objects and cells, as after a worker's death.
"""

from typing import Any

import orjson

from cluster.apiserver import commits
from cluster.apiserver.server import Server
from cluster.engine.agenda import Agenda
from cluster.engine.cells import Cells
from cluster.engine.clock import SECOND, Clock
from cluster.engine.controller import Surroundings
from cluster.engine.dice import Dice
from cluster.engine.informer import Informers
from cluster.objects import Manifest, meta
from cluster.objects.users import ADMIN
from cluster.scheduler.configuration import DEFAULT, Configuration
from cluster.scheduler.scheduler import Scheduler
from tests.builders import EPOCH


class Sandbox:
    def __init__(
        self, cells: dict[str, Cells] | None = None, counters: tuple[int, int, int, int] = (0, 0, 0, 0)
    ) -> None:
        now, step, revision, sequence = counters
        self.cells = cells or {"agenda": Cells(), "verdicts": Cells()}
        self.clock, self.dice, self.informers = Clock(EPOCH, now, step), Dice(7), Informers()
        self.agenda = Agenda(self.clock, self.cells["agenda"], sequence)
        self.store = commits.new_store(revision)
        self.server = Server(self.store, self.informers, self.agenda, self.clock, self.dice, {})
        self.around = Surroundings(self.clock, self.dice, self.agenda, self.informers, self.server)
        self.agenda.actor = "test"

    def started(self, told: Configuration = DEFAULT) -> "Sandbox":
        self.scheduler = Scheduler(self.around, self.cells["verdicts"], told)
        self.scheduler.start()
        self.create({"kind": "Namespace", "apiVersion": "v1", "metadata": {"name": "default"}})
        self.create(
            {
                "kind": "ServiceAccount",
                "apiVersion": "v1",
                "metadata": {"name": "default", "namespace": "default"},
            }
        )
        return self

    def rebuilt(self) -> "Sandbox":
        """Another process: nothing survives but the objects and the cells, both as bytes."""
        cells = {name: Cells(orjson.loads(orjson.dumps(found.data))) for name, found in self.cells.items()}
        counters = (self.clock.now, self.clock.step, self.store.revision, self.agenda.sequence)
        other = Sandbox(cells, counters)
        for kind, objects in self.informers.snapshot().items():
            ranks = self.informers.kind(kind).ranks
            for key, obj in objects.items():
                resource = commits.resource_of(kind)
                place = resource.storage_key(meta.namespace(obj), meta.name(obj))
                other.store.head[place] = self.store.head[place]
                other.informers.load(kind, key, orjson.loads(orjson.dumps(obj)), ranks[key])
        other.scheduler = Scheduler(other.around, other.cells["verdicts"], self.scheduler.configuration)
        return other

    # --- acting ---------------------------------------------------------------------------------------------

    def create(self, obj: Manifest) -> Manifest:
        self._by_hand()
        return self.server.create(ADMIN, obj)

    def patch(self, kind: str, name: str, patch: Manifest, subresource: str = "") -> Manifest:
        self._by_hand()
        namespace = "default" if kind == "Pod" else ""
        return self.server.merge(ADMIN, kind, namespace, name, patch, subresource)

    def delete(self, kind: str, name: str) -> None:
        self._by_hand()
        namespace = "default" if kind == "Pod" else ""
        self.server.delete(ADMIN, kind, namespace, name, {"gracePeriodSeconds": 0})

    def _by_hand(self) -> None:
        self.agenda.causes, self.agenda.actor = ("i1",), "you"

    def add_node(self, name: str, labels: dict[str, str] | None = None, **more: Any) -> None:
        """`more`: cpu, memory, pods, taints, unschedulable."""
        resources = {
            "cpu": more.pop("cpu", "4"),
            "memory": more.pop("memory", "8Gi"),
            "pods": more.pop("pods", "110"),
        }
        metadata = {"name": name, "labels": {"kubernetes.io/hostname": name, **(labels or {})}}
        status = {"capacity": resources, "allocatable": resources}
        self.create({"kind": "Node", "apiVersion": "v1", "metadata": metadata, "spec": more, "status": status})
        self.patch("Node", name, {"spec": {"taints": more.get("taints")}})  # Nobody here makes it ready.

    def add_pod(self, name: str, cpu: str = "100m", **spec: Any) -> None:
        container = {"name": "app", "image": "nginx", "resources": {"requests": {"cpu": cpu}}}
        metadata = {"name": name, "namespace": "default"}
        body = {"containers": [container], **spec}
        self.create({"kind": "Pod", "apiVersion": "v1", "metadata": metadata, "spec": body})

    # --- time -----------------------------------------------------------------------------------------------

    def step(self) -> None:
        item = self.agenda.pop()
        self.clock.now = max(self.clock.now, item.due)
        self.clock.step += 1
        self.agenda.causes, self.agenda.actor = item.causes, item.component
        self.scheduler.step(item.key)

    def run_for(self, seconds: float) -> "Sandbox":
        until = self.clock.now + int(seconds * SECOND)
        while (due := self.agenda.next_due()) is not None and due <= until:
            self.step()
        self.clock.now = until
        return self

    # --- looking --------------------------------------------------------------------------------------------

    def pod(self, name: str) -> Manifest:
        found = self.informers.get("Pod", "default", name)
        assert found is not None, f"there is no pod {name}"
        return found

    def node_of(self, name: str) -> str:
        return self.pod(name)["spec"].get("nodeName", "")

    def condition(self, name: str) -> Manifest:
        conditions = self.pod(name)["status"].get("conditions", [])
        return next((condition for condition in conditions if condition["type"] == "PodScheduled"), {})

    def events(self, name: str) -> list[tuple[str, str]]:
        """(reason, message) of the events about a pod, oldest first."""
        events = self.informers.list("Event")
        return [(event["reason"], event["message"]) for event in events if event["involvedObject"]["name"] == name]

    def verdict(self, name: str) -> Manifest:
        return self.cells["verdicts"][meta.uid(self.pod(name))]

    def queue_of(self, name: str) -> str:
        """In which queue the pod waits; empty if in none."""
        entry = self.scheduler.pods.entries.get(f"default/{name}")
        return entry["queue"] if entry else ""

    def dump(self) -> bytes:
        """All state: cells, counters, objects."""
        cells = {name: found.data for name, found in self.cells.items()}
        counters = [self.clock.now, self.clock.step, self.store.revision, self.agenda.sequence]
        body = {"cells": cells, "counters": counters, "objects": self.informers.snapshot()}
        return orjson.dumps(body, option=orjson.OPT_SORT_KEYS)


def a_sandbox(*nodes: str) -> Sandbox:
    """An API server, a scheduler and nodes of 4 CPUs and 8Gi."""
    sandbox = Sandbox().started()
    for name in nodes:
        sandbox.add_node(name)
    return sandbox
