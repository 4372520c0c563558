"""Alert rules: an expression that should have no value. What has one is pending, and firing once it has lasted.

Since when an alert has been active is itself a series, ALERTS_FOR_STATE: whoever evaluates next goes on from there.

Mirrors:  prometheus/rules/alerting.go
Left out: templates beyond {{ $labels.x }} and {{ $value }}, keep_firing_for.
"""

import re
from typing import Any, NamedTuple

from cluster.monitoring import promql
from cluster.monitoring.families import Sample, sample
from cluster.monitoring.promql import NAME, Execution, Frame, Labels, Matcher, Storage

_PLACE = re.compile(r"\{\{\s*\$(labels\.(?P<label>\w+)|value)\s*\}\}")


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
            return alert.labels.get(label, "") if label else promql.shown(alert.value)

        return {name: _PLACE.sub(fill, text) for name, text in self.annotations.items()}


def rule_of(group: str, rule: dict[str, Any], lasting: int) -> Rule:
    """Errors: BadData, KeyError."""
    text = str(rule["expr"])
    labels, annotations = ({str(k): str(v) for k, v in (rule.get(each) or {}).items()} for each in _MAPS)
    return Rule(group, str(rule["alert"]), text, promql.parse(text), lasting, labels, annotations)


_MAPS = ("labels", "annotations")


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
    return {
        tuple(sorted((k, v) for k, v in labels.items() if k != NAME)): round(kept.values[row, -1] * 1000)
        for row, labels in enumerate(kept.labels)
        if kept.present[row, -1]
    }


def samples(rules: tuple[Rule, ...], storage: Storage, at: int) -> list[Sample]:
    """ALERTS and ALERTS_FOR_STATE. A rule that can't be evaluated has no alerts, as in Prometheus."""
    found = []
    for rule in rules:
        try:
            alerts = active(rule, storage, at)
        except (promql.BadData, Execution):
            continue
        for alert in alerts:
            found.append(sample("ALERTS", 1, **alert.labels, alertstate=alert.state))
            found.append(sample("ALERTS_FOR_STATE", alert.since / 1000, **alert.labels))
    return found
