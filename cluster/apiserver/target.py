"""What a URL points at: group, version, resource, namespace, name, sub-resource.

Mirrors:  k8s.io/apiserver/pkg/endpoints/request/requestinfo.go
"""

from typing import NamedTuple
from urllib.parse import unquote


class Target(NamedTuple):
    """`/apis/apps/v1/namespaces/shop/deployments/web/scale`, in parts; parts that are not there are empty."""

    group: str
    version: str
    plural: str
    namespace: str
    name: str
    subresource: str
    rest: str  # What comes after the sub-resource: a proxied path.


def parse(path: str) -> Target | None:
    """The parts of an API path without the cluster's prefix; None if it is not under /api or /apis."""
    parts = unquote(path.encode(errors="replace").decode()).strip("/").split("/")
    if parts[0] == "api" and len(parts) >= 2:
        group, version, parts = "", parts[1], parts[2:]
    elif parts[0] == "apis" and len(parts) >= 3:
        group, version, parts = parts[1], parts[2], parts[3:]
    else:
        return None
    if parts and parts[0] == "watch":
        parts = parts[1:]
    namespace = ""
    if len(parts) >= 3 and parts[0] == "namespaces" and not (group == "" and parts[2] in ("status", "finalize")):
        namespace, parts = parts[1], parts[2:]
    elif len(parts) >= 2 and parts[0] == "namespaces":  # The namespace object itself.
        return Target(group, version, "namespaces", "", parts[1], "/".join(parts[2:3]), "/".join(parts[3:]))
    parts += [""] * (3 - len(parts))
    return Target(group, version, parts[0], namespace, parts[1], parts[2], "/".join(parts[3:]))
