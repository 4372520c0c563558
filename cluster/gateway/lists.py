"""GET of one object or of many, out of committed rows.

Which revision a list is of:

    resourceVersion   match          limit     the list
    none              -              any       now
    0                 -              ignored   now
    N                 none           none      now (at least N)
    N                 none           any       exactly at N, as it has always been
    N                 NotOlderThan   any       now (at least N)
    N                 Exact          any       exactly at N
    (a continue token says itself)

Mirrors:  k8s.io/apiserver/pkg/storage (cacher, etcd3/store.go GetList)
"""

import asyncio
from collections.abc import Iterable
from typing import NamedTuple

import orjson

from cluster.apiserver import registry, table
from cluster.apiserver.negotiate import JSON, Format, encode
from cluster.apiserver.reads import Reader, Snapshot, Stored
from cluster.apiserver.registry import Resource
from cluster.apiserver.table.printer import Printer
from cluster.apiserver.target import Target
from cluster.gateway import options as list_options
from cluster.gateway import pool
from cluster.gateway.http import Reply, Request
from cluster.gateway.options import EXACT, Options, Token
from cluster.objects import Manifest, errors

PATIENCE = 3.0  # Wall seconds that a list waits for a revision from the future.
TOO_OLD = "The resourceVersion for the provided list is too old."
TOKEN_TOO_OLD = (
    "The provided continue parameter is too old to display a consistent list result. You can start a new list without"
    " the continue parameter, or use the continue token in this response to retrieve the remainder of the results."
    " Continuing with the provided token results in an inconsistent list - objects that were created, modified, or"
    " deleted between the time the first chunk was returned and now may show up in the list."
)


class NoSuchCluster(errors.NotFound):
    """The path names a cluster that this installation does not have."""

    def __init__(self, name: str) -> None:
        super().__init__("", "clusters", name)


class Page(NamedTuple):
    """A part of a list. `now`: microseconds since 1970 of the horizon; `token`: where the next part begins."""

    revision: int
    now: int
    items: list[bytes]
    token: str = ""
    remaining: int | None = None


class TokenExpired(errors.Expired):
    """410 with a token that goes on without consistency."""

    def __init__(self, token: Token) -> None:
        super().__init__(TOKEN_TOO_OLD)
        self._token = Token(-1, token.start.lstrip("/")).encode()

    def status_object(self) -> Manifest:
        return {**super().status_object(), "metadata": {"continue": self._token}}


def too_large(revision: int, current: int) -> errors.Timeout:
    causes = [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}]
    message = f"Timeout: Too large resource version: {revision}, current: {current}"
    return errors.Timeout(message, {"causes": causes}, retry_after=1)


# --- one object -------------------------------------------------------------------------------------------------


def read(reader: Reader, cluster: str, resource: Resource, target: Target) -> tuple[Snapshot, bytes]:
    """The stored bytes of what the URL names. Errors: NotFound."""
    found = reader.get(cluster, resource.storage_key(target.namespace, target.name))
    if found is None:
        raise NoSuchCluster(cluster)
    snapshot, value = found
    if value is None:
        raise errors.NotFound(resource.group, resource.plural, target.name)
    return snapshot, value


def get(request: Request, resource: Resource, target: Target) -> Reply:
    """GET of one object, its status or its scale."""
    form = request.form()
    if resource.computed is not None:
        made = resource.computed(*pool.reader().control_plane(request.cluster))
        obj = next((o for o in made if o["metadata"]["name"] == target.name), None)
        if obj is None:
            raise errors.InternalError(f"Component not found: {target.name}")
        return Reply(200, form.media, encode(form, as_asked(request, form, resource.group, resource.kind, obj, 0)))
    snapshot, value = read(pool.reader(), request.cluster, resource, target)
    if form == Format() and target.subresource != "scale" and resource.from_stored is None:
        return Reply(200, JSON, value)
    obj = registry.present(resource, orjson.loads(value))
    group, kind, printer = resource.group, resource.kind, resource.printer
    if target.subresource == "scale":
        obj, group, kind, printer = registry.scale_of(resource, obj), "autoscaling", "Scale", None
    return Reply(200, form.media, encode(form, as_asked(request, form, group, kind, obj, snapshot.unix, printer)))


def as_asked(
    request: Request, form: Format, group: str, kind: str, obj: Manifest, now: int, printer: Printer | None = None
) -> Manifest:
    """One object as a Table or as its metadata, if that is what the client wants. Errors: BadRequest."""
    if form.transform == "Table":
        include = request.query("includeObject")
        table.check_include(include)
        version = obj["metadata"].get("resourceVersion")
        metadata = {"resourceVersion": version} if version else {}
        return table.table(group, kind, [obj], now, metadata, include, form.version, printer)
    return table.partial(obj, form.version) if form.transform else obj


# --- many objects -----------------------------------------------------------------------------------------------


async def listing(request: Request, resource: Resource, target: Target) -> Reply:
    """GET of a collection."""
    form = request.form()
    options = list_options.parse(request, resource, watch=False)
    if form.transform == "Table":
        table.check_include(options.include)
    prefix = resource.storage_prefix(target.namespace)
    deadline = asyncio.get_running_loop().time() + PATIENCE
    while True:
        try:
            return await pool.in_thread(_answer, request.cluster, resource, prefix, options, form)
        except errors.Timeout:
            if asyncio.get_running_loop().time() > deadline:
                raise
            await asyncio.sleep(0.2)


def _answer(reader: Reader, cluster: str, resource: Resource, prefix: str, options: Options, form: Format) -> Reply:
    """The whole answer, made in a thread: a large list takes a while."""
    metadata: Manifest
    if resource.computed is not None:
        made = resource.computed(*reader.control_plane(cluster))
        chosen = [obj for obj in made if options.selection.matches(obj)]
        page, metadata = Page(0, 0, [orjson.dumps(obj) for obj in chosen]), {}
    else:
        page = page_of(reader, cluster, resource, prefix, options)
        metadata = {"resourceVersion": str(page.revision)}
    if page.token:
        metadata["continue"] = page.token
    if page.remaining:
        metadata["remainingItemCount"] = page.remaining
    if form == Format() and resource.from_stored is None:
        return Reply(200, JSON, joined(resource, metadata, page.items))
    objects = [registry.present(resource, orjson.loads(value)) for value in page.items]
    return listed(resource, objects, page.now, metadata, options.include, form)


def listed(
    resource: Resource, objects: list[Manifest], now: int, metadata: Manifest, include: str, form: Format
) -> Reply:
    """Objects as a list of the form that was asked for. `now`: microseconds since 1970, for ages in Tables."""
    if form.transform == "Table":
        named = (resource.group, resource.kind)
        content = table.table(*named, objects, now, metadata, include, form.version, resource.printer)
    elif form.transform:
        content = table.partial_list(objects, metadata, form.version)
    else:
        items = [{k: v for k, v in obj.items() if k not in ("kind", "apiVersion")} for obj in objects]
        content = {**_head(resource), "metadata": metadata, "items": items}
    return Reply(200, form.media, encode(form, content))


def _head(resource: Resource) -> Manifest:
    return {"kind": resource.list_kind or f"{resource.kind}List", "apiVersion": resource.api_version}


def joined(resource: Resource, metadata: Manifest, items: Iterable[bytes]) -> bytes:
    """A list out of stored bytes, none of which is parsed: kind and apiVersion are cut off in front."""
    opening = f'{{"kind":"{resource.kind}","apiVersion":"{resource.api_version}",'.encode()
    cut = len(opening)
    bodies = [b"{" + value[cut:] if value.startswith(opening) else value for value in items]
    head = orjson.dumps({**_head(resource), "metadata": metadata})
    return b"".join((head[:-1], b',"items":[', b",".join(bodies), b"]}"))


def page_of(reader: Reader, cluster: str, resource: Resource, prefix: str, options: Options) -> Page:
    """The objects asked for. Errors: Expired, Timeout, BadRequest, NotFound."""
    token = list_options.decode_token(options.token) if options.token else None
    asked, limit, exact = list_options.revision_number(options.revision, watch=False), options.limit, None
    if token is not None:
        if asked:
            raise errors.BadRequest("specifying resource version is not allowed when using continue")
        exact = token.revision if token.revision > 0 else None
    elif asked and (options.match == EXACT or (not options.match and limit)):
        exact = asked
    if asked == 0:
        limit = 0
    start = prefix + token.start.lstrip("/") if token else ""
    snapshot, rows, remaining = _rows(reader, cluster, prefix, start, exact, limit, options)
    newest = exact or asked or 0
    if newest > snapshot.revision:
        raise too_large(newest, snapshot.revision)
    if exact is not None and exact < snapshot.oldest:
        raise TokenExpired(token) if token else errors.Expired(TOO_OLD)
    chosen = rows if options.selection.everything else _selected(resource, rows, options, limit)
    revision = exact or snapshot.revision
    if not limit or len(chosen) <= limit:
        return Page(revision, snapshot.unix, [row.value for row in chosen])
    last = chosen[limit - 1].key.removeprefix(prefix)
    after = Token(revision, f"/{last}").encode()
    return Page(revision, snapshot.unix, [row.value for row in chosen[:limit]], after, remaining)


def _rows(
    reader: Reader, cluster: str, prefix: str, start: str, exact: int | None, limit: int, options: Options
) -> tuple[Snapshot, list[Stored], int | None]:
    """Rows of a page and one more, and how many are left after it; all rows if they must be looked at one by one."""
    most = limit + 1 if limit and options.selection.everything else 0
    begin = f"{start}\x01" if start else ""  # After the key itself, before anything that could follow it.
    if exact is None:
        found = reader.listing(cluster, prefix, begin, most)
    else:
        found = reader.listing_at(cluster, prefix, exact, begin, most)
    if found is None:
        raise NoSuchCluster(cluster)
    snapshot, rows = found
    if not most or len(rows) < most:
        return snapshot, rows, None
    total = (
        reader.count(snapshot.id, prefix, begin)
        if exact is None
        else reader.count_at(snapshot.id, prefix, exact, begin)
    )
    return snapshot, rows, max(total - limit, 1)


def _selected(resource: Resource, rows: list[Stored], options: Options, limit: int) -> list[Stored]:
    """Rows whose objects are wanted, at most one more than the limit."""
    chosen: list[Stored] = []
    for row in rows:
        if options.selection.matches(registry.present(resource, orjson.loads(row.value))):
            chosen.append(row)
            if limit and len(chosen) > limit:
                break
    return chosen
