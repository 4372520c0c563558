"""CPU and memory: what metrics.k8s.io says is used now, and what Prometheus remembers, both asked as web-ui's account.

Without a metrics-server there are no figures, without Prometheus no charts, and the page says so in the API's words.

Left out: disks and networks.
"""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from cluster.objects import Manifest, amounts, meta, quantity
from dashboard.webui.cells import Cell, Row, Section
from dashboard.webui.client import Client

METRICS = "apis/metrics.k8s.io/v1beta1"
PROMETHEUS = "api/v1/namespaces/kube-system/services/prometheus:9090/proxy/api/v1"
SPAN, STEP = 600, 10  # Seconds of a chart.
MOST_SERIES = 6
WORKLOADS = ("Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Job", "ReplicationController")
CHARTS = {
    "cpu": (gettext_lazy("CPU"), gettext_lazy("millicores"), ""),
    "memory": (gettext_lazy("Memory"), "MiB", ""),
}
MIB = 1 << 20


def is_measured(obj: Manifest | None) -> bool:
    """Does anything of this kind use CPU and memory? None: the whole cluster does."""
    return obj is None or obj["kind"] in ("Pod", "Node", *WORKLOADS)


# --- now ----------------------------------------------------------------------------------------------------------


def section(server: Client, obj: Manifest | None) -> Section | None:
    """What is used now: of a pod's containers, a node, a workload's pods, all nodes. None: nothing is measured."""
    if not is_measured(obj):
        return None
    columns = [_("Name"), _("CPU"), _("Memory")]
    path, query = _measured(obj)
    if not path:
        return None
    answer = server.get(path, query)
    if answer.status != 200:
        said = {"said": answer.message}
        return Section(_("Usage"), note=_("metrics.k8s.io has no figures: %(said)s") % said)
    items = answer.body.get("items", [answer.body])
    if obj is not None and obj["kind"] == "Pod":
        rows = [_container(obj, each) for each in answer.body.get("containers") or ()]
    elif obj is not None and obj["kind"] != "Node":
        rows = [_pod(each) for each in items]
    else:
        nodes = {meta.name(each): each for each in ([obj] if obj else server.items("api/v1/nodes"))}
        rows = [_node(nodes.get(meta.name(each)), each) for each in items]
    return Section(_("Usage"), columns=columns, rows=rows, note=_("Nothing has been measured yet."))


def _measured(obj: Manifest | None) -> tuple[str, dict[str, str]]:
    if obj is None:
        return f"{METRICS}/nodes", {}
    name, namespace = meta.name(obj), meta.namespace(obj)
    if obj["kind"] == "Node":
        return f"{METRICS}/nodes/{name}", {}
    if obj["kind"] == "Pod":
        return f"{METRICS}/namespaces/{namespace}/pods/{name}", {}
    labels = _selector(obj)
    return (f"{METRICS}/namespaces/{namespace}/pods", {"labelSelector": labels}) if labels else ("", {})


def _selector(workload: Manifest) -> str:
    selector = workload["spec"].get("selector") or {}
    labels = selector.get("matchLabels", {} if "matchExpressions" in selector else selector)
    return ",".join(f"{name}={value}" for name, value in sorted(labels.items()))


def _container(pod: Manifest, measured: Manifest) -> Row:
    spec: Manifest = next((each for each in pod["spec"]["containers"] if each["name"] == measured["name"]), {})
    limits = (spec.get("resources") or {}).get("limits") or {}
    return [Cell(measured["name"]), *_used(measured["usage"], limits)]


def _pod(measured: Manifest) -> Row:
    total = amounts.Amounts()
    for each in measured.get("containers") or ():
        total = amounts.plus(total, amounts.parse(each["usage"]))
    path = f"api/v1/namespaces/{meta.namespace(measured)}/pods/{meta.name(measured)}"
    return [Cell(meta.name(measured), path), *_used(amounts.text(total), {})]


def _node(node: Manifest | None, measured: Manifest) -> Row:
    whole = ((node or {}).get("status") or {}).get("allocatable") or {}
    name = meta.name(measured)
    return [Cell(name, f"api/v1/nodes/{name}"), *_used(measured["usage"], whole)]


def _used(usage: Mapping[str, str], whole: Mapping[str, str]) -> list[Cell]:
    """CPU and memory as `kubectl top` writes them, and how much of the whole that is."""
    cpu, memory = quantity.milli(usage.get("cpu", "0")), quantity.value(usage.get("memory", "0"))
    found = []
    for text, used, most in (
        (f"{cpu}m", cpu, quantity.milli(whole["cpu"]) if "cpu" in whole else 0),
        (f"{memory // MIB}Mi", memory, quantity.value(whole["memory"]) if "memory" in whole else 0),
    ):
        share = used * 100 // most if most else None
        found.append(Cell(f"{text} ({share}%)" if share is not None else text, share=share))
    return found


# --- lately -------------------------------------------------------------------------------------------------------


def charts(server: Client, obj: Manifest | None) -> dict[str, Any] | None:
    """{"charts": [{"name", "title", "unit"}], "of"}, or {"problem"} without Prometheus. None: nothing is measured."""
    if not is_measured(obj) or (obj is not None and obj["kind"] in WORKLOADS and not _selector(obj)):
        return None
    answer = server.get(f"{PROMETHEUS}/query", {"query": "1"})
    if answer.status != 200:
        return {"problem": answer.message}
    return {"charts": [{"name": name, "title": title, "unit": unit} for name, (title, unit, _) in CHARTS.items()]}


def numbers(server: Client, name: str, query: Mapping[str, str]) -> dict[str, Any]:
    """{"unit", "times": seconds from midnight, "series": [{"label", "values"}]} for charts.js."""
    obj = None
    if query.get("of"):
        found = server.get(query["of"])
        if found.status != 200:
            return {"unit": "", "times": [], "series": []}
        obj = found.body
    now = getattr(server, "now", 0) // 1_000_000 // STEP * STEP
    asked = {"query": _expression(server, name, obj), "start": str(now - SPAN), "end": str(now), "step": str(STEP)}
    answer = server.get(f"{PROMETHEUS}/query_range", asked)
    results = (answer.body.get("data") or {}).get("result") or []
    moments = list(range(now - SPAN, now + 1, STEP))
    midnight = moments[0] // 86400 * 86400
    series = []
    for each in sorted(results, key=lambda one: sorted(one["metric"].items()))[:MOST_SERIES]:
        values = {round(float(at)): float(value) for at, value in each["values"]}
        label = next(iter(each["metric"].values()), "")
        series.append({"label": label, "values": [_rounded(values.get(at)) for at in moments]})
    return {"unit": CHARTS[name][2], "times": [at - midnight for at in moments], "series": series}


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)


def _expression(server: Client, name: str, obj: Manifest | None) -> str:
    """PromQL for a chart: a series a container, a pod or a node."""
    node = obj is None or obj["kind"] == "Node"
    by = "node" if node else ("container" if obj is not None and obj["kind"] == "Pod" else "pod")
    matchers = ""
    if obj is not None and node:
        matchers = f'node="{meta.name(obj)}"'
    elif obj is not None:
        path = f"api/v1/namespaces/{meta.namespace(obj)}/pods"
        names = [meta.name(obj)]
        if obj["kind"] != "Pod":
            names = sorted(meta.name(each) for each in server.items(path, {"labelSelector": _selector(obj)}))
        alike = "|".join(each.replace(".", "\\\\.") for each in names)
        matchers = f'namespace="{meta.namespace(obj)}",pod=~"{alike}",container!=""'
    start = "node" if node else "container"
    if name == "cpu":
        return f"sum by ({by}) (rate({start}_cpu_usage_seconds_total{{{matchers}}}[1m])) * 1000"
    return f"sum by ({by}) ({start}_memory_working_set_bytes{{{matchers}}}) / {MIB}"
