"""Validation of a custom object against its schema: every complaint in the real words.

On an update only what changed is looked at: a value that was valid when it was written does not become a problem of
somebody who changes something else (ratcheting). A part that is the very same object as before costs one comparison.

Mirrors:  k8s.io/kube-openapi/pkg/validation/validate, k8s.io/apiextensions-apiserver/pkg/apiserver/validation
          (validation.go, ratcheting.go), pkg/apiserver/schema/listtype, objectmeta
"""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import orjson

from cluster.apiserver import regexes
from cluster.apiserver.registry.custom import formats
from cluster.apiserver.registry.custom.structure import ABSENT, Node, X, element_key, elements_by_key, frozen
from cluster.apiserver.registry.metadata import invalid, required, validate_metadata
from cluster.apiserver.registry.resource import Problem, Resource

MOST_PROBLEMS = 100  # A list of ten thousand wrong elements is refused because of the first hundred.
ROOT = "<nil>"  # How Go names the place of a complaint about the whole object.


class _Full(Exception):
    """Enough problems are known."""


class Report:
    """Problems found so far. `matched`: how many checks passed, which decides which alternative was meant."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.matched = 0

    def add(self, reason: str, path: str, message: str) -> None:
        self.problems.append({"reason": f"FieldValue{reason}", "message": message, "field": path or ROOT})
        if len(self.problems) >= MOST_PROBLEMS:
            raise _Full

    def invalid(self, path: str, value: Any, message: str) -> None:
        self.add("Invalid", path, f"Invalid value: {shown(value)}: {message}")

    def mistyped(self, path: str, value: Any, wanted: str, given: Any) -> None:
        told = f"{path} in body must be of type {wanted}: {quoted(value)}"
        self.add("TypeInvalid", path, f"Invalid value: {shown(given)}: {told}")


def validate(value: Any, node: Node, old: Any = ABSENT) -> list[Problem]:
    """Problems of an object, which are not those of unchanged parts of `old`; at most `MOST_PROBLEMS`."""
    report = Report()
    with suppress(_Full):
        _check(value, node.raw, "", report, old, node)
    return report.problems


def shown(value: Any) -> str:
    """A value as a complaint shows it."""
    return quoted(value) if isinstance(value, str) else number_text(value) if _is_number(value) else _json(value)


def quoted(text: str) -> str:
    return orjson.dumps(text, default=str).decode()


def _json(value: Any) -> str:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()


def number_text(value: Any) -> str:
    """A number as Go prints it."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e21:
        return str(int(value))
    if isinstance(value, float):
        text = repr(value)
        mantissa, e, exponent = text.partition("e")
        return f"{mantissa}e{exponent[0]}{exponent[1:].zfill(2)}" if e else text
    return str(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def type_name(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    names = {dict: "object", list: "array", str: "string", int: "integer", float: "number", type(None): "null"}
    return names[type(value)]


def _check(value: Any, raw: dict[str, Any], path: str, report: Report, old: Any, node: Node | None) -> None:
    """`raw`: a schema; `node`: its node, if it is one that stands at its own place."""
    if old is not ABSENT and (value is old or (value == old and type(value) is type(old))):
        return
    if not _typed(value, raw, path, report):
        return
    report.matched += 1
    _combined(value, raw, path, report)
    if isinstance(value, str):
        _string(value, raw, path, report)
    elif _is_number(value):
        _number(value, raw, path, report)
    _enum(value, raw, path, report)
    if isinstance(value, list):
        _list(value, raw, path, report, old, node)
    elif isinstance(value, dict):
        _object(value, raw, path, report, old, node)


def _typed(value: Any, raw: dict[str, Any], path: str, report: Report) -> bool:
    wanted = ("integer", "string") if raw.get(f"{X}int-or-string") else (raw["type"],) if raw.get("type") else ()
    if value is None:
        if raw.get("nullable") or not wanted:
            return True
        report.mistyped(path, "null", ",".join(wanted), "null")
        return False
    name = type_name(value)
    if not wanted or name in wanted or (name == "integer" and "number" in wanted):
        return True
    if name == "number" and "integer" in wanted and float(value).is_integer():
        return True
    report.mistyped(path, name, ",".join(wanted), name)
    return False


def _combined(value: Any, raw: dict[str, Any], path: str, report: Report) -> None:
    """anyOf, oneOf, allOf, not. The whole is told without a place, the parts with theirs."""
    alternatives = raw.get("anyOf")
    if alternatives:
        tried = [_tried(value, each, path) for each in alternatives]
        if not any(not each.problems for each in tried):
            report.invalid("", "", f'"{path}" must validate at least one schema (anyOf)')
            _merge(report, tried)
    alternatives = raw.get("oneOf")
    if alternatives:
        tried = [_tried(value, each, path) for each in alternatives]
        valid = sum(not each.problems for each in tried)
        if valid != 1:
            found = f"Found {valid} valid alternatives" if valid else "Found none valid"
            report.invalid("", "", f'"{path}" must validate one and only one schema (oneOf). {found}')
            _merge(report, [each for each in tried if each.problems])
    conditions = raw.get("allOf")
    if conditions:
        tried = [_tried(value, each, path) for each in conditions]
        for each in tried:
            for problem in each.problems:
                report.add(problem["reason"].removeprefix("FieldValue"), problem["field"], problem["message"])
        if any(each.problems for each in tried):
            report.invalid("", "", f'"{path}" must validate all the schemas (allOf)')
    forbidden = raw.get("not")
    if isinstance(forbidden, dict) and not _tried(value, forbidden, path).problems:
        report.invalid("", "", f'"{path}" must not validate the schema (not)')


def _tried(value: Any, raw: dict[str, Any], path: str) -> Report:
    report = Report()
    with suppress(_Full):
        _check(value, raw, path, report, ABSENT, None)
    return report


def _merge(report: Report, tried: list[Report]) -> None:
    """The complaints of the alternative that came nearest; the first of several."""
    if tried:
        for problem in max(tried, key=lambda each: each.matched).problems:
            report.add(problem["reason"].removeprefix("FieldValue"), problem["field"], problem["message"])


def _string(value: str, raw: dict[str, Any], path: str, report: Report) -> None:
    longest, shortest = raw.get("maxLength"), raw.get("minLength")
    if longest is not None and len(value) > longest:
        report.add("TooLong", path, f"Too long: may not be more than {longest} bytes")
    elif shortest is not None and len(value) < shortest:
        report.invalid(path, value, f"{path} in body should be at least {shortest} chars long")
    elif raw.get("pattern") and not _fits(raw["pattern"], value):
        report.invalid(path, value, f"{path} in body should match '{raw['pattern']}'")
    name = raw.get("format")
    if name and name not in formats.NUMBERS and not formats.matches(name, value):
        report.mistyped(path, value, name, value)


def _fits(pattern: str, text: str) -> bool:
    try:
        return regexes.matches(pattern, text)
    except regexes.Invalid:
        return False


def _number(value: Any, raw: dict[str, Any], path: str, report: Report) -> None:
    factor, most, least = raw.get("multipleOf"), raw.get("maximum"), raw.get("minimum")
    if factor and not _is_multiple(value, factor):
        report.invalid(path, value, f"{path} in body should be a multiple of {number_text(factor)}")
    if most is not None and (value > most or (value == most and raw.get("exclusiveMaximum"))):
        words = "less than" if raw.get("exclusiveMaximum") else "less than or equal to"
        report.invalid(path, value, f"{path} in body should be {words} {number_text(most)}")
    if least is not None and (value < least or (value == least and raw.get("exclusiveMinimum"))):
        words = "greater than" if raw.get("exclusiveMinimum") else "greater than or equal to"
        report.invalid(path, value, f"{path} in body should be {words} {number_text(least)}")
    limit = formats.NUMBERS.get(raw.get("format", ""))
    if limit is not None and not -limit <= value < limit:
        report.invalid("", "", f"Checked value must be of type {raw.get('type')} with format {raw['format']}")


def _is_multiple(value: Any, factor: Any) -> bool:
    if isinstance(value, int) and isinstance(factor, int):
        return value % factor == 0
    try:
        return float(value / factor).is_integer()
    except (OverflowError, ZeroDivisionError):
        return False


def _enum(value: Any, raw: dict[str, Any], path: str, report: Report) -> None:
    choices = raw.get("enum")
    if not choices or any(frozen(value) == frozen(choice) for choice in choices):
        return
    listed = ", ".join(quoted(each if isinstance(each, str) else _json(each)) for each in choices)
    report.add("NotSupported", path, f"Unsupported value: {shown(value)}: supported values: {listed}")


def _list(value: list[Any], raw: dict[str, Any], path: str, report: Report, old: Any, node: Node | None) -> None:
    most, least, items = raw.get("maxItems"), raw.get("minItems"), raw.get("items")
    if isinstance(items, dict):
        inner = node.items if node is not None else None
        before = _elements_before(value, old, node)
        for number, item in enumerate(value):
            _check(item, items, f"{path}[{number}]", report, before(number, item), inner)
    if least is not None and len(value) < least:
        report.invalid(path, len(value), f"{path} in body should have at least {least} items")
    if most is not None and len(value) > most:
        report.add("TooMany", path, f"Too many: {len(value)}: must have at most {most} items")
    if raw.get("uniqueItems") and len({frozen(item) for item in value}) < len(value):
        report.invalid(path, "", f"{path} in body shouldn't contain duplicates")


def _elements_before(value: list[Any], old: Any, node: Node | None) -> Any:
    """A function from (position, element) to what that element was before: only maps and sets know."""
    if not isinstance(old, list) or node is None:
        return lambda number, item: ABSENT
    if node.list_type == "map":
        known = elements_by_key(node.list_keys, node, old)
        return lambda number, item: (
            known.get(element_key(node.list_keys, node, item), ABSENT) if isinstance(item, dict) else ABSENT
        )
    if node.list_type == "set":
        values = {frozen(item) for item in old}
        return lambda number, item: item if frozen(item) in values else ABSENT
    return lambda number, item: ABSENT


def _object(value: dict[str, Any], raw: dict[str, Any], path: str, report: Report, old: Any, node: Node | None) -> None:
    most, least = raw.get("maxProperties"), raw.get("minProperties")
    if least is not None and len(value) < least:
        report.invalid(path, len(value), f"{path} in body should have at least {least} properties")
        return
    if most is not None and len(value) > most:
        report.add("TooMany", path, f"Too many: {len(value)}: must have at most {most} items")
        return
    properties, rest = raw.get("properties") or {}, raw.get("additionalProperties")
    for name, given in value.items():
        schema = properties.get(name)
        if schema is None:
            schema = rest if isinstance(rest, dict) else None
        if schema is not None:
            before = old.get(name, ABSENT) if isinstance(old, dict) else ABSENT
            inner = node.child(name) if node is not None else None
            _check(given, schema, f"{path}.{name}" if path else name, report, before, inner)
    for name in raw.get("required") or ():
        if name not in value:
            report.add("Required", f"{path}.{name}" if path else name, "Required value")


# --- lists and embedded objects ---------------------------------------------------------------------------------


def extras(value: Any, node: Node, old: Any = ABSENT) -> list[Problem]:
    """Problems that no schema can tell: elements that must differ, and metadata of embedded objects."""
    found: list[Problem] = []
    if node.has_embedded:
        found += _embedded(value, node, "", False)
    if node.has_list_rules:
        found += _lists(value, node, "", old)
    return found[:MOST_PROBLEMS]


def _lists(value: Any, node: Node, path: str, old: Any) -> Iterator[Problem]:
    if not node.has_list_rules or (old is not ABSENT and value == old):
        return
    if isinstance(value, list):
        if node.list_type == "set":
            yield from _twice(path, [(frozen(item), item) for item in value])
        elif node.list_type == "map":
            keyed = [item if isinstance(item, dict) else {} for item in value]
            named = [{key: item[key] for key in node.list_keys if key in item} for item in keyed]
            entries = [(element_key(node.list_keys, node, item), keys) for item, keys in zip(keyed, named, strict=True)]
            yield from _twice(path, entries)
        if node.items is not None:
            before = _elements_before(value, old, node)
            for number, item in enumerate(value):
                yield from _lists(item, node.items, f"{path}[{number}]", before(number, item))
    elif isinstance(value, dict):
        for name, given in value.items():
            child = node.child(name)
            if child is not None:
                before = old.get(name, ABSENT) if isinstance(old, dict) else ABSENT
                yield from _lists(given, child, f"{path}.{name}" if path else name, before)


def _twice(path: str, entries: list[tuple[Any, Any]]) -> Iterator[Problem]:
    seen = set()
    for number, (key, value) in enumerate(entries):
        if key in seen:
            message = f"Duplicate value: {shown(value)}"
            yield {"reason": "FieldValueDuplicate", "message": message, "field": f"{path}[{number}]"}
        seen.add(key)


_EMBEDDED = Resource("", "", "", "", name_rule="subdomain")


def _embedded(value: Any, node: Node, path: str, inside: bool) -> Iterator[Problem]:
    if not node.has_embedded:
        return
    if isinstance(value, dict):
        if node.embedded and inside:
            for name in ("apiVersion", "kind"):
                if not value.get(name):
                    yield required(f"{path}.{name}", "must not be empty")
            metadata = value.get("metadata")
            if isinstance(metadata, dict):
                for problem in _metadata_problems(metadata):
                    yield {**problem, "field": f"{path}.{problem['field']}"}
        for name, given in value.items():
            child = node.child(name)
            if child is not None:
                yield from _embedded(given, child, f"{path}.{name}" if path else name, True)
    elif isinstance(value, list) and node.items is not None:
        for number, item in enumerate(value):
            yield from _embedded(item, node.items, f"{path}[{number}]", True)


def _metadata_problems(metadata: dict[str, Any]) -> list[Problem]:
    """An embedded object may lack a name; what it has must be right."""
    named = metadata if metadata.get("name") else {**metadata, "name": "x"}
    try:
        return validate_metadata(_EMBEDDED, {"metadata": named})
    except (AttributeError, TypeError):  # Labels that are no map of texts: its types were never decoded.
        return [invalid("metadata", "", "malformed metadata")]
