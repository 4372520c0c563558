"""Tables: the server decides what `kubectl get` prints; the client only lays it out.

    columnDefinitions [{name, type, format, description, priority}]    priority 1: only with -o wide
    rows [{cells, object, conditions}]                                 object: as includeObject asks

Also the metadata-only forms that garbage collectors and metadata informers ask for.

Mirrors:  k8s.io/apiserver/pkg/endpoints/handlers/response.go (asTable, asPartialObjectMetadata)
Read next: printers.py, which finds a kind's entry (core.py, apps.py, others.py); pods.py, the one with a story.
"""

from collections.abc import Iterable
from functools import cache
from typing import Any

from cluster.apiserver.table.printers import Printer, printer_of
from cluster.objects import Manifest, errors

INCLUDES = ("", "Metadata", "Object", "None")


def check_include(include: str) -> None:
    """Errors: BadRequest if `includeObject` is none of the words we know."""
    if include not in INCLUDES:
        problem = f"includeObject: Invalid value: \"{include}\": must be 'Metadata', 'Object', 'None', or empty"
        raise errors.BadRequest(f"Unable to convert to Table as requested: {problem}")


def table(
    group: str,
    kind: str,
    objects: Iterable[Manifest],
    now: int,
    metadata: Manifest,
    include: str = "",
    version: str = "v1",
    printer: Printer | None = None,
) -> Manifest:
    """Objects of one kind as a Table. `now`: microseconds since 1970; `metadata`: the list's."""
    columns = columns_of(printer) if printer is not None else definitions(group, kind)
    printer = printer or printer_of(group, kind)
    rows = [row(printer, obj, now, include, version) for obj in objects]
    head = {"kind": "Table", "apiVersion": f"meta.k8s.io/{version}", "metadata": metadata}
    return {**head, "columnDefinitions": columns, "rows": rows}


@cache
def definitions(group: str, kind: str) -> list[dict[str, Any]]:
    return columns_of(printer_of(group, kind))


def columns_of(printer: Printer) -> list[dict[str, Any]]:
    return [column.definition() for column in printer.columns]


def row(printer: Printer, obj: Manifest, now: int, include: str = "", version: str = "v1") -> Manifest:
    """One object's row."""
    made: Manifest = {"cells": printer.cells(obj, now)}
    conditions = printer.conditions(obj) if printer.conditions else []
    if conditions:
        made["conditions"] = conditions
    made["object"] = {"None": None, "Object": obj}[include] if include in ("None", "Object") else partial(obj, version)
    return made


def partial(obj: Manifest, version: str = "v1") -> Manifest:
    """PartialObjectMetadata: an object of which only the metadata is told."""
    return {"kind": "PartialObjectMetadata", "apiVersion": f"meta.k8s.io/{version}", "metadata": obj["metadata"]}


def partial_list(objects: Iterable[Manifest], metadata: Manifest, version: str = "v1") -> Manifest:
    head = {"kind": "PartialObjectMetadataList", "apiVersion": f"meta.k8s.io/{version}", "metadata": metadata}
    return {**head, "items": [partial(obj, version) for obj in objects]}
