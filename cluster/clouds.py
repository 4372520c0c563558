"""What people do to the cloud: use it or not, make its API slow or let it fail, change quotas.

    {"type": "cloud", "op": "on" | "off"}                       does the cluster use it?
    {"type": "cloud", "op": "ok" | "slow" | "fail" | "down"}    how its API does; `factor` of slow, `percent` of fail
    {"type": "cloud", "op": "throttle", "rate": 5}              calls a second
    {"type": "cloud", "op": "quota", "kind": "balancers", "limit": 1}

Machines are rented and lost here too, when physical.py says that they were added, powered off or terminated.

Read next: cluster/cloud/provider.py.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from cluster.cloud import disks, machines
from cluster.cloud.inventory import MOST, QUOTAS
from cluster.cloud.provider import NORMAL, SLOW
from cluster.engine.provider import Refused
from cluster.kubelet.node_status import address_of
from cluster.objects import errors, nodes, users

if TYPE_CHECKING:
    from cluster.world import World

Request = dict[str, Any]
SLOWEST = 1_000
MANAGER, DRIVER = "cloud-controller-manager", "csi-disk-controller"
OPTION = "cloud"  # Of a cluster: `true` if it uses the cloud from the beginning.


def cloud(world: "World", request: Request) -> dict[str, Any]:
    """Errors: BadRequest."""
    operation = str(request.get("op", ""))
    if operation not in OPERATIONS:
        raise errors.BadRequest(f"the cloud can't be told {operation!r}; known: {', '.join(OPERATIONS)}")
    OPERATIONS[operation](world, request)
    return {"op": operation, "cloud": world.cloud.state}


def switch_on(world: "World", request: Request) -> None:
    """The cluster uses the cloud from now on. Errors: BadRequest (quota of machines), Conflict (it does already).

    As when a running cluster is moved: its machines are found in the cloud, its kubelets are started anew as
    `--cloud-provider=external`, and each node gets the taint by which the cloud node controller knows its work.
    """
    if world.cloud.on:
        raise errors.Conflict("", "clouds", "", "the cluster uses the cloud already")
    count = len(world.cells["machines"])
    if count > world.cloud.inventory.limit("machines"):
        raise errors.BadRequest(f"QuotaExceeded: the cluster has {count} machines, more than the quota")
    world.cloud.change(on=True)
    for name in world.cells["machines"]:
        rent(world, name)
        node = world.informers.get("Node", "", name)
        if node is not None and not node["spec"].get("providerID"):
            taints = [*nodes.taints(node), {"key": nodes.UNINITIALIZED, "value": "true", "effect": "NoSchedule"}]
            world.server.merge(users.ADMIN, "Node", "", name, {"spec": {"taints": taints}}, "")
    world.enlist(MANAGER)
    world.enlist(DRIVER)


def switch_off(world: "World", request: Request) -> None:
    """Nobody talks to the cloud any more. What was rented stays rented."""
    world.cloud.change(on=False)
    world.dismiss(MANAGER)
    world.dismiss(DRIVER)
    for name in world.cells["machines"]:
        machine = world.cells["machines"][name]
        world.cells["machines"][name] = {key: value for key, value in machine.items() if key != "cloud"}


def begin(world: "World") -> None:
    """A new cluster: it uses the cloud if its options say so."""
    if world.options.get(OPTION):
        world.cloud.change(on=True)


# --- its API ----------------------------------------------------------------------------------------------------


def all_is_well(world: "World", request: Request) -> None:
    world.cloud.change(**{key: NORMAL[key] for key in ("slow", "errors", "down", "rate")})


def slow(world: "World", request: Request) -> None:
    world.cloud.change(slow=_whole(request, "factor", SLOW, 1, SLOWEST))


def fail(world: "World", request: Request) -> None:
    world.cloud.change(errors=_whole(request, "percent", 100, 0, 100))


def down(world: "World", request: Request) -> None:
    world.cloud.change(down=True)


def throttle(world: "World", request: Request) -> None:
    world.cloud.change(rate=_whole(request, "rate", 5, 0, MOST))


def quota(world: "World", request: Request) -> None:
    kind = str(request.get("kind", ""))
    if kind not in QUOTAS:
        raise errors.BadRequest(f"there is no quota of {kind!r}; known: {', '.join(QUOTAS)}")
    world.cells["cloud"][f"quota/{kind}"] = {"limit": _whole(request, "limit", QUOTAS[kind], 0, MOST)}


def _whole(request: Request, name: str, usual: int, least: int, most: int) -> int:
    value = request.get(name)
    value = usual if value is None else value
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise errors.BadRequest(f"{name} is {value!r}; it must be a whole number from {least} to {most}")
    return value


# --- machines, as physical.py tells -----------------------------------------------------------------------------


def rent(world: "World", name: str, zone: str = "") -> None:
    """Machine `name` is in the rack: if the cluster uses the cloud, it comes from there. Errors: BadRequest (quota)."""
    if not world.cloud.on:
        return
    machine = world.cells["machines"][name]
    known = world.cloud.inventory.find("machine", name)
    if known is None or known["state"] == "terminated":
        try:
            machines.rent(world.cloud.inventory, name, machine, address_of(machine), zone)
        except Refused as refusal:
            raise errors.BadRequest(str(refusal)) from refusal
    world.cells["machines"][name] = {**machine, "cloud": True}


def check_successor(world: "World", name: str) -> None:
    """A Node says which machine it is, and nobody changes that; a new machine of its name has to wait until it is gone.

    Errors: Conflict.
    """
    node, known = world.informers.get("Node", "", name), world.cloud.inventory.find("machine", name)
    claimed = node["spec"].get("providerID", "") if node is not None else ""
    if claimed.startswith("orrery://") and (known is None or known["state"] == "terminated"):
        problem = f"the Node of the machine that was terminated, {claimed}, is still there; wait until it is gone"
        raise errors.Conflict("", "nodes", name, problem)


def became(world: "World", name: str, state: str) -> None:
    """The cloud notices: its machine runs, was stopped, or is terminated with what hung on it."""
    if machines.become(world.cloud.inventory, name, state) is not None and state == "terminated":
        disks.release(world.cloud.inventory, name)


OPERATIONS: dict[str, Callable[["World", Request], None]] = {
    "on": switch_on,
    "off": switch_off,
    "ok": all_is_well,
    "slow": slow,
    "fail": fail,
    "down": down,
    "throttle": throttle,
    "quota": quota,
}
INPUTS: dict[str, Callable[["World", Request], dict[str, Any]]] = {"cloud": cloud}
