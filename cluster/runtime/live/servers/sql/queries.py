"""SELECT: sources, joins, where, groups, having, list, distinct, order, limit; UNION, INTERSECT, EXCEPT; WITH.

Joins are nested loops: tables of a course are small, and a statement has a limit of steps.

Left out: windows, natural joins, lateral, recursive WITH, rollup.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlglot import exp

from cluster.runtime.live.servers.sql.errors import MYSQL, SqlError
from cluster.runtime.live.servers.sql.scope import Scope, World, compare, evaluate, is_true, number, sort_key
from cluster.runtime.live.servers.sql.store import Table
from cluster.runtime.live.servers.sql.values import Value

MOST_ROWS = 10_000
Row = Sequence[Value]
Rows = tuple[list[str], list[list[Value]]]


@dataclass
class Relation:
    """What FROM gives. `names`: (alias, column); `primary`: alias -> its primary key's columns."""

    names: list[tuple[str, str]] = field(default_factory=list)
    rows: list[Row] = field(default_factory=lambda: [()])
    primary: dict[str, list[str]] = field(default_factory=dict)


@dataclass
class Queries:
    """Runs queries. `find(database, name)`: a table, for reading. Errors of all: SqlError."""

    world: World
    find: Callable[[str, str, int | None], Table]
    views: list[dict[str, Rows]] = field(default_factory=list)  # Of WITH, innermost last.

    def run(self, node: Any, outer: Scope | None = None, items: Sequence[str] = ()) -> Rows:
        """Column names and rows. `items`: how the list was written."""
        named = node.args.get("with_")
        if named is None:
            return self._run(node, outer, items)
        self.views.append({})
        try:
            if named.args.get("recursive"):
                raise SqlError("unsupported", what="WITH RECURSIVE")
            for one in named.expressions:
                names, rows = self.run(one.this, outer)
                given = [column.name for column in one.args["alias"].args.get("columns") or ()]
                self.views[-1][one.alias.lower()] = ([*given, *names[len(given) :]], rows)
            return self._run(node, outer, items)
        finally:
            self.views.pop()

    def _run(self, node: Any, outer: Scope | None, items: Sequence[str]) -> Rows:
        if isinstance(node, exp.Subquery):
            return self.run(node.this, outer, items)
        if isinstance(node, exp.SetOperation):
            return self._combined(node, outer, items)
        if isinstance(node, exp.Values):
            rows = [[evaluate(one, outer, self.world) for one in row.expressions] for row in node.expressions]
            return [f"column{n + 1}" for n in range(len(rows[0]))], rows
        if not isinstance(node, exp.Select):
            raise SqlError("unsupported", what=node.key.upper())
        return self._select(node, outer, items)

    def _combined(self, node: exp.SetOperation, outer: Scope | None, items: Sequence[str]) -> Rows:
        names, left = self.run(node.this, outer, items)
        others, right = self.run(node.expression, outer)
        if len(names) != len(others):
            raise SqlError("union")
        key = lambda row: sort_key(row, self.world)  # noqa: E731
        if isinstance(node, exp.Union):
            rows = left + right
        else:
            known = {key(row) for row in right}
            rows = [row for row in left if (key(row) in known) == isinstance(node, exp.Intersect)]
        if node.args.get("distinct"):
            rows = list({key(row): row for row in reversed(rows)}.values())[::-1]
        whole = Scope([("", name) for name in names], (), outer)
        made = [(row, whole.with_row(row)) for row in rows]
        return names, self._limited(node, self._ordered(node, made, names, []), outer)

    # --- one SELECT -----------------------------------------------------------------------------------------

    def _select(self, node: exp.Select, outer: Scope | None, items: Sequence[str]) -> Rows:
        for name in ("windows", "laterals", "qualify", "pivots"):
            if node.args.get(name):
                raise SqlError("unsupported", what=name.upper())
        source = self._source(node, outer)
        scope = Scope(source.names, (), outer)
        kept = source.rows
        if where := node.args.get("where"):
            kept = self.filtered(where.this, scope, kept)
        columns = self._columns(node, source, items)
        aliases = {one.alias.lower(): one.this for one in node.expressions if isinstance(one, exp.Alias)}
        if self._is_grouped(node):
            scopes = self._groups(node, scope, kept, source, aliases)
        else:
            scopes = [scope.with_row(row) for row in kept]
            scopes = [each for each in scopes if not node.args.get("having") or self._having(node, each, aliases)]
        made = []
        for each in scopes:
            each.where = "field list"
            try:
                made.append((self._projected(columns, each), each))
            except SqlError as error:
                error.name = "mixed" if error.name == "group" and not node.args.get("group") else error.name
                raise
        names = [name for name, _ in columns]
        if distinct := node.args.get("distinct"):
            if distinct.args.get("on"):
                raise SqlError("unsupported", what="DISTINCT ON")
            first: dict[Any, Any] = {}
            for row, each in made:
                first.setdefault(sort_key(row, self.world), (row, each))
            made = list(first.values())
        for _, each in made:
            each.aliases, each.where = aliases, "order clause"
        if not made and not self._is_grouped(node):
            self._check(node, columns, Scope(source.names, (None,) * len(source.names), outer), aliases)
        return names, self._limited(node, self._ordered(node, made, names, columns), outer)

    def _check(self, node: exp.Select, columns: list[tuple[str, Any]], scope: Scope, aliases: dict[str, Any]) -> None:
        """An empty table's columns are looked up all the same: its names may be wrong."""
        nothing = {one for one, _ in columns}
        for _, each in columns:
            for column in each.find_all(exp.Column) if isinstance(each, exp.Expression) else ():
                if column.find_ancestor(exp.Select) is node and not isinstance(column.this, exp.Star):
                    evaluate(column, scope, self.world)
        scope.aliases, scope.where = aliases, "order clause"
        order = node.args.get("order")
        for one in order.expressions if order is not None else ():
            for column in one.find_all(exp.Column):
                if column.name not in nothing and column.find_ancestor(exp.Select) is node:
                    evaluate(column, scope, self.world)

    def filtered(self, condition: Any, scope: Scope, rows: Sequence[Row]) -> list[Row]:
        scope = scope.with_row(())
        scope.where = "where clause"
        found = []
        if not rows:
            scope.row = (None,) * len(scope.names)
            is_true(condition, scope, self.world)
        for row in rows:
            scope.row = row
            if is_true(condition, scope, self.world):
                found.append(row)
        return found

    def _columns(self, node: exp.Select, source: Relation, items: Sequence[str]) -> list[tuple[str, Any]]:
        """(name, expression, or the place in a row) of each column of the result."""
        found: list[tuple[str, Any]] = []
        texts = list(items) if len(items) == len(node.expressions) else [""] * len(node.expressions)
        for one, text in zip(node.expressions, texts, strict=True):
            if isinstance(one, exp.Star) or (isinstance(one, exp.Column) and isinstance(one.this, exp.Star)):
                table = one.table if isinstance(one, exp.Column) else ""
                places = [n for n, (alias, _) in enumerate(source.names) if not table or alias.lower() == table.lower()]
                if not places and table:
                    raise SqlError("no from", table=table, column=f"{table}.*", where="field list")
                if not places:
                    raise SqlError("syntax", near="", line=1, token="end of input")
                found += [(source.names[place][1], place) for place in places]
            else:
                found.append((self._name(one, text), one))
        return found

    def _name(self, node: Any, text: str) -> str:
        if isinstance(node, exp.Alias):
            return str(node.alias)
        if isinstance(node, exp.Column):
            return str(node.name)
        if self.world.dialect == MYSQL:
            return text or str(node.sql("mysql"))
        found = re.fullmatch(r"([\w.]+(?:\(.*\))?|'[^']*')::(\w+).*", text, re.DOTALL)
        inner, cast = (found[1], found[2]) if found is not None else (text, "")
        match = re.fullmatch(r"([A-Za-z_]\w*)\s*\(.*\)", inner, re.DOTALL)
        if match is not None and isinstance(node, exp.Func | exp.Cast) and match[1].lower() != "not":
            return match[1].lower()
        if re.fullmatch(r"[A-Za-z_]\w*", inner):
            return "bool" if inner.lower() in ("true", "false") else inner.lower()
        if cast:
            return {"int": "int4", "integer": "int4", "bigint": "int8", "boolean": "bool"}.get(
                cast.strip(), cast.strip()
            )
        return "case" if isinstance(node, exp.Case) else "?column?"

    def _projected(self, columns: list[tuple[str, Any]], scope: Scope) -> list[Value]:
        row = []
        for place, (_, one) in enumerate(columns):
            if isinstance(one, int):
                alias, name = scope.names[one]
                if scope.group is not None:
                    column = exp.column(name, table=alias or None)
                    row.append(evaluate(column, scope, self.world))
                else:
                    row.append(scope.row[one])
                continue
            try:
                row.append(evaluate(one, scope, self.world))
            except SqlError as error:
                error.facts |= {"place": place + 1} if error.name == "group" else {}
                raise
        return row

    # --- sources --------------------------------------------------------------------------------------------

    def _source(self, node: exp.Select, outer: Scope | None) -> Relation:
        first = node.args.get("from_")
        if first is None:
            return Relation()
        found = self._relation(first.this, outer)
        for join in [*(first.this.args.get("joins") or ()), *(node.args.get("joins") or ())]:
            found = self._join(found, join, outer)
        return found

    def _relation(self, node: Any, outer: Scope | None) -> Relation:
        alias = node.alias
        if isinstance(node, exp.Table) and isinstance(node.this, exp.Identifier):
            return self._table(node, alias or node.name)
        if isinstance(node, exp.Table) and isinstance(node.this, exp.GenerateSeries | exp.ExplodingGenerateSeries):
            return self._series(node.this, alias or "generate_series", outer)
        if isinstance(node, exp.Paren):
            return self._relation(node.this, outer)
        if isinstance(node, exp.Subquery | exp.Values):
            if isinstance(node, exp.Subquery) and isinstance(node.this, exp.Table):
                found = self._relation(node.this, outer)
                for join in node.this.args.get("joins") or ():
                    found = self._join(found, join, outer)
                return found
            names, rows = self.run(node.this if isinstance(node, exp.Subquery) else node, outer)
            given = (
                [one.name for one in (node.args["alias"].args.get("columns") or ())] if node.args.get("alias") else []
            )
            return Relation([(alias, name) for name in [*given, *names[len(given) :]]], list(rows))
        raise SqlError("unsupported", what=node.sql()[:60])

    def _table(self, node: exp.Table, alias: str) -> Relation:
        for views in reversed(self.views):
            if not node.db and node.name.lower() in views:
                names, rows = views[node.name.lower()]
                return Relation([(alias, name) for name in names], list(rows))
        table = self.find(node.db, node.name, node.this.meta.get("start") if node.this.meta else None)
        self.world.step(len(table.rows))
        primary = {alias: table.primary.columns} if table.primary is not None else {}
        return Relation([(alias, column.name) for column in table.columns], list(table.rows), primary)

    def _series(self, node: Any, alias: str, outer: Scope | None) -> Relation:
        first, last = (
            int(number(evaluate(node.args[name], outer, self.world), self.world)) for name in ("start", "end")
        )
        step = int(number(evaluate(node.args["step"], outer, self.world), self.world)) if node.args.get("step") else 1
        if step == 0 or (last - first) // step > MOST_ROWS:
            raise SqlError("too much")
        return Relation([(alias, alias)], [(n,) for n in range(first, last + (1 if step > 0 else -1), step)])

    def _join(self, left: Relation, join: exp.Join, outer: Scope | None) -> Relation:
        if join.args.get("method"):
            raise SqlError("unsupported", what=f"{join.args['method']} JOIN")
        right = self._relation(join.this, outer)
        taken = {alias.lower() for alias, _ in left.names}
        for alias, _ in right.names[:1]:
            if alias and alias.lower() in taken:
                raise SqlError("same alias", table=alias)
        side, using = (
            str(join.args.get("side") or "").upper(),
            [one.name.lower() for one in join.args.get("using") or ()],
        )
        scope = Scope(left.names + right.names, (), outer, where="on clause")
        test = self._test(join, left, right, using, scope)
        found, used = list[Row](), set[int]()
        for row in left.rows:
            matched = False
            for place, other in enumerate(right.rows):
                self.world.step()
                if test((*row, *other)):
                    matched = True
                    used.add(place)
                    found.append((*row, *other))
            if not matched and side in ("LEFT", "FULL"):
                found.append((*row, *(None,) * len(right.names)))
        if side in ("RIGHT", "FULL"):
            nothing = (None,) * len(left.names)
            found += [(*nothing, *other) for place, other in enumerate(right.rows) if place not in used]
        made = Relation(scope.names, found, left.primary | right.primary)
        return self._merged(made, len(left.names), using, side) if using else made

    def _test(self, join: exp.Join, left: Relation, right: Relation, using: list[str], scope: Scope) -> Any:
        if using:
            pairs = [(self._place(left, name), len(left.names) + self._place(right, name)) for name in using]
            return lambda row: all(compare(row[one], row[two], self.world) == 0 for one, two in pairs)
        on = join.args.get("on")
        if on is None:
            return lambda row: True

        def test(row: Row) -> bool:
            scope.row = row
            return is_true(on, scope, self.world)

        if not left.rows or not right.rows:
            test((None,) * len(scope.names))  # Its names may be wrong.
        return test

    def _place(self, relation: Relation, name: str) -> int:
        for place, (_, known) in enumerate(relation.names):
            if known.lower() == name:
                return place
        raise SqlError("no column", column=name, quoted=f'"{name}"', where="from clause")

    @staticmethod
    def _merged(made: Relation, width: int, using: list[str], side: str) -> Relation:
        """The columns of USING are there once."""
        gone = [n for n, (_, name) in enumerate(made.names) if n >= width and name.lower() in using]
        if side == "RIGHT":
            gone = [n for n, (_, name) in enumerate(made.names) if n < width and name.lower() in using]
        kept = [n for n in range(len(made.names)) if n not in gone]
        rows: list[Row] = [tuple(row[n] for n in kept) for row in made.rows]
        return Relation([made.names[n] for n in kept], rows, made.primary)

    # --- groups ---------------------------------------------------------------------------------------------

    def _is_grouped(self, node: exp.Select) -> bool:
        if node.args.get("group") or any(map(_aggregates, node.expressions)):
            return True
        having = node.args.get("having")
        return having is not None and _aggregates(having)

    def _groups(
        self, node: exp.Select, scope: Scope, rows: Sequence[Row], source: Relation, aliases: dict[str, Any]
    ) -> list[Scope]:
        group = node.args.get("group")
        if group is not None and any(group.args.get(name) for name in ("rollup", "cube", "grouping_sets")):
            raise SqlError("unsupported", what="ROLLUP")
        keys = [self._key(one, node, aliases, scope) for one in (group.expressions if group is not None else ())]
        found: dict[Any, list[Row]] = {} if keys else {(): []}
        scope.where = "group statement"
        values: dict[Any, list[Value]] = {(): []}
        for row in rows:
            each = scope.with_row(row)
            own = [evaluate(key, each, self.world) for key in keys]
            mark = sort_key(own, self.world)
            found.setdefault(mark, []).append(row)
            values.setdefault(mark, own)
        fixed = self._fixed(keys, scope, source)
        scopes = []
        for mark, members in found.items():
            nothing: Row = (None,) * len(scope.names)
            each = scope.with_row(members[0] if members else nothing, list(members))
            each.keys = {key.sql(): value for key, value in zip(keys, values[mark], strict=True)} | {"\0fixed": fixed}
            if not node.args.get("having") or self._having(node, each, aliases):
                scopes.append(each)
        return scopes

    def _key(self, node: Any, select: exp.Select, aliases: dict[str, Any], scope: Scope) -> Any:
        if isinstance(node, exp.Literal) and not node.is_string:
            place = int(node.name) if node.name.isdigit() else 0
            if not 0 < place <= len(select.expressions):
                raise SqlError("place", place=node.name, where="group statement", clause="GROUP BY")
            one = select.expressions[place - 1]
            return one.this if isinstance(one, exp.Alias) else one
        known = isinstance(node, exp.Column) and ("", node.name.lower()) in scope.lookup()
        if isinstance(node, exp.Column) and not node.table and not known and node.name.lower() in aliases:
            return aliases[node.name.lower()]
        return node

    def _fixed(self, keys: list[Any], scope: Scope, source: Relation) -> list[tuple[str, str]]:
        """Columns that are the same in all rows of a group, since its keys say so."""
        places = [
            scope.lookup().get((key.table.lower(), key.name.lower())) for key in keys if isinstance(key, exp.Column)
        ]
        fixed = [scope.names[place] for place in places if place is not None and place >= 0]
        for alias, columns in source.primary.items():
            if all((alias, column) in fixed for column in columns):
                fixed += [name for name in scope.names if name[0] == alias]
        return fixed

    def _having(self, node: exp.Select, scope: Scope, aliases: dict[str, Any]) -> bool:
        scope.aliases = aliases if self.world.dialect == MYSQL else {}
        scope.where = "having clause"
        return is_true(node.args["having"].this, scope, self.world)

    # --- the end --------------------------------------------------------------------------------------------

    def _ordered(
        self, node: Any, made: list[tuple[list[Value], Scope]], names: list[str], columns: list[tuple[str, Any]]
    ) -> list[list[Value]]:
        order = node.args.get("order")
        for one in reversed(order.expressions if order is not None else ()):
            self._sort(one, made, [name.lower() for name in names], columns)
        return [row for row, _ in made]

    def _sort(
        self, one: exp.Ordered, made: list[tuple[list[Value], Scope]], names: list[str], columns: list[tuple[str, Any]]
    ) -> None:
        node, place = one.this, None
        if isinstance(node, exp.Literal) and not node.is_string:
            place = int(node.name) - 1 if node.name.isdigit() else -1
            if not 0 <= place < len(names):
                raise SqlError("place", place=node.name, where="order clause", clause="ORDER BY")
        elif isinstance(node, exp.Column) and not node.table and node.name.lower() in names:
            place = names.index(node.name.lower())
        keyed = []
        for row, scope in made:
            value = row[place] if place is not None else evaluate(node, scope, self.world)
            keyed.append((value is None, sort_key((value,), self.world), (row, scope)))
        first = bool(one.args.get("nulls_first"))
        filled = sorted(
            (each for each in keyed if not each[0]), key=lambda each: each[1], reverse=bool(one.args.get("desc"))
        )
        nothing = [each for each in keyed if each[0]]
        made[:] = [each[2] for each in (nothing + filled if first else filled + nothing)]

    def _limited(self, node: Any, rows: list[list[Value]], outer: Scope | None) -> list[list[Value]]:
        limit, offset = node.args.get("limit"), node.args.get("offset")
        start = int(number(evaluate(offset.expression, outer, self.world), self.world)) if offset is not None else 0
        if limit is not None:
            wanted = limit.args.get("count") if isinstance(limit, exp.Fetch) else limit.expression
            if isinstance(limit, exp.Limit) and limit.args.get("offset") is not None:
                start = int(number(evaluate(limit.args["offset"], outer, self.world), self.world))
            value = evaluate(wanted, outer, self.world) if wanted is not None else 1
            rows = rows[start:] if value is None else rows[start : start + max(int(number(value, self.world)), 0)]
        else:
            rows = rows[start:]
        if len(rows) > MOST_ROWS:
            raise SqlError("too much")
        return rows


def _aggregates(node: Any) -> bool:
    """Is there an aggregate that belongs to this SELECT, not to one inside?"""
    todo = [node]
    while todo:
        one = todo.pop()
        if isinstance(one, exp.AggFunc):
            return True
        if not isinstance(one, exp.Select | exp.Subquery):
            todo += list(one.iter_expressions())
    return False
