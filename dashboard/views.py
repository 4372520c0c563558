"""Views find a cluster, and hand over: to a panel to look at something, to an action to do something."""

import json
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.middleware.csrf import get_token
from django.shortcuts import render
from django.templatetags.static import static
from django.urls import get_script_prefix, reverse
from django.utils.translation import gettext as _
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_GET, require_POST

from cluster.models import Cluster
from dashboard import actions, charts, panels, texts
from dashboard.panels import monitoring
from dashboard.panels.panel import View

SHEETS = tuple(f"orrery/css/{name}.css" for name in ("tokens", "base", "layout", "map", "panels", "monitoring"))
CSP = (
    "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "object-src 'none'; base-uri 'none'; frame-ancestors 'none'"
)
THEMES = ("light", "dark")


def home(request: HttpRequest) -> HttpResponse:
    """Go to the cluster of last time, or to any."""
    last = request.COOKIES.get("orrery_cluster", "default")
    names = list(Cluster.objects.order_by("pk").values_list("name", flat=True))
    if not names:
        return with_policy(render(request, "dashboard/none.html", {"sheets": SHEETS}))
    return HttpResponseRedirect(reverse("page", args=[last if last in names else names[0]]))


@require_GET
@ensure_csrf_cookie
def page(request: HttpRequest, cluster: str) -> HttpResponse:
    """The page. The panels that everybody sees at once are in it already; the rest comes through htmx."""
    row = Cluster.objects.filter(name=cluster).first()
    if row is None:
        return HttpResponseRedirect(reverse("home"))
    view = View(request, row)
    theme = request.GET.get("theme") or request.COOKIES.get("orrery_theme", "")
    context = {
        "cluster": cluster,
        "sheets": SHEETS,
        "theme": theme if theme in THEMES else "",
        "boot": script_json(_boot(request, cluster)),
        "wide_panels": panels.wide(),
        "speeds": speeds(),
        "kubeconfig_line": kubeconfig_line(request, cluster),
        "actions": panels.render("actions", view),
        "clusters": panels.render("clusters", view),
        "inspector": panels.render("inspector", view),
    }
    response = with_policy(render(request, "dashboard/page.html", context))
    response.set_cookie("orrery_cluster", cluster, max_age=31_536_000, samesite="Strict")
    return response


def _boot(request: HttpRequest, cluster: str) -> dict[str, Any]:
    """What the scripts must know before the first frame."""
    wanted = {
        "kind": request.GET.get("kind", ""),
        "key": request.GET.get("key", ""),
        "tab": request.GET.get("tab", "why"),
    }
    return {
        "cluster": cluster,
        "csrf": get_token(request),
        "home": reverse("home"),
        "stream": f"{get_script_prefix()}clusters/{cluster}/stream",
        "panel": reverse("panel", args=[cluster, "x"])[:-1],
        "act": reverse("act", args=[cluster, "x"])[:-1],
        "uplot": {
            "js": static("vendor/uplot-1.6.32/uPlot.iife.min.js"),
            "css": static("vendor/uplot-1.6.32/uPlot.min.css"),
        },
        "open": wanted if wanted["kind"] else None,
        "centre": request.GET.get("centre", ""),
        "centreQuery": urlencode({k: v for k, v in request.GET.items() if k not in (*wanted, "centre", "theme")}),
        "texts": texts.for_scripts(),
        "notes": texts.notes(),
    }


def script_json(value: Any) -> str:
    """JSON that may stand inside a <script> element."""
    return json.dumps(value).replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def speeds() -> list[dict[str, Any]]:
    found = [
        {"value": f"{speed:g}", "label": f"{speed:g}×", "note": ""} for speed in (0.1, 0.5, 1, 2, 5, 10, 60, 100, 1000)
    ]
    found[2]["note"] = _("real time")
    return [*found, {"value": "max", "label": _("max"), "note": _("as fast as it can")}]


def kubeconfig_line(request: HttpRequest, cluster: str) -> str:
    if cluster == "default":
        return f"export KUBECONFIG={settings.HOME / 'kubeconfig'}"
    return f"kubectl -s {request.build_absolute_uri('/').rstrip('/')}/clusters/{cluster} get pods -A"


def with_policy(response: HttpResponse) -> HttpResponse:
    response["Content-Security-Policy"] = CSP
    return response


@require_GET
def panel(request: HttpRequest, cluster: str, name: str) -> HttpResponse:
    """One panel as a fragment. 404 if there is no panel of that name."""
    if name not in panels.REGISTRY:
        raise Http404(f"no panel {name!r}")
    return HttpResponse(panels.render(name, View(request, find(cluster))))


@require_GET
def chart(request: HttpRequest, cluster: str, name: str) -> JsonResponse:
    """The numbers of one chart: {unit, times, series: [{label, values}]}."""
    if name not in charts.CHARTS:
        raise Http404(f"no chart {name!r}")
    return JsonResponse(charts.CHARTS[name](View(request, find(cluster))))


@require_GET
def graphs(request: HttpRequest, cluster: str) -> JsonResponse:
    """The numbers of a dashboard, or of a query, in one batch: see dashboard/graphs.py."""
    return JsonResponse(monitoring.batch(View(request, find(cluster))))


@require_POST
def act(request: HttpRequest, cluster: str, name: str) -> HttpResponse:
    """Do what a click asks for. What came of it is a toast, or the text below the form that asked."""
    if name not in actions.ACTIONS:
        raise Http404(f"no action {name!r}")
    outcome = actions.ACTIONS[name](View(request, find(cluster)), request.POST)
    return answer(request, outcome)


def answer(request: HttpRequest, outcome: actions.Outcome) -> HttpResponse:
    """A form gets its outcome as HTML beside it; a button gets a toast. Successful forms close themselves."""
    response = HttpResponse(status=outcome.status)
    events: dict[str, Any] = {}
    if outcome.lines:
        return render(request, "dashboard/_outcome.html", {"outcome": outcome}, status=outcome.status)
    if outcome.text:
        events["orrery:toast"] = {"text": outcome.text, "bad": not outcome.ok, "undo": outcome.undo}
    if outcome.ok:
        events["orrery:done"] = {}
    if outcome.goto:
        response["HX-Redirect"] = outcome.goto
    response["HX-Trigger"] = json.dumps(events)
    return response


def find(cluster: str) -> Cluster:
    row = Cluster.objects.filter(name=cluster).first()
    if row is None:
        raise Http404(f"no cluster {cluster!r}")
    return row
