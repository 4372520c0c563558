"""Watch: a list that never ends. One JSON frame a line: {"type": "ADDED", "object": …}.

What comes first depends on resourceVersion: none or 0 is the present state as ADDED frames; N is every change after N,
as far back as history goes (else one ERROR frame with 410). With sendInitialEvents the present state ends with a
bookmark that says so; that is how client-go lists since 0.35.

Leaving a selector is DELETED, entering it is ADDED: each change is looked at before and after.

Mirrors:  k8s.io/apiserver/pkg/endpoints/handlers/watch.go, pkg/storage/cacher
"""

import asyncio
from collections.abc import Iterable, Iterator

import orjson

from cluster.apiserver import protobuf_answers, registry, table
from cluster.apiserver.negotiate import JSON, PROTOBUF, Format
from cluster.apiserver.reads import Change, Reader, Snapshot
from cluster.apiserver.registry import Resource
from cluster.apiserver.table.printers import printer_of
from cluster.apiserver.target import Target
from cluster.gateway import metrics, pool
from cluster.gateway import options as list_options
from cluster.gateway.http import Request
from cluster.gateway.hub import Event, Hub, Subscription, hub
from cluster.gateway.lists import NoSuchCluster
from cluster.gateway.options import Options
from cluster.objects import Manifest, errors

DEFAULT_TIMEOUT = 45 * 60.0  # Seconds; the real server takes 30 to 60 minutes by chance.
BOOKMARKS = 60.0  # Seconds between bookmarks, and one shortly before the end.
LAST_BOOKMARK = 2.0
INITIAL_END = "k8s.io/initial-events-end"
FIRST = 2  # Nobody ever read revision 1: a real server's caches begin with the list that filled them, after it.
TYPES = {"create": "ADDED", "update": "MODIFIED", "delete": "DELETED"}
CHUNK = 256 * 1024  # Bytes of a body message.


class Watch:
    """One watch: what it wants, and how its frames look."""

    def __init__(self, resource: Resource, options: Options, form: Format) -> None:
        self.resource, self.options, self.form = resource, options, form
        self.plain = form == Format() and resource.from_stored is None
        self._columns_told = False

    def frames(self, events: Iterable[Event]) -> Iterator[bytes]:
        for event in events:
            kind = self._kind_of(event)
            if kind is not None:
                yield self._frame(event, kind)

    def _kind_of(self, event: Event) -> str | None:
        """ADDED, MODIFIED or DELETED as this watch sees it; None: not its business."""
        kind, selection = TYPES[event.change.verb], self.options.selection
        if selection.everything:
            return kind
        is_wanted = selection.matches(event.object(self.resource))
        if kind == "ADDED":
            return kind if is_wanted else None
        before = event.before(self.resource)
        was_wanted = before is not None and selection.matches(before)
        if kind == "DELETED":
            return kind if was_wanted or is_wanted else None
        if is_wanted:
            return kind if was_wanted else "ADDED"
        return "DELETED" if was_wanted else None

    def _frame(self, event: Event, kind: str) -> bytes:
        if kind == "DELETED" and event.change.verb == "update":  # It left the selection: its last state inside.
            last = event.before(self.resource) or event.object(self.resource)
            version = str(event.change.revision)
            obj = {**last, "metadata": {**last["metadata"], "resourceVersion": version}}
            return self.object_frame(kind, obj, event.now)
        if self.plain:
            return event.frame(kind, lambda: b'{"type":"%s","object":%s}\n' % (kind.encode(), event.change.value))
        if self.form.transform == "Table" and not self._columns_told:
            return self.object_frame(kind, event.object(self.resource), event.now)
        key = (kind, self.form, self.options.include, self.resource.group, self.resource.version)
        return event.frame(key, lambda: self.object_frame(kind, event.object(self.resource), event.now))

    def object_frame(self, kind: str, obj: Manifest, now: int) -> bytes:
        if self.form.media == PROTOBUF:
            return protobuf_answers.frame(kind, self._shown(obj, now))
        return orjson.dumps({"type": kind, "object": self._shown(obj, now)}) + b"\n"

    def _shown(self, obj: Manifest, now: int) -> Manifest:
        """The object as a Table with one row (columns only the first time), as its metadata, or as it is."""
        form, resource = self.form, self.resource
        if form.transform == "Table":
            printer = resource.printer or printer_of(resource.group, resource.kind)
            columns = None if self._columns_told else table.columns_of(printer)
            self._columns_told = True
            printed = table.row(printer, obj, now, self.options.include, form.version)
            metadata = {"resourceVersion": obj["metadata"]["resourceVersion"]}
            head = {"kind": "Table", "apiVersion": f"meta.k8s.io/{form.version}", "metadata": metadata}
            return {**head, "columnDefinitions": columns, "rows": [printed]}
        return table.partial(obj, form.version) if form.transform else obj

    def bookmark(self, revision: int, now: int, initial_end: bool = False) -> bytes:
        metadata: Manifest = {"resourceVersion": str(revision)}
        if initial_end:
            metadata["annotations"] = {INITIAL_END: "true"}
        obj = {"kind": self.resource.kind, "apiVersion": self.resource.api_version, "metadata": metadata}
        return self.object_frame("BOOKMARK", obj, now)

    @property
    def media(self) -> str:
        return f"{PROTOBUF};stream=watch" if self.form.media == PROTOBUF else JSON

    def error(self, error: errors.ApiError) -> bytes:
        """The last frame of a watch that can't go on."""
        status = error.status_object()
        if self.form.media == PROTOBUF:
            return protobuf_answers.frame("ERROR", status)
        return orjson.dumps({"type": "ERROR", "object": status}) + b"\n"


async def stream(request: Request, resource: Resource, target: Target) -> None:
    """GET …?watch=1: until the client goes, the time is up, or the watch can't go on."""
    form = request.form(watch=True)
    options = list_options.parse(request, resource, watch=True, name=target.name)
    if form.transform == "Table":
        table.check_include(options.include)
    asked = list_options.revision_number(options.revision, watch=True)
    seconds = _seconds(request, options)
    prefix = resource.storage_prefix(target.namespace)
    snapshot = await pool.in_thread(Reader.cluster, request.cluster)
    if snapshot is None:
        raise NoSuchCluster(request.cluster)
    source = hub(request.cluster)
    subscription = source.join(prefix, snapshot)
    try:
        shown = Watch(resource, options, form)
        await request.start(200, shown.media)
        await request.write(b"")  # Headers leave now, or a quiet watch would look like a server that hangs.
        pump = asyncio.create_task(_pump(request, shown, source, subscription, asked, seconds))
        gone = asyncio.create_task(request.disconnected())
        await asyncio.wait((pump, gone), return_when=asyncio.FIRST_COMPLETED)
        client_left = gone.done()
        for task in (pump, gone):
            task.cancel()
        await asyncio.gather(pump, gone, return_exceptions=True)
        if not pump.cancelled() and pump.exception() is not None:
            raise pump.exception()  # type: ignore[misc]
        if not client_left:
            await request.write(b"", more=False)
    finally:
        source.leave(subscription)


def _seconds(request: Request, options: Options) -> float:
    """How long the watch may last. `timeout=2s` is what some clients say for timeoutSeconds=2."""
    if options.timeout:
        return float(options.timeout)
    text = request.query("timeout").removesuffix("s")
    return float(text) if text.replace(".", "", 1).isdigit() and float(text) else DEFAULT_TIMEOUT


async def _pump(
    request: Request, watch: Watch, source: Hub, subscription: Subscription, asked: int | None, seconds: float
) -> None:
    loop, options = asyncio.get_running_loop(), watch.options
    deadline = loop.time() + seconds
    try:
        position = await _begin(request, watch, subscription, asked)
    except errors.ApiError as error:
        await request.write(watch.error(error))
        return
    bookmark_at = min(loop.time() + BOOKMARKS, max(deadline - LAST_BOOKMARK, loop.time() + 0.5))
    while loop.time() < deadline:
        until = min(deadline, bookmark_at) if options.bookmarks else deadline
        await subscription.wait(until - loop.time())
        if subscription.ended is not None:
            if subscription.ended == "expired":
                await request.write(watch.error(_too_old(position, source.revision)))
            return
        events = [event for event in subscription.take() if event.change.revision > position]
        if events:
            await _write(request, watch.frames(events))
            metrics.sent(request.cluster, watch.resource, len(events))
            position = events[-1].change.revision
        if options.bookmarks and loop.time() >= bookmark_at:
            position = max(position, subscription.position)
            await request.write(watch.bookmark(position, 0))
            bookmark_at = loop.time() + BOOKMARKS


async def _begin(request: Request, watch: Watch, subscription: Subscription, asked: int | None) -> int:
    """Write what comes before the live changes. Returns the revision that they go on from. Errors: Expired."""
    options = watch.options
    if options.send_initial or (not asked and options.send_initial is None):
        snapshot, values = await pool.in_thread(_present, request.cluster, subscription.prefix)
        await _write(request, _added(watch, values, snapshot.unix))
        if options.send_initial and options.bookmarks:
            await request.write(watch.bookmark(snapshot.revision, snapshot.unix, initial_end=True))
        return snapshot.revision
    until = subscription.joined  # Later changes come by the hub.
    if not asked:
        return until
    snapshot, changes = await pool.in_thread(_history, request.cluster, asked, until)
    if asked < max(snapshot.oldest, FIRST):
        raise _too_old(asked, max(snapshot.oldest, FIRST))
    source = hub(request.cluster)
    events = [Event(source, c, snapshot.epoch) for c in changes if c.key.startswith(subscription.prefix)]
    await _write(request, watch.frames(events))
    return max(asked, until)


def _present(reader: Reader, cluster: str, prefix: str) -> tuple[Snapshot, list[bytes]]:
    found = reader.listing(cluster, prefix)
    if found is None:
        raise NoSuchCluster(cluster)
    return found[0], [row.value for row in found[1]]


def _history(reader: Reader, cluster: str, after: int, until: int) -> tuple[Snapshot, list[Change]]:
    """Changes after `after`, up to `until`."""
    snapshot = reader.cluster(cluster)
    if snapshot is None:
        raise NoSuchCluster(cluster)
    found: list[Change] = []
    while after >= snapshot.oldest and after < until:
        part = [change for change in reader.changes(snapshot.id, after) if change.revision <= until]
        if not part:
            break
        found += part
        after = part[-1].revision
    return snapshot, found


def _added(watch: Watch, values: list[bytes], now: int) -> Iterator[bytes]:
    """The present state as ADDED frames."""
    for value in values:
        if watch.plain and watch.options.selection.everything:
            yield b'{"type":"ADDED","object":%s}\n' % value
            continue
        obj = registry.present(watch.resource, orjson.loads(value))
        if watch.options.selection.matches(obj):
            yield watch.object_frame("ADDED", obj, now)


async def _write(request: Request, frames: Iterable[bytes]) -> None:
    """Frames, some together: a message each would cost more than the frames themselves."""
    waiting, size = [], 0
    for frame in frames:
        waiting.append(frame)
        size += len(frame)
        if size > CHUNK:
            await request.write(b"".join(waiting))
            waiting, size = [], 0
    if waiting:
        await request.write(b"".join(waiting))


def _too_old(asked: int, oldest: int) -> errors.Expired:
    return errors.Expired(f"too old resource version: {asked} ({oldest})")
