"""What happens to machines: added, powered off and on, taken away. No API call: in real life nobody asks it either.

A power cut stops the kubelet (its queues and timers are gone) and ends every container; the cluster does not know yet.
That it finds out, when, and how, is the node lifecycle controller's business.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from cluster import clouds, network, processes, quorum, streams
from cluster.apiserver import scheme
from cluster.engine.clock import SECOND, monotonic
from cluster.engine.controller import Component
from cluster.kubelet import configuration, static_pods
from cluster.kubelet.kubelet import MANIFESTS, Kubelet
from cluster.kubelet.shutdown import GROUPS
from cluster.objects import errors, nodes, quantity, users
from cluster.objects.names import is_dns_subdomain, label_value_problems
from cluster.runtime import dialogue, runtimes
from cluster.runtime.cri import Runtime, power_cut
from cluster.runtime.sessions import Sessions, lost

if TYPE_CHECKING:
    from cluster.world import World

DEFAULT_MACHINE = {"cpu": "4", "memory": "8Gi", "pods": 110}


def initial_machines(options: dict[str, Any]) -> list[dict[str, Any]]:
    """The machines a new cluster has: `options["nodes"]` is a number, or a list of specs."""
    nodes = options.get("nodes", 3)
    if isinstance(nodes, list):
        return nodes
    return [{"name": f"worker-{number}"} for number in range(1, nodes + 1)]


def kubelet_of(world: "World", name: str) -> Component:
    """The kubelet process of machine `name`, with its runtime below it."""
    cells = world.cells
    runtime = Runtime(
        name, cells["machines"], cells["containers"], cells["calls"], world.clock, world.dice, world.options
    )
    runtime.on_program = partial(world.network.program_changed, name)
    sessions = Sessions(runtime, world.cells["sessions"], world.cells["disks"])
    sessions.door = world.network
    kubelet = Kubelet(world.around, name, world.cells["machines"], runtime, sessions, scheme)
    kubelet.on_shut_down = partial(_power_goes, world, name)
    kubelet.streams.on_files = world.traffic.disturbed
    return kubelet


def add_machine(world: "World", spec: dict[str, Any], causes: tuple[str, ...]) -> None:
    """Put a machine into the rack and switch it on; its kubelet registers the Node. Errors: AlreadyExists, Invalid."""
    name = str(spec.get("name", ""))
    if not is_dns_subdomain(name):
        raise errors.BadRequest(
            f"node name {name!r} is not a DNS name: lower case letters, digits, '-' and '.', at most 253 characters"
        )
    if name in world.cells["machines"]:
        raise errors.AlreadyExists("", "nodes", name)
    clouds.check_successor(world, name)
    given = {key: value for key, value in spec.items() if value is not None and key not in ("type", "zone")}
    machine, zone = {**DEFAULT_MACHINE, **given}, spec.get("zone") or ""
    _check_zone(str(zone))
    if zone and not world.cloud.on:  # No cloud to say where it is: its kubelet was started with the label.
        machine["labels"] = {**(machine.get("labels") or {}), nodes.ZONE: str(zone)}
    runtime = machine.get("runtime", runtimes.USUAL)
    if not isinstance(runtime, str) or runtime not in runtimes.KINDS:
        known = ", ".join(runtimes.KINDS)
        raise errors.BadRequest(f"runtime of node {name}: {runtime!r}; it must be one of: {known}")
    _check_hardware(name, machine)
    try:
        configuration.read(machine.get("kubelet"))
    except configuration.Bad as error:
        raise errors.BadRequest(f"kubelet of node {name}: {error}") from None
    number = 1 + max((m["number"] for m in world.cells["machines"].data.values()), default=0)
    world.cells["machines"][name] = {
        **machine,
        "cpu": str(machine["cpu"]),
        "memory": str(machine["memory"]),
        "pods": int(machine["pods"]),
        "number": number,
        "power": True,
        "images": {},
    }
    try:
        clouds.rent(world, name, str(zone))
    except errors.ApiError:
        world.cells["machines"].pop(name)
        raise
    cause = world.happened("node-add", name, causes, {"cpu": machine["cpu"], "memory": machine["memory"]})
    _boot(world, name, cause)


SMALLEST = {"storage": 64 << 20, "inodes": 1_000, "pids": 200}  # Less has no room for a system.


def _check_hardware(name: str, machine: dict[str, Any]) -> None:
    """Errors: BadRequest."""
    for resource in ("cpu", "memory", *SMALLEST):
        given = machine.get(resource)
        try:
            value = SMALLEST.get(resource, 0) if given is None else quantity.value(str(given))
        except ValueError as error:
            raise errors.BadRequest(f"{resource} of node {name}: {error}") from error
        if value < SMALLEST.get(resource, 0):
            raise errors.BadRequest(f"{resource} of node {name} is {given}; it must be at least {SMALLEST[resource]}")
        if resource in ("inodes", "pids") and given is not None:
            machine[resource] = value


def _check_zone(zone: str) -> None:
    problems = label_value_problems(zone)
    if problems:
        raise errors.BadRequest(f"zone {zone!r} is no label value: {'; '.join(problems)}")


def _boot(world: "World", name: str, cause: str) -> None:
    kubelet = world._add(kubelet_of(world, name))
    with _because(world, cause, kubelet):
        kubelet.start()


@contextmanager
def _because(world: "World", cause: str, actor: Component) -> Iterator[None]:
    """What `actor` does meanwhile, it does because of `cause`."""
    before = world.agenda.causes, world.agenda.actor
    world.agenda.causes, world.agenda.actor = (cause,), actor.name
    yield
    world.agenda.causes, world.agenda.actor = before


def node_add(world: "World", request: dict[str, Any]) -> dict[str, Any]:
    add_machine(world, request, world.agenda.causes)
    return {"node": request["name"], "power": True}


def power_off(world: "World", request: dict[str, Any]) -> dict[str, Any]:
    """Errors: NotFound (no such machine), Conflict (it is off already)."""
    name, machine = _machine(world, request)
    if not machine["power"]:
        raise errors.Conflict("", "nodes", name, f"machine {name} is off already; power it on first")
    cause = _power_goes(world, name)
    return {"node": name, "power": False, "simTime": world.clock.now, "cause": cause}


def _power_goes(world: "World", name: str) -> str:
    """The machine has no power from now on, because of what is happening: the cause of all that follows."""
    kubelet, machine = f"kubelet/{name}", world.cells["machines"][name]
    cause = world.happened("power-off", name, world.agenda.causes, {"stopped": [kubelet]})
    world.cells["machines"][name] = {**machine, "power": False, "off_since": world.clock.now, "off_cause": cause}
    world._remove(kubelet)
    _cut(world, name, cause)
    clouds.became(world, name, "stopped")
    return cause


def shutdown(world: "World", request: dict[str, Any]) -> dict[str, Any]:
    """Shut a machine down in order: its kubelet ends the pods, 30 s at most, and then the power goes.

    Errors: NotFound (no such machine), Conflict (it is off, or shutting down already).
    """
    name, _ = _machine(world, request)
    kubelet = world.components.get(f"kubelet/{name}")
    if not isinstance(kubelet, Kubelet):
        raise errors.Conflict("", "nodes", name, f"machine {name} is off already; power it on first")
    if kubelet.is_shutting_down():
        raise errors.Conflict("", "nodes", name, f"machine {name} is shutting down already")
    cause = world.happened("shutdown", name, world.agenda.causes, {"seconds": SHUTDOWN_SECONDS})
    with _because(world, cause, kubelet):
        kubelet.shut_down()
    return {"node": name, "shutdown": True, "simTime": world.clock.now, "cause": cause}


SHUTDOWN_SECONDS = sum(group.period for group in GROUPS) // SECOND


def _cut(world: "World", name: str, cause: str) -> None:
    died = power_cut(name, world.cells["containers"], world.clock.now, cause)
    lost(world.cells["sessions"], world.cells["disks"], died)
    dialogue.cut(name, world.cells["calls"], world.clock.now)
    machine = world.cells["machines"][name]  # With the power go the rules of its kernel; a boot starts every service.
    gone = ("proxy", "runtime_down")
    world.cells["machines"][name] = {key: value for key, value in machine.items() if key not in gone}
    world.traffic.machines_changed()


def power_on(world: "World", request: dict[str, Any]) -> dict[str, Any]:
    """Errors: NotFound (no such machine), Conflict (it is on already)."""
    name, machine = _machine(world, request)
    if machine["power"]:
        raise errors.Conflict("", "nodes", name, f"machine {name} is on already")
    cause = world.happened("power-on", name, world.agenda.causes, {"started": [f"kubelet/{name}"]})
    rest = {key: value for key, value in machine.items() if key not in ("off_since", "off_cause")}
    world.cells["machines"][name] = {**rest, "power": True}
    clouds.became(world, name, "running")
    _boot(world, name, cause)
    return {"node": name, "power": True, "simTime": world.clock.now, "cause": cause}


def runtime(world: "World", request: dict[str, Any]) -> dict[str, Any]:
    """Stop the container runtime's service of a machine, or start it: `{"node": N, "op": "stop" | "start"}`.

    Its containers go on, and so does the kubelet, which can do nothing with them until somebody answers again.
    Errors: NotFound, BadRequest, Conflict (no power; it is stopped or running already).
    """
    name, machine = _machine(world, request)
    operation, kind = request.get("op"), runtimes.of(machine.get("runtime")).name
    if operation not in ("stop", "start"):
        raise errors.BadRequest(f"a runtime can't be told {operation!r}; known: stop, start")
    kubelet = world.components.get(f"kubelet/{name}")
    if not isinstance(kubelet, Kubelet):
        raise errors.Conflict("", "nodes", name, f"machine {name} is off; power it on first")
    if kubelet.runtime.is_down == (operation == "stop"):
        state = "stopped" if kubelet.runtime.is_down else "running"
        raise errors.Conflict("", "nodes", name, f"{kind} on {name} is {state} already")
    cause = world.happened(f"runtime-{operation}", name, world.agenda.causes, {"runtime": kind})
    rest = {key: value for key, value in machine.items() if key != "runtime_down"}
    if operation == "stop":
        rest["runtime_down"] = world.clock.now
    world.cells["machines"][name] = rest
    with _because(world, cause, kubelet):
        (kubelet.runtime_stopped if operation == "stop" else kubelet.runtime_started)()
    return {"node": name, "runtime": kind, "stopped": operation == "stop", "simTime": world.clock.now, "cause": cause}


def static_pod(world: "World", request: dict[str, Any]) -> dict[str, Any]:
    """Put a manifest on a machine's disk, or take it away: `{"node": N, "op": "add" | "remove", "file": F, "text": T}`.

    `add` replaces a file of that name. Its kubelet looks when it can; `refused` is what that will write into its log.
    Errors: NotFound (machine, file), BadRequest (the name of the file, its size, too many files).
    """
    node, _ = _machine(world, request)
    operation, name, text = request.get("op"), str(request.get("file", "")), str(request.get("text", ""))
    path, disks, key = f"{static_pods.DIRECTORY_PATH}/{name}", world.cells["disks"], static_pods.disk_of(node)
    disk, refused = disks.get(key), ""
    if operation not in ("add", "remove"):
        raise errors.BadRequest(f"a manifest can't be told {operation!r}; known: add, remove")
    if not MANIFEST.fullmatch(name):
        raise errors.BadRequest(f"file {name!r}: a manifest's name is 1 to 253 letters, digits, '.', '_' and '-'")
    if operation == "remove":
        if path not in (disk or {}):
            raise errors.NotFound("", "files", path, f"{path}: no such file on {node}")
        disks[key] = static_pods.written(disk, name, None, world.clock.now)
    else:
        disks[key] = _with_manifest(disk, name, text, world.clock.now)
        try:
            static_pods.read(scheme, node, path, text)
        except ValueError as error:
            refused = str(error)
    cause = world.happened(f"static-pod-{operation}", node, world.agenda.causes, {"file": path})
    kubelet = world.components.get(f"kubelet/{node}")
    if isinstance(kubelet, Kubelet):
        with _because(world, cause, kubelet):
            kubelet.queue.add(MANIFESTS)
    return {"node": node, "op": operation, "file": path, "refused": refused, "cause": cause}


MANIFEST = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,252}")  # A hidden file is none.


def _with_manifest(disk: dict[str, Any] | None, name: str, text: str, now: int) -> dict[str, Any]:
    """Errors: BadRequest, if it is too large or there are too many."""
    if len(text) > static_pods.MOST_CHARACTERS:
        raise errors.BadRequest(
            f"file {name}: {len(text)} characters; a manifest has at most {static_pods.MOST_CHARACTERS}"
        )
    found = static_pods.files(disk)
    if len(found) >= static_pods.MOST_FILES and f"{static_pods.DIRECTORY_PATH}/{name}" not in found:
        raise errors.BadRequest(
            f"{static_pods.DIRECTORY_PATH} has {static_pods.MOST_FILES} files already: the most it takes"
        )
    return static_pods.written(disk, name, text, now)


def node_remove(world: "World", request: dict[str, Any]) -> dict[str, Any]:
    """Take the machine away for good, and delete its Node object if it is still there."""
    name, cause = _take_away(world, request, "node-remove")
    if world.informers.get("Node", "", name) is not None:
        world.agenda.causes = (cause, *world.agenda.causes)
        world.server.delete(users.ADMIN, "Node", "", name, {})
    return {"node": name, "removed": True}


def terminate(world: "World", request: dict[str, Any]) -> dict[str, Any]:
    """The cloud takes a machine back. Nobody tells the cluster: the Node object stays until somebody asks the cloud.

    Errors: NotFound; Conflict, if the cluster does not use the cloud.
    """
    if not world.cloud.on:
        raise errors.Conflict("", "nodes", _machine(world, request)[0], "the cluster does not use the cloud")
    name, cause = _take_away(world, request, "terminate")
    return {"node": name, "terminated": True, "simTime": world.clock.now, "cause": cause}


def _take_away(world: "World", request: dict[str, Any], kind: str) -> tuple[str, str]:
    """The machine is gone, with all that ran on it: (its name, the cause)."""
    name, machine = _machine(world, request)
    kubelet = f"kubelet/{name}"
    cause = world.happened(kind, name, world.agenda.causes, {"stopped": [kubelet]})
    world._remove(kubelet)
    if machine["power"]:
        _cut(world, name, cause)
    del world.cells["machines"][name]
    world.cells["disks"].pop(static_pods.disk_of(name))
    dialogue.forget(name, world.cells["calls"])
    clouds.became(world, name, "terminated")
    return name, cause


def latency(world: "World", request: dict[str, Any]) -> dict[str, Any]:
    """Slow motion: reaction times of all components are multiplied by a whole number of 1 to 1,000."""
    factor = request.get("factor")
    if not isinstance(factor, int) or not 1 <= factor <= 1_000:
        raise errors.BadRequest(f"latency factor is {factor!r}; it must be a whole number from 1 to 1000")
    world.agenda.slow = factor
    world.cells["agenda"]["|latency|"] = factor
    return {"factor": factor}


def _machine(world: "World", request: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    name = str(request.get("node") or request.get("name") or "")
    machine = world.cells["machines"].get(name)
    if machine is None:
        known = ", ".join(world.cells["machines"]) or "none"
        raise errors.NotFound(
            "", "nodes", name, f'nodes "{name}" not found: there is no such machine; machines: {known}'
        )
    return name, machine


def clock_input(world: "World", request: dict[str, Any]) -> dict[str, Any]:
    """Time controls change how far the world may run, not the world; they are recorded all the same.

    `pause`, `resume`; `speed` with `value`: 0.1 to 1000, or "max"; `step` with `by`: item, component or tick; `skip`:
    to the next event that people wait for, or by `seconds`. The driver does what the answer's `until` and `by` say.
    """
    operation, now = request.get("op"), world.clock.now
    answer: dict[str, Any] = {"op": operation, "simTime": now, "step": world.clock.step}
    if operation in ("pause", "resume"):
        world.switches["paused"] = operation == "pause"
    elif operation == "speed":
        world.switches["speed"] = answer["speed"] = speed_of(request.get("value"))
    elif operation == "step":
        answer["by"] = request.get("by") or "item"
        if answer["by"] not in STEPS:
            raise errors.BadRequest(f"can't step by {answer['by']!r}; choose one of: {', '.join(STEPS)}")
        world.switches["paused"] = True
    elif operation == "skip":
        answer |= _skip_target(world, request.get("seconds"))
    else:
        raise errors.BadRequest(f"unknown time control {operation!r}; known: pause, resume, speed, step, skip")
    return answer


STEPS = ("item", "component", "tick")


def speed_of(value: Any) -> float:
    """Simulated seconds a wall second; 0 stands for "max". Errors: BadRequest."""
    if value == "max":
        return 0.0
    try:
        speed = float(value)
    except (TypeError, ValueError):
        speed = -1.0
    if not 0.1 <= speed <= 1000:
        raise errors.BadRequest(f'speed {value}: it must be a number from 0.1 to 1000, or "max"')
    return speed


def _skip_target(world: "World", seconds: Any) -> dict[str, Any]:
    """Where a skip leads to: {until, text}. Errors: BadRequest."""
    now = world.clock.now
    if seconds is not None:
        if not isinstance(seconds, int | float) or not 0 < seconds <= 86_400:
            raise errors.BadRequest(f"can't skip {seconds!r} seconds; it must be more than 0, and a day at most")
        return {"until": now + int(seconds * 1_000_000), "text": f"{seconds:g} s later"}
    noted = world.agenda.next_noted()
    return {"until": max(noted[0], now), "text": noted[1]} if noted else _found_ahead(world)


LOOK_AHEAD = 600_000_000  # Simulated microseconds that a skip without a planned event looks ahead …
LOOK_AHEAD_BUDGET = 2.0  # … for so many wall seconds.


def _found_ahead(world: "World") -> dict[str, Any]:
    """Nobody announced anything, but a silent node will be noticed: live ahead on a fork until something is written.

    Errors: BadRequest if nothing happens there for ten minutes.
    """
    ahead = world.fork()
    before, limit = ahead.server.storage.notable, world.clock.now + LOOK_AHEAD
    deadline = monotonic() + LOOK_AHEAD_BUDGET
    while ahead.server.storage.notable == before:
        due = ahead.next_due()
        if due is None or due > limit or monotonic() > deadline:
            raise errors.BadRequest("nothing is waiting to happen, so there is nothing to skip to")
        actor = ahead.step()
    return {"until": ahead.clock.now, "text": f"{actor} notices something"}


def sleep_input(world: "World", request: dict[str, Any]) -> dict[str, Any]:
    """Nobody looks: the clock stands still until somebody does, and nothing is caught up then."""
    world.switches["asleep"] = request["type"] == "sleep"
    return {"asleep": world.switches["asleep"], "simTime": world.clock.now}


HARDWARE = ("node-add", "node-remove", "power-on", "cloud-terminate", "route")  # What packets notice, power cuts aside.
INPUTS: dict[str, Callable[["World", dict[str, Any]], dict[str, Any]]] = {
    "node-add": node_add,
    "node-remove": node_remove,
    "power-off": power_off,
    "power-on": power_on,
    "runtime": runtime,
    "static-pod": static_pod,
    "shutdown": shutdown,
    "cloud-terminate": terminate,
    "latency": latency,
    "clock": clock_input,
    "sleep": sleep_input,
    "wake": sleep_input,
    **streams.INPUTS,
    **clouds.INPUTS,
    **processes.INPUTS,
    **quorum.INPUTS,
    **network.INPUTS,
}
