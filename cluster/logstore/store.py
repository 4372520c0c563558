"""The store: streams of lines in blocks. `append` writes them, `search` answers a query from committed rows.

A block takes lines until it has BLOCK_BYTES, and is then sealed. On SQLite a trigger puts a sealed block into a
full-text index of trigrams, and another takes it out (migration 0005), so that a query with `|= "text"` reads only
blocks that can hold the text, and those that are still open. On PostgreSQL blocks are read one after the other.
Index or not, the lines themselves decide.

    kept      RETENTION of simulated time and MOST_BYTES a cluster, the oldest go first
    a query   reads at most MOST_READ bytes of blocks, and says so if that is too little

Mirrors:  Loki's query limits (max_query_bytes_read), retention_period
Left out: out-of-order and rate limits; deleting by query; a store that goes with its pod's volume.
"""

from collections.abc import Callable, Iterable, Mapping
from itertools import product
from typing import Any, NamedTuple

import orjson
from django.db import connection
from django.db.models import Sum

from cluster.engine.clock import SECOND
from cluster.logstore.logql import Query
from cluster.models import LogBlock, LogStream

BLOCK_BYTES = 16 * 1024
MOST_BYTES = 256 * 1024 * 1024  # Of blocks; an index of trigrams takes about as much again.
RETENTION = 7 * 24 * 3600 * SECOND
MOST_READ = 256 * 1024 * 1024
AT_ONCE = 50  # Blocks that are read with one statement.
THIRD_WAY = frozenset("ks")  # Letters that a pattern also finds as Kelvin sign and long s.
MOST_AT_ONCE = 5_000  # Lines that a follower gets at once.
GROW = "UPDATE cluster_logblock SET last = %s, times = %s, body = %s, size = %s, sealed = %s WHERE id = %s"
TRIGRAMS = 40  # Of a text that is looked for; more would not narrow it further.

Rows = Callable[[str, list[Any]], list[tuple[Any, ...]]]  # Of one statement, with `%s` for parameters.
Timed = tuple[int, str]  # Microseconds since t = 0, and a line.


class TooMuch(Exception):
    """The query would read more than it may."""


class Entry(NamedTuple):
    """A line that answers a query. `stream`: its labels as JSON; `place`: its order among lines of one moment.

    `origin`: the labels that the stream has in the store, if parsers found more; `value`: what was unwrapped.
    """

    at: int
    stream: str
    place: tuple[int, int]
    text: str
    origin: str = ""
    value: float | None = None

    @property
    def key(self) -> "Key":
        return self.at, self.place


Key = tuple[int, tuple[int, int]]  # Of a line: by it lines are in order.


def rows(statement: str, parameters: list[Any]) -> list[tuple[Any, ...]]:
    """On Django's connection."""
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return list(cursor.fetchall())


def labels_of(labels: Mapping[str, str]) -> str:
    """The name of a stream: its labels as JSON, sorted."""
    return orjson.dumps(labels, option=orjson.OPT_SORT_KEYS).decode()


# --- writing ----------------------------------------------------------------------------------------------------


def append(cluster: int, streams: Mapping[str, list[Timed]], now: int) -> None:
    """Add lines, in order of time, to streams. Within a transaction of the owner."""
    ids = _ids(cluster, streams)
    opened = _opened(ids.values())
    grown, begun = list[LogBlock](), list[LogBlock]()
    for labels, lines in streams.items():
        block = opened.get(ids[labels])
        for part in _parts(lines, block.size if block is not None else 0):
            (begun if block is None else grown).append(_extended(cluster, ids[labels], block, part))
            block = None
    LogBlock.objects.bulk_create(begun, batch_size=AT_ONCE)
    with connection.cursor() as cursor:
        cursor.executemany(GROW, [(b.last, b.times, b.body, b.size, b.sealed, b.pk) for b in grown])
    if any(block.sealed for block in (*grown, *begun)):
        forget_old(cluster, now)


def _ids(cluster: int, streams: Iterable[str]) -> dict[str, int]:
    """Labels -> id of the stream, which is made if there is none."""
    wanted, ids = list(streams), dict[str, int]()
    for part, marks in _portions(wanted):
        statement = f"SELECT labels, id FROM cluster_logstream WHERE cluster_id = %s AND labels IN ({marks})"
        ids |= dict(rows(statement, [cluster, *part]))
    for labels in wanted:
        if labels not in ids:
            ids[labels] = LogStream.objects.create(cluster_id=cluster, labels=labels).pk
    return ids


def _opened(streams: Iterable[int]) -> dict[int, LogBlock]:
    """The blocks of these streams that still grow."""
    found = {}
    for part, marks in _portions(list(streams)):
        statement = f"SELECT id, stream_id, first, times, body, size FROM cluster_logblock WHERE stream_id IN ({marks})"
        for identity, stream, first, times, body, size in rows(f"{statement} AND NOT sealed", part):
            block = LogBlock(id=identity, stream_id=stream, first=first, times=times, body=body, size=size)
            found[stream] = block
    return found


def _portions(values: list[Any]) -> Iterable[tuple[list[Any], str]]:
    """Some at a time, with as many marks: Django's own lookups take longer than the database does."""
    for place in range(0, len(values), AT_ONCE * 10):
        part = values[place : place + AT_ONCE * 10]
        yield part, ", ".join(["%s"] * len(part))


def _parts(lines: list[Timed], size: int) -> Iterable[list[Timed]]:
    """The lines, cut where a block is full. `size`: what the first block holds already."""
    part: list[Timed] = []
    for line in lines:
        part.append(line)
        size += len(line[1].encode()) + 8
        if size >= BLOCK_BYTES:
            yield part
            part, size = [], 0
    if part:
        yield part


def _extended(cluster: int, stream: int, block: LogBlock | None, lines: list[Timed]) -> LogBlock:
    """A block with more lines, or a new one."""
    first, texts, times = lines[0][0], [text for _, text in lines], list[int]()
    if block is None:
        block = LogBlock(cluster_id=cluster, stream_id=stream, first=first)
    else:
        texts, times = [block.body, *texts], orjson.loads(block.times)
    times += [at - block.first for at, _ in lines]
    block.last, block.body, block.times = lines[-1][0], "\n".join(texts), orjson.dumps(times).decode()
    block.size = len(block.body.encode()) + len(block.times)
    block.sealed = block.size >= BLOCK_BYTES
    return block


def forget_old(cluster: int, now: int) -> None:
    """Delete what is older than RETENTION, and the oldest of what is more than MOST_BYTES."""
    mine = LogBlock.objects.filter(cluster_id=cluster)
    mine.filter(last__lt=now - RETENTION).delete()
    excess = (mine.aggregate(total=Sum("size"))["total"] or 0) - MOST_BYTES
    doomed = []
    for identity, size in mine.order_by("last", "pk").values_list("pk", "size").iterator():
        if excess <= 0:
            break
        doomed.append(identity)
        excess -= size
    for start in range(0, len(doomed), AT_ONCE):
        mine.filter(pk__in=doomed[start : start + AT_ONCE]).delete()
    LogStream.objects.filter(cluster_id=cluster, logblock__isnull=True).delete()


# --- reading ----------------------------------------------------------------------------------------------------


def streams(ask: Rows, cluster: int, start: int, end: int) -> dict[int, str]:
    """Id -> labels of the streams that have lines around [start, end)."""
    found = ask(
        "SELECT id, labels FROM cluster_logstream s WHERE cluster_id = %s AND EXISTS (SELECT 1 FROM cluster_logblock b"
        " WHERE b.stream_id = s.id AND b.last >= %s AND b.first < %s) ORDER BY id",
        [cluster, start, end],
    )
    return dict(found)


def search(
    ask: Rows,
    cluster: int,
    query: Query,
    start: int,
    end: int,
    limit: int,
    forward: bool = False,
    beyond: Key | None = None,
) -> list[Entry]:
    """The newest (`forward`: oldest) `limit` lines of [start, end) that answer, in that order. Errors: TooMuch.

    `beyond`: only lines that come after this one in that order; so the next page begins behind the last line of one.
    """
    if beyond is not None:
        start, end = (max(start, beyond[0]), end) if forward else (start, min(end, beyond[0] + 1))
    chosen = {
        identity: labels
        for identity, labels in streams(ask, cluster, start, end).items()
        if query.selects(orjson.loads(labels))
    }
    blocks = [block for block in _blocks(ask, cluster, query, start, end, forward) if block[1] in chosen]
    found: list[Entry] = []
    asked, read, sign = Asked(query, start, end, limit, forward, beyond), 0, 1 if forward else -1
    for place in range(0, len(blocks), AT_ONCE):
        part = blocks[place : place + AT_ONCE]
        if len(found) >= limit and sign * part[0][2] > sign * found[limit - 1].at:
            break
        read += sum(size for *_, size in part)
        _refuse_more_than(MOST_READ, read)
        worst = found[-1].at if len(found) >= limit else None
        for block in _bodies(ask, [block[0] for block in part]):
            found += _answers(block, chosen, asked, worst)
        found.sort(key=lambda entry: entry.key, reverse=not forward)
        del found[limit:]
    return found


Block = tuple[int, int, int, int]  # Id, stream, time of its end that is met first, bytes.


def _blocks(ask: Rows, cluster: int, query: Query, start: int, end: int, forward: bool) -> list[Block]:
    """Blocks that may hold an answer, in the order in which they are to be read."""
    edge, order = ("first", "ASC") if forward else ("last", "DESC")
    parameters: list[Any]
    where, parameters = "cluster_id = %s AND last >= %s AND first < %s", [cluster, start, end]
    wanted = trigrams(query.needles, query.loose) if connection.vendor == "sqlite" else ""
    if wanted:
        where += " AND (NOT sealed OR id IN (SELECT rowid FROM cluster_logindex WHERE cluster_logindex MATCH %s))"
        parameters = [*parameters, wanted]
    statement = f"SELECT id, stream_id, {edge}, size FROM cluster_logblock WHERE {where} ORDER BY {edge} {order}, id"
    return [(block[0], block[1], block[2], block[3]) for block in ask(statement, parameters)]


def trigrams(needles: Iterable[str], loose: Iterable[str] = ()) -> str:
    """What FTS5 is asked for: all trigrams of the texts. Empty: they are too short to narrow anything.

    `loose`: texts that may be in capitals or not: of each trigram any way of writing it will do.

    >>> trigrams(["time", 'a"b', "no"])
    '"tim" AND "ime" AND "a""b"'
    >>> trigrams([], ["a1B"])
    '("a1b" OR "a1B" OR "A1b" OR "A1B")'
    """
    parts = [_quoted(part) for part in _parts_of(needles)]
    for part in _parts_of(loose):
        if THIRD_WAY.intersection(part.lower()):
            continue
        ways = ["".join(way) for way in product(*(dict.fromkeys((c.lower(), c.upper())) for c in part))]
        parts.append(f"({' OR '.join(map(_quoted, ways))})")
    return " AND ".join(parts[:TRIGRAMS])


def _parts_of(texts: Iterable[str]) -> Iterable[str]:
    found = [text[at : at + 3] for text in texts if "\0" not in text for at in range(len(text) - 2)]
    return [part for part in dict.fromkeys(found) if "\n" not in part]


def _quoted(part: str) -> str:
    return '"' + part.replace('"', '""') + '"'


def _bodies(ask: Rows, blocks: list[int]) -> list[tuple[Any, ...]]:
    marks = ", ".join(["%s"] * len(blocks))
    return ask(f"SELECT id, stream_id, first, times, body FROM cluster_logblock WHERE id IN ({marks})", blocks)


class Asked(NamedTuple):
    """What `search` was asked."""

    query: Query
    start: int
    end: int
    limit: int
    forward: bool
    beyond: Key | None = None

    def takes(self, key: Key) -> bool:
        if not self.start <= key[0] < self.end:
            return False
        return self.beyond is None or (key > self.beyond if self.forward else key < self.beyond)


def _answers(block: tuple[Any, ...], labels: Mapping[int, str], asked: Asked, worst: int | None) -> list[Entry]:
    """The lines of a block that answer, best first, and none that is further away than `worst`."""
    identity, stream, first, times, body = block
    if not all(needle in body for needle in asked.query.needles):
        return []
    found: list[Entry] = []
    texts, offsets, sign = body.split("\n"), orjson.loads(times), 1 if asked.forward else -1
    for place in range(len(texts))[::sign]:
        at = first + offsets[place]
        if len(found) == asked.limit or (worst is not None and sign * at > sign * worst):
            break
        if asked.takes((at, (identity, place))):
            entry = taken(asked.query, at, labels[stream], (identity, place), texts[place])
            found += [entry] if entry is not None else []
    return found


def taken(query: Query, at: int, stream: str, place: tuple[int, int], text: str) -> Entry | None:
    """What becomes of a line; None: it does not answer."""
    if not query.stages:
        return Entry(at, stream, place, text) if query.keeps(text) else None
    line = query.taken(text, orjson.loads(stream))
    return Entry(at, labels_of(line.labels), place, line.text, stream, line.value) if line is not None else None


class Tail:
    """Lines as they arrive, which is not in order of time: agents of different nodes come when they come.

    So what was told is counted, block by block. `limit`: lines that there are already, at the first look.
    """

    LATE = 600 * SECOND  # How far behind the newest line an agent may be.

    def __init__(self, cluster: int, query: Query, start: int, limit: int) -> None:
        self._cluster, self._query, self._start, self._limit = cluster, query, start, limit
        self._told: dict[int, int] = {}  # Block -> how many of its lines.
        self._begun = False

    def more(self, now: int, ask: Rows) -> list[Entry]:
        """What arrived since the last time, oldest first: about MOST_AT_ONCE of it. Errors: TooMuch."""
        lines = "LENGTH(times) - LENGTH(REPLACE(times, ',', '')) + 1"
        statement = f"SELECT id, stream_id, {lines} FROM cluster_logblock WHERE cluster_id = %s AND last >= %s"
        blocks = ask(statement + " ORDER BY id", [self._cluster, now - self.LATE])
        if not self._begun:
            self._begun, self._told = True, {block: int(count) for block, _stream, count in blocks}
            found = search(ask, self._cluster, self._query, self._start, now + 1, self._limit) if self._limit else []
            return [each for each in found[::-1] if each.place[1] < self._told.get(each.place[0], 1 << 62)]
        names = streams(ask, self._cluster, now - self.LATE, now + 1)
        chosen = {number: labels for number, labels in names.items() if self._query.selects(orjson.loads(labels))}
        known, self._told = self._told, {block: self._told.get(block, 0) for block, _stream, _count in blocks}
        found = list[Entry]()
        for block, stream, count in blocks:
            if stream not in chosen:
                self._told[block] = int(count)
            elif int(count) > known.get(block, 0) and len(found) < MOST_AT_ONCE:
                for body in _bodies(ask, [block]):
                    found += self._of(body, chosen[stream])
        return sorted(found, key=lambda entry: entry.key)

    def _of(self, body: tuple[Any, ...], labels: str) -> Iterable[Entry]:
        """The lines of a block that were not told yet."""
        identity, _stream, first, times, text = body
        offsets, texts = orjson.loads(times), text.split("\n")
        begin, self._told[identity] = self._told[identity], len(texts)
        for place in range(begin, len(texts)):
            entry = taken(self._query, first + offsets[place], labels, (identity, place), texts[place])
            if entry is not None:
                yield entry


def scan(ask: Rows, cluster: int, query: Query, start: int, end: int) -> Iterable[Entry]:
    """All lines of [start, end) that answer, each stream's in order of time. Errors: TooMuch."""
    chosen = {
        identity: labels
        for identity, labels in streams(ask, cluster, start, end).items()
        if query.selects(orjson.loads(labels))
    }
    blocks = [block for block in _blocks(ask, cluster, query, start, end, True) if block[1] in chosen]
    _refuse_more_than(MOST_READ, sum(size for *_, size in blocks))
    asked = Asked(query, start, end, 1 << 62, True)
    for place in range(0, len(blocks), AT_ONCE):
        for block in _bodies(ask, [block[0] for block in blocks[place : place + AT_ONCE]]):
            yield from _answers(block, chosen, asked, None)


def volume(ask: Rows, cluster: int, query: Query, start: int, end: int) -> dict[str, int]:
    """What a query would have to look at: {streams, chunks, entries, bytes}."""
    chosen = {
        identity
        for identity, labels in streams(ask, cluster, start, end).items()
        if query.selects(orjson.loads(labels))
    }
    found = ask(
        "SELECT stream_id, COUNT(*), SUM(size), SUM(LENGTH(times) - LENGTH(REPLACE(times, ',', '')) + 1)"
        " FROM cluster_logblock WHERE cluster_id = %s AND last >= %s AND first < %s GROUP BY stream_id",
        [cluster, start, end],
    )
    rows_of = [row for row in found if row[0] in chosen]
    totals = {name: sum(int(row[place]) for row in rows_of) for place, name in ((1, "chunks"), (3, "entries"))}
    return {"streams": len(rows_of), **totals, "bytes": sum(int(row[2]) for row in rows_of)}


def _refuse_more_than(most: int, read: int) -> None:
    if read > most:
        raise TooMuch(
            f"the query would read too many bytes (query: {read} B, limit: {most} B); consider adding more"
            " specific stream selectors or reduce the time range of the query"
        )
