"""A node's container runtime: is it running, what does it look after, and what did the kubelet last ask of it.

Read next: dashboard/crictl.py, cluster/runtime/cri.py.
"""

from typing import Any

from cluster.kubelet import committed
from cluster.objects import Manifest, meta
from dashboard import crictl, observed
from dashboard.panels.panel import View

CONTAINER = ("id", "image", "created", "state", "name", "attempt", "sandbox", "pod", "namespace")
MOST = 60  # Calls and containers shown; `manage.py crictl` has them all.


def context(view: View, kind: str, key: str, obj: Manifest | None) -> dict[str, Any]:
    """`runtime`, `stopped`, `containers` (of crictl ps -a), `calls`: the latest first, `at` in seconds since t = 0."""
    if obj is None:
        return {}
    node, row = meta.name(obj), view.cluster
    machine, found = observed.machine(row, node), crictl.records(row, node)
    calls = committed.dialogue(found, machine, row.sim_now)
    return {
        "node": node,
        "runtime": committed.runtime_of(machine),
        "powered": bool(machine.get("power")),
        "stopped": bool(committed.refusal(machine)),
        "containers": [dict(zip(CONTAINER, each, strict=True)) for each in crictl.ps(row, found, True)[:MOST]],
        "calls": [{**call._asdict(), "at": f"{call.at / 1e6:.3f}"} for call in reversed(calls[-MOST:])],
        "more": max(len(calls) - MOST, 0),
    }
