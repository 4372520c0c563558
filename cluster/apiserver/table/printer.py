"""What a printer is, and the words that printers share: fields, ages, selectors, "+ 2 more...".

Cells always include the wide columns: the client leaves them out. `now` is microseconds since 1970 in simulated time.

Mirrors:  kubernetes/pkg/printers/internalversion/printers.go
Read next: core.py, apps.py and others.py, which have an entry for every kind.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from cluster.apiserver.table.columns import AGE, CREATED, NAME, Column
from cluster.apiserver.table.durations import since
from cluster.objects import Manifest, labels, meta

NONE = "<none>"
MOST = 3  # Addresses or ports shown before "+ 2 more...".


class Printer(NamedTuple):
    columns: tuple[Column, ...]
    cells: Callable[[Manifest, int], list[Any]]
    conditions: Callable[[Manifest], list[Manifest]] | None = None


def age(obj: Manifest, now: int) -> str:
    return since(obj["metadata"].get("creationTimestamp"), now)


def generic(obj: Manifest, now: int) -> list[Any]:
    """A kind without a printer of its own: its name, and when it was created."""
    return [meta.name(obj), obj["metadata"].get("creationTimestamp")]


def simple(*columns: tuple[Column, Callable[[Manifest], Any]], aged: bool = True) -> Printer:
    """Name, the given columns, Age."""

    def cells(obj: Manifest, now: int) -> list[Any]:
        row = [meta.name(obj), *(read(obj) for _, read in columns)]
        return [*row, age(obj, now)] if aged else row

    return Printer((NAME, *(column for column, _ in columns), *((AGE,) if aged else ())), cells)


def field(path: str, empty: Any = "") -> Callable[[Manifest], Any]:
    """A reader of one field; what is missing or empty reads as `empty`."""
    keys = path.split(".")

    def read(obj: Manifest) -> Any:
        value: Any = obj
        for key in keys:
            value = (value or {}).get(key)
        return empty if value is None or value == "" else value

    return read


def sizes(*fields: str) -> Callable[[Manifest], int]:
    return lambda obj: sum(len(obj.get(field) or ()) for field in fields)


def template_cells(spec: Manifest) -> tuple[str, str]:
    """Names and images of the pod template's containers."""
    containers = ((spec.get("template") or {}).get("spec") or {}).get("containers") or ()
    return ",".join(c["name"] for c in containers), ",".join(c.get("image", "") for c in containers)


def selector_text(selector: Manifest | None) -> str:
    """`a=b,c in (x,y),!d`, sorted by key."""
    compiled = labels.of(selector)
    texts = [_requirement(r) for r in sorted(compiled.requirements)] if compiled else []
    return ",".join(texts) or NONE


def _requirement(requirement: labels.Requirement) -> str:
    key, operator, values = requirement
    if operator in ("exists", "absent"):
        return key if operator == "exists" else f"!{key}"
    if operator == "in" and len(values) == 1:
        return f"{key}={values[0]}"
    if operator in ("gt", "lt"):
        return f"{key}{'>' if operator == 'gt' else '<'}{values[0]}"
    return f"{key} {operator} ({','.join(sorted(values))})"


def map_text(selector: dict[str, str] | None) -> str:
    return ",".join(f"{key}={value}" for key, value in sorted((selector or {}).items())) or NONE


def with_more(found: list[str]) -> str:
    shown = ",".join(found[:MOST])
    return f"{shown} + {len(found) - MOST} more..." if len(found) > MOST else shown


GENERIC = Printer((NAME, CREATED), generic)
