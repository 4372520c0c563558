"""Route controller: the cloud's network learns which machine a node's pods are behind.

Every ten seconds it compares: a route for each node's podCIDR, and none for nodes that are gone. A node says by the
condition NetworkUnavailable whether its route is there.

Mirrors:  k8s.io/cloud-provider/controllers/route/route_controller.go
Left out: several ranges of one node.
Read next: cluster/controllers/nodeipam.py, which hands the ranges out.
"""

from typing import Any

from cluster.cloud.inventory import Item
from cluster.engine.calls import Caller
from cluster.engine.clock import SECOND
from cluster.engine.provider import Call
from cluster.objects import Manifest, conditions, meta

PERIOD = 10 * SECOND  # --route-reconciliation-period
CREATED = ("False", "RouteCreated", "RouteController created a route")
NOT_CREATED = ("True", "NoRouteCreated", "RouteController failed to create a route")


class RouteController(Caller):
    """Queue keys: `list`, `create/<node>`, `delete/<route>`."""

    name = "node-route-controller"
    source = "route_controller"
    user = "system:cloud-controller-manager"
    workers = 200

    def start(self) -> None:
        self.queue.add("list")

    def look(self, item: str) -> None:
        kind, _, name = item.partition("/")
        if kind == "list":
            self.queue.add_after("list", PERIOD)
            self.ask(item, "ListRoutes", {})
        elif kind == "delete":
            self.ask(item, "DeleteRoute", {"name": name})
        else:
            node = self.informers.get("Node", "", name)
            if node is not None and node["spec"].get("podCIDR"):
                route = {"name": f"kubernetes-{meta.uid(node)}", "node": name, "cidr": node["spec"]["podCIDR"]}
                self.ask(item, "CreateRoute", route)

    def answered(self, item: str, call: Call, result: Any) -> None:
        if call.operation == "ListRoutes":
            self._compare(result)
        elif call.operation == "CreateRoute":
            self._say(call.arguments["node"], *CREATED)

    def refused(self, item: str, call: Call, why: str) -> None:
        """Whatever is still missing is tried again by the next comparison."""
        if call.operation != "CreateRoute":
            return
        name, cidr = call.arguments["node"], call.arguments["cidr"]
        hint, took = call.arguments["name"].removeprefix("kubernetes-"), (self.clock.now - call.began) / SECOND
        message = f"Could not create route {hint} {cidr} for node {name} after {took:.6g}s: {why}"
        subject = {"kind": "Node", "apiVersion": "", "metadata": {"name": name, "uid": name}}
        self.recorder.event(subject, "Warning", "FailedToCreateRoute", message)
        self._say(name, *NOT_CREATED)

    def _compare(self, routes: list[Item]) -> None:
        there = {(route["node"], route["cidr"]) for route in routes if not route["blackhole"]}
        wanted = set()
        for node in self.informers.list("Node"):
            name, cidr = meta.name(node), node["spec"].get("podCIDR")
            if not cidr:
                continue
            wanted.add((name, cidr))
            if (name, cidr) in there:
                self._say(name, *CREATED)
            else:
                self.queue.add(f"create/{name}")
        for route in routes:
            if route["blackhole"] or (route["node"], route["cidr"]) not in wanted:
                self.queue.add(f"delete/{route['name']}")

    def _say(self, name: str, status: str, reason: str, message: str) -> None:
        """NetworkUnavailable, unless the node says so already."""
        node = self.informers.get("Node", "", name)
        known = conditions.get(node, "NetworkUnavailable") if node is not None else None
        if node is None or (known is not None and known["status"] == status):
            return
        now = self.clock.stamp()
        condition: Manifest = {"type": "NetworkUnavailable", "status": status, "lastHeartbeatTime": now}
        condition |= {"lastTransitionTime": now, "reason": reason, "message": message}
        found = conditions.put((node.get("status") or {}).get("conditions"), condition)
        self.client.patch("Node", "", name, {"status": {"conditions": found}}, "status")
