"""Columns out of the types that somebody wrote."""

from typing import Any

from sqlglot import exp

from cluster.runtime.live.servers.sql.errors import MYSQL, SqlError
from cluster.runtime.live.servers.sql.values import POSTGRES_NAMES, Column

TYPES = {
    "TINYINT": "tinyint", "UTINYINT": "tinyint", "SMALLINT": "smallint", "USMALLINT": "smallint", "INT": "int",
    "MEDIUMINT": "mediumint", "UMEDIUMINT": "mediumint", "UINT": "int", "BIGINT": "bigint", "UBIGINT": "bigint",
    "SERIAL": "int", "BIGSERIAL": "bigint", "SMALLSERIAL": "smallint", "FLOAT": "float", "DOUBLE": "double",
    "DECIMAL": "decimal", "UDECIMAL": "decimal", "UDOUBLE": "double", "BOOLEAN": "boolean", "CHAR": "char",
    "NCHAR": "char", "VARCHAR": "varchar", "NVARCHAR": "varchar", "TEXT": "text", "TINYTEXT": "text",
    "MEDIUMTEXT": "text", "LONGTEXT": "text", "BLOB": "blob", "TINYBLOB": "blob", "MEDIUMBLOB": "blob",
    "LONGBLOB": "blob", "VARBINARY": "blob", "BINARY": "blob", "DATE": "date", "DATETIME": "datetime",
    "TIMESTAMP": "datetime", "TIMESTAMPTZ": "timestamptz", "TIMESTAMPNTZ": "datetime", "TIME": "time", "JSON": "json",
    "JSONB": "jsonb", "UUID": "uuid", "ENUM": "enum", "INET": "inet", "YEAR": "smallint",
}  # fmt: skip


def column_of(name: str, kind: Any, dialect: str) -> Column:
    """A column of a type as somebody wrote it. Errors: SqlError."""
    written = kind.this.name if isinstance(kind.this, exp.DataType.Type) else str(kind.this)
    found = TYPES.get(written)
    if found is None or kind.args.get("nested"):
        raise SqlError("unsupported", what=f"type {kind.sql(dialect)}")
    params = [one.this for one in kind.expressions if isinstance(one, exp.DataTypeParam)]
    size = [int(one.name) for one in params if one.name.isdigit() and len(one.name) < 9]
    column = Column(name, found, "", size, unsigned=written.startswith("U") and found != "uuid")
    if found == "enum":
        column.choices = [one.name for one in kind.expressions]
    column.auto = "SERIAL" in written
    column.nullable = not column.auto
    if dialect == MYSQL:
        _mysql_shown(column, written)
    else:
        limits = f"({','.join(map(str, size))})" if size and found in ("varchar", "char", "decimal") else ""
        column.shown = _postgres_shown(found) + limits
        if found == "char" and not size:
            column.size, column.shown = [1], "character(1)"
    return column


def _postgres_shown(found: str) -> str:
    from_ours = {"tinyint": "smallint", "mediumint": "integer", "enum": "text"}
    return from_ours.get(found) or POSTGRES_NAMES[found]


def _mysql_shown(column: Column, written: str) -> None:
    found = column.type
    if found == "boolean":
        column.type, column.shown = "tinyint", "tinyint(1)"
    elif found == "enum":
        column.shown = "enum(" + ",".join(f"'{one}'" for one in column.choices) + ")"
    elif written in ("TIMESTAMPTZ", "TIMESTAMP"):
        column.type, column.shown = "datetime", "timestamp"
    elif found == "decimal":
        column.size = [*column.size, *[10, 0][len(column.size) :]]
        column.shown = f"decimal({column.size[0]},{column.size[1]})"
    elif found in ("varchar", "char"):
        column.size = column.size or [1]
        column.shown = f"{found}({column.size[0]})"
    elif found in ("text", "blob"):
        column.shown = written.lower()
    else:
        column.shown = {"datetime": "datetime", "double": "double"}.get(found, found)
        column.size = column.size if found in ("datetime",) else []
        if column.size:
            column.shown += f"({column.size[0]})"
    if column.unsigned:
        column.shown += " unsigned"
