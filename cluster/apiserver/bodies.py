"""Request bodies: JSON, YAML or protobuf, to an object of the kind that the URL expects.

Limits: 3 MiB (413) and 100 levels (400). Errors are the real server's, which show the first bytes of what they could
not read.

Mirrors:  k8s.io/apimachinery/pkg/runtime/serializer (json, yaml, protobuf; recognizer)
"""

import re
from dataclasses import dataclass, field
from typing import Any

import yaml
import yaml.scanner

from cluster.apiserver import gojson, protobuf
from cluster.apiserver.registry import Resource
from cluster.objects import Manifest, errors

MAX_BYTES = 3 * 1024 * 1024
JSON, YAML, PROTOBUF = "application/json", "application/yaml", "application/vnd.kubernetes.protobuf"
_SHOWN = 30  # Characters of a body that an error shows.
_STRUCT = 'struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }'


def too_large() -> errors.ApiError:
    return errors.RequestEntityTooLarge(f"Request entity too large: limit is {MAX_BYTES}")


@dataclass
class Body:
    """A decoded body. `duplicates`: paths of keys that came twice."""

    obj: Manifest
    duplicates: list[str] = field(default_factory=list)


def decode_body(content_type: str, body: bytes, expected: Resource) -> Body:
    """`body` as an object of `expected`'s kind. Errors: BadRequest, RequestEntityTooLarge, UnsupportedMediaType."""
    if len(body) > MAX_BYTES:
        raise too_large()
    if content_type in ("", JSON):
        decoded = _json(body, expected)
    elif content_type == YAML:
        decoded = _yaml(body, expected)
    elif content_type == PROTOBUF:
        decoded = Body(_protobuf(body, expected))
    else:
        raise errors.UnsupportedMediaType(
            "the body of the request was in an unknown format - accepted media types include:"
            f" {JSON}, {YAML}, {PROTOBUF}"
        )
    return Body(as_expected(decoded.obj, expected), decoded.duplicates)


def _json(body: bytes, expected: Resource) -> Body:
    try:
        value, duplicates = gojson.loads(body.decode(errors="replace"))
    except gojson.TooDeep as error:
        raise errors.BadRequest(str(error)) from error
    except ValueError as error:
        problem = f"couldn't get version/kind; json parse error: {error}"
        raise errors.BadRequest(_unrecognized(problem, body, expected)) from error
    if value is None:
        return Body({})  # Go reads null into anything.
    if not isinstance(value, dict):
        found = f"json: cannot unmarshal {_go_type(value)} into Go value of type {_STRUCT}"
        problem = f"couldn't get version/kind; json parse error: {found}"
        raise errors.BadRequest(_unrecognized(problem, body, expected))
    return Body(value, duplicates)


def _yaml(body: bytes, expected: Resource) -> Body:
    try:
        value = yaml.load(body.decode(errors="replace"), Loader=_Loader)
    except yaml.YAMLError as error:
        raise errors.BadRequest(_unrecognized(_yaml_problem(error), body, expected)) from error
    except (ValueError, RecursionError) as error:
        raise errors.BadRequest(_unrecognized(f"yaml: {error}", body, expected)) from error
    try:
        value = gojson.plain(value, max(len(body), 1000))
    except (ValueError, OverflowError) as error:
        raise errors.BadRequest(str(error)) from error
    if not isinstance(value, dict):
        raise errors.BadRequest(_unrecognized("couldn't get version/kind; json parse error", body, expected))
    return Body(value)


def configuration(body: bytes) -> Manifest:
    """The object of a server-side apply: YAML, of which JSON is a part. Errors: BadRequest."""
    text = body.decode(errors="replace")
    try:
        if text.lstrip().startswith("{"):
            value = gojson.loads(text)[0]
        else:
            value = gojson.plain(yaml.load(text, Loader=_Loader), max(len(body), 1000))
    except yaml.YAMLError as error:
        raise errors.BadRequest(f"error decoding YAML: {_yaml_problem(error)}") from error
    except (ValueError, OverflowError, RecursionError) as error:
        raise errors.BadRequest(f"error decoding YAML: {error}") from error
    if not isinstance(value, dict):
        problem = f"cannot unmarshal {_go_type(value)} into Go value of type map[string]interface {{}}"
        message = f"error unmarshaling JSON: while decoding JSON: json: {problem}"
        raise errors.BadRequest(f"error decoding YAML: {message}")
    return value


def _yaml_problem(error: yaml.YAMLError) -> str:
    """`yaml: line 3: …`, with Go's line: of the construct that is broken, else of where it was noticed."""
    context, mark = getattr(error, "context_mark", None), getattr(error, "problem_mark", None)
    place = context if context is not None and context.line else mark
    line = place.line + isinstance(error, yaml.scanner.ScannerError) if place is not None else 0
    return f"yaml: line {max(line, 1)}: {getattr(error, 'problem', None) or error}"


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """YAML as Kubernetes reads it: dates stay text, and 22:30 is no number."""


_OURS = {
    "tag:yaml.org,2002:int": re.compile(r"[-+]?(0b[01_]+|0x[0-9a-fA-F_]+|0o?[0-7_]+|0|[1-9][0-9_]*)$"),
    "tag:yaml.org,2002:float": re.compile(
        r"[-+]?(\.[0-9]+|[0-9]+\.[0-9]*)([eE][-+]?[0-9]+)?$|[-+]?\.(inf|Inf|INF)$|\.(nan|NaN|NAN)$"
    ),
}
_NEVER = ("tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:value")
_Loader.yaml_implicit_resolvers = {
    first: [(tag, _OURS.get(tag, pattern)) for tag, pattern in resolvers if tag not in _NEVER]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _protobuf(body: bytes, expected: Resource) -> Manifest:
    try:
        return protobuf.decode(body)
    except ValueError as error:
        raise errors.BadRequest(_unrecognized(str(error), body, expected)) from error


def as_expected(obj: Manifest, expected: Resource) -> Manifest:
    """A body without kind is taken for the URL's kind; another kind is a mistake."""
    for name in ("apiVersion", "kind"):
        if not isinstance(obj.get(name, ""), str | None):
            problem = f"json: cannot unmarshal {_go_type(obj[name])} into Go struct field .{name} of type string"
            raise errors.BadRequest(f"couldn't get version/kind; json parse error: {problem}")
    kind, version = obj.get("kind") or "", obj.get("apiVersion") or ""
    if expected.kind == "DeleteOptions":
        if kind not in ("", "DeleteOptions"):
            raise errors.BadRequest(
                f'no kind "{kind}" is registered for version "{version}" in scheme "pkg/runtime/scheme.go:111"'
            )
        return obj
    if not kind and not version:
        return {"kind": expected.kind, "apiVersion": expected.api_version, **obj}
    short = version.split("/")[-1]
    if kind == expected.kind and version == expected.api_version:
        return obj
    before = f'{kind} in version "{short}" cannot be handled as a {expected.kind}: '
    from_group = version.rpartition("/")[0]
    if kind == expected.kind and from_group not in ("", expected.group):
        if from_group == "extensions":
            raise errors.BadRequest(
                f"the API version in the data ({version}) does not match the expected API version"
                f" ({expected.api_version})"
            )
        raise errors.BadRequest(
            f'{before}no kind "{kind}" is registered for version "{version}" in scheme "pkg/runtime/scheme.go:111"'
        )
    if expected.is_known(kind, version):
        raise errors.BadRequest(f"{before}converting ({short}.{kind}) to (core.{expected.kind}): unknown conversion")
    raise errors.BadRequest(
        f'{before}no kind "{kind}" is registered for version "{version}" in scheme "pkg/runtime/scheme.go:111"'
    )


def _unrecognized(problem: str, body: bytes, expected: Resource) -> str:
    if expected.kind == "DeleteOptions":
        return problem
    return f"the object provided is unrecognized (must be of type {expected.kind}): {problem} ({_glimpse(body)})"


def _glimpse(body: bytes) -> str:
    """The first bytes: as text if it looks like JSON, else in hexadecimal."""
    if not body:
        return "<empty>"
    if body[:1] == b"{":
        text = body.decode(errors="replace")
        return text if len(text) <= _SHOWN else f"{text[:_SHOWN]} ..."
    digits = body[:_SHOWN].hex()
    return digits if len(body) <= _SHOWN else f"{digits} ..."


def _go_type(value: Any) -> str:
    if isinstance(value, bool):
        return "bool"
    return {dict: "object", list: "array", str: "string", int: "number", float: "number"}.get(type(value), "null")
