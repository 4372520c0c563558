"""Pod addresses: a node's podCIDR, handed out one after the other, as the bridge plugin's host-local IPAM
does.

The next address is remembered on the node's disk, so a freed one is not used again at once: a client that
still knows the old pod's IP finds nobody there, which is what makes stale endpoints visible.

Mirrors:  containernetworking/plugins/plugins/ipam/host-local (allocator.go: round robin behind the last one)
"""

from ipaddress import IPv4Address, ip_network
from typing import Protocol

from cluster.engine.cells import Cells


class NoAddressLeft(Exception):
    """The node's podCIDR is used up."""


class Network(Protocol):
    """What a runtime asks of a CNI plugin."""

    def add(self, node: str, cidr: str, owner: str) -> str:
        """Connect a sandbox; its address. Errors: NoAddressLeft."""

    def remove(self, node: str, address: str) -> None:
        """Disconnect it."""


class HostLocal:
    """`cells`: `ipam/<node>` -> the last address, as a number. Which are in use the sandboxes say."""

    def __init__(self, cells: Cells) -> None:
        self._cells = cells
        self._used: dict[str, set[int]] = {}  # Asked for membership only, never walked through.
        for record in cells.data.values():
            if isinstance(record, dict) and record.get("ip") and record.get("ended") is None:
                self._used.setdefault(record["node"], set()).add(int(IPv4Address(record["ip"])))

    def add(self, node: str, cidr: str, owner: str) -> str:
        first, last = _usable(cidr)
        used = self._used.setdefault(node, set())
        previous = self._cells.get(f"ipam/{node}", first - 1)
        size = last - first + 1
        start = previous + 1 - first if first - 1 <= previous <= last else 0
        for offset in range(size):
            number = first + (start + offset) % size
            if number not in used:
                used.add(number)
                self._cells[f"ipam/{node}"] = number
                return str(IPv4Address(number))
        raise NoAddressLeft(
            f"failed to allocate for range 0: no IP addresses available in range set: "
            f"{IPv4Address(first)}-{IPv4Address(last)}"
        )

    def remove(self, node: str, address: str) -> None:
        self._used.get(node, set()).discard(int(IPv4Address(address)))


def _usable(cidr: str) -> tuple[int, int]:
    """First and last address for pods: not the network's, not the gateway's (.1), not the broadcast one."""
    found = _USABLE.get(cidr)
    if found is None:
        network = ip_network(cidr)
        found = _USABLE[cidr] = (int(network.network_address) + 2, int(network.broadcast_address) - 1)
    return found


_USABLE: dict[str, tuple[int, int]] = {}  # A cache of a pure function.
