"""The monitoring panel: ready dashboards, alerts, an explorer for PromQL, and what is used right now.

    view     dashboards, alerts, explore, now
    d        which dashboard; namespace, node, workload, pod: its variables
    span     how far back: 15m, 1h, 6h, 24h of simulated time
    q        the explorer's query

The panel is what stands around the graphs; their numbers come in one batch from the address in `src`, whenever
`version` has changed.

Read next: dashboard/graphs.py, dashboard/prometheus.py.
"""

from typing import Any
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from cluster.gateway import pool
from cluster.gateway.site import Site
from cluster.models import MetricBlock
from cluster.monitoring import configuration, families, promql, rules
from cluster.monitoring.promql import BadData, Execution, Frame, Scalar
from cluster.monitoring.store import RETENTION, Store, index_of
from dashboard import graphs, prometheus
from dashboard.boards import BOARDS, variables
from dashboard.boards.board import Board
from dashboard.panels import metrics
from dashboard.panels.panel import Panel, View

VIEWS = {"dashboards": _("Dashboards"), "alerts": _("Alerts"), "explore": _("Explore"), "now": _("Right now")}
VARIABLES = {"namespace": _("Namespace"), "node": _("Node"), "workload": _("Workload"), "pod": _("Pod")}
SPANS = {"15m": _("15 min"), "1h": _("1 h"), "6h": _("6 h"), "24h": _("24 h")}
MOST_ROWS = 100  # Of the explorer's table.
MOST_ALERTS = 200
LINE = "python manage.py addon prometheus | kubectl apply -f -"
EXAMPLES = (
    (_("Who can be scraped?"), "up"),
    (_("CPU by namespace, in cores"), "sum by (namespace) (rate(container_cpu_usage_seconds_total[1m]))"),
    (_("The five pods with the most memory"), "topk(5, sum by (pod) (container_memory_working_set_bytes))"),
    (_("Pods that are not running"), 'kube_pod_status_phase{phase!="Running"} == 1'),
    (_("Free memory of each node"), "sum by (node) (machine_memory_bytes - node_memory_working_set_bytes)"),
    (_("Restarts in the last quarter of an hour"), "increase(kube_pod_container_status_restarts_total[15m]) > 0"),
    (_("Was anything unreachable?"), "min_over_time(up[15m]) == 0"),
)


def context(view: View) -> dict[str, Any]:
    name = view.wish("view", "dashboards")
    name = name if name in VIEWS else "dashboards"
    tabs = [{"name": n, "title": t, "on": n == name} for n, t in VIEWS.items()]
    found: dict[str, Any] = {"view": name, "views": tabs}
    if name == "now":
        return {**found, **metrics.context(view)}
    site = Site.of(pool.reader(), view.cluster.name)
    condition = prometheus.condition(site) if site is not None else prometheus.Condition(prometheus.ABSENT)
    found |= {"condition": condition, "line": LINE, "span": span_of(view)}
    if condition.state != prometheus.READY or site is None:
        return found
    return {**found, **_CONTEXTS[name](view, site)}


def span_of(view: View) -> str:
    span = view.wish("span", graphs.USUAL_SPAN)
    return span if span in graphs.SPANS else graphs.USUAL_SPAN


# --- Dashboards -----------------------------------------------------------------------------------------------


def dashboards(view: View, site: Site) -> dict[str, Any]:
    board = board_of(view)
    chosen = variables.chosen(view.cluster, index_of(view.cluster.pk), board.variables, view.wish)
    query = {"d": board.name, "span": span_of(view), **{each.name: each.chosen for each in chosen}}
    return {
        "board": board,
        "boards": BOARDS.values(),
        "variables": [{"of": each, "title": VARIABLES[each.name]} for each in chosen],
        **_drawn(view, query),
    }


def board_of(view: View) -> Board:
    return BOARDS.get(view.wish("d"), BOARDS["cluster"])


def _drawn(view: View, query: dict[str, str]) -> dict[str, Any]:
    """Where the numbers are, and a mark that changes when they do."""
    last = MetricBlock.objects.filter(cluster_id=view.cluster.pk).order_by("-end").values_list("end", flat=True).first()
    src = f"{reverse('graphs', args=[view.cluster.name])}?{urlencode(query)}"
    moment = view.cluster.sim_now // (graphs.FINEST * 1_000_000)
    return {
        "src": src,
        "version": f"{src} {last} {moment}",
        "spans": [{"name": n, "title": t, "on": n == query["span"]} for n, t in SPANS.items()],
        "state": query,
        "scraped": last is not None,
        "age": max((view.cluster.epoch + view.cluster.sim_now) - (last or 0) * 1000, 0),
        "kept": RETENTION // 3_600_000 if graphs.SPANS[query["span"]] * 1000 > RETENTION else 0,
    }


def batch(view: View) -> dict[str, Any]:
    """The numbers for what `context` shows."""
    at = graphs.look(view.cluster, span_of(view))
    query = view.wish("q").strip()
    if query:
        return graphs.explored(at, query)
    board = board_of(view)
    chosen = variables.chosen(view.cluster, at.store.index, board.variables, view.wish)
    return graphs.batch(at, board, variables.values(chosen))


# --- Alerts ---------------------------------------------------------------------------------------------------


def alerts(view: View, site: Site) -> dict[str, Any]:
    """Every rule, with its alerts as the last scrape found them."""
    try:
        found = [rule for rule in configuration.of(site).rules if isinstance(rule, rules.Rule)]
    except configuration.Unreadable as error:
        return {"state": {}, "problem": str(error), "active": [], "rules": []}
    store = Store(view.cluster.pk)
    at = store.last()[0]
    listed = [_rule(rule, store, at, view.cluster.epoch) for rule in found]
    active = sorted(
        (alert for rule in listed for alert in rule["alerts"]), key=lambda a: (a["state"] != "firing", a["since"])
    )
    return {"state": {}, "active": active[:MOST_ALERTS], "more": max(len(active) - MOST_ALERTS, 0), "rules": listed}


def _rule(rule: rules.Rule, store: Store, at: int, epoch: int) -> dict[str, Any]:
    problem = ""
    try:
        active = rules.active(rule, store, at) if at >= 0 else []
    except (BadData, Execution) as error:
        active, problem = [], str(error)
    states = {alert.state for alert in active}
    return {
        "name": rule.name,
        "query": rule.text,
        "lasting": rule.lasting * 1000,
        "severity": rule.labels.get("severity", ""),
        "state": "firing" if "firing" in states else "pending" if states else "inactive",
        "problem": problem,
        "alerts": [
            {
                "name": rule.name,
                "state": alert.state,
                "since": (alert.since - epoch // 1000) * 1000,
                "labels": sorted((k, v) for k, v in alert.labels.items() if k != "alertname"),
                "summary": rule.explained(alert).get("summary", ""),
                "query": rule.text,
                "left": max(rule.lasting - (at - alert.since), 0) * 1000,
                "object": _object_of(alert.labels),
            }
            for alert in active
        ],
    }


def _object_of(labels: dict[str, str]) -> str:
    """What the inspector can show of an alert's labels: Kind/namespace/name; empty: nothing."""
    namespace = labels.get("namespace", "")
    if labels.get("pod") and namespace:
        return f"Pod/{namespace}/{labels['pod']}"
    if labels.get("deployment") and namespace:
        return f"Deployment/{namespace}/{labels['deployment']}"
    return f"Node//{labels['node']}" if labels.get("node") else ""


def firing(view: View) -> dict[str, Any]:
    """How many alerts the last scrape found firing: for the badge beside the panel's name."""
    store = Store(view.cluster.pk)
    at, values = store.last()
    late = (view.cluster.epoch + view.cluster.sim_now) // 1000 - at > promql.LOOKBACK
    labels = [] if late else [store.index.labels[number] for number in values]
    return {"firing": sum(each[promql.NAME] == "ALERTS" and each["alertstate"] == "firing" for each in labels)}


# --- The explorer ---------------------------------------------------------------------------------------------


def explore(view: View, site: Site) -> dict[str, Any]:
    query = view.wish("q").strip()
    index = index_of(view.cluster.pk)
    found = {
        "query": query,
        "examples": [{"title": title, "query": text, "on": text == query} for title, text in EXAMPLES],
        "names": sorted({*index.values.get(promql.NAME, {}), *families.FAMILIES}),
        **_drawn(view, {"view": "explore", "span": span_of(view), "q": query}),
    }
    return {**found, **instant(view, query)} if query else found


def instant(view: View, query: str) -> dict[str, Any]:
    """The query's value now: rows of labels and value, a scalar, a string, or what is wrong with it."""
    at = graphs.look(view.cluster, span_of(view))
    text = variables.filled(query, {"__rate_interval": graphs.rate_interval(at)})
    try:
        value, _steps = promql.evaluate(promql.parse(text), at.store, at.now, at.now, 1)
    except (BadData, Execution) as error:
        return {"problem": str(error)}
    if isinstance(value, str):
        return {"rows": [{"labels": "", "value": value}], "more": 0}
    if isinstance(value, Scalar):
        return {"rows": [{"labels": "scalar", "value": promql.shown(value.values[0])}], "more": 0}
    if not isinstance(value, Frame):
        return {}  # The graph says why.
    rows = [
        {"labels": _selector(labels), "value": promql.shown(value.values[row, 0])}
        for row, labels in enumerate(value.labels)
        if value.present[row, 0]
    ]
    return {"rows": rows[:MOST_ROWS], "more": max(len(rows) - MOST_ROWS, 0)}


def _selector(labels: dict[str, str]) -> str:
    """A series as Prometheus writes it."""
    pairs = ", ".join(f'{name}="{text}"' for name, text in sorted(labels.items()) if name != promql.NAME)
    return f"{labels.get(promql.NAME, '')}{{{pairs}}}"


_CONTEXTS = {"dashboards": dashboards, "alerts": alerts, "explore": explore}

PANEL = Panel("monitoring", context, _("Monitoring"), "gauge")
BADGE = Panel("firing", firing)
