"""What the cloud has rented out to this cluster, as plain data, and how much of each it may have.

    machine/<node>    {id, providerID, name, type, region, zone, state, addresses}
    balancer/<name>   {id, name, service, ip, listeners, backends}            see balancers.py
    route/<name>      {name, node, cidr}                                      see routes.py
    disk/<name>       {id, name, zone, gib, attached, labels}                 see disks.py
    quota/<kind>      {limit}          only where it is not the usual one
    api/…             see provider.py

Nothing in the cluster can read these cells: it has to ask, and to wait for the answer.

Read next: provider.py, the way in.
"""

from collections.abc import Callable
from typing import Any

from cluster.engine.cells import Cells
from cluster.engine.dice import Dice
from cluster.engine.provider import Refused

REGION = "sol-1"
ZONES = ("sol-1a", "sol-1b", "sol-1c")
QUOTAS = {"machines": 5_000, "balancers": 20, "routes": 5_000, "disks": 500, "gibibytes": 20_000}
MOST = 1_000_000  # No quota is larger.
KINDS = ("machine", "balancer", "route", "disk")
Item = dict[str, Any]


class Inventory:
    """The cells of table `cloud` with the words of somebody who rents things."""

    def __init__(self, cells: Cells, dice: Dice) -> None:
        self.cells, self.dice = cells, dice
        self._kinds: dict[str, dict[str, Item]] = {kind: {} for kind in KINDS}  # Derived.
        for key, item in cells.data.items():
            kind, _, name = key.partition("/")
            if kind in self._kinds:
                self._kinds[kind][name] = item

    def find(self, kind: str, name: str) -> Item | None:
        """`kind`: machine, balancer, route or disk."""
        return self._kinds[kind].get(name)

    def put(self, kind: str, name: str, item: Item) -> Item:
        self.cells[f"{kind}/{name}"] = self._kinds[kind][name] = item
        return item

    def drop(self, kind: str, name: str) -> None:
        """It is gone, if it was there."""
        self.cells.pop(f"{kind}/{name}")
        self._kinds[kind].pop(name, None)

    def all(self, kind: str) -> list[Item]:
        """Everything of one kind, by name."""
        return [item for _, item in sorted(self._kinds[kind].items())]

    def count(self, kind: str) -> int:
        return len(self._kinds[kind])

    def ended(self) -> list[str]:
        """Names of machines that are terminated and still shown, oldest first."""
        found: list[str] = self.cells.get("api/ended", {"names": []})["names"]
        return found

    def number(self) -> int:
        """The next number of a thing that was rented: ids are made of it, and zones are taken in turn."""
        number = int(self.cells.get("api/rented", {"count": 0})["count"])
        self.cells["api/rented"] = {"count": number + 1}
        return number

    def identity(self, prefix: str, number: int) -> str:
        """`i-0c3f…`, as clouds name things: a prefix and twelve digits."""
        return f"{prefix}-{self.dice.roll('cloud', prefix, number) >> 16:012x}"

    # --- how much ----------------------------------------------------------------------------------------------

    def limit(self, quota: str) -> int:
        return int(self.cells.get(f"quota/{quota}", {"limit": QUOTAS[quota]})["limit"])

    def used(self, quota: str) -> int:
        return USED[quota](self)

    def need(self, quota: str, more: int = 1) -> None:
        """Errors: Refused, if `more` of it would be too much."""
        used, limit = self.used(quota), self.limit(quota)
        if used + more > limit:
            raise Refused(f"QuotaExceeded: quota {quota!r} is {limit}, {used} in use, {more} more wanted")


USED: dict[str, Callable[[Inventory], int]] = {
    "machines": lambda inventory: inventory.count("machine") - len(inventory.ended()),
    "balancers": lambda inventory: inventory.count("balancer"),
    "routes": lambda inventory: inventory.count("route"),
    "disks": lambda inventory: inventory.count("disk"),
    "gibibytes": lambda inventory: sum(disk["gib"] for disk in inventory.all("disk")),
}
