"""Pages of web-ui: every served kind, lists as the API's own Tables, objects as YAML. The path is the API's."""

from typing import Any

import yaml
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from cluster import backends
from cluster.apiserver.aggregation import Unavailable
from cluster.apiserver.target import parse
from cluster.gateway import pool
from cluster.gateway.site import Site
from dashboard.views import SHEETS, with_policy
from dashboard.webui.client import Client

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
DISCOVERY = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
IMAGE = "kubernetesui/dashboard"
PAGE = "50"  # Rows.


@require_GET
def overview(request: HttpRequest, cluster: str) -> HttpResponse:
    """Every kind that can be listed, by group."""
    try:
        api = _client(request, cluster)
    except Unavailable as error:
        return _unavailable(error)
    answers = [api.get(root, accept=DISCOVERY) for root in ("api", "apis")]
    found = [kind for answer in answers for kind in _kinds(answer.body)]
    return _page(request, cluster, {"kinds": found})


@require_GET
def show(request: HttpRequest, cluster: str, api: str) -> HttpResponse:
    """A list or an object."""
    target = parse(f"/{api}")
    if target is None or target.subresource or "watch" in api.split("/")[:4]:
        raise Http404
    try:
        server = _client(request, cluster)
    except Unavailable as error:
        return _unavailable(error)
    if target.name:
        answer = server.get(api)
        shown: dict[str, Any] = {"yaml": yaml.safe_dump(answer.body, sort_keys=False, allow_unicode=True)}
    else:
        query = {name: request.GET[name] for name in ("labelSelector", "continue") if request.GET.get(name)}
        answer = server.get(api, {"limit": PAGE, **query}, TABLE)
        shown = {"table": _table(answer.body, api), "selector": query.get("labelSelector", "")}
    if answer.status != 200:
        shown = {"problem": answer.message}
    return _page(request, cluster, {"api": api, **shown}, answer.status)


def _client(request: HttpRequest, cluster: str) -> Client:
    """The API server as web-ui's pod sees it. Errors: Unavailable, while no pod answers; Http404."""
    reader = pool.reader()
    snapshot = reader.cluster(cluster)
    if snapshot is None:
        raise Http404
    pod = backends.demand(Site(reader, cluster, snapshot), "kube-system", "web-ui", IMAGE)
    return Client(request, cluster, pod)


def _unavailable(error: Unavailable) -> HttpResponse:
    text = f"{error.message}\n"
    return _told(HttpResponse(text, status=503, content_type="text/plain; charset=utf-8"))


def _told(response: HttpResponse) -> HttpResponse:
    """What a cluster answers is no failure of this server: Django need not log it."""
    response._has_been_logged = True  # type: ignore[attr-defined]
    return response


def _page(request: HttpRequest, cluster: str, context: dict[str, Any], status: int = 200) -> HttpResponse:
    shown = {"cluster": cluster, "sheets": SHEETS[:2], **context}
    return _told(with_policy(render(request, "webui/page.html", shown, status=status)))


def _kinds(document: dict[str, Any]) -> list[dict[str, str]]:
    """[{"name": "deployments.apps", "api": "apis/apps/v1/deployments"}] of a discovery document."""
    found = []
    for group in document.get("items", ()):
        name = group["metadata"].get("name", "")
        version = group["versions"][0]
        root = f"apis/{name}/{version['version']}" if name else f"api/{version['version']}"
        for each in version.get("resources", ()):
            if "list" in each["verbs"]:
                plural = each["resource"]
                found.append({"name": f"{plural}.{name}".rstrip("."), "api": f"{root}/{plural}"})
    return found


def _table(body: dict[str, Any], api: str) -> dict[str, Any]:
    """Columns that kubectl shows without -o wide, and rows with where their objects are."""
    columns = [(at, each["name"]) for at, each in enumerate(body.get("columnDefinitions", ())) if not each["priority"]]
    rows = []
    for row in body.get("rows", ()):
        about = row["object"]["metadata"]
        cells = [row["cells"][at] for at, _ in columns]
        rows.append({"namespace": about.get("namespace", ""), "api": _object(api, about), "cells": cells})
    return {
        "columns": [name for _, name in columns],
        "rows": rows,
        "more": body.get("metadata", {}).get("continue", ""),
    }


def _object(api: str, about: dict[str, str]) -> str:
    """The path of an object in the list at `api`.

    >>> _object("api/v1/pods", {"namespace": "shop", "name": "web"}), _object("api/v1/nodes", {"name": "n1"})
    ('api/v1/namespaces/shop/pods/web', 'api/v1/nodes/n1')
    """
    root, _, plural = api.strip("/").rpartition("/")
    scope = f"/namespaces/{about['namespace']}" if about.get("namespace") and "/namespaces/" not in api else ""
    return f"{root}{scope}/{plural}/{about['name']}"
