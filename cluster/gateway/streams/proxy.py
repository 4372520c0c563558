"""pods/proxy and services/proxy: one HTTP request to a program, through the API server.

    …/pods/web/proxy/index.html          …/pods/web:8080/proxy/         …/services/http:web:http/proxy/

The name may have a scheme before it and a port behind it; without one it is the first port of the pod or Service. A
Service's request goes to the first of its ready endpoints. What is asked is an input of the world, so it stands in the
program's access log; but what computed.py knows is answered without entering the world, and so are whole sites.

Mirrors:  kubernetes/pkg/registry/core/pod/strategy.go (ResourceLocation), core/service/storage/storage.go
          (ResourceLocation), k8s.io/apimachinery/pkg/util/proxy
Left out: upgrades to programs of the world, rewriting links in HTML, the redirect to a path with a slash for programs
          of the world (sites have it), a random endpoint.
"""

from typing import Any

import orjson

from cluster.apiserver import registry
from cluster.apiserver.target import Target
from cluster.gateway import computed, pool
from cluster.gateway.http import Reply, Request, Send
from cluster.gateway.streams.pump import Refused, ask
from cluster.objects import Manifest, errors, meta
from cluster.objects.services import SERVICE_NAME

HOP_BY_HOP = ("connection", "keep-alive", "content-length", "transfer-encoding", "upgrade", "date", "content-type")
NOT_PASSED_ON = (*HOP_BY_HOP, "host", "authorization", "accept-encoding")
SERVED = ("pods", "services")


class ServiceUnavailable(errors.ApiError):
    status, reason = 503, "ServiceUnavailable"


async def serve(request: Request, target: Target) -> None:
    """Errors: NotFound, BadRequest, ServiceUnavailable."""
    pod, port = (_service if target.plural == "services" else _pod)(request.cluster, target)
    site = await computed.site_of(request.cluster, target.namespace, pod, port)
    if site is not None:
        await _visit(request, target, site)
        return
    known = await computed.answer(request, target.namespace, pod, port, target.rest)
    if known is not None:
        if not request.started:
            await request.reply(known)
        return
    body = await request.body()
    wanted: dict[str, Any] = {"type": "proxy", "namespace": target.namespace, "pod": pod, "port": port}
    wanted |= {"user": request.user.plain(), "request": _message(request, target, f"{pod}:{port}", body)}
    try:
        answer = await ask(request.cluster, wanted)
    except Refused as error:
        if error.status != 500:
            raise
        raise ServiceUnavailable(f"error trying to reach service: {error.message}") from None
    if "answer" not in answer:
        where = f"dial tcp {answer['address']}:{port}: connect: connection refused"
        raise ServiceUnavailable(f"error trying to reach service: {where}")
    await request.reply(_reply(str(answer["answer"])))


async def connect(request: Request, target: Target, send: Send) -> None:
    """A websocket to a site. Errors: NotFound, BadRequest, ServiceUnavailable."""
    pod, port = (_service if target.plural == "services" else _pod)(request.cluster, target)
    site = await computed.site_of(request.cluster, target.namespace, pod, port)
    if site is None:
        raise ServiceUnavailable("error trying to reach service: it speaks no websockets")
    await site({**request.scope, "path": f"/{target.rest}"}, request.receive, send)


async def _visit(request: Request, target: Target, site: computed.Application) -> None:
    """A site's page. Without a slash at its end the root is a redirect, so that relative links lead on from there."""
    if not target.rest and not request.scope["path"].endswith("/") and request.method in ("GET", "HEAD"):
        query = f"?{request.query_string}" if request.query_string else ""
        await request.reply(Reply(301, "", b"", (("Location", f"proxy/{query}"),)))
        return
    slash = "/" if request.scope["path"].endswith("/") and target.rest else ""
    await request.hand_over(site, {**request.scope, "path": f"/{target.rest}{slash}"})


def _split(name: str) -> tuple[str, str]:
    """(name, port) of `[scheme:]name[:port]`. Errors: BadRequest.

    >>> _split("web"), _split("web:80"), _split("http:web:http"), _split("https:web:")
    (('web', ''), ('web', '80'), ('web', 'http'), ('web', ''))
    """
    parts = name.split(":")
    if len(parts) == 3 and parts[0] in ("http", "https", ""):
        parts = parts[1:]
    if len(parts) > 2 or not parts[0]:
        raise errors.BadRequest(f'invalid request "{name}"')
    return parts[0], parts[1] if len(parts) == 2 else ""


def _get(cluster: str, kind: str, plural: str, namespace: str, name: str) -> Manifest:
    """Errors: NotFound."""
    found = pool.reader().get(cluster, registry.by_kind(kind).storage_key(namespace, name))
    if found is None or found[1] is None:
        raise errors.NotFound("", plural, name)
    return orjson.loads(found[1])  # type: ignore[no-any-return]


def _pod(cluster: str, target: Target) -> tuple[str, int]:
    name, port = _split(target.name)
    pod = _get(cluster, "Pod", "pods", target.namespace, name)
    if port:
        return name, _number(port, target.name)
    ports = [one["containerPort"] for c in pod["spec"]["containers"] for one in c.get("ports") or ()]
    return name, int(ports[0]) if ports else 80


def _service(cluster: str, target: Target) -> tuple[str, int]:
    """The first ready endpoint of the port that is meant."""
    name, wanted = _split(target.name)
    if wanted.isdecimal():
        service = _get(cluster, "Service", "services", target.namespace, name)
        ports = service["spec"].get("ports") or []
        port = next((one for one in ports if one["port"] == int(wanted[:6])), None)
        if port is None:
            raise ServiceUnavailable(f'no service port {wanted} found for service "{name}"')
        wanted = port.get("name", "")
    prefix = registry.by_kind("EndpointSlice").storage_prefix(target.namespace)
    for stored in (pool.reader().listing(cluster, prefix) or (None, []))[1]:
        endpoint_slice = orjson.loads(stored.value)
        if meta.labels(endpoint_slice).get(SERVICE_NAME) != name:
            continue
        for one in endpoint_slice.get("ports") or ():
            if wanted in ("", one.get("name", "")):
                for endpoint in endpoint_slice.get("endpoints") or ():
                    reference = endpoint.get("targetRef") or {}
                    ready = (endpoint.get("conditions") or {}).get("ready") is not False
                    if ready and reference.get("kind") == "Pod":
                        return str(reference["name"]), int(one["port"])
    raise ServiceUnavailable(f'no endpoints available for service "{name}"')


def _number(text: str, name: str) -> int:
    """Errors: BadRequest."""
    if not text.isdecimal() or not 0 < int(text[:6]) < 65536:
        raise errors.BadRequest(f'invalid request "{name}"')
    return int(text)


def _message(request: Request, target: Target, host: str, body: bytes) -> str:
    """The request as the program reads it, one character a byte."""
    slash = "/" if request.scope["path"].endswith("/") and target.rest else ""
    query = f"?{request.query_string}" if request.query_string else ""
    lines = [f"{request.method} /{target.rest}{slash}{query} HTTP/1.1".replace("\r", "").replace("\n", "")]
    lines += [f"Host: {host}", "Connection: close", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in request.headers.items() if name not in NOT_PASSED_ON]
    return "\r\n".join(lines) + "\r\n\r\n" + body.decode("latin-1")


def _reply(answer: str) -> Reply:
    """The program's answer, as ours. Errors: ServiceUnavailable if it was no HTTP."""
    head, _, body = answer.partition("\r\n\r\n")
    first, *lines = head.split("\r\n")
    words = first.split(" ")
    if not first.startswith("HTTP/") or len(words) < 2 or not words[1].isdecimal():
        shown = answer[:20].encode("ascii", "backslashreplace").decode()
        raise ServiceUnavailable(f'error trying to reach service: malformed HTTP response "{shown}"')
    headers = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    media = next((value for name, value in headers.items() if name.lower() == "content-type"), "")
    passed = tuple((name, value) for name, value in headers.items() if name.lower() not in HOP_BY_HOP)
    return Reply(int(words[1]), media, body.encode("latin-1", "replace"), passed)
