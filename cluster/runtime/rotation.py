"""A container's log is several files: one that is full is renamed, the oldest are thrown away.

    0.log                        what is printed now, and what `kubectl logs` shows
    0.log.20261125-231000        the one before
    0.log.20261125-230100.gz     earlier ones, compressed

The kubelet looks every ten seconds; a file of 10 MiB or more is full then, and five are kept (a machine may be
configured otherwise: `rotate` in the record, [bytes, files]). A container that has ended keeps its last file.

When that happens is a function of what was printed. What a process that lives has printed is counted as it comes
(`noted`). Other programs are read for their first ten minutes, once; later on they are taken to go on at the pace of
the last five of them, so that nobody reads a week to learn which file is the newest.

Mirrors:  kubernetes/pkg/kubelet/logs/container_log_manager.go
Left out: lines of access logs (the last 500 are kept, and can't fill a file); looks are counted from the container's
          start, not from the kubelet's; compression is taken to leave a tenth.
"""

from collections import OrderedDict
from typing import NamedTuple

from cluster.runtime import logs
from cluster.runtime.containers import Record
from cluster.runtime.programs.program import SECOND

LOOK_EVERY = 10 * SECOND
MAX_SIZE, MAX_FILES = 10 << 20, 5
COMPRESSED = 10  # Times smaller.
COUNTED, SETTLED = 600 * SECOND, 300 * SECOND  # So long is read; from then on the pace is measured.
PREFIX = len("2026-01-01T00:00:00.000000000Z stdout F ") + 1  # What a line takes in its file besides, its end too.
TOLD_BY = (
    "id",
    "started",
    "stopped",
    "image",
    "argv",
    "env",
    "script",
    "memory",
    "rotate",
)  # What its lines depend on.
KNOWN = 4_096  # Containers whose count is remembered; forgetting is harmless.


class LogFile(NamedTuple):
    """`start`: when its first line may have been printed; `size`: bytes before compression."""

    start: int
    size: int


class Count(NamedTuple):
    """When files were begun, the bytes of each, and the bytes of what was printed after SETTLED."""

    starts: tuple[int, ...]
    sizes: tuple[int, ...]
    settled: int


_counts: OrderedDict[str, Count] = OrderedDict()


def files(record: Record, horizon: int, epoch: int) -> list[LogFile]:
    """The files that exist at `horizon`, the oldest first; the last one is being written. None before it started."""
    if record["started"] is None:
        return []
    end = horizon if record["ended"] is None else min(horizon, record["ended"])
    found = _of_living(record, end) if record["program"] == "terminal" else _of_program(record, end, epoch)
    return found[-policy(record)[1] :]


def current_start(record: Record, horizon: int, epoch: int) -> int:
    """From when on `kubectl logs` has the lines."""
    return max((file.start for file in files(record, horizon, epoch)), default=0)


def oldest_start(record: Record, horizon: int, epoch: int) -> int:
    """From when on any file has the lines."""
    return min((file.start for file in files(record, horizon, epoch)), default=0)


def on_disk(record: Record, horizon: int, epoch: int) -> int:
    """Bytes that all files take: all but the last two are compressed."""
    sizes = [file.size for file in files(record, horizon, epoch)]
    return sum(sizes[-2:]) + sum(size // COMPRESSED for size in sizes[:-2])


def policy(record: Record) -> tuple[int, int]:
    """(bytes of a full file, how many are kept)."""
    size, count = record.get("rotate") or (MAX_SIZE, MAX_FILES)
    return int(size), int(count)


def _look_after(record: Record, at: int) -> int:
    """The first look at a file that was full at `at`."""
    started = int(record["started"])
    return started + ((at - started) // LOOK_EVERY + 1) * LOOK_EVERY


# --- processes that live ----------------------------------------------------------------------------------------


def noted(record: Record, now: int, grown: int) -> Record:
    """The record after it has printed so many bytes: `logged`, all of them; `rotated`, [when, bytes until then] …;
    `full_at`, when the next file will be begun, if this one is full.
    """
    logged, rotated = int(record.get("logged", 0)), list(record.get("rotated", ()))
    full_at = record.get("full_at")
    if full_at is not None and full_at <= now:
        rotated, full_at = [*rotated, [full_at, logged]], None
    logged += grown
    before = rotated[-1][1] if rotated else 0
    if full_at is None and logged - before >= policy(record)[0]:
        full_at = _look_after(record, now)
    kept = {name: value for name, value in record.items() if name != "full_at"}
    rotated = rotated[-policy(record)[1] :]
    return {
        **kept,
        "logged": logged,
        **({"rotated": rotated} if rotated else {}),
        **({"full_at": full_at} if full_at is not None else {}),
    }


def _of_living(record: Record, end: int) -> list[LogFile]:
    marks = [(int(record["started"]), 0), *((int(at), int(size)) for at, size in record.get("rotated", ()))]
    logged, full_at = int(record.get("logged", 0)), record.get("full_at")
    if full_at is not None and full_at <= end:
        marks.append((int(full_at), logged))
    sizes = [later[1] - earlier[1] for earlier, later in zip(marks, [*marks[1:], (end, logged)], strict=True)]
    return [LogFile(start, size) for (start, _), size in zip(marks, sizes, strict=True) if start <= end]


# --- programs that are functions of time ------------------------------------------------------------------------


def _of_program(record: Record, end: int, epoch: int) -> list[LogFile]:
    until = int(record["started"]) + COUNTED
    count = _counted(record, until, epoch) if end >= until else _read(record, end, epoch)
    starts, sizes = list(count.starts), list(count.sizes)
    if end > until:
        _go_on(record, count.settled, until, end, starts, sizes)
    return [LogFile(start, size) for start, size in zip(starts, sizes, strict=True)]


def _counted(record: Record, until: int, epoch: int) -> Count:
    """All that is ever read; remembered, since it can be read again at any time."""
    key = repr([record.get(name) for name in TOLD_BY] + [epoch])
    count = _counts.get(key)
    if count is None:
        count = _counts[key] = _read(record, until, epoch)
        if len(_counts) > KNOWN:
            _counts.popitem(last=False)
    return count


def _read(record: Record, end: int, epoch: int) -> Count:
    """What was printed before `end`, from the start on."""
    started, limit = int(record["started"]), policy(record)[0]
    starts, sizes, settled, look = [started], [0], 0, None
    for line in logs.lines({**record, "traffic": ()}, started, end, epoch):
        if look is not None and line.at >= look:
            starts, sizes, look = [*starts, look], [*sizes, 0], None
        size = PREFIX + len(line.text.encode())
        sizes[-1] += size
        settled += size if line.at >= started + SETTLED else 0
        if look is None and sizes[-1] >= limit:
            look = _look_after(record, line.at)
    if look is not None and end >= look:
        starts, sizes = [*starts, look], [*sizes, 0]
    return Count(tuple(starts), tuple(sizes), settled)


def _go_on(record: Record, settled: int, since: int, end: int, starts: list[int], sizes: list[int]) -> None:
    """`settled`: bytes in COUNTED - SETTLED. Only the files that may still exist at `end` are added."""
    limit, kept = policy(record)
    took = COUNTED - SETTLED
    if not settled:
        return
    begun = _look_after(record, since + max(limit - sizes[-1], 0) * took // settled)
    if begun > end:
        sizes[-1] += settled * (end - since) // took
        return
    sizes[-1] += settled * (begun - since) // took
    period = -(-limit * took // settled // LOOK_EVERY) * LOOK_EVERY
    more = (end - begun) // period
    for number in range(max(more - kept, 0), more + 1):
        starts.append(begun + number * period)
        sizes.append(settled * period // took)
    sizes[-1] = settled * (end - starts[-1]) // took
