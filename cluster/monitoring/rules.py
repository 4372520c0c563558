"""Rules: expressions that are evaluated after every scrape.

    alert     an expression that should have no value. What has one is pending, and firing once it has lasted
    record    an expression whose value is kept under a name of its own; later rules of the file may ask for it

Since when an alert has been active is itself a series, ALERTS_FOR_STATE: whoever evaluates next goes on from there.

Mirrors:  prometheus/rules/{alerting,recording}.go
Left out: templates beyond {{ $labels.x }}, {{ $value }} and its humanize forms (but humanizeTimestamp),
          keep_firing_for.
"""

import math
import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from cluster.engine.clock import monotonic
from cluster.monitoring import promql
from cluster.monitoring.families import Sample, sample
from cluster.monitoring.promql import NAME, Budget, Execution, Frame, Labels, Matcher, Scalar, Storage

_PLACE = re.compile(r"\{\{-?\s*\$(labels\.(?P<label>\w+)|value)\s*(\|\s*(?P<form>humanize\w*)\s*)?-?\}\}")
SECONDS = 10.0  # Of wall time for all rules of an evaluation: the world waits for them.
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

        return {name: _filled(text, alert.labels, alert.value) for name, text in self.annotations.items()}


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


def _filled(text: str, labels: Labels, value: float) -> str:
    """A template of an annotation or a label."""

    def fill(found: re.Match[str]) -> str:
        label = found["label"]
        return labels.get(label, "") if label else _humanized(value, found["form"] or "")

    return _PLACE.sub(fill, text)


_MAPS = ("labels", "annotations")
_THOUSANDTHS = ("", "m", "u", "n", "p", "f", "a", "z", "y")
_THOUSANDS = ("", "k", "M", "G", "T", "P", "E", "Z", "Y")


def _humanized(value: float, form: str) -> str:
    """A value as the template functions of Prometheus show it.

    >>> _humanized(0.256, "humanizePercentage"), _humanized(1234567.0, "humanize"), _humanized(2.5, "")
    ('25.6%', '1.235M', '2.5')
    >>> _humanized(0.0025, "humanize"), _humanized(1234567.0, ""), _humanized(3 << 29, "humanize1024")
    ('2.5m', '1.234567e+06', '1.5Gi')
    >>> _humanized(3723.0, "humanizeDuration"), _humanized(0.25, "humanizeDuration")
    ('1h 2m 3s', '250ms')
    """
    if form == "humanizePercentage":
        return f"{_short(value * 100)}%"
    if form == "humanize1024":
        power = 0
        while abs(value) >= 1024 and power < len(_THOUSANDS) - 1 and math.isfinite(value):
            value, power = value / 1024, power + 1
        return f"{_short(value)}{_THOUSANDS[power].upper()}{'i' if power else ''}"
    if form == "humanize":
        return _scaled(value)
    if form == "humanizeDuration":
        return _lasting(value)
    if not math.isfinite(value) or not value or 1e-4 <= abs(value) < 1e6:
        return promql.shown(value)
    return promql.scientific(value)


def _short(value: float) -> str:
    """Go's %.4g."""
    return f"{value:.4g}" if math.isfinite(value) else promql.shown(value)


def _scaled(value: float) -> str:
    if not value or not math.isfinite(value):
        return _short(value)
    power, units = 0, _THOUSANDS if abs(value) >= 1 else _THOUSANDTHS
    while power < len(units) - 1 and not 1 <= abs(value) < 1000:
        value, power = (value / 1000 if units is _THOUSANDS else value * 1000), power + 1
    return f"{_short(value)}{units[power]}"


def _lasting(value: float) -> str:
    """Seconds as days, hours, minutes and seconds; less than one as `humanize` has it."""
    if not math.isfinite(value):
        return _short(value)
    if abs(value) < 1:
        return f"{_scaled(value)}s"
    sign, (minutes, seconds) = "-" if value < 0 else "", divmod(int(abs(value)), 60)
    hours, days = minutes // 60 % 24, minutes // 1440
    if not minutes:
        return f"{value:.4g}s"
    parts = {"d": days, "h": hours, "m": minutes % 60, "s": seconds}
    first = next(at for at, number in enumerate(parts.values()) if number)
    return sign + " ".join(f"{number}{unit}" for unit, number in list(parts.items())[first:])


def _value(rule: Rule | Recording, storage: Storage, at: int, budget: Budget | None) -> Frame:
    """Errors: BadData, Execution."""
    value, _ = promql.evaluate(rule.query, storage, at, at, 1, budget)
    if not isinstance(value, Frame | Scalar):
        raise Execution("rule result is not a vector or scalar")
    return promql.vector(value)


def active(rule: Rule, storage: Storage, at: int, budget: Budget | None = None) -> list[Alert]:
    """The rule's alerts at `at` milliseconds. Errors: BadData, Execution."""
    frame = _value(rule, storage, at, budget)
    since = _since(rule, storage, at)
    found = []
    for row, each in enumerate(frame.labels):
        if not frame.present[row, 0]:
            continue
        value, own = float(frame.values[row, 0]), {k: v for k, v in each.items() if k != NAME}
        added = {name: _filled(text, own, value) for name, text in rule.labels.items()}
        labels = {k: v for k, v in {**own, **added, "alertname": rule.name}.items() if v}
        begun = since.get(tuple(sorted(labels.items())), at)
        state = "firing" if at - begun >= rule.lasting else "pending"
        found.append(Alert(labels, value, begun, state))
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


def recorded(rule: Recording, storage: Storage, at: int, budget: Budget | None = None) -> list[Sample]:
    """The rule's value at `at` milliseconds. Errors: BadData, Execution."""
    frame = _value(rule, storage, at, budget)
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
    found, until = [], monotonic() + SECONDS
    for rule in rules:
        budget = Budget(until - monotonic())
        try:
            if isinstance(rule, Recording):
                found += recorded(rule, storage, at, budget)
                continue
            alerts = active(rule, storage, at, budget)
        except (promql.BadData, Execution):
            continue
        for alert in alerts:
            found.append(sample("ALERTS", 1, **alert.labels, alertstate=alert.state))
            found.append(sample("ALERTS_FOR_STATE", alert.since / 1000, **alert.labels))
    return found
