"""OpenAPI: the shape of everything served, generated from the schema and the registry.

kubectl reads it before it sends anything: `create` and `apply` ask the group's document whether PATCH knows
`fieldValidation` (else they would check manifests themselves) and how lists merge; `edit` and `explain` want the types
and what their fields mean.

    /openapi/v3                 index: group version → URL with a hash, so that documents can be cached for ever
    /openapi/v3/apis/apps/v1    one document a group version
    /openapi/v2                 everything in one document, as JSON or protobuf

Texts come from `descriptions.py` while a document is made; none is part of this program.

Mirrors:  k8s.io/kube-openapi (builder3, handler3), k8s.io/apiserver/pkg/endpoints/installer.go
Left out: the protobuf form of v3, named parameters of v2 (they stand where they are used).
Read next: openapi_paths.py, openapi_wire.py.
"""

import gzip
from collections.abc import Iterable, Iterator
from functools import cache, lru_cache
from hashlib import sha512
from typing import Any, NamedTuple

import orjson

from cluster.apiserver import descriptions, discovery, openapi_paths, openapi_wire, schema
from cluster.apiserver.discovery import VERSION
from cluster.apiserver.kinds import BUILT_IN, Kinds
from cluster.apiserver.openapi_paths import META, OBJECTS, REF, Names
from cluster.apiserver.registry import Resource
from cluster.objects import Manifest

INFO = {"title": "Kubernetes", "version": f"{VERSION['major']}.{VERSION['minor']}"}
SECURITY = {"BearerToken": {"type": "apiKey", "name": "authorization", "in": "header"}}
_TEXT: Manifest = {"type": "string", "default": ""}
# The types of discovery itself, which are no kinds: name to fields; all of them are required but those of `_OPTIONAL`.
_DISCOVERY = {
    f"{META}.APIGroup": ("name", "versions", "preferredVersion", "serverAddressByClientCIDRs"),
    f"{META}.APIGroupList": ("groups",),
    f"{META}.APIVersions": ("versions", "serverAddressByClientCIDRs"),
    f"{META}.GroupVersionForDiscovery": ("groupVersion", "version"),
    f"{META}.ServerAddressByClientCIDR": ("clientCIDR", "serverAddress"),
    "io.k8s.apimachinery.pkg.version.Info": tuple(VERSION),
}
_OPTIONAL = ("preferredVersion", "emulationMajor", "emulationMinor", "minCompatibilityMajor", "minCompatibilityMinor")
_MEMBERS = {
    "groups": "APIGroup",
    "preferredVersion": "GroupVersionForDiscovery",
    "serverAddressByClientCIDRs": "ServerAddressByClientCIDR",
}


class Packed(NamedTuple):
    """A large document, gzipped once. `hash`: of its plain bytes."""

    gzipped: bytes
    hash: str

    def body(self) -> bytes:
        return gzip.decompress(self.gzipped)


def pack(content: Any) -> Packed:
    """`content` as JSON, gzipped."""
    return _packed(orjson.dumps(content))


def _packed(body: bytes) -> Packed:
    return Packed(gzip.compress(body, 6, mtime=0), sha512(body).hexdigest().upper())


def index(kinds: Kinds = BUILT_IN) -> Manifest:
    """GET /openapi/v3"""
    found = {path: at(path, kinds) for path in paths(kinds)}
    urls = {path: {"serverRelativeURL": url_of(path, made)} for path, made in found.items() if made}
    return {"paths": dict(sorted(urls.items()))}


def url_of(path: str, made: Packed) -> str:
    """Where a document is, for as long as it says what it says now."""
    return f"/openapi/v3/{path}?hash={made.hash}"


def paths(kinds: Kinds = BUILT_IN) -> list[str]:
    """All documents of version 3."""
    groups = [f"apis/{group}" for group in discovery.group_names(kinds)]
    return ["api", "apis", *groups, *(path_of(*gv) for gv in discovery.api_versions(kinds)), "version"]


def path_of(group: str, version: str) -> str:
    return f"apis/{group}/{version}" if group else f"api/{version}"


def at(path: str, kinds: Kinds = BUILT_IN) -> Packed | None:
    """The document at /openapi/v3/<path>; None if there is none."""
    if path not in paths(kinds):
        return None
    parts = path.split("/")
    if path.startswith("api/"):
        return document("", parts[1], kinds)
    return document(parts[1], parts[2], kinds) if len(parts) == 3 else _plain_document(path)


def document(group: str, version: str, kinds: Kinds = BUILT_IN) -> Packed | None:
    """GET /openapi/v3/apis/<group>/<version>; None if that is not served."""
    if kinds is not BUILT_IN and BUILT_IN.of_version(group, version):
        kinds = BUILT_IN  # No definition ever adds to a version of ours.
    return kinds.made(("openapi", group, version), lambda: _document(group, version, kinds))  # type: ignore[no-any-return]


def _document(group: str, version: str, kinds: Kinds) -> Packed | None:
    resources = kinds.of_version(group, version)
    if not resources:
        return None
    found = [] if resources[0].is_custom else [openapi_paths.of_group_version(group, version)]
    for resource in resources:
        found += openapi_paths.of_resource(resource, Names(resource.is_own))
    return pack(_version_three(dict(found), group, version, _custom_types(resources)))


def _custom_types(resources: Iterable[Resource]) -> Manifest:
    """The types that definitions describe."""
    found: Manifest = {}
    for resource in resources:
        if resource.openapi is not None:
            found |= resource.openapi()
    return found


@lru_cache(maxsize=256)
def _plain_document(path: str) -> Packed:
    """`api`, `apis`, `apis/apps`, `version`: one path each."""
    return pack(_version_three(dict([_plain_path(path)]), "", "v1"))


def _plain_path(path: str) -> tuple[str, Manifest]:
    if path == "version":
        info = "io.k8s.apimachinery.pkg.version.Info"
        return openapi_paths.of_document("/version/", "version", "getCodeVersion", info)
    if path == "api":
        return openapi_paths.of_document("/api/", "core", "getCoreAPIVersions", f"{META}.APIVersions")
    if path == "apis":
        return openapi_paths.of_document("/apis/", "apis", "getAPIVersions", f"{META}.APIGroupList")
    group = path.removeprefix("apis/")
    name = f"get{openapi_paths.title(group, '')}APIGroup"
    return openapi_paths.of_document(f"/{path}/", openapi_paths.tag(group, ""), name, f"{META}.APIGroup")


def _version_three(found: Manifest, group: str, version: str, own: Manifest | None = None) -> Manifest:
    """`own`: types beside those of all clusters."""
    types = _reachable(references([found, own]), own or {})
    schemas = {name: _of_group(described(name, each), group, version) for name, each in types.items()}
    components = {"schemas": schemas, "securitySchemes": SECURITY}
    return {"openapi": "3.0.0", "info": INFO, "paths": dict(sorted(found.items())), "components": components}


def document_v2(kinds: Kinds = BUILT_IN) -> Packed:
    """GET /openapi/v2 as JSON: all types and all paths."""
    return kinds.made("openapi v2", lambda: _document_v2(kinds))  # type: ignore[no-any-return]


def _document_v2(kinds: Kinds) -> Packed:
    found = dict(_plain_path(path) for path in paths(kinds) if path.count("/") < 2 and not path.startswith("api/"))
    found |= dict(openapi_paths.of_group_version(*gv) for gv in discovery.api_versions(kinds))
    for each in kinds.resources:
        found |= openapi_paths.of_resource(each, Names(each.is_own))
    return pack(version_two(found, {**schema.definitions(), **_discovery_types(), **_custom_types(kinds.resources)}))


def version_two(found: Manifest, types: Manifest) -> Manifest:
    """Paths and types of version 3 as a document of version 2."""
    definitions = {name: _as_v2(described(name, each)) for name, each in sorted(types.items())}
    return {
        "swagger": "2.0",
        "info": INFO,
        "paths": {path: _path_v2(item) for path, item in sorted(found.items())},
        "definitions": definitions,
        "securityDefinitions": SECURITY,
        "security": [{"BearerToken": []}],
    }


def document_v2_wire(kinds: Kinds = BUILT_IN) -> Packed:
    """The same in the protobuf form that kubectl asks for."""
    return kinds.made("openapi v2 wire", lambda: _document_v2_wire(kinds))  # type: ignore[no-any-return]


def _document_v2_wire(kinds: Kinds) -> Packed:
    return _packed(openapi_wire.encode(orjson.loads(document_v2(kinds).body())))


# --- types ------------------------------------------------------------------------------------------------------


@cache
def _discovery_types() -> Manifest:
    """What /api, /apis and /version answer with."""
    made: Manifest = {}
    for name, fields in _DISCOVERY.items():
        kind = name.rpartition(".")[2]
        typed = (
            {} if kind in ("GroupVersionForDiscovery", "ServerAddressByClientCIDR", "Info") else {"apiVersion", "kind"}
        )
        properties = {field: _discovery_field(kind, field) for field in sorted({*fields, *typed})}
        optional = (*_OPTIONAL, *(("serverAddressByClientCIDRs",) if kind == "APIGroup" else ()))
        made[name] = {
            "type": "object",
            "required": [field for field in fields if field not in optional],
            "properties": properties,
        }
        if typed:
            gvk = {"group": "", "kind": kind, "version": "v1"}
            made[name]["x-kubernetes-group-version-kind"] = [gvk]
    return made


def _discovery_field(kind: str, field: str) -> Manifest:
    if field in ("apiVersion", "kind"):
        return {"type": "string"}
    member = "GroupVersionForDiscovery" if (kind, field) == ("APIGroup", "versions") else _MEMBERS.get(field)
    if member is None and field != "versions":
        return {"type": "string"} if field in _OPTIONAL else _TEXT
    if member is None:
        return {"type": "array", "items": _TEXT, "x-kubernetes-list-type": "atomic"}
    reference = {"default": {}, "allOf": [{"$ref": f"{REF}{META}.{member}"}]}
    if field == "preferredVersion":
        return reference
    return {"type": "array", "items": reference, "x-kubernetes-list-type": "atomic"}


def described(name: str, found: Manifest) -> Manifest:
    """A type with the meaning of itself and of its fields, as far as anybody can tell."""
    own, fields = descriptions.of_type(name)
    properties: Manifest = found.get("properties", {})
    texts = {key: fields[key] + _choices(each) for key, each in properties.items() if fields.get(key)}
    explained = {key: {"description": text, **properties[key]} for key, text in texts.items()}
    if explained:
        found = {**found, "properties": {**properties, **explained}}
    return {"description": own, **found} if own else found


def _choices(field: Manifest) -> str:
    """What a field may be, said after its meaning."""
    values = "".join(f'\n - `"{value}"`' for value in field.get("enum", ()))
    return f"\n\nPossible enum values:{values}" if values else ""


def references(node: Any) -> set[str]:
    """Names of all types that `node` mentions."""
    return set(_references(node))


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"].removeprefix(REF)
        for value in node.values():
            yield from _references(value)
    elif isinstance(node, list):
        for value in node:
            yield from _references(value)


def _reachable(names: set[str], own: Manifest) -> Manifest:
    """The types of these names and all that they are made of. `own`: types beside those of all clusters."""
    definitions, found = {**schema.definitions(), **_discovery_types(), **own}, {}
    waiting = sorted(names | own.keys())
    while waiting:
        name = waiting.pop()
        if name in definitions and name not in found:
            found[name] = definitions[name]
            waiting += sorted(references(found[name]))
    return dict(sorted(found.items()))


def _of_group(found: Manifest, group: str, version: str) -> Manifest:
    """A type of all groups, such as DeleteOptions, as the document of this group and version shows it."""
    kinds = found.get("x-kubernetes-group-version-kind", ())
    if len(kinds) < 2:
        return found
    own = [kinds[0], *([{**kinds[0], "group": group, "version": version}] if group else [])]
    return {**found, "x-kubernetes-group-version-kind": own}


# --- version 2 --------------------------------------------------------------------------------------------------


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
        made["$ref"] = made["$ref"].replace(REF, "#/definitions/")
    return made


def _path_v2(item: Manifest) -> Manifest:
    """A path in OpenAPI 2: parameters have their type at hand, and the body is one of them."""
    made: Manifest = {}
    for method, operation in item.items():
        if method == "parameters":
            made[method] = [_flat(parameter) for parameter in operation]
            continue
        kept = {k: v for k, v in operation.items() if k not in ("requestBody", "responses", "parameters")}
        body = operation.get("requestBody")
        parameters = [*([_body_v2(body)] if body else []), *map(_flat, operation.get("parameters", []))]
        produced = {media: None for answer in operation["responses"].values() for media in answer.get("content", ())}
        made[method] = {
            "consumes": list(body["content"]) if body else ["*/*"] if item.get("parameters") else list(OBJECTS),
            "produces": list(produced),
            "schemes": ["https"],
            **kept,
            **({"parameters": parameters} if parameters else {}),
            "responses": {code: _answer_v2(answer) for code, answer in operation["responses"].items()},
        }
    return made


def _body_v2(body: Manifest) -> Manifest:
    made = {"name": "body", "in": "body", "schema": _as_v2(next(iter(body["content"].values()))["schema"])}
    return {**made, "required": True} if body.get("required") else made


def _answer_v2(answer: Manifest) -> Manifest:
    content = next(iter(answer.get("content", {}).values()), None)
    shape = {"schema": _as_v2(content["schema"])} if content else {}
    return {"description": answer["description"], **shape}


def _flat(parameter: Manifest) -> Manifest:
    return {**{k: v for k, v in parameter.items() if k != "schema"}, **parameter["schema"]}
