"""Prometheus' HTTP API, for Grafana and for the page: computed from committed rows.

    …/services/prometheus:9090/proxy/api/v1/query?query=up        as users reach it: through the API server
    /clusters/<name>/prometheus/api/v1/query?query=up             the same, short

Times are the cluster's: without `time` it is the cluster's now.

Mirrors:  prometheus/web/api/v1
Left out: admin and remote endpoints, parse_query, status of flags, runtime and WAL; `start` and `end` of labels and
          series (all series that are kept are found). There are no exemplars.
"""

import re
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs

import numpy as np
from numpy.typing import NDArray

from cluster.apiserver.reads import Reader
from cluster.gateway import lists, pool
from cluster.gateway.http import NO_CACHE, Reply, Request, json_reply, plain
from cluster.gateway.site import Site
from cluster.monitoring import configuration, families, promql, rules
from cluster.monitoring.functions import Windows
from cluster.monitoring.promql import BadData, Budget, Execution, Frame, Scalar, TimedOut
from cluster.monitoring.store import Store

STATUS = {"bad_data": 400, "execution": 422, "timeout": 503}
VERSION = {"version": "3.7.3", "revision": "orrery", "branch": "HEAD", "goVersion": "go1.25.3"}
MOST_TOLD = 10  # Names in status/tsdb, as in Prometheus.
MOST_ANSWERED = 3_000_000  # Samples of one answer.
NAMES = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
Form = dict[str, list[str]]


async def answer(request: Request, path: str) -> Reply:
    """What Prometheus answers. `path`: behind /api/v1/. Errors: NoSuchCluster."""
    if request.method not in ("GET", "POST"):
        return plain(405, "Method Not Allowed\n")
    form = parse_qs(request.query_string, keep_blank_values=True)
    if request.method == "POST":
        posted = parse_qs((await request.body()).decode("utf-8", "replace"), keep_blank_values=True)
        form = {name: [*form.get(name, ()), *posted.get(name, ())] for name in {**form, **posted}}
    return await pool.in_thread(_answer, request.cluster, path.rstrip("/"), form)


def _answer(reader: Reader, cluster: str, path: str, form: Form) -> Reply:
    snapshot = reader.cluster(cluster)
    if snapshot is None:
        raise lists.NoSuchCluster(cluster)
    site = Site(reader, cluster, snapshot)
    asked = _Asked(site, Store(snapshot.id), form)
    label = path.removeprefix("label/").removesuffix("/values")
    is_label = path == f"label/{label}/values"
    try:
        if not is_label and path not in _ENDPOINTS:
            return plain(404, "404 page not found\n")
        data = asked.label_values(label) if is_label else _ENDPOINTS[path](asked)
    except configuration.Unreadable as error:
        return _refusal("execution", str(error))
    except BadData as error:
        return _refusal("bad_data", str(error))
    except TimedOut as error:
        return _refusal("timeout", str(error))
    except Execution as error:
        return _refusal("execution", str(error))
    warned = {"warnings": ["results truncated due to limit"]} if asked.truncated else {}
    return json_reply({"status": "success", "data": data, **warned})._replace(headers=(NO_CACHE,))


def _refusal(kind: str, message: str) -> Reply:
    body = json_reply({"status": "error", "errorType": kind, "error": message})
    return body._replace(status=STATUS[kind])


class _Asked:
    """One question. `form`: its parameters."""

    def __init__(self, site: Site, store: Store, form: Form) -> None:
        self._site, self._store, self._form = site, store, form
        self._now = (site.epoch + site.now) // 1000
        self.truncated = False

    def _one(self, name: str) -> str:
        return next(iter(self._form.get(name, ())), "")

    def _moment(self, name: str, default: int | None = None) -> int:
        """Milliseconds of a parameter. Errors: BadData."""
        text = self._one(name)
        if not text and default is not None:
            return default
        try:
            return _bounded(float(text))
        except (ValueError, OverflowError):
            pass
        try:
            read = datetime.fromisoformat(text)
            return _bounded((read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp())
        except (ValueError, OverflowError):
            raise BadData(f'invalid parameter "{name}": cannot parse "{text}" to a valid timestamp') from None

    def _duration(self, name: str) -> int:
        """Milliseconds of a parameter. Errors: BadData."""
        text = self._one(name)
        with suppress(ValueError, OverflowError):
            return _bounded(float(text))
        with suppress(ValueError):
            return min(configuration.duration(text) // 1000, promql.FARTHEST)
        raise BadData(f'invalid parameter "{name}": cannot parse "{text}" to a valid duration')

    def _budget(self) -> Budget:
        """A `timeout` may be shorter than ours. Errors: BadData."""
        seconds = self._duration("timeout") / 1000 if self._one("timeout") else promql.TIMEOUT
        return Budget(min(seconds, promql.TIMEOUT))

    def _limited(self, found: list[Any]) -> list[Any]:
        """The first `limit` of what was found; 0: all. Errors: BadData."""
        text = self._one("limit")
        if not text:
            return found
        if not text.isascii() or not text.isdecimal():
            problem = f'strconv.Atoi: parsing "{text}": invalid syntax'
            raise BadData(f'invalid parameter "limit": cannot parse limit: {problem}')
        limit = int(text[:18])
        self.truncated = 0 < limit < len(found)
        return found[:limit] if self.truncated else found

    def query(self) -> Any:
        at = self._moment("time", self._now)
        value, _ = promql.evaluate(promql.parse(self._one("query")), self._store, at, at, 1, self._budget())
        stamp = at / 1000
        if isinstance(value, Windows):
            inside = slice(int(value.low[0]), int(value.high[0]))
            samples = value.samples
            frame = Frame(samples.labels, samples.values[:, inside], samples.present[:, inside])
            return self._matrix(frame, samples.times[inside])
        if isinstance(value, str):
            return {"resultType": "string", "result": [stamp, value]}
        if isinstance(value, Scalar):
            return {"resultType": "scalar", "result": [stamp, promql.shown(value.values[0])]}
        found = [
            {"metric": labels, "value": [stamp, promql.shown(value.values[row, 0])]}
            for row, labels in enumerate(value.labels)
            if value.present[row, 0]
        ]
        return {"resultType": "vector", "result": self._limited(found)}

    def query_range(self) -> Any:
        start, end, step = self._moment("start"), self._moment("end"), self._duration("step")
        if end < start:
            raise BadData('invalid parameter "end": end timestamp must not be before start time')
        query, budget = promql.parse(self._one("query")), self._budget()
        value, steps = promql.evaluate(query, self._store, start, end, step, budget)
        return self._matrix(promql.vector(value), steps)

    def _matrix(self, frame: Frame, times: NDArray[np.int64]) -> Any:
        """Errors: Execution for more than MOST_ANSWERED samples."""
        if int(frame.present.sum()) > MOST_ANSWERED:
            raise Execution(promql.TOO_MANY)
        return {"resultType": "matrix", "result": self._limited(_matrix(frame, (times / 1000).tolist()))}

    def _chosen(self) -> list[dict[str, str]]:
        """Labels of the series that any `match[]` selects; without one all. Errors: BadData."""
        index, numbers = self._store.index, set()
        for text in self._form.get("match[]", ()):
            selector = promql.parse(text)
            if type(selector).__name__ != "VectorSelector":
                raise BadData('invalid parameter "match[]": expected a series selector')
            numbers.update(index.matching(promql.matchers_of(selector)))
        if not self._form.get("match[]"):
            return index.labels
        return [index.labels[number] for number in sorted(numbers)]

    def labels(self) -> list[str]:
        return self._limited(sorted({name for labels in self._chosen() for name in labels}))

    def label_values(self, name: str) -> list[str]:
        """Errors: BadData."""
        if not NAMES.fullmatch(name):
            raise BadData(f'invalid label name: "{name}"')
        return self._limited(sorted({labels[name] for labels in self._chosen() if name in labels}))

    def series(self) -> list[dict[str, str]]:
        if not self._form.get("match[]"):
            raise BadData("no match[] parameter provided")
        return self._limited(self._chosen())

    def metadata(self) -> Any:
        wanted = self._one("metric")
        names = self._limited([name for name in families.FAMILIES if wanted in ("", name)])
        self.truncated = False
        told = {name: families.FAMILIES[name] for name in names}
        return {name: [{"type": one.type, "help": one.help, "unit": ""}] for name, one in told.items()}

    def _active(self, rule: rules.Rule) -> list[Any]:
        at = self._store.last()[0]
        return [
            {
                "labels": each.labels,
                "annotations": rule.explained(each),
                "state": each.state,
                "activeAt": _stamp(each.since),
                "value": promql.scientific(each.value),
            }
            for each in rules.active(rule, self._store, at)
        ]

    def alerts(self) -> Any:
        found = [rule for rule in configuration.of(self._site).rules if isinstance(rule, rules.Rule)]
        return {"alerts": [alert for rule in found for alert in self._health(rule)[0]]}

    def _health(self, rule: rules.Rule) -> tuple[list[Any], dict[str, str]]:
        """A rule's alerts, and how it is: one that can't be evaluated hides no other."""
        try:
            return self._active(rule), {"health": "ok"}
        except (BadData, Execution) as error:
            return [], {"health": "err", "lastError": str(error)}

    def rules(self) -> Any:
        groups: dict[str, list[Any]] = {}
        config, last = configuration.of(self._site), self._store.last()[0]
        seen = {"lastEvaluation": _stamp(last)} if last >= 0 else {}
        for rule in config.rules:
            if isinstance(rule, rules.Recording):
                told = {"type": "recording", "name": rule.name, "query": rule.text, "labels": rule.labels}
                groups.setdefault(rule.group, []).append({**told, "health": "ok", **seen})
                continue
            alerts, health = self._health(rule)
            states = {each["state"] for each in alerts}
            state = "firing" if "firing" in states else "pending" if states else "inactive"
            shown = {"type": "alerting", "name": rule.name, "query": rule.text, "duration": rule.lasting / 1000}
            shown |= {"labels": rule.labels, "annotations": rule.annotations, "alerts": alerts, "state": state}
            groups.setdefault(rule.group, []).append({**shown, **health, **seen})
        paced = {"file": "alerts.yml", "interval": config.interval / 1_000_000, "limit": 0, **seen}
        return {"groups": [{"name": name, **paced, "rules": found} for name, found in groups.items()]}

    def format_query(self) -> str:
        return str(promql.parse(self._one("query")).prettify())

    def config(self) -> Any:
        found = self._site.get("ConfigMap", configuration.NAMESPACE, configuration.NAME)
        return {"yaml": ((found or {}).get("data") or {}).get(configuration.FILE, "")}

    def tsdb(self) -> Any:
        """How many series there are, and of which names most."""
        by_name = {name: len(numbers) for name, numbers in self._store.index.values[promql.NAME].items()}
        by_label = {name: len(values) for name, values in self._store.index.values.items()}
        head = {"numSeries": len(self._store.index.labels), "numLabelPairs": sum(by_label.values())}
        return {
            "headStats": head,
            "seriesCountByMetricName": _largest(by_name),
            "labelValueCountByLabelName": _largest(by_label),
        }

    def targets(self) -> Any:
        at = self._store.last()[0]
        found = self._store.select([promql.Matcher("__name__", "=", "up")], at, at)
        active = [
            {
                "labels": {name: text for name, text in labels.items() if name != promql.NAME},
                "scrapePool": labels["job"],
                "scrapeUrl": f"http://{labels['instance']}/metrics",
                "health": "up" if found.values[row, -1] else "down",
                "lastScrape": _stamp(at),
            }
            for row, labels in enumerate(found.labels)
        ]
        return {"activeTargets": active, "droppedTargets": []}


def _largest(counts: dict[str, int]) -> list[dict[str, Any]]:
    found = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:MOST_TOLD]
    return [{"name": name, "value": number} for name, number in found]


def _bounded(seconds: float) -> int:
    """Milliseconds. Errors: ValueError, OverflowError."""
    return max(min(round(seconds * 1000), promql.FARTHEST), -promql.FARTHEST)


def _stamp(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).isoformat()


def _matrix(frame: Frame, stamps: list[float]) -> list[Any]:
    found = []
    for row, labels in enumerate(frame.labels):
        there = frame.present[row].nonzero()[0].tolist()
        if there:
            values = [[stamps[at], promql.shown(frame.values[row, at])] for at in there]
            found.append({"metric": labels, "values": values})
    return found


_ENDPOINTS: dict[str, Callable[[_Asked], Any]] = {
    "query": _Asked.query,
    "query_range": _Asked.query_range,
    "labels": _Asked.labels,
    "series": _Asked.series,
    "metadata": _Asked.metadata,
    "alerts": _Asked.alerts,
    "rules": _Asked.rules,
    "targets": _Asked.targets,
    "format_query": _Asked.format_query,
    "query_exemplars": lambda _: [],
    "status/buildinfo": lambda _: VERSION,
    "status/config": _Asked.config,
    "status/tsdb": _Asked.tsdb,
}
