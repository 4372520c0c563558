"""What containers use, from their records: CPU and memory at any moment, and as a series for a chart."""

from hashlib import blake2b

from cluster.runtime import noise, traffic
from cluster.runtime.containers import Record, program_of
from cluster.runtime.programs.program import MIB, SECOND, Program, Usage

NOTHING = Usage(0, 0)
SYSTEM = Usage(38, 412 * MIB)  # kubelet, runtime, kernel and journal of a quiet machine.
SYSTEM_DRIFT = 0.03
CPU_PER_SENT = 0.03  # Millicores that a load generator takes for each request a second.
FLOW_DRIFT = 0.02


def at(record: Record, moment: int, epoch: int) -> Usage:
    """What a container takes at `moment`; nothing before its start and after its end. A limit on CPU slows it down."""
    started, ended = record["started"], record["ended"]
    if started is None or moment < started or (ended is not None and moment >= ended):
        return NOTHING
    used = wanted(record, moment, epoch)
    limit = record.get("cpu")
    return used if limit is None or used.cpu_millicores <= limit else used._replace(cpu_millicores=limit)


def wanted(record: Record, moment: int, epoch: int) -> Usage:
    """What a container that runs would take without a limit."""
    program = program_of(record, epoch)
    used = program.usage(moment, traffic.rate(record.get("hits", ()), moment))
    more = _by_flows(program, record, moment)
    return used._replace(cpu_millicores=used.cpu_millicores + more) if more else used


def _by_flows(program: Program, record: Record, moment: int) -> int:
    """Millicores for the requests that come, or go, in flows."""
    load, flow = record.get("load", ()), record.get("flow", ())
    if not load and not flow:
        return 0
    asked = traffic.mean_rate(load, moment) * program.cpu_per_request
    sent = traffic.piece_at(flow, moment).get("sent", 0) / traffic.MILLI * CPU_PER_SENT
    return round((asked + sent) * (1 + FLOW_DRIFT * noise.smooth(moment, 15 * SECOND, record["seed"] + 3)))


def series(record: Record, start: int, end: int, step: int, epoch: int) -> list[tuple[int, Usage]]:
    """(moment, usage) every `step` microseconds, at multiples of `step`, so that charts don't jitter."""
    first = -(-start // step) * step
    return [(moment, at(record, moment, epoch)) for moment in range(first, end, step)]


def total(records: list[Record], moment: int, epoch: int) -> Usage:
    """The sum over containers: a pod's or a node's."""
    used = [at(record, moment, epoch) for record in records]
    return Usage(sum(usage.cpu_millicores for usage in used), sum(usage.memory_bytes for usage in used))


def most_memory(record: Record, epoch: int) -> int:
    """Bytes that a container will never exceed, requests aside; 0 if it does not run."""
    if record["started"] is None or record["ended"] is not None:
        return 0
    return program_of(record, epoch).most_memory()


def most_memory_of_system() -> int:
    """Bytes that a machine never exceeds for itself."""
    return int(SYSTEM.memory_bytes * (1 + SYSTEM_DRIFT))


def of_system(node: str, moment: int) -> Usage:
    """What a machine takes for itself while it is on."""
    seed = int.from_bytes(blake2b(node.encode(), digest_size=8).digest(), "big")
    cpu = SYSTEM.cpu_millicores * (1 + 0.25 * noise.smooth(moment, 20 * SECOND, seed))
    memory = SYSTEM.memory_bytes * (1 + SYSTEM_DRIFT * noise.smooth(moment, 120 * SECOND, seed + 1))
    return Usage(round(cpu), int(memory))
