"""Types: what a column takes, how a file keeps it, and how a client sees it.

A value is None, int, float, Decimal, str, bool (PostgreSQL's alone), date, datetime or timedelta-free text for times.
In files: JSON; decimals, dates and times as text.
"""

import math
import re
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any

import orjson

from cluster.runtime.live.servers.sql.errors import MYSQL, SqlError

Value = Any
INTEGERS = {"tinyint": 8, "smallint": 16, "mediumint": 24, "int": 32, "bigint": 64}
TEXTS = ("char", "varchar", "text", "enum", "uuid", "json", "blob", "time", "inet")
POSTGRES_NAMES = {
    "smallint": "smallint", "int": "integer", "bigint": "bigint", "double": "double precision", "float": "real",
    "decimal": "numeric", "varchar": "character varying", "char": "character", "text": "text", "boolean": "boolean",
    "date": "date", "datetime": "timestamp without time zone", "timestamptz": "timestamp with time zone",
    "uuid": "uuid", "json": "json", "jsonb": "jsonb", "time": "time without time zone", "blob": "bytea", "inet": "inet",
}  # fmt: skip
SHORT_NAMES = {"timestamp without time zone": "timestamp", "time without time zone": "time"}
WHOLE = re.compile(r"[ \t\n]*[+-]?\d{1,40}[ \t\n]*")
NUMBER = re.compile(r"[ \t\n]*[+-]?(\d{1,60}(\.\d{0,60})?|\.\d{1,60})([eE][+-]?\d{1,3})?[ \t\n]*")
LEADING = re.compile(r"[ \t\n]*[+-]?(\d{1,60}(\.\d{0,60})?|\.\d{1,60})([eE][+-]?\d{1,3})?")
DATE = re.compile(
    r"(\d{4})-(\d{1,2})-(\d{1,2})(?:[T ](\d{1,2}):(\d{2})(?::(\d{2})(?:\.(\d{1,6}))?)?)?(Z|\+00(?::?00)?)?"
)
TRUE, FALSE = ("t", "true", "y", "yes", "on", "1"), ("f", "false", "n", "no", "off", "0")


@dataclass
class Column:
    """`type`: a name of ours; `shown`: as the server spells it; `default`: SQL text; `auto`: numbered by itself."""

    name: str
    type: str
    shown: str
    size: list[int] = field(default_factory=list)
    nullable: bool = True
    default: str | None = None
    auto: bool = False
    unsigned: bool = False
    choices: list[str] = field(default_factory=list)
    sequence: str = ""


def text_of(value: Value, dialect: str) -> str | None:
    """As a client sees it; None: NULL."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return ("t" if value else "f") if dialect != MYSQL else str(int(value))
    if isinstance(value, float):
        return _float_text(value)
    if isinstance(value, datetime):
        return _moment_text(value, dialect)
    if isinstance(value, date):
        return value.isoformat()
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


def _float_text(value: float) -> str:
    if math.isfinite(value) and value == int(value) and abs(value) < 1e15:
        return str(int(value))
    return (
        repr(value).replace("e+", "e")
        if math.isfinite(value)
        else {"inf": "Infinity", "-inf": "-Infinity"}.get(str(value), "NaN")
    )


def _moment_text(value: datetime, dialect: str) -> str:
    text = f"{value:%Y-%m-%d %H:%M:%S}" if value.year >= 1000 else value.isoformat(" ")
    if value.microsecond:
        text += f".{value.microsecond:06d}".rstrip("0")
    return text + ("+00" if value.tzinfo is not None and dialect != MYSQL else "")


def kind_of(value: Value) -> str:
    """PostgreSQL's name of a value's type."""
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer" if abs(value) < 1 << 31 else "bigint"
    if isinstance(value, datetime):
        return "timestamp without time zone" if value.tzinfo is None else "timestamp with time zone"
    names = {float: "double precision", Decimal: "numeric", date: "date", str: "text"}
    return names.get(type(value), "unknown")


# --- into a column ----------------------------------------------------------------------------------------------


def fitted(value: Value, column: Column, dialect: str, table: str = "", row: int = 1) -> Value:
    """A value as the column keeps it. Errors: SqlError."""
    if value is None:
        return None
    facts: dict[str, Any] = {
        "column": column.name,
        "row": row,
        "table": table,
        "type": column.shown,
        "value": text_of(value, dialect),
    }
    if column.type in INTEGERS:
        return _integer(value, column, dialect, facts)
    if column.type in ("decimal", "double", "float"):
        return _fraction(value, column, dialect, facts)
    if column.type == "boolean":
        return _boolean(value, facts)
    if column.type in ("date", "datetime", "timestamptz"):
        return _moment(value, column, dialect, facts)
    if column.type in ("json", "jsonb"):
        return _json(value, column, dialect, facts)
    text = text_of(value, dialect) or ""
    if column.type == "enum":
        found = next((one for one in column.choices if one.lower() == text.lower()), None)
        if found is None:
            raise SqlError("not one of", **facts)
        return found
    if column.size and len(text) > column.size[0]:
        if text[column.size[0] :].strip(" "):
            raise SqlError("too long", **facts)
        text = text[: column.size[0]]
    return text.rstrip(" ") if column.type == "char" and dialect == MYSQL else text


def _integer(value: Value, column: Column, dialect: str, facts: dict[str, Any]) -> int:
    kind = {"kind": "integer", "type": POSTGRES_NAMES.get(column.type, "integer")}
    if isinstance(value, str):
        if not (WHOLE if dialect != MYSQL else NUMBER).fullmatch(value):
            raise SqlError("not a number", **facts | kind)
        value = Decimal(value.strip())
    elif isinstance(value, bool) and dialect != MYSQL:
        raise SqlError("wrong type", **facts | {"given": "boolean", "type": kind["type"]})
    elif isinstance(value, date):
        if dialect != MYSQL:
            raise SqlError("wrong type", **facts | {"given": kind_of(value), "type": kind["type"]})
        value = int(re.sub(r"\D", "", text_of(value, dialect) or "0"))
    try:
        whole = int(Decimal(str(value) if isinstance(value, float) else value).quantize(Decimal(1), ROUND_HALF_UP))
    except (InvalidOperation, OverflowError, ValueError):
        raise SqlError("out of range", **facts | kind) from None
    bits = INTEGERS[column.type]
    low, high = (0, (1 << bits) - 1) if column.unsigned else (-(1 << bits - 1), (1 << bits - 1) - 1)
    if not low <= whole <= high:
        raise SqlError("out of range", **facts | kind)
    return whole


def _fraction(value: Value, column: Column, dialect: str, facts: dict[str, Any]) -> Value:
    kind = {"kind": "decimal" if column.type == "decimal" else "double", "type": POSTGRES_NAMES[column.type]}
    if isinstance(value, str) and not NUMBER.fullmatch(value):
        raise SqlError("not a number", **facts | kind)
    if isinstance(value, date) or (isinstance(value, bool) and dialect != MYSQL):
        raise SqlError("wrong type", **facts | {"given": kind_of(value), "type": kind["type"], "kind": kind["kind"]})
    try:
        number = Decimal(str(value).strip()) if not isinstance(value, Decimal) else value
        if column.type != "decimal":
            return float(number)
        places = column.size[1] if len(column.size) > 1 else (0 if column.size or dialect == MYSQL else None)
        digits = column.size[0] if column.size else (10 if dialect == MYSQL else None)
        if places is not None:
            number = number.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)
    except InvalidOperation:
        raise SqlError("out of range", **facts | kind) from None
    if digits is not None and abs(number) >= Decimal(10) ** (digits - (places or 0)):
        raise SqlError("out of range", **facts | {"type": "numeric field overflow: value"})
    return number


def _boolean(value: Value, facts: dict[str, Any]) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        text = value.strip().lower()
        if text in TRUE or text in FALSE:
            return text in TRUE
        raise SqlError("not a number", **facts | {"kind": "boolean", "type": "boolean"})
    raise SqlError("wrong type", **facts | {"given": kind_of(value), "kind": "boolean"})


def _moment(value: Value, column: Column, dialect: str, facts: dict[str, Any]) -> Value:
    kind = {"kind": "date" if column.type == "date" else "datetime"}
    if isinstance(value, int | float | Decimal) and dialect != MYSQL:
        raise SqlError("wrong type", **facts | {"given": kind_of(value)})
    found = moment(value)
    if found is None:
        raise SqlError("not a time", **facts | kind | {"type": "date" if column.type == "date" else "timestamp"})
    if column.type == "date":
        return found.date() if isinstance(found, datetime) else found
    found = found if isinstance(found, datetime) else datetime(found.year, found.month, found.day)
    if dialect == MYSQL and not column.size:
        found = found.replace(microsecond=0)
    return found.replace(tzinfo=UTC if column.type == "timestamptz" else None)


def moment(value: Value) -> date | datetime | None:
    """A date or a time out of what looks like one.

    >>> moment("2026-11-25"), moment("2026-11-25 10:00"), moment("x")
    (datetime.date(2026, 11, 25), datetime.datetime(2026, 11, 25, 10, 0), None)
    """
    if isinstance(value, date):
        return value
    match = DATE.fullmatch(str(value).strip())
    if match is None:
        return None
    try:
        day = date(int(match[1]), int(match[2]), int(match[3]))
        if match[4] is None:
            return day
        micro = int((match[7] or "0").ljust(6, "0"))
        return datetime(day.year, day.month, day.day, int(match[4]), int(match[5]), int(match[6] or 0), micro)
    except ValueError:
        return None


def _json(value: Value, column: Column, dialect: str, facts: dict[str, Any]) -> str:
    text = text_of(value, dialect) or ""
    try:
        parsed = orjson.loads(text.encode("utf-8", "replace"))
    except orjson.JSONDecodeError:
        raise SqlError("bad json", **facts) from None
    if column.type == "json" and dialect != MYSQL:
        return text
    return _json_text(parsed)


def _json_text(value: Any) -> str:
    """As jsonb and MySQL show it: a space behind colons and commas, keys by length and name."""
    if isinstance(value, dict):
        items = sorted(value.items(), key=lambda item: (len(item[0]), item[0]))
        return "{" + ", ".join(f"{_json_text(name)}: {_json_text(each)}" for name, each in items) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_json_text(each) for each in value) + "]"
    return orjson.dumps(value).decode()


# --- files ------------------------------------------------------------------------------------------------------


def kept(value: Value) -> Any:
    """As a file keeps it."""
    if isinstance(value, Decimal):
        return f"{value:f}"
    return value.isoformat() if isinstance(value, date) else value


def restored(value: Any, column: Column) -> Value:
    """What `kept` made of a value of the column."""
    if not isinstance(value, str):
        return float(value) if column.type in ("double", "float") and value is not None else value
    if column.type == "decimal":
        return Decimal(value)
    if column.type == "date":
        return date.fromisoformat(value)
    return datetime.fromisoformat(value) if column.type in ("datetime", "timestamptz") else value
