"""What containers printed and used, read from committed records: the kubelet's log and stats endpoints,
kubelet or not.

Programs are pure functions of time, so nobody has to ask a running kubelet: whoever has the container
records, the cluster's epoch and the horizon up to which the world was committed, can compute any log and
any measurement.

Mirrors:  kubernetes/pkg/kubelet/server (containerLogs, stats/summary, metrics/resource)
Read next: runtime/logs.py, runtime/usage.py.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from cluster.runtime import crictl as crictl
from cluster.runtime import dialogue, logs, rotation, runtimes, usage
from cluster.runtime.containers import program_of
from cluster.runtime.live import answers

Record = dict[str, Any]
MEBIBYTE = 1 << 20
SAMPLES = 4  # Parts of a window: CPU is looked at between them.


class Printed(NamedTuple):
    """One line of output. `at`: microseconds since t = 0."""

    at: int
    pod: str
    container: str
    stream: str
    text: str


def containers(records: Iterable[Record]) -> list[Record]:
    """The containers among container and sandbox records."""
    return [record for record in records if "program" in record]


def tail(records: Iterable[Record], count: int, horizon: int, epoch: int) -> list[Printed]:
    """The last `count` lines of all these containers together, oldest first."""
    found = [
        Printed(line.at, f"{record['namespace']}/{record['pod']}", record["name"], line.stream, line.text)
        for record in containers(records)
        for line in logs.tail(record, count, horizon, epoch)
    ]
    return sorted(found, key=lambda line: line.at)[-count:]


def printed(record: Record, start: int, end: int, epoch: int) -> Iterable[logs.Line]:
    """What a container printed in [start, end), microseconds since t = 0."""
    return logs.lines(record, start, end, epoch) if record.get("program") else ()


def kept_since(record: Record, horizon: int, epoch: int) -> int:
    """From when on there are files with what a container printed: older ones were thrown away."""
    return rotation.oldest_start(record, horizon, epoch) if record.get("program") else 0


def used(records: Iterable[Record], moment: int, epoch: int) -> tuple[int, int]:
    """(CPU in millicores, memory in MiB) of all these containers together at `moment`."""
    total = usage.total(containers(records), moment, epoch)
    return total.cpu_millicores, total.memory_bytes // MEBIBYTE


def used_by_machine(node: str, records: Iterable[Record], moment: int, epoch: int) -> tuple[int, int]:
    """Likewise of a machine that is on: its containers, and what kubelet, runtime and kernel take."""
    total, system = usage.total(containers(records), moment, epoch), usage.of_system(node, moment)
    return total.cpu_millicores + system.cpu_millicores, (total.memory_bytes + system.memory_bytes) // MEBIBYTE


# --- /metrics/resource ------------------------------------------------------------------------------------------


class Metered(NamedTuple):
    """`nano`: mean CPU in billionths of a core; `memory`: at last, in bytes.

    `throttled`: the share of periods in which its limit stopped a container; `lost`: the share of time for which.
    """

    nano: int
    memory: int
    throttled: float = 0.0
    lost: float = 0.0


def measured(record: Record, start: int, end: int, epoch: int) -> tuple[int, int]:
    """What a container used from `start` to `end`: mean CPU in billionths of a core, memory at last in bytes."""
    cpu = sum(usage.at(record, moment, epoch).cpu_millicores for moment in _moments(start, end))
    return cpu * 1_000_000 // (SAMPLES - 1), usage.at(record, end, epoch).memory_bytes


def metered(record: Record, start: int, end: int, epoch: int) -> Metered:
    """The same, and how its limit on CPU slowed it down: demand above the limit uses up the quota of every period."""
    limit = record.get("cpu")
    if not limit:
        return Metered(*measured(record, start, end, epoch))
    demand = [usage.wanted(record, moment, epoch).cpu_millicores for moment in _moments(start, end)]
    over = [each for each in demand if each > limit]
    cpu = sum(min(each, limit) for each in demand)
    memory, number = usage.at(record, end, epoch).memory_bytes, len(demand)
    return Metered(
        cpu * 1_000_000 // number, memory, len(over) / number, sum(1 - limit / each for each in over) / number
    )


def _moments(start: int, end: int) -> list[int]:
    return [start + (end - start) * part // SAMPLES for part in range(1, SAMPLES)]


def measured_machine(node: str, records: Iterable[Record], start: int, end: int, epoch: int) -> tuple[int, int]:
    """Likewise the whole machine: its containers, and what kubelet, runtime and kernel take."""
    parts = [measured(record, start, end, epoch) for record in containers(records)]
    system = usage.of_system(node, end)
    cpu = sum(part[0] for part in parts) + system.cpu_millicores * 1_000_000
    return cpu, sum(part[1] for part in parts) + system.memory_bytes


# --- ports ------------------------------------------------------------------------------------------------------


def listens(record: Record, declared: Iterable[int], port: int, moment: int, epoch: int) -> bool:
    """Would a connection to `port` of this container be accepted? `declared`: the ports that its pod names."""
    if record["started"] is None or record["ended"] is not None:
        return False
    program = program_of(record, epoch)
    ports = (*program.ports(), *(declared if record["program"] in answers.DECLARED else ()))
    return program.listens_at() <= moment and port in ports


# --- the runtime ------------------------------------------------------------------------------------------------

RUNTIMES = tuple(runtimes.KINDS)  # Their names, the usual one first.


def runtime_of(machine: Record) -> runtimes.Kind:
    """Name, version and socket of a machine's runtime."""
    return runtimes.of(machine.get("runtime"))


def refusal(machine: Record) -> str:
    """What a caller of its socket hears; the empty string if the runtime answers."""
    return "" if machine.get("runtime_down") is None else runtimes.unavailable(runtime_of(machine))


# --- the dialogue over CRI --------------------------------------------------------------------------------------


def calls(cells: Mapping[str, Any], horizon: int) -> list[tuple[dialogue.CriCall, bool]]:
    """What a kubelet asked its runtime by `horizon`, in order, and whether the answer was still to come then."""
    return [(call, dialogue.is_open(call, horizon)) for call in dialogue.of(cells, horizon)]
