"""loki's HTTP API, answered from committed rows.

    /loki/api/v1/query_range            query, start, end or since, limit, direction, step
    /loki/api/v1/query                  query, time: of metric queries
    /loki/api/v1/labels, label/<name>/values, series, index/stats, format_query
    /loki/api/v1/tail                   a websocket: lines as they arrive
    /loki/api/v1/status/buildinfo       which loki it is

Times are of the cluster's clock, which is the only one that it knows: now is when the last turn ended. Forms are read
as queries are, so Grafana may ask by POST.

Mirrors:  grafana/loki pkg/loghttp (params.go, labels.go, query.go, tail.go), pkg/querier
Left out: interval, statistics of a query, tenants, pushing, volumes, patterns, detected fields; delay_for. A tail goes
          on when the pod that began it is gone.
"""

import asyncio
from collections import defaultdict
from typing import Any

import numpy as np
import orjson

from cluster import inbox
from cluster.apiserver.reads import Reader, Snapshot
from cluster.gateway import lists, pool
from cluster.gateway.http import TEXT, Reply, Request, json_reply, plain
from cluster.logstore import aggregate, logql, pipeline, store
from cluster.logstore.logql import Query
from cluster.monitoring import promql
from cluster.objects import times

HOUR = 3_600_000_000  # Microseconds.
USUAL_RANGE, USUAL_RANGE_OF_LABELS = HOUR, 6 * HOUR
USUAL_LIMIT, MOST_LINES = 100, 5_000
USUAL_STEPS = 250
NANOSECONDS_FROM = 10**10  # Whole numbers from here on are nanoseconds, smaller ones seconds.
PERIOD = 0.5  # Wall seconds between looks of a tail.
UPGRADE = "websocket: the client is not using the websocket protocol: 'upgrade' token not found in 'Connection' header"
INSTANT = "log queries are not supported as an instant query type, please change your query to a range query type"
VERSION = {"version": "3.5.3", "revision": "orrery", "branch": "HEAD", "buildDate": "", "goVersion": "go1.24.4"}
FORMS = ("query", "query_range", "labels", "label", "series", "index/stats", "format_query")  # Asked by POST, too.


class Bad(ValueError):
    """What loki says with a 400."""


REFUSALS = (Bad, logql.BadQuery, store.TooMuch, aggregate.TooManySeries)


async def answer(request: Request, path: str) -> Reply:
    """What a loki answers. `path`: behind /loki/api/v1/. Errors: NoSuchCluster."""
    if request.method == "POST" and path in FORMS:
        body = (await request.body()).decode("utf-8", "replace")
        request.query_string = "&".join(filter(None, (request.query_string, body)))
    elif request.method != "GET":
        return Reply(405, TEXT, b"Method Not Allowed\n")
    if path == "tail":
        return await _tail(request)
    return await pool.in_thread(_answer, request, path.split("/"))


def _answer(reader: Reader, request: Request, parts: list[str]) -> Reply:
    asked = _asked(reader, request)
    try:
        match parts:
            case ["query_range"]:
                return asked.range()
            case ["query"]:
                return asked.instant()
            case ["labels"] | ["label"]:
                return _success(sorted({name for labels in asked.streams() for name in labels}))
            case ["label", name, "values"]:
                return _success(sorted({labels[name] for labels in asked.streams() if name in labels}))
            case ["series"]:
                return _success(asked.series())
            case ["index", "stats"]:
                return json_reply(asked.volume())
            case ["format_query"]:
                aggregate.parse(request.query("query"))
                return json_reply({"status": "success", "data": request.query("query")})
            case ["status", "buildinfo"]:
                return json_reply(VERSION)
    except REFUSALS as error:
        return Reply(400, TEXT, f"{error}\n".encode())
    return Reply(404, TEXT, b"404 page not found\n")


def _asked(reader: Reader, request: Request) -> "Asked":
    """Errors: NoSuchCluster."""
    snapshot = reader.cluster(request.cluster)
    if snapshot is None:
        raise lists.NoSuchCluster(request.cluster)
    return Asked(reader, snapshot, request)


# --- tail -------------------------------------------------------------------------------------------------------


async def _tail(request: Request) -> Reply:
    """Send lines as they arrive until the client goes; each frame is one message of its websocket."""
    if not request.scope.get("upgraded"):
        return plain(400, f"Bad Request\n{UPGRADE}\n")
    try:
        tail, epoch = await pool.in_thread(_begin, request)
    except REFUSALS as error:
        return plain(400, f"{error}\n")
    await request.start(200, "application/json")
    await request.write(b"")
    gone = asyncio.create_task(request.disconnected())
    try:
        while not gone.done():
            await asyncio.to_thread(inbox.follow, request.cluster)
            found = await pool.in_thread(_more, request.cluster, tail)
            if found:
                frame = {"streams": _streams(found, epoch), "dropped_entries": []}
                await request.write(orjson.dumps(frame) + b"\n")
            await asyncio.wait((gone,), timeout=PERIOD)
    finally:
        gone.cancel()
    return plain(200, "")


def _begin(reader: Reader, request: Request) -> tuple[store.Tail, int]:
    asked = _asked(reader, request)
    return asked.tail(), asked.epoch


def _more(reader: Reader, cluster: str, tail: store.Tail) -> list[store.Entry]:
    snapshot = reader.cluster(cluster)
    return tail.more(snapshot.sim_now, reader.rows) if snapshot is not None else []


def _streams(found: list[store.Entry], epoch: int) -> list[dict[str, Any]]:
    values: dict[str, list[list[str]]] = defaultdict(list)
    for entry in found:
        values[entry.stream].append([f"{(epoch + entry.at) * 1000}", entry.text])
    return [{"stream": orjson.loads(labels), "values": lines} for labels, lines in sorted(values.items())]


def _result(kind: str, result: Any) -> Reply:
    return json_reply({"status": "success", "data": {"resultType": kind, "result": result, "stats": {}}})


def _success(data: list[Any]) -> Reply:
    return json_reply({"status": "success", **({"data": data} if data else {})})


class Asked:
    """One request to a loki."""

    def __init__(self, reader: Reader, snapshot: Snapshot, request: Request) -> None:
        self._reader, self._cluster, self._request = reader, snapshot.id, request
        self._epoch, self._now = snapshot.epoch, snapshot.sim_now

    @property
    def epoch(self) -> int:
        return self._epoch

    def range(self) -> Reply:
        """Errors: Bad, BadQuery, TooMuch, TooManySeries."""
        query = aggregate.parse(self._request.query("query"))
        start, end = self._range(USUAL_RANGE)
        if not isinstance(query, Query):
            return self._matrix(query, start, end)
        direction = self._request.query("direction", "backward").lower()
        if direction not in ("forward", "backward"):
            raise Bad(f"invalid direction '{direction}'")
        found = store.search(self._reader.rows, self._cluster, query, start, end, self._limit(), direction == "forward")
        return _result("streams", _streams(found, self._epoch))

    def _matrix(self, expression: aggregate.Expression, start: int, end: int) -> Reply:
        step = self._step(end - start)
        steps = aggregate.steps_of(start, end, step)
        value = self._value(expression, steps)
        rows = value if isinstance(value, dict) else {"{}": np.full(len(steps), value)}
        stamps = [self._stamp(int(at)) for at in steps]
        result = []
        for labels, row in sorted(rows.items()):
            there = np.flatnonzero(~np.isnan(row)).tolist()
            values = [[stamps[place], promql.shown(row[place])] for place in there]
            result += [{"metric": orjson.loads(labels), "values": values}] if values else []
        return _result("matrix", result)

    def instant(self) -> Reply:
        """Errors: Bad, BadQuery, TooMuch, TooManySeries."""
        expression = aggregate.parse(self._request.query("query"))
        if isinstance(expression, Query):
            raise Bad(INSTANT)
        at = self._moment("time", self._now)
        value, stamp = self._value(expression, np.array([at])), self._stamp(at)
        if not isinstance(value, dict):
            return _result("scalar", [stamp, promql.shown(value)])
        there = {labels: row[0] for labels, row in sorted(value.items()) if not np.isnan(row[0])}
        found = [{"metric": orjson.loads(labels), "value": [stamp, promql.shown(v)]} for labels, v in there.items()]
        return _result("vector", found)

    def _value(self, expression: aggregate.Expression, steps: Any) -> aggregate.Value:
        def scan(query: Query, start: int, end: int) -> Any:
            return store.scan(self._reader.rows, self._cluster, query, start, end)

        return aggregate.evaluate(expression, aggregate.Moments(steps, scan))

    def _stamp(self, at: int) -> float:
        return (self._epoch + at) / 1_000_000

    def _step(self, length: int) -> int:
        """Microseconds. Errors: Bad."""
        text = self._request.query("step")
        if not text:
            return max(length // USUAL_STEPS // 1_000_000, 1) * 1_000_000
        try:
            step = round(float(text) * 1_000_000)
        except (ValueError, OverflowError):
            try:
                step = round(pipeline.seconds(text) * 1_000_000)
            except ValueError:
                raise Bad(f"could not parse 'step' parameter: cannot parse \"{text}\" to a valid duration") from None
        if step <= 0:
            raise Bad("zero or negative query resolution step widths are not accepted. Try a positive integer")
        return max(step, 1_000)

    def volume(self) -> dict[str, int]:
        """Errors: Bad, BadQuery."""
        query = logql.parse(self._request.query("query"))
        return store.volume(self._reader.rows, self._cluster, query, *self._range(USUAL_RANGE))

    def tail(self) -> store.Tail:
        """Errors: Bad, BadQuery."""
        query = logql.parse(self._request.query("query"))
        return store.Tail(self._cluster, query, self._moment("start", self._now - HOUR), self._limit())

    def streams(self) -> list[dict[str, str]]:
        """Labels of the streams that have lines in the range. Errors: Bad."""
        found = store.streams(self._reader.rows, self._cluster, *self._range(USUAL_RANGE_OF_LABELS))
        return [orjson.loads(labels) for labels in found.values()]

    def series(self) -> list[dict[str, str]]:
        """Those that one of the selectors selects. Errors: Bad, BadQuery."""
        queries = [logql.parse(text) for text in self._request.values("match[]") or self._request.values("match")]
        if not queries:
            raise Bad("0 matcher groups supplied")
        return [labels for labels in self.streams() if any(query.selects(labels) for query in queries)]

    def _limit(self) -> int:
        text = self._request.query("limit")
        if not text:
            return USUAL_LIMIT
        if not text.isdecimal() or int(text[:10]) == 0:
            raise Bad("limit must be a positive value")
        if int(text[:10]) > MOST_LINES:
            words = "max entries limit per query exceeded, limit > max_entries_limit_per_query"
            raise Bad(f"{words} ({text[:10]} > {MOST_LINES})")
        return int(text)

    def _range(self, usual: int) -> tuple[int, int]:
        """[start, end), microseconds since t = 0. Without an end it is now, the newest line included."""
        end = self._moment("end", self._now + 1)
        since = self._request.query("since")
        start = self._moment("start", end - (_duration(since) if since else usual))
        if end <= start:
            raise Bad("end timestamp must not be before or equal to start time")
        return start, end

    def _moment(self, name: str, usual: int) -> int:
        """Seconds, with a fraction or without, nanoseconds, or RFC 3339."""
        text = self._request.query(name)
        if not text:
            return usual
        try:
            if text.lstrip("-").isdecimal():
                number = int(text)
                unix = -(-number // 1000) if abs(number) >= NANOSECONDS_FROM else number * 1_000_000
            elif text[:1].isdecimal() and "T" not in text:
                unix = round(float(text) * 1_000_000)
            else:
                unix = times.parse(text)
        except (ValueError, OverflowError):
            raise Bad(f"could not parse '{name}' parameter: cannot parse \"{text}\" to a valid timestamp") from None
        return max(min(unix - self._epoch, 1 << 62), -(1 << 62))


def _duration(text: str) -> int:
    """`30m`, `1h30m`, in microseconds. Errors: Bad."""
    try:
        return min(round(pipeline.seconds(text) * 1_000_000), 1 << 61)
    except (ValueError, OverflowError):
        raise Bad(f"could not parse 'since' parameter: not a valid duration string: \"{text}\"") from None
