"""The kernel's OOM killer, when the memory of a whole machine is used up faster than anybody evicts.

    score = memory in thousandths of the machine + oom_score_adj      the highest is killed, until the rest fits

    oom_score_adj   -997 Guaranteed, and whatever is critical for nodes      1000 BestEffort
                    3 … 999 Burstable: the more of the machine's memory a container has asked for, the less

It is a process that dies, so its container ends with 137 (OOMKilled) and is restarted as its pod says; the kubelet
reads of it in the kernel's log and says SystemOOM of its node. A container that reaches its own limit is the program's
affair (Program.exit).

Mirrors:  kubernetes/pkg/kubelet/qos/policy.go (GetContainerOOMScoreAdjust), pkg/kubelet/oom/oom_watcher_linux.go;
          linux/mm/oom_kill.c (oom_badness)
Left out: which of a container's processes dies: it is always process 1; the system's own processes are never chosen.
Read next: measures.py.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from cluster.engine.clock import SECOND
from cluster.kubelet.measures import Meter
from cluster.objects import Manifest, amounts, meta, pods, quantity
from cluster.objects.amounts import Amount
from cluster.runtime import noise
from cluster.runtime.containers import Record

GUARANTEED, BEST_EFFORT = -997, 1000
NODE_CRITICAL = "system-node-critical"
STEP, PRECISION = SECOND // 2, 1_000  # Microseconds: how closely is looked ahead.
KILLED, REASON = 137, "OOMKilled"
COMM = 15  # Characters of a process' name.


class Victim(NamedTuple):
    pod: Manifest
    record: Record
    score: int


def runs_over_at(meter: Meter, here: Callable[[], Iterable[Manifest]], until: int) -> int | None:
    """When the machine's memory will be used up if nobody interferes, before `until`; None: it won't be.

    Usage grows, or drifts slowly: so half a second is near enough to look, and the moment is found by halving.
    """
    records = meter.running(here())
    if meter.most(records) <= meter.memory:
        return None
    early = meter.clock.now
    while early < until:
        late = min(early + STEP, until)
        if meter.total(records, late) > meter.memory:
            while late - early > PRECISION:
                middle = (early + late) // 2
                early, late = (early, middle) if meter.total(records, middle) > meter.memory else (middle, late)
            return late
        early = late
    return None


def victims(meter: Meter, here: Callable[[], Iterable[Manifest]]) -> list[Victim]:
    """Who has to die so that the rest fits, in this order. None, if it fits, or if nobody is left."""
    found, left, now = [], meter.running(here()), meter.clock.now
    owners = {meta.uid(pod): pod for pod in here()}
    while left and meter.total(left, now) > meter.memory:
        worst = max(
            (Victim(owners[record["uid"]], record, _score(meter, owners[record["uid"]], record)) for record in left),
            key=lambda each: (each.score, each.record["started"], each.record["id"]),
        )
        found.append(worst)
        left.remove(worst.record)
    return found


def _score(meter: Meter, pod: Manifest, record: Record) -> int:
    """In bytes, as the kernel counts in pages."""
    container = next((each for each in pods.everyone(pod) if each["name"] == record["name"]), {})
    return meter.total_of(record) + score_adjust(pod, container, meter.memory) * meter.memory // 1000


def score_adjust(pod: Manifest, container: Manifest, capacity: int) -> int:
    """oom_score_adj of a container's processes, on a machine of so many bytes."""
    quality = pods.qos_class(pod)
    if pod["spec"].get("priorityClassName") == NODE_CRITICAL or quality == "Guaranteed":
        return GUARANTEED
    if quality == "BestEffort":
        return BEST_EFFORT
    request = amounts.parse((container.get("resources") or {}).get("requests")).get("memory", Amount(0))
    adjusted = 1000 - 1000 * (request.nano // quantity.NANO) // capacity
    return min(max(adjusted, 1000 + GUARANTEED), BEST_EFFORT - 1)


def said(record: Record) -> str:
    """What the kubelet has read in the kernel's log."""
    name = (record["argv"][0] if record["argv"] else record["program"]).rpartition("/")[2][:COMM]
    return f"System OOM encountered, victim process: {name}, pid: {noise.between(2_000, 60_000, record['seed'], 3)}"
