"""A node's container runtime, from committed rows: what `crictl` says there, and what the kubelet asked.

Read next: cluster/runtime/crictl.py, cluster/runtime/dialogue.py.
"""

from typing import Any

import orjson

from cluster.kubelet import committed
from cluster.models import Cluster, CriCall
from dashboard import observed


def seen(cluster: Cluster, node: str, machine: dict[str, Any]) -> committed.crictl.Seen:
    """What there is on a node at the committed moment."""
    return committed.crictl.seen(node, machine, observed.records(cluster), cluster.sim_now, cluster.epoch)


def calls(cluster: Cluster, node: str) -> list[dict[str, Any]]:
    """The calls to a node's runtime, in order: seconds since t = 0, milliseconds (None: not answered yet), words."""
    low = f"{cluster.pk}:{node}/"
    rows = CriCall.objects.filter(pk__gte=low, pk__lt=low[:-1] + "0").values_list("pk", "body")
    cells = {key: orjson.loads(bytes(body)) for key, body in rows}
    return [
        {
            "at": f"{call.asked / 1e6:.3f}",
            "took": None if is_open or call.took is None else f"{call.took / 1e3:.0f}",
            "call": call.call,
            "about": call.about,
            "request": call.request,
            "answer": "" if is_open else call.answer,
            "failed": not is_open and call.failed,
        }
        for call, is_open in committed.calls(cells, cluster.sim_now)
    ]
