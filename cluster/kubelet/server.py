"""What the API server asks a kubelet for: the logs of a container, and whether it can be reached at all.

Pure functions over the pod object and committed container records, so that whoever serves a GET can answer it
without the world: `choose` finds the container (or says in the real words why there is nothing to show),
`read` prints it.

    record = choose(pod, records, container="", previous=False)
    lines  = read(record, horizon, epoch, LogOptions(tail_lines=10))

Mirrors:  kubernetes/pkg/registry/core/pod/strategy.go (LogLocation), pkg/kubelet/kubelet_pods.go
          (GetKubeletContainerLogs, validateContainerLogStatus)
Left out: stats/summary (later). For exec and its kin see sessions.py.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from cluster.kubelet.node_status import PORT
from cluster.objects import Manifest, errors, meta, times
from cluster.runtime import logs, rotation
from cluster.runtime.containers import Record
from cluster.runtime.programs.program import Line

SECOND = 1_000_000
WAITING = {
    "ErrImagePull": "image can't be pulled",
    "ImagePullBackOff": "trying and failing to pull image",
}


class Forgotten(Exception):
    """The container ended and was removed to free the disk, with its log; `str()` is what stands there instead."""


@dataclass(frozen=True)
class LogOptions:
    """The query of GET …/log. Times: seconds, or microseconds since 1970. `stream`: All, Stdout or Stderr."""

    tail_lines: int | None = None
    since_seconds: int | None = None
    since: int | None = None
    limit_bytes: int | None = None
    timestamps: bool = False
    stream: str = "All"


def container_name(pod: Manifest, asked: str) -> str:
    """Which container is meant. Errors: BadRequest in the real words."""
    spec, name = pod["spec"], meta.name(pod)
    mains = [container["name"] for container in spec["containers"]]
    inits = [container["name"] for container in spec.get("initContainers") or ()]
    later = [container["name"] for container in spec.get("ephemeralContainers") or ()]
    if asked:
        if asked not in (*mains, *inits, *later):
            raise errors.BadRequest(f"container {asked} is not valid for pod {name}")
        return asked
    default = meta.annotations(pod).get("kubectl.kubernetes.io/default-container")
    if default in mains and len(mains) > 1:
        return str(default)
    if len(mains) == 1:
        return str(mains[0])
    message = f"a container name must be specified for pod {name}, choose one of: [{' '.join(mains)}]"
    if inits:
        message += f" or one of the init containers: [{' '.join(inits)}]"
    if later:
        message += f" or one of the ephemeral containers: [{' '.join(later)}]"
    raise errors.BadRequest(message)


def choose(pod: Manifest, records: Iterable[Record], container: str = "", previous: bool = False) -> Record | None:
    """The record whose log is meant; None: the pod has no node yet, and an empty log.

    `records`: those of this pod's uid. Errors: BadRequest in the real words, Forgotten.
    """
    name, pod_name = container_name(pod, container), meta.name(pod)
    if not pod["spec"].get("nodeName"):
        return None
    _check_kept(pod, name, records := list(records), "lastState" if previous else "state")
    mine = sorted((r for r in records if r.get("name") == name), key=lambda record: record["attempt"])
    if previous:
        if len(mine) < 2 and not (mine and _is_waiting(pod, name)):
            raise errors.BadRequest(f'previous terminated container "{name}" in pod "{pod_name}" not found')
        return mine[-1] if _is_waiting(pod, name) else mine[-2]
    if mine:
        return mine[-1]
    reason = (_status(pod, name).get("state") or {}).get("waiting", {}).get("reason")
    why = WAITING.get(reason or "", reason or "ContainerCreating")
    raise errors.BadRequest(f'container "{name}" in pod "{pod_name}" is waiting to start: {why}')


def unreachable(pod: Manifest, container: str, machine: Mapping[str, object] | None) -> errors.ApiError | None:
    """The error that the API server meets when the machine is off or gone; None: the kubelet answers."""
    if machine is not None and machine.get("power", True):
        return None
    host = (pod.get("status") or {}).get("hostIP") or pod["spec"].get("nodeName", "")
    url = f"https://{host}:{PORT}/containerLogs/{meta.namespace(pod)}/{meta.name(pod)}/{container}"
    return errors.InternalError(f'Get "{url}": dial tcp {host}:{PORT}: connect: no route to host')


def read(record: Record, horizon: int, epoch: int, options: LogOptions | None = None, start: int = 0) -> list[str]:
    """The lines from `start` (for a follower: where it stopped) to `horizon`, as text without line ends.

    As in a real cluster, without `start` there are those of the newest file only (see runtime/rotation.py); a follower
    misses none when another file is begun.
    """
    options = options or LogOptions()
    since = max(start or rotation.current_start(record, horizon, epoch), _since(horizon, epoch, options))
    if options.tail_lines is not None:
        found = _tail(record, options, since, horizon, epoch)
    else:
        found = list(_wanted(logs.lines(record, since, horizon, epoch), options.stream))
    return list(_limited((formatted(line, epoch, options.timestamps) for line in found), options.limit_bytes))


def printed(record: Record, start: int, end: int, epoch: int) -> list[tuple[str, str]]:
    """(stream, text with its line end) of [start, end): what somebody who is attached sees."""
    return [(line.stream, line.text + "\n") for line in logs.lines(record, start, end, epoch)]


def formatted(line: Line, epoch: int, timestamps: bool) -> str:
    """One line; with its time in RFC 3339 and nine digits if asked.

    >>> formatted(Line(1_500_000, "stdout", "hello"), 0, True)
    '1970-01-01T00:00:01.500000000Z hello'
    """
    if not timestamps:
        return line.text
    return f"{times.rfc3339_micro(epoch + line.at)[:-1]}000Z {line.text}"


def has_ended(record: Record, horizon: int) -> bool:
    """Will nothing be printed any more? A follower may go."""
    return record["ended"] is not None and record["ended"] <= horizon


def _since(horizon: int, epoch: int, options: LogOptions) -> int:
    if options.since_seconds is not None:
        return horizon - options.since_seconds * SECOND
    return options.since - epoch if options.since is not None else 0


def _tail(record: Record, options: LogOptions, since: int, horizon: int, epoch: int) -> list[Line]:
    count = options.tail_lines or 0
    if options.stream == "All":
        return logs.tail(record, count, horizon, epoch, since)
    wanted = list(_wanted(logs.lines(record, since, horizon, epoch), options.stream))
    return wanted[-count:] if count else []


def _wanted(lines: Iterable[Line], stream: str) -> Iterator[Line]:
    return (line for line in lines if stream == "All" or line.stream == stream.lower())


def _limited(lines: Iterable[str], limit: int | None) -> Iterator[str]:
    """Cut off after `limit` bytes, in the middle of a line if need be."""
    left = limit
    for line in lines:
        if left is None:
            yield line
            continue
        size = len(line.encode()) + 1
        if size > left:
            if left > 0:
                yield line.encode()[:left].decode(errors="ignore")
            return
        left -= size
        yield line


def _status(pod: Manifest, name: str) -> Manifest:
    status = pod.get("status") or {}
    lists = ("containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses")
    everyone = (found for each in lists for found in status.get(each) or ())
    return next((found for found in everyone if found["name"] == name), {})


def _check_kept(pod: Manifest, name: str, records: list[Record], field: str) -> None:
    """Errors: Forgotten, if the status still tells of a container that nobody has any more."""
    identity = ((_status(pod, name).get(field) or {}).get("terminated") or {}).get("containerID") or ""
    number = identity.partition("://")[2]
    if number and all(record["id"] != number for record in records):
        raise Forgotten(f"unable to retrieve container logs for {identity}")


def _is_waiting(pod: Manifest, name: str) -> bool:
    """Between two attempts: the dead container is both the last and the previous one."""
    return "waiting" in (_status(pod, name).get("state") or {})
