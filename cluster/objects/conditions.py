"""Conditions: the list of {type, status, reason, message, …} in a status. New lists, never changed ones."""

from typing import Any

from cluster.objects import Manifest


def get(obj: Manifest, type_: str) -> dict[str, Any] | None:
    """The condition of that type in `obj`'s status; None if it has none."""
    for condition in (obj.get("status") or {}).get("conditions") or ():
        if condition.get("type") == type_:
            return condition  # type: ignore[no-any-return]
    return None


def is_true(obj: Manifest, type_: str) -> bool:
    condition = get(obj, type_)
    return condition is not None and condition.get("status") == "True"


def put(conditions: list[Manifest] | None, condition: Manifest) -> list[Manifest]:
    """The list with `condition` in the place of the one of its type, or at the end."""
    conditions = conditions or []
    if any(known.get("type") == condition["type"] for known in conditions):
        return [condition if known.get("type") == condition["type"] else known for known in conditions]
    return [*conditions, condition]


def drop(conditions: list[Manifest] | None, type_: str) -> list[Manifest]:
    return [condition for condition in conditions or [] if condition.get("type") != type_]
