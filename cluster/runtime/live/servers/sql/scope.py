"""What an expression sees, and how values compare.

`Scope`: the columns of the tables at hand with one row's values, the scope around a sub-query, and, when rows are
grouped, the group. `World`: what it knows besides: the time, who asks, other tables, how kinds of node are worked out.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlglot import exp

from cluster.runtime import noise
from cluster.runtime.live.servers.sql.errors import MYSQL, SqlError
from cluster.runtime.live.servers.sql.values import LEADING, NUMBER, Column, Value, fitted, kind_of, moment, text_of

STEPS = 200_000
LONGEST = 1 << 20  # Characters of a text.
Node = exp.Expression
DAY = timedelta(days=1)
Handler = Callable[..., Value]  # (node, scope, world) to its value.


@dataclass
class World:
    """`select`: runs a sub-query in a scope; `steps`: how many are left; `handlers`: kind of node -> its value."""

    dialect: str
    now: datetime
    database: str = ""
    user: str = ""
    version: str = ""
    seed: int = 0
    last_id: int = 0
    found_rows: int = 0
    steps: int = STEPS
    rolled: int = 0
    handlers: Mapping[type, "Handler"] = field(default_factory=dict)
    select: Callable[[Any, "Scope | None"], tuple[list[str], list[list[Value]]]] = lambda node, scope: ([], [])
    sequence: Callable[[str, str], int] = lambda name, what: 0

    def step(self, count: int = 1) -> None:
        """Errors: SqlError when the statement has taken too many."""
        self.steps -= count
        if self.steps < 0:
            raise SqlError("too much")

    def roll(self) -> int:
        """Looks random, and is the same in every replay."""
        self.rolled += 1
        return noise.mix(self.seed, self.rolled, int(self.now.timestamp() * 1_000_000))


@dataclass
class Scope:
    """`names`: (table, column) of each value; `group`: rows of the group, if rows are grouped."""

    names: list[tuple[str, str]]
    row: Sequence[Value]
    outer: "Scope | None" = None
    group: list[Sequence[Value]] | None = None
    where: str = "field list"
    aliases: dict[str, Node] = field(default_factory=dict)  # Names that a SELECT list gives to its columns.
    keys: dict[str, Value] = field(default_factory=dict)  # SQL of what rows are grouped by -> its value.
    index: dict[tuple[str, str], int] | None = None

    def lookup(self) -> dict[tuple[str, str], int]:
        """(table or "", column) in lower case -> place; -2: there are several."""
        if self.index is None:
            self.index = {}
            for place, (table, name) in enumerate(self.names):
                self.index[table.lower(), name.lower()] = place
                bare = ("", name.lower())
                self.index[bare] = place if bare not in self.index else -2
        return self.index

    def with_row(self, row: Sequence[Value], group: list[Sequence[Value]] | None = None) -> "Scope":
        return Scope(self.names, row, self.outer, group, self.where, self.aliases, {}, self.lookup())


def evaluate(node: Any, scope: Scope | None, world: World) -> Value:
    """Errors: SqlError."""
    world.step()
    if scope is not None and scope.keys and (sql := node.sql()) in scope.keys:
        return scope.keys[sql]
    handler = world.handlers.get(exp.AggFunc if isinstance(node, exp.AggFunc) else type(node))
    if handler is None:
        raise SqlError("unsupported", what=named(node), at=place_of(node))
    value = handler(node, scope, world)
    if isinstance(value, str) and len(value) > LONGEST:
        raise SqlError("too much")
    return value


def is_true(node: Any, scope: Scope | None, world: World) -> bool:
    return truth(evaluate(node, scope, world), world) is True


def truth(value: Value, world: World) -> bool | None:
    if value is None or isinstance(value, bool):
        return value
    if world.dialect != MYSQL and not isinstance(value, str):
        raise SqlError("wrong type", column="argument of WHERE", type="boolean", given=kind_of(value))
    if isinstance(value, str):
        if world.dialect == MYSQL:
            return bool(number(value, world))
        return bool(fitted(value, Column("", "boolean", "boolean"), world.dialect))
    return bool(value)


def named(node: Any) -> str:
    if isinstance(node, exp.Anonymous):
        return f"{node.name}()"
    return str(node.sql())[:60] if isinstance(node, exp.Expression) else str(node)[:60]


def place_of(node: Any) -> int | None:
    for one in node.find_all(exp.Identifier) if isinstance(node, exp.Expression) else ():
        return one.meta.get("start") if one.meta else None
    return None


# --- numbers and comparisons ------------------------------------------------------------------------------------


def number(value: Value, world: World) -> Any:
    """A value as a number; MySQL takes what a text begins with. Errors: SqlError."""
    if value is None or isinstance(value, float | Decimal):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, str):
        match = LEADING.match(value)
        if world.dialect != MYSQL and not NUMBER.fullmatch(value):
            raise SqlError("not a number", kind="integer", type="integer", value=value, column="", row=1)
        text = match[0].strip() if match else "0"
        return int(text) if text.lstrip("+-").isdigit() else (float(text) if world.dialect == MYSQL else Decimal(text))
    return int(re.sub(r"\D", "", text_of(value, MYSQL) or "0") or 0)


def compare(left: Value, right: Value, world: World) -> int | None:
    """-1, 0 or 1; None: unknown. Errors: SqlError (PostgreSQL compares nothing with something else)."""
    if left is None or right is None:
        return None
    left, right = _alike(left, right, world)
    return (left > right) - (left < right)


def _alike(left: Value, right: Value, world: World) -> tuple[Any, Any]:
    if isinstance(left, str) and isinstance(right, str):
        return _ordered(left, world), _ordered(right, world)
    if isinstance(left, date) or isinstance(right, date):
        return _moments(left, right, world)
    if isinstance(left, bool) != isinstance(right, bool) and world.dialect != MYSQL:
        left, right = _booleans(left, right)
    elif isinstance(left, str) or isinstance(right, str):
        left, right = number(left, world), number(right, world)
    if isinstance(left, float) or isinstance(right, float):
        return float(left), float(right)
    return left, right


def _booleans(left: Value, right: Value) -> tuple[Any, Any]:
    column = Column("", "boolean", "boolean")
    if isinstance(left, str) or isinstance(right, str):
        return fitted(left, column, "postgres"), fitted(right, column, "postgres")
    raise SqlError("no operator", left=kind_of(left), right=kind_of(right), name="=")


def _moments(left: Value, right: Value, world: World) -> tuple[Any, Any]:
    found = [moment(left), moment(right)]
    for value, other in zip((left, right), found, strict=True):
        if other is None:
            if world.dialect == MYSQL:
                return text_of(left, MYSQL), text_of(right, MYSQL)
            if not isinstance(value, str):
                raise SqlError("no operator", left=kind_of(left), right=kind_of(right), name="=")
            raise SqlError("not a time", type="timestamp", value=value)
    whole = [one if isinstance(one, datetime) else datetime(one.year, one.month, one.day) for one in found if one]
    first, second = (one.replace(tzinfo=None) for one in whole)
    return first, second


def sort_key(row: Sequence[Value], world: World) -> tuple[Any, ...]:
    """Of a whole row, for groups and for order within one type."""
    return tuple(_ordered(value, world) for value in row)


def _ordered(value: Value, world: World) -> tuple[Any, ...]:
    if value is None:
        return (0,)
    if isinstance(value, str):
        return (2, value.casefold()) if world.dialect == MYSQL else (2, value.casefold(), value.swapcase())
    if isinstance(value, date):
        whole = value if isinstance(value, datetime) else datetime(value.year, value.month, value.day)
        return (3, whole.replace(tzinfo=None))
    return (1, value)
