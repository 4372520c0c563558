"""Streams before they are any: who may, what is asked, and what plain HTTP hears. (tests/serving streams for real.)"""

import asyncio
import json
from typing import Any

import pytest

from cluster.gateway import application
from cluster.models import Cluster
from cluster.world import World
from tests.builders import EPOCH, a_pod
from tests.cluster.gateway.asgi import fetch
from tests.cluster.gateway.conftest import CommittedCluster

POD = "/api/v1/namespaces/default/pods/web"
SPDY = {"connection": "Upgrade", "upgrade": "SPDY/3.1"}


@pytest.fixture
def pods(transactional_db):
    """A cluster with a running pod `web`, a pod `early` without a node, and `stray` on one that isn't there."""
    row = Cluster.objects.create(name="lab", seed=7, epoch=EPOCH, engine="test", options={"nodes": 1})
    cluster = CommittedCluster(World.create(7, EPOCH, {"nodes": 1}, row.pk, 0)).settle()
    cluster.create(a_pod("web"))
    cluster.create(a_pod("early", nodeSelector={"no": "where"}))
    cluster.run_for(30)
    cluster.create(a_pod("stray", nodeName="ghost-node"))
    return cluster


def socket(path: str, *protocols: str, **more: Any) -> list[dict[str, Any]]:
    """What a websocket is sent that hangs up at once."""
    where, _, query = path.partition("?")
    headers = [
        (b"host", b"localhost"),
        *((name.encode(), value.encode()) for name, value in more.pop("headers", {}).items()),
    ]
    scope = {"type": "websocket", "path": f"/clusters/lab{where}", "query_string": query.encode(), "headers": headers}
    scope |= {"subprotocols": list(protocols), "extensions": {"websocket.http.response": {}}, **more}
    sent: list[dict[str, Any]] = []

    async def run() -> None:
        incoming: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        incoming.put_nowait({"type": "websocket.connect"})
        incoming.put_nowait({"type": "websocket.disconnect", "code": 1006})

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        await application(scope, incoming.get, send)

    asyncio.run(run())
    return sent


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("stream", ["exec?command=ls", "attach?stdout=1", "portforward?ports=80"])
def test_plain_http_hears_that_an_upgrade_is_needed(pods, method, stream):
    answer = fetch(f"{POD}/{stream}", method)

    assert (answer.status, answer.json()["message"]) == (400, "Upgrade request required")


def test_an_old_kubectl_hears_which_one_to_use(pods):
    answer = fetch(f"{POD}/exec?command=ls&stdout=1", "POST", **SPDY)

    assert answer.status == 400
    assert "use kubectl 1.30 or newer" in answer.json()["message"]


@pytest.mark.parametrize(
    ("path", "status", "message"),
    [
        ("/api/v1/namespaces/default/pods/none/exec?command=ls", 404, 'pods "none" not found'),
        (f"{POD}/exec?command=ls&container=x", 400, "container x is not valid for pod web"),
        ("/api/v1/namespaces/default/pods/early/exec?command=ls", 400, "pod early does not have a host assigned"),
        ("/api/v1/namespaces/default/pods/stray/exec?command=ls", 404, 'pods "ghost-node" not found'),
        ("/api/v1/namespaces/default/pods/stray/portforward", 404, 'pods "ghost-node" not found'),
    ],
)
def test_what_is_wrong_is_said_before_that(pods, path, status, message):
    answer = fetch(path, "POST", **SPDY)

    assert (answer.status, answer.json()["message"]) == (status, message)


@pytest.mark.parametrize(
    ("path", "status", "message"),
    [
        (f"{POD}/exec?command=ls", 400, "you must specify at least 1 of stdin, stdout, stderr"),
        (f"{POD}/portforward", 400, 'query parameter "ports" is required'),
        (f"{POD}/portforward?ports=80,x", 400, 'unable to parse "x" as a port'),
        (f"{POD}/log", 404, "the server could not find the requested resource"),
        ("/api/v1/nodes", 404, "the server could not find the requested resource"),
    ],
)
def test_a_websocket_is_refused_with_a_status(pods, path, status, message):
    start, body = socket(path, "v5.channel.k8s.io")

    assert start["status"] == status
    assert json.loads(body["body"])["message"] == message


def test_a_stranger_over_tls_may_not_stream(pods):
    start, body = socket(f"{POD}/exec?command=ls&stdout=1", "v5.channel.k8s.io", scheme="wss")

    assert start["status"] == 403
    assert 'User "system:anonymous" cannot get resource "pods/exec"' in json.loads(body["body"])["message"]


def test_a_page_of_another_site_may_not_stream(pods):
    sent = socket(f"{POD}/exec?command=ls&stdout=1", headers={"origin": "http://evil.example"})

    assert sent == [{"type": "websocket.close", "code": 1008}]
