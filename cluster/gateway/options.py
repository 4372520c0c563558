"""The query of a list or a watch: parsed, checked in the real words, and continued.

Mirrors:  k8s.io/apimachinery/pkg/apis/meta/internalversion (validation), k8s.io/apiserver/pkg/storage (continue.go)
"""

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from typing import NamedTuple

from cluster.apiserver import gojson, registry
from cluster.apiserver.registry import Resource
from cluster.gateway.http import Request
from cluster.objects import Manifest, errors, fields, labels, meta

TOKEN_VERSION = "meta.k8s.io/v1"
EXACT, NOT_OLDER = "Exact", "NotOlderThan"


class Selection:
    """Which objects are wanted. `everything`: all of the prefix, nothing needs to be looked at."""

    def __init__(self, resource: Resource, label_selector: str, field_selector: str, name: str = "") -> None:
        """Errors: BadRequest."""
        self._labels = labels.parse(label_selector)
        self._fields = registry.field_selector(resource, field_selector)
        self.everything = not (label_selector.strip() or field_selector.strip() or name)
        self._name = name

    def matches(self, obj: Manifest) -> bool:
        """`obj`: as this URL's group and version show it."""
        if self._name and meta.name(obj) != self._name:
            return False
        return self._labels.matches(meta.labels(obj)) and self._fields(obj)


class Token(NamedTuple):
    """Where a list goes on. `revision`: of its first page; -1: of whenever. `start`: after the key's prefix."""

    revision: int
    start: str

    def encode(self) -> str:
        text = f'{{"v":"{TOKEN_VERSION}","rv":{self.revision},"start":"{self.start}\\u0000"}}'
        return urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode_token(text: str) -> Token:
    """Errors: BadRequest."""
    try:
        raw = urlsafe_b64decode(text + "=" * (-len(text) % 4))
        content, _ = gojson.loads(raw.decode("latin1"))
    except binascii.Error:
        raise _bad_token("illegal base64 data at input byte 0") from None
    except ValueError as error:
        raise _bad_token(str(error)) from None
    if not isinstance(content, dict) or content.get("v") != TOKEN_VERSION:
        version = content.get("v") if isinstance(content, dict) else ""
        raise _bad_token(f"server does not recognize this encoded version {version}")
    revision, start = content.get("rv", 0), content.get("start", "")
    if not isinstance(revision, int) or revision == 0:
        raise _bad_token(f"incorrect encoded start resourceVersion (version {TOKEN_VERSION})")
    if not isinstance(start, str) or not start:
        raise _bad_token(f"encoded start key empty (version {TOKEN_VERSION})")
    return Token(revision, start.rstrip("\0"))


def _bad_token(problem: str) -> errors.BadRequest:
    return errors.BadRequest(f"invalid continue token: continue key is not valid: {problem}")


@dataclass
class Options:
    """ListOptions. `send_initial`: None if nothing was said of it."""

    selection: Selection
    watch: bool
    revision: str
    match: str
    limit: int
    token: str
    timeout: int | None
    bookmarks: bool
    send_initial: bool | None
    include: str


def parse(request: Request, resource: Resource, watch: bool, name: str = "") -> Options:
    """Errors: BadRequest, Invalid, InternalError."""
    options = Options(
        selection=Selection(resource, request.query("labelSelector"), request.query("fieldSelector"), name),
        watch=watch,
        revision=request.query("resourceVersion"),
        match=request.query("resourceVersionMatch"),
        limit=max(request.integer("limit") or 0, 0),
        token=request.query("continue"),
        timeout=request.integer("timeoutSeconds"),
        bookmarks=request.flag("allowWatchBookmarks"),
        send_initial=request.flag("sendInitialEvents") if request.has("sendInitialEvents") else None,
        include=request.query("includeObject"),
    )
    problems = _watch_problems(options) if watch else _list_problems(options)
    if problems:
        raise errors.Invalid("meta.k8s.io", "ListOptions", "", problems)
    return options


def _list_problems(options: Options) -> list[Manifest]:
    found, match = [], options.match
    if match:
        if not options.revision:
            found.append(_forbidden("resourceVersionMatch is forbidden unless resourceVersion is provided"))
        if options.token:
            found.append(_forbidden("resourceVersionMatch is forbidden when continue is provided"))
        if match not in (EXACT, NOT_OLDER):
            found.append(_unsupported(match, (EXACT, NOT_OLDER, "")))
        if match == EXACT and options.revision == "0":
            found.append(_forbidden('resourceVersionMatch "exact" is forbidden for resourceVersion "0"'))
    if options.send_initial is not None:
        found.append(_forbidden("sendInitialEvents is forbidden for list", "sendInitialEvents"))
    return found


def _watch_problems(options: Options) -> list[Manifest]:
    found, match = [], options.match
    if options.send_initial is not None and match != NOT_OLDER:
        found.append(_forbidden("sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"))
    if match and options.send_initial is None:
        found.append(_forbidden("resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"))
    if match and match != NOT_OLDER:
        found.append(_unsupported(match, (NOT_OLDER,)))
    if options.token:
        found.append(_forbidden("resourceVersionMatch is forbidden when continue is provided"))
    return found


def _forbidden(problem: str, field: str = "resourceVersionMatch") -> Manifest:
    return {"reason": "FieldValueForbidden", "message": f"Forbidden: {problem}", "field": field}


def _unsupported(value: str, supported: tuple[str, ...]) -> Manifest:
    listed = ", ".join(f'"{each}"' for each in supported)
    message = f'Unsupported value: "{value}": supported values: {listed}'
    return {"reason": "FieldValueNotSupported", "message": message, "field": "resourceVersionMatch"}


def revision_number(text: str, watch: bool) -> int | None:
    """The number of a resourceVersion; None if there is none. Errors: BadRequest; for a watch InternalError."""
    if not text:
        return None
    if not (text.isascii() and text.isdigit()):
        problem = f'resourceVersion: Invalid value: "{text}": strconv.ParseUint: parsing "{text}": invalid syntax'
        raise errors.InternalError(problem) if watch else errors.BadRequest(f"invalid resource version: {problem}")
    return int(text)


def names_one(request: Request) -> str:
    """The name that a field selector asks for; empty if it does not."""
    return next(
        (r.value for r in fields.parse(request.query("fieldSelector")) if r.path == "metadata.name" and r.equal), ""
    )
