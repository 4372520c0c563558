"""Node selector terms: which nodes a pod's affinity, a volume or a driver's topology means.

Mirrors: k8s.io/component-helpers/scheduling/corev1/nodeaffinity/nodeaffinity.go
"""

from collections.abc import Callable, Iterable
from typing import Any

from cluster.objects import Manifest


def requirement(expression: Manifest) -> Callable[[str | None], bool]:
    """A test of one label's value (None: there is no such label)."""
    operator, values = expression["operator"], expression.get("values") or []
    if operator == "In":
        return lambda value: value in values
    if operator == "NotIn":
        return lambda value: value not in values
    if operator == "Exists":
        return lambda value: value is not None
    if operator == "DoesNotExist":
        return lambda value: value is None
    bound = _integer(values[0]) if len(values) == 1 else None
    if operator == "Gt":
        return lambda value: _both(value, bound, lambda left, right: left > right)
    if operator == "Lt":
        return lambda value: _both(value, bound, lambda left, right: left < right)
    raise ValueError(f"{operator!r} is no operator of a node selector; use In, NotIn, Exists, DoesNotExist, Gt or Lt")


def term_matches(term: Manifest, labels: dict[str, str], node_name: str) -> bool:
    """All expressions and fields of `term` hold. A term without any holds for no node."""
    expressions, fields = term.get("matchExpressions") or [], term.get("matchFields") or []
    if not expressions and not fields:
        return False
    if not all(requirement(expression)(labels.get(expression["key"])) for expression in expressions):
        return False
    return all(requirement(field)(node_name) for field in fields)


def keys_of(terms: Iterable[Manifest]) -> set[str]:
    """The label keys that `terms` look at."""
    return {expression["key"] for term in terms for expression in term.get("matchExpressions") or ()}


def _integer(text: Any) -> int | None:
    try:
        return int(text)
    except (TypeError, ValueError):
        return None


def _both(value: str | None, bound: int | None, compare: Callable[[int, int], bool]) -> bool:
    number = _integer(value)
    return number is not None and bound is not None and compare(number, bound)
