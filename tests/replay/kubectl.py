"""The kubectl commands of the recordings as the API requests that kubectl makes of them.

A world in virtual time has no port to point a real kubectl at; what kubectl prints is tested elsewhere. Here only
what it *writes* counts. A command that failed when it was recorded (`rc` 1) wrote nothing and is left out, but for
`drain`, which cordons before it finds out that it may not go on.

Mirrors:  k8s.io/kubectl/pkg/cmd (set, scale, rollout, create, cordon, drain, taint, delete)
"""

import re
import shlex
from collections.abc import Iterator
from typing import Any

from cluster.objects import Manifest, meta
from tests.builders import Refused, TestCluster

STRATEGIC = "application/strategic-merge-patch+json"
MERGE = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
RETRY = 0.5  # Seconds until a refused eviction is tried again. kubectl waits 5; the recorded one got its pod after 0.6.

LOOKS = ("get", "describe", "rollout status", "rollout history")  # They write nothing.


class UnknownCommand(AssertionError):
    """A recording uses a command that is not translated here."""


def run(cluster: TestCluster, namespace: str, command: str, succeeded: bool) -> Iterator[float]:
    """Do what `kubectl command` does; yields seconds of simulated time that it waits."""
    words = shlex.split(command)
    if any(command.startswith(look) for look in LOOKS):
        return
    if words[0] == "drain":
        yield from _drain(cluster, words[1], succeeded)
    elif succeeded:
        _write(cluster, namespace, words)


def _write(cluster: TestCluster, namespace: str, words: list[str]) -> None:
    match words:
        case ["set", "image", target, assignment]:
            container, _, image = assignment.partition("=")
            containers = {"template": {"spec": {"containers": [{"name": container, "image": image}]}}}
            cluster.request("PATCH", _path(namespace, target), {"spec": containers}, content_type=STRATEGIC)
        case ["scale", target, replicas]:
            body = {"spec": {"replicas": int(replicas.partition("=")[2])}}
            cluster.request("PATCH", f"{_path(namespace, target)}/scale", body, content_type=MERGE)
        case ["rollout", ("pause" | "resume") as what, target]:
            paused = True if what == "pause" else None
            cluster.request("PATCH", _path(namespace, target), {"spec": {"paused": paused}}, content_type=STRATEGIC)
        case ["rollout", "undo", target]:
            _undo(cluster, namespace, target)
        case ["create", "job", name, source]:
            _instantiate(cluster, namespace, name, source.partition("/")[2])
        case [("cordon" | "uncordon") as what, node]:
            _cordon(cluster, node, what == "cordon")
        case ["taint", "node", node, change]:
            _taint(cluster, node, change)
        case ["delete", "pod", name, "--force", "--grace-period=0"]:
            cluster.request("DELETE", f"/api/v1/namespaces/{namespace}/pods/{name}", query="gracePeriodSeconds=0")
        case _:
            raise UnknownCommand(f"kubectl {' '.join(words)} is not translated in {__name__}")


def _path(namespace: str, target: str) -> str:
    kind, _, name = target.partition("/")
    return f"/apis/apps/v1/namespaces/{namespace}/{kind}s/{name}"


def _instantiate(cluster: TestCluster, namespace: str, name: str, source: str) -> None:
    """A Job of a CronJob's template, now."""
    cron_job = cluster.get("CronJob", source, namespace)
    assert cron_job is not None, f"there is no cron job {source}"
    template = cron_job["spec"]["jobTemplate"]
    annotations = {"cronjob.kubernetes.io/instantiate": "manual", **meta.annotations(template)}
    owner = {key: value for key, value in meta.owner_reference(cron_job).items() if key != "blockOwnerDeletion"}
    metadata = {"name": name, "annotations": annotations, "labels": meta.labels(template), "ownerReferences": [owner]}
    body = {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": template["spec"]}
    cluster.request("POST", f"/apis/batch/v1/namespaces/{namespace}/jobs", body)


def _cordon(cluster: TestCluster, node: str, on: bool) -> None:
    body = {"spec": {"unschedulable": True if on else None}}
    cluster.request("PATCH", f"/api/v1/nodes/{node}", body, content_type=STRATEGIC)


def _taint(cluster: TestCluster, node: str, change: str) -> None:
    """`key=value:Effect` puts a taint in front of the others; a `-` at the end takes it away."""
    obj = cluster.get("Node", node)
    assert obj is not None, f"there is no node {node}"
    taints: list[Manifest] = obj["spec"].get("taints") or []
    match = re.fullmatch(r"(?P<key>[^=:]+)(=(?P<value>[^:]*))?(:(?P<effect>\w+))?(?P<gone>-)?", change)
    assert match, f"{change} is no taint"
    if match["gone"]:
        taints = [taint for taint in taints if (taint["key"], taint["effect"]) != (match["key"], match["effect"])]
    else:
        taints = [{"key": match["key"], "value": match["value"], "effect": match["effect"]}, *taints]
    cluster.request("PATCH", f"/api/v1/nodes/{node}", {"spec": {"taints": taints}}, content_type=MERGE)


def _undo(cluster: TestCluster, namespace: str, target: str) -> None:
    """Back to the template of the revision before."""
    if not target.startswith("deployment"):
        _restore(cluster, namespace, target)
        return
    deployment = cluster.get("Deployment", target.partition("/")[2], namespace)
    assert deployment is not None, f"there is no {target}"
    owned = [rs for rs in cluster.objects("ReplicaSet", namespace) if meta.is_controlled_by(rs, deployment)]
    before = sorted(owned, key=_revision)[-2]
    template: dict[str, Any] = before["spec"]["template"]
    labels = {key: value for key, value in template["metadata"]["labels"].items() if key != "pod-template-hash"}
    template = {**template, "metadata": {**template["metadata"], "labels": labels}}
    patch = [{"op": "replace", "path": "/spec/template", "value": template}]
    cluster.request("PATCH", _path(namespace, target), patch, content_type=JSON_PATCH)


def _restore(cluster: TestCluster, namespace: str, target: str) -> None:
    """Apply the data of the ControllerRevision before."""
    kind = {"daemonset": "DaemonSet", "statefulset": "StatefulSet"}[target.partition("/")[0]]
    owner = cluster.get(kind, target.partition("/")[2], namespace)
    assert owner is not None, f"there is no {target}"
    owned = [r for r in cluster.objects("ControllerRevision", namespace) if meta.is_controlled_by(r, owner)]
    before = sorted(owned, key=lambda revision: revision["revision"])[-2]
    cluster.request("PATCH", _path(namespace, target), before["data"], content_type=STRATEGIC)


def _revision(replicaset: Manifest) -> int:
    return int(meta.annotations(replicaset)["deployment.kubernetes.io/revision"])


def _drain(cluster: TestCluster, node: str, succeeded: bool) -> Iterator[float]:
    """Cordon, then evict what is there, again and again where a budget refuses."""
    obj = cluster.get("Node", node)
    assert obj is not None, f"there is no node {node}"
    if not obj["spec"].get("unschedulable"):
        _cordon(cluster, node, True)
    here = [pod for pod in cluster.objects("Pod") if pod["spec"].get("nodeName") == node and not _is_daemon(pod)]
    left = [(meta.namespace(pod), meta.name(pod)) for pod in here if not meta.is_deleting(pod)] if succeeded else []
    while left:
        left = [pod for pod in left if not _evicted(cluster, *pod)]
        if left:
            yield RETRY


def _is_daemon(pod: Manifest) -> bool:
    return (meta.controller_of(pod) or {}).get("kind") == "DaemonSet"


def _evicted(cluster: TestCluster, namespace: str, name: str) -> bool:
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name, "namespace": namespace}}
    try:
        cluster.request("POST", f"/api/v1/namespaces/{namespace}/pods/{name}/eviction", body)
    except Refused as refused:
        return refused.status == 404
    return True
