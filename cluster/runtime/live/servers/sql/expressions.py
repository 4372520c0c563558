"""Literals, columns and operators: what they are worth in a row. NULL makes three values of two.

Mirrors:  MySQL 8.4 (text counts as a number, case does not matter) and PostgreSQL 18 (it does, types are strict)
Left out: date arithmetic beyond days, formats of to_char beyond the usual ones, regular expressions' rarer signs.
"""

import re
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation, localcontext
from typing import Any

import re2
from sqlglot import exp

from cluster.runtime.live.servers.sql.columns import column_of
from cluster.runtime.live.servers.sql.errors import MYSQL, SqlError
from cluster.runtime.live.servers.sql.scope import (
    DAY,
    Handler,
    Scope,
    World,
    compare,
    evaluate,
    is_true,
    named,
    number,
    place_of,
    truth,
)
from cluster.runtime.live.servers.sql.values import NUMBER, Value, fitted, kind_of, moment, text_of

# --- literals and columns ---------------------------------------------------------------------------------------


def _literal(node: exp.Literal, scope: Scope | None, world: World) -> Value:
    text = str(node.this)
    if node.is_string:
        return text
    if text.isdigit() and len(text) < 40:
        return int(text)
    return (Decimal(text) if "e" not in text.lower() else float(text)) if NUMBER.fullmatch(text) else text


def _column(node: exp.Column, scope: Scope | None, world: World) -> Value:
    if isinstance(node.this, exp.Star):
        raise SqlError("syntax", token='at or near "*"', near="*", line=1)
    return scope_value(node, scope, world)


def scope_value(node: exp.Column, scope: Scope | None, world: World) -> Value:
    table, name = node.table.lower(), node.name.lower()
    here: Scope | None = scope
    while here is not None:
        place = here.lookup().get((table, name))
        if place is not None:
            if place == -2:
                raise SqlError("ambiguous", column=node.name, where=scope.where if scope else "", at=place_of(node))
            if here.group is not None and not _may_stand_alone(here, place):
                full = ".".join(filter(None, here.names[place]))
                mysql = f"{world.database}.{full}" if world.dialect == MYSQL else full
                raise SqlError("group", full=mysql, place=1, at=place_of(node))
            return here.row[place] if here.row else None
        if not table and name in here.aliases:
            return evaluate(here.aliases[name], here, world)
        here = here.outer
    return _unknown(node, scope, world)


def _may_stand_alone(scope: Scope, place: int) -> bool:
    """Is a column of a group the same in all its rows? Then it need not be grouped by."""
    return bool(scope.keys.get("\0all")) or scope.names[place] in scope.keys.get("\0fixed", ())


def _unknown(node: exp.Column, scope: Scope | None, world: World) -> Value:
    name, table, at = node.name, node.table, place_of(node)
    tables = {one.lower() for one, _ in scope.names} if scope is not None else set()
    if world.dialect == MYSQL:
        full = f"{table}.{name}" if table else name
        raise SqlError("no column", column=full, where=scope.where if scope is not None else "field list")
    if table and table.lower() not in tables:
        raise SqlError("no from", table=table, column=name, at=at)
    quoted = f"{table}.{name}" if table else f'"{name}"'
    raise SqlError("no column", column=name, quoted=quoted, where="", at=at)


def _comparison(test: Callable[[int], bool]) -> Callable[..., Value]:
    def handler(node: exp.Binary, scope: Scope | None, world: World) -> Value:
        if isinstance(node.expression, exp.Any | exp.All) or isinstance(node.this, exp.Tuple):
            return _rowwise(node, scope, world, test)
        found = compare(evaluate(node.this, scope, world), evaluate(node.expression, scope, world), world)
        return None if found is None else test(found)

    return handler


def _rowwise(node: exp.Binary, scope: Scope | None, world: World, test: Callable[[int], bool]) -> Value:
    if not isinstance(node.this, exp.Tuple) or not isinstance(node.expression, exp.Tuple):
        raise SqlError("unsupported", what=named(node))
    left, right = ([evaluate(one, scope, world) for one in side.expressions] for side in (node.this, node.expression))
    for one, other in zip(left, right, strict=False):
        found = compare(one, other, world)
        if found is None or found:
            return None if found is None else test(found)
    return test(0)


def _and(node: exp.And, scope: Scope | None, world: World) -> Value:
    left = truth(evaluate(node.this, scope, world), world)
    if left is False:
        return False
    right = truth(evaluate(node.expression, scope, world), world)
    return False if right is False else (None if left is None or right is None else True)


def _or(node: exp.Or, scope: Scope | None, world: World) -> Value:
    left = truth(evaluate(node.this, scope, world), world)
    if left is True:
        return True
    right = truth(evaluate(node.expression, scope, world), world)
    return True if right is True else (None if left is None or right is None else False)


def _xor(node: exp.Xor, scope: Scope | None, world: World) -> Value:
    left, right = (truth(evaluate(one, scope, world), world) for one in (node.this, node.expression))
    return None if left is None or right is None else left != right


def _not(node: exp.Not, scope: Scope | None, world: World) -> Value:
    value = truth(evaluate(node.this, scope, world), world)
    return None if value is None else not value


def _is(node: exp.Is, scope: Scope | None, world: World) -> Value:
    value = evaluate(node.this, scope, world)
    if isinstance(node.expression, exp.Boolean):
        return truth(value, world) is bool(node.expression.this)
    return value is None


def _null_safe(node: exp.Binary, scope: Scope | None, world: World) -> Value:
    left, right = evaluate(node.this, scope, world), evaluate(node.expression, scope, world)
    same = (left is None and right is None) or compare(left, right, world) == 0
    return not same if isinstance(node, exp.NullSafeNEQ) else same


def _between(node: exp.Between, scope: Scope | None, world: World) -> Value:
    value = evaluate(node.this, scope, world)
    low = compare(value, evaluate(node.args["low"], scope, world), world)
    high = compare(value, evaluate(node.args["high"], scope, world), world)
    if (low is not None and low < 0) or (high is not None and high > 0):
        return False
    return None if low is None or high is None else True


def _in(node: exp.In, scope: Scope | None, world: World) -> Value:
    value = evaluate(node.this, scope, world)
    if query := node.args.get("query"):
        names, rows = world.select(query.unnest() if isinstance(query, exp.Subquery) else query, scope)
        if len(names) != 1:
            raise SqlError("several columns")
        options = [row[0] for row in rows]
    else:
        options = [evaluate(one, scope, world) for one in node.expressions]
    world.step(len(options))
    found = [compare(value, one, world) for one in options]
    return True if 0 in found else (None if None in found else False)


def _exists(node: exp.Exists, scope: Scope | None, world: World) -> Value:
    return bool(world.select(node.this, scope)[1])


def _subquery(node: exp.Expression, scope: Scope | None, world: World) -> Value:
    query = node.this if isinstance(node, exp.Subquery) else node
    names, rows = world.select(query, scope)
    if len(names) != 1:
        raise SqlError("several columns")
    if len(rows) > 1:
        raise SqlError("several rows")
    return rows[0][0] if rows else None


def _like(node: exp.Binary, scope: Scope | None, world: World, sign: str = "\\") -> Value:
    value, pattern = (text_of(evaluate(one, scope, world), world.dialect) for one in (node.this, node.expression))
    if value is None or pattern is None:
        return None
    folds = world.dialect == MYSQL or isinstance(node, exp.ILike)
    return matches_like(value, pattern, folds, sign)


def matches_like(value: str, pattern: str, folds: bool = True, sign: str = "\\") -> bool:
    """
    >>> matches_like("Ann", "a%"), matches_like("Ann", "a%", False), matches_like("a_", "a!_", True, "!")
    (True, False, True)
    """
    parts, escaped = [], False
    for one in pattern:
        if escaped or one not in (sign, "%", "_"):
            parts.append(re2.escape(one))
            escaped = False
        elif one == sign:
            escaped = True
        else:
            parts.append(".*" if one == "%" else ".")
    return re2.fullmatch(("(?is)" if folds else "(?s)") + "".join(parts), value) is not None


def _escaped(node: exp.Escape, scope: Scope | None, world: World) -> Value:
    return _like(node.this, scope, world, text_of(evaluate(node.expression, scope, world), world.dialect) or "")


def _regexp(node: exp.Expression, scope: Scope | None, world: World) -> Value:
    value, pattern = (text_of(evaluate(one, scope, world), world.dialect) for one in (node.this, node.expression))
    if value is None or pattern is None:
        return None
    folds = world.dialect == MYSQL or isinstance(node, exp.RegexpILike)
    try:
        return re2.search(("(?i)" if folds else "") + pattern[:1_000], value) is not None
    except re2.error:
        raise SqlError("unsupported", what=f"regular expression {pattern[:40]}") from None


# --- arithmetic -------------------------------------------------------------------------------------------------


def _arithmetic(sign: str) -> Callable[..., Value]:
    def handler(node: exp.Binary, scope: Scope | None, world: World) -> Value:
        left, right = evaluate(node.this, scope, world), evaluate(node.expression, scope, world)
        if left is None or right is None:
            return None
        return calculated(sign, left, right, world)

    return handler


def calculated(sign: str, left: Value, right: Value, world: World) -> Value:
    """Errors: SqlError."""
    if isinstance(left, date) or isinstance(right, date) or isinstance(left, timedelta) or isinstance(right, timedelta):
        return _shifted(sign, left, right, world)
    if world.dialect != MYSQL and (isinstance(left, bool) or isinstance(right, bool)):
        raise SqlError("no operator", left=kind_of(left), right=kind_of(right), name=sign)
    one, two = number(left, world), number(right, world)
    if isinstance(one, float) or isinstance(two, float):
        one, two = float(one), float(two)
    if sign in ("/", "div", "%") and two == 0:
        if world.dialect == MYSQL:
            return None
        raise SqlError("division")
    try:
        return _bounded(_figure(sign, one, two, world), world)
    except (InvalidOperation, OverflowError):
        raise SqlError("out of range", type="value", column="", row=1) from None


def _bounded(value: Any, world: World) -> Any:
    if isinstance(value, int) and abs(value) >= 1 << 63:
        raise SqlError("out of range", type="bigint", column="", row=1)
    return value


def _figure(sign: str, one: Any, two: Any, world: World) -> Any:
    if sign in "+-*":
        with localcontext(prec=65):
            return one + two if sign == "+" else one - two if sign == "-" else one * two
    if sign == "%":
        rest = abs(one) % abs(two)
        return -rest if one < 0 else rest
    if sign == "div":
        return int(one / two) if isinstance(one, float) else int(Decimal(one) / Decimal(two))
    if isinstance(one, float):
        return one / two
    if world.dialect == MYSQL:
        places = _scale(one) + 4
    elif isinstance(one, int) and isinstance(two, int):
        return abs(one) // abs(two) * (1 if (one < 0) == (two < 0) else -1)
    else:
        places = division_scale(Decimal(one), Decimal(two))
    with localcontext(prec=120):
        return (Decimal(one) / Decimal(two)).quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)


def _scale(value: Any) -> int:
    return max(-int(value.as_tuple().exponent), 0) if isinstance(value, Decimal) else 0


def division_scale(one: Decimal, two: Decimal) -> int:
    """Digits behind the point of a quotient: PostgreSQL's select_div_scale.

    >>> division_scale(Decimal(3), Decimal(2)), division_scale(Decimal(1), Decimal(3))
    (16, 20)
    """
    weights = []
    for value in (one, two):
        digits = f"{abs(value):f}"
        whole, _, behind = digits.partition(".")
        whole = whole.lstrip("0")
        if whole:
            weight = (len(whole) - 1) // 4
            first = int(whole[: len(whole) - 4 * weight])
        else:
            zeros = len(behind) - len(behind.lstrip("0"))
            weight = -(zeros // 4) - 1
            group = behind[zeros // 4 * 4 :][:4].ljust(4, "0")
            first = int(group) if behind.strip("0") else 0
            weight = weight if first else 0
        weights.append((weight, first))
    weight = weights[0][0] - weights[1][0] - (1 if weights[0][1] <= weights[1][1] else 0)
    return min(max(16 - weight * 4, _scale(one), _scale(two), 0), 1000)


def _shifted(sign: str, left: Value, right: Value, world: World) -> Value:
    """Dates and times, and how far they are apart."""
    if sign == "-" and isinstance(left, date) and isinstance(right, date):
        if not isinstance(left, datetime) and not isinstance(right, datetime):
            return (left - right).days
        raise SqlError("unsupported", what="the difference of two times")
    if isinstance(right, date) and sign == "+":
        left, right = right, left
    left = moment(left) if isinstance(left, str) else left
    if not isinstance(left, date) or sign not in "+-":
        raise SqlError("no operator", left=kind_of(left), right=kind_of(right), name=sign)
    if not isinstance(right, timedelta):
        right = timedelta(days=int(number(right, world)))
    try:
        if right % DAY and not isinstance(left, datetime):
            left = datetime(left.year, left.month, left.day)
        return left + right if sign == "+" else left - right
    except OverflowError:
        raise SqlError("out of range", type="timestamp", column="", row=1) from None


def _interval(node: exp.Interval, scope: Scope | None, world: World) -> Value:
    amount, unit = text_of(evaluate(node.this, scope, world), world.dialect) or "0", str(node.args.get("unit") or "")
    lengths = {"SECOND": 1, "MINUTE": 60, "HOUR": 3_600, "DAY": 86_400, "WEEK": 604_800}
    if unit.upper().rstrip("S") not in lengths or not re.fullmatch(r"-?\d{1,9}(\.\d+)?", amount):
        raise SqlError("unsupported", what=f"interval {amount} {unit}".strip())
    return timedelta(seconds=float(amount) * lengths[unit.upper().rstrip("S")])


def _negated(node: exp.Neg, scope: Scope | None, world: World) -> Value:
    value = number(evaluate(node.this, scope, world), world)
    return None if value is None else -value


def _joined(node: exp.Expression, scope: Scope | None, world: World) -> Value:
    """`||`, which MySQL takes for OR."""
    if world.dialect == MYSQL:
        return _or(node, scope, world)  # type: ignore[arg-type]
    parts = [text_of(evaluate(one, scope, world), world.dialect) for one in (node.this, node.expression)]
    return None if None in parts else "".join(part or "" for part in parts)


def _case(node: exp.Case, scope: Scope | None, world: World) -> Value:
    subject = evaluate(node.this, scope, world) if node.this is not None else None
    for one in node.args["ifs"]:
        if node.this is None:
            holds = is_true(one.this, scope, world)
        else:
            holds = compare(subject, evaluate(one.this, scope, world), world) == 0
        if holds:
            return evaluate(one.args["true"], scope, world)
    default = node.args.get("default")
    return evaluate(default, scope, world) if default is not None else None


def _if(node: exp.If, scope: Scope | None, world: World) -> Value:
    wanted = node.args["true"] if is_true(node.this, scope, world) else node.args.get("false")
    return evaluate(wanted, scope, world) if wanted is not None else None


def _cast(node: exp.Expression, scope: Scope | None, world: World) -> Value:
    value = evaluate(node.this, scope, world)
    wanted: Any = node.args["to"]
    column = column_of("", wanted, world.dialect)
    if value is None:
        return None
    if world.dialect == MYSQL and column.type in ("bigint", "int", "decimal", "double") and isinstance(value, str):
        value = number(value, world)
    if column.type in ("text", "varchar", "char") and not column.size:
        text = text_of(value, world.dialect)
        return ("true" if value else "false") if isinstance(value, bool) and world.dialect != MYSQL else text
    if isinstance(value, bool) and column.type in ("int", "bigint", "smallint"):
        return int(value)
    if column.type == "boolean" and isinstance(value, int) and not isinstance(value, bool):
        return bool(value)
    if column.type in ("varchar", "char") and column.size:
        return (text_of(value, world.dialect) or "")[: column.size[0]]
    return fitted(value, column, world.dialect)


OPERATORS: dict[type, Handler] = {
    exp.Literal: _literal,
    exp.Column: _column,
    exp.Null: lambda node, scope, world: None,
    exp.Boolean: lambda node, scope, world: bool(node.this) if world.dialect != MYSQL else int(bool(node.this)),
    exp.Paren: lambda node, scope, world: evaluate(node.this, scope, world),
    exp.Alias: lambda node, scope, world: evaluate(node.this, scope, world),
    exp.National: lambda node, scope, world: str(node.this),
    exp.EQ: _comparison(lambda found: found == 0),
    exp.NEQ: _comparison(lambda found: found != 0),
    exp.LT: _comparison(lambda found: found < 0),
    exp.LTE: _comparison(lambda found: found <= 0),
    exp.GT: _comparison(lambda found: found > 0),
    exp.GTE: _comparison(lambda found: found >= 0),
    exp.NullSafeEQ: _null_safe,
    exp.NullSafeNEQ: _null_safe,
    exp.And: _and,
    exp.Or: _or,
    exp.Xor: _xor,
    exp.Not: _not,
    exp.Is: _is,
    exp.Between: _between,
    exp.In: _in,
    exp.Exists: _exists,
    exp.Subquery: _subquery,
    exp.Select: _subquery,
    exp.Like: _like,
    exp.ILike: _like,
    exp.Escape: _escaped,
    exp.RegexpLike: _regexp,
    exp.RegexpILike: _regexp,
    exp.Add: _arithmetic("+"),
    exp.Sub: _arithmetic("-"),
    exp.Mul: _arithmetic("*"),
    exp.Div: _arithmetic("/"),
    exp.IntDiv: _arithmetic("div"),
    exp.Mod: _arithmetic("%"),
    exp.Neg: _negated,
    exp.DPipe: _joined,
    exp.Interval: _interval,
    exp.Case: _case,
    exp.If: _if,
    exp.Cast: _cast,
    exp.TryCast: _cast,
    exp.AtTimeZone: lambda node, scope, world: evaluate(node.this, scope, world),
}
