"""The URLs of a kind as OpenAPI tells them: one operation a method, with its parameters, its body and its answers.

    /apis/apps/v1/deployments                                          list, of all namespaces
    /apis/apps/v1/namespaces/{namespace}/deployments                   list, post, deletecollection
    /apis/apps/v1/namespaces/{namespace}/deployments/{name}            get, put, patch, delete
    /apis/apps/v1/namespaces/{namespace}/deployments/{name}/scale      get, put, patch of another kind
    /apis/apps/v1/watch/…                                              the older way to watch

kubectl looks here for `fieldValidation` and `dryRun` of PATCH; client generators make their methods' names of the
operationId; `x-kubernetes-action` is the verb that RBAC knows. Parameters that all operations of a path share stand
at the path.

Mirrors:  k8s.io/apiserver/pkg/endpoints/installer.go, k8s.io/kube-openapi/pkg/builder3
Left out: descriptions of operations and parameters.
Read next: openapi.py.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

from cluster.apiserver import patches, schema
from cluster.apiserver.registry import Resource, Subresource
from cluster.objects import Manifest

REF = "#/components/schemas/"
META = "io.k8s.apimachinery.pkg.apis.meta.v1"
WRITE = ("dryRun", "fieldManager", "fieldValidation")
WATCH = (
    "allowWatchBookmarks", "continue", "fieldSelector", "labelSelector", "limit", "resourceVersion",
    "resourceVersionMatch", "sendInitialEvents", "shardSelector", "timeoutSeconds", "watch",
)  # fmt: skip
DELETE = (
    "dryRun", "gracePeriodSeconds", "ignoreStoreReadErrorWithClusterBreakingPotential", "orphanDependents",
    "propagationPolicy",
)  # fmt: skip
QUERY = {
    "list": WATCH,
    "watch": (*WATCH, "pretty"),
    "create": WRITE,
    "update": WRITE,
    "patch": (*WRITE, "force"),
    "delete": DELETE,
    "deletecollection": tuple(sorted({*WATCH, *DELETE} - {"allowWatchBookmarks", "watch"})),
}
_ATTACH = ("container", "stderr", "stdin", "stdout", "tty")
CONNECT = {
    "attach": _ATTACH,
    "exec": ("command", *_ATTACH),
    "portforward": ("ports",),
    "proxy": ("path",),
}  # Sub-resources that are streams, with their parameters.
LOG = (
    "container", "follow", "insecureSkipTLSVerifyBackend", "limitBytes", "previous", "sinceSeconds", "stream",
    "tailLines", "timestamps",
)  # fmt: skip
STREAMED, PROXIED = ("get", "post"), ("get", "put", "post", "delete", "options", "head", "patch")
BOOLEANS = {
    "allowWatchBookmarks", "follow", "force", "ignoreStoreReadErrorWithClusterBreakingPotential",
    "insecureSkipTLSVerifyBackend", "orphanDependents", "previous", "sendInitialEvents", "stderr", "stdin", "stdout",
    "timestamps", "tty", "watch",
}  # fmt: skip
INTEGERS = {"gracePeriodSeconds", "limit", "limitBytes", "ports", "sinceSeconds", "tailLines", "timeoutSeconds"}
OBJECTS = ("application/json", "application/vnd.kubernetes.protobuf", "application/yaml")
CUSTOM = ("application/json", "application/yaml")
STREAMS = ("application/json;stream=watch", "application/vnd.kubernetes.protobuf;stream=watch")
PATCHES = (patches.APPLY, patches.JSON, patches.MERGE, patches.STRATEGIC)
PHRASES = {"200": "OK", "201": "Created", "202": "Accepted", "401": "Unauthorized"}
METHODS = {"create": "post", "update": "put", "list": "get", "watch": "get", "deletecollection": "delete"}
STATUSES = {
    "create": ("200", "201", "202"),
    "update": ("200", "201"),
    "patch": ("200", "201"),
    "delete": ("200", "202"),
}
ACTIONS = {"create": "post", "update": "put"}
WORDS = {"get": "read", "update": "replace", "deletecollection": "delete"}


class Kind(NamedTuple):
    """What an operation is about."""

    group: str
    version: str
    kind: str


def of_group_version(group: str, version: str) -> tuple[str, Manifest]:
    """`/apis/apps/v1/`: the list of its resources."""
    path = f"/apis/{group}/{version}/" if group else f"/api/{version}/"
    operation = {
        "tags": [tag(group, version)],
        "operationId": f"get{title(group, version)}APIResources",
        "responses": _responses(("200",), OBJECTS, f"{META}.APIResourceList"),
    }
    return path, {"get": operation}


def of_document(path: str, tags: str, name: str, kind: str) -> tuple[str, Manifest]:
    """A path that is only read, such as `/apis/apps/`."""
    operation = {"tags": [tags], "operationId": name, "responses": _responses(("200",), OBJECTS, kind)}
    return path, {"get": operation}


def of_resource(resource: Resource, names: "Names") -> Iterator[tuple[str, Manifest]]:
    """Every URL of a kind with its operations."""
    base = f"/{'apis/' if resource.group else 'api/'}{resource.api_version}"
    scope = "/namespaces/{namespace}" if resource.namespaced else ""
    collection, verbs = f"{scope}/{resource.plural}", resource.verbs
    maker = _Maker(resource, names)
    if resource.namespaced and "list" in verbs:
        yield base + f"/{resource.plural}", maker.item([("list", "ForAllNamespaces")], ())
    yield from maker.at(base + collection, ("list", "create", "deletecollection"), ("namespace",))
    yield from maker.at(base + collection + "/{name}", ("get", "update", "delete", "patch"), ("name", "namespace"))
    for name, sub in resource.subresources.items():
        path = f"{base}{collection}/{{name}}/{name}"
        yield from maker.subresource(path, name, sub)
    if "watch" in verbs:
        if resource.namespaced:
            yield f"{base}/watch/{resource.plural}", maker.item([("watch", "ListForAllNamespaces")], ())
        yield f"{base}/watch{collection}", maker.item([("watch", "List")], ("namespace",))
        if "get" in verbs:
            yield f"{base}/watch{collection}/{{name}}", maker.item([("watch", "")], ("name", "namespace"))


class Names(NamedTuple):
    """How types are called: in the document of built-in kinds, or of a cluster's own."""

    custom: bool = False

    def of(self, kind: Kind) -> str:
        """The schema's name; empty if there is none."""
        if self.custom and "." in kind.group and schema.name_of(*kind) is None:
            return ".".join((*reversed(kind.group.split(".")), kind.version, kind.kind))
        return schema.name_of(*kind) or ""


class _Maker:
    """Makes the operations of one kind."""

    def __init__(self, resource: Resource, names: Names) -> None:
        self.resource, self.names = resource, names
        self.kind = Kind(resource.group, resource.version, resource.kind)
        self.media = CUSTOM if names.custom else OBJECTS

    def at(self, path: str, verbs: tuple[str, ...], parts: tuple[str, ...]) -> Iterator[tuple[str, Manifest]]:
        served = [(verb, "") for verb in verbs if verb in self.resource.verbs]
        if served:
            yield path, self.item(served, parts)

    def item(self, verbs: list[tuple[str, str]], parts: tuple[str, ...]) -> Manifest:
        """A path's operations: (verb, end of its operationId); `parts`: what of its path is a parameter."""
        operations = {METHODS.get(verb, verb): self.operation(verb, suffix) for verb, suffix in verbs}
        return _hoisted(operations, self._path_parameters(parts, "pretty"))

    def subresource(self, path: str, name: str, sub: Subresource) -> Iterator[tuple[str, Manifest]]:
        parts = self._path_parameters(("name", "namespace"))
        if name in CONNECT:
            streams = CONNECT[name]
            yield path, self._connected(name, sub, PROXIED if name == "proxy" else STREAMED, "", parts, streams)
            if name == "proxy":
                where = [*parts, _in_path("path")]
                yield path + "/{path}", self._connected(name, sub, PROXIED, "WithPath", where, streams)
            return
        kind = Kind(sub.group or self.resource.group, sub.version or self.resource.version, sub.kind or self.kind.kind)
        if not self.names.of(kind):
            return
        if name == "log":
            reading = self._named("get", name.title(), kind)
            text = {media: {"schema": {"type": "string"}} for media in (*OBJECTS, "text/plain")}
            reading = {**reading, "responses": {**_responses(("200",), (), ""), "200": _with_text(text)}}
            operation = _in_order({**reading, "parameters": [_parameter(query) for query in LOG]})
            yield path, _hoisted({"get": operation}, self._path_parameters(("name", "namespace"), "pretty"))
            return
        verbs = [verb for verb in ("get", "update", "patch", "create") if verb in sub.verbs]
        operations = {METHODS.get(verb, verb): self.operation(verb, name.title(), kind) for verb in verbs}
        yield path, _hoisted(operations, self._path_parameters(("name", "namespace"), "pretty"))

    def operation(self, verb: str, suffix: str, kind: Kind | None = None) -> Manifest:
        about = kind or self.kind
        answered = self.names.of(about)
        media = self.media
        if verb == "list":
            answered = self.names.of(about._replace(kind=self.resource.list_kind or f"{about.kind}List"))
        elif verb == "watch":
            answered = f"{META}.WatchEvent"
        elif verb == "deletecollection" or (verb == "delete" and not self._returns_deleted):
            answered = f"{META}.Status"
        if verb in ("list", "watch") and not self.names.custom:
            media = (*media, *STREAMS)
        made = self._named(verb, suffix, about)
        made["parameters"] = [_parameter(query) for query in QUERY.get(verb, ())]
        body = self._body(verb, answered)
        if body:
            made["requestBody"] = body
        made["responses"] = _responses(STATUSES.get(verb, ("200",)), media, answered)
        return _in_order(made)

    @property
    def _returns_deleted(self) -> bool:
        """A namespace comes back only because it is not yet gone; its document doesn't know that."""
        return self.resource.returns_deleted and self.kind.kind != "Namespace"

    def _named(self, verb: str, suffix: str, kind: Kind) -> Manifest:
        resource = self.resource
        all_namespaces = suffix.endswith("ForAllNamespaces")
        scoped = "Namespaced" if resource.namespaced and not all_namespaces else ""
        many = "Collection" if verb == "deletecollection" else ""
        where = title(resource.group, resource.version)
        action = "watchlist" if verb == "watch" and suffix.startswith("List") else ACTIONS.get(verb, verb)
        return {
            "tags": [tag(resource.group, resource.version)],
            "operationId": f"{WORDS.get(verb, verb)}{where}{many}{scoped}{resource.kind}{suffix}",
            "x-kubernetes-action": action,
            "x-kubernetes-group-version-kind": kind._asdict(),
        }

    def _connected(
        self, name: str, sub: Subresource, methods: tuple[str, ...], suffix: str, parts: list[Manifest],
        queries: tuple[str, ...],
    ) -> Manifest:  # fmt: skip
        """A stream: the answer is whatever comes."""
        made: Manifest = {}
        for method in methods:
            operation = self._named("connect", f"{name.title()}{suffix}", Kind("", self.resource.version, sub.kind))
            text = {"*/*": {"schema": {"type": "string"}}}
            operation["responses"] = {**_responses(("200",), (), ""), "200": _with_text(text)}
            identity: str = operation["operationId"]
            where = title(self.resource.group, self.resource.version)
            operation["operationId"] = identity.replace(where, where + method.title(), 1)
            made[method] = _in_order(operation)
        return {**made, "parameters": _sorted([*parts, *(_parameter(query) for query in queries)])}

    def _path_parameters(self, parts: tuple[str, ...], *queries: str) -> list[Manifest]:
        named = [_in_path(part) for part in parts if part == "name" or self.resource.namespaced]
        return [*named, *(_parameter(query) for query in queries)]

    def _body(self, verb: str, name: str) -> Manifest | None:
        if verb == "patch":
            forms = tuple(form for form in PATCHES if not (self.names.custom and form == patches.STRATEGIC))
            return {"content": _content(forms, f"{META}.Patch"), "required": True}
        if verb.startswith("delete"):
            return {"content": _content(("*/*",), f"{META}.DeleteOptions")}
        if verb not in ("create", "update"):
            return None
        return {"content": _content(self.media if self.names.custom else ("*/*",), name), "required": True}


# --- words ------------------------------------------------------------------------------------------------------


def title(group: str, version: str) -> str:
    """`rbac.authorization.k8s.io`, `v1` as in operation names: RbacAuthorizationV1."""
    words = [word[:1].upper() + word[1:] for word in _words(group)]
    return "".join(words) + version[:1].upper() + version[1:]


def tag(group: str, version: str) -> str:
    """The same as in tags: rbacAuthorization_v1; the group alone without a version."""
    words = _words(group)
    name = words[0] + "".join(word[:1].upper() + word[1:] for word in words[1:])
    return f"{name}_{version}" if version else name


def _words(group: str) -> list[str]:
    return (group.removesuffix(".k8s.io") or "core").split(".")


# --- parts ------------------------------------------------------------------------------------------------------


def _hoisted(operations: Manifest, shared: list[Manifest]) -> Manifest:
    """Operations with the parameters that all of them have told once, at the path."""
    lists = [operation.get("parameters", []) for operation in operations.values()]
    common = [parameter for parameter in lists[0] if all(parameter in each for each in lists)]
    made: Manifest = {}
    for method, operation in operations.items():
        own = [parameter for parameter in operation.get("parameters", []) if parameter not in common]
        kept = {key: value for key, value in operation.items() if key != "parameters"}
        made[method] = _in_order({**kept, "parameters": own} if own else kept)
    return {**made, "parameters": _sorted([*common, *(each for each in shared if each not in common)])}


def _sorted(parameters: list[Manifest]) -> list[Manifest]:
    return sorted(parameters, key=lambda parameter: (parameter["name"], parameter["in"]))


_ORDER = ("tags", "operationId", "parameters", "requestBody", "responses")


def _in_order(operation: Manifest) -> Manifest:
    """Keys in the order in which a reader wants them."""
    return {**{key: operation[key] for key in _ORDER if key in operation}, **operation}


def _responses(statuses: tuple[str, ...], media: tuple[str, ...], name: str) -> Manifest:
    found: dict[str, Any] = {
        status: {"description": PHRASES[status], "content": _content(media, name)} for status in statuses
    }
    return {**found, "401": {"description": PHRASES["401"]}}


def _with_text(content: Manifest) -> Manifest:
    return {"description": PHRASES["200"], "content": content}


def _content(media: tuple[str, ...], name: str) -> Manifest:
    return {each: {"schema": {"$ref": f"{REF}{name}"}} for each in media}


def _parameter(name: str) -> Manifest:
    kind = "boolean" if name in BOOLEANS else "integer" if name in INTEGERS else "string"
    return {"name": name, "in": "query", "schema": {"type": kind, "uniqueItems": True}}


def _in_path(name: str) -> Manifest:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string", "uniqueItems": True}}
