"""INSERT, UPDATE, DELETE, TRUNCATE, and what keys and checks say to them.

Left out: several tables in one UPDATE or DELETE, ON UPDATE of foreign keys other than refusing.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlglot import exp

from cluster.runtime.live.servers.sql.errors import MYSQL, SqlError
from cluster.runtime.live.servers.sql.parsing import Statement, expression
from cluster.runtime.live.servers.sql.queries import Queries
from cluster.runtime.live.servers.sql.results import Result
from cluster.runtime.live.servers.sql.scope import Scope, World, evaluate, is_true, number, sort_key
from cluster.runtime.live.servers.sql.store import Foreign, Key, Store, Table
from cluster.runtime.live.servers.sql.values import Column, Value, fitted, text_of

MOVED = 64  # Entries of an index that move up in one step.
Referring = Iterable[tuple[str, Foreign]]  # (table, its foreign key)


class Changes:
    """Changes rows of one database's tables. Errors of all: SqlError."""

    def __init__(self, store: Store, world: World, queries: Queries, database: str) -> None:
        self.store, self.world, self.queries, self.database = store, world, queries, database
        self.dialect = world.dialect

    def table(self, node: Any) -> tuple[str, Table]:
        """(database, table) that a statement names."""
        named = node.this if isinstance(node, exp.Schema) else node
        if not isinstance(named, exp.Table):
            raise SqlError("unsupported", what=str(named)[:60])
        database = (named.db if self.dialect == MYSQL else "") or self.database
        if not database:
            raise SqlError("none selected")
        found = self.store.table(database, named.name)
        if found is None:
            at = named.this.meta.get("start") if named.this.meta else None
            raise SqlError("no table", table=named.name, database=database, at=at)
        return database, found

    # --- insert ---------------------------------------------------------------------------------------------

    def insert(self, statement: Statement) -> Result:
        node = statement.tree
        database, table = self.table(node.this)
        places = self._places(node.this, table)
        conflict = node.args.get("conflict")
        added, first_id, touched, skipped = list[list[Value]](), 0, 0, 0
        indexes = {key.name: self._index(key, table) for key in table.keys if key.unique}
        source = self._given(node, places, table)
        referring = list(self.referring(database, table)) if conflict is not None else []
        for number_, given in enumerate(source, 1):
            row, own = self._new_row(table, places, given, number_)
            self._check_nulls(table, row)
            clash = self.clash(table, row, indexes)
            if clash is not None and statement.replaces:
                while clash is not None:
                    self._forget(table, clash[1], indexes)
                    touched, clash = touched + 1, self.clash(table, row, indexes)
            elif clash is not None and (node.args.get("ignore") or _does_nothing(conflict)):
                skipped += 1
                continue
            elif clash is not None and conflict is not None:
                touched += self._merge(table, clash[1], row, conflict, indexes, database, referring)
                continue
            elif clash is not None:
                raise self.duplicate(table, clash[0], row)
            self.check_row(database, table, row)
            self.remember(table, row, indexes)
            added.append(row)
            first_id = first_id or own
            self.world.step()
        self.store.put(database, table)
        self.world.last_id = first_id or self.world.last_id
        affected = len(added) + touched
        info = f"Records: {len(added) + skipped}  Duplicates: {skipped}  Warnings: {skipped}"
        several = len(source) > 1 or not isinstance(node.expression, exp.Values)
        result = Result(tag=f"INSERT 0 {affected}", affected=affected, info=info if several else "", insert_id=first_id)
        return self._returning(node, table, added, result)

    def _places(self, node: Any, table: Table) -> list[int]:
        """Of the columns that values are given for."""
        if not isinstance(node, exp.Schema):
            return list(range(len(table.columns)))
        return [self._place(one, table) for one in node.expressions]

    def _place(self, node: Any, table: Table) -> int:
        place = table.place(node.name)
        if place is None:
            at = node.meta.get("start") if getattr(node, "meta", None) else None
            raise SqlError("no column of", column=node.name, table=table.name, where="field list", at=at)
        return place

    def _given(self, node: exp.Insert, places: list[int], table: Table) -> list[list[Any]]:
        """The rows to insert; what is still an expression is evaluated later."""
        source = node.expression
        if source is None and node.args.get("default"):
            return [[]]
        if isinstance(source, exp.Values):
            rows: list[list[Any]] = [list(row.expressions) for row in source.expressions]
        elif source is not None:
            rows = [[_Known(value) for value in row] for row in self.queries.run(source)[1]]
        else:
            raise SqlError("syntax", near="", line=1, token="end of input")
        for n, row in enumerate(rows, 1):
            fits = len(row) == len(places) or (self.dialect != MYSQL and not isinstance(node.this, exp.Schema)
                                               and len(row) < len(places))  # fmt: skip
            if not fits and not (self.dialect == MYSQL and not row):
                raise SqlError("too many values" if len(row) > len(places) else "too few values", row=n)
        return rows

    def _new_row(self, table: Table, places: list[int], given: Sequence[Any], number_: int) -> tuple[list[Value], int]:
        """(the row, the number that it was given by itself or 0)."""
        row: list[Value] = [None] * len(table.columns)
        set_ = dict(zip(places, given, strict=False))
        own = 0
        for place, column in enumerate(table.columns):
            node = set_.get(place)
            value = node.value if isinstance(node, _Known) else None
            wanted = node is not None and not _is_default(node)
            if wanted and not isinstance(node, _Known):
                value = evaluate(node, Scope([], ()), self.world)
            if wanted:
                value = fitted(value, column, self.dialect, table.name, number_)
            if column.auto and (not wanted or (self.dialect == MYSQL and not value)):
                value = own = table.next
                table.next += 1
            elif column.auto and self.dialect == MYSQL and isinstance(value, int):
                table.next = max(table.next, value + 1)
            elif not wanted:
                value = self.default_of(column, table, number_)
            row[place] = value
        return row, own

    def default_of(self, column: Column, table: Table, number_: int) -> Value:
        if column.default is None:
            if not column.nullable and self.dialect == MYSQL:
                raise SqlError("no default", column=column.name)
            return None
        value = evaluate(expression(column.default, self.dialect), Scope([], ()), self.world)
        return fitted(value, column, self.dialect, table.name, number_)

    def _merge(
        self, table: Table, place: int, row: list[Value], conflict: Any, indexes: Any, database: str,
        referring: Referring,
    ) -> int:  # fmt: skip
        """ON DUPLICATE KEY UPDATE, ON CONFLICT DO UPDATE: the row that is there changes. How many rows count."""
        before = table.rows[place]
        names = [(table.name, column.name) for column in table.columns]
        names += [("excluded" if self.dialect != MYSQL else "values", column.name) for column in table.columns]
        scope = Scope(names, (*before, *row))
        scope.index = {key: at for key, at in scope.lookup().items() if key[0]}
        scope.index |= {("", column.name.lower()): n for n, column in enumerate(table.columns)}
        after = list(before)
        for one in conflict.expressions:
            at = self._place(one.this, table)
            after[at] = fitted(evaluate(_values_of(one.expression), scope, self.world), table.columns[at], self.dialect,
                               table.name)  # fmt: skip
        self._replace_row(database, table, place, after, indexes, referring)
        return (2 if after != before else 0) if self.dialect == MYSQL else 1

    # --- update and delete ----------------------------------------------------------------------------------

    def update(self, node: exp.Update) -> Result:
        if node.args.get("from_") or node.this.args.get("joins"):
            raise SqlError("unsupported", what="UPDATE of several tables")
        database, table = self.table(node.this)
        scope = self._scope(table, node.this)
        chosen = self._chosen(node, scope, table)
        indexes = {key.name: self._index(key, table) for key in table.keys if key.unique}
        referring = list(self.referring(database, table))
        changed, after = 0, list[list[Value]]()
        targets = [(self._place(one.this, table), one.expression) for one in node.expressions]
        if not chosen:
            for _, wanted in targets:
                if not _is_default(wanted):
                    evaluate(wanted, scope.with_row((None,) * len(scope.names)), self.world)
        for count, place in enumerate(chosen, 1):
            before = table.rows[place]
            row = list(before)
            each = scope.with_row(row if self.dialect == MYSQL else before)  # MySQL goes from left to right.
            for at, wanted in targets:
                column = table.columns[at]
                if _is_default(wanted):
                    row[at] = self.default_of(column, table, count)
                else:
                    row[at] = fitted(evaluate(wanted, each, self.world), column, self.dialect, table.name, count)
            if row != before:
                changed += 1
                self._replace_row(database, table, place, row, indexes, referring)
            after.append(row)
        self.store.put(database, table) if changed else None
        info = f"Rows matched: {len(chosen)}  Changed: {changed}  Warnings: 0"
        affected = changed if self.dialect == MYSQL else len(chosen)
        return self._returning(node, table, after, Result(tag=f"UPDATE {len(chosen)}", affected=affected, info=info))

    def delete(self, node: exp.Delete) -> Result:
        if node.args.get("using") or node.args.get("tables") or node.this is None:
            raise SqlError("unsupported", what="DELETE of several tables")
        database, table = self.table(node.this)
        chosen = set(self._chosen(node, self._scope(table, node.this), table))
        gone = [row for place, row in enumerate(table.rows) if place in chosen]
        table.rows = [row for place, row in enumerate(table.rows) if place not in chosen]
        if gone:
            self.store.put(database, table)
            self._children(database, table, gone)
        return self._returning(node, table, gone, Result(tag=f"DELETE {len(gone)}", affected=len(gone)))

    def truncate(self, node: exp.TruncateTable) -> Result:
        for one in node.expressions:
            database, table = self.table(one)
            for name, foreign in self.referring(database, table):
                if name != table.name:
                    raise SqlError("referenced", other=table.name, table=name, constraint=foreign.name)
            table.rows = []
            if self.dialect == MYSQL or node.args.get("identity") == "RESTART":
                table.next = 1
            self.store.put(database, table)
        return Result(tag="TRUNCATE TABLE")

    def _scope(self, table: Table, node: Any) -> Scope:
        alias = node.alias or table.name
        return Scope([(alias, column.name) for column in table.columns], ())

    def _chosen(self, node: Any, scope: Scope, table: Table) -> list[int]:
        """Places of the rows that WHERE, ORDER BY and LIMIT leave."""
        where, order, limit = (node.args.get(name) for name in ("where", "order", "limit"))
        scope.where = "where clause"
        self.world.step(len(table.rows))
        if where is not None and not table.rows:
            is_true(where.this, scope.with_row((None,) * len(scope.names)), self.world)
        found = [
            place
            for place, row in enumerate(table.rows)
            if where is None or is_true(where.this, scope.with_row(row), self.world)
        ]
        for one in reversed(order.expressions if order is not None else ()):
            key = {
                at: sort_key((evaluate(one.this, scope.with_row(table.rows[at]), self.world),), self.world)
                for at in found
            }
            found.sort(key=key.__getitem__, reverse=bool(one.args.get("desc")))
        if limit is not None:
            found = found[: int(number(evaluate(limit.expression, None, self.world), self.world))]
        scope.where = "field list"
        return found

    def _returning(self, node: Any, table: Table, rows: list[list[Value]], result: Result) -> Result:
        returning = node.args.get("returning")
        if returning is None:
            return result
        scope = Scope([(table.name, column.name) for column in table.columns], ())
        names, values = list[str](), [list[Value]() for _ in rows]
        for one in returning.expressions:
            if isinstance(one, exp.Star):
                names += [column.name for column in table.columns]
                values = [[*value, *row] for value, row in zip(values, rows, strict=True)]
            else:
                names.append(one.alias_or_name or "?column?")
                values = [[*value, evaluate(one, scope.with_row(row), self.world)]
                          for value, row in zip(values, rows, strict=True)]  # fmt: skip
        return result._replace(columns=names, rows=values)

    # --- keys -----------------------------------------------------------------------------------------------

    def _index(self, key: Key, table: Table) -> dict[Any, int]:
        """The values of a key -> the row that has them; none for those with a NULL."""
        places = [table.place(name) or 0 for name in key.columns]
        found = {}
        for at, row in enumerate(table.rows):
            values = [row[place] for place in places]
            if None not in values:
                found[sort_key(values, self.world)] = at
        return found

    def clash(self, table: Table, row: Sequence[Value], indexes: dict[str, dict[Any, int]]) -> tuple[Key, int] | None:
        for key in table.keys:
            if key.unique:
                values = [row[table.place(name) or 0] for name in key.columns]
                at = indexes[key.name].get(sort_key(values, self.world)) if None not in values else None
                if at is not None:
                    return key, at
        return None

    def remember(self, table: Table, row: list[Value], indexes: dict[str, dict[Any, int]]) -> None:
        table.rows.append(row)
        for key in table.keys:
            if key.unique:
                values = [row[table.place(name) or 0] for name in key.columns]
                if None not in values:
                    indexes[key.name][sort_key(values, self.world)] = len(table.rows) - 1

    def _forget(self, table: Table, place: int, indexes: dict[str, dict[Any, int]]) -> None:
        del table.rows[place]
        self.world.step(len(table.rows) // MOVED)
        for name, index in indexes.items():
            indexes[name] = {mark: at - (at > place) for mark, at in index.items() if at != place}

    def _replace_row(
        self, database: str, table: Table, place: int, row: list[Value], indexes: Any, referring: Referring
    ) -> None:
        before = table.rows[place]
        for key in table.keys:
            if not key.unique:
                continue
            places = [table.place(name) or 0 for name in key.columns]
            old, new = ([one[at] for at in places] for one in (before, row))
            mark = sort_key(new, self.world) if None not in new else None
            if mark is not None and indexes[key.name].get(mark, place) != place:
                raise self.duplicate(table, key, row)
            if None not in old:
                indexes[key.name].pop(sort_key(old, self.world), None)
            if mark is not None:
                indexes[key.name][mark] = place
        self.check_row(database, table, row)
        table.rows[place] = row
        for name, foreign in referring:
            old, new = ([one[table.place(each) or 0] for each in foreign.others] for one in (before, row))
            if old != new and self._users_of(database, name, foreign, [old]):
                raise self._has_children(database, name, foreign, old)

    def duplicate(self, table: Table, key: Key, row: Sequence[Value]) -> SqlError:
        values = [text_of(row[table.place(name) or 0], self.dialect) or "NULL" for name in key.columns]
        return SqlError("duplicate", values="-".join(values), table=table.name, key=key.name, constraint=key.name,
                        columns=", ".join(key.columns), listed=", ".join(values))  # fmt: skip

    def _shown(self, row: Sequence[Value]) -> str:
        return ", ".join("null" if value is None else text_of(value, self.dialect) or "" for value in row)

    def _check_nulls(self, table: Table, row: Sequence[Value]) -> None:
        for column, value in zip(table.columns, row, strict=True):
            if value is None and not column.nullable:
                raise SqlError("null", column=column.name, table=table.name, row=self._shown(row))

    def check_row(self, database: str, table: Table, row: Sequence[Value]) -> None:
        self._check_nulls(table, row)
        scope = Scope([(table.name, column.name) for column in table.columns], row)
        for name, text in table.checks.items():
            value = evaluate(expression(text, self.dialect), scope, self.world)
            if value is not None and not value:
                raise SqlError("check", constraint=name, table=table.name, row=self._shown(row))
        for foreign in table.foreign:
            self._check_parent(database, table, foreign, row)

    # --- foreign keys ---------------------------------------------------------------------------------------

    def _check_parent(self, database: str, table: Table, foreign: Foreign, row: Sequence[Value]) -> None:
        values = [row[table.place(name) or 0] for name in foreign.columns]
        if None in values:
            return
        parent = table if foreign.table == table.name else self.store.table(database, foreign.table)
        mark = sort_key(values, self.world)
        rows = [*(parent.rows if parent is not None else ()), *([row] if parent is table else ())]
        places = [parent.place(name) or 0 for name in foreign.others] if parent is not None else []
        self.world.step(len(rows))
        if not any(sort_key([each[place] for place in places], self.world) == mark for each in rows):
            listed = ", ".join(text_of(value, self.dialect) or "null" for value in values)
            full = self._full(database, table.name, foreign)
            about = {"constraint": foreign.name, "columns": ", ".join(foreign.columns), "other": foreign.table}
            raise SqlError("no parent", None, full=full, table=table.name, listed=listed, **about)

    def _full(self, database: str, table: str, foreign: Foreign) -> str:
        columns, others = (", ".join(f"`{name}`" for name in names) for names in (foreign.columns, foreign.others))
        actions = {"cascade": " ON DELETE CASCADE", "set null": " ON DELETE SET NULL"}.get(foreign.on_delete, "")
        return (
            f"`{database}`.`{table}`, CONSTRAINT `{foreign.name}` FOREIGN KEY ({columns}) REFERENCES `{foreign.table}`"
            f" ({others}){actions}"
        )

    def referring(self, database: str, table: Table) -> Referring:
        """(table, its foreign key) for each that refers to `table`."""
        for name in self.store.tables(database):
            other = table if name == table.name else self.store.table(database, name)
            for foreign in other.foreign if other is not None else ():
                if foreign.table == table.name:
                    yield name, foreign

    def _users_of(self, database: str, name: str, foreign: Foreign, values: list[list[Value]]) -> list[int]:
        """Places of the rows of table `name` that refer to any of these values."""
        other = self.store.table(database, name)
        if other is None:
            return []
        marks = {sort_key(one, self.world) for one in values if None not in one}
        places = [other.place(one) or 0 for one in foreign.columns]
        self.world.step(len(other.rows))
        return [n for n, row in enumerate(other.rows) if sort_key([row[at] for at in places], self.world) in marks]

    def _has_children(self, database: str, name: str, foreign: Foreign, values: Sequence[Value]) -> SqlError:
        listed = ", ".join(text_of(value, self.dialect) or "null" for value in values)
        return SqlError("has children", full=self._full(database, name, foreign), table=name, constraint=foreign.name,
                        columns=", ".join(foreign.others), other=foreign.table, listed=listed)  # fmt: skip

    def _children(self, database: str, table: Table, gone: list[list[Value]], depth: int = 0) -> None:
        """Rows are gone: those that refer to them go, too, or lose their reference, or forbid it."""
        if depth > 16:
            raise SqlError("too complex", depth=16)
        for name, foreign in list(self.referring(database, table)):
            values = [[row[table.place(one) or 0] for one in foreign.others] for row in gone]
            places = set(self._users_of(database, name, foreign, values))
            if not places:
                continue
            other = self.store.table(database, name)
            if other is None or foreign.on_delete not in ("cascade", "set null"):
                blocking = next(one for one in values if self._users_of(database, name, foreign, [one]))
                raise self._has_children(database, name, foreign, blocking)
            if foreign.on_delete == "cascade":
                lost = [row for n, row in enumerate(other.rows) if n in places]
                other.rows = [row for n, row in enumerate(other.rows) if n not in places]
                self.store.put(database, other)
                self._children(database, other, lost, depth + 1)
            else:
                columns = [other.place(one) or 0 for one in foreign.columns]
                other.rows = [[None if at in columns else value for at, value in enumerate(row)] if n in places else row
                              for n, row in enumerate(other.rows)]  # fmt: skip
                self.store.put(database, other)


class _Known:
    """A value that was a query's already."""

    def __init__(self, value: Value) -> None:
        self.value = value


def _is_default(node: Any) -> bool:
    if isinstance(node, exp.Column):
        return not node.table and node.name.lower() == "default" and not node.this.args.get("quoted")
    return isinstance(node, exp.Var) and node.name.lower() == "default"


def _does_nothing(conflict: Any) -> bool:
    return conflict is not None and "NOTHING" in str(conflict.args.get("action") or "").upper()


def _values_of(node: Any) -> Any:
    """VALUES(a) of MySQL: what would have been inserted."""

    def changed(one: Any) -> Any:
        if isinstance(one, exp.Anonymous) and str(one.this).upper() == "VALUES" and one.expressions:
            return exp.column(one.expressions[0].name, table="values")
        return one

    return node.transform(changed)
