"""Pages of web-ui. The path behind /ui/ is the API's own path of a list or an object; a POST there changes the object.

What is live on a page is a part of its own. A page hears of changes (streams.py) and asks for that part anew; it gets
204 if it is as it was.

Read next: tables.py for lists, objects.py for objects, writes.py for what forms do.
"""

import hashlib
import json
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.templatetags.static import static
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.http import require_GET, require_http_methods

from cluster.apiserver.aggregation import Unavailable
from cluster.apiserver.target import Target, parse
from cluster.gateway import pool
from cluster.objects import meta, times
from dashboard import texts
from dashboard.views import SHEETS, THEMES, script_json, with_policy
from dashboard.webui import changes, discovery, door, draining, health, navigation, objects, tables, usage, writes
from dashboard.webui.client import Answer, Client
from dashboard.webui.tables import Wish

NOT_KEPT = ("seen", "continue", "page")  # Of a query, when something else is asked of the list.
View = Callable[..., HttpResponse]


class Server(Client):
    """The API, for one request of a page. `now`: the cluster's time, microseconds since 1970."""

    def __init__(self, request: HttpRequest, cluster: str, answering: door.Answering) -> None:
        super().__init__(request, cluster, answering.pod)
        self.now = answering.now


def served(view: View) -> View:
    """`view(request, server, …)`, or 503 while no pod of web-ui answers."""

    @wraps(view)
    def answer(request: HttpRequest, cluster: str, **rest: str) -> HttpResponse:
        if pool.reader().cluster(cluster) is None:
            raise Http404
        try:
            found = door.answering(pool.reader(), cluster, getattr(request, "scope", {}))
            return _told(view(request, Server(request, cluster, found), **rest))
        except Unavailable as error:
            text, status = f"{error.message}\n", 503
        except TimeoutError:
            text, status = "the API server did not answer in time\n", 504
        return _told(HttpResponse(text, status=status, content_type="text/plain; charset=utf-8"))

    return answer


@require_GET
@served
def overview(request: HttpRequest, server: Server) -> HttpResponse:
    """Health, warnings, and every kind that can be listed."""
    live = {"health": health.of_cluster(server), "events": objects.events(server, ""), "all": True}
    live["usage"] = usage.section(server, None)
    live["watch"] = [*(api for api, _ in health.CHECKS.values()), "api/v1/events?fieldSelector=type=Warning"]
    if request.headers.get("HX-Request"):
        return _part(request, server, "overview", live)
    known = discovery.kinds(server)
    context = {"kinds": [kind for kind in known if "list" in kind.verbs], "charts": usage.charts(server, None)}
    return _page(request, server, "overview", live, context, known=known)


@require_http_methods(["GET", "POST"])
@csrf_protect
@served
def create(request: HttpRequest, server: Server) -> HttpResponse:
    """A form for YAML; what came of each document stands above it."""
    context: dict[str, Any] = {"yaml": request.POST.get("yaml", ""), "heading": _("Create from YAML")}
    status = 200
    if request.method == "POST":
        status, lines = writes.create(server, context["yaml"].replace("\r\n", "\n"))
        context |= {"lines": lines, "failed": status >= 400}
    return _page(request, server, "create", {}, context, status)


@require_http_methods(["GET", "POST"])
@csrf_protect
@served
def show(request: HttpRequest, server: Server, api: str) -> HttpResponse:
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


@require_http_methods(["GET", "POST"])
@csrf_protect
@served
def drain(request: HttpRequest, server: Server, node: str) -> HttpResponse:
    """What `kubectl drain` would do with a node, and doing it, round by round."""
    state = draining.round_of(server, node, request.POST if request.method == "POST" else None)
    preview = [f"api/v1/pods?fieldSelector=spec.nodeName={node}"]
    state["watch"] = preview if request.method == "GET" else None  # What came of a round is not to be replaced by it.
    if request.headers.get("HX-Request"):
        return _part(request, server, "drain", state)
    return _page(request, server, "drain", state, {"heading": _("Drain %s") % node, "node": node, **state})


@require_GET
@served
def chart(request: HttpRequest, server: Server, name: str) -> HttpResponse:
    """The numbers of one chart."""
    if name not in usage.CHARTS:
        raise Http404
    return JsonResponse(usage.numbers(server, name, request.GET))


@require_GET
@served
def log(request: HttpRequest, server: Server) -> HttpResponse:
    """A whole log, to be kept."""
    target = parse(f"/{request.GET.get('pod', '')}")
    if target is None or target.plural != "pods" or not target.name or target.subresource:
        raise Http404
    names = ("container", "previous", "timestamps")
    asked = {name: request.GET[name] for name in names if request.GET.get(name)}
    answer = server.get(f"{request.GET['pod']}/log", asked)
    response = HttpResponse(answer.text if answer.status == 200 else answer.message, status=answer.status)
    response["Content-Type"] = "text/plain; charset=utf-8"
    if answer.status == 200:
        file = f"{target.name}-{asked.get('container', 'log')}.log"
        response["Content-Disposition"] = f'attachment; filename="{file}"'
    return response


# --- a list -------------------------------------------------------------------------------------------------------


def _list(request: HttpRequest, server: Server, api: str, target: Target) -> HttpResponse:
    wish = Wish.of(request.GET)
    root = f"apis/{target.group}/{target.version}" if target.group else f"api/{target.version}"
    given = request.GET.getlist("namespace")
    if given and ("" in given or len(given) < 2 or target.namespace):
        return _elsewhere(request, root, target, wish)
    apis = tables.paths(api, target, wish.namespaces)
    listed = tables.read(server, apis, wish)
    query = "&".join(f"{name}={value}" for name, value in wish.selected.items())
    live: dict[str, Any] = {"api": api, "watch": [f"{each}?{query}" if query else each for each in apis]}
    if listed.answer.status != 200:
        live["problem"] = listed.answer.message
    else:
        live |= _shown_list(request, listed, wish, api)
    if request.headers.get("HX-Request"):
        return _part(request, server, "list", live)
    known = discovery.kinds(server)
    kind = next((each for each in known if each.list == f"{root}/{target.plural}"), None)
    namespaced = kind is not None and kind.namespaced
    context = {
        "wish": wish,
        "chosen": [target.namespace] if target.namespace else list(wish.namespaces),
        "namespaces": _namespaces(server) if namespaced else [],
        "line": _kubectl_get(kind.name if kind else target.plural, target.namespace, namespaced, wish),
        "heading": navigation.named(kind) if kind else target.plural,
        "here": f"{root}/{target.plural}",
    }
    return _page(request, server, "list", live, context, listed.answer.status, known)


def _elsewhere(request: HttpRequest, root: str, target: Target, wish: Wish) -> HttpResponse:
    """The address of the namespaces that were chosen."""
    query = request.GET.copy()
    scope = ""
    if len(wish.namespaces) < 2:
        scope = f"/namespaces/{wish.namespaces[0]}" if wish.namespaces else ""
        del query["namespace"]
    else:
        query.setlist("namespace", list(wish.namespaces))
    for name in [name for name in query if not query[name] or name in NOT_KEPT]:
        del query[name]
    return HttpResponseRedirect(f"{door.base(request)}{root}{scope}/{target.plural}?{query.urlencode()}".rstrip("?"))


def _shown_list(request: HttpRequest, listed: tables.Listed, wish: Wish, api: str) -> dict[str, Any]:
    def link(**changed: str) -> str:
        query = request.GET.copy()
        for name in [*NOT_KEPT, *changed]:
            query.pop(name, None)
        query.update({name: value for name, value in changed.items() if value})
        return f"?{query.urlencode()}"

    several = "/namespaces/" not in api and any(row["namespace"] for row in listed.rows)
    names = [*(["Namespace"] if several else []), *listed.columns]
    heads = [
        {
            "name": name,
            "sorted": {name: "ascending", f"-{name}": "descending"}.get(wish.sort, ""),
            "link": link(sort=f"-{name}" if wish.sort == name else name),
        }
        for name in names
    ]
    return {
        "rows": listed.rows,
        "heads": heads,
        "several": several,
        "searched": bool(wish.search or wish.selected),
        "found": listed.found,
        "left_out": listed.left_out,
        "page": listed.page,
        "pages": listed.pages,
        "first": link() if wish.next else "",
        "next": link(**{"continue": listed.next}) if listed.next else "",
        "before": link(page=str(listed.page - 1)) if listed.page > 1 else "",
        "after": link(page=str(listed.page + 1)) if listed.page < listed.pages else "",
    }


def _kubectl_get(name: str, namespace: str, namespaced: bool, wish: Wish) -> str:
    if len(wish.namespaces) > 1:
        return "; ".join(_kubectl_get(name, each, True, wish._replace(namespaces=())) for each in wish.namespaces)
    where = f" -n {namespace}" if namespace else (" -A" if namespaced else "")
    wishes = (f" -l {wish.labels}" if wish.labels else "") + (" -o wide" if wish.wide else "")
    return f"kubectl get {name}{where}{wishes}"


def _namespaces(server: Client) -> list[str]:
    return [meta.name(each) for each in server.items("api/v1/namespaces")]


# --- an object ----------------------------------------------------------------------------------------------------


def _object(request: HttpRequest, server: Server, api: str, target: Target) -> HttpResponse:
    outcome: dict[str, Any] = {"status": 200}
    if request.method == "POST":
        done = request.POST.get("do", "")
        if done not in writes.WRITES:
            raise Http404
        if done == "edit" and not request.POST.get("sure"):
            outcome = changes.reviewed(server, api, request.POST.get("yaml", ""))
        else:
            answer = writes.do(server, api, done, request.POST)
            if answer.status < 400:
                return _after(request, api, done, answer)
            outcome = {"problem": answer.message, "status": answer.status, "yaml": request.POST.get("yaml", "")}
    return _shown(request, server, api, target, outcome)


def _after(request: HttpRequest, api: str, done: str, answer: Answer) -> HttpResponse:
    """Back to the object, to the list that it was in, or to what was made of it."""
    finalized = bool((answer.body.get("metadata") or {}).get("deletionTimestamp"))
    path = api.rpartition("/")[0] if done == "delete" and not finalized else api
    if done == "run":
        path = api.rpartition("/")[0].removesuffix("cronjobs") + f"jobs/{meta.name(answer.body)}"
    return HttpResponseRedirect(door.base(request) + path)


def _shown(request: HttpRequest, server: Server, api: str, target: Target, outcome: dict[str, Any]) -> HttpResponse:
    answer = server.get(api)
    here = api.rpartition("/")[0]
    if answer.status != 200:
        watch = [f"{here}?fieldSelector=metadata.name={target.name}"]
        live: dict[str, Any] = {"problem": answer.message, "api": api, "watch": watch}
        if request.headers.get("HX-Request"):
            return _part(request, server, "object", live)
        return _page(request, server, "object", live, {"heading": target.name}, answer.status)
    known = discovery.kinds(server)
    obj = answer.body
    live = {"api": api, **objects.live(server, known, api, obj), "usage": usage.section(server, obj)}
    if request.headers.get("HX-Request"):
        return _part(request, server, "object", live)
    kind = discovery.of_object(known, obj["apiVersion"], obj["kind"])
    root = f"apis/{target.group}/{target.version}" if target.group else f"api/{target.version}"
    context = {
        "heading": f"{obj['kind']} {target.name}",
        "here": f"{root}/{target.plural}",
        "actions": writes.offered(kind, obj, server) if kind else [],
        "delete_line": writes.delete_line(kind, obj) if kind else "",
        "edit_line": writes.edit_line(kind, obj) if kind else "",
        "failure": outcome.get("problem", ""),
        "diff": outcome.get("diff"),
        "yaml": outcome.get("yaml") or objects.as_yaml(obj),
        "editing": bool(outcome.get("yaml")),
        "api_path": api,
        "log": objects.log(server, api, obj, request.GET),
        "charts": usage.charts(server, obj),
    }
    return _page(request, server, "object", live, context, outcome["status"], known)


# --- answers ------------------------------------------------------------------------------------------------------


def _page(
    request: HttpRequest,
    server: Server,
    name: str,
    live: dict[str, Any],
    context: dict[str, Any],
    status: int = 200,
    known: list[discovery.Kind] | None = None,
) -> HttpResponse:
    theme, base = request.COOKIES.get("orrery_theme", ""), door.base(request)
    known = discovery.kinds(server) if known is None else known
    shown = {
        "cluster": server.cluster,
        "base": base,
        "here_path": door.rest(request),
        "sheets": [_file(base, sheet) for sheet in (*SHEETS[:2], "orrery/css/webui.css")],
        "scripts": {name: _file(base, path) for name, path in SCRIPTS.items()},
        "icon": _file(base, "orrery/icon.svg"),
        "menu": navigation.menu(known, context.get("here", "")),
        "theme": theme if theme in THEMES else "",
        "boot": script_json(_boot(base, server)),
        **context,
    }
    if live:
        shown["live"], shown["seen"] = _rendered(request, server, name, live)
        shown["watch"] = json.dumps(live.get("watch", []))
    return with_policy(render(request, f"webui/{name}.html", shown, status=status))


SCRIPTS = {
    "htmx": "vendor/htmx.org-4.0.1/htmx.min.js",
    "webui": "orrery/js/webui.js",
}


def _file(base: str, name: str) -> str:
    """A static file below web-ui's own address: nothing else can be reached through the API server."""
    return f"{base}static/{static(name).partition('static/')[2]}"


def _boot(base: str, server: Server) -> dict[str, Any]:
    """What the scripts must know."""
    files = {"js": _file(base, "vendor/uplot-1.6.32/uPlot.iife.min.js")}
    files["css"] = _file(base, "vendor/uplot-1.6.32/uPlot.min.css")
    return {"base": base, "uplot": files, "texts": texts.for_webui(), "now": times.rfc3339(server.now)}


def _part(request: HttpRequest, server: Server, name: str, live: dict[str, Any]) -> HttpResponse:
    """The live part, with 200 also for what the API refuses: htmx shows it in place. 204: it is as it was."""
    html, seen = _rendered(request, server, name, live)
    if request.GET.get("seen") == seen:
        return HttpResponse(status=204)
    watch = json.dumps(live.get("watch", []))
    return render(request, "webui/_live.html", {"live": html, "seen": seen, "watch": watch})


def _rendered(request: HttpRequest, server: Server, name: str, live: dict[str, Any]) -> tuple[str, str]:
    """(HTML, a digest of it)."""
    context = {"cluster": server.cluster, "base": door.base(request), **live}
    html = render_to_string(f"webui/_{name}.html", context, request)
    return html, hashlib.sha256(html.encode()).hexdigest()[:16]


def _told(response: HttpResponse) -> HttpResponse:
    """What a cluster answers is no failure of this server: Django need not log it."""
    response._has_been_logged = True  # type: ignore[attr-defined]
    return response
