"""The gateway: the API server's HTTP door. Raw ASGI, in front of Django.

    GET, LIST, WATCH, logs     answered from committed rows, whatever the world is doing   lists, watch, hub, podlogs
    POST, PUT, PATCH, DELETE   handed to the world through its inbox, answered by it       writes
    exec, attach, port-forward websockets into the world's sessions                        streams
    discovery, OpenAPI, health made from the registry                                      documents, health
    /metrics                   what was asked and how it was answered                      metrics
    who asks, and may they?    before anything else                                        access, identity, policy
    reviews, tokens            answered from committed rows: they change nothing           reviews, openid
    metrics.k8s.io             what pods and nodes use, while a metrics-server answers     elsewhere
    /loki/…, /prometheus/…     add-ons, while they listen; by services/proxy, too          computed, loki, prometheus
    nodes/proxy                what kubelets answer                                        nodes
    /control-plane/…           /metrics of processes that have no pods                     machineroom

Everything lives under /clusters/<name>/, and a slash at the end makes no difference. Nothing ever redirects: clients
don't follow.

Mirrors:  k8s.io/apiserver/pkg/server, pkg/endpoints (as far as HTTP goes)
Left out: audit, flow control.
Read next: documents.py, lists.py, watch.py.
"""

import logging
from urllib.parse import urlsplit

from django.conf import settings
from django.db import DatabaseError
from django.http.request import split_domain_port, validate_host

from cluster.apiserver import discovery, registry
from cluster.apiserver.registry import Resource
from cluster.apiserver.target import Target, parse
from cluster.gateway import (
    access,
    computed,
    documents,
    elsewhere,
    kinds,
    lists,
    metrics,
    nodes,
    podlogs,
    pool,
    quorum,
    reviews,
    streams,
    watch,
    writes,
    wswatch,
)
from cluster.gateway.http import PAGE_NOT_FOUND, Receive, Request, Scope, Send
from cluster.gateway.streams import proxy
from cluster.objects import errors

__all__ = ["application"]

WRITES = ("POST", "PUT", "PATCH", "DELETE")
log = logging.getLogger(__name__)


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """One request under /clusters/<name>/."""
    if scope["type"] == "websocket" and wswatch.is_watch(scope):
        channel = wswatch.Channel(scope, receive, send)
        await application(wswatch.as_request(scope), channel.receive, channel.send)
        return
    if scope["type"] != "http":
        await _websocket(scope, receive, send)
        return
    request = Request(scope, receive, send)
    with metrics.Counting(request) as counting:
        await _answer(request, counting)


async def _answer(request: Request, counting: metrics.Counting) -> None:
    """Serve it, or say why not."""
    try:
        _check_origin(request)
        await access.admit(request)
        await _serve(request, counting)
    except errors.ApiError as error:
        if not request.started:
            await request.refuse(error)
    except ConnectionResetError:
        return
    except DatabaseError as error:
        log.warning("%s %s: the database can't be read: %s", request.method, request.path, error)
        if not request.started:
            await request.refuse(errors.InternalError(f"the database can't be read: {error}"))


async def _websocket(scope: Scope, receive: Receive, send: Send) -> None:
    """exec, attach or port-forward; a page of another site gets none of them."""
    try:
        _check_origin(streams.request_of(scope, receive, send))
    except errors.ApiError:
        await receive()
        await send({"type": "websocket.close", "code": 1008})
        return
    await streams.websocket(scope, receive, send)


def _check_origin(request: Request) -> None:
    """A page of another site must not use the reader's browser to talk to their cluster. Errors: Forbidden."""
    origin = request.headers.get("origin")
    if not origin:
        return
    host, _ = split_domain_port(urlsplit(origin).netloc)
    same = urlsplit(origin).netloc == request.headers.get("host")
    if not same and not (host and "*" not in settings.ALLOWED_HOSTS and validate_host(host, settings.ALLOWED_HOSTS)):
        raise _Foreign(f"a page of {origin} may not use this server")


class _Foreign(errors.ApiError):
    status, reason = 403, "Forbidden"


async def _serve(request: Request, counting: metrics.Counting) -> None:
    addon = computed.target_of(request.path)
    if addon is not None:
        counting.about(metrics.subject_of_path(request))
        await proxy.serve(request, addon)
        return
    document = await documents.answer(request)
    if document is not None:
        if pool.reader().cluster(request.cluster) is None:
            raise lists.NoSuchCluster(request.cluster)
        if document is not PAGE_NOT_FOUND:
            counting.about(metrics.subject_of_path(request))
        await request.reply(document)
        return
    target = parse(request.path)
    resource = await _resource(request.cluster, target)
    if resource is not None and resource.deprecated:
        request.warnings.append(resource.deprecated)
    if target is None or resource is None:
        await request.reply(PAGE_NOT_FOUND)
        return
    watching = request.method == "GET" and _is_watch(request, target)
    counting.about(metrics.subject_of(request, resource, target, watching))
    if target.subresource in streams.SUBRESOURCES and target.subresource in resource.subresources:
        await streams.plain(request, resource, target)
    if target.subresource == "proxy" and target.plural in proxy.SERVED:
        await proxy.serve(request, target)
        return
    if target.subresource == "proxy" and target.plural == "nodes":
        await nodes.serve(request, target)
        return
    if resource.elsewhere:
        await request.reply(await elsewhere.answer(request, resource, target, watching))
    elif reviews.are_answered_here(resource, target):
        await request.reply(await reviews.answer(request, resource, target))
    elif request.method in WRITES:
        await request.reply(await writes.answer(request, resource))
    elif request.method == "GET":
        await _read(request, resource, target, watching)
    else:
        raise errors.MethodNotAllowed()


async def _resource(cluster: str, target: Target | None) -> Resource | None:
    """The kind that a path means. None: there is no such group. Errors: PathNotFound."""
    if target is None:
        return None
    resource = registry.by_path(target.group, target.version, target.plural)
    if resource is None and target.group:  # Perhaps a custom one. Built-in kinds never come here.
        served = await kinds.of(cluster)
        if discovery.group(target.group, served) is None:
            return None
        resource = served.by_path(target.group, target.version, target.plural)
    if resource is None or (target.subresource and target.subresource not in resource.subresources):
        raise errors.PathNotFound()
    if target.namespace and not resource.namespaced:
        raise errors.PathNotFound()
    return resource


def _is_watch(request: Request, target: Target) -> bool:
    parts = request.path.split("/")
    by_path = "watch" in parts[3 : 5 if parts[1] == "apis" else 4]  # /api/v1/watch/…, an older way to say it
    return by_path or (not target.name and request.flag("watch"))


async def _read(request: Request, resource: Resource, target: Target, watching: bool) -> None:
    verbs = resource.subresources[target.subresource].verbs if target.subresource else resource.verbs
    if "get" not in verbs or (watching and "watch" not in verbs):
        raise errors.MethodNotAllowed()
    if not watching and resource.computed is None:
        quorum.demand(request)
    if watching:
        await watch.stream(request, resource, target)
    elif not target.name:
        await request.reply(await lists.listing(request, resource, target))
    elif resource.namespaced and not target.namespace:
        raise errors.PathNotFound()
    elif target.subresource == "log":
        await podlogs.serve(request, resource, target)
    else:
        await request.reply(lists.get(request, resource, target))
