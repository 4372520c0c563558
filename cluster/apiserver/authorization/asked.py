"""What a request asks for, read off its method, path and query: `list pods in default`, or `get path /version`.

Mirrors:  k8s.io/apiserver/pkg/endpoints/request/requestinfo.go, pkg/endpoints/filters/authorization.go
"""

from urllib.parse import parse_qs, unquote

from cluster.apiserver.authorization import Ask
from cluster.apiserver.target import parse
from cluster.objects import errors, fields
from cluster.objects.users import User

_VERBS = {"POST": "create", "GET": "get", "HEAD": "get", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_OF_MANY = {"get": "list", "delete": "deletecollection"}


def asked(user: User, method: str, path: str, query: str = "") -> Ask:
    """The question. `path`: without the cluster's prefix."""
    target = parse(path)
    if target is None or not target.plural:  # Discovery, health, OpenAPI.
        return Ask(user, method.lower(), path=unquote(path))
    verb, name = _VERBS.get(method, ""), target.name
    if not name and verb in _OF_MANY:
        verb = _OF_MANY[verb]
    options = parse_qs(query, keep_blank_values=True) if query and verb in ("list", "deletecollection") else {}
    parts = path.strip("/").split("/")
    by_path = "watch" in parts[2 : 3 if parts[0] == "api" else 4]  # /api/v1/watch/…, an older way to say it
    watches = verb == "list" and options.get("watch", ["0"])[0] not in ("0", "false")
    if watches or (by_path and verb in ("get", "list")):
        verb = "watch"
    chosen = _chosen(options.get("fieldSelector", [""])[0]) if options else {}
    name, namespace = name or chosen.get("metadata.name", ""), target.namespace
    if target.plural == "namespaces" and not target.group:
        namespace = target.name  # A namespace lies in itself: who may do all in it may read it.
    on_node = chosen.get("spec.nodeName", "") if target.plural == "pods" else ""
    return Ask(
        user, verb, target.group, target.version, target.plural, target.subresource, namespace, name, on_node=on_node
    )


def _chosen(selector: str) -> dict[str, str]:
    """Field paths and the one value that a field selector wants of each; nothing if it can't be read."""
    try:
        return {r.path: r.value for r in fields.parse(selector) if r.equal} if selector else {}
    except errors.ApiError:
        return {}
