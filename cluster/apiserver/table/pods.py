"""A pod in one line: READY, STATUS and RESTARTS are a story told from many fields.

STATUS is not the phase. It is the most telling reason found on the way: init containers in their order until one that
is not done, else the app containers from the last to the first; a deletion on top.

Mirrors:  kubernetes/pkg/printers/internalversion/printers.go (printPod)
"""

from dataclasses import dataclass
from typing import Any

from cluster.apiserver.table.columns import AGE, NAME, Column
from cluster.apiserver.table.durations import since
from cluster.objects import Manifest, meta

COLUMNS = (
    NAME,
    Column("Ready", text="The aggregate readiness state of this pod for accepting traffic."),
    Column("Status", text="The aggregate status of the containers in this pod."),
    Column(
        "Restarts",
        text=(
            "The number of times the containers in this pod have been restarted and when the last container in this"
            " pod has restarted."
        ),
    ),
    AGE,
    Column("IP", doc="core_v1.PodStatus.podIP", wide=True, joint=" "),
    Column("Node", doc="core_v1.PodSpec.nodeName", wide=True),
    Column("Nominated Node", doc="core_v1.PodStatus.nominatedNodeName", wide=True),
    Column("Readiness Gates", doc="core_v1.PodSpec.readinessGates", wide=True),
)

_SUCCEEDED = ("Succeeded", "The pod has completed successfully.")
_FAILED = ("Failed", "The pod failed.")


@dataclass
class _Tally:
    """What is counted on the way. `last`: when the newest restart was, RFC 3339."""

    ready: int = 0
    total: int = 0
    restarts: int = 0
    last: str = ""
    reason: str = ""

    def restarted(self, status: Manifest) -> None:
        self.restarts += status.get("restartCount", 0)
        ended = (status.get("lastState") or {}).get("terminated") or {}
        self.last = max(self.last, ended.get("finishedAt") or "")


def cells(pod: Manifest, now: int) -> list[Any]:
    spec, status = pod.get("spec") or {}, pod.get("status") or {}
    tally = _tally(pod)
    restarts = str(tally.restarts)
    if tally.restarts and tally.last:
        restarts += f" ({since(tally.last, now)} ago)"
    ips = status.get("podIPs") or []
    return [
        meta.name(pod),
        f"{tally.ready}/{tally.total}",
        tally.reason,
        restarts,
        since(pod["metadata"].get("creationTimestamp"), now),
        (ips[0].get("ip") if ips else status.get("podIP")) or "<none>",
        spec.get("nodeName") or "<none>",
        status.get("nominatedNodeName") or "<none>",
        _gates(spec, status),
    ]


def in_short(pod: Manifest) -> tuple[str, str, int]:
    """READY, STATUS and RESTARTS, as a map shows them: without the time."""
    tally = _tally(pod)
    return f"{tally.ready}/{tally.total}", tally.reason, tally.restarts


def conditions(pod: Manifest) -> list[Manifest]:
    """A row of a pod that is done says so: kubectl can leave such rows out."""
    told = {"Succeeded": _SUCCEEDED, "Failed": _FAILED}.get((pod.get("status") or {}).get("phase", ""))
    return [{"type": "Completed", "status": "True", "reason": told[0], "message": told[1]}] if told else []


def _tally(pod: Manifest) -> _Tally:
    spec, status = pod.get("spec") or {}, pod.get("status") or {}
    init = {c["name"]: c for c in spec.get("initContainers") or ()}
    sidecars = {name for name, c in init.items() if c.get("restartPolicy") == "Always"}
    tally = _Tally(total=len(spec.get("containers") or ()) + len(sidecars))
    tally.reason = status.get("reason") or status.get("phase") or ""
    known = {c["type"]: c for c in status.get("conditions") or ()}
    if known.get("PodScheduled", {}).get("reason") == "SchedulingGated":
        tally.reason = "SchedulingGated"

    sidecar_restarts = _Tally()
    initializing = _count_init(tally, sidecar_restarts, status, sidecars, len(init))
    if not initializing or known.get("Initialized", {}).get("status") == "True":
        tally.restarts, tally.last = sidecar_restarts.restarts, sidecar_restarts.last
        running = _count_containers(tally, status)
        if tally.reason == "Completed" and running:
            tally.reason = "Running" if known.get("Ready", {}).get("status") == "True" else "NotReady"
    if meta.is_deleting(pod):
        if status.get("reason") == "NodeLost":
            tally.reason = "Unknown"
        elif status.get("phase") not in ("Succeeded", "Failed"):
            tally.reason = "Terminating"
    return tally


def _count_init(tally: _Tally, sidecar: _Tally, status: Manifest, sidecars: set[str], declared: int) -> bool:
    """Go through the init containers until one is not done. True if there is one."""
    for number, container in enumerate(status.get("initContainerStatuses") or ()):
        tally.restarted(container)
        if container["name"] in sidecars:
            sidecar.restarted(container)
        state = container.get("state") or {}
        ended, waiting = state.get("terminated"), state.get("waiting") or {}
        if ended and not ended.get("exitCode"):
            continue
        if container["name"] in sidecars and container.get("started"):
            tally.ready += bool(container.get("ready"))
            continue
        if ended:
            tally.reason = f"Init:{_ending(ended)}"
        elif waiting.get("reason") and waiting["reason"] != "PodInitializing":
            tally.reason = f"Init:{waiting['reason']}"
        else:
            tally.reason = f"Init:{number}/{declared}"
        return True
    return False


def _count_containers(tally: _Tally, status: Manifest) -> bool:
    """Go through the app containers, the first having the last word. True if one runs and is ready."""
    running = False
    for container in reversed(status.get("containerStatuses") or ()):
        tally.restarted(container)
        state = container.get("state") or {}
        waiting, ended = state.get("waiting") or {}, state.get("terminated")
        if waiting.get("reason"):
            tally.reason = waiting["reason"]
        elif ended:
            tally.reason = _ending(ended)
        elif container.get("ready") and state.get("running") is not None:
            running = True
            tally.ready += 1
    return running


def _ending(ended: Manifest) -> str:
    if ended.get("reason"):
        return str(ended["reason"])
    return f"Signal:{ended['signal']}" if ended.get("signal") else f"ExitCode:{ended.get('exitCode', 0)}"


def _gates(spec: Manifest, status: Manifest) -> str:
    """`1/2`: how many readiness gates are True."""
    gates = [gate["conditionType"] for gate in spec.get("readinessGates") or ()]
    if not gates:
        return "<none>"
    true = {c["type"] for c in status.get("conditions") or () if c["status"] == "True"}
    return f"{sum(gate in true for gate in gates)}/{len(gates)}"
