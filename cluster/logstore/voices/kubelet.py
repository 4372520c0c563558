"""A node's kubelet: the pods that it saw, started, probed, backed off from and killed, and its own node.

It is asked about what it wrote, so a kubelet without power says nothing.

Mirrors:  kubernetes/pkg/kubelet (kubelet.go, pod_workers.go, kuberuntime, prober, kubelet_node_status.go, setters.go)
Left out: volumes, image pulls (they have no line at --v=2), the startup duration of a pod.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from cluster.kubelet.node_status import VERSION
from cluster.logstore.klog import Value
from cluster.logstore.voices.saying import Change, Said, Step, ref
from cluster.objects import Manifest, conditions, meta, pods

COMPONENT = "kubelet"
WAITS = ("CrashLoopBackOff", "ImagePullBackOff", "ErrImagePull", "InvalidImageName", "ErrImageNeverPull")
BROKEN = (*WAITS, "CreateContainerConfigError", "CreateContainerError", "RunContainerError")
NODE_EVENTS = ("NodeReady", "NodeNotReady", "NodeHasSufficientMemory", "NodeHasNoDiskPressure", "NodeHasSufficientPID")
FIELD = re.compile(r"\{(.*)\}")


def speak(step: Step) -> Iterator[Said]:
    for change in step.changes:
        if change.where == "pods":
            yield from _pod(change)
        elif change.where == "minions":
            yield from _node(change)
    yield from _events(step)


def _pod(change: Change) -> Iterator[Said]:
    """What its status says that it did not say before."""
    if change.verb == "delete":
        yield _loop("SyncLoop REMOVE", change.ref)
        return
    old, pod = change.old, change.new
    if old is None:
        return
    before, status = old.get("status") or {}, pod.get("status") or {}
    if "startTime" in status and "startTime" not in before:
        yield _loop("SyncLoop ADD", change.ref)
    were = {each["name"]: each for each in _containers(before)}
    for container in _containers(status):
        yield from _container(pod, were.get(container["name"]) or {}, container)
    if _is_ready(pod) and not _is_ready(old):
        values: dict[str, Value] = {"probe": "readiness", "status": "ready", "pod": change.ref}
        if any("readinessProbe" in each for each in pods.everyone(pod)):
            yield Said("kubelet.go:2704", "SyncLoop (probe)", values)


def _loop(message: str, pod: str) -> Said:
    source = {"SyncLoop ADD": "kubelet.go:2537", "SyncLoop DELETE": "kubelet.go:2553"}.get(message, "kubelet.go:2547")
    return Said(source, message, {"source": "api", "pods": [pod]})


def _containers(status: Manifest) -> list[Manifest]:
    kinds = ("initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses")
    return [each for kind in kinds for each in status.get(kind) or ()]


def _is_ready(pod: Manifest) -> bool:
    return conditions.is_true(pod, "Ready")


def _container(pod: Manifest, was: Manifest, now: Manifest) -> Iterator[Said]:
    old, new = was.get("state") or {}, now.get("state") or {}
    ended = new.get("terminated") or (now.get("lastState") or {}).get("terminated")
    ended_before = old.get("terminated") or (was.get("lastState") or {}).get("terminated")
    running = "running" in new and (now.get("containerID") != was.get("containerID") or "running" not in old)
    if ended and ended.get("containerID") and ended.get("containerID") != (ended_before or {}).get("containerID"):
        identity = ended["containerID"].rpartition("/")[2]
        values: dict[str, Value] = {"podID": meta.uid(pod), "containerID": identity, "exitCode": ended["exitCode"]}
        yield Said("generic.go:358", "Generic (PLEG): container finished", values)
        yield _lifecycle(pod, "ContainerDied", identity)
    if running:
        yield _lifecycle(pod, "ContainerStarted", str(now.get("containerID", "")).rpartition("/")[2])
    waits = new.get("waiting") or {}
    if waits.get("reason") in BROKEN and waits != old.get("waiting"):
        problem = f'failed to "StartContainer" for "{now["name"]}" with {waits["reason"]}: "{waits.get("message", "")}"'
        yield _not_synced(meta.key(pod), meta.uid(pod), problem)


def _lifecycle(pod: Manifest, kind: str, container: str) -> Said:
    event = {"ID": meta.uid(pod), "Type": kind, "Data": container}
    return Said("kubelet.go:2569", "SyncLoop (PLEG): event for pod", {"pod": meta.key(pod), "event": event})


def _not_synced(pod: str, uid: str, problem: str) -> Said:
    values: dict[str, Value] = {"err": problem, "pod": pod, "podUID": uid}
    return Said("pod_workers.go:1324", "Error syncing pod, skipping", values, "E")


def _events(step: Step) -> Iterator[Said]:
    told: set[str] = set()
    for _event, about, reason, message in step.events():
        pod, uid = ref(about), str(about.get("uid", ""))
        if reason == "Killing":
            found = step.find(f"/registry/pods/{pod}", step.changes[0].row)
            if message.startswith("Stopping container") and uid not in told:
                told.add(uid)
                yield _loop("SyncLoop DELETE", pod)
            yield _killing(pod, uid, _field(about), found)
        elif reason == "Unhealthy":
            probe, _, output = message.partition(" probe failed: ")
            if output:
                values: dict[str, Value] = {
                    "probeType": probe,
                    "pod": pod,
                    "podUID": uid,
                    "containerName": _field(about),
                }
                values |= {"probeResult": "failure", "output": output}
                yield Said("prober.go:120", "Probe failed", values)
        elif reason == "FailedCreatePodSandBox":
            name = f"{about.get('name')}_{about.get('namespace')}({uid})"
            problem = f'failed to "CreatePodSandbox" for "{name}" with CreatePodSandboxError: "{message}"'
            yield _not_synced(pod, uid, problem)
        elif reason == "Evicted":
            yield Said("eviction_manager.go:624", "Eviction manager: pod is evicted successfully", {"pod": pod})
        elif reason in NODE_EVENTS:
            values = {"node": about.get("name", ""), "event": reason}
            yield Said("kubelet_node_status.go:736", "Recording event message for node", values)
        elif reason == "Starting":
            yield Said("kubelet.go:2434", "Starting kubelet main sync loop", {})


def _killing(pod: str, uid: str, container: str, found: Manifest | None) -> Said:
    """How long it has, and its id, are what the pod said then."""
    values: dict[str, Value] = {"pod": pod, "podUID": uid, "containerName": container}
    if found is not None:
        ids = [
            each.get("containerID", "") for each in _containers(found.get("status") or {}) if each["name"] == container
        ]
        grace = found["metadata"].get(
            "deletionGracePeriodSeconds", found["spec"].get("terminationGracePeriodSeconds", 30)
        )
        values |= {"containerID": ids[0] if ids else "", "gracePeriod": grace}
    return Said("kuberuntime_container.go:809", "Killing container with a grace period", values)


def _field(about: Manifest) -> str:
    """The container that an Event is about: `spec.containers{app}`."""
    found = FIELD.search(str(about.get("fieldPath", "")))
    return found[1] if found else ""


def _node(change: Change) -> Iterator[Said]:
    name = meta.name(change.new)
    if change.verb == "create":
        yield Said("kubelet_node_status.go:76", "Attempting to register node", {"node": name})
        yield Said("kubelet_node_status.go:79", "Successfully registered node", {"node": name})
        return
    before, now = conditions.get(change.old or {}, "Ready"), conditions.get(change.new, "Ready")
    if now and before and now["status"] == "False" != before["status"]:
        yield Said("setters.go:618", "Node became not ready", {"node": name, "condition": now})


def power(kind: str, subject: str, body: Mapping[str, Any]) -> Iterator[Said]:
    """A machine has power from now on."""
    yield Said("server.go:530", "Kubelet version", {"kubeletVersion": VERSION}, component=COMPONENT, node=subject)
