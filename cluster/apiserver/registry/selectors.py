"""Label selectors in specs: what is refused in {matchLabels, matchExpressions}.

Mirrors:  k8s.io/apimachinery/pkg/apis/meta/v1/validation (ValidateLabelSelector)
"""

import json
from collections.abc import Iterator
from typing import Any

from cluster.apiserver.registry.metadata import forbidden, invalid, label_problems, required
from cluster.apiserver.registry.resource import Problem
from cluster.objects import Manifest
from cluster.objects.names import qualified_problems

_ORDER = ("matchLabels", "matchExpressions", "key", "operator", "values")  # As the Go structs have their fields.


def selector_problems(selector: Manifest | None, where: str) -> Iterator[Problem]:
    """Every problem of one selector; None selects nothing and is fine."""
    if selector is None:
        return
    yield from label_problems(selector.get("matchLabels") or {}, f"{where}.matchLabels")
    for number, expression in enumerate(selector.get("matchExpressions") or []):
        yield from _expression_problems(expression, f"{where}.matchExpressions[{number}]")


def _expression_problems(expression: Manifest, where: str) -> Iterator[Problem]:
    operator, values = expression.get("operator", ""), expression.get("values") or []
    if operator in ("In", "NotIn"):
        if not values:
            yield required(f"{where}.values", "must be specified when `operator` is 'In' or 'NotIn'")
    elif operator in ("Exists", "DoesNotExist"):
        if values:
            yield forbidden(f"{where}.values", "may not be specified when `operator` is 'Exists' or 'DoesNotExist'")
    else:
        yield invalid(f"{where}.operator", operator, "not a valid selector operator")
    key = expression.get("key", "")
    yield from (invalid(f"{where}.key", key, problem) for problem in qualified_problems(key))


def shown(selector: Any) -> str:
    """The selector (or a map of labels, or a list) as Go prints it in an error."""
    return json.dumps(_ordered(selector), separators=(",", ":"), ensure_ascii=False)


def _ordered(value: object) -> object:
    if isinstance(value, list):
        return [_ordered(item) for item in value]
    if not isinstance(value, dict):
        return value
    names = [name for name in _ORDER if name in value] if set(value) <= set(_ORDER) else sorted(value)
    return {name: _ordered(value[name]) for name in names}
