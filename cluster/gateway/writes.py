"""Writes: everything that changes something goes into the cluster's inbox, and its answer comes back from the world.

Only what the world needs is handed over; the form of the answer (Table, YAML) is made here. The body goes as text if it
is text, since the input is recorded as JSON.

Read next: outside.py for webhooks; inbox.py for how exactly once is kept; apiserver/requests.py for what the world
does with it.
"""

from base64 import b64encode
from typing import Any

import orjson

from cluster import inbox, outside
from cluster.apiserver import gojson
from cluster.apiserver.negotiate import JSON, Format, encode
from cluster.apiserver.registry import Resource
from cluster.gateway import lists, pool
from cluster.gateway.http import NO_CACHE, Reply, Request
from cluster.objects import errors

HANDED_OVER = ("content-type", "user-agent", "kubectl-command")
_DEEP = b"[" * 50, b"{" * 50


async def answer(request: Request, resource: Resource) -> Reply:
    """Have the world execute it. Errors: NotAcceptable, RequestEntityTooLarge, BadRequest."""
    form = request.form()
    body = await request.body()
    _check_depth(body)
    if pool.reader().cluster(request.cluster) is None:
        raise lists.NoSuchCluster(request.cluster)
    answered = await outside.call(request.cluster, message(request, body))
    return _reply(request, form, resource, answered)


def message(request: Request, body: bytes) -> dict[str, Any]:
    """The request as an input of the world."""
    made: dict[str, Any] = {
        "type": "api",
        "method": request.method,
        "path": request.path,
        "query": request.query_string,
        "headers": {name: request.headers[name] for name in HANDED_OVER if name in request.headers},
        "user": request.user.plain(),
    }
    try:
        return {**made, "body": body.decode()}
    except UnicodeDecodeError:
        return {**made, "body64": b64encode(body).decode()}


def _check_depth(body: bytes) -> None:
    """A body of a thousand brackets must not even be recorded: it could not be read again. Errors: BadRequest."""
    if body.count(b"[") + body.count(b"{") <= gojson.MAX_DEPTH:
        return
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return  # Protobuf: its decoder counts for itself.
    if gojson.depth(text) > gojson.MAX_DEPTH:
        raise errors.BadRequest(f"the body is nested more than {gojson.MAX_DEPTH} levels deep")


def _reply(request: Request, form: Format, resource: Resource, answered: inbox.Answer) -> Reply:
    """The world's answer, in the form that the client wants."""
    headers = tuple((name, value) for name, value in answered.headers.items() if name.lower() != "content-type")
    body, media = answered.body, JSON
    if form != Format() and body:
        content = orjson.loads(body)
        if form.transform and content.get("kind") == resource.kind:
            found = pool.reader().cluster(request.cluster)
            now = found.unix if found else 0
            content = lists.as_asked(request, form, resource.group, resource.kind, content, now, resource.printer)
        body, media = encode(form, content), form.media
    return Reply(answered.status, media, body, (NO_CACHE, *headers))
