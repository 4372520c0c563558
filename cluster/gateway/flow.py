"""Which FlowSchema a request belongs to. Every answer says it, by uid, as a real server's does:

    X-Kubernetes-Pf-Flowschema-Uid: 8e9f…      X-Kubernetes-Pf-Prioritylevel-Uid: 51c4…

FlowSchemas are asked in order of their precedence; the first with a rule for this user and this request wins. Nothing
else follows from it here: the inbox has a limit of its own.

Mirrors:  k8s.io/apiserver/pkg/util/flowcontrol (rule.go), pkg/server/filters/priority-and-fairness.go
Left out: queues, seats and rejections; a changed FlowSchema counts after ten seconds at the latest.
"""

import time
from typing import Any, NamedTuple

import orjson

from cluster.apiserver import registry
from cluster.apiserver.reads import Reader
from cluster.apiserver.target import Target, parse
from cluster.gateway import pool
from cluster.gateway.http import Request
from cluster.objects import Manifest
from cluster.objects.users import ACCOUNT_PREFIX, User

FRESH = 10.0  # Wall seconds for which what was read is taken for true.
CLUSTERS = 64  # Whose FlowSchemas are kept.
SCHEMAS, LEVELS = registry.by_kind("FlowSchema"), registry.by_kind("PriorityLevelConfiguration")
_VERBS = {"GET": "get", "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}

Headers = tuple[tuple[str, str], ...]


class Schema(NamedTuple):
    """One FlowSchema. `headers`: what the answers to its requests carry."""

    rules: list[Manifest]
    headers: Headers


class _Known(NamedTuple):
    read: float
    schemas: list[Schema]


_known: dict[str, _Known] = {}


async def headers(request: Request) -> Headers:
    """The two headers of a request; none if its cluster has no FlowSchemas. Errors: DatabaseError."""
    known, now = _known.get(request.cluster), time.monotonic()
    if known is None or now - known.read > FRESH:
        known = _Known(now, await pool.in_thread(_read, request.cluster))
        if len(_known) >= CLUSTERS and request.cluster not in _known:
            del _known[next(iter(_known))]
        _known[request.cluster] = known
    target = parse(request.path)
    for schema in known.schemas:
        if any(_is_for(rule, request, target) for rule in schema.rules):
            return schema.headers
    return ()


def _read(reader: Reader, cluster: str) -> list[Schema]:
    """All FlowSchemas whose level exists, the one with the lowest precedence first."""
    levels = {level["metadata"]["name"]: level["metadata"]["uid"] for level in _objects(reader, cluster, LEVELS)}
    found = sorted(
        _objects(reader, cluster, SCHEMAS),
        key=lambda schema: (schema["spec"].get("matchingPrecedence", 1000), schema["metadata"]["name"]),
    )
    made = []
    for schema in found:
        level = levels.get(schema["spec"].get("priorityLevelConfiguration", {}).get("name"))
        if level is not None:
            uids = (
                ("X-Kubernetes-Pf-Flowschema-Uid", schema["metadata"]["uid"]),
                ("X-Kubernetes-Pf-Prioritylevel-Uid", level),
            )
            made.append(Schema(schema["spec"].get("rules") or [], uids))
    return made


def _objects(reader: Reader, cluster: str, resource: Any) -> list[Manifest]:
    listed = reader.listing(cluster, resource.storage_prefix())
    return [orjson.loads(row.value) for row in listed[1]] if listed else []


def _is_for(rule: Manifest, request: Request, target: Target | None) -> bool:
    if not any(_is_subject(subject, request.user) for subject in rule.get("subjects") or ()):
        return False
    if target is None or not target.plural:
        verb = request.method.lower()
        urls = (item for item in rule.get("nonResourceRules") or () if _has(item.get("verbs"), verb))
        return any(_is_under(request.path, url) for item in urls for url in item.get("nonResourceURLs") or ())
    return any(_covers(item, request, target) for item in rule.get("resourceRules") or ())


def _is_subject(subject: Manifest, user: User) -> bool:
    """Does the subject mean this user?"""
    kind = subject.get("kind")
    if kind == "Group":
        name = subject.get("group", {}).get("name")
        return name == "*" or name in user.groups
    if kind == "User":
        return subject.get("user", {}).get("name") in ("*", user.name)
    account = subject.get("serviceAccount", {})
    prefix = f"{ACCOUNT_PREFIX}{account.get('namespace')}:"
    return user.name.startswith(prefix) and account.get("name") in ("*", user.name.removeprefix(prefix))


def _covers(item: Manifest, request: Request, target: Target) -> bool:
    plural = f"{target.plural}/{target.subresource}" if target.subresource else target.plural
    if not (_has(item.get("apiGroups"), target.group) and _has(item.get("resources"), plural)):
        return False
    if not _has(item.get("verbs"), _verb(request, target)):
        return False
    return _has(item.get("namespaces"), target.namespace) if target.namespace else bool(item.get("clusterScope"))


def _verb(request: Request, target: Target) -> str:
    verb = _VERBS.get(request.method, "")
    if target.name:
        return verb
    if verb == "get":
        return "watch" if request.flag("watch") else "list"
    return "deletecollection" if verb == "delete" else verb


def _has(given: list[str] | None, wanted: str) -> bool:
    return given is not None and ("*" in given or wanted in given)


def _is_under(path: str, url: str) -> bool:
    return path.startswith(url[:-1]) if url.endswith("*") else path == url
