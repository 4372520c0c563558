"""ServiceAccount: a pod that names no identity gets its namespace's default one, and a token to prove it.

The token volume's name has five random characters. They depend on the pod's controller, so that pods of one template
share one spec: thousands of them are then defaulted, checked and kept in memory once.

Mirrors:  kubernetes/plugin/pkg/admission/serviceaccount/admission.go
Left out: mirror pods, image pull secrets by reference, and limits on secrets that may be mounted.
"""

from typing import Any

from cluster.apiserver.admission.attributes import CREATE, Attributes
from cluster.apiserver.admission.plugin import Plugin
from cluster.objects import Manifest, errors, meta
from cluster.objects.memo import IdentityMemo

MOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
EXPIRES = 3607  # Seconds: an hour, and a little, so that clients that cache for an hour notice.
_memo = IdentityMemo(512)


def admit(server: Any, attributes: Attributes) -> Manifest:
    """Errors: Forbidden if the service account is not there (yet)."""
    pod = attributes.obj
    spec = pod["spec"]
    name = spec.get("serviceAccountName") or spec.get("serviceAccount") or "default"
    account = server.informers.get("ServiceAccount", attributes.namespace, name)
    if account is None:
        message = f'error looking up service account {attributes.namespace}/{name}: serviceaccount "{name}" not found'
        raise errors.Forbidden("", "pods", attributes.name, message)
    wanted = spec.get("automountServiceAccountToken", account.get("automountServiceAccountToken", True))
    owner = meta.controller_of(pod)
    suffix = server.dice.suffix("kube-api-access", owner["uid"] if owner else meta.uid(pod))
    volume = f"kube-api-access-{suffix}" if wanted else ""
    spec = _memo.get(spec, (name, volume), lambda spec: _with_account(spec, name, volume))
    return {**pod, "spec": spec}


def _with_account(spec: Manifest, name: str, volume: str) -> Manifest:
    spec = {**spec, "serviceAccountName": name, "serviceAccount": name}
    if not volume:
        return spec
    lists = [kind for kind in ("initContainers", "containers") if spec.get(kind)]
    mounted = {kind: [_mounted(container, volume) for container in spec[kind]] for kind in lists}
    if all(mounted[kind][n] is c for kind in lists for n, c in enumerate(spec[kind])):
        return spec
    return {**spec, **mounted, "volumes": [*spec.get("volumes", []), _volume(volume)]}


def _mounted(container: Manifest, volume: str) -> Manifest:
    mounts = container.get("volumeMounts", [])
    if any(mount["mountPath"] == MOUNT for mount in mounts):
        return container
    return {**container, "volumeMounts": [*mounts, {"name": volume, "readOnly": True, "mountPath": MOUNT}]}


def _volume(name: str) -> Manifest:
    field = {"apiVersion": "v1", "fieldPath": "metadata.namespace"}
    sources = [
        {"serviceAccountToken": {"expirationSeconds": EXPIRES, "path": "token"}},
        {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
        {"downwardAPI": {"items": [{"path": "namespace", "fieldRef": field}]}},
    ]
    return {"name": name, "projected": {"sources": sources, "defaultMode": 420}}


PLUGIN = Plugin("ServiceAccount", mutate=admit, kinds=("Pod",), operations=(CREATE,))
