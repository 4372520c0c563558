"""Rollouts: how far one is, in the words of `kubectl rollout status`, and the revisions that one may go back to.

A Deployment's revisions are its ReplicaSets; a StatefulSet's and a DaemonSet's are ControllerRevisions, whose data is
the patch that brings one back.

Mirrors:  k8s.io/kubectl/pkg/polymorphichelpers (rollout_status.go, history.go, rollback.go)
"""

from typing import Any, NamedTuple

import orjson

from cluster.objects import Manifest, conditions, meta
from dashboard.webui.client import Client

REVISION = "deployment.kubernetes.io/revision"
CAUSE = "kubernetes.io/change-cause"
HASH = "pod-template-hash"
KEPT = ("kubectl.kubernetes.io/last-applied-configuration", REVISION, "deployment.kubernetes.io/revision-history",
        "deployment.kubernetes.io/desired-replicas", "deployment.kubernetes.io/max-replicas",
        "deprecated.deployment.rollback.to")  # fmt: skip
KINDS = ("Deployment", "StatefulSet", "DaemonSet")


class Revision(NamedTuple):
    """`patch`: (media type without its prefix, body) that brings it back."""

    number: int
    name: str
    api: str
    images: list[str]
    pods: int | None
    cause: str
    patch: tuple[str, bytes]


def state(obj: Manifest) -> tuple[str, str]:
    """(what `kubectl rollout status` says, a tone)."""
    status, name = obj.get("status") or {}, meta.name(obj)
    if status.get("observedGeneration", 0) < meta.generation(obj):
        return f"Waiting for {obj['kind'].lower()} spec update to be observed...", "pend"
    return _STATES[obj["kind"]](obj, status, name)


def _deployment(obj: Manifest, status: Manifest, name: str) -> tuple[str, str]:
    wanted, updated = obj["spec"].get("replicas", 1), status.get("updatedReplicas", 0)
    total, available = status.get("replicas", 0), status.get("availableReplicas", 0)
    if obj["spec"].get("paused"):
        return f'deployment "{name}" is paused', "pend"
    progressing = conditions.get(obj, "Progressing") or {}
    waiting = f'Waiting for deployment "{name}" rollout to finish: '
    if progressing.get("reason") == "ProgressDeadlineExceeded":
        return f'deployment "{name}" exceeded its progress deadline', "fail"
    if updated < wanted:
        return f"{waiting}{updated} out of {wanted} new replicas have been updated...", "pend"
    if total > updated:
        return f"{waiting}{total - updated} old replicas are pending termination...", "pend"
    if available < updated:
        return f"{waiting}{available} of {updated} updated replicas are available...", "pend"
    return f'deployment "{name}" successfully rolled out', "run"


def _daemonset(obj: Manifest, status: Manifest, name: str) -> tuple[str, str]:
    if (obj["spec"].get("updateStrategy") or {}).get("type") != "RollingUpdate":
        return "rollout status is only available for RollingUpdate strategy type", ""
    wanted, updated = status.get("desiredNumberScheduled", 0), status.get("updatedNumberScheduled", 0)
    available = status.get("numberAvailable", 0)
    waiting = f'Waiting for daemon set "{name}" rollout to finish: '
    if updated < wanted:
        return f"{waiting}{updated} out of {wanted} new pods have been updated...", "pend"
    if available < wanted:
        return f"{waiting}{available} of {wanted} updated pods are available...", "pend"
    return f'daemon set "{name}" successfully rolled out', "run"


def _statefulset(obj: Manifest, status: Manifest, name: str) -> tuple[str, str]:
    strategy = obj["spec"].get("updateStrategy") or {}
    if strategy.get("type") != "RollingUpdate":
        return "rollout status is only available for RollingUpdate strategy type", ""
    wanted, ready = obj["spec"].get("replicas", 1), status.get("readyReplicas", 0)
    if ready < wanted:
        return f"Waiting for {wanted - ready} pods to be ready...", "pend"
    partition = (strategy.get("rollingUpdate") or {}).get("partition", 0)
    updated = status.get("updatedReplicas", 0)
    if partition > 0:
        if updated < wanted - partition:
            out_of = f"{updated} out of {wanted - partition} new pods have been updated..."
            return f"Waiting for partitioned roll out to finish: {out_of}", "pend"
        return f"partitioned roll out complete: {updated} new pods have been updated...", "run"
    newest, current = status.get("updateRevision"), status.get("currentRevision")
    if newest != current:
        return f"waiting for statefulset rolling update to complete {updated} pods at revision {newest}...", "pend"
    return (
        f"statefulset rolling update complete {status.get('currentReplicas', 0)} pods at revision {current}...",
        "run",
    )


_STATES = {"Deployment": _deployment, "DaemonSet": _daemonset, "StatefulSet": _statefulset}


def revisions(server: Client, obj: Manifest) -> list[Revision]:
    """Newest first; none of what may not be read."""
    plural = "replicasets" if obj["kind"] == "Deployment" else "controllerrevisions"
    api = f"apis/apps/v1/namespaces/{meta.namespace(obj)}/{plural}"
    mine = [each for each in server.items(api) if meta.is_controlled_by(each, obj)]
    made = [_of_replicaset(obj, each) if plural == "replicasets" else _of_revision(obj, each) for each in mine]
    return sorted((each for each in made if each.number), key=lambda each: -each.number)


def _of_replicaset(deployment: Manifest, replicaset: Manifest) -> Revision:
    name, notes = meta.name(replicaset), meta.annotations(replicaset)
    template: dict[str, Any] = replicaset["spec"]["template"]
    labels = {key: value for key, value in meta.labels(template).items() if key != HASH}
    template = {**template, "metadata": {**template["metadata"], "labels": labels}}
    own = {key: value for key, value in meta.annotations(deployment).items() if key in KEPT}
    annotations = {**{key: value for key, value in notes.items() if key not in KEPT}, **own}
    patch = [
        {"op": "replace", "path": "/spec/template", "value": template},
        {"op": "replace", "path": "/metadata/annotations", "value": annotations},
    ]
    return Revision(
        int(notes.get(REVISION, "0")),
        name,
        f"apis/apps/v1/namespaces/{meta.namespace(replicaset)}/replicasets/{name}",
        _images(template),
        (replicaset.get("status") or {}).get("replicas", 0),
        notes.get(CAUSE, ""),
        ("json-patch", orjson.dumps(patch)),
    )


def _of_revision(owner: Manifest, revision: Manifest) -> Revision:
    name, data = meta.name(revision), revision.get("data") or {}
    return Revision(
        revision.get("revision", 0),
        name,
        f"apis/apps/v1/namespaces/{meta.namespace(revision)}/controllerrevisions/{name}",
        _images((data.get("spec") or {}).get("template") or {}),
        None,
        meta.annotations(revision).get(CAUSE, ""),
        ("strategic-merge-patch", orjson.dumps(data)),
    )


def _images(template: Manifest) -> list[str]:
    return [each.get("image", "") for each in (template.get("spec") or {}).get("containers") or ()]
