"""GET pods/log: what a container printed, computed here from its committed record.

Nobody asks a kubelet or a world: programs are pure functions of time, and the horizon up to which the world was
committed says how much has been printed. A follower looks ten times a second how far the horizon has come.

Mirrors:  kubernetes/pkg/registry/core/pod/rest/log.go
"""

import asyncio
from typing import Any, NamedTuple

import orjson

from cluster import inbox
from cluster.apiserver import registry
from cluster.apiserver.reads import Reader
from cluster.apiserver.registry import Resource
from cluster.apiserver.target import Target
from cluster.gateway import lists, pool
from cluster.gateway.http import NO_CACHE, TEXT, Reply, Request
from cluster.kubelet import server as kubelet
from cluster.kubelet.server import LogOptions
from cluster.objects import Manifest, errors, times
from cluster.objects.pods import uid_at_node

PERIOD = 0.1  # Seconds between looks of a follower.
CHUNK = 256 * 1024  # Characters of a body message.
UNTIL_STARTED = ("ContainerCreating", "PodInitializing")


class Found(NamedTuple):
    """A pod, the container that is meant, and the horizon (microseconds since t = 0)."""

    pod: Manifest
    record: dict[str, Any] | None
    horizon: int
    epoch: int
    unreachable: errors.ApiError | None


async def serve(request: Request, resource: Resource, target: Target, container: str = "") -> None:
    """The log at once, or as it comes with follow=true. Errors: BadRequest, NotFound, Invalid, InternalError."""
    options = _options(request)
    container, previous = container or request.query("container"), request.flag("previous")
    try:
        found = await pool.in_thread(_find, request.cluster, resource, target, container, previous)
    except kubelet.Forgotten as error:
        await request.reply(Reply(200, TEXT.split(";")[0], str(error).encode()))
        return
    if found.record is None:
        await request.reply(Reply(204, "", b""))
        return
    lines = kubelet.read(found.record, found.horizon, found.epoch, options)
    if not request.flag("follow"):
        await request.reply(Reply(200, TEXT.split(";")[0], _text(lines)))
        return
    await request.start(200, TEXT.split(";")[0], (NO_CACHE,))
    await request.write(_text(lines))
    follower = asyncio.create_task(_follow(request, resource, target, found, options, _size(lines)))
    gone = asyncio.create_task(request.disconnected())
    await asyncio.wait((follower, gone), return_when=asyncio.FIRST_COMPLETED)
    client_left = gone.done()
    for task in (follower, gone):
        task.cancel()
    await asyncio.gather(follower, gone, return_exceptions=True)
    if not client_left:
        await request.write(b"", more=False)


async def _follow(
    request: Request, resource: Resource, target: Target, found: Found, options: LogOptions, sent: int
) -> None:
    """Write what is printed until the container has ended, the pod is gone, or enough was sent."""
    assert found.record is not None
    attempt, position = found.record["attempt"], found.horizon
    later = LogOptions(timestamps=options.timestamps, stream=options.stream)
    while True:
        if found.record is None or kubelet.has_ended(found.record, position):
            return
        await asyncio.to_thread(inbox.follow, request.cluster)
        await asyncio.sleep(PERIOD)
        try:
            found = await pool.in_thread(
                _find_attempt, request.cluster, resource, target, found.record["name"], attempt
            )
        except errors.ApiError:
            return
        if found.record is None or found.horizon <= position or found.unreachable is not None:
            continue
        lines = kubelet.read(found.record, found.horizon, found.epoch, later, start=position)
        position = found.horizon
        if options.limit_bytes is not None:
            lines = _within(lines, options.limit_bytes - sent)
            sent += _size(lines)
        if lines:
            await request.write(_text(lines))
        if options.limit_bytes is not None and sent >= options.limit_bytes:
            return


def _find(reader: Reader, cluster: str, resource: Resource, target: Target, container: str, previous: bool) -> Found:
    snapshot, value = lists.read(reader, cluster, resource, target)
    pod = orjson.loads(value)
    name, node = kubelet.container_name(pod, container), pod["spec"].get("nodeName", "")
    if not node:
        return Found(pod, None, snapshot.sim_now, snapshot.epoch, None)
    here = reader.get(cluster, registry.by_kind("Node").storage_key("", node))
    if here is None or here[1] is None:
        raise errors.NotFound("", "pods", node)  # The node is called a pod in the real one's answer, too.
    unreachable = kubelet.unreachable(pod, name, reader.machine(snapshot.id, node))
    if unreachable is not None:
        raise unreachable
    record = kubelet.choose(pod, reader.containers(snapshot.id, uid_at_node(pod)), container, previous)
    return Found(pod, record, snapshot.sim_now, snapshot.epoch, None)


def _find_attempt(
    reader: Reader, cluster: str, resource: Resource, target: Target, container: str, attempt: int
) -> Found:
    """The very container that a follower began with, not the one that was started after it."""
    snapshot, value = lists.read(reader, cluster, resource, target)
    pod = orjson.loads(value)
    records = reader.containers(snapshot.id, uid_at_node(pod))
    record = next((r for r in records if r.get("name") == container and r.get("attempt") == attempt), None)
    machine = reader.machine(snapshot.id, pod["spec"].get("nodeName", ""))
    return Found(pod, record, snapshot.sim_now, snapshot.epoch, kubelet.unreachable(pod, container, machine))


def _options(request: Request) -> LogOptions:
    """PodLogOptions out of the query. Errors: BadRequest, Invalid."""
    tail, limit, seconds = (request.integer(name) for name in ("tailLines", "limitBytes", "sinceSeconds"))
    problems = []
    if tail is not None and tail < 0:
        problems.append(_invalid("tailLines", tail, "must be greater than or equal to 0"))
    if limit is not None and limit < 1:
        problems.append(_invalid("limitBytes", limit, "must be greater than 0"))
    since = None
    if request.query("sinceTime"):
        if seconds is not None:
            problems.append(_forbidden("at most one of `sinceTime` or `sinceSeconds` may be specified"))
        try:
            since = times.parse(request.query("sinceTime"))
        except ValueError as error:
            raise errors.BadRequest(f"sinceTime: {error}") from None
    if seconds is not None and seconds < 1:
        problems.append(_invalid("sinceSeconds", seconds, "must be greater than 0"))
    if problems:
        raise errors.Invalid("", "PodLogOptions", "", problems)
    return LogOptions(
        tail_lines=tail,
        since_seconds=seconds,
        since=since,
        limit_bytes=limit,
        timestamps=request.flag("timestamps"),
        stream=request.query("stream") or "All",
    )


def _invalid(field: str, value: int, problem: str) -> Manifest:
    return {"reason": "FieldValueInvalid", "message": f"Invalid value: {value}: {problem}", "field": field}


def _forbidden(problem: str) -> Manifest:
    return {"reason": "FieldValueForbidden", "message": f"Forbidden: {problem}", "field": "sinceSeconds"}


def _text(lines: list[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()


def _size(lines: list[str]) -> int:
    return sum(len(line.encode()) + 1 for line in lines)


def _within(lines: list[str], limit: int) -> list[str]:
    """The lines that still fit."""
    kept = []
    for line in lines:
        limit -= len(line.encode()) + 1
        if limit < 0:
            break
        kept.append(line)
    return kept
