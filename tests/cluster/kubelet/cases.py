"""Words for the kubelet's tests: machines, pods that are bound already, and what became of them."""

from typing import Any

from cluster.objects import Manifest, meta, times
from tests.builders import TestCluster, a_cluster, a_pod

SECOND = 1_000_000


def a_machine_room(nodes: int = 1, **options: Any) -> TestCluster:
    """Nodes that are Ready, and a default namespace that pods can be created in."""
    cluster = a_cluster(nodes=nodes, **options)
    return cluster.run_for(2)


def a_bound_pod(name: str, image: str = "nginx:1.27", node: str = "worker-1", **more: Any) -> Manifest:
    """A pod that has its node. `annotations`: of the pod; the rest as in `a_pod`."""
    annotations = more.pop("annotations", None)
    container = {key: more.pop(key) for key in ("imagePullPolicy", "lifecycle", "readinessProbe") if key in more}
    pod = a_pod(name, image, nodeName=node, **more)
    pod["spec"]["containers"][0] |= container
    if annotations:
        pod["metadata"]["annotations"] = annotations
    return pod


def a_script(text: str, **more: Any) -> dict[str, Any]:
    """Fields of a pod whose container runs a shell script."""
    return {"image": "busybox:1.36", "command": ["sh", "-c", text], **more}


def phase(cluster: TestCluster, name: str) -> str:
    pod = cluster.get("Pod", name)
    return "gone" if pod is None else pod["status"]["phase"]


def container(cluster: TestCluster, name: str, which: int = 0, field: str = "containerStatuses") -> Manifest:
    """The reported status of a container; ContainerCreating if its kubelet has not reported yet."""
    pod = cluster.get("Pod", name)
    assert pod is not None
    statuses = pod["status"].get(field)
    return statuses[which] if statuses else {"state": {"waiting": {"reason": "ContainerCreating"}}, "lastState": {}}


def condition(obj: Manifest | None, type_: str) -> Manifest:
    assert obj is not None
    return next(c for c in obj["status"]["conditions"] if c["type"] == type_)


def said(cluster: TestCluster, name: str) -> list[tuple[str, str]]:
    """(reason, message) of the kubelet's events about an object, in order of their first time."""
    events = [e for e in cluster.events() if e["involvedObject"]["name"] == name]
    return [(e["reason"], e["message"]) for e in events if e.get("source", {}).get("component") == "kubelet"]


def reasons(cluster: TestCluster, name: str) -> list[str]:
    return [reason for reason, _ in said(cluster, name)]


def writes_of(cluster: TestCluster, name: str) -> list[str]:
    """The verbs of every write of the pod `name`, oldest first."""
    return [w.verb for w in cluster.world.revisions() if w.key.endswith(f"/pods/default/{name}")]


def seconds_between(earlier: str, later: str) -> float:
    return (times.parse(later) - times.parse(earlier)) / SECOND


def uid(cluster: TestCluster, name: str) -> str:
    pod = cluster.get("Pod", name)
    assert pod is not None
    return meta.uid(pod)
