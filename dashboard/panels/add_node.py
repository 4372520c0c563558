"""The sheet for a new node: name, size, zone and container runtime."""

from typing import Any

from cluster.cloud.inventory import ZONES
from cluster.cloud.provider import state_of
from cluster.kubelet import committed
from cluster.objects import meta
from dashboard import reads
from dashboard.panels import cloud
from dashboard.panels.panel import Panel, View


def context(view: View) -> dict[str, Any]:
    """The suggested name is the first free worker-N."""
    taken = {meta.name(node) for node in reads.listing(view.cluster, "Node")}
    number = next(n for n in range(1, len(taken) + 2) if f"worker-{n}" not in taken)
    state = state_of(cloud.cells_of(view.cluster).get("api/state"))
    return {"name": f"worker-{number}", "zones": ZONES, "on": state["on"], "runtimes": committed.RUNTIMES}


PANEL = Panel("add-node", context)
