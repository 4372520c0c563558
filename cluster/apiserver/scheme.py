"""Pods out of files: what a kubelet has of the API server without asking it, because it is linked into both.

    decode(text)    YAML or JSON -> a Pod with everything that its author left out
    problems(pod)   what validation has against it
    reference(pod)  the objects of the API that it refers to, by their plural

Pure functions. The world hands this module to kubelets, whose static pods must run before there is an API server.

Mirrors:  kubernetes/pkg/api/legacyscheme, pkg/apis/core/v1/defaults.go, pkg/apis/core/validation (ValidatePodCreate),
          pkg/api/pod/util.go (HasAPIObjectReference)
Left out: PodList; JSON of Go's structs in messages about other kinds.
"""

import orjson

from cluster.apiserver import bodies, registry
from cluster.apiserver.admission.service_account import refers_to
from cluster.objects import Manifest, errors

SCHEME = "pkg/api/legacyscheme/scheme.go:30"


def decode(text: str) -> Manifest:
    """A Pod with its defaults. Errors: ValueError in the real words."""
    try:
        raw = bodies.configuration(text.encode(errors="replace"))
        _check_kind(raw)
        pod = registry.by_kind("Pod")
        return registry.default(pod, registry.decode(pod, raw).obj)
    except errors.ApiError as error:
        raise ValueError(str(error)) from error


def problems(pod: Manifest) -> list[str]:
    """`spec.containers: Required value` …; none if it is valid."""
    found = registry.validate_create(registry.by_kind("Pod"), pod)
    return [f"{problem['field']}: {problem['message']}" for problem in found]


def reference(pod: Manifest) -> str:
    """What it refers to and can't have without an API server, such as `secrets`; the empty string: nothing."""
    spec = pod["spec"]
    if spec.get("serviceAccountName"):
        return "serviceaccounts"
    for what in ("secret", "configMap"):
        if refers_to(spec, what):
            return f"{what.lower()}s"
    if spec.get("resourceClaims"):
        return "resourceclaims"
    for volume in spec.get("volumes") or ():
        found = next((plural for field, plural in _VOLUMES.items() if field in volume), "")
        for source in (volume.get("projected") or {}).get("sources") or ():
            found = found or next((plural for field, plural in _PROJECTED.items() if field in source), "")
        if found:
            return found
    return ""


_VOLUMES = {
    "csi": "csidrivers (via CSI volumes)",
    "glusterfs": "endpoints (via glusterFS volumes)",
    "persistentVolumeClaim": "persistentvolumeclaims",
    "ephemeral": "persistentvolumeclaims (via ephemeral volumes)",
    "azureFile": "secrets (via azureFile volumes)",
}
_PROJECTED = {
    "serviceAccountToken": "serviceaccounts (via projected volumes)",
    "clusterTrustBundle": "clustertrustbundles",
    "podCertificate": "podcertificates",
}


def _check_kind(raw: Manifest) -> None:
    """Errors: ValueError, if it is no Pod of version v1."""
    kind, version = raw.get("kind"), raw.get("apiVersion")
    for field, shown in (("kind", "Kind"), ("apiVersion", "apiVersion")):
        if not raw.get(field):
            raise ValueError(f"Object '{shown}' is missing in '{orjson.dumps(raw).decode()}'")
    if (kind, version) == ("Pod", "v1"):
        return
    if registry.find(str(kind), str(version)) is not None:
        raise ValueError(f"invalid pod: a {kind}")
    raise ValueError(f'no kind "{kind}" is registered for version "{version}" in scheme "{SCHEME}"')
