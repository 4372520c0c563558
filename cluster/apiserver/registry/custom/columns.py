"""How a custom kind prints: its additionalPrinterColumns, or its age if it has none.

Mirrors:  k8s.io/apiextensions-apiserver/pkg/registry/customresource/tableconvertor/tableconvertor.go
"""

import math
from collections.abc import Callable
from typing import Any

import orjson

from cluster.apiserver.registry.custom import jsonpath
from cluster.apiserver.registry.custom.values import number_text
from cluster.apiserver.table.columns import NAME, Column
from cluster.apiserver.table.durations import since
from cluster.apiserver.table.printer import Printer
from cluster.objects import Manifest, meta

AGE = {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}
AGE_DOC = "meta_v1.ObjectMeta.creationTimestamp"


def printer(columns: list[Manifest]) -> Printer:
    """The printer of a version with these columns."""
    made = [_column(each) for each in columns] if columns else [Column("Age", "date", doc=AGE_DOC)]
    readers = [_reader(each["type"], each["jsonPath"]) for each in columns or [AGE]]
    return Printer((NAME, *made), lambda obj, now: [meta.name(obj), *(read(obj, now) for read in readers)])


def _column(column: Manifest) -> Column:
    told = f"Custom resource definition column (in JSONPath format): {column['jsonPath']}"
    text, wide = column.get("description") or told, bool(column.get("priority"))
    return Column(column["name"], column["type"], text=text, wide=wide, format=column.get("format") or "")


def _reader(type_: str, path: str) -> Callable[[Manifest, int], Any]:
    def read(obj: Manifest, now: int) -> Any:
        found = jsonpath.find(path, obj)
        return _cell(type_, found[0], now) if found else None

    return read


def _cell(type_: str, value: Any, now: int) -> Any:
    """A value as its column's type shows it; None if it is of another type."""
    if type_ == "string":
        return text_of(value)
    if type_ == "date":
        return _age(value, now) if isinstance(value, str) else None
    if type_ == "boolean":
        return value if isinstance(value, bool) else None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return None
    return int(value) if type_ == "integer" else value


def _age(value: str, now: int) -> str:
    try:
        return since(value, now)
    except ValueError:
        return "<invalid>"


def text_of(value: Any) -> str:
    """A value as Go's JSONPath prints it."""
    if value is None:
        return "<nil>"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (dict, list)):
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
    return value if isinstance(value, str) else number_text(value)
