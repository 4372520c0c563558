"""exec, attach and port-forward: websockets between a client and a session of the world.

    client ──frames──▶ inputs (stdin, resize, close …) ──▶ inbox ──▶ world
    client ◀──frames── rows that the session printed, read up to the committed horizon, as logs are

The same addresses answer plain HTTP, too: GET says that an upgrade is needed, and the SPDY of kubectl 1.29 and older,
which no ASGI server can be upgraded to, gets a Status that says what to do.

    socket.py    the client's side of a connection       remote.py    exec and attach
    pump.py      the session's side                      forward.py   port-forward, in its two forms
    spdy.py      frames of SPDY/3.1                      proxy.py     pods/proxy, services/proxy

Mirrors:  k8s.io/apiserver/pkg/util/wsstream, k8s.io/kubelet/pkg/cri/streaming,
          kubernetes/pkg/registry/core/pod/rest/subresources.go
Left out: SPDY without a websocket.
"""

import orjson

from cluster.apiserver import registry
from cluster.apiserver.registry import Resource
from cluster.apiserver.target import Target, parse
from cluster.gateway import access, lists, pool
from cluster.gateway.http import Receive, Request, Scope, Send
from cluster.gateway.streams import forward, proxy, remote
from cluster.gateway.streams.socket import Socket, request_of
from cluster.kubelet.server import container_name
from cluster.objects import Manifest, errors

__all__ = ["SUBRESOURCES", "plain", "request_of", "websocket"]

SUBRESOURCES = ("exec", "attach", "portforward")
OLD_CLIENT = (
    "this server streams over websockets only, not over SPDY: use kubectl 1.30 or newer, 1.31 for port-forward"
    " (or kubectl 1.29 with KUBECTL_REMOTE_COMMAND_WEBSOCKETS=true, 1.30 with KUBECTL_PORT_FORWARD_WEBSOCKETS=true)"
)


async def websocket(scope: Scope, receive: Receive, send: Send) -> None:
    """One websocket under /clusters/<name>/. Every refusal is an HTTP answer with a Status."""
    socket = Socket(scope, receive, send)
    try:
        target = parse(socket.request.path)
        if target is not None and target.subresource == "proxy" and target.plural in proxy.SERVED and target.name:
            await access.admit(socket.request)
            await proxy.connect(socket.request, target, send)
            return
        if target is None or target.plural != "pods" or target.subresource not in SUBRESOURCES or not target.name:
            raise errors.PathNotFound()
        await authorise(socket.request)
        if pool.reader().cluster(socket.request.cluster) is None:
            raise lists.NoSuchCluster(socket.request.cluster)
        if target.subresource == "portforward":
            await forward.serve(socket, target)
        else:
            await remote.serve(socket, target)
    except errors.ApiError as error:
        await socket.refuse(error)
    except ConnectionResetError:
        return


async def plain(request: Request, resource: Resource, target: Target) -> None:
    """GET or POST without a websocket. Errors: always."""
    value = lists.read(pool.reader(), request.cluster, resource, target)[1]
    pod: Manifest = orjson.loads(value)
    if target.subresource != "portforward":
        container_name(pod, request.query("container"))
    node = pod["spec"].get("nodeName")
    if not node:
        raise errors.BadRequest(f"pod {target.name} does not have a host assigned")
    here = pool.reader().get(request.cluster, registry.by_kind("Node").storage_key("", node))
    if here is None or here[1] is None:
        raise errors.NotFound("", "pods", node)  # The node is called a pod in the real one's answer, too.
    if "upgrade" not in request.headers:
        raise errors.BadRequest("Upgrade request required")
    raise errors.BadRequest(f"unable to upgrade connection: {OLD_CLIENT}")


async def authorise(request: Request) -> None:
    """May they `get` (a websocket is a GET) and `create` (it does what a POST did)? Errors: Forbidden, Unauthorized."""
    await access.admit(request)
    request.method, method = "POST", request.method
    try:
        await access.admit(request)
    finally:
        request.method = method
