"""The cloud's API: the one way to its inventory, which takes time, counts, throttles and can be out of order.

    send(operation, arguments)   a call leaves: it gets a number, and a latency by the dice
    answer(call)                 its time is over: the operation is done *now*, or refused

    api/state    {on, slow, errors, down, rate}   on: does the cluster use this cloud? slow: latencies are so many times
                                                  longer; errors: so many of a hundred calls fail; down: nobody answers;
                                                  rate: calls a second, the rest is throttled
    api/calls    {count, operations: {CreateRoute: [calls, refused], …}}     api/window   {second, calls}
    api/log      the newest calls, oldest first: [{at, took, operation, by, what, error, times}, …]

Everything is decided by the dice for the call's number, so the same life has the same failures. Refusals are `Refused`
with the text that ends up in events.

Left out: calls that take effect although their answer is lost.
Read next: inventory.py for what is rented; engine/calls.py for who asks.
"""

from collections.abc import Callable
from typing import Any

from cluster.cloud import balancers, disks, machines, routes
from cluster.cloud.inventory import Inventory
from cluster.engine.cells import Cells
from cluster.engine.clock import SECOND, Clock
from cluster.engine.dice import Dice
from cluster.engine.provider import Call, Refused

MILLISECOND = SECOND // 1_000
ROOMS = (machines, balancers, routes, disks)
OPERATIONS: dict[str, Callable[[Inventory, dict[str, Any]], Any]] = {
    name: operation for room in ROOMS for name, operation in room.OPERATIONS.items()
}
LATENCIES = {name: latency for room in ROOMS for name, latency in room.LATENCIES.items()}
USUAL = (20, 80)  # Milliseconds of an operation that says nothing of its own.
NORMAL: dict[str, Any] = {"on": False, "slow": 1, "errors": 0, "down": False, "rate": 1_000}
SLOW = 20
PATIENCE = 10 * SECOND  # How long a client waits for an API that does not answer.
LOGGED = 40
LOOKS = ("Instance", "List", "Get")  # Operations that change nothing begin with these.


class Cloud:
    """The provider. `cells`: the table `cloud`; empty as long as no cluster ever used it."""

    def __init__(self, cells: Cells, clock: Clock, dice: Dice) -> None:
        self.cells, self.clock, self.dice = cells, clock, dice
        self.inventory = Inventory(cells, dice)

    # --- its state ----------------------------------------------------------------------------------------------

    @property
    def on(self) -> bool:
        """Does the cluster use this cloud: does the cloud-controller-manager run?"""
        return bool(self.state["on"])

    @property
    def state(self) -> dict[str, Any]:
        return state_of(self.cells.get("api/state"))

    def change(self, **state: Any) -> None:
        self.cells["api/state"] = {**self.state, **state}

    # --- calls --------------------------------------------------------------------------------------------------

    def send(self, operation: str, arguments: dict[str, Any], count: int = 1) -> tuple[Call, int]:
        """A call leaves: (itself, its latency in microseconds). `count`: as how many it counts."""
        made = self.cells.get("api/calls", {"count": 0, "operations": {}})
        number = made["count"]
        calls, refused = made["operations"].get(operation, (0, 0))
        operations = {**made["operations"], operation: [calls + count, refused]}
        self.cells["api/calls"] = {"count": number + count, "operations": dict(sorted(operations.items()))}
        refusal, (low, high) = self._refusal(number), LATENCIES.get(operation, USUAL)
        latency = self.dice.between(low * MILLISECOND, high * MILLISECOND, "cloud-latency", number)
        latency = PATIENCE if self.state["down"] else latency * self.state["slow"]
        return Call(number, operation, arguments, self.clock.now, refusal), latency

    def _refusal(self, number: int) -> str:
        """Why call `number` is refused whatever it asks; empty: it is not."""
        state, second = self.state, self.clock.now // SECOND
        window = self.cells.get("api/window", {"second": -1, "calls": 0})
        used = window["calls"] + 1 if window["second"] == second else 1
        self.cells["api/window"] = {"second": second, "calls": used}
        if state["down"]:
            return 'Post "https://api.sol-1.orrery.invalid/": context deadline exceeded'
        if used > state["rate"]:
            return f"RequestLimitExceeded: more than {state['rate']} calls in a second (request {number})"
        if state["errors"] and self.dice.between(1, 100, "cloud-error", number) <= state["errors"]:
            return f"InternalError: the cloud can't do this now (request {number})"
        return ""

    def answer(self, call: Call, by: str) -> Any:
        """What the operation returns. Errors: Refused."""
        try:
            if call.refusal:
                raise Refused(call.refusal)
            result = OPERATIONS[call.operation](self.inventory, call.arguments)
        except Refused as refusal:
            self._log(call, by, str(refusal))
            raise
        self._log(call, by, "")
        return result

    def _log(self, call: Call, by: str, error: str) -> None:
        if error:
            made = self.cells["api/calls"]
            calls, refused = made["operations"][call.operation]
            operations = {**made["operations"], call.operation: [calls, refused + 1]}
            self.cells["api/calls"] = {**made, "operations": operations}
        what = str(call.arguments.get("node") or call.arguments.get("service") or call.arguments.get("name") or "")
        row = {"at": call.began, "took": self.clock.now - call.began, "operation": call.operation, "by": by}
        row |= {"what": what, "error": error, "times": 1}
        known = self.cells.get("api/log", {"calls": []})["calls"]
        if call.operation.startswith(LOOKS):  # They come again and again: each has one row, with a count.
            same = [one for one in known if all(one[key] == row[key] for key in ("operation", "by", "what", "error"))]
            if same:
                row["times"], known = same[0]["times"] + 1, [one for one in known if one is not same[0]]
        self.cells["api/log"] = {"calls": [*known[-LOGGED + 1 :], row]}


def state_of(stored: dict[str, Any] | None) -> dict[str, Any]:
    """The API's whole state; what was never changed is as usual."""
    return {**NORMAL, **(stored or {})}
