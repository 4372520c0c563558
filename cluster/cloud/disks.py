"""The cloud's disks: of one zone, attached to one machine at a time.

    disk/<name>   {id, name, zone, gib, attached: node or "", labels: {…}}

`name` is whatever the driver calls it (`pvc-<uid>`); asking for the same name again is answered with the same disk, so
a driver that did not hear the answer may ask again. A disk can only be attached to a machine of its own zone, and a
machine takes so many of them.

Mirrors:  the calls behind a CSI driver's CreateVolume, DeleteVolume, ControllerPublishVolume, ControllerUnpublishVolume
Left out: snapshots, types of disks.
"""

from collections.abc import Callable
from typing import Any

from cluster.cloud.inventory import ZONES, Inventory, Item
from cluster.engine.provider import Refused

ATTACHED_MOST = 25  # Disks of one machine.
LARGEST = 16_384  # GiB.


def create(cloud: Inventory, arguments: dict[str, Any]) -> Item:
    """{name, zone (empty: the first), gib, labels}. Errors: Refused (quota, size, the name has another size)."""
    name, gib = arguments["name"], int(arguments["gib"])
    known = cloud.find("disk", name)
    if known is not None:
        if known["gib"] != gib or (arguments.get("zone") and known["zone"] != arguments["zone"]):
            raise Refused(f"AlreadyExists: disk {name} has {known['gib']} GiB in {known['zone']}")
        return known
    if not 1 <= gib <= LARGEST:
        raise Refused(f"InvalidSize: {gib} GiB; a disk has 1 to {LARGEST}")
    cloud.need("disks")
    cloud.need("gibibytes", gib)
    disk = {"id": cloud.identity("vol", cloud.number()), "name": name, "zone": arguments.get("zone") or ZONES[0]}
    return cloud.put("disk", name, {**disk, "gib": gib, "attached": "", "labels": arguments.get("labels") or {}})


def resize(cloud: Inventory, arguments: dict[str, Any]) -> Item:
    """{name, gib}: it only grows. Errors: Refused."""
    disk, gib = _disk(cloud, arguments), int(arguments["gib"])
    if not disk["gib"] <= gib <= LARGEST:
        raise Refused(f"InvalidSize: {gib} GiB; disk {disk['name']} has {disk['gib']} and may have up to {LARGEST}")
    cloud.need("gibibytes", gib - disk["gib"])
    return cloud.put("disk", disk["name"], {**disk, "gib": gib})


def delete(cloud: Inventory, arguments: dict[str, Any]) -> None:
    """{name}. Gone already is gone. Errors: Refused, while it is attached."""
    disk = cloud.find("disk", arguments["name"])
    if disk is not None and disk["attached"]:
        raise Refused(f"VolumeInUse: disk {disk['name']} is attached to {disk['attached']}")
    cloud.drop("disk", arguments["name"])


def attach(cloud: Inventory, arguments: dict[str, Any]) -> Item:
    """{name, node}. Attached there already is fine. Errors: Refused (elsewhere, other zone, too many, no machine)."""
    disk, node = _disk(cloud, arguments), arguments["node"]
    if disk["attached"] == node:
        return disk
    if disk["attached"]:
        raise Refused(f"VolumeInUse: disk {disk['name']} is attached to {disk['attached']}")
    machine = cloud.find("machine", node)
    if machine is not None and machine["state"] == "terminated":
        raise Refused("instance not found")
    if machine is not None and machine["zone"] != disk["zone"]:
        raise Refused(f"WrongZone: disk {disk['name']} is in {disk['zone']}, {node} is in {machine['zone']}")
    if sum(1 for other in cloud.all("disk") if other["attached"] == node) >= ATTACHED_MOST:
        raise Refused(f"AttachmentLimitExceeded: {node} has {ATTACHED_MOST} disks, which is the most")
    return cloud.put("disk", disk["name"], {**disk, "attached": node})


def detach(cloud: Inventory, arguments: dict[str, Any]) -> None:
    """{name, node}. Not attached there is fine."""
    disk = cloud.find("disk", arguments["name"])
    if disk is not None and disk["attached"] == arguments["node"]:
        cloud.put("disk", disk["name"], {**disk, "attached": ""})


def release(cloud: Inventory, node: str) -> None:
    """The machine of `node` is terminated: its disks are free."""
    for disk in cloud.all("disk"):
        if disk["attached"] == node:
            cloud.put("disk", disk["name"], {**disk, "attached": ""})


def every(cloud: Inventory, arguments: dict[str, Any]) -> list[Item]:
    return cloud.all("disk")


def _disk(cloud: Inventory, arguments: dict[str, Any]) -> Item:
    disk = cloud.find("disk", arguments["name"])
    if disk is None:
        raise Refused(f"NotFound: there is no disk {arguments['name']}")
    return disk


OPERATIONS: dict[str, Callable[[Inventory, dict[str, Any]], Any]] = {
    "CreateDisk": create,
    "ResizeDisk": resize,
    "DeleteDisk": delete,
    "AttachDisk": attach,
    "DetachDisk": detach,
    "ListDisks": every,
}
LATENCIES = {
    "CreateDisk": (800, 2_000),
    "ResizeDisk": (800, 2_000),
    "DeleteDisk": (300, 900),
    "AttachDisk": (500, 1_500),
    "DetachDisk": (500, 1_500),
}
