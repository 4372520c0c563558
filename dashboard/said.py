"""Every click in words: the `kubectl` line that does the same, and the HTTP request behind it.

What a person did is an input of the world, so the words are made from the recorded input, whoever sent it:
this page, kubectl, a script. A click carries its line in the header `LINE`; for other requests the method
and path must do.
"""

import shlex
from typing import Any
from urllib.parse import quote

from dashboard import kubelet_flags

Words = dict[str, Any]
LINE = "x-orrery-line"
OF_CLUSTERS = ("cloud", "cloud-terminate", "exec", "attach", "port-forward")  # No --cluster: they name it otherwise.
MACHINE = ("cpu", "memory", "pods", "storage", "inodes", "pids", "zone", "runtime")  # What `node add` may be told.
METHODS = {"POST": "create", "PUT": "replace", "PATCH": "patch", "DELETE": "delete"}


def in_words(request: dict[str, Any], cluster: str = "default") -> Words:
    """`v` the line, `short` for the lane, `http` the request if there was one, `note` if the line is no
    command.
    """
    kind = str(request.get("type"))
    if kind == "api":
        return _api(request)
    line, short = _command(kind, request, cluster)
    if cluster != "default" and kind not in OF_CLUSTERS and not line.startswith("#"):
        line += f" --cluster {cluster}"
    return {"v": line, "short": short, **({"note": True} if line.startswith("#") else {})}


def _api(request: dict[str, Any]) -> Words:
    method, path = str(request.get("method", "")), str(request.get("path", ""))
    http = f"{method} {path}"
    headers = request.get("headers", {})
    short = f"{METHODS.get(method, method.lower())} {path.rstrip('/').rsplit('/', 1)[-1]}"
    if line := headers.get(LINE):
        return {
            "v": line,
            "http": http,
            "short": line.removeprefix("kubectl ").split(" -n ")[0].split(" --")[0],
        }
    agent = str(headers.get("user-agent", "")).split(" ")[0] or "a client"
    return {"v": f"# {agent}: {http}", "short": short, "note": True}


def _command(kind: str, request: dict[str, Any], cluster: str) -> tuple[str, str]:
    """(line, short) of an input that is no API request: pulling a plug has no kubectl line, but manage.py has
    one.
    """
    node = request.get("node") or request.get("name", "")
    manage = "python manage.py"
    match kind:
        case "power-off" | "power-on" | "shutdown":
            return f"{manage} node {kind} {node}", f"{kind.replace('-', ' ')} {node}"
        case "runtime":
            return f"{manage} node runtime-{request.get('op', '')} {node}", f"{request.get('op', '')} runtime"
        case "static-pod":
            action, file = request.get("op", ""), request.get("file", "")
            return f"{manage} node static-pod-{action} {node} {file}", f"{action} {file}"
        case "node-add":
            given = [name for name in MACHINE if request.get(name)]
            flags = "".join(f" --{name} {request[name]}" for name in given)
            kubelet = request.get("kubelet")
            flags += kubelet_flags.written(kubelet) if isinstance(kubelet, dict) else ""
            return f"{manage} node add {node}{flags}", f"add {node}"
        case "node-remove":
            return f"{manage} node remove {node}", f"remove {node}"
        case "etcd":
            action, member = request.get("op", ""), request.get("member", "")
            return f"{manage} etcd {action} {member}".rstrip(), f"{action} {member}".rstrip()
        case "component-stop" | "component-start" | "component-restart":
            action, component = kind.removeprefix("component-"), request.get("component", "")
            return f"{manage} component {action} {component}", f"{action} {component}"
        case "replicas":
            process, count = request.get("process", ""), request.get("count", "")
            return f"{manage} component replicas {process} {count}", f"{count} x {process}"
        case "scheduler-configure":
            return f"{manage} component configure kube-scheduler -f scheduler.yaml", "configure kube-scheduler"
        case "cloud":
            known = ("op", "kind", "factor", "percent", "rate", "limit")
            words = " ".join(str(request[name]) for name in known if name in request)
            return f"{manage} cluster cloud {cluster} {words}", f"cloud {words}"
        case "cloud-terminate":
            return f"{manage} cluster cloud {cluster} terminate {node}", f"terminate {node}"
        case "clock":
            operation = str(request.get("op", ""))
            seconds = request.get("seconds")
            value = request.get("value", request.get("by", "" if seconds is None else f"{seconds:g}"))
            flag_by = "--by " if operation == "step" else ""
            return f"{manage} clock {operation} {flag_by}{value}".rstrip(), f"{operation} {value}".rstrip()
        case "route":
            ends = f"{request.get('from', '')} {request.get('to', '')}"
            return f"{manage} network {request.get('op', '')} {ends}", f"{request.get('op', '')} route"
        case "exec" | "attach" | "port-forward":
            return _stream(kind, request), f"{kind} {request.get('pod', '')}"
        case _:
            return f"# {kind}", kind


def _stream(kind: str, request: dict[str, Any]) -> str:
    """The kubectl line of a session."""
    namespace = request.get("namespace", "default")
    words = ["kubectl", kind, *(("-n", namespace) if namespace != "default" else ()), str(request.get("pod", ""))]
    if kind != "port-forward" and request.get("container"):
        words += ["-c", str(request["container"])]
    if kind == "exec":
        words += ["--", *(shlex.quote(str(word)) for word in request.get("command") or ())]
    return " ".join(words)


def object_path(api_version: str, plural: str, namespace: str, name: str, subresource: str = "") -> str:
    """The URL of one object, as kubectl -v=6 shows it, without the cluster's prefix."""
    root = f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
    where = f"/namespaces/{quote(namespace)}" if namespace else ""
    parts = [root + where, plural, *([quote(name)] if name else []), *([subresource] if subresource else [])]
    return "/".join(parts)


def flag(namespace: str) -> str:
    """` -n shop`, or nothing for the default namespace and for kinds that have none."""
    return "" if namespace in ("", "default") else f" -n {namespace}"
