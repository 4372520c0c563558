"""Pod addresses: a node's podCIDR, handed out one after the other, as host-local IPAM does.

The last address is remembered on the node's disk, so a freed one is not used again at once: a client that
still knows the old pod's IP finds nobody there, which is what makes stale endpoints visible.

Mirrors:  containernetworking/plugins/plugins/ipam/host-local (allocator.go: round robin behind the last one)
Left out: the allocation files are one list here, in the machine's cell.
"""

from functools import lru_cache
from ipaddress import IPv4Address, ip_network
from typing import Protocol

from cluster.engine.cells import Cells


class NoAddressLeft(Exception):
    """The node's podCIDR is used up."""


class Network(Protocol):
    """What a runtime asks of a CNI plugin."""

    def add(self, cidr: str) -> str:
        """Connect a sandbox; its address. Errors: NoAddressLeft."""

    def remove(self, address: str) -> None:
        """Disconnect it."""


class HostLocal:
    """The plugin on machine `node`. Its cell has `addresses: {last, used}`, numbers of IPv4 addresses."""

    def __init__(self, node: str, machines: Cells) -> None:
        self._node, self._machines = node, machines

    def add(self, cidr: str) -> str:
        first, last = usable(cidr)
        machine = self._machines[self._node]
        before = machine.get("addresses") or {"last": first - 1, "used": []}
        used = before["used"]
        size = last - first + 1
        start = before["last"] + 1 - first if first <= before["last"] <= last else 0
        for offset in range(size):
            number = first + (start + offset) % size
            if number not in used:
                self._machines[self._node] = {
                    **machine,
                    "addresses": {"last": number, "used": [*used, number]},
                }
                return dotted(number)
        raise NoAddressLeft(
            f"failed to allocate for range 0: no IP addresses available in range set: {dotted(first)}-{dotted(last)}"
        )

    def remove(self, address: str) -> None:
        machine, number = self._machines[self._node], int(IPv4Address(address))
        addresses = machine.get("addresses")
        if addresses is not None and number in addresses["used"]:
            left = [other for other in addresses["used"] if other != number]
            self._machines[self._node] = {**machine, "addresses": {**addresses, "used": left}}


def setup_failed(sandbox: str, problem: str) -> str:
    """What a runtime answers that asked the plugin to connect a sandbox."""
    return (
        f'rpc error: code = Unknown desc = failed to setup network for sandbox "{sandbox}": '
        f'plugin type="bridge" failed (add): {problem}'
    )


@lru_cache(maxsize=16_384)
def usable(cidr: str) -> tuple[int, int]:
    """First and last address for pods: not the network's, not the gateway's (.1), not the broadcast one."""
    network = ip_network(cidr)
    return int(network.network_address) + 2, int(network.broadcast_address) - 1


def dotted(number: int) -> str:
    return f"{number >> 24}.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
