"""Streams as inputs of the world: exec, attach and port-forward begin here, and so does everything that is typed.

    {"type": "exec", namespace, pod, container, command, tty, stdin, user}       -> {session, from, container}
    {"type": "attach", namespace, pod, container, user}                          -> {session, …} or {container, …}
    {"type": "port-forward", namespace, pod, user}                               -> {session, from, sandbox}
    {"type": "stream", session, op, …}                                           -> {}
    {"type": "proxy", namespace, pod, port, request}                             -> {answer} or {refused}

Each is recorded with its answer and executed exactly once, like every input, so a life with people typing into it can
be replayed. Output is not an answer: it is read from committed cells, as logs are.

Refusals below 500 come before a connection is upgraded; 500 is what the kubelet says, on the stream itself.

Mirrors:  kubernetes/pkg/registry/core/pod/rest/subresources.go, strategy.go (ExecLocation, streamParams)
Read next: kubelet/sessions.py.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from cluster.kubelet.kubelet import Kubelet
from cluster.kubelet.node_status import PORT
from cluster.kubelet.server import container_name
from cluster.kubelet.sessions import StreamingServer
from cluster.objects import Manifest, errors, meta, pods

if TYPE_CHECKING:
    from cluster.world import World

Request = dict[str, Any]
MAX_COMMAND = 64 * 1024  # Characters of a command's words together.


def exec_(world: "World", request: Request) -> dict[str, Any]:
    """Errors: NotFound, BadRequest, InternalError."""
    pod = _pod(world, request)
    container = container_name(pod, str(request.get("container") or ""))
    command = [str(word) for word in request.get("command") or ()]
    if not command:
        raise errors.BadRequest("you must specify at least one command for the container")
    if sum(len(word) for word in command) > MAX_COMMAND:
        raise errors.BadRequest(f"the command is longer than {MAX_COMMAND} characters")
    kubelet = _kubelet(world, pod, f"exec/{meta.namespace(pod)}/{meta.name(pod)}/{container}")
    identity = str(world.row["inputs"])
    begun = kubelet.exec(pod, container, command, bool(request.get("tty")), bool(request.get("stdin")), identity)
    return {**begun, "container": container}


def attach(world: "World", request: Request) -> dict[str, Any]:
    """Errors: NotFound, BadRequest, InternalError."""
    pod = _pod(world, request)
    container = container_name(pod, str(request.get("container") or ""))
    kubelet = _kubelet(world, pod, f"attach/{meta.namespace(pod)}/{meta.name(pod)}/{container}")
    spec = next(one for one in pods.everyone(pod) if one["name"] == container)
    return {**kubelet.attach(pod, container), "name": container, "once": bool(spec.get("stdinOnce"))}


def port_forward(world: "World", request: Request) -> dict[str, Any]:
    """Errors: NotFound, BadRequest, InternalError."""
    pod = _pod(world, request)
    kubelet = _kubelet(world, pod, f"portForward/{meta.namespace(pod)}/{meta.name(pod)}")
    return kubelet.forward(pod, str(world.row["inputs"]))


def stream(world: "World", request: Request) -> dict[str, Any]:
    """Something for a session. Errors: NotFound, TooManyRequests."""
    key = str(request.get("session", ""))
    sandbox = world.cells["containers"].get(key.partition("/")[0])
    component = world.components.get(f"kubelet/{sandbox['node']}") if sandbox is not None else None
    if not isinstance(component, Kubelet):
        raise errors.NotFound("", "sessions", key)
    return component.streams.act(key, request)


def proxy(world: "World", request: Request) -> dict[str, Any]:
    """One request to a port of a pod. Errors: NotFound, InternalError."""
    pod = _pod(world, request)
    kubelet = _kubelet(world, pod, "")
    answer = kubelet.proxy(pod, int(request.get("port", 80)), str(request.get("request", "")))
    if answer is None:
        return {"refused": True, "address": (pod.get("status") or {}).get("podIP", "")}
    return {"answer": answer}


def _pod(world: "World", request: Request) -> Manifest:
    namespace, name = str(request.get("namespace", "")), str(request.get("pod", ""))
    pod = world.informers.get("Pod", namespace, name)
    if pod is None:
        raise errors.NotFound("", "pods", name)
    return pod


def _kubelet(world: "World", pod: Manifest, path: str) -> StreamingServer:
    """The kubelet of the pod's node. Errors: BadRequest (it has none), InternalError (it does not answer)."""
    node = pod["spec"].get("nodeName")
    if not node:
        raise errors.BadRequest(f"pod {meta.name(pod)} does not have a host assigned")
    component = world.components.get(f"kubelet/{node}")
    if isinstance(component, Kubelet):
        return component.streams
    host = (pod.get("status") or {}).get("hostIP") or node
    dial = f"dial tcp {host}:{PORT}: connect: no route to host"
    raise errors.InternalError(f'error sending request: Post "https://{host}:{PORT}/{path}": {dial}')


INPUTS: dict[str, Callable[["World", Request], dict[str, Any]]] = {
    "exec": exec_,
    "attach": attach,
    "port-forward": port_forward,
    "stream": stream,
    "proxy": proxy,
}
