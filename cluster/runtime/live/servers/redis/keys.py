"""Commands about keys: strings, lists, hashes, sets, sorted sets."""

import re
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any

import re2

from cluster.runtime.live.servers.redis.replies import NIL, NOT_INTEGER, OK, SYNTAX, Refused, bulk, integer, several
from cluster.runtime.live.servers.redis.server import SECOND, Command, Redis

# --- strings and keys -------------------------------------------------------------------------------------------


def _int(text: str) -> int:
    if not re.fullmatch(r"-?\d{1,18}", text):
        raise Refused(NOT_INTEGER)
    return int(text)


def _set(redis: Redis, args: list[str]) -> str:
    key, value, options = args[0], args[1], [word.upper() for word in args[2:]]
    expires, keep, before = None, False, redis.keys.get(key)
    at = 0
    while at < len(options):
        word = options[at]
        if word in ("EX", "PX") and at + 1 < len(options):
            amount = _int(options[at + 1])
            if amount <= 0:
                raise Refused("-ERR invalid expire time in 'set' command\r\n")
            expires = redis.place.at + amount * (SECOND if word == "EX" else 1_000)
            at += 1
        elif word == "KEEPTTL":
            keep = True
        elif word in ("NX", "XX"):
            if (before is None) == (word == "XX"):
                return NIL
        elif word != "GET":
            return SYNTAX
        at += 1
    old = redis.value(key, "string") if "GET" in options else None
    redis.put(key, "string", value, expires, keep)
    return bulk(old) if "GET" in options else OK


def _get(redis: Redis, args: list[str]) -> str:
    return bulk(redis.value(args[0], "string"))


def _added(redis: Redis, key: str, amount: int) -> str:
    value = _int(redis.value(key, "string") or "0") + amount
    if abs(value) >= 1 << 63:
        raise Refused("-ERR increment or decrement would overflow\r\n")
    redis.put(key, "string", str(value), keep=True)
    return integer(value)


def _add_fraction(redis: Redis, args: list[str]) -> str:
    try:
        value = Decimal(redis.value(args[0], "string") or "0") + Decimal(args[1])
    except InvalidOperation:
        raise Refused("-ERR value is not a valid float\r\n") from None
    text = f"{value:f}"
    redis.put(args[0], "string", text.rstrip("0").rstrip(".") if "." in text else text, keep=True)
    return _get(redis, args)


def _mset(redis: Redis, args: list[str]) -> str:
    if len(args) % 2:
        raise Refused("-ERR wrong number of arguments for 'mset' command\r\n")
    for key, value in zip(args[::2], args[1::2], strict=True):
        redis.put(key, "string", value)
    return OK


def _mget(redis: Redis, args: list[str]) -> str:
    found = (redis.keys.get(key) or ["", None] for key in args)
    return several([value if kind == "string" else None for kind, value, *_ in found])


def _append(redis: Redis, args: list[str]) -> str:
    value = (redis.value(args[0], "string") or "") + args[1]
    redis.put(args[0], "string", value, keep=True)
    return integer(len(value))


def _delete(redis: Redis, args: list[str]) -> str:
    return integer(sum(1 for key in args if redis.keys.pop(key, None) is not None))


def _getdel(redis: Redis, args: list[str]) -> str:
    found = redis.value(args[0], "string")
    redis.keys.pop(args[0], None)
    return bulk(found)


def _expire(unit: int, absolute: bool = False) -> Callable[[Redis, list[str]], str]:
    def do(redis: Redis, args: list[str]) -> str:
        found = redis.keys.get(args[0])
        if found is None:
            return integer(0)
        amount = _int(args[1]) * unit
        if absolute:
            amount -= int(redis.place.now.timestamp()) * SECOND
        found[2] = redis.place.at + amount
        return integer(1)

    return do


def _ttl(unit: int) -> Callable[[Redis, list[str]], str]:
    def do(redis: Redis, args: list[str]) -> str:
        found = redis.keys.get(args[0])
        if found is None or found[2] is None:
            return integer(-2 if found is None else -1)
        return integer((found[2] - redis.place.at + unit // 2) // unit)

    return do


def _persist(redis: Redis, args: list[str]) -> str:
    found = redis.keys.get(args[0])
    if found is None or found[2] is None:
        return integer(0)
    found[2] = None
    return integer(1)


def _matching(redis: Redis, pattern: str) -> list[str]:
    quoted = re2.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".").replace(r"\[", "[").replace(r"\]", "]")
    try:
        return [key for key in sorted(redis.keys) if re2.fullmatch(f"(?s){quoted}", key)]
    except re2.error:
        return []


def _scan(redis: Redis, args: list[str]) -> str:
    upper = [word.upper() for word in args]
    pattern = args[upper.index("MATCH") + 1] if "MATCH" in upper[:-1] else "*"
    return "*2\r\n" + bulk("0") + several(_matching(redis, pattern))


def _rename(redis: Redis, args: list[str]) -> str:
    found = redis.keys.pop(args[0], None)
    if found is None:
        raise Refused("-ERR no such key\r\n")
    redis.keys[args[1]] = found
    return OK


def _flush(redis: Redis, every: bool) -> str:
    redis.memory["db"] = {} if every else {**redis.memory.get("db", {}), redis.database: {}}
    return OK


# --- lists ------------------------------------------------------------------------------------------------------


def _push(left: bool) -> Callable[[Redis, list[str]], str]:
    def do(redis: Redis, args: list[str]) -> str:
        found = list(redis.value(args[0], "list") or [])
        found = [*reversed(args[1:]), *found] if left else [*found, *args[1:]]
        redis.put(args[0], "list", found, keep=True)
        return integer(len(found))

    return do


def _pop(left: bool) -> Callable[[Redis, list[str]], str]:
    def do(redis: Redis, args: list[str]) -> str:
        found = list(redis.value(args[0], "list") or [])
        count = _int(args[1]) if len(args) > 1 else 1
        if not found:
            return NIL if len(args) == 1 else "*-1\r\n"
        gone = found[:count] if left else found[::-1][:count]
        redis.put(args[0], "list", found[count:] if left else found[: len(found) - count], keep=True)
        return several(gone) if len(args) > 1 else bulk(gone[0])

    return do


def _between(values: list[Any], first: str, last: str) -> list[Any]:
    start, end = _int(first), _int(last)
    start = max(start + len(values), 0) if start < 0 else start
    end = end + len(values) if end < 0 else end
    return values[start : end + 1]


def _lrange(redis: Redis, args: list[str]) -> str:
    return several(_between(redis.value(args[0], "list") or [], args[1], args[2]))


def _lindex(redis: Redis, args: list[str]) -> str:
    found, at = redis.value(args[0], "list") or [], _int(args[1])
    return bulk(found[at]) if -len(found) <= at < len(found) else NIL


def _lset(redis: Redis, args: list[str]) -> str:
    found, at = redis.value(args[0], "list"), _int(args[1])
    if found is None:
        raise Refused("-ERR no such key\r\n")
    if not -len(found) <= at < len(found):
        raise Refused("-ERR index out of range\r\n")
    found[at] = args[2]
    return OK


def _lrem(redis: Redis, args: list[str]) -> str:
    found, count = list(redis.value(args[0], "list") or []), _int(args[1])
    kept, gone = list[str](), 0
    for one in found if count >= 0 else reversed(found):
        if one == args[2] and (count == 0 or gone < abs(count)):
            gone += 1
        else:
            kept.append(one)
    redis.put(args[0], "list", kept if count >= 0 else kept[::-1], keep=True)
    return integer(gone)


def _ltrim(redis: Redis, args: list[str]) -> str:
    redis.put(args[0], "list", _between(redis.value(args[0], "list") or [], args[1], args[2]), keep=True)
    return OK


# --- hashes, sets, sorted sets ----------------------------------------------------------------------------------


def _hset(redis: Redis, args: list[str]) -> str:
    if len(args) % 2 == 0:
        raise Refused("-ERR wrong number of arguments for 'hset' command\r\n")
    found = dict(redis.value(args[0], "hash") or {})
    new = sum(1 for name in dict.fromkeys(args[1::2]) if name not in found)
    redis.put(args[0], "hash", {**found, **dict(zip(args[1::2], args[2::2], strict=True))}, keep=True)
    return integer(new)


def _hmset(redis: Redis, args: list[str]) -> str:
    _hset(redis, args)
    return OK


def _hash(redis: Redis, key: str) -> dict[str, str]:
    found: dict[str, str] = redis.value(key, "hash") or {}
    return found


def _hgetall(redis: Redis, args: list[str]) -> str:
    return several([word for pair in _hash(redis, args[0]).items() for word in pair])


def _hdel(redis: Redis, args: list[str]) -> str:
    found = dict(_hash(redis, args[0]))
    gone = sum(1 for name in args[1:] if found.pop(name, None) is not None)
    redis.put(args[0], "hash", found, keep=True)
    return integer(gone)


def _hincrby(redis: Redis, args: list[str]) -> str:
    found = dict(_hash(redis, args[0]))
    value = _int(found.get(args[1], "0")) + _int(args[2])
    redis.put(args[0], "hash", {**found, args[1]: str(value)}, keep=True)
    return integer(value)


def _members(redis: Redis, key: str) -> list[str]:
    found: list[str] = redis.value(key, "set") or []
    return found


def _sadd(redis: Redis, args: list[str]) -> str:
    before = _members(redis, args[0])
    after = list(dict.fromkeys([*before, *args[1:]]))
    redis.put(args[0], "set", after, keep=True)
    return integer(len(after) - len(before))


def _srem(redis: Redis, args: list[str]) -> str:
    before = _members(redis, args[0])
    after = [one for one in before if one not in args[1:]]
    redis.put(args[0], "set", after, keep=True)
    return integer(len(before) - len(after))


def _together(how: str) -> Callable[[Redis, list[str]], str]:
    def do(redis: Redis, args: list[str]) -> str:
        first, *others = (_members(redis, key) for key in args)
        if how == "union":
            return several(list(dict.fromkeys([*first, *(one for each in others for one in each)])))
        inside = how == "inter"
        return several([one for one in first if all((one in each) == inside for each in others)])

    return do


def _scores(redis: Redis, key: str) -> dict[str, float]:
    found: dict[str, float] = redis.value(key, "zset") or {}
    return found


def _score(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise Refused("-ERR value is not a valid float\r\n") from None


def _shown(score: float) -> str:
    return str(int(score)) if score == int(score) and abs(score) < 1e17 else repr(score)


def _ordered(scores: dict[str, float]) -> list[str]:
    return sorted(scores, key=lambda member: (scores[member], member))


def _zadd(redis: Redis, args: list[str]) -> str:
    pairs = args[1:]
    if len(pairs) % 2:
        return SYNTAX
    before = _scores(redis, args[0])
    after = {**before, **{member: _score(score) for score, member in zip(pairs[::2], pairs[1::2], strict=True)}}
    redis.put(args[0], "zset", after, keep=True)
    return integer(len(after) - len(before))


def _zrange(reverse: bool) -> Callable[[Redis, list[str]], str]:
    def do(redis: Redis, args: list[str]) -> str:
        scores, options = _scores(redis, args[0]), [word.upper() for word in args[3:]]
        members = _ordered(scores)[:: -1 if reverse or "REV" in options else 1]
        found = _between(members, args[1], args[2])
        if "WITHSCORES" in options:
            return several([word for member in found for word in (member, _shown(scores[member]))])
        return several(found)

    return do


def _zrem(redis: Redis, args: list[str]) -> str:
    found = dict(_scores(redis, args[0]))
    gone = sum(1 for member in args[1:] if found.pop(member, None) is not None)
    redis.put(args[0], "zset", found, keep=True)
    return integer(gone)


def _zincrby(redis: Redis, args: list[str]) -> str:
    found = dict(_scores(redis, args[0]))
    found[args[2]] = found.get(args[2], 0.0) + _score(args[1])
    redis.put(args[0], "zset", found, keep=True)
    return bulk(_shown(found[args[2]]))


def _zscore(redis: Redis, args: list[str]) -> str:
    found = _scores(redis, args[0]).get(args[1])
    return NIL if found is None else bulk(_shown(found))


def _zrank(redis: Redis, args: list[str]) -> str:
    members = _ordered(_scores(redis, args[0]))
    return integer(members.index(args[1])) if args[1] in members else NIL


def _size(kind: str) -> Callable[[Redis, list[str]], str]:
    return lambda redis, args: integer(len(redis.value(args[0], kind) or ""))


KEYS: dict[str, Command] = {
    "PING": Command(lambda redis, args: bulk(args[0]) if args else "+PONG\r\n", 0, 1),
    "ECHO": Command(lambda redis, args: bulk(args[0]), 1, 1),
    "SET": Command(_set, 2, writes=True),
    "GET": Command(_get, 1, 1),
    "GETDEL": Command(_getdel, 1, 1, True),
    "SETNX": Command(lambda redis, args: integer(int(_set(redis, [*args, "NX"]) == OK)), 2, 2, True),
    "SETEX": Command(lambda redis, args: _set(redis, [args[0], args[2], "EX", args[1]]), 3, 3, True),
    "MSET": Command(_mset, 2, writes=True),
    "MGET": Command(_mget, 1),
    "APPEND": Command(_append, 2, 2, True),
    "STRLEN": Command(_size("string"), 1, 1),
    "INCR": Command(lambda redis, args: _added(redis, args[0], 1), 1, 1, True),
    "DECR": Command(lambda redis, args: _added(redis, args[0], -1), 1, 1, True),
    "INCRBY": Command(lambda redis, args: _added(redis, args[0], _int(args[1])), 2, 2, True),
    "DECRBY": Command(lambda redis, args: _added(redis, args[0], -_int(args[1])), 2, 2, True),
    "INCRBYFLOAT": Command(_add_fraction, 2, 2, True),
    "DEL": Command(_delete, 1, writes=True),
    "UNLINK": Command(_delete, 1, writes=True),
    "EXISTS": Command(lambda redis, args: integer(sum(1 for key in args if key in redis.keys)), 1),
    "EXPIRE": Command(_expire(SECOND), 2, 3, True),
    "PEXPIRE": Command(_expire(1_000), 2, 3, True),
    "EXPIREAT": Command(_expire(SECOND, True), 2, 3, True),
    "TTL": Command(_ttl(SECOND), 1, 1),
    "PTTL": Command(_ttl(1_000), 1, 1),
    "PERSIST": Command(_persist, 1, 1, True),
    "TYPE": Command(lambda redis, args: f"+{(redis.keys.get(args[0]) or ['none'])[0]}\r\n", 1, 1),
    "KEYS": Command(lambda redis, args: several(_matching(redis, args[0])), 1, 1),
    "SCAN": Command(_scan, 1),
    "RENAME": Command(_rename, 2, 2, True),
    "DBSIZE": Command(lambda redis, args: integer(len(redis.keys)), 0, 0),
    "FLUSHALL": Command(lambda redis, args: _flush(redis, True), 0, 1, True),
    "FLUSHDB": Command(lambda redis, args: _flush(redis, False), 0, 1, True),
    "LPUSH": Command(_push(True), 2, writes=True),
    "RPUSH": Command(_push(False), 2, writes=True),
    "LPOP": Command(_pop(True), 1, 2, True),
    "RPOP": Command(_pop(False), 1, 2, True),
    "LLEN": Command(_size("list"), 1, 1),
    "LRANGE": Command(_lrange, 3, 3),
    "LINDEX": Command(_lindex, 2, 2),
    "LSET": Command(_lset, 3, 3, True),
    "LREM": Command(_lrem, 3, 3, True),
    "LTRIM": Command(_ltrim, 3, 3, True),
    "HSET": Command(_hset, 3, writes=True),
    "HMSET": Command(_hmset, 3, writes=True),
    "HGET": Command(lambda redis, args: bulk(_hash(redis, args[0]).get(args[1])), 2, 2),
    "HMGET": Command(lambda redis, args: several([_hash(redis, args[0]).get(name) for name in args[1:]]), 2),
    "HGETALL": Command(_hgetall, 1, 1),
    "HDEL": Command(_hdel, 2, writes=True),
    "HKEYS": Command(lambda redis, args: several(list(_hash(redis, args[0]))), 1, 1),
    "HVALS": Command(lambda redis, args: several(list(_hash(redis, args[0]).values())), 1, 1),
    "HLEN": Command(_size("hash"), 1, 1),
    "HEXISTS": Command(lambda redis, args: integer(int(args[1] in _hash(redis, args[0]))), 2, 2),
    "HINCRBY": Command(_hincrby, 3, 3, True),
    "SADD": Command(_sadd, 2, writes=True),
    "SREM": Command(_srem, 2, writes=True),
    "SMEMBERS": Command(lambda redis, args: several(_members(redis, args[0])), 1, 1),
    "SISMEMBER": Command(lambda redis, args: integer(int(args[1] in _members(redis, args[0]))), 2, 2),
    "SCARD": Command(_size("set"), 1, 1),
    "SUNION": Command(_together("union"), 1),
    "SINTER": Command(_together("inter"), 1),
    "SDIFF": Command(_together("diff"), 1),
    "ZADD": Command(_zadd, 3, writes=True),
    "ZRANGE": Command(_zrange(False), 3),
    "ZREVRANGE": Command(_zrange(True), 3),
    "ZREM": Command(_zrem, 2, writes=True),
    "ZCARD": Command(_size("zset"), 1, 1),
    "ZSCORE": Command(_zscore, 2, 2),
    "ZRANK": Command(_zrank, 2, 2),
    "ZINCRBY": Command(_zincrby, 3, 3, True),
}  # fmt: skip
