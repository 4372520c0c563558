"""loki's HTTP API, answered from committed rows.

    /loki/api/v1/query_range            query, start, end or since, limit, direction
    /loki/api/v1/labels, label/<name>/values, series

Times are of the cluster's clock, which is the only one that it knows: now is when the last turn ended.

Mirrors:  grafana/loki pkg/loghttp (params.go, labels.go, query.go), pkg/querier
Left out: tail, instant and metric queries (so Grafana's "Save & test", which asks for one, says no although its
          queries work), POST, step and interval, statistics, tenants, pushing.
"""

from collections import defaultdict
from typing import Any

import orjson

from cluster.apiserver.reads import Reader, Snapshot
from cluster.gateway import lists, pool
from cluster.gateway.http import TEXT, Reply, Request, json_reply
from cluster.logstore import logql, store
from cluster.objects import times

HOUR = 3_600_000_000  # Microseconds.
USUAL_RANGE, USUAL_RANGE_OF_LABELS = HOUR, 6 * HOUR
USUAL_LIMIT, MOST_LINES = 100, 5_000
UNITS = {"s": 1_000_000, "m": 60_000_000, "h": HOUR, "d": 24 * HOUR}
NANOSECONDS_FROM = 10**10  # Whole numbers from here on are nanoseconds, smaller ones seconds.


class Bad(ValueError):
    """What loki says with a 400."""


async def answer(request: Request, path: str) -> Reply:
    """What a loki answers. `path`: behind /loki/api/v1/. Errors: NoSuchCluster."""
    if request.method != "GET":
        return Reply(405, TEXT, b"Method Not Allowed\n")
    return await pool.in_thread(_answer, request, path.split("/"))


def _answer(reader: Reader, request: Request, parts: list[str]) -> Reply:
    snapshot = reader.cluster(request.cluster)
    if snapshot is None:
        raise lists.NoSuchCluster(request.cluster)
    asked = Asked(reader, snapshot, request)
    try:
        match parts:
            case ["query_range"]:
                return asked.lines()
            case ["labels"] | ["label"]:
                return _success(sorted({name for labels in asked.streams() for name in labels}))
            case ["label", name, "values"]:
                return _success(sorted({labels[name] for labels in asked.streams() if name in labels}))
            case ["series"]:
                return _success(asked.series())
    except (Bad, logql.BadQuery, store.TooMuch) as error:
        return Reply(400, TEXT, f"{error}\n".encode())
    return Reply(404, TEXT, b"404 page not found\n")


def _success(data: list[Any]) -> Reply:
    return json_reply({"status": "success", **({"data": data} if data else {})})


class Asked:
    """One request to a loki."""

    def __init__(self, reader: Reader, snapshot: Snapshot, request: Request) -> None:
        self._reader, self._cluster, self._request = reader, snapshot.id, request
        self._epoch, self._now = snapshot.epoch, snapshot.sim_now

    def lines(self) -> Reply:
        """Errors: Bad, BadQuery, TooMuch."""
        query = logql.parse(self._request.query("query"))
        start, end = self._range(USUAL_RANGE)
        direction = self._request.query("direction", "backward").lower()
        if direction not in ("forward", "backward"):
            raise Bad(f"invalid direction '{direction}'")
        found = store.search(self._reader.rows, self._cluster, query, start, end, self._limit(), direction == "forward")
        values: dict[str, list[list[str]]] = defaultdict(list)
        for entry in found:
            values[entry.stream].append([f"{(self._epoch + entry.at) * 1000}", entry.text])
        result = [{"stream": orjson.loads(labels), "values": lines} for labels, lines in sorted(values.items())]
        return json_reply({"status": "success", "data": {"resultType": "streams", "result": result, "stats": {}}})

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
    """`30m`, `1h`, in microseconds. Errors: Bad."""
    number, unit = text[:-1], UNITS.get(text[-1:])
    if unit is None or not number.isdecimal() or len(number) > 9:
        raise Bad(f"could not parse 'since' parameter: not a valid duration string: \"{text}\"")
    return int(number) * unit
