"""Functions: of groups (count, sum …), of text, numbers and times, and what a server says of itself.

Left out: formats of to_char, JSON functions, and all that is not in the tables below.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from hashlib import md5
from typing import Any

from sqlglot import exp

from cluster.runtime import noise
from cluster.runtime.live.servers.sql.errors import MYSQL, SqlError
from cluster.runtime.live.servers.sql.expressions import calculated
from cluster.runtime.live.servers.sql.scope import (
    LONGEST,
    Handler,
    Scope,
    World,
    compare,
    evaluate,
    named,
    number,
    sort_key,
)
from cluster.runtime.live.servers.sql.values import Value, kind_of, moment, text_of

# --- aggregates -------------------------------------------------------------------------------------------------


def _aggregate(node: Any, scope: Scope | None, world: World) -> Value:
    handler = AGGREGATES.get(type(node))
    if handler is None:
        raise SqlError("unsupported", what=named(node))
    if scope is None or scope.group is None:
        raise SqlError("aggregate", where=(scope.where if scope else "WHERE").split()[0].upper().replace("CLAUSE", ""))
    subject = node.this
    if isinstance(node, exp.GroupConcat):
        return _group_concat(node, scope, world)
    if isinstance(node, exp.Count) and (isinstance(subject, exp.Star) or subject is None):
        return len(scope.group)
    distinct = isinstance(subject, exp.Distinct)
    several = subject.expressions if distinct else [subject]
    values = [tuple(evaluate(one, scope.with_row(row), world) for one in several) for row in scope.group]
    kept = [row for row in values if None not in row]
    if distinct:
        kept = list({sort_key(row, world): row for row in kept}.values())
    return handler([row[0] for row in kept], world)


def _group_concat(node: exp.GroupConcat, scope: Scope, world: World) -> Value:
    subject, order = node.this, None
    if isinstance(subject, exp.Order):
        subject, order = subject.this, subject.expressions
    rows = list(scope.group or ())
    for one in reversed(order or []):
        rows.sort(key=lambda row: sort_key((evaluate(one.this, scope.with_row(row), world),), world),
                  reverse=bool(one.args.get("desc")))  # fmt: skip
    values = [text_of(evaluate(subject, scope.with_row(row), world), world.dialect) for row in rows]
    separator = node.args.get("separator")
    between = text_of(evaluate(separator, scope, world), world.dialect) if separator is not None else ","
    kept = [value for value in values if value is not None]
    return (between or "").join(kept) if kept else None


def _sum(values: list[Value], world: World) -> Value:
    if not values:
        return None
    figures = [number(value, world) for value in values]
    if any(isinstance(one, float) for one in figures):
        return float(sum(float(one) for one in figures))
    return sum(figures)


def _avg(values: list[Value], world: World) -> Value:
    total = _sum(values, world)
    if total is None:
        return None
    whole = Decimal(total) if isinstance(total, int) and world.dialect != MYSQL else total
    return calculated("/", whole, len(values), world)


def _extreme(sign: int) -> Callable[[list[Value], World], Value]:
    def handler(values: list[Value], world: World) -> Value:
        best = None
        for value in values:
            if best is None or (compare(value, best, world) or 0) * sign > 0:
                best = value
        return best

    return handler


AGGREGATES: dict[type, Callable[[list[Value], World], Value]] = {
    exp.Count: lambda values, world: len(values),
    exp.Sum: _sum,
    exp.Avg: _avg,
    exp.Min: _extreme(-1),
    exp.Max: _extreme(1),
    exp.GroupConcat: lambda values, world: None,
    exp.LogicalAnd: lambda values, world: all(values) if values else None,
    exp.LogicalOr: lambda values, world: any(values) if values else None,
}


# --- functions --------------------------------------------------------------------------------------------------


def _function(call: Callable[..., Value], strict: bool = True) -> Callable[..., Value]:
    """A handler out of `call(world, *values)`; `strict`: NULL if any argument is."""

    def handler(node: exp.Expression, scope: Scope | None, world: World) -> Value:
        found: list[Value] = []
        for name in node.arg_types:
            given = node.args.get(name)
            for one in given if isinstance(given, list) else [given]:
                if isinstance(one, exp.Expression):
                    found.append(evaluate(one, scope, world))
        return None if strict and None in found else call(world, *found)

    return handler


def _anonymous(node: exp.Anonymous, scope: Scope | None, world: World) -> Value:
    name = str(node.this).lower()
    values = [evaluate(one, scope, world) for one in node.expressions]
    if name not in NAMED or (NAMED[name][1] and NAMED[name][1] != world.dialect):
        raise SqlError("no function", name=name, database=world.database, types=", ".join(map(kind_of, values)),
                       at=node.meta.get("start"))  # fmt: skip
    try:
        return NAMED[name][0](world, *values)
    except TypeError:
        raise SqlError("arguments", name=name, types=", ".join(map(kind_of, values))) from None


def _text(world: World, value: Value) -> str:
    return text_of(value, world.dialect) or ""


def _concat(node: exp.Expression, scope: Scope | None, world: World) -> Value:
    parts = [text_of(evaluate(one, scope, world), world.dialect) for one in node.expressions]
    if world.dialect == MYSQL and None in parts:
        return None
    return "".join(part or "" for part in parts)


def _concat_ws(node: exp.Expression, scope: Scope | None, world: World) -> Value:
    between, *parts = (text_of(evaluate(one, scope, world), world.dialect) for one in node.expressions)
    return None if between is None else between.join(part for part in parts if part is not None)


def _coalesce(node: exp.Expression, scope: Scope | None, world: World) -> Value:
    for one in (node.this, *node.expressions):
        value = evaluate(one, scope, world)
        if value is not None:
            return value
    return None


def _part(name: str) -> Callable[..., Value]:
    def call(world: World, value: Value) -> Value:
        found = moment(value)
        if found is None:
            return None
        if name in ("hour", "minute", "second"):
            return getattr(found, name, 0)
        if name == "dow":
            return found.isoweekday() % 7
        return int((found - datetime(1970, 1, 1)).total_seconds()) if name == "epoch" else getattr(found, name)

    return _function(call)


def _extract(node: exp.Extract, scope: Scope | None, world: World) -> Value:
    value, name = moment(evaluate(node.expression, scope, world)), str(node.this).lower()
    if value is None:
        return None
    if name not in ("year", "month", "day", "hour", "minute", "second", "dow"):
        raise SqlError("unsupported", what=f"extract({name})")
    return value.isoweekday() % 7 if name == "dow" else getattr(value, name, 0)


def _substring(world: World, value: Value, start: Value, length: Value = None) -> Value:
    text, first = _text(world, value), int(number(start, world))
    at = first - 1 if first > 0 else (max(len(text) + first, 0) if world.dialect == MYSQL and first else first - 1)
    end = len(text) if length is None else at + max(int(number(length, world)), 0)
    return "" if world.dialect == MYSQL and first == 0 else text[max(at, 0) : max(end, 0)]


def _replaced(world: World, value: Value, old: Value, new: Value = "") -> Value:
    text, sought, put = (_text(world, one) for one in (value, old, new))
    if not sought:
        return value
    if len(text) + text.count(sought) * len(put) > LONGEST:
        raise SqlError("too much")
    return text.replace(sought, put)


def _round(world: World, value: Value, places: Value = 0) -> Value:
    figure, digits = number(value, world), int(number(places, world))
    if not -30 <= digits <= 30:
        raise SqlError("out of range", type="integer", column="", row=1)
    if isinstance(figure, float):
        rounded = Decimal(repr(figure)).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)
        return float(rounded)
    rounded = Decimal(figure).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)
    return int(rounded) if isinstance(figure, int) and digits <= 0 else rounded


def _whole(up: bool) -> Callable[..., Value]:
    def call(world: World, value: Value) -> Value:
        figure = number(value, world)
        return int(figure.__ceil__() if up else figure.__floor__()) if not isinstance(figure, int) else figure

    return _function(call)


def _padded(left: bool) -> Callable[..., Value]:
    def call(world: World, value: Value, size: Value, sign: Value = " ") -> Value:
        text, length, fill = _text(world, value), min(int(number(size, world)), 10_000), _text(world, sign) or " "
        missing = (fill * max(length, 0))[: max(length - len(text), 0)]
        return (missing + text if left else text + missing)[: max(length, 0)]

    return call


def _formatted(world: World, value: Value, pattern: Value) -> Value:
    """date_format of MySQL; sqlglot has turned its signs into those of Python."""
    found = moment(value)
    if found is None:
        return None
    whole = found if isinstance(found, datetime) else datetime(found.year, found.month, found.day)
    return whole.strftime(re.sub(r"%(?![%YmdHMSyjpIbBaAfF-])", "", _text(world, pattern))[:200])


def _truncated(world: World, unit: Value, value: Value) -> Value:
    found, name = moment(value), _text(world, unit).lower()
    if found is None:
        return None
    whole = found if isinstance(found, datetime) else datetime(found.year, found.month, found.day)
    names = ("year", "month", "day", "hour", "minute", "second")
    if name not in names:
        raise SqlError("unsupported", what=f"date_trunc('{name}')")
    floor: dict[str, Any] = {"month": 1, "day": 1, "hour": 0, "minute": 0, "second": 0, "microsecond": 0}
    return whole.replace(**{each: floor[each] for each in (*names, "microsecond")[names.index(name) + 1 :]})


def _uuid(world: World) -> str:
    digits = noise.hexadecimal(32, world.roll())
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"


def _session(node: exp.Expression, scope: Scope | None, world: World) -> Value:
    """@@name"""
    return variable(node.name, world)


def variable(name: str, world: World) -> Value:
    """Errors: SqlError."""
    known = variables(world)
    if name.lower() not in known:
        raise SqlError("no variable", name=name)
    return known[name.lower()]


def variables(world: World) -> dict[str, Value]:
    """Of MySQL, or settings of PostgreSQL."""
    if world.dialect == MYSQL:
        maria = "Maria" in world.version
        comment = "mariadb.org binary distribution" if maria else "MySQL Community Server - GPL"
        return {
            "autocommit": 1, "character_set_client": "utf8mb4", "character_set_server": "utf8mb4",
            "collation_server": "utf8mb4_uca1400_ai_ci" if maria else "utf8mb4_0900_ai_ci",
            "datadir": "/var/lib/mysql/",
            "default_storage_engine": "InnoDB", "hostname": "localhost", "max_allowed_packet": 67108864,
            "max_connections": 151, "port": 3306, "read_only": 0, "server_id": 1,
            "socket": "/var/run/mysqld/mysqld.sock",
            "sql_mode": "ONLY_FULL_GROUP_BY,STRICT_TRANS_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,"
            "ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION",
            "time_zone": "SYSTEM", "transaction_isolation": "REPEATABLE-READ",
            "version": world.version, "version_comment": comment,
        }  # fmt: skip
    return {
        "server_version": world.version, "server_encoding": "UTF8", "client_encoding": "UTF8", "timezone": "Etc/UTC",
        "datestyle": "ISO, MDY", "max_connections": "100", "shared_buffers": "128MB", "search_path": '"$user", public',
        "port": "5432", "listen_addresses": "*", "transaction_isolation": "read committed", "is_superuser": "on",
        "data_directory": "/var/lib/postgresql/data", "standard_conforming_strings": "on", "wal_level": "replica",
    }  # fmt: skip


def _version(world: World) -> str:
    if world.dialect == MYSQL:
        return world.version
    built = "x86_64-pc-linux-gnu, compiled by gcc (Debian 14.2.0-19) 14.2.0, 64-bit"
    return f"PostgreSQL {world.version} (Debian {world.version}-1.pgdg13+1) on {built}"


def _now(node: exp.Expression, scope: Scope | None, world: World) -> Value:
    return world.now.replace(microsecond=0) if world.dialect == MYSQL else world.now.replace(tzinfo=UTC)


def _user(node: exp.Expression, scope: Scope | None, world: World) -> Value:
    return world.user


NAMED: dict[str, tuple[Callable[..., Value], str]] = {
    "now": (lambda world: world.now.replace(microsecond=0), ""),
    "user": (lambda world: world.user, ""),
    "version": (_version, ""),
    "database": (lambda world: world.database or None, ""),
    "current_database": (lambda world: world.database, "postgres"),
    "last_insert_id": (lambda world: world.last_id, MYSQL),
    "connection_id": (lambda world: 8, MYSQL),
    "found_rows": (lambda world: world.found_rows, MYSQL),
    "inet_server_port": (lambda world: 5432, "postgres"),
    "nextval": (lambda world, name: world.sequence(name, "next"), "postgres"),
    "currval": (lambda world, name: world.sequence(name, "now"), "postgres"),
    "pg_size_pretty": (lambda world, size: f"{size} bytes", "postgres"),
    "isnull": (lambda world, value: value is None, MYSQL),
    "random": (lambda world: (world.roll() % (1 << 53)) / (1 << 53), "postgres"),
    "rand": (lambda world, *seed: (world.roll() % (1 << 53)) / (1 << 53), MYSQL),
    "gen_random_uuid": (_uuid, "postgres"),
    "uuid": (_uuid, MYSQL),
    "lpad": (_padded(True), ""),
    "rpad": (_padded(False), ""),
    "pg_is_in_recovery": (lambda world: False, "postgres"),
    "timezone": (lambda world, zone, value: value, "postgres"),
}
FUNCTIONS: dict[type, Handler] = {
    exp.AggFunc: _aggregate,
    exp.Anonymous: _anonymous,
    exp.Concat: _concat,
    exp.ConcatWs: _concat_ws,
    exp.Coalesce: _coalesce,
    exp.Nullif: _function(lambda world, one, two: None if compare(one, two, world) == 0 else one, strict=False),
    exp.Lower: _function(lambda world, value: _text(world, value).lower()),
    exp.Upper: _function(lambda world, value: _text(world, value).upper()),
    exp.Length: _function(lambda world, value: len(_text(world, value))),
    exp.Trim: _function(lambda world, value, signs=" ": _text(world, value).strip(signs)),
    exp.Substring: _function(_substring),
    exp.Left: _function(lambda world, value, size: _text(world, value)[: max(int(number(size, world)), 0)]),
    exp.Right: _function(
        lambda world, value, size: _text(world, value)[-int(number(size, world)) :] if number(size, world) > 0 else ""
    ),
    exp.Replace: _function(_replaced),
    exp.Reverse: _function(lambda world, value: _text(world, value)[::-1]),
    exp.Initcap: _function(lambda world, value, *signs: _text(world, value).title()),
    exp.MD5: _function(lambda world, value: md5(_text(world, value).encode("utf-8", "replace")).hexdigest()),
    exp.Abs: _function(lambda world, value: abs(number(value, world))),
    exp.Round: _function(_round),
    exp.Floor: _whole(False),
    exp.Ceil: _whole(True),
    exp.Greatest: _function(lambda world, *values: _extreme(1)(list(values), world)),
    exp.Least: _function(lambda world, *values: _extreme(-1)(list(values), world)),
    exp.Year: _part("year"),
    exp.Month: _part("month"),
    exp.Day: _part("day"),
    exp.DayOfMonth: _part("day"),
    exp.Hour: _part("hour"),
    exp.Minute: _part("minute"),
    exp.Second: _part("second"),
    exp.Extract: _extract,
    exp.TsOrDsToDate: _function(lambda world, value, *pattern: _day(value)),
    exp.TsOrDsToTimestamp: _function(lambda world, value: moment(value)),
    exp.Date: _function(lambda world, value, *more: _day(value)),
    exp.DateDiff: _function(lambda world, one, two, *unit: (_day(one) - _day(two)).days),
    exp.DateAdd: _function(lambda world, value, amount, *unit: calculated("+", value, amount, world)),
    exp.DateSub: _function(lambda world, value, amount, *unit: calculated("-", value, amount, world)),
    exp.TimeToStr: _function(_formatted),
    exp.TimestampTrunc: lambda node, scope, world: _truncated(
        world, str(node.args.get("unit") or ""), evaluate(node.this, scope, world)
    ),
    exp.CurrentTimestamp: _now,
    exp.CurrentDate: lambda node, scope, world: world.now.date(),
    exp.CurrentUser: _user,
    exp.SessionUser: _user,
    exp.CurrentSchema: lambda node, scope, world: (world.database or None) if world.dialect == MYSQL else "public",
    exp.CurrentDatabase: lambda node, scope, world: world.database or None,
    exp.CurrentCatalog: lambda node, scope, world: world.database or None,
    exp.CurrentVersion: lambda node, scope, world: _version(world),
    exp.SessionParameter: _session,
    exp.Rand: lambda node, scope, world: (world.roll() % (1 << 53)) / (1 << 53),
    exp.Uuid: lambda node, scope, world: _uuid(world),
}


def _day(value: Value) -> Any:
    found = moment(value)
    return found.date() if isinstance(found, datetime) else found
