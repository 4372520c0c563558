"""The API server's refusals, each with the Status body that a real one sends.

Raise them anywhere below a request; the server turns them into answers, the controllers into retries.

Source: k8s.io/apimachinery/pkg/api/errors/errors.go
"""

from typing import Any

from cluster.objects import Manifest

MODIFIED = "the object has been modified; please apply your changes to the latest version and try again"


def qualified(group: str, plural: str) -> str:
    """`deployments.apps`, or `pods` for the core group."""
    return f"{plural}.{group}" if group else plural


class ApiError(Exception):
    """A refused request. `details`: name, group, kind, uid, causes, retryAfterSeconds; None: no details at all."""

    status = 500
    reason = ""

    def __init__(self, message: str, details: Manifest | None = None, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.message, self.details, self.retry_after = message, details, retry_after

    def status_object(self) -> Manifest:
        """The Status body, its fields in the real server's order."""
        body: dict[str, Any] = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure"}
        body["message"] = self.message
        if self.reason:
            body["reason"] = self.reason
        details = dict(self.details) if self.details is not None else None
        if self.retry_after is not None:
            details = {**(details or {}), "retryAfterSeconds": self.retry_after}
        if details is not None:
            body["details"] = details
        body["code"] = self.status
        return body


def _details(group: str, kind: str, name: str, causes: list[Manifest] | None = None) -> Manifest:
    found = {"name": name, "group": group, "kind": kind}
    found = {key: value for key, value in found.items() if value}
    return {**found, "causes": causes} if causes else found


class NotFound(ApiError):
    status, reason = 404, "NotFound"

    def __init__(self, group: str, plural: str, name: str, message: str = "") -> None:
        super().__init__(message or f'{qualified(group, plural)} "{name}" not found', _details(group, plural, name))


class PathNotFound(ApiError):
    """No such resource: the real server's generic 404."""

    status, reason = 404, "NotFound"

    def __init__(self) -> None:
        super().__init__("the server could not find the requested resource", {})


class AlreadyExists(ApiError):
    status, reason = 409, "AlreadyExists"

    def __init__(self, group: str, plural: str, name: str, deleting: bool = False) -> None:
        before = "object is being deleted: " if deleting else ""
        message = f'{before}{qualified(group, plural)} "{name}" already exists'
        super().__init__(message, _details(group, plural, name))


class Conflict(ApiError):
    status, reason = 409, "Conflict"

    def __init__(self, group: str, plural: str, name: str, problem: str) -> None:
        message = f'Operation cannot be fulfilled on {qualified(group, plural)} "{name}": {problem}'
        super().__init__(message, _details(group, plural, name))


class Invalid(ApiError):
    """422. `problems`: causes, each {reason, message, field}, in order of the fields."""

    status, reason = 422, "Invalid"

    def __init__(self, group: str, kind: str, name: str, problems: list[Manifest]) -> None:
        texts = [f"{p['field']}: {p['message']}" for p in problems]
        listed = texts[0] if len(texts) == 1 else "[" + ", ".join(texts) + "]"
        super().__init__(
            f'{qualified(group, kind)} "{name}" is invalid: {listed}', _details(group, kind, name, problems)
        )


class Forbidden(ApiError):
    status, reason = 403, "Forbidden"

    def __init__(self, group: str, plural: str, name: str, problem: str, causes: list[Manifest] | None = None) -> None:
        subject = f'{qualified(group, plural)} "{name}"' if name else qualified(group, plural)
        super().__init__(f"{subject} is forbidden: {problem}", _details(group, plural, name, causes))


class BadRequest(ApiError):
    status, reason = 400, "BadRequest"


class Unauthorized(ApiError):
    status, reason = 401, "Unauthorized"


class MethodNotAllowed(ApiError):
    status, reason = 405, "MethodNotAllowed"

    def __init__(self, message: str = "the server does not allow this method on the requested resource") -> None:
        super().__init__(message, {})


class NotAcceptable(ApiError):
    status, reason = 406, "NotAcceptable"


class Expired(ApiError):
    status, reason = 410, "Expired"


class RequestEntityTooLarge(ApiError):
    status, reason = 413, "RequestEntityTooLarge"


class UnsupportedMediaType(ApiError):
    status, reason = 415, "UnsupportedMediaType"


class TooManyRequests(ApiError):
    status, reason = 429, "TooManyRequests"

    def __init__(self, message: str, causes: list[Manifest] | None = None, retry_after: int | None = None) -> None:
        super().__init__(message, {"causes": causes} if causes else {}, retry_after)


class InternalError(ApiError):
    """500 without a reason, as the real server answers when it did not expect this."""


class Timeout(ApiError):
    status, reason = 504, "Timeout"
