"""What a server says about itself: SHOW and DESCRIBE, system tables, and the answers behind psql's backslashes."""

import re
from collections.abc import Callable, Sequence
from typing import Any

from cluster.runtime.live.servers.sql.errors import MYSQL, SqlError
from cluster.runtime.live.servers.sql.expressions import matches_like
from cluster.runtime.live.servers.sql.functions import variables
from cluster.runtime.live.servers.sql.results import Result
from cluster.runtime.live.servers.sql.scope import World
from cluster.runtime.live.servers.sql.store import BUILT_IN, Store, Table
from cluster.runtime.live.servers.sql.values import Column, Value, text_of
from cluster.runtime.programs.databases import major_of

Find = Callable[[str, str], Table]
TEMPLATES = ("template0", "template1")
ENGINE = "ENGINE=InnoDB{auto} DEFAULT CHARSET=utf8mb4 COLLATE={collation}"


# --- MySQL ------------------------------------------------------------------------------------------------------


def show(node: Any, store: Store, world: World, visible: Sequence[str], find: Find) -> Result:
    """SHOW … of MySQL. `visible`: the databases that this user sees. Errors: SqlError."""
    what = str(node.this).upper()
    like = node.args["like"].name if node.args.get("like") is not None else "%"
    database = node.args["db"].name if node.args.get("db") is not None else world.database
    if what in ("DATABASES", "SCHEMAS"):
        heading = "Database" if like == "%" else f"Database ({like})"
        return _filtered([heading], [[name] for name in visible], like)
    if what == "TABLES":
        return _tables(store, database, like, bool(node.args.get("full")))
    if what in ("COLUMNS", "INDEX"):
        named = node.args["target"]
        table = find(database if node.args.get("db") is not None else "", named.name)
        return describe(table) if what == "COLUMNS" else _indexes(table)
    if what == "CREATE TABLE":
        table = find("", node.args["target"].name)
        return Result(columns=["Table", "Create Table"], rows=[[table.name, create_text(table, world)]])
    if what in ("VARIABLES", "GLOBAL VARIABLES"):
        rows = [[name, {1: "ON", 0: "OFF"}.get(value, value) if name in ("autocommit", "read_only") else value]
                for name, value in variables(world).items()]  # fmt: skip
        return _filtered(["Variable_name", "Value"], rows, like)
    if what in ("STATUS", "GLOBAL STATUS"):
        return _filtered(["Variable_name", "Value"], [["Threads_connected", 1], ["Threads_running", 2]], like)
    if what == "PROCESSLIST":
        user, _, host = world.user.partition("@")
        names = ["Id", "User", "Host", "db", "Command", "Time", "State", "Info"]
        return Result(columns=names, rows=[[8, user, host, database or None, "Query", 0, "init", "show processlist"]])
    if what in ("WARNINGS", "ERRORS"):
        return Result(columns=["Level", "Code", "Message"], rows=[])
    raise SqlError("unsupported", what=f"SHOW {what}")


def _filtered(columns: list[str], rows: list[list[Value]], like: str) -> Result:
    return Result(columns=columns, rows=[row for row in rows if matches_like(str(row[0]), like)])


def _tables(store: Store, database: str, like: str, full: bool) -> Result:
    if not database:
        raise SqlError("none selected")
    if not store.has_database(database):
        raise SqlError("no database", database=database)
    heading = f"Tables_in_{database}" + (f" ({like})" if like != "%" else "")
    names = [name for name in store.tables(database) if matches_like(name, like)]
    if full:
        return Result(columns=[heading, "Table_type"], rows=[[name, "BASE TABLE"] for name in names])
    return Result(columns=[heading], rows=[[name] for name in names])


def describe(table: Table) -> Result:
    rows: list[list[Value]] = []
    for column in table.columns:
        generated = column.default is not None and "CURRENT" in column.default.upper()
        extra = "auto_increment" if column.auto else "DEFAULT_GENERATED" if generated else ""
        nullable = "YES" if column.nullable else "NO"
        rows.append([column.name, column.shown, nullable, _key_of(table, column), _shown_default(column), extra])
    return Result(columns=["Field", "Type", "Null", "Key", "Default", "Extra"], rows=rows)


def _key_of(table: Table, column: Column) -> str:
    for key in table.keys:
        if key.primary and column.name in key.columns:
            return "PRI"
    for key in table.keys:
        if key.columns[0] == column.name:
            return "UNI" if key.unique and len(key.columns) == 1 else "MUL"
    return "MUL" if any(one.columns[0] == column.name for one in table.foreign) else ""


def _shown_default(column: Column) -> str | None:
    if column.default is None:
        return None
    if "CURRENT_TIMESTAMP" in column.default.upper():
        return "CURRENT_TIMESTAMP"
    text = column.default
    return text[1:-1].replace("''", "'") if text[:1] == "'" else {"TRUE": "1", "FALSE": "0"}.get(text.upper(), text)


def _indexes(table: Table) -> Result:
    names = ["Table", "Non_unique", "Key_name", "Seq_in_index", "Column_name", "Null", "Index_type"]
    rows: list[list[Value]] = [
        [table.name, int(not key.unique), key.name, n, name, "" if key.primary else "YES", "BTREE"]
        for key in table.keys
        for n, name in enumerate(key.columns, 1)
    ]
    return Result(columns=names, rows=rows)


def create_text(table: Table, world: World) -> str:
    """The statement that makes the table, as SHOW CREATE TABLE and mysqldump write it."""
    lines = []
    for column in table.columns:
        line = f"  `{column.name}` {column.shown}"
        line += "" if column.nullable else " NOT NULL"
        if column.auto:
            line += " AUTO_INCREMENT"
        elif column.default is not None:
            shown = _shown_default(column)
            line += f" DEFAULT {shown}" if shown == "CURRENT_TIMESTAMP" else f" DEFAULT '{shown}'"
        elif column.nullable and column.type not in ("text", "blob", "json"):
            line += " DEFAULT NULL"
        lines.append(line)
    for key in table.keys:
        columns = ",".join(f"`{name}`" for name in key.columns)
        kind = "PRIMARY KEY" if key.primary else f"{'UNIQUE ' if key.unique else ''}KEY `{key.name}`"
        lines.append(f"  {kind} ({columns})")
    for foreign in table.foreign:
        columns, others = (",".join(f"`{name}`" for name in names) for names in (foreign.columns, foreign.others))
        action = f" ON DELETE {foreign.on_delete.upper()}" if foreign.on_delete else ""
        lines.append(
            f"  CONSTRAINT `{foreign.name}` FOREIGN KEY ({columns}) REFERENCES `{foreign.table}` ({others}){action}"
        )
    lines += [f"  CONSTRAINT `{name}` CHECK ({text})" for name, text in table.checks.items()]
    auto = f" AUTO_INCREMENT={table.next}" if table.next > 1 and any(one.auto for one in table.columns) else ""
    ending = ENGINE.format(auto=auto, collation=variables(world)["collation_server"])
    return f"CREATE TABLE `{table.name}` (\n" + ",\n".join(lines) + f"\n) {ending}"


# --- system tables ----------------------------------------------------------------------------------------------


def system_table(database: str, name: str, store: Store, world: World) -> Table | None:
    """A table of mysql, information_schema or pg_catalog; None: there is none of that name."""
    known = _MYSQL_TABLES if world.dialect == MYSQL else _POSTGRES_TABLES
    maker = known.get((database.lower(), name.lower()))
    if maker is None:
        return None
    names, rows = maker(store, world)
    return Table(name, [Column(one, "text", "text") for one in names], rows=rows)


Made = tuple[list[str], list[list[Value]]]


def _mysql_users(store: Store, world: World) -> Made:
    rows: list[list[Value]] = []
    for account in store.users():
        user, _, host = account.rpartition("@")
        rows.append([host, user, "caching_sha2_password"])
    return ["Host", "User", "plugin"], rows


def _information_tables(store: Store, world: World) -> Made:
    databases = store.databases() if world.dialect == MYSQL else [world.database]
    rows: list[list[Value]] = []
    for database in databases:
        for name in store.tables(database):
            table = store.table(database, name)
            schema = database if world.dialect == MYSQL else "public"
            catalog = "def" if world.dialect == MYSQL else database
            rows.append([catalog, schema, name, "BASE TABLE", len(table.rows) if table else 0])
    return ["table_catalog", "table_schema", "table_name", "table_type", "table_rows"], rows


def _information_columns(store: Store, world: World) -> Made:
    rows: list[list[Value]] = []
    for database in store.databases() if world.dialect == MYSQL else [world.database]:
        for name in store.tables(database):
            table = store.table(database, name)
            for n, one in enumerate(table.columns if table else (), 1):
                schema = database if world.dialect == MYSQL else "public"
                rows.append(
                    [schema, name, one.name, n, _shown_default(one), "YES" if one.nullable else "NO", one.shown]
                )
    names = [
        "table_schema",
        "table_name",
        "column_name",
        "ordinal_position",
        "column_default",
        "is_nullable",
        "data_type",
    ]
    return names, rows


def _information_schemata(store: Store, world: World) -> Made:
    names = sorted([*BUILT_IN, *store.databases()]) if world.dialect == MYSQL else ["public", "information_schema"]
    return ["schema_name"], [[name] for name in names]


def _pg_databases(store: Store, world: World) -> Made:
    rows: list[list[Value]] = [[name, store.owner(name), False, True] for name in store.databases()]
    rows += [[name, "postgres", True, name != "template0"] for name in TEMPLATES]
    return ["datname", "datdba", "datistemplate", "datallowconn"], rows


def _pg_tables(store: Store, world: World) -> Made:
    rows: list[list[Value]] = []
    for name in store.tables(world.database):
        table = store.table(world.database, name)
        rows.append(["public", name, table.owner if table else "", None])
    return ["schemaname", "tablename", "tableowner", "tablespace"], rows


def _pg_roles(store: Store, world: World) -> Made:
    rows: list[list[Value]] = [
        [
            name,
            bool(one.get("super")),
            True,
            bool(one.get("createdb") or one.get("super")),
            bool(one.get("login", True)),
        ]
        for name, one in store.users().items()
    ]
    return ["rolname", "rolsuper", "rolinherit", "rolcreatedb", "rolcanlogin"], rows


def _pg_users(store: Store, world: World) -> Made:
    return ["usename", "usesuper"], [[name, bool(one.get("super"))] for name, one in store.users().items()]


_INFORMATION = {
    ("information_schema", "tables"): _information_tables,
    ("information_schema", "columns"): _information_columns,
    ("information_schema", "schemata"): _information_schemata,
}
_MYSQL_TABLES: dict[tuple[str, str], Callable[[Store, World], Made]] = {("mysql", "user"): _mysql_users, **_INFORMATION}
_POSTGRES_TABLES: dict[tuple[str, str], Callable[[Store, World], Made]] = dict(_INFORMATION)
for _name, _maker in (("pg_database", _pg_databases), ("pg_tables", _pg_tables), ("pg_roles", _pg_roles),
                      ("pg_user", _pg_users)):  # fmt: skip
    _POSTGRES_TABLES["", _name] = _POSTGRES_TABLES["pg_catalog", _name] = _maker


# --- psql's backslashes -----------------------------------------------------------------------------------------


def meta(command: str, argument: str, store: Store, world: World) -> list[Result]:
    """\\l, \\d, \\dt, \\d NAME, \\du, \\dn. Errors: SqlError, with psql's own words as `said`."""
    bare, pattern = command.rstrip("+"), argument.strip('"')
    if bare in ("l", "list"):
        return [_databases(store, world)]
    if bare == "dump":
        return [Result(after=dump_text(store, world, pattern))]
    if bare in ("du", "dg"):
        return [_roles(store)]
    if bare == "dn":
        return [Result(columns=["Name", "Owner"], rows=[["public", "pg_database_owner"]], said="List of schemas")]
    if bare == "d" and pattern:
        names = [name for name in store.tables(world.database) if _matches(name, pattern)]
        found = [store.table(world.database, name) for name in names]
        return [_table_text(table, store, world) for table in found if table is not None] or [
            Result(after=f'Did not find any relation named "{pattern}".')
        ]
    if bare in ("d", "dt", "di", "ds"):
        return [_relations(bare, pattern, store, world)]
    raise SqlError("unsupported", what=f"\\{command}")


def _matches(name: str, pattern: str) -> bool:
    pattern = pattern.rpartition(".")[2].lower()
    return re.fullmatch(re.escape(pattern).replace(r"\*", ".*").replace(r"\?", "."), name) is not None


def _relations(kind: str, pattern: str, store: Store, world: World) -> Result:
    rows: list[list[Value]] = []
    for name in store.tables(world.database):
        table = store.table(world.database, name)
        if table is None or (pattern and not _matches(name, pattern)):
            continue
        if kind in ("d", "dt"):
            rows.append(["public", name, "table", table.owner])
        if kind in ("d", "ds"):
            rows += [["public", one.sequence, "sequence", table.owner] for one in table.columns if one.sequence]
        if kind == "di":
            rows += [["public", key.name, "index", table.owner, name] for key in table.keys]
    if not rows:
        what = {"d": "relations", "dt": "tables", "di": "indexes", "ds": "sequences"}[kind]
        what = "relations" if major_of(world.version) < 18 else what
        named = f'Did not find any {what[:-1] if what != "indexes" else "index"} named "{pattern}".'
        return Result(after=named if pattern else f"Did not find any {what}.")
    names = ["Schema", "Name", "Type", "Owner", *(["Table"] if kind == "di" else [])]
    new = major_of(world.version) >= 18
    titles = {"dt": "List of tables", "di": "List of indexes", "ds": "List of sequences"}
    return Result(columns=names, rows=sorted(rows, key=lambda row: row[1]),
                  said=titles.get(kind, "List of relations") if new else "List of relations")  # fmt: skip


def _databases(store: Store, world: World) -> Result:
    heads, values = _locales(major_of(world.version))
    rows: list[list[Value]] = []
    for name in sorted([*store.databases(), *TEMPLATES]):
        rights = "=c/postgres\npostgres=CTc/postgres" if name in TEMPLATES else ""
        rows.append([name, store.owner(name), *values, rights])
    return Result(columns=["Name", "Owner", *heads, "Access privileges"], rows=rows, said="List of databases")


def _locales(major: int) -> tuple[list[str], list[Value]]:
    """(headings, values) of \\l's columns about text, which have changed from version to version."""
    text = "en_US.utf8"
    if major >= 16:
        last = "Locale" if major > 16 else "ICU Locale"
        heads = ["Encoding", "Locale Provider", "Collate", "Ctype", last, "ICU Rules"]
        return heads, ["UTF8", "libc", text, text, None, None]
    if major == 15:
        return ["Encoding", "Collate", "Ctype", "ICU Locale", "Locale Provider"], ["UTF8", text, text, None, "libc"]
    return ["Encoding", "Collate", "Ctype"], ["UTF8", text, text]


def _roles(store: Store) -> Result:
    rows: list[list[Value]] = []
    for name, one in sorted(store.users().items()):
        words = ["Superuser", "Create role", "Create DB", "Replication", "Bypass RLS"] if one.get("super") else []
        words += [] if one.get("super") else ["Create DB"] * bool(one.get("createdb"))
        words += [] if one.get("login", True) else ["Cannot login"]
        rows.append([name, ", ".join(words)])
    return Result(columns=["Role name", "Attributes"], rows=rows, said="List of roles")


def _table_text(table: Table, store: Store, world: World) -> Result:
    rows: list[list[Value]] = []
    for one in table.columns:
        default = f"nextval('{one.sequence}'::regclass)" if one.sequence else _postgres_default(one)
        rows.append([one.name, one.shown, "", "" if one.nullable else "not null", default])
    lines = []
    if table.keys:
        lines.append("Indexes:")
        for key in table.keys:
            kind = "PRIMARY KEY, " if key.primary else "UNIQUE CONSTRAINT, " if key.unique else ""
            lines.append(f'    "{key.name}" {kind}btree ({", ".join(key.columns)})')
    if table.checks:
        lines.append("Check constraints:")
        lines += [f'    "{name}" CHECK ({text})' for name, text in table.checks.items()]
    if table.foreign:
        lines.append("Foreign-key constraints:")
        lines += [f'    "{one.name}" {_foreign_text(one)}' for one in table.foreign]
    referring = []
    for name in store.tables(world.database):
        other = store.table(world.database, name)
        for one_ in other.foreign if other is not None else ():
            if one_.table == table.name:
                referring.append(f'    TABLE "{name}" CONSTRAINT "{one_.name}" {_foreign_text(one_)}')
    lines += ["Referenced by:", *referring] if referring else []
    return Result(columns=["Column", "Type", "Collation", "Nullable", "Default"], rows=rows,
                  said=f'Table "public.{table.name}"', after="\n".join(lines), tag="\\d")  # fmt: skip


def dump_text(store: Store, world: World, wanted: str = "") -> str:
    """What pg_dump writes of a database: definitions, rows as COPY, then keys."""
    before, rows, after = list[str](), list[str](), list[str]()
    for name in store.tables(world.database):
        table = store.table(world.database, name)
        if table is None or (wanted and name != wanted):
            continue
        columns = []
        for one in table.columns:
            kind = (
                {"int": "serial", "bigint": "bigserial", "smallint": "smallserial"}[one.type]
                if one.sequence
                else one.shown
            )
            default = _postgres_default(one)
            columns.append(f"    {one.name} {kind}" + (f" DEFAULT {default}" if default else "")
                           + ("" if one.nullable else " NOT NULL"))  # fmt: skip
        columns += [f"    CONSTRAINT {each} CHECK ({text})" for each, text in table.checks.items()]
        before.append(f"CREATE TABLE {name} (\n" + ",\n".join(columns) + "\n);\n")
        names = ", ".join(one.name for one in table.columns)
        lines = ["\t".join(_copied(value, world) for value in row) for row in table.rows]
        rows.append("\n".join([f"COPY {name} ({names}) FROM stdin;", *lines, "\\.\n"]))
        for key in table.keys:
            kind = "PRIMARY KEY" if key.primary else "UNIQUE"
            columns_ = ", ".join(key.columns)
            after.append(f"ALTER TABLE {name} ADD CONSTRAINT {key.name} {kind} ({columns_});\n" if key.unique
                         else f"CREATE INDEX {key.name} ON {name} ({columns_});\n")  # fmt: skip
        after += [f"ALTER TABLE {name} ADD CONSTRAINT {one.name} {_foreign_text(one)};\n" for one in table.foreign]
    return "\n".join([*before, *rows, *sorted(after, key=lambda line: "FOREIGN KEY" in line)])


def _copied(value: Value, world: World) -> str:
    text = text_of(value, world.dialect)
    if text is None:
        return "\\N"
    return text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n")


def _foreign_text(foreign: Any) -> str:
    action = f" ON DELETE {foreign.on_delete.upper()}" if foreign.on_delete else ""
    return f"FOREIGN KEY ({', '.join(foreign.columns)}) REFERENCES {foreign.table}({', '.join(foreign.others)}){action}"


def _postgres_default(column: Column) -> str:
    if column.default is None:
        return ""
    if column.default.startswith("'"):
        return f"{column.default}::{column.shown.partition('(')[0]}"
    text = column.default
    return {"CURRENT_TIMESTAMP": "now()", "TRUE": "true", "FALSE": "false"}.get(text.upper(), text)
