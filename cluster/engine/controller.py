"""Components, and the loop that every controller is: a change wakes a key, a reconcile closes the gap.

A component never keeps what it could not rebuild: in-memory fields are derived from informers and cells. Whatever it
must remember across steps and cannot read from the API goes into `self.memory`, which is saved with every turn.

Mirrors:  the worker loop of every kubernetes/pkg/controller/*/ (processNextWorkItem)
Read next: agenda.py for the queues; controllers/replicaset.py for a controller.
"""

from dataclasses import dataclass, field

from cluster.engine.agenda import Agenda
from cluster.engine.cells import Section
from cluster.engine.client import ApiServer, Client
from cluster.engine.clock import Clock
from cluster.engine.dice import Dice
from cluster.engine.informer import Informers
from cluster.engine.provider import Provider
from cluster.engine.recorder import Recorder
from cluster.objects import Manifest, meta
from cluster.objects.errors import ApiError

ROLES = ("scheduler", "controllers", "cloud", "kubelets", "proxies", "addons")


@dataclass
class Surroundings:
    """What the world hands to every component. `options`: the cluster's own settings, plain data."""

    clock: Clock
    dice: Dice
    agenda: Agenda
    informers: Informers
    server: ApiServer
    options: dict[str, object] = field(default_factory=dict)
    cloud: Provider | None = None  # The machines' owner, if it has an API.


class Component:
    """A process of the cluster: it has a name, a queue, an API client, and takes one item a step.

    Subclasses set `name`, `role`, `user`, `reaction` (microseconds between a change and the reaction to it), subscribe
    in `watch()`, begin periodic work and first looks in `start()`, and act in `process(key)`.
    """

    name = ""
    role = "controllers"
    user = "system:kube-controller-manager"
    source = ""  # Name in events; the component's name if empty.
    reaction = 20_000

    def __init__(self, around: Surroundings, name: str = "", user: str = "") -> None:
        self.name = name or self.name
        self.user = user or self.user
        self.clock, self.dice, self.informers, self.options = (
            around.clock,
            around.dice,
            around.informers,
            around.options,
        )
        self.agenda = around.agenda
        self.queue = around.agenda.queue(self.name, self.reaction)
        self.client = Client(around.server, around.agenda, self.user)
        self.recorder = Recorder(self.client, around.clock, around.informers, self.source or self.name)
        self.memory: Section = Section(around.agenda.cells, f"{self.name}|m|")
        self.watch()

    def watch(self) -> None:
        """Subscribe to informers. Called whenever the component object is built, also in a rebuilt world."""

    def start(self) -> None:
        """The process starts: list, enqueue what is there, set periodic timers. Not called in a rebuilt world."""

    def stop(self) -> None:
        """The process dies: its queues, timers and memory are gone."""
        self.agenda.forget_component(self.name)

    def process(self, key: str) -> None:
        """Take one item. An ApiError puts the key back with back-off."""
        raise NotImplementedError

    def step(self, key: str) -> None:
        """`process`, with the back-off around it that every Kubernetes work queue has."""
        try:
            self.process(key)
        except ApiError as error:
            self.failed(key, error)
        else:
            if self.queue.attempts(key):
                self.queue.forget(key)

    def failed(self, key: str, error: ApiError) -> None:
        """A write was refused. Conflicts and everything else alike are tried again later."""
        self.queue.add_rate_limited(key)


class Controller(Component):
    """A component that keeps one kind as its specs ask. `owns`: kinds whose changes wake up their owner."""

    kind = ""
    owns: tuple[str, ...] = ()

    def watch(self) -> None:
        self.informers.subscribe(self.kind, self._changed, self.name)
        for kind in self.owns:
            self.informers.add_index(kind, "controller", _controller_uid)
            self.informers.subscribe(kind, self._owned_changed, self.name)

    def start(self) -> None:
        for obj in self.informers.list(self.kind):
            self.queue.add(meta.key(obj))

    def _changed(self, old: Manifest | None, new: Manifest | None) -> None:
        self.queue.add(meta.key(new or old or {}))

    def _owned_changed(self, old: Manifest | None, new: Manifest | None) -> None:
        reference = meta.controller_of(new or old or {})
        if reference and reference["kind"] == self.kind:
            self.enqueue_owner(reference["name"], meta.namespace(new or old or {}))
        before = meta.controller_of(old) if old and new else None
        if before and before["kind"] == self.kind and before != reference:
            self.enqueue_owner(before["name"], meta.namespace(old or {}))

    def enqueue_owner(self, name: str, namespace: str) -> None:
        self.queue.add(f"{namespace}/{name}" if namespace else name)

    def owned(self, kind: str, owner: Manifest) -> list[Manifest]:
        """Objects of `kind` whose controller is `owner`, oldest first."""
        return self.informers.by_index(kind, "controller", meta.uid(owner))

    def process(self, key: str) -> None:
        obj = self.informers.by_key(self.kind, key)
        if obj is not None:
            self.reconcile(obj)
        else:
            self.gone(key)

    def reconcile(self, obj: Manifest) -> None:
        """Make what is there match what `obj` asks for."""
        raise NotImplementedError

    def gone(self, key: str) -> None:
        """`key` no longer exists; usually nothing is left to do."""


def _controller_uid(obj: Manifest) -> list[str]:
    reference = meta.controller_of(obj)
    return [reference["uid"]] if reference else []
