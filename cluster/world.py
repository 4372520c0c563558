"""The world of one cluster: builds and connects every room, takes steps, executes inputs, commits turns.

    World.create(...)   a new cluster            World.load(row, epoch)   the same cluster, from its rows
    run(until)          steps due by then        execute(id, request)     one input from outside
    commit()            one turn, one transaction

Nothing in here looks at the wall clock to decide anything: `run` is told how far simulated time may go, and where a
turn ends never changes what happens. What a future step can read is in the store, in the cells or in three counters;
`dump()` is all of it, and a world rebuilt from a dump has the same dump and the same future.

Read next: engine/agenda.py for the order of steps, physical.py for what happens to machines.
"""

import zlib
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import orjson

from cluster import ENGINE_VERSION, backends, clouds, physical, processes, quorum
from cluster.addons.installer import Installer
from cluster.addons.monitoring import metrics_server
from cluster.addons.traffic.operator import OBJECTS, Operator
from cluster.addons.traffic.operator import PROGRAM as OPERATOR
from cluster.apiserver import commits, requests, size
from cluster.apiserver.aggregation import RemoteAvailability
from cluster.apiserver.bootstrap import APIServices, Bootstrap, FlowControl, IdentityLease
from cluster.apiserver.definitions import Definitions
from cluster.apiserver.expiry import EventExpiry
from cluster.apiserver.quorum import Etcd
from cluster.apiserver.requests import Response
from cluster.apiserver.server import Server
from cluster.cloud import CONTROLLERS as CLOUD_CONTROLLERS
from cluster.cloud import CSI_CONTROLLERS
from cluster.cloud.provider import Cloud
from cluster.controllers import CONTROLLERS
from cluster.engine.agenda import TAKEN, Agenda, counted_by
from cluster.engine.cells import Cells
from cluster.engine.clock import MINUTE, Clock, monotonic
from cluster.engine.controller import Component, Surroundings
from cluster.engine.dice import Dice
from cluster.engine.election import Elector
from cluster.engine.informer import Informers
from cluster.flows import figures
from cluster.flows.traffic import Traffic
from cluster.kubeproxy import rules
from cluster.logstore import departures
from cluster.network import ENDPOINT_CHANGES, LAST_CHANGE, RULES, SERVICE_CHANGES, Network, address_index
from cluster.objects import Manifest, errors, pods, users
from cluster.scheduler.scheduler import Scheduler

CHECKPOINT_STEPS = 5_000
CHECKPOINT_TIME = 5 * MINUTE
LOOK_EVERY = 8  # Steps between looks at the wall budget and at the inbox.
TABLES = (
    "agenda", "machines", "containers", "verdicts", "sessions", "disks", "processes", "members", "cloud", "calls",
)  # fmt: skip


class World:
    """One cluster's single writer. `row`: the counters of its Cluster row; `identity`: its id, None in memory."""

    def __init__(
        self, row: dict[str, Any], cells: dict[str, Cells], identity: int | None = None, epoch: int = 0
    ) -> None:
        self.row, self.cells, self.identity, self.owner_epoch = row, cells, identity, epoch
        self.options: dict[str, Any] = row["options"]
        self.clock = Clock(row["epoch"], row["sim_now"], row["step"])
        self.dice = Dice(row["seed"])
        self.agenda = Agenda(self.clock, cells["agenda"], row["sequence"])
        self.informers = Informers()
        self.store = commits.new_store(row["revision"])
        self.server = Server(self.store, self.informers, self.agenda, self.clock, self.dice, self.options)
        self.site = Site(self)
        self.network = Network(self, self.site)
        self.server.aggregated[metrics_server.GROUP] = partial(backends.metrics, self.site)
        self.server.dial = partial(backends.dial, self.site)
        self.cloud = Cloud(cells["cloud"], self.clock, self.dice)
        room = (self.clock, self.dice, self.agenda, self.informers, self.server, self.options, self.cloud)
        self.around = Surroundings(*room)
        self.components: dict[str, Component] = {}
        self.events: list[commits.EventRow] = []  # Physical events of the turn.
        self.executed: list[commits.InputRow] = []  # Inputs of the turn.
        self.history: list[commits.Write] = []  # Committed writes of a world without a database.
        self.inputs: list[commits.InputRow] = []  # Likewise its inputs.
        self.happenings: list[commits.EventRow] = []  # Likewise its physical events.
        self.last_checkpoint = (row.get("last_checkpoint_step", 0), row.get("last_checkpoint_time", 0))
        scheduler = {Scheduler.name: self._scheduler}
        controllers = {make.name: partial(make, self.around) for make in CONTROLLERS}
        self._makers: dict[str, dict[str, Callable[[], Component]]] = {  # By process and name, in order.
            "kube-scheduler": scheduler,  # type: ignore[dict-item]
            "kube-controller-manager": controllers,  # type: ignore[dict-item]
            clouds.MANAGER: {make.name: partial(make, self.around) for make in CLOUD_CONTROLLERS},
            clouds.DRIVER: {make.name: partial(make, self.around) for make in CSI_CONTROLLERS},
        }
        self.switches: dict[str, Any] = {}  # What time controls changed this turn: `paused`, `speed`, `asleep`.
        self.checkpoints: list[tuple[int, int, int, bytes]] = []
        self.compact_to = 0  # Revision up to which history is being forgotten, a portion a turn.
        self.steps_by_component: dict[str, int] = {}
        self._counting = {name: counted_by(name) for makers in self._makers.values() for name in makers}

    # --- building -----------------------------------------------------------------------------------------------

    @classmethod
    def create(
        cls,
        seed: int,
        epoch: int,
        options: dict[str, Any],
        identity: int | None = None,
        owner_epoch: int = 0,
        revision: int = 0,
    ) -> "World":
        """A new cluster with the machines that `options["nodes"]` asks for; boots when it first runs.

        `epoch`: microseconds since 1970 at t = 0. `revision`: the last one of an earlier life under the same name.
        """
        row = {"seed": seed, "epoch": epoch, "options": options, "revision": revision}
        row |= {"step": 0, "sequence": 0, "inputs": 0, "sim_now": 0, "events": 0, "first_revision": revision}
        world = cls(row, {table: Cells() for table in TABLES}, identity, owner_epoch)
        clouds.begin(world)
        processes.found(world, options)
        world._connect()
        quorum.found(world)
        for component in list(world.components.values()):
            world._start(component)
        for spec in physical.initial_machines(options):
            physical.add_machine(world, spec, ("boot",))
        return world

    @classmethod
    def load(cls, row: dict[str, Any], identity: int, owner_epoch: int) -> "World":
        """The world that the committed rows of cluster `identity` describe. `row`: see `commits.row_of`."""
        cells = {table: Cells(commits.load_cells(identity, table)) for table in TABLES}
        world = cls(row, cells, identity, owner_epoch)
        world._fill(commits.load_objects(identity))
        if not cells["processes"]:  # A cluster from before there were any.
            processes.found(world, world.options)
        world._connect()
        if not cells["members"]:
            quorum.found(world)
        return world

    @classmethod
    def restore(
        cls, dump: bytes, objects: list[tuple[str, bytes, int, int, int]], identity: int | None = None, epoch: int = 0
    ) -> "World":
        """A world from a checkpoint's bytes and the objects at its revision: same state, same future."""
        body = orjson.loads(dump)
        cells = {table: Cells(body["cells"].get(table, {})) for table in TABLES}
        world = cls(body["row"], cells, identity, epoch)
        world._fill(objects)
        world._connect()
        return world

    def fork(self) -> "World":
        """A copy in memory that may run ahead; this world does not notice."""
        return World.restore(self.checkpoint_body(), self.objects())

    def _fill(self, objects: Any) -> None:
        for key, value, revision, created, version in objects:
            obj = orjson.loads(value)
            self.store.head[key] = commits.Head(revision, created, version)
            metadata = obj["metadata"]
            namespace, name = metadata.get("namespace", ""), metadata["name"]
            cache = commits.cache_of(key, obj)
            self.informers.load(cache, f"{namespace}/{name}" if namespace else name, obj, created)

    def _connect(self) -> None:
        """Build every component that is alive. Order matters: it is the order in which handlers hear of a change."""
        self.etcd = Etcd(self.around, self.cells["members"], self.store, self._tell)
        self.server.storage.may_write = lambda: self.etcd.writable
        self._add(self.etcd)
        self._add(Bootstrap(self.around, self.server))
        self._add(EventExpiry(self.around))
        self._add(IdentityLease(self.around))
        self._add(FlowControl(self.around))
        self._add(Definitions(self.around))
        self._add(APIServices(self.around))
        self._add(RemoteAvailability(self.around, self.server))
        self._add(Installer(self.around))
        self.traffic = Traffic(self.around, self)
        self._add(self.traffic)
        self.load_operator = Operator(self.around, partial(self._runs, OPERATOR), self._figures)
        self._add(self.load_operator)
        self.traffic.on_change = self.load_operator.figures_changed
        for process, makers in self._makers.items():
            for name in makers:
                self.informers.ranks[name] = len(self.informers.ranks)
            if processes.leader_of(self, process):
                for make in makers.values():
                    self._add(make())
        for name, row in processes.replica_rows(self):
            if row["on"]:
                self._add(self._elector(name))
        for name in self.cells["machines"]:
            if self.cells["machines"][name]["power"]:
                self._add(physical.kubelet_of(self, name))

    def program_changed(self, program: str) -> None:
        """A container in which `program` is has started or ended."""
        self.traffic.program_changed(program)
        self.load_operator.program_changed(program)

    def _runs(self, program: str) -> bool:
        """Does it run on any machine that has power?"""
        machines = self.cells["machines"].data
        return any(
            record["started"] is not None and record["ended"] is None and machines.get(record["node"], {}).get("power")
            for record in self.cells["containers"].data.values()
            if record.get("program") == program
        )

    def _figures(self, namespace: str, name: str) -> dict[str, Any]:
        """What comes of a LoadGenerator's requests now."""
        wish = self.informers.get(OBJECTS, namespace, name)
        url = wish["spec"]["target"] if wish is not None else ""
        return figures.of(self.traffic.senders_for(namespace, name), self.clock.now, url)

    def _tell(self, kind: str, subject: str, body: Manifest) -> str:
        return self.happened(kind, subject, self.agenda.causes, body)

    # --- processes ----------------------------------------------------------------------------------------------

    @property
    def stoppable(self) -> list[str]:
        """Names of the components that can be stopped alone."""
        there = {row["process"] for _, row in processes.replica_rows(self)}
        return [name for process, makers in self._makers.items() if process in there for name in makers]

    def _scheduler(self) -> Scheduler:
        return Scheduler(self.around, self.cells["verdicts"], processes.scheduler_configuration(self))

    def _elector(self, name: str) -> Component:
        process = processes.PROCESSES[self.cells["processes"][name]["process"]]
        rows = self.cells["processes"]
        return Elector(self.around, process.name, name, process.role, process.source, rows, self.begin, self.end)

    def start_replica(self, name: str) -> None:
        self._start(self._add(self._elector(name)))

    def begin(self, process: str) -> None:
        """A replica of `process` leads now: its components start, each listing what there is."""
        actor = self.agenda.actor
        for make in self._makers[process].values():
            self._start(self._add(make()))
        self.agenda.actor = actor

    def end(self, process: str) -> None:
        """Nobody leads `process` any more."""
        for name in self._makers[process]:
            self._remove(name)

    def enlist(self, process: str) -> None:
        """The cluster has `process` from now on: one replica, which leads."""
        actor = self.agenda.actor
        self.start_replica(processes.enlist(self, process))
        self.begin(process)
        self.agenda.actor = actor

    def dismiss(self, process: str) -> None:
        """The cluster no longer has it."""
        self.end(process)
        for name in processes.dismiss(self, process):
            self._remove(name)
        for name in self._makers[process]:
            if name in self.agenda.held:
                self.agenda.release(name)

    def restart(self, name: str) -> None:
        """One component crashes and is there again. Errors: Conflict: its process has no leader."""
        if name not in self.components:
            raise errors.Conflict("", "components", name, f"{name} is not running: no replica of its process leads")
        make = next(makers[name] for makers in self._makers.values() if name in makers)
        self._remove(name)
        self._start(self._add(make()))

    def _add(self, component: Component) -> Component:
        self.components[component.name] = component
        return component

    def _start(self, component: Component) -> None:
        self.agenda.actor = component.name
        component.start()

    def _remove(self, name: str) -> None:
        """The component's process is gone: queues, timers and subscriptions with it."""
        component = self.components.pop(name, None)
        if component is not None:
            component.stop()
            self.informers.unsubscribe(name)

    # --- running ------------------------------------------------------------------------------------------------

    @property
    def now(self) -> int:
        return self.clock.now

    def next_due(self) -> int | None:
        return self.agenda.next_due()

    def next_pressing(self) -> int | None:
        """When something is due that is more than a heartbeat."""
        return self.agenda.next_pressing()

    def next_role(self) -> str | None:
        """The Celery role of the next step's component; None: nothing is planned."""
        name = self.agenda.next_component()
        component = self.components.get(name) if name else None
        return component.role if component else ("controllers" if name else None)

    def run(
        self,
        until: int | None,
        budget: float | None = None,
        should_stop: Callable[[], bool] | None = None,
        role: str | None = None,
        stop: str = "",
        step_limit: int | None = None,
    ) -> bool:
        """Take the steps due by `until` (None: no ceiling). True if that or `stop` was reached, False if cut short.

        `budget`: wall seconds; `should_stop`: looked at between steps; `role`: only while steps belong to that role;
        `stop`: "item" (one step), "tick" (all of one instant), "component" (until another component's turn),
        "notable" (until something worth seeing was written); `step_limit`: up to that step number, for replay.
        """
        agenda, clock = self.agenda, self.clock
        deadline = None if budget is None else monotonic() + budget
        notable, first_due, first_name, taken = self.server.storage.notable, None, None, 0
        while True:
            if step_limit is not None and clock.step >= step_limit:
                return True
            due = agenda.next_due()
            if due is None or (until is not None and due > until):
                break
            if stop and taken and self._stops(stop, due, notable, first_due, first_name):
                return True
            if self.checkpoint_due() or (role is not None and self.next_role() != role):
                return False
            if taken % LOOK_EVERY == 0 and taken:
                if deadline is not None and monotonic() > deadline:
                    return False
                if should_stop is not None and should_stop():
                    return False
            if taken == 0:
                first_due, first_name = due, agenda.next_component()
            self.step()
            taken += 1
        if until is not None and until > clock.now:
            clock.now = until
        return not stop or taken > 0

    def _stops(self, stop: str, due: int, notable: int, first_due: int | None, first_name: str | None) -> bool:
        if stop == "item":
            return True
        if stop == "tick":
            return due != first_due
        if stop == "component":
            return self.agenda.next_component() != first_name
        return self.server.storage.notable != notable and due != self.clock.now

    def step(self) -> str:
        """Take the next item off the agenda and let its component process it. Returns the component's name."""
        agenda, clock = self.agenda, self.clock
        item = agenda.pop()
        if item.due > clock.now:
            clock.now = item.due
        clock.step += 1
        component = self.components.get(item.component)
        if component is None:
            return item.component
        agenda.causes, agenda.actor = item.causes, item.component
        if item.component in self._counting:
            agenda.count(self._counting[item.component], TAKEN)
        component.step(item.key)
        self.steps_by_component[item.component] = self.steps_by_component.get(item.component, 0) + 1
        return item.component

    def settle(self, limit: int = 1_000, horizon: int = MINUTE) -> int:
        """Run until nothing notable has been written for `horizon` of simulated time; for tests and lessons.

        Errors: RuntimeError after `limit` times `LOOK_EVERY` notable steps, naming the component still busy.
        """
        quiet_since, busy, last = self.clock.now, 0, ""
        while self.clock.now - quiet_since < horizon:
            before = self.server.storage.notable
            due = self.agenda.next_due()
            if due is None:
                break
            last = self.step()
            if self.server.storage.notable != before:
                quiet_since, busy = self.clock.now, busy + 1
                if busy > limit * LOOK_EVERY:
                    raise RuntimeError(f"the world does not settle: {last} is still busy after {busy} writes")
        self.commit()
        return busy

    # --- inputs -------------------------------------------------------------------------------------------------

    def execute(self, identity: str, request: dict[str, Any]) -> Response:
        """One input at this moment. Bad input becomes an error answer; nothing is raised."""
        self.row["inputs"] += 1
        ordinal = self.row["inputs"]
        self.agenda.causes = (f"i{ordinal}",)
        self.agenda.actor = _actor_of(request)
        try:
            response = self._dispatch(request)
        except errors.ApiError as error:
            response = Response.error(error)
        if response.status == requests.CONTINUE:  # Nothing happened yet, so there is nothing to record.
            self.row["inputs"] -= 1
            asked = {**orjson.loads(response.body), "seed": identity}
            return Response(requests.CONTINUE, body=orjson.dumps(asked))
        self.executed.append(
            commits.InputRow(
                identity,
                ordinal,
                self.clock.step,
                self.clock.now,
                orjson.dumps(request),
                response.status,
                _recorded(response),
                self.store.revision,
            )
        )
        return response

    def _dispatch(self, request: dict[str, Any]) -> Response:
        kind = request.get("type")
        if kind == "api":
            return requests.handle(self.server, request)
        action = physical.INPUTS.get(str(kind))
        if action is None:
            raise errors.BadRequest(f"unknown input type {kind!r}; known: api, {', '.join(sorted(physical.INPUTS))}")
        answer = action(self, request)
        if kind in physical.HARDWARE:
            self.traffic.machines_changed()
        return Response.json(200, answer)

    def happened(self, kind: str, subject: str, causes: tuple[str, ...], body: Manifest) -> str:
        """Record a physical event; returns its cause string."""
        self.row["events"] += 1
        ordinal = self.row["events"]
        text = orjson.dumps(body).decode()
        row = (ordinal, kind, subject, orjson.dumps(causes).decode(), text, self.clock.step, self.clock.now)
        self.events.append(commits.EventRow(*row))
        return f"p{ordinal}"

    # --- saving -------------------------------------------------------------------------------------------------

    def checkpoint_due(self) -> bool:
        step, sim_time = self.last_checkpoint
        return self.clock.step - step >= CHECKPOINT_STEPS or self.clock.now - sim_time >= CHECKPOINT_TIME

    def counters(self) -> dict[str, Any]:
        """The fields of the Cluster row that a turn changes."""
        noted = self.agenda.next_noted()
        return {
            "revision": self.store.revision,
            "step": self.clock.step,
            "sequence": self.agenda.sequence,
            "inputs": self.row["inputs"],
            "events": self.row["events"],
            "sim_now": self.clock.now,
            "next_due": self.agenda.next_due(),
            "next_event": {"due": noted[0], "text": noted[1]} if noted else None,
        }

    def commit(self) -> None:
        """End the turn: everything it changed in one transaction, or nothing.

        Errors: Fenced if another owner has the cluster now; django.db.OperationalError if the database can't write.
        After an error this world must be discarded: what it thinks was never true.
        """
        self.agenda.keep_counts()
        writes = self.store.take_pending()
        departed = departures.found(
            self.site, self.cells["containers"], lambda node: self.informers.by_index("Pod", "node", node)
        )
        changes = {table: cells.take_changes() for table, cells in self.cells.items()}
        checkpoint = None
        if self.checkpoint_due():
            self.last_checkpoint = (self.clock.step, self.clock.now)
            checkpoint = (self.clock.step, self.clock.now, self.store.revision, self.checkpoint_body())
        if self.identity is None:
            self.history += writes
            self.inputs += self.executed
            self.happenings += self.events
            if checkpoint:
                self.checkpoints.append(checkpoint)
        else:
            row = {**self.counters(), **self.switches, "last_checkpoint_step": self.last_checkpoint[0]}
            row["last_checkpoint_time"] = self.last_checkpoint[1]
            if checkpoint:
                self.compact_to = commits.compaction_target(self.identity, self.clock.now, self.store.revision)
            batch = commits.Batch(writes, changes, self.executed, self.events, checkpoint, row)
            batch.departed, batch.compact = departed, self.compact_to
            if not commits.commit(self.identity, self.owner_epoch, batch):
                self.compact_to = 0
        self.executed, self.events, self.switches = [], [], {}

    def checkpoint_body(self) -> bytes:
        """All state but the objects, as JSON: with the objects at its revision, the whole world."""
        self.agenda.keep_counts()
        row = {**self.row, **self.counters()}
        row |= {"last_checkpoint_step": self.last_checkpoint[0], "last_checkpoint_time": self.last_checkpoint[1]}
        del row["next_due"], row["next_event"]
        cells = {table: cells.data for table, cells in self.cells.items()}
        return orjson.dumps({"row": row, "cells": cells})

    def objects(self) -> list[tuple[str, bytes, int, int, int]]:
        """(key, value, revision, created, version) of every living key, in order of creation."""
        found = []
        for cache, objects in self.informers.snapshot().items():
            for obj in objects.values():
                metadata = obj["metadata"]
                key = commits.key_of(cache, metadata.get("namespace", ""), metadata["name"])
                head = self.store.head[key]
                found.append((key, orjson.dumps(obj), *head))
        return sorted(found, key=lambda row: row[3])

    def dump(self) -> bytes:
        """All state, canonically: two worlds with equal dumps have equal futures."""
        objects = {key: [value.decode(), *rest] for key, value, *rest in self.objects()}
        body = orjson.loads(self.checkpoint_body())
        return orjson.dumps({**body, "objects": objects}, option=orjson.OPT_SORT_KEYS)

    def revisions(self) -> list[commits.Write]:
        """The whole log so far, oldest first."""
        if self.identity is None:
            return self.history + self.store.pending
        return commits.revisions(self.identity, 0)

    def export(self) -> dict[str, Any]:
        """Seed, engine version and inputs: all it takes to live this cluster's life again."""
        inputs = self.inputs + self.executed if self.identity is None else commits.inputs(self.identity)
        return commits.export(self.row, self.clock.step, self.clock.now, inputs)


class Site:
    """The world as `backends` and `network` ask for it."""

    def __init__(self, world: World) -> None:
        self._cells, self._clock, self.options = world.cells, world.clock, world.options
        self._informers, self.get, self.list = world.informers, world.informers.get, world.informers.list
        self._table: rules.Table | None = None
        self._agenda, self._world = world.agenda, world
        world.informers.subscribe("Service", partial(self._forget_table, SERVICE_CHANGES))
        world.informers.subscribe("EndpointSlice", partial(self._forget_table, ENDPOINT_CHANGES))
        world.informers.add_index("Pod", "address", address_index)
        world.informers.add_index("Pod", "node", pods.by_node)

    @property
    def epoch(self) -> int:
        return self._clock.epoch

    @property
    def now(self) -> int:
        return self._clock.now

    def machine(self, node: str) -> dict[str, Any] | None:
        return self._cells["machines"].get(node)

    def machines(self) -> Iterable[tuple[str, dict[str, Any]]]:
        return self._cells["machines"].data.items()

    def records(self, uid: str) -> "Records":
        cells = self._cells["containers"]
        return [cells[key] for key in (cells.get(uid) or {}).get("containers", ())]

    def all_records(self) -> "Records":
        return [record for record in self._cells["containers"].data.values() if "program" in record]

    def pod_at(self, address: str) -> Manifest | None:
        return next(iter(self._informers.by_index("Pod", "address", address)), None)

    def table(self) -> rules.Table:
        if self._table is None:
            self._table = rules.compiled(self.list("Service"), self.list("EndpointSlice"))
        return self._table

    def _forget_table(self, what: str, old: Manifest | None, new: Manifest | None) -> None:
        self._table = None
        self._agenda.count(RULES, what)
        self._agenda.note(RULES, LAST_CHANGE, self._clock.now)

    # --- what /metrics of the control plane is made of ----------------------------------------------------------

    @property
    def revision(self) -> int:
        return self._world.store.revision

    def agenda(self) -> dict[str, Any]:
        return self._agenda.cells.data

    def control_plane(self) -> tuple[dict[str, Any], dict[str, Any]]:
        return self._cells["processes"].data, self._cells["members"].data

    def stored(self) -> Iterable[tuple[str, str, int]]:
        sizes = self._informers.sizes()
        for resource in self._world.server.kinds.stored_resources:
            yield resource.group, resource.plural, sizes.get(resource.cache or resource.kind, 0)

    def history(self) -> size.History:
        identity = self._world.identity
        return size.History() if identity is None else size.history(identity)


Records = list[dict[str, Any]]


def replay(
    export: dict[str, Any], slice_steps: int = 1_000, identity: int | None = None, owner_epoch: int = 0
) -> World:
    """Live an exported life again: the same inputs at the same steps and times. `slice_steps`: steps a turn.

    Errors: ValueError if the export was made by another engine version.
    """
    if export.get("engine") != ENGINE_VERSION:
        raise ValueError(
            f"this export was made by engine version {export.get('engine')!r}, this is version {ENGINE_VERSION!r}:"
            " its steps may differ, so a replay would prove nothing"
        )
    first = export.get("first_revision", 0)
    world = World.create(export["seed"], export["epoch"], export["options"], identity, owner_epoch, first)
    for row in export["inputs"]:
        _catch_up(world, row["step"], row["simTime"], slice_steps)
        world.execute(row["id"], row["request"])
    _catch_up(world, export["step"], export["simTime"], slice_steps)
    world.commit()
    return world


def _catch_up(world: World, step: int, sim_time: int, slice_steps: int) -> None:
    while world.clock.step < step:
        world.run(None, step_limit=min(step, world.clock.step + slice_steps))
        world.commit()
    world.clock.now = max(world.clock.now, sim_time)


def _recorded(response: Response) -> bytes:
    """The answer as the input's row keeps it, with what each stage said of an API request."""
    row: dict[str, Any] = {"headers": response.headers, "body": response.body.decode()}
    return orjson.dumps(row | {"stages": response.stages} if response.stages else row)


def _actor_of(request: dict[str, Any]) -> str:
    """Who is acting: the user's name for API requests and streams, `you` for clicks."""
    if request.get("type") != "api" and "user" not in request:
        return "you"
    return users.from_plain(request.get("user")).name


def decompress(body: bytes) -> bytes:
    """A checkpoint row's bytes as `restore` wants them."""
    return zlib.decompress(body)
