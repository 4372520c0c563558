"""Rules in CEL (x-kubernetes-validations): what a schema alone cannot say.

    self      the value at the rule's place        oldSelf    the same before; a rule that uses it waits for an update

Fields whose names are no names in CEL are escaped (`a-b` is `a__dash__b`), dates and durations are what their formats
say, lists of type set and map compare and join as such.

Mirrors:  k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel (validation.go, compilation.go, values.go)
Left out: the estimate of a rule's cost when a definition is created. While it runs a budget is kept, in our own units.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import orjson

from cluster.apiserver import cel
from cluster.apiserver.cel import Budget, CompileError, EvalError, Exhausted
from cluster.apiserver.cel import functions as cel_functions
from cluster.apiserver.cel.syntax import RESERVED
from cluster.apiserver.cel.values import MapList, Optional, SetList
from cluster.apiserver.registry.custom.structure import ABSENT, Node, X, element_key, elements_by_key
from cluster.apiserver.registry.metadata import duplicate, forbidden, invalid, not_supported, raw_invalid, required
from cluster.apiserver.registry.resource import Problem
from cluster.objects import Manifest

RULE_LIMIT, OBJECT_LIMIT = 200_000, 400_000  # Steps of one rule, and of all rules of one object.
MOST_PROBLEMS = 50
ROOT = "<nil>"
REASONS = ("FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired")
_BLOCKING = tuple(f"FieldValue{name}" for name in ("Required", "TooLong", "TooMany", "NotSupported", "TypeInvalid"))
NOT_CHECKED = (
    "some validation rules were not checked because the object was invalid; correct the existing errors to complete"
    " validation"
)
OUT_OF_BUDGET = "validation failed due to running out of cost budget, no further validation rules will be run"


def checked(found: list[Problem], obj: Any, node: Node, old: Any) -> list[Problem]:
    """`found` and what the rules complain of; they only run on an object that is otherwise sound."""
    if not node.has_rules:
        return found
    if any(problem["reason"] in _BLOCKING for problem in found):
        return [*found, raw_invalid(ROOT, "null", NOT_CHECKED)]
    made: list[Problem] = []
    budget = Budget(OBJECT_LIMIT)
    try:
        for problem in _walk(obj, node, "", old, budget, True):
            made.append(problem)
            if len(made) >= MOST_PROBLEMS:
                break
    except Exhausted:
        made.append(raw_invalid(ROOT, "null", OUT_OF_BUDGET))
    return [*found, *made]


def _walk(value: Any, node: Node, path: str, old: Any, budget: Budget, is_resource: bool) -> Iterator[Problem]:
    if not node.has_rules or (value is None and not node.rules):
        return
    if node.rules and value is not None:
        yield from _rules_of(value, node, path, old, budget, is_resource)
    if isinstance(value, dict):
        for name, given in value.items():
            child = node.child(name)
            if child is not None:
                before = old.get(name, ABSENT) if isinstance(old, dict) else ABSENT
                yield from _walk(given, child, f"{path}.{name}" if path else name, before, budget, child.embedded)
    elif isinstance(value, list) and node.items is not None:
        known = elements_by_key(node.list_keys, node, old) if node.list_type == "map" and isinstance(old, list) else {}
        for number, item in enumerate(value):
            key = element_key(node.list_keys, node, item) if known and isinstance(item, dict) else None
            before = known.get(key, ABSENT)
            yield from _walk(item, node.items, f"{path}[{number}]", before, budget, node.items.embedded)


def _rules_of(value: Any, node: Node, path: str, old: Any, budget: Budget, is_resource: bool) -> Iterator[Problem]:
    unchanged = old is not ABSENT and value == old
    variables: dict[str, Any] = {"self": seen(value, node, is_resource)}
    before = ABSENT if old is ABSENT or old is None else seen(old, node, is_resource)
    for rule in node.rules:
        program = _program(rule, node, is_resource)
        if program is None:
            continue  # What does not compile was refused, but for a definition that is older than this program.
        optional = bool(rule.get("optionalOldSelf"))
        transition = "oldSelf" in program.uses
        if (transition and before is ABSENT and not optional) or (unchanged and not transition):
            continue
        if optional:
            variables["oldSelf"] = Optional() if before is ABSENT else Optional(before, True)
        elif before is not ABSENT:
            variables["oldSelf"] = before
        yield from _verdict(rule, program, variables, node, path, budget, is_resource)


def _verdict(
    rule: Manifest,
    program: cel.Program,
    variables: dict[str, Any],
    node: Node,
    path: str,
    budget: Budget,
    resource: bool,
) -> Iterator[Problem]:
    where, kind = path + (rule.get("fieldPath") or ""), node.type or "object"
    where = where.removeprefix(".") or ROOT
    own = Budget(min(RULE_LIMIT, budget.left))
    told, value = _told(rule), ABSENT
    try:
        value = program.evaluate(variables, own)
    except EvalError as error:
        if str(error).startswith("no such overload"):
            reason = "call arguments did not match a supported operator, function or macro signature for rule"
            yield invalid(where, kind, f"'{error}': {reason}: {told}")
        else:
            yield invalid(where, kind, f"{error} evaluating rule: {told}")
    except Exhausted:
        spent = "operation cancelled: actual cost limit exceeded"
        yield invalid(where, kind, f"'{spent}': call cost exceeds limit for rule: {told}")
        raise
    finally:
        budget.left -= own.limit - max(own.left, 0)
    if value is ABSENT or value is True:
        return
    yield _refusal(rule, where, kind, _message(rule, variables, node, budget, resource))


def _refusal(rule: Manifest, where: str, kind: str, message: str) -> Problem:
    reason = rule.get("reason") or "FieldValueInvalid"
    if reason == "FieldValueForbidden":
        return forbidden(where, message)
    if reason == "FieldValueRequired":
        return required(where, message)
    return duplicate(where, kind) if reason == "FieldValueDuplicate" else invalid(where, kind, message)


def _told(rule: Manifest) -> str:
    return (rule.get("message") or "").strip() or f"failed rule: {(rule.get('rule') or '').strip()}"


def _message(rule: Manifest, variables: dict[str, Any], node: Node, budget: Budget, is_resource: bool) -> str:
    """What messageExpression makes; the plain message if it fails or makes none."""
    if not rule.get("messageExpression"):
        return _told(rule)
    try:
        program = _compiled(node, is_resource, rule["messageExpression"], bool(rule.get("optionalOldSelf")), "string")
        made = program.evaluate(variables, budget)
    except (CompileError, EvalError):
        return _told(rule)
    usable = isinstance(made, str) and made.strip() and "\n" not in made and len(made) <= 5_120
    return made if usable else _told(rule)


# --- compiling --------------------------------------------------------------------------------------------------


def _program(rule: Manifest, node: Node, is_resource: bool) -> cel.Program | None:
    try:
        return _compiled(node, is_resource, rule.get("rule") or "", bool(rule.get("optionalOldSelf")), "bool")
    except CompileError:
        return None


@lru_cache(maxsize=4096)
def _compiled(node: Node, is_resource: bool, text: str, optional: bool, wanted: str) -> cel.Program:
    shape = type_of(node, is_resource)
    return cel.compile(text, {"self": shape, "oldSelf": ("optional", shape) if optional else shape}, (wanted,))


def compile_problems(root: Node, path: str) -> list[Problem]:
    """What is wrong with the rules of a schema, at most `MOST_PROBLEMS`."""
    found: list[Problem] = []
    for problem in _compile_all(root, path, True):
        found.append(problem)
        if len(found) >= MOST_PROBLEMS:
            break
    return found


def _compile_all(node: Node, path: str, is_resource: bool) -> Iterator[Problem]:
    if not node.has_rules:
        return
    for number, rule in enumerate(node.rules):
        yield from _rule_problems(rule, node, f"{path}.{X}validations[{number}]", is_resource)
    for name, child in sorted(node.properties.items()):
        yield from _compile_all(child, f"{path}.properties[{name}]", child.embedded)
    if node.additional is not None:
        yield from _compile_all(node.additional, f"{path}.additionalProperties", node.additional.embedded)
    if node.items is not None:
        yield from _compile_all(node.items, f"{path}.items", node.items.embedded)


def _rule_problems(rule: Manifest, node: Node, path: str, is_resource: bool) -> Iterator[Problem]:
    text, message, reason = (rule.get("rule") or "").strip(), rule.get("message"), rule.get("reason")
    if not text:
        yield required(f"{path}.rule", "rule is not specified")
    if message is not None and message and not message.strip():
        yield invalid(f"{path}.message", message, "message must be non-empty if specified")
    elif message and "\n" in message.strip():
        yield invalid(f"{path}.message", message, "message must not contain line breaks")
    elif not message and "\n" in text:
        yield required(f"{path}.message", "message must be specified if rule contains line breaks")
    if reason is not None and reason not in REASONS:
        yield not_supported(f"{path}.reason", reason, REASONS)
    field = rule.get("fieldPath")
    if field is not None and not _leads_somewhere(field, node):
        yield invalid(f"{path}.fieldPath", field, "fieldPath must be a valid path: does not refer to a valid field")
    optional = bool(rule.get("optionalOldSelf"))
    for name, wanted in (("rule", "bool"), ("messageExpression", "string")):
        if not (rule.get(name) or "").strip():
            continue
        try:
            program = _compiled(node, is_resource, rule[name], optional, wanted)
        except CompileError as error:
            told = str(error)
            if ": must evaluate to" in told:
                told = f"cel expression must evaluate to a {wanted}"
                told = told if name == "rule" else f"messageExpression must evaluate to a {wanted}"
            else:
                told = f"{'compilation failed' if name == 'rule' else 'messageExpression compilation failed'}: {told}"
            yield raw_invalid(f"{path}.{name}", _shown(rule), told)
        else:
            if name == "rule" and optional and "oldSelf" not in program.uses:
                given = "may not be set if oldSelf is not used in rule"
                yield invalid(f"{path}.optionalOldSelf", True, f"option {given}")


def _shown(rule: Manifest) -> str:
    """A rule as the real server's own struct."""
    names = ("rule", "message", "messageExpression", "reason", "fieldPath", "optionalOldSelf")
    empty = {"reason": None, "optionalOldSelf": None}
    return orjson.dumps({n[0].upper() + n[1:]: rule.get(n, empty.get(n, "")) for n in names}).decode()


_STEP = re.compile(r"\.([A-Za-z_][A-Za-z0-9_]*)|\['((?:[^'\\]|\\.)*)'\]")


def _leads_somewhere(path: str, node: Node) -> bool:
    position, at = 0, node
    while position < len(path):
        found = _STEP.match(path, position)
        if found is None:
            return False
        child = at.child(found.group(1) or found.group(2))
        if child is None:
            return False
        at, position = child, found.end()
    return bool(path)


# --- types and values -------------------------------------------------------------------------------------------

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*")
_KEYWORDS = RESERVED | {"true", "false", "null", "in"}
_FORMATS = {"byte": "bytes", "date": "timestamp", "date-time": "timestamp", "duration": "duration"}
_SCALARS = {"string": "string", "integer": "int", "number": "double", "boolean": "bool"}


def escaped(name: str) -> str | None:
    """A field's name in CEL; None if it can't have one."""
    if name in _KEYWORDS:
        return f"__{name}__"
    if not _NAME.fullmatch(name):
        return None
    name = name.replace("__", "__underscores__")
    return name.replace(".", "__dot__").replace("-", "__dash__").replace("/", "__slash__")


class Shape:
    """An object whose fields a schema names."""

    def __init__(self, node: Node, is_resource: bool) -> None:
        self.fields: dict[str, Any] = {}
        for name, child in node.properties.items():
            known = escaped(name)
            if known is not None and not (is_resource and name in ("kind", "apiVersion", "metadata")):
                self.fields[known] = type_of(child, child.embedded)
        if is_resource:
            self.fields |= {"apiVersion": "string", "kind": "string", "metadata": _METADATA}

    def field(self, name: str) -> Any:
        return self.fields.get(name)

    def __str__(self) -> str:
        return "object"


class _Metadata(Shape):
    """What rules may see of metadata."""

    def __init__(self) -> None:
        self.fields = {"name": "string", "generateName": "string"}


_METADATA = _Metadata()


def type_of(node: Node, is_resource: bool) -> Any:
    """The type of the values at a node."""
    if node.int_or_string:
        return "dyn"
    if node.type == "array":
        return ("list", type_of(node.items, node.items.embedded) if node.items is not None else "dyn")
    if node.type == "object":
        if node.additional is not None:
            return ("map", "string", type_of(node.additional, node.additional.embedded))
        if node.allows_any and not node.properties:
            return ("map", "string", "dyn")
        return _shape(node, is_resource)
    if node.type == "string":
        return _FORMATS.get(node.raw.get("format") or "", "string")
    return _SCALARS.get(node.type, "dyn")


@lru_cache(maxsize=4096)
def _shape(node: Node, is_resource: bool) -> Shape:
    return Shape(node, is_resource)


def seen(value: Any, node: Node, is_resource: bool = False) -> Any:
    """A value as rules see it; the very same value where that is no different."""
    if isinstance(value, dict):
        return _object_seen(value, node, is_resource)
    if isinstance(value, list):
        return _list_seen(value, node)
    if isinstance(value, str) and node.type == "string":
        return _text_seen(value, node.raw.get("format") or "")
    if node.type == "number" and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    return int(value) if node.type == "integer" and isinstance(value, float) else value


def _object_seen(value: dict[str, Any], node: Node, is_resource: bool) -> dict[str, Any]:
    if is_resource:
        metadata = value.get("metadata") or {}
        shown = {name: metadata[name] for name in ("name", "generateName") if name in metadata}
        value = {**value, "metadata": shown}
    if node.additional is None and not node.properties:
        return value
    made = {}
    for name, given in value.items():
        child = node.child(name)
        if child is None:
            if node.additional is None and not is_resource and not node.preserves:
                continue
            made[name] = given
        elif given is None and not child.nullable:
            continue
        else:
            known = name if name not in node.properties else escaped(name)
            if known is not None:
                is_metadata = is_resource and name == "metadata"
                made[known] = given if is_metadata else seen(given, child, child.embedded)
    return made


def _list_seen(value: list[Any], node: Node) -> list[Any]:
    items = [seen(each, node.items, node.items.embedded) for each in value] if node.items is not None else value
    if node.list_type == "set":
        return SetList(items)
    if node.list_type == "map":
        made = MapList(items)
        made.keys = tuple(escaped(key) or key for key in node.list_keys)
        return made
    return items


def _text_seen(value: str, format_: str) -> Any:
    try:
        if format_ == "duration":
            return cel_functions.duration(value)
        if format_ in ("date", "date-time"):
            return cel_functions.timestamp(value if format_ == "date-time" else f"{value}T00:00:00Z")
    except EvalError:
        return value
    return value.encode() if format_ == "byte" else value
