"""The cloud's machines: instances with an id, a type, a zone, and a state of their own.

    running ──▶ stopped ──▶ running            terminated: gone for good, remembered for a while

The kubelet's machine (its disk, its containers) is `cluster/physical.py`'s; here is what the cloud says of it. A node
and its machine have the same name, as with providers that find a node's machine by name.

Read next: node.py and nodelifecycle.py, which ask.
"""

from collections.abc import Callable, Mapping
from typing import Any

from cluster.cloud.inventory import REGION, ZONES, Inventory, Item
from cluster.engine.provider import Refused
from cluster.objects import nodes, quantity

REMEMBERED = 20  # Terminated machines that the inventory still shows.
GIB = 1 << 30


def rent(cloud: Inventory, name: str, machine: Mapping[str, Any], address: str, zone: str = "") -> Item:
    """A machine for `name`, running. Its zone: as asked, as its labels say, or the next in turn. Errors: Refused."""
    cloud.need("machines")
    if name in cloud.ended():
        cloud.cells["api/ended"] = {"names": [other for other in cloud.ended() if other != name]}
    number = cloud.number()
    labels = machine.get("labels") or {}
    region = labels.get(nodes.REGION) or REGION
    zone = zone or labels.get(nodes.ZONE) or ZONES[number % len(ZONES)]
    identity = cloud.identity("i", number)
    addresses = [
        {"type": "InternalIP", "address": address},
        {"type": "InternalDNS", "address": f"{name}.{region}.internal"},
        {"type": "Hostname", "address": name},
    ]
    rented = {
        "id": identity,
        "providerID": f"orrery://{region}/{zone}/{identity}",
        "name": name,
        "type": type_of(machine),
        "region": region,
        "zone": zone,
        "state": "running" if machine.get("power", True) else "stopped",
        "addresses": addresses,
    }
    return cloud.put("machine", name, rented)


def type_of(machine: Mapping[str, Any]) -> str:
    """The instance type for such a size.

    >>> type_of({"cpu": "4", "memory": "8Gi"}), type_of({"cpu": "500m", "memory": "512Mi"})
    ('std-4c-8g', 'std-500m-512mi')
    """
    cpu, memory = str(machine["cpu"]), quantity.value(str(machine["memory"]))
    cores = f"{int(cpu)}c" if cpu.isdigit() else cpu.lower()
    return f"std-{cores}-{memory // GIB}g" if memory % GIB == 0 else f"std-{cores}-{memory // (1 << 20)}mi"


def become(cloud: Inventory, name: str, state: str) -> Item | None:
    """The machine of `name` is running, stopped or terminated now. None: the cloud has no such machine."""
    machine = cloud.find("machine", name)
    if machine is None or machine["state"] == "terminated":
        return None
    if state == "terminated":
        _remember(cloud, name)
    return cloud.put("machine", name, {**machine, "state": state})


def _remember(cloud: Inventory, name: str) -> None:
    """It stays in sight for a while: the oldest of too many goes."""
    ended = [*cloud.ended(), name]
    for oldest in ended[:-REMEMBERED]:
        cloud.drop("machine", oldest)
    cloud.cells["api/ended"] = {"names": ended[-REMEMBERED:]}


# --- what can be asked ------------------------------------------------------------------------------------------


def _of(cloud: Inventory, arguments: dict[str, Any]) -> Item | None:
    """By providerID if the node has one, else by its name; a terminated one does not exist."""
    machine = cloud.find("machine", arguments["node"])
    if machine is None or machine["state"] == "terminated":
        return None
    wanted = arguments.get("providerID")
    return machine if not wanted or wanted == machine["providerID"] else None


def instance_exists(cloud: Inventory, arguments: dict[str, Any]) -> bool:
    return _of(cloud, arguments) is not None


def instance_shutdown(cloud: Inventory, arguments: dict[str, Any]) -> bool:
    machine = _of(cloud, arguments)
    return machine is not None and machine["state"] == "stopped"


def instance_metadata(cloud: Inventory, arguments: dict[str, Any]) -> Item:
    """Errors: Refused, if there is no such machine."""
    machine = _of(cloud, arguments)
    if machine is None:
        raise Refused("instance not found")
    return machine


def instances(cloud: Inventory, arguments: dict[str, Any]) -> dict[str, Item]:
    """Metadata of many nodes, {node: machine}; those that don't exist are missing."""
    found = {name: _of(cloud, {"node": name}) for name in arguments["nodes"]}
    return {name: machine for name, machine in found.items() if machine is not None}


OPERATIONS: dict[str, Callable[[Inventory, dict[str, Any]], Any]] = {
    "InstanceExists": instance_exists,
    "InstanceShutdown": instance_shutdown,
    "InstanceMetadata": instance_metadata,
    "InstancesMetadata": instances,
}
LATENCIES = {"InstanceExists": (20, 60), "InstanceShutdown": (20, 60), "InstanceMetadata": (30, 90)}
