"""Prometheus' HTTP API, for Grafana and for the page: computed from committed rows.

    …/services/prometheus:9090/proxy/api/v1/query?query=up        as users reach it: through the API server
    /clusters/<name>/prometheus/api/v1/query?query=up             the same, short

Times are the cluster's: without `time` it is the cluster's now.

Mirrors:  prometheus/web/api/v1
Left out: admin and remote endpoints, parse_query, status of flags, runtime and WAL; `start` and `end` of labels and
          series (all series that are kept are found). There are no exemplars.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs

from cluster.apiserver.reads import Reader
from cluster.gateway import lists, pool
from cluster.gateway.http import NO_CACHE, Reply, Request, json_reply, plain
from cluster.gateway.site import Site
from cluster.monitoring import configuration, families, promql, rules
from cluster.monitoring.promql import BadData, Execution, Frame, Scalar
from cluster.monitoring.store import Store

STATUS = {"bad_data": 400, "execution": 422, "not_found": 404}
VERSION = {"version": "3.7.3", "revision": "orrery", "branch": "HEAD", "goVersion": "go1.25.3"}
MOST_TOLD = 10  # Names in status/tsdb, as in Prometheus.
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
    except Execution as error:
        return _refusal("execution", str(error))
    return json_reply({"status": "success", "data": data})._replace(headers=(NO_CACHE,))


def _refusal(kind: str, message: str) -> Reply:
    body = json_reply({"status": "error", "errorType": kind, "error": message})
    return body._replace(status=STATUS[kind])


class _Asked:
    """One question. `form`: its parameters."""

    def __init__(self, site: Site, store: Store, form: Form) -> None:
        self._site, self._store, self._form = site, store, form
        self._now = (site.epoch + site.now) // 1000

    def _one(self, name: str) -> str:
        return next(iter(self._form.get(name, ())), "")

    def _moment(self, name: str, default: int | None = None) -> int:
        """Milliseconds of a parameter. Errors: BadData."""
        text = self._one(name)
        if not text and default is not None:
            return default
        try:
            return round(float(text) * 1000)
        except (ValueError, OverflowError):
            pass
        try:
            read = datetime.fromisoformat(text)
            return round((read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp() * 1000)
        except (ValueError, OverflowError):
            raise BadData(f'invalid parameter "{name}": cannot parse "{text}" to a valid timestamp') from None

    def _step(self) -> int:
        text = self._one("step")
        try:
            return round(float(text) * 1000)
        except (ValueError, OverflowError):
            pass
        try:
            return configuration.duration(text) // 1000
        except ValueError:
            raise BadData(f'invalid parameter "step": cannot parse "{text}" to a valid duration') from None

    def query(self) -> Any:
        at = self._moment("time", self._now)
        value, _ = promql.evaluate(promql.parse(self._one("query")), self._store, at, at, 1)
        stamp = at / 1000
        if isinstance(value, str):
            return {"resultType": "string", "result": [stamp, value]}
        if isinstance(value, Scalar):
            return {"resultType": "scalar", "result": [stamp, promql.shown(value.values[0])]}
        found = [
            {"metric": labels, "value": [stamp, promql.shown(value.values[row, 0])]}
            for row, labels in enumerate(value.labels)
            if value.present[row, 0]
        ]
        return {"resultType": "vector", "result": found}

    def query_range(self) -> Any:
        start, end, step = self._moment("start"), self._moment("end"), self._step()
        if end < start:
            raise BadData('invalid parameter "end": end timestamp must not be before start time')
        value, steps = promql.evaluate(promql.parse(self._one("query")), self._store, start, end, step)
        if isinstance(value, str):
            raise BadData(
                'invalid parameter "query": invalid expression type "string" for range query, '
                "must be Scalar or instant Vector"
            )
        frame = promql.as_frame(value) if isinstance(value, Scalar) else value
        return {"resultType": "matrix", "result": _matrix(frame, (steps / 1000).tolist())}

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
        return sorted({name for labels in self._chosen() for name in labels})

    def label_values(self, name: str) -> list[str]:
        return sorted({labels[name] for labels in self._chosen() if name in labels})

    def series(self) -> list[dict[str, str]]:
        if not self._form.get("match[]"):
            raise BadData("no match[] parameter provided")
        return self._chosen()

    def metadata(self) -> Any:
        wanted = self._one("metric")
        return {
            name: [{"type": family.type, "help": family.help, "unit": ""}]
            for name, family in families.FAMILIES.items()
            if wanted in ("", name)
        }

    def _active(self, rule: rules.Rule) -> list[Any]:
        at = self._store.last()[0]
        return [
            {
                "labels": each.labels,
                "annotations": rule.explained(each),
                "state": each.state,
                "activeAt": _stamp(each.since),
                "value": promql.shown(each.value),
            }
            for each in rules.active(rule, self._store, at)
        ]

    def alerts(self) -> Any:
        found = (rule for rule in configuration.of(self._site).rules if isinstance(rule, rules.Rule))
        return {"alerts": [alert for rule in found for alert in self._active(rule)]}

    def rules(self) -> Any:
        groups: dict[str, list[Any]] = {}
        for rule in configuration.of(self._site).rules:
            if isinstance(rule, rules.Recording):
                told = {"type": "recording", "name": rule.name, "query": rule.text, "labels": rule.labels}
                groups.setdefault(rule.group, []).append({**told, "health": "ok"})
                continue
            alerts = self._active(rule)
            states = {each["state"] for each in alerts}
            state = "firing" if "firing" in states else "pending" if states else "inactive"
            shown = {"type": "alerting", "name": rule.name, "query": rule.text, "duration": rule.lasting / 1000}
            shown |= {"labels": rule.labels, "annotations": rule.annotations, "alerts": alerts, "state": state}
            groups.setdefault(rule.group, []).append({**shown, "health": "ok"})
        return {"groups": [{"name": name, "file": "alerts.yml", "rules": found} for name, found in groups.items()]}

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
