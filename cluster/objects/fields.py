"""Field selectors: `spec.nodeName=worker-1,status.phase!=Running`.

Source: k8s.io/apimachinery/pkg/fields/selector.go
"""

from typing import Any, NamedTuple

from cluster.objects import Manifest, errors


class FieldRequirement(NamedTuple):
    path: str
    equal: bool
    value: str


def parse(text: str) -> tuple[FieldRequirement, ...]:
    """Errors: BadRequest."""
    found = []
    for term in filter(None, text.split(",")):
        for operator in ("!=", "==", "="):
            if operator in term:
                path, _, value = term.partition(operator)
                found.append(FieldRequirement(path.strip(), operator != "!=", value.strip()))
                break
        else:
            raise errors.BadRequest(f"invalid selector: '{text}'; can't understand '{term}'")
    return tuple(found)


def at(obj: Manifest, path: str) -> str:
    """The field at a dotted path, as text; empty if it is not there."""
    value: Any = obj
    for part in path.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)
