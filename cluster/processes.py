"""The control plane's processes: which there are, how many of each, and what people do to them.

    kube-scheduler/1, kube-scheduler/2 …     replicas; one of them leads and its component runs (engine/election.py)
    replicaset-controller                    one controller: a part of the leading kube-controller-manager

`stop` and `start` of a replica kill its process and start it: everything that it had in mind is forgotten. `stop` of a
single controller holds it, as if its workers were frozen: it takes nothing, its queue fills, and `start` lets it work
that off. `restart` makes it forget its queue and list everything anew, as after a crash.

`scheduler-configure` gives kube-scheduler another file to start with, as an edited static pod's manifest does: every
running replica is started anew, and the Lease of the old leader has to run out first.

Mirrors:  the flags --controllers, --leader-elect and --config; static pods of the control plane
Read next: world.py, which builds what is said here.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from cluster.cloud import CONTROLLERS as CLOUD_CONTROLLERS
from cluster.cloud import CSI_CONTROLLERS
from cluster.controllers import CONTROLLERS
from cluster.engine.election import again
from cluster.objects import errors
from cluster.scheduler import configuration
from cluster.scheduler.scheduler import Scheduler

if TYPE_CHECKING:
    from cluster.world import World

HOST = "control-plane"
MOST_REPLICAS = 5
CONFIGURED = "configuration/kube-scheduler"  # A row that is no replica: {"text": what kube-scheduler was told}.


class Process:
    """`source`: who speaks in the events of its election; `role`: whose Celery turn its steps are."""

    def __init__(self, name: str, role: str, source: str) -> None:
        self.name, self.role, self.source = name, role, source


PROCESSES = {
    process.name: process
    for process in (
        Process("kube-scheduler", "scheduler", "default-scheduler"),
        Process("kube-controller-manager", "controllers", "kube-controller-manager"),
        Process("cloud-controller-manager", "cloud", "cloud-controller-manager"),
        Process("csi-disk-controller", "cloud", "csi-disk-controller"),
    )
}
COMPONENTS: dict[str, tuple[str, ...]] = {
    "kube-scheduler": (Scheduler.name,),
    "kube-controller-manager": tuple(make.name for make in CONTROLLERS),
    "cloud-controller-manager": tuple(make.name for make in CLOUD_CONTROLLERS),
    "csi-disk-controller": tuple(make.name for make in CSI_CONTROLLERS),
}
# Which option of a cluster it takes to have one from the start.
OPTIONAL = dict.fromkeys(("cloud-controller-manager", "csi-disk-controller"), "cloud")


def components(process: str) -> tuple[str, ...]:
    """What the leading replica of a process runs, by name, in their order."""
    return COMPONENTS[process]


def found(world: "World", options: dict[str, Any]) -> None:
    """The rows of a new cluster: the first replica of each leads from the start."""
    wanted = options.get("replicas") or {}
    for name in PROCESSES:
        if name in OPTIONAL and not options.get(OPTIONAL[name]):
            continue
        for number in range(1, min(max(int(wanted.get(name, 1)), 1), MOST_REPLICAS) + 1):
            _add(world, name, number, leads=number == 1)
    if text := options.get("schedulerConfiguration"):
        world.cells["processes"][CONFIGURED] = {"text": text}


def _add(world: "World", process: str, number: int, leads: bool) -> str:
    name = f"{process}/{number}"
    machine = HOST if number == 1 else f"{HOST}-{number}"
    row = {"process": process, "on": True, "leads": leads, "starts": 1}
    world.cells["processes"][name] = {**row, "id": f"{machine}_{world.dice.uuid(name, 1)}"}
    return name


def enlist(world: "World", process: str) -> str:
    """The first replica of an optional process: its name."""
    return _add(world, process, 1, leads=True)


def dismiss(world: "World", process: str) -> list[str]:
    """No replica of it any more: the names of those that there were."""
    names = replicas_of(world, process)
    for name in names:
        del world.cells["processes"][name]
    return names


def replicas_of(world: "World", process: str) -> list[str]:
    """Names of the replicas that there are, running or not."""
    return [name for name, row in replica_rows(world) if row["process"] == process]


def replica_rows(world: "World") -> list[tuple[str, dict[str, Any]]]:
    """All replicas of all processes, by name."""
    rows = world.cells["processes"]
    return [(name, rows[name]) for name in rows if name != CONFIGURED]


def leader_of(world: "World", process: str) -> str:
    """The replica that leads; empty: nobody does."""
    rows = world.cells["processes"]
    return next((name for name in replicas_of(world, process) if rows[name]["leads"]), "")


def scheduler_configuration(world: "World") -> configuration.Configuration:
    """What kube-scheduler is told when it starts."""
    return configuration.read(world.cells["processes"].get(CONFIGURED, {}).get("text", ""))


# --- inputs -----------------------------------------------------------------------------------------------------


def stop(world: "World", request: dict[str, Any]) -> dict[str, Any]:
    """Hold a controller, or kill a replica. Errors: NotFound, Conflict (it is stopped already)."""
    name = _name(world, request)
    if name not in world.cells["processes"]:
        if name in world.agenda.held:
            raise errors.Conflict("", "components", name, f"{name} is stopped already")
        world.happened("component-stop", name, world.agenda.causes, {"stopped": [name]})
        world.agenda.hold(name)
        return {"component": name, "running": False}
    row = world.cells["processes"][name]
    if not row["on"]:
        raise errors.Conflict("", "components", name, f"{name} is stopped already")
    cause = world.happened("process-stop", name, world.agenda.causes, {"stopped": [name]})
    world.agenda.causes = (cause, *world.agenda.causes)
    world.cells["processes"][name] = {**row, "on": False, "leads": False}
    if row["leads"]:
        world.end(row["process"])
    world._remove(name)
    return {"component": name, "running": False, "led": row["leads"]}


def start(world: "World", request: dict[str, Any]) -> dict[str, Any]:
    """Release a controller, or start a replica. Errors: NotFound, Conflict (it runs)."""
    name = _name(world, request)
    if name not in world.cells["processes"]:
        if name not in world.agenda.held:
            raise errors.Conflict("", "components", name, f"{name} is running")
        world.happened("component-start", name, world.agenda.causes, {"started": [name]})
        world.agenda.release(name)
        return {"component": name, "running": True}
    row = world.cells["processes"][name]
    if row["on"]:
        raise errors.Conflict("", "components", name, f"{name} is running")
    cause = world.happened("process-start", name, world.agenda.causes, {"started": [name]})
    world.agenda.causes = (cause, *world.agenda.causes)
    world.cells["processes"][name] = again(row, world.dice.uuid(name, row["starts"] + 1))
    world.start_replica(name)
    return {"component": name, "running": True}


def restart(world: "World", request: dict[str, Any]) -> dict[str, Any]:
    """Crash it and start it at once. Errors: NotFound, Conflict (nobody runs it now)."""
    name = _name(world, request)
    if name in world.cells["processes"]:
        if world.cells["processes"][name]["on"]:
            stop(world, request)
        return start(world, request)
    cause = world.happened("component-restart", name, world.agenda.causes, {"stopped": [name], "started": [name]})
    world.agenda.causes = (cause, *world.agenda.causes)
    if name in world.agenda.held:
        world.agenda.release(name)
    world.restart(name)
    return {"component": name, "running": True}


def replicas(world: "World", request: dict[str, Any]) -> dict[str, Any]:
    """So many replicas of a process. Errors: NotFound, BadRequest."""
    process, count = str(request.get("process", "")), request.get("count")
    if process not in PROCESSES:
        known = ", ".join(PROCESSES)
        raise errors.NotFound("", "processes", process, f'process "{process}" not found; there are: {known}')
    if not isinstance(count, int) or not 1 <= count <= MOST_REPLICAS:
        limits = f"it must be a whole number from 1 to {MOST_REPLICAS}"
        raise errors.BadRequest(f"replicas of {process}: {count!r}; {limits}")
    names = replicas_of(world, process)
    if not names:
        raise errors.NotFound("", "processes", process, f"this cluster has no {process}; switch its cloud on first")
    for name in names[count:]:
        if world.cells["processes"][name]["on"]:
            stop(world, {"component": name})
        del world.cells["processes"][name]
    for number in range(len(names) + 1, count + 1):
        name = _add(world, process, number, leads=False)
        cause = world.happened("process-start", name, world.agenda.causes, {"started": [name]})
        world.agenda.causes = (cause, *world.agenda.causes)
        world.start_replica(name)
    return {"process": process, "replicas": replicas_of(world, process)}


def configure(world: "World", request: dict[str, Any]) -> dict[str, Any]:
    """Another KubeSchedulerConfiguration, YAML; empty: none. Errors: BadRequest: nothing changes then."""
    text, process = request.get("configuration"), "kube-scheduler"
    if not isinstance(text, str):
        raise errors.BadRequest(f"configuration is {text!r}; it must be a text: a KubeSchedulerConfiguration")
    names = configuration.read(text).names
    if text.strip():
        world.cells["processes"][CONFIGURED] = {"text": text}
    else:
        world.cells["processes"].pop(CONFIGURED)
    cause = world.happened("scheduler-configure", process, world.agenda.causes, {"profiles": names})
    world.agenda.causes = (cause, *world.agenda.causes)
    running = [name for name, row in replica_rows(world) if row["process"] == process and row["on"]]
    for name in running:
        restart(world, {"component": name})
    return {"process": process, "profiles": names, "restarted": running}


def _name(world: "World", request: dict[str, Any]) -> str:
    """The component that is meant. A process without a number is its only replica. Errors: NotFound."""
    name = str(request.get("component", ""))
    if name in PROCESSES:
        names = replicas_of(world, name)
        if len(names) == 1:
            return names[0]
        if not names:
            raise errors.NotFound("", "components", name, f"this cluster has no {name}; switch its cloud on first")
        raise errors.BadRequest(f"{name} has several replicas; say which: {', '.join(names)}")
    replicas_there = [each for each, _ in replica_rows(world)]
    if name in replicas_there or name in world.stoppable:
        return name
    known = ", ".join((*replicas_there, *world.stoppable))
    raise errors.NotFound("", "components", name, f'component "{name}" not found; there are: {known}')


INPUTS: dict[str, Callable[["World", dict[str, Any]], dict[str, Any]]] = {
    "component-stop": stop,
    "component-start": start,
    "component-restart": restart,
    "replicas": replicas,
    "scheduler-configure": configure,
}
