"""Pages of web-ui. The path behind /ui/ is the API's own path of a list or an object; a POST there changes the object.

What is live on a page is a part of its own: htmx asks for it every two seconds, and gets 204 if it is as it was.
"""

import hashlib
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.template.loader import render_to_string
from django.urls import reverse
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.http import require_GET, require_http_methods

from cluster import backends, inbox
from cluster.apiserver.aggregation import Unavailable
from cluster.apiserver.target import Target, parse
from cluster.gateway import pool
from cluster.gateway.site import Site
from dashboard.views import SHEETS, THEMES, with_policy
from dashboard.webui import discovery, health, objects, writes
from dashboard.webui.client import Answer, Client

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
PROGRAM = "dashboard"
PAGE = "50"  # Rows.
View = Callable[..., HttpResponse]


def served(view: View) -> View:
    """`view(request, server, …)`, or 503 while no pod of web-ui answers."""

    @wraps(view)
    def answer(request: HttpRequest, cluster: str, **rest: str) -> HttpResponse:
        site = Site.of(pool.reader(), cluster)
        if site is None:
            raise Http404
        inbox.follow(cluster)
        try:
            pod = backends.demand(site, "kube-system", "web-ui", PROGRAM)
            return _told(view(request, Client(request, cluster, pod), **rest))
        except Unavailable as error:
            text, status = f"{error.message}\n", 503
        except TimeoutError:
            text, status = "the API server did not answer in time\n", 504
        return _told(HttpResponse(text, status=status, content_type="text/plain; charset=utf-8"))

    return answer


@require_GET
@served
def overview(request: HttpRequest, server: Client) -> HttpResponse:
    """Health, warnings, and every kind that can be listed."""
    live = {"health": health.of_cluster(server), "events": objects.events(server, ""), "all": True}
    if request.headers.get("HX-Request"):
        return _part(request, server, "overview", live)
    kinds = [kind for kind in discovery.kinds(server) if "list" in kind.verbs]
    return _page(request, server, "overview", live, {"kinds": kinds})


@require_http_methods(["GET", "POST"])
@csrf_protect
@served
def create(request: HttpRequest, server: Client) -> HttpResponse:
    """A form for YAML; what came of each document stands above it."""
    context: dict[str, Any] = {"yaml": request.POST.get("yaml", "")}
    status = 200
    if request.method == "POST":
        status, lines = writes.create(server, context["yaml"].replace("\r\n", "\n"))
        context |= {"lines": lines, "failed": status >= 400}
    return _page(request, server, "create", {}, context, status)


@require_http_methods(["GET", "POST"])
@csrf_protect
@served
def show(request: HttpRequest, server: Client, api: str) -> HttpResponse:
    """A list or an object. POST: do to the object what the form says."""
    api = api.strip("/")
    target = parse(f"/{api}")
    if target is None or not target.plural or target.subresource or "watch" in api.split("/")[:4]:
        raise Http404
    if target.name:
        return _object(request, server, api, target)
    if request.method == "POST":
        raise Http404
    return _list(request, server, api, target)


def _list(request: HttpRequest, server: Client, api: str, target: Target) -> HttpResponse:
    chosen = request.GET.get("namespace")
    root = f"apis/{target.group}/{target.version}" if target.group else f"api/{target.version}"
    selector = request.GET.get("labelSelector", "")
    if chosen is not None:
        scope = f"/namespaces/{chosen}" if chosen else ""
        here = reverse("webui-show", args=[server.cluster, f"{root}{scope}/{target.plural}"])
        chosen_by = request.GET.copy()
        del chosen_by["namespace"]
        return HttpResponseRedirect(f"{here}?{chosen_by.urlencode()}" if selector else here)
    query = {name: request.GET[name] for name in ("labelSelector", "continue") if request.GET.get(name)}
    answer = server.get(api, {"limit": PAGE, **query}, TABLE)
    live: dict[str, Any] = {"problem": answer.message} if answer.status != 200 else {"table": _table(answer.body, api)}
    live |= {"api": api, "selector": selector}
    if request.headers.get("HX-Request"):
        return _part(request, server, "list", live)
    kinds = discovery.kinds(server)
    kind = next((each for each in kinds if each.list == f"{root}/{target.plural}"), None)
    where = f" -n {target.namespace}" if target.namespace else (" -A" if kind and kind.namespaced else "")
    wish = f" -l {selector}" if selector else ""
    context = {
        "namespace": target.namespace,
        "namespaces": _namespaces(server) if kind and kind.namespaced else [],
        "line": f"kubectl get {kind.name if kind else target.plural}{where}{wish}",
        "heading": kind.name if kind else target.plural,
    }
    return _page(request, server, "list", live, context, answer.status)


def _object(request: HttpRequest, server: Client, api: str, target: Target) -> HttpResponse:
    said, status, text = "", 200, ""
    if request.method == "POST":
        done = request.POST.get("do", "")
        if done not in writes.WRITES:
            raise Http404
        answer = writes.WRITES[done](request.POST).send(server, api)
        dry = done == "edit" and request.POST.get("dry")
        if answer.status < 400 and not dry:
            return _after(server, api, target, done, answer)
        said, status, text = answer.message, answer.status, request.POST.get("yaml", "")
        if dry and answer.status < 400:
            said, status = "", 200
    return _shown(request, server, api, target, {"problem": said, "status": status, "yaml": text})


def _after(server: Client, api: str, target: Target, done: str, answer: Answer) -> HttpResponse:
    """Back to the object, or to the list that it was in."""
    finalized = bool((answer.body.get("metadata") or {}).get("deletionTimestamp"))
    path = api.rpartition("/")[0] if done == "delete" and not finalized else api
    return HttpResponseRedirect(reverse("webui-show", args=[server.cluster, path]))


def _shown(request: HttpRequest, server: Client, api: str, target: Target, outcome: dict[str, Any]) -> HttpResponse:
    answer = server.get(api)
    if answer.status != 200:
        live: dict[str, Any] = {"problem": answer.message, "api": api}
        if request.headers.get("HX-Request"):
            return _part(request, server, "object", live)
        return _page(request, server, "object", live, {"heading": target.name}, answer.status)
    known = discovery.kinds(server)
    obj = answer.body
    live = {"api": api, **objects.live(server, known, target, obj, request.GET)}
    if request.headers.get("HX-Request"):
        return _part(request, server, "object", live)
    kind = discovery.of_object(known, obj["apiVersion"], obj["kind"])
    lines = writes.offered(kind, obj) if kind else {}
    context = {
        "heading": f"{obj['kind']} {target.name}",
        "lines": lines,
        "object_replicas": request.POST.get("replicas") or (obj.get("spec") or {}).get("replicas", 1),
        "buttons": [(name, label, lines[name]) for name, label in writes.BUTTONS.items() if name in lines],
        "failure": outcome["problem"],
        "would": request.method == "POST" and not outcome["problem"],
        "yaml": outcome["yaml"] or objects.as_yaml(obj),
        "editing": bool(outcome["yaml"]),
        "list": api.rpartition("/")[0],
    }
    return _page(request, server, "object", live, context, outcome["status"])


def _namespaces(server: Client) -> list[str]:
    found = server.get("api/v1/namespaces", {"limit": "500"}).body.get("items", ())
    return [each["metadata"]["name"] for each in found]


# --- answers --------------------------------------------------------------------------------------------------------


def _page(
    request: HttpRequest,
    server: Client,
    name: str,
    live: dict[str, Any],
    context: dict[str, Any],
    status: int = 200,
) -> HttpResponse:
    theme = request.COOKIES.get("orrery_theme", "")
    shown = {"cluster": server.cluster, "sheets": SHEETS[:2], "theme": theme if theme in THEMES else "", **context}
    if live:
        shown["live"], shown["seen"] = _rendered(request, server, name, live)
    return with_policy(render(request, f"webui/{name}.html", shown, status=status))


def _part(request: HttpRequest, server: Client, name: str, live: dict[str, Any]) -> HttpResponse:
    """The live part, with 200 also for what the API refuses: htmx shows it in place. 204: it is as it was."""
    html, seen = _rendered(request, server, name, live)
    if request.GET.get("seen") == seen:
        return HttpResponse(status=204)
    return render(request, "webui/_live.html", {"live": html, "seen": seen})


def _rendered(request: HttpRequest, server: Client, name: str, live: dict[str, Any]) -> tuple[str, str]:
    """(HTML, a digest of it)."""
    html = render_to_string(f"webui/_{name}.html", {"cluster": server.cluster, **live}, request)
    return html, hashlib.sha256(html.encode()).hexdigest()[:16]


def _told(response: HttpResponse) -> HttpResponse:
    """What a cluster answers is no failure of this server: Django need not log it."""
    response._has_been_logged = True  # type: ignore[attr-defined]
    return response


def _table(body: dict[str, Any], api: str) -> dict[str, Any]:
    """Columns that kubectl shows without -o wide, and rows with where their objects are."""
    columns = [(at, each["name"]) for at, each in enumerate(body.get("columnDefinitions", ())) if not each["priority"]]
    rows = []
    for row in body.get("rows", ()):
        about = row["object"]["metadata"]
        cells = [row["cells"][at] for at, _ in columns]
        rows.append({"namespace": about.get("namespace", ""), "api": _object_path(api, about), "cells": cells})
    return {
        "columns": [name for _, name in columns],
        "rows": rows,
        "namespaced": any(row["namespace"] for row in rows) and "/namespaces/" not in api,
        "more": body.get("metadata", {}).get("continue", ""),
    }


def _object_path(api: str, about: dict[str, str]) -> str:
    """The path of an object in the list at `api`.

    >>> _object_path("api/v1/pods", {"namespace": "shop", "name": "web"})
    'api/v1/namespaces/shop/pods/web'
    >>> _object_path("api/v1/nodes", {"name": "n1"})
    'api/v1/nodes/n1'
    """
    root, _, plural = api.rpartition("/")
    scope = f"/namespaces/{about['namespace']}" if about.get("namespace") and "/namespaces/" not in api else ""
    return f"{root}{scope}/{plural}/{about['name']}"
