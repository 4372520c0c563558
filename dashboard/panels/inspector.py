"""The inspector: one object with its tabs. Which tabs there are depends on the kind; each is a file of its
own.

An object is named by `kind` and `key` ("namespace/name", or "name" for kinds without namespace).
`Component` is no kind of the API: it stands for a box of the control plane, such as kube-scheduler.
"""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from cluster.objects import Manifest, meta
from dashboard import loads, observed, reads, rows
from dashboard.boards.variables import WORKLOADS
from dashboard.panels import (
    cloud,
    tab_about,
    tab_events,
    tab_logs,
    tab_metrics,
    tab_network,
    tab_runtime,
    tab_static,
    tab_why,
    tab_yaml,
)
from dashboard.panels.panel import Panel, View

Tab = Callable[[View, str, str, Manifest | None], dict[str, Any]]

TABS: dict[str, tuple[Any, Tab]] = {
    "why": (gettext_lazy("Why"), tab_why.context),
    "yaml": (gettext_lazy("YAML"), tab_yaml.context),
    "events": (gettext_lazy("Events"), tab_events.context),
    "logs": (gettext_lazy("Logs"), tab_logs.context),
    "metrics": (gettext_lazy("Metrics"), tab_metrics.context),
    "network": (gettext_lazy("Network"), tab_network.context),
    "runtime": (gettext_lazy("Runtime"), tab_runtime.context),
    "static": (gettext_lazy("Static"), tab_static.context),
}
OF_KIND = {
    "Pod": ("why", "yaml", "events", "logs", "metrics", "network"),
    "Node": ("why", "yaml", "events", "metrics", "network", "runtime", "static"),
}
SCALABLE = ("Deployment", "ReplicaSet")
BOARD_OF = {"kube-apiserver": "api-server", "kube-scheduler": "scheduler", "kube-controller-manager": "controllers"}


def context(view: View) -> dict[str, Any]:
    kind, key = view.wish("kind"), view.wish("key")
    if not kind:
        kind, key = something_to_show(view)
    if kind == "Component":
        board = urlencode({"d": BOARD_OF[key]}) if key in BOARD_OF else ""
        return {
            "kind": kind,
            "key": key,
            "name": key,
            "component": True,
            "board": board,
            **tab_about.context(view, key),
        }
    if not kind or kind not in reads.kinds():
        return {"kind": "", "key": ""}
    namespace, name = meta.split_key(key)
    obj = reads.get(view.cluster, kind, namespace, name)
    names = OF_KIND.get(kind, ("why", "yaml", "events"))
    tab = view.wish("tab", "why")
    tab = tab if tab in names else "why"
    return {
        "kind": kind,
        "key": key,
        "name": name,
        "namespace": namespace,
        "tab": tab,
        "tabs": [{"name": n, "title": TABS[n][0], "on": n == tab} for n in names],
        "template": f"dashboard/panels/tab_{tab}.html",
        "gone": obj is None,
        "scalable": kind in SCALABLE and obj is not None,
        "balancer": balancer(view, kind, obj),
        "powered": kind == "Node" and observed.machine(view.cluster, name)["power"],
        "ports": list(loads.ports(obj)) if kind == "Service" and obj is not None else [],
        "board": board_of(kind, namespace, name),
        **described(kind, obj),
        **TABS[tab][1](view, kind, key, obj),
    }


def balancer(view: View, kind: str, obj: Manifest | None) -> dict[str, Any] | None:
    """What stands before a Service of type LoadBalancer; None for everything else."""
    if kind != "Service" or obj is None or obj["spec"].get("type") != "LoadBalancer":
        return None
    return cloud.balancer_of(view, obj)


def board_of(kind: str, namespace: str, name: str) -> str:
    """The query that opens an object's dashboard; empty if there is none for its kind."""
    if kind == "Node":
        return urlencode({"d": "node", "node": name})
    if kind == "Pod":
        return urlencode({"d": "pod", "namespace": namespace, "pod": name})
    if kind in WORKLOADS:
        return urlencode({"d": "workload", "namespace": namespace, "workload": f"{kind}/{name}"})
    return ""


def something_to_show(view: View) -> tuple[str, str]:
    """For somebody who has not clicked yet: an application's pod, else a node."""
    pods = reads.keys(view.cluster, "Pod")
    mine = [key for key in pods if not key.startswith("kube-")]
    if mine or pods:
        return "Pod", (mine or pods)[0]
    nodes = reads.keys(view.cluster, "Node")
    return ("Node", nodes[0]) if nodes else ("", "")


def described(kind: str, obj: Manifest | None) -> dict[str, Any]:
    """Glyph and one line below the name."""
    if obj is None:
        return {"line": _("%(kind)s, no longer there") % {"kind": kind}, "state": "term"}
    where = _("%(kind)s in %(namespace)s") % {"kind": kind, "namespace": meta.namespace(obj)}
    if kind == "Pod":
        row = rows.pod_row(obj)
        return {"line": f"{where}: {row['t']}", "place": row["n"], "state": row["s"]}
    if kind == "Node":
        ready = rows.condition(obj, "Ready").get("status") == "True"
        cordoned = bool(obj.get("spec", {}).get("unschedulable"))
        words = _("Ready") if ready else _("not ready")
        line = f"{_('Node')}, {words}{', ' + _('cordoned') if cordoned else ''}"
        return {"line": line, "icon": "server", "cordoned": cordoned}
    if kind in SCALABLE:
        status = obj.get("status", {})
        counts = {"ready": status.get("readyReplicas", 0), "wanted": obj["spec"].get("replicas", 1)}
        return {
            "line": f"{where}, " + _("%(ready)s of %(wanted)s ready") % counts,
            "icon": "layers",
            **counts,
        }
    return {"line": where if meta.namespace(obj) else kind, "icon": "file-code"}


def scale_context(view: View) -> dict[str, Any]:
    kind, key = view.wish("kind", "Deployment"), view.wish("key")
    namespace, name = meta.split_key(key)
    obj = reads.get(view.cluster, kind, namespace, name) if kind in SCALABLE else None
    return {
        "kind": kind,
        "key": key,
        "name": name,
        "replicas": (obj or {}).get("spec", {}).get("replicas", 1),
    }


PANEL = Panel("inspector", context)
SCALE = Panel("scale", scale_context)
