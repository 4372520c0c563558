"""A node's container runtime: is it running, what does it look after, and what did the kubelet last ask of it.

Read next: dashboard/crictl.py, cluster/runtime/dialogue.py.
"""

import re
from typing import Any

from cluster.kubelet import committed
from cluster.objects import Manifest, meta
from dashboard import crictl, observed
from dashboard.panels.panel import View

CONTAINER = ("id", "image", "created", "state", "name", "attempt", "sandbox", "pod", "namespace")
ID = re.compile(r"\b([0-9a-f]{13})[0-9a-f]{51}\b")  # As crictl shortens it.
MOST = 60  # Containers shown; `manage.py crictl` has them all.


def context(view: View, kind: str, key: str, obj: Manifest | None) -> dict[str, Any]:
    """`runtime`, `stopped`, `containers` (of crictl ps -a), `calls`: the latest first; see crictl.calls."""
    if obj is None:
        return {}
    node, row = meta.name(obj), view.cluster
    machine = observed.machine(row, node)
    seen = crictl.seen(row, node, machine)
    there = committed.crictl.containers(seen, everything=True)[:MOST]
    return {
        "node": node,
        "runtime": committed.runtime_of(machine),
        "powered": bool(machine.get("power")),
        "stopped": bool(committed.refusal(machine)),
        "containers": [dict(zip(CONTAINER, each, strict=True)) for each in committed.crictl.ps(seen, there)],
        "calls": [
            {**call, **{text: ID.sub(r"\1…", call[text]) for text in ("request", "answer")}}
            for call in reversed(crictl.calls(row, node))
        ],
    }
