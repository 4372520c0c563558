"""Validation of metadata: names, labels, annotations, finalizers, owner references.

Mirrors:  k8s.io/apimachinery/pkg/api/validation/objectmeta.go, pkg/apis/meta/v1/validation
"""

import json
import re
from ipaddress import ip_address
from typing import Any

from cluster.apiserver.registry.resource import Problem, Resource
from cluster.objects import Manifest
from cluster.objects.memo import IdentityMemo
from cluster.objects.names import label_value_problems, name_problems, qualified_problems

PERCENT = (
    "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for"
    " validation is '[0-9]+%')"
)
IP_ADDRESS = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"
MAX_ANNOTATIONS = 256 * 1024


def quoted(value: Any) -> str:
    """A value as field.Error shows it: strings quoted, numbers bare, the rest as JSON-like text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return str(value)
    escaped = str(value).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def invalid(field: str, value: Any, message: str) -> Problem:
    return {"reason": "FieldValueInvalid", "message": f"Invalid value: {quoted(value)}: {message}", "field": field}


def required(field: str, message: str = "") -> Problem:
    return {
        "reason": "FieldValueRequired",
        "message": "Required value" + (f": {message}" if message else ""),
        "field": field,
    }


def not_supported(field: str, value: Any, choices: tuple[str, ...]) -> Problem:
    listed = ", ".join(f'"{choice}"' for choice in choices)
    return {
        "reason": "FieldValueNotSupported",
        "message": f"Unsupported value: {quoted(value)}: supported values: {listed}",
        "field": field,
    }


def not_found(field: str, value: Any) -> Problem:
    return {"reason": "FieldValueNotFound", "message": f"Not found: {quoted(value)}", "field": field}


def raw_invalid(field: str, shown: str, message: str) -> Problem:
    """Like `invalid`, for a value that Go shows as JSON."""
    return {"reason": "FieldValueInvalid", "message": f"Invalid value: {shown}: {message}", "field": field}


def duplicate(field: str, value: Any) -> Problem:
    return {"reason": "FieldValueDuplicate", "message": f"Duplicate value: {quoted(value)}", "field": field}


def too_many(field: str, number: int, limit: int) -> Problem:
    message = f"Too many: {number}: must have at most {limit} items"
    return {"reason": "FieldValueTooMany", "message": message, "field": field}


def forbidden(field: str, message: str = "") -> Problem:
    shown = "Forbidden" + (f": {message}" if message else "")
    return {"reason": "FieldValueForbidden", "message": shown, "field": field}


def too_long(field: str, limit: int, what: str = "bytes") -> Problem:
    return {"reason": "FieldValueTooLong", "message": f"Too long: may not be more than {limit} {what}", "field": field}


def is_ip(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return "%" not in text


_PERCENT = re.compile(r"[0-9]{1,9}%")  # Longer ones are no percentage that anybody means.


def int_or_percent_problems(field: str, value: int | str | None, up_to_100: bool = True) -> list[Problem]:
    """Problems of `3` or `25%`, the way Deployments and budgets count pods; None is nobody's problem."""
    if isinstance(value, int):
        return [invalid(field, value, "must be greater than or equal to 0")] if value < 0 else []
    if value is not None and not _PERCENT.fullmatch(value):
        return [invalid(field, value, PERCENT)]
    if value is not None and up_to_100 and int(value[:-1]) > 100:
        return [invalid(field, value, "must not be greater than 100%")]
    return []


_checked = IdentityMemo(2048)


def label_problems(labels: dict[str, str], field: str) -> list[Problem]:
    """Problems of a map of labels; the very same map, as pods of one template share it, is checked once."""
    return _checked.get(labels, field, lambda _: _label_problems(labels, field)) if labels else []  # type: ignore[no-any-return]


def _label_problems(labels: dict[str, str], field: str) -> list[Problem]:
    found = []
    for key, value in sorted(labels.items()):
        found += [invalid(field, key, problem) for problem in qualified_problems(key)]
        found += [invalid(field, value, problem) for problem in label_value_problems(value)]
    return found


def annotation_problems(annotations: dict[str, str], field: str) -> list[Problem]:
    """Problems of a map of annotations: their keys, and how large they are together."""
    found = []
    for key in sorted(annotations):
        found += [invalid(field, key, problem) for problem in qualified_problems(key.lower())]
    if sum(len(k) + len(v) for k, v in annotations.items()) > MAX_ANNOTATIONS:
        found.append(too_long(field, MAX_ANNOTATIONS))
    return found


def validate_metadata(resource: Resource, obj: Manifest) -> list[Problem]:
    """Problems of a new object's metadata."""
    metadata = obj["metadata"]
    found: list[Problem] = []
    prefix = metadata.get("generateName")
    if prefix:
        found += [
            invalid("metadata.generateName", prefix, problem)
            for problem in _prefix_problems(prefix, resource.name_rule)
        ]
    name = metadata.get("name", "")
    if not name:
        found.append(required("metadata.name", "name or generateName is required"))
    else:
        found += [invalid("metadata.name", name, problem) for problem in name_problems(name, resource.name_rule)]
    return found + _shared(metadata)


def _prefix_problems(prefix: str, rule: str) -> tuple[str, ...]:
    return name_problems(prefix[:-1] + "a" if prefix.endswith("-") else prefix, rule)


def validate_metadata_update(resource: Resource, old: Manifest, new: Manifest) -> list[Problem]:
    before, metadata = old["metadata"], new["metadata"]
    if all(
        metadata.get(part) == before.get(part) for part in ("labels", "annotations", "finalizers", "ownerReferences")
    ):
        return []
    found = _shared(metadata)
    if "deletionTimestamp" in before:
        added = [f for f in metadata.get("finalizers", []) if f not in before.get("finalizers", [])]
        if added:
            shown = "[]string{" + ", ".join(f'"{finalizer}"' for finalizer in added) + "}"
            message = f"no new finalizers can be added if the object is being deleted, found new finalizers {shown}"
            found.append(forbidden("metadata.finalizers", message))
    return found


def _shared(metadata: Manifest) -> list[Problem]:
    found = list(label_problems(metadata.get("labels") or {}, "metadata.labels"))
    found += annotation_problems(metadata.get("annotations") or {}, "metadata.annotations")
    found += _owner_problems(metadata.get("ownerReferences") or [])
    for number, finalizer in enumerate(metadata.get("finalizers") or []):
        where = f"metadata.finalizers[{number}]"
        found += [invalid("metadata.finalizers", finalizer, problem) for problem in qualified_problems(finalizer)]
        if "/" not in finalizer and finalizer not in ("orphan", "foregroundDeletion", "kubernetes"):
            found.append(
                invalid(where, finalizer, "name is neither a standard finalizer name nor is it fully qualified")
            )
    return found


def _owner_problems(references: list[Manifest]) -> list[Problem]:
    found, controllers = [], []
    for number, reference in enumerate(references):
        for part in ("apiVersion", "kind", "name", "uid"):
            if not reference.get(part):
                found.append(required(f"metadata.ownerReferences[{number}].{part}", "must not be empty"))
        if reference.get("controller"):
            controllers.append(f"{reference.get('kind', '')}/{reference.get('name', '')}")
    if len(controllers) > 1:
        order = ("apiVersion", "kind", "name", "uid", "controller", "blockOwnerDeletion")
        shown = json.dumps([{k: r[k] for k in order if k in r} for r in references], separators=(",", ":"))
        both = " and ".join(controllers[:2])
        message = f'Only one reference can have Controller set to true. Found "true" in references for {both}'
        found.append(raw_invalid("metadata.ownerReferences", shown, message))
    return found
