"""What does not change while the server runs: versions, discovery, OpenAPI. Large documents are told by their hash.

    GET /openapi/v3/apis/apps/v1?hash=8F5F…     may be kept for ever: another document has another hash
    If-None-Match: "8F5F…"                      304: you have it already

Mirrors:  k8s.io/apiserver/pkg/server (routes), kube-openapi handlers
Left out: /logs, /debug, /statusz, /flagz; a wrong hash is answered with the present document (a real server redirects).
"""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

from cluster.apiserver import discovery, openapi, openapi_wire
from cluster.apiserver.kinds import BUILT_IN, Kinds
from cluster.apiserver.openapi import Packed
from cluster.gateway import health, kinds, machineroom, metrics, openid, pool
from cluster.gateway.http import NO_CACHE, PAGE_NOT_FOUND, TEXT, Reply, Request, json_reply
from cluster.objects import errors

FOR_EVER = ("Cache-Control", "public, immutable")
RANGES = ("Accept-Ranges", "bytes")
LAST_MODIFIED = ("Last-Modified", format_datetime(datetime.now(UTC), usegmt=True))  # When this process began.


async def answer(request: Request) -> Reply | None:
    """The document at this path; None if the path is that of a resource. Errors: MethodNotAllowed, PathNotFound."""
    parts = request.path.strip("/").split("/")
    first, depth = parts[0], len(parts)
    if first in ("api", "apis") and depth > (2 if first == "api" else 3):
        if first == "api" or discovery.group(parts[1]) is not None:
            return None
        return None if discovery.group(parts[1], await kinds.of(request.cluster)) is not None else PAGE_NOT_FOUND
    if request.method not in ("GET", "HEAD"):
        raise errors.MethodNotAllowed()
    if first == "":
        found = discovery.paths(await kinds.of(request.cluster))
        return json_reply({"paths": sorted([*found, *health.paths(), *metrics.PATHS])})
    if first == "version" and depth == 1:
        return json_reply(discovery.VERSION)
    if first in health.ENDPOINTS:
        return health.answer(request, parts)
    if first == "metrics":
        return await metrics.answer(request, parts) or PAGE_NOT_FOUND
    if first == machineroom.ROOT:
        return await machineroom.answer(request, parts) or PAGE_NOT_FOUND
    if first in (".well-known", "openid"):
        return openid.answer(request.cluster, "/".join(parts)) or PAGE_NOT_FOUND
    if first == "openapi":
        return await _openapi(request, parts)
    if first in ("api", "apis"):
        return _discovery(request, parts, BUILT_IN if first == "api" else await kinds.of(request.cluster))
    return PAGE_NOT_FOUND


def _discovery(request: Request, parts: list[str], served: Kinds) -> Reply:
    if len(parts) == 1:
        if discovery.wants_aggregated(request.accept):
            made = discovery.aggregated_core() if parts[0] == "api" else discovery.aggregated_groups(served)
            headers = (("Cache-Control", "public"), ("ETag", made.etag), ("Vary", "Accept"))
            if made.etag in request.headers.get("if-none-match", ""):
                return Reply(304, "", b"", headers)
            return Reply(200, discovery.AGGREGATED, made.body, headers)
        return json_reply(discovery.core_versions() if parts[0] == "api" else discovery.group_list(served))
    if parts[0] == "apis" and len(parts) == 2:
        group = discovery.group(parts[1], served)
        return json_reply(group) if group else PAGE_NOT_FOUND
    group_name, version = ("", parts[1]) if parts[0] == "api" else (parts[1], parts[2])
    listed = discovery.resource_list(group_name, version, served)
    if listed is None:
        if group_name and discovery.group(group_name, served) is None:
            return PAGE_NOT_FOUND
        raise errors.PathNotFound()
    return json_reply(listed)


async def _openapi(request: Request, parts: list[str]) -> Reply:
    served = await kinds.of(request.cluster)
    if parts[1:] == ["v2"]:
        caching = (NO_CACHE, ("Vary", "Accept-Encoding, Accept"))
        if request.accept.startswith(openapi_wire.MEDIA):  # kubectl knows no other form of v2.
            wire = await pool.in_thread(lambda _: openapi.document_v2_wire(served))
            return _packed(request, wire, caching, openapi_wire.ANSWERED)
        return _packed(request, await pool.in_thread(lambda _: openapi.document_v2(served)), caching)
    if parts[1:] == ["v3"]:
        index = await pool.in_thread(lambda _: openapi.index(served))
        return json_reply(index, (NO_CACHE, RANGES, LAST_MODIFIED))._replace(media=TEXT)
    path = "/".join(parts[2:])
    found = await pool.in_thread(lambda _: openapi.at(path, served)) if parts[1] == "v3" else None
    if found is None:
        return Reply(404, "", b"")
    return _packed(request, found, (*_caching(request, found), ("Vary", "Accept")))


def _caching(request: Request, made: Packed) -> tuple[tuple[str, str], ...]:
    """A document that was asked for by its hash never changes."""
    if request.query("hash") != made.hash:
        return (NO_CACHE,)
    in_a_year = datetime.now(UTC) + timedelta(days=365)
    return FOR_EVER, ("Expires", f"{in_a_year:%a, %d %b %Y %H:%M:%S} UTC")


def _packed(
    request: Request, made: Packed, headers: tuple[tuple[str, str], ...], media: str = "application/json"
) -> Reply:
    """A large document: gzipped as it lies there, or unpacked for who can't read that."""
    etag = f'"{made.hash}"'
    headers = (*headers, RANGES, LAST_MODIFIED, ("ETag", etag))
    if etag in request.headers.get("if-none-match", ""):
        return Reply(304, "", b"", headers)
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Reply(200, media, made.gzipped, (*headers, ("Content-Encoding", "gzip")))
    return Reply(200, media, made.body(), headers)
