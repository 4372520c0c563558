"""What a kubelet reports of a pod, computed from the containers that exist: nothing in here decides or waits.

    phase       Pending until every container has started once; Running; Succeeded or Failed when nothing
                will run again
    conditions  PodReadyToStartContainers (it has an address), Initialized, Ready, ContainersReady,
                PodScheduled

A condition's lastTransitionTime moves only when its status does.

Mirrors:  kubernetes/pkg/kubelet/kubelet_pods.go (generateAPIPodStatus, convertStatusToAPIStatus, getPhase),
          pkg/kubelet/status/generate.go
Left out: user, volumeMounts and allocatedResourcesStatus of containers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from cluster.objects import Manifest, quantity, times
from cluster.runtime import images, runtimes
from cluster.runtime.containers import Record

RESIZES = ("PodResizePending", "PodResizeInProgress")
NEVER = "1970-01-01T00:00:00Z"
Reason = Sequence[str]  # [reason, message]


@dataclass
class View:
    """What the kubelet sees of one pod. Times in records: microseconds since t = 0."""

    now: str
    epoch: int
    host: str
    address: str | None = None  # The pod's, once it has a sandbox.
    records: dict[str, list[Record]] = field(default_factory=dict)  # By container, oldest first.
    waiting: Mapping[str, Reason] = field(default_factory=dict)
    unready: frozenset[str] = frozenset()  # Running, but not ready, as their probes say …
    unstarted: frozenset[str] = frozenset()  # … or not even up.
    runtime: str = "containerd"
    ending: bool = False  # The pod is over: it was deleted.
    resizing: Sequence[tuple[str, str, str, int]] = ()  # (type, reason, message, generation) of its conditions.
    failed: Reason = ()  # [reason, message]: it failed as a whole; a third: the reason of its DisruptionTarget.


def build(pod: Manifest, view: View) -> Manifest:
    """The whole status, fields in the real order."""
    spec, old = pod["spec"], pod.get("status") or {}
    inits, mains = spec.get("initContainers") or [], spec["containers"]
    init_statuses = [_container(container, view, bool(inits), True) for container in inits]
    statuses = [_container(container, view, bool(inits), False) for container in mains]
    phase = "Failed" if view.failed else _phase(spec, inits, init_statuses, statuses, view.ending)
    generation = pod["metadata"].get("generation")
    status: Manifest = {"observedGeneration": generation} if generation else {}
    status["phase"] = phase
    status["conditions"] = _conditions(pod, phase, inits, init_statuses, statuses, view)
    said = {"message": view.failed[1], "reason": view.failed[0]} if view.failed else {}
    for key in ("message", "reason", "nominatedNodeName"):
        if key in said or key in old:
            status[key] = said.get(key, old.get(key))
    status["hostIP"] = view.host
    status["hostIPs"] = [{"ip": view.host}]
    address = view.address or old.get("podIP")
    if address:
        status["podIP"] = address
        status["podIPs"] = [{"ip": address}]
    status["startTime"] = old.get("startTime") or view.now
    if inits:
        status["initContainerStatuses"] = init_statuses
    status["containerStatuses"] = statuses
    if spec.get("ephemeralContainers"):
        status["ephemeralContainerStatuses"] = [_ephemeral(each, view) for each in spec["ephemeralContainers"]]
    if "qosClass" in old:
        status["qosClass"] = old["qosClass"]
    return status


# --- containers ---------------------------------------------------------------------------------------------


def _container(container: Manifest, view: View, has_inits: bool, is_init: bool) -> Manifest:
    name = container["name"]
    records = view.records.get(name) or ()
    latest = records[-1] if records else None
    waiting = view.waiting.get(name)
    if latest is None and waiting is None:
        waiting = ("PodInitializing", "") if has_inits else ("ContainerCreating", "")
    running = latest is not None and latest["ended"] is None and latest["started"] is not None
    last_state: Manifest = {}
    if latest is not None and waiting is not None and not running:
        last_state = {"terminated": terminated(latest, view)}
    elif len(records) > 1:
        last_state = {"terminated": terminated(records[-2], view)}
    if running and latest is not None:
        state: Manifest = {"running": {"startedAt": times.rfc3339(view.epoch + latest["started"])}}
    elif waiting is not None:
        state = {"waiting": {"reason": waiting[0], **({"message": waiting[1]} if waiting[1] else {})}}
    else:
        state = {"terminated": terminated(latest or {}, view)}
    status: Manifest = {"name": name, "state": state, "lastState": last_state}
    finished = latest is not None and latest["code"] == 0 and not waiting
    status["ready"] = finished if is_init and not _is_sidecar(container) else running and name not in view.unready
    status["restartCount"] = latest["attempt"] if latest is not None else 0
    if latest is None:
        status |= {"image": container["image"], "imageID": "", "started": False}
        return status
    status["image"], status["imageID"] = _image(latest["image"], view.runtime)
    status["containerID"] = f"{view.runtime}://{latest['id']}"
    status["started"] = running and name not in view.unstarted
    resources = container.get("resources")
    if running and resources:
        if resources.get("requests"):
            status["allocatedResources"] = resources["requests"]
        status["resources"] = _actual(resources, latest)
    return status


def _actual(resources: Manifest, record: Record) -> Manifest:
    """What a running container has: its limit on memory may still be an earlier one."""
    limit = (resources.get("limits") or {}).get("memory")
    if limit is None or record["memory"] is None or quantity.value(str(limit)) == record["memory"]:
        return resources
    limits = {**resources["limits"], "memory": quantity.written(record["memory"] * quantity.NANO, "binary")}
    return {**resources, "limits": limits}


def _ephemeral(container: Manifest, view: View) -> Manifest:
    """Nobody waits for it to be ready."""
    status = _container(container, view, False, False)
    return {name: value for name, value in {**status, "ready": False}.items() if name != "started"}


@lru_cache(maxsize=4096)
def _image(reference: str, runtime: str) -> tuple[str, str]:
    image = images.resolve(reference)
    return image.name, runtimes.of(runtime).pullable + image.pinned


def terminated(record: Record, view: View) -> Manifest:
    """How a container ended."""
    started = record["started"]
    state: Manifest = {"exitCode": record["code"], "reason": record["reason"]}
    if record["message"]:
        state["message"] = record["message"]
    state["startedAt"] = NEVER if started is None else times.rfc3339(view.epoch + started)
    state["finishedAt"] = times.rfc3339(view.epoch + record["ended"])
    state["containerID"] = f"{view.runtime}://{record['id']}"
    return state


def _is_sidecar(container: Manifest) -> bool:
    return container.get("restartPolicy") == "Always"


# --- phase --------------------------------------------------------------------------------------------------


def _phase(
    spec: Manifest,
    inits: list[Manifest],
    init_statuses: list[Manifest],
    statuses: list[Manifest],
    ending: bool,
) -> str:
    policy = spec.get("restartPolicy", "Always")
    for container, status in zip(inits, init_statuses, strict=True):
        ended = status["state"].get("terminated")
        if _is_sidecar(container) or (ended and ended["exitCode"] == 0):
            continue
        if policy == "Never" and ended:
            return "Failed"
        if not ending:
            return "Pending"
    codes = [status["state"]["terminated"]["exitCode"] for status in statuses if "terminated" in status["state"]]
    fresh = any("waiting" in status["state"] and not status["lastState"] for status in statuses)
    if fresh and not ending:
        return "Pending"
    served = any(
        _is_sidecar(each) and "running" in status["state"] for each, status in zip(inits, init_statuses, strict=True)
    )
    over = len(codes) == len(statuses) and not served
    if ending:
        return "Succeeded" if over and not any(codes) else "Failed"
    if not over or policy == "Always" or (policy == "OnFailure" and any(codes)):
        return "Running"
    return "Failed" if any(codes) else "Succeeded"


# --- conditions ---------------------------------------------------------------------------------------------


def _conditions(
    pod: Manifest,
    phase: str,
    inits: list[Manifest],
    init_statuses: list[Manifest],
    statuses: list[Manifest],
    view: View,
) -> list[Manifest]:
    old = {condition["type"]: condition for condition in (pod.get("status") or {}).get("conditions") or ()}
    lasting = [status for each, status in zip(inits, init_statuses, strict=True) if _is_sidecar(each)]
    unready = [status["name"] for status in (*lasting, *statuses) if not status["ready"]]
    connected = view.address is not None and phase not in ("Succeeded", "Failed")
    whole = _containers_ready(phase, unready)
    gates = [gate["conditionType"] for gate in pod["spec"].get("readinessGates") or ()]
    closed = [_closed(gate, old.get(gate)) for gate in gates if old.get(gate, {}).get("status") != "True"]
    ready = whole
    if whole[0] == "True" and closed:
        ready = ("False", "ReadinessGatesNotReady", ", ".join(closed))
    wanted = {
        "PodReadyToStartContainers": ("True" if connected else "False", "", ""),
        "Initialized": _initialized(phase, inits, init_statuses, statuses),
        "Ready": ready,
        "ContainersReady": whole,
        "PodScheduled": ("True", "", ""),
    }
    lasting_ones = {type_: condition for type_, condition in old.items() if type_ not in RESIZES}
    if len(view.failed) > 2:
        wanted["DisruptionTarget"] = ("True", view.failed[2], view.failed[1])
    generation = pod["metadata"].get("generation")
    conditions = [_condition(type_, wanted[type_], old.get(type_), generation, view.now) for type_ in wanted]
    resizing = [] if phase in ("Succeeded", "Failed") else view.resizing
    conditions += [_condition(t, ("True", why, text), old.get(t), seen, view.now) for t, why, text, seen in resizing]
    return conditions + [condition for type_, condition in lasting_ones.items() if type_ not in wanted]


def _closed(gate: str, condition: Manifest | None) -> str:
    """What is said of a readiness gate that keeps a pod from being ready."""
    if condition is None:
        return f'corresponding condition of pod readiness gate "{gate}" does not exist.'
    return f'the status of pod readiness gate "{gate}" is not "True", but {condition.get("status")}'


def _containers_ready(phase: str, unready: list[str]) -> tuple[str, str, str]:
    if phase == "Succeeded":
        return "False", "PodCompleted", ""
    if phase == "Failed":
        return "False", "PodFailed", ""
    if unready:
        return "False", "ContainersNotReady", f"containers with unready status: [{' '.join(unready)}]"
    return "True", "", ""


def _initialized(
    phase: str, inits: list[Manifest], statuses: list[Manifest], mains: list[Manifest]
) -> tuple[str, str, str]:
    if phase == "Succeeded":
        return "True", "PodCompleted", ""
    if any(status["state"].keys() & {"running", "terminated"} for status in mains):
        return "True", "", ""  # It was: a sidecar may be about to start again.
    incomplete = [
        status["name"]
        for container, status in zip(inits, statuses, strict=True)
        if not (status["started"] if _is_sidecar(container) else status["ready"])
    ]
    if incomplete:
        return (
            "False",
            "ContainersNotInitialized",
            f"containers with incomplete status: [{' '.join(incomplete)}]",
        )
    return "True", "", ""


def _condition(type_: str, wanted: tuple[str, str, str], old: Manifest | None, generation: Any, now: str) -> Manifest:
    status, reason, message = wanted
    condition: Manifest = {"type": type_}
    if generation:
        condition["observedGeneration"] = generation
    condition["status"] = status
    condition["lastProbeTime"] = None
    unchanged = old is not None and old["status"] == status
    condition["lastTransitionTime"] = old["lastTransitionTime"] if unchanged and old is not None else now
    if reason:
        condition["reason"] = reason
    if message:
        condition["message"] = message
    return condition
