"""The sheet for a new node: name and size."""

from typing import Any

from cluster.objects import meta
from dashboard import reads
from dashboard.panels.panel import Panel, View


def context(view: View) -> dict[str, Any]:
    """The suggested name is the first free worker-N."""
    taken = {meta.name(node) for node in reads.listing(view.cluster, "Node")}
    number = next(n for n in range(1, len(taken) + 2) if f"worker-{n}" not in taken)
    return {"name": f"worker-{number}"}


PANEL = Panel("add-node", context)
