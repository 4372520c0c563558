"""MutatingAdmissionWebhook and ValidatingAdmissionWebhook: others are asked, over https, before an object is stored.

A world can't wait for anybody, so it never calls. It executes a request up to the first webhook whose answer it does
not have, and says what to ask (`Wanted`); nothing has been written by then, and nothing is recorded. The caller asks,
and sends the request again with the answers. An answer belongs to one question: the digest of the very object that was
shown. If the object is another one meanwhile, it is asked again. What was answered is recorded with the request that
was carried out, so a replay never calls out.

    gateway ── request ──> world: needs an answer ── questions ──> gateway ── https ──> webhook
    gateway ── request, answers ──> world: same digest? then go on ── the answer ──> client

Only who sends `webhooks` along is asked about: the gateway and the page do. Writes of our own components are not: their
steps must not depend on what runs beside the cluster.

Mirrors:  k8s.io/apiserver/pkg/admission/plugin/webhook/{mutating,validating}/dispatcher.go, request/admissionreview.go
Left out: webhooks elsewhere than on this machine; auditAnnotations; CONNECT.
Read next: cluster/outside.py, which calls; docs/decisions/ for why it is done like this.
"""

from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any
from urllib.parse import urlsplit

import orjson

from cluster.apiserver import patches, registry
from cluster.apiserver.admission import matching, validating_policy
from cluster.apiserver.admission.attributes import CREATE, DELETE, UPDATE, Attributes
from cluster.apiserver.admission.plugin import ANY, Plugin
from cluster.apiserver.registry import Resource
from cluster.objects import Manifest, errors, meta

MUTATING, VALIDATING = "MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"
LOOPBACK = ("localhost", "127.0.0.1", "::1")
OPTIONS = {CREATE: "CreateOptions", UPDATE: "UpdateOptions", DELETE: "DeleteOptions"}
ELSEWHERE = "this cluster calls webhooks on this machine only (localhost, 127.0.0.1)"
UNSTABLE = ("creationTimestamp", "managedFields")  # Of metadata: what differs at another second, and means the same.


class Wanted(Exception):
    """Answers of webhooks are needed. `calls`: what to ask; none: send the request again with `webhooks.seed`."""

    def __init__(self, calls: list[Manifest]) -> None:
        super().__init__(f"{len(calls)} webhooks must be asked")
        self.calls = calls


@dataclass
class Hooks:
    """What came along with a request. `answers`: by the digest of the question. `seed`: of a new object's name and uid,
    so that they are the same each time the request is sent; empty the first time."""

    answers: dict[str, Manifest] = field(default_factory=dict)
    seed: str = ""

    @classmethod
    def of(cls, given: Any) -> "Hooks | None":
        if given is None:
            return None
        return cls(given.get("answers") or {}, str(given.get("seed", "")))


# --- asking -----------------------------------------------------------------------------------------------------


def mutate(server: Any, attributes: Attributes, again: bool) -> bool:
    """Let each mutating webhook in its turn change `attributes.obj`. True: one of them did.

    `again`: only those that want to see what others changed after them. Errors: Wanted; any ApiError.
    """
    before = attributes.obj
    for name, hook, resource in _interested(server, MUTATING, attributes):
        if again and hook.get("reinvocationPolicy") != "IfNeeded":
            continue
        if attributes.stages is not None:
            attributes.stages.enter("mutating", hook["name"])
        answer = _answer(server, name, hook, resource, attributes, [])
        if answer is not None:
            _apply(hook, resource, attributes, answer)
    return attributes.obj is not before


def validate(server: Any, attributes: Attributes) -> None:
    """All validating webhooks are asked at once. Errors: Wanted; any ApiError of the first that refuses."""
    if attributes.hooks is None:
        return
    wanted: list[Manifest] = []
    answers = [
        (hook, _answer(server, name, hook, resource, attributes, wanted))
        for name, hook, resource in _interested(server, VALIDATING, attributes)
    ]
    if wanted:
        raise Wanted(wanted)
    for hook, answer in answers:
        if answer is not None:
            if attributes.stages is not None:
                attributes.stages.enter("validating", hook["name"])
            _heed(hook, attributes, answer)


def _interested(server: Any, kind: str, attributes: Attributes) -> Iterator[tuple[str, Manifest, Resource]]:
    """(configuration, webhook, version that it wants to see): configurations by name, webhooks in their order."""
    configurations = server.informers.list(kind)
    if not configurations or attributes.hooks is None or matching.is_exempt(attributes.resource):
        return
    for configuration in sorted(configurations, key=meta.name):
        for hook in configuration.get("webhooks") or ():
            resource = matching.matching(server, hook, attributes)
            if resource is not None and _is_wanted(server, hook, resource, attributes):
                yield meta.name(configuration), hook, resource


def _is_wanted(server: Any, hook: Manifest, resource: Resource, attributes: Attributes) -> bool:
    """Do its conditions hold? Errors: Forbidden, if nobody can tell and that matters."""
    conditions = hook.get("matchConditions")
    if not conditions:
        return True
    try:
        return validating_policy.meets(server, attributes, conditions, resource)
    except errors.Forbidden:
        if hook.get("failurePolicy") == "Ignore":
            return False
        raise


def _answer(
    server: Any, configuration: str, hook: Manifest, resource: Resource, attributes: Attributes, wanted: list[Manifest]
) -> Manifest | None:
    """The webhook's response; None: it failed, and that is to be ignored, or it goes into `wanted`.

    Errors: Wanted at once, if the caller has no list of those; ApiError, if it failed and that matters.
    """
    hooks = attributes.hooks
    assert hooks is not None
    if attributes.dry_run and hook.get("sideEffects") not in ("None", "NoneOnDryRun"):
        raise errors.BadRequest(f'admission webhook "{hook["name"]}" does not support dry run')
    if not hooks.seed:
        raise Wanted([])
    asked = _request(resource, attributes)
    digest = sha256(f"{configuration}/{hook['name']}/".encode() + _stable(asked)).hexdigest()
    url, problem = _address(server, hook)
    given = {"error": problem} if problem else hooks.answers.get(digest)
    uid = server.dice.uuid("admission", digest)
    if given is None:
        review = {"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": {"uid": uid, **asked}}
        config = hook.get("clientConfig") or {}
        call = {"digest": digest, "url": url, "host": _server_name(config), "ca": config.get("caBundle", "")}
        call |= {"timeout": hook.get("timeoutSeconds", 10), "review": review}
        if "reinvocationPolicy" in hook:  # A mutating one: the next sees what it changed.
            raise Wanted([call])
        wanted.append(call)
        return None
    return _response(hook, uid, given)


def _request(resource: Resource, attributes: Attributes) -> Manifest:
    """An AdmissionRequest without its uid."""
    own, obj, old = attributes.resource, attributes.obj, attributes.old
    whole = attributes.subresource in ("", "status")
    shown = _shown(resource, attributes) if whole and attributes.operation != DELETE else obj
    request: dict[str, Any] = {
        "kind": _kind(resource, shown, whole),
        "resource": {"group": resource.group, "version": resource.version, "resource": resource.plural},
        "requestKind": _kind(own, shown, whole),
        "requestResource": {"group": own.group, "version": own.version, "resource": own.plural},
    }
    if attributes.subresource:
        request |= {"subResource": attributes.subresource, "requestSubResource": attributes.subresource}
    name = (shown.get("metadata") or {}).get("name") or ("" if _is_nameless(attributes) else attributes.name)
    if name:
        request["name"] = name
    if attributes.namespace:
        request["namespace"] = attributes.namespace
    request["operation"] = attributes.operation.upper()
    request["userInfo"] = attributes.user.info()
    request["object"] = None if attributes.operation == DELETE else shown
    request["oldObject"] = registry.present(resource, old) if old is not None else None
    request["dryRun"] = attributes.dry_run
    options: dict[str, Any] = {"kind": OPTIONS.get(attributes.operation, "CreateOptions")}
    options["apiVersion"] = "meta.k8s.io/v1"
    return {**request, "options": {**options, "dryRun": ["All"]} if attributes.dry_run else options}


def _kind(resource: Resource, shown: Manifest, whole: bool) -> Manifest:
    if whole:
        return {"group": resource.group, "version": resource.version, "kind": resource.kind}
    group, _, version = str(shown.get("apiVersion", "v1")).rpartition("/")
    return {"group": group, "version": version, "kind": shown.get("kind", "")}


BORN = ("uid", "creationTimestamp")


def _is_nameless(attributes: Attributes) -> bool:
    """Is it a new object whose name is to be generated, and mutating plugins run?"""
    metadata = attributes.obj.get("metadata") or {}
    return attributes.operation == CREATE and not attributes.subresource and metadata.get("name") != attributes.name


def _shown(resource: Resource, attributes: Attributes) -> Manifest:
    """The object as webhooks see it. A new one has no uid, and no generated name, as long as it may be changed."""
    shown = registry.present(resource, attributes.obj)
    if attributes.operation != CREATE or attributes.subresource or attributes.is_complete:
        return shown
    hidden = (*BORN, "name") if _is_nameless(attributes) else BORN
    return {**shown, "metadata": {n: v for n, v in shown["metadata"].items() if n not in hidden}}


def _with_born(attributes: Attributes, changed: Manifest) -> Manifest:
    """What only the server gives stays as it was, whatever a webhook wrote there."""
    before = attributes.obj.get("metadata") or {}
    names = (*BORN, "name") if _is_nameless(attributes) else BORN
    kept = {name: before[name] for name in names if name in before}
    return {**changed, "metadata": {**(changed.get("metadata") or {}), **kept}}


def _stable(asked: Manifest) -> bytes:
    """What the answer depends on."""
    return orjson.dumps(
        {**asked, "object": _timeless(asked["object"]), "oldObject": _timeless(asked["oldObject"])},
        option=orjson.OPT_SORT_KEYS,
    )


def _timeless(obj: Manifest | None) -> Manifest | None:
    if obj is None or "metadata" not in obj:
        return obj
    return {**obj, "metadata": {name: v for name, v in obj["metadata"].items() if name not in UNSTABLE}}


def _address(server: Any, hook: Manifest) -> tuple[str, str]:
    """(where to ask, why nobody can be asked)."""
    config, timeout = hook.get("clientConfig") or {}, f"?timeout={hook.get('timeoutSeconds', 10)}s"
    if config.get("url"):
        url = config["url"] + timeout
        host = urlsplit(config["url"]).hostname
        return url, "" if host in LOOPBACK else f'Post "{url}": {ELSEWHERE}'
    service = config.get("service") or {}
    namespace, name, port = service.get("namespace", ""), service.get("name", ""), service.get("port", 443)
    shown = f"https://{name}.{namespace}.svc:{port}{service.get('path', '')}{timeout}"
    found = server.informers.get("Service", namespace, name)
    if found is None:
        return shown, f'Post "{shown}": service "{name}" not found'
    target = (found.get("spec") or {}).get("externalName", "")
    if target not in LOOPBACK:
        return shown, f'Post "{shown}": {ELSEWHERE}; a Service of type ExternalName can name it'
    return f"https://{target}:{port}{service.get('path', '')}{timeout}", ""


def _server_name(config: Manifest) -> str:
    """The name that the webhook's certificate must be for."""
    service = config.get("service")
    if service:
        return f"{service.get('name', '')}.{service.get('namespace', '')}.svc"
    return urlsplit(config.get("url", "")).hostname or ""


# --- answers ----------------------------------------------------------------------------------------------------


def _response(hook: Manifest, uid: str, given: Manifest) -> Manifest | None:
    """The response in an answer; None: it failed, and may. Errors: ApiError 500, if it failed and may not."""
    problem, response = given.get("error", ""), (given.get("review") or {}).get("response")
    if not problem and not isinstance(response, dict):
        problem = "webhook response was absent"
    elif not problem and isinstance(response, dict) and response.get("uid") != uid:
        problem = f'expected response.uid="{uid}", got "{response.get("uid", "")}"'
    elif not problem and not isinstance(given["review"].get("apiVersion"), str):
        problem = "expected webhook response of admission.k8s.io/v1, Kind=AdmissionReview, got /, Kind="
    if not problem:
        return response  # type: ignore[no-any-return]
    if hook.get("failurePolicy") == "Ignore":
        return None
    reached = f"failed to call webhook: {problem}" if given.get("error") else problem
    raise _internal(f'failed calling webhook "{hook["name"]}": {reached}')


def _heed(hook: Manifest, attributes: Attributes, response: Manifest) -> None:
    """Take over warnings. Errors: what the webhook says, if it does not allow the request."""
    warnings = response.get("warnings")
    said = [str(text) for text in warnings] if isinstance(warnings, list) else []
    attributes.warnings += said
    if attributes.stages is not None:
        attributes.stages.say(warned=said)
    if response.get("allowed") is not True:
        raise Denied(hook["name"], response.get("status"))


def _apply(hook: Manifest, resource: Resource, attributes: Attributes, response: Manifest) -> None:
    """The object as a mutating webhook wants it. Errors: Denied; ApiError 500 for a patch that can't be."""
    _heed(hook, attributes, response)
    if not response.get("patch"):
        return
    if response.get("patchType") != "JSONPatch":
        raise _internal("webhook returned response.patch but not response.patchType")
    if attributes.operation == DELETE or attributes.subresource not in ("", "status"):
        raise _internal(f'admission webhook "{hook["name"]}" attempted to modify the object, which is not supported')
    try:
        patch = b64decode(response["patch"], validate=True)
        shown = _shown(resource, attributes)
        patched = patches.apply(resource, shown, patches.JSON, patch)
    except (Base64Error, TypeError) as error:
        raise _internal(f"webhook returned a patch that is not base64: {error}") from error
    except errors.ApiError as error:
        raise _internal(error.message) from error
    decoded = registry.decode(resource, patched).obj
    changed = _with_born(attributes, registry.default(resource, registry.store_form(resource, decoded)))
    if attributes.stages is not None:
        attributes.stages.changed(attributes.obj, changed)
    attributes.obj = attributes.obj if changed == attributes.obj else changed


class Denied(errors.ApiError):
    """A webhook's no, in its own words if it has some."""

    def __init__(self, name: str, status: Any) -> None:
        given = status if isinstance(status, dict) else {}
        code, start = given.get("code"), f'admission webhook "{name}" denied the request'
        self.status = code if isinstance(code, int) and 400 <= code < 600 else 400
        self.reason = str(given.get("reason") or "")
        said = given.get("message") or given.get("reason")
        message = f"{start}: {said}" if said else f"{start} without explanation"
        details = given.get("details")
        super().__init__(message, details if isinstance(details, dict) else None)


class _Internal(errors.ApiError):
    """`NewInternalError`: unlike other 500s it has a reason and its cause."""

    status, reason = 500, "InternalError"


def _internal(problem: str) -> errors.ApiError:
    return _Internal(f"Internal error occurred: {problem}", {"causes": [{"message": problem}]})


PLUGIN = Plugin("ValidatingAdmissionWebhook", validate=validate, subresources=ANY)
