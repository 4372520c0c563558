"""The cloud's routes: which machine a range of pod addresses is behind.

    {name, node, cidr}

Read next: route.py, which asks.
"""

from collections.abc import Callable
from typing import Any

from cluster.cloud.inventory import Inventory, Item
from cluster.engine.provider import Refused


def every(cloud: Inventory, arguments: dict[str, Any]) -> list[Item]:
    """All routes, by name. `blackhole`: there is no such machine any more, so what comes in goes nowhere."""
    return [{**route, "blackhole": _is_gone(cloud, route["node"])} for route in cloud.all("route")]


def _is_gone(cloud: Inventory, node: str) -> bool:
    machine = cloud.find("machine", node)
    return machine is None or machine["state"] == "terminated"


def create(cloud: Inventory, arguments: dict[str, Any]) -> Item:
    """Errors: Refused (no such machine, quota, the range is behind another machine)."""
    node, cidr = arguments["node"], arguments["cidr"]
    if _is_gone(cloud, node):
        raise Refused("instance not found")
    taken = next((route for route in cloud.all("route") if route["cidr"] == cidr), None)
    if taken is not None and taken["name"] != arguments["name"]:
        raise Refused(f"RouteConflict: {cidr} is behind {taken['node']} already")
    if taken is None:
        cloud.need("routes")
    return cloud.put("route", arguments["name"], {"name": arguments["name"], "node": node, "cidr": cidr})


def delete(cloud: Inventory, arguments: dict[str, Any]) -> None:
    cloud.drop("route", arguments["name"])


OPERATIONS: dict[str, Callable[[Inventory, dict[str, Any]], Any]] = {
    "ListRoutes": every,
    "CreateRoute": create,
    "DeleteRoute": delete,
}
LATENCIES = {"ListRoutes": (20, 60), "CreateRoute": (200, 600), "DeleteRoute": (200, 600)}
