"""CREATE, ALTER, DROP of tables and indexes.

Left out: CREATE TABLE … SELECT's column types beyond what values show, generated columns, partitions, temporary tables.
"""

from typing import Any

from sqlglot import exp

from cluster.runtime.live.servers.sql.changes import Changes
from cluster.runtime.live.servers.sql.columns import column_of
from cluster.runtime.live.servers.sql.errors import MYSQL, SqlError
from cluster.runtime.live.servers.sql.parsing import expression
from cluster.runtime.live.servers.sql.results import Result
from cluster.runtime.live.servers.sql.scope import evaluate
from cluster.runtime.live.servers.sql.store import Foreign, Key, Table
from cluster.runtime.live.servers.sql.values import INTEGERS, Column, fitted, kind_of

SAMPLES = {
    "integer": ("int", "integer"), "bigint": ("bigint", "bigint"), "numeric": ("decimal", "numeric"),
    "double precision": ("double", "double precision"), "boolean": ("boolean", "boolean"), "date": ("date", "date"),
    "timestamp without time zone": ("datetime", "timestamp without time zone"),
    "timestamp with time zone": ("timestamptz", "timestamp with time zone"),
}  # fmt: skip


class Definitions:
    """Errors of all: SqlError."""

    def __init__(self, changes: Changes, user: str) -> None:
        self.changes, self.store, self.world, self.user = changes, changes.store, changes.world, user
        self.dialect = changes.dialect

    def _named(self, node: Any) -> tuple[str, str]:
        """(database, table) of a table to be."""
        database = (node.db if self.dialect == MYSQL else "") or self.changes.database
        if not database:
            raise SqlError("none selected")
        if not self.store.has_database(database):
            raise SqlError("no database", database=database)
        return database, node.name

    # --- create ---------------------------------------------------------------------------------------------

    def create(self, node: exp.Create) -> Result:
        kind = str(node.args.get("kind")).upper()
        if kind == "INDEX":
            return self._create_index(node)
        if kind != "TABLE":
            raise SqlError("unsupported", what=f"CREATE {kind}")
        schema = node.this
        target = schema.this if isinstance(schema, exp.Schema) else schema
        database, name = self._named(target)
        if self.store.table(database, name) is not None:
            if node.args.get("exists"):
                text = f'relation "{name}" already exists, skipping'
                return Result(tag="CREATE TABLE", notices=(text,))
            raise SqlError("table exists", table=name)
        table = Table(name, [], owner=self.user)
        properties = node.args.get("properties")
        like = next(
            (one for one in (properties.expressions if properties else ()) if isinstance(one, exp.LikeProperty)), None
        )
        if like is not None:
            table = self.changes.table(like.this)[1]
            table.name, table.rows, table.next, table.foreign = name, [], 1, []
        if isinstance(schema, exp.Schema):
            self._fill(table, schema.expressions, database)
        tag, rows = "CREATE TABLE", 0
        if node.expression is not None:
            names, values = self.changes.queries.run(node.expression)
            table.columns += [self._sampled(each, [row[n] for row in values]) for n, each in enumerate(names)]
            table.rows, rows, tag = values, len(values), f"SELECT {len(values)}"
        if not table.columns and self.dialect == MYSQL:
            raise SqlError("syntax", near=")", line=1, token='or near ")"')
        self.store.put(database, table)
        return Result(tag=tag, affected=rows)

    def _sampled(self, name: str, values: list[Any]) -> Column:
        kind = next((kind_of(value) for value in values if value is not None), "text")
        type_, shown = SAMPLES.get(kind, ("text", "text"))
        if self.dialect == MYSQL:
            shown = {"int": "int", "bigint": "bigint", "decimal": "decimal(38,4)", "double": "double"}.get(type_, type_)
        return Column(name, type_, shown, [38, 4] if shown.startswith("decimal") else [])

    def _fill(self, table: Table, nodes: list[Any], database: str) -> None:
        for node in nodes:
            if isinstance(node, exp.ColumnDef):
                self.add_column(table, node, database)
        for node in nodes:
            if not isinstance(node, exp.ColumnDef):
                self.add_constraint(table, node, database)
        autos = [column for column in table.columns if column.auto]
        if self.dialect == MYSQL and autos:
            firsts = [key.columns[0].lower() for key in table.keys]
            if len(autos) > 1 or autos[0].name.lower() not in firsts:
                raise SqlError("auto key")

    def add_column(self, table: Table, node: exp.ColumnDef, database: str, place: int | None = None) -> Column:
        if table.place(node.name) is not None:
            raise SqlError("same column", column=node.name, table=table.name)
        column = self._column(table, node)
        table.columns.insert(len(table.columns) if place is None else place, column)
        for one in node.args.get("constraints") or ():
            self._column_constraint(table, column, one.kind, database)
        if column.auto and self.dialect != MYSQL:
            column.sequence = f"{table.name}_{column.name}_seq"
        return column

    def _column(self, table: Table, node: exp.ColumnDef) -> Column:
        if node.args.get("kind") is None:
            raise SqlError("syntax", near=node.sql(), line=1, token=f'or near "{node.name}"')
        return column_of(node.name, node.args["kind"], self.dialect)

    def _column_constraint(self, table: Table, column: Column, kind: Any, database: str) -> None:
        if isinstance(kind, exp.PrimaryKeyColumnConstraint):
            self._primary(table, [column.name])
        elif isinstance(kind, exp.UniqueColumnConstraint):
            self._unique(table, [column.name], "")
        elif isinstance(kind, exp.NotNullColumnConstraint):
            column.nullable = bool(kind.args.get("allow_null"))
        elif isinstance(kind, exp.DefaultColumnConstraint):
            column.default = None if isinstance(kind.this, exp.Null) else kind.this.sql(self.dialect)
            if column.default is not None:
                value = evaluate(expression(column.default, self.dialect), None, self.world)
                fitted(value, column, self.dialect, table.name)
        elif isinstance(kind, exp.AutoIncrementColumnConstraint | exp.GeneratedAsIdentityColumnConstraint):
            if column.type not in INTEGERS:
                raise SqlError("syntax", near="auto_increment", line=1, token=f'or near "{column.name}"')
            column.auto, column.nullable = True, False
        elif isinstance(kind, exp.CheckColumnConstraint):
            table.checks[self._check_name(table, column.name)] = kind.this.sql(self.dialect)
        elif isinstance(kind, exp.Reference):
            if self.world.version.startswith(("8.", "5.")):
                return  # MySQL has read that and forgotten it until version 9.
            self._foreign(table, "", [column.name], kind, database)
        elif not isinstance(kind, exp.CommentColumnConstraint | exp.CharacterSetColumnConstraint
                            | exp.CollateColumnConstraint | exp.OnUpdateColumnConstraint):  # fmt: skip
            raise SqlError("unsupported", what=kind.sql(self.dialect)[:60])

    def add_constraint(self, table: Table, node: Any, database: str, name: str = "") -> None:
        if isinstance(node, exp.Constraint):
            for one in node.expressions:
                self.add_constraint(table, one, database, node.name)
        elif isinstance(node, exp.PrimaryKey):
            self._primary(table, _columns(node.expressions))
        elif isinstance(node, exp.UniqueColumnConstraint):
            inner = node.this
            own = inner.this.name if isinstance(inner, exp.Schema) and inner.this is not None else ""
            self._unique(table, _columns(inner.expressions), name or own)
        elif isinstance(node, exp.IndexColumnConstraint):
            columns = _columns(node.expressions)
            self._known_columns(table, columns)
            table.keys.append(Key(node.name or self._key_name(table, columns), columns, unique=False))
        elif isinstance(node, exp.ForeignKey):
            columns, reference = _columns(node.expressions), node.args["reference"]
            delete = "ON DELETE " + node.args["delete"] if node.args.get("delete") else ""
            self._foreign(table, name, columns, reference, database, delete)
        elif isinstance(node, exp.CheckColumnConstraint | exp.Check):
            table.checks[name or self._check_name(table, "")] = node.this.sql(self.dialect)
        else:
            raise SqlError("unsupported", what=node.sql(self.dialect)[:60])

    def _known_columns(self, table: Table, columns: list[str]) -> None:
        for name in columns:
            if table.place(name) is None:
                raise SqlError("no such key", column=name)

    def _primary(self, table: Table, columns: list[str]) -> None:
        if table.primary is not None:
            raise SqlError("many keys", table=table.name)
        self._known_columns(table, columns)
        for name in columns:
            table.columns[table.place(name) or 0].nullable = False
        name = "PRIMARY" if self.dialect == MYSQL else f"{table.name}_pkey"
        table.keys.insert(0, Key(name, columns, primary=True))

    def _unique(self, table: Table, columns: list[str], name: str) -> None:
        self._known_columns(table, columns)
        name = name or self._key_name(table, columns)
        if any(key.name == name for key in table.keys):
            raise SqlError("index exists", index=name)
        table.keys.append(Key(name, columns))

    def _key_name(self, table: Table, columns: list[str], ending: str = "key") -> str:
        base = columns[0] if self.dialect == MYSQL else f"{table.name}_{'_'.join(columns)}_{ending}"
        taken = {key.name for key in table.keys}
        tries = (
            base,
            *(f"{base}{'_' if self.dialect == MYSQL else ''}{n}" for n in range(2 if self.dialect == MYSQL else 1, 99)),
        )
        return next(name for name in tries if name not in taken)

    def _check_name(self, table: Table, column: str) -> str:
        if self.dialect == MYSQL:
            return f"{table.name}_chk_{len(table.checks) + 1}"
        base = f"{table.name}_{column}_check" if column else f"{table.name}_check"
        return base if base not in table.checks else f"{base}{len(table.checks)}"

    def _foreign(
        self, table: Table, name: str, columns: list[str], reference: exp.Reference, database: str, actions: str = ""
    ) -> None:
        schema = reference.this
        other_name = schema.this.name if isinstance(schema, exp.Schema) else schema.name
        other = table if other_name == table.name else self.store.table(database, other_name)
        if other is None:
            raise SqlError("no other", table=other_name)
        self._known_columns(table, columns)
        others = _columns(schema.expressions) if isinstance(schema, exp.Schema) else []
        others = others or (other.primary.columns if other.primary is not None else [])
        name = name or (
            f"{table.name}_ibfk_{len(table.foreign) + 1}"
            if self.dialect == MYSQL
            else f"{table.name}_{'_'.join(columns)}_fkey"
        )
        wanted = [one.lower() for one in others]
        if not any(key.unique and [one.lower() for one in key.columns] == wanted for key in other.keys):
            raise SqlError("no unique", other=other_name, constraint=name)
        said = " ".join([actions, *map(str, reference.args.get("options") or ())]).upper()
        action = "cascade" if "DELETE CASCADE" in said else "set null" if "DELETE SET NULL" in said else ""
        table.foreign.append(Foreign(name, columns, other_name, others, action))

    def _create_index(self, node: exp.Create) -> Result:
        index = node.this
        database, table = self.changes.table(index.args["table"])
        ordered = index.args["params"].args.get("columns") or []
        columns = [one.this.name for one in ordered]
        self._known_columns(table, columns)
        name = index.name or self._key_name(table, columns, "idx")
        if any(key.name == name for key in table.keys):
            raise SqlError("index exists", index=name)
        key = Key(name, columns, unique=bool(node.args.get("unique")))
        table.keys.append(key)
        self._check_unique(table, key)
        self.store.put(database, table)
        return Result(tag="CREATE INDEX")

    def _check_unique(self, table: Table, key: Key) -> None:
        rows, table.rows = table.rows, []
        indexes: dict[str, dict[Any, int]] = {one.name: {} for one in table.keys if one.unique}
        for row in rows if key.unique else ():
            if (clash := self.changes.clash(table, row, indexes)) is not None:
                raise self.changes.duplicate(table, clash[0], row)
            self.changes.remember(table, row, indexes)
        table.rows = rows

    # --- drop -----------------------------------------------------------------------------------------------

    def drop(self, node: exp.Drop) -> Result:
        kind, exists = str(node.args.get("kind")).upper(), bool(node.args.get("exists"))
        if kind == "INDEX":
            return self._drop_index(node, exists)
        if kind != "TABLE":
            raise SqlError("unsupported", what=f"DROP {kind}")
        targets = node.args.get("tables") or [node.this]
        notices = []
        for one in targets:
            database, name = self._named(one)
            table = self.store.table(database, name)
            if table is None and exists:
                notices.append(f'table "{name}" does not exist, skipping')
                continue
            if table is None:
                raise SqlError("no table to drop", table=name, database=database)
            dropped = [each.name for each in targets]
            for other, foreign in list(self.changes.referring(database, table)):
                if other not in dropped and not node.args.get("cascade"):
                    raise SqlError("referenced", other=name, table=other, constraint=foreign.name)
                if other not in dropped and (found := self.store.table(database, other)) is not None:
                    found.foreign = [each for each in found.foreign if each.table != name]
                    self.store.put(database, found)
            self.store.drop(database, name)
        return Result(tag="DROP TABLE", notices=tuple(notices))

    def _drop_index(self, node: exp.Drop, exists: bool) -> Result:
        target = (node.args.get("tables") or [node.this])[0]
        wanted = target.name
        database = self.changes.database
        for name in self.store.tables(database) if database else ():
            table = self.store.table(database, name)
            if table is not None and any(key.name == wanted for key in table.keys):
                table.keys = [key for key in table.keys if key.name != wanted]
                self.store.put(database, table)
                return Result(tag="DROP INDEX")
        if exists:
            return Result(tag="DROP INDEX", notices=(f'index "{wanted}" does not exist, skipping',))
        raise SqlError("no index", index=wanted)

    # --- alter ----------------------------------------------------------------------------------------------

    def alter(self, node: exp.Alter) -> Result:
        if str(node.args.get("kind")).upper() != "TABLE":
            raise SqlError("unsupported", what=f"ALTER {node.args.get('kind')}")
        database, table = self.changes.table(node.this)
        renamed = ""
        for action in node.args.get("actions") or ():
            if isinstance(action, exp.AlterRename):
                renamed = action.this.name
                if self.store.table(database, renamed) is not None:
                    raise SqlError("table exists", table=renamed)
            else:
                self._altered(database, table, action)
        self.store.put(database, table)
        if renamed:
            self.store.rename(database, table, renamed)
        return Result(tag="ALTER TABLE", info="Records: 0  Duplicates: 0  Warnings: 0")

    def _altered(self, database: str, table: Table, action: Any) -> None:
        if isinstance(action, exp.ColumnDef):
            if action.args.get("exists") and table.place(action.name) is not None:
                return
            self._add(database, table, action)
        elif isinstance(action, exp.Drop):
            self._drop_column(
                table, (action.args.get("tables") or [action.this])[0].name, bool(action.args.get("exists"))
            )
        elif isinstance(action, exp.AddConstraint):
            for one in action.expressions:
                self.add_constraint(table, one, database)
            for key in table.keys:
                self._check_unique(table, key)
            for row in table.rows:
                self.changes.check_row(database, table, row)
        elif isinstance(action, exp.RenameColumn):
            self._rename(table, action.this.name, action.args["to"].name)
        elif isinstance(action, exp.ModifyColumn):
            self._modify(table, action, database)
        elif isinstance(action, exp.AlterColumn):
            self._alter_column(table, action)
        else:
            raise SqlError("unsupported", what=f"ALTER TABLE {action.sql(self.dialect)}"[:80])

    def _add(self, database: str, table: Table, action: exp.ColumnDef) -> None:
        position, place = action.args.get("position"), None
        if position is not None:
            after = position.this.name if position.this is not None else ""
            place = 0 if not after else (self._known(table, after) + 1)
        column = self.add_column(table, action, database, place)
        at = table.place(column.name) or 0
        for n, row in enumerate(table.rows, 1):
            value = None
            if column.auto:
                value, table.next = table.next, table.next + 1
            elif column.default is not None:
                value = self.changes.default_of(column, table, n)
            elif not column.nullable and self.dialect == MYSQL:
                value = fitted("" if column.type in ("varchar", "char", "text") else 0, column, MYSQL)
            elif not column.nullable:
                raise SqlError("null", column=column.name, table=table.name, row="")
            row.insert(at, value)

    def _known(self, table: Table, name: str, error: str = "no column of") -> int:
        place = table.place(name)
        if place is None:
            raise SqlError(error, column=name, table=table.name, where=table.name)
        return place

    def _drop_column(self, table: Table, name: str, exists: bool) -> None:
        if exists and table.place(name) is None:
            return
        place = self._known(table, name, "cannot drop")
        lowered = table.columns[place].name.lower()
        del table.columns[place]
        for row in table.rows:
            del row[place]
        table.keys = [key for key in table.keys if lowered not in [one.lower() for one in key.columns]]
        table.foreign = [one for one in table.foreign if lowered not in [each.lower() for each in one.columns]]

    def _rename(self, table: Table, old: str, new: str) -> None:
        place = self._known(table, old)
        if table.place(new) is not None:
            raise SqlError("same column", column=new, table=table.name)
        before = table.columns[place].name
        table.columns[place].name = new
        for key in table.keys:
            key.columns = [new if one == before else one for one in key.columns]
        for foreign in table.foreign:
            foreign.columns = [new if one == before else one for one in foreign.columns]

    def _modify(self, table: Table, action: exp.ModifyColumn, database: str) -> None:
        wanted = action.this
        if (old := action.args.get("rename_from")) is not None and old.name != wanted.name:
            self._rename(table, old.name, wanted.name)
        place = self._known(table, wanted.name)
        column = self._column(table, wanted)
        column.name = table.columns[place].name
        table.columns[place] = column
        for one in wanted.args.get("constraints") or ():
            self._column_constraint(table, column, one.kind, database)
        primary = table.primary
        if primary is not None and column.name in primary.columns:
            column.nullable = False
        self._refit(table, place)

    def _refit(self, table: Table, place: int) -> None:
        for n, row in enumerate(table.rows, 1):
            row[place] = fitted(row[place], table.columns[place], self.dialect, table.name, n)

    def _alter_column(self, table: Table, action: exp.AlterColumn) -> None:
        place = self._known(table, action.name)
        column = table.columns[place]
        if (wanted := action.args.get("dtype")) is not None:
            made = column_of(column.name, wanted, self.dialect)
            column.type, column.shown, column.size = made.type, made.shown, made.size
            self._refit(table, place)
        elif action.args.get("allow_null") is not None:
            column.nullable = bool(action.args["allow_null"])
            if not column.nullable and any(row[place] is None for row in table.rows):
                raise SqlError("null", column=column.name, table=table.name, row="")
        elif action.args.get("default") is not None:
            column.default = action.args["default"].sql(self.dialect)
        elif action.args.get("drop"):
            column.default = None
        else:
            raise SqlError("unsupported", what=action.sql(self.dialect)[:60])


def _columns(nodes: list[Any]) -> list[str]:
    return [(one.this if isinstance(one, exp.Ordered) else one).name for one in nodes]
