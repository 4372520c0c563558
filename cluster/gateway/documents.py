"""What does not change while the server runs: versions, discovery, OpenAPI, health.

Mirrors:  k8s.io/apiserver/pkg/server (routes), kube-openapi handlers
Left out: /metrics beyond a count of requests, /logs, /debug.
"""

from cluster.apiserver import discovery, openapi, openapi_wire
from cluster.apiserver.openapi import Packed
from cluster.gateway import pool
from cluster.gateway.http import NO_CACHE, PAGE_NOT_FOUND, TEXT, Reply, Request, json_reply, plain
from cluster.objects import errors

CHECKS = ("ping", "log", "etcd", "informer-sync")
HEALTH = ("healthz", "livez", "readyz")
FOR_EVER = ("Cache-Control", "public, immutable")


async def answer(request: Request) -> Reply | None:
    """The document at this path; None if the path is that of a resource. Errors: MethodNotAllowed, PathNotFound."""
    parts = request.path.strip("/").split("/")
    first, depth = parts[0], len(parts)
    if first in ("api", "apis") and depth > (2 if first == "api" else 3):
        if first == "apis" and discovery.group(parts[1]) is None:
            return PAGE_NOT_FOUND
        return None
    if request.method not in ("GET", "HEAD"):
        raise errors.MethodNotAllowed()
    if first == "":
        return json_reply(discovery.paths())
    if first == "version" and depth == 1:
        return json_reply(discovery.VERSION)
    if first in HEALTH:
        return _health(request, parts)
    if first == "openapi":
        return await _openapi(request, parts)
    if first in ("api", "apis"):
        return _discovery(request, parts)
    return PAGE_NOT_FOUND


def _health(request: Request, parts: list[str]) -> Reply:
    """`ok`, or with ?verbose one line a check. A cluster whose rows can be read is healthy, also while it sleeps."""
    if len(parts) > 1 and parts[1] not in CHECKS:
        return PAGE_NOT_FOUND
    if len(parts) > 1 or not request.has("verbose"):
        return plain(200, "ok")
    excluded = request.query("exclude").split(",")
    lines = [f"[+]{check} {'excluded: ok' if check in excluded else 'ok'}" for check in CHECKS]
    return plain(200, "\n".join([*lines, f"{parts[0]} check passed", ""]))


def _discovery(request: Request, parts: list[str]) -> Reply:
    if len(parts) == 1:
        if discovery.wants_aggregated(request.accept):
            made = discovery.aggregated_core() if parts[0] == "api" else discovery.aggregated_groups()
            headers = (("Cache-Control", "public"), ("ETag", made.etag), ("Vary", "Accept"))
            if made.etag in request.headers.get("if-none-match", ""):
                return Reply(304, "", b"", headers)
            return Reply(200, discovery.AGGREGATED, made.body, headers)
        return json_reply(discovery.core_versions() if parts[0] == "api" else discovery.group_list())
    if parts[0] == "apis" and len(parts) == 2:
        group = discovery.group(parts[1])
        return json_reply(group) if group else PAGE_NOT_FOUND
    group_name, version = ("", parts[1]) if parts[0] == "api" else (parts[1], parts[2])
    listed = discovery.resource_list(group_name, version)
    if listed is None:
        if group_name and discovery.group(group_name) is None:
            return PAGE_NOT_FOUND
        raise errors.PathNotFound()
    return json_reply(listed)


async def _openapi(request: Request, parts: list[str]) -> Reply:
    if parts[1:] == ["v2"]:
        if request.accept.startswith(openapi_wire.MEDIA):  # kubectl knows no other form of v2.
            wire = await pool.in_thread(lambda _: openapi.document_v2_wire())
            return _packed(request, wire, (NO_CACHE,), openapi_wire.MEDIA)
        return _packed(request, await pool.in_thread(lambda _: openapi.document_v2()), (NO_CACHE,))
    if parts[1:] == ["v3"]:
        index = await pool.in_thread(lambda _: openapi.index())
        return json_reply(index)._replace(media=TEXT)
    group_version = _group_version(parts[2:]) if len(parts) > 3 and parts[1] == "v3" else None
    made = await pool.in_thread(lambda _: openapi.document(*group_version)) if group_version else None
    if made is None:
        return Reply(404, "", b"")
    asked = request.query("hash")
    return _packed(request, made, (FOR_EVER if asked == made.hash else NO_CACHE,))


def _group_version(parts: list[str]) -> tuple[str, str] | None:
    if parts[0] == "api" and len(parts) == 2:
        return "", parts[1]
    return (parts[1], parts[2]) if parts[0] == "apis" and len(parts) == 3 else None


def _packed(
    request: Request, made: Packed, headers: tuple[tuple[str, str], ...], media: str = "application/json"
) -> Reply:
    """A large document: gzipped as it lies there, or unpacked for who can't read that."""
    etag = f'"{made.hash}"'
    headers = (*headers, ("ETag", etag), ("Vary", "Accept-Encoding, Accept"))
    if etag in request.headers.get("if-none-match", ""):
        return Reply(304, "", b"", headers)
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Reply(200, media, made.gzipped, (*headers, ("Content-Encoding", "gzip")))
    return Reply(200, media, made.body(), headers)
