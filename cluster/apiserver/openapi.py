"""OpenAPI: the shape of everything served, generated from the schema and the registry.

kubectl reads it before it sends anything: `create` and `apply` ask the group's document whether PATCH knows
`fieldValidation` (else they would check manifests themselves) and how lists merge; `edit` and `explain` want the types.

    /openapi/v3                 index: group version → URL with a hash, so that documents can be cached for ever
    /openapi/v3/apis/apps/v1    one document a group version
    /openapi/v2                 everything in one document, as JSON or (for kubectl) as protobuf

Mirrors:  k8s.io/kube-openapi (builder3, handler3), k8s.io/apiserver/pkg/endpoints/installer.go
Left out: descriptions (`kubectl explain` is another issue), response codes.
"""

import gzip
from collections.abc import Iterable, Iterator
from hashlib import sha512
from typing import Any, NamedTuple

import orjson

from cluster.apiserver import discovery, openapi_wire, patches, schema
from cluster.apiserver.discovery import VERSION
from cluster.apiserver.kinds import BUILT_IN, Kinds
from cluster.apiserver.registry import Resource
from cluster.apiserver.registry.custom import type_name
from cluster.objects import Manifest

PREFIX = "#/components/schemas/"
META = "io.k8s.apimachinery.pkg.apis.meta.v1"
INFO = {"title": "Kubernetes", "version": f"{VERSION['major']}.{VERSION['minor']}"}
_WRITE = ("dryRun", "fieldManager", "fieldValidation")
_LIST = (
    "allowWatchBookmarks",
    "continue",
    "fieldSelector",
    "labelSelector",
    "limit",
    "resourceVersion",
    "resourceVersionMatch",
    "sendInitialEvents",
    "timeoutSeconds",
    "watch",
)
_DELETE = ("dryRun", "gracePeriodSeconds", "orphanDependents", "propagationPolicy")
_BOOLEANS = ("allowWatchBookmarks", "force", "orphanDependents", "sendInitialEvents", "watch")
_INTEGERS = ("gracePeriodSeconds", "limit", "timeoutSeconds")


class Packed(NamedTuple):
    """A large document, gzipped once. `hash`: of its plain bytes."""

    gzipped: bytes
    hash: str

    def body(self) -> bytes:
        return gzip.decompress(self.gzipped)


def _pack(content: Any) -> Packed:
    body = orjson.dumps(content)
    return Packed(gzip.compress(body, 6, mtime=0), sha512(body).hexdigest().upper())


def index(kinds: Kinds = BUILT_IN) -> Manifest:
    """GET /openapi/v3"""
    found = {path_of(*gv): document(*gv, kinds) for gv in discovery.api_versions(kinds)}
    urls = {path: {"serverRelativeURL": f"/openapi/v3/{path}?hash={doc.hash}"} for path, doc in found.items() if doc}
    return {"paths": dict(sorted(urls.items()))}


def path_of(group: str, version: str) -> str:
    return f"apis/{group}/{version}" if group else f"api/{version}"


def document(group: str, version: str, kinds: Kinds = BUILT_IN) -> Packed | None:
    """GET /openapi/v3/apis/<group>/<version>; None if that is not served."""
    if kinds is not BUILT_IN and BUILT_IN.of_version(group, version):
        kinds = BUILT_IN  # No definition ever adds to a version of ours.
    return kinds.made(("openapi", group, version), lambda: _document(kinds.of_version(group, version), group))  # type: ignore[no-any-return]


def _document(resources: list[Resource], group: str) -> Packed | None:
    if not resources:
        return None
    paths = {path: item for resource in resources for path, item in _paths(resource)}
    own = _custom_types(resources)
    found = _reachable(_references([paths, own]), own)
    schemas = {name: _of_group(each, group) for name, each in found.items()}
    head = {"openapi": "3.0.0", "info": INFO}
    return _pack({**head, "paths": dict(sorted(paths.items())), "components": {"schemas": schemas}})


def _custom_types(resources: Iterable[Resource]) -> Manifest:
    """The types that definitions describe."""
    found: Manifest = {}
    for resource in resources:
        if resource.openapi is not None:
            found |= resource.openapi()
    return found


def document_v2(kinds: Kinds = BUILT_IN) -> Packed:
    """GET /openapi/v2 as JSON: all types, and all paths without their bodies."""
    return kinds.made("openapi v2", lambda: _pack(_document_v2(kinds)))  # type: ignore[no-any-return]


def _document_v2(kinds: Kinds) -> Manifest:
    paths = {path: _without_bodies(item) for resource in kinds.resources for path, item in _paths(resource)}
    types = schema.definitions() | _custom_types(kinds.resources)
    definitions = {name: _as_v2(found) for name, found in sorted(types.items())}
    return {"swagger": "2.0", "info": INFO, "paths": dict(sorted(paths.items())), "definitions": definitions}


def document_v2_wire(kinds: Kinds = BUILT_IN) -> Packed:
    """The same in the protobuf form that kubectl asks for."""
    return kinds.made("openapi v2 wire", lambda: _document_v2_wire(kinds))  # type: ignore[no-any-return]


def _document_v2_wire(kinds: Kinds) -> Packed:
    body = openapi_wire.encode(orjson.loads(document_v2(kinds).body()))
    return Packed(gzip.compress(body, 6, mtime=0), sha512(body).hexdigest().upper())


# --- paths ------------------------------------------------------------------------------------------------------


def _paths(resource: Resource) -> Iterator[tuple[str, Manifest]]:
    """Every URL of a kind with its operations."""
    base = f"/{path_of(resource.group, resource.version)}"
    scope = "/namespaces/{namespace}" if resource.namespaced else ""
    collection, item = f"{base}{scope}/{resource.plural}", f"{base}{scope}/{resource.plural}/{{name}}"
    if resource.namespaced:
        yield f"{base}/{resource.plural}", {"get": _operation(resource, "list", "ForAllNamespaces")}
    yield (
        collection,
        _operations(resource, {"get": "list", "post": "create", "delete": "deletecollection"}, resource.verbs),
    )
    yield (
        item,
        _operations(resource, {"get": "get", "put": "update", "patch": "patch", "delete": "delete"}, resource.verbs),
    )
    methods = {"get": "get", "put": "update", "patch": "patch", "post": "create"}
    for name, sub in resource.subresources.items():
        kind = (sub.group or resource.group, sub.version or resource.version, sub.kind or resource.kind)
        operations = {
            method: _operation(resource, verb, name.title(), kind)
            for method, verb in methods.items()
            if verb in sub.verbs
        }
        if _type_of(resource, *kind):
            yield f"{item}/{name}", {**operations, "parameters": _path_parameters(resource, True)}


def _operations(resource: Resource, verbs: dict[str, str], served: tuple[str, ...]) -> Manifest:
    found = {method: _operation(resource, verb) for method, verb in verbs.items() if verb in served}
    return {**found, "parameters": _path_parameters(resource, "put" in verbs)}


_ACTIONS = {"create": "post", "update": "put"}
_WORDS = {"get": "read", "update": "replace"}
_QUERY = {"create": _WRITE, "update": _WRITE, "patch": (*_WRITE, "force"), "list": _LIST, "delete": _DELETE}


def _operation(resource: Resource, verb: str, suffix: str = "", kind: tuple[str, str, str] | None = None) -> Manifest:
    group, version, name = kind or (resource.group, resource.version, resource.kind)
    title = "".join(part.title() for part in _words(resource))
    scoped = "Namespaced" if resource.namespaced and suffix != "ForAllNamespaces" else ""
    answered = f"{META}.Status" if verb.startswith("delete") else _type_of(resource, group, version, name)
    if verb == "list":
        answered = _type_of(resource, resource.group, resource.version, _list_kind(resource))
    made: Manifest = {
        "tags": [f"{'_'.join(_words(resource))}"],
        "operationId": f"{_WORDS.get(verb, verb)}{title}{scoped}{resource.kind}{suffix}",
        "parameters": [_parameter(query) for query in _QUERY.get(verb, ())],
    }
    body = _body(verb, answered, resource)
    if body:
        made["requestBody"] = body
    made["responses"] = {"200": _content(("application/json", "application/yaml"), answered)}
    gvk = {"group": group, "version": version, "kind": name}
    return {**made, "x-kubernetes-action": _ACTIONS.get(verb, verb), "x-kubernetes-group-version-kind": gvk}


def _words(resource: Resource) -> tuple[str, str]:
    """How operations are called: `apps`, `v1`; of custom kinds with the whole group."""
    group = resource.group.replace(".", "") if resource.is_custom else resource.group.split(".")[0]
    return group or "core", resource.version


def _list_kind(resource: Resource) -> str:
    return resource.list_kind or f"{resource.kind}List"


def _type_of(resource: Resource, group: str, version: str, kind: str) -> str | None:
    """The name of a kind's type. Custom ones turn their group around: `io.cert-manager.v1.Certificate`."""
    if resource.is_custom and group == resource.group:
        return type_name(group, version, kind)
    return schema.name_of(group, version, kind)


def _body(verb: str, name: str | None, resource: Resource) -> Manifest | None:
    if verb == "patch":
        media = (patches.JSON, patches.MERGE, *(() if resource.is_custom else (patches.STRATEGIC,)))
        return {**_content(media, f"{META}.Patch"), "required": True}
    if verb.startswith("delete"):
        return _content(("*/*",), f"{META}.DeleteOptions")
    return {**_content(("*/*",), name), "required": True} if verb in ("create", "update") else None


def _content(media: tuple[str, ...], name: str | None) -> Manifest:
    return {"content": {each: {"schema": {"$ref": f"{PREFIX}{name}"}} for each in media}} if name else {}


def _parameter(name: str) -> Manifest:
    kind = "boolean" if name in _BOOLEANS else "integer" if name in _INTEGERS else "string"
    return {"name": name, "in": "query", "schema": {"type": kind, "uniqueItems": True}}


def _path_parameters(resource: Resource, named: bool) -> list[Manifest]:
    names = [*(["name"] if named else []), *(["namespace"] if resource.namespaced else [])]
    typed = {"type": "string", "uniqueItems": True}
    return [*({"name": name, "in": "path", "required": True, "schema": typed} for name in names), _parameter("pretty")]


# --- types ------------------------------------------------------------------------------------------------------


def _references(node: Any) -> set[str]:
    """Names of all types that `node` mentions."""
    if isinstance(node, dict):
        found = {node["$ref"].removeprefix(PREFIX)} if isinstance(node.get("$ref"), str) else set()
        return found.union(*(_references(value) for value in node.values()))
    return set().union(*(_references(value) for value in node)) if isinstance(node, list) else set()


def _reachable(names: set[str], own: Manifest) -> Manifest:
    """The types of these names and all that they are made of. `own`: types beside those of all clusters."""
    definitions, found, waiting = schema.definitions() | own, {}, sorted(names | own.keys())
    while waiting:
        name = waiting.pop()
        if name in definitions and name not in found:
            found[name] = definitions[name]
            waiting += sorted(_references(found[name]))
    return dict(sorted(found.items()))


def _of_group(found: Manifest, group: str) -> Manifest:
    """A type of all groups, such as DeleteOptions, as this group's document shows it."""
    kinds = found.get("x-kubernetes-group-version-kind", ())
    if len(kinds) < 2:
        return found
    own = [kinds[0], {**kinds[0], "group": group}]
    return {**found, "x-kubernetes-group-version-kind": own} if group else found


def _as_v2(node: Any) -> Any:
    """A schema of OpenAPI 3 in the words of 2: references of their own, elsewhere."""
    if isinstance(node, list):
        return [_as_v2(value) for value in node]
    if not isinstance(node, dict):
        return node
    only = node.get("allOf")
    if isinstance(only, list) and len(only) == 1:
        node = {**{k: v for k, v in node.items() if k != "allOf"}, **only[0]}
    made = {key: _as_v2(value) for key, value in node.items() if not (key == "oneOf" and isinstance(value, list))}
    if isinstance(made.get("$ref"), str):
        made["$ref"] = made["$ref"].replace(PREFIX, "#/definitions/")
    return made


def _without_bodies(item: Manifest) -> Manifest:
    """A path in OpenAPI 2, where parameters have their type at hand."""
    made: Manifest = {}
    for method, operation in item.items():
        if method == "parameters":
            made[method] = [_flat(parameter) for parameter in operation]
            continue
        kept = {k: v for k, v in operation.items() if k not in ("requestBody", "responses", "parameters")}
        parameters = [_flat(parameter) for parameter in operation["parameters"]]
        made[method] = {**kept, "parameters": parameters, "responses": {"200": {"description": "OK"}}}
    return made


def _flat(parameter: Manifest) -> Manifest:
    return {**{k: v for k, v in parameter.items() if k != "schema"}, **parameter["schema"]}
