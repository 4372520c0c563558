"""The cloud's load balancers: an address outside the cluster, listeners, and machines behind them.

    {id, name, service: "shop/web", ip, sourceRanges,
     listeners: [{name, port, protocol, nodePort}],
     backends: [node, …],            the machines that the service controller named
     check: {port, path}}            what the balancer asks each machine

A balancer finds out by itself who is healthy, as real ones do by asking a port of each machine. Here that is a function
of what is true (`health.py`), so nothing has to be asked and nothing can be out of date.

Read next: service.py, which asks; health.py.
"""

from collections.abc import Callable
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from cluster.cloud.inventory import Inventory, Item
from cluster.engine.provider import Refused

RANGE = IPv4Network("203.0.113.0/24")  # TEST-NET-3: documentation only, so it is nobody's.


def get(cloud: Inventory, arguments: dict[str, Any]) -> Item | None:
    return cloud.find("balancer", arguments["name"])


def ensure(cloud: Inventory, arguments: dict[str, Any]) -> Item:
    """Make it, or make it as asked. Errors: Refused (quota, addresses)."""
    name = arguments["name"]
    balancer = cloud.find("balancer", name)
    if balancer is None:
        cloud.need("balancers")
        identity = cloud.identity("lb", cloud.number())
        balancer = {"id": identity, "name": name, "ip": _free(cloud, arguments.get("ip") or "")}
    elif arguments.get("ip") and arguments["ip"] != balancer["ip"]:
        balancer = {**balancer, "ip": _free(cloud, arguments["ip"])}
    wanted = {key: arguments[key] for key in ("service", "listeners", "sourceRanges", "check", "backends")}
    return cloud.put("balancer", name, {**balancer, **wanted})


def update(cloud: Inventory, arguments: dict[str, Any]) -> Item:
    """Other machines behind it. Errors: Refused, if it is gone."""
    balancer = cloud.find("balancer", arguments["name"])
    if balancer is None:
        raise Refused(f"NotFound: there is no balancer {arguments['name']}")
    return cloud.put("balancer", balancer["name"], {**balancer, "backends": arguments["backends"]})


def delete(cloud: Inventory, arguments: dict[str, Any]) -> None:
    """It is gone, if it was there."""
    cloud.drop("balancer", arguments["name"])


def _free(cloud: Inventory, wanted: str) -> str:
    """The address that is wanted, or the lowest that is free. Errors: Refused."""
    taken = {balancer["ip"] for balancer in cloud.all("balancer")}
    if wanted:
        try:
            known = IPv4Address(wanted) in RANGE
        except ValueError:
            known = False
        if not known or wanted in taken:
            problem = "in use" if wanted in taken else f"not one of {RANGE}"
            raise Refused(f"InvalidAddress: {wanted} is {problem}")
        return wanted
    for address in RANGE.hosts():
        if str(address) not in taken:
            return str(address)
    raise Refused(f"AddressesExhausted: all addresses of {RANGE} are in use")


OPERATIONS: dict[str, Callable[[Inventory, dict[str, Any]], Any]] = {
    "GetLoadBalancer": get,
    "EnsureLoadBalancer": ensure,
    "UpdateLoadBalancer": update,
    "EnsureLoadBalancerDeleted": delete,
}
LATENCIES = {
    "GetLoadBalancer": (20, 60),
    "EnsureLoadBalancer": (1_500, 3_000),
    "UpdateLoadBalancer": (300, 900),
    "EnsureLoadBalancerDeleted": (800, 2_000),
}
