"""Rules: expressions that are evaluated after every scrape.

    alert     an expression that should have no value. What has one is pending, and firing once it has lasted
    record    an expression whose value is kept under a name of its own; later rules of the file may ask for it

Since when an alert has been active is itself a series, ALERTS_FOR_STATE: whoever evaluates next goes on from there.

Mirrors:  prometheus/rules/{alerting,recording}.go
Left out: templates beyond {{ $labels.x }}, {{ $value }} and its humanize forms, keep_firing_for.
"""

import math
import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from cluster.monitoring import promql
from cluster.monitoring.families import Sample, sample
from cluster.monitoring.promql import NAME, Execution, Frame, Labels, Matcher, Storage

_PLACE = re.compile(r"\{\{\s*\$(labels\.(?P<label>\w+)|value)\s*(\|\s*(?P<form>humanize\w*)\s*)?\}\}")
_METRIC = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")


class Alert(NamedTuple):
    """`since`: milliseconds since 1970."""

    labels: Labels
    value: float
    since: int
    state: str


class Rule(NamedTuple):
    """`lasting`: milliseconds, its `for`."""

    group: str
    name: str
    text: str
    query: Any
    lasting: int
    labels: Labels
    annotations: dict[str, str]

    def explained(self, alert: Alert) -> dict[str, str]:
        """Its annotations, filled in."""

        def fill(found: re.Match[str]) -> str:
            label = found["label"]
            return alert.labels.get(label, "") if label else _humanized(alert.value, found["form"] or "")

        return {name: _PLACE.sub(fill, text) for name, text in self.annotations.items()}


class Recording(NamedTuple):
    """`name`: under which it is kept."""

    group: str
    name: str
    text: str
    query: Any
    labels: Labels


def recording_of(group: str, rule: dict[str, Any]) -> Recording:
    """Errors: BadData, KeyError, ValueError."""
    text, name = str(rule["expr"]), str(rule["record"])
    if not _METRIC.fullmatch(name):
        raise ValueError(f"invalid recording rule name: {name}")
    labels = {str(key): str(value) for key, value in (rule.get("labels") or {}).items()}
    return Recording(group, name, text, promql.parse(text), labels)


def rule_of(group: str, rule: dict[str, Any], lasting: int) -> Rule:
    """Errors: BadData, KeyError."""
    text = str(rule["expr"])
    labels, annotations = ({str(k): str(v) for k, v in (rule.get(each) or {}).items()} for each in _MAPS)
    return Rule(group, str(rule["alert"]), text, promql.parse(text), lasting, labels, annotations)


_MAPS = ("labels", "annotations")
_THOUSANDS = ("", "k", "M", "G", "T", "P", "E", "Z", "Y")


def _humanized(value: float, form: str) -> str:
    """A value as the template functions of Prometheus show it.

    >>> _humanized(0.256, "humanizePercentage"), _humanized(1234567.0, "humanize"), _humanized(2.5, "")
    ('25.6%', '1.235M', '2.5')
    """
    if form == "humanizePercentage":
        return f"{value * 100:.4g}%"
    if form == "humanize" and abs(value) >= 1:
        power = min(int(math.log10(abs(value)) // 3), len(_THOUSANDS) - 1)
        return f"{value / 1000**power:.4g}{_THOUSANDS[power]}"
    return promql.shown(value)


def active(rule: Rule, storage: Storage, at: int) -> list[Alert]:
    """The rule's alerts at `at` milliseconds. Errors: BadData, Execution."""
    frame, _ = promql.evaluate(rule.query, storage, at, at, 1)
    if not isinstance(frame, Frame):
        raise Execution("rule result is not a vector or scalar")
    since = _since(rule, storage, at)
    found = []
    for row, each in enumerate(frame.labels):
        if not frame.present[row, 0]:
            continue
        labels = {**{k: v for k, v in each.items() if k != NAME}, **rule.labels, "alertname": rule.name}
        begun = since.get(tuple(sorted(labels.items())), at)
        state = "firing" if at - begun >= rule.lasting else "pending"
        found.append(Alert(labels, float(frame.values[row, 0]), begun, state))
    return found


def _since(rule: Rule, storage: Storage, at: int) -> dict[promql.Key, int]:
    matchers = [Matcher(NAME, "=", "ALERTS_FOR_STATE"), Matcher("alertname", "=", rule.name)]
    kept = storage.select(matchers, at - promql.LOOKBACK, at)
    found = {}
    for row, labels in enumerate(kept.labels):
        for column in (-1, -2)[: kept.times.size]:  # Of this scrape if it is there already, else of the one before.
            if kept.present[row, column]:
                key = tuple(sorted((k, v) for k, v in labels.items() if k != NAME))
                found[key] = round(kept.values[row, column] * 1000)
                break
    return found


def recorded(rule: Recording, storage: Storage, at: int) -> list[Sample]:
    """The rule's value at `at` milliseconds. Errors: BadData, Execution."""
    value, _ = promql.evaluate(rule.query, storage, at, at, 1)
    frame = promql.as_frame(value) if isinstance(value, promql.Scalar) else value
    if not isinstance(frame, Frame):
        raise Execution("rule result is not a vector or scalar")
    return [
        ({**{k: v for k, v in {**labels, **rule.labels}.items() if v}, NAME: rule.name}, float(frame.values[row, 0]))
        for row, labels in enumerate(frame.labels)
        if frame.present[row, 0]
    ]


def batches(rules: Iterable[Rule | Recording]) -> Iterator[list[Rule | Recording]]:
    """The rules in their order; one that asks for what another recorded comes in a later batch."""
    together: list[Rule | Recording] = []
    for rule in rules:
        if any(isinstance(each, Recording) and each.name in rule.text for each in together):
            yield together
            together = []
        together.append(rule)
    if together:
        yield together


def samples(rules: Iterable[Rule | Recording], storage: Storage, at: int) -> list[Sample]:
    """What rules make: recordings, ALERTS and ALERTS_FOR_STATE.

    A rule that can't be evaluated makes nothing, as in Prometheus.
    """
    found = []
    for rule in rules:
        try:
            if isinstance(rule, Recording):
                found += recorded(rule, storage, at)
                continue
            alerts = active(rule, storage, at)
        except (promql.BadData, Execution):
            continue
        for alert in alerts:
            found.append(sample("ALERTS", 1, **alert.labels, alertstate=alert.state))
            found.append(sample("ALERTS_FOR_STATE", alert.since / 1000, **alert.labels))
    return found
