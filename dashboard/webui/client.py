"""Requests to the API server as web-ui's ServiceAccount, through the gateway: RBAC decides, as for everybody.

The account is the one that web-ui's pod runs as. Its token is asked for as the kubelet of the pod's node asks, bound to
the pod: without the account or the pod there is none, and the API says 401.

    Client    one answer at a time, for pages (synchronous)
    stream    an answer that comes bit by bit: watches, logs that are followed (asynchronous)

Left out: keeping a token until it ends; each page asks for a new one, so an account made anew acts at once.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
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
CHUNK = "500"  # Objects of one answer while a list is read …
MOST = 5000  # … and of all of it.
PARTS = 64  # Of a stream that wait for their reader, before the stream waits.
Headers = dict[str, str]


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
        self._credentials: Headers = self._wait(credentials(cluster, pod))

    def get(self, path: str, query: dict[str, str] | None = None, accept: str = JSON) -> Answer:
        """Errors: TimeoutError after TIMEOUT."""
        return self._send("GET", path, query or {}, {"accept": accept, **self._credentials}, b"")

    def items(self, path: str, query: dict[str, str] | None = None) -> list[Manifest]:
        """A list's objects, MOST at most; none of what may not be read. Errors: TimeoutError."""
        found: list[Manifest] = []
        asked = {"limit": CHUNK, **(query or {})}
        while True:
            body = self.get(path, asked).body
            found += body.get("items") or ()
            token = (body.get("metadata") or {}).get("continue")
            if not token or len(found) >= MOST:
                return found
            asked["continue"] = token

    def write(
        self, method: str, path: str, body: bytes, media: str = JSON, query: dict[str, str] | None = None
    ) -> Answer:
        """Errors: TimeoutError after TIMEOUT."""
        headers = {"accept": JSON, "content-type": media, **self._credentials}
        return self._send(method, path, query or {}, headers, body)

    def _send(self, method: str, path: str, query: dict[str, str], headers: Headers, body: bytes) -> Answer:
        answer: Answer = self._wait(_ask(f"/clusters/{self.cluster}/{path}", method, query, headers, body))
        return answer

    def _wait(self, question: Any) -> Any:
        if self._loop is None:
            return async_to_sync(_itself)(question)
        return asyncio.run_coroutine_threadsafe(question, self._loop).result(TIMEOUT)


async def _itself(question: Any) -> Any:
    return await question


async def credentials(cluster: str, pod: Manifest) -> Headers:
    """The header with a token of the pod's account."""
    node, account = pod["spec"]["nodeName"], pod["spec"].get("serviceAccountName", "default")
    bound = {"apiVersion": "v1", "kind": "Pod", "name": meta.name(pod), "uid": meta.uid(pod)}
    spec = {"expirationSeconds": SECONDS, "boundObjectRef": bound}
    path = f"/clusters/{cluster}/api/v1/namespaces/{meta.namespace(pod)}/serviceaccounts/{account}/token"
    kubelet = {"impersonate-user": f"system:node:{node}", "impersonate-group": "system:nodes"}
    headers = {"accept": JSON, "content-type": JSON, **kubelet}
    asked = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
    answer = await _ask(path, "POST", {}, headers, orjson.dumps(asked))
    token = str(answer.body["status"]["token"]) if answer.status == 201 else REVOKED
    return {"authorization": f"Bearer {token}"}


async def get(cluster: str, path: str, query: dict[str, str], credentials: Headers) -> Answer:
    """One answer, for who can't wait in a thread."""
    return await _ask(f"/clusters/{cluster}/{path}", "GET", query, {"accept": JSON, **credentials}, b"")


async def _ask(path: str, method: str, query: dict[str, str], headers: Headers, body: bytes) -> Answer:
    sent: list[dict[str, Any]] = []

    async def send(message: Any) -> None:
        sent.append(message)

    await application(_scope(path, method, query, headers, body), _Once(body), send)
    status, content = sent[0]["status"], b"".join(each.get("body", b"") for each in sent)
    return _answer(status, content)


@contextlib.asynccontextmanager
async def stream(
    cluster: str, path: str, query: dict[str, str], credentials: Headers
) -> AsyncIterator[tuple[int, AsyncIterator[bytes]]]:
    """(status, the answer's pieces as they come). Leaving it ends the request."""
    scope = _scope(f"/clusters/{cluster}/{path}", "GET", query, {"accept": JSON, **credentials}, b"")
    queue: asyncio.Queue[dict[str, Any]] = asyncio.Queue(PARTS)
    request = _Once(b"")
    asking = asyncio.create_task(_until_over(scope, request, queue))

    async def pieces() -> AsyncIterator[bytes]:
        while (message := await queue.get())["type"] == "http.response.body":
            if message.get("body"):
                yield message["body"]
            if not message.get("more_body"):
                return

    try:
        yield (await queue.get()).get("status", 500), pieces()
    finally:
        request.left.set()
        while not asking.done():  # It may be waiting for room in the queue.
            with contextlib.suppress(asyncio.QueueEmpty):
                queue.get_nowait()
            await asyncio.wait((asking,), timeout=0.05)


async def _until_over(scope: dict[str, Any], request: "_Once", queue: "asyncio.Queue[dict[str, Any]]") -> None:
    try:
        await application(scope, request, queue.put)
    finally:
        with contextlib.suppress(asyncio.QueueFull):
            queue.put_nowait({"type": "over"})


class _Once:
    """A request's body, once; then nothing until its client has `left`."""

    def __init__(self, body: bytes) -> None:
        self._body: bytes | None = body
        self.left = asyncio.Event()

    async def __call__(self) -> dict[str, Any]:
        body, self._body = self._body, None
        if body is None:
            await self.left.wait()
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": body}


def _scope(path: str, method: str, query: dict[str, str], headers: Headers, body: bytes) -> dict[str, Any]:
    headers = {"host": "localhost", "user-agent": AGENT, "content-length": str(len(body)), **headers}
    scope: dict[str, Any] = {"type": "http", "http_version": "1.1", "method": method, "scheme": "http", "path": path}
    scope |= {"raw_path": path.encode(), "query_string": urlencode(query).encode(), "client": ("127.0.0.1", 0)}
    scope["headers"] = [(name.encode(), value.encode()) for name, value in headers.items()]
    return scope


def _answer(status: int, content: bytes) -> Answer:
    text = content.decode(errors="replace")
    try:
        found = orjson.loads(content)
    except orjson.JSONDecodeError:
        found = None
    return Answer(status, found if isinstance(found, dict) else {}, text)
