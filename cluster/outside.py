"""Requests from outside, and the webhooks that they must pass: a world says what to ask, and this is who asks.

A world never waits. Its answer to a request may be "ask these first": then they are asked here, over https and side by
side, and the request goes in again with their answers (see apiserver/admission/webhooks.py). Only this machine is
called, and only if nobody else's machine can reach us: who may talk to this cluster could else reach the services that
this machine keeps for itself.

Mirrors:  k8s.io/apiserver/pkg/util/webhook/client.go
"""

import asyncio
import http.client
import socket
import ssl
import time
from base64 import b64decode
from binascii import Error as Base64Error
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import orjson
from django.conf import settings

from cluster import inbox
from cluster.apiserver.requests import CONTINUE
from cluster.inbox import Answer, refusal

ROUNDS = 40  # How often a request goes in: each mutating webhook costs one, and each change of what they looked at.
PATIENCE = 60.0  # Wall seconds for all rounds together.
CALLERS = 16  # Webhooks asked at a time by this process.
MAX_ANSWER = 3 * 1024 * 1024  # Bytes of a webhook's answer.
UNSTABLE = "what webhooks looked at kept changing while they were asked; try again"
NOT_HERE = "webhooks are called only while this installation listens on this machine alone (HOST)"

_callers = ThreadPoolExecutor(CALLERS, "webhook")


async def call(cluster: str, request: dict[str, Any]) -> Answer:
    """Have `request` executed, with all webhooks asked. Every failure is an answer; nothing is raised."""
    round_, loop = _Rounds(request), asyncio.get_running_loop()
    while round_.goes_on():
        answer = await inbox.call(cluster, round_.request)
        if answer.status != CONTINUE:
            return answer
        calls = round_.calls(answer)
        asked = await asyncio.gather(*(loop.run_in_executor(_callers, ask, each) for each in calls))
        round_.answered(calls, asked)
    return refusal(504, "Timeout", UNSTABLE)


def call_sync(cluster: str, request: dict[str, Any]) -> Answer:
    """`call` for ordinary threads: the page."""
    round_ = _Rounds(request)
    while round_.goes_on():
        answer = inbox.call_sync(cluster, round_.request)
        if answer.status != CONTINUE:
            return answer
        calls = round_.calls(answer)
        round_.answered(calls, list(_callers.map(ask, calls)))
    return refusal(504, "Timeout", UNSTABLE)


class _Rounds:
    """One request, as often as it must go in."""

    def __init__(self, request: dict[str, Any]) -> None:
        self.request = {**request, "webhooks": {}} if request.get("type") == "api" else request
        self._left, self._until = ROUNDS, time.monotonic() + PATIENCE

    def goes_on(self) -> bool:
        self._left -= 1
        return self._left >= 0 and time.monotonic() < self._until

    def calls(self, answer: Answer) -> list[dict[str, Any]]:
        wanted = orjson.loads(answer.body)
        hooks = self.request["webhooks"]
        self.request = {**self.request, "webhooks": {"seed": wanted["seed"], "answers": {}} | hooks}
        return list(wanted["calls"])

    def answered(self, calls: list[dict[str, Any]], asked: list[dict[str, Any]]) -> None:
        hooks = self.request["webhooks"]
        new = {each["digest"]: answer for each, answer in zip(calls, asked, strict=True)}
        self.request = {**self.request, "webhooks": {**hooks, "answers": {**hooks["answers"], **new}}}


def ask(wanted: dict[str, Any]) -> dict[str, Any]:
    """One question to one webhook: `{"review": …}`, or `{"error": …}` in the words of a Go client."""
    if getattr(settings, "URL_TOKEN", ""):
        return {"error": f'Post "{wanted["url"]}": {NOT_HERE}'}
    try:
        return {"review": _posted(wanted)}
    except ssl.SSLError as error:
        problem = f"tls: failed to verify certificate: {error.reason or error}"
    except TimeoutError:
        problem = "context deadline exceeded"
    except ConnectionRefusedError:
        problem = f"dial tcp {urlsplit(wanted['url']).netloc}: connect: connection refused"
    except (OSError, ValueError, http.client.HTTPException) as error:
        problem = str(error) or type(error).__name__
    return {"error": f'Post "{wanted["url"]}": {problem}'}


def _posted(wanted: dict[str, Any]) -> dict[str, Any]:
    """The answer's AdmissionReview. Errors: OSError, ValueError, HTTPException."""
    parts = urlsplit(wanted["url"])
    connection = _Connection(str(parts.hostname), parts.port or 443, wanted["host"], _trust(wanted["ca"]))
    connection.timeout = float(wanted["timeout"])
    deadline = time.monotonic() + connection.timeout
    try:
        path = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
        headers = {"Content-Type": "application/json", "Accept": "application/json", "User-Agent": "kube-apiserver"}
        connection.request("POST", path, orjson.dumps(wanted["review"]), headers)
        response = connection.getresponse()
        body = _read(connection, response, deadline)
    finally:
        connection.close()
    if response.status >= 300:
        raise ValueError(f"an error on the server ({body[:200].decode(errors='replace')}) has prevented the request")
    review = orjson.loads(body)
    if not isinstance(review, dict):
        raise ValueError("the answer is no AdmissionReview")
    return review


def _read(connection: "_Connection", response: http.client.HTTPResponse, deadline: float) -> bytes:
    """The body, by the deadline. Errors: ValueError, if it is too large; TimeoutError."""
    found = b""
    while chunk := response.read1(65_536):
        found += chunk
        if len(found) > MAX_ANSWER:
            raise ValueError(f"the answer is larger than {MAX_ANSWER} bytes")
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        if connection.sock is not None:
            connection.sock.settimeout(left)
    return found


def _trust(bundle: str) -> ssl.SSLContext:
    """Whom we believe: the webhook's own authority, else this machine's. Errors: ValueError."""
    try:
        text = b64decode(bundle, validate=True).decode() if bundle else None
    except (Base64Error, UnicodeDecodeError) as error:
        raise ValueError(f"unable to load root certificates: {error}") from error
    return ssl.create_default_context(cadata=text)


class _Connection(http.client.HTTPSConnection):
    """To one address, under the name that the certificate there must have."""

    def __init__(self, address: str, port: int, name: str, trust: ssl.SSLContext) -> None:
        super().__init__(address, port, context=trust)
        self._name, self._trust = name, trust

    def connect(self) -> None:
        plain = socket.create_connection((self.host, self.port), self.timeout)
        try:
            self.sock = self._trust.wrap_socket(plain, server_hostname=self._name)
        except BaseException:
            plain.close()
            raise
