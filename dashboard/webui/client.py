"""Requests to the API server as web-ui's ServiceAccount, through the gateway: RBAC decides, as for everybody.

The account is the one that web-ui's pod runs as. Its token is asked for as the kubelet of the pod's node asks, bound to
the pod: without the account or the pod there is none, and the API says 401.

Left out: keeping a token until it ends; each page asks for a new one, so an account made anew acts at once.
"""

import asyncio
from typing import Any, NamedTuple
from urllib.parse import urlencode

import orjson
from asgiref.sync import async_to_sync
from django.http import HttpRequest

from cluster.gateway import application
from cluster.objects import Manifest, meta

JSON = "application/json"
AGENT = "dashboard/v2.7.0"
REVOKED = "revoked"  # What is shown instead of a token that nobody gives any more.
SECONDS = 3607  # Of a token, as the kubelet asks for it.
TIMEOUT = 35.0  # Seconds of the wall for one answer; a write may wait 30 s in the inbox.


class Answer(NamedTuple):
    """`body`: the answer's JSON object, if it is one; `text`: all of it."""

    status: int
    body: dict[str, Any]
    text: str

    @property
    def message(self) -> str:
        return str(self.body.get("message") or self.text)


class Client:
    """The API server of `cluster`, as `pod` sees it."""

    def __init__(self, request: HttpRequest, cluster: str, pod: Manifest) -> None:
        self._loop: asyncio.AbstractEventLoop | None = getattr(request, "scope", {}).get("loop")
        self.cluster = cluster
        self._credentials = {"authorization": f"Bearer {self._token(pod)}"}

    def get(self, path: str, query: dict[str, str] | None = None, accept: str = JSON) -> Answer:
        """Errors: TimeoutError after TIMEOUT."""
        return self._send("GET", path, query or {}, {"accept": accept, **self._credentials}, b"")

    def write(
        self, method: str, path: str, body: bytes, media: str = JSON, query: dict[str, str] | None = None
    ) -> Answer:
        """Errors: TimeoutError after TIMEOUT."""
        headers = {"accept": JSON, "content-type": media, **self._credentials}
        return self._send(method, path, query or {}, headers, body)

    def _token(self, pod: Manifest) -> str:
        node, account = pod["spec"]["nodeName"], pod["spec"].get("serviceAccountName", "default")
        bound = {"apiVersion": "v1", "kind": "Pod", "name": meta.name(pod), "uid": meta.uid(pod)}
        spec = {"expirationSeconds": SECONDS, "boundObjectRef": bound}
        path = f"api/v1/namespaces/{meta.namespace(pod)}/serviceaccounts/{account}/token"
        kubelet = {"impersonate-user": f"system:node:{node}", "impersonate-group": "system:nodes"}
        headers = {"accept": JSON, "content-type": JSON, **kubelet}
        asked = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
        answer = self._send("POST", path, {}, headers, orjson.dumps(asked))
        return str(answer.body["status"]["token"]) if answer.status == 201 else REVOKED

    def _send(self, method: str, path: str, query: dict[str, str], headers: dict[str, str], body: bytes) -> Answer:
        asked = (f"/clusters/{self.cluster}/{path}", method, query, headers, body)
        if self._loop is None:
            return async_to_sync(_ask)(*asked)
        return asyncio.run_coroutine_threadsafe(_ask(*asked), self._loop).result(TIMEOUT)


async def _ask(path: str, method: str, query: dict[str, str], headers: dict[str, str], body: bytes) -> Answer:
    headers = {"host": "localhost", "user-agent": AGENT, "content-length": str(len(body)), **headers}
    scope: dict[str, Any] = {"type": "http", "http_version": "1.1", "method": method, "scheme": "http", "path": path}
    scope |= {"raw_path": path.encode(), "query_string": urlencode(query).encode(), "client": ("127.0.0.1", 0)}
    scope["headers"] = [(name.encode(), value.encode()) for name, value in headers.items()]
    sent: list[dict[str, Any]] = []
    asked = False

    async def receive() -> dict[str, Any]:
        nonlocal asked
        if asked:
            await asyncio.Event().wait()
        asked = True
        return {"type": "http.request", "body": body}

    async def send(message: Any) -> None:
        sent.append(message)

    await application(scope, receive, send)
    status, content = sent[0]["status"], b"".join(each.get("body", b"") for each in sent)
    text = content.decode(errors="replace")
    try:
        found = orjson.loads(content)
    except orjson.JSONDecodeError:
        found = None
    return Answer(status, found if isinstance(found, dict) else {}, text)
