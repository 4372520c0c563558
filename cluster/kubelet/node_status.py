"""What a kubelet says of its machine: the Node object it registers and the status it keeps up to date.

Mirrors:  kubernetes/pkg/kubelet/kubelet_node_status.go (initialNode), pkg/kubelet/nodestatus/setters.go
Left out: hugepages, features, runtime handlers.
"""

from collections.abc import Collection
from typing import Any

from cluster.engine.clock import MINUTE, SECOND
from cluster.kubelet.restarts import go_duration
from cluster.objects import Manifest, nodes, quantity
from cluster.objects.amounts import Amount, Amounts
from cluster.runtime import machines, noise
from cluster.runtime.machines import Machine

VERSION = "v1.37.2"
ARCHITECTURE, SYSTEM = "amd64", "linux"
KERNEL, OS_IMAGE = "6.1.0", "Debian GNU/Linux 12 (bookworm)"
PORT = 10250
IMAGES_REPORTED = 50

FINE = (
    ("MemoryPressure", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
    ("DiskPressure", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
    ("PIDPressure", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
)
SHORT = {
    "MemoryPressure": ("KubeletHasInsufficientMemory", "kubelet has insufficient memory available"),
    "DiskPressure": ("KubeletHasDiskPressure", "kubelet has disk pressure"),
    "PIDPressure": ("KubeletHasInsufficientPID", "kubelet has insufficient PID available"),
}
TOLD = {  # Of a condition that has changed: the event's reason.
    ("MemoryPressure", "True"): "NodeHasInsufficientMemory",
    ("MemoryPressure", "False"): "NodeHasSufficientMemory",
    ("DiskPressure", "True"): "NodeHasDiskPressure",
    ("DiskPressure", "False"): "NodeHasNoDiskPressure",
    ("PIDPressure", "True"): "NodeHasInsufficientPID",
    ("PIDPressure", "False"): "NodeHasSufficientPID",
}
NO_NETWORK = (
    "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady "
    "message:Network plugin returns error: cni plugin not initialized"
)


RUNTIME_DOWN = "container runtime is down"
PLEG = "PLEG is not healthy: pleg was last seen active {ago} ago; threshold is 3m0s"
DOWN_AFTER = 30 * SECOND  # A runtime that was silent for so long is down …
PLEG_AFTER = 3 * MINUTE  # … and for so long nobody has seen an event of its pods.


def silence(lasted: int) -> str:
    """The trouble with a runtime that has not answered for so many microseconds; the empty string if it is none yet."""
    if lasted < DOWN_AFTER:
        return ""
    if lasted < PLEG_AFTER:
        return RUNTIME_DOWN
    return f"[{RUNTIME_DOWN}, {PLEG.format(ago=go_duration(lasted // SECOND * SECOND))}]"


def address_of(machine: Machine) -> str:
    """The address that the kubelet finds on its machine's network card."""
    return machines.address(machine)


def initial_node(name: str, machine: Machine, status: Manifest) -> Manifest:
    """The object that a kubelet creates when nobody of its name is there."""
    labels = {
        "beta.kubernetes.io/arch": ARCHITECTURE,
        "beta.kubernetes.io/os": SYSTEM,
        "kubernetes.io/arch": ARCHITECTURE,
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": SYSTEM,
        **(machine.get("labels") or {}),
    }
    annotations = {"volumes.kubernetes.io/controller-managed-attach-detach": "true"}
    taints = [
        {k: taint[k] for k in ("key", "value", "effect") if taint.get(k)} for taint in machine.get("taints") or ()
    ]
    if machine.get("cloud"):  # --cloud-provider=external: somebody else has to say what this machine is.
        taints.append({"key": nodes.UNINITIALIZED, "value": "true", "effect": "NoSchedule"})
    return {
        "kind": "Node",
        "apiVersion": "v1",
        "metadata": {"name": name, "labels": dict(sorted(labels.items())), "annotations": annotations},
        "spec": {"taints": taints} if taints else {},
        "status": status,
    }


def status_of(
    old: Manifest,
    machine: Machine,
    images: dict[str, Any],
    now: str,
    seed: int,
    runtime: str,
    trouble: str,
    pressures: Collection[str] = (),
    reserved: Amounts | None = None,
) -> Manifest:
    """The status now. `trouble`: why no pod can be started here; the node is ready if it is the empty string.

    `pressures`: the conditions of what it is short of; `reserved`: what pods may not ask for.
    """
    resources = {
        "cpu": str(machine["cpu"]),
        "ephemeral-storage": str(machine.get("storage", machines.STORAGE)),
        "memory": str(machine["memory"]),
        "pods": str(machine["pods"]),
    }
    known = {condition["type"]: condition for condition in old.get("conditions") or ()}
    wanted = [
        (type_, "True", *SHORT[type_]) if type_ in pressures else (type_, "False", reason, message)
        for type_, reason, message in FINE
    ]
    if trouble:
        wanted.append(("Ready", "False", "KubeletNotReady", trouble))
    else:
        wanted.append(("Ready", "True", "KubeletReady", "kubelet is posting ready status"))
    ours = {type_ for type_, *_ in wanted}
    conditions = [condition for type_, condition in known.items() if type_ not in ours]
    return {
        **{key: value for key, value in old.items() if key not in ("conditions", "images")},
        "capacity": resources,
        "allocatable": {name: _without(text, (reserved or {}).get(name)) for name, text in resources.items()},
        "conditions": conditions + [_condition(known.get(w[0]), *w, now) for w in wanted],
        "addresses": _addresses(old, machine),
        "daemonEndpoints": {"kubeletEndpoint": {"Port": PORT}},
        "nodeInfo": _info(machine, seed, runtime),
        **({"images": _images(images)} if images else {}),
    }


def _without(text: str, reserved: Amount | None) -> str:
    """What is left of a quantity; nothing less than nothing."""
    if reserved is None:
        return text
    whole = Amount(*quantity.parse(text))
    return str(whole._replace(nano=max(whole.nano - reserved.nano, 0)))


def news(old: Manifest, new: Manifest) -> list[str]:
    """Reasons of the events about pressures that began or ended between two statuses."""
    before = {condition["type"]: condition["status"] for condition in old.get("conditions") or ()}
    after = {condition["type"]: condition["status"] for condition in new["conditions"]}
    return [reason for (type_, status), reason in TOLD.items() if after[type_] == status != before.get(type_)]


def _addresses(old: Manifest, machine: Machine) -> list[Manifest]:
    """In a cloud the cloud's word counts; until it came, the kubelet knows its machine's name and no more."""
    hostname = {"type": "Hostname", "address": machine["name"]}
    if machine.get("cloud"):
        return old.get("addresses") or [hostname]
    return [{"type": "InternalIP", "address": machines.address(machine)}, hostname]


def _info(machine: Machine, seed: int, runtime: str) -> Manifest:
    boot, digits = machine.get("boot", 1), noise.hexadecimal(32, seed, 1)
    return {
        "machineID": digits,
        "systemUUID": _uuid(digits),
        "bootID": _uuid(noise.hexadecimal(32, seed, 2, boot)),
        "kernelVersion": KERNEL,
        "osImage": OS_IMAGE,
        "containerRuntimeVersion": runtime,
        "kubeletVersion": VERSION,
        "kubeProxyVersion": "",
        "operatingSystem": SYSTEM,
        "architecture": ARCHITECTURE,
    }


def _uuid(digits: str) -> str:
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:32]))


def _images(images: dict[str, Any]) -> list[Manifest]:
    """The largest first, as the scheduler's ImageLocality wants to know them."""
    ordered = sorted(images.items(), key=lambda item: (-item[1]["size"], item[0]))[:IMAGES_REPORTED]
    return [{"names": [image["pinned"], name], "sizeBytes": image["size"]} for name, image in ordered]


def _condition(old: Manifest | None, type_: str, status: str, reason: str, message: str, now: str) -> Manifest:
    moved = old is None or old["status"] != status
    return {
        "type": type_,
        "status": status,
        "lastHeartbeatTime": now,
        "lastTransitionTime": now if moved or old is None else old["lastTransitionTime"],
        "reason": reason,
        "message": message,
    }
