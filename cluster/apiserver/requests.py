"""A write from outside, from its bytes to its answer: what Daphne put into the inbox, executed inside the world.

    path → verb → decode (JSON, YAML, protobuf) → field validation → Server (default, admit, validate, store) → answer

The request is a plain dict: {"type": "api", "method", "path" (without the cluster's prefix), "query", "headers"
(lower case), "body" (text) or "body64" (binary), "user" (name, groups, uid, extra)}. Errors become Status objects in
the real server's words.

Mirrors:  k8s.io/apiserver/pkg/endpoints/handlers
Left out: tokens (TokenRequest) and the access reviews.
Read next: server.py.
"""

from base64 import b64decode
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

import orjson

from cluster.apiserver import fieldmanager, patches, registry
from cluster.apiserver.admission import CREATE, webhooks
from cluster.apiserver.authorization.asked import asked
from cluster.apiserver.bodies import MAX_BYTES, as_expected, configuration, decode_body, too_large
from cluster.apiserver.options import Options, of_apply, of_delete, of_write
from cluster.apiserver.patches import strategic
from cluster.apiserver.registry import Resource
from cluster.apiserver.server import Server
from cluster.apiserver.stages import Stages
from cluster.apiserver.target import Target
from cluster.apiserver.target import parse as parse_target
from cluster.objects import Manifest, errors, labels, meta, users
from cluster.objects.users import MASTERS, User

CONTINUE = 100  # Not an answer yet: webhooks must be asked first.


@dataclass
class Response:
    """An answer. `stages`: what the request passed, for the picture."""

    status: int
    headers: dict[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})
    body: bytes = b""
    stages: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def json(cls, status: int, obj: Any, warnings: list[str] | None = None) -> "Response":
        headers = {"Content-Type": "application/json"}
        if warnings:
            headers["Warning"] = ", ".join(f'299 - "{_escaped(text)}"' for text in warnings)
        return cls(status, headers, orjson.dumps(obj))

    @classmethod
    def error(cls, error: errors.ApiError, warnings: list[str] | None = None) -> "Response":
        response = cls.json(error.status, error.status_object(), warnings)
        if error.retry_after is not None:
            response.headers["Retry-After"] = str(error.retry_after)
        return response


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")


@dataclass
class Call:
    """A parsed request."""

    server: Server
    method: str
    target: Target
    resource: Resource
    query: dict[str, list[str]]
    content_type: str
    body: bytes
    user: User
    options: Options
    stages: Stages
    hooks: webhooks.Hooks | None
    user_agent: str = ""


def handle(server: Server, request: dict[str, Any]) -> Response:
    """Execute one write. Errors: none are raised but programming errors; every refusal is an answer."""
    call, stages = None, Stages()
    try:
        call = _parsed(server, request, stages)
        response = _route(call)
    except webhooks.Wanted as wanted:
        return Response(CONTINUE, body=orjson.dumps({"calls": wanted.calls}))
    except errors.ApiError as error:
        stages.refused(error.status, error.message)
        response = Response.error(error, call.options.warnings if call else None)
    response.stages = stages.rows
    return response


def _parsed(server: Server, request: dict[str, Any], stages: Stages) -> Call:
    user = users.from_plain(request.get("user"))
    stages.enter("authentication", user=user.name, groups=list(user.groups))
    stages.enter("authorization")
    if not user.is_master:
        server.authorizer.check(asked(user, request["method"], request["path"], request.get("query", "")))
    stages.say(why="" if not user.is_master else MASTERS)
    stages.enter("decoding")
    target = parse_target(request["path"])
    if target is None or not target.plural:
        raise errors.MethodNotAllowed()
    resource = server.kinds.by_path(target.group, target.version, target.plural)
    if resource is None:
        raise errors.PathNotFound()
    query = parse_qs(request.get("query", ""), keep_blank_values=True)
    body = b64decode(request["body64"]) if "body64" in request else request.get("body", "").encode(errors="replace")
    if len(body) > MAX_BYTES:
        raise too_large()
    headers = request.get("headers", {})
    content_type = headers.get("content-type", "").split(";")[0].strip().lower()
    hooks, agent, method = webhooks.Hooks.of(request.get("webhooks")), headers.get("user-agent", ""), request["method"]
    return Call(server, method, target, resource, query, content_type, body, user, Options(), stages, hooks, agent)


_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


def _route(call: Call) -> Response:
    """Which handler: by method, and whether the URL names an object, a collection or a sub-resource."""
    target, resource, method = call.target, call.resource, call.method
    if "get" not in resource.verbs and resource.kind != "Binding":
        raise errors.MethodNotAllowed()  # Reviews: the gateway answers them, and nothing is stored.
    verb = "deletecollection" if method == "DELETE" and not target.name else _VERBS.get(method, "")
    if (resource.namespaced and not target.namespace) or (verb not in resource.verbs and not target.subresource):
        raise errors.MethodNotAllowed()
    if target.subresource:
        handler = _SUBRESOURCES.get((resource.plural, target.subresource)) or _SUBRESOURCES.get(
            ("", target.subresource)
        )
        if handler is None or target.subresource not in resource.subresources:
            raise errors.PathNotFound()
        return handler(call)
    if method == "POST" and not target.name:
        return _create(call)
    if method == "PUT" and target.name:
        return _update(call)
    if method == "PATCH" and target.name:
        return _patch(call)
    if method == "DELETE":
        return _delete(call) if target.name else _delete_collection(call)
    raise errors.MethodNotAllowed()


# --- objects ----------------------------------------------------------------------------------------------------


def _create(call: Call) -> Response:
    call.options = _write_options(call)
    obj, resource = _decoded(call), call.resource
    given = obj.get("metadata") or {}
    if given.get("resourceVersion"):
        raise errors.InternalError("resourceVersion should not be set on objects to be created")
    obj = _in_namespace(call, obj)
    if resource.kind == "Binding":
        return _bound(call, obj, meta_name(obj), "")
    created = call.server.create_as(resource, call.user, obj, call.options)
    return Response.json(201, _shown(call, created), call.options.warnings)


def _update(call: Call) -> Response:
    call.options = _write_options(call)
    obj, server, target = _decoded(call), call.server, call.target
    _named_as(obj, target)
    obj = _in_namespace(call, obj)
    _numeric_version(obj)
    if server.storage.get(call.resource, target.namespace, target.name) is None and call.resource.create_on_update:
        obj = {**obj, "metadata": {k: v for k, v in obj["metadata"].items() if k != "resourceVersion"}}
        return Response.json(
            201, _shown(call, server.create_as(call.resource, call.user, obj, call.options)), call.options.warnings
        )
    change = _replacement(call, obj)
    updated = server.modify(call.resource, call.user, target.namespace, target.name, change, "", call.options)
    return Response.json(200, _shown(call, updated), call.options.warnings)


def _apply(call: Call, subresource: str = "") -> Response:
    """Server-side apply: the body is all that its field manager wants to own."""
    target, resource, server = call.target, call.resource, call.server
    call.options, force = _apply_options(call)
    config = configuration(call.body)
    _check_kind(config, resource)

    def change(current: Manifest | None) -> Manifest:
        live = registry.present(resource, current) if current is not None else None
        manager, now = call.options.manager, server.clock.stamp()
        applied = fieldmanager.apply(resource, live, config, manager, subresource, force, now)
        obj = _checked(call, registry.decode(resource, as_expected(applied.obj, resource)), applied.obj)
        _named_as(obj, target)
        obj = _in_namespace(call, obj)
        if current is not None:
            _same_uid(resource, obj, current)
        call.options.managed = applied.managed
        return registry.store_form(resource, obj)

    if server.storage.get(resource, target.namespace, target.name) is None and not subresource:
        return _created_by_apply(call, change(None), config)
    updated = server.modify(resource, call.user, target.namespace, target.name, change, subresource, call.options)
    return Response.json(200, _shown(call, updated), call.options.warnings)


def _created_by_apply(call: Call, obj: Manifest, config: Manifest) -> Response:
    uid = (config.get("metadata") or {}).get("uid")
    if uid:
        message = f"uid mismatch: the provided object specified uid {uid}, and no existing object was found"
        raise errors.Conflict(call.resource.group, call.resource.plural, call.target.name, message)
    created = call.server.create_as(call.resource, call.user, obj, call.options)
    return Response.json(201, _shown(call, created), call.options.warnings)


def _apply_options(call: Call) -> tuple[Options, bool]:
    options, force = of_apply(call.query)
    options.stages, options.hooks = call.stages, call.hooks
    return options, force


def _check_kind(config: Manifest, resource: Resource) -> None:
    """Is it of the URL's kind and version? Errors: BadRequest."""
    version, kind = str(config.get("apiVersion") or ""), str(config.get("kind") or "")
    if (version, kind) != (resource.api_version, resource.kind):
        shown = version if "/" in version else f"/{version}"
        raise errors.BadRequest(f"invalid object type: {shown}, Kind={kind}")


def _same_uid(resource: Resource, obj: Manifest, current: Manifest) -> None:
    if meta.uid(obj) != meta.uid(current):
        problem = {"reason": "FieldValueInvalid", "field": "metadata.uid"}
        message = f'Invalid value: "{meta.uid(obj)}": field is immutable'
        raise errors.Invalid(resource.group, resource.kind, meta.name(current), [{**problem, "message": message}])


def _patch(call: Call, subresource: str = "") -> Response:
    """All patches but server-side apply: change the object as its URL shows it, then decode it like any body."""
    if call.content_type == patches.APPLY:
        return _apply(call, subresource)
    target, resource = call.target, call.resource
    _check_patch(call)

    def change(current: Manifest) -> Manifest:
        shown = registry.present(resource, current)
        patched = patches.apply(resource, shown, call.content_type, call.body)
        if patched is shown:
            return current
        decoded = registry.decode(resource, as_expected(patched, resource))
        if decoded.problems and call.options.field_validation == "Strict":
            raise _strict_patch(call, patched, decoded.problems)
        obj = _checked(call, decoded, patched)
        _named_as(obj, target)
        _same_uid(resource, obj, current)
        if resource.namespaced and meta.namespace(obj) != target.namespace:
            raise errors.BadRequest(_NAMESPACE_MISMATCH)
        _numeric_version(obj)
        return registry.store_form(resource, obj)

    updated = call.server.modify(resource, call.user, target.namespace, target.name, change, subresource, call.options)
    return Response.json(200, _shown(call, updated), call.options.warnings)


def _check_patch(call: Call) -> None:
    """The patch's type and its options. Errors: UnsupportedMediaType, Invalid."""
    patches.check_type(call.content_type, call.resource)
    call.options = _write_options(call)


def _strict_patch(call: Call, patched: Manifest, problems: list[str]) -> errors.ApiError:
    """A patch with unknown fields: the real server names neither kind nor object, and shows the whole of it."""
    text = (
        strategic.go_text(orjson.loads(call.body))
        if call.content_type == patches.STRATEGIC
        else orjson.dumps(patched).decode()
    )
    message = f"Invalid value: {orjson.dumps(text).decode()}: strict decoding error: {', '.join(problems)}"
    return errors.Invalid("", "", "", [{"reason": "FieldValueInvalid", "message": message, "field": "patch"}])


def _delete(call: Call) -> Response:
    options = _delete_options(call)
    target, resource = call.target, call.resource
    left, gone = call.server.delete_as(resource, call.user, target.namespace, target.name, options)
    if not gone or resource.returns_deleted:
        return Response.json(200, _shown(call, left))
    details = {"name": target.name, "group": resource.group, "kind": resource.plural, "uid": meta.uid(left)}
    details = {key: value for key, value in details.items() if value}
    return Response.json(
        200, {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}
    )


def _delete_collection(call: Call) -> Response:
    options, resource, server = _delete_options(call), call.resource, call.server
    chosen = labels.parse(call.query.get("labelSelector", [""])[-1])
    fields = registry.field_selector(resource, call.query.get("fieldSelector", [""])[-1])
    items = []
    listed = server.informers.list(resource.cache, call.target.namespace or None)
    found = [obj for obj in listed if chosen.matches(meta.labels(obj)) and fields(obj)]
    server.ask_of_deletions(resource, call.user, found, options)
    for obj in found:
        left, _ = server.delete_as(resource, call.user, meta.namespace(obj), meta.name(obj), options)
        options.stages = None  # The first one's way is every one's.
        items.append({k: v for k, v in _shown(call, left).items() if k not in ("kind", "apiVersion")})
    revision = str(server.storage.store.revision)
    answer = {
        "kind": resource.list_kind or f"{resource.kind}List",
        "apiVersion": resource.api_version,
        "metadata": {"resourceVersion": revision},
    }
    return Response.json(200, {**answer, "items": items})


# --- sub-resources ----------------------------------------------------------------------------------------------


def _status(call: Call) -> Response:
    if call.method == "PATCH":
        return _patch(call, "status")
    return _replace_part(call, "status")


def _approval(call: Call) -> Response:
    if call.method == "PATCH":
        return _patch(call, "approval")
    return _replace_part(call, "approval")


def _finalize(call: Call) -> Response:
    if call.method != "PUT":
        raise errors.MethodNotAllowed()
    return _replace_part(call, "finalize")


def _replace_part(call: Call, subresource: str) -> Response:
    if call.method != "PUT":
        raise errors.MethodNotAllowed()
    call.options = _write_options(call)
    obj, target = _decoded(call), call.target
    _named_as(obj, target)
    obj = _in_namespace(call, obj)
    _numeric_version(obj)
    change = _replacement(call, obj)
    updated = call.server.modify(
        call.resource, call.user, target.namespace, target.name, change, subresource, call.options
    )
    return Response.json(200, _shown(call, updated), call.options.warnings)


def _scale(call: Call) -> Response:
    """autoscaling/v1 Scale: a window on `spec.replicas` that fits every workload alike."""
    target, resource, server, kind = call.target, call.resource, call.server, registry.by_kind("Scale")
    if call.method == "PATCH" and call.content_type == patches.APPLY:
        return _apply_scale(call)
    if call.method == "PATCH":
        _check_patch(call)
    elif call.method == "PUT":
        call.options = _write_options(call)
    else:
        raise errors.MethodNotAllowed()

    def change(current: Manifest) -> Manifest:
        shown = registry.scale_of(resource, current)
        if call.method == "PATCH":
            patched = patches.apply(kind, shown, call.content_type, call.body)
            asked = _checked(call, registry.decode(kind, as_expected(patched, kind)), patched)
        else:
            asked = _decoded(call, kind)
        _named_as(asked, target)
        _numeric_version(asked)
        return registry.scaled(resource, current, asked)

    updated = server.modify(resource, call.user, target.namespace, target.name, change, "scale", call.options)
    return Response.json(200, registry.scale_of(resource, updated))


def _apply_scale(call: Call) -> Response:
    """Of a Scale only the replicas can be owned, and it is the workload's field that is."""
    target, resource, server = call.target, call.resource, call.server
    call.options, force = _apply_options(call)
    config, kind = configuration(call.body), registry.by_kind("Scale")
    _check_kind(config, kind)
    spec = config.get("spec") or {}
    wanted = {"spec": {"replicas": spec["replicas"]}} if isinstance(spec, dict) and "replicas" in spec else {}

    def change(current: Manifest) -> Manifest:
        manager, now = call.options.manager, server.clock.stamp()
        applied = fieldmanager.apply(resource, current, wanted, manager, "scale", force, now)
        call.options.managed = applied.managed
        scale = registry.scale_of(resource, current)
        replicas = (applied.obj.get("spec") or {}).get("replicas", 0)
        return registry.scaled(resource, current, {**scale, "spec": {"replicas": replicas}})

    updated = server.modify(resource, call.user, target.namespace, target.name, change, "scale", call.options)
    return Response.json(200, registry.scale_of(resource, updated), call.options.warnings)


def _binding(call: Call) -> Response:
    if call.method != "POST":
        raise errors.MethodNotAllowed()
    call.options = _write_options(call)
    binding, target = _decoded(call, registry.by_kind("Binding")), call.target
    return _bound(call, binding, target.name, "binding")


def _bound(call: Call, binding: Manifest, pod: str, subresource: str) -> Response:
    """POST pods/NAME/binding, or POST bindings, as it was done before there were sub-resources."""
    target, node = call.target, (binding.get("target") or {}).get("name", "")
    if not node:
        raise errors.InternalError("target.name: Required value")
    binding = call.server.admit_beside(
        CREATE, call.resource, subresource, call.user, target.namespace, pod, binding, call.options
    )
    given = binding.get("metadata") or {}
    call.server.bind_to(
        call.user,
        target.namespace,
        pod,
        node,
        given.get("uid", ""),
        given.get("annotations") or {},
        call.options,
        given.get("labels") or {},
    )
    return Response.json(201, {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201})


def _eviction(call: Call) -> Response:
    if call.method != "POST":
        raise errors.MethodNotAllowed()
    call.options = _write_options(call)
    eviction, target = _decoded(call, registry.by_kind("Eviction")), call.target
    if meta_name(eviction) != target.name:
        raise errors.BadRequest("name in URL does not match name in Eviction object")
    eviction = {**eviction, "metadata": {**eviction["metadata"], "namespace": target.namespace}}
    call.server.evict(call.user, eviction, call.options)
    return Response.json(201, {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201})


def _part(call: Call) -> Response:
    """A part of a pod that is changed by a URL of its own: ephemeral containers, resources."""
    if call.method == "PATCH":
        return _patch(call, call.target.subresource)
    return _replace_part(call, call.target.subresource)


_SUBRESOURCES = {
    ("", "status"): _status,
    ("", "scale"): _scale,
    ("certificatesigningrequests", "approval"): _approval,
    ("namespaces", "finalize"): _finalize,
    ("pods", "binding"): _binding,
    ("pods", "ephemeralcontainers"): _part,
    ("pods", "resize"): _part,
    ("pods", "eviction"): _eviction,
}


# --- shared -----------------------------------------------------------------------------------------------------

_NAMESPACE_MISMATCH = "the namespace of the provided object does not match the namespace sent on the request"


def meta_name(obj: Manifest) -> str:
    return str((obj.get("metadata") or {}).get("name", ""))


def _decoded(call: Call, resource: Resource | None = None) -> Manifest:
    """The body as an object of the URL's kind, unknown fields reported as asked. Errors: BadRequest, Unsupported…"""
    expected = resource or call.resource
    raw = decode_body(call.content_type, call.body, expected)
    decoded = _checked(call, registry.decode(expected, raw.obj, raw.duplicates), raw.obj)
    return decoded if resource else registry.store_form(expected, decoded)


def _checked(call: Call, decoded: Any, raw: Manifest) -> Manifest:
    """fieldValidation: Strict refuses, Warn (the default) says so, Ignore is silent."""
    mode = call.options.field_validation
    if decoded.problems and mode == "Strict":
        kind, version = raw.get("kind", call.resource.kind), raw.get("apiVersion", call.resource.api_version)
        details = ", ".join(decoded.problems)
        raise errors.BadRequest(
            f'{kind} in version "{version.split("/")[-1]}" cannot be handled as a {call.resource.kind}:'
            f" strict decoding error: {details}"
        )
    if mode == "Warn":
        call.options.warnings += decoded.problems
    return decoded.obj  # type: ignore[no-any-return]


def _in_namespace(call: Call, obj: Manifest) -> Manifest:
    """The URL decides the namespace; a body that names another one is a mistake."""
    metadata = obj.get("metadata") or {}
    if not call.resource.namespaced:
        return obj
    given = metadata.get("namespace", "")
    if given and given != call.target.namespace:
        raise errors.BadRequest(_NAMESPACE_MISMATCH)
    return {**obj, "metadata": {**metadata, "namespace": call.target.namespace}}


def _named_as(obj: Manifest, target: Target) -> None:
    """The body's name must be the URL's. Errors: BadRequest."""
    given, expected = meta_name(obj), target.name
    if not given:
        raise errors.BadRequest(
            f"the name of the object ({expected} based on URL) was undeterminable: name must be provided"
        )
    if given != expected:
        raise errors.BadRequest(f"the name of the object ({given}) does not match the name on the URL ({expected})")


def _replacement(call: Call, obj: Manifest) -> Callable[[Manifest], Manifest]:
    """The change that PUT asks for. Errors, when it is made: Invalid, if the kind wants to be told the version."""

    def change(current: Manifest) -> Manifest:
        if not call.resource.unconditional and not (obj.get("metadata") or {}).get("resourceVersion"):
            problem = {"reason": "FieldValueInvalid", "field": "metadata.resourceVersion"}
            problem["message"] = "Invalid value: 0: must be specified for an update"
            raise errors.Invalid(call.resource.group, call.resource.plural, call.target.name, [problem])
        return obj

    return change


def _numeric_version(obj: Manifest) -> None:
    version = (obj.get("metadata") or {}).get("resourceVersion", "")
    if version and not version.isdigit():
        raise errors.InternalError(f'strconv.ParseUint: parsing "{version}": invalid syntax')


def _write_options(call: Call) -> Options:
    """Of a POST, PUT or PATCH."""
    options = of_write(call.method, call.query)
    options.stages, options.hooks = call.stages, call.hooks
    options.manager = fieldmanager.manager_name(options.manager, call.user_agent)
    return options


def _delete_options(call: Call) -> Options:
    """From the body (DeleteOptions) and the query."""
    given: Manifest = {}
    if call.body.strip():
        kind = registry.by_kind("DeleteOptions")
        given = registry.decode(kind, decode_body(call.content_type or "application/json", call.body, kind).obj).obj
    call.options = options = of_delete(call.query, given)
    options.stages, options.hooks = call.stages, call.hooks
    return options


def _shown(call: Call, obj: Manifest) -> Manifest:
    """The stored object as this URL's group and version show it."""
    return registry.present(call.resource, obj)
