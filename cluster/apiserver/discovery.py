"""Discovery: which groups, versions and kinds this server serves; what `kubectl api-resources` reads before anything.

The same facts in two forms: one document per group and version as it has always been, and everything in one
"aggregated" answer, which kubectl 1.30 and later ask for by the Accept header. Both are made from the cluster's kinds.

Mirrors:  k8s.io/apiserver/pkg/endpoints/discovery (legacy.go, root.go, aggregated/handler.go)
Left out: apidiscovery v2beta1, as in 1.37 itself: who asks for it alone gets the plain form.
"""

import re
from base64 import b64encode
from collections.abc import Iterator
from hashlib import sha256, sha512
from typing import Any, NamedTuple

import orjson

from cluster.apiserver import negotiate
from cluster.apiserver.kinds import BUILT_IN, Kinds
from cluster.apiserver.registry import Resource, Subresource
from cluster.objects import Manifest

VERSION = {
    "major": "1",
    "minor": "37",
    "emulationMajor": "1",
    "emulationMinor": "37",
    "minCompatibilityMajor": "1",
    "minCompatibilityMinor": "36",
    "gitVersion": "v1.37.2",
    "gitCommit": "0000000000000000000000000000000000001372",
    "gitTreeState": "clean",
    "buildDate": "2026-01-01T00:00:00Z",
    "goVersion": "go1.26.8",
    "compiler": "gc",
    "platform": "linux/amd64",
}
AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
SERVER_ADDRESS = "10.0.0.10:6443"  # Only clients inside the cluster's network would use it.
GROUPS = [
    "apiregistration.k8s.io",
    "apps",
    "events.k8s.io",
    "authentication.k8s.io",
    "authorization.k8s.io",
    "autoscaling",
    "batch",
    "certificates.k8s.io",
    "networking.k8s.io",
    "policy",
    "rbac.authorization.k8s.io",
    "storage.k8s.io",
    "admissionregistration.k8s.io",
    "apiextensions.k8s.io",
    "scheduling.k8s.io",
    "coordination.k8s.io",
    "node.k8s.io",
    "discovery.k8s.io",
    "resource.k8s.io",
    "flowcontrol.apiserver.k8s.io",
    "storagemigration.k8s.io",
]  # In the order in which a real server lists them.


class Document(NamedTuple):
    """An answer made once. `etag`: with the quotes."""

    body: bytes
    etag: str


def wants_aggregated(accept: str) -> bool:
    """Does the client prefer the aggregated form (in a version that we know) to the plain one?"""
    for entry in negotiate.parse_accept(accept):
        if entry.media != negotiate.JSON:
            continue
        if not entry.parameters.get("as"):
            return False
        known = {"g": "apidiscovery.k8s.io", "v": "v2", "as": "APIGroupDiscoveryList"}
        if known.items() <= entry.parameters.items():
            return True
    return False


def document(content: Any) -> Document:
    body = orjson.dumps(content)
    return Document(body, f'"{sha512(body).hexdigest().upper()}"')


# --- the plain form ---------------------------------------------------------------------------------------------


def core_versions() -> Manifest:
    """GET /api"""
    addresses = [{"clientCIDR": "0.0.0.0/0", "serverAddress": SERVER_ADDRESS}]
    return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": addresses}


def group_list(kinds: Kinds = BUILT_IN) -> Manifest:
    """GET /apis"""
    groups = [_group(name, kinds) for name in group_names(kinds)]
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}


def group(name: str, kinds: Kinds = BUILT_IN) -> Manifest | None:
    """GET /apis/<group>; None if there is no such group."""
    return {"kind": "APIGroup", "apiVersion": "v1", **_group(name, kinds)} if name in group_names(kinds) else None


def resource_list(group_name: str, version: str, kinds: Kinds = BUILT_IN) -> Manifest | None:
    """GET /api/v1 or /apis/<group>/<version>; None if we do not serve that version."""
    found = _resources(group_name, version, kinds)
    if not found:
        return None
    api_version = f"{group_name}/{version}" if group_name else version
    entries = [entry for resource in found for entry in _entries(resource)]
    typed = {"apiVersion": "v1"} if group_name else {}  # The core's list has never told its own version.
    return {"kind": "APIResourceList", **typed, "groupVersion": api_version, "resources": entries}


def group_names(kinds: Kinds = BUILT_IN) -> tuple[str, ...]:
    """All groups but the core, in the real server's order: custom ones last."""
    return kinds.made("groups", lambda: tuple(_group_names(kinds)))  # type: ignore[no-any-return]


def _group_names(kinds: Kinds) -> Iterator[str]:
    served = {resource.group for resource in kinds.resources} - {""}
    yield from (name for name in GROUPS if name in served)
    yield from sorted(served - set(GROUPS))


def versions_of(group_name: str, kinds: Kinds = BUILT_IN) -> tuple[str, ...]:
    """Versions of a group, the preferred one first."""
    return kinds.made(("versions", group_name), lambda: tuple(_versions_of(group_name, kinds)))  # type: ignore[no-any-return]


def _versions_of(group_name: str, kinds: Kinds) -> list[str]:
    found = {r.version for r in kinds.resources if r.group == group_name}
    return sorted(sorted(found), key=priority, reverse=True)


_KUBE_VERSION = re.compile(r"v([1-9][0-9]{0,8})(?:(alpha|beta)([1-9][0-9]{0,8}))?")


def priority(version: str) -> tuple[int, int, int, tuple[int, ...]]:
    """How good a version is: v10, v2, v1, v1beta2, v1alpha1, and then other names in the order of the alphabet."""
    found = _KUBE_VERSION.fullmatch(version)
    if found is None:
        return (0, 0, 0, (*(-ord(char) for char in version), 1))
    major, stage, minor = found.groups()
    return ({"alpha": 1, "beta": 2, None: 3}[stage], int(major), int(minor or 0), ())


def paths(kinds: Kinds = BUILT_IN) -> list[str]:
    """What GET / tells of discovery and OpenAPI; the gateway adds what it answers itself."""
    found = ["/api", "/api/v1", "/apis", "/apis/", "/openapi/v2", "/openapi/v3", "/openapi/v3/", "/version"]
    for name in group_names(kinds):
        found += [f"/apis/{name}", *(f"/apis/{name}/{version}" for version in versions_of(name, kinds))]
    return found


def _resources(group_name: str, version: str, kinds: Kinds) -> list[Resource]:
    return sorted(kinds.of_version(group_name, version), key=lambda resource: resource.plural)


def _group(name: str, kinds: Kinds) -> Manifest:
    versions = versions_of(name, kinds)
    listed = [{"groupVersion": f"{name}/{version}", "version": version} for version in versions]
    return {"name": name, "versions": listed, "preferredVersion": listed[0]}


def _entries(resource: Resource) -> Iterator[Manifest]:
    """A kind and its sub-resources as APIResources."""
    entry: Manifest = {
        "name": resource.plural,
        "singularName": resource.singular_name,
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": list(resource.verbs),
    }
    if resource.short_names:
        entry["shortNames"] = list(resource.short_names)
    if resource.categories:
        entry["categories"] = list(resource.categories)
    is_stored = "get" in resource.verbs and not (resource.computed or resource.elsewhere)
    yield {**entry, "storageVersionHash": storage_hash(resource)} if is_stored else entry
    for name, sub in _parts(resource):
        where = {"name": f"{resource.plural}/{name}", "singularName": "", "namespaced": resource.namespaced}
        foreign = {"group": sub.group, "version": sub.version} if sub.group else {}
        yield {**where, **foreign, "kind": sub.kind or resource.kind, "verbs": list(sub.verbs)}


def _parts(resource: Resource) -> list[tuple[str, Subresource]]:
    """Sub-resources in the real server's order: by name; of custom kinds status first."""
    found = list(resource.subresources.items())
    return found if resource.is_custom else sorted(found)


def storage_hash(resource: Resource) -> str:
    """Eight bytes that change when objects are stored in another version."""
    stored = BUILT_IN.stored(resource.stored_as) if resource.stored_as else resource
    version = stored.stored_version or stored.version
    return b64encode(sha256(f"{stored.group}/{version}/{stored.kind}".encode()).digest()[:8]).decode()


# --- the aggregated form ----------------------------------------------------------------------------------------


def aggregated_core() -> Document:
    """GET /api as APIGroupDiscoveryList. No definition ever adds to the core."""
    return BUILT_IN.made("aggregated core", lambda: document(_aggregated([""], BUILT_IN)))  # type: ignore[no-any-return]


def aggregated_groups(kinds: Kinds = BUILT_IN) -> Document:
    """GET /apis as APIGroupDiscoveryList."""
    return kinds.made("aggregated", lambda: document(_aggregated(list(group_names(kinds)), kinds)))  # type: ignore[no-any-return]


def _aggregated(names: list[str], kinds: Kinds) -> Manifest:
    items = [
        {
            "metadata": {"name": name} if name else {},
            "versions": [
                {
                    "version": version,
                    "resources": [_discovered(resource) for resource in _resources(name, version, kinds)],
                    "freshness": "Current",
                }
                for version in versions_of(name, kinds)
            ],
        }
        for name in names
    ]
    return {"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": items}


def _discovered(resource: Resource) -> Manifest:
    entry: Manifest = {
        "resource": resource.plural,
        "responseKind": _kind(resource.kind),
        "scope": "Namespaced" if resource.namespaced else "Cluster",
        "singularResource": resource.singular_name,
        "verbs": list(resource.verbs),
    }
    if resource.short_names:
        entry["shortNames"] = list(resource.short_names)
    if resource.categories:
        entry["categories"] = list(resource.categories)
    if resource.subresources:
        entry["subresources"] = [_subresource(resource, *item) for item in _parts(resource)]
    return entry


def _subresource(resource: Resource, name: str, sub: Subresource) -> Manifest:
    kind = _kind(sub.kind or resource.kind, sub.group, sub.version)
    return {"subresource": name, "responseKind": kind, "verbs": list(sub.verbs)}


def _kind(kind: str, group_name: str = "", version: str = "") -> Manifest:
    """Empty group and version mean those of the document it stands in."""
    return {"group": group_name, "version": version, "kind": kind}


def api_versions(kinds: Kinds = BUILT_IN) -> list[tuple[str, str]]:
    """Every (group, version) that is served, the core first."""
    return [("", "v1"), *((name, version) for name in group_names(kinds) for version in versions_of(name, kinds))]
