"""ServiceAccount: a pod that names no identity gets its namespace's default one, and a token to prove it.

The token volume's name has five random characters. They depend on the pod's controller, so that pods of one template
share one spec: thousands of them are then defaulted, checked and kept in memory once.

Mirrors:  kubernetes/plugin/pkg/admission/serviceaccount/admission.go
"""

from collections.abc import Iterator
from typing import Any

from cluster.apiserver.admission.attributes import CREATE, UPDATE, Attributes
from cluster.apiserver.admission.plugin import Plugin
from cluster.objects import Manifest, errors, meta
from cluster.objects.memo import IdentityMemo

MOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
EXPIRES = 3607  # Seconds: an hour, and a little, so that clients that cache for an hour notice.
MIRROR = "kubernetes.io/config.mirror"  # Marks the image of a pod that a kubelet runs from a file.
ENFORCED = "kubernetes.io/enforce-mountable-secrets"  # On an account: its pods may use only the secrets it lists.
VOLUME = "kube-api-access-"
_memo = IdentityMemo(512)


def admit(server: Any, attributes: Attributes) -> Manifest:
    """Errors: Forbidden if the service account is not there (yet), or a mirror pod refers to anything."""
    pod = attributes.obj
    if _is_mirror(pod):
        _check_mirror(attributes)
        return pod
    spec = pod["spec"]
    name = spec.get("serviceAccountName") or spec.get("serviceAccount") or "default"
    account = _account(server, attributes, name)
    wanted = spec.get("automountServiceAccountToken")
    if wanted is None:
        wanted = account.get("automountServiceAccountToken", True)
    owner = meta.controller_of(pod)
    suffix = server.dice.suffix("kube-api-access", owner["uid"] if owner else meta.uid(pod))
    volume = f"{VOLUME}{suffix}" if wanted else ""
    pulls = tuple(secret.get("name", "") for secret in account.get("imagePullSecrets") or ())
    spec = _memo.get(spec, (name, volume, pulls), lambda spec: _with_account(spec, name, volume, pulls))
    return {**pod, "spec": spec}


def check(server: Any, attributes: Attributes) -> None:
    """Errors: Forbidden, if the pod uses secrets that its account does not list, and may not."""
    pod = attributes.obj
    if _is_mirror(pod):
        if attributes.operation == CREATE:
            _check_mirror(attributes)
        return
    account = _account(server, attributes, pod["spec"].get("serviceAccountName") or "default")
    if (account["metadata"].get("annotations") or {}).get(ENFORCED) == "true":
        for problem in _foreign_secrets(account, pod["spec"], attributes.operation == UPDATE):
            raise errors.Forbidden("", "pods", attributes.name, problem)


def _account(server: Any, attributes: Attributes, name: str) -> Manifest:
    account: Manifest | None = server.informers.get("ServiceAccount", attributes.namespace, name)
    if account is None:
        message = f'error looking up service account {attributes.namespace}/{name}: serviceaccount "{name}" not found'
        raise errors.Forbidden("", "pods", attributes.name, message)
    return account


# --- completing -------------------------------------------------------------------------------------------------


def _with_account(spec: Manifest, name: str, volume: str, pulls: tuple[str, ...]) -> Manifest:
    spec = {**spec, "serviceAccountName": name, "serviceAccount": name}
    if pulls and not spec.get("imagePullSecrets"):
        spec["imagePullSecrets"] = [{"name": pull} for pull in pulls]
    if not volume:
        return spec
    known = next((v["name"] for v in spec.get("volumes") or () if v.get("name", "").startswith(VOLUME)), "")
    lists = [kind for kind in ("initContainers", "containers") if spec.get(kind)]
    mounted = {kind: [_mounted(container, known or volume) for container in spec[kind]] for kind in lists}
    if all(mounted[kind][n] is c for kind in lists for n, c in enumerate(spec[kind])):
        return spec
    return {**spec, **mounted} if known else {**spec, **mounted, "volumes": [*spec.get("volumes", []), _volume(volume)]}


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


# --- mirror pods ------------------------------------------------------------------------------------------------


def _is_mirror(pod: Manifest) -> bool:
    return MIRROR in (pod["metadata"].get("annotations") or {})


def _check_mirror(attributes: Attributes) -> None:
    """A static pod must run before there is an API server, so its image refers to nothing in it. Errors: Forbidden."""
    spec = attributes.obj["spec"]
    problem = ""
    if spec.get("serviceAccountName"):
        problem = "a mirror pod may not reference service accounts"
    elif refers_to(spec, "secret"):
        problem = "a mirror pod may not reference secrets"
    elif refers_to(spec, "configMap"):
        problem = "a mirror pod may not reference configmaps"
    elif any(volume.get("persistentVolumeClaim") for volume in spec.get("volumes") or ()):
        problem = "a mirror pod may not reference persistentvolumeclaims"
    elif any(source.get("serviceAccountToken") for source in _projected(spec)):
        problem = "a mirror pod may not use service account token volume projections"
    if problem:
        raise errors.Forbidden("", "pods", attributes.name, problem)


def _projected(spec: Manifest) -> Iterator[Manifest]:
    for volume in spec.get("volumes") or ():
        yield from (volume.get("projected") or {}).get("sources") or ()


def refers_to(spec: Manifest, what: str) -> bool:
    """Does the pod use a `secret` (or a `configMap`) in volumes, variables, or to pull images?"""
    volumes = spec.get("volumes") or ()
    if any(volume.get(what) for volume in volumes) or any(source.get(what) for source in _projected(spec)):
        return True
    if what == "secret" and spec.get("imagePullSecrets"):
        return True
    parts = (c for part in ("initContainers", "containers", "ephemeralContainers") for c in spec.get(part) or ())
    return any(_variables_from(container, what) for container in parts)


def _variables_from(container: Manifest, what: str) -> bool:
    whole = any(source.get(f"{what}Ref") for source in container.get("envFrom") or ())
    return whole or any((v.get("valueFrom") or {}).get(f"{what}KeyRef") for v in container.get("env") or ())


# --- secrets that an account lists ------------------------------------------------------------------------------


def _foreign_secrets(account: Manifest, spec: Manifest, only_ephemeral: bool) -> Iterator[str]:
    """Every use of a secret that the account does not list, in words."""
    name = meta.name(account)
    listed = {secret.get("name") for secret in account.get("secrets") or ()}
    reason = f"is not allowed because service account {name} does not reference that secret"
    parts = {"initContainers": "init container", "containers": "container"}
    if only_ephemeral:
        parts = {"ephemeralContainers": "ephemeral container"}
    else:
        for volume in spec.get("volumes") or ():
            secret = (volume.get("secret") or {}).get("secretName", "")
            if secret and secret not in listed:
                yield f'volume with secret.secretName="{secret}" {reason}'
    for part, noun in parts.items():
        for container in spec.get(part) or ():
            yield from (f"{noun} {container['name']} with {use} {reason}" for use in _uses(container, listed))
    if only_ephemeral:
        return
    pulls = {secret.get("name") for secret in account.get("imagePullSecrets") or ()}
    for number, pull in enumerate(spec.get("imagePullSecrets") or ()):
        if pull.get("name") not in pulls:
            refused = f"service account {name} does not reference that imagePullSecret"
            yield f'imagePullSecrets[{number}].name="{pull.get("name", "")}" is not allowed because {refused}'


def _uses(container: Manifest, listed: set[Any]) -> Iterator[str]:
    for variable in container.get("env") or ():
        secret = ((variable.get("valueFrom") or {}).get("secretKeyRef") or {}).get("name", "")
        if secret and secret not in listed:
            yield f'envVar {variable["name"]} referencing secret.secretName="{secret}"'
    for source in container.get("envFrom") or ():
        secret = (source.get("secretRef") or {}).get("name", "")
        if secret and secret not in listed:
            yield f'envFrom referencing secret.secretName="{secret}"'


PLUGINS = (
    Plugin("ServiceAccount", mutate=admit, validate=check, kinds=("Pod",), operations=(CREATE,)),
    Plugin(
        "ServiceAccount", validate=check, kinds=("Pod",), operations=(UPDATE,), subresources=("ephemeralcontainers",)
    ),
)
