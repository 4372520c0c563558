"""Patches: JSON Patch (RFC 6902), merge patch (RFC 7386) and Kubernetes' own strategic merge patch.

`apply` takes the object as the client sees it and returns a new one; the same object if nothing was asked.

Mirrors:  k8s.io/apiserver/pkg/endpoints/handlers/patch.go
Read next: jsonpatch.py, strategic.py; ../fieldmanager for server-side apply.
"""

from typing import Any

from cluster.apiserver import gojson, schema
from cluster.apiserver.patches import jsonpatch, strategic
from cluster.apiserver.registry.resource import Resource
from cluster.objects import Manifest, errors

JSON = "application/json-patch+json"
MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"
MAX_OPERATIONS = 10_000


def check_type(content_type: str, resource: Resource) -> None:
    """Errors: UnsupportedMediaType."""
    if resource.is_custom and content_type not in (JSON, MERGE, APPLY):
        known = ", ".join((JSON, MERGE, APPLY))
        told = f"the body of the request was in an unknown format - accepted media types include: {known}"
        raise errors.UnsupportedMediaType(told)
    if content_type not in (JSON, MERGE, STRATEGIC, APPLY):
        raise errors.UnsupportedMediaType("415: Unsupported Media Type", {})


def apply(resource: Resource, current: Manifest, content_type: str, body: bytes) -> Manifest:
    """`current` patched. Errors: BadRequest, ApiError 422 (a JSON patch that can't be applied)."""
    patch = _decoded(content_type, body)
    if content_type == JSON:
        return _json_patch(current, patch)
    if not isinstance(patch, dict):
        raise _undecodable(content_type, _mistyped(patch, "map[string]interface {}"))
    if content_type == MERGE:
        return merged(current, patch)  # type: ignore[no-any-return]
    kind_ = schema.type_of(resource.group, resource.version, resource.kind)
    return strategic.merge(current, patch, kind_)


def _decoded(content_type: str, body: bytes) -> Any:
    try:
        value, _ = gojson.loads(body.decode())
    except gojson.TooDeep as error:
        raise errors.BadRequest(str(error)) from error
    except ValueError as error:
        if content_type == MERGE:
            raise errors.BadRequest("invalid JSON patch") from error
        raise _undecodable(content_type, str(error)) from error
    return value


def _undecodable(content_type: str, problem: str) -> errors.BadRequest:
    """The real server says what it was doing, but not for its own kind of patch."""
    return errors.BadRequest(problem if content_type == STRATEGIC else f"error decoding patch: {problem}")


def merged(target: Any, patch: Any) -> Any:
    """RFC 7386. Parts that the patch does not touch are the very same objects."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result


def _json_patch(current: Manifest, operations: Any) -> Manifest:
    if not isinstance(operations, list):
        raise errors.BadRequest(f"error decoding patch: {_mistyped(operations, '[]handlers.jsonPatchOp')}")
    if len(operations) > MAX_OPERATIONS:
        message = f"The allowed maximum operations in a JSON patch is {MAX_OPERATIONS}, got {len(operations)}"
        raise errors.RequestEntityTooLarge(message)
    patched = jsonpatch.apply(current, operations)
    if not isinstance(patched, dict):
        raise errors.BadRequest(_mistyped(patched, "map[string]interface {}"))
    return patched


def _mistyped(value: Any, wanted: str) -> str:
    shown = {dict: "object", list: "array", str: "string", bool: "bool", type(None): "null"}.get(type(value), "number")
    return f"json: cannot unmarshal {shown} into Go value of type {wanted}"
