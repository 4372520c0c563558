"""What containers printed and used, read from committed records: the kubelet's log and stats endpoints,
kubelet or not.

Programs are pure functions of time, so nobody has to ask a running kubelet: whoever has the container
records, the cluster's epoch and the horizon up to which the world was committed, can compute any log and
any measurement.

Mirrors:  kubernetes/pkg/kubelet/server (containerLogs, stats/summary)
Read next: runtime/logs.py, runtime/usage.py.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

from cluster.runtime import logs, usage

Record = dict[str, Any]
MEBIBYTE = 1 << 20


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


def used(records: Iterable[Record], moment: int, epoch: int) -> tuple[int, int]:
    """(CPU in millicores, memory in MiB) of all these containers together at `moment`."""
    total = usage.total(containers(records), moment, epoch)
    return total.cpu_millicores, total.memory_bytes // MEBIBYTE
