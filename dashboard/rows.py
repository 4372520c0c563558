"""API objects as the map sees them: a pod or a node becomes one small row, a revision one line of the log.

Rows are plain data, built on the server once for all browsers. Their keys are short because a cluster of
10,000 pods is a snapshot of 10,000 rows:

    pod      k key, n node, s state, t status text, r ready count, x restarts, o owner,
             c and m: requested CPU (millicores) and memory (MiB)
    node     k name, s Ready | NotReady | Unknown, u cordoned, p power, b last lease renewal, tn taints,
             c, m, pods: allocatable, z zone, rt runtime, v kubelet version
    message  r revision, t time, st step, a actor, v verb, d kind, p plural, k key, l label, c causes

`state` decides shape and colour of a pod on the map; the text is what `kubectl get pods` prints in STATUS.
"""

from typing import Any, NamedTuple

from cluster.apiserver.table import pods as table
from cluster.objects import Manifest, meta, quantity

Row = dict[str, Any]

BROKEN = frozenset(
    (
        "CrashLoopBackOff",
        "ImagePullBackOff",
        "ErrImagePull",
        "ErrImageNeverPull",
        "InvalidImageName",
        "CreateContainerConfigError",
        "CreateContainerError",
        "RunContainerError",
        "ContainerCannotRun",
        "Error",
        "OOMKilled",
    )
)
LEASES = "kube-node-lease"


def pod_row(pod: Manifest) -> Row:
    """One chip on the map."""
    containers = pod.get("spec", {}).get("containers", [])
    owner, (ready, status, restarts) = meta.controller_of(pod), table.in_short(pod)
    row: Row = {
        "k": meta.key(pod),
        "n": pod.get("spec", {}).get("nodeName", ""),
        "s": pod_state(pod, status),
        "t": status,
        "r": ready,
        "x": restarts,
        "c": sum(cpu_millis(_request(c, "cpu")) for c in containers),
        "m": sum(mebibytes(_request(c, "memory")) for c in containers),
    }
    if owner:
        row["o"] = f"{owner['kind']}/{owner['name']}"
    return row


def _request(container: Manifest, resource: str) -> str:
    return str(container.get("resources", {}).get("requests", {}).get(resource, "0"))


def cpu_millis(text: str) -> int:
    return quantity.milli(text)


def mebibytes(text: str) -> int:
    return quantity.value(text) >> 20


def pod_state(pod: Manifest, said: str) -> str:
    """run | notready | creating | pending | fail | term | done: which glyph a pod gets whose STATUS is `said`."""
    status = pod.get("status", {})
    if meta.is_deleting(pod):
        return "term"
    if status.get("phase") in ("Succeeded", "Failed"):
        return "done" if status["phase"] == "Succeeded" else "fail"
    if said.removeprefix("Init:") in BROKEN:
        return "fail"
    if not pod.get("spec", {}).get("nodeName"):
        return "pending"
    if condition(pod, "Ready").get("status") == "True":
        return "run"
    return "notready" if status.get("phase") == "Running" else "creating"


def condition(obj: Manifest, kind: str) -> Manifest:
    """The condition of type `kind`, or {}."""
    found = (c for c in obj.get("status", {}).get("conditions") or [] if c.get("type") == kind)
    return next(found, {})


def node_row(node: Manifest, powered: bool, beat: int | None) -> Row:
    """One card on the map. `beat`: simulated time of the last lease renewal that the API server saw."""
    ready = condition(node, "Ready").get("status", "Unknown")
    room = node.get("status", {}).get("allocatable", {})
    info = node.get("status", {}).get("nodeInfo", {})
    return {
        "k": meta.name(node),
        "s": {"True": "Ready", "False": "NotReady"}.get(ready, "Unknown"),
        "u": bool(node.get("spec", {}).get("unschedulable")),
        "p": powered,
        "b": beat,
        "tn": [f"{t['key']}:{t['effect']}" for t in node.get("spec", {}).get("taints") or []],
        "c": cpu_millis(str(room.get("cpu", "0"))),
        "m": mebibytes(str(room.get("memory", "0"))),
        "pods": int(room.get("pods", 0)),
        "z": meta.labels(node).get("topology.kubernetes.io/zone", ""),
        "rt": str(info.get("containerRuntimeVersion", "containerd")).partition(":")[0],
        "v": info.get("kubeletVersion", ""),
    }


class Stamp(NamedTuple):
    """Who wrote a revision, when, and why."""

    revision: int
    verb: str
    actor: str
    causes: list[str]
    step: int
    sim_time: int
    plural: str


def message_row(stamp: Stamp, obj: Manifest, had_node: bool) -> Row:
    """One write as it travels over the wires. `had_node`: the pod had a node before this write."""
    return {
        "r": stamp.revision,
        "t": stamp.sim_time,
        "st": stamp.step,
        "a": stamp.actor,
        "v": stamp.verb,
        "d": obj["kind"],
        "p": stamp.plural,
        "k": meta.key(obj),
        "l": label(obj["kind"], stamp.verb, stamp.actor, obj, had_node),
        "c": stamp.causes[-3:],
    }


def label(kind: str, verb: str, actor: str, obj: Manifest, had_node: bool) -> str:
    """The word on the message: what a person would call this write."""
    if kind == "Pod" and verb == "update":
        if obj.get("spec", {}).get("nodeName") and not had_node:
            return "bind"
        if meta.is_deleting(obj):
            return "terminating"
        return "status" if actor.startswith(("kubelet", "system:node")) else "update"
    if kind == "Node" and verb == "update":
        return "status" if actor.startswith(("kubelet", "system:node")) else "update"
    return verb
