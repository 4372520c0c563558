"""GET from the API server as web-ui's ServiceAccount, through the gateway: RBAC decides, as for everybody.

Left out: a token; the account is impersonated, so it also acts while its ServiceAccount is gone.
"""

import asyncio
from typing import Any, NamedTuple
from urllib.parse import urlencode

import orjson
from asgiref.sync import async_to_sync
from django.http import HttpRequest

from cluster.gateway import application

USER = "system:serviceaccount:kube-system:web-ui"
TIMEOUT = 10.0  # Seconds of the wall for one answer.


class Answer(NamedTuple):
    status: int
    body: dict[str, Any]


def get(request: HttpRequest, cluster: str, path: str, accept: str, query: dict[str, str]) -> Answer:
    """Errors: TimeoutError after TIMEOUT."""
    loop = getattr(request, "scope", {}).get("loop")
    if loop is None:
        return async_to_sync(_get)(cluster, path, accept, query)
    return asyncio.run_coroutine_threadsafe(_get(cluster, path, accept, query), loop).result(TIMEOUT)


async def _get(cluster: str, path: str, accept: str, query: dict[str, str]) -> Answer:
    headers = {"host": "localhost", "accept": accept, "impersonate-user": USER}
    full = f"/clusters/{cluster}/{path}"
    scope: dict[str, Any] = {"type": "http", "http_version": "1.1", "method": "GET", "scheme": "http", "path": full}
    scope |= {"raw_path": full.encode(), "query_string": urlencode(query).encode(), "client": ("127.0.0.1", 0)}
    scope["headers"] = [(name.encode(), value.encode()) for name, value in headers.items()]
    sent: list[dict[str, Any]] = []
    asked = False

    async def receive() -> dict[str, Any]:
        nonlocal asked
        if asked:
            await asyncio.Event().wait()
        asked = True
        return {"type": "http.request", "body": b""}

    async def send(message: Any) -> None:
        sent.append(message)

    await application(scope, receive, send)
    body = b"".join(each.get("body", b"") for each in sent)
    try:
        return Answer(sent[0]["status"], orjson.loads(body))
    except orjson.JSONDecodeError:
        return Answer(sent[0]["status"], {"message": body.decode(errors="replace")})
